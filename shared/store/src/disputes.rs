//! Questions about positions of invoices, and disputes.

use portico_domain::{
    AccountId, DisputeId, InvoiceId,
    billing::{Dispute, Invoice},
    cases::{Case, TimelineEntry},
    events::Event,
};

use crate::{
    Commit, Cursor, CursorError, Page, PageSize, Store, StoreError, Tenant, Ticket,
    cases::{put_case, put_timeline, replacing},
    engine::{Condition, Table, Write},
    invoices::put_invoice,
    keys, outbox,
};

/// What a step of a dispute changes, all at once.
#[derive(Debug, Clone)]
pub struct DisputeChange {
    /// The dispute as it stands afterwards.
    pub dispute: Dispute,
    /// The invoice as it stands afterwards, if the step changes what is held of it.
    pub invoice: Option<Invoice>,
    /// The case that is billed, touched, and the line on its timeline.
    pub case: Option<(Case, TimelineEntry)>,
    /// What others have to know.
    pub events: Vec<Event>,
}

fn partition(account: AccountId, invoice: InvoiceId) -> String {
    format!("{account}#{invoice}")
}

fn put(dispute: &Dispute, condition: Condition) -> Result<Write, StoreError> {
    let keys =
        [("invoice_key", partition(dispute.account, dispute.invoice)), ("dispute", dispute.id.to_string())];
    let item = keys::item(Table::Disputes, dispute, &keys)?;
    Ok(Write::Put { table: Table::Disputes, item, condition })
}

impl Store {
    /// A step of a dispute: its next version, the invoice's, the ticket and the events, or none of them.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if somebody else wrote one of the records first; [`StoreError`] if the engine fails;
    /// then nothing was written, or the same ticket finds what was.
    pub async fn change_dispute(
        &self,
        ticket: &Ticket,
        change: &DisputeChange,
    ) -> Result<Commit, StoreError> {
        let dispute = &change.dispute;
        let mut effect = vec![put(dispute, replacing(dispute.version))?];
        if let Some(invoice) = &change.invoice {
            effect.push(put_invoice(invoice, replacing(invoice.version))?);
        }
        if let Some((case, entry)) = &change.case {
            effect.push(put_case(case, replacing(case.version))?);
            effect.push(put_timeline(case, entry)?);
        }
        for event in &change.events {
            effect.push(outbox::announce(event)?);
        }
        self.command(ticket, &dispute.id.to_string(), effect).await
    }

    /// One question or dispute about an invoice of the tenant.
    ///
    /// # Errors
    /// [`StoreError`] if the engine fails.
    pub async fn dispute(
        &self,
        tenant: &Tenant,
        invoice: InvoiceId,
        dispute: DisputeId,
    ) -> Result<Option<Dispute>, StoreError> {
        let partition = partition(tenant.account(), invoice);
        let key = keys::key(Table::Disputes, partition, Some(dispute.to_string()));
        self.engine.get(&key).await?.map(|item| keys::record(Table::Disputes, item)).transpose()
    }

    /// The questions and disputes about an invoice, the newest first.
    ///
    /// # Errors
    /// [`CursorError`] inside if the cursor is of another list; [`StoreError`] if the engine fails.
    pub async fn disputes(
        &self,
        invoice: &Invoice,
        size: PageSize,
        cursor: Option<Cursor>,
    ) -> Result<Result<Page<Dispute>, CursorError>, StoreError> {
        let partition = partition(invoice.account, invoice.id);
        self.page(Table::Disputes, None, partition, &["dispute"], size, cursor).await
    }
}
