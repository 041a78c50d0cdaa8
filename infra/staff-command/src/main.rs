//! `portico`: what the consultancy's people start by hand, and how far it is.
//!
//! It writes the run down, asks `salesforce-reconcile` for it through its queue, and watches. The work is done there: a
//! terminal that is closed ends nothing.

mod arguments;
mod follow;
mod parity;
mod report;
mod settings;

use std::{
    io::{self, Write},
    path::Path,
    process::ExitCode,
};

use arguments::{Arguments, Order, USAGE};
use parity::ParityError;
use portico_aws::{Cloud, Queue, QueueError, SettingError};
use portico_domain::{
    RunId,
    runs::{Errand, Request, Run, RunState},
};
use portico_store::{Store, StoreError, engine::Table};
use settings::SettingsError;

/// The run was given up, or a workbook and the engine differ.
const FAILED: u8 = 1;
/// Nothing could be asked or shown.
const UNABLE: u8 = 2;

/// Why the command cannot do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error("{0}; portico --help says what is needed")]
    Setting(#[from] SettingError),
    #[error("the runs cannot be read or written: {0}")]
    Store(#[from] StoreError),
    #[error("the run cannot be asked for: {0}")]
    Queue(#[from] QueueError),
    #[error("there is no run {0}; it may be older than 90 days")]
    NoRun(RunId),
    #[error(transparent)]
    Parity(#[from] ParityError),
    #[error("the terminal: {0}")]
    Terminal(#[from] io::Error),
}

/// The runs, and the way to whoever makes them.
pub(crate) struct Desk {
    store: Store,
    queue: Queue,
    cloud: Cloud,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = match Arguments::parse(std::env::args().skip(1)) {
        Ok(Some(arguments)) => arguments,
        Ok(None) => return say(io::stdout(), USAGE, 0),
        Err(error) => return say(io::stderr(), &format!("portico: {error}\n"), UNABLE),
    };
    match run(arguments).await {
        Ok(code) => ExitCode::from(code),
        Err(error) => say(io::stderr(), &format!("portico: {error}\n"), UNABLE),
    }
}

async fn run(arguments: Arguments) -> Result<u8, CommandError> {
    let desk = || Desk::open(arguments.settings.as_deref());
    match arguments.order {
        Order::Start(errand) => {
            let desk = desk()?;
            let run = desk.start(errand).await?;
            finished(&follow::follow(&desk, run).await?)
        }
        Order::Runs => {
            let runs = desk()?.store.latest_runs().await?;
            show(&report::list(&runs))?;
            Ok(0)
        }
        Order::Run(id) => {
            let run = desk()?.store.run(id).await?.ok_or(CommandError::NoRun(id))?;
            show(&report::run(&run))?;
            Ok(0)
        }
        // It is about a file alone, and works where nothing is set.
        Order::Parity(workbook) => parity::compare(&workbook),
    }
}

impl Desk {
    /// What the settings say where the runs are.
    fn open(settings: Option<&Path>) -> Result<Self, CommandError> {
        let settings = settings::read(settings)?;
        let cloud = Cloud::new(settings, portico_aws::system_clock(), portico_aws::system_random());
        Ok(Self {
            store: cloud.store(&[Table::SyncRuns])?,
            queue: cloud.queue("RECONCILE_QUEUE_URL")?,
            cloud,
        })
    }

    /// Asks for a run, and writes it down so that it can be watched before its first step.
    async fn start(&self, errand: Errand) -> Result<Run, CommandError> {
        let now = self.cloud.clock().now();
        let run = Run::begin(RunId::new(now, &self.cloud.random()), errand.clone(), now);
        // Asked for first: a run that is only written down would wait for ever.
        self.queue.send(&Request { run: Some(run.id), errand }).await?;
        self.store.begin_run(&run).await?;
        show(&format!("{}: {}\n", run.id, run.errand))?;
        Ok(run)
    }
}

fn finished(run: &Run) -> Result<u8, CommandError> {
    Ok(if run.state == RunState::Failed { FAILED } else { 0 })
}

pub(crate) fn show(text: &str) -> Result<(), CommandError> {
    let mut stdout = io::stdout();
    stdout.write_all(text.as_bytes())?;
    Ok(stdout.flush()?)
}

/// Writes a text for a person; where nobody listens, the exit code still says it.
fn say(mut stream: impl Write, text: &str, code: u8) -> ExitCode {
    let _ = stream.write_all(text.as_bytes()).and_then(|()| stream.flush());
    ExitCode::from(code)
}
