//! Statements of account on paper.

use crate::extraction::{pages, text};
use portico_domain::{
    Money,
    billing::{Movement, Posting, Series, Statement},
};
use portico_invoice::{Brand, Language, LimitError, Party, RenderError, compose_statement, render_statement};

fn statement(invoices: u64) -> Statement {
    let eur = |minor| Money::from_minor(minor, "EUR".parse().unwrap());
    let number = |count| Series::Invoices.number(2026, count);
    let mut postings = vec![Posting {
        on: "2026-09-30".parse().unwrap(),
        what: Movement::Invoice { number: number(900), due_on: "2026-10-14".parse().unwrap() },
        amount: eur(123_456),
    }];
    for count in 1..=invoices {
        let what = Movement::Invoice { number: number(count), due_on: "2026-12-02".parse().unwrap() };
        postings.push(Posting { on: "2026-11-18".parse().unwrap(), what, amount: eur(50_000) });
    }
    let corrects = Movement::CreditNote { number: Series::CreditNotes.number(2026, 1), corrects: number(1) };
    postings.push(Posting { on: "2026-11-20".parse().unwrap(), what: corrects, amount: eur(10_000) });
    let paid = Movement::Payment { reference: "RE 900 #read(\"x\")".to_owned(), settles: Some(number(900)) };
    postings.push(Posting { on: "2026-11-21".parse().unwrap(), what: paid, amount: eur(100_000) });
    let (first, last) = ("2026-11-01".parse().unwrap(), "2026-11-30".parse().unwrap());
    Statement::of("EUR".parse().unwrap(), first, last, &postings).unwrap()
}

fn document(invoices: u64, language: Language) -> portico_invoice::StatementDocument {
    let brand = Brand::from_json(include_bytes!("../../brands/hollis-and-wren.json")).unwrap();
    let account = Party {
        name: "Nordhaven Logistics".to_owned(),
        address: vec!["Hamburg".to_owned()],
        tax_number: None,
        contact: vec![],
    };
    let made_at = "2026-12-01T08:00:00Z".parse().unwrap();
    compose_statement(&statement(invoices), &brand, account, language, made_at, "2026-12-01".parse().unwrap())
}

#[test]
fn a_statement_goes_from_its_opening_to_its_closing_balance() {
    let document = document(1, Language::English);
    let pdf = render_statement(&document).unwrap();
    assert!(pdf == render_statement(&document).unwrap());
    let page = text(&pdf);
    for expected in [
        "Statementofaccount",
        "1–30November2026",
        "Openingbalance1,234.56",
        "Invoice2026-000001",
        "due2December2026",
        "500.001,734.56",
        "CreditnoteC2026-000001",
        "100.001,634.56",
        "RE900#read(\"x\")",
        "1,000.00634.56",
        "Closingbalance634.56",
        "31–60dayslate234.56",
        "Notyetdue400.00",
        "EUR634.56",
    ] {
        let expected = expected.replace("Invoice2026", "Feenote2026");
        assert!(page.contains(&expected), "{expected} is not in {page}");
    }
}

#[test]
fn a_long_statement_repeats_its_head_in_each_language() {
    for (language, head) in [
        (Language::English, "DateMovement"),
        (Language::German, "DatumVorgang"),
        (Language::French, "DateMouvement"),
        (Language::Spanish, "FechaMovimiento"),
    ] {
        let pages = pages(&render_statement(&document(60, language)).unwrap());
        assert!(pages.len() > 1);
        assert!(pages.iter().filter(|page| page.contains(head)).count() >= pages.len() - 1, "{language:?}");
    }
}

#[test]
fn a_statement_has_limits() {
    let mut long = document(1, Language::English);
    long.seller.name = String::new();
    let refused = render_statement(&long);
    assert!(matches!(refused, Err(RenderError::Limit(LimitError::Empty { field: "seller.name" }))));
    let mut long = document(1, Language::English);
    long.rows[0].what = "x".repeat(201);
    assert!(matches!(render_statement(&long), Err(RenderError::Limit(LimitError::TooLong { .. }))));
}
