//! Contracts and their parts.

use jiff::{Timestamp, civil::Date};
use portico_domain::{
    AccountId, ContractId, Currency, SalesforceId,
    contracts::{Contract, Milestone, PARTS_MAX, Rate},
};
use rust_decimal::Decimal;
use serde::Deserialize;

use super::{Object, Record, Unusable, decimal, record};
use crate::client::moment;

/// `Portal_Contract__c`.
#[derive(Debug, Clone, Deserialize)]
#[expect(missing_docs, reason = "named after the Salesforce fields")]
pub struct ContractRecord {
    #[serde(rename = "Id")]
    pub id: SalesforceId,
    #[serde(rename = "Name")]
    pub name: String,
    #[serde(rename = "Account__c")]
    pub account: Option<SalesforceId>,
    #[serde(rename = "Currency__c")]
    pub currency: String,
    #[serde(rename = "Hourly_Rate__c")]
    pub hourly_rate: serde_json::Number,
    #[serde(rename = "Tax_Rate__c")]
    pub tax_percent: serde_json::Number,
    #[serde(rename = "Payment_Terms_Days__c")]
    pub payment_terms_days: serde_json::Number,
    #[serde(rename = "Valid_From__c")]
    pub valid_from: Date,
    #[serde(rename = "Valid_To__c")]
    pub valid_to: Option<Date>,
    #[serde(rename = "Time_Zone__c")]
    pub time_zone: String,
    #[serde(rename = "Purchase_Order__c")]
    pub purchase_order: Option<String>,
    #[serde(rename = "IsDeleted")]
    pub is_deleted: bool,
    #[serde(rename = "SystemModstamp", deserialize_with = "moment")]
    pub system_modstamp: Timestamp,
}

record!(
    ContractRecord,
    Object::Contract,
    [
        "Id",
        "Name",
        "Account__c",
        "Currency__c",
        "Hourly_Rate__c",
        "Tax_Rate__c",
        "Payment_Terms_Days__c",
        "Valid_From__c",
        "Valid_To__c",
        "Time_Zone__c",
        "Purchase_Order__c",
        "IsDeleted",
        "SystemModstamp",
    ]
);

impl ContractRecord {
    /// The contract of `account` with its parts, as this version.
    ///
    /// # Errors
    /// [`Unusable`] if the currency or a number is not one that can be billed by.
    pub fn contract(
        &self,
        account: AccountId,
        rates: &[RateRecord],
        milestones: &[MilestoneRecord],
        version: u64,
    ) -> Result<Contract, Unusable> {
        if rates.len() > PARTS_MAX || milestones.len() > PARTS_MAX {
            return Err(Unusable::TooManyParts);
        }
        let days = positive(&self.payment_terms_days, "Payment_Terms_Days__c")?;
        let currency: Currency =
            self.currency.parse().map_err(|_| Unusable::Currency(self.currency.chars().take(8).collect()))?;
        Ok(Contract {
            id: ContractId::of_salesforce(&self.id),
            account,
            salesforce_id: self.id,
            name: self.name.clone(),
            currency,
            hourly_rate: positive(&self.hourly_rate, "Hourly_Rate__c")?,
            tax_percent: positive(&self.tax_percent, "Tax_Rate__c")?,
            payment_terms_days: u16::try_from(days).map_err(|_| Unusable::Number("Payment_Terms_Days__c"))?,
            valid_from: self.valid_from,
            // A contract that was deleted in Salesforce holds on no day.
            valid_to: if self.is_deleted { Some(Date::MIN) } else { self.valid_to },
            time_zone: self.time_zone.clone(),
            purchase_order: self.purchase_order.clone().filter(|text| !text.trim().is_empty()),
            rates: rates.iter().map(RateRecord::rate).collect::<Result<_, _>>()?,
            milestones: milestones.iter().map(MilestoneRecord::milestone).collect::<Result<_, _>>()?,
            modstamp: self.system_modstamp,
            version,
        })
    }
}

/// `Portal_Rate__c`.
#[derive(Debug, Clone, Deserialize)]
#[expect(missing_docs, reason = "named after the Salesforce fields")]
pub struct RateRecord {
    #[serde(rename = "Id")]
    pub id: SalesforceId,
    #[serde(rename = "Contract__c")]
    pub contract: Option<SalesforceId>,
    #[serde(rename = "Role__c")]
    pub role: String,
    #[serde(rename = "Hourly_Rate__c")]
    pub hourly_rate: serde_json::Number,
    #[serde(rename = "Valid_From__c")]
    pub valid_from: Option<Date>,
    #[serde(rename = "IsDeleted")]
    pub is_deleted: bool,
}

record!(
    RateRecord,
    Object::Rate,
    ["Id", "Contract__c", "Role__c", "Hourly_Rate__c", "Valid_From__c", "IsDeleted"]
);

impl RateRecord {
    fn rate(&self) -> Result<Rate, Unusable> {
        Ok(Rate {
            salesforce_id: self.id,
            role: self.role.clone(),
            hourly_rate: positive(&self.hourly_rate, "Hourly_Rate__c")?,
            valid_from: self.valid_from,
        })
    }
}

/// `Milestone__c`.
#[derive(Debug, Clone, Deserialize)]
#[expect(missing_docs, reason = "named after the Salesforce fields")]
pub struct MilestoneRecord {
    #[serde(rename = "Id")]
    pub id: SalesforceId,
    #[serde(rename = "Contract__c")]
    pub contract: Option<SalesforceId>,
    #[serde(rename = "Name")]
    pub name: String,
    #[serde(rename = "Amount__c")]
    pub amount: serde_json::Number,
    #[serde(rename = "Due_On__c")]
    pub due_on: Option<Date>,
    #[serde(rename = "Completed_On__c")]
    pub completed_on: Option<Date>,
    #[serde(rename = "Case__c")]
    pub case: Option<SalesforceId>,
    #[serde(rename = "IsDeleted")]
    pub is_deleted: bool,
}

record!(
    MilestoneRecord,
    Object::Milestone,
    ["Id", "Contract__c", "Name", "Amount__c", "Due_On__c", "Completed_On__c", "Case__c", "IsDeleted"]
);

impl MilestoneRecord {
    fn milestone(&self) -> Result<Milestone, Unusable> {
        Ok(Milestone {
            salesforce_id: self.id,
            name: self.name.clone(),
            amount: positive(&self.amount, "Amount__c")?,
            due_on: self.due_on,
            completed_on: self.completed_on,
            case: self.case,
        })
    }
}

fn positive(number: &serde_json::Number, field: &'static str) -> Result<Decimal, Unusable> {
    decimal(number).filter(|value| !value.is_sign_negative()).ok_or(Unusable::Number(field))
}
