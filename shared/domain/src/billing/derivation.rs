//! How every cent of a bill comes about, step by step, with the value before and after each.
//!
//! A derivation stands for itself: [`super::replay`] gets the same cents from nothing else.

use jiff::civil::Date;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::{
    figures::{Factor, Markup, Percent, UnitPrice},
    increments::Increment,
    period::Period,
    rates::RateSource,
    retainer::PaidBy,
    taxes::{TaxRounding, Treatment},
};
use crate::{Currency, EntryId, Money, SalesforceId};

/// How a bill comes about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Derivation {
    /// What every amount is in.
    pub currency: Currency,
    /// How each line comes about, in their order.
    pub lines: Vec<LineDerivation>,
    /// What is taken off, in the order in which it is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub discounts: Vec<DiscountWorking>,
    /// The cap, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cap: Option<CapWorking>,
    /// Where tax is rounded.
    pub tax_rounding: TaxRounding,
    /// The taxes, each rate once.
    pub taxes: Vec<TaxWorking>,
}

/// How a line comes about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineDerivation {
    /// What the line is for.
    pub origin: Origin,
    /// First day of the version of the contract that it is priced by; absent if that holds from ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terms_from: Option<Date>,
    /// How it is taxed.
    pub treatment: Treatment,
    /// The steps, each from the value that the one before left.
    pub steps: Vec<Step>,
}

/// What a line is for, and so the clause that it is by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Time that was worked.
    Entry(EntryId),
    /// A milestone that was delivered.
    Milestone(SalesforceId),
    /// Something that was paid for the client.
    Expense(SalesforceId),
    /// The retainer of a month.
    Retainer(Period),
    /// A block of hours.
    Block(SalesforceId),
    /// What the work is short of the minimum charge.
    MinimumCharge,
}

/// One step of a line. Time is in minutes until it is in hours, amounts are in major units.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Time as it was logged.
    Worked {
        /// The part of the entry that has one rate.
        minutes: u32,
        /// All of the entry.
        of: u32,
    },
    /// Rounded to the contract's increment, together with what came earlier.
    Increment {
        /// The clause.
        increment: Increment,
        /// What it is rounded together with: times with the same number, from 0.
        sum: usize,
        /// Minutes that are rounded together with it and came earlier.
        earlier: u32,
        /// Minutes.
        before: u32,
        /// What they add to the rounded sum.
        after: u32,
    },
    /// A part of it: the rest is paid for by something else, or in another tier.
    Part {
        /// Minutes that are on lines before this one.
        skipped: u32,
        /// Minutes.
        before: u32,
        /// Minutes of this part.
        after: u32,
    },
    /// Minutes as hours, rounded to two decimals.
    Hours {
        /// Minutes.
        before: u32,
        /// Hours.
        after: Decimal,
    },
    /// The hours are paid already.
    Paid {
        /// By what.
        by: PaidBy,
    },
    /// Time multiplied by the rate, rounded to the currency's decimals.
    Price {
        /// Hours, or minutes.
        quantity: Decimal,
        /// For how many of them the rate is: 1, or 60.
        per: u8,
        /// The rate as it was agreed.
        base: UnitPrice,
        /// Where it was agreed.
        source: RateSource,
        /// What it is multiplied by outside of working hours.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        factor: Option<Factor>,
        /// The rate of this line.
        rate: Decimal,
        /// `quantity x rate / per`, to 28 digits.
        before: Decimal,
        /// The amount.
        after: Decimal,
    },
    /// An amount that was agreed.
    Fee {
        /// The amount.
        after: Decimal,
    },
    /// A cost with its mark-up, rounded to the currency's decimals.
    MarkedUp {
        /// What it cost.
        cost: Decimal,
        /// What is put on top.
        markup: Markup,
        /// `cost x (100 + mark-up) / 100`.
        before: Decimal,
        /// The amount.
        after: Decimal,
    },
    /// What is missing to the minimum charge.
    TrueUp {
        /// The minimum charge.
        minimum: Decimal,
        /// What the work costs, discounts taken off.
        reached: Decimal,
        /// What is missing.
        after: Decimal,
    },
    /// Its share of a discount, by the largest remainder.
    Discount {
        /// Which one, in [`Derivation::discounts`].
        discount: usize,
        /// The amount.
        before: Decimal,
        /// What is taken off.
        share: Decimal,
        /// What is left.
        after: Decimal,
    },
    /// Cut where the cap is reached.
    Cap {
        /// The amount.
        before: Decimal,
        /// What is left.
        after: Decimal,
    },
}

/// How a discount comes about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiscountWorking {
    /// Its name.
    pub name: String,
    /// What it is taken from.
    pub base: Money,
    /// How much it is.
    pub rule: DiscountRule,
    /// Before it is rounded.
    pub before: Decimal,
    /// What is taken off.
    pub after: Money,
}

/// How much a discount is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DiscountRule {
    /// A part.
    Percent(Percent),
    /// An amount, but never more than what it is taken from.
    Fixed(Decimal),
}

/// How a cap works on a bill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CapWorking {
    /// The most that work costs.
    pub limit: Money,
    /// What earlier bills used of it.
    pub used: Money,
    /// What this bill's work costs without it.
    pub before: Money,
    /// What it costs.
    pub after: Money,
}

/// How a tax comes about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaxWorking {
    /// How it is taxed.
    pub treatment: Treatment,
    /// The sum of the lines that are taxed so.
    pub base: Money,
    /// Before it is rounded.
    pub before: Decimal,
    /// The tax.
    pub after: Money,
}
