//! Outbox stream: hands each event to those who act on it, and tells open browsers.
//!
//! Queues first, browsers second: an event counts as relayed once every queue has it. A push that fails is
//! logged and forgotten, because a browser catches up whenever it reads.

use futures::{StreamExt, stream};
use portico_aws::{
    BatchAnswer, BootError, Cloud, Failure, Function, Push, PushError, Pushed, Queue, QueueError,
};
use portico_domain::{
    events::{Event, Fact},
    people::{InvoiceReaders, Viewer},
};
use portico_store::{Listener, Store, StoreError, Tenant, engine::Table, outbox};
use serde::{Deserialize, Serialize};
use serde_dynamo::Item;

/// How many browsers are told at once.
const PUSHES_AT_ONCE: usize = 16;

/// What this function works with.
#[derive(Clone)]
pub struct Deps {
    /// The portal's records.
    pub store: Store,
    /// Those who act on events.
    pub queues: Queues,
    /// The way to open browsers.
    pub push: Push,
}

/// Those who act on events.
#[derive(Clone)]
pub struct Queues {
    /// Carries the portal's changes to Salesforce.
    pub writer: Queue,
    /// Bills closed cases.
    pub invoicing: Queue,
    /// Renders invoices.
    pub rendering: Queue,
    /// Seals what people did into the audit trail.
    pub audit: Queue,
    /// Puts archives together.
    pub archives: Queue,
}

/// The function, from the cloud that it runs in.
///
/// # Errors
/// [`BootError`] if `template.yaml` does not give it what it needs.
pub async fn function(cloud: &Cloud) -> Result<Function, BootError> {
    let deps = Deps {
        store: cloud.store(&[Table::Members, Table::Accounts, Table::Connections])?,
        queues: Queues {
            writer: cloud.queue("WRITER_QUEUE_URL")?,
            invoicing: cloud.queue("INVOICING_QUEUE_URL")?,
            rendering: cloud.queue("RENDERING_QUEUE_URL")?,
            audit: cloud.queue("AUDIT_QUEUE_URL")?,
            archives: cloud.queue("ARCHIVES_QUEUE_URL")?,
        },
        push: cloud.push("PUSH_URL")?,
    };
    Ok(Function::event(move |records: Records, _| relay(deps.clone(), records)))
}

/// A batch of the outbox's stream. Only what is read of it.
#[derive(Debug, Deserialize)]
pub struct Records {
    #[serde(rename = "Records")]
    records: Vec<Record>,
}

#[derive(Debug, Deserialize)]
struct Record {
    dynamodb: Change,
}

#[derive(Debug, Deserialize)]
struct Change {
    #[serde(rename = "SequenceNumber")]
    sequence: String,
    #[serde(rename = "NewImage")]
    new_image: Option<Item>,
}

#[derive(Debug, thiserror::Error)]
enum RelayError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Queue(#[from] QueueError),
}

/// Relays in order and stops at the first event that cannot be relayed: the stream comes back from there, and
/// nothing overtakes.
async fn relay(deps: Deps, batch: Records) -> Result<BatchAnswer, std::convert::Infallible> {
    for Record { dynamodb: Change { sequence, new_image } } in batch.records {
        let Some(image) = new_image else { continue };
        if let Err(error) = relay_one(&deps, image).await {
            tracing::warn!(%error, sequence, "an event is not relayed yet");
            return Ok(BatchAnswer { failures: vec![Failure { item: sequence }] });
        }
    }
    Ok(BatchAnswer::default())
}

async fn relay_one(deps: &Deps, image: Item) -> Result<(), RelayError> {
    let event = outbox::event_of(image)?;
    if event.by.is_some() {
        deps.queues.audit.send(&event).await?;
    }
    match &event.fact {
        Fact::CaseClosed { .. } | Fact::BillingDue { .. } => deps.queues.invoicing.send(&event).await?,
        Fact::CaseSubmitted { .. }
        | Fact::CaseAmended { .. }
        | Fact::CommentAdded { .. }
        | Fact::FileAdded { .. }
        | Fact::FileSuperseded { .. }
        | Fact::FileRelabelled { .. }
        | Fact::FileDeleted { .. }
        | Fact::FileRestored { .. }
        | Fact::FileErased { .. }
        | Fact::FileReferenceLost { .. }
        | Fact::InvoiceRecordLost { .. }
        | Fact::DisputeRaised { .. }
        | Fact::DisputeClosed { .. } => to_writer(deps, &event).await?,
        Fact::ArchiveRequested { .. } => deps.queues.archives.send(&event).await?,
        Fact::InvoiceIssued { .. } | Fact::CreditNoteIssued { .. } => {
            deps.queues.rendering.send(&event).await?;
            to_writer(deps, &event).await?;
        }
        Fact::CaseChanged { .. }
        | Fact::CaseFollowed { .. }
        | Fact::FileDeclared { .. }
        | Fact::FileChecked { .. }
        | Fact::FileAbandoned { .. }
        | Fact::FileErasureRequested { .. }
        | Fact::ArchiveChanged { .. }
        | Fact::InvoiceRendered { .. }
        | Fact::InvoiceDrafted { .. }
        | Fact::BillChanged { .. }
        | Fact::CreditNoteRendered { .. }
        | Fact::DisputeAnswered { .. }
        | Fact::Accessed(_) => {}
    }
    if let Some(news) = News::of(&event) {
        tell(deps, &event, &news).await?;
    }
    Ok(())
}

/// What one case is about reaches Salesforce in order. A relay that died before it said so sends an event again: within
/// five minutes the queue knows it, after that the writer does.
async fn to_writer(deps: &Deps, event: &Event) -> Result<(), QueueError> {
    deps.queues.writer.send_in_order(event, &event.subject(), &event.id.to_string()).await
}

/// What a browser is told: ids and versions, never content. It then reads with its user's own rights.
#[derive(Debug, Serialize)]
#[serde(tag = "type")]
enum News {
    #[serde(rename = "case.changed")]
    Case { case: String, version: u64 },
    #[serde(rename = "invoice.changed")]
    Invoice { invoice: String },
    /// What is not invoiced yet; all of the account's, because one change may move several bills.
    #[serde(rename = "billing.changed")]
    Bill { account: String },
    /// For whoever uploads it.
    #[serde(rename = "file.changed")]
    File { file: String },
    /// For whoever asked for it.
    #[serde(rename = "archive.changed")]
    Archive { archive: String, version: u64 },
}

impl News {
    fn of(event: &Event) -> Option<Self> {
        match &event.fact {
            Fact::CaseSubmitted { case, .. } => Some(Self::Case { case: case.to_string(), version: 1 }),
            Fact::CaseChanged { case, version }
            | Fact::CaseAmended { case, version }
            | Fact::CommentAdded { case, version, .. } => {
                Some(Self::Case { case: case.to_string(), version: *version })
            }
            Fact::InvoiceIssued { invoice, .. }
            | Fact::InvoiceRendered { invoice, .. }
            | Fact::CreditNoteIssued { invoice, .. }
            | Fact::CreditNoteRendered { invoice, .. }
            | Fact::DisputeRaised { invoice, .. }
            | Fact::DisputeAnswered { invoice, .. }
            | Fact::DisputeClosed { invoice, .. } => Some(Self::Invoice { invoice: invoice.to_string() }),
            Fact::BillChanged { .. } => Some(Self::Bill { account: event.account.to_string() }),
            Fact::FileChecked { file, .. } => Some(Self::File { file: file.to_string() }),
            Fact::ArchiveChanged { archive, version, .. } => {
                Some(Self::Archive { archive: archive.to_string(), version: *version })
            }
            // A change of the case is announced by itself.
            Fact::CaseClosed { .. }
            | Fact::FileAdded { .. }
            | Fact::FileSuperseded { .. }
            | Fact::FileRelabelled { .. }
            | Fact::FileDeleted { .. }
            | Fact::FileRestored { .. }
            | Fact::FileErasureRequested { .. } => None,
            // Nobody has seen it since it was asked for.
            Fact::FileErased { .. } => None,
            // What browsers show is the portal's, not Salesforce's copy of it.
            Fact::FileReferenceLost { .. } | Fact::InvoiceRecordLost { .. } => None,
            // Nothing to show before the content has arrived.
            Fact::CaseFollowed { .. }
            | Fact::FileDeclared { .. }
            | Fact::FileAbandoned { .. }
            | Fact::ArchiveRequested { .. } => None,
            // Clients do not see drafts, and what is due is announced by its invoice.
            Fact::InvoiceDrafted { .. } | Fact::BillingDue { .. } => None,
            // Nothing has changed.
            Fact::Accessed(_) => None,
        }
    }

    fn is_for(&self, viewer: &Viewer, event: &Event, readers: InvoiceReaders) -> bool {
        match self {
            Self::Case { .. } => viewer.may_see(&event.audience),
            Self::Invoice { .. } | Self::Bill { .. } => viewer.may_see_invoices(readers),
            Self::File { .. } | Self::Archive { .. } => {
                event.fact.awaited_by().is_some_and(|user| user == viewer.user())
            }
        }
    }

    /// Whether only those hear it who are shown the account's money.
    fn is_about_money(&self) -> bool {
        match self {
            Self::Invoice { .. } | Self::Bill { .. } => true,
            Self::Case { .. } | Self::File { .. } | Self::Archive { .. } => false,
        }
    }
}

async fn tell(deps: &Deps, event: &Event, news: &News) -> Result<(), RelayError> {
    let tenant = Tenant::of_event(event);
    let listeners = deps.store.listeners(&tenant).await?;
    let readers = readers(deps, &tenant, news, &listeners).await?;
    let message = serde_json::to_string(news).map_err(QueueError::from)?;
    stream::iter(listeners)
        .for_each_concurrent(PUSHES_AT_ONCE, |listener| async {
            let connection = listener.connection.clone();
            if let Err(error) = tell_one(deps, listener, (event, readers), news, &message).await {
                tracing::warn!(connection, %error, "a browser was not told");
            }
        })
        .await;
    Ok(())
}

/// Who of the account is shown its money, read only if that makes a difference to somebody who listens.
async fn readers(
    deps: &Deps,
    tenant: &Tenant,
    news: &News,
    listeners: &[Listener],
) -> Result<InvoiceReaders, StoreError> {
    let least = InvoiceReaders::ManagersAndBilling;
    let viewers = || listeners.iter().filter_map(|listener| listener.viewer.as_ref());
    if news.is_about_money() && viewers().any(|viewer| !viewer.may_see_invoices(least)) {
        return deps.store.invoice_readers(tenant).await;
    }
    Ok(least)
}

#[derive(Debug, thiserror::Error)]
enum TellError {
    #[error(transparent)]
    Push(#[from] PushError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

async fn tell_one(
    deps: &Deps,
    listener: Listener,
    (event, readers): (&Event, InvoiceReaders),
    news: &News,
    message: &str,
) -> Result<(), TellError> {
    match listener.viewer {
        // Somebody who has left, or now belongs elsewhere: the line is cut, not just silent.
        None => {
            deps.push.hang_up(&listener.connection).await?;
            deps.store.disconnect(&listener.connection).await?;
        }
        Some(viewer) if news.is_for(&viewer, event, readers) => {
            if deps.push.send(&listener.connection, message).await? == Pushed::Gone {
                deps.store.disconnect(&listener.connection).await?;
            }
        }
        Some(_) => {}
    }
    Ok(())
}
