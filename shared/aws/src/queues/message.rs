//! One message, by whichever way it came.

use std::collections::HashMap;

use jiff::Timestamp;
use serde::Deserialize;

use super::QueueError;

/// One message, as Lambda hands it over in a batch or [`super::Queue::receive`] takes it. Only what the portal reads of it.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Message {
    /// The queue's id of it.
    #[serde(rename = "messageId")]
    pub id: String,
    /// Names this one receive of it.
    #[serde(rename = "receiptHandle", default)]
    pub receipt: String,
    /// What was sent.
    pub body: String,
    /// Among others `ApproximateReceiveCount`.
    #[serde(default)]
    pub attributes: HashMap<String, String>,
    /// What the sender noted beside the body, by name.
    #[serde(rename = "messageAttributes", default)]
    pub notes: HashMap<String, Note>,
}

/// A text beside the body.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Note {
    /// The text; absent if the sender noted bytes.
    #[serde(rename = "stringValue")]
    pub text: Option<String>,
}

impl Message {
    /// Its group, on a FIFO queue.
    pub fn group(&self) -> Option<&str> {
        self.attributes.get("MessageGroupId").map(String::as_str)
    }

    /// How often it was received, this time included; 1 if the queue does not say.
    pub fn receives(&self) -> u32 {
        let count = self.attributes.get("ApproximateReceiveCount").and_then(|count| count.parse().ok());
        count.unwrap_or(1)
    }

    /// When it was sent to the queue that it is in.
    pub fn sent_at(&self) -> Option<Timestamp> {
        let milliseconds = self.attributes.get("SentTimestamp")?.parse().ok()?;
        Timestamp::from_millisecond(milliseconds).ok()
    }

    /// Why it is a dead letter, if whoever parked it said so ([`super::DeadLetters::park`]).
    pub fn reason(&self) -> Option<&str> {
        self.notes.get(super::dead_letters::REASON)?.text.as_deref()
    }

    pub(super) fn of_sdk(message: aws_sdk_sqs::types::Message) -> Result<Self, QueueError> {
        let attributes = message.attributes.unwrap_or_default().into_iter();
        let notes = message.message_attributes.unwrap_or_default().into_iter();
        Ok(Self {
            id: message.message_id.ok_or(QueueError::Malformed("id"))?,
            receipt: message.receipt_handle.ok_or(QueueError::Malformed("receipt handle"))?,
            body: message.body.ok_or(QueueError::Malformed("body"))?,
            attributes: attributes.map(|(name, value)| (name.as_str().to_owned(), value)).collect(),
            notes: notes.map(|(name, value)| (name, Note { text: value.string_value })).collect(),
        })
    }
}
