//! Why a workbook cannot be compared.

use portico_domain::billing::{PricingError, TermsError};

use crate::{
    book::{CELLS_MAX, EVALUATION_LONGEST, FORMULAS_MAX, SHEETS_MAX},
    package::{FILE_BYTES_MAX, PARTS_MAX, UNPACKED_BYTES_MAX},
    sheet::Place,
};

/// Why a workbook cannot be compared, in words for who made it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// Not a workbook of Excel 2007 or later.
    #[error("this is no workbook of Excel 2007 or later (.xlsx or .xlsm), or a password protects it: {0}")]
    NotAWorkbook(String),
    /// A file larger than what is read, packed or unpacked.
    #[error(
        "the file is larger than what is read: {FILE_BYTES_MAX} bytes, {UNPACKED_BYTES_MAX} unpacked, {PARTS_MAX} parts"
    )]
    TooLarge,
    /// More cells, formulas or sheets than are read.
    #[error("more than {CELLS_MAX} cells, {FORMULAS_MAX} formulas or {SHEETS_MAX} sheets")]
    TooMuch,
    /// The formulas were not calculated: it took too long, or the evaluation broke down.
    #[error("the formulas cannot be calculated within {} seconds: {why}", EVALUATION_LONGEST.as_secs())]
    Uncalculated {
        /// What happened.
        why: String,
    },
    /// Days counted from 1904.
    #[error("the workbook counts days from 1904; only those that count from 1900 are read")]
    Epoch,
    /// A sheet that has to be there.
    #[error("there is no sheet {0}")]
    NoSheet(&'static str),
    /// A sheet that is there twice.
    #[error("there are two sheets {0}; capitals make no difference")]
    TwoSheets(&'static str),
    /// No row with the heads of the table.
    #[error("{sheet}: no row has the heads {heads}")]
    NoHeads {
        /// The sheet.
        sheet: &'static str,
        /// The heads that have to be there.
        heads: String,
    },
    /// More rows than one bill takes.
    #[error("{sheet}: more than {most} rows")]
    TooManyRows {
        /// The sheet.
        sheet: &'static str,
        /// The most.
        most: usize,
    },
    /// A cell that holds something else than what belongs there.
    #[error("{place}: expected {expected}, found {found}")]
    Cell {
        /// The cell.
        place: Place,
        /// What belongs there.
        expected: String,
        /// What is there.
        found: String,
    },
    /// A clause or a figure that has to be there.
    #[error("{sheet}: {name} is missing")]
    Missing {
        /// The sheet.
        sheet: &'static str,
        /// Its name.
        name: String,
    },
    /// A formula whose value depends on when it is calculated, or on another file.
    #[error("{place}: {formula} gives another value on another day or machine")]
    Changing {
        /// The cell.
        place: Place,
        /// The formula.
        formula: String,
    },
    /// Formulas in which no spreadsheet program left a value.
    #[error(
        "{first}: a formula without a value, and {others} more; open the workbook in a spreadsheet program and save it"
    )]
    NeverCalculated {
        /// The first.
        first: Place,
        /// How many others there are.
        others: usize,
    },
    /// Nothing to compare.
    #[error("there is no time and no expense on it: nothing can be compared")]
    Nothing,
    /// The clauses do not fit together.
    #[error("Contract: {0}")]
    Terms(#[from] TermsError),
    /// The engine refuses the bill.
    #[error("there can be no such bill: {0}")]
    Refused(#[from] PricingError),
}
