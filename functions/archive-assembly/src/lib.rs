//! All files of a case that somebody may see become one zip archive in the store, while they wait for it.
//!
//! Content flows from bucket to bucket: memory holds a piece that has just arrived and two parts of the archive that is
//! going up, whatever the sizes. Nothing is visible of an archive before it is whole. A run that dies leaves an upload
//! that the bucket's rule removes, and the message brings another run, which starts over: an archive is put together
//! within minutes, and keeping what a dead run had done would cost more than it saves.

mod progress;
mod stream;

use std::time::Duration;

use portico_aws::{
    Batch, BatchAnswer, BootError, Bucket, Cloud, Failure, Function, Message, ObjectError, ObjectWriter,
    Queue,
};
use portico_domain::{
    ArchiveId, Clock, FileId, Random,
    events::{Event, Fact},
    files::{Archive, ArchiveFailure, ArchiveState, File, Folder, Space},
    people::Viewer,
};
use portico_store::{Person, Store, StoreError, Tenant, engine::Table};
use tokio::time::timeout;
use zip::result::ZipError;

use crate::{
    progress::{Progress, step},
    stream::ZipStream,
};

/// At which receive of its message an archive is given up: the queue makes it a dead letter then (`maxReceiveCount` in
/// `template.yaml`).
pub const RECEIVES_MAX: u32 = 2;
/// How long a message is hidden after a run that failed: somebody waits.
const AGAIN_AFTER: Duration = Duration::from_secs(10);
/// How long content may flow: two minutes less than the function may run (`Timeout` in `template.yaml`), for what comes
/// behind it.
const FLOW_TIME_MAX: Duration = Duration::from_secs(13 * 60);
/// The media type of every archive.
const ZIP: &str = "application/zip";

/// What this function works with.
#[derive(Clone)]
pub struct Deps {
    /// The portal's records.
    pub store: Store,
    /// Where the content of files lies.
    pub files: Bucket,
    /// Where archives go.
    pub archives: Bucket,
    /// The queue that the messages are from.
    pub queue: Queue,
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
    let tables = [Table::Members, Table::Cases, Table::Files, Table::Archives, Table::Outbox];
    let deps = Deps {
        store: cloud.store(&tables)?,
        files: cloud.bucket("FILES_BUCKET")?,
        archives: cloud.bucket("ARCHIVES_BUCKET")?,
        queue: cloud.queue("ARCHIVES_QUEUE_URL")?,
        clock: cloud.clock(),
        random: cloud.random(),
    };
    Ok(Function::event(move |batch: Batch, _| {
        let deps = deps.clone();
        async move { Ok::<_, std::convert::Infallible>(assemble(&deps, batch).await) }
    }))
}

/// Why an archive was not put together. The message comes back, and in the end people look at it.
#[derive(Debug, thiserror::Error)]
pub enum AssemblyError {
    /// The message is not an event.
    #[error("not an event: {0}")]
    Event(#[from] serde_json::Error),
    /// The records cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Content cannot be read, or the archive cannot be written.
    #[error(transparent)]
    Object(#[from] ObjectError),
    /// The content of a file is not there: it was erased a moment ago, or it is lost.
    #[error("{0} is not in the store")]
    Missing(FileId),
    /// The content of a file has another size than it was declared to have.
    #[error("{0} has another size than it should")]
    OtherSize(FileId),
    /// The archive cannot be written in this form.
    #[error(transparent)]
    Zip(#[from] ZipError),
    /// Content flows too slowly.
    #[error("not done within {} seconds", FLOW_TIME_MAX.as_secs())]
    TooSlow,
}

async fn assemble(deps: &Deps, batch: Batch) -> BatchAnswer {
    let mut answer = BatchAnswer::default();
    for message in batch.records {
        if let Err(error) = take(deps, &message).await {
            tracing::warn!(message = %message.id, %error, "an archive comes back later");
            if let Err(error) = deps.queue.hide(&message, AGAIN_AFTER).await {
                // It comes back after the queue's own time.
                tracing::warn!(message = %message.id, %error, "a message cannot be hidden");
            }
            answer.failures.push(Failure { item: message.id });
        }
    }
    answer
}

async fn take(deps: &Deps, message: &Message) -> Result<(), AssemblyError> {
    let event: Event = serde_json::from_str(&message.body)?;
    let Fact::ArchiveRequested { archive: id, .. } = event.fact else { return Ok(()) };
    let tenant = Tenant::of_event(&event);
    let last = message.receives() >= RECEIVES_MAX;
    match put_together(deps, &tenant, id).await {
        // Two of us were given the same message. Whoever wrote first goes on.
        Err(AssemblyError::Store(StoreError::Conflict)) => {
            tracing::info!(archive = %id, "somebody else is at it");
            Ok(())
        }
        Err(error) if last => {
            give_up(deps, &tenant, id).await?;
            Err(error)
        }
        outcome => outcome,
    }
}

/// One run. What is settled already is left alone, so a message that comes twice changes nothing.
async fn put_together(deps: &Deps, tenant: &Tenant, id: ArchiveId) -> Result<(), AssemblyError> {
    let Some(archive) = deps.store.archive(tenant, id).await? else {
        tracing::warn!(archive = %id, "an archive that there is no record of");
        return Ok(());
    };
    if !archive.is_open() {
        return Ok(());
    }
    // Whoever waits was told already that it failed, if it is that old.
    let now = deps.clock.now();
    if let state @ ArchiveState::Failed { .. } = archive.as_of(now).state {
        return Ok(step(deps, &archive, state).await.map(|_| ())?);
    }
    let contents = match contents(deps, tenant, &archive).await? {
        Ok(contents) => contents,
        Err(reason) => {
            let failed = ArchiveState::Failed { since: now, reason };
            return Ok(step(deps, &archive, failed).await.map(|_| ())?);
        }
    };
    let key = archive.key().to_string();
    let whole = Space::of(contents.iter().map(|file| &file.declared));
    let mut progress = Progress::begin(deps, archive, whole).await?;
    let mut object = deps.archives.writer(&key, ZIP).await?;
    let flown = timeout(FLOW_TIME_MAX, pour(deps, &contents, &mut object, &mut progress)).await;
    if let Err(error) = flown.unwrap_or(Err(AssemblyError::TooSlow)) {
        if let Err(error) = object.abandon().await {
            tracing::warn!(archive = %id, %error, "parts of an archive stay until the bucket's rule removes them");
        }
        return Err(error);
    }
    let size = object.finish().await?;
    progress.end(size).await?;
    tracing::info!(archive = %id, files = whole.files, bytes = size, "put together");
    Ok(())
}

/// The last run failed: whoever waits is told.
async fn give_up(deps: &Deps, tenant: &Tenant, id: ArchiveId) -> Result<(), AssemblyError> {
    let Some(archive) = deps.store.archive(tenant, id).await?.filter(Archive::is_open) else { return Ok(()) };
    let failed = ArchiveState::Failed { since: deps.clock.now(), reason: ArchiveFailure::Broken };
    step(deps, &archive, failed).await?;
    Ok(())
}

/// The files that go into an archive, oldest first, or why there is none.
async fn contents(
    deps: &Deps,
    tenant: &Tenant,
    archive: &Archive,
) -> Result<Result<Vec<File>, ArchiveFailure>, StoreError> {
    let case = deps.store.case(tenant, archive.case).await?;
    let viewer = requester(deps, tenant, archive).await?;
    let Some((case, viewer)) = case.zip(viewer).filter(|(case, viewer)| case.is_shown_to(viewer)) else {
        return Ok(Err(ArchiveFailure::AccessEnded));
    };
    let files = deps.store.files(tenant, case.id).await?;
    let shown = files.into_iter().filter(|file| file.is_latest() && file.is_shown_to(&viewer));
    let shown: Vec<File> = shown.collect();
    Ok(if shown.is_empty() { Err(ArchiveFailure::NoFiles) } else { Ok(shown) })
}

/// Who asked, as what they are now; none if they may not act for the account any more.
async fn requester(deps: &Deps, tenant: &Tenant, archive: &Archive) -> Result<Option<Viewer>, StoreError> {
    Ok(match deps.store.identify(&archive.requested_by).await? {
        Some(Person::Client(person)) if person.tenant() == tenant => Some(person.viewer().clone()),
        Some(Person::Staff(person)) => Some(person.viewer()),
        Some(Person::Client(_)) | None => None,
    })
}

/// Everything into the archive, one file after the other, and the directory behind it.
async fn pour(
    deps: &Deps,
    contents: &[File],
    object: &mut ObjectWriter,
    progress: &mut Progress<'_>,
) -> Result<(), AssemblyError> {
    let mut folder = Folder::new();
    let mut zip = ZipStream::new();
    for file in contents {
        let name = folder.name(&file.declared.name);
        zip.begin(&name, file.declared.size, file.available_since().unwrap_or(file.created_at))?;
        pour_file(deps, file, &mut zip, object, progress).await?;
        progress.end_file();
    }
    object.write(zip.finish()?).await?;
    // Somebody who has overtaken this run is met here, and not when the archive stands.
    Ok(progress.tell().await?)
}

async fn pour_file(
    deps: &Deps,
    file: &File,
    zip: &mut ZipStream,
    object: &mut ObjectWriter,
    progress: &mut Progress<'_>,
) -> Result<(), AssemblyError> {
    let (id, size) = (file.id, file.declared.size);
    let content = deps.files.read(&file.key().to_string()).await?;
    let mut content = content.ok_or(AssemblyError::Missing(id))?;
    if content.size() != size {
        return Err(AssemblyError::OtherSize(id));
    }
    let mut left = size;
    while let Some(piece) = content.next().await? {
        let bytes = u64::try_from(piece.len()).unwrap_or(u64::MAX);
        left = left.checked_sub(bytes).ok_or(AssemblyError::OtherSize(id))?;
        zip.add(&piece)?;
        object.write(zip.take()).await?;
        progress.advance(bytes).await?;
    }
    // A connection that ends early is an error of the client's own; this does not rely on it.
    if left == 0 { Ok(()) } else { Err(AssemblyError::OtherSize(id)) }
}
