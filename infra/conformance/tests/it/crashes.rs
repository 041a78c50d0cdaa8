//! A command's process dies before and after every request that it sends, and the client tries again: whatever the
//! moment, the command has one effect and one answer.
//!
//! "Dies" means that nothing of the invocation runs on: see [`crate::steps`]. A retry meets a fresh process, as on
//! Lambda. The snapshots list the moments that were visited and what the client saw.

use std::fmt::Write as _;

use jiff::SignedDuration;

use crate::{
    commands::{Answer, COMMANDS, Command, Request},
    consumers::Consumers,
    stack::MovableClock,
    steps::{Death, Side},
    world::World,
};

/// Fewer requests than this are sent by no command: it has to read who is calling, and to write.
const STEPS_MIN: usize = 3;

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
    async fn attempt(&self, command: &Command, request: &Request, death: Option<Death>) -> Option<Answer> {
        let process = async {
            let guarded = self.world.boot(command.function).await;
            let answer = request.send_to(&guarded.function).await;
            assert_eq!(guarded.guard.denied(), [], "the policy in template.yaml does not allow this");
            answer
        };
        self.world.steps.live(death, process).await
    }

    /// The same, to the end.
    async fn answer(&self, command: &Command, request: &Request) -> Answer {
        self.attempt(command, request, None).await.unwrap()
    }

    async fn run_the_outbox(&mut self) {
        // Beyond the writer's head start, too.
        self.clock.advance(self.past_the_window);
        self.world.steps.live(None, self.consumers.run(&self.world)).await.unwrap();
    }

    /// The marked request was carried out once, and this was its answer.
    async fn assert_done_once(&mut self, command: &Command, marker: &str, answer: &Answer) {
        assert_eq!(answer.status, command.status, "{marker}: {answer:?}");
        let look = (command.effects)(&self.world, marker, &answer.body);
        let effects = self.world.steps.live(None, look).await.unwrap();
        assert_eq!(effects, command.expected, "{marker}");
        assert_eq!(self.consumers.take_facts(), command.events, "{marker}");
    }

    /// Dies at one point and retries. Returns what the client saw.
    async fn crash(&mut self, command: &Command, order: Order, marker: &str, death: Death) -> String {
        let request = (command.request)(&self.world, marker).await;
        assert_eq!(self.attempt(command, &request, Some(death)).await, None, "{marker}");
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
        assert!(steps.len() >= STEPS_MIN, "{}: {steps:?}", command.operation);
        scene.run_the_outbox().await;
        scene.assert_done_once(command, "no crash", &answer).await;
        writeln!(visited, "{}", command.operation).unwrap();
        for (place, step) in steps.iter().enumerate() {
            for side in [Side::Before, Side::After] {
                let marker = format!("{} {side:?} {order:?}", place + 1);
                let saw = scene.crash(command, order, &marker, (place, side)).await;
                let side = format!("{side:?}").to_lowercase();
                writeln!(visited, "  {side:6} {}. {step}: {saw}", place + 1).unwrap();
            }
        }
    }
    visited
}

async fn prove(name: &str, order: Order) {
    let visited = visit_every_point(order).await;
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!(name, visited);
    });
}

#[tokio::test]
async fn case_i03_r01_one_effect_at_every_crash_point_when_the_client_comes_first() {
    prove("crash-points-client-first", Order::ClientFirst).await;
}

#[tokio::test]
async fn case_i03_r01_one_effect_at_every_crash_point_when_the_outbox_comes_first() {
    prove("crash-points-outbox-first", Order::OutboxFirst).await;
}
