//! What holds the portal against Salesforce.

use std::{collections::BTreeSet, time::Duration};

use fake_salesforce::demo::NORDHAVEN;
use portico_domain::runs::{Difference, RedriveQueue, Run, RunState};
use portico_emulators::NewMessage;
use portico_salesforce::records::{MayHaveChanged, Object, RecordRef};
use serde_json::{Value, json};

use super::{Sample, queues};
use crate::world::{World, time_entries};

async fn all_done(sample: &Sample) {
    assert_eq!(sample.run().await, json!({ "batchItemFailures": [] }));
}

/// The one run that there is.
async fn the_run(world: &World) -> Run {
    let runs = world.store.latest_runs().await.unwrap();
    assert_eq!(runs.len(), 1, "{runs:?}");
    runs.into_iter().next().unwrap()
}

async fn named(world: &World) -> BTreeSet<RecordRef> {
    let messages = world.stack.emulators.queues().peek("SyncQueue", 100).await.unwrap();
    let named = messages.iter().flat_map(|message| {
        let changed: MayHaveChanged = serde_json::from_str(&message.body).unwrap();
        assert!(changed.records.len() <= 200);
        changed.records
    });
    named.collect()
}

fn record(object: Object, id: &str) -> RecordRef {
    RecordRef { object, id: id.parse().unwrap() }
}

pub async fn finds_what_nobody_told(sample: &Sample) {
    let world = &sample.world;
    let salesforce = world.stack.cloud().salesforce(portico_salesforce::Pace::Submission).await.unwrap();
    let case = NORDHAVEN.case_ids[0].parse().unwrap();
    salesforce.update("Case", case, &json!({ "Priority": "High" })).await.unwrap();
    all_done(sample).await;
    let run = the_run(world).await;
    assert_eq!((run.state, run.note), (RunState::Done, None));
    assert!(named(world).await.contains(&record(Object::Case, NORDHAVEN.case_ids[0])));
    // The change is not in the portal yet: nothing is proven beyond the second before it.
    let mark = world.store.watermark().await.unwrap().unwrap();
    assert!(mark.until < crate::stack::now(), "{mark:?}");
}

pub async fn names_an_accounts_records(sample: &Sample) {
    let world = &sample.world;
    all_done(sample).await;
    let run = the_run(world).await;
    assert_eq!(run.state, RunState::Done);
    let named = named(world).await;
    for object in Object::ALL {
        let of_object = named.iter().filter(|record| record.object == object).count();
        assert_eq!(run.counts[object.name()].sent, u64::try_from(of_object).unwrap(), "{object:?}");
    }
    for case in NORDHAVEN.case_ids {
        assert!(named.contains(&record(Object::Case, case)));
    }
    assert!(named.contains(&record(Object::Contract, NORDHAVEN.contract_id)));
    let strangers = fake_salesforce::demo::BRIGHTWATER.case_ids;
    assert!(!named.contains(&record(Object::Case, strangers[0])));
}

pub async fn refuses_who_is_no_client(sample: &Sample) {
    all_done(sample).await;
    let run = the_run(&sample.world).await;
    assert_eq!(run.state, RunState::Failed);
    assert!(run.note.unwrap().starts_with("001000000000001AAA is no client of the portal"));
    assert_eq!(named(&sample.world).await, BTreeSet::new());
}

/// The furnished world is not what the org has: the other company's records are missing, hours are made up.
pub async fn finds_what_differs(sample: &Sample) {
    let world = &sample.world;
    let paid = queues::paid_for(world, NORDHAVEN.id, "EUR").await;
    world.store.save_expense(&queues::outlay(paid), &world.bill_changed()).await.unwrap();
    all_done(sample).await;
    let run = the_run(world).await;
    assert_eq!(run.state, RunState::Done);
    let made_up = time_entries()[0].salesforce_id;
    assert!(
        run.samples.iter().any(|found| found.id == made_up && found.difference == Difference::Gone),
        "{run:?}"
    );
    assert!(run.total().drift() > 0);
    assert!(named(world).await.contains(&RecordRef { object: Object::TimeEntry, id: made_up }));
}

pub async fn sends_dead_letters_back(sample: &Sample) {
    let queues = sample.world.stack.emulators.queues();
    let queue_of = |queue: RedriveQueue| {
        let name = queue.name();
        name[..1].to_uppercase() + &name[1..]
    };
    let ids: Vec<(RedriveQueue, String)> = RedriveQueue::ALL.map(|queue| (queue, queue_of(queue))).into();
    let mut of_template = sample.world.stack.template.of_type("AWS::SQS::Queue");
    let in_order: Vec<String> = of_template
        .by_ref()
        .filter(|(_, queue)| queue["FifoQueue"] == true)
        .map(|(id, _)| id.to_owned())
        .collect();
    let name = |id: String| if in_order.contains(&id) { format!("{id}.fifo") } else { id };
    for (_, id) in &ids {
        let letters = name(format!("{id}DeadLetters"));
        let ordered = letters.ends_with(".fifo");
        for place in 0..6 {
            let message = NewMessage {
                group: ordered.then(|| "case".to_owned()),
                deduplication: ordered.then(|| place.to_string()),
                ..NewMessage::new(format!("{{\"letter\":{place}}}"))
            };
            queues.send(&letters, message).await.unwrap();
        }
    }
    all_done(sample).await;
    for (queue, id) in &ids {
        let back = queues.depth(&name(format!("{id}Queue"))).await.unwrap();
        let left = queues.depth(&name(format!("{id}DeadLetters"))).await.unwrap();
        assert_eq!((back.visible, left.visible), (5, 1), "{queue}");
    }
    let runs = sample.world.store.latest_runs().await.unwrap();
    assert!(runs.iter().all(|run| run.note.as_deref() == Some("there may be more")), "{runs:?}");
}

pub async fn asks_for_a_run(sample: &Sample) {
    all_done(sample).await;
    let queues = sample.world.stack.emulators.queues();
    let asked = queues.receive("ReconcileQueue", 10, Duration::ZERO).await.unwrap();
    assert_eq!(asked.len(), 1);
    let asked: Value = serde_json::from_str(&asked[0].body).unwrap();
    assert_eq!(asked["kind"], "sweep");
    assert!(asked["run"].as_str().unwrap().starts_with("run_"));
}

pub async fn keeps_an_unreadable_message(sample: &Sample) {
    let answer = sample.run().await;
    assert_eq!(
        answer,
        json!({ "batchItemFailures": [{ "itemIdentifier": "00000000-0000-4000-8000-00000000b020" }] })
    );
}
