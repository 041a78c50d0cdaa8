//! What the store says of an object without giving it out.

use aws_sdk_s3::types::ChecksumMode;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use portico_domain::files::{Part, Sha256Hex, StoredPart};
use sha2::{Digest as _, Sha256};

use super::{Bucket, ObjectError, failed, links::base64};

/// What the store says of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectFacts {
    /// Bytes.
    pub size: u64,
    /// The SHA-256 that the store checked at the upload, if it checked one.
    pub checksum: Option<Checksum>,
    /// Media type.
    pub content_type: Option<String>,
}

/// A SHA-256 that the store checked itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Checksum {
    /// Of the content, in base64.
    Whole(String),
    /// Of an object that was joined from parts. The store never saw the SHA-256 of its content, only that of each part.
    Parts {
        /// SHA-256 over the SHA-256s of the parts one after the other, in base64.
        sha256: String,
        /// How many parts.
        count: usize,
    },
}

impl Checksum {
    /// What the store says of an object with this content that was uploaded in one piece.
    pub fn of_whole(sha256: &Sha256Hex) -> Self {
        Self::Whole(base64(sha256))
    }

    /// What the store says of an object that was joined from exactly these parts, in their order.
    pub fn of_parts(parts: &[Part]) -> Self {
        Self::over(parts.iter().map(|part| part.sha256.bytes()))
    }

    /// As [`Checksum::of_parts`], by what the store said of each; `None` if it did not of one.
    pub(super) fn of_stored(parts: &[StoredPart]) -> Option<Self> {
        let bytes = |part: &StoredPart| BASE64_STANDARD.decode(part.sha256.as_ref()?).ok();
        Some(Self::over(parts.iter().map(bytes).collect::<Option<Vec<_>>>()?))
    }

    fn over(parts: impl IntoIterator<Item = Vec<u8>>) -> Self {
        let (mut all, mut count) = (Sha256::new(), 0_usize);
        for sha256 in parts {
            all.update(sha256);
            count = count.saturating_add(1);
        }
        Self::Parts { sha256: BASE64_STANDARD.encode(all.finalize()), count }
    }

    /// As S3 writes it: what belongs to parts ends in their number.
    fn read(text: &str) -> Self {
        let parts = text.rsplit_once('-').and_then(|(sha256, count)| {
            Some(Self::Parts { sha256: sha256.to_owned(), count: count.parse().ok()? })
        });
        // No dash is a digit of base64, so there is nothing to mix up.
        parts.unwrap_or_else(|| Self::Whole(text.to_owned()))
    }
}

impl Bucket {
    /// What the store says of an object, or `None` if there is none.
    ///
    /// On AWS a role that may not list the bucket (`s3:ListBucket`) is not told that an object is missing: the answer is
    /// then 403, and an error here.
    ///
    /// # Errors
    /// [`ObjectError`] if the store fails or refuses.
    pub async fn facts(&self, key: &str) -> Result<Option<ObjectFacts>, ObjectError> {
        let request =
            self.client.head_object().bucket(&self.name).key(key).checksum_mode(ChecksumMode::Enabled);
        match request.send().await {
            Ok(head) => Ok(Some(ObjectFacts {
                size: head.content_length().and_then(|length| u64::try_from(length).ok()).unwrap_or_default(),
                checksum: head.checksum_sha256().map(Checksum::read),
                content_type: head.content_type().map(str::to_owned),
            })),
            Err(error) if error.as_service_error().is_some_and(|service| service.is_not_found()) => Ok(None),
            Err(error) => Err(failed(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(number: u16, digit: &str) -> Part {
        Part { number, size: 1, sha256: Sha256Hex::try_from(digit.repeat(64)).unwrap() }
    }

    #[test]
    fn a_checksum_of_parts_is_not_taken_for_one_of_the_content() {
        let whole = Checksum::of_whole(&part(1, "0").sha256);
        assert_eq!(whole, Checksum::read("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="));
        let parts = Checksum::of_parts(&[part(1, "0"), part(2, "f")]);
        let Checksum::Parts { sha256, count: 2 } = &parts else { panic!("{parts:?}") };
        assert_eq!(Checksum::read(&format!("{sha256}-2")), parts);
        assert_ne!(parts, Checksum::of_parts(&[part(2, "f"), part(1, "0")]), "their order counts");
        let one = Checksum::of_parts(&[part(1, "0")]);
        assert_ne!(one, whole, "one part is not the whole");
    }
}
