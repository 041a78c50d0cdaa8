//! The rows behind objects: each function is one step of a transaction.
//!
//! An object is the newest version of its key. What was written or deleted later has the higher number.

use rusqlite::{OptionalExtension as _, Row, Transaction, params};
use s3s::dto::{ETag, ETagCondition};
use serde::{Deserialize, Serialize};

use super::blobs::Piece;
use super::buckets::{self, Versioning};
use super::checksums::Checksums;
use super::events::{self, Created, EventName};
use super::rows::{from_json, to_json};
use super::{NULL, ObjectError};
use crate::store::random_id;

/// Headers that come back with the object.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Headers {
    pub(super) content_type: Option<String>,
    pub(super) content_encoding: Option<String>,
    pub(super) content_disposition: Option<String>,
    pub(super) content_language: Option<String>,
    pub(super) cache_control: Option<String>,
    pub(super) encryption: Option<String>,
    pub(super) metadata: Option<std::collections::HashMap<String, String>>,
}

/// One version of an object, or the mark of its deletion.
#[derive(Clone, Debug)]
pub(super) struct Version {
    pub(super) number: i64,
    pub(super) key: String,
    pub(super) id: String,
    /// Whether it says that the object was deleted. Then everything below is empty but the time.
    pub(super) marker: bool,
    /// Whether it is the newest.
    pub(super) current: bool,
    pub(super) size: i64,
    pub(super) e_tag: String,
    pub(super) modified_ms: i64,
    pub(super) headers: Headers,
    pub(super) checksums: Checksums,
}

/// What is about to become an object.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) key: String,
    pub(super) pieces: Vec<Piece>,
    pub(super) e_tag: String,
    pub(super) headers: Headers,
    pub(super) checksums: Checksums,
    pub(super) event: EventName,
}

/// What became of a write or a deletion.
#[derive(Clone, Debug, Default)]
pub(super) struct Outcome {
    /// The version that it made or removed, in a bucket that has versions.
    pub(super) version: Option<String>,
    /// Whether that is, or was, the mark of a deletion.
    pub(super) marker: bool,
    /// Files that nothing names any more.
    pub(super) unnamed: Vec<String>,
}

/// What must hold of the object that is there.
#[derive(Clone, Debug, Default)]
pub(super) struct Condition {
    pub(super) if_match: Option<ETagCondition>,
    pub(super) if_none_match: Option<ETagCondition>,
}

impl Condition {
    /// Whether a write may replace what is under `key`.
    pub(super) fn check(&self, tx: &Transaction<'_>, bucket: &str, key: &str) -> Result<(), ObjectError> {
        let current = current(tx, bucket, key)?.filter(|version| !version.marker);
        let same = |expected: &ETag| current.as_ref().is_some_and(|object| object.e_tag == expected.value());
        match (&self.if_match, &current) {
            (Some(_), None) => return Err(ObjectError::NoSuchKey(key.to_owned())),
            (Some(ETagCondition::ETag(expected)), Some(_)) if !same(expected) => {
                return Err(ObjectError::Precondition);
            }
            _ => {}
        }
        match &self.if_none_match {
            Some(ETagCondition::Any) if current.is_some() => Err(ObjectError::Precondition),
            Some(ETagCondition::ETag(expected)) if same(expected) => Err(ObjectError::Precondition),
            _ => Ok(()),
        }
    }
}

const COLUMNS: &str =
    "number, key, id, marker, superseded_ms IS NULL, size, e_tag, modified_ms, headers, checksums";

fn version(row: &Row<'_>) -> rusqlite::Result<Version> {
    Ok(Version {
        number: row.get(0)?,
        key: row.get(1)?,
        id: row.get(2)?,
        marker: row.get(3)?,
        current: row.get(4)?,
        size: row.get(5)?,
        e_tag: row.get(6)?,
        modified_ms: row.get(7)?,
        headers: from_json(row, 8)?,
        checksums: from_json(row, 9)?,
    })
}

/// The newest version.
fn current(tx: &Transaction<'_>, bucket: &str, key: &str) -> Result<Option<Version>, ObjectError> {
    let found = tx
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM version WHERE bucket = ?1 AND key = ?2 AND superseded_ms IS NULL"
        ))?
        .query_row([bucket, key], version)
        .optional()?;
    Ok(found)
}

fn by_id(tx: &Transaction<'_>, bucket: &str, key: &str, id: &str) -> Result<Option<Version>, ObjectError> {
    let found = tx
        .prepare_cached(&format!("SELECT {COLUMNS} FROM version WHERE bucket = ?1 AND key = ?2 AND id = ?3"))?
        .query_row([bucket, key, id], version)
        .optional()?;
    Ok(found)
}

/// The object, or one version of it; and what answers call that version, in a bucket that has them.
pub(super) fn get(
    tx: &Transaction<'_>,
    bucket: &str,
    key: &str,
    id: Option<&str>,
) -> Result<(Version, Option<String>), ObjectError> {
    let versioning = buckets::versioning(tx, bucket)?;
    let found = match id {
        Some(id) => by_id(tx, bucket, key, id)?.ok_or_else(|| ObjectError::NoSuchVersion(id.to_owned()))?,
        None => current(tx, bucket, key)?.ok_or_else(|| ObjectError::NoSuchKey(key.to_owned()))?,
    };
    if found.marker {
        return Err(match id {
            Some(_) => ObjectError::MarkerAsked,
            None => ObjectError::Deleted { key: found.key, marker: found.id },
        });
    }
    let shown = (versioning != Versioning::Never).then(|| found.id.clone());
    Ok((found, shown))
}

/// The files of a version.
pub(super) fn pieces(tx: &Transaction<'_>, number: i64) -> Result<Vec<Piece>, ObjectError> {
    let mut statement =
        tx.prepare_cached("SELECT blob, size FROM piece WHERE version = ?1 ORDER BY position")?;
    let found = statement
        .query_map([number], |row| Ok(Piece { blob: row.get(0)?, size: row.get(1)? }))?
        .collect::<Result<_, _>>()?;
    Ok(found)
}

/// Makes the object visible and keeps its event, both or neither.
pub(super) fn put(
    tx: &Transaction<'_>,
    bucket: &str,
    draft: &Draft,
    condition: &Condition,
    now: i64,
) -> Result<Outcome, ObjectError> {
    let versioning = buckets::versioning(tx, bucket)?;
    condition.check(tx, bucket, &draft.key)?;
    let (id, unnamed) = make_room(tx, bucket, &draft.key, versioning, now)?;
    let size: i64 = draft.pieces.iter().map(|piece| piece.size).sum();
    let number = insert(
        tx,
        bucket,
        &Version {
            number: 0,
            key: draft.key.clone(),
            id: id.clone(),
            marker: false,
            current: true,
            size,
            e_tag: draft.e_tag.clone(),
            modified_ms: now,
            headers: draft.headers.clone(),
            checksums: draft.checksums.clone(),
        },
    )?;
    let mut statement =
        tx.prepare_cached("INSERT INTO piece (version, position, blob, size) VALUES (?1, ?2, ?3, ?4)")?;
    for (position, piece) in (0_i64..).zip(&draft.pieces) {
        statement.execute(params![number, position, piece.blob, piece.size])?;
    }
    let version = (versioning != Versioning::Never).then_some(id);
    let created = Created {
        name: draft.event,
        bucket: bucket.to_owned(),
        key: draft.key.clone(),
        size,
        e_tag: draft.e_tag.clone(),
        version: version.clone(),
    };
    events::keep(tx, &created, now)?;
    Ok(Outcome { version, marker: false, unnamed })
}

/// Removes the object; one that is missing is no error, as in S3. With versions they all stay, below a mark.
pub(super) fn delete(
    tx: &Transaction<'_>,
    bucket: &str,
    key: &str,
    now: i64,
) -> Result<Outcome, ObjectError> {
    let versioning = buckets::versioning(tx, bucket)?;
    if versioning == Versioning::Never {
        let removed = remove(tx, bucket, key, NULL)?;
        return Ok(Outcome { version: None, ..removed });
    }
    let (id, unnamed) = make_room(tx, bucket, key, versioning, now)?;
    let marker = Version {
        number: 0,
        key: key.to_owned(),
        id: id.clone(),
        marker: true,
        current: true,
        size: 0,
        e_tag: String::new(),
        modified_ms: now,
        headers: Headers::default(),
        checksums: Checksums::default(),
    };
    insert(tx, bucket, &marker)?;
    Ok(Outcome { version: Some(id), marker: true, unnamed })
}

/// Removes one version for good. One that is missing is no error, as in S3; the version before becomes the object.
pub(super) fn remove(
    tx: &Transaction<'_>,
    bucket: &str,
    key: &str,
    id: &str,
) -> Result<Outcome, ObjectError> {
    buckets::check(tx, bucket)?;
    let mut outcome = Outcome { version: Some(id.to_owned()), ..Outcome::default() };
    let Some(found) = by_id(tx, bucket, key, id)? else { return Ok(outcome) };
    outcome.marker = found.marker;
    outcome.unnamed = pieces(tx, found.number)?.into_iter().map(|piece| piece.blob).collect();
    tx.prepare_cached("DELETE FROM version WHERE number = ?1")?.execute([found.number])?;
    if found.current {
        tx.prepare_cached(
            "UPDATE version SET superseded_ms = NULL WHERE number =
             (SELECT max(number) FROM version WHERE bucket = ?1 AND key = ?2)",
        )?
        .execute([bucket, key])?;
    }
    Ok(outcome)
}

/// Names the version that is about to be inserted: what is current is not any more, and the version `null` goes if
/// there is to be another. Returns the files that go with it.
fn make_room(
    tx: &Transaction<'_>,
    bucket: &str,
    key: &str,
    versioning: Versioning,
    now: i64,
) -> Result<(String, Vec<String>), ObjectError> {
    let (id, unnamed) = match versioning {
        Versioning::Enabled => (random_id()?.simple().to_string(), Vec::new()),
        Versioning::Never | Versioning::Suspended => {
            (NULL.to_owned(), remove(tx, bucket, key, NULL)?.unnamed)
        }
    };
    tx.prepare_cached(
        "UPDATE version SET superseded_ms = ?3 WHERE bucket = ?1 AND key = ?2 AND superseded_ms IS NULL",
    )?
    .execute(params![bucket, key, now])?;
    Ok((id, unnamed))
}

fn insert(tx: &Transaction<'_>, bucket: &str, new: &Version) -> Result<i64, ObjectError> {
    tx.prepare_cached(
        "INSERT INTO version (bucket, key, id, marker, size, e_tag, modified_ms, headers, checksums)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?
    .execute(params![
        bucket,
        new.key,
        new.id,
        new.marker,
        new.size,
        new.e_tag,
        new.modified_ms,
        to_json(&new.headers)?,
        to_json(&new.checksums)?,
    ])?;
    Ok(tx.last_insert_rowid())
}

/// A place in a listing: behind this key, and behind its versions from this number on.
#[derive(Clone, Debug, Default)]
pub(super) struct Place {
    pub(super) key: String,
    /// 0 is behind all of them.
    pub(super) number: i64,
}

impl Place {
    /// Behind a version. One that is gone meanwhile is a place before what is left of its key: whoever deletes what a
    /// page lists, and asks for the next, misses nothing.
    pub(super) fn behind(
        tx: &Transaction<'_>,
        bucket: &str,
        key: &str,
        id: &str,
    ) -> Result<Self, ObjectError> {
        let number = by_id(tx, bucket, key, id)?.map_or(i64::MAX, |version| version.number);
        Ok(Self { key: key.to_owned(), number })
    }
}

/// Up to `max` objects behind a place whose keys begin with `prefix`, in byte order.
pub(super) fn page(
    tx: &Transaction<'_>,
    bucket: &str,
    prefix: &str,
    after: &Place,
    max: usize,
) -> Result<Vec<Version>, ObjectError> {
    buckets::check(tx, bucket)?;
    let mut statement = tx.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM version WHERE bucket = ?1 AND superseded_ms IS NULL AND NOT marker
         AND key > ?3 AND key >= ?2 AND substr(key, 1, length(?2)) = ?2 ORDER BY key LIMIT ?4"
    ))?;
    let limit = i64::try_from(max).unwrap_or(i64::MAX);
    let found =
        statement.query_map(params![bucket, prefix, after.key, limit], version)?.collect::<Result<_, _>>()?;
    Ok(found)
}

/// As [`page`], of all versions and marks: those of one key follow each other, the newest first.
pub(super) fn page_of_all(
    tx: &Transaction<'_>,
    bucket: &str,
    prefix: &str,
    after: &Place,
    max: usize,
) -> Result<Vec<Version>, ObjectError> {
    buckets::check(tx, bucket)?;
    let mut statement = tx.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM version WHERE bucket = ?1 AND key >= ?2 AND substr(key, 1, length(?2)) = ?2
         AND (key > ?3 OR (key = ?3 AND number < ?4)) ORDER BY key, number DESC LIMIT ?5"
    ))?;
    let limit = i64::try_from(max).unwrap_or(i64::MAX);
    let found = statement
        .query_map(params![bucket, prefix, after.key, after.number, limit], version)?
        .collect::<Result<_, _>>()?;
    Ok(found)
}
