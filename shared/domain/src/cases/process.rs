//! How this consultancy's org works on cases: its own words, and what of them clients are shown.

use std::collections::BTreeSet;

use super::{CaseType, Status};
use crate::text::TextError;

/// Most types that clients choose from.
const TYPES_MAX: usize = 50;
/// What stands in the configuration for a list with nothing on it. Nothing at all is a mistake there.
const NONE: &str = "none";

/// What an org calls things. Every org has its own picklists, so nothing of this is fixed in the code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseProcess {
    /// The status of a new case, until an agent has picked it up (`CaseStatus.IsDefault`).
    pub new: String,
    /// The status that a client's "solved" sets; one that means closed.
    pub solved: String,
    /// The status that a client's "reopen" sets; one that means open.
    pub reopened: String,
    /// The types that clients choose from; a part of the picklist `Case.Type`, in the order of display.
    pub types: Vec<CaseType>,
    /// The fields that clients are shown. What is not among them never leaves the server.
    pub shown: BTreeSet<CaseField>,
}

/// A field of a case that staff may show to clients, or keep to themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CaseField {
    /// How urgent it is.
    Priority,
    /// What sort of request it is.
    Type,
    /// The contract that it is about.
    Contract,
    /// What was worked on it: each time entry on the timeline.
    Hours,
}

impl CaseField {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Priority, Self::Type, Self::Contract, Self::Hours];

    /// Its name in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Priority => "priority",
            Self::Type => "type",
            Self::Contract => "contract",
            Self::Hours => "hours",
        }
    }
}

/// Why a configuration is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProcessError {
    /// Not a type that a picklist could hold.
    #[error("the case type {0:?} {1}")]
    Type(String, TextError),
    /// More than a person would read through.
    #[error("more than {TYPES_MAX} case types")]
    TooManyTypes,
    /// Not a field that can be shown or hidden.
    #[error("{0:?} is not a case field that can be shown")]
    Field(String),
}

impl CaseProcess {
    /// Reads lists as they stand in the configuration: values separated by commas, or [`NONE`].
    ///
    /// # Errors
    /// [`ProcessError`] names the value that is wrong.
    pub fn new(
        new: &str,
        solved: &str,
        reopened: &str,
        types: &str,
        shown: &str,
    ) -> Result<Self, ProcessError> {
        let values =
            |list: &str| list.split(',').map(|value| value.trim().to_owned()).collect::<Vec<String>>();
        let filled = |list: &str| values(list).into_iter().filter(|value| !value.is_empty() && value != NONE);
        let types: Vec<CaseType> = filled(types)
            .map(|text| CaseType::try_from(text.clone()).map_err(|error| ProcessError::Type(text, error)))
            .collect::<Result<_, _>>()?;
        if types.len() > TYPES_MAX {
            return Err(ProcessError::TooManyTypes);
        }
        let field = |name: String| {
            let known = CaseField::ALL.into_iter().find(|field| field.name() == name);
            known.ok_or(ProcessError::Field(name))
        };
        Ok(Self {
            new: new.to_owned(),
            solved: solved.to_owned(),
            reopened: reopened.to_owned(),
            types,
            shown: filled(shown).map(field).collect::<Result<_, _>>()?,
        })
    }

    /// Whether clients are shown a field.
    pub fn shows(&self, field: CaseField) -> bool {
        self.shown.contains(&field)
    }

    pub(super) fn new_case(&self) -> Status {
        Status { label: self.new.clone(), closed: false }
    }

    pub(super) fn solved_case(&self) -> Status {
        Status { label: self.solved.clone(), closed: true }
    }

    pub(super) fn reopened_case(&self) -> Status {
        Status { label: self.reopened.clone(), closed: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_as_people_write_them() {
        let read = CaseProcess::new("New", "Closed", "Working", "Question, Problem,", "type,hours").unwrap();
        let types: Vec<&str> = read.types.iter().map(CaseType::as_str).collect();
        assert_eq!(types, ["Question", "Problem"]);
        assert!(read.shows(CaseField::Hours));
        assert!(!read.shows(CaseField::Priority));
        let nothing = CaseProcess::new("New", "Closed", "Working", "none", "none").unwrap();
        assert!(nothing.shown.is_empty() && nothing.types.is_empty());
    }

    #[test]
    fn a_field_that_nobody_knows_is_named() {
        let wrong = CaseProcess::new("New", "Closed", "Working", "", "margin");
        assert_eq!(wrong, Err(ProcessError::Field("margin".to_owned())));
    }
}
