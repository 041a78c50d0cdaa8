//! Function URL for Salesforce: outbound messages and signed callouts say which records may have changed.
//!
//! Nothing in them is believed: all that they can do is cause a read. Both take the same way:
//!
//! ```text
//! seen before? ──yes──▶ done                   costs one read
//!      │no
//!      ▼
//! queue every record ──▶ remember ──▶ done     a crash anywhere before the answer means: sent again
//! ```
//!
//! [`outbound`] and [`callout`] have what is different: who may send, and what it looks like.

mod callout;
mod outbound;
mod trust;

use std::sync::Arc;

use axum::Router;
use portico_aws::{BootError, Cloud, Function, Metric, Metrics, Queue, QueueError};
use portico_domain::{Clock, SalesforceId};
use portico_http::finish;
use portico_salesforce::records::{MayHaveChanged, Object, RecordRef};
use portico_store::{Delivery, Store, StoreError, engine::Table};

pub use trust::{Origin, Trust};

/// What this function works with.
#[derive(Clone)]
pub struct Deps {
    /// The portal's records.
    pub store: Store,
    /// Where records that may have changed go.
    pub sync: Queue,
    /// Whose messages are taken.
    pub trust: Arc<Trust>,
    /// The time.
    pub clock: Clock,
    /// Where measurements go.
    pub metrics: Metrics,
}

/// The function, from the cloud that it runs in.
///
/// # Errors
/// [`BootError`] if `template.yaml` does not give it what it needs.
pub async fn function(cloud: &Cloud) -> Result<Function, BootError> {
    Ok(Function::http(routes(Deps {
        store: cloud.store(&[Table::Idempotency])?,
        sync: cloud.queue("SYNC_QUEUE_URL")?,
        trust: Arc::new(Trust::read(cloud).await?),
        clock: cloud.clock(),
        metrics: cloud.metrics(),
    })))
}

/// The routes. The path secret never reaches a log: the log names the route's pattern.
pub fn routes(deps: Deps) -> Router {
    finish(outbound::routes().merge(callout::routes()).with_state(deps))
}

/// Why a message is not durable. Whoever sent it has to send it again.
#[derive(Debug, thiserror::Error)]
enum NotTaken {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Queue(#[from] QueueError),
}

/// What became of a message that is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taken {
    /// Its records are in the queue.
    Now,
    /// They were before.
    Before,
}

impl Deps {
    /// Makes everything that a message names durable, once. An error means that some of it may not be.
    async fn take(&self, delivery: &Delivery, records: Vec<RecordRef>) -> Result<Taken, NotTaken> {
        let outcome = self.hand_over(delivery, records).await;
        if let Err(error) = &outcome {
            self.metrics.record(Metric::MessageNotTaken, 1);
            tracing::error!(%error, "not durable; Salesforce has to send it again");
        }
        outcome
    }

    async fn hand_over(&self, delivery: &Delivery, records: Vec<RecordRef>) -> Result<Taken, NotTaken> {
        let now = self.clock.now();
        // A read, and not at once the conditional write. If the write came before the queue, a crash between the two
        // would leave a message that counts as taken and is lost. And a repetition, which is most of a retry storm,
        // would cost a write unit for a condition that does not hold, twice what this costs.
        if self.store.taken_before(delivery, now).await? {
            tracing::info!("a repetition");
            return Ok(Taken::Before);
        }
        let named = records.len();
        let messages = MayHaveChanged::all(records);
        for message in &messages {
            self.sync.send(message).await?;
        }
        self.store.remember(delivery, now).await?;
        tracing::info!(records = named, messages = messages.len(), "taken");
        Ok(Taken::Now)
    }
}

/// The record, if the portal takes over its object.
fn of_interest(object: &str, id: SalesforceId) -> Option<RecordRef> {
    let known = Object::named(object);
    if known.is_none() {
        tracing::info!(object, "an object that the portal does not take over");
    }
    known.map(|object| RecordRef { object, id })
}
