//! Archives: asked for, put together, read.

use http::StatusCode;
use portico_domain::{
    ArchiveId, CaseId,
    audit::ActorRole,
    events::{Access, Event, Fact},
    files::{ASSEMBLY_TIME_MAX, Archive, ArchiveFailure, ArchiveState, Space},
};
use serde_json::{Value, json};

use super::{
    Sample,
    http::{actor, assert_refused, done_by, follow},
};
use crate::{
    archives::{entries, saved},
    outbox,
    stack::now,
    world::{
        AGENT, CONTENT, LEAVER, MANAGER, MEMBER, World, account, available, closed_case, file, open_case,
        user,
    },
};

/// The archive that the samples name.
fn sampled() -> ArchiveId {
    "arch_000000000000700080000000000000d1".parse().unwrap()
}

/// It was asked for by this person.
async fn request(world: &World, by: &str, case: CaseId) -> Archive {
    let archive = Archive::request(sampled(), account(), case, user(by), now());
    save(world, archive).await
}

async fn save(world: &World, archive: Archive) -> Archive {
    let fact = Fact::ArchiveRequested { case: archive.case, archive: archive.id };
    let event = Event::about(&world.case(archive.case).await, fact, now(), &world.stack.random);
    world.store.save_archive(&archive, &event).await.unwrap();
    archive
}

async fn state(world: &World) -> ArchiveState {
    world.store.archive(&world.tenant(), sampled()).await.unwrap().unwrap().state
}

async fn upload(world: &World) {
    let bucket = world.stack.cloud().bucket("FILES_BUCKET").unwrap();
    bucket.put(&available(file()).key().to_string(), "text/plain", CONTENT.into()).await.unwrap();
}

/// The versions that whoever waits was told of.
async fn told(world: &World) -> Vec<u64> {
    let facts = outbox::facts(&world.stack.emulators).await;
    let versions = facts.into_iter().filter_map(|fact| match fact {
        Fact::ArchiveChanged { version, requester, .. } => {
            assert_eq!(requester.to_string(), MEMBER);
            Some(version)
        }
        _ => None,
    });
    versions.collect()
}

async fn asks(sample: &Sample, by: &str, role: ActorRole) {
    let world = &sample.world;
    let answer = sample.run().await;
    assert_eq!(answer["statusCode"], 202, "{answer}");
    assert_eq!(answer["body"]["state"], "requested");
    let id: ArchiveId = answer["body"]["id"].as_str().unwrap().parse().unwrap();
    assert_eq!(answer["multiValueHeaders"]["location"], json!([format!("/archives/{id}")]));
    let archive = world.store.archive(&world.tenant(), id).await.unwrap().unwrap();
    assert_eq!(archive.requested_by, user(by));
    let fact = Fact::ArchiveRequested { case: open_case(), archive: id };
    assert_eq!(done_by(world, &fact).await, actor(&answer, by, role, "POST /cases/{caseId}/archives"));
}

pub async fn asks_for_an_archive(sample: &Sample) {
    asks(sample, MEMBER, ActorRole::Member).await;
}

pub async fn lets_an_agent_ask(sample: &Sample) {
    asks(sample, AGENT, ActorRole::Agent).await;
}

pub async fn case_t12_hides_a_foreign_case(sample: &Sample) {
    let before = outbox::facts(&sample.world.stack.emulators).await.len();
    assert_refused(&sample.run().await, 404, "not-found");
    let facts = outbox::facts(&sample.world.stack.emulators).await.split_off(before);
    assert!(matches!(&facts[..], [Fact::Accessed(Access::Refused { .. })]), "{facts:?}");
}

pub async fn leads_to_an_archive(sample: &Sample) {
    let world = &sample.world;
    let ready = ArchiveState::Ready { since: now(), whole: Space { files: 1, bytes: 37 }, size: 2 };
    let archive = request(world, MEMBER, open_case()).await.now(ready);
    save(world, archive.clone()).await;
    let bucket = world.stack.cloud().bucket("ARCHIVES_BUCKET").unwrap();
    bucket.put(&archive.key().to_string(), "application/zip", "PK".into()).await.unwrap();
    let answer = sample.run().await;
    assert_eq!(answer["statusCode"], 200, "{answer}");
    assert_eq!(answer["body"]["downloadable_until"], "2026-11-22T10:30:00Z");
    let fact = Fact::Accessed(Access::ArchiveDownloaded { case: open_case(), archive: sampled() });
    let expected = actor(&answer, MEMBER, ActorRole::Member, "GET /archives/{archiveId}");
    assert_eq!(done_by(world, &fact).await, expected);
    let got = follow(&answer["body"]["download"], "").await;
    assert_eq!(got.status(), StatusCode::OK);
    assert_eq!(got.headers()["content-type"], "application/zip");
    let disposition = got.headers()["content-disposition"].to_str().unwrap();
    assert!(disposition.starts_with("attachment; filename=\"case-00000901-files.zip\""), "{disposition}");
    assert_eq!(got.text().await.unwrap(), "PK");
}

/// A manager sees the member's case, and not what the member has made for themselves.
pub async fn case_t12_hides_a_colleagues_archive(sample: &Sample) {
    request(&sample.world, MEMBER, open_case()).await;
    assert_refused(&sample.run().await, 404, "not-found");
}

pub async fn says_what_nobody_finished(sample: &Sample) {
    let world = &sample.world;
    let requested =
        Archive::request(sampled(), account(), open_case(), user(MEMBER), now() - ASSEMBLY_TIME_MAX);
    save(world, requested).await;
    let answer = sample.run().await;
    assert_eq!(
        (&answer["body"]["state"], &answer["body"]["failure"]),
        (&json!("failed"), &json!("broken")),
        "{answer}"
    );
}

pub async fn puts_an_archive_together(sample: &Sample) {
    let world = &sample.world;
    upload(world).await;
    request(world, MEMBER, open_case()).await;
    assert_eq!(sample.run().await, json!({ "batchItemFailures": [] }));
    let archive = world.store.archive(&world.tenant(), sampled()).await.unwrap().unwrap();
    let zip = saved(world, &archive).await;
    let size = zip.as_file().metadata().unwrap().len();
    let whole = Space { files: 1, bytes: 37 };
    assert_eq!(archive.state, ArchiveState::Ready { since: now(), whole, size });
    let entries = entries(&zip);
    assert_eq!(entries.iter().map(|entry| entry.name.as_str()).collect::<Vec<_>>(), ["printer.log"]);
    assert_eq!(told(world).await, [2, 3, 4], "it has begun, everything is in it, it stands");
}

async fn fails(sample: &Sample, by: &str, case: CaseId, reason: ArchiveFailure) {
    request(&sample.world, by, case).await;
    assert_eq!(sample.run().await, json!({ "batchItemFailures": [] }));
    assert_eq!(state(&sample.world).await, ArchiveState::Failed { since: now(), reason });
}

pub async fn case_t09_puts_nothing_together_for_a_leaver(sample: &Sample) {
    upload(&sample.world).await;
    fails(sample, LEAVER, open_case(), ArchiveFailure::AccessEnded).await;
}

pub async fn puts_no_empty_archive_together(sample: &Sample) {
    fails(sample, MANAGER, closed_case(), ArchiveFailure::NoFiles).await;
}

async fn comes_back(sample: &Sample) -> Value {
    request(&sample.world, MEMBER, open_case()).await;
    let answer = sample.run().await;
    assert_eq!(answer["batchItemFailures"].as_array().unwrap().len(), 1, "{answer}");
    answer
}

/// Better no archive than one with a hole.
pub async fn leaves_no_hole(sample: &Sample) {
    comes_back(sample).await;
    assert!(matches!(state(&sample.world).await, ArchiveState::Assembling { .. }));
}

pub async fn tells_of_a_failure(sample: &Sample) {
    comes_back(sample).await;
    let failed = ArchiveState::Failed { since: now(), reason: ArchiveFailure::Broken };
    assert_eq!(state(&sample.world).await, failed);
    assert_eq!(told(&sample.world).await, [2, 3]);
}
