//! Lines from files or standard input, through the verifier.

use std::{
    fmt,
    fs::File,
    io::{self, BufRead, BufReader, Read},
};

use portico_domain::audit::{Break, Head, Verifier};

use crate::arguments::Arguments;

/// Most bytes of a line. The portal's have less than a thousand; without a limit, a file without line feeds would
/// fill the memory.
const LINE_BYTES_MAX: u64 = 64 * 1024;

/// A chain that holds.
pub struct Checked {
    /// Lines that were checked.
    pub lines: u64,
    /// Where it ends; none if there was no line.
    pub head: Option<Head>,
}

/// Where a line stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    source: String,
    line: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "the end of {}", self.source),
            line => write!(f, "{}, line {line}", self.source),
        }
    }
}

/// Why there is no [`Checked`].
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// The chain does not hold.
    #[error("{found} ({place})")]
    Broken {
        /// The line.
        place: Place,
        /// What is wrong.
        found: Break,
    },
    /// An export cannot be read.
    #[error("{source_name}: {error}")]
    Read {
        /// Which.
        source_name: String,
        /// Why.
        error: io::Error,
    },
    /// There was no line, and nothing that says that there should be none.
    #[error("there is nothing to check")]
    Empty,
}

/// Checks everything that was named, as one chain.
pub fn check(arguments: &Arguments) -> Result<Checked, CheckError> {
    let mut verifier = Verifier::starting_at(arguments.from);
    if let Some(head) = arguments.head {
        verifier = verifier.through(head);
    }
    let mut lines = 0;
    let mut end = Place { source: "standard input".to_owned(), line: 0 };
    if arguments.files.is_empty() {
        lines += read(io::stdin().lock(), &end.source, &mut verifier)?;
    }
    for file in &arguments.files {
        end.source = file.display().to_string();
        let opened =
            File::open(file).map_err(|error| CheckError::Read { source_name: end.source.clone(), error })?;
        lines += read(BufReader::new(opened), &end.source, &mut verifier)?;
    }
    let head = verifier.finish().map_err(|found| CheckError::Broken { place: end, found })?;
    if head.is_none() && arguments.head.is_none() {
        return Err(CheckError::Empty);
    }
    Ok(Checked { lines, head })
}

/// Takes the lines of one export; returns how many there were.
fn read(mut export: impl BufRead, source: &str, verifier: &mut Verifier) -> Result<u64, CheckError> {
    let failed = |error| CheckError::Read { source_name: source.to_owned(), error };
    let mut lines = 0;
    loop {
        let mut bytes = Vec::new();
        let read = export.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut bytes).map_err(failed)?;
        if read == 0 {
            return Ok(lines);
        }
        lines += 1;
        if bytes.last() == Some(&b'\n') {
            bytes.pop();
        }
        // Bytes that are no text are no line of the portal's, and neither is what replaces them here.
        let line = String::from_utf8_lossy(&bytes);
        verifier.line(&line).map_err(|found| CheckError::Broken {
            place: Place { source: source.to_owned(), line: lines },
            found,
        })?;
    }
}
