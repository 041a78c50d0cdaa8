//! What is billed by the month, what staff have in hand, and what they take back.

use portico_domain::{
    CreditNoteId, EntryId, InvoiceId,
    audit::ActorRole,
    billing::{
        ContractBalance, Credit, CreditWish, Crediting, Draft, Invoice, InvoiceState, Period, Scope,
        TimeEntry,
    },
    cases::{Case, TimelineEntry},
    contracts::{BilledBy, Contract, Provisions},
    events::{Event, Fact},
};
use portico_store::LineChange;
use serde_json::{Value, json};

use super::{
    Sample,
    http::{actor, assert_refused, done_by},
    text,
};
use crate::{
    outbox,
    stack::now,
    world::{AGENT, World, account, bits, closed_case, contract, lambda_event, time_entries},
};

/// The contract, by which months are billed from October on, and hours of October.
pub async fn billed_by_the_month(world: &World) -> Contract {
    let provisions = Provisions { billed_by: BilledBy::Month, ..Provisions::default() };
    let valid_from = "2026-10-01".parse().unwrap();
    let monthly = Contract { provisions, valid_from, version: 2, ..contract() };
    world.store.save_contract(&monthly, &world.bill_changed()).await.unwrap();
    let [november, _] = time_entries();
    let worked_on = "2026-10-31".parse().unwrap();
    let case = world.case(closed_case()).await;
    let event = Event::case_changed(&case, now(), &world.stack.random);
    let case = Case { version: case.version + 1, ..case };
    let salesforce_id = "a01Fk0000000103IAA".parse().unwrap();
    let october =
        TimeEntry { id: EntryId::of_salesforce(&salesforce_id), salesforce_id, worked_on, ..november };
    let in_october = LineChange {
        salesforce_id,
        line: TimelineEntry::of_hours(&october),
        shown: true,
        hours: Some(october),
        before: None,
    };
    world.store.save_lines(&case, &[in_october], &[event]).await.unwrap();
    monthly
}

/// Months are counted from October on.
pub async fn counted_from_october(world: &World, contract: &Contract) -> ContractBalance {
    let balance = world.store.balance(&world.tenant(), contract.id).await.unwrap();
    let begun = balance.begun_after(Period::of("2026-09-01".parse().unwrap()));
    world.store.save_balance(&begun).await.unwrap();
    begun
}

fn tally(says: &Value) -> Value {
    let mut tally = json!({ "due": 0, "begun": 0, "settled": 0, "failed": 0, "more": false });
    tally.as_object_mut().unwrap().extend(says.as_object().unwrap().clone());
    tally
}

pub async fn begins_to_count_months(sample: &Sample) {
    let world = &sample.world;
    let contract = billed_by_the_month(world).await;
    assert_eq!(sample.run().await, tally(&json!({ "begun": 1 })));
    let balance = world.store.balance(&world.tenant(), contract.id).await.unwrap();
    // What was over before the portal knew of the contract was billed elsewhere.
    assert_eq!(balance.through, Some(Period::of("2026-10-01".parse().unwrap())));
    assert_eq!(billing_dues(world).await, 0);
}

async fn billing_dues(world: &World) -> usize {
    let facts = outbox::facts(&world.stack.emulators).await;
    facts.iter().filter(|fact| matches!(fact, Fact::BillingDue { .. })).count()
}

pub async fn finds_a_month_that_is_over(sample: &Sample) {
    let world = &sample.world;
    let contract = billed_by_the_month(world).await;
    counted_from_october(world, &contract).await;
    assert_eq!(sample.run().await, tally(&json!({ "due": 1 })));
    let facts = outbox::facts(&world.stack.emulators).await;
    assert!(facts.contains(&Fact::BillingDue { contract: contract.id }), "{facts:?}");
}

/// As the staff's own request leaves it.
pub async fn take_in_hand(world: &World) -> Value {
    let function = world.boot("invoice-drafting").await.function;
    let answer = function.invoke(lambda_event(&text("invoice-drafting-draft"))).await.unwrap();
    let answer: Value = serde_json::from_str(answer.get()).unwrap();
    assert_eq!(answer["statusCode"], 201, "{answer}");
    serde_json::from_str(answer["body"].as_str().unwrap()).unwrap()
}

fn invoice_of_the_case() -> InvoiceId {
    let closed_on = "2026-11-20".parse().unwrap();
    InvoiceId::of(account(), contract().id, Scope::Case { case: closed_case(), closed_on, part: 0 })
}

pub async fn takes_a_case_in_hand(sample: &Sample) {
    let world = &sample.world;
    let answer = sample.run().await;
    assert_eq!(answer["statusCode"], 201, "{answer}");
    let draft: Draft = world.store.draft(&world.tenant(), invoice_of_the_case()).await.unwrap().unwrap();
    assert_eq!(answer["body"]["fingerprint"], draft.fingerprint.as_str());
    assert_eq!(answer["body"]["gross"]["amount"], draft.gross.to_decimal().to_string());
    // From here on nobody else issues it.
    assert!(world.store.invoice(&world.tenant(), draft.id).await.unwrap().is_none());
    assert_eq!(
        done_by(world, &Fact::InvoiceDrafted { invoice: draft.id }).await,
        actor(&answer, AGENT, ActorRole::Agent, "POST /invoices")
    );
}

pub async fn takes_a_month_in_hand(sample: &Sample) {
    let world = &sample.world;
    let contract = billed_by_the_month(world).await;
    counted_from_october(world, &contract).await;
    let answer = sample.run().await;
    assert_eq!(answer["statusCode"], 201, "{answer}");
    assert_eq!(answer["body"]["subject"]["month"], "2026-10");
    assert_eq!(answer["body"]["net"]["amount"], "189.60");
}

pub async fn does_not_bill_a_month_that_runs(sample: &Sample) {
    let contract = billed_by_the_month(&sample.world).await;
    counted_from_october(&sample.world, &contract).await;
    let answer = sample.run().await;
    assert_refused(&answer, 409, "wrong-state");
    assert_eq!(answer["body"]["detail"], "2026-11 is not over yet");
}

pub async fn asks_for_a_case_or_a_month(sample: &Sample) {
    assert_refused(&sample.run().await, 400, "invalid-request");
}

pub async fn leaves_bills_to_the_consultancy(sample: &Sample) {
    assert_refused(&sample.run().await, 403, "forbidden");
}

pub async fn lists_what_is_in_hand(sample: &Sample) {
    let draft = take_in_hand(&sample.world).await;
    let answer = sample.run().await;
    assert_eq!(answer["body"]["items"][0]["id"], draft["id"], "{answer}");
}

pub async fn issues_what_was_seen(sample: &Sample) {
    let world = &sample.world;
    let draft = take_in_hand(world).await;
    let sent: Value = serde_json::from_str(&text("invoice-drafting-issue")).unwrap();
    let body: Value = serde_json::from_str(sent["body"].as_str().unwrap()).unwrap();
    assert_eq!(body["fingerprint"], draft["fingerprint"], "the sample names the bill of this world");
    let answer = sample.run().await;
    assert_eq!(answer["statusCode"], 201, "{answer}");
    assert_eq!(answer["body"]["number"], "2026-000001");
    assert_eq!(answer["body"]["gross"], draft["gross"]);
    assert_eq!(answer["body"]["lines"], draft["lines"]);
    let id = invoice_of_the_case();
    assert!(world.store.draft(&world.tenant(), id).await.unwrap().is_none(), "it is not in hand any more");
    let fact = Fact::InvoiceIssued { case: Some(closed_case()), invoice: id };
    assert_eq!(
        done_by(world, &fact).await,
        actor(&answer, AGENT, ActorRole::Agent, "POST /invoices/{invoiceId}/issue")
    );
}

pub async fn does_not_issue_what_nobody_saw(sample: &Sample) {
    let world = &sample.world;
    take_in_hand(world).await;
    assert_refused(&sample.run().await, 409, "changed-since");
    assert!(world.store.invoice(&world.tenant(), invoice_of_the_case()).await.unwrap().is_none());
}

pub async fn case_b07_takes_a_part_back(sample: &Sample) {
    let world = &sample.world;
    let invoice = world.issue_invoice().await;
    let answer = sample.run().await;
    assert_eq!(answer["statusCode"], 201, "{answer}");
    assert_eq!(answer["body"]["number"], "C2026-000001");
    assert_eq!(answer["body"]["net"]["amount"], "-60.00");
    assert_eq!(answer["body"]["gross"]["amount"], "-71.40");
    let after: Invoice = world.store.invoice(&world.tenant(), invoice.id).await.unwrap().unwrap();
    // The invoice stands as it was issued; less is open.
    assert_eq!((after.gross, after.net), (invoice.gross, invoice.net));
    assert_eq!(after.settlement.open.minor(), invoice.gross.minor() - 7140);
    assert_eq!(after.state(now().to_zoned(jiff::tz::TimeZone::UTC).date()), InvoiceState::Open);
    let note: CreditNoteId = answer["body"]["id"].as_str().unwrap().parse().unwrap();
    let fact = Fact::CreditNoteIssued { case: Some(closed_case()), invoice: invoice.id, credit_note: note };
    assert_eq!(
        done_by(world, &fact).await,
        actor(&answer, AGENT, ActorRole::Agent, "POST /invoices/{invoiceId}/credit")
    );
}

pub async fn does_not_take_back_more_than_there_is(sample: &Sample) {
    let world = &sample.world;
    let invoice = world.issue_invoice().await;
    assert_refused(&sample.run().await, 409, "wrong-state");
    assert_eq!(world.store.invoice(&world.tenant(), invoice.id).await.unwrap().unwrap(), invoice);
}

/// The credit note that the sample names, of the first position of the world's invoice.
pub async fn renders_a_credit_note(sample: &Sample) {
    let world = &sample.world;
    let invoice = world.issue_invoice().await;
    let positions = world.store.positions(&invoice).await.unwrap();
    let credit = Credit { line: 1, amount: positions.lines[0].amount };
    let crediting = Crediting {
        id: CreditNoteId::from_uuid(bits(0xd1)),
        reason: "Logged twice",
        count: 1,
        issued_on: "2026-11-22".parse().unwrap(),
        now: now(),
    };
    let (after, note) = invoice.credit(&positions, CreditWish::Lines(vec![credit]), crediting).unwrap();
    world.store.save_invoice(&after, &[]).await.unwrap();
    let case = Some(closed_case());
    let issued = Fact::CreditNoteIssued { case, invoice: invoice.id, credit_note: note.id };
    let event = Event::in_account(account(), issued, now(), &world.stack.random);
    world.store.save_credit_note(&note, &event).await.unwrap();
    assert_eq!(sample.run().await, json!({ "batchItemFailures": [] }));
    let rendered =
        world.store.credit_note(&world.tenant(), note.id).await.unwrap().unwrap().rendered.unwrap();
    let bucket = world.stack.cloud().bucket("INVOICES_BUCKET").unwrap();
    let pdf = bucket.whole(&rendered.key, 1 << 20).await.unwrap().unwrap();
    assert!(pdf.starts_with(b"%PDF-"));
    let e_invoice = rendered.e_invoice.unwrap();
    let xml = bucket.whole(&e_invoice.key, 1 << 20).await.unwrap().unwrap();
    let xml = std::str::from_utf8(&xml).unwrap();
    // 381 is a credit note (UNTDID 1001), and it names the invoice that it corrects.
    assert!(xml.contains(">381<") && xml.contains(">2026-000001<"), "{xml}");
    let facts = outbox::facts(&world.stack.emulators).await;
    assert!(facts.contains(&Fact::CreditNoteRendered { case, invoice: invoice.id, credit_note: note.id }));
}
