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
    #[serde(rename = "State__c")]
    pub state: Option<String>,
    #[serde(rename = "Version__c")]
    pub version: Option<serde_json::Number>,
    #[serde(rename = "IsDeleted")]
    pub is_deleted: bool,
}

record!(
    FileRecord,
    Object::File,
    ["Id", "Storage_Key__c", "Size__c", "Sha256__c", "State__c", "Version__c", "IsDeleted"]
);

impl FileRecord {
    /// Whether it still leads to this very file, and says of it what holds now.
    pub fn refers_to(&self, file: &File) -> bool {
        let is = |number: &Option<serde_json::Number>, expected: u64| {
            number.as_ref().and_then(decimal) == Some(expected.into())
        };
        self.key.as_deref() == Some(&file.key().to_string())
            && is(&self.size, file.declared.size)
            && self.sha256.as_deref() == Some(file.declared.sha256.as_str())
            && self.state.as_deref() == Some(state_of(file))
            && is(&self.version, file.revision.into())
    }
}

/// What agents are told of a version of a file. One that is on its way is none that they hear of.
pub(crate) fn state_of(file: &File) -> &'static str {
    if file.deleted.is_some() || file.erasure.is_some() {
        "Deleted"
    } else if file.superseded_by.is_some() {
        "Superseded"
    } else {
        "Available"
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
