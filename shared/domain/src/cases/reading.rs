//! What Salesforce says about a case, and how the portal takes it over.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Case, Happening, RelatedContract, Status};
use crate::{AccountId, CaseId, SalesforceId, people::Audience};

/// When the portal last knew what Salesforce says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirmed {
    /// `SystemModstamp` of the record that was read; resolution 1 s.
    pub modstamp: Timestamp,
    /// When it was read.
    pub at: Timestamp,
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
    /// `Type`.
    pub kind: Option<String>,
    /// `Priority`.
    pub priority: String,
    /// `Portal_Contract__c` and its name.
    pub contract: Option<RelatedContract>,
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
    /// Whether the case went from open to closed in Salesforce.
    pub newly_closed: bool,
}

impl Case {
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
            kind: reading.kind,
            priority: reading.priority,
            contract: reading.contract,
            created_at: reading.created_at,
            last_activity_at: reading.modstamp,
            closed_at: reading.closed_at,
            closing: None,
            held: None,
            followers: BTreeSet::new(),
            confirmed: Some(Confirmed { modstamp: reading.modstamp, at: now }),
            withdrawn: None,
            incomplete: false,
            version: 1,
        };
        Observed { case, happened: Vec::new(), newly_closed: false }
    }

    /// The case comes from another account, where Salesforce says by now that it does not belong. Who raised and
    /// followed it there have nothing to do with it any more.
    pub fn moved(&self, account: AccountId, reading: Reading, now: Timestamp) -> Self {
        Self { incomplete: true, ..Self::discovered(self.id, account, reading, now).case }
    }

    /// Whether the case is closed and Salesforce says so too.
    pub fn is_closed_in_salesforce(&self) -> bool {
        self.status.closed && !self.held.as_ref().is_some_and(|held| held.status)
    }

    /// Takes over what Salesforce says, or `None` if that is nothing new.
    ///
    /// An older reading than the one that the case rests on never wins. At the same `SystemModstamp` (its
    /// resolution is one second) the content decides: the caller read Salesforce *after* it loaded this
    /// version, and writes on the condition that the version still stands, so the reading is the later one.
    ///
    /// What a client changed stays as the client left it until Salesforce has it; from then on Salesforce
    /// decides again:
    ///
    /// ```text
    /// time ──▶  client closes      the writer's write       any reading from then on
    ///            │ portal: closed   │ Salesforce: closed     │
    /// readings   │ of before: status│kept, the rest taken    │ taken in full, `held` ends
    /// ```
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
            kind: reading.kind,
            priority: reading.priority,
            contract: reading.contract,
            closed_at: reading.closed_at,
            held: None,
            withdrawn: None,
            incomplete: self.incomplete || self.withdrawn.is_some(),
            ..self.clone()
        };
        case.audience.contact = reading.contact;
        if let Some(held) = self.held.as_ref().filter(|held| !held.is_settled_by(reading.modstamp)) {
            held.keep(self, &mut case);
        }
        if !case.status.closed {
            case.closing = None;
        }
        let unchanged = case == *self && self.confirmed.is_some_and(|c| c.modstamp == reading.modstamp);
        if unchanged {
            return None;
        }
        let newly_closed = case.is_closed_in_salesforce() && !self.is_closed_in_salesforce();
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
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::cases::{CaseProcess, ClosingReason};

    pub fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    pub fn process() -> CaseProcess {
        CaseProcess::new("New", "Closed", "Working", "Question", "priority,type,contract,hours").unwrap()
    }

    pub fn reading(status: &str, closed: bool, modstamp: i64) -> Reading {
        Reading {
            salesforce_id: "500000000000001AAA".parse().unwrap(),
            number: "00001001".to_owned(),
            contact: None,
            subject: "Printer on fire".to_owned(),
            description: String::new(),
            status: Status { label: status.to_owned(), closed },
            kind: None,
            priority: "Medium".to_owned(),
            contract: None,
            created_at: at(0),
            closed_at: closed.then(|| at(modstamp)),
            modstamp: at(modstamp),
        }
    }

    pub fn case() -> Case {
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
    fn case_w13_a_case_that_is_gone_comes_back_when_salesforce_has_it_again() {
        let gone = case().withdraw(at(20)).unwrap();
        assert_eq!((gone.withdrawn, gone.version), (Some(at(20)), 2));
        assert_eq!(gone.withdraw(at(21)), None);
        // Salesforce shows it as it was before: that it is there is news enough.
        let observed = gone.observe(reading("New", false, 10), at(22)).unwrap();
        assert!(observed.case.incomplete && observed.happened.is_empty());
        assert_eq!((observed.case.withdrawn, observed.case.version), (None, 3));
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

    #[test]
    fn what_a_client_closed_stays_closed_until_salesforce_has_it_and_is_billed_then() {
        let user = "user-1".parse().unwrap();
        let (closed, _) = case().close(&user, "Jonas", ClosingReason::Solved, &process(), at(20)).unwrap();
        assert!(closed.status.closed && !closed.is_closed_in_salesforce());

        // An agent changes the priority before the portal's write has arrived.
        let before = Reading { priority: "High".to_owned(), ..reading("Working", false, 21) };
        let between = closed.observe(before, at(22)).unwrap();
        assert_eq!((between.case.status.label.as_str(), between.case.priority.as_str()), ("Closed", "High"));
        assert!(!between.newly_closed);

        let written = between.case.taken(at(25)).unwrap();
        let confirmed = written.observe(reading("Closed", true, 25), at(26)).unwrap();
        assert!(confirmed.newly_closed && confirmed.happened.is_empty());
        assert!(confirmed.case.held.is_none() && confirmed.case.closing.is_some());

        // From then on Salesforce decides again.
        let reopened = confirmed.case.observe(reading("Working", false, 30), at(31)).unwrap();
        assert!(!reopened.case.status.closed && reopened.case.closing.is_none());
    }
}
