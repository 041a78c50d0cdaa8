//! A whole cloud for each test, and functions whose behaviour a test writes down.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use portico_aws::{BootError, Bucket, Cloud, Function};
use portico_local::events::Delays;
use portico_local::functions::Functions;
use portico_local::{LocalCloud, Options};
use serde_json::{Value as Json, json};
use tokio::time::Instant;

/// Nothing in these tests takes longer unless it is broken.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// The template of most tests.
pub fn template() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/templates/cloud.yaml")
}

/// A template of a test's own, and the directory that holds it.
pub fn written(text: &str) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("template.yaml");
    std::fs::write(&path, text).unwrap();
    (directory, path)
}

/// Every event that a function was given.
#[derive(Clone, Default)]
pub struct Seen(Arc<Mutex<Vec<Json>>>);

impl Seen {
    pub fn all(&self) -> Vec<Json> {
        self.0.lock().unwrap().clone()
    }

    pub fn count(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    /// The first `count` events, as soon as there are as many.
    pub async fn wait_for(&self, count: usize) -> Vec<Json> {
        until(&format!("{count} events"), async || self.count() >= count).await;
        self.all()
    }
}

/// Waits until `condition` holds.
pub async fn until(what: &str, condition: impl AsyncFn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition().await {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Test functions under the names of the template; those that a test does not mention answer `null`.
pub struct Script {
    functions: Functions,
    seen: Seen,
}

impl Script {
    pub fn new() -> Self {
        let mut script = Self { functions: Functions::default(), seen: Seen::default() };
        for binary in ["door", "webhook", "listener", "worker", "follower", "receiver", "verdicts"] {
            (script, _) = script.on(binary, |_| Ok(json!(null)));
        }
        script
    }

    /// Lets a function answer by `behaviour`; also returns what it will have seen.
    pub fn on(
        self,
        binary: &str,
        behaviour: impl Fn(&Json) -> Result<Json, String> + Send + Sync + 'static,
    ) -> (Self, Seen) {
        let behaviour = Arc::new(behaviour);
        self.on_async(binary, move |event| {
            let behaviour = Arc::clone(&behaviour);
            async move { behaviour(&event) }
        })
    }

    /// As [`Script::on`], for behaviour that takes its time.
    pub fn on_async<F, Fut>(mut self, binary: &str, behaviour: F) -> (Self, Seen)
    where
        F: Fn(Json) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Json, String>> + Send + 'static,
    {
        let seen = Seen::default();
        let (behaviour, recorded) = (Arc::new(behaviour), seen.clone());
        self.functions = self.functions.with(binary, move |_: Cloud| {
            let (behaviour, recorded) = (Arc::clone(&behaviour), recorded.clone());
            async move {
                Ok::<_, BootError>(Function::event(move |event: Json, _| {
                    recorded.0.lock().unwrap().push(event.clone());
                    behaviour(event)
                }))
            }
        });
        self.seen = seen.clone();
        (self, seen)
    }

    pub fn functions(self) -> Functions {
        self.functions
    }

    pub fn options(self) -> Options {
        let mut options = Options::ephemeral(template(), self.functions);
        options.delays = Delays {
            asynchronous: [Duration::from_millis(10); 2],
            stream_first: Duration::from_millis(5),
            stream_longest: Duration::from_millis(20),
            scan_first: Duration::from_millis(5),
            scan_longest: Duration::from_millis(20),
        };
        options
    }

    pub async fn start(self) -> LocalCloud {
        LocalCloud::start(self.options()).await.unwrap()
    }
}

/// Any HTTP client, without proxies and redirects.
pub fn http() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap()
}

/// The `Authorization` header that names the emulators' key.
pub fn signed(service: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential={}/20260101/eu-central-1/{service}/aws4_request, SignedHeaders=host, Signature=x",
        portico_emulators::ACCESS_KEY_ID
    )
}

/// One operation of an AWS service that speaks JSON.
pub async fn aws(url: &str, target: &str, input: Json) -> Json {
    let (service, content_type) =
        if target.starts_with("DynamoDB") { ("dynamodb", "1.0") } else { ("cognito-idp", "1.1") };
    let answer = http()
        .post(url)
        .header("content-type", format!("application/x-amz-json-{content_type}"))
        .header("x-amz-target", target)
        .header("authorization", signed(service))
        .header("x-amz-date", "20260101T000000Z")
        .body(input.to_string())
        .send()
        .await
        .unwrap();
    let (status, text) = (answer.status(), answer.text().await.unwrap());
    assert!(status.is_success(), "{target}: {status} {text}");
    serde_json::from_str(&text).unwrap_or_default()
}

/// Puts an item with this id into the table of the template.
pub async fn put_item(cloud: &LocalCloud, id: &str) {
    let table = cloud.reference("Ledger").unwrap();
    let input = json!({ "TableName": table, "Item": { "id": { "S": id }, "owner": { "S": "o" } } });
    aws(&cloud.addresses().dynamodb, "DynamoDB_20120810.PutItem", input).await;
}

pub const EMAIL: &str = "person@example.com";
pub const PASSWORD: &str = "Correct-Horse-7!";

/// Tokens of a person who has just signed in: access token and ID token.
pub async fn sign_in(cloud: &LocalCloud) -> (String, String) {
    let url = &cloud.addresses().aws;
    let pool = &cloud.pools()["UserPool"];
    let cognito = |operation: &str| format!("AWSCognitoIdentityProviderService.{operation}");
    let who = json!({ "UserPoolId": pool.id, "Username": EMAIL, "MessageAction": "SUPPRESS",
        "UserAttributes": [{ "Name": "email", "Value": EMAIL }] });
    aws(url, &cognito("AdminCreateUser"), who).await;
    let password =
        json!({ "UserPoolId": pool.id, "Username": EMAIL, "Password": PASSWORD, "Permanent": true });
    aws(url, &cognito("AdminSetUserPassword"), password).await;
    let attempt = json!({ "AuthFlow": "USER_PASSWORD_AUTH", "ClientId": pool.client_id,
        "AuthParameters": { "USERNAME": EMAIL, "PASSWORD": PASSWORD } });
    let answer = aws(url, &cognito("InitiateAuth"), attempt).await;
    let token = |name: &str| answer["AuthenticationResult"][name].as_str().unwrap().to_owned();
    (token("AccessToken"), token("IdToken"))
}

/// The bodies of the messages of a queue, once there are as many.
pub async fn messages(cloud: &LocalCloud, logical_id: &str, count: usize) -> Vec<String> {
    let queue = portico_local::identity::name(logical_id);
    let queues = cloud.emulators().queues();
    until(&format!("{count} messages in {logical_id}"), async || {
        queues.peek(&queue, 100).await.unwrap().len() >= count
    })
    .await;
    queues.peek(&queue, 100).await.unwrap().into_iter().map(|message| message.body).collect()
}

/// Puts an object.
pub async fn put_object(aws_url: &str, name: &str, key: &str, body: impl Into<Vec<u8>>) {
    bucket(aws_url, name).put(key, "text/plain", body.into().into()).await.unwrap();
}

/// A bucket, as a function has it.
pub fn bucket(aws_url: &str, name: &str) -> Bucket {
    let settings = [
        ("AWS_REGION", "eu-central-1"),
        ("AWS_ACCESS_KEY_ID", portico_emulators::ACCESS_KEY_ID),
        ("AWS_SECRET_ACCESS_KEY", portico_emulators::SECRET_ACCESS_KEY),
        ("AWS_ENDPOINT_URL_S3", aws_url),
        ("BUCKET", name),
    ];
    let settings = settings.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let cloud = Cloud::new(
        portico_aws::Settings::new(settings),
        portico_aws::system_clock(),
        portico_aws::system_random(),
    );
    cloud.bucket("BUCKET").unwrap()
}
