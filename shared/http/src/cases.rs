//! Reaching a case and changing it on behalf of somebody.

use std::collections::BTreeSet;

use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use portico_domain::{
    CaseId, EntryId, FileId, Random,
    cases::{Case, Happening, TimelineEntry, WishError},
    events::{Event, Fact},
    files::File,
    people::Viewer,
};
use portico_store::{Commit, Repeat, Store, StoreError, Tenant, Ticket};

use crate::{ClientCaller, Kind, Made, Problem, repeated};

/// How often a lost race for a case is run again.
pub const RACES_MAX: usize = 5;
/// How many files are looked up at once.
const FILES_AT_ONCE: usize = 16;

/// The case, if there is one, Salesforce still has it and the viewer may see it. For everybody else it is not there, and what is not even an
/// id is not there either: the answer is the same, so that nothing can be told apart.
///
/// # Errors
/// [`Kind::NotFound`], or that the store does not answer.
pub async fn visible_case(
    store: &Store,
    tenant: &Tenant,
    viewer: &Viewer,
    id: &str,
) -> Result<Case, Problem> {
    let id: CaseId = id.parse().map_err(|_| Problem::not_found())?;
    let case = store.case(tenant, id).await?;
    case.filter(|case| case.is_shown_to(viewer)).ok_or_else(Problem::not_found)
}

/// The file and its case, if the viewer sees it on lists, be it only to see what became of it; whether it can be downloaded
/// is another question. A file of no case yet is its uploader's alone. For everybody else it is not there, as with
/// [`visible_case`].
///
/// # Errors
/// [`Kind::NotFound`], or that the store does not answer.
pub async fn listed_file(
    store: &Store,
    tenant: &Tenant,
    viewer: &Viewer,
    id: &str,
) -> Result<(File, Option<Case>), Problem> {
    let id: FileId = id.parse().map_err(|_| Problem::not_found())?;
    let file = store.file(tenant, id).await?;
    let file = file.filter(|file| file.is_listed_for(viewer)).ok_or_else(Problem::not_found)?;
    let case = match file.case {
        // A file is at most as visible as its case.
        Some(case) => Some(visible_case(store, tenant, viewer, &case.to_string()).await?),
        None => None,
    };
    Ok((file, case))
}

/// Which of the files that these lines of a case's timeline name are shown to the viewer.
///
/// # Errors
/// That the store does not answer.
pub async fn files_shown<'a>(
    store: &Store,
    tenant: &Tenant,
    viewer: &Viewer,
    lines: impl IntoIterator<Item = &'a TimelineEntry>,
) -> Result<BTreeSet<FileId>, Problem> {
    let named: BTreeSet<FileId> = lines.into_iter().flat_map(|line| line.happening.files()).collect();
    // One by one from the table: a line that was pushed a moment ago has to find its file, and an index is behind.
    let files = stream::iter(named).map(|id| store.file(tenant, id)).buffer_unordered(FILES_AT_ONCE);
    let files: Vec<Option<File>> = files.try_collect().await?;
    let shown = files.into_iter().flatten().filter(|file| file.is_shown_to(viewer));
    Ok(shown.map(|file| file.id).collect())
}

/// Whether the invoices that these lines of a case's timeline name are shown to the viewer. Nothing is read if they name
/// none.
///
/// # Errors
/// That the store does not answer.
pub async fn invoices_shown<'a>(
    store: &Store,
    tenant: &Tenant,
    viewer: &Viewer,
    lines: impl IntoIterator<Item = &'a TimelineEntry>,
) -> Result<bool, Problem> {
    let names_one = |line: &TimelineEntry| {
        use Happening::{DisputeClosed, Disputed, Invoiced};
        matches!(line.happening, Invoiced { .. } | Disputed { .. } | DisputeClosed { .. })
    };
    if !lines.into_iter().any(names_one) {
        return Ok(false);
    }
    Ok(store.may_see_invoices(tenant, viewer).await?)
}

/// What became of a change.
#[derive(Debug)]
pub enum Amended {
    /// It stands; this is the case with it, and its line on the timeline.
    Stands(Box<Case>, TimelineEntry),
    /// It had been made and answered before.
    Answered(Made),
}

/// A client's change of one case, which happens once.
pub struct Amendment<'a> {
    /// Where the case lies.
    pub store: &'a Store,
    /// Who changes it.
    pub caller: &'a ClientCaller,
    /// The permission to do it once.
    pub ticket: &'a Ticket,
    /// New ids.
    pub random: &'a Random,
    /// When.
    pub now: Timestamp,
}

impl Amendment<'_> {
    /// What became of the same command before, if it was given before. To be asked first: what was possible once may
    /// not be possible twice, and a repetition is answered all the same.
    ///
    /// # Errors
    /// What a repeated command is told; [`Kind::NotFound`]; that the store does not answer.
    pub async fn earlier(&self, id: &str) -> Result<Option<Amended>, Problem> {
        match self.store.earlier(self.ticket).await? {
            Some(repeat) => self.again(id, repeat).await.map(Some),
            None => Ok(None),
        }
    }

    /// Makes the change. `change` decides on the case as it stands, as often as somebody else is faster.
    ///
    /// # Errors
    /// What `change` refuses; [`Kind::NotFound`]; what a repeated command is told; that the store does not answer.
    pub async fn make(
        &self,
        id: &str,
        change: impl Fn(&Case) -> Result<(Case, Happening), Problem>,
        fact: impl Fn(&Case, &TimelineEntry) -> Fact,
    ) -> Result<Amended, Problem> {
        let Self { store, caller, ticket, random, now } = *self;
        for _ in 0..RACES_MAX {
            let before = visible_case(store, caller.tenant(), caller.viewer(), id).await?;
            let (case, happening) = match change(&before) {
                Ok(changed) => changed,
                // The same command may have been carried out a moment ago: then it stands in its own way.
                Err(refusal) => return self.earlier(id).await?.ok_or(refusal),
            };
            let entry = TimelineEntry::new(happening, now, random);
            let event = Event::about(&case, fact(&case, &entry), now, random).by(caller.actor());
            match store.amend_case(ticket, &case, &entry, &event).await {
                Ok(Commit::Done) => return Ok(Amended::Stands(Box::new(case), entry)),
                Ok(Commit::Repeated(repeat)) => return self.again(id, repeat).await,
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(StoreError::Conflict.into())
    }

    async fn again(&self, id: &str, repeat: Repeat) -> Result<Amended, Problem> {
        let made = match repeated(repeat) {
            Ok(made) => made,
            Err(answer) => return answer.map(Amended::Answered),
        };
        let case = visible_case(self.store, self.caller.tenant(), self.caller.viewer(), id).await?;
        let entry: EntryId = made.parse().map_err(|error| Problem::internal(&error))?;
        let entry = self.store.timeline_entry(&case, entry).await?.ok_or_else(Problem::not_found)?;
        Ok(Amended::Stands(Box::new(case), entry))
    }
}

/// No wildcard arm: a new refusal must choose its kind.
impl From<WishError> for Problem {
    fn from(refusal: WishError) -> Self {
        let kind = match refusal {
            WishError::Closed | WishError::Open | WishError::NoLongerNew | WishError::TooManyFollowers => {
                Kind::WrongState
            }
            WishError::NotTheRaiser => Kind::Forbidden,
            WishError::OtherVersion(_) => Kind::ChangedSince,
        };
        Problem::new(kind).because(refusal)
    }
}
