//! What a client says of a file before the store has it. The upload link holds the store to every word of it.

use serde::{Deserialize, Serialize};

use super::{FileName, NameError};

/// Most bytes of one file: what S3 takes in a single PUT.
pub const FILE_BYTES_MAX: u64 = 5 * 1024 * 1024 * 1024;

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
    Name(NameError),
    /// Nothing in it.
    #[error("must not be empty")]
    Empty,
    /// More than the store takes.
    #[error("must have at most {FILE_BYTES_MAX} bytes")]
    TooLarge,
    /// More than the consultancy takes.
    #[error("must have at most {most} bytes")]
    OverLimit {
        /// Most bytes of a file.
        most: u64,
    },
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
    /// A size that the store takes, and the consultancy.
    ///
    /// # Errors
    /// [`FileError`] if it is none.
    pub fn checked_size(size: u64, most: u64) -> Result<u64, FileError> {
        match size {
            0 => Err(FileError::Empty),
            1..=FILE_BYTES_MAX if size <= most => Ok(size),
            1..=FILE_BYTES_MAX => Err(FileError::OverLimit { most }),
            _ => Err(FileError::TooLarge),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declarations_are_bounded() {
        assert_eq!(MediaType::try_from("Image/PNG".to_owned()).unwrap().as_str(), "image/png");
        for bad in ["", "png", "image/", "/png", "image/png; charset=x", "image/p ng", "image//png"] {
            assert_eq!(MediaType::try_from(bad.to_owned()), Err(FileError::MediaType), "{bad}");
        }
        assert_eq!(Sha256Hex::try_from("0f".repeat(32)).unwrap().bytes(), vec![0x0f; 32]);
        assert!(Sha256Hex::try_from("0F".repeat(32)).is_err());
    }

    #[test]
    fn case_f05_sizes_from_one_byte_to_five_gibibytes() {
        let checked = |size| Declaration::checked_size(size, FILE_BYTES_MAX);
        assert_eq!(checked(0), Err(FileError::Empty));
        assert_eq!(checked(1), Ok(1));
        assert_eq!(checked(200 * 1024 * 1024), Ok(200 * 1024 * 1024));
        assert_eq!(checked(FILE_BYTES_MAX), Ok(FILE_BYTES_MAX));
        assert_eq!(checked(FILE_BYTES_MAX + 1), Err(FileError::TooLarge));
        assert_eq!(Declaration::checked_size(11, 10), Err(FileError::OverLimit { most: 10 }));
    }
}
