//! SQS event source mappings.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use aws_lambda_events::sqs::SqsEvent;
use portico_emulators::{Depth, NewMessage};
use portico_local::{LocalCloud, Options, identity};
use serde_json::{Value as Json, json};

use crate::support::{Script, messages, template, until, written};

async fn send(cloud: &LocalCloud, bodies: &[&str]) {
    for body in bodies {
        let queue = identity::name("Work");
        cloud.emulators().queues().send(&queue, NewMessage::new(*body)).await.unwrap();
    }
}

async fn is_empty(cloud: &LocalCloud) -> bool {
    let depth = cloud.emulators().queues().depth(&identity::name("Work")).await.unwrap();
    depth.visible == 0 && depth.in_flight == 0
}

/// The ids of the messages of a batch whose body is one of these.
fn ids(event: &Json, bodies: &[&str]) -> Vec<Json> {
    let records = event["Records"].as_array().unwrap();
    let failed = records.iter().filter(|record| bodies.contains(&record["body"].as_str().unwrap()));
    failed.map(|record| json!({ "itemIdentifier": record["messageId"] })).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_reaches_an_idle_function_at_once() {
    let (script, seen) = Script::new().on("worker", |_| Ok(json!(null)));
    let cloud = script.start().await;
    // Idle for a moment, as between two webhooks.
    tokio::time::sleep(Duration::from_millis(100)).await;
    let start = Instant::now();
    send(&cloud, &["{\"a\":1}"]).await;
    let event = &seen.wait_for(1).await[0];
    assert!(start.elapsed() < Duration::from_millis(500), "{:?}", start.elapsed());

    let typed: SqsEvent = serde_json::from_value(event.clone()).unwrap();
    assert_eq!(typed.records[0].body.as_deref(), Some("{\"a\":1}"));
    assert_eq!(event["Records"][0]["eventSourceARN"], identity::queue_arn("Work"));
    assert_eq!(event["Records"][0]["attributes"]["ApproximateReceiveCount"], "1");
    until("an empty queue", async || is_empty(&cloud).await).await;
    assert_eq!(seen.count(), 1);
    cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_messages_that_failed_come_again_and_then_are_dead_letters() {
    let (script, seen) =
        Script::new().on("worker", |event| Ok(json!({ "batchItemFailures": ids(event, &["bad"]) })));
    let cloud = script.start().await;
    send(&cloud, &["good", "bad", "fine"]).await;
    assert_eq!(messages(&cloud, "DeadWork", 1).await, ["bad"]);
    assert!(is_empty(&cloud).await);
    let mut bodies = Vec::new();
    for event in seen.all() {
        let records = event["Records"].as_array().unwrap();
        bodies.extend(records.iter().map(|record| record["body"].as_str().unwrap().to_owned()));
    }
    bodies.sort();
    // The template allows two receives.
    assert_eq!(bodies, ["bad", "bad", "fine", "good"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_names_nothing_of_the_batch_fails_all_of_it() {
    let calls = AtomicUsize::new(0);
    let (script, seen) = Script::new().on("worker", move |_| match calls.fetch_add(1, Ordering::Relaxed) {
        0 => Ok(json!({ "batchItemFailures": [{ "itemIdentifier": "somebody else's" }] })),
        _ => Ok(json!({ "batchItemFailures": [] })),
    });
    let cloud = script.start().await;
    send(&cloud, &["once more"]).await;
    let events = seen.wait_for(2).await;
    assert_eq!(events[1]["Records"][0]["attributes"]["ApproximateReceiveCount"], "2");
    until("an empty queue", async || is_empty(&cloud).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_loses_nothing() {
    let calls = AtomicUsize::new(0);
    let (script, seen) = Script::new().on("worker", move |_| {
        assert!(calls.fetch_add(1, Ordering::Relaxed) > 0, "as the test asked");
        Ok(json!(null))
    });
    let cloud = script.start().await;
    send(&cloud, &["once more"]).await;
    seen.wait_for(2).await;
    until("an empty queue", async || is_empty(&cloud).await).await;
}

/// A group comes in its order, also after one of it failed; the queue has the name and the URL that CloudFormation makes.
#[tokio::test(flavor = "multi_thread")]
async fn a_fifo_queue_feeds_a_function_in_the_order_of_each_group() {
    let text = std::fs::read_to_string(template()).unwrap();
    let text = text
        .replace(
            "  Work:\n    Type: AWS::SQS::Queue\n    Properties:\n",
            "  Work:\n    Type: AWS::SQS::Queue\n    Properties:\n      FifoQueue: true\n",
        )
        .replace(
            "  DeadWork: { Type: AWS::SQS::Queue }",
            "  DeadWork: { Type: AWS::SQS::Queue, Properties: { FifoQueue: true } }",
        );
    let (_directory, path) = written(&text);
    let failed_once = AtomicUsize::new(0);
    let (script, seen) = Script::new().on("worker", move |event| {
        let first_of_a = ids(event, &["a1"]);
        let fails = !first_of_a.is_empty() && failed_once.fetch_add(1, Ordering::Relaxed) == 0;
        // As a function of a FIFO queue has to: with what failed, all that is behind it.
        Ok(json!({ "batchItemFailures": if fails { ids(event, &["a1", "a2", "a3"]) } else { Vec::new() } }))
    });
    let cloud = LocalCloud::start(Options { template: path, ..script.options() }).await.unwrap();
    let name = identity::fifo_queue_name("Work");
    assert!(cloud.reference("Work").unwrap().ends_with("/portico-Work.fifo"));
    for (group, body) in [("a", "a1"), ("b", "b1"), ("a", "a2"), ("a", "a3")] {
        let message = NewMessage {
            group: Some(group.to_owned()),
            deduplication: Some(body.to_owned()),
            ..NewMessage::new(body)
        };
        cloud.emulators().queues().send(&name, message).await.unwrap();
    }
    until("the last of its group", async || {
        let bodies: Vec<Json> = seen
            .all()
            .iter()
            .flat_map(|event| event["Records"].as_array().unwrap())
            .map(|record| record["body"].clone())
            .collect();
        bodies.iter().filter(|body| *body == "a1").count() == 2
            && bodies.last().is_some_and(|body| body == "a3")
    })
    .await;
    let depth = || async { cloud.emulators().queues().depth(&name).await.unwrap() };
    until("an empty queue", async || depth().await == Depth::default()).await;
    cloud.shutdown().await;
}
