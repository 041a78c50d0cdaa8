//! `/_fake/...`: what a test or the local cloud does to the org from outside the protocols.
//!
//! Every change takes JSON, which another site's page cannot send without asking first.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::State,
    response::{IntoResponse, Response},
    routing::{delete, get, post},
};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{
    error::ApiError,
    faults::Rule,
    id::RecordId,
    org::{Org, lock},
    outbound::queue,
    records::{self, Unit},
    schema::Object,
    store::Outcome,
};

/// The control routes.
pub(crate) fn routes() -> Router<Arc<Org>> {
    Router::new()
        .route("/_fake/faults", get(list_faults).post(add_faults).delete(clear_faults))
        .route("/_fake/outbound", get(show_outbound).post(set_outbound))
        .route("/_fake/outbound/retry", post(retry_outbound))
        .route("/_fake/requests", get(show_requests).delete(clear_requests))
        .route("/_fake/sessions", delete(end_sessions))
        .route("/_fake/settings", get(show_settings).post(set_settings))
        .route("/_fake/records/touch", post(touch))
        .route("/_fake/records/delete", post(delete_record))
        .route("/_fake/records/undelete", post(undelete))
        .route("/_fake/records/purge", post(purge))
        .route("/_fake/records/merge", post(merge))
}

async fn list_faults(State(org): State<Arc<Org>>) -> Json<Vec<Rule>> {
    Json(org.faults.list())
}

async fn add_faults(State(org): State<Arc<Org>>, Json(rules): Json<Vec<Rule>>) -> Response {
    match org.faults.add(rules) {
        Ok(()) => Json(org.faults.list()).into_response(),
        Err(error) => (StatusCode::BAD_REQUEST, Json(json!({"error": error.to_string()}))).into_response(),
    }
}

async fn clear_faults(State(org): State<Arc<Org>>) -> StatusCode {
    org.faults.clear();
    StatusCode::NO_CONTENT
}

async fn show_outbound(State(org): State<Arc<Org>>) -> Result<Json<Value>, Refused> {
    let mut shown = org.store.run(|transaction| (queue::overview(transaction), Outcome::Rollback)).await??;
    if let Some(map) = shown.as_object_mut() {
        map.insert("faults".to_owned(), json!(org.outbound_faults()));
    }
    Ok(Json(shown))
}

async fn set_outbound(
    State(org): State<Arc<Org>>,
    Json(changes): Json<Map<String, Value>>,
) -> Result<Json<Value>, Refused> {
    let faults = patched(&org.outbound_faults(), changes)?;
    *lock(&org.outbound_faults) = faults;
    org.outbound_wake.notify_one();
    Ok(Json(json!(faults)))
}

async fn retry_outbound(State(org): State<Arc<Org>>) -> Result<Json<Value>, Refused> {
    let now = org.clock.now().as_millisecond();
    let due = org
        .store
        .run(move |transaction| (queue::retry_now(transaction, now), Outcome::Commit))
        .await?
        .map_err(ApiError::from)?;
    org.outbound_wake.notify_one();
    Ok(Json(json!({"retried": due})))
}

async fn show_requests(State(org): State<Arc<Org>>) -> Json<Value> {
    Json(org.requests.show())
}

async fn clear_requests(State(org): State<Arc<Org>>) -> StatusCode {
    org.requests.clear();
    StatusCode::NO_CONTENT
}

async fn end_sessions(State(org): State<Arc<Org>>) -> StatusCode {
    org.sessions.end_all();
    StatusCode::NO_CONTENT
}

async fn show_settings(State(org): State<Arc<Org>>) -> Json<Value> {
    Json(json!(org.settings()))
}

async fn set_settings(
    State(org): State<Arc<Org>>,
    Json(changes): Json<Map<String, Value>>,
) -> Result<Json<Value>, Refused> {
    let settings = patched(&org.settings(), changes)?;
    *lock(&org.settings) = settings.clone();
    Ok(Json(json!(settings)))
}

/// The value with the given members replaced.
fn patched<T: serde::Serialize + serde::de::DeserializeOwned>(
    current: &T,
    changes: Map<String, Value>,
) -> Result<T, Refused> {
    let refused = |error: serde_json::Error| Refused(ApiError::bad("INVALID_INPUT", error.to_string()));
    let mut value = serde_json::to_value(current).map_err(refused)?;
    if let Some(map) = value.as_object_mut() {
        map.extend(changes);
    }
    serde_json::from_value(value).map_err(refused)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct One {
    id: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Merge {
    winner: String,
    loser: String,
}

/// Moves `SystemModstamp` and nothing else.
async fn touch(State(org): State<Arc<Org>>, Json(one): Json<One>) -> Result<StatusCode, Refused> {
    change(&org, move |unit| {
        let (object, id) = identify(&one.id)?;
        records::touch(unit, object, &id)
    })
    .await
}

/// Puts a record into the recycle bin, as an agent does.
async fn delete_record(State(org): State<Arc<Org>>, Json(one): Json<One>) -> Result<StatusCode, Refused> {
    change(&org, move |unit| {
        let (object, id) = identify(&one.id)?;
        records::delete(unit, object, &id)
    })
    .await
}

async fn undelete(State(org): State<Arc<Org>>, Json(one): Json<One>) -> Result<StatusCode, Refused> {
    change(&org, move |unit| {
        let (object, id) = identify(&one.id)?;
        records::undelete(unit, object, &id)
    })
    .await
}

async fn purge(State(org): State<Arc<Org>>, Json(one): Json<One>) -> Result<StatusCode, Refused> {
    change(&org, move |unit| {
        let (object, id) = identify(&one.id)?;
        records::purge(unit, object, &id)
    })
    .await
}

async fn merge(State(org): State<Arc<Org>>, Json(merge): Json<Merge>) -> Result<StatusCode, Refused> {
    change(&org, move |unit| {
        let (object, winner) = identify(&merge.winner)?;
        let (other, loser) = identify(&merge.loser)?;
        if object.name != other.name {
            return Err(ApiError::bad("INVALID_TYPE_FOR_OPERATION", "two objects cannot be merged"));
        }
        records::merge(unit, object, &winner, &loser)
    })
    .await
}

async fn change(
    org: &Arc<Org>,
    work: impl FnOnce(&Unit<'_>) -> Result<(), ApiError> + Send + 'static,
) -> Result<StatusCode, Refused> {
    let (now, actor) = (org.clock.now(), org.agent_actor());
    org.store
        .run(move |transaction| match work(&Unit::new(transaction, now, actor)) {
            Ok(()) => (Ok(()), Outcome::Commit),
            Err(error) => (Err(error), Outcome::Rollback),
        })
        .await??;
    org.outbound_wake.notify_one();
    Ok(StatusCode::NO_CONTENT)
}

fn identify(id: &str) -> Result<(&'static Object, RecordId), ApiError> {
    let malformed = || ApiError::bad("MALFORMED_ID", "no record id of this org");
    let id = RecordId::parse(id).map_err(|_| malformed())?;
    let object = Object::with_prefix(id.prefix()).ok_or_else(malformed)?;
    Ok((object, id))
}

/// A refused control call.
struct Refused(ApiError);

impl From<ApiError> for Refused {
    fn from(error: ApiError) -> Refused {
        Refused(error)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, Json(self.0.body())).into_response()
    }
}
