//! Idempotent commands: who asked for what under which key, and what came of it.

use jiff::{SignedDuration, Timestamp};
use portico_domain::UserId;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    Store, StoreError, Tenant,
    engine::{Condition, Refused, Table, Write},
    keys,
};

/// How long a command is remembered. Stripe keeps keys for at least as long.
pub const REMEMBERED: SignedDuration = SignedDuration::from_hours(48);
/// How long a command may take from its commit to its answer. Until then a repetition is told to wait; after
/// that the first attempt must have died, and a repetition answers from what it left behind. Larger than the
/// time-out of the functions behind the API (10 s in `template.yaml`).
const IN_FLIGHT: SignedDuration = SignedDuration::from_secs(11);

/// Permission to do one command once. Every write of a command demands one, and only a tenant, a user, an
/// operation, a key and a body make one.
#[derive(Debug, Clone)]
pub struct Ticket {
    key: String,
    fingerprint: String,
    now: Timestamp,
}

/// An answer as it was given, to be given again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// JSON body.
    pub body: String,
    /// `Location` of what was made.
    pub location: Option<String>,
}

/// What became of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Commit {
    /// It was done now.
    Done,
    /// It had been done before.
    Repeated(Repeat),
}

/// What is known of a command that had been done before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Repeat {
    /// It was answered; this is the answer.
    Answered(Answer),
    /// It was done, and whoever did it is about to answer.
    InFlight,
    /// It was done, and whoever did it died before answering. This is the id of what it made.
    Unanswered(String),
    /// The key was used for another body.
    OtherBody,
}

#[derive(Serialize, Deserialize)]
struct Record {
    fingerprint: String,
    made: String,
    committed_at: Timestamp,
    expires_at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    answer: Option<Answer>,
}

#[derive(Serialize, Deserialize)]
struct Expiry {
    expires_at: i64,
}

/// A message from outside, by its whole content: the same bytes from the same source are the same delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    key: String,
}

impl Delivery {
    /// The delivery of these bytes.
    pub fn new(source: &str, message: &[u8]) -> Self {
        Self { key: format!("delivery/{source}/{}", hex::encode(Sha256::digest(message))) }
    }
}

impl Ticket {
    /// A ticket for `operation`, bound to the account, the user, the header's key and the very body.
    pub fn new(
        tenant: &Tenant,
        user: &UserId,
        operation: &str,
        header: &str,
        body: &[u8],
        now: Timestamp,
    ) -> Self {
        let mut key = Sha256::new();
        for part in [&tenant.account().to_string(), user.as_str(), operation, header] {
            // Lengths keep ("ab", "c") and ("a", "bc") apart.
            key.update(part.len().to_be_bytes());
            key.update(part.as_bytes());
        }
        Self { key: hex::encode(key.finalize()), fingerprint: hex::encode(Sha256::digest(body)), now }
    }

    /// The write that spends the ticket; goes into the command's transaction.
    pub(crate) fn spend(&self, made: &str) -> Result<Write, StoreError> {
        let record = Record {
            fingerprint: self.fingerprint.clone(),
            made: made.to_owned(),
            committed_at: self.now,
            expires_at: self.now.saturating_add(REMEMBERED).unwrap_or(self.now).as_second(),
            answer: None,
        };
        self.put(&record, Condition::AbsentOrExpired { now: self.now.as_second() })
    }

    fn put(&self, record: &Record, condition: Condition) -> Result<Write, StoreError> {
        let item = keys::item(Table::Idempotency, record, &[("key", self.key.clone())])?;
        Ok(Write::Put { table: Table::Idempotency, item, condition })
    }

    fn judge(&self, record: Record) -> Repeat {
        if record.fingerprint != self.fingerprint {
            return Repeat::OtherBody;
        }
        match record.answer {
            Some(answer) => Repeat::Answered(answer),
            None if self.now.duration_since(record.committed_at) < IN_FLIGHT => Repeat::InFlight,
            None => Repeat::Unanswered(record.made),
        }
    }
}

impl Store {
    /// Does a command: its effect and its ticket in one transaction, so that there is no moment at which one
    /// stands without the other. `made` is the id of what the command makes.
    pub(crate) async fn command(
        &self,
        ticket: &Ticket,
        made: &str,
        effect: Vec<Write>,
    ) -> Result<Commit, StoreError> {
        // The ticket was free; something else stood in the way.
        self.try_command(ticket, made, effect).await?.map_err(|_| StoreError::Conflict)
    }

    /// As [`Store::command`]. The inner error says which conditions of the effect did not hold, write by write.
    pub(crate) async fn try_command(
        &self,
        ticket: &Ticket,
        made: &str,
        mut effect: Vec<Write>,
    ) -> Result<Result<Commit, Vec<Option<Refused>>>, StoreError> {
        effect.insert(0, ticket.spend(made)?);
        match self.attempt(effect).await? {
            Ok(()) => Ok(Ok(Commit::Done)),
            Err(refused) => {
                let mut refused = refused.into_iter();
                match refused.next().flatten() {
                    Some(Refused { item: Some(item) }) => {
                        let repeat = ticket.judge(keys::record(Table::Idempotency, item)?);
                        Ok(Ok(Commit::Repeated(repeat)))
                    }
                    Some(Refused { item: None }) | None => Ok(Err(refused.collect())),
                }
            }
        }
    }

    /// What is known of a command, without doing it. For a route that must look before it leaps.
    ///
    /// # Errors
    /// [`StoreError`] if the engine fails.
    pub async fn earlier(&self, ticket: &Ticket) -> Result<Option<Repeat>, StoreError> {
        Ok(self.command_record(ticket).await?.map(|record| ticket.judge(record)))
    }

    /// Keeps the answer of a command, unless one is kept already, and returns the one that is kept.
    ///
    /// # Errors
    /// [`StoreError`] if the engine fails; the command itself stands.
    pub async fn answer(&self, ticket: &Ticket, answer: Answer) -> Result<Answer, StoreError> {
        let Some(record) = self.command_record(ticket).await? else { return Ok(answer) };
        let answered = Record { answer: Some(answer.clone()), ..record };
        match self.attempt(vec![ticket.put(&answered, Condition::Unanswered)?]).await? {
            Ok(()) => Ok(answer),
            Err(_) => {
                Ok(self.command_record(ticket).await?.and_then(|record| record.answer).unwrap_or(answer))
            }
        }
    }

    /// Whether this very message was taken before. Costs one read, and is all that a repetition costs.
    ///
    /// # Errors
    /// [`StoreError`] if the engine fails.
    pub async fn taken_before(&self, delivery: &Delivery, now: Timestamp) -> Result<bool, StoreError> {
        let item = self.engine.get(&keys::key(Table::Idempotency, &delivery.key, None)).await?;
        let record: Option<Expiry> = item.map(|item| keys::record(Table::Idempotency, item)).transpose()?;
        Ok(record.is_some_and(|record| record.expires_at > now.as_second()))
    }

    /// Remembers a message as taken. To be called once everything in it is durable elsewhere, never before:
    /// a crash in between then means a repetition, not a loss.
    ///
    /// # Errors
    /// [`StoreError`] if the engine fails.
    pub async fn remember(&self, delivery: &Delivery, now: Timestamp) -> Result<(), StoreError> {
        let record = Expiry { expires_at: now.saturating_add(REMEMBERED).unwrap_or(now).as_second() };
        let item = keys::item(Table::Idempotency, &record, &[("key", delivery.key.clone())])?;
        let condition = Condition::AbsentOrExpired { now: now.as_second() };
        // Two of the same at once: either of them may remember it.
        self.attempt(vec![Write::Put { table: Table::Idempotency, item, condition }]).await?.ok();
        Ok(())
    }

    async fn command_record(&self, ticket: &Ticket) -> Result<Option<Record>, StoreError> {
        let item = self.engine.get(&keys::key(Table::Idempotency, &ticket.key, None)).await?;
        let record: Option<Record> = item.map(|item| keys::record(Table::Idempotency, item)).transpose()?;
        // A record past its expiry that the sweep has not reached yet is no record.
        Ok(record.filter(|record| record.expires_at > ticket.now.as_second()))
    }
}
