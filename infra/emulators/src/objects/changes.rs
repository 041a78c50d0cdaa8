//! What the operations have in common: objects become visible, are opened, and go.

use std::future::Future;
use std::sync::Arc;

use md5::{Digest as _, Md5};
use rusqlite::Transaction;

use super::blobs::{Blob, Content, Piece};
use super::checksums::{Algorithm, Checksums};
use super::events::EventName;
use super::uploads::{self, Named};
use super::versions::{self, Condition, Draft, Headers, Outcome, Version};
use super::{EVENTS, ObjectError, Objects};
use crate::clock::now_ms;
use crate::store::StoreError;

/// What a request to join parts says.
pub(super) struct Completion {
    pub(super) id: String,
    pub(super) bucket: String,
    pub(super) key: String,
    pub(super) parts: Vec<Named>,
    /// Bytes of all parts, if it says so.
    pub(super) size: Option<i64>,
    /// The checksum over those of the parts, if it says so.
    pub(super) sha256: Option<String>,
    pub(super) condition: Condition,
}

/// What became of it.
pub(super) struct Completed {
    pub(super) outcome: Outcome,
    pub(super) e_tag: String,
    pub(super) encryption: Option<String>,
    pub(super) sums: Checksums,
}

/// An object to be read.
pub(super) struct Opened {
    pub(super) version: Version,
    /// What answers call the version.
    pub(super) shown: Option<String>,
    /// Stays readable when the object is replaced from now on.
    pub(super) content: Content,
}

impl Objects {
    /// Makes a complete file visible as an object, with its event.
    pub(super) async fn publish(
        &self,
        bucket: String,
        draft: Draft,
        condition: Condition,
        blob: Blob,
    ) -> Result<Outcome, ObjectError> {
        let objects = self.clone();
        settle(async move {
            let now = now_ms(&objects.clock);
            let put = objects.store.transact(move |tx| versions::put(tx, &bucket, &draft, &condition, now));
            let put = put.await;
            let outcome = objects.or_remove(blob.name, put).await?;
            objects.queues.changed(EVENTS);
            objects.blobs.remove(outcome.unnamed.clone()).await;
            Ok(outcome)
        })
        .await
    }

    /// Makes parts one object, with its event, and ends their upload. Their files stay where they are.
    pub(super) async fn complete(&self, completion: Completion) -> Result<Completed, ObjectError> {
        let objects = self.clone();
        settle(async move {
            let now = now_ms(&objects.clock);
            let completed = objects.store.transact(move |tx| complete(tx, &completion, now)).await?;
            objects.queues.changed(EVENTS);
            objects.blobs.remove(completed.outcome.unnamed.clone()).await;
            Ok(completed)
        })
        .await
    }

    /// Deletes objects, or versions of them for good. Returns what became of each.
    pub(super) async fn delete(
        &self,
        bucket: String,
        named: Vec<(String, Option<String>)>,
    ) -> Result<Vec<((String, Option<String>), Outcome)>, ObjectError> {
        let objects = self.clone();
        settle(async move {
            let now = now_ms(&objects.clock);
            let deleted = objects.store.transact(move |tx| {
                let delete = |(key, id): (String, Option<String>)| {
                    let outcome = match &id {
                        Some(id) => versions::remove(tx, &bucket, &key, id)?,
                        None => versions::delete(tx, &bucket, &key, now)?,
                    };
                    Ok::<_, ObjectError>(((key, id), outcome))
                };
                named.into_iter().map(delete).collect::<Result<Vec<_>, _>>()
            });
            let deleted = deleted.await?;
            let unnamed: Vec<_> = deleted.iter().flat_map(|(_, outcome)| outcome.unnamed.clone()).collect();
            objects.blobs.remove(unnamed).await;
            Ok(deleted)
        })
        .await
    }

    /// Removes a file that no row came to name.
    pub(super) async fn or_remove<T>(
        &self,
        blob: String,
        outcome: Result<T, ObjectError>,
    ) -> Result<T, ObjectError> {
        if outcome.is_err() {
            self.blobs.remove([blob]).await;
        }
        outcome
    }

    pub(super) async fn open_object(
        &self,
        bucket: &str,
        key: &str,
        id: Option<&str>,
    ) -> Result<Opened, ObjectError> {
        let (bucket, key, id) = (bucket.to_owned(), key.to_owned(), id.map(str::to_owned));
        let blobs = Arc::clone(&self.blobs);
        self.store
            .transact(move |tx| {
                let (version, shown) = versions::get(tx, &bucket, &key, id.as_deref())?;
                let content = blobs.lease(versions::pieces(tx, version.number)?);
                Ok(Opened { version, shown, content })
            })
            .await
    }
}

fn complete(tx: &Transaction<'_>, asked: &Completion, now: i64) -> Result<Completed, ObjectError> {
    // Two completions of one upload: the second finds nothing.
    let upload = uploads::get(tx, &asked.id, &asked.bucket, &asked.key)?;
    let uploaded = uploads::all_parts(tx, &asked.id)?;
    let chosen = uploads::chosen_parts(&upload, &uploaded, &asked.parts)?;
    let size: i64 = chosen.iter().map(|part| part.piece.size).sum();
    if asked.size.is_some_and(|said| said != size) {
        return Err(ObjectError::OtherSize(size));
    }
    let sums = upload.algorithm.and_then(|algorithm| {
        Checksums::over(algorithm, chosen.iter().map(|part| part.checksums.get(algorithm)))
    });
    let sums = sums.unwrap_or_default();
    if asked.sha256.is_some() && asked.sha256.as_deref() != sums.get(Algorithm::Sha256) {
        return Err(ObjectError::BadDigest(Algorithm::Sha256.header()));
    }
    // S3's: the hash of the hashes, and how many there are.
    let mut hashes = Md5::new();
    for part in &chosen {
        hashes.update(hex::decode(&part.e_tag).unwrap_or_default());
    }
    let draft = Draft {
        key: asked.key.clone(),
        pieces: chosen.iter().map(|part| part.piece.clone()).collect(),
        e_tag: format!("{}-{}", hex::encode(hashes.finalize()), chosen.len()),
        headers: upload.headers,
        checksums: sums.clone(),
        event: EventName::CompleteMultipartUpload,
    };
    let mut outcome = versions::put(tx, &asked.bucket, &draft, &asked.condition, now)?;
    let left_out = uploaded.into_iter().filter(|part| !chosen.iter().any(|used| used.number == part.number));
    outcome.unnamed.extend(left_out.map(|part| part.piece.blob));
    uploads::end(tx, &asked.id)?;
    Ok(Completed { outcome, e_tag: draft.e_tag, encryption: draft.headers.encryption, sums })
}

/// Goes on when whoever asked has gone: what was begun is done whole, and no file stays that nothing names.
pub(super) async fn settle<T: Send + 'static>(
    work: impl Future<Output = Result<T, ObjectError>> + Send + 'static,
) -> Result<T, ObjectError> {
    tokio::spawn(work).await.map_err(|_| ObjectError::Store(StoreError::Stopped))?
}

pub(super) fn draft(key: String, blob: &Blob, headers: Headers, event: EventName) -> Draft {
    Draft {
        key,
        pieces: vec![Piece { blob: blob.name.clone(), size: blob.size }],
        e_tag: hex::encode(blob.md5),
        headers,
        checksums: blob.checksums.clone(),
        event,
    }
}
