//! The main job, from sign-in to invoice, over real connections: every step is checked, printed and timed.
//!
//! Against a cloud that runs already, or against one that it starts itself on free ports with empty data. What
//! would disturb a running cloud (killing it, changing token life) is done only to one of its own.

mod agent;
mod attack;
mod audit;
mod cloud;
mod conversation;
mod files;
mod http;
mod line;
mod live;
mod money;
mod org;
mod person;
mod report;

use std::process::ExitCode;

use cloud::Cloud;
use report::{Broken, Report};

/// Changes that the latency is measured over.
const CHANGES: usize = 200;
/// How often the cloud is killed in the middle of a submission.
const KILLS: usize = 6;

const USAGE: &str = "\
journey: the main job against a running local cloud, or one of its own

Usage: journey [--api URL] [--own] [--changes N]

  --api URL      where the API of a running cloud is (http://127.0.0.1:4000)
  --own          start a cloud of its own, even if one is running
  --changes N    changes that the latency is measured over (200)
";

struct Arguments {
    api: String,
    own: bool,
    changes: usize,
}

fn arguments() -> Result<Arguments, Broken> {
    let mut parsed = Arguments { api: "http://127.0.0.1:4000".to_owned(), own: false, changes: CHANGES };
    let mut given = std::env::args().skip(1);
    while let Some(flag) = given.next() {
        match flag.as_str() {
            "--own" => parsed.own = true,
            "--api" => parsed.api = given.next().ok_or_else(|| Broken::new("--api needs a URL"))?,
            "--changes" => {
                let count = given.next().and_then(|count| count.parse().ok()).filter(|count| *count > 0);
                parsed.changes = count.ok_or_else(|| Broken::new("--changes needs a number"))?;
            }
            _ => return Err(Broken::new(USAGE)),
        }
    }
    Ok(parsed)
}

#[tokio::main]
async fn main() -> ExitCode {
    let mut report = Report::default();
    match travel(&mut report).await {
        Ok(()) => {
            report.say("The journey is complete.");
            ExitCode::SUCCESS
        }
        Err(broken) => {
            report.say(&format!("BROKEN: {broken}"));
            ExitCode::FAILURE
        }
    }
}

async fn travel(report: &mut Report) -> Result<(), Broken> {
    let arguments = arguments()?;
    let mut cloud = match Cloud::running(&arguments.api).await {
        Some(cloud) if !arguments.own => {
            report.say(&format!("Against the cloud at {}", arguments.api));
            cloud
        }
        _ => report.step("start a cloud of its own, with empty data", Cloud::start()).await?,
    };
    let line = line::walk(report, &cloud).await?;
    conversation::hold(report, &cloud, &line).await?;
    money::settle(report, &cloud, &line).await?;
    files::carry(report, &mut cloud).await?;
    attack::try_everything(report, &cloud, &line).await?;
    audit::check(report, &line).await?;
    line::measure(report, &cloud, &line, arguments.changes).await?;
    if cloud.is_own() {
        attack::expired_token(report, &cloud).await?;
        for round in 1..=KILLS {
            line::survive_a_kill(report, &mut cloud, round, KILLS).await?;
        }
        audit::after_kills(report, &cloud).await?;
        report.say(&format!("memory of the whole: {} MB", cloud.memory_megabytes()?));
        let stopped = cloud.stop();
        report.step("stop the cloud as Ctrl-C does", stopped).await?;
    } else {
        report.say("not done to a running cloud: expired token, kill -9 (they need one of its own: --own)");
    }
    Ok(())
}
