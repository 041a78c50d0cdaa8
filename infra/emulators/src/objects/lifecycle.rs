//! What a bucket removes by itself.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-rules.html>

use std::collections::HashSet;

use rusqlite::{Transaction, params};
use serde::{Deserialize, Serialize};

use super::{ObjectError, uploads, versions};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// How much one transaction removes, so that requests come in between.
const BATCH: usize = 500;

/// A rule of a bucket, as far as the product's buckets have them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LifecycleRule {
    /// Which keys; empty is all of them.
    pub prefix: String,
    /// Days after which an upload in parts that was not completed is removed.
    pub abort_uploads_after: Option<u32>,
    /// Days after which an object is deleted. Where there are versions that leaves a mark; one that has nothing below it
    /// is removed after as many days.
    pub expire_after: Option<u32>,
    /// Days after which a version is removed, counted from when it was no longer the newest.
    pub expire_noncurrent_after: Option<u32>,
    /// Whether the mark of a deletion is removed once there is nothing below it.
    pub remove_lone_markers: bool,
}

/// What a step of a sweep has done.
#[derive(Debug, Default)]
pub(super) struct Swept {
    /// Files that nothing names any more.
    pub(super) unnamed: Vec<String>,
    /// Whether there may be more to do.
    pub(super) more: bool,
}

/// Removes a batch of what a rule says.
pub(super) fn sweep(
    tx: &Transaction<'_>,
    bucket: &str,
    rule: &LifecycleRule,
    now: i64,
) -> Result<Swept, ObjectError> {
    let mut swept = Swept::default();
    if let Some(days) = rule.abort_uploads_after {
        abort_uploads(tx, bucket, rule, since(days, now), &mut swept)?;
    }
    if let Some(days) = rule.expire_noncurrent_after {
        let old = "superseded_ms <= ?3";
        for (key, id) in find(tx, bucket, rule, old, since(days, now))? {
            swept.take(versions::remove(tx, bucket, &key, &id)?.unnamed);
        }
    }
    if let Some(days) = rule.expire_after {
        let old = "superseded_ms IS NULL AND NOT marker AND modified_ms <= ?3";
        for (key, _) in find(tx, bucket, rule, old, since(days, now))? {
            swept.take(versions::delete(tx, bucket, &key, now)?.unnamed);
        }
    }
    let markers = rule.expire_after.map(|days| since(days, now));
    if let Some(until) = markers.or(rule.remove_lone_markers.then_some(now)) {
        let lone = "marker AND modified_ms <= ?3 AND NOT EXISTS (SELECT 1 FROM version AS other
                    WHERE other.bucket = version.bucket AND other.key = version.key AND other.number <> version.number)";
        for (key, id) in find(tx, bucket, rule, lone, until)? {
            swept.take(versions::remove(tx, bucket, &key, &id)?.unnamed);
        }
    }
    Ok(swept)
}

impl Swept {
    fn take(&mut self, unnamed: Vec<String>) {
        self.unnamed.extend(unnamed);
        self.more = true;
    }
}

/// What is due after so many days began at this time or before: S3 counts whole days, to the next midnight (UTC).
fn since(days: u32, now: i64) -> i64 {
    let midnight = now.saturating_sub(now.rem_euclid(DAY_MS));
    midnight.saturating_sub(i64::from(days).saturating_mul(DAY_MS))
}

fn abort_uploads(
    tx: &Transaction<'_>,
    bucket: &str,
    rule: &LifecycleRule,
    until: i64,
    swept: &mut Swept,
) -> Result<(), ObjectError> {
    let mut statement = tx.prepare_cached(
        "SELECT id FROM upload WHERE bucket = ?1 AND substr(key, 1, length(?2)) = ?2 AND started_ms <= ?3 LIMIT ?4",
    )?;
    let limit = i64::try_from(BATCH).unwrap_or(i64::MAX);
    let ids: Vec<String> = statement
        .query_map(params![bucket, rule.prefix, until, limit], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for id in ids {
        let parts = uploads::all_parts(tx, &id)?;
        swept.take(parts.into_iter().map(|part| part.piece.blob).collect());
        uploads::end(tx, &id)?;
    }
    Ok(())
}

/// Key and id of versions for which a condition over `?3` holds.
fn find(
    tx: &Transaction<'_>,
    bucket: &str,
    rule: &LifecycleRule,
    condition: &str,
    until: i64,
) -> Result<Vec<(String, String)>, ObjectError> {
    let mut statement = tx.prepare_cached(&format!(
        "SELECT key, id FROM version WHERE bucket = ?1 AND substr(key, 1, length(?2)) = ?2 AND {condition} LIMIT ?4"
    ))?;
    let limit = i64::try_from(BATCH).unwrap_or(i64::MAX);
    let found = statement
        .query_map(params![bucket, rule.prefix, until, limit], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    Ok(found)
}

/// Every file that is still named.
pub(super) fn named_blobs(tx: &Transaction<'_>) -> Result<HashSet<String>, ObjectError> {
    let mut statement = tx.prepare("SELECT blob FROM piece UNION ALL SELECT blob FROM part")?;
    let named = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(named)
}
