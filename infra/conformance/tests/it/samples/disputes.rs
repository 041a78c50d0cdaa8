//! What clients ask about invoices, and what they look for among them.

use portico_domain::{
    DisputeId,
    audit::ActorRole,
    billing::{
        Credit, CreditWish, Crediting, Dispute, DisputeState, Invoice, Outcome, Rendered, StoredDocument,
    },
    cases::Happening,
    events::{Access, Fact},
};
use portico_store::PageSize;

use super::{
    Sample,
    http::{actor, assert_refused, done_by},
};
use crate::{
    dispute_commands::{disputed, put_dispute},
    stack::now,
    world::{AGENT, MANAGER, World, bits, closed_case},
};

const OF_ONE: &str = "/invoices/{invoiceId}/disputes/{disputeId}";

/// The dispute that the samples name, about the first position of the world's invoice.
async fn under_dispute(world: &World) -> (Invoice, Dispute) {
    let invoice = world.issue_invoice().await;
    let positions = world.store.positions(&invoice).await.unwrap();
    let (invoice, dispute) = disputed(&invoice, &positions, DisputeId::from_uuid(bits(0xd5)));
    world.store.save_invoice(&invoice, &[]).await.unwrap();
    put_dispute(world, &dispute).await;
    (invoice, dispute)
}

async fn invoice(world: &World, before: &Invoice) -> Invoice {
    world.store.invoice(&world.tenant(), before.id).await.unwrap().unwrap()
}

async fn dispute(world: &World, before: &Dispute) -> Dispute {
    world.store.dispute(&world.tenant(), before.invoice, before.id).await.unwrap().unwrap()
}

async fn happened(world: &World) -> Vec<Happening> {
    let case = world.case(closed_case()).await;
    let most = PageSize::new(PageSize::MAX).unwrap();
    let timeline = world.store.timeline(&case, most, None).await.unwrap().unwrap();
    timeline.items.into_iter().map(|line| line.happening).collect()
}

pub async fn holds_one_position(sample: &Sample) {
    let world = &sample.world;
    let before = world.issue_invoice().await;
    let positions = world.store.positions(&before).await.unwrap();
    let answer = sample.run().await;
    assert_eq!(answer["statusCode"], 201, "{answer}");
    let after = invoice(world, &before).await;
    let taxes = positions.tax_by_line(&before.taxes).unwrap();
    let line = positions.lines[0].amount.plus(taxes[0]).unwrap();
    assert_eq!((after.settlement.held, after.settlement.open), (line, before.gross));
    assert_eq!(after.settlement.payable(), before.gross.minus(line).unwrap());
    assert_eq!(answer["body"]["amount"]["amount"], line.to_decimal().to_string());
    let id: DisputeId = answer["body"]["id"].as_str().unwrap().parse().unwrap();
    let fact = Fact::DisputeRaised { case: Some(closed_case()), invoice: before.id, dispute: id };
    assert_eq!(
        done_by(world, &fact).await,
        actor(&answer, MANAGER, ActorRole::Manager, "POST /invoices/{invoiceId}/lines/{line}/disputes")
    );
    assert!(happened(world).await.iter().any(|line| matches!(line, Happening::Disputed { line: 1, .. })));
}

pub async fn holds_nothing_for_a_question(sample: &Sample) {
    let world = &sample.world;
    let before = world.issue_invoice().await;
    let answer = sample.run().await;
    assert_eq!(answer["statusCode"], 201, "{answer}");
    let after = invoice(world, &before).await;
    assert_eq!((after.settlement, after.disputed.open), (before.settlement, 1));
}

pub async fn holds_a_position_once(sample: &Sample) {
    let world = &sample.world;
    let (before, _) = under_dispute(world).await;
    assert_refused(&sample.run().await, 409, "wrong-state");
    assert_eq!(invoice(world, &before).await, before);
}

pub async fn asks_for_words(sample: &Sample) {
    sample.world.issue_invoice().await;
    assert_refused(&sample.run().await, 400, "invalid-request");
}

pub async fn hides_an_invoice_from_a_member(sample: &Sample) {
    sample.world.issue_invoice().await;
    assert_refused(&sample.run().await, 404, "not-found");
}

pub async fn knows_no_such_position(sample: &Sample) {
    sample.world.issue_invoice().await;
    assert_refused(&sample.run().await, 404, "not-found");
}

pub async fn lists_what_was_said(sample: &Sample) {
    let world = &sample.world;
    let (_, dispute) = under_dispute(world).await;
    let answer = sample.run().await;
    assert_eq!(answer["body"]["items"][0]["id"], dispute.id.to_string(), "{answer}");
    assert_eq!(answer["body"]["items"][0]["text"], dispute.text.as_str());
    let fact = Fact::Accessed(Access::DisputesListed { invoice: dispute.invoice });
    assert_eq!(
        done_by(world, &fact).await,
        actor(&answer, AGENT, ActorRole::Agent, "GET /invoices/{invoiceId}/disputes")
    );
}

pub async fn answers_a_client(sample: &Sample) {
    let world = &sample.world;
    let (before, raised) = under_dispute(world).await;
    let answer = sample.run().await;
    assert_eq!(
        (&answer["statusCode"], &answer["body"]["state"]),
        (&201.into(), &"answered".into()),
        "{answer}"
    );
    let after = dispute(world, &raised).await;
    assert_eq!((after.answers.len(), after.state), (1, DisputeState::Answered));
    let fact = Fact::DisputeAnswered { case: Some(closed_case()), invoice: before.id, dispute: raised.id };
    assert_eq!(
        done_by(world, &fact).await,
        actor(&answer, AGENT, ActorRole::Agent, &format!("POST {OF_ONE}/answers"))
    );
}

pub async fn lets_a_client_reply(sample: &Sample) {
    let world = &sample.world;
    let (_, raised) = under_dispute(world).await;
    let answer = sample.run().await;
    assert_eq!(answer["statusCode"], 201, "{answer}");
    assert_eq!(dispute(world, &raised).await.state, DisputeState::Asked);
    assert_eq!(answer["body"]["answers"][0]["author"]["side"], "client");
}

async fn ends(sample: &Sample, outcome: Outcome, by: (&str, ActorRole), route: &str) {
    let world = &sample.world;
    let (before, raised) = under_dispute(world).await;
    let answer = sample.run().await;
    assert_eq!(answer["statusCode"], 200, "{answer}");
    let after = invoice(world, &before).await;
    assert_eq!((after.settlement.held.minor(), after.disputed.open), (0, 0));
    let DisputeState::Closed(closing) = dispute(world, &raised).await.state else { panic!("{answer}") };
    assert_eq!(closing.outcome, outcome);
    let fact = Fact::DisputeClosed { case: Some(closed_case()), invoice: before.id, dispute: raised.id };
    assert_eq!(done_by(world, &fact).await, actor(&answer, by.0, by.1, &format!("POST {OF_ONE}/{route}")));
    let told = happened(world).await;
    assert!(
        told.iter()
            .any(|line| matches!(line, Happening::DisputeClosed { outcome: told, .. } if *told == outcome))
    );
}

pub async fn says_how_it_ended(sample: &Sample) {
    ends(sample, Outcome::Rejected, (AGENT, ActorRole::Agent), "resolve").await;
}

pub async fn takes_a_dispute_back(sample: &Sample) {
    ends(sample, Outcome::Withdrawn, (MANAGER, ActorRole::Manager), "withdraw").await;
}

pub async fn leaves_the_end_to_the_consultancy(sample: &Sample) {
    let (before, _) = under_dispute(&sample.world).await;
    assert_refused(&sample.run().await, 403, "forbidden");
    assert_eq!(invoice(&sample.world, &before).await, before);
}

pub async fn does_not_give_in_without_a_credit(sample: &Sample) {
    let (before, _) = under_dispute(&sample.world).await;
    assert_refused(&sample.run().await, 409, "wrong-state");
    assert_eq!(invoice(&sample.world, &before).await, before);
}

pub async fn gives_in_after_a_credit(sample: &Sample) {
    let world = &sample.world;
    let (before, raised) = under_dispute(world).await;
    let positions = world.store.positions(&before).await.unwrap();
    let credit = Credit { line: 1, amount: positions.lines[0].amount };
    let crediting = Crediting {
        id: portico_domain::CreditNoteId::from_uuid(bits(0xd1)),
        reason: "Saturday was agreed",
        count: 1,
        issued_on: "2026-11-22".parse().unwrap(),
        now: now(),
    };
    let (credited, _) = before.credit(&positions, CreditWish::Lines(vec![credit]), crediting).unwrap();
    assert_eq!(credited.settlement.held.minor(), 0, "what was credited is not held");
    world.store.save_invoice(&credited, &[]).await.unwrap();
    let answer = sample.run().await;
    assert_eq!(answer["statusCode"], 200, "{answer}");
    assert_eq!(answer["body"]["closing"]["outcome"], "upheld");
    let after = invoice(world, &before).await;
    assert_eq!((after.settlement, after.disputed.open), (credited.settlement, 0));
    assert_eq!(dispute(world, &raised).await.version, 2);
}

pub async fn filters_invoices(sample: &Sample) {
    let invoice = sample.world.issue_invoice().await;
    let answer = sample.run().await;
    assert_eq!(answer["body"]["items"][0]["id"], invoice.id.to_string(), "{answer}");
    assert!(answer["body"]["next_cursor"].is_null());
}

pub async fn finds_no_paid_invoice(sample: &Sample) {
    sample.world.issue_invoice().await;
    let answer = sample.run().await;
    assert_eq!(answer["body"], serde_json::json!({ "items": [] }), "{answer}");
}

pub async fn refuses_a_filter(sample: &Sample) {
    let answer = sample.run().await;
    assert_refused(&answer, 400, "invalid-request");
    assert_eq!(answer["body"]["errors"].as_array().unwrap().len(), 3, "{answer}");
}

/// Renders the world's invoice, as far as records know.
async fn rendered(world: &World, e_invoice: bool) -> Invoice {
    let before = world.issue_invoice().await;
    let document = |key: String| StoredDocument { key, size: 8, sha256: "0".repeat(64) };
    let StoredDocument { key, size, sha256 } = document(before.document_key());
    let e_invoice = e_invoice.then(|| document(before.e_invoice_key()));
    let rendered = Some(Rendered { key, size, sha256, e_invoice });
    let after = Invoice { rendered, version: before.version + 1, ..before };
    world.store.save_invoice(&after, &[]).await.unwrap();
    after
}

pub async fn leads_to_the_e_invoice(sample: &Sample) {
    let world = &sample.world;
    let invoice = rendered(world, true).await;
    let bucket = world.stack.cloud().bucket("INVOICES_BUCKET").unwrap();
    bucket.put(&invoice.e_invoice_key(), "application/xml", "<xml/>".into()).await.unwrap();
    let answer = sample.run().await;
    assert_eq!(answer["statusCode"], 303, "{answer}");
    let got = reqwest::get(answer["multiValueHeaders"]["location"][0].as_str().unwrap()).await.unwrap();
    assert_eq!(got.headers()["content-type"], "application/xml");
    assert!(got.headers()["content-disposition"].to_str().unwrap().contains("invoice-2026-000001.xml"));
    assert_eq!(got.text().await.unwrap(), "<xml/>");
    assert_eq!(
        done_by(world, &Fact::Accessed(Access::EInvoiceDownloaded { invoice: invoice.id })).await,
        actor(&answer, MANAGER, ActorRole::Manager, "GET /invoices/{invoiceId}/xml")
    );
}

pub async fn says_that_there_is_no_e_invoice(sample: &Sample) {
    rendered(&sample.world, false).await;
    let answer = sample.run().await;
    assert_refused(&answer, 404, "not-found");
    assert_eq!(answer["body"]["detail"], "There is no e-invoice of this invoice; the PDF is the invoice.");
}
