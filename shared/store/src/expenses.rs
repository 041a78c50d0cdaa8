//! What was paid for a client company.

use jiff::civil::Date;
use portico_domain::{CaseId, SalesforceId, contracts::Outlay, events::Event};

use crate::{
    Store, StoreError, Tenant,
    cases::{Days, replacing},
    engine::{Condition, Index, Query, Table, Write},
    keys,
    links::{Link, Linked},
    outbox,
};

const BY_CASE: Index = Index { name: "by-case", partition: "case_key" };
const BY_DAY: Index = Index { name: "by-day", partition: "account" };
/// Most expenses of a case, or of an account between two days, that are read: one invoice holds 500, and what is not
/// billed is read, too.
const EXPENSES_MAX: u16 = 2_500;
/// Most expenses of an account that it is compared by.
const ACCOUNT_EXPENSES_MAX: u16 = 50_000;

fn key(tenant: &Tenant, expense: SalesforceId) -> crate::engine::Key {
    keys::key(Table::Expenses, tenant.account(), Some(expense.to_string()))
}

fn put(outlay: &Outlay, condition: Condition) -> Result<Write, StoreError> {
    let tenant = Tenant::new(outlay.account);
    let mut keys = vec![
        ("account", outlay.account.to_string()),
        ("expense", outlay.salesforce_id().to_string()),
        ("incurred_on", outlay.paid.incurred_on.to_string()),
    ];
    if let Some(case) = outlay.paid.case {
        keys.push(("case_key", keys::case_partition(&tenant, case)));
    }
    Ok(Write::Put { table: Table::Expenses, item: keys::item(Table::Expenses, outlay, &keys)?, condition })
}

fn link(outlay: &Outlay, condition: Condition) -> Result<Write, StoreError> {
    Link::new(outlay.salesforce_id(), outlay.account, Linked::Expense).write(condition)
}

impl Store {
    /// One expense of the tenant, deleted or not.
    ///
    /// # Errors
    /// [`StoreError`] if the engine fails.
    pub async fn expense(
        &self,
        tenant: &Tenant,
        expense: SalesforceId,
    ) -> Result<Option<Outlay>, StoreError> {
        let item = self.engine.get(&key(tenant, expense)).await?;
        item.map(|item| keys::record(Table::Expenses, item)).transpose()
    }

    /// What was paid for a case, deleted expenses included. The index is eventually consistent: what was written a
    /// moment ago may be missing.
    ///
    /// # Errors
    /// [`StoreError::TooMany`] if it is more than anybody could bill; [`StoreError`] if the engine fails.
    pub async fn expenses(&self, tenant: &Tenant, case: CaseId) -> Result<Vec<Outlay>, StoreError> {
        self.everything(Query {
            table: Table::Expenses,
            index: Some(BY_CASE),
            partition: keys::case_partition(tenant, case),
            within: None,
            descending: false,
            limit: EXPENSES_MAX,
            after: None,
        })
        .await
    }

    /// What was paid for the tenant on these days, both included; deleted expenses are included, those for a case that
    /// it does not have any more are not. As consistent as [`Store::expenses`].
    ///
    /// # Errors
    /// As [`Store::expenses`].
    pub async fn expenses_between(
        &self,
        tenant: &Tenant,
        first: Date,
        last: Date,
    ) -> Result<Vec<Outlay>, StoreError> {
        let days = Days { first, last, sort: "incurred_on" };
        let outlays: Vec<Outlay> = self.between(Table::Expenses, BY_DAY, tenant, days, EXPENSES_MAX).await?;
        let here = self.still_here(tenant, outlays.iter().filter_map(|outlay| outlay.paid.case)).await?;
        let stays = |outlay: &Outlay| outlay.paid.case.is_none_or(|case| here.contains(&case));
        Ok(outlays.into_iter().filter(stays).collect())
    }

    /// Everything that was ever paid for the tenant.
    ///
    /// # Errors
    /// As [`Store::expenses`].
    pub async fn all_expenses(&self, tenant: &Tenant) -> Result<Vec<Outlay>, StoreError> {
        self.all(Table::Expenses, tenant.account().to_string(), ACCOUNT_EXPENSES_MAX).await
    }

    /// Keeps an expense's next version, and where it is to be found if it is new, and tells of it. Of two who saw it at different
    /// accounts, whoever links it first says whose it is.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if somebody else wrote it first.
    pub async fn save_expense(&self, outlay: &Outlay, event: &Event) -> Result<(), StoreError> {
        let mut writes = vec![put(outlay, replacing(outlay.version))?, outbox::announce(event)?];
        if outlay.version == 1 {
            writes.push(link(outlay, Condition::Absent)?);
        }
        self.transact(writes).await
    }

    /// An expense moved to another account: it leaves the one in the same transaction in which it appears in the other,
    /// and both are told.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if somebody else wrote it first.
    pub async fn move_expense(
        &self,
        from: &Outlay,
        to: &Outlay,
        events: &[Event; 2],
    ) -> Result<(), StoreError> {
        let left = key(&Tenant::new(from.account), from.salesforce_id());
        let mut writes = vec![
            Write::Delete { key: left, condition: Condition::VersionIs(from.version) },
            put(to, Condition::Absent)?,
            link(to, Condition::Always)?,
        ];
        for event in events {
            writes.push(outbox::announce(event)?);
        }
        self.transact(writes).await
    }
}
