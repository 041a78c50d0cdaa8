//! `fuzz [--minutes N] [--seed N] [--surface NAME] [--findings DIRECTORY]`: runs the campaigns one after the other, each
//! for its part of the time, and ends with 1 if something was found. Findings are kept as files.

use std::{
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

use portico_fuzz::{Campaign, Finding, SURFACES, Surface};

struct Arguments {
    minutes: u64,
    seed: u64,
    surface: Option<String>,
    findings: PathBuf,
}

impl Arguments {
    fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut arguments =
            Self { minutes: 10, seed: 1, surface: None, findings: PathBuf::from("target/fuzz") };
        while let Some(name) = words.next() {
            let value = words.next().ok_or_else(|| format!("{name} needs a value"))?;
            let number = || value.parse().map_err(|_| format!("{name} takes a number"));
            match name.as_str() {
                "--minutes" => arguments.minutes = number()?,
                "--seed" => arguments.seed = number()?,
                "--surface" => arguments.surface = Some(value),
                "--findings" => arguments.findings = PathBuf::from(value),
                _ => return Err(format!("{name} is not known: --minutes, --seed, --surface, --findings")),
            }
        }
        Ok(arguments)
    }

    fn surfaces(&self) -> Vec<&'static Surface> {
        let wanted = |surface: &&Surface| self.surface.as_deref().is_none_or(|name| name == surface.name);
        SURFACES.iter().filter(wanted).collect()
    }
}

fn main() -> ExitCode {
    let arguments = match Arguments::parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(error) => {
            let _ = writeln!(io::stderr(), "{error}");
            return ExitCode::from(2);
        }
    };
    // A panic is a finding, and its message would only be in the way.
    std::panic::set_hook(Box::new(|_| {}));
    match run(&arguments) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            let _ = writeln!(io::stderr(), "{error}");
            ExitCode::from(2)
        }
    }
}

/// How many findings there are.
fn run(arguments: &Arguments) -> io::Result<usize> {
    let surfaces = arguments.surfaces();
    let parts = u32::try_from(surfaces.len()).unwrap_or(1).max(1);
    let time = Duration::from_secs(arguments.minutes.saturating_mul(60)) / parts;
    let mut found = 0;
    let mut out = io::stdout().lock();
    writeln!(
        out,
        "{:<14} {:>12} {:>10} {:>9} {:>14} {:>14} {:>12} {:>9}",
        "surface",
        "executions",
        "accepted",
        "outcomes",
        "largest input",
        "peak memory",
        "slowest",
        "findings"
    )?;
    for surface in surfaces {
        let mut campaign = Campaign::new(surface, arguments.seed);
        campaign.run_for(time);
        let figures = campaign.figures();
        writeln!(
            out,
            "{:<14} {:>12} {:>10} {:>9} {:>14} {:>14} {:>9} ms {:>9}",
            surface.name,
            figures.executions,
            figures.accepted,
            figures.outcomes,
            figures.largest,
            figures.memory,
            figures.slowest.as_millis(),
            figures.findings.len()
        )?;
        for (place, finding) in figures.findings.iter().enumerate() {
            writeln!(out, "  {}", keep(arguments, surface, place, finding)?)?;
        }
        found += figures.findings.len();
    }
    Ok(found)
}

/// Writes the input of a finding to a file, and says where and what it is.
fn keep(arguments: &Arguments, surface: &Surface, place: usize, finding: &Finding) -> io::Result<String> {
    std::fs::create_dir_all(&arguments.findings)?;
    let path = arguments.findings.join(format!("{}-{}-{place}", surface.name, arguments.seed));
    std::fs::write(&path, &finding.input)?;
    Ok(format!("{}: {:?}", path.display(), finding.failure))
}
