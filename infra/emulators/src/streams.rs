//! DynamoDB streams: the change records of a table in the order of their commits, for event source mappings.

use std::path::Path;
use std::time::Duration;

use dynoxide::actions::describe_stream::DescribeStreamRequest;
use dynoxide::actions::get_records::{GetRecordsRequest, Record};
use dynoxide::actions::get_shard_iterator::GetShardIteratorRequest;
use dynoxide::actions::list_streams::ListStreamsRequest;
use dynoxide::{Database, DynoxideError};
use rusqlite::{Connection, OpenFlags, OptionalExtension as _};
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use crate::store::{Store, StoreError};

/// Most records in one read; a read that returns this many may have more behind it.
pub const READ_LIMIT: usize = 100;

/// How often the database is asked whether anyone committed: 7 us each time with an optimised SQLite.
const WATCH_INTERVAL: Duration = Duration::from_millis(10);

/// How long AWS keeps stream records.
const RETENTION: Duration = Duration::from_secs(24 * 60 * 60);

/// Why a stream cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// The table does not exist or has no stream.
    #[error("the table {0} has no stream")]
    NoStream(String),
    /// The emulator refused.
    #[error("the DynamoDB emulator: {0}")]
    Emulator(#[from] DynoxideError),
    /// A record could not be written as JSON.
    #[error("a stream record: {0}")]
    Record(#[from] serde_json::Error),
    /// The database of DynamoDB could not be watched.
    #[error("the DynamoDB file: {0}")]
    File(rusqlite::Error),
    /// The checkpoint could not be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<rusqlite::Error> for StreamError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(StoreError::Sqlite(error))
    }
}

/// One change of one item.
#[derive(Clone, Debug)]
pub struct StreamRecord {
    /// 21 digits; text order is the order of the changes of the table.
    pub sequence: String,
    /// One element of `Records` of the event that Lambda gives a function for a DynamoDB stream.
    /// <https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html>
    pub event: Value,
}

/// The streams of all tables. Cheap to clone.
#[derive(Clone)]
pub struct Streams {
    database: Database,
    store: Store,
    commits: watch::Receiver<()>,
    region: String,
    account: String,
}

impl std::fmt::Debug for Streams {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Streams").field("region", &self.region).finish_non_exhaustive()
    }
}

impl Streams {
    pub(crate) fn new(
        database: Database,
        store: Store,
        commits: watch::Receiver<()>,
        region: String,
        account: String,
    ) -> Self {
        Self { database, store, commits, region, account }
    }

    /// The tables that have a stream.
    ///
    /// # Errors
    ///
    /// [`StreamError::Emulator`].
    pub async fn tables(&self) -> Result<Vec<String>, StreamError> {
        let database = self.database.clone();
        blocking(move || {
            let streams = database.list_streams(ListStreamsRequest::default())?.streams;
            Ok(streams.into_iter().map(|stream| stream.table_name).collect())
        })
        .await
    }

    /// Up to [`READ_LIMIT`] records after `after`, or from the oldest when it is `None`. Reads again what nobody
    /// checkpointed; a record stays at least 24 hours, and longer where a checkpoint has not passed it.
    ///
    /// # Errors
    ///
    /// [`StreamError::NoStream`], [`StreamError::Emulator`].
    pub async fn read(&self, table: &str, after: Option<&str>) -> Result<Vec<StreamRecord>, StreamError> {
        let (database, table, after) = (self.database.clone(), table.to_owned(), after.map(str::to_owned));
        let (region, account) = (self.region.clone(), self.account.clone());
        blocking(move || {
            let stream = database
                .list_streams(ListStreamsRequest { table_name: Some(table.clone()), ..Default::default() })?
                .streams
                .into_iter()
                .next()
                .ok_or(StreamError::NoStream(table))?;
            let arn = format!(
                "arn:aws:dynamodb:{region}:{account}:table/{}/stream/{}",
                stream.table_name, stream.stream_label
            );
            let description = database
                .describe_stream(DescribeStreamRequest {
                    stream_arn: stream.stream_arn.clone(),
                    ..Default::default()
                })?
                .stream_description;
            let mut found = Vec::new();
            // The emulator has one shard to a table, or none before the first change.
            if let Some(shard) = description.shards.into_iter().next() {
                let kind = if after.is_some() { "AFTER_SEQUENCE_NUMBER" } else { "TRIM_HORIZON" };
                let iterator = database.get_shard_iterator(GetShardIteratorRequest {
                    stream_arn: stream.stream_arn,
                    shard_id: shard.shard_id,
                    shard_iterator_type: kind.into(),
                    sequence_number: after,
                })?;
                if let Some(shard_iterator) = iterator.shard_iterator {
                    let request = GetRecordsRequest { shard_iterator, limit: Some(READ_LIMIT) };
                    for record in database.get_records(request)?.records {
                        found.push(describe(record, &region, &arn)?);
                    }
                }
            }
            Ok(found)
        })
        .await
    }

    /// A signal that fires after each commit to any table, within 10 ms. Take it before the read that it should
    /// follow, so that no commit falls between the two.
    #[must_use]
    pub fn commits(&self) -> watch::Receiver<()> {
        self.commits.clone()
    }

    /// How far `consumer` has worked through the stream of a table.
    ///
    /// # Errors
    ///
    /// [`StreamError::Store`].
    pub async fn checkpoint(&self, consumer: &str, table: &str) -> Result<Option<String>, StreamError> {
        let (consumer, table) = (consumer.to_owned(), table.to_owned());
        self.store
            .transact(move |tx| {
                Ok(tx
                    .prepare_cached(
                        "SELECT sequence FROM checkpoint WHERE consumer = ?1 AND table_name = ?2",
                    )?
                    .query_row([consumer, table], |row| row.get(0))
                    .optional()?)
            })
            .await
    }

    /// Keeps that `consumer` is done with everything up to `sequence`. Never goes back.
    ///
    /// # Errors
    ///
    /// [`StreamError::Store`].
    pub async fn advance(&self, consumer: &str, table: &str, sequence: &str) -> Result<(), StreamError> {
        let (consumer, table, sequence) = (consumer.to_owned(), table.to_owned(), sequence.to_owned());
        self.store
            .transact(move |tx| {
                tx.prepare_cached(
                    "INSERT INTO checkpoint (consumer, table_name, sequence) VALUES (?1, ?2, ?3)
                     ON CONFLICT (consumer, table_name) DO UPDATE SET sequence = MAX(sequence, excluded.sequence)",
                )?
                .execute([consumer, table, sequence])?;
                Ok(())
            })
            .await
    }
}

/// The record as Lambda passes it on: with this region and the stream it came from.
fn describe(record: Record, region: &str, arn: &str) -> Result<StreamRecord, StreamError> {
    let sequence = record.dynamodb.sequence_number.clone();
    let mut event = serde_json::to_value(record)?;
    if let Some(event) = event.as_object_mut() {
        event.insert("awsRegion".into(), Value::String(region.to_owned()));
        event.insert("eventSourceARN".into(), Value::String(arn.to_owned()));
    }
    Ok(StreamRecord { sequence, event })
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StreamError> + Send + 'static,
) -> Result<T, StreamError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| StoreError::Stopped)?
}

/// Fires `commits` whenever another connection has committed to the file, until it is dropped.
///
/// The emulator has no hook for writes. `PRAGMA data_version` changes when another connection has committed, and
/// needs no query, while reading every stream again needs several for each table.
pub(crate) async fn watch_commits(file: Connection, commits: watch::Sender<()>) {
    let mut seen = data_version(&file);
    let mut ticks = tokio::time::interval(WATCH_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let now = data_version(&file);
        if now.is_none() || now != seen {
            seen = now;
            commits.send_replace(());
        }
    }
}

/// `None` when the file could not be asked; then there may have been a commit.
fn data_version(file: &Connection) -> Option<i64> {
    file.prepare_cached("PRAGMA data_version").and_then(|mut ask| ask.query_row([], |row| row.get(0))).ok()
}

/// Opens a second connection to the emulator's file for [`watch_commits`].
pub(crate) fn open_watch(file: &Path) -> Result<Connection, StreamError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(file, flags).map_err(StreamError::File)
}

/// Two repairs of the emulator's stream log, which has no index and is never trimmed: each write asks for the highest
/// sequence number of its table and would scan the log for it. The index answers that at once; records that are older
/// than [`RETENTION`] and behind every checkpoint go.
pub(crate) async fn tidy(file: &Path, store: &Store, now_ms: i64) -> Result<(), StreamError> {
    let done: Vec<(String, String)> = store
        .transact(|tx| {
            let mut statement =
                tx.prepare("SELECT table_name, MIN(sequence) FROM checkpoint GROUP BY table_name")?;
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok::<_, StreamError>(rows.collect::<Result<_, _>>()?)
        })
        .await?;
    let horizon = now_ms / 1000 - i64::try_from(RETENTION.as_secs()).unwrap_or(i64::MAX);
    let file = file.to_owned();
    blocking(move || {
        let connection = Connection::open(file).map_err(StreamError::File)?;
        connection
            .execute_batch(
                "CREATE INDEX IF NOT EXISTS portico_stream_order
                 ON _stream_records (table_name, CAST(sequence_number AS INTEGER))",
            )
            .map_err(StreamError::File)?;
        for (table, sequence) in done {
            // The public number is the stored one plus 10^20, so its last twenty digits are the stored one.
            let stored = sequence.get(1..).and_then(|digits| digits.parse::<i64>().ok()).unwrap_or(0);
            connection
                .execute(
                    "DELETE FROM _stream_records
                     WHERE table_name = ?1 AND created_at < ?2 AND CAST(sequence_number AS INTEGER) <= ?3",
                    (table, horizon, stored),
                )
                .map_err(StreamError::File)?;
        }
        Ok(())
    })
    .await
}
