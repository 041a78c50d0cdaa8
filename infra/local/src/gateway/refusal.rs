//! What the gateway itself answers, in the template's words.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::response::Response;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use serde_json::Value as Json;

use crate::identity;
use crate::template::GatewayResponse;

/// The cases in which no function answers.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html>
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The request cannot be understood.
    BadRequest,
    /// No token, or one that is not taken.
    Unauthorized,
    /// A token that was once good.
    ExpiredToken,
    /// No such method and path; AWS calls this a missing authentication token.
    NoSuchRoute,
    /// The body is larger than the gateway or the function takes.
    TooLarge,
    /// Request line and headers are larger than the gateway takes.
    HeadersTooLarge,
    /// The method's bucket is empty.
    Throttled,
    /// As many invocations run as may.
    Overloaded,
    /// The function failed, or its answer has not the shape of a proxy answer.
    BadAnswer,
    /// The function took too long.
    TimedOut,
}

impl Refusal {
    /// The response type, the status unless the template says otherwise, and AWS's message.
    fn description(self) -> (&'static str, StatusCode, &'static str) {
        match self {
            Self::BadRequest => ("BAD_REQUEST_BODY", StatusCode::BAD_REQUEST, "Bad Request"),
            Self::Unauthorized => ("UNAUTHORIZED", StatusCode::UNAUTHORIZED, "Unauthorized"),
            Self::ExpiredToken => ("EXPIRED_TOKEN", StatusCode::FORBIDDEN, "The incoming token has expired"),
            Self::NoSuchRoute => {
                ("MISSING_AUTHENTICATION_TOKEN", StatusCode::FORBIDDEN, "Missing Authentication Token")
            }
            Self::TooLarge => ("REQUEST_TOO_LARGE", StatusCode::PAYLOAD_TOO_LARGE, "Request Too Long"),
            // AWS has no type of its own for this: it is always the default one.
            Self::HeadersTooLarge => (
                "DEFAULT_4XX",
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                "Request Header Fields Too Large",
            ),
            Self::Throttled => ("THROTTLED", StatusCode::TOO_MANY_REQUESTS, "Too Many Requests"),
            Self::Overloaded => {
                ("API_CONFIGURATION_ERROR", StatusCode::INTERNAL_SERVER_ERROR, "Internal server error")
            }
            Self::BadAnswer => ("API_CONFIGURATION_ERROR", StatusCode::BAD_GATEWAY, "Internal server error"),
            Self::TimedOut => {
                ("INTEGRATION_TIMEOUT", StatusCode::GATEWAY_TIMEOUT, "Endpoint request timed out")
            }
        }
    }
}

/// What a response template may say about the request.
#[derive(Clone, Debug)]
pub struct Context {
    /// Id of the request.
    pub request_id: String,
    /// The API's logical id.
    pub api_id: String,
    /// The stage.
    pub stage: String,
    /// In upper case.
    pub method: String,
    /// With the stage.
    pub path: String,
    /// The route's path as in the template, once it is known.
    pub resource_path: Option<String>,
    /// Address of the caller.
    pub source_ip: String,
    /// When the request came.
    pub time: Timestamp,
}

/// A gateway response that the template describes wrongly.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RefusalError {
    /// Not a status.
    #[error("GatewayResponses.{0}: `{1}` is not a status code")]
    Status(String, String),
    /// Not a header.
    #[error("GatewayResponses.{0}: `{1}` is not a header with a plain value")]
    Header(String, String),
}

/// Every gateway response of an API.
#[derive(Clone, Debug, Default)]
pub struct Refusals(BTreeMap<String, Form>);

#[derive(Clone, Debug)]
struct Form {
    status: Option<StatusCode>,
    headers: HeaderMap,
    body: Option<String>,
}

/// What a gateway response without a template says.
const DEFAULT_BODY: &str = r#"{"message":$context.error.messageString}"#;

/// The media type of templates that is used: the gateway takes it whatever the caller accepts.
const JSON: &str = "application/json";

impl Refusals {
    /// The responses of a template. Variables that AWS does not fill in are logged: there they leave a gap.
    ///
    /// # Errors
    /// [`RefusalError`].
    pub fn new(responses: &BTreeMap<String, GatewayResponse>) -> Result<Self, RefusalError> {
        let mut forms = BTreeMap::new();
        for (kind, response) in responses {
            let status = response
                .status_code
                .as_ref()
                .map(|text| text.parse().map_err(|_| RefusalError::Status(kind.clone(), text.clone())))
                .transpose()?;
            let mut headers = HeaderMap::new();
            for (name, value) in &response.response_parameters.headers {
                let refuse = || RefusalError::Header(kind.clone(), name.clone());
                let value = HeaderValue::from_str(&value.0).map_err(|_| refuse())?;
                headers.insert(HeaderName::from_bytes(name.as_bytes()).map_err(|_| refuse())?, value);
            }
            let body = response.response_templates.get(JSON).cloned();
            for name in body.as_deref().map(variables).unwrap_or_default() {
                if !VARIABLES.contains(&name) {
                    tracing::warn!(
                        response = %kind, variable = %format!("$context.{name}"),
                        "AWS does not fill in this variable in gateway responses: the answer will have a gap"
                    );
                }
            }
            forms.insert(kind.clone(), Form { status, headers, body });
        }
        Ok(Self(forms))
    }

    /// The answer in one case: its own response, that of its class, or AWS's default.
    #[must_use]
    pub fn answer(&self, refusal: Refusal, context: &Context) -> Response {
        let (kind, status, message) = refusal.description();
        let class = if status.is_server_error() { "DEFAULT_5XX" } else { "DEFAULT_4XX" };
        let form = self.0.get(kind).or_else(|| self.0.get(class));
        let template = form.and_then(|form| form.body.as_deref()).unwrap_or(DEFAULT_BODY);
        let body = render(template, |name| value(name, context, kind, message));
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = form.and_then(|form| form.status).unwrap_or(status);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
        for (name, value) in form.into_iter().flat_map(|form| &form.headers) {
            headers.insert(name, value.clone());
        }
        response
    }
}

/// What AWS fills in; the access log knows more.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-mapping-template-reference.html>
const VARIABLES: &[&str] = &[
    "accountId",
    "apiId",
    "error.message",
    "error.messageString",
    "error.responseType",
    "extendedRequestId",
    "httpMethod",
    "identity.sourceIp",
    "path",
    "requestId",
    "requestTime",
    "requestTimeEpoch",
    "resourcePath",
    "stage",
];

fn value(name: &str, context: &Context, kind: &str, message: &str) -> Option<String> {
    Some(match name {
        "accountId" => identity::ACCOUNT.to_owned(),
        "apiId" => context.api_id.clone(),
        "error.message" => message.to_owned(),
        "error.messageString" => Json::from(message).to_string(),
        "error.responseType" => kind.to_owned(),
        "extendedRequestId" | "requestId" => context.request_id.clone(),
        "httpMethod" => context.method.clone(),
        "identity.sourceIp" => context.source_ip.clone(),
        "path" => escaped(&context.path),
        "requestTime" => identity::request_time(context.time),
        "requestTimeEpoch" => context.time.as_millisecond().to_string(),
        "resourcePath" => context.resource_path.clone()?,
        "stage" => context.stage.clone(),
        _ => return None,
    })
}

/// The caller's own words, so that they cannot leave the JSON string they are put into.
fn escaped(text: &str) -> String {
    let quoted = Json::from(text).to_string();
    quoted.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or_default().to_owned()
}

const VARIABLE: &str = "$context.";

/// The names after each `$context.` in a template.
fn variables(template: &str) -> Vec<&str> {
    template.split(VARIABLE).skip(1).map(|rest| split_name(rest).0).collect()
}

/// Replaces each variable; those without a value leave nothing, as on AWS.
fn render(template: &str, value: impl Fn(&str) -> Option<String>) -> String {
    let mut parts = template.split(VARIABLE);
    let mut result = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = split_name(part);
        result.push_str(&value(name).unwrap_or_default());
        result.push_str(rest);
    }
    result
}

/// A variable's name, and what follows it: a full stop at the end belongs to the sentence.
fn split_name(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '.')).unwrap_or(text.len());
    let name = text.split_at(end).0.trim_end_matches('.');
    text.split_at(name.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_replaced_and_unknown_ones_leave_a_gap() {
        let rendered = render("a $context.one, $context.two.three. $context.status!", |name| match name {
            "one" => Some("1".to_owned()),
            "two.three" => Some("23".to_owned()),
            _ => None,
        });
        assert_eq!(rendered, "a 1, 23. !");
        assert_eq!(variables("$context.a$context.b"), ["a", "b"]);
    }

    #[test]
    fn the_caller_cannot_leave_the_string() {
        assert_eq!(escaped(r#"/a","status":200,"x":""#), r#"/a\",\"status\":200,\"x\":\""#);
    }
}
