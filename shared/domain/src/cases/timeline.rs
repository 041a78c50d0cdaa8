//! What happened on a case, and what people say on it.

use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};

use super::{Case, ClosingReason};
use crate::{
    EntryId, FileId, InvoiceId, Random,
    billing::{DisputeKind, Outcome, TimeEntry},
    files::File,
};

/// Most bytes (UTF-8) of a comment in the portal. Salesforce's `CaseComment.CommentBody` holds 4,000 bytes; what
/// is left goes to the name of the author and the files that the comment mentions.
pub const COMMENT_BYTES_MAX: usize = 3_600;
/// Most bytes (UTF-8) of `CaseComment.CommentBody`.
const SALESFORCE_COMMENT_BYTES_MAX: usize = 4_000;
/// Most bytes of an author's name in Salesforce's copy of a comment.
const NAME_BYTES_MAX: usize = 160;
/// What stands between the name of a client and what they said, in Salesforce's copy of it.
const VIA_THE_PORTAL: &str = " via the portal:\n\n";
/// Most files that one comment mentions.
pub const FILES_MENTIONED_MAX: usize = 10;

/// What somebody says on a case: Markdown, 1 to [`COMMENT_BYTES_MAX`] bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CommentText(String);

/// Why a text is not a comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CommentError {
    /// Nothing but white space.
    #[error("must not be empty")]
    Empty,
    /// More than Salesforce holds.
    #[error("must have at most {COMMENT_BYTES_MAX} bytes, has {0}; split it into several comments")]
    TooLong(usize),
    /// A control character that no keyboard types on purpose.
    #[error("must not contain control characters")]
    ControlCharacter,
}

impl CommentText {
    /// The text, as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for CommentText {
    type Error = CommentError;

    fn try_from(text: String) -> Result<Self, CommentError> {
        let text = text.replace("\r\n", "\n");
        let text = text.trim();
        if text.is_empty() {
            return Err(CommentError::Empty);
        }
        if text.chars().any(|c| c.is_control() && c != '\n' && c != '\t') {
            return Err(CommentError::ControlCharacter);
        }
        if text.len() > COMMENT_BYTES_MAX {
            return Err(CommentError::TooLong(text.len()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl From<CommentText> for String {
    fn from(text: CommentText) -> String {
        text.0
    }
}

/// On whose side somebody is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The client company.
    Client,
    /// The consultancy.
    Staff,
}

/// Who said something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Author {
    /// On whose side.
    pub side: Side,
    /// Their name.
    pub name: String,
}

/// A file that a comment speaks of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileMention {
    /// Which.
    pub file: FileId,
    /// Under which name.
    pub name: String,
}

/// One thing that happened on a case and that its client may know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Happening {
    /// The case was raised.
    Submitted,
    /// Salesforce gave the case its number.
    Numbered {
        /// The number.
        number: String,
    },
    /// Who raised the case put it in other words.
    Edited,
    /// The agent moved the case on.
    StatusChanged {
        /// The org's word before.
        from: String,
        /// The org's word now.
        to: String,
        /// Whether that means closed.
        closed: bool,
    },
    /// A client closed the case.
    Closed {
        /// Their name.
        by: String,
        /// Why.
        reason: ClosingReason,
    },
    /// A client opened the case again.
    Reopened {
        /// Their name.
        by: String,
    },
    /// Somebody said something in public.
    Commented {
        /// What was said.
        body: String,
        /// Who said it.
        author: Author,
        /// The files that it speaks of.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        files: Vec<FileMention>,
    },
    /// A file was added and can be downloaded.
    FileAdded {
        /// Which.
        file: FileId,
        /// Under which name.
        name: String,
        /// Which version of it: 1 is a new file.
        #[serde(default = "first_version", skip_serializing_if = "is_first_version")]
        revision: u32,
    },
    /// Hours were logged. Corrections replace the line.
    HoursLogged {
        /// Day of the work.
        worked_on: Date,
        /// Minutes, as logged.
        minutes: i64,
        /// Who worked.
        person: String,
        /// On what.
        description: String,
    },
    /// An invoice was issued for the case.
    Invoiced {
        /// Which.
        invoice: InvoiceId,
        /// Its number.
        number: String,
    },
    /// A client asked about a position of the case's invoice, or disputes it.
    Disputed {
        /// Which invoice.
        invoice: InvoiceId,
        /// Its number.
        number: String,
        /// The position, from 1.
        line: u16,
        /// What they want.
        wanted: DisputeKind,
        /// Their name.
        by: String,
    },
    /// That is over.
    DisputeClosed {
        /// Which invoice.
        invoice: InvoiceId,
        /// Its number.
        number: String,
        /// The position, from 1.
        line: u16,
        /// What the client wanted.
        wanted: DisputeKind,
        /// How it ended.
        outcome: Outcome,
    },
}

fn first_version() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_first_version(revision: &u32) -> bool {
    *revision == first_version()
}

impl Happening {
    /// That a file can be downloaded.
    pub fn of_file(file: &File) -> Self {
        Self::FileAdded {
            file: file.id,
            name: file.declared.name.as_str().to_owned(),
            revision: file.revision,
        }
    }

    /// The files that it names. Each has its own people, so whoever shows it has to look whether they may know.
    pub fn files(&self) -> Vec<FileId> {
        match self {
            Self::FileAdded { file, .. } => vec![*file],
            Self::Commented { files, .. } => files.iter().map(|mention| mention.file).collect(),
            Self::Submitted
            | Self::Numbered { .. }
            | Self::Edited
            | Self::StatusChanged { .. }
            | Self::Closed { .. }
            | Self::Reopened { .. }
            | Self::HoursLogged { .. }
            | Self::Invoiced { .. }
            | Self::Disputed { .. }
            | Self::DisputeClosed { .. } => Vec::new(),
        }
    }
}

/// One line of a case's timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimelineEntry {
    /// Unique within the case.
    pub id: EntryId,
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    #[serde(flatten)]
    pub happening: Happening,
}

impl TimelineEntry {
    /// A line about what happened just now. Its id and its time say the same, to the millisecond.
    pub fn new(happening: Happening, now: Timestamp, random: &Random) -> Self {
        Self { id: EntryId::new(now, random), at: now, happening }
    }

    /// The first line of every timeline. It follows from the case and is stored nowhere else.
    pub fn first_of(case: &Case) -> Self {
        let Case { id, created_at, .. } = case;
        Self { id: EntryId::first_of(*id), at: *created_at, happening: Happening::Submitted }
    }

    /// The line about a time entry: stands where the entry was made, and is replaced when it is corrected.
    pub fn of_hours(entry: &TimeEntry) -> Self {
        Self {
            id: entry.id,
            at: entry.created_at,
            happening: Happening::HoursLogged {
                worked_on: entry.worked_on,
                minutes: entry.minutes,
                person: entry.person.clone(),
                description: entry.description.clone(),
            },
        }
    }

    /// A comment as Salesforce has it, by the name that Salesforce gives its author. One that begins as the portal's
    /// do is a client's, whoever wrote it down.
    pub fn of_comment(id: EntryId, at: Timestamp, text: &str, author: &str) -> Self {
        let client = text.split_once(VIA_THE_PORTAL).filter(|(name, _)| !name.contains('\n'));
        let (side, name, body) = match client {
            Some((name, body)) => (Side::Client, name, body),
            None => (Side::Staff, author, text),
        };
        let author = Author { side, name: name.to_owned() };
        Self { id, at, happening: Happening::Commented { body: body.to_owned(), author, files: Vec::new() } }
    }

    /// What a client's comment says in Salesforce, where every comment of the portal is the integration user's:
    /// in the first line who wrote it, then the text, then the files. At most 4,000 bytes. `None` for what is
    /// not a comment.
    pub fn for_salesforce(&self) -> Option<String> {
        let Happening::Commented { body, author, files } = &self.happening else { return None };
        let mut text = format!("{}{VIA_THE_PORTAL}{body}", within(&author.name, NAME_BYTES_MAX));
        if !files.is_empty() {
            let names: Vec<&str> = files.iter().map(|mention| mention.name.as_str()).collect();
            let room = SALESFORCE_COMMENT_BYTES_MAX.saturating_sub(text.len());
            text.push_str(&within(&format!("\n\nFiles: {}", names.join(", ")), room));
        }
        Some(text)
    }
}

/// As much of the text as fits into so many bytes, with an ellipsis where something is missing.
fn within(text: &str, bytes: usize) -> String {
    const ELLIPSIS: &str = "…";
    if text.len() <= bytes {
        return text.to_owned();
    }
    let room = bytes.saturating_sub(ELLIPSIS.len());
    let end = (0..=room).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
    format!("{}{ELLIPSIS}", text.get(..end).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn comment(body: &str, name: &str, files: usize) -> TimelineEntry {
        let mention = |n: u128| FileMention {
            file: FileId::from_uuid(uuid::Uuid::from_u128(n)),
            name: "Protokoll-äöü-".repeat(30),
        };
        TimelineEntry {
            id: EntryId::from_uuid(uuid::Uuid::from_u128(9)),
            at: Timestamp::UNIX_EPOCH,
            happening: Happening::Commented {
                body: body.to_owned(),
                author: Author { side: Side::Client, name: name.to_owned() },
                files: (0..files).map(|n| mention(u128::try_from(n).unwrap())).collect(),
            },
        }
    }

    #[test]
    fn case_r07_a_comment_is_counted_in_bytes_not_in_characters() {
        let just_fits = "ä".repeat(COMMENT_BYTES_MAX / 2);
        assert!(CommentText::try_from(just_fits.clone()).is_ok());
        assert_eq!(CommentText::try_from(just_fits + "ä"), Err(CommentError::TooLong(COMMENT_BYTES_MAX + 2)));
        assert_eq!(CommentText::try_from(" \r\n ".to_owned()), Err(CommentError::Empty));
        assert_eq!(CommentText::try_from("a\u{1b}[0m".to_owned()), Err(CommentError::ControlCharacter));
    }

    #[test]
    fn case_r07_the_largest_comment_fits_into_salesforce_whatever_it_mentions() {
        let largest = comment(&"€".repeat(COMMENT_BYTES_MAX / 3), &"Ø".repeat(400), FILES_MENTIONED_MAX);
        let text = largest.for_salesforce().unwrap();
        assert!(text.len() <= SALESFORCE_COMMENT_BYTES_MAX, "{}", text.len());
        assert!(text.contains("€ via") || text.contains("… via the portal:"));
        assert!(text.contains("Files: Protokoll-") && text.ends_with('…'));
    }

    #[test]
    fn a_short_comment_reaches_salesforce_as_it_is() {
        let text = comment("It is **back**.", "Jonas Weber", 0).for_salesforce().unwrap();
        assert_eq!(text, "Jonas Weber via the portal:\n\nIt is **back**.");
        let back = TimelineEntry::of_comment(
            EntryId::from_uuid(uuid::Uuid::from_u128(9)),
            Timestamp::UNIX_EPOCH,
            &text,
            "Portal Integration",
        );
        assert_eq!(back, comment("It is **back**.", "Jonas Weber", 0));
        let agents = TimelineEntry::of_comment(back.id, back.at, "See\nyours via the portal:\n\nx", "Sam");
        assert!(
            matches!(agents.happening, Happening::Commented { author, .. } if author.side == Side::Staff)
        );
    }
}
