//! What the portal itself wrote into Salesforce: references to files, records of invoices.
//!
//! Here the portal is right. What is deleted or changed there is put right by the writer, unless it went with its
//! case.

use std::{collections::BTreeMap, marker::PhantomData};

use portico_domain::{
    CaseId, SalesforceId,
    billing::Invoice,
    events::{Event, Fact},
    files::File,
};
use portico_salesforce::records::{FileRecord, InvoiceRecord, Record};
use portico_store::{Link, Linked, Tenant};

use crate::{
    Deps, SyncError,
    cases::Cases,
    reading::{self, Looked, Refresh},
};

/// What the portal has, and Salesforce a copy of.
pub(crate) trait Original: Sized + Send {
    /// The copy.
    type Copy: Record + Send + Sync;

    /// What the link leads to.
    fn behind(deps: &Deps, link: &Link) -> impl Future<Output = Result<Option<Self>, SyncError>> + Send;

    /// The copy that it counts as its own.
    fn salesforce_id(&self) -> Option<SalesforceId>;

    /// Whether the copy still says what it says.
    fn is_told_by(&self, copy: &Self::Copy) -> bool;

    /// The case that it belongs to, if it belongs to one.
    fn case(&self) -> Option<CaseId>;

    /// The fact by which the writer learns that the copy has to be made again; none if it is shown nowhere there.
    fn lost(&self) -> Option<Fact>;

    /// Writes it without its copy, together with the event.
    fn lose(self, deps: &Deps, event: Event) -> impl Future<Output = Result<(), SyncError>> + Send;
}

impl Original for File {
    type Copy = FileRecord;

    async fn behind(deps: &Deps, link: &Link) -> Result<Option<Self>, SyncError> {
        let Linked::File { file } = link.record else { return Ok(None) };
        let file = deps.store.file(&Tenant::of_link(link), file).await?;
        // What is to be erased is not brought back.
        Ok(file.filter(|file| file.erasure.is_none()))
    }

    fn salesforce_id(&self) -> Option<SalesforceId> {
        self.salesforce_id
    }

    fn is_told_by(&self, copy: &FileRecord) -> bool {
        copy.refers_to(self)
    }

    fn case(&self) -> Option<CaseId> {
        self.case
    }

    fn lost(&self) -> Option<Fact> {
        Some(Fact::FileReferenceLost { case: self.case?, file: self.id })
    }

    async fn lose(self, deps: &Deps, event: Event) -> Result<(), SyncError> {
        let lost = Self { salesforce_id: None, version: self.version + 1, ..self };
        Ok(deps.store.lose_file_reference(&lost, &event).await?)
    }
}

impl Original for Invoice {
    type Copy = InvoiceRecord;

    async fn behind(deps: &Deps, link: &Link) -> Result<Option<Self>, SyncError> {
        let Linked::Invoice { invoice } = link.record else { return Ok(None) };
        Ok(deps.store.invoice(&Tenant::of_link(link), invoice).await?)
    }

    fn salesforce_id(&self) -> Option<SalesforceId> {
        self.salesforce_id
    }

    fn is_told_by(&self, copy: &InvoiceRecord) -> bool {
        copy.says(self)
    }

    fn case(&self) -> Option<CaseId> {
        self.subject.case()
    }

    fn lost(&self) -> Option<Fact> {
        Some(Fact::InvoiceRecordLost { case: self.subject.case(), invoice: self.id })
    }

    async fn lose(self, deps: &Deps, event: Event) -> Result<(), SyncError> {
        let lost = Self { salesforce_id: None, version: self.version + 1, ..self };
        Ok(deps.store.save_invoice(&lost, &[event]).await?)
    }
}

/// The copies of files, or of invoices.
pub(crate) struct Copies<O>(PhantomData<fn() -> O>);

impl<O> Default for Copies<O> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<O: Original> Refresh for Copies<O> {
    async fn look(&mut self, deps: &Deps, ids: &[SalesforceId]) -> Result<Looked, SyncError> {
        let mut known: BTreeMap<SalesforceId, (Tenant, O)> = BTreeMap::new();
        for (id, link) in deps.store.links(ids.iter().copied()).await? {
            let original = O::behind(deps, &link).await?;
            if let Some(original) = original.filter(|original| original.salesforce_id() == Some(id)) {
                known.insert(id, (Tenant::of_link(&link), original));
            }
        }
        if known.is_empty() {
            return Ok(Looked::default());
        }
        let ids: Vec<SalesforceId> = known.keys().copied().collect();
        let copies = reading::by_id::<O::Copy>(deps, &ids).await?;
        let mut looked = Looked::default();
        for (id, (tenant, original)) in known {
            let copy = copies.get(&id).filter(|copy| !copy.is_deleted());
            if !copy.is_some_and(|copy| original.is_told_by(copy)) {
                looked.note(id, put_right(deps, &tenant, id, original).await);
            }
        }
        Ok(looked)
    }
}

async fn put_right<O: Original>(
    deps: &Deps,
    tenant: &Tenant,
    id: SalesforceId,
    original: O,
) -> Result<(), SyncError> {
    let Some(fact) = original.lost() else { return Ok(()) };
    let event = match original.case() {
        Some(case) => to_put_right(deps, tenant, case, fact).await?,
        None => Some(Event::in_account(tenant.account(), fact, deps.clock.now(), &deps.random)),
    };
    let Some(event) = event else { return Ok(()) };
    tracing::warn!(%id, object = O::Copy::OBJECT.name(), "Salesforce no longer says what the portal said; put right");
    original.lose(deps, event).await
}

/// The event by which the writer puts a record right; none if the record went with its case, or the case moved.
async fn to_put_right(
    deps: &Deps,
    tenant: &Tenant,
    id: CaseId,
    fact: Fact,
) -> Result<Option<Event>, SyncError> {
    let Some(case) = deps.store.case(tenant, id).await? else { return Ok(None) };
    if let Some(salesforce_id) = case.salesforce_id
        && let Some(error) = reading::refresh(deps, &[salesforce_id], Cases).await.into_values().next()
    {
        return Err(error);
    }
    let case = deps.store.case(tenant, id).await?.filter(|case| case.withdrawn.is_none());
    Ok(case.map(|case| Event::about(&case, fact, deps.clock.now(), &deps.random)))
}
