//! Secrets Manager: values with a current and a previous version.

use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, StatusCode};
use portico_domain::Clock;
use rusqlite::{OptionalExtension as _, Transaction, params};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::clock::now_ms;
use crate::json_protocol::{self, Refusal};
use crate::store::{Store, StoreError, random_id};

/// What precedes the operation in the target header.
pub(crate) const TARGET_PREFIX: &str = "secretsmanager.";

const CONTENT_TYPE: &str = "application/x-amz-json-1.1";

/// Largest value, as in AWS.
const VALUE_BYTES: usize = 64 * 1024;

/// Longest name, as in AWS.
const NAME_CHARACTERS: usize = 512;

/// Versions kept of one secret; the oldest without a stage go first.
const VERSIONS: u32 = 20;

const CURRENT: &str = "AWSCURRENT";
const PREVIOUS: &str = "AWSPREVIOUS";

/// Why a secret operation was refused.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// No secret, or no version of it, has this name.
    #[error("Secrets Manager can't find the specified secret")]
    NotFound,
    /// The secret to create exists.
    #[error("the operation failed because the secret {0} already exists")]
    Exists(String),
    /// A parameter breaks a rule.
    #[error("{0}")]
    Invalid(&'static str),
    /// The state file failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<rusqlite::Error> for SecretError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(StoreError::Sqlite(error))
    }
}

/// All secrets. Cheap to clone. They lie unencrypted in the state file, which only the owner can read.
#[derive(Clone, Debug)]
pub struct Secrets {
    store: Store,
    clock: Clock,
    region: String,
    account: String,
}

impl Secrets {
    pub(crate) fn new(store: Store, clock: Clock, region: String, account: String) -> Self {
        Self { store, clock, region, account }
    }

    /// Makes `text` the current value of a secret, which is created where it is missing; the former value becomes
    /// the previous one. Returns the ARN.
    ///
    /// # Errors
    ///
    /// [`SecretError::Invalid`], [`SecretError::Store`].
    pub async fn put(&self, name: &str, text: &str) -> Result<String, SecretError> {
        let (name, text, now) = (name.to_owned(), text.to_owned(), now_ms(&self.clock));
        let secret = self
            .store
            .transact(move |tx| {
                let secret = match find(tx, &name) {
                    Err(SecretError::NotFound) => create(tx, &name, None, now)?,
                    found => found?,
                };
                put(tx, &secret, None, &SecretValue { text: Some(text), bytes: None }, now)?;
                Ok::<_, SecretError>(secret)
            })
            .await?;
        Ok(self.arn(&secret))
    }

    /// The current value of a secret.
    ///
    /// # Errors
    ///
    /// [`SecretError::NotFound`], also when the value is not text.
    pub async fn get(&self, name: &str) -> Result<String, SecretError> {
        let name = name.to_owned();
        self.store
            .transact(move |tx| get(tx, &find(tx, &name)?, None, None))
            .await?
            .value
            .text
            .ok_or(SecretError::NotFound)
    }

    pub(crate) async fn call(&self, operation: &str, headers: &HeaderMap, body: &[u8]) -> Response {
        let answer = match json_protocol::check_access_key(headers) {
            Ok(()) => self.dispatch(operation, body).await,
            Err(refusal) => Err(refusal),
        };
        match answer {
            Ok(body) => json_protocol::response(StatusCode::OK, CONTENT_TYPE, body.to_string()),
            Err(refusal) => refusal.into_response(CONTENT_TYPE),
        }
    }

    async fn dispatch(&self, operation: &str, body: &[u8]) -> Result<Value, Refusal> {
        match operation {
            "CreateSecret" => Ok(self.create_secret(json_protocol::parse(body)?).await?),
            "PutSecretValue" => Ok(self.put_secret_value(json_protocol::parse(body)?).await?),
            "GetSecretValue" => Ok(self.get_secret_value(json_protocol::parse(body)?).await?),
            "DescribeSecret" => Ok(self.describe_secret(json_protocol::parse(body)?).await?),
            _ => Err(Refusal::new("InvalidRequestException", format!("this emulator has no {operation}"))),
        }
    }

    async fn create_secret(&self, input: CreateSecret) -> Result<Value, SecretError> {
        let now = now_ms(&self.clock);
        let name = input.name.clone();
        let (secret, version) = self
            .store
            .transact(move |tx| {
                match find(tx, &input.name) {
                    Err(SecretError::NotFound) => {}
                    Ok(_) => return Err(SecretError::Exists(input.name)),
                    Err(error) => return Err(error),
                }
                let secret = create(tx, &input.name, input.description.as_deref(), now)?;
                let value = SecretValue::decode(input.secret_string, input.secret_binary.as_deref())?;
                let version = match value {
                    Some(value) => Some(put(tx, &secret, input.client_request_token, &value, now)?),
                    None => None,
                };
                Ok((secret, version))
            })
            .await?;
        Ok(json!({ "ARN": self.arn(&secret), "Name": name, "VersionId": version }))
    }

    async fn put_secret_value(&self, input: PutSecretValue) -> Result<Value, SecretError> {
        let now = now_ms(&self.clock);
        let (secret, version) = self
            .store
            .transact(move |tx| {
                let secret = find(tx, &input.secret_id)?;
                let value = SecretValue::decode(input.secret_string, input.secret_binary.as_deref())?
                    .ok_or(SecretError::Invalid("a value is required"))?;
                let version = put(tx, &secret, input.client_request_token, &value, now)?;
                Ok::<_, SecretError>((secret, version))
            })
            .await?;
        Ok(json!({
            "ARN": self.arn(&secret), "Name": secret.name, "VersionId": version, "VersionStages": [CURRENT],
        }))
    }

    async fn get_secret_value(&self, input: GetSecretValue) -> Result<Value, SecretError> {
        let (secret, version) = self
            .store
            .transact(move |tx| {
                let secret = find(tx, &input.secret_id)?;
                let version = get(tx, &secret, input.version_id.as_deref(), input.version_stage.as_deref())?;
                Ok::<_, SecretError>((secret, version))
            })
            .await?;
        let stages: Vec<_> = version.stage.into_iter().collect();
        let mut answer = json!({
            "ARN": self.arn(&secret),
            "Name": secret.name,
            "VersionId": version.id,
            "VersionStages": stages,
            "CreatedDate": version.created_ms / 1000,
        });
        if let Some(answer) = answer.as_object_mut() {
            if let Some(text) = version.value.text {
                answer.insert("SecretString".into(), Value::String(text));
            }
            if let Some(bytes) = version.value.bytes {
                answer.insert("SecretBinary".into(), Value::String(STANDARD.encode(bytes)));
            }
        }
        Ok(answer)
    }

    async fn describe_secret(&self, input: GetSecretValue) -> Result<Value, SecretError> {
        let (secret, stages) = self
            .store
            .transact(move |tx| {
                let secret = find(tx, &input.secret_id)?;
                let mut statement =
                    tx.prepare_cached("SELECT id, stage FROM secret_version WHERE secret = ?1")?;
                let stages = statement
                    .query_map([&secret.name], |row| {
                        let stages: Vec<String> = row.get::<_, Option<String>>(1)?.into_iter().collect();
                        Ok((row.get::<_, String>(0)?, json!(stages)))
                    })?
                    .collect::<Result<serde_json::Map<_, _>, _>>()?;
                drop(statement);
                Ok::<_, SecretError>((secret, stages))
            })
            .await?;
        Ok(json!({
            "ARN": self.arn(&secret),
            "Name": secret.name,
            "Description": secret.description,
            "CreatedDate": secret.created_ms / 1000,
            "VersionIdsToStages": stages,
        }))
    }

    fn arn(&self, secret: &Secret) -> String {
        format!(
            "arn:aws:secretsmanager:{}:{}:secret:{}-{}",
            self.region, self.account, secret.name, secret.suffix
        )
    }
}

impl From<SecretError> for Refusal {
    fn from(error: SecretError) -> Self {
        let code = match &error {
            SecretError::NotFound => "ResourceNotFoundException",
            SecretError::Exists(_) => "ResourceExistsException",
            SecretError::Invalid(_) => "InvalidParameterException",
            SecretError::Store(error) => return Self::internal(error),
        };
        Self::new(code, error.to_string())
    }
}

struct Secret {
    name: String,
    suffix: String,
    description: Option<String>,
    created_ms: i64,
}

#[derive(PartialEq, Eq)]
struct SecretValue {
    text: Option<String>,
    bytes: Option<Vec<u8>>,
}

impl SecretValue {
    fn decode(text: Option<String>, encoded: Option<&str>) -> Result<Option<Self>, SecretError> {
        let bytes = encoded
            .map(|encoded| STANDARD.decode(encoded))
            .transpose()
            .map_err(|_| SecretError::Invalid("SecretBinary is not base64"))?;
        match (text, bytes) {
            (None, None) => Ok(None),
            (Some(_), Some(_)) => {
                Err(SecretError::Invalid("only one of SecretString and SecretBinary may be given"))
            }
            (text, bytes) => Ok(Some(Self { text, bytes })),
        }
    }

    fn len(&self) -> usize {
        self.text.as_ref().map_or(0, String::len) + self.bytes.as_ref().map_or(0, Vec::len)
    }
}

struct Version {
    id: String,
    value: SecretValue,
    stage: Option<String>,
    created_ms: i64,
}

/// Finds a secret by its name or its ARN, with or without the suffix.
fn find(tx: &Transaction<'_>, id: &str) -> Result<Secret, SecretError> {
    let name = match id.strip_prefix("arn:") {
        Some(arn) => arn.splitn(6, ':').nth(5).ok_or(SecretError::NotFound)?,
        None => id,
    };
    tx.prepare_cached(
        "SELECT name, suffix, description, created_ms FROM secret WHERE ?1 IN (name, name || '-' || suffix)",
    )?
    .query_row([name], |row| {
        Ok(Secret {
            name: row.get(0)?,
            suffix: row.get(1)?,
            description: row.get(2)?,
            created_ms: row.get(3)?,
        })
    })
    .optional()?
    .ok_or(SecretError::NotFound)
}

fn create(
    tx: &Transaction<'_>,
    name: &str,
    description: Option<&str>,
    now: i64,
) -> Result<Secret, SecretError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "/_+=.@-".contains(c);
    if name.is_empty() || name.len() > NAME_CHARACTERS || !name.chars().all(allowed) {
        return Err(SecretError::Invalid("a name has 1 to 512 letters, digits and /_+=.@-"));
    }
    let suffix: String = random_id()?.simple().to_string().chars().take(6).collect();
    tx.prepare_cached("INSERT INTO secret (name, suffix, description, created_ms) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![name, suffix, description, now])?;
    Ok(Secret { name: name.to_owned(), suffix, description: description.map(str::to_owned), created_ms: now })
}

/// Adds a version and makes it current. The same token with the same value changes nothing.
fn put(
    tx: &Transaction<'_>,
    secret: &Secret,
    token: Option<String>,
    value: &SecretValue,
    now: i64,
) -> Result<String, SecretError> {
    if value.len() == 0 || value.len() > VALUE_BYTES {
        return Err(SecretError::Invalid("a value has 1 to 65536 bytes"));
    }
    let id = match token {
        Some(token) => match get(tx, secret, Some(&token), None) {
            Ok(version) if version.value == *value => return Ok(token),
            Ok(_) => return Err(SecretError::Invalid("a version with this token has another value")),
            Err(SecretError::NotFound) => token,
            Err(error) => return Err(error),
        },
        None => random_id()?.to_string(),
    };
    for statement in [
        "UPDATE secret_version SET stage = NULL WHERE secret = ?1 AND stage = 'AWSPREVIOUS'",
        "UPDATE secret_version SET stage = 'AWSPREVIOUS' WHERE secret = ?1 AND stage = 'AWSCURRENT'",
    ] {
        tx.prepare_cached(statement)?.execute([&secret.name])?;
    }
    tx.prepare_cached(
        "INSERT INTO secret_version (secret, id, text, bytes, stage, created_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![secret.name, id, value.text, value.bytes, CURRENT, now])?;
    tx.prepare_cached(
        "DELETE FROM secret_version WHERE secret = ?1 AND stage IS NULL AND id NOT IN
             (SELECT id FROM secret_version WHERE secret = ?1 ORDER BY created_ms DESC, rowid DESC LIMIT ?2)",
    )?
    .execute(params![secret.name, VERSIONS])?;
    Ok(id)
}

fn get(
    tx: &Transaction<'_>,
    secret: &Secret,
    version: Option<&str>,
    stage: Option<&str>,
) -> Result<Version, SecretError> {
    if stage.is_some_and(|stage| stage != CURRENT && stage != PREVIOUS) {
        return Err(SecretError::NotFound);
    }
    let stage = if version.is_none() { Some(stage.unwrap_or(CURRENT)) } else { stage };
    tx.prepare_cached(
        "SELECT id, text, bytes, stage, created_ms FROM secret_version
         WHERE secret = ?1 AND (?2 IS NULL OR id = ?2) AND (?3 IS NULL OR stage = ?3)",
    )?
    .query_row(params![secret.name, version, stage], |row| {
        Ok(Version {
            id: row.get(0)?,
            value: SecretValue { text: row.get(1)?, bytes: row.get(2)? },
            stage: row.get(3)?,
            created_ms: row.get(4)?,
        })
    })
    .optional()?
    .ok_or(SecretError::NotFound)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CreateSecret {
    name: String,
    client_request_token: Option<String>,
    description: Option<String>,
    secret_string: Option<String>,
    secret_binary: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutSecretValue {
    secret_id: String,
    client_request_token: Option<String>,
    secret_string: Option<String>,
    secret_binary: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GetSecretValue {
    secret_id: String,
    version_id: Option<String>,
    version_stage: Option<String>,
}
