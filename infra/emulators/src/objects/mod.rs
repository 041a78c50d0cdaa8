//! S3: buckets and objects, with an event for each object that is created.
//!
//! The protocol, signatures included, is `s3s`; what an object is, is decided here. Bytes are files with random names
//! and everything else is rows of SQLite, so that an object and its event become durable in one transaction, a
//! condition (`If-None-Match`) has one winner, and a refused upload leaves nothing behind. `s3s-fs` would be less
//! code, but writes the object before it has compared the checksum, lets two conditional writes win, answers 500 to keys beyond
//! about 150 characters, and cannot keep `x` beside `x/y`.

mod blobs;
mod catalogue;
mod events;
mod service;

use std::path::PathBuf;
use std::sync::Arc;

use portico_domain::Clock;
use s3s::{S3Error, s3_error};

use crate::clock::now_ms;
use crate::queues::{QueueError, QueueSpec, Queues};
use crate::store::{Store, StoreError};
use blobs::Blobs;

pub use events::{ObjectCreated, ObjectEvents};
pub(crate) use service::service;

/// The queue that holds the events of created objects.
const EVENTS: &str = "_s3-events";

/// Largest object in one PUT, and largest part: 5 GiB, as in S3.
const PUT_BYTES: u64 = 5 * 1024 * 1024 * 1024;

/// Most parts of one upload, as in S3.
const PARTS: i32 = 10_000;

/// Smallest part that is not the last, as in S3.
const PART_BYTES: i64 = 5 * 1024 * 1024;

/// Longest key in bytes, as in S3.
const KEY_BYTES: usize = 1024;

/// Most keys in one listing, as in S3.
const PAGE: usize = 1000;

/// Uploads that were not completed are forgotten after a day, as the buckets of the product have it.
const UPLOAD_MS: i64 = 24 * 60 * 60 * 1000;

/// Why an object operation was refused.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    /// The bucket does not exist.
    #[error("the bucket {0} does not exist")]
    NoSuchBucket(String),
    /// The bucket to create exists.
    #[error("the bucket {0} exists")]
    BucketExists(String),
    /// The bucket to delete holds objects.
    #[error("the bucket {0} is not empty")]
    BucketNotEmpty(String),
    /// The object does not exist.
    #[error("the key {0} does not exist")]
    NoSuchKey(String),
    /// The multipart upload does not exist.
    #[error("the upload does not exist")]
    NoSuchUpload,
    /// A part is missing, or is not the one that was uploaded.
    #[error("the part {0} was not uploaded")]
    InvalidPart(i32),
    /// The parts are not in ascending order.
    #[error("the parts are not in ascending order")]
    InvalidPartOrder,
    /// A part other than the last is too small.
    #[error("the part {0} is smaller than 5 MB")]
    PartTooSmall(i32),
    /// `If-Match` or `If-None-Match` does not hold.
    #[error("at least one of the preconditions you specified did not hold")]
    Precondition,
    /// The content has another checksum than the request says.
    #[error("the {0} you specified did not match what we received")]
    BadDigest(&'static str),
    /// The content has another length than the request says.
    #[error("you did not provide the number of bytes specified")]
    IncompleteBody,
    /// The content is larger than 5 GiB.
    #[error("your proposed upload exceeds the maximum allowed size")]
    TooLarge,
    /// A parameter breaks a rule.
    #[error("{0}")]
    Invalid(&'static str),
    /// The connection broke or the signature of a chunk is wrong.
    #[error("the content could not be read: {0}")]
    Body(#[source] s3s::StdError),
    /// The disk failed.
    #[error("the object files: {0}")]
    Io(#[from] std::io::Error),
    /// The event could not be kept.
    #[error("the event: {0}")]
    Event(#[from] QueueError),
    /// The state file failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<rusqlite::Error> for ObjectError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(StoreError::Sqlite(error))
    }
}

impl From<ObjectError> for S3Error {
    fn from(error: ObjectError) -> Self {
        let message = error.to_string();
        match error {
            ObjectError::NoSuchBucket(_) => s3_error!(NoSuchBucket, "{message}"),
            ObjectError::BucketExists(_) => s3_error!(BucketAlreadyOwnedByYou, "{message}"),
            ObjectError::BucketNotEmpty(_) => s3_error!(BucketNotEmpty, "{message}"),
            ObjectError::NoSuchKey(_) => s3_error!(NoSuchKey, "{message}"),
            ObjectError::NoSuchUpload => s3_error!(NoSuchUpload, "{message}"),
            ObjectError::InvalidPart(_) => s3_error!(InvalidPart, "{message}"),
            ObjectError::InvalidPartOrder => s3_error!(InvalidPartOrder, "{message}"),
            ObjectError::PartTooSmall(_) => s3_error!(EntityTooSmall, "{message}"),
            ObjectError::Precondition => s3_error!(PreconditionFailed, "{message}"),
            ObjectError::BadDigest(_) => s3_error!(BadDigest, "{message}"),
            ObjectError::IncompleteBody => s3_error!(IncompleteBody, "{message}"),
            ObjectError::TooLarge => s3_error!(EntityTooLarge, "{message}"),
            ObjectError::Invalid(_) => s3_error!(InvalidArgument, "{message}"),
            // A refusal of the protocol layer, such as a wrong chunk signature, keeps its own code.
            ObjectError::Body(source) => match source.downcast::<S3Error>() {
                Ok(refusal) => *refusal,
                Err(_) => s3_error!(IncompleteBody, "{message}"),
            },
            ObjectError::Io(_) | ObjectError::Event(_) | ObjectError::Store(_) => {
                tracing::error!(error = message, "S3 emulator failed");
                s3_error!(InternalError, "{message}")
            }
        }
    }
}

/// An object that is open for reading.
#[derive(Debug)]
pub struct ObjectContent {
    /// Without quotes.
    pub e_tag: String,
    /// The bytes, at their start; they are read from the disk as they are asked for.
    pub file: tokio::fs::File,
}

/// Buckets and objects. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Objects {
    store: Store,
    clock: Clock,
    queues: Queues,
    blobs: Arc<Blobs>,
    region: String,
}

impl Objects {
    /// Opens the objects in `directory`: forgets stale uploads and removes files that no object names, which a kill in
    /// the middle of a write leaves behind.
    pub(crate) async fn open(
        store: Store,
        clock: Clock,
        queues: Queues,
        directory: PathBuf,
        region: String,
    ) -> Result<Self, ObjectError> {
        queues.create(QueueSpec::standard(EVENTS)).await?;
        let stale = now_ms(&clock).saturating_sub(UPLOAD_MS);
        let named = store.transact(move |tx| catalogue::named_blobs(tx, stale)).await?;
        let blobs = Blobs::open(directory, &named)?;
        Ok(Self { store, clock, queues, blobs: Arc::new(blobs), region })
    }

    /// Creates a bucket; one that exists stays as it is.
    ///
    /// # Errors
    ///
    /// [`ObjectError::Store`], [`ObjectError::Invalid`] for a name that S3 would refuse.
    pub async fn ensure_bucket(&self, name: &str) -> Result<(), ObjectError> {
        if !s3s::path::check_bucket_name(name) {
            return Err(ObjectError::Invalid(
                "a bucket name has 3 to 63 lower-case letters, digits and hyphens",
            ));
        }
        let (name, now) = (name.to_owned(), now_ms(&self.clock));
        match self.store.transact(move |tx| catalogue::create_bucket(tx, &name, now)).await {
            Err(ObjectError::BucketExists(_)) => Ok(()),
            done => done,
        }
    }

    /// Opens an object for reading, without HTTP; `None` if it is not there. What replaces or deletes the object
    /// meanwhile does not change what is read.
    ///
    /// # Errors
    ///
    /// [`ObjectError::NoSuchBucket`], [`ObjectError::Io`], [`ObjectError::Store`].
    pub async fn content(&self, bucket: &str, key: &str) -> Result<Option<ObjectContent>, ObjectError> {
        match self.open_object(bucket, key).await {
            Ok((object, file)) => Ok(Some(ObjectContent { e_tag: object.e_tag, file })),
            Err(ObjectError::NoSuchKey(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The events of created objects.
    #[must_use]
    pub fn events(&self) -> ObjectEvents {
        ObjectEvents::new(self.queues.clone(), self.region.clone())
    }
}
