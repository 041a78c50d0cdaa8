//! EventBridge: rules for new objects, and schedules.

use std::sync::atomic::{AtomicUsize, Ordering};

use portico_domain::Clock;
use portico_emulators::Emulators;
use portico_local::events::asynchronous::Inbox;
use portico_local::events::bridge::Timer;
use portico_local::events::schedule::Schedule;
use portico_local::stop::Stopper;
use portico_local::{LocalCloud, identity};
use serde_json::{Value as Json, json};

use crate::support::{Script, bucket, messages, put_object, until};

async fn upload(cloud: &LocalCloud, bucket: &str, key: &str) {
    put_object(&cloud.addresses().aws, cloud.reference(bucket).unwrap(), key, "hello").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_object_is_told_as_eventbridge_tells_it() {
    let (script, seen) = Script::new().on("receiver", |_| Ok(json!(null)));
    let cloud = script.start().await;
    upload(&cloud, "Quiet", "not told").await;
    upload(&cloud, "Files", "accounts/a b/ü.txt").await;
    let event = &seen.wait_for(1).await[0];
    assert_eq!((&event["source"], &event["detail-type"]), (&json!("aws.s3"), &json!("Object Created")));
    assert_eq!(event["version"], "0");
    let detail = &event["detail"];
    assert_eq!(detail["bucket"]["name"], cloud.reference("Files").unwrap());
    // Unlike in a notification to a queue, the key is as it is.
    assert_eq!(detail["object"]["key"], "accounts/a b/ü.txt");
    assert_eq!(detail["object"]["size"], 5);
    assert_eq!(detail["reason"], "PutObject");
    // The template's bucket has versions.
    assert!(detail["object"]["version-id"].is_string(), "{detail}");
    assert_eq!(detail["object"]["etag"], "5d41402abc4b2a76b9719d911017c592");
    assert!(detail["object"]["sequencer"].is_string() && event["time"].as_str().unwrap().ends_with('Z'));
    let typed: aws_lambda_events::eventbridge::EventBridgeEvent =
        serde_json::from_value(event.clone()).unwrap();
    assert_eq!(typed.source, "aws.s3");
    assert_eq!(seen.count(), 1);
    cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_are_told_once_when_they_are_one_object() {
    let (script, seen) = Script::new().on("receiver", |_| Ok(json!(null)));
    let cloud = script.start().await;
    let files = bucket(&cloud.addresses().aws, cloud.reference("Files").unwrap());
    let mut writer = files.writer("accounts/a/large", "text/plain").await.unwrap();
    writer.write(vec![b'a'; 17 * 1024 * 1024].into()).await.unwrap();
    upload(&cloud, "Files", "after the parts").await;
    let event = &seen.wait_for(1).await[0];
    assert_eq!(event["detail"]["object"]["key"], "after the parts");
    writer.finish().await.unwrap();
    let detail = &seen.wait_for(2).await[1]["detail"];
    assert_eq!(detail["object"]["key"], "accounts/a/large");
    assert_eq!(detail["object"]["size"], 17 * 1024 * 1024);
    assert_eq!(detail["reason"], "CompleteMultipartUpload");
    assert!(detail["object"]["etag"].as_str().unwrap().ends_with("-2"), "{detail}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_tried_three_times_and_then_kept_for_people() {
    let (script, seen) = Script::new().on("receiver", |_| Err("as the test asked".to_owned()));
    let cloud = script.start().await;
    upload(&cloud, "Files", "one").await;
    let record: Json = serde_json::from_str(&messages(&cloud, "Unreceived", 1).await[0]).unwrap();
    assert_eq!(record["requestContext"]["condition"], "RetriesExhausted");
    assert_eq!(record["requestContext"]["approximateInvokeCount"], 3);
    assert_eq!(record["requestPayload"]["detail"]["object"]["key"], "one");
    assert_eq!(record["responsePayload"]["errorMessage"], "as the test asked");
    assert_eq!(seen.count(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_attempt_is_enough() {
    let calls = AtomicUsize::new(0);
    let (script, seen) = Script::new().on("receiver", move |_| match calls.fetch_add(1, Ordering::Relaxed) {
        0 => Err("as the test asked".to_owned()),
        _ => Ok(json!(null)),
    });
    let cloud = script.start().await;
    upload(&cloud, "Files", "one").await;
    seen.wait_for(2).await;
    let inbox = "_async-Receiver";
    until("an empty inbox", async || {
        let depth = cloud.emulators().queues().depth(inbox).await.unwrap();
        depth.visible + depth.in_flight + depth.delayed == 0
    })
    .await;
    assert_eq!(cloud.emulators().queues().depth(&identity::name("Unreceived")).await.unwrap().visible, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_fires_whenever_its_time_has_come() {
    let emulators = Emulators::start(portico_emulators::Config::ephemeral()).await.unwrap();
    let (script, _) = Script::new().on("door", |_| Ok(json!(null)));
    let lambda = portico_local::lambda::Lambda::new(
        "Ticker",
        script
            .functions()
            .boot(
                "door",
                portico_aws::Cloud::new(
                    portico_aws::Settings::default(),
                    portico_aws::system_clock(),
                    portico_aws::system_random(),
                ),
            )
            .await
            .unwrap()
            .unwrap(),
        std::time::Duration::from_secs(1),
        portico_local::lambda::Concurrency::new(1),
        portico_aws::system_clock(),
        portico_aws::system_random(),
    );
    let queues = emulators.queues().clone();
    let inbox = Inbox::open(&lambda, std::time::Duration::from_secs(1), queues.clone()).await.unwrap();
    // A clock that leaps three minutes each time it is read.
    let start: jiff::Timestamp = "2026-11-22T05:58:00Z".parse().unwrap();
    let reads = AtomicUsize::new(0);
    let clock = Clock::new(move || {
        let minutes = 3 * i64::try_from(reads.fetch_add(1, Ordering::Relaxed)).unwrap();
        start + jiff::SignedDuration::from_mins(minutes)
    });
    let stopper = Stopper::default();
    let timer = Timer {
        schedule: Schedule::parse("cron(0 6 * * ? *)").unwrap(),
        input: None,
        function: "Ticker".to_owned(),
        inbox,
    };
    let ticking = tokio::spawn(timer.run(clock, portico_aws::system_random(), stopper.stop()));
    until("a scheduled event", async || !queues.peek("_async-Ticker", 10).await.unwrap().is_empty()).await;
    let body = queues.peek("_async-Ticker", 10).await.unwrap().remove(0).body;
    let event: Json = serde_json::from_str(&body).unwrap();
    assert_eq!(event["detail-type"], "Scheduled Event");
    assert_eq!(event["time"], "2026-11-22T06:00:00Z");
    stopper.now();
    ticking.await.unwrap();
}
