//! Large files go up in parts, so that a broken connection costs one part and not the whole.

use serde::{Deserialize, Serialize};

use super::{FileError, Sha256Hex};

/// Largest file that goes up in one piece.
pub const SINGLE_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Bytes of every part but the last. S3 wants at least 5 MiB; at 64 MiB the largest file has 80 parts.
pub const PART_BYTES: u64 = 64 * 1024 * 1024;
/// Most parts of one file: those of the largest.
pub const PARTS_MAX: usize = 80;

/// The store's name for an upload in parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MultipartId(pub String);

/// One part of an upload, as it was declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Counts from 1.
    pub number: u16,
    /// Bytes.
    pub size: u64,
    /// SHA-256 of its content.
    pub sha256: Sha256Hex,
}

/// A part as the store has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredPart {
    /// Counts from 1.
    pub number: u16,
    /// Bytes.
    pub size: u64,
    /// The store's mark of this content.
    pub e_tag: String,
    /// SHA-256 in base64, as the store checked it.
    pub sha256: Option<String>,
}

/// The parts that a file of this size is cut into, with the SHA-256 of each in order.
///
/// # Errors
/// [`FileError::Parts`] if there are not exactly as many hashes as parts.
pub fn cut(size: u64, hashes: &[Sha256Hex]) -> Result<Vec<Part>, FileError> {
    let expected = size.div_ceil(PART_BYTES);
    if u64::try_from(hashes.len()).ok() != Some(expected) {
        return Err(FileError::Parts { expected });
    }
    let mut left = size;
    let parts = (1_u16..).zip(hashes).map(|(number, sha256)| {
        let size = left.min(PART_BYTES);
        left = left.saturating_sub(size);
        Part { number, size, sha256: sha256.clone() }
    });
    Ok(parts.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hashes(count: usize) -> Vec<Sha256Hex> {
        (0..count).map(|n| Sha256Hex::try_from(format!("{n:064x}")).unwrap()).collect()
    }

    #[test]
    fn a_file_is_cut_into_full_parts_and_a_rest() {
        let sizes = |size: u64, count: usize| {
            cut(size, &hashes(count)).map(|parts| parts.iter().map(|part| part.size).collect::<Vec<_>>())
        };
        assert_eq!(sizes(PART_BYTES * 2, 2), Ok(vec![PART_BYTES, PART_BYTES]));
        assert_eq!(sizes(PART_BYTES + 1, 2), Ok(vec![PART_BYTES, 1]));
        assert_eq!(sizes(PART_BYTES + 1, 1), Err(FileError::Parts { expected: 2 }));
        assert_eq!(sizes(PART_BYTES, 2), Err(FileError::Parts { expected: 1 }));
        assert_eq!(cut(super::super::FILE_BYTES_MAX, &hashes(PARTS_MAX)).unwrap().len(), PARTS_MAX);
    }
}
