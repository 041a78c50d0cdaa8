//! From an event to the one write that it stands for.

use portico_aws::QueueError;
use portico_domain::{
    CaseId, EntryId, FileId, InvoiceId, SalesforceId,
    cases::Case,
    events::{Event, Fact},
    files::File,
    people::Account,
};
use portico_salesforce::{
    SalesforceError,
    records::{MayHaveChanged, Object},
};
use portico_store::{StoreError, Tenant};

use crate::Deps;

/// How often a lost race for a record is run again.
const RACES_MAX: usize = 5;

/// Why a change has not reached Salesforce.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The portal's records cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Salesforce did not take it.
    #[error(transparent)]
    Salesforce(#[from] SalesforceError),
    /// The sync cannot be told.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// The record that an event names is not there.
    #[error("{0} is not in the store")]
    Missing(String),
    /// The case is not in Salesforce. It comes first in its group, so it was refused and parked.
    #[error("{0} is not in Salesforce")]
    CaseNotThere(CaseId),
}

impl WriteError {
    /// What the log may say: never the words, which may hold what people wrote.
    pub fn code(&self) -> &str {
        match self {
            Self::Salesforce(SalesforceError::Refused { code, .. }) => code,
            Self::Store(_) => "store",
            Self::Salesforce(_) => "salesforce",
            Self::Queue(_) => "queue",
            Self::Missing(_) => "missing",
            Self::CaseNotThere(_) => "case-not-there",
        }
    }
}

/// Whether the case has its number, and so is in Salesforce.
pub(crate) async fn is_numbered(deps: &Deps, event: &Event, id: CaseId) -> Result<bool, WriteError> {
    Ok(case(deps, &Tenant::of_event(event), id).await?.number.is_some())
}

/// Carries over what an event tells of. Safe to repeat.
///
/// # Errors
/// [`WriteError`].
pub(crate) async fn write(deps: &Deps, event: &Event) -> Result<(), WriteError> {
    let tenant = Tenant::of_event(event);
    match event.fact {
        Fact::CaseSubmitted { case, ref files } => {
            hand_over_case(deps, &tenant, case).await?;
            refer_to_files(deps, &tenant, case, read(deps, &tenant, files).await?).await
        }
        Fact::CaseAmended { case, .. } => hand_over_changes(deps, &tenant, case).await,
        Fact::CommentAdded { case, entry, .. } => hand_over_comment(deps, &tenant, case, entry).await,
        Fact::FileAdded { case, file }
        | Fact::FileSuperseded { case, file }
        | Fact::FileReferenceLost { case, file } => {
            refer_to_files(deps, &tenant, case, read(deps, &tenant, &[file]).await?).await
        }
        // What is said of a file is said of all its versions.
        Fact::FileRelabelled { case, file }
        | Fact::FileDeleted { case, file }
        | Fact::FileRestored { case, file } => {
            let versions = deps.store.versions(&tenant, file).await?;
            let versions = versions.map(|versions| versions.all().to_vec()).unwrap_or_default();
            refer_to_files(deps, &tenant, case, versions).await
        }
        Fact::FileErased { file, .. } => Ok(deps.salesforce.forget_file(file).await?),
        Fact::InvoiceIssued { case, invoice } | Fact::InvoiceRecordLost { case, invoice } => {
            record_invoice(deps, &tenant, case, invoice, Showing::IfUnknown).await
        }
        Fact::CreditNoteIssued { case, invoice, .. }
        | Fact::DisputeRaised { case, invoice, .. }
        | Fact::DisputeClosed { case, invoice, .. } => {
            record_invoice(deps, &tenant, case, invoice, Showing::Again).await
        }
        // Nothing that Salesforce does not know already.
        Fact::CaseChanged { .. }
        | Fact::CaseClosed { .. }
        | Fact::CaseFollowed { .. }
        | Fact::FileDeclared { .. }
        | Fact::FileChecked { .. }
        | Fact::FileAbandoned { .. }
        | Fact::FileErasureRequested { .. }
        | Fact::ArchiveRequested { .. }
        | Fact::ArchiveChanged { .. }
        | Fact::InvoiceDrafted { .. }
        | Fact::InvoiceRendered { .. }
        | Fact::BillingDue { .. }
        | Fact::BillChanged { .. }
        | Fact::CreditNoteRendered { .. }
        | Fact::DisputeAnswered { .. }
        | Fact::Accessed(_) => Ok(()),
    }
}

async fn hand_over_case(deps: &Deps, tenant: &Tenant, id: CaseId) -> Result<(), WriteError> {
    let case = case(deps, tenant, id).await?;
    if case.number.is_some() {
        return Ok(());
    }
    // The first attempt may have got through with its answer lost, and an agent may have worked on the case
    // since: look before writing over it.
    let taken = match deps.salesforce.find_case(&case).await? {
        Some(taken) => taken,
        None => deps.salesforce.submit_case(&case, &account(deps, tenant).await?).await?,
    };
    let now = deps.clock.now();
    deps.store.number_case(&case, taken.id, &taken.number, now, &deps.random).await?;
    Ok(())
}

/// Writes what clients changed, as it stands by now: a later change goes with an earlier one.
async fn hand_over_changes(deps: &Deps, tenant: &Tenant, id: CaseId) -> Result<(), WriteError> {
    for _ in 0..RACES_MAX {
        let case = case(deps, tenant, id).await?;
        let Some(held) = case.held else { return Ok(()) };
        let record = in_salesforce(&case)?;
        // Our own write makes no outbound message: without this, nobody would read what it came to. Said again if
        // somebody wrote and died before saying it.
        let read_it = MayHaveChanged::one(Object::Case, record);
        if held.taken.is_some() {
            return Ok(deps.sync.send(&read_it).await?);
        }
        let modstamp = deps.salesforce.amend_case(&case, &held, record).await?;
        let Some(taken) = case.taken(modstamp) else { return Ok(()) };
        match deps.store.save_case(&taken, &[], &[]).await {
            Ok(()) => return Ok(deps.sync.send(&read_it).await?),
            // The client changed something else meanwhile, or a reading came in.
            Err(StoreError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(StoreError::Conflict.into())
}

async fn hand_over_comment(
    deps: &Deps,
    tenant: &Tenant,
    id: CaseId,
    entry: EntryId,
) -> Result<(), WriteError> {
    let case = case(deps, tenant, id).await?;
    let parent = in_salesforce(&case)?;
    let said = deps.store.timeline_entry(&case, entry).await?;
    let said = said.ok_or_else(|| WriteError::Missing(entry.to_string()))?;
    let text = said.for_salesforce().ok_or_else(|| WriteError::Missing(entry.to_string()))?;
    if let Some(comment) = deps.salesforce.say(entry, &text, parent).await? {
        match deps.store.link_comment(comment, &case, &said).await {
            // The sync was faster and knew it by its words.
            Ok(()) | Err(StoreError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Those of the files that are still there.
async fn read(deps: &Deps, tenant: &Tenant, ids: &[FileId]) -> Result<Vec<File>, WriteError> {
    let mut files = Vec::with_capacity(ids.len());
    for id in ids {
        files.extend(deps.store.file(tenant, *id).await?);
    }
    Ok(files)
}

/// Shows files on their case as they stand by now. What has gone meanwhile, or is about to, is not shown again: the event
/// that tells of it comes later, and there is nothing to wait for.
async fn refer_to_files(
    deps: &Deps,
    tenant: &Tenant,
    case_id: CaseId,
    mut files: Vec<File>,
) -> Result<(), WriteError> {
    files.retain(|file| file.is_available() && file.erasure.is_none());
    if files.is_empty() {
        return Ok(());
    }
    let parent = in_salesforce(&case(deps, tenant, case_id).await?)?;
    let references = deps.salesforce.refer_to_files(&files, parent, &deps.portal).await?;
    for (file, reference) in files.into_iter().zip(references) {
        note_reference(deps, tenant, file, reference).await?;
    }
    Ok(())
}

/// Writes down which record in Salesforce refers to a file, unless that is known.
async fn note_reference(
    deps: &Deps,
    tenant: &Tenant,
    mut file: File,
    reference: SalesforceId,
) -> Result<(), WriteError> {
    for _ in 0..RACES_MAX {
        if file.salesforce_id == Some(reference) {
            return Ok(());
        }
        file.salesforce_id = Some(reference);
        file.version += 1;
        match deps.store.refer_to_file(&file).await {
            Err(StoreError::Conflict) => match deps.store.file(tenant, file.id).await? {
                Some(now) => file = now,
                // Erased in this very moment: the event that takes the reference away is on its way.
                None => return Ok(()),
            },
            done => return Ok(done?),
        }
    }
    Err(StoreError::Conflict.into())
}

/// When an invoice is shown that may be shown already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Showing {
    /// Only if no record shows it.
    IfUnknown,
    /// In any case: there is something new to show.
    Again,
}

/// Shows an invoice as it stands by now, and writes down which record shows it.
async fn record_invoice(
    deps: &Deps,
    tenant: &Tenant,
    case_id: Option<CaseId>,
    id: InvoiceId,
    showing: Showing,
) -> Result<(), WriteError> {
    let missing = || WriteError::Missing(id.to_string());
    let mut invoice = deps.store.invoice(tenant, id).await?.ok_or_else(missing)?;
    if invoice.salesforce_id.is_some() && showing == Showing::IfUnknown {
        return Ok(());
    }
    let parent = match case_id {
        Some(case_id) => Some(in_salesforce(&case(deps, tenant, case_id).await?)?),
        None => None,
    };
    let account = account(deps, tenant).await?;
    let Some(record) = deps.salesforce.record_invoice(&invoice, &account, parent).await? else {
        return Ok(());
    };
    for _ in 0..RACES_MAX {
        if invoice.salesforce_id == Some(record) {
            return Ok(());
        }
        invoice.salesforce_id = Some(record);
        invoice.version += 1;
        match deps.store.record_invoice(&invoice).await {
            Err(StoreError::Conflict) => {
                invoice = deps.store.invoice(tenant, id).await?.ok_or_else(missing)?
            }
            done => return Ok(done?),
        }
    }
    Err(StoreError::Conflict.into())
}

async fn case(deps: &Deps, tenant: &Tenant, id: CaseId) -> Result<Case, WriteError> {
    deps.store.case(tenant, id).await?.ok_or_else(|| WriteError::Missing(id.to_string()))
}

async fn account(deps: &Deps, tenant: &Tenant) -> Result<Account, WriteError> {
    let account = deps.store.account(tenant).await?;
    account.ok_or_else(|| WriteError::Missing(tenant.account().to_string()))
}

fn in_salesforce(case: &Case) -> Result<SalesforceId, WriteError> {
    case.salesforce_id.ok_or(WriteError::CaseNotThere(case.id))
}
