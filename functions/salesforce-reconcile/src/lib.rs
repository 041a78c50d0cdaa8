//! Holds the portal against Salesforce: what no webhook told (a sweep), what a new client brings along (a backfill),
//! whether both sides say the same (a compare), and what died on its way (a redrive).
//!
//! Nothing is written into cases from here. What may have changed is named to the sync, as the webhook does it, and the
//! sync reads it. A run is a record, and one invocation makes a bounded number of its steps; the rest is asked for by a
//! message to this function's own queue.

mod backfill;
mod compare;
mod redrive;
mod send;
mod standing;
mod sweep;
mod work;

use jiff::Timestamp;
use portico_aws::{
    Batch, BatchAnswer, BootError, Cloud, Failure, Function, Message, Metrics, Queue, QueueError,
};
use portico_domain::{Clock, Random, RunId, runs::Request};
use portico_salesforce::{Pace, Salesforce, SalesforceError};
use portico_store::{Store, StoreError, engine::Table};
use serde::Deserialize;

use redrive::RedriveQueues;

/// After how many receives of its message a run is given up: one before the queue would make it a dead letter
/// (`maxReceiveCount` in `template.yaml`), so that the run says why.
const RECEIVES_MAX: u32 = 4;

/// What this function works with.
#[derive(Clone)]
pub struct Deps {
    /// The portal's records.
    pub store: Store,
    /// The org.
    pub salesforce: Salesforce,
    /// Takes what may have changed.
    pub sync: Queue,
    /// This function's own queue.
    pub steps: Queue,
    /// The queues whose dead letters may go back.
    pub redrive: RedriveQueues,
    /// Measurements.
    pub metrics: Metrics,
    /// The time.
    pub clock: Clock,
    /// New ids.
    pub random: Random,
}

/// The function, from the cloud that it runs in.
///
/// # Errors
/// [`BootError`] if `template.yaml` does not give it what it needs.
pub async fn function(cloud: &Cloud) -> Result<Function, BootError> {
    let tables = [
        Table::Accounts,
        Table::Contracts,
        Table::Cases,
        Table::CaseActivity,
        Table::TimeEntries,
        Table::Expenses,
        Table::SalesforceLinks,
        Table::SyncRuns,
    ];
    let deps = Deps {
        store: cloud.store(&tables)?,
        salesforce: cloud.salesforce(Pace::Sweeping).await?,
        sync: cloud.queue("SYNC_QUEUE_URL")?,
        steps: cloud.queue("RECONCILE_QUEUE_URL")?,
        redrive: RedriveQueues::new(cloud)?,
        metrics: cloud.metrics(),
        clock: cloud.clock(),
        random: cloud.random(),
    };
    Ok(Function::event(move |call: Call, _| take(deps.clone(), call)))
}

/// Why a run did not get on.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// The portal's records cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Salesforce cannot be read.
    #[error(transparent)]
    Salesforce(#[from] SalesforceError),
    /// A queue does not take or give messages.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// The message is not a request.
    #[error("not a request for a run: {0}")]
    Request(#[from] serde_json::Error),
    /// A run names an object that this version does not know.
    #[error("{0} is no object of the portal's")]
    Object(String),
    /// More deletions within minutes than Salesforce tells of at once.
    #[error("more deletions within minutes than Salesforce tells of at once")]
    TooManyDeletions,
    /// Salesforce answered with the page that was read before.
    #[error("Salesforce does not go on after {0}")]
    Stuck(portico_domain::SalesforceId),
}

/// What calls this function: its queue, or a schedule with a request as its input.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Call {
    /// Messages of `ReconcileQueue`.
    Messages(Batch),
    /// A schedule of `template.yaml`.
    Scheduled(Request),
}

async fn take(deps: Deps, call: Call) -> Result<BatchAnswer, ReconcileError> {
    let mut answer = BatchAnswer::default();
    match call {
        // Only asks: what fails from here on is then a message that comes again, not an event that is lost.
        Call::Scheduled(request) => {
            let run = request.run.unwrap_or_else(|| RunId::new(deps.clock.now(), &deps.random));
            deps.steps.send(&Request { run: Some(run), ..request }).await?;
        }
        Call::Messages(batch) => {
            for message in batch.records {
                if let Err(error) = go_on(&deps, &message).await {
                    tracing::warn!(message = message.id, %error, "a run comes back later");
                    answer.failures.push(Failure { item: message.id });
                }
            }
        }
    }
    Ok(answer)
}

async fn go_on(deps: &Deps, message: &Message) -> Result<(), ReconcileError> {
    let request: Request = serde_json::from_str(&message.body)?;
    let run = request.run.unwrap_or_else(|| RunId::of_message(&message.id, sent_at(message)));
    match work::work(deps, run, &request.errand).await {
        Err(error) if message.receives() >= RECEIVES_MAX => work::give_up(deps, run, &error).await,
        outcome => outcome,
    }
}

/// The same at every delivery of a message, as the id is that is made of it.
fn sent_at(message: &Message) -> Timestamp {
    let sent = message.attributes.get("SentTimestamp").and_then(|sent| sent.parse().ok());
    sent.and_then(|sent| Timestamp::from_millisecond(sent).ok()).unwrap_or_default()
}
