//! What the scanner says, in every order with what the store says.

use futures::future::join;
use portico_domain::files::{FileState, Rejection, Verdict};

use super::{CLEAN, CONFIRMATION, STATUSES, Scene, THREAT, VERDICTS, created, judged};
use crate::{capture::Capture, world::lambda_event};

const CONTENT: &[u8] = b"2026-11-22 09:30:00 all is well\n";
/// How often the two events meet in the same moment.
const MEETINGS: usize = 12;

/// What becomes of a file whose content is right and of which the scanner says this.
fn expected(status: &str) -> Option<Rejection> {
    match status {
        CLEAN => None,
        THREAT => Some(Rejection::Threat),
        _ => Some(Rejection::NotScannable),
    }
}

fn rejection(state: FileState) -> Option<Rejection> {
    match state {
        FileState::Available { .. } => None,
        FileState::Rejected { reason, .. } => Some(reason),
        other => panic!("still {other:?}"),
    }
}

#[tokio::test]
async fn case_f04_only_what_was_scanned_and_found_clean_is_downloadable_whatever_came_first() {
    let scene = Scene::start().await;
    for status in STATUSES {
        for verdict_first in [false, true] {
            let when = format!("{status}, verdict first: {verdict_first}");
            let file = scene.uploaded(CONTENT).await;
            if verdict_first {
                scene.judge(&file, status).await;
            } else {
                scene.confirm(&file).await;
                assert!(matches!(scene.state(&file).await, FileState::Scanning { .. }), "{when}");
            }
            assert!(!scene.can_be_downloaded(file.id).await, "{when}: one of the two is not enough");
            assert_eq!(scene.lines(&file).await, 0, "{when}: nobody sees it yet");
            if verdict_first {
                scene.confirm(&file).await;
            } else {
                scene.judge(&file, status).await;
            }
            let state = scene.state(&file).await;
            assert_eq!(rejection(state), expected(status), "{when}");
            let open = status == CLEAN;
            assert_eq!(scene.can_be_downloaded(file.id).await, open, "{when}");
            assert_eq!(scene.lines(&file).await, usize::from(open), "{when}");
            // Both once more, and another verdict: the first one counts.
            for again in [status, CLEAN, THREAT] {
                scene.judge(&file, again).await;
                scene.confirm(&file).await;
                assert_eq!(scene.state(&file).await, state, "{when}, then {again}");
            }
            assert_eq!(scene.lines(&file).await, usize::from(open), "{when}");
            scene.assert_room(&when).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn case_f04_both_events_in_one_moment_make_one_file_or_none() {
    let scene = Scene::start().await;
    let (confirmation, verdicts) =
        (scene.world.boot(CONFIRMATION).await.function, scene.world.boot(VERDICTS).await.function);
    for meeting in 0..MEETINGS {
        let status = STATUSES[meeting % STATUSES.len()];
        let file = scene.uploaded(CONTENT).await;
        let deliver = async |function: &portico_aws::Function, event: &serde_json::Value| {
            // As AWS does, again until it worked.
            for _ in 0..5 {
                if function.invoke(lambda_event(&event.to_string())).await.is_ok() {
                    return;
                }
            }
            panic!("{event} is never taken");
        };
        let (arrival, verdict) = (created(&file), judged(&file, status));
        join(
            join(deliver(&confirmation, &arrival), deliver(&verdicts, &verdict)),
            join(deliver(&confirmation, &arrival), deliver(&verdicts, &verdict)),
        )
        .await;
        assert_eq!(rejection(scene.state(&file).await), expected(status), "{status}");
        assert_eq!(scene.can_be_downloaded(file.id).await, status == CLEAN, "{status}");
        assert_eq!(scene.lines(&file).await, usize::from(status == CLEAN), "{status}");
        scene.assert_room(status).await;
    }
}

/// Of a verdict the ids and the names of threats are logged; where the scanner failed, that is an error.
#[tokio::test]
async fn what_was_not_scanned_because_of_us_is_an_error() {
    let scene = Scene::start().await;
    for (status, level) in [
        (CLEAN, None),
        (THREAT, Some("WARN")),
        ("UNSUPPORTED", Some("INFO")),
        ("ACCESS_DENIED", Some("ERROR")),
        ("FAILED", Some("ERROR")),
        ("SOMETHING_NEW", Some("ERROR")),
    ] {
        let file = scene.uploaded(CONTENT).await;
        let mut event = judged(&file, status);
        event["detail"]["scanResultDetails"]["threats"] = serde_json::json!([{ "name": "Synthetic.Worm" }]);
        let capture = Capture::start();
        scene.deliver(VERDICTS, &event, None).await.unwrap();
        let log = capture.text();
        drop(capture);
        let lines: Vec<&str> =
            log.lines().filter(|line| line.contains("\"target\":\"malware_verdicts\"")).collect();
        assert_eq!(lines.len(), usize::from(level.is_some()), "{status}: {lines:?}");
        for line in lines {
            assert!(line.contains(&format!("\"level\":\"{}\"", level.unwrap())), "{line}");
            assert!(line.contains(&file.id.to_string()), "{line}");
            assert!(!line.contains(file.declared.name.as_str()), "{line}");
            assert_eq!(line.contains("Synthetic.Worm"), status == THREAT, "{line}");
        }
    }
}

/// An event whose details are missing says nothing good.
#[tokio::test]
async fn case_f04_a_verdict_without_words_is_none_that_opens_a_file() {
    let scene = Scene::start().await;
    for details in [serde_json::json!(null), serde_json::json!({}), serde_json::json!({ "threats": null })] {
        let file = scene.uploaded(CONTENT).await;
        scene.confirm(&file).await;
        let mut event = judged(&file, CLEAN);
        event["detail"]["scanResultDetails"] = details;
        scene.deliver(VERDICTS, &event, None).await.unwrap();
        assert_eq!(rejection(scene.state(&file).await), Some(Rejection::NotScannable));
    }
}

/// A verdict on a file that was given up, and one that comes while a file is being erased.
#[tokio::test]
async fn case_f04_a_verdict_brings_nothing_back() {
    let scene = Scene::start().await;
    let file = scene.uploaded(CONTENT).await;
    scene.world.store.remove_file(&file, None).await.unwrap();
    scene.judge(&file, CLEAN).await;
    assert_eq!(scene.file(file.id).await, None);
    let condemned = scene.uploaded(CONTENT).await;
    scene.confirm(&condemned).await;
    let scanning = scene.file(condemned.id).await.unwrap();
    let condemned = scanning.to_be_erased(scene.now()).unwrap();
    scene.world.store.save_file(&condemned).await.unwrap();
    scene.judge(&condemned, CLEAN).await;
    let after = scene.file(condemned.id).await.unwrap();
    assert_eq!((after.state, after.verdict), (condemned.state, None::<Verdict>));
    assert!(!scene.can_be_downloaded(condemned.id).await);
}
