//! A bucket: links that the store itself enforces, and whole objects for documents.

use std::time::Duration;

use aws_sdk_s3::{
    Client, error::DisplayErrorContext, presigning::PresigningConfig, primitives::ByteStream,
    types::ChecksumMode,
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use jiff::SignedDuration;
use portico_domain::files::Declaration;
use serde::Serialize;

/// One bucket.
#[derive(Debug, Clone)]
pub struct Bucket {
    client: Client,
    name: String,
}

/// The store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[error("the object store failed: {0}")]
pub struct ObjectError(String);

/// A request that whoever holds it may send once or often until it lapses, exactly as it stands here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PresignedRequest {
    /// HTTP method.
    pub method: &'static str,
    /// Where to.
    pub url: String,
    /// Headers that are signed and must be sent as they are, in order.
    pub headers: Vec<(String, String)>,
}

/// What the store says of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectFacts {
    /// Bytes.
    pub size: u64,
    /// SHA-256 in base64, if the store checked one at the upload.
    pub sha256: Option<String>,
    /// Media type.
    pub content_type: Option<String>,
}

impl Bucket {
    pub(crate) fn new(client: Client, name: String) -> Self {
        Self { client, name }
    }

    /// A link to upload exactly what was declared: the length, the type and the SHA-256 are part of the
    /// signature, so the store refuses anything else.
    ///
    /// # Errors
    /// [`ObjectError`] if the request cannot be signed.
    pub async fn presign_upload(
        &self,
        key: &str,
        declared: &Declaration,
        window: SignedDuration,
    ) -> Result<PresignedRequest, ObjectError> {
        let length = i64::try_from(declared.size).map_err(|error| ObjectError(error.to_string()))?;
        let signed = self
            .client
            .put_object()
            .bucket(&self.name)
            .key(key)
            .content_length(length)
            .content_type(declared.content_type.as_str())
            .checksum_sha256(BASE64_STANDARD.encode(declared.sha256.bytes()))
            .presigned(expiry(window)?)
            .await
            .map_err(|error| ObjectError(DisplayErrorContext(error).to_string()))?;
        let headers = signed
            .headers()
            // Added by the SDK for the process that signs; not part of the signature.
            .filter(|(name, _)| *name != "x-amzn-trace-id")
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        Ok(PresignedRequest { method: "PUT", url: signed.uri().to_owned(), headers })
    }

    /// A link to download an object under `disposition` (`Content-Disposition`) as `content_type`.
    ///
    /// # Errors
    /// [`ObjectError`] if the request cannot be signed.
    pub async fn presign_download(
        &self,
        key: &str,
        disposition: &str,
        content_type: &str,
        window: SignedDuration,
    ) -> Result<PresignedRequest, ObjectError> {
        let signed = self
            .client
            .get_object()
            .bucket(&self.name)
            .key(key)
            .response_content_disposition(disposition)
            .response_content_type(content_type)
            .response_cache_control("private, no-store")
            .presigned(expiry(window)?)
            .await
            .map_err(|error| ObjectError(DisplayErrorContext(error).to_string()))?;
        Ok(PresignedRequest { method: "GET", url: signed.uri().to_owned(), headers: Vec::new() })
    }

    /// What the store says of an object, or `None` if there is none.
    ///
    /// # Errors
    /// [`ObjectError`] if the store fails.
    pub async fn facts(&self, key: &str) -> Result<Option<ObjectFacts>, ObjectError> {
        let sent = self
            .client
            .head_object()
            .bucket(&self.name)
            .key(key)
            .checksum_mode(ChecksumMode::Enabled)
            .send()
            .await;
        match sent {
            Ok(head) => Ok(Some(ObjectFacts {
                size: head.content_length().and_then(|length| u64::try_from(length).ok()).unwrap_or_default(),
                sha256: head.checksum_sha256().map(str::to_owned),
                content_type: head.content_type().map(str::to_owned),
            })),
            Err(error) if error.as_service_error().is_some_and(|service| service.is_not_found()) => Ok(None),
            Err(error) => Err(ObjectError(DisplayErrorContext(error).to_string())),
        }
    }

    /// Keeps a document of ours.
    ///
    /// # Errors
    /// [`ObjectError`] if the store fails.
    pub async fn put(&self, key: &str, content_type: &str, content: Bytes) -> Result<(), ObjectError> {
        self.client
            .put_object()
            .bucket(&self.name)
            .key(key)
            .content_type(content_type)
            .body(ByteStream::from(content))
            .send()
            .await
            .map(|_| ())
            .map_err(|error| ObjectError(DisplayErrorContext(error).to_string()))
    }
}

fn expiry(window: SignedDuration) -> Result<PresigningConfig, ObjectError> {
    let window = Duration::try_from(window).map_err(|error| ObjectError(error.to_string()))?;
    PresigningConfig::expires_in(window).map_err(|error| ObjectError(error.to_string()))
}
