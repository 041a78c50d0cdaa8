//! What SQS and Secrets Manager share on the wire: AWS JSON, one path, the operation in a header.
//! <https://smithy.io/2.0/aws/protocols/aws-json-1_0-protocol.html>

use axum::body::Body;
use axum::response::Response;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::ACCESS_KEY_ID;

/// Names the operation: `AmazonSQS.SendMessage`.
pub(crate) const TARGET: HeaderName = HeaderName::from_static("x-amz-target");

/// An error code from before the JSON protocol, which SQS clients still read.
const QUERY_ERROR: HeaderName = HeaderName::from_static("x-amzn-query-error");

/// A refusal in the form that the SDKs parse.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) query_error: Option<&'static str>,
}

impl Refusal {
    pub(crate) fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            code: code.into(),
            message: message.into(),
            query_error: None,
        }
    }

    /// Something broke here; the cause goes to the log and to the developer who reads the answer.
    pub(crate) fn internal(error: &dyn std::error::Error) -> Self {
        tracing::error!(%error, "emulator failed");
        Self { status: StatusCode::INTERNAL_SERVER_ERROR, ..Self::new("InternalFailure", error.to_string()) }
    }

    pub(crate) fn into_response(self, content_type: &'static str) -> Response {
        let body =
            serde_json::json!({ "__type": self.code, "message": self.message, "Message": self.message });
        let mut response = response(self.status, content_type, body.to_string());
        if let Some(code) = self.query_error {
            response.headers_mut().insert(QUERY_ERROR, HeaderValue::from_static(code));
        }
        response
    }
}

pub(crate) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|error| Refusal::new("SerializationException", error.to_string()))
}

pub(crate) fn print<T: Serialize>(answer: &T) -> Result<String, Refusal> {
    serde_json::to_string(answer).map_err(|error| Refusal::internal(&error))
}

pub(crate) fn response(status: StatusCode, content_type: &'static str, body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// The request must at least name our access key. This finds a client with the wrong credentials, and a web page that
/// reaches for `127.0.0.1` cannot guess its way to the secrets. Signatures are checked by S3 only.
pub(crate) fn check_access_key(headers: &HeaderMap) -> Result<(), Refusal> {
    let named = headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once("Credential="))
        .and_then(|(_, credential)| credential.split('/').next());
    if named == Some(ACCESS_KEY_ID) {
        return Ok(());
    }
    Err(Refusal {
        status: StatusCode::FORBIDDEN,
        ..Refusal::new(
            "UnrecognizedClientException",
            "the request is not signed with the local access key (portico_emulators::ACCESS_KEY_ID)",
        )
    })
}
