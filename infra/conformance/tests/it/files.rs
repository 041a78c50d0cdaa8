//! The way of files from their declaration to their end: what the store has, what the scanner says, and what has to go.

mod any_order;
mod confirmation;
mod disposal;
mod verdicts;
mod versions;

use jiff::SignedDuration;
use portico_aws::{Bucket, Joined};
use portico_domain::{
    FileId,
    cases::{Author, Side},
    files::{File, FileState, Multipart, PART_LINK_WINDOW, PresignedRequest, Sha256Hex, Space},
};
use portico_store::{
    PageSize,
    engine::{Key, Table, Write},
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::{
    commands::{Answer, Request},
    samples::text,
    stack::{MovableClock, Stack},
    steps::Fault,
    world::{CONTENT, Guarded, MEMBER, World, account, file, lambda_event, open_case, pending_file},
};

/// What a scanner says, in GuardDuty's words and none.
const STATUSES: [&str; 6] =
    ["NO_THREATS_FOUND", "THREATS_FOUND", "UNSUPPORTED", "ACCESS_DENIED", "FAILED", "SOMETHING_NEW"];
const CLEAN: &str = "NO_THREATS_FOUND";
const THREAT: &str = "THREATS_FOUND";

/// Most looks at what is due until nothing is left that is.
const LOOKS_MAX: usize = 10;

/// A world, its time, and the functions by which files go their way.
struct Scene {
    world: World,
    clock: MovableClock,
    uploads: Guarded,
    downloads: Guarded,
    /// Declarations so far, each with a key of its own.
    declared: std::cell::Cell<u32>,
}

/// Which functions a file's events go to.
const CONFIRMATION: &str = "upload-confirmation";
const VERDICTS: &str = "malware-verdicts";
const DISPOSAL: &str = "file-disposal";

impl Scene {
    async fn start() -> Self {
        let clock = MovableClock::new();
        let world = World::start_watched(clock.clock()).await;
        Self::around(world, clock).await
    }

    /// In a world that keeps files for so many days after their case was closed.
    async fn with_retention(days: u32) -> Self {
        let clock = MovableClock::new();
        let mut stack = Stack::start_at(clock.clock()).await;
        stack.names.set("FileRetentionDays", days.to_string());
        Self::around(World::around_stack(stack).await, clock).await
    }

    async fn around(world: World, clock: MovableClock) -> Self {
        let (uploads, downloads) =
            (world.boot("presigned-uploads").await, world.boot("presigned-downloads").await);
        let scene = Self { world, clock, uploads, downloads, declared: std::cell::Cell::new(0) };
        // The world's own two files were put there without their room.
        let furnished = [file(), pending_file()];
        for entry in ["space".to_owned(), format!("space#{}", open_case())] {
            let key = Key { table: Table::Usage, partition: account().to_string(), sort: Some(entry) };
            let bytes = i64::try_from(furnished.len() * CONTENT.len()).unwrap();
            let amounts = vec![("files".to_owned(), 2), ("bytes".to_owned(), bytes)];
            let write = Write::Add { key, amounts, at_most: Vec::new() };
            scene.world.stack.engine().transact(&[write]).await.unwrap();
        }
        scene.assert_room("at the start").await;
        scene
    }

    fn bucket(&self) -> Bucket {
        self.world.stack.cloud().bucket("FILES_BUCKET").unwrap()
    }

    fn advance(&self, by: SignedDuration) {
        self.clock.advance(by);
    }

    fn now(&self) -> jiff::Timestamp {
        self.world.stack.clock.now()
    }

    /// The member declares a file of the open case; `with` changes what they say of it.
    async fn declare(&self, content: &[u8], with: impl FnOnce(&mut Value)) -> (File, Answer) {
        let number = self.declared.get() + 1;
        self.declared.set(number);
        // Ids sort by time.
        self.advance(SignedDuration::from_millis(1));
        let mut request =
            Request::sample("presigned-uploads-add-file").with_key(&format!("declared-{number}"));
        request.set_body(|body| {
            body["name"] = json!(format!("{number}.log"));
            body["size"] = json!(content.len());
            body["sha256"] = json!(sha256(content));
            with(body);
        });
        let answer = self.send(&self.uploads, &request).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        (self.file(answer.body["id"].as_str().unwrap().parse().unwrap()).await.unwrap(), answer)
    }

    /// A file of the open case, its content in the store, as a client puts it there.
    async fn uploaded(&self, content: &'static [u8]) -> File {
        let (file, answer) = self.declare(content, |_| {}).await;
        assert!(follow(&answer, content).await.is_success());
        file
    }

    /// A file that went all the way.
    async fn available(&self, content: &'static [u8]) -> File {
        let file = self.uploaded(content).await;
        self.confirm(&file).await;
        self.judge(&file, CLEAN).await;
        self.file(file.id).await.unwrap()
    }

    /// A file that goes up in one part, which is in the store. Its whole content is declared to have this SHA-256.
    async fn in_parts(&self, content: &'static [u8], whole: &str) -> (File, Multipart) {
        let (file, _) = self.declare(content, |body| body["sha256"] = json!(whole)).await;
        let hash = Sha256Hex::try_from(sha256(content)).unwrap();
        let begun = self.bucket().begin_upload(file.clone(), vec![hash]).await.unwrap();
        let file = File { version: file.version + 1, ..begun };
        self.world.store.save_file(&file).await.unwrap();
        let (upload, parts, key) = (file.multipart.clone().unwrap(), file.parts(), file.key().to_string());
        let link = self
            .bucket()
            .presign_part(&key, &upload.id, &parts[0], self.now(), PART_LINK_WINDOW)
            .await
            .unwrap();
        assert!(send(&link, content).await.is_success());
        (file, upload)
    }

    async fn join(&self, file: &File, upload: &Multipart) {
        let key = file.key().to_string();
        let stored = self.bucket().parts(&key, &upload.id).await.unwrap().unwrap();
        assert_eq!(self.bucket().join_parts(&key, &upload.id, &stored).await.unwrap(), Joined::Done);
    }

    async fn file(&self, id: FileId) -> Option<File> {
        self.world.store.file(&self.world.tenant(), id).await.unwrap()
    }

    async fn state(&self, file: &File) -> FileState {
        self.file(file.id).await.unwrap().state
    }

    async fn has_content(&self, file: &File) -> bool {
        self.bucket().facts(&file.key().to_string()).await.unwrap().is_some()
    }

    /// Puts an object where the file's is, without anybody's link.
    async fn put_behind_the_back(&self, file: &File, content: &'static [u8]) {
        self.bucket().put(&file.key().to_string(), "text/plain", content.into()).await.unwrap();
    }

    /// A process of its own takes an event, which may kill it. Whether it lived to the end of it.
    async fn deliver(&self, binary: &str, event: &Value, fault: Option<Fault>) -> Option<Value> {
        let process = async {
            let guarded = self.world.boot(binary).await;
            let answer = guarded.function.invoke(lambda_event(&event.to_string())).await.unwrap();
            assert_eq!(guarded.guard.denied(), [], "the policy in template.yaml does not allow this");
            serde_json::from_str(answer.get()).unwrap()
        };
        self.world.steps.live(fault, process).await
    }

    /// The store tells that the file's object is there.
    async fn confirm(&self, file: &File) {
        self.deliver(CONFIRMATION, &created(file), None).await.unwrap();
    }

    /// The scanner tells what it says of the file's object.
    async fn judge(&self, file: &File, status: &str) {
        self.deliver(VERDICTS, &judged(file, status), None).await.unwrap();
    }

    /// The schedule fires. What came of it.
    async fn look(&self) -> Value {
        self.deliver(DISPOSAL, &scheduled(), None).await.unwrap()
    }

    /// The schedule fires until nothing more goes.
    async fn look_until_rest(&self) {
        for _ in 0..LOOKS_MAX {
            let tally = self.look().await;
            assert_eq!(tally["failed"], 0, "{tally}");
            if tally["gone"] == 0 && tally["content_gone"] == 0 && tally["left"] == 0 {
                return;
            }
        }
        panic!("there is no end to what goes");
    }

    /// A request to a process that lives, whoever died before it.
    async fn send(&self, guarded: &Guarded, request: &Request) -> Answer {
        self.world.steps.live(None, request.send_to(&guarded.function)).await.unwrap()
    }

    /// Whether somebody who sees the case is given a link to a file's content.
    async fn can_be_downloaded(&self, id: FileId) -> bool {
        let request = Request::sample("presigned-downloads-file").by(MEMBER);
        let answer = self.send(&self.downloads, &request.with_path("fileId", &id.to_string())).await;
        assert!(matches!(answer.status, 200 | 404), "{answer:?}");
        answer.status == 200
    }

    /// The lines of the open case that tell of this file.
    async fn lines(&self, file: &File) -> usize {
        let case = self.world.case(open_case()).await;
        let most = PageSize::new(PageSize::MAX).unwrap();
        let timeline = self.world.store.timeline(&case, most, None).await.unwrap().unwrap();
        timeline.items.iter().filter(|line| line.happening.files().contains(&file.id)).count()
    }

    /// What the files of the open case take is exactly what is written down of it.
    async fn assert_room(&self, when: &str) {
        let tenant = self.world.tenant();
        let files = self.world.store.files(&tenant, open_case()).await.unwrap();
        let kept = files.iter().filter(|file| !matches!(file.state, FileState::Rejected { .. }));
        let taken = Space::of(kept.map(|file| &file.declared));
        for of in [None, Some(open_case())] {
            assert_eq!(self.world.store.space(&tenant, of).await.unwrap(), taken, "{when}, of {of:?}");
        }
    }
}

/// Somebody who deletes files.
fn somebody() -> Author {
    Author { side: Side::Client, name: "Jonas Weber".to_owned() }
}

fn sha256(content: &[u8]) -> String {
    hex::encode(Sha256::digest(content))
}

/// "Object Created" of S3.
fn created(file: &File) -> Value {
    let mut event: Value = serde_json::from_str(&text("upload-confirmation-object-created")).unwrap();
    event["detail"]["object"]["key"] = json!(file.key().to_string());
    event
}

/// "GuardDuty Malware Protection Object Scan Result".
fn judged(file: &File, status: &str) -> Value {
    let mut event: Value = serde_json::from_str(&text("malware-verdicts-clean")).unwrap();
    event["detail"]["s3ObjectDetails"]["objectKey"] = json!(file.key().to_string());
    event["detail"]["scanResultDetails"]["scanResultStatus"] = json!(status);
    event
}

fn scheduled() -> Value {
    serde_json::from_str(&text("file-disposal-schedule")).unwrap()
}

/// Uploads what an answer to a declaration says.
async fn follow(answer: &Answer, content: &'static [u8]) -> http::StatusCode {
    let upload = &answer.body["upload"];
    let mut sent = reqwest::Client::new().put(upload["url"].as_str().unwrap());
    for (name, value) in upload["headers"].as_object().unwrap() {
        // The client itself knows the length and the host.
        if name != "host" && name != "content-length" {
            sent = sent.header(name, value.as_str().unwrap());
        }
    }
    sent.body(content).send().await.unwrap().status()
}

/// The same with a link of the bucket.
async fn send(link: &PresignedRequest, content: &'static [u8]) -> http::StatusCode {
    let mut sent = reqwest::Client::new().put(&link.url);
    for (name, value) in link.headers.iter().filter(|(name, _)| name != "host" && name != "content-length") {
        sent = sent.header(name, value);
    }
    sent.body(content).send().await.unwrap().status()
}
