//! How far an archive is, told to whoever waits: often enough to be seen moving, not so often that it costs.

use jiff::{SignedDuration, Timestamp};
use portico_domain::{
    events::{Event, Fact},
    files::{Archive, ArchiveState, PROGRESS_STEPS, Space},
};
use portico_store::StoreError;

use crate::Deps;

/// How much time lies between two tellings at least.
const TELL_EVERY: SignedDuration = SignedDuration::from_secs(1);

/// One run at an archive. Each step is a new version of its record: a run that another one has overtaken meets
/// [`StoreError::Conflict`] at its next step.
pub(crate) struct Progress<'a> {
    deps: &'a Deps,
    archive: Archive,
    whole: Space,
    done: Space,
    told: Space,
    told_at: Timestamp,
}

impl<'a> Progress<'a> {
    /// The run begins.
    pub async fn begin(deps: &'a Deps, archive: Archive, whole: Space) -> Result<Self, StoreError> {
        let (none, now) = (Space::default(), deps.clock.now());
        let mut progress = Self { deps, archive, whole, done: none, told: none, told_at: now };
        progress.tell().await?;
        Ok(progress)
    }

    /// These many bytes more are in it.
    pub async fn advance(&mut self, bytes: u64) -> Result<(), StoreError> {
        self.done.bytes = self.done.bytes.saturating_add(bytes);
        let more = self.done.bytes.saturating_sub(self.told.bytes);
        let due = more >= self.whole.bytes.div_ceil(PROGRESS_STEPS)
            && self.deps.clock.now().duration_since(self.told_at) >= TELL_EVERY;
        if due { self.tell().await } else { Ok(()) }
    }

    /// One file more is in it.
    pub fn end_file(&mut self) {
        self.done.files = self.done.files.saturating_add(1);
    }

    /// Says how far it is.
    pub async fn tell(&mut self) -> Result<(), StoreError> {
        let state = ArchiveState::Assembling { whole: self.whole, done: self.done };
        self.archive = step(self.deps, &self.archive, state).await?;
        (self.told, self.told_at) = (self.done, self.deps.clock.now());
        Ok(())
    }

    /// It is whole, with this many bytes of its own.
    pub async fn end(self, size: u64) -> Result<(), StoreError> {
        let state = ArchiveState::Ready { since: self.deps.clock.now(), whole: self.whole, size };
        step(self.deps, &self.archive, state).await.map(|_| ())
    }
}

/// An archive's next state, and the event that tells of it.
pub(crate) async fn step(deps: &Deps, archive: &Archive, state: ArchiveState) -> Result<Archive, StoreError> {
    let next = archive.now(state);
    let fact = Fact::ArchiveChanged {
        case: next.case,
        archive: next.id,
        requester: next.requested_by.clone(),
        version: next.version,
    };
    let event = Event::in_account(next.account, fact, deps.clock.now(), &deps.random);
    deps.store.save_archive(&next, &event).await?;
    Ok(next)
}
