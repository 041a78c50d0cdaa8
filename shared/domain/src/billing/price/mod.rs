//! From work and terms to a bill. Pure: the same work and terms give the same bill, at any time and in any order.

mod fees;
mod time;
mod totals;

use jiff::civil::Date;

use super::{
    bill::{Bill, Carry, Line},
    derivation::LineDerivation,
    period::{Period, Scope},
    terms::{Agreement, Mode, Terms, TermsError, Version},
    work::{Delivery, Expense, TimeEntry},
};
use crate::{CaseId, EntryId, money::MoneyError};

/// Most time entries on one invoice.
pub const ENTRIES_MAX: usize = 2_000;
/// Most expenses, and most milestones, on one invoice.
pub const CHARGES_MAX: usize = 500;
/// Most lines of one invoice: an entry that is paid for by several things has several.
pub const LINES_MAX: usize = 5_000;

/// Everything that a bill is made of.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// What was agreed.
    pub agreement: &'a Agreement,
    /// What the bill is for.
    pub scope: Scope,
    /// If it is for a month: the first month of which something is on it that was logged late.
    pub earliest: Option<Period>,
    /// Time entries, in any order; those that the bill is not for are left out.
    pub entries: &'a [TimeEntry],
    /// Expenses, likewise.
    pub expenses: &'a [Expense],
    /// Milestones that were delivered, likewise.
    pub deliveries: &'a [Delivery],
    /// What earlier bills of the contract left.
    pub before: &'a Carry,
}

impl Input<'_> {
    /// Whether what was done on `day` in `case` is on the bill.
    fn holds(&self, day: Date, case: Option<CaseId>) -> bool {
        match (self.scope, self.earliest) {
            (Scope::Period(period), Some(earliest)) if earliest < period => {
                earliest.first() <= day && day <= period.last()
            }
            (scope, _) => scope.holds(day, case),
        }
    }
}

/// Why there is no bill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PricingError {
    /// A time entry that cannot be right.
    #[error("time entry {0} has a number of minutes that cannot be right")]
    ImplausibleEntry(EntryId),
    /// A cost or a fee below zero: what was too much is credited, not billed.
    #[error("an expense or a milestone costs less than nothing")]
    NegativeCharge,
    /// More entries than one invoice holds.
    #[error("more than {ENTRIES_MAX} time entries")]
    TooManyEntries,
    /// More expenses, milestones or lines than one invoice holds.
    #[error("more than {CHARGES_MAX} expenses or milestones, or {LINES_MAX} lines")]
    TooManyLines,
    /// No version of the contract holds on a day.
    #[error("no version of the contract holds on {0}")]
    NoTerms(Date),
    /// A case where the contract is billed by the month, or the other way round.
    #[error("the contract is not billed that way")]
    OtherMode,
    /// A month of a retainer before the months before it were billed, or a second time.
    #[error("the months of a retainer must be billed one after the other")]
    OutOfSequence,
    /// The contract cannot be billed by.
    #[error(transparent)]
    Terms(#[from] TermsError),
    /// A sum that does not fit.
    #[error(transparent)]
    Money(#[from] MoneyError),
}

/// A line that is being made.
struct Draft {
    line: Line,
    derivation: LineDerivation,
}

/// The terms that govern a bill as a whole, and what it is for.
struct Governing<'a> {
    input: Input<'a>,
    version: &'a Version,
}

impl<'a> Governing<'a> {
    fn terms(&self) -> &'a Terms {
        &self.version.terms
    }
}

/// Prices a case or a month. The order of the steps is written down in [`super`].
///
/// # Errors
/// [`PricingError`] if something cannot be right, or the sums do not fit.
pub fn price(input: Input) -> Result<Bill, PricingError> {
    let completed_on = input.scope.completed_on();
    let version = input.agreement.on(completed_on).ok_or(PricingError::NoTerms(completed_on))?;
    let governing = Governing { input, version };
    in_its_turn(&governing)?;
    let time = time::charge(&governing)?;
    let work = time.lines;
    let charges = fees::charge(&governing)?;
    if work.len() + charges.len() > LINES_MAX {
        return Err(PricingError::TooManyLines);
    }
    totals::add_up(&governing, work, charges, time.totals, time.paid)
}

/// Refuses a bill that the contract does not provide for now.
fn in_its_turn(governing: &Governing) -> Result<(), PricingError> {
    match (governing.terms().clauses().mode, governing.input.scope) {
        (Mode::Case, Scope::Case { .. }) | (Mode::Period { retainer: None }, Scope::Period(_)) => Ok(()),
        (Mode::Period { retainer: Some(_) }, Scope::Period(period)) => {
            let before = governing.input.before.retainer.as_ref();
            if before.is_none_or(|before| before.through.next() == period) {
                Ok(())
            } else {
                Err(PricingError::OutOfSequence)
            }
        }
        (Mode::Case, Scope::Period(_)) | (Mode::Period { .. }, Scope::Case { .. }) => {
            Err(PricingError::OtherMode)
        }
    }
}
