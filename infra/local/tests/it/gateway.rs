//! API Gateway, REST.

use std::time::Duration;

use aws_lambda_events::apigw::ApiGatewayProxyRequest;
use lambda_http::RequestExt as _;
use portico_local::gateway::{MAX_BODY_BYTES, MAX_HEADER_BYTES};
use reqwest::{Response, StatusCode};
use serde_json::{Value as Json, json};

use crate::support::{Script, Seen, http, sign_in};

/// A function that answers by the path it is called under.
fn door() -> (Script, Seen) {
    Script::new().on_async("door", |event| async move {
        let ask: Json =
            event["body"].as_str().and_then(|body| serde_json::from_str(body).ok()).unwrap_or_default();
        match ask["do"].as_str() {
            Some("panic") => panic!("as the test asked"),
            Some("fail") => Err("as the test asked".to_owned()),
            Some("sleep") => {
                tokio::time::sleep(Duration::from_secs(60)).await;
                Ok(json!(null))
            }
            Some("answer") => Ok(ask["with"].clone()),
            _ => Ok(json!({ "statusCode": 200, "headers": { "X-Own": "1" }, "body": "fine" })),
        }
    })
}

/// The answer is a problem document with this type, and carries the request's id.
async fn problem(answer: Response, status: StatusCode, kind: &str) -> Json {
    assert_eq!(answer.status(), status);
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    let id = answer.headers()["x-amzn-requestid"].to_str().unwrap().to_owned();
    let body: Json = answer.json().await.unwrap();
    assert_eq!(body["type"], kind);
    assert_eq!(body["request_id"], id);
    body
}

#[tokio::test(flavor = "multi_thread")]
async fn the_event_is_the_one_of_aws() {
    let (script, seen) = door();
    let cloud = script.start().await;
    let (access, _) = sign_in(&cloud).await;
    let api = &cloud.addresses().api;
    let answer = http()
        .get(format!("{api}/v1/items/a%2Fb%20c?tag=x&tag=y%26z&empty="))
        .header("x-twice", "1")
        .header("x-twice", "2")
        .header("user-agent", "test/1")
        .bearer_auth(&access)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()["x-own"], "1");
    assert_eq!(answer.text().await.unwrap(), "fine");

    let event = &seen.wait_for(1).await[0];
    assert_eq!(event["resource"], "/items/{itemId}");
    assert_eq!(event["path"], "/items/a%2Fb%20c");
    assert_eq!(event["requestContext"]["path"], "/v1/items/a%2Fb%20c");
    assert_eq!(event["requestContext"]["stage"], "v1");
    assert_eq!(event["httpMethod"], "GET");
    assert_eq!(event["pathParameters"], json!({ "itemId": "a/b c" }));
    assert_eq!(event["queryStringParameters"], json!({ "tag": "y&z", "empty": "" }));
    assert_eq!(event["multiValueQueryStringParameters"], json!({ "tag": ["x", "y&z"], "empty": [""] }));
    assert_eq!(event["multiValueHeaders"]["x-twice"], json!(["1", "2"]));
    assert_eq!(event["headers"]["x-twice"], "2");
    assert_eq!(event["requestContext"]["identity"]["sourceIp"], "127.0.0.1");
    assert_eq!(event["requestContext"]["identity"]["userAgent"], "test/1");
    assert_eq!((&event["body"], &event["isBase64Encoded"]), (&json!(null), &json!(false)));
    let claims = &event["requestContext"]["authorizer"]["claims"];
    assert_eq!(claims["token_use"], "access");
    assert_eq!(claims["scope"], "aws.cognito.signin.user.admin");
    // The gateway passes times on as dates, and everything else as text.
    assert!(claims["exp"].as_str().unwrap().contains(" UTC 2"));
    assert!(claims.as_object().unwrap().values().all(Json::is_string));

    // Both libraries that functions are written with read it as a REST event.
    let typed: ApiGatewayProxyRequest = serde_json::from_value(event.clone()).unwrap();
    assert_eq!(typed.path_parameters["itemId"], "a/b c");
    let request = lambda_http::request::from_str(&event.to_string()).unwrap();
    assert_eq!(request.raw_http_path(), "/items/a%2Fb%20c");
    assert_eq!(request.query_string_parameters().all("tag").unwrap(), ["x", "y&z"]);
    cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_arrive_as_text_with_and_without_the_stage() {
    let (script, seen) = door();
    let cloud = script.start().await;
    for (path, body) in [("/open", "{\"grüße\":1}"), ("/v1/open", "")] {
        let url = format!("{}{path}", cloud.addresses().api);
        assert_eq!(http().post(url).body(body).send().await.unwrap().status(), StatusCode::OK);
    }
    let events = seen.all();
    assert_eq!(events[0]["body"], "{\"grüße\":1}");
    assert_eq!(events[1]["body"], json!(null));
    assert!(events.iter().all(|event| event["path"] == "/open" && event["isBase64Encoded"] == false));
    // Without an authorizer there is nobody to tell about.
    assert!(events[0]["requestContext"].get("authorizer").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_in_the_template_is_not_there() {
    let (script, seen) = door();
    let cloud = script.start().await;
    let api = &cloud.addresses().api;
    for (method, path) in [
        ("GET", "/nowhere"),
        ("DELETE", "/items"),
        ("GET", "/items/"),
        ("GET", "/items/1/2"),
        ("POST", "/open/"),
        ("POST", "/v1/v1/open"),
        ("GET", "/"),
        ("GET", "/%5f_local/x\"y"),
        ("OPTIONS", "/nowhere"),
    ] {
        let answer = http().request(method.parse().unwrap(), format!("{api}{path}")).send().await.unwrap();
        let body = problem(answer, StatusCode::FORBIDDEN, "MISSING_AUTHENTICATION_TOKEN").await;
        assert_eq!(body["detail"], "Missing Authentication Token");
        assert!(body["path"].as_str().unwrap().starts_with("/v1/"));
    }
    assert_eq!(seen.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn too_much_is_refused_before_a_function_sees_it() {
    let (script, seen) = door();
    let cloud = script.start().await;
    let open = format!("{}/open", cloud.addresses().api);

    // Over the gateway's limit, told in advance and not.
    let large = vec![b'x'; MAX_BODY_BYTES + 1];
    let answer = http().post(&open).body(large.clone()).send().await.unwrap();
    problem(answer, StatusCode::PAYLOAD_TOO_LARGE, "REQUEST_TOO_LARGE").await;
    // Under the gateway's limit and over Lambda's.
    let answer = http().post(&open).body(vec![b'x'; MAX_BODY_BYTES - 1]).send().await.unwrap();
    problem(answer, StatusCode::PAYLOAD_TOO_LARGE, "REQUEST_TOO_LARGE").await;

    let answer = http().post(&open).header("x-long", "x".repeat(MAX_HEADER_BYTES)).send().await.unwrap();
    problem(answer, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "DEFAULT_4XX").await;
    assert_eq!(seen.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_method_has_its_own_bucket() {
    let (script, _) = door();
    let cloud = script.start().await;
    let get = async |path: &str| {
        let url = format!("{}{path}", cloud.addresses().api);
        http().get(url).send().await.unwrap()
    };
    assert_eq!(get("/throttled").await.status(), StatusCode::OK);
    assert_eq!(get("/throttled").await.status(), StatusCode::OK);
    problem(get("/throttled").await, StatusCode::TOO_MANY_REQUESTS, "THROTTLED").await;
    // Another method is not affected.
    let open = format!("{}/open", cloud.addresses().api);
    assert_eq!(http().post(open).send().await.unwrap().status(), StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn functions_that_fail_are_answered_for_and_the_process_lives() {
    let (script, _) = door();
    let cloud = script.start().await;
    let open = format!("{}/open", cloud.addresses().api);
    let ask = async |body: Json| http().post(&open).body(body.to_string()).send().await.unwrap();

    for broken in [
        json!({ "do": "panic" }),
        json!({ "do": "fail" }),
        json!({ "do": "answer", "with": null }),
        json!({ "do": "answer", "with": { "statusCode": "200" } }),
        json!({ "do": "answer", "with": { "statusCode": 200, "surprise": 1 } }),
        json!({ "do": "answer", "with": { "statusCode": 200, "headers": { "a": "b\nc" } } }),
    ] {
        problem(ask(broken).await, StatusCode::BAD_GATEWAY, "API_CONFIGURATION_ERROR").await;
    }
    // The template gives this function one second.
    let start = std::time::Instant::now();
    problem(ask(json!({ "do": "sleep" })).await, StatusCode::GATEWAY_TIMEOUT, "INTEGRATION_TIMEOUT").await;
    assert!((1..5).contains(&start.elapsed().as_secs()));
    assert_eq!(ask(json!({})).await.status(), StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_pass_through() {
    let (script, _) = door();
    let cloud = script.start().await;
    let open = format!("{}/open", cloud.addresses().api);
    let answer = json!({ "statusCode": 201, "multiValueHeaders": { "Set-Cookie": ["a=1", "b=2"], "Location": ["/x"] },
        "body": "ZmluZQ==", "isBase64Encoded": true });
    let body = json!({ "do": "answer", "with": answer }).to_string();
    let answer = http().post(open).body(body).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::CREATED);
    let cookies: Vec<_> = answer.headers().get_all("set-cookie").iter().collect();
    assert_eq!(cookies, ["a=1", "b=2"]);
    // Without binary media types the gateway does not decode.
    assert_eq!(answer.text().await.unwrap(), "ZmluZQ==");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preflight_needs_no_token_and_no_function() {
    let (script, seen) = door();
    let cloud = script.start().await;
    for path in ["/items", "/items/7", "/v1/items"] {
        let url = format!("{}{path}", cloud.addresses().api);
        let answer = http().request(reqwest::Method::OPTIONS, url).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        let headers = answer.headers();
        assert_eq!(headers["access-control-allow-origin"], cloud.addresses().web.as_str());
        assert_eq!(headers["access-control-allow-methods"], "GET,POST,OPTIONS");
        assert_eq!(headers["access-control-allow-headers"], "authorization");
        assert_eq!(headers["access-control-max-age"], "600");
    }
    assert_eq!(seen.count(), 0);
}
