//! What a list shows of a case, and which cases a list is asked for.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Case, Held, RelatedContract, Status};
use crate::{CaseId, ContractId, UserId};

/// A case without its texts: what a list needs, and no more than its indexes hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseSummary {
    /// The portal's id.
    pub case: CaseId,
    /// The number that people quote.
    pub number: Option<String>,
    /// In one line.
    pub subject: String,
    /// Where it stands.
    pub status: Status,
    /// What sort of request it is.
    pub kind: Option<String>,
    /// How urgent.
    pub priority: String,
    /// The contract that it is about.
    pub contract: Option<RelatedContract>,
    /// Who raised it in the portal.
    pub raiser: Option<UserId>,
    /// When it was raised.
    pub created_at: Timestamp,
    /// When something visible last happened.
    pub last_activity_at: Timestamp,
    /// When it was closed.
    pub closed_at: Option<Timestamp>,
    /// What a client changed and Salesforce has not confirmed yet.
    pub held: Option<Held>,
    /// When the portal last read it in Salesforce.
    pub confirmed_at: Option<Timestamp>,
    /// Counts its changes.
    pub version: u64,
}

impl From<&Case> for CaseSummary {
    fn from(case: &Case) -> Self {
        Self {
            case: case.id,
            number: case.number.clone(),
            subject: case.subject.clone(),
            status: case.status.clone(),
            kind: case.kind.clone(),
            priority: case.priority.clone(),
            contract: case.contract.clone(),
            raiser: case.audience.raised_by.as_ref().map(|raiser| raiser.user.clone()),
            created_at: case.created_at,
            last_activity_at: case.last_activity_at,
            closed_at: case.closed_at,
            held: case.held,
            confirmed_at: case.confirmed.map(|confirmed| confirmed.at),
            version: case.version,
        }
    }
}

/// Open cases, closed ones, or both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Openness {
    /// Being worked on, or waiting.
    Open,
    /// Done.
    Closed,
    /// Both.
    #[default]
    All,
}

/// Which cases a list is asked for. Everything that is given has to hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CaseFilter {
    /// Open, closed or both.
    pub openness: Openness,
    /// The org's word for where they stand, in any letter case.
    pub status: Option<String>,
    /// The org's word for how urgent they are, in any letter case.
    pub priority: Option<String>,
    /// Who raised them in the portal.
    pub raiser: Option<UserId>,
    /// The contract that they are about.
    pub contract: Option<ContractId>,
    /// What stands in subject or number, in any letter case.
    pub text: Option<String>,
}

impl CaseFilter {
    /// Whether it lets everything through, so that a list needs no looking through.
    pub fn is_everything(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a case is one of those asked for.
    pub fn lets_through(&self, case: &CaseSummary) -> bool {
        let same = |wanted: &Option<String>, word: &str| {
            wanted.as_ref().is_none_or(|wanted| wanted.to_lowercase() == word.to_lowercase())
        };
        let openness = match self.openness {
            Openness::Open => !case.status.closed,
            Openness::Closed => case.status.closed,
            Openness::All => true,
        };
        let holds = |text: &String| {
            let text = text.to_lowercase();
            case.subject.to_lowercase().contains(&text)
                || case.number.as_ref().is_some_and(|number| number.contains(&text))
        };
        openness
            && same(&self.status, &case.status.label)
            && same(&self.priority, &case.priority)
            && self.raiser.as_ref().is_none_or(|raiser| case.raiser.as_ref() == Some(raiser))
            && self
                .contract
                .is_none_or(|wanted| case.contract.as_ref().is_some_and(|contract| contract.id == wanted))
            && self.text.as_ref().is_none_or(holds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary() -> CaseSummary {
        CaseSummary {
            case: CaseId::from_uuid(uuid::Uuid::from_u128(1)),
            number: Some("00001042".to_owned()),
            subject: "Drucker in Halle Ö ist aus".to_owned(),
            status: Status { label: "Working".to_owned(), closed: false },
            kind: None,
            priority: "High".to_owned(),
            contract: None,
            raiser: Some("user-1".parse().unwrap()),
            created_at: Timestamp::UNIX_EPOCH,
            last_activity_at: Timestamp::UNIX_EPOCH,
            closed_at: None,
            held: None,
            confirmed_at: None,
            version: 1,
        }
    }

    #[test]
    fn everything_that_is_asked_for_has_to_hold() {
        let everything = CaseFilter::default();
        assert!(everything.is_everything() && everything.lets_through(&summary()));
        let text = |text: &str| CaseFilter { text: Some(text.to_owned()), ..CaseFilter::default() };
        for (filter, expected) in [
            (CaseFilter { openness: Openness::Open, ..CaseFilter::default() }, true),
            (CaseFilter { openness: Openness::Closed, ..CaseFilter::default() }, false),
            (CaseFilter { status: Some("working".to_owned()), ..CaseFilter::default() }, true),
            (CaseFilter { priority: Some("Low".to_owned()), ..CaseFilter::default() }, false),
            (CaseFilter { raiser: Some("user-2".parse().unwrap()), ..CaseFilter::default() }, false),
            (text("halle ö"), true),
            (text("1042"), true),
            (text("printer"), false),
            (CaseFilter { priority: Some("high".to_owned()), ..text("nothing of it") }, false),
        ] {
            assert_eq!(filter.lets_through(&summary()), expected, "{filter:?}");
        }
    }
}
