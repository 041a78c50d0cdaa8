//! The rows behind the queues: each function is one step of a transaction.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{OptionalExtension as _, Row, Transaction, params};
use sha2::{Digest as _, Sha256};

use super::{Depth, Message, NewMessage, QueueError, QueueSpec, Redrive, Sent, limits, milliseconds};
use crate::store::random_id;

/// The columns that [`message`] reads, in its order.
const MESSAGE: &str = "message.id, message.message_id, message.body, message.attributes, message.group_id, \
     message.deduplication_id, message.sent_ms, message.first_received_ms, message.receives, message.dead_letter_source";

/// What one receive found.
#[derive(Debug, Default)]
pub(super) struct Taken {
    pub(super) messages: Vec<Message>,
    /// When the next hidden or delayed message becomes visible.
    pub(super) next_visible_ms: Option<i64>,
    /// Dead-letter queues that got a message.
    pub(super) moved_to: BTreeSet<String>,
}

pub(super) fn create(tx: &Transaction<'_>, spec: &QueueSpec, now: i64) -> Result<(), QueueError> {
    if let Some(redrive) = &spec.redrive {
        self::spec(tx, &redrive.queue)?;
    }
    match self::spec(tx, &spec.name) {
        Ok(existing) if existing.fifo != spec.fifo => {
            return Err(QueueError::KindChanged(spec.name.clone()));
        }
        Ok(_) | Err(QueueError::NoSuchQueue(_)) => {}
        Err(error) => return Err(error),
    }
    let (dead_letter_queue, max_receives) =
        spec.redrive.as_ref().map(|redrive| (&redrive.queue, redrive.max_receives)).unzip();
    tx.prepare_cached(
        "INSERT INTO queue (name, fifo, content_based, visibility_ms, delay_ms, retention_ms, receive_wait_ms,
                            dead_letter_queue, max_receives, created_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
         ON CONFLICT (name) DO UPDATE SET
             content_based = excluded.content_based, visibility_ms = excluded.visibility_ms,
             delay_ms = excluded.delay_ms, retention_ms = excluded.retention_ms,
             receive_wait_ms = excluded.receive_wait_ms, dead_letter_queue = excluded.dead_letter_queue,
             max_receives = excluded.max_receives",
    )?
    .execute(params![
        spec.name,
        spec.fifo,
        spec.content_based_deduplication,
        count(spec.visibility),
        count(spec.delay),
        count(spec.retention),
        count(spec.receive_wait),
        dead_letter_queue,
        max_receives,
        now,
    ])?;
    Ok(())
}

pub(super) fn spec(tx: &Transaction<'_>, queue: &str) -> Result<QueueSpec, QueueError> {
    tx.prepare_cached(
        "SELECT name, fifo, content_based, visibility_ms, delay_ms, retention_ms, receive_wait_ms, dead_letter_queue,
                max_receives
         FROM queue WHERE name = ?1",
    )?
    .query_row([queue], |row| {
        let redrive = row.get::<_, Option<String>>(7)?.zip(row.get::<_, Option<u32>>(8)?);
        Ok(QueueSpec {
            name: row.get(0)?,
            fifo: row.get(1)?,
            content_based_deduplication: row.get(2)?,
            visibility: milliseconds(row.get(3)?),
            delay: milliseconds(row.get(4)?),
            retention: milliseconds(row.get(5)?),
            receive_wait: milliseconds(row.get(6)?),
            redrive: redrive.map(|(queue, max_receives)| Redrive { queue, max_receives }),
        })
    })
    .optional()?
    .ok_or_else(|| QueueError::NoSuchQueue(queue.to_owned()))
}

pub(super) fn list(tx: &Transaction<'_>) -> Result<Vec<String>, QueueError> {
    let mut statement = tx.prepare_cached("SELECT name FROM queue ORDER BY name")?;
    let names = statement.query_map([], |row| row.get(0))?.collect::<Result<Vec<String>, _>>()?;
    Ok(names.into_iter().filter(|name| !QueueSpec::is_internal(name)).collect())
}

pub(crate) fn send(
    tx: &Transaction<'_>,
    queue: &str,
    message: &NewMessage,
    now: i64,
) -> Result<Sent, QueueError> {
    let spec = spec(tx, queue)?;
    let deduplication = if spec.fifo { Some(fifo_deduplication(&spec, message)?) } else { None };
    if !spec.fifo && message.deduplication.is_some() {
        return Err(QueueError::Invalid("only a FIFO queue takes a MessageDeduplicationId".into()));
    }
    if let Some(deduplication) = &deduplication
        && let Some(sent) = seen(tx, queue, deduplication, now)?
    {
        return Ok(sent);
    }
    let message_id = random_id()?.to_string();
    let visible = now.saturating_add(count(message.delay.unwrap_or(spec.delay)));
    let attributes = serde_json::to_string(&message.attributes)
        .map_err(|error| QueueError::Invalid(format!("the message attributes: {error}")))?;
    tx.prepare_cached(
        "INSERT INTO message (queue, message_id, body, attributes, group_id, deduplication_id, sent_ms, visible_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?
    .execute(params![
        queue,
        message_id,
        message.body,
        attributes,
        message.group,
        deduplication,
        now,
        visible,
    ])?;
    let sequence = tx.last_insert_rowid();
    if let Some(deduplication) = deduplication {
        tx.prepare_cached("INSERT INTO deduplication VALUES (?1, ?2, ?3, ?4, ?5)")?.execute(params![
            queue,
            deduplication,
            message_id,
            sequence,
            now,
        ])?;
    }
    Ok(Sent { id: message_id, sequence: spec.fifo.then(|| format_sequence(sequence)) })
}

/// The deduplication id of a message on a FIFO queue.
fn fifo_deduplication(spec: &QueueSpec, message: &NewMessage) -> Result<String, QueueError> {
    if message.group.is_none() {
        return Err(QueueError::Missing("MessageGroupId"));
    }
    if message.delay.is_some() {
        return Err(QueueError::Invalid(
            "a FIFO queue has one delay for the queue and none for a message".into(),
        ));
    }
    match &message.deduplication {
        Some(id) => Ok(id.clone()),
        None if spec.content_based_deduplication => Ok(hex::encode(Sha256::digest(&message.body))),
        None => Err(QueueError::Invalid(
            "the queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided"
                .into(),
        )),
    }
}

/// What a sender was told who used the deduplication id in the last five minutes.
fn seen(
    tx: &Transaction<'_>,
    queue: &str,
    deduplication: &str,
    now: i64,
) -> Result<Option<Sent>, QueueError> {
    tx.prepare_cached("DELETE FROM deduplication WHERE queue = ?1 AND sent_ms <= ?2")?
        .execute(params![queue, now.saturating_sub(count(limits::DEDUPLICATION))])?;
    let sent = tx
        .prepare_cached(
            "SELECT message_id, sequence FROM deduplication WHERE queue = ?1 AND deduplication_id = ?2",
        )?
        .query_row([queue, deduplication], |row| {
            Ok(Sent { id: row.get(0)?, sequence: Some(format_sequence(row.get(1)?)) })
        })
        .optional()?;
    Ok(sent)
}

pub(super) fn receive(
    tx: &Transaction<'_>,
    queue: &str,
    max: usize,
    visibility: Option<Duration>,
    now: i64,
) -> Result<Taken, QueueError> {
    let spec = spec(tx, queue)?;
    expire(tx, &spec, now)?;
    let mut taken = Taken { moved_to: bury(tx, &spec, now)?, ..Taken::default() };
    let hidden_until = now.saturating_add(count(visibility.unwrap_or(spec.visibility)));
    for mut message in visible(tx, &spec, max, now)? {
        let nonce = random_id()?.simple().to_string();
        tx.prepare_cached(
            "UPDATE message SET receives = receives + 1, visible_ms = ?2, receipt = ?3,
                    first_received_ms = COALESCE(first_received_ms, ?4)
             WHERE id = ?1",
        )?
        .execute(params![message.row, hidden_until, nonce, now])?;
        message.content.receives = message.content.receives.saturating_add(1);
        message.content.first_received = message.content.first_received.or(timestamp(now));
        message.content.receipt = Receipt { row: message.row, nonce }.to_string();
        taken.messages.push(message.content);
    }
    if taken.messages.is_empty() {
        taken.next_visible_ms = tx
            .prepare_cached("SELECT MIN(visible_ms) FROM message WHERE queue = ?1 AND visible_ms > ?2")?
            .query_row(params![queue, now], |row| row.get(0))?;
    }
    Ok(taken)
}

/// Removes messages that were kept long enough.
fn expire(tx: &Transaction<'_>, spec: &QueueSpec, now: i64) -> Result<(), QueueError> {
    // Ids rise with the time of sending (a dead letter's nearly so), so one look at the first tells whether any is due.
    let oldest: Option<i64> = tx
        .prepare_cached("SELECT sent_ms FROM message WHERE queue = ?1 ORDER BY id LIMIT 1")?
        .query_row([&spec.name], |row| row.get(0))
        .optional()?;
    let due = now.saturating_sub(count(spec.retention));
    if oldest.is_some_and(|oldest| oldest <= due) {
        tx.prepare_cached("DELETE FROM message WHERE queue = ?1 AND sent_ms <= ?2")?
            .execute(params![spec.name, due])?;
    }
    Ok(())
}

/// Moves visible messages that were received often enough to the dead-letter queue. As in SQS they move when someone
/// asks for messages, not when the last visibility time-out ends, and a FIFO dead letter counts as newly sent. Of a group
/// that is held back nothing moves, so that dead letters keep its order.
fn bury(tx: &Transaction<'_>, spec: &QueueSpec, now: i64) -> Result<BTreeSet<String>, QueueError> {
    let Some(redrive) = &spec.redrive else { return Ok(BTreeSet::new()) };
    let due = format!("queue = ?1 AND visible_ms <= ?2 AND receives >= ?3 {}", unblocked(spec));
    // A new row, so that it stands behind the letters that are already there.
    let moved = tx
        .prepare_cached(&format!(
            "INSERT INTO message (queue, message_id, body, attributes, group_id, deduplication_id, sent_ms,
                                  visible_ms, dead_letter_source)
             SELECT ?4, message_id, body, attributes, group_id, deduplication_id,
                    CASE WHEN ?5 THEN ?2 ELSE sent_ms END, ?2, queue
             FROM message WHERE {due} ORDER BY id"
        ))?
        .execute(params![spec.name, now, redrive.max_receives, redrive.queue, spec.fifo])?;
    if moved == 0 {
        return Ok(BTreeSet::new());
    }
    tx.prepare_cached(&format!("DELETE FROM message WHERE {due}"))?.execute(params![
        spec.name,
        now,
        redrive.max_receives
    ])?;
    Ok(BTreeSet::from([redrive.queue.clone()]))
}

struct Found {
    row: i64,
    content: Message,
}

/// Of a FIFO queue only messages whose group has nothing in flight and nothing earlier that is still delayed; `?2` is now.
fn unblocked(spec: &QueueSpec) -> &'static str {
    if spec.fifo {
        "AND NOT EXISTS (SELECT 1 FROM message AS other
             WHERE other.queue = message.queue AND other.group_id = message.group_id AND other.visible_ms > ?2
               AND (other.receipt IS NOT NULL OR other.id < message.id))"
    } else {
        ""
    }
}

/// The next visible messages.
fn visible(tx: &Transaction<'_>, spec: &QueueSpec, max: usize, now: i64) -> Result<Vec<Found>, QueueError> {
    let unblocked = unblocked(spec);
    let mut statement = tx.prepare_cached(&format!(
        "SELECT {MESSAGE} FROM message WHERE queue = ?1 AND visible_ms <= ?2 {unblocked} ORDER BY id LIMIT ?3"
    ))?;
    let limit = i64::try_from(max).unwrap_or(i64::MAX);
    let found = statement
        .query_map(params![spec.name, now, limit], |row| message(row, spec.fifo))?
        .collect::<Result<_, _>>()?;
    Ok(found)
}

pub(super) fn peek(tx: &Transaction<'_>, queue: &str, max: usize) -> Result<Vec<Message>, QueueError> {
    let spec = spec(tx, queue)?;
    let mut statement =
        tx.prepare_cached(&format!("SELECT {MESSAGE} FROM message WHERE queue = ?1 ORDER BY id LIMIT ?2"))?;
    let limit = i64::try_from(max).unwrap_or(i64::MAX);
    let found = statement
        .query_map(params![queue, limit], |row| Ok(message(row, spec.fifo)?.content))?
        .collect::<Result<_, _>>()?;
    Ok(found)
}

pub(super) fn delete(tx: &Transaction<'_>, queue: &str, receipt: &str, now: i64) -> Result<(), QueueError> {
    let spec = spec(tx, queue)?;
    let receipt = Receipt::parse(receipt)?;
    // SQS refuses an expired handle only on a FIFO queue.
    let hidden_after = if spec.fifo { now } else { i64::MIN };
    let deleted = tx
        .prepare_cached(
            "DELETE FROM message WHERE queue = ?1 AND id = ?2 AND receipt = ?3 AND visible_ms > ?4",
        )?
        .execute(params![queue, receipt.row, receipt.nonce, hidden_after])?;
    if deleted == 0 && spec.fifo && exists(tx, queue, receipt.row)? {
        return Err(QueueError::NotInFlight);
    }
    Ok(())
}

fn exists(tx: &Transaction<'_>, queue: &str, row: i64) -> Result<bool, QueueError> {
    Ok(tx
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM message WHERE queue = ?1 AND id = ?2)")?
        .query_row(params![queue, row], |row| row.get(0))?)
}

pub(super) fn change_visibility(
    tx: &Transaction<'_>,
    queue: &str,
    receipt: &str,
    visibility: Duration,
    now: i64,
) -> Result<(), QueueError> {
    spec(tx, queue)?;
    let receipt = Receipt::parse(receipt)?;
    let changed = tx
        .prepare_cached(
            "UPDATE message SET visible_ms = ?5 WHERE queue = ?1 AND id = ?2 AND receipt = ?3 AND visible_ms > ?4",
        )?
        .execute(params![
            queue,
            receipt.row,
            receipt.nonce,
            now,
            now.saturating_add(count(visibility)),
        ])?;
    if changed == 0 { Err(QueueError::NotInFlight) } else { Ok(()) }
}

/// Makes visible what was received and is still hidden; what was sent with a delay stays delayed.
pub(super) fn release(tx: &Transaction<'_>, queue: &str, now: i64) -> Result<usize, QueueError> {
    spec(tx, queue)?;
    let released = tx
        .prepare_cached(
            "UPDATE message SET visible_ms = ?2 WHERE queue = ?1 AND visible_ms > ?2 AND receives > 0",
        )?
        .execute(params![queue, now])?;
    Ok(released)
}

pub(super) fn depth(tx: &Transaction<'_>, queue: &str, now: i64) -> Result<Depth, QueueError> {
    expire(tx, &spec(tx, queue)?, now)?;
    let depth = tx
        .prepare_cached(
            "SELECT COUNT(*) FILTER (WHERE visible_ms <= ?2),
                    COUNT(*) FILTER (WHERE visible_ms > ?2 AND receives > 0),
                    COUNT(*) FILTER (WHERE visible_ms > ?2 AND receives = 0)
             FROM message WHERE queue = ?1",
        )?
        .query_row(params![queue, now], |row| {
            Ok(Depth { visible: row.get(0)?, in_flight: row.get(1)?, delayed: row.get(2)? })
        })?;
    Ok(depth)
}

pub(super) fn purge(tx: &Transaction<'_>, queue: &str) -> Result<(), QueueError> {
    spec(tx, queue)?;
    tx.prepare_cached("DELETE FROM message WHERE queue = ?1")?.execute([queue])?;
    Ok(())
}

pub(super) fn redrive(
    tx: &Transaction<'_>,
    queue: &str,
    now: i64,
) -> Result<(usize, Vec<String>), QueueError> {
    spec(tx, queue)?;
    // What is in flight belongs to whoever received it.
    let due = "queue = ?1 AND visible_ms <= ?2 AND dead_letter_source IN (SELECT name FROM queue)";
    let sources = tx
        .prepare_cached(&format!("SELECT DISTINCT dead_letter_source FROM message WHERE {due}"))?
        .query_map(params![queue, now], |row| row.get(0))?
        .collect::<Result<Vec<String>, _>>()?;
    let moved = tx
        .prepare_cached(&format!(
            "INSERT INTO message (queue, message_id, body, attributes, group_id, deduplication_id, sent_ms, visible_ms)
             SELECT dead_letter_source, message_id, body, attributes, group_id, deduplication_id, ?2, ?2
             FROM message WHERE {due} ORDER BY id"
        ))?
        .execute(params![queue, now])?;
    tx.prepare_cached(&format!("DELETE FROM message WHERE {due}"))?.execute(params![queue, now])?;
    Ok((moved, sources))
}

fn message(row: &Row<'_>, fifo: bool) -> rusqlite::Result<Found> {
    let id: i64 = row.get(0)?;
    let attributes: String = row.get(3)?;
    let attributes = serde_json::from_str(&attributes).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(3, rusqlite::types::Type::Text, Box::new(error))
    })?;
    Ok(Found {
        row: id,
        content: Message {
            id: row.get(1)?,
            receipt: String::new(),
            body: row.get(2)?,
            attributes,
            group: row.get(4)?,
            deduplication: row.get(5)?,
            sequence: fifo.then(|| format_sequence(id)),
            sent: timestamp(row.get(6)?).unwrap_or_default(),
            first_received: row.get::<_, Option<i64>>(7)?.and_then(timestamp),
            receives: row.get(8)?,
            dead_letter_source: row.get(9)?,
            number: id,
        },
    })
}

/// Names one receive of one message: a later receive has another nonce.
struct Receipt {
    row: i64,
    nonce: String,
}

impl Receipt {
    fn parse(text: &str) -> Result<Self, QueueError> {
        let (row, nonce) = text.split_once('.').ok_or(QueueError::InvalidReceipt)?;
        let row = row.parse().map_err(|_| QueueError::InvalidReceipt)?;
        Ok(Self { row, nonce: nonce.to_owned() })
    }
}

impl std::fmt::Display for Receipt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.row, self.nonce)
    }
}

/// Twenty digits, as SQS has them.
fn format_sequence(id: i64) -> String {
    format!("{id:020}")
}

fn timestamp(milliseconds: i64) -> Option<Timestamp> {
    Timestamp::from_millisecond(milliseconds).ok()
}

/// A duration as the database keeps it.
fn count(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
