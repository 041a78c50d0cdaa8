//! DynamoDB streams.

use std::time::{Duration, Instant};

use aws_lambda_events::event::dynamodb::EventRecord;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use portico_emulators::{Clock, Emulators, StreamError};

use crate::dynamodb::create_table;
use crate::support::{Clients, config, start};

async fn put(client: &Client, id: &str, value: &str) {
    client
        .put_item()
        .table_name("outbox")
        .item("account", AttributeValue::S("acct_1".into()))
        .item("id", AttributeValue::S(id.into()))
        .item("value", AttributeValue::S(value.into()))
        .send()
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn records_come_in_order_and_in_the_shape_that_lambda_gives_a_function() {
    let emulators = start().await;
    let client = Clients::of(&emulators).dynamodb;
    create_table(&client, "outbox").await;
    let streams = emulators.streams();
    assert!(streams.read("outbox", None).await.unwrap().is_empty());
    assert!(
        matches!(streams.read("other", None).await, Err(StreamError::NoStream(table)) if table == "other")
    );

    put(&client, "a", "1").await;
    put(&client, "a", "2").await;
    client
        .delete_item()
        .table_name("outbox")
        .key("account", AttributeValue::S("acct_1".into()))
        .key("id", AttributeValue::S("a".into()))
        .send()
        .await
        .unwrap();

    let records = streams.read("outbox", None).await.unwrap();
    let events: Vec<EventRecord> =
        records.iter().map(|record| serde_json::from_value(record.event.clone()).unwrap()).collect();
    let names: Vec<_> = events.iter().map(|event| event.event_name.as_str()).collect();
    assert_eq!(names, ["INSERT", "MODIFY", "REMOVE"]);
    assert!(records.is_sorted_by(|a, b| a.sequence < b.sequence));
    let modified = &records[1].event;
    assert_eq!(modified["eventSource"], "aws:dynamodb");
    assert_eq!(modified["awsRegion"], "eu-central-1");
    assert_eq!(modified["dynamodb"]["OldImage"]["value"]["S"], "1");
    assert_eq!(modified["dynamodb"]["NewImage"]["value"]["S"], "2");
    assert_eq!(modified["dynamodb"]["Keys"]["id"]["S"], "a");
    assert_eq!(modified["dynamodb"]["SequenceNumber"], records[1].sequence.as_str());
    let arn = modified["eventSourceARN"].as_str().unwrap();
    assert!(arn.starts_with("arn:aws:dynamodb:eu-central-1:000000000000:table/outbox/stream/"), "{arn}");

    let rest = streams.read("outbox", Some(&records[0].sequence)).await.unwrap();
    assert_eq!(rest.len(), 2);
    assert_eq!(rest[0].sequence, records[1].sequence);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_wakes_the_reader_and_silence_does_not() {
    let emulators = start().await;
    let client = Clients::of(&emulators).dynamodb;
    create_table(&client, "outbox").await;
    let mut commits = emulators.streams().commits();
    tokio::time::sleep(Duration::from_millis(50)).await;
    commits.mark_unchanged();
    assert!(tokio::time::timeout(Duration::from_millis(100), commits.changed()).await.is_err());

    put(&client, "a", "1").await;
    let written = Instant::now();
    tokio::time::timeout(Duration::from_secs(1), commits.changed()).await.unwrap().unwrap();
    assert!(written.elapsed() < Duration::from_millis(250), "{:?}", written.elapsed());
    assert_eq!(emulators.streams().read("outbox", None).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_resumes_after_a_restart_where_it_stopped() {
    let directory = tempfile::tempdir().unwrap();
    let emulators = Emulators::start(config(Some(directory.path()))).await.unwrap();
    let client = Clients::of(&emulators).dynamodb;
    create_table(&client, "outbox").await;
    for id in ["a", "b", "c"] {
        put(&client, id, "1").await;
    }
    let records = emulators.streams().read("outbox", None).await.unwrap();
    emulators.streams().advance("event-relay", "outbox", &records[1].sequence).await.unwrap();
    // A late report of an earlier batch does not move the checkpoint back.
    emulators.streams().advance("event-relay", "outbox", &records[0].sequence).await.unwrap();
    emulators.shutdown().await;

    let emulators = Emulators::start(config(Some(directory.path()))).await.unwrap();
    let streams = emulators.streams();
    assert_eq!(streams.checkpoint("other", "outbox").await.unwrap(), None);
    let at = streams.checkpoint("event-relay", "outbox").await.unwrap();
    assert_eq!(at.as_deref(), Some(records[1].sequence.as_str()));
    put(&Clients::of(&emulators).dynamodb, "d", "1").await;
    let rest = streams.read("outbox", at.as_deref()).await.unwrap();
    let ids: Vec<_> =
        rest.iter().map(|record| record.event["dynamodb"]["Keys"]["id"]["S"].as_str().unwrap()).collect();
    assert_eq!(ids, ["c", "d"]);
    assert_eq!(rest[0].sequence, records[2].sequence);
}

#[tokio::test(flavor = "multi_thread")]
async fn records_go_after_a_day_once_every_consumer_has_passed_them() {
    let directory = tempfile::tempdir().unwrap();
    let emulators = Emulators::start(config(Some(directory.path()))).await.unwrap();
    let client = Clients::of(&emulators).dynamodb;
    create_table(&client, "outbox").await;
    for id in ["a", "b", "c"] {
        put(&client, id, "1").await;
    }
    let records = emulators.streams().read("outbox", None).await.unwrap();
    emulators.streams().advance("slow", "outbox", &records[0].sequence).await.unwrap();
    emulators.streams().advance("fast", "outbox", &records[2].sequence).await.unwrap();
    emulators.shutdown().await;

    let emulators = Emulators::start(config(Some(directory.path()))).await.unwrap();
    assert_eq!(emulators.streams().read("outbox", None).await.unwrap().len(), 3, "not a day old");
    emulators.shutdown().await;

    let later = Clock::new(|| "2126-11-22T12:00:00Z".parse().unwrap());
    let emulators = Emulators::start_at(config(Some(directory.path())), later).await.unwrap();
    let rest = emulators.streams().read("outbox", None).await.unwrap();
    let sequences: Vec<_> = rest.iter().map(|record| &record.sequence).collect();
    assert_eq!(sequences, [&records[1].sequence, &records[2].sequence]);
    put(&Clients::of(&emulators).dynamodb, "d", "1").await;
    let new = emulators.streams().read("outbox", Some(&records[2].sequence)).await.unwrap();
    assert_eq!(new.len(), 1);
}
