//! Contracts with their amendments, rates, milestones, blocks and discounts: one record in the portal.
//!
//! Whatever of it was named, all of it is read again, from the record on that amends no other. A record may start or
//! stop to amend another, so what the link says and what Salesforce says are both looked at.

use std::{
    collections::{BTreeMap, BTreeSet},
    marker::PhantomData,
};

use portico_domain::{
    ContractId, SalesforceId,
    contracts::{AMENDMENTS_MAX, Contract},
    events::Event,
};
use portico_salesforce::records::{
    BlockRecord, ContractRecord, ContractRecords, DiscountRecord, MilestoneRecord, PaperRecords, RateRecord,
    Record, Wrong,
};
use portico_store::{Link, Linked, Tenant};

use crate::{
    Deps, SyncError,
    reading::{self, Behind, Looked, Refresh},
};

/// How many amendments of amendments are followed. Whoever names the latest paper instead of the first makes one more
/// with each.
const DEPTH_MAX: usize = 12;

/// Part of a contract.
pub(crate) trait Part: Record + Send {
    /// The contract, or the amendment, that it is part of.
    fn contract(&self) -> Option<SalesforceId>;
}

macro_rules! part {
    ($($record:ident),+) => {
        $(impl Part for $record {
            fn contract(&self) -> Option<SalesforceId> {
                self.contract
            }
        })+
    };
}
part!(RateRecord, MilestoneRecord, BlockRecord, DiscountRecord);

/// Contracts as they are one record here, by the record that amends no other.
struct Contracts;

/// Contracts and amendments, as they are records there.
pub(crate) struct Papers;

/// Parts of one kind: the contracts that they are, or were, part of.
pub(crate) struct Parts<P>(PhantomData<fn() -> P>);

impl<P> Default for Parts<P> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

/// The first paper of each of these: itself, or what it amends, however often that was amended before.
type Firsts = BTreeMap<SalesforceId, Result<SalesforceId, SyncError>>;

async fn firsts(deps: &Deps, papers: BTreeSet<SalesforceId>) -> Result<Firsts, SyncError> {
    let mut tips: BTreeMap<SalesforceId, SalesforceId> =
        papers.iter().map(|paper| (*paper, *paper)).collect();
    let mut firsts = Firsts::new();
    for _ in 0..=DEPTH_MAX {
        let open: BTreeSet<SalesforceId> = tips.values().copied().collect();
        if open.is_empty() {
            return Ok(firsts);
        }
        let records = reading::by_id::<ContractRecord>(deps, &Vec::from_iter(open)).await?;
        tips = tips
            .into_iter()
            .filter_map(|(paper, tip)| match records.get(&tip).and_then(|record| record.amends) {
                Some(amended) => Some((paper, amended)),
                None => {
                    firsts.insert(paper, Ok(tip));
                    None
                }
            })
            .collect();
    }
    firsts.extend(tips.into_keys().map(|paper| {
        let endless = Wrong::Endless.in_field(paper, "Amends__c");
        (paper, Err(endless.into()))
    }));
    Ok(firsts)
}

/// What was named, and the contracts that are to be read because of it.
#[derive(Default)]
struct Concerned {
    /// By contract, the records that are up to date once it is.
    contracts: BTreeMap<SalesforceId, Vec<SalesforceId>>,
    behind: Behind,
}

impl Concerned {
    fn by(&mut self, contract: SalesforceId, record: SalesforceId) {
        self.contracts.entry(contract).or_default().push(record);
    }

    async fn refresh(self, deps: &Deps) -> Looked {
        let Self { mut contracts, behind } = self;
        let mut looked = Looked { behind, ..Looked::default() };
        let ids: Vec<SalesforceId> = contracts.keys().copied().collect();
        for (contract, error) in reading::refresh(deps, &ids, Contracts).await {
            let records = contracts.remove(&contract).unwrap_or_default();
            looked.behind.extend(records.into_iter().map(|record| (record, error.clone())));
        }
        looked
    }
}

/// The contract that a link leads to, as Salesforce knows it.
fn linked_contract(link: &Link) -> Option<SalesforceId> {
    match link.record {
        Linked::Contract { .. } => Some(link.salesforce_id),
        Linked::ContractPart { contract } => Some(contract),
        _ => None,
    }
}

impl Refresh for Papers {
    async fn look(&mut self, deps: &Deps, ids: &[SalesforceId]) -> Result<Looked, SyncError> {
        let links = deps.store.links(ids.iter().copied()).await?;
        let mut concerned = Concerned::default();
        for (paper, first) in firsts(deps, ids.iter().copied().collect()).await? {
            let before = links.get(&paper).and_then(linked_contract);
            let now = first.map_err(|error| concerned.behind.insert(paper, error)).ok();
            for contract in BTreeSet::from_iter(before.into_iter().chain(now)) {
                concerned.by(contract, paper);
            }
        }
        Ok(concerned.refresh(deps).await)
    }
}

impl<P: Part> Refresh for Parts<P> {
    async fn look(&mut self, deps: &Deps, ids: &[SalesforceId]) -> Result<Looked, SyncError> {
        let links = deps.store.links(ids.iter().copied()).await?;
        let records = reading::by_id::<P>(deps, ids).await?;
        let papers = records.values().filter_map(Part::contract).collect();
        let firsts = firsts(deps, papers).await?;
        let mut concerned = Concerned::default();
        for id in ids {
            let before = links.get(id).and_then(linked_contract);
            let now = records.get(id).and_then(Part::contract).and_then(|paper| firsts.get(&paper)).cloned();
            let now = now.transpose().map_err(|error| concerned.behind.insert(*id, error)).ok().flatten();
            for contract in BTreeSet::from_iter(before.into_iter().chain(now)) {
                concerned.by(contract, *id);
            }
        }
        Ok(concerned.refresh(deps).await)
    }
}

/// Parts by their paper, those in the recycle bin left out, in the order of their ids.
type ByPaper<P> = BTreeMap<SalesforceId, Vec<P>>;

async fn parts<P: Part>(deps: &Deps, papers: &[SalesforceId]) -> Result<ByPaper<P>, SyncError> {
    let mut parts: ByPaper<P> = BTreeMap::new();
    let records = reading::by_field::<P>(deps, "Contract__c", papers).await?;
    for part in records.into_iter().filter(|part| !part.is_deleted()) {
        if let Some(paper) = part.contract() {
            parts.entry(paper).or_default().push(part);
        }
    }
    parts.values_mut().for_each(|parts| parts.sort_unstable_by_key(Record::id));
    Ok(parts)
}

/// Everything that Salesforce has of some contracts.
struct There {
    firsts: BTreeMap<SalesforceId, ContractRecord>,
    /// By contract.
    amendments: BTreeMap<SalesforceId, Vec<ContractRecord>>,
    rates: ByPaper<RateRecord>,
    discounts: ByPaper<DiscountRecord>,
    milestones: ByPaper<MilestoneRecord>,
    blocks: ByPaper<BlockRecord>,
}

impl There {
    async fn read(deps: &Deps, contracts: &[SalesforceId]) -> Result<Self, SyncError> {
        let firsts = reading::by_id::<ContractRecord>(deps, contracts).await?;
        let amendments = amendments(deps, contracts).await?;
        let all = amendments.values().flatten().map(|amendment| amendment.id);
        let papers: Vec<SalesforceId> = contracts.iter().copied().chain(all).collect();
        Ok(Self {
            firsts,
            amendments,
            rates: parts(deps, &papers).await?,
            discounts: parts(deps, &papers).await?,
            milestones: parts(deps, &papers).await?,
            blocks: parts(deps, &papers).await?,
        })
    }

    /// All of one contract; nothing if its record is gone, or amends another by now.
    fn take(&mut self, contract: SalesforceId) -> Option<ContractRecords> {
        let first = self.firsts.remove(&contract).filter(|record| record.amends.is_none())?;
        let amendments = self.amendments.remove(&contract).unwrap_or_default();
        let papers: Vec<SalesforceId> =
            [contract].into_iter().chain(amendments.iter().map(|amendment| amendment.id)).collect();
        Some(ContractRecords {
            milestones: gather(&mut self.milestones, &papers),
            blocks: gather(&mut self.blocks, &papers),
            first: self.paper(first),
            amendments: amendments.into_iter().map(|amendment| self.paper(amendment)).collect(),
        })
    }

    fn paper(&mut self, record: ContractRecord) -> PaperRecords {
        PaperRecords {
            rates: self.rates.remove(&record.id).unwrap_or_default(),
            discounts: self.discounts.remove(&record.id).unwrap_or_default(),
            record,
        }
    }
}

/// Parts of several papers, in the order of their ids.
fn gather<P: Part>(parts: &mut ByPaper<P>, papers: &[SalesforceId]) -> Vec<P> {
    let mut gathered: Vec<P> = papers.iter().filter_map(|paper| parts.remove(paper)).flatten().collect();
    gathered.sort_unstable_by_key(Record::id);
    gathered
}

/// What amends these contracts, or an amendment of them, those in the recycle bin left out.
async fn amendments(
    deps: &Deps,
    contracts: &[SalesforceId],
) -> Result<BTreeMap<SalesforceId, Vec<ContractRecord>>, SyncError> {
    let mut found: BTreeMap<SalesforceId, Vec<ContractRecord>> = BTreeMap::new();
    // By paper, the contract that it belongs to.
    let mut amended: BTreeMap<SalesforceId, SalesforceId> = contracts.iter().map(|id| (*id, *id)).collect();
    for _ in 0..=DEPTH_MAX {
        if amended.is_empty() {
            return Ok(found);
        }
        let papers: Vec<SalesforceId> = amended.keys().copied().collect();
        let mut next = BTreeMap::new();
        for record in reading::by_field::<ContractRecord>(deps, "Amends__c", &papers).await? {
            let contract = record.amends.and_then(|paper| amended.get(&paper)).copied();
            if let Some(contract) = contract.filter(|_| !record.is_deleted) {
                next.insert(record.id, contract);
                found.entry(contract).or_default().push(record);
            }
        }
        // One more than is taken over is enough to refuse a contract.
        next.retain(|_, contract| found.get(contract).is_some_and(|papers| papers.len() <= AMENDMENTS_MAX));
        amended = next;
    }
    Ok(found)
}

impl Refresh for Contracts {
    async fn look(&mut self, deps: &Deps, ids: &[SalesforceId]) -> Result<Looked, SyncError> {
        let links = deps.store.links(ids.iter().copied()).await?;
        let mut known = BTreeMap::new();
        for (id, link) in &links {
            known.extend(contract_behind(deps, link).await?.map(|contract| (*id, contract)));
        }
        let mut there = There::read(deps, ids).await?;
        let accounts = there.firsts.values().filter_map(|record| record.account);
        let tenants = reading::tenants(deps, accounts).await?;
        let mut looked = Looked::default();
        for id in ids {
            looked.note(*id, settle(deps, &tenants, known.remove(id), there.take(*id)).await);
        }
        Ok(looked)
    }
}

/// The contract whose record this is, or was before it became part of another.
async fn contract_behind(deps: &Deps, link: &Link) -> Result<Option<Contract>, SyncError> {
    match link.record {
        Linked::Contract { .. } | Linked::ContractPart { .. } => {
            let contract = ContractId::of_salesforce(&link.salesforce_id);
            Ok(deps.store.contract(&Tenant::of_link(link), contract).await?)
        }
        _ => Ok(None),
    }
}

/// Writes one contract as it is there.
async fn settle(
    deps: &Deps,
    tenants: &BTreeMap<SalesforceId, Tenant>,
    known: Option<Contract>,
    there: Option<ContractRecords>,
) -> Result<(), SyncError> {
    let now = deps.clock.now();
    let bill_changed = |contract: &Contract| Event::bill_changed(contract.account, None, now, &deps.random);
    let there = there.and_then(|there| Some((tenants.get(&there.first.record.account?)?, there)));
    let Some((tenant, there)) = there else {
        // Purged, of a company that is no client any more, or part of another contract: it holds on no day.
        return match known.and_then(|known| known.ended()) {
            Some(ended) => Ok(deps.store.end_contract(&ended, &bill_changed(&ended)).await?),
            None => Ok(()),
        };
    };
    let version = known.as_ref().map_or(0, |contract| contract.version) + 1;
    let contract = there.contract(tenant.account(), version)?;
    if known.as_ref().is_some_and(|known| Contract { version: known.version, ..contract.clone() } == *known) {
        return Ok(());
    }
    let before = known.as_ref().map(part_ids).unwrap_or_default();
    let new: Vec<SalesforceId> = part_ids(&contract).difference(&before).copied().collect();
    deps.store.link_parts(&contract, &new).await?;
    if let Err(error) = contract.agreement() {
        // Kept all the same: it says so at every bill, and the others are not held up.
        tracing::warn!(contract = %contract.salesforce_id, %error, "nobody can bill by this contract");
    }
    match &known {
        Some(from) if from.account != contract.account => {
            let events = [bill_changed(from), bill_changed(&contract)];
            deps.store.move_contract(from, &Contract { version: 1, ..contract }, &events).await?;
        }
        _ => deps.store.save_contract(&contract, &bill_changed(&contract)).await?,
    }
    let papers = there.amendments.iter().chain([&there.first]);
    papers.for_each(|paper| reading::became_visible(deps, paper.record.system_modstamp));
    Ok(())
}

/// The records that the contract is made of, without its own.
fn part_ids(contract: &Contract) -> BTreeSet<SalesforceId> {
    let amendments = &contract.amendments;
    let rates = contract.rates.iter().chain(amendments.iter().flat_map(|paper| &paper.rates));
    let provisions = amendments.iter().map(|paper| &paper.provisions).chain([&contract.provisions]);
    let discounts = provisions.flat_map(|provisions| &provisions.discounts);
    let mut ids: BTreeSet<SalesforceId> = amendments.iter().map(|paper| paper.salesforce_id).collect();
    ids.extend(rates.map(|rate| rate.salesforce_id));
    ids.extend(discounts.map(|discount| discount.salesforce_id));
    ids.extend(contract.milestones.iter().map(|milestone| milestone.salesforce_id));
    ids.extend(contract.blocks.iter().map(|block| block.salesforce_id));
    ids
}
