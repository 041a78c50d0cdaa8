//! `getUpdated` and `getDeleted`: which records changed in a span of time.

use jiff::{SignedDuration, Timestamp};
use rusqlite::params;
use serde_json::json;

use super::{Call, Context, Reply, parameter};
use crate::{error::ApiError, schema::Object, value::rest_time};

/// How far back each list reaches.
const UPDATED_REACH: SignedDuration = SignedDuration::from_hours(30 * 24);
const DELETED_REACH: SignedDuration = SignedDuration::from_hours(15 * 24);
/// Most ids in one answer, as in Salesforce.
const IDS_MAX: usize = 600_000;
const MINUTE: i64 = 60;

/// `/sobjects/{Object}/updated?start=...&end=...`
pub(super) fn updated(context: &Context<'_>, call: &Call, object: &Object) -> Result<Reply, ApiError> {
    let span = Span::read(context, call, object, UPDATED_REACH)?;
    let ids: Vec<String> = changes(context, object, &span, false)?.into_iter().map(|(id, _)| id).collect();
    Ok(Reply::ok(json!({"ids": ids, "latestDateCovered": rest_time(span.covered)})))
}

/// `/sobjects/{Object}/deleted?start=...&end=...`
pub(super) fn deleted(context: &Context<'_>, call: &Call, object: &Object) -> Result<Reply, ApiError> {
    let span = Span::read(context, call, object, DELETED_REACH)?;
    let records: Vec<_> = changes(context, object, &span, true)?
        .into_iter()
        .map(|(id, second)| json!({"id": id, "deletedDate": rest_time(second)}))
        .collect();
    let earliest = minute(context.unit.now.saturating_sub(DELETED_REACH).unwrap_or(context.unit.now));
    Ok(Reply::ok(json!({
        "deletedRecords": records,
        "earliestDateAvailable": rest_time(earliest),
        "latestDateCovered": rest_time(span.covered),
    })))
}

/// Whole minutes, because seconds are ignored: the end is exclusive.
struct Span {
    start: i64,
    end: i64,
    /// Up to where the answer is complete; where the next call starts.
    covered: i64,
}

impl Span {
    fn read(
        context: &Context<'_>,
        call: &Call,
        object: &Object,
        reach: SignedDuration,
    ) -> Result<Span, ApiError> {
        if !object.writable {
            let message = format!("entity type {} is not replicateable", object.name);
            return Err(ApiError::bad("INVALID_TYPE_FOR_OPERATION", message));
        }
        let now = context.unit.now;
        let [start, end] = ["start", "end"].map(|name| {
            let text = parameter(call, name)
                .ok_or_else(|| ApiError::bad("MISSING_ARGUMENT", format!("{name} is required")))?;
            text.parse::<Timestamp>().map(minute).map_err(|_| {
                ApiError::bad("INVALID_REPLICATION_DATE", format!("{name} is no ISO 8601 date and time"))
            })
        });
        let (start, end) = (start?, end?);
        if end <= start {
            let message = "startDate must be at least one minute before endDate";
            return Err(ApiError::bad("INVALID_REPLICATION_DATE", message));
        }
        if start < minute(now.saturating_sub(reach).unwrap_or(now)) {
            let days = reach.as_hours() / 24;
            let message = format!("startDate cannot be more than {days} days ago");
            return Err(ApiError::bad("INVALID_REPLICATION_DATE", message));
        }
        Ok(Span { start, end, covered: end.min(minute(now)) })
    }
}

fn minute(at: Timestamp) -> i64 {
    at.as_second().div_euclid(MINUTE) * MINUTE
}

fn changes(
    context: &Context<'_>,
    object: &Object,
    span: &Span,
    deleted: bool,
) -> Result<Vec<(String, i64)>, ApiError> {
    let sql = format!(
        "SELECT Id, SystemModstamp FROM \"{}\"
         WHERE SystemModstamp >= ?1 AND SystemModstamp < ?2 AND (IsDeleted <> 0) = ?3
         ORDER BY SystemModstamp, Id LIMIT {}",
        object.name,
        IDS_MAX + 1
    );
    let mut statement = context.unit.connection.prepare_cached(&sql)?;
    let found = statement
        .query_map(params![span.start, span.end, deleted], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<Vec<_>, _>>()?;
    if found.len() > IDS_MAX {
        return Err(ApiError::bad("EXCEEDED_ID_LIMIT", format!("more than {IDS_MAX} records")));
    }
    Ok(found)
}
