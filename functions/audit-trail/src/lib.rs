//! `GET /audit` and `GET /audit/export`: who did what in an account, for its managers and for the consultancy.
//!
//! Reading the trail goes into the trail.

use axum::{
    Json, Router,
    extract::{FromRef, Query, State},
    response::{IntoResponse, Response},
};
use http::{HeaderName, HeaderValue, Uri, header};
use jiff::Timestamp;
use portico_aws::{BootError, Cloud, Function};
use portico_domain::{
    Clock, Random,
    audit::{ActorRole, Entry, Head, Sealed},
    events::{Access, Event, Fact},
};
use portico_http::{
    AccountChoice, Caller, FieldCode, Kind, ListRefusals, PageQuery, Problem, cursor_refused, finish,
    on_record,
};
use portico_store::{Store, Stretch, engine::Table};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

/// Most lines of one answer. A line has about 700 bytes, and an answer of a function at most 6 MB.
const LINES_MAX: u16 = 1_000;
/// Largest sequence that can be asked for: the largest whole number that every reader of JSON has exactly (RFC 8259,
/// section 6). The store orders entries by 16 digits, which hold it.
pub const SEQUENCE_MAX: u64 = 9_007_199_254_740_991;
/// One JSON text a line (<https://github.com/ndjson/ndjson-spec>).
const NDJSON: HeaderValue = HeaderValue::from_static("application/x-ndjson");
/// Tells `lambda_http` that this media type is text. It would otherwise hand it over in base64, which a REST API
/// passes on as it is.
const AS_TEXT: (HeaderName, HeaderValue) =
    (HeaderName::from_static("x-lambda-http-content-encoding"), HeaderValue::from_static("text"));

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
    let tables = [Table::Members, Table::Accounts, Table::Audit, Table::AuditHeads, Table::Outbox];
    let store = cloud.store(&tables)?;
    Ok(Function::http(routes(Deps { store, clock: cloud.clock(), random: cloud.random() })))
}

/// The routes.
pub fn routes(deps: Deps) -> Router {
    finish(api().with_state(deps).into())
}

/// The routes and their description.
pub fn api() -> OpenApiRouter<Deps> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(export))
}

/// A page of the audit trail.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditPage {
    /// The entries, newest first.
    items: Vec<AuditEntry>,
    /// Hand it over as `cursor` for the next page; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
    /// Where the chain ends now. Noted elsewhere, it is what a shortened or rewritten trail is found by.
    head: AuditHead,
}

/// Where the chain ends.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditHead {
    /// Entries so far.
    sequence: u64,
    /// Hash of the last one: SHA-256, hexadecimal; zeros if there is none.
    #[schema(min_length = 64, max_length = 64)]
    hash: String,
}

impl From<Head> for AuditHead {
    fn from(head: Head) -> Self {
        Self { sequence: head.sequence, hash: head.hash.to_string() }
    }
}

/// What somebody did.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditEntry {
    /// Its place in the chain.
    sequence: u64,
    /// When it happened. Entries are in the order of their recording, which may be another one.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// Who did it: the user's id.
    user: String,
    /// As what.
    role: AuditRole,
    /// What they did.
    #[schema(example = "file_downloaded")]
    action: String,
    /// Ids of the records that they did it to.
    records: Vec<String>,
    /// `done`, or the kind of the problem that they got.
    #[schema(example = "done")]
    outcome: String,
    /// Method and pattern of the route.
    #[schema(example = "GET /files/{fileId}")]
    route: String,
    /// The request, as in the answer that they got.
    request_id: String,
    /// Its hash in the chain.
    hash: String,
}

/// As what somebody acted.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AuditRole {
    /// Member of the client company.
    Member,
    /// Manager of the client company.
    Manager,
    /// Billing contact of the client company.
    Billing,
    /// Agent of the consultancy.
    Agent,
    /// Administrator of the consultancy.
    Admin,
}

impl From<ActorRole> for AuditRole {
    fn from(role: ActorRole) -> Self {
        match role {
            ActorRole::Member => Self::Member,
            ActorRole::Manager => Self::Manager,
            ActorRole::Billing => Self::Billing,
            ActorRole::Agent => Self::Agent,
            ActorRole::Admin => Self::Admin,
        }
    }
}

fn shown(sealed: &Sealed) -> Result<AuditEntry, Problem> {
    let Entry { at, user, role, action, records, outcome, route, request_id, .. } =
        sealed.read().map_err(|error| Problem::internal(&error))?;
    Ok(AuditEntry {
        sequence: sealed.sequence,
        at,
        user: user.to_string(),
        role: role.into(),
        action,
        records,
        outcome,
        route,
        request_id,
        hash: sealed.hash.to_string(),
    })
}

/// Read the audit trail
///
/// Newest first. For managers, and for the consultancy.
///
/// **Who:** managers; people of the consultancy, who name the `account`.
#[utoipa::path(
    get,
    path = "/audit",
    operation_id = "readAuditTrail",
    tag = "audit",
    params(PageQuery, AccountChoice),
    responses(
        (status = 200, description = "A page of the audit trail", body = AuditPage),
        ListRefusals,
    ),
)]
async fn list(State(deps): State<Deps>, caller: Caller, page: PageQuery) -> Result<Json<AuditPage>, Problem> {
    may_read(&caller)?;
    let found = deps.store.audit_entries(caller.tenant(), page.size, page.cursor).await?;
    let found = found.map_err(cursor_refused)?;
    // After the entries, so that it is never behind them.
    let head = deps.store.audit_head(caller.tenant()).await?;
    let items = found.items.iter().map(shown).collect::<Result<_, _>>()?;
    seen(&deps, &caller, Access::AuditRead).await?;
    let next_cursor = found.next.map(|cursor| cursor.to_string());
    Ok(Json(AuditPage { items, next_cursor, head: head.into() }))
}

/// Export the audit trail
///
/// One line an entry, in the order of the chain, at most 1,000 an answer; `Link` leads to the next. `docs/audit.md`
/// says how to check the chain, and `verify-audit` does it.
///
/// **Who:** managers; people of the consultancy, who name the `account`.
#[utoipa::path(
    get,
    path = "/audit/export",
    operation_id = "exportAuditTrail",
    tag = "audit",
    params(
        ("from" = Option<u64>, Query, description = "Sequence of the first line; 1 if absent", minimum = 1, maximum = 9007199254740991_u64, example = 1),
        AccountChoice,
    ),
    responses(
        (
            status = 200,
            description = "Lines of JSON: account, sequence, previous, hash, entry",
            body = String,
            content_type = "application/x-ndjson",
            headers(("Link" = String, description = "`rel=\"next\"`: the lines that follow; absent at the end")),
        ),
        ListRefusals,
    ),
)]
async fn export(State(deps): State<Deps>, caller: Caller, uri: Uri) -> Result<Response, Problem> {
    may_read(&caller)?;
    let asked = Asked::of(&uri)?;
    let Stretch { entries, more } = deps.store.audit_stretch(caller.tenant(), asked.from, LINES_MAX).await?;
    let mut lines = String::new();
    for sealed in &entries {
        lines.push_str(&sealed.line().map_err(|error| Problem::internal(&error))?);
        lines.push('\n');
    }
    seen(&deps, &caller, Access::AuditExported).await?;
    let mut response = ([(header::CONTENT_TYPE, NDJSON), AS_TEXT], lines).into_response();
    if let Some(last) = entries.last().filter(|_| more) {
        let next = asked.next(last.sequence);
        let link = HeaderValue::try_from(next).map_err(|error| Problem::internal(&error))?;
        response.headers_mut().insert(header::LINK, link);
    }
    Ok(response)
}

/// What is exported.
struct Asked {
    from: u64,
    account: Option<String>,
}

impl Asked {
    fn of(uri: &Uri) -> Result<Self, Problem> {
        #[derive(Deserialize)]
        struct Entered {
            from: Option<String>,
            account: Option<String>,
        }
        let refused = || {
            Problem::new(Kind::InvalidRequest).because("Some fields were refused.").at(
                "/from",
                FieldCode::OutOfRange,
                "must be a number from 1 to 9007199254740991",
            )
        };
        let Query(Entered { from, account }) = Query::try_from_uri(uri).map_err(|_| refused())?;
        let from = match from {
            None => 1,
            Some(text) => {
                text.parse().ok().filter(|from| (1..=SEQUENCE_MAX).contains(from)).ok_or_else(refused)?
            }
        };
        Ok(Self { from, account })
    }

    /// The link to what follows, relative to this very address, so that it leads through whatever host and stage
    /// the request came by. The account was parsed as an id, so it needs no escaping.
    fn next(&self, last: u64) -> String {
        let from = last.saturating_add(1);
        let account = self.account.as_ref().map(|account| format!("&account={account}")).unwrap_or_default();
        format!("<?from={from}{account}>; rel=\"next\"")
    }
}

fn may_read(caller: &Caller) -> Result<(), Problem> {
    if caller.viewer().may_read_audit() {
        return Ok(());
    }
    Err(Problem::new(Kind::Forbidden).because("The audit trail is for managers."))
}

/// Puts on record what the caller is about to see.
async fn seen(deps: &Deps, caller: &Caller, access: Access) -> Result<(), Problem> {
    let account = caller.tenant().account();
    let event = Event::in_account(account, Fact::Accessed(access), deps.clock.now(), &deps.random);
    on_record(&deps.store, &event.by(caller.actor())).await
}
