//! The field map: which Salesforce object and field becomes what in the portal.

mod agreements;
mod cases;
mod people;
mod references;

use portico_domain::SalesforceId;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

pub use agreements::{ContractRecord, MilestoneRecord, RateRecord};
pub use cases::{CaseCommentRecord, CaseRecord, TimeEntryRecord};
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
    /// The portal's own reference to a file.
    #[serde(rename = "Portal_File__c")]
    File,
    /// The portal's own record of an invoice.
    #[serde(rename = "Portal_Invoice__c")]
    Invoice,
}

impl Object {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Account,
        Self::Contact,
        Self::Case,
        Self::CaseComment,
        Self::TimeEntry,
        Self::Contract,
        Self::Rate,
        Self::Milestone,
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

/// A row that the portal cannot take over as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// The currency is not one that the portal bills in.
    #[error("unknown currency {0}")]
    Currency(String),
    /// A number is not what the field is for.
    #[error("{0} is out of range")]
    Number(&'static str),
    /// A contract with more rates or milestones than the portal takes over.
    #[error("more rates or milestones than a contract may have")]
    TooManyParts,
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
