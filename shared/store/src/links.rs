//! Where the portal keeps a Salesforce record.

use std::collections::BTreeMap;

use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use portico_domain::{
    AccountId, CaseId, ContractId, EntryId, FileId, InvoiceId, SalesforceId, UserId,
    cases::{Case, TimelineEntry},
};
use serde::{Deserialize, Serialize};

use crate::{
    Store, StoreError,
    engine::{Condition, Table, Write},
    keys,
};

/// How many links are read at once.
const READS_AT_ONCE: usize = 16;

/// What a Salesforce record is in the portal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "linked", rename_all = "snake_case")]
pub enum Linked {
    /// A client company.
    Account,
    /// A person who may sign in.
    Contact {
        /// Who.
        user: UserId,
    },
    /// A contract.
    Contract {
        /// Which.
        contract: ContractId,
    },
    /// An amendment, a rate, a milestone, a block or a discount: part of a contract.
    ContractPart {
        /// The contract in Salesforce: the one that amends no other.
        contract: SalesforceId,
    },
    /// A case.
    Case {
        /// Which.
        case: CaseId,
    },
    /// A comment, wherever it was said.
    Comment {
        /// On which case.
        case: CaseId,
        /// The line of its timeline.
        entry: EntryId,
        /// When that line says that it was said.
        at: Timestamp,
    },
    /// Hours worked on a case.
    TimeEntry {
        /// On which.
        case: CaseId,
        /// The entry.
        entry: EntryId,
    },
    /// Something that was paid for a client.
    Expense,
    /// The reference to a file of the portal.
    File {
        /// Which.
        file: FileId,
    },
    /// The record of an invoice of the portal.
    Invoice {
        /// Which.
        invoice: InvoiceId,
    },
}

impl Linked {
    /// The case that a comment or a time entry hangs on.
    pub fn parent(&self) -> Option<CaseId> {
        match self {
            Self::Comment { case, .. } | Self::TimeEntry { case, .. } => Some(*case),
            Self::Account
            | Self::Contact { .. }
            | Self::Contract { .. }
            | Self::ContractPart { .. }
            | Self::Case { .. }
            | Self::Expense
            | Self::File { .. }
            | Self::Invoice { .. } => None,
        }
    }
}

/// One Salesforce record and its place in the portal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// The record in Salesforce.
    pub salesforce_id: SalesforceId,
    /// The account in whose partition the portal keeps it.
    pub account: AccountId,
    /// What it is there.
    #[serde(flatten)]
    pub record: Linked,
    /// Counts the writes of this link, from 1, where it may lead elsewhere one day: comments and time entries.
    pub version: u64,
}

impl Link {
    /// A link that is new.
    pub(crate) fn new(salesforce_id: SalesforceId, account: AccountId, record: Linked) -> Self {
        Self { salesforce_id, account, record, version: 1 }
    }

    /// Whether it leads to what hangs on this case.
    pub fn leads_to(&self, case: &Case) -> bool {
        self.account == case.account && self.record.parent() == Some(case.id)
    }

    pub(crate) fn write(&self, condition: Condition) -> Result<Write, StoreError> {
        let item = keys::item(Table::SalesforceLinks, self, &[])?;
        Ok(Write::Put { table: Table::SalesforceLinks, item, condition })
    }
}

impl Store {
    /// Where the portal keeps a Salesforce record, if it does.
    ///
    /// # Errors
    /// [`StoreError`] if the engine fails.
    pub async fn link(&self, salesforce_id: SalesforceId) -> Result<Option<Link>, StoreError> {
        let item = self.engine.get(&keys::key(Table::SalesforceLinks, salesforce_id, None)).await?;
        item.map(|item| keys::record(Table::SalesforceLinks, item)).transpose()
    }

    /// As [`Store::link`], of several records at once; those that the portal does not keep are left out.
    ///
    /// # Errors
    /// [`StoreError`] if the engine fails.
    pub async fn links(
        &self,
        records: impl IntoIterator<Item = SalesforceId>,
    ) -> Result<BTreeMap<SalesforceId, Link>, StoreError> {
        let found: Vec<Option<Link>> = stream::iter(records)
            .map(|record| self.link(record))
            .buffer_unordered(READS_AT_ONCE)
            .try_collect()
            .await?;
        Ok(found.into_iter().flatten().map(|link| (link.salesforce_id, link)).collect())
    }

    /// Salesforce took a comment that was said in the portal.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if it is linked already; [`StoreError`] if the engine fails.
    pub async fn link_comment(
        &self,
        salesforce_id: SalesforceId,
        case: &Case,
        said: &TimelineEntry,
    ) -> Result<(), StoreError> {
        let record = Linked::Comment { case: case.id, entry: said.id, at: said.at };
        self.transact(vec![Link::new(salesforce_id, case.account, record).write(Condition::Absent)?]).await
    }
}
