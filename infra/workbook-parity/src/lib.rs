//! Holds a finance lead's invoice workbook against the billing engine, cell by cell.
//!
//! [`compare`] reads a workbook of the layout in `docs/workbook-parity.md`, prices the work on it with
//! [`portico_domain::billing::price`], and sets three values of each figure next to each other: what the spreadsheet
//! program left in the cell, what the cell's formula gives when it is calculated again, and what the engine says. It
//! passes only if all three are the same. Of the first difference it says by which rounding step the engine gets there
//! ([`portico_domain::billing::Derivation`]), and which other way of rounding gives what is in the workbook.
//!
//! Nothing in a workbook is run but its formulas: macros stay where they are, nothing outside of the file is read.

mod book;
mod clauses;
mod comparison;
mod elementwise;
mod explanation;
mod package;
mod report;
mod sheet;
mod unusable;
mod work;

pub use book::{CELLS_MAX, EVALUATION_LONGEST, FORMULAS_MAX, SHEETS_MAX};
pub use comparison::{Comparison, Difference, Figure, Stale};
pub use package::{FILE_BYTES_MAX, PARTS_MAX, UNPACKED_BYTES_MAX};
pub use sheet::Place;
pub use unusable::Unusable;

/// Compares a workbook, given as the bytes of its file.
///
/// # Errors
/// [`Unusable`] if it does not fit the layout, is larger than what is read, or holds nothing that can be compared.
pub fn compare(file: &[u8]) -> Result<Comparison, Unusable> {
    let macros = package::inspect(file)?;
    let book = book::open(file)?;
    let contract = clauses::read(&book)?;
    let work = work::read(&book, &contract)?;
    let bill = work.price(&contract)?;
    comparison::of(&book, &contract, &work, &bill, macros)
}
