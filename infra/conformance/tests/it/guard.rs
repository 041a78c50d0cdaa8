//! IAM by deed: stands between one function and the cloud, and lets through only what the function's policy in
//! `template.yaml` allows. The emulators themselves allow everything.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, Method, StatusCode, Uri, header::CONTENT_LENGTH};
use serde_json::Value;

use crate::{
    meter::{self, Meter, Metered},
    steps::{BODY_BYTES_MAX, Steps, forward},
};

/// One thing that a function may do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Grant {
    pub action: String,
    /// An ARN in which `*` stands for any text.
    pub resource: String,
}

/// A message that was pushed to a browser, or `None` for the end of its connection.
pub type Pushed = (String, Option<String>);

/// What the guard forwards to, and what it has seen.
pub struct Guard {
    url: String,
    seen: Arc<Seen>,
}

struct Seen {
    grants: Vec<Grant>,
    dynamodb: String,
    aws: String,
    account: String,
    http: reqwest::Client,
    steps: Arc<Steps>,
    meter: Meter,
    denied: Mutex<Vec<Grant>>,
    used: Mutex<Vec<Grant>>,
    pushed: Mutex<Vec<Pushed>>,
}

impl Guard {
    pub async fn start(
        grants: Vec<Grant>,
        dynamodb: String,
        aws: String,
        account: String,
        steps: Arc<Steps>,
    ) -> Self {
        let http = reqwest::Client::new();
        let seen = Arc::new(Seen {
            grants,
            dynamodb,
            aws,
            account,
            http,
            steps,
            meter: Meter::default(),
            denied: Mutex::default(),
            used: Mutex::default(),
            pushed: Mutex::default(),
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let routes = Router::new().fallback(pass).with_state(Arc::clone(&seen));
        tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self { url, seen }
    }

    /// Where the function finds every service.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What the function tried and its policy does not allow.
    pub fn denied(&self) -> Vec<Grant> {
        self.seen.denied.lock().unwrap().clone()
    }

    /// What the function did, each thing once: its calls in the words of a policy.
    pub fn used(&self) -> BTreeSet<Grant> {
        self.seen.used.lock().unwrap().iter().cloned().collect()
    }

    /// What AWS would bill for the requests to DynamoDB since this was last asked.
    pub fn bill(&self) -> Vec<Metered> {
        self.seen.meter.take()
    }

    /// What went to browsers, in the order of the connections' ids.
    pub fn pushed(&self) -> Vec<Pushed> {
        let mut pushed = self.seen.pushed.lock().unwrap().clone();
        pushed.sort();
        pushed
    }
}

async fn pass(State(seen): State<Arc<Seen>>, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, BODY_BYTES_MAX).await.unwrap();
    let wanted = seen.wanted(&parts.method, &parts.uri, &parts.headers, &body);
    let allowed = |wanted: &Grant| seen.grants.iter().any(|grant| grant.allows(wanted));
    let denied: Vec<Grant> = wanted.iter().filter(|wanted| !allowed(wanted)).cloned().collect();
    let name = step(&parts.method, &parts.headers, &wanted);
    let listing = wanted.iter().find_map(listing);
    seen.used.lock().unwrap().extend(wanted);
    if !denied.is_empty() {
        seen.denied.lock().unwrap().extend(denied);
        let body = r#"{"__type":"AccessDeniedException","message":"the policy in template.yaml does not allow this"}"#;
        return (StatusCode::FORBIDDEN, [("content-type", "application/x-amz-json-1.0")], body)
            .into_response();
    }
    if let Some(connection) = connection(parts.uri.path()) {
        let message = (parts.method == Method::POST).then(|| String::from_utf8(body.to_vec()).unwrap());
        let push = async { seen.pushed.lock().unwrap().push((connection.to_owned(), message)) };
        seen.steps.pass(format!("{} connection", parts.method), push).await;
        return StatusCode::OK.into_response();
    }
    let upstream = if target(&parts.headers).starts_with("DynamoDB") { &seen.dynamodb } else { &seen.aws };
    let (body, metered) = match target(&parts.headers).starts_with("DynamoDB") {
        true => {
            parts.headers.remove(CONTENT_LENGTH);
            (meter::ask(&body), true)
        }
        false => (body, false),
    };
    let sent = forward(&seen.http, upstream, (parts.method, parts.uri, parts.headers), body);
    let response = seen.steps.pass(name.clone(), sent).await;
    if let Some(listing) = listing.filter(|_| response.status() == StatusCode::NOT_FOUND) {
        let seen_by = if allowed(&listing) { &seen.used } else { &seen.denied };
        seen_by.lock().unwrap().push(listing.clone());
        if !allowed(&listing) {
            return StatusCode::FORBIDDEN.into_response();
        }
    }
    if metered {
        seen.meter.read(name, &response);
    }
    response.map(Body::from)
}

/// The right to list the bucket of an object that is asked for. Who does not have it is not told by S3 that an object is
/// not there: the answer is 403, not 404.
fn listing(wanted: &Grant) -> Option<Grant> {
    let bucket = wanted.resource.split('/').next().filter(|_| wanted.action == "s3:GetObject")?;
    Some(Grant { action: "s3:ListBucket".to_owned(), resource: bucket.to_owned() })
}

/// What a request is called among a process's steps: `TransactWriteItems IdempotencyTable, CasesTable`.
fn step(method: &Method, headers: &HeaderMap, wanted: &[Grant]) -> String {
    let operation = match target(headers).split_once('.') {
        Some((_, operation)) => operation.to_owned(),
        None => format!("{method} object of"),
    };
    let on: Vec<&str> = wanted.iter().map(|grant| resource_name(&grant.resource)).collect();
    format!("{operation} {}", on.join(", "))
}

/// The name in an ARN: of a table and its index, a bucket, a queue or a secret.
fn resource_name(arn: &str) -> &str {
    if let Some((_, object)) = arn.split_once(":::") {
        return object.split('/').next().unwrap_or(object);
    }
    let name = arn.rsplit(':').next().unwrap_or(arn);
    match name.strip_prefix("table/") {
        Some(table) => table,
        // Secrets Manager puts a dash and six characters behind the name.
        None if arn.contains(":secretsmanager:") => name.rsplit_once('-').map_or(name, |(name, _)| name),
        None => name.strip_suffix(".fifo").unwrap_or(name),
    }
}

fn target(headers: &HeaderMap) -> &str {
    headers.get("x-amz-target").map_or("", |value| value.to_str().unwrap())
}

/// The connection in `/live/@connections/{id}`.
fn connection(path: &str) -> Option<&str> {
    path.strip_prefix("/live/@connections/")
}

impl Seen {
    /// What a request needs to be allowed.
    fn wanted(&self, method: &Method, uri: &Uri, headers: &HeaderMap, body: &Bytes) -> Vec<Grant> {
        let path = uri.path();
        let account = &self.account;
        let one = |action: &str, resource: String| vec![Grant { action: action.to_owned(), resource }];
        if connection(path).is_some() {
            let arn = format!(
                "arn:aws:execute-api:{account}:{}/live/{method}/@connections/",
                super::stack::LIVE_API
            );
            return one("execute-api:ManageConnections", arn + connection(path).unwrap());
        }
        if target(headers).is_empty() {
            return objects(method, uri, body);
        }
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        match target(headers).split_once('.') {
            Some(("DynamoDB_20120810", "TransactWriteItems")) => {
                let writes = body["TransactItems"].as_array().unwrap().iter();
                writes
                    .map(|write| {
                        let (kind, write) = write.as_object().unwrap().iter().next().unwrap();
                        let operation = match kind.as_str() {
                            "ConditionCheck" => "ConditionCheckItem".to_owned(),
                            kind => format!("{kind}Item"),
                        };
                        self.table_grant(&operation, write)
                    })
                    .collect()
            }
            Some(("DynamoDB_20120810", operation)) => vec![self.table_grant(operation, &body)],
            Some(("AmazonSQS", operation)) => {
                let name = body["QueueUrl"].as_str().unwrap().rsplit('/').next().unwrap();
                one(&format!("sqs:{operation}"), format!("arn:aws:sqs:{account}:{name}"))
            }
            Some(("secretsmanager", operation)) => {
                one(&format!("secretsmanager:{operation}"), body["SecretId"].as_str().unwrap().to_owned())
            }
            Some((service, operation)) => one(&format!("{service}:{operation}"), "*".to_owned()),
            None => one("unknown", "*".to_owned()),
        }
    }

    fn table_grant(&self, operation: &str, body: &Value) -> Grant {
        let table =
            format!("arn:aws:dynamodb:{}:table/{}", self.account, body["TableName"].as_str().unwrap());
        let resource = match body["IndexName"].as_str() {
            Some(index) => format!("{table}/index/{index}"),
            None => table,
        };
        Grant { action: format!("dynamodb:{operation}"), resource }
    }
}

/// What a request to S3 needs, by what follows the question mark.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html>
fn objects(method: &Method, uri: &Uri, body: &Bytes) -> Vec<Grant> {
    let path = uri.path().trim_start_matches('/');
    let bucket = path.split('/').next().unwrap_or_default();
    let grant = |action: &str, name: &str| Grant {
        action: format!("s3:{action}"),
        resource: format!("arn:aws:s3:::{name}"),
    };
    let query: Vec<&str> = uri
        .query()
        .unwrap_or_default()
        .split('&')
        .map(|pair| pair.split('=').next().unwrap_or(pair))
        .collect();
    let has = |name: &str| query.contains(&name);
    match *method {
        Method::GET if has("versions") => vec![grant("ListBucketVersions", bucket)],
        Method::GET if has("uploadId") => vec![grant("ListMultipartUploadParts", path)],
        Method::GET | Method::HEAD => vec![grant("GetObject", path)],
        Method::PUT => vec![grant("PutObject", path)],
        Method::DELETE if has("uploadId") => vec![grant("AbortMultipartUpload", path)],
        Method::DELETE => vec![grant("DeleteObject", path)],
        // Begun or joined.
        Method::POST if has("uploads") || has("uploadId") => vec![grant("PutObject", path)],
        Method::POST if has("delete") => {
            let text = String::from_utf8(body.to_vec()).unwrap();
            let keys = text.split("<Key>").skip(1).filter_map(|rest| rest.split("</Key>").next());
            let action = if text.contains("<VersionId>") { "DeleteObjectVersion" } else { "DeleteObject" };
            keys.map(|key| grant(action, &format!("{bucket}/{key}"))).collect()
        }
        _ => vec![grant("Unknown", path)],
    }
}

impl Grant {
    fn allows(&self, wanted: &Self) -> bool {
        self.action == wanted.action && fits(&self.resource, &wanted.resource)
    }
}

/// Whether `text` fits a pattern in which `*` stands for any text.
fn fits(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, rest)) => text.strip_prefix(start).is_some_and(|text| {
            rest.is_empty() || (0..=text.len()).any(|at| text.get(at..).is_some_and(|tail| fits(rest, tail)))
        }),
    }
}

#[test]
fn a_pattern_fits_what_iam_would_say() {
    assert!(fits("arn:a/*", "arn:a/b/c"));
    assert!(fits("arn:a/*/c", "arn:a/b/x/c"));
    assert!(!fits("arn:a/*/c", "arn:a/c"));
    assert!(!fits("arn:a", "arn:ab"));
}
