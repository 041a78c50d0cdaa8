//! Accepting connections. Unlike `axum::serve`, a handler can close its connection without an answer.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{Router, body::Body, middleware, response::Response};
use http::Request;
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use tokio::{
    net::TcpListener,
    sync::watch,
    task::JoinSet,
    time::{sleep, timeout},
};
use tower::Service;

use crate::{console, control, http_api, oauth, org::Org};

/// How long a client may take to send its headers.
const HEADERS_TIMEOUT: Duration = Duration::from_secs(30);
/// How long requests may still run after the shutdown began.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(2);
/// Pause after a failed accept, e.g. when the process has no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Put into a response's extensions: close the connection, send nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HangUp;

/// The connection is closed on purpose.
#[derive(Debug, thiserror::Error)]
#[error("closed without an answer")]
struct Closed;

/// All doors of the org.
pub(crate) fn router(org: Arc<Org>) -> Router {
    let doors = Router::new()
        .route("/services/oauth2/token", axum::routing::post(oauth::token))
        .route("/services/data", axum::routing::any(http_api::data))
        .route("/services/data/", axum::routing::any(http_api::data))
        .route("/services/data/{*resource}", axum::routing::any(http_api::data))
        .merge(console::routes())
        .layer(middleware::from_fn_with_state(Arc::clone(&org), http_api::observe));
    doors
        .merge(control::routes())
        .layer(axum::extract::DefaultBodyLimit::max(http_api::BODY_MAX))
        .with_state(org)
}

/// Serves until `stop` changes, then lets running requests end.
pub(crate) async fn serve(listener: TcpListener, router: Router, mut stop: watch::Receiver<bool>) {
    let graceful = GracefulShutdown::new();
    // Owned here, so that aborting this task closes every connection.
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
            _ = stop.changed() => break,
        };
        let Ok((stream, _)) = accepted else {
            sleep(ACCEPT_PAUSE).await;
            continue;
        };
        // Small answers must leave at once.
        let _ = stream.set_nodelay(true);
        let router = router.clone();
        let service = service_fn(move |request: Request<Incoming>| answer(router.clone(), request));
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADERS_TIMEOUT)
            .serve_connection(TokioIo::new(stream), service);
        let connection = graceful.watch(connection);
        connections.spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended early");
            }
        });
    }
    drop(listener);
    if timeout(SHUTDOWN_TIMEOUT, graceful.shutdown()).await.is_err() {
        tracing::debug!("requests were still running at the shutdown");
    }
}

async fn answer(mut router: Router, request: Request<Incoming>) -> Result<Response, Closed> {
    let response: Result<Response, Infallible> = router.call(request.map(Body::new)).await;
    let Ok(response) = response;
    if response.extensions().get::<HangUp>().is_some() { Err(Closed) } else { Ok(response) }
}
