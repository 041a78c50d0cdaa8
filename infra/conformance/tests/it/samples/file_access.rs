//! Files by case, version and usage, and what becomes of them.

use jiff::SignedDuration;
use portico_domain::{
    audit::ActorRole,
    cases::{Author, Side},
    events::{Access, Event, Fact},
    files::{File, UNDO_WINDOW, Visibility},
};
use portico_store::{Declared, Ticket};
use serde_json::{Value, json};

use super::{
    Sample,
    http::{actor, assert_refused, done_by, follow, pointers},
};
use crate::{
    audit::seal,
    commands::{Answer, Request},
    outbox,
    stack::now,
    world::{
        ADMIN, AGENT, CONTENT, MANAGER, MEMBER, World, account, available, declared, file, file_rules,
        newer_file, open_case, pending_file, staged_file, user,
    },
};

fn mara() -> Author {
    Author { side: Side::Client, name: "Mara Lindqvist".to_owned() }
}

/// Sends the sample again, or another one like it.
async fn send(sample: &Sample, request: Request) -> Answer {
    let answer = request.send_to(&sample.guarded.function).await;
    assert_eq!(sample.guarded.guard.denied(), []);
    answer
}

async fn facts(world: &World) -> Vec<Fact> {
    outbox::facts(&world.stack.emulators).await
}

fn ids(answer: &Value) -> Vec<&str> {
    answer["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap()).collect()
}

/// Nobody else gets it, whatever they are otherwise: it belongs to no case yet.
pub async fn lets_a_staged_file_out_to_its_uploader(sample: &Sample) {
    let world = &sample.world;
    let staged = File { case: None, ..available(staged_file()) };
    world.store.save_file(&staged).await.unwrap();
    let bucket = world.stack.cloud().bucket("FILES_BUCKET").unwrap();
    bucket.put(&staged.key().to_string(), "text/plain", CONTENT.into()).await.unwrap();
    let answer = sample.run().await;
    assert_eq!(answer["statusCode"], 200, "{answer}");
    assert_eq!(answer["body"]["case"], Value::Null);
    assert_eq!(follow(&answer["body"]["download"], "").await.text().await.unwrap(), CONTENT);
    let fact = Fact::Accessed(Access::FileDownloaded { case: None, file: staged.id });
    assert_eq!(done_by(world, &fact).await, actor(&answer, MEMBER, ActorRole::Member, "GET /files/{fileId}"));
    let named = account().to_string();
    for request in [
        Request::sample("presigned-downloads-staged").by(MANAGER),
        Request::sample("presigned-downloads-staged").by(AGENT).with_query("account", &named),
    ] {
        assert_eq!(send(sample, request).await.status, 404);
    }
}

/// Not even to the consultancy.
pub async fn does_not_let_a_deleted_file_out(sample: &Sample) {
    let deleted = available(file()).deleted(mara(), now()).unwrap();
    sample.world.store.save_file(&deleted).await.unwrap();
    assert_refused(&sample.run().await, 404, "not-found");
    for person in [MEMBER, MANAGER] {
        let request = Request::sample("presigned-downloads-file").by(person);
        assert_eq!(send(sample, request).await.status, 404, "{person}");
    }
}

pub async fn lists_versions(sample: &Sample) {
    sample.world.renew_file().await;
    let answer = sample.run().await;
    let body = &answer["body"];
    let [newest, first] = [newer_file(), file()].map(|id| id.to_string());
    assert_eq!(ids(body), [&newest, &first], "{answer}");
    assert_eq!((&body["items"][0]["version"], &body["items"][1]["version"]), (&json!(2), &json!(1)));
    assert_eq!(body["items"][1]["superseded_by"], newest);
    for item in body["items"].as_array().unwrap() {
        assert_eq!(item["uploaded_by"], json!({ "side": "client", "name": "Jonas Weber" }));
        assert_eq!((&item["size"], item["created_at"].is_string()), (&json!(CONTENT.len()), true));
    }
    let by_the_newest = Request::sample("presigned-downloads-versions").with_path("fileId", &newest);
    assert_eq!(send(sample, by_the_newest).await.body, *body, "whichever version is named");
}

/// Who uploads a file sees it on its way, and nobody else does.
pub async fn lists_the_files_of_a_case(sample: &Sample) {
    sample.world.renew_file().await;
    let answer = sample.run().await;
    let [newest, pending] = [newer_file(), pending_file()].map(|id| id.to_string());
    assert_eq!(ids(&answer["body"]), [&newest, &pending], "the latest versions, newest first: {answer}");
    let others = send(sample, Request::sample("presigned-downloads-list").by(MANAGER)).await;
    assert_eq!(ids(&others.body), [&newest]);
    // A page of one holds the first of what is looked through, or nothing.
    let mut pages = Vec::new();
    let mut request = Request::sample("presigned-downloads-list").by(MANAGER).with_query("limit", "1");
    for _ in 0..5 {
        let page = send(sample, request).await;
        pages.push(ids(&page.body).len());
        let Some(cursor) = page.body["next_cursor"].as_str() else { break };
        request = Request::sample("presigned-downloads-list").by(MANAGER).with_query("cursor", cursor);
        assert!(pages.len() < 5, "without end");
    }
    assert_eq!(pages.iter().sum::<usize>(), 1, "{pages:?}");
}

pub async fn tells_what_is_used(sample: &Sample) {
    let world = &sample.world;
    seal(world, 1..=3).await;
    let another = declared(staged_file());
    let ticket = Ticket::new(&world.tenant(), &user(MEMBER), "POST /cases", "usage", b"{}", now());
    let fact = Fact::FileDeclared { case: another.case, file: another.id };
    let event = Event::in_account(account(), fact, now(), &world.stack.random);
    let taken = world.store.declare_file(&ticket, &another, &file_rules(), &event).await.unwrap();
    assert_eq!(taken, Declared::Done);
    let answer = sample.run().await;
    let body = &answer["body"];
    assert_eq!(body["space"], json!({ "files": 1, "bytes": CONTENT.len() }), "{answer}");
    let acts = body["acts"].as_object().unwrap();
    assert_eq!(acts.values().map(|count| count.as_u64().unwrap()).sum::<u64>(), 3, "{acts:?}");
    let variables = world.variables("presigned-downloads");
    assert_eq!(body["bytes_max"].to_string(), variables["ACCOUNT_FILES_BYTES_MAX"]);
    assert_eq!(body["case_max"]["files"].to_string(), variables["CASE_FILES_MAX"]);
}

pub async fn refuses_the_usage_to_a_member(sample: &Sample) {
    assert_refused(&sample.run().await, 403, "forbidden");
}

/// The facts of one change, and the events that they came with.
async fn assert_told(sample: &Sample, answer: &Value, fact: Fact, by: (&str, ActorRole), route: &str) {
    let world = &sample.world;
    let version = world.case(open_case()).await.version;
    let changed = Fact::CaseChanged { case: open_case(), version };
    let told = facts(world).await;
    assert_eq!(told[told.len() - 2..], [fact.clone(), changed]);
    let (sender, role) = by;
    assert_eq!(done_by(world, &fact).await, actor(answer, sender, role, route));
}

pub async fn relabels_a_file(sample: &Sample) {
    let world = &sample.world;
    world.renew_file().await;
    let before = world.case(open_case()).await.version;
    let answer = sample.run().await;
    assert_eq!(answer["statusCode"], 200, "{answer}");
    assert_eq!(answer["body"]["category"], "Screenshot");
    assert_eq!(answer["body"]["visibility"], json!({ "for": "named", "people": [MANAGER] }));
    for version in [file(), newer_file()] {
        let version = world.file(version).await;
        assert_eq!(version.category.unwrap().as_str(), "Screenshot");
        assert_eq!(version.visibility, Visibility::Named { people: [user(MANAGER)].into() });
    }
    assert_eq!(world.case(open_case()).await.version, before + 1);
    let fact = Fact::FileRelabelled { case: open_case(), file: file() };
    assert_told(sample, &answer, fact, (MEMBER, ActorRole::Member), "PATCH /files/{fileId}").await;
}

/// Null is as good as left out.
pub async fn leaves_what_is_so_already(sample: &Sample) {
    let world = &sample.world;
    let before = (world.case(open_case()).await, world.file(file()).await, facts(world).await);
    let answer = sample.run().await;
    assert_eq!(answer["statusCode"], 200, "{answer}");
    assert_eq!((world.case(open_case()).await, world.file(file()).await, facts(world).await), before);
}

/// A category that the consultancy has not, and somebody of another company, who is as good as nobody.
pub async fn refuses_labels(sample: &Sample) {
    let before = sample.world.file(file()).await;
    let answer = sample.run().await;
    assert_refused(&answer, 400, "invalid-request");
    assert_eq!(pointers(&answer), ["/category", "/visibility/people/0"]);
    assert_eq!(sample.world.file(file()).await, before);
}

pub async fn deletes_a_file(sample: &Sample) {
    let world = &sample.world;
    world.renew_file().await;
    let answer = sample.run().await;
    assert_eq!(answer["statusCode"], 200, "{answer}");
    assert_eq!(answer["body"]["available"], false);
    assert_eq!(answer["body"]["deleted_by"]["name"], "Jonas Weber");
    assert_eq!(answer["body"]["restorable_until"], (now() + UNDO_WINDOW).to_string());
    for version in [file(), newer_file()] {
        assert!(world.file(version).await.deleted.is_some(), "all versions");
    }
    let fact = Fact::FileDeleted { case: open_case(), file: file() };
    assert_told(sample, &answer, fact, (MEMBER, ActorRole::Member), "DELETE /files/{fileId}").await;
    let before = (facts(world).await, world.case(open_case()).await);
    let again = send(sample, Request::sample("file-changes-delete").by(MANAGER)).await;
    assert_eq!((again.status, &again.body["deleted_by"]), (200, &answer["body"]["deleted_by"]));
    assert_eq!((facts(world).await, world.case(open_case()).await), before, "twice is once");
}

pub async fn does_not_delete_what_is_awaited(sample: &Sample) {
    assert_refused(&sample.run().await, 409, "wrong-state");
}

pub async fn restores_a_file(sample: &Sample) {
    let world = &sample.world;
    world.renew_file().await;
    for version in [file(), newer_file()] {
        let deleted = world.file(version).await.deleted(mara(), now() - SignedDuration::from_hours(24));
        world.store.save_file(&deleted.unwrap()).await.unwrap();
    }
    let answer = sample.run().await;
    assert_eq!(answer["statusCode"], 200, "{answer}");
    assert_eq!((&answer["body"]["available"], &answer["body"]["deleted_by"]), (&json!(true), &Value::Null));
    for version in [file(), newer_file()] {
        assert!(world.file(version).await.deleted.is_none(), "all versions");
    }
    let fact = Fact::FileRestored { case: open_case(), file: file() };
    assert_told(sample, &answer, fact, (AGENT, ActorRole::Agent), "POST /files/{fileId}/restore").await;
    let before = facts(world).await;
    assert_eq!(send(sample, Request::sample("file-changes-restore")).await.status, 200);
    assert_eq!(facts(world).await, before, "twice is once");
}

pub async fn erases_a_file(sample: &Sample) {
    let world = &sample.world;
    world.renew_file().await;
    let answer = sample.run().await;
    assert_eq!(answer["statusCode"], 202, "{answer}");
    for version in [file(), newer_file()] {
        let version = world.file(version).await;
        assert_eq!((version.erasure, version.due), (Some(now()), Some(now())), "it goes with the next look");
    }
    let fact = Fact::FileErasureRequested { case: open_case(), file: file() };
    assert_told(sample, &answer, fact, (ADMIN, ActorRole::Admin), "POST /files/{fileId}/erase").await;
    let told = facts(world).await;
    let again = send(sample, Request::sample("file-changes-erase")).await;
    assert_eq!(again.status, 404, "nobody sees it any more");
    let told_since = facts(world).await.split_off(told.len());
    assert!(matches!(&told_since[..], [Fact::Accessed(Access::Refused { .. })]), "{told_since:?}");
}

pub async fn does_not_erase_for_a_manager(sample: &Sample) {
    assert_refused(&sample.run().await, 403, "forbidden");
    assert_eq!(sample.world.file(file()).await.erasure, None);
}
