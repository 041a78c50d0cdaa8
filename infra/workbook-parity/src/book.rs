//! A workbook with two values in each cell: the one that was left in it, and the one that its formula gives now.
//!
//! calamine reads the one, IronCalc calculates the other.

use std::{collections::BTreeMap, io::Cursor, sync::mpsc, thread, time::Duration};

use calamine::{DataRef, Reader, Xlsx};
use ironcalc::{
    base::{Model, cell::CellValue, types::CellType},
    import::load_from_xlsx_bytes,
};
use rust_decimal::{Decimal, prelude::FromPrimitive};

use crate::{
    Unusable, elementwise,
    sheet::{Cell, Place, Sheet, Value},
};

/// Most cells of a workbook, on all its sheets.
pub const CELLS_MAX: usize = 100_000;
/// Most formulas of a workbook.
pub const FORMULAS_MAX: usize = 20_000;
/// Most sheets of a workbook.
pub const SHEETS_MAX: usize = 50;
/// How long the formulas may take. Those of an invoice take milliseconds; whole columns multiplied with each other may
/// take for ever.
pub const EVALUATION_LONGEST: Duration = Duration::from_secs(60);
/// Room for formulas that go through many others.
const EVALUATION_STACK_BYTES: usize = 256 * 1024 * 1024;

/// The sheets that the layout knows. Others may be there, and formulas may use them.
pub(crate) const CONTRACT: &str = "Contract";
pub(crate) const RATES: &str = "Rates";
pub(crate) const DISCOUNTS: &str = "Discounts";
pub(crate) const TIME: &str = "Time";
pub(crate) const EXPENSES: &str = "Expenses";
pub(crate) const INVOICE: &str = "Invoice";
const LAYOUT: [&str; 6] = [CONTRACT, RATES, DISCOUNTS, TIME, EXPENSES, INVOICE];

/// What gives another value each time.
const CHANGING: [&str; 5] = ["TODAY(", "NOW(", "RAND(", "RANDBETWEEN(", "RANDARRAY("];

/// The sheets that the layout knows, in its order.
#[derive(Debug)]
pub(crate) struct Book {
    pub sheets: Vec<Sheet>,
}

impl Book {
    pub fn sheet(&self, name: &'static str) -> Option<&Sheet> {
        self.sheets.iter().find(|sheet| sheet.name == name)
    }

    pub fn required(&self, name: &'static str) -> Result<&Sheet, Unusable> {
        self.sheet(name).ok_or(Unusable::NoSheet(name))
    }
}

/// Reads a workbook and calculates it.
///
/// # Errors
/// [`Unusable`] if it cannot be read or calculated, if a value changes with the day, or if formulas have no values.
pub(crate) fn open(file: &[u8]) -> Result<Book, Unusable> {
    let kept = kept(file)?;
    let sheets: Vec<Sheet> = recalculated(file, kept)?;
    let book = Book { sheets };
    unchanging(&book)?;
    calculated(&book)?;
    Ok(book)
}

/// What a spreadsheet program left in the cells of each sheet, by the sheet's name.
type Kept = BTreeMap<String, BTreeMap<(u32, u32), Value>>;

fn kept(file: &[u8]) -> Result<Kept, Unusable> {
    let broken = |error: calamine::XlsxError| Unusable::NotAWorkbook(error.to_string());
    let mut workbook = Xlsx::new(Cursor::new(file)).map_err(broken)?;
    if workbook.has_1904_epoch() {
        return Err(Unusable::Epoch);
    }
    let names = workbook.sheet_names();
    if names.len() > SHEETS_MAX {
        return Err(Unusable::TooMuch);
    }
    let mut kept = Kept::new();
    let (mut cells, mut formulas) = (0, 0);
    for name in names {
        let mut values = BTreeMap::new();
        // A sheet that is a chart has no cells to read.
        let Ok(mut reader) = workbook.worksheet_cells_reader(&name) else { continue };
        while let Some(cell) = reader.next_cell_with_formula().map_err(broken)? {
            cells += 1;
            formulas += usize::from(cell.formula.is_some());
            if cells > CELLS_MAX || formulas > FORMULAS_MAX {
                return Err(Unusable::TooMuch);
            }
            let (row, column) = cell.pos;
            values.insert((row + 1, column + 1), left(&cell.value));
        }
        kept.insert(name, values);
    }
    Ok(kept)
}

fn left(data: &DataRef) -> Value {
    match data {
        DataRef::Empty => Value::Nothing,
        DataRef::Int(number) => Value::Number(Decimal::from(*number)),
        DataRef::Float(number) => numeric(*number),
        DataRef::DateTime(moment) => numeric(moment.as_f64()),
        DataRef::String(text) | DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => worded(text),
        DataRef::SharedString(text) => worded(text),
        DataRef::Bool(truth) => Value::Truth(*truth),
        DataRef::Error(error) => Value::Error(error.to_string()),
    }
}

/// A number as a spreadsheet shows it: by its first 15 digits. What is behind them comes from counting in twos.
fn numeric(number: f64) -> Value {
    match Decimal::from_f64(number) {
        Some(number) => Value::Number(number.normalize()),
        None => Value::Error(number.to_string()),
    }
}

fn worded(text: &str) -> Value {
    if text.is_empty() { Value::Nothing } else { Value::Text(text.to_owned()) }
}

/// Calculates everything anew, on a thread of its own: it has more stack, what breaks down there ends nothing else, and
/// it can be left alone when it takes too long. It then goes on until the process ends.
fn recalculated(file: &[u8], kept: Kept) -> Result<Vec<Sheet>, Unusable> {
    let (sender, receiver) = mpsc::sync_channel(1);
    let file = file.to_vec();
    let thread = thread::Builder::new().stack_size(EVALUATION_STACK_BYTES).spawn(move || {
        // Whoever waits may be gone already.
        let _ = sender.send(evaluate(&file, &kept));
    });
    thread.map_err(|error| uncalculated(error.to_string()))?;
    receiver.recv_timeout(EVALUATION_LONGEST).map_err(|why| match why {
        mpsc::RecvTimeoutError::Timeout => uncalculated("it takes longer"),
        mpsc::RecvTimeoutError::Disconnected => uncalculated("the evaluation broke down"),
    })?
}

fn uncalculated(why: impl Into<String>) -> Unusable {
    Unusable::Uncalculated { why: why.into() }
}

fn evaluate(file: &[u8], kept: &Kept) -> Result<Vec<Sheet>, Unusable> {
    let broken = |error: ironcalc::error::XlsxError| Unusable::NotAWorkbook(error.to_string());
    let workbook = load_from_xlsx_bytes(file, "workbook", "en", "UTC").map_err(broken)?;
    let mut model = Model::from_workbook(workbook, "en").map_err(uncalculated)?;
    let written = written(&model).map_err(uncalculated)?;
    for ((sheet, row, column), formula) in &written {
        if let Some(other) = elementwise::spelled_out(formula) {
            model.update_cell_with_formula(*sheet, *row, *column, other).map_err(uncalculated)?;
        }
    }
    model.evaluate();
    let mut sheets = Vec::new();
    for wanted in LAYOUT {
        let properties = model.get_worksheets_properties();
        let mut alike =
            (0..).zip(&properties).filter(|(_, sheet)| sheet.name.trim().eq_ignore_ascii_case(wanted));
        let Some((index, sheet)) = alike.next() else { continue };
        if alike.next().is_some() {
            return Err(Unusable::TwoSheets(wanted));
        }
        let nothing = BTreeMap::new();
        let values = kept.get(&sheet.name).unwrap_or(&nothing);
        sheets.push(read(&model, &written, (index, wanted), values).map_err(uncalculated)?);
    }
    Ok(sheets)
}

/// Formulas by sheet, row and column, as they are written in the workbook.
type Written = BTreeMap<(u32, i32, i32), String>;

fn written(model: &Model) -> Result<Written, String> {
    let mut written = Written::new();
    for at in model.get_all_cells() {
        if let Some(formula) = model.get_cell_formula(at.index, at.row, at.column)? {
            written.insert((at.index, at.row, at.column), formula);
        }
    }
    Ok(written)
}

fn read(
    model: &Model,
    written: &Written,
    (index, name): (u32, &'static str),
    kept: &BTreeMap<(u32, u32), Value>,
) -> Result<Sheet, String> {
    let mut cells = BTreeMap::new();
    for at in model.get_all_cells().into_iter().filter(|at| at.index == index) {
        let (Ok(row), Ok(column)) = (u32::try_from(at.row), u32::try_from(at.column)) else { continue };
        let now = match model.get_cell_value_by_index(index, at.row, at.column)? {
            CellValue::None => Value::Nothing,
            CellValue::Number(number) => numeric(number),
            CellValue::Boolean(truth) => Value::Truth(truth),
            CellValue::String(text) => match model.get_cell_type(index, at.row, at.column)? {
                CellType::ErrorValue => Value::Error(text),
                _ => worded(&text),
            },
        };
        let formula = written.get(&(index, at.row, at.column)).cloned();
        let kept = kept.get(&(row, column)).cloned().unwrap_or_default();
        let format = model.get_style_for_cell(index, at.row, at.column)?.num_fmt;
        cells.insert((row, column), Cell { kept, now, formula, percent: format.contains('%') });
    }
    Ok(Sheet { name, cells })
}

/// The cells that have a formula, in the order of the sheets.
pub(crate) fn formulas(book: &Book) -> impl Iterator<Item = (Place, &Cell, &str)> {
    book.sheets.iter().flat_map(|sheet| {
        sheet.cells.iter().filter_map(|((row, column), cell)| {
            let place = Place { sheet: sheet.name, row: *row, column: *column };
            cell.formula.as_deref().map(|formula| (place, cell, formula))
        })
    })
}

/// Refuses formulas whose value is another one on another day, or is in another file.
fn unchanging(book: &Book) -> Result<(), Unusable> {
    let changing = |formula: &str| {
        let formula = formula.to_ascii_uppercase();
        CHANGING.iter().any(|function| calls(&formula, function)) || names_a_file(&formula)
    };
    match formulas(book).find(|(_, _, formula)| changing(formula)) {
        Some((place, _, formula)) => Err(Unusable::Changing { place, formula: formula.to_owned() }),
        None => Ok(()),
    }
}

/// Whether a formula calls the function, and not one whose name only ends like it.
fn calls(formula: &str, function: &str) -> bool {
    formula.match_indices(function).any(|(at, _)| {
        let before = formula.get(..at).and_then(|before| before.chars().next_back());
        before.is_none_or(|before| !before.is_ascii_alphanumeric() && before != '.' && before != '_')
    })
}

/// Whether a formula names a cell of another file: those stand as numbers in brackets, `[1]Rates!B2`.
fn names_a_file(formula: &str) -> bool {
    formula.split('[').skip(1).any(|rest| {
        rest.split_once(']')
            .is_some_and(|(number, _)| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
    })
}

/// Refuses a workbook in which no spreadsheet program left what it calculated. To compare nothing is not to agree.
fn calculated(book: &Book) -> Result<(), Unusable> {
    // A formula may well give an empty text; then it does so now, too.
    let mut without = formulas(book)
        .filter(|(_, cell, _)| cell.kept == Value::Nothing && cell.now != Value::Nothing)
        .map(|(place, _, _)| place);
    match without.next() {
        Some(first) => Err(Unusable::NeverCalculated { first, others: without.count() }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_what_a_spreadsheet_shows() {
        let shown = |number: f64| numeric(number).to_string();
        assert_eq!(shown(1.1 * 3.0), "3.3");
        assert_eq!(shown(0.1 + 0.2), "0.3");
        assert_eq!(shown(259.875), "259.875");
        assert_eq!(numeric(f64::NAN), Value::Error("NaN".to_owned()));
    }

    #[test]
    fn what_changes_is_known_by_its_name() {
        let formula = |text: &str| CHANGING.iter().any(|function| calls(text, function));
        assert!(formula("=TODAY()-A1") && formula("=IF(A1,RAND(),0)"));
        assert!(!formula("=YESTERDAYTODAY(1)") && !formula("=Time!A1") && !formula("=GRAND(1)"));
        assert!(names_a_file("=[1]Rates!B2") && names_a_file("='[12]Old rates'!B2*2"));
        assert!(!names_a_file("=SUM(Work[Hours])") && !names_a_file("=[@Hours]*2"));
    }
}
