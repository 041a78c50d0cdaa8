//! Mail that would have been sent: by SES v2 on the wire, and by Cognito (codes and invitations).

use std::time::Duration;

use axum::response::Response;
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use portico_domain::Clock;
use rusqlite::{Row, params};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::clock::now_ms;
use crate::json_protocol::{self, Refusal};
use crate::store::{Store, StoreError, random_id};

/// The one operation of SES v2 that is served: `SendEmail`.
/// <https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html>
pub(crate) const SEND_PATH: &str = "/v2/email/outbound-emails";

/// Most recipients of one message, as in SES.
const RECIPIENTS: usize = 50;

/// Mail kept; the oldest goes first.
const KEPT: u32 = 1000;

const CONTENT_TYPE: &str = "application/json";

/// One message in the mailbox.
#[derive(Clone, Debug, Serialize)]
pub struct Mail {
    /// Rises with each mail.
    pub number: i64,
    /// The id that the sender was told.
    pub id: String,
    /// When it was sent.
    pub sent: Timestamp,
    /// Who sent it: `ses` or `cognito`.
    pub source: String,
    /// The sender's address.
    pub from: String,
    /// To, copy and blind copy.
    pub to: Vec<String>,
    /// The subject; empty for raw and template mail.
    pub subject: String,
    /// The text part; for raw mail the whole message, for template mail its data.
    pub text: Option<String>,
    /// The HTML part.
    pub html: Option<String>,
}

/// All mail, the newest thousand. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Mailbox {
    store: Store,
    clock: Clock,
    arrived: watch::Sender<()>,
}

/// A mail on its way into the mailbox.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    pub(crate) source: &'static str,
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
    pub(crate) subject: String,
    pub(crate) text: Option<String>,
    pub(crate) html: Option<String>,
}

impl Mailbox {
    pub(crate) fn new(store: Store, clock: Clock) -> Self {
        Self { store, clock, arrived: watch::Sender::new(()) }
    }

    /// Up to `max` mails to `recipient`, or to anyone, the newest first.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn list(&self, recipient: Option<&str>, max: usize) -> Result<Vec<Mail>, StoreError> {
        let recipient = recipient.map(str::to_lowercase);
        let max = i64::try_from(max).unwrap_or(i64::MAX);
        self.store
            .transact(move |tx| {
                let mut statement = tx.prepare_cached(
                    "SELECT id, message_id, sent_ms, source, sender, recipients, subject, text, html FROM mail
                     WHERE ?1 IS NULL OR EXISTS (SELECT 1 FROM json_each(recipients) WHERE lower(value) = ?1)
                     ORDER BY id DESC LIMIT ?2",
                )?;
                let mail = statement.query_map(params![recipient, max], mail)?.collect::<Result<_, _>>()?;
                Ok(mail)
            })
            .await
    }

    /// The first mail to `recipient` with a number above `after`; waits for it up to `wait`.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn wait_for(
        &self,
        recipient: &str,
        after: i64,
        wait: Duration,
    ) -> Result<Option<Mail>, StoreError> {
        let deadline = Instant::now() + wait;
        let mut arrived = self.arrived.subscribe();
        loop {
            arrived.mark_unchanged();
            let mail = self.list(Some(recipient), KEPT as usize).await?;
            if let Some(mail) = mail.into_iter().rev().find(|mail| mail.number > after) {
                return Ok(Some(mail));
            }
            if tokio::time::timeout_at(deadline, arrived.changed()).await.is_err() {
                return Ok(None);
            }
        }
    }

    /// Empties the mailbox.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn clear(&self) -> Result<(), StoreError> {
        self.store.transact(|tx| Ok(tx.execute("DELETE FROM mail", []).map(|_| ())?)).await
    }

    /// A signal that fires when mail arrives.
    #[must_use]
    pub fn arrivals(&self) -> watch::Receiver<()> {
        self.arrived.subscribe()
    }

    /// Keeps a mail and returns its id.
    pub(crate) async fn keep(&self, draft: Draft) -> Result<String, StoreError> {
        let now = now_ms(&self.clock);
        let id = self
            .store
            .transact(move |tx| {
                let id = random_id()?.to_string();
                let recipients = json!(draft.to).to_string();
                tx.prepare_cached(
                    "INSERT INTO mail (message_id, sent_ms, source, sender, recipients, subject, text, html)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                )?
                .execute(params![
                    id,
                    now,
                    draft.source,
                    draft.from,
                    recipients,
                    draft.subject,
                    draft.text,
                    draft.html
                ])?;
                tx.prepare_cached("DELETE FROM mail WHERE id <= (SELECT MAX(id) FROM mail) - ?1")?
                    .execute([KEPT])?;
                Ok::<_, StoreError>(id)
            })
            .await?;
        self.arrived.send_replace(());
        Ok(id)
    }

    /// `SendEmail` on the wire.
    pub(crate) async fn send_email(&self, headers: &HeaderMap, body: &[u8]) -> Response {
        let answer = match json_protocol::check_access_key(headers).and_then(|()| parse(body)) {
            Ok(draft) => self.keep(draft).await.map_err(|error| Refusal::internal(&error)),
            Err(refusal) => Err(refusal),
        };
        match answer {
            Ok(id) => {
                json_protocol::response(StatusCode::OK, CONTENT_TYPE, json!({ "MessageId": id }).to_string())
            }
            Err(refusal) => {
                // REST-JSON names the error in a header, not in the body.
                let code = refusal.code.clone();
                let mut response = refusal.into_response(CONTENT_TYPE);
                if let Ok(code) = code.parse() {
                    response.headers_mut().insert("x-amzn-errortype", code);
                }
                response
            }
        }
    }
}

fn mail(row: &Row<'_>) -> rusqlite::Result<Mail> {
    let recipients: String = row.get(5)?;
    Ok(Mail {
        number: row.get(0)?,
        id: row.get(1)?,
        sent: Timestamp::from_millisecond(row.get(2)?).unwrap_or_default(),
        source: row.get(3)?,
        from: row.get(4)?,
        to: serde_json::from_str(&recipients).unwrap_or_default(),
        subject: row.get(6)?,
        text: row.get(7)?,
        html: row.get(8)?,
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SendEmail {
    from_email_address: Option<String>,
    #[serde(default)]
    destination: Destination,
    content: Content,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Destination {
    to_addresses: Vec<String>,
    cc_addresses: Vec<String>,
    bcc_addresses: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Content {
    simple: Option<Simple>,
    raw: Option<Value>,
    template: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Simple {
    subject: Part,
    body: Parts,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Parts {
    text: Option<Part>,
    html: Option<Part>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Part {
    data: String,
}

fn parse(body: &[u8]) -> Result<Draft, Refusal> {
    let input: SendEmail = json_protocol::parse(body)
        .map_err(|refusal| Refusal { code: "BadRequestException".into(), ..refusal })?;
    let refuse = |message: &str| Err(Refusal::new("BadRequestException", message));
    let Destination { to_addresses, cc_addresses, bcc_addresses } = input.destination;
    let to: Vec<String> = [to_addresses, cc_addresses, bcc_addresses].concat();
    let from = input.from_email_address.unwrap_or_default();
    if to.is_empty() || to.len() > RECIPIENTS {
        return refuse("a message has 1 to 50 recipients");
    }
    if !from.contains('@') || to.iter().any(|address| !address.contains('@')) {
        return refuse("an address is not an e-mail address");
    }
    let draft = Draft { source: "ses", from, to, ..Draft::default() };
    match input.content {
        Content { simple: Some(simple), raw: None, template: None } => Ok(Draft {
            subject: simple.subject.data,
            text: simple.body.text.map(|part| part.data),
            html: simple.body.html.map(|part| part.data),
            ..draft
        }),
        Content { simple: None, raw: Some(other), template: None }
        | Content { simple: None, raw: None, template: Some(other) } => {
            Ok(Draft { text: Some(other.to_string()), ..draft })
        }
        _ => refuse("the content is exactly one of Simple, Raw and Template"),
    }
}
