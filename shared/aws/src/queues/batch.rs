//! Messages as an event source mapping hands them over, and what the function says of them.

use std::{collections::HashSet, future::Future, time::Duration};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::time::Instant;

use super::{Message, Queue};

/// A batch of messages, as an event source mapping hands it over. Only what the portal reads of it.
#[derive(Debug, Deserialize)]
pub struct Batch {
    /// The messages.
    #[serde(rename = "Records")]
    pub records: Vec<Message>,
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

    /// Hands over the messages of a FIFO queue, one after the other.
    ///
    /// After one that comes [`Verdict::Again`], the rest of its group is returned as it came: Lambda's answer names each of
    /// them, or it would delete them, and nothing overtakes. Other groups go on. `queue`, the one that the batch is from,
    /// is asked to hide the message for the time that the verdict says; those behind it are shown again at once, because
    /// the group stays shut as long as its first message is hidden.
    ///
    /// No message is begun once `budget` has passed; what is left is returned like the rest of a group.
    pub async fn each_in_order<Fut>(
        self,
        queue: &Queue,
        budget: Duration,
        handle: impl Fn(Message) -> Fut,
    ) -> BatchAnswer
    where
        Fut: Future<Output = Verdict>,
    {
        let begun = Instant::now();
        let mut shut = HashSet::new();
        let mut unprocessed = Vec::new();
        let mut answer = BatchAnswer::default();
        for message in self.records {
            let group = message.group().unwrap_or_default().to_owned();
            if shut.contains(&group) || begun.elapsed() >= budget {
                // Also when only the time is up: the next of the group may not be begun by somebody else before this one.
                shut.insert(group);
                answer.failures.push(Failure { item: message.id.clone() });
                unprocessed.push(message);
                continue;
            }
            if let Verdict::Again { after } = handle(message.clone()).await {
                if let Err(error) = queue.hide(&message, after).await {
                    // It comes back after the queue's own time.
                    tracing::warn!(message = %message.id, %error, "a message cannot be hidden");
                }
                answer.failures.push(Failure { item: message.id });
                shut.insert(group);
            }
        }
        // From the last to the first: as long as an earlier one of the group is hidden, no later one comes out.
        for message in unprocessed.iter().rev() {
            if let Err(error) = queue.hide(message, Duration::ZERO).await {
                tracing::warn!(message = %message.id, %error, "a message cannot be shown again");
            }
        }
        answer
    }
}

/// What becomes of a message of a FIFO queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is done with, one way or the other.
    Done,
    /// It is tried again later, and everything behind it in its group waits for it.
    Again {
        /// When.
        after: Duration,
    },
}
