//! What contracts say, and on which days.

use super::*;

fn contract(from: &str, to: Option<&str>, zone: &str) -> Contract {
    Contract {
        id: ContractId::from_uuid(uuid::Uuid::nil()),
        account: AccountId::from_uuid(uuid::Uuid::nil()),
        salesforce_id: "a01000000000001AAA".parse().unwrap(),
        name: from.to_owned(),
        currency: "EUR".parse().unwrap(),
        hourly_rate: Some(Decimal::from(120)),
        tax_percent: Some(Decimal::from(19)),
        payment_terms_days: 14,
        valid_from: from.parse().unwrap(),
        valid_to: to.map(|to| to.parse().unwrap()),
        time_zone: zone.to_owned(),
        purchase_order: None,
        rates: Vec::new(),
        provisions: Provisions::default(),
        milestones: Vec::new(),
        blocks: Vec::new(),
        amendments: Vec::new(),
        modstamp: Timestamp::UNIX_EPOCH,
        version: 1,
    }
}

/// A contract in one paper that says this.
fn saying(provisions: Provisions) -> Contract {
    Contract { provisions, ..contract("2026-01-01", None, "Europe/Berlin") }
}

fn number(text: &str) -> Option<Decimal> {
    Some(text.parse().unwrap())
}

fn day(text: &str) -> Date {
    text.parse().unwrap()
}

fn amendment(place: u8, from: &str, rate: &str) -> Amendment {
    let from_scratch = contract(from, None, "Europe/Berlin");
    Amendment {
        salesforce_id: format!("a0100000000010{place}AAA").parse().unwrap(),
        name: format!("Amendment {place}"),
        valid_from: from_scratch.valid_from,
        valid_to: None,
        currency: from_scratch.currency,
        time_zone: from_scratch.time_zone,
        hourly_rate: number(rate),
        tax_percent: number("19"),
        payment_terms_days: 14,
        purchase_order: None,
        rates: Vec::new(),
        provisions: Provisions::default(),
        modstamp: Timestamp::UNIX_EPOCH,
    }
}

/// What staff are told about a contract that nobody can bill by.
fn complaint(contract: &Contract) -> String {
    contract.agreement().unwrap_err().to_string()
}

#[test]
fn a_figure_that_one_cannot_bill_by_is_told_of_by_record_and_field() {
    let zone = contract("2026-01-01", None, "Europe/Atlantis");
    assert_eq!(complaint(&zone), "Time Zone of a01000000000001AAA: not a time zone of the IANA database");
    let rate = Contract { hourly_rate: number("-1"), ..contract("2026-01-01", None, "UTC") };
    let wrong = "Hourly Rate of a01000000000001AAA: an hourly rate must be from 0 to 1000000000 with at most 6 decimals";
    assert_eq!(complaint(&rate), wrong);
    let none = Contract { hourly_rate: None, ..contract("2026-01-01", None, "UTC") };
    assert_eq!(complaint(&none), "Hourly Rate of a01000000000001AAA: it is empty");
    // Who is paid by milestones needs no hourly rate.
    let fixed = Provisions { pricing: Pricing::FixedFees, ..Provisions::default() };
    assert!(Contract { provisions: fixed, ..none }.agreement().is_ok());
    let cases: [(&str, Provisions); 9] = [
        ("Retainer Hours", retainer(None, "900", BilledBy::Month)),
        ("Retainer Hours", retainer(Some("10"), "900", BilledBy::Case)),
        ("Retainer Hours", retainer(Some("0.01"), "900", BilledBy::Month)),
        ("Retainer Fee", retainer(Some("10"), "-1", BilledBy::Month)),
        ("Cap Of", Provisions { cap: number("100"), ..Provisions::default() }),
        ("Minimum Charge", Provisions { minimum_charge: number("0.001"), ..Provisions::default() }),
        ("Markup Percent", Provisions { markup: number("1001"), ..Provisions::default() }),
        ("After Hours Factor", after_hours(None, "Sun 00:00-24:00")),
        ("After Hours", after_hours(number("2"), "at night")),
    ];
    for (field, provisions) in cases {
        let said = complaint(&saying(provisions));
        assert!(said.starts_with(&format!("{field} of a01000000000001AAA: ")), "{said}");
    }
}

fn retainer(hours: Option<&str>, fee: &str, billed_by: BilledBy) -> Provisions {
    let retainer =
        RetainerClause { hours: hours.and_then(number), fee: number(fee), ..RetainerClause::default() };
    Provisions { billed_by, retainer, ..Provisions::default() }
}

fn after_hours(factor: Option<Decimal>, windows: &str) -> Provisions {
    let after_hours = AfterHoursClause { factor, windows: Some(windows.to_owned()) };
    Provisions { after_hours, ..Provisions::default() }
}

#[test]
fn an_amendment_holds_from_its_day_on_and_what_was_bought_stays() {
    let mut contract = contract("2026-01-01", Some("2026-06-30"), "Europe/Berlin");
    let monthly = Provisions { billed_by: BilledBy::Month, ..Provisions::default() };
    contract.blocks.push(PrepaidHours {
        salesforce_id: "a08000000000001AAA".parse().unwrap(),
        bought_on: day("2026-02-01"),
        hours: Decimal::TEN,
        price: Decimal::from(1_000),
        expires_on: None,
    });
    contract.amendments = vec![
        amendment(1, "2026-04-01", "130"),
        Amendment { provisions: monthly, ..amendment(2, "2026-09-01", "140") },
    ];
    let agreement = contract.agreement().unwrap();
    let version = |text: &str| agreement.on(day(text)).unwrap();
    let rate = |text: &str| {
        serde_json::to_value(&version(text).terms.clauses().rates).unwrap()["card"]["standard"].clone()
    };
    // Who began before the contract did works by what is agreed.
    for (text, expected) in
        [("2025-12-31", "120"), ("2026-03-31", "120"), ("2026-04-01", "130"), ("2026-12-31", "140")]
    {
        assert_eq!(rate(text), expected, "{text}");
        assert_eq!(version(text).terms.clauses().blocks.len(), 1, "{text}");
    }
    assert_eq!(contract.billed_by(day("2026-08-31")), BilledBy::Case);
    assert_eq!(contract.billed_by(day("2026-09-01")), BilledBy::Month);
    // The last paper says how long.
    assert!(contract.holds_on(day("2027-01-01")));
    assert!(!contract.holds_on(day("2025-12-31")));
    let ended = contract.ended().unwrap();
    assert!(!ended.holds_on(day("2026-05-01")) && ended.ended().is_none() && ended.version == 2);
}

#[test]
fn an_amendment_of_another_currency_zone_or_of_the_same_day_is_told_of() {
    let with = |amendments: Vec<Amendment>| {
        complaint(&Contract { amendments, ..contract("2026-01-01", None, "Europe/Berlin") })
    };
    let other = Amendment { currency: "USD".parse().unwrap(), ..amendment(1, "2026-04-01", "130") };
    assert_eq!(
        with(vec![other]),
        "Currency of a01000000000101AAA: it must be the same as in the contract that is amended"
    );
    let zone = Amendment { time_zone: "UTC".to_owned(), ..amendment(1, "2026-04-01", "130") };
    assert!(with(vec![zone]).starts_with("Time Zone of a01000000000101AAA"));
    let twice = with(vec![amendment(1, "2026-04-01", "130"), amendment(2, "2026-04-01", "140")]);
    assert_eq!(
        twice,
        "Valid From of a01000000000102AAA: another version of the contract begins on the same day"
    );
    assert!(with(vec![amendment(1, "2026-01-01", "130")]).starts_with("Valid From of a01000000000101AAA"));
}

#[test]
fn steps_of_one_name_are_one_discount() {
    let discount = |place: u8, name: &str, percent, amount, from| DiscountClause {
        salesforce_id: format!("a0900000000000{place}AAA").parse().unwrap(),
        name: name.to_owned(),
        place: Some(place.into()),
        on: None,
        percent,
        amount,
        from,
    };
    let clauses = vec![
        discount(3, "Volume", number("10"), None, number("5000")),
        discount(1, "Volume", number("5"), None, number("1000")),
        discount(2, "Loyalty", None, number("50"), None),
    ];
    let contract = saying(Provisions { discounts: clauses.clone(), ..Provisions::default() });
    let agreement = contract.agreement().unwrap();
    let discounts = &agreement.on(day("2026-05-01")).unwrap().terms.clauses().discounts;
    assert_eq!(
        discounts.iter().map(|discount| discount.name.as_str()).collect::<Vec<_>>(),
        ["Volume", "Loyalty"]
    );
    let mut both = clauses;
    both[2].percent = number("5");
    let complaint = complaint(&saying(Provisions { discounts: both, ..Provisions::default() }));
    assert!(complaint.starts_with("Amount of a09000000000002AAA: "), "{complaint}");
}

#[test]
fn milestones_are_delivered_when_they_are_completed() {
    let milestone = |place: u8, completed: Option<&str>, amount: &str| Milestone {
        salesforce_id: format!("a0600000000000{place}AAA").parse().unwrap(),
        name: "Go live".to_owned(),
        amount: amount.parse().unwrap(),
        due_on: None,
        completed_on: completed.map(day),
        case: Some("500000000000001AAA".parse().unwrap()),
    };
    let with = |milestones| Contract { milestones, ..contract("2026-01-01", None, "UTC") };
    let case = CaseId::from_uuid(uuid::Uuid::nil());
    let contract = with(vec![milestone(1, None, "100"), milestone(2, Some("2026-03-31"), "12000")]);
    let deliveries = contract.deliveries(|_| Some(case)).unwrap();
    assert_eq!(
        deliveries.iter().map(|delivery| (delivery.case, delivery.fee.minor())).collect::<Vec<_>>(),
        [(Some(case), 1_200_000)]
    );
    let wrong = with(vec![milestone(1, Some("2026-03-31"), "-1")]).deliveries(|_| None).unwrap_err();
    assert_eq!(wrong.to_string(), "Amount of a06000000000001AAA: the amount is below zero");
}

#[test]
fn a_contract_from_before_there_were_amendments_still_reads() {
    let stored = r#"{"id":"ctr_00000000000000000000000000000000","account":"acct_00000000000000000000000000000000",
        "salesforce_id":"a01000000000001AAA","name":"Support","currency":"EUR","hourly_rate":"120","tax_percent":"19",
        "payment_terms_days":14,"valid_from":"2026-01-01","valid_to":null,"time_zone":"Europe/Berlin","purchase_order":null,
        "rates":[{"salesforce_id":"a03000000000001AAA","role":"Architect","hourly_rate":"160","valid_from":null}],
        "milestones":[],"modstamp":"1970-01-01T00:00:00Z","version":1}"#;
    let read: Contract = serde_json::from_str(stored).unwrap();
    assert_eq!(
        (read.billed_by(day("2026-05-01")), &read.provisions),
        (BilledBy::Case, &Provisions::default())
    );
    assert!(read.agreement().is_ok());
    assert_eq!(serde_json::from_value::<Contract>(serde_json::to_value(&read).unwrap()).unwrap(), read);
}
