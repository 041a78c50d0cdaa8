//! One run: day by day through what is due, oldest first, within limits.

use std::time::Duration;

use futures::{StreamExt as _, stream};
use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};
use portico_aws::Metric;
use portico_domain::files::File;
use portico_store::StoreError;
use serde::Serialize;
use tokio::time::Instant;

use crate::{
    Deps,
    disposal::{Outcome, dispose},
};

/// How many days back something may still be due: longer than anybody needs to repair what keeps a file from going.
pub const DAYS_BACK: u32 = 35;
/// Files of one page.
const PAGE: u16 = 100;
/// Files that are worked on side by side. Each takes a handful of calls, one after the other.
const AT_ONCE: usize = 8;

/// How much one run does at most.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Files that are looked at.
    pub files: u32,
    /// After this no file is begun.
    pub time: Duration,
}

/// What one invocation gets done. The function has 300 s; what was begun has a minute to come to its end.
pub const LIMITS: Limits = Limits { files: 5_000, time: Duration::from_secs(240) };

/// What one run came to, in files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Tally {
    /// Gone, content and record.
    pub gone: u32,
    /// Their content is gone; the record still says why.
    pub content_gone: u32,
    /// There as before, to be looked at again.
    pub kept: u32,
    /// There as before, and that is a fault.
    pub stuck: u32,
    /// Somebody else wrote them meanwhile.
    pub left: u32,
    /// It did not work.
    pub failed: u32,
    /// There is more to look at: the next run goes on.
    pub more: bool,
}

impl Tally {
    fn looked(&self) -> u32 {
        [self.gone, self.content_gone, self.kept, self.stuck, self.left, self.failed].iter().sum()
    }

    fn count(&mut self, outcome: Outcome) {
        let counter = match outcome {
            Outcome::Gone => &mut self.gone,
            Outcome::ContentGone => &mut self.content_gone,
            Outcome::Kept => &mut self.kept,
            Outcome::Stuck => &mut self.stuck,
            Outcome::Left => &mut self.left,
            Outcome::Failed => &mut self.failed,
            Outcome::NotBegun => {
                self.more = true;
                return;
            }
        };
        *counter += 1;
    }
}

/// Looks at everything that is due by now, or at as much of it as the limits allow.
pub async fn run(deps: &Deps, limits: Limits) -> Tally {
    let (now, until) = (deps.clock.now(), Instant::now() + limits.time);
    let mut tally = Tally::default();
    for days in (0..=DAYS_BACK).rev() {
        let on = day_before(now, days);
        if let Err(error) = look_at_day(deps, on, now, limits.files, until, &mut tally).await {
            tracing::error!(%on, %error, "files that are due cannot be found; the next run tries again");
            tally.count(Outcome::Failed);
        }
        if tally.more {
            tracing::warn!(
                looked = tally.looked(),
                "more files are due than one run looks at; the next goes on"
            );
            break;
        }
    }
    tracing::info!(?tally, "files that were due");
    deps.metrics.record(Metric::DisposalFailed, tally.failed.into());
    deps.metrics.record(Metric::FilesStuck, tally.stuck.into());
    tally
}

fn day_before(now: Timestamp, days: u32) -> Date {
    let back = SignedDuration::from_hours(i64::from(days) * 24);
    now.saturating_sub(back).unwrap_or(now).to_zoned(TimeZone::UTC).date()
}

async fn look_at_day(
    deps: &Deps,
    on: Date,
    now: Timestamp,
    files_max: u32,
    until: Instant,
    tally: &mut Tally,
) -> Result<(), StoreError> {
    let mut after = None;
    loop {
        let room = files_max.saturating_sub(tally.looked());
        if room == 0 || Instant::now() >= until {
            tally.more = true;
            return Ok(());
        }
        let size = u16::try_from(room).unwrap_or(PAGE).min(PAGE);
        let page = deps.store.files_due(on, now, after, size).await?;
        let looks = stream::iter(page.files).map(|file| look(deps, file, now, until));
        let outcomes: Vec<Outcome> = looks.buffer_unordered(AT_ONCE).collect().await;
        for outcome in outcomes {
            tally.count(outcome);
        }
        after = page.next;
        if tally.more || after.is_none() {
            return Ok(());
        }
    }
}

/// What became of a file. One that fails is no reason not to look at the others.
async fn look(deps: &Deps, file: File, now: Timestamp, until: Instant) -> Outcome {
    if Instant::now() >= until {
        return Outcome::NotBegun;
    }
    dispose(deps, &file, now).await.unwrap_or_else(|error| {
        tracing::error!(file = %file.id, %error, "a file cannot be disposed of; the next run tries again");
        Outcome::Failed
    })
}
