//! Cases: one by one. Lists are in [`list`], timelines in [`timeline`].

mod lines;
mod list;
mod timeline;

use std::collections::BTreeSet;

use futures::{StreamExt, TryStreamExt, stream};
use jiff::{Timestamp, civil::Date};
use portico_domain::{
    CaseId, EntryId, Random, SalesforceId,
    billing::TimeEntry,
    cases::{Case, Happening, TimelineEntry},
    events::Event,
    files::{File, FileRules, Space},
};
use serde_dynamo::Item;

use crate::{
    Commit, Cursor, CursorError, Page, PageSize, Store, StoreError, Tenant, Ticket,
    engine::{Condition, Index, Query, Table, Within, Write},
    files::{Declared, put_file},
    keys,
    links::{Link, Linked},
    outbox,
    usage::Room,
};

pub use lines::{LINES_AT_ONCE, LineChange};
pub(crate) use timeline::{delete_line, put_timeline};

/// Most time entries of one case that are read: more than one invoice holds.
const TIME_ENTRIES_MAX: u16 = 2_500;
/// Most time entries of an account between two days that are read, deleted ones included: what is not billed is read,
/// too, and one invoice holds 2,000.
const ENTRIES_BETWEEN_MAX: u16 = 10_000;
/// How many cases are read at once.
const READS_AT_ONCE: usize = 16;
/// Time entries by the day that people wrote down.
const ENTRIES_BY_DAY: Index = Index { name: "by-day", partition: "account" };
/// How often a lost race for one record is run again.
const RACES_MAX: usize = 4;

/// A case with everything that its indexes need: the keys that put it on lists, and what lists show of it that is
/// not an attribute of its own. One that Salesforce no longer has is on no list.
pub(crate) fn put_case(case: &Case, condition: Condition) -> Result<Write, StoreError> {
    let mut keys = vec![("account", case.account.to_string()), ("case", case.id.to_string())];
    if case.withdrawn.is_none() {
        keys.push(("activity", list::activity(case.last_activity_at, case.id)));
        keys.extend(list::partitions(case));
    }
    if let Some(raiser) = &case.audience.raised_by {
        keys.push(("raiser", raiser.user.to_string()));
    }
    if let Some(confirmed) = case.confirmed {
        keys.push(("confirmed_at", confirmed.at.to_string()));
    }
    Ok(Write::Put { table: Table::Cases, item: keys::item(Table::Cases, case, &keys)?, condition })
}

/// The condition under which `after` may replace what was read before it: the version just before still
/// stands, or, for a first version, nothing does.
pub(crate) fn replacing(version: u64) -> Condition {
    match version.checked_sub(1) {
        None | Some(0) => Condition::Absent,
        Some(before) => Condition::VersionIs(before),
    }
}

/// The writes of a case's next version.
fn save(case: &Case, entries: &[TimelineEntry], events: &[Event]) -> Result<Vec<Write>, StoreError> {
    let mut writes = vec![put_case(case, replacing(case.version))?];
    for entry in entries {
        writes.push(put_timeline(case, entry)?);
    }
    for event in events {
        writes.push(outbox::announce(event)?);
    }
    Ok(writes)
}

/// From where it is in Salesforce to the case.
fn link(case: &Case) -> Option<Link> {
    Some(Link::new(case.salesforce_id?, case.account, Linked::Case { case: case.id }))
}

impl Store {
    /// A client's case: the case, the files that come with it, the lines that tell of those that are there already, the
    /// ticket and the event, or none of them. Files are in their first version if they are declared with the case, and
    /// in their next if they were staged for it.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if somebody else wrote a staged file first; [`StoreError`] if the engine fails; then
    /// nothing was written, or the same ticket finds what was.
    pub async fn open_case(
        &self,
        ticket: &Ticket,
        case: &Case,
        files: &[File],
        entries: &[TimelineEntry],
        rules: &FileRules,
        event: &Event,
    ) -> Result<Declared, StoreError> {
        let tenant = Tenant::new(case.account);
        let declared = files.iter().filter(|file| file.version == 1).map(|file| &file.declared);
        let mut room = Room::of_account(&tenant, Space::of(declared), rules);
        room.and_of_case(case.id, Space::of(files.iter().map(|file| &file.declared)), rules);
        let mut effect = vec![put_case(case, Condition::Absent)?, outbox::announce(event)?];
        for file in files {
            effect.push(put_file(file, replacing(file.version))?);
        }
        for entry in entries {
            effect.push(put_timeline(case, entry)?);
        }
        self.command_with_room(ticket, &case.id.to_string(), effect, room).await
    }

    /// A client's change of a case: its next version, what goes on the timeline, the ticket and the event, or
    /// none of them.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if somebody else wrote the case first; [`StoreError`] as [`Store::open_case`].
    pub async fn amend_case(
        &self,
        ticket: &Ticket,
        case: &Case,
        entry: &TimelineEntry,
        event: &Event,
    ) -> Result<Commit, StoreError> {
        let effect = vec![
            put_case(case, replacing(case.version))?,
            put_timeline(case, entry)?,
            outbox::announce(event)?,
        ];
        self.command(ticket, &entry.id.to_string(), effect).await
    }

    /// Replaces a case by its next version, with what happened and the events that tell of it. A case that is new
    /// here and that Salesforce has is linked with it.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if somebody else wrote the case first.
    pub async fn save_case(
        &self,
        case: &Case,
        entries: &[TimelineEntry],
        events: &[Event],
    ) -> Result<(), StoreError> {
        if case.version == 1 && case.salesforce_id.is_some() {
            return self.link_case(case, entries, events).await;
        }
        self.transact(save(case, entries, events)?).await
    }

    /// As [`Store::save_case`], of a case that Salesforce has and that nobody has linked yet: whoever links it first
    /// says whose case it is.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if somebody else wrote the case, or linked it, first.
    pub async fn link_case(
        &self,
        case: &Case,
        entries: &[TimelineEntry],
        events: &[Event],
    ) -> Result<(), StoreError> {
        let mut writes = save(case, entries, events)?;
        writes.extend(link(case).map(|link| link.write(Condition::Absent)).transpose()?);
        self.transact(writes).await
    }

    /// Salesforce took a case and gave it a number. Returns the case as it then stands; if it had its number
    /// already, as it stood.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if others keep writing the case.
    pub async fn number_case(
        &self,
        case: &Case,
        salesforce_id: SalesforceId,
        number: &str,
        now: Timestamp,
        random: &Random,
    ) -> Result<Case, StoreError> {
        let tenant = Tenant::new(case.account);
        let mut case = case.clone();
        for _ in 0..RACES_MAX {
            let Some(numbered) = case.numbered(salesforce_id, number.to_owned()) else {
                return Ok(case);
            };
            let entry = TimelineEntry::new(Happening::Numbered { number: number.to_owned() }, now, random);
            let event = Event::case_changed(&numbered, now, random);
            match self.link_case(&numbered, &[entry], &[event]).await {
                Ok(()) => return Ok(numbered),
                Err(StoreError::Conflict) => {
                    case = self.case(&tenant, case.id).await?.ok_or(StoreError::Conflict)?;
                }
                Err(error) => return Err(error),
            }
        }
        Err(StoreError::Conflict)
    }

    /// A case moved to another account: it leaves the one in the same transaction in which it appears in the
    /// other, so nobody of the old account can still reach it.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if somebody else wrote the case first.
    pub async fn move_case(&self, from: &Case, to: &Case, events: &[Event]) -> Result<(), StoreError> {
        let key = keys::key(Table::Cases, from.account, Some(from.id.to_string()));
        let mut writes = vec![
            Write::Delete { key, condition: Condition::VersionIs(from.version) },
            put_case(to, Condition::Absent)?,
        ];
        for event in events {
            writes.push(outbox::announce(event)?);
        }
        // Whoever moves it has to delete it where it was: the link needs no condition of its own.
        writes.extend(link(to).map(|link| link.write(Condition::Always)).transpose()?);
        self.transact(writes).await
    }

    /// One case of the tenant.
    ///
    /// # Errors
    /// [`StoreError`] if the engine fails.
    pub async fn case(&self, tenant: &Tenant, case: CaseId) -> Result<Option<Case>, StoreError> {
        let key = keys::key(Table::Cases, tenant.account(), Some(case.to_string()));
        self.engine.get(&key).await?.map(|item| keys::record(Table::Cases, item)).transpose()
    }

    /// The case that the portal keeps for a Salesforce case.
    ///
    /// # Errors
    /// [`StoreError`] if the engine fails.
    pub async fn case_of(&self, salesforce_id: SalesforceId) -> Result<Option<Case>, StoreError> {
        match self.link(salesforce_id).await? {
            Some(link @ Link { record: Linked::Case { case }, .. }) => {
                self.case(&Tenant::of_link(&link), case).await
            }
            Some(_) | None => Ok(None),
        }
    }

    /// What was worked on a case, deleted entries included.
    ///
    /// # Errors
    /// [`StoreError::TooMany`] if it is more than an invoice could hold; [`StoreError`] if the engine fails.
    pub async fn time_entries(&self, tenant: &Tenant, case: CaseId) -> Result<Vec<TimeEntry>, StoreError> {
        self.all(Table::TimeEntries, keys::case_partition(tenant, case), TIME_ENTRIES_MAX).await
    }

    /// What was worked for the tenant on these days, both included, on cases that it still has; deleted entries are
    /// included. The days are those that people wrote down: by the contract's clock an entry may count for the day
    /// before or after ([`TimeEntry::day`]), so whoever asks for a month asks for a day more on both sides.
    ///
    /// The index is eventually consistent: what was written a moment ago may be missing.
    ///
    /// # Errors
    /// [`StoreError::TooMany`] if there are more than anybody could bill; [`StoreError`] if the engine fails.
    pub async fn time_entries_between(
        &self,
        tenant: &Tenant,
        first: Date,
        last: Date,
    ) -> Result<Vec<TimeEntry>, StoreError> {
        let days = Days { first, last, sort: "worked_on" };
        let entries: Vec<TimeEntry> =
            self.between(Table::TimeEntries, ENTRIES_BY_DAY, tenant, days, ENTRIES_BETWEEN_MAX).await?;
        let here = self.still_here(tenant, entries.iter().map(|entry| entry.case)).await?;
        Ok(entries.into_iter().filter(|entry| here.contains(&entry.case)).collect())
    }

    /// Those of these cases that the tenant has: neither moved to another account nor gone from Salesforce. What hangs on
    /// another may still lie here, and is nobody's to pay.
    pub(crate) async fn still_here(
        &self,
        tenant: &Tenant,
        cases: impl Iterator<Item = CaseId>,
    ) -> Result<BTreeSet<CaseId>, StoreError> {
        let cases: BTreeSet<CaseId> = cases.collect();
        let found: Vec<Option<Case>> = stream::iter(cases)
            .map(|case| self.case(tenant, case))
            .buffer_unordered(READS_AT_ONCE)
            .try_collect()
            .await?;
        let here = found.into_iter().flatten().filter(|case| case.withdrawn.is_none());
        Ok(here.map(|case| case.id).collect())
    }

    /// One time entry of a case.
    ///
    /// # Errors
    /// [`StoreError`] if the engine fails.
    pub async fn time_entry(&self, case: &Case, entry: EntryId) -> Result<Option<TimeEntry>, StoreError> {
        let partition = keys::case_partition(&Tenant::new(case.account), case.id);
        let key = keys::key(Table::TimeEntries, partition, Some(entry.to_string()));
        self.engine.get(&key).await?.map(|item| keys::record(Table::TimeEntries, item)).transpose()
    }

    /// One page of a partition; `names` are the key attributes that a cursor holds.
    pub(crate) async fn page<T: serde::de::DeserializeOwned>(
        &self,
        table: Table,
        index: Option<Index>,
        partition: String,
        names: &[&str],
        size: PageSize,
        cursor: Option<Cursor>,
    ) -> Result<Result<Page<T>, CursorError>, StoreError> {
        let partition_name = index.map_or(table.key_names().0, |index| index.partition);
        let after = match cursor.map(|cursor| cursor.into_key(names, &[(partition_name, partition.clone())]))
        {
            None => None,
            Some(Ok(key)) => Some(key),
            Some(Err(error)) => return Ok(Err(error)),
        };
        let query =
            Query { table, index, partition, within: None, descending: true, limit: size.get(), after };
        let found = self.engine.query(&query).await?;
        let items =
            found.items.into_iter().map(|item: Item| keys::record(table, item)).collect::<Result<_, _>>()?;
        Ok(Ok(Page { items, next: found.next.and_then(|key| Cursor::of_key(&key, names)) }))
    }

    /// All records of a partition, in key order, however many pages the engine makes of them.
    ///
    /// # Errors
    /// [`StoreError::TooMany`] if there are more than `most`: never silently fewer.
    pub(crate) async fn all<T: serde::de::DeserializeOwned>(
        &self,
        table: Table,
        partition: String,
        most: u16,
    ) -> Result<Vec<T>, StoreError> {
        let query = Query {
            table,
            index: None,
            partition,
            within: None,
            descending: false,
            limit: most,
            after: None,
        };
        self.everything(query).await
    }

    /// As [`Store::all`], of the tenant's records on some days, by an index.
    pub(crate) async fn between<T: serde::de::DeserializeOwned>(
        &self,
        table: Table,
        index: Index,
        tenant: &Tenant,
        days: Days,
        most: u16,
    ) -> Result<Vec<T>, StoreError> {
        // No day is between two of which the later comes first, and DynamoDB refuses to look.
        if days.last < days.first {
            return Ok(Vec::new());
        }
        let within = Within { name: days.sort, first: days.first.to_string(), last: days.last.to_string() };
        let query = Query {
            table,
            index: Some(index),
            partition: tenant.account().to_string(),
            within: Some(within),
            descending: false,
            limit: most,
            after: None,
        };
        self.everything(query).await
    }

    /// Everything that a query finds, if it is no more than the query's limit.
    pub(crate) async fn everything<T: serde::de::DeserializeOwned>(
        &self,
        mut query: Query,
    ) -> Result<Vec<T>, StoreError> {
        let (table, most) = (query.table, query.limit);
        let mut items = Vec::new();
        loop {
            let left = most.saturating_sub(u16::try_from(items.len()).unwrap_or(u16::MAX));
            query.limit = left.saturating_add(1);
            let found = self.engine.query(&query).await?;
            items.extend(found.items);
            if items.len() > usize::from(most) {
                return Err(StoreError::TooMany { table, most });
            }
            query.after = found.next;
            if query.after.is_none() {
                return items.into_iter().map(|item| keys::record(table, item)).collect();
            }
        }
    }
}

/// Some days, both included, and the sort key that they are in.
pub(crate) struct Days {
    pub(crate) first: Date,
    pub(crate) last: Date,
    pub(crate) sort: &'static str,
}
