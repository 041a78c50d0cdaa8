//! Who may sign in, for whom they act, and what they may see.

use serde::{Deserialize, Serialize};

use crate::{AccountId, SalesforceId, UserId};

/// What a person of a client company may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientRole {
    /// Raises cases and sees their own.
    Member,
    /// Sees every case and invoice of the account, and manages its people.
    Manager,
    /// Sees the account's invoices, and their own cases.
    Billing,
}

/// What a person of the consultancy may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StaffRole {
    /// Works on cases of any account.
    Agent,
    /// Also provisions accounts and people.
    Admin,
}

/// For whom a person acts: one client company, or the consultancy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "side", rename_all = "snake_case")]
pub enum Position {
    /// Belongs to a client company.
    Client {
        /// The company.
        account: AccountId,
        /// What they may do there.
        role: ClientRole,
        /// Their Contact in Salesforce, once known.
        contact: Option<SalesforceId>,
    },
    /// Belongs to the consultancy.
    Staff {
        /// What they may do.
        role: StaffRole,
    },
}

/// Whether a person may use the portal at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MembershipState {
    /// May sign in and act.
    Active,
    /// Their Contact in Salesforce is gone, or belongs to another company now. Every request is refused until
    /// Salesforce says otherwise.
    Suspended,
    /// Has left; every request is refused, whatever token it carries.
    Deactivated,
}

/// What the portal knows about a person. Read on every request: a token says who somebody is, only this
/// says what they may do now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// The Cognito `sub`.
    pub user: UserId,
    /// Name as shown to others of the account.
    pub name: String,
    /// E-mail address.
    pub email: String,
    /// For whom they act, as what.
    pub position: Position,
    /// Whether they may act at all.
    pub state: MembershipState,
    /// Counts the writes of this record, from 1.
    pub version: u64,
}

/// Somebody who looks at the records of one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Viewer {
    /// A person of the account.
    Client {
        /// Who.
        user: UserId,
        /// As what.
        role: ClientRole,
        /// Their Contact in Salesforce.
        contact: Option<SalesforceId>,
    },
    /// A person of the consultancy, who has entered the account.
    Staff {
        /// Who.
        user: UserId,
        /// As what.
        role: StaffRole,
    },
}

impl Viewer {
    /// The Cognito `sub`.
    pub fn user(&self) -> &UserId {
        match self {
            Self::Client { user, .. } | Self::Staff { user, .. } => user,
        }
    }

    /// Whether money of the account is shown to this person: its invoices, and what they will be. `readers` is what the
    /// account says.
    pub fn may_see_invoices(&self, readers: InvoiceReaders) -> bool {
        match self {
            Self::Client { role, .. } => match role {
                ClientRole::Manager | ClientRole::Billing => true,
                ClientRole::Member => match readers {
                    InvoiceReaders::ManagersAndBilling => false,
                    InvoiceReaders::Everybody => true,
                },
            },
            Self::Staff { .. } => true,
        }
    }

    /// Whether the account's audit trail is shown to this person.
    pub fn may_read_audit(&self) -> bool {
        match self {
            Self::Client { role, .. } => match role {
                ClientRole::Manager => true,
                ClientRole::Member | ClientRole::Billing => false,
            },
            Self::Staff { .. } => true,
        }
    }

    /// Whether this person is shown how much of the portal the account uses.
    pub fn may_see_usage(&self) -> bool {
        match self {
            Self::Client { role, .. } => match role {
                ClientRole::Manager => true,
                ClientRole::Member | ClientRole::Billing => false,
            },
            Self::Staff { .. } => true,
        }
    }

    /// Whether a record of these people is shown to this person.
    pub fn may_see(&self, audience: &Audience) -> bool {
        match self {
            Self::Client { role: ClientRole::Manager, .. } | Self::Staff { .. } => true,
            Self::Client { role: ClientRole::Member | ClientRole::Billing, user, contact } => {
                audience.raised_by.as_ref().is_some_and(|raiser| raiser.user == *user)
                    || (contact.is_some() && audience.contact == *contact)
            }
        }
    }
}

/// Whose record it is, within its account: visibility goes by person, not by company.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Audience {
    /// The portal user who raised the case.
    pub raised_by: Option<Raiser>,
    /// The Contact that Salesforce names on the case.
    pub contact: Option<SalesforceId>,
}

/// Who raised a case in the portal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Raiser {
    /// The Cognito `sub`.
    pub user: UserId,
    /// Their Contact in Salesforce at that time.
    pub contact: Option<SalesforceId>,
}

/// Who of a client company is shown its money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InvoiceReaders {
    /// Its managers and billing contacts.
    #[default]
    ManagersAndBilling,
    /// Its members as well.
    Everybody,
}

/// A client company.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// The portal's id.
    pub id: AccountId,
    /// The Account in Salesforce.
    pub salesforce_id: SalesforceId,
    /// Name as it stands on invoices.
    pub name: String,
    /// Postal address, one line each.
    pub address: Vec<String>,
    /// Who is shown its money; the consultancy says so in Salesforce.
    #[serde(default)]
    pub invoice_readers: InvoiceReaders,
    /// Counts the writes of this record, from 1.
    pub version: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn viewer(role: ClientRole) -> Viewer {
        Viewer::Client {
            user: "user-1".parse().unwrap(),
            role,
            contact: Some("003000000000001AAA".parse().unwrap()),
        }
    }

    #[test]
    fn members_see_what_they_raised_or_are_the_contact_of() {
        let by = |user: &str| Some(Raiser { user: user.parse().unwrap(), contact: None });
        let raised = Audience { raised_by: by("user-1"), contact: None };
        let named = Audience { raised_by: None, contact: Some("003000000000001AAA".parse().unwrap()) };
        let others =
            Audience { raised_by: by("user-2"), contact: Some("003000000000002AAA".parse().unwrap()) };
        for role in [ClientRole::Member, ClientRole::Billing] {
            assert!(viewer(role).may_see(&raised));
            assert!(viewer(role).may_see(&named));
            assert!(!viewer(role).may_see(&others));
            assert!(!viewer(role).may_see(&Audience::default()));
        }
        assert!(viewer(ClientRole::Manager).may_see(&others));
    }

    #[test]
    fn members_see_invoices_only_if_the_account_says_so() {
        let readers = [InvoiceReaders::ManagersAndBilling, InvoiceReaders::Everybody];
        let may = |viewer: &Viewer| readers.map(|readers| viewer.may_see_invoices(readers));
        assert_eq!(may(&viewer(ClientRole::Member)), [false, true]);
        for role in [ClientRole::Manager, ClientRole::Billing] {
            assert_eq!(may(&viewer(role)), [true, true]);
        }
        let agent = Viewer::Staff { user: "user-1".parse().unwrap(), role: StaffRole::Agent };
        assert_eq!(may(&agent), [true, true]);
        assert_eq!(InvoiceReaders::default(), InvoiceReaders::ManagersAndBilling, "who says nothing says no");
    }

    #[test]
    fn the_audit_trail_and_the_usage_are_for_managers_and_the_consultancy() {
        let may = |viewer: Viewer| (viewer.may_read_audit(), viewer.may_see_usage());
        assert_eq!(may(viewer(ClientRole::Manager)), (true, true));
        for role in [ClientRole::Member, ClientRole::Billing] {
            assert_eq!(may(viewer(role)), (false, false));
        }
        for role in [StaffRole::Agent, StaffRole::Admin] {
            assert_eq!(may(Viewer::Staff { user: "user-1".parse().unwrap(), role }), (true, true));
        }
    }

    #[test]
    fn a_person_without_contact_does_not_match_a_case_without_contact() {
        let nobody =
            Viewer::Client { user: "user-1".parse().unwrap(), role: ClientRole::Member, contact: None };
        assert!(!nobody.may_see(&Audience::default()));
    }
}
