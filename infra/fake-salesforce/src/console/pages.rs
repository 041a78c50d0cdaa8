//! The routes: pages, and forms that answer with a redirect.

use std::sync::Arc;

use askama::Template;
use axum::{
    Form, Router,
    extract::{Path, Query, State},
    middleware::{self, Next},
    response::{Html, IntoResponse, Redirect, Response},
    routing::{get, post},
};
use http::{HeaderValue, Method, StatusCode, header};
use rusqlite::Connection;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::view::{self, Draft, Filter, Show};
use crate::{
    demo::{AGENT_NAME, AGENT_USER_ID},
    error::ApiError,
    id::RecordId,
    org::Org,
    records::{self, Unit},
    schema::Object,
    store::Outcome,
};

/// The style sheet.
const STYLE: &str = include_str!("style.css");
/// Nothing but the console's own style sheet is loaded, and nobody may frame it.
const CONTENT_POLICY: &str =
    "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The console's routes.
pub(crate) fn routes() -> Router<Arc<Org>> {
    Router::new()
        .route("/", get(|| async { Redirect::to("/console") }))
        .route("/console", get(list))
        .route("/console/style.css", get(style))
        .route("/console/cases/{id}", get(case))
        .route("/console/cases/{id}/take", post(take))
        .route("/console/cases/{id}/status", post(change_status))
        .route("/console/cases/{id}/close", post(close))
        .route("/console/cases/{id}/comments", post(add_comment))
        .route("/console/cases/{id}/time", post(log_time))
        .layer(middleware::from_fn(guard))
}

/// Refuses forms that another site sends, and sets the headers of every page.
async fn guard(request: axum::extract::Request, next: Next) -> Response {
    let site = request.headers().get("sec-fetch-site").map(HeaderValue::as_bytes);
    let foreign = !matches!(site, None | Some(b"same-origin" | b"none"));
    if request.method() == Method::POST && foreign {
        return StatusCode::FORBIDDEN.into_response();
    }
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CONTENT_POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    response
}

async fn style() -> Response {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], STYLE).into_response()
}

#[derive(Debug, Default, Deserialize)]
struct FilterQuery {
    #[serde(default)]
    show: Show,
    #[serde(default)]
    account: String,
}

impl From<FilterQuery> for Filter {
    fn from(query: FilterQuery) -> Filter {
        let account = RecordId::parse(&query.account).ok();
        Filter { show: query.show, account }
    }
}

async fn list(State(org): State<Arc<Org>>, Query(query): Query<FilterQuery>) -> Response {
    page(&org, query.into(), None, None, Draft::default()).await
}

async fn case(
    State(org): State<Arc<Org>>,
    Path(id): Path<String>,
    Query(query): Query<FilterQuery>,
) -> Response {
    match RecordId::parse(&id) {
        Ok(id) => page(&org, query.into(), Some(id), None, Draft::default()).await,
        Err(_) => missing(),
    }
}

async fn take(
    State(org): State<Arc<Org>>,
    Path(id): Path<String>,
    Query(query): Query<FilterQuery>,
) -> Response {
    let work = |unit: &Unit<'_>, id: &RecordId| {
        let case = object("Case")?;
        let row = records::live(unit, case, id)?;
        let mut change = fields(json!({"OwnerId": AGENT_USER_ID}));
        // Taking a new case is the start of the work on it.
        if row.get("Status") == Some(&rusqlite::types::Value::Text("New".to_owned())) {
            change.insert("Status".to_owned(), json!("Working"));
        }
        records::update(unit, case, id, &change)
    };
    act(&org, &id, query.into(), Draft::default(), work).await
}

#[derive(Deserialize)]
struct StatusForm {
    status: String,
}

async fn change_status(
    State(org): State<Arc<Org>>,
    Path(id): Path<String>,
    Query(query): Query<FilterQuery>,
    Form(form): Form<StatusForm>,
) -> Response {
    let work = move |unit: &Unit<'_>, id: &RecordId| {
        records::update(unit, object("Case")?, id, &fields(json!({"Status": form.status})))
    };
    act(&org, &id, query.into(), Draft::default(), work).await
}

async fn close(
    State(org): State<Arc<Org>>,
    Path(id): Path<String>,
    Query(query): Query<FilterQuery>,
) -> Response {
    let work = |unit: &Unit<'_>, id: &RecordId| {
        records::update(unit, object("Case")?, id, &fields(json!({"Status": "Closed"})))
    };
    act(&org, &id, query.into(), Draft::default(), work).await
}

#[derive(Deserialize)]
struct CommentForm {
    body: String,
    /// Present when the box is checked.
    public: Option<String>,
}

async fn add_comment(
    State(org): State<Arc<Org>>,
    Path(id): Path<String>,
    Query(query): Query<FilterQuery>,
    Form(form): Form<CommentForm>,
) -> Response {
    let draft = Draft { comment: form.body.clone(), ..Draft::default() };
    let work = move |unit: &Unit<'_>, id: &RecordId| {
        // Browsers send line ends as CR LF.
        let body = form.body.replace("\r\n", "\n").trim().to_owned();
        if body.is_empty() {
            return Err(ApiError::bad("REQUIRED_FIELD_MISSING", "The comment is empty."));
        }
        records::live(unit, object("Case")?, id)?;
        let comment =
            json!({"ParentId": id.as_str(), "CommentBody": body, "IsPublished": form.public.is_some()});
        records::create(unit, object("CaseComment")?, &fields(comment))?;
        Ok(())
    };
    act(&org, &id, query.into(), draft, work).await
}

#[derive(Deserialize)]
struct TimeForm {
    date: String,
    minutes: String,
    role: String,
    description: String,
    /// Present when the box is checked.
    billable: Option<String>,
}

async fn log_time(
    State(org): State<Arc<Org>>,
    Path(id): Path<String>,
    Query(query): Query<FilterQuery>,
    Form(form): Form<TimeForm>,
) -> Response {
    let draft = Draft {
        minutes: form.minutes.clone(),
        role: form.role.clone(),
        work: form.description.clone(),
        ..Draft::default()
    };
    let work =
        move |unit: &Unit<'_>, id: &RecordId| {
            /// Minutes of a day.
            const MINUTES: std::ops::RangeInclusive<u32> = 1..=1_440;
            let minutes: u32 =
                form.minutes.trim().parse().ok().filter(|minutes| MINUTES.contains(minutes)).ok_or_else(
                    || ApiError::bad("INVALID_INPUT", "Minutes: a whole number from 1 to 1440."),
                )?;
            let entry = json!({
                "Case__c": id.as_str(),
                "Work_Date__c": form.date.trim(),
                "Minutes__c": minutes,
                "Role__c": form.role.trim(),
                "Description__c": form.description.replace("\r\n", "\n").trim(),
                "Person__c": AGENT_NAME,
                "Billable__c": form.billable.is_some(),
            });
            records::create(unit, object("Time_Entry__c")?, &fields(entry))?;
            Ok(())
        };
    act(&org, &id, query.into(), draft, work).await
}

/// Makes a change as the agent and leads back to the case; a refusal shows the page again with what was typed.
async fn act(
    org: &Arc<Org>,
    id: &str,
    filter: Filter,
    draft: Draft,
    work: impl FnOnce(&Unit<'_>, &RecordId) -> Result<(), ApiError> + Send + 'static,
) -> Response {
    let Some(id) = RecordId::parse(id).ok().filter(|id| id.prefix() == "500") else { return missing() };
    let (now, actor, case) = (org.clock.now(), org.agent_actor(), id.clone());
    let done = org.store.run(move |transaction| match work(&Unit::new(transaction, now, actor), &case) {
        Ok(()) => (Ok(()), Outcome::Commit),
        Err(error) => (Err(error), Outcome::Rollback),
    });
    match done.await {
        Ok(Ok(())) => {
            org.outbound_wake.notify_one();
            Redirect::to(&format!("/console/cases/{id}?{}", filter.query())).into_response()
        }
        Ok(Err(error)) | Err(error) if error.status == 404 => missing(),
        Ok(Err(error)) | Err(error) => {
            let mut response = page(org, filter, Some(id), Some(error.message), draft).await;
            if response.status() == StatusCode::OK {
                *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
            }
            response
        }
    }
}

async fn page(
    org: &Arc<Org>,
    filter: Filter,
    case: Option<RecordId>,
    problem: Option<String>,
    draft: Draft,
) -> Response {
    let now = org.clock.now();
    let read =
        move |connection: &Connection| view::read(connection, now, filter, case.as_ref(), problem, draft);
    let rendered = org.store.run(move |transaction| (read(transaction), Outcome::Rollback)).await;
    match rendered.and_then(|console| console).map(|console| console.render()) {
        Ok(Ok(html)) => ([(header::CACHE_CONTROL, "no-store")], Html(html)).into_response(),
        Ok(Err(error)) => {
            tracing::error!(%error, "a page cannot be rendered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
        Err(error) if error.status == 404 => missing(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

fn missing() -> Response {
    (StatusCode::NOT_FOUND, Html("<!doctype html><title>Not found</title><p>There is no such case. <a href=\"/console\">All cases</a>"))
        .into_response()
}

fn object(name: &str) -> Result<&'static Object, ApiError> {
    Object::named(name).ok_or_else(ApiError::not_found)
}

fn fields(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
