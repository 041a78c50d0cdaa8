//! A closed case, or a month that is over, becomes one numbered invoice.
//!
//! The invoice's id follows from account, contract and case or month, so however often a case is closed, and however
//! often the message comes, there is one. Its number is taken in the transaction that issues it.

use jiff::Timestamp;
use portico_aws::{Batch, BootError, Cloud, Function};
use portico_billing::{BillingError, Completion, Prepared};
use portico_domain::{
    CaseId, Clock, ContractId, Random,
    billing::Grace,
    events::{Event, Fact},
};
use portico_store::{IssueError, Store, StoreError, Tenant, engine::Table};

/// How often a lost race for a number is run again. Every winner of a race has issued an invoice, so there is
/// progress; what does not get through comes back by the queue.
const RACES_MAX: usize = 20;
/// Most months of a contract that are billed by one message; the message comes back for the rest.
const MONTHS_MAX: usize = 24;

/// What this function works with.
#[derive(Clone)]
pub struct Deps {
    /// The portal's records.
    pub store: Store,
    /// How long months wait for hours that are logged late.
    pub grace: Grace,
    /// The time.
    pub clock: Clock,
    /// New ids.
    pub random: Random,
}

/// The function, from the cloud that it runs in.
///
/// # Errors
/// [`BootError`] if `template.yaml` does not give it what it needs.
pub async fn function(cloud: &Cloud) -> Result<Function, BootError> {
    let tables = [
        Table::Accounts,
        Table::Cases,
        Table::CaseActivity,
        Table::Contracts,
        Table::TimeEntries,
        Table::Expenses,
        Table::Invoices,
        Table::InvoicePositions,
        Table::Billing,
        Table::Counters,
        Table::Outbox,
    ];
    let deps = Deps {
        store: cloud.store(&tables)?,
        grace: cloud.grace()?,
        clock: cloud.clock(),
        random: cloud.random(),
    };
    Ok(Function::event(move |batch: Batch, _| {
        let deps = deps.clone();
        async move { Ok::<_, std::convert::Infallible>(batch.each(|event| invoice(&deps, event)).await) }
    }))
}

/// Why something was not invoiced. The message comes back, and in the end people look at it.
#[derive(Debug, thiserror::Error)]
pub enum InvoicingError {
    /// The records cannot be read or written, or the work cannot be priced.
    #[error(transparent)]
    Billing(#[from] BillingError),
    /// The invoice cannot be written.
    #[error(transparent)]
    Issue(#[from] IssueError),
    /// The records cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Others kept taking the next number.
    #[error("too many invoices at once")]
    Busy,
}

async fn invoice(deps: &Deps, event: Event) -> Result<(), InvoicingError> {
    let tenant = Tenant::of_event(&event);
    match event.fact {
        Fact::CaseClosed { case } => invoice_case(deps, &tenant, case).await,
        Fact::BillingDue { contract } => invoice_months(deps, &tenant, contract).await,
        _ => Ok(()),
    }
}

async fn invoice_case(deps: &Deps, tenant: &Tenant, case: CaseId) -> Result<(), InvoicingError> {
    for _ in 0..RACES_MAX {
        let found = portico_billing::of_case(&deps.store, tenant, case, Completion::WhenClosed).await?;
        let Some(prepared) = found.filter(|prepared| !prepared.bill.is_empty()) else {
            tracing::info!(%case, "nothing to bill, or not yet");
            return Ok(());
        };
        match issue(deps, tenant, prepared, deps.clock.now()).await? {
            Outcome::Settled | Outcome::InHand => return Ok(()),
            Outcome::Raced => {}
        }
    }
    Err(InvoicingError::Busy)
}

/// Bills the months of a contract that are over, one after the other: each begins with what the one before left.
async fn invoice_months(deps: &Deps, tenant: &Tenant, id: ContractId) -> Result<(), InvoicingError> {
    for _ in 0..MONTHS_MAX + RACES_MAX {
        let now = deps.clock.now();
        let over_at = deps.grace.before(now);
        let due = portico_billing::of_month_due(&deps.store, tenant, id, over_at).await?;
        let Some(prepared) = due else { return Ok(()) };
        if prepared.bill.is_empty() {
            match portico_billing::nothing_to_bill(&deps.store, &prepared).await {
                Ok(()) | Err(StoreError::Conflict) => continue,
                Err(error) => return Err(error.into()),
            }
        }
        if issue(deps, tenant, prepared, now).await? == Outcome::InHand {
            // The months after it are billed once it is issued.
            return Ok(());
        }
    }
    Err(InvoicingError::Busy)
}

/// What came of a bill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// There is an invoice.
    Settled,
    /// Staff issue it.
    InHand,
    /// Somebody else was faster: look again.
    Raced,
}

async fn issue(
    deps: &Deps,
    tenant: &Tenant,
    prepared: Prepared,
    now: Timestamp,
) -> Result<Outcome, InvoicingError> {
    if let Some(draft) = deps.store.draft(tenant, prepared.id()).await? {
        tracing::info!(invoice = %draft.id, "staff have it in hand");
        return Ok(Outcome::InHand);
    }
    match portico_billing::issue(&deps.store, prepared, None, now, &deps.random).await {
        Ok(_) | Err(IssueError::AlreadyIssued) => Ok(Outcome::Settled),
        Err(IssueError::Raced) => Ok(Outcome::Raced),
        Err(error) => Err(error.into()),
    }
}
