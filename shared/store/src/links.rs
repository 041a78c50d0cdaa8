//! Where the portal keeps a Salesforce record.

use portico_domain::{AccountId, CaseId, EntryId, SalesforceId, cases::Case};
use serde::{Deserialize, Serialize};

use crate::{
    Store, StoreError,
    engine::{Condition, Table, Write},
    keys,
};

/// What a Salesforce record is in the portal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "linked", rename_all = "snake_case")]
pub enum Linked {
    /// A client company.
    Account,
    /// A case.
    Case {
        /// Which.
        case: CaseId,
    },
    /// A comment that was said in the portal.
    Comment {
        /// On which case.
        case: CaseId,
        /// The line of its timeline.
        entry: EntryId,
    },
}

/// One Salesforce record and its place in the portal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// The record in Salesforce.
    pub salesforce_id: SalesforceId,
    /// The account in whose partition the portal keeps it.
    pub account: AccountId,
    /// What it is there.
    #[serde(flatten)]
    pub record: Linked,
}

impl Link {
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

    /// Salesforce took a comment that was said in the portal.
    ///
    /// # Errors
    /// [`StoreError`] if the engine fails.
    pub async fn link_comment(
        &self,
        salesforce_id: SalesforceId,
        case: &Case,
        entry: EntryId,
    ) -> Result<(), StoreError> {
        let record = Linked::Comment { case: case.id, entry };
        let link = Link { salesforce_id, account: case.account, record };
        self.transact(vec![link.write(Condition::Always)?]).await
    }
}
