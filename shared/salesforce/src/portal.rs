//! What the portal writes into Salesforce: cases, references to files, invoices.

use portico_domain::{
    SalesforceId,
    billing::Invoice,
    cases::Case,
    files::File,
    people::{Account, Membership},
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{Salesforce, SalesforceError};

/// The external id of cases: holds the portal's case id, unique in the org.
const CASE_EXTERNAL_ID: &str = "Portal_Request_Id__c";

/// A case as Salesforce has taken it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct TakenCase {
    /// The Case.
    #[serde(rename = "Id")]
    pub id: SalesforceId,
    /// Its number.
    #[serde(rename = "CaseNumber")]
    pub number: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct CaseFields<'a> {
    subject: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    description: &'a str,
    priority: &'a str,
    status: &'a str,
    origin: &'static str,
    account_id: SalesforceId,
    #[serde(skip_serializing_if = "Option::is_none")]
    contact_id: Option<SalesforceId>,
}

#[derive(Serialize)]
struct FileFields<'a> {
    #[serde(rename = "Case__c")]
    case: SalesforceId,
    #[serde(rename = "Name")]
    name: String,
    #[serde(rename = "Storage_Key__c")]
    key: String,
    #[serde(rename = "Size__c")]
    size: u64,
    #[serde(rename = "Sha256__c")]
    sha256: &'a str,
    #[serde(rename = "State__c")]
    state: &'static str,
    #[serde(rename = "Uploader__c")]
    uploader: &'a str,
}

#[derive(Serialize)]
struct InvoiceFields<'a> {
    #[serde(rename = "Number__c")]
    number: &'a str,
    #[serde(rename = "Account__c")]
    account: SalesforceId,
    #[serde(rename = "Case__c")]
    case: SalesforceId,
    #[serde(rename = "Currency__c")]
    currency: &'a str,
    #[serde(rename = "Net__c")]
    net: Box<RawValue>,
    #[serde(rename = "Tax__c")]
    tax: Box<RawValue>,
    #[serde(rename = "Gross__c")]
    gross: Box<RawValue>,
    #[serde(rename = "Issued_On__c")]
    issued_on: String,
    #[serde(rename = "State__c")]
    state: &'static str,
}

/// Most characters of a `Name` field in Salesforce.
const NAME_MAX: usize = 80;

impl Salesforce {
    /// The case that the org already has under this portal id, if any.
    ///
    /// # Errors
    /// [`SalesforceError`].
    pub async fn find_case(&self, case: &Case) -> Result<Option<TakenCase>, SalesforceError> {
        self.by_external_id("Case", CASE_EXTERNAL_ID, &case.id.to_string(), &["Id", "CaseNumber"]).await
    }

    /// Hands a new case over and reads the number that it got. Safe to repeat: there is never a second case.
    /// A repetition after an agent has touched the case would overwrite the agent's words, so a caller that
    /// repeats looks with [`Salesforce::find_case`] first.
    ///
    /// # Errors
    /// [`SalesforceError`].
    pub async fn submit_case(&self, case: &Case, account: &Account) -> Result<TakenCase, SalesforceError> {
        let fields = CaseFields {
            subject: &case.subject,
            description: &case.description,
            priority: &case.priority,
            status: &case.status.label,
            origin: "Portal",
            account_id: account.salesforce_id,
            contact_id: case.audience.contact,
        };
        self.upsert("Case", CASE_EXTERNAL_ID, &case.id.to_string(), &fields).await?;
        // The number is an autonumber and not in the upsert's answer.
        self.find_case(case).await?.ok_or_else(|| {
            SalesforceError::Unavailable("the case that was just written cannot be read yet".to_owned())
        })
    }

    /// Shows a file on its case: a reference, never a link and never the content.
    ///
    /// # Errors
    /// [`SalesforceError`].
    pub async fn refer_to_file(
        &self,
        file: &File,
        case: SalesforceId,
        uploader: Option<&Membership>,
    ) -> Result<Option<SalesforceId>, SalesforceError> {
        let fields = FileFields {
            case,
            name: file.declared.name.as_str().chars().take(NAME_MAX).collect(),
            key: file.key().to_string(),
            size: file.declared.size,
            sha256: file.declared.sha256.as_str(),
            state: "Available",
            uploader: uploader.map_or("", |membership| &membership.name),
        };
        let id = file.id.to_string();
        Ok(self.upsert("Portal_File__c", "Portal_File_Id__c", &id, &fields).await?.id)
    }

    /// Shows an invoice on its case.
    ///
    /// # Errors
    /// [`SalesforceError`].
    pub async fn record_invoice(
        &self,
        invoice: &Invoice,
        account: &Account,
        case: SalesforceId,
    ) -> Result<Option<SalesforceId>, SalesforceError> {
        // Decimals go out as the digits that they are, never through a float.
        let number = |money: portico_domain::Money| {
            RawValue::from_string(money.to_decimal().to_string())
                .map_err(|error| SalesforceError::Unreadable(error.to_string()))
        };
        let fields = InvoiceFields {
            number: invoice.number.as_str(),
            account: account.salesforce_id,
            case,
            currency: invoice.currency.code(),
            net: number(invoice.net)?,
            tax: number(invoice.tax)?,
            gross: number(invoice.gross)?,
            issued_on: invoice.issued_on.to_string(),
            state: "Issued",
        };
        let id = invoice.id.to_string();
        Ok(self.upsert("Portal_Invoice__c", "Portal_Invoice_Id__c", &id, &fields).await?.id)
    }
}
