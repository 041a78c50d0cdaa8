//! Links: what the holder may do is part of the signature, so that the store refuses everything else.

use std::time::{Duration, SystemTime};

use aws_sdk_s3::presigning::{PresignedRequest as Signed, PresigningConfig};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use jiff::{SignedDuration, Timestamp};
use portico_domain::files::{
    Declaration, File, MultipartId, PART_LINK_WINDOW, Part, PresignedRequest, Sha256Hex, StoredPart,
    UPLOAD_WINDOW, UploadLinks,
};

use super::{Bucket, ObjectError, failed};

impl Bucket {
    /// The links by which the content of a file goes up: one, or one for each part that the store does not have yet.
    ///
    /// # Errors
    /// [`ObjectError`] if a request cannot be signed.
    pub async fn upload_links(
        &self,
        file: &File,
        stored: &[StoredPart],
        now: Timestamp,
    ) -> Result<UploadLinks, ObjectError> {
        let key = file.key().to_string();
        let Some(multipart) = &file.multipart else {
            let link = self.presign_upload(&key, &file.declared, now, UPLOAD_WINDOW).await?;
            return Ok(UploadLinks::Whole(link));
        };
        let mut links = Vec::new();
        for part in file.parts() {
            if !stored.iter().any(|stored| stored.number == part.number) {
                let link = self.presign_part(&key, &multipart.id, &part, now, PART_LINK_WINDOW).await?;
                links.push((part, link));
            }
        }
        Ok(UploadLinks::Parts(links))
    }

    /// A link to upload exactly what was declared, for `window` from `now` on: the length, the type and the SHA-256
    /// are part of the signature, so the store refuses anything else.
    ///
    /// # Errors
    /// [`ObjectError`] if the request cannot be signed.
    pub async fn presign_upload(
        &self,
        key: &str,
        declared: &Declaration,
        now: Timestamp,
        window: SignedDuration,
    ) -> Result<PresignedRequest, ObjectError> {
        let validity = Validity::new(now, window)?;
        let request = self
            .client
            .put_object()
            .bucket(&self.name)
            .key(key)
            .content_length(length(declared.size)?)
            .content_type(declared.content_type.as_str())
            .checksum_sha256(base64(&declared.sha256));
        let signed = request.presigned(validity.config()?).await.map_err(failed)?;
        Ok(validity.upload(&signed))
    }

    /// A link to upload one part, for `window` from `now` on: number, length and SHA-256 are part of the signature.
    /// It may be used again for the same part until the parts are joined.
    ///
    /// # Errors
    /// [`ObjectError`] if the request cannot be signed.
    pub async fn presign_part(
        &self,
        key: &str,
        upload: &MultipartId,
        part: &Part,
        now: Timestamp,
        window: SignedDuration,
    ) -> Result<PresignedRequest, ObjectError> {
        let validity = Validity::new(now, window)?;
        let request = self
            .client
            .upload_part()
            .bucket(&self.name)
            .key(key)
            .upload_id(&upload.0)
            .part_number(part.number.into())
            .content_length(length(part.size)?)
            .checksum_sha256(base64(&part.sha256));
        let signed = request.presigned(validity.config()?).await.map_err(failed)?;
        Ok(validity.upload(&signed))
    }

    /// A link to download an object under `disposition` (`Content-Disposition`) as `content_type`, for `window` from
    /// `now` on.
    ///
    /// # Errors
    /// [`ObjectError`] if the request cannot be signed.
    pub async fn presign_download(
        &self,
        key: &str,
        disposition: &str,
        content_type: &str,
        now: Timestamp,
        window: SignedDuration,
    ) -> Result<PresignedRequest, ObjectError> {
        let validity = Validity::new(now, window)?;
        let request = self
            .client
            .get_object()
            .bucket(&self.name)
            .key(key)
            .response_content_disposition(disposition)
            .response_content_type(content_type)
            .response_cache_control("private, no-store");
        let signed = request.presigned(validity.config()?).await.map_err(failed)?;
        Ok(PresignedRequest {
            method: "GET",
            url: signed.uri().to_owned(),
            headers: Vec::new(),
            expires_at: validity.end,
        })
    }
}

/// When a link works.
struct Validity {
    start: Timestamp,
    window: Duration,
    end: Timestamp,
}

impl Validity {
    fn new(now: Timestamp, window: SignedDuration) -> Result<Self, ObjectError> {
        let unusable = |error: jiff::Error| ObjectError(error.to_string());
        // Signatures know whole seconds: the link lapses a moment before `now` plus `window`, and says so.
        let start = Timestamp::from_second(now.as_second()).map_err(unusable)?;
        let end = start.checked_add(window).map_err(unusable)?;
        let window = Duration::try_from(window).map_err(|error| ObjectError(error.to_string()))?;
        Ok(Self { start, window, end })
    }

    fn config(&self) -> Result<PresigningConfig, ObjectError> {
        let config =
            PresigningConfig::builder().start_time(SystemTime::from(self.start)).expires_in(self.window);
        config.build().map_err(|error| ObjectError(error.to_string()))
    }

    fn upload(&self, signed: &Signed) -> PresignedRequest {
        let headers = signed
            .headers()
            // Added by the SDK for the process that signs; not part of the signature.
            .filter(|(name, _)| *name != "x-amzn-trace-id")
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        PresignedRequest { method: "PUT", url: signed.uri().to_owned(), headers, expires_at: self.end }
    }
}

fn length(bytes: u64) -> Result<i64, ObjectError> {
    i64::try_from(bytes).map_err(|error| ObjectError(error.to_string()))
}

/// As S3 writes checksums.
pub(super) fn base64(sha256: &Sha256Hex) -> String {
    BASE64_STANDARD.encode(sha256.bytes())
}
