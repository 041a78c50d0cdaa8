//! Contracts with their rates and milestones: one record in the portal.

use std::{
    collections::{BTreeMap, BTreeSet},
    marker::PhantomData,
};

use jiff::civil::Date;
use portico_domain::{SalesforceId, contracts::Contract};
use portico_salesforce::records::{ContractRecord, MilestoneRecord, RateRecord, Record};
use portico_store::{Link, Linked, Tenant};

use crate::{
    Deps, SyncError,
    reading::{self, Looked, Refresh},
};

/// Part of a contract.
pub(crate) trait Part: Record + Send {
    /// The contract that it is part of.
    fn contract(&self) -> Option<SalesforceId>;
}

impl Part for RateRecord {
    fn contract(&self) -> Option<SalesforceId> {
        self.contract
    }
}

impl Part for MilestoneRecord {
    fn contract(&self) -> Option<SalesforceId> {
        self.contract
    }
}

/// Contracts, parts included.
pub(crate) struct Contracts;

/// Rates, or milestones: the contracts that they are, or were, part of.
pub(crate) struct Parts<P>(PhantomData<fn() -> P>);

impl<P> Default for Parts<P> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<P: Part> Refresh for Parts<P> {
    async fn look(&mut self, deps: &Deps, ids: &[SalesforceId]) -> Result<Looked, SyncError> {
        let links = deps.store.links(ids.iter().copied()).await?;
        let records = reading::by_id::<P>(deps, ids).await?;
        // By contract, the parts that are up to date once it is.
        let mut parts: BTreeMap<SalesforceId, Vec<SalesforceId>> = BTreeMap::new();
        for id in ids {
            let before = match links.get(id).map(|link| &link.record) {
                Some(Linked::ContractPart { contract }) => Some(*contract),
                _ => None,
            };
            let now = records.get(id).and_then(Part::contract);
            for contract in BTreeSet::from_iter(before.into_iter().chain(now)) {
                parts.entry(contract).or_default().push(*id);
            }
        }
        let contracts: Vec<SalesforceId> = parts.keys().copied().collect();
        let mut looked = Looked::default();
        for (contract, error) in reading::refresh(deps, &contracts, Contracts).await {
            let parts = parts.remove(&contract).unwrap_or_default();
            looked.behind.extend(parts.into_iter().map(|part| (part, error.clone())));
        }
        Ok(looked)
    }
}

/// Parts by their contract, those in the recycle bin left out, in the order of their ids.
fn by_contract<P: Part>(records: Vec<P>) -> BTreeMap<SalesforceId, Vec<P>> {
    let mut parts: BTreeMap<SalesforceId, Vec<P>> = BTreeMap::new();
    for part in records.into_iter().filter(|part| !part.is_deleted()) {
        if let Some(contract) = part.contract() {
            parts.entry(contract).or_default().push(part);
        }
    }
    parts.values_mut().for_each(|parts| parts.sort_unstable_by_key(Record::id));
    parts
}

impl Refresh for Contracts {
    async fn look(&mut self, deps: &Deps, ids: &[SalesforceId]) -> Result<Looked, SyncError> {
        let links = deps.store.links(ids.iter().copied()).await?;
        let mut known = BTreeMap::new();
        for (id, link) in &links {
            known.extend(contract_behind(deps, link).await?.map(|contract| (*id, contract)));
        }
        let mut records = reading::by_id::<ContractRecord>(deps, ids).await?;
        let mut rates = by_contract(reading::by_field::<RateRecord>(deps, "Contract__c", ids).await?);
        let mut milestones =
            by_contract(reading::by_field::<MilestoneRecord>(deps, "Contract__c", ids).await?);
        let tenants = reading::tenants(deps, records.values().filter_map(|record| record.account)).await?;

        let mut looked = Looked::default();
        for id in ids {
            let sighting = Sighting {
                known: known.remove(id),
                record: records.remove(id),
                rates: rates.remove(id).unwrap_or_default(),
                milestones: milestones.remove(id).unwrap_or_default(),
            };
            looked.note(*id, settle(deps, &tenants, sighting).await);
        }
        Ok(looked)
    }
}

async fn contract_behind(deps: &Deps, link: &Link) -> Result<Option<Contract>, SyncError> {
    match link.record {
        Linked::Contract { contract } => Ok(deps.store.contract(&Tenant::of_link(link), contract).await?),
        _ => Ok(None),
    }
}

/// One contract, here and there.
struct Sighting {
    known: Option<Contract>,
    record: Option<ContractRecord>,
    rates: Vec<RateRecord>,
    milestones: Vec<MilestoneRecord>,
}

async fn settle(
    deps: &Deps,
    tenants: &BTreeMap<SalesforceId, Tenant>,
    sighting: Sighting,
) -> Result<(), SyncError> {
    let Sighting { known, record, rates, milestones } = sighting;
    let version = known.as_ref().map_or(0, |contract| contract.version) + 1;
    let there = record.and_then(|record| Some((tenants.get(&record.account?)?, record)));
    let Some((tenant, record)) = there else {
        // Purged, or of a company that is no client any more: it holds on no day.
        return match known.filter(|contract| contract.valid_to != Some(Date::MIN)) {
            Some(known) => Ok(deps
                .store
                .save_contract(&Contract { valid_to: Some(Date::MIN), version, ..known })
                .await?),
            None => Ok(()),
        };
    };
    let contract = record.contract(tenant.account(), &rates, &milestones, version)?;
    if known.as_ref().is_some_and(|known| Contract { version: known.version, ..contract.clone() } == *known) {
        return Ok(());
    }
    let parts = |contract: &Contract| -> BTreeSet<SalesforceId> {
        let rates = contract.rates.iter().map(|rate| rate.salesforce_id);
        rates.chain(contract.milestones.iter().map(|milestone| milestone.salesforce_id)).collect()
    };
    let before = known.as_ref().map(parts).unwrap_or_default();
    let new: Vec<SalesforceId> = parts(&contract).difference(&before).copied().collect();
    deps.store.link_parts(&contract, &new).await?;
    match &known {
        Some(from) if from.account != contract.account => {
            deps.store.move_contract(from, &Contract { version: 1, ..contract }).await?;
        }
        _ => deps.store.save_contract(&contract).await?,
    }
    reading::became_visible(deps, record.system_modstamp);
    Ok(())
}
