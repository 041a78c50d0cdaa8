//! What of files goes, and when. Each record says when somebody has to look at it; whoever looks decides by the rules of
//! that day.

use jiff::{SignedDuration, Timestamp};

use super::{File, FileState, later};

/// How long an upload that was begun is waited for beyond its links: the store may still be telling of it.
pub const PENDING_GRACE: SignedDuration = SignedDuration::from_hours(1);
/// How long a staged file waits for its case: over night.
pub const STAGED_LIFE: SignedDuration = SignedDuration::from_hours(24);
/// How long whoever uploaded a file is shown why it was refused. Its content goes at once.
pub const REJECTED_SHOWN: SignedDuration = SignedDuration::from_hours(7 * 24);
/// How long a deleted file can be brought back.
pub const UNDO_WINDOW: SignedDuration = SignedDuration::from_hours(30 * 24);
/// How often an available file is looked at for the sake of retention: nobody is told when a case closes.
pub const LOOK_AGAIN: SignedDuration = SignedDuration::from_hours(30 * 24);

/// After what time a file that nobody compared or scanned is a fault. GuardDuty takes minutes for the largest.
pub const STUCK_AFTER: SignedDuration = SignedDuration::from_hours(1);

/// What becomes of a file that is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposal {
    /// It stays as it is; somebody looks again then.
    Stays {
        /// When.
        look_again: Timestamp,
    },
    /// It waits for a look that should have come long ago; operators have to know.
    Stuck {
        /// When somebody looks again.
        look_again: Timestamp,
    },
    /// Its content goes; the record stays for a while, to say why.
    ContentGoes {
        /// When the record goes.
        look_again: Timestamp,
    },
    /// It goes, record and all.
    Goes,
}

impl File {
    /// The same, with the moment at which somebody has to look at it.
    #[must_use]
    pub(super) fn with_due(self) -> Self {
        let staged = self.case.is_none();
        let by_state = match self.state {
            FileState::Pending { until } => later(until, PENDING_GRACE),
            // Its content goes at once.
            FileState::Rejected { since, .. } => since,
            FileState::Uploaded { .. } | FileState::Scanning { .. } | FileState::Available { .. }
                if staged =>
            {
                later(self.created_at, STAGED_LIFE)
            }
            FileState::Uploaded { since } | FileState::Scanning { since } => later(since, STUCK_AFTER),
            FileState::Available { since } => later(since, LOOK_AGAIN),
        };
        let by_deletion = self.deleted.as_ref().map(|deletion| later(deletion.at, UNDO_WINDOW));
        let due = self.erasure.or(by_deletion).unwrap_or(by_state);
        Self { due: Some(due), ..self }
    }

    /// The same, to be looked at then.
    #[must_use]
    pub fn due_at(&self, look_again: Timestamp) -> Self {
        Self { due: Some(look_again), version: self.version + 1, ..self.clone() }
    }

    /// What becomes of it now. `closed_at` is when its case was closed, if it is; `retention` how long a file is kept
    /// after that.
    pub fn disposal(
        &self,
        closed_at: Option<Timestamp>,
        retention: Option<SignedDuration>,
        now: Timestamp,
    ) -> Disposal {
        let until =
            |at: Timestamp| if at <= now { Disposal::Goes } else { Disposal::Stays { look_again: at } };
        if self.erasure.is_some() {
            return Disposal::Goes;
        }
        if let Some(deletion) = &self.deleted {
            return until(later(deletion.at, UNDO_WINDOW));
        }
        match self.state {
            FileState::Pending { until: at } => until(later(at, PENDING_GRACE)),
            FileState::Rejected { since, .. } => {
                let shown_until = later(since, REJECTED_SHOWN);
                if shown_until <= now {
                    Disposal::Goes
                } else {
                    Disposal::ContentGoes { look_again: shown_until }
                }
            }
            FileState::Uploaded { .. } | FileState::Scanning { .. } | FileState::Available { .. }
                if self.case.is_none() =>
            {
                until(later(self.created_at, STAGED_LIFE))
            }
            FileState::Uploaded { since } | FileState::Scanning { since } => {
                let fault_at = later(since, STUCK_AFTER);
                if fault_at <= now {
                    Disposal::Stuck { look_again: later(now, STUCK_AFTER) }
                } else {
                    Disposal::Stays { look_again: fault_at }
                }
            }
            FileState::Available { .. } => {
                let look_again = later(now, LOOK_AGAIN);
                match closed_at.zip(retention).map(|(closed_at, kept)| later(closed_at, kept)) {
                    Some(at) if at <= now => Disposal::Goes,
                    Some(at) => Disposal::Stays { look_again: at.min(look_again) },
                    None => Disposal::Stays { look_again },
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        CaseId,
        cases::{Author, Side},
        files::{Comparison, Verdict, tests::declared_file},
    };

    fn at(hours: i64) -> Timestamp {
        later("2026-11-30T08:00:00Z".parse().unwrap(), SignedDuration::from_hours(hours))
    }

    fn available(case: bool) -> File {
        let file = declared_file(at(0));
        let file = File { case: case.then(|| CaseId::from_uuid(uuid::Uuid::nil())), ..file };
        let file = file.arrived(at(0)).unwrap().compared(Comparison::AsDeclared, at(0)).unwrap();
        file.judged(Verdict::Clean, at(0)).unwrap()
    }

    fn somebody() -> Author {
        Author { side: Side::Client, name: "Mara Lindqvist".to_owned() }
    }

    #[test]
    fn case_f03_an_upload_that_never_came_goes() {
        let file = declared_file(at(0));
        let due = file.due.unwrap();
        assert_eq!(due, "2026-11-30T09:15:00Z".parse().unwrap());
        assert_eq!(file.disposal(None, None, at(1)), Disposal::Stays { look_again: due });
        assert_eq!(file.disposal(None, None, due), Disposal::Goes);
    }

    #[test]
    fn case_f03_a_staged_file_goes_if_no_case_comes() {
        let staged = available(false);
        assert_eq!(staged.due, Some(at(24)));
        assert_eq!(staged.disposal(None, None, at(24)), Disposal::Goes);
        let attached = staged.attached(CaseId::from_uuid(uuid::Uuid::nil())).unwrap();
        assert!(matches!(attached.disposal(None, None, at(24)), Disposal::Stays { .. }));
    }

    #[test]
    fn case_f04_what_was_rejected_loses_its_content_at_once_and_its_record_later() {
        let scanning = declared_file(at(0)).arrived(at(0)).unwrap();
        let scanning = scanning.compared(Comparison::AsDeclared, at(0)).unwrap();
        let infected = scanning.judged(Verdict::Threat, at(2)).unwrap();
        assert_eq!(infected.due, Some(at(2)));
        let look_again = at(2 + 7 * 24);
        assert_eq!(infected.disposal(None, None, at(2)), Disposal::ContentGoes { look_again });
        assert_eq!(infected.disposal(None, None, look_again), Disposal::Goes);
    }

    #[test]
    fn a_deleted_file_can_be_brought_back_for_a_month() {
        let deleted = available(true).deleted(somebody(), at(10)).unwrap();
        assert_eq!(deleted.due, Some(at(10 + 30 * 24)));
        assert!(matches!(deleted.disposal(None, None, at(11)), Disposal::Stays { .. }));
        assert_eq!(deleted.disposal(None, None, at(10 + 30 * 24)), Disposal::Goes);
        assert_eq!(deleted.restored().unwrap().due, available(true).due);
    }

    #[test]
    fn retention_counts_from_the_closing_of_the_case() {
        let file = available(true);
        let year = SignedDuration::from_hours(365 * 24);
        let stays =
            |closed, retention, now| matches!(file.disposal(closed, retention, now), Disposal::Stays { .. });
        assert!(stays(None, Some(year), at(3 * 365 * 24)), "an open case keeps its files");
        assert!(stays(Some(at(0)), None, at(3 * 365 * 24)), "without a rule nothing goes");
        assert!(stays(Some(at(100)), Some(year), at(365 * 24)));
        assert_eq!(file.disposal(Some(at(100)), Some(year), at(100 + 365 * 24)), Disposal::Goes);
        let soon = SignedDuration::from_hours(48);
        let looked = file.disposal(Some(at(100)), Some(soon), at(120));
        assert_eq!(looked, Disposal::Stays { look_again: at(148) }, "not a day later than the rule says");
    }

    #[test]
    fn a_file_that_nobody_scans_is_a_fault_and_no_rubbish() {
        let scanning = declared_file(at(0)).arrived(at(0)).unwrap();
        let scanning = scanning.compared(Comparison::AsDeclared, at(0)).unwrap();
        let scanning = File { case: Some(CaseId::from_uuid(uuid::Uuid::nil())), ..scanning };
        assert_eq!(scanning.disposal(None, None, at(5)), Disposal::Stuck { look_again: at(6) });
    }

    #[test]
    fn an_erasure_does_not_wait() {
        let erased = available(true).to_be_erased(at(7)).unwrap();
        assert_eq!((erased.due, erased.disposal(None, None, at(7))), (Some(at(7)), Disposal::Goes));
    }
}
