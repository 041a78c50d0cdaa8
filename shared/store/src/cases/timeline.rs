//! What happened on a case.

use jiff::Timestamp;
use portico_domain::{
    CaseId, EntryId,
    cases::{Case, TimelineEntry},
};

use crate::{
    Cursor, CursorError, Page, PageSize, Store, StoreError, Tenant,
    engine::{Condition, Key, Table, Write},
    keys,
};

/// Sorts by time; the id makes it unique.
fn place(at: Timestamp, entry: EntryId) -> String {
    format!("{at:.3}#{entry}")
}

fn sort(entry: &TimelineEntry) -> String {
    place(entry.at, entry.id)
}

fn put(case: &Case, entry: &TimelineEntry, condition: Condition) -> Result<Write, StoreError> {
    let partition = keys::case_partition(&Tenant::new(case.account), case.id);
    let item = keys::item(Table::CaseActivity, entry, &[("case_key", partition), ("entry", sort(entry))])?;
    Ok(Write::Put { table: Table::CaseActivity, item, condition })
}

/// A line that happened once.
pub(crate) fn put_timeline(case: &Case, entry: &TimelineEntry) -> Result<Write, StoreError> {
    put(case, entry, Condition::Absent)
}

/// A line that may be corrected: it is replaced, or goes if it is not to be shown any more.
pub(super) fn replace_timeline(case: &Case, entry: &TimelineEntry, shown: bool) -> Result<Write, StoreError> {
    if shown { put(case, entry, Condition::Always) } else { Ok(delete(case, entry)) }
}

fn delete(case: &Case, entry: &TimelineEntry) -> Write {
    Write::Delete { key: key(case, sort(entry)), condition: Condition::Always }
}

/// A line that goes for good, of those that the portal wrote.
pub(crate) fn delete_line(tenant: &Tenant, case: CaseId, entry: EntryId) -> Option<Write> {
    let sort = place(entry.made_at()?, entry);
    let key = keys::key(Table::CaseActivity, keys::case_partition(tenant, case), Some(sort));
    Some(Write::Delete { key, condition: Condition::Always })
}

fn key(case: &Case, sort: String) -> Key {
    let partition = keys::case_partition(&Tenant::new(case.account), case.id);
    keys::key(Table::CaseActivity, partition, Some(sort))
}

impl Store {
    /// What happened on a case, newest first. The last line, that the case was raised, is stored with the case.
    ///
    /// # Errors
    /// [`CursorError`] inside if the cursor is of another list; [`StoreError`] if the engine fails.
    pub async fn timeline(
        &self,
        case: &Case,
        size: PageSize,
        cursor: Option<Cursor>,
    ) -> Result<Result<Page<TimelineEntry>, CursorError>, StoreError> {
        let partition = keys::case_partition(&Tenant::new(case.account), case.id);
        let page = self.page(Table::CaseActivity, None, partition, &["entry"], size, cursor).await?;
        Ok(page.map(|mut page: Page<TimelineEntry>| {
            let full = page.items.len() >= usize::from(size.get());
            match page.items.last() {
                _ if page.next.is_some() => {}
                Some(last) if full => page.next = Some(Cursor::at(&[("entry", sort(last))])),
                _ => page.items.push(TimelineEntry::first_of(case)),
            }
            page
        }))
    }

    /// One line of a timeline, of those that the portal wrote.
    ///
    /// # Errors
    /// [`StoreError`] if the engine fails.
    pub async fn timeline_entry(
        &self,
        case: &Case,
        entry: EntryId,
    ) -> Result<Option<TimelineEntry>, StoreError> {
        match entry.made_at() {
            Some(at) => self.line(case, at, entry).await,
            None => Ok(None),
        }
    }

    /// The line that stands at this moment under this id.
    ///
    /// # Errors
    /// [`StoreError`] if the engine fails.
    pub async fn line(
        &self,
        case: &Case,
        at: Timestamp,
        entry: EntryId,
    ) -> Result<Option<TimelineEntry>, StoreError> {
        let key = key(case, place(at, entry));
        self.engine.get(&key).await?.map(|item| keys::record(Table::CaseActivity, item)).transpose()
    }
}
