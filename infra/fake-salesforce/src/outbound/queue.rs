//! The durable queue of notifications.

use rusqlite::{Connection, params};
use serde_json::{Value, json};

use super::{OutboundFaults, envelope::Notification};
use crate::{
    error::ApiError,
    id::RecordId,
    records::{self, Unit, new_id},
    schema::Object,
};

/// Key prefix of notification ids.
const NOTIFICATION_PREFIX: &str = "04l";
/// Most notifications in one message, as in Salesforce.
pub(super) const MESSAGE_MAX: usize = 100;
/// Notifications looked at in one claim.
const CLAIM_MAX: usize = 1_000;
/// Settled notifications that are kept to be looked at.
const SETTLED_KEPT: i64 = 10_000;
/// Notifications shown by [`overview`].
const SHOWN: usize = 100;

/// First pause after a failure; doubles each time.
const FIRST_PAUSE_MS: i64 = 30_000;
/// Longest pause between two attempts.
const LONGEST_PAUSE_MS: i64 = 2 * 3_600_000;
/// Age at which a notification is dropped.
const LIFE_MS: i64 = 24 * 3_600_000;

/// The retry schedule, compressed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Schedule {
    divisor: i64,
}

impl Schedule {
    pub(super) fn new(divisor: u32) -> Schedule {
        Schedule { divisor: i64::from(divisor.max(1)) }
    }

    /// Milliseconds to wait after this many failed attempts: 30 s, 1 m, 2 m ... 2 h.
    fn pause(self, attempts: i64) -> i64 {
        // Eight doublings pass two hours.
        let doublings = u32::try_from(attempts.saturating_sub(1)).unwrap_or(0).min(8);
        (FIRST_PAUSE_MS << doublings).min(LONGEST_PAUSE_MS) / self.divisor
    }

    fn life(self) -> i64 {
        LIFE_MS / self.divisor
    }
}

/// Queues a notification in the unit's transaction, at most one per record and unit.
pub(crate) fn announce(unit: &Unit<'_>, object: &Object, id: &RecordId) -> Result<(), rusqlite::Error> {
    if !unit.actor.notifies || object.action.is_none() {
        return Ok(());
    }
    let notification = new_id(unit.connection, NOTIFICATION_PREFIX)?;
    let now = unit.now.as_millisecond();
    unit.connection
        .prepare_cached(
            "INSERT INTO outbound (notification_id, unit, object, record_id, state, queued_ms, due_ms)
             VALUES (?1, ?2, ?3, ?4, 'pending', ?5, ?5) ON CONFLICT (unit, record_id) DO NOTHING",
        )?
        .execute(params![notification.as_str(), unit.number()?, object.name, id.as_str(), now])?;
    Ok(())
}

/// A message that was claimed: its notifications carry the values of now.
#[derive(Debug)]
pub(super) struct Message {
    pub object: &'static Object,
    pub sequences: Vec<i64>,
    pub notifications: Vec<Notification>,
}

/// After a crash: what was on its way is due again.
pub(super) fn recover(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.execute("UPDATE outbound SET state = 'pending' WHERE state = 'sending'", [])?;
    Ok(())
}

/// Makes everything that waits for a retry due now.
pub(crate) fn retry_now(connection: &Connection, now_ms: i64) -> Result<usize, rusqlite::Error> {
    connection.execute("UPDATE outbound SET due_ms = ?1 WHERE state = 'pending' AND due_ms > ?1", [now_ms])
}

/// Takes up to `messages` messages that are due, and drops what is too old.
pub(super) fn claim(
    unit: &Unit<'_>,
    schedule: Schedule,
    faults: OutboundFaults,
    messages: usize,
) -> Result<Vec<Message>, ApiError> {
    let now = unit.now.as_millisecond();
    let connection = unit.connection;
    connection
        .prepare_cached(
            "UPDATE outbound SET state = 'dropped', settled_ms = ?1
             WHERE state = 'pending' AND queued_ms <= ?1 - ?2",
        )?
        .execute([now, schedule.life()])?;
    let order = if faults.shuffle { "random()" } else { "due_ms, sequence" };
    let sql = format!(
        "SELECT sequence, notification_id, object, record_id FROM outbound
         WHERE state = 'pending' AND due_ms <= ?1 AND (attempts > 0 OR due_ms + ?2 <= ?1)
         ORDER BY {order} LIMIT {CLAIM_MAX}"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let due = statement
        .query_map(params![now, faults.delay_ms], |row| {
            Ok((
                row.get::<_, i64>(0)?,
                row.get::<_, String>(1)?,
                row.get::<_, String>(2)?,
                row.get::<_, String>(3)?,
            ))
        })?
        .collect::<Result<Vec<_>, _>>()?;

    let mut claimed: Vec<Message> = Vec::new();
    for (sequence, notification_id, object, record_id) in due {
        let (Some(object), Ok(record_id)) = (Object::named(&object), RecordId::parse(&record_id)) else {
            // An older build knew the object. Left pending it would be looked at for ever.
            connection
                .prepare_cached("UPDATE outbound SET state = 'dropped', settled_ms = ?2 WHERE sequence = ?1")?
                .execute([sequence, now])?;
            continue;
        };
        let open = claimed
            .iter()
            .position(|message| message.object.name == object.name && message.sequences.len() < MESSAGE_MAX);
        let index = match open {
            Some(index) => index,
            None if claimed.len() < messages => {
                claimed.push(Message { object, sequences: Vec::new(), notifications: Vec::new() });
                claimed.len() - 1
            }
            None => continue,
        };
        let row = records::load(unit, object, &record_id)?
            .filter(|row| row.get("IsDeleted") == Some(&rusqlite::types::Value::Integer(0)));
        connection
            .prepare_cached("UPDATE outbound SET state = 'sending' WHERE sequence = ?1")?
            .execute([sequence])?;
        if let Some(message) = claimed.get_mut(index) {
            message.sequences.push(sequence);
            message.notifications.push(Notification { id: notification_id, row });
        }
    }
    Ok(claimed)
}

/// Records the end of an attempt: all notifications of the message share it.
pub(super) fn settle(
    connection: &Connection,
    schedule: Schedule,
    now_ms: i64,
    sequences: &[i64],
    failure: Option<&str>,
) -> Result<(), ApiError> {
    for sequence in sequences {
        match failure {
            None => {
                connection
                    .prepare_cached(
                        "UPDATE outbound SET state = 'delivered', attempts = attempts + 1, settled_ms = ?2
                         WHERE sequence = ?1",
                    )?
                    .execute([*sequence, now_ms])?;
            }
            Some(failure) => {
                let (attempts, queued): (i64, i64) = connection
                    .prepare_cached("SELECT attempts + 1, queued_ms FROM outbound WHERE sequence = ?1")?
                    .query_row([sequence], |row| Ok((row.get(0)?, row.get(1)?)))?;
                let dropped = now_ms.saturating_sub(queued) >= schedule.life();
                let state = if dropped { "dropped" } else { "pending" };
                let due = now_ms.saturating_add(schedule.pause(attempts));
                connection
                    .prepare_cached(
                        "UPDATE outbound SET state = ?2, attempts = ?3, due_ms = ?4, last_failure = ?5,
                         settled_ms = CASE WHEN ?2 = 'dropped' THEN ?6 END WHERE sequence = ?1",
                    )?
                    .execute(params![sequence, state, attempts, due, failure, now_ms])?;
            }
        }
    }
    connection
        .prepare_cached(
            "DELETE FROM outbound WHERE sequence <= (SELECT max(sequence) FROM outbound) - ?1
             AND state IN ('delivered', 'dropped')",
        )?
        .execute([SETTLED_KEPT])?;
    Ok(())
}

/// When the next notification is due, in milliseconds since 1970.
pub(super) fn next_due(
    connection: &Connection,
    faults: OutboundFaults,
) -> Result<Option<i64>, rusqlite::Error> {
    connection
        .prepare_cached(
            "SELECT min(due_ms + CASE WHEN attempts = 0 THEN ?1 ELSE 0 END) FROM outbound
             WHERE state = 'pending'",
        )?
        .query_row([faults.delay_ms], |row| row.get(0))
}

/// Counts by state and the newest notifications.
pub(crate) fn overview(connection: &Connection) -> Result<Value, ApiError> {
    let counts = connection.query_row(
        "SELECT count(*) FILTER (WHERE state IN ('pending', 'sending')),
                count(*) FILTER (WHERE state IN ('pending', 'sending') AND attempts > 0),
                count(*) FILTER (WHERE state = 'delivered'),
                count(*) FILTER (WHERE state = 'dropped') FROM outbound",
        [],
        |row| {
            Ok(json!({
                "pending": row.get::<_, i64>(0)?,
                "failed": row.get::<_, i64>(1)?,
                "delivered": row.get::<_, i64>(2)?,
                "dropped": row.get::<_, i64>(3)?,
            }))
        },
    )?;
    let sql = format!(
        "SELECT notification_id, object, record_id, state, attempts, queued_ms, due_ms, settled_ms, last_failure
         FROM outbound ORDER BY sequence DESC LIMIT {SHOWN}"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let newest = statement
        .query_map([], |row| {
            Ok(json!({
                "notificationId": row.get::<_, String>(0)?,
                "object": row.get::<_, String>(1)?,
                "recordId": row.get::<_, String>(2)?,
                "state": row.get::<_, String>(3)?,
                "attempts": row.get::<_, i64>(4)?,
                "queuedMs": row.get::<_, i64>(5)?,
                "dueMs": row.get::<_, i64>(6)?,
                "settledMs": row.get::<_, Option<i64>>(7)?,
                "lastFailure": row.get::<_, Option<String>>(8)?,
            }))
        })?
        .collect::<Result<Vec<_>, _>>()?;
    Ok(json!({"counts": counts, "newest": newest}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_doubles_from_30_seconds_to_two_hours() {
        let schedule = Schedule::new(1);
        let pauses: Vec<i64> = (1..=11).map(|attempts| schedule.pause(attempts) / 1_000).collect();
        assert_eq!(pauses, [30, 60, 120, 240, 480, 960, 1_920, 3_840, 7_200, 7_200, 7_200]);
        assert_eq!(Schedule::new(3_000).pause(1), 10);
        assert_eq!(Schedule::new(0).life(), 24 * 3_600_000);
    }
}
