//! What goes into a queue and what comes out.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::attributes::{self, AttributeValue, MessageAttributes, md5_of};
use super::{QueueError, limits};

/// A message to send.
#[derive(Clone, Debug, Default)]
pub struct NewMessage {
    /// The body, 1 byte to 256 KB with the attributes.
    pub body: String,
    /// Typed values beside the body.
    pub attributes: MessageAttributes,
    /// Hides the message for this long; `None` takes the queue's delay. Not on a FIFO queue.
    pub delay: Option<Duration>,
    /// The message group; required on a FIFO queue.
    pub group: Option<String>,
    /// The deduplication id of a FIFO queue.
    pub deduplication: Option<String>,
}

impl NewMessage {
    /// A message with only a body.
    pub fn new(body: impl Into<String>) -> Self {
        Self { body: body.into(), ..Self::default() }
    }

    /// Bytes that count against [`limits::MESSAGE_BYTES`].
    pub(super) fn bytes(&self) -> usize {
        self.body.len()
            + self.attributes.iter().map(|(name, value)| name.len() + value.bytes()).sum::<usize>()
    }

    pub(super) fn check(&self) -> Result<(), QueueError> {
        if self.body.is_empty() {
            return Err(QueueError::Missing("MessageBody"));
        }
        if self.bytes() > limits::MESSAGE_BYTES {
            return Err(QueueError::TooLong);
        }
        if self.delay.is_some_and(|delay| delay > limits::DELAY) {
            return Err(QueueError::Invalid("the delay is longer than 15 minutes".into()));
        }
        // The characters of XML 1.0, which SQS demands of a body.
        let allowed = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..);
        if !self.body.chars().all(allowed) {
            return Err(QueueError::Invalid(
                "the message contains characters outside the allowed set".into(),
            ));
        }
        attributes::check(&self.attributes)
    }
}

/// The answer to a send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The id of the message; the earlier one when a FIFO queue has seen the deduplication id.
    pub id: String,
    /// Rises within a FIFO queue.
    pub sequence: Option<String>,
}

/// A message that was received.
#[derive(Clone, Debug)]
pub struct Message {
    /// The id that the sender was told.
    pub id: String,
    /// Names this receive of the message; empty when the message was only peeked at.
    pub receipt: String,
    /// The body.
    pub body: String,
    /// Typed values beside the body.
    pub attributes: MessageAttributes,
    /// The message group.
    pub group: Option<String>,
    /// The deduplication id.
    pub deduplication: Option<String>,
    /// Rises with each message of a FIFO queue.
    pub sequence: Option<String>,
    /// When it was sent.
    pub sent: Timestamp,
    /// When it was received for the first time.
    pub first_received: Option<Timestamp>,
    /// How often it was received, this time included.
    pub receives: u32,
    /// The queue that it came from, when it is a dead letter.
    pub dead_letter_source: Option<String>,
    /// Rises with each message of all queues.
    pub(crate) number: i64,
}

impl Message {
    /// One element of `Records` of the event that Lambda gives a function for an SQS event source.
    /// <https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html>
    #[must_use]
    pub fn event_record(&self, queue_arn: &str, region: &str) -> Value {
        let attributes: Map<String, Value> = self
            .attributes
            .iter()
            .map(|(name, attribute)| {
                let mut value = json!({
                    "stringListValues": [], "binaryListValues": [], "dataType": attribute.data_type,
                });
                if let Some(value) = value.as_object_mut() {
                    match &attribute.value {
                        AttributeValue::Text(text) => value.insert("stringValue".into(), json!(text)),
                        AttributeValue::Binary(bytes) => {
                            value.insert("binaryValue".into(), json!(STANDARD.encode(bytes)))
                        }
                    };
                }
                (name.clone(), value)
            })
            .collect();
        json!({
            "messageId": self.id,
            "receiptHandle": self.receipt,
            "body": self.body,
            "attributes": self.system_attributes(queue_arn),
            "messageAttributes": attributes,
            "md5OfBody": md5_of(&self.body),
            "eventSource": "aws:sqs",
            "eventSourceARN": queue_arn,
            "awsRegion": region,
        })
    }

    /// `ApproximateReceiveCount` and its siblings, all strings as on the wire.
    pub(super) fn system_attributes(&self, queue_arn: &str) -> Map<String, Value> {
        let milliseconds = |at: Timestamp| at.as_millisecond().to_string();
        let given = [
            ("ApproximateReceiveCount", Some(self.receives.to_string())),
            ("SentTimestamp", Some(milliseconds(self.sent))),
            ("SenderId", Some(crate::ACCESS_KEY_ID.to_owned())),
            ("ApproximateFirstReceiveTimestamp", self.first_received.map(milliseconds)),
            ("SequenceNumber", self.sequence.clone()),
            ("MessageGroupId", self.group.clone()),
            ("MessageDeduplicationId", self.deduplication.clone()),
            (
                "DeadLetterQueueSourceArn",
                self.dead_letter_source.as_ref().map(|name| sibling_arn(queue_arn, name)),
            ),
        ];
        given.into_iter().filter_map(|(name, value)| Some((name.to_owned(), Value::String(value?)))).collect()
    }
}

/// The ARN of another queue of the same account and region.
fn sibling_arn(queue_arn: &str, name: &str) -> String {
    let account = queue_arn.rsplit_once(':').map_or("", |(account, _)| account);
    format!("{account}:{name}")
}

/// How many messages a queue holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Depth {
    /// Ready to be received.
    pub visible: u64,
    /// Received, neither deleted nor visible again.
    pub in_flight: u64,
    /// Sent with a delay that has not passed.
    pub delayed: u64,
}
