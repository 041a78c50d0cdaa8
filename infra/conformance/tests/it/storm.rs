//! Many changes at once: delivered in any order, some of them twice, to functions that die on the way.
//!
//! `make storm` makes ten thousand changes of five hundred cases; the usual run has a fifth of that.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use fake_salesforce::demo::{BRIGHTWATER, NORDHAVEN};
use futures::{StreamExt, stream};
use portico_domain::SalesforceId;
use portico_salesforce::records::{MayHaveChanged, Object};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::{
    agent::Agent,
    convergence::told,
    mirror,
    stack::{REGION, Stack},
    world::{Guarded, PATH_SECRET, World, lambda_event, org_config},
};

/// Changes without `STORM_CHANGES`.
const CHANGES: usize = 2_000;
/// So many changes there are for each case.
const CHANGES_PER_CASE: usize = 20;
/// So many changes are made before their notifications are shuffled: what is late is late by up to this many.
const WINDOW: usize = 1_000;
/// Of a hundred messages, those that come again, whether or not they were acknowledged.
const AGAIN_PERCENT: u64 = 30;
/// Of a hundred invocations, those that die on the way.
const DEATHS_PERCENT: u64 = 4;
/// Messages that are delivered at the same time.
const AT_ONCE: usize = 64;
/// Syncs that run at the same time.
const SYNCS: usize = 6;
/// Changes that are made at the same time.
const AGENTS: usize = 12;
/// How long a message stays hidden whose function died. On AWS it is minutes; nothing but patience depends on it.
const HIDDEN: Duration = Duration::from_secs(3);
/// Longer than everything takes.
const PATIENCE: Duration = Duration::from_secs(400);

/// Numbers from a seed.
pub struct Dice(AtomicU64);

impl Dice {
    pub fn of(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    pub fn roll(&self, sides: u64) -> u64 {
        // SplitMix64.
        let mut z = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }

    fn pick<T: Copy>(&self, of: &[T]) -> T {
        of[usize::try_from(self.roll(of.len() as u64)).unwrap()]
    }

    pub fn percent(&self, percent: u64) -> bool {
        self.roll(100) < percent
    }

    pub fn shuffle<T>(&self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, usize::try_from(self.roll(last as u64 + 1)).unwrap());
        }
    }
}

struct Storm {
    world: World,
    agent: Agent,
    dice: Dice,
    cases: Vec<SalesforceId>,
    comments: Mutex<Vec<SalesforceId>>,
    hours: Mutex<Vec<SalesforceId>>,
    /// By record, when the notifications arrived that no sync has seen to yet.
    arrived: Mutex<BTreeMap<SalesforceId, Vec<Instant>>>,
    took: Mutex<Vec<Duration>>,
    deaths: AtomicUsize,
    delivered: AtomicUsize,
    over: AtomicBool,
}

impl Storm {
    async fn gather(cases: usize) -> Self {
        let world = World::around_stack(Stack::start_at(portico_aws::system_clock()).await).await;
        let agent = Agent::sign_in(&world).await;
        let account = |number: usize| if number.is_multiple_of(2) { NORDHAVEN.id } else { BRIGHTWATER.id };
        let cases = stream::iter(0..cases)
            .map(|number| {
                let fields = json!({ "Subject": format!("Case {number}"), "AccountId": account(number) });
                agent.create("Case", fields)
            })
            .buffer_unordered(AGENTS)
            .collect()
            .await;
        Self {
            world,
            agent,
            dice: Dice::of(20_261_122),
            cases,
            comments: Mutex::default(),
            hours: Mutex::default(),
            arrived: Mutex::default(),
            took: Mutex::default(),
            deaths: AtomicUsize::new(0),
            delivered: AtomicUsize::new(0),
            over: AtomicBool::new(false),
        }
    }

    /// Somebody changes something. Returns what may have changed.
    async fn change(&self, number: usize) -> (Object, SalesforceId) {
        let case = self.dice.pick(&self.cases);
        let text = format!("Change {number}");
        let known = |records: &Mutex<Vec<SalesforceId>>| {
            let records = records.lock().unwrap();
            (!records.is_empty()).then(|| self.dice.pick(&records))
        };
        match self.dice.roll(10) {
            0..=2 => {
                let status = self.dice.pick(&[
                    "New",
                    "Working",
                    "Waiting on Customer",
                    "Escalated",
                    "Resolved",
                    "Closed",
                ]);
                self.agent.update("Case", case, json!({ "Status": status })).await;
                (Object::Case, case)
            }
            3 | 4 => {
                self.agent.update("Case", case, json!({ "Subject": text })).await;
                (Object::Case, case)
            }
            5 | 6 => {
                let public = self.dice.percent(80);
                let fields = json!({ "ParentId": case, "CommentBody": text, "IsPublished": public });
                let comment = self.agent.create("CaseComment", fields).await;
                self.comments.lock().unwrap().push(comment);
                (Object::CaseComment, comment)
            }
            7 => match known(&self.comments) {
                Some(comment) => {
                    let public = self.dice.percent(80);
                    let fields = json!({ "CommentBody": text, "IsPublished": public });
                    self.agent.update("CaseComment", comment, fields).await;
                    (Object::CaseComment, comment)
                }
                None => (Object::Case, case),
            },
            8 => {
                let minutes = self.dice.roll(480) + 1;
                let fields = json!({ "Case__c": case, "Work_Date__c": "2026-11-20", "Minutes__c": minutes });
                let entry = self.agent.create("Time_Entry__c", fields).await;
                self.hours.lock().unwrap().push(entry);
                (Object::TimeEntry, entry)
            }
            _ => match known(&self.hours) {
                Some(entry) => {
                    let fields = json!({ "Minutes__c": self.dice.roll(480) + 1, "Case__c": case });
                    self.agent.update("Time_Entry__c", entry, fields).await;
                    (Object::TimeEntry, entry)
                }
                None => (Object::Case, case),
            },
        }
    }

    /// Outbound messages about these records: one object each, one to ten notifications.
    fn messages(&self, changed: &[(Object, SalesforceId)]) -> Vec<(String, Vec<SalesforceId>)> {
        let actions: BTreeMap<&str, &str> = fake_salesforce::actions().collect();
        let organization = org_config(&self.world.stack.clock).organization_id;
        let mut by_object: BTreeMap<Object, Vec<SalesforceId>> = BTreeMap::new();
        for (object, id) in changed {
            by_object.entry(*object).or_default().push(*id);
        }
        let mut messages = Vec::new();
        for (object, mut ids) in by_object {
            self.dice.shuffle(&mut ids);
            let mut rest = ids.as_slice();
            while !rest.is_empty() {
                let size = usize::try_from(self.dice.roll(10) + 1).unwrap().min(rest.len());
                let (some, left) = rest.split_at(size);
                rest = left;
                let name = object.name();
                let notifications: String = some
                    .iter()
                    .map(|id| {
                        let notification = format!("04l{:012}AAA", self.dice.roll(1_000_000_000_000));
                        format!("<Notification><Id>{notification}</Id><sObject xsi:type=\"sf:{name}\" xmlns:sf=\"urn:sobject.enterprise.soap.sforce.com\"><sf:Id>{id}</sf:Id></sObject></Notification>")
                    })
                    .collect();
                let action = actions[name];
                let body = format!(
                    "<soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"><soapenv:Body><notifications xmlns=\"http://soap.sforce.com/2005/09/outbound\"><OrganizationId>{organization}</OrganizationId><ActionId>{action}</ActionId><SessionId/><EnterpriseUrl>https://a.example</EnterpriseUrl><PartnerUrl>https://b.example</PartnerUrl>{notifications}</notifications></soapenv:Body></soapenv:Envelope>"
                );
                messages.push((body, some.to_vec()));
            }
        }
        messages
    }

    /// Runs an invocation, which may die on the way.
    async fn may_die<T>(&self, within_ms: u64, work: impl Future<Output = T>) -> Option<T> {
        if !self.dice.percent(DEATHS_PERCENT) {
            return Some(work.await);
        }
        let outcome = timeout(Duration::from_millis(self.dice.roll(within_ms)), work).await.ok();
        self.deaths.fetch_add(usize::from(outcome.is_none()), Ordering::Relaxed);
        outcome
    }

    /// Salesforce delivers a message until it is acknowledged, and sometimes once more.
    async fn deliver(&self, receiver: &Guarded, body: &str, records: &[SalesforceId]) {
        let event = function_url_event(body);
        let mut again = self.dice.percent(AGAIN_PERCENT);
        let started = Instant::now();
        loop {
            self.delivered.fetch_add(1, Ordering::Relaxed);
            let answer = self.may_die(15, receiver.function.invoke(lambda_event(&event))).await;
            let acknowledged = answer.is_some_and(|answer| answer.unwrap().get().contains("<Ack>true</Ack>"));
            if acknowledged {
                let mut arrived = self.arrived.lock().unwrap();
                for record in records {
                    arrived.entry(*record).or_default().push(started);
                }
            }
            if acknowledged && !std::mem::take(&mut again) {
                return;
            }
        }
    }

    /// Works on the queue, a batch at a time, in processes that may die.
    async fn sync(&self) {
        let queues = self.world.stack.emulators.queues();
        let arn = self.world.stack.names.get("SyncQueue.Arn");
        let mut sync = self.world.boot("salesforce-sync").await;
        loop {
            let taken = Instant::now();
            let messages = queues
                .receive_hidden_for("SyncQueue", 10, Duration::from_millis(100), Some(HIDDEN))
                .await
                .unwrap();
            if messages.is_empty() {
                if self.over.load(Ordering::SeqCst) && self.is_drained().await {
                    return;
                }
                continue;
            }
            let records: Vec<Value> =
                messages.iter().map(|message| message.event_record(arn, REGION)).collect();
            let event = json!({ "Records": records }).to_string();
            let Some(answer) = self.may_die(200, sync.function.invoke(lambda_event(&event))).await else {
                sync = self.world.boot("salesforce-sync").await;
                continue;
            };
            let failed = answer.unwrap().get().to_owned();
            for message in messages {
                if failed.contains(&message.id) {
                    continue;
                }
                queues.delete("SyncQueue", &message.receipt).await.unwrap();
                let changed: MayHaveChanged = serde_json::from_str(&message.body).unwrap();
                let (mut arrived, mut took) = (self.arrived.lock().unwrap(), self.took.lock().unwrap());
                for record in changed.records {
                    // What arrived before this batch was taken is seen to; what came later has a message of its own.
                    let waiting = arrived.entry(record.id).or_default();
                    took.extend(waiting.extract_if(.., |at| *at < taken).map(|at| at.elapsed()));
                }
            }
        }
    }

    async fn is_drained(&self) -> bool {
        let depth = self.world.stack.emulators.queues().depth("SyncQueue").await.unwrap();
        depth.visible + depth.in_flight + depth.delayed == 0
    }
}

fn function_url_event(body: &str) -> String {
    let sample = crate::samples::text("webhook-receiver-cases-changed");
    let mut event: Value = serde_json::from_str(&sample).unwrap();
    assert!(event["rawPath"].as_str().unwrap().contains(PATH_SECRET));
    event["body"] = json!(body);
    event["isBase64Encoded"] = json!(false);
    event.to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn case_w04_after_a_storm_the_portal_says_what_the_org_says() {
    let changes = told("STORM_CHANGES").map_or(CHANGES, |changes| changes.try_into().unwrap());
    let storm = Arc::new(Storm::gather(changes / CHANGES_PER_CASE).await);
    let syncs: Vec<_> = (0..SYNCS)
        .map(|_| {
            let storm = Arc::clone(&storm);
            tokio::spawn(async move { storm.sync().await })
        })
        .collect();
    let receiver = Arc::new(storm.world.boot("webhook-receiver").await);
    let mut told = 0;
    let begun = Instant::now();
    // The cases themselves are news, too.
    let mut changed: Vec<(Object, SalesforceId)> =
        storm.cases.iter().map(|case| (Object::Case, *case)).collect();
    let mut made = 0;
    while made < changes || !changed.is_empty() {
        let mut messages = storm.messages(&changed);
        storm.dice.shuffle(&mut messages);
        told += messages.len();
        let deliveries = stream::iter(messages).for_each_concurrent(AT_ONCE, |(body, records)| {
            let (storm, receiver) = (&storm, &receiver);
            async move { storm.deliver(receiver, &body, &records).await }
        });
        // While these arrive, the next are made.
        let some = WINDOW.min(changes - made);
        let next = stream::iter(made..made + some).map(|number| storm.change(number));
        let next = next.buffer_unordered(AGENTS).collect::<Vec<_>>();
        changed = futures::join!(next, deliveries).0;
        made += some;
        let seen = storm.took.lock().unwrap().len();
        println!(
            "{:5.1?}: {made} changes made, {told} messages told, {seen} notifications seen to",
            begun.elapsed()
        );
    }
    storm.over.store(true, Ordering::SeqCst);
    for sync in syncs {
        timeout(PATIENCE, sync).await.expect("the queue never drains").unwrap();
    }
    let lasted = begun.elapsed();
    assert_eq!(receiver.guard.denied(), []);

    let store = &storm.world.store;
    let expected = mirror::expected(&storm.agent, &storm.cases).await;
    let shown = mirror::shown(store, &storm.cases).await;
    assert_eq!(expected.len(), storm.cases.len());
    for (case, view) in &expected {
        assert_eq!(shown.get(case), Some(view), "{case}: left: the portal; right: the org");
        mirror::assert_told_once(store, &store.case_of(*case).await.unwrap().unwrap()).await;
    }
    let mut took = std::mem::take(&mut *storm.took.lock().unwrap());
    took.sort_unstable();
    let percentile = |percent: usize| took[(took.len() - 1) * percent / 100];
    let deaths = storm.deaths.load(Ordering::Relaxed);
    println!(
        "{changes} changes of {} cases in {told} messages, {} deliveries, {deaths} deaths: 0 lost, 0 twice; {} changes/s; delivered to visible p50 {:?} p99 {:?}",
        storm.cases.len(),
        storm.delivered.load(Ordering::Relaxed),
        changes * 1_000 / usize::try_from(lasted.as_millis()).unwrap(),
        percentile(50),
        percentile(99),
    );
    assert!(deaths > 5, "nobody died: this was no storm");
}
