//! One clause after the other, each with figures that can be checked by hand.

use jiff::civil::Weekday;

use super::*;
use crate::contracts::FieldError;

fn by(person: Option<&str>, work_type: Option<&str>, role: Option<&str>, price: &str) -> CardRate {
    let owned = |text: Option<&str>| text.map(str::to_owned);
    let criteria = Criteria { person: owned(person), work_type: owned(work_type), role: owned(role) };
    CardRate { criteria, price: decimal(price), from: None }
}

fn done_by(person: &str, work_type: &str, role: &str) -> TimeEntry {
    let particulars =
        Particulars { role: Some(role.to_owned()), work_type: Some(work_type.to_owned()), hours: None };
    TimeEntry { person: person.to_owned(), particulars, ..entry(1, 60) }
}

#[test]
fn the_most_specific_rate_wins() {
    let rates = vec![
        by(None, None, Some("Architect"), "10"),
        by(None, Some("Review"), None, "20"),
        by(None, Some("Review"), Some("Architect"), "30"),
        by(Some("Ada"), None, None, "40"),
        by(Some("Ada"), None, Some("Architect"), "50"),
    ];
    let card = RateCard::new(decimal("5"), rates).unwrap();
    let rate = |person, work_type, role| {
        card.rate_for(&done_by(person, work_type, role), day(NOVEMBER)).0.to_string()
    };
    assert_eq!(rate("Bob", "Build", "Tester"), "5");
    assert_eq!(rate("Bob", "Build", "Architect"), "10");
    assert_eq!(rate("Bob", "Review", "Tester"), "20");
    assert_eq!(rate("Bob", "Review", "Architect"), "30");
    // Who it is goes before what it is.
    assert_eq!(rate("Ada", "Review", "Tester"), "40");
    assert_eq!(rate("Ada", "Review", "Architect"), "50");
    // What is not known meets no criterion.
    assert_eq!(
        card.rate_for(&TimeEntry { person: String::new(), ..entry(1, 5) }, day(NOVEMBER)).0.to_string(),
        "5"
    );
}

#[test]
fn a_rate_card_is_unambiguous() {
    let twice = vec![by(None, None, Some("Architect"), "10"), by(None, None, Some("Architect"), "20")];
    assert_eq!(RateCard::new(decimal("5"), twice), Err(RatesError::Ambiguous));
    assert_eq!(RateCard::new(decimal("5"), vec![by(None, None, None, "1")]), Err(RatesError::NoCriteria));
    assert!(
        serde_json::from_str::<RateCard>(r#"{"standard":"5","rates":[{"criteria":{},"price":"1"}]}"#)
            .is_err()
    );
}

fn hours(hours: u32) -> Span {
    (hours * 60).try_into().unwrap()
}

fn tiers() -> Tiers {
    let tier = |above, price| Tier { above: hours(above), price: decimal(price) };
    Tiers::new(decimal("100"), vec![tier(10, "80"), tier(20, "50")]).unwrap()
}

#[test]
fn graduated_tiers_cut_an_entry_where_one_ends() {
    let graduated = Clauses { rates: Rates::Graduated(tiers()), ..clauses("0", "0") };
    // 8 hours, then 15: two at 100, ten at 80, three at 50.
    let bill = case_bill(graduated.clone(), &entries(&[8 * 60, 15 * 60]));
    assert_eq!(amounts(&bill), ["800.00", "200.00", "800.00", "150.00"]);
    // Ten hours are all in the first tier, and the next minute is not.
    assert_eq!(amounts(&case_bill(graduated.clone(), &entries(&[10 * 60]))), ["1000.00"]);
    assert_eq!(amounts(&case_bill(graduated, &entries(&[10 * 60, 3]))), ["1000.00", "4.00"]);
}

#[test]
fn volume_tiers_price_all_hours_alike() {
    let volume = Clauses { rates: Rates::Volume(tiers()), ..clauses("0", "0") };
    assert_eq!(amounts(&case_bill(volume.clone(), &entries(&[10 * 60]))), ["1000.00"]);
    // "More than ten hours" begins with the next minute.
    assert_eq!(amounts(&case_bill(volume.clone(), &entries(&[10 * 60, 3]))), ["800.00", "4.00"]);
    assert_eq!(amounts(&case_bill(volume, &entries(&[23 * 60]))), ["1150.00"]);
}

#[test]
fn tiers_begin_one_after_the_other() {
    let tier = |above| Tier { above: hours(above), price: decimal("1") };
    assert_eq!(Tiers::new(decimal("1"), vec![tier(2), tier(2)]), Err(RatesError::Unordered));
}

fn working_hours() -> AfterHours {
    use Weekday::{Friday, Monday, Saturday, Sunday, Thursday, Tuesday, Wednesday};
    let week = [Monday, Tuesday, Wednesday, Thursday, Friday];
    let window = |days: &[Weekday], from: &str, until: Option<&str>| {
        Window::new(days, from.parse().unwrap(), until.map(|until| until.parse().unwrap())).unwrap()
    };
    let windows = vec![
        window(&week, "00:00", Some("08:00")),
        window(&week, "18:00", None),
        window(&[Saturday, Sunday], "00:00", None),
    ];
    AfterHours::new(decimal("1.5"), windows).unwrap()
}

#[test]
fn work_after_hours_costs_more_from_the_minute_on_at_which_they_begin() {
    let after = Clauses { after_hours: Some(working_hours()), ..clauses("60", "0") };
    let lines = |hours| {
        let mut entry = entry(1, 120);
        entry.particulars.hours = hours;
        let bill = case_bill(after.clone(), &[entry]);
        bill.lines.iter().map(|line| (line.minutes, text(line.amount))).collect::<Vec<_>>()
    };
    let from = |moment: &str| lines(Some(WorkingHours::From(moment.parse().unwrap())));
    // A Monday in Berlin, 17:15 to 19:15.
    assert_eq!(from("2026-11-02T16:15:00Z"), [(45, "45.00".to_owned()), (75, "112.50".to_owned())]);
    // Saturday; Friday into Saturday: both are outside of working hours.
    assert_eq!(from("2026-11-07T12:00:00Z"), [(120, "180.00".to_owned())]);
    assert_eq!(from("2026-11-06T22:00:00Z"), [(120, "180.00".to_owned())]);
    // Without a time of day, the person's word counts.
    assert_eq!(lines(Some(WorkingHours::After)), [(120, "180.00".to_owned())]);
    assert_eq!(lines(None), [(120, "120.00".to_owned())]);
}

#[test]
fn a_window_is_within_a_day() {
    let window = |from: &str, until: &str| {
        Window::new(&[Weekday::Monday], from.parse().unwrap(), Some(until.parse().unwrap()))
    };
    assert_eq!(window("18:00", "06:00"), Err(RatesError::Backwards));
    assert_eq!(Window::new(&[], "00:00".parse().unwrap(), None), Err(RatesError::Empty));
    let stored = serde_json::to_string(&working_hours()).unwrap();
    assert_eq!(serde_json::from_str::<AfterHours>(&stored).unwrap(), working_hours());
    assert!(stored.contains(r#"{"days":[1,2,3,4,5],"from":"00:00:00","until":"08:00:00"}"#), "{stored}");
}

#[test]
fn increments_round_what_is_added_up_first() {
    let billed = |together, least: u16| {
        let increment = Increment {
            step: IncrementStep::Quarter,
            rounding: Rounding::Up,
            together,
            least: least.try_into().unwrap(),
        };
        let two = |entry: TimeEntry| TimeEntry { case: case(1), ..entry };
        let worked = [
            on("2026-11-02", entry(1, 5)),
            on("2026-11-02", two(entry(2, 5))),
            on("2026-11-03", entry(3, 20)),
            on("2026-11-03", two(entry(4, 1))),
        ];
        let monthly = Clauses { increment, mode: Mode::Period { retainer: None }, ..clauses("60", "0") };
        let bill = month_bill(monthly, NOVEMBER, &worked, &Carry::default());
        bill.derivation.lines.iter().map(minutes).collect::<Vec<_>>()
    };
    assert_eq!(billed(Together::Entry, 0), [15, 15, 30, 15]);
    // The entry that begins a step is billed for it.
    assert_eq!(billed(Together::Day, 0), [15, 0, 30, 0]);
    assert_eq!(billed(Together::Case, 0), [15, 15, 15, 0]);
    assert_eq!(billed(Together::Invoice, 0), [15, 0, 15, 15]);
    // With at least half an hour for what is added up.
    assert_eq!(billed(Together::Entry, 30), [30, 30, 30, 30]);
    assert_eq!(billed(Together::Invoice, 30), [30, 0, 0, 15]);
}

fn retainer(included: u32, roll_over: Option<(u32, u8)>) -> Clauses {
    let roll_over = roll_over.map(|(most, months)| RollOver {
        most: most.try_into().unwrap(),
        months: months.try_into().unwrap(),
    });
    let included = included.try_into().unwrap();
    let retainer = Retainer { fee: eur("1000.00"), included, overage: Some(decimal("90")), roll_over };
    Clauses { mode: Mode::Period { retainer: Some(retainer) }, ..clauses("60", "0") }
}

#[test]
fn hours_that_were_not_used_roll_over_to_a_limit_and_lapse() {
    let terms = retainer(600, Some((400, 2)));
    let month = |month: &str, minutes: i64, before: &Carry| {
        let worked = [on(month, entry(1, minutes))];
        month_bill(terms.clone(), month, &worked, before)
    };
    let november = month("2026-11-10", 100, &Carry::default());
    // 500 are left, 400 may stay.
    let expected = RetainerStatement { brought: 0, granted: 600, used: 100, lapsed: 100, kept: 400 };
    assert_eq!(november.retainer, Some(expected));
    let december = month("2026-12-10", 150, &november.carry);
    // November's hours go first: 250 of them are left, and 600 of December; the older lapse first.
    let expected = RetainerStatement { brought: 400, granted: 600, used: 150, lapsed: 450, kept: 400 };
    assert_eq!(december.retainer, Some(expected));
    let grants = december.carry.retainer.clone().unwrap().grants;
    assert_eq!(
        grants.iter().map(|grant| (grant.period.to_string(), grant.left)).collect::<Vec<_>>(),
        [("2026-12".to_owned(), 400)]
    );
    // Beyond what there is, the overage rate counts: 1200 - 400 - 600 minutes, 3.33 hours, at 90.
    let january = month("2027-01-10", 1_200, &december.carry);
    assert_eq!(amounts(&january), ["0.00", "0.00", "299.70", "1000.00"]);
    assert!(january.carry.retainer.unwrap().grants.is_empty());
}

#[test]
fn rolled_over_hours_expire() {
    let terms = retainer(60, Some((600, 1)));
    let none = |month: &str, before: &Carry| month_bill(terms.clone(), month, &[], before);
    let october = none("2026-10-01", &Carry::default());
    assert_eq!(october.retainer.unwrap().kept, 60);
    let november = none("2026-11-01", &october.carry);
    // October's hour could be used until the end of November.
    let expected = RetainerStatement { brought: 60, granted: 60, used: 0, lapsed: 60, kept: 60 };
    assert_eq!(november.retainer, Some(expected));
    // Without roll-over nothing stays.
    let bill = month_bill(retainer(60, None), "2026-10-01", &[], &Carry::default());
    assert_eq!(bill.retainer.map(|statement| (statement.lapsed, statement.kept)), Some((60, 0)));
}

#[test]
fn months_of_a_retainer_are_billed_in_turn_and_once() {
    let besides = |before: &Carry| Besides { before: before.clone(), ..Besides::default() };
    let bill = |month: &str, before: &Carry| {
        let scope = Scope::Period(Period::of(day(month)));
        try_bill(vec![(None, retainer(60, None))], scope, &[], &besides(before))
    };
    let billed = bill(NOVEMBER, &Carry::default()).unwrap();
    assert_eq!(bill(NOVEMBER, &billed.carry), Err(PricingError::OutOfSequence));
    assert_eq!(bill("2027-01-01", &billed.carry), Err(PricingError::OutOfSequence));
    assert!(bill("2026-12-01", &billed.carry).is_ok());
    // Nor is a case a month.
    let wrong = try_bill(vec![(None, retainer(60, None))], closed(), &[], &Besides::default());
    assert_eq!(wrong, Err(PricingError::OtherMode));
    let wrong = try_bill(vec![(None, clauses("1", "0"))], november(), &[], &Besides::default());
    assert_eq!(wrong, Err(PricingError::OtherMode));
}

#[test]
fn blocks_are_charged_once_and_used_until_they_expire() {
    let block = |number, bought_on: &str, time: u32, expires_on: Option<&str>| Block {
        salesforce_id: salesforce_id(number),
        bought_on: day(bought_on),
        time: time.try_into().unwrap(),
        price: eur("900.00").try_into().unwrap(),
        expires_on: expires_on.map(day),
    };
    let mut prepaid = clauses("60", "0");
    prepaid.blocks = vec![
        block(1, "2026-11-01", 600, None),
        block(2, "2026-11-01", 100, Some("2026-11-05")),
        block(3, "2027-01-01", 60, None),
    ];
    let worked =
        [on("2026-11-05", entry(1, 70)), on("2026-11-06", entry(2, 70)), on("2026-11-07", entry(3, 600))];
    let bill = case_bill(prepaid.clone(), &worked);
    // The block that expires goes first, and is of no use on the day after; the other pays for 600 minutes.
    assert_eq!(amounts(&bill), ["0.00", "0.00", "0.00", "70.20", "900.00", "900.00"]);
    let left: Vec<u32> = bill.carry.blocks.iter().map(|block| block.left).collect();
    assert_eq!(left, [0, 30]);
    // On the next bill, neither is charged again.
    let besides = Besides { before: bill.carry, ..Besides::default() };
    let scope = Scope::Case { case: case(0), closed_on: day("2026-12-31"), part: 0 };
    let next = try_bill(vec![(None, prepaid)], scope, &[on("2026-12-02", entry(4, 60))], &besides).unwrap();
    assert_eq!(amounts(&next), ["60.00"]);
}

#[test]
fn a_minimum_charge_is_reached_after_discounts() {
    let mut least = clauses("60", "0");
    least.minimum_charge = Some(eur("100.00").try_into().unwrap());
    let percent = DiscountSize::Percent(decimal("10"));
    least.discounts = vec![Discount { name: "Loyal".to_owned(), on: DiscountOn::Work, size: percent }];
    assert_eq!(amounts(&case_bill(least.clone(), &entries(&[60]))), ["54.00", "46.00"]);
    assert_eq!(amounts(&case_bill(least.clone(), &entries(&[120]))), ["108.00"]);
    // Nothing that is charged, no minimum.
    assert!(case_bill(least.clone(), &[]).is_empty());
    // The cap is stronger.
    least.cap = Some(Cap { limit: eur("80.00").try_into().unwrap(), span: CapSpan::Period });
    assert_eq!(amounts(&case_bill(least, &entries(&[60]))), ["54.00", "26.00"]);
}

#[test]
fn a_cap_of_a_month_begins_anew_with_the_next() {
    let mut capped = clauses("60", "0");
    capped.mode = Mode::Period { retainer: None };
    capped.cap = Some(Cap { limit: eur("100.00").try_into().unwrap(), span: CapSpan::Period });
    let worked = [on("2026-11-10", entry(1, 120)), on("2026-12-10", entry(2, 90))];
    let november = month_bill(capped.clone(), "2026-11-01", &worked, &Carry::default());
    let december = month_bill(capped, "2026-12-01", &worked, &november.carry);
    assert_eq!([november.net, december.net].map(text), ["100.00", "90.00"]);
}

#[test]
fn discounts_are_taken_one_after_the_other() {
    let discount = |name: &str, on, size| Discount { name: name.to_owned(), on, size };
    let step = |from, percent| VolumeStep { from: eur(from).try_into().unwrap(), percent: decimal(percent) };
    let volume = VolumeSteps::try_from(vec![step("100.00", "5"), step("200.00", "10")]).unwrap();
    let mut reduced = clauses("100", "0");
    reduced.discounts = vec![
        discount("Volume", DiscountOn::Work, DiscountSize::Volume(volume)),
        discount("Loyal", DiscountOn::Everything, DiscountSize::Percent(decimal("3.5"))),
        discount("Voucher", DiscountOn::WorkAndFees, DiscountSize::Fixed(eur("10.00").try_into().unwrap())),
    ];
    let besides = Besides { expenses: vec![expense(1, eur("33.33"))], ..Besides::default() };
    let bill = try_bill(vec![(None, reduced)], closed(), &entries(&[60, 65]), &besides).unwrap();
    // 208.00 - 20.80; 220.53 - 7.72 (7.71855), of which the work 6.55; 180.65 - 10.00; 32.16 of the expense.
    let totals: Vec<String> = bill.derivation.discounts.iter().map(|working| text(working.after)).collect();
    assert_eq!(totals, ["20.80", "7.72", "10.00"]);
    assert_eq!(text(bill.net), "202.81");
    // Below its first step, a volume discount is none, and leaves no trace.
    let volume = VolumeSteps::try_from(vec![step("100.01", "5")]).unwrap();
    let mut none = clauses("100", "0");
    none.discounts = vec![discount("Volume", DiscountOn::Work, DiscountSize::Volume(volume))];
    let bill = case_bill(none, &entries(&[60]));
    assert_eq!((amounts(&bill), bill.derivation.discounts.len()), (vec!["100.00".to_owned()], 0));
    assert!(VolumeSteps::try_from(vec![step("0.02", "1"), step("0.02", "2")]).is_err());
}

#[test]
fn a_fixed_discount_is_never_more_than_the_bill() {
    let mut reduced = clauses("60", "19");
    let size = DiscountSize::Fixed(eur("500.00").try_into().unwrap());
    reduced.discounts = vec![Discount { name: "Voucher".to_owned(), on: DiscountOn::Work, size }];
    let bill = case_bill(reduced, &entries(&[60, 30]));
    assert_eq!(amounts(&bill), ["0.00", "0.00"]);
    assert_eq!(text(bill.derivation.discounts[0].after), "90.00");
}

#[test]
fn expenses_are_marked_up_and_taxed_as_expenses() {
    let mut terms = clauses("60", "19");
    terms.markup = decimal("7.5");
    terms.taxes = Taxes {
        expenses: Treatment::Exempt,
        fees: Treatment::ReverseCharge,
        ..Taxes::uniform(Treatment::Taxed(decimal("19")))
    };
    let elsewhere = Expense { case: Some(case(5)), ..expense(9, eur("0.01")) };
    let besides = Besides {
        expenses: vec![expense(2, eur("49.99")), elsewhere],
        deliveries: vec![milestone(3, eur("250.00"))],
        ..Besides::default()
    };
    let bill = try_bill(vec![(None, terms)], closed(), &entries(&[60]), &besides).unwrap();
    assert_eq!(amounts(&bill), ["60.00", "250.00", "53.74"]);
    let taxes: Vec<_> = bill.taxes.iter().map(|sum| (sum.treatment, text(sum.base), text(sum.tax))).collect();
    assert_eq!(
        taxes,
        [
            (Treatment::Taxed(decimal("19")), "60.00".to_owned(), "11.40".to_owned()),
            (Treatment::ReverseCharge, "250.00".to_owned(), "0.00".to_owned()),
            (Treatment::Exempt, "53.74".to_owned(), "0.00".to_owned()),
        ]
    );
}

#[test]
fn fixed_fees_pay_for_the_work() {
    let fixed = Clauses { rates: Rates::FixedFees, ..clauses("60", "0") };
    let besides = Besides { deliveries: vec![milestone(1, eur("5000.00"))], ..Besides::default() };
    let bill = try_bill(vec![(None, fixed)], closed(), &entries(&[60]), &besides).unwrap();
    assert_eq!(amounts(&bill), ["5000.00"]);
    // A milestone of another month is on that month's bill.
    let monthly = || Clauses { mode: Mode::Period { retainer: None }, ..clauses("60", "0") };
    let of = |month: &str| {
        let scope = Scope::Period(Period::of(day(month)));
        try_bill(vec![(None, monthly())], scope, &[], &besides).unwrap()
    };
    assert_eq!((of("2026-11-01").lines.len(), of("2026-12-01").lines.len()), (1, 0));
}

#[test]
fn clauses_that_do_not_fit_together_are_no_terms() {
    let usd = Money::from_minor(1, "USD".parse().unwrap());
    let capped = Clauses {
        cap: Some(Cap { limit: usd.try_into().unwrap(), span: CapSpan::Lifetime }),
        ..clauses("60", "0")
    };
    assert_eq!(Terms::try_from(capped.clone()), Err(TermsError::Currency));
    // Nor are they when they are read from the store.
    assert!(serde_json::from_str::<Terms>(&serde_json::to_string(&capped).unwrap()).is_err());
    let zone = Contract { time_zone: "Europe/Atlantis".to_owned(), ..contract("60", "0", "EUR") };
    let why = FieldError::Zone(UnknownZone);
    let unknown = TermsError::Field { record: zone.salesforce_id, field: "Time Zone", why };
    assert_eq!(zone.agreement(), Err(unknown));
    let version = |from: Option<&str>, currency: &str| Version {
        from: from.map(day),
        terms: terms(&contract("60", "0", currency)),
    };
    let agreement = |versions: Vec<Version>| Agreement::try_from(versions);
    assert_eq!(agreement(vec![]), Err(TermsError::Versions));
    let twice = vec![version(Some("2026-01-01"), "EUR"), version(Some("2026-01-01"), "EUR")];
    assert_eq!(agreement(twice), Err(TermsError::Versions));
    let mixed = vec![version(None, "EUR"), version(Some("2026-01-01"), "USD")];
    assert_eq!(agreement(mixed), Err(TermsError::Versions));
    assert!(agreement(vec![version(None, "EUR"), version(Some("2026-01-01"), "EUR")]).is_ok());
}

#[test]
fn terms_read_back_as_they_were_stored() {
    let mut terms = retainer(600, Some((400, 2)));
    terms.rates = Rates::Graduated(tiers());
    terms.after_hours = Some(working_hours());
    terms.purchase_order = Some("#set page(width: 1pt) <b>".to_owned());
    terms.late_fee = Some(LateFee { yearly: decimal("10.27"), once: Some(eur("40.00").try_into().unwrap()) });
    let terms = Terms::try_from(terms).unwrap();
    let stored = serde_json::to_string(&terms).unwrap();
    assert_eq!(serde_json::from_str::<Terms>(&stored).unwrap(), terms);
}

#[test]
fn todays_contract_has_the_simplest_terms() {
    let mut contract = contract("60", "19", "EUR");
    contract.rates = vec![crate::contracts::Rate {
        salesforce_id: salesforce_id(4),
        role: "Architect".to_owned(),
        work_type: None,
        person: None,
        above_hours: None,
        hourly_rate: Decimal::from(150),
        valid_from: Some(day("2026-11-02")),
    }];
    let mut architect = entry(2, 60);
    architect.particulars.role = Some("Architect".to_owned());
    let early = on("2026-11-01", TimeEntry { id: entry_id(3), ..architect.clone() });
    let bill = price_case(&contract, case(0), day("2026-11-30"), &[entry(1, 60), architect, early]).unwrap();
    assert_eq!(amounts(&bill), ["60.00", "60.00", "150.00"]);
}

#[test]
fn what_was_stored_before_still_reads() {
    let line: Line = serde_json::from_str(
        r#"{"entry":"ent_00000000000000000000000000000001","worked_on":"2026-11-02","person":"Ada","description":"",
            "minutes":5,"hours":"0.08","rate":"60","amount":{"minor":480,"currency":"EUR"}}"#,
    )
    .unwrap();
    assert_eq!(
        (line.quantity.to_string().as_str(), line.unit, line.kind),
        ("0.08", Unit::Hour, LineKind::Work)
    );
    assert_eq!(text(line.price().unwrap()), "4.80");
    // An entry from before anything was known of its time of day.
    let entry = serde_json::to_value(entry(1, 5)).unwrap();
    assert!(entry.get("particulars").is_none());
    assert_eq!(serde_json::from_value::<TimeEntry>(entry).unwrap().particulars, Particulars::default());
}

#[test]
fn a_derivation_says_what_was_rounded_together() {
    let together =
        Increment { step: IncrementStep::Quarter, together: Together::Day, ..Increment::AS_LOGGED };
    let terms = Clauses { increment: together, ..clauses("60", "0") };
    let mut forged = case_bill(terms.clone(), &entries(&[5, 5])).derivation;
    // A second entry that begins the step anew would be a quarter of an hour more.
    forged.lines[1] = case_bill(terms, &[entry(2, 5)]).derivation.lines[0].clone();
    assert_eq!(replay(&forged), Err(Mismatch::Step { line: 1, step: 1 }));
}

#[test]
fn a_derivation_bills_each_part_of_an_entry_once() {
    let graduated = Clauses { rates: Rates::Graduated(tiers()), ..clauses("0", "0") };
    let whole = case_bill(graduated, &entries(&[660])).derivation;
    assert_eq!(whole.lines.len(), 2);
    let mut twice = whole.clone();
    twice.lines.insert(0, whole.lines[0].clone());
    assert_eq!(replay(&twice), Err(Mismatch::Incomplete(1)));
    let mut short = whole;
    short.lines.pop();
    assert_eq!(replay(&short), Err(Mismatch::Incomplete(1)));
}

/// A derivation in which everything fits but for one step.
fn assert_refused(forged: &Derivation, why: Mismatch) {
    assert_eq!(replay(forged), Err(why));
}

#[test]
fn a_derivation_with_a_wrong_product_is_refused() {
    let mut exempt = clauses("60", "0");
    exempt.taxes = Taxes::uniform(Treatment::Exempt);
    let mut forged = case_bill(exempt, &entries(&[5])).derivation;
    let Step::Price { after, .. } = &mut forged.lines[0].steps[2] else { panic!("no price") };
    *after += Decimal::new(1, 2);
    forged.taxes[0].base = eur("4.81");
    assert_refused(&forged, Mismatch::Step { line: 0, step: 2 });
}

#[test]
fn a_derivation_with_a_wrong_increment_is_refused() {
    let in_steps_of = |step| {
        let increment = Increment { step, ..Increment::AS_LOGGED };
        case_bill(Clauses { increment, ..clauses("60", "0") }, &entries(&[5])).derivation
    };
    let (quarter, mut forged) = (in_steps_of(IncrementStep::Quarter), in_steps_of(IncrementStep::Half));
    let Step::Increment { increment: agreed, .. } = quarter.lines[0].steps[1] else { panic!("no increment") };
    let Step::Increment { increment, .. } = &mut forged.lines[0].steps[1] else { panic!("no increment") };
    *increment = agreed;
    assert_refused(&forged, Mismatch::Step { line: 0, step: 1 });
}

#[test]
fn a_derivation_that_goes_beyond_the_cap_is_refused() {
    let mut capped = clauses("60", "0");
    capped.cap = Some(Cap { limit: eur("100.00").try_into().unwrap(), span: CapSpan::Lifetime });
    let mut forged = case_bill(capped, &entries(&[60, 60])).derivation;
    assert!(matches!(forged.lines[1].steps.pop(), Some(Step::Cap { .. })));
    forged.taxes[0].base = eur("120.00");
    assert_refused(&forged, Mismatch::Step { line: 1, step: 3 });
}

#[test]
fn a_derivation_with_a_wrong_taxable_amount_is_refused() {
    let mut forged = case_bill(clauses("60", "0"), &entries(&[60])).derivation;
    (forged.taxes[0].base, forged.taxes[0].treatment) = (eur("59.99"), Treatment::Taxed(decimal("0")));
    assert_refused(&forged, Mismatch::Tax(0));
    // Nor is a line left without a tax.
    let mut untaxed = case_bill(clauses("60", "0"), &entries(&[60])).derivation;
    untaxed.taxes.clear();
    assert_refused(&untaxed, Mismatch::Tax(0));
}
