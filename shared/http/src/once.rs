//! Commands that happen once, however often they are sent.

use axum::{
    extract::{FromRequest, Request},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use jiff::Timestamp;
use portico_domain::UserId;
use portico_store::{Answer, Repeat, Store, Tenant, Ticket};
use serde::{Serialize, de::DeserializeOwned};

use crate::{Kind, Problem};

/// Longest `Idempotency-Key` (Stripe's limit).
pub const KEY_LENGTH_MAX: usize = 255;
/// Seconds after which a repetition of a command in flight should be tried again.
const IN_FLIGHT_RETRY_SECONDS: u16 = 1;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The body of a command together with its `Idempotency-Key`. The body comes out only together with the
/// ticket, and writing demands the ticket, so a command that forgot to be idempotent does not compile.
#[derive(Debug)]
pub struct Once<T> {
    key: String,
    body: Vec<u8>,
    parsed: T,
}

impl<T> Once<T> {
    /// The ticket for this command of this user in this account, and what it asks for.
    pub fn by(self, tenant: &Tenant, user: &UserId, operation: &str, now: Timestamp) -> (Ticket, T) {
        (Ticket::new(tenant, user, operation, &self.key, &self.body, now), self.parsed)
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Once<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Problem> {
        let key = idempotency_key(request.headers())?;
        let body = crate::body::receive(request).await?;
        let parsed = crate::body::read(&body)?;
        Ok(Self { key, body: body.into(), parsed })
    }
}

fn idempotency_key(headers: &HeaderMap) -> Result<String, Problem> {
    let missing = |detail: &str| Err(Problem::new(Kind::IdempotencyKeyMissing).because(detail));
    let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => match value.to_str() {
            Ok(key)
                if (1..=KEY_LENGTH_MAX).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic()) =>
            {
                Ok(key.to_owned())
            }
            _ => missing("The Idempotency-Key has 1 to 255 visible ASCII characters."),
        },
        (None, _) => missing("Send an Idempotency-Key; use the same one for each attempt."),
        (Some(_), Some(_)) => missing("Send one Idempotency-Key, not several."),
    }
}

/// An answer to a command, given now or given again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    answer: Answer,
    replayed: bool,
}

impl Made {
    /// The answer that the thing exists: its representation, and where it can be read again.
    ///
    /// # Errors
    /// [`Problem`] if the body cannot be written.
    pub fn answer(status: StatusCode, body: &impl Serialize, location: String) -> Result<Answer, Problem> {
        let body = serde_json::to_string(body).map_err(|error| Problem::internal(&error))?;
        Ok(Answer { status: status.as_u16(), body, location: Some(location) })
    }

    /// Keeps the answer with its ticket, so that a repetition is given the same, and gives it.
    ///
    /// # Errors
    /// [`Problem`] if the body cannot be written or the store does not answer; the command itself stands.
    pub async fn keep(
        store: &Store,
        ticket: &Ticket,
        status: StatusCode,
        body: &impl Serialize,
        location: String,
    ) -> Result<Self, Problem> {
        Ok(Self::first(store.answer(ticket, Self::answer(status, body, location)?).await?))
    }

    /// Given for the first time.
    pub fn first(answer: Answer) -> Self {
        Self { answer, replayed: false }
    }

    /// Given again.
    pub fn replay(answer: Answer) -> Self {
        Self { answer, replayed: true }
    }
}

impl IntoResponse for Made {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.answer.status).unwrap_or(StatusCode::OK);
        let mut response = (status, self.answer.body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(location) = self.answer.location.and_then(|location| HeaderValue::try_from(location).ok())
        {
            headers.insert(header::LOCATION, location);
        }
        if self.replayed {
            headers.insert(IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"));
        }
        response
    }
}

/// What a repeated command is told. `Ok` holds the id of what the first attempt made and could not tell any
/// more: the route answers from that.
///
/// # Errors
/// A [`Made`] to give again, or a [`Problem`].
pub fn repeated(repeat: Repeat) -> Result<String, Result<Made, Problem>> {
    match repeat {
        Repeat::Unanswered(made) => Ok(made),
        Repeat::Answered(answer) => Err(Ok(Made::replay(answer))),
        Repeat::InFlight => Err(Err(Problem::new(Kind::InFlight)
            .because("The first request with this Idempotency-Key has not been answered yet.")
            .retry_after(IN_FLIGHT_RETRY_SECONDS))),
        Repeat::OtherBody => Err(Err(Problem::new(Kind::IdempotencyKeyReused)
            .because("This Idempotency-Key belongs to a request with another body."))),
    }
}
