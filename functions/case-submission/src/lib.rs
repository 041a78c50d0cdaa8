//! `POST /cases`: a signed-in client raises a case.
//!
//! The case is committed first and can then no longer be lost. Salesforce is asked for a number within a bound;
//! if it is slow or down, the client gets the portal's reference, and the outbox does the rest.

use std::time::Duration;

use axum::{
    Router,
    extract::{FromRef, State},
};
use http::StatusCode;
use portico_aws::{BootError, Cloud, Function};
use portico_domain::{
    CaseId, Clock, Random,
    cases::{Case, Draft, Happening, Priority, TimelineEntry},
    events::{Event, Fact},
    people::Viewer,
};
use portico_http::{
    ClientCaller, CommandRefusals, Fields, IdempotencyKey, Made, Once, Problem, finish, repeated, schemas,
    views::CaseView,
};
use portico_salesforce::{Salesforce, SalesforceError};
use portico_store::{Commit, Store, StoreError, Ticket, engine::Table};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

/// How long a client waits for Salesforce's number. After that the answer is 202 and the number comes by push.
const SALESFORCE_PATIENCE: Duration = Duration::from_secs(3);
/// Under which name tickets of this operation are kept.
const OPERATION: &str = "POST /cases";

/// What this function works with.
#[derive(Clone)]
pub struct Deps {
    /// The portal's records.
    pub store: Store,
    /// The org.
    pub salesforce: Salesforce,
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
        Table::SalesforceLinks,
    ];
    Ok(Function::http(routes(Deps {
        store: cloud.store(&tables)?,
        salesforce: cloud.salesforce().await?,
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
    OpenApiRouter::new().routes(routes!(submit))
}

/// What a client asks for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CaseBody {
    /// In one line: 1 to 255 characters, no control characters.
    #[schema(schema_with = schemas::subject)]
    subject: String,
    /// In full: up to 32,000 characters.
    #[serde(default)]
    #[schema(schema_with = schemas::description)]
    description: String,
    /// How urgent.
    #[serde(default)]
    #[schema(value_type = PriorityChoice)]
    priority: Priority,
}

/// How urgent a case is.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "describes the domain's Priority to OpenAPI")]
enum PriorityChoice {
    /// Can wait.
    Low,
    /// The usual; taken if nothing is said.
    Medium,
    /// Work stands still.
    High,
}

impl CaseBody {
    fn check(self) -> Result<Draft, Problem> {
        let mut fields = Fields::new();
        let subject = fields.take("/subject", self.subject.try_into());
        let description = fields.take("/description", self.description.try_into());
        match (subject, description) {
            (Some(subject), Some(description)) => Ok(Draft { subject, description, priority: self.priority }),
            _ => Err(fields.refusal()),
        }
    }
}

/// Raise a case
///
/// Answers 201 with the case number if Salesforce gives one within 3 seconds, else 202: the case is safe, and
/// the number arrives by push.
///
/// **Who:** members, managers and billing contacts of a client company.
///
/// **Repeating:** safe with the same `Idempotency-Key` for 48 hours: one case, and the first answer again, with
/// `Idempotency-Replayed: true`.
#[utoipa::path(
    post,
    path = "/cases",
    operation_id = "submitCase",
    tag = "cases",
    request_body = CaseBody,
    params(IdempotencyKey),
    responses(
        (status = 201, description = "The case, with its number", body = CaseView, headers(
            ("Location" = String, description = "Where the case can be read"),
            ("Idempotency-Replayed" = String, description = "`true` if the answer was given before"),
        )),
        (status = 202, description = "The case; its number follows", body = CaseView, headers(
            ("Location" = String, description = "Where the case can be read"),
            ("Idempotency-Replayed" = String, description = "`true` if the answer was given before"),
        )),
        CommandRefusals,
    ),
)]
async fn submit(
    State(deps): State<Deps>,
    caller: ClientCaller,
    once: Once<CaseBody>,
) -> Result<Made, Problem> {
    let now = deps.clock.now();
    let user = caller.viewer().user();
    let (ticket, body) = once.by(caller.tenant(), user, OPERATION, now);
    let contact = match caller.viewer() {
        Viewer::Client { contact, .. } => *contact,
        Viewer::Staff { .. } => None,
    };
    let account = caller.tenant().account();
    let id = CaseId::new(now, &deps.random);
    let case = Case::raise(id, account, body.check()?, user.clone(), contact, now);
    let entry = TimelineEntry::new(Happening::Submitted, now, &deps.random);
    let event = Event::about(&case, Fact::CaseSubmitted { case: id }, now, &deps.random);
    let case = match deps.store.open_case(&ticket, &case, &entry, &event).await? {
        Commit::Done => case,
        Commit::Repeated(repeat) => match repeated(repeat) {
            Ok(made) => earlier(&deps, &caller, &made).await?,
            Err(answer) => return answer,
        },
    };
    let case = numbered(&deps, &caller, case).await?;
    answer(&deps, &ticket, &case).await
}

/// The case that an earlier attempt committed before it died.
async fn earlier(deps: &Deps, caller: &ClientCaller, made: &str) -> Result<Case, Problem> {
    let id: CaseId = made.parse().map_err(|error| Problem::internal(&error))?;
    let case = deps.store.case(caller.tenant(), id).await?;
    case.ok_or_else(Problem::not_found)
}

/// The case with its number, or as it is if Salesforce does not answer in time. Whatever goes wrong here, the
/// outbox makes good.
async fn numbered(deps: &Deps, caller: &ClientCaller, case: Case) -> Result<Case, Problem> {
    if case.number.is_some() {
        return Ok(case);
    }
    let Some(account) = deps.store.account(caller.tenant()).await? else { return Ok(case) };
    let taken =
        match tokio::time::timeout(SALESFORCE_PATIENCE, deps.salesforce.submit_case(&case, &account)).await {
            Ok(Ok(taken)) => taken,
            Ok(Err(error)) => return Ok(left_to_the_outbox(case, &error)),
            Err(elapsed) => {
                return Ok(left_to_the_outbox(case, &SalesforceError::Unavailable(elapsed.to_string())));
            }
        };
    let now = deps.clock.now();
    match deps.store.number_case(&case, taken.id, &taken.number, now, &deps.random).await {
        Ok(case) => Ok(case),
        Err(StoreError::Conflict) => Ok(case),
        Err(error) => Err(error.into()),
    }
}

fn left_to_the_outbox(case: Case, error: &SalesforceError) -> Case {
    tracing::warn!(case = %case.id, %error, "Salesforce did not take the case in time; the outbox will hand it over");
    case
}

async fn answer(deps: &Deps, ticket: &Ticket, case: &Case) -> Result<Made, Problem> {
    let status = if case.number.is_some() { StatusCode::CREATED } else { StatusCode::ACCEPTED };
    let answer = Made::answer(status, &CaseView::from(case), format!("/cases/{}", case.id))?;
    Ok(Made::first(deps.store.answer(ticket, answer).await?))
}
