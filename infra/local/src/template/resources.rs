//! Tables, queues, buckets and what protects them, pools and secrets.

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::{Scope, Template, TemplateError, yaml::Value};
use crate::identity;

/// An `AWS::DynamoDB::Table`. What goes into `CreateTable` is kept as it stands in the template: CloudFormation uses
/// the API's own shapes.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Table {
    /// Attributes of keys and indexes.
    pub attribute_definitions: Json,
    /// Partition and sort key.
    pub key_schema: Json,
    /// Secondary indexes, if any.
    pub global_secondary_indexes: Option<Json>,
    /// Which attribute holds the expiry time.
    pub time_to_live_specification: Option<TimeToLive>,
    /// Present if the table has a stream.
    pub stream_specification: Option<StreamSpecification>,
}

/// `TimeToLiveSpecification`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct TimeToLive {
    /// Holds seconds since 1970.
    pub attribute_name: String,
    /// Off keeps every item.
    pub enabled: bool,
}

/// `StreamSpecification`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct StreamSpecification {
    /// `NEW_IMAGE`, `OLD_IMAGE`, `NEW_AND_OLD_IMAGES` or `KEYS_ONLY`.
    pub stream_view_type: String,
}

/// An `AWS::SQS::Queue`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Queue {
    /// Seconds that a received message stays hidden.
    #[serde(default = "default_visibility_seconds")]
    pub visibility_timeout: u32,
    /// Seconds until a message is dropped.
    #[serde(default = "default_retention_seconds")]
    pub message_retention_period: u32,
    /// Seconds before a sent message can be received.
    #[serde(default)]
    pub delay_seconds: u32,
    /// Whether it keeps the order of each message group.
    #[serde(default)]
    pub fifo_queue: bool,
    /// Whether a message without a deduplication id gets the hash of its body as one.
    #[serde(default)]
    pub content_based_deduplication: bool,
    /// Where messages go that were received too often.
    pub redrive_policy: Option<RedrivePolicy>,
}

/// `RedrivePolicy`; CloudFormation spells its keys in camel case.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RedrivePolicy {
    /// ARN of the queue for dead letters.
    pub dead_letter_target_arn: String,
    /// Receives before a message counts as dead.
    pub max_receive_count: u32,
}

/// 30 s. <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html>
fn default_visibility_seconds() -> u32 {
    30
}

/// Four days, from the same page.
fn default_retention_seconds() -> u32 {
    345_600
}

/// An `AWS::S3::Bucket`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Bucket {
    #[serde(default)]
    notification_configuration: NotificationConfiguration,
    #[serde(default)]
    cors_configuration: CorsConfiguration,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct NotificationConfiguration {
    #[serde(default)]
    event_bridge_configuration: Option<EventBridgeConfiguration>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct EventBridgeConfiguration {
    event_bridge_enabled: bool,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct CorsConfiguration {
    cors_rules: Vec<CorsRule>,
}

/// Who may call a bucket from a browser.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct CorsRule {
    /// Exact origins.
    pub allowed_origins: Vec<String>,
    /// Methods in upper case.
    pub allowed_methods: Vec<String>,
    /// Request headers.
    #[serde(default)]
    pub allowed_headers: Vec<String>,
    /// Response headers that scripts may read.
    #[serde(default)]
    pub exposed_headers: Vec<String>,
    /// Seconds for which a browser may keep the preflight's answer.
    pub max_age: Option<u32>,
}

impl Bucket {
    /// Whether EventBridge hears of new objects.
    #[must_use]
    pub fn notifies(&self) -> bool {
        self.notification_configuration
            .event_bridge_configuration
            .as_ref()
            .is_some_and(|configuration| configuration.event_bridge_enabled)
    }

    /// Who may call from a browser.
    #[must_use]
    pub fn cors(&self) -> &[CorsRule] {
        &self.cors_configuration.cors_rules
    }
}

/// An `AWS::GuardDuty::MalwareProtectionPlan`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct MalwareProtectionPlan {
    /// What is scanned.
    pub protected_resource: ProtectedResource,
}

/// `ProtectedResource`
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct ProtectedResource {
    /// The only kind that there is.
    pub s3_bucket: ProtectedBucket,
}

/// `S3Bucket`
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct ProtectedBucket {
    /// The bucket's name.
    pub bucket_name: String,
    /// How keys begin that are scanned; all are if there are none.
    #[serde(default)]
    pub object_prefixes: Vec<String>,
}

/// An `AWS::Cognito::UserPool`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Pool {
    /// `email` makes people sign in by address.
    #[serde(default)]
    pub username_attributes: Vec<String>,
    /// Attributes that Cognito verifies by itself.
    #[serde(default)]
    pub auto_verified_attributes: Vec<String>,
    /// `OFF`, `OPTIONAL` or `ON`.
    pub mfa_configuration: Option<String>,
    /// Who may create users.
    pub admin_create_user_config: Option<Json>,
    /// The rules for passwords.
    #[serde(default)]
    pub policies: PoolPolicies,
}

/// `Policies` of a pool.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct PoolPolicies {
    /// For every password.
    #[serde(default)]
    pub password_policy: PasswordPolicy,
}

/// `PasswordPolicy`. The emulator always demands upper case, lower case, a digit and a symbol; only the length is
/// taken over.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct PasswordPolicy {
    /// Shortest password.
    pub minimum_length: u32,
    #[serde(default, rename = "RequireLowercase")]
    _require_lowercase: Option<bool>,
    #[serde(default, rename = "RequireUppercase")]
    _require_uppercase: Option<bool>,
    #[serde(default, rename = "RequireNumbers")]
    _require_numbers: Option<bool>,
    #[serde(default, rename = "RequireSymbols")]
    _require_symbols: Option<bool>,
    #[serde(default, rename = "TemporaryPasswordValidityDays")]
    _temporary_password_validity_days: Option<u32>,
}

impl Default for PasswordPolicy {
    /// Cognito's own: eight characters.
    fn default() -> Self {
        Self {
            minimum_length: 8,
            _require_lowercase: None,
            _require_uppercase: None,
            _require_numbers: None,
            _require_symbols: None,
            _temporary_password_validity_days: None,
        }
    }
}

/// An `AWS::Cognito::UserPoolClient`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Client {
    /// The pool's id.
    pub user_pool_id: String,
    /// How people may sign in.
    #[serde(default)]
    pub explicit_auth_flows: Vec<String>,
    /// `ENABLED` answers a wrong name like a wrong password.
    pub prevent_user_existence_errors: Option<String>,
    /// Whether refresh tokens can be revoked.
    pub enable_token_revocation: Option<bool>,
    access_token_validity: Option<u32>,
    id_token_validity: Option<u32>,
    refresh_token_validity: Option<u32>,
    #[serde(default)]
    token_validity_units: TokenValidityUnits,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct TokenValidityUnits {
    access_token: Option<Unit>,
    id_token: Option<Unit>,
    refresh_token: Option<Unit>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Unit {
    Seconds,
    Minutes,
    Hours,
    Days,
}

impl Unit {
    fn seconds(self, count: u32) -> u32 {
        count.saturating_mul(match self {
            Self::Seconds => 1,
            Self::Minutes => 60,
            Self::Hours => 3_600,
            Self::Days => 86_400,
        })
    }
}

/// Cognito's defaults: an hour for access and ID tokens, 30 days for refresh tokens.
/// <https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_CreateUserPoolClient.html>
impl Client {
    /// How long an access token is valid.
    #[must_use]
    pub fn access_token_seconds(&self) -> u32 {
        let unit = self.token_validity_units.access_token.unwrap_or(Unit::Hours);
        unit.seconds(self.access_token_validity.unwrap_or(1))
    }

    /// How long an ID token is valid.
    #[must_use]
    pub fn id_token_seconds(&self) -> u32 {
        let unit = self.token_validity_units.id_token.unwrap_or(Unit::Hours);
        unit.seconds(self.id_token_validity.unwrap_or(1))
    }

    /// How long a refresh token is valid.
    #[must_use]
    pub fn refresh_token_seconds(&self) -> u32 {
        let unit = self.token_validity_units.refresh_token.unwrap_or(Unit::Days);
        unit.seconds(self.refresh_token_validity.unwrap_or(30))
    }
}

/// An `AWS::SecretsManager::Secret`, created empty.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Secret {
    /// For people.
    pub description: Option<String>,
}

impl Template {
    /// A table, without what only bills or protects it.
    ///
    /// # Errors
    /// A property is not known or does not fit.
    pub fn table(&self, logical_id: &str, scope: &Scope) -> Result<Table, TemplateError> {
        const WITHOUT_EFFECT: &[&str] = &[
            "BillingMode",
            "ContributorInsightsSpecification",
            "DeletionProtectionEnabled",
            "PointInTimeRecoverySpecification",
            "SSESpecification",
            "Tags",
        ];
        self.properties(logical_id, scope, WITHOUT_EFFECT)
    }

    /// A queue, without its encryption.
    ///
    /// # Errors
    /// A property is not known or does not fit.
    pub fn queue(&self, logical_id: &str, scope: &Scope) -> Result<Queue, TemplateError> {
        const WITHOUT_EFFECT: &[&str] = &["KmsMasterKeyId", "SqsManagedSseEnabled", "Tags"];
        self.properties(logical_id, scope, WITHOUT_EFFECT)
    }

    /// The name of a queue: known before any property is, because other resources refer to it.
    #[must_use]
    pub fn queue_name(&self, logical_id: &str) -> String {
        let properties = self.resource(logical_id).ok().and_then(|resource| resource.get("Properties"));
        let fifo = properties.and_then(|properties| properties.get("FifoQueue"));
        match fifo.map(|node| &node.value) {
            Some(Value::Bool(true)) => identity::fifo_queue_name(logical_id),
            Some(_) | None => identity::name(logical_id),
        }
    }

    /// A bucket, without protection, versions, lifecycle and access log: the local store keeps one version for good, and on
    /// one machine nobody else asks.
    ///
    /// # Errors
    /// A property is not known or does not fit.
    pub fn bucket(&self, logical_id: &str, scope: &Scope) -> Result<Bucket, TemplateError> {
        const WITHOUT_EFFECT: &[&str] = &[
            "BucketEncryption",
            "LifecycleConfiguration",
            "LoggingConfiguration",
            "OwnershipControls",
            "PublicAccessBlockConfiguration",
            "Tags",
            "VersioningConfiguration",
        ];
        self.properties(logical_id, scope, WITHOUT_EFFECT)
    }

    /// A malware protection plan, without its role and its tags: the local store keeps no tags.
    ///
    /// # Errors
    /// A property is not known or does not fit.
    pub fn malware_protection_plan(
        &self,
        logical_id: &str,
        scope: &Scope,
    ) -> Result<MalwareProtectionPlan, TemplateError> {
        self.properties(logical_id, scope, &["Actions", "Role", "Tags"])
    }

    /// A user pool, without what concerns mail and recovery by mail.
    ///
    /// # Errors
    /// A property is not known or does not fit.
    pub fn pool(&self, logical_id: &str, scope: &Scope) -> Result<Pool, TemplateError> {
        const WITHOUT_EFFECT: &[&str] = &[
            "AccountRecoverySetting",
            "DeletionProtection",
            "EnabledMfas",
            "UserPoolTags",
            "UserPoolTier",
            "UsernameConfiguration",
        ];
        self.properties(logical_id, scope, WITHOUT_EFFECT)
    }

    /// A client of a user pool.
    ///
    /// # Errors
    /// A property is not known or does not fit.
    pub fn pool_client(&self, logical_id: &str, scope: &Scope) -> Result<Client, TemplateError> {
        self.properties(logical_id, scope, &[])
    }

    /// A secret.
    ///
    /// # Errors
    /// A property is not known or does not fit.
    pub fn secret(&self, logical_id: &str, scope: &Scope) -> Result<Secret, TemplateError> {
        self.properties(logical_id, scope, &["KmsKeyId", "Tags"])
    }
}
