//! Why Salesforce did not do what it was asked, from the answers that it gives.

use reqwest::StatusCode;
use serde::Deserialize;

/// Why Salesforce did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum SalesforceError {
    /// The portal's own credentials are not taken; people have to look at it.
    #[error("Salesforce does not let the portal in: {0}")]
    SignIn(String),
    /// The org's API calls of the day are used up; Salesforce says so.
    #[error("the org's API limit is reached")]
    LimitReached,
    /// What is left of the org's API calls is for others; nothing was sent ([`crate::Pace`]).
    #[error("the org's API calls are left to others")]
    HeldBack,
    /// Salesforce has not answered several times in a row; nothing was sent, and the next try is due soon.
    #[error("Salesforce has not answered for a while and is not asked")]
    Suspended,
    /// Another write holds the row; the same call may work in a moment.
    #[error("the row is locked")]
    RowLocked,
    /// No answer, no answer in time, or one that says "later". The call may have been carried out.
    #[error("Salesforce is not available: {0}")]
    Unavailable(String),
    /// The call was understood and refused; the same call will be refused again.
    #[error("Salesforce refused: {code}: {message}")]
    Refused {
        /// Salesforce's error code.
        code: String,
        /// Salesforce's words. For logs, never for clients.
        message: String,
    },
    /// The answer is not what the documentation says.
    #[error("Salesforce's answer cannot be read: {0}")]
    Unreadable(String),
}

impl SalesforceError {
    /// Whether the same call may succeed later.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::LimitReached
            | Self::HeldBack
            | Self::Suspended
            | Self::RowLocked
            | Self::Unavailable(_)
            | Self::SignIn(_) => true,
            Self::Refused { .. } | Self::Unreadable(_) => false,
        }
    }
}

/// Reads an error in each of the shapes that Salesforce uses: a list, a bare object, OAuth's pair; or none of
/// them, when a proxy answers with a page of HTML.
pub(crate) fn refusal(status: StatusCode, answer: &[u8]) -> SalesforceError {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Body {
        List(Vec<Entry>),
        One(Entry),
        OAuth { error: String, error_description: Option<String> },
    }
    #[derive(Deserialize)]
    struct Entry {
        #[serde(rename = "errorCode")]
        code: String,
        message: Option<String>,
    }
    let (code, message) = match serde_json::from_slice(answer) {
        Ok(Body::List(entries)) => match entries.into_iter().next() {
            Some(Entry { code, message }) => (code, message.unwrap_or_default()),
            None => (String::new(), String::new()),
        },
        Ok(Body::One(Entry { code, message })) => (code, message.unwrap_or_default()),
        Ok(Body::OAuth { error, error_description }) => (error, error_description.unwrap_or_default()),
        Err(_) => (String::new(), String::new()),
    };
    classified(status, code, message)
}

/// What an error of Salesforce's means for whoever called.
pub(crate) fn classified(status: StatusCode, code: String, message: String) -> SalesforceError {
    match (status, code.as_str()) {
        (_, "REQUEST_LIMIT_EXCEEDED") => SalesforceError::LimitReached,
        (_, "UNABLE_TO_LOCK_ROW") => SalesforceError::RowLocked,
        (_, "SERVER_UNAVAILABLE" | "UNKNOWN_EXCEPTION") => SalesforceError::Unavailable(code),
        (StatusCode::UNAUTHORIZED, _) => SalesforceError::SignIn(code),
        (StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT, _) => {
            SalesforceError::Unavailable(status.to_string())
        }
        (status, _) if status.is_server_error() => SalesforceError::Unavailable(status.to_string()),
        (StatusCode::MULTIPLE_CHOICES, _) => SalesforceError::Refused {
            code: "MULTIPLE_CHOICES".to_owned(),
            message: "the external id is not unique in the org".to_owned(),
        },
        (status, "") => SalesforceError::Refused { code: status.to_string(), message: String::new() },
        _ => SalesforceError::Refused { code, message },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(status: u16, body: &str) -> String {
        refusal(StatusCode::from_u16(status).unwrap(), body.as_bytes()).to_string()
    }

    #[test]
    fn case_r05_errors_are_read_in_every_shape() {
        insta_like(&[
            (
                400,
                r#"[{"message":"bad","errorCode":"INVALID_FIELD","fields":[]}]"#,
                "Salesforce refused: INVALID_FIELD: bad",
            ),
            (
                400,
                r#"{"message":"bad","errorCode":"INVALID_FIELD"}"#,
                "Salesforce refused: INVALID_FIELD: bad",
            ),
            (
                400,
                r#"{"error":"invalid_grant","error_description":"expired"}"#,
                "Salesforce refused: invalid_grant: expired",
            ),
            (
                403,
                r#"[{"message":"m","errorCode":"REQUEST_LIMIT_EXCEEDED"}]"#,
                "the org's API limit is reached",
            ),
            (
                403,
                r#"[{"message":"m","errorCode":"INSUFFICIENT_ACCESS"}]"#,
                "Salesforce refused: INSUFFICIENT_ACCESS: m",
            ),
            (400, r#"[{"message":"m","errorCode":"UNABLE_TO_LOCK_ROW"}]"#, "the row is locked"),
            (503, "<html>maintenance</html>", "Salesforce is not available: 503 Service Unavailable"),
            (503, "", "Salesforce is not available: 503 Service Unavailable"),
            (404, "<html>", "Salesforce refused: 404 Not Found: "),
        ]);
        fn insta_like(rows: &[(u16, &str, &str)]) {
            for (status, body, expected) in rows {
                assert_eq!(kind(*status, body), *expected);
            }
        }
    }
}
