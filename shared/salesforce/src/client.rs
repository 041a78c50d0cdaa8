//! The REST client.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use portico_domain::{Clock, Random, SalesforceId};
use reqwest::{Method, Response, StatusCode, header};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use url::Url;

use crate::{
    Soql,
    breaker::Breaker,
    error::{SalesforceError, classified, refusal},
    limits::{Admission, Limits, Pace, Usage},
    session::{Credentials, Sessions},
};

/// Salesforce's REST version. 31 to 40 retire in 2028; this is of Spring '26.
const VERSION: &str = "v66.0";
/// How long a connection may take to open.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a call may take, unless the caller bounds it further.
const CALL_TIMEOUT: Duration = Duration::from_secs(15);
/// Most bytes of an answer: a page of 2,000 records with long texts stays under it.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Most pages of one query.
const PAGES_MAX: usize = 50;
/// What a record is told that was in order, next to one that was not.
const ROLLED_BACK: &str = "ALL_OR_NONE_OPERATION_ROLLED_BACK";
/// Most records of one call of sObject Collections.
pub const TOGETHER_MAX: usize = 200;
/// How Salesforce says that there is no such record, or none any more.
const GONE: [&str; 2] = ["NOT_FOUND", "ENTITY_IS_DELETED"];

/// One Salesforce org.
#[derive(Clone)]
pub struct Salesforce(Arc<Inner>);

struct Inner {
    sessions: Sessions,
    limits: Limits,
    breaker: Breaker,
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
    /// A client of the org behind `login_url`, whose calls count as `pace`. Nothing is sent yet.
    ///
    /// # Errors
    /// [`SalesforceError::Unavailable`] if no HTTP client can be made here.
    pub fn new(
        login_url: Url,
        credentials: Credentials,
        pace: Pace,
        clock: Clock,
        random: Random,
    ) -> Result<Self, SalesforceError> {
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
        let breaker = Breaker::new(clock.clone(), random.clone());
        let limits = Limits::new(pace, clock.clone(), random);
        let sessions = Sessions::new(http, login_url, credentials, clock);
        Ok(Self(Arc::new(Inner { sessions, limits, breaker })))
    }

    /// How much of the org's API calls is used, as the last answer said; `None` before the first.
    pub fn usage(&self) -> Option<Usage> {
        self.0.limits.usage()
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
        let path = ["sobjects", object, field, external_id];
        let (status, answer) = match self.call(Method::PATCH, &path, &[], Some(body.clone())).await {
            // Somebody else's call with this external id created the record while this one was about to: now it is there.
            Err(SalesforceError::Refused { code, .. }) if code == "DUPLICATE_VALUE" => {
                self.call(Method::PATCH, &path, &[], Some(body)).await?
            }
            outcome => outcome?,
        };
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
        self.collection(Method::POST, &["composite", "sobjects"], records).await
    }

    /// Creates or updates all of these records or none, in one call, each by its external id in `field`, which it has to
    /// have with the rest; at most [`TOGETHER_MAX`]. Returns their ids, in order. Safe to repeat, as
    /// [`Salesforce::upsert`] is.
    ///
    /// # Errors
    /// [`SalesforceError`]; what stands in the way of one record stands in the way of all.
    pub async fn upsert_together(
        &self,
        object: &'static str,
        field: &'static str,
        records: &[impl Serialize],
    ) -> Result<Vec<SalesforceId>, SalesforceError> {
        let path = ["composite", "sobjects", object, field];
        match self.collection(Method::PATCH, &path, records).await {
            // As of one: what somebody else's call created meanwhile is there now.
            Err(SalesforceError::Refused { code, .. }) if code == "DUPLICATE_VALUE" => {
                self.collection(Method::PATCH, &path, records).await
            }
            outcome => outcome,
        }
    }

    /// Deletes the record with this external id, if there is one. Safe to repeat.
    ///
    /// # Errors
    /// [`SalesforceError`].
    pub async fn delete(
        &self,
        object: &'static str,
        field: &'static str,
        external_id: &str,
    ) -> Result<(), SalesforceError> {
        match self.call(Method::DELETE, &["sobjects", object, field, external_id], &[], None).await {
            Ok(_) => Ok(()),
            Err(SalesforceError::Refused { code, .. }) if GONE.contains(&code.as_str()) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// One call of sObject Collections for all records or none.
    async fn collection(
        &self,
        method: Method,
        path: &[&str],
        records: &[impl Serialize],
    ) -> Result<Vec<SalesforceId>, SalesforceError> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Request<'a, R> {
            all_or_none: bool,
            records: &'a [R],
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
        let (_, answer) = self.call(method, path, &[], Some(body)).await?;
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

    /// One call, if it may be made.
    pub(crate) async fn call(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<Vec<u8>>,
    ) -> Result<(StatusCode, Vec<u8>), SalesforceError> {
        match self.0.limits.admit() {
            Admission::After(pause) if pause.is_zero() => {}
            Admission::After(pause) => tokio::time::sleep(pause).await,
            Admission::HeldBack => return Err(SalesforceError::HeldBack),
        }
        let trial = self.0.breaker.enter().ok_or(SalesforceError::Suspended)?;
        let outcome = self.ask(method, path, query, body).await;
        if !matches!(outcome, Err(SalesforceError::Unavailable(_))) {
            trial.answered();
        }
        outcome
    }

    /// Sends one call. A 401 is answered by signing in once more and repeating the call once; the session may
    /// simply have ended.
    async fn ask(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<Vec<u8>>,
    ) -> Result<(StatusCode, Vec<u8>), SalesforceError> {
        let Inner { sessions, limits, .. } = &*self.0;
        let mut session = sessions.session(None).await?;
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
                sessions.http.request(method.clone(), url).bearer_auth(session.access_token.expose_secret());
            if let Some(body) = &body {
                request = request.header(header::CONTENT_TYPE, "application/json").body(body.clone());
            }
            let response = request.send().await.map_err(unavailable)?;
            let info = response.headers().get("Sforce-Limit-Info").and_then(|value| value.to_str().ok());
            let usage = info.and_then(Usage::parse);
            let status = response.status();
            let answer = bounded(response).await?;
            let error = (!status.is_success()).then(|| refusal(status, &answer));
            limits.learn(usage, matches!(error, Some(SalesforceError::LimitReached)));
            let Some(error) = error else { return Ok((status, answer)) };
            if status == StatusCode::UNAUTHORIZED && attempt == 0 {
                session = sessions.session(Some(&session)).await?;
                continue;
            }
            return Err(error);
        }
        Err(SalesforceError::SignIn("a fresh session was refused".to_owned()))
    }
}

pub(crate) fn unavailable(error: reqwest::Error) -> SalesforceError {
    // The URL holds ids and queries; the cause is enough.
    SalesforceError::Unavailable(error.without_url().to_string())
}

pub(crate) async fn bounded(mut response: Response) -> Result<Vec<u8>, SalesforceError> {
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

    #[test]
    fn date_times_are_read_as_salesforce_writes_them() {
        let expected: Timestamp = "2026-11-22T01:02:03Z".parse().unwrap();
        assert_eq!(parse_moment("2026-11-22T01:02:03.000+0000"), Some(expected));
        assert_eq!(parse_moment("2026-11-22T01:02:03.000Z"), Some(expected));
        assert_eq!(parse_moment("yesterday"), None);
    }
}
