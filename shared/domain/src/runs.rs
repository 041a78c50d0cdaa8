//! Runs: the work that holds the portal against Salesforce, a bounded step at a time.
//!
//! A run is a record. Every step moves it on in the same transaction as what the step found out, so that a crash goes
//! on where the last step ended, and whoever asks sees how far it is.

use std::{collections::BTreeMap, fmt, str::FromStr};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{AccountId, CaseId, RunId, SalesforceId};

/// Most examples that a run keeps of what it found: enough to see a pattern, and far below an item's limit.
pub const SAMPLES_MAX: usize = 100;
/// Most dead letters that one run takes back, unless it is told fewer.
pub const REDRIVEN_MAX: u32 = 1_000;
/// How long a run is kept after it began.
pub const KEPT: SignedDuration = SignedDuration::from_hours(90 * 24);

/// What a run is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Errand {
    /// Everything that changed in Salesforce since the last sweep.
    Sweep,
    /// Everything that Salesforce has of one account.
    Backfill {
        /// Which.
        account: AccountName,
    },
    /// Every record of every client, there against here.
    Compare,
    /// Dead letters, once more into the queue that they died in.
    Redrive {
        /// Of which queue.
        queue: RedriveQueue,
        /// At most so many; [`REDRIVEN_MAX`] if nothing is said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        most: Option<u32>,
    },
}

impl Errand {
    /// What two runs may not do at the same time: the name of its lease.
    pub fn lease(&self) -> String {
        match self {
            Self::Sweep => "sweep".to_owned(),
            Self::Backfill { account } => format!("backfill#{account}"),
            Self::Compare => "compare".to_owned(),
            Self::Redrive { queue, .. } => format!("redrive#{queue}"),
        }
    }
}

impl fmt::Display for Errand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sweep => f.write_str("sweep"),
            Self::Backfill { account } => write!(f, "backfill {account}"),
            Self::Compare => f.write_str("compare"),
            Self::Redrive { queue, most: None } => write!(f, "redrive {queue}"),
            Self::Redrive { queue, most: Some(most) } => write!(f, "redrive {queue} --most {most}"),
        }
    }
}

/// What asks for a run, or for its next step. This is the whole message of `ReconcileQueue`:
/// `{"kind":"sweep"}` starts a sweep; with `"run":"run_..."` it is that run, which is made if it does not exist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Which run; if absent, a new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// What for.
    #[serde(flatten)]
    pub errand: Errand,
}

/// An account, by the portal's id or by Salesforce's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum AccountName {
    /// `acct_...`
    Portal(AccountId),
    /// `001...`
    Salesforce(SalesforceId),
}

/// The text names no account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an account is named by its id in the portal (acct_...) or in Salesforce (001...)")]
pub struct MalformedAccountName;

impl FromStr for AccountName {
    type Err = MalformedAccountName;

    fn from_str(text: &str) -> Result<Self, MalformedAccountName> {
        if let Ok(id) = text.parse() {
            return Ok(Self::Portal(id));
        }
        let id: SalesforceId = text.parse().map_err(|_| MalformedAccountName)?;
        if id.key_prefix() == "001" { Ok(Self::Salesforce(id)) } else { Err(MalformedAccountName) }
    }
}

impl TryFrom<String> for AccountName {
    type Error = MalformedAccountName;

    fn try_from(text: String) -> Result<Self, MalformedAccountName> {
        text.parse()
    }
}

impl From<AccountName> for String {
    fn from(name: AccountName) -> String {
        name.to_string()
    }
}

impl fmt::Display for AccountName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Portal(id) => id.fmt(f),
            Self::Salesforce(id) => id.fmt(f),
        }
    }
}

/// The queues whose dead letters may go back. What Lambda parks for the relay and for uploads is not among them: those
/// are reports of failed invocations, not messages of a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RedriveQueue {
    /// Records that may have changed in Salesforce.
    Sync,
    /// What goes to Salesforce.
    Writer,
    /// Closed cases to be billed.
    Invoicing,
    /// Invoices to be rendered.
    Rendering,
    /// What people did, for the audit trail.
    Audit,
}

impl RedriveQueue {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Sync, Self::Writer, Self::Invoicing, Self::Rendering, Self::Audit];

    /// Its name on the command line and in messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sync => "sync",
            Self::Writer => "writer",
            Self::Invoicing => "invoicing",
            Self::Rendering => "rendering",
            Self::Audit => "audit",
        }
    }
}

impl fmt::Display for RedriveQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The text names no queue whose dead letters may go back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the queues are sync, writer, invoicing, rendering and audit")]
pub struct UnknownQueue;

impl FromStr for RedriveQueue {
    type Err = UnknownQueue;

    fn from_str(text: &str) -> Result<Self, UnknownQueue> {
        Self::ALL.into_iter().find(|queue| queue.name() == text).ok_or(UnknownQueue)
    }
}

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Steps are left.
    Running,
    /// It came to its end.
    Done,
    /// It was given up; `note` says why.
    Failed,
}

impl fmt::Display for RunState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
        })
    }
}

/// What a run counted for one object or queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    /// Records that were looked at.
    pub seen: u64,
    /// Records that were handed to the sync, or dead letters that were sent back.
    pub sent: u64,
    /// A sweep: records that the portal should have had by then, so that whoever tells it had missed them.
    pub missed: u64,
    /// A compare: there, and not here.
    pub missing: u64,
    /// A compare: here, in an older version.
    pub stale: u64,
    /// A compare: here, and gone there.
    pub gone: u64,
    /// A compare: different, but so young that the news may be on its way.
    pub young: u64,
}

impl Counts {
    /// Differences that a compare found.
    pub fn drift(&self) -> u64 {
        self.missing + self.stale + self.gone
    }
}

/// How a record here differs from the one there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Difference {
    /// It is there and not here.
    Missing,
    /// It is older here.
    Stale,
    /// It is here and gone there.
    Gone,
}

/// An example of what a run found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// API name of the object.
    pub object: String,
    /// The record in Salesforce.
    pub id: SalesforceId,
    /// What is different.
    pub difference: Difference,
}

/// A place in a list that is in order of `SystemModstamp`, then of id. Not an offset: records that come and go before
/// it do not move it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// `SystemModstamp` of the last record that was read.
    pub modstamp: Timestamp,
    /// Its id.
    pub id: SalesforceId,
}

/// Where the next step of a run begins. Objects are named as in Salesforce's API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum Position {
    /// A sweep looks again at what was behind after the last one.
    Again {
        /// Of which object.
        object: String,
    },
    /// A sweep reads what changed.
    Changed {
        /// Of which object.
        object: String,
        /// After this record; from the start of the window if absent.
        after: Option<Place>,
    },
    /// A sweep reads what was deleted.
    Deleted {
        /// Of which object.
        object: String,
        /// From this moment on.
        from: Timestamp,
    },
    /// A backfill lists an account's records by id.
    Backfill {
        /// The account in Salesforce.
        account: SalesforceId,
        /// Of which object.
        object: String,
        /// After this record.
        after: Option<SalesforceId>,
    },
    /// A compare goes on to the client after this one.
    NextAccount {
        /// The account in Salesforce; the first one if absent.
        after: Option<SalesforceId>,
    },
    /// A compare reads what is there.
    There {
        /// The account in Salesforce.
        account: SalesforceId,
        /// Of which object.
        object: String,
        /// After this record.
        after: Option<SalesforceId>,
    },
    /// A compare reads what is here.
    Here {
        /// The account in Salesforce.
        account: SalesforceId,
        /// After this case, in the order of the portal's ids.
        after: Option<CaseId>,
    },
    /// Dead letters.
    Redrive,
}

/// One run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Its id; sorts by time.
    pub id: RunId,
    /// What it is for.
    pub errand: Errand,
    /// Where it stands.
    pub state: RunState,
    /// Where the next step begins; absent before the first and after the last.
    pub position: Option<Position>,
    /// What was counted, by API name of the object or by queue.
    pub counts: BTreeMap<String, Counts>,
    /// Examples of what is different; at most [`SAMPLES_MAX`].
    pub samples: Vec<Sample>,
    /// What a person should know of how it ended.
    pub note: Option<String>,
    /// When it began. A sweep and a compare speak of this moment.
    pub started_at: Timestamp,
    /// When the last step ended.
    pub updated_at: Timestamp,
    /// When the last step of all ended.
    pub finished_at: Option<Timestamp>,
    /// Counts the writes of this record, from 1; every write names the version that it replaces.
    pub version: u64,
    /// When it may be forgotten, in epoch seconds.
    pub expires_at: i64,
}

impl Run {
    /// A run that has not made a step yet.
    pub fn begin(id: RunId, errand: Errand, now: Timestamp) -> Self {
        Self {
            id,
            errand,
            state: RunState::Running,
            position: None,
            counts: BTreeMap::new(),
            samples: Vec::new(),
            note: None,
            started_at: now,
            updated_at: now,
            finished_at: None,
            version: 1,
            expires_at: now.saturating_add(KEPT).unwrap_or(now).as_second(),
        }
    }

    /// The counts of an object or a queue.
    pub fn count(&mut self, of: &str) -> &mut Counts {
        self.counts.entry(of.to_owned()).or_default()
    }

    /// Everything together.
    pub fn total(&self) -> Counts {
        self.counts.values().fold(Counts::default(), |sum, counts| Counts {
            seen: sum.seen + counts.seen,
            sent: sum.sent + counts.sent,
            missed: sum.missed + counts.missed,
            missing: sum.missing + counts.missing,
            stale: sum.stale + counts.stale,
            gone: sum.gone + counts.gone,
            young: sum.young + counts.young,
        })
    }

    /// Counts a difference, and keeps it as an example as long as there is room.
    pub fn differs(&mut self, object: &str, id: SalesforceId, difference: Difference) {
        let counts = self.count(object);
        match difference {
            Difference::Missing => counts.missing += 1,
            Difference::Stale => counts.stale += 1,
            Difference::Gone => counts.gone += 1,
        }
        if self.samples.len() < SAMPLES_MAX {
            self.samples.push(Sample { object: object.to_owned(), id, difference });
        }
    }

    /// It ends.
    pub fn end(&mut self, state: RunState, note: Option<String>, now: Timestamp) {
        self.state = state;
        self.note = note;
        self.position = None;
        self.finished_at = Some(now);
    }

    /// Whether steps are left.
    pub fn is_running(&self) -> bool {
        self.state == RunState::Running
    }
}

/// A record that Salesforce changed and the portal had not taken over when a sweep came by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Behind {
    /// The record.
    pub id: SalesforceId,
    /// `SystemModstamp` of the change.
    pub modstamp: Timestamp,
}

/// Most records that a checkpoint remembers as behind.
pub const BEHIND_MAX: usize = 200;

/// How far the sweeps have come with one object. Moves on only after what they found is in the queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Every change before this moment was handed to the sync.
    pub changed_until: Timestamp,
    /// Every deletion before this moment was handed to the sync.
    pub deleted_until: Timestamp,
    /// From when on the sweeps have no gap: the start of the first, or of the first after a gap.
    pub since: Timestamp,
    /// Records that were behind, the oldest changes first; at most [`BEHIND_MAX`].
    pub behind: Vec<Behind>,
    /// If more were behind than can be remembered: the oldest change of those that are not.
    pub forgotten: Option<Timestamp>,
    /// Counts the writes of this record, from 1.
    pub version: u64,
}

impl Checkpoint {
    /// Before the first sweep, which begins at `from`.
    pub fn first(from: Timestamp) -> Self {
        Self {
            changed_until: from,
            deleted_until: from,
            since: from,
            behind: Vec::new(),
            forgotten: None,
            version: 0,
        }
    }

    /// Remembers a record as behind. Sweeps read changes in their order, so what comes later is younger.
    pub fn remember(&mut self, behind: Behind) {
        if let Some(known) = self.behind.iter_mut().find(|known| known.id == behind.id) {
            known.modstamp = known.modstamp.min(behind.modstamp);
        } else if self.behind.len() < BEHIND_MAX {
            self.behind.push(behind);
        } else {
            self.forgotten = Some(self.forgotten.map_or(behind.modstamp, |at| at.min(behind.modstamp)));
        }
    }

    /// Up to when the portal has every change, given that the sweep looked at `at`: just before the oldest that is
    /// behind (`SystemModstamp` counts whole seconds, so the second before).
    pub fn complete_until(&self, at: Timestamp) -> Timestamp {
        let oldest = self.behind.iter().map(|behind| behind.modstamp).chain(self.forgotten).min();
        let before =
            oldest.map(|oldest| oldest.saturating_sub(SignedDuration::from_secs(1)).unwrap_or(oldest));
        before.map_or(at, |before| before.min(at))
    }
}

/// What the sweeps prove of every case: between `since` and `until`, nothing changed in Salesforce that the portal does
/// not have. A case that was read in Salesforce after `since` is therefore as good as read at `until`:
///
/// ```text
/// time ──▶   since        the case was read        until             now
///              │ sweeps without a gap, nothing behind │ not known yet
/// confirmed at:                                       ▲
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watermark {
    /// From here on, sweeps without a gap.
    pub since: Timestamp,
    /// Up to here, nothing behind.
    pub until: Timestamp,
    /// The start of the last compare that found no difference: as good as a reading of every case.
    pub compared: Option<Timestamp>,
    /// Counts the writes of this record, from 1.
    pub version: u64,
}

impl Watermark {
    /// Moves the mark on; it never goes back. A change that Salesforce only showed later does not make untrue what was
    /// read before.
    #[must_use]
    pub fn moved(self, since: Timestamp, until: Timestamp) -> Self {
        Self { since, until: self.until.max(until), version: self.version + 1, ..self }
    }

    /// When a case was last known to be what Salesforce says, by its own last reading and by the sweeps.
    pub fn confirms(&self, read: Timestamp) -> Timestamp {
        let known = self.compared.map_or(read, |compared| compared.max(read));
        if known >= self.since { read.max(self.until) } else { read }
    }
}

/// How long a run may be silent before another may take its place: longer than one step may take, its retries included.
pub const LEASE_LIFE: SignedDuration = SignedDuration::from_mins(10);

/// Who does an errand that only one may do at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The run that has it.
    pub owner: RunId,
    /// When others may take it, in epoch seconds.
    pub expires_at: i64,
    /// Counts the writes of this record.
    pub version: u64,
}

impl Lease {
    /// A lease from `now` on, as the version that follows `version`.
    pub fn of(owner: RunId, version: u64, now: Timestamp) -> Self {
        let end = now.saturating_add(LEASE_LIFE).unwrap_or(now);
        Self { owner, expires_at: end.as_second(), version: version + 1 }
    }
}

impl RunId {
    /// The run that a message without a run's id asks for: the same one however often the message is delivered.
    pub fn of_message(message: &str, sent_at: Timestamp) -> Self {
        Self::of_name(&format!("run/{message}"), sent_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn record(number: usize) -> SalesforceId {
        format!("500{number:012}").parse().unwrap()
    }

    #[test]
    fn a_request_is_a_small_message() {
        let id: RunId = "run_00000000000000000000000000000007".parse().unwrap();
        for (text, expected) in [
            (r#"{"kind":"sweep"}"#, Request { run: None, errand: Errand::Sweep }),
            (
                r#"{"run":"run_00000000000000000000000000000007","kind":"compare"}"#,
                Request { run: Some(id), errand: Errand::Compare },
            ),
            (
                r#"{"kind":"backfill","account":"001000000000001AAA"}"#,
                Request {
                    run: None,
                    errand: Errand::Backfill { account: "001000000000001".parse().unwrap() },
                },
            ),
            (
                r#"{"kind":"redrive","queue":"writer","most":5}"#,
                Request { run: None, errand: Errand::Redrive { queue: RedriveQueue::Writer, most: Some(5) } },
            ),
        ] {
            assert_eq!(serde_json::from_str::<Request>(text).unwrap(), expected);
            assert_eq!(serde_json::to_string(&expected).unwrap(), text);
        }
        for text in [r#"{"kind":"sweeps"}"#, r#"{"kind":"redrive","queue":"relay"}"#, "{}"] {
            assert!(serde_json::from_str::<Request>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_account_has_two_names_and_a_case_is_none() {
        assert!("acct_00000000000000000000000000000007".parse::<AccountName>().is_ok());
        assert!("001000000000001AAA".parse::<AccountName>().is_ok());
        for text in ["500000000000001AAA", "nordhaven", ""] {
            assert_eq!(text.parse::<AccountName>(), Err(MalformedAccountName), "{text}");
        }
    }

    #[test]
    fn the_same_message_asks_for_the_same_run() {
        let id = RunId::of_message("m-1", at(0));
        assert_eq!(id, RunId::of_message("m-1", at(0)));
        assert_ne!(id, RunId::of_message("m-2", at(0)));
    }

    #[test]
    fn nothing_behind_covers_everything_and_the_oldest_behind_bounds_it() {
        let mut checkpoint = Checkpoint::first(at(0));
        assert_eq!(checkpoint.complete_until(at(100)), at(100));
        checkpoint.remember(Behind { id: record(1), modstamp: at(50) });
        checkpoint.remember(Behind { id: record(2), modstamp: at(40) });
        assert_eq!(checkpoint.complete_until(at(100)), at(39));
        // Changed once more: still behind since the first time.
        checkpoint.remember(Behind { id: record(2), modstamp: at(90) });
        assert_eq!(checkpoint.complete_until(at(100)), at(39));
        assert_eq!(checkpoint.behind.len(), 2);
    }

    #[test]
    fn what_cannot_be_remembered_holds_the_mark_back_too() {
        let mut checkpoint = Checkpoint::first(at(0));
        for number in 0..=BEHIND_MAX {
            let modstamp = at(1_000 + i64::try_from(number).unwrap());
            checkpoint.remember(Behind { id: record(number), modstamp });
        }
        assert_eq!(checkpoint.behind.len(), BEHIND_MAX);
        assert_eq!(checkpoint.forgotten, Some(at(1_000 + 200)));
        checkpoint.behind.clear();
        assert_eq!(checkpoint.complete_until(at(5_000)), at(1_199));
    }

    #[test]
    fn a_mark_confirms_only_what_was_read_within_its_reach() {
        let mark = Watermark { since: at(100), until: at(200), compared: None, version: 1 };
        assert_eq!(mark.confirms(at(150)), at(200));
        assert_eq!(mark.confirms(at(250)), at(250));
        // What happened to it between its reading and the first sweep, nobody knows.
        assert_eq!(mark.confirms(at(50)), at(50));
        let compared = Watermark { compared: Some(at(120)), ..mark };
        assert_eq!(compared.confirms(at(50)), at(200));
        let before = Watermark { compared: Some(at(90)), ..mark };
        assert_eq!(before.confirms(at(50)), at(50));
        assert_eq!(mark.moved(at(100), at(150)).until, at(200));
    }
}
