//! Cognito: what signing in to the portal needs.

use std::time::Duration;

use aws_sdk_cognitoidentityprovider::Client;
use aws_sdk_cognitoidentityprovider::types::{AttributeType, AuthFlowType, ChallengeNameType};
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use portico_emulators::{Emulators, Pool, PoolSpec};
use serde_json::Value;

use crate::support::{Clients, ORIGIN, browser, start};

pub const EMAIL: &str = "client@example.com";
pub const PASSWORD: &str = "Correct-Horse-7!";

pub fn spec() -> PoolSpec {
    PoolSpec { access_token_seconds: 900, ..PoolSpec::new("portico", "portico-web") }
}

/// Creates the user with an invitation and answers the new-password challenge.
pub async fn invite(emulators: &Emulators, client: &Client, pool: &Pool) {
    let email = AttributeType::builder().name("email").value(EMAIL).build().unwrap();
    let verified = AttributeType::builder().name("email_verified").value("true").build().unwrap();
    client
        .admin_create_user()
        .user_pool_id(&pool.id)
        .username(EMAIL)
        .user_attributes(email)
        .user_attributes(verified)
        .send()
        .await
        .unwrap();
    let mail = emulators.mailbox().wait_for(EMAIL, 0, Duration::from_secs(5)).await.unwrap().unwrap();
    assert_eq!(mail.source, "cognito");
    let temporary = mail.text.unwrap();
    let temporary = temporary.split("temporary password is ").nth(1).unwrap().trim_end_matches('.');

    let challenge = sign_in(client, pool, temporary).await.unwrap();
    assert_eq!(challenge.challenge_name(), Some(&ChallengeNameType::NewPasswordRequired));
    let answer = |password: &str| {
        client
            .respond_to_auth_challenge()
            .client_id(&pool.client_id)
            .challenge_name(ChallengeNameType::NewPasswordRequired)
            .set_session(challenge.session.clone())
            .challenge_responses("USERNAME", EMAIL)
            .challenge_responses("NEW_PASSWORD", password)
            .send()
    };
    assert!(answer("weak").await.unwrap_err().into_service_error().is_invalid_password_exception());
    answer(PASSWORD).await.unwrap().authentication_result.unwrap();
}

pub async fn sign_in(
    client: &Client,
    pool: &Pool,
    password: &str,
) -> Result<
    aws_sdk_cognitoidentityprovider::operation::initiate_auth::InitiateAuthOutput,
    aws_sdk_cognitoidentityprovider::operation::initiate_auth::InitiateAuthError,
> {
    client
        .initiate_auth()
        .auth_flow(AuthFlowType::UserPasswordAuth)
        .client_id(&pool.client_id)
        .auth_parameters("USERNAME", EMAIL)
        .auth_parameters("PASSWORD", password)
        .send()
        .await
        .map_err(aws_sdk_cognitoidentityprovider::error::SdkError::into_service_error)
}

/// Verifies a token as the gateway does: with the keys that are served.
pub async fn claims(pool: &Pool, token: &str) -> Value {
    let keys: JwkSet = browser().get(&pool.jwks_url).send().await.unwrap().json().await.unwrap();
    let header = jsonwebtoken::decode_header(token).unwrap();
    let key = DecodingKey::from_jwk(keys.find(&header.kid.unwrap()).unwrap()).unwrap();
    let mut validation = Validation::new(Algorithm::RS256);
    validation.set_issuer(&[&pool.issuer]);
    validation.validate_aud = false;
    jsonwebtoken::decode::<Value>(token, &key, &validation).unwrap().claims
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invited_user_signs_in_and_the_tokens_verify() {
    let emulators = start().await;
    let client = Clients::of(&emulators).cognito;
    let pool = emulators.cognito().ensure_pool(&spec()).await.unwrap();
    assert_eq!(emulators.cognito().ensure_pool(&spec()).await.unwrap(), pool, "asked again, nothing new");
    assert_eq!(pool.issuer, format!("https://cognito-idp.eu-central-1.amazonaws.com/{}", pool.id));
    invite(&emulators, &client, &pool).await;

    assert!(sign_in(&client, &pool, "Wrong-Horse-7!").await.unwrap_err().is_not_authorized_exception());
    let tokens = sign_in(&client, &pool, PASSWORD).await.unwrap().authentication_result.unwrap();
    assert_eq!(tokens.expires_in(), 900);
    let access = claims(&pool, tokens.access_token().unwrap()).await;
    assert_eq!(access["token_use"], "access");
    assert_eq!(access["client_id"], pool.client_id.as_str());
    assert_eq!(access["scope"], "aws.cognito.signin.user.admin");
    assert_eq!(access["exp"].as_u64().unwrap() - access["iat"].as_u64().unwrap(), 900);
    assert!(access.get("aud").is_none());
    let id = claims(&pool, tokens.id_token().unwrap()).await;
    assert_eq!((&id["token_use"], &id["aud"]), (&"id".into(), &pool.client_id.as_str().into()));
    assert_eq!(id["email"], EMAIL);
    assert_eq!(id["sub"], access["sub"]);

    let refreshed = client
        .initiate_auth()
        .auth_flow(AuthFlowType::RefreshTokenAuth)
        .client_id(&pool.client_id)
        .auth_parameters("REFRESH_TOKEN", tokens.refresh_token().unwrap())
        .send();
    let refreshed = refreshed.await.unwrap().authentication_result.unwrap();
    assert_eq!(claims(&pool, refreshed.access_token().unwrap()).await["sub"], access["sub"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_user_is_out() {
    let emulators = start().await;
    let client = Clients::of(&emulators).cognito;
    let pool = emulators.cognito().ensure_pool(&spec()).await.unwrap();
    invite(&emulators, &client, &pool).await;
    client.admin_disable_user().user_pool_id(&pool.id).username(EMAIL).send().await.unwrap();
    assert!(sign_in(&client, &pool, PASSWORD).await.unwrap_err().is_not_authorized_exception());
}

/// As on AWS, a page signs people in by itself; here only one from the web app's origin.
#[tokio::test(flavor = "multi_thread")]
async fn only_the_configured_origin_may_sign_people_in_from_a_browser() {
    let emulators = start().await;
    let client = Clients::of(&emulators).cognito;
    let pool = emulators.cognito().ensure_pool(&spec()).await.unwrap();
    invite(&emulators, &client, &pool).await;
    let attempt = serde_json::json!({
        "AuthFlow": "USER_PASSWORD_AUTH",
        "ClientId": pool.client_id,
        "AuthParameters": { "USERNAME": EMAIL, "PASSWORD": PASSWORD },
    });
    for (origin, allowed) in [(ORIGIN, true), ("http://evil.example", false)] {
        let preflight = browser()
            .request(reqwest::Method::OPTIONS, emulators.aws_url())
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "content-type,x-amz-target");
        let preflight = preflight.send().await.unwrap();
        let request = browser()
            .post(emulators.aws_url())
            .header("origin", origin)
            .header("content-type", "application/x-amz-json-1.1")
            .header("x-amz-target", "AWSCognitoIdentityProviderService.InitiateAuth")
            .body(attempt.to_string());
        let answer = request.send().await.unwrap();
        for answer in [&preflight, &answer] {
            let told = answer.headers().get("access-control-allow-origin");
            assert_eq!(told.map(|told| told.to_str().unwrap()), allowed.then_some(ORIGIN), "{origin}");
        }
        assert_eq!(answer.status(), 200);
    }
    // What no page uses on AWS either, no page uses here.
    let queues = browser()
        .post(emulators.aws_url())
        .header("origin", ORIGIN)
        .header("content-type", "application/x-amz-json-1.0")
        .header("x-amz-target", "AmazonSQS.ListQueues")
        .body("{}");
    let queues = queues.send().await.unwrap();
    assert!(!queues.headers().contains_key("access-control-allow-origin"));
}
