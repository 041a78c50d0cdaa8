//! S3: links by a clock that is not the machine's.

use std::time::{Duration, SystemTime};

use aws_sdk_s3::Client;
use aws_sdk_s3::presigning::{PresignedRequest, PresigningConfig};
use jiff::Timestamp;
use portico_emulators::BucketSpec;
use reqwest::StatusCode;

use crate::support::{Clients, ManualClock, browser, start_with};

const BUCKET: &str = "portico-files";
const MINUTE: Duration = Duration::from_secs(60);

/// A PUT of five bytes, signed at a time, for five minutes.
async fn signed(client: &Client, at: Timestamp) -> PresignedRequest {
    let config =
        PresigningConfig::builder().start_time(SystemTime::from(at)).expires_in(MINUTE * 5).build().unwrap();
    let put = client.put_object().bucket(BUCKET).key("a file+ü.txt").content_length(5);
    put.content_type("text/plain").presigned(config).await.unwrap()
}

#[expect(clippy::disallowed_methods, reason = "this is about the machine's own time")]
fn machines_time() -> Timestamp {
    Timestamp::now()
}

async fn upload(url: &str, content: &'static str, content_type: &str) -> StatusCode {
    browser().put(url).header("content-type", content_type).body(content).send().await.unwrap().status()
}

#[tokio::test(flavor = "multi_thread")]
async fn case_f06_links_lapse_by_the_clock_of_the_emulators() {
    let clock = ManualClock::new();
    let emulators = start_with(&clock).await;
    emulators.create_bucket(BucketSpec::plain(BUCKET)).await.unwrap();
    let client = Clients::of(&emulators).s3;
    let link = signed(&client, clock.clock().now()).await;
    let machines = signed(&client, machines_time()).await;

    assert_eq!(upload(link.uri(), "12345", "text/plain").await, 200);
    clock.advance(MINUTE * 4);
    assert_eq!(upload(link.uri(), "12345", "text/plain").await, 200);
    // What was signed is held against what is sent, as ever.
    assert_eq!(upload(link.uri(), "123456", "text/plain").await, 403);
    assert_eq!(upload(link.uri(), "12345", "text/html").await, 403);
    for (from, to) in [
        ("a%20file", "a%20life"),
        ("X-Amz-Expires=300", "X-Amz-Expires=3000"),
        ("X-Amz-Signature=", "X-Amz-Signature=0"),
        ("x-id=PutObject", "x-id=PutObject&x-amz-acl=public-read"),
    ] {
        let tampered = link.uri().replacen(from, to, 1);
        assert_ne!(tampered, link.uri(), "{from}");
        let refused = upload(&tampered, "12345", "text/plain").await;
        assert!(refused == 403 || refused == 400, "{to}: {refused}");
    }
    assert_eq!(browser().get(link.uri()).send().await.unwrap().status(), 403);
    clock.advance(MINUTE * 2);
    assert_eq!(upload(link.uri(), "12345", "text/plain").await, 403);
    // By their clock this one is of another time.
    assert_eq!(upload(machines.uri(), "12345", "text/plain").await, 403);
}
