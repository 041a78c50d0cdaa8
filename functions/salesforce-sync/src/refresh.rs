//! One object's records, read together and taken over one by one.

use portico_domain::{
    EntryId, SalesforceId,
    billing::TimeEntry,
    cases::{Case, Happening, Side, TimelineEntry},
    contracts::Contract,
    events::{Event, Fact},
    people::Account,
};
use portico_salesforce::{
    SalesforceError, Soql,
    records::{
        AccountRecord, CaseCommentRecord, CaseRecord, ContractRecord, Object, Record, TimeEntryRecord,
    },
};
use portico_store::{Link, Linked, PageSize, StoreError, Tenant};

use crate::{Deps, SyncError};

/// Most records in one query.
const CHUNK: usize = 200;
/// How often a record is read again because somebody else wrote it in between.
const RACES_MAX: usize = 5;

/// What could not be brought up to date, and why.
type Behind = Vec<(SalesforceId, SyncError)>;

pub(crate) async fn refresh(deps: &Deps, object: Object, ids: &[SalesforceId]) -> Behind {
    let mut behind = Behind::new();
    for chunk in ids.chunks(CHUNK) {
        match object {
            Object::Account => take_over(deps, chunk, &mut behind, account).await,
            // What a contact may see follows from the membership, which names the contact by id.
            Object::Contact => {}
            Object::Case => take_over(deps, chunk, &mut behind, case).await,
            Object::CaseComment => take_over(deps, chunk, &mut behind, comment).await,
            Object::TimeEntry => take_over(deps, chunk, &mut behind, time_entry).await,
            Object::Contract => take_over(deps, chunk, &mut behind, contract).await,
        }
    }
    behind
}

async fn take_over<R: Record>(
    deps: &Deps,
    ids: &[SalesforceId],
    behind: &mut Behind,
    take: impl AsyncFn(&Deps, R) -> Result<(), SyncError>,
) {
    match read::<R>(deps, "Id", ids).await {
        Ok(records) => {
            for record in records {
                let id = record.id();
                if let Err(error) = take(deps, record).await {
                    behind.push((id, error));
                }
            }
        }
        Err(error) => {
            let reason = error.to_string();
            let same = |id: &SalesforceId| (*id, SalesforceError::Unavailable(reason.clone()).into());
            behind.extend(ids.iter().map(same));
        }
    }
}

async fn read<R: Record>(
    deps: &Deps,
    field: &'static str,
    ids: &[SalesforceId],
) -> Result<Vec<R>, SalesforceError> {
    deps.salesforce.query_all(&Soql::by_ids(R::OBJECT.name(), R::FIELDS, field, ids)).await
}

async fn read_again<R: Record>(deps: &Deps, id: SalesforceId) -> Result<Option<R>, SalesforceError> {
    Ok(read(deps, "Id", &[id]).await?.into_iter().next())
}

async fn account(deps: &Deps, record: AccountRecord) -> Result<(), SyncError> {
    // Only accounts that were provisioned are clients of the portal.
    let Some(link) = deps.store.link(record.id).await? else { return Ok(()) };
    let address = record.address();
    let account = Account { id: link.account, salesforce_id: record.id, name: record.name, address };
    let tenant = Tenant::of_link(&link);
    if deps.store.account(&tenant).await?.as_ref() != Some(&account) {
        deps.store.provision_account(&account).await?;
    }
    Ok(())
}

/// Takes a case over. At the same `SystemModstamp` the content decides, and then the record is read once more
/// *after* the portal's version was loaded, so that the later reading wins.
async fn case(deps: &Deps, record: CaseRecord) -> Result<(), SyncError> {
    let id = record.id;
    let mut record = record;
    let mut fresh = false;
    let mut hours_are_here = false;
    for _ in 0..RACES_MAX {
        if record.is_deleted {
            tracing::info!(%id, "deleted in Salesforce");
            return Ok(());
        }
        let Some(tenant) = tenant_of(deps, record.account_id).await? else { return Ok(()) };
        let stored = match deps.store.case_of(id).await? {
            Some(stored) => Some(stored),
            None => deps.store.case(&tenant, record.case_id()).await?,
        };
        if let Some(open) = stored
            .as_ref()
            .filter(|case| record.is_closed && !case.is_closed_in_salesforce() && !hours_are_here)
        {
            // The hours have to be here before the close is: it is the close that makes the invoice.
            hours_of(deps, open, id).await?;
            hours_are_here = true;
            continue;
        }
        let tied =
            |stored: &Case| stored.confirmed.is_some_and(|known| known.modstamp == record.system_modstamp);
        let unsure = !fresh && stored.as_ref().is_some_and(tied);
        match take_case(deps, &tenant, stored, &record, unsure).await {
            Ok(Taken::Done) => return Ok(()),
            Ok(Taken::Unsure) | Err(SyncError::Store(StoreError::Conflict)) => {}
            Err(error) => return Err(error),
        }
        let Some(again) = read_again(deps, id).await? else { return Ok(()) };
        record = again;
        fresh = true;
    }
    Err(StoreError::Conflict.into())
}

enum Taken {
    /// The portal says what Salesforce says.
    Done,
    /// The record has to be read again first.
    Unsure,
}

async fn take_case(
    deps: &Deps,
    tenant: &Tenant,
    stored: Option<Case>,
    record: &CaseRecord,
    unsure: bool,
) -> Result<Taken, SyncError> {
    let now = deps.clock.now();
    let discovered = || Case::discovered(record.case_id(), tenant.account(), record.clone().into(), now);
    let observed = match &stored {
        Some(from) if from.account != tenant.account() => {
            let moved = discovered().case;
            let event = Event::case_changed(&moved, now, &deps.random);
            deps.store.move_case(from, &moved, &event).await?;
            tracing::warn!(case = %moved.id, "moved to another account");
            return Ok(Taken::Done);
        }
        Some(case) => match case.observe(record.clone().into(), now) {
            None => return Ok(Taken::Done),
            Some(_) if unsure => return Ok(Taken::Unsure),
            Some(observed) => observed,
        },
        None => discovered(),
    };
    let case = &observed.case;
    let entries: Vec<TimelineEntry> =
        observed.happened.iter().map(|what| TimelineEntry::new(what.clone(), now, &deps.random)).collect();
    let mut events = vec![Event::case_changed(case, now, &deps.random)];
    if observed.newly_closed {
        events.push(Event::about(case, Fact::CaseClosed { case: case.id }, now, &deps.random));
    }
    deps.store.save_case(case, &entries, &events).await?;
    Ok(Taken::Done)
}

/// Takes over every hour that was logged on a case.
async fn hours_of(deps: &Deps, case: &Case, salesforce_id: SalesforceId) -> Result<(), SyncError> {
    for record in read::<TimeEntryRecord>(deps, "Case__c", &[salesforce_id]).await? {
        keep_hours(deps, case, record).await?;
    }
    Ok(())
}

async fn time_entry(deps: &Deps, record: TimeEntryRecord) -> Result<(), SyncError> {
    let Some(parent) = record.case else { return Ok(()) };
    match case_of(deps, record.id, parent).await? {
        Some(case) => keep_hours(deps, &case, record).await,
        None => Ok(()),
    }
}

async fn keep_hours(deps: &Deps, case: &Case, record: TimeEntryRecord) -> Result<(), SyncError> {
    let id = record.id;
    let tenant = Tenant::of_case(case);
    let mut record = record;
    for _ in 0..RACES_MAX {
        let Some(case) = deps.store.case(&tenant, case.id).await? else { return Ok(()) };
        let known = deps.store.time_entries(&tenant, case.id).await?;
        let current = known.iter().find(|entry| entry.salesforce_id == id);
        let version = current.map_or(0, |entry| entry.version) + 1;
        let entry = record.entry(case.id, version).map_err(|error| SyncError::Unusable(id, error))?;
        if current.is_some_and(|current| !supersedes(&entry, current)) {
            return Ok(());
        }
        let now = deps.clock.now();
        let case = case.touched(record.system_modstamp);
        match deps.store.save_time_entry(&case, &entry, &Event::case_changed(&case, now, &deps.random)).await
        {
            Ok(()) => return Ok(()),
            Err(StoreError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
        let Some(again) = read_again(deps, id).await? else { return Ok(()) };
        record = again;
    }
    Err(StoreError::Conflict.into())
}

/// Whether a reading says something newer. At the same second, anything else counts as newer.
fn supersedes(entry: &TimeEntry, current: &TimeEntry) -> bool {
    let same = TimeEntry { version: current.version, ..entry.clone() } == *current;
    entry.modstamp >= current.modstamp && !same
}

async fn comment(deps: &Deps, record: CaseCommentRecord) -> Result<(), SyncError> {
    // What agents say among themselves never enters the portal's tables.
    if !record.is_published || record.is_deleted {
        return Ok(());
    }
    for _ in 0..RACES_MAX {
        let Some(case) = case_of(deps, record.id, record.parent_id).await? else { return Ok(()) };
        let text = record.comment_body.as_deref().unwrap_or_default();
        let author = record.created_by.as_ref().map_or("", |by| &by.name);
        let id = EntryId::of_salesforce(&record.id);
        let entry = TimelineEntry::of_comment(id, record.created_date, text, author);
        if deps.store.has_entry(&case, &entry).await? || is_echo(deps, &case, &record, &entry).await? {
            return Ok(());
        }
        let now = deps.clock.now();
        let case = case.touched(record.created_date);
        match deps.store.save_case(&case, &[entry], &[Event::case_changed(&case, now, &deps.random)]).await {
            Ok(()) => return Ok(()),
            Err(StoreError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(StoreError::Conflict.into())
}

/// Whether a comment is one that was said in the portal and only came back. The writer's link says so; until it
/// is written, the words do: the first line of such a comment is the portal's.
async fn is_echo(
    deps: &Deps,
    case: &Case,
    record: &CaseCommentRecord,
    entry: &TimelineEntry,
) -> Result<bool, SyncError> {
    if let Some(Link { record: Linked::Comment { .. }, .. }) = deps.store.link(record.id).await? {
        return Ok(true);
    }
    if !matches!(&entry.happening, Happening::Commented { author, .. } if author.side == Side::Client) {
        return Ok(false);
    }
    let latest = PageSize::new(PageSize::MAX).unwrap_or(PageSize::DEFAULT);
    // Without a cursor there is none that could be of another list.
    let lines = deps.store.timeline(case, latest, None).await?.map(|page| page.items).unwrap_or_default();
    // Of those that the portal wrote: a comment's own earlier copy would say the same.
    let ours = |line: &&TimelineEntry| line.id.made_at().is_some();
    Ok(lines.iter().filter(ours).any(|line| line.for_salesforce() == record.comment_body))
}

async fn contract(deps: &Deps, record: ContractRecord) -> Result<(), SyncError> {
    let id = record.id;
    let mut record = record;
    for _ in 0..RACES_MAX {
        let Some(tenant) = tenant_of(deps, record.account).await? else { return Ok(()) };
        let known = deps.store.contracts(&tenant).await?;
        let current = known.iter().find(|contract| contract.salesforce_id == id);
        let version = current.map_or(0, |contract| contract.version) + 1;
        let contract =
            record.contract(tenant.account(), version).map_err(|error| SyncError::Unusable(id, error))?;
        let newer = current.is_none_or(|current| {
            let same = Contract { version: current.version, ..contract.clone() } == *current;
            contract.modstamp >= current.modstamp && !same
        });
        if !newer {
            return Ok(());
        }
        match deps.store.save_contract(&contract).await {
            Ok(()) => return Ok(()),
            Err(StoreError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
        let Some(again) = read_again(deps, id).await? else { return Ok(()) };
        record = again;
    }
    Err(StoreError::Conflict.into())
}

/// The portal's account behind a Salesforce account; `None` if it is no client of the portal.
async fn tenant_of(deps: &Deps, account: Option<SalesforceId>) -> Result<Option<Tenant>, SyncError> {
    let Some(account) = account else { return Ok(None) };
    Ok(deps.store.link(account).await?.as_ref().map(Tenant::of_link))
}

/// The portal's case behind a Salesforce case. If the portal does not have it yet, it is fetched first; `None`
/// if it is not a client's.
async fn case_of(deps: &Deps, child: SalesforceId, parent: SalesforceId) -> Result<Option<Case>, SyncError> {
    if let Some(found) = deps.store.case_of(parent).await? {
        return Ok(Some(found));
    }
    let Some(record) = read_again::<CaseRecord>(deps, parent).await? else { return Ok(None) };
    if record.is_deleted || tenant_of(deps, record.account_id).await?.is_none() {
        return Ok(None);
    }
    case(deps, record).await?;
    deps.store.case_of(parent).await?.map(Some).ok_or(SyncError::NoCase(child))
}
