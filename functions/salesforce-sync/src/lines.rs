//! Comments and hours: what hangs on a case.

use std::{
    collections::{BTreeMap, BTreeSet},
    marker::PhantomData,
};

use futures::{StreamExt, future::BoxFuture, stream};
use jiff::Timestamp;
use portico_domain::{
    CaseId, EntryId, SalesforceId,
    billing::TimeEntry,
    cases::{Case, Happening, Side, TimelineEntry},
    events::Event,
};
use portico_salesforce::records::{CaseCommentRecord, Record, TimeEntryRecord};
use portico_store::{LINES_AT_ONCE, LineChange, Link, Linked, PageSize, StoreError, Tenant};

use crate::{
    Deps, SyncError,
    cases::{self, Cases, Known},
    reading::{self, Behind, Looked, Refresh, WRITES_AT_ONCE},
};

/// What hangs on a case.
pub(crate) trait Hanging: Record + Sync + Send {
    /// The field that names the case.
    const PARENT: &'static str;

    /// The Case that it hangs on, if a client may see it there.
    fn parent(&self) -> Option<SalesforceId>;

    /// `SystemModstamp`.
    fn modstamp(&self) -> Timestamp;

    /// What it changes on `case`; `None` if the portal says the same already.
    fn taken(
        &self,
        deps: &Deps,
        case: &Case,
        link: Option<&Link>,
    ) -> impl Future<Output = Result<Option<LineChange>, SyncError>> + Send;

    /// What its going changes on `case`, where the link says that it is; `None` if it is gone there already.
    fn dropped(
        deps: &Deps,
        case: &Case,
        link: &Link,
    ) -> impl Future<Output = Result<Option<LineChange>, SyncError>> + Send;
}

/// What one record changes on a case, and when it was changed itself; only what goes has no such time.
struct Change {
    line: LineChange,
    modstamp: Option<Timestamp>,
}

/// What became of each record: where it is linked now, if it was written.
type Outcomes = Vec<(SalesforceId, Result<Option<Link>, SyncError>)>;

/// Comments, or hours, wherever they hang by now.
pub(crate) struct Lines<R> {
    /// Where records hang that the portal has not seen: known only once they were read, and then they are read again,
    /// after their case was loaded.
    parents: BTreeMap<SalesforceId, SalesforceId>,
    record: PhantomData<fn() -> R>,
}

impl<R> Default for Lines<R> {
    fn default() -> Self {
        Self { parents: BTreeMap::new(), record: PhantomData }
    }
}

/// Brings everything up to date that hangs on these cases. Returns the cases as they then stand.
pub(crate) async fn fetch<R: Hanging>(
    deps: &Deps,
    cases: Known,
) -> Result<Vec<(SalesforceId, Result<Case, SyncError>)>, SyncError> {
    if cases.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<SalesforceId> = cases.keys().copied().collect();
    let mut hanging: BTreeMap<SalesforceId, Vec<R>> = BTreeMap::new();
    for record in reading::by_field::<R>(deps, R::PARENT, &ids).await? {
        if let Some(parent) = record.parent().filter(|_| !record.is_deleted()) {
            hanging.entry(parent).or_default().push(record);
        }
    }
    // Looked at after the records were read: one that is linked with another case may have moved there since. It is
    // looked at by itself.
    let links = deps.store.links(hanging.values().flatten().map(Record::id)).await?;
    let mut elsewhere: BTreeMap<SalesforceId, Vec<SalesforceId>> = BTreeMap::new();
    let mut groups = Vec::new();
    for (id, case) in cases {
        let (here, there): (Vec<R>, Vec<R>) = hanging
            .remove(&id)
            .unwrap_or_default()
            .into_iter()
            .partition(|record| links.get(&record.id()).is_none_or(|link| link.leads_to(&case)));
        elsewhere.entry(id).or_default().extend(there.iter().map(Record::id));
        groups.push((id, case, here));
    }
    let links = &links;
    let mut fetched: Vec<(SalesforceId, Result<Case, SyncError>)> = stream::iter(groups)
        .map(|(id, case, records)| async move {
            let (case, outcomes) = take_all(deps, case, records, links).await;
            (id, outcomes.into_iter().find_map(in_the_way).map_or(Ok(case), Err))
        })
        .buffer_unordered(WRITES_AT_ONCE)
        .collect()
        .await;
    for (id, outcome) in &mut fetched {
        let records = elsewhere.remove(id).unwrap_or_default();
        if records.is_empty() || outcome.is_err() {
            continue;
        }
        let behind = refresh_anew::<R>(deps, &records).await;
        let moved = behind.len() < records.len();
        match behind.into_iter().find_map(|(id, error)| in_the_way((id, Err(error)))) {
            Some(error) => *outcome = Err(error),
            // What moved here has written the case, so that it has to be looked at again.
            None if moved => *outcome = Err(StoreError::Conflict.into()),
            None => {}
        }
    }
    Ok(fetched)
}

/// Looks at records as if they had been named by themselves. Boxed: this is where looking at a case leads back to what
/// hangs on it.
fn refresh_anew<'a, R: Hanging + 'a>(deps: &'a Deps, ids: &'a [SalesforceId]) -> BoxFuture<'a, Behind> {
    Box::pin(reading::refresh(deps, ids, Lines::<R>::default()))
}

/// What keeps a case from being looked at further. A record that cannot be billed by does not: its own notification
/// keeps it in sight.
fn in_the_way((_, outcome): (SalesforceId, Result<Option<Link>, SyncError>)) -> Option<SyncError> {
    match outcome {
        Err(SyncError::Unusable(_)) | Ok(_) => None,
        Err(error) => Some(error),
    }
}

/// The cases that records hang on: where the portal has them, and where Salesforce does.
struct Homes(BTreeMap<CaseId, Case>);

impl Homes {
    async fn load<'a>(
        deps: &Deps,
        links: impl Iterator<Item = &'a Link>,
        parents: BTreeSet<SalesforceId>,
    ) -> Result<Self, SyncError> {
        let mut homes = BTreeMap::new();
        for link in links {
            if let Some(id) = link.record.parent().filter(|id| !homes.contains_key(id)) {
                let case = deps.store.case(&Tenant::of_link(link), id).await?;
                homes.extend(case.map(|case| (id, case)));
            }
        }
        let parents: Vec<SalesforceId> = parents.into_iter().collect();
        homes.extend(cases::known(deps, &parents).await?.into_values().map(|case| (case.id, case)));
        Ok(Self(homes))
    }

    /// The case that stands for this one of Salesforce's.
    fn of(&self, parent: SalesforceId) -> Option<CaseId> {
        self.0.values().find(|case| case.salesforce_id == Some(parent)).map(|case| case.id)
    }

    /// The case on which the portal has what the link leads to.
    fn behind(&self, link: &Link) -> Option<CaseId> {
        let case = self.0.get(&link.record.parent()?)?;
        (case.account == link.account).then_some(case.id)
    }

    /// Each case with what is to be done on it.
    fn with<T>(&self, work: BTreeMap<CaseId, Vec<T>>) -> Vec<(Case, Vec<T>)> {
        work.into_iter().filter_map(|(id, work)| Some((self.0.get(&id)?.clone(), work))).collect()
    }
}

impl<R: Hanging> Refresh for Lines<R> {
    async fn look(&mut self, deps: &Deps, ids: &[SalesforceId]) -> Result<Looked, SyncError> {
        let mut links = deps.store.links(ids.iter().copied()).await?;
        let seen = ids.iter().filter_map(|id| self.parents.get(id)).copied().collect();
        let mut homes = Homes::load(deps, links.values(), seen).await?;
        let mut records = reading::by_id::<R>(deps, ids).await?;

        let mut drops: BTreeMap<CaseId, Vec<Link>> = BTreeMap::new();
        let mut takes: BTreeMap<CaseId, Vec<R>> = BTreeMap::new();
        let mut unseen: BTreeMap<SalesforceId, Vec<SalesforceId>> = BTreeMap::new();
        for id in ids {
            let record = records.remove(id).filter(|record| !record.is_deleted());
            let parent = record.as_ref().and_then(Hanging::parent);
            let home = parent.and_then(|parent| homes.of(parent));
            if let Some(link) = links.get(id)
                && let Some(here) = homes.behind(link)
                && home != Some(here)
            {
                drops.entry(here).or_default().push(link.clone());
            }
            match (record, parent, home) {
                (Some(record), Some(_), Some(home)) => takes.entry(home).or_default().push(record),
                (Some(_), Some(parent), None) if self.parents.insert(*id, parent) != Some(parent) => {
                    unseen.entry(parent).or_default().push(*id);
                }
                // Gone, not for clients, or on a case that is no client's.
                _ => {}
            }
        }

        let mut looked = Looked::default();
        // What moved leaves the one case before it appears on the other.
        let dropped: Vec<(Case, Outcomes)> = stream::iter(homes.with(drops))
            .map(|(case, links)| drop_all::<R>(deps, case, links))
            .buffer_unordered(WRITES_AT_ONCE)
            .collect()
            .await;
        for (case, outcomes) in dropped {
            homes.0.insert(case.id, case);
            for (id, outcome) in outcomes {
                match outcome {
                    Ok(link) => links.extend(link.map(|link| (id, link))),
                    Err(error) => {
                        takes.values_mut().for_each(|records| records.retain(|record| record.id() != id));
                        looked.note(id, Err(error));
                    }
                }
            }
        }
        let taken: Vec<(Case, Outcomes)> = stream::iter(homes.with(takes))
            .map(|(case, records)| take_all(deps, case, records, &links))
            .buffer_unordered(WRITES_AT_ONCE)
            .collect()
            .await;
        for (id, outcome) in taken.into_iter().flat_map(|(_, outcomes)| outcomes) {
            looked.note(id, outcome.map(|_| ()));
        }

        // Cases that the portal does not have yet come first.
        let parents: Vec<SalesforceId> = unseen.keys().copied().collect();
        let known = deps.store.links(parents.iter().copied()).await?;
        let missing: Vec<SalesforceId> = parents.into_iter().filter(|id| !known.contains_key(id)).collect();
        let behind = reading::refresh(deps, &missing, Cases).await;
        for (parent, ids) in unseen {
            if behind.contains_key(&parent) {
                looked.behind.extend(ids.into_iter().map(|id| (id, SyncError::CaseBehind)));
            } else {
                looked.again.extend(ids);
            }
        }
        Ok(looked)
    }
}

/// Takes what hangs on a case off it. Returns the case as it then stands.
async fn drop_all<R: Hanging>(deps: &Deps, case: Case, links: Vec<Link>) -> (Case, Outcomes) {
    let mut changes = Vec::new();
    let mut outcomes = Vec::new();
    for link in links {
        match R::dropped(deps, &case, &link).await {
            Ok(Some(line)) => changes.push(Change { line, modstamp: None }),
            outcome => outcomes.push((link.salesforce_id, outcome.map(|_| None))),
        }
    }
    save(deps, case, changes, outcomes).await
}

/// Puts what hangs on a case where it belongs. Returns the case as it then stands.
async fn take_all<R: Hanging>(
    deps: &Deps,
    case: Case,
    records: Vec<R>,
    links: &BTreeMap<SalesforceId, Link>,
) -> (Case, Outcomes) {
    let mut changes = Vec::new();
    let mut outcomes = Vec::new();
    for record in records {
        match record.taken(deps, &case, links.get(&record.id())).await {
            Ok(Some(line)) => changes.push(Change { line, modstamp: Some(record.modstamp()) }),
            outcome => outcomes.push((record.id(), outcome.map(|_| None))),
        }
    }
    save(deps, case, changes, outcomes).await
}

/// Writes changes of one case, some at a time, each with the case's next version.
async fn save(deps: &Deps, mut case: Case, changes: Vec<Change>, mut outcomes: Outcomes) -> (Case, Outcomes) {
    for some in changes.chunks(LINES_AT_ONCE) {
        let active = some.iter().filter_map(|change| change.modstamp).max();
        let next = case.touched(active.unwrap_or(case.last_activity_at));
        let lines: Vec<LineChange> = some.iter().map(|change| change.line.clone()).collect();
        let now = deps.clock.now();
        let mut events = vec![Event::case_changed(&next, now, &deps.random)];
        if lines.iter().any(|line| line.hours.is_some()) {
            events.push(Event::bill_changed(next.account, Some(next.id), now, &deps.random));
        }
        let outcome = deps.store.save_lines(&next, &lines, &events).await.map_err(SyncError::from);
        if outcome.is_ok() {
            case = next;
            some.iter().filter_map(|change| change.modstamp).for_each(|at| reading::became_visible(deps, at));
        }
        outcomes.extend(some.iter().map(|Change { line, .. }| {
            (line.salesforce_id, outcome.clone().map(|()| Some(line.link(&case))))
        }));
    }
    (case, outcomes)
}

impl Hanging for CaseCommentRecord {
    const PARENT: &'static str = "ParentId";

    fn parent(&self) -> Option<SalesforceId> {
        // What agents say among themselves never enters the portal's tables.
        self.is_published.then_some(self.parent_id)
    }

    fn modstamp(&self) -> Timestamp {
        self.system_modstamp
    }

    async fn taken(
        &self,
        deps: &Deps,
        case: &Case,
        link: Option<&Link>,
    ) -> Result<Option<LineChange>, SyncError> {
        let text = self.comment_body.as_deref().unwrap_or_default();
        let author = self.created_by.as_ref().map_or("", |by| &by.name);
        let (entry, at) = match link.map(|link| &link.record) {
            Some(Linked::Comment { entry, at, .. }) => (*entry, *at),
            _ => (EntryId::of_salesforce(&self.id), self.created_date),
        };
        let line = TimelineEntry::of_comment(entry, at, text, author);
        if link.is_none()
            && let Some(said) = said_here(deps, case, self, &line).await?
        {
            deps.store.link_comment(self.id, case, &said).await?;
            return Ok(None);
        }
        let stands = deps.store.line(case, at, entry).await?;
        // What a client said stays as they said it; it goes only if it is taken back in Salesforce.
        let line = stands.clone().filter(|_| entry.made_at().is_some()).unwrap_or(line);
        let same =
            stands.is_some_and(|stands| stands == line) && link.is_some_and(|link| link.leads_to(case));
        Ok((!same).then_some(LineChange {
            salesforce_id: self.id,
            line,
            shown: true,
            hours: None,
            before: link.cloned(),
        }))
    }

    async fn dropped(deps: &Deps, case: &Case, link: &Link) -> Result<Option<LineChange>, SyncError> {
        let Linked::Comment { entry, at, .. } = link.record else { return Ok(None) };
        let stands = deps.store.line(case, at, entry).await?;
        Ok(stands.map(|line| LineChange {
            salesforce_id: link.salesforce_id,
            line,
            shown: false,
            hours: None,
            before: Some(link.clone()),
        }))
    }
}

/// The client's comment that came back from Salesforce before the writer had noted that it got there: its words say
/// so, for the first line of such a comment is the portal's.
async fn said_here(
    deps: &Deps,
    case: &Case,
    record: &CaseCommentRecord,
    line: &TimelineEntry,
) -> Result<Option<TimelineEntry>, SyncError> {
    if !matches!(&line.happening, Happening::Commented { author, .. } if author.side == Side::Client) {
        return Ok(None);
    }
    let latest = PageSize::new(PageSize::MAX).unwrap_or(PageSize::DEFAULT);
    // Without a cursor there is none that could be of another list.
    let lines = deps.store.timeline(case, latest, None).await?.map(|page| page.items).unwrap_or_default();
    // Of those that the portal wrote: a comment's own earlier copy would say the same.
    let mut ours = lines.into_iter().filter(|line| line.id.made_at().is_some());
    Ok(ours.find(|line| line.for_salesforce() == record.comment_body))
}

impl Hanging for TimeEntryRecord {
    const PARENT: &'static str = "Case__c";

    fn parent(&self) -> Option<SalesforceId> {
        self.case
    }

    fn modstamp(&self) -> Timestamp {
        self.system_modstamp
    }

    async fn taken(
        &self,
        deps: &Deps,
        case: &Case,
        link: Option<&Link>,
    ) -> Result<Option<LineChange>, SyncError> {
        let stands = deps.store.time_entry(case, EntryId::of_salesforce(&self.id)).await?;
        let version = stands.as_ref().map_or(0, |entry| entry.version) + 1;
        let entry = self.entry(case.id, version)?;
        let unchanged = |stands: TimeEntry| TimeEntry { version: stands.version, ..entry.clone() } == stands;
        let same = stands.is_some_and(unchanged) && link.is_some_and(|link| link.leads_to(case));
        Ok((!same).then(|| logged(entry, link)))
    }

    async fn dropped(deps: &Deps, case: &Case, link: &Link) -> Result<Option<LineChange>, SyncError> {
        let Linked::TimeEntry { entry, .. } = link.record else { return Ok(None) };
        let stands = deps.store.time_entry(case, entry).await?.filter(|entry| !entry.deleted);
        let gone = |entry: TimeEntry| TimeEntry { deleted: true, version: entry.version + 1, ..entry };
        Ok(stands.map(|entry| logged(gone(entry), Some(link))))
    }
}

fn logged(entry: TimeEntry, before: Option<&Link>) -> LineChange {
    LineChange {
        salesforce_id: entry.salesforce_id,
        line: TimelineEntry::of_hours(&entry),
        shown: entry.is_shown(),
        hours: Some(entry),
        before: before.cloned(),
    }
}
