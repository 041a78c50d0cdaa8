//! What hangs on a case and comes from Salesforce: comments and hours.

use portico_domain::{
    SalesforceId,
    billing::TimeEntry,
    cases::{Case, TimelineEntry},
    events::Event,
};

use super::{put_case, replacing, timeline::replace_timeline};
use crate::{
    Store, StoreError, Tenant,
    engine::{Table, Write},
    keys,
    links::{Link, Linked},
    outbox,
};

/// Most changes that are written together with their case: three writes each stay below a transaction's hundred.
pub const LINES_AT_ONCE: usize = 30;

/// A comment or a time entry is no longer what the portal has.
#[derive(Debug, Clone)]
pub struct LineChange {
    /// The record in Salesforce.
    pub salesforce_id: SalesforceId,
    /// Its line on the timeline.
    pub line: TimelineEntry,
    /// Whether the line is to be seen; otherwise it goes.
    pub shown: bool,
    /// The time entry's next version, if it is one.
    pub hours: Option<TimeEntry>,
    /// Where it was, as of before Salesforce was read; absent if it is new here.
    pub before: Option<Link>,
}

impl LineChange {
    /// Where it is once the change is written to `case`.
    pub fn link(&self, case: &Case) -> Link {
        let record = match &self.hours {
            Some(hours) => Linked::TimeEntry { case: case.id, entry: hours.id },
            None => Linked::Comment { case: case.id, entry: self.line.id, at: self.line.at },
        };
        let version = self.before.as_ref().map_or(0, |link| link.version) + 1;
        Link { version, ..Link::new(self.salesforce_id, case.account, record) }
    }
}

impl Store {
    /// Takes over what changed on a case, with the case's next version and the events that tell of it: all of it or
    /// nothing.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if somebody else wrote the case, or one of the time entries or links, first.
    pub async fn save_lines(
        &self,
        case: &Case,
        changes: &[LineChange],
        events: &[Event],
    ) -> Result<(), StoreError> {
        let mut writes = vec![put_case(case, replacing(case.version))?];
        for event in events {
            writes.push(outbox::announce(event)?);
        }
        for change in changes {
            writes.push(replace_timeline(case, &change.line, change.shown)?);
            // Of two who read the record at different times, and saw it on different cases, one has to yield: the
            // versions of the cases alone would let both write.
            let link = change.link(case);
            writes.push(link.write(replacing(link.version))?);
            if let Some(hours) = &change.hours {
                let partition = keys::case_partition(&Tenant::new(case.account), case.id);
                let account = case.account.to_string();
                let keys = [("case_key", partition), ("entry", hours.id.to_string()), ("account", account)];
                let item = keys::item(Table::TimeEntries, hours, &keys)?;
                let condition = replacing(hours.version);
                writes.push(Write::Put { table: Table::TimeEntries, item, condition });
            }
        }
        self.transact(writes).await
    }
}
