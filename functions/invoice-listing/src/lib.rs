//! `GET /invoices`, `GET /invoices/{invoiceId}`, `GET /invoices/{invoiceId}/pdf` and `/xml`.

mod filter;

use axum::{
    Json, Router,
    extract::{FromRef, Path, State},
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use jiff::{civil::Date, tz::TimeZone};
use portico_aws::{BootError, Bucket, Cloud, Function};
use portico_domain::{
    Clock, InvoiceId, Random,
    billing::Invoice,
    events::{Access, Event, Fact},
    files::{DOWNLOAD_WINDOW, FileName, content_disposition},
};
use portico_http::{
    AccountChoice, Caller, Kind, ListRefusals, PageBody, PageQuery, Problem, RecordRefusals, cursor_refused,
    finish, on_record, views::InvoiceView,
};
use portico_store::{Store, engine::Table};
use utoipa_axum::{router::OpenApiRouter, routes};

pub use filter::FilterQuery;

/// Seconds after which a PDF that is still being rendered should be asked for again.
const RENDERING_RETRY_SECONDS: u16 = 2;

/// What this function works with.
#[derive(Clone)]
pub struct Deps {
    /// The portal's records.
    pub store: Store,
    /// Where the PDFs lie.
    pub bucket: Bucket,
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
        Table::Invoices,
        Table::InvoicePositions,
        Table::CreditNotes,
        Table::Outbox,
    ];
    Ok(Function::http(routes(Deps {
        store: cloud.store(&tables)?,
        bucket: cloud.bucket("INVOICES_BUCKET")?,
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
        .routes(routes!(list))
        .routes(routes!(detail))
        .routes(routes!(pdf))
        .routes(routes!(xml))
}

/// List invoices
///
/// Without positions, the newest first. With `state` or `case` a page may be shorter than `limit`, or empty: the end is where
/// `next_cursor` is absent.
///
/// **Who:** managers and billing contacts, and members if the account says so; people of the consultancy, who name the `account`.
#[utoipa::path(
    get,
    path = "/invoices",
    operation_id = "listInvoices",
    tag = "invoices",
    params(FilterQuery, PageQuery, AccountChoice),
    responses(
        (status = 200, description = "A page of invoices", body = PageBody<InvoiceView>),
        ListRefusals,
    ),
)]
async fn list(
    State(deps): State<Deps>,
    caller: Caller,
    filter: FilterQuery,
    page: PageQuery,
) -> Result<Json<PageBody<InvoiceView>>, Problem> {
    if !deps.store.may_see_invoices(caller.tenant(), caller.viewer()).await? {
        return Err(Problem::new(Kind::Forbidden).because(
            "Invoices are for managers and billing contacts, and for members if the account says so.",
        ));
    }
    let today = today(&deps);
    let found = deps.store.find_invoices(caller.tenant(), &filter.on(today), page.size, page.cursor).await?;
    let found = found.map_err(cursor_refused)?;
    seen(&deps, &caller, Access::InvoicesListed).await?;
    let items = found.items.iter().map(|invoice| InvoiceView::summary(invoice, today)).collect();
    Ok(Json(PageBody { items, next_cursor: found.next.map(|cursor| cursor.to_string()) }))
}

/// Read an invoice
///
/// With every position and how it comes about, step by step: time entries, clause, rate and its source, and each
/// rounding with the value before and after; and what was taken back of it.
///
/// **Who:** managers and billing contacts, and members if the account says so; people of the consultancy, who name the `account`.
#[utoipa::path(
    get,
    path = "/invoices/{invoiceId}",
    operation_id = "readInvoice",
    tag = "invoices",
    params(
        ("invoiceId" = String, Path, description = "The invoice", pattern = "^inv_[0-9a-f]{32}$"),
        AccountChoice,
    ),
    responses(
        (status = 200, description = "The invoice", body = InvoiceView),
        RecordRefusals,
    ),
)]
async fn detail(
    State(deps): State<Deps>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<InvoiceView>, Problem> {
    let invoice = visible(&deps, &caller, &id).await?;
    seen(&deps, &caller, Access::InvoiceRead { invoice: invoice.id }).await?;
    let positions = deps.store.positions(&invoice).await?;
    let notes = deps.store.credit_notes_of(&invoice).await?;
    Ok(Json(InvoiceView::detail(&invoice, &positions, today(&deps)).corrected_by(&notes)))
}

/// Download an invoice as PDF
///
/// Redirects to the store; the link works for 5 minutes. 503 with `Retry-After` while it is being rendered.
///
/// **Who:** managers and billing contacts, and members if the account says so; people of the consultancy, who name the `account`.
#[utoipa::path(
    get,
    path = "/invoices/{invoiceId}/pdf",
    operation_id = "downloadInvoicePdf",
    tag = "invoices",
    params(
        ("invoiceId" = String, Path, description = "The invoice", pattern = "^inv_[0-9a-f]{32}$"),
        AccountChoice,
    ),
    responses(
        (status = 303, description = "Where the PDF is", headers(("Location" = String, description = "Works for 5 minutes"))),
        RecordRefusals,
    ),
)]
async fn pdf(State(deps): State<Deps>, caller: Caller, Path(id): Path<String>) -> Result<Response, Problem> {
    let invoice = visible(&deps, &caller, &id).await?;
    let Some(rendered) = &invoice.rendered else {
        return Err(Problem::new(Kind::Unavailable)
            .because("The PDF is being rendered.")
            .retry_after(RENDERING_RETRY_SECONDS));
    };
    let location = link(&deps, &invoice, &rendered.key, ("pdf", "application/pdf")).await?;
    seen(&deps, &caller, Access::InvoiceDownloaded { invoice: invoice.id }).await?;
    Ok((StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response())
}

/// Download an invoice as e-invoice
///
/// Factur-X, EN 16931 (CII): the XML that is attached to the PDF. Redirects to the store; the link works for 5 minutes. 503 with
/// `Retry-After` while it is being made, and 404 with its own words if the norm has no room for the invoice.
///
/// **Who:** managers and billing contacts; people of the consultancy, who name the `account`.
#[utoipa::path(
    get,
    path = "/invoices/{invoiceId}/xml",
    operation_id = "downloadEInvoice",
    tag = "invoices",
    params(
        ("invoiceId" = String, Path, description = "The invoice", pattern = "^inv_[0-9a-f]{32}$"),
        AccountChoice,
    ),
    responses(
        (status = 303, description = "Where the XML is", headers(("Location" = String, description = "Works for 5 minutes"))),
        RecordRefusals,
    ),
)]
async fn xml(State(deps): State<Deps>, caller: Caller, Path(id): Path<String>) -> Result<Response, Problem> {
    let invoice = visible(&deps, &caller, &id).await?;
    let Some(rendered) = &invoice.rendered else {
        return Err(Problem::new(Kind::Unavailable)
            .because("The e-invoice is being made.")
            .retry_after(RENDERING_RETRY_SECONDS));
    };
    let Some(e_invoice) = &rendered.e_invoice else {
        return Err(Problem::new(Kind::NotFound)
            .because("There is no e-invoice of this invoice; the PDF is the invoice."));
    };
    let location = link(&deps, &invoice, &e_invoice.key, ("xml", "application/xml")).await?;
    seen(&deps, &caller, Access::EInvoiceDownloaded { invoice: invoice.id }).await?;
    Ok((StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response())
}

/// Where a document of an invoice can be fetched for a while.
async fn link(
    deps: &Deps,
    invoice: &Invoice,
    key: &str,
    (extension, media_type): (&str, &str),
) -> Result<HeaderValue, Problem> {
    let name = FileName::try_from(format!("invoice-{}.{extension}", invoice.number.as_str()))
        .map_err(|error| Problem::internal(&error))?;
    let disposition = content_disposition(&name);
    let signed =
        deps.bucket.presign_download(key, &disposition, media_type, deps.clock.now(), DOWNLOAD_WINDOW).await;
    let url = signed.map_err(|error| Problem::internal(&error))?.url;
    HeaderValue::try_from(url).map_err(|error| Problem::internal(&error))
}

/// Today, as far as whole days go: whether something is overdue must not depend on who asks.
fn today(deps: &Deps) -> Date {
    deps.clock.now().to_zoned(TimeZone::UTC).date()
}

/// Puts on record what the caller is about to see.
async fn seen(deps: &Deps, caller: &Caller, access: Access) -> Result<(), Problem> {
    let account = caller.tenant().account();
    let event = Event::in_account(account, Fact::Accessed(access), deps.clock.now(), &deps.random);
    on_record(&deps.store, &event.by(caller.actor())).await
}

/// The invoice, if there is one and the caller may see it. For everybody else it is not there.
async fn visible(deps: &Deps, caller: &Caller, id: &str) -> Result<Invoice, Problem> {
    let id: InvoiceId = id.parse().map_err(|_| Problem::not_found())?;
    if !deps.store.may_see_invoices(caller.tenant(), caller.viewer()).await? {
        return Err(Problem::not_found());
    }
    deps.store.invoice(caller.tenant(), id).await?.ok_or_else(Problem::not_found)
}
