//! Issuing.

use jiff::Timestamp;
use portico_domain::{
    Random,
    audit::Actor,
    billing::{Draft, Invoice, Issuing, Series},
    cases::{Happening, TimelineEntry},
    events::{Event, Fact},
};
use portico_store::{Commit, Issue, IssueError, Store, StoreError, Ticket};

use crate::Prepared;

/// By whom, if it is a command of somebody.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The permission to do it once.
    pub ticket: &'a Ticket,
    /// Who asks.
    pub actor: &'a Actor,
    /// The draft as they saw it.
    pub draft: &'a Draft,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Issued {
    /// The invoice, if it was issued now.
    pub invoice: Invoice,
    /// Whether it was.
    pub commit: Commit,
}

/// Issues a bill: the invoice, its number, what it leaves to later bills and the news of it stand together or not at
/// all. Safe to repeat: there is one invoice for an account, contract and case or month.
///
/// # Errors
/// [`IssueError::Raced`] if somebody else took the number or wrote something that the bill is made of: look again.
pub async fn issue(
    store: &Store,
    prepared: Prepared,
    asked: Option<Asked<'_>>,
    now: Timestamp,
    random: &Random,
) -> Result<Issued, IssueError> {
    let year = prepared.clauses.zone.day_of(now).year();
    let place = store.next_in_series(Series::Invoices.of_year(year)).await?;
    let Prepared { account, contract, clauses, scope, subject, case, bill, balance } = prepared;
    let balance = balance.after(scope, bill.carry.clone());
    let issuing = Issuing {
        contract: contract.id,
        clauses: &clauses,
        account: &account,
        scope,
        count: place.count,
        now,
    };
    let (invoice, positions) = Invoice::issue(bill, subject, issuing).map_err(|_| IssueError::TooLarge)?;
    let case = case.map(|case| case.touched(now));
    let fact = Fact::InvoiceIssued { case: case.as_ref().map(|case| case.id), invoice: invoice.id };
    let issued = match &case {
        Some(case) => Event::about(case, fact, now, random),
        None => Event::in_account(account.id, fact, now, random),
    };
    let issued = match &asked {
        Some(asked) => issued.by(asked.actor.clone()),
        None => issued,
    };
    let mut events = vec![issued];
    events.extend(case.as_ref().map(|case| Event::case_changed(case, now, random)));
    let happening = Happening::Invoiced { invoice: invoice.id, number: invoice.number.to_string() };
    let entry = TimelineEntry::new(happening, now, random);
    let issue = Issue {
        invoice: invoice.clone(),
        positions,
        place,
        draft: asked.as_ref().map(|asked| asked.draft.clone()),
        balance,
        case: case.map(|case| (case, entry)),
        events,
    };
    let commit = store.issue(&issue, asked.as_ref().map(|asked| asked.ticket)).await?;
    tracing::info!(number = invoice.number.as_str(), "issued");
    Ok(Issued { invoice, commit })
}

/// Notes that a month had nothing to bill, so that the next one is the month's turn.
///
/// # Errors
/// [`StoreError::Conflict`] if somebody else billed something of the contract first.
pub async fn nothing_to_bill(store: &Store, prepared: &Prepared) -> Result<(), StoreError> {
    store.save_balance(&prepared.balance.after(prepared.scope, prepared.bill.carry.clone())).await
}
