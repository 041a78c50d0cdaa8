//! `/_local/*`: what a person or a script wants to know about the local cloud. No function ever sees these paths.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::get;
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HOST, HeaderValue};
use portico_emulators::{Mailbox, Pool, Queues, Streams};
use serde_json::{Map, Value as Json, json};

use crate::docs;
use crate::host::Addresses;
use crate::malware::{Faults, ScanRequests};

/// Most mails in one answer.
const MAX_MAILS: usize = 100;

/// What is asked once everything is up.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) queues: Queues,
    pub(crate) streams: Streams,
    pub(crate) mailbox: Mailbox,
    pub(crate) scans: ScanRequests,
    /// What scans, for people.
    pub(crate) scanner: String,
    pub(crate) faults: Faults,
    /// Logical ids.
    pub(crate) functions: Vec<String>,
    /// Method, path and function.
    pub(crate) routes: Vec<(String, String, String)>,
    /// Where everything is.
    pub(crate) addresses: Addresses,
    /// Where everything is kept.
    pub(crate) data: PathBuf,
    /// What people sign in to.
    pub(crate) pool: Option<Pool>,
}

/// State of the console; its parts come when they are there.
#[derive(Clone, Debug)]
pub(crate) struct Console {
    pub(crate) parts: Arc<OnceLock<Parts>>,
    /// The document that the API is described by.
    pub(crate) openapi: PathBuf,
}

/// The console's routes.
pub(crate) fn router(console: Console) -> Router {
    Router::new()
        .route("/_local/health", get(health))
        .route("/_local/docs", get(docs::to_page))
        .route(docs::PATH, get(docs::page))
        .route("/_local/docs/{*part}", get(docs::part))
        .route(docs::DESCRIPTION, get(openapi))
        .route("/_local/mail", get(mail))
        .route("/_local/queues", get(queues))
        .route("/_local/malware", get(malware).put(set_malware))
        .route("/_local/{*rest}", get(nothing))
        .layer(middleware::from_fn(only_local_names))
        .with_state(console)
}

/// A page of another site may make a browser come here under that site's name (DNS rebinding), and would then be
/// allowed to read the answer. The name in `Host` gives it away.
async fn only_local_names(request: Request, next: Next) -> Response {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    if matches!(name, "127.0.0.1" | "localhost" | "[::1]") {
        return next.run(request).await;
    }
    answer(StatusCode::FORBIDDEN, &json!({ "message": "only under a name of this machine" }))
}

async fn health(State(console): State<Console>) -> Response {
    let Some(parts) = console.parts.get() else {
        return answer(StatusCode::SERVICE_UNAVAILABLE, &json!({ "status": "starting" }));
    };
    let queues = parts.queues.list().await.map(|queues| queues.len());
    let streams = parts.streams.tables().await.map(|tables| tables.len());
    let sound = queues.is_ok() && streams.is_ok();
    let routes: Vec<Json> = parts
        .routes
        .iter()
        .map(|(method, path, function)| json!({ "method": method, "path": path, "function": function }))
        .collect();
    let described = |count: Result<usize, String>| match count {
        Ok(count) => json!({ "ok": true, "count": count }),
        Err(error) => json!({ "ok": false, "error": error }),
    };
    let body = json!({
        "status": if sound { "ok" } else { "failing" },
        "addresses": parts.addresses,
        "data": parts.data,
        "sign_in": parts.pool.as_ref().map(|pool| json!({ "user_pool_id": pool.id, "client_id": pool.client_id })),
        "parts": {
            "queues": described(queues.map_err(|error| error.to_string())),
            "streams": described(streams.map_err(|error| error.to_string())),
            "functions": { "ok": true, "count": parts.functions.len(), "names": parts.functions },
            "routes": { "ok": true, "count": routes.len(), "routes": routes },
        },
    });
    answer(if sound { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, &body)
}

/// The description with this cloud as the first server, so that what is tried on the page comes here.
async fn openapi(State(console): State<Console>) -> Response {
    let absent = || answer(StatusCode::NOT_FOUND, &json!({ "message": "docs/openapi.json is not there" }));
    let Ok(text) = tokio::fs::read(&console.openapi).await else { return absent() };
    let Ok(mut document) = serde_json::from_slice::<Json>(&text) else { return absent() };
    if let Some(first) = document.pointer_mut("/servers/0") {
        *first = json!({ "url": "/", "description": "This local cloud" });
    }
    answer(StatusCode::OK, &document)
}

async fn mail(State(console): State<Console>) -> Response {
    let Some(parts) = console.parts.get() else {
        return answer(StatusCode::SERVICE_UNAVAILABLE, &json!({ "status": "starting" }));
    };
    match parts.mailbox.list(None, MAX_MAILS).await {
        Ok(mails) => answer(StatusCode::OK, &json!({ "mails": mails })),
        Err(error) => answer(StatusCode::INTERNAL_SERVER_ERROR, &json!({ "message": error.to_string() })),
    }
}

async fn queues(State(console): State<Console>) -> Response {
    let Some(parts) = console.parts.get() else {
        return answer(StatusCode::SERVICE_UNAVAILABLE, &json!({ "status": "starting" }));
    };
    match depths(&parts.queues).await {
        Ok(depths) => answer(StatusCode::OK, &json!({ "queues": depths })),
        Err(error) => answer(StatusCode::INTERNAL_SERVER_ERROR, &json!({ "message": error.to_string() })),
    }
}

async fn depths(queues: &Queues) -> Result<Map<String, Json>, portico_emulators::QueueError> {
    let mut depths = Map::new();
    for queue in queues.list().await? {
        let depth = queues.depth(&queue).await?;
        depths.insert(
            queue,
            json!({ "visible": depth.visible, "in_flight": depth.in_flight, "delayed": depth.delayed }),
        );
    }
    Ok(depths)
}

/// What scans, how many objects wait, and what goes wrong on demand.
async fn malware(State(console): State<Console>) -> Response {
    match console.parts.get() {
        Some(parts) => scans(parts).await,
        None => answer(StatusCode::SERVICE_UNAVAILABLE, &json!({ "status": "starting" })),
    }
}

/// Lets verdicts go wrong, as [`Faults`] has it. Another site's page cannot send a PUT without asking first, and nobody
/// answers it.
async fn set_malware(State(console): State<Console>, wish: Bytes) -> Response {
    let Some(parts) = console.parts.get() else {
        return answer(StatusCode::SERVICE_UNAVAILABLE, &json!({ "status": "starting" }));
    };
    match parts.faults.set(&wish) {
        Ok(()) => scans(parts).await,
        Err(error) => answer(StatusCode::BAD_REQUEST, &json!({ "message": error.to_string() })),
    }
}

async fn scans(parts: &Parts) -> Response {
    match parts.scans.waiting().await {
        Ok(waiting) => answer(
            StatusCode::OK,
            &json!({
                "scanner": parts.scanner,
                "plans": parts.scans.plans(),
                "waiting": waiting,
                "faults": parts.faults.shown(),
            }),
        ),
        Err(error) => answer(StatusCode::INTERNAL_SERVER_ERROR, &json!({ "message": error.to_string() })),
    }
}

async fn nothing() -> Response {
    answer(
        StatusCode::NOT_FOUND,
        &json!({ "message": "docs/, health, openapi.json, mail, malware and queues are here" }),
    )
}

fn answer(status: StatusCode, body: &Json) -> Response {
    respond(status, Body::from(body.to_string()))
}

fn respond(status: StatusCode, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
