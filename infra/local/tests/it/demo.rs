//! The real template with the real functions and the demo, as `portico-local` starts it.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use fake_salesforce::RequestKind;
use portico_local::demo::PASSWORD;
use portico_local::{LocalCloud, Options};
use reqwest::StatusCode;
use serde_json::{Value as Json, json};

use crate::support::{aws, http};

fn options(data: &Path) -> Options {
    let template = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../template.yaml");
    let functions = portico_local::functions::of_the_workspace();
    Options { demo: true, data: Some(data.to_owned()), ..Options::ephemeral(template, functions) }
}

async fn sign_in(cloud: &LocalCloud, email: &str) -> String {
    let attempt = json!({ "AuthFlow": "USER_PASSWORD_AUTH", "ClientId": cloud.pools()["UserPool"].client_id,
        "AuthParameters": { "USERNAME": email, "PASSWORD": PASSWORD } });
    let target = "AWSCognitoIdentityProviderService.InitiateAuth";
    let answer = aws(&cloud.addresses().aws, target, attempt).await;
    answer["AuthenticationResult"]["AccessToken"].as_str().unwrap().to_owned()
}

async fn subjects(cloud: &LocalCloud, email: &str) -> Vec<String> {
    let token = sign_in(cloud, email).await;
    let answer =
        http().get(format!("{}/cases", cloud.addresses().api)).bearer_auth(token).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK, "{email}");
    let body: Json = answer.json().await.unwrap();
    let items = body["items"].as_array().unwrap();
    items.iter().map(|case| case["subject"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_signs_in_and_sees_their_companys_cases_and_a_restart_repeats_nothing() {
    let data = tempfile::tempdir().unwrap();
    let cloud = LocalCloud::start(options(data.path())).await.unwrap();
    let people: Vec<_> = cloud.sign_ins().iter().map(|person| person.email.clone()).collect();
    assert_eq!(people.len(), 7);
    for email in &people {
        sign_in(&cloud, email).await;
    }
    let nordhaven = subjects(&cloud, "mara.lindqvist@nordhaven.example").await;
    let brightwater = subjects(&cloud, "priya.shah@brightwater.example").await;
    assert_eq!((nordhaven.len(), brightwater.len()), (3, 3));
    assert!(nordhaven.iter().all(|subject| !brightwater.contains(subject)));
    // Who pays sees the bills, and of the cases only their own.
    assert!(subjects(&cloud, "ines.albrecht@nordhaven.example").await.is_empty());
    assert!(cloud.salesforce().unwrap().requests(RequestKind::Query) > 0);

    // What opens something lies in files of its owner, and is not told on the page.
    for file in ["demo/salesforce.pem", "demo/webhook-path"] {
        let mode = std::fs::metadata(data.path().join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    let path = std::fs::read_to_string(data.path().join("demo/webhook-path")).unwrap();
    let page = http().get(&cloud.addresses().web).send().await.unwrap().text().await.unwrap();
    let health = http().get(format!("{}/_local/health", cloud.addresses().api)).send().await.unwrap();
    assert!(!page.contains(&path) && !health.text().await.unwrap().contains(&path));
    cloud.shutdown().await;

    let cloud = LocalCloud::start(options(data.path())).await.unwrap();
    assert_eq!(cloud.salesforce().unwrap().requests(RequestKind::Query), 0, "nothing is read again");
    assert_eq!(subjects(&cloud, "mara.lindqvist@nordhaven.example").await, nordhaven);
    assert_eq!(std::fs::read_to_string(data.path().join("demo/webhook-path")).unwrap(), path);
    cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_needs_what_the_real_template_has() {
    let mut options = crate::support::Script::new().options();
    options.demo = true;
    let error = LocalCloud::start(options).await.err().unwrap().to_string();
    assert!(error.contains("WebhookReceiver"), "{error}");
}
