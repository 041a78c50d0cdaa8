//! API Gateway, WebSocket.

use std::time::Duration;

use aws_lambda_events::apigw::ApiGatewayWebsocketProxyRequest;
use futures::{SinkExt as _, StreamExt as _};
use portico_local::LocalCloud;
use portico_local::live::Limits;
use reqwest::StatusCode;
use serde_json::{Value as Json, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::support::{PATIENCE, Script, Seen, http, signed, until};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// A function that lets everybody in but those with a bad ticket.
fn listener() -> (Script, Seen) {
    Script::new().on("listener", |event| match event["requestContext"]["routeKey"].as_str() {
        Some("$connect") => match event["queryStringParameters"]["ticket"].as_str() {
            Some("bad") => Ok(json!({ "statusCode": 401 })),
            Some("odd") => Ok(json!({ "statusCode": 302 })),
            Some("none") => Ok(json!(null)),
            Some("fail") => Err("as the test asked".to_owned()),
            _ => Ok(json!({ "statusCode": 200 })),
        },
        Some("greet") if event["body"].as_str().unwrap().contains("fail") => {
            Err("as the test asked".to_owned())
        }
        _ => Ok(json!({ "statusCode": 200 })),
    })
}

async fn connect(cloud: &LocalCloud, query: &str) -> Result<Socket, tungstenite::Error> {
    let url = format!("{}{query}", cloud.addresses().live);
    tokio_tungstenite::connect_async(url).await.map(|(socket, _)| socket)
}

async fn next(socket: &mut Socket) -> Message {
    tokio::time::timeout(PATIENCE, socket.next()).await.unwrap().unwrap().unwrap()
}

async fn next_json(socket: &mut Socket) -> Json {
    serde_json::from_str(next(socket).await.to_text().unwrap()).unwrap()
}

fn id(event: &Json) -> String {
    event["requestContext"]["connectionId"].as_str().unwrap().to_owned()
}

/// A request of the management API; `prefix` is the stage or nothing.
async fn manage(cloud: &LocalCloud, method: &str, prefix: &str, id: &str, body: &str) -> reqwest::Response {
    let base = cloud.addresses().live.replace("ws://", "http://").replace("/live", "");
    let id = id.replace('=', "%3D");
    http()
        .request(method.parse().unwrap(), format!("{base}{prefix}/@connections/{id}"))
        .header("authorization", signed("execute-api"))
        .body(body.to_owned())
        .send()
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_from_its_ticket_to_its_end() {
    let (script, seen) = listener();
    let cloud = script.start().await;
    let mut socket = connect(&cloud, "?ticket=good&x=1&x=2").await.unwrap();
    let event = seen.wait_for(1).await.remove(0);
    let context = &event["requestContext"];
    assert_eq!((&context["routeKey"], &context["eventType"]), (&json!("$connect"), &json!("CONNECT")));
    assert_eq!((&context["stage"], &context["apiId"]), (&json!("live"), &json!("LiveApi")));
    assert_eq!(context["identity"]["sourceIp"], "127.0.0.1");
    assert_eq!(event["queryStringParameters"], json!({ "ticket": "good", "x": "2" }));
    assert_eq!(event["multiValueQueryStringParameters"]["x"], json!(["1", "2"]));
    assert!(event["headers"]["sec-websocket-key"].is_string());
    let typed: ApiGatewayWebsocketProxyRequest = serde_json::from_value(event.clone()).unwrap();
    assert_eq!(typed.request_context.connection_id.as_deref(), Some(id(&event).as_str()));

    let id = id(&event);
    for (prefix, body) in [("", "{\"n\":1}"), ("/live", "{\"n\":2}")] {
        let answer = manage(&cloud, "POST", prefix, &id, body).await;
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(next(&mut socket).await, Message::text(body));
    }
    let described: Json = manage(&cloud, "GET", "/live", &id, "").await.json().await.unwrap();
    assert!(described["connectedAt"].is_string() && described["lastActiveAt"].is_string());

    socket.close(None).await.unwrap();
    let event = seen.wait_for(2).await.remove(1);
    let context = &event["requestContext"];
    assert_eq!((&context["routeKey"], &context["eventType"]), (&json!("$disconnect"), &json!("DISCONNECT")));
    assert_eq!(context["connectionId"], id);
    assert!(context["disconnectStatusCode"].is_number());
    for method in ["POST", "GET", "DELETE"] {
        let answer = manage(&cloud, method, "", &id, "late").await;
        assert_eq!(answer.status(), StatusCode::GONE);
        assert_eq!(answer.headers()["x-amzn-errortype"], "GoneException");
    }
    cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_that_the_function_refuses_fails_with_its_status() {
    let (script, seen) = listener();
    let cloud = script.start().await;
    for (query, expected) in [
        ("?ticket=bad", StatusCode::UNAUTHORIZED),
        ("?ticket=fail", StatusCode::INTERNAL_SERVER_ERROR),
        ("?ticket=none", StatusCode::INTERNAL_SERVER_ERROR),
        ("?ticket=odd", StatusCode::INTERNAL_SERVER_ERROR),
    ] {
        match connect(&cloud, query).await {
            Err(tungstenite::Error::Http(answer)) => assert_eq!(answer.status(), expected, "{query}"),
            other => panic!("{query}: {other:?}"),
        }
    }
    // Nobody was connected, so nobody is told to be gone.
    for event in seen.all() {
        assert_eq!(event["requestContext"]["eventType"], "CONNECT");
        assert_eq!(manage(&cloud, "POST", "", &id(&event), "x").await.status(), StatusCode::GONE);
    }
    // Without an upgrade there is no handshake, and elsewhere there is nothing.
    let base = cloud.addresses().live.replace("ws://", "http://");
    for url in [base.clone(), format!("{base}/other")] {
        assert_eq!(http().get(url).send().await.unwrap().status(), StatusCode::FORBIDDEN);
    }
    assert_eq!(seen.count(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_go_to_their_route_or_are_forbidden() {
    let (script, seen) = listener();
    let cloud = script.start().await;
    let mut socket = connect(&cloud, "").await.unwrap();
    let id = id(&seen.wait_for(1).await[0]);

    socket.send(Message::text("{\"action\":\"greet\",\"name\":\"ü\"}")).await.unwrap();
    let event = seen.wait_for(2).await.remove(1);
    assert_eq!(
        (&event["requestContext"]["routeKey"], &event["requestContext"]["eventType"]),
        (&json!("greet"), &json!("MESSAGE"))
    );
    assert_eq!(event["body"], "{\"action\":\"greet\",\"name\":\"ü\"}");

    for stray in
        ["hello", "{}", "{\"action\":\"unknown\"}", "{\"action\":\"$connect\"}", "{\"action\":1}", "[]"]
    {
        socket.send(Message::text(stray)).await.unwrap();
        let answer = next_json(&mut socket).await;
        assert_eq!(
            (&answer["message"], &answer["connectionId"]),
            (&json!("Forbidden"), &json!(id)),
            "{stray}"
        );
    }
    socket.send(Message::text("{\"action\":\"greet\",\"do\":\"fail\"}")).await.unwrap();
    assert_eq!(next_json(&mut socket).await["message"], "Internal server error");
    assert_eq!(seen.count(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_bounded_in_size_and_time() {
    let (script, seen) = listener();
    let mut options = script.options();
    options.live_limits = Limits {
        message_bytes: 1024,
        idle: Duration::from_millis(300),
        life: Duration::from_millis(1200),
        connections: 2,
    };
    let cloud = LocalCloud::start(options).await.unwrap();

    let mut large = connect(&cloud, "").await.unwrap();
    large.send(Message::text("x".repeat(1025))).await.unwrap();
    assert_eq!(closed(&mut large).await, CloseCode::Size);
    let mut binary = connect(&cloud, "").await.unwrap();
    binary.send(Message::binary(vec![1])).await.unwrap();
    assert_eq!(closed(&mut binary).await, CloseCode::Unsupported);
    until("two disconnects", async || seen.count() == 4).await;

    let mut idle = connect(&cloud, "").await.unwrap();
    let start = std::time::Instant::now();
    assert_eq!(closed(&mut idle).await, CloseCode::Away);
    assert!(start.elapsed() < Duration::from_secs(1));
    until("a disconnect", async || seen.count() == 6).await;

    let mut busy = connect(&cloud, "").await.unwrap();
    let connected = seen.wait_for(7).await.remove(6);
    // Too large to push, too many to connect, and not without the key.
    let answer = manage(&cloud, "POST", "", &id(&connected), &"x".repeat(1025)).await;
    assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
    let _second = connect(&cloud, "").await.unwrap();
    match connect(&cloud, "").await {
        Err(tungstenite::Error::Http(answer)) => assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS),
        other => panic!("{other:?}"),
    }
    let start = std::time::Instant::now();
    loop {
        let _ = busy.send(Message::text("{}")).await;
        match next(&mut busy).await {
            Message::Close(Some(frame)) => break assert_eq!(frame.code, CloseCode::Away),
            _ => tokio::time::sleep(Duration::from_millis(50)).await,
        }
        assert!(start.elapsed() < PATIENCE);
    }
    assert!(start.elapsed() > Duration::from_millis(600), "messages keep it open");
}

async fn closed(socket: &mut Socket) -> CloseCode {
    match next(socket).await {
        Message::Close(Some(frame)) => frame.code,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_holder_of_the_key_manages_connections() {
    let (script, seen) = listener();
    let cloud = script.start().await;
    let mut socket = connect(&cloud, "").await.unwrap();
    let id = id(&seen.wait_for(1).await[0]);
    let base = cloud.addresses().live.replace("ws://", "http://");
    for method in ["POST", "GET", "DELETE"] {
        let url = format!("{base}/@connections/{}", id.replace('=', "%3D"));
        let answer = http().request(method.parse().unwrap(), url).body("x").send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    }
    assert_eq!(manage(&cloud, "DELETE", "/live", &id, "").await.status(), StatusCode::NO_CONTENT);
    assert_eq!(closed(&mut socket).await, CloseCode::Normal);
    seen.wait_for(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_tells_every_browser_and_the_function() {
    let (script, seen) = listener();
    let cloud = script.start().await;
    let mut first = connect(&cloud, "").await.unwrap();
    let mut second = connect(&cloud, "").await.unwrap();
    cloud.shutdown().await;
    assert_eq!(closed(&mut first).await, CloseCode::Away);
    assert_eq!(closed(&mut second).await, CloseCode::Away);
    let left = seen.all().iter().filter(|event| event["requestContext"]["eventType"] == "DISCONNECT").count();
    assert_eq!(left, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_official_client_pushes_and_hears_of_gone_connections() {
    let (script, seen) = listener();
    let cloud = script.start().await;
    let mut socket = connect(&cloud, "").await.unwrap();
    let id = id(&seen.wait_for(1).await[0]);
    let settings = [
        ("AWS_REGION", "eu-central-1".to_owned()),
        ("AWS_ACCESS_KEY_ID", portico_emulators::ACCESS_KEY_ID.to_owned()),
        ("AWS_SECRET_ACCESS_KEY", portico_emulators::SECRET_ACCESS_KEY.to_owned()),
        ("PUSH_URL", cloud.addresses().live.replace("ws://", "http://")),
    ];
    let settings = settings.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let function_side = portico_aws::Cloud::new(
        portico_aws::Settings::new(settings),
        portico_aws::system_clock(),
        portico_aws::system_random(),
    );
    let push = function_side.push("PUSH_URL").unwrap();
    assert_eq!(push.send(&id, "{\"n\":1}").await.unwrap(), portico_aws::Pushed::Sent);
    assert_eq!(next(&mut socket).await, Message::text("{\"n\":1}"));
    assert_eq!(push.send("bm9ib2R5bm9ibw==", "x").await.unwrap(), portico_aws::Pushed::Gone);
}
