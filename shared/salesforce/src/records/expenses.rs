//! Expenses.

use jiff::{Timestamp, civil::Date};
use portico_domain::{
    AccountId, CaseId, ContractId, Money, SalesforceId, billing::Expense, contracts::Outlay,
};
use serde::Deserialize;

use super::{Object, Record, Unusable, Wrong, currency_of, decimal, record};
use crate::client::moment;

/// `Portal_Expense__c`.
#[derive(Debug, Clone, Deserialize)]
#[expect(missing_docs, reason = "named after the Salesforce fields")]
pub struct ExpenseRecord {
    #[serde(rename = "Id")]
    pub id: SalesforceId,
    #[serde(rename = "Account__c")]
    pub account: Option<SalesforceId>,
    #[serde(rename = "Contract__c")]
    pub contract: Option<SalesforceId>,
    #[serde(rename = "Case__c")]
    pub case: Option<SalesforceId>,
    #[serde(rename = "Incurred_On__c")]
    pub incurred_on: Date,
    #[serde(rename = "Cost__c")]
    pub cost: serde_json::Number,
    #[serde(rename = "Currency__c")]
    pub currency: String,
    #[serde(rename = "Description__c")]
    pub description: Option<String>,
    #[serde(rename = "Person__c")]
    pub person: Option<String>,
    #[serde(rename = "Billable__c")]
    pub billable: bool,
    #[serde(rename = "IsDeleted")]
    pub is_deleted: bool,
    #[serde(rename = "SystemModstamp", deserialize_with = "moment")]
    pub system_modstamp: Timestamp,
}

record!(
    ExpenseRecord,
    Object::Expense,
    [
        "Id",
        "Account__c",
        "Contract__c",
        "Case__c",
        "Incurred_On__c",
        "Cost__c",
        "Currency__c",
        "Description__c",
        "Person__c",
        "Billable__c",
        "IsDeleted",
        "SystemModstamp",
    ]
);

impl ExpenseRecord {
    /// The expense of `account`, for a case and with a contract of it if there are any, as this version.
    ///
    /// # Errors
    /// [`Unusable`] if the cost is no amount of the currency.
    pub fn outlay(
        &self,
        account: AccountId,
        case: Option<CaseId>,
        contract: Option<ContractId>,
        version: u64,
    ) -> Result<Outlay, Unusable> {
        let currency = currency_of(self.id, &self.currency)?;
        let cost = decimal(&self.cost).and_then(|cost| Money::exact(cost, currency).ok());
        Ok(Outlay {
            account,
            contract,
            paid: Expense {
                salesforce_id: self.id,
                case,
                incurred_on: self.incurred_on,
                description: self.description.clone().unwrap_or_default(),
                person: self.person.clone().unwrap_or_default(),
                cost: cost.ok_or_else(|| Wrong::Number.in_field(self.id, "Cost__c"))?,
            },
            billable: self.billable,
            deleted: self.is_deleted,
            modstamp: self.system_modstamp,
            version,
        })
    }
}
