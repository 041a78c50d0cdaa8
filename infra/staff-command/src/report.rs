//! Runs in words and tables, for a terminal.

use std::fmt::Write as _;

use portico_domain::runs::{Counts, Difference, Position, Run};

/// One line: where a run is and what it has done so far.
pub(crate) fn progress(run: &Run) -> String {
    let Counts { seen, sent, .. } = run.total();
    let at = run.position.as_ref().map(place).unwrap_or_default();
    format!("{:.0}  {seen} seen, {sent} sent{at}\n", run.updated_at)
}

fn place(position: &Position) -> String {
    match position {
        Position::Again { object } => format!(", now what of {object} was behind"),
        Position::Changed { object, .. } => format!(", now changes of {object}"),
        Position::Deleted { object, .. } => format!(", now deletions of {object}"),
        Position::Backfill { object, .. } => format!(", now {object}"),
        Position::NextAccount { .. } => ", now the next client".to_owned(),
        Position::There { account, object, .. } => format!(", now {object} of {account}"),
        Position::Here { account, .. } => format!(", now the portal's own of {account}"),
        Position::Redrive => String::new(),
    }
}

/// A run in full.
pub(crate) fn run(run: &Run) -> String {
    let mut text = format!("{}: {}, {}", run.id, run.errand, run.state);
    if let Some(note) = &run.note {
        // Writing to a string cannot fail.
        let _ = write!(text, ": {note}");
    }
    let _ = writeln!(text, "\nstarted {:.0}, last step {:.0}", run.started_at, run.updated_at);
    text.push_str(&counts(run));
    if !run.samples.is_empty() {
        let _ = writeln!(text, "\nDifferent, the first {} of {}:", run.samples.len(), run.total().drift());
        for sample in &run.samples {
            let difference = match sample.difference {
                Difference::Missing => "missing here",
                Difference::Stale => "older here",
                Difference::Gone => "gone there",
            };
            let _ = writeln!(text, "  {} {} {difference}", sample.id, sample.object);
        }
    }
    text
}

/// Columns that have nothing in any row are left out.
fn counts(run: &Run) -> String {
    type Column = (&'static str, fn(&Counts) -> u64);
    let columns: [Column; 7] = [
        ("seen", |counts| counts.seen),
        ("sent", |counts| counts.sent),
        ("missed", |counts| counts.missed),
        ("missing", |counts| counts.missing),
        ("stale", |counts| counts.stale),
        ("gone", |counts| counts.gone),
        ("young", |counts| counts.young),
    ];
    let used: Vec<&Column> = columns
        .iter()
        .enumerate()
        .filter(|(index, (_, of))| *index < 2 || of(&run.total()) > 0)
        .map(|(_, column)| column)
        .collect();
    if run.counts.is_empty() {
        return String::new();
    }
    let width = run.counts.keys().map(String::len).max().unwrap_or_default();
    let mut text = format!("\n  {:width$}", "");
    for (name, _) in &used {
        let _ = write!(text, " {name:>8}");
    }
    text.push('\n');
    for (of, counts) in &run.counts {
        let _ = write!(text, "  {of:width$}");
        for (_, count) in &used {
            let _ = write!(text, " {:>8}", count(counts));
        }
        text.push('\n');
    }
    text
}

/// The latest runs, a line each.
pub(crate) fn list(runs: &[Run]) -> String {
    if runs.is_empty() {
        return "There was no run yet.\n".to_owned();
    }
    let width = runs.iter().map(|run| run.errand.to_string().len()).max().unwrap_or_default();
    let mut text = String::new();
    for run in runs {
        let Counts { seen, sent, .. } = run.total();
        let drift = run.total().drift();
        let errand = run.errand.to_string();
        let _ = write!(
            text,
            "{}  {:.0}  {errand:width$}  {:7}  {seen} seen, {sent} sent",
            run.id,
            run.started_at,
            run.state.to_string()
        );
        if drift > 0 {
            let _ = write!(text, ", {drift} different");
        }
        if let Some(note) = &run.note {
            let _ = write!(text, "  ({note})");
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use portico_domain::runs::{Errand, RunState};

    use super::*;

    fn compared() -> Run {
        let at = |second: i64| Timestamp::from_second(1_800_000_000 + second).unwrap();
        let id = "run_00000000000000000000000000000007".parse().unwrap();
        let mut run = Run::begin(id, Errand::Compare, at(0));
        *run.count("Case") = Counts { seen: 120, sent: 1, ..Counts::default() };
        run.count("Time_Entry__c").seen = 7;
        run.differs("Case", "500000000000001AAA".parse().unwrap(), Difference::Stale);
        run.end(RunState::Done, None, at(9));
        run.updated_at = at(9);
        run
    }

    #[test]
    fn a_run_is_a_table_and_its_examples() {
        let expected = "\
run_00000000000000000000000000000007: compare, done
started 2027-01-15T08:00:00Z, last step 2027-01-15T08:00:09Z

                    seen     sent    stale
  Case               120        1        1
  Time_Entry__c        7        0        0

Different, the first 1 of 1:
  500000000000001AAA Case older here
";
        assert_eq!(run(&compared()), expected);
    }

    #[test]
    fn a_list_has_a_line_for_each() {
        assert_eq!(list(&[]), "There was no run yet.\n");
        let expected = "run_00000000000000000000000000000007  2027-01-15T08:00:00Z  compare  done     127 seen, 1 sent, 1 different\n";
        assert_eq!(list(&[compared()]), expected);
    }
}
