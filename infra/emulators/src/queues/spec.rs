//! The settings of a queue.

use std::time::Duration;

use super::{INTERNAL_PREFIX, QueueError, limits};

/// How a queue name of the FIFO kind ends.
const FIFO_SUFFIX: &str = ".fifo";

/// The settings of one queue. The defaults are those of SQS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueSpec {
    /// Letters, digits, `-` and `_`; a FIFO queue ends in `.fifo`.
    pub name: String,
    /// In order within a message group, and at most once in five minutes per deduplication id.
    pub fifo: bool,
    /// A FIFO queue takes the SHA-256 of the body where a message has no deduplication id.
    pub content_based_deduplication: bool,
    /// How long a received message stays hidden.
    pub visibility: Duration,
    /// How long a new message stays hidden.
    pub delay: Duration,
    /// How long a message is kept.
    pub retention: Duration,
    /// How long a receive waits that names no wait.
    pub receive_wait: Duration,
    /// Where messages go that were received too often.
    pub redrive: Option<Redrive>,
}

/// A redrive policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redrive {
    /// The dead-letter queue, of the same kind; it must exist.
    pub queue: String,
    /// A message that was received this often is moved instead of being received again.
    pub max_receives: u32,
}

impl QueueSpec {
    /// A standard queue with the defaults of SQS: 30 seconds hidden, no delay, kept 4 days.
    pub fn standard(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            fifo: false,
            content_based_deduplication: false,
            visibility: Duration::from_secs(30),
            delay: Duration::ZERO,
            retention: Duration::from_secs(4 * 24 * 60 * 60),
            receive_wait: Duration::ZERO,
            redrive: None,
        }
    }

    /// A FIFO queue with the same defaults.
    pub fn fifo(name: impl Into<String>) -> Self {
        Self { fifo: true, ..Self::standard(name) }
    }

    pub(super) fn check(&self) -> Result<(), QueueError> {
        let stem = self.name.strip_suffix(FIFO_SUFFIX);
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let named = !self.name.is_empty()
            && self.name.len() <= limits::NAME_CHARACTERS
            && stem.unwrap_or(&self.name).chars().all(plain);
        let redrive_fits = self.redrive.as_ref().is_none_or(|redrive| {
            (1..=1000).contains(&redrive.max_receives) && redrive.queue.ends_with(FIFO_SUFFIX) == self.fifo
        });
        let broken = if !named {
            "a queue name has 1 to 80 letters, digits, hyphens and underscores"
        } else if stem.is_some() != self.fifo {
            "the name of a FIFO queue, and of no other, ends in .fifo"
        } else if self.content_based_deduplication && !self.fifo {
            "only a FIFO queue deduplicates"
        } else if self.visibility > limits::VISIBILITY {
            "the visibility time-out is longer than 12 hours"
        } else if self.delay > limits::DELAY {
            "the delay is longer than 15 minutes"
        } else if self.retention > limits::RETENTION || self.retention < Duration::from_secs(60) {
            "messages are kept from 1 minute to 14 days"
        } else if self.receive_wait > limits::RECEIVE_WAIT {
            "a receive waits 20 seconds at most"
        } else if !redrive_fits {
            "a redrive policy names a queue of the same kind and 1 to 1000 receives"
        } else {
            return Ok(());
        };
        Err(QueueError::Invalid(format!("{}: {broken}", self.name)))
    }

    pub(super) fn is_internal(name: &str) -> bool {
        name.starts_with(INTERNAL_PREFIX)
    }
}
