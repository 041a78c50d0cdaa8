//! A comparison in words and a table, for a terminal.

use std::fmt::Write as _;

use rust_decimal::Decimal;

use crate::comparison::{Comparison, Difference, Figure, OfInvoice, OfTime, Stale, Subject};

/// Most differences, and most stale formulas, that are listed.
const LISTED_MAX: usize = 20;
/// Longest name of a figure, in characters.
const NAME_CHARS: usize = 44;
/// Decimals of a figure at most.
const DECIMALS_MAX: u32 = 6;

impl Comparison {
    /// The comparison for a person: the figures of the invoice and all that differ, then the first difference and how it
    /// comes about.
    pub fn report(&self) -> String {
        let mut text = String::new();
        let differing = self.figures.iter().filter(|figure| !figure.agrees());
        let of_invoice = |figure: &&Figure| matches!(figure.subject, Subject::Invoice(_));
        let mut shown: Vec<&Figure> =
            differing.filter(|figure| !of_invoice(figure)).take(LISTED_MAX).collect();
        shown.extend(self.figures.iter().filter(of_invoice));
        text.push_str(&self.table(&shown));
        let hidden = self.figures.len() - shown.len();
        let unequal = self.figures.iter().filter(|figure| !figure.agrees()).count();
        let listed = shown.iter().filter(|figure| !figure.agrees()).count();
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "\n  {} figures: {} the same, {unequal} different. Not listed: {} that are the same, {} that differ.",
            self.figures.len(),
            self.figures.len() - unequal,
            hidden - (unequal - listed),
            unequal - listed,
        );
        if self.macros {
            text.push_str("  There are macros in the file; they were not run.\n");
        }
        text.push_str(&stale(&self.stale));
        if let Some(first) = &self.first {
            text.push_str(&self.difference(first));
        }
        let verdict = if self.agrees() {
            "The workbook and Portico agree in every figure."
        } else if self.first.is_none() {
            "The figures agree, but the workbook holds stale values: calculate it again and save it."
        } else {
            "The workbook and Portico do not agree."
        };
        let _ = writeln!(text, "\n{verdict}");
        text
    }

    fn table(&self, figures: &[&Figure]) -> String {
        let row = |figure: &&Figure| {
            let now = figure.now.map_or("typed".to_owned(), |now| self.value(figure, now));
            [
                figure.place.to_string(),
                cut(&figure.name),
                self.value(figure, figure.kept),
                now,
                self.value(figure, figure.ours),
                if figure.agrees() { String::new() } else { "differs".to_owned() },
            ]
        };
        let heads = ["Cell", "Figure", "Workbook", "Recalculated", "Portico", ""].map(str::to_owned);
        let rows: Vec<[String; 6]> = std::iter::once(heads).chain(figures.iter().map(row)).collect();
        let mut widths = [0; 6];
        for row in &rows {
            for (width, text) in widths.iter_mut().zip(row) {
                *width = text.chars().count().max(*width);
            }
        }
        let mut text = String::new();
        for row in &rows {
            let mut line = String::new();
            for (place, (cell, width)) in row.iter().zip(widths).enumerate() {
                // Words to the left, numbers to the right.
                let _ = match place {
                    2..=4 => write!(line, "  {cell:>width$}"),
                    _ => write!(line, "  {cell:width$}"),
                };
            }
            let _ = writeln!(text, "{}", line.trim_end());
        }
        text
    }

    fn difference(&self, Difference { figure, steps, other_way }: &Difference) -> String {
        let mut text = format!("\nFirst difference: {}, {}\n", figure.place, figure.name);
        let now = match figure.now {
            Some(now) => format!("its formula gives {}", self.value(figure, now)),
            None => "typed, not calculated".to_owned(),
        };
        let _ = writeln!(
            text,
            "  the workbook has {} ({now}), Portico {}",
            self.value(figure, figure.kept),
            self.value(figure, figure.ours)
        );
        text.push_str("  How Portico gets there:\n");
        for (gives, step) in steps {
            let _ = writeln!(text, "  {} {step}", if *gives { ">" } else { " " });
        }
        match other_way {
            Some(way) => {
                let _ = writeln!(text, "  The workbook's number is {way}.");
            }
            None => text.push_str("  No other way of rounding that is known gives the workbook's number.\n"),
        }
        text
    }

    fn value(&self, figure: &Figure, value: Decimal) -> String {
        let money = match figure.subject {
            Subject::Time(_, what) => matches!(what, OfTime::Rate | OfTime::Amount),
            Subject::Expense(_) => true,
            Subject::Invoice(what) => !matches!(what, OfInvoice::BilledMinutes | OfInvoice::Hours),
        };
        let mut short = value.round_dp(DECIMALS_MAX).normalize();
        if money && short.scale() < self.decimals {
            short.rescale(self.decimals);
        }
        short.to_string()
    }
}

fn cut(name: &str) -> String {
    if name.chars().count() <= NAME_CHARS {
        return name.to_owned();
    }
    let mut short: String = name.chars().take(NAME_CHARS - 3).collect();
    short.push_str("...");
    short
}

fn stale(stale: &[Stale]) -> String {
    let mut text = String::new();
    if stale.is_empty() {
        return text;
    }
    let _ = writeln!(
        text,
        "\nStale: {} formulas give something else now than what is in their cells.",
        stale.len()
    );
    for Stale { place, formula, kept, now } in stale.iter().take(LISTED_MAX) {
        let _ = writeln!(text, "  {place}  {kept} in the workbook, {now} now  {formula}");
    }
    if stale.len() > LISTED_MAX {
        let _ = writeln!(text, "  and {} more", stale.len() - LISTED_MAX);
    }
    text
}
