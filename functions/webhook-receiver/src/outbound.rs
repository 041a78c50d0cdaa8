//! `POST /salesforce/{secret}`: outbound messages.
//!
//! A function URL cannot ask for a client certificate, and an outbound message carries no signature. So the path holds
//! a secret (rotatable, two at once), and the message must name our org and one of our actions.
//!
//! Salesforce sends a message again until it is 24 hours old unless the answer is 200 with `Ack` true. For what is our
//! fault, a store or a queue that fails, the answer is 200 with `Ack` false: the protocol's own word for "again",
//! which no proxy replaces, and a 5xx is left to say that the function itself is broken. What is the sender's fault
//! gets a 4xx problem; Salesforce shows it to the administrator, and tries again, too.

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, State, rejection::BytesRejection},
    response::{IntoResponse, Response},
    routing::post,
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use portico_http::{Kind, Problem};
use portico_salesforce::{
    outbound::{self, OutboundError, OutboundMessage},
    records::RecordRef,
};
use portico_store::Delivery;

use crate::{Deps, of_interest};

pub(crate) fn routes() -> Router<Deps> {
    Router::new()
        .route("/salesforce/{secret}", post(receive))
        .layer(DefaultBodyLimit::max(outbound::BYTES_MAX))
}

async fn receive(
    State(deps): State<Deps>,
    Path(secret): Path<String>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let open = deps.trust.ask(|origin| origin.opens(&secret).then_some(()).ok_or(())).await;
    open.map_err(|()| Problem::not_found())?;
    let content_type =
        headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    if !media_type.eq_ignore_ascii_case("text/xml") {
        return Err(Problem::new(Kind::UnsupportedMediaType).because("Outbound messages are text/xml."));
    }
    let body = body.map_err(|_| refuse(OutboundError::TooLarge))?;
    let message = outbound::parse(&body).map_err(refuse)?;
    let ours = deps.trust.ask(|origin| {
        let ours = origin.is(&message.organization) && origin.has_action(&message.action);
        ours.then_some(()).ok_or(())
    });
    if ours.await.is_err() {
        tracing::warn!(organization = %message.organization, action = %message.action, "a message that is not for us");
        return Err(
            Problem::new(Kind::Forbidden).because("This organisation or action is not expected here.")
        );
    }
    // The notifications as they came: their ids, and what the message says of the records, times included. The same
    // notification with something else in it is another delivery, and looked at again.
    let notifications = body.get(message.extent.clone()).unwrap_or(&body);
    let delivery = Delivery::new("salesforce", notifications);
    let answer = match deps.take(&delivery, records(&message)).await {
        Ok(_) => outbound::ACK,
        Err(_) => outbound::NACK,
    };
    let content_type = HeaderValue::from_static("text/xml; charset=UTF-8");
    Ok((StatusCode::OK, [(header::CONTENT_TYPE, content_type)], answer).into_response())
}

/// The records that the message names. A deleted record comes without an id: the sweep finds it.
fn records(message: &OutboundMessage) -> Vec<RecordRef> {
    let records = message.notifications.iter().filter_map(|notification| notification.record.as_ref());
    records.filter_map(|record| of_interest(&record.object, record.id)).collect()
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
