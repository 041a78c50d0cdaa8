//! The next bill: what it says, who hears that it has changed and how soon, and what members see of money.

use std::{
    collections::BTreeSet,
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use portico_domain::{
    CaseId,
    people::{Account, InvoiceReaders},
};
use serde_json::{Value, json};

use crate::{
    cells::assert_members_see_invoices,
    client::body,
    live::{Socket, hear, listen, rest},
    scene::Scene,
};

/// From the agent's saving to the browser.
const WITHIN: Duration = Duration::from_secs(2);
/// How often it may take longer on a machine that does something else.
const TRIES_MAX: usize = 3;
/// What a bill and its invoice have in common.
const COMMON: [&str; 5] = ["net", "taxes", "tax", "gross", "lines"];
/// A case of the member with hours; none of these words are on a record of anybody else.
const WORDS: &str = "case-words-of-jonas-zephyrine";

/// An agent logs time at the org's console.
async fn log_at_the_console(scene: &Scene, case: CaseId, minutes: &str) {
    let salesforce_id = scene.case(account(scene), case).await.salesforce_id.unwrap();
    let org = scene.cloud.addresses().salesforce.clone().unwrap();
    let today = today(scene);
    let form = [
        ("minutes", minutes),
        ("date", today.as_str()),
        ("role", "Consultant"),
        ("description", "Looked at the queue"),
        ("billable", "on"),
    ];
    let answer =
        scene.http.post(format!("{org}/console/cases/{salesforce_id}/time")).form(&form).send().await;
    assert_eq!(answer.unwrap().status(), 303);
}

fn account(scene: &Scene) -> portico_domain::AccountId {
    scene.person("jonas").account.unwrap()
}

/// The day where the contract's clock is.
fn today(scene: &Scene) -> String {
    let now = scene.cloud.cloud(&scene.options).clock().now();
    now.in_tz("Europe/Berlin").unwrap().date().to_string()
}

async fn preview(scene: &Scene, name: &str, case: CaseId) -> Value {
    let answer = scene.get(scene.person(name), &format!("/billing/preview?case={case}")).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()["cases"][0].clone()
}

fn tells_of_bill(news: &str) -> bool {
    news.contains("billing.changed")
}

/// Hours that an agent logs are on the bill, and who may see it hears of it soon; who closes the case gets that bill as
/// the invoice.
pub async fn case_t05_the_next_bill_reaches_who_may_see_money(scene: &Scene) {
    let case = scene.raise("jonas", WORDS).await;
    scene
        .until("the case in Salesforce", async || {
            scene.case(account(scene), case).await.salesforce_id.is_some()
        })
        .await;
    scene.at_rest().await;
    let mut told: Vec<(&str, Socket)> = Vec::new();
    for name in ["mara", "ines"] {
        told.push((name, listen(scene, scene.person(name)).await));
    }
    let mut untold: Vec<(&str, Socket)> = Vec::new();
    for name in ["jonas", "priya", "daniel"] {
        untold.push((name, listen(scene, scene.person(name)).await));
    }
    let mut times = Vec::new();
    for _ in 0..TRIES_MAX {
        let began = Instant::now();
        log_at_the_console(scene, case, "25").await;
        for (name, socket) in &mut told {
            let heard = hear(socket, "billing.changed").await;
            let news: Value = serde_json::from_str(heard.last().unwrap()).unwrap();
            let only = json!({ "type": "billing.changed", "account": account(scene) });
            assert_eq!(news, only, "{name} hears whose bill, and never what");
        }
        times.push(began.elapsed());
        if began.elapsed() < WITHIN {
            break;
        }
    }
    assert!(times.iter().any(|time| *time < WITHIN), "{times:?}");
    for (name, socket) in &mut untold {
        let heard = rest(socket).await;
        assert!(!heard.iter().any(|news| tells_of_bill(news)), "{name}: {heard:?}");
        // The member hears of the case, so that the silence about money says something.
        assert_eq!(heard.is_empty(), *name != "jonas", "{name}: {heard:?}");
    }
    let seen = preview(scene, "ines", case).await;
    let minutes = 25 * times.len();
    assert_eq!(seen["bill"]["time"]["worked_minutes"], minutes, "{seen}");
    assert_eq!(preview(scene, "mara", case).await, seen);
    assert_others_are_not_there(scene).await;

    // The invoice that this case becomes says what the preview said.
    let closing = "POST /cases/{caseId}/close";
    let closed =
        scene.ask(scene.person("jonas"), closing, &format!("/cases/{case}/close"), body(closing, "")).await;
    assert_eq!(closed.status, 200, "{}", closed.text);
    let mut invoice = Value::Null;
    scene
        .until("the invoice", async || {
            let stands = preview(scene, "ines", case).await;
            invoice = stands["invoice"].clone();
            stands["billed"] == "invoiced"
        })
        .await;
    let path = format!("/invoices/{}", invoice.as_str().unwrap());
    let invoice = scene.get(scene.person("ines"), &path).await.json();
    for field in COMMON {
        assert_eq!(seen["bill"][field], invoice[field], "{field}");
    }
    scene.at_rest().await;
}

/// What the consultancy says of the account in Salesforce, as the sync keeps it.
async fn let_members_see(scene: &Scene, invoice_readers: InvoiceReaders) {
    let tenant = scene.tenant(account(scene)).await;
    let before: Account = scene.store.account(&tenant).await.unwrap().unwrap();
    let version = before.version + 1;
    let everybody = invoice_readers == InvoiceReaders::Everybody;
    scene.members_see_invoices.store(everybody, Ordering::SeqCst);
    scene.store.save_account(&Account { invoice_readers, version, ..before }).await.unwrap();
}

/// Case T12: what is another account's is not there, whichever way it is asked for.
async fn assert_others_are_not_there(scene: &Scene) {
    let priya = scene.tenant(scene.person("priya").account.unwrap()).await;
    let contract = scene.store.contracts(&priya).await.unwrap().remove(0).id.to_string();
    let case = scene.belongings["priya"].case.to_string();
    for (name, foreign, missing) in [
        ("contract", contract, "ctr_01993b8e5c6a7d2f8b1e4a9c0d3f6e72"),
        ("case", case, "case_01993b8e5c6a7d2f8b1e4a9c0d3f6e72"),
    ] {
        let ask =
            async |id: &str| scene.get(scene.person("ines"), &format!("/billing/preview?{name}={id}")).await;
        let (foreign, missing) = (ask(&foreign).await, ask(missing).await);
        foreign.assert_problem(404, "not-found", name);
        assert_eq!(foreign.anonymous(), missing.anonymous(), "{name}");
    }
}

/// The lines of a case's timeline, by what happened.
async fn happened(scene: &Scene, name: &str, case: CaseId) -> BTreeSet<String> {
    let timeline = scene.get(scene.person(name), &format!("/cases/{case}/timeline?limit=100")).await.json();
    let lines = timeline["items"].as_array().unwrap().iter();
    lines.map(|line| line["kind"].as_str().unwrap_or_default().to_owned()).collect()
}

/// Every place where money can turn up follows the account, at once and both ways.
pub async fn members_see_money_where_the_account_says_so(scene: &Scene) {
    let theirs = &scene.belongings["jonas"];
    let jonas = scene.person("jonas");
    assert!(!happened(scene, "jonas", theirs.case).await.contains("invoiced"));
    assert!(happened(scene, "mara", theirs.case).await.contains("invoiced"));
    let mut sockets = [listen(scene, jonas).await, listen(scene, scene.person("daniel")).await];

    let_members_see(scene, InvoiceReaders::Everybody).await;
    assert_members_see_invoices(scene).await;
    assert!(happened(scene, "jonas", theirs.case).await.contains("invoiced"));
    let detail = scene.get(jonas, &format!("/cases/{}", theirs.case)).await;
    assert!(detail.text.contains(&theirs.invoice), "on the case as on its timeline");
    let case = scene.raise("jonas", WORDS).await;
    scene.at_rest().await;
    scene.log(account(scene), case, &theirs.invoice_words).await;
    hear(&mut sockets[0], "billing.changed").await;
    // Brightwater has not said so, and this is none of its business anyway.
    assert_eq!(rest(&mut sockets[1]).await, [""; 0]);
    rest(&mut sockets[0]).await;

    let_members_see(scene, InvoiceReaders::ManagersAndBilling).await;
    for (path, status) in [
        ("/invoices".to_owned(), 403),
        ("/billing/preview".to_owned(), 403),
        (format!("/billing/preview?case={case}"), 403),
        (format!("/invoices/{}", theirs.invoice), 404),
        (format!("/invoices/{}/pdf", theirs.invoice), 404),
    ] {
        assert_eq!(scene.get(jonas, &path).await.status, status, "{path}");
    }
    assert!(!happened(scene, "jonas", theirs.case).await.contains("invoiced"));
    let another = scene.raise("jonas", WORDS).await;
    scene.at_rest().await;
    rest(&mut sockets[0]).await;
    scene.log(account(scene), another, &theirs.invoice_words).await;
    let heard = rest(&mut sockets[0]).await;
    assert!(!heard.is_empty() && !heard.iter().any(|news| tells_of_bill(news)), "{heard:?}");
    scene.at_rest().await;
}
