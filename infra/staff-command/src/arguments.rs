//! The command line.

use std::path::PathBuf;

use portico_domain::{
    RunId,
    runs::{Errand, REDRIVEN_MAX},
};

/// How the command is called.
pub(crate) const USAGE: &str = "\
portico: what the consultancy's people start by hand, and how far it is

Usage: portico [--settings FILE] COMMAND

  sweep                      everything that changed in Salesforce since the last sweep
  backfill ACCOUNT           everything that Salesforce has of one account (acct_... or 001...)
  compare                    every record of every client, there against here
  redrive QUEUE [--most N]   dead letters once more: sync, writer, invoicing, rendering or audit
  runs                       the latest runs
  run ID                     one run: counts, and examples of what is different
  parity WORKBOOK.xlsx       an invoice workbook against the billing engine, cell by cell (docs/workbook-parity.md)

  --settings FILE            variables, one NAME=value a line; those of the environment come first
  --help                     this text

A run goes on when this command ends; Ctrl-C ends only the watching.
Exit code: 0 it is done, or goes on; 1 it was given up; 2 it could not be asked for.
Of parity: 0 every figure agrees; 1 one does not; 2 the workbook cannot be compared. It needs no variables.

Variables: SYNC_RUNS_TABLE and RECONCILE_QUEUE_URL (the stack's outputs SyncRunsTableName and ReconcileQueueUrl),
AWS_REGION, and the operator's AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN
(eval \"$(aws configure export-credentials --format env)\"). The local cloud keeps a file of them in its data
directory: portico --settings .portico/operator.env
";

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Order {
    /// Begin a run.
    Start(Errand),
    /// Show the latest ones.
    Runs,
    /// Show one.
    Run(RunId),
    /// Hold a workbook against the billing engine.
    Parity(PathBuf),
}

/// What to do, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Arguments {
    /// A file of variables.
    pub settings: Option<PathBuf>,
    /// What to do.
    pub order: Order,
}

/// A command line that is not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ArgumentError {
    #[error("a command is missing; --help shows them")]
    NoCommand,
    #[error("there is no command {0}; --help shows them")]
    NoSuchCommand(String),
    #[error("{0} needs {1}")]
    Missing(&'static str, &'static str),
    #[error("{text}: {reason}")]
    Malformed { text: String, reason: String },
    #[error("{0} is one word too many")]
    TooMuch(String),
}

impl Arguments {
    /// Reads a command line; nothing if it asks for help.
    ///
    /// # Errors
    /// [`ArgumentError`].
    pub(crate) fn parse(words: impl Iterator<Item = String>) -> Result<Option<Self>, ArgumentError> {
        let mut settings = None;
        let mut rest = Vec::new();
        let mut words = words;
        while let Some(word) = words.next() {
            match word.as_str() {
                "--help" | "-h" => return Ok(None),
                "--settings" => {
                    let file = words.next().ok_or(ArgumentError::Missing("--settings", "a file"))?;
                    settings = Some(PathBuf::from(file));
                }
                _ => rest.push(word),
            }
        }
        let mut rest = rest.into_iter();
        let command = rest.next().ok_or(ArgumentError::NoCommand)?;
        let order = match command.as_str() {
            "sweep" => Order::Start(Errand::Sweep),
            "compare" => Order::Start(Errand::Compare),
            "backfill" => {
                Order::Start(Errand::Backfill { account: value(&mut rest, "backfill", "an account")? })
            }
            "redrive" => {
                let queue = value(&mut rest, "redrive", "a queue")?;
                Order::Start(Errand::Redrive { queue, most: most(&mut rest)? })
            }
            "runs" => Order::Runs,
            "run" => Order::Run(value(&mut rest, "run", "the id of a run")?),
            "parity" => Order::Parity(value(&mut rest, "parity", "a workbook")?),
            _ => return Err(ArgumentError::NoSuchCommand(command)),
        };
        match rest.next() {
            Some(word) => Err(ArgumentError::TooMuch(word)),
            None => Ok(Some(Self { settings, order })),
        }
    }
}

/// The next word, as what it has to be.
fn value<T>(
    words: &mut impl Iterator<Item = String>,
    of: &'static str,
    what: &'static str,
) -> Result<T, ArgumentError>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    let text = words.next().ok_or(ArgumentError::Missing(of, what))?;
    text.parse().map_err(|error: T::Err| ArgumentError::Malformed { reason: error.to_string(), text })
}

fn most(words: &mut impl Iterator<Item = String>) -> Result<Option<u32>, ArgumentError> {
    match words.next() {
        None => Ok(None),
        Some(flag) if flag == "--most" => {
            let most: u32 = value(words, "--most", "a number")?;
            if (1..=REDRIVEN_MAX).contains(&most) {
                return Ok(Some(most));
            }
            let reason = format!("between 1 and {REDRIVEN_MAX}");
            Err(ArgumentError::Malformed { text: format!("--most {most}"), reason })
        }
        Some(word) => Err(ArgumentError::TooMuch(word)),
    }
}

#[cfg(test)]
mod tests {
    use portico_domain::runs::RedriveQueue;

    use super::*;

    fn parse(line: &str) -> Result<Option<Arguments>, ArgumentError> {
        Arguments::parse(line.split_whitespace().map(str::to_owned))
    }

    fn order(line: &str) -> Order {
        parse(line).unwrap().unwrap().order
    }

    #[test]
    fn orders_are_read() {
        assert_eq!(order("sweep"), Order::Start(Errand::Sweep));
        assert_eq!(order("compare"), Order::Start(Errand::Compare));
        let account = "001000000000001AAA".parse().unwrap();
        assert_eq!(order("backfill 001000000000001"), Order::Start(Errand::Backfill { account }));
        let redrive = |most| Order::Start(Errand::Redrive { queue: RedriveQueue::Writer, most });
        assert_eq!(order("redrive writer"), redrive(None));
        assert_eq!(order("redrive writer --most 20"), redrive(Some(20)));
        assert_eq!(order("parity books/a.xlsx"), Order::Parity("books/a.xlsx".into()));
        assert_eq!(parse("run --help"), Ok(None));
        let there = parse("--settings a/b runs").unwrap().unwrap();
        assert_eq!(there, Arguments { settings: Some("a/b".into()), order: Order::Runs });
    }

    #[test]
    fn mistakes_are_named() {
        for (line, expected) in [
            ("", "a command is missing"),
            ("sweeps", "there is no command sweeps"),
            ("sweep now", "now is one word too many"),
            ("backfill", "backfill needs an account"),
            ("backfill nordhaven", "nordhaven: an account is named by its id"),
            ("redrive relay", "relay: the queues are sync, writer"),
            ("redrive sync --most", "--most needs a number"),
            ("redrive sync --most 0", "--most 0: between 1 and 1000"),
            ("redrive sync --most many", "many: invalid digit"),
            ("run case_1", "case_1: expected an id that starts with \"run_\""),
            ("parity", "parity needs a workbook"),
            ("--settings", "--settings needs a file"),
        ] {
            let error = parse(line).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{line}: {error}");
        }
    }
}
