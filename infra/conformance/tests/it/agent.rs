//! Somebody who works in Salesforce: changes records over the org's own API, not through the portal's client.

use http::Method;
use portico_domain::SalesforceId;
use serde_json::{Value, json};

use crate::world::{PRIVATE_KEY, World, org_config};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

pub struct Agent {
    http: reqwest::Client,
    base: String,
    token: String,
}

impl Agent {
    pub async fn sign_in(world: &World) -> Self {
        let http = reqwest::Client::new();
        let base = world.org.address().as_str().trim_end_matches('/').to_owned();
        let config = org_config(&world.stack.clock);
        let audience = world.org.settings().instance_url.unwrap_or_else(|| base.clone());
        let claims = json!({
            "iss": config.consumer_key,
            "sub": config.username,
            "aud": audience,
            "exp": world.stack.clock.now().as_second() + 120,
        });
        let header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::RS256);
        let key = jsonwebtoken::EncodingKey::from_rsa_pem(PRIVATE_KEY.as_bytes()).unwrap();
        let assertion = jsonwebtoken::encode(&header, &claims, &key).unwrap();
        let grant = [("grant_type", GRANT), ("assertion", &assertion)];
        let answer = http.post(format!("{base}/services/oauth2/token")).form(&grant).send().await.unwrap();
        let answer: Value = answer.json().await.unwrap();
        let token = answer["access_token"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned();
        Self { http, base, token }
    }

    /// Creates a record.
    pub async fn create(&self, object: &str, fields: Value) -> SalesforceId {
        let answer = self.call(Method::POST, &format!("sobjects/{object}"), fields).await;
        answer["id"].as_str().unwrap_or_else(|| panic!("{answer}")).parse().unwrap()
    }

    /// Changes fields of a record.
    pub async fn update(&self, object: &str, id: SalesforceId, fields: Value) {
        self.call(Method::PATCH, &format!("sobjects/{object}/{id}"), fields).await;
    }

    /// Puts a record and what belongs to it into the recycle bin.
    pub async fn delete(&self, object: &str, id: SalesforceId) {
        self.call(Method::DELETE, &format!("sobjects/{object}/{id}"), Value::Null).await;
    }

    /// As [`Agent::create`]; nothing if the org refuses.
    pub async fn try_create(&self, object: &str, fields: Value) -> Option<SalesforceId> {
        let answer = self.attempt(Method::POST, &format!("sobjects/{object}"), fields).await.ok()?;
        Some(answer["id"].as_str().unwrap_or_else(|| panic!("{answer}")).parse().unwrap())
    }

    /// As [`Agent::update`]; whether the org did it.
    pub async fn try_update(&self, object: &str, id: SalesforceId, fields: Value) -> bool {
        self.attempt(Method::PATCH, &format!("sobjects/{object}/{id}"), fields).await.is_ok()
    }

    /// As [`Agent::delete`]; whether the org did it.
    pub async fn try_delete(&self, object: &str, id: SalesforceId) -> bool {
        self.attempt(Method::DELETE, &format!("sobjects/{object}/{id}"), Value::Null).await.is_ok()
    }

    /// As [`Agent::undelete`]; whether the org did it.
    pub async fn try_undelete(&self, id: SalesforceId) -> bool {
        self.control("undelete", json!({ "id": id })).await.is_ok()
    }

    /// What a query finds, the recycle bin included.
    pub async fn query(&self, soql: &str) -> Vec<Value> {
        let mut records = Vec::new();
        let mut request =
            self.http.get(format!("{}/services/data/v66.0/queryAll", self.base)).query(&[("q", soql)]);
        loop {
            let answer = request.bearer_auth(&self.token).send().await.unwrap();
            let answer: Value = answer.json().await.unwrap();
            let page = answer["records"].as_array().unwrap_or_else(|| panic!("{soql}: {answer}"));
            records.extend(page.iter().cloned());
            match answer["nextRecordsUrl"].as_str() {
                Some(next) => request = self.http.get(format!("{}{next}", self.base)),
                None => return records,
            }
        }
    }

    /// Takes a record out of the recycle bin.
    pub async fn undelete(&self, id: SalesforceId) {
        self.control("undelete", json!({ "id": id })).await.unwrap();
    }

    /// Empties the recycle bin of a record.
    pub async fn purge(&self, id: SalesforceId) {
        self.control("purge", json!({ "id": id })).await.unwrap();
    }

    /// Merges a record into another of its object.
    pub async fn merge(&self, winner: SalesforceId, loser: SalesforceId) {
        self.control("merge", json!({ "winner": winner, "loser": loser })).await.unwrap();
    }

    async fn control(&self, what: &str, body: Value) -> Result<(), String> {
        let url = format!("{}/_fake/records/{what}", self.base);
        let answer = self.http.post(url).json(&body).send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        if status.is_success() { Ok(()) } else { Err(format!("{what} {body}: {status} {text}")) }
    }

    async fn call(&self, method: Method, path: &str, body: Value) -> Value {
        self.attempt(method, path, body).await.unwrap()
    }

    async fn attempt(&self, method: Method, path: &str, body: Value) -> Result<Value, String> {
        let mut request = self
            .http
            .request(method.clone(), format!("{}/services/data/v66.0/{path}", self.base))
            .bearer_auth(&self.token);
        if !body.is_null() {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        if !status.is_success() {
            return Err(format!("{method} {path} {body}: {status} {text}"));
        }
        Ok(serde_json::from_str(&text).unwrap_or(Value::Null))
    }
}
