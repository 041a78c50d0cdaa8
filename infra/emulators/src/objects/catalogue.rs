//! The rows behind buckets and objects: each function is one step of a transaction.

use std::collections::HashSet;

use rusqlite::{OptionalExtension as _, Row, Transaction, params};
use s3s::dto::{ETag, ETagCondition};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::blobs::Checksums;
use super::events::{self, Created, EventName};
use super::{ObjectError, PART_BYTES, PARTS};

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

/// One object.
#[derive(Clone, Debug)]
pub(super) struct Object {
    pub(super) key: String,
    pub(super) blob: String,
    pub(super) size: i64,
    pub(super) e_tag: String,
    pub(super) modified_ms: i64,
    pub(super) headers: Headers,
    pub(super) checksums: Checksums,
}

/// One part of an upload.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) number: i32,
    pub(super) blob: String,
    pub(super) size: i64,
    pub(super) e_tag: String,
    pub(super) modified_ms: i64,
}

/// What must hold of the object that is there.
#[derive(Clone, Debug, Default)]
pub(super) struct Condition {
    pub(super) if_match: Option<ETagCondition>,
    pub(super) if_none_match: Option<ETagCondition>,
}

impl Condition {
    /// Whether a write may replace `current`.
    pub(super) fn allows_write(&self, key: &str, current: Option<&Object>) -> Result<(), ObjectError> {
        let same = |expected: &ETag| current.is_some_and(|object| object.e_tag == expected.value());
        match (&self.if_match, current) {
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

pub(super) fn create_bucket(tx: &Transaction<'_>, name: &str, now: i64) -> Result<(), ObjectError> {
    let created = tx
        .prepare_cached("INSERT INTO bucket (name, created_ms) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?
        .execute(params![name, now])?;
    if created == 0 { Err(ObjectError::BucketExists(name.to_owned())) } else { Ok(()) }
}

pub(super) fn delete_bucket(tx: &Transaction<'_>, name: &str) -> Result<(), ObjectError> {
    check_bucket(tx, name)?;
    let used: bool = tx
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM object WHERE bucket = ?1) OR EXISTS (SELECT 1 FROM upload WHERE bucket = ?1)",
        )?
        .query_row([name], |row| row.get(0))?;
    if used {
        return Err(ObjectError::BucketNotEmpty(name.to_owned()));
    }
    tx.prepare_cached("DELETE FROM bucket WHERE name = ?1")?.execute([name])?;
    Ok(())
}

pub(super) fn check_bucket(tx: &Transaction<'_>, name: &str) -> Result<(), ObjectError> {
    let exists: bool = tx
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM bucket WHERE name = ?1)")?
        .query_row([name], |row| row.get(0))?;
    if exists { Ok(()) } else { Err(ObjectError::NoSuchBucket(name.to_owned())) }
}

/// Name and time of creation of every bucket.
pub(super) fn buckets(tx: &Transaction<'_>) -> Result<Vec<(String, i64)>, ObjectError> {
    let mut statement = tx.prepare_cached("SELECT name, created_ms FROM bucket ORDER BY name")?;
    let buckets = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
    Ok(buckets)
}

const OBJECT: &str = "key, blob, size, e_tag, modified_ms, headers, checksums";

fn object(row: &Row<'_>) -> rusqlite::Result<Object> {
    Ok(Object {
        key: row.get(0)?,
        blob: row.get(1)?,
        size: row.get(2)?,
        e_tag: row.get(3)?,
        modified_ms: row.get(4)?,
        headers: from_json(row, 5)?,
        checksums: from_json(row, 6)?,
    })
}

/// The object, when it exists.
pub(super) fn find(tx: &Transaction<'_>, bucket: &str, key: &str) -> Result<Option<Object>, ObjectError> {
    check_bucket(tx, bucket)?;
    let found = tx
        .prepare_cached(&format!("SELECT {OBJECT} FROM object WHERE bucket = ?1 AND key = ?2"))?
        .query_row([bucket, key], object)
        .optional()?;
    Ok(found)
}

pub(super) fn get(tx: &Transaction<'_>, bucket: &str, key: &str) -> Result<Object, ObjectError> {
    find(tx, bucket, key)?.ok_or_else(|| ObjectError::NoSuchKey(key.to_owned()))
}

/// Makes the object visible and keeps its event, both or neither. Returns the file that it replaced.
pub(super) fn put(
    tx: &Transaction<'_>,
    bucket: &str,
    new: &Object,
    condition: &Condition,
    event: EventName,
) -> Result<Option<String>, ObjectError> {
    let current = find(tx, bucket, &new.key)?;
    condition.allows_write(&new.key, current.as_ref())?;
    tx.prepare_cached(&format!(
        "INSERT OR REPLACE INTO object (bucket, {OBJECT}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"
    ))?
    .execute(params![
        bucket,
        new.key,
        new.blob,
        new.size,
        new.e_tag,
        new.modified_ms,
        to_json(&new.headers)?,
        to_json(&new.checksums)?,
    ])?;
    let created = Created {
        name: event,
        bucket: bucket.to_owned(),
        key: new.key.clone(),
        size: new.size,
        e_tag: new.e_tag.clone(),
    };
    events::keep(tx, &created, new.modified_ms)?;
    Ok(current.map(|object| object.blob))
}

/// Removes the object; one that is missing is no error, as in S3. Returns its file.
pub(super) fn delete(tx: &Transaction<'_>, bucket: &str, key: &str) -> Result<Option<String>, ObjectError> {
    let current = find(tx, bucket, key)?;
    tx.prepare_cached("DELETE FROM object WHERE bucket = ?1 AND key = ?2")?.execute([bucket, key])?;
    Ok(current.map(|object| object.blob))
}

/// Up to `max` objects after `after` whose keys begin with `prefix`, in byte order.
pub(super) fn page(
    tx: &Transaction<'_>,
    bucket: &str,
    prefix: &str,
    after: &str,
    max: usize,
) -> Result<Vec<Object>, ObjectError> {
    check_bucket(tx, bucket)?;
    let mut statement = tx.prepare_cached(&format!(
        "SELECT {OBJECT} FROM object
         WHERE bucket = ?1 AND key > ?3 AND key >= ?2 AND substr(key, 1, length(?2)) = ?2 ORDER BY key LIMIT ?4"
    ))?;
    let limit = i64::try_from(max).unwrap_or(i64::MAX);
    let found =
        statement.query_map(params![bucket, prefix, after, limit], object)?.collect::<Result<_, _>>()?;
    Ok(found)
}

pub(super) fn start_upload(
    tx: &Transaction<'_>,
    id: &str,
    bucket: &str,
    key: &str,
    headers: &Headers,
    now: i64,
) -> Result<(), ObjectError> {
    check_bucket(tx, bucket)?;
    tx.prepare_cached(
        "INSERT INTO upload (id, bucket, key, headers, started_ms) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![id, bucket, key, to_json(headers)?, now])?;
    Ok(())
}

/// The headers of an upload.
pub(super) fn upload(
    tx: &Transaction<'_>,
    id: &str,
    bucket: &str,
    key: &str,
) -> Result<Headers, ObjectError> {
    tx.prepare_cached("SELECT headers FROM upload WHERE id = ?1 AND bucket = ?2 AND key = ?3")?
        .query_row([id, bucket, key], |row| from_json(row, 0))
        .optional()?
        .ok_or(ObjectError::NoSuchUpload)
}

/// Keeps a part; returns the file that it replaced.
pub(super) fn put_part(
    tx: &Transaction<'_>,
    upload: &str,
    part: &Part,
) -> Result<Option<String>, ObjectError> {
    if !(1..=PARTS).contains(&part.number) {
        return Err(ObjectError::Invalid("a part number is between 1 and 10000"));
    }
    let replaced = tx
        .prepare_cached("SELECT blob FROM part WHERE upload = ?1 AND number = ?2")?
        .query_row(params![upload, part.number], |row| row.get(0))
        .optional()?;
    tx.prepare_cached("INSERT OR REPLACE INTO part VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?.execute(params![
        upload,
        part.number,
        part.blob,
        part.size,
        part.e_tag,
        part.modified_ms
    ])?;
    Ok(replaced)
}

pub(super) fn parts(tx: &Transaction<'_>, upload: &str) -> Result<Vec<Part>, ObjectError> {
    let mut statement = tx.prepare_cached(
        "SELECT number, blob, size, e_tag, modified_ms FROM part WHERE upload = ?1 ORDER BY number",
    )?;
    let found = statement
        .query_map([upload], |row| {
            Ok(Part {
                number: row.get(0)?,
                blob: row.get(1)?,
                size: row.get(2)?,
                e_tag: row.get(3)?,
                modified_ms: row.get(4)?,
            })
        })?
        .collect::<Result<_, _>>()?;
    Ok(found)
}

/// The parts that a completion names, checked against those that were uploaded.
pub(super) fn chosen_parts(
    uploaded: &[Part],
    named: &[(i32, Option<String>)],
) -> Result<Vec<Part>, ObjectError> {
    if named.is_empty() {
        return Err(ObjectError::Invalid("an upload is completed with at least one part"));
    }
    if !named.is_sorted_by(|(before, _), (after, _)| before < after) {
        return Err(ObjectError::InvalidPartOrder);
    }
    let mut chosen = Vec::with_capacity(named.len());
    for (number, e_tag) in named {
        let part = uploaded
            .iter()
            .find(|part| part.number == *number && e_tag.as_ref().is_none_or(|e_tag| *e_tag == part.e_tag))
            .ok_or(ObjectError::InvalidPart(*number))?;
        chosen.push(part.clone());
    }
    let all_but_last = chosen.iter().rev().skip(1);
    if let Some(small) = all_but_last.into_iter().find(|part| part.size < PART_BYTES) {
        return Err(ObjectError::PartTooSmall(small.number));
    }
    Ok(chosen)
}

/// Forgets an upload and returns the files of its parts.
pub(super) fn end_upload(tx: &Transaction<'_>, upload: &str) -> Result<Vec<String>, ObjectError> {
    let blobs = parts(tx, upload)?.into_iter().map(|part| part.blob).collect();
    tx.prepare_cached("DELETE FROM upload WHERE id = ?1")?.execute([upload])?;
    Ok(blobs)
}

/// Forgets uploads from before `stale` and returns every file that is still named.
pub(super) fn named_blobs(tx: &Transaction<'_>, stale: i64) -> Result<HashSet<String>, ObjectError> {
    tx.execute("DELETE FROM upload WHERE started_ms < ?1", [stale])?;
    let mut statement = tx.prepare("SELECT blob FROM object UNION ALL SELECT blob FROM part")?;
    let named = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(named)
}

fn from_json<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, Box::new(error))
    })
}

fn to_json<T: Serialize>(value: &T) -> Result<String, ObjectError> {
    serde_json::to_string(value).map_err(|_| ObjectError::Invalid("a header is not text"))
}
