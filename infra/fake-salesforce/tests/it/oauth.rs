use fake_salesforce::{Config, FakeSalesforce, RequestKind, StartError};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use crate::harness::{
    Answer, GRANT, Hand, OTHER_KEY, PRIVATE_KEY, PUBLIC_KEY, START, TestOrg, answer, assertion, config,
};

async fn exchange(org: &TestOrg, grant: &str, assertion: &str) -> Answer {
    let url = format!("{}/services/oauth2/token", org.base);
    answer(org.http.post(url).form(&[("grant_type", grant), ("assertion", assertion)])).await
}

fn claims(org: &TestOrg) -> Value {
    json!({
        "iss": "portico-local", "sub": "integration@portico.example", "aud": org.base, "exp": START + 180,
    })
}

#[tokio::test]
async fn a_good_assertion_opens_a_session() {
    let org = TestOrg::local().await;
    let answer = exchange(&org, GRANT, &assertion(PRIVATE_KEY, &claims(&org))).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.body["instance_url"], json!(org.base));
    assert_eq!(answer.body["token_type"], json!("Bearer"));
    assert_eq!(answer.body["expires_in"], Value::Null);
    assert_eq!(answer.body["refresh_token"], Value::Null);
    assert!(answer.body["access_token"].as_str().unwrap().starts_with("00DFk0000000001!"));
    assert_eq!(answer.headers["cache-control"], "no-store");
    assert_eq!(org.org.requests(RequestKind::Token), 2);
}

#[tokio::test]
async fn an_expiry_may_be_written_as_text() {
    let org = TestOrg::local().await;
    let mut claims = claims(&org);
    claims["exp"] = json!((START + 180).to_string());
    assert_eq!(exchange(&org, GRANT, &assertion(PRIVATE_KEY, &claims)).await.status, 200);
    claims["exp"] = json!((START - 31).to_string());
    assert_eq!(exchange(&org, GRANT, &assertion(PRIVATE_KEY, &claims)).await.status, 400);
}

#[tokio::test]
async fn every_bad_assertion_is_refused_in_oauths_form() {
    let org = TestOrg::local().await;
    let with = |name: &str, value: Value| {
        let mut claims = claims(&org);
        claims[name] = value;
        assertion(PRIVATE_KEY, &claims)
    };
    let good = claims(&org);
    let hs256 = jsonwebtoken::encode(
        &Header::new(Algorithm::HS256),
        &good,
        &EncodingKey::from_secret(PUBLIC_KEY.as_bytes()),
    )
    .unwrap();
    // {"alg":"none"}.{}.
    let unsigned = "eyJhbGciOiJub25lIn0.e30.".to_owned();
    for (assertion, error, description) in [
        (with("exp", json!(START - 31)), "invalid_grant", "expired authorization code"),
        (with("exp", json!(START + 211)), "invalid_grant", "invalid assertion: exp is too far in the future"),
        (with("aud", json!("https://elsewhere.example")), "invalid_grant", "audience is invalid"),
        (with("sub", json!("someone@else.example")), "invalid_grant", "user hasn't approved this consumer"),
        (with("iss", json!("other")), "invalid_client_id", "client identifier invalid"),
        (with("exp", json!("soon")), "invalid_grant", "invalid assertion"),
        (assertion(OTHER_KEY, &good), "invalid_grant", "invalid assertion"),
        (hs256, "invalid_grant", "invalid assertion"),
        (unsigned, "invalid_grant", "invalid assertion"),
        (String::new(), "invalid_grant", "invalid assertion"),
    ] {
        let answer = exchange(&org, GRANT, &assertion).await;
        assert_eq!(answer.status, 400);
        assert_eq!(answer.body, json!({"error": error, "error_description": description}));
    }
    let answer = exchange(&org, "password", "x").await;
    assert_eq!(answer.body["error"], json!("unsupported_grant_type"));
    let url = format!("{}/services/oauth2/token", org.base);
    let as_json = answer_to_json(&org, &url).await;
    assert_eq!((as_json.status, &as_json.body["error"]), (400, &json!("invalid_request")));
}

async fn answer_to_json(org: &TestOrg, url: &str) -> Answer {
    answer(org.http.post(url).json(&json!({"grant_type": GRANT}))).await
}

#[tokio::test]
async fn case_r06_a_small_skew_is_allowed_and_instance_url_may_change() {
    let org = TestOrg::local().await;
    for exp in [START - 29, START + 209] {
        let mut claims = claims(&org);
        claims["exp"] = json!(exp);
        assert_eq!(exchange(&org, GRANT, &assertion(PRIVATE_KEY, &claims)).await.status, 200);
    }
    let changed = org.post("/_fake/settings", json!({"instance_url": "https://moved.example"})).await;
    assert_eq!(changed.status, 200, "{changed:?}");
    let answer = exchange(&org, GRANT, &assertion(PRIVATE_KEY, &claims(&org))).await;
    assert_eq!(answer.body["instance_url"], json!("https://moved.example"));
}

#[tokio::test]
async fn calls_need_a_session_that_has_not_ended() {
    let hand = Hand::at(START);
    let org = TestOrg::start(Config { clock: hand.clock(), ..config() }).await;
    let url = format!("{}/services/data/v66.0/limits", org.base);
    for request in [
        org.http.get(&url),
        org.http.get(&url).bearer_auth("00DFk0000000001!guess"),
        org.http.get(&url).header("authorization", &org.token),
        org.http.get(&url).basic_auth("a", Some("b")),
    ] {
        let answer = answer(request).await;
        assert_eq!((answer.status, answer.code()), (401, "INVALID_SESSION_ID"));
    }
    assert_eq!(org.get("/limits").await.status, 200);
    hand.advance(7_199);
    assert_eq!(org.get("/limits").await.status, 200, "use prolongs");
    hand.advance(7_200);
    assert_eq!(org.get("/limits").await.code(), "INVALID_SESSION_ID");
    let again = TestOrg::local().await;
    assert_eq!(again.delete("/_fake/sessions").await.status, 204);
    assert_eq!(again.get("/limits").await.status, 401);
}

#[tokio::test]
async fn a_login_url_replaces_the_own_address_as_audience() {
    let login = "https://login.salesforce.example".to_owned();
    let config = Config { login_url: Some(login.clone()), ..config() };
    let org = FakeSalesforce::start(config).await.unwrap();
    let base = org.address().to_string();
    let claims = json!({
        "iss": "portico-local", "sub": "integration@portico.example", "aud": login, "exp": START + 60,
    });
    let request = crate::harness::http()
        .post(format!("{base}services/oauth2/token"))
        .form(&[("grant_type", GRANT), ("assertion", &assertion(PRIVATE_KEY, &claims))]);
    assert_eq!(answer(request).await.status, 200);
}

#[tokio::test]
async fn an_unusable_configuration_does_not_start() {
    for organization_id in ["", "00DFk0000000001", "00DFk0000000001AAA", "001Fk0000000001IAA"] {
        let config = Config { organization_id: organization_id.to_owned(), ..config() };
        assert!(matches!(FakeSalesforce::start(config).await, Err(StartError::OrganizationId)));
    }
    let config = Config { public_key_pem: "no key".to_owned(), ..config() };
    assert!(matches!(FakeSalesforce::start(config).await, Err(StartError::PublicKey(_))));
}
