//! The rows behind buckets: each function is one step of a transaction.

use rusqlite::{OptionalExtension as _, Transaction, params};
use serde::{Deserialize, Serialize};

use super::lifecycle::LifecycleRule;
use super::rows::{from_json, to_json};
use super::{BucketSpec, ObjectError};

/// Whether a bucket keeps what is overwritten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Versioning {
    /// It never did. What is written has the version `null`.
    Never,
    /// Everything that is written has a version of its own.
    Enabled,
    /// It did: what is written replaces the version `null`, and the others stay.
    Suspended,
}

pub(super) fn create(tx: &Transaction<'_>, name: &str, now: i64) -> Result<(), ObjectError> {
    let created = tx
        .prepare_cached(
            "INSERT INTO bucket (name, created_ms, versioning, rules) VALUES (?1, ?2, ?3, '[]') ON CONFLICT DO NOTHING",
        )?
        .execute(params![name, now, to_json(&Versioning::Never)?])?;
    if created == 0 { Err(ObjectError::BucketExists(name.to_owned())) } else { Ok(()) }
}

/// Makes the bucket, or makes one that exists what it is meant to be.
pub(super) fn ensure(tx: &Transaction<'_>, spec: &BucketSpec, now: i64) -> Result<(), ObjectError> {
    match create(tx, &spec.name, now) {
        Ok(()) | Err(ObjectError::BucketExists(_)) => {}
        Err(error) => return Err(error),
    }
    match (spec.versioned, versioning(tx, &spec.name)?) {
        (true, _) => set_versioning(tx, &spec.name, Versioning::Enabled)?,
        // As CloudFormation leaves a bucket whose template does not ask for versions any more.
        (false, Versioning::Enabled) => set_versioning(tx, &spec.name, Versioning::Suspended)?,
        (false, Versioning::Never | Versioning::Suspended) => {}
    }
    tx.prepare_cached("UPDATE bucket SET rules = ?2 WHERE name = ?1")?
        .execute(params![spec.name, to_json(&spec.rules)?])?;
    Ok(())
}

pub(super) fn delete(tx: &Transaction<'_>, name: &str) -> Result<(), ObjectError> {
    check(tx, name)?;
    let used: bool = tx
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM version WHERE bucket = ?1) OR EXISTS (SELECT 1 FROM upload WHERE bucket = ?1)",
        )?
        .query_row([name], |row| row.get(0))?;
    if used {
        return Err(ObjectError::BucketNotEmpty(name.to_owned()));
    }
    tx.prepare_cached("DELETE FROM bucket WHERE name = ?1")?.execute([name])?;
    Ok(())
}

pub(super) fn check(tx: &Transaction<'_>, name: &str) -> Result<(), ObjectError> {
    versioning(tx, name).map(drop)
}

pub(super) fn versioning(tx: &Transaction<'_>, name: &str) -> Result<Versioning, ObjectError> {
    tx.prepare_cached("SELECT versioning FROM bucket WHERE name = ?1")?
        .query_row([name], |row| from_json(row, 0))
        .optional()?
        .ok_or_else(|| ObjectError::NoSuchBucket(name.to_owned()))
}

pub(super) fn set_versioning(
    tx: &Transaction<'_>,
    name: &str,
    versioning: Versioning,
) -> Result<(), ObjectError> {
    check(tx, name)?;
    tx.prepare_cached("UPDATE bucket SET versioning = ?2 WHERE name = ?1")?
        .execute(params![name, to_json(&versioning)?])?;
    Ok(())
}

/// Name and time of creation of every bucket.
pub(super) fn all(tx: &Transaction<'_>) -> Result<Vec<(String, i64)>, ObjectError> {
    let mut statement = tx.prepare_cached("SELECT name, created_ms FROM bucket ORDER BY name")?;
    let buckets = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
    Ok(buckets)
}

/// The rules of every bucket.
pub(super) fn rules(tx: &Transaction<'_>) -> Result<Vec<(String, Vec<LifecycleRule>)>, ObjectError> {
    let mut statement = tx.prepare_cached("SELECT name, rules FROM bucket ORDER BY name")?;
    let rules =
        statement.query_map([], |row| Ok((row.get(0)?, from_json(row, 1)?)))?.collect::<Result<_, _>>()?;
    Ok(rules)
}
