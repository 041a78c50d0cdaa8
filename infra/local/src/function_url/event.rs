//! The event of a function URL: payload format 2.0.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{CONTENT_TYPE, COOKIE, HOST, USER_AGENT};
use http::request::Parts;
use jiff::Timestamp;
use serde_json::{Map, Value as Json, json};

use crate::identity;

pub(super) struct Request<'a> {
    pub(super) parts: &'a Parts,
    pub(super) body: &'a [u8],
    /// `host:port`
    pub(super) domain: &'a str,
    pub(super) peer: SocketAddr,
    pub(super) request_id: &'a str,
    pub(super) time: Timestamp,
    pub(super) trace_id: String,
}

pub(super) fn http_event(request: &Request<'_>) -> Json {
    let parts = request.parts;
    let uri = &parts.uri;
    let source_ip = request.peer.ip().to_string();
    let header = |name| parts.headers.get(name).and_then(|value: &http::HeaderValue| value.to_str().ok());

    let mut headers: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in &parts.headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        if *name == COOKIE {
            continue;
        }
        headers
            .entry(name.as_str().to_owned())
            .and_modify(|earlier| {
                earlier.push(',');
                earlier.push_str(&value);
            })
            .or_insert_with(|| value.into_owned());
    }
    headers.insert(HOST.as_str().to_owned(), request.domain.to_owned());
    headers.insert("x-amzn-trace-id".to_owned(), request.trace_id.clone());
    headers.insert("x-forwarded-for".to_owned(), source_ip.clone());
    headers.insert(
        "x-forwarded-port".to_owned(),
        request.domain.rsplit(':').next().unwrap_or_default().to_owned(),
    );
    headers.insert("x-forwarded-proto".to_owned(), "http".to_owned());

    let mut event = json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": uri.path(),
        "rawQueryString": uri.query().unwrap_or_default(),
        "headers": headers,
        "requestContext": {
            "accountId": "anonymous",
            "apiId": "local",
            "domainName": request.domain,
            "domainPrefix": "local",
            "http": {
                "method": parts.method.as_str(),
                "path": uri.path(),
                "protocol": "HTTP/1.1",
                "sourceIp": source_ip,
                "userAgent": header(&USER_AGENT),
            },
            "requestId": request.request_id,
            "routeKey": "$default",
            "stage": "$default",
            "time": identity::request_time(request.time),
            "timeEpoch": request.time.as_millisecond(),
        },
        "isBase64Encoded": false,
    });
    if let Some(event) = event.as_object_mut() {
        if let Some(query) = query_map(uri.query().unwrap_or_default()) {
            event.insert("queryStringParameters".to_owned(), Json::Object(query));
        }
        let cookies: Vec<&str> = parts
            .headers
            .get_all(COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split("; "))
            .collect();
        if !cookies.is_empty() {
            event.insert("cookies".to_owned(), json!(cookies));
        }
        if !request.body.is_empty() {
            let text = std::str::from_utf8(request.body).ok().filter(|_| is_text(header(&CONTENT_TYPE)));
            event.insert("isBase64Encoded".to_owned(), Json::Bool(text.is_none()));
            let body = text.map_or_else(|| STANDARD.encode(request.body), ToOwned::to_owned);
            event.insert("body".to_owned(), Json::String(body));
        }
    }
    event
}

/// Which media types travel as text; every other body is base64.
fn is_text(content_type: Option<&str>) -> bool {
    let media = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    let media = media.to_ascii_lowercase();
    media.starts_with("text/")
        || matches!(media.as_str(), "application/json" | "application/xml" | "application/javascript")
}

/// Decoded parameters; several values of one name are joined by commas.
fn query_map(query: &str) -> Option<Map<String, Json>> {
    let mut joined: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        joined
            .entry(name.into_owned())
            .and_modify(|earlier| {
                earlier.push(',');
                earlier.push_str(&value);
            })
            .or_insert_with(|| value.clone().into_owned());
    }
    (!joined.is_empty())
        .then(|| joined.into_iter().map(|(name, value)| (name, Json::String(value))).collect())
}
