//! How much the consultancy lets its clients keep, under which categories, and for how long.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::{Declaration, FILE_BYTES_MAX};
use crate::text::Line;

/// Most files of one case, whatever the settings say: what one archive and one reading of a case's files hold.
pub const CASE_FILES_MAX: u64 = 5_000;
/// Longest retention: a century, so that no date runs over.
const RETENTION_DAYS_MAX: u32 = 36_500;

/// What sort of file it is, in the consultancy's word.
pub type Category = Line<40>;

/// How many files there are and how many bytes they have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Space {
    /// Files, uploads under way among them.
    #[serde(default)]
    pub files: u64,
    /// Bytes.
    #[serde(default)]
    pub bytes: u64,
}

impl Space {
    /// What these files take.
    pub fn of<'a>(declared: impl IntoIterator<Item = &'a Declaration>) -> Self {
        declared.into_iter().fold(Self::default(), |space, declared| Self {
            files: space.files.saturating_add(1),
            bytes: space.bytes.saturating_add(declared.size),
        })
    }
}

/// What does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoRoom {
    /// The case has as many files, or as much of them, as one case may.
    #[error("the case has no room for it: a case holds {files} files with {bytes} bytes together")]
    InCase {
        /// Files that a case may have.
        files: u64,
        /// Bytes that they may have together.
        bytes: u64,
    },
    /// The account has as much as one account may.
    #[error("the account has no room for it: an account holds {bytes} bytes")]
    InAccount {
        /// Bytes that its files may have together.
        bytes: u64,
    },
}

/// The consultancy's choices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileRules {
    /// Most bytes of one file.
    pub file_bytes: u64,
    /// What one case may have.
    pub case: Space,
    /// Most bytes of an account's files.
    pub account_bytes: u64,
    /// The categories that there are.
    pub categories: Vec<Category>,
    /// How long after its case was closed a file is kept; for ever if absent.
    pub retention: Option<SignedDuration>,
}

/// Why the settings are none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FileRulesError {
    /// Not a number in its range.
    #[error("{name} must be a whole number from 1 to {max}")]
    Number {
        /// The setting.
        name: &'static str,
        /// The largest.
        max: u64,
    },
    /// Not a list of short words.
    #[error("FILE_CATEGORIES must be words of 1 to 40 characters, separated by commas, or none")]
    Categories,
}

/// The settings as text, by name.
#[derive(Debug, Clone, Copy)]
pub struct FileSettings<'a> {
    /// `FILE_BYTES_MAX`.
    pub file_bytes: &'a str,
    /// `CASE_FILES_MAX`.
    pub case_files: &'a str,
    /// `CASE_FILES_BYTES_MAX`.
    pub case_bytes: &'a str,
    /// `ACCOUNT_FILES_BYTES_MAX`.
    pub account_bytes: &'a str,
    /// `FILE_CATEGORIES`: words separated by commas, or `none`.
    pub categories: &'a str,
    /// `FILE_RETENTION_DAYS`: days, or `none`.
    pub retention_days: &'a str,
}

impl FileRules {
    /// The rules that the settings make.
    ///
    /// # Errors
    /// [`FileRulesError`] names the first setting that is none.
    pub fn new(settings: FileSettings<'_>) -> Result<Self, FileRulesError> {
        let number = |name, text: &str, max: u64| {
            let read = text.trim().parse().ok().filter(|number| (1..=max).contains(number));
            read.ok_or(FileRulesError::Number { name, max })
        };
        let retention = match settings.retention_days.trim() {
            "none" => None,
            text => {
                let days = number("FILE_RETENTION_DAYS", text, u64::from(RETENTION_DAYS_MAX))?;
                let hours = i64::try_from(days).unwrap_or_default().saturating_mul(24);
                Some(SignedDuration::from_hours(hours))
            }
        };
        let categories = match settings.categories.trim() {
            "none" => Vec::new(),
            text => text
                .split(',')
                .map(|word| Category::try_from(word.to_owned()).map_err(|_| FileRulesError::Categories))
                .collect::<Result<_, _>>()?,
        };
        let whole = i64::MAX.unsigned_abs();
        Ok(Self {
            file_bytes: number("FILE_BYTES_MAX", settings.file_bytes, FILE_BYTES_MAX)?,
            case: Space {
                files: number("CASE_FILES_MAX", settings.case_files, CASE_FILES_MAX)?,
                bytes: number("CASE_FILES_BYTES_MAX", settings.case_bytes, whole)?,
            },
            account_bytes: number("ACCOUNT_FILES_BYTES_MAX", settings.account_bytes, whole)?,
            categories,
            retention,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: FileSettings<'static> = FileSettings {
        file_bytes: "5368709120",
        case_files: "2000",
        case_bytes: "21474836480",
        account_bytes: "1099511627776",
        categories: "Log, Screenshot",
        retention_days: "none",
    };

    #[test]
    fn settings_become_rules() {
        let rules = FileRules::new(SETTINGS).unwrap();
        assert_eq!(rules.case, Space { files: 2_000, bytes: 20 << 30 });
        assert_eq!(rules.categories.iter().map(Category::as_str).collect::<Vec<_>>(), ["Log", "Screenshot"]);
        assert_eq!(rules.retention, None);
        let kept = FileRules::new(FileSettings { retention_days: "365", categories: "none", ..SETTINGS });
        let kept = kept.unwrap();
        assert_eq!(kept.retention, Some(SignedDuration::from_hours(365 * 24)));
        assert!(kept.categories.is_empty());
    }

    #[test]
    fn settings_that_are_none_are_named() {
        for (settings, name) in [
            (FileSettings { file_bytes: "5368709121", ..SETTINGS }, "FILE_BYTES_MAX"),
            (FileSettings { case_files: "0", ..SETTINGS }, "CASE_FILES_MAX"),
            (FileSettings { case_bytes: "many", ..SETTINGS }, "CASE_FILES_BYTES_MAX"),
            (FileSettings { account_bytes: "-1", ..SETTINGS }, "ACCOUNT_FILES_BYTES_MAX"),
            (FileSettings { retention_days: "36501", ..SETTINGS }, "FILE_RETENTION_DAYS"),
            (FileSettings { categories: "Log,,", ..SETTINGS }, "FILE_CATEGORIES"),
        ] {
            assert!(FileRules::new(settings).unwrap_err().to_string().contains(name));
        }
    }
}
