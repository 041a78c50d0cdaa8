//! Files that come with a case: declared with it, or staged for it before.

use jiff::Timestamp;
use portico_domain::{
    FileId,
    cases::{Case, Happening, TimelineEntry},
    events::{Event, Fact},
    files::File,
};
use portico_http::{ClientCaller, Problem};
use portico_store::{Declared, StoreError, Ticket};

use crate::{Deps, body::Files};

/// How often a submission is tried again because a staged file came further on its way in that very moment.
const RACES_MAX: usize = 5;

/// The files of one submission.
pub(crate) struct Brought {
    /// Declared with the case. Their ids follow from it, so that a repetition means the same files.
    pub(crate) declared: Vec<File>,
    staged: Vec<FileId>,
}

impl Brought {
    /// The files that a case comes with, an upload in parts begun for each large one.
    pub(crate) async fn with(
        deps: &Deps,
        case: &Case,
        caller: &ClientCaller,
        files: &Files,
        now: Timestamp,
    ) -> Result<Self, Problem> {
        let mut declared = Vec::with_capacity(files.declared.len());
        for (place, wish) in files.declared.iter().enumerate() {
            let id = FileId::with_case(case.id, place);
            let by = caller.uploader();
            let file = File::declare(id, case.account, Some(case.id), wish.declared.clone(), by, now);
            let file = File { category: wish.category.clone(), visibility: wish.visibility.clone(), ..file };
            let begun = deps.bucket.begin_upload(file, wish.parts.clone()).await;
            declared.push(begun.map_err(|error| Problem::internal(&error))?);
        }
        Ok(Self { declared, staged: files.staged.iter().map(|file| file.id).collect() })
    }

    /// Opens the case with them, all or nothing.
    pub(crate) async fn open(
        &self,
        deps: &Deps,
        caller: &ClientCaller,
        ticket: &Ticket,
        case: &Case,
        now: Timestamp,
    ) -> Result<Declared, Problem> {
        for _ in 0..RACES_MAX {
            let mut files = self.declared.clone();
            let (mut entries, mut there) = (Vec::new(), Vec::new());
            for id in &self.staged {
                // Claimed by another case meanwhile, or gone: that is another submission, or a day later.
                let Some(file) =
                    deps.store.file(caller.tenant(), *id).await?.and_then(|file| file.attached(case.id))
                else {
                    return deps
                        .store
                        .earlier(ticket)
                        .await?
                        .map(Declared::Repeated)
                        .ok_or_else(Problem::not_found);
                };
                files.push(if file.is_available() {
                    let entry = TimelineEntry::new(Happening::of_file(&file), now, &deps.random);
                    there.push(file.id);
                    entries.push(entry.clone());
                    File { entry: Some(entry.id), ..file }
                } else {
                    file
                });
            }
            let fact = Fact::CaseSubmitted { case: case.id, files: there };
            let event = Event::about(case, fact, now, &deps.random).by(caller.actor());
            match deps.store.open_case(ticket, case, &files, &entries, &deps.rules, &event).await {
                Err(StoreError::Conflict) => {}
                outcome => return Ok(outcome?),
            }
        }
        Err(StoreError::Conflict.into())
    }

    /// Ends the uploads that were begun for nothing.
    pub(crate) async fn give_up(&self, deps: &Deps) {
        for file in &self.declared {
            deps.bucket.give_up_upload(file).await;
        }
    }
}
