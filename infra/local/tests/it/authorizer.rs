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

/// The claims of a token that the pool itself would give, at this moment.
fn claims_of(pool: &portico_emulators::Pool) -> Json {
    let now = portico_aws::system_clock().now().as_second();
    json!({
        "sub": "person", "iss": pool.issuer, "client_id": pool.client_id, "token_use": "access",
        "scope": "aws.cognito.signin.user.admin", "auth_time": now - 10, "iat": now - 10, "exp": now + 900,
    })
}

fn changed(claims: &Json, name: &str, value: Json) -> Json {
    let mut claims = claims.clone();
    claims[name] = value;
    claims
}

/// Every attack over a real connection to the real gateway, most of them signed with the pool's own key.
#[tokio::test(flavor = "multi_thread")]
async fn case_t11_every_forged_token_is_refused_over_http() {
    let (script, seen) = Script::new().on("door", |_| Ok(json!({ "statusCode": 200 })));
    let cloud = script.start().await;
    let (access, id) = sign_in(&cloud).await;
    let claims = claims_of(&cloud.pools()["UserPool"]);
    let now = claims["iat"].as_i64().unwrap();
    let jwks: Json = cloud.emulators().cognito().jwks();
    let kid = jwks["keys"][0]["kid"].as_str().unwrap();
    let with_header = |algorithm: awsim_jsonwebtoken::Algorithm, kid: Option<&str>| {
        let mut header = awsim_jsonwebtoken::Header::new(algorithm);
        header.kid = kid.map(ToOwned::to_owned);
        awsim_jsonwebtoken::encode(&header, &claims, awsim_cognito::keys::encoding_key()).unwrap()
    };
    let pools_own = |claims: &Json| {
        let mut header = awsim_jsonwebtoken::Header::new(awsim_jsonwebtoken::Algorithm::RS256);
        header.kid = Some(kid.to_owned());
        awsim_jsonwebtoken::encode(&header, claims, awsim_cognito::keys::encoding_key()).unwrap()
    };

    // The attacks fail for what they are, not for how they are made.
    let url = format!("{}/items/1", cloud.addresses().api);
    let get = async |tokens: &[&str], query: &str| {
        let mut request = http().get(format!("{url}{query}"));
        for token in tokens {
            request = request.header("authorization", *token);
        }
        request.send().await.unwrap()
    };
    let good = pools_own(&claims);
    let lower_case = format!("bearer {good}");
    let taken = [access.as_str(), &good, &format!("Bearer {good}"), &lower_case];
    for token in taken {
        assert_eq!(get(&[token], "").await.status(), StatusCode::OK);
    }
    assert_eq!(seen.count(), taken.len());

    let public_pem = {
        let number = |name: &str| {
            let bytes = URL_SAFE_NO_PAD.decode(jwks["keys"][0][name].as_str().unwrap()).unwrap();
            rsa::BigUint::from_bytes_be(&bytes)
        };
        let public = rsa::RsaPublicKey::new(number("n"), number("e")).unwrap();
        public.to_public_key_pem(LineEnding::LF).unwrap()
    };
    let hmac = |secret: &[u8]| {
        let header = header(Algorithm::HS256, Some(kid));
        jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(secret)).unwrap()
    };
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let (head, payload) = signed.split_once('.').unwrap();
    let none = |alg: &str| unsigned(&json!({ "alg": alg, "typ": "JWT", "kid": kid }), &claims);
    let other_pool = claims["iss"].as_str().unwrap().replace("eu-central-1_", "eu-central-1_Z");
    let somebody_else = URL_SAFE_NO_PAD.encode(changed(&claims, "sub", json!("somebody else")).to_string());
    let reversed: String = signature.chars().rev().collect();
    let missing = |name: &str| {
        let mut claims = claims.clone();
        claims.as_object_mut().unwrap().remove(name);
        pools_own(&claims)
    };
    let with_claim = |name: &str, value: Json| pools_own(&changed(&claims, name, value));
    let as_id_token = {
        let mut id = changed(&claims, "token_use", json!("id"));
        id["aud"] = id["client_id"].clone();
        pools_own(&id)
    };
    let tokens: Vec<(&str, String)> = vec![
        ("empty", String::new()),
        ("a scheme and nothing else", "Bearer ".to_owned()),
        ("garbage", "x".to_owned()),
        ("garbage in three parts", "x.y.z".to_owned()),
        ("JSON instead of a token", "{\"sub\":\"person\"}".to_owned()),
        ("alg none", none("none")),
        ("alg NONE", none("NONE")),
        ("alg none, with the true signature", format!("{}{signature}", none("none"))),
        ("no alg", unsigned(&json!({ "kid": kid }), &claims)),
        ("HS256 with the public key", hmac(public_pem.as_bytes())),
        ("HS256 with the public key's modulus", hmac(jwks["keys"][0]["n"].as_str().unwrap().as_bytes())),
        ("HS256 with an empty secret", hmac(b"")),
        ("RS384", with_header(awsim_jsonwebtoken::Algorithm::RS384, Some(kid))),
        ("PS256", with_header(awsim_jsonwebtoken::Algorithm::PS256, Some(kid))),
        (
            "another key under the pool's kid",
            sign_with(&keys()[0], &header(Algorithm::RS256, Some(kid)), &claims),
        ),
        ("an unknown kid", with_header(awsim_jsonwebtoken::Algorithm::RS256, Some("nobody"))),
        ("a kid that is a path", with_header(awsim_jsonwebtoken::Algorithm::RS256, Some("../../dev/null"))),
        ("no kid", with_header(awsim_jsonwebtoken::Algorithm::RS256, None)),
        ("no signature", format!("{signed}.")),
        ("a changed signature", format!("{signed}.{reversed}")),
        ("other claims under the signature", format!("{head}.{somebody_else}.{signature}")),
        ("two parts", format!("{head}.{payload}")),
        ("four parts", format!("{good}.x")),
        ("another issuer", with_claim("iss", json!("https://issuer.example"))),
        ("another pool", with_claim("iss", json!(other_pool))),
        ("no issuer", missing("iss")),
        ("another client", with_claim("client_id", json!("another"))),
        ("no client", missing("client_id")),
        ("an id token of the pool", id),
        ("an id token, signed here", as_id_token),
        ("no token_use", missing("token_use")),
        ("another scope", with_claim("scope", json!("openid"))),
        ("no scope", missing("scope")),
        ("expired", with_claim("exp", json!(now - 60))),
        ("no expiry", missing("exp")),
        ("an expiry that is text", with_claim("exp", json!("never"))),
        ("not yet valid", with_claim("nbf", json!(now + 3_600))),
        ("issued in the future", with_claim("iat", json!(now + 3_600))),
        ("the Basic scheme", format!("Basic {good}")),
        ("alg none under a lower-case scheme", format!("bearer {}", none("none"))),
        ("a good token twice in one header", format!("Bearer {good}, Bearer {good}")),
        ("longer than a token may be", format!("{good}{}", "x".repeat(MAX_TOKEN_BYTES - good.len() + 1))),
    ];
    let mut refused = 0;
    let mut check = async |what: &str, answer: reqwest::Response| {
        let (status, content_type) = (answer.status(), answer.headers()["content-type"].clone());
        let body: Json = answer.json().await.unwrap();
        println!("{status}  {}  {what}", body["type"].as_str().unwrap());
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{what}");
        assert_eq!(content_type, "application/problem+json", "{what}");
        let expected = if what == "expired" { "expired" } else { "unauthenticated" };
        assert_eq!(body["type"], expected, "{what}");
        refused += 1;
    };
    check("no token", get(&[], "").await).await;
    for (what, token) in &tokens {
        check(what, get(&[token], "").await).await;
    }
    check("two headers, both good", get(&[&good, &good], "").await).await;
    check("two headers, the first good", get(&[&good, "x"], "").await).await;
    check("two headers, the second good", get(&["x", &good], "").await).await;
    check("in the query as access_token", get(&[], &format!("?access_token={good}")).await).await;
    check("in the query as Authorization", get(&[], &format!("?Authorization=Bearer%20{good}")).await).await;
    let cookie = http().get(&url).header("cookie", format!("access_token={good}"));
    check("in a cookie", cookie.send().await.unwrap()).await;
    let forwarded = http().get(&url).header("x-amzn-remapped-authorization", &good);
    check("in another header", forwarded.send().await.unwrap()).await;
    assert_eq!(refused, tokens.len() + 8);

    // What no header may hold is refused before it is a token: 100 KB are more than the gateway reads at all.
    let huge = get(&[&"x".repeat(100 * 1024)], "").await;
    println!("{}  100 KB", huge.status());
    assert_eq!(huge.status(), StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    assert_eq!(huge.headers()["content-type"], "application/problem+json");
    assert_eq!(seen.count(), taken.len(), "no function heard of any of them");
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
