//! Questions about positions of invoices, and disputes: `POST /invoices/{invoiceId}/lines/{line}/disputes`,
//! `GET /invoices/{invoiceId}/disputes`, and `POST /invoices/{invoiceId}/disputes/{disputeId}/answers`, `/resolve`, `/withdraw`.
//!
//! Only the position in question is held; the rest of the invoice stays payable. The invoice and the dispute are
//! written together, so what is held is always what is claimed.

mod body;

use axum::{
    Json, Router,
    extract::{FromRef, Path, State},
};
use http::StatusCode;
use jiff::Timestamp;
use portico_aws::{BootError, Cloud, Function};
use portico_domain::{
    Clock, DisputeId, InvoiceId, Random, UserId,
    audit::Actor,
    billing::{
        Answer, Closing, Dispute, DisputeError, DisputeKind, DisputeText, Invoice, Outcome, Raising, Signed,
    },
    cases::{Author, Happening, TimelineEntry},
    events::{Access, Event, Fact},
    people::Viewer,
};
use portico_http::{
    AccountChoice, AmendmentRefusals, Caller, ClientCaller, IdempotencyKey, Kind, Made, Once, PageBody,
    PageQuery, Problem, RecordRefusals, cursor_refused, finish, on_record, repeated, views::DisputeView,
};
use portico_store::{Commit, DisputeChange, Store, StoreError, Tenant, Ticket, engine::Table};
use utoipa_axum::{router::OpenApiRouter, routes};

use body::{AnswerBody, RaiseBody, ResolveBody, WithdrawBody};

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
        Table::Invoices,
        Table::InvoicePositions,
        Table::Disputes,
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
        .routes(routes!(raise))
        .routes(routes!(list))
        .routes(routes!(answer))
        .routes(routes!(resolve))
        .routes(routes!(withdraw))
}

/// Ask about a position, or dispute it
///
/// A question leaves everything payable. A dispute holds what is left of the position with its share of the tax, and never
/// more than is open; the rest stays payable. One dispute about a position at a time; at most 100 questions and disputes
/// about an invoice.
///
/// **Who:** managers and billing contacts.
///
/// **Repeating:** safe with the same `Idempotency-Key` for 48 hours: one dispute, and the first answer again, with
/// `Idempotency-Replayed: true`.
#[utoipa::path(
    post,
    path = "/invoices/{invoiceId}/lines/{line}/disputes",
    operation_id = "raiseDispute",
    tag = "invoices",
    request_body = RaiseBody,
    params(
        ("invoiceId" = String, Path, description = "The invoice", pattern = "^inv_[0-9a-f]{32}$"),
        ("line" = String, Path, description = "The position, from 1", pattern = "^[1-9][0-9]{0,4}$"),
        IdempotencyKey,
    ),
    responses(
        (status = 201, description = "The question or dispute", body = DisputeView, headers(
            ("Location" = String, description = "The questions and disputes about the invoice"),
            ("Idempotency-Replayed" = String, description = "`true` if the answer was given before"),
        )),
        AmendmentRefusals,
    ),
)]
async fn raise(
    State(deps): State<Deps>,
    caller: ClientCaller,
    Path((id, line)): Path<(String, String)>,
    once: Once<RaiseBody>,
) -> Result<Made, Problem> {
    let now = deps.clock.now();
    let invoice = visible(&deps, caller.tenant(), caller.viewer(), &id).await?.id;
    let line: u16 = line.parse().map_err(|_| Problem::not_found())?;
    let operation = format!("POST /invoices/{invoice}/lines/{line}/disputes");
    let (ticket, body) = once.by(caller.tenant(), caller.viewer().user(), &operation, now);
    let step = Step::of_client(&deps, &caller, invoice, ticket, now).adding();
    if let Some(earlier) = step.earlier().await? {
        return earlier;
    }
    let text = body::text("/text", body.text)?;
    step.take(Deed::Raise { dispute: DisputeId::new(now, &deps.random), line, kind: body.kind.into(), text })
        .await
}

/// List questions and disputes
///
/// All about one invoice, the newest first, with everything that was said.
///
/// **Who:** managers and billing contacts; people of the consultancy, who name the `account`.
#[utoipa::path(
    get,
    path = "/invoices/{invoiceId}/disputes",
    operation_id = "listDisputes",
    tag = "invoices",
    params(
        ("invoiceId" = String, Path, description = "The invoice", pattern = "^inv_[0-9a-f]{32}$"),
        PageQuery,
        AccountChoice,
    ),
    responses(
        (status = 200, description = "A page of questions and disputes", body = PageBody<DisputeView>),
        RecordRefusals,
    ),
)]
async fn list(
    State(deps): State<Deps>,
    caller: Caller,
    Path(id): Path<String>,
    page: PageQuery,
) -> Result<Json<PageBody<DisputeView>>, Problem> {
    let invoice = visible(&deps, caller.tenant(), caller.viewer(), &id).await?;
    let found = deps.store.disputes(&invoice, page.size, page.cursor).await?.map_err(cursor_refused)?;
    let fact = Fact::Accessed(Access::DisputesListed { invoice: invoice.id });
    let event = Event::in_account(invoice.account, fact, deps.clock.now(), &deps.random);
    on_record(&deps.store, &event.by(caller.actor())).await?;
    let items = found.items.iter().map(DisputeView::from).collect();
    Ok(Json(PageBody { items, next_cursor: found.next.map(|cursor| cursor.to_string()) }))
}

/// Say something to it
///
/// An answer of the consultancy, or a reply of a client; then it is the other side's turn. At most 20 to one question or
/// dispute.
///
/// **Who:** managers and billing contacts; people of the consultancy, who name the `account`.
///
/// **Repeating:** safe with the same `Idempotency-Key` for 48 hours: said once, and the first answer again, with
/// `Idempotency-Replayed: true`.
#[utoipa::path(
    post,
    path = "/invoices/{invoiceId}/disputes/{disputeId}/answers",
    operation_id = "answerDispute",
    tag = "invoices",
    request_body = AnswerBody,
    params(
        ("invoiceId" = String, Path, description = "The invoice", pattern = "^inv_[0-9a-f]{32}$"),
        ("disputeId" = String, Path, description = "The question or dispute", pattern = "^dsp_[0-9a-f]{32}$"),
        AccountChoice,
        IdempotencyKey,
    ),
    responses(
        (status = 201, description = "The question or dispute with the answer", body = DisputeView, headers(
            ("Location" = String, description = "The questions and disputes about the invoice"),
            ("Idempotency-Replayed" = String, description = "`true` if the answer was given before"),
        )),
        AmendmentRefusals,
    ),
)]
async fn answer(
    State(deps): State<Deps>,
    caller: Caller,
    Path((id, dispute)): Path<(String, String)>,
    once: Once<AnswerBody>,
) -> Result<Made, Problem> {
    let now = deps.clock.now();
    let found = found(&deps, caller.tenant(), caller.viewer(), &id, &dispute).await?;
    let operation = format!("POST /invoices/{}/disputes/{}/answers", found.invoice, found.id);
    let (ticket, body) = once.by(caller.tenant(), caller.viewer().user(), &operation, now);
    let step = Step::of(&deps, &caller, found.invoice, ticket, now).adding();
    if let Some(earlier) = step.earlier().await? {
        return earlier;
    }
    let text = body::text("/text", body.text)?;
    step.take(Deed::Answer { dispute: found.id, text }).await
}

/// Close a question or a dispute
///
/// Says how it ended, and nothing is held for it any more. 409 `wrong-state` if it is to be `upheld` and nothing of the
/// position was credited since it was raised.
///
/// **Who:** people of the consultancy, who name the `account`.
///
/// **Repeating:** safe with the same `Idempotency-Key` for 48 hours: closed once, and the first answer again, with
/// `Idempotency-Replayed: true`.
#[utoipa::path(
    post,
    path = "/invoices/{invoiceId}/disputes/{disputeId}/resolve",
    operation_id = "resolveDispute",
    tag = "invoices",
    request_body = ResolveBody,
    params(
        ("invoiceId" = String, Path, description = "The invoice", pattern = "^inv_[0-9a-f]{32}$"),
        ("disputeId" = String, Path, description = "The question or dispute", pattern = "^dsp_[0-9a-f]{32}$"),
        AccountChoice,
        IdempotencyKey,
    ),
    responses(
        (status = 200, description = "The question or dispute, closed", body = DisputeView, headers(
            ("Idempotency-Replayed" = String, description = "`true` if the answer was given before"),
        )),
        AmendmentRefusals,
    ),
)]
async fn resolve(
    State(deps): State<Deps>,
    caller: Caller,
    Path((id, dispute)): Path<(String, String)>,
    once: Once<ResolveBody>,
) -> Result<Made, Problem> {
    match caller.viewer() {
        Viewer::Staff { .. } => {}
        Viewer::Client { .. } => {
            return Err(Problem::new(Kind::Forbidden)
                .because("The consultancy says how it ended. A client can take back what they raised."));
        }
    }
    let now = deps.clock.now();
    let found = found(&deps, caller.tenant(), caller.viewer(), &id, &dispute).await?;
    let operation = format!("POST /invoices/{}/disputes/{}/resolve", found.invoice, found.id);
    let (ticket, body) = once.by(caller.tenant(), caller.viewer().user(), &operation, now);
    let step = Step::of(&deps, &caller, found.invoice, ticket, now);
    if let Some(earlier) = step.earlier().await? {
        return earlier;
    }
    let reason = Some(body::text("/reason", body.reason)?);
    step.take(Deed::Close { dispute: found.id, outcome: body.outcome.into(), reason }).await
}

/// Take back a question or a dispute
///
/// Then nothing is held for it any more.
///
/// **Who:** managers and billing contacts.
///
/// **Repeating:** safe with the same `Idempotency-Key` for 48 hours: done once, and the first answer again, with
/// `Idempotency-Replayed: true`.
#[utoipa::path(
    post,
    path = "/invoices/{invoiceId}/disputes/{disputeId}/withdraw",
    operation_id = "withdrawDispute",
    tag = "invoices",
    request_body = WithdrawBody,
    params(
        ("invoiceId" = String, Path, description = "The invoice", pattern = "^inv_[0-9a-f]{32}$"),
        ("disputeId" = String, Path, description = "The question or dispute", pattern = "^dsp_[0-9a-f]{32}$"),
        IdempotencyKey,
    ),
    responses(
        (status = 200, description = "The question or dispute, closed", body = DisputeView, headers(
            ("Idempotency-Replayed" = String, description = "`true` if the answer was given before"),
        )),
        AmendmentRefusals,
    ),
)]
async fn withdraw(
    State(deps): State<Deps>,
    caller: ClientCaller,
    Path((id, dispute)): Path<(String, String)>,
    once: Once<WithdrawBody>,
) -> Result<Made, Problem> {
    let now = deps.clock.now();
    let found = found(&deps, caller.tenant(), caller.viewer(), &id, &dispute).await?;
    let operation = format!("POST /invoices/{}/disputes/{}/withdraw", found.invoice, found.id);
    let (ticket, body) = once.by(caller.tenant(), caller.viewer().user(), &operation, now);
    let step = Step::of_client(&deps, &caller, found.invoice, ticket, now);
    if let Some(earlier) = step.earlier().await? {
        return earlier;
    }
    let reason = body.reason.map(|reason| body::text("/reason", reason)).transpose()?;
    step.take(Deed::Close { dispute: found.id, outcome: Outcome::Withdrawn, reason }).await
}

/// What somebody does.
enum Deed {
    Raise { dispute: DisputeId, line: u16, kind: DisputeKind, text: DisputeText },
    Answer { dispute: DisputeId, text: DisputeText },
    Close { dispute: DisputeId, outcome: Outcome, reason: Option<DisputeText> },
}

/// One step of a dispute, by somebody.
struct Step<'a> {
    deps: &'a Deps,
    tenant: &'a Tenant,
    user: &'a UserId,
    author: Author,
    actor: Actor,
    invoice: InvoiceId,
    ticket: Ticket,
    /// What it is answered with.
    status: StatusCode,
    now: Timestamp,
}

impl<'a> Step<'a> {
    /// Of anybody.
    fn of(deps: &'a Deps, caller: &'a Caller, invoice: InvoiceId, ticket: Ticket, now: Timestamp) -> Self {
        Self {
            deps,
            tenant: caller.tenant(),
            user: caller.viewer().user(),
            author: caller.author(),
            actor: caller.actor(),
            invoice,
            ticket,
            status: StatusCode::OK,
            now,
        }
    }

    /// Of a client.
    fn of_client(
        deps: &'a Deps,
        caller: &'a ClientCaller,
        invoice: InvoiceId,
        ticket: Ticket,
        now: Timestamp,
    ) -> Self {
        Self {
            deps,
            tenant: caller.tenant(),
            user: caller.viewer().user(),
            author: caller.author(),
            actor: caller.actor(),
            invoice,
            ticket,
            status: StatusCode::OK,
            now,
        }
    }

    /// One that adds something.
    fn adding(self) -> Self {
        Self { status: StatusCode::CREATED, ..self }
    }

    fn signed(&self) -> Signed {
        Signed { user: self.user.clone(), author: self.author.clone(), at: self.now }
    }

    fn event(&self, fact: Fact) -> Event {
        let event = Event::in_account(self.tenant.account(), fact, self.now, &self.deps.random);
        event.by(self.actor.clone())
    }

    /// What an earlier attempt is answered with. One that died before it could answer is answered with the dispute as
    /// it stands now.
    async fn earlier(&self) -> Result<Option<Result<Made, Problem>>, Problem> {
        let Some(repeat) = self.deps.store.earlier(&self.ticket).await? else { return Ok(None) };
        Ok(Some(match repeated(repeat) {
            Ok(made) => self.answered(&made).await,
            Err(answer) => answer,
        }))
    }

    async fn invoice(&self) -> Result<Invoice, Problem> {
        let found = self.deps.store.invoice(self.tenant, self.invoice).await?;
        found.ok_or_else(Problem::not_found)
    }

    async fn dispute(&self, id: DisputeId) -> Result<Dispute, Problem> {
        let found = self.deps.store.dispute(self.tenant, self.invoice, id).await?;
        found.ok_or_else(Problem::not_found)
    }

    /// What it changes, as everything stands now.
    async fn change(&self, deed: &Deed) -> Result<DisputeChange, Problem> {
        let invoice = self.invoice().await?;
        let (case, by) = (invoice.subject.case(), self.signed());
        match deed {
            Deed::Raise { dispute, line, kind, text } => {
                let positions = self.deps.store.positions(&invoice).await?;
                let raising = Raising { id: *dispute, line: *line, kind: *kind, text: text.clone(), by };
                let (invoice, raised) = invoice.raise(&positions, raising).map_err(refused)?;
                let happening = Happening::Disputed {
                    invoice: invoice.id,
                    number: invoice.number.to_string(),
                    line: *line,
                    wanted: *kind,
                    by: self.author.name.clone(),
                };
                let fact = Fact::DisputeRaised { case, invoice: invoice.id, dispute: *dispute };
                self.on_the_case(raised, invoice, happening, fact).await
            }
            Deed::Answer { dispute, text } => {
                let said = Answer { text: text.clone(), by };
                let answered = self.dispute(*dispute).await?.answer(said).map_err(refused)?;
                let fact = Fact::DisputeAnswered { case, invoice: invoice.id, dispute: *dispute };
                let events = vec![self.event(fact)];
                Ok(DisputeChange { dispute: answered, invoice: None, case: None, events })
            }
            Deed::Close { dispute, outcome, reason } => {
                let before = self.dispute(*dispute).await?;
                let positions = self.deps.store.positions(&invoice).await?;
                let closing = Closing { outcome: *outcome, reason: reason.clone(), by };
                let (invoice, closed) = invoice.close(&positions, &before, closing).map_err(refused)?;
                let happening = Happening::DisputeClosed {
                    invoice: invoice.id,
                    number: invoice.number.to_string(),
                    line: closed.line,
                    wanted: closed.kind,
                    outcome: *outcome,
                };
                let fact = Fact::DisputeClosed { case, invoice: invoice.id, dispute: *dispute };
                self.on_the_case(closed, invoice, happening, fact).await
            }
        }
    }

    /// A change that the timeline tells of, where the invoice bills a case.
    async fn on_the_case(
        &self,
        dispute: Dispute,
        invoice: Invoice,
        happening: Happening,
        fact: Fact,
    ) -> Result<DisputeChange, Problem> {
        let mut events = vec![self.event(fact)];
        let case = match invoice.subject.case() {
            Some(case) => self.deps.store.case(self.tenant, case).await?,
            None => None,
        };
        let case = case.map(|case| {
            let case = case.touched(self.now);
            events.push(Event::case_changed(&case, self.now, &self.deps.random));
            (case, TimelineEntry::new(happening, self.now, &self.deps.random))
        });
        Ok(DisputeChange { dispute, invoice: Some(invoice), case, events })
    }

    /// Takes the step, again if somebody else was faster.
    async fn take(&self, deed: Deed) -> Result<Made, Problem> {
        for _ in 0..RACES_MAX {
            let change = match self.change(&deed).await {
                Ok(change) => change,
                // What stands in the way may be what this very request did, sent twice at once.
                Err(refusal) => return self.earlier().await?.unwrap_or(Err(refusal)),
            };
            match self.deps.store.change_dispute(&self.ticket, &change).await {
                Ok(Commit::Done) => return self.keep(&change.dispute).await,
                Ok(Commit::Repeated(repeat)) => {
                    return match repeated(repeat) {
                        Ok(made) => self.answered(&made).await,
                        Err(answer) => answer,
                    };
                }
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Problem::new(Kind::Unavailable).because("Try again in a moment.").retry_after(1))
    }

    async fn answered(&self, made: &str) -> Result<Made, Problem> {
        let id: DisputeId = made.parse().map_err(|error| Problem::internal(&error))?;
        self.keep(&self.dispute(id).await?).await
    }

    async fn keep(&self, dispute: &Dispute) -> Result<Made, Problem> {
        let location = format!("/invoices/{}/disputes", dispute.invoice);
        Made::keep(&self.deps.store, &self.ticket, self.status, &DisputeView::from(dispute), location).await
    }
}

/// The invoice, if there is one and the person may see it. For everybody else it is not there.
async fn visible(deps: &Deps, tenant: &Tenant, viewer: &Viewer, id: &str) -> Result<Invoice, Problem> {
    let id: InvoiceId = id.parse().map_err(|_| Problem::not_found())?;
    if !deps.store.may_see_invoices(tenant, viewer).await? {
        return Err(Problem::not_found());
    }
    deps.store.invoice(tenant, id).await?.ok_or_else(Problem::not_found)
}

/// The question or dispute, if there is one and the person may see its invoice.
async fn found(
    deps: &Deps,
    tenant: &Tenant,
    viewer: &Viewer,
    invoice: &str,
    id: &str,
) -> Result<Dispute, Problem> {
    let invoice: InvoiceId = invoice.parse().map_err(|_| Problem::not_found())?;
    let id: DisputeId = id.parse().map_err(|_| Problem::not_found())?;
    if !deps.store.may_see_invoices(tenant, viewer).await? {
        return Err(Problem::not_found());
    }
    deps.store.dispute(tenant, invoice, id).await?.ok_or_else(Problem::not_found)
}

/// No wildcard arm: a new refusal must choose its problem type.
fn refused(refusal: DisputeError) -> Problem {
    match refusal {
        DisputeError::UnknownLine(_) => Problem::not_found(),
        DisputeError::AlreadyDisputed(_)
        | DisputeError::Credited(_)
        | DisputeError::TooMany
        | DisputeError::TooManyAnswers
        | DisputeError::Closed
        | DisputeError::OtherOutcome
        | DisputeError::NotCredited(_) => Problem::new(Kind::WrongState).because(refusal),
        DisputeError::Money(_) => Problem::internal(&refusal),
    }
}
