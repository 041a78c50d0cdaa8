//! REST and WebSocket APIs.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Scope, Template, TemplateError};

/// An `AWS::Serverless::Api`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct RestApi {
    /// Part of every URL on AWS, and of `requestContext.path`.
    pub stage_name: String,
    /// Who may call.
    #[serde(default)]
    pub auth: RestApiAuth,
    /// What browsers of other origins may do.
    pub cors: Option<Cors>,
    /// Throttles per method.
    #[serde(default)]
    pub method_settings: Vec<MethodSetting>,
    /// What the gateway itself answers, by response type.
    #[serde(default)]
    pub gateway_responses: BTreeMap<String, GatewayResponse>,
    /// Media types whose bodies travel as base64; `~1` stands for a slash.
    #[serde(default)]
    pub binary_media_types: Vec<String>,
}

/// `Auth` of an API.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct RestApiAuth {
    /// The authorizer of every method that names none.
    pub default_authorizer: Option<String>,
    /// Whether a preflight needs a token; browsers never send one.
    #[serde(default = "yes")]
    pub add_default_authorizer_to_cors_preflight: bool,
    /// Authorizers by name.
    #[serde(default)]
    pub authorizers: BTreeMap<String, Authorizer>,
}

/// SAM's default for `AddDefaultAuthorizerToCorsPreflight`.
fn yes() -> bool {
    true
}

/// A Cognito authorizer.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Authorizer {
    /// The pool whose tokens are taken.
    pub user_pool_arn: String,
    /// One of these scopes must be in the token. Empty: the authorizer takes ID tokens, not access tokens.
    #[serde(default)]
    pub authorization_scopes: Vec<String>,
}

/// `Cors` of an API; SAM wants the values in single quotes, which are taken off here.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Cors {
    /// The one origin, or `*`.
    #[serde(deserialize_with = "quoted")]
    pub allow_origin: String,
    /// Methods, separated by commas.
    #[serde(default, deserialize_with = "quoted_if_present")]
    pub allow_methods: Option<String>,
    /// Headers, separated by commas.
    #[serde(default, deserialize_with = "quoted_if_present")]
    pub allow_headers: Option<String>,
    /// Seconds for which a browser may keep the answer.
    #[serde(default, deserialize_with = "quoted_if_present")]
    pub max_age: Option<String>,
}

/// One entry of `MethodSettings`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct MethodSetting {
    /// A path with `~1` for each inner slash, or `/*`.
    pub resource_path: String,
    /// A method in upper case, or `*`.
    pub http_method: String,
    /// Requests a second, for each method.
    pub throttling_rate_limit: Option<u32>,
    /// Requests at once, for each method.
    pub throttling_burst_limit: Option<u32>,
    /// Without effect locally.
    #[serde(default, rename = "MetricsEnabled")]
    _metrics_enabled: Option<bool>,
    /// Without effect locally.
    #[serde(default, rename = "LoggingLevel")]
    _logging_level: Option<String>,
}

/// What the gateway answers in one case.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct GatewayResponse {
    /// The status; the case's own if absent.
    pub status_code: Option<String>,
    /// Bodies by media type.
    #[serde(default)]
    pub response_templates: BTreeMap<String, String>,
    /// Headers.
    #[serde(default)]
    pub response_parameters: ResponseParameters,
}

/// `ResponseParameters` of a gateway response.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct ResponseParameters {
    /// Static values in single quotes.
    #[serde(default)]
    pub headers: BTreeMap<String, Quoted>,
}

/// A static value, written in single quotes in the template.
#[derive(Clone, Debug, Deserialize)]
pub struct Quoted(#[serde(deserialize_with = "quoted")] pub String);

/// An `AWS::Serverless::WebSocketApi`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct WebSocketApi {
    /// Part of every URL on AWS.
    pub stage_name: String,
    /// Which member of a JSON message names the route: `$request.body.<member>`.
    pub route_selection_expression: String,
    /// Routes by key.
    pub routes: BTreeMap<String, WebSocketRoute>,
}

/// A route of a WebSocket API.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct WebSocketRoute {
    /// The function's ARN.
    pub function_arn: String,
}

fn quoted<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.strip_prefix('\'')
        .and_then(|text| text.strip_suffix('\''))
        .map(ToOwned::to_owned)
        .ok_or_else(|| serde::de::Error::custom(format!("a static value needs single quotes: {text}")))
}

fn quoted_if_present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    quoted(deserializer).map(Some)
}

impl Template {
    /// A REST API.
    ///
    /// # Errors
    /// A property is not known or does not fit.
    pub fn rest_api(&self, logical_id: &str, scope: &Scope) -> Result<RestApi, TemplateError> {
        const WITHOUT_EFFECT: &[&str] = &[
            "AccessLogSetting",
            "AlwaysDeploy",
            "Description",
            "EndpointConfiguration",
            "Name",
            "PropagateTags",
            "Tags",
            "TracingEnabled",
        ];
        self.properties(logical_id, scope, WITHOUT_EFFECT)
    }

    /// A WebSocket API.
    ///
    /// # Errors
    /// A property is not known or does not fit.
    pub fn web_socket_api(&self, logical_id: &str, scope: &Scope) -> Result<WebSocketApi, TemplateError> {
        const WITHOUT_EFFECT: &[&str] =
            &["AccessLogSettings", "DefaultRouteSettings", "Description", "Name", "PropagateTags", "Tags"];
        self.properties(logical_id, scope, WITHOUT_EFFECT)
    }
}
