//! `/files/{fileId}?account=...`: where the links lead that agents have in Salesforce. The local stand-in until the web app
//! has this page.
//!
//! The page knows nothing of the file. Whoever opens it signs in, at the user pool and from the browser, and the API decides:
//! what is not theirs is not there. The API is asked by this host, as the web app's server does: it answers no browser.

use std::time::Duration;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::get;
use http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue,
    REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::page::escape;

const PAGE: &str = include_str!("page.html");
const SCRIPT: &str = include_str!("script.js");
const STYLE: &str = include_str!("style.css");

/// How long the API may take.
const ANSWER_LONGEST: Duration = Duration::from_secs(30);

/// What the page asks.
#[derive(Clone, Debug)]
pub(crate) struct Services<'a> {
    /// The API.
    pub(crate) api: &'a str,
    /// Where people sign in.
    pub(crate) cognito: &'a str,
    /// As which client of the user pool.
    pub(crate) client: &'a str,
}

/// The page and what it loads.
pub(crate) fn routes(services: &Services<'_>, http: reqwest::Client) -> Router {
    let Services { api, cognito, client } = services;
    let html = PAGE.replace("{cognito}", &escape(cognito)).replace("{client}", &escape(client));
    // It asks this host and the user pool and nobody else, runs what comes from here, and nobody may frame it.
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self' {cognito}; form-action 'none'; \
         base-uri 'none'; frame-ancestors 'none'"
    );
    let policy = HeaderValue::from_str(&policy).ok();
    Router::new()
        .route("/files/{file}", get(move || async move { page(html, policy) }))
        .route("/open-file/script.js", get(|| async { part("text/javascript; charset=utf-8", SCRIPT) }))
        .route("/open-file/style.css", get(|| async { part("text/css; charset=utf-8", STYLE) }))
        .route("/open-file/files/{file}", get(ask))
        .with_state(Api { http, address: (*api).to_owned() })
}

/// The API, and how it is reached.
#[derive(Clone)]
struct Api {
    http: reqwest::Client,
    address: String,
}

#[derive(Deserialize, Serialize)]
struct Account {
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<String>,
}

/// Asks the API for a file, with the token of whoever asks here, and brings its answer back as it is.
async fn ask(
    State(api): State<Api>,
    Path(file): Path<String>,
    Query(account): Query<Account>,
    headers: HeaderMap,
) -> Response {
    let unavailable = StatusCode::BAD_GATEWAY;
    let Ok(mut url) = Url::parse(&api.address) else { return unavailable.into_response() };
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().extend(["files", &file]);
    }
    let mut request = api.http.get(url).query(&account).timeout(ANSWER_LONGEST);
    if let Some(token) = headers.get(AUTHORIZATION) {
        request = request.header(AUTHORIZATION, token);
    }
    let Ok(answer) = request.send().await else { return unavailable.into_response() };
    let (status, content_type) = (answer.status(), answer.headers().get(CONTENT_TYPE).cloned());
    let Ok(body) = answer.bytes().await else { return unavailable.into_response() };
    let mut response = (status, body).into_response();
    let content_type = content_type.unwrap_or(HeaderValue::from_static("application/octet-stream"));
    response.headers_mut().extend(plain(content_type));
    response
}

fn page(html: String, policy: Option<HeaderValue>) -> Response {
    let mut response = Html(html).into_response();
    let headers = response.headers_mut();
    headers.extend(policy.map(|policy| (CONTENT_SECURITY_POLICY, policy)));
    headers.extend(plain(HeaderValue::from_static("text/html; charset=utf-8")));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

fn part(content_type: &'static str, content: &'static str) -> Response {
    let mut response = content.into_response();
    response.headers_mut().extend(plain(HeaderValue::from_static(content_type)));
    response
}

/// What browsers are told of everything here: it is what it says, and it is not kept.
fn plain(content_type: HeaderValue) -> [(HeaderName, HeaderValue); 3] {
    [
        (CONTENT_TYPE, content_type),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ]
}
