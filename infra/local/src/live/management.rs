//! `@connections`: how functions reach browsers.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-how-to-call-websocket-api-connections.html>

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::Response;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, StatusCode};
use serde_json::{Value as Json, json};

use super::Live;
use super::connections::{Outgoing, SendError};
use crate::body;

/// `POST`: sends the body to the browser.
pub(super) async fn send(
    State(live): State<Arc<Live>>,
    Path(connection): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    if !signed(&headers) {
        return unsigned();
    }
    let Ok(body) = body::read(body, live.limits.message_bytes).await else {
        return refusal(StatusCode::PAYLOAD_TOO_LARGE, "PayloadTooLargeException", "Message too long");
    };
    let Ok(text) = String::from_utf8(body.to_vec()) else {
        return refusal(StatusCode::BAD_REQUEST, "BadRequestException", "The message is not text");
    };
    answer(live.connections.send(&connection, Outgoing::Text(text)), StatusCode::OK)
}

/// `DELETE`: closes the connection.
pub(super) async fn disconnect(
    State(live): State<Arc<Live>>,
    Path(connection): Path<String>,
    headers: HeaderMap,
) -> Response {
    if !signed(&headers) {
        return unsigned();
    }
    answer(live.connections.send(&connection, Outgoing::Close), StatusCode::NO_CONTENT)
}

/// `GET`: who it is and when it was last heard of.
pub(super) async fn describe(
    State(live): State<Arc<Live>>,
    Path(connection): Path<String>,
    headers: HeaderMap,
) -> Response {
    if !signed(&headers) {
        return unsigned();
    }
    match live.connections.describe(&connection) {
        Some((connection, last_active_at)) => json_response(
            StatusCode::OK,
            &json!({
                "connectedAt": connection.connected_at.to_string(),
                "identity": { "sourceIp": connection.source_ip, "userAgent": connection.user_agent },
                "lastActiveAt": last_active_at.to_string(),
            }),
        ),
        None => gone(),
    }
}

/// Whether a function's client signed the request. Only the key is looked at: a page in a browser has none, and
/// whoever has the machine has the key.
fn signed(headers: &HeaderMap) -> bool {
    let expected = format!("AWS4-HMAC-SHA256 Credential={}/", portico_emulators::ACCESS_KEY_ID);
    headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.starts_with(&expected))
}

fn unsigned() -> Response {
    refusal(StatusCode::FORBIDDEN, "MissingAuthenticationTokenException", "Missing Authentication Token")
}

fn gone() -> Response {
    refusal(StatusCode::GONE, "GoneException", "The connection is gone")
}

fn answer(outcome: Result<(), SendError>, success: StatusCode) -> Response {
    match outcome {
        Ok(()) => {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = success;
            response
        }
        Err(SendError::Gone) => gone(),
        Err(SendError::Full) => {
            refusal(StatusCode::TOO_MANY_REQUESTS, "LimitExceededException", "The connection is too slow")
        }
    }
}

/// An error in the shape that the SDK reads.
pub(super) fn refusal(status: StatusCode, kind: &'static str, message: &str) -> Response {
    let mut response = json_response(status, &json!({ "message": message }));
    response
        .headers_mut()
        .insert(HeaderName::from_static("x-amzn-errortype"), HeaderValue::from_static(kind));
    response
}

fn json_response(status: StatusCode, body: &Json) -> Response {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
