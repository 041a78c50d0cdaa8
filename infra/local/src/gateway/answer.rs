//! A function's proxy answer, read as strictly as the gateway reads it.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::Value as Json;

/// Why an answer is none. AWS logs "Malformed Lambda proxy response" and answers 502.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    /// Not the JSON of a proxy answer.
    #[error("malformed proxy answer: {0}")]
    Shape(#[from] serde_json::Error),
    /// Not a status.
    #[error("malformed proxy answer: {0} is not a status code")]
    Status(u16),
    /// Not a header.
    #[error("malformed proxy answer: the header `{0}` has no plain value")]
    Header(String),
    /// Says base64 and is not.
    #[error("malformed proxy answer: the body is not base64")]
    Base64,
}

/// `statusCode`, `headers`, `multiValueHeaders`, `body`, `isBase64Encoded` and nothing else.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ProxyAnswer {
    status_code: u16,
    #[serde(default)]
    headers: Option<BTreeMap<String, Json>>,
    #[serde(default)]
    multi_value_headers: Option<BTreeMap<String, Vec<Json>>>,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: bool,
}

/// Headers that are the gateway's own business; it passes a function's on under another name.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-known-issues.html>
const REMAPPED: &[&str] =
    &["connection", "content-length", "date", "host", "server", "upgrade", "www-authenticate"];

/// Headers that end here.
const DROPPED: &[&str] = &["keep-alive", "te", "trailer", "transfer-encoding"];

/// Reads a function's answer. `decodes` tells whether a base64 body is decoded: only where the API has binary media
/// types that fit; otherwise the base64 text goes out as it is.
pub(super) fn read(json: &str, decodes: bool) -> Result<Response, AnswerError> {
    let answer: ProxyAnswer = serde_json::from_str(json)?;
    let status = StatusCode::from_u16(answer.status_code)
        .ok()
        .filter(|status| (200..=599).contains(&status.as_u16()))
        .ok_or(AnswerError::Status(answer.status_code))?;
    let mut headers = HeaderMap::new();
    for (name, value) in answer.headers.unwrap_or_default() {
        append(&mut headers, &name, &value)?;
    }
    // Where both name a header, the list wins.
    for (name, values) in answer.multi_value_headers.unwrap_or_default() {
        if let Ok(name) = HeaderName::from_bytes(name.as_bytes()) {
            headers.remove(&name);
        }
        for value in &values {
            append(&mut headers, &name, value)?;
        }
    }
    let body = match answer.body {
        Some(text) if answer.is_base64_encoded && decodes => {
            Body::from(STANDARD.decode(text).map_err(|_| AnswerError::Base64)?)
        }
        Some(text) => Body::from(text),
        None => Body::empty(),
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
    *response.headers_mut() = headers;
    Ok(response)
}

fn append(headers: &mut HeaderMap, name: &str, value: &Json) -> Result<(), AnswerError> {
    let refuse = || AnswerError::Header(name.to_owned());
    let lower = name.to_ascii_lowercase();
    if DROPPED.contains(&lower.as_str()) {
        return Ok(());
    }
    let name = if REMAPPED.contains(&lower.as_str()) { format!("x-amzn-remapped-{lower}") } else { lower };
    let value = match value {
        Json::String(text) => text.clone(),
        Json::Number(number) => number.to_string(),
        Json::Bool(value) => value.to_string(),
        _ => return Err(refuse()),
    };
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| refuse())?;
    headers.append(name, HeaderValue::from_str(&value).map_err(|_| refuse())?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn malformed_answers_are_refused() {
        for json in [
            "null",
            "\"text\"",
            "{}",
            r#"{"statusCode":"200"}"#,
            r#"{"statusCode":99}"#,
            r#"{"statusCode":600}"#,
            r#"{"statusCode":200,"body":{}}"#,
            r#"{"statusCode":200,"extra":1}"#,
            r#"{"statusCode":200,"headers":{"a":["b"]}}"#,
            r#"{"statusCode":200,"headers":{"a":"b\nc"}}"#,
            r#"{"statusCode":200,"headers":{"a b":"c"}}"#,
        ] {
            assert!(read(json, false).is_err(), "{json}");
        }
        assert!(read(r#"{"statusCode":200,"body":"%%","isBase64Encoded":true}"#, true).is_err());
        assert!(read(r#"{"statusCode":200,"body":"%%","isBase64Encoded":true}"#, false).is_ok());
    }

    #[test]
    fn headers_follow_the_gateways_rules() {
        let answer = read(
            r#"{"statusCode":204,"headers":{"A":"1","B":2,"Content-Length":"7","Transfer-Encoding":"chunked"},
                "multiValueHeaders":{"a":["3","4"]}}"#,
            false,
        )
        .unwrap();
        let headers = answer.headers();
        assert_eq!(headers.get_all("a").iter().collect::<Vec<_>>(), ["3", "4"]);
        assert_eq!(headers["b"], "2");
        assert_eq!(headers["x-amzn-remapped-content-length"], "7");
        assert_eq!(headers["content-type"], "application/json");
        assert!(!headers.contains_key("transfer-encoding"));
    }
}
