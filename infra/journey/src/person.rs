//! A client at the portal.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

use crate::{
    cloud::Cloud,
    http,
    report::{Broken, expect},
};

/// How long something may take to show at the portal.
const PATIENCE: Duration = Duration::from_secs(30);
/// Most parts of a text that comes in parts.
const PARTS_MAX: usize = 100;
/// How often a client looks.
const LOOK_EVERY: Duration = Duration::from_millis(25);

pub(crate) struct Person {
    http: reqwest::Client,
    api: String,
    pub(crate) token: String,
}

/// An answer, read to the end.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) location: Option<String>,
    pub(crate) body: Json,
}

impl Answer {
    pub(crate) fn text(&self, field: &str) -> Result<String, Broken> {
        let text = self.body.get(field).and_then(Json::as_str).map(str::to_owned);
        text.ok_or_else(|| Broken::new(format!("no {field} in {} {}", self.status, self.body)))
    }

    pub(crate) fn must_be(self, status: StatusCode) -> Result<Self, Broken> {
        expect(self.status == status, format!("{} instead of {status}: {}", self.status, self.body))?;
        Ok(self)
    }
}

impl Person {
    /// Signs in at the user pool, as the web app's server does.
    pub(crate) async fn sign_in(cloud: &Cloud, email: &str) -> Result<Self, Broken> {
        let http = http::client()?;
        let answer: Json = http
            .post(&cloud.addresses.aws)
            .header("content-type", "application/x-amz-json-1.1")
            .header("x-amz-target", "AWSCognitoIdentityProviderService.InitiateAuth")
            .body(
                json!({
                    "AuthFlow": "USER_PASSWORD_AUTH",
                    "ClientId": cloud.sign_in.client_id,
                    "AuthParameters": { "USERNAME": email, "PASSWORD": portico_local::demo::PASSWORD },
                })
                .to_string(),
            )
            .send()
            .await?
            .json()
            .await?;
        let token = answer.pointer("/AuthenticationResult/AccessToken").and_then(Json::as_str);
        let token = token.ok_or_else(|| Broken::new(format!("{email} cannot sign in: {answer}")))?.to_owned();
        Ok(Self { http, api: cloud.addresses.api.clone(), token })
    }

    /// The same door with another token, or none.
    pub(crate) fn with_token(&self, token: &str) -> Self {
        Self { http: self.http.clone(), api: self.api.clone(), token: token.to_owned() }
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Answer, Broken> {
        self.send(Method::GET, path, None, None).await
    }

    pub(crate) async fn post(&self, path: &str, key: &str, body: &Json) -> Result<Answer, Broken> {
        self.send(Method::POST, path, Some(key), Some(body)).await
    }

    pub(crate) async fn patch(&self, path: &str, key: &str, body: &Json) -> Result<Answer, Broken> {
        self.send(Method::PATCH, path, Some(key), Some(body)).await
    }

    /// Sets what the path names, by the path alone.
    pub(crate) async fn put(&self, path: &str) -> Result<Answer, Broken> {
        self.send(Method::PUT, path, None, None).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Result<Answer, Broken> {
        self.send(Method::DELETE, path, None, None).await
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        key: Option<&str>,
        body: Option<&Json>,
    ) -> Result<Answer, Broken> {
        let mut request = self.http.request(method, format!("{}{path}", self.api));
        if !self.token.is_empty() {
            request = request.bearer_auth(&self.token);
        }
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let answer = request.send().await?;
        let status = answer.status();
        let location =
            answer.headers().get("location").and_then(|value| value.to_str().ok()).map(str::to_owned);
        let text = answer.text().await?;
        Ok(Answer { status, location, body: serde_json::from_str(&text).unwrap_or(Json::String(text)) })
    }

    /// Text in parts: follows `rel="next"` to the end.
    pub(crate) async fn parts(&self, path: &str) -> Result<Vec<String>, Broken> {
        let mut url = Some(reqwest::Url::parse(&format!("{}{path}", self.api))?);
        let mut parts = Vec::new();
        while let Some(at) = url {
            expect(parts.len() < PARTS_MAX, "parts without end")?;
            let answer = self.http.get(at.clone()).bearer_auth(&self.token).send().await?;
            expect(answer.status() == StatusCode::OK, answer.status())?;
            let link = answer.headers().get("link").and_then(|value| value.to_str().ok());
            let next = link.and_then(|link| link.strip_prefix('<')?.strip_suffix(">; rel=\"next\""));
            url = next.map(|next| at.join(next)).transpose()?;
            parts.push(answer.text().await?);
        }
        Ok(parts)
    }

    /// Looks at `path` until `there` finds what it looks for.
    pub(crate) async fn wait_for<T>(
        &self,
        path: &str,
        there: impl Fn(&Json) -> Option<T>,
    ) -> Result<T, Broken> {
        let look = async {
            loop {
                let answer = self.get(path).await?;
                if let Some(found) = there(&answer.body) {
                    return Ok(found);
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        match tokio::time::timeout(PATIENCE, look).await {
            Ok(found) => found,
            Err(_) => Err(Broken::new(format!("it did not show at {path}: {}", self.get(path).await?.body))),
        }
    }

    /// Declares a file and sends its content to the store, as the answer says.
    pub(crate) async fn upload(&self, case: &str, name: &str, content: &[u8]) -> Result<String, Broken> {
        let declared = json!({
            "name": name,
            "size": content.len(),
            "content_type": "text/plain",
            "sha256": hex::encode(Sha256::digest(content)),
        });
        let key = format!("upload-{case}-{name}");
        let answer = self.post(&format!("/cases/{case}/files"), &key, &declared).await?;
        let answer = answer.must_be(StatusCode::CREATED)?;
        let request = answer.body.get("upload").cloned().unwrap_or_default();
        self.send_to_store(&request, content.to_vec()).await?;
        answer.text("id")
    }

    /// Sends content to the store by one of its links.
    pub(crate) async fn send_to_store(&self, link: &Json, content: Vec<u8>) -> Result<(), Broken> {
        let url = link.get("url").and_then(Json::as_str).unwrap_or_default();
        let mut request = self.http.put(url).body(content);
        for (header, value) in link.get("headers").and_then(Json::as_object).into_iter().flatten() {
            // The client library counts the length itself.
            if !header.eq_ignore_ascii_case("content-length") {
                request = request.header(header, value.as_str().unwrap_or_default());
            }
        }
        let stored = request.send().await?;
        let status = stored.status();
        expect(status == StatusCode::OK, format!("the store answered {status}: {}", stored.text().await?))
    }

    /// Fetches from the store what a link leads to.
    pub(crate) async fn fetch(&self, url: &str) -> Result<(Vec<u8>, String), Broken> {
        let answer = self.http.get(url).send().await?;
        expect(answer.status() == StatusCode::OK, format!("the store answered {}", answer.status()))?;
        let disposition = answer.headers().get("content-disposition");
        let disposition = disposition.and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        Ok((answer.bytes().await?.to_vec(), disposition))
    }
}
