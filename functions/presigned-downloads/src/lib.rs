//! Files that are there: `GET /files/{fileId}` links straight to the store.

use axum::{
    Json, Router,
    extract::{FromRef, Path, State},
};
use portico_aws::{BootError, Bucket, Cloud, Function};
use portico_domain::{
    Clock, FileId, Random,
    events::{Access, Event, Fact},
    files::{DOWNLOAD_WINDOW, File, content_disposition, served_as},
};
use portico_http::{
    AccountChoice, Caller, Problem, RecordRefusals, finish, on_record,
    views::{FileView, StoreRequest},
    visible_case,
};
use portico_store::{Store, engine::Table};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

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

impl FromRef<Deps> for Store {
    fn from_ref(deps: &Deps) -> Self {
        deps.store.clone()
    }
}

/// The function, from the cloud that it runs in.
///
/// # Errors
/// [`BootError`] if `template.yaml` does not give it what it needs.
pub async fn function(cloud: &Cloud) -> Result<Function, BootError> {
    let tables = [Table::Members, Table::Accounts, Table::Cases, Table::Files, Table::Outbox];
    Ok(Function::http(routes(Deps {
        store: cloud.store(&tables)?,
        bucket: cloud.bucket("FILES_BUCKET")?,
        clock: cloud.clock(),
        random: cloud.random(),
    })))
}

/// The routes.
pub fn routes(deps: Deps) -> Router {
    finish(api().with_state(deps).into())
}

/// The routes and their description.
pub fn api() -> OpenApiRouter<Deps> {
    OpenApiRouter::new().routes(routes!(download))
}

/// A file, and how to download it.
#[derive(Debug, Serialize, ToSchema)]
pub struct Download {
    /// The file.
    #[serde(flatten)]
    file: FileView,
    /// Send this to the store.
    download: StoreRequest,
}

/// Download a file
///
/// Answers with a request that works for 5 minutes and saves the file under a safe form of its name.
///
/// **Who:** everybody who may see the file's case and whom the file is for; people of the consultancy name the `account`.
#[utoipa::path(
    get,
    path = "/files/{fileId}",
    operation_id = "downloadFile",
    tag = "files",
    params(
        ("fileId" = String, Path, description = "The file", pattern = "^file_[0-9a-f]{32}$"),
        AccountChoice,
    ),
    responses(
        (status = 200, description = "The file and its download", body = Download),
        RecordRefusals,
    ),
)]
async fn download(
    State(deps): State<Deps>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Download>, Problem> {
    let now = deps.clock.now();
    let id: FileId = id.parse().map_err(|_| Problem::not_found())?;
    let file = deps.store.file(caller.tenant(), id).await?;
    let file = file.filter(|file| file.is_shown_to(caller.viewer())).ok_or_else(Problem::not_found)?;
    // What a file of no case yet is, its uploader knows.
    let Some(case) = file.case else { return Err(Problem::not_found()) };
    // A file is at most as visible as its case.
    let case = visible_case(&deps.store, caller.tenant(), caller.viewer(), &case.to_string()).await?;
    let download = link(&deps, &file).await?;
    // Whoever has the link has the content: nobody gets it off the record.
    let fact = Fact::Accessed(Access::FileDownloaded { case: case.id, file: id });
    let event = Event::about(&case, fact, now, &deps.random).by(caller.actor());
    on_record(&deps.store, &event).await?;
    Ok(Json(Download { file: FileView::new(&file, caller.viewer()), download }))
}

async fn link(deps: &Deps, file: &File) -> Result<StoreRequest, Problem> {
    let disposition = content_disposition(&file.declared.name);
    let content_type = served_as(&file.declared.content_type);
    let key = file.key().to_string();
    let now = deps.clock.now();
    let signed = deps.bucket.presign_download(&key, &disposition, content_type, now, DOWNLOAD_WINDOW).await;
    Ok(signed.map_err(|error| Problem::internal(&error))?.into())
}
