//! What staff do with invoices: `POST /invoices` takes a bill in hand, `GET /invoices/drafts` lists those, `POST /invoices/{invoiceId}/issue` issues it,
//! `POST /invoices/{invoiceId}/credit` takes back what was wrong.
//!
//! A bill that is in hand is not issued by anybody else, and only as it was seen: it is priced again on issue, and if it
//! comes out differently, whoever issues it is told to look again.

mod body;

use axum::{
    Json, Router,
    extract::{FromRef, Path, State},
};
use http::StatusCode;
use jiff::{Timestamp, tz::TimeZone};
use portico_aws::{BootError, Cloud, Function};
use portico_billing::{Asked, BillingError, Completion, CreditingError, Prepared};
use portico_domain::{
    Clock, CreditNoteId, InvoiceId, Random,
    billing::{AssignmentError, Draft, Invoice, Scope},
    events::{Event, Fact},
    people::Viewer,
};
use portico_http::{
    AccountChoice, AmendmentRefusals, Caller, IdempotencyKey, Kind, ListRefusals, Made, Once, Problem,
    finish, repeated,
    views::{CreditNoteView, DraftSummaryView, DraftView, InvoiceView},
};
use portico_store::{Commit, IssueError, Store, StoreError, Tenant, Ticket, engine::Table};
use utoipa_axum::{router::OpenApiRouter, routes};

use body::{CreditBody, DraftBody, DraftsBody, IssueBody, Wanted};

/// How often a lost race is run again within one request.
const RACES_MAX: usize = 10;

/// What this function works with.
#[derive(Clone)]
pub struct Deps {
    /// The portal's records.
    pub store: Store,
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
        Table::Contracts,
        Table::TimeEntries,
        Table::Expenses,
        Table::Invoices,
        Table::InvoicePositions,
        Table::CreditNotes,
        Table::Billing,
        Table::Counters,
        Table::Idempotency,
        Table::Outbox,
    ];
    let deps = Deps { store: cloud.store(&tables)?, clock: cloud.clock(), random: cloud.random() };
    Ok(Function::http(routes(deps)))
}

/// The routes.
pub fn routes(deps: Deps) -> Router {
    finish(api().with_state(deps).into())
}

/// The routes and their description.
pub fn api() -> OpenApiRouter<Deps> {
    OpenApiRouter::new()
        .routes(routes!(draft))
        .routes(routes!(drafts))
        .routes(routes!(issue))
        .routes(routes!(credit))
}

/// Take a bill in hand
///
/// Prices a case or a month as it stands now. From here on nobody else issues it: not the closing of the case, nor the end
/// of the month. Asked for again, it is priced again.
///
/// **Who:** people of the consultancy, who name the `account`.
///
/// **Repeating:** safe with the same `Idempotency-Key` for 48 hours: the first answer again, with
/// `Idempotency-Replayed: true`.
#[utoipa::path(
    post,
    path = "/invoices",
    operation_id = "draftInvoice",
    tag = "invoices",
    request_body = DraftBody,
    params(AccountChoice, IdempotencyKey),
    responses(
        (status = 201, description = "The bill", body = DraftView, headers(
            ("Location" = String, description = "Where it is issued"),
            ("Idempotency-Replayed" = String, description = "`true` if the answer was given before"),
        )),
        AmendmentRefusals,
    ),
)]
async fn draft(State(deps): State<Deps>, caller: Caller, once: Once<DraftBody>) -> Result<Made, Problem> {
    let tenant = staffs(&caller)?;
    let now = deps.clock.now();
    let (ticket, body) = once.by(tenant, caller.viewer().user(), "POST /invoices", now);
    let wanted = body.check()?;
    let prepared = priced(&deps, tenant, wanted, Completion::AsOf(now), now).await?;
    let before = deps.store.draft(tenant, prepared.id()).await?;
    let draft = Draft {
        id: prepared.id(),
        account: tenant.account(),
        contract: prepared.contract.id,
        scope: prepared.scope,
        fingerprint: prepared.fingerprint().map_err(refused)?,
        gross: prepared.bill.gross,
        drafted_by: caller.viewer().user().clone(),
        drafted_at: now,
        version: before.map_or(0, |before| before.version) + 1,
    };
    let fact = Fact::InvoiceDrafted { invoice: draft.id };
    let event = Event::in_account(tenant.account(), fact, now, &deps.random).by(caller.actor());
    match deps.store.save_draft(&ticket, &draft, &event).await.map_err(not_written)? {
        Commit::Done => {}
        Commit::Repeated(repeat) => {
            // Whoever died before answering left the draft, and it is priced as it stands now.
            if let Err(answer) = repeated(repeat) {
                return answer;
            }
        }
    }
    let body = DraftView::new(&draft, &prepared.subject, &prepared.bill);
    let location = format!("/invoices/{}/issue", draft.id);
    Made::keep(&deps.store, &ticket, StatusCode::CREATED, &body, location).await
}

/// List what is in hand
///
/// Every bill that somebody has taken in hand and nobody has issued yet: the portal does not issue these by itself.
///
/// **Who:** people of the consultancy, who name the `account`.
#[utoipa::path(
    get,
    path = "/invoices/drafts",
    operation_id = "listInvoiceDrafts",
    tag = "invoices",
    params(AccountChoice),
    responses(
        (status = 200, description = "All of them", body = DraftsBody),
        ListRefusals,
    ),
)]
async fn drafts(State(deps): State<Deps>, caller: Caller) -> Result<Json<DraftsBody>, Problem> {
    let tenant = staffs(&caller)?;
    let found = deps.store.drafts(tenant).await?;
    Ok(Json(DraftsBody { items: found.iter().map(DraftSummaryView::from).collect() }))
}

/// Issue an invoice
///
/// It gets its number, and from here on it is a document that nobody changes. A case has to be closed. 409 `changed-since` if the bill has come out
/// differently since it was looked at: take it in hand again, and look.
///
/// **Who:** people of the consultancy, who name the `account`.
///
/// **Repeating:** safe with the same `Idempotency-Key` for 48 hours: one invoice, and the first answer again, with
/// `Idempotency-Replayed: true`.
#[utoipa::path(
    post,
    path = "/invoices/{invoiceId}/issue",
    operation_id = "issueInvoice",
    tag = "invoices",
    request_body = IssueBody,
    params(
        ("invoiceId" = String, Path, description = "The draft", pattern = "^inv_[0-9a-f]{32}$"),
        AccountChoice,
        IdempotencyKey,
    ),
    responses(
        (status = 201, description = "The invoice", body = InvoiceView, headers(
            ("Location" = String, description = "Where it is read"),
            ("Idempotency-Replayed" = String, description = "`true` if the answer was given before"),
        )),
        AmendmentRefusals,
    ),
)]
async fn issue(
    State(deps): State<Deps>,
    caller: Caller,
    Path(id): Path<String>,
    once: Once<IssueBody>,
) -> Result<Made, Problem> {
    let tenant = staffs(&caller)?;
    let id: InvoiceId = id.parse().map_err(|_| Problem::not_found())?;
    let now = deps.clock.now();
    let operation = format!("POST /invoices/{id}/issue");
    let (ticket, body) = once.by(tenant, caller.viewer().user(), &operation, now);
    if let Some(repeat) = deps.store.earlier(&ticket).await? {
        return match repeated(repeat) {
            Ok(_) => answer_issued(&deps, tenant, id, &ticket, now).await,
            Err(answer) => answer,
        };
    }
    for _ in 0..RACES_MAX {
        let Some(draft) = deps.store.draft(tenant, id).await? else {
            let issued = deps.store.invoice(tenant, id).await?.is_some();
            return Err(if issued { already_issued() } else { Problem::not_found() });
        };
        let wanted = match draft.scope {
            Scope::Case { case, .. } => Wanted::Case(case),
            Scope::Period(period) => Wanted::Month(draft.contract, period),
        };
        let prepared = priced(&deps, tenant, wanted, Completion::WhenClosed, now).await?;
        let fingerprint = prepared.fingerprint().map_err(refused)?;
        if prepared.id() != id || fingerprint.as_str() != body.fingerprint {
            return Err(Problem::new(Kind::ChangedSince)
                .because("The bill has come out differently since it was looked at."));
        }
        let actor = caller.actor();
        let asked = Asked { ticket: &ticket, actor: &actor, draft: &draft };
        match portico_billing::issue(&deps.store, prepared, Some(asked), now, &deps.random).await {
            Ok(issued) => {
                if let Commit::Repeated(repeat) = issued.commit
                    && let Err(answer) = repeated(repeat)
                {
                    return answer;
                }
                return answer_issued(&deps, tenant, id, &ticket, now).await;
            }
            Err(IssueError::Raced) => {}
            Err(error) => return Err(not_written(error)),
        }
    }
    Err(busy())
}

async fn answer_issued(
    deps: &Deps,
    tenant: &Tenant,
    id: InvoiceId,
    ticket: &Ticket,
    now: Timestamp,
) -> Result<Made, Problem> {
    let invoice = deps.store.invoice(tenant, id).await?.ok_or_else(Problem::not_found)?;
    let positions = deps.store.positions(&invoice).await?;
    let body = InvoiceView::detail(&invoice, &positions, now.to_zoned(TimeZone::UTC).date());
    Made::keep(&deps.store, ticket, StatusCode::CREATED, &body, format!("/invoices/{id}")).await
}

/// Credit an invoice
///
/// A credit note takes back all of the invoice, or parts of some positions, with the tax on them. The invoice itself stays
/// as it was issued.
///
/// **Who:** people of the consultancy, who name the `account`.
///
/// **Repeating:** safe with the same `Idempotency-Key` for 48 hours: one credit note, and the first answer again, with
/// `Idempotency-Replayed: true`.
#[utoipa::path(
    post,
    path = "/invoices/{invoiceId}/credit",
    operation_id = "creditInvoice",
    tag = "invoices",
    request_body = CreditBody,
    params(
        ("invoiceId" = String, Path, description = "The invoice", pattern = "^inv_[0-9a-f]{32}$"),
        AccountChoice,
        IdempotencyKey,
    ),
    responses(
        (status = 201, description = "The credit note", body = CreditNoteView, headers(
            ("Location" = String, description = "The invoice as it stands now"),
            ("Idempotency-Replayed" = String, description = "`true` if the answer was given before"),
        )),
        AmendmentRefusals,
    ),
)]
async fn credit(
    State(deps): State<Deps>,
    caller: Caller,
    Path(id): Path<String>,
    once: Once<CreditBody>,
) -> Result<Made, Problem> {
    let tenant = staffs(&caller)?;
    let id: InvoiceId = id.parse().map_err(|_| Problem::not_found())?;
    let invoice = deps.store.invoice(tenant, id).await?.ok_or_else(Problem::not_found)?;
    let now = deps.clock.now();
    let operation = format!("POST /invoices/{id}/credit");
    let (ticket, body) = once.by(tenant, caller.viewer().user(), &operation, now);
    if let Some(repeat) = deps.store.earlier(&ticket).await? {
        return match repeated(repeat) {
            Ok(made) => answer_credited(&deps, tenant, &invoice, &made, &ticket).await,
            Err(answer) => answer,
        };
    }
    let (wish, reason) = body.check(invoice.currency)?;
    let actor = caller.actor();
    for _ in 0..RACES_MAX {
        let credited = portico_billing::credit(
            &deps.store,
            tenant,
            id,
            (wish.clone(), reason.as_str()),
            (&ticket, &actor),
            now,
            &deps.random,
        );
        match credited.await {
            Ok((note, Commit::Done)) => {
                return answer_credited(&deps, tenant, &invoice, &note.id.to_string(), &ticket).await;
            }
            Ok((_, Commit::Repeated(repeat))) => {
                return match repeated(repeat) {
                    Ok(made) => answer_credited(&deps, tenant, &invoice, &made, &ticket).await,
                    Err(answer) => answer,
                };
            }
            Err(CreditingError::Store(StoreError::Conflict)) => {}
            Err(CreditingError::Store(error)) => return Err(error.into()),
            Err(CreditingError::NoInvoice(_)) => return Err(Problem::not_found()),
            Err(CreditingError::Refused(refusal)) => {
                return Err(Problem::new(Kind::WrongState).because(refusal));
            }
        }
    }
    Err(busy())
}

async fn answer_credited(
    deps: &Deps,
    tenant: &Tenant,
    invoice: &Invoice,
    made: &str,
    ticket: &Ticket,
) -> Result<Made, Problem> {
    let id: CreditNoteId = made.parse().map_err(|error| Problem::internal(&error))?;
    let note = deps.store.credit_note(tenant, id).await?.ok_or_else(Problem::not_found)?;
    let positions = deps.store.positions(invoice).await?;
    let body = CreditNoteView::detail(&note, &positions).map_err(|error| Problem::internal(&error))?;
    Made::keep(&deps.store, ticket, StatusCode::CREATED, &body, format!("/invoices/{}", invoice.id)).await
}

/// The account, if the caller is of the consultancy.
fn staffs(caller: &Caller) -> Result<&Tenant, Problem> {
    match caller.viewer() {
        Viewer::Staff { .. } => Ok(caller.tenant()),
        Viewer::Client { .. } => {
            Err(Problem::new(Kind::Forbidden).because("Invoices are issued and credited by the consultancy."))
        }
    }
}

/// The bill as it stands now, if there is something on it.
async fn priced(
    deps: &Deps,
    tenant: &Tenant,
    wanted: Wanted,
    completion: Completion,
    now: Timestamp,
) -> Result<Prepared, Problem> {
    let prepared = match wanted {
        Wanted::Case(case) => {
            let found = portico_billing::of_case_by_hand(&deps.store, tenant, case, completion).await;
            found.map_err(refused)?.ok_or_else(|| {
                Problem::new(Kind::WrongState)
                    .because("The case is not closed yet, or everything on it is billed.")
            })?
        }
        Wanted::Month(contract, month) => {
            portico_billing::of_month(&deps.store, tenant, contract, month, now).await.map_err(refused)?
        }
    };
    if prepared.bill.is_empty() {
        return Err(Problem::new(Kind::WrongState).because("There is nothing to bill."));
    }
    Ok(prepared)
}

/// Why there is no bill, for staff: they are who puts it right.
fn refused(error: BillingError) -> Problem {
    match error {
        BillingError::Store(error) => error.into(),
        BillingError::NoCase(_) | BillingError::Assignment(AssignmentError::UnknownContract(_)) => {
            Problem::not_found()
        }
        BillingError::Assignment(error) => Problem::new(Kind::WrongState).because(error),
        BillingError::TooManyParts(_) => Problem::new(Kind::WrongState).because(error),
        BillingError::Turn(error) => Problem::new(Kind::WrongState).because(error),
        BillingError::Pricing(error) => Problem::new(Kind::WrongState).because(error),
        BillingError::NoAccount(_) | BillingError::Unwritable(_) => Problem::internal(&error),
    }
}

fn not_written(error: IssueError) -> Problem {
    match error {
        IssueError::AlreadyIssued => already_issued(),
        IssueError::Raced => busy(),
        IssueError::TooLarge => Problem::new(Kind::WrongState).because(error),
        IssueError::Store(error) => error.into(),
    }
}

fn already_issued() -> Problem {
    Problem::new(Kind::WrongState)
        .because("This was invoiced already. What is wrong with it can be credited.")
}

fn busy() -> Problem {
    Problem::new(Kind::Unavailable).because("Try again in a moment.").retry_after(1)
}
