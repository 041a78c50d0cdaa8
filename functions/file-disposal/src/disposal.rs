//! One file: what becomes of it, and that it becomes so.

use jiff::Timestamp;
use portico_domain::{
    cases::Case,
    events::{Event, Fact},
    files::{Disposal, File},
};
use portico_store::{StoreError, Tenant};

use crate::{Deps, DisposalError};

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It is gone, content and record.
    Gone,
    /// Its content is gone.
    ContentGone,
    /// It is there as before.
    Kept,
    /// As [`Outcome::Kept`], and that is a fault.
    Stuck,
    /// Somebody else wrote it meanwhile: the next run decides anew.
    Left,
    /// It did not work: the next run tries again.
    Failed,
    /// There was no time left for it.
    NotBegun,
}

/// Decides on a file, and does what was decided.
pub(crate) async fn dispose(deps: &Deps, file: &File, now: Timestamp) -> Result<Outcome, DisposalError> {
    match decide(deps, file, now).await {
        Err(DisposalError::Store(StoreError::Conflict)) => Ok(Outcome::Left),
        outcome => outcome,
    }
}

async fn decide(deps: &Deps, file: &File, now: Timestamp) -> Result<Outcome, DisposalError> {
    let case = case(deps, file).await?;
    let closed_at = case.as_ref().and_then(|case| case.closed_at);
    match file.disposal(closed_at, deps.rules.retention, now) {
        Disposal::Goes => {
            erase(deps, file, case.as_ref(), now).await?;
            Ok(Outcome::Gone)
        }
        Disposal::ContentGoes { look_again } => {
            deps.bucket.erase(&file.key().to_string()).await?;
            deps.store.save_file(&file.due_at(look_again)).await?;
            Ok(Outcome::ContentGone)
        }
        Disposal::Stays { look_again } => {
            deps.store.save_file(&file.due_at(look_again)).await?;
            Ok(Outcome::Kept)
        }
        Disposal::Stuck { look_again } => {
            tracing::warn!(file = %file.id, state = ?file.state, "a file that nobody compared or scanned in time");
            deps.store.save_file(&file.due_at(look_again)).await?;
            Ok(Outcome::Stuck)
        }
    }
}

/// The case that a file is shown on, if there is one: when it was closed decides, and who sees it is told.
async fn case(deps: &Deps, file: &File) -> Result<Option<Case>, StoreError> {
    match file.case {
        Some(case) if file.is_available() => deps.store.case(&Tenant::of_object(&file.key()), case).await,
        Some(_) | None => Ok(None),
    }
}

/// First its record says that it goes, so that nobody sees it, brings it back or moves it on any more. Then its content
/// goes, and last its record: as long as there is content, there is a record that is due.
async fn erase(deps: &Deps, file: &File, case: Option<&Case>, now: Timestamp) -> Result<(), DisposalError> {
    let condemned = match file.to_be_erased(now) {
        Some(condemned) => {
            deps.store.save_file(&condemned).await?;
            condemned
        }
        None => file.clone(),
    };
    let key = condemned.key().to_string();
    if let Some(multipart) = &condemned.multipart {
        deps.bucket.abandon_parts(&key, &multipart.id).await?;
    }
    deps.bucket.erase(&key).await?;
    let event = erased(deps, &condemned, case, now);
    Ok(deps.store.remove_file(&condemned, event.as_ref()).await?)
}

/// What has to be told, if anybody knows of the file.
fn erased(deps: &Deps, file: &File, case: Option<&Case>, now: Timestamp) -> Option<Event> {
    let known = file.salesforce_id.is_some() || file.entry.is_some();
    let fact = file.case.filter(|_| known).map(|case| Fact::FileErased { case, file: file.id })?;
    Some(match case {
        Some(case) => Event::about(case, fact, now, &deps.random),
        None => Event::in_account(file.account, fact, now, &deps.random),
    })
}
