//! The rows behind uploads in parts: each function is one step of a transaction.

use rusqlite::{OptionalExtension as _, Row, Transaction, params};

use super::blobs::Piece;
use super::checksums::{Algorithm, Checksums};
use super::rows::{from_json, to_json};
use super::versions::Headers;
use super::{ObjectError, PART_BYTES, PARTS, buckets};

/// An upload that was begun.
#[derive(Clone, Debug)]
pub(super) struct Upload {
    pub(super) id: String,
    pub(super) key: String,
    pub(super) headers: Headers,
    /// The checksum that every part has to have.
    pub(super) algorithm: Option<Algorithm>,
    pub(super) started_ms: i64,
}

/// One part of an upload.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) number: i32,
    pub(super) piece: Piece,
    pub(super) e_tag: String,
    pub(super) checksums: Checksums,
    pub(super) modified_ms: i64,
}

/// A part as a completion names it.
#[derive(Clone, Debug)]
pub(super) struct Named {
    pub(super) number: i32,
    pub(super) e_tag: Option<String>,
    pub(super) checksums: Checksums,
}

const COLUMNS: &str = "id, key, headers, algorithm, started_ms";

fn upload(row: &Row<'_>) -> rusqlite::Result<Upload> {
    Ok(Upload {
        id: row.get(0)?,
        key: row.get(1)?,
        headers: from_json(row, 2)?,
        algorithm: from_json(row, 3)?,
        started_ms: row.get(4)?,
    })
}

pub(super) fn start(tx: &Transaction<'_>, bucket: &str, upload: &Upload) -> Result<(), ObjectError> {
    buckets::check(tx, bucket)?;
    tx.prepare_cached(&format!("INSERT INTO upload (bucket, {COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6)"))?
        .execute(params![
            bucket,
            upload.id,
            upload.key,
            to_json(&upload.headers)?,
            to_json(&upload.algorithm)?,
            upload.started_ms,
        ])?;
    Ok(())
}

pub(super) fn get(tx: &Transaction<'_>, id: &str, bucket: &str, key: &str) -> Result<Upload, ObjectError> {
    tx.prepare_cached(&format!("SELECT {COLUMNS} FROM upload WHERE id = ?1 AND bucket = ?2 AND key = ?3"))?
        .query_row([id, bucket, key], upload)
        .optional()?
        .ok_or(ObjectError::NoSuchUpload)
}

/// Up to `max` uploads behind a key and an id, in that order.
pub(super) fn page(
    tx: &Transaction<'_>,
    bucket: &str,
    prefix: &str,
    after: (&str, &str),
    max: usize,
) -> Result<Vec<Upload>, ObjectError> {
    buckets::check(tx, bucket)?;
    let mut statement = tx.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM upload WHERE bucket = ?1 AND substr(key, 1, length(?2)) = ?2
         AND (key, id) > (?3, ?4) ORDER BY key, id LIMIT ?5"
    ))?;
    let (key, id) = after;
    let limit = i64::try_from(max).unwrap_or(i64::MAX);
    let found =
        statement.query_map(params![bucket, prefix, key, id, limit], upload)?.collect::<Result<_, _>>()?;
    Ok(found)
}

/// Keeps a part; returns the file that it replaced.
pub(super) fn put_part(
    tx: &Transaction<'_>,
    upload: &str,
    part: &Part,
) -> Result<Option<String>, ObjectError> {
    let replaced = tx
        .prepare_cached("SELECT blob FROM part WHERE upload = ?1 AND number = ?2")?
        .query_row(params![upload, part.number], |row| row.get(0))
        .optional()?;
    tx.prepare_cached(
        "INSERT OR REPLACE INTO part (upload, number, blob, size, e_tag, checksums, modified_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![
        upload,
        part.number,
        part.piece.blob,
        part.piece.size,
        part.e_tag,
        to_json(&part.checksums)?,
        part.modified_ms
    ])?;
    Ok(replaced)
}

/// A part number that S3 takes.
pub(super) fn check_number(number: i32) -> Result<(), ObjectError> {
    if (1..=PARTS).contains(&number) {
        Ok(())
    } else {
        Err(ObjectError::Invalid("a part number is between 1 and 10000"))
    }
}

/// Up to `max` parts behind a number, in their order.
pub(super) fn parts(
    tx: &Transaction<'_>,
    upload: &str,
    after: i32,
    max: usize,
) -> Result<Vec<Part>, ObjectError> {
    let mut statement = tx.prepare_cached(
        "SELECT number, blob, size, e_tag, checksums, modified_ms FROM part
         WHERE upload = ?1 AND number > ?2 ORDER BY number LIMIT ?3",
    )?;
    let limit = i64::try_from(max).unwrap_or(i64::MAX);
    let found = statement
        .query_map(params![upload, after, limit], |row| {
            Ok(Part {
                number: row.get(0)?,
                piece: Piece { blob: row.get(1)?, size: row.get(2)? },
                e_tag: row.get(3)?,
                checksums: from_json(row, 4)?,
                modified_ms: row.get(5)?,
            })
        })?
        .collect::<Result<_, _>>()?;
    Ok(found)
}

/// All parts, in their order.
pub(super) fn all_parts(tx: &Transaction<'_>, upload: &str) -> Result<Vec<Part>, ObjectError> {
    parts(tx, upload, 0, usize::MAX)
}

/// The parts that a completion names, checked against those that were uploaded.
pub(super) fn chosen_parts(
    upload: &Upload,
    uploaded: &[Part],
    named: &[Named],
) -> Result<Vec<Part>, ObjectError> {
    if named.is_empty() {
        return Err(ObjectError::Invalid("an upload is completed with at least one part"));
    }
    if !named.is_sorted_by(|before, after| before.number < after.number) {
        return Err(ObjectError::InvalidPartOrder);
    }
    let mut chosen = Vec::with_capacity(named.len());
    for name in named {
        chosen.push(chosen_part(upload, uploaded, name)?.clone());
    }
    let all_but_last = chosen.iter().rev().skip(1);
    if let Some(small) = all_but_last.into_iter().find(|part| part.piece.size < PART_BYTES) {
        return Err(ObjectError::PartTooSmall(small.number));
    }
    Ok(chosen)
}

fn chosen_part<'a>(upload: &Upload, uploaded: &'a [Part], named: &Named) -> Result<&'a Part, ObjectError> {
    let invalid = || ObjectError::InvalidPart(named.number);
    let place = uploaded.binary_search_by_key(&named.number, |part| part.number).map_err(|_| invalid())?;
    let part = uploaded.get(place).ok_or_else(invalid)?;
    if named.e_tag.as_ref().is_some_and(|e_tag| *e_tag != part.e_tag) {
        return Err(invalid());
    }
    if let Some(algorithm) = upload.algorithm.filter(|algorithm| named.checksums.get(*algorithm).is_none()) {
        return Err(ObjectError::PartWithoutChecksum { part: named.number, algorithm: algorithm.name() });
    }
    let differs = |algorithm: Algorithm| {
        named.checksums.get(algorithm).is_some_and(|sum| part.checksums.get(algorithm) != Some(sum))
    };
    if Algorithm::ALL.into_iter().any(differs) { Err(invalid()) } else { Ok(part) }
}

/// Forgets an upload and its parts.
pub(super) fn end(tx: &Transaction<'_>, upload: &str) -> Result<(), ObjectError> {
    tx.prepare_cached("DELETE FROM upload WHERE id = ?1")?.execute([upload])?;
    Ok(())
}
