//! What runs in production behind a command: the relay on the outbox's stream, and whoever takes from its queues.

use std::{collections::BTreeMap, time::Duration};

use portico_domain::events::Fact;
use portico_store::outbox;
use serde_dynamo::Item;
use serde_json::{Value, json};

use crate::{
    stack::{REGION, queue_name},
    template::target,
    world::{Guarded, World, lambda_event},
};

/// Most rounds of relaying and delivering until nothing is left: a fact leads to a fact a few times at most.
const ROUNDS_MAX: usize = 20;
/// Most messages of one delivery (the limit of SQS).
const BATCH: usize = 10;

/// Those who act on the facts of the outbox, and how far they are.
pub struct Consumers {
    relay: Guarded,
    /// By queue, each with its function: those of the template, started when something arrives.
    queues: BTreeMap<String, (String, Option<Guarded>)>,
    after: Option<String>,
    /// What was relayed since it was last asked for.
    facts: Vec<Fact>,
    /// The group and the event of each message of a FIFO queue that is done, in that order.
    carried_over: Vec<(String, String)>,
}

impl Consumers {
    pub async fn start(world: &World) -> Self {
        let functions = world.stack.template.functions();
        let queues = functions.iter().flat_map(|function| {
            let queues = function.events("SQS").map(|event| target(&event["Queue"]).unwrap().to_owned());
            queues.map(|queue| (queue, (function.binary.to_owned(), None)))
        });
        Self {
            relay: world.boot("event-relay").await,
            queues: queues.collect(),
            after: None,
            facts: Vec::new(),
            carried_over: Vec::new(),
        }
    }

    /// Fresh processes, as far as the old ones were.
    pub async fn restart(&mut self, world: &World) {
        self.relay = world.boot("event-relay").await;
        for (_, function) in self.queues.values_mut() {
            *function = None;
        }
    }

    /// Works until nothing is left that is not hidden or delayed.
    pub async fn run(&mut self, world: &World) {
        for _ in 0..ROUNDS_MAX {
            let relayed = self.relay(world).await;
            let delivered = self.deliver(world).await;
            if !relayed && !delivered {
                return;
            }
        }
        panic!("the outbox never comes to rest");
    }

    /// The kinds of the facts since this was last asked, in alphabetical order. Not how far an archive is: that is told
    /// as often as it takes.
    pub fn take_facts(&mut self) -> Vec<String> {
        let mut facts = std::mem::take(&mut self.facts);
        facts.retain(|fact| !matches!(fact, Fact::ArchiveChanged { .. }));
        let kind = |fact: &Fact| serde_json::to_value(fact).unwrap()["fact"].as_str().unwrap().to_owned();
        let mut kinds: Vec<String> = facts.iter().map(kind).collect();
        kinds.sort();
        kinds
    }

    /// What the writer is done with, by case and event, in order.
    pub fn carried_over(&self) -> impl Iterator<Item = (&str, &str)> {
        self.carried_over.iter().map(|(group, event)| (group.as_str(), event.as_str()))
    }

    async fn relay(&mut self, world: &World) -> bool {
        let streams = world.stack.emulators.streams();
        let records = streams.read("OutboxTable", self.after.as_deref()).await.unwrap();
        let Some(last) = records.last() else { return false };
        let events: Vec<&Value> = records.iter().map(|record| &record.event).collect();
        assert_eq!(failures(&self.relay, json!({ "Records": events })).await, json!([]));
        // Only now: a batch whose function died comes again.
        self.after = Some(last.sequence.clone());
        for event in events {
            let image: Item = serde_json::from_value(event["dynamodb"]["NewImage"].clone()).unwrap();
            self.facts.push(outbox::event_of(image).unwrap().fact);
        }
        true
    }

    async fn deliver(&mut self, world: &World) -> bool {
        let mut delivered = false;
        let queues = world.stack.emulators.queues();
        for (queue, (binary, function)) in &mut self.queues {
            let name = queue_name(&world.stack.template, queue);
            let messages = queues.receive(&name, BATCH, Duration::ZERO).await.unwrap();
            if messages.is_empty() {
                continue;
            }
            delivered = true;
            let function = match function {
                Some(function) => function,
                None => function.insert(world.boot(binary).await),
            };
            let arn = world.stack.names.get(&format!("{queue}.Arn"));
            let records: Vec<Value> =
                messages.iter().map(|message| message.event_record(arn, REGION)).collect();
            let failed = failures(function, json!({ "Records": records })).await;
            let later =
                |id: &str| failed.as_array().unwrap().iter().any(|failure| failure["itemIdentifier"] == id);
            // The writer has a say in when; every other message is done at once.
            assert!(name.ends_with(".fifo") || failed == json!([]), "{queue}: {failed}");
            for message in messages.into_iter().filter(|message| !later(&message.id)) {
                if let Some(group) = message.group {
                    let event: Option<Value> = serde_json::from_str(&message.body).ok();
                    let id = event.and_then(|event| Some(event["id"].as_str()?.to_owned()));
                    self.carried_over.push((group, id.unwrap_or_default()));
                }
                queues.delete(&name, &message.receipt).await.unwrap();
            }
        }
        delivered
    }
}

/// What a batch's answer asks to have back.
async fn failures(guarded: &Guarded, event: Value) -> Value {
    let answer = guarded.function.invoke(lambda_event(&event.to_string())).await.unwrap();
    assert_eq!(guarded.guard.denied(), []);
    let answer: Value = serde_json::from_str(answer.get()).unwrap();
    answer["batchItemFailures"].clone()
}
