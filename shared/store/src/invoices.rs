//! Invoices, the series that number them, and what is not invoiced yet.

use portico_domain::{
    AccountId, ContractId, CreditNoteId, InvoiceId,
    billing::{
        ContractBalance, CreditNote, Derivation, Draft, Invoice, InvoiceFilter, Line, LineDerivation,
        Positions, RetainerStatement,
    },
    cases::{Case, TimelineEntry},
    events::Event,
};
use serde::{Deserialize, Serialize};

use crate::{
    Commit, Cursor, CursorError, Page, PageSize, Store, StoreError, Tenant, Ticket,
    cases::{put_case, put_timeline, replacing},
    engine::{Condition, Found, Index, Key, Query, Refused, Table, Within, Write},
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
/// Invoices by the day of issue; of one day by number.
const BY_ISSUE: Index = Index { name: "by-issue", partition: "account" };
/// Where the index sorts.
const ISSUED: &str = "issued";
/// Before every number of the day.
const BEFORE_NUMBERS: &str = "#";
/// After every number of the day, which begins with a digit.
const AFTER_NUMBERS: &str = "#~";
/// The first day of all, as it sorts.
const FIRST_DAY: &str = "0000-01-01";
/// The last day of all, as it sorts.
const LAST_DAY: &str = "9999-12-31";
/// How many times a list with a filter reads on for one page. Beyond that the page comes back shorter, with a cursor.
const ROUNDS_MAX: usize = 4;
/// Credit notes by the invoice that they correct.
const BY_INVOICE: Index = Index { name: "by-invoice", partition: "invoice" };
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

/// Sorts by the day of issue, and within it by number.
fn issued(invoice: &Invoice) -> String {
    format!("{}#{}", invoice.issued_on, invoice.number)
}

/// Behind an invoice of a list.
fn place(invoice: &Invoice) -> Cursor {
    Cursor::at(&[(ISSUED, issued(invoice)), ("invoice", invoice.id.to_string())])
}

pub(crate) fn put_invoice(invoice: &Invoice, condition: Condition) -> Result<Write, StoreError> {
    let keys = [
        ("account", invoice.account.to_string()),
        ("invoice", invoice.id.to_string()),
        (ISSUED, issued(invoice)),
    ];
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

    /// The tenant's invoices, the newest first.
    ///
    /// # Errors
    /// [`CursorError`] inside if the cursor is of another list; [`StoreError`] if the engine fails.
    pub async fn invoices(
        &self,
        tenant: &Tenant,
        size: PageSize,
        cursor: Option<Cursor>,
    ) -> Result<Result<Page<Invoice>, CursorError>, StoreError> {
        self.find_invoices(tenant, &InvoiceFilter::default(), size, cursor).await
    }

    /// The invoices of the tenant that somebody asks for, the newest first. With a filter a page may be shorter than
    /// asked for; the end is where there is no cursor.
    ///
    /// # Errors
    /// [`CursorError`] inside if the cursor is of another list; [`StoreError`] if the engine fails.
    pub async fn find_invoices(
        &self,
        tenant: &Tenant,
        filter: &InvoiceFilter,
        size: PageSize,
        cursor: Option<Cursor>,
    ) -> Result<Result<Page<Invoice>, CursorError>, StoreError> {
        let day =
            |day: Option<jiff::civil::Date>, end: &str| day.map_or(end.to_owned(), |day| day.to_string());
        let within = Within {
            name: ISSUED,
            first: day(filter.from, FIRST_DAY) + BEFORE_NUMBERS,
            last: day(filter.to, LAST_DAY) + AFTER_NUMBERS,
        };
        // No day is between two of which the later comes first, and DynamoDB refuses to look.
        if within.last < within.first {
            return Ok(Ok(Page { items: Vec::new(), next: None }));
        }
        let mut place_before = match cursor.map(|cursor| (cursor.values([ISSUED, "invoice"]), cursor)) {
            None => None,
            // DynamoDB refuses to go on outside of these days, too.
            Some((Ok([at, _]), cursor)) if at >= within.first && at <= within.last => Some(cursor),
            Some(_) => return Ok(Err(CursorError)),
        };
        let wanted = usize::from(size.get());
        let read = if filter.is_about_more_than_days() { PageSize::MAX } else { size.get() };
        let mut items = Vec::new();
        for _ in 0..ROUNDS_MAX {
            let query = Query {
                table: Table::Invoices,
                index: Some(BY_ISSUE),
                partition: tenant.account().to_string(),
                within: Some(within.clone()),
                descending: true,
                limit: read,
                after: place_before.take().map(|at| at.key(&[("account", tenant.account().to_string())])),
            };
            let Found { items: found, next } = self.engine.query(&query).await?;
            let looked_at = found.len();
            for (index, item) in found.into_iter().enumerate() {
                let invoice: Invoice = keys::record(Table::Invoices, item)?;
                let behind = place(&invoice);
                if filter.lets_through(&invoice) {
                    items.push(invoice);
                }
                if items.len() >= wanted {
                    let more = next.is_some() || index + 1 < looked_at;
                    return Ok(Ok(Page { items, next: more.then_some(behind) }));
                }
                place_before = Some(behind);
            }
            if next.is_none() {
                return Ok(Ok(Page { items, next: None }));
            }
        }
        Ok(Ok(Page { items, next: place_before }))
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

    /// The credit notes about an invoice, the newest first; of more than [`PageSize::MAX`] the newest.
    ///
    /// # Errors
    /// [`StoreError`] if the engine fails.
    pub async fn credit_notes_of(&self, invoice: &Invoice) -> Result<Vec<CreditNote>, StoreError> {
        let query = Query {
            table: Table::CreditNotes,
            index: Some(BY_INVOICE),
            partition: invoice.id.to_string(),
            within: None,
            descending: true,
            limit: PageSize::MAX,
            after: None,
        };
        let found = self.engine.query(&query).await?;
        let notes: Result<Vec<CreditNote>, _> =
            found.items.into_iter().map(|item| keys::record(Table::CreditNotes, item)).collect();
        // The index is of all accounts.
        Ok(notes?.into_iter().filter(|note| note.account == invoice.account).collect())
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
