//! Who is shown a file: at most those who see its case, and of them those whom it is for.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{
    UserId,
    people::{ClientRole, StaffRole, Viewer},
};

use super::{File, FileState};

/// Most people whom a file names.
pub const NAMED_MAX: usize = 50;

/// Whom of the account a file is for. Who uploaded it, managers and the consultancy see it whatever it says.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(tag = "for", rename_all = "snake_case")]
pub enum Visibility {
    /// Everybody who sees the case.
    #[default]
    Case,
    /// Managers only.
    Managers,
    /// Of those who see the case, these; at most [`NAMED_MAX`].
    Named {
        /// Who.
        people: BTreeSet<UserId>,
    },
}

impl Visibility {
    fn includes(&self, user: &UserId) -> bool {
        match self {
            Self::Case => true,
            Self::Managers => false,
            Self::Named { people } => people.contains(user),
        }
    }
}

impl File {
    /// Whether this person, who sees its case, is shown it and may download it.
    pub fn is_shown_to(&self, viewer: &Viewer) -> bool {
        self.is_available() && self.deleted.is_none() && self.erasure.is_none() && self.is_for(viewer)
    }

    /// Whether this person sees it on lists, be it only to see what became of it: who uploaded it sees it on its way
    /// and why it was refused, and who may bring a deleted one back sees that it is there.
    pub fn is_listed_for(&self, viewer: &Viewer) -> bool {
        if self.erasure.is_some() {
            return false;
        }
        match self.state {
            FileState::Available { .. } if self.deleted.is_some() => self.may_be_changed_by(viewer),
            FileState::Available { .. } => self.is_for(viewer),
            FileState::Pending { .. }
            | FileState::Uploaded { .. }
            | FileState::Scanning { .. }
            | FileState::Rejected { .. } => self.is_of(viewer),
        }
    }

    /// Whether this person, who sees its case, may say what it is and whom it is for, delete it and bring it back.
    pub fn may_be_changed_by(&self, viewer: &Viewer) -> bool {
        match viewer {
            Viewer::Client { role: ClientRole::Manager, .. } | Viewer::Staff { .. } => true,
            Viewer::Client { role: ClientRole::Member | ClientRole::Billing, .. } => self.is_of(viewer),
        }
    }

    /// Whether this person may have it erased for good: the consultancy's administrators, who answer such requests.
    pub fn may_be_erased_by(viewer: &Viewer) -> bool {
        matches!(viewer, Viewer::Staff { role: StaffRole::Admin, .. })
    }

    /// Whether this person uploaded it.
    pub fn is_of(&self, viewer: &Viewer) -> bool {
        self.uploaded_by == *viewer.user()
    }

    fn is_for(&self, viewer: &Viewer) -> bool {
        match viewer {
            Viewer::Client { role: ClientRole::Manager, .. } | Viewer::Staff { .. } => {
                // What belongs to no case yet is its uploader's alone.
                self.case.is_some() || self.is_of(viewer)
            }
            Viewer::Client { role: ClientRole::Member | ClientRole::Billing, user, .. } => {
                self.is_of(viewer) || (self.case.is_some() && self.visibility.includes(user))
            }
        }
    }
}
