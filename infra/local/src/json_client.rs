//! AWS's JSON protocol, for the few operations with which the local cloud sets itself up.

use std::time::Duration;

use serde_json::Value as Json;

use crate::identity;

/// How long one request to an emulator may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);

/// A service on this machine.
pub(crate) struct JsonClient<'a> {
    pub(crate) http: &'a reqwest::Client,
    pub(crate) url: String,
    pub(crate) service: Service,
}

/// The services that are asked.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Service {
    Cognito,
    DynamoDb,
}

impl Service {
    /// Name in signatures, prefix of targets, version of the media type.
    fn names(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Cognito => ("cognito-idp", "AWSCognitoIdentityProviderService", "1.1"),
            Self::DynamoDb => ("dynamodb", "DynamoDB_20120810", "1.0"),
        }
    }
}

/// What a service answered.
pub(crate) enum Answer {
    Done(Json),
    /// The error as JSON text, with its type.
    Refused(String),
}

impl JsonClient<'_> {
    /// One operation.
    pub(crate) async fn ask(&self, operation: &str, input: &Json) -> Result<Answer, reqwest::Error> {
        let (name, target, version) = self.service.names();
        // The emulators look at the key that is named and at the form of the rest, not at the signature.
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={}/20260101/{}/{name}/aws4_request, SignedHeaders=host, Signature=local",
            portico_emulators::ACCESS_KEY_ID,
            identity::REGION
        );
        let answer = self
            .http
            .post(&self.url)
            .timeout(REQUEST_TIMEOUT)
            .header("content-type", format!("application/x-amz-json-{version}"))
            .header("x-amz-target", format!("{target}.{operation}"))
            .header("x-amz-date", "20260101T000000Z")
            .header("authorization", authorization)
            .body(input.to_string())
            .send()
            .await?;
        let status = answer.status();
        let text = answer.text().await?;
        Ok(if status.is_success() {
            Answer::Done(serde_json::from_str(&text).unwrap_or_default())
        } else {
            Answer::Refused(text)
        })
    }
}
