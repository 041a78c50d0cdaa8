//! The cloud in one place: the only crate of the product that depends on AWS's SDKs.
//!
//! A function's `main.rs` is `portico_aws::run(the_function::function)`. The same constructor runs in the local
//! cloud, with the variables that `template.yaml` gives to that function: what is missing there is missing
//! here, in both places.

mod dynamodb;
mod function;
mod metrics;
mod objects;
mod push;
mod queues;
mod settings;

use std::{future::Future, sync::Arc};

use aws_sdk_dynamodb::config::{
    BehaviorVersion, Credentials, Region, SharedCredentialsProvider, SharedHttpClient, retry::RetryConfig,
    timeout::TimeoutConfig,
};
use aws_smithy_http_client::{Builder, tls};
use aws_types::SdkConfig;
use jiff::Timestamp;
use portico_domain::{
    Clock, Random,
    billing::Grace,
    cases::{CaseProcess, ProcessError},
    files::{FileRules, FileRulesError, FileSettings},
};
use portico_salesforce::{Pace, Salesforce, SalesforceError};
use portico_store::{
    Store,
    engine::{Engine, Table},
};
use serde::de::DeserializeOwned;

pub use function::{Function, FunctionError};
pub use metrics::{Metric, Metrics, NAMESPACE};
pub use objects::{
    BEGINNING_BYTES_MAX, Bucket, Checksum, Joined, Kept, OBJECT_BYTES_MAX, ObjectContent, ObjectError,
    ObjectFacts, ObjectWriter,
};
pub use push::{Push, PushError, Pushed};
pub use queues::{
    Batch, BatchAnswer, DeadLetters, Failure, Message, Note, Queue, QueueError, Redriven, Verdict,
};
pub use settings::{SettingError, Settings};

/// How long a call to an AWS service may take, its retries included: less than a function may.
const CALL_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(8);
/// How long one attempt of a call may take.
const ATTEMPT_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(3);
/// How long a connection may take to open.
const CONNECT_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(2);
/// How often the SDK tries a call.
const ATTEMPTS: u32 = 3;

/// What a function's constructor may take from the cloud, each thing under the name of its variable.
#[derive(Debug, Clone)]
pub struct Cloud {
    settings: Settings,
    clock: Clock,
    random: Random,
    metrics: Metrics,
    http: SharedHttpClient,
}

/// Why a function cannot start.
#[derive(Debug, thiserror::Error)]
pub enum BootError {
    /// A variable is missing or malformed.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// A secret cannot be read.
    #[error("the secret {name} cannot be read: {reason}")]
    Secret {
        /// The variable that names it.
        name: &'static str,
        /// Why. Never its content.
        reason: String,
    },
    /// What it is told of the org's cases is not right.
    #[error(transparent)]
    CaseProcess(#[from] ProcessError),
    /// What it is told of files is not right.
    #[error(transparent)]
    FileRules(#[from] FileRulesError),
    /// No Salesforce client can be made.
    #[error(transparent)]
    Salesforce(#[from] SalesforceError),
}

impl Cloud {
    /// The cloud as these settings describe it. Clients are made when they are asked for.
    pub fn new(settings: Settings, clock: Clock, random: Random) -> Self {
        let http = Builder::new()
            .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring))
            .build_https();
        let service = settings.optional("AWS_LAMBDA_FUNCTION_NAME").unwrap_or("portico");
        let metrics = Metrics::new(service, clock.clone(), |line| tracing::debug!(target: "metrics", line));
        Self { settings, clock, random, metrics, http }
    }

    /// The same cloud, with measurements going elsewhere.
    #[must_use]
    pub fn with_metrics(self, metrics: Metrics) -> Self {
        Self { metrics, ..self }
    }

    /// The cloud around this process.
    pub fn of_process() -> Self {
        let cloud = Self::new(Settings::of_process(), system_clock(), system_random());
        let service = cloud.settings.optional("AWS_LAMBDA_FUNCTION_NAME").unwrap_or("portico").to_owned();
        let metrics = Metrics::to_standard_output(&service, cloud.clock());
        cloud.with_metrics(metrics)
    }

    /// The time.
    pub fn clock(&self) -> Clock {
        self.clock.clone()
    }

    /// Unpredictable bytes.
    pub fn random(&self) -> Random {
        self.random.clone()
    }

    /// Where measurements go.
    pub fn metrics(&self) -> Metrics {
        self.metrics.clone()
    }

    /// This function's variables.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The store, with exactly these tables. The list is what the function's policy in `template.yaml` allows.
    ///
    /// # Errors
    /// [`SettingError`] if the variable of one of them is missing.
    pub fn store(&self, tables: &[Table]) -> Result<Store, SettingError> {
        Ok(Store::new(self.engine(tables)?))
    }

    /// The engine below the store, for the contract that every engine has to keep.
    ///
    /// # Errors
    /// As [`Cloud::store`].
    pub fn engine(&self, tables: &[Table]) -> Result<Arc<dyn Engine>, SettingError> {
        for table in tables {
            self.settings.text(table.setting())?;
        }
        let client = aws_sdk_dynamodb::Client::new(&self.sdk("DYNAMODB")?);
        Ok(Arc::new(dynamodb::DynamoDb::new(client, self.settings.clone())))
    }

    /// The bucket that a variable names.
    ///
    /// # Errors
    /// [`SettingError`] if the variable is missing.
    pub fn bucket(&self, setting: &str) -> Result<Bucket, SettingError> {
        let config = aws_sdk_s3::config::Builder::from(&self.sdk("S3")?)
            // Only the local cloud has an endpoint of its own, and buckets have no host names there.
            .force_path_style(self.settings.optional("AWS_ENDPOINT_URL_S3").is_some())
            .build();
        Ok(Bucket::new(aws_sdk_s3::Client::from_conf(config), self.settings.text(setting)?.to_owned()))
    }

    /// The queue whose URL a variable holds.
    ///
    /// # Errors
    /// [`SettingError`] if the variable is missing.
    pub fn queue(&self, setting: &str) -> Result<Queue, SettingError> {
        let url = self.settings.url(setting)?;
        Ok(Queue::new(aws_sdk_sqs::Client::new(&self.sdk("SQS")?), url.into()))
    }

    /// The dead letters in the queue whose URL a variable holds.
    ///
    /// # Errors
    /// [`SettingError`] if the variable is missing.
    pub fn dead_letters(&self, setting: &str) -> Result<DeadLetters, SettingError> {
        Ok(DeadLetters::new(self.queue(setting)?, self.clock()))
    }

    /// The back channel of the WebSocket API whose URL a variable holds.
    ///
    /// # Errors
    /// [`SettingError`] if the variable is missing or not a URL.
    pub fn push(&self, setting: &str) -> Result<Push, SettingError> {
        let config = aws_sdk_apigatewaymanagement::config::Builder::from(&self.sdk("APIGATEWAYMANAGEMENT")?)
            .endpoint_url(self.settings.url(setting)?.as_str().trim_end_matches('/'))
            .build();
        Ok(Push::new(aws_sdk_apigatewaymanagement::Client::from_conf(config)))
    }

    /// How the org works on cases, in its own words: the variables `CASE_STATUS_NEW`, `CASE_STATUS_SOLVED`,
    /// `CASE_STATUS_REOPENED`, `CASE_TYPES` and `CASE_FIELDS_SHOWN`; the last two may be `none`.
    ///
    /// # Errors
    /// [`BootError`] names what is missing or not what it should be.
    pub fn case_process(&self) -> Result<CaseProcess, BootError> {
        let text = |name| self.settings.text(name);
        Ok(CaseProcess::new(
            text("CASE_STATUS_NEW")?,
            text("CASE_STATUS_SOLVED")?,
            text("CASE_STATUS_REOPENED")?,
            text("CASE_TYPES")?,
            text("CASE_FIELDS_SHOWN")?,
        )?)
    }

    /// How much clients may keep, under which categories, and for how long: the variables `FILE_BYTES_MAX`,
    /// `CASE_FILES_MAX`, `CASE_FILES_BYTES_MAX`, `ACCOUNT_FILES_BYTES_MAX`, `FILE_CATEGORIES` and
    /// `FILE_RETENTION_DAYS`; the last two may be `none`.
    ///
    /// # Errors
    /// [`BootError`] names what is missing or not what it should be.
    pub fn file_rules(&self) -> Result<FileRules, BootError> {
        let text = |name| self.settings.text(name);
        Ok(FileRules::new(FileSettings {
            file_bytes: text("FILE_BYTES_MAX")?,
            case_files: text("CASE_FILES_MAX")?,
            case_bytes: text("CASE_FILES_BYTES_MAX")?,
            account_bytes: text("ACCOUNT_FILES_BYTES_MAX")?,
            categories: text("FILE_CATEGORIES")?,
            retention_days: text("FILE_RETENTION_DAYS")?,
        })?)
    }

    /// How long months wait for hours that are logged late, before they are billed: the variable `BILLING_GRACE_DAYS`.
    ///
    /// # Errors
    /// [`SettingError`] if it is missing or no such number of days.
    pub fn grace(&self) -> Result<Grace, SettingError> {
        let name = "BILLING_GRACE_DAYS";
        self.settings.text(name)?.parse().map_err(|_| SettingError::Unusable(name.to_owned()))
    }

    /// The JSON in the secret that a variable names.
    ///
    /// # Errors
    /// [`BootError`].
    pub async fn secret<T: DeserializeOwned>(&self, setting: &'static str) -> Result<T, BootError> {
        let client = aws_sdk_secretsmanager::Client::new(&self.sdk("SECRETS_MANAGER")?);
        let unreadable = |reason: String| BootError::Secret { name: setting, reason };
        let answer = client.get_secret_value().secret_id(self.settings.text(setting)?).send().await.map_err(
            |error| unreadable(aws_sdk_secretsmanager::error::DisplayErrorContext(error).to_string()),
        )?;
        let text = answer.secret_string().ok_or_else(|| unreadable("it holds no text".to_owned()))?;
        // serde_json's errors may quote what they stumbled over.
        serde_json::from_str(text)
            .map_err(|error| unreadable(format!("not the expected JSON ({:?})", error.classify())))
    }

    /// The org, signed in to with the secret `SALESFORCE_SECRET` at `SALESFORCE_LOGIN_URL`. Calls count as `pace` against
    /// the org's limit.
    ///
    /// # Errors
    /// [`BootError`].
    pub async fn salesforce(&self, pace: Pace) -> Result<Salesforce, BootError> {
        let credentials = self.secret("SALESFORCE_SECRET").await?;
        let login_url = self.settings.url("SALESFORCE_LOGIN_URL")?;
        Ok(Salesforce::new(login_url, credentials, pace, self.clock(), self.random())?)
    }

    /// What every client is made from. Lambda hands the credentials over as variables, so no chain of
    /// providers has to be walked at a cold start.
    fn sdk(&self, service: &str) -> Result<SdkConfig, SettingError> {
        let credentials = Credentials::new(
            self.settings.text("AWS_ACCESS_KEY_ID")?,
            self.settings.text("AWS_SECRET_ACCESS_KEY")?,
            self.settings.optional("AWS_SESSION_TOKEN").map(str::to_owned),
            None,
            "environment",
        );
        let mut config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(self.settings.text("AWS_REGION")?.to_owned()))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .http_client(self.http.clone())
            .sleep_impl(aws_smithy_async::rt::sleep::SharedAsyncSleep::new(
                aws_smithy_async::rt::sleep::TokioSleep::new(),
            ))
            .time_source(aws_smithy_async::time::SharedTimeSource::new(
                aws_smithy_async::time::SystemTimeSource::new(),
            ))
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(CONNECT_TIMEOUT)
                    .operation_attempt_timeout(ATTEMPT_TIMEOUT)
                    .operation_timeout(CALL_TIMEOUT)
                    .build(),
            );
        config.set_endpoint_url(
            self.settings.optional(&format!("AWS_ENDPOINT_URL_{service}")).map(str::to_owned),
        );
        Ok(config.build())
    }
}

/// The machine's clock.
#[expect(clippy::disallowed_methods, reason = "the one place where the real clock enters")]
pub fn system_clock() -> Clock {
    Clock::new(Timestamp::now)
}

/// The machine's randomness.
pub fn system_random() -> Random {
    #[expect(
        clippy::expect_used,
        reason = "without randomness there are no ids and no secrets: better to stop"
    )]
    Random::new(|buffer| getrandom::fill(buffer).expect("the system has randomness"))
}

/// Runs a function on Lambda until the environment is shut down.
///
/// # Errors
/// If the function cannot start; Lambda then reports a failed initialisation.
pub async fn run<B, Fut>(function: B) -> Result<(), lambda_runtime::Error>
where
    B: FnOnce(Cloud) -> Fut,
    Fut: Future<Output = Result<Function, BootError>>,
{
    lambda_runtime::tracing::init_default_subscriber();
    let function = function(Cloud::of_process()).await?;
    lambda_runtime::run(lambda_runtime::service_fn(move |event| {
        let function = function.clone();
        async move { function.invoke(event).await.map_err(lambda_runtime::Error::from) }
    }))
    .await
}
