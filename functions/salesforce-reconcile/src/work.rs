//! A run's steps, one after the other, each written down before the next.

use std::time::Duration;

use portico_aws::Metric;
use portico_domain::{
    RunId,
    runs::{Checkpoint, Errand, Request, Run, RunState, Watermark},
};
use portico_salesforce::records::Object;
use portico_store::{Claim, Progress, StoreError};
use tokio::time::Instant;

use crate::{Deps, ReconcileError, backfill, compare, redrive, sweep};

/// Most steps of one invocation: a quiet sweep has three for each object, and one more where there is something new.
const STEPS_MAX: usize = 65;
/// No step is begun after this: half of the function's 60 s are left for the one that is at work.
const SLICE: Duration = Duration::from_secs(30);

/// What a step changed beside the run itself.
#[derive(Debug, Default)]
pub(crate) struct Step {
    /// How far the sweeps have come with an object.
    pub checkpoint: Option<(Object, Checkpoint)>,
    /// What is proven of every case.
    pub watermark: Option<Watermark>,
    /// What is measured once the step is written down.
    pub measured: Vec<(Metric, u64)>,
}

/// Goes on with a run, or begins it, and asks for more if it is not done within this invocation.
pub(crate) async fn work(deps: &Deps, id: RunId, errand: &Errand) -> Result<(), ReconcileError> {
    let Some((mut run, claim)) = take_up(deps, id, errand).await? else { return Ok(()) };
    let mut lease = match claim {
        Claim::Granted(lease) => lease,
        Claim::Held(other) => {
            end(&mut run, RunState::Done, format!("{other} is at it already"), deps);
            return Ok(deps.store.end_run(&run).await?);
        }
    };
    let began = Instant::now();
    for _ in 0..STEPS_MAX {
        let step = match &run.errand {
            Errand::Sweep => sweep::step(deps, &mut run).await?,
            Errand::Backfill { .. } => backfill::step(deps, &mut run).await?,
            Errand::Compare => compare::step(deps, &mut run).await?,
            Errand::Redrive { .. } => redrive::step(deps, &mut run).await?,
        };
        let now = deps.clock.now();
        run.version += 1;
        run.updated_at = now;
        let checkpoint = step.checkpoint.as_ref().map(|(object, checkpoint)| (object.name(), checkpoint));
        let progress = Progress { run: &run, lease, checkpoint, watermark: step.watermark.as_ref() };
        match deps.store.save_progress(&progress, now).await {
            Ok(()) => {}
            // Delivered twice: whoever was faster goes on with it.
            Err(StoreError::Conflict) if moved_on(deps, &run).await? => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        lease.version += 1;
        for (metric, value) in step.measured {
            deps.metrics.record(metric, value);
        }
        if !run.is_running() {
            tracing::info!(run = %run.id, errand = %run.errand, state = %run.state, "a run has ended");
            return Ok(());
        }
        if began.elapsed() >= SLICE {
            break;
        }
    }
    Ok(deps.steps.send(&Request { run: Some(id), errand: run.errand }).await?)
}

/// The run, and whether it may; nothing if it has ended.
async fn take_up(deps: &Deps, id: RunId, errand: &Errand) -> Result<Option<(Run, Claim)>, ReconcileError> {
    let now = deps.clock.now();
    let known = match deps.store.run(id).await? {
        Some(run) => Some(run),
        None => {
            let run = Run::begin(id, errand.clone(), now);
            // Whoever asked may be writing it down in this moment.
            if deps.store.begin_run(&run).await? { Some(run) } else { deps.store.run(id).await? }
        }
    };
    let Some(run) = known.filter(Run::is_running) else { return Ok(None) };
    let claim = deps.store.claim(&run, now).await?;
    Ok(Some((run, claim)))
}

/// Whether somebody else wrote this version of a run or a later one.
async fn moved_on(deps: &Deps, run: &Run) -> Result<bool, StoreError> {
    Ok(deps.store.run(run.id).await?.is_some_and(|stored| stored.version >= run.version))
}

/// Ends a run that fails again and again, with the reason. What it found is kept; the next sweep begins where this one
/// had come to.
pub(crate) async fn give_up(deps: &Deps, id: RunId, error: &ReconcileError) -> Result<(), ReconcileError> {
    let Some(mut run) = deps.store.run(id).await?.filter(Run::is_running) else { return Ok(()) };
    tracing::error!(run = %id, %error, "a run is given up");
    let claim = deps.store.claim(&run, deps.clock.now()).await?;
    end(&mut run, RunState::Failed, error.to_string(), deps);
    match claim {
        Claim::Granted(lease) => {
            let progress = Progress { run: &run, lease, checkpoint: None, watermark: None };
            Ok(deps.store.save_progress(&progress, deps.clock.now()).await?)
        }
        Claim::Held(_) => Ok(deps.store.end_run(&run).await?),
    }
}

fn end(run: &mut Run, state: RunState, note: String, deps: &Deps) {
    let now = deps.clock.now();
    run.end(state, Some(note), now);
    run.version += 1;
    run.updated_at = now;
}
