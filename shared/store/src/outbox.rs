//! The outbox: facts that are committed with the change they tell of, and relayed from the table's stream.
//!
//! The facts about one case are one partition, and so lie on one shard of the stream: they are relayed in the order in
//! which they were committed.

use jiff::SignedDuration;
use portico_domain::events::Event;
use serde::{Deserialize, Serialize};
use serde_dynamo::Item;

use crate::{
    StoreError,
    engine::{Condition, Table, Write},
    keys,
};

/// How long a fact stays readable after it was relayed. The stream holds 24 hours; the row stays a week, so
/// that a person can still see what was meant to happen.
const KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);

#[derive(Serialize, Deserialize)]
struct Row {
    #[serde(flatten)]
    event: Event,
    expires_at: i64,
}

/// The write that puts a fact into the outbox.
pub(crate) fn announce(event: &Event) -> Result<Write, StoreError> {
    let expires_at = event.at.saturating_add(KEPT).unwrap_or(event.at).as_second();
    let row = Row { event: event.clone(), expires_at };
    let item =
        keys::item(Table::Outbox, &row, &[("subject", event.subject()), ("event", event.id.to_string())])?;
    Ok(Write::Put { table: Table::Outbox, item, condition: Condition::Absent })
}

/// The fact in a stream record's new image.
///
/// # Errors
/// [`StoreError::Item`] if the image is not one of the outbox.
pub fn event_of(image: Item) -> Result<Event, StoreError> {
    keys::record::<Row>(Table::Outbox, image).map(|row| row.event)
}
