//! Asynchronous invocations: kept, tried three times, then given up.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html>

use std::sync::Arc;
use std::time::Duration;

use portico_emulators::{Message, NewMessage, QueueError, QueueSpec, Queues};
use serde_json::{Value as Json, json};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::{Delays, LOOK, TROUBLE_PAUSE};
use crate::lambda::Lambda;
use crate::stop::Stop;

/// Invocations at once of one function.
const CONCURRENCY: usize = 10;

/// How long an invocation stays hidden beyond the function's time-out.
const GRACE: Duration = Duration::from_secs(30);

/// What waits for a function: events of rules and schedules. What is kept here survives a kill of the process.
#[derive(Clone, Debug)]
pub struct Inbox {
    queue: String,
    queues: Queues,
}

/// Where an event goes after the last attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GivenUp {
    /// The function's own destination for failures: the event, and how it failed.
    Destination {
        /// The queue's name.
        queue: String,
    },
    /// The dead-letter queue of the rule or schedule: the event as it is.
    DeadLetters {
        /// The queue's name.
        queue: String,
    },
    /// Nowhere; it is logged.
    Nowhere,
}

impl Inbox {
    /// The inbox of a function with this time-out.
    ///
    /// # Errors
    /// [`QueueError::Store`].
    pub async fn open(lambda: &Lambda, timeout: Duration, queues: Queues) -> Result<Self, QueueError> {
        // Internal queues begin with an underscore and are not on the wire.
        let queue = format!("_async-{}", lambda.name());
        let spec =
            QueueSpec { visibility: timeout.saturating_add(GRACE), ..QueueSpec::standard(queue.clone()) };
        queues.create(spec).await?;
        Ok(Self { queue, queues })
    }

    /// Keeps an event for the function; it is durable when this returns.
    ///
    /// # Errors
    /// [`QueueError`].
    pub async fn put(&self, event: &Json) -> Result<(), QueueError> {
        self.queues.send(&self.queue, NewMessage::new(event.to_string())).await.map(drop)
    }

    /// Hands events to the function until `stop` is given.
    pub async fn run(self, lambda: Lambda, retries: u32, given_up: GivenUp, delays: Delays, mut stop: Stop) {
        let permits = Arc::new(Semaphore::new(CONCURRENCY));
        let mut running = JoinSet::new();
        while !stop.is_given() {
            while running.try_join_next().is_some() {}
            let Ok(permit) = Arc::clone(&permits).acquire_owned().await else { break };
            let received = self.queues.receive(&self.queue, 1, LOOK).await;
            let message = match received.map(|messages| messages.into_iter().next()) {
                Ok(Some(message)) => message,
                Ok(None) => continue,
                Err(error) => {
                    tracing::error!(function = lambda.name(), %error, "cannot receive events");
                    tokio::select! {
                        () = tokio::time::sleep(TROUBLE_PAUSE) => continue,
                        () = stop.given() => break,
                    }
                }
            };
            let (inbox, lambda, given_up) = (self.clone(), lambda.clone(), given_up.clone());
            running.spawn(async move {
                let _permit = permit;
                if let Err(error) = inbox.attempt(&lambda, &message, retries, &given_up, delays).await {
                    tracing::error!(function = lambda.name(), %error, "the event comes again");
                }
            });
        }
        while running.join_next().await.is_some() {}
    }

    async fn attempt(
        &self,
        lambda: &Lambda,
        message: &Message,
        retries: u32,
        given_up: &GivenUp,
        delays: Delays,
    ) -> Result<(), QueueError> {
        let Ok(event) = serde_json::from_str::<Json>(&message.body) else {
            return self.queues.delete(&self.queue, &message.receipt).await;
        };
        let Err(error) = lambda.invoke(&event).await else {
            return self.queues.delete(&self.queue, &message.receipt).await;
        };
        if message.receives <= retries {
            let [second, third] = delays.asynchronous;
            let delay = if message.receives == 1 { second } else { third };
            return self.queues.change_visibility(&self.queue, &message.receipt, delay).await;
        }
        match given_up {
            GivenUp::Destination { queue } => {
                let record = json!({
                    "version": "1.0",
                    "requestContext": {
                        "functionArn": crate::identity::function_arn(lambda.name()),
                        "condition": "RetriesExhausted",
                        "approximateInvokeCount": message.receives,
                    },
                    "requestPayload": event,
                    "responsePayload": { "errorType": "Error", "errorMessage": error.to_string() },
                });
                self.queues.send(queue, NewMessage::new(record.to_string())).await?;
            }
            GivenUp::DeadLetters { queue } => {
                self.queues.send(queue, NewMessage::new(message.body.clone())).await?;
            }
            GivenUp::Nowhere => {}
        }
        tracing::error!(
            function = lambda.name(),
            attempts = message.receives,
            ?given_up,
            "the event is given up"
        );
        self.queues.delete(&self.queue, &message.receipt).await
    }
}
