//! An upload that is under way: how far it is, that all its parts are there, that it is given up.

use axum::{
    Json,
    extract::{Path, State},
};
use http::StatusCode;
use portico_aws::{Joined, ObjectError};
use portico_domain::{
    FileId,
    events::{Event, Fact},
    files::{File, FileState, StoredPart},
};
use portico_http::{
    AccountChoice, Caller, Kind, Problem, RecordRefusals, RecordSettingRefusals, Upload, views::FileView,
};
use portico_store::StoreError;

use crate::Deps;

/// Read how far an upload is
///
/// The file as it stands, and, as long as its content is awaited, fresh links for what is missing of it. So an upload
/// goes on after a break, whatever broke.
///
/// **Who:** who uploads the file; people of the consultancy name the `account`.
#[utoipa::path(
    get,
    path = "/files/{fileId}/upload",
    operation_id = "readUpload",
    tag = "files",
    params(
        ("fileId" = String, Path, description = "The file", pattern = "^file_[0-9a-f]{32}$"),
        AccountChoice,
    ),
    responses((status = 200, description = "The file and what is missing of it", body = Upload), RecordRefusals),
)]
pub(crate) async fn read(
    State(deps): State<Deps>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Upload>, Problem> {
    let now = deps.clock.now();
    let file = own(&deps, &caller, &id).await?;
    if file.awaited_until().is_none_or(|until| until <= now) {
        return Ok(Json(Upload::new(&file, None, caller.viewer())));
    }
    let stored = stored(&deps, &file).await.map_err(|error| Problem::internal(&error))?;
    let links = deps.bucket.upload_links(&file, &stored.unwrap_or_default(), now).await;
    let links = links.map_err(|error| Problem::internal(&error))?;
    Ok(Json(Upload::new(&file, Some(links), caller.viewer())))
}

/// Say that all parts of a file are there
///
/// The store puts them together, and the file goes on to be compared and scanned.
///
/// **Who:** who uploads the file; people of the consultancy name the `account`.
///
/// **Repeating:** safe: parts that are joined already stay as they are.
#[utoipa::path(
    put,
    path = "/files/{fileId}/upload",
    operation_id = "joinUpload",
    tag = "files",
    params(
        ("fileId" = String, Path, description = "The file", pattern = "^file_[0-9a-f]{32}$"),
        AccountChoice,
    ),
    responses((status = 200, description = "The file", body = FileView), RecordSettingRefusals),
)]
pub(crate) async fn join(
    State(deps): State<Deps>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<FileView>, Problem> {
    let file = own(&deps, &caller, &id).await?;
    let view = FileView::new(&file, caller.viewer());
    let (Some(multipart), true) = (&file.multipart, file.is_pending()) else { return Ok(Json(view)) };
    let internal = |error: ObjectError| Problem::internal(&error);
    let Some(stored) = stored(&deps, &file).await.map_err(internal)? else {
        return joined_before(&deps, &file, view).await;
    };
    let missing: Vec<String> = file
        .parts()
        .iter()
        .filter(|part| !stored.iter().any(|stored| stored.number == part.number))
        .map(|part| part.number.to_string())
        .collect();
    if !missing.is_empty() {
        let detail = format!("These parts are not there yet: {}.", missing.join(", "));
        return Err(Problem::new(Kind::WrongState).because(detail));
    }
    match deps.bucket.join_parts(&file.key().to_string(), &multipart.id, &stored).await.map_err(internal)? {
        Joined::Done => Ok(Json(view)),
        Joined::NoSuchUpload => joined_before(&deps, &file, view).await,
        Joined::Refused(code) => {
            tracing::warn!(file = %file.id, code, "the store does not join what it has taken");
            Err(Problem::new(Kind::WrongState)
                .because("The store does not take these parts; upload them again."))
        }
    }
}

/// Give up an upload
///
/// The file and what the store has of it go.
///
/// **Who:** who uploads the file; people of the consultancy name the `account`.
///
/// **Repeating:** safe: what is given up is not there any more, and the answer says so.
#[utoipa::path(
    delete,
    path = "/files/{fileId}/upload",
    operation_id = "abandonUpload",
    tag = "files",
    params(
        ("fileId" = String, Path, description = "The file", pattern = "^file_[0-9a-f]{32}$"),
        AccountChoice,
    ),
    responses((status = 204, description = "It is gone"), RecordSettingRefusals),
)]
pub(crate) async fn abandon(
    State(deps): State<Deps>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let now = deps.clock.now();
    let file = own(&deps, &caller, &id).await?;
    if !file.is_pending() {
        let detail = "Its content has arrived. Delete the file instead.";
        return Err(Problem::new(Kind::WrongState).because(detail));
    }
    if let Some(multipart) = &file.multipart {
        let abandoned = deps.bucket.abandon_parts(&file.key().to_string(), &multipart.id).await;
        abandoned.map_err(|error| Problem::internal(&error))?;
    }
    let fact = Fact::FileAbandoned { case: file.case, file: file.id };
    let event = Event::in_account(file.account, fact, now, &deps.random).by(caller.actor());
    match deps.store.remove_file(&file, Some(&event)).await {
        Ok(()) => Ok(StatusCode::NO_CONTENT),
        // It arrived in this very moment.
        Err(StoreError::Conflict) => {
            Err(Problem::new(Kind::WrongState).because("Its content is just arriving."))
        }
        Err(error) => Err(error.into()),
    }
}

/// A file on its way is its uploader's alone, and for everybody else it is not there.
async fn own(deps: &Deps, caller: &Caller, id: &str) -> Result<File, Problem> {
    let id: FileId = id.parse().map_err(|_| Problem::not_found())?;
    let file = deps.store.file(caller.tenant(), id).await?;
    let mine =
        file.filter(|file| file.is_of(caller.viewer()) && file.erasure.is_none() && file.deleted.is_none());
    mine.ok_or_else(Problem::not_found)
}

/// The parts that the store has as they were declared; `None` if the file goes up in one piece, or its parts are joined.
async fn stored(deps: &Deps, file: &File) -> Result<Option<Vec<StoredPart>>, ObjectError> {
    let Some(multipart) = &file.multipart else { return Ok(None) };
    deps.bucket.parts(&file.key().to_string(), &multipart.id).await
}

/// The store knows no such upload: an earlier request has joined it, or it was given up.
async fn joined_before(deps: &Deps, file: &File, view: FileView) -> Result<Json<FileView>, Problem> {
    let facts =
        deps.bucket.facts(&file.key().to_string()).await.map_err(|error| Problem::internal(&error))?;
    match (facts, file.state) {
        (Some(_), _) => Ok(Json(view)),
        (None, FileState::Pending { .. }) => {
            Err(Problem::new(Kind::WrongState).because("The upload lapsed. Declare the file again."))
        }
        (None, _) => Ok(Json(view)),
    }
}
