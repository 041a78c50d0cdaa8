//! The demo: a fake Salesforce org, people who may sign in, and their companies.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use fake_salesforce::demo::{AGENT_NAME, BRIGHTWATER, DemoAccount, NORDHAVEN};
use fake_salesforce::{FakeSalesforce, OutboundConfig};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use portico_aws::Cloud;
use portico_domain::people::{
    Account, ClientRole, InvoiceReaders, Membership, MembershipState, Position, StaffRole,
};
use portico_domain::{AccountId, Clock, Random, SalesforceId, UserId};
use portico_emulators::{Emulators, NewMessage, Pool, Queues};
use portico_store::engine::Table;
use portico_store::{Person, Store};
use rsa::RsaPrivateKey;
use rsa::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _, EncodePublicKey as _, LineEnding};
use serde_json::{Value as Json, json};

use crate::host::SignIn;
use crate::identity;
use crate::json_client::{Answer, JsonClient, Service};
use crate::ports::{Door, PortError};
use crate::stop::Stop;

/// The function that Salesforce's outbound messages go to.
pub(crate) const WEBHOOK_FUNCTION: &str = "WebhookReceiver";
/// The parameter that says where to sign in to Salesforce.
pub(crate) const LOGIN_URL_PARAMETER: &str = "SalesforceLoginUrl";
/// How the portal signs in to Salesforce.
const SALESFORCE_SECRET: &str = "SalesforceSecret";
/// Whose outbound messages are taken.
const WEBHOOK_SECRET: &str = "WebhookSecret";
/// Where records that may have changed are named.
const SYNC_QUEUE: &str = "SyncQueue";

/// The password of every demo person: no secret, it protects nothing but made-up data on this machine.
pub const PASSWORD: &str = "Portico-demo-2026";
/// The consultancy's agent.
const AGENT_EMAIL: &str = "sam.keller@consultancy.example";
/// The consultancy's admin.
const ADMIN: (&str, &str) = ("Robin Vance", "robin.vance@consultancy.example");
/// Who pays the bills of [`NORDHAVEN`]: an accountant whom Salesforce does not know.
const BILLING: (&str, &str) = ("Ines Albrecht", "ines.albrecht@nordhaven.example");

/// Bits of the key that signs in to Salesforce.
const KEY_BITS: usize = 2048;
/// How long one request to the org may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);
/// How long the sign-in assertion is valid; Salesforce takes three minutes at most.
const ASSERTION_SECONDS: i64 = 120;
/// Records in one message to the sync: far below a queue's limit.
const RECORDS_PER_MESSAGE: usize = 50;
/// Pages of one object that a backfill reads; the demo has one.
const MAX_PAGES: usize = 20;
/// How often a backfill looks whether the sync has caught up.
const CATCH_UP_PAUSE: Duration = Duration::from_millis(50);
/// How long it waits for that before it goes on: comments of an unknown case are retried anyway, only later.
const CATCH_UP_LONGEST: Duration = Duration::from_secs(20);

/// Objects by rank: each may refer to those before it.
const BACKFILL: [&[&str]; 3] =
    [&["Account", "Portal_Contract__c"], &["Case"], &["CaseComment", "Time_Entry__c"]];

/// Why there is no demo.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The template lacks something that the demo needs.
    #[error("the demo needs {0}, which the template does not have")]
    Missing(&'static str),
    /// A file of the demo.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The key that signs in to Salesforce.
    #[error("the key in {}: {reason}", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The org's port.
    #[error(transparent)]
    Port(#[from] PortError),
    /// The org.
    #[error("the fake Salesforce org: {0}")]
    Org(fake_salesforce::StartError),
    /// The address of the function URL.
    #[error("the address of the webhook: {0}")]
    Webhook(url::ParseError),
    /// Cognito or the org did not answer.
    #[error("the demo: {0}")]
    Http(#[from] reqwest::Error),
    /// Cognito or the org refused.
    #[error("the demo: {what} was refused: {answer}")]
    Refused {
        /// What was asked.
        what: &'static str,
        /// The answer.
        answer: String,
    },
    /// A constant of the demo is not what it should be.
    #[error("the demo's {0} is malformed")]
    Malformed(&'static str),
    /// The store.
    #[error(transparent)]
    Store(#[from] portico_store::StoreError),
    /// A table is missing.
    #[error(transparent)]
    Setting(#[from] portico_aws::SettingError),
    /// The queue.
    #[error(transparent)]
    Queue(#[from] portico_emulators::QueueError),
}

/// A running org and what is needed to sign in to it.
pub(crate) struct Demo {
    org: FakeSalesforce,
    consumer_key: String,
    username: String,
    organization_id: String,
    private_key_pem: String,
    path_secret: String,
}

impl std::fmt::Debug for Demo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Demo").field("org", &self.address()).finish_non_exhaustive()
    }
}

impl Demo {
    /// Starts the org; its outbound messages go to `webhook`.
    pub(crate) async fn start(
        data: &Path,
        listen: SocketAddr,
        webhook: Option<SocketAddr>,
        random: &Random,
    ) -> Result<Self, DemoError> {
        let webhook = webhook.ok_or(DemoError::Missing("the function WebhookReceiver with a URL"))?;
        let directory = data.join("demo");
        std::fs::create_dir_all(&directory)
            .map_err(|source| DemoError::File { path: directory.clone(), source })?;
        let (private_key_pem, public_key_pem) = key_pair(directory.join("salesforce.pem")).await?;
        let path_secret = path_secret(&directory.join("webhook-path"), random)?;
        let endpoint = format!("http://{webhook}/salesforce/{path_secret}");
        let config = fake_salesforce::Config {
            listen,
            data: Some(directory.join("salesforce.sqlite")),
            outbound: Some(OutboundConfig::to(endpoint.parse().map_err(DemoError::Webhook)?)),
            demo_data: true,
            ..fake_salesforce::Config::local(public_key_pem)
        };
        let (consumer_key, username, organization_id) =
            (config.consumer_key.clone(), config.username.clone(), config.organization_id.clone());
        let org = FakeSalesforce::start(config).await.map_err(|error| match error {
            fake_salesforce::StartError::Listen(source) => {
                DemoError::Port(PortError { door: Door::Salesforce, address: listen, source })
            }
            other => DemoError::Org(other),
        })?;
        Ok(Self { org, consumer_key, username, organization_id, private_key_pem, path_secret })
    }

    /// Without a slash at the end.
    pub(crate) fn address(&self) -> String {
        self.org.address().as_str().trim_end_matches('/').to_owned()
    }

    pub(crate) fn org(&self) -> &FakeSalesforce {
        &self.org
    }

    /// Values of the template's secrets, as an operator would fill them.
    pub(crate) fn secrets(&self) -> [(&'static str, String); 2] {
        let salesforce = json!({
            "consumer_key": self.consumer_key,
            "username": self.username,
            "private_key": self.private_key_pem,
        });
        let actions: Vec<&str> = fake_salesforce::actions().map(|(_, id)| id).collect();
        let webhook = json!({
            "path_secrets": [self.path_secret],
            "organization_id": self.organization_id,
            "action_ids": actions,
        });
        [(SALESFORCE_SECRET, salesforce.to_string()), (WEBHOOK_SECRET, webhook.to_string())]
    }

    /// Lets the demo's people in, and in a new data directory has the portal read everything from Salesforce.
    /// Returns who may sign in.
    pub(crate) async fn seed(
        &self,
        cloud: &Cloud,
        http: &reqwest::Client,
        emulators: &Emulators,
        pool: &Pool,
        data: &Path,
        stop: Stop,
    ) -> Result<Vec<SignIn>, DemoError> {
        let store = cloud.store(&[Table::Accounts, Table::Members, Table::SalesforceLinks])?;
        let client = JsonClient { http, url: emulators.aws_url(), service: Service::Cognito };
        let cognito = Cognito { client, pool: &pool.id };
        let mut sign_ins = Vec::new();
        let mut is_new = false;
        for company in [NORDHAVEN, BRIGHTWATER] {
            let account = account_of(&company)?;
            for (contact, role) in company.contacts.into_iter().zip([ClientRole::Manager, ClientRole::Member])
            {
                let name = format!("{} {}", contact.first_name, contact.last_name);
                let position = Position::Client {
                    account: account.id,
                    role,
                    contact: Some(contact.id.parse().map_err(|_| DemoError::Malformed("contact id"))?),
                };
                let user = cognito.let_in(contact.email, &name).await?;
                is_new |= provision(&store, &user, &name, contact.email, position, Some(&account)).await?;
                let role = match role {
                    ClientRole::Manager => "manager",
                    ClientRole::Member => "member",
                    ClientRole::Billing => "billing",
                };
                sign_ins.push(sign_in(&name, &format!("{role} of {}", company.name), contact.email));
            }
        }
        let nordhaven = account_of(&NORDHAVEN)?;
        let billing = Position::Client { account: nordhaven.id, role: ClientRole::Billing, contact: None };
        let others = [
            (BILLING, billing, format!("billing of {}", NORDHAVEN.name)),
            ((AGENT_NAME, AGENT_EMAIL), Position::Staff { role: StaffRole::Agent }, staff("agent")),
            (ADMIN, Position::Staff { role: StaffRole::Admin }, staff("admin")),
        ];
        for ((name, email), position, role) in others {
            let user = cognito.let_in(email, name).await?;
            provision(&store, &user, name, email, position, None).await?;
            sign_ins.push(sign_in(name, &role, email));
        }

        let marker = data.join("demo").join("backfilled");
        if is_new || !marker.exists() {
            let backfill = Backfill {
                http: http.clone(),
                org: self.address(),
                token: self.sign_in(http, &cloud.clock()).await?,
                queues: emulators.queues().clone(),
                marker,
            };
            // Within the start: whoever finds the cloud ready finds the cases, and hears no news of them.
            backfill.run(stop).await;
        }
        Ok(sign_ins)
    }

    /// Signs in to the org as the portal does.
    async fn sign_in(&self, http: &reqwest::Client, clock: &Clock) -> Result<String, DemoError> {
        let claims = json!({
            "iss": self.consumer_key,
            "sub": self.username,
            "aud": self.address(),
            "exp": clock.now().as_second().saturating_add(ASSERTION_SECONDS),
        });
        let malformed = |_| DemoError::Malformed("private key");
        let key = EncodingKey::from_rsa_pem(self.private_key_pem.as_bytes()).map_err(malformed)?;
        let assertion =
            jsonwebtoken::encode(&Header::new(Algorithm::RS256), &claims, &key).map_err(malformed)?;
        let form = [("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"), ("assertion", &assertion)];
        let answer = http
            .post(format!("{}/services/oauth2/token", self.address()))
            .timeout(REQUEST_TIMEOUT)
            .form(&form)
            .send()
            .await?;
        let answer: Json = answer.json().await?;
        answer.get("access_token").and_then(Json::as_str).map(ToOwned::to_owned).ok_or_else(|| {
            DemoError::Refused { what: "the sign-in to Salesforce", answer: answer.to_string() }
        })
    }

    pub(crate) async fn shutdown(self) {
        self.org.shutdown().await;
    }
}

fn staff(role: &str) -> String {
    format!("{role} of the consultancy")
}

fn sign_in(name: &str, role: &str, email: &str) -> SignIn {
    SignIn {
        name: name.to_owned(),
        role: role.to_owned(),
        email: email.to_owned(),
        password: PASSWORD.to_owned(),
    }
}

/// The company as the portal keeps it; its address comes with the first sync.
fn account_of(company: &DemoAccount) -> Result<Account, DemoError> {
    let id = company.portal_account_id.parse().map_err(|_| DemoError::Malformed("account id"))?;
    let salesforce_id: SalesforceId = company.id.parse().map_err(|_| DemoError::Malformed("account id"))?;
    Ok(Account {
        id: AccountId::from_uuid(id),
        salesforce_id,
        name: company.name.to_owned(),
        address: Vec::new(),
        invoice_readers: InvoiceReaders::default(),
        version: 1,
    })
}

/// Keeps a membership and its account where they are missing; what is there stays as it is. Whether something was
/// missing.
async fn provision(
    store: &Store,
    user: &UserId,
    name: &str,
    email: &str,
    position: Position,
    account: Option<&Account>,
) -> Result<bool, DemoError> {
    let is_new = store.membership(user).await?.is_none();
    if is_new {
        let membership = Membership {
            user: user.clone(),
            name: name.to_owned(),
            email: email.to_owned(),
            position,
            state: MembershipState::Active,
            version: 1,
        };
        store.provision_member(&membership).await?;
    }
    if let (Some(account), Some(Person::Client(person))) = (account, store.identify(user).await?)
        && store.account(person.tenant()).await?.is_none()
    {
        store.provision_account(account).await?;
        return Ok(true);
    }
    Ok(is_new)
}

/// The pool, as an operator uses it.
struct Cognito<'a> {
    client: JsonClient<'a>,
    pool: &'a str,
}

impl Cognito<'_> {
    /// The `sub` of a person, who is created with the demo's password if missing.
    async fn let_in(&self, email: &str, name: &str) -> Result<UserId, DemoError> {
        if let Some(user) = self.find(email).await? {
            return Ok(user);
        }
        let create = json!({
            "UserPoolId": self.pool,
            "Username": email,
            "MessageAction": "SUPPRESS",
            "UserAttributes": [
                { "Name": "email", "Value": email },
                { "Name": "email_verified", "Value": "true" },
                { "Name": "name", "Value": name },
            ],
        });
        self.ask("AdminCreateUser", &create).await?;
        let password =
            json!({ "UserPoolId": self.pool, "Username": email, "Password": PASSWORD, "Permanent": true });
        self.ask("AdminSetUserPassword", &password).await?;
        self.find(email).await?.ok_or_else(|| DemoError::Refused {
            what: "a new user",
            answer: "the pool does not list it".to_owned(),
        })
    }

    /// The `sub` of a person, if the pool has one with this address.
    async fn find(&self, email: &str) -> Result<Option<UserId>, DemoError> {
        let filter = json!({ "UserPoolId": self.pool, "Filter": format!("email = \"{email}\""), "Limit": 1 });
        let listed = self.ask("ListUsers", &filter).await?;
        let Some(user) = listed.pointer("/Users/0") else { return Ok(None) };
        let attributes = user.get("Attributes").and_then(Json::as_array);
        let subject = attributes
            .into_iter()
            .flatten()
            .find(|attribute| attribute.get("Name").and_then(Json::as_str) == Some("sub"))
            .and_then(|attribute| attribute.get("Value")?.as_str()?.parse().ok());
        let subject = subject
            .ok_or_else(|| DemoError::Refused { what: "the sub of a user", answer: user.to_string() })?;
        Ok(Some(subject))
    }

    async fn ask(&self, operation: &'static str, input: &Json) -> Result<Json, DemoError> {
        match self.client.ask(operation, input).await? {
            Answer::Done(answer) => Ok(answer),
            Answer::Refused(answer) => Err(DemoError::Refused { what: operation, answer }),
        }
    }
}

/// Names every record of the org to the sync, those first that others refer to.
struct Backfill {
    http: reqwest::Client,
    org: String,
    token: String,
    queues: Queues,
    marker: PathBuf,
}

impl Backfill {
    async fn run(self, mut stop: Stop) {
        let done = tokio::select! {
            done = self.every_rank() => done,
            () = stop.given() => return,
        };
        match done {
            Ok(records) => {
                tracing::info!(records, "the demo's records are named to the sync");
                if let Err(error) = std::fs::write(&self.marker, "") {
                    tracing::warn!(%error, "the demo will be read from Salesforce again at the next start");
                }
            }
            Err(error) => tracing::error!(%error, "the demo was not read from Salesforce"),
        }
    }

    async fn every_rank(&self) -> Result<usize, DemoError> {
        let queue = identity::name(SYNC_QUEUE);
        let mut named = 0_usize;
        for objects in BACKFILL {
            let mut records = Vec::new();
            for object in objects {
                let ids = self.ids(object).await?;
                records.extend(ids.into_iter().map(|id| json!({ "object": object, "id": id })));
            }
            for chunk in records.chunks(RECORDS_PER_MESSAGE) {
                self.queues.send(&queue, NewMessage::new(json!({ "records": chunk }).to_string())).await?;
            }
            named = named.saturating_add(records.len());
            self.caught_up(&queue).await?;
        }
        Ok(named)
    }

    /// Every id of an object.
    async fn ids(&self, object: &str) -> Result<Vec<String>, DemoError> {
        let mut url = format!("{}/services/data/v62.0/query?q=SELECT+Id+FROM+{object}", self.org);
        let mut ids = Vec::new();
        for _ in 0..MAX_PAGES {
            let answer = self.http.get(&url).timeout(REQUEST_TIMEOUT).bearer_auth(&self.token).send().await?;
            let page: Json = answer.json().await?;
            let Some(records) = page.get("records").and_then(Json::as_array) else {
                return Err(DemoError::Refused { what: "a query", answer: page.to_string() });
            };
            ids.extend(records.iter().filter_map(|record| record.get("Id")?.as_str().map(ToOwned::to_owned)));
            match page.get("nextRecordsUrl").and_then(Json::as_str) {
                Some(next) => url = format!("{}{next}", self.org),
                None => break,
            }
        }
        Ok(ids)
    }

    /// Waits until the sync has taken everything, for a while.
    async fn caught_up(&self, queue: &str) -> Result<(), DemoError> {
        let deadline = tokio::time::Instant::now() + CATCH_UP_LONGEST;
        while tokio::time::Instant::now() < deadline {
            let depth = self.queues.depth(queue).await?;
            if depth.visible == 0 && depth.in_flight == 0 {
                break;
            }
            tokio::time::sleep(CATCH_UP_PAUSE).await;
        }
        Ok(())
    }
}

/// The private key (PKCS#8) and the public key, made once and kept.
async fn key_pair(path: PathBuf) -> Result<(String, String), DemoError> {
    let failed = |reason: String| DemoError::Key { path: path.clone(), reason };
    let private_pem = match std::fs::read_to_string(&path) {
        Ok(pem) => pem,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let made = tokio::task::spawn_blocking(|| {
                let key = RsaPrivateKey::new(&mut rsa::rand_core::OsRng, KEY_BITS)
                    .map_err(|error| error.to_string())?;
                let pem = key.to_pkcs8_pem(LineEnding::LF).map_err(|error| error.to_string())?;
                Ok::<String, String>(pem.to_string())
            });
            let pem = made.await.map_err(|error| failed(error.to_string()))?.map_err(failed)?;
            write_private(&path, &pem)?;
            pem
        }
        Err(source) => return Err(DemoError::File { path, source }),
    };
    let key = RsaPrivateKey::from_pkcs8_pem(&private_pem).map_err(|error| failed(error.to_string()))?;
    let public = key.to_public_key().to_public_key_pem(LineEnding::LF);
    let public = public.map_err(|error| failed(error.to_string()))?;
    Ok((private_pem, public))
}

/// The part of the webhook's path that nobody can guess, made once and kept.
fn path_secret(path: &Path, random: &Random) -> Result<String, DemoError> {
    match std::fs::read_to_string(path) {
        Ok(secret) => Ok(secret),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let secret = hex::encode(random.secret());
            write_private(path, &secret)?;
            Ok(secret)
        }
        Err(source) => Err(DemoError::File { path: path.to_owned(), source }),
    }
}

/// Writes a file that only its owner can read, whole or not at all.
fn write_private(path: &Path, text: &str) -> Result<(), DemoError> {
    use std::io::Write as _;
    let failed = |source| DemoError::File { path: path.to_owned(), source };
    let partial = path.with_extension("partial");
    let mut options = std::fs::OpenOptions::new();
    options.create(true).write(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&partial).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    file.sync_all().map_err(failed)?;
    std::fs::rename(&partial, path).map_err(failed)
}
