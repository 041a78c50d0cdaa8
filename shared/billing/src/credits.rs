//! Crediting.

use jiff::Timestamp;
use portico_domain::{
    CreditNoteId, InvoiceId, Random,
    audit::Actor,
    billing::{CreditError, CreditNote, CreditWish, Crediting, Series},
    events::{Event, Fact},
};
use portico_store::{Commit, CreditIssue, Store, StoreError, Tenant, Ticket};

/// Why an invoice was not credited.
#[derive(Debug, thiserror::Error)]
pub enum CreditingError {
    /// There is no such invoice.
    #[error("{0} is not in the store")]
    NoInvoice(InvoiceId),
    /// It is not credited so.
    #[error(transparent)]
    Refused(#[from] CreditError),
    /// The records cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Credits an invoice: the credit note, its number and the invoice as it then stands, or none of them.
///
/// # Errors
/// [`StoreError::Conflict`] inside if the number was given away, or the invoice was written, in between: look again.
pub async fn credit(
    store: &Store,
    tenant: &Tenant,
    invoice: InvoiceId,
    (wish, reason): (CreditWish, &str),
    (ticket, actor): (&Ticket, &Actor),
    now: Timestamp,
    random: &Random,
) -> Result<(CreditNote, Commit), CreditingError> {
    let found = store.invoice(tenant, invoice).await?.ok_or(CreditingError::NoInvoice(invoice))?;
    let positions = store.positions(&found).await?;
    let contracts = store.contract(tenant, found.contract).await?;
    // A contract that has gone from Salesforce has no clock any more; the invoice's day is the next best.
    let issued_on = contracts.map_or(found.issued_on, |contract| contract.day_of(now));
    let place = store.next_in_series(Series::CreditNotes.of_year(issued_on.year())).await?;
    let id = CreditNoteId::new(now, random);
    let crediting = Crediting { id, reason, count: place.count, issued_on, now };
    let (invoice, note) = found.credit(&positions, wish, crediting)?;
    let fact =
        Fact::CreditNoteIssued { case: invoice.subject.case(), invoice: invoice.id, credit_note: note.id };
    let event = Event::in_account(tenant.account(), fact, now, random).by(actor.clone());
    let issue = CreditIssue { note: note.clone(), place, invoice, events: vec![event] };
    let commit = store.credit(&issue, ticket).await?;
    Ok((note, commit))
}
