//! Files of cases: their versions, their way to being available, and their end.

use jiff::{Timestamp, civil::Date};
use portico_domain::{
    CaseId, FileId, Random,
    cases::Case,
    events::Event,
    files::{CASE_FILES_MAX, File, FileRules, FileState, NoRoom, Space, Step, VERSIONS_MAX},
};
use serde_dynamo::Item;

use crate::{
    Cursor, CursorError, Page, PageSize, Repeat, Store, StoreError, Tenant, Ticket,
    cases::{delete_line, put_case, put_timeline, replacing},
    engine::{Condition, Index, Query, Table, Write},
    keys,
    links::{Link, Linked},
    outbox,
    usage::{Room, give_back},
};

const BY_CASE: Index = Index { name: "by-case", partition: "case_key" };
/// Files by the day on which somebody has to look whether they go.
const BY_DUE: Index = Index { name: "by-due", partition: "due_day" };
/// Files that are read at once.
const PAGE: u16 = 500;
/// How often a lost race for a file is run again.
const RACES_MAX: usize = 5;

/// What became of a command that takes room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Declared {
    /// It was done now.
    Done,
    /// It had been done before.
    Repeated(Repeat),
    /// There was no room for it; nothing was done.
    NoRoom(NoRoom),
}

/// A file with all its versions, the first one first. There is at least one.
#[derive(Debug, Clone, PartialEq)]
pub struct Versions(Vec<File>);

impl Versions {
    /// Every version.
    pub fn all(&self) -> &[File] {
        &self.0
    }

    /// The latest version.
    pub fn latest(&self) -> Option<&File> {
        self.0.last()
    }
}

/// A page of files that somebody has to look at.
#[derive(Debug, Clone, PartialEq)]
pub struct DueFiles {
    /// They.
    pub files: Vec<File>,
    /// Where to go on, if there may be more.
    pub next: Option<DuePlace>,
}

/// A place among the files that somebody has to look at on a day.
#[derive(Debug, Clone, PartialEq)]
pub struct DuePlace(Item);

pub(crate) fn put_file(file: &File, condition: Condition) -> Result<Write, StoreError> {
    let mut keys = vec![("account", file.account.to_string()), ("file", file.id.to_string())];
    if let Some(case) = file.case {
        keys.push(("case_key", keys::case_partition(&Tenant::new(file.account), case)));
    }
    if let Some(due) = file.due {
        keys.push(("due_day", day(due).to_string()));
        keys.push(("due_at", format!("{due:.3}")));
    }
    Ok(Write::Put { table: Table::Files, item: keys::item(Table::Files, file, &keys)?, condition })
}

fn day(moment: Timestamp) -> Date {
    moment.to_zoned(jiff::tz::TimeZone::UTC).date()
}

/// The room that one file takes.
fn space(file: &File) -> Space {
    Space::of([&file.declared])
}

impl Store {
    /// Somebody's declaration of a file that they are about to upload, the room for it, and the event that tells of it.
    ///
    /// # Errors
    /// [`StoreError`] if the engine fails; then nothing was written, or the same ticket finds what was.
    pub async fn declare_file(
        &self,
        ticket: &Ticket,
        file: &File,
        rules: &FileRules,
        event: &Event,
    ) -> Result<Declared, StoreError> {
        let mut room = Room::of_account(&Tenant::new(file.account), space(file), rules);
        if let Some(case) = file.case {
            room.and_of_case(case, space(file), rules);
        }
        let effect = vec![put_file(file, Condition::Absent)?, outbox::announce(event)?];
        self.command_with_room(ticket, &file.id.to_string(), effect, room).await
    }

    /// One file of the tenant.
    ///
    /// # Errors
    /// [`StoreError`] if the engine fails.
    pub async fn file(&self, tenant: &Tenant, file: FileId) -> Result<Option<File>, StoreError> {
        let key = keys::key(Table::Files, tenant.account(), Some(file.to_string()));
        self.engine.get(&key).await?.map(|item| keys::record(Table::Files, item)).transpose()
    }

    /// The files of a case, oldest first, whatever their state, all versions of them.
    ///
    /// # Errors
    /// [`StoreError`] if the engine fails.
    pub async fn files(&self, tenant: &Tenant, case: CaseId) -> Result<Vec<File>, StoreError> {
        let mut items: Vec<Item> = Vec::new();
        let mut after = None;
        loop {
            let partition = keys::case_partition(tenant, case);
            let query = Query {
                table: Table::Files,
                index: Some(BY_CASE),
                partition,
                within: None,
                descending: false,
                limit: PAGE,
                after,
            };
            let found = self.engine.query(&query).await?;
            items.extend(found.items);
            after = found.next;
            if after.is_none() || items.len() as u64 >= CASE_FILES_MAX {
                return items.into_iter().map(|item| keys::record(Table::Files, item)).collect();
            }
        }
    }

    /// A page of the files of a case, newest first, whatever their state, all versions of them.
    ///
    /// # Errors
    /// [`CursorError`] inside if the cursor is of another list; [`StoreError`] if the engine fails.
    pub async fn files_page(
        &self,
        tenant: &Tenant,
        case: CaseId,
        size: PageSize,
        cursor: Option<Cursor>,
    ) -> Result<Result<Page<File>, CursorError>, StoreError> {
        let partition = keys::case_partition(tenant, case);
        self.page(Table::Files, Some(BY_CASE), partition, &["account", "file"], size, cursor).await
    }

    /// A file with all its versions, whichever of them is named. `None` if there is no such file.
    ///
    /// # Errors
    /// [`StoreError`] if the engine fails.
    pub async fn versions(&self, tenant: &Tenant, file: FileId) -> Result<Option<Versions>, StoreError> {
        let Some(named) = self.file(tenant, file).await? else { return Ok(None) };
        let first = if named.original == named.id {
            Some(named.clone())
        } else {
            self.file(tenant, named.original).await?
        };
        // What became no version of anything yet stands for itself.
        let mut versions: Vec<File> = first.into_iter().collect();
        while let Some(next) = versions.last().and_then(|file| file.superseded_by)
            && versions.len() < VERSIONS_MAX as usize
        {
            match self.file(tenant, next).await? {
                Some(next) => versions.push(next),
                None => break,
            }
        }
        if !versions.iter().any(|version| version.id == named.id) {
            versions = vec![named];
        }
        Ok(Some(Versions(versions)))
    }

    /// Moves a file on its way to being available, with everything that its next state brings. `change` decides on the
    /// file as it stands, as often as somebody else is faster. Returns the file as it is then; `None` if there is no such
    /// file, or its case is gone.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if others keep writing it.
    pub async fn move_file(
        &self,
        tenant: &Tenant,
        file: FileId,
        change: impl Fn(&File) -> Option<File> + Send,
        now: Timestamp,
        random: &Random,
    ) -> Result<Option<File>, StoreError> {
        for _ in 0..RACES_MAX {
            let Some(before) = self.file(tenant, file).await? else { return Ok(None) };
            let Some(after) = change(&before) else { return Ok(Some(before)) };
            let (mut case, mut latest) = (None, None);
            if after.is_available() {
                if let Some(id) = after.case {
                    case = self.case(tenant, id).await?;
                    if case.is_none() {
                        return Ok(None);
                    }
                }
                if let Some(replaced) = after.replaces {
                    latest = self
                        .versions(tenant, replaced)
                        .await?
                        .and_then(|versions| versions.latest().cloned());
                }
            }
            let step = Step::new(after, case.as_ref(), latest.as_ref(), now, random);
            match self.save_step(tenant, &step).await {
                Ok(()) => return Ok(Some(step.file)),
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(error),
            }
        }
        Err(StoreError::Conflict)
    }

    async fn save_step(&self, tenant: &Tenant, step: &Step) -> Result<(), StoreError> {
        let file = &step.file;
        let mut writes = vec![put_file(file, replacing(file.version))?];
        if let Some(case) = &step.case {
            writes.push(put_case(case, replacing(case.version))?);
            if let Some(entry) = &step.entry {
                writes.push(put_timeline(case, entry)?);
            }
        }
        if let Some(superseded) = &step.superseded {
            writes.push(put_file(superseded, replacing(superseded.version))?);
        }
        if let FileState::Rejected { .. } = file.state {
            writes.extend(give_back(tenant, file.case, space(file)));
        }
        for event in &step.events {
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

    /// What somebody changed on a file: the next version of each of its versions, its case, and the events.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if somebody else wrote one of them first.
    pub async fn change_file(
        &self,
        versions: &[File],
        case: &Case,
        events: &[Event],
    ) -> Result<(), StoreError> {
        let mut writes = vec![put_case(case, replacing(case.version))?];
        for file in versions {
            writes.push(put_file(file, replacing(file.version))?);
        }
        for event in events {
            writes.push(outbox::announce(event)?);
        }
        self.transact(writes).await
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

    /// A file goes, record, line on the timeline and room. To be called once its content is gone.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if somebody else wrote it meanwhile.
    pub async fn remove_file(&self, file: &File, event: Option<&Event>) -> Result<(), StoreError> {
        let tenant = Tenant::new(file.account);
        let key = keys::key(Table::Files, file.account, Some(file.id.to_string()));
        let mut writes = vec![Write::Delete { key, condition: Condition::VersionIs(file.version) }];
        if let Some((case, entry)) = file.case.zip(file.entry) {
            writes.extend(delete_line(&tenant, case, entry));
        }
        // What was rejected gave it back then.
        if !matches!(file.state, FileState::Rejected { .. }) {
            writes.extend(give_back(&tenant, file.case, space(file)));
        }
        writes.extend(event.map(outbox::announce).transpose()?);
        self.transact(writes).await
    }

    /// A page of the files that somebody has to look at, of those that were to be looked at on this day (UTC) and until
    /// `now`, those that wait longest first. The index behind it may be a moment behind the records.
    ///
    /// # Errors
    /// [`StoreError`] if the engine fails.
    pub async fn files_due(
        &self,
        on: Date,
        now: Timestamp,
        after: Option<DuePlace>,
        limit: u16,
    ) -> Result<DueFiles, StoreError> {
        let query = Query {
            table: Table::Files,
            index: Some(BY_DUE),
            partition: on.to_string(),
            within: None,
            descending: false,
            limit,
            after: after.map(|DuePlace(key)| key),
        };
        let found = self.engine.query(&query).await?;
        let files: Vec<File> =
            found.items.into_iter().map(|item| keys::record(Table::Files, item)).collect::<Result<_, _>>()?;
        let (due, later): (Vec<File>, Vec<File>) =
            files.into_iter().partition(|file| file.due.is_some_and(|due| due <= now));
        // Behind what is not due yet nothing is.
        let next = found.next.filter(|_| later.is_empty()).map(DuePlace);
        Ok(DueFiles { files: due, next })
    }
}
