//! A command's process dies before and after every request that it sends, and the client tries again: whatever the
//! moment, the command has one effect and one answer.
//!
//! "Dies" means that nothing of the invocation runs on: see [`crate::steps`]. A retry meets a fresh process, as on
//! Lambda. The snapshots list the moments that were visited and what the client saw.

use std::fmt::Write as _;

use futures::future::join_all;
use jiff::SignedDuration;

use crate::{
    commands::{Answer, COMMANDS, Command, Request},
    consumers::Consumers,
    stack::MovableClock,
    steps::{Blow, Fault, Side},
    world::World,
};

/// Fewer requests than this are sent by no command: it has to read who is calling, and to write.
const STEPS_MIN: usize = 3;

/// Longer than a message stays hidden after its function died.
const PAST_VISIBILITY: SignedDuration = SignedDuration::from_secs(961);

/// Who comes first after a crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    /// The client at once, again when the portal tells it to, and then the outbox.
    ClientFirst,
    /// The outbox, and then the client.
    OutboxFirst,
}

struct Scene {
    world: World,
    clock: MovableClock,
    consumers: Consumers,
    /// Longer than a command can be in flight.
    past_the_window: SignedDuration,
}

impl Scene {
    async fn start() -> Self {
        let clock = MovableClock::new();
        let world = World::start_watched(clock.clock()).await;
        let timeout = world.stack.template.globals()["Timeout"].as_i64().unwrap();
        let mut consumers = Consumers::start(&world).await;
        // What furnished the world is not what is looked at.
        consumers.run(&world).await;
        consumers.take_facts();
        Self { world, clock, consumers, past_the_window: SignedDuration::from_secs(timeout + 2) }
    }

    /// One request to a fresh process, which may die on the way; then the client sees no answer.
    async fn attempt(&self, command: &Command, request: &Request, fault: Option<Fault>) -> Option<Answer> {
        let process = async {
            let guarded = self.world.boot(command.function).await;
            let answer = request.send_to(&guarded.function).await;
            assert_eq!(guarded.guard.denied(), [], "the policy in template.yaml does not allow this");
            answer
        };
        self.world.steps.live(fault, process).await
    }

    /// The same, to the end.
    async fn answer(&self, command: &Command, request: &Request) -> Answer {
        self.attempt(command, request, None).await.unwrap()
    }

    async fn run_the_outbox(&mut self) {
        assert!(self.work_behind_the_outbox(None).await);
    }

    /// Relays what there is, and hands it to whoever acts on it. Whether they live to the end of it.
    async fn work_behind_the_outbox(&mut self, fault: Option<Fault>) -> bool {
        let work = async {
            self.consumers.run(&self.world).await;
            // Beyond the head start that the writer leaves to a submission.
            self.clock.advance(self.past_the_window);
            self.consumers.run(&self.world).await;
        };
        self.world.steps.live(fault, work).await.is_some()
    }

    /// The marked request was carried out once, and this was its answer.
    async fn assert_done_once(&mut self, command: &Command, marker: &str, answer: &Answer) {
        let look = (command.effects)(&self.world, marker, answer);
        let effects = self.world.steps.live(None, look).await.unwrap();
        assert_eq!(effects, command.expected, "{marker}");
        assert_eq!(self.consumers.take_facts(), command.events, "{marker}");
    }

    /// A request whose process dies right behind the commit.
    async fn commit_only(&self, command: &Command, marker: &str, commit: usize) {
        let request = (command.request)(&self.world, marker).await;
        let seen = self
            .attempt(command, &request, Some(Fault { at: commit, side: Side::After, blow: Blow::Death }))
            .await;
        assert_eq!(seen, None, "{marker}");
    }

    /// Everybody behind the outbox is done, and at last the client comes back.
    async fn finish(&mut self, command: &Command, marker: &str) {
        let request = (command.request)(&self.world, marker).await;
        let answer = self.answer(command, &request).await;
        assert_eq!(answer.status, command.status, "{marker}: {answer:?}");
        self.run_the_outbox().await;
        self.assert_done_once(command, marker, &answer).await;
    }

    /// Dies at one point and retries. Returns what the client saw.
    async fn crash(&mut self, command: &Command, order: Order, marker: &str, fault: Fault) -> String {
        let request = (command.request)(&self.world, marker).await;
        assert_eq!(self.attempt(command, &request, Some(fault)).await, None, "{marker}");
        let mut saw = "no answer".to_owned();
        let answer = match order {
            Order::ClientFirst => {
                let at_once = self.answer(command, &request).await;
                write!(saw, "; {at_once}").unwrap();
                if at_once.in_flight() {
                    self.clock.advance(self.past_the_window);
                    let later = self.answer(command, &request).await;
                    write!(saw, "; {later}").unwrap();
                    later
                } else {
                    at_once
                }
            }
            Order::OutboxFirst => {
                self.run_the_outbox().await;
                let later = self.answer(command, &request).await;
                write!(saw, "; {later}").unwrap();
                later
            }
        };
        assert_eq!(answer.status, command.status, "{marker}: {answer:?}");
        self.run_the_outbox().await;
        self.assert_done_once(command, marker, &answer).await;
        let again = self.answer(command, &request).await;
        write!(saw, "; {again}").unwrap();
        assert_eq!(again, Answer { replayed: true, ..answer.clone() }, "{marker}");
        self.run_the_outbox().await;
        assert_eq!(self.consumers.take_facts(), [""; 0], "{marker}: a replay tells nobody anything");
        saw
    }
}

async fn visit_every_point(order: Order) -> String {
    let mut visited = String::new();
    for command in COMMANDS {
        let mut scene = Scene::start().await;
        let request = (command.request)(&scene.world, "no crash").await;
        let answer = scene.answer(command, &request).await;
        let steps = scene.world.steps.names();
        assert_eq!(answer.status, command.status, "{}: {answer:?}", command.operation);
        assert!(steps.len() >= STEPS_MIN, "{}: {steps:?}", command.operation);
        scene.run_the_outbox().await;
        scene.assert_done_once(command, "no crash", &answer).await;
        writeln!(visited, "{}", command.operation).unwrap();
        for (place, step) in steps.iter().enumerate() {
            for side in [Side::Before, Side::After] {
                let marker = format!("{} {side:?} {order:?}", place + 1);
                let fault = Fault { at: place, side, blow: Blow::Death };
                let saw = scene.crash(command, order, &marker, fault).await;
                let side = format!("{side:?}").to_lowercase();
                writeln!(visited, "  {side:6} {}. {step}: {saw}", place + 1).unwrap();
            }
        }
    }
    visited
}

/// A command dies as soon as it is committed, and then whoever works on its facts dies as well, at every request
/// that they send. Streams and queues bring back what was not acknowledged.
async fn visit_every_point_behind_the_outbox() -> String {
    let mut visited = String::new();
    for command in COMMANDS.iter().filter(|command| !command.events.is_empty()) {
        let mut scene = Scene::start().await;
        let request = (command.request)(&scene.world, "no crash").await;
        scene.answer(command, &request).await;
        let steps = scene.world.steps.names();
        let commit = steps.iter().position(|step| step.starts_with("TransactWriteItems ")).unwrap();
        scene.run_the_outbox().await;
        scene.consumers.take_facts();

        scene.commit_only(command, "no crash behind", commit).await;
        scene.consumers.restart(&scene.world).await;
        scene.run_the_outbox().await;
        let steps = scene.world.steps.names();
        scene.finish(command, "no crash behind").await;
        writeln!(visited, "{}", command.operation).unwrap();
        for (place, step) in steps.iter().enumerate() {
            for side in [Side::Before, Side::After] {
                let marker = format!("{} {side:?} behind", place + 1);
                scene.commit_only(command, &marker, commit).await;
                scene.consumers.restart(&scene.world).await;
                let fault = Fault { at: place, side, blow: Blow::Death };
                assert!(!scene.work_behind_the_outbox(Some(fault)).await, "{marker}");
                scene.consumers.restart(&scene.world).await;
                scene.clock.advance(PAST_VISIBILITY);
                scene.run_the_outbox().await;
                scene.finish(command, &marker).await;
                let side = format!("{side:?}").to_lowercase();
                writeln!(visited, "  {side:6} {}. {step}: one effect", place + 1).unwrap();
            }
        }
    }
    visited
}

fn prove(name: &str, visited: String) {
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!(name, visited);
    });
}

#[tokio::test]
async fn case_i03_r01_one_effect_at_every_crash_point_when_the_client_comes_first() {
    prove("crash-points-client-first", visit_every_point(Order::ClientFirst).await);
}

#[tokio::test]
async fn case_i03_r01_one_effect_at_every_crash_point_when_the_outbox_comes_first() {
    prove("crash-points-outbox-first", visit_every_point(Order::OutboxFirst).await);
}

#[tokio::test]
async fn case_r01_one_effect_at_every_crash_point_behind_the_outbox() {
    prove("crash-points-behind-the-outbox", visit_every_point_behind_the_outbox().await);
}

/// What a process never hears of again: any call to Salesforce, whether it was carried out or not, and any write to
/// DynamoDB that was.
fn goes_unheard(step: &str, side: Side) -> bool {
    let write = step.starts_with("TransactWriteItems ") || step.starts_with("PutItem ");
    to_salesforce(step) || (write && side == Side::After)
}

fn to_salesforce(step: &str) -> bool {
    step.starts_with("Salesforce: ")
}

/// A time-out instead of a crash: the process goes on, with another attempt or without what it asked for.
async fn silence(command: &Command) -> String {
    let mut scene = Scene::start().await;
    let request = (command.request)(&scene.world, "all well").await;
    scene.answer(command, &request).await;
    let steps = scene.world.steps.names();
    scene.run_the_outbox().await;
    scene.consumers.take_facts();
    let mut visited = format!("{}\n", command.operation);
    for (at, step) in steps.iter().enumerate() {
        for side in [Side::Before, Side::After] {
            if !goes_unheard(step, side) {
                continue;
            }
            let marker = format!("{} {side:?} silence", at + 1);
            let request = (command.request)(&scene.world, &marker).await;
            let fault = Fault { at, side, blow: Blow::Silence };
            let answer = scene.attempt(command, &request, Some(fault)).await.unwrap();
            // Without Salesforce the case is taken all the same; its number follows.
            let status = if to_salesforce(step) { 202 } else { command.status };
            assert_eq!((answer.status, answer.replayed), (status, false), "{marker}: {answer:?}");
            scene.run_the_outbox().await;
            scene.assert_done_once(command, &marker, &answer).await;
            let again = scene.answer(command, &request).await;
            let side = format!("{side:?}").to_lowercase();
            writeln!(visited, "  {side:6} {}. {step}: {answer}; {again}", at + 1).unwrap();
            assert_eq!(again, Answer { replayed: true, ..answer }, "{marker}");
        }
    }
    visited
}

#[tokio::test]
async fn case_r01_one_effect_when_an_answer_never_comes() {
    let visited = join_all(COMMANDS.iter().map(silence)).await;
    prove("silences", visited.concat());
}
