//! SQS.

use std::time::{Duration, Instant};

use aws_lambda_events::event::sqs::SqsMessage;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::ProvideErrorMetadata as _;
use aws_sdk_sqs::primitives::Blob;
use aws_sdk_sqs::types::{
    DeleteMessageBatchRequestEntry, MessageAttributeValue, MessageSystemAttributeName, QueueAttributeName,
    SendMessageBatchRequestEntry,
};
use portico_emulators::{Depth, Emulators, NewMessage, QueueError, QueueSpec, Redrive};

use crate::support::{Clients, ManualClock, start, start_with};

const SECOND: Duration = Duration::from_secs(1);

/// A queue of the name `work`, its URL and a client.
async fn queue(emulators: &Emulators, spec: QueueSpec) -> (Client, String) {
    let name = spec.name.clone();
    emulators.queues().create(spec).await.unwrap();
    let client = Clients::of(emulators).sqs;
    let url = client.get_queue_url().queue_name(name).send().await.unwrap().queue_url.unwrap();
    (client, url)
}

async fn receive(client: &Client, url: &str, max: i32) -> Vec<aws_sdk_sqs::types::Message> {
    client
        .receive_message()
        .queue_url(url)
        .max_number_of_messages(max)
        .message_system_attribute_names(MessageSystemAttributeName::All)
        .message_attribute_names("All")
        .send()
        .await
        .unwrap()
        .messages
        .unwrap_or_default()
}

fn bodies(messages: &[aws_sdk_sqs::types::Message]) -> Vec<&str> {
    messages.iter().map(|message| message.body().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_keeps_body_attributes_and_checksums() {
    let emulators = start().await;
    let (client, url) = queue(&emulators, QueueSpec::standard("work")).await;
    let attribute = |kind: &str| MessageAttributeValue::builder().data_type(kind);
    let sent = client
        .send_message()
        .queue_url(&url)
        .message_body("hello")
        .message_attributes("tenant", attribute("String").string_value("acct_1").build().unwrap())
        .message_attributes("bytes", attribute("Binary").binary_value(Blob::new([1, 2, 3])).build().unwrap())
        .send()
        .await
        .unwrap();
    assert_eq!(sent.md5_of_message_body(), Some("5d41402abc4b2a76b9719d911017c592"));
    // Computed with the algorithm of the developer guide, independently of this crate.
    assert_eq!(sent.md5_of_message_attributes(), Some("e689f1e0c8c79c70069b8db34c22f3be"));
    let messages = receive(&client, &url, 10).await;
    let [message] = messages.as_slice() else { panic!("{messages:?}") };
    assert_eq!(message.message_id(), sent.message_id());
    assert_eq!(message.md5_of_body(), sent.md5_of_message_body());
    assert_eq!(message.md5_of_message_attributes(), sent.md5_of_message_attributes());
    let attributes = message.message_attributes().unwrap();
    assert_eq!(attributes["tenant"].string_value(), Some("acct_1"));
    assert_eq!(attributes["bytes"].binary_value().unwrap().as_ref(), [1, 2, 3]);
    let system = message.attributes().unwrap();
    assert_eq!(system[&MessageSystemAttributeName::ApproximateReceiveCount], "1");
    client
        .delete_message()
        .queue_url(&url)
        .receipt_handle(message.receipt_handle().unwrap())
        .send()
        .await
        .unwrap();
    assert_eq!(emulators.queues().depth("work").await.unwrap(), Depth::default());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_received_message_is_hidden_until_its_time_out() {
    let clock = ManualClock::new();
    let emulators = start_with(&clock).await;
    let spec = QueueSpec { visibility: 30 * SECOND, ..QueueSpec::standard("work") };
    let (client, url) = queue(&emulators, spec).await;
    client.send_message().queue_url(&url).message_body("a").send().await.unwrap();
    let first = receive(&client, &url, 1).await.remove(0);
    assert!(receive(&client, &url, 1).await.is_empty());
    clock.advance(29 * SECOND);
    let extend = client.change_message_visibility().queue_url(&url).visibility_timeout(10);
    extend.receipt_handle(first.receipt_handle().unwrap()).send().await.unwrap();
    clock.advance(9 * SECOND);
    assert!(receive(&client, &url, 1).await.is_empty());
    clock.advance(SECOND);
    let second = receive(&client, &url, 1).await.remove(0);
    assert_eq!(second.attributes().unwrap()[&MessageSystemAttributeName::ApproximateReceiveCount], "2");
    assert_ne!(second.receipt_handle(), first.receipt_handle());

    // The first receiver is late: its handle removes nothing and hides nothing.
    client
        .delete_message()
        .queue_url(&url)
        .receipt_handle(first.receipt_handle().unwrap())
        .send()
        .await
        .unwrap();
    assert_eq!(emulators.queues().depth("work").await.unwrap().in_flight, 1);
    let late = client.change_message_visibility().queue_url(&url).visibility_timeout(0);
    let refused = late.receipt_handle(first.receipt_handle().unwrap()).send().await.unwrap_err();
    assert!(refused.into_service_error().is_message_not_inflight());

    let release = client.change_message_visibility().queue_url(&url).visibility_timeout(0);
    release.receipt_handle(second.receipt_handle().unwrap()).send().await.unwrap();
    assert_eq!(receive(&client, &url, 1).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_only_consumer_had_in_hand_is_released_when_it_starts_again() {
    let emulators = start().await;
    let (client, url) = queue(&emulators, QueueSpec::standard("work")).await;
    for body in ["a", "b"] {
        client.send_message().queue_url(&url).message_body(body).send().await.unwrap();
    }
    client.send_message().queue_url(&url).message_body("later").delay_seconds(60).send().await.unwrap();
    assert_eq!(receive(&client, &url, 1).await.len(), 1);
    assert_eq!(emulators.queues().release("work").await.unwrap(), 1);
    assert_eq!(bodies(&receive(&client, &url, 10).await), ["a", "b"]);
    assert_eq!(
        emulators.queues().depth("work").await.unwrap(),
        Depth { visible: 0, in_flight: 2, delayed: 1 }
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_received_too_often_becomes_a_dead_letter_and_can_be_sent_back() {
    let clock = ManualClock::new();
    let emulators = start_with(&clock).await;
    let queues = emulators.queues();
    let redrive = Redrive { queue: "dead".into(), max_receives: 2 };
    let spec = QueueSpec { redrive: Some(redrive), ..QueueSpec::standard("work") };
    assert!(
        matches!(queues.create(spec.clone()).await, Err(QueueError::NoSuchQueue(name)) if name == "dead")
    );
    queues.create(QueueSpec::standard("dead")).await.unwrap();
    let (client, url) = queue(&emulators, spec).await;
    client.send_message().queue_url(&url).message_body("poison").send().await.unwrap();
    for _ in 0..2 {
        assert_eq!(receive(&client, &url, 1).await.len(), 1);
        clock.advance(31 * SECOND);
    }
    assert_eq!(queues.depth("dead").await.unwrap().visible, 0, "it moves when someone asks again");
    assert!(receive(&client, &url, 1).await.is_empty());
    let dead = client.get_queue_url().queue_name("dead").send().await.unwrap().queue_url.unwrap();
    let letter = receive(&client, &dead, 1).await.remove(0);
    assert_eq!(letter.body(), Some("poison"));
    assert_eq!(
        letter.attributes().unwrap()[&MessageSystemAttributeName::DeadLetterQueueSourceArn],
        "arn:aws:sqs:eu-central-1:000000000000:work"
    );

    clock.advance(31 * SECOND);
    assert_eq!(queues.redrive("dead").await.unwrap(), 1);
    let again = receive(&client, &url, 1).await.remove(0);
    assert_eq!(again.attributes().unwrap()[&MessageSystemAttributeName::ApproximateReceiveCount], "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fifo_queue_keeps_the_order_of_a_group_and_holds_it_back_while_one_is_in_flight() {
    let clock = ManualClock::new();
    let emulators = start_with(&clock).await;
    let spec = QueueSpec { content_based_deduplication: true, ..QueueSpec::fifo("work.fifo") };
    let (client, url) = queue(&emulators, spec).await;
    for (group, body) in [("a", "a1"), ("a", "a2"), ("b", "b1"), ("a", "a3")] {
        let send = client.send_message().queue_url(&url).message_group_id(group).message_body(body);
        send.send().await.unwrap();
    }
    let first = receive(&client, &url, 1).await;
    assert_eq!(bodies(&first), ["a1"]);
    let others = receive(&client, &url, 10).await;
    assert_eq!(bodies(&others), ["b1"], "a2 waits for a1");
    client
        .delete_message()
        .queue_url(&url)
        .receipt_handle(first[0].receipt_handle().unwrap())
        .send()
        .await
        .unwrap();
    let rest = receive(&client, &url, 10).await;
    assert_eq!(bodies(&rest), ["a2", "a3"], "one receive may take several of a group, in order");
    let sequences: Vec<_> = rest
        .iter()
        .map(|message| &message.attributes().unwrap()[&MessageSystemAttributeName::SequenceNumber])
        .collect();
    assert!(sequences.is_sorted());

    clock.advance(31 * SECOND);
    let expired = client.delete_message().queue_url(&url).receipt_handle(rest[0].receipt_handle().unwrap());
    assert!(expired.send().await.is_err(), "a FIFO handle ends with its time-out");
    assert_eq!(bodies(&receive(&client, &url, 10).await), ["a2", "b1", "a3"]);
    let ungrouped = client.send_message().queue_url(&url).message_body("x").send().await.unwrap_err();
    assert_eq!(ungrouped.into_service_error().code(), Some("MissingParameter"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fifo_queue_takes_a_deduplication_id_once_in_five_minutes() {
    let clock = ManualClock::new();
    let emulators = start_with(&clock).await;
    let (client, url) = queue(&emulators, QueueSpec::fifo("work.fifo")).await;
    let send = || {
        let send = client.send_message().queue_url(&url).message_group_id("a").message_body("x");
        send.message_deduplication_id("once").send()
    };
    let first = send().await.unwrap();
    clock.advance(299 * SECOND);
    let second = send().await.unwrap();
    assert_eq!(first.message_id(), second.message_id());
    assert_eq!(first.sequence_number(), second.sequence_number());
    assert_eq!(emulators.queues().depth("work.fifo").await.unwrap().visible, 1);
    clock.advance(SECOND);
    assert_ne!(send().await.unwrap().message_id(), first.message_id());
    assert_eq!(emulators.queues().depth("work.fifo").await.unwrap().visible, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fifo_message_that_is_hidden_longer_holds_its_group_back_and_nothing_overtakes_it_to_the_dead_letters()
 {
    let clock = ManualClock::new();
    let emulators = start_with(&clock).await;
    emulators.queues().create(QueueSpec::fifo("dead.fifo")).await.unwrap();
    let redrive = Redrive { queue: "dead.fifo".into(), max_receives: 2 };
    let spec = QueueSpec {
        content_based_deduplication: true,
        redrive: Some(redrive),
        ..QueueSpec::fifo("work.fifo")
    };
    let (client, url) = queue(&emulators, spec).await;
    for (group, body) in [("a", "a1"), ("a", "a2"), ("b", "b1")] {
        let send = client.send_message().queue_url(&url).message_group_id(group).message_body(body);
        send.send().await.unwrap();
    }
    let hide = |message: &aws_sdk_sqs::types::Message, seconds: i32| {
        let hide = client.change_message_visibility().queue_url(&url).visibility_timeout(seconds);
        hide.receipt_handle(message.receipt_handle().unwrap()).send()
    };
    let all = receive(&client, &url, 10).await;
    assert_eq!(bodies(&all), ["a1", "a2", "b1"]);
    let done = client.delete_message().queue_url(&url).receipt_handle(all[2].receipt_handle().unwrap());
    done.send().await.unwrap();
    // The first asks for an hour, the one behind it is shown again: the group stays shut for the hour.
    hide(&all[0], 3600).await.unwrap();
    hide(&all[1], 0).await.unwrap();
    assert!(receive(&client, &url, 10).await.is_empty());
    clock.advance(3600 * SECOND);
    let again = receive(&client, &url, 10).await;
    assert_eq!(bodies(&again), ["a1", "a2"]);
    hide(&again[0], 3600).await.unwrap();
    hide(&again[1], 0).await.unwrap();
    // The second was received often enough by now, and does not overtake the first.
    assert!(receive(&client, &url, 10).await.is_empty());
    assert_eq!(emulators.queues().depth("dead.fifo").await.unwrap().visible, 0);
    clock.advance(3600 * SECOND);
    assert!(receive(&client, &url, 10).await.is_empty());
    let dead = client.get_queue_url().queue_name("dead.fifo").send().await.unwrap().queue_url.unwrap();
    assert_eq!(bodies(&receive(&client, &dead, 10).await), ["a1", "a2"]);
    let delayed = client.send_message().queue_url(&url).message_group_id("a").message_body("x");
    let refused = delayed.delay_seconds(5).send().await.unwrap_err();
    assert_eq!(refused.into_service_error().code(), Some("InvalidParameterValue"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delay_hides_a_message_and_retention_ends_it() {
    let clock = ManualClock::new();
    let emulators = start_with(&clock).await;
    let spec = QueueSpec { retention: 3600 * SECOND, ..QueueSpec::standard("work") };
    let (client, url) = queue(&emulators, spec).await;
    client.send_message().queue_url(&url).message_body("later").delay_seconds(60).send().await.unwrap();
    client.send_message().queue_url(&url).message_body("now").send().await.unwrap();
    assert_eq!(
        emulators.queues().depth("work").await.unwrap(),
        Depth { visible: 1, in_flight: 0, delayed: 1 }
    );
    assert_eq!(bodies(&receive(&client, &url, 10).await), ["now"]);
    clock.advance(60 * SECOND);
    assert_eq!(bodies(&receive(&client, &url, 10).await), ["later", "now"]);
    clock.advance(3541 * SECOND);
    assert_eq!(emulators.queues().depth("work").await.unwrap(), Depth::default());
    let too_late = client.send_message().queue_url(&url).message_body("x").delay_seconds(901).send().await;
    assert!(too_late.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_poll_ends_as_soon_as_there_is_something() {
    let emulators = start().await;
    let (client, url) = queue(&emulators, QueueSpec::standard("work")).await;
    let empty = Instant::now();
    let nothing = client.receive_message().queue_url(&url).wait_time_seconds(1).send().await.unwrap();
    assert!(nothing.messages.is_none());
    assert!(empty.elapsed() >= Duration::from_millis(990), "{:?}", empty.elapsed());

    // Fastest of several, because the machine is shared.
    let mut fastest = Duration::MAX;
    for round in 0..10 {
        let queues = emulators.queues().clone();
        let poll = tokio::spawn(async move {
            let messages = queues.receive("work", 10, 10 * SECOND).await.unwrap();
            (Instant::now(), messages)
        });
        tokio::time::sleep(Duration::from_millis(20)).await;
        let sent = Instant::now();
        emulators.queues().send("work", NewMessage::new(round.to_string())).await.unwrap();
        let (received, messages) = poll.await.unwrap();
        assert_eq!(messages[0].body, round.to_string());
        emulators.queues().delete("work", &messages[0].receipt).await.unwrap();
        fastest = fastest.min(received.duration_since(sent));
    }
    assert!(fastest < Duration::from_millis(5), "{fastest:?}");

    // A message that becomes visible again ends a poll too.
    emulators.queues().send("work", NewMessage::new("again")).await.unwrap();
    let hide = Some(Duration::from_millis(200));
    emulators.queues().receive_hidden_for("work", 1, Duration::ZERO, hide).await.unwrap();
    let again = client.receive_message().queue_url(&url).wait_time_seconds(5).send().await.unwrap();
    assert_eq!(bodies(again.messages()), ["again"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_does_not_wait_for_a_long_poll() {
    let emulators = start().await;
    let (client, url) = queue(&emulators, QueueSpec::standard("work")).await;
    let poll = tokio::spawn(client.receive_message().queue_url(&url).wait_time_seconds(20).send());
    tokio::time::sleep(Duration::from_millis(100)).await;
    let stop = Instant::now();
    emulators.shutdown().await;
    assert!(stop.elapsed() < SECOND, "{:?}", stop.elapsed());
    assert!(poll.await.unwrap().unwrap().messages.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_reports_each_entry() {
    let emulators = start().await;
    let spec = QueueSpec { content_based_deduplication: true, ..QueueSpec::fifo("work.fifo") };
    let (client, url) = queue(&emulators, spec).await;
    let entry = |id: &str, group: Option<&str>| {
        SendMessageBatchRequestEntry::builder()
            .id(id)
            .message_body(id)
            .set_message_group_id(group.map(str::to_owned))
            .build()
            .unwrap()
    };
    let entries = vec![entry("one", Some("a")), entry("two", None), entry("three", Some("a"))];
    let sent = client.send_message_batch().queue_url(&url).set_entries(Some(entries)).send().await.unwrap();
    assert_eq!(sent.successful().iter().map(|entry| entry.id()).collect::<Vec<_>>(), ["one", "three"]);
    assert_eq!(sent.failed()[0].id(), "two");
    assert_eq!(sent.failed()[0].code(), "MissingParameter");
    assert!(sent.failed()[0].sender_fault());

    let received = receive(&client, &url, 10).await;
    let entries = received.iter().map(|message| {
        DeleteMessageBatchRequestEntry::builder()
            .id(message.body().unwrap())
            .receipt_handle(message.receipt_handle().unwrap())
            .build()
            .unwrap()
    });
    let deleted = client
        .delete_message_batch()
        .queue_url(&url)
        .set_entries(Some(entries.collect()))
        .send()
        .await
        .unwrap();
    assert_eq!(deleted.successful().len(), 2);
    assert_eq!(emulators.queues().depth("work.fifo").await.unwrap(), Depth::default());

    let send = |ids: &[&str], body: &str| {
        let entries = ids.iter().map(|id| {
            let entry = SendMessageBatchRequestEntry::builder().id(*id).message_body(body);
            entry.message_group_id("a").build().unwrap()
        });
        client.send_message_batch().queue_url(&url).set_entries(Some(entries.collect())).send()
    };
    let eleven: Vec<String> = (0..11).map(|id| id.to_string()).collect();
    let eleven: Vec<&str> = eleven.iter().map(String::as_str).collect();
    let refused = send(&eleven, "x").await.unwrap_err().into_service_error();
    assert!(refused.is_too_many_entries_in_batch_request(), "{refused:?}");
    let refused = send(&["1", "1"], "x").await.unwrap_err().into_service_error();
    assert!(refused.is_batch_entry_ids_not_distinct(), "{refused:?}");
    let refused = send(&["1", "2"], &"x".repeat(140_000)).await.unwrap_err().into_service_error();
    assert!(refused.is_batch_request_too_long(), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_sqs_refuses_is_refused() {
    let emulators = start().await;
    let (client, url) = queue(&emulators, QueueSpec::standard("work")).await;
    let largest = "x".repeat(256 * 1024);
    client.send_message().queue_url(&url).message_body(&largest).send().await.unwrap();
    for body in [format!("{largest}x"), "\u{1}".to_owned()] {
        let refused = client.send_message().queue_url(&url).message_body(body).send().await.unwrap_err();
        assert_eq!(refused.into_service_error().code(), Some("InvalidParameterValue"));
    }
    let missing = client.get_queue_url().queue_name("other").send().await.unwrap_err().into_service_error();
    assert!(missing.is_queue_does_not_exist(), "{missing:?}");
    let internal = client.get_queue_url().queue_name("_s3-events").send().await.unwrap_err();
    assert!(internal.into_service_error().is_queue_does_not_exist());
    let internal = url.replace("work", "_s3-events");
    assert!(client.receive_message().queue_url(internal).send().await.is_err());
    let receipt =
        client.delete_message().queue_url(&url).receipt_handle("nonsense").send().await.unwrap_err();
    assert!(receipt.into_service_error().is_receipt_handle_is_invalid());
    assert!(matches!(
        emulators.queues().create(QueueSpec::standard("work.fifo")).await,
        Err(QueueError::Invalid(_))
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn attributes_and_names_are_listed_and_a_purge_empties() {
    let emulators = start().await;
    emulators.queues().create(QueueSpec::standard("dead")).await.unwrap();
    let redrive = Redrive { queue: "dead".into(), max_receives: 5 };
    let (client, url) =
        queue(&emulators, QueueSpec { redrive: Some(redrive), ..QueueSpec::standard("work") }).await;
    client.send_message().queue_url(&url).message_body("a").send().await.unwrap();
    let attributes = client
        .get_queue_attributes()
        .queue_url(&url)
        .attribute_names(QueueAttributeName::All)
        .send()
        .await
        .unwrap()
        .attributes
        .unwrap();
    assert_eq!(attributes[&QueueAttributeName::QueueArn], "arn:aws:sqs:eu-central-1:000000000000:work");
    assert_eq!(attributes[&QueueAttributeName::ApproximateNumberOfMessages], "1");
    assert_eq!(
        attributes[&QueueAttributeName::RedrivePolicy],
        r#"{"deadLetterTargetArn":"arn:aws:sqs:eu-central-1:000000000000:dead","maxReceiveCount":5}"#
    );
    let urls = client.list_queues().queue_name_prefix("wo").send().await.unwrap();
    assert_eq!(urls.queue_urls(), [url.as_str()]);
    client.purge_queue().queue_url(&url).send().await.unwrap();
    assert_eq!(emulators.queues().depth("work").await.unwrap(), Depth::default());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_becomes_the_record_that_lambda_gives_a_function() {
    let emulators = start().await;
    let queues = emulators.queues();
    queues.create(QueueSpec::standard("work")).await.unwrap();
    queues.send("work", NewMessage::new("hello")).await.unwrap();
    let message = queues.receive("work", 1, Duration::ZERO).await.unwrap().remove(0);
    let record = message.event_record("arn:aws:sqs:eu-central-1:000000000000:work", "eu-central-1");
    let record: SqsMessage = serde_json::from_value(record).unwrap();
    assert_eq!(record.body.as_deref(), Some("hello"));
    assert_eq!(record.receipt_handle.as_deref(), Some(message.receipt.as_str()));
    assert_eq!(record.event_source_arn.as_deref(), Some("arn:aws:sqs:eu-central-1:000000000000:work"));
    assert_eq!(record.attributes["ApproximateReceiveCount"], "1");
}
