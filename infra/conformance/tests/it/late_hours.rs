//! Hours that are logged after the bill: they are on the next one, and nothing is on two.

use portico_aws::Function;
use portico_domain::{
    ContractId, EntryId,
    billing::{Invoice, Period, TimeEntry},
    events::Fact,
};
use portico_store::PageSize;
use serde_json::json;

use crate::{
    billing_commands::{invoicing_message, put_hours},
    commands::Request,
    samples::billing::{billed_by_the_month, counted_from_october},
    stack::MovableClock,
    world::{World, closed_case, time_entries},
};

/// Logs time, as the sync would.
async fn log(world: &World, number: u32, worked_on: &str, minutes: i64) {
    let salesforce_id = format!("a01Fk{number:010}").parse().unwrap();
    let [entry, _] = time_entries();
    let id = EntryId::of_salesforce(&salesforce_id);
    let entry = TimeEntry { id, salesforce_id, worked_on: worked_on.parse().unwrap(), minutes, ..entry };
    put_hours(world, &entry).await;
}

async fn tell(world: &World, generation: &Function, fact: Fact) {
    let answer = generation.invoke(invoicing_message(world, fact)).await.unwrap();
    assert_eq!(answer.get(), r#"{"batchItemFailures":[]}"#);
}

/// In the order of their numbers: the minutes of each position.
async fn billed(world: &World) -> Vec<(Invoice, Vec<i64>)> {
    let most = PageSize::new(PageSize::MAX).unwrap();
    let page = world.store.invoices(&world.tenant(), most, None).await.unwrap().unwrap();
    let mut all = Vec::new();
    for invoice in page.items {
        let positions = world.store.positions(&invoice).await.unwrap();
        all.push((invoice, positions.lines.iter().map(|line| line.minutes).collect()));
    }
    all.sort_by(|(one, _), (next, _)| one.number.as_str().cmp(next.number.as_str()));
    all
}

async fn minutes_billed(world: &World) -> Vec<Vec<i64>> {
    billed(world).await.into_iter().map(|(_, minutes)| minutes).collect()
}

#[tokio::test]
async fn case_b09_a_case_that_is_closed_again_is_billed_for_what_is_new() {
    let world = World::start().await;
    let generation = world.boot("invoice-generation").await.function;
    let closed = Fact::CaseClosed { case: closed_case() };
    tell(&world, &generation, closed.clone()).await;
    tell(&world, &generation, closed.clone()).await;
    assert_eq!(minutes_billed(&world).await, [[95, 20]]);
    log(&world, 103, "2026-11-19", 30).await;
    tell(&world, &generation, closed.clone()).await;
    tell(&world, &generation, closed).await;
    assert_eq!(minutes_billed(&world).await, [vec![95, 20], vec![30]]);
}

/// What was given away stays away; what staff bill anew by hand is billed anew, once.
#[tokio::test]
async fn case_b07_what_was_credited_as_a_whole_is_billed_again_by_hand_only() {
    let world = World::start().await;
    let [generation, drafting] =
        [world.boot("invoice-generation").await.function, world.boot("invoice-drafting").await.function];
    let closed = Fact::CaseClosed { case: closed_case() };
    tell(&world, &generation, closed.clone()).await;
    let [(invoice, _)] = billed(&world).await.try_into().unwrap();
    let mut credit = Request::sample("invoice-drafting-credit").with_key("all of it");
    credit.set_body(|body| *body = json!({ "reason": "Wrong rate" }));
    let credited = credit.with_path("invoiceId", &invoice.id.to_string()).send_to(&drafting).await;
    assert_eq!(credited.status, 201, "{credited:?}");
    tell(&world, &generation, closed).await;
    assert_eq!(minutes_billed(&world).await, [[95, 20]]);

    let draft = Request::sample("invoice-drafting-draft").with_key("again").send_to(&drafting).await;
    assert_eq!(draft.status, 201, "{draft:?}");
    assert_ne!(draft.body["id"], json!(invoice.id));
    let mut issue = Request::sample("invoice-drafting-issue").with_key("issue again");
    issue.set_body(|body| *body = json!({ "fingerprint": draft.body["fingerprint"] }));
    let issued = issue.with_path("invoiceId", draft.body["id"].as_str().unwrap()).send_to(&drafting).await;
    assert_eq!(issued.status, 201, "{issued:?}");
    assert_eq!(minutes_billed(&world).await, [[95, 20], [95, 20]]);
    let third = Request::sample("invoice-drafting-draft").with_key("once more").send_to(&drafting).await;
    assert_eq!(
        (third.status, &third.body["detail"]),
        (409, &json!("The case is not closed yet, or everything on it is billed."))
    );
}

async fn bill_months(world: &World, generation: &Function, contract: ContractId) {
    tell(world, generation, Fact::BillingDue { contract }).await;
}

#[tokio::test]
async fn case_b05_hours_logged_late_are_on_the_bill_of_the_next_month() {
    let clock = MovableClock::new();
    let world = World::start_at(clock.clock()).await;
    let contract = billed_by_the_month(&world).await;
    counted_from_october(&world, &contract).await;
    let generation = world.boot("invoice-generation").await.function;
    // Of September nobody counts anything here: it was billed elsewhere.
    log(&world, 104, "2026-09-30", 45).await;
    bill_months(&world, &generation, contract.id).await;
    assert_eq!(minutes_billed(&world).await, [[95]]);
    log(&world, 105, "2026-10-30", 60).await;
    bill_months(&world, &generation, contract.id).await;
    assert_eq!(minutes_billed(&world).await, [[95]], "a month is billed once");
    clock.advance(jiff::SignedDuration::from_hours(24 * 13));
    bill_months(&world, &generation, contract.id).await;
    bill_months(&world, &generation, contract.id).await;
    let bills = billed(&world).await;
    let minutes: Vec<&Vec<i64>> = bills.iter().map(|(_, minutes)| minutes).collect();
    // 95 and 20 of 18 November, and the hour of October.
    assert_eq!(minutes, [&vec![95], &vec![60, 95, 20]]);
    let balance = world.store.balance(&world.tenant(), contract.id).await.unwrap();
    assert_eq!(balance.through, Some(Period::of("2026-11-01".parse().unwrap())));
}
