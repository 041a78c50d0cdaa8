//! A bill: what is owed for a case or a month, before it has a number.

use jiff::civil::Date;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::{
    allocation::allocate,
    caps::CapUse,
    derivation::{Derivation, LineDerivation},
    retainer::{BlockBalance, RetainerBalance, RetainerStatement},
    taxes::{TaxRounding, TaxSum, Treatment},
};
use crate::{Currency, EntryId, Money, money::MoneyError};

/// What sort of position a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LineKind {
    /// Time that was worked.
    #[default]
    Work,
    /// What the work is short of the minimum charge.
    MinimumCharge,
    /// A milestone, a month of a retainer, a block of hours.
    Fee,
    /// Something that was paid for the client.
    Expense,
}

/// What a quantity counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Hours; the rate is for one.
    #[default]
    Hour,
    /// Minutes; the rate is for sixty.
    Minute,
    /// Things; the rate is for one.
    Piece,
}

/// Why a line costs less than quantity times rate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReductionReason {
    /// The discount of this name.
    Discount(String),
    /// The cap is reached.
    Cap,
}

/// What a line costs less, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reduction {
    /// Why.
    pub reason: ReductionReason,
    /// How much.
    pub amount: Money,
}

/// A position of an invoice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// What sort of position it is.
    #[serde(default, skip_serializing_if = "LineKind::is_work")]
    pub kind: LineKind,
    /// The time entry that it bills, if it bills one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<EntryId>,
    /// The day of the work, or of what else it bills.
    pub worked_on: Date,
    /// Who did it.
    pub person: String,
    /// What was done.
    pub description: String,
    /// Minutes worked, as logged.
    pub minutes: i64,
    /// How much is billed. This is the number on the page.
    #[serde(alias = "hours")]
    pub quantity: Decimal,
    /// What the quantity counts.
    #[serde(default, skip_serializing_if = "Unit::is_hour")]
    pub unit: Unit,
    /// Price of an hour or of a piece, in major units.
    pub rate: Decimal,
    /// What is taken off `quantity x rate`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reductions: Vec<Reduction>,
    /// `quantity x rate`, rounded once to the currency's decimals, without the reductions.
    pub amount: Money,
    /// How it is taxed; absent on lines from before it was written down, whose invoice has one rate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub treatment: Option<Treatment>,
}

impl LineKind {
    fn is_work(&self) -> bool {
        *self == Self::Work
    }
}

impl Unit {
    fn is_hour(&self) -> bool {
        *self == Self::Hour
    }

    /// For how many of its units the rate is.
    pub fn per(self) -> u8 {
        match self {
            Self::Hour | Self::Piece => 1,
            Self::Minute => 60,
        }
    }
}

impl Line {
    /// What it costs before anything is taken off: quantity times rate.
    ///
    /// # Errors
    /// [`MoneyError`] if the amounts do not fit.
    pub fn price(&self) -> Result<Money, MoneyError> {
        self.reductions.iter().try_fold(self.amount, |sum, reduction| sum.plus(reduction.amount))
    }
}

/// The time on a bill, and what rounding did to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TimeTotals {
    /// Minutes as they were logged.
    pub worked: u32,
    /// Minutes as they are billed: rounded to the contract's increment.
    pub billed: u32,
    /// The sum of the hours on the lines, each rounded to two decimals.
    pub hours_by_line: Decimal,
    /// The billed minutes as hours, rounded once. Where it differs from the sum of the lines, that is because each line
    /// is rounded; the lines are what is billed.
    pub hours_at_once: Decimal,
}

/// What earlier bills of a contract leave to later ones.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Carry {
    /// What is left of the retainer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retainer: Option<RetainerBalance>,
    /// What is left of blocks of hours; a block that is here was charged.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blocks: Vec<BlockBalance>,
    /// What is used of the cap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cap: Option<CapUse>,
}

/// What is owed for a case or a month, before it has a number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bill {
    /// Positions: work by day and then by id, then what is missing to the minimum charge, fees and expenses.
    pub lines: Vec<Line>,
    /// Sum of the positions.
    pub net: Money,
    /// The taxes, each rate once.
    pub taxes: Vec<TaxSum>,
    /// Sum of the taxes.
    pub tax: Money,
    /// Net and tax.
    pub gross: Money,
    /// The time on it.
    pub time: TimeTotals,
    /// What became of the retainer's hours, if there is a retainer.
    pub retainer: Option<RetainerStatement>,
    /// How every cent comes about.
    pub derivation: Derivation,
    /// What later bills have to know.
    pub carry: Carry,
}

impl Bill {
    /// Whether there is nothing to bill: no position at all.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Each line with how it comes about.
    pub fn explained(&self) -> impl Iterator<Item = (&Line, &LineDerivation)> {
        self.lines.iter().zip(&self.derivation.lines)
    }

    /// The tax of the document, divided among the lines so that it adds up: by the largest remainder where it is
    /// rounded once, else each line's own.
    ///
    /// # Errors
    /// [`MoneyError`] if the amounts do not fit.
    pub fn tax_by_line(&self) -> Result<Vec<Money>, MoneyError> {
        tax_by_line(&self.lines, &self.taxes, self.derivation.tax_rounding, self.derivation.currency)
    }
}

pub(super) fn tax_by_line(
    lines: &[Line],
    taxes: &[TaxSum],
    rounding: TaxRounding,
    currency: Currency,
) -> Result<Vec<Money>, MoneyError> {
    let mut shares = vec![Money::zero(currency); lines.len()];
    for sum in taxes {
        let alike: Vec<usize> = (0..)
            .zip(lines)
            .filter(|(_, line)| line.treatment == Some(sum.treatment))
            .map(|(place, _)| place)
            .collect();
        let amounts = || alike.iter().filter_map(|place| lines.get(*place)).map(|line| line.amount);
        let parts = match rounding {
            TaxRounding::Total => {
                let weights: Vec<u64> = amounts().map(|amount| amount.minor().unsigned_abs()).collect();
                let parts = allocate(sum.tax.minor(), &weights);
                parts.into_iter().map(|part| Money::from_minor(part, currency)).collect()
            }
            TaxRounding::Line => {
                let tax = |amount| Money::rounded(sum.treatment.exact_tax(amount)?, currency);
                amounts().map(tax).collect::<Result<Vec<_>, _>>()?
            }
        };
        for (place, part) in alike.iter().zip(parts) {
            if let Some(share) = shares.get_mut(*place) {
                *share = part;
            }
        }
    }
    Ok(shares)
}
