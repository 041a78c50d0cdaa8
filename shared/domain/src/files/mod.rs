//! Files: declared by whoever uploads them, kept by the store under a key of ours, shown once they are really there, are
//! what they were said to be, and have been looked at by a scanner.
//!
//! ```text
//!  declared ─▶ pending ─▶ uploaded ─▶ scanning ─▶ available ─▶ deleted ─▶ gone
//!                 │          │            │            ▲           │
//!                 │          │            │            └─ restored ┘
//!                 ▼          ▼            ▼
//!             abandoned    rejected (something else than declared, a threat, not scannable)
//! ```

mod archives;
mod content;
mod declaration;
mod disposal;
mod keys;
mod links;
mod names;
mod parts;
mod rules;
mod steps;
mod visibility;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{AccountId, CaseId, EntryId, FileId, SalesforceId, UserId, cases::Author};

pub use archives::{
    ARCHIVE_LIFE, ASSEMBLY_TIME_MAX, Archive, ArchiveFailure, ArchiveState, PROGRESS_STEPS, RECORD_LIFE,
};
pub use content::{BEGINNING_BYTES, fits, served_as};
pub use declaration::{Declaration, FILE_BYTES_MAX, FileError, MediaType, Sha256Hex};
pub use disposal::{
    Disposal, LOOK_AGAIN, PENDING_GRACE, REJECTED_SHOWN, STAGED_LIFE, STUCK_AFTER, UNDO_WINDOW,
};
pub use keys::{ArchiveKey, ForeignKey, ObjectKey};
pub use links::{PresignedRequest, UploadLinks};
pub use names::{FILE_NAME_MAX, FileName, Folder, NameError, content_disposition, disposition_of};
pub use parts::{MultipartId, PART_BYTES, PARTS_MAX, Part, SINGLE_BYTES_MAX, StoredPart, cut};
pub use rules::{CASE_FILES_MAX, Category, FileRules, FileRulesError, FileSettings, NoRoom, Space};
pub use steps::Step;
pub use visibility::{NAMED_MAX, Visibility};

/// How long an upload link of one piece works.
pub const UPLOAD_WINDOW: SignedDuration = SignedDuration::from_mins(15);
/// How long the link of one part works: 64 MiB at 150 kbit/s.
pub const PART_LINK_WINDOW: SignedDuration = SignedDuration::from_hours(1);
/// How long a client may take for a file in parts; fresh links are there for the asking meanwhile.
pub const PARTS_WINDOW: SignedDuration = SignedDuration::from_hours(24);
/// How long a download link works. It is handed to a browser that follows it at once. Until then it also works for who
/// was removed a moment ago: the store knows no people.
pub const DOWNLOAD_WINDOW: SignedDuration = SignedDuration::from_mins(5);
/// Most versions of one file: what one transaction changes together, with room for the case and the events.
pub const VERSIONS_MAX: u32 = 40;

/// Where a file stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum FileState {
    /// A link was given, the content has not arrived.
    Pending {
        /// When the client must be done.
        until: Timestamp,
    },
    /// The content is in the store; whether it is what was declared is being looked at.
    Uploaded {
        /// Since when.
        since: Timestamp,
    },
    /// It is what was declared; the scanner has not said what it found.
    Scanning {
        /// Since when.
        since: Timestamp,
    },
    /// It can be downloaded.
    Available {
        /// Since when.
        since: Timestamp,
    },
    /// It never can be.
    Rejected {
        /// Since when.
        since: Timestamp,
        /// Why.
        reason: Rejection,
    },
}

/// Why a file was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rejection {
    /// Its bytes are not those that were declared.
    ContentDiffers,
    /// Its content is not of the declared media type.
    TypeDiffers,
    /// The scanner found malware in it.
    Threat,
    /// The scanner cannot look into it: encrypted, packed too deep, too large. What nobody looked into is not handed out.
    NotScannable,
}

/// What the store has, held against what was declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// It is that.
    AsDeclared,
    /// Other bytes.
    OtherContent,
    /// Another media type.
    OtherType,
}

/// What the scanner says of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It found nothing.
    Clean,
    /// It found something.
    Threat,
    /// It could not look.
    NotScannable,
}

/// Who uploads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uploader {
    /// The person.
    pub user: UserId,
    /// As they are shown to others.
    pub author: Author,
}

/// An upload in parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Multipart {
    /// The store's name for it.
    pub id: MultipartId,
    /// SHA-256 of each part, in order, as declared.
    pub parts: Vec<Sha256Hex>,
}

/// That somebody deleted a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deletion {
    /// When.
    pub at: Timestamp,
    /// Who, as they are shown to others.
    pub by: Author,
}

/// One version of a file. What it is said to be, whom it is for and whether it is deleted is the same for all versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// The portal's id.
    pub id: FileId,
    /// Whose file it is.
    pub account: AccountId,
    /// The case that it belongs to; none yet while it is staged for a case that is still being written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub case: Option<CaseId>,
    /// What was said about it.
    #[serde(flatten)]
    pub declared: Declaration,
    /// Its parts, if it goes up in parts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub multipart: Option<Multipart>,
    /// Where it stands.
    #[serde(flatten)]
    pub state: FileState,
    /// What the scanner said, if it was faster than the look at the content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    /// Who uploads it.
    pub uploaded_by: UserId,
    /// The same, as they are shown to others.
    pub author: Author,
    /// When the upload link was asked for.
    pub created_at: Timestamp,
    /// What sort of file it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<Category>,
    /// Whom it is for.
    #[serde(default)]
    pub visibility: Visibility,
    /// The version in whose place it was uploaded, whatever became the latest meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<FileId>,
    /// The first version.
    pub original: FileId,
    /// Counts the versions of the file, from 1, in the order in which they became available.
    pub revision: u32,
    /// The version after it, if it is not the latest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub superseded_by: Option<FileId>,
    /// That it was deleted; it can be brought back for [`UNDO_WINDOW`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted: Option<Deletion>,
    /// When it was asked to be erased for good; nobody sees it from then on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub erasure: Option<Timestamp>,
    /// Its line on the timeline, once it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<EntryId>,
    /// When somebody has to look whether it goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Timestamp>,
    /// `Portal_File__c` in Salesforce, once it is there.
    pub salesforce_id: Option<SalesforceId>,
    /// Counts the writes of this record, from 1.
    pub version: u64,
}

impl File {
    /// A declared file, waiting for its content.
    pub fn declare(
        id: FileId,
        account: AccountId,
        case: Option<CaseId>,
        declared: Declaration,
        by: Uploader,
        now: Timestamp,
    ) -> Self {
        let window = if declared.size > SINGLE_BYTES_MAX { PARTS_WINDOW } else { UPLOAD_WINDOW };
        let file = Self {
            id,
            account,
            case,
            declared,
            multipart: None,
            state: FileState::Pending { until: later(now, window) },
            verdict: None,
            uploaded_by: by.user,
            author: by.author,
            created_at: now,
            category: None,
            visibility: Visibility::Case,
            replaces: None,
            original: id,
            revision: 1,
            superseded_by: None,
            deleted: None,
            erasure: None,
            entry: None,
            due: None,
            salesforce_id: None,
            version: 1,
        };
        file.with_due()
    }

    /// A declared file that becomes the next version of another one. What is said of the file holds for its versions.
    #[must_use]
    pub fn in_place_of(self, replaced: &Self) -> Self {
        Self {
            replaces: Some(replaced.id),
            original: replaced.original,
            category: replaced.category.clone(),
            visibility: replaced.visibility.clone(),
            ..self
        }
    }

    /// The content has arrived. `None` if that was known already, or the file is to be erased.
    pub fn arrived(&self, now: Timestamp) -> Option<Self> {
        match self.state {
            FileState::Pending { .. } if self.erasure.is_none() => {
                Some(self.next(FileState::Uploaded { since: now }))
            }
            FileState::Pending { .. }
            | FileState::Uploaded { .. }
            | FileState::Scanning { .. }
            | FileState::Available { .. }
            | FileState::Rejected { .. } => None,
        }
    }

    /// The content was held against what was declared, at once when it arrived or later. `None` if that was done already,
    /// or the file is to be erased.
    pub fn compared(&self, comparison: Comparison, now: Timestamp) -> Option<Self> {
        if self.erasure.is_some() {
            return None;
        }
        let (FileState::Pending { .. } | FileState::Uploaded { .. }) = self.state else { return None };
        let rejected = |reason| FileState::Rejected { since: now, reason };
        let state = match comparison {
            Comparison::AsDeclared => FileState::Scanning { since: now },
            Comparison::OtherContent => rejected(Rejection::ContentDiffers),
            Comparison::OtherType => rejected(Rejection::TypeDiffers),
        };
        let compared = self.next(state);
        // The scanner may have been faster.
        match self.verdict.and_then(|verdict| compared.judged(verdict, now)) {
            Some(judged) => Some(Self { version: compared.version, ..judged }),
            None => Some(compared),
        }
    }

    /// The scanner has looked. `None` if that changes nothing: the first verdict counts, and what is to be erased goes no
    /// further.
    pub fn judged(&self, verdict: Verdict, now: Timestamp) -> Option<Self> {
        if self.erasure.is_some() {
            return None;
        }
        match self.state {
            FileState::Pending { .. } | FileState::Uploaded { .. } if self.verdict.is_none() => {
                Some(Self { verdict: Some(verdict), version: self.version + 1, ..self.clone() })
            }
            FileState::Scanning { .. } => {
                let state = match verdict {
                    Verdict::Clean => FileState::Available { since: now },
                    Verdict::Threat => FileState::Rejected { since: now, reason: Rejection::Threat },
                    Verdict::NotScannable => {
                        FileState::Rejected { since: now, reason: Rejection::NotScannable }
                    }
                };
                Some(Self { verdict: Some(verdict), ..self.next(state) })
            }
            FileState::Pending { .. }
            | FileState::Uploaded { .. }
            | FileState::Available { .. }
            | FileState::Rejected { .. } => None,
        }
    }

    /// It belongs to this case from now on. `None` if it belongs to one already.
    pub fn attached(&self, case: CaseId) -> Option<Self> {
        let attached = Self { case: Some(case), version: self.version + 1, ..self.clone() };
        self.case.is_none().then(|| attached.with_due())
    }

    /// It is deleted, and can be brought back. `None` if it is already.
    pub fn deleted(&self, by: Author, now: Timestamp) -> Option<Self> {
        let deleted = Deletion { at: now, by };
        let gone = Self { deleted: Some(deleted), version: self.version + 1, ..self.clone() };
        self.deleted.is_none().then(|| gone.with_due())
    }

    /// It is back. `None` if it was not deleted.
    pub fn restored(&self) -> Option<Self> {
        let back = Self { deleted: None, version: self.version + 1, ..self.clone() };
        self.deleted.is_some().then(|| back.with_due())
    }

    /// It is to be erased. `None` if that was asked for already.
    pub fn to_be_erased(&self, now: Timestamp) -> Option<Self> {
        let erased = Self { erasure: Some(now), version: self.version + 1, ..self.clone() };
        self.erasure.is_none().then(|| erased.with_due())
    }

    /// It is said to be something else, or to be for others. `None` if that is what was said before.
    pub fn relabelled(&self, category: Option<Category>, visibility: Visibility) -> Option<Self> {
        if self.category == category && self.visibility == visibility {
            return None;
        }
        Some(Self { category, visibility, version: self.version + 1, ..self.clone() })
    }

    /// Its content passed every look, and nobody has deleted it for good.
    pub fn is_available(&self) -> bool {
        matches!(self.state, FileState::Available { .. })
    }

    /// Since when it can be downloaded; none if it cannot be.
    pub fn available_since(&self) -> Option<Timestamp> {
        match self.state {
            FileState::Available { since } => Some(since),
            FileState::Pending { .. }
            | FileState::Uploaded { .. }
            | FileState::Scanning { .. }
            | FileState::Rejected { .. } => None,
        }
    }

    /// Whether no other version came after it.
    pub fn is_latest(&self) -> bool {
        self.superseded_by.is_none()
    }

    /// Whether its content is still awaited.
    pub fn is_pending(&self) -> bool {
        matches!(self.state, FileState::Pending { .. })
    }

    /// Until when it may go up, if its content is awaited.
    pub fn awaited_until(&self) -> Option<Timestamp> {
        match self.state {
            FileState::Pending { until } => Some(until),
            FileState::Uploaded { .. }
            | FileState::Scanning { .. }
            | FileState::Available { .. }
            | FileState::Rejected { .. } => None,
        }
    }

    /// The parts that it goes up in; none if it goes up in one piece.
    pub fn parts(&self) -> Vec<Part> {
        let hashes = self.multipart.as_ref().map(|multipart| multipart.parts.as_slice()).unwrap_or_default();
        cut(self.declared.size, hashes).unwrap_or_default()
    }

    /// Its key in the bucket: ours alone, nothing of the client's in it.
    pub fn key(&self) -> ObjectKey {
        ObjectKey { account: self.account, file: self.id }
    }

    fn next(&self, state: FileState) -> Self {
        Self { state, version: self.version + 1, ..self.clone() }.with_due()
    }
}

fn later(from: Timestamp, by: SignedDuration) -> Timestamp {
    from.saturating_add(by).unwrap_or(from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cases::Side;

    pub(super) fn declared_file(now: Timestamp) -> File {
        let declared = Declaration {
            name: FileName::try_from("log.txt".to_owned()).unwrap(),
            size: 11,
            content_type: MediaType::try_from("text/plain".to_owned()).unwrap(),
            sha256: Sha256Hex::try_from("0f".repeat(32)).unwrap(),
        };
        let author = Author { side: Side::Client, name: "Jonas Weber".to_owned() };
        let by = Uploader { user: "user-1".parse().unwrap(), author };
        let id = FileId::from_uuid(uuid::Uuid::from_u128(1));
        let case = Some(CaseId::from_uuid(uuid::Uuid::nil()));
        File::declare(id, AccountId::from_uuid(uuid::Uuid::nil()), case, declared, by, now)
    }

    fn now() -> Timestamp {
        "2026-11-30T08:00:00Z".parse().unwrap()
    }

    /// Every way to tell the states apart that a record can be in.
    fn states() -> Vec<File> {
        let pending = declared_file(now());
        let uploaded = pending.arrived(now()).unwrap();
        let scanning = uploaded.compared(Comparison::AsDeclared, now()).unwrap();
        let available = scanning.judged(Verdict::Clean, now()).unwrap();
        let rejected = scanning.judged(Verdict::Threat, now()).unwrap();
        vec![pending, uploaded, scanning, available, rejected]
    }

    #[test]
    fn case_f04_only_what_was_compared_and_found_clean_is_available() {
        for verdict in [Verdict::Clean, Verdict::Threat, Verdict::NotScannable] {
            for comparison in [Comparison::AsDeclared, Comparison::OtherContent, Comparison::OtherType] {
                let uploaded = declared_file(now()).arrived(now()).unwrap();
                let compared_first = uploaded
                    .compared(comparison, now())
                    .map(|file| file.judged(verdict, now()).unwrap_or(file));
                let judged_first = uploaded.judged(verdict, now()).unwrap().compared(comparison, now());
                let (one, other) = (compared_first.unwrap(), judged_first.unwrap());
                assert_eq!(one.state, other.state, "the order of the two does not matter");
                let good = verdict == Verdict::Clean && comparison == Comparison::AsDeclared;
                assert_eq!(one.is_available(), good, "{verdict:?} {comparison:?}");
            }
        }
    }

    #[test]
    fn each_look_happens_once() {
        for file in states() {
            let settled = matches!(file.state, FileState::Available { .. } | FileState::Rejected { .. });
            assert_eq!(file.arrived(now()).is_some(), file.is_pending());
            let awaited = matches!(file.state, FileState::Pending { .. } | FileState::Uploaded { .. });
            assert_eq!(file.compared(Comparison::AsDeclared, now()).is_some(), awaited);
            assert_eq!(file.judged(Verdict::Clean, now()).is_some(), !settled, "{:?}", file.state);
        }
        let early = declared_file(now()).judged(Verdict::Threat, now()).unwrap();
        assert_eq!(early.judged(Verdict::Clean, now()), None, "the first verdict counts");
    }

    #[test]
    fn what_is_to_be_erased_goes_no_further() {
        for file in states() {
            let condemned = file.to_be_erased(now()).unwrap();
            assert_eq!(condemned.arrived(now()), None);
            assert_eq!(condemned.compared(Comparison::AsDeclared, now()), None);
            assert_eq!(condemned.judged(Verdict::Clean, now()), None);
        }
    }

    #[test]
    fn each_write_counts() {
        let mut versions = states().into_iter().map(|file| file.version);
        assert!(versions.by_ref().take(4).eq(1..=4));
        let both = declared_file(now()).arrived(now()).unwrap().judged(Verdict::Clean, now()).unwrap();
        assert_eq!(both.compared(Comparison::AsDeclared, now()).unwrap().version, both.version + 1);
    }
}
