//! Lists of cases, newest activity first.
//!
//! Three lean indexes: by account for those who see every case of it; by raiser and by contact for those who see
//! their own. Nearly always the contact of a case is the person who raised it, and then it is on the list of raisers
//! alone, so that a page costs a member hardly more than a manager.

use std::collections::BTreeMap;

use jiff::Timestamp;
use portico_domain::{
    CaseId, SalesforceId, UserId,
    cases::{Case, CaseFilter, CaseSummary, Held, RelatedContract, Status},
    people::{ClientRole, Viewer},
};
use serde::{Deserialize, de::Error as _};

use crate::{
    Cursor, CursorError, Page, PageSize, Store, StoreError, Tenant,
    engine::{Found, Index, Query, Table},
    keys,
};

const BY_ACTIVITY: Index = Index { name: "by-activity", partition: "account" };
const BY_CONTACT: Index = Index { name: "by-contact", partition: "contact_key" };
const BY_RAISER: Index = Index { name: "by-raiser", partition: "raiser_key" };
/// How many times a list with a filter reads on for one page. Beyond that the page comes back shorter, with a
/// cursor.
const ROUNDS_MAX: usize = 4;

/// Sorts by time; the id makes it unique.
pub(super) fn activity(at: Timestamp, case: CaseId) -> String {
    format!("{at:.3}#{case}")
}

fn contact_partition(account: impl std::fmt::Display, contact: SalesforceId) -> String {
    format!("{account}#{contact}")
}

fn raiser_partition(account: impl std::fmt::Display, raiser: &UserId) -> String {
    format!("{account}#{raiser}")
}

/// The lists of persons that a case is on: who raised it, and whom it names as contact, unless that is the same person
/// (a Contact is one person).
pub(super) fn partitions(case: &Case) -> Vec<(&'static str, String)> {
    let raiser = case.audience.raised_by.as_ref();
    let theirs = raiser.and_then(|raiser| raiser.contact);
    let mut keys = Vec::new();
    if let Some(raiser) = raiser {
        keys.push((BY_RAISER.partition, raiser_partition(case.account, &raiser.user)));
    }
    if let Some(contact) = case.audience.contact.filter(|contact| theirs != Some(*contact)) {
        keys.push((BY_CONTACT.partition, contact_partition(case.account, contact)));
    }
    keys
}

/// What an index holds of a case.
#[derive(Deserialize)]
struct Listed {
    case: CaseId,
    activity: String,
    number: Option<String>,
    subject: String,
    status: Status,
    kind: Option<String>,
    priority: String,
    contract: Option<RelatedContract>,
    raiser: Option<UserId>,
    created_at: Timestamp,
    closed_at: Option<Timestamp>,
    held: Option<Held>,
    confirmed_at: Option<Timestamp>,
    version: u64,
}

impl Listed {
    fn summary(self) -> Result<CaseSummary, StoreError> {
        let unreadable = |_| StoreError::Item {
            table: Table::Cases,
            source: serde_dynamo::Error::custom("the key `activity` does not start with a time"),
        };
        let last_activity_at =
            self.activity.split('#').next().unwrap_or_default().parse().map_err(unreadable)?;
        Ok(CaseSummary {
            case: self.case,
            number: self.number,
            subject: self.subject,
            status: self.status,
            kind: self.kind,
            priority: self.priority,
            contract: self.contract,
            raiser: self.raiser,
            created_at: self.created_at,
            last_activity_at,
            closed_at: self.closed_at,
            held: self.held,
            confirmed_at: self.confirmed_at,
            version: self.version,
        })
    }
}

/// Where on a list somebody is: behind this case. The same on every index, so that lists can be merged.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Position {
    activity: String,
    case: CaseId,
}

impl Position {
    fn of(cursor: &Cursor) -> Result<Self, CursorError> {
        let [activity, case] = cursor.values(["activity", "case"])?;
        Ok(Self { activity, case: case.parse().map_err(|_| CursorError)? })
    }

    fn cursor(&self) -> Cursor {
        Cursor::at(&[("activity", self.activity.clone()), ("case", self.case.to_string())])
    }
}

impl Store {
    /// The cases of the tenant that somebody may see and asks for, those with the newest activity first. With a
    /// filter a page may be shorter than asked for; the end is where there is no cursor.
    ///
    /// # Errors
    /// [`CursorError`] inside if the cursor is of another list; [`StoreError`] if the engine fails.
    pub async fn cases(
        &self,
        tenant: &Tenant,
        viewer: &Viewer,
        filter: &CaseFilter,
        size: PageSize,
        cursor: Option<Cursor>,
    ) -> Result<Result<Page<CaseSummary>, CursorError>, StoreError> {
        self.listed_for(tenant, lists(tenant, viewer), filter, (size, cursor)).await
    }

    /// The cases of the tenant that somebody asks for, whoever raised them: for what is about the whole account. Otherwise
    /// as [`Store::cases`].
    ///
    /// # Errors
    /// As [`Store::cases`].
    pub async fn cases_of_account(
        &self,
        tenant: &Tenant,
        filter: &CaseFilter,
        size: PageSize,
        cursor: Option<Cursor>,
    ) -> Result<Result<Page<CaseSummary>, CursorError>, StoreError> {
        self.listed_for(tenant, whole_account(tenant), filter, (size, cursor)).await
    }

    async fn listed_for(
        &self,
        tenant: &Tenant,
        lists: Vec<(Index, String)>,
        filter: &CaseFilter,
        (size, cursor): (PageSize, Option<Cursor>),
    ) -> Result<Result<Page<CaseSummary>, CursorError>, StoreError> {
        let mut position = match cursor.map(|cursor| Position::of(&cursor)) {
            None => None,
            Some(Ok(position)) => Some(position),
            Some(Err(error)) => return Ok(Err(error)),
        };
        let wanted = usize::from(size.get());
        let read = if filter.is_everything() { size.get() } else { PageSize::MAX };
        let mut items = Vec::new();
        for _ in 0..ROUNDS_MAX {
            let (found, more) = self.merged(tenant, &lists, read, position.as_ref()).await?;
            let looked_at = found.len();
            for (index, (place, listed)) in found.into_iter().rev().enumerate() {
                position = Some(place);
                let summary = listed.summary()?;
                if filter.lets_through(&summary) {
                    items.push(summary);
                }
                if items.len() >= wanted {
                    let next = (more || index + 1 < looked_at).then_some(position).flatten();
                    return Ok(Ok(Page { items, next: next.map(|place| place.cursor()) }));
                }
            }
            if !more {
                return Ok(Ok(Page { items, next: None }));
            }
        }
        Ok(Ok(Page { items, next: position.map(|place| place.cursor()) }))
    }

    /// The next cases of every list that somebody sees, as one list, and whether there are more. Up to `limit` of
    /// each list are read, and what lies beyond the end of one that goes on is left out: it comes with the next
    /// reading.
    async fn merged(
        &self,
        tenant: &Tenant,
        lists: &[(Index, String)],
        limit: u16,
        after: Option<&Position>,
    ) -> Result<(BTreeMap<Position, Listed>, bool), StoreError> {
        let mut merged = BTreeMap::new();
        let mut horizon: Option<Position> = None;
        for (index, partition) in lists {
            let Found { items, next } = self.listed(tenant, *index, partition.clone(), limit, after).await?;
            let mut last = None;
            for item in items {
                let listed: Listed = keys::record(Table::Cases, item)?;
                let place = Position { activity: listed.activity.clone(), case: listed.case };
                last = Some(place.clone());
                merged.insert(place, listed);
            }
            if next.is_some() {
                horizon = horizon.max(last);
            }
        }
        let more = horizon.is_some();
        if let Some(horizon) = horizon {
            merged = merged.split_off(&horizon);
        }
        Ok((merged, more))
    }

    async fn listed(
        &self,
        tenant: &Tenant,
        index: Index,
        partition: String,
        limit: u16,
        after: Option<&Position>,
    ) -> Result<Found, StoreError> {
        let after = after.map(|place| {
            let own = [("account", tenant.account().to_string()), (index.partition, partition.clone())];
            place.cursor().key(&own)
        });
        let query = Query {
            table: Table::Cases,
            index: Some(index),
            partition,
            within: None,
            descending: true,
            limit,
            after,
        };
        Ok(self.engine.query(&query).await?)
    }
}

fn whole_account(tenant: &Tenant) -> Vec<(Index, String)> {
    vec![(BY_ACTIVITY, tenant.account().to_string())]
}

/// The lists on which everything stands that somebody may see ([`Viewer::may_see`]).
fn lists(tenant: &Tenant, viewer: &Viewer) -> Vec<(Index, String)> {
    match viewer {
        Viewer::Staff { .. } | Viewer::Client { role: ClientRole::Manager, .. } => whole_account(tenant),
        Viewer::Client { role: ClientRole::Member | ClientRole::Billing, user, contact } => {
            let named = contact.map(|contact| (BY_CONTACT, contact_partition(tenant.account(), contact)));
            named.into_iter().chain([(BY_RAISER, raiser_partition(tenant.account(), user))]).collect()
        }
    }
}
