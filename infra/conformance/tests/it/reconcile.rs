//! The portal held against a real org: what nobody told is found, whatever dies on the way, and what is said of how fresh
//! a case is, is true.
//!
//! The org of these tests tells nobody of its changes: everything here has to be found.

use std::{collections::BTreeSet, time::Duration};

use fake_salesforce::{
    demo::{BRIGHTWATER, NORDHAVEN},
    faults::{Effect, Rule},
};
use jiff::{SignedDuration, Timestamp};
use portico_domain::{
    RunId, SalesforceId,
    cases::Happening,
    events::Fact,
    runs::{Difference, Errand, LEASE_LIFE, Request as RunRequest, Run, RunState},
};
use portico_emulators::NewMessage;
use portico_salesforce::{
    Salesforce,
    records::{MayHaveChanged, Object},
};
use portico_store::{
    Claim, PageSize, Tenant,
    engine::{Condition, Key, Table, Write},
};
use serde_json::{Value, json};

use crate::{
    commands::Request,
    consumers::Consumers,
    outbox,
    stack::{MovableClock, REGION},
    steps::{Blow, Fault, Side},
    world::{MANAGER, World, closed_case, lambda_event, other_company, time_entries},
};

/// Longer than what hangs on a case waits for it.
const HEAD_START: SignedDuration = SignedDuration::from_secs(11);
/// Longer than a message stays hidden after its function died.
const PAST_VISIBILITY: SignedDuration = SignedDuration::from_secs(181);
/// Between two sweeps.
const INTERVAL: SignedDuration = SignedDuration::from_mins(15);
/// Most invocations of one run: far more than any of these needs.
const INVOCATIONS_MAX: usize = 50;

struct Scene {
    world: World,
    clock: MovableClock,
    consumers: Consumers,
    salesforce: Salesforce,
}

impl Scene {
    async fn start() -> Self {
        let clock = MovableClock::new();
        let world = World::start_watched(clock.clock()).await;
        let consumers = Consumers::start(&world).await;
        let salesforce = world.stack.cloud().salesforce(portico_salesforce::Pace::Submission).await.unwrap();
        Self { world, clock, consumers, salesforce }
    }

    /// A world in which both sides say the same, and a first sweep has been.
    async fn in_step() -> Self {
        let mut scene = Self::start().await;
        // Hours that the org never had.
        for entry in time_entries() {
            let partition = format!("{}#{}", scene.world.tenant().account(), closed_case());
            let sort = Some(entry.id.to_string());
            let key = Key { table: Table::TimeEntries, partition, sort };
            let write = Write::Delete { key, condition: Condition::Present };
            scene.world.stack.engine().transact(&[write]).await.unwrap();
        }
        for account in [NORDHAVEN.id, BRIGHTWATER.id] {
            let account = account.parse().unwrap();
            assert_eq!(scene.run(Errand::Backfill { account }).await.state, RunState::Done);
        }
        let sweep = scene.run(Errand::Sweep).await;
        assert_eq!(sweep.state, RunState::Done, "{sweep:?}");
        scene
    }

    fn now(&self) -> Timestamp {
        self.clock.clock().now()
    }

    /// Asks for a run.
    async fn ask(&self, errand: Errand) -> RunId {
        let id = RunId::new(self.now(), &self.world.stack.random);
        let request = RunRequest { run: Some(id), errand };
        let message = NewMessage::new(serde_json::to_string(&request).unwrap());
        self.world.stack.emulators.queues().send("ReconcileQueue", message).await.unwrap();
        id
    }

    /// Everybody behind a queue works until nothing is left.
    async fn settle(&mut self) {
        self.consumers.run(&self.world).await;
        self.clock.advance(HEAD_START);
        self.consumers.run(&self.world).await;
    }

    /// A run, to its end, and what it led to.
    async fn run(&mut self, errand: Errand) -> Run {
        let id = self.ask(errand).await;
        self.settle().await;
        self.world.store.run(id).await.unwrap().unwrap()
    }

    /// What the portal says and what Salesforce says, by a full compare.
    async fn drift(&mut self) -> u64 {
        // Nothing is young any more.
        self.clock.advance(SignedDuration::from_mins(20));
        let run = self.run(Errand::Compare).await;
        assert_eq!(run.state, RunState::Done);
        assert_eq!(run.total().drift(), u64::try_from(run.samples.len()).unwrap());
        run.total().drift()
    }

    async fn create(&self, records: &[Value]) -> Vec<SalesforceId> {
        self.salesforce.create_together(records).await.unwrap()
    }

    async fn update(&self, object: &'static str, id: SalesforceId, fields: Value) {
        self.salesforce.update(object, id, &fields).await.unwrap();
    }

    /// What the platform or an agent does to a record: `delete`, `purge`, `touch`.
    async fn act(&self, act: &str, id: SalesforceId) {
        let url = format!("{}_fake/records/{act}", self.world.org.address());
        let answer = reqwest::Client::new().post(url).json(&json!({ "id": id })).send().await.unwrap();
        assert_eq!(answer.status(), 204, "{act} {id}");
    }

    /// One delivery of `ReconcileQueue` to a fresh process, which may die on the way. What the message asked to have
    /// back, or nothing if it died.
    async fn deliver(&self, fault: Option<Fault>) -> Option<Value> {
        let queues = self.world.stack.emulators.queues();
        let messages = queues.receive("ReconcileQueue", 1, Duration::ZERO).await.unwrap();
        let [message] = messages.as_slice() else { panic!("one message: {messages:?}") };
        let arn = self.world.stack.names.get("ReconcileQueue.Arn");
        let event = json!({ "Records": [message.event_record(arn, REGION)] }).to_string();
        let process = async {
            let guarded = self.world.boot("salesforce-reconcile").await;
            let answer = guarded.function.invoke(lambda_event(&event)).await.unwrap();
            assert_eq!(guarded.guard.denied(), []);
            answer
        };
        let answer = self.world.steps.live(fault, process).await?;
        let failures = serde_json::from_str::<Value>(answer.get()).unwrap()["batchItemFailures"].clone();
        if failures == json!([]) {
            queues.delete("ReconcileQueue", &message.receipt).await.unwrap();
        }
        Some(failures)
    }

    /// Deliveries until the queue is empty.
    async fn deliver_all(&self) {
        for _ in 0..INVOCATIONS_MAX {
            if self.world.stack.emulators.queues().depth("ReconcileQueue").await.unwrap().visible == 0 {
                return;
            }
            assert_eq!(self.deliver(None).await, Some(json!([])));
        }
        panic!("a run never comes to its end");
    }

    /// What was named to the sync and not taken yet, delayed or not.
    async fn named(&self) -> BTreeSet<SalesforceId> {
        let queues = self.world.stack.emulators.queues();
        let messages = queues.peek("SyncQueue", 1_000).await.unwrap();
        let changed = messages.iter().map(|message| {
            let changed: MayHaveChanged = serde_json::from_str(&message.body).unwrap();
            assert!(changed.records.len() <= 200);
            changed
        });
        changed.flat_map(|changed| changed.records).map(|record| record.id).collect()
    }
}

fn case_of(account: &str, subject: &str) -> Value {
    json!({ "attributes": { "type": "Case" }, "AccountId": account, "Subject": subject, "Description": "-" })
}

fn comment_on(case: SalesforceId, text: &str) -> Value {
    json!({
        "attributes": { "type": "CaseComment" }, "ParentId": case, "CommentBody": text, "IsPublished": true,
    })
}

fn hours_on(case: SalesforceId, minutes: u64) -> Value {
    json!({
        "attributes": { "type": "Time_Entry__c" }, "Case__c": case, "Work_Date__c": "2026-11-22",
        "Minutes__c": minutes, "Person__c": "Sam Keller", "Billable__c": true,
    })
}

fn id(text: &str) -> SalesforceId {
    text.parse().unwrap()
}

/// 26 hours in which no message arrives: more than Salesforce keeps trying.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_w14_an_outage_of_more_than_a_day_is_repaired_by_the_sweep() {
    let mut scene = Scene::in_step().await;
    assert_eq!(scene.drift().await, 0);
    let case = id(BRIGHTWATER.case_ids[0]);
    let mut changes = 0;
    for hour in 0..26 {
        scene.clock.advance(SignedDuration::from_hours(1));
        changes += 1;
        match hour % 5 {
            0 => scene.update("Case", case, json!({ "Subject": format!("hour {hour}") })).await,
            1 => drop(scene.create(&[comment_on(case, &format!("hour {hour}"))]).await),
            2 => drop(scene.create(&[hours_on(case, 300 + hour)]).await),
            3 => {
                let [new] = scene.create(&[case_of(NORDHAVEN.id, &format!("hour {hour}"))]).await[..] else {
                    panic!("one case")
                };
                scene.create(&[comment_on(new, "at once"), hours_on(new, 15)]).await;
                changes += 2;
            }
            _ => {
                scene
                    .update("Account", id(NORDHAVEN.id), json!({ "BillingCity": format!("City {hour}") }))
                    .await
            }
        }
    }
    scene.clock.advance(INTERVAL);
    let sweep = scene.run(Errand::Sweep).await;
    assert_eq!(sweep.state, RunState::Done, "{sweep:?}");
    let total = sweep.total();
    // A case that changed six times was missed once, and an account has no version to tell by.
    assert_eq!(total.missed, 1 + 5 + 5 + 5 * 3, "{sweep:?}");
    assert!(total.sent >= total.missed && total.sent <= changes + 40, "{sweep:?}");

    let kept = scene.world.store.case_of(case).await.unwrap().unwrap();
    assert_eq!(kept.subject, "hour 25");
    let entries = scene.world.store.time_entries(&Tenant::of_case(&kept), kept.id).await.unwrap();
    let late: i64 =
        entries.iter().map(|entry| entry.minutes).filter(|minutes| (300..326).contains(minutes)).sum();
    assert_eq!(late, [2, 7, 12, 17, 22].map(|hour| 300 + hour).iter().sum::<i64>());
    let account = scene.world.store.account(&scene.world.tenant()).await.unwrap().unwrap();
    assert!(account.address.iter().any(|line| line.ends_with("City 24")), "{:?}", account.address);
    assert_eq!(scene.drift().await, 0);

    // Only the next sweep can tell that nothing is behind any more.
    let mark = scene.world.store.watermark().await.unwrap().unwrap();
    assert!(mark.until < sweep.started_at, "{mark:?}");
    let next = scene.run(Errand::Sweep).await;
    let mark = scene.world.store.watermark().await.unwrap().unwrap();
    assert_eq!((mark.until, next.total().missed), (next.started_at, 0), "{next:?}");
}

/// A transaction that takes its time: its changes carry a moment that the last sweep was already past.
#[tokio::test]
async fn case_w14_windows_overlap() {
    let mut scene = Scene::in_step().await;
    scene.clock.advance(INTERVAL);
    scene.run(Errand::Sweep).await;
    scene.clock.advance(SignedDuration::from_mins(-9));
    let case = id(BRIGHTWATER.case_ids[1]);
    scene.update("Case", case, json!({ "Subject": "committed late" })).await;
    scene.clock.advance(SignedDuration::from_mins(9) + INTERVAL);
    let sweep = scene.run(Errand::Sweep).await;
    assert_eq!(sweep.counts["Case"].missed, 1, "{sweep:?}");
    assert_eq!(scene.world.store.case_of(case).await.unwrap().unwrap().subject, "committed late");
    scene.clock.advance(INTERVAL);
    let quiet = scene.run(Errand::Sweep).await;
    assert_eq!(quiet.total().missed, 0, "{quiet:?}");
}

/// A sweep's process dies before its first write and after each one, which is every state that a death can leave behind:
/// what was only read is forgotten. Whatever the moment: what the checkpoint is past was named to the sync, and the next
/// delivery brings the run to its end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_w14_a_sweep_goes_on_after_a_crash_at_every_step() {
    let scene = Scene::in_step().await;
    let case = id(BRIGHTWATER.case_ids[0]);
    let comment = scene.create(&[comment_on(case, "first")]).await[0];
    // The same news every time, and a sweep that finds the same behind as the one before.
    let news = async |marker: &str| {
        scene.clock.advance(INTERVAL);
        scene.update("Case", case, json!({ "Subject": marker })).await;
        scene.update("CaseComment", comment, json!({ "CommentBody": marker })).await;
        let changed_at = scene.now();
        scene.clock.advance(SignedDuration::from_mins(3));
        scene.world.stack.emulators.queues().purge("SyncQueue").await.unwrap();
        (changed_at, scene.ask(Errand::Sweep).await)
    };
    for marker in ["before", "undisturbed"] {
        news(marker).await;
        assert_eq!(scene.deliver(None).await, Some(json!([])));
    }
    let writes = |step: &str| step.starts_with("TransactWriteItems") || step.starts_with("SendMessage");
    let steps = scene.world.steps.names();
    let after = |(place, step): (usize, &String)| writes(step).then_some((place, Side::After));
    let moments: Vec<(usize, Side)> = steps.iter().enumerate().filter_map(after).collect();
    assert!(moments.len() > 20, "{steps:?}");
    let first = (moments[0].0, Side::Before);
    for (place, side) in [first].into_iter().chain(moments) {
        let marker = format!("{side:?} {place}");
        let (changed_at, sweep) = news(&marker).await;
        assert_eq!(scene.deliver(Some(Fault { at: place, side, blow: Blow::Death })).await, None, "{marker}");
        let step = scene.world.steps.names()[place].clone();
        assert!(writes(&step), "{marker}: {step}");
        for (object, record) in [(Object::Case, case), (Object::CaseComment, comment)] {
            let checkpoint = scene.world.store.checkpoint(object.name()).await.unwrap().unwrap();
            let past = checkpoint.changed_until >= changed_at;
            assert!(!past || scene.named().await.contains(&record), "{marker}, {step}: {record} is lost");
        }
        scene.clock.advance(PAST_VISIBILITY);
        scene.deliver_all().await;
        let run = scene.world.store.run(sweep).await.unwrap().unwrap();
        assert_eq!((run.state, run.note), (RunState::Done, None), "{marker}, {step}");
        let named = scene.named().await;
        assert!(named.contains(&case) && named.contains(&comment), "{marker}, {step}: {named:?}");
    }
}

#[tokio::test]
async fn case_w13_deletions_reach_the_sync_in_the_recycle_bin_and_out_of_it() {
    let scene = Scene::in_step().await;
    let case = id(BRIGHTWATER.case_ids[0]);
    let created = scene
        .create(&[comment_on(case, "binned"), comment_on(case, "purged"), case_of(BRIGHTWATER.id, "purged")])
        .await;
    let [binned, purged, purged_case] = created[..] else { panic!("{created:?}") };
    scene.clock.advance(SignedDuration::from_hours(30));
    for record in [binned, purged, purged_case] {
        scene.act("delete", record).await;
    }
    scene.act("purge", purged).await;
    scene.act("purge", purged_case).await;
    scene.clock.advance(INTERVAL);
    scene.ask(Errand::Sweep).await;
    scene.deliver_all().await;
    let named = scene.named().await;
    for record in [binned, purged, purged_case] {
        assert!(named.contains(&record), "{record} of {named:?}");
    }
}

/// More records than a page holds, all of the same second: the last one read is the place to go on from.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_go_on_within_one_second() {
    let scene = Scene::in_step().await;
    scene.clock.advance(INTERVAL);
    let case = id(BRIGHTWATER.case_ids[0]);
    let mut made = BTreeSet::new();
    for batch in 0..11 {
        let hours: Vec<Value> =
            (0..200).map(|entry| hours_on(case, 1 + (batch * 200 + entry) % 480)).collect();
        made.extend(scene.create(&hours).await);
    }
    assert_eq!(made.len(), 2_200);
    scene.clock.advance(INTERVAL);
    scene.ask(Errand::Sweep).await;
    scene.deliver_all().await;
    assert_eq!(made.difference(&scene.named().await).count(), 0);
    // More than can be remembered are behind; the mark waits for the oldest of them.
    let checkpoint = scene.world.store.checkpoint("Time_Entry__c").await.unwrap().unwrap();
    assert_eq!(checkpoint.behind.len(), 200);
    assert!(checkpoint.forgotten.is_some());

    // A backfill pages too, and what is history makes no invoice.
    scene.world.stack.emulators.queues().purge("SyncQueue").await.unwrap();
    let account = BRIGHTWATER.id.parse().unwrap();
    let backfill = scene.ask(Errand::Backfill { account }).await;
    scene.deliver_all().await;
    let run = scene.world.store.run(backfill).await.unwrap().unwrap();
    assert_eq!(run.state, RunState::Done);
    assert!(run.counts["Time_Entry__c"].sent >= 2_200, "{run:?}");
    assert_eq!(made.difference(&scene.named().await).count(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backfill_brings_a_clients_history_in_and_bills_nothing() {
    let mut scene = Scene::start().await;
    let old = scene.create(&[case_of(BRIGHTWATER.id, "long ago")]).await[0];
    scene.create(&[comment_on(old, "done"), hours_on(old, 45)]).await;
    scene.update("Case", old, json!({ "Status": "Closed" })).await;
    scene.clock.advance(SignedDuration::from_hours(24 * 400));
    // Provisioned under the portal's own id.
    let account = other_company().id.to_string().parse().unwrap();
    let run = scene.run(Errand::Backfill { account }).await;
    assert_eq!((run.state, run.note), (RunState::Done, None));
    let case = scene.world.store.case_of(old).await.unwrap().unwrap();
    assert!(case.status.closed && case.account == other_company().id);
    let page = PageSize::new(50).unwrap();
    let lines = scene.world.store.timeline(&case, page, None).await.unwrap().unwrap().items;
    assert!(
        lines
            .iter()
            .any(|line| matches!(&line.happening, Happening::Commented { body, .. } if body == "done"))
    );
    assert!(lines.iter().any(|line| matches!(line.happening, Happening::HoursLogged { minutes: 45, .. })));
    let tenant = Tenant::of_case(&case);
    assert_eq!(scene.world.store.invoices(&tenant, page, None).await.unwrap().unwrap().items, []);
    let facts = outbox::facts(&scene.world.stack.emulators).await;
    assert!(!facts.iter().any(|fact| matches!(fact, Fact::CaseClosed { .. } | Fact::InvoiceIssued { .. })));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_compare_finds_every_class_of_drift_and_repairs_it() {
    let mut scene = Scene::in_step().await;
    assert_eq!(scene.drift().await, 0);
    let mark = scene.world.store.watermark().await.unwrap().unwrap();
    assert!(mark.compared.is_some(), "a compare without a difference is as good as a reading of every case");

    // Nobody told of any of these, and no sweep came by.
    let case = id(NORDHAVEN.case_ids[1]);
    let hours = scene.create(&[hours_on(case, 60), hours_on(case, 61)]).await;
    let doomed =
        scene.create(&[case_of(NORDHAVEN.id, "to be gone"), comment_on(case, "to be withdrawn")]).await;
    scene.run(Errand::Sweep).await;
    scene.clock.advance(SignedDuration::from_hours(2));
    let missing = scene.create(&[case_of(NORDHAVEN.id, "missing"), comment_on(case, "missing")]).await;
    scene.update("Case", case, json!({ "Subject": "stale" })).await;
    scene.update("Time_Entry__c", hours[0], json!({ "Minutes__c": 90 })).await;
    scene.act("delete", hours[1]).await;
    scene.act("purge", hours[1]).await;
    scene.act("delete", doomed[0]).await;
    scene.update("CaseComment", doomed[1], json!({ "IsPublished": false })).await;
    scene.act("touch", id(NORDHAVEN.contract_id)).await;
    scene.clock.advance(SignedDuration::from_mins(20));
    // Younger than the queue needs: not counted, not sent.
    let young = scene.create(&[case_of(NORDHAVEN.id, "young")]).await[0];

    let id_of_run = scene.ask(Errand::Compare).await;
    scene.deliver_all().await;
    let run = scene.world.store.run(id_of_run).await.unwrap().unwrap();
    let found: BTreeSet<(SalesforceId, Difference)> =
        run.samples.iter().map(|sample| (sample.id, sample.difference)).collect();
    let expected = BTreeSet::from([
        (missing[0], Difference::Missing),
        (missing[1], Difference::Missing),
        (case, Difference::Stale),
        (hours[0], Difference::Stale),
        (id(NORDHAVEN.contract_id), Difference::Stale),
        (hours[1], Difference::Gone),
        (doomed[0], Difference::Gone),
        (doomed[1], Difference::Gone),
    ]);
    assert_eq!(found, expected, "{run:?}");
    assert_eq!(run.total().drift(), 8, "each once: {run:?}");
    assert_eq!(run.counts["Case"].young, 1, "{run:?}");
    let named = scene.named().await;
    assert_eq!(expected.iter().map(|(id, _)| *id).filter(|id| !named.contains(id)).count(), 0, "{named:?}");
    assert!(!named.contains(&young));
    let after = scene.world.store.watermark().await.unwrap().unwrap();
    assert_eq!(after.compared, mark.compared, "with differences it proves nothing");
}

/// What is agreed and paid for: an amendment counts as a record of its own, though it is part of a contract here.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn amendments_and_expenses_are_found_and_compared() {
    let mut scene = Scene::in_step().await;
    let amendment = json!({
        "attributes": { "type": "Portal_Contract__c" }, "Name": "Amendment", "Account__c": NORDHAVEN.id,
        "Amends__c": NORDHAVEN.contract_id, "Currency__c": "EUR", "Hourly_Rate__c": 130, "Tax_Rate__c": 19,
        "Payment_Terms_Days__c": 30, "Valid_From__c": "2026-12-01", "Time_Zone__c": "Europe/Berlin",
    });
    let expense = |cost: u32| {
        json!({
            "attributes": { "type": "Portal_Expense__c" }, "Account__c": NORDHAVEN.id, "Incurred_On__c": "2026-11-20",
            "Cost__c": cost, "Currency__c": "EUR", "Case__c": NORDHAVEN.case_ids[1],
        })
    };
    let amendment = scene.create(&[amendment]).await[0];
    let expenses = scene.create(&[expense(48), expense(49)]).await;
    let rate = json!({
        "attributes": { "type": "Portal_Rate__c" }, "Contract__c": amendment, "Role__c": "Architect", "Hourly_Rate__c": 170,
    });
    let discount = json!({
        "attributes": { "type": "Portal_Discount__c" }, "Contract__c": amendment, "Name": "Loyalty", "Percent__c": 5,
    });
    let block = json!({
        "attributes": { "type": "Portal_Block__c" }, "Contract__c": amendment, "Bought_On__c": "2026-12-01", "Hours__c": 10,
        "Price__c": 1_000,
    });
    scene.create(&[rate, discount, block]).await;
    scene.clock.advance(INTERVAL);
    let sweep = scene.run(Errand::Sweep).await;
    let missed = ["Portal_Contract__c", "Portal_Expense__c"].map(|object| sweep.counts[object].missed);
    assert_eq!((sweep.state, missed), (RunState::Done, [1, 2]), "{sweep:?}");
    let tenant = scene.world.tenant();
    let contracts = scene.world.store.contracts(&tenant).await.unwrap();
    let [contract] = contracts.as_slice() else { panic!("one contract: {contracts:?}") };
    let amended = &contract.amendments[0];
    assert_eq!((amended.rates.len(), amended.provisions.discounts.len(), contract.blocks.len()), (1, 1, 1));
    assert_eq!(scene.drift().await, 0);

    // Nobody told of any of these, and no sweep came by.
    scene.act("touch", amendment).await;
    scene.update("Portal_Expense__c", expenses[0], json!({ "Cost__c": 50 })).await;
    scene.act("delete", expenses[1]).await;
    scene.act("purge", expenses[1]).await;
    let missing = scene.create(&[expense(51)]).await[0];
    scene.clock.advance(SignedDuration::from_mins(20));
    let compare = scene.run(Errand::Compare).await;
    let found: BTreeSet<(SalesforceId, Difference)> =
        compare.samples.iter().map(|sample| (sample.id, sample.difference)).collect();
    let expected = BTreeSet::from([
        (amendment, Difference::Stale),
        (expenses[0], Difference::Stale),
        (expenses[1], Difference::Gone),
        (missing, Difference::Missing),
    ]);
    assert_eq!(found, expected, "{compare:?}");
    let outlays = scene.world.store.all_expenses(&tenant).await.unwrap();
    let billed: BTreeSet<i64> =
        outlays.iter().filter(|outlay| !outlay.deleted).map(|outlay| outlay.paid.cost.minor()).collect();
    assert_eq!(billed, BTreeSet::from([5_000, 5_100]));
    assert_eq!(scene.drift().await, 0);

    // Purged, it is on no list of what is there.
    scene.act("delete", amendment).await;
    scene.act("purge", amendment).await;
    scene.clock.advance(SignedDuration::from_mins(20));
    let compare = scene.run(Errand::Compare).await;
    assert_eq!(compare.samples[0].difference, Difference::Gone, "{compare:?}");
    assert_eq!(scene.world.store.contracts(&tenant).await.unwrap()[0].amendments, []);
}

#[tokio::test]
async fn only_one_sweep_is_at_work() {
    let scene = Scene::in_step().await;
    // One that began and fell silent.
    let silent = Run::begin(RunId::new(scene.now(), &scene.world.stack.random), Errand::Sweep, scene.now());
    scene.world.store.begin_run(&silent).await.unwrap();
    let Claim::Granted(_) = scene.world.store.claim(&silent, scene.now()).await.unwrap() else {
        panic!("nobody else is at it")
    };
    let second = scene.ask(Errand::Sweep).await;
    scene.deliver_all().await;
    let run = scene.world.store.run(second).await.unwrap().unwrap();
    assert_eq!(run.state, RunState::Done);
    assert_eq!(run.note, Some(format!("{} is at it already", silent.id)));
    assert_eq!(run.counts.len(), 0, "it did nothing");

    scene.clock.advance(LEASE_LIFE);
    let third = scene.ask(Errand::Sweep).await;
    scene.deliver_all().await;
    let run = scene.world.store.run(third).await.unwrap().unwrap();
    assert_eq!((run.state, run.note), (RunState::Done, None));

    // The same message twice at the same moment: one of them does the work, or they take turns.
    let run = RunId::new(scene.now(), &scene.world.stack.random);
    let body = serde_json::to_string(&RunRequest { run: Some(run), errand: Errand::Sweep }).unwrap();
    let event = json!({ "Records": [{ "messageId": "m", "body": body }] }).to_string();
    let (one, two) =
        (scene.world.boot("salesforce-reconcile").await, scene.world.boot("salesforce-reconcile").await);
    let (first, second) =
        tokio::join!(one.function.invoke(lambda_event(&event)), two.function.invoke(lambda_event(&event)));
    let failed = [first, second].map(|answer| answer.unwrap().get().contains("itemIdentifier"));
    assert_ne!(failed, [true, true], "one of them gets on");
    assert_eq!(scene.world.store.run(run).await.unwrap().unwrap().state, RunState::Done);
}

#[tokio::test]
async fn a_run_that_fails_again_and_again_says_why_and_makes_room() {
    let scene = Scene::in_step().await;
    scene.clock.advance(INTERVAL);
    scene.world.org.add_faults(vec![Rule::always(Effect::HtmlUnavailable)]).unwrap();
    let down = scene.ask(Errand::Sweep).await;
    for attempt in 1..=3 {
        let failures = scene.deliver(None).await.unwrap();
        assert_eq!(failures.as_array().unwrap().len(), 1, "attempt {attempt}");
        scene.clock.advance(PAST_VISIBILITY);
    }
    assert_eq!(scene.deliver(None).await, Some(json!([])));
    let run = scene.world.store.run(down).await.unwrap().unwrap();
    assert_eq!(run.state, RunState::Failed);
    assert!(run.note.unwrap().starts_with("Salesforce is not available"));
    scene.world.org.clear_faults();
    let next = scene.ask(Errand::Sweep).await;
    scene.deliver_all().await;
    assert_eq!(scene.world.store.run(next).await.unwrap().unwrap().state, RunState::Done);
}

/// After more than 15 days nobody can be asked any more what was deleted: everything is held against everything.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_w14_after_more_than_fifteen_days_a_compare_follows() {
    let mut scene = Scene::in_step().await;
    let case = id(BRIGHTWATER.case_ids[2]);
    let doomed = scene.create(&[hours_on(case, 25)]).await[0];
    scene.clock.advance(INTERVAL);
    scene.run(Errand::Sweep).await;
    scene.act("delete", doomed).await;
    scene.act("purge", doomed).await;
    scene.clock.advance(SignedDuration::from_hours(16 * 24));
    scene.update("Case", case, json!({ "Subject": "after sixteen days" })).await;
    scene.clock.advance(SignedDuration::from_mins(20));
    let sweep = scene.ask(Errand::Sweep).await;
    scene.deliver_all().await;
    let runs = scene.world.store.latest_runs().await.unwrap();
    let compare: Vec<&Run> = runs.iter().filter(|run| run.errand == Errand::Compare).collect();
    assert!(compare.iter().all(|run| run.state == RunState::Done), "{compare:?}");
    let gone = compare
        .iter()
        .flat_map(|run| &run.samples)
        .any(|found| found.id == doomed && found.difference == Difference::Gone);
    assert!(gone, "{compare:?}");
    assert!(scene.named().await.contains(&doomed));
    let sweep = scene.world.store.run(sweep).await.unwrap().unwrap();
    assert_eq!(sweep.state, RunState::Done);
    // A case that was read before is not proven by sweeps any more.
    assert_eq!(scene.world.store.watermark().await.unwrap().unwrap().since, sweep.started_at);
}

/// What a client is told of how fresh a case is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_case_is_as_fresh_as_the_sweeps_prove() {
    let mut scene = Scene::in_step().await;
    let listed = async |scene: &Scene| {
        let listing = scene.world.boot("case-listing").await;
        let request = Request::sample("case-listing-page").with_query("limit", "100").by(MANAGER);
        let answer = request.send_to(&listing.function).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let cases = answer.body["items"].as_array().unwrap().clone();
        let fresh = |case: &Value| {
            let at = case["confirmed_at"].as_str().map(|at| at.parse::<Timestamp>().unwrap());
            (case["number"].as_str().map(str::to_owned), at)
        };
        cases.iter().map(fresh).collect::<Vec<_>>()
    };
    scene.clock.advance(INTERVAL);
    let sweep = scene.run(Errand::Sweep).await;
    let before = listed(&scene).await;
    assert!(before.len() >= 4, "{before:?}");
    // Last read six days ago; the sweeps began yesterday, and what was in between nobody has looked at.
    let old = Some("00000903".to_owned());
    let long_ago: Timestamp = "2026-11-16T08:00:00Z".parse().unwrap();
    for (number, confirmed) in &before {
        let expected = if *number == old { long_ago } else { sweep.started_at };
        // One that Salesforce does not have yet is not confirmed by anything.
        assert_eq!(*confirmed, number.as_ref().map(|_| expected), "{before:?}");
    }
    // A compare that finds nothing has looked.
    assert_eq!(scene.drift().await, 0);
    let sweep = scene.run(Errand::Sweep).await;
    for (number, confirmed) in listed(&scene).await {
        assert_eq!(confirmed, number.map(|_| sweep.started_at));
    }

    // Something changes and nobody tells. The sweep finds it and says so, and the sync has not got to it.
    let case = id(NORDHAVEN.case_ids[1]);
    scene.clock.advance(SignedDuration::from_mins(5));
    scene.update("Case", case, json!({ "Subject": "behind" })).await;
    let changed_at = scene.now();
    scene.clock.advance(SignedDuration::from_mins(10));
    scene.ask(Errand::Sweep).await;
    scene.deliver_all().await;
    for (number, confirmed) in listed(&scene).await.iter().filter(|(number, _)| number.is_some()) {
        assert!(
            confirmed.unwrap() < changed_at,
            "{number:?}: {confirmed:?}, and a change of {changed_at} is not here"
        );
    }

    // The sync takes it over; what was read then is as fresh as its reading, and the next sweep covers all again.
    scene.settle().await;
    let kept = scene.world.store.case_of(case).await.unwrap().unwrap();
    assert_eq!(kept.subject, "behind");
    scene.clock.advance(INTERVAL);
    let sweep = scene.run(Errand::Sweep).await;
    for (number, confirmed) in listed(&scene).await.iter().filter(|(number, _)| number.is_some()) {
        assert_eq!(*confirmed, Some(sweep.started_at), "{number:?}");
    }
}
