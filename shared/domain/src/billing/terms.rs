//! The terms of a contract, clause by clause, and which of them hold on a day.

use std::collections::BTreeSet;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::{
    caps::Cap,
    discounts::{DISCOUNTS_MAX, Discount, DiscountSize},
    figures::{FigureError, Markup, PositiveMoney},
    increments::Increment,
    late_fees::LateFee,
    period::{UnknownZone, Zone},
    rates::{AfterHours, Rates, RatesError},
    retainer::{BLOCKS_MAX, Block, Retainer},
    taxes::Taxes,
};
use crate::{Currency, Money, SalesforceId, contracts::FieldError};

/// Most versions of a contract.
pub const VERSIONS_MAX: usize = 100;

/// What one bill is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// A case, once it is closed.
    Case,
    /// A month. Only months can have a retainer.
    Period {
        /// Hours that are paid for every month, if there are any.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retainer: Option<Retainer>,
    },
}

/// Which hours are multiplied by the rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoursPolicy {
    /// Those on the page: each line's time in hours, rounded to two decimals.
    #[default]
    Shown,
    /// Minutes, at a sixtieth of the rate; only the amount is rounded.
    Exact,
}

/// Everything that is agreed about money. [`Terms`] are clauses that fit together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clauses {
    /// What bills are in.
    pub currency: Currency,
    /// Whose calendar and clock count.
    pub zone: Zone,
    /// What one bill is for.
    pub mode: Mode,
    /// What an hour costs.
    pub rates: Rates,
    /// What is different outside of working hours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_hours: Option<AfterHours>,
    /// How much time is billed for the time that was worked.
    pub increment: Increment,
    /// Which hours are multiplied by the rate.
    #[serde(default)]
    pub hours: HoursPolicy,
    /// Hours that were bought at once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blocks: Vec<Block>,
    /// What is put on top of expenses.
    pub markup: Markup,
    /// What is taken off, one after the other.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub discounts: Vec<Discount>,
    /// The least that the work of a bill costs, if there is any that is charged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum_charge: Option<PositiveMoney>,
    /// The most that work costs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cap: Option<Cap>,
    /// Taxes.
    pub taxes: Taxes,
    /// Days from issue until an invoice is due.
    pub payment_terms_days: u16,
    /// The client's purchase-order number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purchase_order: Option<String>,
    /// What late payment costs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub late_fee: Option<LateFee>,
}

/// Why clauses are not terms that one can bill by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TermsError {
    /// A figure out of its bounds.
    #[error(transparent)]
    Figure(#[from] FigureError),
    /// Rates that do not fit together.
    #[error(transparent)]
    Rates(#[from] RatesError),
    /// A time zone that nobody knows.
    #[error(transparent)]
    Zone(#[from] UnknownZone),
    /// A field that one cannot bill by, in the words of whoever has to put it right.
    #[error("{field} of {record}: {why}")]
    Field {
        /// The record in Salesforce.
        record: SalesforceId,
        /// The field, by the name that it has on the record's page.
        field: &'static str,
        /// What is wrong with it.
        why: FieldError,
    },
    /// An amount in another currency than the contract's.
    #[error("an amount is not in the contract's currency")]
    Currency,
    /// A retainer's fee below zero.
    #[error("the fee of a retainer is below zero")]
    NegativeFee,
    /// More discounts, blocks or versions than are taken.
    #[error("too many discounts, blocks or versions")]
    TooMany,
    /// A block twice, or one that expires before it is bought.
    #[error("a block of hours is there twice, or expires before it is bought")]
    Block,
    /// No version, two from the same day on, or versions of different currencies or time zones.
    #[error("the versions of a contract must begin one after the other and have one currency and time zone")]
    Versions,
}

/// Clauses that fit together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Clauses", into = "Clauses")]
pub struct Terms(Clauses);

impl Terms {
    /// The clauses.
    pub fn clauses(&self) -> &Clauses {
        &self.0
    }

    /// The retainer, if there is one.
    pub fn retainer(&self) -> Option<&Retainer> {
        match &self.0.mode {
            Mode::Period { retainer } => retainer.as_ref(),
            Mode::Case => None,
        }
    }
}

impl TryFrom<Clauses> for Terms {
    type Error = TermsError;

    fn try_from(clauses: Clauses) -> Result<Self, TermsError> {
        if clauses.blocks.len() > BLOCKS_MAX || clauses.discounts.len() > DISCOUNTS_MAX {
            return Err(TermsError::TooMany);
        }
        let mut known = BTreeSet::new();
        let sound = |block: &Block| block.expires_on.is_none_or(|last| block.bought_on <= last);
        if !clauses.blocks.iter().all(|block| sound(block) && known.insert(block.salesforce_id)) {
            return Err(TermsError::Block);
        }
        let terms = Self(clauses);
        if terms.retainer().is_some_and(|retainer| retainer.fee.minor() < 0) {
            return Err(TermsError::NegativeFee);
        }
        let currency = terms.0.currency;
        if terms.amounts().iter().all(|amount| amount.currency() == currency) {
            Ok(terms)
        } else {
            Err(TermsError::Currency)
        }
    }
}

impl From<Terms> for Clauses {
    fn from(terms: Terms) -> Clauses {
        terms.0
    }
}

impl Terms {
    /// Every amount that the clauses name.
    fn amounts(&self) -> Vec<Money> {
        let clauses = &self.0;
        let mut amounts: Vec<Money> = clauses.blocks.iter().map(|block| block.price.get()).collect();
        amounts.extend(self.retainer().map(|retainer| retainer.fee));
        amounts.extend(clauses.minimum_charge.map(PositiveMoney::get));
        amounts.extend(clauses.cap.map(|cap| cap.limit.get()));
        amounts.extend(clauses.late_fee.and_then(|fee| fee.once).map(PositiveMoney::get));
        for discount in &clauses.discounts {
            match &discount.size {
                DiscountSize::Percent(_) => {}
                DiscountSize::Fixed(amount) => amounts.push(amount.get()),
                DiscountSize::Volume(steps) => {
                    amounts.extend(steps.as_slice().iter().map(|step| step.from.get()))
                }
            }
        }
        amounts
    }
}

/// Terms and when they begin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// First day on which they hold; from ever if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Date>,
    /// The terms.
    pub terms: Terms,
}

/// All versions of a contract. What is agreed anew is added, never changed: a bill can be priced again at any time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Version>", into = "Vec<Version>")]
pub struct Agreement(Vec<Version>);

impl Agreement {
    /// Terms that hold on every day.
    pub fn always(terms: Terms) -> Self {
        Self(vec![Version { from: None, terms }])
    }

    /// The version that holds on `day`; none before the first.
    pub fn on(&self, day: Date) -> Option<&Version> {
        self.0.iter().rfind(|version| version.from.is_none_or(|from| from <= day))
    }
}

impl TryFrom<Vec<Version>> for Agreement {
    type Error = TermsError;

    fn try_from(versions: Vec<Version>) -> Result<Self, TermsError> {
        if versions.len() > VERSIONS_MAX {
            return Err(TermsError::TooMany);
        }
        let alike = |one: &Version, next: &Version| {
            let (one, next) = (&one.terms.0, &next.terms.0);
            one.currency == next.currency && one.zone == next.zone
        };
        let follow = |one: &Version, next: &Version| one.from < next.from && alike(one, next);
        if versions.is_empty() || !versions.is_sorted_by(follow) {
            return Err(TermsError::Versions);
        }
        Ok(Self(versions))
    }
}

impl From<Agreement> for Vec<Version> {
    fn from(agreement: Agreement) -> Self {
        agreement.0
    }
}
