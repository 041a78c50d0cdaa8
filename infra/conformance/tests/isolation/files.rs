//! Files that are not for everybody who sees their case, and those that staff bring.

use serde_json::{Value, json};

use crate::{
    cells::path,
    client::{body, declaration},
    scene::Scene,
};

/// A file that nobody has.
const MISSING: &str = "file_01993b8e5c6a7d2f8b1e4a9c0d3f6e72";

/// Everything that can be asked about one file.
const OPERATIONS: [&str; 6] = [
    "GET /files/{fileId}",
    "GET /files/{fileId}/versions",
    "PATCH /files/{fileId}",
    "DELETE /files/{fileId}",
    "POST /files/{fileId}/restore",
    "POST /files/{fileId}/erase",
];

/// Whether somebody is shown the words on the case, on its lists, and how often: each page of each list.
async fn shown(scene: &Scene, name: &str, of: &str, words: &str) -> Vec<(&'static str, bool)> {
    let (person, theirs) = (scene.person(name), &scene.belongings[of]);
    let account = person.role.is_staff().then(|| theirs.account.to_string());
    let mut shown = Vec::new();
    for (list, operation) in [
        ("case", "GET /cases/{caseId}"),
        ("timeline", "GET /cases/{caseId}/timeline"),
        ("comments", "GET /cases/{caseId}/comments"),
        ("files", "GET /cases/{caseId}/files"),
    ] {
        let answer = scene.get(person, &path(operation, &theirs.case.to_string(), account.as_deref())).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        shown.push((list, answer.text.contains(words)));
    }
    shown
}

fn everywhere(shown: bool) -> Vec<(&'static str, bool)> {
    ["case", "timeline", "comments", "files"].map(|list| (list, shown)).into()
}

/// The manager brings files to the member's case: one for managers, one for the member by name.
pub async fn case_t08_files_are_for_whom_they_are(scene: &Scene) {
    let theirs = &scene.belongings["jonas"];
    let member = scene.person("jonas").user.to_string();
    for (words, visibility, for_member) in [
        ("file-for-managers-walrus", json!({ "for": "managers" }), false),
        ("file-for-the-member-walrus", json!({ "for": "named", "people": [member] }), true),
    ] {
        let mut declared = declaration(&format!("{words}.txt"), words);
        declared["visibility"] = visibility;
        let file = scene.upload_as("mara", theirs.account, theirs.case, words, declared).await;
        // The manager speaks of it.
        let said = json!({ "body": "Have a look.", "files": [file] });
        let comments = format!("/cases/{}/comments", theirs.case);
        let said = scene.ask(scene.person("mara"), "POST ", &comments, Some(said)).await;
        assert_eq!(said.status, 201, "{}", said.text);
        for (name, expected) in [("jonas", for_member), ("mara", true), ("sam", true), ("robin", true)] {
            assert_eq!(shown(scene, name, "jonas", words).await, everywhere(expected), "{words} to {name}");
        }
        let operations = if for_member { &OPERATIONS[..2] } else { &OPERATIONS[..] };
        for operation in operations {
            let ask = async |id: &str| {
                scene
                    .ask(scene.person("jonas"), operation, &path(operation, id, None), body(operation, ""))
                    .await
            };
            let answer = ask(&file).await;
            if for_member {
                assert_eq!(answer.status, 200, "{operation}: {}", answer.text);
            } else {
                assert_eq!(answer.anonymous(), ask(MISSING).await.anonymous(), "{operation}");
                answer.assert_problem(404, "not-found", operation);
            }
        }
        // Seeing a file is not owning it.
        if for_member {
            for operation in &OPERATIONS[2..] {
                let address = path(operation, &file, None);
                let answer = scene.ask(scene.person("jonas"), operation, &address, body(operation, "")).await;
                answer.assert_problem(403, "forbidden", operation);
            }
        }
    }
    staffs_files_reach_the_client(scene).await;
}

async fn staffs_files_reach_the_client(scene: &Scene) {
    let theirs = &scene.belongings["jonas"];
    let words = "file-of-an-agent-walrus";
    let file = scene.upload("sam", theirs.account, theirs.case, words).await;
    let list = scene.get(scene.person("jonas"), &format!("/cases/{}/files", theirs.case)).await.json();
    let found = list["items"].as_array().unwrap().iter().find(|item| item["id"] == file.as_str());
    assert_eq!(found.unwrap()["uploaded_by"]["side"], "staff");
    let download: Value = scene.get(scene.person("jonas"), &format!("/files/{file}")).await.json();
    let got = scene.http.get(download["download"]["url"].as_str().unwrap()).send().await.unwrap();
    assert_eq!(got.text().await.unwrap(), words);
}
