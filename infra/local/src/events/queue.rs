//! SQS event source mappings.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html>

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use portico_emulators::queues::limits;
use portico_emulators::{Message, QueueError, Queues};
use serde_json::json;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::{LOOK, TROUBLE_PAUSE, failed_items};
use crate::identity;
use crate::lambda::{Lambda, MAX_PAYLOAD_BYTES};
use crate::stop::Stop;

/// Batches at once of one mapping: with how many pollers Lambda starts.
const INITIAL_CONCURRENCY: usize = 5;

/// A queue that feeds a function.
#[derive(Clone, Debug)]
pub struct QueueMapping {
    /// The queue's name.
    pub queue: String,
    /// The function.
    pub lambda: Lambda,
    /// Messages for one invocation.
    pub batch_size: usize,
    /// How long to wait for a full batch.
    pub window: Duration,
    /// Whether the function names the messages that failed.
    pub reports_failures: bool,
    /// Batches at once, if the template bounds them.
    pub maximum_concurrency: Option<usize>,
}

impl QueueMapping {
    /// Hands messages to the function until `stop` is given, and lets running batches finish then.
    pub async fn run(self, queues: Queues, mut stop: Stop) {
        let permits = self.maximum_concurrency.unwrap_or(INITIAL_CONCURRENCY);
        let permits = Arc::new(Semaphore::new(permits.clamp(1, Semaphore::MAX_PERMITS)));
        let mut batches = JoinSet::new();
        while !stop.is_given() {
            while batches.try_join_next().is_some() {}
            let Ok(permit) = Arc::clone(&permits).acquire_owned().await else { break };
            let batch = match self.collect(&queues, &stop).await {
                Ok(batch) if batch.is_empty() => continue,
                Ok(batch) => batch,
                Err(error) => {
                    tracing::error!(queue = self.queue, %error, "cannot receive");
                    tokio::select! {
                        () = tokio::time::sleep(TROUBLE_PAUSE) => continue,
                        () = stop.given() => break,
                    }
                }
            };
            let (mapping, queues) = (self.clone(), queues.clone());
            batches.spawn(async move {
                let _permit = permit;
                mapping.deliver(&queues, &batch).await;
            });
        }
        while batches.join_next().await.is_some() {}
    }

    /// The next batch: the first messages at once, more only within the window.
    async fn collect(&self, queues: &Queues, stop: &Stop) -> Result<Vec<Message>, QueueError> {
        let first = self.batch_size.min(limits::BATCH);
        let mut batch = queues.receive(&self.queue, first, LOOK).await?;
        if batch.is_empty() || self.window.is_zero() {
            return Ok(batch);
        }
        let deadline = Instant::now() + self.window;
        let mut bytes: usize = batch.iter().map(|message| message.body.len()).sum();
        while batch.len() < self.batch_size && bytes < MAX_PAYLOAD_BYTES / 2 && !stop.is_given() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let room = (self.batch_size - batch.len()).min(limits::BATCH);
            let more = queues.receive(&self.queue, room, left.min(LOOK)).await?;
            bytes += more.iter().map(|message| message.body.len()).sum::<usize>();
            batch.extend(more);
        }
        Ok(batch)
    }

    async fn deliver(&self, queues: &Queues, batch: &[Message]) {
        let arn = format!("arn:aws:sqs:{}:{}:{}", identity::REGION, identity::ACCOUNT, self.queue);
        let records: Vec<_> =
            batch.iter().map(|message| message.event_record(&arn, identity::REGION)).collect();
        let ids: HashSet<&str> = batch.iter().map(|message| message.id.as_str()).collect();
        let failed = match self.lambda.invoke(&json!({ "Records": records })).await {
            // The messages become visible again after their time-out, and are dead letters after enough receives.
            Err(_) => return,
            Ok(_) if !self.reports_failures => Vec::new(),
            Ok(answer) => match failed_items(&answer, |id| ids.contains(id)) {
                Some(failed) => failed,
                None => {
                    tracing::error!(
                        function = self.lambda.name(),
                        queue = self.queue,
                        "the answer names no message of the batch: all of them failed"
                    );
                    return;
                }
            },
        };
        for message in batch.iter().filter(|message| !failed.contains(&message.id)) {
            if let Err(error) = queues.delete(&self.queue, &message.receipt).await {
                tracing::error!(queue = self.queue, message = message.id, %error, "cannot delete");
            }
        }
        if !failed.is_empty() {
            tracing::warn!(
                function = self.lambda.name(),
                queue = self.queue,
                failed = failed.len(),
                "messages failed"
            );
        }
    }
}
