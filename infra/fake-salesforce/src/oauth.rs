//! The OAuth JWT bearer flow: `POST /services/oauth2/token`.

use std::sync::Arc;

use axum::{
    Json,
    body::Bytes,
    extract::State,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, StatusCode, header};
use jsonwebtoken::{Algorithm, Validation};
use serde::Deserialize;
use serde_json::json;

use crate::{demo, org::Org};

const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// An assertion may end at most so far ahead.
const LIFE_SECONDS: i64 = 3 * 60;
/// How far the two clocks may differ.
const SKEW_SECONDS: i64 = 30;

#[derive(Debug, Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: String,
    #[serde(deserialize_with = "seconds")]
    exp: i64,
}

/// A number, or its digits as text: Salesforce takes both, and simple-salesforce sends the latter.
fn seconds<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Seconds {
        Number(i64),
        Text(String),
    }
    match Seconds::deserialize(deserializer)? {
        Seconds::Number(number) => Ok(number),
        Seconds::Text(text) => text.parse().map_err(serde::de::Error::custom),
    }
}

/// A refusal in OAuth's own form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct OAuthError {
    error: &'static str,
    description: &'static str,
}

impl IntoResponse for OAuthError {
    fn into_response(self) -> Response {
        let body = json!({"error": self.error, "error_description": self.description});
        (StatusCode::BAD_REQUEST, [(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
    }
}

/// Answers a token request.
pub(crate) async fn token(State(org): State<Arc<Org>>, headers: HeaderMap, body: Bytes) -> Response {
    match exchange(&org, &headers, &body) {
        Ok(answer) => answer,
        Err(refusal) => refusal.into_response(),
    }
}

fn exchange(org: &Org, headers: &HeaderMap, body: &[u8]) -> Result<Response, OAuthError> {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if !content_type.is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded")) {
        return Err(OAuthError { error: "invalid_request", description: "must be form encoded" });
    }
    let parameter = |name: &str| {
        url::form_urlencoded::parse(body).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    };
    if parameter("grant_type").as_deref() != Some(GRANT_TYPE) {
        return Err(OAuthError { error: "unsupported_grant_type", description: "grant type not supported" });
    }
    let assertion = parameter("assertion").unwrap_or_default();
    check(org, &assertion)?;
    let now = org.clock.now();
    let access_token = org
        .sessions
        .open(&org.organization_id, now)
        .map_err(|_| OAuthError { error: "server_error", description: "no randomness" })?;
    let instance = org.settings().instance_url;
    let own = org.address.as_str().trim_end_matches('/');
    let answer = json!({
        "access_token": access_token,
        "scope": "api",
        "instance_url": instance.as_deref().unwrap_or(own),
        "id": format!("{own}/id/{}/{}", org.organization_id, demo::INTEGRATION_USER_ID),
        "token_type": "Bearer",
    });
    Ok((StatusCode::OK, [(header::CACHE_CONTROL, "no-store")], Json(answer)).into_response())
}

fn check(org: &Org, assertion: &str) -> Result<(), OAuthError> {
    let invalid = |description| OAuthError { error: "invalid_grant", description };
    let mut validation = Validation::new(Algorithm::RS256);
    // Expiry and audience are checked below: by the org's clock, and each with its own answer.
    validation.validate_exp = false;
    validation.validate_aud = false;
    // Not "exp" either: only a number counts as one there. `Claims` requires all four.
    validation.set_required_spec_claims(&["iss", "sub", "aud"]);
    let claims = jsonwebtoken::decode::<Claims>(assertion, &org.key, &validation)
        .map_err(|_| invalid("invalid assertion"))?
        .claims;
    if claims.iss != org.consumer_key {
        return Err(OAuthError { error: "invalid_client_id", description: "client identifier invalid" });
    }
    let audience = org.login_url.as_deref().unwrap_or(org.address.as_str());
    if claims.aud.trim_end_matches('/') != audience.trim_end_matches('/') {
        return Err(invalid("audience is invalid"));
    }
    if claims.sub != org.username {
        return Err(invalid("user hasn't approved this consumer"));
    }
    let now = org.clock.now().as_second();
    if claims.exp.saturating_add(SKEW_SECONDS) <= now {
        return Err(invalid("expired authorization code"));
    }
    if claims.exp > now.saturating_add(LIFE_SECONDS + SKEW_SECONDS) {
        return Err(invalid("invalid assertion: exp is too far in the future"));
    }
    Ok(())
}
