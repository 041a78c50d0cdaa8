//! The events of created objects.

use std::time::Duration;

use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use rusqlite::Transaction;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{EVENTS, ObjectError};
use crate::queues::{Message, NewMessage, QueueError, Queues, append};

/// What S3 leaves as it is in the key of an event; a space becomes `+`.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html>
const KEY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'*').remove(b'/');

/// What is kept of an event until someone receives it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Created {
    pub(super) name: EventName,
    pub(super) bucket: String,
    pub(super) key: String,
    pub(super) size: i64,
    pub(super) e_tag: String,
    /// In a bucket that has versions.
    pub(super) version: Option<String>,
}

/// How an object came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum EventName {
    #[serde(rename = "ObjectCreated:Put")]
    Put,
    #[serde(rename = "ObjectCreated:Copy")]
    Copy,
    #[serde(rename = "ObjectCreated:CompleteMultipartUpload")]
    CompleteMultipartUpload,
}

impl EventName {
    fn as_str(self) -> &'static str {
        match self {
            Self::Put => "ObjectCreated:Put",
            Self::Copy => "ObjectCreated:Copy",
            Self::CompleteMultipartUpload => "ObjectCreated:CompleteMultipartUpload",
        }
    }
}

/// Keeps an event in the transaction that creates the object.
pub(super) fn keep(tx: &Transaction<'_>, created: &Created, now: i64) -> Result<(), ObjectError> {
    let body = serde_json::to_string(created)
        .map_err(|error| QueueError::Invalid(format!("the event of an object: {error}")))?;
    append(tx, EVENTS, &NewMessage::new(body), now)?;
    Ok(())
}

/// An object was created.
#[derive(Clone, Debug)]
pub struct ObjectCreated {
    /// `ObjectCreated:Put`, `ObjectCreated:Copy` or `ObjectCreated:CompleteMultipartUpload`.
    pub event_name: &'static str,
    /// The bucket.
    pub bucket: String,
    /// The key as it is; in the event it is URL-encoded.
    pub key: String,
    /// Bytes.
    pub size: u64,
    /// Without quotes.
    pub e_tag: String,
    /// The version, in a bucket that has versions.
    pub version: Option<String>,
    /// Rises with each event; of two events of one key the higher is the later.
    pub sequencer: String,
    /// When the object was created.
    pub time: Timestamp,
    /// How often this event was received, this time included.
    pub receives: u32,
    /// For [`ObjectEvents::delete`].
    pub receipt: String,
    region: String,
    id: String,
}

impl ObjectCreated {
    fn read(message: Message, region: &str) -> Option<Self> {
        let created: Created = serde_json::from_str(&message.body).ok()?;
        Some(Self {
            event_name: created.name.as_str(),
            bucket: created.bucket,
            key: created.key,
            size: u64::try_from(created.size).unwrap_or(0),
            e_tag: created.e_tag,
            version: created.version,
            sequencer: format!("{:018X}", message.number),
            time: message.sent,
            receives: message.receives,
            receipt: message.receipt,
            region: region.to_owned(),
            id: message.id,
        })
    }

    /// The whole event that S3 gives a Lambda function, with this one record.
    /// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html>
    #[must_use]
    pub fn event(&self) -> Value {
        let key = utf8_percent_encode(&self.key, KEY).to_string().replace("%20", "+");
        let mut object =
            json!({ "key": key, "size": self.size, "eTag": self.e_tag, "sequencer": self.sequencer });
        if let (Some(version), Some(object)) = (&self.version, object.as_object_mut()) {
            object.insert("versionId".to_owned(), json!(version));
        }
        json!({ "Records": [{
            "eventVersion": "2.1",
            "eventSource": "aws:s3",
            "awsRegion": self.region,
            "eventTime": format!("{:.3}", self.time),
            "eventName": self.event_name,
            "userIdentity": { "principalId": crate::ACCESS_KEY_ID },
            "requestParameters": { "sourceIPAddress": "127.0.0.1" },
            "responseElements": { "x-amz-request-id": self.id, "x-amz-id-2": self.id },
            "s3": {
                "s3SchemaVersion": "1.0",
                "configurationId": "local",
                "bucket": {
                    "name": self.bucket,
                    "ownerIdentity": { "principalId": crate::ACCESS_KEY_ID },
                    "arn": format!("arn:aws:s3:::{}", self.bucket),
                },
                "object": object,
            },
        }]})
    }
}

/// Receives the events of created objects, each at least once.
#[derive(Clone, Debug)]
pub struct ObjectEvents {
    queues: Queues,
    region: String,
}

impl ObjectEvents {
    pub(super) fn new(queues: Queues, region: String) -> Self {
        Self { queues, region }
    }

    /// Up to `max` events, waiting up to `wait` for the first. They come again after 30 seconds unless they are
    /// deleted.
    ///
    /// # Errors
    ///
    /// [`QueueError::Store`].
    pub async fn receive(&self, max: usize, wait: Duration) -> Result<Vec<ObjectCreated>, QueueError> {
        let messages = self.queues.receive(EVENTS, max, wait).await?;
        Ok(messages.into_iter().filter_map(|message| ObjectCreated::read(message, &self.region)).collect())
    }

    /// Removes an event that was handled.
    ///
    /// # Errors
    ///
    /// [`QueueError`].
    pub async fn delete(&self, event: &ObjectCreated) -> Result<(), QueueError> {
        self.queues.delete(EVENTS, &event.receipt).await
    }

    /// Gives an event back, to be received again after `delay`.
    ///
    /// # Errors
    ///
    /// [`QueueError`].
    pub async fn retry_after(&self, event: &ObjectCreated, delay: Duration) -> Result<(), QueueError> {
        self.queues.change_visibility(EVENTS, &event.receipt, delay).await
    }
}
