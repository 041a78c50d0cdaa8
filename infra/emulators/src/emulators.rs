//! Starting and stopping everything.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use dynoxide::{Database, DynoxideError};
use http::HeaderValue;
use portico_domain::Clock;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::MissedTickBehavior;

use crate::aws_port::{self, Services};
use crate::clock::{now_ms, system};
use crate::cognito::{Cognito, CognitoError};
use crate::copies::{self, Copies, CopyError};
use crate::mail::Mailbox;
use crate::objects::{self, BucketSpec, ObjectError, ObjectEvents, Objects, Redating};
use crate::queues::{self, Queues};
use crate::secrets::Secrets;
use crate::store::{Store, StoreError};
use crate::streams::{self, StreamError, Streams};

/// How long requests may go on after [`Emulators::shutdown`] was called.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(2);

/// How often expired items are deleted. AWS takes up to days; sooner is kinder to whoever watches.
const TTL_SWEEP: Duration = Duration::from_secs(60);

/// How often buckets remove what their rules say. AWS does it once a day.
const BUCKET_SWEEP: Duration = Duration::from_secs(60 * 60);

/// What to emulate, and where.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where everything is kept; `None` is a temporary directory that goes with the [`Emulators`].
    pub data: Option<PathBuf>,
    /// Where S3, SQS, Cognito, Secrets Manager and SES listen; port 0 is any free port.
    pub aws: SocketAddr,
    /// Where DynamoDB listens; port 0 is any free port.
    pub dynamodb: SocketAddr,
    /// The region that clients sign for and ARNs name.
    pub region: String,
    /// The account that ARNs name: 12 digits.
    pub account_id: String,
    /// The origins whose pages may use S3 from a browser: `http://localhost:3000`.
    pub cors_origins: Vec<String>,
}

impl Config {
    /// Any free ports on the loopback interface and a temporary directory, for tests.
    #[must_use]
    pub fn ephemeral() -> Self {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        Self {
            data: None,
            aws: any,
            dynamodb: any,
            region: "eu-central-1".into(),
            account_id: "000000000000".into(),
            cors_origins: Vec::new(),
        }
    }
}

/// Why the emulators did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Another program listens on the port; often a second copy of this one.
    #[error("{service} cannot listen on {address}: the port is in use")]
    PortInUse {
        /// `AWS` or `DynamoDB`.
        service: &'static str,
        /// The address asked for.
        address: SocketAddr,
    },
    /// The address cannot be listened on.
    #[error("{service} cannot listen on {address}: {source}")]
    Listen {
        /// `AWS` or `DynamoDB`.
        service: &'static str,
        /// The address asked for.
        address: SocketAddr,
        /// What the operating system says.
        source: io::Error,
    },
    /// The data directory cannot be used.
    #[error("the data directory {}: {source}", path.display())]
    Data {
        /// The directory.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// Another process uses the data directory.
    #[error("the data directory {} is in use by another process", path.display())]
    DataInUse {
        /// The directory.
        path: PathBuf,
    },
    /// An origin is not a header value.
    #[error("the CORS origin {0:?} is not a header value")]
    Origin(String),
    /// The state file cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// DynamoDB did not open its file.
    #[error("DynamoDB: {0}")]
    DynamoDb(#[from] DynoxideError),
    /// The streams cannot be watched.
    #[error(transparent)]
    Streams(#[from] StreamError),
    /// S3 did not open its files.
    #[error("S3: {0}")]
    Objects(#[from] ObjectError),
    /// Cognito cannot write its state.
    #[error(transparent)]
    Cognito(#[from] CognitoError),
}

/// AWS in this process. Stops when it is dropped, or better with [`Emulators::shutdown`].
#[derive(Debug)]
pub struct Emulators {
    aws: SocketAddr,
    dynamodb: SocketAddr,
    queues: Queues,
    objects: Objects,
    streams: Streams,
    mailbox: Mailbox,
    secrets: Secrets,
    cognito: Cognito,
    dynamodb_file: PathBuf,
    stop: watch::Sender<bool>,
    servers: JoinSet<()>,
    background: Vec<AbortHandle>,
    /// Held open so that no second process uses the directory.
    _lock: std::fs::File,
    _temporary: Option<TempDir>,
}

impl Emulators {
    /// Starts everything; requests are served when this returns.
    ///
    /// # Errors
    ///
    /// [`StartError`] names the port, the directory or the service that is to blame.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        Self::start_at(config, system()).await
    }

    /// As [`Emulators::start`], with a clock of the caller's for queues, secrets, mail and objects.
    ///
    /// # Errors
    ///
    /// As [`Emulators::start`].
    pub async fn start_at(config: Config, clock: Clock) -> Result<Self, StartError> {
        // The ports first: a second copy must not touch the files of the first.
        let aws_listener = listen("AWS", config.aws).await?;
        let dynamodb_listener = listen("DynamoDB", config.dynamodb).await?;
        let aws = local_address("AWS", config.aws, &aws_listener)?;
        let dynamodb = local_address("DynamoDB", config.dynamodb, &dynamodb_listener)?;
        let origins = config
            .cors_origins
            .iter()
            .map(|origin| HeaderValue::from_str(origin).map_err(|_| StartError::Origin(origin.clone())))
            .collect::<Result<Vec<_>, _>>()?;
        let (directory, temporary) = directory(config.data)?;
        let lock = lock(&directory)?;
        let Config { region, account_id: account, .. } = config;

        let stop = watch::Sender::new(false);
        let store = Store::open(&private_file(&directory, "state.sqlite")?)?;
        let queues = Queues::new(store.clone(), clock.clone(), stop.subscribe());
        let objects = Objects::open(
            store.clone(),
            clock.clone(),
            queues.clone(),
            directory.join("objects"),
            region.clone(),
        )
        .await?;
        let secrets = Secrets::new(store.clone(), clock.clone(), region.clone(), account.clone());
        let mailbox = Mailbox::new(store.clone(), clock.clone());
        let url = format!("http://{aws}");
        let cognito = Cognito::open(&directory, &region, &account, url.clone(), mailbox.clone()).await?;

        let dynamodb_file = private_file(&directory, "dynamodb.sqlite")?;
        let database = open_dynamodb(&dynamodb_file)?;
        streams::tidy(&dynamodb_file, &store, now_ms(&clock)).await?;
        let commits = watch::Sender::new(());
        let streams =
            Streams::new(database.clone(), store, commits.subscribe(), region.clone(), account.clone());

        let background = vec![
            tokio::spawn(streams::watch_commits(streams::open_watch(&dynamodb_file)?, commits))
                .abort_handle(),
            tokio::spawn(sweep_expired_items(database.clone())).abort_handle(),
            tokio::spawn(sweep_objects(objects.clone())).abort_handle(),
        ];
        let routes = aws_port::routes(
            Services {
                queues: queues::wire::Api { queues: queues.clone(), url, region: region.clone(), account },
                secrets: secrets.clone(),
                mailbox: mailbox.clone(),
                cognito: cognito.clone(),
                objects: objects::service(objects.clone()),
                redating: Redating::new(clock, system(), region),
            },
            &origins,
        );
        let mut servers = JoinSet::new();
        let stopped = stopped(stop.subscribe());
        servers.spawn(async move {
            if let Err(error) = axum::serve(aws_listener, routes).with_graceful_shutdown(stopped).await {
                tracing::error!(%error, "the AWS port failed");
            }
        });
        let stopped = self::stopped(stop.subscribe());
        servers.spawn(async move {
            if let Err(error) =
                dynoxide::server::serve_with_shutdown(dynamodb_listener, database, stopped).await
            {
                tracing::error!(error, "the DynamoDB port failed");
            }
        });
        Ok(Self {
            aws,
            dynamodb,
            queues,
            objects,
            streams,
            mailbox,
            secrets,
            cognito,
            dynamodb_file,
            stop,
            servers,
            background,
            _lock: lock,
            _temporary: temporary,
        })
    }

    /// For `AWS_ENDPOINT_URL_S3` and its siblings: `http://127.0.0.1:4566`.
    #[must_use]
    pub fn aws_url(&self) -> String {
        format!("http://{}", self.aws)
    }

    /// For `AWS_ENDPOINT_URL_DYNAMODB`.
    #[must_use]
    pub fn dynamodb_url(&self) -> String {
        format!("http://{}", self.dynamodb)
    }

    /// SQS, without HTTP: for event source mappings.
    #[must_use]
    pub fn queues(&self) -> &Queues {
        &self.queues
    }

    /// Buckets.
    #[must_use]
    pub fn objects(&self) -> &Objects {
        &self.objects
    }

    /// What S3 would tell a function about new objects.
    #[must_use]
    pub fn object_events(&self) -> ObjectEvents {
        self.objects.events()
    }

    /// Makes a bucket, or makes one that exists what it is meant to be. Its objects stay.
    ///
    /// # Errors
    ///
    /// [`ObjectError`].
    pub async fn create_bucket(&self, spec: BucketSpec) -> Result<(), ObjectError> {
        self.objects.ensure_bucket(spec).await
    }

    /// The change records of DynamoDB tables.
    #[must_use]
    pub fn streams(&self) -> &Streams {
        &self.streams
    }

    /// Fills a table with copies of items that are in it; see [`Copies`]. No stream tells of them. Returns how many
    /// were made.
    ///
    /// # Errors
    ///
    /// [`CopyError::File`].
    pub async fn copy_items(&self, copies: Copies) -> Result<u64, CopyError> {
        let file = self.dynamodb_file.clone();
        let copied = tokio::task::spawn_blocking(move || copies::copy(&file, &copies));
        copied.await.map_err(|_| CopyError::Stopped)?
    }

    /// Mail that would have been sent.
    #[must_use]
    pub fn mailbox(&self) -> &Mailbox {
        &self.mailbox
    }

    /// Secrets Manager, without HTTP.
    #[must_use]
    pub fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// Cognito: pools and signing keys.
    #[must_use]
    pub fn cognito(&self) -> &Cognito {
        &self.cognito
    }

    /// Lets running requests finish for two seconds, then stops. Everything acknowledged is on disk either way.
    pub async fn shutdown(mut self) {
        self.stop.send_replace(true);
        let finished = async { while self.servers.join_next().await.is_some() {} };
        if tokio::time::timeout(SHUTDOWN_GRACE, finished).await.is_err() {
            tracing::warn!("requests were still running at shutdown");
        }
        if let Err(error) = self.cognito.save().await {
            tracing::error!(%error, "the Cognito state is not on disk");
        }
    }
}

impl Drop for Emulators {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        for task in &self.background {
            task.abort();
        }
    }
}

async fn stopped(mut stopping: watch::Receiver<bool>) {
    // An error means that the emulators were dropped.
    let _ = stopping.wait_for(|stop| *stop).await;
}

async fn listen(service: &'static str, address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).await.map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => StartError::PortInUse { service, address },
        _ => StartError::Listen { service, address, source },
    })
}

/// The address with the port that the operating system chose.
fn local_address(
    service: &'static str,
    address: SocketAddr,
    listener: &TcpListener,
) -> Result<SocketAddr, StartError> {
    listener.local_addr().map_err(|source| StartError::Listen { service, address, source })
}

fn directory(data: Option<PathBuf>) -> Result<(PathBuf, Option<TempDir>), StartError> {
    let Some(path) = data else {
        let temporary = tempfile::Builder::new()
            .prefix("portico-")
            .tempdir()
            .map_err(|source| StartError::Data { path: std::env::temp_dir(), source })?;
        return Ok((temporary.path().to_owned(), Some(temporary)));
    };
    std::fs::create_dir_all(&path).map_err(|source| StartError::Data { path: path.clone(), source })?;
    Ok((path, None))
}

/// Two processes with one directory would undo each other's Cognito state.
fn lock(directory: &Path) -> Result<std::fs::File, StartError> {
    let data = |source| StartError::Data { path: directory.to_owned(), source };
    let file = std::fs::File::create(directory.join("lock")).map_err(data)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(StartError::DataInUse { path: directory.to_owned() }),
        Err(std::fs::TryLockError::Error(source)) => Err(data(source)),
    }
}

/// Creates a file that only its owner can read, before SQLite would create it for everyone; the log files beside it
/// take over the permissions.
fn private_file(directory: &Path, name: &str) -> Result<PathBuf, StartError> {
    let path = directory.join(name);
    let mut options = std::fs::OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(&path).map_err(|source| StartError::Data { path: path.clone(), source })?;
    Ok(path)
}

fn open_dynamodb(file: &Path) -> Result<Database, StartError> {
    let path = file.to_str().ok_or_else(|| StartError::Data {
        path: file.to_owned(),
        source: io::Error::new(io::ErrorKind::InvalidInput, "the path is not UTF-8"),
    })?;
    let database = Database::new(path)?;
    // The end of bulk loading sets `synchronous = NORMAL`, which nothing else in the API does: a kill of the process
    // loses nothing, and a write does not wait for the disk.
    database.disable_bulk_loading()?;
    Ok(database)
}

/// Deletes expired items now and then, until it is dropped.
async fn sweep_expired_items(database: Database) {
    let mut ticks = tokio::time::interval(TTL_SWEEP);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let database = database.clone();
        match tokio::task::spawn_blocking(move || database.sweep_ttl()).await {
            Ok(Ok(deleted)) => tracing::debug!(deleted, "expired items"),
            Ok(Err(error)) => tracing::warn!(%error, "expired items stay"),
            Err(_) => return,
        }
    }
}

/// Removes what the rules of buckets say at once and then now and then, until it is dropped.
async fn sweep_objects(objects: Objects) {
    let mut ticks = tokio::time::interval(BUCKET_SWEEP);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(error) = objects.sweep().await {
            tracing::warn!(%error, "what buckets should have removed stays");
        }
    }
}
