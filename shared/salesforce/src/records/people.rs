//! Client companies and their people.

use jiff::Timestamp;
use portico_domain::{SalesforceId, people::InvoiceReaders};
use serde::Deserialize;

use super::{Object, Record, record};
use crate::client::moment;

/// `Account`.
#[derive(Debug, Clone, Deserialize)]
#[expect(missing_docs, reason = "named after the Salesforce fields")]
#[serde(rename_all = "PascalCase")]
pub struct AccountRecord {
    pub id: SalesforceId,
    pub name: String,
    pub billing_street: Option<String>,
    pub billing_city: Option<String>,
    pub billing_postal_code: Option<String>,
    pub billing_country: Option<String>,
    #[serde(rename = "Portal_Account_Id__c")]
    pub portal_id: Option<String>,
    #[serde(rename = "Portal_Members_See_Invoices__c")]
    pub members_see_invoices: bool,
    pub is_deleted: bool,
    #[serde(deserialize_with = "moment")]
    pub system_modstamp: Timestamp,
}

record!(
    AccountRecord,
    Object::Account,
    [
        "Id",
        "Name",
        "BillingStreet",
        "BillingCity",
        "BillingPostalCode",
        "BillingCountry",
        "Portal_Account_Id__c",
        "Portal_Members_See_Invoices__c",
        "IsDeleted",
        "SystemModstamp",
    ]
);

impl AccountRecord {
    /// Who of the company is shown its money.
    pub fn invoice_readers(&self) -> InvoiceReaders {
        if self.members_see_invoices { InvoiceReaders::Everybody } else { InvoiceReaders::ManagersAndBilling }
    }

    /// The postal address, line by line, as it goes on an invoice.
    pub fn address(&self) -> Vec<String> {
        let filled = |text: &Option<String>| text.clone().filter(|text| !text.trim().is_empty());
        let mut lines: Vec<String> = filled(&self.billing_street)
            .iter()
            .flat_map(|street| street.lines())
            .map(str::to_owned)
            .collect();
        let city: Vec<String> =
            [&self.billing_postal_code, &self.billing_city].into_iter().filter_map(filled).collect();
        lines.extend((!city.is_empty()).then(|| city.join(" ")));
        lines.extend(filled(&self.billing_country));
        lines
    }
}

/// `Contact`.
#[derive(Debug, Clone, Deserialize)]
#[expect(missing_docs, reason = "named after the Salesforce fields")]
#[serde(rename_all = "PascalCase")]
pub struct ContactRecord {
    pub id: SalesforceId,
    pub account_id: Option<SalesforceId>,
    pub master_record_id: Option<SalesforceId>,
    pub is_deleted: bool,
}

record!(ContactRecord, Object::Contact, ["Id", "AccountId", "MasterRecordId", "IsDeleted"]);
