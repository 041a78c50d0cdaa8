//! What clients change on a case: `POST /cases/{caseId}/close` and `/reopen`, `PATCH /cases/{caseId}`, and
//! `PUT` and `DELETE /cases/{caseId}/follower`.
//!
//! A change stands in the portal at once and is held until Salesforce has it.

use axum::{
    Json, Router,
    extract::{FromRef, Path, State},
};
use http::StatusCode;
use portico_aws::{BootError, Cloud, Function};
use portico_domain::{
    Clock, Random,
    cases::{Case, CaseProcess, ClosingReason, Description, Happening, Subject},
    events::{Event, Fact},
};
use portico_http::{
    AccountChoice, Amended, Amendment, AmendmentRefusals, Caller, ClientCaller, FieldCode, Fields,
    IdempotencyKey, Made, Once, Problem, RACES_MAX, RecordSettingRefusals, Unfit, finish, views::CaseView,
    visible_case,
};
use portico_store::{Store, StoreError, Ticket, engine::Table};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

/// What this function works with.
#[derive(Clone)]
pub struct Deps {
    /// The portal's records.
    pub store: Store,
    /// How the org works on cases.
    pub process: CaseProcess,
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
        Table::CaseActivity,
        Table::Idempotency,
        Table::Outbox,
    ];
    Ok(Function::http(routes(Deps {
        store: cloud.store(&tables)?,
        process: cloud.case_process()?,
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
        .routes(routes!(close))
        .routes(routes!(reopen))
        .routes(routes!(edit))
        .routes(routes!(follow, unfollow))
}

/// Why a client closes a case.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CloseBody {
    /// Why. `solved` counts as self-service.
    #[schema(value_type = ReasonChoice)]
    reason: ClosingReason,
}

/// Why a case is closed.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "describes the domain's ClosingReason to OpenAPI")]
enum ReasonChoice {
    /// It is solved.
    Solved,
    /// It does not matter any more.
    NoLongerNeeded,
}

/// Close a case
///
/// Whoever may see a case may close it. It is closed in the portal at once, in Salesforce soon after, and what was
/// worked on it is billed then. 409 `wrong-state` if it is closed already.
///
/// **Who:** members, managers and billing contacts of a client company who may see the case.
///
/// **Repeating:** safe with the same `Idempotency-Key` for 48 hours: done once, and the first answer again, with
/// `Idempotency-Replayed: true`.
#[utoipa::path(
    post,
    path = "/cases/{caseId}/close",
    operation_id = "closeCase",
    tag = "cases",
    request_body = CloseBody,
    params(("caseId" = String, Path, description = "The case", pattern = "^case_[0-9a-f]{32}$"), IdempotencyKey),
    responses((status = 200, description = "The case, closed", body = CaseView), AmendmentRefusals),
)]
async fn close(
    State(deps): State<Deps>,
    caller: ClientCaller,
    Path(id): Path<String>,
    once: Once<CloseBody>,
) -> Result<Made, Problem> {
    let now = deps.clock.now();
    let user = caller.viewer().user();
    let (ticket, body) = once.by(caller.tenant(), user, &format!("POST /cases/{id}/close"), now);
    amend(&deps, &caller, &ticket, &id, |case| {
        Ok(case.close(user, caller.name(), body.reason, &deps.process, now)?)
    })
    .await
}

/// Nothing has to be said.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReopenBody {}

/// Open a case again
///
/// Whoever may see a case may open it again. 409 `wrong-state` if it is open.
///
/// **Who:** members, managers and billing contacts of a client company who may see the case.
///
/// **Repeating:** safe with the same `Idempotency-Key` for 48 hours: done once, and the first answer again, with
/// `Idempotency-Replayed: true`.
#[utoipa::path(
    post,
    path = "/cases/{caseId}/reopen",
    operation_id = "reopenCase",
    tag = "cases",
    request_body = ReopenBody,
    params(("caseId" = String, Path, description = "The case", pattern = "^case_[0-9a-f]{32}$"), IdempotencyKey),
    responses((status = 200, description = "The case, open", body = CaseView), AmendmentRefusals),
)]
async fn reopen(
    State(deps): State<Deps>,
    caller: ClientCaller,
    Path(id): Path<String>,
    once: Once<ReopenBody>,
) -> Result<Made, Problem> {
    let now = deps.clock.now();
    let operation = format!("POST /cases/{id}/reopen");
    let (ticket, ReopenBody {}) = once.by(caller.tenant(), caller.viewer().user(), &operation, now);
    amend(&deps, &caller, &ticket, &id, |case| Ok(case.reopen(caller.name(), &deps.process, now)?)).await
}

/// A case in other words: another subject, another description or both. What is left out stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
// The version, and something that it is for.
#[schema(min_properties = 2)]
pub struct EditBody {
    /// The version of the case that the words are meant for.
    #[schema(minimum = 1)]
    version: u64,
    /// In one line: 1 to 255 characters, no control characters.
    #[serde(default)]
    #[schema(schema_with = portico_http::schemas::subject)]
    subject: Option<String>,
    /// In full: up to 32,000 characters.
    #[serde(default)]
    #[schema(schema_with = portico_http::schemas::description)]
    description: Option<String>,
}

const NOTHING_SAID: Unfit = Unfit(FieldCode::Missing, "must have a subject or a description");

impl EditBody {
    fn check(self) -> Result<(u64, Option<Subject>, Option<Description>), Problem> {
        let mut fields = Fields::new();
        let something = (self.subject.is_some() || self.description.is_some()).then_some(());
        let something = fields.take("", something.ok_or(NOTHING_SAID));
        let subject = fields.take("/subject", self.subject.map(Subject::try_from).transpose());
        let description =
            fields.take("/description", self.description.map(Description::try_from).transpose());
        match (something, subject, description) {
            (Some(()), Some(subject), Some(description)) => Ok((self.version, subject, description)),
            _ => Err(fields.refusal()),
        }
    }
}

/// Put a case in other words
///
/// Only who raised a case may, and only while no agent has picked it up: 409 `wrong-state` after that. 409
/// `changed-since` if it is at another version than the words are meant for.
///
/// **Who:** whoever raised the case.
///
/// **Repeating:** safe with the same `Idempotency-Key` for 48 hours: done once, and the first answer again, with
/// `Idempotency-Replayed: true`.
#[utoipa::path(
    patch,
    path = "/cases/{caseId}",
    operation_id = "editCase",
    tag = "cases",
    request_body = EditBody,
    params(("caseId" = String, Path, description = "The case", pattern = "^case_[0-9a-f]{32}$"), IdempotencyKey),
    responses((status = 200, description = "The case in other words", body = CaseView), AmendmentRefusals),
)]
async fn edit(
    State(deps): State<Deps>,
    caller: ClientCaller,
    Path(id): Path<String>,
    once: Once<EditBody>,
) -> Result<Made, Problem> {
    let now = deps.clock.now();
    let user = caller.viewer().user();
    let (ticket, body) = once.by(caller.tenant(), user, &format!("PATCH /cases/{id}"), now);
    let (version, subject, description) = body.check()?;
    amend(&deps, &caller, &ticket, &id, |case| {
        Ok(case.edit(user, version, subject.clone(), description.clone(), &deps.process, now)?)
    })
    .await
}

async fn amend(
    deps: &Deps,
    caller: &ClientCaller,
    ticket: &Ticket,
    id: &str,
    change: impl Fn(&Case) -> Result<(Case, Happening), Problem>,
) -> Result<Made, Problem> {
    let amendment =
        Amendment { store: &deps.store, caller, ticket, random: &deps.random, now: deps.clock.now() };
    let fact = |case: &Case, _: &_| Fact::CaseAmended { case: case.id, version: case.version };
    let amended = match amendment.earlier(id).await? {
        Some(earlier) => earlier,
        None => amendment.make(id, change, fact).await?,
    };
    let case = match amended {
        Amended::Stands(case, _) => case,
        Amended::Answered(made) => return Ok(made),
    };
    let body = CaseView::new(&case, caller.viewer(), &deps.process);
    Made::keep(&deps.store, ticket, StatusCode::OK, &body, format!("/cases/{}", case.id)).await
}

/// Follow a case
///
/// To be told of it. Whoever may see a case may follow it; who raised it does from the start. Setting it twice is
/// setting it once, so no `Idempotency-Key` is needed. 409 `wrong-state` if 50 people follow it already.
///
/// **Who:** everybody who may see the case; people of the consultancy name the `account`.
///
/// **Repeating:** safe: setting it twice is setting it once.
#[utoipa::path(
    put,
    path = "/cases/{caseId}/follower",
    operation_id = "followCase",
    tag = "cases",
    params(("caseId" = String, Path, description = "The case", pattern = "^case_[0-9a-f]{32}$"), AccountChoice),
    responses((status = 200, description = "The case, followed", body = CaseView), RecordSettingRefusals),
)]
async fn follow(
    State(deps): State<Deps>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<CaseView>, Problem> {
    let user = caller.viewer().user();
    set(&deps, &caller, &id, |case| Ok(case.follow(user)?)).await
}

/// Stop following a case
///
/// Stopping twice is stopping once.
///
/// **Who:** everybody who may see the case; people of the consultancy name the `account`.
///
/// **Repeating:** safe: setting it twice is setting it once.
#[utoipa::path(
    delete,
    path = "/cases/{caseId}/follower",
    operation_id = "unfollowCase",
    tag = "cases",
    params(("caseId" = String, Path, description = "The case", pattern = "^case_[0-9a-f]{32}$"), AccountChoice),
    responses((status = 200, description = "The case, no longer followed", body = CaseView), RecordSettingRefusals),
)]
async fn unfollow(
    State(deps): State<Deps>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<CaseView>, Problem> {
    let user = caller.viewer().user();
    set(&deps, &caller, &id, |case| Ok(case.unfollow(user))).await
}

/// Sets something that is the caller's own on a case; `None` if it is so already.
async fn set(
    deps: &Deps,
    caller: &Caller,
    id: &str,
    change: impl Fn(&Case) -> Result<Option<Case>, Problem>,
) -> Result<Json<CaseView>, Problem> {
    for _ in 0..RACES_MAX {
        let case = visible_case(&deps.store, caller.tenant(), caller.viewer(), id).await?;
        let Some(changed) = change(&case)? else {
            return Ok(Json(CaseView::new(&case, caller.viewer(), &deps.process)));
        };
        let fact = Fact::CaseFollowed { case: changed.id };
        let event = Event::about(&changed, fact, deps.clock.now(), &deps.random).by(caller.actor());
        match deps.store.save_case(&changed, &[], &[event]).await {
            Ok(()) => return Ok(Json(CaseView::new(&changed, caller.viewer(), &deps.process))),
            Err(StoreError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(StoreError::Conflict.into())
}
