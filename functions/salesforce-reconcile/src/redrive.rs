//! Dead letters go back to the queue that they died in, by hand and in bounds.

use portico_aws::{Cloud, DeadLetters, Metric, Queue, SettingError};
use portico_domain::runs::{Errand, Position, REDRIVEN_MAX, RedriveQueue, Run, RunState};

use crate::{Deps, ReconcileError, work::Step};

/// Letters of one step: each is received, sent and deleted by itself.
const LETTERS_AT_ONCE: usize = 100;

/// A queue and its dead letters.
#[derive(Debug, Clone)]
struct Way {
    from: DeadLetters,
    to: Queue,
}

/// The queues whose dead letters may go back.
#[derive(Debug, Clone)]
pub struct RedriveQueues {
    sync: Way,
    writer: Way,
    invoicing: Way,
    rendering: Way,
    audit: Way,
}

impl RedriveQueues {
    pub(crate) fn new(cloud: &Cloud) -> Result<Self, SettingError> {
        let way = |from: &str, to: &str| Ok(Way { from: cloud.dead_letters(from)?, to: cloud.queue(to)? });
        Ok(Self {
            sync: way("SYNC_DEAD_LETTERS_URL", "SYNC_QUEUE_URL")?,
            writer: way("WRITER_DEAD_LETTERS_URL", "WRITER_QUEUE_URL")?,
            invoicing: way("INVOICING_DEAD_LETTERS_URL", "INVOICING_QUEUE_URL")?,
            rendering: way("RENDERING_DEAD_LETTERS_URL", "RENDERING_QUEUE_URL")?,
            audit: way("AUDIT_DEAD_LETTERS_URL", "AUDIT_QUEUE_URL")?,
        })
    }

    fn of(&self, queue: RedriveQueue) -> &Way {
        match queue {
            RedriveQueue::Sync => &self.sync,
            RedriveQueue::Writer => &self.writer,
            RedriveQueue::Invoicing => &self.invoicing,
            RedriveQueue::Rendering => &self.rendering,
            RedriveQueue::Audit => &self.audit,
        }
    }
}

pub(crate) async fn step(deps: &Deps, run: &mut Run) -> Result<Step, ReconcileError> {
    let Errand::Redrive { queue, most } = run.errand else { return Ok(Step::default()) };
    let most = u64::from(most.unwrap_or(REDRIVEN_MAX).min(REDRIVEN_MAX));
    let left = most.saturating_sub(run.count(queue.name()).sent);
    let Way { from, to } = deps.redrive.of(queue);
    let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(LETTERS_AT_ONCE);
    let redriven = from.redrive(to, wanted).await?;
    let moved = u64::try_from(redriven.moved).unwrap_or(u64::MAX);
    let counts = run.count(queue.name());
    counts.seen += moved;
    counts.sent += moved;
    let sent = counts.sent;
    if redriven.more && sent < most {
        run.position = Some(Position::Redrive);
        return Ok(Step::default());
    }
    let note = redriven.more.then(|| "there may be more".to_owned());
    run.end(RunState::Done, note, deps.clock.now());
    Ok(Step { measured: vec![(Metric::Redriven, sent)], ..Step::default() })
}
