//! A function's answer in payload format 2.0.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue, SET_COOKIE, TRANSFER_ENCODING};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::Value as Json;

/// Why an answer is none; the caller sees 502.
#[derive(Debug, thiserror::Error)]
pub(super) enum AnswerError {
    #[error("the answer has not the shape of payload format 2.0: {0}")]
    Shape(#[from] serde_json::Error),
    #[error("{0} is not a status code")]
    Status(u16),
    #[error("the header `{0}` has no plain value")]
    Header(String),
    #[error("the body is not base64")]
    Base64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Structured {
    status_code: u16,
    #[serde(default)]
    headers: Option<BTreeMap<String, Json>>,
    #[serde(default)]
    cookies: Option<Vec<String>>,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: bool,
}

/// An object with `statusCode` is read; any other JSON is itself the body of a 200.
pub(super) fn read(payload: &str) -> Result<Response, AnswerError> {
    let json: Json = serde_json::from_str(payload)?;
    if json.get("statusCode").is_none() {
        let body = match json {
            Json::String(text) => text,
            other => other.to_string(),
        };
        let mut response = Response::new(Body::from(body));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        return Ok(response);
    }
    let answer: Structured = serde_json::from_value(json)?;
    let status = StatusCode::from_u16(answer.status_code)
        .ok()
        .filter(|status| (200..=599).contains(&status.as_u16()))
        .ok_or(AnswerError::Status(answer.status_code))?;
    let mut headers = HeaderMap::new();
    for (name, value) in answer.headers.unwrap_or_default() {
        let refuse = || AnswerError::Header(name.clone());
        let text = match &value {
            Json::String(text) => text.clone(),
            Json::Number(_) | Json::Bool(_) => value.to_string(),
            _ => return Err(refuse()),
        };
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| refuse())?;
        // The length of the body is told by the server that sends it.
        if name != CONTENT_LENGTH && name != TRANSFER_ENCODING {
            headers.insert(name, HeaderValue::from_str(&text).map_err(|_| refuse())?);
        }
    }
    for cookie in answer.cookies.unwrap_or_default() {
        let value =
            HeaderValue::from_str(&cookie).map_err(|_| AnswerError::Header(SET_COOKIE.to_string()))?;
        headers.append(SET_COOKIE, value);
    }
    headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
    let body = match answer.body {
        Some(text) if answer.is_base64_encoded => {
            Body::from(STANDARD.decode(text).map_err(|_| AnswerError::Base64)?)
        }
        Some(text) => Body::from(text),
        None => Body::empty(),
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(response)
}
