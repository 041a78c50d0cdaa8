//! Objects that go up in parts: begun, looked at, joined or abandoned.

use std::time::Duration;

use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumType, CompletedMultipartUpload, CompletedPart};
use portico_domain::files::{File, MediaType, Multipart, MultipartId, Sha256Hex, StoredPart};

use super::{Bucket, ObjectError, code, failed, patience};

/// Most pages of parts that are read: 1,000 parts each, and S3 takes 10,000.
const PART_PAGES_MAX: usize = 10;
/// How long one attempt to join parts may take. Joining takes S3 longer than anything else.
const JOIN_ATTEMPT_TIMEOUT: Duration = Duration::from_secs(20);
/// How long joining may take with its repetitions: less than a request to the API may.
const JOIN_TIMEOUT: Duration = Duration::from_secs(25);
/// What S3 calls parts that it does not join, now or later.
const REFUSALS: [&str; 5] =
    ["InvalidPart", "InvalidPartOrder", "EntityTooSmall", "BadDigest", "InvalidRequest"];
/// What S3 calls an upload that was joined, abandoned or never begun.
const NO_SUCH_UPLOAD: &str = "NoSuchUpload";

/// What became of parts that were to be joined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Joined {
    /// They are one object now.
    Done,
    /// The store knows no such upload: it was abandoned, or an earlier call has joined it. [`Bucket::facts`] tells which.
    NoSuchUpload,
    /// The parts are not those that the store has. Nothing has changed: others can still be uploaded.
    Refused(String),
}

impl Bucket {
    /// A declared file with the upload in parts that it takes, begun in the store; as it is if there are no parts.
    ///
    /// # Errors
    /// [`ObjectError`] if the store fails.
    pub async fn begin_upload(&self, file: File, parts: Vec<Sha256Hex>) -> Result<File, ObjectError> {
        if parts.is_empty() {
            return Ok(file);
        }
        let id = self.begin_parts(&file.key().to_string(), &file.declared.content_type).await?;
        Ok(File { multipart: Some(Multipart { id, parts }), ..file })
    }

    /// Ends the upload in parts of a file that did not come to be. If that fails, the bucket's rule does.
    pub async fn give_up_upload(&self, file: &File) {
        let Some(multipart) = &file.multipart else { return };
        if let Err(error) = self.abandon_parts(&file.key().to_string(), &multipart.id).await {
            tracing::warn!(file = %file.id, %error, "an upload that no file stands for is left to the bucket's rule");
        }
    }

    /// Begins an upload in parts. Nothing is visible under the key before [`Bucket::join_parts`]. The store checks a
    /// SHA-256 of each part and keeps the one over all of them ([`super::Checksum::Parts`]).
    ///
    /// What is neither joined nor abandoned stays until the bucket's rule removes it.
    ///
    /// # Errors
    /// [`ObjectError`] if the store fails.
    pub async fn begin_parts(&self, key: &str, content_type: &MediaType) -> Result<MultipartId, ObjectError> {
        self.begin(key, content_type.as_str()).await
    }

    pub(super) async fn begin(&self, key: &str, content_type: &str) -> Result<MultipartId, ObjectError> {
        let begun = self
            .client
            .create_multipart_upload()
            .bucket(&self.name)
            .key(key)
            .content_type(content_type)
            .checksum_algorithm(ChecksumAlgorithm::Sha256)
            .checksum_type(ChecksumType::Composite)
            .send()
            .await
            .map_err(failed)?;
        let id = begun.upload_id().ok_or_else(|| ObjectError("an upload without an id".to_owned()))?;
        Ok(MultipartId(id.to_owned()))
    }

    /// The parts that the store has, by number, or `None` if it knows no such upload (any more).
    ///
    /// # Errors
    /// [`ObjectError`] if the store fails.
    pub async fn parts(
        &self,
        key: &str,
        upload: &MultipartId,
    ) -> Result<Option<Vec<StoredPart>>, ObjectError> {
        let mut stored = Vec::new();
        let mut after = None;
        for _ in 0..PART_PAGES_MAX {
            let request = self.client.list_parts().bucket(&self.name).key(key).upload_id(&upload.0);
            let page = match request.set_part_number_marker(after).send().await {
                Ok(page) => page,
                Err(error) if code(&error) == Some(NO_SUCH_UPLOAD) => return Ok(None),
                Err(error) => return Err(failed(error)),
            };
            for part in page.parts() {
                stored.push(stored_part(part)?);
            }
            if page.is_truncated() != Some(true) {
                return Ok(Some(stored));
            }
            after = page.next_part_number_marker().map(str::to_owned);
        }
        Err(ObjectError("an upload with more parts than there can be".to_owned()))
    }

    /// Makes one object of parts, in the order of their numbers: [`Bucket::parts`] gives them in that order.
    ///
    /// Safe to repeat: after an error, or a repetition that finds no such upload, [`Bucket::facts`] tells whether the
    /// object is there.
    ///
    /// # Errors
    /// [`ObjectError`] if the store fails. The parts may be joined then or not.
    pub async fn join_parts(
        &self,
        key: &str,
        upload: &MultipartId,
        parts: &[StoredPart],
    ) -> Result<Joined, ObjectError> {
        let completed = parts.iter().map(|part| {
            CompletedPart::builder()
                .part_number(part.number.into())
                .e_tag(&part.e_tag)
                .set_checksum_sha256(part.sha256.clone())
                .build()
        });
        let completed = CompletedMultipartUpload::builder().set_parts(Some(completed.collect())).build();
        let request = self
            .client
            .complete_multipart_upload()
            .bucket(&self.name)
            .key(key)
            .upload_id(&upload.0)
            .multipart_upload(completed)
            .customize()
            .config_override(patience(JOIN_ATTEMPT_TIMEOUT, JOIN_TIMEOUT));
        match request.send().await {
            Ok(_) => Ok(Joined::Done),
            Err(error) => match code(&error) {
                Some(NO_SUCH_UPLOAD) => Ok(Joined::NoSuchUpload),
                Some(code) if REFUSALS.contains(&code) => Ok(Joined::Refused(code.to_owned())),
                _ => Err(failed(error)),
            },
        }
    }

    /// Gives up an upload and its parts. Safe to repeat: no such upload is no error. A part that is on its way
    /// meanwhile may still arrive; the bucket's rule removes it.
    ///
    /// # Errors
    /// [`ObjectError`] if the store fails.
    pub async fn abandon_parts(&self, key: &str, upload: &MultipartId) -> Result<(), ObjectError> {
        let request = self.client.abort_multipart_upload().bucket(&self.name).key(key).upload_id(&upload.0);
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error) if code(&error) == Some(NO_SUCH_UPLOAD) => Ok(()),
            Err(error) => Err(failed(error)),
        }
    }
}

fn stored_part(part: &aws_sdk_s3::types::Part) -> Result<StoredPart, ObjectError> {
    let lacking = || ObjectError("a part without its number, size or e-tag".to_owned());
    Ok(StoredPart {
        number: part.part_number().and_then(|number| number.try_into().ok()).ok_or_else(lacking)?,
        size: part.size().and_then(|size| size.try_into().ok()).ok_or_else(lacking)?,
        e_tag: part.e_tag().ok_or_else(lacking)?.to_owned(),
        sha256: part.checksum_sha256().map(str::to_owned),
    })
}
