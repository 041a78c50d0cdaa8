//! Function URL for Salesforce: outbound messages say which records may have changed.
//!
//! A function URL cannot ask for a client certificate, and an outbound message carries no signature. So the
//! path holds a secret (rotatable, two at once), the message must name our org and one of our actions, and
//! nothing in it is believed: all that it can do is cause a read.
//!
//! ```text
//! seen before? ──yes──▶ Ack                   costs one read
//!      │no
//!      ▼
//! queue every record ──▶ remember ──▶ Ack     a crash anywhere before the Ack means: delivered again
//! ```

use std::sync::Arc;

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, State},
    response::{IntoResponse, Response},
    routing::post,
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use jiff::{SignedDuration, Timestamp};
use portico_aws::{BootError, Cloud, Function, Queue};
use portico_domain::{Clock, SalesforceId};
use portico_http::{Kind, Problem, finish};
use portico_salesforce::{
    outbound::{self, OutboundError, OutboundMessage},
    records::{MayHaveChanged, Object, RecordRef},
};
use portico_store::{Delivery, Store, engine::Table};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use subtle::ConstantTimeEq;
use tokio::sync::RwLock;

/// How often, at most, an unknown path secret makes the function look whether the secret was rotated.
const ROTATION_LOOK: SignedDuration = SignedDuration::from_secs(60);

/// What this function works with.
#[derive(Clone)]
pub struct Deps {
    /// The portal's records.
    pub store: Store,
    /// Where records that may have changed go.
    pub sync: Queue,
    /// Whose messages are taken.
    pub trust: Arc<Trust>,
    /// The time.
    pub clock: Clock,
}

/// Whose messages are taken: the content of the webhook secret.
#[derive(Deserialize)]
pub struct Origin {
    path_secrets: Vec<SecretString>,
    organization_id: SalesforceId,
    action_ids: Vec<SalesforceId>,
}

/// The origin as it was last read, and how to read it again.
pub struct Trust {
    cloud: Cloud,
    known: RwLock<(Origin, Timestamp)>,
}

impl Trust {
    /// Reads the webhook secret.
    ///
    /// # Errors
    /// [`BootError`] if it cannot be read.
    pub async fn read(cloud: &Cloud) -> Result<Self, BootError> {
        let origin = cloud.secret("WEBHOOK_SECRET").await?;
        Ok(Self { cloud: cloud.clone(), known: RwLock::new((origin, cloud.clock().now())) })
    }

    /// Whether the path holds one of the secrets. All are compared, each in constant time. An unknown one may
    /// be a new one, so the secret is read again, at most once in [`ROTATION_LOOK`].
    async fn opens(&self, given: &str) -> bool {
        if self.known.read().await.0.opens(given) {
            return true;
        }
        let now = self.cloud.clock().now();
        let mut known = self.known.write().await;
        if now.duration_since(known.1) < ROTATION_LOOK {
            return known.0.opens(given);
        }
        known.1 = now;
        match self.cloud.secret("WEBHOOK_SECRET").await {
            Ok(origin) => known.0 = origin,
            Err(error) => tracing::error!(%error, "the webhook secret cannot be read again"),
        }
        known.0.opens(given)
    }

    async fn expects(&self, message: &OutboundMessage) -> bool {
        let (origin, _) = &*self.known.read().await;
        origin.organization_id == message.organization && origin.action_ids.contains(&message.action)
    }
}

impl Origin {
    fn opens(&self, given: &str) -> bool {
        let matches = |secret: &SecretString| given.as_bytes().ct_eq(secret.expose_secret().as_bytes());
        let any = self.path_secrets.iter().fold(subtle::Choice::from(0), |any, secret| any | matches(secret));
        any.into()
    }
}

/// The function, from the cloud that it runs in.
///
/// # Errors
/// [`BootError`] if `template.yaml` does not give it what it needs.
pub async fn function(cloud: &Cloud) -> Result<Function, BootError> {
    Ok(Function::http(routes(Deps {
        store: cloud.store(&[Table::Idempotency])?,
        sync: cloud.queue("SYNC_QUEUE_URL")?,
        trust: Arc::new(Trust::read(cloud).await?),
        clock: cloud.clock(),
    })))
}

/// The routes. The path secret never reaches a log: the log names the route's pattern.
pub fn routes(deps: Deps) -> Router {
    let routes = Router::new()
        .route("/salesforce/{secret}", post(receive))
        .layer(DefaultBodyLimit::max(outbound::BYTES_MAX))
        .with_state(deps);
    finish(routes)
}

async fn receive(
    State(deps): State<Deps>,
    Path(secret): Path<String>,
    headers: HeaderMap,
    body: Result<Bytes, axum::extract::rejection::BytesRejection>,
) -> Result<Response, Problem> {
    if !deps.trust.opens(&secret).await {
        return Err(Problem::not_found());
    }
    let content_type =
        headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    if !media_type.eq_ignore_ascii_case("text/xml") {
        return Err(Problem::new(Kind::UnsupportedMediaType).because("Outbound messages are text/xml."));
    }
    let body = body.map_err(|_| refuse(OutboundError::TooLarge))?;
    let now = deps.clock.now();
    let delivery = Delivery::new("salesforce", &body);
    if deps.store.taken_before(&delivery, now).await? {
        return Ok(acknowledge(outbound::ACK));
    }
    let message = outbound::parse(&body).map_err(refuse)?;
    if !deps.trust.expects(&message).await {
        tracing::warn!(organization = %message.organization, action = %message.action, "a message that is not for us");
        return Err(
            Problem::new(Kind::Forbidden).because("This organisation or action is not expected here.")
        );
    }
    let changed = MayHaveChanged { records: records(&message) };
    if !changed.records.is_empty()
        && let Err(error) = deps.sync.send(&changed).await
    {
        tracing::error!(%error, "not queued; Salesforce will deliver it again");
        return Ok(acknowledge(outbound::NACK));
    }
    deps.store.remember(&delivery, now).await?;
    tracing::info!(notifications = message.notifications.len(), records = changed.records.len(), "taken");
    Ok(acknowledge(outbound::ACK))
}

/// The records that the message names, each once. A deleted record comes without an id: the sweep finds it.
fn records(message: &OutboundMessage) -> Vec<RecordRef> {
    let mut records: Vec<RecordRef> = message
        .notifications
        .iter()
        .filter_map(|notification| notification.record.as_ref())
        .filter_map(|record| match Object::named(&record.object) {
            Some(object) => Some(RecordRef { object, id: record.id }),
            None => {
                tracing::info!(object = record.object, "an object that the portal does not take over");
                None
            }
        })
        .collect();
    records.sort_unstable();
    records.dedup();
    records
}

fn refuse(error: OutboundError) -> Problem {
    let kind = match error {
        OutboundError::TooLarge | OutboundError::Excessive => Kind::PayloadTooLarge,
        OutboundError::Forbidden | OutboundError::Malformed | OutboundError::Unexpected => {
            Kind::InvalidRequest
        }
    };
    Problem::new(kind).because(error)
}

fn acknowledge(envelope: &'static str) -> Response {
    let content_type = HeaderValue::from_static("text/xml; charset=UTF-8");
    (StatusCode::OK, [(header::CONTENT_TYPE, content_type)], envelope).into_response()
}
