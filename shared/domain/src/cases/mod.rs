//! Cases: raised in the portal or in Salesforce, worked on in Salesforce, shown in the portal.

mod list;
mod process;
mod reading;
mod timeline;
mod wishes;

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    AccountId, CaseId, ContractId, SalesforceId, UserId,
    people::{Audience, Viewer},
    text::{Line, Paragraphs},
};

pub use list::{CaseFilter, CaseSummary, Openness};
pub use process::{CaseField, CaseProcess, ProcessError};
pub use reading::{Confirmed, Observed, Reading};
pub use timeline::{
    Author, COMMENT_BYTES_MAX, CommentError, CommentText, FILES_MENTIONED_MAX, FileMention, Happening, Side,
    TimelineEntry,
};
pub use wishes::{Closing, ClosingReason, Held, WishError};

/// Most characters of a subject: what Salesforce's `Case.Subject` holds.
pub const SUBJECT_MAX: usize = 255;
/// Most characters of a description: what Salesforce's `Case.Description` holds.
pub const DESCRIPTION_MAX: usize = 32_000;
/// Most files that are declared together with a new case; more are added to it afterwards.
pub const FILES_WITH_CASE_MAX: usize = 10;
/// Most people who follow one case.
pub const FOLLOWERS_MAX: usize = 50;

/// What a case is about, in one line.
pub type Subject = Line<SUBJECT_MAX>;
/// What a case is about, in full.
pub type Description = Paragraphs<DESCRIPTION_MAX>;
/// What sort of request a case is, in the org's word (`Case.Type`).
pub type CaseType = Line<40>;

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
    /// All of them, the least urgent first.
    pub const ALL: [Self; 3] = [Self::Low, Self::Medium, Self::High];

    /// The picklist value in Salesforce.
    pub fn label(self) -> &'static str {
        match self {
            Self::Low => "Low",
            Self::Medium => "Medium",
            Self::High => "High",
        }
    }
}

/// The contract that a case is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelatedContract {
    /// The portal's id.
    pub id: ContractId,
    /// The `Portal_Contract__c` in Salesforce.
    pub salesforce_id: SalesforceId,
    /// Its name.
    pub name: String,
}

/// What a client asks for, checked and ready to become a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// In one line.
    pub subject: Subject,
    /// In full.
    pub description: Description,
    /// What sort of request it is.
    pub kind: Option<CaseType>,
    /// How urgent.
    pub priority: Priority,
    /// What it is about, of what is agreed with the account.
    pub contract: Option<RelatedContract>,
    /// Whom the agents turn to: a Contact of the same account.
    pub contact: Option<SalesforceId>,
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
    /// What sort of request it is, in the org's word.
    pub kind: Option<String>,
    /// How urgent, in the org's word.
    pub priority: String,
    /// The contract that it is about.
    pub contract: Option<RelatedContract>,
    /// When it was raised.
    pub created_at: Timestamp,
    /// When something that the client can see last happened.
    pub last_activity_at: Timestamp,
    /// When it was closed, if it is.
    pub closed_at: Option<Timestamp>,
    /// How a client closed it, if one did and it still is.
    pub closing: Option<Closing>,
    /// What a client changed and Salesforce has not confirmed yet.
    pub held: Option<Held>,
    /// Who of those who may see it wants to be told of it; at most [`FOLLOWERS_MAX`].
    #[serde(default)]
    pub followers: BTreeSet<UserId>,
    /// When the portal last knew what Salesforce says; absent until the first reading.
    pub confirmed: Option<Confirmed>,
    /// Since when it is gone from Salesforce: deleted, or moved to a company that is no client of the portal. It is
    /// kept, and nobody is shown it, until Salesforce has it again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdrawn: Option<Timestamp>,
    /// Whether its comments and hours have still to be fetched from Salesforce: it came back, or from another account.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub incomplete: bool,
    /// Counts the writes of this record, from 1; every write names the version that it replaces.
    pub version: u64,
}

impl Case {
    /// A client's draft becomes a case. `audience.contact` is the draft's, or the raiser's own.
    pub fn raise(
        id: CaseId,
        account: AccountId,
        draft: Draft,
        by: crate::people::Raiser,
        process: &CaseProcess,
        now: Timestamp,
    ) -> Self {
        let contact = draft.contact.or(by.contact);
        Self {
            id,
            account,
            followers: BTreeSet::from([by.user.clone()]),
            audience: Audience { raised_by: Some(by), contact },
            salesforce_id: None,
            number: None,
            subject: draft.subject.into(),
            description: draft.description.into(),
            status: process.new_case(),
            kind: draft.kind.map(String::from),
            priority: draft.priority.label().to_owned(),
            contract: draft.contract,
            created_at: now,
            last_activity_at: now,
            closed_at: None,
            closing: None,
            held: None,
            confirmed: None,
            withdrawn: None,
            incomplete: false,
            version: 1,
        }
    }

    /// Salesforce took the case and gave it a number, which is no activity on it. `None` if the portal knew already.
    pub fn numbered(&self, salesforce_id: SalesforceId, number: String) -> Option<Self> {
        if self.number.is_some() {
            return None;
        }
        Some(Self {
            salesforce_id: Some(salesforce_id),
            number: Some(number),
            version: self.version + 1,
            ..self.clone()
        })
    }

    /// Salesforce does not have the case any more, or not as this client's. `None` if the portal knew already.
    pub fn withdraw(&self, now: Timestamp) -> Option<Self> {
        if self.withdrawn.is_some() {
            return None;
        }
        Some(Self { withdrawn: Some(now), version: self.version + 1, ..self.clone() })
    }

    /// Its comments and hours are all here.
    pub fn completed(&self) -> Self {
        Self { incomplete: false, version: self.version + 1, ..self.clone() }
    }

    /// Whether this person of its account, or of the consultancy, is shown it.
    pub fn is_shown_to(&self, viewer: &Viewer) -> bool {
        self.withdrawn.is_none() && viewer.may_see(&self.audience)
    }

    /// Something happened on the case that its own fields do not hold: a file, a comment, hours.
    pub fn touched(&self, at: Timestamp) -> Self {
        Self { last_activity_at: self.last_activity_at.max(at), version: self.version + 1, ..self.clone() }
    }
}
