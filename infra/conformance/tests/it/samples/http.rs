//! Functions behind the API and the function URL.

use fake_salesforce::faults::{Effect, Rule};
use http::{Method, StatusCode};
use jiff::SignedDuration;
use lambda_http::{Body, RequestExt};
use portico_aws::Checksum;
use portico_domain::{
    FileId,
    audit::{Actor, ActorRole, Verifier},
    cases::{ClosingReason, Happening, TimelineEntry},
    contracts::Contract,
    events::{Access, Event, Fact},
    files::{File, FileState, PART_BYTES, Space, Visibility},
};
use portico_salesforce::{Pace, Soql};
use portico_store::{Commit, PageSize, Person, Tenant, Ticket};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::{Sample, text};
use crate::{
    audit::seal,
    outbox,
    stack::now,
    world::{
        AGENT, CONTENT, MANAGER, MEMBER, STRANGER, World, account, available, declared, file, open_case,
        pending_file, user,
    },
};

/// A refusal is a problem of this status and kind, and names its request.
pub fn assert_refused(answer: &Value, status: u16, slug: &str) {
    assert_eq!(answer["statusCode"], status, "{answer}");
    assert_eq!(answer["multiValueHeaders"]["content-type"], json!(["application/problem+json"]));
    assert_eq!(answer["body"]["type"], format!("https://portico.example/problems/{slug}"));
    assert_eq!(answer["body"]["request_id"], answer["multiValueHeaders"]["x-request-id"][0]);
}

/// Who the outbox says did this.
pub async fn done_by(world: &World, fact: &Fact) -> Actor {
    let events = outbox::events(&world.stack.emulators).await;
    let event = events.into_iter().find(|event| event.fact == *fact).unwrap();
    event.by.unwrap()
}

/// Who sent the request that was answered like this.
pub fn actor(answer: &Value, sender: &str, role: ActorRole, route: &str) -> Actor {
    let request_id = answer["multiValueHeaders"]["x-request-id"][0].as_str().unwrap().to_owned();
    Actor { user: user(sender), role, request_id, route: route.to_owned() }
}

/// The event as a request, without the stage that a REST API has in its address.
fn request(event: &str) -> lambda_http::Request {
    let mut request = lambda_http::request::from_str(event).unwrap();
    *request.uri_mut() = request.raw_http_path().parse().unwrap();
    request
}

fn listing(world: &World) -> case_listing::Deps {
    let process = world.stack.cloud().case_process().unwrap();
    let freshness = case_listing::Freshness::new(world.store.clone(), world.stack.clock.clone());
    case_listing::Deps { store: world.store.clone(), process, freshness }
}

/// Sends what a `StoreRequest` says, through the guard: a link works with the rights of the function that signed it.
pub async fn follow(request: &Value, body: &'static str) -> reqwest::Response {
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
    assert_eq!(case.audience.raised_by.as_ref().map(|raiser| &raiser.user), Some(&user(MEMBER)));
    assert_eq!(body["number"], json!(case.number));
    let in_salesforce = world
        .stack
        .cloud()
        .salesforce(Pace::Submission)
        .await
        .unwrap()
        .find_case(&case)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(Some(in_salesforce.number), case.number);
    assert_eq!(Some(in_salesforce.id), case.salesforce_id);
    let newest = PageSize::new(10).unwrap();
    let timeline = world.store.timeline(&case, newest, None).await.unwrap().unwrap();
    let happened: Vec<_> = timeline.items.into_iter().map(|entry| entry.happening).collect();
    assert!(happened.contains(&Happening::Submitted));
    assert!(happened.contains(&Happening::Numbered { number: case.number.unwrap() }));
    assert_eq!(
        done_by(world, &Fact::CaseSubmitted { case: case.id, files: Vec::new() }).await,
        actor(&answer, MEMBER, ActorRole::Member, "POST /cases")
    );
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
    world.cases(&world.tenant(), 25).await.len()
}

pub async fn raises_a_case_with_everything(sample: &Sample) {
    let world = &sample.world;
    let answer = sample.run().await;
    assert_eq!(answer["statusCode"], 201, "{answer}");
    let case = world.case(answer["body"]["id"].as_str().unwrap().parse().unwrap()).await;
    // The manager, who did not raise it, is whom the agents turn to.
    let [mara, jonas] = fake_salesforce::demo::NORDHAVEN.contacts;
    assert_eq!(case.audience.contact, Some(mara.id.parse().unwrap()));
    assert_eq!(case.audience.raised_by.as_ref().unwrap().contact, Some(jonas.id.parse().unwrap()));
    let there: Vec<Value> = world
        .stack
        .cloud()
        .salesforce(Pace::Submission)
        .await
        .unwrap()
        .query_all(&Soql::by_ids(
            "Case",
            &["Type", "Priority", "ContactId", "Portal_Contract__r.Name"],
            "Id",
            &[case.salesforce_id.unwrap()],
        ))
        .await
        .unwrap();
    assert_eq!(there[0]["Type"], "Problem");
    assert_eq!(there[0]["ContactId"], mara.id);
    // The org's name of it; the portal still has the name of before.
    assert_eq!(there[0]["Portal_Contract__r"]["Name"], "Nordhaven Logistics support 2026");
    assert_eq!(case.contract.as_ref().unwrap().name, "Support 2026");
    let upload = &answer["body"]["uploads"][0];
    let stored = follow(&upload["upload"], CONTENT).await;
    assert_eq!(stored.status(), StatusCode::OK, "{}", stored.text().await.unwrap());
    let files = world.store.files(&world.tenant(), case.id).await.unwrap();
    assert_eq!(
        files.iter().map(|file| file.id.to_string()).collect::<Vec<_>>(),
        [upload["id"].as_str().unwrap()]
    );
}

pub(super) fn pointers(answer: &Value) -> Vec<&str> {
    let errors = answer["body"]["errors"].as_array().unwrap();
    errors.iter().map(|error| error["pointer"].as_str().unwrap()).collect()
}

/// A contract that is another company's, and a person who is: as if they did not exist.
pub async fn case_t04_refuses_foreign_references(sample: &Sample) {
    let world = &sample.world;
    let before = cases(world).await;
    let foreign = Contract {
        id: "ctr_000000000000700080000000000000ff".parse().unwrap(),
        account: crate::world::other_account(),
        ..crate::world::contract()
    };
    world.store.save_contract(&foreign, &world.bill_changed()).await.unwrap();
    let answer = sample.run().await;
    assert_refused(&answer, 400, "invalid-request");
    assert_eq!(
        pointers(&answer),
        [
            "/type",
            "/contract",
            "/contact",
            "/files/0/name",
            "/files/0/content_type",
            "/files/0/sha256",
            "/files/0/size"
        ]
    );
    assert_eq!(cases(world).await, before);
    let event = text("case-submission-foreign-references");
    for (foreign, nobodys) in [
        ("ctr_000000000000700080000000000000ff", "ctr_000000000000700080000000000000fe"),
        ("44444444-4444-4444-8444-444444444444", "44444444-4444-4444-8444-444444444445"),
    ] {
        let other = event.replace(foreign, nobodys);
        assert_ne!(event, other);
        let again = sample.guarded.function.invoke(crate::world::lambda_event(&other)).await.unwrap();
        let again: Value = serde_json::from_str(again.get()).unwrap();
        let body: Value = serde_json::from_str(again["body"].as_str().unwrap()).unwrap();
        assert_eq!(body, answer["body"]);
    }
}

pub async fn offers_choices(sample: &Sample) {
    let answer = sample.run().await;
    let body = &answer["body"];
    assert_eq!(body["priorities"], json!(["low", "medium", "high"]));
    assert_eq!(body["types"][0], "Question");
    assert_eq!(body["contracts"].as_array().unwrap().len(), 1);
    let names: Vec<&Value> =
        body["contacts"].as_array().unwrap().iter().map(|colleague| &colleague["name"]).collect();
    // Neither who has left nor anybody of another company.
    assert_eq!(names, ["Mara Lindqvist", "Jonas Weber"]);
}

pub async fn filters_the_list(sample: &Sample) {
    let answer = sample.run().await;
    let items = answer["body"]["items"].as_array().unwrap();
    assert_eq!(items.len(), 2, "{answer}");
    assert!(items.iter().all(|case| case["status"]["closed"] == false));
}

pub async fn refuses_a_filter(sample: &Sample) {
    let answer = sample.run().await;
    assert_refused(&answer, 400, "invalid-request");
}

/// Two lines at a time to the last, which is that the case was raised.
pub async fn reads_a_timeline(sample: &Sample) {
    let mut answer = sample.run().await["body"].clone();
    let mut kinds = Vec::new();
    for _ in 0..5 {
        let items = answer["items"].as_array().unwrap();
        kinds.extend(items.iter().map(|line| line["kind"].as_str().unwrap().to_owned()));
        let Some(cursor) = answer["next_cursor"].as_str() else { break };
        let mut event: Value = serde_json::from_str(&text("case-listing-timeline")).unwrap();
        event["queryStringParameters"]["cursor"] = json!(cursor);
        event["multiValueQueryStringParameters"]["cursor"] = json!([cursor]);
        let next = sample.guarded.function.invoke(crate::world::lambda_event(&event.to_string())).await;
        let next: Value = serde_json::from_str(next.unwrap().get()).unwrap();
        answer = serde_json::from_str(next["body"].as_str().unwrap()).unwrap();
    }
    assert_eq!(kinds, ["hours_logged", "hours_logged", "submitted"]);
}

pub async fn adds_a_comment(sample: &Sample) {
    let world = &sample.world;
    let answer = sample.run().await;
    assert_eq!(answer["statusCode"], 201, "{answer}");
    let html = answer["body"]["html"].as_str().unwrap();
    assert!(html.contains("<strong>10:00</strong>") && html.contains("&lt;script&gt;"), "{html}");
    let case = world.case(open_case()).await;
    let entry = answer["body"]["id"].as_str().unwrap().parse().unwrap();
    let said = world.store.timeline_entry(&case, entry).await.unwrap().unwrap();
    assert!(matches!(said.happening, Happening::Commented { .. }));
    let fact = Fact::CommentAdded { case: case.id, version: case.version, entry };
    assert_eq!(
        done_by(world, &fact).await,
        actor(&answer, MEMBER, ActorRole::Member, "POST /cases/{caseId}/comments")
    );
}

/// Too many bytes though few enough characters, and a file that has not arrived.
pub async fn case_r07_refuses_a_comment(sample: &Sample) {
    let answer = sample.run().await;
    assert_refused(&answer, 400, "invalid-request");
    assert_eq!(pointers(&answer), ["/body", "/files/0"]);
}

/// What agents say among themselves is not among them.
pub async fn case_t08_lists_public_comments(sample: &Sample) {
    let world = &sample.world;
    let salesforce: Vec<_> = (1..=8).map(|n| format!("00aFk00000000{n:02}IAA")).collect();
    let sync = world.boot("salesforce-sync").await;
    let mut event: Value = serde_json::from_str(&text("salesforce-sync-own-comment")).unwrap();
    let records: Vec<Value> =
        salesforce.iter().map(|id| json!({ "object": "CaseComment", "id": id })).collect();
    event["Records"][0]["body"] = json!(json!({ "records": records }).to_string());
    sync.function.invoke(crate::world::lambda_event(&event.to_string())).await.unwrap();
    let answer = sample.run().await;
    let comments = answer["body"]["items"].as_array().unwrap();
    assert!(!comments.is_empty(), "{answer}");
    assert!(!answer.to_string().contains("internal"), "{answer}");
}

pub async fn closes_a_case(sample: &Sample) {
    let world = &sample.world;
    let answer = sample.run().await;
    assert_eq!(answer["statusCode"], 200, "{answer}");
    assert_eq!(answer["body"]["status"], json!({ "label": "Closed", "closed": true }));
    assert_eq!(answer["body"]["in_step"], false);
    let case = world.case(open_case()).await;
    assert_eq!(case.closing.as_ref().unwrap().by, user(MEMBER));
    let fact = Fact::CaseAmended { case: case.id, version: case.version };
    assert_eq!(
        done_by(world, &fact).await,
        actor(&answer, MEMBER, ActorRole::Member, "POST /cases/{caseId}/close")
    );
    let facts = outbox::facts(&world.stack.emulators).await;
    // It is billed when Salesforce has it, with the hours that are there by then.
    assert!(!facts.contains(&Fact::CaseClosed { case: case.id }), "{facts:?}");
}

/// Whoever closed it died before answering: the repetition tells what stands, and does not trip over it.
pub async fn case_i03_answers_a_change_that_was_made(sample: &Sample) {
    let world = &sample.world;
    let event: Value = serde_json::from_str(&text("case-changes-close-unanswered")).unwrap();
    let ticket = Ticket::new(
        &world.tenant(),
        &user(MEMBER),
        &format!("POST {}", event["path"].as_str().unwrap()),
        event["headers"]["idempotency-key"].as_str().unwrap(),
        event["body"].as_str().unwrap().as_bytes(),
        now() - SignedDuration::from_secs(20),
    );
    let process = world.stack.cloud().case_process().unwrap();
    let open = world.case(open_case()).await;
    let reason = ClosingReason::NoLongerNeeded;
    let (closed, happening) = open.close(&user(MEMBER), "Jonas Weber", reason, &process, now()).unwrap();
    let entry = TimelineEntry::new(happening, now(), &world.stack.random);
    let fact = Fact::CaseAmended { case: closed.id, version: closed.version };
    let told = Event::about(&closed, fact, now(), &world.stack.random);
    let commit = world.store.amend_case(&ticket, &closed, &entry, &told).await.unwrap();
    assert_eq!(commit, Commit::Done);
    let answer = sample.run().await;
    assert_eq!(answer["statusCode"], 200, "{answer}");
    assert_eq!(answer["body"]["closed_as"], "no_longer_needed");
    assert_eq!(world.case(open_case()).await.version, closed.version);
}

pub async fn does_not_close_twice(sample: &Sample) {
    assert_refused(&sample.run().await, 409, "wrong-state");
}

pub async fn reopens_a_case(sample: &Sample) {
    let answer = sample.run().await;
    assert_eq!(answer["body"]["status"], json!({ "label": "Working", "closed": false }), "{answer}");
    assert_eq!(answer["body"]["closed_at"], Value::Null);
}

pub async fn edits_a_new_case(sample: &Sample) {
    let answer = sample.run().await;
    assert_eq!(answer["statusCode"], 200, "{answer}");
    let case = sample.world.case(crate::world::new_case()).await;
    assert_eq!((case.subject.as_str(), case.version), ("Label printer in hall 4 is offline", 2));
    assert!(case.held.unwrap().words);
}

pub async fn does_not_edit_what_an_agent_works_on(sample: &Sample) {
    assert_refused(&sample.run().await, 409, "wrong-state");
}

pub async fn lets_follow(sample: &Sample) {
    let answer = sample.run().await;
    assert_eq!(answer["body"]["following"], true, "{answer}");
    assert!(sample.world.case(open_case()).await.followers.contains(&user(AGENT)));
}

pub async fn lets_unfollow(sample: &Sample) {
    let world = &sample.world;
    let followed = world.case(open_case()).await.follow(&user(MEMBER)).unwrap().unwrap();
    world.store.save_case(&followed, &[], &[]).await.unwrap();
    let answer = sample.run().await;
    assert_eq!(answer["body"]["following"], false, "{answer}");
    assert!(world.case(open_case()).await.followers.is_empty());
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
    let sought = Some(open_case().to_string());
    let refused = Access::Refused { problem: "not-found".to_owned(), sought };
    assert_eq!(
        done_by(&sample.world, &Fact::Accessed(refused)).await,
        actor(&answer, STRANGER, ActorRole::Manager, "GET /cases/{caseId}")
    );
    let event = text("case-listing-foreign-case");
    let missing = "case_00000000000000000000000000000000";
    let elsewhere = event.replace(&open_case().to_string(), missing);
    assert_ne!(event, elsewhere);
    let mut answers = Vec::new();
    for event in [event, elsewhere] {
        let request = request(&event);
        let routes = case_listing::routes(listing(&sample.world));
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
    let fact = Fact::FileDeclared { case: Some(open_case()), file: file.id };
    assert_eq!(
        done_by(world, &fact).await,
        actor(&answer, MEMBER, ActorRole::Member, "POST /cases/{caseId}/files")
    );
    let stored = follow(&answer["body"]["upload"], CONTENT).await;
    assert_eq!(stored.status(), StatusCode::OK, "{}", stored.text().await.unwrap());
    let bucket = world.stack.cloud().bucket("FILES_BUCKET").unwrap();
    let facts = bucket.facts(&file.key().to_string()).await.unwrap().unwrap();
    assert_eq!(facts.size, file.declared.size);
    assert_eq!(facts.checksum, Some(Checksum::of_whole(&file.declared.sha256)));
}

/// The file that an answer tells of, as it is kept.
async fn kept(sample: &Sample, answer: &Value) -> File {
    let id = answer["body"]["id"].as_str().unwrap().parse().unwrap();
    sample.world.store.file(&sample.world.tenant(), id).await.unwrap().unwrap()
}

pub async fn case_f05_lets_a_large_file_in_by_parts(sample: &Sample) {
    let world = &sample.world;
    let answer = sample.run().await;
    assert_eq!(answer["statusCode"], 201, "{answer}");
    let file = kept(sample, &answer).await;
    assert_eq!(file.visibility, Visibility::Managers);
    let parts = answer["body"]["parts"].as_array().unwrap();
    let sizes: Vec<&Value> = parts.iter().map(|part| &part["size"]).collect();
    assert_eq!(sizes, [&json!(PART_BYTES), &json!(1)]);
    assert_eq!(answer["body"].get("upload"), None);
    let bucket = world.stack.cloud().bucket("FILES_BUCKET").unwrap();
    let begun = bucket.parts(&file.key().to_string(), &file.multipart.unwrap().id).await.unwrap();
    assert_eq!(begun, Some(Vec::new()), "the store waits for them");
    let taken = Space { files: 1, bytes: PART_BYTES + 1 };
    for case in [None, Some(open_case())] {
        assert_eq!(world.store.space(&world.tenant(), case).await.unwrap(), taken);
    }
}

pub async fn lets_a_new_version_in(sample: &Sample) {
    let answer = sample.run().await;
    assert_eq!(answer["statusCode"], 201, "{answer}");
    let new = kept(sample, &answer).await;
    assert_eq!((new.replaces, new.original), (Some(file()), file()));
    // Until it is there, the version before is the latest.
    let before = sample.world.store.file(&sample.world.tenant(), file()).await.unwrap().unwrap();
    assert_eq!(before.superseded_by, None);
}

pub async fn stages_a_file(sample: &Sample) {
    let world = &sample.world;
    let answer = sample.run().await;
    assert_eq!(answer["statusCode"], 201, "{answer}");
    assert_eq!(answer["body"].get("case"), None);
    let file = kept(sample, &answer).await;
    assert_eq!(file.case, None);
    let fact = Fact::FileDeclared { case: None, file: file.id };
    assert_eq!(done_by(world, &fact).await, actor(&answer, MEMBER, ActorRole::Member, "POST /files"));
    let stored = follow(&answer["body"]["upload"], CONTENT).await;
    assert_eq!(stored.status(), StatusCode::OK, "{}", stored.text().await.unwrap());
}

pub async fn refuses_a_file(sample: &Sample) {
    let world = &sample.world;
    let answer = sample.run().await;
    assert_refused(&answer, 400, "invalid-request");
    let pointers: Vec<&Value> =
        answer["body"]["errors"].as_array().unwrap().iter().map(|error| &error["pointer"]).collect();
    let expected = [
        "/name",
        "/content_type",
        "/sha256",
        "/size",
        "/parts",
        "/category",
        "/visibility/people/0",
        "/replaces",
    ];
    assert_eq!(pointers, expected);
    assert_eq!(world.store.space(&world.tenant(), None).await.unwrap(), Space::default());
}

pub async fn tells_how_far_an_upload_is(sample: &Sample) {
    let answer = sample.run().await;
    assert_eq!(answer["statusCode"], 200, "{answer}");
    assert_eq!(answer["body"]["state"], "pending");
    let stored = follow(&answer["body"]["upload"], CONTENT).await;
    assert_eq!(stored.status(), StatusCode::OK, "{}", stored.text().await.unwrap());
}

/// In one piece: once it is there, that is all.
pub async fn has_nothing_to_join(sample: &Sample) {
    let answer = sample.run().await;
    assert_eq!((&answer["statusCode"], &answer["body"]["state"]), (&json!(200), &json!("pending")));
}

pub async fn case_f03_gives_an_upload_up(sample: &Sample) {
    let world = &sample.world;
    let answer = sample.run().await;
    assert_eq!(answer["statusCode"], 204, "{answer}");
    assert_eq!(world.store.file(&world.tenant(), pending_file()).await.unwrap(), None);
    let fact = Fact::FileAbandoned { case: Some(open_case()), file: pending_file() };
    let route = "DELETE /files/{fileId}/upload";
    assert_eq!(done_by(world, &fact).await, actor(&answer, MEMBER, ActorRole::Member, route));
}

pub async fn raises_a_case_with_a_staged_file(sample: &Sample) {
    let world = &sample.world;
    let id: FileId = "file_000000000000700080000000000000f3".parse().unwrap();
    let staged = File { case: None, ..available(id) };
    world.store.save_file(&staged).await.unwrap();
    let answer = sample.run().await;
    assert_eq!(answer["statusCode"], 201, "{answer}");
    let case = world.case(answer["body"]["id"].as_str().unwrap().parse().unwrap()).await;
    let file = world.store.file(&world.tenant(), id).await.unwrap().unwrap();
    assert_eq!(file.case, Some(case.id));
    let fact = Fact::CaseSubmitted { case: case.id, files: vec![id] };
    assert_eq!(done_by(world, &fact).await, actor(&answer, MEMBER, ActorRole::Member, "POST /cases"));
    let newest = PageSize::new(10).unwrap();
    let timeline = world.store.timeline(&case, newest, None).await.unwrap().unwrap();
    assert!(timeline.items.iter().any(|entry| entry.happening == Happening::of_file(&file)), "{timeline:?}");
}

async fn downloads(sample: &Sample, by: (&str, ActorRole)) {
    let bucket = sample.world.stack.cloud().bucket("FILES_BUCKET").unwrap();
    bucket.put(&declared(file()).key().to_string(), "text/plain", CONTENT.into()).await.unwrap();
    let answer = sample.run().await;
    assert_eq!(answer["statusCode"], 200, "{answer}");
    let got = follow(&answer["body"]["download"], "").await;
    assert_eq!(got.status(), StatusCode::OK);
    let fact = Fact::Accessed(Access::FileDownloaded { case: Some(open_case()), file: file() });
    let (sender, role) = by;
    assert_eq!(done_by(&sample.world, &fact).await, actor(&answer, sender, role, "GET /files/{fileId}"));
    let disposition = got.headers()["content-disposition"].to_str().unwrap();
    assert!(disposition.starts_with("attachment; filename=\"printer.log\""), "{disposition}");
    assert_eq!(got.text().await.unwrap(), CONTENT);
}

pub async fn lets_a_file_out(sample: &Sample) {
    downloads(sample, (MEMBER, ActorRole::Member)).await;
}

pub async fn lets_an_agent_download(sample: &Sample) {
    downloads(sample, (AGENT, ActorRole::Agent)).await;
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
    assert_eq!(answer["body"]["lines"].as_array().unwrap().len(), usize::from(invoice.line_count));
}

pub async fn leads_to_the_pdf(sample: &Sample) {
    let world = &sample.world;
    let mut invoice = world.issue_invoice().await;
    let key = invoice.document_key();
    let bucket = world.stack.cloud().bucket("INVOICES_BUCKET").unwrap();
    bucket.put(&key, "application/pdf", "%PDF-1.7".into()).await.unwrap();
    invoice.rendered =
        Some(portico_domain::billing::Rendered { key, size: 8, sha256: "0".repeat(64), e_invoice: None });
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
    assert_eq!(
        done_by(world, &Fact::Accessed(Access::InvoiceDownloaded { invoice: invoice.id })).await,
        actor(&answer, MANAGER, ActorRole::Manager, "GET /invoices/{invoiceId}/pdf")
    );
}

pub async fn shows_the_audit_trail(sample: &Sample) {
    let world = &sample.world;
    seal(world, 1..=3).await;
    let answer = sample.run().await;
    assert_eq!(answer["statusCode"], 200, "{answer}");
    let sequences: Vec<&Value> =
        answer["body"]["items"].as_array().unwrap().iter().map(|entry| &entry["sequence"]).collect();
    assert_eq!(sequences, [3, 2]);
    assert!(answer["body"]["next_cursor"].is_string());
    let head = world.store.audit_head(&world.tenant()).await.unwrap();
    assert_eq!(answer["body"]["head"], json!({ "sequence": 3, "hash": head.hash.to_string() }));
    assert_eq!(
        done_by(world, &Fact::Accessed(Access::AuditRead)).await,
        actor(&answer, MANAGER, ActorRole::Manager, "GET /audit")
    );
}

pub async fn exports_the_audit_trail(sample: &Sample) {
    let world = &sample.world;
    seal(world, 1..=3).await;
    let answer = sample.run().await;
    assert_eq!(answer["statusCode"], 200, "{answer}");
    // Text, not base64, which a REST API would pass on as it is.
    assert_eq!(answer["isBase64Encoded"], false);
    assert_eq!(answer["multiValueHeaders"]["content-type"], json!(["application/x-ndjson"]));
    let mut verifier = Verifier::starting_at(2);
    let body = answer["body"].as_str().unwrap();
    assert_eq!(body.lines().count(), 2);
    for line in body.lines() {
        verifier.line(line).unwrap();
    }
    assert_eq!(verifier.finish(), Ok(Some(world.store.audit_head(&world.tenant()).await.unwrap())));
    assert_eq!(
        done_by(world, &Fact::Accessed(Access::AuditExported)).await,
        actor(&answer, AGENT, ActorRole::Agent, "GET /audit/export")
    );
}

pub async fn refuses_the_audit_trail_to_a_member(sample: &Sample) {
    let answer = sample.run().await;
    assert_refused(&answer, 403, "forbidden");
    let refused = Access::Refused { problem: "forbidden".to_owned(), sought: None };
    assert_eq!(
        done_by(&sample.world, &Fact::Accessed(refused)).await,
        actor(&answer, MEMBER, ActorRole::Member, "GET /audit")
    );
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

async fn queued(sample: &Sample) -> u64 {
    sample.world.stack.emulators.queues().depth("SyncQueue").await.unwrap().visible
}

pub async fn takes_a_message_about_a_deleted_record(sample: &Sample) {
    let answer = sample.run().await;
    assert!(answer["body"].as_str().unwrap().contains("<Ack>true</Ack>"), "{answer}");
    assert_eq!(queued(sample).await, 0);
}

pub async fn takes_a_callout(sample: &Sample) {
    let answer = sample.run().await;
    assert_eq!(answer["statusCode"], 202, "{answer}");
    assert_eq!(answer["body"], json!({ "records": 1, "ignored": 0, "repeated": false }));
    assert_eq!(queued(sample).await, 1);
}

pub async fn refuses_a_forged_callout(sample: &Sample) {
    let answer = sample.run().await;
    assert_eq!(answer["statusCode"], 401, "{answer}");
    assert_eq!(queued(sample).await, 0);
}

pub async fn hides_behind_the_path_secret(sample: &Sample) {
    let answer = sample.run().await;
    assert_eq!(answer["statusCode"], 404, "{answer}");
    assert_eq!(sample.world.stack.emulators.queues().depth("SyncQueue").await.unwrap().visible, 0);
}

/// Staff keep priority, type, contract and hours to themselves: none of it is in any answer, and nobody can find it out
/// by asking for it.
#[tokio::test]
async fn case_t06_a_field_that_is_not_shown_cannot_be_asked_for() {
    let world = World::start().await;
    let mut variables = world.variables("case-listing");
    variables.insert("CASE_FIELDS_SHOWN".to_owned(), "none".to_owned());
    let guard = world.guard(world.grants("case-listing")).await;
    let listing = world.boot_with("case-listing", variables, &guard).await.unwrap();
    let ask = async |event: Value| -> Value {
        let answer = listing.invoke(crate::world::lambda_event(&event.to_string())).await.unwrap();
        serde_json::from_str(answer.get()).unwrap()
    };
    for sample in ["case-listing-detail", "case-listing-filtered", "case-listing-timeline"] {
        let answer = ask(serde_json::from_str(&text(sample)).unwrap()).await;
        assert_eq!(answer["statusCode"], 200, "{answer}");
        let body: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
        for word in ["\"priority\"", "\"type\"", "\"contract\"", "hours_logged", "minutes"] {
            assert!(!body.to_string().contains(word), "{sample} says {word}: {body}");
        }
    }
    for (name, value) in [("priority", "Medium"), ("contract", "ctr_d0a1b511bd455353aaf35a345ce21d5c")] {
        let mut event: Value = serde_json::from_str(&text("case-listing-filtered")).unwrap();
        event["queryStringParameters"] = json!({ name: value });
        event["multiValueQueryStringParameters"] = json!({ name: [value] });
        assert_eq!(ask(event).await["statusCode"], 400);
    }
}

/// One file through every host: [`lambda_http::request::from_str`] makes the same request of it.
#[tokio::test]
async fn a_sample_is_a_request_for_the_routes_themselves() {
    let world = World::start().await;
    let request = request(&text("case-listing-detail"));
    assert!(matches!(request.body(), Body::Empty));
    let routes = case_listing::routes(listing(&world));
    let response = routes.oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let body = axum::body::to_bytes(response.into_body(), 65_536).await.unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["id"], open_case().to_string());
    let person = world.store.identify(&user(MEMBER)).await.unwrap().unwrap();
    let Person::Client(person) = person else { panic!("{MEMBER} is a client") };
    assert_eq!(*person.tenant(), Tenant::of_case(&world.case(open_case()).await));
}
