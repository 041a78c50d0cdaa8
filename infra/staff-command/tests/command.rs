//! The command as it is called, against a running local cloud: the real template, functions, queues and tables, and the
//! fake org with the demo's records.

#![allow(clippy::unwrap_used, reason = "clippy allows it in test functions only")]

use std::{path::Path, process::Output};

use portico_local::{
    functions,
    host::{LocalCloud, Options},
};
use tokio::process::Command;

async fn portico(settings: &Path, words: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portico"));
    command.arg("--settings").arg(settings).args(words.split_whitespace());
    command.kill_on_drop(true).output().await.unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_are_started_followed_and_shown() {
    let data = tempfile::tempdir().unwrap();
    let template = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../template.yaml");
    let options = Options {
        demo: true,
        data: Some(data.path().to_owned()),
        ..Options::ephemeral(template, functions::of_the_workspace())
    };
    let cloud = LocalCloud::start(options).await.unwrap();
    let settings = data.path().join("operator.env");

    let none = portico(&settings, "runs").await;
    assert_eq!(text(&none.stdout), "There was no run yet.\n", "{}", text(&none.stderr));

    let sweep = portico(&settings, "sweep").await;
    let said = text(&sweep.stdout);
    assert!(sweep.status.success(), "{said}{}", text(&sweep.stderr));
    let id = said.split(':').next().unwrap().to_owned();
    assert!(id.starts_with("run_") && said.contains(&format!("{id}: sweep, done\n")), "{said}");
    assert!(said.contains("\n  Case "), "{said}");

    let account = fake_salesforce::demo::NORDHAVEN.id;
    let backfill = portico(&settings, &format!("backfill {account}")).await;
    let said = text(&backfill.stdout);
    assert!(backfill.status.success() && said.contains(", done\n"), "{said}{}", text(&backfill.stderr));
    for object in ["Account", "Contact", "Case", "CaseComment", "Time_Entry__c", "Portal_Contract__c"] {
        assert!(said.contains(&format!("\n  {object} ")), "{object}: {said}");
    }

    let stranger = portico(&settings, "backfill 001000000000001AAA").await;
    assert_eq!(stranger.status.code(), Some(1));
    assert!(text(&stranger.stdout).contains("is no client of the portal"), "{}", text(&stranger.stdout));

    let redrive = portico(&settings, "redrive sync --most 5").await;
    assert!(redrive.status.success(), "{}", text(&redrive.stdout));

    let shown = portico(&settings, &format!("run {id}")).await;
    assert!(text(&shown.stdout).starts_with(&format!("{id}: sweep, done\n")), "{}", text(&shown.stdout));
    let listed = text(&portico(&settings, "runs").await.stdout);
    assert_eq!(listed.lines().count(), 4, "{listed}");
    assert!(listed.lines().last().unwrap().starts_with(&id), "{listed}");

    let unknown = portico(&settings, "run run_00000000000000000000000000000001").await;
    assert_eq!(unknown.status.code(), Some(2));
    assert!(text(&unknown.stderr).starts_with("portico: there is no run run_0000"), "{unknown:?}");
    let nowhere = portico(&data.path().join("nothing"), "runs").await;
    assert_eq!(nowhere.status.code(), Some(2));
    assert!(text(&nowhere.stderr).contains("is the local cloud running?"), "{nowhere:?}");
    cloud.shutdown().await;
}
