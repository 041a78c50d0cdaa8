//! Which bill something is on: that of its case, or that of a month of a contract. Nothing is on two.
//!
//! What was done is under the contract that holds on its day; of several, under the one that began last. If that
//! contract is billed by the month on that day, it is on the month's bill, else on its case's. A contract that goes over
//! from one to the other leaves nothing out: what was done before is billed as it would have been.

use std::collections::BTreeSet;

use jiff::{Timestamp, civil::Date, tz::TimeZone};

use super::{
    derivation::{Derivation, Origin},
    period::{Period, Scope, Zone},
    terms::{Agreement, Mode, TermsError},
    work::{Delivery, Expense, TimeEntry},
};
use crate::{
    CaseId, ContractId, EntryId, SalesforceId,
    cases::Case,
    contracts::{Contract, Outlay},
};

/// Why nobody can say what is on a bill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AssignmentError {
    /// No contract holds on the day on which the case was closed, nor on a day on which it was worked on.
    #[error("no contract holds on {0}")]
    NoContract(Date),
    /// There is no such contract.
    #[error("there is no contract {0}")]
    UnknownContract(ContractId),
    /// The contract that it is under cannot be billed by.
    #[error("contract {contract} cannot be billed by: {error}")]
    Terms {
        /// The contract.
        contract: ContractId,
        /// What is wrong with it.
        error: TermsError,
    },
}

/// Why a month is not billed now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TurnError {
    /// The contract is not billed by the month then.
    #[error("{0} is not billed by the month under this contract")]
    NotMonthly(Period),
    /// It is not over.
    #[error("{0} is not over yet")]
    NotOver(Period),
    /// Another month comes first.
    #[error("{0} has to be billed first")]
    After(Period),
}

/// Everything that is agreed with an account.
#[derive(Debug)]
pub struct Agreements<'a> {
    /// Those that began last first.
    contracts: Vec<(&'a Contract, Result<Agreement, TermsError>)>,
}

/// A contract and what it says.
#[derive(Debug, Clone, Copy)]
pub struct Agreed<'a> {
    /// The contract.
    pub contract: &'a Contract,
    /// All versions of its terms.
    pub agreement: &'a Agreement,
}

/// What one bill is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assigned<'a> {
    /// What the bill is for.
    pub scope: Scope,
    /// The contract.
    pub contract: &'a Contract,
    /// Its terms.
    pub agreement: &'a Agreement,
    /// If it is for a month: the first month of which something is on it that was logged late.
    pub earliest: Option<Period>,
    /// What was worked.
    pub entries: Vec<TimeEntry>,
    /// What was paid for the client.
    pub expenses: Vec<Expense>,
    /// What was delivered for a fixed fee.
    pub deliveries: Vec<Delivery>,
}

/// What is on earlier bills already.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Billed {
    entries: BTreeSet<EntryId>,
    /// Expenses and milestones.
    records: BTreeSet<SalesforceId>,
}

impl Billed {
    /// Everything that a bill is made of.
    pub fn add(&mut self, derivation: &Derivation) {
        for line in &derivation.lines {
            match line.origin {
                Origin::Entry(entry) => {
                    self.entries.insert(entry);
                }
                Origin::Milestone(record) | Origin::Expense(record) => {
                    self.records.insert(record);
                }
                Origin::Retainer(_) | Origin::Block(_) | Origin::MinimumCharge => {}
            }
        }
    }

    fn has(&self, entry: &TimeEntry) -> bool {
        self.entries.contains(&entry.id)
    }

    fn has_record(&self, record: SalesforceId) -> bool {
        self.records.contains(&record)
    }
}

/// What was done for an account, as far as it is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Done {
    /// Time entries.
    pub entries: Vec<TimeEntry>,
    /// Expenses.
    pub expenses: Vec<Outlay>,
}

impl<'a> Agreements<'a> {
    /// What these contracts say.
    pub fn of(contracts: &'a [Contract]) -> Self {
        let mut contracts: Vec<_> =
            contracts.iter().map(|contract| (contract, contract.agreement())).collect();
        contracts.sort_by_key(|(contract, _)| std::cmp::Reverse((contract.valid_from, contract.id)));
        Self { contracts }
    }

    /// One contract.
    ///
    /// # Errors
    /// [`AssignmentError`] if it is not there or cannot be billed by.
    pub fn contract(&self, id: ContractId) -> Result<Agreed<'_>, AssignmentError> {
        let found = self.contracts.iter().find(|(contract, _)| contract.id == id);
        let (contract, agreement) = found.ok_or(AssignmentError::UnknownContract(id))?;
        agreed(contract, agreement)
    }

    /// The contract that holds on a day, which may be another day in another contract's time zone; of several, the one that
    /// began last.
    pub(super) fn holding(
        &self,
        day: impl Fn(&Contract) -> Date,
    ) -> Option<Result<Agreed<'_>, AssignmentError>> {
        let found = self.contracts.iter().find(|(contract, _)| contract.holds_on(day(contract)));
        found.map(|(contract, agreement)| agreed(contract, agreement))
    }

    /// The contract whose month's bill something of this day is on, if it is on one.
    fn monthly(&self, day: impl Fn(&Contract) -> Date) -> Result<Option<ContractId>, AssignmentError> {
        let Some(agreed) = self.holding(&day) else { return Ok(None) };
        let agreed = agreed?;
        Ok(agreed.is_monthly_on(day(agreed.contract)).then_some(agreed.contract.id))
    }

    /// As [`Agreements::monthly`], of an expense: it goes with the contract that it names, if it names one.
    fn monthly_for(&self, outlay: &Outlay) -> Result<Option<ContractId>, AssignmentError> {
        let day = outlay.paid.incurred_on;
        match outlay.contract {
            Some(named) => Ok(self.contract(named)?.is_monthly_on(day).then_some(named)),
            None => self.monthly(|_| day),
        }
    }

    /// What is on the first or next bill of a case that was closed at a moment; `None` if it is all on the bills of
    /// months. Whoever asks says which part of the case it is.
    ///
    /// # Errors
    /// [`AssignmentError`].
    pub fn of_case(
        &self,
        case: &Case,
        closed_at: Timestamp,
        done: Done,
        billed: &Billed,
    ) -> Result<Option<Assigned<'_>>, AssignmentError> {
        let mut entries = Vec::new();
        let of_case = done.entries.iter().filter(|entry| entry.case == case.id && entry.is_shown());
        for entry in of_case {
            if !billed.has(entry) && self.monthly(|contract| day_of(contract, entry))?.is_none() {
                entries.push(entry.clone());
            }
        }
        let mut expenses = Vec::new();
        for outlay in done.expenses.iter().filter(|outlay| outlay.paid.case == Some(case.id)) {
            let is_new = outlay.is_billed() && !billed.has_record(outlay.paid.salesforce_id);
            if is_new && self.monthly_for(outlay)?.is_none() {
                expenses.push(outlay.paid.clone());
            }
        }
        let closing = self.holding(|contract| contract.day_of(closed_at));
        let (agreed, closed_on) = match closing.transpose()? {
            Some(agreed) if !agreed.is_monthly_on(agreed.contract.day_of(closed_at)) => {
                let day = agreed.contract.day_of(closed_at);
                (agreed, day)
            }
            // Billed by the month by now, or under no contract any more: what was done before that is billed by what
            // held when it was done.
            other => {
                let last = entries.iter().max_by_key(|entry| (entry.worked_on, entry.id));
                let costs = || expenses.iter().map(|expense| expense.incurred_on).max();
                let Some(day) = last.map(|entry| entry.worked_on).or_else(costs) else {
                    let closed_on = closed_at.to_zoned(TimeZone::UTC).date();
                    return if other.is_some() {
                        Ok(None)
                    } else {
                        Err(AssignmentError::NoContract(closed_on))
                    };
                };
                let day_there = |contract: &Contract| last.map_or(day, |entry| day_of(contract, entry));
                let agreed = self.holding(day_there).ok_or(AssignmentError::NoContract(day))??;
                (agreed, day_there(agreed.contract))
            }
        };
        let this = |record: SalesforceId| (case.salesforce_id == Some(record)).then_some(case.id);
        let mut deliveries = agreed.deliveries(this)?;
        deliveries.retain(|delivery| {
            let is_new = delivery.case == Some(case.id) && !billed.has_record(delivery.salesforce_id);
            is_new && !agreed.is_monthly_on(delivery.delivered_on)
        });
        Ok(Some(Assigned {
            scope: Scope::Case { case: case.id, closed_on, part: 0 },
            earliest: None,
            contract: agreed.contract,
            agreement: agreed.agreement,
            deliveries,
            entries,
            expenses,
        }))
    }

    /// What is on the bill of a month of a contract: what was done in it, and what was logged late for a month from
    /// `earliest` on and is not billed yet.
    ///
    /// # Errors
    /// [`AssignmentError`].
    pub fn of_period(
        &self,
        contract: ContractId,
        period: Period,
        earliest: Period,
        done: Done,
        billed: &Billed,
    ) -> Result<Assigned<'_>, AssignmentError> {
        let agreed = self.contract(contract)?;
        let is_open = |day: Date| earliest.min(period).first() <= day && day <= period.last();
        let mut entries = Vec::new();
        for entry in done.entries.into_iter().filter(TimeEntry::is_shown) {
            let is_new = is_open(day_of(agreed.contract, &entry)) && !billed.has(&entry);
            if is_new && self.monthly(|contract| day_of(contract, &entry))? == Some(contract) {
                entries.push(entry);
            }
        }
        let mut expenses = Vec::new();
        for outlay in done.expenses.into_iter().filter(Outlay::is_billed) {
            let paid = &outlay.paid;
            let is_new = is_open(paid.incurred_on) && !billed.has_record(paid.salesforce_id);
            if is_new && self.monthly_for(&outlay)? == Some(contract) {
                expenses.push(outlay.paid);
            }
        }
        let mut deliveries = agreed.deliveries(|_| None)?;
        deliveries.retain(|delivery| {
            let is_new = is_open(delivery.delivered_on) && !billed.has_record(delivery.salesforce_id);
            is_new && agreed.is_monthly_on(delivery.delivered_on)
        });
        Ok(Assigned {
            scope: Scope::Period(period),
            earliest: Some(earliest.min(period)),
            contract: agreed.contract,
            agreement: agreed.agreement,
            deliveries,
            entries,
            expenses,
        })
    }
}

fn agreed<'a>(
    contract: &'a Contract,
    agreement: &'a Result<Agreement, TermsError>,
) -> Result<Agreed<'a>, AssignmentError> {
    match agreement {
        Ok(agreement) => Ok(Agreed { contract, agreement }),
        Err(error) => Err(AssignmentError::Terms { contract: contract.id, error: *error }),
    }
}

/// The day of an entry where a contract's calendar counts.
fn day_of(contract: &Contract, entry: &TimeEntry) -> Date {
    match contract.time_zone.parse::<Zone>() {
        Ok(zone) => entry.day(&zone),
        // Nothing is billed by a contract of an unknown zone; but it still holds on days.
        Err(_) => entry.worked_on,
    }
}

impl Assigned<'_> {
    /// Whether there is nothing that could be billed, but for what a contract charges in any case.
    pub fn is_empty(&self) -> bool {
        // An entry without time is on no bill, and so never counts as billed.
        let no_time = self.entries.iter().all(|entry| entry.minutes == 0);
        no_time && self.expenses.is_empty() && self.deliveries.is_empty()
    }

    /// The same as a later bill of its case.
    #[must_use]
    pub fn as_part(self, number: u16) -> Self {
        let scope = match self.scope {
            Scope::Case { case, closed_on, .. } => Scope::Case { case, closed_on, part: number },
            Scope::Period(_) => self.scope,
        };
        Self { scope, ..self }
    }
}

impl Agreed<'_> {
    /// Whether it is billed by the month on a day.
    pub fn is_monthly_on(&self, day: Date) -> bool {
        self.agreement
            .on(day)
            .is_some_and(|version| matches!(version.terms.clauses().mode, Mode::Period { .. }))
    }

    /// The milestones that were delivered.
    fn deliveries(
        &self,
        case_of: impl Fn(SalesforceId) -> Option<CaseId>,
    ) -> Result<Vec<Delivery>, AssignmentError> {
        let contract = self.contract.id;
        self.contract.deliveries(case_of).map_err(|error| AssignmentError::Terms { contract, error })
    }

    /// The month that has to be billed next: the first one after `through` that is over and billed by the month.
    pub fn month_due(&self, through: Period, today: Date) -> Option<Period> {
        let is_over = |period: &Period| period.last() < today;
        let begin = through.next().max(Period::of(self.contract.valid_from));
        std::iter::successors(Some(begin), |period| Some(period.next()))
            .take_while(|period| is_over(period) && !self.is_past(*period))
            .find(|period| self.is_monthly_on(period.last()))
    }

    /// The month that `today` is in, if it will be billed by the month and is not billed already.
    pub fn month_running(&self, through: Option<Period>, today: Date) -> Option<Period> {
        let period = Period::of(today);
        let open = through.is_none_or(|through| through < period);
        let begun = Period::of(self.contract.valid_from) <= period;
        (open && begun && !self.is_past(period) && self.is_monthly_on(period.last())).then_some(period)
    }

    /// Whether a month begins after the contract's last day.
    fn is_past(&self, period: Period) -> bool {
        self.contract.last_day().is_some_and(|last| last < period.first())
    }

    /// Whether staff may bill a month now. Months are billed one after the other, because each begins with what the one
    /// before left; one that was passed over, because there was nothing to bill or because it was billed elsewhere, can
    /// be billed at any time.
    ///
    /// # Errors
    /// [`TurnError`] says why not.
    pub fn take_turn(&self, month: Period, through: Option<Period>, today: Date) -> Result<(), TurnError> {
        if !self.is_monthly_on(month.last()) {
            return Err(TurnError::NotMonthly(month));
        }
        if month.last() >= today {
            return Err(TurnError::NotOver(month));
        }
        let first =
            through.filter(|through| *through < month).and_then(|through| self.month_due(through, today));
        match first {
            Some(first) if first < month => Err(TurnError::After(first)),
            _ => Ok(()),
        }
    }
}
