//! Sheets of a workbook as values, and tables and pairs found on them.

use std::{collections::BTreeMap, fmt};

use jiff::{Span, civil::Date};
use rust_decimal::{Decimal, prelude::ToPrimitive};

use crate::Unusable;

/// Rows among which the heads of a table are looked for, from the top.
const HEADS_WITHIN: u32 = 50;
/// Letters of the alphabet: columns are numbered with them.
const LETTERS: u32 = 26;

/// A cell's name: `Time!D7`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub(crate) sheet: &'static str,
    /// From 1.
    pub(crate) row: u32,
    /// From 1.
    pub(crate) column: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut letters = Vec::new();
        let mut left = self.column;
        while left > 0 {
            let letter = u8::try_from((left - 1) % LETTERS).unwrap_or_default();
            letters.push(char::from(b'A' + letter));
            left = (left - 1) / LETTERS;
        }
        let column: String = letters.iter().rev().collect();
        write!(f, "{}!{column}{}", self.sheet, self.row)
    }
}

/// What a cell holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum Value {
    #[default]
    Nothing,
    Number(Decimal),
    Text(String),
    Truth(bool),
    /// `#NAME?`, or a number that is none.
    Error(String),
}

/// As it is named in a message.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("nothing"),
            Self::Number(number) => number.normalize().fmt(f),
            Self::Text(text) => write!(f, "\"{}\"", text.chars().take(60).collect::<String>()),
            Self::Truth(truth) => f.write_str(if *truth { "TRUE" } else { "FALSE" }),
            Self::Error(error) => f.write_str(error),
        }
    }
}

/// A cell.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Cell {
    /// What the spreadsheet program left in it.
    pub kept: Value,
    /// What it holds when everything is calculated again.
    pub now: Value,
    /// Its formula, if it has one.
    pub formula: Option<String>,
    /// Whether it is shown as a percentage: `0.19` as 19 %.
    pub percent: bool,
}

/// A sheet: row, then column, both from 1.
#[derive(Debug, Clone)]
pub(crate) struct Sheet {
    pub name: &'static str,
    pub cells: BTreeMap<(u32, u32), Cell>,
}

/// A cell in its place; one that is not there is empty.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub place: Place,
    pub cell: Cell,
}

impl Found {
    /// That something else belongs here.
    pub fn wrong(&self, expected: impl Into<String>) -> Unusable {
        let mut found = self.cell.now.to_string();
        if let Some(formula) = &self.cell.formula {
            found = format!("{found} ({formula})");
            if self.cell.now == Value::Error("#NAME?".to_owned()) {
                found.push_str(": a macro, which is never run, or a function that is not known here");
            }
        }
        Unusable::Cell { place: self.place, expected: expected.into(), found }
    }

    /// Whether nothing is in it, or only spaces.
    pub fn is_empty(&self) -> bool {
        match &self.cell.now {
            Value::Nothing => true,
            Value::Text(text) => text.trim().is_empty(),
            Value::Number(_) | Value::Truth(_) | Value::Error(_) => false,
        }
    }

    pub fn number(&self, expected: &str) -> Result<Decimal, Unusable> {
        match self.cell.now {
            Value::Number(number) => Ok(number),
            _ => Err(self.wrong(expected)),
        }
    }

    /// Words, without the spaces around them; a number as it is written.
    pub fn text(&self, expected: &str) -> Result<String, Unusable> {
        match &self.cell.now {
            Value::Text(text) if !text.trim().is_empty() => Ok(text.trim().to_owned()),
            Value::Number(number) => Ok(number.normalize().to_string()),
            _ => Err(self.wrong(expected)),
        }
    }

    /// A figure of a contract, within its bounds.
    pub fn figure<T: TryFrom<Decimal>>(&self, expected: &str) -> Result<T, Unusable> {
        T::try_from(self.number(expected)?).map_err(|_| self.wrong(expected))
    }

    /// A percentage: `19`, or `0.19` that is shown as 19 %.
    pub fn percentage<T: TryFrom<Decimal>>(&self, expected: &str) -> Result<T, Unusable> {
        let number = self.number(expected)?;
        let hundredths = if self.cell.percent { Decimal::ONE_HUNDRED } else { Decimal::ONE };
        let percent = number.checked_mul(hundredths).ok_or_else(|| self.wrong(expected))?;
        T::try_from(percent.normalize()).map_err(|_| self.wrong(expected))
    }

    /// A whole number.
    pub fn whole<T: TryFrom<i64>>(&self, expected: &str) -> Result<T, Unusable> {
        let number = self.number(expected)?;
        let whole = number.is_integer().then(|| number.to_i64()).flatten();
        whole.and_then(|whole| T::try_from(whole).ok()).ok_or_else(|| self.wrong(expected))
    }

    /// A day: Excel counts them, and 61 is 1 March 1900. Before that it counts a day that there never was.
    pub fn day(&self) -> Result<Date, Unusable> {
        const EXPECTED: &str = "a date from 1 March 1900 on";
        let number = self.number(EXPECTED)?;
        let days = number.trunc().to_i32().filter(|days| *days > 60).ok_or_else(|| self.wrong(EXPECTED))?;
        let span = Span::new().try_days(days).map_err(|_| self.wrong(EXPECTED))?;
        Date::constant(1899, 12, 30).checked_add(span).map_err(|_| self.wrong(EXPECTED))
    }

    /// The one of `words` that it holds, whatever the capitals, and what that stands for.
    pub fn one_of<T: Copy>(&self, words: &[(&str, T)]) -> Result<T, Unusable> {
        let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let expected = || format!("one of {}", names.join(", "));
        let text = self.text(&expected())?;
        let known = words.iter().find(|(word, _)| word.eq_ignore_ascii_case(&text));
        known.map(|(_, meaning)| *meaning).ok_or_else(|| self.wrong(expected()))
    }
}

/// A table: heads and the rows below them.
#[derive(Debug)]
pub(crate) struct Table<'a> {
    sheet: &'a Sheet,
    heads: BTreeMap<String, u32>,
    first: u32,
}

impl Sheet {
    pub fn at(&self, row: u32, column: u32) -> Found {
        Found {
            place: Place { sheet: self.name, row, column },
            cell: self.cells.get(&(row, column)).cloned().unwrap_or_default(),
        }
    }

    /// The rows that have a cell.
    fn rows(&self) -> Vec<u32> {
        let mut rows: Vec<u32> = self.cells.keys().map(|(row, _)| *row).collect();
        rows.dedup();
        rows
    }

    fn columns(&self, row: u32) -> impl Iterator<Item = u32> {
        self.cells.range((row, 0)..=(row, u32::MAX)).map(|((_, column), _)| *column)
    }

    /// Names and what stands right of them: the first cell of a row that is words, and the next one that is not empty.
    pub fn pairs(&self) -> impl Iterator<Item = (String, Found)> {
        self.rows().into_iter().filter_map(|row| {
            let mut filled =
                self.columns(row).map(|column| self.at(row, column)).filter(|found| !found.is_empty());
            let name = filled.next()?;
            let Value::Text(name) = &name.cell.now else { return None };
            Some((name.trim().to_lowercase(), filled.next()?))
        })
    }

    /// The table whose heads these are, whatever the capitals; others may stand between them.
    ///
    /// # Errors
    /// [`Unusable::NoHeads`]; [`Unusable::Cell`] if a head is there twice.
    pub fn table(&self, heads: &[&str]) -> Result<Table<'_>, Unusable> {
        for row in self.rows().into_iter().take_while(|row| *row <= HEADS_WITHIN) {
            let mut found = BTreeMap::new();
            let mut twice = None;
            for column in self.columns(row) {
                let cell = self.at(row, column);
                let Value::Text(text) = &cell.cell.now else { continue };
                if found.insert(text.trim().to_lowercase(), column).is_some() {
                    twice = Some(cell);
                }
            }
            if heads.iter().all(|head| found.contains_key(&head.to_lowercase())) {
                return match twice {
                    Some(cell) => Err(cell.wrong("each head once")),
                    None => Ok(Table { sheet: self, heads: found, first: row + 1 }),
                };
            }
        }
        Err(Unusable::NoHeads { sheet: self.name, heads: heads.join(", ") })
    }
}

impl Table<'_> {
    /// The rows in which one of `heads` has something below it.
    pub fn rows(&self, heads: &[&str]) -> Vec<u32> {
        let filled =
            |row: &u32| heads.iter().any(|head| self.cell(*row, head).is_some_and(|found| !found.is_empty()));
        self.sheet.rows().into_iter().filter(|row| *row >= self.first).filter(filled).collect()
    }

    /// The cell of a row below `head`; none if there is no such head.
    pub fn cell(&self, row: u32, head: &str) -> Option<Found> {
        self.heads.get(&head.to_lowercase()).map(|column| self.sheet.at(row, *column))
    }

    /// The cell of a row below `head`, which is one that the table was found by.
    pub fn required(&self, row: u32, head: &str) -> Result<Found, Unusable> {
        let missing = || Unusable::NoHeads { sheet: self.sheet.name, heads: head.to_owned() };
        self.cell(row, head).ok_or_else(missing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(now: Value) -> Found {
        let cell = Cell { kept: now.clone(), now, ..Cell::default() };
        Found { place: Place { sheet: "Time", row: 7, column: 4 }, cell }
    }

    fn number(text: &str) -> Found {
        found(Value::Number(text.parse().unwrap()))
    }

    #[test]
    fn columns_are_lettered_as_in_a_spreadsheet() {
        let name = |column| Place { sheet: "Time", row: 3, column }.to_string();
        assert_eq!(
            [1, 26, 27, 702, 703].map(name),
            ["Time!A3", "Time!Z3", "Time!AA3", "Time!ZZ3", "Time!AAA3"]
        );
    }

    #[test]
    fn days_are_counted_as_in_a_spreadsheet() {
        assert_eq!(number("61").day().unwrap().to_string(), "1900-03-01");
        assert_eq!(number("46329.75").day().unwrap().to_string(), "2026-11-03");
        let refused = number("60").day().unwrap_err().to_string();
        assert_eq!(refused, "Time!D7: expected a date from 1 March 1900 on, found 60");
        assert!(number("99999999").day().is_err());
        assert!(found(Value::Text("3.11.".to_owned())).day().is_err());
    }

    #[test]
    fn what_does_not_belong_is_named_with_its_cell() {
        let two = found(Value::Text("2 h".to_owned()));
        assert_eq!(
            two.number("minutes").unwrap_err().to_string(),
            "Time!D7: expected minutes, found \"2 h\""
        );
        assert!(number("1.5").whole::<i64>("minutes").is_err());
        let mut called = found(Value::Error("#NAME?".to_owned()));
        called.cell.formula = Some("=RoundUpToQuarter(D7)".to_owned());
        let said = called.number("minutes").unwrap_err().to_string();
        assert!(said.contains("(=RoundUpToQuarter(D7)): a macro, which is never run"), "{said}");
    }

    #[test]
    fn a_percentage_is_what_is_shown() {
        let percent = |found: &Found| found.percentage::<Decimal>("a percentage").unwrap().to_string();
        assert_eq!(percent(&number("19")), "19");
        let mut shown = number("0.19");
        shown.cell.percent = true;
        assert_eq!(percent(&shown), "19");
    }
}
