//! What the commands of `invoice-drafting` need and leave behind. What they need is written without telling anybody, so that
//! the outbox holds what the command itself says.

use futures::future::BoxFuture;
use lambda_runtime::LambdaEvent;
use portico_domain::{
    EntryId, InvoiceId,
    billing::{self, Carry, Draft, Fingerprint, Input, Invoice, Issuing, Positions, Scope, TimeEntry},
    cases::{Case, Happening},
    events::{Event, Fact},
};
use portico_salesforce::{Pace, Soql};
use portico_store::{
    PageSize,
    engine::{Condition, Table, Write},
};
use rust_decimal::Decimal;
use serde::Serialize;
use serde_json::{Value, json, value::RawValue};

use crate::{
    commands::{Answer, Effects, Request, marked_case},
    samples::text,
    stack::now,
    world::{AGENT, World, account, company, contract, lambda_event, time_entries, user},
};

/// Writes a record that nobody is told of.
pub async fn put(world: &World, table: Table, record: &impl Serialize, keys: Value) {
    let mut item = serde_json::to_value(record).unwrap();
    item.as_object_mut().unwrap().extend(keys.as_object().unwrap().clone());
    let item = serde_dynamo::to_item(item).unwrap();
    world.stack.engine().transact(&[Write::Put { table, item, condition: Condition::Always }]).await.unwrap();
}

/// Logs time of which nobody is told.
pub async fn put_hours(world: &World, hours: &TimeEntry) {
    let keys = json!({
        "case_key": format!("{}#{}", account(), hours.case), "entry": hours.id, "account": account(),
    });
    put(world, Table::TimeEntries, hours, keys).await;
}

/// What `invoice-generation` gets to hear of a fact.
pub fn invoicing_message(world: &World, fact: Fact) -> LambdaEvent<Box<RawValue>> {
    let mut message: Value = serde_json::from_str(&text("invoice-generation-case-closed")).unwrap();
    let event = Event::in_account(account(), fact, now(), &world.stack.random);
    message["Records"][0]["body"] = json!(serde_json::to_string(&event).unwrap());
    lambda_event(&message.to_string())
}

/// The closed case of this subject, with an hour and a half on it.
pub async fn billed_case(world: &World, marker: &str, to: &str) -> Case {
    let case = marked_case(world, marker, to, "Closed", true).await;
    if case.closed_at.is_some() {
        return case;
    }
    let salesforce_id = case.salesforce_id.unwrap();
    let id = EntryId::of_salesforce(&salesforce_id);
    let [worked, _] = time_entries();
    let hours = TimeEntry { id, salesforce_id, case: case.id, minutes: 90, ..worked };
    put_hours(world, &hours).await;
    let closed = Case { closed_at: Some(now()), version: case.version + 1, ..case };
    world.store.save_case(&closed, &[], &[]).await.unwrap();
    closed
}

async fn prepared(world: &World, case: &Case) -> portico_billing::Prepared {
    let completion = portico_billing::Completion::WhenClosed;
    portico_billing::of_case(&world.store, &world.tenant(), case.id, completion).await.unwrap().unwrap()
}

/// The first bill of a case.
fn first_bill(case: &Case) -> (InvoiceId, Scope) {
    let closed_on = contract().day_of(case.closed_at.unwrap());
    let scope = Scope::Case { case: case.id, closed_on, part: 0 };
    (InvoiceId::of(account(), contract().id, scope), scope)
}

fn of(answer: &Answer, name: &str) -> InvoiceId {
    answer.body[name].as_str().unwrap().parse().unwrap()
}

async fn bills(world: &World, id: InvoiceId) -> (usize, Option<Invoice>) {
    let draft = world.store.draft(&world.tenant(), id).await.unwrap();
    (draft.iter().count(), world.store.invoice(&world.tenant(), id).await.unwrap())
}

pub fn draft_invoice<'a>(world: &'a World, marker: &'a str) -> BoxFuture<'a, Request> {
    Box::pin(async move {
        let case = billed_case(world, marker, "draft").await;
        let mut request = Request::sample("invoice-drafting-draft").with_key(marker);
        request.set_body(|body| *body = json!({ "case": case.id }));
        request
    })
}

pub fn drafted_invoices<'a>(world: &'a World, marker: &'a str, answer: &'a Answer) -> BoxFuture<'a, Effects> {
    Box::pin(async move {
        let case = billed_case(world, marker, "draft").await;
        assert_eq!(answer.body["subject"]["case"], json!(case.id), "the answer is of this case");
        let (drafts, invoice) = bills(world, of(answer, "id")).await;
        vec![("bills in hand", drafts), ("invoices", invoice.iter().count())]
    })
}

pub fn issue_invoice<'a>(world: &'a World, marker: &'a str) -> BoxFuture<'a, Request> {
    Box::pin(async move {
        let case = billed_case(world, marker, "issue").await;
        let (id, scope) = first_bill(&case);
        // Once it is issued nobody prices it any more: it is priced here, whatever became of it.
        let agreement = contract().agreement().unwrap();
        let entries = world.store.time_entries(&world.tenant(), case.id).await.unwrap();
        let bill = billing::price(Input {
            agreement: &agreement,
            scope,
            earliest: None,
            entries: &entries,
            expenses: &[],
            deliveries: &[],
            before: &Carry::default(),
        });
        let bill = bill.unwrap();
        let fingerprint = Fingerprint::of(&bill).unwrap();
        if let (0, None) = bills(world, id).await {
            let draft = Draft {
                id,
                account: account(),
                contract: contract().id,
                scope,
                fingerprint: fingerprint.clone(),
                gross: bill.gross,
                drafted_by: user(AGENT),
                drafted_at: now(),
                version: 1,
            };
            let keys = json!({ "account_key": format!("{}#drafts", account()), "entry": id });
            put(world, Table::Billing, &draft, keys).await;
        }
        let mut request = Request::sample("invoice-drafting-issue").with_key(marker);
        request.set_body(|body| *body = json!({ "fingerprint": fingerprint.as_str() }));
        request.with_path("invoiceId", &id.to_string())
    })
}

pub fn issued_invoices<'a>(world: &'a World, marker: &'a str, answer: &'a Answer) -> BoxFuture<'a, Effects> {
    Box::pin(async move {
        let case = billed_case(world, marker, "issue").await;
        assert_eq!(answer.body["subject"]["case"], json!(case.id), "the answer is of this case");
        let (drafts, invoice) = bills(world, of(answer, "id")).await;
        let invoice = invoice.unwrap();
        assert_eq!(answer.body["number"], invoice.number.as_str(), "the answer has its number");
        let most = PageSize::new(PageSize::MAX).unwrap();
        let timeline = world.store.timeline(&case, most, None).await.unwrap().unwrap();
        let lines = timeline.items.iter();
        let billed = lines.filter(|line| matches!(line.happening, Happening::Invoiced { .. })).count();
        vec![
            ("bills in hand", drafts),
            ("invoices", 1),
            ("lines on the timeline", billed),
            ("Portal_Invoice__c in Salesforce", in_salesforce(world, &invoice).await.len()),
            (
                "documents",
                invoice.rendered.iter().map(|rendered| 1 + rendered.e_invoice.iter().count()).sum(),
            ),
        ]
    })
}

/// The records of an invoice, as the org has them.
pub async fn in_salesforce(world: &World, invoice: &Invoice) -> Vec<Value> {
    let salesforce = world.stack.cloud().salesforce(Pace::Submission).await.unwrap();
    let fields = ["Id", "Portal_Invoice_Id__c", "State__c", "Held__c", "Disputes_Open__c"];
    let soql = Soql::by_ids("Portal_Invoice__c", &fields, "Account__c", &[company().salesforce_id]);
    let mut there: Vec<Value> = salesforce.query_all(&soql).await.unwrap();
    there.retain(|record| record["Portal_Invoice_Id__c"] == json!(invoice.id));
    there
}

/// The invoice of a case, as it stands; issued if it is not there yet.
pub async fn invoiced(world: &World, case: &Case) -> (Invoice, Positions) {
    if let (_, Some(invoice)) = bills(world, first_bill(case).0).await {
        let positions = world.store.positions(&invoice).await.unwrap();
        return (invoice, positions);
    }
    let prepared = prepared(world, case).await;
    let issuing = Issuing {
        contract: prepared.contract.id,
        clauses: &prepared.clauses,
        account: &prepared.account,
        scope: prepared.scope,
        count: 1,
        now: now(),
    };
    let (invoice, positions) = Invoice::issue(prepared.bill, prepared.subject, issuing).unwrap();
    put_invoice(world, &invoice, &positions).await;
    (invoice, positions)
}

pub fn credit_invoice<'a>(world: &'a World, marker: &'a str) -> BoxFuture<'a, Request> {
    Box::pin(async move {
        let case = billed_case(world, marker, "credit").await;
        let id = invoiced(world, &case).await.0.id;
        let mut request = Request::sample("invoice-drafting-credit").with_key(marker);
        request.set_body(|body| *body = json!({ "reason": marker }));
        request.with_path("invoiceId", &id.to_string())
    })
}

pub async fn put_invoice(world: &World, invoice: &Invoice, positions: &Positions) {
    put(world, Table::Invoices, invoice, json!({ "account": account(), "invoice": invoice.id })).await;
    let mut whole = serde_json::to_value(&positions.derivation).unwrap();
    let derivations = whole["lines"].take();
    whole["lines"] = json!([]);
    let chunk =
        json!({ "lines": positions.lines, "derivations": derivations, "whole": { "derivation": whole } });
    let keys = json!({ "invoice_key": format!("{}#{}", account(), invoice.id), "entry": "0000" });
    put(world, Table::InvoicePositions, &chunk, keys).await;
}

pub fn credited_invoices<'a>(
    world: &'a World,
    marker: &'a str,
    answer: &'a Answer,
) -> BoxFuture<'a, Effects> {
    Box::pin(async move {
        let most = PageSize::new(PageSize::MAX).unwrap();
        let notes = world.store.credit_notes(&world.tenant(), most, None).await.unwrap().unwrap();
        let notes: Vec<_> = notes.items.into_iter().filter(|note| note.reason == marker).collect();
        for note in &notes {
            assert_eq!(answer.body["id"], json!(note.id), "the answer is of this credit note");
        }
        let invoice = world.store.invoice(&world.tenant(), of(answer, "invoice")).await.unwrap().unwrap();
        assert_eq!(invoice.settlement.open.to_decimal(), Decimal::ZERO);
        let void =
            in_salesforce(world, &invoice).await.iter().filter(|record| record["State__c"] == "Void").count();
        let documents = notes.iter().filter_map(|note| note.rendered.as_ref());
        vec![
            ("credit notes", notes.len()),
            ("credited in Salesforce", void),
            ("documents", documents.map(|rendered| 1 + rendered.e_invoice.iter().count()).sum()),
        ]
    })
}
