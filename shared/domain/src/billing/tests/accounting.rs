//! What goes to accounting programs has the cents of the invoices.

use proptest::prelude::*;

use super::{properties::issued, scenarios::scenario, *};
use crate::accounting::{AccountingError, DateOrder, Issued, QuickBooksCodes, XeroCodes, quickbooks, xero};

fn codes(invoice: &Invoice) -> (XeroCodes, QuickBooksCodes) {
    let taxes: Vec<_> =
        invoice.taxes.iter().map(|sum| (sum.treatment, format!("{:?}", sum.treatment))).collect();
    let (account, item) = ("200".to_owned(), "Consulting".to_owned());
    let dates = DateOrder::DayFirst;
    (XeroCodes { account, taxes: taxes.clone(), dates }, QuickBooksCodes { item, taxes, dates })
}

/// The columns of these names, row by row.
fn columns<const N: usize>(file: &[u8], names: [&str; N]) -> Vec<[String; N]> {
    let mut reader = csv::Reader::from_reader(file);
    let head = reader.headers().unwrap().clone();
    let places = names.map(|name| head.iter().position(|column| column == name).unwrap());
    reader.records().map(|row| row.unwrap()).map(|row| places.map(|place| row[place].to_owned())).collect()
}

fn number(text: &str) -> Decimal {
    text.parse().unwrap()
}

proptest! {
    #[test]
    fn rows_add_up_to_the_invoice_in_both_programs(scenario in scenario()) {
        for bill in scenario.bills().into_iter().filter(|bill| !bill.is_empty()) {
            let (invoice, positions) = issued(bill);
            let (xero_codes, quickbooks_codes) = codes(&invoice);
            let all = [Issued { invoice: &invoice, positions: &positions }];
            let decimals = invoice.currency.decimals();
            let rounded = |quantity: &str, price: &str| {
                let exact = number(quantity) * number(price);
                Money::rounded(exact, invoice.currency).unwrap().to_decimal()
            };
            let file = xero(&all, &xero_codes).unwrap();
            let rows = columns(&file, ["*Quantity", "*UnitAmount", "TaxAmount", "Total", "*InvoiceNumber"]);
            let net: Decimal = rows.iter().map(|[quantity, price, ..]| rounded(quantity, price)).sum();
            let tax: Decimal = rows.iter().map(|[_, _, tax, ..]| number(tax)).sum();
            prop_assert_eq!((net, tax), (invoice.net.to_decimal(), invoice.tax.to_decimal()));
            for [_, price, _, total, of] in &rows {
                prop_assert!(number(price).scale() <= decimals.max(4));
                prop_assert_eq!(number(total), invoice.gross.to_decimal());
                prop_assert_eq!(of.as_str(), invoice.number.as_str());
            }
            let file = quickbooks(&all, &quickbooks_codes).unwrap();
            let rows = columns(&file, ["ItemQuantity", "ItemRate", "*ItemAmount", "ItemTaxAmount"]);
            for [quantity, rate, amount, _] in &rows {
                prop_assert_eq!(rounded(quantity, rate), number(amount));
            }
            let net: Decimal = rows.iter().map(|[_, _, amount, _]| number(amount)).sum();
            let tax: Decimal = rows.iter().map(|[.., tax]| number(tax)).sum();
            prop_assert_eq!((net, tax), (invoice.net.to_decimal(), invoice.tax.to_decimal()));
        }
    }
}

#[test]
fn a_tax_without_a_code_and_too_many_invoices_are_refused() {
    let (invoice, positions) = issued(case_bill(clauses("60", "19"), &entries(&[60])));
    let (mut xero_codes, quickbooks_codes) = codes(&invoice);
    let one = Issued { invoice: &invoice, positions: &positions };
    let many = vec![one; crate::accounting::INVOICES_MAX + 1];
    assert!(matches!(xero(&many, &xero_codes), Err(AccountingError::TooMany)));
    assert!(matches!(quickbooks(&many, &quickbooks_codes), Err(AccountingError::TooMany)));
    xero_codes.taxes.clear();
    assert!(matches!(xero(&[one], &xero_codes), Err(AccountingError::NoCode(_))));
}

#[test]
fn text_that_others_typed_is_no_formula_in_either_file() {
    for hostile in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"] {
        let mut entry = entry(1, 60);
        entry.description = format!("{hostile} \"quoted\", next\nline");
        let (mut invoice, positions) = issued(case_bill(clauses("60", "19"), &[entry]));
        invoice.bill_to = vec![hostile.to_owned(), hostile.to_owned()];
        invoice.purchase_order = Some(hostile.to_owned());
        let (xero_codes, quickbooks_codes) = codes(&invoice);
        let all = [Issued { invoice: &invoice, positions: &positions }];
        for file in [xero(&all, &xero_codes).unwrap(), quickbooks(&all, &quickbooks_codes).unwrap()] {
            let mut reader = csv::Reader::from_reader(file.as_slice());
            let mut neutralised = 0;
            for cell in
                reader.records().flat_map(|row| row.unwrap().iter().map(str::to_owned).collect::<Vec<_>>())
            {
                assert!(!cell.starts_with(['=', '+', '@', '\t', '\r']), "{cell:?}");
                assert!(!cell.starts_with('-') || cell.parse::<Decimal>().is_ok(), "{cell:?}");
                neutralised += usize::from(cell.starts_with(&format!("'{hostile}")));
            }
            assert!(neutralised >= 2, "{hostile:?}: {}", String::from_utf8_lossy(&file));
        }
    }
}
