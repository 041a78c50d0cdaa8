//! Expenses.

use std::collections::{BTreeMap, BTreeSet};

use portico_domain::{CaseId, ContractId, SalesforceId, contracts::Outlay, events::Event};
use portico_salesforce::records::{ExpenseRecord, Record, Wrong};
use portico_store::{Link, Linked, Tenant};

use crate::{
    Deps, SyncError,
    agreements::Papers,
    cases::Cases,
    reading::{self, Looked, Refresh},
};

/// Expenses, whoever they were for.
pub(crate) struct Expenses;

impl Refresh for Expenses {
    async fn look(&mut self, deps: &Deps, ids: &[SalesforceId]) -> Result<Looked, SyncError> {
        let links = deps.store.links(ids.iter().copied()).await?;
        let mut known = BTreeMap::new();
        for (id, link) in &links {
            if link.record == Linked::Expense {
                let outlay = deps.store.expense(&Tenant::of_link(link), *id).await?;
                known.extend(outlay.map(|outlay| (*id, outlay)));
            }
        }
        let mut records = reading::by_id::<ExpenseRecord>(deps, ids).await?;
        let accounts = records.values().filter_map(|record| record.account);
        let tenants = reading::tenants(deps, accounts).await?;
        let named = Named::of(deps, &records).await?;
        let mut looked = Looked::default();
        for id in ids {
            let there = records.remove(id).and_then(|record| Some((*tenants.get(&record.account?)?, record)));
            looked.note(*id, settle(deps, known.remove(id), there, &named).await);
        }
        Ok(looked)
    }
}

/// The cases and contracts that expenses name, as the portal has them.
struct Named(BTreeMap<SalesforceId, Link>);

impl Named {
    async fn of(deps: &Deps, expenses: &BTreeMap<SalesforceId, ExpenseRecord>) -> Result<Self, SyncError> {
        let live = || expenses.values().filter(|expense| !expense.is_deleted());
        let cases: BTreeSet<SalesforceId> = live().filter_map(|expense| expense.case).collect();
        let contracts: BTreeSet<SalesforceId> = live().filter_map(|expense| expense.contract).collect();
        let all = || cases.union(&contracts).copied();
        let links = deps.store.links(all()).await?;
        let missing = |ids: &BTreeSet<SalesforceId>| -> Vec<SalesforceId> {
            ids.iter().filter(|id| !links.contains_key(id)).copied().collect()
        };
        let (cases, contracts) = (missing(&cases), missing(&contracts));
        if cases.is_empty() && contracts.is_empty() {
            return Ok(Self(links));
        }
        // What the portal does not have yet comes first. What it cannot have either is told of below.
        for (id, error) in reading::refresh(deps, &cases, Cases).await {
            tracing::warn!(%id, %error, "an expense waits for its case");
        }
        for (id, error) in reading::refresh(deps, &contracts, Papers).await {
            tracing::warn!(%id, %error, "an expense waits for its contract");
        }
        Ok(Self(deps.store.links(all()).await?))
    }

    /// The case that an expense of the tenant is for.
    fn case(&self, tenant: &Tenant, expense: &ExpenseRecord) -> Result<Option<CaseId>, SyncError> {
        let Some(id) = expense.case else { return Ok(None) };
        let link = self.0.get(&id).filter(|link| link.account == tenant.account());
        match link.map(|link| &link.record) {
            Some(Linked::Case { case }) => Ok(Some(*case)),
            _ => Err(Wrong::OtherAccount.in_field(expense.id, "Case__c").into()),
        }
    }

    /// The contract that it goes with; an amendment stands for what it amends.
    fn contract(&self, tenant: &Tenant, expense: &ExpenseRecord) -> Result<Option<ContractId>, SyncError> {
        let Some(id) = expense.contract else { return Ok(None) };
        let link = self.0.get(&id).filter(|link| link.account == tenant.account());
        match link.map(|link| &link.record) {
            Some(Linked::Contract { contract }) => Ok(Some(*contract)),
            Some(Linked::ContractPart { contract }) => Ok(Some(ContractId::of_salesforce(contract))),
            _ => Err(Wrong::OtherAccount.in_field(expense.id, "Contract__c").into()),
        }
    }
}

/// Writes one expense as it is there, if it is there and a client's.
async fn settle(
    deps: &Deps,
    known: Option<Outlay>,
    there: Option<(Tenant, ExpenseRecord)>,
    named: &Named,
) -> Result<(), SyncError> {
    let now = deps.clock.now();
    let bill_changed =
        |outlay: &Outlay| Event::bill_changed(outlay.account, outlay.paid.case, now, &deps.random);
    let there = there.filter(|(_, record)| !record.is_deleted);
    let Some((tenant, record)) = there else {
        // Deleted, purged, or of a company that is no client any more. It is kept for those who audit.
        return match known.filter(|outlay| !outlay.deleted) {
            Some(known) => {
                let gone = Outlay { deleted: true, version: known.version + 1, ..known };
                Ok(deps.store.save_expense(&gone, &bill_changed(&gone)).await?)
            }
            None => Ok(()),
        };
    };
    let (case, contract) = (named.case(&tenant, &record)?, named.contract(&tenant, &record)?);
    let version = known.as_ref().map_or(0, |outlay| outlay.version) + 1;
    let outlay = record.outlay(tenant.account(), case, contract, version)?;
    match &known {
        Some(known) if Outlay { version: known.version, ..outlay.clone() } == *known => return Ok(()),
        Some(from) if from.account != outlay.account => {
            let events = [bill_changed(from), bill_changed(&outlay)];
            deps.store.move_expense(from, &Outlay { version: 1, ..outlay }, &events).await?;
        }
        _ => deps.store.save_expense(&outlay, &bill_changed(&outlay)).await?,
    }
    reading::became_visible(deps, record.system_modstamp);
    Ok(())
}
