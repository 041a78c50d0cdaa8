//! Re-reads records that may have changed and brings the portal up to date.
//!
//! Whoever noticed (a webhook, a sweep, a backfill) only says which records. What they say is read from
//! Salesforce here, many at a time, and written on the condition that it is newer than what the portal has. So
//! reordered, repeated and forged notifications need no cases of their own.

mod refresh;

use std::collections::{BTreeMap, BTreeSet};

use portico_aws::{Batch, BatchAnswer, BootError, Cloud, Failure, Function};
use portico_domain::{Clock, Random, SalesforceId};
use portico_salesforce::{
    Salesforce, SalesforceError,
    records::{MayHaveChanged, Object},
};
use portico_store::{Store, StoreError, engine::Table};

/// What this function works with.
#[derive(Clone)]
pub struct Deps {
    /// The portal's records.
    pub store: Store,
    /// The org.
    pub salesforce: Salesforce,
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
        Table::Outbox,
        Table::SalesforceLinks,
    ];
    let deps = Deps {
        store: cloud.store(&tables)?,
        salesforce: cloud.salesforce().await?,
        clock: cloud.clock(),
        random: cloud.random(),
    };
    Ok(Function::event(move |batch: Batch, _| sync(deps.clone(), batch)))
}

/// Why a record is not up to date yet.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// The portal's records cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Salesforce cannot be read.
    #[error(transparent)]
    Salesforce(#[from] SalesforceError),
    /// A comment or a time entry of a case that the portal does not have yet.
    #[error("{0} belongs to a case that the portal does not have yet")]
    NoCase(SalesforceId),
    /// Salesforce says something that the portal cannot bill by.
    #[error("{0}: {1}")]
    Unusable(SalesforceId, portico_salesforce::records::Unusable),
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
        for (id, error) in refresh::refresh(&deps, object, &ids).await {
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
