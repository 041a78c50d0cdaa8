//! The field map: which Salesforce object and field becomes what in the portal.

use jiff::{Timestamp, civil::Date};
use portico_domain::{
    AccountId, CaseId, ContractId, Currency, EntryId, SalesforceId,
    billing::TimeEntry,
    cases::{Reading, RelatedContract, Status},
    contracts::Contract,
};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::client::{maybe_moment, moment};

/// The objects that the portal takes over. An outbound message about any other is not for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Object {
    /// A client company.
    Account,
    /// A person of one.
    Contact,
    /// A case.
    Case,
    /// A comment on a case.
    CaseComment,
    /// Hours worked on a case.
    #[serde(rename = "Time_Entry__c")]
    TimeEntry,
    /// A contract.
    #[serde(rename = "Portal_Contract__c")]
    Contract,
}

impl Object {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Account, Self::Contact, Self::Case, Self::CaseComment, Self::TimeEntry, Self::Contract];

    /// Its API name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Account => "Account",
            Self::Contact => "Contact",
            Self::Case => "Case",
            Self::CaseComment => "CaseComment",
            Self::TimeEntry => "Time_Entry__c",
            Self::Contract => "Portal_Contract__c",
        }
    }

    /// The object with this API name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|object| object.name() == name)
    }
}

/// "These records may have changed": what the webhook, the sweep and every backfill hand to the sync. It
/// carries no content on purpose; the content is read from Salesforce.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MayHaveChanged {
    /// Which; at most a few hundred, so that a message stays far below a queue's limit.
    pub records: Vec<RecordRef>,
}

impl MayHaveChanged {
    /// One record may have changed.
    pub fn one(object: Object, id: SalesforceId) -> Self {
        Self { records: vec![RecordRef { object, id }] }
    }
}

/// One Salesforce record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RecordRef {
    /// Its object.
    pub object: Object,
    /// Its id.
    pub id: SalesforceId,
}

/// A record that can be queried: its object, and the fields that the portal reads.
pub trait Record: for<'de> Deserialize<'de> {
    /// The object.
    const OBJECT: Object;
    /// The fields, by API name.
    const FIELDS: &'static [&'static str];
    /// The record's id.
    fn id(&self) -> SalesforceId;
}

macro_rules! record {
    ($name:ident, $object:expr, [$($field:literal),+ $(,)?]) => {
        impl Record for $name {
            const OBJECT: Object = $object;
            const FIELDS: &'static [&'static str] = &[$($field),+];
            fn id(&self) -> SalesforceId {
                self.id
            }
        }
    };
}

/// A row that the portal cannot take over as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// The currency is not one that the portal bills in.
    #[error("unknown currency {0}")]
    Currency(String),
    /// A number is not what the field is for.
    #[error("{0} is out of range")]
    Number(&'static str),
}

/// What a record refers to, by its name alone.
#[derive(Debug, Clone, Deserialize)]
pub struct Named {
    /// `Name`.
    #[serde(rename = "Name")]
    pub name: String,
}

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
        "IsDeleted",
        "SystemModstamp",
    ]
);

impl AccountRecord {
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

/// `Case`.
#[derive(Debug, Clone, Deserialize)]
#[expect(missing_docs, reason = "named after the Salesforce fields")]
#[serde(rename_all = "PascalCase")]
pub struct CaseRecord {
    pub id: SalesforceId,
    pub case_number: String,
    pub account_id: Option<SalesforceId>,
    pub contact_id: Option<SalesforceId>,
    pub subject: Option<String>,
    pub description: Option<String>,
    pub status: String,
    pub is_closed: bool,
    #[serde(rename = "Type")]
    pub kind: Option<String>,
    pub priority: Option<String>,
    #[serde(rename = "Portal_Contract__c")]
    pub contract: Option<SalesforceId>,
    #[serde(rename = "Portal_Contract__r")]
    pub contract_name: Option<Named>,
    #[serde(deserialize_with = "moment")]
    pub created_date: Timestamp,
    #[serde(deserialize_with = "maybe_moment")]
    pub closed_date: Option<Timestamp>,
    #[serde(rename = "Portal_Request_Id__c")]
    pub portal_request: Option<String>,
    pub is_deleted: bool,
    #[serde(deserialize_with = "moment")]
    pub system_modstamp: Timestamp,
}

record!(
    CaseRecord,
    Object::Case,
    [
        "Id",
        "CaseNumber",
        "AccountId",
        "ContactId",
        "Subject",
        "Description",
        "Status",
        "IsClosed",
        "Type",
        "Priority",
        "Portal_Contract__c",
        "Portal_Contract__r.Name",
        "CreatedDate",
        "ClosedDate",
        "Portal_Request_Id__c",
        "IsDeleted",
        "SystemModstamp",
    ]
);

impl CaseRecord {
    /// The portal's id of the case: the one that the portal gave it, or the one that its Salesforce id gives.
    pub fn case_id(&self) -> CaseId {
        let given = self.portal_request.as_deref().and_then(|text| text.parse().ok());
        given.unwrap_or_else(|| CaseId::of_salesforce(&self.id))
    }
}

impl From<CaseRecord> for Reading {
    fn from(record: CaseRecord) -> Self {
        Self {
            salesforce_id: record.id,
            number: record.case_number,
            contact: record.contact_id,
            subject: record.subject.unwrap_or_default(),
            description: record.description.unwrap_or_default(),
            status: Status { label: record.status, closed: record.is_closed },
            kind: record.kind,
            priority: record.priority.unwrap_or_default(),
            contract: record.contract.map(|id| RelatedContract {
                id: ContractId::of_salesforce(&id),
                salesforce_id: id,
                name: record.contract_name.map(|named| named.name).unwrap_or_default(),
            }),
            created_at: record.created_date,
            closed_at: record.closed_date,
            modstamp: record.system_modstamp,
        }
    }
}

/// `CaseComment`.
#[derive(Debug, Clone, Deserialize)]
#[expect(missing_docs, reason = "named after the Salesforce fields")]
#[serde(rename_all = "PascalCase")]
pub struct CaseCommentRecord {
    pub id: SalesforceId,
    pub parent_id: SalesforceId,
    pub comment_body: Option<String>,
    pub is_published: bool,
    pub created_by: Option<Named>,
    #[serde(deserialize_with = "moment")]
    pub created_date: Timestamp,
    pub is_deleted: bool,
}

record!(
    CaseCommentRecord,
    Object::CaseComment,
    ["Id", "ParentId", "CommentBody", "IsPublished", "CreatedBy.Name", "CreatedDate", "IsDeleted",]
);

/// `Time_Entry__c`.
#[derive(Debug, Clone, Deserialize)]
#[expect(missing_docs, reason = "named after the Salesforce fields")]
pub struct TimeEntryRecord {
    #[serde(rename = "Id")]
    pub id: SalesforceId,
    #[serde(rename = "Case__c")]
    pub case: Option<SalesforceId>,
    #[serde(rename = "Work_Date__c")]
    pub work_date: Date,
    #[serde(rename = "Minutes__c")]
    pub minutes: serde_json::Number,
    #[serde(rename = "Description__c")]
    pub description: Option<String>,
    #[serde(rename = "Person__c")]
    pub person: Option<String>,
    #[serde(rename = "Billable__c")]
    pub billable: bool,
    #[serde(rename = "CreatedDate", deserialize_with = "moment")]
    pub created_date: Timestamp,
    #[serde(rename = "IsDeleted")]
    pub is_deleted: bool,
    #[serde(rename = "SystemModstamp", deserialize_with = "moment")]
    pub system_modstamp: Timestamp,
}

record!(
    TimeEntryRecord,
    Object::TimeEntry,
    [
        "Id",
        "Case__c",
        "Work_Date__c",
        "Minutes__c",
        "Description__c",
        "Person__c",
        "Billable__c",
        "CreatedDate",
        "IsDeleted",
        "SystemModstamp",
    ]
);

impl TimeEntryRecord {
    /// The time entry of `case`, as the version that follows `version`.
    ///
    /// # Errors
    /// [`Unusable::Number`] if the minutes are not whole.
    pub fn entry(&self, case: CaseId, version: u64) -> Result<TimeEntry, Unusable> {
        let minutes =
            decimal(&self.minutes).filter(Decimal::is_integer).ok_or(Unusable::Number("Minutes__c"))?;
        Ok(TimeEntry {
            id: EntryId::of_salesforce(&self.id),
            salesforce_id: self.id,
            case,
            worked_on: self.work_date,
            minutes: i64::try_from(minutes).map_err(|_| Unusable::Number("Minutes__c"))?,
            description: self.description.clone().unwrap_or_default(),
            person: self.person.clone().unwrap_or_default(),
            billable: self.billable,
            deleted: self.is_deleted,
            created_at: self.created_date,
            modstamp: self.system_modstamp,
            version,
        })
    }
}

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
    /// The contract of `account`, as the version that follows `version`.
    ///
    /// # Errors
    /// [`Unusable`] if the currency or a number is not one that can be billed by.
    pub fn contract(&self, account: AccountId, version: u64) -> Result<Contract, Unusable> {
        let positive = |number: &serde_json::Number, field| {
            decimal(number).filter(|value| !value.is_sign_negative()).ok_or(Unusable::Number(field))
        };
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
            modstamp: self.system_modstamp,
            version,
        })
    }
}

/// JSON numbers reach the rules as decimals, by their text: never through a float.
fn decimal(number: &serde_json::Number) -> Option<Decimal> {
    let text = number.to_string();
    text.parse().ok().or_else(|| Decimal::from_scientific(&text).ok()).map(|value: Decimal| value.normalize())
}
