//! The seam: everything above it is the portal's, everything below it is a database's.

use async_trait::async_trait;
use serde_dynamo::Item;

/// The portal's tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the crate's documentation lists them")]
pub enum Table {
    Accounts,
    Members,
    Contracts,
    Cases,
    CaseActivity,
    TimeEntries,
    Expenses,
    Files,
    Invoices,
    Counters,
    Idempotency,
    Outbox,
    Connections,
    LiveTickets,
    SalesforceLinks,
    SyncRuns,
    Audit,
    AuditHeads,
    Archives,
    Usage,
    InvoicePositions,
    CreditNotes,
    Disputes,
    Billing,
}

impl Table {
    /// The variable that names this table on AWS.
    pub fn setting(self) -> &'static str {
        match self {
            Self::Accounts => "ACCOUNTS_TABLE",
            Self::Members => "MEMBERS_TABLE",
            Self::Contracts => "CONTRACTS_TABLE",
            Self::Cases => "CASES_TABLE",
            Self::CaseActivity => "CASE_ACTIVITY_TABLE",
            Self::TimeEntries => "TIME_ENTRIES_TABLE",
            Self::Expenses => "EXPENSES_TABLE",
            Self::Files => "FILES_TABLE",
            Self::Invoices => "INVOICES_TABLE",
            Self::Counters => "COUNTERS_TABLE",
            Self::Idempotency => "IDEMPOTENCY_TABLE",
            Self::Outbox => "OUTBOX_TABLE",
            Self::Connections => "CONNECTIONS_TABLE",
            Self::LiveTickets => "LIVE_TICKETS_TABLE",
            Self::SalesforceLinks => "SALESFORCE_LINKS_TABLE",
            Self::SyncRuns => "SYNC_RUNS_TABLE",
            Self::Audit => "AUDIT_TABLE",
            Self::AuditHeads => "AUDIT_HEADS_TABLE",
            Self::Archives => "ARCHIVES_TABLE",
            Self::Usage => "USAGE_TABLE",
            Self::InvoicePositions => "INVOICE_POSITIONS_TABLE",
            Self::CreditNotes => "CREDIT_NOTES_TABLE",
            Self::Disputes => "DISPUTES_TABLE",
            Self::Billing => "BILLING_TABLE",
        }
    }

    /// Names of the partition key and, where there is one, the sort key.
    pub fn key_names(self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::Accounts => ("account", None),
            Self::Members => ("user", None),
            Self::Contracts => ("account", Some("contract")),
            Self::Cases => ("account", Some("case")),
            Self::CaseActivity | Self::TimeEntries => ("case_key", Some("entry")),
            Self::Expenses => ("account", Some("expense")),
            Self::Files => ("account", Some("file")),
            Self::Invoices => ("account", Some("invoice")),
            Self::Counters => ("series", None),
            Self::Idempotency => ("key", None),
            Self::Outbox => ("subject", Some("event")),
            Self::Connections => ("connection", None),
            Self::LiveTickets => ("ticket", None),
            Self::SalesforceLinks => ("salesforce_id", None),
            Self::SyncRuns => ("section", Some("name")),
            Self::Audit => ("account", Some("sequence")),
            Self::AuditHeads => ("account", None),
            Self::Archives => ("account", Some("archive")),
            Self::Usage => ("account", Some("entry")),
            Self::InvoicePositions => ("invoice_key", Some("entry")),
            Self::CreditNotes => ("account", Some("credit_note")),
            Self::Disputes => ("invoice_key", Some("dispute")),
            Self::Billing => ("account_key", Some("entry")),
        }
    }
}

/// The primary key of one item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Where it lies.
    pub table: Table,
    /// Value of the partition key.
    pub partition: String,
    /// Value of the sort key; present exactly where the table has one.
    pub sort: Option<String>,
}

/// What must be true of the stored item for a write to happen. A closed set: a new condition is a new
/// variant, drawn and tested here, not an expression somewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// Nothing; the write replaces whatever is there.
    Always,
    /// There is no such item.
    Absent,
    /// There is such an item.
    Present,
    /// There is no such item, or its `expires_at` has passed. The sweep by TTL may be days late, so expiry
    /// is part of the condition:
    ///
    /// ```text
    /// time ──────▶   put          expires_at              swept (up to days later)
    ///                 │ present, alive │ present, but expired │ absent
    /// write with      │    refused     │       accepted       │ accepted
    /// this condition ─┴────────────────┴──────────────────────┴──────────
    /// ```
    AbsentOrExpired {
        /// The present, in epoch seconds.
        now: i64,
    },
    /// The item's `version` is this one.
    VersionIs(u64),
    /// The item has no attribute `answer` yet.
    Unanswered,
}

/// One write of a transaction.
#[derive(Debug, Clone, PartialEq)]
pub enum Write {
    /// Puts a whole item.
    Put {
        /// Where to.
        table: Table,
        /// The item, keys included.
        item: Item,
        /// On which condition.
        condition: Condition,
    },
    /// Deletes an item.
    Delete {
        /// Which.
        key: Key,
        /// On which condition.
        condition: Condition,
    },
    /// Adds to numbers of an item, which begin at 0; makes the item if there is none. Nobody has to read it first, so
    /// writers do not get into each other's way.
    Add {
        /// Which item.
        key: Key,
        /// What is added to which attribute.
        amounts: Vec<(String, i64)>,
        /// What an attribute may be afterwards, at most; refused otherwise.
        at_most: Vec<(&'static str, u64)>,
    },
    /// Writes nothing, but fails the transaction if the condition does not hold.
    Check {
        /// Which item.
        key: Key,
        /// The condition.
        condition: Condition,
    },
}

/// Most writes in one transaction (DynamoDB's limit).
pub const WRITES_MAX: usize = 100;

/// A condition that did not hold, with the item that stood in the way.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Refused {
    /// The stored item, if there is one.
    pub item: Option<Item>,
}

/// Why a transaction was not written.
#[derive(Debug, thiserror::Error)]
pub enum TransactError {
    /// Some conditions did not hold; one entry a write, `None` where it did.
    #[error("a condition did not hold")]
    Conditions(Vec<Option<Refused>>),
    /// The engine failed. Whether anything was written is unknown only for [`EngineError::Unavailable`].
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// The engine failed.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// Other writers got in the way again and again; nothing was written.
    #[error("the database is busy")]
    Busy,
    /// No answer, or one that says "later".
    #[error("the database does not answer: {0}")]
    Unavailable(String),
    /// The request itself is wrong: a bug of ours.
    #[error("the database refused the request: {0}")]
    Rejected(String),
    /// This function was not given that table.
    #[error("this function has no access to table {0:?}")]
    NoSuchTable(Table),
}

/// A query of one partition, of a table or of an index of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// Where.
    pub table: Table,
    /// The index and the names of its keys; the table itself if absent.
    pub index: Option<Index>,
    /// Value of the partition key.
    pub partition: String,
    /// Only items whose sort key is within this; all if absent.
    pub within: Option<Within>,
    /// Newest (largest sort key) first.
    pub descending: bool,
    /// Most items to read.
    pub limit: u16,
    /// The key after which to go on: all key attributes of table and index.
    pub after: Option<Item>,
}

/// A range of sort keys, both ends included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Within {
    /// The sort key of the table or index.
    pub name: &'static str,
    /// The least.
    pub first: String,
    /// The largest.
    pub last: String,
}

/// A secondary index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Index {
    /// Its name.
    pub name: &'static str,
    /// Its partition key.
    pub partition: &'static str,
}

/// What a query found.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Found {
    /// The items, in order.
    pub items: Vec<Item>,
    /// Where to go on, if there may be more.
    pub next: Option<Item>,
}

/// A database, seen through the three things that the portal asks of one.
#[async_trait]
pub trait Engine: Send + Sync {
    /// One item, strongly consistent.
    async fn get(&self, key: &Key) -> Result<Option<Item>, EngineError>;

    /// One page of a partition. Strongly consistent on a table, eventually on an index.
    async fn query(&self, query: &Query) -> Result<Found, EngineError>;

    /// All writes or none. At most [`WRITES_MAX`], no two of the same item.
    async fn transact(&self, writes: &[Write]) -> Result<(), TransactError>;
}
