//! Re-reads records that may have changed and brings the portal up to date.
//!
//! Whoever noticed (a webhook, a sweep, a backfill, the portal's own writer) only says which records. What they say
//! is read from Salesforce here, many at a time, always in this order:
//!
//! ```text
//! load what the portal has ──▶ read what Salesforce says ──▶ write, if what was loaded still stands
//!            ▲                                                           │ no: somebody else wrote it
//!            └───────────────────────────────────────────────────────────┘
//! ```
//!
//! So what is read is later than what it replaces, always. Reordered, repeated, forged and simultaneous
//! notifications need no cases of their own, nor do two changes within the second that `SystemModstamp` resolves.
//! What was asked for and is not there is gone: `queryAll` also shows what lies in the recycle bin.

mod agreements;
mod cases;
mod expenses;
mod lines;
mod people;
mod reading;
mod references;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use portico_aws::{Batch, BatchAnswer, BootError, Cloud, Failure, Function, Metrics};
use portico_domain::{Clock, Random, SalesforceId, billing::Invoice, files::File};
use portico_salesforce::{
    Pace, Salesforce, SalesforceError,
    records::{
        BlockRecord, CaseCommentRecord, DiscountRecord, MayHaveChanged, MilestoneRecord, Object, RateRecord,
        TimeEntryRecord, Unusable,
    },
};
use portico_store::{Store, StoreError, engine::Table};

use agreements::{Papers, Parts};
use expenses::Expenses;
use lines::Lines;
use reading::Behind;
use references::Copies;

/// What this function works with.
#[derive(Clone)]
pub struct Deps {
    /// The portal's records.
    pub store: Store,
    /// The org.
    pub salesforce: Salesforce,
    /// Where it is measured how long changes take.
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
        Table::Members,
        Table::Contracts,
        Table::Cases,
        Table::CaseActivity,
        Table::TimeEntries,
        Table::Expenses,
        Table::Files,
        Table::Invoices,
        Table::Outbox,
        Table::SalesforceLinks,
    ];
    let deps = Deps {
        store: cloud.store(&tables)?,
        salesforce: cloud.salesforce(Pace::Reading).await?,
        metrics: cloud.metrics(),
        clock: cloud.clock(),
        random: cloud.random(),
    };
    Ok(Function::event(move |batch: Batch, _| sync(deps.clone(), batch)))
}

/// Why a record is not up to date yet.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SyncError {
    /// The portal's records cannot be read or written.
    #[error(transparent)]
    Store(#[from] Arc<StoreError>),
    /// Salesforce cannot be read.
    #[error(transparent)]
    Salesforce(#[from] Arc<SalesforceError>),
    /// A comment or a time entry of a case that is not up to date itself.
    #[error("it belongs to a case that is behind")]
    CaseBehind,
    /// Salesforce says something that the portal cannot bill by.
    #[error(transparent)]
    Unusable(#[from] Unusable),
    /// Others wrote the same record again and again.
    #[error("others keep writing the record")]
    Raced,
}

impl From<StoreError> for SyncError {
    fn from(error: StoreError) -> Self {
        Self::Store(Arc::new(error))
    }
}

impl From<SalesforceError> for SyncError {
    fn from(error: SalesforceError) -> Self {
        Self::Salesforce(Arc::new(error))
    }
}

impl SyncError {
    /// Whether somebody else was faster, so that looking again is all that is needed.
    fn is_conflict(&self) -> bool {
        matches!(self, Self::Store(error) if matches!(**error, StoreError::Conflict))
    }
}

/// Records of a batch, each once, by object: in the order of [`Object`], so that accounts come before cases,
/// and cases before what hangs on them.
type Wanted = BTreeMap<Object, BTreeSet<SalesforceId>>;

async fn sync(deps: Deps, batch: Batch) -> Result<BatchAnswer, std::convert::Infallible> {
    let mut answer = BatchAnswer::default();
    let mut wanted = Wanted::new();
    let mut messages = Vec::new();
    for message in batch.records {
        match serde_json::from_str::<MayHaveChanged>(&message.body) {
            Ok(changed) => {
                for record in &changed.records {
                    wanted.entry(record.object).or_default().insert(record.id);
                }
                messages.push((message.id, changed));
            }
            Err(error) => {
                tracing::error!(message = message.id, %error, "not a message for the sync");
                answer.failures.push(Failure { item: message.id });
            }
        }
    }
    let mut behind = BTreeSet::new();
    for (object, ids) in wanted {
        let ids: Vec<SalesforceId> = ids.into_iter().collect();
        for (id, error) in refresh(&deps, object, &ids).await {
            tracing::warn!(object = object.name(), %id, %error, "not up to date yet");
            behind.insert(id);
        }
    }
    for (message, changed) in messages {
        if changed.records.iter().any(|record| behind.contains(&record.id)) {
            answer.failures.push(Failure { item: message });
        }
    }
    Ok(answer)
}

async fn refresh(deps: &Deps, object: Object, ids: &[SalesforceId]) -> Behind {
    match object {
        Object::Account => reading::refresh(deps, ids, people::Accounts).await,
        Object::Contact => reading::refresh(deps, ids, people::Contacts).await,
        Object::Case => reading::refresh(deps, ids, cases::Cases).await,
        Object::CaseComment => reading::refresh(deps, ids, Lines::<CaseCommentRecord>::default()).await,
        Object::TimeEntry => reading::refresh(deps, ids, Lines::<TimeEntryRecord>::default()).await,
        Object::Contract => reading::refresh(deps, ids, Papers).await,
        Object::Rate => reading::refresh(deps, ids, Parts::<RateRecord>::default()).await,
        Object::Milestone => reading::refresh(deps, ids, Parts::<MilestoneRecord>::default()).await,
        Object::Block => reading::refresh(deps, ids, Parts::<BlockRecord>::default()).await,
        Object::Discount => reading::refresh(deps, ids, Parts::<DiscountRecord>::default()).await,
        Object::Expense => reading::refresh(deps, ids, Expenses).await,
        Object::File => reading::refresh(deps, ids, Copies::<File>::default()).await,
        Object::Invoice => reading::refresh(deps, ids, Copies::<Invoice>::default()).await,
    }
}
