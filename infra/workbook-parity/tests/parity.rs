//! Workbooks as finance leads keep them, as they are and with one thing wrong.

#![allow(clippy::unwrap_used, reason = "clippy allows it in test functions only")]

use std::{fs, io::Cursor, path::Path};

use ironcalc::{base::Model, export::save_xlsx_to_writer, import::load_from_xlsx_bytes};
use workbook_parity::{Comparison, Difference, Unusable, compare};

const CASE: &str = "support-case.xlsx";
const MONTH: &str = "retainer-month.xlsx";

fn kept(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("workbooks").join(name)).unwrap()
}

/// Changes cells and calculates everything, or leaves the values that were there.
fn edited(name: &str, calculate: bool, cells: &[(&str, &str)]) -> Vec<u8> {
    let workbook = load_from_xlsx_bytes(&kept(name), "workbook", "en", "UTC").unwrap();
    let mut model = Model::from_workbook(workbook, "en").unwrap();
    // SUMPRODUCT(ROUND(...)) is not calculated by IronCalc as it stands; the sum of the rounded amounts is the same.
    let plain = [("Invoice!B4", "=SUM(Time!L4:L15)")];
    let plain = if calculate && name == CASE { plain.as_slice() } else { &[] };
    for (cell, input) in plain.iter().chain(cells) {
        let at = model.parse_reference(cell).unwrap();
        model.set_user_input(at.sheet, at.row, at.column, (*input).to_owned()).unwrap();
    }
    if calculate {
        model.evaluate();
    }
    save_xlsx_to_writer(&model, Cursor::new(Vec::new())).unwrap().into_inner()
}

fn changed(name: &str, cells: &[(&str, &str)]) -> Result<Comparison, Unusable> {
    compare(&edited(name, true, cells))
}

/// The first difference of a workbook with these cells changed.
fn first(name: &str, cells: &[(&str, &str)]) -> Difference {
    let comparison = changed(name, cells).unwrap();
    assert!(!comparison.agrees());
    comparison.first.unwrap()
}

/// Cell, the workbook's number, the engine's.
fn at(difference: &Difference) -> (String, String, String) {
    let figure = &difference.figure;
    (figure.place.to_string(), figure.kept.to_string(), figure.ours.to_string())
}

fn three(place: &str, kept: &str, ours: &str) -> (String, String, String) {
    (place.to_owned(), kept.to_owned(), ours.to_owned())
}

/// The step that gives the engine's figure.
fn step(difference: &Difference) -> &str {
    difference.steps.iter().find(|(gives, _)| *gives).map(|(_, step)| step.as_str()).unwrap()
}

fn refusal(name: &str, cells: &[(&str, &str)]) -> String {
    changed(name, cells).unwrap_err().to_string()
}

#[test]
fn workbooks_agree_in_every_figure() {
    // 12 entries with 4 figures, 2 expenses, 13 figures of the invoice; 8 entries with 5 figures, and 7.
    for (name, figures) in [(CASE, 63), (MONTH, 47)] {
        let comparison = compare(&kept(name)).unwrap();
        assert!(comparison.agrees(), "{}", comparison.report());
        assert_eq!(comparison.figures.len(), figures);
        assert_eq!((comparison.stale.len(), comparison.macros), (0, false));
        // What the helper writes and nobody changed agrees as well.
        assert!(changed(name, &[]).unwrap().agrees());
    }
}

#[test]
fn a_line_that_is_cut_off_is_the_first_difference() {
    let comparison = compare(&kept("rounded-down.xlsx")).unwrap();
    assert!(!comparison.agrees());
    let difference = comparison.first.as_ref().unwrap();
    assert_eq!(at(difference), three("Time!L7", "56.37", "56.38"));
    assert_eq!(
        step(difference),
        "0.50 x 112.75 = 56.375, rounded to 2 decimals, half away from zero: 56.38 EUR (the rate for Consultant)"
    );
    let way = "hours of two decimals x rate (Hours: shown), cut off (ROUNDDOWN)";
    assert_eq!(difference.other_way.as_deref(), Some(way));
    let report = comparison.report();
    assert!(report.contains("First difference: Time!L7, amount of 5 Nov, Ines Okafor"), "{report}");
    assert!(report.contains("\n  > 0.50 x 112.75 = 56.375"), "{report}");
}

#[test]
fn other_ways_of_rounding_a_line_are_known() {
    for (formula, kept, way) in [
        ("=J7*K7", "56.375", "hours of two decimals x rate (Hours: shown), not rounded"),
        ("=ROUNDUP(J7*K7,1)", "56.4", ""),
        (
            "=ROUND(D7*K7/60,2)",
            "37.58",
            "exact minutes as they were logged x rate / 60, rounded half away from zero",
        ),
    ] {
        let difference = first(CASE, &[("Time!L7", formula)]);
        assert_eq!(at(&difference), three("Time!L7", kept, "56.38"), "{formula}");
        assert_eq!(difference.other_way.as_deref().unwrap_or_default(), way, "{formula}");
    }
}

#[test]
fn time_that_is_rounded_otherwise_differs_before_its_amount_does() {
    let difference = first(CASE, &[("Time!H4", "=MROUND(D4,15)")]);
    assert_eq!(at(&difference), three("Time!H4", "90", "105"));
    assert_eq!(step(&difference), "95 minutes, each entry rounded up to 15 minutes: 105 minutes");
    assert_eq!(difference.other_way.as_deref(), Some("each entry rounded to the nearest to 15 minutes"));
    let difference = first(CASE, &[("Time!J4", "=ROUND(H4/60,1)")]);
    assert_eq!(at(&difference), three("Time!J4", "1.8", "1.75"));
    let way = "minutes / 60 to one decimal, rounded half away from zero";
    assert_eq!(difference.other_way.as_deref(), Some(way));
}

/// The workbook without an increment: time as it was logged, `ROUND(minutes/60,2)*rate`.
fn as_logged(amount: impl Fn(usize) -> String) -> Vec<(String, String)> {
    let mut cells = vec![
        ("Contract!A6".to_owned(), "Round time to".to_owned()),
        ("Contract!B6".to_owned(), "1".to_owned()),
        ("Contract!B11".to_owned(), "9000".to_owned()),
    ];
    for row in 4..16 {
        cells.push((format!("Time!H{row}"), format!("=D{row}")));
        cells.push((format!("Time!L{row}"), amount(row)));
    }
    cells
}

fn borrowed(cells: &[(String, String)]) -> Vec<(&str, &str)> {
    cells.iter().map(|(cell, input)| (cell.as_str(), input.as_str())).collect()
}

#[test]
fn hours_of_two_decimals_are_the_hours_shown() {
    let shown = as_logged(|row| format!("=ROUND(ROUND(H{row}/60,2)*K{row},2)"));
    let comparison = changed(CASE, &borrowed(&shown)).unwrap();
    assert!(comparison.agrees(), "{}", comparison.report());
    // Exact minutes are another clause: 95 minutes at 148.50 are 235.125, and 1.58 hours 234.63.
    let mut exact = as_logged(|row| format!("=ROUND(H{row}*K{row}/60,2)"));
    let difference = first(CASE, &borrowed(&exact));
    assert_eq!(at(&difference), three("Time!L4", "235.13", "234.63"));
    let way = "exact minutes x rate / 60 (Hours: exact), rounded half away from zero";
    assert_eq!(difference.other_way.as_deref(), Some(way));
    // With that clause it agrees up to what the invoice makes of the hours shown.
    exact.push(("Contract!B8".to_owned(), "exact".to_owned()));
    let figures = changed(CASE, &borrowed(&exact)).unwrap().figures;
    let amounts = || figures.iter().filter(|figure| figure.name.starts_with("amount of"));
    assert_eq!(amounts().count(), 14);
    assert!(amounts().all(|figure| figure.agrees()));
}

#[test]
fn a_tax_that_is_rounded_for_each_line_is_known() {
    // 49.876, 19, 30.876 and 230 are 329.75 together and 329.76 one by one.
    let by_line = "=SUMPRODUCT(MAP(Time!I4:I11,LAMBDA(net,ROUND(net*0.2,2))))+ROUND(B6*0.2,2)";
    let difference = first(MONTH, &[("Invoice!B8", by_line)]);
    assert_eq!(at(&difference), three("Invoice!B8", "329.76", "329.75"));
    assert_eq!(
        step(&difference),
        "20% of 1648.76 EUR = 329.752, rounded to 2 decimals, half away from zero once for the document: 329.75 EUR"
    );
    let way = "the tax of each line, rounded for itself (Round tax: line)";
    assert_eq!(difference.other_way.as_deref(), Some(way));
    let clause = [("Contract!A14", "Round tax"), ("Contract!B14", "line"), ("Invoice!B8", by_line)];
    assert!(changed(MONTH, &clause).unwrap().agrees());
}

#[test]
fn sums_that_are_rounded_once_are_known() {
    let difference = first(CASE, &[("Invoice!B4", "=ROUND(SUMPRODUCT(Time!J4:J15,Time!K4:K15),2)")]);
    assert_eq!(difference.figure.place.to_string(), "Invoice!B4");
    let way = "the sum of lines that are not rounded, rounded half away from zero";
    assert_eq!(difference.other_way.as_deref(), Some(way));
    let difference = first(CASE, &[("Invoice!B5", "=ROUNDDOWN(B4*Discounts!B4,2)")]);
    assert_eq!(at(&difference), three("Invoice!B5", "110.07", "110.08"));
    assert_eq!(difference.other_way.as_deref(), Some("the discount, cut off (ROUNDDOWN)"));
    let difference = first(CASE, &[("Expenses!D5", "=ROUNDDOWN(C5*1.05,2)")]);
    assert_eq!(at(&difference), three("Expenses!D5", "245.03", "245.04"));
    assert_eq!(difference.other_way.as_deref(), Some("the cost with its mark-up, cut off (ROUNDDOWN)"));
}

#[test]
fn clauses_make_a_difference() {
    // The minimum charge, where the work does not reach it.
    let minimum = [("Contract!B10", "2500"), ("Contract!B11", "9000")];
    let comparison = changed(CASE, &minimum).unwrap();
    assert!(comparison.agrees(), "{}", comparison.report());
    let missing = comparison.figures.iter().find(|figure| figure.name == "to the minimum charge").unwrap();
    assert_eq!(missing.ours.to_string(), "408.56");
    // A cap that the workbook does not know of.
    let difference = first(CASE, &[("Invoice!B7", "0")]);
    assert_eq!(at(&difference), three("Invoice!B7", "0", "231.69"));
    assert_eq!(
        step(&difference),
        "2000.00 EUR at most, 140.25 EUR used before: of 2091.44 EUR, 1859.75 EUR are left"
    );
    // Another rate than the card's; it was typed.
    let difference = first(CASE, &[("Time!K6", "97")]);
    assert_eq!((at(&difference), difference.figure.now), (three("Time!K6", "97", "96.35"), None));
    // What is not billable costs nothing.
    let difference = first(CASE, &[("Time!N3", "Billable"), ("Time!N5", "no")]);
    assert_eq!(at(&difference), three("Time!H5", "60", "0"));
    assert_eq!(step(&difference), "the bill has no line for it: not billable, or another month");
    // Hours beyond the retainer.
    let difference = first(MONTH, &[("Time!F9", "0")]);
    assert_eq!(at(&difference), three("Time!F9", "0", "60"));
    assert_eq!(step(&difference), "60 of these 186 minutes");
}

#[test]
fn values_that_were_never_calculated_are_no_agreement() {
    let refused = compare(&kept("never-calculated.xlsx")).unwrap_err();
    let Unusable::NeverCalculated { first, others } = &refused else { panic!("{refused}") };
    assert_eq!((first.to_string().as_str(), *others), ("Time!F4", 12 * 8 + 2 + 2 + 13 - 1));
}

#[test]
fn stale_values_are_said() {
    // Somebody corrected 20 minutes to 40 after the last calculation.
    let stale = compare(&edited(CASE, false, &[("Time!D7", "40")])).unwrap();
    assert!(!stale.agrees());
    let places: Vec<String> = stale.stale.iter().map(|stale| stale.place.to_string()).collect();
    assert!(
        places.contains(&"Time!H7".to_owned()) && places.contains(&"Invoice!B4".to_owned()),
        "{places:?}"
    );
    let difference = stale.first.as_ref().unwrap();
    assert_eq!(at(difference), three("Time!H7", "30", "45"));
    assert_eq!(difference.figure.now.map(|now| now.to_string()).as_deref(), Some("45"));
    let report = stale.report();
    assert!(report.contains("Time!H7  30 in the workbook, 45 now  =(F7+G7)*15"), "{report}");
    // A quarter of an hour is billed for 14 minutes as for 15, but the helper cells are older than that.
    let helper = compare(&edited(CASE, false, &[("Time!D8", "14")])).unwrap();
    assert!(helper.first.is_none() && !helper.agrees(), "{}", helper.report());
}

#[test]
fn what_does_not_fit_is_named_with_its_cell() {
    for (cells, expected) in [
        (vec![("Time!D7", "2 h")], "Time!D7: expected minutes, a whole number from 1 to 1440, found \"2 h\""),
        (vec![("Time!D7", "20.5")], "Time!D7: expected minutes, a whole number from 1 to 1440, found 20.5"),
        (vec![("Time!A7", "soon")], "Time!A7: expected a date from 1 March 1900 on, found \"soon\""),
        (vec![("Time!A7", "")], "Time!A7: expected a date from 1 March 1900 on, found nothing"),
        (vec![("Time!L7", "free")], "Time!L7: expected a number, found \"free\""),
        (vec![("Time!L3", "Price")], "Time: no row has the heads Date, Minutes, Amount"),
        (vec![("Time!M3", "Amount")], "Time!M3: expected each head once, found \"Amount\""),
        (
            vec![("Contract!B3", "Euro")],
            "Contract!B3: expected the code of a currency, such as EUR, found \"Euro\"",
        ),
        (
            vec![("Contract!A3", "Money")],
            "Contract!B3: expected a clause that is known, and \"money\" is none",
        ),
        (vec![("Contract!A11", "Cap used")], "Contract!B13: expected each clause once"),
        (
            vec![("Contract!B6", "RoundUpToNine")],
            "Contract!B6: expected one of RoundUpToTenth, RoundUpToQuarter",
        ),
        (
            vec![("Contract!B10", "500.005")],
            "Contract!B10: expected an amount in EUR with at most 2 decimals",
        ),
        (
            vec![("Contract!B14", "190")],
            "Contract!B14: expected a percentage, reverse charge or exempt, found 190",
        ),
        (vec![("Contract!A5", "")], "Contract: hourly rate is missing"),
        (vec![("Discounts!B4", "")], "Discounts!A4: expected a discount with either Percent or Amount"),
        (vec![("Invoice!A9", "Total")], "Invoice: net is missing"),
        (
            vec![("Invoice!A10", "Net")],
            "Invoice!B10: expected each figure once, and \"net\" is in Invoice!B9 already",
        ),
        (vec![("Rates!A5", "Architect")], "Contract: two rates of the card are for the same"),
    ] {
        let said = refusal(CASE, &cells);
        assert!(said.starts_with(expected), "{cells:?}: {said}");
    }
    for (cells, expected) in [
        (vec![("Contract!B4", "2026-10-02")], "Contract!B4: expected the first day of a month"),
        (vec![("Contract!A9", "")], "Contract!B10: expected nothing, because there is no \"retainer fee\""),
    ] {
        let said = refusal(MONTH, &cells);
        assert!(said.starts_with(expected), "{cells:?}: {said}");
    }
}

#[test]
fn macros_are_not_run_and_days_do_not_count() {
    let macros = refusal(CASE, &[("Time!H7", "=RoundUpToQuarter(D7)")]);
    assert!(macros.starts_with("Time!H7: expected a number, found #NAME?"), "{macros}");
    assert!(macros.contains("a macro, which is never run"), "{macros}");
    let today = refusal(CASE, &[("Time!M4", "=TODAY()-A4")]);
    assert_eq!(today, "Time!M4: =TODAY()-A4 gives another value on another day or machine");
}

#[test]
fn an_empty_workbook_is_no_agreement() {
    let rows = 4..16;
    let mut cells: Vec<(String, String)> = Vec::new();
    for row in rows {
        cells.push((format!("Time!A{row}"), String::new()));
        cells.push((format!("Time!B{row}"), String::new()));
    }
    for row in 4..6 {
        cells.push((format!("Expenses!A{row}"), String::new()));
        cells.push((format!("Expenses!B{row}"), String::new()));
    }
    assert_eq!(changed(CASE, &borrowed(&cells)), Err(Unusable::Nothing));
    assert!(matches!(compare(b""), Err(Unusable::NotAWorkbook(_))));
    let word = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).unwrap();
    assert!(matches!(compare(&word), Err(Unusable::NotAWorkbook(_))));
}
