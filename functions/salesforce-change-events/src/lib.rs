//! Partner event bus of Salesforce's Event Relay: change events say which records may have changed.
//!
//! The way without a public endpoint. As with the webhook nothing is believed but ids, exact repetitions end at one
//! read, and an event is done only when its records are in the queue: the relay itself sends again after an error
//! (up to three days of events), and EventBridge sends again until the function has succeeded.

use portico_aws::{BootError, Cloud, Function, Metric, Metrics, Queue, QueueError};
use portico_domain::{
    Clock,
    runs::{Errand, Request},
};
use portico_salesforce::{
    change_events::{self, ChangeEvent, ChangeEventError},
    records::{MayHaveChanged, Object, RecordRef},
};
use portico_store::{Delivery, Store, StoreError, engine::Table};
use serde_json::value::RawValue;

/// What this function works with.
#[derive(Clone)]
pub struct Deps {
    /// The portal's records.
    pub store: Store,
    /// Where records that may have changed go.
    pub sync: Queue,
    /// Where a sweep is asked for.
    pub reconcile: Queue,
    /// The partner event source, which names the org; its event bus has the same name.
    pub source: String,
    /// The time.
    pub clock: Clock,
    /// Where measurements go.
    pub metrics: Metrics,
}

/// Why an event is not done. It comes again twice, and is then kept among the dead letters for people to look at.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// It is not what Event Relay sends.
    #[error(transparent)]
    Event(#[from] ChangeEventError),
    /// It is from another org or channel than the rule is for.
    #[error("the event is from another source than the event bus is for")]
    Source,
    /// Whether it was done before cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The sync's queue fails.
    #[error(transparent)]
    Queue(#[from] QueueError),
}

/// The function, from the cloud that it runs in.
///
/// # Errors
/// [`BootError`] if `template.yaml` does not give it what it needs.
pub async fn function(cloud: &Cloud) -> Result<Function, BootError> {
    let deps = Deps {
        store: cloud.store(&[Table::Idempotency])?,
        sync: cloud.queue("SYNC_QUEUE_URL")?,
        reconcile: cloud.queue("RECONCILE_QUEUE_URL")?,
        source: cloud.settings().text("EVENT_SOURCE")?.to_owned(),
        clock: cloud.clock(),
        metrics: cloud.metrics(),
    };
    Ok(Function::event(move |event: Box<RawValue>, _| {
        let deps = deps.clone();
        async move { deps.take(event.get()).await }
    }))
}

impl Deps {
    async fn take(&self, event: &str) -> Result<(), RelayError> {
        let change = change_events::parse(event)?;
        if change.source != self.source {
            return Err(RelayError::Source);
        }
        let Some(object) = Object::named(&change.object) else {
            tracing::info!(object = %change.object, "an object that the portal does not take over");
            return Ok(());
        };
        let now = self.clock.now();
        // A read first, for the reasons that the webhook has.
        let delivery = Delivery::new("salesforce-change-event", change.header.as_bytes());
        if self.store.taken_before(&delivery, now).await? {
            tracing::info!("a repetition");
            return Ok(());
        }
        let records = change.ids.iter().map(|id| RecordRef { object, id: *id }).collect();
        for message in MayHaveChanged::all(records) {
            self.sync.send(&message).await?;
        }
        if change.incomplete {
            self.ask_for_sweep(object, &change).await?;
        }
        self.store.remember(&delivery, now).await?;
        tracing::info!(object = object.name(), records = change.ids.len(), "taken");
        Ok(())
    }

    /// Records of this object changed, and only a sweep finds out which: not the next scheduled one but one now.
    async fn ask_for_sweep(&self, object: Object, change: &ChangeEvent<'_>) -> Result<(), QueueError> {
        self.metrics.record(Metric::SweepNeeded, 1);
        tracing::warn!(
            object = object.name(),
            named = change.ids.len(),
            "a change event does not say which records changed; a sweep finds out"
        );
        self.reconcile.send(&Request { run: None, errand: Errand::Sweep }).await
    }
}
