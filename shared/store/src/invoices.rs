//! Invoices, the series that number them, and what is not invoiced yet.

use portico_domain::{
    AccountId, ContractId, CreditNoteId, InvoiceId,
    billing::{
        ContractBalance, CreditNote, Derivation, Draft, Invoice, Line, LineDerivation, Positions,
        RetainerStatement,
    },
    cases::{Case, TimelineEntry},
    events::Event,
};
use serde::{Deserialize, Serialize};

use crate::{
    Commit, Cursor, CursorError, Page, PageSize, Store, StoreError, Tenant, Ticket,
    cases::{put_case, put_timeline, replacing},
    engine::{Condition, Key, Refused, Table, Write},
    keys,
    links::{Link, Linked},
    outbox,
};

/// Most bytes of positions in one item, as JSON: DynamoDB's own form of it is a little shorter, and an item has at most
/// 400 KB.
const CHUNK_BYTES_MAX: usize = 250_000;
/// Most items that the positions of one invoice take; together with what else an issue writes that is within the
/// 100 writes and the 4 MB of a transaction.
const CHUNKS_MAX: usize = 14;
/// Most drafts of one account that are read.
const DRAFTS_MAX: u16 = 500;

#[derive(Serialize, Deserialize)]
struct Counter {
    /// The last number that was given.
    last: u64,
    version: u64,
}

/// A number that comes next in a series. It is taken only by the transaction that uses it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The series.
    pub series: String,
    /// The place in it, from 1.
    pub count: u64,
}

impl Place {
    fn take(&self) -> Result<Write, StoreError> {
        let counter = Counter { last: self.count, version: self.count };
        let item = keys::item(Table::Counters, &counter, &[("series", self.series.clone())])?;
        Ok(Write::Put { table: Table::Counters, item, condition: replacing(self.count) })
    }
}

/// What the issue of an invoice changes, all at once.
#[derive(Debug, Clone)]
pub struct Issue {
    /// The invoice, with the number that [`Store::next_in_series`] named.
    pub invoice: Invoice,
    /// Its positions.
    pub positions: Positions,
    /// Where the number is from.
    pub place: Place,
    /// The draft that it was, if it was one.
    pub draft: Option<Draft>,
    /// What is left of the contract's retainer, blocks and cap.
    pub balance: ContractBalance,
    /// The case that is billed, touched, and the line on its timeline.
    pub case: Option<(Case, TimelineEntry)>,
    /// What others have to know.
    pub events: Vec<Event>,
}

/// What a credit note changes, all at once.
#[derive(Debug, Clone)]
pub struct CreditIssue {
    /// The credit note, with the number that [`Store::next_in_series`] named.
    pub note: CreditNote,
    /// Where the number is from.
    pub place: Place,
    /// The invoice as it stands afterwards.
    pub invoice: Invoice,
    /// What others have to know.
    pub events: Vec<Event>,
}

/// Why an invoice was not issued.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// There is an invoice for this account, contract and case or month already.
    #[error("this was invoiced already")]
    AlreadyIssued,
    /// The number was given away, or something was written, in between: look again and try again.
    #[error("somebody else was faster")]
    Raced,
    /// More text than the positions of one invoice have room for.
    #[error("the positions of one invoice do not fit into {CHUNKS_MAX} items")]
    TooLarge,
    /// The engine failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Some positions of an invoice, as they are stored. The first item holds what is about all of them.
#[derive(Serialize, Deserialize)]
struct Chunk {
    lines: Vec<Line>,
    derivations: Vec<LineDerivation>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    whole: Option<Whole>,
}

/// What is about all positions.
#[derive(Serialize, Deserialize)]
struct Whole {
    /// Without lines.
    derivation: Derivation,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retainer: Option<RetainerStatement>,
}

fn put_invoice(invoice: &Invoice, condition: Condition) -> Result<Write, StoreError> {
    let keys = [("account", invoice.account.to_string()), ("invoice", invoice.id.to_string())];
    Ok(Write::Put { table: Table::Invoices, item: keys::item(Table::Invoices, invoice, &keys)?, condition })
}

fn put_note(note: &CreditNote, condition: Condition) -> Result<Write, StoreError> {
    let keys = [("account", note.account.to_string()), ("credit_note", note.id.to_string())];
    let item = keys::item(Table::CreditNotes, note, &keys)?;
    Ok(Write::Put { table: Table::CreditNotes, item, condition })
}

fn positions_partition(account: AccountId, invoice: InvoiceId) -> String {
    format!("{account}#{invoice}")
}

fn drafts_partition(account: AccountId) -> String {
    format!("{account}#drafts")
}

fn draft_key(account: AccountId, invoice: InvoiceId) -> Key {
    keys::key(Table::Billing, drafts_partition(account), Some(invoice.to_string()))
}

fn put_draft(draft: &Draft, condition: Condition) -> Result<Write, StoreError> {
    let keys = [("account_key", drafts_partition(draft.account)), ("entry", draft.id.to_string())];
    Ok(Write::Put { table: Table::Billing, item: keys::item(Table::Billing, draft, &keys)?, condition })
}

fn put_balance(balance: &ContractBalance) -> Result<Write, StoreError> {
    let keys = [("account_key", balance.account.to_string()), ("entry", balance.contract.to_string())];
    let item = keys::item(Table::Billing, balance, &keys)?;
    Ok(Write::Put { table: Table::Billing, item, condition: replacing(balance.version) })
}

/// The positions of an invoice in items of their own: they are many, lists do without them, and they are written once.
fn put_positions(invoice: &Invoice, positions: &Positions) -> Result<Vec<Write>, IssueError> {
    let without_lines = Derivation { lines: Vec::new(), ..positions.derivation.clone() };
    let whole = Whole { derivation: without_lines, retainer: positions.retainer };
    let mut chunks = vec![Chunk { lines: Vec::new(), derivations: Vec::new(), whole: Some(whole) }];
    // What is about all of them has its own limits, and fits into what an item has above the limit of a chunk.
    let mut bytes = 0;
    for (line, derivation) in positions.explained() {
        let size = length(line)? + length(derivation)?;
        if bytes + size > CHUNK_BYTES_MAX {
            chunks.push(Chunk { lines: Vec::new(), derivations: Vec::new(), whole: None });
            bytes = 0;
        }
        bytes += size;
        if let Some(chunk) = chunks.last_mut() {
            chunk.lines.push(line.clone());
            chunk.derivations.push(derivation.clone());
        }
    }
    if chunks.len() > CHUNKS_MAX {
        return Err(IssueError::TooLarge);
    }
    let partition = positions_partition(invoice.account, invoice.id);
    let put = |(number, chunk): (usize, &Chunk)| {
        let keys = [("invoice_key", partition.clone()), ("entry", format!("{number:04}"))];
        let item = keys::item(Table::InvoicePositions, chunk, &keys)?;
        Ok(Write::Put { table: Table::InvoicePositions, item, condition: Condition::Absent })
    };
    chunks.iter().enumerate().map(put).collect()
}

fn length(value: &impl Serialize) -> Result<usize, StoreError> {
    let item = serde_json::to_vec(value).map_err(StoreError::Unwritable)?;
    Ok(item.len())
}

/// Which of the conditions did not hold.
fn is_refused(refused: &[Option<Refused>], place: usize) -> bool {
    refused.get(place).is_some_and(Option::is_some)
}

impl Store {
    /// The place that comes next in a series.
    ///
    /// # Errors
    /// [`StoreError`] if the engine fails.
    pub async fn next_in_series(&self, series: String) -> Result<Place, StoreError> {
        let item = self.engine.get(&keys::key(Table::Counters, &series, None)).await?;
        let counter: Option<Counter> = item.map(|item| keys::record(Table::Counters, item)).transpose()?;
        Ok(Place { count: counter.map_or(0, |counter| counter.last) + 1, series })
    }

    /// Issues an invoice: it and the step of the counter stand together or not at all, so the series has no gap and no
    /// number twice. With a ticket it is a command of somebody, else the work of the portal itself.
    ///
    /// # Errors
    /// [`IssueError`].
    pub async fn issue(&self, issue: &Issue, ticket: Option<&Ticket>) -> Result<Commit, IssueError> {
        let invoice = &issue.invoice;
        let mut writes = vec![put_invoice(invoice, Condition::Absent)?, issue.place.take()?];
        writes.push(put_balance(&issue.balance)?);
        writes.push(match &issue.draft {
            Some(draft) => Write::Delete {
                key: draft_key(draft.account, draft.id),
                condition: Condition::VersionIs(draft.version),
            },
            // Somebody may have taken it in hand in between.
            None => {
                Write::Check { key: draft_key(invoice.account, invoice.id), condition: Condition::Absent }
            }
        });
        writes.extend(put_positions(invoice, &issue.positions)?);
        if let Some((case, entry)) = &issue.case {
            writes.push(put_case(case, replacing(case.version))?);
            writes.push(put_timeline(case, entry)?);
        }
        for event in &issue.events {
            writes.push(outbox::announce(event)?);
        }
        let written = match ticket {
            Some(ticket) => self.try_command(ticket, &invoice.id.to_string(), writes).await?,
            None => self.attempt(writes).await?.map(|()| Commit::Done),
        };
        match written {
            Ok(commit) => Ok(commit),
            Err(refused) if is_refused(&refused, 0) => Err(IssueError::AlreadyIssued),
            Err(_) => Err(IssueError::Raced),
        }
    }

    /// Issues a credit note, as an invoice is issued.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if the number was given away, or the invoice was written, in between.
    pub async fn credit(&self, issue: &CreditIssue, ticket: &Ticket) -> Result<Commit, StoreError> {
        let mut writes = vec![
            put_note(&issue.note, Condition::Absent)?,
            issue.place.take()?,
            put_invoice(&issue.invoice, replacing(issue.invoice.version))?,
        ];
        for event in &issue.events {
            writes.push(outbox::announce(event)?);
        }
        self.command(ticket, &issue.note.id.to_string(), writes).await
    }

    /// One invoice of the tenant.
    ///
    /// # Errors
    /// [`StoreError`] if the engine fails.
    pub async fn invoice(&self, tenant: &Tenant, invoice: InvoiceId) -> Result<Option<Invoice>, StoreError> {
        let key = keys::key(Table::Invoices, tenant.account(), Some(invoice.to_string()));
        self.engine.get(&key).await?.map(|item| keys::record(Table::Invoices, item)).transpose()
    }

    /// The positions of an invoice.
    ///
    /// # Errors
    /// [`StoreError`] if the engine fails; [`StoreError::Conflict`] if they are not there: they are written with the
    /// invoice and never deleted, so somebody has to look.
    pub async fn positions(&self, invoice: &Invoice) -> Result<Positions, StoreError> {
        let partition = positions_partition(invoice.account, invoice.id);
        let limit = u16::try_from(CHUNKS_MAX).unwrap_or(u16::MAX);
        let chunks: Vec<Chunk> = self.all(Table::InvoicePositions, partition, limit).await?;
        let (mut lines, mut derivations, mut whole) = (Vec::new(), Vec::new(), None);
        for chunk in chunks {
            lines.extend(chunk.lines);
            derivations.extend(chunk.derivations);
            whole = whole.or(chunk.whole);
        }
        let Whole { derivation, retainer } = whole.ok_or(StoreError::Conflict)?;
        Ok(Positions { lines, derivation: Derivation { lines: derivations, ..derivation }, retainer })
    }

    /// The tenant's invoices.
    ///
    /// # Errors
    /// [`CursorError`] inside if the cursor is of another list; [`StoreError`] if the engine fails.
    pub async fn invoices(
        &self,
        tenant: &Tenant,
        size: PageSize,
        cursor: Option<Cursor>,
    ) -> Result<Result<Page<Invoice>, CursorError>, StoreError> {
        self.page(Table::Invoices, None, tenant.account().to_string(), &["invoice"], size, cursor).await
    }

    /// Salesforce took the record of an invoice: its next version, and where the record leads.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if somebody else wrote it first.
    pub async fn record_invoice(&self, invoice: &Invoice) -> Result<(), StoreError> {
        let mut writes = vec![put_invoice(invoice, replacing(invoice.version))?];
        if let Some(salesforce_id) = invoice.salesforce_id {
            let record = Linked::Invoice { invoice: invoice.id };
            writes.push(Link::new(salesforce_id, invoice.account, record).write(Condition::Always)?);
        }
        self.transact(writes).await
    }

    /// Replaces an invoice by its next version and tells of it.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if somebody else wrote it first.
    pub async fn save_invoice(&self, invoice: &Invoice, events: &[Event]) -> Result<(), StoreError> {
        let mut writes = vec![put_invoice(invoice, replacing(invoice.version))?];
        for event in events {
            writes.push(outbox::announce(event)?);
        }
        self.transact(writes).await
    }

    /// One credit note of the tenant.
    ///
    /// # Errors
    /// [`StoreError`] if the engine fails.
    pub async fn credit_note(
        &self,
        tenant: &Tenant,
        note: CreditNoteId,
    ) -> Result<Option<CreditNote>, StoreError> {
        let key = keys::key(Table::CreditNotes, tenant.account(), Some(note.to_string()));
        self.engine.get(&key).await?.map(|item| keys::record(Table::CreditNotes, item)).transpose()
    }

    /// The tenant's credit notes, the oldest first.
    ///
    /// # Errors
    /// [`CursorError`] inside if the cursor is of another list; [`StoreError`] if the engine fails.
    pub async fn credit_notes(
        &self,
        tenant: &Tenant,
        size: PageSize,
        cursor: Option<Cursor>,
    ) -> Result<Result<Page<CreditNote>, CursorError>, StoreError> {
        let partition = tenant.account().to_string();
        self.page(Table::CreditNotes, None, partition, &["credit_note"], size, cursor).await
    }

    /// Replaces a credit note by its next version and tells of it.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if somebody else wrote it first.
    pub async fn save_credit_note(&self, note: &CreditNote, event: &Event) -> Result<(), StoreError> {
        self.transact(vec![put_note(note, replacing(note.version))?, outbox::announce(event)?]).await
    }

    /// A draft, if somebody took that bill in hand.
    ///
    /// # Errors
    /// [`StoreError`] if the engine fails.
    pub async fn draft(&self, tenant: &Tenant, invoice: InvoiceId) -> Result<Option<Draft>, StoreError> {
        let item = self.engine.get(&draft_key(tenant.account(), invoice)).await?;
        item.map(|item| keys::record(Table::Billing, item)).transpose()
    }

    /// The tenant's drafts.
    ///
    /// # Errors
    /// [`StoreError`] if the engine fails.
    pub async fn drafts(&self, tenant: &Tenant) -> Result<Vec<Draft>, StoreError> {
        self.all(Table::Billing, drafts_partition(tenant.account()), DRAFTS_MAX).await
    }

    /// Somebody takes a bill in hand: the draft, the ticket and the event, or none of them.
    ///
    /// # Errors
    /// [`IssueError::AlreadyIssued`] if there is an invoice for it; [`IssueError::Raced`] if somebody else wrote the
    /// draft first.
    pub async fn save_draft(
        &self,
        ticket: &Ticket,
        draft: &Draft,
        event: &Event,
    ) -> Result<Commit, IssueError> {
        let invoice = keys::key(Table::Invoices, draft.account, Some(draft.id.to_string()));
        let writes = vec![
            Write::Check { key: invoice, condition: Condition::Absent },
            put_draft(draft, replacing(draft.version))?,
            outbox::announce(event)?,
        ];
        match self.try_command(ticket, &draft.id.to_string(), writes).await? {
            Ok(commit) => Ok(commit),
            Err(refused) if is_refused(&refused, 0) => Err(IssueError::AlreadyIssued),
            Err(_) => Err(IssueError::Raced),
        }
    }

    /// What bills of a contract left so far.
    ///
    /// # Errors
    /// [`StoreError`] if the engine fails.
    pub async fn balance(
        &self,
        tenant: &Tenant,
        contract: ContractId,
    ) -> Result<ContractBalance, StoreError> {
        let key = keys::key(Table::Billing, tenant.account(), Some(contract.to_string()));
        let item = self.engine.get(&key).await?;
        let balance = item.map(|item| keys::record(Table::Billing, item)).transpose()?;
        Ok(balance.unwrap_or_else(|| ContractBalance::new(tenant.account(), contract)))
    }

    /// What stands after a month with nothing to bill.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if somebody else billed something of the contract first.
    pub async fn save_balance(&self, balance: &ContractBalance) -> Result<(), StoreError> {
        self.transact(vec![put_balance(balance)?]).await
    }
}
