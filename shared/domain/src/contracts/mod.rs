//! Contracts: what the consultancy and a client company agreed about money.
//!
//! A contract is one or several papers: its own record, and one for each amendment. Each says everything, from its day
//! on. What a paper says is kept as it was written; [`Contract::agreement`] makes of it what one can bill by, or says
//! which field of which record stands in the way.

mod expenses;
mod paper;
mod provisions;
mod windows;

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::{
    AccountId, CaseId, ContractId, Currency, SalesforceId,
    billing::{Agreement, Block, Delivery, TermsError, Version},
};
use paper::{Field, Paper, not_negative, positive, span};

pub use expenses::Outlay;
pub use paper::FieldError;
pub use provisions::{
    AfterHoursClause, BilledBy, DiscountClause, IncrementClause, LateClause, Pricing, Provisions,
    RetainerClause, TaxClause, TaxKind,
};
pub use windows::{Windows, WindowsError};

/// Most rates of one paper that are taken over, most discounts of it, and most milestones and blocks of a contract.
pub const PARTS_MAX: usize = 200;
/// Most amendments of one contract that are taken over.
pub const AMENDMENTS_MAX: usize = 50;

/// What an hour of some work costs, from a day on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rate {
    /// `Portal_Rate__c` in Salesforce.
    pub salesforce_id: SalesforceId,
    /// The role, in the consultancy's word; any if empty.
    pub role: String,
    /// The kind of work, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub work_type: Option<String>,
    /// The person, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// Beyond how many hours of a bill it holds, where hours are priced by how many there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub above_hours: Option<Decimal>,
    /// Price of one hour, in major units of the contract's currency.
    pub hourly_rate: Decimal,
    /// First day on which it holds; as long as the contract does if absent.
    pub valid_from: Option<Date>,
}

/// Something to be delivered for a fixed fee.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Milestone {
    /// `Milestone__c` in Salesforce.
    pub salesforce_id: SalesforceId,
    /// Its name.
    pub name: String,
    /// The fee, in major units of the contract's currency.
    pub amount: Decimal,
    /// When it is due.
    pub due_on: Option<Date>,
    /// When it was delivered, if it was.
    pub completed_on: Option<Date>,
    /// The Case in Salesforce that it is worked on in, if there is one.
    pub case: Option<SalesforceId>,
}

/// Hours that are bought at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrepaidHours {
    /// `Portal_Block__c` in Salesforce.
    pub salesforce_id: SalesforceId,
    /// First day on which they can be used.
    pub bought_on: Date,
    /// How many.
    pub hours: Decimal,
    /// What all of them cost, in major units of the contract's currency.
    pub price: Decimal,
    /// Last day on which they can be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_on: Option<Date>,
}

/// What is agreed anew from a day on. It says everything: what it leaves empty is not what the paper before it says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amendment {
    /// `Portal_Contract__c` in Salesforce.
    pub salesforce_id: SalesforceId,
    /// Its name.
    pub name: String,
    /// First day on which it holds, instead of the paper before it.
    pub valid_from: Date,
    /// Last day of the contract; open-ended if absent.
    pub valid_to: Option<Date>,
    /// As in the contract.
    pub currency: Currency,
    /// As in the contract.
    pub time_zone: String,
    /// As [`Contract::hourly_rate`].
    pub hourly_rate: Option<Decimal>,
    /// As [`Contract::tax_percent`].
    pub tax_percent: Option<Decimal>,
    /// As [`Contract::payment_terms_days`].
    pub payment_terms_days: u16,
    /// As [`Contract::purchase_order`].
    pub purchase_order: Option<String>,
    /// As [`Contract::rates`].
    pub rates: Vec<Rate>,
    /// As [`Contract::provisions`].
    pub provisions: Provisions,
    /// `SystemModstamp` of the record that was read.
    pub modstamp: Timestamp,
}

/// A contract with its amendments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contract {
    /// The portal's id.
    pub id: ContractId,
    /// Whose contract it is.
    pub account: AccountId,
    /// `Portal_Contract__c` in Salesforce: the record that amends no other.
    pub salesforce_id: SalesforceId,
    /// Its name.
    pub name: String,
    /// What invoices are in.
    pub currency: Currency,
    /// Price of one hour, in major units of the currency, where no rate says another.
    pub hourly_rate: Option<Decimal>,
    /// Tax on the net amount, in percent: `19` means 19 %.
    pub tax_percent: Option<Decimal>,
    /// Days from issue until an invoice is due.
    pub payment_terms_days: u16,
    /// First day on which it holds.
    pub valid_from: Date,
    /// Last day on which it holds, unless an amendment says another; open-ended if absent.
    pub valid_to: Option<Date>,
    /// IANA name of the zone whose calendar counts, such as `Europe/Berlin`.
    pub time_zone: String,
    /// The client's purchase-order number.
    pub purchase_order: Option<String>,
    /// Its rate card, in the order of Salesforce's ids; at most [`PARTS_MAX`].
    #[serde(default)]
    pub rates: Vec<Rate>,
    /// What else it says.
    #[serde(default)]
    pub provisions: Provisions,
    /// Its milestones and those of its amendments, in the order of Salesforce's ids; at most [`PARTS_MAX`].
    #[serde(default)]
    pub milestones: Vec<Milestone>,
    /// Hours that were bought under it or an amendment, likewise: they outlast an amendment.
    #[serde(default)]
    pub blocks: Vec<PrepaidHours>,
    /// What was agreed anew, by day; at most [`AMENDMENTS_MAX`].
    #[serde(default)]
    pub amendments: Vec<Amendment>,
    /// `SystemModstamp` of the record that was read.
    pub modstamp: Timestamp,
    /// Counts the writes of this record, from 1.
    pub version: u64,
}

impl Contract {
    /// The calendar day of a moment, where the contract's time zone is.
    pub fn day_of(&self, moment: Timestamp) -> Date {
        let zone = TimeZone::get(&self.time_zone).unwrap_or(TimeZone::UTC);
        moment.to_zoned(zone).date()
    }

    /// Whether it holds on `day`.
    pub fn holds_on(&self, day: Date) -> bool {
        self.valid_from <= day && self.last_day().is_none_or(|last| day <= last)
    }

    /// Its last day: what the last paper says, unless it has ended altogether; open-ended if absent.
    pub fn last_day(&self) -> Option<Date> {
        match self.amendments.last() {
            Some(amendment) if !self.has_ended() => amendment.valid_to,
            _ => self.valid_to,
        }
    }

    /// Whether it holds on no day any more: Salesforce does not have it, or has it as part of another.
    pub fn has_ended(&self) -> bool {
        self.valid_to == Some(Date::MIN)
    }

    /// The same contract, as its next version, which holds on no day; nothing if it did so already.
    pub fn ended(&self) -> Option<Self> {
        let version = self.version + 1;
        (!self.has_ended()).then(|| Self { valid_to: Some(Date::MIN), version, ..self.clone() })
    }

    /// What bills are for by the paper that holds on `day`: the first, if the day is before all of them.
    pub fn billed_by(&self, day: Date) -> BilledBy {
        let amended = self.amendments.iter().rfind(|amendment| amendment.valid_from <= day);
        amended.map_or(&self.provisions, |amendment| &amendment.provisions).billed_by
    }

    /// Whether bills are for months by any of its papers, whatever the day.
    pub fn has_months(&self) -> bool {
        let amended = self.amendments.iter().map(|amendment| &amendment.provisions);
        std::iter::once(&self.provisions).chain(amended).any(|says| says.billed_by == BilledBy::Month)
    }

    /// What was agreed, version by version. The first one also holds for what was worked before it: whoever begins
    /// early works by what is agreed.
    ///
    /// # Errors
    /// [`TermsError`] if one cannot bill by it; it says which field of which record has to be put right.
    pub fn agreement(&self) -> Result<Agreement, TermsError> {
        let block = |hours: &PrepaidHours| hours.block(self.currency);
        let blocks: Vec<Block> = self.blocks.iter().map(block).collect::<Result<_, _>>()?;
        let mut versions = vec![Version { from: None, terms: self.paper().terms(&blocks)? }];
        let (mut before, mut billed_by) = (None, self.provisions.billed_by);
        for amendment in &self.amendments {
            let field = |name| Field(amendment.salesforce_id, name);
            if amendment.currency != self.currency {
                return Err(field("Currency").wrong(FieldError::Differs));
            }
            if amendment.time_zone != self.time_zone {
                return Err(field("Time Zone").wrong(FieldError::Differs));
            }
            let from = Some(amendment.valid_from);
            if from == before || amendment.valid_from == self.valid_from {
                return Err(field("Valid From").wrong(FieldError::SameDay));
            }
            before = from;
            if amendment.provisions.billed_by != billed_by && amendment.valid_from.day() != 1 {
                return Err(field("Valid From").wrong(FieldError::WithinMonth));
            }
            billed_by = amendment.provisions.billed_by;
            versions.push(Version { from, terms: amendment.paper().terms(&blocks)? });
        }
        Agreement::try_from(versions)
    }

    /// The milestones that were delivered. `case_of` knows the portal's case behind one of Salesforce's.
    ///
    /// # Errors
    /// [`TermsError::Field`] if a fee is below zero or no amount of the currency.
    pub fn deliveries(
        &self,
        case_of: impl Fn(SalesforceId) -> Option<CaseId>,
    ) -> Result<Vec<Delivery>, TermsError> {
        let delivered =
            self.milestones.iter().filter_map(|milestone| Some((milestone, milestone.completed_on?)));
        let delivery = |(milestone, delivered_on): (&Milestone, Date)| {
            let fee = not_negative(milestone.amount, self.currency)
                .map_err(|why| Field(milestone.salesforce_id, "Amount").wrong(why))?;
            Ok(Delivery {
                salesforce_id: milestone.salesforce_id,
                case: milestone.case.and_then(&case_of),
                delivered_on,
                name: milestone.name.clone(),
                fee,
            })
        };
        delivered.map(delivery).collect()
    }

    fn paper(&self) -> Paper<'_> {
        Paper {
            record: self.salesforce_id,
            currency: self.currency,
            time_zone: &self.time_zone,
            hourly_rate: self.hourly_rate,
            tax_percent: self.tax_percent,
            payment_terms_days: self.payment_terms_days,
            purchase_order: self.purchase_order.as_deref(),
            rates: &self.rates,
            provisions: &self.provisions,
        }
    }
}

impl Amendment {
    fn paper(&self) -> Paper<'_> {
        Paper {
            record: self.salesforce_id,
            currency: self.currency,
            time_zone: &self.time_zone,
            hourly_rate: self.hourly_rate,
            tax_percent: self.tax_percent,
            payment_terms_days: self.payment_terms_days,
            purchase_order: self.purchase_order.as_deref(),
            rates: &self.rates,
            provisions: &self.provisions,
        }
    }
}

impl PrepaidHours {
    fn block(&self, currency: Currency) -> Result<Block, TermsError> {
        let field = |name| Field(self.salesforce_id, name);
        if self.expires_on.is_some_and(|last| last < self.bought_on) {
            return Err(field("Expires On").wrong(FieldError::Ended));
        }
        Ok(Block {
            salesforce_id: self.salesforce_id,
            bought_on: self.bought_on,
            time: span(self.hours).map_err(|why| field("Hours").wrong(why))?,
            price: positive(self.price, currency).map_err(|why| field("Price").wrong(why))?,
            expires_on: self.expires_on,
        })
    }
}

#[cfg(test)]
mod tests;
