//! All files of a case at once: `POST /cases/{caseId}/archives` asks for an archive, `GET /archives/{archiveId}` says how
//! far it is and where it can be downloaded.
//!
//! Whoever asks gets an archive of their own: it holds what they may see, and nobody else reaches it.

use axum::{
    Json, Router,
    extract::{FromRef, Path, State},
};
use http::StatusCode;
use jiff::Timestamp;
use portico_aws::{BootError, Bucket, Cloud, Function};
use portico_domain::{
    ArchiveId, Clock, Random,
    cases::Case,
    events::{Access, Event, Fact},
    files::{Archive, DOWNLOAD_WINDOW, FileName, disposition_of},
};
use portico_http::{
    AccountChoice, Caller, IdempotencyKey, Made, Once, Problem, RecordCommandRefusals, RecordRefusals,
    finish, on_record, repeated,
    views::{ArchiveView, StoreRequest},
    visible_case,
};
use portico_store::{Commit, Store, engine::Table};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

/// The media type of every archive.
const ZIP: &str = "application/zip";

/// What this function works with.
#[derive(Clone)]
pub struct Deps {
    /// The portal's records.
    pub store: Store,
    /// Where archives lie.
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
        [Table::Members, Table::Accounts, Table::Cases, Table::Archives, Table::Idempotency, Table::Outbox];
    Ok(Function::http(routes(Deps {
        store: cloud.store(&tables)?,
        bucket: cloud.bucket("ARCHIVES_BUCKET")?,
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
    OpenApiRouter::new().routes(routes!(request)).routes(routes!(read))
}

/// Nothing has to be said of an archive.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ArchiveBody {}

/// Ask for all files of a case
///
/// One zip archive of every file of the case that the caller may see, each in its latest version, under a safe form of
/// its name. It is put together in the background: `archive.changed` on the live connection says that it has come
/// further, and `GET /archives/{archiveId}` how far it is.
///
/// **Who:** everybody who may see the case; people of the consultancy name the `account`.
///
/// **Repeating:** safe with the same `Idempotency-Key` for 48 hours: one archive, and the first answer again, with
/// `Idempotency-Replayed: true`.
#[utoipa::path(
    post,
    path = "/cases/{caseId}/archives",
    operation_id = "requestArchive",
    tag = "files",
    request_body = ArchiveBody,
    params(
        ("caseId" = String, Path, description = "The case", pattern = "^case_[0-9a-f]{32}$"),
        AccountChoice,
        IdempotencyKey,
    ),
    responses(
        (status = 202, description = "It is being put together", body = ArchiveView, headers(
            ("Location" = String, description = "Where it says how far it is"),
            ("Idempotency-Replayed" = String, description = "`true` if the answer was given before"),
        )),
        RecordCommandRefusals,
    ),
)]
async fn request(
    State(deps): State<Deps>,
    caller: Caller,
    Path(case): Path<String>,
    once: Once<ArchiveBody>,
) -> Result<Made, Problem> {
    let now = deps.clock.now();
    let (tenant, viewer) = (caller.tenant(), caller.viewer());
    // The same key under another case is another command.
    let operation = format!("POST /cases/{case}/archives");
    let case = visible_case(&deps.store, tenant, viewer, &case).await?;
    let (ticket, ArchiveBody {}) = once.by(tenant, viewer.user(), &operation, now);
    let id = ArchiveId::new(now, &deps.random);
    let archive = Archive::request(id, tenant.account(), case.id, viewer.user().clone(), now);
    let fact = Fact::ArchiveRequested { case: case.id, archive: id };
    let event = Event::about(&case, fact, now, &deps.random).by(caller.actor());
    let archive = match deps.store.request_archive(&ticket, &archive, &event).await? {
        Commit::Done => archive,
        Commit::Repeated(repeat) => match repeated(repeat) {
            Ok(made) => {
                let id = made.parse().map_err(|error| Problem::internal(&error))?;
                deps.store.archive(tenant, id).await?.ok_or_else(Problem::not_found)?
            }
            Err(answer) => return answer,
        },
    };
    let body = ArchiveView::new(&archive, None, now);
    Made::keep(&deps.store, &ticket, StatusCode::ACCEPTED, &body, format!("/archives/{}", archive.id)).await
}

/// Read how far an archive is
///
/// Once it is whole, answers with a request that works for 5 minutes and saves it; a new one is there for the asking for
/// an hour. What did not come to be within half an hour has failed.
///
/// **Who:** who asked for it, as long as they may see the case; people of the consultancy name the `account`.
#[utoipa::path(
    get,
    path = "/archives/{archiveId}",
    operation_id = "readArchive",
    tag = "files",
    params(
        ("archiveId" = String, Path, description = "The archive", pattern = "^arch_[0-9a-f]{32}$"),
        AccountChoice,
    ),
    responses((status = 200, description = "The archive", body = ArchiveView), RecordRefusals),
)]
async fn read(
    State(deps): State<Deps>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<ArchiveView>, Problem> {
    let now = deps.clock.now();
    let (tenant, viewer) = (caller.tenant(), caller.viewer());
    let id: ArchiveId = id.parse().map_err(|_| Problem::not_found())?;
    let archive = deps.store.archive(tenant, id).await?;
    let archive =
        archive.filter(|archive| archive.requested_by == *viewer.user()).ok_or_else(Problem::not_found)?;
    let case = visible_case(&deps.store, tenant, viewer, &archive.case.to_string()).await?;
    if archive.downloadable_until().is_none_or(|until| until <= now) {
        return Ok(Json(ArchiveView::new(&archive, None, now)));
    }
    let download = link(&deps, &archive, &case, now).await?;
    // Whoever has the link has the content: nobody gets it off the record.
    let fact = Fact::Accessed(Access::ArchiveDownloaded { case: case.id, archive: id });
    let event = Event::about(&case, fact, now, &deps.random).by(caller.actor());
    on_record(&deps.store, &event).await?;
    Ok(Json(ArchiveView::new(&archive, Some(download), now)))
}

async fn link(deps: &Deps, archive: &Archive, case: &Case, now: Timestamp) -> Result<StoreRequest, Problem> {
    let (key, disposition) = (archive.key().to_string(), disposition_of(&file_name(case)));
    let signed = deps.bucket.presign_download(&key, &disposition, ZIP, now, DOWNLOAD_WINDOW).await;
    Ok(signed.map_err(|error| Problem::internal(&error))?.into())
}

/// The name under which an archive is saved: with the case's number, which is the org's text.
fn file_name(case: &Case) -> String {
    let number = case.number.as_ref().map(|number| format!("-{number}")).unwrap_or_default();
    let name = FileName::try_from(format!("case{number}-files.zip"));
    name.map(|name| name.safe()).unwrap_or_else(|_| "case-files.zip".to_owned())
}
