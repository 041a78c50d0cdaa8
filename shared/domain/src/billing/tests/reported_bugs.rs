//! Bugs that others had, by the number of their report.

use super::*;

/// Net, tax and gross of a case with these minutes.
fn totals(rate: &str, tax: &str, minutes: &[i64]) -> [String; 3] {
    let bill = case_bill(clauses(rate, tax), &entries(minutes));
    [bill.net, bill.tax, bill.gross].map(text)
}

fn exact(rate: &str, minutes: &[i64]) -> String {
    let exact = Clauses { hours: HoursPolicy::Exact, ..clauses(rate, "0") };
    text(case_bill(exact, &entries(minutes)).net)
}

/// A bill of fees alone.
fn fees(tax: &str, fees: &[i64], discounts: Vec<Discount>, currency: &str) -> Bill {
    let clauses: Clauses = terms(&contract("1", tax, currency)).into();
    let money = |minor| Money::from_minor(minor, currency.parse().unwrap());
    let deliveries = (1..).zip(fees).map(|(number, fee)| milestone(number, money(*fee))).collect();
    let besides = Besides { deliveries, ..Besides::default() };
    try_bill(vec![(None, Clauses { discounts, ..clauses })], closed(), &[], &besides).unwrap()
}

#[test]
fn kimai_5700_five_minutes_at_60() {
    assert_eq!(totals("60", "0", &[5])[0], "4.80");
    assert_eq!(exact("60", &[5]), "5.00");
}

#[test]
fn kimai1_480_three_hours_28_at_15() {
    assert_eq!(totals("15", "0", &[208])[0], "52.05");
    assert_eq!(exact("15", &[208]), "52.00");
}

#[test]
fn kimai_1424_two_quarters_against_a_half() {
    assert_eq!(totals("27.50", "0", &[15, 15])[0], "13.76");
    assert_eq!(totals("27.50", "0", &[30])[0], "13.75");
}

#[test]
fn odoo_36675_tax_is_rounded_once() {
    let bill = fees("23", &[5555, 1111], vec![], "EUR");
    assert_eq!([bill.net, bill.tax, bill.gross].map(text), ["66.66", "15.33", "81.99"]);
    // Line by line, where that is agreed, it is a cent more: 12.78 + 2.56.
    let mut each = clauses("1", "23");
    each.taxes.rounding = TaxRounding::Line;
    let deliveries = vec![milestone(1, eur("55.55")), milestone(2, eur("11.11"))];
    let besides = Besides { deliveries, ..Besides::default() };
    let bill = try_bill(vec![(None, each)], closed(), &[], &besides).unwrap();
    assert_eq!(text(bill.tax), "15.34");
    assert_eq!(bill.tax_by_line().unwrap().into_iter().map(text).collect::<Vec<_>>(), ["12.78", "2.56"]);
}

#[test]
fn odoo_100478_yen_have_no_decimals() {
    let bill = fees("10", &[12_345], vec![], "JPY");
    assert_eq!(text(bill.tax), "1235");
}

#[test]
fn odoo_154861_a_discount_before_tax() {
    let discount = Discount {
        name: "Goodwill".to_owned(),
        on: DiscountOn::WorkAndFees,
        size: DiscountSize::Fixed(eur("500.00").try_into().unwrap()),
    };
    let bill = fees("10", &[5445, 60_000], vec![discount], "EUR");
    assert_eq!([bill.net, bill.tax].map(text), ["154.45", "15.45"]);
}

#[test]
fn kosit_74_tax_on_less_than_nothing() {
    let treatment = Treatment::Taxed(decimal("19"));
    let tax = |net| Money::rounded(treatment.exact_tax(eur(net)).unwrap(), "EUR".parse().unwrap());
    assert_eq!(text(tax("-7612.50").unwrap()), "-1446.38");
    assert_eq!(text(tax("7612.50").unwrap()), "1446.38");
}

#[test]
fn erpnext_47705_halves_go_away_from_zero_on_both_sides() {
    let rounded = |text: &str| Money::rounded(text.parse().unwrap(), "EUR".parse().unwrap()).unwrap();
    assert_eq!(text(rounded("12.345")), "12.35");
    assert_eq!(text(rounded("-12.345")), "-12.35");
}

#[test]
fn lago_2643_tax_divided_among_lines_adds_up() {
    let bill = fees("20", &[6979; 4], vec![], "EUR");
    assert_eq!([bill.tax, bill.gross].map(text), ["55.83", "334.99"]);
    let shares: Vec<String> = bill.tax_by_line().unwrap().into_iter().map(text).collect();
    // Each alone would be 13.96, and all of them 55.84.
    assert_eq!(shares, ["13.96", "13.96", "13.96", "13.95"]);
}

#[test]
fn invoiceninja_3195_a_discount_of_everything() {
    let discount =
        |on| Discount { name: "On the house".to_owned(), on, size: DiscountSize::Percent(decimal("100")) };
    let free = Clauses { discounts: vec![discount(DiscountOn::Everything)], ..clauses("99.99", "19") };
    let besides = Besides { expenses: vec![expense(1, eur("33.33"))], ..Besides::default() };
    let bill = try_bill(vec![(None, free)], closed(), &entries(&[7, 13]), &besides).unwrap();
    assert_eq!([bill.net, bill.tax, bill.gross].map(text), ["0.00", "0.00", "0.00"]);
    assert!(bill.lines.iter().all(|line| line.price().unwrap().minor() > 0));
}

#[test]
fn odoo_285322_hours_of_the_lines_against_hours_of_their_sum() {
    let minutes = [15, 50, 225, 75, 35];
    let bill = case_bill(clauses("100", "0"), &entries(&minutes));
    // What is billed is what stands on the lines; the bill has both figures, so that the page can say so.
    assert_eq!(text(bill.net), "666.00");
    assert_eq!(bill.time.hours_by_line.to_string(), "6.66");
    assert_eq!(bill.time.hours_at_once.to_string(), "6.67");
    assert_eq!((bill.time.worked, bill.time.billed), (400, 400));
    // Where exact minutes are agreed, only amounts are rounded, one for each line: 25 + 83.33 + 375 + 125 + 58.33.
    assert_eq!(exact("100", &minutes), "666.66");
    // A contract that adds up all time of an invoice first changes what is added up, not how lines are rounded.
    assert_eq!(exact("60", &minutes), "400.00");
    // Invoiced separately or together: the same, as each entry is a line of its own.
    let separately: i64 = (1..)
        .zip(minutes)
        .map(|(number, minutes)| case_bill(clauses("100", "0"), &[entry(number, minutes)]).net.minor())
        .sum();
    assert_eq!(separately, bill.net.minor());
}
