//! Secrets Manager.

use crate::support::{Clients, browser, start};

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_keeps_the_previous_value_within_reach() {
    let emulators = start().await;
    let client = Clients::of(&emulators).secrets;
    let created = client.create_secret().name("portico/webhook").secret_string("one").send().await.unwrap();
    let arn = created.arn().unwrap();
    assert!(
        arn.starts_with("arn:aws:secretsmanager:eu-central-1:000000000000:secret:portico/webhook-"),
        "{arn}"
    );
    assert!(
        client
            .create_secret()
            .name("portico/webhook")
            .secret_string("x")
            .send()
            .await
            .unwrap_err()
            .into_service_error()
            .is_resource_exists_exception()
    );

    client.put_secret_value().secret_id(arn).secret_string("two").send().await.unwrap();
    let current = client.get_secret_value().secret_id("portico/webhook").send().await.unwrap();
    assert_eq!(current.secret_string(), Some("two"));
    assert_eq!(current.version_stages(), ["AWSCURRENT"]);
    let previous =
        client.get_secret_value().secret_id(arn).version_stage("AWSPREVIOUS").send().await.unwrap();
    assert_eq!(previous.secret_string(), Some("one"));
    assert_eq!(previous.version_id(), created.version_id());
    let described = client.describe_secret().secret_id(arn).send().await.unwrap();
    assert_eq!(described.version_ids_to_stages().unwrap().len(), 2);

    assert!(
        client
            .get_secret_value()
            .secret_id("portico/other")
            .send()
            .await
            .unwrap_err()
            .into_service_error()
            .is_resource_not_found_exception()
    );
    assert_eq!(emulators.secrets().get("portico/webhook").await.unwrap(), "two");
    emulators.secrets().put("portico/stripe", "three").await.unwrap();
    let value = client.get_secret_value().secret_id("portico/stripe").send().await.unwrap();
    assert_eq!(value.secret_string(), Some("three"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_token_twice_is_one_version() {
    let emulators = start().await;
    let client = Clients::of(&emulators).secrets;
    client.create_secret().name("a").secret_string("one").send().await.unwrap();
    let token = "11111111-1111-4111-8111-111111111111";
    for _ in 0..2 {
        let put = client.put_secret_value().secret_id("a").secret_string("two").client_request_token(token);
        assert_eq!(put.send().await.unwrap().version_id(), Some(token));
    }
    let previous =
        client.get_secret_value().secret_id("a").version_stage("AWSPREVIOUS").send().await.unwrap();
    assert_eq!(previous.secret_string(), Some("one"));
    let other = client.put_secret_value().secret_id("a").secret_string("three").client_request_token(token);
    assert!(other.send().await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_without_the_local_key_gets_no_secret() {
    let emulators = start().await;
    emulators.secrets().put("a", "one").await.unwrap();
    let ask = browser()
        .post(emulators.aws_url())
        .header("x-amz-target", "secretsmanager.GetSecretValue")
        .header("content-type", "application/x-amz-json-1.1")
        .body(r#"{"SecretId":"a"}"#);
    let answer = ask.send().await.unwrap();
    assert_eq!(answer.status(), 403);
    assert!(answer.text().await.unwrap().contains("UnrecognizedClientException"));
}
