//! The SQLite file that holds queues, object metadata, secrets, mail and checkpoints.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, Transaction, TransactionBehavior};
use uuid::{Builder, Uuid};

/// How long a statement waits for another process that has the file open, for example the `sqlite3` shell.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);

/// Statements kept compiled; the crate has about fifty.
const CACHED_STATEMENTS: usize = 64;

/// Written to `user_version`; a file of another version is refused rather than misread.
const SCHEMA_VERSION: i64 = 2;

/// Why the state file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite refused; the disk is full or the file is damaged.
    #[error("the state file: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// The file was written by another version of this crate.
    #[error(
        "the state file has version {found}, this program reads version {SCHEMA_VERSION}: delete the data directory"
    )]
    Version {
        /// `user_version` of the file.
        found: i64,
    },
    /// The process is shutting down.
    #[error("the emulators are shutting down")]
    Stopped,
    /// The operating system gave no random bytes.
    #[error("no random bytes: {0}")]
    Random(#[from] getrandom::Error),
}

/// One connection, used by one task at a time: SQLite has one writer anyway, and every call takes well under a
/// millisecond.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    connection: Arc<Mutex<Connection>>,
}

impl Store {
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        let connection = Connection::open(path)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.set_prepared_statement_cache_capacity(CACHED_STATEMENTS);
        connection.pragma_update(None, "journal_mode", "WAL")?;
        // With a write-ahead log, NORMAL loses nothing when the process is killed; only a power cut can take back
        // the last commits. Fsync on each message would cost more than the message.
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        match connection.query_row("PRAGMA user_version", [], |row| row.get(0))? {
            0 => {
                connection.execute_batch(SCHEMA)?;
                connection.pragma_update(None, "user_version", SCHEMA_VERSION)?;
            }
            SCHEMA_VERSION => {}
            found => return Err(StoreError::Version { found }),
        }
        Ok(Self { connection: Arc::new(Mutex::new(connection)) })
    }

    /// Runs `work` in one transaction, off the async threads: a checkpoint of the log may wait for the disk.
    /// Commits when `work` returns `Ok`.
    pub(crate) async fn transact<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: FnOnce(&Transaction<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let connection = Arc::clone(&self.connection);
        tokio::task::spawn_blocking(move || {
            // A panic in `work` rolled its transaction back, so the connection is sound.
            let mut connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
            let transaction = connection
                .transaction_with_behavior(TransactionBehavior::Immediate)
                .map_err(StoreError::from)?;
            let outcome = work(&transaction)?;
            transaction.commit().map_err(StoreError::from)?;
            Ok(outcome)
        })
        .await
        .map_err(|_| StoreError::Stopped)?
    }
}

/// A fresh random id.
pub(crate) fn random_id() -> Result<Uuid, StoreError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)?;
    Ok(Builder::from_random_bytes(bytes).into_uuid())
}

/// Times are milliseconds since 1970.
const SCHEMA: &str = "
CREATE TABLE queue (
    name                TEXT PRIMARY KEY,
    fifo                INTEGER NOT NULL,
    content_based       INTEGER NOT NULL,
    visibility_ms       INTEGER NOT NULL,
    delay_ms            INTEGER NOT NULL,
    retention_ms        INTEGER NOT NULL,
    receive_wait_ms     INTEGER NOT NULL,
    dead_letter_queue   TEXT,
    max_receives        INTEGER,
    created_ms          INTEGER NOT NULL
) STRICT;

CREATE TABLE message (
    id                  INTEGER PRIMARY KEY AUTOINCREMENT,
    queue               TEXT NOT NULL REFERENCES queue (name) ON DELETE CASCADE,
    message_id          TEXT NOT NULL,
    body                TEXT NOT NULL,
    attributes          TEXT NOT NULL,
    group_id            TEXT,
    deduplication_id    TEXT,
    sent_ms             INTEGER NOT NULL,
    visible_ms          INTEGER NOT NULL,
    first_received_ms   INTEGER,
    receives            INTEGER NOT NULL DEFAULT 0,
    receipt             TEXT,
    dead_letter_source  TEXT
) STRICT;
CREATE INDEX message_in_order ON message (queue, id);
CREATE INDEX message_by_visibility ON message (queue, visible_ms);
CREATE INDEX message_in_group ON message (queue, group_id, id);

CREATE TABLE deduplication (
    queue               TEXT NOT NULL REFERENCES queue (name) ON DELETE CASCADE,
    deduplication_id    TEXT NOT NULL,
    message_id          TEXT NOT NULL,
    sequence            INTEGER NOT NULL,
    sent_ms             INTEGER NOT NULL,
    PRIMARY KEY (queue, deduplication_id)
) STRICT;

CREATE TABLE bucket (
    name                TEXT PRIMARY KEY,
    created_ms          INTEGER NOT NULL,
    versioning          TEXT NOT NULL,
    rules               TEXT NOT NULL
) STRICT;

-- An object is the version of its key that none has superseded.
CREATE TABLE version (
    number              INTEGER PRIMARY KEY AUTOINCREMENT,
    bucket              TEXT NOT NULL REFERENCES bucket (name),
    key                 TEXT NOT NULL,
    id                  TEXT NOT NULL,
    marker              INTEGER NOT NULL,
    superseded_ms       INTEGER,
    size                INTEGER NOT NULL,
    e_tag               TEXT NOT NULL,
    modified_ms         INTEGER NOT NULL,
    headers             TEXT NOT NULL,
    checksums           TEXT NOT NULL,
    UNIQUE (bucket, key, id)
) STRICT;
CREATE UNIQUE INDEX version_current ON version (bucket, key) WHERE superseded_ms IS NULL;
CREATE INDEX version_in_order ON version (bucket, key, number DESC);

CREATE TABLE piece (
    version             INTEGER NOT NULL REFERENCES version (number) ON DELETE CASCADE,
    position            INTEGER NOT NULL,
    blob                TEXT NOT NULL,
    size                INTEGER NOT NULL,
    PRIMARY KEY (version, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE upload (
    id                  TEXT PRIMARY KEY,
    bucket              TEXT NOT NULL REFERENCES bucket (name),
    key                 TEXT NOT NULL,
    headers             TEXT NOT NULL,
    algorithm           TEXT NOT NULL,
    started_ms          INTEGER NOT NULL
) STRICT;
CREATE INDEX upload_in_order ON upload (bucket, key, id);

CREATE TABLE part (
    upload              TEXT NOT NULL REFERENCES upload (id) ON DELETE CASCADE,
    number              INTEGER NOT NULL,
    blob                TEXT NOT NULL,
    size                INTEGER NOT NULL,
    e_tag               TEXT NOT NULL,
    checksums           TEXT NOT NULL,
    modified_ms         INTEGER NOT NULL,
    PRIMARY KEY (upload, number)
) STRICT;

CREATE TABLE secret (
    name                TEXT PRIMARY KEY,
    suffix              TEXT NOT NULL,
    description         TEXT,
    created_ms          INTEGER NOT NULL
) STRICT;

CREATE TABLE secret_version (
    secret              TEXT NOT NULL REFERENCES secret (name) ON DELETE CASCADE,
    id                  TEXT NOT NULL,
    text                TEXT,
    bytes               BLOB,
    stage               TEXT,
    created_ms          INTEGER NOT NULL,
    PRIMARY KEY (secret, id)
) STRICT;

CREATE TABLE mail (
    id                  INTEGER PRIMARY KEY AUTOINCREMENT,
    message_id          TEXT NOT NULL,
    sent_ms             INTEGER NOT NULL,
    source              TEXT NOT NULL,
    sender              TEXT NOT NULL,
    recipients          TEXT NOT NULL,
    subject             TEXT NOT NULL,
    text                TEXT,
    html                TEXT
) STRICT;

CREATE TABLE checkpoint (
    consumer            TEXT NOT NULL,
    table_name          TEXT NOT NULL,
    sequence            TEXT NOT NULL,
    PRIMARY KEY (consumer, table_name)
) STRICT;
";
