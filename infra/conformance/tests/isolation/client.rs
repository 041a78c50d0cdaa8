//! Requests and answers, byte for byte.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering},
};

use serde_json::{Value, json};

/// Headers that tell one request from another and nothing about what was asked for.
const OF_THE_REQUEST: [&str; 4] = ["date", "x-request-id", "x-amzn-requestid", "x-amzn-trace-id"];

/// A request to the API.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: reqwest::Method,
    /// With the query.
    pub path: String,
    pub token: Option<String>,
    pub body: Option<Value>,
}

/// What a client sees.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: BTreeMap<String, Vec<String>>,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }

    /// The last part of the problem's type.
    pub fn problem(&self) -> String {
        let kind = self.json()["type"].as_str().unwrap_or_default().to_owned();
        kind.rsplit('/').next().unwrap_or_default().to_owned()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |values| values[0].as_str())
    }

    /// Without what differs between any two requests: the id of the request, and the time.
    pub fn anonymous(&self) -> (u16, BTreeMap<String, Vec<String>>, String) {
        let mut headers = self.headers.clone();
        headers.retain(|name, _| !OF_THE_REQUEST.contains(&name.as_str()));
        let id = self.json()["request_id"].as_str().unwrap_or_default().to_owned();
        let text = if id.is_empty() { self.text.clone() } else { self.text.replace(&id, "{request_id}") };
        (self.status, headers, text)
    }

    /// It is a refusal as every refusal is.
    pub fn assert_problem(&self, status: u16, kind: &str, what: &str) {
        assert_eq!((self.status, self.problem().as_str()), (status, kind), "{what}: {}", self.text);
        assert_eq!(self.header("content-type"), "application/problem+json", "{what}");
    }
}

pub fn http() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap()
}

/// Sends a request; one that changes something with a key of its own.
pub async fn send(http: &reqwest::Client, api: &str, request: &Request) -> Answer {
    static KEYS: AtomicU64 = AtomicU64::new(1);
    let mut sent = http.request(request.method.clone(), format!("{api}{}", request.path));
    if let Some(token) = &request.token {
        sent = sent.bearer_auth(token);
    }
    if let Some(body) = &request.body {
        let key = format!("isolation-{}", KEYS.fetch_add(1, Ordering::Relaxed));
        sent = sent
            .header("idempotency-key", key)
            .header("content-type", "application/json")
            .body(body.to_string());
    }
    answer(sent).await
}

/// Sends whatever it is.
pub async fn answer(request: reqwest::RequestBuilder) -> Answer {
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    let mut headers: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in answer.headers() {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        headers.entry(name.to_string()).or_default().push(value);
    }
    let text = String::from_utf8_lossy(&answer.bytes().await.unwrap()).into_owned();
    Answer { status, headers, text }
}

/// The body that an operation takes, if it takes one. It is in order: what is refused is refused for whose it is.
pub fn body(operation: &str, words: &str) -> Option<Value> {
    match operation {
        "POST /cases" => Some(json!({ "subject": words, "description": words })),
        "PATCH /cases/{caseId}" => Some(json!({ "version": 1, "subject": words })),
        "POST /cases/{caseId}/close" => Some(json!({ "reason": "no_longer_needed" })),
        "POST /cases/{caseId}/archives" => Some(json!({})),
        "POST /cases/{caseId}/reopen" => Some(json!({})),
        "POST /invoices" => Some(json!({ "case": "case_01993b8e5c6a7d2f8b1e4a9c0d3f6e72" })),
        "POST /invoices/{invoiceId}/issue" => Some(json!({ "fingerprint": "0".repeat(64) })),
        "POST /invoices/{invoiceId}/credit" => Some(json!({ "reason": words })),
        "POST /invoices/{invoiceId}/lines/{line}/disputes" => {
            Some(json!({ "type": "dispute", "text": words }))
        }
        "POST /invoices/{invoiceId}/disputes/{disputeId}/answers" => Some(json!({ "text": words })),
        "POST /invoices/{invoiceId}/disputes/{disputeId}/resolve" => {
            Some(json!({ "outcome": "rejected", "reason": words }))
        }
        "POST /invoices/{invoiceId}/disputes/{disputeId}/withdraw" => Some(json!({ "reason": words })),
        "POST /cases/{caseId}/comments" => Some(json!({ "body": words })),
        "PATCH /files/{fileId}" => Some(json!({ "category": "Log" })),
        "POST /cases/{caseId}/files" | "POST /files" => Some(declaration(&format!("{words}.txt"), words)),
        _ => None,
    }
}

/// What a client says of a file that it is about to upload.
pub fn declaration(name: &str, content: &str) -> Value {
    use sha2::{Digest as _, Sha256};
    let sha256 = hex::encode(Sha256::digest(content));
    json!({ "name": name, "size": content.len(), "content_type": "text/plain", "sha256": sha256 })
}
