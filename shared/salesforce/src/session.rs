//! Signing in, and the session that comes of it.

use portico_domain::Clock;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use tokio::sync::RwLock;
use url::Url;

use crate::{
    SalesforceError,
    client::{bounded, read, unavailable},
    error::refusal,
};

/// How long an assertion is good for; Salesforce takes at most three minutes.
const ASSERTION_LIFE: i64 = 120;

/// How the portal signs in: as one user, with a key that the org's External Client App knows.
#[derive(Clone, Deserialize)]
pub struct Credentials {
    /// The app's consumer key.
    pub consumer_key: String,
    /// The integration user.
    pub username: String,
    /// RSA private key, PEM (PKCS#8 or PKCS#1).
    pub private_key: SecretString,
}

#[derive(Clone, Deserialize)]
pub(crate) struct Session {
    pub(crate) access_token: SecretString,
    pub(crate) instance_url: Url,
}

/// The one session of a client.
pub(crate) struct Sessions {
    pub(crate) http: reqwest::Client,
    login_url: Url,
    credentials: Credentials,
    clock: Clock,
    session: RwLock<Option<Session>>,
}

impl Sessions {
    pub(crate) fn new(http: reqwest::Client, login_url: Url, credentials: Credentials, clock: Clock) -> Self {
        Self { http, login_url, credentials, clock, session: RwLock::new(None) }
    }

    /// The session in use; a new one if there is none, or if it is still the one that was `refused`.
    pub(crate) async fn session(&self, refused: Option<&Session>) -> Result<Session, SalesforceError> {
        let usable = |session: &Session| match refused {
            Some(refused) => session.access_token.expose_secret() != refused.access_token.expose_secret(),
            None => true,
        };
        if let Some(session) = self.session.read().await.as_ref().filter(|session| usable(session)) {
            return Ok(session.clone());
        }
        // Whoever gets here first signs in; the others find the new session.
        let mut slot = self.session.write().await;
        if let Some(session) = slot.as_ref().filter(|session| usable(session)) {
            return Ok(session.clone());
        }
        let session = self.sign_in().await?;
        *slot = Some(session.clone());
        Ok(session)
    }

    async fn sign_in(&self) -> Result<Session, SalesforceError> {
        #[derive(Serialize)]
        struct Claims<'a> {
            iss: &'a str,
            sub: &'a str,
            aud: &'a str,
            exp: i64,
        }
        let Self { http, login_url, credentials, clock, .. } = self;
        let claims = Claims {
            iss: &credentials.consumer_key,
            sub: &credentials.username,
            aud: login_url.as_str().trim_end_matches('/'),
            exp: clock.now().as_second().saturating_add(ASSERTION_LIFE),
        };
        let refused = |error: jsonwebtoken::errors::Error| SalesforceError::SignIn(error.to_string());
        let key = jsonwebtoken::EncodingKey::from_rsa_pem(credentials.private_key.expose_secret().as_bytes())
            .map_err(refused)?;
        let header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::RS256);
        let assertion = jsonwebtoken::encode(&header, &claims, &key).map_err(refused)?;
        let url = login_url
            .join("/services/oauth2/token")
            .map_err(|error| SalesforceError::SignIn(error.to_string()))?;
        let grant =
            [("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"), ("assertion", &assertion)];
        let response = http.post(url).form(&grant).send().await.map_err(unavailable)?;
        let status = response.status();
        let answer = bounded(response).await?;
        if status.is_success() {
            return read(&answer);
        }
        match refusal(status, &answer) {
            SalesforceError::Refused { code, message } => {
                Err(SalesforceError::SignIn(format!("{code}: {message}")))
            }
            other => Err(other),
        }
    }
}
