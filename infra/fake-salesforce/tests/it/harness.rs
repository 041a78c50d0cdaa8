//! A running org, a signed-in client and a receiver of outbound messages.

use std::{
    collections::VecDeque,
    ops::Deref,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, extract::State, response::IntoResponse, routing::post};
use fake_salesforce::{Clock, Config, FakeSalesforce, OutboundConfig};
use http::{HeaderMap, Method, StatusCode, header};
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use tokio::{net::TcpListener, time::Instant};
use url::Url;

pub const PUBLIC_KEY: &str = include_str!("keys/test-public.pem");
pub const PRIVATE_KEY: &str = include_str!("keys/test-private.pem");
pub const OTHER_KEY: &str = include_str!("keys/other-private.pem");
pub const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// 2026-11-22T01:02:03Z
pub const START: i64 = 1_795_309_323;

/// A clock that tests move.
#[derive(Clone)]
pub struct Hand(Arc<Mutex<Timestamp>>);

impl Hand {
    pub fn at(second: i64) -> Hand {
        Hand(Arc::new(Mutex::new(Timestamp::from_second(second).unwrap())))
    }

    pub fn advance(&self, seconds: i64) {
        let mut now = self.0.lock().unwrap();
        *now = Timestamp::from_millisecond(now.as_millisecond() + seconds * 1_000).unwrap();
    }

    pub fn clock(&self) -> Clock {
        let hand = self.clone();
        Clock::from_fn(move || *hand.0.lock().unwrap())
    }
}

pub fn config() -> Config {
    Config { clock: Hand::at(START).clock(), ..Config::local(PUBLIC_KEY) }
}

pub fn http() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap()
}

pub fn assertion(key: &str, claims: &Value) -> String {
    let key = EncodingKey::from_rsa_pem(key.as_bytes()).unwrap();
    jsonwebtoken::encode(&Header::new(Algorithm::RS256), claims, &key).unwrap()
}

/// A running org of this process and a client with a session.
pub struct TestOrg {
    pub org: FakeSalesforce,
    remote: Remote,
}

impl Deref for TestOrg {
    type Target = Remote;

    fn deref(&self) -> &Remote {
        &self.remote
    }
}

/// A client with a session at an org, wherever it runs.
pub struct Remote {
    pub http: reqwest::Client,
    pub token: String,
    pub base: String,
}

/// An answer, read to the end.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Answer {
    /// The `errorCode` of the first error.
    pub fn code(&self) -> &str {
        self.body[0]["errorCode"].as_str().unwrap_or_default()
    }

    pub fn id(&self) -> String {
        self.body["id"].as_str().unwrap_or_else(|| panic!("no id in {self:?}")).to_owned()
    }
}

impl TestOrg {
    pub async fn start(config: Config) -> TestOrg {
        let now = config.clock.now().as_second();
        let org = FakeSalesforce::start(config).await.unwrap();
        let base = org.address().as_str().trim_end_matches('/').to_owned();
        TestOrg { org, remote: Remote::sign_in_at(base, now).await }
    }

    pub async fn local() -> TestOrg {
        TestOrg::start(config()).await
    }

    pub async fn demo() -> TestOrg {
        TestOrg::start(Config { demo_data: true, ..config() }).await
    }
}

impl Remote {
    /// Signs in at an org that runs on the wall clock.
    pub async fn sign_in(base: String) -> Remote {
        Remote::sign_in_at(base, Clock::wall().now().as_second()).await
    }

    async fn sign_in_at(base: String, now: i64) -> Remote {
        let http = http();
        let Config { consumer_key, username, .. } = config();
        let claims = json!({"iss": consumer_key, "sub": username, "aud": base, "exp": now + 120});
        let request = http
            .post(format!("{base}/services/oauth2/token"))
            .form(&[("grant_type", GRANT), ("assertion", &assertion(PRIVATE_KEY, &claims))]);
        let answer = answer(request).await;
        let token = answer.body["access_token"].as_str().unwrap_or_else(|| panic!("{answer:?}")).to_owned();
        Remote { http, token, base }
    }

    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let path = if path.starts_with("/services") || path.starts_with("/_fake") {
            path.to_owned()
        } else {
            format!("/services/data/v66.0{path}")
        };
        self.http.request(method, format!("{}{path}", self.base)).bearer_auth(&self.token)
    }

    pub async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let mut request = self.request(method, path);
        if let Some(body) = body {
            request = request.json(&body);
        }
        answer(request).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path, None).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.call(Method::POST, path, Some(body)).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.call(Method::PATCH, path, Some(body)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.call(Method::DELETE, path, None).await
    }

    /// Creates a record and answers its id.
    pub async fn create(&self, object: &str, fields: Value) -> String {
        let answer = self.post(&format!("/sobjects/{object}"), fields).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.id()
    }

    pub async fn query(&self, soql: &str) -> Answer {
        answer(self.request(Method::GET, "/query").query(&[("q", soql)])).await
    }

    /// The given field of all records found.
    pub async fn column(&self, soql: &str, field: &str) -> Vec<Value> {
        let answer = self.query(soql).await;
        assert_eq!(answer.status, 200, "{soql}: {answer:?}");
        answer.body["records"].as_array().unwrap().iter().map(|record| record[field].clone()).collect()
    }
}

pub async fn answer(request: reqwest::RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let text = response.text().await.unwrap();
    let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
    Answer { status, headers, body }
}

/// What the receiver answers.
#[derive(Clone, Debug)]
pub struct Reaction {
    pub status: u16,
    pub content_type: &'static str,
    pub body: String,
}

impl Reaction {
    pub fn ack(value: bool) -> Reaction {
        let body = format!(
            r#"<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body><notificationsResponse xmlns="http://soap.sforce.com/2005/09/outbound"><Ack>{value}</Ack></notificationsResponse></soapenv:Body></soapenv:Envelope>"#
        );
        Reaction { status: 200, content_type: "text/xml; charset=UTF-8", body }
    }
}

/// One message as received.
#[derive(Clone, Debug)]
pub struct Received {
    pub headers: HeaderMap,
    pub body: String,
    pub at: Instant,
}

impl Received {
    /// The text of every element with this name, `sf:` or not.
    pub fn all(&self, name: &str) -> Vec<String> {
        let open = format!("<{name}>");
        self.body
            .split(&open)
            .skip(1)
            .filter_map(|rest| rest.split_once("</").map(|(text, _)| text.to_owned()))
            .collect()
    }

    pub fn notification_ids(&self) -> Vec<String> {
        self.all("Notification><Id")
    }
}

#[derive(Clone, Default)]
struct Inbox {
    received: Arc<Mutex<Vec<Received>>>,
    reactions: Arc<Mutex<VecDeque<Reaction>>>,
}

/// A receiver that answers the given reactions first, then acknowledges everything.
pub struct Receiver {
    pub endpoint: Url,
    inbox: Inbox,
}

impl Receiver {
    pub async fn start(reactions: Vec<Reaction>) -> Receiver {
        let inbox = Inbox { reactions: Arc::new(Mutex::new(reactions.into())), ..Inbox::default() };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = Url::parse(&format!("http://{}/hook/secret", listener.local_addr().unwrap())).unwrap();
        let app = Router::new().route("/hook/secret", post(receive)).with_state(inbox.clone());
        tokio::spawn(serve(listener, app));
        Receiver { endpoint, inbox }
    }

    /// Waits for that many messages.
    pub async fn wait(&self, count: usize) -> Vec<Received> {
        let end = Instant::now() + Duration::from_secs(5);
        loop {
            let received = self.received();
            if received.len() >= count {
                return received;
            }
            assert!(Instant::now() < end, "{} of {count} messages: {received:#?}", received.len());
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    pub fn received(&self) -> Vec<Received> {
        self.inbox.received.lock().unwrap().clone()
    }

    /// Outbound messages to this receiver, with the schedule compressed to 10 ms, 20 ms, 40 ms ...
    pub fn outbound(&self) -> OutboundConfig {
        OutboundConfig { retry_divisor: 3_000, ..OutboundConfig::to(self.endpoint.clone()) }
    }
}

async fn receive(State(inbox): State<Inbox>, headers: HeaderMap, body: String) -> impl IntoResponse {
    inbox.received.lock().unwrap().push(Received { headers, body, at: Instant::now() });
    let reaction = inbox.reactions.lock().unwrap().pop_front().unwrap_or_else(|| Reaction::ack(true));
    (
        StatusCode::from_u16(reaction.status).unwrap(),
        [(header::CONTENT_TYPE, reaction.content_type)],
        reaction.body,
    )
}

/// A plain HTTP/1.1 server for the receiver.
async fn serve(listener: TcpListener, app: Router) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { return };
        let service = hyper_util::service::TowerToHyperService::new(app.clone());
        tokio::spawn(
            hyper::server::conn::http1::Builder::new()
                .serve_connection(hyper_util::rt::TokioIo::new(stream), service),
        );
    }
}
