//! Taxes: which line is taxed how, and where tax is rounded.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::figures::Percent;
use crate::{Money, money::MoneyError};

/// How something is taxed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Treatment {
    /// At a rate; it may be 0 %.
    Taxed(Percent),
    /// The client owes the tax (EN 16931: category AE).
    ReverseCharge,
    /// Not at all (EN 16931: category E).
    Exempt,
}

impl Treatment {
    /// The rate that is charged.
    pub fn percent(self) -> Decimal {
        match self {
            Self::Taxed(percent) => percent.get(),
            Self::ReverseCharge | Self::Exempt => Decimal::ZERO,
        }
    }

    /// The tax on `base`, before it is rounded.
    pub fn exact_tax(self, base: Money) -> Result<Decimal, MoneyError> {
        let factor = self.percent().checked_div(Decimal::ONE_HUNDRED).ok_or(MoneyError::OutOfRange)?;
        base.to_decimal().checked_mul(factor).ok_or(MoneyError::OutOfRange)
    }
}

/// What is rounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaxRounding {
    /// The tax on the sum of what is taxed alike, once for the document (EN 16931).
    #[default]
    Total,
    /// The tax on each line.
    Line,
}

/// The clause about taxes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taxes {
    /// Hours.
    pub work: Treatment,
    /// Fees of milestones, retainers and blocks.
    pub fees: Treatment,
    /// Expenses.
    pub expenses: Treatment,
    /// What is rounded.
    #[serde(default)]
    pub rounding: TaxRounding,
}

impl Taxes {
    /// Everything alike.
    pub fn uniform(treatment: Treatment) -> Self {
        Self { work: treatment, fees: treatment, expenses: treatment, rounding: TaxRounding::Total }
    }
}

/// The tax on everything that is taxed alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaxSum {
    /// How it is taxed.
    pub treatment: Treatment,
    /// What is taxed.
    pub base: Money,
    /// The tax.
    pub tax: Money,
}
