//! The audit trail: each event once, in one chain, however it is delivered; refusals on record; nothing given out
//! off the record.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::RangeInclusive,
    sync::Arc,
};

use futures::future::join_all;
use portico_aws::{Batch, Message};
use portico_domain::{
    EventId,
    audit::{Actor, Break, Entry, Fault, Head, Sealed, Verifier},
    cases::Case,
    events::{Access, Event, Fact},
};
use portico_store::{
    PageSize, SEALED_AT_ONCE_MAX, Store, Tenant,
    engine::{Condition, Key, Table, Write},
};
use serde_dynamo::AttributeValue;
use serde_json::{Value, json};

use crate::{
    outbox,
    samples::text,
    stack::{Stack, now, predictable},
    world::{MANAGER, World, account, case, lambda_event, open_case, other_account, user},
};

/// Longer than any chain here.
const ALL: u16 = 1_000;

/// The event that is the `number`th of an account.
fn event(tenant: &Tenant, number: u64) -> Event {
    let role = portico_domain::people::ClientRole::Manager;
    let viewer = portico_domain::people::Viewer::Client { user: user(MANAGER), role, contact: None };
    let actor = Actor::new(&viewer, format!("request-{number}"), "GET /invoices");
    let id = EventId::of_request(&format!("{}-{number}", tenant.account()), now());
    let listed = Fact::Accessed(Access::InvoicesListed);
    Event { id, ..Event::in_account(tenant.account(), listed, now(), &predictable()).by(actor) }
}

fn entry(tenant: &Tenant, number: u64) -> Entry {
    Entry::of(&event(tenant, number)).unwrap()
}

/// Puts entries into the client company's chain.
pub async fn seal(world: &World, numbers: RangeInclusive<u64>) {
    let entries: Vec<Entry> = numbers.map(|number| entry(&world.tenant(), number)).collect();
    assert_eq!(world.store.seal(&world.tenant(), &entries).await.unwrap(), entries.len());
}

async fn chain(store: &Store, tenant: &Tenant) -> Vec<Sealed> {
    let stretch = store.audit_stretch(tenant, 1, ALL).await.unwrap();
    assert!(!stretch.more);
    stretch.entries
}

fn verify(chain: &[Sealed], head: Head) -> Result<Option<Head>, Break> {
    let mut verifier = Verifier::starting_at(1).through(head);
    for sealed in chain {
        verifier.line(&sealed.line().unwrap())?;
    }
    verifier.finish()
}

/// The entries of a chain that holds and ends at its head.
pub async fn verified(store: &Store, tenant: &Tenant) -> Vec<Entry> {
    let head = store.audit_head(tenant).await.unwrap();
    let chain = chain(store, tenant).await;
    assert_eq!(verify(&chain, head).unwrap().unwrap_or(Head::START), head);
    chain.iter().map(|sealed| sealed.read().unwrap()).collect()
}

fn tenants() -> [Tenant; 2] {
    [account(), other_account()]
        .map(|account| Tenant::of_case(&Case { account, ..case(open_case(), "New", false) }))
}

/// Numbers that only look random, from a seed.
fn shuffled<T>(mut items: Vec<T>, seed: u64) -> Vec<T> {
    let mut state = seed;
    for last in (1..items.len()).rev() {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let other = usize::try_from((state >> 33) % (u64::try_from(last).unwrap() + 1)).unwrap();
        items.swap(last, other);
    }
    items
}

/// Every event to every consumer, in another order to each, in batches of ten, all at once; what comes back is
/// delivered again.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_event_has_one_entry_however_it_is_delivered() {
    const EVENTS: u64 = 30;
    let stack = Stack::start().await;
    let store = stack.store();
    let deps = Arc::new(audit_recording::Deps { store: store.clone() });
    let events: Vec<Event> = tenants()
        .iter()
        .flat_map(|tenant| (0..EVENTS).map(|number| event(tenant, number)).collect::<Vec<_>>())
        .collect();
    let consumers = (1..=3).map(|seed| {
        let (deps, events) = (Arc::clone(&deps), shuffled(events.clone(), seed));
        tokio::spawn(async move {
            let mut waiting: BTreeMap<String, String> = BTreeMap::new();
            for (place, event) in events.iter().enumerate() {
                // The same message also twice in one batch.
                for copy in 0..=place % 2 {
                    waiting.insert(format!("{place:03}-{copy}"), serde_json::to_string(event).unwrap());
                }
            }
            for round in 0.. {
                assert!(round < 10, "{} messages still wait", waiting.len());
                let messages: Vec<(String, String)> = std::mem::take(&mut waiting).into_iter().collect();
                if messages.is_empty() {
                    break;
                }
                for some in messages.chunks(10) {
                    let records = some.iter().map(|(id, body)| Message {
                        id: id.clone(),
                        body: body.clone(),
                        ..Message::default()
                    });
                    let answer = audit_recording::record(&deps, Batch { records: records.collect() }).await;
                    for failure in answer.failures {
                        let (id, body) = some.iter().find(|(id, _)| *id == failure.item).unwrap();
                        waiting.insert(id.clone(), body.clone());
                    }
                }
            }
        })
    });
    for consumer in join_all(consumers).await {
        consumer.unwrap();
    }
    for tenant in tenants() {
        let entries = verified(&store, &tenant).await;
        let recorded: BTreeSet<EventId> = entries.iter().map(|entry| entry.event).collect();
        let expected: BTreeSet<EventId> = (0..EVENTS).map(|number| event(&tenant, number).id).collect();
        assert_eq!(recorded, expected);
        assert_eq!(entries.len(), expected.len(), "an event twice");
    }
}

#[tokio::test]
async fn a_batch_is_sealed_up_to_its_limit_and_read_in_parts() {
    let stack = Stack::start().await;
    let store = stack.store();
    let [tenant, _] = tenants();
    let most = u64::try_from(SEALED_AT_ONCE_MAX).unwrap();
    let entries: Vec<Entry> = (0..most).map(|number| entry(&tenant, number)).collect();
    assert_eq!(store.seal(&tenant, &entries).await.unwrap(), SEALED_AT_ONCE_MAX);
    // Some of them again, among new ones, and one twice in the same call.
    let again: Vec<Entry> = [0, most, 1, most + 1, most].map(|number| entry(&tenant, number)).into();
    assert_eq!(store.seal(&tenant, &again).await.unwrap(), 2);
    assert_eq!(store.seal(&tenant, &again).await.unwrap(), 0);
    assert_eq!(verified(&store, &tenant).await.len(), SEALED_AT_ONCE_MAX + 2);

    let part = store.audit_stretch(&tenant, 11, 10).await.unwrap();
    assert_eq!(
        part.entries.iter().map(|sealed| sealed.sequence).collect::<Vec<_>>(),
        (11..=20).collect::<Vec<_>>()
    );
    assert!(part.more);
    let rest = store.audit_stretch(&tenant, most + 1, ALL).await.unwrap();
    assert_eq!((rest.entries.len(), rest.more), (2, false));

    let size = PageSize::new(30).unwrap();
    let newest = store.audit_entries(&tenant, size, None).await.unwrap().unwrap();
    assert_eq!(newest.items[0].sequence, most + 2);
    let older = store.audit_entries(&tenant, size, newest.next).await.unwrap().unwrap();
    assert_eq!((older.items.len(), older.items.last().unwrap().sequence), (12, 1));
    assert_eq!(older.next, None);
}

/// Somebody with all rights on the table changes what is kept.
#[tokio::test]
async fn what_is_changed_in_the_table_is_found() {
    let stack = Stack::start().await;
    let (store, engine) = (stack.store(), stack.engine());
    let [tenant, _] = tenants();
    let entries: Vec<Entry> = (0..5).map(|number| entry(&tenant, number)).collect();
    store.seal(&tenant, &entries).await.unwrap();
    let head = store.audit_head(&tenant).await.unwrap();
    let key = Key {
        table: Table::Audit,
        partition: tenant.account().to_string(),
        sort: Some("0000000000000003".to_owned()),
    };
    let before = engine.get(&key).await.unwrap().unwrap();
    let mut item = before.clone();
    let Some(AttributeValue::S(text)) = item.inner_mut().get_mut("entry") else { panic!("{before:?}") };
    *text = text.replace("\"manager\"", "\"agent\"");
    assert_ne!(item, before);
    let put = Write::Put { table: Table::Audit, item, condition: Condition::Present };
    engine.transact(&[put]).await.unwrap();
    let found = verify(&chain(&store, &tenant).await, head);
    assert_eq!(found, Err(Break { sequence: 3, fault: Fault::Altered }));
    engine.transact(&[Write::Delete { key, condition: Condition::Present }]).await.unwrap();
    let found = verify(&chain(&store, &tenant).await, head);
    assert_eq!(found, Err(Break { sequence: 3, fault: Fault::OtherSequence(4) }));
}

/// A message that is no event is kept for people; one that nobody asked for is none of the trail's.
#[tokio::test]
async fn only_events_of_people_are_recorded() {
    let stack = Stack::start().await;
    let store = stack.store();
    let [tenant, _] = tenants();
    let deps = audit_recording::Deps { store: store.clone() };
    let nobodys = Event { by: None, ..event(&tenant, 1) };
    let bodies = ["{}".to_owned(), serde_json::to_string(&nobodys).unwrap()];
    let records = bodies.into_iter().enumerate().map(|(place, body)| Message {
        id: place.to_string(),
        body,
        ..Message::default()
    });
    let answer = audit_recording::record(&deps, Batch { records: records.collect() }).await;
    assert_eq!(answer.failures.iter().map(|failure| failure.item.as_str()).collect::<Vec<_>>(), ["0"]);
    assert_eq!(verified(&store, &tenant).await, []);
}

/// What people did, in the order of the outbox.
async fn on_record(world: &World) -> Vec<Event> {
    let events = outbox::events(&world.stack.emulators).await;
    events.into_iter().filter(|event| event.by.is_some()).collect()
}

/// The answer to a sample, by a function whose outbox cannot be written.
async fn without_outbox(world: &World, binary: &str, sample: &str) -> Value {
    let mut grants = world.grants(binary);
    grants.retain(|grant| !grant.resource.ends_with("OutboxTable"));
    let guard = world.guard(grants).await;
    let function = world.boot_with(binary, world.variables(binary), &guard).await.unwrap();
    let answer = function.invoke(lambda_event(&text(sample))).await.unwrap();
    assert_eq!(guard.denied().len(), 1, "{sample} does not try to put anything on record");
    serde_json::from_str(answer.get()).unwrap()
}

#[tokio::test]
async fn nothing_is_given_out_off_the_record() {
    let world = World::start().await;
    let mut invoice = world.issue_invoice().await;
    let key = invoice.document_key();
    invoice.rendered =
        Some(portico_domain::billing::Rendered { key, size: 8, sha256: "0".repeat(64), e_invoice: None });
    invoice.version += 1;
    world.store.save_invoice(&invoice, &[]).await.unwrap();
    for (binary, sample) in [
        ("presigned-downloads", "presigned-downloads-file"),
        ("invoice-listing", "invoice-listing-page"),
        ("invoice-listing", "invoice-listing-detail"),
        ("invoice-listing", "invoice-listing-pdf"),
        ("audit-trail", "audit-trail-page"),
        ("audit-trail", "audit-trail-export"),
    ] {
        let answer = without_outbox(&world, binary, sample).await;
        assert_eq!(answer["statusCode"], 503, "{sample}: {answer}");
        assert_eq!(answer["multiValueHeaders"]["retry-after"], json!(["1"]), "{sample}");
        assert_eq!(answer["multiValueHeaders"].get("location"), None, "{sample}");
    }
}

/// A refusal is a refusal, on record or not; and without an account there is no trail that it could go into.
#[tokio::test]
async fn a_refusal_does_not_depend_on_its_record() {
    let world = World::start().await;
    let answer = without_outbox(&world, "case-listing", "case-listing-foreign-case").await;
    assert_eq!(answer["statusCode"], 404, "{answer}");
    assert_eq!(on_record(&world).await, []);
    let leaver = world.boot("case-listing").await;
    let answer = leaver.function.invoke(lambda_event(&text("case-listing-leaver"))).await.unwrap();
    assert!(answer.get().contains("access-ended"), "{}", answer.get());
    assert_eq!(on_record(&world).await, []);
}

/// More than fits into one answer: the link leads to the rest, and the parts are one chain.
#[tokio::test]
async fn an_export_in_parts_is_one_chain() {
    const ENTRIES: u64 = 1_003;
    let world = World::start().await;
    let step = u64::try_from(SEALED_AT_ONCE_MAX).unwrap();
    let mut first = 1;
    while first <= ENTRIES {
        let last = ENTRIES.min(first + step - 1);
        seal(&world, first..=last).await;
        first = last + 1;
    }
    let guarded = world.boot("audit-trail").await;
    let ask = async |from: &str| -> Value {
        let mut event: Value = serde_json::from_str(&text("audit-trail-export")).unwrap();
        event["queryStringParameters"]["from"] = json!(from);
        event["multiValueQueryStringParameters"]["from"] = json!([from]);
        let answer = guarded.function.invoke(lambda_event(&event.to_string())).await.unwrap();
        serde_json::from_str(answer.get()).unwrap()
    };
    let part = ask("1").await;
    let body = part["body"].as_str().unwrap();
    assert_eq!(body.lines().count(), 1_000);
    let link = format!("<?from=1001&account={}>; rel=\"next\"", account());
    assert_eq!(part["multiValueHeaders"]["link"], json!([link]));
    let rest = ask("1001").await;
    assert_eq!(rest["multiValueHeaders"].get("link"), None);
    let mut verifier =
        Verifier::starting_at(1).through(world.store.audit_head(&world.tenant()).await.unwrap());
    for line in body.lines().chain(rest["body"].as_str().unwrap().lines()) {
        verifier.line(line).unwrap();
    }
    assert_eq!(verifier.finish().unwrap().unwrap().sequence, ENTRIES);
    // Behind the end there is nothing, and that is no refusal.
    let behind = ask("1004").await;
    assert_eq!((&behind["statusCode"], &behind["body"]), (&json!(200), &json!("")));
    for from in ["0", "-1", "first", ""] {
        let refused = ask(from).await;
        assert_eq!(refused["statusCode"], 400, "{from}: {refused}");
    }
}

/// The same request, delivered twice, is one event.
#[tokio::test]
async fn a_refused_request_is_recorded_once() {
    let world = World::start().await;
    let guarded = world.boot("case-listing").await;
    for _ in 0..2 {
        guarded.function.invoke(lambda_event(&text("case-listing-foreign-case"))).await.unwrap();
    }
    let refused = on_record(&world).await;
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0].account, other_account());
    assert_eq!(refused[0].at, now());
}
