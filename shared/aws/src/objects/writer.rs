//! Objects of a length that nobody knows beforehand.

use std::time::Duration;

use aws_sdk_s3::{primitives::ByteStream, types::ChecksumAlgorithm};
use bytes::{Buf as _, Bytes, BytesMut};
use portico_domain::files::{MultipartId, StoredPart};
use tokio::task::JoinSet;

use super::{Bucket, Checksum, Joined, ObjectError, failed, patience};

/// Bytes of every part but the last. One is being filled while the one before is on its way: so two are in memory. S3
/// takes 10,000 parts, which would be 156 GiB.
const WRITTEN_PART_BYTES: usize = 16 * 1024 * 1024;
/// Largest object that is written, 100 GiB: twenty of the largest files, in 6,400 parts.
pub const OBJECT_BYTES_MAX: u64 = 100 * 1024 * 1024 * 1024;
/// How long one attempt to send a part may take: a connection of 5 Mbit/s does it.
const PART_ATTEMPT_TIMEOUT: Duration = Duration::from_secs(30);
/// How long sending a part may take with its repetitions.
const PART_TIMEOUT: Duration = Duration::from_secs(90);

/// Writes one object, in order and with bounded memory. Nothing is visible before [`ObjectWriter::finish`]; what is
/// dropped before stays unseen until the bucket's rule for abandoned uploads removes it.
#[derive(Debug)]
pub struct ObjectWriter {
    bucket: Bucket,
    key: String,
    upload: MultipartId,
    filling: BytesMut,
    /// At most one part on its way. Dropped with the writer.
    sending: JoinSet<Result<StoredPart, ObjectError>>,
    sent: Vec<StoredPart>,
    size: u64,
}

impl Bucket {
    /// Begins to write an object of unknown length, at most [`OBJECT_BYTES_MAX`].
    ///
    /// # Errors
    /// [`ObjectError`] if the store fails.
    pub async fn writer(&self, key: &str, content_type: &str) -> Result<ObjectWriter, ObjectError> {
        Ok(ObjectWriter {
            bucket: self.clone(),
            key: key.to_owned(),
            upload: self.begin(key, content_type).await?,
            filling: BytesMut::new(),
            sending: JoinSet::new(),
            sent: Vec::new(),
            size: 0,
        })
    }

    async fn send_part(
        self,
        key: String,
        upload: MultipartId,
        number: u16,
        content: Bytes,
    ) -> Result<StoredPart, ObjectError> {
        let size = u64::try_from(content.len()).map_err(|error| ObjectError(error.to_string()))?;
        let sent = self
            .client
            .upload_part()
            .bucket(&self.name)
            .key(key)
            .upload_id(upload.0)
            .part_number(number.into())
            .checksum_algorithm(ChecksumAlgorithm::Sha256)
            .body(ByteStream::from(content))
            .customize()
            .config_override(patience(PART_ATTEMPT_TIMEOUT, PART_TIMEOUT))
            .send()
            .await
            .map_err(failed)?;
        let e_tag =
            sent.e_tag().ok_or_else(|| ObjectError("a part without its e-tag".to_owned()))?.to_owned();
        Ok(StoredPart { number, size, e_tag, sha256: sent.checksum_sha256().map(str::to_owned) })
    }
}

impl ObjectWriter {
    /// Adds to the content. Waits while the part before is on its way.
    ///
    /// # Errors
    /// [`ObjectError`] if the store fails or the object gets too large. The object cannot be finished then, only
    /// abandoned.
    pub async fn write(&mut self, mut content: Bytes) -> Result<(), ObjectError> {
        let added = u64::try_from(content.len()).unwrap_or(u64::MAX);
        self.size = self.size.saturating_add(added);
        if self.size > OBJECT_BYTES_MAX {
            return Err(ObjectError(format!("an object of more than {OBJECT_BYTES_MAX} bytes")));
        }
        while content.has_remaining() {
            if self.filling.capacity() == 0 {
                self.filling.reserve(WRITTEN_PART_BYTES);
            }
            let room = WRITTEN_PART_BYTES.saturating_sub(self.filling.len());
            self.filling.extend_from_slice(&content.split_to(room.min(content.len())));
            if self.filling.len() == WRITTEN_PART_BYTES {
                self.send().await?;
            }
        }
        Ok(())
    }

    /// Makes the object visible; returns its size in bytes.
    ///
    /// # Errors
    /// [`ObjectError`] if the store fails. What was sent is abandoned then, as far as the store still answers.
    pub async fn finish(mut self) -> Result<u64, ObjectError> {
        match self.join().await {
            Ok(()) => Ok(self.size),
            Err(error) => {
                if let Err(second) = self.abandon().await {
                    tracing::warn!(%second, "parts of an object stay until the bucket's rule removes them");
                }
                Err(error)
            }
        }
    }

    /// Gives up what was written so far.
    ///
    /// # Errors
    /// [`ObjectError`] if the store fails; the bucket's rule for abandoned uploads removes the parts then.
    pub async fn abandon(mut self) -> Result<(), ObjectError> {
        self.sending.shutdown().await;
        self.bucket.abandon_parts(&self.key, &self.upload).await
    }

    async fn join(&mut self) -> Result<(), ObjectError> {
        // S3 joins no upload without a part, so the object with nothing in it has one with nothing in it.
        if !self.filling.is_empty() || self.size == 0 {
            self.send().await?;
        }
        self.arrived().await?;
        if self.sent.iter().map(|part| part.size).sum::<u64>() != self.size {
            return Err(ObjectError("an object of which something was not sent".to_owned()));
        }
        match self.bucket.join_parts(&self.key, &self.upload, &self.sent).await? {
            Joined::Done => Ok(()),
            // The SDK asks again when an answer is lost: the first attempt may have joined them.
            Joined::NoSuchUpload if self.is_there().await? => Ok(()),
            Joined::NoSuchUpload => Err(ObjectError("the upload was abandoned by somebody else".to_owned())),
            Joined::Refused(code) => Err(ObjectError(format!("the parts were not joined: {code}"))),
        }
    }

    /// Sends what was filled, after the part before has arrived.
    async fn send(&mut self) -> Result<(), ObjectError> {
        self.arrived().await?;
        let number = self.sent.len().saturating_add(1);
        let number = u16::try_from(number).map_err(|error| ObjectError(error.to_string()))?;
        let content = std::mem::take(&mut self.filling).freeze();
        let (bucket, key, upload) = (self.bucket.clone(), self.key.clone(), self.upload.clone());
        self.sending.spawn(bucket.send_part(key, upload, number, content));
        Ok(())
    }

    async fn arrived(&mut self) -> Result<(), ObjectError> {
        if let Some(done) = self.sending.join_next().await {
            self.sent.push(done.map_err(|error| ObjectError(error.to_string()))??);
        }
        Ok(())
    }

    /// Whether the object is there as it was written.
    async fn is_there(&self) -> Result<bool, ObjectError> {
        let Some(facts) = self.bucket.facts(&self.key).await? else { return Ok(false) };
        let written = Checksum::of_stored(&self.sent);
        Ok(facts.size == self.size && written.is_some() && facts.checksum == written)
    }
}
