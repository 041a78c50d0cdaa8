//! What was asked of the API: counts by kind and a bounded log. No bodies, tokens or query strings.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Mutex,
};

use http::Method;
use serde::Serialize;

use crate::org::lock;

/// Requests kept in the log.
const LOG_MAX: usize = 1_000;

/// What a request does, by its path and method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestKind {
    /// A token request.
    Token,
    /// A first page of a query.
    Query,
    /// A further page of a query.
    QueryMore,
    /// A record created.
    Create,
    /// A record read by id.
    Read,
    /// A record changed by id.
    Update,
    /// A record deleted.
    Delete,
    /// A record read by external id.
    ReadByExternalId,
    /// A record created or changed by external id.
    Upsert,
    /// `/composite`.
    Composite,
    /// `/composite/graph`.
    Graph,
    /// `/composite/sobjects`.
    Collection,
    /// `getUpdated` and `getDeleted`.
    Replication,
    /// Describe, limits, versions and unknown paths.
    Other,
}

impl RequestKind {
    /// Classifies a request below `/services`.
    pub(crate) fn of(method: &Method, path: &str) -> RequestKind {
        let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
        let resource = match segments.as_slice() {
            ["services", "oauth2", "token"] => return RequestKind::Token,
            ["services", "data", _, resource @ ..] => resource,
            _ => return RequestKind::Other,
        };
        match (resource, method.as_str()) {
            (["query" | "queryAll"], _) => RequestKind::Query,
            (["query" | "queryAll", _], _) => RequestKind::QueryMore,
            (["composite"], _) => RequestKind::Composite,
            (["composite", "graph"], _) => RequestKind::Graph,
            (["composite", "sobjects", ..], _) => RequestKind::Collection,
            (["sobjects", _, "updated" | "deleted"], _) => RequestKind::Replication,
            (["sobjects", _, "describe"], _) => RequestKind::Other,
            (["sobjects", _], "POST") => RequestKind::Create,
            (["sobjects", _, _], "GET") => RequestKind::Read,
            (["sobjects", _, _], "PATCH") => RequestKind::Update,
            (["sobjects", _, _] | ["sobjects", _, _, _], "DELETE") => RequestKind::Delete,
            (["sobjects", _, _, _], "GET") => RequestKind::ReadByExternalId,
            (["sobjects", _, _, _], "PATCH") => RequestKind::Upsert,
            _ => RequestKind::Other,
        }
    }
}

/// One request of the log.
#[derive(Clone, Debug, Serialize)]
pub struct LoggedRequest {
    /// When it was answered, in milliseconds since 1970.
    pub at_ms: i64,
    /// What it does.
    pub kind: RequestKind,
    /// HTTP method.
    pub method: String,
    /// Path without the query string.
    pub path: String,
    /// Status answered; `None` when the connection was closed instead.
    pub status: Option<u16>,
}

/// The counts and the log.
#[derive(Default)]
pub(crate) struct RequestLog(Mutex<Log>);

#[derive(Clone, Default, Serialize)]
struct Log {
    counts: BTreeMap<RequestKind, u64>,
    requests: VecDeque<LoggedRequest>,
}

impl RequestLog {
    pub(crate) fn add(&self, request: LoggedRequest) {
        let mut log = lock(&self.0);
        *log.counts.entry(request.kind).or_default() += 1;
        if log.requests.len() >= LOG_MAX {
            log.requests.pop_front();
        }
        log.requests.push_back(request);
    }

    pub(crate) fn show(&self) -> serde_json::Value {
        let log = lock(&self.0).clone();
        serde_json::json!({"counts": log.counts, "requests": log.requests})
    }

    pub(crate) fn count(&self, kind: RequestKind) -> u64 {
        lock(&self.0).counts.get(&kind).copied().unwrap_or_default()
    }

    pub(crate) fn clear(&self) {
        *lock(&self.0) = Log::default();
    }
}
