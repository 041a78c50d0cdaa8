//! The events of a WebSocket API.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/websocket-api-routes-integrations.html>

use std::collections::BTreeMap;

use http::HeaderMap;
use jiff::Timestamp;
use serde_json::{Map, Value as Json, json};

use super::connections::Connection;
use crate::identity;

/// What every event tells.
pub(super) struct Scene<'a> {
    pub(super) api_id: &'a str,
    pub(super) stage: &'a str,
    pub(super) domain: &'a str,
    pub(super) connection: &'a Connection,
    pub(super) request_id: String,
    pub(super) now: Timestamp,
}

impl Scene<'_> {
    fn context(&self, route_key: &str, event_type: &str) -> Map<String, Json> {
        let connection = self.connection;
        let context = json!({
            "routeKey": route_key,
            "eventType": event_type,
            "extendedRequestId": self.request_id,
            "requestTime": identity::request_time(self.now),
            "messageDirection": "IN",
            "stage": self.stage,
            "connectedAt": connection.connected_at.as_millisecond(),
            "requestTimeEpoch": self.now.as_millisecond(),
            "identity": { "userAgent": connection.user_agent, "sourceIp": connection.source_ip },
            "requestId": self.request_id,
            "domainName": self.domain,
            "connectionId": connection.id,
            "apiId": self.api_id,
        });
        match context {
            Json::Object(context) => context,
            _ => Map::new(),
        }
    }
}

/// `$connect`, with the headers and the query of the handshake.
pub(super) fn connect(scene: &Scene<'_>, headers: &HeaderMap, query: &str) -> Json {
    let mut single_headers = Map::new();
    let mut multi_headers = Map::new();
    for name in headers.keys() {
        let values: Vec<String> = headers
            .get_all(name)
            .iter()
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
            .collect();
        single_headers.insert(name.as_str().to_owned(), json!(values.last()));
        multi_headers.insert(name.as_str().to_owned(), json!(values));
    }
    let mut event = Map::new();
    event.insert("headers".to_owned(), Json::Object(single_headers));
    event.insert("multiValueHeaders".to_owned(), Json::Object(multi_headers));
    let mut single = BTreeMap::new();
    let mut multi: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        single.insert(name.clone().into_owned(), value.clone().into_owned());
        multi.entry(name.into_owned()).or_default().push(value.into_owned());
    }
    if !single.is_empty() {
        event.insert("queryStringParameters".to_owned(), json!(single));
        event.insert("multiValueQueryStringParameters".to_owned(), json!(multi));
    }
    event.insert("requestContext".to_owned(), Json::Object(scene.context("$connect", "CONNECT")));
    event.insert("isBase64Encoded".to_owned(), Json::Bool(false));
    Json::Object(event)
}

/// `$disconnect`, with the closing code.
pub(super) fn disconnect(scene: &Scene<'_>, code: u16, reason: &str) -> Json {
    let mut context = scene.context("$disconnect", "DISCONNECT");
    context.insert("disconnectStatusCode".to_owned(), Json::from(code));
    context.insert("disconnectReason".to_owned(), Json::from(reason));
    json!({
        "headers": { "Host": scene.domain },
        "multiValueHeaders": { "Host": [scene.domain] },
        "requestContext": context,
        "isBase64Encoded": false,
    })
}

/// A message on one of the routes.
pub(super) fn message(scene: &Scene<'_>, route_key: &str, text: &str) -> Json {
    let mut context = scene.context(route_key, "MESSAGE");
    context.insert("messageId".to_owned(), Json::from(scene.request_id.as_str()));
    json!({ "requestContext": context, "body": text, "isBase64Encoded": false })
}

/// What the gateway itself sends back when no function did.
pub(super) fn error(scene: &Scene<'_>, message: &str) -> String {
    json!({ "message": message, "connectionId": scene.connection.id, "requestId": scene.request_id })
        .to_string()
}
