//! What happens around every route: the request log, and the last touch to refusals.

use std::time::Instant;

use axum::{
    Router,
    extract::Request,
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use http::{HeaderName, HeaderValue, header};
use tracing::Instrument;

use crate::{Kind, Problem, origin, record::Slot};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Puts the shared outside around a function's routes: one log line a request, refusals that name their
/// request and go into the audit trail, and answers that nobody caches or sniffs.
pub fn finish(routes: Router) -> Router {
    routes
        .fallback(|| async { Problem::new(Kind::NoSuchRoute).because("There is no such path.") })
        .method_not_allowed_fallback(|| async {
            Problem::new(Kind::MethodNotAllowed).because("The path exists, but not with this method.")
        })
        .layer(middleware::from_fn(around))
}

async fn around(mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let request_id = origin::request_id(request.extensions());
    let route = origin::pattern(request.extensions()).to_owned();
    let method = request.method().clone();
    // No query, no body, no token, no name: ids of records are enough to find out what happened.
    let span = tracing::info_span!(
        "request",
        %request_id,
        %method,
        route,
        account = tracing::field::Empty,
        user = tracing::field::Empty,
    );
    let received_at = origin::received_at(request.extensions());
    let slot = Slot::default();
    request.extensions_mut().insert(slot.clone());
    let mut response = next.run(request).instrument(span.clone()).await;
    let problem = response.extensions_mut().remove::<Problem>();
    if let Some(problem) = &problem {
        slot.record(problem.kind(), received_at).instrument(span.clone()).await;
    }
    let outcome = problem.as_ref().map_or("ok", |problem| problem.kind().slug());
    if let Some(problem) = problem {
        response = problem.respond(request_id.clone()).into_response();
    }
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Ok(value) = HeaderValue::try_from(&request_id) {
        headers.insert(REQUEST_ID, value);
    }
    let milliseconds = started.elapsed().as_millis();
    let replayed = headers.contains_key("idempotency-replayed");
    span.in_scope(|| {
        tracing::info!(status = response.status().as_u16(), outcome, replayed, milliseconds, "answered");
    });
    response
}
