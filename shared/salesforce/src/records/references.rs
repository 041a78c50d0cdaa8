//! What the portal itself wrote into Salesforce, read back: files and invoices are the portal's own.

use portico_domain::{Money, SalesforceId, billing::Invoice, files::File};
use serde::Deserialize;

use super::{Object, Record, decimal, record};

/// `Portal_File__c`.
#[derive(Debug, Clone, Deserialize)]
#[expect(missing_docs, reason = "named after the Salesforce fields")]
pub struct FileRecord {
    #[serde(rename = "Id")]
    pub id: SalesforceId,
    #[serde(rename = "Storage_Key__c")]
    pub key: Option<String>,
    #[serde(rename = "Size__c")]
    pub size: Option<serde_json::Number>,
    #[serde(rename = "Sha256__c")]
    pub sha256: Option<String>,
    #[serde(rename = "IsDeleted")]
    pub is_deleted: bool,
}

record!(FileRecord, Object::File, ["Id", "Storage_Key__c", "Size__c", "Sha256__c", "IsDeleted"]);

impl FileRecord {
    /// Whether it still leads to this very file.
    pub fn refers_to(&self, file: &File) -> bool {
        self.key.as_deref() == Some(&file.key().to_string())
            && self.size.as_ref().and_then(decimal) == Some(file.declared.size.into())
            && self.sha256.as_deref() == Some(file.declared.sha256.as_str())
    }
}

/// `Portal_Invoice__c`.
#[derive(Debug, Clone, Deserialize)]
#[expect(missing_docs, reason = "named after the Salesforce fields")]
pub struct InvoiceRecord {
    #[serde(rename = "Id")]
    pub id: SalesforceId,
    #[serde(rename = "Number__c")]
    pub number: Option<String>,
    #[serde(rename = "Currency__c")]
    pub currency: Option<String>,
    #[serde(rename = "Net__c")]
    pub net: Option<serde_json::Number>,
    #[serde(rename = "Tax__c")]
    pub tax: Option<serde_json::Number>,
    #[serde(rename = "Gross__c")]
    pub gross: Option<serde_json::Number>,
    #[serde(rename = "IsDeleted")]
    pub is_deleted: bool,
}

record!(
    InvoiceRecord,
    Object::Invoice,
    ["Id", "Number__c", "Currency__c", "Net__c", "Tax__c", "Gross__c", "IsDeleted"]
);

impl InvoiceRecord {
    /// Whether it still says what this invoice says.
    pub fn says(&self, invoice: &Invoice) -> bool {
        let is = |number: &Option<serde_json::Number>, money: Money| {
            number.as_ref().and_then(decimal) == Some(money.to_decimal())
        };
        self.number.as_deref() == Some(invoice.number.as_str())
            && self.currency.as_deref() == Some(invoice.currency.code())
            && is(&self.net, invoice.net)
            && is(&self.tax, invoice.tax)
            && is(&self.gross, invoice.gross)
    }
}
