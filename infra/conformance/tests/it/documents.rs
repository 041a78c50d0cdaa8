//! The generated documents are up to date, and hold together.

use std::collections::{BTreeMap, BTreeSet};

use portico_conformance::{COMMAND, documents, openapi, root};
use portico_http::Kind;
use serde_json::Value;

use crate::template::Template;

#[test]
fn the_generated_documents_are_up_to_date() {
    for document in documents().unwrap() {
        let committed = std::fs::read_to_string(root().join(document.path)).unwrap_or_default();
        assert!(committed == document.content, "{} is stale. Run: {COMMAND}", document.path);
    }
}

fn operations(document: &Value) -> impl Iterator<Item = (String, &Value)> {
    document["paths"].as_object().unwrap().iter().flat_map(|(path, item)| {
        let methods = item.as_object().unwrap().iter();
        methods.map(move |(method, operation)| (format!("{method} {path}"), operation))
    })
}

#[test]
fn every_operation_says_what_it_is_and_how_it_refuses() {
    let document = serde_json::to_value(openapi::document()).unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    let tags: BTreeSet<&str> =
        document["tags"].as_array().unwrap().iter().map(|tag| tag["name"].as_str().unwrap()).collect();
    let mut ids = BTreeSet::new();
    let mut used = BTreeSet::new();
    for (name, operation) in operations(&document) {
        let id = operation["operationId"].as_str().unwrap_or_else(|| panic!("{name} has no operationId"));
        assert!(ids.insert(id.to_owned()), "{id} twice");
        assert!(!operation["summary"].as_str().unwrap_or_default().is_empty(), "{name} has no summary");
        for tag in operation["tags"].as_array().unwrap() {
            assert!(tags.contains(tag.as_str().unwrap()), "{name}: {tag} has no description");
            used.insert(tag.as_str().unwrap().to_owned());
        }
        let responses = operation["responses"].as_object().unwrap();
        assert!(responses.keys().any(|status| status.starts_with('2') || status.starts_with('3')), "{name}");
        // Every operation sits behind the gateway's throttle and authorizer, and reads the membership.
        for status in ["401", "403", "429", "500", "503"] {
            assert!(responses.contains_key(status), "{name} does not say that it answers {status}");
        }
        for (status, response) in responses.iter().filter(|(status, _)| status.starts_with(['4', '5'])) {
            let reference = response["$ref"].as_str().unwrap_or_else(|| panic!("{name} {status}"));
            let shared = document.pointer(reference.strip_prefix('#').unwrap()).unwrap();
            let schema = &shared["content"]["application/problem+json"]["schema"];
            assert_eq!(schema["$ref"], "#/components/schemas/ProblemBody", "{name} {status}");
        }
        assert_eq!(operation.get("security"), None, "{name} has a security of its own");
    }
    assert_eq!(used.len(), tags.len(), "a tag that no operation has");
    let schemes = document["components"]["securitySchemes"].as_object().unwrap();
    for requirement in document["security"].as_array().unwrap() {
        for name in requirement.as_object().unwrap().keys() {
            assert!(schemes.contains_key(name), "{name}");
        }
    }
    assert!(!document["security"].as_array().unwrap().is_empty());
}

#[test]
fn every_reference_leads_somewhere_and_every_schema_is_used() {
    let document = serde_json::to_value(openapi::document()).unwrap();
    let mut references = BTreeSet::new();
    collect(&document, &mut references);
    assert!(!references.is_empty());
    for reference in &references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
    for name in document["components"]["schemas"].as_object().unwrap().keys() {
        assert!(references.contains(&format!("#/components/schemas/{name}")), "{name} is used nowhere");
    }
}

fn collect(value: &Value, references: &mut BTreeSet<String>) {
    match value {
        Value::Object(entries) => {
            if let Some(Value::String(reference)) = entries.get("$ref") {
                references.insert(reference.clone());
            }
            entries.values().for_each(|value| collect(value, references));
        }
        Value::Array(items) => items.iter().for_each(|value| collect(value, references)),
        _ => {}
    }
}

#[test]
fn statuses_in_the_document_are_ones_that_a_kind_has() {
    let document = serde_json::to_value(openapi::document()).unwrap();
    let known: BTreeSet<String> = Kind::ALL.iter().map(|kind| kind.status().as_str().to_owned()).collect();
    for (name, operation) in operations(&document) {
        for status in
            operation["responses"].as_object().unwrap().keys().filter(|status| status.starts_with(['4', '5']))
        {
            assert!(known.contains(status), "{name}: no kind of problem has the status {status}");
        }
    }
}

#[test]
fn kinds_are_distinct_and_in_order() {
    let slugs: Vec<&str> = Kind::ALL.iter().map(|kind| kind.slug()).collect();
    assert!(slugs.is_sorted_by(|a, b| a < b), "{slugs:?}");
}

/// A client cannot tell whether the gateway or a function refused: type, title and status agree.
#[test]
fn the_gateway_refuses_in_the_words_of_the_registry() {
    let known: BTreeMap<String, (u16, &str)> =
        Kind::ALL.iter().map(|kind| (kind.uri(), (kind.status().as_u16(), kind.title()))).collect();
    let template = Template::read();
    let (_, api) = template.of_type("AWS::Serverless::Api").next().unwrap();
    let responses = api["GatewayResponses"].as_object().unwrap();
    let mut met = BTreeSet::new();
    for (name, response) in responses {
        let templates = response["ResponseTemplates"].as_object().unwrap();
        assert_eq!(templates.len(), 1, "{name}");
        let text = templates["application/json"].as_str().unwrap();
        // In the two that catch the rest, the status is whatever it is.
        let body: Value =
            serde_json::from_str(&text.replace("\"status\":$context.status", "\"status\":0")).unwrap();
        let uri = body["type"].as_str().unwrap();
        let (status, title) =
            known.get(uri).unwrap_or_else(|| panic!("{name}: {uri} is not in the registry"));
        assert_eq!(body["title"], *title, "{name}");
        if !name.starts_with("DEFAULT_") {
            assert_eq!(body["status"], *status, "{name}");
            assert_eq!(response["StatusCode"], status.to_string(), "{name}");
        }
        assert_eq!(body["request_id"], "$context.requestId", "{name}");
        let headers = &response["ResponseParameters"]["Headers"];
        assert_eq!(headers["Content-Type"], "'application/problem+json'", "{name}");
        assert_eq!(headers["Access-Control-Allow-Origin"], api["Cors"]["AllowOrigin"], "{name}");
        let retries = Kind::ALL.iter().any(|kind| kind.uri() == uri && kind.retries());
        assert_eq!(headers.get("Retry-After").is_some(), retries, "{name}");
        assert_eq!(headers.get("WWW-Authenticate").is_some(), *status == 401, "{name}");
        met.insert(uri.to_owned());
    }
    // What functions never say, somebody must.
    for kind in [Kind::TooManyRequests, Kind::Unauthenticated] {
        assert!(met.contains(&kind.uri()), "{} is given by no gateway response", kind.slug());
    }
}
