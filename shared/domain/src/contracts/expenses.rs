//! Expenses as Salesforce has them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{AccountId, ContractId, SalesforceId, billing::Expense};

/// Something that was paid for a client, and whether it is billed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outlay {
    /// For whom it was paid.
    pub account: AccountId,
    /// The contract that it goes with, if one is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contract: Option<ContractId>,
    /// What was paid.
    pub paid: Expense,
    /// Whether the client pays for it.
    pub billable: bool,
    /// Whether it was deleted in Salesforce.
    pub deleted: bool,
    /// `SystemModstamp` of the record that was read.
    pub modstamp: Timestamp,
    /// Counts the writes of this record, from 1.
    pub version: u64,
}

impl Outlay {
    /// The record in Salesforce.
    pub fn salesforce_id(&self) -> SalesforceId {
        self.paid.salesforce_id
    }

    /// The expense, if it is billed under this contract: one that names none goes with whichever its account is billed
    /// by.
    pub fn billed_under(&self, contract: ContractId) -> Option<&Expense> {
        let goes_with = self.contract.is_none_or(|named| named == contract);
        (self.billable && !self.deleted && goes_with).then_some(&self.paid)
    }
}
