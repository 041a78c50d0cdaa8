//! Refusals, as `application/problem+json` (RFC 9457), from a closed registry.

use std::fmt::Display;

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use portico_store::{StoreError, engine::EngineError};
use serde::Serialize;
use utoipa::ToSchema;

use crate::field::{FieldCode, FieldError, FieldRefusal};

/// Where problem types are documented; a type is this, and the kind's slug.
const TYPES: &str = "https://portico.example/problems/";

/// Every kind of refusal that the portal gives. Clients may rely on the slug; nothing else is stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The token says who, but this person may not use the portal.
    AccessEnded,
    /// The record was changed since the caller looked at it.
    ChangedSince,
    /// The person may use the portal, but not this operation.
    Forbidden,
    /// The operation needs an `Idempotency-Key`.
    IdempotencyKeyMissing,
    /// The `Idempotency-Key` was used with another body.
    IdempotencyKeyReused,
    /// The same command is being carried out at this moment.
    InFlight,
    /// Something went wrong on our side.
    Internal,
    /// The request is not what the operation takes; `errors` says where.
    InvalidRequest,
    /// The path is known, the method is not.
    MethodNotAllowed,
    /// There is no room for more files.
    NoRoom,
    /// There is no such thing, or it is not the caller's.
    NotFound,
    /// There is no such path.
    NoSuchRoute,
    /// The body is larger than the operation takes.
    PayloadTooLarge,
    /// A callout is not signed by whom it should be.
    SignatureRefused,
    /// The API is called faster than it allows; the gateway says so before any function runs.
    TooManyRequests,
    /// The gateway wants a valid access token.
    Unauthenticated,
    /// Something that the operation needs does not answer; the same request may work later.
    Unavailable,
    /// The body is not of the media type that the operation takes.
    UnsupportedMediaType,
    /// The record is not in a state in which the operation makes sense.
    WrongState,
}

impl Kind {
    /// All of them, in the order of their slugs.
    pub const ALL: [Self; 19] = [
        Self::AccessEnded,
        Self::ChangedSince,
        Self::Forbidden,
        Self::IdempotencyKeyMissing,
        Self::IdempotencyKeyReused,
        Self::InFlight,
        Self::Internal,
        Self::InvalidRequest,
        Self::MethodNotAllowed,
        Self::NoRoom,
        Self::NoSuchRoute,
        Self::NotFound,
        Self::PayloadTooLarge,
        Self::SignatureRefused,
        Self::TooManyRequests,
        Self::Unauthenticated,
        Self::Unavailable,
        Self::UnsupportedMediaType,
        Self::WrongState,
    ];

    /// The stable name.
    pub fn slug(self) -> &'static str {
        match self {
            Self::AccessEnded => "access-ended",
            Self::ChangedSince => "changed-since",
            Self::Forbidden => "forbidden",
            Self::IdempotencyKeyMissing => "idempotency-key-missing",
            Self::IdempotencyKeyReused => "idempotency-key-reused",
            Self::InFlight => "in-flight",
            Self::Internal => "internal",
            Self::InvalidRequest => "invalid-request",
            Self::MethodNotAllowed => "method-not-allowed",
            Self::NoRoom => "no-room",
            Self::NoSuchRoute => "no-such-route",
            Self::NotFound => "not-found",
            Self::PayloadTooLarge => "payload-too-large",
            Self::SignatureRefused => "signature-refused",
            Self::TooManyRequests => "too-many-requests",
            Self::Unauthenticated => "unauthenticated",
            Self::Unavailable => "unavailable",
            Self::UnsupportedMediaType => "unsupported-media-type",
            Self::WrongState => "wrong-state",
        }
    }

    /// The status that goes with it.
    pub fn status(self) -> StatusCode {
        match self {
            Self::AccessEnded | Self::Forbidden | Self::NoSuchRoute => StatusCode::FORBIDDEN,
            Self::IdempotencyKeyMissing | Self::InvalidRequest => StatusCode::BAD_REQUEST,
            Self::IdempotencyKeyReused => StatusCode::UNPROCESSABLE_ENTITY,
            Self::ChangedSince | Self::InFlight | Self::NoRoom | Self::WrongState => StatusCode::CONFLICT,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::PayloadTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
            Self::SignatureRefused | Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        }
    }

    /// In a few words, for people.
    pub fn title(self) -> &'static str {
        match self {
            Self::AccessEnded => "No access to this portal",
            Self::ChangedSince => "Changed since",
            Self::Forbidden => "Not allowed",
            Self::IdempotencyKeyMissing => "Idempotency-Key required",
            Self::IdempotencyKeyReused => "Idempotency-Key used before",
            Self::InFlight => "Already being done",
            Self::Internal => "Internal error",
            Self::InvalidRequest => "Request refused",
            Self::MethodNotAllowed => "Method not allowed",
            Self::NoRoom => "No room for more files",
            Self::NoSuchRoute => "No such route",
            Self::NotFound => "Not found",
            Self::PayloadTooLarge => "Payload too large",
            Self::SignatureRefused => "Signature refused",
            Self::TooManyRequests => "Too many requests",
            Self::Unauthenticated => "Sign-in required",
            Self::Unavailable => "Temporarily unavailable",
            Self::UnsupportedMediaType => "Unsupported media type",
            Self::WrongState => "Not in this state",
        }
    }

    /// What it means and what a client can do about it.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::AccessEnded => {
                "The token is valid, but its user has no active membership: never invited, or deactivated. Ask a \
                 manager of the account."
            }
            Self::ChangedSince => {
                "Somebody else changed the record since it was read. Read it again and decide again."
            }
            Self::Forbidden => "The user's role does not include this operation.",
            Self::IdempotencyKeyMissing => {
                "An operation that creates something needs the header `Idempotency-Key`: 1 to 255 visible ASCII \
                 characters, a new one for each thing to create, the same one for each attempt."
            }
            Self::IdempotencyKeyReused => {
                "The key belongs to an earlier request with another body. Use a new key for a new request."
            }
            Self::InFlight => {
                "The first request with this key has not been answered yet. Repeat the request after the seconds in \
                 `Retry-After`; the answer will be the first one's."
            }
            Self::Internal => {
                "Something went wrong on our side. Tell us the `request_id`; repeating is safe."
            }
            Self::InvalidRequest => "`errors` lists every field that was refused, by JSON pointer, and why.",
            Self::MethodNotAllowed => "The path exists, but not with this method.",
            Self::NoRoom => {
                "The case or the account has as many files, or as much of them, as the consultancy allows. `detail` says \
                 which. Delete some, or ask the consultancy."
            }
            Self::NoSuchRoute => "There is no such method and path.",
            Self::NotFound => {
                "There is no such record for this user. A record of another account and a record that does not exist \
                 give the same answer."
            }
            Self::PayloadTooLarge => {
                "JSON bodies may have 256 KiB. Files go straight to the store, not through the API."
            }
            Self::SignatureRefused => {
                "A callout of Salesforce is signed over time stamp and body, with one of the signing keys of the webhook \
                 secret, at most 300 seconds ago. See `docs/webhooks.md`."
            }
            Self::TooManyRequests => {
                "The API is being called faster than it allows. Wait the seconds in `Retry-After`, double the wait with \
                 every further refusal, and repeat with the same `Idempotency-Key`."
            }
            Self::Unauthenticated => "The request carries no valid access token. Sign in again.",
            Self::Unavailable => {
                "Repeat the request after the seconds in `Retry-After`, with the same `Idempotency-Key`."
            }
            Self::UnsupportedMediaType => "Send the body as `application/json`.",
            Self::WrongState => {
                "The record is not in a state for this: a case that is closed cannot be closed again, and one that an \
                 agent works on cannot be edited. `detail` says what stands in the way."
            }
        }
    }

    /// Whether the same request may work later: the answer then has a `Retry-After`.
    pub fn retries(self) -> bool {
        match self {
            Self::InFlight | Self::TooManyRequests | Self::Unavailable => true,
            Self::AccessEnded
            | Self::ChangedSince
            | Self::WrongState
            | Self::Forbidden
            | Self::IdempotencyKeyMissing
            | Self::IdempotencyKeyReused
            | Self::Internal
            | Self::InvalidRequest
            | Self::MethodNotAllowed
            | Self::NoRoom
            | Self::NoSuchRoute
            | Self::NotFound
            | Self::PayloadTooLarge
            | Self::SignatureRefused
            | Self::Unauthenticated
            | Self::UnsupportedMediaType => false,
        }
    }

    /// Whether a refusal of this kind goes into the audit trail of whoever was refused: what somebody tried and
    /// was not let, or did wrongly.
    pub(crate) fn is_audited(self) -> bool {
        match self {
            Self::ChangedSince
            | Self::Forbidden
            | Self::IdempotencyKeyMissing
            | Self::IdempotencyKeyReused
            | Self::InvalidRequest
            | Self::NoRoom
            | Self::NotFound
            | Self::PayloadTooLarge
            | Self::UnsupportedMediaType
            | Self::WrongState => true,
            // Nobody of an account was identified.
            Self::AccessEnded
            | Self::MethodNotAllowed
            | Self::NoSuchRoute
            | Self::SignatureRefused
            | Self::Unauthenticated => false,
            // The gateway refuses before any function runs.
            Self::TooManyRequests => false,
            // The first request with the key is on record.
            Self::InFlight => false,
            // Nothing was decided about the caller: the portal failed.
            Self::Internal | Self::Unavailable => false,
        }
    }

    /// The URI that identifies the kind.
    pub fn uri(self) -> String {
        format!("{TYPES}{}", self.slug())
    }
}

/// `application/problem+json` (RFC 9457).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ProblemBody {
    /// The kind; stable.
    #[serde(rename = "type")]
    #[schema(example = "https://portico.example/problems/invalid-request")]
    pub kind: String,
    /// The kind in a few words.
    pub title: &'static str,
    /// The HTTP status.
    #[schema(example = 400)]
    pub status: u16,
    /// What was wrong this time.
    pub detail: String,
    /// This request, for support.
    pub request_id: String,
    /// Every field that was refused.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
}

/// A refusal. Holds nothing that a client may not read: what went wrong inside is logged where it happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    kind: Kind,
    detail: String,
    errors: Vec<FieldError>,
    retry_after_seconds: Option<u16>,
}

impl Problem {
    /// A refusal of this kind.
    pub fn new(kind: Kind) -> Self {
        Self { kind, detail: kind.title().to_owned(), errors: Vec::new(), retry_after_seconds: None }
    }

    /// Says more about this time.
    #[must_use]
    pub fn because(self, detail: impl Display) -> Self {
        Self { detail: detail.to_string(), ..self }
    }

    /// Names a field that was refused, and why.
    #[must_use]
    pub fn at(self, pointer: impl Into<String>, code: FieldCode, detail: impl Display) -> Self {
        self.with(FieldError::new(pointer, code, detail))
    }

    pub(crate) fn with(mut self, error: FieldError) -> Self {
        self.errors.push(error);
        self
    }

    /// Says when to try again.
    #[must_use]
    pub fn retry_after(self, seconds: u16) -> Self {
        Self { retry_after_seconds: Some(seconds), ..self }
    }

    /// Something went wrong on our side; `cause` goes to the log and nowhere else.
    pub fn internal(cause: &dyn Display) -> Self {
        tracing::error!(%cause, "internal error");
        Self::new(Kind::Internal).because("Something went wrong on our side; repeating the request is safe.")
    }

    /// There is no such record for this caller.
    pub fn not_found() -> Self {
        Self::new(Kind::NotFound).because("There is no such record.")
    }

    /// The kind.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The body, for one request.
    pub fn body(&self, request_id: String) -> ProblemBody {
        ProblemBody {
            kind: self.kind.uri(),
            title: self.kind.title(),
            status: self.kind.status().as_u16(),
            detail: self.detail.clone(),
            request_id,
            errors: self.errors.clone(),
        }
    }

    pub(crate) fn respond(&self, request_id: String) -> Response {
        let body = serde_json::to_vec(&self.body(request_id)).unwrap_or_default();
        let mut response = (self.kind.status(), body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = self.retry_after_seconds {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// The body is written by [`crate::finish`], which knows the request.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.respond(String::new());
        response.extensions_mut().insert(self);
        response
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict | StoreError::Engine(EngineError::Busy | EngineError::Unavailable(_)) => {
                tracing::warn!(cause = %error, "the store did not answer in time");
                Self::new(Kind::Unavailable).because("Try again in a moment.").retry_after(1)
            }
            StoreError::Engine(EngineError::Rejected(_) | EngineError::NoSuchTable(_))
            | StoreError::Item { .. }
            | StoreError::TooMany { .. }
            | StoreError::Audit(_) => Self::internal(&error),
        }
    }
}

/// Checks many fields and reports all that are wrong at once.
#[derive(Debug, Default)]
pub struct Fields {
    errors: Vec<FieldError>,
}

impl Fields {
    /// Nothing is wrong yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The value, or a note of what is wrong with it.
    pub fn take<T, E: FieldRefusal>(&mut self, pointer: &str, value: Result<T, E>) -> Option<T> {
        value.map_err(|error| self.errors.push(FieldError::new(pointer, error.code(), &error))).ok()
    }

    /// Notes what is wrong with a field.
    pub fn refuse(&mut self, pointer: &str, code: FieldCode, detail: impl Display) {
        self.errors.push(FieldError::new(pointer, code, detail));
    }

    /// Whether nothing was noted.
    pub fn is_empty(&self) -> bool {
        self.errors.is_empty()
    }

    /// The refusal that names every field noted.
    pub fn refusal(self) -> Problem {
        let errors = self.errors;
        Problem { errors, ..Problem::new(Kind::InvalidRequest).because("Some fields were refused.") }
    }
}
