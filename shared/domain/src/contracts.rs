//! Contracts: what the consultancy and a client company agreed about money.

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::{
    AccountId, ContractId, Currency, Money, SalesforceId,
    billing::{
        Agreement, CardRate, Clauses, Criteria, Delivery, HoursPolicy, Increment, Markup, Mode, Percent,
        RateCard, Rates, Taxes, Terms, TermsError, Treatment, UnitPrice,
    },
    cases::Case,
};

/// Most rates of one contract that are taken over, and most milestones.
pub const PARTS_MAX: usize = 200;

/// What an hour in one role costs, from a day on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rate {
    /// `Portal_Rate__c` in Salesforce.
    pub salesforce_id: SalesforceId,
    /// The role, in the consultancy's word.
    pub role: String,
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

/// A time-and-materials contract: hours times rate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contract {
    /// The portal's id.
    pub id: ContractId,
    /// Whose contract it is.
    pub account: AccountId,
    /// `Portal_Contract__c` in Salesforce.
    pub salesforce_id: SalesforceId,
    /// Its name.
    pub name: String,
    /// What invoices are in.
    pub currency: Currency,
    /// Price of one hour, in major units of the currency.
    pub hourly_rate: Decimal,
    /// Tax on the net amount, in percent: `19` means 19 %.
    pub tax_percent: Decimal,
    /// Days from issue until an invoice is due.
    pub payment_terms_days: u16,
    /// First day on which it holds.
    pub valid_from: Date,
    /// Last day on which it holds; open-ended if absent.
    pub valid_to: Option<Date>,
    /// IANA name of the zone whose calendar counts, such as `Europe/Berlin`.
    pub time_zone: String,
    /// The client's purchase-order number.
    pub purchase_order: Option<String>,
    /// Its rate card, in the order of Salesforce's ids; at most [`PARTS_MAX`].
    #[serde(default)]
    pub rates: Vec<Rate>,
    /// Its milestones, in the order of Salesforce's ids; at most [`PARTS_MAX`].
    #[serde(default)]
    pub milestones: Vec<Milestone>,
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
        self.valid_from <= day && self.valid_to.is_none_or(|last| day <= last)
    }
}

impl Contract {
    /// What it says about money: time and materials. Each entry is rounded to no more than the minute, its hours are
    /// those on the page, and one tax is taken on everything.
    ///
    /// # Errors
    /// [`TermsError`] if one cannot bill by it: a rate or tax out of bounds, an unknown time zone.
    pub fn terms(&self) -> Result<Terms, TermsError> {
        let rates = self.rates.iter().filter(|rate| !rate.role.trim().is_empty()).map(Rate::of_card);
        let card = RateCard::new(self.hourly_rate.try_into()?, rates.collect::<Result<_, _>>()?)?;
        let tax = Percent::try_from(self.tax_percent)?;
        Terms::try_from(Clauses {
            currency: self.currency,
            zone: self.time_zone.parse()?,
            mode: Mode::Case,
            rates: Rates::Card(card),
            after_hours: None,
            increment: Increment::AS_LOGGED,
            hours: HoursPolicy::Shown,
            blocks: Vec::new(),
            markup: Markup::try_from(Decimal::ZERO)?,
            discounts: Vec::new(),
            minimum_charge: None,
            cap: None,
            taxes: Taxes::uniform(Treatment::Taxed(tax)),
            payment_terms_days: self.payment_terms_days,
            purchase_order: self.purchase_order.clone(),
            late_fee: None,
        })
    }
}

impl Contract {
    /// All versions of its terms.
    ///
    /// # Errors
    /// [`TermsError`] if one cannot bill by it.
    pub fn agreement(&self) -> Result<Agreement, TermsError> {
        self.terms().map(Agreement::always)
    }

    /// The milestones that were delivered. Milestones name cases as Salesforce does; of those, `case` is recognised.
    pub fn deliveries(&self, case: Option<&Case>) -> Vec<Delivery> {
        let recognised = |record: &SalesforceId| case.filter(|case| case.salesforce_id == Some(*record));
        let delivery = |milestone: &Milestone| {
            Some(Delivery {
                salesforce_id: milestone.salesforce_id,
                case: milestone.case.as_ref().and_then(recognised).map(|case| case.id),
                delivered_on: milestone.completed_on?,
                name: milestone.name.clone(),
                fee: Money::rounded(milestone.amount, self.currency).ok()?,
            })
        };
        self.milestones.iter().filter_map(delivery).collect()
    }
}

impl Rate {
    fn of_card(&self) -> Result<CardRate, TermsError> {
        let price = UnitPrice::try_from(self.hourly_rate)?;
        Ok(CardRate { criteria: Criteria::role(&self.role), price, from: self.valid_from })
    }
}

/// The contract under which work delivered at `moment` is billed: the one that holds on that day; of
/// several, the one that began last.
pub fn in_force(contracts: &[Contract], moment: Timestamp) -> Option<&Contract> {
    contracts
        .iter()
        .filter(|contract| contract.holds_on(contract.day_of(moment)))
        .max_by_key(|contract| (contract.valid_from, contract.id))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contract(from: &str, to: Option<&str>, zone: &str) -> Contract {
        Contract {
            id: ContractId::from_uuid(uuid::Uuid::nil()),
            account: AccountId::from_uuid(uuid::Uuid::nil()),
            salesforce_id: "a01000000000001AAA".parse().unwrap(),
            name: from.to_owned(),
            currency: "EUR".parse().unwrap(),
            hourly_rate: Decimal::from(120),
            tax_percent: Decimal::from(19),
            payment_terms_days: 14,
            valid_from: from.parse().unwrap(),
            valid_to: to.map(|to| to.parse().unwrap()),
            time_zone: zone.to_owned(),
            purchase_order: None,
            rates: Vec::new(),
            milestones: Vec::new(),
            modstamp: Timestamp::UNIX_EPOCH,
            version: 1,
        }
    }

    #[test]
    fn case_b05_the_day_is_the_contracts_day() {
        let contracts = [
            contract("2026-01-01", Some("2026-06-30"), "Europe/Berlin"),
            contract("2026-07-01", None, "Europe/Berlin"),
        ];
        // 22:30 UTC on 30 June is half past midnight on 1 July in Berlin.
        let moment: Timestamp = "2026-06-30T22:30:00Z".parse().unwrap();
        assert_eq!(in_force(&contracts, moment).unwrap().name, "2026-07-01");
        let moment: Timestamp = "2026-06-30T21:30:00Z".parse().unwrap();
        assert_eq!(in_force(&contracts, moment).unwrap().name, "2026-01-01");
        let moment: Timestamp = "2025-12-31T22:30:00Z".parse().unwrap();
        assert_eq!(in_force(&contracts, moment), None);
    }
}
