//! How requests are refused that do not even have the form of one: whole answers, as a client gets them.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use crate::{
    samples,
    world::{Guarded, World, lambda_event},
};

/// The whole answer, with its body as JSON.
async fn answer(function: &Guarded, event: &Value) -> Value {
    let answer = function.function.invoke(lambda_event(&event.to_string())).await.unwrap();
    let mut answer: Value = serde_json::from_str(answer.get()).unwrap();
    answer["body"] = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
    answer
}

fn event(name: &str) -> Value {
    serde_json::from_str(&samples::text(name)).unwrap()
}

/// The request that raises a case, with another body.
fn with_body(body: impl Into<Value>) -> Value {
    let mut event = event("case-submission-new-case");
    event["body"] = body.into();
    event
}

fn with_header(name: &str, value: Option<&str>) -> Value {
    let mut event = event("case-submission-new-case");
    for (headers, value) in [
        ("headers", value.map(|value| json!(value))),
        ("multiValueHeaders", value.map(|value| json!([value]))),
    ] {
        let headers = event[headers].as_object_mut().unwrap();
        headers.remove(name).unwrap();
        if let Some(value) = value {
            headers.insert(name.to_owned(), value);
        }
    }
    event
}

fn status(answer: &Value) -> u64 {
    answer["statusCode"].as_u64().unwrap()
}

#[tokio::test]
async fn bodies_that_are_none_are_refused_as_a_whole_or_field_by_field() {
    let world = World::start().await;
    let function = world.boot("case-submission").await;
    let mut binary = with_body(BASE64_STANDARD.encode(b"{\"subject\":\"\xff\"}"));
    binary["isBase64Encoded"] = true.into();
    let too_large = format!(r#"{{"subject":"a","description":"{}"}}"#, "x".repeat(256 * 1024));
    let misfits = r#"{"subject":5,"description":["a"],"priority":"now","Subject":"a","a/b":1}"#;
    let cases = [
        ("body-too-large", 413, with_body(too_large)),
        ("body-absent", 400, with_body(Value::Null)),
        ("body-cut-off", 400, with_body(r#"{"subject":"#)),
        ("body-goes-on", 400, with_body(r#"{"subject":"a"} {"subject":"b"}"#)),
        ("body-not-utf-8", 400, binary),
        ("body-a-list", 400, with_body(r#"["a"]"#)),
        ("body-with-misfits", 400, with_body(misfits)),
        ("body-with-duplicate", 400, with_body(r#"{"subject":"a","subject":"b"}"#)),
        ("body-of-another-type", 415, with_header("content-type", Some("text/plain"))),
        ("body-of-no-type", 415, with_header("content-type", None)),
    ];
    for (name, expected, event) in cases {
        let answer = answer(&function, &event).await;
        assert_eq!(status(&answer), expected, "{name}: {answer}");
        insta::with_settings!({ sort_maps => true, prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_json_snapshot!(format!("refusal-{name}"), answer);
        });
    }
    assert_eq!(function.guard.denied(), []);
}

/// With the media type in any case and with parameters: still JSON.
#[tokio::test]
async fn case_i01_a_key_belongs_to_one_body() {
    let world = World::start().await;
    let function = world.boot("case-submission").await;
    let first = with_header("content-type", Some("Application/JSON; charset=utf-8"));
    let made = answer(&function, &first).await;
    assert_eq!(status(&made), 201, "{made}");
    let again = answer(&function, &first).await;
    assert_eq!(again["body"], made["body"]);
    assert_eq!(again["multiValueHeaders"]["idempotency-replayed"], json!(["true"]));
    let other = answer(&function, &with_body(r#"{"subject":"another"}"#)).await;
    assert_eq!(status(&other), 422, "{other}");
    insta::with_settings!({ sort_maps => true, prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_json_snapshot!("refusal-key-reused", other);
    });
}

#[tokio::test]
async fn queries_are_refused_parameter_by_parameter() {
    let world = World::start().await;
    let function = world.boot("case-listing").await;
    let with_query = |pairs: &[(&str, &[&str])]| {
        let mut event = event("case-listing-page");
        event["queryStringParameters"] =
            pairs.iter().map(|(name, values)| ((*name).to_owned(), json!(values.last()))).collect();
        event["multiValueQueryStringParameters"] =
            pairs.iter().map(|(name, values)| ((*name).to_owned(), json!(values))).collect();
        event
    };
    let other = "acct_00000000000000000000000000000000";
    let cases = [
        ("query-out-of-range", 400, with_query(&[("limit", &["0"]), ("cursor", &["!"])])),
        ("query-twice", 400, with_query(&[("limit", &["1", "2"])])),
        ("query-with-no-account", 400, with_query(&[("account", &["x"])])),
        // As if it were not there: nobody learns which accounts there are.
        ("query-with-another-account", 404, with_query(&[("account", &[other])])),
    ];
    for (name, expected, event) in cases {
        let answer = answer(&function, &event).await;
        assert_eq!(status(&answer), expected, "{name}: {answer}");
        insta::with_settings!({ sort_maps => true, prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_json_snapshot!(format!("refusal-{name}"), answer);
        });
    }
    // What no operation knows is ignored.
    let answer = answer(&function, &with_query(&[("utm_source", &["mail"]), ("limit", &["2"])])).await;
    assert_eq!(status(&answer), 200, "{answer}");
}
