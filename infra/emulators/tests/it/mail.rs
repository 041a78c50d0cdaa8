//! SES v2 and the mailbox.

use std::time::Duration;

use portico_emulators::ACCESS_KEY_ID;
use serde_json::{Value, json};

use crate::support::{browser, start};

/// As the SDK for SES v2 sends it; that SDK is not a dependency of the workspace.
async fn send(url: &str, body: Value) -> reqwest::Response {
    browser()
        .post(format!("{url}/v2/email/outbound-emails"))
        .header(
            "authorization",
            format!("AWS4-HMAC-SHA256 Credential={ACCESS_KEY_ID}/20261122/eu-central-1/ses/aws4_request"),
        )
        .header("content-type", "application/json")
        .body(body.to_string())
        .send()
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_is_kept_for_whoever_waits_for_it() {
    let emulators = start().await;
    let mailbox = emulators.mailbox().clone();
    let waiting = tokio::spawn(async move {
        mailbox.wait_for("Client@Example.com", 0, Duration::from_secs(5)).await.unwrap()
    });
    let answer = send(
        &emulators.aws_url(),
        json!({
            "FromEmailAddress": "portal@example.com",
            "Destination": { "ToAddresses": ["client@example.com"], "BccAddresses": ["archive@example.com"] },
            "Content": { "Simple": {
                "Subject": { "Data": "Your invoice", "Charset": "UTF-8" },
                "Body": { "Text": { "Data": "EUR 12.00" }, "Html": { "Data": "<p>EUR 12.00</p>" } },
            }},
        }),
    )
    .await;
    assert_eq!(answer.status(), 200);
    let answer: Value = answer.json().await.unwrap();
    let mail = waiting.await.unwrap().unwrap();
    assert_eq!(answer["MessageId"], mail.id.as_str());
    assert_eq!((mail.source.as_str(), mail.subject.as_str()), ("ses", "Your invoice"));
    assert_eq!(mail.to, ["client@example.com", "archive@example.com"]);
    assert_eq!(mail.text.as_deref(), Some("EUR 12.00"));
    assert_eq!(mail.html.as_deref(), Some("<p>EUR 12.00</p>"));

    assert_eq!(emulators.mailbox().list(Some("archive@example.com"), 10).await.unwrap().len(), 1);
    assert!(emulators.mailbox().list(Some("nobody@example.com"), 10).await.unwrap().is_empty());
    emulators.mailbox().clear().await.unwrap();
    assert!(emulators.mailbox().list(None, 10).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_that_ses_would_refuse_is_refused() {
    let emulators = start().await;
    let content = json!({ "Simple": { "Subject": { "Data": "x" }, "Body": { "Text": { "Data": "x" } } } });
    for body in [
        json!({ "FromEmailAddress": "portal@example.com", "Destination": {}, "Content": content }),
        json!({ "FromEmailAddress": "portal", "Destination": { "ToAddresses": ["a@b.c"] }, "Content": content }),
        json!({ "FromEmailAddress": "a@b.c", "Destination": { "ToAddresses": ["a@b.c"] }, "Content": {} }),
    ] {
        let answer = send(&emulators.aws_url(), body.clone()).await;
        assert_eq!(answer.status(), 400, "{body}");
        assert_eq!(answer.headers()["x-amzn-errortype"], "BadRequestException");
    }
    assert!(emulators.mailbox().list(None, 10).await.unwrap().is_empty());
}
