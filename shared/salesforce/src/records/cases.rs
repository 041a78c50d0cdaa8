//! Cases and what hangs on them.

use jiff::{Timestamp, civil::Date};
use portico_domain::{
    CaseId, ContractId, EntryId, SalesforceId,
    billing::{Particulars, TimeEntry, WorkingHours},
    cases::{Reading, RelatedContract, Status},
};
use rust_decimal::Decimal;
use serde::Deserialize;

use super::{Named, Object, Record, Unusable, Wrong, decimal, record, said};
use crate::client::{maybe_moment, moment};

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
    #[serde(deserialize_with = "moment")]
    pub system_modstamp: Timestamp,
}

record!(
    CaseCommentRecord,
    Object::CaseComment,
    [
        "Id",
        "ParentId",
        "CommentBody",
        "IsPublished",
        "CreatedBy.Name",
        "CreatedDate",
        "IsDeleted",
        "SystemModstamp",
    ]
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
    #[serde(rename = "Role__c")]
    pub role: Option<String>,
    #[serde(rename = "Work_Type__c")]
    pub work_type: Option<String>,
    #[serde(rename = "Started_At__c", deserialize_with = "maybe_moment")]
    pub started_at: Option<Timestamp>,
    #[serde(rename = "Outside_Hours__c")]
    pub outside_hours: Option<bool>,
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
        "Role__c",
        "Work_Type__c",
        "Started_At__c",
        "Outside_Hours__c",
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
    /// [`Unusable`] if the minutes are not whole.
    pub fn entry(&self, case: CaseId, version: u64) -> Result<TimeEntry, Unusable> {
        let wrong = || Wrong::Number.in_field(self.id, "Minutes__c");
        let minutes = decimal(&self.minutes).filter(Decimal::is_integer).ok_or_else(wrong)?;
        // A start time says more than the person's own word.
        let after = self.outside_hours.unwrap_or_default().then_some(WorkingHours::After);
        Ok(TimeEntry {
            id: EntryId::of_salesforce(&self.id),
            salesforce_id: self.id,
            case,
            worked_on: self.work_date,
            minutes: i64::try_from(minutes).map_err(|_| wrong())?,
            description: self.description.clone().unwrap_or_default(),
            person: self.person.clone().unwrap_or_default(),
            particulars: Particulars {
                role: said(self.role.as_ref()),
                work_type: said(self.work_type.as_ref()),
                hours: self.started_at.map(WorkingHours::From).or(after),
            },
            billable: self.billable,
            deleted: self.is_deleted,
            created_at: self.created_date,
            modstamp: self.system_modstamp,
            version,
        })
    }
}
