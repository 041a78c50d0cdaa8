//! Who sees a file, wherever it may turn up; what becomes of its name; and who changes it.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;
use http::{HeaderMap, header};
use portico_domain::{
    FileId, SalesforceId,
    cases::{Author, Side},
    events::Fact,
    files::{Comparison, File, Uploader, VERSIONS_MAX, Verdict, Visibility},
    people::{Audience, ClientRole, Membership, MembershipState, Position, Raiser},
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{
    commands::{Answer, Request},
    outbox, samples,
    stack::now,
    world::{
        ADMIN, AGENT, CONTENT, Guarded, MANAGER, MEMBER, STRANGER, World, account, available, declared, file,
        lambda_event, open_case, pending_file, user,
    },
};

/// Somebody else of the client company who may see the member's case: its contact.
const COLLEAGUE: &str = "77777777-7777-4777-8777-777777777777";

/// Words of the files' names, none of which is a part of another.
const FOR_ALL: &str = "zephyr-for-all";
const FOR_MANAGERS: &str = "quokka-for-managers";
const FOR_COLLEAGUE: &str = "walrus-for-the-colleague";
const ON_ITS_WAY: &str = "ostrich-on-its-way";
const DELETED: &str = "narwhal-deleted";
const ERASED: &str = "lemur-erased";

/// The functions that show files, and those that take them in.
struct Portal {
    world: World,
    functions: BTreeMap<&'static str, Guarded>,
}

impl Portal {
    async fn start() -> Self {
        let world = World::start().await;
        let mut functions = BTreeMap::new();
        for binary in [
            "case-conversation",
            "case-listing",
            "file-changes",
            "presigned-downloads",
            "presigned-uploads",
            "upload-confirmation",
        ] {
            functions.insert(binary, world.boot(binary).await);
        }
        Self { world, functions }
    }

    /// Sends a request like this sample as somebody; people of the consultancy name the account.
    async fn ask(&self, sample: &str, by: &str, change: impl FnOnce(Request) -> Request) -> Answer {
        let request = change(Request::sample(sample).by(by));
        let request = match by {
            AGENT | ADMIN => request.with_query("account", &account().to_string()),
            _ => request,
        };
        let (_, guarded) = self.functions.iter().find(|(binary, _)| sample.starts_with(**binary)).unwrap();
        let answer = request.send_to(&guarded.function).await;
        assert_eq!(guarded.guard.denied(), [], "{sample}");
        answer
    }

    async fn of_file(&self, sample: &str, by: &str, id: FileId) -> Answer {
        self.ask(sample, by, |request| request.with_path("fileId", &id.to_string())).await
    }

    /// Uploads a file as a browser does, and lets it be looked at.
    async fn upload(&self, by: &str, name: &str, content_type: &str, content: &'static str) -> File {
        let declaration = json!({
            "name": name,
            "size": content.len(),
            "content_type": content_type,
            "sha256": hex::encode(Sha256::digest(content)),
        });
        // A key of its own for each name, whatever the name.
        let key = hex::encode(Sha256::digest(name));
        let answer = self
            .ask("presigned-uploads-add-file", by, |mut request| {
                request.set_body(|body| *body = declaration);
                request.with_key(&key)
            })
            .await;
        assert_eq!(answer.status, 201, "{name:?}: {answer:?}");
        assert_eq!(answer.body["name"], name, "as it was given");
        let stored = follow(&answer.body["upload"], content).await;
        assert_eq!(stored.status(), 200, "{name:?}: {}", stored.text().await.unwrap());
        let id: FileId = answer.body["id"].as_str().unwrap().parse().unwrap();
        let event = samples::text("upload-confirmation-object-created");
        let event = event.replace(&pending_file().to_string(), &id.to_string());
        self.functions["upload-confirmation"].function.invoke(lambda_event(&event)).await.unwrap();
        let world = &self.world;
        let clean = |file: &File| file.judged(Verdict::Clean, now());
        let judged = world.store.move_file(&world.tenant(), id, clean, now(), &world.stack.random).await;
        let file = judged.unwrap().unwrap();
        assert!(file.is_available(), "{name:?}: {:?}", file.state);
        file
    }
}

/// Sends what a `StoreRequest` says.
async fn follow(request: &Value, body: &'static str) -> reqwest::Response {
    let method: http::Method = request["method"].as_str().unwrap().parse().unwrap();
    let mut sent = reqwest::Client::new().request(method, request["url"].as_str().unwrap());
    for (name, value) in request["headers"].as_object().unwrap() {
        // The client itself knows the length and the host.
        if name != "host" && name != "content-length" {
            sent = sent.header(name, value.as_str().unwrap());
        }
    }
    sent.body(body).send().await.unwrap()
}

fn of_manager(id: u128, name: &str, visibility: Visibility) -> File {
    let author = Author { side: Side::Client, name: "Mara Lindqvist".to_owned() };
    let Uploader { user, author } = Uploader { user: user(MANAGER), author };
    let mut file = declared(file_id(id));
    file.declared.name = format!("{name}.log").try_into().unwrap();
    File { uploaded_by: user, author, visibility, ..file }
}

fn file_id(place: u128) -> FileId {
    FileId::from_uuid(uuid::Uuid::from_u128(0x7000_8000_0000_0000_0000 + place))
}

/// The colleague, and the member's case with them as its contact.
async fn let_colleague_in(world: &World) {
    let [mara, jonas] = fake_salesforce::demo::NORDHAVEN.contacts;
    let [mara, jonas] = [mara, jonas].map(|person| person.id.parse::<SalesforceId>().unwrap());
    let position = Position::Client { account: account(), role: ClientRole::Billing, contact: Some(mara) };
    let colleague = Membership {
        user: user(COLLEAGUE),
        name: "Ines Albrecht".to_owned(),
        email: "ines.albrecht@client.example".to_owned(),
        position,
        state: MembershipState::Active,
        version: 1,
    };
    world.store.provision_member(&colleague).await.unwrap();
    let mut case = world.case(open_case()).await.touched(now());
    let raised_by = Some(Raiser { user: user(MEMBER), contact: Some(jonas) });
    case.audience = Audience { raised_by, contact: Some(mara) };
    world.store.save_case(&case, &[], &[]).await.unwrap();
}

/// Which of the words an answer holds.
fn words(answer: &Answer) -> BTreeSet<&'static str> {
    let text = answer.body.to_string();
    [FOR_ALL, FOR_MANAGERS, FOR_COLLEAGUE, ON_ITS_WAY, DELETED, ERASED]
        .into_iter()
        .filter(|word| text.contains(word))
        .collect()
}

/// A file that is not for somebody is not in anything that they are shown: case, timeline, comments, list, versions,
/// download. What is on its way is only its uploader's, and what is deleted is only on the list of who may bring it back.
#[tokio::test]
async fn case_t08_case_t06_a_file_is_nowhere_for_whom_it_is_not() {
    let portal = Portal::start().await;
    let world = &portal.world;
    let_colleague_in(world).await;
    let named = Visibility::Named { people: [user(COLLEAGUE)].into() };
    let [all, managers, colleague, way, deleted, erased] = [0xb1, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6];
    for (id, name, visibility) in [
        (all, FOR_ALL, Visibility::Case),
        (managers, FOR_MANAGERS, Visibility::Managers),
        (colleague, FOR_COLLEAGUE, named.clone()),
        (deleted, DELETED, Visibility::Case),
        (erased, ERASED, Visibility::Case),
    ] {
        world.make_available(of_manager(id, name, visibility)).await;
    }
    let on_its_way = of_manager(way, ON_ITS_WAY, Visibility::Case);
    let scanning = on_its_way.compared(Comparison::AsDeclared, now()).unwrap();
    world.store.save_file(&File { version: 1, ..scanning }).await.unwrap();
    // The manager speaks of all that can be spoken of.
    let mentioned = [all, managers, colleague, deleted, erased].map(|id| file_id(id).to_string());
    let said = portal
        .ask("case-conversation-add", MANAGER, |mut request| {
            request.set_body(|body| *body = json!({ "body": "Have a look.", "files": mentioned }));
            request
        })
        .await;
    assert_eq!(said.status, 201, "{said:?}");
    assert_eq!(portal.of_file("file-changes-delete", MANAGER, file_id(deleted)).await.status, 200);
    let erasure = portal.world.file(file_id(erased)).await.to_be_erased(now()).unwrap();
    world.store.save_file(&erasure).await.unwrap();

    let everything = BTreeSet::from([FOR_ALL, FOR_MANAGERS, FOR_COLLEAGUE]);
    let of_member = BTreeSet::from([FOR_ALL]);
    let of_colleague = BTreeSet::from([FOR_ALL, FOR_COLLEAGUE]);
    for (person, shown, also_listed) in [
        (MEMBER, &of_member, &[][..]),
        (COLLEAGUE, &of_colleague, &[]),
        (MANAGER, &everything, &[ON_ITS_WAY, DELETED]),
        (AGENT, &everything, &[DELETED]),
        (STRANGER, &BTreeSet::new(), &[]),
    ] {
        let status = if person == STRANGER { 404 } else { 200 };
        for sample in ["case-listing-detail", "case-listing-timeline", "case-conversation-list"] {
            let answer = portal
                .ask(sample, person, |request| {
                    let request = request.with_path("caseId", &open_case().to_string());
                    request.with_query("limit", "100")
                })
                .await;
            assert_eq!((answer.status, &words(&answer)), (status, shown), "{sample} as {person}: {answer:?}");
        }
        let mut listed = shown.clone();
        listed.extend(also_listed);
        let list = portal.ask("presigned-downloads-list", person, |request| request).await;
        assert_eq!((list.status, words(&list)), (status, listed), "the list as {person}: {list:?}");
        let cases = portal.ask("case-listing-page", person, |request| request).await;
        assert_eq!((cases.status, words(&cases)), (200, BTreeSet::new()), "the cases as {person}");
        for (id, name) in [
            (all, FOR_ALL),
            (managers, FOR_MANAGERS),
            (colleague, FOR_COLLEAGUE),
            (way, ON_ITS_WAY),
            (deleted, DELETED),
            (erased, ERASED),
        ] {
            for sample in ["presigned-downloads-file", "presigned-downloads-versions"] {
                let answer = portal.of_file(sample, person, file_id(id)).await;
                let expected = if shown.contains(name) { 200 } else { 404 };
                assert_eq!(answer.status, expected, "{sample} of {name} as {person}: {answer:?}");
            }
        }
        // Nor does it help to speak of it.
        if matches!(person, MEMBER | COLLEAGUE) {
            let mentions = mentioned.clone();
            let said = portal
                .ask("case-conversation-add", person, |mut request| {
                    request.set_body(|body| *body = json!({ "body": "I have.", "files": mentions }));
                    request.with_key(person)
                })
                .await;
            let refused = said.body["errors"].as_array().map_or(0, Vec::len);
            assert_eq!((said.status, refused), (400, mentioned.len() - shown.len()), "{said:?}");
        }
    }
    // Whom it is for is decided at each request: what is named to somebody else is gone for who was named before.
    let relabelled = portal
        .ask("file-changes-relabel", MANAGER, |mut request| {
            request.set_body(|body| *body = json!({ "visibility": { "for": "named", "people": [MEMBER] } }));
            request.with_path("fileId", &file_id(colleague).to_string())
        })
        .await;
    assert_eq!(relabelled.status, 200, "{relabelled:?}");
    for (person, expected) in [(COLLEAGUE, 404), (MEMBER, 200)] {
        let answer = portal.of_file("presigned-downloads-file", person, file_id(colleague)).await;
        assert_eq!(answer.status, expected, "{person}");
    }
}

/// Who is removed gets no new link; what they hold lapses by itself.
#[tokio::test]
async fn case_f06_who_was_removed_is_given_no_link() {
    let portal = Portal::start().await;
    let world = &portal.world;
    let bucket = world.stack.cloud().bucket("FILES_BUCKET").unwrap();
    bucket.put(&declared(file()).key().to_string(), "text/plain", CONTENT.into()).await.unwrap();
    let given = portal.of_file("presigned-downloads-file", MEMBER, file()).await;
    assert_eq!(given.status, 200);
    let expires_at: jiff::Timestamp = given.body["download"]["expires_at"].as_str().unwrap().parse().unwrap();
    assert!(expires_at.duration_since(now()) <= jiff::SignedDuration::from_mins(5), "{expires_at}");
    let [_, member, ..] = crate::world::memberships();
    let removed = Membership { state: MembershipState::Deactivated, ..member };
    world.store.provision_member(&removed).await.unwrap();
    assert_eq!(portal.of_file("presigned-downloads-file", MEMBER, file()).await.status, 403);
    // The store knows no people: the real limit of a link is its time.
    assert_eq!(follow(&given.body["download"], "").await.text().await.unwrap(), CONTENT);
}

#[tokio::test]
async fn what_an_agent_uploads_reaches_the_client() {
    let portal = Portal::start().await;
    let file = portal.upload(AGENT, "findings.txt", "text/plain", "The cable was loose.\n").await;
    let list = portal.ask("presigned-downloads-list", MEMBER, |request| request).await;
    let items = list.body["items"].as_array().unwrap();
    let found = items.iter().find(|item| item["id"] == file.id.to_string()).unwrap();
    assert_eq!(found["uploaded_by"], json!({ "side": "staff", "name": "Sam Keller" }));
    assert_eq!((&found["available"], &found["changeable"]), (&json!(true), &json!(false)));
    let case = portal.ask("case-listing-detail", MEMBER, |request| request).await;
    assert_eq!(case.body["files"][0]["id"], file.id.to_string(), "{case:?}");
    assert_eq!(case.body["timeline"][0]["file"], file.id.to_string(), "{case:?}");
    let download = portal.of_file("presigned-downloads-file", MEMBER, file.id).await;
    let got = follow(&download.body["download"], "").await;
    assert_eq!(got.text().await.unwrap(), "The cable was loose.\n");
}

/// Names that were made to fool somebody, and what a browser may save them as.
fn torture() -> Vec<(String, &'static str)> {
    let plain = "text/plain";
    vec![
        ("../../etc/passwd".to_owned(), plain),
        ("..\\..\\Windows\\System32\\drivers\\etc\\hosts".to_owned(), plain),
        ("/etc/shadow".to_owned(), plain),
        ("C:\\autoexec.bat".to_owned(), plain),
        ("bell\u{7}\u{1b}[31mred\u{0}.txt".to_owned(), plain),
        ("a.txt\r\nSet-Cookie: session=stolen".to_owned(), plain),
        ("quote\"; filename=\"evil.exe".to_owned(), plain),
        ("semi;colon=100%25%0d%0a.txt".to_owned(), plain),
        ("invoice\u{202e}gpj.exe".to_owned(), plain),
        ("\u{200b}\u{feff}hidden.txt".to_owned(), plain),
        ("📈 Umsätze – Köln 東京.csv".to_owned(), plain),
        ("x".repeat(1_000), plain),
        (format!("{}.txt", "é".repeat(996)), plain),
        ("CON".to_owned(), plain),
        ("nul.txt".to_owned(), plain),
        ("COM1.log".to_owned(), plain),
        ("...".to_owned(), plain),
        ("trailing. . .".to_owned(), plain),
        ("<img src=x onerror=alert(1)>.html".to_owned(), "text/html"),
        ("drawing.svg".to_owned(), "image/svg+xml"),
        ("page.xhtml".to_owned(), "application/xhtml+xml"),
    ]
}

fn content(content_type: &str) -> &'static str {
    match content_type {
        "text/html" => "<!DOCTYPE html><html><script>alert(document.domain)</script></html>",
        "image/svg+xml" => {
            "<svg xmlns=\"http://www.w3.org/2000/svg\"><script>alert(document.domain)</script></svg>"
        }
        "application/xhtml+xml" => {
            "<?xml version=\"1.0\"?><html xmlns=\"http://www.w3.org/1999/xhtml\"><script>alert(1)</script></html>"
        }
        _ => CONTENT,
    }
}

/// Reads both forms of the name in `Content-Disposition` (RFC 6266), as a browser would.
fn saved_as(headers: &HeaderMap) -> (String, String) {
    let value = headers[header::CONTENT_DISPOSITION].to_str().unwrap();
    let rest = value.strip_prefix("attachment; filename=\"").unwrap_or_else(|| panic!("{value}"));
    let (plain, extended) = rest.split_once("\"; filename*=UTF-8''").unwrap_or_else(|| panic!("{value}"));
    assert!(extended.bytes().all(|b| b.is_ascii_alphanumeric() || b"%-._~".contains(&b)), "{value}");
    let mut bytes = Vec::new();
    let mut left = extended.bytes();
    while let Some(byte) = left.next() {
        if byte == b'%' {
            let digits = [left.next().unwrap(), left.next().unwrap()];
            bytes.extend(hex::decode(digits).unwrap());
        } else {
            bytes.push(byte);
        }
    }
    (plain.to_owned(), String::from_utf8(bytes).unwrap())
}

/// No file system takes it for more than a name, and no screen shows it as another one.
fn assert_safe(name: &str, given: &str) {
    let bad = |c: char| {
        c.is_control()
            || r#"/\:*?"<>|"#.contains(c)
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{feff}')
    };
    assert!(!name.contains(bad), "{given:?} is saved as {name:?}");
    assert!(!name.starts_with(['.', ' ']) && !name.ends_with(['.', ' ']), "{given:?} is saved as {name:?}");
    assert!(!name.is_empty() && name.len() <= 255, "{given:?} is saved as {name:?}");
    let stem = name.split('.').next().unwrap_or_default().to_uppercase();
    assert!(!["CON", "NUL", "COM1"].contains(&stem.as_str()), "{given:?} is saved as {name:?}");
}

#[tokio::test]
async fn case_f02_case_f07_names_are_kept_as_text_and_saved_as_harmless_attachments() {
    let portal = Portal::start().await;
    for (name, content_type) in torture() {
        let content = content(content_type);
        let file = portal.upload(MEMBER, &name, content_type, content).await;
        let download = portal.of_file("presigned-downloads-file", MEMBER, file.id).await;
        assert_eq!((download.status, &download.body["name"]), (200, &json!(name)));
        let url = download.body["download"]["url"].as_str().unwrap();
        let path = url.split('?').next().unwrap();
        assert!(path.ends_with(&file.key().to_string()), "nothing of the name in the key: {path}");
        let got = follow(&download.body["download"], "").await;
        assert_eq!(got.status(), 200, "{name:?}");
        let served = got.headers()[header::CONTENT_TYPE].to_str().unwrap();
        let harmless = if content_type == "text/plain" { "text/plain" } else { "application/octet-stream" };
        assert_eq!(served, harmless, "{name:?}");
        let (plain, extended) = saved_as(got.headers());
        assert!(plain.is_ascii(), "{plain}");
        assert_safe(&plain, &name);
        assert_safe(&extended, &name);
        assert_eq!(got.headers().get(header::SET_COOKIE), None, "{name:?}");
        assert_eq!(got.text().await.unwrap(), content, "{name:?}");
        let whole = |request: Request| request.with_query("limit", "100");
        let list = portal.ask("presigned-downloads-list", MEMBER, whole).await;
        let items = list.body["items"].as_array().unwrap();
        let found = items.iter().find(|item| item["id"] == file.id.to_string()).unwrap();
        assert_eq!(found["name"], name);
        assert_eq!(found["content_type"], content_type, "as it was declared");
        let case = portal.ask("case-listing-detail", MEMBER, |request| request).await;
        let mut lines = case.body["timeline"].as_array().unwrap().iter();
        let line = lines.find(|line| line["file"] == file.id.to_string()).unwrap();
        assert_eq!(line["name"], name);
    }
}

/// Whoever sees a file and may not change it is told so; whoever does not see it is not told that there is one.
#[tokio::test]
async fn only_some_of_those_who_see_a_file_may_change_it() {
    let portal = Portal::start().await;
    let world = &portal.world;
    let_colleague_in(world).await;
    let (shared, hidden) = (file_id(0xb1), file_id(0xb2));
    world.make_available(of_manager(0xb1, FOR_ALL, Visibility::Case)).await;
    world.make_available(of_manager(0xb2, FOR_MANAGERS, Visibility::Managers)).await;
    let before = (world.file(shared).await, world.file(hidden).await, world.case(open_case()).await);
    let changes = ["file-changes-relabel", "file-changes-delete", "file-changes-restore"];
    for person in [MEMBER, COLLEAGUE] {
        for change in changes.into_iter().chain(["file-changes-erase"]) {
            let answer = portal.of_file(change, person, shared).await;
            assert_eq!(answer.status, 403, "{change} as {person}: {answer:?}");
            let answer = portal.of_file(change, person, hidden).await;
            assert_eq!(answer.status, 404, "{change} as {person}: {answer:?}");
        }
    }
    for change in changes {
        assert_eq!(portal.of_file(change, STRANGER, shared).await.status, 404, "{change}");
    }
    for person in [MANAGER, AGENT] {
        assert_eq!(portal.of_file("file-changes-erase", person, shared).await.status, 403, "{person}");
    }
    let after = (world.file(shared).await, world.file(hidden).await, world.case(open_case()).await);
    assert_eq!(after, before);
    // Who deleted it sees it and brings it back; who could not delete it does not see it any more.
    let deleted = portal.of_file("file-changes-delete", AGENT, shared).await;
    assert_eq!((deleted.status, &deleted.body["deleted_by"]["side"]), (200, &json!("staff")));
    assert_eq!(portal.of_file("file-changes-restore", MEMBER, shared).await.status, 404);
    assert_eq!(portal.of_file("file-changes-restore", MANAGER, shared).await.status, 200);
    assert_eq!(portal.of_file("presigned-downloads-file", MEMBER, shared).await.status, 200);
}

/// A file that is not there yet is not deleted, and a new version of another takes over what that one says.
#[tokio::test]
async fn what_is_on_its_way_waits() {
    let portal = Portal::start().await;
    let world = &portal.world;
    let first = world.file(file()).await;
    let newer = File { version: 1, ..declared(file_id(0xb1)).in_place_of(&first) };
    world.store.save_file(&newer).await.unwrap();
    let of_no_case = File { case: None, ..available(file_id(0xb2)) };
    world.store.save_file(&of_no_case).await.unwrap();
    for (id, change) in [
        (newer.id, "file-changes-relabel"),
        (newer.id, "file-changes-delete"),
        (pending_file(), "file-changes-delete"),
        (pending_file(), "file-changes-restore"),
        (of_no_case.id, "file-changes-relabel"),
        (of_no_case.id, "file-changes-delete"),
    ] {
        let answer = portal.of_file(change, MEMBER, id).await;
        assert_eq!(answer.status, 409, "{change}: {answer:?}");
        assert_eq!(answer.body["type"], "https://portico.example/problems/wrong-state");
    }
    // A first version may be for others before it is there.
    let relabelled = portal.of_file("file-changes-relabel", MEMBER, pending_file()).await;
    assert_eq!(relabelled.status, 200, "{relabelled:?}");
    assert_eq!(world.file(pending_file()).await.category.unwrap().as_str(), "Screenshot");
    // And what is said of the file meanwhile holds for the version that comes.
    assert_eq!(portal.of_file("file-changes-relabel", MEMBER, file()).await.status, 200);
    let scanning = newer.compared(Comparison::AsDeclared, now()).unwrap();
    world.store.save_file(&scanning).await.unwrap();
    let clean = |file: &File| file.judged(Verdict::Clean, now());
    let tenant = world.tenant();
    world.store.move_file(&tenant, newer.id, clean, now(), &world.stack.random).await.unwrap();
    let joined = world.file(newer.id).await;
    assert_eq!((joined.revision, joined.category), (2, world.file(file()).await.category));
}

/// Two people at the same moment: both changes stand.
#[tokio::test]
async fn changes_at_once_are_all_made() {
    let portal = Portal::start().await;
    let world = &portal.world;
    world.renew_file().await;
    let others = join_all((0..2).map(|_| world.boot("file-changes"))).await;
    let relabel = Request::sample("file-changes-relabel").by(MEMBER);
    let delete = Request::sample("file-changes-delete").by(MANAGER);
    let (relabelled, deleted) =
        tokio::join!(relabel.send_to(&others[0].function), delete.send_to(&others[1].function));
    assert_eq!((relabelled.status, deleted.status), (200, 200), "{relabelled:?} {deleted:?}");
    for version in [file(), crate::world::newer_file()] {
        let version = world.file(version).await;
        assert!(version.deleted.is_some() && version.category.is_some(), "{version:?}");
    }
    let told = outbox::facts(&world.stack.emulators).await;
    for fact in [
        Fact::FileRelabelled { case: open_case(), file: file() },
        Fact::FileDeleted { case: open_case(), file: file() },
    ] {
        assert_eq!(told.iter().filter(|told| **told == fact).count(), 1, "{told:?}");
    }
}

/// As many versions as a file may have, with the case and the events, are one transaction.
#[tokio::test]
async fn all_versions_that_there_may_be_are_changed_at_once() {
    let portal = Portal::start().await;
    let world = &portal.world;
    let mut latest = file();
    for place in 1..u128::from(VERSIONS_MAX) {
        let replaced = world.file(latest).await;
        let next = declared(file_id(0xb000 + place)).in_place_of(&replaced);
        latest = world.make_available(next).await.id;
    }
    assert_eq!(world.file(latest).await.revision, VERSIONS_MAX);
    let versions = portal.of_file("presigned-downloads-versions", MEMBER, file()).await;
    assert_eq!(versions.body["items"].as_array().unwrap().len(), usize::try_from(VERSIONS_MAX).unwrap());
    let too_many = portal
        .ask("presigned-uploads-add-file", MEMBER, |mut request| {
            request.set_body(|body| body["replaces"] = json!(latest));
            request
        })
        .await;
    assert_eq!(too_many.status, 409, "{too_many:?}");
    assert_eq!(portal.of_file("file-changes-delete", MEMBER, latest).await.status, 200);
    let files = world.store.files(&world.tenant(), open_case()).await.unwrap();
    let versions: Vec<_> = files.iter().filter(|version| version.original == file()).collect();
    assert_eq!(versions.len(), usize::try_from(VERSIONS_MAX).unwrap());
    assert!(versions.iter().all(|version| version.deleted.is_some()));
    assert_eq!(portal.of_file("file-changes-erase", ADMIN, latest).await.status, 202);
    let list = portal.ask("presigned-downloads-list", MANAGER, |request| request).await;
    assert_eq!(list.body["items"], json!([]), "nobody sees it any more");
}
