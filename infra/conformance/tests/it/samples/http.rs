//! Functions behind the API and the function URL.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use fake_salesforce::faults::{Effect, Rule};
use http::{Method, StatusCode};
use lambda_http::{Body, RequestExt};
use portico_domain::{cases::Happening, files::FileState};
use portico_store::{PageSize, Person, Tenant};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::{Sample, text};
use crate::{
    stack::now,
    world::{CONTENT, MEMBER, World, account, declared, file, open_case, user},
};

/// A refusal is a problem of this status and kind, and names its request.
fn assert_refused(answer: &Value, status: u16, slug: &str) {
    assert_eq!(answer["statusCode"], status, "{answer}");
    assert_eq!(answer["multiValueHeaders"]["content-type"], json!(["application/problem+json"]));
    assert_eq!(answer["body"]["type"], format!("https://portico.example/problems/{slug}"));
    assert_eq!(answer["body"]["request_id"], answer["multiValueHeaders"]["x-request-id"][0]);
}

/// The event as a request, without the stage that a REST API has in its address.
fn request(event: &str) -> lambda_http::Request {
    let mut request = lambda_http::request::from_str(event).unwrap();
    *request.uri_mut() = request.raw_http_path().parse().unwrap();
    request
}

/// Sends what a `StoreRequest` says, through the guard: a link works with the rights of the function that signed it.
async fn follow(request: &Value, body: &'static str) -> reqwest::Response {
    let method: Method = request["method"].as_str().unwrap().parse().unwrap();
    let mut sent = reqwest::Client::new().request(method, request["url"].as_str().unwrap());
    for (name, value) in request["headers"].as_object().unwrap() {
        // The client itself knows the length and the host.
        if name != "host" && name != "content-length" {
            sent = sent.header(name, value.as_str().unwrap());
        }
    }
    sent.body(body).send().await.unwrap()
}

pub async fn raises_a_case(sample: &Sample) {
    let world = &sample.world;
    let answer = sample.run().await;
    assert_eq!(answer["statusCode"], 201, "{answer}");
    let body = &answer["body"];
    let case = world.case(body["id"].as_str().unwrap().parse().unwrap()).await;
    assert_eq!(case.audience.raised_by, Some(user(MEMBER)));
    assert_eq!(body["number"], json!(case.number));
    let in_salesforce =
        world.stack.cloud().salesforce().await.unwrap().find_case(&case).await.unwrap().unwrap();
    assert_eq!(Some(in_salesforce.number), case.number);
    assert_eq!(Some(in_salesforce.id), case.salesforce_id);
    let newest = PageSize::new(10).unwrap();
    let timeline = world.store.timeline(&world.tenant(), case.id, newest, None).await.unwrap().unwrap();
    let happened: Vec<_> = timeline.items.into_iter().map(|entry| entry.happening).collect();
    assert!(happened.contains(&Happening::Submitted));
    assert!(happened.contains(&Happening::Numbered { number: case.number.unwrap() }));
}

/// Salesforce is down: the case is safe, and its number follows.
pub async fn case_r08_takes_a_case_during_an_outage(sample: &Sample) {
    let world = &sample.world;
    let before = cases(world).await;
    world.org.add_faults(vec![Rule::always(Effect::EmptyUnavailable)]).unwrap();
    let answer = sample.run().await;
    assert_eq!(answer["statusCode"], 202, "{answer}");
    assert_eq!(answer["body"]["number"], Value::Null);
    assert_eq!(cases(world).await, before + 1);
}

pub async fn case_i01_refuses_without_a_key(sample: &Sample) {
    let before = cases(&sample.world).await;
    assert_refused(&sample.run().await, 400, "idempotency-key-missing");
    assert_eq!(cases(&sample.world).await, before);
}

pub async fn refuses_fields(sample: &Sample) {
    let before = cases(&sample.world).await;
    let answer = sample.run().await;
    assert_refused(&answer, 400, "invalid-request");
    let pointers: Vec<&Value> =
        answer["body"]["errors"].as_array().unwrap().iter().map(|error| &error["pointer"]).collect();
    assert_eq!(pointers, ["/subject", "/description"]);
    assert_eq!(cases(&sample.world).await, before);
}

async fn cases(world: &World) -> usize {
    world.store.cases(&world.tenant(), PageSize::DEFAULT, None).await.unwrap().unwrap().items.len()
}

pub async fn lists_a_page(sample: &Sample) {
    let answer = sample.run().await;
    assert_eq!(answer["body"]["items"].as_array().unwrap().len(), 2, "{answer}");
    assert!(answer["body"]["next_cursor"].is_string());
}

pub async fn lists_cases_for_an_agent(sample: &Sample) {
    let answer = sample.run().await;
    assert_eq!(answer["body"]["items"].as_array().unwrap().len(), cases(&sample.world).await, "{answer}");
}

pub async fn reads_a_case(sample: &Sample) {
    let answer = sample.run().await;
    assert_eq!(answer["body"]["id"], open_case().to_string());
    // The file whose content has not arrived is not shown.
    let files = answer["body"]["files"].as_array().unwrap();
    assert_eq!(files.iter().map(|file| &file["id"]).collect::<Vec<_>>(), [&json!(file().to_string())]);
}

/// The foreign case answers like one that does not exist. Says the same through the routes themselves, with the same
/// file as the request.
pub async fn case_t12_hides_a_foreign_case(sample: &Sample) {
    let answer = sample.run().await;
    assert_refused(&answer, 404, "not-found");
    let event = text("case-listing-foreign-case");
    let missing = "case_00000000000000000000000000000000";
    let elsewhere = event.replace(&open_case().to_string(), missing);
    assert_ne!(event, elsewhere);
    let mut answers = Vec::new();
    for event in [event, elsewhere] {
        let request = request(&event);
        let routes = case_listing::routes(case_listing::Deps { store: sample.world.store.clone() });
        let response = routes.oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, 65_536).await.unwrap();
        answers.push((parts.status, parts.headers, serde_json::from_slice::<Value>(&body).unwrap()));
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0].0, StatusCode::NOT_FOUND);
    assert_eq!(answers[0].2, answer["body"]);
}

pub async fn case_t09_refuses_a_leaver(sample: &Sample) {
    assert_refused(&sample.run().await, 403, "access-ended");
}

pub async fn lets_a_file_in(sample: &Sample) {
    let world = &sample.world;
    let answer = sample.run().await;
    assert_eq!(answer["statusCode"], 201, "{answer}");
    let file =
        world.store.file(&world.tenant(), answer["body"]["id"].as_str().unwrap().parse().unwrap()).await;
    let file = file.unwrap().unwrap();
    assert!(matches!(file.state, FileState::Pending { .. }));
    let stored = follow(&answer["body"]["upload"], CONTENT).await;
    assert_eq!(stored.status(), StatusCode::OK, "{}", stored.text().await.unwrap());
    let bucket = world.stack.cloud().bucket("FILES_BUCKET").unwrap();
    let facts = bucket.facts(&file.key().to_string()).await.unwrap().unwrap();
    assert_eq!(facts.size, file.declared.size);
    assert_eq!(facts.sha256, Some(BASE64_STANDARD.encode(file.declared.sha256.bytes())));
}

async fn downloads(sample: &Sample) {
    let bucket = sample.world.stack.cloud().bucket("FILES_BUCKET").unwrap();
    bucket.put(&declared(file()).key().to_string(), "text/plain", CONTENT.into()).await.unwrap();
    let answer = sample.run().await;
    assert_eq!(answer["statusCode"], 200, "{answer}");
    let got = follow(&answer["body"]["download"], "").await;
    assert_eq!(got.status(), StatusCode::OK);
    let disposition = got.headers()["content-disposition"].to_str().unwrap();
    assert!(disposition.starts_with("attachment; filename=\"printer.log\""), "{disposition}");
    assert_eq!(got.text().await.unwrap(), CONTENT);
}

pub async fn lets_a_file_out(sample: &Sample) {
    downloads(sample).await;
}

pub async fn lets_an_agent_download(sample: &Sample) {
    downloads(sample).await;
}

pub async fn lists_invoices(sample: &Sample) {
    let invoice = sample.world.issue_invoice().await;
    let answer = sample.run().await;
    assert_eq!(answer["body"]["items"][0]["id"], invoice.id.to_string(), "{answer}");
}

pub async fn refuses_invoices_to_a_member(sample: &Sample) {
    sample.world.issue_invoice().await;
    assert_refused(&sample.run().await, 403, "forbidden");
}

pub async fn reads_an_invoice(sample: &Sample) {
    let invoice = sample.world.issue_invoice().await;
    let answer = sample.run().await;
    assert_eq!(answer["body"]["gross"]["amount"], invoice.gross.to_decimal().to_string(), "{answer}");
    assert_eq!(answer["body"]["lines"].as_array().unwrap().len(), invoice.lines.len());
}

pub async fn leads_to_the_pdf(sample: &Sample) {
    let world = &sample.world;
    let mut invoice = world.issue_invoice().await;
    let key = invoice.document_key();
    let bucket = world.stack.cloud().bucket("INVOICES_BUCKET").unwrap();
    bucket.put(&key, "application/pdf", "%PDF-1.7".into()).await.unwrap();
    invoice.rendered = Some(portico_domain::billing::Rendered { key, size: 8, sha256: "0".repeat(64) });
    invoice.version += 1;
    world.store.save_invoice(&invoice, &[]).await.unwrap();
    let answer = sample.run().await;
    assert_eq!(answer["statusCode"], 303, "{answer}");
    let location = answer["multiValueHeaders"]["location"][0].as_str().unwrap();
    let got = reqwest::get(location).await.unwrap();
    assert_eq!(got.status(), StatusCode::OK);
    assert_eq!(got.headers()["content-type"], "application/pdf");
    assert!(got.headers()["content-disposition"].to_str().unwrap().contains("invoice-2026-000001.pdf"));
    assert_eq!(got.text().await.unwrap(), "%PDF-1.7");
}

pub async fn issues_a_ticket(sample: &Sample) {
    let store = &sample.world.store;
    let answer = sample.run().await;
    assert_eq!(answer["statusCode"], 201, "{answer}");
    let ticket = portico_store::LiveTicket::parse(answer["body"]["ticket"].as_str().unwrap()).unwrap();
    let person = store.redeem_live_ticket(&ticket, now()).await.unwrap().unwrap();
    assert_eq!(person.viewer().user(), &user(MEMBER));
    assert_eq!(person.tenant().account(), account());
}

/// Salesforce's message in the sync's queue: two records, each once.
async fn assert_queued(sample: &Sample) {
    let answer = sample.run().await;
    assert_eq!(answer["statusCode"], 200, "{answer}");
    assert!(answer["body"].as_str().unwrap().contains("<Ack>true</Ack>"), "{answer}");
    let queued = sample.world.stack.emulators.queues().peek("SyncQueue", 10).await.unwrap();
    let bodies: Vec<Value> =
        queued.iter().map(|message| serde_json::from_str(&message.body).unwrap()).collect();
    let record = |id: &str| json!({ "object": "Case", "id": id });
    assert_eq!(bodies, [json!({ "records": [record("500Fk0000000001IAA"), record("500Fk0000000002IAA")] })]);
}

pub async fn takes_a_message(sample: &Sample) {
    assert_queued(sample).await;
    // The same message again is acknowledged and costs nothing.
    let again =
        sample.guarded.function.invoke(crate::world::lambda_event(&text("webhook-receiver-cases-changed")));
    assert!(again.await.unwrap().get().contains("<Ack>true</Ack>"));
    assert_eq!(sample.world.stack.emulators.queues().depth("SyncQueue").await.unwrap().visible, 1);
}

pub async fn takes_an_encoded_message(sample: &Sample) {
    assert_queued(sample).await;
}

pub async fn hides_behind_the_path_secret(sample: &Sample) {
    let answer = sample.run().await;
    assert_eq!(answer["statusCode"], 404, "{answer}");
    assert_eq!(sample.world.stack.emulators.queues().depth("SyncQueue").await.unwrap().visible, 0);
}

/// One file through every host: [`lambda_http::request::from_str`] makes the same request of it.
#[tokio::test]
async fn a_sample_is_a_request_for_the_routes_themselves() {
    let world = World::start().await;
    let request = request(&text("case-listing-detail"));
    assert!(matches!(request.body(), Body::Empty));
    let routes = case_listing::routes(case_listing::Deps { store: world.store.clone() });
    let response = routes.oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let body = axum::body::to_bytes(response.into_body(), 65_536).await.unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["id"], open_case().to_string());
    let person = world.store.identify(&user(MEMBER)).await.unwrap().unwrap();
    let Person::Client(person) = person else { panic!("{MEMBER} is a client") };
    assert_eq!(*person.tenant(), Tenant::of_case(&world.case(open_case()).await));
}
