//! All files of a case at once: what is in an archive and what is not, whatever happens to those who put it together.
//! The archives are read by Python's `zipfile`, which is nobody's that wrote them.

use std::{
    collections::BTreeSet,
    io::Write as _,
    process::{Command, Stdio},
    sync::atomic::{AtomicI64, Ordering},
    time::{Duration, Instant},
};

use jiff::SignedDuration;
use portico_aws::{Bucket, Cloud, Settings};
use portico_domain::{
    ArchiveId, Clock, FileId,
    cases::{Author, Side},
    events::{Event, Fact},
    files::{
        Archive, ArchiveFailure, ArchiveState, Comparison, Declaration, File, PROGRESS_STEPS, Space, Verdict,
        Visibility,
    },
    people::{MembershipState, Position},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use crate::{
    MEMORY, outbox,
    stack::{MovableClock, Stack, now},
    steps::{Blow, Fault, Side as Edge},
    world::{
        Guarded, MANAGER, MEMBER, World, account, available, declared, file, lambda_event, memberships,
        open_case, uploader, user,
    },
};

const BINARY: &str = "archive-assembly";

/// What Python reads in an archive.
const READER: &str = r#"
import hashlib, json, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as archive:
    assert archive.testzip() is None
    print(json.dumps([{
        "name": entry.filename, "size": entry.file_size, "stored": entry.compress_type == zipfile.ZIP_STORED,
        "sha256": hashlib.sha256(archive.read(entry)).hexdigest(), "modified": list(entry.date_time),
    } for entry in archive.infolist()]))
"#;

/// One file in an archive.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Entry {
    pub name: String,
    pub size: u64,
    pub stored: bool,
    pub sha256: String,
    /// Year, month, day, hour, minute, second.
    pub modified: [u16; 6],
}

/// What is in a saved archive, in its order. Every byte was read and every check sum was right.
pub fn entries(zip: &NamedTempFile) -> Vec<Entry> {
    let read = Command::new("python3").args(["-c", READER]).arg(zip.path()).output().unwrap();
    assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
    serde_json::from_slice(&read.stdout).unwrap()
}

/// An archive as it lies in the store.
pub async fn saved(world: &World, archive: &Archive) -> NamedTempFile {
    let bucket = world.stack.cloud().bucket("ARCHIVES_BUCKET").unwrap();
    save_object(&bucket, &archive.key().to_string()).await
}

async fn save_object(bucket: &Bucket, key: &str) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    let mut content = bucket.read(key).await.unwrap().unwrap();
    while let Some(piece) = content.next().await.unwrap() {
        file.write_all(&piece).unwrap();
    }
    file
}

/// The archive of this number, asked for by this person.
async fn request(world: &World, place: u128, by: &str) -> Archive {
    let id = ArchiveId::from_uuid(uuid::Uuid::from_u128(0x7000_8000_0000_0000_d000 + place));
    let archive = Archive::request(id, account(), open_case(), user(by), now());
    world.store.save_archive(&archive, &requested(&archive)).await.unwrap();
    archive
}

fn requested(archive: &Archive) -> Event {
    let fact = Fact::ArchiveRequested { case: archive.case, archive: archive.id };
    // No two events have one id, also when an archive is asked for twice.
    Event::in_account(archive.account, fact, now(), &portico_aws::system_random())
}

/// The message that asks for an archive, at its n-th receive.
fn message(archive: &Archive, receives: u32) -> String {
    let body = serde_json::to_string(&requested(archive)).unwrap();
    let record = json!({
        "messageId": archive.id.to_string(), "receiptHandle": "none", "body": body,
        "attributes": { "ApproximateReceiveCount": receives.to_string() },
    });
    json!({ "Records": [record] }).to_string()
}

/// Whether the message is done with.
async fn assemble(assembly: &Guarded, archive: &Archive, receives: u32) -> bool {
    let answer = assembly.function.invoke(lambda_event(&message(archive, receives))).await.unwrap();
    assert_eq!(assembly.guard.denied(), []);
    let answer: Value = serde_json::from_str(answer.get()).unwrap();
    answer["batchItemFailures"] == json!([])
}

async fn state(world: &World, archive: &Archive) -> ArchiveState {
    world.store.archive(&world.tenant(), archive.id).await.unwrap().unwrap().state
}

/// A file of the open case that can be downloaded, with this content; the higher its number, the later it came.
fn shown(place: u128, name: &str, content: &[u8]) -> File {
    let id = FileId::from_uuid(uuid::Uuid::from_u128(0x7000_8000_0000_0001_0000 + place));
    let declaration = Declaration {
        name: name.to_owned().try_into().unwrap(),
        size: content.len().try_into().unwrap(),
        content_type: "application/octet-stream".to_owned().try_into().unwrap(),
        sha256: hex::encode(Sha256::digest(content)).try_into().unwrap(),
    };
    let declared = File::declare(id, account(), Some(open_case()), declaration, uploader(), now());
    let compared = declared.compared(Comparison::AsDeclared, now()).unwrap();
    File { version: 1, ..compared.judged(Verdict::Clean, now()).unwrap() }
}

async fn put(world: &World, file: &File, content: &[u8]) {
    let bucket = world.stack.cloud().bucket("FILES_BUCKET").unwrap();
    let content = content.to_vec();
    bucket.put(&file.key().to_string(), "application/octet-stream", content.into()).await.unwrap();
    world.store.save_file(file).await.unwrap();
}

/// The world's own files are on other cases from now on: what is left is what a test puts there.
async fn start() -> World {
    clear(World::start().await).await
}

async fn clear(world: World) -> World {
    for file in [available(file()), declared(crate::world::pending_file())] {
        world.store.remove_file(&file, None).await.unwrap();
    }
    world
}

/// Puts together what this person may see, and reads it.
async fn archive_of(world: &World, place: u128, by: &str) -> Vec<Entry> {
    let assembly = world.boot(BINARY).await;
    let archive = request(world, place, by).await;
    assert!(assemble(&assembly, &archive, 1).await);
    let entries = entries(&saved(world, &archive).await);
    let whole = Space {
        files: entries.len().try_into().unwrap(),
        bytes: entries.iter().map(|entry| entry.size).sum(),
    };
    let state = state(world, &archive).await;
    assert!(matches!(state, ArchiveState::Ready { whole: said, .. } if said == whole), "{state:?}");
    entries
}

fn names(entries: &[Entry]) -> Vec<&str> {
    entries.iter().map(|entry| entry.name.as_str()).collect()
}

#[tokio::test]
async fn case_f02_f05_names_that_would_fool_somebody_are_safe_and_unlike_each_other() {
    let world = start().await;
    let long = format!("{}.tar.gz", "ü".repeat(900));
    let given = [
        "../../etc/passwd",
        "..\\..\\boot.ini",
        "C:\\Windows\\win.ini",
        "a\r\nSet-Cookie: x",
        "nul\u{0}byte.txt",
        "CON",
        "aux.txt",
        "gpj.\u{202e}exe",
        "🦀🦀.log",
        "A.TXT",
        "a.txt",
        "a.txt",
        "a (2).txt",
        "...",
        "\u{202e}\u{200b}",
        "Straße.txt",
        "STRASSE.TXT",
        "Ä.txt",
        "ä.txt",
        "ends in a dot.",
        &long,
        &long,
        "-rf",
        "$(id).sh",
        "<script>alert(1)</script>.html",
        "空のファイル.txt",
    ];
    let mut expected = Vec::new();
    for (place, name) in (0..).zip(given) {
        let content = format!("content {place}").into_bytes();
        put(&world, &shown(place, name, &content), &content).await;
        expected.push(hex::encode(Sha256::digest(&content)));
    }
    let entries = archive_of(&world, 1, MEMBER).await;
    let sums: Vec<&str> = entries.iter().map(|entry| entry.sha256.as_str()).collect();
    assert_eq!(sums, expected, "the oldest first");
    let names = names(&entries);
    let lower: BTreeSet<String> = names.iter().map(|name| name.to_lowercase()).collect();
    assert_eq!(lower.len(), given.len(), "{names:?}");
    for name in &names {
        assert!(!name.contains(['/', '\\', ':', '\0', '\r', '\n', '\u{202e}', '<']), "{name:?}");
        assert!(!name.starts_with('.') && !name.ends_with('.') && name.len() <= 220, "{name:?}");
    }
    assert_eq!(names[9..15], ["A.TXT", "a (2).txt", "a (3).txt", "a (2) (2).txt", "file", "file (2)"]);
    assert!(entries.iter().all(|entry| entry.stored && entry.modified == [2026, 11, 22, 9, 30, 0]));
}

#[tokio::test]
async fn case_f05_t08_only_what_the_one_who_asked_may_see_is_in_it() {
    let world = start().await;
    let by = |file: File, user: &str| File { uploaded_by: user.parse().unwrap(), ..file };
    let next = FileId::from_uuid(uuid::Uuid::from_u128(0x7000_8000_0000_0001_0000 + 2));
    let first = shown(1, "versions.txt", b"first");
    let pending = declared(FileId::from_uuid(uuid::Uuid::from_u128(0x7000_8000_0000_0001_0000 + 20)));
    let scanning = pending.compared(Comparison::AsDeclared, now()).unwrap();
    let rejected = scanning.judged(Verdict::Threat, now()).unwrap();
    let author = Author { side: Side::Client, name: "Jonas Weber".to_owned() };
    let own = |place: u128, file: &File| File {
        id: FileId::from_uuid(uuid::Uuid::from_u128(0x7000_8000_0000_0001_0000 + place)),
        version: 1,
        ..file.clone()
    };
    let files = [
        File { superseded_by: Some(next), ..first.clone() },
        File {
            original: first.id,
            revision: 2,
            replaces: Some(first.id),
            ..shown(2, "versions.txt", b"other")
        },
        by(File { visibility: Visibility::Managers, ..shown(3, "managers.txt", b"plans") }, MANAGER),
        File { visibility: Visibility::Managers, ..shown(4, "own.txt", b"mine!") },
        by(
            File {
                visibility: Visibility::Named { people: BTreeSet::from([user(MEMBER)]) },
                ..shown(5, "named.txt", b"yours")
            },
            MANAGER,
        ),
        by(
            File {
                visibility: Visibility::Named { people: BTreeSet::new() },
                ..shown(6, "nobody.txt", b"none.")
            },
            MANAGER,
        ),
        own(7, &shown(7, "deleted.txt", b"away.").deleted(author, now()).unwrap()),
        own(8, &shown(8, "erased.txt", b"gone.").to_be_erased(now()).unwrap()),
        own(9, &pending),
        own(10, &scanning),
        own(11, &rejected),
        File { case: Some(crate::world::new_case()), ..shown(12, "elsewhere.txt", b"there") },
    ];
    for file in &files {
        put(&world, file, &[b'x'; 5]).await;
    }
    let members = archive_of(&world, 1, MEMBER).await;
    assert_eq!(names(&members), ["versions.txt", "own.txt", "named.txt"]);
    let managers = archive_of(&world, 2, MANAGER).await;
    assert_eq!(
        names(&managers),
        ["versions.txt", "managers.txt", "own.txt", "named.txt", "nobody.txt"],
        "managers see everything"
    );
}

#[tokio::test]
async fn case_f05_a_file_that_is_erased_in_the_middle_is_not_in_the_next_run() {
    let world = start().await;
    let (stays, goes) = (shown(1, "stays.txt", b"stays"), shown(2, "goes.txt", b"goes"));
    put(&world, &stays, b"stays").await;
    // The record is still there, the content is not.
    world.store.save_file(&goes).await.unwrap();
    let assembly = world.boot(BINARY).await;
    let archive = request(&world, 1, MEMBER).await;
    assert!(!assemble(&assembly, &archive, 1).await, "no hole is left");
    let archives = world.stack.cloud().bucket("ARCHIVES_BUCKET").unwrap();
    assert!(archives.facts(&archive.key().to_string()).await.unwrap().is_none());
    world.store.remove_file(&goes, None).await.unwrap();
    assert!(assemble(&assembly, &archive, 2).await);
    assert_eq!(names(&entries(&saved(&world, &archive).await)), ["stays.txt"]);
}

#[tokio::test]
async fn case_f05_content_of_another_size_is_in_no_archive_and_who_waits_is_told() {
    let world = start().await;
    for (place, content) in [(1, &b"shorter"[..]), (2, b"much longer than it should be")] {
        let file = shown(place, "log.txt", b"as declared");
        put(&world, &file, content).await;
        let assembly = world.boot(BINARY).await;
        let archive = request(&world, place, MEMBER).await;
        for receives in 1..=archive_assembly::RECEIVES_MAX {
            assert!(!assemble(&assembly, &archive, receives).await);
        }
        let failed = ArchiveState::Failed { since: now(), reason: ArchiveFailure::Broken };
        assert_eq!(state(&world, &archive).await, failed);
        world.store.remove_file(&file, None).await.unwrap();
    }
}

/// The count at which the function gives up is the one after which the queue does.
#[test]
fn an_archive_is_given_up_when_its_message_becomes_a_dead_letter() {
    let template = crate::template::Template::read();
    let mut queues = template.of_type("AWS::SQS::Queue");
    let (_, queue) = queues.find(|(id, _)| *id == "ArchivesQueue").unwrap();
    assert_eq!(queue["RedrivePolicy"]["maxReceiveCount"], archive_assembly::RECEIVES_MAX);
}

#[tokio::test]
async fn case_t09_f05_who_may_not_see_the_case_any_more_gets_nothing() {
    let world = start().await;
    let file = shown(1, "log.txt", b"log");
    put(&world, &file, b"log").await;
    let assembly = world.boot(BINARY).await;
    let [_, member, ..] = memberships();
    let Position::Client { role, contact, .. } = member.position.clone() else { panic!() };
    let elsewhere = Position::Client { account: crate::world::other_account(), role, contact };
    let ended = [
        portico_domain::people::Membership { state: MembershipState::Suspended, ..member.clone() },
        portico_domain::people::Membership { position: elsewhere, ..member.clone() },
    ];
    for (place, membership) in (1..).zip(ended) {
        let archive = request(&world, place, MEMBER).await;
        world.store.provision_member(&membership).await.unwrap();
        assert!(assemble(&assembly, &archive, 1).await);
        let failed = ArchiveState::Failed { since: now(), reason: ArchiveFailure::AccessEnded };
        assert_eq!(state(&world, &archive).await, failed);
        world.store.provision_member(&member).await.unwrap();
    }
    // The case itself is gone from Salesforce.
    let archive = request(&world, 3, MEMBER).await;
    let case = world.case(open_case()).await;
    let withdrawn = portico_domain::cases::Case { withdrawn: Some(now()), version: case.version + 1, ..case };
    world.store.save_case(&withdrawn, &[], &[]).await.unwrap();
    assert!(assemble(&assembly, &archive, 1).await);
    let failed = ArchiveState::Failed { since: now(), reason: ArchiveFailure::AccessEnded };
    assert_eq!(state(&world, &archive).await, failed);
}

#[tokio::test]
async fn case_f05_a_message_that_comes_again_changes_nothing() {
    let world = start().await;
    put(&world, &shown(1, "log.txt", b"log"), b"log").await;
    let assembly = world.boot(BINARY).await;
    let archive = request(&world, 1, MEMBER).await;
    assert!(assemble(&assembly, &archive, 1).await);
    let (before, facts) = (state(&world, &archive).await, outbox::facts(&world.stack.emulators).await);
    assert!(assemble(&assembly, &archive, 2).await);
    assert_eq!(state(&world, &archive).await, before);
    assert_eq!(outbox::facts(&world.stack.emulators).await, facts);
}

#[tokio::test]
async fn case_f05_of_two_that_are_given_the_same_message_one_puts_it_together() {
    let world = start().await;
    put(&world, &shown(1, "log.txt", b"log"), b"log").await;
    let (one, other) = (world.boot(BINARY).await, world.boot(BINARY).await);
    for place in 1..=5 {
        let archive = request(&world, place, MEMBER).await;
        let both = tokio::join!(assemble(&one, &archive, 1), assemble(&other, &archive, 1));
        assert_eq!(both, (true, true));
        assert!(matches!(state(&world, &archive).await, ArchiveState::Ready { .. }));
        assert_eq!(names(&entries(&saved(&world, &archive).await)), ["log.txt"]);
    }
}

#[tokio::test]
async fn case_f05_whoever_waits_sees_it_grow() {
    let readings = AtomicI64::new(0);
    let clock = Clock::new(move || {
        now() + SignedDuration::from_millis(300 * readings.fetch_add(1, Ordering::Relaxed))
    });
    let world = clear(World::start_at(clock).await).await;
    let content = vec![7; 64 * 1024];
    for place in 0..60 {
        put(&world, &shown(place, "log.txt", &content), &content).await;
    }
    let assembly = world.boot(BINARY).await;
    let archive = request(&world, 1, MEMBER).await;
    let before = outbox::facts(&world.stack.emulators).await.len();
    assert!(assemble(&assembly, &archive, 1).await);
    let told = outbox::facts(&world.stack.emulators).await.split_off(before);
    let versions: Vec<u64> = told
        .iter()
        .map(|fact| match fact {
            Fact::ArchiveChanged { version, archive: id, requester, .. } => {
                assert_eq!((id, requester.to_string().as_str()), (&archive.id, MEMBER));
                *version
            }
            other => panic!("{other:?}"),
        })
        .collect();
    assert!(versions.is_sorted() && versions[0] == 2, "{versions:?}");
    let most = usize::try_from(PROGRESS_STEPS).unwrap();
    // The beginning, everything in it, and that it stands come on top.
    assert!((6..=most + 3).contains(&versions.len()), "{versions:?}");
}

/// Whatever moment a run dies at, the next one puts the archive together, and it is whole.
#[tokio::test]
async fn case_r01_f05_a_run_that_dies_starts_over() {
    let clock = MovableClock::new();
    let world = clear(World::start_watched(clock.clock()).await).await;
    for (place, content) in [(1, &b"first"[..]), (2, b"second")] {
        put(&world, &shown(place, "log.txt", content), content).await;
    }
    let archive = request(&world, 0, MEMBER).await;
    let run = async |archive: &Archive, receives, fault| {
        let process = async { assemble(&world.boot(BINARY).await, archive, receives).await };
        world.steps.live(fault, process).await
    };
    assert_eq!(run(&archive, 1, None).await, Some(true));
    let steps = world.steps.names().len();
    assert!(steps > 8, "{:?}", world.steps.names());
    let mut place = 0;
    for at in 0..steps {
        for side in [Edge::Before, Edge::After] {
            place += 1;
            let archive = request(&world, place, MEMBER).await;
            assert_eq!(run(&archive, 1, Some(Fault { at, side, blow: Blow::Death })).await, None);
            assert_eq!(run(&archive, 2, None).await, Some(true), "{at} {side:?}");
            let entries = entries(&saved(&world, &archive).await);
            assert_eq!(names(&entries), ["log.txt", "log (2).txt"], "{at} {side:?}");
            assert!(matches!(state(&world, &archive).await, ArchiveState::Ready { .. }));
        }
    }
}

/// What a process that runs the function and nothing else is told, and what it says at the end.
#[derive(Debug, Serialize, Deserialize)]
struct Errand {
    settings: std::collections::BTreeMap<String, String>,
    event: String,
}

/// What one run took.
#[derive(Debug, Serialize, Deserialize)]
struct Cost {
    /// Most bytes that the process had allocated at a time, in the run.
    heap: usize,
    /// Most memory that the process ever had of the system, in kilobytes.
    resident_kb: u64,
    milliseconds: u64,
}

const COST: &str = "the run took ";

/// The function in a process of its own, so that what is measured is not the emulators'.
#[tokio::test]
#[ignore = "a process that other tests start"]
async fn the_function_alone() {
    let errand: Errand = serde_json::from_reader(std::io::stdin()).unwrap();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let cloud =
        Cloud::new(Settings::new(errand.settings), portico_aws::system_clock(), portico_aws::system_random());
    let function = archive_assembly::function(&cloud).await.unwrap();
    MEMORY.reset_peak_usage();
    let started = Instant::now();
    let answer = function.invoke(lambda_event(&errand.event)).await.unwrap();
    assert_eq!(answer.get(), r#"{"batchItemFailures":[]}"#);
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let cost = Cost {
        heap: MEMORY.peak_usage(),
        resident_kb: peak.trim().trim_end_matches(" kB").parse().unwrap(),
        milliseconds: started.elapsed().as_millis().try_into().unwrap(),
    };
    println!("{COST}{}", serde_json::to_string(&cost).unwrap());
}

/// Files of the open case, `sizes` bytes each; what is in them differs from one to the next.
async fn fill(world: &World, sizes: impl IntoIterator<Item = usize>) -> Space {
    const LARGEST: usize = 32 << 20;
    let mut state = 1_u64;
    let mut noise = vec![0; 2 * LARGEST];
    for chunk in noise.chunks_exact_mut(8) {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        chunk.copy_from_slice(&state.to_be_bytes());
    }
    let noise = axum::body::Bytes::from(noise);
    let bucket = world.stack.cloud().bucket("FILES_BUCKET").unwrap();
    let mut space = Space::default();
    for (place, size) in (1_u128..).zip(sizes) {
        let from = usize::try_from(place).unwrap() * 4099 % LARGEST;
        let file = shown(place, &format!("file {}.bin", place % 100), b"");
        let declared = Declaration { size: size.try_into().unwrap(), ..file.declared.clone() };
        let file = File { declared, ..file };
        let content = noise.slice(from..from + size);
        bucket.put(&file.key().to_string(), "application/octet-stream", content).await.unwrap();
        world.store.save_file(&file).await.unwrap();
        space.files += 1;
        space.bytes += file.declared.size;
    }
    space
}

/// Puts an archive of files of these sizes together in a process of its own.
#[expect(clippy::print_stdout, reason = "what it cost is what the test shows")]
async fn measure(sizes: impl IntoIterator<Item = usize>) -> (Cost, World, Archive) {
    let world = clear(World::start_at(portico_aws::system_clock()).await).await;
    let started = Instant::now();
    let whole = fill(&world, sizes).await;
    println!("{whole:?} there after {:.1?}", started.elapsed());
    let archive = request(&world, 1, MEMBER).await;
    let archive = Archive { requested_at: portico_aws::system_clock().now(), version: 2, ..archive };
    world.store.save_archive(&archive, &requested(&archive)).await.unwrap();
    let emulators = &world.stack.emulators;
    let mut settings = Stack::runtime_settings(&emulators.dynamodb_url(), &emulators.aws_url());
    settings.extend(world.variables(BINARY));
    let errand = serde_json::to_vec(&Errand { settings, event: message(&archive, 1) }).unwrap();
    let run = tokio::task::spawn_blocking(move || {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["archives::the_function_alone", "--exact", "--ignored", "--nocapture"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(&errand).unwrap();
        child.wait_with_output().unwrap()
    });
    let output = tokio::time::timeout(Duration::from_secs(900), run).await.unwrap().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let cost = text.split_once(COST).unwrap_or_else(|| panic!("{text}")).1;
    let cost: Cost = serde_json::from_str(cost.lines().next().unwrap()).unwrap();
    println!("{cost:?}");
    let ready = state(&world, &archive).await;
    assert!(matches!(ready, ArchiveState::Ready { whole: said, .. } if said == whole), "{ready:?}");
    (cost, world, archive)
}

/// Beside what is allocated for other reasons: two parts of 16 MiB, and what has just arrived.
const HEAP_MAX: usize = 80 << 20;
/// How much more a run may allocate for twice as much content.
const GROWTH_MAX: usize = 6 << 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_f05_memory_does_not_grow_with_what_flows() {
    let (small, ..) = measure(std::iter::repeat_n(328 * 1024, 200)).await;
    let (large, ..) = measure(std::iter::repeat_n(328 * 1024, 400)).await;
    assert!(large.heap <= HEAP_MAX, "{large:?}");
    assert!(large.heap <= small.heap + GROWTH_MAX, "{small:?} {large:?}");
}

/// From 64 bytes to 16 MiB, 2 GB in all.
fn mixed_sizes() -> impl Iterator<Item = usize> {
    const SIZES: [usize; 10] =
        [64, 1_000, 10_000, 100_000, 250_000, 500_000, 1_000_000, 1_500_000, 16_777_216, 100_000];
    SIZES.into_iter().cycle().take(1_000)
}

/// `cargo nextest run -p portico-conformance --run-ignored only -E 'test(a_thousand_files)' --no-capture`
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes and 4 GB of disk"]
async fn case_f05_a_thousand_files_with_two_gigabytes_take_256_megabytes() {
    let (cost, world, archive) = measure(mixed_sizes()).await;
    assert!(cost.resident_kb <= 256 * 1024, "{cost:?}");
    let zip = saved(&world, &archive).await;
    assert_eq!(entries(&zip).len(), 1_000);
    let tested = Command::new("unzip").args(["-tqq"]).arg(zip.path()).status().unwrap();
    assert!(tested.success());
    println!("{} bytes, unzip and zipfile read all of it", zip.as_file().metadata().unwrap().len());
}
