//! What leaves a function: every request in its order, and on demand the end of its process at one of them.
//!
//! [`crate::guard`] passes the requests to AWS through here, [`OrgTap`] those to Salesforce.

use std::sync::{Arc, Mutex};

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

/// On which side of a request a process dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// The request does not get out.
    Before,
    /// The request was carried out, and nobody is there any more to see the answer.
    After,
}

/// Where a process dies: at its n-th request, from 0, on this side of it.
pub type Death = (usize, Side);

/// The requests of one process.
pub struct Steps {
    taken: Mutex<Taken>,
    dead: watch::Sender<bool>,
}

#[derive(Default)]
struct Taken {
    names: Vec<String>,
    death: Option<Death>,
}

impl Default for Steps {
    fn default() -> Self {
        Self { taken: Mutex::default(), dead: watch::Sender::new(false) }
    }
}

impl Steps {
    /// Runs a process until it is done, or to its death; then there is no outcome. Counts its requests anew.
    pub async fn live<T>(&self, death: Option<Death>, process: impl Future<Output = T>) -> Option<T> {
        *self.taken.lock().unwrap() = Taken { names: Vec::new(), death };
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

    /// Lets a request out, unless its sender is dead or dies here.
    pub async fn pass<T>(&self, name: String, request: impl Future<Output = T>) -> T {
        if *self.dead.borrow() {
            return std::future::pending().await;
        }
        let dies = {
            let mut taken = self.taken.lock().unwrap();
            let place = taken.names.len();
            taken.names.push(name);
            taken.death.filter(|(at, _)| *at == place).map(|(_, side)| side)
        };
        if dies == Some(Side::Before) {
            return self.die().await;
        }
        let answer = request.await;
        if dies == Some(Side::After) {
            return self.die().await;
        }
        answer
    }

    /// Never returns: the connection ends when the process is gone.
    async fn die<T>(&self) -> T {
        self.dead.send_replace(true);
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

/// `PATCH Case by Portal_Request_Id__c`, for `PATCH /services/data/v66.0/sobjects/Case/Portal_Request_Id__c/case_1`.
fn org_step(method: &Method, path: &str) -> String {
    let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
    match segments.as_slice() {
        ["services", "oauth2", "token"] => "sign in to Salesforce".to_owned(),
        ["services", "data", _, "sobjects", object, field, _] => format!("{method} {object} by {field}"),
        ["services", "data", _, "sobjects", object, _] => format!("{method} {object} by Id"),
        ["services", "data", _, rest @ ..] => format!("{method} {}", rest.join("/")),
        _ => format!("{method} {path}"),
    }
}

#[test]
fn steps_in_the_org_are_named_without_ids() {
    for (method, path, name) in [
        (Method::POST, "/services/oauth2/token", "sign in to Salesforce"),
        (
            Method::PATCH,
            "/services/data/v66.0/sobjects/Case/Portal_Request_Id__c/case_1",
            "PATCH Case by Portal_Request_Id__c",
        ),
        (Method::PATCH, "/services/data/v66.0/sobjects/Case/500000000000001AAA", "PATCH Case by Id"),
        (Method::POST, "/services/data/v66.0/sobjects/CaseComment", "POST sobjects/CaseComment"),
        (Method::GET, "/services/data/v66.0/queryAll", "GET queryAll"),
    ] {
        assert_eq!(org_step(&method, path), name);
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
    for (death, survives, expected) in [
        (None, true, &["first", "second", "third"][..]),
        (Some((1, Side::Before)), false, &["first"]),
        (Some((1, Side::After)), false, &["first", "second"]),
        (Some((3, Side::Before)), true, &["first", "second", "third"]),
    ] {
        done.lock().unwrap().clear();
        assert_eq!(steps.live(death, process()).await.is_some(), survives, "{death:?}");
        assert_eq!(*done.lock().unwrap(), expected, "{death:?}");
    }
}
