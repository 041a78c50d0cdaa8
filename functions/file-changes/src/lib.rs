//! What is said of a file and what becomes of it: `PATCH` and `DELETE /files/{fileId}`, `POST /files/{fileId}/restore` and
//! `/erase`.
//!
//! A change holds for all versions of the file at once. Each of them is a state that is set: setting it twice is setting it
//! once, so none of them takes an `Idempotency-Key`.

mod change;

use axum::{
    Json, Router,
    extract::{FromRef, Path, State},
};
use http::StatusCode;
use portico_aws::{BootError, Cloud, Function};
use portico_domain::{
    Clock, Random,
    events::Event,
    files::{File, FileRules},
};
use portico_http::{
    AccountChoice, Caller, Fields, Kind, Problem, RACES_MAX, RecordBodyRefusals, RecordSettingRefusals,
    Setting, VisibilityBody, finish, known_category, listed_file, read_visibility, views::FileView,
};
use portico_store::{Store, StoreError, engine::Table};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::change::Change;

/// What this function works with.
#[derive(Clone)]
pub struct Deps {
    /// The portal's records.
    pub store: Store,
    /// Which categories there are.
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
    let tables = [Table::Members, Table::Accounts, Table::Cases, Table::Files, Table::Outbox];
    Ok(Function::http(routes(Deps {
        store: cloud.store(&tables)?,
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
    OpenApiRouter::new().routes(routes!(relabel, delete)).routes(routes!(restore)).routes(routes!(erase))
}

/// What a file is said to be, and whom it is for. What is left out, or null, stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LabelBody {
    /// What sort of file it is: one of the file categories in `GET /cases/choices`.
    #[serde(default)]
    #[schema(max_length = 40, example = "Log")]
    category: Option<String>,
    /// Whom it is for.
    #[serde(default, deserialize_with = "read_visibility")]
    visibility: Option<VisibilityBody>,
}

impl LabelBody {
    async fn check(self, deps: &Deps, caller: &Caller) -> Result<Change, Problem> {
        let mut fields = Fields::new();
        let category = fields.take("/category", known_category(&deps.rules, self.category));
        let visibility = match self.visibility {
            Some(body) => {
                body.take("/visibility", &deps.store, caller.tenant(), &mut fields).await?.map(Some)
            }
            None => Some(None),
        };
        match (category, visibility) {
            (Some(category), Some(visibility)) if fields.is_empty() => {
                Ok(Change::Relabel { category, visibility })
            }
            _ => Err(fields.refusal()),
        }
    }
}

/// Say what a file is, and whom it is for
///
/// Holds for all versions of the file at once. 409 `wrong-state` while it is a new version that is on its way: that takes
/// over what holds for the file.
///
/// **Who:** who uploaded the file, managers, and people of the consultancy, who name the `account`. Whoever sees the file and
/// may not is told so.
///
/// **Repeating:** safe: setting it twice is setting it once.
#[utoipa::path(
    patch,
    path = "/files/{fileId}",
    operation_id = "relabelFile",
    tag = "files",
    request_body = LabelBody,
    params(
        ("fileId" = String, Path, description = "Any version of the file", pattern = "^file_[0-9a-f]{32}$"),
        AccountChoice,
    ),
    responses((status = 200, description = "The file", body = FileView), RecordBodyRefusals),
)]
async fn relabel(
    State(deps): State<Deps>,
    caller: Caller,
    Path(id): Path<String>,
    Setting(body): Setting<LabelBody>,
) -> Result<Json<FileView>, Problem> {
    // Whoever may not change the file learns nothing from what is said of the body.
    let (file, _) = listed_file(&deps.store, caller.tenant(), caller.viewer(), &id).await?;
    change::permit_changes(&file, caller.viewer())?;
    let change = body.check(&deps, &caller).await?;
    let changed = make(&deps, &caller, &id, &change).await?;
    Ok(Json(FileView::new(&changed, caller.viewer())))
}

/// Delete a file
///
/// All versions of it. Nobody can download it any more; whoever may bring it back still sees it on the list of the case's
/// files, for 30 days: `restorable_until`. After that it is gone for good. 409 `wrong-state` while it is not available.
///
/// **Who:** who uploaded the file, managers, and people of the consultancy, who name the `account`.
///
/// **Repeating:** safe: deleting twice is deleting once.
#[utoipa::path(
    delete,
    path = "/files/{fileId}",
    operation_id = "deleteFile",
    tag = "files",
    params(
        ("fileId" = String, Path, description = "Any version of the file", pattern = "^file_[0-9a-f]{32}$"),
        AccountChoice,
    ),
    responses((status = 200, description = "The file, deleted", body = FileView), RecordSettingRefusals),
)]
async fn delete(
    State(deps): State<Deps>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<FileView>, Problem> {
    let changed = make(&deps, &caller, &id, &Change::Delete).await?;
    Ok(Json(FileView::new(&changed, caller.viewer())))
}

/// Bring a deleted file back
///
/// All versions of it, as they were.
///
/// **Who:** who uploaded the file, managers, and people of the consultancy, who name the `account`.
///
/// **Repeating:** safe: bringing back what is there changes nothing.
#[utoipa::path(
    post,
    path = "/files/{fileId}/restore",
    operation_id = "restoreFile",
    tag = "files",
    params(
        ("fileId" = String, Path, description = "Any version of the file", pattern = "^file_[0-9a-f]{32}$"),
        AccountChoice,
    ),
    responses((status = 200, description = "The file, back", body = FileView), RecordSettingRefusals),
)]
async fn restore(
    State(deps): State<Deps>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<FileView>, Problem> {
    let changed = make(&deps, &caller, &id, &Change::Restore).await?;
    Ok(Json(FileView::new(&changed, caller.viewer())))
}

/// Erase a file for good
///
/// All versions of it, deleted or not. From this answer on nobody sees it, and nobody can take it back; its content is gone
/// within a quarter of an hour. A link that was given out before works for its 5 minutes, or until then.
///
/// **Who:** administrators of the consultancy, who name the `account`. Whoever else sees the file is told that they may not.
///
/// **Repeating:** safe: erasing twice is erasing once, and what is erased is not found any more.
#[utoipa::path(
    post,
    path = "/files/{fileId}/erase",
    operation_id = "eraseFile",
    tag = "files",
    params(
        ("fileId" = String, Path, description = "Any version of the file", pattern = "^file_[0-9a-f]{32}$"),
        AccountChoice,
    ),
    responses((status = 202, description = "Nobody sees it any more; its content goes"), RecordSettingRefusals),
)]
async fn erase(
    State(deps): State<Deps>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    make(&deps, &caller, &id, &Change::Erase).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Makes a change on all versions of the file, as often as somebody else is faster, and returns the named one as it is then.
async fn make(deps: &Deps, caller: &Caller, id: &str, change: &Change) -> Result<File, Problem> {
    let (now, tenant) = (deps.clock.now(), caller.tenant());
    for _ in 0..RACES_MAX {
        let (file, case) = listed_file(&deps.store, tenant, caller.viewer(), id).await?;
        change.permit(&file, caller.viewer())?;
        let case = case.ok_or_else(staged)?;
        change.await_state(&file)?;
        let versions = deps.store.versions(tenant, file.id).await?.ok_or_else(Problem::not_found)?;
        let author = caller.author();
        let changed: Vec<File> =
            versions.all().iter().filter_map(|version| change.make(version, &author, now)).collect();
        if changed.is_empty() {
            return Ok(file);
        }
        // Open browsers look at the case again.
        let case = case.touched(now);
        let done = Event::about(&case, change.fact(case.id, file.id), now, &deps.random).by(caller.actor());
        let events = [done, Event::case_changed(&case, now, &deps.random)];
        match deps.store.change_file(&changed, &case, &events).await {
            Ok(()) => return Ok(changed.into_iter().find(|version| version.id == file.id).unwrap_or(file)),
            Err(StoreError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(StoreError::Conflict.into())
}

/// A file of no case yet.
fn staged() -> Problem {
    let detail = "The file belongs to no case yet. It goes by itself if no case claims it within 24 hours.";
    Problem::new(Kind::WrongState).because(detail)
}
