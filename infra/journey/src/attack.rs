//! Those who should not get in.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value as Json, json};

use crate::{
    cloud::Cloud,
    http,
    line::Line,
    person::{Answer, Person},
    report::{Broken, Report, expect},
};

/// Ids that are well-formed and belong to nobody.
const NOBODYS: &str = "01993b8e5c6a7d2f8b1e4a9c0d3f6e72";

pub(crate) async fn try_everything(report: &mut Report, cloud: &Cloud, line: &Line) -> Result<(), Broken> {
    let paths = [
        (format!("/cases/{}", line.case), format!("/cases/case_{NOBODYS}")),
        (format!("/files/{}", line.file), format!("/files/file_{NOBODYS}")),
        (format!("/invoices/{}", line.invoice), format!("/invoices/inv_{NOBODYS}")),
        (format!("/invoices/{}/pdf", line.invoice), format!("/invoices/inv_{NOBODYS}/pdf")),
    ];
    report
        .step("the other company gets 404, the same as for what does not exist", async {
            for (theirs, nobodys) in &paths {
                line.manager.get(theirs).await.and_then(|own| {
                    expect(
                        own.status.is_success() || own.status.is_redirection(),
                        format!("own {theirs}: {}", own.status),
                    )
                })?;
                let foreign = line.stranger.get(theirs).await?.must_be(StatusCode::NOT_FOUND)?;
                let missing = line.stranger.get(nobodys).await?.must_be(StatusCode::NOT_FOUND)?;
                expect(anonymous(foreign) == anonymous(missing), format!("{theirs} tells that it exists"))?;
            }
            let declared =
                json!({ "name": "x", "size": 1, "content_type": "text/plain", "sha256": "0".repeat(64) });
            let path = format!("/cases/{}/files", line.case);
            line.stranger.post(&path, "foreign-case", &declared).await?.must_be(StatusCode::NOT_FOUND)?;
            Ok(())
        })
        .await?;
    report
        .step("a colleague without the right sees neither the manager's case nor invoices", async {
            for (theirs, _) in &paths {
                line.colleague.get(theirs).await?.must_be(StatusCode::NOT_FOUND)?;
            }
            line.colleague.get("/invoices").await?.must_be(StatusCode::FORBIDDEN)?;
            Ok(())
        })
        .await?;
    report
        .step("no token, a tampered one, one signed by somebody else: 401", async {
            let mut tampered = line.manager.token.clone();
            tampered.replace_range(tampered.len().saturating_sub(6).., "AAAAAA");
            let forged = forged(&line.manager.token)?;
            for token in ["", "nonsense", &tampered, &forged] {
                for (path, _) in &paths {
                    let intruder = line.manager.with_token(token);
                    intruder.get(path).await?.must_be(StatusCode::UNAUTHORIZED)?;
                }
            }
            Ok(())
        })
        .await?;
    report
        .step("the live connection refuses who has no ticket", async {
            let url = cloud.addresses.live.replace("ws://", "http://");
            let answer = http::client()?
                .get(url)
                .header("connection", "Upgrade")
                .header("upgrade", "websocket")
                .header("sec-websocket-version", "13")
                .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
                .send()
                .await?;
            expect(answer.status() == StatusCode::UNAUTHORIZED, answer.status())
        })
        .await
}

/// Long enough for one request on a busy machine (a token's times are whole seconds), short enough to wait for.
const SHORT_LIFE: Duration = Duration::from_secs(5);

/// A token of the real pool, past its time.
pub(crate) async fn expired_token(report: &mut Report, cloud: &Cloud) -> Result<(), Broken> {
    let email = fake_salesforce::demo::NORDHAVEN.contacts[0].email;
    report
        .step("an expired token of the real pool: 401", async {
            let before = token_life(cloud, None).await?;
            token_life(cloud, Some(SHORT_LIFE.as_secs())).await?;
            let person = Person::sign_in(cloud, email).await?;
            token_life(cloud, Some(before)).await?;
            person.get("/cases").await?.must_be(StatusCode::OK)?;
            tokio::time::sleep(SHORT_LIFE + Duration::from_secs(1)).await;
            person.get("/cases").await?.must_be(StatusCode::UNAUTHORIZED)?;
            Ok(())
        })
        .await
}

/// Reads how long access tokens live, after setting it if told to.
async fn token_life(cloud: &Cloud, set: Option<u64>) -> Result<u64, Broken> {
    let call = async |action: &str, body: &Json| -> Result<Json, Broken> {
        let answer = http::client()?
            .post(&cloud.addresses.aws)
            .header("content-type", "application/x-amz-json-1.1")
            .header("x-amz-target", format!("AWSCognitoIdentityProviderService.{action}"))
            .body(body.to_string())
            .send()
            .await?;
        expect(answer.status().is_success(), format!("{action}: {}", answer.status()))?;
        Ok(answer.json().await?)
    };
    let pool = &cloud.sign_in;
    let mut request = json!({ "UserPoolId": pool.user_pool_id, "ClientId": pool.client_id });
    let described = call("DescribeUserPoolClient", &request).await?;
    let client = described.get("UserPoolClient").cloned().unwrap_or_default();
    if let (Some(seconds), Some(request)) = (set, request.as_object_mut()) {
        for kept in ["ClientName", "ExplicitAuthFlows", "IdTokenValidity", "RefreshTokenValidity"] {
            request.extend(client.get(kept).map(|value| (kept.to_owned(), value.clone())));
        }
        request.insert("AccessTokenValidity".to_owned(), seconds.into());
        call("UpdateUserPoolClient", &Json::Object(request.clone())).await?;
    }
    let seconds = client.get("AccessTokenValidity").and_then(Json::as_u64);
    seconds.ok_or_else(|| Broken::new(format!("no AccessTokenValidity in {client}")))
}

/// The claims of a real token under a signature of our own.
fn forged(token: &str) -> Result<String, Broken> {
    let mut parts = token.split('.');
    let (header, claims) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let message = format!("{header}.{claims}");
    let key = jsonwebtoken::EncodingKey::from_secret(b"not the pool's key");
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, jsonwebtoken::Algorithm::HS256)?;
    Ok(format!("{message}.{signature}"))
}

/// A refusal without what tells one request from another.
fn anonymous(answer: Answer) -> Json {
    let mut body = answer.body;
    if let Some(fields) = body.as_object_mut() {
        fields.remove("request_id");
    }
    body
}
