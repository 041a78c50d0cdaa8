//! Files and archives of them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use portico_domain::{
    files::{
        Archive, ArchiveFailure, ArchiveState, File, FileState, Rejection, Space, UNDO_WINDOW, Visibility,
    },
    people::Viewer,
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{AuthorView, StoreRequest};

/// Where a file stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = FileState)]
#[serde(rename_all = "snake_case")]
pub enum FileStateView {
    /// Its content is awaited.
    Pending,
    /// The store has it; it is being held against what was declared.
    Uploaded,
    /// It is what was declared; it is being looked at by a scanner.
    Scanning,
    /// It can be downloaded.
    Available,
    /// It never can be.
    Rejected,
}

/// Why a file was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = FileRejection)]
#[serde(rename_all = "snake_case")]
pub enum RejectionView {
    /// Its bytes are not those that were declared.
    ContentDiffers,
    /// Its content is not of the declared media type.
    TypeDiffers,
    /// The scanner found malware in it.
    Threat,
    /// The scanner cannot look into it: encrypted, packed too deep, or too large.
    NotScannable,
}

impl From<Rejection> for RejectionView {
    fn from(reason: Rejection) -> Self {
        match reason {
            Rejection::ContentDiffers => Self::ContentDiffers,
            Rejection::TypeDiffers => Self::TypeDiffers,
            Rejection::Threat => Self::Threat,
            Rejection::NotScannable => Self::NotScannable,
        }
    }
}

/// Whom a file is for. Who uploaded it, managers and the consultancy see it in any case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = FileVisibility)]
#[serde(tag = "for", rename_all = "snake_case")]
pub enum VisibilityView {
    /// Everybody who sees the case.
    Case,
    /// Managers only.
    Managers,
    /// These of those who see the case.
    Named {
        /// Their user ids.
        people: Vec<String>,
    },
}

impl From<&Visibility> for VisibilityView {
    fn from(visibility: &Visibility) -> Self {
        match visibility {
            Visibility::Case => Self::Case,
            Visibility::Managers => Self::Managers,
            Visibility::Named { people } => {
                Self::Named { people: people.iter().map(ToString::to_string).collect() }
            }
        }
    }
}

/// One version of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = File)]
pub struct FileView {
    /// The portal's id of this version.
    #[schema(pattern = "^file_[0-9a-f]{32}$", example = "file_01993b8e5c6a7d2f8b1e4a9c0d3f6e72")]
    pub id: String,
    /// The case that it belongs to; absent while it is staged for one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(pattern = "^case_[0-9a-f]{32}$")]
    pub case: Option<String>,
    /// Name as it was given. Text: never a path, and never markup.
    pub name: String,
    /// Bytes.
    #[schema(minimum = 1, maximum = 5368709120_u64)]
    pub size: u64,
    /// Media type as declared.
    pub content_type: String,
    /// SHA-256 of the content, hexadecimal.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    pub sha256: String,
    /// Where it stands.
    pub state: FileStateView,
    /// Why it was not taken, if it was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rejection: Option<RejectionView>,
    /// Whether it can be downloaded.
    pub available: bool,
    /// Which version it is, from 1 in the order in which they became available.
    #[schema(minimum = 1)]
    pub version: u32,
    /// The version after it; absent if it is the latest.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(pattern = "^file_[0-9a-f]{32}$")]
    pub superseded_by: Option<String>,
    /// What sort of file it is, in the consultancy's word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// Whom it is for.
    pub visibility: VisibilityView,
    /// Who uploaded it.
    pub uploaded_by: AuthorView,
    /// When it was declared.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// Who deleted it, if somebody did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deleted_by: Option<AuthorView>,
    /// Until when it can be brought back, if it is deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub restorable_until: Option<Timestamp>,
    /// Whether the caller may say what it is and whom it is for, delete it and bring it back.
    pub changeable: bool,
}

impl FileView {
    /// What this person is shown of a file that they may see.
    pub fn new(file: &File, viewer: &Viewer) -> Self {
        let (state, rejection) = match file.state {
            FileState::Pending { .. } => (FileStateView::Pending, None),
            FileState::Uploaded { .. } => (FileStateView::Uploaded, None),
            FileState::Scanning { .. } => (FileStateView::Scanning, None),
            FileState::Available { .. } => (FileStateView::Available, None),
            FileState::Rejected { reason, .. } => (FileStateView::Rejected, Some(reason.into())),
        };
        Self {
            id: file.id.to_string(),
            case: file.case.as_ref().map(ToString::to_string),
            name: file.declared.name.as_str().to_owned(),
            size: file.declared.size,
            content_type: file.declared.content_type.as_str().to_owned(),
            sha256: file.declared.sha256.as_str().to_owned(),
            state,
            rejection,
            available: file.is_available() && file.deleted.is_none(),
            version: file.revision,
            superseded_by: file.superseded_by.as_ref().map(ToString::to_string),
            category: file.category.clone().map(String::from),
            visibility: VisibilityView::from(&file.visibility),
            uploaded_by: AuthorView::from(&file.author),
            created_at: file.created_at,
            deleted_by: file.deleted.as_ref().map(|deletion| AuthorView::from(&deletion.by)),
            restorable_until: file
                .deleted
                .as_ref()
                .and_then(|deletion| deletion.at.checked_add(UNDO_WINDOW).ok()),
            changeable: file.may_be_changed_by(viewer),
        }
    }
}

/// A number of files and their bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Space)]
pub struct SpaceView {
    /// Files.
    pub files: u64,
    /// Bytes of them together.
    pub bytes: u64,
}

impl From<Space> for SpaceView {
    fn from(space: Space) -> Self {
        Self { files: space.files, bytes: space.bytes }
    }
}

/// Where an archive stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ArchiveState)]
#[serde(rename_all = "snake_case")]
pub enum ArchiveStateView {
    /// It was asked for.
    Requested,
    /// It is being put together.
    Assembling,
    /// It can be downloaded.
    Ready,
    /// It could be downloaded.
    Lapsed,
    /// There is none, and never will be.
    Failed,
}

/// Why there is no archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ArchiveFailure)]
#[serde(rename_all = "snake_case")]
pub enum ArchiveFailureView {
    /// There is no file that the caller may see.
    NoFiles,
    /// The caller may not see the case any more.
    AccessEnded,
    /// Something went wrong on our side. Ask for another one.
    Broken,
}

/// An archive of all files of a case that the one who asked for it may see.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Archive)]
pub struct ArchiveView {
    /// The portal's id.
    #[schema(pattern = "^arch_[0-9a-f]{32}$", example = "arch_01993b8e5c6a7d2f8b1e4a9c0d3f6e72")]
    pub id: String,
    /// The case whose files are in it.
    #[schema(pattern = "^case_[0-9a-f]{32}$")]
    pub case: String,
    /// Where it stands.
    pub state: ArchiveStateView,
    /// Why there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<ArchiveFailureView>,
    /// What will be in it, once that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub whole: Option<SpaceView>,
    /// What is in it by now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub done: Option<SpaceView>,
    /// Bytes of the archive itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// When it was asked for.
    #[schema(value_type = String, format = DateTime)]
    pub requested_at: Timestamp,
    /// Until when it can be downloaded.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub downloadable_until: Option<Timestamp>,
    /// Send this to the store to download it; a new one is there for the asking as long as it can be downloaded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub download: Option<StoreRequest>,
}

impl ArchiveView {
    /// An archive as it stands now, with a way to download it if there is one.
    pub fn new(archive: &Archive, download: Option<StoreRequest>, now: Timestamp) -> Self {
        let archive = archive.as_of(now);
        let until = archive.downloadable_until().filter(|until| *until > now);
        let (state, failure, whole, done, size) = match archive.state {
            ArchiveState::Requested => (ArchiveStateView::Requested, None, None, None, None),
            ArchiveState::Assembling { whole, done } => {
                (ArchiveStateView::Assembling, None, Some(whole), Some(done), None)
            }
            ArchiveState::Ready { whole, size, .. } => {
                let state = if until.is_some() { ArchiveStateView::Ready } else { ArchiveStateView::Lapsed };
                (state, None, Some(whole), Some(whole), Some(size))
            }
            ArchiveState::Failed { reason, .. } => {
                let failure = match reason {
                    ArchiveFailure::NoFiles => ArchiveFailureView::NoFiles,
                    ArchiveFailure::AccessEnded => ArchiveFailureView::AccessEnded,
                    ArchiveFailure::Broken => ArchiveFailureView::Broken,
                };
                (ArchiveStateView::Failed, Some(failure), None, None, None)
            }
        };
        Self {
            id: archive.id.to_string(),
            case: archive.case.to_string(),
            state,
            failure,
            whole: whole.map(SpaceView::from),
            done: done.map(SpaceView::from),
            size,
            requested_at: archive.requested_at,
            downloadable_until: until,
            download,
        }
    }
}

/// The room that files take and the room that there is, and what was done in a month.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Usage)]
pub struct UsageView {
    /// What the account's files take, versions, uploads under way and deleted ones that can be brought back among them.
    pub space: SpaceView,
    /// Most bytes that they may take.
    pub bytes_max: u64,
    /// Most files of one case, and most bytes of them.
    pub case_max: SpaceView,
    /// Most bytes of one file.
    pub file_bytes_max: u64,
    /// How often what was done in this month (UTC), by the names of the audit trail.
    pub acts: BTreeMap<String, u64>,
}
