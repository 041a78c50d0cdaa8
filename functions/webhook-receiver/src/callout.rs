//! `POST /changes`: callouts of flows and Apex, signed ([`portico_salesforce::callout`], `docs/webhooks.md`).
//!
//! There is no secret in the path: the signature says who it is, and it cannot be read in anybody's log.
//! A callout is not sent again by Salesforce itself; whoever wrote the flow decides by the status: 202 is durable,
//! 503 is worth another attempt, with a new time stamp, and 4xx is not.

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State, rejection::BytesRejection},
    routing::post,
};
use http::{HeaderMap, StatusCode, header};
use portico_http::{FieldCode, Fields, Kind, Problem, read_body};
use portico_salesforce::{
    callout::{self, BYTES_MAX, Callout, RECORDS_MAX, SIGNATURE_HEADER, SignatureError, TIMESTAMP_HEADER},
    records::is_api_name,
};
use portico_store::Delivery;
use serde::Serialize;

use crate::{Deps, Taken, of_interest};

pub(crate) fn routes() -> Router<Deps> {
    Router::new().route("/changes", post(receive)).layer(DefaultBodyLimit::max(BYTES_MAX))
}

/// What became of a callout.
#[derive(Debug, Serialize)]
struct Accepted {
    /// Records that will be read.
    records: usize,
    /// Records of objects that the portal does not take over.
    ignored: usize,
    /// Whether this very callout was taken before.
    repeated: bool,
}

async fn receive(
    State(deps): State<Deps>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<Accepted>), Problem> {
    let content_type =
        headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    if !media_type.eq_ignore_ascii_case("application/json") {
        return Err(Problem::new(Kind::UnsupportedMediaType).because("Callouts are application/json."));
    }
    let body = body.map_err(|_| {
        Problem::new(Kind::PayloadTooLarge).because(format_args!("A callout may have {BYTES_MAX} bytes."))
    })?;
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (timestamp, signature) = (text(TIMESTAMP_HEADER), text(SIGNATURE_HEADER));
    let now = deps.clock.now();
    let verified =
        deps.trust.ask(|origin| callout::verify(origin.signing_keys(), timestamp, signature, &body, now));
    verified.await.map_err(|error: SignatureError| {
        tracing::warn!(%error, "a callout that is not signed as it should be");
        Problem::new(Kind::SignatureRefused).because(error)
    })?;
    let told: Callout = read_body(&body)?;
    check(&told)?;
    let ours = deps.trust.ask(|origin| origin.is(&told.organization_id).then_some(()).ok_or(()));
    if ours.await.is_err() {
        tracing::warn!(organization = %told.organization_id, "a callout that is not for us");
        return Err(Problem::new(Kind::Forbidden).because("This organisation is not expected here."));
    }
    // With the time stamp: a record that changes twice is told of in the same words.
    let delivery = Delivery::new("salesforce-callout", &[timestamp.as_bytes(), b".", &body].concat());
    let mut records: Vec<_> =
        told.records.iter().filter_map(|record| of_interest(&record.object, record.id)).collect();
    let ignored = told.records.len().saturating_sub(records.len());
    records.sort_unstable();
    records.dedup();
    let count = records.len();
    match deps.take(&delivery, records).await {
        Ok(taken) => {
            let repeated = taken == Taken::Before;
            Ok((StatusCode::ACCEPTED, Json(Accepted { records: count, ignored, repeated })))
        }
        Err(_) => Err(Problem::new(Kind::Unavailable).because("Not durable; send it again.").retry_after(1)),
    }
}

/// The limits of a callout that its types do not say.
fn check(told: &Callout) -> Result<(), Problem> {
    let mut fields = Fields::new();
    match told.records.len() {
        0 => fields.refuse("/records", FieldCode::Empty, "must not be empty"),
        1..=RECORDS_MAX => {}
        _ => fields.refuse(
            "/records",
            FieldCode::TooMany,
            format_args!("must not have more than {RECORDS_MAX} items"),
        ),
    }
    for (place, record) in told.records.iter().take(RECORDS_MAX).enumerate() {
        if !is_api_name(&record.object) {
            let pointer = format!("/records/{place}/object");
            fields.refuse(&pointer, FieldCode::Malformed, "must be the API name of an object");
        }
    }
    if fields.is_empty() { Ok(()) } else { Err(fields.refusal()) }
}
