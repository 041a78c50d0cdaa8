//! What is in the store, held against what was declared.

use portico_domain::files::{FileState, Rejection};
use serde_json::json;

use super::{CLEAN, Scene, sha256};

const LOG: &[u8] = b"2026-11-22 09:30:00 all is well\n";
const OTHER_LOG: &[u8] = b"2026-11-22 09:30:00 all is lost\n";
const LONGER_LOG: &[u8] = b"2026-11-22 09:30:00 all is well, and more\n";
const HTML: &[u8] = b"<!DOCTYPE html><html><script>alert(1)</script></html>";
const PROGRAM: &[u8] = b"MZ\x90\0\x03\0\0\0\x04\0\0\0\xff\xff\0\0 this program";

fn reason(state: FileState) -> Option<Rejection> {
    match state {
        FileState::Rejected { reason, .. } => Some(reason),
        _ => None,
    }
}

/// An object is put there without a link, so nobody has checked it before. However clean it is, it is no file.
#[tokio::test]
async fn case_f01_what_is_not_what_was_declared_is_rejected() {
    let scene = Scene::start().await;
    for (declared_type, declared, stored, expected) in [
        ("text/plain", LOG, LOG, None),
        ("text/plain", LOG, OTHER_LOG, Some(Rejection::ContentDiffers)),
        ("text/plain", LOG, LONGER_LOG, Some(Rejection::ContentDiffers)),
        ("text/plain", LOG, &LOG[1..], Some(Rejection::ContentDiffers)),
        ("image/png", HTML, HTML, Some(Rejection::TypeDiffers)),
        ("application/pdf", LOG, LOG, Some(Rejection::TypeDiffers)),
        ("text/plain", PROGRAM, PROGRAM, Some(Rejection::TypeDiffers)),
    ] {
        let when = format!("{declared_type} {expected:?} {}", stored.len());
        let (file, _) = scene.declare(declared, |body| body["content_type"] = json!(declared_type)).await;
        scene.put_behind_the_back(&file, stored).await;
        scene.confirm(&file).await;
        assert_eq!(reason(scene.state(&file).await), expected, "{when}");
        scene.judge(&file, CLEAN).await;
        assert_eq!(scene.can_be_downloaded(file.id).await, expected.is_none(), "{when}");
        scene.assert_room(&when).await;
        scene.look().await;
        assert_eq!(scene.has_content(&file).await, expected.is_none(), "{when}: its content goes at once");
    }
}

/// Each part is what was declared, the whole is not: the store cannot know, so everything is read.
#[tokio::test]
async fn case_f01_parts_that_make_another_whole_are_rejected() {
    let scene = Scene::start().await;
    for (whole, expected) in [(LOG, None), (OTHER_LOG, Some(Rejection::ContentDiffers))] {
        let (file, upload) = scene.in_parts(LOG, &sha256(whole)).await;
        scene.join(&file, &upload).await;
        scene.confirm(&file).await;
        let state = scene.state(&file).await;
        assert_eq!(reason(state), expected, "{state:?}");
        scene.judge(&file, CLEAN).await;
        assert_eq!(scene.can_be_downloaded(file.id).await, expected.is_none());
        scene.assert_room("parts").await;
    }
}

/// The event of an object that is gone again, or that came twice.
#[tokio::test]
async fn an_event_is_no_proof_of_an_object() {
    let scene = Scene::start().await;
    let (file, _) = scene.declare(LOG, |_| {}).await;
    scene.confirm(&file).await;
    assert!(scene.file(file.id).await.unwrap().is_pending(), "nothing is there");
    scene.put_behind_the_back(&file, LOG).await;
    for _ in 0..3 {
        scene.confirm(&file).await;
        assert!(matches!(scene.state(&file).await, FileState::Scanning { .. }));
    }
}
