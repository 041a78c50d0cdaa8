//! What is left of contracts, and what months come to.

use super::*;
use crate::contracts::{BilledBy, PrepaidHours, RetainerClause};

const NOVEMBER: &str = "2026-11-01";

fn monthly(change: impl FnOnce(Provisions) -> Provisions) -> Contract {
    let provisions = change(Provisions { billed_by: BilledBy::Month, ..Provisions::default() });
    Contract { provisions, ..contract("100", "19", "EUR") }
}

fn entry(number: u128, on: &str, minutes: i64) -> TimeEntry {
    TimeEntry {
        id: EntryId::from_uuid(uuid::Uuid::from_u128(number)),
        salesforce_id: salesforce_id(u32::try_from(number).unwrap()),
        case: case(1),
        worked_on: day(on),
        minutes,
        description: "Worked".to_owned(),
        person: "Sam".to_owned(),
        particulars: Particulars::default(),
        billable: true,
        deleted: false,
        created_at: Timestamp::UNIX_EPOCH,
        modstamp: Timestamp::UNIX_EPOCH,
        version: 1,
    }
}

fn input<'a>(agreement: &'a Agreement, entries: &'a [TimeEntry], before: &'a Carry) -> Input<'a> {
    Input {
        agreement,
        scope: Scope::Period(Period::of(day(NOVEMBER))),
        earliest: None,
        entries,
        expenses: &[],
        deliveries: &[],
        before,
    }
}

fn forecast_on(contract: &Contract, entries: &[TimeEntry], today: &str) -> Option<Forecast> {
    let (agreement, before) = (contract.agreement().unwrap(), Carry::default());
    let month = Period::of(day(NOVEMBER));
    forecast(input(&agreement, entries, &before), (month.first(), month.last()), day(today)).unwrap()
}

fn net(forecast: Option<Forecast>) -> Option<String> {
    forecast.map(|forecast| forecast.bill.net.to_decimal().to_string())
}

#[test]
fn work_goes_on_as_on_the_working_days_so_far() {
    let contract = monthly(|simple| simple);
    // November 2026 has 21 working days; the sixth is the 9th.
    let entries = [entry(1, "2026-11-03", 60), entry(2, "2026-11-05", 59)];
    let forecast = forecast_on(&contract, &entries, "2026-11-09").unwrap();
    assert_eq!((forecast.days_passed, forecast.days), (6, 21));
    // 119 minutes on 6 days are 297.5 on the other 15: half a minute is not foreseen.
    assert_eq!(forecast.bill.time.worked, 119 + 297);
    // On a weekend nothing passes.
    let net_on = |today| net(forecast_on(&contract, &entries, today));
    assert_eq!(net_on("2026-11-14"), net_on("2026-11-15"));
    assert_ne!(net_on("2026-11-13"), net_on("2026-11-16"));
    // At the end of the month the bill is what there is: 1.00 and 0.98 h.
    assert_eq!(net_on("2026-11-30").as_deref(), Some("198.00"));
}

#[test]
fn the_first_days_say_nothing_of_a_month() {
    let contract = monthly(|simple| simple);
    let entries = [entry(1, "2026-11-02", 480)];
    assert_eq!(forecast_on(&contract, &entries, "2026-11-05"), None, "four days");
    assert!(forecast_on(&contract, &entries, "2026-11-06").is_some());
    // A contract that begins within the month has passed fewer days.
    let (agreement, before) = (contract.agreement().unwrap(), Carry::default());
    let late = (day("2026-11-12"), day("2026-11-30"));
    let late = forecast(input(&agreement, &entries, &before), late, day("2026-11-17"));
    assert_eq!(late.unwrap(), None);
}

#[test]
fn what_is_dated_ahead_does_not_make_the_days_so_far_longer() {
    let contract = monthly(|simple| simple);
    let so_far = [entry(1, "2026-11-03", 60)];
    let ahead = [entry(1, "2026-11-03", 60), entry(2, "2026-11-27", 60)];
    let net_of =
        |entries: &[TimeEntry]| forecast_on(&contract, entries, "2026-11-13").unwrap().bill.net.minor();
    assert_eq!(net_of(&ahead), net_of(&so_far) + 10_000, "an hour more, and no more than that");
}

#[test]
fn a_forecast_is_priced_like_a_bill() {
    // Ten hours on ten days of 21. Twelve are paid for every month; what comes beyond costs, up to the cap.
    let entries: Vec<TimeEntry> =
        (0..10).map(|place| entry(place + 1, &format!("2026-11-{:02}", 2 + place), 60)).collect();
    let retainer = RetainerClause {
        hours: Some(Decimal::from(12)),
        fee: Some(Decimal::from(900)),
        ..RetainerClause::default()
    };
    let with = |cap: Option<i64>| {
        let cap = cap.map(Decimal::from);
        let cap_span = cap.map(|_| CapSpan::Period);
        let contract = monthly(|simple| Provisions { retainer, cap, cap_span, ..simple });
        net(forecast_on(&contract, &entries, "2026-11-13"))
    };
    // 600 minutes, and 660 more: 540 beyond the retainer.
    assert_eq!(with(None).as_deref(), Some("1800.00"));
    assert_eq!(with(Some(500)).as_deref(), Some("1400.00"), "not to exceed");
}

#[test]
fn work_that_no_single_entry_holds_is_foreseen_in_several() {
    let contract = monthly(|simple| simple);
    let entries: Vec<TimeEntry> =
        (0..5).map(|place| entry(place + 1, &format!("2026-11-{:02}", 2 + place), 600)).collect();
    let forecast = forecast_on(&contract, &entries, "2026-11-06").unwrap();
    assert_eq!(forecast.bill.time.worked, 21 * 600);
    assert_eq!(forecast.bill.net.to_decimal().to_string(), "21000.00");
}

#[test]
fn what_is_left_is_what_bills_left() {
    let block = |number, bought_on: &str, expires_on: Option<&str>| PrepaidHours {
        salesforce_id: salesforce_id(number),
        bought_on: day(bought_on),
        hours: Decimal::from(2),
        price: Decimal::from(150),
        expires_on: expires_on.map(day),
    };
    let blocks = vec![
        block(11, "2026-10-01", None),
        block(12, "2026-11-01", Some("2026-12-31")),
        block(13, "2026-09-01", Some("2026-11-10")),
        block(14, "2026-11-28", None),
    ];
    let provisions =
        |simple| Provisions { cap: Some(Decimal::from(100)), cap_span: Some(CapSpan::Period), ..simple };
    let contract = Contract { blocks, ..monthly(provisions) };
    let clauses = terms(&contract).clauses().clone();
    let on = |carry: &Carry, period: &str| {
        Standing::of(&clauses, carry, None, (Period::of(day(period)), day("2026-11-22"))).unwrap()
    };
    let nothing_billed = on(&Carry::default(), NOVEMBER);
    let left =
        |standing: &Standing| standing.blocks.iter().map(|left| (left.block, left.left)).collect::<Vec<_>>();
    // One has expired and one is not bought yet; the one that expires comes first.
    assert_eq!(left(&nothing_billed), [(salesforce_id(12), 120), (salesforce_id(11), 120)]);
    let cap = nothing_billed.cap.unwrap();
    assert_eq!((cap.used.minor(), cap.left.minor()), (0, 10_000));

    let (agreement, before) = (contract.agreement().unwrap(), Carry::default());
    let worked = [entry(1, "2026-11-12", 400)];
    let bill = price(input(&agreement, &worked, &before)).unwrap();
    let after = on(&bill.carry, NOVEMBER);
    // 400 minutes: two hours of each block and 160 more, of which the cap leaves 100 euros.
    assert_eq!(left(&after), [(salesforce_id(12), 0), (salesforce_id(11), 0)]);
    let cap = after.cap.unwrap();
    assert_eq!((cap.used.minor(), cap.left.minor()), (10_000, 0));
    let next = on(&bill.carry, "2026-12-01").cap.unwrap();
    assert_eq!(next.left.minor(), 10_000, "the cap is for each month");
}
