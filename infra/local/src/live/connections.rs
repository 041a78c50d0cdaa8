//! Who is connected.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use jiff::Timestamp;
use portico_domain::Random;
use tokio::sync::{mpsc, watch};

/// Pushes that wait for a slow browser; more are refused with 429, as AWS refuses above its own bound.
const OUTBOX_MESSAGES: usize = 64;

/// Bytes of randomness in a connection's id: 16 characters with one `=` at the end, as AWS makes them.
const ID_BYTES: usize = 11;

/// One browser.
#[derive(Clone, Debug)]
pub(super) struct Connection {
    pub(super) id: String,
    pub(super) source_ip: String,
    pub(super) user_agent: Option<String>,
    pub(super) connected_at: Timestamp,
}

impl Connection {
    pub(super) fn new(
        id: String,
        source_ip: String,
        user_agent: Option<String>,
        connected_at: Timestamp,
    ) -> Self {
        Self { id, source_ip, user_agent, connected_at }
    }
}

/// An id that nobody can guess.
pub(super) fn new_id(random: &Random) -> String {
    URL_SAFE.encode(random.secret().split_at(ID_BYTES).0)
}

/// What goes to a browser.
#[derive(Debug)]
pub(super) enum Outgoing {
    Text(String),
    Close,
}

/// Why nothing goes to a browser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SendError {
    Gone,
    Full,
}

#[derive(Debug)]
struct Entry {
    connection: Connection,
    outbox: mpsc::Sender<Outgoing>,
    last_active_at: Timestamp,
}

/// Every open connection.
#[derive(Debug)]
pub(super) struct Connections {
    most: usize,
    entries: Mutex<HashMap<String, Entry>>,
    /// Connections whose `$disconnect` has not been told yet.
    unfinished: watch::Sender<usize>,
}

impl Connections {
    pub(super) fn new(most: usize) -> Self {
        Self { most, entries: Mutex::default(), unfinished: watch::Sender::new(0) }
    }

    /// Makes room for a connection; `None` if there is none.
    pub(super) fn add(&self, connection: Connection) -> Option<mpsc::Receiver<Outgoing>> {
        let mut entries = self.entries();
        if entries.len() >= self.most {
            return None;
        }
        let (outbox, receiver) = mpsc::channel(OUTBOX_MESSAGES);
        let last_active_at = connection.connected_at;
        entries.insert(connection.id.clone(), Entry { connection, outbox, last_active_at });
        self.unfinished.send_modify(|count| *count = count.saturating_add(1));
        Some(receiver)
    }

    /// Whether the connection was still there.
    pub(super) fn remove(&self, id: &str) -> bool {
        self.entries().remove(id).is_some()
    }

    /// A removed connection's `$disconnect` was told.
    pub(super) fn finished(&self) {
        self.unfinished.send_modify(|count| *count = count.saturating_sub(1));
    }

    /// Waits until every connection is removed and finished.
    pub(super) async fn empty(&self) {
        // The sender lives as long as `self`.
        let _ = self.unfinished.subscribe().wait_for(|count| *count == 0).await;
    }

    pub(super) fn touch(&self, id: &str, now: Timestamp) {
        if let Some(entry) = self.entries().get_mut(id) {
            entry.last_active_at = now;
        }
    }

    pub(super) fn send(&self, id: &str, message: Outgoing) -> Result<(), SendError> {
        let entries = self.entries();
        let entry = entries.get(id).ok_or(SendError::Gone)?;
        entry.outbox.try_send(message).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => SendError::Full,
            mpsc::error::TrySendError::Closed(_) => SendError::Gone,
        })
    }

    pub(super) fn describe(&self, id: &str) -> Option<(Connection, Timestamp)> {
        self.entries().get(id).map(|entry| (entry.connection.clone(), entry.last_active_at))
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<String, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
