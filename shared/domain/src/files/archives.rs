//! Archives: all files of a case in one zip, put together while somebody waits for it.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{ArchiveKey, Space};
use crate::{AccountId, ArchiveId, CaseId, UserId};

/// How long an archive can be downloaded once it is whole. It is a copy, and copies that nobody needs go soon.
pub const ARCHIVE_LIFE: SignedDuration = SignedDuration::from_hours(1);
/// How long an archive may take until it is whole. After that whoever waited is told that it failed: twice as long as
/// the function that makes it may run.
pub const ASSEMBLY_TIME_MAX: SignedDuration = SignedDuration::from_mins(30);
/// How long the record of an archive is kept.
pub const RECORD_LIFE: SignedDuration = SignedDuration::from_hours(24);
/// How often whoever waits is told how far it is: every twentieth of the bytes.
pub const PROGRESS_STEPS: u64 = 20;

/// How far an archive is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ArchiveState {
    /// Somebody asked for it.
    Requested,
    /// It is being put together.
    Assembling {
        /// What will be in it.
        whole: Space,
        /// What is in it by now.
        done: Space,
    },
    /// It can be downloaded.
    Ready {
        /// Since when.
        since: Timestamp,
        /// What is in it.
        whole: Space,
        /// Its own bytes.
        size: u64,
    },
    /// There is none.
    Failed {
        /// Since when.
        since: Timestamp,
        /// Why.
        reason: ArchiveFailure,
    },
}

/// Why there is no archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ArchiveFailure {
    /// There is no file in it that the one who asked may see.
    NoFiles,
    /// Who asked may not see the case any more.
    AccessEnded,
    /// Something went wrong again and again.
    Broken,
}

/// One archive of a case's files, for the one who asked for it and nobody else: it holds what they may see.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Archive {
    /// The portal's id.
    pub id: ArchiveId,
    /// Whose files are in it.
    pub account: AccountId,
    /// The case whose files are in it.
    pub case: CaseId,
    /// Who asked for it.
    pub requested_by: UserId,
    /// When.
    pub requested_at: Timestamp,
    /// How far it is.
    #[serde(flatten)]
    pub state: ArchiveState,
    /// Counts the writes of this record, from 1.
    pub version: u64,
}

impl Archive {
    /// Somebody asks for one.
    pub fn request(id: ArchiveId, account: AccountId, case: CaseId, by: UserId, now: Timestamp) -> Self {
        Self {
            id,
            account,
            case,
            requested_by: by,
            requested_at: now,
            state: ArchiveState::Requested,
            version: 1,
        }
    }

    /// Its next version, in this state.
    #[must_use]
    pub fn now(&self, state: ArchiveState) -> Self {
        Self { state, version: self.version + 1, ..self.clone() }
    }

    /// Whether it is still to be put together.
    pub fn is_open(&self) -> bool {
        matches!(self.state, ArchiveState::Requested | ArchiveState::Assembling { .. })
    }

    /// As whoever waits for it is told at this time: what should be whole by now and is not has failed, even if nobody
    /// lived to say so.
    #[must_use]
    pub fn as_of(&self, now: Timestamp) -> Self {
        let due = self.requested_at.saturating_add(ASSEMBLY_TIME_MAX).unwrap_or(self.requested_at);
        if !self.is_open() || now < due {
            return self.clone();
        }
        Self { state: ArchiveState::Failed { since: due, reason: ArchiveFailure::Broken }, ..self.clone() }
    }

    /// Until when it can be downloaded; none if it cannot be.
    pub fn downloadable_until(&self) -> Option<Timestamp> {
        match self.state {
            ArchiveState::Ready { since, .. } => since.checked_add(ARCHIVE_LIFE).ok(),
            ArchiveState::Requested | ArchiveState::Assembling { .. } | ArchiveState::Failed { .. } => None,
        }
    }

    /// Its key in the bucket of archives.
    pub fn key(&self) -> ArchiveKey {
        ArchiveKey { account: self.account, archive: self.id }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requested(at: Timestamp) -> Archive {
        let id = |place| uuid::Uuid::from_u128(place);
        let (account, case) = (AccountId::from_uuid(id(2)), CaseId::from_uuid(id(3)));
        Archive::request(ArchiveId::from_uuid(id(1)), account, case, "user-1".parse().unwrap(), at)
    }

    #[test]
    fn case_f05_what_nobody_finished_in_time_has_failed() {
        let at: Timestamp = "2026-11-22T09:30:00Z".parse().unwrap();
        let (requested, due) = (requested(at), at + ASSEMBLY_TIME_MAX);
        let assembling =
            requested.now(ArchiveState::Assembling { whole: Space::default(), done: Space::default() });
        for open in [requested, assembling] {
            assert_eq!(open.as_of(due - SignedDuration::from_secs(1)), open);
            let late = open.as_of(due);
            assert_eq!(late.state, ArchiveState::Failed { since: due, reason: ArchiveFailure::Broken });
            assert_eq!(late.version, open.version, "nothing is written");
            let ready = open.now(ArchiveState::Ready { since: due, whole: Space::default(), size: 22 });
            assert_eq!(ready.as_of(due + RECORD_LIFE), ready);
        }
    }
}
