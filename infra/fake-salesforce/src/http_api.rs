//! The REST API over HTTP: faults, session, limits, then [`rest::answer`] in one transaction.

use std::{sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use serde_json::Value;
use tokio::time::sleep;

use crate::{
    error::ApiError,
    faults::Effect,
    org::Org,
    records::Unit,
    requests::{LoggedRequest, RequestKind},
    rest::{self, Call, Context, Reply},
    server::HangUp,
    store::Outcome,
};

/// Largest request body.
pub(crate) const BODY_MAX: usize = 6 * 1024 * 1024;
/// Longest URI, as in Salesforce.
const URI_MAX: usize = 16_384;
/// Page sizes that a client may ask for.
const BATCH_RANGE: (usize, usize) = (200, 2_000);

/// Wraps every request below `/services` and `/console`: applies faults and writes the log.
pub(crate) async fn observe(
    State(org): State<Arc<Org>>,
    request: Request,
    next: axum::middleware::Next,
) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let response = match org.faults.hit(&method, &path) {
        None => next.run(request).await,
        Some(effect) => suffer(effect, request, next).await,
    };
    if path.starts_with("/services/") {
        let hung_up = response.extensions().get::<HangUp>().is_some();
        org.requests.add(LoggedRequest {
            at_ms: org.clock.now().as_millisecond(),
            kind: RequestKind::of(&method, &path),
            method: method.to_string(),
            path,
            status: (!hung_up).then(|| response.status().as_u16()),
        });
    }
    response
}

async fn suffer(effect: Effect, request: Request, next: axum::middleware::Next) -> Response {
    let pause = |ms: u32| sleep(Duration::from_millis(u64::from(ms)));
    match effect {
        Effect::Latency { ms } => {
            pause(ms).await;
            next.run(request).await
        }
        Effect::CommitThenHang { ms } => {
            next.run(request).await;
            pause(ms).await;
            hang_up()
        }
        Effect::Hang { ms } => {
            pause(ms).await;
            hang_up()
        }
        Effect::Down => hang_up(),
        Effect::ServerError => refusal(&ApiError::new(
            500,
            "UNKNOWN_EXCEPTION",
            "An unexpected error occurred. Please include this ErrorId if you contact support: 1234567890-12345",
        )),
        Effect::HtmlUnavailable => {
            let page = "<html><head><title>Server Unavailable</title></head><body><h1>We are down for maintenance.</h1></body></html>";
            (StatusCode::SERVICE_UNAVAILABLE, [(header::CONTENT_TYPE, "text/html; charset=UTF-8")], page)
                .into_response()
        }
        Effect::EmptyUnavailable => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        Effect::InvalidSession => refusal(&ApiError::invalid_session()),
        Effect::RequestLimit => refusal(&ApiError::request_limit()),
        Effect::Forbidden => refusal(&ApiError::new(
            403,
            "INSUFFICIENT_ACCESS_OR_READONLY",
            "insufficient access rights on object id",
        )),
        Effect::LockRow => {
            refusal(&ApiError::bad("UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record"))
        }
        Effect::Error { status, code, message } => {
            let body = serde_json::json!([{"message": message, "errorCode": code}]);
            json_response(status, Some(&body))
        }
    }
}

fn hang_up() -> Response {
    let mut response = StatusCode::SERVICE_UNAVAILABLE.into_response();
    response.extensions_mut().insert(HangUp);
    response
}

/// Answers everything below `/services/data`.
pub(crate) async fn data(State(org): State<Arc<Org>>, request: Request) -> Response {
    let now = org.clock.now();
    let settings = org.settings();
    if !bearer(request.headers())
        .is_some_and(|token| org.sessions.accepts(token, now, settings.session_seconds))
    {
        return refusal(&ApiError::invalid_session());
    }
    if request.uri().path_and_query().is_some_and(|uri| uri.as_str().len() > URI_MAX) {
        return (StatusCode::URI_TOO_LONG, "URI Too Long").into_response();
    }
    let (calls, allowed) = org.count_call();
    let usage = (calls, settings.daily_api_limit);
    let mut response = if allowed {
        match serve(&org, request, usage).await {
            Ok(reply) => respond(&reply),
            Err(error) => refusal(&error),
        }
    } else {
        refusal(&ApiError::request_limit())
    };
    if let Ok(value) = HeaderValue::from_str(&format!("api-usage={calls}/{}", settings.daily_api_limit)) {
        response.headers_mut().insert("sforce-limit-info", value);
    }
    response
}

async fn serve(org: &Arc<Org>, request: Request, usage: (u32, u32)) -> Result<Reply, ApiError> {
    let (parts, body) = request.into_parts();
    let has_body = matches!(parts.method, Method::POST | Method::PATCH);
    let body = if has_body { read_json(&parts.headers, body).await? } else { Value::Null };
    let call = Call {
        method: parts.method,
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        body,
    };
    let settings = org.settings();
    let batch = batch_size(&parts.headers).map_or(settings.query_batch_size, |asked| {
        // An org that was told to answer short pages does so whatever the client asks for.
        asked.min(settings.query_batch_size)
    });
    let shared = Arc::clone(org);
    let reply = org
        .store
        .run(move |transaction| {
            let context = Context {
                unit: Unit::new(transaction, shared.clock.now(), shared.integration_actor()),
                cursors: &shared.cursors,
                batch: batch.max(1),
                empty_upsert_answers: settings.empty_upsert_answers,
                usage,
            };
            let reply = rest::answer(&context, &call);
            let outcome = if reply.succeeded() { Outcome::Commit } else { Outcome::Rollback };
            (reply, outcome)
        })
        .await?;
    org.outbound_wake.notify_one();
    Ok(reply)
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("Bearer") || scheme.eq_ignore_ascii_case("OAuth")).then(|| token.trim())
}

/// `Sforce-Query-Options: batchSize=500`
fn batch_size(headers: &HeaderMap) -> Option<usize> {
    let options = headers.get("sforce-query-options")?.to_str().ok()?;
    let (_, size) = options.split_once("batchSize=")?;
    let size: usize = size.trim().parse().ok()?;
    Some(size.clamp(BATCH_RANGE.0, BATCH_RANGE.1))
}

async fn read_json(headers: &HeaderMap, body: Body) -> Result<Value, ApiError> {
    let bytes = Limited::new(body, BODY_MAX).collect().await.map_err(|_| {
        ApiError::new(413, "REQUEST_TOO_LARGE", format!("the body is longer than {BODY_MAX} bytes"))
    })?;
    let bytes = bytes.to_bytes();
    if bytes.is_empty() {
        return Ok(Value::Null);
    }
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !kind.to_ascii_lowercase().starts_with("application/json") {
        return Err(ApiError::new(
            415,
            "UNSUPPORTED_MEDIA_TYPE",
            "Content type specified on the request is not supported. Supported: application/json",
        ));
    }
    serde_json::from_slice(&bytes).map_err(|error| {
        let message = format!("Unexpected character at [line:{}, column:{}]", error.line(), error.column());
        ApiError::bad("JSON_PARSER_ERROR", message)
    })
}

fn refusal(error: &ApiError) -> Response {
    json_response(error.status, Some(&error.body()))
}

fn respond(reply: &Reply) -> Response {
    let mut response = json_response(reply.status, reply.body.as_ref());
    if let Some(location) = reply.location.as_deref().and_then(|text| HeaderValue::from_str(text).ok()) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

fn json_response(status: u16, body: Option<&Value>) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    match body {
        Some(body) => (status, [(header::CONTENT_TYPE, "application/json;charset=UTF-8")], body.to_string())
            .into_response(),
        None => status.into_response(),
    }
}
