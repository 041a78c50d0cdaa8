//! The live connection, and people who leave.

use std::{collections::BTreeSet, time::Duration};

use futures::{StreamExt as _, future::join_all};
use jiff::SignedDuration;
use portico_conformance::isolation::{self, Role, Target};
use portico_domain::people::{ClientRole, Membership, MembershipState, Position};
use portico_store::Person as Identified;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Error, Message},
};

use crate::{
    cells::path,
    client::body,
    scene::{Person, Scene, claims, signed},
};

pub type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// How long news may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long nothing more may come before all news count as heard.
const QUIET: Duration = Duration::from_millis(700);
/// Longer than a ticket lives.
const PAST_THE_TICKET: SignedDuration = SignedDuration::from_secs(61);
/// Somebody who comes and goes.
const KAI: &str = "99999999-9999-4999-8999-999999999993";

/// A socket, or the status of the refusal.
async fn connect(scene: &Scene, query: &str) -> Result<Socket, u16> {
    match connect_async(format!("{}{query}", scene.cloud.addresses().live)).await {
        Ok((socket, _)) => Ok(socket),
        Err(Error::Http(refused)) => Err(refused.status().as_u16()),
        Err(error) => panic!("{error}"),
    }
}

async fn ticket(scene: &Scene, person: &Person) -> String {
    let answer = scene.ask(person, "POST ", "/live/tickets", None).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    answer.json()["ticket"].as_str().unwrap().to_owned()
}

pub async fn listen(scene: &Scene, person: &Person) -> Socket {
    let ticket = ticket(scene, person).await;
    connect(scene, &format!("?ticket={ticket}")).await.unwrap()
}

/// Waits for a message about a record.
pub async fn hear(socket: &mut Socket, about: &str) -> Vec<String> {
    let mut heard = Vec::new();
    let listening = async {
        while let Some(Ok(message)) = socket.next().await {
            if let Message::Text(text) = message {
                heard.push(text.to_string());
                if text.contains(about) {
                    return;
                }
            }
        }
        panic!("hung up instead of telling of {about}");
    };
    assert!(tokio::time::timeout(PATIENCE, listening).await.is_ok(), "heard nothing of {about}");
    heard
}

/// Everything that has come by now.
pub async fn rest(socket: &mut Socket) -> Vec<String> {
    let mut heard = Vec::new();
    while let Ok(Some(Ok(message))) = tokio::time::timeout(QUIET, socket.next()).await {
        if let Message::Text(text) = message {
            heard.push(text.to_string());
        }
    }
    heard
}

/// The other side has hung up.
async fn cut_off(socket: &mut Socket) {
    let listening = async {
        loop {
            match socket.next().await {
                None | Some(Ok(Message::Close(_)) | Err(_)) => return,
                Some(Ok(Message::Text(text))) => panic!("told of something: {text}"),
                Some(Ok(_)) => {}
            }
        }
    };
    assert!(tokio::time::timeout(PATIENCE, listening).await.is_ok(), "still connected");
}

pub async fn case_t05_tickets_open_one_connection(scene: &Scene) {
    let jonas = scene.person("jonas");
    for query in ["", "?ticket=", "?ticket=x", &format!("?ticket={}", "0".repeat(64)), "?access_token=x"] {
        assert_eq!(connect(scene, query).await.err(), Some(401), "{query:?}");
    }
    let by_token = format!("?ticket={}", jonas.token);
    assert_eq!(connect(scene, &by_token).await.err(), Some(401), "an access token is no ticket");
    let once = ticket(scene, jonas).await;
    connect(scene, &format!("?ticket={once}")).await.unwrap();
    assert_eq!(connect(scene, &format!("?ticket={once}")).await.err(), Some(401), "twice");

    let cloud = scene.cloud.cloud(&scene.options);
    let Some(Identified::Client(client)) = scene.store.identify(&jonas.user).await.unwrap() else {
        panic!("no client")
    };
    let then = cloud.clock().now() - PAST_THE_TICKET;
    let (lapsed, _) = scene.store.issue_live_ticket(&client, &cloud.random(), then).await.unwrap();
    assert_eq!(connect(scene, &format!("?ticket={}", lapsed.as_str())).await.err(), Some(401), "lapsed");
}

pub async fn case_t05_news_reach_who_may_see_the_record(scene: &Scene) {
    let names = ["jonas", "mara", "ines", "priya", "daniel"];
    let mut sockets = Vec::new();
    for name in names {
        sockets.push((name, listen(scene, scene.person(name)).await));
    }
    for (owner, told) in [
        ("mara", &["mara"][..]),
        ("jonas", &["jonas", "mara"]),
        ("ines", &["ines", "mara"]),
        ("priya", &["priya"]),
    ] {
        let theirs = &scene.belongings[owner];
        let case = theirs.case.to_string();
        let comment = body("POST /cases/{caseId}/comments", &theirs.case_words);
        let answer =
            scene.ask(scene.person(owner), "POST ", &format!("/cases/{case}/comments"), comment).await;
        assert_eq!(answer.status, 201);
        let all = join_all(sockets.iter_mut().map(async |(name, socket)| {
            let mut heard = if told.contains(name) { hear(socket, &case).await } else { Vec::new() };
            heard.extend(rest(socket).await);
            (*name, heard)
        }));
        for (name, heard) in all.await {
            for news in heard {
                assert!(told.contains(&name) && news.contains(&case), "{name} about {owner}'s: {news}");
                let news: Value = serde_json::from_str(&news).unwrap();
                let fields: BTreeSet<&str> = news.as_object().unwrap().keys().map(String::as_str).collect();
                assert_eq!(fields, BTreeSet::from(["case", "type", "version"]), "never content");
            }
        }
    }
    // Of an invoice hear those who may see invoices.
    let invoice = scene.belongings["jonas"].invoice.parse().unwrap();
    let tenant = scene.tenant(scene.person("jonas").account.unwrap()).await;
    let mut billed = scene.store.invoice(&tenant, invoice).await.unwrap().unwrap();
    let cloud = scene.cloud.cloud(&scene.options);
    let fact = portico_domain::events::Fact::InvoiceRendered { case: billed.subject.case(), invoice };
    let now = cloud.clock().now();
    let event = portico_domain::events::Event::in_account(billed.account, fact, now, &cloud.random());
    billed.version += 1;
    scene.store.save_invoice(&billed, &[event]).await.unwrap();
    join_all(sockets.iter_mut().map(async |(name, socket)| {
        if matches!(*name, "mara" | "ines") {
            hear(socket, &invoice.to_string()).await;
        }
        assert_eq!(rest(socket).await, [""; 0], "{name}");
    }))
    .await;
}

/// Somebody who comes and goes, by a token that stays good.
pub fn kai(scene: &Scene) -> Person {
    Person {
        name: "kai",
        role: Role::Manager,
        account: scene.person("mara").account,
        user: KAI.parse().unwrap(),
        token: signed(&scene.cloud, &claims(&scene.cloud.pools()["UserPool"], KAI)),
        id_token: String::new(),
    }
}

/// Somebody who is let in for a while.
pub async fn admit(scene: &Scene, account: &str, state: MembershipState) {
    let account = scene.person(account).account.unwrap();
    let membership = Membership {
        user: KAI.parse().unwrap(),
        name: "Kai Brandt".to_owned(),
        email: "kai.brandt@nordhaven.example".to_owned(),
        position: Position::Client { account, role: ClientRole::Manager, contact: None },
        state,
        version: 1,
    };
    scene.store.provision_member(&membership).await.unwrap();
}

/// Something happens on the manager's case.
async fn news(scene: &Scene) {
    let theirs = &scene.belongings["mara"];
    let comment = body("POST /cases/{caseId}/comments", &theirs.case_words);
    let path = format!("/cases/{}/comments", theirs.case);
    assert_eq!(scene.ask(scene.person("mara"), "POST ", &path, comment).await.status, 201);
}

pub async fn case_t09_who_leaves_is_out_at_once(scene: &Scene) {
    let theirs = &scene.belongings["mara"];
    let case = theirs.case.to_string();
    let kai = kai(scene);
    admit(scene, "mara", MembershipState::Active).await;
    assert_eq!(scene.get(&kai, &format!("/cases/{case}")).await.status, 200);
    let mut socket = listen(scene, &kai).await;
    let unused = ticket(scene, &kai).await;
    news(scene).await;
    hear(&mut socket, &case).await;
    rest(&mut socket).await;

    admit(scene, "mara", MembershipState::Deactivated).await;
    for row in isolation::rows() {
        let id = match row.target {
            Target::Case => case.clone(),
            Target::File => theirs.file.clone(),
            Target::Archive => scene.archives["mara"].clone(),
            Target::Invoice => theirs.invoice.clone(),
            Target::Account | Target::Caller => String::new(),
        };
        let path = path(row.operation, &id, None);
        let words = body(row.operation, "words-of-nobody");
        let answer = scene.ask_with(Some(kai.token.clone()), row.operation, &path, words).await;
        answer.assert_problem(403, "access-ended", row.operation);
    }
    assert_eq!(connect(scene, &format!("?ticket={unused}")).await.err(), Some(401), "a leaver's ticket");
    news(scene).await;
    cut_off(&mut socket).await;

    // T03: who moves to another company takes nothing along, be it what they raised themselves.
    admit(scene, "mara", MembershipState::Active).await;
    let raise = body("POST /cases", "case-of-kai-before-the-move");
    let raised = scene.ask(&kai, "POST ", "/cases", raise).await.json();
    let own = format!("/cases/{}", raised["id"].as_str().unwrap());
    assert_eq!(scene.get(&kai, &own).await.status, 200);
    let mut socket = listen(scene, &kai).await;
    admit(scene, "priya", MembershipState::Active).await;
    let moved = Person { account: scene.person("priya").account, ..kai };
    for path in [
        own,
        format!("/cases/{case}"),
        format!("/files/{}", theirs.file),
        format!("/invoices/{}", theirs.invoice),
    ] {
        scene.get(&moved, &path).await.assert_problem(404, "not-found", &path);
    }
    assert!(!scene.get(&moved, "/cases?limit=100").await.text.contains("before-the-move"));
    assert_eq!(scene.get(&moved, &format!("/cases/{}", scene.belongings["priya"].case)).await.status, 200);
    news(scene).await;
    cut_off(&mut socket).await;
    admit(scene, "priya", MembershipState::Deactivated).await;
}
