//! `GET /cases`, `GET /cases/{caseId}` and `GET /cases/{caseId}/timeline`: what the caller may see of an account's
//! cases.

mod filter;
mod freshness;

use axum::{
    Json, Router,
    extract::{FromRef, Path, State},
};
use portico_aws::{BootError, Cloud, Function};
use portico_domain::cases::CaseProcess;
use portico_http::{
    AccountChoice, Caller, ListRefusals, PageBody, PageQuery, Problem, RecordRefusals, cursor_refused,
    files_shown, finish, invoices_shown,
    views::{CaseSummaryView, CaseView, FileView, TimelineEntryView},
    visible_case,
};
use portico_store::{PageSize, Store, engine::Table};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

pub use filter::FilterQuery;
pub use freshness::Freshness;

/// Lines of the timeline that come with a case.
const LATEST: u16 = 25;
/// Files that come with a case.
const FILES_SHOWN: u16 = 100;

/// What this function works with.
#[derive(Clone)]
pub struct Deps {
    /// The portal's records.
    pub store: Store,
    /// How the org works on cases.
    pub process: CaseProcess,
    /// How far the sweeps have come.
    pub freshness: Freshness,
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
    // The outbox is for refusals, which go into the audit trail.
    let tables = [
        Table::Members,
        Table::Accounts,
        Table::Cases,
        Table::CaseActivity,
        Table::Files,
        Table::Outbox,
        Table::SyncRuns,
    ];
    let store = cloud.store(&tables)?;
    let freshness = Freshness::new(store.clone(), cloud.clock());
    Ok(Function::http(routes(Deps { store, process: cloud.case_process()?, freshness })))
}

/// The routes.
pub fn routes(deps: Deps) -> Router {
    finish(api().with_state(deps).into())
}

/// The routes and their description.
pub fn api() -> OpenApiRouter<Deps> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(detail)).routes(routes!(timeline))
}

/// A case with its files and its latest history.
#[derive(Debug, Serialize, ToSchema)]
pub struct CaseDetail {
    /// The case.
    #[serde(flatten)]
    case: CaseView,
    /// Its newest files that can be downloaded, each in its latest version, newest first. `GET /cases/{caseId}/files` has
    /// all of them.
    files: Vec<FileView>,
    /// What happened, newest first: the latest 25 lines, of which those are here that the caller is shown.
    timeline: Vec<TimelineEntryView>,
    /// Where the timeline goes on: `cursor` for `GET /cases/{caseId}/timeline`; absent if this is all of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    timeline_cursor: Option<String>,
}

/// List cases
///
/// Those with the newest activity first. Managers see every case of the account, others those that they raised or
/// are the contact of. With a filter a page may be shorter than `limit`, or empty: the end is where `next_cursor`
/// is absent.
///
/// **Who:** everybody; people of the consultancy name the `account`.
#[utoipa::path(
    get,
    path = "/cases",
    operation_id = "listCases",
    tag = "cases",
    params(PageQuery, FilterQuery, AccountChoice),
    responses((status = 200, description = "A page of cases", body = PageBody<CaseSummaryView>), ListRefusals),
)]
async fn list(
    State(deps): State<Deps>,
    caller: Caller,
    page: PageQuery,
    filter: FilterQuery,
) -> Result<Json<PageBody<CaseSummaryView>>, Problem> {
    let filter = filter.of_what_is_shown(&deps.process)?;
    // First the mark: it is true of whatever is read after it.
    let watermark = deps.freshness.watermark().await;
    let found = deps.store.cases(caller.tenant(), caller.viewer(), &filter, page.size, page.cursor).await?;
    let found = found.map_err(cursor_refused)?;
    let items = found.items.iter().map(|case| {
        let mut view = CaseSummaryView::new(case, &deps.process);
        freshness::confirm(&mut view, watermark.as_ref());
        view
    });
    let items = items.collect();
    Ok(Json(PageBody { items, next_cursor: found.next.map(|cursor| cursor.to_string()) }))
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
    params(("caseId" = String, Path, description = "The case", pattern = "^case_[0-9a-f]{32}$"), AccountChoice),
    responses((status = 200, description = "The case", body = CaseDetail), RecordRefusals),
)]
async fn detail(
    State(deps): State<Deps>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<CaseDetail>, Problem> {
    let watermark = deps.freshness.watermark().await;
    let case = visible_case(&deps.store, caller.tenant(), caller.viewer(), &id).await?;
    let latest = PageSize::new(LATEST).unwrap_or(PageSize::DEFAULT);
    let newest = PageSize::new(FILES_SHOWN).unwrap_or(PageSize::DEFAULT);
    let (files, timeline) = tokio::join!(
        deps.store.files_page(caller.tenant(), case.id, newest, None),
        deps.store.timeline(&case, latest, None),
    );
    let mut view = CaseView::new(&case, caller.viewer(), &deps.process);
    freshness::confirm(&mut view.summary, watermark.as_ref());
    let timeline = timeline?.map_err(cursor_refused)?;
    let files = files?.map_err(cursor_refused)?.items;
    let files = files.iter().filter(|file| file.superseded_by.is_none() && file.is_shown_to(caller.viewer()));
    let named = files_shown(&deps.store, caller.tenant(), caller.viewer(), &timeline.items).await?;
    let invoices = invoices_shown(&deps.store, caller.tenant(), caller.viewer(), &timeline.items).await?;
    let shown = |entry| TimelineEntryView::new(entry, &deps.process, &named, invoices);
    Ok(Json(CaseDetail {
        files: files.map(|file| FileView::new(file, caller.viewer())).collect(),
        timeline: timeline.items.iter().filter_map(shown).collect(),
        timeline_cursor: timeline.next.map(|cursor| cursor.to_string()),
        case: view,
    }))
}

/// Read the timeline of a case
///
/// What happened on it, newest first: status changes, public comments, files, hours, invoices. What the caller is
/// not shown is left out, so a page may be shorter than `limit`.
///
/// **Who:** everybody who may see the case; people of the consultancy name the `account`.
#[utoipa::path(
    get,
    path = "/cases/{caseId}/timeline",
    operation_id = "readTimeline",
    tag = "cases",
    params(("caseId" = String, Path, description = "The case", pattern = "^case_[0-9a-f]{32}$"), PageQuery, AccountChoice),
    responses((status = 200, description = "A page of it", body = PageBody<TimelineEntryView>), RecordRefusals),
)]
async fn timeline(
    State(deps): State<Deps>,
    caller: Caller,
    Path(id): Path<String>,
    page: PageQuery,
) -> Result<Json<PageBody<TimelineEntryView>>, Problem> {
    let case = visible_case(&deps.store, caller.tenant(), caller.viewer(), &id).await?;
    let found = deps.store.timeline(&case, page.size, page.cursor).await?.map_err(cursor_refused)?;
    let named = files_shown(&deps.store, caller.tenant(), caller.viewer(), &found.items).await?;
    let invoices = invoices_shown(&deps.store, caller.tenant(), caller.viewer(), &found.items).await?;
    let shown = |entry| TimelineEntryView::new(entry, &deps.process, &named, invoices);
    let items = found.items.iter().filter_map(shown).collect();
    Ok(Json(PageBody { items, next_cursor: found.next.map(|cursor| cursor.to_string()) }))
}
