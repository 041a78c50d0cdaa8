//! Files of cases.

use portico_domain::{
    CaseId, FileId,
    cases::{Case, TimelineEntry},
    events::Event,
    files::File,
};

use crate::{
    Commit, Store, StoreError, Tenant, Ticket,
    cases::{put_case, put_timeline, replacing},
    engine::{Condition, Index, Query, Table, Write},
    keys,
    links::{Link, Linked},
    outbox,
};

const BY_CASE: Index = Index { name: "by-case", partition: "case_key" };
/// Most files of one case that are listed.
const FILES_MAX: u16 = 500;

/// What the arrival of a file's content changes, all at once.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// The file, now available.
    pub file: File,
    /// Its case, touched.
    pub case: Case,
    /// The line on the timeline.
    pub entry: TimelineEntry,
    /// What others have to know.
    pub events: Vec<Event>,
}

pub(crate) fn put_file(file: &File, condition: Condition) -> Result<Write, StoreError> {
    let case_key = keys::case_partition(&Tenant::new(file.account), file.case);
    let keys = [("account", file.account.to_string()), ("file", file.id.to_string()), ("case_key", case_key)];
    Ok(Write::Put { table: Table::Files, item: keys::item(Table::Files, file, &keys)?, condition })
}

impl Store {
    /// A client's declaration of a file that it is about to upload, and the event that tells of it.
    ///
    /// # Errors
    /// [`StoreError`] if the engine fails; then nothing was written, or the same ticket finds what was.
    pub async fn declare_file(
        &self,
        ticket: &Ticket,
        file: &File,
        event: &Event,
    ) -> Result<Commit, StoreError> {
        let writes = vec![put_file(file, Condition::Absent)?, outbox::announce(event)?];
        self.command(ticket, &file.id.to_string(), writes).await
    }

    /// One file of the tenant.
    ///
    /// # Errors
    /// [`StoreError`] if the engine fails.
    pub async fn file(&self, tenant: &Tenant, file: FileId) -> Result<Option<File>, StoreError> {
        let key = keys::key(Table::Files, tenant.account(), Some(file.to_string()));
        self.engine.get(&key).await?.map(|item| keys::record(Table::Files, item)).transpose()
    }

    /// The files of a case, oldest first, whatever their state.
    ///
    /// # Errors
    /// [`StoreError`] if the engine fails.
    pub async fn files(&self, tenant: &Tenant, case: CaseId) -> Result<Vec<File>, StoreError> {
        let found = self
            .engine
            .query(&Query {
                table: Table::Files,
                index: Some(BY_CASE),
                partition: keys::case_partition(tenant, case),
                descending: false,
                limit: FILES_MAX,
                after: None,
            })
            .await?;
        found.items.into_iter().map(|item| keys::record(Table::Files, item)).collect()
    }

    /// A file's content has arrived.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if somebody else wrote the file or the case first.
    pub async fn file_arrived(&self, arrival: &Arrival) -> Result<(), StoreError> {
        let mut writes = vec![
            put_file(&arrival.file, replacing(arrival.file.version))?,
            put_case(&arrival.case, replacing(arrival.case.version))?,
            put_timeline(&arrival.case, &arrival.entry)?,
        ];
        for event in &arrival.events {
            writes.push(outbox::announce(event)?);
        }
        self.transact(writes).await
    }

    /// Replaces a file by its next version.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if somebody else wrote it first.
    pub async fn save_file(&self, file: &File) -> Result<(), StoreError> {
        self.transact(vec![put_file(file, replacing(file.version))?]).await
    }

    /// Salesforce took the reference to a file: its next version, and where the reference leads.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if somebody else wrote it first.
    pub async fn refer_to_file(&self, file: &File) -> Result<(), StoreError> {
        let mut writes = vec![put_file(file, replacing(file.version))?];
        if let Some(salesforce_id) = file.salesforce_id {
            let record = Linked::File { file: file.id };
            writes.push(Link::new(salesforce_id, file.account, record).write(Condition::Always)?);
        }
        self.transact(writes).await
    }

    /// Salesforce lost the reference to a file, or says something else there: its next version, without it, and the
    /// event by which it is put right.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if somebody else wrote it first.
    pub async fn lose_file_reference(&self, file: &File, event: &Event) -> Result<(), StoreError> {
        self.transact(vec![put_file(file, replacing(file.version))?, outbox::announce(event)?]).await
    }
}
