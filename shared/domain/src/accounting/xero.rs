//! Xero: the file of "Import invoices", in the columns of its template (Sales > Invoices > Import).

use super::{AccountingError, Cell, DateOrder, INVOICES_MAX, Issued, Row, rows, write};
use crate::billing::Treatment;

/// The columns of the template that we fill; Xero goes by their names, and a star says that it needs them.
const COLUMNS: [&str; 17] = [
    "*ContactName",
    "POAddressLine1",
    "POAddressLine2",
    "POAddressLine3",
    "POAddressLine4",
    "*InvoiceNumber",
    "Reference",
    "*InvoiceDate",
    "*DueDate",
    "Total",
    "*Description",
    "*Quantity",
    "*UnitAmount",
    "*AccountCode",
    "*TaxType",
    "TaxAmount",
    "Currency",
];
/// Lines of an address that it has room for.
const ADDRESS_LINES: usize = 4;

/// How the consultancy's books in Xero call accounts and taxes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct XeroCodes {
    /// The account of sales: `200`.
    pub account: String,
    /// The display name of each tax rate: `19% (VAT on Income)`.
    pub taxes: Vec<(Treatment, String)>,
    /// How dates are written there.
    pub dates: DateOrder,
}

/// Invoices as Xero imports them, prices without tax.
///
/// # Errors
/// [`AccountingError`] if there are too many, or a tax has no name in the books.
pub fn xero(invoices: &[Issued], codes: &XeroCodes) -> Result<Vec<u8>, AccountingError> {
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

fn record(issued: Issued, row: &Row, codes: &XeroCodes) -> Result<Vec<Cell>, AccountingError> {
    let invoice = issued.invoice;
    let (name, address) =
        invoice.bill_to.split_first().map_or(("", &[][..]), |(name, rest)| (name.as_str(), rest));
    let tax = codes.taxes.iter().find(|(treatment, _)| *treatment == row.treatment);
    let (_, tax) = tax.ok_or(AccountingError::NoCode(row.treatment))?;
    let mut cells = vec![Cell::text(name)];
    cells.extend((0..ADDRESS_LINES).map(|place| Cell::text(address.get(place).map_or("", String::as_str))));
    cells.extend([
        Cell::text(invoice.number.as_str()),
        Cell::text(invoice.purchase_order.as_deref().unwrap_or_default()),
        Cell::text(&codes.dates.write(invoice.issued_on)),
        Cell::text(&codes.dates.write(invoice.due_on)),
        Cell::figure(invoice.gross.to_decimal()),
        Cell::text(&row.description),
        Cell::figure(row.quantity),
        Cell::figure(row.price),
        Cell::text(&codes.account),
        Cell::text(tax),
        Cell::figure(row.tax.to_decimal()),
        Cell::text(invoice.currency.code()),
    ]);
    Ok(cells)
}
