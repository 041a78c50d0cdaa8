//! Runs that hold the portal against Salesforce: the runs themselves, who may do what at the moment, and how far they
//! have come.
//!
//! One table with three sections, because a step moves things in all three or in none.

use jiff::Timestamp;
use portico_domain::{
    AccountId, CaseId, RunId, SalesforceId,
    cases::Case,
    runs::{Checkpoint, Lease, Run, Watermark},
};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    Store, StoreError, Tenant,
    cases::replacing,
    engine::{Condition, Key, Query, Table, Write},
    keys,
};

/// Runs by id.
const RUNS: &str = "runs";
/// Leases by errand.
const LEASES: &str = "leases";
/// Checkpoints by object, and the watermark.
const CHECKPOINTS: &str = "checkpoints";
/// The watermark's name among the checkpoints; no object of Salesforce is called so.
const WATERMARK: &str = "watermark";
/// Most runs of one list.
const RUNS_LISTED_MAX: u16 = 50;
/// Cases of an account that are read at once.
const CASES_AT_ONCE: u16 = 200;

/// Whether a run may do its errand now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// It may, as long as it holds this lease.
    Granted(Lease),
    /// Another one is at it.
    Held(RunId),
}

/// What one step of a run changes, all at once.
#[derive(Debug, Clone)]
pub struct Progress<'a> {
    /// The run's next version.
    pub run: &'a Run,
    /// The lease as it was when the step began: renewed, or given up where the run ends.
    pub lease: Lease,
    /// How far the sweeps have come with an object, if the step moved that: the checkpoint's next version.
    pub checkpoint: Option<(&'a str, &'a Checkpoint)>,
    /// What is proven of every case, if the step moved that: the mark's next version.
    pub watermark: Option<&'a Watermark>,
}

fn key(section: &str, name: impl ToString) -> Key {
    keys::key(Table::SyncRuns, section, Some(name.to_string()))
}

fn put<T: Serialize>(
    section: &str,
    name: impl ToString,
    record: &T,
    condition: Condition,
) -> Result<Write, StoreError> {
    let keys = [("section", section.to_owned()), ("name", name.to_string())];
    let item = keys::item(Table::SyncRuns, record, &keys)?;
    Ok(Write::Put { table: Table::SyncRuns, item, condition })
}

impl Store {
    /// Writes a run down that has not begun; `false` if it is there already.
    ///
    /// # Errors
    /// [`StoreError`] if the engine fails.
    pub async fn begin_run(&self, run: &Run) -> Result<bool, StoreError> {
        Ok(self.attempt(vec![put(RUNS, run.id, run, Condition::Absent)?]).await?.is_ok())
    }

    /// One run.
    ///
    /// # Errors
    /// [`StoreError`] if the engine fails.
    pub async fn run(&self, run: RunId) -> Result<Option<Run>, StoreError> {
        self.kept(RUNS, run).await
    }

    /// The latest runs, newest first.
    ///
    /// # Errors
    /// [`StoreError`] if the engine fails.
    pub async fn latest_runs(&self) -> Result<Vec<Run>, StoreError> {
        let query = Query {
            table: Table::SyncRuns,
            index: None,
            partition: RUNS.to_owned(),
            within: None,
            descending: true,
            limit: RUNS_LISTED_MAX,
            after: None,
        };
        let found = self.engine.query(&query).await?;
        found.items.into_iter().map(|item| keys::record(Table::SyncRuns, item)).collect()
    }

    /// Asks to be the only one who does an errand. Whoever had it keeps it, whoever comes second is told who has it;
    /// one that has been silent for too long loses it.
    ///
    /// # Errors
    /// [`StoreError`] if the engine fails.
    pub async fn claim(&self, run: &Run, now: Timestamp) -> Result<Claim, StoreError> {
        let name = run.errand.lease();
        // Versions go on from the clock: none is used twice, whoever held the lease before.
        let version = u64::try_from(now.as_millisecond()).unwrap_or_default();
        let lease = Lease::of(run.id, version, now);
        let free = Condition::AbsentOrExpired { now: now.as_second() };
        let refused = match self.attempt(vec![put(LEASES, &name, &lease, free)?]).await? {
            Ok(()) => return Ok(Claim::Granted(lease)),
            Err(refused) => refused.into_iter().next().flatten().and_then(|refused| refused.item),
        };
        let held: Lease = match refused {
            Some(item) => keys::record(Table::SyncRuns, item)?,
            // Given up in this very moment: the next delivery finds it free.
            None => return Err(StoreError::Conflict),
        };
        Ok(if held.owner == run.id { Claim::Granted(held) } else { Claim::Held(held.owner) })
    }

    /// Moves a run on by a step.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if somebody else moved it on, or has its lease by now: then nothing is written, and
    /// whoever did goes on with it.
    pub async fn save_progress(&self, progress: &Progress<'_>, now: Timestamp) -> Result<(), StoreError> {
        let Progress { run, lease, checkpoint, watermark } = progress;
        let (name, unchanged) = (run.errand.lease(), Condition::VersionIs(lease.version));
        let mut writes = vec![put(RUNS, run.id, run, replacing(run.version))?];
        writes.push(if run.is_running() {
            put(LEASES, &name, &Lease::of(run.id, lease.version, now), unchanged)?
        } else {
            Write::Delete { key: key(LEASES, &name), condition: unchanged }
        });
        if let Some((object, checkpoint)) = checkpoint {
            writes.push(put(CHECKPOINTS, object, checkpoint, replacing(checkpoint.version))?);
        }
        if let Some(watermark) = watermark {
            writes.push(put(CHECKPOINTS, WATERMARK, watermark, replacing(watermark.version))?);
        }
        self.transact(writes).await
    }

    /// Ends a run that never got to its errand, or gives one up that fails again and again.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if somebody else moved it on.
    pub async fn end_run(&self, run: &Run) -> Result<(), StoreError> {
        self.transact(vec![put(RUNS, run.id, run, replacing(run.version))?]).await
    }

    /// How far the sweeps have come with an object, by its API name.
    ///
    /// # Errors
    /// [`StoreError`] if the engine fails.
    pub async fn checkpoint(&self, object: &str) -> Result<Option<Checkpoint>, StoreError> {
        self.kept(CHECKPOINTS, object).await
    }

    /// What the sweeps prove of every case.
    ///
    /// # Errors
    /// [`StoreError`] if the engine fails.
    pub async fn watermark(&self) -> Result<Option<Watermark>, StoreError> {
        self.kept(CHECKPOINTS, WATERMARK).await
    }

    /// The account in Salesforce of a client company.
    ///
    /// # Errors
    /// [`StoreError`] if the engine fails.
    pub async fn salesforce_account(&self, account: AccountId) -> Result<Option<SalesforceId>, StoreError> {
        Ok(self.account(&Tenant::new(account)).await?.map(|account| account.salesforce_id))
    }

    /// The cases of an account after one of them, in the order of their ids; fewer than the limit only at the end.
    ///
    /// # Errors
    /// [`StoreError`] if the engine fails.
    pub async fn cases_after(
        &self,
        tenant: &Tenant,
        after: Option<CaseId>,
    ) -> Result<(Vec<Case>, Option<CaseId>), StoreError> {
        let account = tenant.account();
        let after =
            after.map(|case| keys::key_item(&keys::key(Table::Cases, account, Some(case.to_string()))));
        let partition = account.to_string();
        let query = Query {
            table: Table::Cases,
            index: None,
            partition,
            within: None,
            descending: false,
            limit: CASES_AT_ONCE,
            after,
        };
        let found = self.engine.query(&query).await?;
        let more = found.next.is_some();
        let cases: Vec<Case> =
            found.items.into_iter().map(|item| keys::record(Table::Cases, item)).collect::<Result<_, _>>()?;
        let last = cases.last().map(|case| case.id).filter(|_| more);
        Ok((cases, last))
    }

    async fn kept<T: DeserializeOwned>(
        &self,
        section: &str,
        name: impl ToString,
    ) -> Result<Option<T>, StoreError> {
        let item = self.engine.get(&key(section, name)).await?;
        item.map(|item| keys::record(Table::SyncRuns, item)).transpose()
    }
}
