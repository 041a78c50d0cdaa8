//! Documents as the product makes them; shared with `examples/sample.rs`.

use jiff::Timestamp;
use portico_invoice::{Document, Fact, Kind, Labels, Language, Line, Look, Party, TaxLine};

const WORK: [(&str, &str, &str, &str, &str); 6] = [
    (
        "Discovery workshop with the service desk",
        "2 October 2026 · Mara Lindqvist",
        "6.00 h",
        "180.00",
        "1,080.00",
    ),
    (
        "Data model for cases and entitlements, reviewed with your architects and written up as a decision record",
        "5 October 2026 · Jonas Weber",
        "4.50 h",
        "165.00",
        "742.50",
    ),
    ("Migration rehearsal", "8 October 2026 · Mara Lindqvist", "3.25 h", "180.00", "585.00"),
    ("Flow refactoring", "12 October 2026 · Priya Raman", "7.75 h", "150.00", "1,162.50"),
    ("Sandbox refresh and smoke test", "14 October 2026 · Jonas Weber", "1.50 h", "165.00", "247.50"),
    ("On-site training, second group", "21 October 2026 · Priya Raman", "1 day", "1,250.00", "1,250.00"),
];

/// An invoice with `count` lines. Its figures are text for the page; they do not add up for every `count`.
pub fn invoice(count: usize) -> Document {
    let lines = WORK
        .iter()
        .cycle()
        .take(count)
        .map(|(description, detail, quantity, unit_price, amount)| Line {
            description: (*description).to_owned(),
            details: vec![(*detail).to_owned()],
            quantity: (*quantity).to_owned(),
            unit_price: (*unit_price).to_owned(),
            amount: (*amount).to_owned(),
            running: None,
        })
        .collect();
    Document {
        kind: Kind::Invoice,
        number: "2026-0142".to_owned(),
        issued_on: "22 November 2026".to_owned(),
        due_on: Some("22 December 2026".to_owned()),
        service_period: Some("1 – 31 October 2026".to_owned()),
        seller: Party {
            name: "Nordlicht Consulting".to_owned(),
            address: texts(&["Speicherstraße 12", "20457 Hamburg"]),
            tax_number: Some("VAT DE811223344".to_owned()),
            contact: texts(&["+49 40 5550 1420", "billing@nordlicht.example", "nordlicht.example"]),
        },
        buyer: Party {
            name: "Acme Logistics B.V.".to_owned(),
            address: texts(&[
                "Accounts Payable",
                "Keizersgracht 241",
                "1016 EA Amsterdam",
                "The Netherlands",
            ]),
            tax_number: Some("NL812345678B01".to_owned()),
            contact: vec![],
        },
        case_reference: Some("00001427 · Service desk roll-out".to_owned()),
        purchase_order: Some("PO-4500098213".to_owned()),
        currency: "EUR".to_owned(),
        lines,
        net: "5,067.50".to_owned(),
        taxes: vec![TaxLine {
            label: "VAT 19%".to_owned(),
            base: "5,067.50".to_owned(),
            amount: "962.83".to_owned(),
        }],
        gross: "6,030.33".to_owned(),
        prepaid: None,
        amount_due: "6,030.33".to_owned(),
        payment: [
            ("IBAN", "DE89 3704 0044 0532 0130 00"),
            ("BIC", "COBADEFFXXX"),
            ("Reference", "2026-0142"),
        ]
        .map(|(label, value)| Fact { label: label.to_owned(), value: value.to_owned() })
        .to_vec(),
        notes: texts(&[
            "Payable within 30 days without deduction. Work is billed by the quarter of an hour, rounded up per day, \
             as agreed in clause 4.2 of the framework contract of 1 March 2026.",
            "Thank you for working with us.",
        ]),
        imprint: texts(&[
            "Nordlicht Consulting GmbH · Amtsgericht Hamburg HRB 104523 · VAT DE811223344",
            "Managing directors: Mara Lindqvist, Jonas Weber",
        ]),
        issued_at: Timestamp::constant(1_795_341_600, 0),
        language: Language::English,
        look: Look::default(),
        labels: Labels::default(),
        annex: None,
        e_invoice: None,
    }
}

/// `texts(&["a", "b"])` as owned strings.
pub fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}
