//! What was put into the outbox.

use portico_domain::events::{Event, Fact};
use portico_emulators::Emulators;
use portico_store::engine::{Key, Table};
use serde_dynamo::Item;

use crate::stack::Stack;

/// Every fact, in the order of the stream.
pub async fn facts(emulators: &Emulators) -> Vec<Fact> {
    events(emulators).await.into_iter().map(|event| event.fact).collect()
}

/// Every event, in the order of the stream.
pub async fn events(emulators: &Emulators) -> Vec<Event> {
    let (mut records, mut after) = (Vec::new(), None);
    loop {
        let page = emulators.streams().read("OutboxTable", after.as_deref()).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.sequence.clone());
        records.extend(page);
    }
    let images = records.into_iter().map(|record| record.event["dynamodb"]["NewImage"].clone());
    images
        .map(|image| {
            let item: Item = serde_json::from_value(image).unwrap();
            portico_store::outbox::event_of(item).unwrap()
        })
        .collect()
}

/// The row of an event.
pub async fn item(stack: &Stack, event: &Event) -> Item {
    let key = Key { table: Table::Outbox, partition: event.subject(), sort: Some(event.id.to_string()) };
    stack.engine().get(&key).await.unwrap().unwrap()
}
