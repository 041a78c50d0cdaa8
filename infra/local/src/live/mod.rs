//! API Gateway, WebSocket: sockets for browsers, and the management API through which functions reach them.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api.html>

mod connections;
mod event;
mod management;
mod socket;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{ConnectInfo, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use http::request::Parts;
use http::{HeaderMap, StatusCode, Uri};
use portico_domain::{Clock, Random};

use crate::lambda::Lambda;
use crate::stop::Stop;
use crate::template::WebSocketApi;
use connections::{Connection, Connections};

/// Bounds of a connection.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html>
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Largest message in either direction.
    pub message_bytes: usize,
    /// A connection without any message this long is closed.
    pub idle: Duration,
    /// No connection lives longer.
    pub life: Duration,
    /// Connections at once; AWS has no such number, a laptop has.
    pub connections: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes: 128 * 1024,
            idle: Duration::from_secs(10 * 60),
            life: Duration::from_secs(2 * 60 * 60),
            connections: 10_000,
        }
    }
}

/// Why a template's API cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum LiveError {
    /// Routes are chosen by a member of a JSON message.
    #[error("{0}: RouteSelectionExpression must be `$request.body.<member>`")]
    RouteSelection(String),
}

/// A WebSocket API that is being served.
#[derive(Debug)]
pub struct Live {
    api_id: String,
    stage: String,
    /// `host:port`
    domain: String,
    /// The member of a JSON message that names its route.
    selector: String,
    routes: BTreeMap<String, Lambda>,
    connections: Connections,
    limits: Limits,
    clock: Clock,
    random: Random,
    stop: Stop,
}

impl Live {
    /// The API `api_id` of the template; `routes` by route key. Connections are closed when `stop` is given.
    ///
    /// # Errors
    /// [`LiveError`].
    #[expect(
        clippy::too_many_arguments,
        reason = "the template's part, the surroundings and the limits of one server"
    )]
    pub fn new(
        api_id: &str,
        api: &WebSocketApi,
        routes: BTreeMap<String, Lambda>,
        domain: SocketAddr,
        limits: Limits,
        clock: Clock,
        random: Random,
        stop: Stop,
    ) -> Result<Self, LiveError> {
        let selector = api
            .route_selection_expression
            .strip_prefix("$request.body.")
            .filter(|member| !member.is_empty() && !member.contains('.'))
            .ok_or_else(|| LiveError::RouteSelection(api_id.to_owned()))?;
        Ok(Self {
            api_id: api_id.to_owned(),
            stage: api.stage_name.clone(),
            domain: domain.to_string(),
            selector: selector.to_owned(),
            routes,
            connections: Connections::new(limits.connections),
            limits,
            clock,
            random,
            stop,
        })
    }

    /// Waits until every connection is closed and its `$disconnect` was told.
    pub async fn closed(&self) {
        self.connections.empty().await;
    }
}

/// The sockets under `/` and the stage, the management API beside them.
pub fn router(live: Arc<Live>) -> Router {
    let stage = format!("/{}", live.stage);
    let management = |prefix: &str| format!("{prefix}/@connections/{{connection}}");
    let managed = || get(management::describe).post(management::send).delete(management::disconnect);
    Router::new()
        .route("/", get(connect))
        .route(&stage, get(connect))
        .route(&management(""), managed())
        .route(&management(&stage), managed())
        .fallback(|| async { management::refusal(StatusCode::FORBIDDEN, "ForbiddenException", "Forbidden") })
        .with_state(live)
}

/// Asks the function of `$connect`, and upgrades only if it agrees.
async fn connect(
    State(live): State<Arc<Live>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    parts: Parts,
    upgrade: Result<WebSocketUpgrade, axum::extract::ws::rejection::WebSocketUpgradeRejection>,
) -> Response {
    let Ok(upgrade) = upgrade else {
        return management::refusal(StatusCode::FORBIDDEN, "ForbiddenException", "Forbidden");
    };
    let connection = Connection::new(
        connections::new_id(&live.random),
        peer.ip().to_string(),
        user_agent(&parts.headers),
        live.clock.now(),
    );
    let status = live.ask_to_connect(&connection, &parts.headers, &parts.uri).await;
    tracing::info!(connection = connection.id, status = status.as_u16(), "live connect");
    if status != StatusCode::OK {
        return management::refusal(
            status,
            "ForbiddenException",
            status.canonical_reason().unwrap_or_default(),
        );
    }
    // Known before the upgrade: a function may push as soon as its `$connect` has returned.
    let Some(outbox) = live.connections.add(connection.clone()) else {
        return management::refusal(
            StatusCode::TOO_MANY_REQUESTS,
            "LimitExceededException",
            "Too many connections",
        );
    };
    let failed = (Arc::clone(&live), connection.clone());
    upgrade
        // Above the limit, so that a message that is a little too long gets a closing frame that says so.
        .max_message_size(live.limits.message_bytes.saturating_mul(2))
        .max_frame_size(live.limits.message_bytes.saturating_mul(2))
        .on_failed_upgrade(move |error| {
            let (live, connection) = failed;
            tracing::debug!(%error, connection = connection.id, "the upgrade failed");
            tokio::spawn(async move { live.disconnected(&connection, socket::ABNORMAL, "").await });
        })
        .on_upgrade(move |web_socket| socket::run(live, connection, web_socket, outbox))
        .into_response()
}

impl Live {
    /// The status with which the handshake is answered; 200 stands for the upgrade.
    async fn ask_to_connect(&self, connection: &Connection, headers: &HeaderMap, uri: &Uri) -> StatusCode {
        let Some(lambda) = self.routes.get("$connect") else { return StatusCode::OK };
        let event = event::connect(&self.scene(connection), headers, uri.query().unwrap_or_default());
        let Ok(answer) = lambda.invoke(&event).await else { return StatusCode::INTERNAL_SERVER_ERROR };
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Answer {
            status_code: u16,
        }
        match serde_json::from_str::<Answer>(answer.get()) {
            Ok(Answer { status_code: 200..=299 }) => StatusCode::OK,
            Ok(Answer { status_code }) => StatusCode::from_u16(status_code)
                .ok()
                .filter(|status| status.is_client_error() || status.is_server_error())
                .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            Err(error) => {
                tracing::error!(function = lambda.name(), %error, "no answer for $connect");
                StatusCode::INTERNAL_SERVER_ERROR
            }
        }
    }

    /// Forgets the connection and tells `$disconnect`, once.
    async fn disconnected(&self, connection: &Connection, code: u16, reason: &str) {
        if !self.connections.remove(&connection.id) {
            return;
        }
        tracing::info!(connection = connection.id, code, "live disconnect");
        if let Some(lambda) = self.routes.get("$disconnect") {
            // Best effort, as on AWS; a failure is logged by the invocation.
            let _ = lambda.invoke(&event::disconnect(&self.scene(connection), code, reason)).await;
        }
        self.connections.finished();
    }

    /// Hands a text message to its route; returns what goes back at once, if anything does.
    async fn received(&self, connection: &Connection, text: &str) -> Option<String> {
        let key = serde_json::from_str::<serde_json::Value>(text)
            .ok()
            .and_then(|message| message.get(&self.selector)?.as_str().map(ToOwned::to_owned))
            .filter(|key| !key.starts_with('$'));
        let named = key.as_deref().and_then(|key| Some((key, self.routes.get(key)?)));
        let scene = self.scene(connection);
        let Some((key, lambda)) = named.or_else(|| Some(("$default", self.routes.get("$default")?))) else {
            return Some(event::error(&scene, "Forbidden"));
        };
        match lambda.invoke(&event::message(&scene, key, text)).await {
            Ok(_) => None,
            Err(_) => Some(event::error(&scene, "Internal server error")),
        }
    }

    fn scene<'a>(&'a self, connection: &'a Connection) -> event::Scene<'a> {
        event::Scene {
            api_id: &self.api_id,
            stage: &self.stage,
            domain: &self.domain,
            connection,
            request_id: crate::identity::request_id(&self.random),
            now: self.clock.now(),
        }
    }
}

fn user_agent(headers: &HeaderMap) -> Option<String> {
    headers.get(http::header::USER_AGENT).and_then(|value| value.to_str().ok()).map(ToOwned::to_owned)
}
