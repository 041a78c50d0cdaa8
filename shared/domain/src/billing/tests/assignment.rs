//! Nothing that was done is on two bills, and nothing on none.

use super::*;
use crate::{
    cases::Case,
    contracts::{Amendment, BilledBy, Milestone, Provisions},
};

/// A case as Salesforce knows it.
fn a_case() -> Case {
    serde_json::from_value(serde_json::json!({
        "id": case(0), "account": AccountId::from_uuid(uuid::Uuid::nil()),
        "audience": { "raised_by": null, "contact": null },
        "salesforce_id": "500000000000001AAA", "number": null, "subject": "Slow", "description": "",
        "status": { "label": "Closed", "closed": true }, "kind": null, "priority": "Low", "contract": null,
        "created_at": "2026-11-02T00:00:00Z", "last_activity_at": "2026-11-02T00:00:00Z", "closed_at": null,
        "closing": null, "held": null, "confirmed": null, "version": 1,
    }))
    .unwrap()
}

fn numbered(number: u128, from: &str, to: Option<&str>) -> Contract {
    Contract {
        id: ContractId::from_uuid(uuid::Uuid::from_u128(number)),
        valid_from: day(from),
        valid_to: to.map(day),
        ..contract("60", "19", "EUR")
    }
}

fn done(entries: Vec<TimeEntry>) -> Done {
    Done { entries, expenses: Vec::new() }
}

fn ids(assigned: &Assigned) -> Vec<EntryId> {
    assigned.entries.iter().map(|entry| entry.id).collect()
}

#[test]
fn case_b05_the_day_is_the_contracts_day() {
    let contracts = [numbered(1, "2026-01-01", Some("2026-06-30")), numbered(2, "2026-07-01", None)];
    let agreements = Agreements::of(&contracts);
    let in_force = |moment: &str| {
        let moment: Timestamp = moment.parse().unwrap();
        let found = agreements.holding(|contract| contract.day_of(moment));
        found.map(|agreed| agreed.unwrap().contract.id)
    };
    // 22:30 UTC on 30 June is half past midnight on 1 July in Berlin.
    assert_eq!(in_force("2026-06-30T22:30:00Z"), Some(contracts[1].id));
    assert_eq!(in_force("2026-06-30T21:30:00Z"), Some(contracts[0].id));
    assert_eq!(in_force("2025-12-31T22:30:00Z"), None);
}

#[test]
fn a_case_is_billed_by_the_contract_of_its_closing() {
    let contracts = [numbered(1, "2026-01-01", Some("2026-11-30")), numbered(2, "2026-12-01", None)];
    let agreements = Agreements::of(&contracts);
    let entries = vec![on("2026-11-29", entry(1, 60)), on("2026-12-01", entry(2, 30))];
    let other = TimeEntry { case: case(9), ..entry(3, 60) };
    let hidden = TimeEntry { billable: false, ..entry(4, 60) };
    let all = [entries.clone(), vec![other, hidden]].concat();
    // 23:30 UTC on the last day is the first day in Berlin.
    let closed_at = "2026-11-30T23:30:00Z".parse().unwrap();
    let assigned = agreements.of_case(&a_case(), closed_at, done(all), &Billed::default()).unwrap().unwrap();
    assert_eq!(assigned.contract.id, contracts[1].id);
    assert_eq!(assigned.scope, Scope::Case { case: case(0), closed_on: day("2026-12-01"), part: 0 });
    assert_eq!(ids(&assigned), [entry_id(1), entry_id(2)]);
}

#[test]
fn a_contract_that_ended_still_bills_what_was_done_under_it() {
    let contracts = [numbered(1, "2026-01-01", Some("2026-11-15"))];
    let agreements = Agreements::of(&contracts);
    let closed_at = "2026-12-05T12:00:00Z".parse().unwrap();
    let entries = vec![on("2026-11-10", entry(1, 60))];
    let assigned =
        agreements.of_case(&a_case(), closed_at, done(entries), &Billed::default()).unwrap().unwrap();
    assert_eq!(assigned.scope, Scope::Case { case: case(0), closed_on: day("2026-11-10"), part: 0 });
    let none = agreements.of_case(&a_case(), closed_at, Done::default(), &Billed::default());
    assert_eq!(none, Err(AssignmentError::NoContract(day("2026-12-05"))));
}

#[test]
fn a_milestone_is_on_the_bill_of_its_case() {
    let milestone = |record: &str| Milestone {
        salesforce_id: salesforce_id(7),
        name: "Migration".to_owned(),
        amount: Decimal::from(500),
        due_on: None,
        completed_on: Some(day("2026-11-20")),
        case: Some(record.parse().unwrap()),
    };
    let closed_at = "2026-12-05T12:00:00Z".parse().unwrap();
    for (record, expected) in [("500000000000001AAA", 1), ("500000000000002AAA", 0)] {
        let contracts = [Contract { milestones: vec![milestone(record)], ..numbered(1, "2026-01-01", None) }];
        let agreements = Agreements::of(&contracts);
        let assigned =
            agreements.of_case(&a_case(), closed_at, Done::default(), &Billed::default()).unwrap().unwrap();
        assert_eq!(assigned.deliveries.len(), expected, "{record}");
    }
}

#[test]
fn a_contract_that_nobody_can_bill_by_says_so_and_blocks_no_other() {
    let broken =
        Contract { time_zone: "Mars/Olympus".to_owned(), ..numbered(1, "2026-01-01", Some("2026-10-31")) };
    let contracts = [broken, numbered(2, "2026-11-01", None)];
    let agreements = Agreements::of(&contracts);
    let closed_at = "2026-11-30T12:00:00Z".parse().unwrap();
    let entries = vec![on("2026-11-10", entry(1, 60))];
    assert!(agreements.of_case(&a_case(), closed_at, done(entries), &Billed::default()).unwrap().is_some());
    let entries = vec![on("2026-10-10", entry(1, 60))];
    let error = agreements.of_case(&a_case(), closed_at, done(entries), &Billed::default()).unwrap_err();
    assert!(
        matches!(error, AssignmentError::Terms { contract, .. } if contract == contracts[0].id),
        "{error}"
    );
    let can_be_billed_by = contracts.each_ref().map(|contract| agreements.contract(contract.id).is_ok());
    assert_eq!(can_be_billed_by, [false, true]);
}

#[test]
fn months_go_on_as_long_as_the_last_paper_says() {
    let provisions = Provisions { billed_by: BilledBy::Month, ..Provisions::default() };
    let first = Contract { provisions: provisions.clone(), ..numbered(1, "2026-01-01", Some("2026-03-31")) };
    let amendment = Amendment {
        salesforce_id: salesforce_id(9),
        name: "Longer".to_owned(),
        valid_from: day("2026-04-01"),
        valid_to: Some(day("2026-05-15")),
        currency: first.currency,
        time_zone: first.time_zone.clone(),
        hourly_rate: first.hourly_rate,
        tax_percent: first.tax_percent,
        payment_terms_days: 14,
        purchase_order: None,
        rates: Vec::new(),
        provisions,
        modstamp: Timestamp::UNIX_EPOCH,
    };
    let due = |contract: &Contract, through: &str| {
        let contracts = [contract.clone()];
        let through = Period::of(day(through));
        Agreements::of(&contracts).contract(contract.id).unwrap().month_due(through, day("2026-08-01"))
    };
    let month = |text: &str| Some(Period::of(day(text)));
    assert_eq!(due(&first, "2026-02-01"), month("2026-03-01"));
    assert_eq!(due(&first, "2026-03-01"), None);
    let amended = Contract { amendments: vec![amendment], ..first };
    assert_eq!(due(&amended, "2026-03-01"), month("2026-04-01"));
    assert_eq!(due(&amended, "2026-04-01"), month("2026-05-01"));
    assert_eq!(due(&amended, "2026-05-01"), None);
    assert_eq!(due(&amended.ended().unwrap(), "2026-03-01"), None);
}

#[test]
fn what_is_logged_after_a_bill_is_on_the_next_and_nothing_is_on_two() {
    let contracts = [numbered(1, "2026-01-01", None)];
    let agreements = Agreements::of(&contracts);
    let closed_at = "2026-11-20T12:00:00Z".parse().unwrap();
    let [first, late] = [on("2026-11-10", entry(1, 60)), on("2026-11-12", entry(2, 30))];
    let bill = |assigned: &Assigned<'_>| {
        price(Input {
            agreement: assigned.agreement,
            scope: assigned.scope,
            earliest: None,
            entries: &assigned.entries,
            expenses: &assigned.expenses,
            deliveries: &assigned.deliveries,
            before: &Carry::default(),
        })
        .unwrap()
    };
    let of_case = |entries: &[&TimeEntry], billed: &Billed| {
        let done = done(entries.iter().map(|entry| (*entry).clone()).collect());
        agreements.of_case(&a_case(), closed_at, done, billed).unwrap().unwrap()
    };
    let mut billed = Billed::default();
    let derivation = bill(&of_case(&[&first], &billed)).derivation;
    billed.add(&derivation);
    assert!(of_case(&[&first], &billed).is_empty());
    // Else a contract with a minimum charge would charge it again.
    let without_time = on("2026-11-13", entry(3, 0));
    assert!(of_case(&[&first, &without_time], &billed).is_empty());
    let next = of_case(&[&first, &late], &billed).as_part(1);
    assert_eq!(ids(&next), [late.id]);
    assert_eq!(next.scope, Scope::Case { case: case(0), closed_on: day("2026-11-20"), part: 1 });
    let of = |scope| crate::InvoiceId::of(AccountId::from_uuid(uuid::Uuid::nil()), contracts[0].id, scope);
    assert_ne!(of(next.scope), of(next.clone().as_part(0).scope));
}

#[test]
fn hours_logged_late_are_on_the_next_months_bill_and_what_was_before_is_not() {
    let provisions = Provisions { billed_by: BilledBy::Month, ..Provisions::default() };
    let contracts = [Contract { provisions, ..numbered(1, "2026-01-01", None) }];
    let agreements = Agreements::of(&contracts);
    let month = |text: &str| Period::of(day(text));
    let entries = [
        on("2026-08-31", entry(1, 60)),
        on("2026-09-15", entry(2, 60)),
        on("2026-10-15", entry(3, 60)),
        on("2026-11-01", entry(4, 60)),
    ];
    let of = |earliest: &str, billed: &Billed| {
        let (period, earliest) = (month("2026-10-01"), month(earliest));
        ids(&agreements.of_period(contracts[0].id, period, earliest, done(entries.to_vec()), billed).unwrap())
    };
    assert_eq!(of("2026-10-01", &Billed::default()), [entries[2].id]);
    assert_eq!(of("2026-09-01", &Billed::default()), [entries[1].id, entries[2].id]);
    let mut billed = Billed::default();
    let september = agreements
        .of_period(
            contracts[0].id,
            month("2026-09-01"),
            month("2026-09-01"),
            done(entries.to_vec()),
            &Billed::default(),
        )
        .unwrap();
    let bill = price(Input {
        agreement: september.agreement,
        scope: september.scope,
        earliest: None,
        entries: &september.entries,
        expenses: &[],
        deliveries: &[],
        before: &Carry::default(),
    })
    .unwrap();
    billed.add(&bill.derivation);
    assert_eq!(of("2026-09-01", &billed), [entries[2].id]);
}
