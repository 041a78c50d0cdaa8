//! A closed case becomes one numbered invoice.
//!
//! The invoice's id follows from account, contract and case, so however often a case is closed, and however
//! often the message comes, there is one. Its number is taken in the transaction that issues it.

use portico_aws::{Batch, BootError, Cloud, Function};
use portico_domain::{
    CaseId, Clock, Random,
    billing::{self, Invoice, PricingError},
    cases::{Case, Happening, TimelineEntry},
    contracts::{self, Contract},
    events::{Event, Fact},
    people::Account,
};
use portico_store::{Issue, IssueError, Store, StoreError, Tenant, engine::Table};

/// How often a lost race for a number is run again. Every winner of a race has issued an invoice, so there is
/// progress; what does not get through comes back by the queue.
const RACES_MAX: usize = 20;

/// What this function works with.
#[derive(Clone)]
pub struct Deps {
    /// The portal's records.
    pub store: Store,
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
        Table::Invoices,
        Table::Counters,
        Table::Outbox,
    ];
    let deps = Deps { store: cloud.store(&tables)?, clock: cloud.clock(), random: cloud.random() };
    Ok(Function::event(move |batch: Batch, _| {
        let deps = deps.clone();
        async move { Ok::<_, std::convert::Infallible>(batch.each(|event| invoice(&deps, event)).await) }
    }))
}

/// Why a case was not invoiced. The message comes back, and in the end people look at it.
#[derive(Debug, thiserror::Error)]
pub enum InvoicingError {
    /// The records cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The case or its account is not there.
    #[error("{0} is not in the store")]
    Missing(String),
    /// No contract holds on the day on which the case was closed.
    #[error("no contract holds for {0}")]
    NoContract(CaseId),
    /// The hours cannot be priced.
    #[error("{0} cannot be priced: {1}")]
    Pricing(CaseId, PricingError),
    /// Others kept taking the next number.
    #[error("too many invoices at once")]
    Busy,
}

async fn invoice(deps: &Deps, event: Event) -> Result<(), InvoicingError> {
    let Fact::CaseClosed { case } = event.fact else { return Ok(()) };
    let tenant = Tenant::of_event(&event);
    for _ in 0..RACES_MAX {
        let Some(bill) = bill(deps, &tenant, case).await? else { return Ok(()) };
        match issue(deps, bill).await {
            Ok(()) | Err(IssueError::AlreadyIssued) => return Ok(()),
            Err(IssueError::Raced) => {}
            Err(IssueError::Store(error)) => return Err(error.into()),
        }
    }
    Err(InvoicingError::Busy)
}

/// Everything that an invoice is made of, as it stands now.
struct Billable {
    case: Case,
    account: Account,
    contract: Contract,
    bill: billing::Bill,
}

/// What is to be billed for a case; `None` if nothing is.
async fn bill(deps: &Deps, tenant: &Tenant, id: CaseId) -> Result<Option<Billable>, InvoicingError> {
    let missing = |what: String| InvoicingError::Missing(what);
    let case = deps.store.case(tenant, id).await?.ok_or_else(|| missing(id.to_string()))?;
    let Some(closed_at) = case.closed_at.filter(|_| case.status.closed) else {
        tracing::info!(case = %id, "open again; nothing to bill yet");
        return Ok(None);
    };
    let account = deps.store.account(tenant).await?.ok_or_else(|| missing(tenant.account().to_string()))?;
    let contracts = deps.store.contracts(tenant).await?;
    let contract = contracts::in_force(&contracts, closed_at).ok_or(InvoicingError::NoContract(id))?.clone();
    let entries = deps.store.time_entries(tenant, id).await?;
    match billing::price_case(&contract, id, contract.day_of(closed_at), &entries) {
        Ok(bill) => Ok(Some(Billable { case, account, contract, bill })),
        Err(PricingError::NothingToBill) => {
            tracing::info!(case = %id, "nothing billable was logged");
            Ok(None)
        }
        Err(error) => Err(InvoicingError::Pricing(id, error)),
    }
}

async fn issue(deps: &Deps, billable: Billable) -> Result<(), IssueError> {
    let Billable { case, account, contract, bill } = billable;
    let now = deps.clock.now();
    let series = format!("invoices/{}", contract.day_of(now).year());
    let count = deps.store.next_in_series(&series).await?;
    let case = case.touched(now);
    let invoice = Invoice::issue(bill, count, &contract, &case, &account, now);
    let number = invoice.number.as_str().to_owned();
    let happening = Happening::Invoiced { invoice: invoice.id, number: number.clone() };
    let entry = TimelineEntry::new(happening, now, &deps.random);
    let fact = Fact::InvoiceIssued { case: case.id, invoice: invoice.id };
    let events =
        vec![Event::about(&case, fact, now, &deps.random), Event::case_changed(&case, now, &deps.random)];
    deps.store.issue(&Issue { invoice, series, count, case, entry, events }).await?;
    tracing::info!(number, "issued");
    Ok(())
}
