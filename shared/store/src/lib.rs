//! Every key, item and condition of the portal's tables.
//!
//! | Table | Partition / sort key | Read by |
//! |---|---|---|
//! | accounts | account | name and address of one client company |
//! | members | user; index `by-account` | who a signed-in person is; who belongs to an account |
//! | contracts | account / contract | what is agreed with an account |
//! | cases | account / case; indexes `by-activity`, `by-raiser`, `by-contact` | one case; the cases of an account or of a person in it, newest activity first |
//! | case_activity | account#case / time#entry | a case's timeline, newest first |
//! | time_entries | account#case / entry; index `by-day` | what was worked on a case; for an account on some days |
//! | expenses | account / expense; indexes `by-case`, `by-day` | one expense; a case's expenses; an account's on some days |
//! | files | account / file; indexes `by-case`, `by-due` | one file; a case's files; files of which somebody has to decide whether they go |
//! | invoices | account / invoice; index `by-issue` | one invoice; an account's invoices, newest first |
//! | counters | series | the last number given in a series |
//! | idempotency | hash of tenant, user, operation and key | what a repeated command already did |
//! | outbox | case, or account where there is none / event (with a stream) | the relay, as each event is committed, in the order of each case |
//! | connections | connection; index `by-account` | who is listening to an account |
//! | live_tickets | hash of the ticket | whoever opens a live connection |
//! | salesforce_links | Salesforce id | where the portal keeps a Salesforce record |
//! | sync_runs | section / name | runs that hold the portal against Salesforce, newest first; their leases; how far they have come |
//! | audit | account / sequence; account#events / event | an account's audit trail; which events are in it |
//! | audit_heads | account | where an account's audit trail ends |
//! | archives | account / archive | an archive of a case's files, while somebody waits for it |
//! | usage | account / `space`, `space#`case, `acts#`month | how much room files take; how often what was done |
//! | invoice_positions | account#invoice / number | the positions of an invoice and how they come about; written once |
//! | credit_notes | account / credit note; index `by-invoice` | one credit note; an account's, oldest first; those about an invoice, newest first |
//! | disputes | account#invoice / dispute | the questions and disputes about an invoice, newest first |
//! | billing | account / contract; account#drafts / invoice | what bills of a contract leave to later ones; bills that staff have in hand |
//!
//! Three rules hold everywhere:
//! 1. An account's records are reached through a [`Tenant`], and a `Tenant` comes only out of a stored record.
//! 2. A command's effect, its idempotency record and its outbox event are one transaction ([`Ticket`]).
//! 3. Every replaced record names the version that it replaces; a lost race is an error, never a lost update.

mod archives;
mod audit;
mod cases;
mod contracts;
mod cursor;
mod disputes;
pub mod engine;
mod expenses;
mod files;
mod invoices;
mod keys;
mod links;
mod live;
pub mod outbox;
mod people;
mod runs;
mod tenant;
mod tickets;
mod usage;

use std::sync::Arc;

use engine::{Engine, EngineError, Refused, TransactError};
use portico_domain::events::Event;

pub use audit::{SEALED_AT_ONCE_MAX, Stretch};
pub use cases::{LINES_AT_ONCE, LineChange};
pub use contracts::{MonthlyContracts, MonthlyPlace};
pub use cursor::{Cursor, CursorError, Page, PageSize};
pub use disputes::DisputeChange;
pub use files::{Declared, DueFiles, DuePlace, Versions};
pub use invoices::{CreditIssue, Issue, IssueError, Place};
pub use links::{Link, Linked};
pub use live::{Connection, Listener, LiveTicket, TICKET_LIFE};
pub use people::{ClientPerson, Person, StaffPerson};
pub use runs::{Claim, Progress};
pub use tenant::Tenant;
pub use tickets::{Answer, Commit, Delivery, REMEMBERED, Repeat, Ticket};

/// The portal's records, on any engine.
#[derive(Clone)]
pub struct Store {
    engine: Arc<dyn Engine>,
}

/// Why the store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Somebody else wrote the record first: read it again and decide again.
    #[error("the record was changed by somebody else")]
    Conflict,
    /// The engine failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A stored item does not read as what it should be.
    #[error("an item of {table:?} cannot be read: {source}")]
    Item {
        /// Where it lies.
        table: engine::Table,
        /// What is wrong with it.
        source: serde_dynamo::Error,
    },
    /// A record cannot be written as JSON.
    #[error("a record cannot be written as JSON: {0}")]
    Unwritable(serde_json::Error),
    /// There is more than is read at once. Fewer would be a wrong answer.
    #[error("more than {most} items of {table:?}")]
    TooMany {
        /// Where they lie.
        table: engine::Table,
        /// How many are read at most.
        most: u16,
    },
    /// An entry of the audit trail cannot be written.
    #[error(transparent)]
    Audit(#[from] portico_domain::audit::WriteError),
}

impl Store {
    /// The portal's records on this engine.
    pub fn new(engine: Arc<dyn Engine>) -> Self {
        Self { engine }
    }

    /// Puts a fact into the outbox that comes with no change: somebody looked at something, or was refused. It is
    /// durable when this returns.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if this very event is there already; [`StoreError`] if the engine fails.
    pub async fn announce(&self, event: &Event) -> Result<(), StoreError> {
        self.transact(vec![outbox::announce(event)?]).await
    }

    async fn transact(&self, writes: Vec<engine::Write>) -> Result<(), StoreError> {
        self.attempt(writes).await?.map_err(|_| StoreError::Conflict)
    }

    /// Writes all or nothing. The inner error says which conditions did not hold, write by write.
    async fn attempt(
        &self,
        writes: Vec<engine::Write>,
    ) -> Result<Result<(), Vec<Option<Refused>>>, StoreError> {
        match self.engine.transact(&writes).await {
            Ok(()) => Ok(Ok(())),
            Err(TransactError::Conditions(refused)) => Ok(Err(refused)),
            Err(TransactError::Engine(error)) => Err(error.into()),
        }
    }
}
