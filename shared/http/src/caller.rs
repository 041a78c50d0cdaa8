//! Who is calling.

use axum::extract::{FromRef, FromRequestParts, Query, RawPathParams};
use http::request::Parts;
use lambda_http::request::RequestContext;
use portico_domain::{
    AccountId, UserId,
    audit::{self, Actor},
    cases::{Author, Side},
    files::Uploader,
    people::Viewer,
};
use portico_store::{ClientPerson, Person, Store, Tenant};
use serde::Deserialize;

use crate::{
    FieldCode, Kind, Problem,
    origin::Origin,
    record::{Identified, Slot},
};

/// A person who may act, and the account whose records they look at: their own, or, for people of the
/// consultancy, the one that the query parameter `account` names.
///
/// The membership is read on every request. A token only says who somebody is.
#[derive(Debug, Clone)]
pub struct Caller {
    tenant: Tenant,
    viewer: Viewer,
    author: Author,
    origin: Origin,
}

impl Caller {
    /// The account whose records they reach.
    pub fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    /// What they may see of them.
    pub fn viewer(&self) -> &Viewer {
        &self.viewer
    }

    /// They, as others of the account see them.
    pub fn author(&self) -> Author {
        self.author.clone()
    }

    /// They, as those who upload a file.
    pub fn uploader(&self) -> Uploader {
        Uploader { user: self.viewer.user().clone(), author: self.author() }
    }

    /// They, by this request, for the audit trail.
    pub fn actor(&self) -> Actor {
        self.origin.actor(&self.viewer)
    }
}

impl<S> FromRequestParts<S> for Caller
where
    S: Send + Sync,
    Store: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let store = Store::from_ref(state);
        let person = identify(parts, &store).await?;
        let entered = account(parts)?;
        let (tenant, viewer, author) = match person {
            Person::Client(person) => {
                // There is one account that they may name, and any other one is not there.
                if entered.is_some_and(|account| account != person.tenant().account()) {
                    let actor = Origin::of(&parts.method, &parts.extensions).actor(person.viewer());
                    remember(parts, state, person.tenant(), actor).await;
                    return Err(Problem::not_found());
                }
                let author = Author { side: Side::Client, name: person.name().to_owned() };
                (*person.tenant(), person.viewer().clone(), author)
            }
            Person::Staff(person) => {
                let account = entered.ok_or_else(|| {
                    Problem::new(Kind::InvalidRequest)
                        .because("Staff say which account they look at: ?account=acct_…")
                        .at("/account", FieldCode::Missing, "must be an account id")
                })?;
                let tenant = store.enter(&person, account).await?.ok_or_else(Problem::not_found)?;
                let author = Author { side: Side::Staff, name: person.name().to_owned() };
                (tenant, person.viewer(), author)
            }
        };
        tracing::Span::current()
            .record("account", tracing::field::display(tenant.account()))
            .record("user", tracing::field::display(viewer.user()));
        let caller = Self { tenant, viewer, author, origin: Origin::of(&parts.method, &parts.extensions) };
        remember(parts, state, &caller.tenant, caller.actor()).await;
        Ok(caller)
    }
}

/// A person of a client company. People of the consultancy are refused.
#[derive(Debug, Clone)]
pub struct ClientCaller {
    person: ClientPerson,
    origin: Origin,
}

impl ClientCaller {
    /// They, as others of the account see them.
    pub fn author(&self) -> Author {
        Author { side: Side::Client, name: self.person.name().to_owned() }
    }

    /// They, as those who upload a file.
    pub fn uploader(&self) -> Uploader {
        Uploader { user: self.person.viewer().user().clone(), author: self.author() }
    }

    /// They, by this request, for the audit trail.
    pub fn actor(&self) -> Actor {
        self.origin.actor(self.person.viewer())
    }
}

impl std::ops::Deref for ClientCaller {
    type Target = ClientPerson;

    fn deref(&self) -> &ClientPerson {
        &self.person
    }
}

impl<S> FromRequestParts<S> for ClientCaller
where
    S: Send + Sync,
    Store: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match identify(parts, &Store::from_ref(state)).await? {
            Person::Client(person) => {
                tracing::Span::current()
                    .record("account", tracing::field::display(person.tenant().account()))
                    .record("user", tracing::field::display(person.viewer().user()));
                let caller = Self { person, origin: Origin::of(&parts.method, &parts.extensions) };
                remember(parts, state, caller.tenant(), caller.actor()).await;
                Ok(caller)
            }
            Person::Staff(_) => {
                Err(Problem::new(Kind::Forbidden)
                    .because("This operation is for people of a client company."))
            }
        }
    }
}

/// Leaves word of who is calling, so that a refusal from here on goes into their account's audit trail.
async fn remember<S>(parts: &mut Parts, state: &S, tenant: &Tenant, actor: Actor)
where
    S: Send + Sync,
    Store: FromRef<S>,
{
    let Some(slot) = parts.extensions.get::<Slot>().cloned() else { return };
    let sought = RawPathParams::from_request_parts(parts, state)
        .await
        .ok()
        .and_then(|parameters| parameters.iter().find_map(|(_, value)| audit::sought(value)));
    slot.fill(Identified { store: Store::from_ref(state), account: tenant.account(), actor, sought });
}

/// The account that the query names.
fn account(parts: &Parts) -> Result<Option<AccountId>, Problem> {
    #[derive(Deserialize)]
    struct Entered {
        account: Option<String>,
    }
    let refused = || {
        Problem::new(Kind::InvalidRequest).because("Some fields were refused.").at(
            "/account",
            FieldCode::Malformed,
            "must be one account id",
        )
    };
    let Query(Entered { account }) = Query::try_from_uri(&parts.uri).map_err(|_| refused())?;
    account.map(|account| account.parse().map_err(|_| refused())).transpose()
}

async fn identify(parts: &Parts, store: &Store) -> Result<Person, Problem> {
    let user = subject(parts).ok_or_else(|| {
        Problem::new(Kind::Unauthenticated).because("Send a valid access token in the Authorization header.")
    })?;
    store.identify(&user).await?.ok_or_else(|| {
        Problem::new(Kind::AccessEnded).because("This user has no active membership in any account.")
    })
}

/// The `sub` of the token that the gateway's authorizer has verified. It comes with the event, never with the
/// request: no header can set it.
fn subject(parts: &Parts) -> Option<UserId> {
    match parts.extensions.get::<RequestContext>()? {
        RequestContext::ApiGatewayV1(context) => {
            context.authorizer.fields.get("claims")?.get("sub")?.as_str()?.parse().ok()
        }
        _ => None,
    }
}
