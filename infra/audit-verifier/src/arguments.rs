//! The command line.

use std::path::PathBuf;

use portico_domain::audit::Head;

/// What `--help` says.
pub const USAGE: &str = "\
verify-audit: checks the hash chain of an exported audit trail (docs/audit.md)

Usage: verify-audit [--head SEQUENCE:HASH] [--from SEQUENCE] [FILE...]

  FILE                   exports, in the order of the chain; standard input if none is named
  --head SEQUENCE:HASH   a head that was noted earlier: the chain has to go through it
  --from SEQUENCE        the first line has this sequence (1)

Exit code 0: the chain holds. 1: it does not. 2: it could not be checked.
";

/// What is to be checked.
#[derive(Debug, PartialEq, Eq)]
pub struct Arguments {
    /// Exports, in order; none means standard input.
    pub files: Vec<PathBuf>,
    /// A head that was noted earlier.
    pub head: Option<Head>,
    /// Sequence of the first line.
    pub from: u64,
}

/// What is wrong with the command line.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArgumentError {
    /// The flag needs a value that reads as what it is for.
    #[error("{flag} needs {needs}")]
    Value {
        /// Which.
        flag: &'static str,
        /// What.
        needs: &'static str,
    },
    /// There is no such flag.
    #[error("there is no {0}")]
    Unknown(String),
}

impl Arguments {
    /// The arguments without the program's name; `None` if help is wanted.
    pub fn parse(given: impl IntoIterator<Item = String>) -> Result<Option<Self>, ArgumentError> {
        let mut parsed = Self { files: Vec::new(), head: None, from: 1 };
        let mut given = given.into_iter();
        while let Some(argument) = given.next() {
            match argument.as_str() {
                "--help" | "-h" => return Ok(None),
                "--head" => {
                    let head = given.next().and_then(|text| text.parse().ok());
                    let needs = "SEQUENCE:HASH, the hash with 64 lower-case hexadecimal digits";
                    parsed.head = Some(head.ok_or(ArgumentError::Value { flag: "--head", needs })?);
                }
                "--from" => {
                    let from = given.next().and_then(|text| text.parse().ok()).filter(|from| *from > 0);
                    let needs = "a number from 1 on";
                    parsed.from = from.ok_or(ArgumentError::Value { flag: "--from", needs })?;
                }
                flag if flag.starts_with('-') => return Err(ArgumentError::Unknown(flag.to_owned())),
                file => parsed.files.push(file.into()),
            }
        }
        Ok(Some(parsed))
    }
}
