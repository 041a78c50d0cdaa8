//! What is agreed with a client company.

use portico_domain::{ContractId, SalesforceId, contracts::Contract};

use crate::{
    Store, StoreError, Tenant,
    cases::replacing,
    engine::{Condition, Table, WRITES_MAX, Write},
    keys,
    links::{Link, Linked},
};

/// Most contracts of one account.
const CONTRACTS_MAX: u16 = 200;

fn key(tenant: &Tenant, contract: ContractId) -> crate::engine::Key {
    keys::key(Table::Contracts, tenant.account(), Some(contract.to_string()))
}

fn link(contract: &Contract) -> Result<Write, StoreError> {
    let record = Linked::Contract { contract: contract.id };
    Link::new(contract.salesforce_id, contract.account, record).write(Condition::Always)
}

fn put(contract: &Contract, condition: Condition) -> Result<Write, StoreError> {
    let keys = [("account", contract.account.to_string()), ("contract", contract.id.to_string())];
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

    /// Keeps a contract's next version, and where it is to be found.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if somebody else wrote it first.
    pub async fn save_contract(&self, contract: &Contract) -> Result<(), StoreError> {
        self.transact(vec![put(contract, replacing(contract.version))?, link(contract)?]).await
    }

    /// Keeps a contract's next version, which holds on no day. Its record may be part of another contract by now: where
    /// that is to be found is not touched.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if somebody else wrote it first.
    pub async fn end_contract(&self, contract: &Contract) -> Result<(), StoreError> {
        self.transact(vec![put(contract, replacing(contract.version))?]).await
    }

    /// A contract moved to another account: it leaves the one in the same transaction in which it appears in the
    /// other.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if somebody else wrote it first.
    pub async fn move_contract(&self, from: &Contract, to: &Contract) -> Result<(), StoreError> {
        let left = key(&Tenant::new(from.account), from.id);
        self.transact(vec![
            Write::Delete { key: left, condition: Condition::VersionIs(from.version) },
            put(to, Condition::Absent)?,
            link(to)?,
        ])
        .await
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
