//! The template's tables are the store's.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use portico_store::engine::Table;
use serde_json::Value;

use crate::{
    stack::TABLES,
    template::{Template, target},
};

/// Which table's name stands in which variable, as the functions get them.
fn tables_by_variable(template: &Template) -> BTreeMap<String, BTreeSet<String>> {
    let mut tables: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for function in template.functions() {
        for (name, value) in function.variables() {
            if let Some(id) = target(value).filter(|id| template.type_of(id) == Some("AWS::DynamoDB::Table"))
            {
                tables.entry(name.clone()).or_default().insert(id.to_owned());
            }
        }
    }
    tables
}

fn key_names(schema: &Value) -> (&str, Option<&str>) {
    let name = |kind: &str| {
        let mut keys = schema.as_array().unwrap().iter().filter(|key| key["KeyType"] == kind);
        keys.next().map(|key| key["AttributeName"].as_str().unwrap())
    };
    (name("HASH").unwrap(), name("RANGE"))
}

#[test]
fn every_table_of_the_store_is_one_of_the_template_with_the_same_keys() {
    let template = Template::read();
    let by_variable = tables_by_variable(&template);
    let tables: BTreeMap<&str, &Value> = template.of_type("AWS::DynamoDB::Table").collect();
    let settings: BTreeSet<String> = TABLES.iter().map(|table| table.setting().to_owned()).collect();
    assert_eq!(by_variable.keys().cloned().collect::<BTreeSet<_>>(), settings);
    assert_eq!(tables.len(), TABLES.len(), "a table that the store does not know");
    for table in TABLES {
        let ids = &by_variable[table.setting()];
        assert_eq!(ids.len(), 1, "{table:?} is {ids:?} for different functions");
        let properties = tables[ids.first().unwrap().as_str()];
        assert_eq!(key_names(&properties["KeySchema"]), table.key_names(), "{table:?}");
        for attribute in properties["AttributeDefinitions"].as_array().unwrap() {
            assert_eq!(attribute["AttributeType"], "S", "{table:?}: keys are text");
        }
    }
}

/// The store names indexes and their partition keys in literals; this reads them where they stand.
#[test]
fn every_index_of_the_store_is_one_of_the_template() {
    let template = Template::read();
    let mut declared = BTreeSet::new();
    for (_, properties) in template.of_type("AWS::DynamoDB::Table") {
        for index in properties["GlobalSecondaryIndexes"].as_array().into_iter().flatten() {
            // Lists of cases are lean; all other records are read from indexes whole.
            let lean = properties["KeySchema"][1]["AttributeName"] == "case";
            let projection = if lean { "INCLUDE" } else { "ALL" };
            assert_eq!(index["Projection"]["ProjectionType"], projection, "{}", index["IndexName"]);
            let (partition, _) = key_names(&index["KeySchema"]);
            declared.insert((index["IndexName"].as_str().unwrap().to_owned(), partition.to_owned()));
        }
    }
    let mut used = BTreeSet::new();
    for text in sources(&portico_conformance::root().join("shared/store/src")) {
        for (_, after) in
            text.match_indices("Index { name: \"").map(|(at, found)| text.split_at(at + found.len()))
        {
            let (name, rest) = after.split_once("\", partition: \"").unwrap();
            used.insert((name.to_owned(), rest.split('"').next().unwrap().to_owned()));
        }
    }
    assert_eq!(declared, used);
}

/// The text of every file below a directory.
fn sources(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(
            |path| if path.is_dir() { sources(&path) } else { vec![std::fs::read_to_string(path).unwrap()] },
        )
        .collect()
}

/// Items that expire are swept, and only those; what people would miss can be brought back.
#[test]
fn what_expires_is_swept_and_the_rest_can_be_restored() {
    let template = Template::read();
    let by_variable = tables_by_variable(&template);
    let tables: BTreeMap<&str, &Value> = template.of_type("AWS::DynamoDB::Table").collect();
    for table in TABLES {
        let properties = tables[by_variable[table.setting()].first().unwrap().as_str()];
        let expires = matches!(
            table,
            Table::Archives
                | Table::Idempotency
                | Table::Outbox
                | Table::Connections
                | Table::LiveTickets
                | Table::SyncRuns
        );
        let expiry = properties["TimeToLiveSpecification"]["AttributeName"].as_str();
        assert_eq!(expiry, expires.then_some("expires_at"), "{table:?}");
        let passing =
            matches!(table, Table::Archives | Table::Idempotency | Table::Connections | Table::LiveTickets);
        let restorable = properties["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] == true;
        assert_eq!(restorable, !passing, "{table:?}");
        let streams = properties["StreamSpecification"]["StreamViewType"].as_str();
        assert_eq!(streams, (table == Table::Outbox).then_some("NEW_IMAGE"), "{table:?}");
    }
}
