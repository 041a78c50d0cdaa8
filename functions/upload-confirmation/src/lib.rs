//! Object created in the files bucket: the content of a file has arrived, and is held against what was declared.
//!
//! The event only says that something may be there. What counts is what the store says of the object now.

use portico_aws::{BootError, Bucket, Checksum, Cloud, Function, Metric, Metrics, ObjectError};
use portico_domain::{
    Clock, Random,
    files::{BEGINNING_BYTES, Comparison, File, FileState, ObjectKey, fits},
};
use portico_store::{Store, StoreError, Tenant, engine::Table};
use serde::Deserialize;
use sha2::{Digest, Sha256};

/// What this function works with.
#[derive(Clone)]
pub struct Deps {
    /// The portal's records.
    pub store: Store,
    /// Where the content of files lies.
    pub bucket: Bucket,
    /// Measurements.
    pub metrics: Metrics,
    /// The time.
    pub clock: Clock,
    /// New ids.
    pub random: Random,
}

/// The function, from the cloud that it runs in.
///
/// # Errors
/// [`BootError`] if `template.yaml` does not give it what it needs.
pub async fn function(cloud: &Cloud) -> Result<Function, BootError> {
    let tables = [Table::Files, Table::Usage, Table::Cases, Table::CaseActivity, Table::Outbox];
    let deps = Deps {
        store: cloud.store(&tables)?,
        bucket: cloud.bucket("FILES_BUCKET")?,
        metrics: cloud.metrics(),
        clock: cloud.clock(),
        random: cloud.random(),
    };
    Ok(Function::event(move |event: ObjectCreated, _| confirm(deps.clone(), event.detail.object.key)))
}

/// EventBridge's "Object Created" event from S3. Only what is read of it; keys are not URL-encoded there.
#[derive(Debug, Deserialize)]
pub struct ObjectCreated {
    detail: Detail,
}

#[derive(Debug, Deserialize)]
struct Detail {
    object: Object,
}

#[derive(Debug, Deserialize)]
struct Object {
    key: String,
}

/// Why an upload was not confirmed. EventBridge delivers the event again, and after that to the dead letters.
#[derive(Debug, thiserror::Error)]
pub enum ConfirmError {
    /// The records cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The object cannot be looked at.
    #[error(transparent)]
    Object(#[from] ObjectError),
}

async fn confirm(deps: Deps, key: String) -> Result<(), ConfirmError> {
    let Ok(object) = key.parse::<ObjectKey>() else {
        tracing::warn!("an object that the portal has no key for");
        return Ok(());
    };
    let tenant = Tenant::of_object(&object);
    let Some(file) = deps.store.file(&tenant, object.file).await? else {
        // Given up or erased while its link still worked.
        tracing::warn!(file = %object.file, "the content of a file that there is not; it goes");
        return Ok(deps.bucket.erase(&key).await?);
    };
    if file.erasure.is_some() {
        // It came under a link that still works, and goes with the file.
        return Ok(deps.bucket.erase(&key).await?);
    }
    let file = match file.state {
        FileState::Pending { .. } if file.multipart.is_some() => announce(&deps, &tenant, file).await?,
        FileState::Pending { .. } | FileState::Uploaded { .. } => file,
        // The same bytes again, under a link that still works.
        FileState::Scanning { .. } | FileState::Available { .. } => return Ok(()),
        FileState::Rejected { .. } => return Ok(deps.bucket.erase(&key).await?),
    };
    let Some(comparison) = compare(&deps, &key, &file).await? else {
        tracing::warn!(file = %file.id, "an object that is not there any more");
        return Ok(());
    };
    if comparison != Comparison::AsDeclared {
        tracing::warn!(file = %file.id, ?comparison, "a file that is not what was declared");
    }
    let now = deps.clock.now();
    let change = |file: &File| file.compared(comparison, now);
    let moved = deps.store.move_file(&tenant, file.id, change, now, &deps.random).await?;
    // What a scanner refuses is counted where its verdict arrives.
    let rejected = moved.is_some_and(|file| matches!(file.state, FileState::Rejected { .. }));
    if rejected && comparison != Comparison::AsDeclared {
        deps.metrics.record(Metric::FilesRejected, 1);
    }
    Ok(())
}

/// A large file takes a while to be looked at: whoever waits is told that it is there.
async fn announce(deps: &Deps, tenant: &Tenant, file: File) -> Result<File, ConfirmError> {
    let now = deps.clock.now();
    let moved = deps.store.move_file(tenant, file.id, |file| file.arrived(now), now, &deps.random).await?;
    Ok(moved.unwrap_or(file))
}

/// What is there, held against what was declared; `None` if nothing is.
async fn compare(deps: &Deps, key: &str, file: &File) -> Result<Option<Comparison>, ConfirmError> {
    let Some(facts) = deps.bucket.facts(key).await? else { return Ok(None) };
    // The store has checked length and SHA-256 of what came under a link, because they were signed; this looks once more.
    let declared = match &file.multipart {
        None => Checksum::of_whole(&file.declared.sha256),
        Some(_) => Checksum::of_parts(&file.parts()),
    };
    let checked = facts.checksum.is_some();
    if facts.size != file.declared.size || facts.checksum.is_some_and(|stored| stored != declared) {
        return Ok(Some(Comparison::OtherContent));
    }
    let Some(beginning) = deps.bucket.beginning(key, BEGINNING_BYTES).await? else { return Ok(None) };
    if !fits(&file.declared.content_type, &beginning) {
        return Ok(Some(Comparison::OtherType));
    }
    // Of an upload in parts the store knows the SHA-256 of each part, not that of the whole; of what came without a link
    // it knows none.
    if file.multipart.is_some() || !checked {
        let Some(sha256) = sha256_of(deps, key).await? else { return Ok(None) };
        if sha256 != file.declared.sha256.bytes() {
            return Ok(Some(Comparison::OtherContent));
        }
    }
    Ok(Some(Comparison::AsDeclared))
}

/// Reads the whole object, a piece at a time.
async fn sha256_of(deps: &Deps, key: &str) -> Result<Option<Vec<u8>>, ConfirmError> {
    let Some(mut content) = deps.bucket.read(key).await? else { return Ok(None) };
    let mut sha256 = Sha256::new();
    while let Some(piece) = content.next().await? {
        sha256.update(&piece);
    }
    Ok(Some(sha256.finalize().to_vec()))
}
