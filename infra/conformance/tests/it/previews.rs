//! If nothing changes, the invoice is what the preview said: every cent, every position, every step. And what stands in the
//! way of one bill stands in the way of that one alone.

use jiff::{SignedDuration, civil::Date};
use portico_domain::{
    CaseId, EntryId, InvoiceId, Money, SalesforceId,
    billing::{
        CapSpan, DiscountOn, Expense, IncrementStep, Particulars, Period, Scope, TimeEntry, Together,
        WorkingHours,
    },
    cases::{Case, Status},
    contracts::{
        AfterHoursClause, Contract, DiscountClause, IncrementClause, PrepaidHours, Provisions, Rate,
        RetainerClause,
    },
    people::{Account, InvoiceReaders},
};
use portico_salesforce::records::Object;
use rust_decimal::Decimal;
use serde_json::{Value, json};

use crate::{
    agent::Agent,
    billing_commands::put_hours,
    commands::Request,
    samples::{
        billing::{billed_by_the_month, counted_from_october},
        queues, text,
    },
    stack::{MovableClock, now},
    sync::message,
    world::{
        AGENT, Guarded, MANAGER, MEMBER, World, account, case, company, contract, lambda_event, open_case,
        time_entries,
    },
};

/// More than enough for the month to be over and for those who log late.
const TO_MID_DECEMBER: SignedDuration = SignedDuration::from_hours(24 * 23);
/// What a bill and its invoice have in common.
const COMMON: [&str; 5] = ["net", "taxes", "tax", "gross", "lines"];

fn id(text: &str) -> SalesforceId {
    text.parse().unwrap()
}

fn whole(number: i64) -> Option<Decimal> {
    Some(Decimal::from(number))
}

fn day(text: &str) -> Date {
    text.parse().unwrap()
}

async fn log(world: &World, case: CaseId, place: u32, change: impl FnOnce(TimeEntry) -> TimeEntry) {
    let salesforce_id: SalesforceId = format!("a01Fp{place:010}").parse().unwrap();
    let [worked, _] = time_entries();
    let entry = TimeEntry { id: EntryId::of_salesforce(&salesforce_id), salesforce_id, case, ..worked };
    put_hours(world, &change(entry)).await;
}

async fn preview(function: &Guarded, query: Option<(&str, &str)>, by: &str) -> Value {
    let request = Request::sample("billing-preview-account").by(by);
    let request = match query {
        Some((name, value)) => request.with_query(name, value),
        None => request,
    };
    let answer = request.send_to(&function.function).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(function.guard.denied(), []);
    answer.body
}

/// The invoice as the manager reads it.
async fn read(world: &World, invoice: InvoiceId) -> Value {
    let listing = world.boot("invoice-listing").await;
    let request = Request::sample("invoice-listing-detail").with_path("invoiceId", &invoice.to_string());
    let answer = request.by(MANAGER).send_to(&listing.function).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body
}

/// The queue's message of a sample, about something else.
async fn generate(world: &World, sample: &str, change: impl FnOnce(&mut Value)) {
    let generation = world.boot("invoice-generation").await;
    let mut event: Value = serde_json::from_str(&text(sample)).unwrap();
    let mut body: Value = serde_json::from_str(event["Records"][0]["body"].as_str().unwrap()).unwrap();
    change(&mut body);
    event["Records"][0]["body"] = json!(body.to_string());
    let answer = generation.function.invoke(lambda_event(&event.to_string())).await.unwrap();
    assert_eq!(answer.get(), r#"{"batchItemFailures":[]}"#);
}

fn assert_same(bill: &Value, invoice: &Value) {
    for field in COMMON {
        assert_eq!(bill[field], invoice[field], "{field}");
    }
    let lines = bill["lines"].as_array().unwrap();
    assert!(!lines.is_empty());
    assert!(lines.iter().all(|line| !line["steps"].as_array().unwrap().is_empty()), "how it comes about");
}

/// Everything that a contract can say of a month.
fn rich(simple: Contract) -> Contract {
    Contract {
        rates: vec![Rate {
            salesforce_id: id("a03Fp0000000001"),
            role: "Architect".to_owned(),
            work_type: None,
            person: None,
            above_hours: None,
            hourly_rate: Decimal::new(18_550, 2),
            valid_from: None,
        }],
        blocks: vec![PrepaidHours {
            salesforce_id: id("a0BFp0000000001"),
            bought_on: day("2026-11-10"),
            hours: Decimal::ONE,
            price: Decimal::from(100),
            expires_on: Some(day("2026-12-31")),
        }],
        provisions: Provisions {
            retainer: RetainerClause {
                hours: whole(2),
                fee: whole(210),
                overage: None,
                roll_over_hours: whole(1),
                roll_over_months: whole(2),
            },
            increment: IncrementClause {
                step: Some(IncrementStep::Quarter),
                together: Some(Together::Day),
                ..IncrementClause::default()
            },
            after_hours: AfterHoursClause { factor: Some(Decimal::new(15, 1)), windows: None },
            markup: whole(10),
            discounts: vec![DiscountClause {
                salesforce_id: id("a0CFp0000000001"),
                name: "Partner".to_owned(),
                place: None,
                on: Some(DiscountOn::WorkAndFees),
                percent: Some(Decimal::new(375, 2)),
                amount: None,
                from: None,
            }],
            cap: whole(900),
            cap_span: Some(CapSpan::Period),
            ..simple.provisions
        },
        version: simple.version + 1,
        ..simple
    }
}

async fn work_through_november(world: &World) {
    for (place, (on, minutes, role)) in [
        ("2026-11-03", 50, None),
        ("2026-11-03", 17, Some("Architect")),
        ("2026-11-09", 125, None),
        ("2026-11-12", 40, Some("Architect")),
        ("2026-11-19", 205, None),
        ("2026-11-20", 300, Some("Architect")),
    ]
    .into_iter()
    .enumerate()
    {
        let place = u32::try_from(place).unwrap();
        log(world, open_case(), place, |entry| TimeEntry {
            worked_on: day(on),
            minutes,
            particulars: Particulars {
                role: role.map(str::to_owned),
                work_type: None,
                hours: (minutes == 40).then_some(WorkingHours::After),
            },
            ..entry
        })
        .await;
    }
    let paid = Expense {
        salesforce_id: id("a0DFp0000000001"),
        case: Some(open_case()),
        incurred_on: day("2026-11-18"),
        description: "Courier".to_owned(),
        person: "Sam Keller".to_owned(),
        cost: Money::from_minor(4_835, "EUR".parse().unwrap()),
    };
    world.store.save_expense(&queues::outlay(paid), &world.bill_changed()).await.unwrap();
}

#[tokio::test]
async fn the_invoices_of_months_are_what_the_preview_said() {
    let clock = MovableClock::new();
    let world = World::start_at(clock.clock()).await;
    let simple = billed_by_the_month(&world).await;
    let agreed = rich(simple);
    world.store.save_contract(&agreed, &world.bill_changed()).await.unwrap();
    counted_from_october(&world, &agreed).await;
    work_through_november(&world).await;
    let function = world.boot("billing-preview").await;

    let seen = preview(&function, None, MANAGER).await;
    let [seen] = seen["contracts"].as_array().unwrap().as_slice() else { panic!("{seen}") };
    let months = seen["months"].as_array().unwrap();
    let [october, november] = months.as_slice() else { panic!("{months:?}") };
    // 95 minutes of October's two hours are 105 billed; a quarter of an hour rolls over into November.
    assert_eq!(october["bill"]["left"]["retainer_minutes"], 15);
    let left = &november["bill"]["left"];
    assert_eq!(left["retainer_minutes"], 0);
    assert_eq!(left["blocks"][0]["left_minutes"], 0);
    let cap = |amount: &str| json!({ "amount": amount, "currency": "EUR" });
    assert_eq!(
        left["cap"],
        json!({ "of": "month", "limit": cap("900.00"), "used": cap("900.00"), "left": cap("0.00") })
    );
    let reductions = |reason: &str| {
        let lines = november["bill"]["lines"].as_array().unwrap().iter();
        let all = lines.flat_map(|line| line["reductions"].as_array().cloned().unwrap_or_default());
        all.filter(|less| less["reason"] == reason).count()
    };
    assert!(reductions("cap") > 0 && reductions("discount") > 0, "the bill shows what a bill can show");
    // Work cannot cost more than the cap, however it goes on: the forecast is the bill.
    assert_eq!(november["forecast"]["gross"], november["bill"]["gross"]);
    // The same for one contract, and as the consultancy sees it.
    let one = preview(&function, Some(("contract", &agreed.id.to_string())), MANAGER).await;
    assert_eq!(one["contracts"][0], *seen);
    let staff = preview(&function, Some(("account", &account().to_string())), AGENT).await;
    assert_eq!(staff["contracts"][0], *seen);
    let by_case = preview(&function, Some(("case", &open_case().to_string())), MANAGER).await;
    assert_eq!(by_case["cases"][0]["billed"], "by_month");

    clock.advance(TO_MID_DECEMBER);
    generate(&world, "invoice-generation-billing-due", |_| {}).await;
    for (month, bill) in [("2026-10-01", october), ("2026-11-01", november)] {
        let scope = Scope::Period(Period::of(day(month)));
        let invoice = read(&world, InvoiceId::of(account(), agreed.id, scope)).await;
        assert_same(&bill["bill"], &invoice);
    }
    // What is billed is no preview any more.
    let after = preview(&function, None, MANAGER).await;
    let months = after["contracts"][0]["months"].as_array().unwrap();
    assert_eq!(months.len(), 1, "{months:?}");
    assert_eq!(months[0]["month"], "2026-12");
}

/// A case of the client company, closed a moment from now or not.
async fn close(world: &World, id: CaseId) {
    let open = world.case(id).await;
    let status = Status { label: "Closed".to_owned(), closed: true };
    let version = open.version + 1;
    let closed = Case { status, closed_at: Some(now()), version, ..open };
    world.store.save_case(&closed, &[], &[]).await.unwrap();
}

#[tokio::test]
async fn the_invoice_of_a_case_is_what_the_preview_said() {
    let world = World::start().await;
    let simple = contract();
    let provisions = Provisions { minimum_charge: whole(150), markup: whole(12), ..Provisions::default() };
    let blocks = vec![PrepaidHours {
        salesforce_id: id("a0BFp0000000002"),
        bought_on: day("2026-11-01"),
        hours: Decimal::ONE,
        price: Decimal::from(100),
        expires_on: None,
    }];
    let agreed = Contract { provisions, blocks, version: simple.version + 1, ..simple };
    world.store.save_contract(&agreed, &world.bill_changed()).await.unwrap();
    log(&world, open_case(), 1, |entry| TimeEntry { minutes: 50, ..entry }).await;
    log(&world, open_case(), 2, |entry| TimeEntry { minutes: 27, ..entry }).await;
    let function = world.boot("billing-preview").await;

    let seen = preview(&function, Some(("case", &open_case().to_string())), MANAGER).await;
    let [seen] = seen["cases"].as_array().unwrap().as_slice() else { panic!("{seen}") };
    assert_eq!((&seen["billed"], &seen["contract"]), (&json!("by_case"), &json!(agreed.id)));
    assert_eq!(seen["bill"]["left"]["blocks"][0]["left_minutes"], 0);
    assert_eq!(seen["bill"]["time"]["worked_minutes"], 77);
    let all = preview(&function, None, MANAGER).await;
    assert_eq!(all["cases"], json!([seen]), "the only open case with something on it");
    assert_eq!(all["contracts"][0]["billed_by"], "case");
    assert_eq!(all["contracts"][0]["left"]["blocks"][0]["left_minutes"], 60, "before any bill");

    close(&world, open_case()).await;
    let closed = |event: &mut Value| event["case"] = json!(open_case());
    generate(&world, "invoice-generation-case-closed", closed).await;
    let scope = Scope::Case { case: open_case(), closed_on: day("2026-11-22"), part: 0 };
    let id = InvoiceId::of(account(), agreed.id, scope);
    assert_same(&seen["bill"], &read(&world, id).await);
    let after = preview(&function, Some(("case", &open_case().to_string())), MANAGER).await;
    assert_eq!(
        (&after["cases"][0]["billed"], &after["cases"][0]["invoice"]),
        (&json!("invoiced"), &json!(id))
    );
    assert!(after["cases"][0]["bill"].is_null());
}

#[tokio::test]
async fn what_cannot_be_priced_says_so_and_holds_up_nothing_else() {
    let world = World::start().await;
    let simple = contract();
    let ended = Contract { valid_to: Some(day("2026-11-10")), version: simple.version + 1, ..simple.clone() };
    world.store.save_contract(&ended, &world.bill_changed()).await.unwrap();
    let nobodys = "a02Fp0000000001".parse().unwrap();
    let unusable = Contract {
        id: portico_domain::ContractId::of_salesforce(&nobodys),
        salesforce_id: nobodys,
        name: "Support 2027".to_owned(),
        valid_from: day("2026-11-20"),
        time_zone: "Europe/Atlantis".to_owned(),
        ..simple
    };
    world.store.save_contract(&unusable, &world.bill_changed()).await.unwrap();
    // The one case was worked on while nothing was agreed, the other while nobody could bill by what was.
    for (place, (id, on)) in
        [(case_number(1), "2026-11-15"), (case_number(2), "2026-11-21")].into_iter().enumerate()
    {
        let salesforce_id = Some(format!("500Fp{place:010}").parse().unwrap());
        let open = Case { id, salesforce_id, ..case(open_case(), "Working", false) };
        world.store.save_case(&open, &[], &[]).await.unwrap();
        let place = u32::try_from(place).unwrap();
        log(&world, id, place, |entry| TimeEntry { worked_on: day(on), ..entry }).await;
    }
    let function = world.boot("billing-preview").await;

    let seen = preview(&function, None, MANAGER).await;
    let words = "The contract cannot be billed by as it stands. The consultancy has to put it right.";
    let of_contract = &seen["contracts"][0];
    assert_eq!((&of_contract["name"], &of_contract["not_priced"]), (&json!("Support 2027"), &json!(words)));
    let cases = seen["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 2, "{cases:?}");
    assert!(cases.iter().all(|case| case["bill"].is_null() && case["not_priced"] == words), "{cases:?}");
    // Who can put it right is told what.
    let staff = preview(&function, Some(("account", &account().to_string())), AGENT).await;
    let words = staff["contracts"][0]["not_priced"].as_str().unwrap();
    assert!(words.contains(unusable.salesforce_id.to_string().as_str()), "{words}");

    // Without the other contract there is none by which it could be billed.
    let over = unusable.ended().unwrap();
    world.store.end_contract(&over, &world.bill_changed()).await.unwrap();
    let seen = preview(&function, Some(("case", &case_number(1).to_string())), MANAGER).await;
    assert_eq!(seen["cases"][0]["not_priced"], "No contract holds on 2026-11-15.");
}

fn case_number(number: u128) -> CaseId {
    CaseId::from_uuid(uuid::Uuid::from_u128((7 << 76) | (2 << 62) | (1 << 41) | number))
}

#[tokio::test]
async fn an_answer_is_bounded_and_says_what_it_leaves_out() {
    /// More than an answer looks at.
    const CASES: u128 = 27;
    const CONTRACTS: usize = portico_billing::CONTRACTS_MAX + 2;
    let world = World::start().await;
    for number in 0..CASES {
        let id = case_number(number);
        let salesforce_id = Some(format!("500Fp{number:010}").parse().unwrap());
        let open = Case { id, salesforce_id, ..case(open_case(), "Working", false) };
        world.store.save_case(&open, &[], &[]).await.unwrap();
        log(&world, id, u32::try_from(number).unwrap(), |entry| entry).await;
    }
    for number in 1..CONTRACTS {
        let salesforce_id = format!("a02Fp{number:010}").parse().unwrap();
        let id = portico_domain::ContractId::of_salesforce(&salesforce_id);
        let another = Contract { id, salesforce_id, ..contract() };
        world.store.save_contract(&another, &world.bill_changed()).await.unwrap();
    }
    let function = world.boot("billing-preview").await;

    let first = preview(&function, Some(("limit", "100")), MANAGER).await;
    assert_eq!(first["contracts"].as_array().unwrap().len(), portico_billing::CONTRACTS_MAX);
    let left_out = first["contracts_left_out"].as_array().unwrap();
    assert_eq!(left_out.len(), 2);
    let one = preview(&function, Some(("contract", left_out[0]["id"].as_str().unwrap())), MANAGER).await;
    assert_eq!(one["contracts"][0]["contract"], left_out[0]["id"]);
    let mut seen: Vec<Value> = first["cases"].as_array().unwrap().clone();
    assert!(seen.len() <= 25, "{}", seen.len());
    let next = first["next_cursor"].as_str().unwrap();
    let second = preview(&function, Some(("cursor", next)), MANAGER).await;
    assert!(second["contracts"].is_null() && second["next_cursor"].is_null(), "{second}");
    seen.extend(second["cases"].as_array().unwrap().iter().cloned());
    let ids: std::collections::BTreeSet<&str> =
        seen.iter().map(|case| case["case"].as_str().unwrap()).collect();
    assert_eq!((ids.len(), seen.len()), (27, 27), "each once");
}

/// The checkbox on the Account, and what members see because of it.
#[tokio::test]
async fn members_see_money_if_the_account_says_so_in_salesforce() {
    let world = World::start().await;
    let (sync, agent) = (world.boot("salesforce-sync").await, Agent::sign_in(&world).await);
    let (function, listing) = (world.boot("billing-preview").await, world.boot("invoice-listing").await);
    let says = async |checked: bool| {
        let fields = json!({ "Portal_Members_See_Invoices__c": checked });
        agent.update("Account", company().salesforce_id, fields).await;
        let event = json!({ "Records": [message(&[(Object::Account, company().salesforce_id)])] });
        let answer = sync.function.invoke(lambda_event(&event.to_string())).await.unwrap();
        assert_eq!(answer.get(), r#"{"batchItemFailures":[]}"#);
        let account: Account = world.store.account(&world.tenant()).await.unwrap().unwrap();
        account.invoice_readers
    };
    let statuses = async || {
        let preview = Request::sample("billing-preview-member").send_to(&function.function).await;
        let list = Request::sample("invoice-listing-page").by(MEMBER).send_to(&listing.function).await;
        (preview.status, list.status)
    };
    assert_eq!(statuses().await, (403, 403));
    assert_eq!(says(true).await, InvoiceReaders::Everybody);
    assert_eq!(statuses().await, (200, 200));
    assert_eq!(says(false).await, InvoiceReaders::ManagersAndBilling);
    assert_eq!(statuses().await, (403, 403));
}
