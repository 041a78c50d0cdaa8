//! Emulators with their clients.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use portico_emulators::{ACCESS_KEY_ID, Clock, Config, Emulators, SECRET_ACCESS_KEY};

pub const ORIGIN: &str = "http://localhost:3000";

/// A clock that stands still until it is moved.
#[derive(Clone)]
pub struct ManualClock(Arc<AtomicI64>);

impl ManualClock {
    pub fn new() -> Self {
        let start: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
        Self(Arc::new(AtomicI64::new(start.as_millisecond())))
    }

    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(i64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }

    pub fn clock(&self) -> Clock {
        let now = Arc::clone(&self.0);
        Clock::new(move || Timestamp::from_millisecond(now.load(Ordering::SeqCst)).unwrap())
    }
}

pub fn config(data: Option<&Path>) -> Config {
    Config { data: data.map(Path::to_owned), cors_origins: vec![ORIGIN.to_owned()], ..Config::ephemeral() }
}

pub async fn start() -> Emulators {
    Emulators::start(config(None)).await.unwrap()
}

pub async fn start_with(clock: &ManualClock) -> Emulators {
    Emulators::start_at(config(None), clock.clock()).await.unwrap()
}

/// Clients of one set of emulators.
pub struct Clients {
    pub dynamodb: aws_sdk_dynamodb::Client,
    pub s3: aws_sdk_s3::Client,
    pub sqs: aws_sdk_sqs::Client,
    pub secrets: aws_sdk_secretsmanager::Client,
    pub cognito: aws_sdk_cognitoidentityprovider::Client,
}

macro_rules! client {
    ($sdk:ident, $url:expr $(, $option:ident($value:expr))*) => {
        $sdk::Client::from_conf(
            $sdk::Config::builder()
                .behavior_version($sdk::config::BehaviorVersion::latest())
                .region($sdk::config::Region::new("eu-central-1"))
                .credentials_provider($sdk::config::Credentials::new(
                    ACCESS_KEY_ID, SECRET_ACCESS_KEY, None, None, "local",
                ))
                .endpoint_url($url)
                .http_client(aws_smithy_http_client::Builder::new().build_http())
                $(.$option($value))*
                .build(),
        )
    };
}

impl Clients {
    pub fn of(emulators: &Emulators) -> Self {
        Self::at(&emulators.aws_url(), &emulators.dynamodb_url())
    }

    pub fn at(aws: &str, dynamodb: &str) -> Self {
        Self {
            dynamodb: client!(aws_sdk_dynamodb, dynamodb),
            s3: client!(aws_sdk_s3, aws, force_path_style(true)),
            sqs: client!(aws_sdk_sqs, aws),
            secrets: client!(aws_sdk_secretsmanager, aws),
            cognito: client!(aws_sdk_cognitoidentityprovider, aws),
        }
    }
}

/// A plain HTTP client, for what a browser would send.
pub fn browser() -> reqwest::Client {
    // A second installation in this process is refused, which is fine.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().timeout(Duration::from_secs(10)).build().unwrap()
}
