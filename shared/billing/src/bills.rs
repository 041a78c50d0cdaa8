//! What was done, from the store, and what it costs.

use std::collections::BTreeMap;

use jiff::{Timestamp, ToSpan, civil::Date};
use portico_domain::{
    AccountId, CaseId, ContractId, InvoiceId,
    billing::{
        self, Agreements, Assigned, AssignmentError, Bill, Billed, Clauses, ContractBalance, Done,
        Fingerprint, Input, PARTS_MAX, Period, PricingError, Scope, Subject, TurnError,
    },
    cases::Case,
    contracts::Contract,
    people::Account,
};
use portico_store::{Store, StoreError, Tenant};

/// How many months back hours and costs that were logged late still come onto a bill.
const LATE_MONTHS_MAX: u8 = 3;

/// When the service of a case is complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Completion {
    /// When the case was closed. Nothing is billed as long as it is open.
    WhenClosed,
    /// If it is not closed yet: at this moment.
    AsOf(Timestamp),
}

/// A bill and everything that it takes to issue it.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// The client.
    pub account: Account,
    /// The contract that it is priced by.
    pub contract: Contract,
    /// Its clauses on the day on which the service is complete.
    pub clauses: Clauses,
    /// What the bill is for.
    pub scope: Scope,
    /// The same, in words.
    pub subject: Subject,
    /// The case, if it is for one.
    pub case: Option<Case>,
    /// The bill.
    pub bill: Bill,
    /// What earlier bills of the contract left.
    pub balance: ContractBalance,
}

impl Prepared {
    /// The id of the invoice that it becomes.
    pub fn id(&self) -> InvoiceId {
        InvoiceId::of(self.account.id, self.contract.id, self.scope)
    }

    /// Two bills of the same fingerprint are the same to the last rounding step.
    ///
    /// # Errors
    /// [`BillingError::Unwritable`].
    pub fn fingerprint(&self) -> Result<Fingerprint, BillingError> {
        Fingerprint::of(&self.bill).map_err(BillingError::Unwritable)
    }
}

/// Why there is no bill.
#[derive(Debug, thiserror::Error)]
pub enum BillingError {
    /// The records cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The account is not there.
    #[error("{0} is not in the store")]
    NoAccount(AccountId),
    /// The case is not there.
    #[error("{0} is not in the store")]
    NoCase(CaseId),
    /// Nobody can say by which contract it is billed.
    #[error(transparent)]
    Assignment(#[from] AssignmentError),
    /// More bills of one case than there can be.
    #[error("{0} has had {PARTS_MAX} bills")]
    TooManyParts(CaseId),
    /// Its turn has not come.
    #[error(transparent)]
    Turn(#[from] TurnError),
    /// It cannot be priced.
    #[error("the work cannot be priced: {0}")]
    Pricing(#[from] PricingError),
    /// The bill cannot be written as JSON.
    #[error("the bill cannot be written as JSON: {0}")]
    Unwritable(serde_json::Error),
}

/// Whether what was on an invoice that was credited as a whole can be billed again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Voided {
    /// It was given away.
    StaysBilled,
    /// It was wrong, and somebody bills it as it should have been.
    IsBilledAgain,
}

/// The first or next bill of a case; `None` if it is open and so not billed yet, if all of it is on the bills of months, or
/// if nothing was logged since its last bill.
///
/// # Errors
/// [`BillingError`].
pub async fn of_case(
    store: &Store,
    tenant: &Tenant,
    id: CaseId,
    completion: Completion,
) -> Result<Option<Prepared>, BillingError> {
    next_of_case(store, tenant, id, completion, Voided::StaysBilled).await
}

/// As [`of_case`], by somebody who looks at it: what was on an invoice that was credited as a whole is billed again.
///
/// # Errors
/// [`BillingError`].
pub async fn of_case_by_hand(
    store: &Store,
    tenant: &Tenant,
    id: CaseId,
    completion: Completion,
) -> Result<Option<Prepared>, BillingError> {
    next_of_case(store, tenant, id, completion, Voided::IsBilledAgain).await
}

async fn next_of_case(
    store: &Store,
    tenant: &Tenant,
    id: CaseId,
    completion: Completion,
    voided: Voided,
) -> Result<Option<Prepared>, BillingError> {
    let case = store.case(tenant, id).await?.ok_or(BillingError::NoCase(id))?;
    let closed_at = case.closed_at.filter(|_| case.status.closed);
    let completed_at = match completion {
        Completion::WhenClosed => closed_at,
        Completion::AsOf(now) => closed_at.or(Some(now)),
    };
    let Some(completed_at) = completed_at else { return Ok(None) };
    let contracts = store.contracts(tenant).await?;
    let done =
        Done { entries: store.time_entries(tenant, id).await?, expenses: store.expenses(tenant, id).await? };
    let (billed, parts) = bills_of_case(store, tenant, id, &contracts, voided).await?;
    let agreements = Agreements::of(&contracts);
    let Some(assigned) = agreements.of_case(&case, completed_at, done, &billed)? else { return Ok(None) };
    let part = parts.get(&assigned.contract.id).copied().unwrap_or_default();
    // What a contract charges in any case, it has charged.
    if !parts.is_empty() && assigned.is_empty() {
        return Ok(None);
    }
    if part >= PARTS_MAX {
        return Err(BillingError::TooManyParts(id));
    }
    let account = account(store, tenant).await?;
    let balance = store.balance(tenant, assigned.contract.id).await?;
    priced(&assigned.as_part(part), account, Some(case), balance).map(Some)
}

/// What is on the bills that a case has, and how many there are by contract, if there are some.
pub(crate) async fn bills_of_case(
    store: &Store,
    tenant: &Tenant,
    case: CaseId,
    contracts: &[Contract],
    voided: Voided,
) -> Result<(Billed, BTreeMap<ContractId, u16>), StoreError> {
    let (mut billed, mut parts) = (Billed::default(), BTreeMap::new());
    for contract in contracts {
        for part in 0..PARTS_MAX {
            let scope = Scope::Case { case, closed_on: Date::MIN, part };
            let id = InvoiceId::of(tenant.account(), contract.id, scope);
            let Some(invoice) = store.invoice(tenant, id).await? else { break };
            parts.insert(contract.id, part + 1);
            if voided == Voided::StaysBilled || !invoice.is_void() {
                billed.add(&store.positions(&invoice).await?.derivation);
            }
        }
    }
    Ok((billed, parts))
}

/// The bill of the next month of a contract that was over at a moment and is not billed yet; `None` if all are, or if
/// nobody has begun to count its months. It may be empty, and has to be noted even then: see [`crate::nothing_to_bill`].
///
/// # Errors
/// [`BillingError`].
pub async fn of_month_due(
    store: &Store,
    tenant: &Tenant,
    contract: ContractId,
    over_at: Timestamp,
) -> Result<Option<Prepared>, BillingError> {
    let contracts = store.contracts(tenant).await?;
    let agreements = Agreements::of(&contracts);
    let agreed = agreements.contract(contract)?;
    let balance = store.balance(tenant, contract).await?;
    let due = balance.through.and_then(|through| agreed.month_due(through, agreed.contract.day_of(over_at)));
    let Some(period) = due else { return Ok(None) };
    month_of(store, tenant, &agreements, period, balance).await.map(Some)
}

/// The bill of a month that staff name. It may be empty.
///
/// # Errors
/// [`BillingError::Turn`] if it is not billed now; [`BillingError`].
pub async fn of_month(
    store: &Store,
    tenant: &Tenant,
    contract: ContractId,
    month: Period,
    now: Timestamp,
) -> Result<Prepared, BillingError> {
    let contracts = store.contracts(tenant).await?;
    let agreements = Agreements::of(&contracts);
    let agreed = agreements.contract(contract)?;
    let balance = store.balance(tenant, contract).await?;
    agreed.take_turn(month, balance.through, agreed.contract.day_of(now))?;
    month_of(store, tenant, &agreements, month, balance).await
}

/// A month of the contract that `balance` is of.
async fn month_of(
    store: &Store,
    tenant: &Tenant,
    agreements: &Agreements<'_>,
    month: Period,
    balance: ContractBalance,
) -> Result<Prepared, BillingError> {
    let (earliest, billed) = months_before(store, tenant, &balance, month).await?;
    let done = what_was_done_in(store, tenant, earliest, month).await?;
    let assigned = agreements.of_period(balance.contract, month, earliest, done, &billed)?;
    priced(&assigned, account(store, tenant).await?, None, balance)
}

/// Since which month something may have been logged late, and what is on the bills of the months from there on.
pub(crate) async fn months_before(
    store: &Store,
    tenant: &Tenant,
    balance: &ContractBalance,
    period: Period,
) -> Result<(Period, Billed), StoreError> {
    let mut billed = Billed::default();
    // What was over before the portal began to count was billed elsewhere.
    let since = balance.since.unwrap_or(period);
    let mut earliest = period;
    for _ in 0..LATE_MONTHS_MAX {
        if earliest <= since {
            break;
        }
        earliest = earliest.previous();
        let id = InvoiceId::of(tenant.account(), balance.contract, Scope::Period(earliest));
        if let Some(invoice) = store.invoice(tenant, id).await? {
            billed.add(&store.positions(&invoice).await?.derivation);
        }
    }
    Ok((earliest, billed))
}

/// What was done for an account from one month to another, wherever its contracts' clocks are.
pub(crate) async fn what_was_done_in(
    store: &Store,
    tenant: &Tenant,
    earliest: Period,
    latest: Period,
) -> Result<Done, StoreError> {
    let mut done = Done::default();
    // Month by month: what one month may hold, three may not hold together.
    let months = std::iter::successors(Some(earliest), |month| Some(month.next()));
    for month in months.take_while(|month| *month <= latest) {
        // The day that somebody wrote down may be the one before or after by the contract's clock.
        let before = i64::from(month == earliest);
        let after = i64::from(month == latest);
        let first = month.first().saturating_sub(before.days());
        let last = month.last().saturating_add(after.days());
        done.entries.extend(store.time_entries_between(tenant, first, last).await?);
        done.expenses.extend(store.expenses_between(tenant, month.first(), month.last()).await?);
    }
    Ok(done)
}

pub(crate) async fn account(store: &Store, tenant: &Tenant) -> Result<Account, BillingError> {
    store.account(tenant).await?.ok_or_else(|| BillingError::NoAccount(tenant.account()))
}

/// Everything that it takes to price what was assigned to one bill.
pub(crate) fn input<'a>(assigned: &'a Assigned<'_>, balance: &'a ContractBalance) -> Input<'a> {
    Input {
        agreement: assigned.agreement,
        scope: assigned.scope,
        earliest: assigned.earliest,
        entries: &assigned.entries,
        expenses: &assigned.expenses,
        deliveries: &assigned.deliveries,
        before: &balance.carry,
    }
}

pub(crate) fn priced(
    assigned: &Assigned<'_>,
    account: Account,
    case: Option<Case>,
    balance: ContractBalance,
) -> Result<Prepared, BillingError> {
    let bill = billing::price(input(assigned, &balance))?;
    let completed_on = assigned.scope.completed_on();
    let version = assigned.agreement.on(completed_on).ok_or(PricingError::NoTerms(completed_on))?;
    let subject = match (assigned.scope, &case) {
        (Scope::Period(period), _) => Subject::Period { period, contract: assigned.contract.name.clone() },
        (Scope::Case { .. }, Some(case)) => Subject::of_case(case),
        (Scope::Case { case, .. }, None) => return Err(BillingError::NoCase(case)),
    };
    Ok(Prepared {
        account,
        contract: assigned.contract.clone(),
        clauses: version.terms.clauses().clone(),
        scope: assigned.scope,
        subject,
        case,
        bill,
        balance,
    })
}
