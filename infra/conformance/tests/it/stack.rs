//! The template's tables, queues, buckets and secrets, on fresh emulators.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Once,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use portico_aws::{Cloud, Settings};
use portico_domain::{Clock, Random};
use portico_emulators::{
    ACCESS_KEY_ID, BucketSpec, Config, Emulators, QueueSpec, Redrive, SECRET_ACCESS_KEY,
};
use portico_store::{
    Store,
    engine::{Engine, Table},
};
use serde_json::{Value, json};

use crate::template::{Names, Template, target};

pub const REGION: &str = "eu-central-1";
pub const ACCOUNT: &str = "000000000000";
/// What `!Ref LiveApi` comes to.
pub const LIVE_API: &str = "liveapi";

/// The present, in every test that does not move it.
pub const NOW: &str = "2026-11-22T09:30:00Z";

/// Every table of the store.
pub const TABLES: [Table; 24] = [
    Table::Accounts,
    Table::Members,
    Table::Contracts,
    Table::Cases,
    Table::CaseActivity,
    Table::TimeEntries,
    Table::Expenses,
    Table::Files,
    Table::Invoices,
    Table::Counters,
    Table::Idempotency,
    Table::Outbox,
    Table::Connections,
    Table::LiveTickets,
    Table::SalesforceLinks,
    Table::SyncRuns,
    Table::Audit,
    Table::AuditHeads,
    Table::Archives,
    Table::Usage,
    Table::InvoicePositions,
    Table::CreditNotes,
    Table::Disputes,
    Table::Billing,
];

pub struct Stack {
    pub emulators: Emulators,
    pub template: Template,
    pub names: Names,
    pub clock: Clock,
    pub random: Random,
}

pub fn now() -> Timestamp {
    NOW.parse().unwrap()
}

/// Time that stands still until a test moves it on.
#[derive(Clone)]
pub struct MovableClock(Arc<AtomicI64>);

impl MovableClock {
    /// Begins at [`NOW`].
    pub fn new() -> Self {
        Self(Arc::new(AtomicI64::new(now().as_millisecond())))
    }

    pub fn clock(&self) -> Clock {
        let milliseconds = Arc::clone(&self.0);
        Clock::new(move || Timestamp::from_millisecond(milliseconds.load(Ordering::SeqCst)).unwrap())
    }

    pub fn advance(&self, by: SignedDuration) {
        self.0.fetch_add(i64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

/// Numbers that only look random: a test makes the same ids every time.
pub fn predictable() -> Random {
    let state = Arc::new(AtomicU64::new(1));
    Random::new(move |buffer| {
        for chunk in buffer.chunks_mut(8) {
            // SplitMix64.
            let mut z = state.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            chunk.copy_from_slice(&(z ^ (z >> 31)).to_be_bytes()[..chunk.len()]);
        }
    })
}

impl Stack {
    pub async fn start() -> Self {
        Self::start_at(Clock::fixed(now())).await
    }

    pub async fn start_at(clock: Clock) -> Self {
        install_tls();
        let emulators = Emulators::start_at(Config::ephemeral(), clock.clone()).await.unwrap();
        let template = Template::read();
        let mut names = Names::default();
        for (name, value) in [
            ("AWS::AccountId", ACCOUNT),
            ("AWS::Partition", "aws"),
            ("AWS::Region", REGION),
            ("AWS::URLSuffix", "amazonaws.com"),
            ("LiveApi", LIVE_API),
        ] {
            names.set(name, value);
        }
        for (name, parameter) in template.parameters() {
            // A number's default is one.
            let default = &parameter["Default"];
            names.set(name, default.as_str().map_or_else(|| default.to_string(), str::to_owned));
        }
        for (id, _) in template.of_type("AWS::SecretsManager::Secret") {
            names.set(id, emulators.secrets().put(id, "{}").await.unwrap());
        }
        for (id, _) in template.of_type("AWS::KMS::Key") {
            names.set(format!("{id}.Arn"), format!("arn:aws:kms:{REGION}:{ACCOUNT}:key/{id}"));
        }
        // Dead letters first: a redrive policy names a queue that there is.
        let mut queues: Vec<(&str, &Value)> = template.of_type("AWS::SQS::Queue").collect();
        queues.sort_by_key(|(_, properties)| properties.get("RedrivePolicy").is_some());
        for (id, properties) in queues {
            let spec = queue_spec(&template, id, properties);
            names.set(id, format!("{}/{ACCOUNT}/{}", emulators.aws_url(), spec.name));
            names.set(format!("{id}.Arn"), format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{}", spec.name));
            emulators.queues().create(spec).await.unwrap();
        }
        for (id, properties) in template.of_type("AWS::S3::Bucket") {
            let name = id.to_lowercase();
            let versioned = properties["VersioningConfiguration"]["Status"] == "Enabled";
            let spec = BucketSpec { versioned, ..BucketSpec::plain(&name) };
            emulators.create_bucket(spec).await.unwrap();
            names.set(format!("{id}.Arn"), format!("arn:aws:s3:::{name}"));
            names.set(id, name);
        }
        for (id, _) in template.of_type("AWS::KMS::Key") {
            names.set(format!("{id}.Arn"), format!("arn:aws:kms:{REGION}:{ACCOUNT}:key/{id}"));
        }
        let http = reqwest::Client::new();
        for (id, properties) in template.of_type("AWS::DynamoDB::Table") {
            create_table(&http, &emulators.dynamodb_url(), id, properties).await;
            names.set(format!("{id}.Arn"), format!("arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{id}"));
            names.set(id, id);
        }
        Self { emulators, template, names, clock, random: predictable() }
    }

    /// The settings that Lambda itself gives, with every service at `aws` and DynamoDB at `dynamodb`.
    pub fn runtime_settings(dynamodb: &str, aws: &str) -> BTreeMap<String, String> {
        let mut settings = BTreeMap::from([
            ("AWS_REGION".to_owned(), REGION.to_owned()),
            ("AWS_ACCESS_KEY_ID".to_owned(), ACCESS_KEY_ID.to_owned()),
            ("AWS_SECRET_ACCESS_KEY".to_owned(), SECRET_ACCESS_KEY.to_owned()),
            ("AWS_ENDPOINT_URL_DYNAMODB".to_owned(), dynamodb.to_owned()),
        ]);
        for service in ["S3", "SQS", "SECRETS_MANAGER"] {
            settings.insert(format!("AWS_ENDPOINT_URL_{service}"), aws.to_owned());
        }
        settings
    }

    /// The cloud with every function's variables: for those who look from outside.
    pub fn cloud(&self) -> Cloud {
        let mut settings = Self::runtime_settings(&self.emulators.dynamodb_url(), &self.emulators.aws_url());
        for function in self.template.functions() {
            for (name, value) in function.variables() {
                settings.insert(name.clone(), self.names.text(value));
            }
        }
        Cloud::new(Settings::new(settings), self.clock.clone(), self.random.clone())
    }

    pub fn store(&self) -> Store {
        self.cloud().store(&TABLES).unwrap()
    }

    pub fn engine(&self) -> Arc<dyn Engine> {
        self.cloud().engine(&TABLES).unwrap()
    }
}

/// The queue's name: its logical id, with the ending that a FIFO queue has to have.
pub fn queue_name(template: &Template, id: &str) -> String {
    let fifo =
        template.of_type("AWS::SQS::Queue").any(|(known, queue)| known == id && queue["FifoQueue"] == true);
    if fifo { format!("{id}.fifo") } else { id.to_owned() }
}

/// A queue as the template describes it; what it does not say is as SQS has it.
fn queue_spec(template: &Template, id: &str, properties: &Value) -> QueueSpec {
    let seconds = |name: &str| properties[name].as_u64().map(Duration::from_secs);
    let redrive = properties.get("RedrivePolicy").map(|policy| Redrive {
        queue: queue_name(template, target(&policy["deadLetterTargetArn"]).unwrap()),
        max_receives: u32::try_from(policy["maxReceiveCount"].as_u64().unwrap()).unwrap(),
    });
    let defaults = QueueSpec::standard(queue_name(template, id));
    QueueSpec {
        fifo: properties["FifoQueue"] == true,
        visibility: seconds("VisibilityTimeout").unwrap_or(defaults.visibility),
        retention: seconds("MessageRetentionPeriod").unwrap_or(defaults.retention),
        redrive,
        ..defaults
    }
}

async fn create_table(http: &reqwest::Client, url: &str, id: &str, properties: &Value) {
    let mut table = json!({
        "TableName": id,
        "BillingMode": properties["BillingMode"],
        "AttributeDefinitions": properties["AttributeDefinitions"],
        "KeySchema": properties["KeySchema"],
    });
    if let Some(indexes) = properties.get("GlobalSecondaryIndexes") {
        table["GlobalSecondaryIndexes"] = indexes.clone();
    }
    if let Some(stream) = properties.get("StreamSpecification") {
        table["StreamSpecification"] =
            json!({ "StreamEnabled": true, "StreamViewType": stream["StreamViewType"] });
    }
    let credential = format!("Credential={ACCESS_KEY_ID}/20261122/{REGION}/dynamodb/aws4_request");
    let answer = http
        .post(url)
        .header("content-type", "application/x-amz-json-1.0")
        .header("x-amz-target", "DynamoDB_20120810.CreateTable")
        .header("x-amz-date", "20261122T093000Z")
        .header("authorization", format!("AWS4-HMAC-SHA256 {credential}, SignedHeaders=host, Signature=none"))
        .body(table.to_string())
        .send()
        .await
        .unwrap();
    assert!(answer.status().is_success(), "{id}: {}", answer.text().await.unwrap());
}

/// reqwest is built without a provider of its own.
fn install_tls() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}
