//! Lists, filters, cursors, exports, and ids in bodies.

use std::collections::BTreeSet;

use portico_domain::{
    cases::CaseFilter,
    people::{StaffRole, Viewer},
};
use portico_store::{PageSize, Person as Identified};
use serde_json::{Value, json};

use crate::{
    client::Answer,
    scene::{Person, Scene},
};

/// Most pages of a list here.
const PAGES_MAX: usize = 200;
/// Items a page: few, so that there are many cursors.
const ITEMS_A_PAGE: usize = 2;
/// And of the audit trail, where every refusal of this test stands.
const ENTRIES_A_PAGE: usize = 100;

const CLIENTS: [&str; 5] = ["jonas", "mara", "ines", "priya", "daniel"];

/// With the account, if staff ask.
fn of(path: &str, account: Option<&str>) -> String {
    let separator = if path.contains('?') { '&' } else { '?' };
    account.map_or_else(|| path.to_owned(), |account| format!("{path}{separator}account={account}"))
}

/// Every item of a list, page by page, and the cursors on the way.
async fn whole(scene: &Scene, person: &Person, path: &str) -> (Vec<Value>, Vec<String>) {
    let (mut items, mut cursors) = (Vec::new(), Vec::new());
    let separator = if path.contains('?') { '&' } else { '?' };
    let size = if path == "/audit" { ENTRIES_A_PAGE } else { ITEMS_A_PAGE };
    let mut at = format!("{path}{separator}limit={size}");
    for _ in 0..PAGES_MAX {
        let answer = scene.get(person, &at).await;
        assert_eq!(answer.status, 200, "{} {at}: {}", person.name, answer.text);
        let page = answer.json();
        items.extend(page["items"].as_array().unwrap().iter().cloned());
        let Some(cursor) = page["next_cursor"].as_str() else { return (items, cursors) };
        cursors.push(cursor.to_owned());
        at = format!("{path}{separator}limit={size}&cursor={cursor}");
    }
    panic!("{path} has no end");
}

fn ids(items: &[Value]) -> BTreeSet<String> {
    items.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

/// What the store's own records say: every case of the account, looked at one by one.
async fn visible_cases(scene: &Scene, person: &Person) -> BTreeSet<String> {
    let Some(Identified::Client(client)) = scene.store.identify(&person.user).await.unwrap() else {
        panic!("{} is no client", person.name)
    };
    let agent = Viewer::Staff { user: person.user.clone(), role: StaffRole::Agent };
    let most = PageSize::new(PageSize::MAX).unwrap();
    let (mut visible, mut cursor) = (BTreeSet::new(), None);
    for _ in 0..PAGES_MAX {
        let everything = CaseFilter::default();
        let page =
            scene.store.cases(client.tenant(), &agent, &everything, most, cursor).await.unwrap().unwrap();
        for summary in page.items {
            let case = scene.store.case(client.tenant(), summary.case).await.unwrap().unwrap();
            let named = case.audience.raised_by.as_ref().is_some_and(|raiser| raiser.user == person.user);
            let Viewer::Client { contact, .. } = client.viewer() else { panic!("no client") };
            let contact = contact.is_some() && case.audience.contact == *contact;
            if named || contact || matches!(person.name, "mara" | "priya") {
                visible.insert(case.id.to_string());
            }
        }
        let Some(next) = page.next else { return visible };
        cursor = Some(next);
    }
    panic!("cases without end");
}

pub async fn case_t06_lists_hold_what_one_may_see(scene: &Scene) {
    let mut by_account = [BTreeSet::new(), BTreeSet::new()];
    for name in CLIENTS {
        let person = scene.person(name);
        let (cases, _) = whole(scene, person, "/cases").await;
        let seen = ids(&cases);
        assert_eq!(seen.len(), cases.len(), "{name}: each once");
        assert_eq!(seen, visible_cases(scene, person).await, "{name}");
        assert!(!seen.is_empty(), "{name}");
        by_account[usize::from(person.account != scene.person("mara").account)].extend(seen);
    }
    assert!(by_account[0].is_disjoint(&by_account[1]));
    for name in ["sam", "robin"] {
        for (owner, cases) in ["mara", "priya"].into_iter().zip(&by_account) {
            let account = scene.person(owner).account.unwrap().to_string();
            let (seen, _) = whole(scene, scene.person(name), &of("/cases", Some(&account))).await;
            assert_eq!(ids(&seen), *cases, "{name} in {owner}'s account");
        }
    }
    let invoices = async |name: &str| ids(&whole(scene, scene.person(name), "/invoices").await.0);
    let (nordhaven, brightwater) = (invoices("mara").await, invoices("priya").await);
    assert_eq!(invoices("ines").await, nordhaven);
    assert!(nordhaven.is_disjoint(&brightwater));
    assert!(brightwater.contains(&scene.belongings["priya"].invoice));
    for owner in ["jonas", "mara", "ines"] {
        assert!(nordhaven.contains(&scene.belongings[owner].invoice));
    }
    for name in ["mara", "priya"] {
        let person = scene.person(name);
        let account = person.account.unwrap().to_string();
        let colleagues: BTreeSet<String> = scene
            .people
            .values()
            .filter(|other| other.account.is_none() || other.account == person.account)
            .map(|other| other.user.to_string())
            .collect();
        let (entries, _) = whole(scene, person, "/audit").await;
        assert!(!entries.is_empty());
        for entry in &entries {
            assert!(colleagues.contains(entry["user"].as_str().unwrap()), "{name}: {entry}");
        }
        let export = scene.get(person, "/audit/export").await;
        assert_eq!(export.status, 200);
        let lines: Vec<Value> = export.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert!(!lines.is_empty());
        assert!(lines.iter().all(|line| line["account"] == json!(account)), "{name}: {}", export.text);
    }
}

/// What the list of a client says to a filter.
async fn filtered(scene: &Scene, name: &str, filter: &str) -> String {
    let answer = scene.get(scene.person(name), &format!("/cases?{filter}")).await;
    assert_eq!(answer.status, 200, "{filter}: {}", answer.text);
    answer.text
}

pub async fn case_t06_filters_tell_nothing(scene: &Scene) {
    let brightwater = scene.tenant(scene.person("priya").account.unwrap()).await;
    let contract = scene.store.contracts(&brightwater).await.unwrap().remove(0).id;
    let nobodys = [
        ("text", "words-of-nobody".to_owned()),
        ("raised_by", "99999999-9999-4999-8999-999999999999".to_owned()),
        ("contract", "ctr_01993b8e5c6a7d2f8b1e4a9c0d3f6e72".to_owned()),
    ];
    for (name, owners) in [
        ("jonas", &["mara", "ines", "priya"][..]),
        ("ines", &["mara", "jonas", "priya"]),
        ("mara", &["priya"]),
    ] {
        for owner in owners {
            let theirs = &scene.belongings[owner];
            let number = scene.case(theirs.account, theirs.case).await.number.unwrap();
            let of_others = [
                ("text", theirs.case_words.clone()),
                ("text", number),
                ("raised_by", scene.person(owner).user.to_string()),
                ("contract", contract.to_string()),
            ];
            for (filter, value) in of_others {
                let (_, nobody) = nobodys.iter().find(|(name, _)| *name == filter).unwrap();
                let theirs = filtered(scene, name, &format!("{filter}={value}")).await;
                let missing = filtered(scene, name, &format!("{filter}={nobody}")).await;
                assert_eq!(theirs, missing, "{name}: {filter} of {owner}");
            }
        }
        // Own ones are found, so the filter does filter.
        let own = filtered(scene, name, &format!("text={}", scene.belongings[name].case_words)).await;
        assert!(own.contains(&scene.belongings[name].case.to_string()), "{own}");
    }
}

/// The lists of somebody, as far as they have them.
fn lists(scene: &Scene, person: &Person) -> Vec<String> {
    let mut lists = vec!["/cases".to_owned()];
    if let Some(theirs) = scene.belongings.get(person.name) {
        lists.push(format!("/cases/{}/timeline", theirs.case));
        lists.push(format!("/cases/{}/comments", theirs.case));
        lists.push(format!("/cases/{}/files", theirs.case));
    }
    if matches!(person.name, "mara" | "ines" | "priya") {
        lists.push("/invoices".to_owned());
    }
    if matches!(person.name, "mara" | "priya") {
        lists.push("/audit".to_owned());
    }
    lists
}

pub async fn case_t06_cursors_stay_in_own_lists(scene: &Scene) {
    let mut cursors: Vec<(&str, String, String)> = Vec::new();
    for name in ["priya", "mara", "jonas"] {
        for list in lists(scene, scene.person(name)) {
            let (_, found) = whole(scene, scene.person(name), &list).await;
            // The first and the last: one that leads far, and one that leads to the end.
            cursors.extend(found.first().map(|cursor| (name, list.clone(), cursor.clone())));
            cursors.extend(found.last().map(|cursor| (name, list.clone(), cursor.clone())));
        }
    }
    assert!(cursors.len() > 10, "{cursors:?}");
    let mut followed = 0;
    for name in ["jonas", "ines", "mara", "daniel"] {
        let person = scene.person(name);
        for list in lists(scene, person) {
            let mut shown = Vec::new();
            for (owner, from, cursor) in cursors.iter().filter(|(owner, ..)| *owner != name) {
                let answer = scene.get(person, &format!("{list}?limit=100&cursor={cursor}")).await;
                let what = format!("{owner}'s cursor of {from}, as {name} in {list}");
                if answer.status == 400 {
                    answer.assert_problem(400, "invalid-request", &what);
                } else {
                    assert_eq!(answer.status, 200, "{what}: {}", answer.text);
                    followed += 1;
                    shown.push((what, answer.json()["items"].as_array().unwrap().clone()));
                }
            }
            // Afterwards, because reading a trail makes it longer.
            let own = identities(&whole(scene, person, &list).await.0);
            for (what, items) in shown {
                assert!(identities(&items).is_subset(&own), "{what}: {items:?}");
            }
        }
    }
    assert!(followed > 0, "no cursor led anywhere");
}

/// What tells the items of any list apart.
fn identities(items: &[Value]) -> BTreeSet<String> {
    items.iter().map(|item| format!("{} {}", item["id"], item["hash"])).collect()
}

pub async fn case_t04_foreign_ids_in_bodies_are_as_good_as_none(scene: &Scene) {
    let brightwater = scene.tenant(scene.person("priya").account.unwrap()).await;
    let contract = scene.store.contracts(&brightwater).await.unwrap().remove(0).id.to_string();
    let nobody = "99999999-9999-4999-8999-999999999999";
    for name in ["jonas", "mara", "ines"] {
        let person = scene.person(name);
        let raise = async |field: &str, value: &str| {
            let body = json!({ "subject": "words-of-nobody", (field): value });
            scene.ask(person, "POST ", "/cases", Some(body)).await
        };
        let foreign = [
            ("contract", contract.clone(), "ctr_01993b8e5c6a7d2f8b1e4a9c0d3f6e72"),
            ("contact", scene.person("priya").user.to_string(), nobody),
            ("contact", scene.person("daniel").user.to_string(), nobody),
            ("contact", scene.person("sam").user.to_string(), nobody),
            // Somebody of the same company who has left.
            ("contact", "99999999-9999-4999-8999-999999999991".to_owned(), nobody),
        ];
        for (field, foreign, missing) in foreign {
            let what = format!("{name} raises a case with a foreign {field}");
            same_refusal(&raise(field, &foreign).await, &raise(field, missing).await, &what);
        }
        let own = &scene.belongings[name];
        let comments = format!("/cases/{}/comments", own.case);
        let comment = async |file: &str| {
            let body = json!({ "body": "words-of-nobody", "files": [file] });
            scene.ask(person, "POST ", &comments, Some(body)).await
        };
        let missing = comment("file_01993b8e5c6a7d2f8b1e4a9c0d3f6e72").await;
        for (owner, theirs) in scene.belongings.iter().filter(|(owner, _)| **owner != name) {
            let foreign = comment(&theirs.file).await;
            same_refusal(&foreign, &missing, &format!("{name} speaks of {owner}'s file"));
        }
        assert_eq!(comment(&own.file).await.status, 201, "an own file is taken");
    }
    for name in ["jonas", "mara", "ines", "priya"] {
        let (cases, _) = whole(scene, scene.person(name), "/cases").await;
        assert!(cases.iter().all(|case| case["subject"] != "words-of-nobody"), "{name}");
    }
}

fn same_refusal(foreign: &Answer, missing: &Answer, what: &str) {
    foreign.assert_problem(400, "invalid-request", what);
    assert_eq!(foreign.anonymous(), missing.anonymous(), "{what}");
}
