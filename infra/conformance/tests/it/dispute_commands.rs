//! What the commands of `invoice-disputes` need and leave behind.

use futures::future::BoxFuture;
use portico_domain::{
    DisputeId,
    billing::{Dispute, DisputeKind, DisputeState, Invoice, Raising, Signed},
    cases::{Author, Happening, Side},
};
use portico_store::{PageSize, engine::Table};
use serde_json::json;

use crate::{
    billing_commands::{billed_case, in_salesforce, invoiced, put, put_invoice},
    commands::{Answer, Effects, Request},
    stack::now,
    world::{MANAGER, World, account, user},
};

/// A dispute about the first position of an invoice.
pub fn disputed(
    invoice: &Invoice,
    positions: &portico_domain::billing::Positions,
    id: DisputeId,
) -> (Invoice, Dispute) {
    let author = Author { side: Side::Client, name: "Mara Lindqvist".to_owned() };
    let raising = Raising {
        id,
        line: 1,
        kind: DisputeKind::Dispute,
        text: "We were told that this call is not charged.".to_owned().try_into().unwrap(),
        by: Signed { user: user(MANAGER), author, at: now() },
    };
    invoice.raise(positions, raising).unwrap()
}

/// Writes a dispute that nobody is told of.
pub async fn put_dispute(world: &World, dispute: &Dispute) {
    let keys = json!({ "invoice_key": format!("{}#{}", account(), dispute.invoice), "dispute": dispute.id });
    put(world, Table::Disputes, dispute, keys).await;
}

/// The one dispute about the invoice of this case; raised if it is not there yet.
async fn dispute(world: &World, marker: &str, to: &str) -> Dispute {
    let case = billed_case(world, marker, to).await;
    let (invoice, positions) = invoiced(world, &case).await;
    let id = DisputeId::from_uuid(uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, marker.as_bytes()));
    if let Some(dispute) = world.store.dispute(&world.tenant(), invoice.id, id).await.unwrap() {
        return dispute;
    }
    let (invoice, dispute) = disputed(&invoice, &positions, id);
    put_invoice(world, &invoice, &positions).await;
    put_dispute(world, &dispute).await;
    dispute
}

async fn on_a_dispute(world: &World, marker: &str, to: &str, sample: &str) -> Request {
    let dispute = dispute(world, marker, to).await;
    Request::sample(sample)
        .with_key(marker)
        .with_path("invoiceId", &dispute.invoice.to_string())
        .with_path("disputeId", &dispute.id.to_string())
}

pub fn raise_dispute<'a>(world: &'a World, marker: &'a str) -> BoxFuture<'a, Request> {
    Box::pin(async move {
        let case = billed_case(world, marker, "raise").await;
        let (invoice, _) = invoiced(world, &case).await;
        let mut request = Request::sample("invoice-disputes-raise").with_key(marker);
        request.set_body(|body| body["text"] = json!(marker));
        request.with_path("invoiceId", &invoice.id.to_string())
    })
}

/// Everything that is kept of the disputes about the invoice of an answer.
async fn kept(world: &World, answer: &Answer) -> (Invoice, Vec<Dispute>, Effects) {
    let id = answer.body["invoice"].as_str().unwrap().parse().unwrap();
    let invoice = world.store.invoice(&world.tenant(), id).await.unwrap().unwrap();
    let most = PageSize::new(PageSize::MAX).unwrap();
    let disputes = world.store.disputes(&invoice, most, None).await.unwrap().unwrap().items;
    for dispute in &disputes {
        assert_eq!(answer.body["id"], json!(dispute.id), "the answer is of this dispute");
    }
    let case = world.case(invoice.subject.case().unwrap()).await;
    let timeline = world.store.timeline(&case, most, None).await.unwrap().unwrap().items;
    let told = |line: &&portico_domain::cases::TimelineEntry| {
        matches!(line.happening, Happening::Disputed { .. } | Happening::DisputeClosed { .. })
    };
    let lines = timeline.iter().filter(told).count();
    let records = in_salesforce(world, &invoice).await;
    let held = |record: &&serde_json::Value| record["Held__c"].as_f64().is_some_and(|held| held > 0.0);
    let effects = vec![
        ("disputes", disputes.len()),
        ("open disputes on the invoice", invoice.disputed.open.into()),
        ("lines on the timeline", lines),
        ("records in Salesforce", records.len()),
        ("of which something is held", records.iter().filter(held).count()),
    ];
    (invoice, disputes, effects)
}

pub fn raised_disputes<'a>(world: &'a World, marker: &'a str, answer: &'a Answer) -> BoxFuture<'a, Effects> {
    Box::pin(async move {
        let (invoice, disputes, effects) = kept(world, answer).await;
        assert!(disputes.iter().all(|dispute| dispute.text.as_str() == marker));
        assert_eq!(invoice.settlement.held, disputes[0].gross);
        effects
    })
}

pub fn answer_dispute<'a>(world: &'a World, marker: &'a str) -> BoxFuture<'a, Request> {
    Box::pin(async move {
        let mut request = on_a_dispute(world, marker, "answer", "invoice-disputes-answer").await;
        request.set_body(|body| body["text"] = json!(marker));
        request
    })
}

pub fn answered_disputes<'a>(
    world: &'a World,
    marker: &'a str,
    answer: &'a Answer,
) -> BoxFuture<'a, Effects> {
    Box::pin(async move {
        let (_, disputes, mut effects) = kept(world, answer).await;
        let answers = disputes.iter().flat_map(|dispute| &dispute.answers);
        effects.push(("answers", answers.filter(|answer| answer.text.as_str() == marker).count()));
        effects
    })
}

pub fn resolve_dispute<'a>(world: &'a World, marker: &'a str) -> BoxFuture<'a, Request> {
    Box::pin(on_a_dispute(world, marker, "resolve", "invoice-disputes-resolve"))
}

pub fn withdraw_dispute<'a>(world: &'a World, marker: &'a str) -> BoxFuture<'a, Request> {
    Box::pin(on_a_dispute(world, marker, "withdraw", "invoice-disputes-withdraw"))
}

pub fn closed_disputes<'a>(world: &'a World, _: &'a str, answer: &'a Answer) -> BoxFuture<'a, Effects> {
    Box::pin(async move {
        let (_, disputes, mut effects) = kept(world, answer).await;
        let closed = disputes.iter().filter(|dispute| matches!(dispute.state, DisputeState::Closed(_)));
        effects.push(("closed", closed.count()));
        effects
    })
}
