//! How records become items: the record's own fields, plus its keys.

use portico_domain::CaseId;
use serde::{Serialize, de::DeserializeOwned};
use serde_dynamo::{AttributeValue, Item};

use crate::{
    StoreError, Tenant,
    engine::{Key, Table},
};

/// The partition of everything that hangs on one case. The account comes first: a case id alone reaches
/// nothing.
pub(crate) fn case_partition(tenant: &Tenant, case: CaseId) -> String {
    format!("{}#{case}", tenant.account())
}

pub(crate) fn key(table: Table, partition: impl ToString, sort: Option<String>) -> Key {
    Key { table, partition: partition.to_string(), sort }
}

/// The key alone, as an item: where a query goes on after.
pub(crate) fn key_item(key: &Key) -> Item {
    let (partition, sort) = key.table.key_names();
    let mut item = Item::default();
    item.inner_mut().insert(partition.to_owned(), AttributeValue::S(key.partition.clone()));
    if let Some((name, value)) = sort.zip(key.sort.clone()) {
        item.inner_mut().insert(name.to_owned(), AttributeValue::S(value));
    }
    item
}

/// A record and its keys as an item.
pub(crate) fn item<T: Serialize>(
    table: Table,
    record: &T,
    keys: &[(&str, String)],
) -> Result<Item, StoreError> {
    let mut item: Item =
        serde_dynamo::to_item(record).map_err(|source| StoreError::Item { table, source })?;
    for (name, value) in keys {
        item.inner_mut().insert((*name).to_owned(), AttributeValue::S(value.clone()));
    }
    Ok(item)
}

/// The record in an item.
pub(crate) fn record<T: DeserializeOwned>(table: Table, item: Item) -> Result<T, StoreError> {
    serde_dynamo::from_item(item).map_err(|source| StoreError::Item { table, source })
}
