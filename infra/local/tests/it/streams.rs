//! DynamoDB event source mappings.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use aws_lambda_events::dynamodb::Event;
use portico_local::LocalCloud;
use serde_json::{Value as Json, json};

use crate::support::{Script, aws, messages, put_item, until};

/// The ids of the items of an event, in its order.
fn ids(event: &Json) -> Vec<String> {
    let records = event["Records"].as_array().unwrap();
    records.iter().map(|record| record["dynamodb"]["Keys"]["id"]["S"].as_str().unwrap().to_owned()).collect()
}

fn all_ids(events: &[Json]) -> Vec<String> {
    events.iter().flat_map(ids).collect()
}

fn sequence(event: &Json, id: &str) -> Json {
    let records = event["Records"].as_array().unwrap();
    let record = records.iter().find(|record| record["dynamodb"]["Keys"]["id"]["S"] == id).unwrap();
    record["dynamodb"]["SequenceNumber"].clone()
}

fn numbered(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|number| format!("{number:02}")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_arrive_in_order_in_bounded_batches_and_filtered() {
    let (script, seen) = Script::new().on("follower", |_| Ok(json!(null)));
    let cloud = script.start().await;
    for id in numbered(0..10) {
        put_item(&cloud, &id).await;
    }
    // A change and a removal, which the template's filter does not want.
    let table = cloud.reference("Ledger").unwrap();
    let update = json!({ "TableName": table, "Item": { "id": { "S": "00" }, "owner": { "S": "p" } } });
    aws(&cloud.addresses().dynamodb, "DynamoDB_20120810.PutItem", update).await;
    let delete = json!({ "TableName": table, "Key": { "id": { "S": "00" } } });
    aws(&cloud.addresses().dynamodb, "DynamoDB_20120810.DeleteItem", delete).await;
    put_item(&cloud, "10").await;

    until("the last insert", async || all_ids(&seen.all()).contains(&"10".to_owned())).await;
    let events = seen.all();
    assert_eq!(all_ids(&events), numbered(0..11));
    assert!(events.iter().all(|event| (1..=4).contains(&ids(event).len())));
    let typed: Event = serde_json::from_value(events[0].clone()).unwrap();
    assert_eq!(typed.records[0].event_name, "INSERT");
    let image = serde_json::to_value(&typed.records[0].change.new_image).unwrap();
    assert!(image.to_string().contains("owner"));
    cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_mapping_is_woken_by_a_commit() {
    let (script, seen) = Script::new().on("follower", |_| Ok(json!(null)));
    let cloud = script.start().await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let start = Instant::now();
    put_item(&cloud, "one").await;
    seen.wait_for(1).await;
    assert!(start.elapsed() < Duration::from_millis(500), "{:?}", start.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_always_fails_is_isolated_and_parked_with_its_position() {
    // The function fails as a whole, without saying at which record.
    let (script, seen) = Script::new().on("follower", |event| {
        if ids(event).contains(&"05".to_owned()) {
            Err("as the test asked".to_owned())
        } else {
            Ok(json!(null))
        }
    });
    let cloud = script.start().await;
    for id in numbered(0..12) {
        put_item(&cloud, &id).await;
    }
    let parked: Json = serde_json::from_str(&messages(&cloud, "Unfollowed", 1).await[0]).unwrap();
    until("the last record", async || all_ids(&seen.all()).contains(&"11".to_owned())).await;

    let events = seen.all();
    let done = events.iter().filter(|event| !ids(event).contains(&"05".to_owned()));
    let done: Vec<String> = done.flat_map(ids).collect();
    let expected: Vec<String> = numbered(0..12).into_iter().filter(|id| id != "05").collect();
    assert_eq!(done, expected, "everything else went through once and in order");
    // Alone it had its first attempt and the template's one retry.
    let alone: Vec<&Json> = events.iter().filter(|event| ids(event) == ["05"]).collect();
    assert_eq!(alone.len(), 2);
    assert_eq!(parked["requestContext"]["condition"], "RetryAttemptsExhausted");
    let info = &parked["DDBStreamBatchInfo"];
    assert_eq!((&info["batchSize"], &info["startSequenceNumber"]), (&json!(1), &sequence(alone[0], "05")));
    assert_eq!(info["startSequenceNumber"], info["endSequenceNumber"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_before_the_first_failure_is_done_and_not_sent_again() {
    let failures = Mutex::new(BTreeMap::from([("02".to_owned(), 1), ("07".to_owned(), 1)]));
    let (script, seen) = Script::new().on("follower", move |event| {
        let mut failures = failures.lock().unwrap();
        for id in ids(event) {
            if let Some(left) = failures.get_mut(&id)
                && *left > 0
            {
                *left -= 1;
                return Ok(json!({ "batchItemFailures": [{ "itemIdentifier": sequence(event, &id) }] }));
            }
        }
        Ok(json!(null))
    });
    let cloud = script.start().await;
    for id in numbered(0..10) {
        put_item(&cloud, &id).await;
    }
    until("the last record", async || all_ids(&seen.all()).contains(&"09".to_owned())).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for id in all_ids(&seen.all()) {
        *counts.entry(id).or_default() += 1;
    }
    assert_eq!(counts.len(), 10);
    // What came after the failure in the same batch was not done, so it may come twice; what was before, never.
    assert!(counts["02"] == 2 && counts["07"] == 2);
    assert!(counts["00"] == 1 && counts["01"] == 1);
    let queue = portico_local::identity::name("Unfollowed");
    assert_eq!(cloud.emulators().queues().depth(&queue).await.unwrap().visible, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_goes_on_where_the_last_process_stopped() {
    let directory = tempfile::tempdir().unwrap();
    let healthy = Arc::new(AtomicBool::new(true));
    let start = async || {
        let healthy = Arc::clone(&healthy);
        let (script, seen) = Script::new().on("follower", move |_| {
            if healthy.load(Ordering::Relaxed) { Ok(json!(null)) } else { Err("not now".to_owned()) }
        });
        let mut options = script.options();
        options.data = Some(directory.path().to_owned());
        // Long enough that nothing is given up before the restart.
        options.delays.stream_first = Duration::from_secs(30);
        options.delays.stream_longest = Duration::from_secs(30);
        (LocalCloud::start(options).await.unwrap(), seen)
    };
    let (cloud, seen) = start().await;
    for id in numbered(0..3) {
        put_item(&cloud, &id).await;
    }
    until("three records", async || all_ids(&seen.all()).len() == 3).await;
    until("a checkpoint", async || {
        let table = cloud.reference("Ledger").unwrap();
        let kept = cloud.emulators().streams().checkpoint("Follower", table).await.unwrap();
        kept.is_some_and(|kept| json!(kept) == sequence(seen.all().last().unwrap(), "02"))
    })
    .await;
    healthy.store(false, Ordering::Relaxed);
    put_item(&cloud, "03").await;
    until("a failed attempt", async || all_ids(&seen.all()).len() == 4).await;
    cloud.shutdown().await;

    healthy.store(true, Ordering::Relaxed);
    let (cloud, seen) = start().await;
    put_item(&cloud, "04").await;
    until("what was left", async || all_ids(&seen.all()).len() >= 2).await;
    assert_eq!(all_ids(&seen.all()), numbered(3..5));
    cloud.shutdown().await;
}
