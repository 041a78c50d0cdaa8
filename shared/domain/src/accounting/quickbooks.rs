//! QuickBooks Online: the file of "Import invoices", with the headings that it maps by itself.

use super::{AccountingError, Cell, DateOrder, INVOICES_MAX, Issued, Row, rows, write};
use crate::billing::Treatment;

/// A star says that QuickBooks needs it.
const COLUMNS: [&str; 13] = [
    "*InvoiceNo",
    "*Customer",
    "*InvoiceDate",
    "*DueDate",
    "Memo",
    "Item(Product/Service)",
    "ItemDescription",
    "ItemQuantity",
    "ItemRate",
    "*ItemAmount",
    "*ItemTaxCode",
    "ItemTaxAmount",
    "Currency",
];

/// How the consultancy's books in QuickBooks call what is sold and taxes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuickBooksCodes {
    /// The product or service of every row: `Consulting`.
    pub item: String,
    /// The code of each tax: `20.0% S`.
    pub taxes: Vec<(Treatment, String)>,
    /// How dates are written there.
    pub dates: DateOrder,
}

/// Invoices as QuickBooks Online imports them, prices without tax.
///
/// # Errors
/// [`AccountingError`] if there are too many, or a tax has no code in the books.
pub fn quickbooks(invoices: &[Issued], codes: &QuickBooksCodes) -> Result<Vec<u8>, AccountingError> {
    if invoices.len() > INVOICES_MAX {
        return Err(AccountingError::TooMany);
    }
    let mut cells = Vec::new();
    for issued in invoices {
        for row in rows(*issued)? {
            cells.push(record(*issued, &row, codes)?);
        }
    }
    write(&COLUMNS, cells)
}

fn record(issued: Issued, row: &Row, codes: &QuickBooksCodes) -> Result<Vec<Cell>, AccountingError> {
    let invoice = issued.invoice;
    let tax = codes.taxes.iter().find(|(treatment, _)| *treatment == row.treatment);
    let (_, tax) = tax.ok_or(AccountingError::NoCode(row.treatment))?;
    let memo = invoice.purchase_order.as_deref().unwrap_or_default();
    Ok(vec![
        Cell::text(invoice.number.as_str()),
        Cell::text(invoice.bill_to.first().map_or("", String::as_str)),
        Cell::text(&codes.dates.write(invoice.issued_on)),
        Cell::text(&codes.dates.write(invoice.due_on)),
        Cell::text(memo),
        Cell::text(&codes.item),
        Cell::text(&format!("{} {}", row.day, row.description)),
        Cell::figure(row.quantity),
        Cell::figure(row.price),
        Cell::figure(row.amount.to_decimal()),
        Cell::text(tax),
        Cell::figure(row.tax.to_decimal()),
        Cell::text(invoice.currency.code()),
    ])
}
