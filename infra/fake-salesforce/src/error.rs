//! Refusals in the words of the REST API: a status, an error code and a message.

use serde_json::{Value, json};

/// A refused call. Its JSON form is the list that Salesforce answers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub(crate) struct ApiError {
    /// HTTP status.
    pub status: u16,
    pub code: &'static str,
    pub message: String,
    /// Shown when the error is about fields.
    pub fields: Option<Vec<String>>,
}

impl ApiError {
    pub(crate) fn new(status: u16, code: &'static str, message: impl Into<String>) -> ApiError {
        ApiError { status, code, message: message.into(), fields: None }
    }

    pub(crate) fn bad(code: &'static str, message: impl Into<String>) -> ApiError {
        ApiError::new(400, code, message)
    }

    pub(crate) fn about<I: Into<String>>(mut self, fields: impl IntoIterator<Item = I>) -> ApiError {
        self.fields = Some(fields.into_iter().map(Into::into).collect());
        self
    }

    pub(crate) fn not_found() -> ApiError {
        ApiError::new(404, "NOT_FOUND", "The requested resource does not exist")
    }

    pub(crate) fn deleted() -> ApiError {
        ApiError::new(404, "ENTITY_IS_DELETED", "entity is deleted")
    }

    pub(crate) fn invalid_session() -> ApiError {
        ApiError::new(401, "INVALID_SESSION_ID", "Session expired or invalid")
    }

    pub(crate) fn request_limit() -> ApiError {
        ApiError::new(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
    }

    pub(crate) fn method_not_allowed(method: &http::Method, allowed: &str) -> ApiError {
        let message = format!("HTTP Method '{method}' not allowed. Allowed are {allowed}");
        ApiError::new(405, "METHOD_NOT_ALLOWED", message)
    }

    /// One element of the error list.
    pub(crate) fn entry(&self) -> Value {
        match &self.fields {
            Some(fields) => json!({"message": self.message, "errorCode": self.code, "fields": fields}),
            None => json!({"message": self.message, "errorCode": self.code}),
        }
    }

    /// The whole body.
    pub(crate) fn body(&self) -> Value {
        json!([self.entry()])
    }

    /// The shape inside a result list (collections, upsert): `statusCode` instead of `errorCode`.
    pub(crate) fn result_entry(&self) -> Value {
        let fields = self.fields.clone().unwrap_or_default();
        json!({"statusCode": self.code, "message": self.message, "fields": fields})
    }
}

/// A failure of the store is the org's own fault. The client learns nothing about it, the log does.
impl From<rusqlite::Error> for ApiError {
    fn from(error: rusqlite::Error) -> ApiError {
        tracing::error!(%error, "the store failed");
        ApiError::new(500, "UNKNOWN_EXCEPTION", "An unexpected error occurred. Please include this ErrorId")
    }
}
