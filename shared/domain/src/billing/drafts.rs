//! What is not invoiced yet: drafts, and what bills leave to later ones.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{
    bill::{Bill, Carry},
    period::{Period, Scope},
};
use crate::{AccountId, ContractId, InvoiceId, Money, UserId};

/// The SHA-256 of a bill. Two bills of the same fingerprint are the same to the last rounding step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// The fingerprint of a bill.
    ///
    /// # Errors
    /// If the bill cannot be written as JSON.
    pub fn of(bill: &Bill) -> Result<Self, serde_json::Error> {
        Ok(Self(hex::encode(Sha256::digest(serde_json::to_vec(bill)?))))
    }

    /// The hash, hexadecimal.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A bill that somebody of the consultancy has taken in hand: nobody else issues it. It is priced again whenever it is
/// looked at, and issued only as it was last seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft {
    /// The id of the invoice that it becomes.
    pub id: InvoiceId,
    /// Whose invoice it becomes.
    pub account: AccountId,
    /// The contract that it is priced by.
    pub contract: ContractId,
    /// What it is for.
    pub scope: Scope,
    /// The bill as it was last seen.
    pub fingerprint: Fingerprint,
    /// What it came to.
    pub gross: Money,
    /// Who took it in hand.
    pub drafted_by: UserId,
    /// When it was last seen.
    pub drafted_at: Timestamp,
    /// Counts the writes of this record, from 1.
    pub version: u64,
}

/// What bills of a contract leave to later ones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContractBalance {
    /// Whose contract it is.
    pub account: AccountId,
    /// The contract.
    pub contract: ContractId,
    /// What is left of retainer, blocks and cap.
    pub carry: Carry,
    /// The last month that was billed, or looked at with nothing to bill.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub through: Option<Period>,
    /// The first month that the portal counts. What was logged for it or later is billed, however late.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Period>,
    /// Counts the writes of this record, from 1; 0 before the first.
    pub version: u64,
}

impl ContractBalance {
    /// Nothing was billed yet.
    pub fn new(account: AccountId, contract: ContractId) -> Self {
        Self { account, contract, carry: Carry::default(), through: None, since: None, version: 0 }
    }

    /// Months are counted from this one on: those up to `passed` were billed elsewhere.
    pub fn begun_after(&self, passed: Period) -> Self {
        let (through, since) = (Some(passed), Some(passed.next()));
        Self { through, since, version: self.version + 1, carry: self.carry.clone(), ..*self }
    }

    /// What stands after a bill. Only the months move on, and only forward.
    pub fn after(&self, scope: Scope, carry: Carry) -> Self {
        let through = match scope {
            Scope::Case { .. } => self.through,
            Scope::Period(period) => self.through.max(Some(period)),
        };
        Self { carry, through, version: self.version + 1, ..*self }
    }
}
