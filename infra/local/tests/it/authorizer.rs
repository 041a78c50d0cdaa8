//! Which tokens the gateway takes: case T11.

use std::sync::{Arc, OnceLock};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use portico_domain::Clock;
use portico_local::gateway::authorizer::{
    CognitoAuthorizer, KeySource, MAX_TOKEN_BYTES, TokenError, TokenRules,
};
use reqwest::StatusCode;
use rsa::RsaPrivateKey;
use rsa::pkcs8::{EncodePrivateKey as _, EncodePublicKey as _, LineEnding};
use rsa::traits::PublicKeyParts as _;
use serde_json::{Value as Json, json};

use crate::support::{Script, http, sign_in};

const ISSUER: &str = "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_pool";
const NOW: i64 = 1_795_000_000;

/// The pool's key and another's. Made once: both take a while.
fn keys() -> &'static [RsaPrivateKey; 2] {
    static KEYS: OnceLock<[RsaPrivateKey; 2]> = OnceLock::new();
    let make = || RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 2048).unwrap();
    KEYS.get_or_init(|| [make(), make()])
}

fn jwks() -> Json {
    let key = keys()[0].to_public_key();
    let number = |number: &rsa::BigUint| URL_SAFE_NO_PAD.encode(number.to_bytes_be());
    json!({ "keys": [
        { "kty": "RSA", "use": "sig", "alg": "RS256", "kid": "pool", "n": number(key.n()), "e": number(key.e()) },
        // A set that was tampered with must not make a shared secret a signing key.
        { "kty": "oct", "kid": "shared", "k": URL_SAFE_NO_PAD.encode("secret"), "alg": "HS256" },
    ]})
}

fn authorizer_at(now: i64, scopes: &[&str]) -> CognitoAuthorizer {
    let rules = TokenRules {
        issuer: ISSUER.to_owned(),
        clients: vec!["client".to_owned()],
        scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
    };
    CognitoAuthorizer::new(rules, KeySource::new(jwks), Clock::fixed(Timestamp::from_second(now).unwrap()))
}

fn authorizer() -> CognitoAuthorizer {
    authorizer_at(NOW, &["aws.cognito.signin.user.admin"])
}

fn claims() -> Json {
    json!({
        "sub": "person", "iss": ISSUER, "client_id": "client", "token_use": "access",
        "scope": "openid aws.cognito.signin.user.admin", "auth_time": NOW - 10, "iat": NOW - 10, "exp": NOW + 900,
        "cognito:groups": ["a", "b"],
    })
}

/// The claims, with one of them replaced; null takes it away.
fn with(name: &str, value: Json) -> Json {
    let mut claims = claims();
    let object = claims.as_object_mut().unwrap();
    if value.is_null() {
        object.remove(name)
    } else {
        object.insert(name.to_owned(), value)
    };
    claims
}

fn sign_with(key: &RsaPrivateKey, header: &Header, claims: &Json) -> String {
    let pem = key.to_pkcs8_pem(LineEnding::LF).unwrap();
    jsonwebtoken::encode(header, claims, &EncodingKey::from_rsa_pem(pem.as_bytes()).unwrap()).unwrap()
}

fn header(algorithm: Algorithm, kid: Option<&str>) -> Header {
    let mut header = Header::new(algorithm);
    header.kid = kid.map(ToOwned::to_owned);
    header
}

fn sign(claims: &Json) -> String {
    sign_with(&keys()[0], &header(Algorithm::RS256, Some("pool")), claims)
}

fn unsigned(head: &Json, claims: &Json) -> String {
    let part = |json: &Json| URL_SAFE_NO_PAD.encode(json.to_string());
    format!("{}.{}.", part(head), part(claims))
}

fn verdict(token: &str) -> Result<Json, TokenError> {
    authorizer().authorize(Some(token)).map(|claims| Json::Object(claims.for_event()))
}

#[test]
fn a_good_token_passes_and_its_claims_are_text() {
    for form in
        [sign(&claims()), format!("Bearer {}", sign(&claims())), format!(" bearer  {} ", sign(&claims()))]
    {
        let claims = verdict(&form).unwrap();
        assert_eq!(claims["sub"], "person");
        assert_eq!(claims["cognito:groups"], "a,b");
        assert_eq!(claims["auth_time"], (NOW - 10).to_string());
        assert_eq!(claims["exp"], "Wed Nov 18 11:21:40 UTC 2026");
    }
}

#[test]
fn case_t11_forged_tokens_are_refused() {
    let good = sign(&claims());
    let (body, signature) = good.rsplit_once('.').unwrap();
    let (head, payload) = body.split_once('.').unwrap();
    let public_pem = keys()[0].to_public_key().to_public_key_pem(LineEnding::LF).unwrap();
    let hmac = |secret: &[u8], kid: &str| {
        let header = header(Algorithm::HS256, Some(kid));
        jsonwebtoken::encode(&header, &claims(), &EncodingKey::from_secret(secret)).unwrap()
    };
    let other_claims = URL_SAFE_NO_PAD.encode(with("sub", json!("somebody else")).to_string());
    let forged = [
        ("alg none", unsigned(&json!({ "alg": "none", "typ": "JWT", "kid": "pool" }), &claims())),
        ("alg None", unsigned(&json!({ "alg": "None", "kid": "pool" }), &claims())),
        ("no alg", unsigned(&json!({ "kid": "pool" }), &claims())),
        ("HS256 with the public key", hmac(public_pem.as_bytes(), "pool")),
        ("HS256 with a shared key of the set", hmac(b"secret", "shared")),
        (
            "another key under the pool's id",
            sign_with(&keys()[1], &header(Algorithm::RS256, Some("pool")), &claims()),
        ),
        ("an unknown key id", sign_with(&keys()[0], &header(Algorithm::RS256, Some("nobody")), &claims())),
        ("a shared key's id", sign_with(&keys()[0], &header(Algorithm::RS256, Some("shared")), &claims())),
        ("no key id", sign_with(&keys()[0], &header(Algorithm::RS256, None), &claims())),
        ("another RSA algorithm", sign_with(&keys()[0], &header(Algorithm::RS512, Some("pool")), &claims())),
        ("PSS", sign_with(&keys()[0], &header(Algorithm::PS256, Some("pool")), &claims())),
        ("other claims under the signature", format!("{head}.{other_claims}.{signature}")),
        ("no signature", format!("{head}.{payload}.")),
        ("two parts", format!("{head}.{payload}")),
        ("four parts", format!("{good}.x")),
        ("not a token", "x".to_owned()),
        ("not ASCII", "ü.ü.ü".to_owned()),
        ("another scheme", format!("Basic {good}")),
    ];
    for (what, token) in forged {
        assert!(verdict(&token).is_err(), "{what}");
    }
    // An embedded key is not looked at.
    let mut own_key = header(Algorithm::RS256, Some("pool"));
    let pem = keys()[1].to_pkcs8_pem(LineEnding::LF).unwrap();
    let key = EncodingKey::from_rsa_pem(pem.as_bytes()).unwrap();
    own_key.jwk = Some(jsonwebtoken::jwk::Jwk::from_encoding_key(&key, Algorithm::RS256).unwrap());
    assert_eq!(verdict(&sign_with(&keys()[1], &own_key, &claims())), Err(TokenError::Signature));
}

#[test]
fn case_t11_claims_that_do_not_fit_are_refused() {
    for (claims, expected) in [
        (
            with("iss", json!("https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_other")),
            TokenError::Issuer,
        ),
        (with("iss", json!([ISSUER])), TokenError::Issuer),
        (with("iss", Json::Null), TokenError::Issuer),
        (with("client_id", json!("other")), TokenError::Client),
        (with("client_id", Json::Null), TokenError::Client),
        (with("token_use", json!("id")), TokenError::Use),
        (with("token_use", Json::Null), TokenError::Use),
        (with("scope", json!("openid")), TokenError::Scope),
        (with("scope", json!("aws.cognito.signin.user.administrator")), TokenError::Scope),
        (with("scope", Json::Null), TokenError::Scope),
        (with("exp", json!(NOW)), TokenError::Expired),
        (with("exp", json!(NOW - 1)), TokenError::Expired),
        (with("exp", Json::Null), TokenError::Malformed),
        (with("exp", json!("never")), TokenError::Malformed),
        (with("exp", json!(1e300)), TokenError::Malformed),
        (with("nbf", json!(NOW + 60)), TokenError::NotYetValid),
        (with("iat", json!(NOW + 60)), TokenError::NotYetValid),
        (with("nbf", json!("soon")), TokenError::Malformed),
    ] {
        assert_eq!(verdict(&sign(&claims)), Err(expected), "{claims}");
    }
    assert_eq!(authorizer().authorize(None).unwrap_err(), TokenError::Missing);
    assert_eq!(authorizer().authorize(Some("  ")).unwrap_err(), TokenError::Missing);
}

#[test]
fn case_t11_a_huge_token_is_not_even_looked_at() {
    let huge = sign(&with("padding", json!("x".repeat(MAX_TOKEN_BYTES))));
    assert_eq!(verdict(&huge), Err(TokenError::TooLong));
    assert_eq!(verdict(&"x".repeat(10 * MAX_TOKEN_BYTES)), Err(TokenError::TooLong));
}

#[test]
fn without_scopes_id_tokens_are_taken_and_access_tokens_not() {
    let mut id = with("token_use", json!("id"));
    id.as_object_mut().unwrap().insert("aud".to_owned(), json!("client"));
    let authorizer = authorizer_at(NOW, &[]);
    assert!(authorizer.authorize(Some(&sign(&id))).is_ok());
    assert_eq!(authorizer.authorize(Some(&sign(&claims()))).unwrap_err(), TokenError::Use);
}

#[test]
fn unknown_keys_do_not_make_the_gateway_fetch_without_end() {
    let fetched = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counter = Arc::clone(&fetched);
    let source = KeySource::new(move || {
        counter.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        jwks()
    });
    let rules = TokenRules { issuer: ISSUER.to_owned(), clients: vec![], scopes: vec![] };
    let clock = Clock::fixed(Timestamp::from_second(NOW).unwrap());
    let authorizer = CognitoAuthorizer::new(rules, source, clock);
    for number in 0..20 {
        let header = header(Algorithm::RS256, Some(&format!("unknown-{number}")));
        let token = sign_with(&keys()[1], &header, &claims());
        assert_eq!(authorizer.authorize(Some(&token)).unwrap_err(), TokenError::UnknownKey);
    }
    assert_eq!(fetched.load(std::sync::atomic::Ordering::Relaxed), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn case_t11_over_http_with_the_real_pool() {
    let (script, seen) = Script::new().on("door", |_| Ok(json!({ "statusCode": 200 })));
    let cloud = script.start().await;
    let (access, id) = sign_in(&cloud).await;
    let get = async |token: Option<&str>| {
        let request = http().get(format!("{}/items/1", cloud.addresses().api));
        let request = match token {
            Some(token) => request.header("authorization", token),
            None => request,
        };
        request.send().await.unwrap()
    };
    assert_eq!(get(Some(&access)).await.status(), StatusCode::OK);
    assert_eq!(get(Some(&format!("Bearer {access}"))).await.status(), StatusCode::OK);
    assert_eq!(seen.count(), 2);

    let (signed, signature) = access.rsplit_once('.').unwrap();
    let (_, payload) = signed.split_once('.').unwrap();
    let none = URL_SAFE_NO_PAD.encode(json!({ "alg": "none" }).to_string());
    let flipped: String = signature.chars().rev().collect();
    let own = sign(&claims());
    let padded = format!("{access}{}", "x".repeat(MAX_TOKEN_BYTES));
    for token in [
        None,
        Some(""),
        Some("x"),
        Some(id.as_str()),
        Some(own.as_str()),
        Some(padded.as_str()),
        Some(&format!("{none}.{payload}.")),
        Some(&format!("{signed}.{flipped}")),
    ] {
        let answer = get(token).await;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
        let body: Json = answer.json().await.unwrap();
        assert_eq!(body["type"], "unauthenticated");
    }
    assert_eq!(seen.count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_token_has_an_answer_of_its_own() {
    let (script, seen) = Script::new().on("door", |_| Ok(json!({ "statusCode": 200 })));
    let mut options = script.options();
    let real = portico_aws::system_clock();
    // The gateway's clock is 16 minutes ahead of the one that issues tokens for 15.
    options.clock = Clock::new(move || real.now() + jiff::SignedDuration::from_mins(16));
    let cloud = portico_local::LocalCloud::start(options).await.unwrap();
    let (access, _) = sign_in(&cloud).await;
    let url = format!("{}/items/1", cloud.addresses().api);
    let answer = http().get(url).bearer_auth(access).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(answer.json::<Json>().await.unwrap()["type"], "expired");
    assert_eq!(seen.count(), 0);
}
