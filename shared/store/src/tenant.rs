//! The capability to reach one account's records.

use portico_domain::{
    AccountId,
    cases::Case,
    contracts::Contract,
    events::Event,
    files::{File, ObjectKey},
};

use crate::Link;

/// One account, on behalf of somebody who may act for it. Every key of an account's records is built from
/// one of these, so code that forgot to ask who is calling does not compile.
///
/// People get theirs from their stored membership ([`crate::Person`]). Workers act for the account that a
/// record names which only the portal itself can have written: an event, a link, a key in the bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tenant {
    account: AccountId,
}

impl Tenant {
    /// Only records in this crate lead to a tenant.
    pub(crate) fn new(account: AccountId) -> Self {
        Self { account }
    }

    /// The account that a committed event is about.
    pub fn of_event(event: &Event) -> Self {
        Self::new(event.account)
    }

    /// The account of a stored file.
    pub fn of_file(file: &File) -> Self {
        Self::new(file.account)
    }

    /// The account of a stored case.
    pub fn of_case(case: &Case) -> Self {
        Self::new(case.account)
    }

    /// The account of a stored contract.
    pub fn of_contract(contract: &Contract) -> Self {
        Self::new(contract.account)
    }

    /// The account under which an object lies; the portal alone chooses keys.
    pub fn of_object(key: &ObjectKey) -> Self {
        Self::new(key.account)
    }

    /// The account to which a Salesforce record belongs.
    pub fn of_link(link: &Link) -> Self {
        Self::new(link.account)
    }

    /// Which account.
    pub fn account(&self) -> AccountId {
        self.account
    }
}
