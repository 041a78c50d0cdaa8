//! Whatever changes in the org, in whatever order the news of it arrives, however often, and wherever the sync dies on
//! the way: in the end the portal says what the org says.
//!
//! Steps are drawn from a seed. `CONVERGENCE_SEED` draws others, `CONVERGENCE_RUNS` more of them; what fails is
//! shrunk and printed as steps.

use fake_salesforce::demo::{BRIGHTWATER, NORDHAVEN};
use jiff::SignedDuration;
use portico_domain::SalesforceId;
use portico_salesforce::records::Object;
use proptest::{
    prelude::*,
    sample::Index,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use serde_json::{Value, json};

use crate::{
    agent::Agent,
    mirror,
    stack::MovableClock,
    steps::{Blow, Fault, Side},
    sync::message,
    world::{Guarded, World, lambda_event},
};

/// Cases that a run plays with.
const CASES: usize = 3;
/// Runs without `CONVERGENCE_RUNS`.
const RUNS: u32 = 40;
/// Most requests that the sync sends for one message here.
const REQUESTS_MAX: usize = 40;
const STATUSES: [&str; 4] = ["Working", "Waiting on Customer", "Resolved", "Closed"];

/// What happens next.
#[derive(Debug, Clone)]
enum Step {
    /// Somebody works in Salesforce. Several changes often share a second.
    Change(Change),
    /// A second passes.
    Tick,
    /// One of the pending messages arrives; it may come again.
    Deliver { which: Index, again: bool },
    /// As [`Step::Deliver`], but the sync dies on the way; the message comes again.
    Die { which: Index, at: usize, side: bool },
    /// The sweep reports what no message tells of: what was deleted and what came back.
    Sweep,
}

#[derive(Debug, Clone)]
enum Change {
    Status { case: usize, status: usize },
    Subject { case: usize, word: u8 },
    Move { case: usize, to: usize },
    DeleteCase { case: usize },
    UndeleteCase { case: usize },
    Comment { case: usize, word: u8, public: bool },
    EditComment { which: Index, word: u8 },
    Publish { which: Index, public: bool },
    DeleteComment { which: Index },
    Hours { case: usize, minutes: u8 },
    EditHours { which: Index, minutes: u8 },
    MoveHours { which: Index, case: usize },
    DeleteHours { which: Index },
}

fn change() -> impl Strategy<Value = Change> {
    let case = 0..CASES;
    let which = any::<Index>;
    prop_oneof![
        3 => (case.clone(), 0..STATUSES.len()).prop_map(|(case, status)| Change::Status { case, status }),
        2 => (case.clone(), any::<u8>()).prop_map(|(case, word)| Change::Subject { case, word }),
        2 => (case.clone(), 0..3_usize).prop_map(|(case, to)| Change::Move { case, to }),
        1 => case.clone().prop_map(|case| Change::DeleteCase { case }),
        2 => case.clone().prop_map(|case| Change::UndeleteCase { case }),
        4 => (case.clone(), any::<u8>(), any::<bool>())
            .prop_map(|(case, word, public)| Change::Comment { case, word, public }),
        2 => (which(), any::<u8>()).prop_map(|(which, word)| Change::EditComment { which, word }),
        2 => (which(), any::<bool>()).prop_map(|(which, public)| Change::Publish { which, public }),
        1 => which().prop_map(|which| Change::DeleteComment { which }),
        3 => (case.clone(), 1..240_u8).prop_map(|(case, minutes)| Change::Hours { case, minutes }),
        2 => (which(), 1..240_u8).prop_map(|(which, minutes)| Change::EditHours { which, minutes }),
        2 => (which(), case).prop_map(|(which, case)| Change::MoveHours { which, case }),
        1 => which().prop_map(|which| Change::DeleteHours { which }),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => change().prop_map(Step::Change),
        2 => Just(Step::Tick),
        6 => (any::<Index>(), prop::bool::weighted(0.3))
            .prop_map(|(which, again)| Step::Deliver { which, again }),
        3 => (any::<Index>(), 0..REQUESTS_MAX, any::<bool>())
            .prop_map(|(which, at, side)| Step::Die { which, at, side }),
        1 => Just(Step::Sweep),
    ]
}

struct Scene {
    world: World,
    clock: MovableClock,
    agent: Agent,
}

/// The records of one run, and what is still to be told of them.
struct Run<'a> {
    scene: &'a Scene,
    sync: Guarded,
    cases: Vec<SalesforceId>,
    comments: Vec<SalesforceId>,
    hours: Vec<SalesforceId>,
    pending: Vec<Vec<(Object, SalesforceId)>>,
    unswept: Vec<(Object, SalesforceId)>,
}

impl<'a> Run<'a> {
    async fn start(scene: &'a Scene) -> Self {
        let mut cases = Vec::new();
        for number in 0..CASES {
            let fields = json!({ "Subject": format!("Case {number}"), "AccountId": NORDHAVEN.id });
            cases.push(scene.agent.create("Case", fields).await);
        }
        let pending = cases.iter().map(|case| vec![(Object::Case, *case)]).collect();
        let sync = scene.world.boot("salesforce-sync").await;
        let (comments, hours, unswept) = Default::default();
        Self { scene, sync, cases, comments, hours, pending, unswept }
    }

    async fn take(&mut self, step: &Step) {
        match step {
            Step::Change(change) => self.change(change).await,
            Step::Tick => self.scene.clock.advance(SignedDuration::from_secs(1)),
            Step::Deliver { which, again } => {
                if let Some(message) = self.pick(which) {
                    self.deliver(&message).await;
                    if *again {
                        self.pending.push(message);
                    }
                }
            }
            Step::Die { which, at, side } => {
                if let Some(message) = self.pick(which) {
                    let side = if *side { Side::After } else { Side::Before };
                    let fault = Fault { at: *at, side, blow: Blow::Death };
                    let process = invoke(&self.sync, &message);
                    if self.scene.world.steps.live(Some(fault), process).await.is_none() {
                        let boot = self.scene.world.boot("salesforce-sync");
                        self.sync = self.scene.world.steps.live(None, boot).await.unwrap();
                    }
                    self.pending.push(message);
                }
            }
            Step::Sweep => {
                let found = std::mem::take(&mut self.unswept);
                self.pending.extend(found.chunks(5).map(<[_]>::to_vec));
            }
        }
    }

    fn pick(&mut self, which: &Index) -> Option<Vec<(Object, SalesforceId)>> {
        (!self.pending.is_empty()).then(|| {
            let place = which.index(self.pending.len());
            self.pending.swap_remove(place)
        })
    }

    async fn deliver(&self, message: &[(Object, SalesforceId)]) {
        let answer = self.scene.world.steps.live(None, invoke(&self.sync, message)).await.unwrap();
        assert_eq!(answer, json!({ "batchItemFailures": [] }));
        assert_eq!(self.sync.guard.denied(), []);
    }

    /// What the org refuses, such as a comment on a case that is deleted, has not happened.
    async fn change(&mut self, change: &Change) {
        let agent = &self.scene.agent;
        let picked = |records: &[SalesforceId], which: &Index| {
            (!records.is_empty()).then(|| records[which.index(records.len())])
        };
        let update = async |object: Object, id: Option<SalesforceId>, fields: Value| {
            let id = id?;
            agent.try_update(object.name(), id, fields).await.then_some((object, id))
        };
        let (case, comment, hours) = (Object::Case, Object::CaseComment, Object::TimeEntry);
        let told = match change {
            Change::Status { case: at, status } => {
                update(case, Some(self.cases[*at]), json!({ "Status": STATUSES[*status] })).await
            }
            Change::Subject { case: at, word } => {
                update(case, Some(self.cases[*at]), json!({ "Subject": format!("Subject {word}") })).await
            }
            Change::Move { case: at, to } => {
                // The third is no client.
                let account = [Some(NORDHAVEN.id), Some(BRIGHTWATER.id), None][*to];
                update(case, Some(self.cases[*at]), json!({ "AccountId": account })).await
            }
            Change::Comment { case: at, word, public } => {
                let body = format!("Comment {} {word}", self.comments.len());
                let fields =
                    json!({ "ParentId": self.cases[*at], "CommentBody": body, "IsPublished": public });
                let made = agent.try_create("CaseComment", fields).await;
                self.comments.extend(made);
                made.map(|id| (comment, id))
            }
            Change::EditComment { which, word } => {
                let picked = picked(&self.comments, which);
                let body = format!("Comment {picked:?} {word} edited");
                update(comment, picked, json!({ "CommentBody": body })).await
            }
            Change::Publish { which, public } => {
                update(comment, picked(&self.comments, which), json!({ "IsPublished": public })).await
            }
            Change::Hours { case: at, minutes } => {
                let case = self.cases[*at];
                let fields = json!({ "Case__c": case, "Work_Date__c": "2026-11-20", "Minutes__c": minutes });
                let made = agent.try_create("Time_Entry__c", fields).await;
                self.hours.extend(made);
                made.map(|id| (hours, id))
            }
            Change::EditHours { which, minutes } => {
                update(hours, picked(&self.hours, which), json!({ "Minutes__c": minutes })).await
            }
            Change::MoveHours { which, case: at } => {
                update(hours, picked(&self.hours, which), json!({ "Case__c": self.cases[*at] })).await
            }
            // No message tells of these; the sweep does.
            Change::DeleteComment { which } => {
                self.delete(comment, picked(&self.comments, which)).await;
                None
            }
            Change::DeleteHours { which } => {
                self.delete(hours, picked(&self.hours, which)).await;
                None
            }
            Change::DeleteCase { case: at } => {
                self.delete(case, Some(self.cases[*at])).await;
                None
            }
            Change::UndeleteCase { case: at } => {
                if agent.try_undelete(self.cases[*at]).await {
                    self.everything_may_have_changed();
                }
                None
            }
        };
        self.pending.extend(told.map(|record| vec![record]));
    }

    /// How often each case was written.
    async fn versions(&self) -> Vec<Option<u64>> {
        let mut versions = Vec::new();
        for case in &self.cases {
            let case = self.scene.world.store.case_of(*case).await.unwrap();
            versions.push(case.map(|case| case.version));
        }
        versions
    }

    async fn delete(&mut self, object: Object, id: Option<SalesforceId>) {
        if let Some(id) = id
            && self.scene.agent.try_delete(object.name(), id).await
        {
            self.everything_may_have_changed();
        }
    }

    /// A case is deleted, and comes back, with all that hangs on it.
    fn everything_may_have_changed(&mut self) {
        let all = |object, ids: &[SalesforceId]| ids.iter().map(move |id| (object, *id)).collect::<Vec<_>>();
        self.unswept = [
            all(Object::TimeEntry, &self.hours),
            all(Object::CaseComment, &self.comments),
            all(Object::Case, &self.cases),
        ]
        .concat();
    }
}

async fn invoke(sync: &Guarded, records: &[(Object, SalesforceId)]) -> Value {
    let event = json!({ "Records": [message(records)] });
    let answer = sync.function.invoke(lambda_event(&event.to_string())).await.unwrap();
    serde_json::from_str(answer.get()).unwrap()
}

async fn converges(scene: &Scene, steps: &[Step]) {
    let mut run = scene.world.steps.live(None, Run::start(scene)).await.unwrap();
    for step in steps {
        run.take(step).await;
    }
    // What is on its way arrives, the latest first.
    run.take(&Step::Sweep).await;
    while let Some(message) = run.pending.pop() {
        run.deliver(&message).await;
    }
    let expected = mirror::expected(&scene.agent, &run.cases).await;
    let shown = mirror::shown(&scene.world.store, &run.cases).await;
    assert_eq!(shown, expected, "left: the portal; right: the org");
    // And from here on nothing changes any more.
    let before = run.versions().await;
    run.everything_may_have_changed();
    run.deliver(&run.unswept).await;
    assert_eq!(run.versions().await, before);
}

#[expect(clippy::disallowed_methods, reason = "a test is told on the command line what to draw")]
pub fn told(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap())
}

#[test]
fn case_w10_w14_the_view_converges_to_the_org() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let scene = runtime.block_on(async {
        let clock = MovableClock::new();
        let world = World::start_watched(clock.clock()).await;
        let agent = Agent::sign_in(&world).await;
        Scene { world, clock, agent }
    });
    let runs = told("CONVERGENCE_RUNS").map_or(RUNS, |runs| runs.try_into().unwrap());
    let seed = told("CONVERGENCE_SEED").unwrap_or(20_261_122);
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config =
        Config { cases: runs, max_shrink_iters: 200, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let drawn = prop::collection::vec(step(), 10..60);
    let outcome = runner.run(&drawn, |steps| {
        let run = std::panic::AssertUnwindSafe(|| runtime.block_on(converges(&scene, &steps)));
        std::panic::catch_unwind(run).map_err(|panic| {
            let text = panic.downcast_ref::<String>().cloned().unwrap_or_default();
            TestCaseError::fail(text)
        })
    });
    if let Err(error) = outcome {
        panic!("seed {seed}: {error}");
    }
    println!("{runs} runs from seed {seed}: the portal said what the org said at the end of each");
}
