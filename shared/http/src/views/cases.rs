//! Cases and their timelines, as clients see them.
//!
//! Which of the optional fields are shown is the consultancy's choice ([`CaseProcess::shown`]); what is not shown
//! is not in the answer at all.

use std::collections::BTreeSet;

use jiff::{Timestamp, civil::Date};
use portico_domain::FileId;
use portico_domain::cases::{
    Author, Case, CaseField, CaseProcess, CaseSummary, ClosingReason, FileMention, Happening,
    RelatedContract, Side, Status, TimelineEntry,
};
use portico_domain::people::Viewer;
use serde::Serialize;
use utoipa::ToSchema;

use super::{DisputeKindView, OutcomeView};
use crate::markdown;

/// A case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Case)]
pub struct CaseView {
    /// What lists show of it as well.
    #[serde(flatten)]
    pub summary: CaseSummaryView,
    /// In full.
    #[schema(max_length = 32000)]
    pub description: String,
    /// How a client closed it, if one did and it still is: `solved` or `no_longer_needed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "solved")]
    pub closed_as: Option<&'static str>,
    /// Whether the caller follows it.
    pub following: bool,
    /// Whether the caller may put it in other words: they raised it, and no agent has picked it up yet.
    pub editable: bool,
}

/// A case, as lists show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = CaseSummary)]
pub struct CaseSummaryView {
    /// The portal's id.
    #[schema(example = "case_01993b8e5c6a7d2f8b1e4a9c0d3f6e72", pattern = "^case_[0-9a-f]{32}$")]
    pub id: String,
    /// The number that people quote; null until Salesforce has taken the case.
    #[schema(example = "00001042")]
    pub number: Option<String>,
    /// In one line.
    #[schema(max_length = 255)]
    pub subject: String,
    /// Where it stands.
    pub status: StatusView,
    /// What sort of request it is, in the consultancy's word.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    #[schema(example = "Problem")]
    pub kind: Option<String>,
    /// How urgent, in the consultancy's word.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "High")]
    pub priority: Option<String>,
    /// The contract that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contract: Option<ContractReference>,
    /// Who raised it in the portal: a user id; null if staff did.
    pub raised_by: Option<String>,
    /// When it was raised.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When something visible last happened.
    #[schema(value_type = String, format = DateTime)]
    pub last_activity_at: Timestamp,
    /// When it was closed.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub closed_at: Option<Timestamp>,
    /// When the case was last known to be what Salesforce says: when the portal last read it there or, on lists and in
    /// `GET /cases/{caseId}`, up to when every change in Salesforce is known to be in the portal, if that is later. Null
    /// before the first reading.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub confirmed_at: Option<Timestamp>,
    /// Whether Salesforce has everything that was changed in the portal.
    pub in_step: bool,
    /// Grows with every change; a push names it.
    #[schema(minimum = 1)]
    pub version: u64,
}

/// Where a case stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Status)]
pub struct StatusView {
    /// The consultancy's word.
    #[schema(example = "Working")]
    pub label: String,
    /// Whether that word means closed.
    pub closed: bool,
}

/// The contract that a case is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ContractReference {
    /// Its id.
    #[schema(example = "ctr_01993b8e5c6a7d2f8b1e4a9c0d3f6e72", pattern = "^ctr_[0-9a-f]{32}$")]
    pub id: String,
    /// Its name.
    pub name: String,
}

impl From<&RelatedContract> for ContractReference {
    fn from(contract: &RelatedContract) -> Self {
        Self { id: contract.id.to_string(), name: contract.name.clone() }
    }
}

impl From<&Status> for StatusView {
    fn from(status: &Status) -> Self {
        Self { label: status.label.clone(), closed: status.closed }
    }
}

impl CaseSummaryView {
    /// What clients are shown of a case in a list.
    pub fn new(case: &CaseSummary, process: &CaseProcess) -> Self {
        let shown = |field| process.shows(field).then_some(());
        Self {
            id: case.case.to_string(),
            number: case.number.clone(),
            subject: case.subject.clone(),
            status: StatusView::from(&case.status),
            kind: shown(CaseField::Type).and(case.kind.clone()),
            priority: shown(CaseField::Priority).map(|()| case.priority.clone()),
            contract: shown(CaseField::Contract).and(case.contract.as_ref()).map(ContractReference::from),
            raised_by: case.raiser.as_ref().map(ToString::to_string),
            created_at: case.created_at,
            last_activity_at: case.last_activity_at,
            closed_at: case.closed_at,
            confirmed_at: case.confirmed_at,
            in_step: case.number.is_some() && case.held.is_none_or(|held| held.taken.is_some()),
            version: case.version,
        }
    }
}

impl CaseView {
    /// What somebody is shown of a case that they may see.
    pub fn new(case: &Case, viewer: &Viewer, process: &CaseProcess) -> Self {
        Self {
            summary: CaseSummaryView::new(&CaseSummary::from(case), process),
            description: case.description.clone(),
            closed_as: case.closing.as_ref().map(|closing| closed_as(closing.reason)),
            following: case.followers.contains(viewer.user()),
            editable: case.is_editable_by(viewer.user(), process),
        }
    }
}

fn closed_as(reason: ClosingReason) -> &'static str {
    match reason {
        ClosingReason::Solved => "solved",
        ClosingReason::NoLongerNeeded => "no_longer_needed",
    }
}

/// One line of a case's timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = TimelineEntry)]
pub struct TimelineEntryView {
    /// Unique within the case.
    #[schema(example = "ent_01993b8e5c6a7d2f8b1e4a9c0d3f6e72", pattern = "^ent_[0-9a-f]{32}$")]
    pub id: String,
    /// When it happened.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// What happened.
    #[serde(flatten)]
    pub happening: HappeningView,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Happening)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum HappeningView {
    /// The case was raised.
    Submitted,
    /// The case got its number.
    Numbered {
        /// The number.
        number: String,
    },
    /// The case was put in other words.
    Edited,
    /// The case moved on.
    StatusChanged {
        /// Word before.
        from: String,
        /// Word now.
        to: String,
        /// Whether that means closed.
        closed: bool,
    },
    /// A client closed the case.
    Closed {
        /// Their name.
        by: String,
        /// Why: `solved` or `no_longer_needed`.
        #[schema(example = "solved")]
        reason: &'static str,
    },
    /// A client opened the case again.
    Reopened {
        /// Their name.
        by: String,
    },
    /// Somebody said something.
    Commented {
        /// What, as it was written.
        body: String,
        /// What, as HTML that is safe to show: a few tags, no attributes but the target of a link.
        html: String,
        /// Who said it.
        author: AuthorView,
        /// The files that it speaks of.
        files: Vec<FileMentionView>,
    },
    /// A file was added.
    FileAdded {
        /// Its id.
        file: String,
        /// Its name.
        name: String,
        /// Which version of it: 1 is a new file.
        #[schema(minimum = 1)]
        version: u32,
    },
    /// Hours were logged.
    HoursLogged {
        /// Day of the work.
        #[schema(value_type = String, format = Date)]
        worked_on: Date,
        /// Minutes, as logged.
        minutes: i64,
        /// Who worked.
        person: String,
        /// On what.
        description: String,
    },
    /// An invoice was issued.
    Invoiced {
        /// Its id.
        invoice: String,
        /// Its number.
        number: String,
    },
    /// A client asked about a position of the case's invoice, or disputes it.
    Disputed {
        /// The invoice.
        invoice: String,
        /// Its number.
        number: String,
        /// The position, from 1.
        line: u16,
        /// What they want.
        wanted: DisputeKindView,
        /// Their name.
        by: String,
    },
    /// That is over.
    DisputeClosed {
        /// The invoice.
        invoice: String,
        /// Its number.
        number: String,
        /// The position, from 1.
        line: u16,
        /// What the client wanted.
        wanted: DisputeKindView,
        /// How it ended.
        outcome: OutcomeView,
    },
}

/// Who said something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Author)]
pub struct AuthorView {
    /// `client` or `staff`.
    #[schema(example = "client")]
    pub side: &'static str,
    /// Their name.
    pub name: String,
}

/// A file that a comment speaks of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = FileMention)]
pub struct FileMentionView {
    /// Its id.
    pub file: String,
    /// Its name.
    pub name: String,
}

impl From<&FileMention> for FileMentionView {
    fn from(mention: &FileMention) -> Self {
        Self { file: mention.file.to_string(), name: mention.name.clone() }
    }
}

impl From<&Author> for AuthorView {
    fn from(author: &Author) -> Self {
        let side = match author.side {
            Side::Client => "client",
            Side::Staff => "staff",
        };
        Self { side, name: author.name.clone() }
    }
}

impl TimelineEntryView {
    /// What somebody is shown of a line, or `None` if it is about something that is not shown to them. `files` are the
    /// files that are, and `invoices` says whether invoices are.
    pub fn new(
        entry: &TimelineEntry,
        process: &CaseProcess,
        files: &BTreeSet<FileId>,
        invoices: bool,
    ) -> Option<Self> {
        let happening = match entry.happening.clone() {
            Happening::Submitted => HappeningView::Submitted,
            Happening::Numbered { number } => HappeningView::Numbered { number },
            Happening::Edited => HappeningView::Edited,
            Happening::StatusChanged { from, to, closed } => {
                HappeningView::StatusChanged { from, to, closed }
            }
            Happening::Closed { by, reason } => HappeningView::Closed { by, reason: closed_as(reason) },
            Happening::Reopened { by } => HappeningView::Reopened { by },
            Happening::Commented { body, author, files: mentioned } => HappeningView::Commented {
                html: match author.side {
                    Side::Client => markdown::to_html(&body),
                    // Agents write plain text in Salesforce; a stray asterisk of theirs means nothing.
                    Side::Staff => markdown::plain_to_html(&body),
                },
                body,
                author: AuthorView::from(&author),
                files: mentioned
                    .iter()
                    .filter(|mention| files.contains(&mention.file))
                    .map(FileMentionView::from)
                    .collect(),
            },
            Happening::FileAdded { file, name, revision } => {
                if !files.contains(&file) {
                    return None;
                }
                HappeningView::FileAdded { file: file.to_string(), name, version: revision }
            }
            Happening::HoursLogged { worked_on, minutes, person, description } => {
                if !process.shows(CaseField::Hours) {
                    return None;
                }
                HappeningView::HoursLogged { worked_on, minutes, person, description }
            }
            Happening::Invoiced { invoice, number } => {
                if !invoices {
                    return None;
                }
                HappeningView::Invoiced { invoice: invoice.to_string(), number }
            }
            Happening::Disputed { invoice, number, line, wanted, by } => {
                if !invoices {
                    return None;
                }
                let (invoice, wanted) = (invoice.to_string(), wanted.into());
                HappeningView::Disputed { invoice, number, line, wanted, by }
            }
            Happening::DisputeClosed { invoice, number, line, wanted, outcome } => {
                if !invoices {
                    return None;
                }
                let (invoice, wanted, outcome) = (invoice.to_string(), wanted.into(), outcome.into());
                HappeningView::DisputeClosed { invoice, number, line, wanted, outcome }
            }
        };
        Some(Self { id: entry.id.to_string(), at: entry.at, happening })
    }
}
