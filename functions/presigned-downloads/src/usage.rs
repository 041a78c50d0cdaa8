//! The room that an account's files take, and what was done in it.

use axum::{Json, extract::State};
use portico_http::{
    AccountChoice, Caller, Kind, ListRefusals, Problem,
    views::{SpaceView, UsageView},
};

use crate::Deps;

/// Read how much is used
///
/// The room that the account's files take, the room that there is, and how often what was done in the current month (UTC).
///
/// **Who:** managers; people of the consultancy, who name the `account`.
#[utoipa::path(
    get,
    path = "/files/usage",
    operation_id = "readUsage",
    tag = "files",
    params(AccountChoice),
    responses((status = 200, description = "What is used", body = UsageView), ListRefusals),
)]
pub(crate) async fn read(State(deps): State<Deps>, caller: Caller) -> Result<Json<UsageView>, Problem> {
    if !caller.viewer().may_see_usage() {
        return Err(Problem::new(Kind::Forbidden).because("The usage report is for managers."));
    }
    let (space, acts) = tokio::join!(
        deps.store.space(caller.tenant(), None),
        deps.store.acts(caller.tenant(), deps.clock.now()),
    );
    Ok(Json(UsageView {
        space: SpaceView::from(space?),
        bytes_max: deps.rules.account_bytes,
        case_max: SpaceView::from(deps.rules.case),
        file_bytes_max: deps.rules.file_bytes,
        acts: acts?,
    }))
}
