//! The org, read by somebody who trusts the portal with nothing.

use std::time::Duration;

use serde::Serialize;
use serde_json::Value as Json;

use crate::{cloud::Cloud, http, report::Broken};

/// How long something may take to arrive in the org.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often to look.
const LOOK_EVERY: Duration = Duration::from_millis(100);

pub(crate) struct Org {
    http: reqwest::Client,
    address: String,
    token: String,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    exp: i64,
}

impl Org {
    /// Signs in with the demo's key.
    pub(crate) async fn sign_in(cloud: &Cloud) -> Result<Self, Broken> {
        let http = http::client()?;
        let address = cloud.addresses.salesforce.trim_end_matches('/').to_owned();
        let pem = std::fs::read(cloud.data.join("demo/salesforce.pem"))?;
        let key = jsonwebtoken::EncodingKey::from_rsa_pem(&pem)?;
        // The identities that Config::local gives to every local org.
        let local = fake_salesforce::Config::local(String::new());
        #[expect(clippy::disallowed_methods, reason = "an independent client has its own clock")]
        let now = jiff::Timestamp::now().as_second();
        let claims = Claims {
            iss: &local.consumer_key,
            sub: &local.username,
            aud: &address,
            exp: now.saturating_add(120),
        };
        let assertion =
            jsonwebtoken::encode(&jsonwebtoken::Header::new(jsonwebtoken::Algorithm::RS256), &claims, &key)?;
        let grant =
            [("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"), ("assertion", &assertion)];
        let answer: Json =
            http.post(format!("{address}/services/oauth2/token")).form(&grant).send().await?.json().await?;
        let token = answer.get("access_token").and_then(Json::as_str);
        let token =
            token.ok_or_else(|| Broken::new(format!("the org does not let us in: {answer}")))?.to_owned();
        Ok(Self { http, address, token })
    }

    pub(crate) async fn query(&self, soql: &str) -> Result<Vec<Json>, Broken> {
        let url = format!("{}/services/data/v66.0/query", self.address);
        let answer: Json =
            self.http.get(url).query(&[("q", soql)]).bearer_auth(&self.token).send().await?.json().await?;
        match answer.get("records").and_then(Json::as_array) {
            Some(records) => Ok(records.clone()),
            None => Err(Broken::new(format!("{soql}: {answer}"))),
        }
    }

    /// Asks until there is a record.
    pub(crate) async fn wait_for(&self, soql: &str) -> Result<Json, Broken> {
        let ask = async {
            loop {
                if let Some(record) = self.query(soql).await?.into_iter().next() {
                    return Ok(record);
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        tokio::time::timeout(PATIENCE, ask)
            .await
            .map_err(|_| Broken::new(format!("nothing came to the org: {soql}")))?
    }
}
