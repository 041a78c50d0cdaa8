//! Versions of a file: in the order in which they became available, and one file together.

use portico_domain::files::{File, FileState};
use serde_json::json;

use super::{CLEAN, CONFIRMATION, Scene, THREAT, VERDICTS, created, follow, judged, somebody};
use crate::world::{lambda_event, open_case};

const CONTENT: &[u8] = b"2026-11-22 09:30:00 all is well\n";

/// A version that is in the store and has been compared.
async fn scanning(scene: &Scene, replaced: &File) -> File {
    let (file, answer) = scene.declare(CONTENT, |body| body["replaces"] = json!(replaced.id)).await;
    assert!(follow(&answer, CONTENT).await.is_success());
    scene.confirm(&file).await;
    file
}

/// Id and number of every version, the first one first.
async fn chain(scene: &Scene, of: &File) -> Vec<(portico_domain::FileId, u32)> {
    let versions = scene.world.store.versions(&scene.world.tenant(), of.id).await.unwrap().unwrap();
    versions.all().iter().map(|version| (version.id, version.revision)).collect()
}

#[tokio::test]
async fn a_new_version_keeps_the_old_one() {
    let scene = Scene::start().await;
    let first = scene.available(CONTENT).await;
    let second = scanning(&scene, &first).await;
    assert_eq!(chain(&scene, &first).await, [(first.id, 1)], "not before it was found clean");
    scene.judge(&second, CLEAN).await;
    for of in [&first, &second] {
        assert_eq!(chain(&scene, of).await, [(first.id, 1), (second.id, 2)]);
        assert!(scene.can_be_downloaded(of.id).await, "each of them");
    }
    // One that is refused is none.
    let third = scanning(&scene, &first).await;
    scene.judge(&third, THREAT).await;
    assert_eq!(chain(&scene, &first).await, [(first.id, 1), (second.id, 2)]);
    assert!(matches!(scene.state(&third).await, FileState::Rejected { .. }));
    // Whichever version is named, it comes behind the latest.
    let fourth = scanning(&scene, &first).await;
    scene.judge(&fourth, CLEAN).await;
    assert_eq!(chain(&scene, &second).await, [(first.id, 1), (second.id, 2), (fourth.id, 3)]);
    scene.assert_room("versions").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_versions_at_once_both_become_versions() {
    let scene = Scene::start().await;
    let (one, other) =
        (scene.world.boot(VERDICTS).await.function, scene.world.boot(CONFIRMATION).await.function);
    for _ in 0..6 {
        let first = scene.available(CONTENT).await;
        let left = scanning(&scene, &first).await;
        // The other one gets its verdict before it is compared, so it is the confirmation that makes it available.
        let (right, answer) = scene.declare(CONTENT, |body| body["replaces"] = json!(first.id)).await;
        assert!(follow(&answer, CONTENT).await.is_success());
        scene.judge(&right, CLEAN).await;
        let (verdict, arrival) = (judged(&left, CLEAN).to_string(), created(&right).to_string());
        let both =
            futures::future::join(one.invoke(lambda_event(&verdict)), other.invoke(lambda_event(&arrival)));
        let (verdict, arrival) = both.await;
        verdict.unwrap();
        arrival.unwrap();
        let mut ids: Vec<_> = chain(&scene, &first).await;
        assert_eq!(ids.iter().map(|(_, revision)| *revision).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(ids.remove(0).0, first.id);
        assert!(ids.iter().any(|(id, _)| *id == left.id) && ids.iter().any(|(id, _)| *id == right.id));
        scene.assert_room("two versions at once").await;
    }
}

/// The file was deleted, or its erasure was asked for, while a new version was being scanned.
#[tokio::test]
async fn a_version_of_a_deleted_file_stays_deleted() {
    let scene = Scene::start().await;
    for erased in [false, true] {
        let first = scene.available(CONTENT).await;
        let second = scanning(&scene, &first).await;
        let now = scene.now();
        let next = if erased { first.to_be_erased(now) } else { first.deleted(somebody(), now) };
        let case = scene.world.case(open_case()).await.touched(now);
        scene.world.store.change_file(&[next.unwrap()], &case, &[]).await.unwrap();
        scene.judge(&second, CLEAN).await;
        let second = scene.file(second.id).await.unwrap();
        assert!(!scene.can_be_downloaded(second.id).await);
        assert_eq!((second.deleted.is_some(), second.erasure.is_some()), (!erased, erased));
        scene.advance(portico_domain::files::UNDO_WINDOW);
        scene.look_until_rest().await;
        for gone in [&first, &second] {
            assert_eq!(scene.file(gone.id).await, None);
            assert!(!scene.has_content(gone).await);
            assert_eq!(scene.lines(gone).await, 0);
        }
        scene.assert_room("deleted").await;
    }
}
