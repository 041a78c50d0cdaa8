//! Starts everything that the template describes, in one process.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::{Html, Response};
use axum::routing::get;
use http::{Request, StatusCode};
use portico_aws::{BootError, Cloud, Settings};
use portico_domain::{Clock, Random};
use portico_emulators::{Emulators, Pool};
use serde::Serialize;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::console::{self, Console, Parts};
use crate::demo::{self, Demo, DemoError};
use crate::events::Delays;
use crate::events::asynchronous::{GivenUp, Inbox};
use crate::events::bridge::{self, Bus, Rule, Timer};
use crate::events::pattern::{Pattern, PatternError};
use crate::events::queue::QueueMapping;
use crate::events::schedule::{Schedule, ScheduleError};
use crate::events::stream::StreamMapping;
use crate::function_url::{self, FunctionUrl};
use crate::functions::Functions;
use crate::gateway::authorizer::{CognitoAuthorizer, KeySource, TokenRules};
use crate::gateway::{self, ApiMethod, Gateway, GatewayError};
use crate::lambda::{ACCOUNT_CONCURRENCY, Concurrency, Lambda};
use crate::live::{self, Limits, Live, LiveError};
use crate::malware::{Faults, ScanRequests, Scanner, Scans};
use crate::ports::{self, Door, PortError, Ports};
use crate::provision::{self, ProvisionError};
use crate::stop::{Stop, Stopper};
use crate::template::{EventSource, Function, Kind, Scope, Template, TemplateError};
use crate::{identity, open_file, operator, page};

/// How long running requests and batches may go on after a stop was asked for.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(3);

/// What to start, and around what.
#[derive(Clone, Debug)]
pub struct Options {
    /// The template.
    pub template: PathBuf,
    /// Where everything is kept; `None` is a temporary directory that goes with the [`LocalCloud`].
    pub data: Option<PathBuf>,
    /// Where it listens.
    pub ports: Ports,
    /// The code behind the template's functions.
    pub functions: Functions,
    /// Demo accounts, people and a fake Salesforce org. Needs the resources of the real template.
    pub demo: bool,
    /// Values of the template's parameters that differ from their defaults.
    pub parameters: BTreeMap<String, String>,
    /// Values of secrets by logical id, kept before the functions start.
    pub secrets: BTreeMap<String, String>,
    /// What scans new objects, if the template has a plan for them.
    pub scanner: Scanner,
    /// Waits between attempts.
    pub delays: Delays,
    /// Bounds of live connections.
    pub live_limits: Limits,
    /// The time.
    pub clock: Clock,
    /// Unpredictable bytes.
    pub random: Random,
}

impl Options {
    /// The template at this path with these functions, on free ports, without demo data, in a temporary directory.
    pub fn ephemeral(template: impl Into<PathBuf>, functions: Functions) -> Self {
        Self {
            template: template.into(),
            data: None,
            ports: Ports::any(),
            functions,
            demo: false,
            parameters: BTreeMap::new(),
            secrets: BTreeMap::new(),
            scanner: Scanner::BuiltIn,
            delays: Delays::default(),
            live_limits: Limits::default(),
            clock: portico_aws::system_clock(),
            random: portico_aws::system_random(),
        }
    }
}

/// Why the local cloud did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The template.
    #[error("{}: {source}", path.display())]
    Template {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: TemplateError,
    },
    /// A port.
    #[error(transparent)]
    Port(#[from] PortError),
    /// The emulators.
    #[error(transparent)]
    Emulators(portico_emulators::StartError),
    /// A temporary directory.
    #[error("no temporary directory: {0}")]
    Temporary(std::io::Error),
    /// The data directory.
    #[error("the data directory {}: {source}", path.display())]
    Data {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The HTTP client.
    #[error("no HTTP client: {0}")]
    Http(reqwest::Error),
    /// A table, a queue, a bucket, a pool or a secret.
    #[error(transparent)]
    Provision(#[from] ProvisionError),
    /// A function of the template that no crate is registered for.
    #[error("{function}: there is no crate for the binary {binary}")]
    NoCrate {
        /// Its logical id.
        function: String,
        /// What the template names.
        binary: String,
    },
    /// A function does not start.
    #[error("{function} does not start: {source}")]
    Boot {
        /// Its logical id.
        function: String,
        /// What is missing.
        source: BootError,
    },
    /// An event source, a route or a rule refers to something that is not in the template.
    #[error("{function}: {target} is not in the template")]
    Target {
        /// The function's or the API's logical id.
        function: String,
        /// What it refers to.
        target: String,
    },
    /// An event pattern.
    #[error("{function}: {source}")]
    Pattern {
        /// The function's logical id.
        function: String,
        /// What is wrong.
        source: PatternError,
    },
    /// A schedule.
    #[error("{function}: {source}")]
    Schedule {
        /// The function's logical id.
        function: String,
        /// What is wrong.
        source: ScheduleError,
    },
    /// A schedule's input.
    #[error("{function}: the schedule's Input is not JSON: {source}")]
    Input {
        /// The function's logical id.
        function: String,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// More than one of what the local cloud has one port for.
    #[error("the local cloud serves one {0}")]
    MoreThanOne(&'static str),
    /// The REST API.
    #[error(transparent)]
    Gateway(#[from] GatewayError),
    /// The WebSocket API.
    #[error(transparent)]
    Live(#[from] LiveError),
    /// The queue of objects to be scanned.
    #[error("malware scans: {0}")]
    Scans(portico_emulators::QueueError),
    /// The inbox of a function.
    #[error("{function}: {source}")]
    Inbox {
        /// The function's logical id.
        function: String,
        /// What the emulator said.
        source: portico_emulators::QueueError,
    },
    /// The demo.
    #[error(transparent)]
    Demo(#[from] DemoError),
}

impl From<portico_emulators::StartError> for StartError {
    /// A port that is in use is told with the flag that moves it.
    fn from(error: portico_emulators::StartError) -> Self {
        match error {
            portico_emulators::StartError::PortInUse { service, address } => {
                let door = if service == "DynamoDB" { Door::DynamoDb } else { Door::Aws };
                Self::Port(PortError { door, address, source: std::io::ErrorKind::AddrInUse.into() })
            }
            other => Self::Emulators(other),
        }
    }
}

/// Where everything is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Addresses {
    /// The start page.
    pub web: String,
    /// The REST API, without the stage; with it, the same routes answer.
    pub api: String,
    /// The WebSocket API with its stage, for browsers: `ws://`.
    pub live: String,
    /// The function URLs by logical id of their function, without a slash at the end.
    pub function_urls: BTreeMap<String, String>,
    /// The fake Salesforce org.
    pub salesforce: Option<String>,
    /// S3, SQS, Cognito, Secrets Manager, SES.
    pub aws: String,
    /// DynamoDB.
    pub dynamodb: String,
}

impl Addresses {
    /// What each is, for people.
    pub(crate) fn rows(&self) -> Vec<(&'static str, String)> {
        let mut rows = vec![
            ("Start page", self.web.clone()),
            ("REST API", self.api.clone()),
            ("API, described", format!("{}{}", self.api, crate::docs::PATH)),
            ("Health", format!("{}/_local/health", self.api)),
            ("Mail", format!("{}/_local/mail", self.api)),
            ("Queues", format!("{}/_local/queues", self.api)),
            ("Malware scans", format!("{}/_local/malware", self.api)),
            ("WebSocket API", self.live.clone()),
        ];
        rows.extend(self.function_urls.values().map(|url| ("Function URL", url.clone())));
        if let Some(salesforce) = &self.salesforce {
            rows.push(("Salesforce console", format!("{salesforce}/console")));
        }
        rows.push(("AWS services", self.aws.clone()));
        rows.push(("DynamoDB", self.dynamodb.clone()));
        rows
    }
}

/// A person of the demo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignIn {
    /// Full name.
    pub name: String,
    /// What they are, for people.
    pub role: String,
    /// What they sign in with.
    pub email: String,
    /// The same on every laptop; no secret.
    pub password: String,
}

/// A running local cloud. Stops when it is dropped, or better with [`LocalCloud::shutdown`].
#[derive(Debug)]
pub struct LocalCloud {
    addresses: Addresses,
    sign_ins: Vec<SignIn>,
    pools: BTreeMap<String, Pool>,
    scope: Scope,
    emulators: Emulators,
    demo: Option<Demo>,
    live: Option<Arc<Live>>,
    stopper: Stopper,
    tasks: JoinSet<()>,
    _temporary: Option<TempDir>,
}

/// Everything that a part needs to come to life.
struct Building<'a> {
    template: &'a Template,
    path: &'a PathBuf,
    options: &'a Options,
    emulators: &'a Emulators,
    scope: &'a Scope,
    stop: Stop,
}

/// A function of the template, booted.
struct Booted {
    definition: Function,
    lambda: Lambda,
}

impl LocalCloud {
    /// Starts everything; all of it is ready when this returns.
    ///
    /// # Errors
    /// [`StartError`] names the place in the template, the port or the part that is to blame.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        // reqwest is built without a TLS provider; a second call in one process changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().no_proxy().build().map_err(StartError::Http)?;
        let template = Template::read(&options.template).map_err(|error| refused(&options, error))?;
        let rest_api = only(&template, Kind::RestApi, "REST API").map_err(|error| error.at(&options))?;
        let live_api =
            only(&template, Kind::WebSocketApi, "WebSocket API").map_err(|error| error.at(&options))?;

        // The ports first: what the template says about addresses depends on them.
        let (web_listener, web) = ports::open(&options.ports, Door::Web).await?;
        let (api_listener, api) = ports::open(&options.ports, Door::Api).await?;
        let (live_listener, live_address) = ports::open(&options.ports, Door::Live).await?;
        let mut webhook_door = WebhookDoor::new(&options.ports);

        let (data, temporary) = data_directory(&options)?;
        let mut parameters = options.parameters.clone();
        let declares = |name: &str| template.has_parameter(name);
        if declares("WebOrigin") {
            parameters.entry("WebOrigin".to_owned()).or_insert_with(|| format!("http://{web}"));
        }
        let stopper = Stopper::default();
        let mut tasks = JoinSet::new();

        let console = Console {
            parts: Arc::new(OnceLock::new()),
            openapi: options.template.with_file_name("docs").join("openapi.json"),
        };
        let api_door = Arc::new(OnceLock::new());
        tasks.spawn(serve(api_listener, api_router(console.clone(), Arc::clone(&api_door)), stopper.stop()));

        let bare = template.scope(&parameters).map_err(|error| refused(&options, error))?;
        let template = template.settled(&bare).map_err(|error| refused(&options, error))?;
        let emulators = Emulators::start(portico_emulators::Config {
            data: Some(data.join("aws")),
            aws: options.ports.address(Door::Aws),
            dynamodb: options.ports.address(Door::DynamoDb),
            region: identity::REGION.to_owned(),
            account_id: identity::ACCOUNT.to_owned(),
            cors_origins: provision::bucket_origins(&template, &bare)
                .map_err(|error| refused(&options, error))?,
        })
        .await?;

        // Function URLs have their addresses before their functions exist: the fake org is told where to send.
        let mut url_listeners = BTreeMap::new();
        for id in template.functions_with_url() {
            url_listeners.insert(id, webhook_door.open().await?);
        }
        let mut secrets = options.secrets.clone();
        let demo = if options.demo {
            let webhook = url_listeners.get(demo::WEBHOOK_FUNCTION).map(|(_, address)| *address);
            let demo =
                Demo::start(&data, options.ports.address(Door::Salesforce), webhook, &options.random).await?;
            parameters.insert(demo::LOGIN_URL_PARAMETER.to_owned(), demo.address());
            for (id, value) in demo.secrets() {
                secrets.entry(id.to_owned()).or_insert(value);
            }
            Some(demo)
        } else {
            None
        };

        let mut scope = template.scope(&parameters).map_err(|error| refused(&options, error))?;
        provision::name_resources(&template, &mut scope, &emulators.aws_url())
            .map_err(|error| refused(&options, error))?;
        let pools = provision::make_pools(&template, &mut scope, &emulators).await?;
        provision::make_queues(&template, &scope, &emulators).await?;
        let notifying = provision::make_buckets(&template, &scope, &emulators).await?;
        provision::make_tables(&template, &scope, &http, &emulators.dynamodb_url()).await?;
        provision::fill_secrets(&template, &scope, &secrets, &emulators).await?;

        let building = Building {
            template: &template,
            path: &options.template,
            options: &options,
            emulators: &emulators,
            scope: &scope,
            stop: stopper.stop(),
        };
        let hosts = Hosts::new(rest_api.as_deref(), api, live_api.as_deref(), live_address);
        let booted = building.boot(&hosts).await?;

        building.run_mappings(&booted, &mut tasks)?;
        let plans = provision::malware_plans(&template, &scope)?;
        let scans = ScanRequests::open(plans, emulators.queues().clone()).await.map_err(StartError::Scans)?;
        let faults = Faults::default();
        building.run_bridge(&booted, notifying, &scans, &faults, &mut tasks).await?;
        let mut function_urls = BTreeMap::new();
        for (id, (listener, address)) in url_listeners {
            function_urls.insert(id.clone(), format!("http://{address}"));
            let Some(lambda) = find(&booted, &id) else { continue };
            let url = FunctionUrl::new(lambda, address, options.clock.clone(), options.random.clone());
            let router = Router::new().fallback(function_url::serve).with_state(url);
            tasks.spawn(serve(listener, router, stopper.stop()));
        }
        let live = match &live_api {
            Some(id) => Some(Arc::new(building.live(id, &booted, live_address)?)),
            None => None,
        };
        if let Some(live) = &live {
            tasks.spawn(serve(live_listener, live::router(Arc::clone(live)), stopper.stop()));
        }
        let gateway = match &rest_api {
            Some(id) => Some(Arc::new(building.gateway(id, &booted, &pools, api)?)),
            None => None,
        };
        let routes = gateway.iter().flat_map(|gateway| {
            gateway
                .methods()
                .map(|(method, path, function)| (method.to_owned(), path.to_owned(), function.to_owned()))
        });
        let function_names: Vec<String> =
            booted.iter().map(|function| function.definition.logical_id.clone()).collect();
        let routes: Vec<_> = routes.collect();
        if let Some(gateway) = gateway {
            let router = Router::new().fallback(gateway::serve).with_state(gateway);
            // The only writer of this lock is this line.
            let _ = api_door.set(router);
        }

        let stage = match &live_api {
            Some(id) => {
                template.web_socket_api(id, &scope).map_err(|error| refused(&options, error))?.stage_name
            }
            None => String::new(),
        };
        let addresses = Addresses {
            web: format!("http://{web}"),
            api: format!("http://{api}"),
            live: format!("ws://{live_address}/{stage}"),
            function_urls,
            salesforce: demo.as_ref().map(Demo::address),
            aws: emulators.aws_url(),
            dynamodb: emulators.dynamodb_url(),
        };
        let sign_ins = match &demo {
            Some(demo) => {
                let cloud = Cloud::new(
                    building.settings("demo", &scope_tables(&scope)),
                    options.clock.clone(),
                    options.random.clone(),
                );
                let pool = pools.values().next().ok_or(DemoError::Missing("a user pool"))?;
                demo.seed(&cloud, &http, &emulators, pool, &data, stopper.stop()).await?
            }
            None => Vec::new(),
        };
        operator::write(&data, &scope, &aws_variables("operator", &emulators))
            .map_err(|source| StartError::Data { path: data.clone(), source })?;
        let home = page::render(&addresses, &sign_ins);
        let mut router = Router::new().route("/", get(move || async move { Html(home) }));
        if let Some(pool) = pools.values().next() {
            let services =
                open_file::Services { api: &addresses.api, cognito: &addresses.aws, client: &pool.client_id };
            router = router.merge(open_file::routes(&services, http.clone()));
        }
        tasks.spawn(serve(web_listener, router, stopper.stop()));
        // Last: health is good from here on.
        let _ = console.parts.set(Parts {
            queues: emulators.queues().clone(),
            streams: emulators.streams().clone(),
            mailbox: emulators.mailbox().clone(),
            scans,
            scanner: options.scanner.to_string(),
            faults,
            functions: function_names,
            routes,
            addresses: addresses.clone(),
            data: data.clone(),
            pool: pools.values().next().cloned(),
        });

        Ok(Self {
            addresses,
            sign_ins,
            pools,
            scope,
            emulators,
            demo,
            live,
            stopper,
            tasks,
            _temporary: temporary,
        })
    }

    /// Where everything is.
    #[must_use]
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// Addresses and sign-ins as a table for a terminal.
    #[must_use]
    pub fn summary(&self) -> String {
        let mut text = String::from("\nPortico runs on this machine.\n\n");
        let rows = self.addresses.rows();
        let width = rows.iter().map(|(what, _)| what.len()).max().unwrap_or_default();
        for (what, address) in &rows {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "  {what:width$}  {address}");
        }
        if !self.sign_ins.is_empty() {
            let _ = writeln!(text, "\nDemo sign-ins, all with the password {}:\n", demo::PASSWORD);
            let width = self.sign_ins.iter().map(|person| person.email.len()).max().unwrap_or_default();
            for person in &self.sign_ins {
                let _ = writeln!(text, "  {:width$}  {}, {}", person.email, person.name, person.role);
            }
        }
        text.push_str("\nCtrl-C stops it; everything stays in the data directory.\n\n");
        text
    }

    /// Who may sign in; empty without the demo.
    #[must_use]
    pub fn sign_ins(&self) -> &[SignIn] {
        &self.sign_ins
    }

    /// The user pools by logical id.
    #[must_use]
    pub fn pools(&self) -> &BTreeMap<String, Pool> {
        &self.pools
    }

    /// What `!Ref` of a resource stands for: the name of a table or bucket, the URL of a queue.
    #[must_use]
    pub fn reference(&self, logical_id: &str) -> Option<&str> {
        self.scope.reference(logical_id)
    }

    /// The emulated services, for what needs no HTTP.
    #[must_use]
    pub fn emulators(&self) -> &Emulators {
        &self.emulators
    }

    /// The fake Salesforce org; absent without the demo.
    #[must_use]
    pub fn salesforce(&self) -> Option<&fake_salesforce::FakeSalesforce> {
        self.demo.as_ref().map(Demo::org)
    }

    /// A cloud as a function with every table of the template sees it: for tests and for operators.
    #[must_use]
    pub fn cloud(&self, options: &Options) -> Cloud {
        let mut variables = scope_tables(&self.scope);
        variables.extend(aws_variables("operator", &self.emulators));
        Cloud::new(Settings::new(variables), options.clock.clone(), options.random.clone())
    }

    /// Closes sockets, lets running work finish for a moment, then stops. Everything acknowledged is on disk
    /// either way.
    pub async fn shutdown(mut self) {
        self.stopper.now();
        let finished = async {
            if let Some(live) = &self.live {
                live.closed().await;
            }
            while self.tasks.join_next().await.is_some() {}
        };
        if tokio::time::timeout(SHUTDOWN_GRACE, finished).await.is_err() {
            tracing::warn!("work was still running at shutdown");
        }
        self.tasks.abort_all();
        tracing::debug!("doors and event sources stopped");
        // The last holder of functions: their clients' idle connections would hold up the servers below.
        self.live = None;
        if let Some(demo) = self.demo.take() {
            demo.shutdown().await;
            tracing::debug!("the fake org stopped");
        }
        self.emulators.shutdown().await;
        tracing::debug!("the emulators stopped");
    }
}

impl Building<'_> {
    fn refused(&self, source: TemplateError) -> StartError {
        StartError::Template { path: self.path.clone(), source }
    }

    /// The variables of a function: the template's, and what Lambda plants.
    fn settings(&self, name: &str, environment: &BTreeMap<String, String>) -> Settings {
        let mut variables = environment.clone();
        variables.extend(aws_variables(name, self.emulators));
        Settings::new(variables)
    }

    /// Starts every function of the template.
    async fn boot(&self, hosts: &Hosts) -> Result<Vec<Booted>, StartError> {
        let shared = Concurrency::new(ACCOUNT_CONCURRENCY);
        let mut booted = Vec::new();
        for id in self.template.of_kind(Kind::Function).map_err(|error| self.refused(error))? {
            let definition = self.template.function(&id, self.scope).map_err(|error| self.refused(error))?;
            let mut environment = definition.environment.clone();
            for value in environment.values_mut() {
                *value = hosts.localize(value);
            }
            environment
                .insert("AWS_LAMBDA_FUNCTION_MEMORY_SIZE".to_owned(), definition.memory_mb.to_string());
            let cloud = Cloud::new(
                self.settings(&id, &environment),
                self.options.clock.clone(),
                self.options.random.clone(),
            );
            let function = self
                .options
                .functions
                .boot(&definition.binary, cloud)
                .await
                .ok_or_else(|| StartError::NoCrate {
                    function: id.clone(),
                    binary: definition.binary.clone(),
                })?
                .map_err(|source| StartError::Boot { function: id.clone(), source })?;
            let concurrency = match definition.reserved_concurrency {
                Some(limit) => Concurrency::new(usize::try_from(limit).unwrap_or(ACCOUNT_CONCURRENCY)),
                None => shared.clone(),
            };
            let lambda = Lambda::new(
                &id,
                function,
                definition.timeout,
                concurrency,
                self.options.clock.clone(),
                self.options.random.clone(),
            );
            booted.push(Booted { definition, lambda });
        }
        Ok(booted)
    }

    /// Starts the mappings of queues and streams.
    fn run_mappings(&self, booted: &[Booted], tasks: &mut JoinSet<()>) -> Result<(), StartError> {
        for Booted { definition, lambda } in booted {
            for event in &definition.events {
                match event {
                    EventSource::Queue(event) => {
                        let mapping = QueueMapping {
                            queue: self.queue_name(&definition.logical_id, &event.queue)?,
                            lambda: lambda.clone(),
                            batch_size: count(event.batch_size),
                            window: Duration::from_secs(event.maximum_batching_window_in_seconds.into()),
                            reports_failures: !event.function_response_types.is_empty(),
                            maximum_concurrency: event
                                .scaling_config
                                .as_ref()
                                .map(|scaling| count(scaling.maximum_concurrency)),
                        };
                        tasks.spawn(mapping.run(self.emulators.queues().clone(), self.stop.clone()));
                    }
                    EventSource::Stream(event) => {
                        let mapping = self.stream_mapping(definition, lambda, event)?;
                        tasks.spawn(mapping.run(
                            self.emulators.streams().clone(),
                            self.emulators.queues().clone(),
                            self.options.clock.clone(),
                            self.options.random.clone(),
                            self.stop.clone(),
                        ));
                    }
                    EventSource::Api(_) | EventSource::Rule(_) | EventSource::Schedule(_) => {}
                }
            }
        }
        Ok(())
    }

    fn stream_mapping(
        &self,
        definition: &Function,
        lambda: &Lambda,
        event: &crate::template::StreamEvent,
    ) -> Result<StreamMapping, StartError> {
        let function = &definition.logical_id;
        let missing = || StartError::Target { function: function.clone(), target: event.stream.clone() };
        let table = identity::table_of_stream(&event.stream).ok_or_else(missing)?.to_owned();
        let filters = event
            .filter_criteria
            .filters
            .iter()
            .map(|filter| Pattern::parse(&filter.pattern))
            .collect::<Result<_, _>>()
            .map_err(|source| StartError::Pattern { function: function.clone(), source })?;
        let on_failure = match &event.destination_config.on_failure {
            Some(on_failure) => Some(self.queue_name(function, &on_failure.destination)?),
            None => None,
        };
        Ok(StreamMapping {
            table,
            stream_arn: event.stream.clone(),
            lambda: lambda.clone(),
            starting_position: event.starting_position,
            batch_size: count(event.batch_size),
            window: Duration::from_secs(event.maximum_batching_window_in_seconds.into()),
            maximum_retries: u32::try_from(event.maximum_retry_attempts).ok(),
            maximum_age: u64::try_from(event.maximum_record_age_in_seconds).ok().map(Duration::from_secs),
            bisects: event.bisect_batch_on_function_error,
            reports_failures: !event.function_response_types.is_empty(),
            filters,
            on_failure,
            delays: self.options.delays,
        })
    }

    /// Starts rules and schedules, the inboxes of the functions that they invoke, and what puts events on the bus.
    async fn run_bridge(
        &self,
        booted: &[Booted],
        notifying: Vec<String>,
        scans: &ScanRequests,
        faults: &Faults,
        tasks: &mut JoinSet<()>,
    ) -> Result<(), StartError> {
        let mut rules = Vec::new();
        for Booted { definition, lambda } in booted {
            let function = &definition.logical_id;
            let mut inbox: Option<Inbox> = None;
            let mut dead_letters = None;
            for event in &definition.events {
                let (letters, is_asynchronous) = match event {
                    // Nobody sends to a partner's bus on one machine.
                    EventSource::Rule(event) if event.event_bus_name.is_some() => continue,
                    EventSource::Rule(event) => (&event.dead_letter_config, true),
                    EventSource::Schedule(event) => (&event.dead_letter_config, event.enabled),
                    EventSource::Api(_) | EventSource::Queue(_) | EventSource::Stream(_) => continue,
                };
                if !is_asynchronous {
                    continue;
                }
                if let Some(letters) = letters {
                    dead_letters = Some(self.queue_name(function, &letters.arn)?);
                }
                let inbox = match &inbox {
                    Some(inbox) => inbox.clone(),
                    None => {
                        let queues = self.emulators.queues().clone();
                        let opened = Inbox::open(lambda, definition.timeout, queues).await;
                        let opened = opened
                            .map_err(|source| StartError::Inbox { function: function.clone(), source })?;
                        inbox.insert(opened).clone()
                    }
                };
                match event {
                    EventSource::Rule(event) => {
                        let pattern = Pattern::parse(&event.pattern)
                            .map_err(|source| StartError::Pattern { function: function.clone(), source })?;
                        rules.push(Rule { pattern, inbox });
                    }
                    EventSource::Schedule(event) => {
                        let timer =
                            Timer {
                                schedule: Schedule::parse(&event.schedule).map_err(|source| {
                                    StartError::Schedule { function: function.clone(), source }
                                })?,
                                input: event.input.as_deref().map(serde_json::from_str).transpose().map_err(
                                    |source| StartError::Input { function: function.clone(), source },
                                )?,
                                function: function.clone(),
                                inbox,
                            };
                        let (clock, random) = (self.options.clock.clone(), self.options.random.clone());
                        tasks.spawn(timer.run(clock, random, self.stop.clone()));
                    }
                    EventSource::Api(_) | EventSource::Queue(_) | EventSource::Stream(_) => {}
                }
            }
            if let Some(inbox) = inbox {
                let given_up = self.given_up(definition, dead_letters)?;
                tasks.spawn(inbox.run(
                    lambda.clone(),
                    definition.event_invoke.maximum_retry_attempts,
                    given_up,
                    self.options.delays,
                    self.stop.clone(),
                ));
            }
        }
        let bus = Bus::new(rules);
        let scanning = Scans {
            requests: scans.clone(),
            objects: self.emulators.objects().clone(),
            scanner: self.options.scanner.clone(),
            bus: bus.clone(),
            faults: faults.clone(),
            delays: self.options.delays,
            clock: self.options.clock.clone(),
            random: self.options.random.clone(),
        };
        tasks.spawn(scanning.run(self.stop.clone()));
        tasks.spawn(bridge::run_rules(
            bus,
            notifying,
            scans.clone(),
            self.emulators.object_events(),
            self.options.random.clone(),
            self.stop.clone(),
        ));
        Ok(())
    }

    /// Where events of this function go after the last attempt.
    fn given_up(&self, definition: &Function, dead_letters: Option<String>) -> Result<GivenUp, StartError> {
        let function = &definition.logical_id;
        if let Some(on_failure) = &definition.event_invoke.destination_config.on_failure {
            let queue = self.queue_name(function, &on_failure.destination)?;
            return Ok(GivenUp::Destination { queue });
        }
        Ok(match dead_letters {
            Some(queue) => {
                tracing::warn!(
                    function,
                    "on AWS a rule's DeadLetterConfig takes only what cannot be delivered to the function; for what \
                     the function fails at, set EventInvokeConfig.DestinationConfig.OnFailure"
                );
                GivenUp::DeadLetters { queue }
            }
            None => GivenUp::Nowhere,
        })
    }

    fn live(&self, id: &str, booted: &[Booted], address: SocketAddr) -> Result<Live, StartError> {
        let api = self.template.web_socket_api(id, self.scope).map_err(|error| self.refused(error))?;
        let mut routes = BTreeMap::new();
        for (key, route) in &api.routes {
            let found = booted
                .iter()
                .find(|booted| identity::function_arn(&booted.definition.logical_id) == route.function_arn);
            let lambda = found.map(|booted| booted.lambda.clone()).ok_or_else(|| StartError::Target {
                function: id.to_owned(),
                target: route.function_arn.clone(),
            })?;
            routes.insert(key.clone(), lambda);
        }
        Ok(Live::new(
            id,
            &api,
            routes,
            address,
            self.options.live_limits,
            self.options.clock.clone(),
            self.options.random.clone(),
            self.stop.clone(),
        )?)
    }

    fn gateway(
        &self,
        id: &str,
        booted: &[Booted],
        pools: &BTreeMap<String, Pool>,
        address: SocketAddr,
    ) -> Result<Gateway, StartError> {
        let api = self.template.rest_api(id, self.scope).map_err(|error| self.refused(error))?;
        let mut authorizers = BTreeMap::new();
        for (name, authorizer) in &api.auth.authorizers {
            let pool = pools.values().find(|pool| identity::pool_arn(&pool.id) == authorizer.user_pool_arn);
            let pool = pool.ok_or_else(|| StartError::Target {
                function: id.to_owned(),
                target: authorizer.user_pool_arn.clone(),
            })?;
            let rules = TokenRules {
                issuer: pool.issuer.clone(),
                clients: vec![pool.client_id.clone()],
                scopes: authorizer.authorization_scopes.clone(),
            };
            let cognito = self.emulators.cognito().clone();
            let keys = KeySource::new(move || cognito.jwks());
            let authorizer = CognitoAuthorizer::new(rules, keys, self.options.clock.clone());
            authorizers.insert(name.clone(), Arc::new(authorizer));
        }
        let mut methods = Vec::new();
        for Booted { definition, lambda } in booted {
            for event in &definition.events {
                let EventSource::Api(event) = event else { continue };
                if event.rest_api_id != id {
                    return Err(StartError::Target {
                        function: definition.logical_id.clone(),
                        target: event.rest_api_id.clone(),
                    });
                }
                methods.push(ApiMethod {
                    path: event.path.clone(),
                    method: event.method.clone(),
                    authorizer: event.auth.authorizer.clone(),
                    lambda: lambda.clone(),
                });
            }
        }
        let (clock, random) = (self.options.clock.clone(), self.options.random.clone());
        Ok(Gateway::new(id, &api, methods, &authorizers, address, clock, random)?)
    }

    /// The name of a queue of the template from its ARN.
    fn queue_name(&self, function: &str, arn: &str) -> Result<String, StartError> {
        let queues = self.template.of_kind(Kind::Queue).map_err(|error| self.refused(error))?;
        queues
            .iter()
            .map(|id| self.template.queue_name(id))
            .find(|name| identity::arn_of_queue(name) == arn)
            .ok_or_else(|| StartError::Target { function: function.to_owned(), target: arn.to_owned() })
    }
}

/// Which addresses stand for which `execute-api` hosts.
struct Hosts(Vec<(String, String)>);

impl Hosts {
    fn new(rest: Option<&str>, api: SocketAddr, live_api: Option<&str>, live: SocketAddr) -> Self {
        let host = |id: &str| format!("{id}.execute-api.{}.amazonaws.com", identity::REGION);
        let mut hosts = Vec::new();
        if let Some(id) = rest {
            hosts.push((format!("https://{}", host(id)), format!("http://{api}")));
        }
        if let Some(id) = live_api {
            hosts.push((format!("https://{}", host(id)), format!("http://{live}")));
            hosts.push((format!("wss://{}", host(id)), format!("ws://{live}")));
        }
        Self(hosts)
    }

    /// A variable's value with the addresses of this machine.
    fn localize(&self, value: &str) -> String {
        self.0.iter().fold(value.to_owned(), |value, (remote, local)| value.replace(remote, local))
    }
}

/// The ports of function URLs: the first has the door's own, each further one the next.
struct WebhookDoor {
    next: Option<u16>,
    address: SocketAddr,
}

impl WebhookDoor {
    fn new(ports: &Ports) -> Self {
        let address = ports.address(Door::Webhook);
        Self { next: Some(address.port()), address }
    }

    async fn open(&mut self) -> Result<(TcpListener, SocketAddr), PortError> {
        let in_use = || PortError {
            door: Door::Webhook,
            address: self.address,
            source: std::io::ErrorKind::AddrNotAvailable.into(),
        };
        let port = self.next.ok_or_else(in_use)?;
        self.next = if port == 0 { Some(0) } else { port.checked_add(1) };
        ports::open_at(Door::Webhook, SocketAddr::new(self.address.ip(), port)).await
    }
}

/// A mistake that needs the template's path to be told.
enum Misfit {
    Template(TemplateError),
    MoreThanOne(&'static str),
}

impl Misfit {
    fn at(self, options: &Options) -> StartError {
        match self {
            Self::Template(source) => refused(options, source),
            Self::MoreThanOne(what) => StartError::MoreThanOne(what),
        }
    }
}

/// The one resource of a kind, if there is any.
fn only(template: &Template, kind: Kind, what: &'static str) -> Result<Option<String>, Misfit> {
    let mut ids = template.of_kind(kind).map_err(Misfit::Template)?.into_iter();
    let first = ids.next();
    if ids.next().is_some() { Err(Misfit::MoreThanOne(what)) } else { Ok(first) }
}

fn refused(options: &Options, source: TemplateError) -> StartError {
    StartError::Template { path: options.template.clone(), source }
}

fn find(booted: &[Booted], logical_id: &str) -> Option<Lambda> {
    booted
        .iter()
        .find(|booted| booted.definition.logical_id == logical_id)
        .map(|booted| booted.lambda.clone())
}

fn count(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn data_directory(options: &Options) -> Result<(PathBuf, Option<TempDir>), StartError> {
    match &options.data {
        Some(data) => {
            std::fs::create_dir_all(data)
                .map_err(|source| StartError::Data { path: data.clone(), source })?;
            Ok((data.clone(), None))
        }
        None => {
            let temporary = TempDir::with_prefix("portico-").map_err(StartError::Temporary)?;
            Ok((temporary.path().to_owned(), Some(temporary)))
        }
    }
}

/// What Lambda itself plants, and where the emulators are.
fn aws_variables(function: &str, emulators: &Emulators) -> BTreeMap<String, String> {
    let aws = emulators.aws_url();
    let name = identity::name(function);
    [
        ("AWS_ACCESS_KEY_ID", portico_emulators::ACCESS_KEY_ID.to_owned()),
        ("AWS_DEFAULT_REGION", identity::REGION.to_owned()),
        ("AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER", aws.clone()),
        ("AWS_ENDPOINT_URL_DYNAMODB", emulators.dynamodb_url()),
        ("AWS_ENDPOINT_URL_S3", aws.clone()),
        ("AWS_ENDPOINT_URL_SECRETS_MANAGER", aws.clone()),
        ("AWS_ENDPOINT_URL_SES", aws.clone()),
        ("AWS_ENDPOINT_URL_SESV2", aws.clone()),
        ("AWS_ENDPOINT_URL_SQS", aws),
        ("AWS_LAMBDA_FUNCTION_NAME", name.clone()),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned()),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".to_owned()),
        ("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{name}")),
        ("AWS_LAMBDA_LOG_STREAM_NAME", "local".to_owned()),
        ("AWS_REGION", identity::REGION.to_owned()),
        ("AWS_SECRET_ACCESS_KEY", portico_emulators::SECRET_ACCESS_KEY.to_owned()),
        ("TZ", ":UTC".to_owned()),
        ("_HANDLER", "bootstrap".to_owned()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}

/// The variables that name the template's tables, as every function calls them.
fn scope_tables(scope: &Scope) -> BTreeMap<String, String> {
    use portico_store::engine::Table;
    [
        (Table::Accounts, "AccountsTable"),
        (Table::Members, "MembersTable"),
        (Table::Contracts, "ContractsTable"),
        (Table::Cases, "CasesTable"),
        (Table::CaseActivity, "CaseActivityTable"),
        (Table::TimeEntries, "TimeEntriesTable"),
        (Table::Files, "FilesTable"),
        (Table::Invoices, "InvoicesTable"),
        (Table::InvoicePositions, "InvoicePositionsTable"),
        (Table::CreditNotes, "CreditNotesTable"),
        (Table::Disputes, "DisputesTable"),
        (Table::Billing, "BillingTable"),
        (Table::Counters, "CountersTable"),
        (Table::Idempotency, "IdempotencyTable"),
        (Table::Outbox, "OutboxTable"),
        (Table::Connections, "ConnectionsTable"),
        (Table::LiveTickets, "LiveTicketsTable"),
        (Table::SalesforceLinks, "SalesforceLinksTable"),
        (Table::SyncRuns, "SyncRunsTable"),
    ]
    .into_iter()
    .filter_map(|(table, id)| Some((table.setting().to_owned(), scope.reference(id)?.to_owned())))
    .collect()
}

/// The console's routes, and the gateway's once there is one.
fn api_router(console: Console, gateway: Arc<OnceLock<Router>>) -> Router {
    async fn through(State(gateway): State<Arc<OnceLock<Router>>>, request: Request<Body>) -> Response {
        use tower::ServiceExt as _;
        match gateway.get() {
            Some(router) => match router.clone().oneshot(request).await {
                Ok(response) => response,
                Err(never) => match never {},
            },
            None => {
                let mut response = Response::new(Body::from("starting\n"));
                *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
                response
            }
        }
    }
    console::router(console).merge(Router::new().fallback(through).with_state(gateway))
}

/// Serves until `stop` is given.
async fn serve(listener: TcpListener, router: Router, mut stop: Stop) {
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let stopped = async move { stop.given().await };
    if let Err(error) = axum::serve(listener, service).with_graceful_shutdown(stopped).await {
        tracing::error!(%error, "a port failed");
    }
}
