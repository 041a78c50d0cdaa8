//! The samples are what AWS sends: AWS's own types read them, and what they say twice they say alike.

use std::collections::BTreeMap;

use aws_lambda_events::{
    apigw::{ApiGatewayProxyRequest, ApiGatewayV2httpRequest, ApiGatewayWebsocketProxyRequest},
    dynamodb,
    eventbridge::EventBridgeEvent,
    sqs::SqsEvent,
};
use serde_json::Value;

use super::{binary, names, text};
use crate::{
    template::{Template, target},
    world::EVENT_BUS,
};

#[test]
fn awss_own_types_read_every_sample() {
    let template = Template::read();
    for name in names() {
        let text = text(&name);
        let function = template.function(binary(&template, &name));
        let has = |kind| function.events(kind).next().is_some();
        let read = if has("Api") {
            serde_json::from_str::<ApiGatewayProxyRequest>(&text).map(|_| ())
        } else if has("Schedule") && !text.contains("\"Records\"") {
            // The input that the template gives the schedule, whatever it is; without one, EventBridge's own event.
            let inputs: Vec<_> = function.events("Schedule").map(|event| event["Input"].clone()).collect();
            let input: serde_json::Value = serde_json::from_str(&text).unwrap();
            let given = |given: &serde_json::Value| match given.as_str() {
                Some(given) => serde_json::from_str::<serde_json::Value>(given).unwrap() == input,
                None => input["source"] == "aws.events" && input["detail-type"] == "Scheduled Event",
            };
            assert!(inputs.iter().any(given), "{name}: no schedule says that");
            if inputs.iter().all(serde_json::Value::is_null) {
                serde_json::from_str::<EventBridgeEvent>(&text).map(|_| ())
            } else {
                Ok(())
            }
        } else if has("SQS") {
            serde_json::from_str::<SqsEvent>(&text).map(|_| ())
        } else if has("DynamoDB") {
            serde_json::from_str::<dynamodb::Event>(&text).map(|_| ())
        } else if has("EventBridgeRule") {
            serde_json::from_str::<EventBridgeEvent>(&text).map(|_| ())
        } else if function.property("FunctionUrlConfig").is_object() {
            serde_json::from_str::<ApiGatewayV2httpRequest>(&text).map(|_| ())
        } else {
            serde_json::from_str::<ApiGatewayWebsocketProxyRequest>(&text).map(|_| ())
        };
        read.unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

/// A sample of the API comes to a route of its function, with the token that the authorizer lets in.
#[test]
fn samples_of_the_api_come_to_a_route_with_a_token() {
    let template = Template::read();
    for name in names() {
        let function = template.function(binary(&template, &name));
        let mut routes = function.events("Api").peekable();
        if routes.peek().is_none() {
            continue;
        }
        let event: Value = serde_json::from_str(&text(&name)).unwrap();
        let wired =
            routes.any(|route| route["Path"] == event["resource"] && route["Method"] == event["httpMethod"]);
        assert!(wired, "{name}");
        let context = &event["requestContext"];
        assert_eq!(context["resourcePath"], event["resource"], "{name}");
        assert_eq!(context["httpMethod"], event["httpMethod"], "{name}");
        assert_eq!(context["path"], format!("/v1{}", event["path"].as_str().unwrap()), "{name}");
        let mut path = event["resource"].as_str().unwrap().to_owned();
        for (parameter, value) in event["pathParameters"].as_object().into_iter().flatten() {
            path = path.replace(&format!("{{{parameter}}}"), value.as_str().unwrap());
        }
        assert_eq!(event["path"], path, "{name}");
        for (single, multiple) in
            [("headers", "multiValueHeaders"), ("queryStringParameters", "multiValueQueryStringParameters")]
        {
            let last = |values: &Value| values.as_array().unwrap().last().unwrap().clone();
            let lasts = event[multiple]
                .as_object()
                .map(|all| all.iter().map(|(name, values)| (name, last(values))).collect());
            let singles: Option<BTreeMap<&String, Value>> = event[single]
                .as_object()
                .map(|all| all.iter().map(|(name, value)| (name, value.clone())).collect());
            assert_eq!(singles, lasts, "{name}: {single}");
        }
        let claims = &context["authorizer"]["claims"];
        assert_eq!(claims["token_use"], "access", "{name}");
        assert_eq!(claims["scope"], "aws.cognito.signin.user.admin", "{name}");
    }
}

/// The rule's pattern lets the samples of the bucket through, and the stream's filter those of the outbox.
#[test]
fn samples_pass_the_filters_of_the_template() {
    let template = Template::read();
    for name in names() {
        let function = template.function(binary(&template, &name));
        let event: Value = serde_json::from_str(&text(&name)).unwrap();
        for rule in function.events("EventBridgeRule") {
            let pattern = &rule["Pattern"];
            let source = match target(&pattern["source"][0]) {
                Some("SalesforceEventBus") => serde_json::json!([EVENT_BUS]),
                _ => pattern["source"].clone(),
            };
            assert_eq!(source, serde_json::json!([event["source"]]), "{name}");
            // A partner's bus has nothing else on it.
            if rule.get("EventBusName").is_none() {
                assert_eq!(pattern["detail-type"], serde_json::json!([event["detail-type"]]), "{name}");
            }
        }
        for stream in function.events("DynamoDB") {
            let pattern = stream["FilterCriteria"]["Filters"][0]["Pattern"].as_str().unwrap();
            let pattern: Value = serde_json::from_str(pattern).unwrap();
            for record in event["Records"].as_array().unwrap() {
                assert_eq!(pattern["eventName"], serde_json::json!([record["eventName"]]), "{name}");
            }
        }
    }
}
