//! Issued invoices as files that accounting programs import: the same cents, line by line.
//!
//! Cells are text that others typed, and spreadsheets run what looks like a formula: see [`Cell`].

mod quickbooks;
mod xero;

use jiff::civil::Date;
use rust_decimal::Decimal;

use crate::{
    Money,
    billing::{Invoice, Line, Positions, ReductionReason, TaxSum, Treatment},
    money::MoneyError,
};

pub use quickbooks::{QuickBooksCodes, quickbooks};
pub use xero::{XeroCodes, xero};

/// Most invoices of one file: more than 500 are refused by Xero.
pub const INVOICES_MAX: usize = 500;
/// Decimals of a price that both programs keep.
const PRICE_DECIMALS_MAX: u32 = 4;
/// What spreadsheets take for the beginning of a formula (OWASP, "CSV injection").
const FORMULA_STARTS: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

/// How a date is written. Both programs go by the country of the company's books.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DateOrder {
    /// `22/11/2026`.
    DayFirst,
    /// `11/22/2026`.
    MonthFirst,
}

impl DateOrder {
    fn write(self, day: Date) -> String {
        let (year, month, of) = (day.year(), day.month(), day.day());
        match self {
            Self::DayFirst => format!("{of:02}/{month:02}/{year:04}"),
            Self::MonthFirst => format!("{month:02}/{of:02}/{year:04}"),
        }
    }
}

/// An invoice and its positions.
#[derive(Debug, Clone, Copy)]
pub struct Issued<'a> {
    /// The invoice.
    pub invoice: &'a Invoice,
    /// Its positions.
    pub positions: &'a Positions,
}

/// Why there is no file.
#[derive(Debug, thiserror::Error)]
pub enum AccountingError {
    /// More invoices than one file takes.
    #[error("a file takes at most {INVOICES_MAX} invoices")]
    TooMany,
    /// A tax that the books have no code for.
    #[error("the books have no code for {0:?}")]
    NoCode(Treatment),
    /// Positions that do not add up to their invoice.
    #[error("the positions do not add up to the invoice {0}")]
    DoesNotAddUp(String),
    /// Amounts that do not fit.
    #[error(transparent)]
    Money(#[from] MoneyError),
    /// The file cannot be written.
    #[error(transparent)]
    Csv(#[from] csv::Error),
}

/// Text for a cell. What a spreadsheet would run gets an apostrophe before it, which it shows as text.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Cell(String);

impl Cell {
    fn text(text: &str) -> Self {
        if text.starts_with(FORMULA_STARTS) { Self(format!("'{text}")) } else { Self(text.to_owned()) }
    }

    /// A figure of ours: a minus before it is a minus.
    fn figure(value: Decimal) -> Self {
        Self(value.to_string())
    }
}

/// One row: `quantity` times `price` is `amount`, to the cent.
struct Row {
    description: String,
    day: Date,
    quantity: Decimal,
    price: Decimal,
    amount: Money,
    treatment: Treatment,
    tax: Money,
}

/// The rows of an invoice. What is taken off a position is a row of its own, below zero: a percentage would be rounded
/// otherwise. A position whose price has more decimals than the programs keep is one piece for its amount.
fn rows(issued: Issued) -> Result<Vec<Row>, AccountingError> {
    let Issued { invoice, positions } = issued;
    let taxes = positions.tax_by_line(&invoice.taxes)?;
    let mut rows = Vec::new();
    for (line, tax) in positions.lines.iter().zip(taxes) {
        let treatment = treatment_of(line, &invoice.taxes)
            .ok_or_else(|| AccountingError::DoesNotAddUp(invoice.number.to_string()))?;
        let price = line.price()?;
        let (quantity, each) = exact(line, price);
        let description = [line.description.as_str(), line.person.as_str()];
        let description = description.into_iter().filter(|part| !part.trim().is_empty()).collect::<Vec<_>>();
        let day = line.worked_on;
        rows.push(Row {
            description: description.join(" · "),
            day,
            quantity,
            price: each,
            amount: price,
            treatment,
            tax,
        });
        for less in &line.reductions {
            let description = match &less.reason {
                ReductionReason::Discount(name) => name.clone(),
                ReductionReason::Cap => "Above the agreed maximum".to_owned(),
            };
            let amount = less.amount.negated()?;
            let (price, tax) = (amount.to_decimal(), Money::zero(invoice.currency));
            rows.push(Row { description, day, quantity: Decimal::ONE, price, amount, treatment, tax });
        }
    }
    let net = Money::sum(invoice.currency, rows.iter().map(|row| row.amount))?;
    let tax = Money::sum(invoice.currency, rows.iter().map(|row| row.tax))?;
    if net == invoice.net && tax == invoice.tax {
        Ok(rows)
    } else {
        Err(AccountingError::DoesNotAddUp(invoice.number.to_string()))
    }
}

fn treatment_of(line: &Line, taxes: &[TaxSum]) -> Option<Treatment> {
    match (line.treatment, taxes) {
        (Some(treatment), _) => Some(treatment),
        (None, [only]) => Some(only.treatment),
        (None, _) => None,
    }
}

/// Quantity and price of one, if they give the amount exactly as it is rounded; else one piece of the amount.
fn exact(line: &Line, amount: Money) -> (Decimal, Decimal) {
    let each = line.rate.checked_div(Decimal::from(line.unit.per()));
    let fits = each.filter(|each| each.normalize().scale() <= PRICE_DECIMALS_MAX).filter(|each| {
        let product = line.quantity.checked_mul(*each);
        product.is_some_and(|product| Money::rounded(product, amount.currency()) == Ok(amount))
    });
    match fits {
        Some(each) => (line.quantity.normalize(), each.normalize()),
        None => (Decimal::ONE, amount.to_decimal()),
    }
}

fn write(head: &[&str], rows: impl IntoIterator<Item = Vec<Cell>>) -> Result<Vec<u8>, AccountingError> {
    let mut file = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    file.write_record(head)?;
    for row in rows {
        file.write_record(row.iter().map(|cell| &cell.0))?;
    }
    file.into_inner().map_err(|error| AccountingError::Csv(error.into_error().into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_spreadsheet_would_run_is_text() {
        for hostile in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "=cmd|' /C calc'!A0"] {
            assert_eq!(Cell::text(hostile).0, format!("'{hostile}"));
        }
        for harmless in ["", "A-1", " x", "1=1", "'quoted'", "É"] {
            assert_eq!(Cell::text(harmless).0, harmless);
        }
        assert_eq!(Cell::figure(Decimal::from(-5)).0, "-5");
    }

    #[test]
    fn dates_are_as_the_books_have_them() {
        let day = "2026-11-02".parse().unwrap();
        assert_eq!(DateOrder::DayFirst.write(day), "02/11/2026");
        assert_eq!(DateOrder::MonthFirst.write(day), "11/02/2026");
    }
}
