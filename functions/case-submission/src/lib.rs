//! `POST /cases`: a signed-in client raises a case. `GET /cases/choices`: what there is to choose from.
//!
//! The case is committed first and can then no longer be lost. Salesforce is asked for a number within a bound;
//! if it is slow or down, the client gets the portal's reference, and the outbox does the rest.

mod body;
mod brought;

use std::time::Duration;

use axum::{
    Json, Router,
    extract::{FromRef, State},
};
use http::StatusCode;
use portico_aws::{BootError, Bucket, Cloud, Function, Metric, Metrics};
use portico_domain::{
    CaseId, Clock, FileId, Random,
    cases::{Case, CaseProcess},
    files::{File, FileRules},
    people::{Membership, MembershipState, Position},
};
use portico_http::{
    ClientCaller, CommandRefusals, IdempotencyKey, Made, Once, Problem, SignedInRefusals, Upload, finish,
    repeated,
    views::{CaseView, ContractReference},
};
use portico_salesforce::{Pace, Salesforce, SalesforceError};
use portico_store::{Declared, Store, StoreError, engine::Table};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

pub use body::CaseBody;
use brought::Brought;

/// How long a client waits for Salesforce's number. After that the answer is 202 and the number comes by push.
const SALESFORCE_PATIENCE: Duration = Duration::from_secs(3);
/// Under which name tickets of this operation are kept.
const OPERATION: &str = "POST /cases";

/// What this function works with.
#[derive(Clone)]
pub struct Deps {
    /// The portal's records.
    pub store: Store,
    /// Where the content of files lies.
    pub bucket: Bucket,
    /// The org.
    pub salesforce: Salesforce,
    /// What operators watch.
    pub metrics: Metrics,
    /// How the org works on cases.
    pub process: CaseProcess,
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
        Table::Contracts,
        Table::Cases,
        Table::CaseActivity,
        Table::Files,
        Table::Usage,
        Table::Idempotency,
        Table::Outbox,
        Table::SalesforceLinks,
    ];
    Ok(Function::http(routes(Deps {
        store: cloud.store(&tables)?,
        bucket: cloud.bucket("FILES_BUCKET")?,
        salesforce: cloud.salesforce(Pace::Submission).await?,
        metrics: cloud.metrics(),
        process: cloud.case_process()?,
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
    OpenApiRouter::new().routes(routes!(submit)).routes(routes!(choices))
}

/// The case, and how to upload the files that were declared with it.
#[derive(Debug, Serialize, ToSchema)]
pub struct SubmittedCase {
    /// The case.
    #[serde(flatten)]
    case: CaseView,
    /// One for each declared file, in the same order.
    uploads: Vec<Upload>,
}

/// Raise a case
///
/// Answers 201 with the case number if Salesforce gives one within 3 seconds, else 202: the case is safe, and
/// the number arrives by push. Files are declared here and uploaded straight to the store, or were staged before.
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
        (status = 201, description = "The case, with its number", body = SubmittedCase, headers(
            ("Location" = String, description = "Where the case can be read"),
            ("Idempotency-Replayed" = String, description = "`true` if the answer was given before"),
        )),
        (status = 202, description = "The case; its number follows", body = SubmittedCase, headers(
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
    let (ticket, body) = once.by(caller.tenant(), caller.viewer().user(), OPERATION, now);
    let (draft, files) = match body.check(&deps, &caller).await {
        Ok(checked) => checked,
        // What was in order at the first attempt may not be any more; the repetition is answered all the same.
        Err(refusal) => match deps.store.earlier(&ticket).await?.map(repeated) {
            Some(Err(answer)) => return answer,
            Some(Ok(_)) | None => return Err(refusal),
        },
    };
    let id = CaseId::new(now, &deps.random);
    let account = caller.tenant().account();
    let case = Case::raise(id, account, draft, caller.raiser().clone(), &deps.process, now);
    let mut brought = Brought::with(&deps, &case, &caller, &files, now).await?;
    let case = match brought.open(&deps, &caller, &ticket, &case, now).await? {
        Declared::Done => case,
        Declared::NoRoom(refusal) => {
            brought.give_up(&deps).await;
            return Err(refusal.into());
        }
        Declared::Repeated(repeat) => {
            brought.give_up(&deps).await;
            match repeated(repeat) {
                Ok(made) => {
                    let case = earlier(&deps, &caller, &made).await?;
                    brought.declared = declared_before(&deps, &caller, &case, files.declared.len()).await?;
                    case
                }
                Err(answer) => return answer,
            }
        }
    };
    let case = numbered(&deps, &caller, case).await?;
    let status = if case.number.is_some() { StatusCode::CREATED } else { StatusCode::ACCEPTED };
    let mut uploads = Vec::with_capacity(brought.declared.len());
    for file in &brought.declared {
        let links =
            deps.bucket.upload_links(file, &[], now).await.map_err(|error| Problem::internal(&error))?;
        uploads.push(Upload::new(file, Some(links), caller.viewer()));
    }
    let body = SubmittedCase { case: CaseView::new(&case, caller.viewer(), &deps.process), uploads };
    Made::keep(&deps.store, &ticket, status, &body, format!("/cases/{}", case.id)).await
}

/// The files that an earlier attempt declared with the case before it died: their ids follow from the case.
async fn declared_before(
    deps: &Deps,
    caller: &ClientCaller,
    case: &Case,
    count: usize,
) -> Result<Vec<File>, Problem> {
    let mut files = Vec::with_capacity(count);
    for place in 0..count {
        files.extend(deps.store.file(caller.tenant(), FileId::with_case(case.id, place)).await?);
    }
    Ok(files)
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
    let asked = tokio::time::timeout(SALESFORCE_PATIENCE, deps.salesforce.submit_case(&case, &account)).await;
    if let Some(usage) = deps.salesforce.usage() {
        deps.metrics.record(Metric::SalesforceApiUsage, usage.percent());
    }
    let taken = match asked {
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

/// What a new case may say.
#[derive(Debug, Serialize, ToSchema)]
pub struct CaseChoices {
    /// How urgent it may be, the least urgent first.
    #[schema(example = json!(["low", "medium", "high"]))]
    priorities: Vec<&'static str>,
    /// What sort of request it may be, in the consultancy's words.
    #[schema(example = json!(["Question", "Problem"]))]
    types: Vec<String>,
    /// The contracts that it may be about: those in force today.
    contracts: Vec<ContractReference>,
    /// The colleagues whom agents may turn to.
    contacts: Vec<Colleague>,
    /// What sort of file one may be, in the consultancy's words.
    #[schema(example = json!(["Log", "Screenshot"]))]
    file_categories: Vec<String>,
    /// Most bytes of a file.
    #[schema(example = 5368709120_u64)]
    file_bytes_max: u64,
}

/// Somebody of the same company.
#[derive(Debug, Serialize, ToSchema)]
pub struct Colleague {
    /// Their user id.
    user: String,
    /// Their name.
    name: String,
}

/// Read what a new case may say
///
/// The choices of the form: types, priorities, contracts in force, and colleagues to name as contact.
///
/// **Who:** members, managers and billing contacts of a client company.
#[utoipa::path(
    get,
    path = "/cases/choices",
    operation_id = "readCaseChoices",
    tag = "cases",
    responses((status = 200, description = "The choices", body = CaseChoices), SignedInRefusals),
)]
async fn choices(State(deps): State<Deps>, caller: ClientCaller) -> Result<Json<CaseChoices>, Problem> {
    let now = deps.clock.now();
    let (contracts, members) =
        tokio::join!(deps.store.contracts(caller.tenant()), deps.store.members(caller.tenant()));
    let in_force = contracts?.into_iter().filter(|contract| contract.holds_on(contract.day_of(now)));
    let named = |member: &Membership| {
        let known = matches!(member.position, Position::Client { contact: Some(_), .. });
        known && member.state == MembershipState::Active
    };
    let colleagues = members?.into_iter().filter(named);
    Ok(Json(CaseChoices {
        priorities: portico_domain::cases::Priority::ALL.map(body::priority_name).into(),
        types: deps.process.types.iter().map(|kind| kind.as_str().to_owned()).collect(),
        contracts: in_force
            .map(|contract| ContractReference { id: contract.id.to_string(), name: contract.name })
            .collect(),
        contacts: colleagues
            .map(|member| Colleague { user: member.user.to_string(), name: member.name })
            .collect(),
        file_categories: deps.rules.categories.iter().map(|word| word.as_str().to_owned()).collect(),
        file_bytes_max: deps.rules.file_bytes,
    }))
}
