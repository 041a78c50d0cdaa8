//! `POST /cases/{caseId}/files` and `GET /files/{fileId}`: links straight to the store.
//!
//! Content never passes through here. What the client declares becomes part of the link's signature, so the
//! store itself refuses anything else.

use axum::{
    Json, Router,
    extract::{FromRef, Path, State},
};
use http::StatusCode;
use jiff::Timestamp;
use portico_aws::{BootError, Bucket, Cloud, Function, ObjectError, PresignedRequest};
use portico_domain::{
    CaseId, Clock, FileId, Random,
    files::{DOWNLOAD_WINDOW, Declaration, File, FileError, UPLOAD_WINDOW, content_disposition},
};
use portico_http::{
    AccountChoice, Caller, Fields, IdempotencyKey, Made, Once, Problem, RecordCommandRefusals,
    RecordRefusals, finish, repeated, schemas,
    views::{FileView, StoreRequest},
};
use portico_store::{Commit, Store, engine::Table};
use serde::{Deserialize, Serialize};
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
    let tables = [Table::Members, Table::Accounts, Table::Cases, Table::Files, Table::Idempotency];
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

/// What the client is about to upload.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FileBody {
    /// Name to show. Never used as a path.
    #[schema(schema_with = schemas::file_name)]
    name: String,
    /// Bytes, 1 to 5 GiB.
    #[schema(minimum = 1, maximum = 5368709120_u64, example = 5242880)]
    size: u64,
    /// Media type, without parameters.
    #[schema(
        min_length = 3,
        max_length = 255,
        pattern = "^[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]*/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]*$",
        example = "text/plain"
    )]
    content_type: String,
    /// SHA-256 of the content: 64 lower-case hexadecimal digits.
    #[schema(
        min_length = 64,
        max_length = 64,
        pattern = "^[0-9a-f]{64}$",
        example = "4d7d201ebb4eee3266d0c6439c244579c375e5d0765a352c2df297379e215e25"
    )]
    sha256: String,
}

impl FileBody {
    fn check(self) -> Result<Declaration, Problem> {
        let mut fields = Fields::new();
        let name = fields.take("/name", self.name.try_into().map_err(FileError::Name));
        let content_type = fields.take("/content_type", self.content_type.try_into());
        let sha256 = fields.take("/sha256", self.sha256.try_into());
        let size = fields.take("/size", Declaration::checked_size(self.size));
        match (name, size, content_type, sha256) {
            (Some(name), Some(size), Some(content_type), Some(sha256)) => {
                Ok(Declaration { name, size, content_type, sha256 })
            }
            _ => Err(fields.refusal()),
        }
    }
}

/// A declared file, and how to upload it.
#[derive(Debug, Serialize, ToSchema)]
pub struct Upload {
    /// The file.
    #[serde(flatten)]
    file: FileView,
    /// Send this to the store, with the content as body.
    upload: StoreRequest,
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
    let case: CaseId = case.parse().map_err(|_| Problem::not_found())?;
    let user = caller.viewer().user();
    // The same key under another case is another command.
    let (ticket, body) = once.by(caller.tenant(), user, &format!("POST /cases/{case}/files"), now);
    let known = deps.store.case(caller.tenant(), case).await?;
    known.filter(|case| caller.viewer().may_see(&case.audience)).ok_or_else(Problem::not_found)?;
    let id = FileId::new(now, &deps.random);
    let file = File::declare(id, caller.tenant().account(), case, body.check()?, user.clone(), now);
    let file = match deps.store.declare_file(&ticket, &file).await? {
        Commit::Done => file,
        Commit::Repeated(repeat) => match repeated(repeat) {
            Ok(made) => {
                let id = made.parse().map_err(|error| Problem::internal(&error))?;
                deps.store.file(caller.tenant(), id).await?.ok_or_else(Problem::not_found)?
            }
            Err(answer) => return answer,
        },
    };
    let signed = deps.bucket.presign_upload(&file.key().to_string(), &file.declared, UPLOAD_WINDOW).await;
    let upload = request(signed, now.saturating_add(UPLOAD_WINDOW).unwrap_or(now))?;
    let body = Upload { file: FileView::from(&file), upload };
    let answer = Made::answer(StatusCode::CREATED, &body, format!("/files/{}", file.id))?;
    Ok(Made::first(deps.store.answer(&ticket, answer).await?))
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
    let case = deps.store.case(caller.tenant(), file.case).await?;
    case.filter(|case| caller.viewer().may_see(&case.audience)).ok_or_else(Problem::not_found)?;
    let disposition = content_disposition(&file.declared.name);
    let content_type = file.declared.content_type.as_str();
    let key = file.key().to_string();
    let signed = deps.bucket.presign_download(&key, &disposition, content_type, DOWNLOAD_WINDOW).await;
    let download = request(signed, now.saturating_add(DOWNLOAD_WINDOW).unwrap_or(now))?;
    Ok(Json(Download { file: FileView::from(&file), download }))
}

fn request(
    signed: Result<PresignedRequest, ObjectError>,
    expires_at: Timestamp,
) -> Result<StoreRequest, Problem> {
    let PresignedRequest { method, url, headers } = signed.map_err(|error| Problem::internal(&error))?;
    Ok(StoreRequest { method, url, headers: headers.into_iter().collect(), expires_at })
}
