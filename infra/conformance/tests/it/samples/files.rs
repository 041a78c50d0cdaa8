//! What becomes of files: what the store has, what the scanner says, and what has to go.

use jiff::SignedDuration;
use portico_aws::{Bucket, Joined};
use portico_domain::{
    SalesforceId,
    events::Fact,
    files::{
        Comparison, Declaration, File, FileState, Multipart, PART_LINK_WINDOW, PENDING_GRACE, Rejection,
        Sha256Hex, UPLOAD_WINDOW, Verdict,
    },
};
use portico_store::PageSize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::Sample;
use crate::{
    outbox,
    stack::now,
    world::{CONTENT, MEMBER, World, account, declared, file, open_case, pending_file, uploader, user},
};

fn bucket(world: &World) -> Bucket {
    world.stack.cloud().bucket("FILES_BUCKET").unwrap()
}

/// The file that every sample of an upload is about, as it stands.
async fn the_file(world: &World) -> Option<File> {
    world.store.file(&world.tenant(), pending_file()).await.unwrap()
}

async fn put(world: &World, content: &'static str) {
    let key = declared(pending_file()).key().to_string();
    bucket(world).put(&key, "text/plain", content.into()).await.unwrap();
}

async fn has_content(world: &World, file: &File) -> bool {
    bucket(world).facts(&file.key().to_string()).await.unwrap().is_some()
}

/// The file has come as far as the scanner.
async fn scanning(world: &World) {
    put(world, CONTENT).await;
    let scanning = declared(pending_file()).compared(Comparison::AsDeclared, now());
    world.store.save_file(&scanning.unwrap()).await.unwrap();
}

fn rejected(reason: Rejection) -> FileState {
    FileState::Rejected { since: now(), reason }
}

/// Nobody but who uploads it is told.
async fn only_the_uploader_is_told(world: &World) {
    let told = Fact::FileChecked { case: Some(open_case()), file: pending_file(), uploader: user(MEMBER) };
    assert_eq!(outbox::facts(&world.stack.emulators).await, [told]);
}

pub async fn opens_a_clean_file(sample: &Sample) {
    let world = &sample.world;
    scanning(world).await;
    sample.run().await;
    let file = the_file(world).await.unwrap();
    assert_eq!(file.state, FileState::Available { since: now() });
    let case = world.case(open_case()).await;
    let timeline = world.store.timeline(&case, PageSize::DEFAULT, None).await.unwrap().unwrap();
    assert!(timeline.items.iter().any(|line| Some(line.id) == file.entry));
    let facts = outbox::facts(&world.stack.emulators).await;
    assert!(facts.contains(&Fact::FileAdded { case: open_case(), file: pending_file() }), "{facts:?}");
}

pub async fn case_f04_refuses_malware(sample: &Sample) {
    let world = &sample.world;
    scanning(world).await;
    sample.run().await;
    assert_eq!(the_file(world).await.unwrap().state, rejected(Rejection::Threat));
    only_the_uploader_is_told(world).await;
}

pub async fn case_f04_refuses_what_was_not_scanned(sample: &Sample) {
    let world = &sample.world;
    scanning(world).await;
    sample.run().await;
    assert_eq!(the_file(world).await.unwrap().state, rejected(Rejection::NotScannable));
    only_the_uploader_is_told(world).await;
}

/// The scanner was faster than the look at the content.
pub async fn case_f04_remembers_an_early_verdict(sample: &Sample) {
    let world = &sample.world;
    sample.run().await;
    let file = the_file(world).await.unwrap();
    assert_eq!(file.verdict, Some(Verdict::NotScannable));
    assert!(file.is_pending(), "{file:?}");
}

/// GuardDuty's own test object: no file of anybody's.
pub async fn passes_over_an_object_of_others(sample: &Sample) {
    let before = the_file(&sample.world).await;
    sample.run().await;
    assert_eq!(the_file(&sample.world).await, before);
    assert_eq!(outbox::facts(&sample.world.stack.emulators).await, []);
}

pub async fn case_f01_rejects_other_content(sample: &Sample) {
    let world = &sample.world;
    put(world, "2026-11-21 08:14:02 printer4 offline\n").await;
    sample.run().await;
    assert_eq!(the_file(world).await.unwrap().state, rejected(Rejection::ContentDiffers));
    only_the_uploader_is_told(world).await;
}

/// The object went again before anybody looked at it.
pub async fn waits_for_an_object_that_is_gone(sample: &Sample) {
    let before = the_file(&sample.world).await;
    sample.run().await;
    assert_eq!(the_file(&sample.world).await, before);
}

/// A file that was given up while its link still worked.
pub async fn erases_what_belongs_to_no_file(sample: &Sample) {
    let world = &sample.world;
    let id = "file_000000000000700080000000000000f9".parse().unwrap();
    let abandoned = declared(id);
    bucket(world).put(&abandoned.key().to_string(), "text/plain", CONTENT.into()).await.unwrap();
    sample.run().await;
    assert!(!has_content(world, &abandoned).await);
}

/// The file goes up in parts from now on.
async fn begin_parts(world: &World) -> File {
    let file = the_file(world).await.unwrap();
    let sha256 = Sha256Hex::try_from(hex::encode(Sha256::digest(CONTENT))).unwrap();
    let begun = bucket(world).begin_upload(file.clone(), vec![sha256]).await.unwrap();
    let begun = File { version: file.version + 1, ..begun };
    world.store.save_file(&begun).await.unwrap();
    begun
}

async fn put_part(world: &World, file: &File, upload: &Multipart) {
    let (key, parts) = (file.key().to_string(), file.parts());
    let link =
        bucket(world).presign_part(&key, &upload.id, &parts[0], now(), PART_LINK_WINDOW).await.unwrap();
    let mut sent = reqwest::Client::new().put(link.url);
    for (name, value) in link.headers.iter().filter(|(name, _)| name != "host" && name != "content-length") {
        sent = sent.header(name, value);
    }
    assert!(sent.body(CONTENT).send().await.unwrap().status().is_success());
}

/// Of what came in parts everything is read; the verdict was there before that was done.
pub async fn opens_parts_that_were_scanned_before(sample: &Sample) {
    let world = &sample.world;
    let file = begin_parts(world).await;
    let upload = file.multipart.clone().unwrap();
    put_part(world, &file, &upload).await;
    let key = file.key().to_string();
    let stored = bucket(world).parts(&key, &upload.id).await.unwrap().unwrap();
    assert_eq!(bucket(world).join_parts(&key, &upload.id, &stored).await.unwrap(), Joined::Done);
    world.store.save_file(&file.judged(Verdict::Clean, now()).unwrap()).await.unwrap();
    sample.run().await;
    assert_eq!(the_file(world).await.unwrap().state, FileState::Available { since: now() });
    let checked = Fact::FileChecked { case: Some(open_case()), file: pending_file(), uploader: user(MEMBER) };
    let facts = outbox::facts(&world.stack.emulators).await;
    assert_eq!(
        facts.iter().filter(|fact| **fact == checked).count(),
        2,
        "uploaded, then available: {facts:?}"
    );
}

/// A file of the open case that was declared so long ago.
async fn declared_ago(world: &World, ago: SignedDuration) -> File {
    let id = "file_000000000000700080000000000000f8".parse().unwrap();
    let declaration: Declaration = declared(id).declared;
    let file = File::declare(id, account(), Some(open_case()), declaration, uploader(), now() - ago);
    world.store.save_file(&file).await.unwrap();
    file
}

async fn is_there(world: &World, file: &File) -> bool {
    world.store.file(&world.tenant(), file.id).await.unwrap().is_some()
}

fn tally(changed: &Value) -> Value {
    let mut tally = json!({
        "gone": 0, "content_gone": 0, "kept": 0, "stuck": 0, "left": 0, "failed": 0, "more": false,
    });
    tally.as_object_mut().unwrap().extend(changed.as_object().unwrap().clone());
    tally
}

/// One that never came, and one that was refused.
pub async fn case_f03_removes_what_never_came(sample: &Sample) {
    let world = &sample.world;
    let never = declared_ago(world, UPLOAD_WINDOW + PENDING_GRACE).await;
    scanning(world).await;
    let infected = the_file(world).await.unwrap().judged(Verdict::Threat, now()).unwrap();
    world.store.save_file(&infected).await.unwrap();
    assert_eq!(sample.run().await, tally(&json!({ "gone": 1, "content_gone": 1 })));
    assert!(!is_there(world, &never).await);
    assert!(!has_content(world, &infected).await);
    let record = the_file(world).await.unwrap();
    assert_eq!(record.state, rejected(Rejection::Threat), "the record stays, to say why");
    assert_eq!(outbox::facts(&world.stack.emulators).await, [], "nobody knew of it");
}

pub async fn case_f03_removes_parts(sample: &Sample) {
    let world = &sample.world;
    let file = begin_parts(world).await;
    let upload = file.multipart.clone().unwrap();
    put_part(world, &file, &upload).await;
    world.store.save_file(&file.to_be_erased(now()).unwrap()).await.unwrap();
    assert_eq!(sample.run().await, tally(&json!({ "gone": 1 })));
    assert_eq!(bucket(world).parts(&file.key().to_string(), &upload.id).await.unwrap(), None);
    assert!(!is_there(world, &file).await);
}

/// Somebody wanted it erased: content, record, line on the timeline and room go, and Salesforce is told.
pub async fn erases_what_is_to_be_erased(sample: &Sample) {
    let world = &sample.world;
    scanning(world).await;
    let clean = |file: &File| file.judged(Verdict::Clean, now());
    let moved =
        world.store.move_file(&world.tenant(), pending_file(), clean, now(), &world.stack.random).await;
    let available = moved.unwrap().unwrap();
    let salesforce_id: SalesforceId = "a04Fk0000000099IAA".parse().unwrap();
    let version = available.version + 1;
    let referred = File { salesforce_id: Some(salesforce_id), version, ..available };
    world.store.refer_to_file(&referred).await.unwrap();
    world.store.save_file(&referred.to_be_erased(now()).unwrap()).await.unwrap();
    assert_eq!(sample.run().await, tally(&json!({ "gone": 1 })));
    assert_eq!(the_file(world).await, None);
    assert!(!has_content(world, &referred).await);
    let case = world.case(open_case()).await;
    let timeline = world.store.timeline(&case, PageSize::DEFAULT, None).await.unwrap().unwrap();
    assert!(timeline.items.iter().all(|line| Some(line.id) != referred.entry));
    let last = outbox::facts(&world.stack.emulators).await.pop();
    assert_eq!(last, Some(Fact::FileErased { case: open_case(), file: pending_file() }));
}

/// An available file is looked at once a month; a file whose upload is awaited is not looked at at all.
pub async fn keeps_what_is_kept(sample: &Sample) {
    let world = &sample.world;
    let known = world.store.file(&world.tenant(), file()).await.unwrap().unwrap();
    world.store.save_file(&known.due_at(now())).await.unwrap();
    assert_eq!(sample.run().await, tally(&json!({ "kept": 1 })));
    let kept = world.store.file(&world.tenant(), file()).await.unwrap().unwrap();
    assert!(kept.due.unwrap() > now(), "{kept:?}");
    assert!(the_file(world).await.unwrap().is_pending());
}
