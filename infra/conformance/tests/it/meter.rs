//! What DynamoDB's use of a request costs: the emulator is asked for it with every request, and the tests below hold
//! its answers against AWS's rules.
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/on-demand-capacity-mode.html>

use std::{collections::BTreeMap, sync::Mutex};

use axum::body::Bytes;
use http::Response;
use rust_decimal::Decimal;
use serde_json::{Value, json};

/// What one request used.
#[derive(Debug, Clone, PartialEq)]
pub struct Metered {
    /// What it is called among the steps of its process.
    pub name: String,
    /// Read or write units by table, and by index as `table/index`.
    pub units: BTreeMap<String, Decimal>,
}

impl Metered {
    pub fn is_write(&self) -> bool {
        !self.name.starts_with("GetItem ") && !self.name.starts_with("Query ")
    }

    pub fn total(&self) -> Decimal {
        self.units.values().sum()
    }
}

/// Collects what requests used.
#[derive(Default)]
pub struct Meter(Mutex<Vec<Metered>>);

/// The same request, with the question what it used.
pub fn ask(body: &Bytes) -> Bytes {
    let mut body: Value = serde_json::from_slice(body).unwrap();
    body["ReturnConsumedCapacity"] = json!("INDEXES");
    body.to_string().into()
}

impl Meter {
    /// Notes what the answer says. AWS bills refused writes too, but nobody says how much: no entry holds them.
    pub fn read(&self, name: String, answer: &Response<Bytes>) {
        if !answer.status().is_success() {
            return;
        }
        let answer: Value = serde_json::from_slice(answer.body()).unwrap();
        let capacity = &answer["ConsumedCapacity"];
        // A transaction has one for each table, anything else just one.
        let tables = match capacity.as_array() {
            Some(tables) => tables.iter().collect(),
            None => vec![capacity],
        };
        let mut units = BTreeMap::new();
        for table in tables {
            let id = table["TableName"].as_str().unwrap_or_else(|| panic!("{name}: no units in {answer}"));
            let total = number(&table["CapacityUnits"]);
            let own = number(&table["Table"]["CapacityUnits"]);
            let mut counted = own;
            units.insert(id.to_owned(), own);
            for (index, used) in table["GlobalSecondaryIndexes"].as_object().into_iter().flatten() {
                let used = number(&used["CapacityUnits"]);
                counted += used;
                units.insert(format!("{id}/{index}"), used);
            }
            assert_eq!(counted, total, "{name}: the parts are not the whole in {answer}");
        }
        units.retain(|_, used| !used.is_zero());
        self.0.lock().unwrap().push(Metered { name, units });
    }

    pub fn take(&self) -> Vec<Metered> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

fn number(value: &Value) -> Decimal {
    value.as_number().unwrap_or_else(|| panic!("no number: {value}")).to_string().parse().unwrap()
}

/// AWS's rules, asked of the emulator with items of known sizes.
mod rules {
    use portico_aws::{Cloud, Settings};
    use portico_store::engine::{Condition, Engine, Index, Key, Query, Table, Write};
    use serde_dynamo::{AttributeValue, Item};

    use super::*;
    use crate::{
        guard::{Grant, Guard},
        stack::{ACCOUNT, REGION, Stack},
    };

    const BY_ACCOUNT: Index = Index { name: "by-account", partition: "account" };

    struct Scene {
        engine: std::sync::Arc<dyn Engine>,
        guard: Guard,
        /// Holds the emulators.
        _stack: Stack,
    }

    impl Scene {
        async fn start() -> Self {
            let stack = Stack::start().await;
            let any = ["GetItem", "Query", "PutItem", "DeleteItem", "ConditionCheckItem"];
            let grants = any
                .map(|operation| Grant { action: format!("dynamodb:{operation}"), resource: "*".to_owned() });
            let (dynamodb, aws) = (stack.emulators.dynamodb_url(), stack.emulators.aws_url());
            let account = format!("{REGION}:{ACCOUNT}");
            let guard = Guard::start(grants.into(), dynamodb, aws, account, Default::default()).await;
            let mut settings = Stack::runtime_settings(guard.url(), guard.url());
            settings.insert("MEMBERS_TABLE".to_owned(), "MembersTable".to_owned());
            settings.insert("COUNTERS_TABLE".to_owned(), "CountersTable".to_owned());
            let cloud = Cloud::new(Settings::new(settings), stack.clock.clone(), stack.random.clone());
            let engine = cloud.engine(&[Table::Members, Table::Counters]).unwrap();
            Self { engine, guard, _stack: stack }
        }

        /// The units of the table and of its index in the one request that was sent.
        fn units(&self) -> (Decimal, Decimal) {
            let [metered] = self.guard.bill().try_into().unwrap();
            let on_index = |part: &String| part.contains('/');
            let sum = |index| -> Decimal {
                let parts = metered.units.iter().filter(|(part, _)| on_index(part) == index);
                parts.map(|(_, used)| used).sum()
            };
            (sum(false), sum(true))
        }

        async fn write(&self, writes: &[Write]) -> (Decimal, Decimal) {
            self.engine.transact(writes).await.unwrap();
            self.units()
        }
    }

    fn units(table: i64, index: i64) -> (Decimal, Decimal) {
        (Decimal::from(table), Decimal::from(index))
    }

    /// An item whose attributes' names and values together have this many bytes.
    fn item(user: &str, account: Option<&str>, size: usize) -> Item {
        let mut text = vec![("user", user.to_owned())];
        text.extend(account.map(|account| ("account", account.to_owned())));
        let taken: usize = text.iter().map(|(name, value)| name.len() + value.len()).sum();
        text.push(("x", "x".repeat(size - taken - "x".len())));
        let attributes = text.into_iter().map(|(name, value)| (name.to_owned(), AttributeValue::S(value)));
        attributes.collect::<std::collections::HashMap<_, _>>().into()
    }

    fn put(user: &str, account: Option<&str>, size: usize) -> Write {
        let item = item(user, account, size);
        Write::Put { table: Table::Members, item, condition: Condition::Always }
    }

    fn key(user: &str) -> Key {
        Key { table: Table::Members, partition: user.to_owned(), sort: None }
    }

    #[tokio::test]
    async fn a_write_costs_a_unit_a_kilobyte_and_as_much_for_each_index_that_it_changes() {
        let scene = Scene::start().await;
        let a = Some("a");
        assert_eq!(scene.write(&[put("1", a, 1_024)]).await, units(1, 1));
        assert_eq!(scene.write(&[put("2", a, 1_025)]).await, units(2, 2));
        assert_eq!(scene.write(&[put("3", None, 1_025)]).await, units(2, 0), "not in the index");
        assert_eq!(scene.write(&[put("2", a, 1_025)]).await, units(2, 0), "nothing new for the index");
        assert_eq!(scene.write(&[put("2", a, 100)]).await, units(2, 2), "the larger of before and after");
        assert_eq!(
            scene.write(&[put("2", Some("b"), 100)]).await,
            units(1, 2),
            "out of one place, into another"
        );
        let delete = Write::Delete { key: key("1"), condition: Condition::Present };
        assert_eq!(scene.write(&[delete]).await, units(1, 1));
    }

    #[tokio::test]
    async fn a_write_in_a_transaction_costs_twice_as_much_but_not_its_indexes() {
        let scene = Scene::start().await;
        let a = Some("a");
        assert_eq!(scene.write(&[put("1", a, 1_024), put("2", a, 1_025)]).await, units(2 + 4, 1 + 2));
        let check = Write::Check { key: key("2"), condition: Condition::Present };
        assert_eq!(scene.write(&[put("3", None, 100), check]).await, units(2 + 4, 0));
        let delete = Write::Delete { key: key("2"), condition: Condition::Present };
        assert_eq!(scene.write(&[put("1", Some("b"), 1_024), delete]).await, units(2 + 4, 2 + 2));
    }

    #[tokio::test]
    async fn a_read_costs_a_unit_for_each_four_kilobytes_of_an_item() {
        let scene = Scene::start().await;
        scene.write(&[put("1", None, 4_096)]).await;
        scene.write(&[put("2", None, 4_097)]).await;
        for (user, expected) in [("1", 1), ("2", 2), ("absent", 1)] {
            scene.engine.get(&key(user)).await.unwrap();
            assert_eq!(scene.units(), units(expected, 0), "{user}");
        }
    }

    /// Nine items of 1,000 bytes are three times four kilobytes, not nine times.
    #[tokio::test]
    async fn a_query_costs_what_its_items_weigh_together_and_half_of_it_on_an_index() {
        let scene = Scene::start().await;
        for user in 1..=9 {
            scene.write(&[put(&user.to_string(), Some("a"), 1_000)]).await;
        }
        let half = |units: i64| Decimal::from(units) / Decimal::from(2);
        for (limit, expected) in [(9, half(3)), (8, half(2)), (1, half(1))] {
            let query = Query {
                table: Table::Members,
                index: Some(BY_ACCOUNT),
                partition: "a".to_owned(),
                within: None,
                descending: true,
                limit,
                after: None,
            };
            assert_eq!(scene.engine.query(&query).await.unwrap().items.len(), usize::from(limit));
            assert_eq!(scene.units(), (Decimal::ZERO, expected), "{limit}");
        }
        let empty = Query {
            table: Table::Members,
            index: Some(BY_ACCOUNT),
            partition: "nobody".to_owned(),
            within: None,
            descending: true,
            limit: 25,
            after: None,
        };
        scene.engine.query(&empty).await.unwrap();
        assert_eq!(scene.units(), (Decimal::ZERO, half(1)));
        let of_the_table = Query { index: None, partition: "1".to_owned(), ..empty };
        scene.engine.query(&of_the_table).await.unwrap();
        assert_eq!(scene.units(), units(1, 0), "strongly consistent");
    }
}
