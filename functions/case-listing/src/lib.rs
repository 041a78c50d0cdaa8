//! `GET /cases` and `GET /cases/{caseId}`: what the caller may see of an account's cases.

use axum::{
    Json, Router,
    extract::{FromRef, Path, State},
};
use portico_aws::{BootError, Cloud, Function};
use portico_domain::{CaseId, cases::Case};
use portico_http::{
    AccountChoice, Caller, ListRefusals, PageBody, PageQuery, Problem, RecordRefusals, cursor_refused,
    finish,
    views::{CaseView, FileView, TimelineEntryView},
};
use portico_store::{Page, PageSize, Store, engine::Table};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

/// How many pages of the account are looked through for one page of a person's own cases. Beyond that the page
/// comes back shorter, with a cursor.
const PAGES_LOOKED_THROUGH: usize = 8;

/// What this function works with.
#[derive(Clone)]
pub struct Deps {
    /// The portal's records.
    pub store: Store,
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
    let tables = [Table::Members, Table::Accounts, Table::Cases, Table::CaseActivity, Table::Files];
    Ok(Function::http(routes(Deps { store: cloud.store(&tables)? })))
}

/// The routes.
pub fn routes(deps: Deps) -> Router {
    finish(api().with_state(deps).into())
}

/// The routes and their description.
pub fn api() -> OpenApiRouter<Deps> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(detail))
}

/// A case with its files and its latest history.
#[derive(Debug, Serialize, ToSchema)]
pub struct CaseDetail {
    /// The case.
    #[serde(flatten)]
    case: CaseView,
    /// Its files, oldest first; only those that can be downloaded.
    files: Vec<FileView>,
    /// What happened, newest first; the latest 100.
    timeline: Vec<TimelineEntryView>,
}

/// List cases
///
/// Those with the newest activity first. Managers see every case of the account, others their own. A page may
/// be shorter than `limit`; the end is where `next_cursor` is absent.
///
/// **Who:** everybody; people of the consultancy name the `account`.
#[utoipa::path(
    get,
    path = "/cases",
    operation_id = "listCases",
    tag = "cases",
    params(PageQuery, AccountChoice),
    responses(
        (status = 200, description = "A page of cases", body = PageBody<CaseView>),
        ListRefusals,
    ),
)]
async fn list(
    State(deps): State<Deps>,
    caller: Caller,
    page: PageQuery,
) -> Result<Json<PageBody<CaseView>>, Problem> {
    let Page { items, next } = visible(&deps, &caller, page).await?;
    let items = items.iter().map(CaseView::from).collect();
    Ok(Json(PageBody { items, next_cursor: next.map(|cursor| cursor.to_string()) }))
}

/// The next cases that the caller may see. Looks through the account's cases a page at a time and stops after
/// the page that brings enough, or after [`PAGES_LOOKED_THROUGH`].
async fn visible(deps: &Deps, caller: &Caller, page: PageQuery) -> Result<Page<Case>, Problem> {
    let mut cursor = page.cursor;
    let mut found = Vec::new();
    for _ in 0..PAGES_LOOKED_THROUGH {
        let left = usize::from(page.size.get()).saturating_sub(found.len());
        // Never more than what is still wanted, so that the cursor points just behind the last one shown.
        let size = u16::try_from(left).ok().and_then(PageSize::new).unwrap_or(PageSize::DEFAULT);
        let next = deps.store.cases(caller.tenant(), size, cursor).await?.map_err(cursor_refused)?;
        found.extend(next.items.into_iter().filter(|case| caller.viewer().may_see(&case.audience)));
        cursor = next.next;
        if cursor.is_none() || found.len() >= usize::from(page.size.get()) {
            break;
        }
    }
    Ok(Page { items: found, next: cursor })
}

/// Read a case
///
/// With its files and its latest history.
///
/// **Who:** everybody who may see the case; people of the consultancy name the `account`.
#[utoipa::path(
    get,
    path = "/cases/{caseId}",
    operation_id = "readCase",
    tag = "cases",
    params(
        ("caseId" = String, Path, description = "The case", pattern = "^case_[0-9a-f]{32}$"),
        AccountChoice,
    ),
    responses(
        (status = 200, description = "The case", body = CaseDetail),
        RecordRefusals,
    ),
)]
async fn detail(
    State(deps): State<Deps>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<CaseDetail>, Problem> {
    // What is not even an id is not there either: the answer is the same, so nothing can be told apart.
    let id: CaseId = id.parse().map_err(|_| Problem::not_found())?;
    let case = deps.store.case(caller.tenant(), id).await?;
    let case = case.filter(|case| caller.viewer().may_see(&case.audience)).ok_or_else(Problem::not_found)?;
    let newest = PageSize::new(PageSize::MAX).unwrap_or(PageSize::DEFAULT);
    let (files, timeline) = tokio::join!(
        deps.store.files(caller.tenant(), id),
        deps.store.timeline(caller.tenant(), id, newest, None),
    );
    let timeline = timeline?.map_err(cursor_refused)?;
    Ok(Json(CaseDetail {
        case: CaseView::from(&case),
        files: files?.iter().filter(|file| file.is_available()).map(FileView::from).collect(),
        timeline: timeline.items.iter().map(TimelineEntryView::from).collect(),
    }))
}
