//! The event of a REST API with proxy integration.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html>

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use serde_json::{Map, Value as Json, json};

use super::authorizer::Claims;
use super::refusal::Context;
use crate::identity;

/// Everything that the event tells about a request.
pub(super) struct Request<'a> {
    pub(super) context: &'a Context,
    /// `/cases/{caseId}`
    pub(super) resource: &'a str,
    /// As sent, without the stage.
    pub(super) path: &'a str,
    /// As sent, without the question mark.
    pub(super) query: &'a str,
    pub(super) headers: &'a HeaderMap,
    pub(super) parameters: &'a BTreeMap<String, String>,
    pub(super) claims: Option<&'a Claims>,
    /// `host:port` under which the API is reached.
    pub(super) domain: &'a str,
    pub(super) body: &'a [u8],
    /// Whether the body travels as base64.
    pub(super) binary: bool,
}

/// The event. `path` is without the stage and `requestContext.path` with it, as for the `execute-api` host.
pub(super) fn proxy_event(request: &Request<'_>) -> Json {
    let context = request.context;
    let (single_headers, multi_headers) = header_maps(request.headers);
    let (single_query, multi_query) = query_maps(request.query);
    let user_agent = request.headers.get(http::header::USER_AGENT).and_then(|value| value.to_str().ok());
    let body = match request.body {
        [] => Json::Null,
        bytes if request.binary => Json::String(STANDARD.encode(bytes)),
        // Without a binary media type the gateway treats every body as text.
        bytes => Json::String(String::from_utf8_lossy(bytes).into_owned()),
    };
    let mut event = json!({
        "resource": request.resource,
        "path": request.path,
        "httpMethod": context.method,
        "headers": single_headers,
        "multiValueHeaders": multi_headers,
        "queryStringParameters": single_query,
        "multiValueQueryStringParameters": multi_query,
        "pathParameters": if request.parameters.is_empty() { Json::Null } else { json!(request.parameters) },
        "stageVariables": null,
        "requestContext": {
            "resourceId": "local",
            "resourcePath": request.resource,
            "httpMethod": context.method,
            "extendedRequestId": context.request_id,
            "requestTime": identity::request_time(context.time),
            "path": context.path,
            "accountId": identity::ACCOUNT,
            "protocol": "HTTP/1.1",
            "stage": context.stage,
            "domainPrefix": context.api_id,
            "requestTimeEpoch": context.time.as_millisecond(),
            "requestId": context.request_id,
            "identity": {
                "cognitoIdentityPoolId": null,
                "accountId": null,
                "cognitoIdentityId": null,
                "caller": null,
                "sourceIp": context.source_ip,
                "principalOrgId": null,
                "accessKey": null,
                "cognitoAuthenticationType": null,
                "cognitoAuthenticationProvider": null,
                "userArn": null,
                "userAgent": user_agent,
                "user": null,
            },
            "domainName": request.domain,
            "deploymentId": "local",
            "apiId": context.api_id,
        },
        "body": body,
        "isBase64Encoded": request.binary && !request.body.is_empty(),
    });
    if let (Some(claims), Some(context)) =
        (request.claims, event.get_mut("requestContext").and_then(Json::as_object_mut))
    {
        context.insert("authorizer".to_owned(), json!({ "claims": claims.for_event() }));
    }
    event
}

/// Headers with one value each (the last) and with all values.
fn header_maps(headers: &HeaderMap) -> (Map<String, Json>, Map<String, Json>) {
    let text =
        |value: &http::HeaderValue| Json::String(String::from_utf8_lossy(value.as_bytes()).into_owned());
    let mut single = Map::new();
    let mut multi = Map::new();
    for name in headers.keys() {
        let values: Vec<Json> = headers.get_all(name).iter().map(text).collect();
        if let Some(last) = values.last() {
            single.insert(name.as_str().to_owned(), last.clone());
        }
        multi.insert(name.as_str().to_owned(), Json::Array(values));
    }
    (single, multi)
}

/// Decoded parameters with one value each (the last) and with all values; null without any.
fn query_maps(query: &str) -> (Json, Json) {
    let mut single = BTreeMap::new();
    let mut multi: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        single.insert(name.clone().into_owned(), value.clone().into_owned());
        multi.entry(name.into_owned()).or_default().push(value.into_owned());
    }
    if single.is_empty() { (Json::Null, Json::Null) } else { (json!(single), json!(multi)) }
}
