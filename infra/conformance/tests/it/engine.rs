//! What every engine below the store has to keep, on DynamoDB through the real SDK.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::body::Bytes;
use futures::future::join_all;
use http::{HeaderMap, StatusCode};
use portico_aws::{Cloud, Settings};
use portico_store::engine::{
    Condition, Engine, EngineError, Index, Key, Query, Refused, Table, TransactError, WRITES_MAX, Write,
};
use serde_dynamo::{AttributeValue, Item};

use crate::stack::{Stack, now};

/// The present in the conditions, epoch seconds.
const PRESENT: i64 = 1_000;

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

fn number(value: impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

fn item<const N: usize>(attributes: [(&str, AttributeValue); N]) -> Item {
    let mut item = Item::default();
    for (name, value) in attributes {
        item.inner_mut().insert(name.to_owned(), value);
    }
    item
}

/// An item of the idempotency table, which has a partition key and nothing else.
fn record<const N: usize>(key: &str, attributes: [(&str, AttributeValue); N]) -> Item {
    let mut record = item(attributes);
    record.inner_mut().insert("key".to_owned(), text(key));
    record
}

fn key(partition: &str) -> Key {
    Key { table: Table::Idempotency, partition: partition.to_owned(), sort: None }
}

fn put(item: Item, condition: Condition) -> Write {
    Write::Put { table: Table::Idempotency, item, condition }
}

async fn stored(engine: &dyn Engine, partition: &str) -> Option<Item> {
    engine.get(&key(partition)).await.unwrap()
}

/// What may stand under a key before a write.
fn states() -> [(&'static str, Option<Item>); 6] {
    [
        ("missing", None),
        ("bare", Some(record("k", []))),
        ("alive", Some(record("k", [("expires_at", number(PRESENT + 1))]))),
        ("expired", Some(record("k", [("expires_at", number(PRESENT))]))),
        ("at version 3", Some(record("k", [("version", number(3))]))),
        ("answered", Some(record("k", [("answer", text("yes")), ("version", number(4))]))),
    ]
}

const CONDITIONS: [Condition; 7] = [
    Condition::Always,
    Condition::Absent,
    Condition::Present,
    Condition::AbsentOrExpired { now: PRESENT },
    Condition::VersionIs(3),
    Condition::VersionIs(4),
    Condition::Unanswered,
];

/// What a condition means, in words of its own.
fn holds(condition: Condition, stored: Option<&Item>) -> bool {
    let attribute = |name| stored.and_then(|item| item.get(name));
    match condition {
        Condition::Always => true,
        Condition::Absent => stored.is_none(),
        Condition::Present => stored.is_some(),
        Condition::AbsentOrExpired { now } => match attribute("expires_at") {
            Some(AttributeValue::N(at)) => at.parse::<i64>().unwrap() <= now,
            // Not there, or there without an expiry: nothing that could still be alive.
            _ => true,
        },
        Condition::VersionIs(version) => attribute("version") == Some(&number(version)),
        Condition::Unanswered => attribute("answer").is_none(),
    }
}

/// Every condition on every state, for every kind of write, alone and in a transaction.
#[tokio::test]
async fn conditions_hold_where_they_should_and_name_what_stood_in_the_way() {
    let stack = Stack::start().await;
    let engine = stack.engine();
    for (name, before) in states() {
        for condition in CONDITIONS {
            let expected = holds(condition, before.as_ref());
            let after = record("k", [("new", text("new"))]);
            let writes = [
                ("put", put(after.clone(), condition), Some(after)),
                ("delete", Write::Delete { key: key("k"), condition }, None),
                ("check", Write::Check { key: key("k"), condition }, before.clone()),
            ];
            for (kind, write, after) in writes {
                // Nothing can be checked against no condition.
                if kind == "check" && condition == Condition::Always {
                    continue;
                }
                for together in [false, true] {
                    let case = format!("{kind} on {condition:?}, {name}, together: {together}");
                    let reset = match &before {
                        Some(item) => put(item.clone(), Condition::Always),
                        None => Write::Delete { key: key("k"), condition: Condition::Always },
                    };
                    engine.transact(&[reset]).await.unwrap();
                    let mut writes = vec![write.clone()];
                    if together {
                        writes.push(put(record("companion", []), Condition::Always));
                    }
                    let outcome = engine.transact(&writes).await;
                    if expected {
                        outcome.unwrap_or_else(|error| panic!("{case}: {error}"));
                        assert_eq!(stored(&*engine, "k").await, after, "{case}");
                    } else {
                        let Err(TransactError::Conditions(refused)) = outcome else {
                            panic!("{case}: {outcome:?}")
                        };
                        let first = Some(Refused { item: before.clone() });
                        let list = if together { vec![first, None] } else { vec![first] };
                        assert_eq!(refused, list, "{case}");
                        assert_eq!(stored(&*engine, "k").await, before, "{case}");
                    }
                }
            }
        }
    }
}

/// Adds to numbers, up to a bound, with something else that is written.
fn add(amount: i64, most: Option<u64>) -> [Write; 2] {
    let key = Key { table: Table::Usage, partition: "acct".to_owned(), sort: Some("space".to_owned()) };
    let amounts = vec![("files".to_owned(), 1), ("bytes".to_owned(), amount)];
    let at_most = most.map(|most| ("bytes", most)).into_iter().collect();
    [Write::Add { key, amounts, at_most }, put(record("companion", []), Condition::Always)]
}

async fn bytes(engine: &dyn Engine) -> Option<AttributeValue> {
    let key = Key { table: Table::Usage, partition: "acct".to_owned(), sort: Some("space".to_owned()) };
    engine.get(&key).await.unwrap().and_then(|item| item.inner().get("bytes").cloned())
}

#[tokio::test]
async fn numbers_are_added_to_from_nothing_and_up_to_a_bound() {
    let stack = Stack::start().await;
    let engine = stack.engine();
    let refused = engine.transact(&add(11, Some(10))).await;
    assert!(matches!(refused, Err(TransactError::Conditions(_))), "more than fits into nothing: {refused:?}");
    assert_eq!(bytes(&*engine).await, None);
    engine.transact(&add(7, Some(10))).await.unwrap();
    let Err(TransactError::Conditions(refused)) = engine.transact(&add(4, Some(10))).await else {
        panic!("added")
    };
    assert!(refused[0].as_ref().is_some_and(|refused| refused.item.is_some()), "{refused:?}");
    assert_eq!(refused[1], None);
    engine.transact(&add(3, Some(10))).await.unwrap();
    assert_eq!(bytes(&*engine).await, Some(number(10)), "the bound itself fits");
    engine.transact(&add(-10, None)).await.unwrap();
    assert_eq!(bytes(&*engine).await, Some(number(0)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_who_add_at_once_none_is_lost_and_none_goes_over() {
    let stack = Stack::start().await;
    let engine = stack.engine();
    let adding = (0..40).map(|_| {
        let engine = Arc::clone(&engine);
        tokio::spawn(async move {
            let [add, _] = add(1, Some(25));
            // Each with something of its own: a transaction, as in the store.
            let own = format!("{:?}", std::thread::current().id());
            engine.transact(&[add, put(record(&own, []), Condition::Always)]).await.is_ok()
        })
    });
    let added = join_all(adding).await.into_iter().filter(|added| *added.as_ref().unwrap()).count();
    assert_eq!(added, 25);
    assert_eq!(bytes(&*engine).await, Some(number(25)));
}

#[tokio::test]
async fn a_transaction_is_written_whole_or_not_at_all() {
    let stack = Stack::start().await;
    let engine = stack.engine();
    let taken = record("taken", [("version", number(7))]);
    engine.transact(&[put(taken.clone(), Condition::Absent)]).await.unwrap();
    let writes = [
        put(record("a", []), Condition::Absent),
        put(record("taken", []), Condition::Absent),
        Write::Check { key: key("nobody"), condition: Condition::Absent },
        Write::Delete { key: key("taken too"), condition: Condition::Present },
        put(record("b", []), Condition::Always),
    ];
    let Err(TransactError::Conditions(refused)) = engine.transact(&writes).await else { panic!("written") };
    let absent = Some(Refused { item: None });
    assert_eq!(refused, [None, Some(Refused { item: Some(taken.clone()) }), None, absent, None]);
    for partition in ["a", "b", "nobody"] {
        assert_eq!(stored(&*engine, partition).await, None, "{partition}");
    }
    assert_eq!(stored(&*engine, "taken").await, Some(taken));
}

#[tokio::test]
async fn an_item_comes_back_as_it_went_in() {
    let stack = Stack::start().await;
    let engine = stack.engine();
    let inner = item([("empty", text("")), ("wide", text("Grüße, 世界 🌍\u{202e}"))]);
    let all = record(
        "k",
        [
            ("text", text("")),
            ("long", text(&"x".repeat(300 * 1024))),
            ("largest", number("18446744073709551615")),
            ("decimal", number("0.000000001")),
            ("yes", AttributeValue::Bool(true)),
            ("nothing", AttributeValue::Null(true)),
            ("list", AttributeValue::L(vec![text("a"), number(1), AttributeValue::Null(true)])),
            ("map", AttributeValue::M(inner.into())),
        ],
    );
    engine.transact(&[put(all.clone(), Condition::Absent)]).await.unwrap();
    let back = stored(&*engine, "k").await.unwrap();
    // DynamoDB may write a number in another way.
    for (name, value) in all.inner() {
        match (value, &back.inner()[name]) {
            (AttributeValue::N(sent), AttributeValue::N(got)) => {
                let [sent, got]: [rust_decimal::Decimal; 2] = [sent, got].map(|text| text.parse().unwrap());
                assert_eq!(sent, got, "{name}");
            }
            (sent, got) => assert_eq!(sent, got, "{name}"),
        }
    }
    assert_eq!(back.inner().len(), all.inner().len());
}

/// What DynamoDB cannot do is an error of ours, at once and without a retry.
#[tokio::test]
async fn what_is_too_much_is_rejected() {
    let stack = Stack::start().await;
    let engine = stack.engine();
    let row = |number: usize| put(record(&format!("row {number}"), []), Condition::Absent);
    let most: Vec<Write> = (0..WRITES_MAX).map(row).collect();
    engine.transact(&most).await.unwrap();
    for number in [0, WRITES_MAX - 1] {
        assert!(stored(&*engine, &format!("row {number}")).await.is_some());
    }
    let more: Vec<Write> = (1_000..=1_000 + WRITES_MAX).map(row).collect();
    let twice = vec![put(record("same", []), Condition::Always), put(record("same", []), Condition::Always)];
    let large = vec![put(record("large", [("text", text(&"x".repeat(401 * 1024)))]), Condition::Always)];
    for (name, writes) in [("101 writes", more), ("one item twice", twice), ("more than 400 KB", large)] {
        let outcome = engine.transact(&writes).await;
        assert!(
            matches!(outcome, Err(TransactError::Engine(EngineError::Rejected(_)))),
            "{name}: {outcome:?}"
        );
    }
    assert_eq!(stored(&*engine, "row 1000").await, None);
    engine.transact(&[]).await.unwrap();
}

#[tokio::test]
async fn a_table_that_was_not_given_is_not_there() {
    let stack = Stack::start().await;
    let dynamodb = stack.emulators.dynamodb_url();
    let settings = Settings::new(Stack::runtime_settings(&dynamodb, &stack.emulators.aws_url()));
    let cloud = Cloud::new(settings, stack.clock.clone(), stack.random.clone());
    assert!(cloud.engine(&[Table::Idempotency]).is_err());
    let engine = cloud.engine(&[]).unwrap();
    let outcome = engine.get(&key("k")).await;
    assert!(matches!(outcome, Err(EngineError::NoSuchTable(Table::Idempotency))), "{outcome:?}");
}

/// No answer is no refusal: the caller does not know what was written.
#[tokio::test]
async fn no_answer_says_so() {
    let stack = Stack::start().await;
    let mut settings = Stack::runtime_settings("http://127.0.0.1:9", &stack.emulators.aws_url());
    settings.insert(Table::Idempotency.setting().to_owned(), "IdempotencyTable".to_owned());
    let engine = Cloud::new(Settings::new(settings), stack.clock.clone(), stack.random.clone())
        .engine(&[Table::Idempotency])
        .unwrap();
    let outcome = engine.transact(&[put(record("k", []), Condition::Absent)]).await;
    assert!(matches!(outcome, Err(TransactError::Engine(EngineError::Unavailable(_)))), "{outcome:?}");
}

/// Answers the first `refusals` requests with `refusal`, and lets everything after them through.
async fn colliding(stack: &Stack, refusals: usize, refusal: &'static str) -> Arc<dyn Engine> {
    let (left, upstream) = (Arc::new(AtomicUsize::new(refusals)), stack.emulators.dynamodb_url());
    let answer = move |headers: HeaderMap, body: Bytes| {
        let (left, upstream) = (Arc::clone(&left), upstream.clone());
        async move {
            if left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
                return (StatusCode::BAD_REQUEST, Bytes::from_static(refusal.as_bytes()));
            }
            let sent =
                reqwest::Client::new().post(upstream).headers(headers).body(body).send().await.unwrap();
            (sent.status(), sent.bytes().await.unwrap())
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, axum::Router::new().fallback(answer)).await.unwrap() });
    let mut settings = Stack::runtime_settings(&url, &stack.emulators.aws_url());
    settings.insert(Table::Idempotency.setting().to_owned(), stack.names.get("IdempotencyTable").to_owned());
    let cloud = Cloud::new(Settings::new(settings), stack.clock.clone(), stack.random.clone());
    cloud.engine(&[Table::Idempotency]).unwrap()
}

/// The emulator carries out one write after the other; DynamoDB itself refuses those that collide.
#[tokio::test]
async fn a_write_that_collides_is_tried_again_until_there_is_no_hope() {
    const CONFLICT: &str = r#"{"__type":"com.amazonaws.dynamodb.v20120810#TransactionConflictException","message":"Transaction is ongoing for the item"}"#;
    const CANCELLED: &str = r#"{"__type":"com.amazonaws.dynamodb.v20120810#TransactionCanceledException","Message":"Transaction cancelled","CancellationReasons":[{"Code":"None"},{"Code":"TransactionConflict","Message":"Transaction is ongoing for the item"}]}"#;
    let stack = Stack::start().await;
    let one = [put(record("one", []), Condition::Absent)];
    let gone = [Write::Delete { key: key("one"), condition: Condition::Present }];
    let two = [put(record("two", []), Condition::Absent), put(record("three", []), Condition::Absent)];
    for (writes, refusal) in [(&one[..], CONFLICT), (&gone, CONFLICT), (&two, CANCELLED)] {
        let hopeless = colliding(&stack, 1_000, refusal).await.transact(writes).await;
        assert!(matches!(hopeless, Err(TransactError::Engine(EngineError::Busy))), "{hopeless:?}");
        colliding(&stack, 2, refusal).await.transact(writes).await.unwrap();
    }
    let engine = stack.engine();
    let there =
        [stored(&*engine, "one").await, stored(&*engine, "two").await, stored(&*engine, "three").await];
    assert_eq!(there.map(|item| item.is_some()), [false, true, true]);
}

const BY_ACTIVITY: Index = Index { name: "by-activity", partition: "account" };

/// A row of the cases table; activities are in the opposite order of the ids.
fn row(account: &str, place: u32) -> Write {
    let item = item([
        ("account", text(account)),
        ("case", text(&format!("case_{place:03}"))),
        ("activity", text(&format!("{:03}", 500 - place))),
    ]);
    Write::Put { table: Table::Cases, item, condition: Condition::Absent }
}

/// Every page until the end: the values of `name`, and how many pages there were.
async fn pages(engine: &dyn Engine, query: &Query, name: &str) -> (Vec<String>, usize) {
    let mut query = query.clone();
    let mut values = Vec::new();
    for page in 1..100 {
        let found = engine.query(&query).await.unwrap();
        assert!(found.items.len() <= usize::from(query.limit), "more than asked for");
        for item in &found.items {
            let (Some(AttributeValue::S(value)), Some(partition)) = (item.get(name), item.get("account"))
            else {
                panic!("{item:?}")
            };
            assert_eq!(partition, &text(&query.partition));
            values.push(value.clone());
        }
        query.after = found.next;
        if query.after.is_none() {
            return (values, page);
        }
    }
    panic!("no end")
}

#[tokio::test]
async fn pages_follow_each_other_in_both_directions_on_table_and_index() {
    const ROWS: u32 = 25;
    let stack = Stack::start().await;
    let engine = stack.engine();
    for account in ["acct_a", "acct_b"] {
        let rows: Vec<Write> = (0..ROWS).map(|place| row(account, place)).collect();
        engine.transact(&rows).await.unwrap();
    }
    for (index, name) in [(None, "case"), (Some(BY_ACTIVITY), "activity")] {
        for descending in [false, true] {
            for limit in [1, 7, 25, 26, 100] {
                let query = Query {
                    table: Table::Cases,
                    index,
                    partition: "acct_a".to_owned(),
                    within: None,
                    descending,
                    limit,
                    after: None,
                };
                let (values, pages) = pages(&*engine, &query, name).await;
                let case = format!("{name}, descending: {descending}, limit {limit}");
                let distinct: BTreeSet<&String> = values.iter().collect();
                assert_eq!((values.len(), distinct.len()), (25, 25), "{case}");
                assert!(
                    values.is_sorted_by(|a, b| if descending { a > b } else { a < b }),
                    "{case}: {values:?}"
                );
                let fewest = usize::try_from(ROWS).unwrap().div_ceil(usize::from(limit));
                // A full last page may be followed by an empty one.
                assert!((fewest..=fewest + 1).contains(&pages), "{case}: {pages} pages");
            }
        }
    }
    let nobody = Query {
        table: Table::Cases,
        index: None,
        partition: "acct_".to_owned(),
        within: None,
        descending: false,
        limit: 10,
        after: None,
    };
    assert_eq!(pages(&*engine, &nobody, "case").await.0, Vec::<String>::new());
}

/// Of many who write on the same condition at once, one wins, and all others are told what they lost to.
async fn one_of_sixteen_wins(engine: Arc<dyn Engine>, condition: Condition, alone: bool) {
    let attempts = (0..16).map(|number| {
        let engine = Arc::clone(&engine);
        tokio::spawn(async move {
            let prize = record("prize", [("version", number_of(2)), ("winner", number_of(number))]);
            let mut writes = vec![put(prize, condition)];
            if !alone {
                writes.push(put(record(&format!("of {number}"), []), Condition::Absent));
            }
            (number, engine.transact(&writes).await)
        })
    });
    let mut winners = Vec::new();
    for attempt in join_all(attempts).await {
        match attempt.unwrap() {
            (number, Ok(())) => winners.push(number),
            (_, Err(TransactError::Conditions(refused))) => {
                let item = refused[0].as_ref().unwrap().item.as_ref().unwrap();
                assert_eq!(item.get("version"), Some(&number_of(2)));
            }
            (number, Err(error)) => panic!("{number}: {error}"),
        }
    }
    assert_eq!(winners.len(), 1, "{winners:?}");
    let prize = stored(&*engine, "prize").await.unwrap();
    assert_eq!(prize.get("winner"), Some(&number_of(winners[0])));
    for number in 0..16 {
        let beside = stored(&*engine, &format!("of {number}")).await;
        assert_eq!(beside.is_some(), !alone && number == winners[0], "{number}");
    }
}

fn number_of(value: i32) -> AttributeValue {
    number(value)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_sixteen_transactions_wins() {
    let stack = Stack::start().await;
    one_of_sixteen_wins(stack.engine(), Condition::Absent, false).await;
    let stack = Stack::start().await;
    let engine = stack.engine();
    engine.transact(&[put(record("prize", [("version", number(1))]), Condition::Absent)]).await.unwrap();
    one_of_sixteen_wins(engine, Condition::VersionIs(1), false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_sixteen_single_writes_wins() {
    let stack = Stack::start().await;
    one_of_sixteen_wins(stack.engine(), Condition::Absent, true).await;
}

/// Those who add to the same counter, each on the version that it read, lose no step.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_step_of_a_counter_is_lost() {
    let stack = Stack::start().await;
    let engine = stack.engine();
    engine.transact(&[put(record("counter", [("version", number(0))]), Condition::Absent)]).await.unwrap();
    let adders = (0..8).map(|_| {
        let engine = Arc::clone(&engine);
        tokio::spawn(async move {
            loop {
                let counter = stored(&*engine, "counter").await.unwrap();
                let Some(AttributeValue::N(version)) = counter.get("version") else { panic!("{counter:?}") };
                let version: u64 = version.parse().unwrap();
                let next = record("counter", [("version", number(version + 1))]);
                match engine.transact(&[put(next, Condition::VersionIs(version))]).await {
                    Ok(()) => break,
                    Err(TransactError::Conditions(_)) => {}
                    Err(error) => panic!("{error}"),
                }
            }
        })
    });
    for adder in join_all(adders).await {
        adder.unwrap();
    }
    assert_eq!(stored(&*engine, "counter").await.unwrap().get("version"), Some(&number(8)));
    assert!(now().as_second() > PRESENT, "the conditions' present is long past");
}
