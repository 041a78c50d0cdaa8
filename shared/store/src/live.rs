//! Live connections: one-time tickets that open them, and who is listening.

use jiff::{SignedDuration, Timestamp};
use portico_domain::{AccountId, Random, UserId, people::Viewer};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    ClientPerson, Person, Store, StoreError, Tenant,
    engine::{Condition, Index, Query, Table, Write},
    keys,
};

/// How long a ticket may wait to be used: the time from the answer to the handshake, with a bad network.
pub const TICKET_LIFE: SignedDuration = SignedDuration::from_secs(60);
/// How long API Gateway lets a connection live.
const CONNECTION_LIFE: SignedDuration = SignedDuration::from_hours(2);
/// Most connections of one account that are told.
const CONNECTIONS_MAX: u16 = 1_000;

/// A ticket as its holder knows it. The store keeps only its hash.
#[derive(Clone, PartialEq, Eq)]
pub struct LiveTicket(String);

impl LiveTicket {
    /// What stands in the connection's URL: 64 hexadecimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A ticket as it came with a handshake. `None` if it cannot be one.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
        digits.then(|| Self(text.to_owned()))
    }

    fn key(&self) -> String {
        hex::encode(Sha256::digest(self.0.as_bytes()))
    }
}

#[derive(Serialize, Deserialize)]
struct Issued {
    user: UserId,
    expires_at: i64,
}

/// Somebody who is listening to an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    /// API Gateway's id of the connection.
    pub connection: String,
    /// The account that is listened to.
    pub account: AccountId,
    /// Who listens.
    pub user: UserId,
    /// Swept after this, in epoch seconds: API Gateway has ended the connection by then.
    pub expires_at: i64,
}

/// A connection, and what its person may see now.
#[derive(Debug, Clone)]
pub struct Listener {
    /// API Gateway's id of the connection.
    pub connection: String,
    /// What they may see; absent if they may no longer see anything of this account.
    pub viewer: Option<Viewer>,
}

impl Store {
    /// A new one-time ticket for a client's live connection, and the moment it lapses.
    ///
    /// # Errors
    /// [`StoreError`] if the engine fails.
    pub async fn issue_live_ticket(
        &self,
        person: &ClientPerson,
        random: &Random,
        now: Timestamp,
    ) -> Result<(LiveTicket, Timestamp), StoreError> {
        let ticket = LiveTicket(hex::encode(random.secret()));
        let until = now.saturating_add(TICKET_LIFE).unwrap_or(now);
        let issued = Issued { user: person.viewer().user().clone(), expires_at: until.as_second() };
        let item = keys::item(Table::LiveTickets, &issued, &[("ticket", ticket.key())])?;
        self.transact(vec![Write::Put { table: Table::LiveTickets, item, condition: Condition::Absent }])
            .await?;
        Ok((ticket, until))
    }

    /// Uses a ticket up. `None` if it never was one, was used, has lapsed, or its person may no longer act.
    ///
    /// # Errors
    /// [`StoreError`] if the engine fails.
    pub async fn redeem_live_ticket(
        &self,
        ticket: &LiveTicket,
        now: Timestamp,
    ) -> Result<Option<ClientPerson>, StoreError> {
        let key = keys::key(Table::LiveTickets, ticket.key(), None);
        let Some(item) = self.engine.get(&key).await? else { return Ok(None) };
        let issued: Issued = keys::record(Table::LiveTickets, item)?;
        // Of two who come with the same ticket, one deletes it.
        if self.attempt(vec![Write::Delete { key, condition: Condition::Present }]).await?.is_err() {
            return Ok(None);
        }
        if issued.expires_at <= now.as_second() {
            return Ok(None);
        }
        match self.identify(&issued.user).await? {
            Some(Person::Client(client)) => Ok(Some(client)),
            Some(Person::Staff(_)) | None => Ok(None),
        }
    }

    /// Somebody starts to listen to their account.
    ///
    /// # Errors
    /// [`StoreError`] if the engine fails.
    pub async fn connect(
        &self,
        connection: &str,
        person: &ClientPerson,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let record = Connection {
            connection: connection.to_owned(),
            account: person.tenant().account(),
            user: person.viewer().user().clone(),
            expires_at: now.saturating_add(CONNECTION_LIFE).unwrap_or(now).as_second(),
        };
        let item = keys::item(Table::Connections, &record, &[])?;
        self.transact(vec![Write::Put { table: Table::Connections, item, condition: Condition::Always }])
            .await
    }

    /// A connection has ended.
    ///
    /// # Errors
    /// [`StoreError`] if the engine fails.
    pub async fn disconnect(&self, connection: &str) -> Result<(), StoreError> {
        let key = keys::key(Table::Connections, connection, None);
        self.transact(vec![Write::Delete { key, condition: Condition::Always }]).await
    }

    /// Who is listening to an account, with what each may see at this moment: a membership that has ended or
    /// moved to another account sees nothing.
    ///
    /// # Errors
    /// [`StoreError`] if the engine fails.
    pub async fn listeners(&self, tenant: &Tenant) -> Result<Vec<Listener>, StoreError> {
        let query = Query {
            table: Table::Connections,
            index: Some(Index { name: "by-account", partition: "account" }),
            partition: tenant.account().to_string(),
            within: None,
            descending: false,
            limit: CONNECTIONS_MAX,
            after: None,
        };
        let mut listeners = Vec::new();
        for item in self.engine.query(&query).await?.items {
            let connection: Connection = keys::record(Table::Connections, item)?;
            let viewer = match self.identify(&connection.user).await? {
                Some(Person::Client(person)) if person.tenant() == tenant => Some(person.viewer().clone()),
                Some(Person::Client(_) | Person::Staff(_)) | None => None,
            };
            listeners.push(Listener { connection: connection.connection, viewer });
        }
        Ok(listeners)
    }
}
