//! DynamoDB event source mappings.
//!
//! Order is kept by having one batch at a time; what is done is kept as a checkpoint, so that a restart goes on where
//! the last process stopped. A record is given up only after the template's retries, and then its position goes to
//! the queue for failures.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html>

use std::collections::VecDeque;
use std::time::Duration;

use jiff::Timestamp;
use portico_domain::{Clock, Random};
use portico_emulators::{NewMessage, QueueError, Queues, StreamError, StreamRecord, Streams, streams};
use serde_json::json;

use super::pattern::Pattern;
use super::{Delays, TROUBLE_PAUSE, failed_items};
use crate::identity;
use crate::lambda::Lambda;
use crate::stop::Stop;
use crate::template::StartingPosition;

/// How long an idle mapping sleeps at most; a commit wakes it at once.
const IDLE_NAP: Duration = Duration::from_secs(5);

/// Most reads when a mapping skips to the end of a stream: 10,000 times the records of one read.
const MAX_SKIP_READS: u32 = 10_000;

/// A table's stream that feeds a function.
#[derive(Clone, Debug)]
pub struct StreamMapping {
    /// The table's name.
    pub table: String,
    /// The stream's ARN as the template knows it.
    pub stream_arn: String,
    /// The function.
    pub lambda: Lambda,
    /// Where a mapping without a checkpoint starts.
    pub starting_position: StartingPosition,
    /// Records for one invocation.
    pub batch_size: usize,
    /// How long to wait for a full batch.
    pub window: Duration,
    /// `None` retries as long as the record is young enough.
    pub maximum_retries: Option<u32>,
    /// `None` sets no bound.
    pub maximum_age: Option<Duration>,
    /// Whether a failed batch is halved.
    pub bisects: bool,
    /// Whether the function names the first record that failed.
    pub reports_failures: bool,
    /// A record that fits none is skipped; none lets everything through.
    pub filters: Vec<Pattern>,
    /// The queue for the positions of records that were given up.
    pub on_failure: Option<String>,
    /// Waits between attempts.
    pub delays: Delays,
}

/// Why a mapping stands still for a moment.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    Stream(#[from] StreamError),
    #[error(transparent)]
    Queue(#[from] QueueError),
}

/// Records that go to the function together, and how often they did.
struct Batch {
    records: Vec<StreamRecord>,
    attempts: u32,
}

/// How one invocation went.
enum Outcome {
    Done,
    /// From this record on; what is before it is done.
    FailedFrom(usize),
    Failed,
}

impl StreamMapping {
    /// Who the checkpoint belongs to.
    fn consumer(&self) -> &str {
        self.lambda.name()
    }

    /// Hands records to the function until `stop` is given.
    pub async fn run(self, streams: Streams, queues: Queues, clock: Clock, random: Random, mut stop: Stop) {
        let mut position = None;
        let mut started = false;
        let mut commits = streams.commits();
        while !stop.is_given() {
            let round = async {
                if !started {
                    position = self.start(&streams).await?;
                    started = true;
                }
                commits.mark_unchanged();
                let records = streams.read(&self.table, position.as_deref()).await?;
                if records.is_empty() {
                    return Ok(true);
                }
                let records = self.fill(&streams, records, &mut commits, &stop).await?;
                for chunk in records.chunks(self.batch_size.max(1)) {
                    if stop.is_given() {
                        break;
                    }
                    let done = self.deliver(&streams, &queues, chunk, &clock, &random, &stop).await?;
                    if let Some(last) = done {
                        position = Some(last);
                    }
                }
                Ok::<bool, Trouble>(false)
            };
            let nap = match round.await {
                Ok(false) => continue,
                Ok(true) => IDLE_NAP,
                Err(error) => {
                    tracing::error!(table = self.table, function = self.lambda.name(), %error, "the stream waits");
                    TROUBLE_PAUSE
                }
            };
            tokio::select! {
                // An error means that the emulators are gone.
                changed = commits.changed() => if changed.is_err() { return },
                () = tokio::time::sleep(nap) => {}
                () = stop.given() => {}
            }
        }
    }

    /// The checkpoint, or where a mapping without one starts.
    async fn start(&self, streams: &Streams) -> Result<Option<String>, Trouble> {
        let kept = streams.checkpoint(self.consumer(), &self.table).await?;
        if kept.is_some() || self.starting_position == StartingPosition::TrimHorizon {
            return Ok(kept);
        }
        let mut position: Option<String> = None;
        for _ in 0..MAX_SKIP_READS {
            match streams.read(&self.table, position.as_deref()).await?.last() {
                Some(last) => position = Some(last.sequence.clone()),
                None => break,
            }
        }
        if let Some(position) = &position {
            streams.advance(self.consumer(), &self.table, position).await?;
        }
        Ok(position)
    }

    /// Waits within the window until a batch is full.
    async fn fill(
        &self,
        streams: &Streams,
        mut records: Vec<StreamRecord>,
        commits: &mut tokio::sync::watch::Receiver<()>,
        stop: &Stop,
    ) -> Result<Vec<StreamRecord>, Trouble> {
        let deadline = tokio::time::Instant::now() + self.window;
        let enough = self.batch_size.min(streams::READ_LIMIT);
        while records.len() < enough && !stop.is_given() {
            if self.window.is_zero() || tokio::time::timeout_at(deadline, commits.changed()).await.is_err() {
                break;
            }
            let after = records.last().map(|record| record.sequence.clone());
            records.extend(streams.read(&self.table, after.as_deref()).await?);
        }
        Ok(records)
    }

    /// Works through one chunk of the stream; returns how far it came, which is also the checkpoint.
    async fn deliver(
        &self,
        streams: &Streams,
        queues: &Queues,
        chunk: &[StreamRecord],
        clock: &Clock,
        random: &Random,
        stop: &Stop,
    ) -> Result<Option<String>, Trouble> {
        let wanted: Vec<StreamRecord> = chunk.iter().filter(|record| self.wants(record)).cloned().collect();
        let mut waiting = VecDeque::from([Batch { records: wanted, attempts: 0 }]);
        let mut done = None;
        while let Some(mut batch) = waiting.pop_front() {
            let Some(last) = batch.records.last().map(|record| record.sequence.clone()) else { continue };
            if stop.is_given() {
                return Ok(done);
            }
            let give_up = self.too_old(&batch, clock);
            let outcome = if give_up { Outcome::Failed } else { self.attempt(&batch.records).await };
            let failed = match outcome {
                Outcome::Done => {
                    self.checkpoint(streams, &mut done, last).await?;
                    continue;
                }
                Outcome::FailedFrom(first) if first > 0 => {
                    let rest = batch.records.split_off(first);
                    if let Some(before) = batch.records.last() {
                        self.checkpoint(streams, &mut done, before.sequence.clone()).await?;
                    }
                    // Something went through: the rest starts anew.
                    Batch { records: rest, attempts: 1 }
                }
                Outcome::FailedFrom(_) | Outcome::Failed => {
                    Batch { records: batch.records, attempts: batch.attempts.saturating_add(1) }
                }
            };
            let exhausted = self.maximum_retries.is_some_and(|most| failed.attempts > most);
            if give_up || (exhausted && (failed.records.len() == 1 || !self.bisects)) {
                let condition = if give_up { "RecordAgeExceeded" } else { "RetryAttemptsExhausted" };
                self.give_up(queues, &failed, condition, clock, random).await?;
                self.checkpoint(streams, &mut done, last).await?;
                continue;
            }
            self.pause(failed.attempts, stop).await;
            self.put_back(&mut waiting, failed);
        }
        // Records that no filter wanted are done, too.
        if let Some(last) = chunk.last() {
            self.checkpoint(streams, &mut done, last.sequence.clone()).await?;
        }
        Ok(done)
    }

    /// A failed batch, halved if the template says so. Halving does not count as an attempt.
    fn put_back(&self, waiting: &mut VecDeque<Batch>, mut failed: Batch) {
        if self.bisects && failed.records.len() > 1 {
            let second = failed.records.split_off(failed.records.len() / 2);
            waiting.push_front(Batch { records: second, attempts: failed.attempts.saturating_sub(1) });
            failed.attempts = failed.attempts.saturating_sub(1);
        }
        waiting.push_front(failed);
    }

    async fn attempt(&self, records: &[StreamRecord]) -> Outcome {
        let events: Vec<_> = records.iter().map(|record| &record.event).collect();
        let answer = match self.lambda.invoke(&json!({ "Records": events })).await {
            Err(_) => return Outcome::Failed,
            Ok(_) if !self.reports_failures => return Outcome::Done,
            Ok(answer) => answer,
        };
        let position = |sequence: &str| records.iter().position(|record| record.sequence == sequence);
        match failed_items(&answer, |id| position(id).is_some()) {
            None => {
                tracing::error!(
                    function = self.lambda.name(),
                    table = self.table,
                    "the answer names no record of the batch: all of them failed"
                );
                Outcome::Failed
            }
            Some(failed) => match failed.iter().filter_map(|id| position(id)).min() {
                Some(first) => Outcome::FailedFrom(first),
                None => Outcome::Done,
            },
        }
    }

    fn wants(&self, record: &StreamRecord) -> bool {
        self.filters.is_empty() || self.filters.iter().any(|filter| filter.matches(&record.event))
    }

    fn too_old(&self, batch: &Batch, clock: &Clock) -> bool {
        let created = batch.records.first().and_then(created);
        match (self.maximum_age, created) {
            (Some(most), Some(created)) => {
                clock.now().duration_since(created) > jiff::SignedDuration::try_from(most).unwrap_or_default()
            }
            _ => false,
        }
    }

    async fn checkpoint(
        &self,
        streams: &Streams,
        done: &mut Option<String>,
        sequence: String,
    ) -> Result<(), Trouble> {
        if done.as_ref() != Some(&sequence) {
            streams.advance(self.consumer(), &self.table, &sequence).await?;
            *done = Some(sequence);
        }
        Ok(())
    }

    /// Waits longer after each attempt.
    async fn pause(&self, attempts: u32, stop: &Stop) {
        let doubled = 2_u32.saturating_pow(attempts.saturating_sub(1));
        let delay = self.delays.stream_first.saturating_mul(doubled).min(self.delays.stream_longest);
        let mut stop = stop.clone();
        tokio::select! {
            () = tokio::time::sleep(delay) => {}
            () = stop.given() => {}
        }
    }

    /// Tells the queue for failures where the records are; Lambda does not copy the records themselves.
    async fn give_up(
        &self,
        queues: &Queues,
        batch: &Batch,
        condition: &str,
        clock: &Clock,
        random: &Random,
    ) -> Result<(), Trouble> {
        let sequence = |record: Option<&StreamRecord>| record.map(|record| record.sequence.clone());
        let arrival = |record: Option<&StreamRecord>| record.and_then(created).map(|at| at.to_string());
        let (first, last) = (batch.records.first(), batch.records.last());
        tracing::error!(
            function = self.lambda.name(),
            table = self.table,
            records = batch.records.len(),
            condition,
            "records are given up"
        );
        let Some(queue) = &self.on_failure else { return Ok(()) };
        let message = json!({
            "requestContext": {
                "requestId": identity::request_id(random),
                "functionArn": identity::function_arn(self.lambda.name()),
                "condition": condition,
                "approximateInvokeCount": batch.attempts,
            },
            "responseContext": { "statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled" },
            "version": "1.0",
            "timestamp": clock.now().to_string(),
            "DDBStreamBatchInfo": {
                "shardId": "local",
                "startSequenceNumber": sequence(first),
                "endSequenceNumber": sequence(last),
                "approximateArrivalOfFirstRecord": arrival(first),
                "approximateArrivalOfLastRecord": arrival(last),
                "batchSize": batch.records.len(),
                "streamArn": self.stream_arn,
            },
        });
        queues.send(queue, NewMessage::new(message.to_string())).await?;
        Ok(())
    }
}

/// When the change was made.
fn created(record: &StreamRecord) -> Option<Timestamp> {
    let seconds = record.event.pointer("/dynamodb/ApproximateCreationDateTime")?;
    let seconds = seconds.as_i64().or_else(|| seconds.as_str()?.parse().ok())?;
    Timestamp::from_second(seconds).ok()
}
