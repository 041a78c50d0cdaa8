//! Whose messages are taken.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use portico_aws::{BootError, Cloud};
use portico_domain::SalesforceId;
use portico_salesforce::callout::SigningKey;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use subtle::{Choice, ConstantTimeEq};
use tokio::sync::RwLock;

/// How often, at most, something that nothing known opens makes the function look whether the secret was rotated.
const ROTATION_LOOK: SignedDuration = SignedDuration::from_secs(60);
/// How long a secret is taken without looking whether it still stands: what was dropped, because it leaked, is refused
/// after this time by processes that run already.
const AGE_MAX: SignedDuration = SignedDuration::from_mins(5);
/// Longest wait for that look. What came meanwhile is refused, and sent again.
const LOOK_TIMEOUT: Duration = Duration::from_secs(3);
/// Fewest characters of a path secret: 16 random letters and digits are 95 bits. An empty one would let everybody in.
const PATH_SECRET_LENGTH_MIN: usize = 16;

/// The content of the webhook secret.
#[derive(Deserialize)]
pub struct Origin {
    /// The current one, and while they rotate the one before.
    path_secrets: Vec<PathSecret>,
    /// What callouts are signed with, in the same way. Without one there are no callouts.
    #[serde(default)]
    signing_keys: Vec<SigningKey>,
    /// Our org: 18 characters.
    organization_id: SalesforceId,
    /// Our outbound message definitions.
    action_ids: Vec<SalesforceId>,
}

#[derive(Deserialize)]
#[serde(try_from = "SecretString")]
struct PathSecret(SecretString);

impl TryFrom<SecretString> for PathSecret {
    type Error = &'static str;

    fn try_from(text: SecretString) -> Result<Self, &'static str> {
        if text.expose_secret().len() < PATH_SECRET_LENGTH_MIN {
            return Err("a path secret is too short");
        }
        Ok(Self(text))
    }
}

impl Origin {
    /// Whether a path holds one of the secrets. All are compared, each in constant time.
    pub(crate) fn opens(&self, given: &str) -> bool {
        let matches = |secret: &PathSecret| given.as_bytes().ct_eq(secret.0.expose_secret().as_bytes());
        self.path_secrets.iter().fold(Choice::from(0), |any, secret| any | matches(secret)).into()
    }

    pub(crate) fn signing_keys(&self) -> &[SigningKey] {
        &self.signing_keys
    }

    pub(crate) fn is(&self, organization: &SalesforceId) -> bool {
        self.organization_id == *organization
    }

    pub(crate) fn has_action(&self, action: &SalesforceId) -> bool {
        self.action_ids.contains(action)
    }
}

/// The origin as it was last read, and how to read it again.
pub struct Trust {
    cloud: Cloud,
    known: RwLock<(Origin, Timestamp)>,
}

impl Trust {
    /// Reads the webhook secret.
    ///
    /// # Errors
    /// [`BootError`] if it cannot be read, or holds what could be guessed.
    pub async fn read(cloud: &Cloud) -> Result<Self, BootError> {
        let origin = cloud.secret("WEBHOOK_SECRET").await?;
        Ok(Self { cloud: cloud.clone(), known: RwLock::new((origin, cloud.clock().now())) })
    }

    /// What `look` says of the origin. If that is an error, the secret may have been rotated: it is read again, at
    /// most once in [`ROTATION_LOOK`], and looked at once more. If it cannot be read, what was known goes on.
    pub(crate) async fn ask<T, E>(&self, look: impl Fn(&Origin) -> Result<T, E>) -> Result<T, E> {
        let now = self.cloud.clock().now();
        let still = |(origin, read_at): &(Origin, Timestamp)| {
            let answer = look(origin);
            let limit = if answer.is_ok() { AGE_MAX } else { ROTATION_LOOK };
            (now.duration_since(*read_at) < limit).then_some(answer)
        };
        if let Some(answer) = still(&*self.known.read().await) {
            return answer;
        }
        let mut known = self.known.write().await;
        // Unless somebody else has looked meanwhile.
        if still(&known).is_none() {
            known.1 = now;
            let read = self.cloud.secret("WEBHOOK_SECRET");
            match tokio::time::timeout(LOOK_TIMEOUT, read).await {
                Ok(Ok(origin)) => known.0 = origin,
                Ok(Err(error)) => tracing::error!(%error, "the webhook secret cannot be read again"),
                Err(_) => tracing::error!("the webhook secret is not read in time"),
            }
        }
        look(&known.0)
    }
}
