use std::time::{Duration, Instant};

use fake_salesforce::{
    Config, RequestKind,
    faults::{Effect, Rule},
};
use http::Method;
use serde_json::{Value, json};

use crate::harness::{Hand, START, TestOrg, config};

#[tokio::test]
async fn case_r04_the_daily_limit_is_counted_shown_and_enforced() {
    let hand = Hand::at(START);
    let org = TestOrg::start(Config { daily_api_limit: 3, clock: hand.clock(), ..config() }).await;
    for used in 1..=3 {
        let answer = org.get("/limits").await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.headers["sforce-limit-info"], format!("api-usage={used}/3").as_str());
        assert_eq!(answer.body["DailyApiRequests"], json!({"Max": 3, "Remaining": 3 - used}));
    }
    let refused = org.post("/sobjects/Case", json!({})).await;
    assert_eq!((refused.status, refused.code()), (403, "REQUEST_LIMIT_EXCEEDED"));
    assert_eq!(refused.headers["sforce-limit-info"], "api-usage=3/3");
    org.post("/_fake/settings", json!({"session_seconds": 1_000_000})).await;
    hand.advance(86_400);
    let tomorrow = org.get("/limits").await;
    assert_eq!(tomorrow.headers["sforce-limit-info"], "api-usage=1/3");
}

#[tokio::test]
async fn each_effect_looks_as_in_the_wild() {
    let org = TestOrg::local().await;
    for (effect, status, content_type, needle) in [
        (json!({"kind": "server_error"}), 500, "application/json;charset=UTF-8", "UNKNOWN_EXCEPTION"),
        (json!({"kind": "html_unavailable"}), 503, "text/html; charset=UTF-8", "<html>"),
        (json!({"kind": "empty_unavailable"}), 503, "", ""),
        (json!({"kind": "invalid_session"}), 401, "application/json;charset=UTF-8", "INVALID_SESSION_ID"),
        (json!({"kind": "request_limit"}), 403, "application/json;charset=UTF-8", "REQUEST_LIMIT_EXCEEDED"),
        (
            json!({"kind": "forbidden"}),
            403,
            "application/json;charset=UTF-8",
            "INSUFFICIENT_ACCESS_OR_READONLY",
        ),
        (json!({"kind": "lock_row"}), 400, "application/json;charset=UTF-8", "UNABLE_TO_LOCK_ROW"),
        (
            json!({"kind": "error", "status": 502, "code": "X", "message": "y"}),
            502,
            "application/json;charset=UTF-8",
            "X",
        ),
    ] {
        let added = org.post("/_fake/faults", json!([{"remaining": 1, "effect": effect}])).await;
        assert_eq!(added.status, 200, "{added:?}");
        let answer = org.get("/limits").await;
        assert_eq!(answer.status, status, "{effect}");
        let kind = answer.headers.get("content-type").map_or("", |value| value.to_str().unwrap());
        assert_eq!(kind, content_type, "{effect}");
        let text = match &answer.body {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        assert!(text.contains(needle), "{text}");
        assert_eq!(org.get("/limits").await.status, 200, "used up");
    }
}

#[tokio::test]
async fn case_r01_a_time_out_after_the_commit_has_committed() {
    let org = TestOrg::local().await;
    let path = "/sobjects/Case/Portal_Request_Id__c/once";
    org.org
        .add_faults(vec![Rule::times(1, "PATCH", "*/sobjects/Case/*", Effect::CommitThenHang { ms: 20 })])
        .unwrap();
    let lost = org.request(Method::PATCH, path).json(&json!({"Subject": "lost answer"})).send().await;
    assert!(lost.is_err(), "the connection is closed without an answer");
    let retried = org.patch(path, json!({"Subject": "lost answer"})).await;
    assert_eq!((retried.status, &retried.body["created"]), (200, &json!(false)));
    assert_eq!(org.query("SELECT COUNT() FROM Case").await.body["totalSize"], json!(1));
    let log = org.get("/_fake/requests").await;
    assert_eq!(log.body["counts"]["upsert"], json!(2));
    assert_eq!(log.body["requests"][1]["status"], Value::Null, "{}", log.body);
    assert_eq!(log.body["requests"][1]["path"], json!(format!("/services/data/v66.0{path}")));
    assert!(!log.body.to_string().contains(&org.token));
}

#[tokio::test]
async fn case_r08_down_refuses_everything_until_it_is_cleared() {
    let org = TestOrg::local().await;
    org.post("/_fake/faults", json!([{"effect": {"kind": "down"}}])).await;
    assert!(org.request(Method::GET, "/limits").send().await.is_err());
    assert!(org.http.post(format!("{}/services/oauth2/token", org.base)).send().await.is_err());
    let listed = org.get("/_fake/faults").await;
    assert_eq!(listed.body, json!([{"path": "/services/*", "percent": 100, "effect": {"kind": "down"}}]));
    assert_eq!(org.delete("/_fake/faults").await.status, 204);
    assert_eq!(org.get("/limits").await.status, 200);
    assert_eq!(org.org.requests(RequestKind::Token), 2);
}

#[tokio::test]
async fn latency_hang_and_chance() {
    let org = TestOrg::local().await;
    org.org.add_faults(vec![Rule::times(1, "GET", "*/limits", Effect::Latency { ms: 60 })]).unwrap();
    let start = Instant::now();
    assert_eq!(org.get("/limits").await.status, 200);
    assert!(start.elapsed() >= Duration::from_millis(60));
    org.org.add_faults(vec![Rule::times(1, "POST", "*", Effect::Hang { ms: 1 })]).unwrap();
    assert!(org.request(Method::POST, "/sobjects/Case").json(&json!({})).send().await.is_err());
    assert_eq!(org.query("SELECT COUNT() FROM Case").await.body["totalSize"], json!(0), "nothing was done");
    org.org.add_faults(vec![Rule { percent: 0, ..Rule::always(Effect::Down) }]).unwrap();
    assert_eq!(org.get("/limits").await.status, 200);
    let refused = org.post("/_fake/faults", json!([{"effect": {"kind": "latency", "ms": 600_001}}])).await;
    assert_eq!(refused.status, 400);
    let unknown = org.post("/_fake/faults", json!([{"effect": {"kind": "earthquake"}}])).await;
    assert_eq!(unknown.status, 422);
}

#[tokio::test]
async fn control_calls_from_a_foreign_page_are_not_understood() {
    let org = TestOrg::local().await;
    let form = org.http.post(format!("{}/_fake/faults", org.base)).body("[]").send().await.unwrap();
    assert_eq!(form.status().as_u16(), 415);
    let unknown = org.post("/_fake/settings", json!({"colour": 1})).await;
    assert_eq!(unknown.status, 400);
}
