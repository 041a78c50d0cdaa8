//! The generated documents are up to date, and hold together.

use std::collections::{BTreeMap, BTreeSet};

use audit_trail::SEQUENCE_MAX;
use portico_conformance::{COMMAND, documents, openapi, root};
use portico_domain::{
    billing::MINUTES_MAX,
    cases::{COMMENT_BYTES_MAX, CommentError, CommentText, FILES_MENTIONED_MAX, FILES_WITH_CASE_MAX},
    files::{FILE_BYTES_MAX, MediaType},
};
use portico_http::{KEY_LENGTH_MAX, Kind};
use portico_store::{Cursor, PageSize};
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
    let document = openapi::document().unwrap();
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
        let description = operation["description"].as_str().unwrap_or_default();
        assert!(description.contains("**Who:** "), "{name} does not say who may call it");
        let changes = !name.starts_with("get ");
        assert_eq!(description.contains("**Repeating:** "), changes, "{name}: what if it is repeated?");
        if changes {
            let keyed = parameters(operation).any(|parameter| parameter["name"] == "Idempotency-Key");
            assert_eq!(responses.contains_key("422"), keyed, "{name}: a key has its refusals");
        }
        assert_eq!(operation.get("requestBody").is_some(), responses.contains_key("413"), "{name}");
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

fn parameters(operation: &Value) -> impl Iterator<Item = &Value> {
    operation["parameters"].as_array().into_iter().flatten()
}

/// The response that a status has, wherever it is described.
fn resolved<'d>(document: &'d Value, response: &'d Value) -> &'d Value {
    match response["$ref"].as_str() {
        Some(reference) => document.pointer(reference.strip_prefix('#').unwrap()).unwrap(),
        None => response,
    }
}

/// Every body of the document: where it stands, its schema and its examples.
fn bodies(document: &Value) -> Vec<(String, &Value, Vec<&Value>)> {
    let mut bodies = Vec::new();
    for (name, operation) in operations(document) {
        let request = operation.get("requestBody").map(|request| ("request".to_owned(), request));
        let responses = operation["responses"].as_object().unwrap().iter();
        let responses = responses.map(|(status, response)| (status.clone(), resolved(document, response)));
        for (place, holder) in request.into_iter().chain(responses) {
            for (media, body) in holder["content"].as_object().into_iter().flatten() {
                let examples = body["examples"].as_object().into_iter().flatten();
                let examples = examples.map(|(_, example)| &example["value"]).collect();
                bodies.push((format!("{name} {place} {media}"), &body["schema"], examples));
            }
        }
    }
    bodies
}

/// A schema with everything that it may refer to, as JSON Schema 2020-12: that is what OpenAPI 3.1 speaks.
fn validator(document: &Value, schema: &Value) -> jsonschema::Validator {
    let mut schema = schema.clone();
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema".into();
    schema["components"] = document["components"].clone();
    jsonschema::options().should_validate_formats(true).build(&schema).unwrap()
}

#[test]
fn every_body_has_an_example_and_every_example_fits_its_schema() {
    let document = openapi::document().unwrap();
    let mut checked = 0;
    for (place, schema, examples) in bodies(&document) {
        assert!(!examples.is_empty(), "{place} has no example: a file in events/ makes one");
        let validator = validator(&document, schema);
        for example in examples {
            let errors: Vec<String> = validator
                .iter_errors(example)
                .map(|error| format!("{}: {error}", error.instance_path()))
                .collect();
            assert!(errors.is_empty(), "{place}: {errors:?}");
            checked += 1;
        }
    }
    assert!(checked > 50, "only {checked} examples");
    for (name, operation) in operations(&document) {
        for parameter in parameters(operation) {
            let validator = validator(&document, &parameter["schema"]);
            let examples = parameter["examples"].as_object().into_iter().flatten();
            let examples = examples.map(|(_, example)| &example["value"]).chain(parameter.get("example"));
            let mut examples = examples.peekable();
            assert!(
                examples.peek().is_some() || parameter["name"] == "cursor",
                "{name}: {}",
                parameter["name"]
            );
            for example in examples {
                assert!(validator.is_valid(example), "{name}: {} {example}", parameter["name"]);
            }
        }
    }
}

/// What would pass a check that checks nothing.
#[test]
fn what_does_not_fit_a_schema_is_found() {
    let document = openapi::document().unwrap();
    let (_, schema, examples) =
        bodies(&document).into_iter().find(|(place, ..)| place.starts_with("post /cases request")).unwrap();
    let validator = validator(&document, schema);
    assert!(validator.is_valid(examples[0]));
    for (field, value) in [
        ("subject", Value::from("")),
        ("subject", Value::from(" \u{3000}")),
        ("subject", Value::from("a\u{7}b")),
        ("subject", Value::from("x".repeat(256))),
        ("subject", Value::Null),
        ("description", Value::from("a\rb")),
        ("priority", Value::from("urgent")),
        ("prioritie", Value::from("high")),
    ] {
        let mut changed = examples[0].clone();
        changed[field] = value;
        assert!(!validator.is_valid(&changed), "{changed}");
    }
    for text in [" a\n", "a b", "\u{feff}"] {
        let mut changed = examples[0].clone();
        changed["subject"] = text.into();
        assert!(validator.is_valid(&changed), "{changed}");
        assert!(portico_domain::cases::Subject::try_from(text.to_owned()).is_ok(), "{text:?}");
    }
}

#[test]
fn a_comment_fits_its_schema_where_the_domain_takes_it() {
    let document = openapi::document().unwrap();
    let schema = &document["components"]["schemas"]["CommentBody"];
    let validator = validator(&document, schema);
    let limit = COMMENT_BYTES_MAX;
    for text in [
        "",
        " \n\t",
        "\u{3000}",
        "a",
        " a ",
        "a\nb\tc",
        "a\r\nb",
        "a\rb",
        "\r\na\r",
        "a\u{b}",
        "a\u{b}b",
        "a\u{7}",
        "\u{7}",
        "a\u{85}",
        "a\u{9f}b",
        "\u{feff}",
        &"x".repeat(limit),
        &"x".repeat(limit + 1),
    ] {
        let fits = validator.is_valid(&serde_json::json!({ "body": text }));
        assert_eq!(fits, CommentText::try_from(text.to_owned()).is_ok(), "{text:?}");
    }
    // What JSON Schema cannot say.
    let text = "ä".repeat(limit);
    assert!(validator.is_valid(&serde_json::json!({ "body": text })));
    assert_eq!(CommentText::try_from(text), Err(CommentError::TooLong(2 * limit)));
}

#[test]
fn an_edit_without_words_does_not_fit_its_schema() {
    let document = openapi::document().unwrap();
    let validator = validator(&document, &document["components"]["schemas"]["EditBody"]);
    for (body, fits) in [
        (serde_json::json!({ "version": 1 }), false),
        (serde_json::json!({ "subject": "a", "description": "b" }), false),
        (serde_json::json!({ "version": 1, "subject": "a" }), true),
        (serde_json::json!({ "version": 1, "description": "" }), true),
        (serde_json::json!({ "version": 1, "subject": "a", "description": "b" }), true),
    ] {
        assert_eq!(validator.is_valid(&body), fits, "{body}");
    }
}

/// A limit that stands in an attribute is the constant that the code goes by.
#[test]
fn limits_in_the_document_are_those_of_the_code() {
    let document = openapi::document().unwrap();
    let schema =
        |name: &str, field: &str| document["components"]["schemas"][name]["properties"][field].clone();
    let parameter = |operation: &str, name: &str| {
        let (_, operation) =
            operations(&document).find(|(_, found)| found["operationId"] == operation).unwrap();
        parameters(operation).find(|parameter| parameter["name"] == name).unwrap()["schema"].clone()
    };
    let size = schema("FileBody", "size");
    assert_eq!((size["minimum"].as_u64(), size["maximum"].as_u64()), (Some(1), Some(FILE_BYTES_MAX)));
    assert_eq!(schema("File", "size")["maximum"], FILE_BYTES_MAX);
    assert_eq!(schema("FileBody", "content_type")["maxLength"], MediaType::MAX_LENGTH);
    assert_eq!(schema("InvoiceLine", "minutes")["maximum"], MINUTES_MAX);
    assert_eq!(schema("CommentBody", "files")["maxItems"], FILES_MENTIONED_MAX);
    assert_eq!(schema("CaseBody", "files")["maxItems"], FILES_WITH_CASE_MAX);
    assert_eq!(parameter("exportAuditTrail", "from")["maximum"], SEQUENCE_MAX);
    assert_eq!(parameter("submitCase", "Idempotency-Key")["maxLength"], KEY_LENGTH_MAX);
    assert_eq!(parameter("listCases", "limit")["maximum"], PageSize::MAX);
    assert_eq!(parameter("listCases", "cursor")["maxLength"], Cursor::MAX_LENGTH);

    let description = document["info"]["description"].as_str().unwrap();
    let template = Template::read();
    let (_, api) = template.of_type("AWS::Serverless::Api").next().unwrap();
    let settings = &api["MethodSettings"][0];
    let (rate, burst) = (&settings["ThrottlingRateLimit"], &settings["ThrottlingBurstLimit"]);
    let throttle = format!("{rate} a second and operation, {burst} at once");
    assert!(description.contains(&throttle), "{throttle}");
    let timeout = format!("Time for an answer | {} seconds", template.globals()["Timeout"]);
    assert!(description.contains(&timeout), "{timeout}");
}

#[test]
fn every_reference_leads_somewhere_and_every_schema_is_used() {
    let document = openapi::document().unwrap();
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
    let document = openapi::document().unwrap();
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
