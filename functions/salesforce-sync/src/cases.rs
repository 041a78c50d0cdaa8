//! Cases.

use std::collections::BTreeMap;

use futures::{StreamExt, TryStreamExt, stream};
use portico_domain::{
    SalesforceId,
    cases::{Case, TimelineEntry},
    events::{Event, Fact},
};
use portico_salesforce::records::{CaseCommentRecord, CaseRecord, TimeEntryRecord};
use portico_store::{Linked, StoreError, Tenant};

use crate::{
    Deps, SyncError, lines,
    reading::{self, Looked, Refresh, WRITES_AT_ONCE},
};

/// How many cases are read at once.
const READS_AT_ONCE: usize = 16;

/// The portal's cases behind Salesforce's.
pub(crate) type Known = BTreeMap<SalesforceId, Case>;

/// Cases.
pub(crate) struct Cases;

/// The cases that the portal has of these.
pub(crate) async fn known(deps: &Deps, ids: &[SalesforceId]) -> Result<Known, SyncError> {
    let links = deps.store.links(ids.iter().copied()).await?;
    let found: Vec<Option<(SalesforceId, Case)>> = stream::iter(links)
        .map(|(id, link)| async move {
            let Linked::Case { case } = link.record else { return Ok::<_, StoreError>(None) };
            Ok(deps.store.case(&Tenant::of_link(&link), case).await?.map(|case| (id, case)))
        })
        .buffer_unordered(READS_AT_ONCE)
        .try_collect()
        .await?;
    Ok(found.into_iter().flatten().collect())
}

impl Refresh for Cases {
    async fn look(&mut self, deps: &Deps, ids: &[SalesforceId]) -> Result<Looked, SyncError> {
        let mut known = known(deps, ids).await?;
        let mut records = reading::by_id::<CaseRecord>(deps, ids).await?;
        records.retain(|_, record| !record.is_deleted);
        let accounts = records.values().filter_map(|record| record.account_id);
        let tenants = reading::tenants(deps, accounts).await?;
        let mut looked = Looked::default();

        // The hours have to be here before the close is: it is the close that makes the invoice.
        let closing = |id: &SalesforceId, case: &Case| {
            let closed = records.get(id).is_some_and(|record| record.is_closed);
            closed && !case.is_closed_in_salesforce()
        };
        let to_close: Known = known
            .iter()
            .filter(|(id, case)| closing(id, case))
            .map(|(id, case)| (*id, case.clone()))
            .collect();
        for (id, outcome) in lines::fetch::<TimeEntryRecord>(deps, to_close).await? {
            match outcome {
                Ok(case) => {
                    known.insert(id, case);
                }
                Err(error) => {
                    known.remove(&id);
                    records.remove(&id);
                    looked.note(id, Err(error));
                }
            }
        }

        let ids = ids.iter().filter(|id| !looked.again.contains(id) && !looked.behind.contains_key(id));
        let sightings: Vec<Sighting> = ids
            .map(|id| {
                let record = records.remove(id);
                let tenant = record.as_ref().and_then(|record| tenants.get(&record.account_id?)).copied();
                Sighting { id: *id, known: known.remove(id), there: record.zip(tenant) }
            })
            .collect();
        let settled: Vec<(SalesforceId, Result<Option<Case>, SyncError>)> = stream::iter(sightings)
            .map(|sighting| async move { (sighting.id, settle(deps, sighting).await) })
            .buffer_unordered(WRITES_AT_ONCE)
            .collect()
            .await;
        let mut incomplete = Known::new();
        for (id, outcome) in settled {
            match outcome {
                Ok(case) => incomplete.extend(case.filter(|case| case.incomplete).map(|case| (id, case))),
                Err(error) => looked.note(id, Err(error)),
            }
        }
        for (id, outcome) in complete(deps, incomplete).await? {
            looked.note(id, outcome);
        }
        Ok(looked)
    }
}

/// One case, here and there.
struct Sighting {
    id: SalesforceId,
    known: Option<Case>,
    /// What Salesforce says, and whose case that makes it; absent if it is gone or no client's.
    there: Option<(CaseRecord, Tenant)>,
}

/// Writes what was seen. Returns the case as it now stands, unless it is gone.
async fn settle(deps: &Deps, sighting: Sighting) -> Result<Option<Case>, SyncError> {
    let now = deps.clock.now();
    let changed = |case: &Case| Event::case_changed(case, now, &deps.random);
    // What hangs on a case goes with it.
    let bill_changed = |case: &Case| Event::bill_changed(case.account, Some(case.id), now, &deps.random);
    let Sighting { id, known, there } = sighting;
    let Some((record, tenant)) = there else {
        if let Some(gone) = known.and_then(|case| case.withdraw(now)) {
            deps.store.save_case(&gone, &[], &[changed(&gone), bill_changed(&gone)]).await?;
            tracing::info!(%id, case = %gone.id, "withdrawn: Salesforce has it no longer, or not as a client's");
        }
        return Ok(None);
    };
    let modstamp = record.system_modstamp;
    let known = match known {
        Some(case) => Some(case),
        // Raised here, taken there, and nobody has noted it yet. Somebody who has in the meantime may have read
        // Salesforce later than this was.
        None => match deps.store.case(&tenant, record.case_id()).await? {
            Some(case) if case.salesforce_id.is_some() => return Err(StoreError::Conflict.into()),
            unlinked => unlinked,
        },
    };
    let observed = match &known {
        Some(from) if from.account != tenant.account() => {
            let moved = from.moved(tenant.account(), record.into(), now);
            // Told in both accounts: from one it disappears.
            let left =
                Event::case_changed(&Case { version: from.version + 1, ..from.clone() }, now, &deps.random);
            let events = [left, bill_changed(from), changed(&moved)];
            deps.store.move_case(from, &moved, &events).await?;
            tracing::warn!(%id, case = %moved.id, "moved to another account");
            return Ok(Some(moved));
        }
        Some(case) => match case.observe(record.into(), now) {
            Some(observed) => observed,
            None => return Ok(known),
        },
        None => Case::discovered(record.case_id(), tenant.account(), record.into(), now),
    };
    let case = observed.case;
    let entries: Vec<TimelineEntry> =
        observed.happened.into_iter().map(|what| TimelineEntry::new(what, now, &deps.random)).collect();
    let mut events = vec![changed(&case)];
    if observed.newly_closed {
        events.push(Event::about(&case, Fact::CaseClosed { case: case.id }, now, &deps.random));
    }
    if known.is_some_and(|known| known.salesforce_id.is_some()) {
        deps.store.save_case(&case, &entries, &events).await?;
    } else {
        deps.store.link_case(&case, &entries, &events).await?;
    }
    reading::became_visible(deps, modstamp);
    Ok(Some(case))
}

/// Fetches the comments and hours of cases that came back, or from another account.
async fn complete(
    deps: &Deps,
    cases: Known,
) -> Result<Vec<(SalesforceId, Result<(), SyncError>)>, SyncError> {
    let mut outcomes = Vec::new();
    let mut with_hours = Known::new();
    for (id, outcome) in lines::fetch::<TimeEntryRecord>(deps, cases).await? {
        match outcome {
            Ok(case) => {
                with_hours.insert(id, case);
            }
            Err(error) => outcomes.push((id, Err(error))),
        }
    }
    for (id, outcome) in lines::fetch::<CaseCommentRecord>(deps, with_hours).await? {
        let completed = match outcome {
            Ok(case) => deps.store.save_case(&case.completed(), &[], &[]).await.map_err(SyncError::from),
            Err(error) => Err(error),
        };
        outcomes.push((id, completed));
    }
    Ok(outcomes)
}
