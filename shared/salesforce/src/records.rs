//! The field map: which Salesforce object and field becomes what in the portal.

mod agreements;
mod cases;
mod choices;
mod expenses;
mod people;
mod references;

use portico_domain::{Currency, SalesforceId};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

pub use agreements::{
    BlockRecord, ContractRecord, ContractRecords, DiscountRecord, MilestoneRecord, PaperRecords, RateRecord,
};
pub use cases::{CaseCommentRecord, CaseRecord, TimeEntryRecord};
pub use choices::{Choice, Picklist, picklists};
pub use expenses::ExpenseRecord;
pub use people::{AccountRecord, ContactRecord};
pub(crate) use references::state_of;
pub use references::{FileRecord, InvoiceRecord};

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
    /// A line of a contract's rate card.
    #[serde(rename = "Portal_Rate__c")]
    Rate,
    /// Something to be delivered for a fixed fee.
    #[serde(rename = "Milestone__c")]
    Milestone,
    /// Hours that were bought at once.
    #[serde(rename = "Portal_Block__c")]
    Block,
    /// A discount of a contract.
    #[serde(rename = "Portal_Discount__c")]
    Discount,
    /// Something that was paid for a client.
    #[serde(rename = "Portal_Expense__c")]
    Expense,
    /// The portal's own reference to a file.
    #[serde(rename = "Portal_File__c")]
    File,
    /// The portal's own record of an invoice.
    #[serde(rename = "Portal_Invoice__c")]
    Invoice,
}

impl Object {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Account,
        Self::Contact,
        Self::Case,
        Self::CaseComment,
        Self::TimeEntry,
        Self::Contract,
        Self::Rate,
        Self::Milestone,
        Self::Block,
        Self::Discount,
        Self::Expense,
        Self::File,
        Self::Invoice,
    ];

    /// Its API name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Account => "Account",
            Self::Contact => "Contact",
            Self::Case => "Case",
            Self::CaseComment => "CaseComment",
            Self::TimeEntry => "Time_Entry__c",
            Self::Contract => "Portal_Contract__c",
            Self::Rate => "Portal_Rate__c",
            Self::Milestone => "Milestone__c",
            Self::Block => "Portal_Block__c",
            Self::Discount => "Portal_Discount__c",
            Self::Expense => "Portal_Expense__c",
            Self::File => "Portal_File__c",
            Self::Invoice => "Portal_Invoice__c",
        }
    }

    /// The object with this API name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|object| object.name() == name)
    }
}

/// Longest API name: 40 characters, `__c`, and a package's name space of 15 with two underscores before it.
const API_NAME_MAX: usize = 64;

/// Whether a text can be the API name of an object. What is not is never repeated, in no answer and no log.
pub fn is_api_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    !text.is_empty() && text.len() <= API_NAME_MAX && text.bytes().all(plain)
}

/// Most records of one [`MayHaveChanged`]: as many as one query of the sync names, and some 10 KB of the 256 KB of a
/// queue's message.
pub const RECORDS_MAX: usize = 200;

/// "These records may have changed": what the webhook, the sweep and every backfill hand to the sync. It
/// carries no content on purpose; the content is read from Salesforce.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MayHaveChanged {
    /// Which; at most [`RECORDS_MAX`].
    pub records: Vec<RecordRef>,
}

impl MayHaveChanged {
    /// One record may have changed.
    pub fn one(object: Object, id: SalesforceId) -> Self {
        Self { records: vec![RecordRef { object, id }] }
    }

    /// Any number of records, each once, in as few messages as hold them.
    pub fn all(mut records: Vec<RecordRef>) -> Vec<Self> {
        records.sort_unstable();
        records.dedup();
        records.chunks(RECORDS_MAX).map(|records| Self { records: records.to_vec() }).collect()
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
    /// Whether it is in the recycle bin.
    fn is_deleted(&self) -> bool;
}

macro_rules! record {
    ($name:ident, $object:expr, [$($field:literal),+ $(,)?]) => {
        impl Record for $name {
            const OBJECT: Object = $object;
            const FIELDS: &'static [&'static str] = &[$($field),+];
            fn id(&self) -> SalesforceId {
                self.id
            }
            fn is_deleted(&self) -> bool {
                self.is_deleted
            }
        }
    };
}
use record;

/// A row that the portal cannot take over as it is. It says which record somebody has to put right, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} of {record} {why}")]
pub struct Unusable {
    /// The record.
    pub record: SalesforceId,
    /// The field, by API name.
    pub field: &'static str,
    /// What is wrong with it.
    pub why: Wrong,
}

/// What is wrong with a field. It goes on after the field's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// The currency is not one that the portal bills in.
    #[error("names the unknown currency {0}")]
    Currency(String),
    /// A number is not what the field is for.
    #[error("is out of range")]
    Number,
    /// It is not one of the values that the portal knows.
    #[error("has the value {0}, which the portal does not know")]
    Choice(String),
    /// Nothing is filled in.
    #[error("is empty")]
    Missing,
    /// More rates, milestones, blocks, discounts or amendments than the portal takes over.
    #[error("is named by more records than the portal takes over")]
    TooMany,
    /// Contracts amend each other, or one after the other without end.
    #[error("does not lead to a contract that amends no other")]
    Endless,
    /// What it names belongs to another account.
    #[error("names what belongs to another account")]
    OtherAccount,
}

impl Wrong {
    /// In a field of a record.
    pub fn in_field(self, record: SalesforceId, field: &'static str) -> Unusable {
        Unusable { record, field, why: self }
    }
}

/// Most characters of a refused value that are repeated.
const SHOWN_MAX: usize = 40;

fn shown(text: &str) -> String {
    text.chars().take(SHOWN_MAX).collect()
}

/// A currency that the portal bills in.
fn currency_of(record: SalesforceId, code: &str) -> Result<Currency, Unusable> {
    code.parse().map_err(|_| Wrong::Currency(shown(code)).in_field(record, "Currency__c"))
}

/// A number, if there is one.
fn number(
    record: SalesforceId,
    field: &'static str,
    number: Option<&serde_json::Number>,
) -> Result<Option<Decimal>, Unusable> {
    number.map(|number| decimal(number).ok_or_else(|| Wrong::Number.in_field(record, field))).transpose()
}

/// A text that says something.
fn said(text: Option<&String>) -> Option<String> {
    text.filter(|text| !text.trim().is_empty()).cloned()
}

/// What a record refers to, by its name alone.
#[derive(Debug, Clone, Deserialize)]
pub struct Named {
    /// `Name`.
    #[serde(rename = "Name")]
    pub name: String,
}

/// JSON numbers reach the rules as decimals, by their text: never through a float.
fn decimal(number: &serde_json::Number) -> Option<Decimal> {
    let text = number.to_string();
    text.parse().ok().or_else(|| Decimal::from_scientific(&text).ok()).map(|value: Decimal| value.normalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_number_of_records_goes_into_few_messages() {
        let record =
            |place: usize| RecordRef { object: Object::Case, id: format!("500{place:012}").parse().unwrap() };
        let twice = (0..450).chain(0..450).rev().map(record).collect();
        let messages = MayHaveChanged::all(twice);
        assert_eq!(messages.iter().map(|message| message.records.len()).collect::<Vec<_>>(), [200, 200, 50]);
        let all: Vec<RecordRef> = messages.into_iter().flat_map(|message| message.records).collect();
        assert_eq!(all, (0..450).map(record).collect::<Vec<_>>());
        assert_eq!(MayHaveChanged::all(Vec::new()), []);
    }
}
