//! Files that are there: `GET /files/{fileId}` links straight to the store, `GET /files/{fileId}/versions` has what the file
//! was before, `GET /cases/{caseId}/files` what a case has of them, `GET /files/usage` the room that they take.

mod lists;
mod usage;

use axum::{
    Json, Router,
    extract::{FromRef, Path, State},
};
use jiff::Timestamp;
use portico_aws::{BootError, Bucket, Cloud, Function};
use portico_domain::{
    Clock, Random,
    cases::Case,
    events::{Access, Event, Fact},
    files::{DOWNLOAD_WINDOW, File, FileRules, content_disposition, served_as},
};
use portico_http::{
    AccountChoice, Caller, Problem, RecordRefusals, finish, listed_file, on_record,
    views::{FileView, StoreRequest},
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
    /// How much may be uploaded.
    pub rules: FileRules,
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
    let tables = [Table::Members, Table::Accounts, Table::Cases, Table::Files, Table::Usage, Table::Outbox];
    Ok(Function::http(routes(Deps {
        store: cloud.store(&tables)?,
        bucket: cloud.bucket("FILES_BUCKET")?,
        rules: cloud.file_rules()?,
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
    OpenApiRouter::new()
        .routes(routes!(download))
        .routes(routes!(lists::versions))
        .routes(routes!(lists::of_case))
        .routes(routes!(usage::read))
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
/// Answers with a request that works for 5 minutes and saves the file under a safe form of its name. Each version has an
/// id of its own.
///
/// **Who:** everybody who may see the file's case and whom the file is for; of a staged file, who uploaded it; people of the
/// consultancy name the `account`.
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
    let (file, case) = shown_file(&deps, &caller, &id).await?;
    let download = link(&deps, &file, now).await?;
    let fact = Fact::Accessed(Access::FileDownloaded { case: file.case, file: file.id });
    let event = match &case {
        Some(case) => Event::about(case, fact, now, &deps.random),
        None => Event::in_account(file.account, fact, now, &deps.random),
    };
    // Whoever has the link has the content: nobody gets it off the record.
    on_record(&deps.store, &event.by(caller.actor())).await?;
    Ok(Json(Download { file: FileView::new(&file, caller.viewer()), download }))
}

/// The file and its case, if the caller may download it.
async fn shown_file(deps: &Deps, caller: &Caller, id: &str) -> Result<(File, Option<Case>), Problem> {
    let (file, case) = listed_file(&deps.store, caller.tenant(), caller.viewer(), id).await?;
    // That one sees what became of a file does not mean that one gets it.
    if file.is_shown_to(caller.viewer()) { Ok((file, case)) } else { Err(Problem::not_found()) }
}

async fn link(deps: &Deps, file: &File, now: Timestamp) -> Result<StoreRequest, Problem> {
    let disposition = content_disposition(&file.declared.name);
    let content_type = served_as(&file.declared.content_type);
    let key = file.key().to_string();
    let signed = deps.bucket.presign_download(&key, &disposition, content_type, now, DOWNLOAD_WINDOW).await;
    Ok(signed.map_err(|error| Problem::internal(&error))?.into())
}
