//! What routes promise alike, described once for OpenAPI: how they refuse, and which parameters they share.
//!
//! A route names the set of refusals that fits it in `responses(...)` and the shared parameters in `params(...)`;
//! the document holds each refusal once, under `components/responses`, made from the registry of [`Kind`]s.

use std::collections::BTreeMap;

use utoipa::{
    IntoParams, IntoResponses, Modify, PartialSchema, ToSchema,
    openapi::{
        self, Object, Ref, RefOr, Response, Type, example::ExampleBuilder, header::HeaderBuilder,
        response::ResponseBuilder,
    },
};

use crate::{FieldCode, FieldError, Kind, Problem, ProblemBody};

/// The media type of every refusal.
const PROBLEM: &str = "application/problem+json";
/// The request that the examples tell of.
const EXAMPLE_REQUEST: &str = "3f1c8a52-6c0e-4b52-9b0e-6a0f6f0e6d11";

/// One answer that refuses: the kinds that share it, which all have its status.
struct Refusal {
    name: &'static str,
    kinds: &'static [Kind],
}

const INVALID_REQUEST: Refusal = Refusal { name: "InvalidRequest", kinds: &[Kind::InvalidRequest] };
const INVALID_COMMAND: Refusal =
    Refusal { name: "InvalidCommand", kinds: &[Kind::IdempotencyKeyMissing, Kind::InvalidRequest] };
const UNAUTHENTICATED: Refusal = Refusal { name: "Unauthenticated", kinds: &[Kind::Unauthenticated] };
const FORBIDDEN: Refusal = Refusal { name: "Forbidden", kinds: &[Kind::AccessEnded, Kind::Forbidden] };
const NOT_FOUND: Refusal = Refusal { name: "NotFound", kinds: &[Kind::NotFound] };
const IN_FLIGHT: Refusal = Refusal { name: "InFlight", kinds: &[Kind::InFlight] };
const CONFLICT: Refusal =
    Refusal { name: "Conflict", kinds: &[Kind::ChangedSince, Kind::InFlight, Kind::WrongState] };
const PAYLOAD_TOO_LARGE: Refusal = Refusal { name: "PayloadTooLarge", kinds: &[Kind::PayloadTooLarge] };
const UNSUPPORTED_MEDIA_TYPE: Refusal =
    Refusal { name: "UnsupportedMediaType", kinds: &[Kind::UnsupportedMediaType] };
const WRONG_STATE: Refusal = Refusal { name: "WrongState", kinds: &[Kind::WrongState] };
const KEY_REUSED: Refusal = Refusal { name: "IdempotencyKeyReused", kinds: &[Kind::IdempotencyKeyReused] };
const TOO_MANY_REQUESTS: Refusal = Refusal { name: "TooManyRequests", kinds: &[Kind::TooManyRequests] };
const INTERNAL: Refusal = Refusal { name: "Internal", kinds: &[Kind::Internal] };
const UNAVAILABLE: Refusal = Refusal { name: "Unavailable", kinds: &[Kind::Unavailable] };

/// How a command refuses that takes room for files.
const NO_ROOM: Refusal = Refusal { name: "NoRoom", kinds: &[Kind::InFlight, Kind::NoRoom, Kind::WrongState] };

/// Every refusal that a route can name.
const REFUSALS: [Refusal; 15] = [
    CONFLICT,
    FORBIDDEN,
    IN_FLIGHT,
    INTERNAL,
    INVALID_COMMAND,
    INVALID_REQUEST,
    KEY_REUSED,
    NO_ROOM,
    NOT_FOUND,
    PAYLOAD_TOO_LARGE,
    TOO_MANY_REQUESTS,
    UNAUTHENTICATED,
    UNAVAILABLE,
    UNSUPPORTED_MEDIA_TYPE,
    WRONG_STATE,
];

/// What any signed-in route may answer.
const SIGNED_IN: [Refusal; 5] = [UNAUTHENTICATED, FORBIDDEN, TOO_MANY_REQUESTS, INTERNAL, UNAVAILABLE];

/// How every operation refuses: 401, 403, 429, 500, 503.
#[derive(Debug)]
pub struct SignedInRefusals;

/// How an operation on a list refuses: 400, 404 (the account) and those of [`SignedInRefusals`].
#[derive(Debug)]
pub struct ListRefusals;

/// How an operation that reads one record refuses: 400, 404 and those of [`SignedInRefusals`].
#[derive(Debug)]
pub struct RecordRefusals;

/// How a command refuses that may bring files with it: 400, 409, also where there is no room for them, 413, 415, 422 and
/// those of [`SignedInRefusals`].
#[derive(Debug)]
pub struct CommandRefusals;

/// How a command refuses that adds a file to a record: 404 and those of [`CommandRefusals`].
#[derive(Debug)]
pub struct RecordFileRefusals;

/// How a command on a record refuses: 400, 404, 409, 413, 415, 422 and those of [`SignedInRefusals`].
#[derive(Debug)]
pub struct RecordCommandRefusals;

/// How a command that changes a record refuses: as [`RecordCommandRefusals`], and 409 also where the record has
/// changed or is not in a state for it.
#[derive(Debug)]
pub struct AmendmentRefusals;

/// How setting something on a record refuses, which takes no body: 400, 404, 409 where the record does not allow it, and
/// those of [`SignedInRefusals`].
#[derive(Debug)]
pub struct RecordSettingRefusals;

/// How setting something on a record refuses by a body that takes no key: 413, 415 and those of
/// [`RecordSettingRefusals`].
#[derive(Debug)]
pub struct RecordBodyRefusals;

/// What [`crate::Once`] adds.
const COMMAND: [Refusal; 5] =
    [INVALID_COMMAND, IN_FLIGHT, PAYLOAD_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE, KEY_REUSED];

/// What [`crate::Caller`], [`crate::PageQuery`] and a missing record add.
const READ: [Refusal; 2] = [INVALID_REQUEST, NOT_FOUND];

type Responses = BTreeMap<String, RefOr<Response>>;

impl IntoResponses for SignedInRefusals {
    fn responses() -> Responses {
        references([SIGNED_IN.as_slice()])
    }
}

impl IntoResponses for ListRefusals {
    fn responses() -> Responses {
        references([READ.as_slice(), &SIGNED_IN])
    }
}

impl IntoResponses for RecordRefusals {
    fn responses() -> Responses {
        references([READ.as_slice(), &SIGNED_IN])
    }
}

impl IntoResponses for CommandRefusals {
    fn responses() -> Responses {
        // Of two answers of one status the later stands.
        references([COMMAND.as_slice(), &[NO_ROOM], &SIGNED_IN])
    }
}

impl IntoResponses for RecordFileRefusals {
    fn responses() -> Responses {
        references([[NOT_FOUND].as_slice(), &COMMAND, &[NO_ROOM], &SIGNED_IN])
    }
}

impl IntoResponses for RecordCommandRefusals {
    fn responses() -> Responses {
        references([[NOT_FOUND].as_slice(), &COMMAND, &SIGNED_IN])
    }
}

impl IntoResponses for AmendmentRefusals {
    fn responses() -> Responses {
        references([[NOT_FOUND].as_slice(), &COMMAND, &[CONFLICT], &SIGNED_IN])
    }
}

impl IntoResponses for RecordSettingRefusals {
    fn responses() -> Responses {
        references([READ.as_slice(), &[WRONG_STATE], &SIGNED_IN])
    }
}

impl IntoResponses for RecordBodyRefusals {
    fn responses() -> Responses {
        let body = [PAYLOAD_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE];
        references([READ.as_slice(), &[WRONG_STATE], &body, &SIGNED_IN])
    }
}

fn references<const N: usize>(sets: [&[Refusal]; N]) -> Responses {
    let refusals = sets.into_iter().flatten();
    refusals
        .filter_map(|refusal| {
            let status = refusal.kinds.first()?.status();
            Some((status.as_str().to_owned(), Ref::from_response_name(refusal.name).into()))
        })
        .collect()
}

impl Refusal {
    fn response(&self) -> Response {
        let meanings: Vec<String> =
            self.kinds.iter().map(|kind| format!("`{}`: {}", kind.slug(), kind.meaning())).collect();
        let examples = self.kinds.iter().map(|kind| {
            let example = ExampleBuilder::new().summary(kind.title()).value(example(*kind)).build();
            (kind.slug(), RefOr::T(example))
        });
        let content = openapi::ContentBuilder::new()
            .schema(Some(Ref::from_schema_name(ProblemBody::name())))
            .examples_from_iter(examples)
            .build();
        let mut response = ResponseBuilder::new().description(meanings.join("\n\n")).header(
            "x-request-id",
            header(
                Type::String,
                "The id to quote to support; also `request_id` in the body. \
                 Absent where the gateway refuses before any function runs.",
            ),
        );
        if self.kinds.iter().any(|kind| kind.retries()) {
            response =
                response.header("Retry-After", header(Type::Integer, "Seconds after which to try again."));
        }
        if self.kinds.contains(&Kind::Unauthenticated) {
            response = response.header("WWW-Authenticate", header(Type::String, "`Bearer` (RFC 6750)."));
        }
        response.content(PROBLEM, content).build()
    }
}

fn header(kind: Type, description: &str) -> openapi::Header {
    HeaderBuilder::new().schema(Some(Object::with_type(kind))).description(Some(description)).build()
}

/// A refusal of this kind as it goes over the wire.
fn example(kind: Kind) -> Option<serde_json::Value> {
    let problem = Problem::new(kind);
    let problem = match kind {
        Kind::InvalidRequest => {
            problem.because("Some fields were refused.").at("/subject", FieldCode::Empty, "must not be empty")
        }
        _ => problem.because(kind.meaning()),
    };
    serde_json::to_value(problem.body(EXAMPLE_REQUEST.to_owned())).ok()
}

/// Puts what the routes refer to into the document.
#[derive(Debug)]
pub struct SharedComponents;

impl Modify for SharedComponents {
    fn modify(&self, document: &mut openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        let responses = REFUSALS.iter().map(|refusal| (refusal.name.to_owned(), refusal.response().into()));
        components.responses.extend(responses);
        components.schemas.extend([
            (ProblemBody::name().into_owned(), ProblemBody::schema()),
            (FieldError::name().into_owned(), FieldError::schema()),
            (FieldCode::name().into_owned(), FieldCode::schema()),
        ]);
    }
}

/// The header that makes a command repeatable; [`crate::Once`] reads it.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "describes the header to OpenAPI")]
pub struct IdempotencyKey {
    /// Names the command: a new one for each thing to create, the same one for each attempt, 1 to 255 visible ASCII
    /// characters (a UUID will do). It is this user's own, and is remembered for 48 hours.
    #[param(
        rename = "Idempotency-Key",
        min_length = 1,
        max_length = 255,
        pattern = "^[!-~]{1,255}$",
        example = "0f6d2c1e-7a58-4a0c-9a55-0b7d9c3e2f41"
    )]
    key: String,
}

/// The account that people of the consultancy look at; [`crate::Caller`] reads it.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes the parameter to OpenAPI")]
pub struct AccountChoice {
    /// Whose records. People of the consultancy must say it; people of a client company have one account and leave
    /// it out.
    #[param(
        required = false,
        pattern = "^acct_[0-9a-f]{32}$",
        example = "acct_01993b8e5c6a7d2f8b1e4a9c0d3f6e72"
    )]
    account: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_that_share_an_answer_share_its_status() {
        for refusal in REFUSALS {
            let statuses: Vec<_> = refusal.kinds.iter().map(|kind| kind.status()).collect();
            assert!(statuses.windows(2).all(|pair| pair[0] == pair[1]), "{}: {statuses:?}", refusal.name);
        }
    }

    #[test]
    fn no_set_has_two_answers_of_one_status() {
        assert_eq!(SignedInRefusals::responses().len(), SIGNED_IN.len());
        assert_eq!(ListRefusals::responses().len(), SIGNED_IN.len() + READ.len());
        assert_eq!(RecordRefusals::responses().len(), SIGNED_IN.len() + READ.len());
        assert_eq!(CommandRefusals::responses().len(), SIGNED_IN.len() + COMMAND.len());
        assert_eq!(RecordSettingRefusals::responses().len(), SIGNED_IN.len() + READ.len() + 1);
        assert_eq!(RecordBodyRefusals::responses().len(), SIGNED_IN.len() + READ.len() + 3);
        assert_eq!(RecordCommandRefusals::responses().len(), SIGNED_IN.len() + COMMAND.len() + 1);
    }
}
