//! Which contracts have a month that is over and not billed yet: a schedule asks every day, `invoice-generation` bills.
//!
//! The first look at a contract begins to count its months, and bills none: what was over before the portal knew of the
//! contract was billed elsewhere. It may die anywhere and run twice at once: an invoice exists once, whoever asks for it.

use std::time::Duration;

use futures::{StreamExt as _, stream};
use jiff::{Timestamp, civil::Date};
use portico_aws::{BootError, Cloud, Function, Metric, Metrics};
use portico_domain::{
    Clock, Random,
    billing::{Agreements, AssignmentError, ContractBalance, Grace, Period},
    contracts::Contract,
    events::{Event, Fact},
};
use portico_store::{Store, StoreError, Tenant, engine::Table};
use serde::{Serialize, de::IgnoredAny};
use tokio::time::Instant;

/// Contracts of one page.
const PAGE: u16 = 100;
/// Contracts that are looked at side by side. Each takes one or two calls.
const AT_ONCE: usize = 8;

/// How much one look does at most.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Contracts that are looked at.
    pub contracts: u32,
    /// After this no page is begun.
    pub time: Duration,
}

/// What one invocation gets done; the function has 300 s. More contracts than that have to be looked at in parts.
pub const LIMITS: Limits = Limits { contracts: 20_000, time: Duration::from_secs(240) };

/// What this function works with.
#[derive(Clone)]
pub struct Deps {
    /// The portal's records.
    pub store: Store,
    /// How long months wait for hours that are logged late.
    pub grace: Grace,
    /// Measurements.
    pub metrics: Metrics,
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
    let deps = Deps {
        store: cloud.store(&[Table::Contracts, Table::Billing, Table::Outbox])?,
        grace: cloud.grace()?,
        metrics: cloud.metrics(),
        clock: cloud.clock(),
        random: cloud.random(),
    };
    // The clock says what is over, not the event: it may come late, or twice.
    Ok(Function::event(move |_: IgnoredAny, _| {
        let deps = deps.clone();
        async move { look(&deps, LIMITS).await }
    }))
}

/// Why a contract could not be looked at. The next look tries again.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
    /// The records cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The contract cannot be billed by.
    #[error(transparent)]
    Assignment(#[from] AssignmentError),
}

/// What one look came to, in contracts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Tally {
    /// A month has to be billed.
    pub due: u32,
    /// Their months are counted from now on.
    pub begun: u32,
    /// Nothing has to be billed.
    pub settled: u32,
    /// Nobody can say: they cannot be billed by, or not be read.
    pub failed: u32,
    /// There are more than one look gets through.
    pub more: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Due,
    Begun,
    Settled,
    Failed,
}

impl Tally {
    fn looked(&self) -> u32 {
        [self.due, self.begun, self.settled, self.failed].iter().sum()
    }

    fn count(&mut self, outcome: Outcome) {
        let counter = match outcome {
            Outcome::Due => &mut self.due,
            Outcome::Begun => &mut self.begun,
            Outcome::Settled => &mut self.settled,
            Outcome::Failed => &mut self.failed,
        };
        *counter += 1;
    }
}

/// Looks at every contract that is billed by the month, or at as many as the limits allow.
///
/// # Errors
/// [`LookError::Store`] if the contracts cannot be found at all.
pub async fn look(deps: &Deps, limits: Limits) -> Result<Tally, LookError> {
    let (now, until) = (deps.clock.now(), Instant::now() + limits.time);
    let mut tally = Tally::default();
    let mut after = None;
    loop {
        if tally.looked() >= limits.contracts || Instant::now() >= until {
            tally.more = true;
            tracing::error!(looked = tally.looked(), "more contracts than one look gets through");
            break;
        }
        let page = deps.store.monthly_contracts(after, PAGE).await?;
        let looks = stream::iter(page.contracts).map(|contract| look_at(deps, contract, now));
        let outcomes: Vec<Outcome> = looks.buffer_unordered(AT_ONCE).collect().await;
        outcomes.into_iter().for_each(|outcome| tally.count(outcome));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    tracing::info!(?tally, "contracts that are billed by the month");
    let unseen = u32::from(tally.more);
    deps.metrics.record(Metric::BillingLookFailed, (tally.failed + unseen).into());
    Ok(tally)
}

/// What came of one contract. One that fails is no reason not to look at the others.
async fn look_at(deps: &Deps, contract: Contract, now: Timestamp) -> Outcome {
    let id = contract.id;
    judge(deps, contract, now).await.unwrap_or_else(|error| {
        tracing::error!(contract = %id, %error, "nobody can say whether a month has to be billed");
        Outcome::Failed
    })
}

async fn judge(deps: &Deps, contract: Contract, now: Timestamp) -> Result<Outcome, LookError> {
    let tenant = Tenant::of_contract(&contract);
    let today = contract.day_of(deps.grace.before(now));
    let balance = deps.store.balance(&tenant, contract.id).await?;
    let Some(through) = balance.through else { return begin(deps, &balance, today).await };
    // Whatever is wrong with a contract of which everything is billed, nobody has to put it right.
    if contract.last_day().is_some_and(|last| Period::of(last) <= through) {
        return Ok(Outcome::Settled);
    }
    let contracts = [contract];
    let [contract] = &contracts;
    let agreements = Agreements::of(&contracts);
    if agreements.contract(contract.id)?.month_due(through, today).is_none() {
        return Ok(Outcome::Settled);
    }
    let fact = Fact::BillingDue { contract: contract.id };
    deps.store.announce(&Event::in_account(contract.account, fact, now, &deps.random)).await?;
    Ok(Outcome::Due)
}

/// Months are counted from the one on that is not over yet.
async fn begin(deps: &Deps, balance: &ContractBalance, today: Date) -> Result<Outcome, LookError> {
    match deps.store.save_balance(&balance.begun_after(Period::of(today).previous())).await {
        Ok(()) => Ok(Outcome::Begun),
        // Somebody billed something of the contract meanwhile; the next look begins.
        Err(StoreError::Conflict) => Ok(Outcome::Settled),
        Err(error) => Err(error.into()),
    }
}
