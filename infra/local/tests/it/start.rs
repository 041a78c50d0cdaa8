//! Starting: what a function is told, what is refused with which words, and `/_local`.

use std::sync::{Arc, Mutex};

use portico_aws::{BootError, Cloud, Function};
use portico_local::functions::Functions;
use portico_local::ports::Door;
use portico_local::{LocalCloud, Options};
use reqwest::StatusCode;
use serde_json::{Value as Json, json};

use crate::support::{Script, http, template, written};

/// What starting ends with.
async fn refusal(options: Options) -> String {
    match LocalCloud::start(options).await {
        Ok(_) => panic!("it started"),
        Err(error) => error.to_string(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_is_told_what_the_template_says_and_what_lambda_plants() {
    let told = Arc::new(Mutex::new(None));
    let kept = Arc::clone(&told);
    let (script, _) = Script::new().on("webhook", |_| Ok(json!(null)));
    let functions = script.functions().with("door", move |cloud: Cloud| {
        *kept.lock().unwrap() = Some(cloud.settings().clone());
        async { Ok::<_, BootError>(Function::event(|_: Json, _| async { Ok::<_, String>(json!(null)) })) }
    });
    let cloud = LocalCloud::start(Options::ephemeral(template(), functions)).await.unwrap();
    let told = told.lock().unwrap().take().unwrap();
    let addresses = cloud.addresses();
    for (name, value) in [
        ("TABLE", "portico-Ledger"),
        ("BUCKET", "portico-files"),
        ("QUEUE_URL", &format!("{}/000000000000/portico-Work", addresses.aws)),
        ("SECRET", "arn:aws:secretsmanager:eu-central-1:000000000000:secret:portico-Secret"),
        ("PUSH_URL", &addresses.live.replace("ws://", "http://")),
        ("AWS_REGION", "eu-central-1"),
        ("AWS_LAMBDA_FUNCTION_NAME", "portico-Door"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
        ("AWS_ENDPOINT_URL_DYNAMODB", &addresses.dynamodb),
        ("AWS_ENDPOINT_URL_S3", &addresses.aws),
        ("AWS_ENDPOINT_URL_SQS", &addresses.aws),
        ("AWS_ENDPOINT_URL_SECRETS_MANAGER", &addresses.aws),
    ] {
        assert_eq!(told.text(name).unwrap(), value, "{name}");
    }
    // Neither this process's variables nor those of other functions.
    for name in ["PATH", "HOME", "CARGO_MANIFEST_DIR", "OUTBOX_TABLE"] {
        assert_eq!(told.optional(name), None, "{name}");
    }
    cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn health_knows_every_part_and_local_paths_never_reach_a_function() {
    let (script, seen) = Script::new().on("door", |_| Ok(json!({ "statusCode": 200 })));
    let cloud = script.start().await;
    let api = &cloud.addresses().api;
    let get = async |path: &str| http().get(format!("{api}{path}")).send().await.unwrap();

    let health = get("/_local/health").await;
    assert_eq!(health.status(), StatusCode::OK);
    let health: Json = health.json().await.unwrap();
    assert_eq!(health["status"], "ok");
    assert_eq!(health["parts"]["functions"]["count"], 7);
    assert_eq!(health["parts"]["queues"]["count"], 4);
    assert_eq!(health["parts"]["streams"]["count"], 1);
    assert!(
        health["parts"]["routes"]["routes"]
            .as_array()
            .unwrap()
            .contains(&json!({ "method": "GET", "path": "/items/{itemId}", "function": "Door" }))
    );
    let queues: Json = get("/_local/queues").await.json().await.unwrap();
    assert_eq!(queues["queues"]["portico-Work"], json!({ "visible": 0, "in_flight": 0, "delayed": 0 }));
    let mail: Json = get("/_local/mail").await.json().await.unwrap();
    assert_eq!(mail, json!({ "mails": [] }));
    for path in ["/_local/openapi.json", "/_local/nothing", "/_local/a/b"] {
        assert_eq!(get(path).await.status(), StatusCode::NOT_FOUND, "{path}");
    }
    // The API's description as a page: whatever it loads is here, and nothing is elsewhere.
    assert_eq!(get("/_local/docs").await.headers()["location"], "/_local/docs/");
    let docs = get("/_local/docs/").await;
    assert!(docs.headers()["content-security-policy"].to_str().unwrap().starts_with("default-src 'self';"));
    let html = docs.text().await.unwrap();
    assert!(!html.contains("http://") && !html.contains("https://"), "{html}");
    let parts: Vec<&str> = html
        .split(['"', '\''])
        .filter_map(|part| part.strip_prefix("./").or_else(|| part.ends_with(".css").then_some(part)))
        .collect();
    assert!(parts.len() >= 4, "{html}");
    for part in parts {
        let answer = get(&format!("/_local/docs/{part}")).await;
        assert_eq!(answer.status(), StatusCode::OK, "{part}");
    }
    let script = get("/_local/docs/swagger-initializer.js").await.text().await.unwrap();
    assert!(script.contains("/_local/openapi.json"), "{script}");
    assert_eq!(get("/_local/docs/nothing.js").await.status(), StatusCode::NOT_FOUND);
    // A name that somebody else's page made the browser believe in.
    let request = http().get(format!("{api}/_local/mail")).header("host", "evil.example:4000");
    assert_eq!(request.send().await.unwrap().status(), StatusCode::FORBIDDEN);
    assert_eq!(seen.count(), 0);

    let page = http().get(&cloud.addresses().web).send().await.unwrap();
    assert!(page.headers()["content-type"].to_str().unwrap().starts_with("text/html"));
    assert!(page.text().await.unwrap().contains(api));
    cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_in_use_is_named_with_its_purpose_and_what_moves_it() {
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = taken.local_addr().unwrap().port();
    for door in [Door::Web, Door::Api, Door::Live, Door::Webhook, Door::Aws, Door::DynamoDb] {
        let mut options = Script::new().options();
        options.ports.set(door, port);
        let message = refusal(options).await;
        for part in [port.to_string().as_str(), door.purpose(), door.flag(), door.variable()] {
            assert!(message.contains(part), "{message} does not say {part}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_template_lacks_is_an_error_with_its_place() {
    let function = "Metadata: { BuildProperties: { Binary: door } }";
    let worker = |events: &str| {
        format!(
            "Resources:\n  F:\n    Type: AWS::Serverless::Function\n    {function}\n    Properties:\n      Events: {{ E: {events} }}\n"
        )
    };
    for (text, expected) in [
        (
            "Resources: { F: { Type: AWS::Serverless::Function, Metadata: { BuildProperties: { Binary: nobody } } } }".to_owned(),
            "F: there is no crate for the binary nobody",
        ),
        (worker("{ Type: SQS, Properties: { Queue: \"arn:aws:sqs:eu-central-1:000000000000:elsewhere\" } }"), "F: arn:aws:sqs:eu-central-1:000000000000:elsewhere is not in the template"),
        (worker("{ Type: DynamoDB, Properties: { Stream: nothing, StartingPosition: LATEST } }"), "F: nothing is not in the template"),
        (worker("{ Type: Api, Properties: { RestApiId: Other, Path: /, Method: get } }") + "  Api: { Type: AWS::Serverless::Api, Properties: { StageName: v1 } }\n", "F: Other is not in the template"),
        (worker("{ Type: Schedule, Properties: { Schedule: daily } }"), "F: the schedule `daily` is not understood"),
        (worker("{ Type: EventBridgeRule, Properties: { Pattern: { source: aws.s3 } } }"), "F: the pattern's `source`"),
        (worker("{ Type: Api, Properties: { RestApiId: Api, Path: \"/{proxy+}\", Method: get } }") + "  Api: { Type: AWS::Serverless::Api, Properties: { StageName: v1 } }\n", "Api: the segment `{proxy+}` is not known"),
        ("Resources:\n  A: { Type: AWS::Serverless::Api, Properties: { StageName: v1 } }\n  B: { Type: AWS::Serverless::Api, Properties: { StageName: v1 } }\n".to_owned(), "the local cloud serves one REST API"),
        ("Resources:\n  Q: { Type: AWS::SQS::Queue, Properties: { RedrivePolicy: { deadLetterTargetArn: nowhere, maxReceiveCount: 3 } } }\n".to_owned(), "the queue Q: its dead letters go to nowhere"),
        ("Resources:\n  P: { Type: AWS::Cognito::UserPool }\n".to_owned(), "the user pool P has 0 clients"),
    ] {
        let (_directory, path) = written(&text);
        let (script, _) = Script::new().on("door", |_| Ok(json!(null)));
        let message = refusal(Options::ephemeral(path, script.functions())).await;
        assert!(message.contains(expected), "`{message}` does not contain `{expected}`");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_misses_a_variable_stops_the_start() {
    let (_directory, path) = written(
        "Resources: { F: { Type: AWS::Serverless::Function, Metadata: { BuildProperties: { Binary: needy } } } }",
    );
    let needy = |cloud: Cloud| async move {
        cloud.settings().text("NEEDED")?;
        Ok::<_, BootError>(Function::event(|_: Json, _| async { Ok::<_, String>(json!(null)) }))
    };
    let message = refusal(Options::ephemeral(path, Functions::default().with("needy", needy))).await;
    assert_eq!(message, "F does not start: the variable NEEDED is not set");
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_filled_before_functions_start_and_must_be_in_the_template() {
    let (script, _) = Script::new().on("door", |_| Ok(json!(null)));
    let mut options = script.options();
    options.secrets.insert("Secret".to_owned(), "{\"a\":1}".to_owned());
    let cloud = LocalCloud::start(options).await.unwrap();
    assert_eq!(cloud.emulators().secrets().get("portico-Secret").await.unwrap(), "{\"a\":1}");
    cloud.shutdown().await;

    let mut options = Script::new().options();
    options.secrets.insert("Other".to_owned(), "x".to_owned());
    assert!(refusal(options).await.contains("the secret Other, which the template does not have"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_directory_is_used_again_and_by_one_process_at_a_time() {
    let directory = tempfile::tempdir().unwrap();
    let options = || {
        let mut options = Script::new().options();
        options.data = Some(directory.path().to_owned());
        options
    };
    let cloud = LocalCloud::start(options()).await.unwrap();
    let pool = cloud.pools()["UserPool"].clone();
    assert!(refusal(options()).await.contains("in use by another process"));
    cloud.shutdown().await;
    let cloud = LocalCloud::start(options()).await.unwrap();
    assert_eq!(cloud.pools()["UserPool"], pool_at(&pool, &cloud));
    cloud.shutdown().await;

    // Keys and indexes of a table that exists are not changed silently.
    let text = std::fs::read_to_string(template()).unwrap();
    let (_changed_directory, path) = written(&text.replace("IndexName: by-owner", "IndexName: by-somebody"));
    let mut changed = options();
    changed.template = path;
    assert!(refusal(changed).await.contains("the table Ledger has changed in the template"));
}

/// The same pool; only its keys are served under the new port.
fn pool_at(pool: &portico_emulators::Pool, cloud: &LocalCloud) -> portico_emulators::Pool {
    let mut pool = pool.clone();
    pool.jwks_url = cloud.pools()["UserPool"].jwks_url.clone();
    pool
}
