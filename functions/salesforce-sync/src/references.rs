//! What the portal itself wrote into Salesforce: references to files, records of invoices.
//!
//! Here the portal is right. What is deleted or changed there is put right by the writer, unless it went with its
//! case.

use std::collections::BTreeMap;

use portico_domain::{
    CaseId, SalesforceId,
    billing::Invoice,
    events::{Event, Fact},
    files::File,
};
use portico_salesforce::records::{FileRecord, InvoiceRecord};
use portico_store::{Linked, Tenant};

use crate::{
    Deps, SyncError,
    cases::Cases,
    reading::{self, Looked, Refresh},
};

/// References to files.
pub(crate) struct Files;

/// Records of invoices.
pub(crate) struct Invoices;

impl Refresh for Files {
    async fn look(&mut self, deps: &Deps, ids: &[SalesforceId]) -> Result<Looked, SyncError> {
        let mut known: BTreeMap<SalesforceId, (Tenant, File)> = BTreeMap::new();
        for (id, link) in deps.store.links(ids.iter().copied()).await? {
            let tenant = Tenant::of_link(&link);
            if let Linked::File { file } = link.record
                && let Some(file) = deps.store.file(&tenant, file).await?
                && file.salesforce_id == Some(id)
            {
                known.insert(id, (tenant, file));
            }
        }
        if known.is_empty() {
            return Ok(Looked::default());
        }
        let ids: Vec<SalesforceId> = known.keys().copied().collect();
        let records = reading::by_id::<FileRecord>(deps, &ids).await?;
        let mut looked = Looked::default();
        for (id, (tenant, file)) in known {
            let record = records.get(&id).filter(|record| !record.is_deleted);
            if record.is_some_and(|record| record.refers_to(&file)) {
                continue;
            }
            looked.note(id, lose_file(deps, &tenant, file).await);
        }
        Ok(looked)
    }
}

async fn lose_file(deps: &Deps, tenant: &Tenant, file: File) -> Result<(), SyncError> {
    let fact = Fact::FileReferenceLost { case: file.case, file: file.id };
    let Some(event) = to_put_right(deps, tenant, file.case, fact).await? else { return Ok(()) };
    tracing::warn!(file = %file.id, "Salesforce no longer says what the portal said; put right");
    let lost = File { salesforce_id: None, version: file.version + 1, ..file };
    Ok(deps.store.lose_file_reference(&lost, &event).await?)
}

impl Refresh for Invoices {
    async fn look(&mut self, deps: &Deps, ids: &[SalesforceId]) -> Result<Looked, SyncError> {
        let mut known: BTreeMap<SalesforceId, (Tenant, Invoice)> = BTreeMap::new();
        for (id, link) in deps.store.links(ids.iter().copied()).await? {
            let tenant = Tenant::of_link(&link);
            if let Linked::Invoice { invoice } = link.record
                && let Some(invoice) = deps.store.invoice(&tenant, invoice).await?
                && invoice.salesforce_id == Some(id)
            {
                known.insert(id, (tenant, invoice));
            }
        }
        if known.is_empty() {
            return Ok(Looked::default());
        }
        let ids: Vec<SalesforceId> = known.keys().copied().collect();
        let records = reading::by_id::<InvoiceRecord>(deps, &ids).await?;
        let mut looked = Looked::default();
        for (id, (tenant, invoice)) in known {
            let record = records.get(&id).filter(|record| !record.is_deleted);
            if record.is_some_and(|record| record.says(&invoice)) {
                continue;
            }
            looked.note(id, lose_invoice(deps, &tenant, invoice).await);
        }
        Ok(looked)
    }
}

async fn lose_invoice(deps: &Deps, tenant: &Tenant, invoice: Invoice) -> Result<(), SyncError> {
    let fact = Fact::InvoiceRecordLost { case: invoice.case, invoice: invoice.id };
    let Some(event) = to_put_right(deps, tenant, invoice.case, fact).await? else { return Ok(()) };
    tracing::warn!(invoice = %invoice.id, "Salesforce no longer says what the portal said; put right");
    let lost = Invoice { salesforce_id: None, version: invoice.version + 1, ..invoice };
    Ok(deps.store.save_invoice(&lost, &[event]).await?)
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
