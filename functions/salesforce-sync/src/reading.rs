//! Reading many records at once, and looking again at those that somebody else wrote meanwhile.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use portico_aws::Metric;
use portico_domain::SalesforceId;
use portico_salesforce::{Soql, records::Record};
use portico_store::Tenant;

use crate::{Deps, SyncError};

/// Most records in one query.
pub(crate) const CHUNK: usize = 200;
/// How many records of a chunk are written at once.
pub(crate) const WRITES_AT_ONCE: usize = 8;
/// How often, at most, records are looked at before they are left for later.
const ROUNDS_MAX: usize = 6;
/// Older changes come from sweeps and backfills; how late those are is measured there.
const VISIBLE_MEASURED: SignedDuration = SignedDuration::from_hours(1);

/// What could not be brought up to date, and why.
pub(crate) type Behind = BTreeMap<SalesforceId, SyncError>;

/// What one look at some records came to; the others are up to date.
#[derive(Default)]
pub(crate) struct Looked {
    /// To be looked at again.
    pub again: Vec<SalesforceId>,
    /// Not to be had now.
    pub behind: Behind,
}

impl Looked {
    /// Notes what became of one record.
    pub(crate) fn note(&mut self, id: SalesforceId, outcome: Result<(), SyncError>) {
        match outcome {
            Ok(()) => {}
            Err(error) if error.is_conflict() => self.again.push(id),
            Err(error) => {
                self.behind.insert(id, error);
            }
        }
    }
}

/// How records of one object are brought up to date.
pub(crate) trait Refresh {
    /// Looks at some records, at most [`CHUNK`]: loads what the portal has, reads what Salesforce says, writes. An
    /// error is one that none of them got past.
    fn look(
        &mut self,
        deps: &Deps,
        ids: &[SalesforceId],
    ) -> impl Future<Output = Result<Looked, SyncError>> + Send;
}

/// Looks at records, a chunk at a time, until none has to be looked at again.
pub(crate) async fn refresh(deps: &Deps, ids: &[SalesforceId], mut objects: impl Refresh) -> Behind {
    let mut behind = Behind::new();
    for chunk in ids.chunks(CHUNK) {
        let mut open = chunk.to_vec();
        for _ in 0..ROUNDS_MAX {
            match objects.look(deps, &open).await {
                Ok(looked) => {
                    behind.extend(looked.behind);
                    open = looked.again;
                }
                Err(error) => behind.extend(open.drain(..).map(|id| (id, error.clone()))),
            }
            if open.is_empty() {
                break;
            }
        }
        behind.extend(open.into_iter().map(|id| (id, SyncError::Raced)));
    }
    behind
}

/// What Salesforce says of these records, the recycle bin included. What is not in the answer is gone for good, or
/// out of the integration user's sight.
pub(crate) async fn by_id<R: Record>(
    deps: &Deps,
    ids: &[SalesforceId],
) -> Result<BTreeMap<SalesforceId, R>, SyncError> {
    Ok(by_field::<R>(deps, "Id", ids).await?.into_iter().map(|record| (record.id(), record)).collect())
}

/// The records that refer to one of these in this field.
pub(crate) async fn by_field<R: Record>(
    deps: &Deps,
    field: &'static str,
    ids: &[SalesforceId],
) -> Result<Vec<R>, SyncError> {
    let mut records = Vec::new();
    for chunk in ids.chunks(CHUNK) {
        let soql = Soql::by_ids(R::OBJECT.name(), R::FIELDS, field, chunk);
        records.extend(deps.salesforce.query_all::<R>(&soql).await?);
    }
    Ok(records)
}

/// The portal's accounts behind Salesforce accounts; those that are no clients of the portal are left out.
pub(crate) async fn tenants(
    deps: &Deps,
    accounts: impl IntoIterator<Item = SalesforceId>,
) -> Result<BTreeMap<SalesforceId, Tenant>, SyncError> {
    let accounts: std::collections::BTreeSet<SalesforceId> = accounts.into_iter().collect();
    let links = deps.store.links(accounts).await?;
    Ok(links.into_iter().map(|(id, link)| (id, Tenant::of_link(&link))).collect())
}

/// Measures how long a change took to be seen.
pub(crate) fn became_visible(deps: &Deps, changed_at: Timestamp) {
    let took = deps.clock.now().duration_since(changed_at);
    if took < VISIBLE_MEASURED {
        deps.metrics.record(Metric::ChangeToVisible, u64::try_from(took.as_millis()).unwrap_or(0));
    }
}
