//! What bills would be if they were made now: of cases that are open, of months that run, and of months that are over and
//! not billed yet.
//!
//! Everything goes the way that the invoice goes: the same records, the same assignment, the same price. A month begins
//! with what the months before it leave, be they billed or not. Cases do not see each other: each is priced as if it were
//! the next one to be billed.

use std::collections::BTreeMap;

use futures::{StreamExt, TryStreamExt, stream};
use jiff::{Timestamp, civil::Date};
use portico_domain::{
    CaseId, ContractId, InvoiceId,
    billing::{
        Agreed, Agreements, AssignmentError, Billed, ContractBalance, Derivation, Done, Forecast, Period,
        PricingError, Scope, Standing, forecast,
    },
    cases::Case,
    contracts::Contract,
    people::Account,
};
use portico_store::{Store, StoreError, Tenant};

use crate::{
    BillingError, Prepared,
    bills::{Voided, account, bills_of_case, input, months_before, priced, what_was_done_in},
};

/// Most contracts that are priced at once. Clients have one or two.
pub const CONTRACTS_MAX: usize = 20;
/// Most months of a contract that are over and not billed yet, and are priced: they are billed a few days after they are
/// over, so that more than one is a rare thing.
pub const MONTHS_OVER_MAX: usize = 3;
/// How many cases are priced at once.
const CASES_AT_ONCE: usize = 8;

/// What an account agreed to, read once for many bills.
pub struct Books<'a> {
    store: &'a Store,
    tenant: &'a Tenant,
    account: Account,
    contracts: Vec<Contract>,
    now: Timestamp,
}

/// Why something cannot be priced, though everything could be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unpriced {
    /// Nobody can say by which contract it is billed, or the contract cannot be billed by.
    #[error(transparent)]
    Assignment(#[from] AssignmentError),
    /// The work cannot be priced.
    #[error(transparent)]
    Pricing(#[from] PricingError),
    /// More was done than is looked at.
    #[error("there is more than one invoice holds")]
    TooMuch,
    /// A month that begins with what an earlier one leaves, and that one cannot be priced, or is too long ago.
    #[error("{0} has to be billed first")]
    After(Period),
}

/// A bill and what is left of its contract after it, or why there is none.
type Priced = Result<(Prepared, Standing), Unpriced>;

/// The bill of a month, as it stands.
#[derive(Debug)]
pub struct MonthPreview {
    /// The month.
    pub period: Period,
    /// Whether it is over, and only not billed yet.
    pub over: bool,
    /// The bill, and what is left of the contract after it.
    pub priced: Result<(Prepared, Standing), Unpriced>,
    /// What it will come to, if that can be said.
    pub forecast: Option<Forecast>,
}

/// What a contract comes to.
#[derive(Debug)]
pub struct ContractPreview {
    /// The contract.
    pub contract: Contract,
    /// What is left of it after what was billed so far; `None` where that is said of its months.
    pub standing: Result<Option<Standing>, Unpriced>,
    /// Its months that are not billed yet, the earliest first.
    pub months: Vec<MonthPreview>,
}

impl ContractPreview {
    /// Whether there is anything to say: a contract that is long over has nothing.
    pub fn is_empty(&self) -> bool {
        self.months.is_empty() && matches!(self.standing, Ok(None))
    }
}

/// The bill of a case, as it stands.
#[derive(Debug)]
pub struct CasePreview {
    /// The case.
    pub case: Case,
    /// Whether something was done on it. A bill may have more on it than what was done: the first one charges prepaid hours.
    pub has_work: bool,
    /// How it stands.
    pub stands: CaseStands,
}

/// How a case stands.
#[derive(Debug)]
pub enum CaseStands {
    /// It will have this bill, after which so much is left of the contract.
    Priced(Box<Prepared>, Standing),
    /// There is nothing on it.
    Nothing,
    /// What there is on it is all on the bills of months.
    ByMonth,
    /// It was billed already.
    Invoiced(InvoiceId),
    /// Its bill cannot be priced.
    Unpriced(Unpriced),
}

impl<'a> Books<'a> {
    /// What the tenant agreed to.
    ///
    /// # Errors
    /// [`BillingError::NoAccount`]; [`BillingError::Store`].
    pub async fn of(store: &'a Store, tenant: &'a Tenant, now: Timestamp) -> Result<Self, BillingError> {
        let account = account(store, tenant).await?;
        let contracts = store.contracts(tenant).await?;
        Ok(Self { store, tenant, account, contracts, now })
    }

    /// One of its contracts.
    pub fn contract(&self, id: ContractId) -> Option<&Contract> {
        self.contracts.iter().find(|contract| contract.id == id)
    }

    /// The contracts of which something may not be billed yet, and those that are left to be asked for one by one.
    pub fn current(&self) -> (Vec<&Contract>, Vec<&Contract>) {
        let may_have_bills = |contract: &&Contract| {
            contract.holds_on(contract.day_of(self.now)) || (contract.has_months() && !contract.has_ended())
        };
        let mut current: Vec<&Contract> = self.contracts.iter().filter(may_have_bills).collect();
        let left = current.split_off(CONTRACTS_MAX.min(current.len()));
        (current, left)
    }

    /// What some contracts come to.
    ///
    /// # Errors
    /// [`BillingError::Store`]. What is wrong with one bill is said of that one.
    pub async fn contracts(&self, contracts: &[&Contract]) -> Result<Vec<ContractPreview>, BillingError> {
        let agreements = Agreements::of(&self.contracts);
        let mut done = BTreeMap::new();
        let mut previews = Vec::with_capacity(contracts.len());
        for contract in contracts {
            let preview = match agreements.contract(contract.id) {
                Ok(agreed) => self.of_contract(&agreements, agreed, &mut done).await?,
                Err(error) => ContractPreview {
                    contract: (*contract).clone(),
                    standing: Err(error.into()),
                    months: Vec::new(),
                },
            };
            previews.push(preview);
        }
        Ok(previews)
    }

    async fn of_contract(
        &self,
        agreements: &Agreements<'_>,
        agreed: Agreed<'_>,
        done: &mut BTreeMap<(Period, Period), Result<Done, Unpriced>>,
    ) -> Result<ContractPreview, BillingError> {
        let contract = agreed.contract;
        let today = contract.day_of(self.now);
        let mut balance = self.store.balance(self.tenant, contract.id).await?;
        let through = balance.through;
        let next = |after: Period| agreed.month_due(after, today);
        let over: Vec<Period> = std::iter::successors(through.and_then(next), |period| next(*period))
            .take(MONTHS_OVER_MAX + 1)
            .collect();
        let running = agreed.month_running(through, today);
        let mut months = Vec::new();
        // What is on the bill of a month that is over and not issued is not on the next.
        let mut before: Vec<Derivation> = Vec::new();
        let mut missing = None;
        for (place, (period, is_over)) in over
            .into_iter()
            .map(|period| (period, true))
            .chain(running.map(|period| (period, false)))
            .enumerate()
        {
            if is_over && place >= MONTHS_OVER_MAX {
                missing = missing.or(Some(period));
                continue;
            }
            if let Some(earlier) = missing {
                months.push(MonthPreview {
                    period,
                    over: is_over,
                    priced: Err(Unpriced::After(earlier)),
                    forecast: None,
                });
                continue;
            }
            let (earliest, mut billed) = months_before(self.store, self.tenant, &balance, period).await?;
            for bill in &before {
                billed.add(bill);
            }
            let was_done = match done.get(&(earliest, period)) {
                Some(known) => known.clone(),
                None => {
                    let found = readable(what_was_done_in(self.store, self.tenant, earliest, period).await)?;
                    done.entry((earliest, period)).or_insert(found).clone()
                }
            };
            let (priced, forecast) = match was_done {
                Ok(done) => {
                    let month = Month { period, earliest, done, billed };
                    self.month(agreements, agreed, month, &balance)?
                }
                Err(unpriced) => (Err(unpriced), None),
            };
            match &priced {
                Ok((prepared, _)) => {
                    balance = balance.after(prepared.scope, prepared.bill.carry.clone());
                    before.push(prepared.bill.derivation.clone());
                }
                Err(_) => missing = Some(period),
            }
            // A month that came to nothing gets no invoice.
            let nothing = |(prepared, _): &(Prepared, Standing)| prepared.bill.is_empty();
            if is_over && priced.as_ref().is_ok_and(nothing) {
                continue;
            }
            months.push(MonthPreview {
                period,
                over: is_over,
                priced,
                forecast: forecast.filter(|_| !is_over),
            });
        }
        let standing = if months.iter().any(|month| !month.over) || !contract.holds_on(today) {
            Ok(None)
        } else {
            standing_now(agreed, &balance, today)
        };
        Ok(ContractPreview { contract: contract.clone(), standing, months })
    }

    /// A month with what it will come to.
    fn month(
        &self,
        agreements: &Agreements<'_>,
        agreed: Agreed<'_>,
        month: Month,
        balance: &ContractBalance,
    ) -> Result<(Priced, Option<Forecast>), BillingError> {
        let contract = agreed.contract;
        let today = contract.day_of(self.now);
        let Month { period, earliest, done, billed } = month;
        let assigned = match agreements.of_period(contract.id, period, earliest, done, &billed) {
            Ok(assigned) => assigned,
            Err(error) => return Ok((Err(error.into()), None)),
        };
        let prepared = priced(&assigned, self.account.clone(), None, balance.clone());
        let priced = sorted(prepared.and_then(|prepared| {
            let standing = standing_after(&prepared, today)?;
            Ok((prepared, standing))
        }))?;
        let first = contract.valid_from.max(period.first());
        let last = contract.last_day().map_or(period.last(), |last| last.min(period.last()));
        // What is too much for one invoice has a bill so far, and no forecast.
        let forecast = match &priced {
            Ok(_) => forecast(input(&assigned, balance), (first, last), today).ok().flatten(),
            Err(_) => None,
        };
        Ok((priced, forecast))
    }

    /// What some cases come to, in their order; those that the account does not have any more are left out.
    ///
    /// # Errors
    /// [`BillingError::Store`]. What is wrong with one bill is said of that one.
    pub async fn cases(&self, cases: &[CaseId]) -> Result<Vec<CasePreview>, BillingError> {
        let agreements = Agreements::of(&self.contracts);
        let agreements = &agreements;
        let found: Vec<Option<CasePreview>> = stream::iter(cases.to_vec())
            .map(|id| async move {
                let case = self.store.case(self.tenant, id).await?.filter(|case| case.withdrawn.is_none());
                let Some(case) = case else { return Ok::<_, BillingError>(None) };
                let (has_work, stands) = self.of_case(agreements, &case).await?;
                Ok(Some(CasePreview { case, has_work, stands }))
            })
            .buffered(CASES_AT_ONCE)
            .try_collect()
            .await?;
        Ok(found.into_iter().flatten().collect())
    }

    /// How a case stands, and whether something was done on it.
    async fn of_case(
        &self,
        agreements: &Agreements<'_>,
        case: &Case,
    ) -> Result<(bool, CaseStands), BillingError> {
        let (entries, expenses) = futures::join!(
            self.store.time_entries(self.tenant, case.id),
            self.store.expenses(self.tenant, case.id)
        );
        let done = readable(entries.and_then(|entries| Ok(Done { entries, expenses: expenses? })))?;
        let done = match done {
            Ok(done) => done,
            Err(unpriced) => return Ok((true, CaseStands::Unpriced(unpriced))),
        };
        let was_done = done.entries.iter().any(|entry| entry.is_shown())
            || done.expenses.iter().any(|outlay| outlay.is_billed());
        let completed_at = case.closed_at.filter(|_| case.status.closed).unwrap_or(self.now);
        let contracts = &self.contracts;
        let (billed, parts) =
            bills_of_case(self.store, self.tenant, case.id, contracts, Voided::StaysBilled).await?;
        let assigned = match agreements.of_case(case, completed_at, done, &billed) {
            Ok(Some(assigned)) => assigned,
            Ok(None) if was_done => return Ok((true, CaseStands::ByMonth)),
            Ok(None) => return Ok((false, CaseStands::Nothing)),
            // Without a contract nothing is owed for nothing.
            Err(AssignmentError::NoContract(_)) if !was_done => return Ok((false, CaseStands::Nothing)),
            Err(error) => return Ok((was_done, CaseStands::Unpriced(error.into()))),
        };
        let last = parts.iter().next_back().filter(|_| assigned.is_empty());
        if let Some((contract, count)) = last {
            let scope = Scope::Case { case: case.id, closed_on: Date::MIN, part: count.saturating_sub(1) };
            return Ok((true, CaseStands::Invoiced(InvoiceId::of(case.account, *contract, scope))));
        }
        let part = parts.get(&assigned.contract.id).copied().unwrap_or_default();
        let assigned = assigned.as_part(part);
        let has_work = was_done || !assigned.deliveries.is_empty();
        let balance = self.store.balance(self.tenant, assigned.contract.id).await?;
        let today = assigned.contract.day_of(self.now);
        let prepared = priced(&assigned, self.account.clone(), Some(case.clone()), balance);
        let prepared = sorted(prepared.and_then(|prepared| {
            let standing = standing_after(&prepared, today)?;
            Ok((prepared, standing))
        }))?;
        let (prepared, standing) = match prepared {
            Ok(found) => found,
            Err(unpriced) => return Ok((has_work, CaseStands::Unpriced(unpriced))),
        };
        if prepared.bill.is_empty() {
            return Ok((has_work, CaseStands::Nothing));
        }
        Ok((has_work, CaseStands::Priced(Box::new(prepared), standing)))
    }
}

/// What a month's bill is made of.
struct Month {
    period: Period,
    /// Since when something may have been logged late.
    earliest: Period,
    done: Done,
    billed: Billed,
}

/// What is left of a contract once a bill stands.
fn standing_after(prepared: &Prepared, today: Date) -> Result<Standing, BillingError> {
    let Prepared { clauses, bill, scope, .. } = prepared;
    let on = (scope.period(), today.min(scope.completed_on()));
    let standing = Standing::of(clauses, &bill.carry, bill.retainer.as_ref(), on);
    Ok(standing.map_err(PricingError::from)?)
}

/// What is left of a contract without any bill that is not there yet.
fn standing_now(
    agreed: Agreed<'_>,
    balance: &ContractBalance,
    today: Date,
) -> Result<Option<Standing>, Unpriced> {
    let version = agreed.agreement.on(today).ok_or(PricingError::NoTerms(today))?;
    let standing = Standing::of(version.terms.clauses(), &balance.carry, None, (Period::of(today), today));
    Ok(Some(standing.map_err(PricingError::from)?))
}

/// Sets apart what is wrong with one bill from what keeps everybody from any.
fn sorted<T>(outcome: Result<T, BillingError>) -> Result<Result<T, Unpriced>, BillingError> {
    match outcome {
        Ok(found) => Ok(Ok(found)),
        Err(BillingError::Assignment(error)) => Ok(Err(error.into())),
        Err(BillingError::Pricing(error)) => Ok(Err(error.into())),
        Err(BillingError::TooManyParts(_)) => Ok(Err(Unpriced::TooMuch)),
        Err(
            error @ (BillingError::Store(_)
            | BillingError::NoAccount(_)
            | BillingError::NoCase(_)
            | BillingError::Turn(_)
            | BillingError::Unwritable(_)),
        ) => Err(error),
    }
}

/// What was done, if it is not more than anybody could bill.
fn readable(found: Result<Done, StoreError>) -> Result<Result<Done, Unpriced>, BillingError> {
    match found {
        Ok(done) => Ok(Ok(done)),
        Err(StoreError::TooMany { .. }) => Ok(Err(Unpriced::TooMuch)),
        Err(error) => Err(error.into()),
    }
}
