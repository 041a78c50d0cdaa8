//! Who somebody is, and which accounts that opens.

use portico_domain::{
    AccountId, UserId,
    people::{Account, InvoiceReaders, Membership, MembershipState, Position, Raiser, StaffRole, Viewer},
};

use crate::{
    Store, StoreError, Tenant,
    cases::replacing,
    engine::{Condition, Index, Query, Table, Write},
    keys,
    links::{Link, Linked},
};

/// Most people of one account that are listed.
const MEMBERS_MAX: u16 = 500;

/// A signed-in person who may act, as their stored membership says at this moment.
#[derive(Debug, Clone)]
pub enum Person {
    /// Of a client company.
    Client(ClientPerson),
    /// Of the consultancy.
    Staff(StaffPerson),
}

/// A person of a client company.
#[derive(Debug, Clone)]
pub struct ClientPerson {
    tenant: Tenant,
    viewer: Viewer,
    raiser: Raiser,
    name: String,
}

impl ClientPerson {
    /// Their account.
    pub fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    /// What they may see there.
    pub fn viewer(&self) -> &Viewer {
        &self.viewer
    }

    /// They, as those who raise a case.
    pub fn raiser(&self) -> &Raiser {
        &self.raiser
    }

    /// Their name, as others of the account see it.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// A person of the consultancy.
#[derive(Debug, Clone)]
pub struct StaffPerson {
    user: UserId,
    role: StaffRole,
    name: String,
}

impl StaffPerson {
    /// What they may see in an account that they entered.
    pub fn viewer(&self) -> Viewer {
        Viewer::Staff { user: self.user.clone(), role: self.role }
    }

    /// Their name, as clients see it.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// A membership, and the link from the Contact that it belongs to.
fn put_member(membership: &Membership, condition: Condition) -> Result<Vec<Write>, StoreError> {
    let mut keys = vec![("user", membership.user.to_string())];
    let mut links = Vec::new();
    if let Position::Client { account, contact, .. } = &membership.position {
        keys.push(("account", account.to_string()));
        if let Some(salesforce_id) = *contact {
            let record = Linked::Contact { user: membership.user.clone() };
            links.push(Link::new(salesforce_id, *account, record).write(Condition::Always)?);
        }
    }
    let item = keys::item(Table::Members, membership, &keys)?;
    Ok([vec![Write::Put { table: Table::Members, item, condition }], links].concat())
}

impl Store {
    /// Who this user is now, or `None` if they may do nothing: unknown, or deactivated.
    ///
    /// # Errors
    /// [`StoreError`] if the engine fails.
    pub async fn identify(&self, user: &UserId) -> Result<Option<Person>, StoreError> {
        let membership = self.membership(user).await?;
        Ok(membership.filter(|membership| membership.state == MembershipState::Active).map(|membership| {
            let Membership { user, name, position, .. } = membership;
            match position {
                Position::Client { account, role, contact } => Person::Client(ClientPerson {
                    tenant: Tenant::new(account),
                    raiser: Raiser { user: user.clone(), contact },
                    viewer: Viewer::Client { user, role, contact },
                    name,
                }),
                Position::Staff { role } => Person::Staff(StaffPerson { user, role, name }),
            }
        }))
    }

    /// A person of the consultancy turns to one account. `None` if there is no such account.
    ///
    /// # Errors
    /// [`StoreError`] if the engine fails.
    pub async fn enter(
        &self,
        _staff: &StaffPerson,
        account: AccountId,
    ) -> Result<Option<Tenant>, StoreError> {
        let tenant = Tenant::new(account);
        Ok(self.account(&tenant).await?.map(|_| tenant))
    }

    /// What is kept about a user.
    ///
    /// # Errors
    /// [`StoreError`] if the engine fails.
    pub async fn membership(&self, user: &UserId) -> Result<Option<Membership>, StoreError> {
        let item = self.engine.get(&keys::key(Table::Members, user, None)).await?;
        item.map(|item| keys::record(Table::Members, item)).transpose()
    }

    /// Somebody of the tenant's account who may act. `None` for everybody else, whether they exist or not.
    ///
    /// # Errors
    /// [`StoreError`] if the engine fails.
    pub async fn colleague(
        &self,
        tenant: &Tenant,
        user: &UserId,
    ) -> Result<Option<ClientPerson>, StoreError> {
        match self.identify(user).await? {
            Some(Person::Client(person)) if person.tenant() == tenant => Ok(Some(person)),
            Some(Person::Client(_) | Person::Staff(_)) | None => Ok(None),
        }
    }

    /// The people of an account.
    ///
    /// # Errors
    /// [`StoreError`] if the engine fails.
    pub async fn members(&self, tenant: &Tenant) -> Result<Vec<Membership>, StoreError> {
        let found = self
            .engine
            .query(&Query {
                table: Table::Members,
                index: Some(Index { name: "by-account", partition: "account" }),
                partition: tenant.account().to_string(),
                within: None,
                descending: false,
                limit: MEMBERS_MAX,
                after: None,
            })
            .await?;
        found.items.into_iter().map(|item| keys::record(Table::Members, item)).collect()
    }

    /// The tenant's account.
    ///
    /// # Errors
    /// [`StoreError`] if the engine fails.
    pub async fn account(&self, tenant: &Tenant) -> Result<Option<Account>, StoreError> {
        let item = self.engine.get(&keys::key(Table::Accounts, tenant.account(), None)).await?;
        item.map(|item| keys::record(Table::Accounts, item)).transpose()
    }

    /// Who of the tenant's account is shown its money.
    ///
    /// # Errors
    /// [`StoreError`] if the engine fails.
    pub async fn invoice_readers(&self, tenant: &Tenant) -> Result<InvoiceReaders, StoreError> {
        let account = self.account(tenant).await?;
        Ok(account.map(|account| account.invoice_readers).unwrap_or_default())
    }

    /// Whether the tenant's money is shown to somebody who looks at its records. The account is read only for those of
    /// whom it decides.
    ///
    /// # Errors
    /// [`StoreError`] if the engine fails.
    pub async fn may_see_invoices(&self, tenant: &Tenant, viewer: &Viewer) -> Result<bool, StoreError> {
        if viewer.may_see_invoices(InvoiceReaders::ManagersAndBilling) {
            return Ok(true);
        }
        Ok(viewer.may_see_invoices(self.invoice_readers(tenant).await?))
    }

    /// Makes an account known, whatever stood before.
    ///
    /// # Errors
    /// [`StoreError`] if the engine fails.
    pub async fn provision_account(&self, account: &Account) -> Result<(), StoreError> {
        let item = keys::item(Table::Accounts, account, &[("account", account.id.to_string())])?;
        let link = Link::new(account.salesforce_id, account.id, Linked::Account);
        self.transact(vec![
            Write::Put { table: Table::Accounts, item, condition: Condition::Always },
            link.write(Condition::Always)?,
        ])
        .await
    }

    /// Replaces what is known of an account by its next version.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if somebody else wrote it first.
    pub async fn save_account(&self, account: &Account) -> Result<(), StoreError> {
        let item = keys::item(Table::Accounts, account, &[("account", account.id.to_string())])?;
        let condition = replacing(account.version);
        self.transact(vec![Write::Put { table: Table::Accounts, item, condition }]).await
    }

    /// Lets a person in, or changes what they may do, whatever stood before.
    ///
    /// # Errors
    /// [`StoreError`] if the engine fails.
    pub async fn provision_member(&self, membership: &Membership) -> Result<(), StoreError> {
        self.transact(put_member(membership, Condition::Always)?).await
    }

    /// Replaces a membership by its next version.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if somebody else wrote it first.
    pub async fn save_member(&self, membership: &Membership) -> Result<(), StoreError> {
        self.transact(put_member(membership, replacing(membership.version))?).await
    }
}
