//! `/files/{fileId}?account=...`: where the links lead that agents have in Salesforce. The local stand-in until the web app
//! has this page.
//!
//! The page knows nothing of the file. Whoever opens it signs in, at the user pool and from the browser, and the API decides:
//! what is not theirs is not there.

use axum::Router;
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::get;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};

use crate::page::escape;

const PAGE: &str = include_str!("page.html");
const SCRIPT: &str = include_str!("script.js");
const STYLE: &str = include_str!("style.css");

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
pub(crate) fn routes(services: &Services<'_>) -> Router {
    let Services { api, cognito, client } = services;
    let html = PAGE
        .replace("{api}", &escape(api))
        .replace("{cognito}", &escape(cognito))
        .replace("{client}", &escape(client));
    // It asks these two and nobody else, runs what comes from here, and nobody may frame it.
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src {api} {cognito}; form-action 'none'; \
         base-uri 'none'; frame-ancestors 'none'"
    );
    let policy = HeaderValue::from_str(&policy).ok();
    Router::new()
        .route("/files/{file}", get(move || async move { page(html, policy) }))
        .route("/open-file/script.js", get(|| async { part("text/javascript; charset=utf-8", SCRIPT) }))
        .route("/open-file/style.css", get(|| async { part("text/css; charset=utf-8", STYLE) }))
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
