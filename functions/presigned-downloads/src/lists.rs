//! Files by their versions and by their case.

use axum::{
    Json,
    extract::{Path, State},
};
use portico_http::{
    AccountChoice, Caller, PageBody, PageQuery, Problem, RecordRefusals, cursor_refused, views::FileView,
    visible_case,
};

use crate::{Deps, shown_file};

/// List the versions of a file
///
/// The latest first, each with who uploaded it and when, and with an id of its own to download it by. Whichever version is
/// named, the answer has all of them, at most 40, on one page.
///
/// **Who:** everybody who may download the file; people of the consultancy name the `account`.
#[utoipa::path(
    get,
    path = "/files/{fileId}/versions",
    operation_id = "listVersions",
    tag = "files",
    params(
        ("fileId" = String, Path, description = "Any version of the file", pattern = "^file_[0-9a-f]{32}$"),
        AccountChoice,
    ),
    responses((status = 200, description = "The versions", body = PageBody<FileView>), RecordRefusals),
)]
pub(crate) async fn versions(
    State(deps): State<Deps>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<PageBody<FileView>>, Problem> {
    let viewer = caller.viewer();
    let (named, _) = shown_file(&deps, &caller, &id).await?;
    let versions = deps.store.versions(caller.tenant(), named.id).await?.ok_or_else(Problem::not_found)?;
    let shown = versions.all().iter().rev().filter(|version| version.is_shown_to(viewer));
    let items = shown.map(|version| FileView::new(version, viewer)).collect();
    Ok(Json(PageBody { items, next_cursor: None }))
}

/// List the files of a case
///
/// Each in its latest version, newest first. Besides what the caller may download there are their own files that are on
/// their way or were refused, and deleted ones that they may bring back. What the caller is not shown is left out, so a
/// page may be shorter than `limit`, or empty: the end is where `next_cursor` is absent.
///
/// **Who:** everybody who may see the case; people of the consultancy name the `account`.
#[utoipa::path(
    get,
    path = "/cases/{caseId}/files",
    operation_id = "listFiles",
    tag = "files",
    params(("caseId" = String, Path, description = "The case", pattern = "^case_[0-9a-f]{32}$"), PageQuery, AccountChoice),
    responses((status = 200, description = "A page of files", body = PageBody<FileView>), RecordRefusals),
)]
pub(crate) async fn of_case(
    State(deps): State<Deps>,
    caller: Caller,
    Path(id): Path<String>,
    page: PageQuery,
) -> Result<Json<PageBody<FileView>>, Problem> {
    let viewer = caller.viewer();
    let case = visible_case(&deps.store, caller.tenant(), viewer, &id).await?;
    let found = deps.store.files_page(caller.tenant(), case.id, page.size, page.cursor).await?;
    let found = found.map_err(cursor_refused)?;
    let listed = found.items.iter().filter(|file| file.superseded_by.is_none() && file.is_listed_for(viewer));
    let items = listed.map(|file| FileView::new(file, viewer)).collect();
    Ok(Json(PageBody { items, next_cursor: found.next.map(|cursor| cursor.to_string()) }))
}
