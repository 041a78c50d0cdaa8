//! What is put in stands on the page.

use crate::extraction::{squeeze, text};
use crate::samples::{invoice, texts};
use portico_invoice::{Kind, Language, render};

#[test]
fn every_text_of_the_document_is_on_the_page() {
    let mut document = invoice(6);
    document.prepaid = Some("−1,000.00".to_owned());
    document.amount_due = "5,030.33".to_owned();
    let pdf = text(&render(&document).unwrap());

    let mut expected = vec![
        document.number,
        document.issued_on,
        document.due_on.unwrap(),
        document.service_period.unwrap(),
        document.case_reference.unwrap(),
        document.purchase_order.unwrap(),
        document.seller.name,
        document.buyer.name,
        document.buyer.tax_number.unwrap(),
        document.net,
        document.gross,
        document.prepaid.unwrap(),
        format!("{} {}", document.currency, document.amount_due),
    ];
    expected.extend(document.seller.address);
    expected.extend(document.seller.contact);
    expected.extend(document.buyer.address);
    expected.extend(document.notes);
    expected.extend(document.imprint);
    for line in document.lines {
        expected.extend([line.description, line.quantity, line.unit_price, line.amount]);
        expected.extend(line.details);
    }
    for tax in document.taxes {
        expected.extend([tax.label, tax.base, tax.amount]);
    }
    for fact in document.payment {
        expected.extend([fact.label, fact.value]);
    }
    for expected in expected {
        assert!(pdf.contains(&squeeze(&expected)), "{expected:?} is not in {pdf}");
    }
}

#[test]
fn the_same_document_gives_the_same_bytes() {
    let document = invoice(12);
    let first = render(&document).unwrap();
    // Another document in between, so that a cache shared by the two runs would show.
    render(&invoice(3)).unwrap();
    assert!(first == render(&document).unwrap());
}

#[test]
fn renderings_at_the_same_time_do_not_mix() {
    let renderings: Vec<_> = (1..=4)
        .map(|number| {
            std::thread::spawn(move || {
                let mut document = invoice(2);
                document.number = format!("PARALLEL-{number}");
                (document.number.clone(), render(&document).unwrap())
            })
        })
        .collect();
    for rendering in renderings {
        let (number, pdf) = rendering.join().unwrap();
        let pdf = text(&pdf);
        assert!(pdf.contains(&number));
        assert_eq!(pdf.matches("PARALLEL-").count(), pdf.matches(&number).count());
    }
}

#[test]
fn a_credit_note_names_the_invoice_it_corrects() {
    let mut document = invoice(1);
    document.kind = Kind::CreditNote { corrects: "2026-0099".to_owned() };
    document.due_on = None;
    document.payment = vec![];
    let pdf = text(&render(&document).unwrap());
    for expected in ["Creditnote", "Correctsinvoice2026-0099", "AmountcreditedEUR6,030.33"] {
        assert!(pdf.contains(expected), "{expected} is not in {pdf}");
    }
    assert!(!pdf.contains("Duedate"));
}

#[test]
fn the_words_follow_the_language() {
    for (language, words) in [
        (Language::English, ["Invoice", "Page1of1"]),
        (Language::German, ["Rechnungsdatum", "Seite1von1"]),
        (Language::French, ["Facture", "Page1sur1"]),
        (Language::Spanish, ["Factura", "Página1de1"]),
    ] {
        let mut document = invoice(2);
        document.language = language;
        let pdf = render(&document).unwrap();
        for word in words {
            assert!(text(&pdf).contains(word), "{language:?}: {word}");
        }
        let tag = format!("/Lang({})", language.tag());
        let catalog = lopdf::Document::load_mem(&pdf).unwrap();
        let lang = catalog.catalog().unwrap().get(b"Lang").unwrap().as_str().unwrap().to_vec();
        assert_eq!(lang, language.tag().as_bytes(), "{tag}");
    }
}

#[test]
fn the_file_says_what_it_is() {
    let pdf = render(&invoice(1)).unwrap();
    let file = lopdf::Document::load_mem(&pdf).unwrap();
    let catalog = file.catalog().unwrap();
    let metadata = catalog.get(b"Metadata").unwrap().as_reference().unwrap();
    let metadata = file.get_object(metadata).unwrap().as_stream().unwrap();
    let xmp = String::from_utf8(metadata.decompressed_content().unwrap_or_else(|_| metadata.content.clone()))
        .unwrap();
    for expected in ["Invoice 2026-0142", "Nordlicht Consulting", "2026-11-22"] {
        assert!(xmp.contains(expected), "{expected} is not in {xmp}");
    }
    for (name, value) in [("pdfaid:part", "3"), ("pdfaid:conformance", "A"), ("pdfuaid:part", "1")] {
        let element = format!("<{name}>{value}</{name}>");
        assert!(xmp.contains(&element), "{element} is not in {xmp}");
    }
    assert!(catalog.get(b"StructTreeRoot").is_ok(), "untagged");
}

#[test]
fn the_date_is_the_date_of_issue() {
    let mut document = invoice(1);
    document.issued_at = "2024-02-29T23:59:58Z".parse().unwrap();
    let xmp = String::from_utf8_lossy(&render(&document).unwrap()).into_owned();
    assert!(xmp.contains("2024-02-29T23:59:58"), "no date of issue");
    assert!(!xmp.contains("2026-11-22"), "a second date");
}

#[test]
fn empty_lists_and_absent_facts_leave_no_trace() {
    let mut document = invoice(0);
    document.due_on = None;
    document.service_period = None;
    document.case_reference = None;
    document.purchase_order = None;
    document.buyer.tax_number = None;
    document.taxes = vec![];
    document.payment = vec![];
    document.notes = vec![];
    document.imprint = vec![];
    document.seller.contact = vec![];
    document.buyer.address = texts(&[]);
    let pdf = text(&render(&document).unwrap());
    for absent in ["none", "Duedate", "Serviceperiod", "Case", "Purchaseorder", "Payment", "Notes"] {
        assert!(!pdf.contains(absent), "{absent} is in {pdf}");
    }
}
