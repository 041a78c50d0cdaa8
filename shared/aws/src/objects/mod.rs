//! A bucket: links that the store itself enforces, objects that go up in parts, and content as a stream.

mod content;
mod erasure;
mod facts;
mod links;
mod parts;
mod writer;

use std::time::Duration;

use aws_sdk_s3::{
    Client,
    config::timeout::TimeoutConfig,
    error::{DisplayErrorContext, ProvideErrorMetadata, SdkError},
    primitives::ByteStream,
};
use bytes::Bytes;

pub use content::{BEGINNING_BYTES_MAX, ObjectContent};
pub use facts::{Checksum, ObjectFacts};
pub use parts::Joined;
pub use writer::{OBJECT_BYTES_MAX, ObjectWriter};

/// One bucket.
#[derive(Debug, Clone)]
pub struct Bucket {
    client: Client,
    name: String,
}

/// What S3 calls a condition that does not hold.
const PRECONDITION_FAILED: &str = "PreconditionFailed";

/// What became of a document that was to be kept under a key of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// It is kept.
    New,
    /// There was one already, and still is.
    There,
}

/// The store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[error("the object store failed: {0}")]
pub struct ObjectError(String);

impl Bucket {
    pub(crate) fn new(client: Client, name: String) -> Self {
        Self { client, name }
    }

    /// Keeps a document of ours under a key that has none yet. What is there already stays as it is.
    ///
    /// # Errors
    /// [`ObjectError`] if the store fails, or somebody else is keeping one at this very moment.
    pub async fn put_new(&self, key: &str, content_type: &str, content: Bytes) -> Result<Kept, ObjectError> {
        let request = self
            .client
            .put_object()
            .bucket(&self.name)
            .key(key)
            .content_type(content_type)
            .if_none_match("*")
            .body(ByteStream::from(content));
        match request.send().await {
            Ok(_) => Ok(Kept::New),
            Err(error) if code(&error) == Some(PRECONDITION_FAILED) => Ok(Kept::There),
            Err(error) => Err(failed(error)),
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
            .map_err(failed)
    }
}

/// What went wrong, with everything that the SDK knows of it.
fn failed<E, R>(error: SdkError<E, R>) -> ObjectError
where
    E: std::error::Error + 'static,
    R: std::fmt::Debug + 'static,
{
    ObjectError(DisplayErrorContext(error).to_string())
}

/// S3's own code for what it refused.
fn code<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> Option<&str> {
    error.as_service_error().and_then(ProvideErrorMetadata::code)
}

/// For calls that take longer than others: how long one attempt and all of them may take.
fn patience(attempt: Duration, all: Duration) -> aws_sdk_s3::config::Builder {
    let timeouts = TimeoutConfig::builder().operation_attempt_timeout(attempt).operation_timeout(all).build();
    aws_sdk_s3::config::Builder::new().timeout_config(timeouts)
}
