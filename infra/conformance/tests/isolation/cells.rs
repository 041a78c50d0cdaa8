//! Every cell of the table.

use std::time::Duration;

use futures::{StreamExt as _, stream};
use portico_conformance::isolation::{self, Cell, Relation, Role, Row, Target};
use portico_domain::AccountId;

use crate::{
    client::{Answer, body},
    scene::{OWNERS, Person, Scene},
};

/// Requests at once.
const AT_ONCE: usize = 4;
/// A well-formed id that belongs to nobody, without the word before it.
const NOBODYS: &str = "01993b8e5c6a7d2f8b1e4a9c0d3f6e72";
/// How often a change is tried again because Salesforce has changed the case in between.
const RACES_MAX: usize = 10;
/// How long to wait before that.
const AFTER_A_RACE: Duration = Duration::from_millis(200);

/// Where an operation is, for one record and one account.
pub fn path(operation: &str, id: &str, account: Option<&str>) -> String {
    let (_, pattern) = operation.split_once(' ').unwrap();
    let part = |part| match part {
        // Every invoice of the scene has a first position.
        "{line}" => "1",
        part if str::starts_with(part, '{') => id,
        part => part,
    };
    let path: Vec<&str> = pattern.split('/').map(part).collect();
    let query = account.map(|account| format!("?account={account}")).unwrap_or_default();
    path.join("/") + &query
}

/// An operation on a dispute, as that on this dispute; on one that nobody raised, if there is none.
fn on_dispute(operation: &str, dispute: Option<&str>) -> String {
    operation.replace("{disputeId}", dispute.unwrap_or(&format!("dsp_{NOBODYS}")))
}

fn prefix(target: Target) -> &'static str {
    match target {
        Target::Case => "case",
        Target::File => "file",
        Target::Archive => "arch",
        Target::Invoice => "inv",
        Target::Account | Target::Caller => "acct",
    }
}

/// An id of the kind that nobody has.
fn missing(target: Target) -> String {
    format!("{}_{NOBODYS}", prefix(target))
}

/// Whose record a role comes across.
fn owner(target: Target, role: Role, relation: Relation) -> &'static str {
    match (relation, role) {
        (Relation::Named | Relation::Elsewhere | Relation::Unnamed, Role::Agent | Role::Admin)
            if target == Target::Archive =>
        {
            if role == Role::Agent {
                "sam"
            } else {
                "robin"
            }
        }
        (Relation::OtherAccounts, _) => "priya",
        (Relation::Colleagues, Role::Manager) => "jonas",
        (Relation::Colleagues, _) | (_, Role::Manager) => "mara",
        (_, Role::Billing) => "ines",
        (_, Role::Member | Role::Agent | Role::Admin) => "jonas",
    }
}

fn record(scene: &Scene, target: Target, owner: &str) -> String {
    if target == Target::Archive {
        return scene.archives[owner].clone();
    }
    let theirs = &scene.belongings[owner];
    match target {
        Target::Case => theirs.case.to_string(),
        Target::File => theirs.file.clone(),
        Target::Invoice => theirs.invoice.clone(),
        Target::Archive | Target::Account | Target::Caller => String::new(),
    }
}

/// What is no id of this kind, however one tries: a share of it for each role, so that every operation meets all.
fn malformed(scene: &Scene, target: Target, role: Role) -> Vec<String> {
    let prefix = prefix(target);
    let true_one = record(scene, target, "jonas");
    let another_kind =
        record(scene, if target == Target::Case { Target::File } else { Target::Case }, "jonas");
    let mut ids = vec![
        "x".to_owned(),
        format!("{prefix}_"),
        format!("{prefix}_{}", &NOBODYS[1..]),
        format!("{prefix}_{NOBODYS}0"),
        format!("{prefix}_{}", NOBODYS.to_uppercase()),
        another_kind,
        "%00".to_owned(),
        "%F0%9F%94%91".to_owned(),
    ];
    if !true_one.is_empty() {
        let digits = true_one.split_once('_').unwrap().1;
        ids.extend([
            digits.to_owned(),
            true_one.to_uppercase(),
            format!("{true_one}%20"),
            format!("{true_one}%00"),
            format!("..%2F{true_one}"),
        ]);
    }
    let place = Role::ALL.into_iter().position(|other| other == role).unwrap();
    ids.into_iter().skip(place).step_by(Role::ALL.len()).collect()
}

/// The requests of one cell: paths, and for each the same about a record that does not exist.
fn paths(scene: &Scene, row: &Row, role: Role, relation: Relation) -> Vec<(String, Option<String>)> {
    let nordhaven = scene.person("jonas").account.unwrap();
    let brightwater = scene.person("priya").account.unwrap();
    let (target, of) = (row.target, |account: AccountId| account.to_string());
    let address = |id: &str, account: Option<&str>| {
        path(&on_dispute(row.operation, scene.dispute_about(id)), id, account)
    };
    if matches!(target, Target::Account | Target::Caller) {
        let listed = |account: &str| address("", Some(account));
        let nobodys = listed(&missing(target));
        return match relation {
            Relation::Unnamed => vec![(address("", None), None)],
            Relation::Own | Relation::Named => vec![(listed(&of(nordhaven)), None)],
            Relation::OtherAccounts => vec![(listed(&of(brightwater)), Some(nobodys))],
            Relation::Missing => vec![(nobodys.clone(), Some(nobodys))],
            Relation::Malformed => {
                malformed(scene, target, role).iter().map(|id| (listed(id), None)).collect()
            }
            Relation::Colleagues | Relation::Elsewhere => panic!("{relation:?} of a list"),
        };
    }
    // Staff name the account that the record is in, or another one, or none.
    let account = match (role.is_staff(), relation) {
        (false, _) | (_, Relation::Unnamed) => None,
        (true, Relation::Elsewhere) => Some(of(brightwater)),
        (true, _) => Some(of(nordhaven)),
    };
    let twin = address(&missing(target), account.as_deref());
    let ids = match relation {
        Relation::Missing => vec![missing(target)],
        Relation::Malformed => malformed(scene, target, role),
        _ => vec![record(scene, target, owner(target, role, relation))],
    };
    ids.into_iter().map(|id| (address(&id, account.as_deref()), Some(twin.clone()))).collect()
}

/// What members are promised where the account lets them see its money.
pub async fn assert_members_see_invoices(scene: &Scene) {
    let jonas = scene.caller(Role::Member);
    let rows = isolation::groups_where_members_see_invoices().into_iter().flat_map(|(_, rows)| rows);
    for row in rows {
        for (relation, cell) in row.cells(Role::Member) {
            let mut missing = None;
            for (path, twin) in paths(scene, &row, Role::Member, relation) {
                let answer = scene.ask(jonas, row.operation, &path, None).await;
                match cell {
                    Cell::Allowed(status) => assert_eq!(answer.status, status, "{path}: {}", answer.text),
                    Cell::Refused(kind) | Cell::RefusedThoughSeen(kind) => {
                        answer.assert_problem(kind.status().as_u16(), kind.slug(), &path);
                        let Some(twin) = twin else { continue };
                        if missing.is_none() {
                            missing = Some(scene.ask(jonas, row.operation, &twin, None).await.anonymous());
                        }
                        assert_eq!(Some(answer.anonymous()), missing, "{path}");
                    }
                }
            }
        }
    }
}

fn all_cells() -> impl Iterator<Item = (Row, Role, Relation, Cell)> {
    isolation::rows().flat_map(|row| {
        let cells: Vec<_> = Role::ALL
            .into_iter()
            .flat_map(|role| {
                row.cells(role).map(move |(relation, cell)| (role, relation, cell)).collect::<Vec<_>>()
            })
            .collect();
        cells.into_iter().map(move |(role, relation, cell)| (row.clone(), role, relation, cell))
    })
}

/// Everything that is refused, beside the same request about nothing at all; and afterwards nothing has changed.
pub async fn case_t12_what_is_refused_looks_as_if_it_were_not_there(scene: &Scene) {
    let mut before = Vec::new();
    for owner in OWNERS {
        before.push(scene.state(owner).await);
    }
    let announced = scene.announced().await;
    let refused = all_cells().filter(|(.., cell)| !matches!(cell, Cell::Allowed(_)));
    stream::iter(refused)
        .map(async |(row, role, relation, cell)| {
            let caller = scene.caller(role);
            let words = || body(row.operation, "words-of-nobody");
            let (Cell::Refused(kind) | Cell::RefusedThoughSeen(kind)) = cell else { return };
            let mut missing = None;
            for (path, twin) in paths(scene, &row, role, relation) {
                let what = format!("{} as {} ({path})", row.operation, role.name());
                let answer = scene.ask(caller, row.operation, &path, words()).await;
                answer.assert_problem(kind.status().as_u16(), kind.slug(), &what);
                if let (Cell::Refused(_), Some(twin)) = (cell, twin) {
                    if missing.is_none() {
                        missing = Some(scene.ask(caller, row.operation, &twin, words()).await.anonymous());
                    }
                    assert_eq!(Some(answer.anonymous()), missing, "{what}");
                }
            }
        })
        .buffer_unordered(AT_ONCE)
        .count()
        .await;
    for (owner, before) in OWNERS.into_iter().zip(before) {
        assert_eq!(scene.state(owner).await, before, "{owner}'s");
    }
    assert_eq!(scene.announced().await, announced, "nobody was told of anything");
}

/// Everything that is allowed: otherwise what is refused would prove nothing.
pub async fn case_t01_what_is_allowed_is_done(scene: &Scene) {
    let allowed = all_cells();
    stream::iter(allowed)
        .map(async |(row, role, relation, cell)| {
            let Cell::Allowed(status) = cell else { return };
            let what = format!("{} as {}, {relation:?}", row.operation, role.name());
            for (path, _) in paths(scene, &row, role, relation) {
                let answer = allowed_once(scene, &row, role, relation, &path).await;
                assert_eq!(answer.status, status, "{what}: {}", answer.text);
                // What changes something was done to a record of its own.
                let changes = !row.operation.starts_with("GET");
                if changes && matches!(row.target, Target::Case | Target::File | Target::Invoice) {
                    continue;
                }
                let shown = format!("{:?} {}", answer.headers, answer.text);
                let named = match row.target {
                    Target::Case | Target::File | Target::Archive | Target::Invoice => {
                        !row.operation.ends_with("timeline") && !row.operation.ends_with("comments")
                    }
                    Target::Account | Target::Caller => false,
                };
                let id = record(scene, row.target, owner(row.target, role, relation));
                assert!(!named || shown.contains(&id), "{what} shows another record: {shown}");
            }
        })
        .buffer_unordered(AT_ONCE)
        .count()
        .await;
}

/// What changes a case's state is done to a case that nobody has changed yet.
async fn allowed_once(scene: &Scene, row: &Row, role: Role, relation: Relation, usual: &str) -> Answer {
    let caller = scene.caller(role);
    // What names no record is done to the caller's own, whatever account the query names.
    let relation = if row.target == Target::Caller { Relation::Own } else { relation };
    let owner = owner(row.target, role, relation);
    let words = scene.belongings.get(owner).map(|theirs| theirs.case_words.clone()).unwrap_or_default();
    if row.target == Target::File && !row.operation.starts_with("GET") {
        return change_fresh_file(scene, row, caller, owner).await;
    }
    if row.operation.starts_with("POST /invoices") {
        return bill_fresh_case(scene, row, caller, "jonas").await;
    }
    let fresh = ["PATCH /cases/{caseId}", "POST /cases/{caseId}/close", "POST /cases/{caseId}/reopen"];
    if !fresh.contains(&row.operation) {
        return scene.ask(caller, row.operation, usual, body(row.operation, &words)).await;
    }
    let case = scene.raise(owner, &words).await;
    let path = path(row.operation, &case.to_string(), None);
    if row.operation.ends_with("/reopen") {
        let close = body("POST /cases/{caseId}/close", "");
        let closed = scene.ask(scene.person(owner), "POST ", &format!("/cases/{case}/close"), close).await;
        assert_eq!(closed.status, 200, "{}", closed.text);
    }
    let mut body = body(row.operation, &words).unwrap();
    for _ in 0..RACES_MAX {
        if row.operation.starts_with("PATCH") {
            let read = scene.get(caller, &format!("/cases/{case}")).await;
            body["version"] = read.json()["version"].clone();
        }
        let answer = scene.ask(caller, row.operation, &path, Some(body.clone())).await;
        if answer.problem() != "changed-since" {
            return answer;
        }
        tokio::time::sleep(AFTER_A_RACE).await;
    }
    panic!("{path} never stood still")
}

/// What staff do with bills is done to those of a case that nobody has billed yet.
async fn bill_fresh_case(scene: &Scene, row: &Row, caller: &Person, owner: &str) -> Answer {
    let theirs = &scene.belongings[owner];
    let case = scene.raise(owner, &theirs.case_words).await;
    let account = theirs.account.to_string();
    let address = |operation: &str, id: &str| path(operation, id, Some(&account));
    if row.operation.contains("/disputes") {
        let invoice = scene.bill(theirs.account, case, &theirs.invoice_words).await.to_string();
        let raises = row.operation.contains("{line}");
        let dispute = if raises { None } else { Some(scene.dispute("mara", &invoice, "Why?").await) };
        let operation = on_dispute(row.operation, dispute.as_deref());
        return scene
            .ask(caller, row.operation, &address(&operation, &invoice), body(row.operation, "So"))
            .await;
    }
    if row.operation.ends_with("/credit") {
        let invoice = scene.bill(theirs.account, case, &theirs.invoice_words).await.to_string();
        let body = body(row.operation, "Too much");
        return scene.ask(caller, row.operation, &address(row.operation, &invoice), body).await;
    }
    scene.log(theirs.account, case, &theirs.invoice_words).await;
    let draft = async || {
        let operation = "POST /invoices";
        let body = Some(serde_json::json!({ "case": case }));
        scene.ask(caller, operation, &address(operation, ""), body).await
    };
    let drafted = draft().await;
    if row.operation == "POST /invoices" {
        return drafted;
    }
    assert_eq!(drafted.status, 201, "{}", drafted.text);
    let closing = "POST /cases/{caseId}/close";
    let closed = scene
        .ask(scene.person(owner), closing, &path(closing, &case.to_string(), None), body(closing, ""))
        .await;
    assert_eq!(closed.status, 200, "{}", closed.text);
    // Whoever issues a bill says which one they saw; the portal still writes down that the case is closed.
    for _ in 0..RACES_MAX {
        let seen = draft().await.json();
        let body = Some(serde_json::json!({ "fingerprint": seen["fingerprint"] }));
        let id = seen["id"].as_str().unwrap();
        let answer = scene.ask(caller, row.operation, &address(row.operation, id), body).await;
        if answer.status == 201 {
            return answer;
        }
        tokio::time::sleep(AFTER_A_RACE).await;
    }
    panic!("{case} never stood still")
}

/// What changes a file is done to one that nobody has changed yet.
async fn change_fresh_file(scene: &Scene, row: &Row, caller: &Person, owner: &str) -> Answer {
    let theirs = &scene.belongings[owner];
    let file = scene.upload(owner, theirs.account, theirs.case, &theirs.case_words).await;
    let account = caller.role.is_staff().then(|| theirs.account.to_string());
    let address = |operation| path(operation, &file, account.as_deref());
    if row.operation.ends_with("/restore") {
        let delete = "DELETE /files/{fileId}";
        let deleted = scene.ask(caller, delete, &address(delete), None).await;
        assert_eq!(deleted.status, 200, "{}", deleted.text);
    }
    let body = body(row.operation, "");
    let answer = scene.ask(caller, row.operation, &address(row.operation), body).await;
    let erased = row.operation.ends_with("/erase");
    assert!(erased || answer.json()["id"] == file.as_str(), "{}: {}", row.operation, answer.text);
    let gone = erased || row.operation.starts_with("DELETE");
    let read = scene.get(caller, &address("GET /files/{fileId}")).await;
    assert_eq!(read.status, if gone { 404 } else { 200 }, "{}: {}", row.operation, read.text);
    answer
}
