//! Salesforce is down for an hour, and for longer than a day. What clients do meanwhile is accepted, and is in the org
//! afterwards: each thing once, and what belongs to one case in its order.
//!
//! Time is the test's: functions, queues and the org all read the same clock, and the writer's queue is worked every five
//! minutes of it.

use std::collections::{BTreeMap, BTreeSet};

use fake_salesforce::{
    RequestKind,
    faults::{Effect, Rule},
};
use jiff::SignedDuration;
use portico_domain::{CaseId, FileId, SalesforceId};
use portico_salesforce::{Pace, Soql};
use portico_store::PageSize;
use serde_json::{Value, json};

use crate::{
    commands::{Answer, Request},
    consumers::Consumers,
    samples,
    stack::MovableClock,
    world::{CONTENT, Guarded, World, company, lambda_event},
};

/// How often the queues are worked while Salesforce is down.
const ROUND: SignedDuration = SignedDuration::from_mins(5);
/// Most rounds until everything is carried over once Salesforce is back: the longest wait is 15 minutes a time.
const ROUNDS_MAX: usize = 24;
/// How many cases are raised during an outage.
const CASES: i32 = 6;
const WRITER_QUEUE: &str = "WriterQueue.fifo";
const DEAD_LETTERS: &str = "WriterDeadLetters.fifo";

/// The portal with its org, and the functions that clients call.
struct Scene {
    world: World,
    clock: MovableClock,
    consumers: Consumers,
    functions: BTreeMap<&'static str, Guarded>,
}

/// What there is of everything, in the portal or in the org.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    cases: usize,
    comments: usize,
    files: usize,
    closed: usize,
}

/// What clients were told.
#[derive(Debug, Default)]
struct Told(BTreeMap<u16, usize>);

impl Scene {
    async fn start() -> Self {
        let clock = MovableClock::new();
        let world = World::start_at(clock.clock()).await;
        let consumers = Consumers::start(&world).await;
        let mut functions = BTreeMap::new();
        for binary in [
            "case-submission",
            "case-changes",
            "case-conversation",
            "presigned-uploads",
            "upload-confirmation",
        ] {
            functions.insert(binary, world.boot(binary).await);
        }
        let mut scene = Self { world, clock, consumers, functions };
        scene.work().await;
        scene
    }

    async fn work(&mut self) {
        self.consumers.run(&self.world).await;
    }

    async fn send(&self, binary: &str, request: Request, told: &mut Told) -> Answer {
        // People are not so fast, and ids that sort by time need some.
        self.clock.advance(SignedDuration::from_millis(1));
        let answer = request.send_to(&self.functions[binary].function).await;
        *told.0.entry(answer.status).or_default() += 1;
        assert!((200..300).contains(&answer.status), "{binary}: {answer:?}");
        answer
    }

    async fn submit(&self, subject: &str, told: &mut Told) -> (CaseId, Answer) {
        let mut request = Request::sample("case-submission-new-case").with_key(subject);
        request.set_body(|body| body["subject"] = json!(subject));
        let answer = self.send("case-submission", request, told).await;
        (answer.body["id"].as_str().unwrap().parse().unwrap(), answer)
    }

    async fn comment(&self, case: CaseId, text: &str, told: &mut Told) {
        let request = Request::sample("case-conversation-add").with_key(text);
        let mut request = request.with_path("caseId", &case.to_string());
        request.set_body(|body| *body = json!({ "body": text }));
        self.send("case-conversation", request, told).await;
    }

    async fn upload(&self, case: CaseId, key: &str, told: &mut Told) {
        let request = Request::sample("presigned-uploads-add-file").with_key(key);
        let answer =
            self.send("presigned-uploads", request.with_path("caseId", &case.to_string()), told).await;
        let file: FileId = answer.body["id"].as_str().unwrap().parse().unwrap();
        let key = self.world.store.file(&self.world.tenant(), file).await.unwrap().unwrap().key();
        let bucket = self.world.stack.cloud().bucket("FILES_BUCKET").unwrap();
        bucket.put(&key.to_string(), "text/plain", CONTENT.into()).await.unwrap();
        let mut event: Value =
            serde_json::from_str(&samples::text("upload-confirmation-object-created")).unwrap();
        event["detail"]["object"]["key"] = json!(key.to_string());
        self.clock.advance(SignedDuration::from_millis(1));
        let confirmation = &self.functions["upload-confirmation"].function;
        confirmation.invoke(lambda_event(&event.to_string())).await.unwrap();
        // The scanner needs no Salesforce.
        let now = self.clock.clock().now();
        let clean =
            |file: &portico_domain::files::File| file.judged(portico_domain::files::Verdict::Clean, now);
        let (store, random) = (&self.world.store, &self.world.stack.random);
        store.move_file(&self.world.tenant(), file, clean, now, random).await.unwrap();
    }

    async fn change(&self, case: CaseId, sample: &str, key: &str, body: Value, told: &mut Told) {
        let request = Request::sample(sample).with_key(key);
        let mut request = request.with_path("caseId", &case.to_string());
        request.set_body(|old| *old = body);
        self.send("case-changes", request, told).await;
    }

    /// A client raises a case, puts it in other words, says something, adds a file, says something more and closes it.
    async fn whole_case(&self, name: &str, told: &mut Told) -> CaseId {
        let (case, _) = self.submit(name, told).await;
        let version = self.world.case(case).await.version;
        let words = json!({ "version": version, "description": format!("{name}, in other words") });
        self.change(case, "case-changes-edit", &format!("{name} edit"), words, told).await;
        self.comment(case, &format!("{name} first"), told).await;
        self.upload(case, &format!("{name} file"), told).await;
        self.comment(case, &format!("{name} second"), told).await;
        self.change(
            case,
            "case-changes-close",
            &format!("{name} close"),
            json!({ "reason": "solved" }),
            told,
        )
        .await;
        case
    }

    /// What is in the portal of these cases.
    async fn in_portal(&self, cases: &[CaseId]) -> Counts {
        let mut counts = Counts::default();
        let most = PageSize::new(PageSize::MAX).unwrap();
        for id in cases {
            let case = self.world.case(*id).await;
            let lines = self.world.store.timeline(&case, most, None).await.unwrap().unwrap().items;
            counts.cases += 1;
            counts.comments += lines.iter().filter(|line| line.for_salesforce().is_some()).count();
            counts.files += self.world.store.files(&self.world.tenant(), *id).await.unwrap().len();
            counts.closed += usize::from(case.status.closed);
        }
        counts
    }

    /// What is in the org of cases whose subject begins like this, and how their comments end, in order.
    async fn in_org(&self, subject: &str) -> (Counts, BTreeMap<String, Vec<String>>) {
        let salesforce = self.world.stack.cloud().salesforce(Pace::Submission).await.unwrap();
        let fields = ["Id", "Subject", "Status", "Description"];
        let soql = Soql::by_ids("Case", &fields, "AccountId", &[company().salesforce_id]);
        let rows: Vec<Value> = salesforce.query_all(&soql).await.unwrap();
        let (mut counts, mut said) = (Counts::default(), BTreeMap::new());
        for case in rows {
            let name = case["Subject"].as_str().unwrap_or_default().to_owned();
            if !name.starts_with(subject) {
                continue;
            }
            assert_eq!(case["Description"], format!("{name}, in other words"), "the edit is there");
            let id: SalesforceId = case["Id"].as_str().unwrap().parse().unwrap();
            let soql = Soql::by_ids("CaseComment", &["CommentBody"], "ParentId", &[id]);
            let comments: Vec<Value> = salesforce.query_all(&soql).await.unwrap();
            let words = |comment: &Value| {
                comment["CommentBody"].as_str().unwrap().rsplit(' ').next().unwrap().to_owned()
            };
            let soql = Soql::by_ids("Portal_File__c", &["Id"], "Case__c", &[id]);
            let files: Vec<Value> = salesforce.query_all(&soql).await.unwrap();
            counts.cases += 1;
            counts.comments += comments.len();
            counts.files += files.len();
            counts.closed += usize::from(case["Status"] == "Closed");
            said.insert(name, comments.iter().map(words).collect());
        }
        (counts, said)
    }

    async fn waiting(&self) -> u64 {
        let depth = self.world.stack.emulators.queues().depth(WRITER_QUEUE).await.unwrap();
        depth.visible + depth.in_flight
    }

    /// Works until nothing waits for Salesforce any more. How long that took.
    async fn drain(&mut self) -> SignedDuration {
        for round in 0..ROUNDS_MAX {
            if self.waiting().await == 0 {
                return ROUND * i32::try_from(round).unwrap();
            }
            self.clock.advance(ROUND);
            self.work().await;
        }
        panic!("{} messages still wait", self.waiting().await);
    }

    /// The events of each case were carried over in the order in which they happened. Their ids sort by time.
    fn assert_in_order(&self) {
        let mut groups: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (group, event) in self.consumers.carried_over() {
            groups.entry(group).or_default().push(event);
        }
        for (group, events) in groups {
            assert!(events.is_sorted(), "{group}: {events:?}");
            assert_eq!(events.iter().collect::<BTreeSet<_>>().len(), events.len(), "{group}: {events:?}");
        }
    }
}

/// Salesforce is down for so many hours, and clients go on as if nothing had happened.
#[expect(clippy::print_stdout, reason = "the counts before and after are what the test shows")]
async fn outage(hours: i32) {
    let mut scene = Scene::start().await;
    // Nobody has a session, so every call begins with signing in.
    let calls = |scene: &Scene| scene.world.org.requests(RequestKind::Token);
    let signed_in = calls(&scene);
    scene.world.org.add_faults(vec![Rule::always(Effect::Down)]).unwrap();
    let (mut told, mut cases) = (Told::default(), Vec::new());
    let rounds = hours * 60 / 5;
    for round in 0..rounds {
        if round % (rounds / CASES) == 0 && cases.len() < CASES.try_into().unwrap() {
            let name = format!("outage {}", cases.len() + 1);
            cases.push(scene.whole_case(&name, &mut told).await);
        }
        scene.work().await;
        scene.clock.advance(ROUND);
    }
    let (waiting, in_vain) = (scene.waiting().await, calls(&scene) - signed_in);
    let receives: Vec<u32> = {
        let messages = scene.world.stack.emulators.queues().peek(WRITER_QUEUE, 100).await.unwrap();
        messages.iter().map(|message| message.receives).collect()
    };
    // 202 for the cases, whose numbers follow; the rest as ever.
    let accepted = usize::try_from(CASES).unwrap();
    assert_eq!(told.0.get(&202), Some(&accepted), "{told:?}");
    assert_eq!(told.0.values().sum::<usize>(), 6 * accepted, "{told:?}");
    scene.world.org.clear_faults();
    let (before, _) = scene.in_org("outage").await;
    assert_eq!(before, Counts::default(), "nothing got through");

    let took = scene.drain().await;
    let (portal, (org, said)) = (scene.in_portal(&cases).await, scene.in_org("outage").await);
    println!(
        "{hours} h: {told:?}; waiting at its end {waiting}, received at most {} times, calls in vain {in_vain}",
        receives.iter().max().unwrap()
    );
    println!("{hours} h: in the portal {portal:?}, in the org before {before:?}, after {took:#} {org:?}");
    assert_eq!(portal, Counts { cases: 6, comments: 12, files: 6, closed: 6 });
    assert_eq!(org, portal);
    assert!(said.values().all(|words| words == &["first", "second"]), "{said:?}");
    scene.assert_in_order();
    let letters = scene.world.stack.emulators.queues().depth(DEAD_LETTERS).await.unwrap();
    assert_eq!(letters.visible, 0, "nobody has to look at anything");
    for case in cases {
        assert!(scene.world.case(case).await.number.is_some(), "{case} has its number");
    }
}

#[tokio::test]
async fn case_r08_an_hour_without_salesforce() {
    outage(1).await;
}

/// Longer than Salesforce itself keeps anything for us, and than a stream keeps its records.
#[tokio::test]
async fn case_r08_a_day_and_an_hour_without_salesforce() {
    outage(25).await;
}

/// What Salesforce refuses for good stops its own case and no other, and comes back in order once people have made room.
#[tokio::test]
async fn case_r08_a_refused_case_is_parked_with_what_came_on_it_and_comes_back_in_order() {
    let mut scene = Scene::start().await;
    let refused = Effect::Error {
        status: 400,
        code: "FIELD_CUSTOM_VALIDATION_EXCEPTION".to_owned(),
        message: "Only on weekdays".to_owned(),
    };
    scene.world.org.add_faults(vec![Rule::times(1, "PATCH", "*/sobjects/Case/*", refused.clone())]).unwrap();
    let mut told = Told::default();
    let (poison, _) = scene.submit("parked 1", &mut told).await;
    let only_this = format!("*/sobjects/Case/Portal_Request_Id__c/{poison}");
    let rule = Rule { remaining: None, ..Rule::times(1, "PATCH", &only_this, refused) };
    scene.world.org.add_faults(vec![rule]).unwrap();
    let words = json!({ "version": 1, "description": "parked 1, in other words" });
    scene.change(poison, "case-changes-edit", "parked 1 edit", words, &mut told).await;
    scene.comment(poison, "parked 1 first", &mut told).await;
    scene.comment(poison, "parked 1 second", &mut told).await;
    let well = scene.whole_case("fine 1", &mut told).await;
    scene.clock.advance(SignedDuration::from_secs(7));
    scene.work().await;

    assert_eq!(scene.waiting().await, 0, "nobody waits behind it");
    let (org, _) = scene.in_org("fine").await;
    assert_eq!(org, scene.in_portal(&[well]).await);
    let letters = scene.world.stack.emulators.queues().peek(DEAD_LETTERS, 10).await.unwrap();
    let facts: Vec<(String, String)> = letters
        .iter()
        .map(|letter| {
            let event: Value = serde_json::from_str(&letter.body).unwrap();
            assert_eq!(letter.group, Some(poison.to_string()));
            let reason = serde_json::to_value(&letter.attributes["reason"].value).unwrap();
            (event["fact"].as_str().unwrap().to_owned(), reason["text"].as_str().unwrap().to_owned())
        })
        .collect();
    let expected = [
        ("case_submitted", "refused"),
        ("case_amended", "behind-parked-case"),
        ("comment_added", "behind-parked-case"),
        ("comment_added", "behind-parked-case"),
    ];
    assert_eq!(facts, expected.map(|(fact, reason)| (fact.to_owned(), reason.to_owned())));

    // Too early: refused once more, and in the dead letters again, each once.
    let (letters, queue) = {
        let cloud = scene.world.stack.cloud();
        (cloud.dead_letters("WRITER_DEAD_LETTERS_URL").unwrap(), cloud.queue("WRITER_QUEUE_URL").unwrap())
    };
    for attempt in ["too early", "at last"] {
        let redriven = letters.redrive(&queue, 100).await.unwrap();
        assert_eq!((redriven.moved, redriven.more), (4, false), "{attempt}");
        if attempt == "at last" {
            scene.world.org.clear_faults();
        }
        scene.work().await;
        assert_eq!(scene.waiting().await, 0, "{attempt}");
    }
    let depth = scene.world.stack.emulators.queues().depth(DEAD_LETTERS).await.unwrap();
    assert_eq!(depth.visible + depth.in_flight, 0);
    let (org, said) = scene.in_org("parked").await;
    assert_eq!(org, scene.in_portal(&[poison]).await);
    assert_eq!(said["parked 1"], ["first", "second"]);
    scene.assert_in_order_but_for_redrives();
}

impl Scene {
    /// What was redriven is carried over again, still in order within each attempt.
    fn assert_in_order_but_for_redrives(&self) {
        let mut groups: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (group, event) in self.consumers.carried_over() {
            groups.entry(group).or_default().push(event);
        }
        for (group, events) in groups {
            let distinct: BTreeSet<&&str> = events.iter().collect();
            for attempt in events.chunks(distinct.len()) {
                assert!(attempt.is_sorted(), "{group}: {events:?}");
            }
        }
    }
}
