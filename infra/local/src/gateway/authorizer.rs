//! The Cognito authorizer: which tokens reach a function, and what the function learns from them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use jsonwebtoken::jwk::{AlgorithmParameters, Jwk};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use portico_domain::Clock;
use serde_json::{Map, Value as Json};

/// Longest token that is looked at. Cognito's own have 1 to 2 KB; without a bound, every stranger could make the
/// gateway hash as much as a request may hold.
pub const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// Most keys kept; a pool has two.
const MAX_KEYS: usize = 16;

/// How far a token may be issued in the future: clocks of two machines differ.
const CLOCK_SKEW_SECONDS: i64 = 5;

/// Why a token is refused. A caller learns only whether it has expired.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// No `Authorization` header, or an empty one.
    #[error("there is no token")]
    Missing,
    /// Longer than [`MAX_TOKEN_BYTES`].
    #[error("the token is too long")]
    TooLong,
    /// Not a JWT with RS256 and a key id.
    #[error("the token is not an RS256 JWT with a key id")]
    Malformed,
    /// The pool has no such key.
    #[error("the pool has no such key")]
    UnknownKey,
    /// The signature is not the pool's.
    #[error("the signature does not fit")]
    Signature,
    /// Another pool or another service made the token.
    #[error("the token has another issuer")]
    Issuer,
    /// An ID token where an access token belongs, or the other way round.
    #[error("the token has another use")]
    Use,
    /// None of the pool's app clients.
    #[error("the token is for another client")]
    Client,
    /// None of the scopes that the API demands.
    #[error("the token lacks the scope")]
    Scope,
    /// Issued in the future.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// Past its end.
    #[error("the token has expired")]
    Expired,
}

/// Where the public keys of a pool come from.
#[derive(Clone)]
pub struct KeySource(Arc<dyn Fn() -> Json + Send + Sync>);

impl KeySource {
    /// Keys as `fetch` returns them: a JWK set.
    pub fn new(fetch: impl Fn() -> Json + Send + Sync + 'static) -> Self {
        Self(Arc::new(fetch))
    }
}

/// What a pool's tokens must say.
#[derive(Clone, Debug)]
pub struct TokenRules {
    /// `iss`.
    pub issuer: String,
    /// The pool's app clients.
    pub clients: Vec<String>,
    /// One of these must be in `scope`. Empty: ID tokens are taken instead of access tokens, as on AWS.
    pub scopes: Vec<String>,
}

/// Checks tokens of one pool.
pub struct CognitoAuthorizer {
    rules: TokenRules,
    source: KeySource,
    keys: Mutex<Keys>,
    clock: Clock,
}

impl std::fmt::Debug for CognitoAuthorizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CognitoAuthorizer").field("rules", &self.rules).finish_non_exhaustive()
    }
}

#[derive(Default)]
struct Keys {
    by_id: BTreeMap<String, Arc<DecodingKey>>,
    /// Second of the last fetch: unknown key ids cause one fetch a second at most.
    fetched_at: Option<i64>,
}

impl CognitoAuthorizer {
    /// An authorizer without keys yet; they are fetched with the first token.
    #[must_use]
    pub fn new(rules: TokenRules, source: KeySource, clock: Clock) -> Self {
        Self { rules, source, keys: Mutex::default(), clock }
    }

    /// Checks the value of an `Authorization` header, with or without `Bearer `.
    ///
    /// # Errors
    /// [`TokenError`].
    pub fn authorize(&self, header: Option<&str>) -> Result<Claims, TokenError> {
        let header = header.map(str::trim).filter(|header| !header.is_empty()).ok_or(TokenError::Missing)?;
        let token = match header.split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim_start(),
            _ => header,
        };
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::TooLong);
        }
        let head = jsonwebtoken::decode_header(token).map_err(|_| TokenError::Malformed)?;
        if head.alg != Algorithm::RS256 {
            return Err(TokenError::Malformed);
        }
        let key = self.key(&head.kid.ok_or(TokenError::Malformed)?)?;
        let claims = Claims(verified(token, &key)?);
        self.check(&claims)?;
        Ok(claims)
    }

    fn check(&self, claims: &Claims) -> Result<(), TokenError> {
        let access = !self.rules.scopes.is_empty();
        let (token_use, client_claim) = if access { ("access", "client_id") } else { ("id", "aud") };
        if claims.text("iss") != Some(&self.rules.issuer) {
            return Err(TokenError::Issuer);
        }
        if claims.text("token_use") != Some(token_use) {
            return Err(TokenError::Use);
        }
        let client = claims.text(client_claim);
        if !self.rules.clients.iter().any(|known| client == Some(known)) {
            return Err(TokenError::Client);
        }
        let now = self.clock.now().as_second();
        for claim in ["iat", "nbf", "auth_time"] {
            if claims.second(claim)?.is_some_and(|from| from > now.saturating_add(CLOCK_SKEW_SECONDS)) {
                return Err(TokenError::NotYetValid);
            }
        }
        if claims.second("exp")?.ok_or(TokenError::Malformed)? <= now {
            return Err(TokenError::Expired);
        }
        let granted = claims.text("scope").unwrap_or_default();
        if access && !granted.split(' ').any(|scope| self.rules.scopes.iter().any(|wanted| wanted == scope)) {
            return Err(TokenError::Scope);
        }
        Ok(())
    }

    fn key(&self, id: &str) -> Result<Arc<DecodingKey>, TokenError> {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = keys.by_id.get(id) {
            return Ok(Arc::clone(key));
        }
        let now = self.clock.now().as_second();
        if keys.fetched_at != Some(now) {
            keys.fetched_at = Some(now);
            keys.by_id = read_keys(&(self.source.0)());
        }
        keys.by_id.get(id).cloned().ok_or(TokenError::UnknownKey)
    }
}

/// The RSA keys of a JWK set. Others are left out: no token of this pool may be checked with them.
fn read_keys(set: &Json) -> BTreeMap<String, Arc<DecodingKey>> {
    let keys = set.get("keys").and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
    keys.iter()
        .take(MAX_KEYS)
        .filter_map(|key| serde_json::from_value::<Jwk>(key.clone()).ok())
        .filter(|key| matches!(key.algorithm, AlgorithmParameters::RSA(_)))
        .filter_map(|key| Some((key.common.key_id.clone()?, Arc::new(DecodingKey::from_jwk(&key).ok()?))))
        .collect()
}

/// The claims, if the signature fits. Times and audience are checked by the caller: by its clock, and by Cognito's
/// names for them.
fn verified(token: &str, key: &DecodingKey) -> Result<Map<String, Json>, TokenError> {
    let mut validation = Validation::new(Algorithm::RS256);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_aud = false;
    jsonwebtoken::decode(token, key, &validation).map(|token| token.claims).map_err(|_| TokenError::Signature)
}

/// What a verified token says.
#[derive(Clone, Debug)]
pub struct Claims(Map<String, Json>);

impl Claims {
    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Json::as_str)
    }

    /// A time claim; one that is there and is no whole number is an error.
    fn second(&self, name: &str) -> Result<Option<i64>, TokenError> {
        self.0.get(name).map(|value| value.as_i64().ok_or(TokenError::Malformed)).transpose()
    }

    /// The claims as a REST API passes them on: all as text, `exp` and `iat` as dates.
    #[must_use]
    pub fn for_event(&self) -> Map<String, Json> {
        let text = |(name, value): (&String, &Json)| {
            let text = match (name.as_str(), value) {
                ("exp" | "iat", Json::Number(second)) => {
                    second.as_i64().and_then(|second| Timestamp::from_second(second).ok()).map_or_else(
                        || second.to_string(),
                        |at| at.strftime("%a %b %d %H:%M:%S UTC %Y").to_string(),
                    )
                }
                (_, Json::String(text)) => text.clone(),
                (_, Json::Array(items)) => {
                    items.iter().map(|item| item.as_str().unwrap_or_default()).collect::<Vec<_>>().join(",")
                }
                (_, other) => other.to_string(),
            };
            (name.clone(), Json::String(text))
        };
        self.0.iter().map(text).collect()
    }
}
