//! What is in an object, a piece at a time.

use aws_sdk_s3::{error::DisplayErrorContext, primitives::ByteStream};
use bytes::{Bytes, BytesMut};

use super::{Bucket, ObjectError, code, failed};

/// Most bytes of an object that are taken as its beginning.
pub const BEGINNING_BYTES_MAX: u64 = 1024 * 1024;
/// What S3 calls a range that begins behind the end: that of an object with nothing in it.
const INVALID_RANGE: &str = "InvalidRange";

/// The content of an object, on its way. Whoever takes it slowly slows the store down; memory holds what has just
/// arrived.
#[derive(Debug)]
pub struct ObjectContent {
    size: u64,
    body: ByteStream,
}

impl ObjectContent {
    /// Bytes of all of it.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The next piece, or `None` after the last.
    ///
    /// # Errors
    /// [`ObjectError`] if the connection broke, or what came is not what the store keeps. Nothing more comes then; what
    /// came before is a beginning.
    pub async fn next(&mut self) -> Result<Option<Bytes>, ObjectError> {
        self.body.try_next().await.map_err(|error| ObjectError(DisplayErrorContext(error).to_string()))
    }
}

impl Bucket {
    /// The content of an object, or `None` if there is none. The time limit of a call counts until the first piece, and
    /// not for the rest.
    ///
    /// # Errors
    /// [`ObjectError`] if the store fails or refuses; on AWS a missing object is refused as in [`Bucket::facts`].
    pub async fn read(&self, key: &str) -> Result<Option<ObjectContent>, ObjectError> {
        match self.client.get_object().bucket(&self.name).key(key).send().await {
            Ok(object) => {
                let length = object.content_length().and_then(|length| u64::try_from(length).ok());
                let size = length.ok_or_else(|| ObjectError("an object without a length".to_owned()))?;
                Ok(Some(ObjectContent { size, body: object.body }))
            }
            Err(error) if error.as_service_error().is_some_and(|service| service.is_no_such_key()) => {
                Ok(None)
            }
            Err(error) => Err(failed(error)),
        }
    }

    /// All of an object that has at most `most` bytes, or `None` if there is none.
    ///
    /// # Errors
    /// As [`Bucket::read`], and if it is larger.
    pub async fn whole(&self, key: &str, most: u64) -> Result<Option<Bytes>, ObjectError> {
        let Some(mut content) = self.read(key).await? else { return Ok(None) };
        if content.size() > most {
            return Err(ObjectError(format!(
                "an object of {} bytes, at most {most} are read",
                content.size()
            )));
        }
        let mut whole = BytesMut::new();
        // Ends by the length that the store gave.
        while let Some(piece) = content.next().await? {
            whole.extend_from_slice(&piece);
        }
        Ok(Some(whole.freeze()))
    }

    /// The first `bytes` bytes of an object, at most [`BEGINNING_BYTES_MAX`], all of it if it is shorter; `None` if there
    /// is none.
    ///
    /// # Errors
    /// As [`Bucket::read`].
    pub async fn beginning(&self, key: &str, bytes: u64) -> Result<Option<Bytes>, ObjectError> {
        let wanted = bytes.clamp(1, BEGINNING_BYTES_MAX);
        let range = format!("bytes=0-{}", wanted.saturating_sub(1));
        let mut body = match self.client.get_object().bucket(&self.name).key(key).range(range).send().await {
            Ok(object) => object.body,
            Err(error) if code(&error) == Some(INVALID_RANGE) => return Ok(Some(Bytes::new())),
            Err(error) if error.as_service_error().is_some_and(|service| service.is_no_such_key()) => {
                return Ok(None);
            }
            Err(error) => return Err(failed(error)),
        };
        let wanted = usize::try_from(wanted).map_err(|error| ObjectError(error.to_string()))?;
        let mut beginning = BytesMut::new();
        // Ends by the length even if a store gives more than it was asked for.
        while beginning.len() < wanted {
            let piece = body.try_next().await;
            match piece.map_err(|error| ObjectError(DisplayErrorContext(error).to_string()))? {
                Some(piece) => beginning.extend_from_slice(&piece),
                None => break,
            }
        }
        beginning.truncate(wanted);
        Ok(Some(beginning.freeze()))
    }
}
