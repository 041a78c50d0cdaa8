//! `POST /live/tickets`: a one-time ticket that opens the live connection.
//!
//! A browser cannot send a header with a WebSocket handshake, and a token in a URL ends up in logs. A ticket in
//! a URL is worth nothing once it was used, and nothing after a minute.
//!
//! The one POST without `Idempotency-Key`: a repeated request makes another ticket, and one that nobody uses
//! lapses by itself.

use axum::{
    Json, Router,
    extract::{FromRef, State},
};
use http::StatusCode;
use jiff::Timestamp;
use portico_aws::{BootError, Cloud, Function};
use portico_domain::{Clock, Random};
use portico_http::{ClientCaller, Problem, SignedInRefusals, finish};
use portico_store::{Store, engine::Table};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

/// What this function works with.
#[derive(Clone)]
pub struct Deps {
    /// The portal's records.
    pub store: Store,
    /// The time.
    pub clock: Clock,
    /// New tickets.
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
    let store = cloud.store(&[Table::Members, Table::LiveTickets])?;
    Ok(Function::http(routes(Deps { store, clock: cloud.clock(), random: cloud.random() })))
}

/// The routes.
pub fn routes(deps: Deps) -> Router {
    finish(api().with_state(deps).into())
}

/// The routes and their description.
pub fn api() -> OpenApiRouter<Deps> {
    OpenApiRouter::new().routes(routes!(issue))
}

/// A ticket.
#[derive(Serialize, ToSchema)]
pub struct TicketBody {
    /// Goes into the handshake's URL: `?ticket=…`. Works once.
    ticket: String,
    /// When it lapses.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

/// Get a ticket for the live connection
///
/// Open `wss://…/live?ticket=…` with it within a minute. Messages name what changed, never what it says:
/// `{"type":"case.changed","case":"case_…","version":7}`, or `{"type":"billing.changed","account":"acct_…"}` when bills are
/// not any more what `GET /billing/preview` said.
///
/// **Who:** members, managers and billing contacts of a client company.
///
/// **Repeating:** takes no `Idempotency-Key`: a repeated request makes another ticket, and one that nobody uses lapses.
#[utoipa::path(
    post,
    path = "/live/tickets",
    operation_id = "issueLiveTicket",
    tag = "live",
    responses(
        (status = 201, description = "The ticket", body = TicketBody),
        SignedInRefusals,
    ),
)]
async fn issue(
    State(deps): State<Deps>,
    caller: ClientCaller,
) -> Result<(StatusCode, Json<TicketBody>), Problem> {
    let (ticket, expires_at) = deps.store.issue_live_ticket(&caller, &deps.random, deps.clock.now()).await?;
    Ok((StatusCode::CREATED, Json(TicketBody { ticket: ticket.as_str().to_owned(), expires_at })))
}
