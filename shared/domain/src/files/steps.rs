//! What a file's way to being available brings with it, to be written all at once.

use jiff::Timestamp;

use super::{File, FileState};
use crate::{
    Random,
    cases::{Case, Happening, TimelineEntry},
    events::{Event, Fact},
};

/// A file's next state and everything that changes with it.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The file's next version.
    pub file: File,
    /// Its case, touched, if something new is shown on it.
    pub case: Option<Case>,
    /// The line on the timeline.
    pub entry: Option<TimelineEntry>,
    /// The version in whose place it comes: its next version.
    pub superseded: Option<File>,
    /// What others have to know.
    pub events: Vec<Event>,
}

impl Step {
    /// From what a file was to what it is now. `case` is the one that it belongs to; `latest` the latest version of the
    /// file that it was uploaded in place of.
    pub fn new(
        file: File,
        case: Option<&Case>,
        latest: Option<&File>,
        now: Timestamp,
        random: &Random,
    ) -> Self {
        let told = Fact::FileChecked { case: file.case, file: file.id, uploader: file.uploaded_by.clone() };
        let checked = Event::in_account(file.account, told, now, random);
        let FileState::Available { .. } = file.state else {
            return Self { file, case: None, entry: None, superseded: None, events: vec![checked] };
        };
        let (file, superseded) = match latest {
            Some(latest) => succeed(file, latest),
            None => (file, None),
        };
        let Some(case) = case else {
            return Self { file, case: None, entry: None, superseded, events: vec![checked] };
        };
        let entry = TimelineEntry::new(Happening::of_file(&file), now, random);
        let case = case.touched(now);
        let file = File { entry: Some(entry.id), ..file };
        let mut events = vec![
            Event::about(&case, Fact::FileAdded { case: case.id, file: file.id }, now, random),
            Event::case_changed(&case, now, random),
            checked,
        ];
        if let Some(superseded) = &superseded {
            let fact = Fact::FileSuperseded { case: case.id, file: superseded.id };
            events.push(Event::about(&case, fact, now, random));
        }
        Self { file, case: Some(case), entry: Some(entry), superseded, events }
    }
}

/// The next version takes over what holds for the whole file by now, even that it was deleted meanwhile.
fn succeed(file: File, latest: &File) -> (File, Option<File>) {
    let before = File { superseded_by: Some(file.id), version: latest.version + 1, ..latest.clone() };
    let after = File {
        original: latest.original,
        revision: latest.revision.saturating_add(1),
        category: latest.category.clone(),
        visibility: latest.visibility.clone(),
        deleted: latest.deleted.clone(),
        erasure: latest.erasure,
        ..file
    };
    (after.with_due(), Some(before))
}
