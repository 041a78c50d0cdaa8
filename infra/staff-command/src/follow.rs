//! Watches a run until it ends.

use std::time::Duration;

use jiff::SignedDuration;
use portico_domain::runs::Run;
use tokio::time::{Instant, sleep};

use crate::{CommandError, Desk, report, show};

/// How often the run is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long one run is watched. It goes on after that.
const WATCHED_LONGEST: Duration = Duration::from_secs(6 * 60 * 60);
/// After so long without a step, somebody should look at the function: a step takes seconds, and one that failed comes
/// again after two minutes.
const SILENT: SignedDuration = SignedDuration::from_mins(5);

/// Shows what a run does until it ends, or until nobody wants to see it any more. Returns it as it was last seen.
///
/// # Errors
/// [`CommandError`] if the run cannot be read; it goes on all the same.
pub(crate) async fn follow(desk: &Desk, run: Run) -> Result<Run, CommandError> {
    let mut shown = run;
    let mut warned = false;
    let began = Instant::now();
    let mut interrupt = std::pin::pin!(tokio::signal::ctrl_c());
    while began.elapsed() < WATCHED_LONGEST {
        tokio::select! {
            _ = &mut interrupt => break,
            () = sleep(LOOK_EVERY) => {}
        }
        let run = desk.store.run(shown.id).await?.ok_or(CommandError::NoRun(shown.id))?;
        if run.version != shown.version {
            show(&report::progress(&run))?;
            warned = false;
        } else if !warned && desk.cloud.clock().now().duration_since(run.updated_at) > SILENT {
            show("No step for five minutes. Is salesforce-reconcile at work? Its log says why not.\n")?;
            warned = true;
        }
        shown = run;
        if !shown.is_running() {
            show(&report::run(&shown))?;
            return Ok(shown);
        }
    }
    show(&format!("It goes on. To look at it again: portico run {}\n", shown.id))?;
    Ok(shown)
}
