//! The outbox's stream.

use std::collections::BTreeMap;

use portico_domain::{
    UserId,
    people::{Membership, MembershipState},
};
use portico_store::Person;
use serde_dynamo::Item;
use serde_json::{Value, json};

use super::{Sample, text};
use crate::{
    outbox,
    stack::{now, queue_name},
    world::{LEAVER, MANAGER, MEMBER, World, case, memberships, open_case, user},
};

async fn listen(world: &World, connection: &str, user: &UserId) {
    let Some(Person::Client(person)) = world.store.identify(user).await.unwrap() else {
        panic!("{user} is no client")
    };
    world.store.connect(connection, &person, now()).await.unwrap();
}

/// The manager and the member hear of the member's case; who has left meanwhile is hung up on; and nobody hears
/// anything but ids and versions.
pub async fn case_t05_tells_those_who_may_know(sample: &Sample) {
    let world = &sample.world;
    let [_, _, leaver, ..] = memberships();
    world
        .store
        .provision_member(&Membership { state: MembershipState::Active, ..leaver.clone() })
        .await
        .unwrap();
    listen(world, "of-manager", &user(MANAGER)).await;
    listen(world, "of-member", &user(MEMBER)).await;
    listen(world, "of-leaver", &user(LEAVER)).await;
    world.store.provision_member(&leaver).await.unwrap();
    assert_eq!(sample.run().await, json!({ "batchItemFailures": [] }));
    let news = json!({ "type": "case.changed", "case": open_case().to_string(), "version": 2 });
    let pushed: BTreeMap<String, Option<Value>> = sample
        .guarded
        .guard
        .pushed()
        .into_iter()
        .map(|(connection, message)| (connection, message.map(|text| serde_json::from_str(&text).unwrap())))
        .collect();
    assert_eq!(
        pushed,
        BTreeMap::from([
            ("of-leaver".to_owned(), None),
            ("of-manager".to_owned(), Some(news.clone())),
            ("of-member".to_owned(), Some(news)),
        ])
    );
    let listeners = world.store.listeners(&world.tenant()).await.unwrap();
    let left: Vec<&str> = listeners.iter().map(|listener| listener.connection.as_str()).collect();
    assert_eq!(left, ["of-manager", "of-member"]);
}

/// Each fact is in the queue of everybody who acts on it.
pub async fn hands_over_to_queues(sample: &Sample) {
    assert_eq!(sample.run().await, json!({ "batchItemFailures": [] }));
    let queues = sample.world.stack.emulators.queues();
    let mut facts = BTreeMap::new();
    for queue in ["WriterQueue", "InvoicingQueue", "RenderingQueue", "AuditQueue"] {
        let name = queue_name(&sample.world.stack.template, queue);
        let waiting = queues.peek(&name, 10).await.unwrap();
        let bodies = waiting.iter().map(|message| serde_json::from_str::<Value>(&message.body).unwrap());
        facts.insert(queue, bodies.map(|body| body["fact"].as_str().unwrap().to_owned()).collect::<Vec<_>>());
    }
    assert_eq!(facts["InvoicingQueue"], ["case_closed"]);
    assert_eq!(facts["RenderingQueue"], ["invoice_issued"]);
    // Only what somebody asked for.
    assert_eq!(facts["AuditQueue"], ["case_submitted"]);
    assert_eq!(facts["WriterQueue"], ["case_submitted", "file_added", "invoice_issued"]);
    // In the order of their case.
    for message in queues.peek("WriterQueue.fifo", 10).await.unwrap() {
        let event: Value = serde_json::from_str(&message.body).unwrap();
        assert_eq!(message.group.as_deref(), event["case"].as_str());
        assert_eq!(message.deduplication.as_deref(), event["id"].as_str());
    }
}

/// The images in the files are the very items that the store puts into the outbox.
#[tokio::test]
async fn the_samples_images_are_what_the_store_writes() {
    let world = World::start().await;
    let mut images = 0;
    for name in ["event-relay-bill-changed", "event-relay-case-changed", "event-relay-work-for-queues"] {
        let event: Value = serde_json::from_str(&text(name)).unwrap();
        for record in event["Records"].as_array().unwrap() {
            let image: Item = serde_json::from_value(record["dynamodb"]["NewImage"].clone()).unwrap();
            let fact = portico_store::outbox::event_of(image.clone()).unwrap();
            images += 1;
            let mut holder = case(open_case(), "Working", false);
            holder.version += images;
            world.store.save_case(&holder, &[], std::slice::from_ref(&fact)).await.unwrap();
            assert_eq!(outbox::item(&world.stack, &fact).await, image, "{name}");
        }
    }
    assert_eq!(images, 6);
}
