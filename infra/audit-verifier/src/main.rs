//! `verify-audit`: checks the hash chain of an exported audit trail, without asking the portal anything.
//!
//! It says in plain words what holds, or where the chain breaks. Exit code 0: it holds; 1: it does not; 2: it could
//! not be checked.

mod arguments;
mod chain;

use std::{
    io::{self, Write},
    process::ExitCode,
};

use arguments::{Arguments, USAGE};
use chain::{CheckError, Checked};

/// The chain holds.
const HOLDS: u8 = 0;
/// The chain does not hold.
const BROKEN: u8 = 1;
/// Nothing can be said.
const UNCHECKED: u8 = 2;

fn main() -> ExitCode {
    let (code, words) = match Arguments::parse(std::env::args().skip(1)) {
        Ok(Some(arguments)) => verdict(&arguments, chain::check(&arguments)),
        Ok(None) => (HOLDS, USAGE.to_owned()),
        Err(error) => (UNCHECKED, format!("{error}\n\n{USAGE}")),
    };
    // Nobody listens any more: the exit code still says it.
    writeln!(io::stdout(), "{}", words.trim_end()).ok();
    ExitCode::from(code)
}

fn verdict(arguments: &Arguments, outcome: Result<Checked, CheckError>) -> (u8, String) {
    let checked = match outcome {
        Ok(checked) => checked,
        Err(CheckError::Broken { place, found }) => {
            return (BROKEN, format!("BROKEN at {found} ({place}). Nothing from there on is proven."));
        }
        Err(error) => return (UNCHECKED, format!("Could not be checked: {error}.")),
    };
    let Some(head) = checked.head else {
        return (HOLDS, "The audit trail has no entries yet.".to_owned());
    };
    let mut words =
        format!("The chain holds: {} entries, {} to {}.\n", checked.lines, arguments.from, head.sequence);
    words.push_str(&format!("It ends at {head}\n"));
    if arguments.from > 1 {
        let before = arguments.from - 1;
        words.push_str(&format!(
            "Entries 1 to {before} were not looked at; what they hash to is taken on trust.\n"
        ));
    }
    match arguments.head {
        Some(noted) if noted.sequence >= arguments.from => words.push_str(&format!(
            "It goes through the head that was noted ({}): nothing up to there was changed or cut off since.\n",
            noted.sequence
        )),
        Some(_) => words.push_str("The head that was noted lies before the first line and was not checked.\n"),
        None => words.push_str(
            "Whether entries are missing at its end cannot be seen from here: compare with a head noted earlier \
             (--head).\n",
        ),
    }
    (HOLDS, words)
}
