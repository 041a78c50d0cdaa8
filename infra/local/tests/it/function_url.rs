//! Function URLs.

use std::sync::Arc;
use std::time::Duration;

use aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lambda_http::RequestExt as _;
use portico_local::lambda::MAX_PAYLOAD_BYTES;
use reqwest::StatusCode;
use serde_json::{Value as Json, json};
use tokio::sync::Semaphore;

use crate::support::{Script, http, until};

#[tokio::test(flavor = "multi_thread")]
async fn the_event_is_payload_format_2() {
    let (script, seen) =
        Script::new().on("webhook", |_| Ok(json!({ "statusCode": 202, "cookies": ["a=1", "b=2"] })));
    let cloud = script.start().await;
    let url = &cloud.addresses().function_urls["Webhook"];
    let answer = http()
        .post(format!("{url}/salesforce/a%20b?x=1&x=2"))
        .header("content-type", "text/xml; charset=UTF-8")
        .header("cookie", "one=1; two=2")
        .body("<a>ü</a>")
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::ACCEPTED);
    let cookies: Vec<_> = answer.headers().get_all("set-cookie").iter().collect();
    assert_eq!(cookies, ["a=1", "b=2"]);

    let event = &seen.wait_for(1).await[0];
    assert_eq!(event["version"], "2.0");
    assert_eq!(event["rawPath"], "/salesforce/a%20b");
    assert_eq!(event["rawQueryString"], "x=1&x=2");
    assert_eq!(event["queryStringParameters"], json!({ "x": "1,2" }));
    assert_eq!(event["cookies"], json!(["one=1", "two=2"]));
    assert_eq!((&event["body"], &event["isBase64Encoded"]), (&json!("<a>ü</a>"), &json!(false)));
    assert_eq!(event["requestContext"]["http"]["method"], "POST");
    assert_eq!(event["requestContext"]["http"]["sourceIp"], "127.0.0.1");

    let _: ApiGatewayV2httpRequest = serde_json::from_value(event.clone()).unwrap();
    let request = lambda_http::request::from_str(&event.to_string()).unwrap();
    assert_eq!(request.uri().path(), "/salesforce/a%20b");
    assert_eq!(request.raw_http_path(), "/salesforce/a%20b");
    assert_eq!(request.body().as_ref(), "<a>ü</a>".as_bytes());
    cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_are_no_text_travel_as_base64_both_ways() {
    let (script, seen) = Script::new().on("webhook", |event| {
        Ok(json!({ "statusCode": 200, "body": event["body"], "isBase64Encoded": event["isBase64Encoded"] }))
    });
    let cloud = script.start().await;
    let url = &cloud.addresses().function_urls["Webhook"];
    let bytes = [0_u8, 159, 146, 150];
    for content_type in [Some("application/octet-stream"), Some("text/plain"), None] {
        let request = http().post(url).body(bytes.to_vec());
        let request = match content_type {
            Some(content_type) => request.header("content-type", content_type),
            None => request,
        };
        let answer = request.send().await.unwrap();
        assert_eq!(answer.bytes().await.unwrap().as_ref(), bytes);
    }
    let form = http().post(url).form(&[("a", "b")]).send().await.unwrap();
    assert_eq!(form.text().await.unwrap(), "a=b");
    for event in seen.all() {
        assert_eq!(event["isBase64Encoded"], true);
        assert!(STANDARD.decode(event["body"].as_str().unwrap()).is_ok());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn other_json_is_itself_the_body_and_nonsense_is_a_502() {
    let (script, _) = Script::new().on("webhook", |event| {
        serde_json::from_str(event["body"].as_str().unwrap()).map_err(|error| error.to_string())
    });
    let cloud = script.start().await;
    let url = &cloud.addresses().function_urls["Webhook"];
    let ask = async |body: &str| {
        let request = http().post(url).header("content-type", "application/json").body(body.to_owned());
        let answer = request.send().await.unwrap();
        (answer.status(), answer.text().await.unwrap())
    };
    assert_eq!(ask("{\"a\":1}").await, (StatusCode::OK, "{\"a\":1}".to_owned()));
    assert_eq!(ask("\"text\"").await, (StatusCode::OK, "text".to_owned()));
    for broken in
        ["{", "{\"statusCode\":\"x\"}", "{\"statusCode\":999}", "{\"statusCode\":200,\"headers\":{\"a\":[]}}"]
    {
        let (status, body) = ask(broken).await;
        assert_eq!(
            (status, body.as_str()),
            (StatusCode::BAD_GATEWAY, "{\"Message\":\"Internal Server Error\"}")
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn size_and_concurrency_are_bounded() {
    let gate = Arc::new(Semaphore::new(0));
    let held = Arc::clone(&gate);
    let (script, seen) = Script::new().on_async("webhook", move |_| {
        let held = Arc::clone(&held);
        async move {
            held.acquire().await.unwrap().forget();
            Ok(json!({ "statusCode": 200 }))
        }
    });
    let cloud = script.start().await;
    let url = cloud.addresses().function_urls["Webhook"].clone();

    let answer = http().post(&url).body(vec![b'x'; MAX_PAYLOAD_BYTES + 1]).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
    // Fits as it is, not as base64.
    let answer = http().post(&url).body(vec![b'x'; MAX_PAYLOAD_BYTES - 4096]).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);

    // The template reserves two.
    let running: Vec<_> = (0..2).map(|_| tokio::spawn(http().get(&url).send())).collect();
    until("two invocations", async || seen.count() == 2).await;
    let refused = http().get(&url).send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(refused.headers()["x-amzn-errortype"], "TooManyRequestsException");
    gate.add_permits(2);
    for answer in running {
        assert_eq!(answer.await.unwrap().unwrap().status(), StatusCode::OK);
    }
    gate.add_permits(1);
    let answer =
        tokio::time::timeout(Duration::from_secs(5), http().get(&url).send()).await.unwrap().unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.json::<Json>().await.ok(), None);
}
