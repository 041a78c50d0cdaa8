//! The REST API below `/services/data`, as plain functions inside one transaction.
//!
//! A call is a method, a path, a query string and a JSON body. The HTTP layer and the composite resources
//! both come through [`answer`], so that a subrequest behaves like a request.

mod composite;
mod describe;
mod query;
mod replication;
mod sobjects;

use http::Method;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

pub(crate) use query::Cursors;

use crate::{error::ApiError, records::Unit};

/// Oldest and newest API version that is served.
const VERSIONS: std::ops::RangeInclusive<u32> = 41..=67;

/// What the calls of one HTTP request share.
pub(crate) struct Context<'c> {
    pub unit: Unit<'c>,
    pub cursors: &'c Cursors,
    /// Records per page unless the client asks for another size.
    pub batch: usize,
    /// Answer 204 without a body to an upsert that updated, as older versions do.
    pub empty_upsert_answers: bool,
    /// API calls today, and allowed.
    pub usage: (u32, u32),
}

/// One call.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub method: Method,
    /// As sent, percent-encoded, with `/services/data/...`.
    pub path: String,
    /// As sent, without the question mark.
    pub query: String,
    pub body: Value,
}

/// The answer to one call.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Reply {
    pub status: u16,
    pub body: Option<Value>,
    /// Where a created record is.
    pub location: Option<String>,
}

impl Reply {
    fn ok(body: Value) -> Reply {
        Reply { status: 200, body: Some(body), location: None }
    }

    fn empty() -> Reply {
        Reply { status: 204, body: None, location: None }
    }

    /// True when what the call wrote is kept.
    pub(crate) fn succeeded(&self) -> bool {
        self.status < 300
    }
}

impl From<ApiError> for Reply {
    fn from(error: ApiError) -> Reply {
        Reply { status: error.status, body: Some(error.body()), location: None }
    }
}

/// The version in a path, e.g. `v66.0`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Version {
    text: String,
    number: u32,
}

impl Version {
    fn parse(segment: &str) -> Option<Version> {
        let number: u32 = segment.strip_prefix('v')?.strip_suffix(".0")?.parse().ok()?;
        VERSIONS.contains(&number).then(|| Version { text: segment.to_owned(), number })
    }
}

/// Answers one call.
pub(crate) fn answer(context: &Context<'_>, call: &Call) -> Reply {
    route(context, call, Depth::Request).unwrap_or_else(Reply::from)
}

/// Whether a call came over HTTP or inside a composite one, which may not nest.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Depth {
    Request,
    Subrequest,
}

fn route(context: &Context<'_>, call: &Call, depth: Depth) -> Result<Reply, ApiError> {
    let segments = segments(&call.path)?;
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let (version, resource) = match segments.as_slice() {
        ["services", "data"] => return only(call, "GET", || Ok(Reply::ok(versions()))),
        ["services", "data", version, resource @ ..] => {
            (Version::parse(version).ok_or_else(ApiError::not_found)?, resource)
        }
        _ => return Err(ApiError::not_found()),
    };
    match resource {
        [] => only(call, "GET", || Ok(Reply::ok(resources(&version)))),
        ["limits"] => only(call, "GET", || Ok(Reply::ok(limits(context)))),
        ["query"] => only(call, "GET", || query::first(context, call, &version, false)),
        ["queryAll"] => only(call, "GET", || query::first(context, call, &version, true)),
        ["query" | "queryAll", locator] => only(call, "GET", || query::more(context, &version, locator)),
        ["sobjects", rest @ ..] => sobjects::route(context, call, &version, rest),
        ["composite", rest @ ..] if depth == Depth::Request => composite::route(context, call, rest),
        _ => Err(ApiError::not_found()),
    }
}

fn only(
    call: &Call,
    method: &str,
    serve: impl FnOnce() -> Result<Reply, ApiError>,
) -> Result<Reply, ApiError> {
    if call.method.as_str() == method {
        serve()
    } else {
        Err(ApiError::method_not_allowed(&call.method, method))
    }
}

/// Decoded path segments; empty ones (a trailing slash) are dropped.
fn segments(path: &str) -> Result<Vec<String>, ApiError> {
    path.split('/')
        .filter(|segment| !segment.is_empty())
        .map(|segment| {
            percent_decode_str(segment)
                .decode_utf8()
                .map(|text| text.into_owned())
                .map_err(|_| ApiError::not_found())
        })
        .collect()
}

/// The first value of a query parameter.
fn parameter(call: &Call, name: &str) -> Option<String> {
    url::form_urlencoded::parse(call.query.as_bytes())
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
}

fn versions() -> Value {
    VERSIONS
        .map(|number| {
            json!({
                "label": format!("Release {number}"),
                "url": format!("/services/data/v{number}.0"),
                "version": format!("{number}.0"),
            })
        })
        .collect()
}

fn resources(version: &Version) -> Value {
    let url = |name: &str| format!("/services/data/{}/{name}", version.text);
    json!({
        "composite": url("composite"),
        "limits": url("limits"),
        "query": url("query"),
        "queryAll": url("queryAll"),
        "sobjects": url("sobjects"),
    })
}

fn limits(context: &Context<'_>) -> Value {
    let (used, allowed) = context.usage;
    json!({"DailyApiRequests": {"Max": allowed, "Remaining": allowed.saturating_sub(used)}})
}
