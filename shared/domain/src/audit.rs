//! The audit trail: who did what to which record, when, from where.

use serde::{Deserialize, Serialize};

use crate::{
    UserId,
    people::{ClientRole, StaffRole, Viewer},
};

/// As what somebody acted. One list for both sides, because an audit trail is read in one piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActorRole {
    /// A person of the client company.
    Member,
    /// A manager of the client company.
    Manager,
    /// A billing contact of the client company.
    Billing,
    /// An agent of the consultancy.
    Agent,
    /// An administrator of the consultancy.
    Admin,
}

impl From<ClientRole> for ActorRole {
    fn from(role: ClientRole) -> Self {
        match role {
            ClientRole::Member => Self::Member,
            ClientRole::Manager => Self::Manager,
            ClientRole::Billing => Self::Billing,
        }
    }
}

impl From<StaffRole> for ActorRole {
    fn from(role: StaffRole) -> Self {
        match role {
            StaffRole::Agent => Self::Agent,
            StaffRole::Admin => Self::Admin,
        }
    }
}

/// Who did something, and from where. The role is the one at that moment: what they may do later does not
/// change what they were when they did it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// The person.
    pub user: UserId,
    /// As what.
    pub role: ActorRole,
    /// The gateway's id of the request.
    pub request_id: String,
    /// Method and pattern of the route (`GET /files/{fileId}`), never the path that was asked for.
    pub route: String,
}

impl Actor {
    /// This person, by this request.
    pub fn new(viewer: &Viewer, request_id: impl Into<String>, route: impl Into<String>) -> Self {
        let role = match viewer {
            Viewer::Client { role, .. } => ActorRole::from(*role),
            Viewer::Staff { role, .. } => ActorRole::from(*role),
        };
        Self { user: viewer.user().clone(), role, request_id: request_id.into(), route: route.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_actor_is_what_they_are_at_that_moment() {
        let user: UserId = "user-1".parse().unwrap();
        for (role, expected) in [
            (ClientRole::Member, ActorRole::Member),
            (ClientRole::Manager, ActorRole::Manager),
            (ClientRole::Billing, ActorRole::Billing),
        ] {
            let viewer = Viewer::Client { user: user.clone(), role, contact: None };
            let actor = Actor::new(&viewer, "request-1", "POST /cases");
            assert_eq!((actor.user, actor.role), (user.clone(), expected));
        }
        for (role, expected) in [(StaffRole::Agent, ActorRole::Agent), (StaffRole::Admin, ActorRole::Admin)] {
            let viewer = Viewer::Staff { user: user.clone(), role };
            assert_eq!(Actor::new(&viewer, "request-1", "POST /cases").role, expected);
        }
    }
}
