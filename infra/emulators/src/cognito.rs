//! Cognito user pools, from `awsim-cognito`: pools and clients from settings, and users that survive a kill.

use std::path::Path;
use std::sync::{Arc, Once};

use awsim_cognito::CognitoService;
use awsim_core::{AppState, AwsError, EventBus, PersistenceManager, RequestContext, ServiceHandler};
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderMap, Method, Uri};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::mail::{Draft, Mailbox};
use crate::store::{StoreError, random_id};

/// What precedes the operation in the target header.
pub(crate) const TARGET_PREFIX: &str = "AWSCognitoIdentityProviderService.";

/// The service name that the emulator goes by.
const SERVICE: &str = "cognito-idp";

/// Most pools and clients asked for in one page; a local cloud has one of each.
const PAGE: u32 = 60;

/// The key that signs the tokens of this process, made or read once.
static SIGNING_KEY: Once = Once::new();

/// Operations that begin like this change nothing.
const READS: [&str; 6] = ["AdminGet", "AdminList", "Describe", "Get", "List", "AdminDescribe"];

/// Why a pool cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum CognitoError {
    /// The emulator refused an operation.
    #[error("Cognito {operation}: {code}: {message}")]
    Refused {
        /// The operation.
        operation: &'static str,
        /// The error code of AWS.
        code: String,
        /// What the emulator says.
        message: String,
    },
    /// The emulator's answer lacks a field.
    #[error("Cognito {operation} answered without {field}")]
    Answer {
        /// The operation.
        operation: &'static str,
        /// The missing field.
        field: &'static str,
    },
    /// The state could not be written.
    #[error("the Cognito state: {0}")]
    Io(#[from] std::io::Error),
    /// No random bytes, or the process is stopping.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A user pool with one app client, as a template describes them.
#[derive(Clone, Debug)]
pub struct PoolSpec {
    /// The name of the pool; a pool of this name is reused.
    pub name: String,
    /// The name of the app client; a client of this name is reused.
    pub client_name: String,
    /// How long an access token is valid, in seconds.
    pub access_token_seconds: u32,
    /// How long an id token is valid, in seconds.
    pub id_token_seconds: u32,
    /// How long a refresh token is valid, in seconds.
    pub refresh_token_seconds: u32,
    /// Shortest password; upper case, lower case, digit and symbol are always required.
    pub password_length: u32,
    /// `ALLOW_USER_PASSWORD_AUTH` and its siblings.
    pub auth_flows: Vec<String>,
}

impl PoolSpec {
    /// A pool for sign-in with e-mail address and password, access tokens of 15 minutes, refresh tokens of 12 hours.
    pub fn new(name: impl Into<String>, client_name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            client_name: client_name.into(),
            access_token_seconds: 15 * 60,
            id_token_seconds: 15 * 60,
            refresh_token_seconds: 12 * 60 * 60,
            password_length: 12,
            auth_flows: [
                "ALLOW_USER_PASSWORD_AUTH",
                "ALLOW_ADMIN_USER_PASSWORD_AUTH",
                "ALLOW_REFRESH_TOKEN_AUTH",
            ]
            .map(str::to_owned)
            .to_vec(),
        }
    }
}

/// A user pool as the functions and the gateway need it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    /// The pool's id, `eu-central-1_abc`.
    pub id: String,
    /// The app client's id: `client_id` of access tokens and `aud` of id tokens.
    pub client_id: String,
    /// `iss` of the tokens: the address of the real service, although they are signed here.
    pub issuer: String,
    /// Where the signing keys are served here.
    pub jwks_url: String,
}

/// Cognito. Cheap to clone.
#[derive(Clone)]
pub struct Cognito {
    state: AppState,
    service: Arc<CognitoService>,
    /// One snapshot at a time: they share a temporary file.
    snapshots: Arc<Mutex<PersistenceManager>>,
    mailbox: Mailbox,
    url: String,
}

impl std::fmt::Debug for Cognito {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cognito").field("url", &self.url).finish_non_exhaustive()
    }
}

impl Cognito {
    /// Reads keys and state from `directory`. The emulator has one signing key per process: of several emulators in
    /// one process the first gives its key to all.
    pub(crate) async fn open(
        directory: &Path,
        region: &str,
        account: &str,
        url: String,
        mailbox: Mailbox,
    ) -> Result<Self, CognitoError> {
        let mut state = AppState::new(region.to_owned(), account.to_owned());
        let service = Arc::new(CognitoService::new());
        let routes = service.routes();
        state.register(Arc::clone(&service) as Arc<dyn ServiceHandler>, routes);
        let (directory, services) = (directory.to_owned(), Arc::clone(&state.services));
        let snapshots = tokio::task::spawn_blocking(move || {
            // Each call would make a key, which takes a while, before it found out that there is one.
            SIGNING_KEY.call_once(|| awsim_cognito::keys::init_persistent(&directory));
            let snapshots = PersistenceManager::new(directory);
            snapshots.restore_all(&services);
            snapshots
        })
        .await
        .map_err(|_| StoreError::Stopped)?;
        Ok(Self { state, service, snapshots: Arc::new(Mutex::new(snapshots)), mailbox, url })
    }

    /// Creates the pool and its client, or brings the settings of existing ones up to date; users stay.
    ///
    /// # Errors
    ///
    /// [`CognitoError`].
    pub async fn ensure_pool(&self, spec: &PoolSpec) -> Result<Pool, CognitoError> {
        let id = self.ensure_user_pool(spec).await?;
        self.ask(
            "SetUserPoolMfaConfig",
            json!({
                "UserPoolId": id,
                // With ON the emulator refuses MFA_SETUP, so a first sign-in would be impossible.
                "MfaConfiguration": "OPTIONAL",
                "SoftwareTokenMfaConfiguration": { "Enabled": true },
            }),
        )
        .await?;
        let client_id = self.ensure_client(spec, &id).await?;
        self.save().await?;
        let issuer = format!("https://cognito-idp.{}.amazonaws.com/{id}", self.state.default_region);
        let jwks_url = format!("{}/{id}/.well-known/jwks.json", self.url);
        Ok(Pool { id, client_id, issuer, jwks_url })
    }

    async fn ensure_user_pool(&self, spec: &PoolSpec) -> Result<String, CognitoError> {
        let policies = json!({ "PasswordPolicy": {
            "MinimumLength": spec.password_length,
            "RequireLowercase": true,
            "RequireUppercase": true,
            "RequireNumbers": true,
            "RequireSymbols": true,
            "TemporaryPasswordValidityDays": 7,
        }});
        let invite_only = json!({ "AllowAdminCreateUserOnly": true });
        let pools = self.ask("ListUserPools", json!({ "MaxResults": PAGE })).await?;
        if let Some(id) = named(pools.get("UserPools"), "Name", &spec.name, "Id") {
            self.ask(
                "UpdateUserPool",
                json!({
                    "UserPoolId": id, "Policies": policies, "MfaConfiguration": "OPTIONAL",
                    "AutoVerifiedAttributes": ["email"], "AdminCreateUserConfig": invite_only,
                }),
            )
            .await?;
            return Ok(id);
        }
        let created = self
            .ask(
                "CreateUserPool",
                json!({
                    "PoolName": spec.name,
                    "Policies": policies,
                    "UsernameAttributes": ["email"],
                    "AutoVerifiedAttributes": ["email"],
                    "AdminCreateUserConfig": invite_only,
                    "MfaConfiguration": "OPTIONAL",
                }),
            )
            .await?;
        text(created.get("UserPool"), "CreateUserPool", "Id")
    }

    async fn ensure_client(&self, spec: &PoolSpec, pool: &str) -> Result<String, CognitoError> {
        let mut settings = json!({
            "UserPoolId": pool,
            "ClientName": spec.client_name,
            "ExplicitAuthFlows": spec.auth_flows,
            // The emulator ignores TokenValidityUnits and takes seconds.
            "AccessTokenValidity": spec.access_token_seconds,
            "IdTokenValidity": spec.id_token_seconds,
            "RefreshTokenValidity": spec.refresh_token_seconds,
            "PreventUserExistenceErrors": "ENABLED",
            "EnableTokenRevocation": true,
        });
        let clients =
            self.ask("ListUserPoolClients", json!({ "UserPoolId": pool, "MaxResults": PAGE })).await?;
        if let Some(id) = named(clients.get("UserPoolClients"), "ClientName", &spec.client_name, "ClientId") {
            if let Some(settings) = settings.as_object_mut() {
                settings.insert("ClientId".into(), Value::String(id.clone()));
            }
            self.ask("UpdateUserPoolClient", settings).await?;
            return Ok(id);
        }
        let created = self.ask("CreateUserPoolClient", settings).await?;
        text(created.get("UserPoolClient"), "CreateUserPoolClient", "ClientId")
    }

    /// The public keys that verify the tokens of every pool, as served under `.well-known/jwks.json`.
    #[must_use]
    pub fn jwks(&self) -> Value {
        awsim_cognito::keys::jwks_document()
    }

    /// Asks the emulator directly, without HTTP.
    async fn ask(&self, operation: &'static str, input: Value) -> Result<Value, CognitoError> {
        let context = RequestContext {
            account_id: self.state.default_account_id.clone(),
            region: self.state.default_region.clone(),
            service: SERVICE.into(),
            request_id: random_id()?.to_string(),
            event_bus: Some(self.state.event_bus.clone()),
            ..RequestContext::default()
        };
        self.service.handle(operation, input, &context).await.map_err(|AwsError { code, message, .. }| {
            CognitoError::Refused { operation, code: code.to_string(), message: message.to_string() }
        })
    }

    /// One request on the wire. What it changed is on disk, and its mail in the mailbox, before the answer goes out.
    pub(crate) async fn call(
        &self,
        operation: &str,
        method: Method,
        uri: Uri,
        headers: HeaderMap,
        body: Bytes,
    ) -> Response {
        // A bus of its own, so that the mail of this request can be told from that of others.
        let event_bus = EventBus::new();
        let mut events = event_bus.subscribe();
        let state = AppState { event_bus, ..self.state.clone() };
        let response = awsim_core::gateway::handle_request(State(state), method, uri, headers, body).await;
        if READS.iter().any(|read| operation.starts_with(read)) {
            return response;
        }
        if let Err(error) = self.save().await {
            tracing::error!(%error, "the Cognito state is not on disk");
        }
        while let Ok(event) = events.try_recv() {
            if event.event_type == awsim_cognito::EMAIL_EVENT_TYPE
                && let Err(error) = self.mailbox.keep(draft(&event.detail)).await
            {
                tracing::error!(%error, "a mail of Cognito is lost");
            }
        }
        response
    }

    /// Writes the state of all pools to disk.
    pub(crate) async fn save(&self) -> Result<(), CognitoError> {
        let snapshots = Arc::clone(&self.snapshots).lock_owned().await;
        let service = Arc::clone(&self.service);
        tokio::task::spawn_blocking(move || match service.snapshot() {
            Some(state) => Ok(snapshots.save_snapshot(SERVICE, &state)?),
            None => Ok(()),
        })
        .await
        .map_err(|_| StoreError::Stopped)?
    }
}

/// A code or an invitation.
fn draft(detail: &Value) -> Draft {
    let field = |name| detail.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    Draft {
        source: "cognito",
        from: field("from"),
        to: vec![field("to")],
        subject: field("subject"),
        text: Some(field("body")),
        html: None,
    }
}

/// The `id` field of the element of a list that has `name` in its `field`.
fn named(list: Option<&Value>, field: &str, name: &str, id: &str) -> Option<String> {
    let of_this_name = |element: &&Value| element.get(field).is_some_and(|value| value == name);
    list?.as_array()?.iter().find(of_this_name)?.get(id)?.as_str().map(str::to_owned)
}

fn text(
    answer: Option<&Value>,
    operation: &'static str,
    field: &'static str,
) -> Result<String, CognitoError> {
    answer
        .and_then(|answer| answer.get(field))
        .and_then(Value::as_str)
        .map(str::to_owned)
        .ok_or(CognitoError::Answer { operation, field })
}
