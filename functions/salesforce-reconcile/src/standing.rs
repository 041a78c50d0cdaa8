//! Whether the portal has what Salesforce has, record by record.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use portico_domain::{
    AccountId, CaseId, EntryId, SalesforceId,
    billing::TimeEntry,
    cases::{Case, TimelineEntry},
    contracts::Outlay,
    runs::Difference,
};
use portico_salesforce::{records::Object, replication::Listed};
use portico_store::{Link, Linked, PageSize, Store, StoreError, Tenant};

/// How many records of the portal are read at once.
const READS_AT_ONCE: usize = 16;
/// Most pages of a timeline that are looked through for a comment: a thousand lines. A comment behind them counts as
/// missing, is read once more, and found to be there by the sync.
const TIMELINE_PAGES_MAX: usize = 10;

/// What the portal has of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It is not one of a client's.
    Foreign,
    /// What Salesforce has.
    Same,
    /// Something else.
    Behind(Difference),
    /// The portal keeps no version of such records; only reading it shows.
    Unknown,
}

/// What the portal has of the records of a page.
#[derive(Debug, Default)]
pub(crate) struct Known {
    accounts: BTreeMap<SalesforceId, AccountId>,
    /// Contracts and their amendments: of which change of the record they are.
    papers: BTreeMap<SalesforceId, Timestamp>,
    expenses: BTreeMap<SalesforceId, Outlay>,
    cases: BTreeMap<SalesforceId, Case>,
    entries: BTreeMap<SalesforceId, TimeEntry>,
    lines: BTreeMap<EntryId, TimelineEntry>,
    said_here: BTreeSet<SalesforceId>,
}

impl Known {
    /// Reads what it takes to judge these records.
    pub(crate) async fn load(store: &Store, page: &[Listed]) -> Result<Self, StoreError> {
        let Some(object) = page.first().map(|listed| listed.record.object) else {
            return Ok(Self::default());
        };
        let distinct = |of: fn(&Listed) -> Option<SalesforceId>| -> BTreeSet<SalesforceId> {
            page.iter().filter_map(of).collect()
        };
        let links = all(distinct(|listed| listed.account), |id| store.link(id)).await?;
        let clients = links.into_iter().filter(|link| matches!(link.record, Linked::Account));
        let clients: Vec<Link> = clients.collect();
        let mut known = Self {
            accounts: clients.iter().map(|link| (link.salesforce_id, link.account)).collect(),
            ..Self::default()
        };
        match object {
            Object::Contract => {
                for link in &clients {
                    let contracts = store.contracts(&Tenant::of_link(link)).await?;
                    // What is part of another contract by now counts as that.
                    known.papers.extend(contracts.iter().map(|it| (it.salesforce_id, it.modstamp)));
                    let amendments = contracts.iter().flat_map(|it| &it.amendments);
                    known.papers.extend(amendments.map(|it| (it.salesforce_id, it.modstamp)));
                }
            }
            Object::Expense => {
                known.expenses = expenses(store, distinct(|listed| Some(listed.record.id))).await?;
            }
            Object::Case => known.cases = cases(store, distinct(|listed| listed.case)).await?,
            Object::CaseComment => {
                known.cases = cases(store, distinct(|listed| listed.case)).await?;
                for case in known.cases.values() {
                    known.lines.extend(lines(store, case).await?);
                }
                let comments = distinct(|listed| listed.comment.as_ref().map(|_| listed.record.id));
                let links = all(comments, |id| store.link(id)).await?;
                let said_here = links.into_iter().filter(|link| match link.record {
                    Linked::Comment { entry, .. } => entry != EntryId::of_salesforce(&link.salesforce_id),
                    _ => false,
                });
                known.said_here = said_here.map(|link| link.salesforce_id).collect();
            }
            Object::TimeEntry => {
                known.cases = cases(store, distinct(|listed| listed.case)).await?;
                for case in known.cases.values() {
                    let entries = store.time_entries(&Tenant::of_case(case), case.id).await?;
                    known.entries.extend(entries.into_iter().map(|entry| (entry.salesforce_id, entry)));
                }
            }
            Object::Account
            | Object::Contact
            | Object::Rate
            | Object::Milestone
            | Object::Block
            | Object::Discount
            | Object::File
            | Object::Invoice => {}
        }
        Ok(known)
    }

    /// How the portal stands with one of the records.
    pub(crate) fn standing(&self, listed: &Listed) -> Standing {
        let owner = listed.account.and_then(|account| self.accounts.get(&account));
        let case = listed.case.and_then(|case| self.cases.get(&case));
        match listed.record.object {
            Object::Account
            | Object::Contact
            | Object::Rate
            | Object::Milestone
            | Object::Block
            | Object::Discount
            | Object::File
            | Object::Invoice => {
                if owner.is_some() {
                    Standing::Unknown
                } else {
                    Standing::Foreign
                }
            }
            Object::Contract if owner.is_none() => Standing::Foreign,
            Object::Contract => match self.papers.get(&listed.record.id) {
                Some(modstamp) if *modstamp < listed.modstamp => Standing::Behind(Difference::Stale),
                None if !listed.deleted => Standing::Behind(Difference::Missing),
                Some(_) | None => Standing::Same,
            },
            Object::Expense => standing_of_expense(listed, owner, self.expenses.get(&listed.record.id)),
            Object::Case => standing_of_case(listed, owner, case),
            // Of a case that is not here either, which is judged by itself.
            Object::CaseComment | Object::TimeEntry if case.is_none() => match owner {
                Some(_) if !listed.deleted && is_for_clients(listed) => Standing::Behind(Difference::Missing),
                Some(_) | None => Standing::Foreign,
            },
            Object::CaseComment => self.standing_of_comment(listed),
            Object::TimeEntry => match self.entries.get(&listed.record.id) {
                Some(entry) if listed.deleted && !entry.deleted => Standing::Behind(Difference::Gone),
                Some(entry) if entry.modstamp < listed.modstamp => Standing::Behind(Difference::Stale),
                None if !listed.deleted => Standing::Behind(Difference::Missing),
                Some(_) | None => Standing::Same,
            },
        }
    }

    /// By its words: a comment's line has no version.
    fn standing_of_comment(&self, listed: &Listed) -> Standing {
        let id = EntryId::of_salesforce(&listed.record.id);
        let shown = listed.comment.as_ref().filter(|_| !listed.deleted);
        match (shown, self.lines.get(&id)) {
            (None, None) => Standing::Same,
            (None, Some(_)) => Standing::Behind(Difference::Gone),
            (Some(_), None) if self.said_here.contains(&listed.record.id) => Standing::Same,
            (Some(_), None) => Standing::Behind(Difference::Missing),
            (Some(said), Some(line)) => {
                let there = TimelineEntry::of_comment(id, listed.created_at, &said.text, &said.author);
                let same = there.happening == line.happening;
                if same { Standing::Same } else { Standing::Behind(Difference::Stale) }
            }
        }
    }
}

/// What agents say among themselves is not for clients.
fn is_for_clients(listed: &Listed) -> bool {
    listed.record.object != Object::CaseComment || listed.comment.is_some()
}

fn standing_of_expense(listed: &Listed, owner: Option<&AccountId>, outlay: Option<&Outlay>) -> Standing {
    match (outlay, owner) {
        (None, Some(_)) if !listed.deleted => Standing::Behind(Difference::Missing),
        (None, _) => Standing::Foreign,
        // Deleted, or moved to a company that is no client: the portal keeps it and bills it to nobody.
        (Some(outlay), owner) if listed.deleted || owner.is_none() => {
            if outlay.deleted {
                Standing::Same
            } else {
                Standing::Behind(Difference::Gone)
            }
        }
        (Some(outlay), owner) => {
            let same =
                Some(&outlay.account) == owner && !outlay.deleted && outlay.modstamp >= listed.modstamp;
            if same { Standing::Same } else { Standing::Behind(Difference::Stale) }
        }
    }
}

fn standing_of_case(listed: &Listed, owner: Option<&AccountId>, case: Option<&Case>) -> Standing {
    match (case, owner) {
        (None, Some(_)) if !listed.deleted => Standing::Behind(Difference::Missing),
        (None, _) => Standing::Foreign,
        // Deleted, or moved to a company that is no client: the portal keeps it and shows it to nobody.
        (Some(case), owner) if listed.deleted || owner.is_none() => match case.withdrawn {
            Some(_) => Standing::Same,
            None => Standing::Behind(Difference::Gone),
        },
        (Some(_), None) => Standing::Foreign,
        (Some(case), Some(owner)) => {
            let read = case.confirmed.is_some_and(|confirmed| confirmed.modstamp >= listed.modstamp);
            if read && case.account == *owner && case.withdrawn.is_none() {
                Standing::Same
            } else {
                Standing::Behind(Difference::Stale)
            }
        }
    }
}

/// Those that there are, several at once.
async fn all<I, T, Fut>(
    ids: impl IntoIterator<Item = I>,
    read: impl Fn(I) -> Fut,
) -> Result<Vec<T>, StoreError>
where
    Fut: Future<Output = Result<Option<T>, StoreError>>,
{
    let found: Vec<Option<T>> =
        stream::iter(ids).map(read).buffer_unordered(READS_AT_ONCE).try_collect().await?;
    Ok(found.into_iter().flatten().collect())
}

async fn cases(
    store: &Store,
    ids: BTreeSet<SalesforceId>,
) -> Result<BTreeMap<SalesforceId, Case>, StoreError> {
    let read = async |id| Ok(store.case_of(id).await?.map(|case| (id, case)));
    Ok(all(ids, read).await?.into_iter().collect())
}

async fn expenses(
    store: &Store,
    ids: BTreeSet<SalesforceId>,
) -> Result<BTreeMap<SalesforceId, Outlay>, StoreError> {
    let links = all(ids, |id| store.link(id)).await?;
    let links = links.into_iter().filter(|link| link.record == Linked::Expense);
    let links: Vec<Link> = links.collect();
    let read = async |link: Link| store.expense(&Tenant::of_link(&link), link.salesforce_id).await;
    let outlays = all(links, read).await?;
    Ok(outlays.into_iter().map(|outlay| (outlay.salesforce_id(), outlay)).collect())
}

async fn lines(store: &Store, case: &Case) -> Result<BTreeMap<EntryId, TimelineEntry>, StoreError> {
    let size = PageSize::new(PageSize::MAX).unwrap_or(PageSize::DEFAULT);
    let mut lines = BTreeMap::new();
    let mut cursor = None;
    for _ in 0..TIMELINE_PAGES_MAX {
        // A cursor of this very timeline is always one of it.
        let Ok(page) = store.timeline(case, size, cursor).await? else { break };
        lines.extend(page.items.into_iter().map(|line| (line.id, line)));
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    Ok(lines)
}

/// Whether the portal still shows a case that Salesforce has purged.
pub(crate) async fn shows_case(store: &Store, id: SalesforceId) -> Result<bool, StoreError> {
    Ok(store.case_of(id).await?.is_some_and(|case| case.withdrawn.is_none()))
}

/// The portal's records of one account, each by its id in Salesforce, that Salesforce has to have too.
#[derive(Debug, Default)]
pub(crate) struct Here {
    /// By object.
    pub records: BTreeMap<Object, BTreeSet<SalesforceId>>,
    /// After which case to go on.
    pub next: Option<CaseId>,
}

impl Here {
    /// What hangs on the next cases of an account, and at first its contracts and expenses.
    pub(crate) async fn load(
        store: &Store,
        tenant: &Tenant,
        after: Option<CaseId>,
    ) -> Result<Self, StoreError> {
        let mut here = Self::default();
        if after.is_none() {
            let contracts = store.contracts(tenant).await?.into_iter();
            // One that was deleted in Salesforce is kept, and holds on no day.
            let live = contracts.filter(|contract| !contract.has_ended()).flat_map(|contract| {
                let amendments = contract.amendments.into_iter().map(|amendment| amendment.salesforce_id);
                amendments.chain([contract.salesforce_id])
            });
            here.records.insert(Object::Contract, live.collect());
            let expenses = store.all_expenses(tenant).await?.into_iter().filter(|outlay| !outlay.deleted);
            here.records.insert(Object::Expense, expenses.map(|outlay| outlay.salesforce_id()).collect());
        }
        let (cases, next) = store.cases_after(tenant, after).await?;
        here.next = next;
        for case in &cases {
            let entries = store.time_entries(tenant, case.id).await?.into_iter();
            let entries = entries.filter(|entry| !entry.deleted).map(|entry| entry.salesforce_id);
            here.records.entry(Object::TimeEntry).or_default().extend(entries);
        }
        let cases =
            cases.into_iter().filter(|case| case.withdrawn.is_none()).filter_map(|case| case.salesforce_id);
        here.records.entry(Object::Case).or_default().extend(cases);
        Ok(here)
    }
}
