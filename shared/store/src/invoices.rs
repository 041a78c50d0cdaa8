//! Invoices and the series that number them.

use portico_domain::{
    InvoiceId,
    billing::Invoice,
    cases::{Case, TimelineEntry},
    events::Event,
};
use serde::{Deserialize, Serialize};

use crate::{
    Cursor, CursorError, Page, PageSize, Store, StoreError, Tenant,
    cases::{put_case, put_timeline, replacing},
    engine::{Condition, Table, Write},
    keys,
    links::{Link, Linked},
    outbox,
};

#[derive(Serialize, Deserialize)]
struct Counter {
    /// The last number that was given.
    last: u64,
    version: u64,
}

/// What the issue of an invoice changes, all at once.
#[derive(Debug, Clone)]
pub struct Issue {
    /// The invoice, with the number that [`Store::next_in_series`] named.
    pub invoice: Invoice,
    /// The series that the number is from.
    pub series: String,
    /// The number's place in the series.
    pub count: u64,
    /// The case that is billed, touched.
    pub case: Case,
    /// The line on the case's timeline.
    pub entry: TimelineEntry,
    /// What others have to know.
    pub events: Vec<Event>,
}

/// Why an invoice was not issued.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// There is an invoice for this account, contract and case already.
    #[error("this was invoiced already")]
    AlreadyIssued,
    /// The number was given away, or the case was written, in between: look again and try again.
    #[error("somebody else was faster")]
    Raced,
    /// The engine failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn put_invoice(invoice: &Invoice, condition: Condition) -> Result<Write, StoreError> {
    let keys = [("account", invoice.account.to_string()), ("invoice", invoice.id.to_string())];
    Ok(Write::Put { table: Table::Invoices, item: keys::item(Table::Invoices, invoice, &keys)?, condition })
}

impl Store {
    /// The number that comes next in a series, from 1. It is taken only by [`Store::issue`].
    ///
    /// # Errors
    /// [`StoreError`] if the engine fails.
    pub async fn next_in_series(&self, series: &str) -> Result<u64, StoreError> {
        let item = self.engine.get(&keys::key(Table::Counters, series, None)).await?;
        let counter: Option<Counter> = item.map(|item| keys::record(Table::Counters, item)).transpose()?;
        Ok(counter.map_or(0, |counter| counter.last) + 1)
    }

    /// Issues an invoice: the invoice and the step of the counter stand together or not at all, so the series
    /// has no gap and no number twice.
    ///
    /// # Errors
    /// [`IssueError`].
    pub async fn issue(&self, issue: &Issue) -> Result<(), IssueError> {
        let counter = Counter { last: issue.count, version: issue.count };
        let item = keys::item(Table::Counters, &counter, &[("series", issue.series.clone())])?;
        let mut writes = vec![
            put_invoice(&issue.invoice, Condition::Absent)?,
            Write::Put { table: Table::Counters, item, condition: replacing(issue.count) },
            put_case(&issue.case, replacing(issue.case.version))?,
            put_timeline(&issue.case, &issue.entry)?,
        ];
        for event in &issue.events {
            writes.push(outbox::announce(event)?);
        }
        match self.attempt(writes).await? {
            Ok(()) => Ok(()),
            Err(refused) if refused.first().is_some_and(Option::is_some) => Err(IssueError::AlreadyIssued),
            Err(_) => Err(IssueError::Raced),
        }
    }

    /// One invoice of the tenant.
    ///
    /// # Errors
    /// [`StoreError`] if the engine fails.
    pub async fn invoice(&self, tenant: &Tenant, invoice: InvoiceId) -> Result<Option<Invoice>, StoreError> {
        let key = keys::key(Table::Invoices, tenant.account(), Some(invoice.to_string()));
        self.engine.get(&key).await?.map(|item| keys::record(Table::Invoices, item)).transpose()
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
}
