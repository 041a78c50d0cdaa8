//! Cases: raised in the portal or in Salesforce, worked on in Salesforce, shown in the portal.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    AccountId, CaseId, EntryId, FileId, InvoiceId, Random, SalesforceId, UserId,
    people::Audience,
    text::{Line, Paragraphs},
};

/// Most characters of a subject: what Salesforce's `Case.Subject` holds.
pub const SUBJECT_MAX: usize = 255;
/// Most characters of a description: what Salesforce's `Case.Description` holds.
pub const DESCRIPTION_MAX: usize = 32_000;

/// What a case is about, in one line.
pub type Subject = Line<SUBJECT_MAX>;
/// What a case is about, in full.
pub type Description = Paragraphs<DESCRIPTION_MAX>;

/// How urgent a client says a case is. The org's standard picklist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// Can wait.
    Low,
    /// The usual.
    #[default]
    Medium,
    /// Work stands still.
    High,
}

impl Priority {
    /// The picklist value in Salesforce.
    pub fn label(self) -> &'static str {
        match self {
            Self::Low => "Low",
            Self::Medium => "Medium",
            Self::High => "High",
        }
    }
}

/// What a client asks for, checked and ready to become a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// In one line.
    pub subject: Subject,
    /// In full.
    pub description: Description,
    /// How urgent.
    pub priority: Priority,
}

/// Where a case stands. Each org names its own statuses and says which of them mean "closed"; the portal
/// shows the org's word and never guesses from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The org's word.
    pub label: String,
    /// Whether that word means closed (`CaseStatus.IsClosed`).
    pub closed: bool,
}

/// When the portal last knew what Salesforce says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirmed {
    /// `SystemModstamp` of the record that was read; resolution 1 s.
    pub modstamp: Timestamp,
    /// When it was read.
    pub at: Timestamp,
}

/// A case as the portal keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    /// The portal's id; also the external id `Portal_Request_Id__c` in Salesforce.
    pub id: CaseId,
    /// Whose case it is.
    pub account: AccountId,
    /// Who of the account may see it.
    pub audience: Audience,
    /// The Case in Salesforce; absent until Salesforce has taken it.
    pub salesforce_id: Option<SalesforceId>,
    /// The number that people quote; given by Salesforce.
    pub number: Option<String>,
    /// In one line.
    pub subject: String,
    /// In full.
    pub description: String,
    /// Where it stands.
    pub status: Status,
    /// How urgent, in the org's word.
    pub priority: String,
    /// When it was raised.
    pub created_at: Timestamp,
    /// When something that the client can see last happened.
    pub last_activity_at: Timestamp,
    /// When it was closed, if it is.
    pub closed_at: Option<Timestamp>,
    /// When the portal last knew what Salesforce says; absent until the first reading.
    pub confirmed: Option<Confirmed>,
    /// Counts the writes of this record, from 1; every write names the version that it replaces.
    pub version: u64,
}

/// What Salesforce said about a case, in the portal's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// The Case in Salesforce.
    pub salesforce_id: SalesforceId,
    /// `CaseNumber`.
    pub number: String,
    /// `ContactId`.
    pub contact: Option<SalesforceId>,
    /// `Subject`.
    pub subject: String,
    /// `Description`.
    pub description: String,
    /// `Status` and `IsClosed`.
    pub status: Status,
    /// `Priority`.
    pub priority: String,
    /// `CreatedDate`.
    pub created_at: Timestamp,
    /// `ClosedDate`.
    pub closed_at: Option<Timestamp>,
    /// `SystemModstamp`.
    pub modstamp: Timestamp,
}

/// What a reading changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// The case as it is now; its version is one higher than before.
    pub case: Case,
    /// What to add to the timeline.
    pub happened: Vec<Happening>,
    /// Whether the case went from open to closed.
    pub newly_closed: bool,
}

/// The org's status for a new case, until Salesforce has said its own.
const NEW: &str = "New";

impl Case {
    /// A client's draft becomes a case.
    pub fn raise(
        id: CaseId,
        account: AccountId,
        draft: Draft,
        by: UserId,
        contact: Option<SalesforceId>,
        now: Timestamp,
    ) -> Self {
        Self {
            id,
            account,
            audience: Audience { raised_by: Some(by), contact },
            salesforce_id: None,
            number: None,
            subject: draft.subject.into(),
            description: draft.description.into(),
            status: Status { label: NEW.to_owned(), closed: false },
            priority: draft.priority.label().to_owned(),
            created_at: now,
            last_activity_at: now,
            closed_at: None,
            confirmed: None,
            version: 1,
        }
    }

    /// A case that staff raised in Salesforce appears in the portal.
    ///
    /// If it is closed by then, it does not count as newly closed: what was delivered before the portal knew of
    /// it was billed elsewhere, and taking over a client's history must not bill it again.
    pub fn discovered(id: CaseId, account: AccountId, reading: Reading, now: Timestamp) -> Observed {
        let case = Self {
            id,
            account,
            audience: Audience { raised_by: None, contact: reading.contact },
            salesforce_id: Some(reading.salesforce_id),
            number: Some(reading.number),
            subject: reading.subject,
            description: reading.description,
            status: reading.status,
            priority: reading.priority,
            created_at: reading.created_at,
            last_activity_at: reading.modstamp,
            closed_at: reading.closed_at,
            confirmed: Some(Confirmed { modstamp: reading.modstamp, at: now }),
            version: 1,
        };
        Observed { case, happened: vec![Happening::Submitted], newly_closed: false }
    }

    /// Takes over what Salesforce says, or `None` if that is nothing new.
    ///
    /// An older reading than the one that the case rests on never wins. At the same `SystemModstamp` (its
    /// resolution is one second) the content decides: the caller read Salesforce *after* it loaded this
    /// version, and writes on the condition that the version still stands, so the reading is the later one.
    pub fn observe(&self, reading: Reading, now: Timestamp) -> Option<Observed> {
        if self.confirmed.is_some_and(|confirmed| reading.modstamp < confirmed.modstamp) {
            return None;
        }
        let mut case = Self {
            salesforce_id: Some(reading.salesforce_id),
            number: Some(reading.number),
            subject: reading.subject,
            description: reading.description,
            status: reading.status,
            priority: reading.priority,
            closed_at: reading.closed_at,
            ..self.clone()
        };
        case.audience.contact = reading.contact;
        let unchanged = case == *self && self.confirmed.is_some_and(|c| c.modstamp == reading.modstamp);
        if unchanged {
            return None;
        }
        let newly_closed = case.status.closed && !self.status.closed;
        let mut happened = Vec::new();
        if self.number.is_none() {
            happened.push(Happening::Numbered { number: case.number.clone().unwrap_or_default() });
        }
        if case.status.label != self.status.label {
            happened.push(Happening::StatusChanged {
                from: self.status.label.clone(),
                to: case.status.label.clone(),
                closed: case.status.closed,
            });
        }
        if !happened.is_empty() || case.subject != self.subject || case.description != self.description {
            case.last_activity_at = self.last_activity_at.max(reading.modstamp);
        }
        case.confirmed = Some(Confirmed { modstamp: reading.modstamp, at: now });
        case.version += 1;
        Some(Observed { case, happened, newly_closed })
    }

    /// Salesforce took the case and gave it a number. `None` if the portal knew already.
    pub fn numbered(&self, salesforce_id: SalesforceId, number: String, now: Timestamp) -> Option<Self> {
        if self.number.is_some() {
            return None;
        }
        Some(Self {
            salesforce_id: Some(salesforce_id),
            number: Some(number),
            last_activity_at: self.last_activity_at.max(now),
            version: self.version + 1,
            ..self.clone()
        })
    }

    /// Something happened on the case that its own fields do not hold: a file, a comment, hours.
    pub fn touched(&self, at: Timestamp) -> Self {
        Self { last_activity_at: self.last_activity_at.max(at), version: self.version + 1, ..self.clone() }
    }
}

/// One thing that happened on a case and that its client may know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Happening {
    /// The case was raised.
    Submitted,
    /// Salesforce gave the case its number.
    Numbered {
        /// The number.
        number: String,
    },
    /// The agent moved the case on.
    StatusChanged {
        /// The org's word before.
        from: String,
        /// The org's word now.
        to: String,
        /// Whether that means closed.
        closed: bool,
    },
    /// Somebody said something in public.
    Commented {
        /// What was said.
        body: String,
    },
    /// A file was added and can be downloaded.
    FileAdded {
        /// Which.
        file: FileId,
        /// Under which name.
        name: String,
    },
    /// An invoice was issued for the case.
    Invoiced {
        /// Which.
        invoice: InvoiceId,
        /// Its number.
        number: String,
    },
}

/// One line of a case's timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimelineEntry {
    /// Unique within the case.
    pub id: EntryId,
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    #[serde(flatten)]
    pub happening: Happening,
}

impl TimelineEntry {
    /// A line about what happened just now.
    pub fn new(happening: Happening, now: Timestamp, random: &Random) -> Self {
        Self { id: EntryId::new(now, random), at: now, happening }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn reading(status: &str, closed: bool, modstamp: i64) -> Reading {
        Reading {
            salesforce_id: "500000000000001AAA".parse().unwrap(),
            number: "00001001".to_owned(),
            contact: None,
            subject: "Printer on fire".to_owned(),
            description: String::new(),
            status: Status { label: status.to_owned(), closed },
            priority: "Medium".to_owned(),
            created_at: at(0),
            closed_at: closed.then(|| at(modstamp)),
            modstamp: at(modstamp),
        }
    }

    fn case() -> Case {
        let id = CaseId::from_uuid(uuid::Uuid::from_u128(1));
        let account = AccountId::from_uuid(uuid::Uuid::from_u128(2));
        Case::discovered(id, account, reading("New", false, 10), at(11)).case
    }

    #[test]
    fn case_w08_an_older_reading_never_wins() {
        assert_eq!(case().observe(reading("Closed", true, 9), at(12)), None);
    }

    #[test]
    fn case_w09_the_same_reading_changes_nothing() {
        assert_eq!(case().observe(reading("New", false, 10), at(12)), None);
    }

    #[test]
    fn case_w10_at_the_same_modstamp_other_content_wins() {
        let observed = case().observe(reading("Working", false, 10), at(12)).unwrap();
        assert_eq!(observed.case.status.label, "Working");
        assert_eq!(observed.case.version, 2);
    }

    #[test]
    fn case_w11_a_modstamp_that_moves_alone_is_kept_but_is_no_activity() {
        let before = case();
        let observed = before.observe(reading("New", false, 20), at(21)).unwrap();
        assert_eq!(observed.case.confirmed, Some(Confirmed { modstamp: at(20), at: at(21) }));
        assert_eq!(observed.case.last_activity_at, before.last_activity_at);
        assert!(observed.happened.is_empty());
    }

    #[test]
    fn closing_is_noticed_once() {
        let closed = case().observe(reading("Resolved", true, 20), at(21)).unwrap();
        assert!(closed.newly_closed);
        assert_eq!(
            closed.happened,
            [Happening::StatusChanged { from: "New".to_owned(), to: "Resolved".to_owned(), closed: true }]
        );
        let other_word = closed.case.observe(reading("Closed", true, 30), at(31)).unwrap();
        assert!(!other_word.newly_closed);
    }
}
