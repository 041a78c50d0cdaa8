//! What the portal writes into Salesforce: cases, references to files, invoices.

use jiff::Timestamp;
use portico_domain::{
    EntryId, FileId, SalesforceId,
    billing::{Invoice, InvoiceState},
    cases::{Case, Closing, ClosingReason, Held},
    files::File,
    people::Account,
};
use serde::{Deserialize, Serialize};
use serde_json::{json, value::RawValue};
use url::Url;

use crate::{
    Salesforce, SalesforceError, Soql,
    client::{TOGETHER_MAX, moment},
    records::state_of,
};

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
    #[serde(rename = "Type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'a str>,
    #[serde(rename = "Portal_Contract__c", skip_serializing_if = "Option::is_none")]
    contract: Option<SalesforceId>,
}

/// What a client changed on a case. Only what is held is written; the rest is the agents'.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct AmendedFields<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'a str>,
    #[serde(rename = "Portal_Solved_By_Client__c", skip_serializing_if = "Option::is_none")]
    solved_by_client: Option<bool>,
}

#[derive(Serialize)]
struct FileFields<'a> {
    attributes: Attributes,
    #[serde(rename = "Portal_File_Id__c")]
    id: String,
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
    #[serde(rename = "Version__c")]
    version: u32,
    /// Written even where there is none: there may have been one.
    #[serde(rename = "Category__c")]
    category: Option<&'a str>,
    #[serde(rename = "Uploader__c")]
    uploader: &'a str,
    #[serde(rename = "Portal_Link__c")]
    link: String,
}

/// Says of a record of sObject Collections what it is.
#[derive(Serialize)]
struct Attributes {
    #[serde(rename = "type")]
    object: &'static str,
}

#[derive(Serialize)]
struct InvoiceFields<'a> {
    #[serde(rename = "Number__c")]
    number: &'a str,
    #[serde(rename = "Account__c")]
    account: SalesforceId,
    #[serde(rename = "Case__c")]
    case: Option<SalesforceId>,
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
    #[serde(rename = "Held__c")]
    held: Box<RawValue>,
    #[serde(rename = "Disputes_Open__c")]
    disputes_open: u16,
}

/// How far an invoice is settled. Whether it is overdue depends on the day, and is for a formula field to say.
fn state(invoice: &Invoice) -> &'static str {
    match invoice.state(invoice.due_on) {
        InvoiceState::Open | InvoiceState::Overdue => "Issued",
        InvoiceState::PartlyPaid => "Partly paid",
        InvoiceState::Paid => "Paid",
        InvoiceState::Void => "Void",
    }
}

/// The references to files, and their external id: holds the portal's file id, unique in the org.
const FILES: &str = "Portal_File__c";
const FILE_EXTERNAL_ID: &str = "Portal_File_Id__c";

/// Most bytes of `CaseComment.CommentBody`. Longer text is not even sent: nobody may find half of what was said.
const COMMENT_BYTES_MAX: usize = 4_000;
/// Most characters of a `Name` field in Salesforce.
const NAME_MAX: usize = 80;

impl<'a> FileFields<'a> {
    fn new(file: &'a File, case: SalesforceId, portal: &Url) -> Self {
        Self {
            attributes: Attributes { object: FILES },
            id: file.id.to_string(),
            case,
            name: file.declared.name.safe().chars().take(NAME_MAX).collect(),
            key: file.key().to_string(),
            size: file.declared.size,
            sha256: file.declared.sha256.as_str(),
            state: state_of(file),
            version: file.revision,
            category: file.category.as_ref().map(|category| category.as_str()),
            uploader: &file.author.name,
            link: link(portal, file),
        }
    }
}

/// Where an agent opens a file in the portal.
fn link(portal: &Url, file: &File) -> String {
    let mut link = portal.clone();
    link.set_path(&format!("/files/{}", file.id));
    link.set_query(Some(&format!("account={}", file.account)));
    link.into()
}

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
            kind: case.kind.as_deref(),
            contract: case.contract.as_ref().map(|contract| contract.salesforce_id),
        };
        self.upsert("Case", CASE_EXTERNAL_ID, &case.id.to_string(), &fields).await?;
        // The number is an autonumber and not in the upsert's answer.
        self.find_case(case).await?.ok_or_else(|| {
            SalesforceError::Unavailable("the case that was just written cannot be read yet".to_owned())
        })
    }

    /// Writes what a client changed on a case and Salesforce does not have yet. Safe to repeat. Returns the record's
    /// `SystemModstamp` from then on: what is read at or after it has the change in it.
    ///
    /// # Errors
    /// [`SalesforceError`].
    pub async fn amend_case(
        &self,
        case: &Case,
        held: &Held,
        id: SalesforceId,
    ) -> Result<Timestamp, SalesforceError> {
        #[derive(Deserialize)]
        struct Written {
            #[serde(rename = "SystemModstamp", deserialize_with = "moment")]
            modstamp: Timestamp,
        }
        let solved = |closing: &Closing| closing.reason == ClosingReason::Solved;
        let fields = AmendedFields {
            subject: held.words.then_some(&case.subject),
            description: held.words.then_some(&case.description),
            status: held.status.then_some(&case.status.label),
            solved_by_client: held.status.then(|| case.closing.as_ref().is_some_and(solved)),
        };
        self.update("Case", id, &fields).await?;
        let soql = Soql::by_ids("Case", &["SystemModstamp"], "Id", &[id]);
        let written: Vec<Written> = self.query_all(&soql).await?;
        let written = written.into_iter().next().map(|record| record.modstamp);
        written.ok_or_else(|| {
            SalesforceError::Unavailable("the case that was just written cannot be read".to_owned())
        })
    }

    /// Says on a case what a client said in the portal, once: the comment is created together with a record that
    /// holds the portal's id of it, which the org holds unique, so a repetition creates neither. Comments have no
    /// external id of their own. Returns the comment; `None` if it was there already.
    ///
    /// # Errors
    /// [`SalesforceError`].
    pub async fn say(
        &self,
        entry: EntryId,
        text: &str,
        case: SalesforceId,
    ) -> Result<Option<SalesforceId>, SalesforceError> {
        if text.len() > COMMENT_BYTES_MAX {
            return Err(SalesforceError::Refused {
                code: "STRING_TOO_LONG".to_owned(),
                message: format!("a comment has at most {COMMENT_BYTES_MAX} bytes"),
            });
        }
        let comment = json!({
            "attributes": { "type": "CaseComment" },
            "ParentId": case,
            "CommentBody": text,
            "IsPublished": true,
        });
        let mark = json!({
            "attributes": { "type": "Portal_Comment__c" },
            "Portal_Comment_Id__c": entry,
            "Case__c": case,
        });
        match self.create_together(&[comment, mark]).await {
            Ok(ids) => Ok(ids.first().copied()),
            Err(SalesforceError::Refused { code, .. }) if code == "DUPLICATE_VALUE" => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Shows versions of files on their case, each as it stands: a reference, never the content. The link leads to the
    /// portal, which asks who is there; it opens nothing by itself. Safe to repeat. Returns the references, in order.
    ///
    /// # Errors
    /// [`SalesforceError`]; what stands in the way of one file stands in the way of all.
    pub async fn refer_to_files(
        &self,
        files: &[File],
        case: SalesforceId,
        portal: &Url,
    ) -> Result<Vec<SalesforceId>, SalesforceError> {
        let mut references = Vec::with_capacity(files.len());
        for files in files.chunks(TOGETHER_MAX) {
            let fields: Vec<FileFields<'_>> =
                files.iter().map(|file| FileFields::new(file, case, portal)).collect();
            references.extend(self.upsert_together(FILES, FILE_EXTERNAL_ID, &fields).await?);
        }
        Ok(references)
    }

    /// Takes the reference to a file away, if there is one. Safe to repeat.
    ///
    /// # Errors
    /// [`SalesforceError`].
    pub async fn forget_file(&self, file: FileId) -> Result<(), SalesforceError> {
        self.delete(FILES, FILE_EXTERNAL_ID, &file.to_string()).await
    }

    /// Shows an invoice on its account and, if it bills one, on its case.
    ///
    /// # Errors
    /// [`SalesforceError`].
    pub async fn record_invoice(
        &self,
        invoice: &Invoice,
        account: &Account,
        case: Option<SalesforceId>,
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
            state: state(invoice),
            held: number(invoice.settlement.held)?,
            disputes_open: invoice.disputed.open,
        };
        let id = invoice.id.to_string();
        Ok(self.upsert("Portal_Invoice__c", "Portal_Invoice_Id__c", &id, &fields).await?.id)
    }
}
