//! What a contract or an amendment says about money, as somebody wrote it down.
//!
//! Nothing here is checked: a figure that one cannot bill by is kept as it stands, and told of when it is needed
//! ([`super::Contract::agreement`]). What is left empty is what is usual: see each field.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::{
    SalesforceId,
    billing::{CapSpan, DiscountOn, HoursPolicy, IncrementStep, Rounding, TaxRounding, Together},
};

/// What one bill is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BilledBy {
    /// A case, once it is closed.
    #[default]
    Case,
    /// A month, in the contract's time zone.
    Month,
}

/// How an hour gets its price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pricing {
    /// By the rate for the person, the kind of work and the role, else by the hourly rate.
    #[default]
    Card,
    /// By the hours on the bill: those beyond a rate's hours cost that rate, the others what they cost before.
    Graduated,
    /// By the hours on the bill: all of them cost the rate of the most hours that are reached.
    Volume,
    /// Not at all: the fees of milestones pay for the work.
    FixedFees,
}

/// How something is taxed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaxKind {
    /// At a rate.
    #[default]
    Taxed,
    /// The client owes the tax.
    ReverseCharge,
    /// Not at all.
    Exempt,
}

/// How fees, or expenses, are taxed if not as hours are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TaxClause {
    /// How; at the rate if there is one, else as hours are, if empty.
    pub kind: Option<TaxKind>,
    /// Percent; the contract's if empty.
    pub percent: Option<Decimal>,
}

/// Hours that are paid for every month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RetainerClause {
    /// Hours of a month.
    pub hours: Option<Decimal>,
    /// What a month costs, in major units of the currency.
    pub fee: Option<Decimal>,
    /// The price of an hour beyond them, in major units; as other hours if empty.
    pub overage: Option<Decimal>,
    /// Most hours that are taken into the next month; none if empty.
    pub roll_over_hours: Option<Decimal>,
    /// For how many months after its own an hour can be used.
    pub roll_over_months: Option<Decimal>,
}

/// How much time is billed for the time that was worked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct IncrementClause {
    /// What billed time is a multiple of; a minute if empty.
    pub step: Option<IncrementStep>,
    /// Which multiple; the next if empty.
    pub rounding: Option<Rounding>,
    /// What is added up first; nothing if empty.
    pub together: Option<Together>,
    /// Least minutes; none if empty.
    pub least: Option<Decimal>,
}

/// A discount, or one of several steps of a discount: steps have one name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiscountClause {
    /// `Portal_Discount__c` in Salesforce.
    pub salesforce_id: SalesforceId,
    /// What it is called on the invoice.
    pub name: String,
    /// Its place in the order in which discounts are taken off; before all others if empty.
    pub place: Option<Decimal>,
    /// What it is taken from; hours if empty.
    pub on: Option<DiscountOn>,
    /// Percent that are taken off.
    pub percent: Option<Decimal>,
    /// What is taken off each bill instead, in major units of the currency.
    pub amount: Option<Decimal>,
    /// From which amount on the percentage is taken off, in major units. A discount with it is a step.
    pub from: Option<Decimal>,
}

/// Work outside of working hours.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct AfterHoursClause {
    /// What the rate is multiplied by.
    pub factor: Option<Decimal>,
    /// When that is, as [`super::Windows`] reads it; only what people say to be so if empty.
    pub windows: Option<String>,
}

/// What late payment costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct LateClause {
    /// Interest of a year, in percent.
    pub interest: Option<Decimal>,
    /// What each late payment costs once, in major units of the currency.
    pub once: Option<Decimal>,
}

/// What is agreed beyond an hourly rate and a tax. A contract that says none of it is billed by the case, at its rates,
/// for each minute.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Provisions {
    /// What one bill is for.
    pub billed_by: BilledBy,
    /// How an hour gets its price.
    pub pricing: Pricing,
    /// Hours that are paid for every month.
    pub retainer: RetainerClause,
    /// How much time is billed.
    pub increment: IncrementClause,
    /// Which hours are multiplied by the rate.
    pub hours: HoursPolicy,
    /// Work outside of working hours.
    pub after_hours: AfterHoursClause,
    /// What is put on top of expenses, in percent; nothing if empty.
    pub markup: Option<Decimal>,
    /// Discounts, in the order of Salesforce's ids; at most [`super::PARTS_MAX`].
    pub discounts: Vec<DiscountClause>,
    /// The least that the work of a bill costs, in major units of the currency.
    pub minimum_charge: Option<Decimal>,
    /// The most that work costs, in major units.
    pub cap: Option<Decimal>,
    /// Of what that is the most.
    pub cap_span: Option<CapSpan>,
    /// How hours are taxed.
    pub tax: TaxKind,
    /// How fees are.
    pub fees_tax: TaxClause,
    /// How expenses are.
    pub expenses_tax: TaxClause,
    /// Where tax is rounded.
    pub tax_rounding: TaxRounding,
    /// What late payment costs.
    pub late: LateClause,
}
