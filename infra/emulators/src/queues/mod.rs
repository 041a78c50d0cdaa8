//! SQS: standard and FIFO queues with visibility time-outs, delays, deduplication and dead letters.
//!
//! The rules are those of the SQS Developer Guide; limits are in [`limits`]. Messages are rows of SQLite, so what was
//! acknowledged to a sender survives a kill of the process.

mod attributes;
mod ledger;
mod message;
mod spec;
pub(crate) mod wire;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use portico_domain::Clock;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::clock::now_ms;
use crate::store::{Store, StoreError};

pub(crate) use ledger::send as append;

pub use attributes::{AttributeValue, MessageAttribute, MessageAttributes};
pub use message::{Depth, Message, NewMessage, Sent};
pub use spec::{QueueSpec, Redrive};

/// Limits of SQS: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-quotas.html>.
pub mod limits {
    use std::time::Duration;

    /// Largest message, and largest batch in total: body and attributes, in bytes.
    pub const MESSAGE_BYTES: usize = 256 * 1024;
    /// Most messages in one batch, sent or received.
    pub const BATCH: usize = 10;
    /// Most message attributes on one message.
    pub const ATTRIBUTES: usize = 10;
    /// Longest time a receive waits.
    pub const RECEIVE_WAIT: Duration = Duration::from_secs(20);
    /// Longest time a message stays invisible after one receive.
    pub const VISIBILITY: Duration = Duration::from_secs(12 * 60 * 60);
    /// Longest delay of a message.
    pub const DELAY: Duration = Duration::from_secs(15 * 60);
    /// Longest time a message is kept.
    pub const RETENTION: Duration = Duration::from_secs(14 * 24 * 60 * 60);
    /// How long a FIFO queue remembers a deduplication id.
    pub const DEDUPLICATION: Duration = Duration::from_secs(5 * 60);
    /// Longest queue name, `.fifo` included.
    pub const NAME_CHARACTERS: usize = 80;
}

/// Queues whose names begin with this are the emulators' own and are not on the wire.
const INTERNAL_PREFIX: char = '_';

/// Why a queue operation was refused.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// No queue has this name.
    #[error("the queue {0} does not exist")]
    NoSuchQueue(String),
    /// A parameter breaks a rule of SQS.
    #[error("{0}")]
    Invalid(String),
    /// A parameter that this queue needs is missing.
    #[error("the request must contain the parameter {0}")]
    Missing(&'static str),
    /// The message is larger than [`limits::MESSAGE_BYTES`].
    #[error(
        "one or more parameters are invalid: the message must be shorter than {} bytes",
        limits::MESSAGE_BYTES
    )]
    TooLong,
    /// The receipt handle was not made by this queue.
    #[error("the input receipt handle is invalid")]
    InvalidReceipt,
    /// The message is visible again, or was received by someone else since.
    #[error("the message referred to is not in flight")]
    NotInFlight,
    /// The queue exists with other settings that cannot be changed.
    #[error("the queue {0} exists and a queue cannot change between standard and FIFO")]
    KindChanged(String),
    /// The state file failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<rusqlite::Error> for QueueError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(StoreError::Sqlite(error))
    }
}

/// All queues. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Queues {
    store: Store,
    clock: Clock,
    changes: Arc<Mutex<HashMap<String, watch::Sender<()>>>>,
    /// Becomes true when the emulators stop, so that a long poll does not hold them up.
    stopping: watch::Receiver<bool>,
}

impl Queues {
    pub(crate) fn new(store: Store, clock: Clock, stopping: watch::Receiver<bool>) -> Self {
        Self { store, clock, changes: Arc::default(), stopping }
    }

    /// Creates the queue, or gives an existing one these settings. Messages stay.
    ///
    /// # Errors
    ///
    /// [`QueueError::Invalid`] when a setting is outside the limits of SQS; [`QueueError::NoSuchQueue`] when the
    /// dead-letter queue does not exist yet; [`QueueError::KindChanged`] when a standard queue should become FIFO or
    /// the other way round.
    pub async fn create(&self, spec: QueueSpec) -> Result<(), QueueError> {
        spec.check()?;
        let now = now_ms(&self.clock);
        let name = spec.name.clone();
        self.store.transact(move |tx| ledger::create(tx, &spec, now)).await?;
        self.changed(&name);
        Ok(())
    }

    /// The settings of a queue.
    ///
    /// # Errors
    ///
    /// [`QueueError::NoSuchQueue`].
    pub async fn describe(&self, queue: &str) -> Result<QueueSpec, QueueError> {
        let queue = queue.to_owned();
        self.store.transact(move |tx| ledger::spec(tx, &queue)).await
    }

    /// The names of all queues, without the emulators' own.
    ///
    /// # Errors
    ///
    /// [`QueueError::Store`].
    pub async fn list(&self) -> Result<Vec<String>, QueueError> {
        self.store.transact(ledger::list).await
    }

    /// Keeps a message. It is durable when this returns.
    ///
    /// # Errors
    ///
    /// [`QueueError`] for the rules of SQS: size, group and deduplication ids, delay.
    pub async fn send(&self, queue: &str, message: NewMessage) -> Result<Sent, QueueError> {
        message.check()?;
        let now = now_ms(&self.clock);
        let name = queue.to_owned();
        let sent = self.store.transact(move |tx| ledger::send(tx, &name, &message, now)).await?;
        self.changed(queue);
        Ok(sent)
    }

    /// Takes up to `max` messages and hides them for the queue's visibility time-out. Waits up to `wait`, at most
    /// [`limits::RECEIVE_WAIT`], for the first; a message sent meanwhile ends the wait at once.
    ///
    /// # Errors
    ///
    /// [`QueueError::NoSuchQueue`], [`QueueError::Store`].
    pub async fn receive(&self, queue: &str, max: usize, wait: Duration) -> Result<Vec<Message>, QueueError> {
        self.receive_hidden_for(queue, max, wait, None).await
    }

    /// As [`Queues::receive`], hiding the messages for `visibility` where it is given.
    ///
    /// # Errors
    ///
    /// As [`Queues::receive`], and [`QueueError::Invalid`] beyond [`limits::VISIBILITY`].
    pub async fn receive_hidden_for(
        &self,
        queue: &str,
        max: usize,
        wait: Duration,
        visibility: Option<Duration>,
    ) -> Result<Vec<Message>, QueueError> {
        if visibility.is_some_and(|visibility| visibility > limits::VISIBILITY) {
            return Err(QueueError::Invalid("the visibility time-out is longer than 12 hours".into()));
        }
        let max = max.clamp(1, limits::BATCH);
        let deadline = Instant::now() + wait.min(limits::RECEIVE_WAIT);
        let mut changes = self.subscribe(queue);
        let mut stopping = self.stopping.clone();
        loop {
            changes.mark_unchanged();
            let (name, now) = (queue.to_owned(), now_ms(&self.clock));
            let taken =
                self.store.transact(move |tx| ledger::receive(tx, &name, max, visibility, now)).await?;
            for dead_letter_queue in &taken.moved_to {
                self.changed(dead_letter_queue);
            }
            if !taken.messages.is_empty() || Instant::now() >= deadline || *stopping.borrow() {
                return Ok(taken.messages);
            }
            // A hidden or delayed message becomes visible without anyone sending anything.
            let next = match taken.next_visible_ms {
                Some(at) => deadline.min(Instant::now() + milliseconds(at.saturating_sub(now).max(1))),
                None => deadline,
            };
            tokio::select! {
                _ = changes.changed() => {}
                _ = stopping.changed() => {}
                () = tokio::time::sleep_until(next) => {}
            }
        }
    }

    /// Removes a message that was received. A receipt that is older than the latest receive of the message removes
    /// nothing and is no error on a standard queue, as in SQS.
    ///
    /// # Errors
    ///
    /// [`QueueError::InvalidReceipt`]; on a FIFO queue also [`QueueError::NotInFlight`].
    pub async fn delete(&self, queue: &str, receipt: &str) -> Result<(), QueueError> {
        let (name, receipt, now) = (queue.to_owned(), receipt.to_owned(), now_ms(&self.clock));
        self.store.transact(move |tx| ledger::delete(tx, &name, &receipt, now)).await?;
        // The next message of the group may be received now.
        self.changed(queue);
        Ok(())
    }

    /// Hides a received message for `visibility` from now; zero makes it visible at once.
    ///
    /// # Errors
    ///
    /// [`QueueError::InvalidReceipt`], [`QueueError::NotInFlight`], [`QueueError::Invalid`] beyond
    /// [`limits::VISIBILITY`].
    pub async fn change_visibility(
        &self,
        queue: &str,
        receipt: &str,
        visibility: Duration,
    ) -> Result<(), QueueError> {
        if visibility > limits::VISIBILITY {
            return Err(QueueError::Invalid("the visibility time-out is longer than 12 hours".into()));
        }
        let (name, receipt, now) = (queue.to_owned(), receipt.to_owned(), now_ms(&self.clock));
        self.store
            .transact(move |tx| ledger::change_visibility(tx, &name, &receipt, visibility, now))
            .await?;
        self.changed(queue);
        Ok(())
    }

    /// Makes every message visible at once that was received and is hidden: for the only consumer of a queue, when it starts, because whoever
    /// had messages in hand is gone. Returns how many there were.
    ///
    /// # Errors
    ///
    /// [`QueueError::NoSuchQueue`].
    pub async fn release(&self, queue: &str) -> Result<usize, QueueError> {
        let (name, now) = (queue.to_owned(), now_ms(&self.clock));
        let released = self.store.transact(move |tx| ledger::release(tx, &name, now)).await?;
        self.changed(queue);
        Ok(released)
    }

    /// How many messages the queue holds.
    ///
    /// # Errors
    ///
    /// [`QueueError::NoSuchQueue`].
    pub async fn depth(&self, queue: &str) -> Result<Depth, QueueError> {
        let (name, now) = (queue.to_owned(), now_ms(&self.clock));
        self.store.transact(move |tx| ledger::depth(tx, &name, now)).await
    }

    /// Up to `max` messages in their order, without receiving them: for a person who looks at a dead-letter queue.
    ///
    /// # Errors
    ///
    /// [`QueueError::NoSuchQueue`].
    pub async fn peek(&self, queue: &str, max: usize) -> Result<Vec<Message>, QueueError> {
        let name = queue.to_owned();
        self.store.transact(move |tx| ledger::peek(tx, &name, max)).await
    }

    /// Removes every message of the queue.
    ///
    /// # Errors
    ///
    /// [`QueueError::NoSuchQueue`].
    pub async fn purge(&self, queue: &str) -> Result<(), QueueError> {
        let name = queue.to_owned();
        self.store.transact(move |tx| ledger::purge(tx, &name)).await
    }

    /// Moves every message of a dead-letter queue back to the queue it came from; returns how many moved.
    ///
    /// # Errors
    ///
    /// [`QueueError::NoSuchQueue`].
    pub async fn redrive(&self, dead_letter_queue: &str) -> Result<usize, QueueError> {
        let (name, now) = (dead_letter_queue.to_owned(), now_ms(&self.clock));
        let (moved, sources) = self.store.transact(move |tx| ledger::redrive(tx, &name, now)).await?;
        for source in &sources {
            self.changed(source);
        }
        Ok(moved)
    }

    /// Wakes every receive that waits on the queue.
    pub(crate) fn changed(&self, queue: &str) {
        if let Some(changes) = self.changes().get(queue) {
            changes.send_replace(());
        }
    }

    fn subscribe(&self, queue: &str) -> watch::Receiver<()> {
        self.changes().entry(queue.to_owned()).or_insert_with(|| watch::Sender::new(())).subscribe()
    }

    fn changes(&self) -> std::sync::MutexGuard<'_, HashMap<String, watch::Sender<()>>> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A non-negative number of milliseconds as a duration.
fn milliseconds(count: i64) -> Duration {
    Duration::from_millis(u64::try_from(count).unwrap_or(0))
}
