//! What clients change on a case: its words while it is new, whether it is done, who follows it.
//!
//! The portal shows a change at once and holds on to it until Salesforce has it ([`Held`]).

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Case, CaseProcess, Description, FOLLOWERS_MAX, Happening, Subject};
use crate::UserId;

/// Which fields a client changed and Salesforce has not confirmed yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Held {
    /// Whether it is open or closed.
    #[serde(default)]
    pub status: bool,
    /// Its subject and its description.
    #[serde(default)]
    pub words: bool,
    /// `SystemModstamp` of the record after Salesforce took the change; absent until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken: Option<Timestamp>,
}

impl Held {
    /// Whether a reading was made after Salesforce took the change, so that Salesforce decides again.
    pub(super) fn is_settled_by(&self, modstamp: Timestamp) -> bool {
        self.taken.is_some_and(|taken| modstamp >= taken)
    }

    /// Puts what is held on to back over what was read.
    pub(super) fn keep(&self, from: &Case, into: &mut Case) {
        if self.status {
            into.status = from.status.clone();
            into.closed_at = from.closed_at;
        }
        if self.words {
            into.subject.clone_from(&from.subject);
            into.description.clone_from(&from.description);
        }
        into.held = Some(*self);
    }
}

/// Why a client closes a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClosingReason {
    /// It is solved. Counts as self-service.
    Solved,
    /// It does not matter any more.
    NoLongerNeeded,
}

/// How a client closed a case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closing {
    /// Who did.
    pub by: UserId,
    /// Why.
    pub reason: ClosingReason,
    /// When.
    pub at: Timestamp,
}

/// Why a case cannot be changed as a client wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WishError {
    /// It is closed already.
    #[error("the case is closed already")]
    Closed,
    /// It is open already.
    #[error("the case is open already")]
    Open,
    /// An agent has picked it up, so its words are no longer the client's alone.
    #[error("an agent works on the case already; add a comment instead")]
    NoLongerNew,
    /// Only who raised a case changes its words.
    #[error("only the person who raised the case can edit it")]
    NotTheRaiser,
    /// Somebody else changed it since the client looked.
    #[error("the case was changed since: it is at version {0}")]
    OtherVersion(u64),
    /// More people than one case is followed by.
    #[error("a case is followed by at most {FOLLOWERS_MAX} people")]
    TooManyFollowers,
}

impl Case {
    /// A client closes the case. Returns it with what goes on the timeline.
    ///
    /// # Errors
    /// [`WishError::Closed`].
    pub fn close(
        &self,
        by: &UserId,
        name: &str,
        reason: ClosingReason,
        process: &CaseProcess,
        now: Timestamp,
    ) -> Result<(Self, Happening), WishError> {
        if self.status.closed {
            return Err(WishError::Closed);
        }
        let case = Self {
            status: process.solved_case(),
            closed_at: Some(now),
            closing: Some(Closing { by: by.clone(), reason, at: now }),
            held: Some(Held { status: true, taken: None, ..self.held.unwrap_or_default() }),
            ..self.touched(now)
        };
        Ok((case, Happening::Closed { by: name.to_owned(), reason }))
    }

    /// A client opens the case again.
    ///
    /// # Errors
    /// [`WishError::Open`].
    pub fn reopen(
        &self,
        name: &str,
        process: &CaseProcess,
        now: Timestamp,
    ) -> Result<(Self, Happening), WishError> {
        if !self.status.closed {
            return Err(WishError::Open);
        }
        let case = Self {
            status: process.reopened_case(),
            closed_at: None,
            closing: None,
            held: Some(Held { status: true, taken: None, ..self.held.unwrap_or_default() }),
            ..self.touched(now)
        };
        Ok((case, Happening::Reopened { by: name.to_owned() }))
    }

    /// Who raised the case puts it in other words. `seen` is the version that they looked at.
    ///
    /// # Errors
    /// [`WishError`].
    pub fn edit(
        &self,
        by: &UserId,
        seen: u64,
        subject: Option<Subject>,
        description: Option<Description>,
        process: &CaseProcess,
        now: Timestamp,
    ) -> Result<(Self, Happening), WishError> {
        if self.audience.raised_by.as_ref().map(|raiser| &raiser.user) != Some(by) {
            return Err(WishError::NotTheRaiser);
        }
        if self.status != process.new_case() {
            return Err(WishError::NoLongerNew);
        }
        if self.version != seen {
            return Err(WishError::OtherVersion(self.version));
        }
        let subject = subject.map_or_else(|| self.subject.clone(), String::from);
        let description = description.map_or_else(|| self.description.clone(), String::from);
        let held = Held { words: true, taken: None, ..self.held.unwrap_or_default() };
        let case = Self { subject, description, held: Some(held), ..self.touched(now) };
        Ok((case, Happening::Edited))
    }

    /// Whether somebody may put the case in other words at this moment.
    pub fn is_editable_by(&self, user: &UserId, process: &CaseProcess) -> bool {
        let raiser = self.audience.raised_by.as_ref().map(|raiser| &raiser.user);
        raiser == Some(user) && self.status == process.new_case()
    }

    /// Somebody wants to be told of the case. `None` if they follow it already.
    ///
    /// # Errors
    /// [`WishError::TooManyFollowers`].
    pub fn follow(&self, user: &UserId) -> Result<Option<Self>, WishError> {
        if self.followers.contains(user) {
            return Ok(None);
        }
        if self.followers.len() >= FOLLOWERS_MAX {
            return Err(WishError::TooManyFollowers);
        }
        let mut case = Self { version: self.version + 1, ..self.clone() };
        case.followers.insert(user.clone());
        Ok(Some(case))
    }

    /// Somebody no longer wants to be told of the case. `None` if they do not follow it.
    pub fn unfollow(&self, user: &UserId) -> Option<Self> {
        let mut case = Self { version: self.version + 1, ..self.clone() };
        case.followers.remove(user).then_some(case)
    }

    /// Salesforce took what is held; its record is at `modstamp` since. `None` if nothing waits for that.
    pub fn taken(&self, modstamp: Timestamp) -> Option<Self> {
        let held = self.held.filter(|held| held.taken.is_none())?;
        let held = Held { taken: Some(modstamp), ..held };
        Some(Self { held: Some(held), version: self.version + 1, ..self.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cases::reading::tests::{at, case, process, reading},
        people::Raiser,
    };

    fn user(text: &str) -> UserId {
        text.parse().unwrap()
    }

    fn mine() -> Case {
        let mut case = case();
        case.audience.raised_by = Some(Raiser { user: user("user-1"), contact: None });
        case
    }

    fn subject(text: &str) -> Option<Subject> {
        Some(text.to_owned().try_into().unwrap())
    }

    #[test]
    fn only_the_raiser_edits_and_only_while_it_is_new_and_as_it_was_seen() {
        let edit = |case: &Case, by: &str, seen| {
            case.edit(&user(by), seen, subject("Printer in flames"), None, &process(), at(20))
        };
        let (edited, happening) = edit(&mine(), "user-1", 1).unwrap();
        assert_eq!((edited.subject.as_str(), edited.version), ("Printer in flames", 2));
        assert_eq!(happening, Happening::Edited);
        assert_eq!(edit(&mine(), "user-2", 1), Err(WishError::NotTheRaiser));
        assert_eq!(edit(&mine(), "user-1", 7), Err(WishError::OtherVersion(1)));
        let picked_up = mine().observe(reading("Working", false, 15), at(16)).unwrap().case;
        assert_eq!(edit(&picked_up, "user-1", 2), Err(WishError::NoLongerNew));
    }

    #[test]
    fn an_edit_survives_a_reading_of_before_it() {
        let (edited, _) =
            mine().edit(&user("user-1"), 1, subject("New words"), None, &process(), at(20)).unwrap();
        let read = edited.observe(reading("New", false, 19), at(21)).unwrap().case;
        assert_eq!(read.subject, "New words");
        let settled = read.taken(at(22)).unwrap().observe(reading("New", false, 22), at(23)).unwrap().case;
        assert_eq!((settled.subject.as_str(), settled.held), ("Printer on fire", None));
    }

    #[test]
    fn closing_and_reopening_take_turns() {
        let jonas = user("user-1");
        let (closed, happening) =
            mine().close(&jonas, "Jonas", ClosingReason::Solved, &process(), at(20)).unwrap();
        assert_eq!(happening, Happening::Closed { by: "Jonas".to_owned(), reason: ClosingReason::Solved });
        assert_eq!(
            closed.close(&jonas, "Jonas", ClosingReason::Solved, &process(), at(21)),
            Err(WishError::Closed)
        );
        let (open, _) = closed.reopen("Jonas", &process(), at(22)).unwrap();
        assert_eq!((open.status.label.as_str(), open.closed_at, &open.closing), ("Working", None, &None));
        assert_eq!(open.reopen("Jonas", &process(), at(23)), Err(WishError::Open));
    }

    #[test]
    fn followers_are_counted_and_come_and_go() {
        let mut case = mine();
        for n in 0..FOLLOWERS_MAX {
            case = case.follow(&user(&format!("u{n}"))).unwrap().unwrap();
        }
        assert_eq!(case.follow(&user("u0")), Ok(None));
        assert_eq!(case.follow(&user("one-more")), Err(WishError::TooManyFollowers));
        let fewer = case.unfollow(&user("u0")).unwrap();
        assert_eq!(fewer.unfollow(&user("u0")), None);
    }
}
