//! Starts the cloud on this machine and runs it until Ctrl-C.

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use portico_local::arguments::{ArgumentError, Arguments};
use portico_local::host::{LocalCloud, Options};
use portico_local::malware::Scanner;
use tracing_subscriber::EnvFilter;

/// Libraries that say more than a person wants to read: DynamoDB warns of every condition that does not hold, which
/// is what conditions are for. `--log` may ask for it.
const QUIETER: &str = "awsim_core=warn,awsim_cognito=warn,dynoxide=error";

/// A variable of the program: only ports may be said there.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the program's environment")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// How long threads may go on that wait for a disk; everything acknowledged is there already.
const THREADS_GRACE: Duration = Duration::from_millis(200);

fn main() -> ExitCode {
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return say(io::stderr(), &format!("no threads: {error}\n"), ExitCode::FAILURE),
    };
    let code = runtime.block_on(run());
    runtime.shutdown_timeout(THREADS_GRACE);
    code
}

async fn run() -> ExitCode {
    let arguments = match Arguments::parse(std::env::args().skip(1), variable) {
        Ok(arguments) => arguments,
        Err(ArgumentError::Help) => {
            return say(io::stdout(), portico_local::arguments::USAGE, ExitCode::SUCCESS);
        }
        Err(error) => return say(io::stderr(), &format!("{error}\n"), ExitCode::FAILURE),
    };
    let filter = match EnvFilter::try_new(format!("{QUIETER},{}", arguments.log)) {
        Ok(filter) => filter,
        Err(error) => return say(io::stderr(), &format!("--log: {error}\n"), ExitCode::FAILURE),
    };
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_target(false)
        .compact()
        .init();

    let options = Options {
        data: Some(arguments.data),
        ports: arguments.ports,
        demo: arguments.demo,
        scanner: arguments.clamd.map_or(Scanner::BuiltIn, Scanner::Clamd),
        ..Options::ephemeral(arguments.template, portico_local::functions::of_the_workspace())
    };
    let mut interrupts = match Interrupts::listen() {
        Ok(interrupts) => interrupts,
        Err(error) => return say(io::stderr(), &format!("no signals: {error}\n"), ExitCode::FAILURE),
    };
    let cloud = tokio::select! {
        started = LocalCloud::start(options) => match started {
            Ok(cloud) => cloud,
            Err(error) => return say(io::stderr(), &format!("portico-local: {error}\n"), ExitCode::FAILURE),
        },
        () = interrupts.next() => return ExitCode::SUCCESS,
    };
    say(io::stdout(), &cloud.summary(), ExitCode::SUCCESS);
    interrupts.next().await;
    tracing::info!("stopping; once more stops at once");
    tokio::select! {
        () = cloud.shutdown() => ExitCode::SUCCESS,
        () = interrupts.next() => ExitCode::FAILURE,
    }
}

/// Ctrl-C, and what a supervisor sends.
struct Interrupts {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

impl Interrupts {
    fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Writes a text for a person; where nobody listens, nothing is lost.
fn say(mut stream: impl io::Write, text: &str, code: ExitCode) -> ExitCode {
    let _ = stream.write_all(text.as_bytes()).and_then(|()| stream.flush());
    code
}
