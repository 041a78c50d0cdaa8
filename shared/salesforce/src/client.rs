//! The REST client.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use portico_domain::{Clock, SalesforceId};
use reqwest::{Method, Response, StatusCode, header};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::sync::RwLock;
use url::Url;

use crate::Soql;

/// Salesforce's REST version. 31 to 40 retire in 2028; this is of Spring '26.
const VERSION: &str = "v66.0";
/// How long a connection may take to open.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a call may take, unless the caller bounds it further.
const CALL_TIMEOUT: Duration = Duration::from_secs(15);
/// How long an assertion is good for; Salesforce takes at most three minutes.
const ASSERTION_LIFE: i64 = 120;
/// Most bytes of an answer: a page of 2,000 records with long texts stays under it.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Most pages of one query.
const PAGES_MAX: usize = 50;
/// What a record is told that was in order, next to one that was not.
const ROLLED_BACK: &str = "ALL_OR_NONE_OPERATION_ROLLED_BACK";

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

/// One Salesforce org.
#[derive(Clone)]
pub struct Salesforce(Arc<Inner>);

struct Inner {
    http: reqwest::Client,
    login_url: Url,
    credentials: Credentials,
    clock: Clock,
    session: RwLock<Option<Session>>,
}

#[derive(Clone, Deserialize)]
struct Session {
    access_token: SecretString,
    instance_url: Url,
}

/// Why Salesforce did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum SalesforceError {
    /// The portal's own credentials are not taken; people have to look at it.
    #[error("Salesforce does not let the portal in: {0}")]
    SignIn(String),
    /// The org's API calls of the day are used up.
    #[error("the org's API limit is reached")]
    LimitReached,
    /// Another write holds the row; the same call may work in a moment.
    #[error("the row is locked")]
    RowLocked,
    /// No answer, no answer in time, or one that says "later". The call may have been carried out.
    #[error("Salesforce is not available: {0}")]
    Unavailable(String),
    /// The call was understood and refused; the same call will be refused again.
    #[error("Salesforce refused: {code}: {message}")]
    Refused {
        /// Salesforce's error code.
        code: String,
        /// Salesforce's words. For logs, never for clients.
        message: String,
    },
    /// The answer is not what the documentation says.
    #[error("Salesforce's answer cannot be read: {0}")]
    Unreadable(String),
}

impl SalesforceError {
    /// Whether the same call may succeed later.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::LimitReached | Self::RowLocked | Self::Unavailable(_) | Self::SignIn(_) => true,
            Self::Refused { .. } | Self::Unreadable(_) => false,
        }
    }
}

/// The record behind an external id, after an upsert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Upserted {
    /// The record; absent where Salesforce answered an update with an empty 204.
    pub id: Option<SalesforceId>,
    /// Whether it was created by this call.
    pub created: bool,
}

#[derive(Deserialize)]
struct QueryPage<T> {
    done: bool,
    #[serde(rename = "nextRecordsUrl")]
    next: Option<String>,
    records: Vec<T>,
}

impl Salesforce {
    /// A client of the org behind `login_url`. Nothing is sent yet.
    ///
    /// # Errors
    /// [`SalesforceError::Unavailable`] if no HTTP client can be made here.
    pub fn new(login_url: Url, credentials: Credentials, clock: Clock) -> Result<Self, SalesforceError> {
        let unavailable = |error: &dyn std::fmt::Display| SalesforceError::Unavailable(error.to_string());
        // Compiled-in roots: reading the system's takes longer than the rest of a cold start.
        let roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| unavailable(&error))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(CALL_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(|error| unavailable(&error))?;
        let session = RwLock::new(None);
        Ok(Self(Arc::new(Inner { http, login_url, credentials, clock, session })))
    }

    /// Creates the record with this external id, or updates it. Safe to repeat after any failure: the org
    /// holds the field unique, so there is never a second record.
    ///
    /// # Errors
    /// [`SalesforceError`].
    pub async fn upsert(
        &self,
        object: &'static str,
        field: &'static str,
        external_id: &str,
        fields: &impl Serialize,
    ) -> Result<Upserted, SalesforceError> {
        #[derive(Deserialize)]
        struct Answer {
            id: SalesforceId,
            created: bool,
        }
        let body = written(fields)?;
        let (status, answer) =
            self.call(Method::PATCH, &["sobjects", object, field, external_id], &[], Some(body)).await?;
        if status == StatusCode::NO_CONTENT {
            return Ok(Upserted { id: None, created: false });
        }
        let Answer { id, created } = read(&answer)?;
        Ok(Upserted { id: Some(id), created })
    }

    /// Changes fields of a record.
    ///
    /// # Errors
    /// [`SalesforceError`].
    pub async fn update(
        &self,
        object: &'static str,
        id: SalesforceId,
        fields: &impl Serialize,
    ) -> Result<(), SalesforceError> {
        let body = written(fields)?;
        self.call(Method::PATCH, &["sobjects", object, &id.to_string()], &[], Some(body)).await?;
        Ok(())
    }

    /// Creates all of these records or none, in one call. Returns their ids, in order.
    ///
    /// By sObject Collections and not by the composite resource, which would take `@{...}` in what people wrote for
    /// a reference.
    ///
    /// # Errors
    /// [`SalesforceError`]; what stands in the way of one record stands in the way of all.
    pub async fn create_together(
        &self,
        records: &[serde_json::Value],
    ) -> Result<Vec<SalesforceId>, SalesforceError> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Request<'a> {
            all_or_none: bool,
            records: &'a [serde_json::Value],
        }
        #[derive(Deserialize)]
        struct Outcome {
            id: Option<SalesforceId>,
            #[serde(default)]
            errors: Vec<Refusal>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Refusal {
            status_code: String,
            message: String,
        }
        let body = written(&Request { all_or_none: true, records })?;
        let (_, answer) = self.call(Method::POST, &["composite", "sobjects"], &[], Some(body)).await?;
        let outcomes: Vec<Outcome> = read(&answer)?;
        // Those that were only rolled back with another do not say why.
        let reasons = outcomes.iter().flat_map(|outcome| &outcome.errors);
        let reason = reasons.min_by_key(|refusal| refusal.status_code == ROLLED_BACK);
        if let Some(Refusal { status_code, message }) = reason {
            return Err(classified(StatusCode::BAD_REQUEST, status_code.clone(), message.clone()));
        }
        let ids: Option<Vec<SalesforceId>> = outcomes.into_iter().map(|outcome| outcome.id).collect();
        let ids = ids.filter(|ids| ids.len() == records.len());
        ids.ok_or_else(|| SalesforceError::Unreadable("fewer answers than records".to_owned()))
    }

    /// The record with this external id, or `None` if there is none.
    ///
    /// # Errors
    /// [`SalesforceError`].
    pub async fn by_external_id<T: DeserializeOwned>(
        &self,
        object: &'static str,
        field: &'static str,
        external_id: &str,
        fields: &[&'static str],
    ) -> Result<Option<T>, SalesforceError> {
        let path = ["sobjects", object, field, external_id];
        match self.call(Method::GET, &path, &[("fields", &fields.join(","))], None).await {
            Ok((_, answer)) => read(&answer).map(Some),
            Err(SalesforceError::Refused { code, .. }) if code == "NOT_FOUND" => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// All records that a query finds, page by page, deleted ones included.
    ///
    /// # Errors
    /// [`SalesforceError`]; also if there are more than 50 pages.
    pub async fn query_all<T: DeserializeOwned>(&self, soql: &Soql) -> Result<Vec<T>, SalesforceError> {
        let mut records = Vec::new();
        let (_, answer) = self.call(Method::GET, &["queryAll"], &[("q", soql.as_str())], None).await?;
        let mut page: QueryPage<T> = read(&answer)?;
        for _ in 0..PAGES_MAX {
            records.append(&mut page.records);
            let Some(next) = page.next.filter(|_| !page.done) else { return Ok(records) };
            // Only the last segment is taken: where to call is never the answer's business.
            let cursor = next.rsplit('/').next().unwrap_or_default().to_owned();
            let (_, answer) = self.call(Method::GET, &["query", &cursor], &[], None).await?;
            page = read(&answer)?;
        }
        Err(SalesforceError::Unreadable(format!("more than {PAGES_MAX} pages")))
    }

    /// One call. A 401 is answered by signing in once more and repeating the call once; the session may
    /// simply have ended.
    pub(crate) async fn call(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<Vec<u8>>,
    ) -> Result<(StatusCode, Vec<u8>), SalesforceError> {
        let mut session = self.session(None).await?;
        for attempt in 0..2 {
            let mut url = session.instance_url.clone();
            url.path_segments_mut()
                .map_err(|()| SalesforceError::Unreadable("instance_url".to_owned()))?
                .clear()
                .extend(["services", "data", VERSION])
                .extend(path);
            if !query.is_empty() {
                url.query_pairs_mut().extend_pairs(query);
            }
            let mut request =
                self.0.http.request(method.clone(), url).bearer_auth(session.access_token.expose_secret());
            if let Some(body) = &body {
                request = request.header(header::CONTENT_TYPE, "application/json").body(body.clone());
            }
            let response = request.send().await.map_err(unavailable)?;
            if let Some(usage) = response.headers().get("Sforce-Limit-Info").and_then(|v| v.to_str().ok()) {
                tracing::debug!(usage, "salesforce api usage");
            }
            let status = response.status();
            let answer = bounded(response).await?;
            if status.is_success() {
                return Ok((status, answer));
            }
            let error = refusal(status, &answer);
            if status == StatusCode::UNAUTHORIZED && attempt == 0 {
                session = self.session(Some(&session)).await?;
                continue;
            }
            return Err(error);
        }
        Err(SalesforceError::SignIn("a fresh session was refused".to_owned()))
    }

    /// The session in use; a new one if there is none, or if it is still the one that was `refused`.
    async fn session(&self, refused: Option<&Session>) -> Result<Session, SalesforceError> {
        let usable = |session: &Session| match refused {
            Some(refused) => session.access_token.expose_secret() != refused.access_token.expose_secret(),
            None => true,
        };
        if let Some(session) = self.0.session.read().await.as_ref().filter(|session| usable(session)) {
            return Ok(session.clone());
        }
        // Whoever gets here first signs in; the others find the new session.
        let mut slot = self.0.session.write().await;
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
        let Inner { http, login_url, credentials, clock, .. } = &*self.0;
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

fn unavailable(error: reqwest::Error) -> SalesforceError {
    // The URL holds ids and queries; the cause is enough.
    SalesforceError::Unavailable(error.without_url().to_string())
}

async fn bounded(mut response: Response) -> Result<Vec<u8>, SalesforceError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unavailable)? {
        if body.len().saturating_add(chunk.len()) > ANSWER_BYTES_MAX {
            return Err(SalesforceError::Unreadable(format!("more than {ANSWER_BYTES_MAX} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn written(fields: &impl Serialize) -> Result<Vec<u8>, SalesforceError> {
    serde_json::to_vec(fields).map_err(|error| SalesforceError::Unreadable(error.to_string()))
}

pub(crate) fn read<T: DeserializeOwned>(answer: &[u8]) -> Result<T, SalesforceError> {
    serde_json::from_slice(answer).map_err(|error| SalesforceError::Unreadable(error.to_string()))
}

/// Reads an error in each of the shapes that Salesforce uses: a list, a bare object, OAuth's pair; or none of
/// them, when a proxy answers with a page of HTML.
fn refusal(status: StatusCode, answer: &[u8]) -> SalesforceError {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Body {
        List(Vec<Entry>),
        One(Entry),
        OAuth { error: String, error_description: Option<String> },
    }
    #[derive(Deserialize)]
    struct Entry {
        #[serde(rename = "errorCode")]
        code: String,
        message: Option<String>,
    }
    let (code, message) = match serde_json::from_slice(answer) {
        Ok(Body::List(entries)) => match entries.into_iter().next() {
            Some(Entry { code, message }) => (code, message.unwrap_or_default()),
            None => (String::new(), String::new()),
        },
        Ok(Body::One(Entry { code, message })) => (code, message.unwrap_or_default()),
        Ok(Body::OAuth { error, error_description }) => (error, error_description.unwrap_or_default()),
        Err(_) => (String::new(), String::new()),
    };
    classified(status, code, message)
}

/// What an error of Salesforce's means for whoever called.
fn classified(status: StatusCode, code: String, message: String) -> SalesforceError {
    match (status, code.as_str()) {
        (_, "REQUEST_LIMIT_EXCEEDED") => SalesforceError::LimitReached,
        (_, "UNABLE_TO_LOCK_ROW") => SalesforceError::RowLocked,
        (_, "SERVER_UNAVAILABLE" | "UNKNOWN_EXCEPTION") => SalesforceError::Unavailable(code),
        (StatusCode::UNAUTHORIZED, _) => SalesforceError::SignIn(code),
        (StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT, _) => {
            SalesforceError::Unavailable(status.to_string())
        }
        (status, _) if status.is_server_error() => SalesforceError::Unavailable(status.to_string()),
        (StatusCode::MULTIPLE_CHOICES, _) => SalesforceError::Refused {
            code: "MULTIPLE_CHOICES".to_owned(),
            message: "the external id is not unique in the org".to_owned(),
        },
        (status, "") => SalesforceError::Refused { code: status.to_string(), message: String::new() },
        _ => SalesforceError::Refused { code, message },
    }
}

/// Reads Salesforce's date-times: `2026-11-22T01:02:03.000+0000`.
pub(crate) fn moment<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse_moment(&text).ok_or_else(|| serde::de::Error::custom("not a Salesforce date-time"))
}

/// As [`moment`], where null is possible.
pub(crate) fn maybe_moment<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Timestamp>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| parse_moment(&text).ok_or_else(|| serde::de::Error::custom("not a Salesforce date-time")))
        .transpose()
}

pub(crate) fn parse_moment(text: &str) -> Option<Timestamp> {
    text.parse()
        .ok()
        .or_else(|| jiff::fmt::strtime::parse("%Y-%m-%dT%H:%M:%S%.f%z", text).ok()?.to_timestamp().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(status: u16, body: &str) -> String {
        refusal(StatusCode::from_u16(status).unwrap(), body.as_bytes()).to_string()
    }

    #[test]
    fn case_r05_errors_are_read_in_every_shape() {
        insta_like(&[
            (
                400,
                r#"[{"message":"bad","errorCode":"INVALID_FIELD","fields":[]}]"#,
                "Salesforce refused: INVALID_FIELD: bad",
            ),
            (
                400,
                r#"{"message":"bad","errorCode":"INVALID_FIELD"}"#,
                "Salesforce refused: INVALID_FIELD: bad",
            ),
            (
                400,
                r#"{"error":"invalid_grant","error_description":"expired"}"#,
                "Salesforce refused: invalid_grant: expired",
            ),
            (
                403,
                r#"[{"message":"m","errorCode":"REQUEST_LIMIT_EXCEEDED"}]"#,
                "the org's API limit is reached",
            ),
            (
                403,
                r#"[{"message":"m","errorCode":"INSUFFICIENT_ACCESS"}]"#,
                "Salesforce refused: INSUFFICIENT_ACCESS: m",
            ),
            (400, r#"[{"message":"m","errorCode":"UNABLE_TO_LOCK_ROW"}]"#, "the row is locked"),
            (503, "<html>maintenance</html>", "Salesforce is not available: 503 Service Unavailable"),
            (503, "", "Salesforce is not available: 503 Service Unavailable"),
            (404, "<html>", "Salesforce refused: 404 Not Found: "),
        ]);
        fn insta_like(rows: &[(u16, &str, &str)]) {
            for (status, body, expected) in rows {
                assert_eq!(kind(*status, body), *expected);
            }
        }
    }

    #[test]
    fn date_times_are_read_as_salesforce_writes_them() {
        let expected: Timestamp = "2026-11-22T01:02:03Z".parse().unwrap();
        assert_eq!(parse_moment("2026-11-22T01:02:03.000+0000"), Some(expected));
        assert_eq!(parse_moment("2026-11-22T01:02:03.000Z"), Some(expected));
        assert_eq!(parse_moment("yesterday"), None);
    }
}
