//! Files: declared by the client, kept by the store under a key of ours, shown once they are really there.

mod links;
mod parts;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    AccountId, CaseId, FileId, SalesforceId, UserId,
    text::{Line, TextError},
};

pub use links::PresignedRequest;
pub use parts::{MultipartId, PART_BYTES, PARTS_MAX, Part, SINGLE_BYTES_MAX, StoredPart, cut};

/// Most characters of a file's name.
pub const FILE_NAME_MAX: usize = 1_000;
/// Most bytes of one file: what S3 takes in a single PUT.
pub const FILE_BYTES_MAX: u64 = 5 * 1024 * 1024 * 1024;
/// How long a client may take from asking for an upload link to having used it.
pub const UPLOAD_WINDOW: SignedDuration = SignedDuration::from_mins(15);
/// How long a download link works. It is handed to a browser that follows it at once.
pub const DOWNLOAD_WINDOW: SignedDuration = SignedDuration::from_mins(5);

/// The name that the client gave. Text to show, never a path and never a key.
pub type FileName = Line<FILE_NAME_MAX>;

/// SHA-256 of a file's content: 64 lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Sha256Hex(String);

impl Sha256Hex {
    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The 32 bytes.
    pub fn bytes(&self) -> Vec<u8> {
        let digit = |b: u8| match b {
            b'0'..=b'9' => b - b'0',
            _ => b.wrapping_sub(b'a').wrapping_add(10),
        };
        self.0.as_bytes().chunks_exact(2).map(|pair| pair.iter().fold(0, |n, b| n << 4 | digit(*b))).collect()
    }
}

impl TryFrom<String> for Sha256Hex {
    type Error = FileError;

    fn try_from(text: String) -> Result<Self, FileError> {
        let digits = text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if digits { Ok(Self(text)) } else { Err(FileError::Sha256) }
    }
}

impl From<Sha256Hex> for String {
    fn from(hash: Sha256Hex) -> String {
        hash.0
    }
}

/// A media type such as `image/png`: type, slash, subtype, no parameters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MediaType(String);

impl MediaType {
    /// Longest media type that is taken (RFC 6838 allows 127 characters on each side of the slash).
    pub const MAX_LENGTH: usize = 255;

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for MediaType {
    type Error = FileError;

    fn try_from(text: String) -> Result<Self, FileError> {
        let name = |part: &str| {
            part.starts_with(|c: char| c.is_ascii_alphanumeric())
                && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b))
        };
        let text = text.to_ascii_lowercase();
        match text.split_once('/') {
            Some((kind, subtype)) if text.len() <= Self::MAX_LENGTH && name(kind) && name(subtype) => {
                Ok(Self(text))
            }
            _ => Err(FileError::MediaType),
        }
    }
}

impl From<MediaType> for String {
    fn from(media_type: MediaType) -> String {
        media_type.0
    }
}

/// Why a file is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// The name is not one.
    #[error("{0}")]
    Name(TextError),
    /// Nothing in it.
    #[error("must not be empty")]
    Empty,
    /// More than the store takes.
    #[error("must have at most {FILE_BYTES_MAX} bytes")]
    TooLarge,
    /// Not a media type.
    #[error("must be a media type such as image/png, without parameters")]
    MediaType,
    /// Not one SHA-256 for each part.
    #[error("must hold the SHA-256 of each part of 64 MiB, {expected} of them, in order")]
    Parts {
        /// How many there have to be.
        expected: u64,
    },
    /// Not a SHA-256 in hexadecimal.
    #[error("must be 64 lower-case hexadecimal digits")]
    Sha256,
}

/// What the client says it is about to upload. The upload link holds the store to every word of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Declaration {
    /// Name as the client has it.
    pub name: FileName,
    /// Bytes, 1 to [`FILE_BYTES_MAX`].
    pub size: u64,
    /// Media type.
    pub content_type: MediaType,
    /// SHA-256 of the content.
    pub sha256: Sha256Hex,
}

impl Declaration {
    /// A size that the store takes.
    ///
    /// # Errors
    /// [`FileError`] if it is none.
    pub fn checked_size(size: u64) -> Result<u64, FileError> {
        match size {
            0 => Err(FileError::Empty),
            1..=FILE_BYTES_MAX => Ok(size),
            _ => Err(FileError::TooLarge),
        }
    }
}

/// Where a file stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum FileState {
    /// A link was given, the content has not arrived. Shown to nobody.
    Pending {
        /// When the link stops working.
        until: Timestamp,
    },
    /// The content is in the store and is what was declared.
    Available {
        /// Since when.
        since: Timestamp,
    },
}

/// A file of a case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// The portal's id.
    pub id: FileId,
    /// Whose file it is.
    pub account: AccountId,
    /// The case that it belongs to.
    pub case: CaseId,
    /// What the client said about it.
    #[serde(flatten)]
    pub declared: Declaration,
    /// Where it stands.
    #[serde(flatten)]
    pub state: FileState,
    /// Who uploads it.
    pub uploaded_by: UserId,
    /// When the upload link was asked for.
    pub created_at: Timestamp,
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
        case: CaseId,
        declared: Declaration,
        by: UserId,
        now: Timestamp,
    ) -> Self {
        let until = now.saturating_add(UPLOAD_WINDOW).unwrap_or(now);
        Self {
            id,
            account,
            case,
            declared,
            state: FileState::Pending { until },
            uploaded_by: by,
            created_at: now,
            salesforce_id: None,
            version: 1,
        }
    }

    /// The content has arrived. `None` if that was known already.
    pub fn arrived(&self, now: Timestamp) -> Option<Self> {
        match self.state {
            FileState::Available { .. } => None,
            FileState::Pending { .. } => Some(Self {
                state: FileState::Available { since: now },
                version: self.version + 1,
                ..self.clone()
            }),
        }
    }

    /// Whether people may see and download it.
    pub fn is_available(&self) -> bool {
        matches!(self.state, FileState::Available { .. })
    }

    /// Its key in the bucket: ours alone, nothing of the client's in it.
    pub fn key(&self) -> ObjectKey {
        ObjectKey { account: self.account, file: self.id }
    }
}

/// Where a file lies in the bucket: `accounts/{account}/files/{file}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ObjectKey {
    /// Whose file it is.
    pub account: AccountId,
    /// Which file it is.
    pub file: FileId,
}

impl std::fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "accounts/{}/files/{}", self.account, self.file)
    }
}

/// The key is not one that the portal gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a key of the portal")]
pub struct ForeignKey;

impl std::str::FromStr for ObjectKey {
    type Err = ForeignKey;

    fn from_str(key: &str) -> Result<Self, ForeignKey> {
        let (account, file) =
            key.strip_prefix("accounts/").and_then(|rest| rest.split_once("/files/")).ok_or(ForeignKey)?;
        Ok(Self {
            account: account.parse().map_err(|_| ForeignKey)?,
            file: file.parse().map_err(|_| ForeignKey)?,
        })
    }
}

/// `Content-Disposition` for a download (RFC 6266): always an attachment, under a name that no file system
/// and no screen can be fooled by. The name as given follows in the extended form, percent-encoded.
pub fn content_disposition(name: &FileName) -> String {
    // Characters that turn text around or hide it would let "gpj.exe" look like "exe.jpg".
    let hidden = |c: char| matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
    let safe: String = name
        .as_str()
        .chars()
        .filter(|c| !hidden(*c))
        .map(|c| if r#"/\:*?"<>|"#.contains(c) { '_' } else { c })
        .take(200)
        .collect();
    let safe = safe.trim_matches(|c: char| c == '.' || c == ' ');
    let safe = if safe.is_empty() { "file" } else { safe };
    let ascii: String =
        safe.chars().map(|c| if c.is_ascii_graphic() && c != '%' || c == ' ' { c } else { '_' }).collect();
    let mut extended = String::new();
    for byte in safe.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                extended.push(char::from(byte))
            }
            _ => extended.push_str(&format!("%{byte:02X}")),
        }
    }
    format!("attachment; filename=\"{ascii}\"; filename*=UTF-8''{extended}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_read_back_and_nothing_else_does() {
        let key = ObjectKey {
            account: AccountId::from_uuid(uuid::Uuid::from_u128(1)),
            file: FileId::from_uuid(uuid::Uuid::from_u128(2)),
        };
        assert_eq!(key.to_string().parse(), Ok(key));
        for foreign in ["", "accounts/x/files/y", "accounts/../files/..", "invoices/1.pdf"] {
            assert_eq!(foreign.parse::<ObjectKey>(), Err(ForeignKey), "{foreign}");
        }
        assert_eq!(format!("{key}/../x").parse::<ObjectKey>(), Err(ForeignKey));
    }

    #[test]
    fn case_f02_names_are_disarmed_in_the_download_header() {
        let header = |name: &str| content_disposition(&FileName::try_from(name.to_owned()).unwrap());
        assert_eq!(header("log.txt"), "attachment; filename=\"log.txt\"; filename*=UTF-8''log.txt");
        assert_eq!(
            header("../../etc/\"passwd\""),
            "attachment; filename=\"_.._etc__passwd_\"; filename*=UTF-8''_.._etc__passwd_"
        );
        assert_eq!(
            header("Prüfung\u{202e}gpj.exe"),
            "attachment; filename=\"Pr_funggpj.exe\"; filename*=UTF-8''Pr%C3%BCfunggpj.exe"
        );
        assert_eq!(header("..."), "attachment; filename=\"file\"; filename*=UTF-8''file");
        assert!(FileName::try_from("a\r\nSet-Cookie: x".to_owned()).is_err());
    }

    #[test]
    fn declarations_are_bounded() {
        assert_eq!(MediaType::try_from("Image/PNG".to_owned()).unwrap().as_str(), "image/png");
        for bad in ["", "png", "image/", "/png", "image/png; charset=x", "image/p ng", "image//png"] {
            assert_eq!(MediaType::try_from(bad.to_owned()), Err(FileError::MediaType), "{bad}");
        }
        assert_eq!(Sha256Hex::try_from("0f".repeat(32)).unwrap().bytes(), vec![0x0f; 32]);
        assert!(Sha256Hex::try_from("0F".repeat(32)).is_err());
    }
}
