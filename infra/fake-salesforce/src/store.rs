//! The org's state: one SQLite file, one connection, one transaction per call.
//!
//! Write-ahead logging with `synchronous = NORMAL` keeps every commit when the process is killed. A table per
//! object is made from [`crate::schema`]; a column that a newer build knows is added on opening.

use std::{
    collections::BTreeSet,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use crate::{
    error::ApiError,
    schema::{Field, Kind, OBJECTS, Object},
};

/// Statements that are kept prepared: a few per object.
const PREPARED_STATEMENTS: usize = 256;

/// The store. Cloning shares the connection.
#[derive(Clone)]
pub(crate) struct Store {
    connection: Arc<Mutex<Connection>>,
}

/// Whether a unit of work is kept.
pub(crate) enum Outcome {
    Commit,
    Rollback,
}

impl Store {
    /// Opens the file, or a store in memory, and brings the tables up to the schema.
    ///
    /// # Errors
    /// What SQLite says, e.g. that the file is no database.
    pub(crate) fn open(path: Option<&Path>) -> Result<Store, rusqlite::Error> {
        let connection = match path {
            Some(path) => Connection::open(path)?,
            None => Connection::open_in_memory()?,
        };
        connection.set_prepared_statement_cache_capacity(PREPARED_STATEMENTS);
        connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
        connection.execute_batch("PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = OFF;")?;
        connection.execute_batch(TABLES)?;
        for object in OBJECTS {
            create_table(&connection, object)?;
        }
        Ok(Store { connection: Arc::new(Mutex::new(connection)) })
    }

    /// Runs `work` in a transaction on a blocking thread and keeps or undoes it as `work` says.
    ///
    /// # Errors
    /// `UNKNOWN_EXCEPTION` when SQLite fails or the process is shutting down.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> (T, Outcome) + Send + 'static,
    ) -> Result<T, ApiError> {
        let store = self.clone();
        tokio::task::spawn_blocking(move || store.run_blocking(work)).await.unwrap_or_else(|error| {
            tracing::error!(%error, "a unit of work did not finish");
            Err(ApiError::new(500, "UNKNOWN_EXCEPTION", "An unexpected error occurred."))
        })
    }

    /// [`Store::run`] on the current thread; for start-up.
    pub(crate) fn run_blocking<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> (T, Outcome),
    ) -> Result<T, ApiError> {
        // A panic while the lock was held has rolled its transaction back: the connection is still good.
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let (answer, outcome) = work(&transaction);
        match outcome {
            Outcome::Commit => transaction.commit()?,
            Outcome::Rollback => transaction.rollback()?,
        }
        Ok(answer)
    }
}

/// The next value of a persistent counter, starting at 1.
pub(crate) fn next_number(connection: &Connection, counter: &str) -> Result<i64, rusqlite::Error> {
    connection
        .prepare_cached(
            "INSERT INTO counter (name, value) VALUES (?1, 1)
             ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value",
        )?
        .query_row([counter], |row| row.get(0))
}

/// Moves a counter forward so that the next value is above `value`.
pub(crate) fn skip_to(connection: &Connection, counter: &str, value: i64) -> Result<(), rusqlite::Error> {
    connection.execute(
        "INSERT INTO counter (name, value) VALUES (?1, ?2)
         ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value)",
        params![counter, value],
    )?;
    Ok(())
}

/// True when the object has no record at all, deleted ones included.
pub(crate) fn is_empty(connection: &Connection, object: &Object) -> Result<bool, rusqlite::Error> {
    let sql = format!("SELECT 1 FROM \"{}\" LIMIT 1", object.name);
    Ok(connection.query_row(&sql, [], |_| Ok(())).optional()?.is_none())
}

/// The tables besides the objects: counters and the outbound queue.
const TABLES: &str = r"
CREATE TABLE IF NOT EXISTS counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS outbound (
    sequence INTEGER PRIMARY KEY,
    notification_id TEXT NOT NULL UNIQUE,
    -- One notification per record and transaction, however often the transaction touched the record.
    unit INTEGER NOT NULL,
    object TEXT NOT NULL,
    record_id TEXT NOT NULL,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    queued_ms INTEGER NOT NULL,
    due_ms INTEGER NOT NULL,
    settled_ms INTEGER,
    last_failure TEXT,
    UNIQUE (unit, record_id)
);
CREATE INDEX IF NOT EXISTS outbound_due ON outbound (state, due_ms);
";

fn create_table(connection: &Connection, object: &Object) -> Result<(), rusqlite::Error> {
    let columns: Vec<String> = object.all_fields().map(column).collect();
    connection.execute_batch(&format!(
        "CREATE TABLE IF NOT EXISTS \"{}\" ({}, _deleted_with TEXT)",
        object.name,
        columns.join(", ")
    ))?;
    let present = {
        let mut statement = connection.prepare("SELECT name FROM pragma_table_info(?1)")?;
        statement.query_map([object.name], |row| row.get(0))?.collect::<Result<BTreeSet<String>, _>>()?
    };
    for field in object.all_fields().filter(|field| !present.contains(field.name)) {
        connection.execute_batch(&format!("ALTER TABLE \"{}\" ADD COLUMN {}", object.name, column(field)))?;
    }
    for field in object.all_fields() {
        // A record in the recycle bin does not hold its unique value.
        let (kind, live_only) = match field {
            Field { unique: true, .. } => ("UNIQUE INDEX", " WHERE IsDeleted = 0"),
            Field { lookup: true, .. } | Field { kind: Kind::Reference { .. }, .. } => ("INDEX", ""),
            Field { name: "SystemModstamp" | "Status", .. } => ("INDEX", ""),
            _ => continue,
        };
        connection.execute_batch(&format!(
            "CREATE {kind} IF NOT EXISTS \"{object}_{field}\" ON \"{object}\" (\"{field}\"){live_only}",
            object = object.name,
            field = field.name
        ))?;
    }
    Ok(())
}

fn column(field: &Field) -> String {
    let declaration = match field.kind {
        Kind::Id => "TEXT NOT NULL PRIMARY KEY",
        // Ids differ by letter case; all other text is compared without it, as Salesforce does.
        Kind::Reference { .. } | Kind::Date => "TEXT",
        Kind::Text(_)
        | Kind::Area(_)
        | Kind::AreaBytes(_)
        | Kind::Email
        | Kind::Url
        | Kind::Picklist { .. }
        | Kind::AutoNumber(_) => "TEXT COLLATE NOCASE",
        Kind::Number { .. } => "REAL",
        Kind::Integer | Kind::DateTime => "INTEGER",
        Kind::Boolean => "INTEGER NOT NULL DEFAULT 0",
    };
    format!("\"{}\" {declaration}", field.name)
}
