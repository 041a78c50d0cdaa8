//! `POST /cases/{caseId}/files` and `GET /files/{fileId}`: links straight to the store.
//!
//! Content never passes through here. What the client declares becomes part of the link's signature, so the
//! store itself refuses anything else.

use axum::{
    Json, Router,
    extract::{FromRef, Path, State},
};
use http::StatusCode;
use portico_aws::{BootError, Bucket, Cloud, Function};
use portico_domain::{
    Clock, FileId, Random,
    events::{Access, Event, Fact},
    files::{DOWNLOAD_WINDOW, File, UPLOAD_WINDOW, content_disposition},
};
use portico_http::{
    AccountChoice, Caller, FileBody, IdempotencyKey, Made, Once, Problem, RecordCommandRefusals,
    RecordRefusals, Upload, finish, on_record, repeated,
    views::{FileView, StoreRequest},
    visible_case,
};
use portico_store::{Commit, Store, engine::Table};
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
    let tables =
        [Table::Members, Table::Accounts, Table::Cases, Table::Files, Table::Idempotency, Table::Outbox];
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
    OpenApiRouter::new().routes(routes!(upload)).routes(routes!(download))
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

/// Add a file to a case
///
/// Answers with a request that uploads the content straight to the store within 15 minutes. The file appears
/// once the store has it.
///
/// **Who:** everybody who may see the case; people of the consultancy name the `account`.
///
/// **Repeating:** safe with the same `Idempotency-Key` for 48 hours: one file, and the first answer again, with
/// `Idempotency-Replayed: true`. A link that has lapsed needs a new key.
#[utoipa::path(
    post,
    path = "/cases/{caseId}/files",
    operation_id = "addFile",
    tag = "files",
    request_body = FileBody,
    params(
        ("caseId" = String, Path, description = "The case", pattern = "^case_[0-9a-f]{32}$"),
        AccountChoice,
        IdempotencyKey,
    ),
    responses(
        (status = 201, description = "The file and its upload", body = Upload, headers(
            ("Location" = String, description = "Where the file can be downloaded, once it is there"),
            ("Idempotency-Replayed" = String, description = "`true` if the answer was given before"),
        )),
        RecordCommandRefusals,
    ),
)]
async fn upload(
    State(deps): State<Deps>,
    caller: Caller,
    Path(case): Path<String>,
    once: Once<FileBody>,
) -> Result<Made, Problem> {
    let now = deps.clock.now();
    let user = caller.viewer().user();
    // The same key under another case is another command.
    let operation = format!("POST /cases/{case}/files");
    let known = visible_case(&deps.store, caller.tenant(), caller.viewer(), &case).await?;
    let (ticket, body) = once.by(caller.tenant(), user, &operation, now);
    let id = FileId::new(now, &deps.random);
    let declared = body.check()?;
    let file = File::declare(id, known.account, known.id, declared, user.clone(), now);
    let event = Event::about(&known, Fact::FileDeclared { case: known.id, file: id }, now, &deps.random);
    let event = event.by(caller.actor());
    let file = match deps.store.declare_file(&ticket, &file, &event).await? {
        Commit::Done => file,
        Commit::Repeated(repeat) => match repeated(repeat) {
            Ok(made) => {
                let id = made.parse().map_err(|error| Problem::internal(&error))?;
                deps.store.file(caller.tenant(), id).await?.ok_or_else(Problem::not_found)?
            }
            Err(answer) => return answer,
        },
    };
    let key = file.key().to_string();
    let signed = deps.bucket.presign_upload(&key, &file.declared, now, UPLOAD_WINDOW).await;
    let upload = signed.map_err(|error| Problem::internal(&error))?;
    let body = Upload { file: FileView::from(&file), upload: upload.into() };
    Made::keep(&deps.store, &ticket, StatusCode::CREATED, &body, format!("/files/{}", file.id)).await
}

/// Download a file
///
/// Answers with a request that works for 5 minutes and saves the file under its name.
///
/// **Who:** everybody who may see the file's case; people of the consultancy name the `account`.
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
    let file = file.filter(File::is_available).ok_or_else(Problem::not_found)?;
    // A file is as visible as its case.
    let case = visible_case(&deps.store, caller.tenant(), caller.viewer(), &file.case.to_string()).await?;
    let disposition = content_disposition(&file.declared.name);
    let content_type = file.declared.content_type.as_str();
    let key = file.key().to_string();
    let signed = deps.bucket.presign_download(&key, &disposition, content_type, now, DOWNLOAD_WINDOW).await;
    let download = signed.map_err(|error| Problem::internal(&error))?;
    // Whoever has the link has the content: nobody gets it off the record.
    let fact = Fact::Accessed(Access::FileDownloaded { case: case.id, file: id });
    let event = Event::about(&case, fact, now, &deps.random).by(caller.actor());
    on_record(&deps.store, &event).await?;
    Ok(Json(Download { file: FileView::from(&file), download: download.into() }))
}
