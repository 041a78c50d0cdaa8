//! Sending to queues, and the shape in which Lambda hands a queue's messages over.

use std::{collections::HashMap, future::Future, time::Duration};

use aws_sdk_sqs::{Client, error::DisplayErrorContext};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

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
        self.client
            .send_message()
            .queue_url(&self.url)
            .message_body(serde_json::to_string(message)?)
            .set_delay_seconds((seconds > 0).then_some(seconds))
            .send()
            .await
            .map(|_| ())
            .map_err(|error| QueueError::Unavailable(DisplayErrorContext(error).to_string()))
    }
}

/// A batch of messages, as an event source mapping hands it over. Only what the portal reads of it.
#[derive(Debug, Deserialize)]
pub struct Batch {
    /// The messages.
    #[serde(rename = "Records")]
    pub records: Vec<Message>,
}

/// One message of a batch.
#[derive(Debug, Deserialize)]
pub struct Message {
    /// The queue's id of it.
    #[serde(rename = "messageId")]
    pub id: String,
    /// What was sent.
    pub body: String,
    /// Among others `ApproximateReceiveCount`.
    #[serde(default)]
    pub attributes: HashMap<String, String>,
}

/// Which messages of a batch come back later (`ReportBatchItemFailures`).
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct BatchAnswer {
    /// Those that failed; an empty list means that all are done.
    #[serde(rename = "batchItemFailures")]
    pub failures: Vec<Failure>,
}

/// One message that failed.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// Its id, or a stream record's sequence number.
    #[serde(rename = "itemIdentifier")]
    pub item: String,
}

impl Batch {
    /// Handles each message on its own. One that fails comes back later, alone; after the queue's
    /// `maxReceiveCount` it goes to the dead letters. One that does not read as `T` fails in the same way:
    /// it is kept for people to look at, not dropped.
    pub async fn each<T, E, Fut>(self, handle: impl Fn(T) -> Fut) -> BatchAnswer
    where
        T: DeserializeOwned,
        E: std::fmt::Display,
        Fut: Future<Output = Result<(), E>>,
    {
        let mut answer = BatchAnswer::default();
        for message in self.records {
            let outcome = match serde_json::from_str(&message.body) {
                Ok(body) => handle(body).await.map_err(|error| error.to_string()),
                Err(error) => Err(error.to_string()),
            };
            if let Err(error) = outcome {
                tracing::warn!(message = %message.id, %error, "a message comes back later");
                answer.failures.push(Failure { item: message.id });
            }
        }
        answer
    }
}
