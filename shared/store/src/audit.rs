//! The audit trail: one chain of entries an account, only ever added to.
//!
//! ```text
//! audit        account           0000000000000041   {previous, hash, entry}     put where absent
//!              account           0000000000000042   {previous, hash, entry}     put where absent
//!              account#events    evt_…              {}                          put where absent: the mark
//! audit_heads  account           {sequence, hash, version}                      put over the version that was read
//! ```
//!
//! All four in one transaction: an event whose mark is there has its entry, and the head is that of the last one.

use std::collections::BTreeSet;

use portico_domain::{
    AccountId, EventId,
    audit::{ChainHash, Entry, Head, Sealed},
};
use serde::{Deserialize, Serialize};

use crate::{
    Cursor, CursorError, Page, PageSize, Store, StoreError, Tenant,
    engine::{Condition, Query, Table, WRITES_MAX, Write},
    keys,
    usage::count_acts,
};

/// Most entries that are sealed in one transaction: each takes two writes, and the head takes one.
pub const SEALED_AT_ONCE_MAX: usize = 40;
const _: () = assert!(2 * SEALED_AT_ONCE_MAX < WRITES_MAX);

/// How often a lost race for the head is run again. Few write to one chain at once: each of them wins once.
const RACES_MAX: usize = 20;

/// An entry as it is kept. The sort key is text with leading zeros, so that it sorts as the number does.
#[derive(Serialize, Deserialize)]
struct Row {
    account: AccountId,
    sequence: String,
    previous: ChainHash,
    hash: ChainHash,
    entry: String,
}

/// Says that an event has its entry, and which.
#[derive(Serialize)]
struct Mark {
    sealed_as: u64,
}

#[derive(Serialize, Deserialize)]
struct HeadRow {
    #[serde(flatten)]
    head: Head,
    /// Grows with every entry, so it is the sequence.
    version: u64,
}

/// A part of a chain, in its order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stretch {
    /// The entries.
    pub entries: Vec<Sealed>,
    /// Whether there are more behind them.
    pub more: bool,
}

fn sort_key(sequence: u64) -> String {
    format!("{sequence:016}")
}

/// A malformed sort key reads as 0, which no entry has: the verifier then names it.
fn sealed(row: Row) -> Sealed {
    let Row { account, sequence, previous, hash, entry } = row;
    Sealed { account, sequence: sequence.parse().unwrap_or_default(), previous, hash, entry }
}

fn put_entry(sealed: &Sealed) -> Result<Write, StoreError> {
    let Sealed { account, sequence, previous, hash, entry } = sealed.clone();
    let row = Row { account, sequence: sort_key(sequence), previous, hash, entry };
    let item = keys::item(Table::Audit, &row, &[])?;
    Ok(Write::Put { table: Table::Audit, item, condition: Condition::Absent })
}

fn put_mark(account: AccountId, event: EventId, sequence: u64) -> Result<Write, StoreError> {
    let keys = [("account", format!("{account}#events")), ("sequence", event.to_string())];
    let item = keys::item(Table::Audit, &Mark { sealed_as: sequence }, &keys)?;
    Ok(Write::Put { table: Table::Audit, item, condition: Condition::Absent })
}

fn put_head(account: AccountId, before: Head, head: Head) -> Result<Write, StoreError> {
    let row = HeadRow { head, version: head.sequence };
    let item = keys::item(Table::AuditHeads, &row, &[("account", account.to_string())])?;
    let condition =
        if before == Head::START { Condition::Absent } else { Condition::VersionIs(before.sequence) };
    Ok(Write::Put { table: Table::AuditHeads, item, condition })
}

impl Store {
    /// Adds entries to the tenant's chain, in this order, at most [`SEALED_AT_ONCE_MAX`]. An event that has its
    /// entry already gets no second one, however often and from however many sides it comes. Returns how many
    /// were added.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if others were faster again and again; [`StoreError`] if the engine fails. Then
    /// none was added, or they are found the next time.
    pub async fn seal(&self, tenant: &Tenant, entries: &[Entry]) -> Result<usize, StoreError> {
        let account = tenant.account();
        let mut known = BTreeSet::new();
        // The same event twice in one call.
        let mut left: Vec<&Entry> = entries.iter().filter(|entry| known.insert(entry.event)).collect();
        for _ in 0..RACES_MAX {
            if left.is_empty() {
                return Ok(0);
            }
            let before = self.audit_head(tenant).await?;
            let mut head = before;
            let mut marks = Vec::with_capacity(left.len());
            let mut sealed_entries = Vec::with_capacity(left.len());
            for entry in &left {
                let sealed = head.seal(account, entry.text()?);
                head = sealed.head();
                marks.push(put_mark(account, entry.event, sealed.sequence)?);
                sealed_entries.push(put_entry(&sealed)?);
            }
            // The marks come first, so that their places among the answers are those of the entries.
            let mut writes = marks;
            writes.extend(sealed_entries);
            writes.push(put_head(account, before, head)?);
            // In the same transaction: what is counted is what is in the trail, each act once.
            writes.extend(count_acts(account, &left));
            match self.attempt(writes).await? {
                Ok(()) => return Ok(left.len()),
                Err(refused) => {
                    let mut refused = refused.into_iter();
                    left.retain(|_| refused.next().is_none_or(|mark| mark.is_none()));
                }
            }
        }
        Err(StoreError::Conflict)
    }

    /// Where the tenant's chain ends.
    ///
    /// # Errors
    /// [`StoreError`] if the engine fails.
    pub async fn audit_head(&self, tenant: &Tenant) -> Result<Head, StoreError> {
        let item = self.engine.get(&keys::key(Table::AuditHeads, tenant.account(), None)).await?;
        let row: Option<HeadRow> = item.map(|item| keys::record(Table::AuditHeads, item)).transpose()?;
        Ok(row.map_or(Head::START, |row| row.head))
    }

    /// The tenant's audit trail, newest first.
    ///
    /// # Errors
    /// [`CursorError`] inside if the cursor is of another list; [`StoreError`] if the engine fails.
    pub async fn audit_entries(
        &self,
        tenant: &Tenant,
        size: PageSize,
        cursor: Option<Cursor>,
    ) -> Result<Result<Page<Sealed>, CursorError>, StoreError> {
        let partition = tenant.account().to_string();
        let page = self.page::<Row>(Table::Audit, None, partition, &["sequence"], size, cursor).await?;
        Ok(page.map(|Page { items, next }| Page { items: items.into_iter().map(sealed).collect(), next }))
    }

    /// At most `limit` entries of the tenant's chain from `from` on, in its order.
    ///
    /// # Errors
    /// [`StoreError`] if the engine fails.
    pub async fn audit_stretch(&self, tenant: &Tenant, from: u64, limit: u16) -> Result<Stretch, StoreError> {
        let partition = tenant.account().to_string();
        let after = match from.checked_sub(1) {
            None | Some(0) => None,
            Some(before) => {
                let key = keys::key(Table::Audit, &partition, Some(sort_key(before)));
                Some(keys::key_item(&key))
            }
        };
        let query = Query {
            table: Table::Audit,
            index: None,
            partition,
            within: None,
            descending: false,
            limit,
            after,
        };
        let found = self.engine.query(&query).await?;
        let rows = found.items.into_iter().map(|item| keys::record(Table::Audit, item));
        let entries = rows.map(|row| row.map(sealed)).collect::<Result<_, _>>()?;
        Ok(Stretch { entries, more: found.next.is_some() })
    }
}
