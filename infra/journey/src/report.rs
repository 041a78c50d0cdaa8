//! What a person reads: steps and their times.

use std::{
    fmt::{self, Display},
    io::Write,
    time::{Duration, Instant},
};

/// The journey cannot go on; says where it broke.
#[derive(Debug)]
pub(crate) struct Broken(String);

impl Broken {
    pub(crate) fn new(what: impl Display) -> Self {
        Self(what.to_string())
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<E: std::error::Error> From<E> for Broken {
    fn from(error: E) -> Self {
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(next) = cause {
            text = format!("{text}: {next}");
            cause = next.source();
        }
        Self(text)
    }
}

/// Breaks the journey unless `holds`.
pub(crate) fn expect(holds: bool, otherwise: impl Display) -> Result<(), Broken> {
    if holds { Ok(()) } else { Err(Broken::new(otherwise)) }
}

#[derive(Debug, Default)]
pub(crate) struct Report {
    steps: usize,
}

impl Report {
    /// Does one step, prints it with its time, and breaks the journey if it fails.
    pub(crate) async fn step<T>(
        &mut self,
        name: &str,
        work: impl Future<Output = Result<T, Broken>>,
    ) -> Result<T, Broken> {
        self.steps += 1;
        let started = Instant::now();
        let outcome = work.await;
        let milliseconds = started.elapsed().as_millis();
        let mark = if outcome.is_ok() { "ok" } else { "BROKEN" };
        self.say(&format!("{:>2}. {name:<74} {milliseconds:>6} ms  {mark}", self.steps));
        outcome.map_err(|broken| Broken::new(format!("step {}, {name}: {broken}", self.steps)))
    }

    /// Prints a line. Where nobody reads, nothing is lost.
    pub(crate) fn say(&self, line: &str) {
        let _ = writeln!(std::io::stdout(), "{line}");
    }
}

/// The value at `percent` of sorted durations, in milliseconds with one decimal.
pub(crate) fn percentile(sorted: &[Duration], percent: usize) -> String {
    let position = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    let micros = sorted.get(position).map_or(0, Duration::as_micros);
    format!("{}.{} ms", micros / 1000, micros % 1000 / 100)
}
