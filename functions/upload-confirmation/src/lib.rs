//! Object created in the files bucket: an upload becomes a file of its case.
//!
//! The event only says that something may be there. What counts is what the store says of the object now, held
//! against what the client declared.

use portico_aws::{BootError, Bucket, Checksum, Cloud, Function, ObjectError};
use portico_domain::{
    Clock, Random,
    cases::{Happening, TimelineEntry},
    events::{Event, Fact},
    files::{File, ObjectKey},
};
use portico_store::{Arrival, Store, StoreError, Tenant, engine::Table};
use serde::Deserialize;

/// How often a lost race for the case is run again.
const RACES_MAX: usize = 5;

/// What this function works with.
#[derive(Clone)]
pub struct Deps {
    /// The portal's records.
    pub store: Store,
    /// Where the content of files lies.
    pub bucket: Bucket,
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
    let tables = [Table::Files, Table::Cases, Table::CaseActivity, Table::Outbox];
    let deps = Deps {
        store: cloud.store(&tables)?,
        bucket: cloud.bucket("FILES_BUCKET")?,
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
    for _ in 0..RACES_MAX {
        let Some(file) = deps.store.file(&tenant, object.file).await? else {
            tracing::warn!(file = %object.file, "an object that nobody declared");
            return Ok(());
        };
        if file.is_available() {
            return Ok(());
        }
        if !as_declared(&deps, &key, &file).await? {
            tracing::warn!(file = %file.id, "an object that is not what was declared; it stays invisible");
            return Ok(());
        }
        let Some(arrival) = arrival(&deps, &tenant, &file).await? else { return Ok(()) };
        match deps.store.file_arrived(&arrival).await {
            Ok(()) => return Ok(()),
            Err(StoreError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(StoreError::Conflict.into())
}

/// The store has checked length and SHA-256 at the upload, because they were signed; this looks once more.
async fn as_declared(deps: &Deps, key: &str, file: &File) -> Result<bool, ConfirmError> {
    let Some(facts) = deps.bucket.facts(key).await? else { return Ok(false) };
    let declared = Checksum::of_whole(&file.declared.sha256);
    Ok(facts.size == file.declared.size && facts.checksum.is_none_or(|stored| stored == declared))
}

async fn arrival(deps: &Deps, tenant: &Tenant, file: &File) -> Result<Option<Arrival>, ConfirmError> {
    let now = deps.clock.now();
    let Some(arrived) = file.arrived(now) else { return Ok(None) };
    let Some(case) = deps.store.case(tenant, file.case).await? else { return Ok(None) };
    let case = case.touched(now);
    let name = file.declared.name.as_str().to_owned();
    let entry = TimelineEntry::new(Happening::FileAdded { file: file.id, name }, now, &deps.random);
    let fact = Fact::FileAdded { case: case.id, file: file.id };
    let events =
        vec![Event::about(&case, fact, now, &deps.random), Event::case_changed(&case, now, &deps.random)];
    Ok(Some(Arrival { file: arrived, case, entry, events }))
}
