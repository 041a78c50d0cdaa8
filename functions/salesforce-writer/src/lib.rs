//! Carries the portal's own changes to Salesforce, each once, those of a case in the order in which they were made.
//!
//! - [`handover`]: one event becomes one write. Every write is an upsert by an external id that the org holds unique, so a
//!   message that comes twice, or whose answer was lost, makes nothing twice.
//! - [`trouble`]: what stands in the way, and what then becomes of the message: a wait that fits the trouble, or the dead
//!   letters, where people see it.

pub mod handover;
pub mod trouble;

use std::time::Duration;

use jiff::SignedDuration;
use portico_aws::{
    Batch, BatchAnswer, BootError, Cloud, DeadLetters, Function, Message, Metric, Metrics, Queue, Verdict,
};
use portico_domain::{
    Clock, Random,
    events::{Event, Fact},
};
use portico_salesforce::{Pace, Salesforce};
use portico_store::{Store, engine::Table};
use url::Url;

use handover::{WriteError, is_numbered, write};
use trouble::{Then, Trouble};

/// How long a new case is left alone: case-submission asks Salesforce itself within 3 seconds, and nearly always succeeds.
const SUBMISSION_HEAD_START: SignedDuration = SignedDuration::from_secs(6);
/// When a batch begins no further message, and how long one message may take: together less than the function's time-out
/// of 60 seconds, so that what is done is also acknowledged.
pub const BATCH_BUDGET: Duration = Duration::from_secs(20);
/// See [`BATCH_BUDGET`]. Two calls that take their 15 seconds, and some.
pub const MESSAGE_TIME_MAX: Duration = Duration::from_secs(35);
/// How old a message may become. The queue drops what is 14 days old; two days before, it goes where people see it.
const AGE_MAX: SignedDuration = SignedDuration::from_hours(12 * 24);

/// What this function works with.
#[derive(Clone)]
pub struct Deps {
    /// The portal's records.
    pub store: Store,
    /// The org.
    pub salesforce: Salesforce,
    /// Where agents open files.
    pub portal: Url,
    /// Where it is said that a record may have changed.
    pub sync: Queue,
    /// Where the messages come from.
    pub queue: Queue,
    /// Where those go that cannot be carried over.
    pub dead_letters: DeadLetters,
    /// What operators watch.
    pub metrics: Metrics,
    /// The time.
    pub clock: Clock,
    /// New ids, and waits that are not all the same.
    pub random: Random,
}

/// The function, from the cloud that it runs in.
///
/// # Errors
/// [`BootError`] if `template.yaml` does not give it what it needs.
pub async fn function(cloud: &Cloud) -> Result<Function, BootError> {
    let tables = [
        Table::Accounts,
        Table::Cases,
        Table::CaseActivity,
        Table::Files,
        Table::Invoices,
        Table::Outbox,
        Table::SalesforceLinks,
    ];
    let deps = Deps {
        store: cloud.store(&tables)?,
        salesforce: cloud.salesforce(Pace::Writing).await?,
        portal: cloud.settings().url("WEB_ORIGIN")?,
        sync: cloud.queue("SYNC_QUEUE_URL")?,
        queue: cloud.queue("WRITER_QUEUE_URL")?,
        dead_letters: cloud.dead_letters("WRITER_DEAD_LETTERS_URL")?,
        metrics: cloud.metrics(),
        clock: cloud.clock(),
        random: cloud.random(),
    };
    Ok(Function::event(move |batch: Batch, _| {
        let deps = deps.clone();
        async move { Ok::<_, std::convert::Infallible>(carry_over(&deps, batch).await) }
    }))
}

async fn carry_over(deps: &Deps, batch: Batch) -> BatchAnswer {
    let answer = batch.each_in_order(&deps.queue, BATCH_BUDGET, |message| take(deps, message)).await;
    if let Some(usage) = deps.salesforce.usage() {
        deps.metrics.record(Metric::SalesforceApiUsage, usage.percent());
    }
    answer
}

/// One message: carried over, parked, or left for later.
async fn take(deps: &Deps, message: Message) -> Verdict {
    let trouble = match serde_json::from_str::<Event>(&message.body) {
        Err(_) => Trouble::UnreadableMessage,
        Ok(event) => {
            // A body that is not read above names no case; this one may be logged by its ids.
            match tokio::time::timeout(MESSAGE_TIME_MAX, attempt(deps, &event)).await {
                Ok(Ok(None)) => return Verdict::Done,
                Ok(Ok(Some(head_start))) => return Verdict::Again { after: head_start },
                Ok(Err(error)) => {
                    let trouble = Trouble::of(&error);
                    let (event, code) = (event.id, error.code());
                    tracing::warn!(%event, trouble = trouble.name(), code, "not carried over");
                    trouble
                }
                Err(_) => Trouble::Unavailable,
            }
        }
    };
    if trouble == Trouble::SignIn {
        // Nothing gets through until somebody has looked at it.
        tracing::error!("Salesforce does not let the portal in");
        deps.metrics.record(Metric::SalesforceSignInRefused, 1);
    }
    let too_old = message.sent_at().is_some_and(|sent| deps.clock.now().duration_since(sent) > AGE_MAX);
    match trouble.then(message.receives(), &deps.random) {
        Then::Wait(after) if !too_old => Verdict::Again { after },
        Then::Wait(_) | Then::Park => park(deps, &message, trouble).await,
    }
}

/// Puts a message where people see it. It counts as done only once it is there.
async fn park(deps: &Deps, message: &Message, trouble: Trouble) -> Verdict {
    match deps.dead_letters.park(message, trouble.name()).await {
        Ok(()) => {
            tracing::error!(message = %message.id, trouble = trouble.name(), "a message is parked");
            deps.metrics.record(Metric::WritesParked, 1);
            Verdict::Done
        }
        Err(error) => {
            tracing::warn!(message = %message.id, %error, "a message cannot be parked");
            Verdict::Again { after: Trouble::Infrastructure.wait(message.receives(), &deps.random) }
        }
    }
}

/// Carries an event over, or says for how long it is not this function's turn yet.
async fn attempt(deps: &Deps, event: &Event) -> Result<Option<Duration>, WriteError> {
    if let Fact::CaseSubmitted { case, .. } = event.fact {
        let age = deps.clock.now().duration_since(event.at);
        let left = SUBMISSION_HEAD_START.checked_sub(age).unwrap_or_default().min(SUBMISSION_HEAD_START);
        if let Ok(left) = Duration::try_from(left)
            && !left.is_zero()
            && !is_numbered(deps, event, case).await?
        {
            return Ok(Some(left));
        }
    }
    write(deps, event).await?;
    Ok(None)
}
