//! Archives of cases' files, while somebody waits for them.

use portico_domain::{
    ArchiveId,
    events::Event,
    files::{Archive, RECORD_LIFE},
};
use serde::Serialize;

use crate::{
    Commit, Store, StoreError, Tenant, Ticket,
    cases::replacing,
    engine::{Condition, Table, Write},
    keys, outbox,
};

#[derive(Serialize)]
struct Row<'a> {
    #[serde(flatten)]
    archive: &'a Archive,
    expires_at: i64,
}

fn put(archive: &Archive, condition: Condition) -> Result<Write, StoreError> {
    let expires_at = archive.requested_at.saturating_add(RECORD_LIFE).unwrap_or(archive.requested_at);
    let keys = [("account", archive.account.to_string()), ("archive", archive.id.to_string())];
    let row = Row { archive, expires_at: expires_at.as_second() };
    let item = keys::item(Table::Archives, &row, &keys)?;
    Ok(Write::Put { table: Table::Archives, item, condition })
}

impl Store {
    /// Somebody asks for an archive: its record, the ticket and the event, or none of them.
    ///
    /// # Errors
    /// [`StoreError`] if the engine fails; then nothing was written, or the same ticket finds what was.
    pub async fn request_archive(
        &self,
        ticket: &Ticket,
        archive: &Archive,
        event: &Event,
    ) -> Result<Commit, StoreError> {
        let effect = vec![put(archive, Condition::Absent)?, outbox::announce(event)?];
        self.command(ticket, &archive.id.to_string(), effect).await
    }

    /// One archive of the tenant.
    ///
    /// # Errors
    /// [`StoreError`] if the engine fails.
    pub async fn archive(&self, tenant: &Tenant, archive: ArchiveId) -> Result<Option<Archive>, StoreError> {
        let key = keys::key(Table::Archives, tenant.account(), Some(archive.to_string()));
        self.engine.get(&key).await?.map(|item| keys::record(Table::Archives, item)).transpose()
    }

    /// An archive's next version, and the event that tells of it.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if somebody else wrote it first.
    pub async fn save_archive(&self, archive: &Archive, event: &Event) -> Result<(), StoreError> {
        self.transact(vec![put(archive, replacing(archive.version))?, outbox::announce(event)?]).await
    }
}
