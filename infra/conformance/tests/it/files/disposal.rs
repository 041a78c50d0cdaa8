//! What has to go goes: content, record, line on the timeline and room; and nothing else does.

use futures::future::join;
use jiff::SignedDuration;
use portico_domain::{
    cases::{Case, Status},
    events::Fact,
    files::{
        Disposal, File, FileState, LOOK_AGAIN, PARTS_WINDOW, PENDING_GRACE, REJECTED_SHOWN, STAGED_LIFE,
        STUCK_AFTER, UNDO_WINDOW, UPLOAD_WINDOW,
    },
};
use serde_json::{Value, json};

use super::{
    CLEAN, CONFIRMATION, DISPOSAL, LOOKS_MAX, Scene, THREAT, created, follow, scheduled, sha256, somebody,
};
use crate::{
    outbox,
    steps::{Blow, Fault, Side},
    world::{declared, open_case},
};

const CONTENT: &[u8] = b"2026-11-22 09:30:00 all is well\n";
const SECOND: SignedDuration = SignedDuration::from_secs(1);
const DAY: SignedDuration = SignedDuration::from_hours(24);
/// Most requests of a look that disposes of one file here.
const REQUESTS_MAX: usize = 80;

/// It is not there, for nobody, in no way.
async fn assert_gone(scene: &Scene, file: &File) {
    assert_eq!(scene.file(file.id).await, None);
    assert!(!scene.has_content(file).await);
    assert_eq!(scene.lines(file).await, 0);
    assert!(!scene.can_be_downloaded(file.id).await);
    scene.assert_room("gone").await;
}

async fn erased_facts(scene: &Scene) -> Vec<Fact> {
    let facts = outbox::facts(&scene.world.stack.emulators).await;
    facts.into_iter().filter(|fact| matches!(fact, Fact::FileErased { .. })).collect()
}

/// What somebody changed on a file, as their function writes it.
async fn change(scene: &Scene, file: &File, next: impl Fn(&File) -> Option<File>) -> File {
    let versions = scene.world.store.versions(&scene.world.tenant(), file.id).await.unwrap().unwrap();
    let changed: Vec<File> = versions.all().iter().map(|version| next(version).unwrap()).collect();
    let case = scene.world.case(open_case()).await.touched(scene.now());
    scene.world.store.change_file(&changed, &case, &[]).await.unwrap();
    scene.file(file.id).await.unwrap()
}

#[tokio::test]
async fn case_f03_an_upload_that_never_came_leaves_nothing() {
    let scene = Scene::start().await;
    let (file, answer) = scene.declare(CONTENT, |_| {}).await;
    scene.assert_room("declared").await;
    assert!(!scene.can_be_downloaded(file.id).await);
    assert_eq!(scene.lines(&file).await, 0, "no phantom");
    scene.advance(UPLOAD_WINDOW + PENDING_GRACE - SECOND);
    assert_eq!(scene.look().await["gone"], 0);
    assert!(scene.file(file.id).await.is_some(), "what is on its way may still arrive");
    scene.advance(SECOND);
    scene.look_until_rest().await;
    assert_gone(&scene, &file).await;
    assert_eq!(erased_facts(&scene).await, [], "nobody knew of it");
    assert!(!follow(&answer, CONTENT).await.is_success(), "its link has lapsed");
}

#[tokio::test]
async fn case_f03_parts_that_were_never_joined_go() {
    let scene = Scene::start().await;
    let (file, upload) = scene.in_parts(CONTENT, &sha256(CONTENT)).await;
    let due = file.due.unwrap();
    assert_eq!(due, scene.now() + UPLOAD_WINDOW + PENDING_GRACE, "small here, so it is due like a small one");
    scene.advance(UPLOAD_WINDOW + PENDING_GRACE);
    let key = file.key().to_string();
    assert!(scene.bucket().parts(&key, &upload.id).await.unwrap().is_some());
    scene.look_until_rest().await;
    assert_eq!(scene.bucket().parts(&key, &upload.id).await.unwrap(), None);
    assert_gone(&scene, &file).await;
    // A large one has a day and an hour.
    let large = portico_domain::files::Declaration { size: 1 << 30, ..file.declared.clone() };
    let large = File::declare(file.id, file.account, file.case, large, crate::world::uploader(), scene.now());
    assert_eq!(large.due, Some(scene.now() + PARTS_WINDOW + PENDING_GRACE));
}

#[tokio::test]
async fn case_f03_a_staged_file_that_no_case_claims_goes() {
    let scene = Scene::start().await;
    let staged =
        File { case: None, ..declared(portico_domain::FileId::new(scene.now(), &scene.world.stack.random)) };
    scene.world.store.save_file(&staged).await.unwrap();
    scene.put_behind_the_back(&staged, crate::world::CONTENT.as_bytes()).await;
    scene.confirm(&staged).await;
    scene.judge(&staged, CLEAN).await;
    scene.advance(STAGED_LIFE - SECOND);
    scene.look().await;
    assert!(scene.file(staged.id).await.is_some());
    scene.advance(SECOND);
    scene.look_until_rest().await;
    assert_eq!(scene.file(staged.id).await, None);
    assert!(!scene.has_content(&staged).await);
}

#[tokio::test]
async fn case_f04_what_was_refused_loses_its_content_at_once_and_its_record_after_a_week() {
    let scene = Scene::start().await;
    let file = scene.uploaded(CONTENT).await;
    scene.confirm(&file).await;
    scene.judge(&file, THREAT).await;
    scene.assert_room("refused: its room is free at once").await;
    assert_eq!(scene.look().await["content_gone"], 1);
    assert!(!scene.has_content(&file).await);
    let record = scene.file(file.id).await.unwrap();
    assert!(matches!(record.state, FileState::Rejected { .. }), "it still says why");
    scene.advance(REJECTED_SHOWN);
    scene.look_until_rest().await;
    assert_gone(&scene, &file).await;
}

/// The link still works after the file was refused, erased or given up: what comes by it goes again.
#[tokio::test]
async fn case_f04_what_comes_under_a_link_of_a_file_that_is_gone_goes_again() {
    let scene = Scene::start().await;
    let (refused, refused_link) = scene.declare(CONTENT, |_| {}).await;
    follow(&refused_link, CONTENT).await;
    scene.confirm(&refused).await;
    scene.judge(&refused, THREAT).await;
    let (erased, erased_link) = scene.declare(CONTENT, |_| {}).await;
    follow(&erased_link, CONTENT).await;
    scene.confirm(&erased).await;
    scene.judge(&erased, CLEAN).await;
    change(&scene, &erased, |file| file.to_be_erased(scene.now())).await;
    let (condemned, condemned_link) = scene.declare(CONTENT, |_| {}).await;
    scene.world.store.save_file(&condemned.to_be_erased(scene.now()).unwrap()).await.unwrap();
    assert!(follow(&condemned_link, CONTENT).await.is_success());
    scene.confirm(&condemned).await;
    assert!(!scene.has_content(&condemned).await, "even before its record is gone");
    scene.look_until_rest().await;
    for (file, link) in [(refused, refused_link), (erased, erased_link), (condemned, condemned_link)] {
        assert!(!scene.has_content(&file).await);
        assert!(follow(&link, CONTENT).await.is_success(), "the store knows nothing of the file");
        scene.confirm(&file).await;
        assert!(!scene.has_content(&file).await);
        assert!(!scene.can_be_downloaded(file.id).await);
    }
}

#[tokio::test]
async fn a_deleted_file_goes_after_a_month_and_a_restored_one_does_not() {
    let scene = Scene::start().await;
    let (deleted, restored) = (scene.available(CONTENT).await, scene.available(CONTENT).await);
    for file in [&deleted, &restored] {
        change(&scene, file, |file| file.deleted(somebody(), scene.now())).await;
        assert!(!scene.can_be_downloaded(file.id).await);
    }
    scene.advance(UNDO_WINDOW - SECOND);
    scene.look_until_rest().await;
    change(&scene, &restored, File::restored).await;
    scene.advance(SECOND);
    scene.look_until_rest().await;
    assert_gone(&scene, &deleted).await;
    assert_eq!(erased_facts(&scene).await, [Fact::FileErased { case: open_case(), file: deleted.id }]);
    assert!(scene.can_be_downloaded(restored.id).await);
    assert!(scene.has_content(&restored).await);
    assert_eq!(scene.lines(&restored).await, 1);
}

#[tokio::test]
async fn an_erasure_takes_content_record_line_and_room_of_every_version() {
    let scene = Scene::start().await;
    let first = scene.available(CONTENT).await;
    let (second, answer) = scene.declare(b"the second", |body| body["replaces"] = json!(first.id)).await;
    assert!(follow(&answer, b"the second").await.is_success());
    scene.confirm(&second).await;
    scene.judge(&second, CLEAN).await;
    change(&scene, &first, |file| file.to_be_erased(scene.now())).await;
    for file in [&first, &second] {
        assert!(!scene.can_be_downloaded(file.id).await, "from the moment on that it was asked for");
    }
    scene.look_until_rest().await;
    assert_gone(&scene, &first).await;
    assert_gone(&scene, &second).await;
    assert_eq!(erased_facts(&scene).await.len(), 2);
}

async fn close(scene: &Scene, closed: bool) {
    let case = scene.world.case(open_case()).await;
    let status = Status { label: if closed { "Closed" } else { "Working" }.to_owned(), closed };
    let closed_at = closed.then(|| scene.now());
    let case = Case { status, closed_at, ..case.touched(scene.now()) };
    scene.world.store.save_case(&case, &[], &[]).await.unwrap();
}

#[tokio::test]
async fn files_of_a_closed_case_go_after_their_retention_and_those_of_an_open_one_stay() {
    let scene = Scene::with_retention(90).await;
    let file = scene.available(CONTENT).await;
    let months = async |count: u32| {
        for _ in 0..count {
            scene.advance(LOOK_AGAIN);
            scene.look_until_rest().await;
        }
    };
    months(6).await;
    assert!(scene.can_be_downloaded(file.id).await, "an open case keeps its files");
    close(&scene, true).await;
    months(2).await;
    close(&scene, false).await;
    months(2).await;
    assert!(scene.can_be_downloaded(file.id).await, "it was opened again");
    close(&scene, true).await;
    months(2).await;
    assert!(scene.can_be_downloaded(file.id).await, "60 days of 90");
    scene.advance(LOOK_AGAIN - SECOND);
    scene.look_until_rest().await;
    assert!(scene.can_be_downloaded(file.id).await, "not a second early");
    scene.advance(SECOND);
    scene.look_until_rest().await;
    assert_gone(&scene, &file).await;
}

#[tokio::test]
async fn without_a_rule_for_retention_nothing_available_goes() {
    let scene = Scene::start().await;
    let file = scene.available(CONTENT).await;
    close(&scene, true).await;
    for _ in 0..24 {
        scene.advance(LOOK_AGAIN);
        scene.look_until_rest().await;
    }
    assert!(scene.can_be_downloaded(file.id).await);
    assert!(scene.has_content(&file).await);
}

#[tokio::test]
async fn a_file_that_nobody_scans_is_told_of_and_stays() {
    let scene = Scene::start().await;
    let file = scene.uploaded(CONTENT).await;
    scene.confirm(&file).await;
    scene.advance(STUCK_AFTER - SECOND);
    assert_eq!(scene.look().await["stuck"], 0);
    scene.advance(SECOND);
    for _ in 0..3 {
        assert_eq!(scene.look().await["stuck"], 1);
        assert_eq!(scene.look().await["stuck"], 0, "once an hour is enough");
        scene.advance(STUCK_AFTER);
    }
    scene.judge(&file, CLEAN).await;
    assert!(scene.can_be_downloaded(file.id).await);
}

/// Files of every sort that go now.
async fn doomed(scene: &Scene) -> Vec<File> {
    let (never, _) = scene.declare(CONTENT, |_| {}).await;
    let (parts, _) = scene.in_parts(CONTENT, &sha256(CONTENT)).await;
    let refused = scene.uploaded(CONTENT).await;
    scene.confirm(&refused).await;
    scene.judge(&refused, THREAT).await;
    let erased = scene.available(CONTENT).await;
    let deleted = scene.available(CONTENT).await;
    change(scene, &deleted, |file| file.deleted(somebody(), scene.now())).await;
    scene.advance(UNDO_WINDOW);
    change(scene, &erased, |file| file.to_be_erased(scene.now())).await;
    vec![never, parts, refused, erased, deleted]
}

/// Requests of a look that ask for the days before today.
const DAYS_BEFORE_TODAY: usize = 35;

#[tokio::test]
async fn a_look_that_dies_anywhere_is_taken_up_by_the_next() {
    for sort in 0..5 {
        for side in [Side::Before, Side::After] {
            let scene = Scene::start().await;
            scene.look_until_rest().await;
            let files = doomed(&scene).await;
            let file = &files[sort];
            // Alone, so that its requests have an order.
            for other in files.iter().filter(|other| other.id != file.id) {
                let other = scene.file(other.id).await.unwrap();
                scene.world.store.save_file(&other.due_at(scene.now() + DAY)).await.unwrap();
            }
            let mut died = 0;
            // The days before today are only read: what dies there has done nothing.
            for at in DAYS_BEFORE_TODAY..REQUESTS_MAX {
                let fault = Fault { at, side, blow: Blow::Death };
                if scene.deliver(DISPOSAL, &scheduled(), Some(fault)).await.is_some() {
                    break;
                }
                died += 1;
                scene.assert_room("died").await;
                let shown = scene.can_be_downloaded(file.id).await;
                assert!(!shown, "what goes is not shown any more, however far it has come");
                let left = scene.file(file.id).await;
                assert!(left.is_some() || !scene.has_content(file).await, "no content without a record");
            }
            assert!(died > 1, "a look asks for the day, and does something: {died}");
            scene.look_until_rest().await;
            assert_gone(&scene, file).await;
            assert!(erased_facts(&scene).await.len() <= 1, "told once");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_looks_at_once_do_it_once() {
    let scene = Scene::start().await;
    scene.look_until_rest().await;
    let files = doomed(&scene).await;
    let (one, other) = (scene.world.boot(DISPOSAL).await.function, scene.world.boot(DISPOSAL).await.function);
    let look = async |function: &portico_aws::Function| {
        let event = crate::world::lambda_event(&scheduled().to_string());
        let tally: Value = serde_json::from_str(function.invoke(event).await.unwrap().get()).unwrap();
        assert_eq!(tally["failed"], 0, "{tally}");
    };
    for _ in 0..LOOKS_MAX {
        join(look(&one), look(&other)).await;
        scene.assert_room("two at once").await;
    }
    for file in &files {
        assert_gone(&scene, file).await;
    }
    assert_eq!(erased_facts(&scene).await.len(), 2, "of those that were shown");
}

/// Somebody brings a file back in the very moment in which it goes: it goes or it stays, whole.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_file_that_is_brought_back_as_it_goes_is_whole_or_gone() {
    let scene = Scene::start().await;
    scene.look_until_rest().await;
    let mut outcomes = [0, 0];
    for _ in 0..10 {
        let file = scene.available(CONTENT).await;
        let deleted = change(&scene, &file, |file| file.deleted(somebody(), scene.now())).await;
        scene.advance(UNDO_WINDOW);
        let disposal = scene.world.boot(DISPOSAL).await.function;
        let look = disposal.invoke(crate::world::lambda_event(&scheduled().to_string()));
        let restore = async {
            let restored = deleted.restored().unwrap();
            let case = scene.world.case(open_case()).await.touched(scene.now());
            scene.world.store.change_file(&[restored], &case, &[]).await.is_ok()
        };
        let (looked, restored) = join(look, restore).await;
        looked.unwrap();
        scene.look_until_rest().await;
        if restored {
            assert!(scene.can_be_downloaded(file.id).await && scene.has_content(&file).await);
        } else {
            assert_gone(&scene, &file).await;
        }
        outcomes[usize::from(restored)] += 1;
    }
    println!("gone {}, brought back {}", outcomes[0], outcomes[1]);
}

/// The store refuses one file's content: the others go all the same, and that one goes once the store lets it.
#[tokio::test]
async fn one_file_that_fails_does_not_stop_the_others() {
    let scene = Scene::start().await;
    scene.look_until_rest().await;
    let files = doomed(&scene).await;
    let failing = files[3].key().to_string();
    let mut grants = scene.world.grants(DISPOSAL);
    for grant in grants.iter_mut().filter(|grant| grant.action == "s3:DeleteObjectVersion") {
        // Every key but this one: those before it and those behind it.
        grant.resource = format!("arn:aws:s3:::filesbucket/{failing}-none");
    }
    let others = files.iter().filter(|file| file.id != files[3].id).map(|file| {
        let resource = format!("arn:aws:s3:::filesbucket/{}", file.key());
        crate::guard::Grant { action: "s3:DeleteObjectVersion".to_owned(), resource }
    });
    grants.extend(others);
    let guard = scene.world.guard(grants).await;
    let function = scene.world.boot_with(DISPOSAL, scene.world.variables(DISPOSAL), &guard).await.unwrap();
    let event = crate::world::lambda_event(&scheduled().to_string());
    let tally: Value = serde_json::from_str(function.invoke(event).await.unwrap().get()).unwrap();
    assert_eq!(tally["failed"], 1, "{tally}");
    scene.assert_room("one failed").await;
    assert!(scene.has_content(&files[3]).await);
    assert!(!scene.can_be_downloaded(files[3].id).await);
    scene.look_until_rest().await;
    for file in &files {
        assert_gone(&scene, file).await;
    }
}

/// A run looks at so many files and no more; the next goes on.
#[tokio::test]
async fn a_run_has_its_limits_and_the_next_goes_on() {
    let scene = Scene::start().await;
    scene.look_until_rest().await;
    let mut files = Vec::new();
    for _ in 0..7 {
        files.push(scene.declare(CONTENT, |_| {}).await.0);
    }
    scene.advance(UPLOAD_WINDOW + PENDING_GRACE);
    let deps = file_disposal::Deps::new(&scene.world.stack.cloud()).unwrap();
    let limits = file_disposal::Limits { files: 3, ..file_disposal::LIMITS };
    // The world's own pending file is due as well.
    for (gone, more) in [(3, true), (3, true), (2, false)] {
        let tally = file_disposal::run(&deps, limits).await;
        assert_eq!((tally.gone, tally.more), (gone, more), "{tally:?}");
    }
    let no_time = file_disposal::Limits { time: std::time::Duration::ZERO, ..file_disposal::LIMITS };
    let late = scene.declare(CONTENT, |_| {}).await.0;
    scene.advance(UPLOAD_WINDOW + PENDING_GRACE);
    let tally = file_disposal::run(&deps, no_time).await;
    assert_eq!((tally.gone, tally.more), (0, true), "{tally:?}");
    // What nobody could look at for a month is still found.
    scene.advance(DAY * i32::try_from(file_disposal::DAYS_BACK).unwrap() - DAY);
    scene.look_until_rest().await;
    assert_gone(&scene, &late).await;
}

/// More than a page of one day.
#[tokio::test]
async fn pages_of_one_day_are_looked_at_to_the_end() {
    let scene = Scene::start().await;
    scene.look_until_rest().await;
    let until = scene.now() + DAY;
    for place in 0..130_u128 {
        let id = portico_domain::FileId::from_uuid(uuid::Uuid::from_u128(0x7000_8000_0000_0001_0000 + place));
        let file = File { state: FileState::Available { since: scene.now() }, ..declared(id) };
        scene.world.store.save_file(&File { due: Some(until), ..file }).await.unwrap();
    }
    scene.advance(DAY);
    let tally = scene.look().await;
    assert_eq!((&tally["kept"], &tally["more"]), (&json!(130), &json!(false)), "{tally}");
    let again = scene.look().await;
    assert_eq!(again["kept"], 0, "they are due in a month: {again}");
}

/// A confirmation that was delayed until the upload is being given up.
#[tokio::test]
async fn case_f03_what_arrives_as_it_is_given_up_is_no_half_file() {
    for at in 0..REQUESTS_MAX {
        let scene = Scene::start().await;
        scene.look_until_rest().await;
        let file = scene.uploaded(CONTENT).await;
        scene.advance(UPLOAD_WINDOW + PENDING_GRACE);
        // The look dies at each of its last requests, and the event comes then.
        let fault = Fault { at: 30 + at, side: Side::After, blow: Blow::Death };
        let died = scene.deliver(DISPOSAL, &scheduled(), Some(fault)).await.is_none();
        scene.deliver(CONFIRMATION, &created(&file), None).await.unwrap();
        scene.judge(&file, CLEAN).await;
        let shown = scene.can_be_downloaded(file.id).await;
        assert!(!shown || scene.has_content(&file).await, "request {at}: shown without content");
        scene.look_until_rest().await;
        match scene.file(file.id).await {
            Some(_) => assert!(shown && scene.has_content(&file).await, "request {at}"),
            None => assert!(!shown && !scene.has_content(&file).await, "request {at}"),
        }
        scene.assert_room("as it is given up").await;
        if !died {
            break;
        }
    }
}

/// What the rules say of a file is what happens to it: nothing goes earlier.
#[tokio::test]
async fn nothing_goes_that_the_rules_keep() {
    let scene = Scene::start().await;
    let file = scene.available(CONTENT).await;
    for days in [1, 7, 29, 30, 31, 60] {
        scene.advance(DAY * days);
        let before = scene.file(file.id).await.unwrap();
        assert!(matches!(before.disposal(None, None, scene.now()), Disposal::Stays { .. }));
        scene.look_until_rest().await;
        assert!(scene.has_content(&file).await);
    }
}
