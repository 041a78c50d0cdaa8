//! Uploads: `POST /cases/{caseId}/files`, `POST /files`, and `GET`, `PUT` and `DELETE /files/{fileId}/upload`.
//!
//! Content never passes through here. What is declared becomes part of the links' signatures, so the store itself
//! refuses anything else.

mod progress;

use axum::{
    Router,
    extract::{FromRef, Path, State},
};
use http::StatusCode;
use jiff::Timestamp;
use portico_aws::{BootError, Bucket, Cloud, Function};
use portico_domain::{
    Clock, FileId, Random,
    cases::Case,
    events::{Event, Fact},
    files::{File, FileRules, Uploader, VERSIONS_MAX},
    people::Viewer,
};
use portico_http::{
    AccountChoice, Caller, CaseFileBody, ClientCaller, CommandRefusals, FieldCode, FileBody, FileWish,
    IdempotencyKey, Kind, Made, Once, Problem, RecordFileRefusals, Upload, finish, repeated, visible_case,
};
use portico_store::{Declared, Store, Tenant, Ticket, engine::Table};
use utoipa_axum::{router::OpenApiRouter, routes};

/// Under which name tickets of staged files are kept.
const STAGE: &str = "POST /files";

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
    let tables = [
        Table::Members,
        Table::Accounts,
        Table::Cases,
        Table::Files,
        Table::Usage,
        Table::Idempotency,
        Table::Outbox,
    ];
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
    OpenApiRouter::new().routes(routes!(add)).routes(routes!(stage)).routes(routes!(
        progress::read,
        progress::join,
        progress::abandon
    ))
}

/// Add a file to a case
///
/// Answers with requests that upload the content straight to the store: one for a file of up to 64 MiB, within 15
/// minutes; one for each part of a larger one, within 24 hours. The file is shown to others once the store has it, it is
/// what was declared, and a scanner has found nothing in it.
///
/// **Who:** everybody who may see the case; people of the consultancy name the `account`. A new version of a file may be
/// uploaded by whoever sees that file.
///
/// **Repeating:** safe with the same `Idempotency-Key` for 48 hours: one file, and the first answer again, with
/// `Idempotency-Replayed: true`. Fresh links are at `GET /files/{fileId}/upload`.
#[utoipa::path(
    post,
    path = "/cases/{caseId}/files",
    operation_id = "addFile",
    tag = "files",
    request_body = CaseFileBody,
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
        RecordFileRefusals,
    ),
)]
async fn add(
    State(deps): State<Deps>,
    caller: Caller,
    Path(case): Path<String>,
    once: Once<CaseFileBody>,
) -> Result<Made, Problem> {
    let now = deps.clock.now();
    let (tenant, viewer) = (caller.tenant(), caller.viewer());
    // The same key under another case is another command.
    let operation = format!("POST /cases/{case}/files");
    let case = visible_case(&deps.store, tenant, viewer, &case).await?;
    let (ticket, body) = once.by(tenant, viewer.user(), &operation, now);
    let (wish, replaces) = match body.check(&deps.rules, &deps.store, tenant).await {
        Ok(checked) => checked,
        Err(refusal) => return earlier(&deps, &ticket, refusal).await,
    };
    let replaced = match replaced(&deps, tenant, viewer, &case, replaces).await {
        Ok(replaced) => replaced,
        Err(refusal) => return earlier(&deps, &ticket, refusal).await,
    };
    let file = Wished { tenant, case: Some(&case), wish, replaced, by: caller.uploader() };
    let file = file.declare(&deps, now).await?;
    let event = Event::about(&case, Fact::FileDeclared { case: file.case, file: file.id }, now, &deps.random);
    keep(&deps, tenant, viewer, &ticket, file, event.by(caller.actor()), now).await
}

/// Stage a file
///
/// For a case that is still being written: `POST /cases` names it in `staged_files`, and until then nobody else sees it.
/// Answers as `POST /cases/{caseId}/files` does. A staged file that no case claims within 24 hours goes.
///
/// **Who:** members, managers and billing contacts of a client company.
///
/// **Repeating:** safe with the same `Idempotency-Key` for 48 hours: one file, and the first answer again, with
/// `Idempotency-Replayed: true`.
#[utoipa::path(
    post,
    path = "/files",
    operation_id = "stageFile",
    tag = "files",
    request_body = FileBody,
    params(IdempotencyKey),
    responses(
        (status = 201, description = "The file and its upload", body = Upload, headers(
            ("Location" = String, description = "Where the file can be downloaded, once it is there"),
            ("Idempotency-Replayed" = String, description = "`true` if the answer was given before"),
        )),
        CommandRefusals,
    ),
)]
async fn stage(
    State(deps): State<Deps>,
    caller: ClientCaller,
    once: Once<FileBody>,
) -> Result<Made, Problem> {
    let now = deps.clock.now();
    let (tenant, viewer) = (caller.tenant(), caller.viewer());
    let (ticket, body) = once.by(tenant, viewer.user(), STAGE, now);
    let wish = match body.check(&deps.rules, &deps.store, tenant).await {
        Ok(wish) => wish,
        Err(refusal) => return earlier(&deps, &ticket, refusal).await,
    };
    let file = Wished { tenant, case: None, wish, replaced: None, by: caller.uploader() };
    let file = file.declare(&deps, now).await?;
    let fact = Fact::FileDeclared { case: None, file: file.id };
    let event = Event::in_account(tenant.account(), fact, now, &deps.random).by(caller.actor());
    keep(&deps, tenant, viewer, &ticket, file, event, now).await
}

/// A file that may be declared.
struct Wished<'a> {
    tenant: &'a Tenant,
    case: Option<&'a Case>,
    wish: FileWish,
    replaced: Option<File>,
    by: Uploader,
}

impl Wished<'_> {
    /// The file, and with the store an upload in parts if it is large.
    async fn declare(self, deps: &Deps, now: Timestamp) -> Result<File, Problem> {
        let Self { tenant, case, wish, replaced, by } = self;
        let id = FileId::new(now, &deps.random);
        let case = case.map(|case| case.id);
        let file = File::declare(id, tenant.account(), case, wish.declared, by, now);
        let file = match &replaced {
            Some(replaced) => file.in_place_of(replaced),
            None => File { category: wish.category, visibility: wish.visibility, ..file },
        };
        deps.bucket.begin_upload(file, wish.parts).await.map_err(|error| Problem::internal(&error))
    }
}

/// The latest version of the file that is to be replaced. It must be one of the case that the viewer sees.
async fn replaced(
    deps: &Deps,
    tenant: &Tenant,
    viewer: &Viewer,
    case: &Case,
    named: Option<FileId>,
) -> Result<Option<File>, Problem> {
    let Some(named) = named else { return Ok(None) };
    let versions = deps.store.versions(tenant, named).await?;
    let latest = versions.and_then(|versions| versions.latest().cloned());
    let latest = latest.filter(|file| file.case == Some(case.id) && file.is_shown_to(viewer));
    let latest = latest.ok_or_else(no_such_file)?;
    if latest.revision >= VERSIONS_MAX {
        let detail = format!("A file has at most {VERSIONS_MAX} versions; add this one as a new file.");
        return Err(Problem::new(Kind::WrongState).because(detail));
    }
    Ok(Some(latest))
}

/// The file to be replaced is none that the caller sees in this case.
fn no_such_file() -> Problem {
    let problem = Problem::new(Kind::InvalidRequest).because("Some fields were refused.");
    problem.at("/replaces", FieldCode::UnknownValue, "is not a file of this case")
}

/// What was in order at the first attempt may not be any more; the repetition is answered all the same.
async fn earlier(deps: &Deps, ticket: &Ticket, refusal: Problem) -> Result<Made, Problem> {
    match deps.store.earlier(ticket).await?.map(repeated) {
        Some(Err(answer)) => answer,
        Some(Ok(_)) | None => Err(refusal),
    }
}

/// Writes the file down, and answers with its links.
async fn keep(
    deps: &Deps,
    tenant: &Tenant,
    viewer: &Viewer,
    ticket: &Ticket,
    file: File,
    event: Event,
    now: Timestamp,
) -> Result<Made, Problem> {
    let declared = deps.store.declare_file(ticket, &file, &deps.rules, &event).await;
    if !matches!(declared, Ok(Declared::Done)) {
        deps.bucket.give_up_upload(&file).await;
    }
    let file = match declared? {
        Declared::Done => file,
        Declared::NoRoom(refusal) => return Err(refusal.into()),
        Declared::Repeated(repeat) => match repeated(repeat) {
            Ok(made) => {
                let id = made.parse().map_err(|error| Problem::internal(&error))?;
                deps.store.file(tenant, id).await?.ok_or_else(Problem::not_found)?
            }
            Err(answer) => return answer,
        },
    };
    let links = deps.bucket.upload_links(&file, &[], now).await.map_err(|error| Problem::internal(&error))?;
    let body = Upload::new(&file, Some(links), viewer);
    Made::keep(&deps.store, ticket, StatusCode::CREATED, &body, format!("/files/{}", file.id)).await
}
