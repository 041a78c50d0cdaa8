//! What is refused before layout.

use crate::samples::invoice;
use portico_invoice::{
    Document, LimitError, MAX_ADDRESS_LINES, MAX_CELL_CHARS, MAX_DETAILS, MAX_DOCUMENT_CHARS, MAX_FACTS,
    MAX_IMPRINT_LINES, MAX_LABEL_CHARS, MAX_LINES, MAX_NOTES, MAX_TAX_LINES, MAX_TEXT_CHARS, RenderError,
    render,
};

/// Makes one part of a document as long as told.
type Grow<Length> = fn(&mut Document, Length);

fn refusal(change: impl FnOnce(&mut Document)) -> LimitError {
    let mut document = invoice(1);
    change(&mut document);
    match render(&document) {
        Err(RenderError::Limit(error)) => error,
        other => panic!("expected a limit, got {:?}", other.map(|pdf| pdf.len())),
    }
}

fn letters(count: usize) -> String {
    "é".repeat(count)
}

#[test]
fn a_document_needs_a_number_and_a_seller() {
    assert_eq!(refusal(|d| d.number = " \n".to_owned()), LimitError::Empty { field: "number" });
    assert_eq!(refusal(|d| d.seller.name.clear()), LimitError::Empty { field: "seller.name" });
}

#[test]
fn lists_have_a_greatest_length() {
    let too_many: [(&str, usize, Grow<usize>); 8] = [
        ("lines", MAX_LINES, |d, n| d.lines = vec![d.lines[0].clone(); n]),
        ("lines.details", MAX_DETAILS, |d, n| d.lines[0].details = vec![String::new(); n]),
        ("taxes", MAX_TAX_LINES, |d, n| d.taxes = vec![d.taxes[0].clone(); n]),
        ("payment", MAX_FACTS, |d, n| d.payment = vec![d.payment[0].clone(); n]),
        ("notes", MAX_NOTES, |d, n| d.notes = vec![String::new(); n]),
        ("imprint", MAX_IMPRINT_LINES, |d, n| d.imprint = vec![String::new(); n]),
        ("buyer.address", MAX_ADDRESS_LINES, |d, n| d.buyer.address = vec![String::new(); n]),
        ("seller.contact", MAX_ADDRESS_LINES, |d, n| d.seller.contact = vec![String::new(); n]),
    ];
    for (field, limit, grow) in too_many {
        let error = refusal(|document| grow(document, limit + 1));
        assert_eq!(error, LimitError::TooMany { field, count: limit + 1, limit });
    }
}

#[test]
fn texts_have_a_greatest_length_in_characters() {
    let too_long: [(&str, usize, Grow<String>); 8] = [
        ("number", MAX_LABEL_CHARS, |d, s| d.number = s),
        ("buyer.name", MAX_LABEL_CHARS, |d, s| d.buyer.name = s),
        ("buyer.address", MAX_LABEL_CHARS, |d, s| d.buyer.address = vec![s]),
        ("purchase_order", MAX_LABEL_CHARS, |d, s| d.purchase_order = Some(s)),
        ("lines.description", MAX_TEXT_CHARS, |d, s| d.lines[0].description = s),
        ("lines.amount", MAX_CELL_CHARS, |d, s| d.lines[0].amount = s),
        ("taxes.amount", MAX_CELL_CHARS, |d, s| d.taxes[0].amount = s),
        ("notes", MAX_TEXT_CHARS, |d, s| d.notes = vec![s]),
    ];
    for (field, limit, set) in too_long {
        let error = refusal(|document| set(document, letters(limit + 1)));
        assert_eq!(error, LimitError::TooLong { field, chars: limit + 1, limit });
    }
}

#[test]
fn everything_at_its_greatest_length_is_set() {
    let mut document = invoice(1);
    let label = "label ".repeat(40).chars().take(MAX_LABEL_CHARS).collect::<String>();
    let cell = letters(MAX_CELL_CHARS);
    document.number = label.clone();
    document.buyer.name = letters(MAX_LABEL_CHARS);
    document.buyer.address = vec![label.clone(); MAX_ADDRESS_LINES];
    document.seller.contact = vec![label.clone(); MAX_ADDRESS_LINES];
    document.imprint = vec![label.clone(); MAX_IMPRINT_LINES];
    document.payment = vec![document.payment[0].clone(); MAX_FACTS];
    document.taxes = vec![document.taxes[0].clone(); MAX_TAX_LINES];
    document.lines[0].details = vec![label; MAX_DETAILS];
    document.lines[0].quantity = cell.clone();
    document.lines[0].unit_price = cell.clone();
    document.lines[0].amount = cell;
    render(&document).unwrap();
}

#[test]
fn the_whole_document_has_a_greatest_length() {
    let error = refusal(|document| {
        document.lines[0].description = letters(MAX_TEXT_CHARS);
        document.lines = vec![document.lines[0].clone(); MAX_DOCUMENT_CHARS / MAX_TEXT_CHARS + 1];
    });
    assert!(matches!(error, LimitError::TooLarge { limit: MAX_DOCUMENT_CHARS, .. }), "{error}");
}

#[test]
fn a_date_before_year_zero_has_no_place_in_a_pdf() {
    let mut document = invoice(1);
    document.issued_at = "-000001-01-01T00:00:00Z".parse().unwrap();
    assert!(matches!(render(&document), Err(RenderError::IssueDate(_))));
}
