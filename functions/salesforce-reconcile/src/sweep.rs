//! Everything that changed in Salesforce since the last sweep, object by object.
//!
//! ```text
//! Again ──▶ Changed, page by page ──▶ Deleted, day by day ──▶ the next object ... ──▶ the watermark
//! ```

use jiff::{SignedDuration, Timestamp};
use portico_aws::Metric;
use portico_domain::runs::{Behind, Checkpoint, Errand, Place, Position, Request, Run, RunState, Watermark};
use portico_salesforce::{
    records::Object,
    replication::{DELETED_REACH, Deletions, Listed},
};

use crate::{
    Deps, ReconcileError, send,
    standing::{Known, Standing, shows_case},
    work::Step,
};

/// How much of the last window is read again. `SystemModstamp` is the moment of the write and shows only after the
/// commit, and a transaction may take ten minutes; the clocks of both sides differ by less.
const OVERLAP: SignedDuration = SignedDuration::from_mins(12);
/// How far Salesforce's clock may be ahead of ours.
const SKEW: SignedDuration = SignedDuration::from_mins(2);
/// How far the first sweep of all reaches back. What is older comes with the backfill of each account; a day is time
/// enough between the two.
const FIRST_REACH: SignedDuration = SignedDuration::from_hours(24);
/// A change that the portal does not have after so long was missed by whoever should have told of it. Before, it is
/// on its way.
const ON_ITS_WAY: SignedDuration = SignedDuration::from_mins(2);
/// How much time one question for deletions spans.
const DELETIONS_AT_ONCE: SignedDuration = SignedDuration::from_hours(24);
/// Shortest time that a question for deletions is cut to; Salesforce counts minutes.
const DELETIONS_LEAST: SignedDuration = SignedDuration::from_mins(2);
/// Salesforce's reach for deletions moves on while a sweep is at work.
const REACH_MARGIN: SignedDuration = SignedDuration::from_hours(1);

pub(crate) async fn step(deps: &Deps, run: &mut Run) -> Result<Step, ReconcileError> {
    match run.position.clone() {
        Some(Position::Changed { object, after }) => changed(deps, run, named(&object)?, after).await,
        Some(Position::Deleted { object, from }) => deleted(deps, run, named(&object)?, from).await,
        Some(Position::Again { object }) => again(deps, run, named(&object)?).await,
        _ => match Object::ALL.into_iter().next() {
            Some(first) => again(deps, run, first).await,
            None => finish(deps, run, Step::default()).await,
        },
    }
}

pub(crate) fn named(object: &str) -> Result<Object, ReconcileError> {
    Object::named(object).ok_or_else(|| ReconcileError::Object(object.to_owned()))
}

/// The object that follows.
pub(crate) fn next(object: Object) -> Option<Object> {
    Object::ALL.into_iter().skip_while(|known| *known != object).nth(1)
}

async fn checkpoint(deps: &Deps, run: &Run, object: Object) -> Result<Checkpoint, ReconcileError> {
    let known = deps.store.checkpoint(object.name()).await?;
    let mut checkpoint = known.unwrap_or_else(|| Checkpoint::first(before(run.started_at, FIRST_REACH)));
    checkpoint.version += 1;
    Ok(checkpoint)
}

/// Looks again at what was behind after the last sweep, and sets the window.
async fn again(deps: &Deps, run: &mut Run, object: Object) -> Result<Step, ReconcileError> {
    let mut checkpoint = checkpoint(deps, run, object).await?;
    if !checkpoint.behind.is_empty() {
        let ids: Vec<_> = checkpoint.behind.iter().map(|behind| behind.id).collect();
        let listed = deps.salesforce.these(object, &ids).await?;
        let known = Known::load(&deps.store, &listed).await?;
        let mut still = Vec::new();
        for behind in &checkpoint.behind {
            let is = match listed.iter().find(|listed| listed.record.id == behind.id) {
                Some(listed) => matches!(known.standing(listed), Standing::Behind(_)),
                None => object == Object::Case && shows_case(&deps.store, behind.id).await?,
            };
            still.extend(is.then_some(*behind));
        }
        checkpoint.behind = still;
    }
    if let Some(oldest) = checkpoint.forgotten.take() {
        // From there on everything is looked at once more.
        checkpoint.changed_until = checkpoint.changed_until.min(after(oldest, OVERLAP));
    }
    run.position = Some(Position::Changed { object: object.name().to_owned(), after: None });
    Ok(Step { checkpoint: Some((object, checkpoint)), ..Step::default() })
}

/// A page of changes: judged, named to the sync, and only then counted as done.
async fn changed(
    deps: &Deps,
    run: &mut Run,
    object: Object,
    place: Option<Place>,
) -> Result<Step, ReconcileError> {
    let mut checkpoint = checkpoint(deps, run, object).await?;
    let until = run.started_at;
    let window = (before(checkpoint.changed_until, OVERLAP), after(until, SKEW));
    let page = deps.salesforce.changed(object, window, place).await?;
    let Some(last) = page.last().map(Listed::place) else {
        checkpoint.changed_until = checkpoint.changed_until.max(until);
        let from = before(checkpoint.deleted_until, OVERLAP);
        run.position = Some(Position::Deleted { object: object.name().to_owned(), from });
        return Ok(Step { checkpoint: Some((object, checkpoint)), ..Step::default() });
    };
    if place == Some(last) {
        return Err(ReconcileError::Stuck(last.id));
    }
    let known = Known::load(&deps.store, &page).await?;
    let mut ids = Vec::new();
    let mut missed = 0;
    for listed in &page {
        let standing = known.standing(listed);
        if standing == Standing::Foreign {
            continue;
        }
        // Also what seems to be the same: a second change within the same second leaves the same modstamp.
        ids.push(listed.record.id);
        if matches!(standing, Standing::Behind(_)) {
            missed += u64::from(listed.modstamp < before(until, ON_ITS_WAY));
            checkpoint.remember(Behind { id: listed.record.id, modstamp: listed.modstamp });
        }
    }
    let sent = send::may_have_changed(deps, object, ids).await?;
    let counts = run.count(object.name());
    counts.seen += u64::try_from(page.len()).unwrap_or(u64::MAX);
    counts.sent += sent;
    counts.missed += missed;
    checkpoint.changed_until = checkpoint.changed_until.max(last.modstamp.min(until));
    run.position = Some(Position::Changed { object: object.name().to_owned(), after: Some(last) });
    Ok(Step { checkpoint: Some((object, checkpoint)), ..Step::default() })
}

/// What was deleted, in the recycle bin or not: a record that has left it is on no list of changes.
async fn deleted(
    deps: &Deps,
    run: &mut Run,
    object: Object,
    from: Timestamp,
) -> Result<Step, ReconcileError> {
    let mut checkpoint = checkpoint(deps, run, object).await?;
    let until = run.started_at;
    let reach = before(deps.clock.now(), DELETED_REACH - REACH_MARGIN);
    let mut from = from;
    if from < reach {
        // Who was deleted in between cannot be asked for any more. Only holding everything against everything finds it.
        tracing::warn!(object = object.name(), %from, "deletions are out of reach, a compare is started");
        if checkpoint.since < until {
            deps.steps.send(&Request { run: None, errand: Errand::Compare }).await?;
            checkpoint.since = until;
        }
        from = reach;
    }
    let mut to = until.min(after(from, DELETIONS_AT_ONCE));
    if to.duration_since(from) >= DELETIONS_LEAST {
        let Deletions { records, covered_until } = loop {
            if let Some(deletions) = deps.salesforce.deleted(object, from, to).await? {
                break deletions;
            }
            let half = to.duration_since(from) / 2;
            if half < DELETIONS_LEAST {
                return Err(ReconcileError::TooManyDeletions);
            }
            to = after(from, half);
        };
        if object == Object::Case {
            for (id, at) in &records {
                if shows_case(&deps.store, *id).await? {
                    run.count(object.name()).missed += u64::from(*at < before(until, ON_ITS_WAY));
                    checkpoint.remember(Behind { id: *id, modstamp: *at });
                }
            }
        }
        let sent = send::may_have_changed(deps, object, records.into_iter().map(|(id, _)| id)).await?;
        let counts = run.count(object.name());
        counts.seen += sent;
        counts.sent += sent;
        checkpoint.deleted_until = checkpoint.deleted_until.max(covered_until.min(to));
    }
    let position = if to < until {
        Some(Position::Deleted { object: object.name().to_owned(), from: to })
    } else {
        next(object).map(|next| Position::Again { object: next.name().to_owned() })
    };
    let step = Step { checkpoint: Some((object, checkpoint)), ..Step::default() };
    if position.is_none() {
        return finish(deps, run, step).await;
    }
    run.position = position;
    Ok(step)
}

/// The last step: what the whole proves of every case.
async fn finish(deps: &Deps, run: &mut Run, step: Step) -> Result<Step, ReconcileError> {
    let now = deps.clock.now();
    let (mut since, mut until) = (Timestamp::MIN, run.started_at);
    for object in Object::ALL.into_iter().filter(|object| object.case().is_some()) {
        let checkpoint = match &step.checkpoint {
            Some((of, checkpoint)) if *of == object => Some(checkpoint.clone()),
            _ => deps.store.checkpoint(object.name()).await?,
        };
        if let Some(checkpoint) = checkpoint {
            since = since.max(checkpoint.since);
            until = until.min(checkpoint.complete_until(run.started_at));
        }
    }
    let watermark = match deps.store.watermark().await? {
        Some(watermark) => watermark.moved(since, until),
        None => Watermark { since, until, compared: None, version: 1 },
    };
    let lag = now.duration_since(watermark.until).as_secs();
    let measured = vec![
        (Metric::SweepFound, run.total().missed),
        (Metric::SweepLag, u64::try_from(lag).unwrap_or_default()),
    ];
    run.end(RunState::Done, None, now);
    Ok(Step { watermark: Some(watermark), measured, ..step })
}

fn before(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.saturating_sub(by).unwrap_or(at)
}

fn after(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.saturating_add(by).unwrap_or(at)
}
