//! Client companies and their people.

use std::collections::BTreeMap;

use portico_domain::{
    SalesforceId,
    people::{Account, Membership, MembershipState, Position},
};
use portico_salesforce::records::{AccountRecord, ContactRecord};
use portico_store::{Link, Linked, Tenant};

use crate::{
    Deps, SyncError,
    reading::{self, Looked, Refresh},
};

/// Client companies.
pub(crate) struct Accounts;

impl Refresh for Accounts {
    async fn look(&mut self, deps: &Deps, ids: &[SalesforceId]) -> Result<Looked, SyncError> {
        // Only accounts that were provisioned are clients of the portal.
        let tenants = reading::tenants(deps, ids.iter().copied()).await?;
        let mut known = BTreeMap::new();
        for (id, tenant) in &tenants {
            known.extend(deps.store.account(tenant).await?.map(|account| (*id, account)));
        }
        let mut records = reading::by_id::<AccountRecord>(deps, ids).await?;
        let mut looked = Looked::default();
        for (id, account) in known {
            let record = records.remove(&id).filter(|record| !record.is_deleted);
            let outcome = match (record, tenants.get(&id)) {
                (Some(record), Some(tenant)) => take_account(deps, tenant, account, record).await,
                (None, Some(tenant)) => close_to_all(deps, tenant).await,
                (_, None) => Ok(()),
            };
            looked.note(id, outcome);
        }
        Ok(looked)
    }
}

async fn take_account(
    deps: &Deps,
    tenant: &Tenant,
    known: Account,
    record: AccountRecord,
) -> Result<(), SyncError> {
    let address = record.address();
    let invoice_readers = record.invoice_readers();
    let account = Account { name: record.name, address, invoice_readers, ..known.clone() };
    if account != known {
        deps.store.save_account(&Account { version: known.version + 1, ..account }).await?;
        reading::became_visible(deps, record.system_modstamp);
    }
    // If the company was gone for a while, its people come back with it.
    let suspended = deps
        .store
        .members(tenant)
        .await?
        .into_iter()
        .filter(|member| member.state == MembershipState::Suspended);
    for member in suspended {
        match &member.position {
            Position::Client { contact: Some(contact), .. } => {
                let behind = reading::refresh(deps, &[*contact], Contacts).await;
                if let Some(error) = behind.into_values().next() {
                    return Err(error);
                }
            }
            Position::Client { contact: None, .. } => set(deps, member, MembershipState::Active).await?,
            Position::Staff { .. } => {}
        }
    }
    Ok(())
}

/// The company is gone from Salesforce, deleted or merged into another: nobody acts for it any more.
async fn close_to_all(deps: &Deps, tenant: &Tenant) -> Result<(), SyncError> {
    for member in deps.store.members(tenant).await? {
        if member.state == MembershipState::Active {
            tracing::warn!(user = %member.user, account = %tenant.account(), "suspended: the account is gone");
            set(deps, member, MembershipState::Suspended).await?;
        }
    }
    Ok(())
}

/// People. What a contact may see follows from the membership that names it. Who leaves the company in Salesforce
/// leaves it here, at once and until they are back; who joins another is not let into it by that alone.
pub(crate) struct Contacts;

impl Refresh for Contacts {
    async fn look(&mut self, deps: &Deps, ids: &[SalesforceId]) -> Result<Looked, SyncError> {
        let links = deps.store.links(ids.iter().copied()).await?;
        let mut known = BTreeMap::new();
        for (id, link) in links {
            known.extend(membership_behind(deps, &link).await?.map(|member| (id, (link, member))));
        }
        if known.is_empty() {
            return Ok(Looked::default());
        }
        let ids: Vec<SalesforceId> = known.keys().copied().collect();
        let mut records = reading::by_id::<ContactRecord>(deps, &ids).await?;
        // Who was merged into another record is that record from now on.
        let masters: Vec<SalesforceId> = records
            .values()
            .filter(|record| record.is_deleted)
            .filter_map(|record| record.master_record_id)
            .collect();
        let masters = if masters.is_empty() {
            BTreeMap::new()
        } else {
            reading::by_id::<ContactRecord>(deps, &masters).await?
        };
        let companies = records.values().chain(masters.values()).filter_map(|record| record.account_id);
        let companies = reading::tenants(deps, companies).await?;
        let mut looked = Looked::default();
        for (id, (link, member)) in known {
            let record = records.remove(&id);
            let master = record.as_ref().and_then(|record| masters.get(&record.master_record_id?)).cloned();
            let stands = master.or(record).filter(|record| !record.is_deleted);
            let company = stands.as_ref().and_then(|record| companies.get(&record.account_id?));
            let belongs = company.is_some_and(|company| company.account() == link.account);
            looked.note(id, take_contact(deps, member, stands.filter(|_| belongs)).await);
        }
        Ok(looked)
    }
}

/// The membership that names the contact; none if it has since been given another.
async fn membership_behind(deps: &Deps, link: &Link) -> Result<Option<Membership>, SyncError> {
    let Linked::Contact { user } = &link.record else { return Ok(None) };
    let member = deps.store.membership(user).await?;
    Ok(member.filter(|member| match &member.position {
        Position::Client { account, contact, .. } => {
            *account == link.account && *contact == Some(link.salesforce_id)
        }
        Position::Staff { .. } => false,
    }))
}

/// `belongs` is the contact as it stands in the member's own company, if it does.
async fn take_contact(
    deps: &Deps,
    member: Membership,
    belongs: Option<ContactRecord>,
) -> Result<(), SyncError> {
    match (belongs, member.state) {
        (None, MembershipState::Active) => {
            tracing::warn!(user = %member.user, "suspended: no longer a contact of the account");
            set(deps, member, MembershipState::Suspended).await
        }
        (Some(record), MembershipState::Active | MembershipState::Suspended) => {
            let mut next = Membership { state: MembershipState::Active, ..member.clone() };
            if let Position::Client { contact, .. } = &mut next.position {
                *contact = Some(record.id);
            }
            if next == member {
                return Ok(());
            }
            next.version += 1;
            Ok(deps.store.save_member(&next).await?)
        }
        // Staff sent them away; only staff lets them in again.
        (_, MembershipState::Deactivated) | (None, MembershipState::Suspended) => Ok(()),
    }
}

async fn set(deps: &Deps, member: Membership, state: MembershipState) -> Result<(), SyncError> {
    Ok(deps.store.save_member(&Membership { state, version: member.version + 1, ..member }).await?)
}
