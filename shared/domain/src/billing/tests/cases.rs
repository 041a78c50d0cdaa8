//! The cases of the register that are the engine's: B02, B05, B06, B07.

use super::*;

fn card(rate: &str) -> Rates {
    Rates::Card(RateCard::new(decimal(rate), vec![]).unwrap())
}

#[test]
fn case_b02_the_hours_on_the_page_are_the_hours_that_are_billed() {
    // kimai#3282: what is printed multiplies to what is printed, for every number of minutes.
    for minutes in 1..=MINUTES_MAX {
        let bill = case_bill(clauses("87.35", "0"), &entries(&[minutes]));
        let printed: Decimal = bill.lines[0].quantity.to_string().parse().unwrap();
        assert!(printed.scale() <= 2);
        let product = printed * "87.35".parse::<Decimal>().unwrap();
        assert_eq!(Money::rounded(product, "EUR".parse().unwrap()).unwrap(), bill.lines[0].amount);
    }
}

#[test]
fn case_b02_exact_minutes_are_on_the_page_as_minutes() {
    let exact = Clauses { hours: HoursPolicy::Exact, ..clauses("60", "0") };
    let bill = case_bill(exact, &entries(&[5]));
    let line = &bill.lines[0];
    // 5 minutes at 60.00 for 60 of them: this, too, can be checked by hand.
    assert_eq!((line.quantity.to_string().as_str(), line.unit, line.unit.per()), ("5", Unit::Minute, 60));
}

#[test]
fn case_b05_an_entry_is_on_the_bill_of_one_month() {
    let mut monthly = clauses("60", "0");
    monthly.mode = Mode::Period { retainer: None };
    // Written down in New York on the last day of October; in Berlin it was November already.
    let mut night = on("2026-10-31", entry(1, 60));
    night.particulars.hours = Some(WorkingHours::From("2026-10-31T23:30:00Z".parse().unwrap()));
    // Half an hour before, it was not.
    let mut evening = on("2026-10-31", entry(2, 60));
    evening.particulars.hours = Some(WorkingHours::From("2026-10-31T22:59:59Z".parse().unwrap()));
    let both = [night, evening];
    let of = |month: &str| month_bill(monthly.clone(), month, &both, &Carry::default());
    assert_eq!(of("2026-10-05").lines.iter().map(|line| line.entry).collect::<Vec<_>>(), [Some(entry_id(2))]);
    assert_eq!(of("2026-11-05").lines.iter().map(|line| line.entry).collect::<Vec<_>>(), [Some(entry_id(1))]);
    assert_eq!(of("2026-11-05").lines[0].worked_on, day("2026-11-01"));
    assert!(of("2026-12-05").is_empty());
    // An entry without a time counts for the day that the person wrote down: the last day of a month is in it.
    let last = [on("2026-11-30", entry(3, 60)), on("2026-12-01", entry(4, 60))];
    let bill = month_bill(monthly, "2026-11-05", &last, &Carry::default());
    assert_eq!(bill.lines.iter().map(|line| line.entry).collect::<Vec<_>>(), [Some(entry_id(3))]);
}

#[test]
fn case_b05_working_hours_on_days_that_change_the_clock() {
    // Nights cost double, from midnight to six.
    let night = Window::new(
        &[jiff::civil::Weekday::Sunday],
        "00:00".parse().unwrap(),
        Some("06:00".parse().unwrap()),
    );
    let mut nights = clauses("60", "0");
    nights.after_hours = Some(AfterHours::new(decimal("2"), vec![night.unwrap()]).unwrap());
    let worked = |began: &str, minutes| {
        let mut entry = entry(1, minutes);
        entry.particulars.hours = Some(WorkingHours::From(began.parse().unwrap()));
        let bill = case_bill(nights.clone(), &[entry]);
        bill.lines.iter().map(|line| (line.minutes, line.rate.to_string())).collect::<Vec<_>>()
    };
    let expected = |night: i64, day: i64| vec![(night, "120".to_owned()), (day, "60".to_owned())];
    // A usual Sunday: midnight to seven is six hours of night.
    assert_eq!(worked("2026-11-07T23:00:00Z", 7 * 60), expected(360, 60));
    // 29 March: the clock goes from two to three, so the night has five hours.
    assert_eq!(worked("2026-03-28T23:00:00Z", 7 * 60), expected(300, 120));
    // 25 October: it goes from three back to two, so the night has seven.
    assert_eq!(worked("2026-10-24T22:00:00Z", 8 * 60), expected(420, 60));
}

#[test]
fn case_b06_a_rate_changes_in_the_middle_of_a_case() {
    let worked = [on("2026-11-14", entry(1, 60)), on("2026-11-15", entry(2, 60))];
    // By a new version of the contract.
    let later = Clauses { rates: card("90"), ..clauses("60", "19") };
    let versions = vec![(None, clauses("60", "16")), (Some(day("2026-11-15")), later)];
    let bill = try_bill(versions, closed(), &worked, &Besides::default()).unwrap();
    assert_eq!(amounts(&bill), ["60.00", "90.00"]);
    assert_eq!(bill.derivation.lines[0].terms_from, None);
    assert_eq!(bill.derivation.lines[1].terms_from, Some(day("2026-11-15")));
    // The tax is that of the day on which the case was closed, for all of it.
    assert_eq!(text(bill.tax), "28.50");
    // By a rate of the card that begins on a day.
    let mut dated = clauses("60", "19");
    let from = |price: &str, from: Option<&str>| CardRate {
        criteria: Criteria { person: Some("Ada".to_owned()), work_type: None, role: None },
        price: decimal(price),
        from: from.map(day),
    };
    let rates = vec![from("90", Some("2026-11-15")), from("70", None)];
    dated.rates = Rates::Card(RateCard::new(decimal("60"), rates).unwrap());
    assert_eq!(amounts(&case_bill(dated, &worked)), ["70.00", "90.00"]);
}

#[test]
fn case_b06_days_before_the_first_version_have_no_terms() {
    let versions = || vec![(Some(day("2026-11-03")), clauses("60", "0"))];
    let result = try_bill(versions(), closed(), &entries(&[60]), &Besides::default());
    assert_eq!(result, Err(PricingError::NoTerms(day("2026-11-02"))));
}

#[test]
fn case_b06_a_retainer_is_used_up_in_the_middle_of_an_entry() {
    let mut retained = clauses("60", "0");
    let retainer =
        Retainer { fee: eur("500.00"), included: 120.try_into().unwrap(), overage: None, roll_over: None };
    retained.mode = Mode::Period { retainer: Some(retainer) };
    let bill = month_bill(retained, NOVEMBER, &entries(&[90, 50, 60]), &Carry::default());
    // 90 and 30 minutes are included; 20 minutes, shown as 0.33 hours, and an hour are not.
    assert_eq!(amounts(&bill), ["0.00", "0.00", "19.80", "60.00", "500.00"]);
    assert_eq!(bill.lines.iter().map(|line| line.minutes).collect::<Vec<_>>(), [90, 30, 20, 60, 0]);
    let statement = RetainerStatement { brought: 0, granted: 120, used: 120, lapsed: 0, kept: 0 };
    assert_eq!(bill.retainer, Some(statement));
}

#[test]
fn case_b06_a_cap_is_reached_in_the_middle_of_a_line() {
    let capped = |before: Option<CapUse>, entries: &[TimeEntry]| {
        let mut capped = clauses("60", "10");
        capped.cap = Some(Cap { limit: eur("100.00").try_into().unwrap(), span: CapSpan::Lifetime });
        let before = Carry { cap: before, ..Carry::default() };
        let besides = Besides { before, ..Besides::default() };
        try_bill(vec![(None, capped)], closed(), entries, &besides).unwrap()
    };
    // Later work comes first in the input; it is the earlier that is paid for.
    let worked =
        [on("2026-11-04", entry(1, 60)), on("2026-11-03", entry(2, 60)), on("2026-11-02", entry(3, 60))];
    let bill = capped(None, &worked);
    assert_eq!(amounts(&bill), ["60.00", "40.00", "0.00"]);
    assert_eq!([bill.net, bill.tax].map(text), ["100.00", "10.00"]);
    // What is printed still multiplies: one hour at 60.00, less what is above the cap.
    let line = &bill.lines[1];
    assert_eq!(text(line.price().unwrap()), "60.00");
    assert_eq!(line.reductions, [Reduction { reason: ReductionReason::Cap, amount: eur("20.00") }]);
    assert_eq!(bill.carry.cap.unwrap().used, eur("100.00"));
    // The next case finds nothing left.
    assert_eq!(text(capped(bill.carry.cap, &worked).net), "0.00");
    // And one that began with a part used has the rest.
    let used = CapUse { used: eur("75.50"), period: Period::of(day("2026-10-01")) };
    assert_eq!(amounts(&capped(Some(used), &worked)), ["24.50", "0.00", "0.00"]);
}

#[test]
fn case_b07_entries_that_cannot_be_right_are_named() {
    for minutes in [-30, MINUTES_MAX + 1, i64::MAX, i64::MIN] {
        let bad = entry(9, minutes);
        let entries = [entry(1, 60), bad.clone()];
        let result = price_case(&contract("60", "0", "EUR"), case(0), day(NOVEMBER), &entries);
        assert_eq!(result, Err(PricingError::ImplausibleEntry(bad.id)));
    }
}

#[test]
fn case_b07_nothing_billable_is_no_invoice() {
    let deleted = TimeEntry { deleted: true, ..entry(1, 60) };
    let internal = TimeEntry { billable: false, ..entry(2, 60) };
    let elsewhere = TimeEntry { case: case(7), ..entry(4, 60) };
    let entries = [deleted, internal, entry(3, 0), elsewhere];
    let result = price_case(&contract("60", "0", "EUR"), case(0), day(NOVEMBER), &entries);
    assert!(result.unwrap().is_empty());
}

#[test]
fn case_b07_the_largest_bill_fits() {
    let most = contract("1000000000", "100", "KWD");
    let all: Vec<TimeEntry> = (0..).take(ENTRIES_MAX).map(|number| entry(number, MINUTES_MAX)).collect();
    let bill = price_case(&most, case(0), day(NOVEMBER), &all).unwrap();
    assert_eq!(text(bill.gross), "96000000000000.000");
    assert_replays(&bill);
    let more: Vec<TimeEntry> = (0..).take(ENTRIES_MAX + 1).map(|number| entry(number, 1)).collect();
    assert_eq!(price_case(&most, case(0), day(NOVEMBER), &more), Err(PricingError::TooManyEntries));
    // Rates beyond the bounds are no rates.
    let beyond = contract("1000000001", "0", "KWD");
    assert!(matches!(price_case(&beyond, case(0), day(NOVEMBER), &all), Err(PricingError::Terms(_))));
}

#[test]
fn case_b07_currencies_have_their_own_decimals() {
    let net = |currency: &str| {
        let contract = contract("33.3335", "0", currency);
        text(price_case(&contract, case(0), day(NOVEMBER), &entries(&[60])).unwrap().net)
    };
    assert_eq!(["JPY", "EUR", "KWD"].map(net), ["33", "33.33", "33.334"]);
}

#[test]
fn case_b07_a_corrected_entry_after_issue_is_a_credit_note_and_a_new_bill() {
    let (invoice, positions) = properties::issued(case_bill(clauses("87.35", "19"), &entries(&[50, 7])));
    let before = (invoice.clone(), positions.clone());
    let credited = invoice.credit(&positions, CreditWish::Everything, properties::crediting(1));
    let (credited, note) = credited.unwrap();
    assert_eq!((invoice.clone(), positions.clone()), before, "an issued invoice is never edited");
    assert_eq!(credited.state(day("2026-12-24")), InvoiceState::Void);
    assert_eq!((note.number.as_str(), &note.corrects), ("C2026-000001", &invoice.number));
    assert_eq!(note.gross.plus(invoice.gross).unwrap().minor(), 0);
    assert_eq!(note.lines(&positions).unwrap()[0].quantity, -positions.lines[0].quantity);
    let corrected = case_bill(clauses("87.35", "19"), &entries(&[40, 7]));
    assert_eq!(text(corrected.net), "69.00");
}

#[test]
fn case_b07_costs_below_zero_are_not_billed() {
    let besides = Besides { expenses: vec![expense(1, eur("-0.01"))], ..Besides::default() };
    let result = try_bill(vec![(None, clauses("60", "0"))], closed(), &[], &besides);
    assert_eq!(result, Err(PricingError::NegativeCharge));
    let besides = Besides { deliveries: vec![milestone(1, eur("-0.01"))], ..Besides::default() };
    let result = try_bill(vec![(None, clauses("60", "0"))], closed(), &[], &besides);
    assert_eq!(result, Err(PricingError::NegativeCharge));
}
