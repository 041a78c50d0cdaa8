//! The four changes: who may make them, when they make sense, and what they do to each version of the file.

use jiff::Timestamp;
use portico_domain::{
    CaseId, FileId,
    cases::Author,
    events::Fact,
    files::{Category, File, Visibility},
    people::Viewer,
};
use portico_http::{Kind, Problem};

/// What somebody wants to be changed on a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    /// It is said to be something else, or to be for others; what is `None` stays as it is.
    Relabel { category: Option<Category>, visibility: Option<Visibility> },
    /// It goes, and can be brought back.
    Delete,
    /// It comes back.
    Restore,
    /// It goes for good.
    Erase,
}

impl Change {
    /// Whether this person, who sees the file, may have it changed like this.
    pub(crate) fn permit(&self, file: &File, viewer: &Viewer) -> Result<(), Problem> {
        match self {
            Self::Relabel { .. } | Self::Delete | Self::Restore => permit_changes(file, viewer),
            Self::Erase if File::may_be_erased_by(viewer) => Ok(()),
            Self::Erase => {
                let detail = "Only administrators of the consultancy erase files for good.";
                Err(Problem::new(Kind::Forbidden).because(detail))
            }
        }
    }

    /// Whether the file is far enough for it.
    pub(crate) fn await_state(&self, file: &File) -> Result<(), Problem> {
        if file.is_available() {
            return Ok(());
        }
        match self {
            // What is said of a new version before it is one, it does not keep: it takes over what holds for the file.
            Self::Relabel { .. } if file.replaces.is_none() => Ok(()),
            Self::Relabel { .. } | Self::Delete | Self::Restore | Self::Erase => Err(not_there()),
        }
    }

    /// The next version of the record; `None` if it is so already.
    pub(crate) fn make(&self, file: &File, by: &Author, now: Timestamp) -> Option<File> {
        match self {
            Self::Relabel { category, visibility } => file.relabelled(
                category.clone().or_else(|| file.category.clone()),
                visibility.clone().unwrap_or_else(|| file.visibility.clone()),
            ),
            Self::Delete => file.deleted(by.clone(), now),
            Self::Restore => file.restored(),
            Self::Erase => file.to_be_erased(now),
        }
    }

    /// What others have to know.
    pub(crate) fn fact(&self, case: CaseId, file: FileId) -> Fact {
        match self {
            Self::Relabel { .. } => Fact::FileRelabelled { case, file },
            Self::Delete => Fact::FileDeleted { case, file },
            Self::Restore => Fact::FileRestored { case, file },
            Self::Erase => Fact::FileErasureRequested { case, file },
        }
    }
}

/// Whether this person, who sees the file, may change it otherwise than for good.
pub(crate) fn permit_changes(file: &File, viewer: &Viewer) -> Result<(), Problem> {
    if file.may_be_changed_by(viewer) {
        return Ok(());
    }
    let detail = "A file is changed by who uploaded it, by managers and by the consultancy.";
    Err(Problem::new(Kind::Forbidden).because(detail))
}

/// The file is not available yet, or never will be.
fn not_there() -> Problem {
    let detail = "The file is not available. While its content is awaited, the upload can be given up; what is being \
                  looked at can be changed once that is done; what was refused goes by itself.";
    Problem::new(Kind::WrongState).because(detail)
}
