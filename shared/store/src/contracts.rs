//! What is agreed with a client company.

use portico_domain::{ContractId, SalesforceId, contracts::Contract, events::Event};
use serde_dynamo::Item;

use crate::{
    Store, StoreError, Tenant,
    cases::replacing,
    engine::{Condition, Index, Query, Table, WRITES_MAX, Write},
    keys,
    links::{Link, Linked},
    outbox,
};

/// Most contracts of one account.
const CONTRACTS_MAX: u16 = 200;

/// Contracts that are billed by the month.
const BY_CYCLE: Index = Index { name: "by-cycle", partition: "cycle" };
const MONTH: &str = "month";

/// A page of contracts that are billed by the month.
#[derive(Debug, Clone, PartialEq)]
pub struct MonthlyContracts {
    /// They.
    pub contracts: Vec<Contract>,
    /// Where to go on, if there may be more.
    pub next: Option<MonthlyPlace>,
}

/// A place among the contracts that are billed by the month.
#[derive(Debug, Clone, PartialEq)]
pub struct MonthlyPlace(Item);

fn key(tenant: &Tenant, contract: ContractId) -> crate::engine::Key {
    keys::key(Table::Contracts, tenant.account(), Some(contract.to_string()))
}

fn link(contract: &Contract) -> Result<Write, StoreError> {
    let record = Linked::Contract { contract: contract.id };
    Link::new(contract.salesforce_id, contract.account, record).write(Condition::Always)
}

fn put(contract: &Contract, condition: Condition) -> Result<Write, StoreError> {
    let mut keys = vec![("account", contract.account.to_string()), ("contract", contract.id.to_string())];
    // Contracts of cases and those that have ended are not in the index.
    if contract.has_months() && !contract.has_ended() {
        keys.push(("cycle", MONTH.to_owned()));
    }
    let item = keys::item(Table::Contracts, contract, &keys)?;
    Ok(Write::Put { table: Table::Contracts, item, condition })
}

impl Store {
    /// What is agreed with the tenant.
    ///
    /// # Errors
    /// [`StoreError::TooMany`] if it has more contracts than that; [`StoreError`] if the engine fails.
    pub async fn contracts(&self, tenant: &Tenant) -> Result<Vec<Contract>, StoreError> {
        self.all(Table::Contracts, tenant.account().to_string(), CONTRACTS_MAX).await
    }

    /// One contract of the tenant.
    ///
    /// # Errors
    /// [`StoreError`] if the engine fails.
    pub async fn contract(
        &self,
        tenant: &Tenant,
        contract: ContractId,
    ) -> Result<Option<Contract>, StoreError> {
        let item = self.engine.get(&key(tenant, contract)).await?;
        item.map(|item| keys::record(Table::Contracts, item)).transpose()
    }

    /// A page of all contracts, of whichever account, that are billed by the month or will be. The index behind it may be
    /// a moment behind the records.
    ///
    /// # Errors
    /// [`StoreError`] if the engine fails.
    pub async fn monthly_contracts(
        &self,
        after: Option<MonthlyPlace>,
        limit: u16,
    ) -> Result<MonthlyContracts, StoreError> {
        let query = Query {
            table: Table::Contracts,
            index: Some(BY_CYCLE),
            partition: MONTH.to_owned(),
            within: None,
            descending: false,
            limit,
            after: after.map(|MonthlyPlace(key)| key),
        };
        let found = self.engine.query(&query).await?;
        let contracts = found.items.into_iter().map(|item| keys::record(Table::Contracts, item));
        Ok(MonthlyContracts {
            contracts: contracts.collect::<Result<_, _>>()?,
            next: found.next.map(MonthlyPlace),
        })
    }

    /// Keeps a contract's next version, and where it is to be found, and tells of it.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if somebody else wrote it first.
    pub async fn save_contract(&self, contract: &Contract, event: &Event) -> Result<(), StoreError> {
        let writes =
            vec![put(contract, replacing(contract.version))?, link(contract)?, outbox::announce(event)?];
        self.transact(writes).await
    }

    /// Keeps a contract's next version, which holds on no day, and tells of it. Its record may be part of another contract by now: where
    /// that is to be found is not touched.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if somebody else wrote it first.
    pub async fn end_contract(&self, contract: &Contract, event: &Event) -> Result<(), StoreError> {
        self.transact(vec![put(contract, replacing(contract.version))?, outbox::announce(event)?]).await
    }

    /// A contract moved to another account: it leaves the one in the same transaction in which it appears in the
    /// other, and both are told.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if somebody else wrote it first.
    pub async fn move_contract(
        &self,
        from: &Contract,
        to: &Contract,
        events: &[Event; 2],
    ) -> Result<(), StoreError> {
        let left = key(&Tenant::new(from.account), from.id);
        let mut writes = vec![
            Write::Delete { key: left, condition: Condition::VersionIs(from.version) },
            put(to, Condition::Absent)?,
            link(to)?,
        ];
        for event in events {
            writes.push(outbox::announce(event)?);
        }
        self.transact(writes).await
    }

    /// Keeps where the parts of a contract are to be found: amendments and what hangs on it or on them.
    ///
    /// # Errors
    /// [`StoreError`] if the engine fails.
    pub async fn link_parts(&self, contract: &Contract, parts: &[SalesforceId]) -> Result<(), StoreError> {
        for some in parts.chunks(WRITES_MAX) {
            let record = || Linked::ContractPart { contract: contract.salesforce_id };
            let link =
                |part: &SalesforceId| Link::new(*part, contract.account, record()).write(Condition::Always);
            self.transact(some.iter().map(link).collect::<Result<_, _>>()?).await?;
        }
        Ok(())
    }
}
