//! Queues: sending, receiving by hand, dead letters, and the shape in which Lambda hands messages over.

mod batch;
mod dead_letters;
mod message;

use std::time::Duration;

use aws_sdk_sqs::{
    Client,
    error::DisplayErrorContext,
    types::{MessageAttributeValue, MessageSystemAttributeName},
};
use serde::Serialize;

pub use batch::{Batch, BatchAnswer, Failure, Verdict};
pub use dead_letters::{DeadLetters, Redriven};
pub use message::{Message, Note};

/// Most messages of one receive (SQS's limit).
const RECEIVED_AT_ONCE_MAX: usize = 10;
/// How long a receive waits for a first message, in seconds. Not zero: a short poll asks only some of the queue's servers and
/// may come back with nothing from a queue that is not empty.
const RECEIVE_WAIT: i32 = 1;
/// Longest time for which a message can be hidden (SQS's limit).
const HIDDEN_MAX: Duration = Duration::from_secs(12 * 60 * 60);

/// One queue.
#[derive(Debug, Clone)]
pub struct Queue {
    client: Client,
    url: String,
}

/// A message was not taken by the queue.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// The message cannot be written.
    #[error("the message cannot be written: {0}")]
    Message(#[from] serde_json::Error),
    /// The queue failed.
    #[error("the queue failed: {0}")]
    Unavailable(String),
    /// What came out of the queue lacks something that every message has.
    #[error("the queue handed out a message without its {0}")]
    Malformed(&'static str),
}

/// What becomes of a message besides its body.
#[derive(Debug, Clone, Copy, Default)]
struct Envelope<'a> {
    /// Group and deduplication id, on a FIFO queue.
    place: Option<Place<'a>>,
    /// A name and a text beside the body.
    note: Option<(&'a str, &'a str)>,
    delay_seconds: Option<i32>,
}

/// Where a message stands in a FIFO queue.
#[derive(Debug, Clone, Copy)]
struct Place<'a> {
    group: &'a str,
    once: &'a str,
}

impl Queue {
    pub(crate) fn new(client: Client, url: String) -> Self {
        Self { client, url }
    }

    /// Sends one message. It is durable when this returns.
    ///
    /// # Errors
    /// [`QueueError`]; the message may have been taken all the same.
    pub async fn send<T: Serialize>(&self, message: &T) -> Result<(), QueueError> {
        self.send_later(message, Duration::ZERO).await
    }

    /// Sends one message that nobody sees before `delay` (at most 15 minutes, in whole seconds) has passed.
    ///
    /// # Errors
    /// [`QueueError`]; the message may have been taken all the same.
    pub async fn send_later<T: Serialize>(&self, message: &T, delay: Duration) -> Result<(), QueueError> {
        let seconds = i32::try_from(delay.as_secs().min(900)).unwrap_or(900);
        let delay_seconds = (seconds > 0).then_some(seconds);
        self.send_text(serde_json::to_string(message)?, Envelope { delay_seconds, ..Envelope::default() })
            .await
    }

    /// Sends one message to a FIFO queue. Messages of a `group` come out one after the other, in the order in which they
    /// were sent. What was sent with the same `once` in the last five minutes is not sent again.
    ///
    /// # Errors
    /// [`QueueError`]; the message may have been taken all the same.
    pub async fn send_in_order<T: Serialize>(
        &self,
        message: &T,
        group: &str,
        once: &str,
    ) -> Result<(), QueueError> {
        let place = Some(Place { group, once });
        self.send_text(serde_json::to_string(message)?, Envelope { place, ..Envelope::default() }).await
    }

    /// Takes up to `most` messages (at most 10), with their attributes, and hides them for the queue's own time. None means
    /// that there is nothing to be had now.
    ///
    /// # Errors
    /// [`QueueError`].
    pub async fn receive(&self, most: usize) -> Result<Vec<Message>, QueueError> {
        let most = i32::try_from(most.clamp(1, RECEIVED_AT_ONCE_MAX)).unwrap_or(1);
        let received = self
            .client
            .receive_message()
            .queue_url(&self.url)
            .max_number_of_messages(most)
            .wait_time_seconds(RECEIVE_WAIT)
            .message_system_attribute_names(MessageSystemAttributeName::All)
            .message_attribute_names("All")
            .send()
            .await
            .map_err(|error| QueueError::Unavailable(DisplayErrorContext(error).to_string()))?;
        received.messages.unwrap_or_default().into_iter().map(Message::of_sdk).collect()
    }

    /// Removes a message that was received.
    ///
    /// # Errors
    /// [`QueueError`]; on a FIFO queue also when the message is not hidden any more.
    pub async fn delete(&self, message: &Message) -> Result<(), QueueError> {
        let delete = self.client.delete_message().queue_url(&self.url).receipt_handle(&message.receipt);
        delete
            .send()
            .await
            .map(|_| ())
            .map_err(|error| QueueError::Unavailable(DisplayErrorContext(error).to_string()))
    }

    /// Hides a received message for this long from now (at most 12 hours, in whole seconds, rounded up); zero shows it
    /// again at once. As long as it is hidden, nothing else of its group comes out of a FIFO queue.
    ///
    /// # Errors
    /// [`QueueError`].
    pub async fn hide(&self, message: &Message, time: Duration) -> Result<(), QueueError> {
        let time = time.min(HIDDEN_MAX);
        let seconds = time.as_secs().saturating_add(u64::from(time.subsec_nanos() > 0));
        self.client
            .change_message_visibility()
            .queue_url(&self.url)
            .receipt_handle(&message.receipt)
            .visibility_timeout(i32::try_from(seconds).unwrap_or(i32::MAX))
            .send()
            .await
            .map(|_| ())
            .map_err(|error| QueueError::Unavailable(DisplayErrorContext(error).to_string()))
    }

    async fn send_text(&self, text: String, envelope: Envelope<'_>) -> Result<(), QueueError> {
        let mut request = self
            .client
            .send_message()
            .queue_url(&self.url)
            .message_body(text)
            .set_delay_seconds(envelope.delay_seconds);
        if let Some(Place { group, once }) = envelope.place {
            request = request.message_group_id(group).message_deduplication_id(once);
        }
        if let Some((name, value)) = envelope.note {
            let value = MessageAttributeValue::builder().data_type("String").string_value(value).build();
            let value = value.map_err(|error| QueueError::Unavailable(error.to_string()))?;
            request = request.message_attributes(name, value);
        }
        request
            .send()
            .await
            .map(|_| ())
            .map_err(|error| QueueError::Unavailable(DisplayErrorContext(error).to_string()))
    }
}
