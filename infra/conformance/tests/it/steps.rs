//! What leaves a function: every request in its order, and on demand the end of its process at one of them.
//!
//! [`crate::guard`] passes the requests to AWS through here, [`OrgTap`] those to Salesforce.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Request, State},
    response::Response,
};
use http::{HeaderMap, Method, Uri};
use tokio::{net::TcpListener, sync::watch};

/// Most bytes of a request.
pub const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// On which side of a request something happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// The request does not get out.
    Before,
    /// The request was carried out, and its answer is lost.
    After,
}

/// What happens to a process at one of its requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blow {
    /// It dies: nothing of it runs on.
    Death,
    /// It never hears of this request again.
    Silence,
}

/// A blow at the n-th request of a process, from 0, on this side of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    pub at: usize,
    pub side: Side,
    pub blow: Blow,
}

/// The requests of one process.
pub struct Steps {
    taken: Mutex<Taken>,
    dead: watch::Sender<bool>,
}

#[derive(Default)]
struct Taken {
    names: Vec<String>,
    fault: Option<Fault>,
}

impl Default for Steps {
    fn default() -> Self {
        Self { taken: Mutex::default(), dead: watch::Sender::new(false) }
    }
}

impl Steps {
    /// Runs a process until it is done, or to its death; then there is no outcome. Counts its requests anew.
    pub async fn live<T>(&self, fault: Option<Fault>, process: impl Future<Output = T>) -> Option<T> {
        *self.taken.lock().unwrap() = Taken { names: Vec::new(), fault };
        self.dead.send_replace(false);
        let mut dead = self.dead.subscribe();
        tokio::select! {
            // First, so that a process never gets another turn once it is dead.
            biased;
            _ = dead.wait_for(|dead| *dead) => None,
            outcome = process => Some(outcome),
        }
    }

    /// What the process did since it began to live.
    pub fn names(&self) -> Vec<String> {
        self.taken.lock().unwrap().names.clone()
    }

    /// Lets a request out, unless its sender is dead or this is where its fault is.
    pub async fn pass<T>(&self, name: String, request: impl Future<Output = T>) -> T {
        if *self.dead.borrow() {
            return std::future::pending().await;
        }
        let fault = {
            let mut taken = self.taken.lock().unwrap();
            let place = taken.names.len();
            taken.names.push(name);
            taken.fault.filter(|fault| fault.at == place)
        };
        let Some(Fault { side, blow, .. }) = fault else { return request.await };
        if side == Side::After {
            request.await;
        }
        if blow == Blow::Death {
            self.dead.send_replace(true);
        }
        // The connection ends when the process is gone, or does not want to wait any longer.
        std::future::pending().await
    }
}

/// Sends a request on and brings the answer back.
pub async fn forward(
    http: &reqwest::Client,
    upstream: &str,
    (method, uri, headers): (Method, Uri, HeaderMap),
    body: Bytes,
) -> http::Response<Bytes> {
    // With the header `Host` as it came: it is part of the signature.
    let sent =
        http.request(method, format!("{upstream}{uri}")).headers(headers).body(body).send().await.unwrap();
    let (status, headers) = (sent.status(), sent.headers().clone());
    let mut response = http::Response::new(sent.bytes().await.unwrap());
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response.headers_mut().remove("transfer-encoding");
    response
}

/// Stands before an org. The org has to name this address as its own, so that it exists before the org does.
pub struct OrgTap {
    listener: TcpListener,
    url: String,
}

struct Tapped {
    steps: Arc<Steps>,
    org: String,
    http: reqwest::Client,
}

impl OrgTap {
    pub async fn bind() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        Self { listener, url }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// Passes requests on to `org` from now on.
    pub fn serve(self, org: String, steps: Arc<Steps>) {
        let tapped = Arc::new(Tapped { steps, org, http: reqwest::Client::new() });
        let routes = Router::new().fallback(pass_to_org).with_state(tapped);
        tokio::spawn(async move { axum::serve(self.listener, routes).await.unwrap() });
    }
}

async fn pass_to_org(State(tapped): State<Arc<Tapped>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, BODY_BYTES_MAX).await.unwrap();
    let name = org_step(&parts.method, parts.uri.path());
    let sent = forward(&tapped.http, &tapped.org, (parts.method, parts.uri, parts.headers), body);
    tapped.steps.pass(name, sent).await.map(Body::from)
}

/// `Salesforce: PATCH Case by Portal_Request_Id__c`, for `PATCH /services/data/v66.0/sobjects/Case/Portal_Request_Id__c/case_1`.
fn org_step(method: &Method, path: &str) -> String {
    let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
    match segments.as_slice() {
        ["services", "oauth2", "token"] => "Salesforce: sign in".to_owned(),
        ["services", "data", _, "sobjects", object, field, _] => {
            format!("Salesforce: {method} {object} by {field}")
        }
        ["services", "data", _, "sobjects", object, _] => format!("Salesforce: {method} {object} by Id"),
        ["services", "data", _, rest @ ..] => format!("Salesforce: {method} {}", rest.join("/")),
        _ => format!("Salesforce: {method} {path}"),
    }
}

#[test]
fn steps_in_the_org_are_named_without_ids() {
    for (method, path, name) in [
        (Method::POST, "/services/oauth2/token", "sign in"),
        (
            Method::PATCH,
            "/services/data/v66.0/sobjects/Case/Portal_Request_Id__c/case_1",
            "PATCH Case by Portal_Request_Id__c",
        ),
        (Method::PATCH, "/services/data/v66.0/sobjects/Case/500000000000001AAA", "PATCH Case by Id"),
        (Method::POST, "/services/data/v66.0/sobjects/CaseComment", "POST sobjects/CaseComment"),
        (Method::GET, "/services/data/v66.0/queryAll", "GET queryAll"),
    ] {
        assert_eq!(org_step(&method, path), format!("Salesforce: {name}"));
    }
}

#[tokio::test]
async fn a_process_dies_on_either_side_of_a_request() {
    let steps = Steps::default();
    let done = Mutex::new(Vec::new());
    let process = async || {
        for name in ["first", "second", "third"] {
            steps.pass(name.to_owned(), async { done.lock().unwrap().push(name) }).await;
        }
    };
    let death = |at, side| Some(Fault { at, side, blow: Blow::Death });
    for (death, survives, expected) in [
        (None, true, &["first", "second", "third"][..]),
        (death(1, Side::Before), false, &["first"]),
        (death(1, Side::After), false, &["first", "second"]),
        (death(3, Side::Before), true, &["first", "second", "third"]),
    ] {
        done.lock().unwrap().clear();
        assert_eq!(steps.live(death, process()).await.is_some(), survives, "{death:?}");
        assert_eq!(*done.lock().unwrap(), expected, "{death:?}");
    }
}

#[tokio::test]
async fn a_process_that_hears_nothing_lives_on() {
    let steps = Steps::default();
    let done = AtomicUsize::new(0);
    let request = async || {
        steps.pass("request".to_owned(), async { done.fetch_add(1, Ordering::Relaxed) }).await;
    };
    for (side, expected) in [(Side::Before, 1), (Side::After, 2)] {
        done.store(0, Ordering::Relaxed);
        let process = async {
            let heard = tokio::time::timeout(Duration::from_millis(10), request()).await.is_ok();
            request().await;
            heard
        };
        let fault = Fault { at: 0, side, blow: Blow::Silence };
        assert_eq!(steps.live(Some(fault), process).await, Some(false));
        assert_eq!(done.load(Ordering::Relaxed), expected, "{side:?}");
    }
}
