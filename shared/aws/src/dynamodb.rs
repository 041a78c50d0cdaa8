//! The store's engine on DynamoDB.

use std::{collections::HashMap, time::Duration};

use async_trait::async_trait;
use aws_sdk_dynamodb::{
    Client,
    error::{DisplayErrorContext, ProvideErrorMetadata, SdkError},
    operation::{
        delete_item::DeleteItemError, put_item::PutItemError, transact_write_items::TransactWriteItemsError,
    },
    types::{
        AttributeValue, CancellationReason, ConditionCheck, Delete, Put, ReturnValuesOnConditionCheckFailure,
        TransactWriteItem, Update, error::ConditionalCheckFailedException,
    },
};
use portico_store::engine::{
    Condition, Engine, EngineError, Found, Key, Query, Refused, Table, TransactError, Write,
};
use serde_dynamo::Item;

use crate::settings::Settings;

/// How often a write is tried that others collide with. Each wait doubles, from [`FIRST_WAIT`].
const ATTEMPTS: u32 = 7;
/// The first wait after a collision.
const FIRST_WAIT: Duration = Duration::from_millis(10);

type Attributes = HashMap<String, AttributeValue>;

/// DynamoDB, with the tables that this function was given.
#[derive(Debug)]
pub(crate) struct DynamoDb {
    client: Client,
    settings: Settings,
}

impl DynamoDb {
    pub(crate) fn new(client: Client, settings: Settings) -> Self {
        Self { client, settings }
    }

    fn name(&self, table: Table) -> Result<String, EngineError> {
        self.settings.text(table.setting()).map(str::to_owned).map_err(|_| EngineError::NoSuchTable(table))
    }

    fn write(&self, write: &Write) -> Result<TransactWriteItem, EngineError> {
        let all_old = ReturnValuesOnConditionCheckFailure::AllOld;
        let wrong = |error: aws_sdk_dynamodb::error::BuildError| EngineError::Rejected(error.to_string());
        Ok(match write {
            Write::Put { table, item, condition } => {
                let terms = Terms::of(*condition, *table);
                let put = Put::builder()
                    .table_name(self.name(*table)?)
                    .set_item(Some(attributes(item.clone())))
                    .set_condition_expression(terms.expression)
                    .set_expression_attribute_names(terms.names)
                    .set_expression_attribute_values(terms.values)
                    .return_values_on_condition_check_failure(all_old)
                    .build()
                    .map_err(wrong)?;
                TransactWriteItem::builder().put(put).build()
            }
            Write::Delete { key, condition } => {
                let terms = Terms::of(*condition, key.table);
                let delete = Delete::builder()
                    .table_name(self.name(key.table)?)
                    .set_key(Some(key_attributes(key)))
                    .set_condition_expression(terms.expression)
                    .set_expression_attribute_names(terms.names)
                    .set_expression_attribute_values(terms.values)
                    .return_values_on_condition_check_failure(all_old)
                    .build()
                    .map_err(wrong)?;
                TransactWriteItem::builder().delete(delete).build()
            }
            Write::Add { key, amounts, at_most } => {
                let sum = Sum::of(amounts, at_most);
                let update = Update::builder()
                    .table_name(self.name(key.table)?)
                    .set_key(Some(key_attributes(key)))
                    .update_expression(sum.update)
                    .set_condition_expression(sum.condition)
                    .set_expression_attribute_names(Some(sum.names))
                    .set_expression_attribute_values(Some(sum.values))
                    .return_values_on_condition_check_failure(all_old)
                    .build()
                    .map_err(wrong)?;
                TransactWriteItem::builder().update(update).build()
            }
            Write::Check { key, condition } => {
                let terms = Terms::of(*condition, key.table);
                let check = ConditionCheck::builder()
                    .table_name(self.name(key.table)?)
                    .set_key(Some(key_attributes(key)))
                    .set_condition_expression(terms.expression)
                    .set_expression_attribute_names(terms.names)
                    .set_expression_attribute_values(terms.values)
                    .return_values_on_condition_check_failure(all_old)
                    .build()
                    .map_err(wrong)?;
                TransactWriteItem::builder().condition_check(check).build()
            }
        })
    }

    /// A single write needs no transaction, which would cost twice as much.
    async fn write_one(&self, write: &Write) -> Result<(), Attempt> {
        let all_old = ReturnValuesOnConditionCheckFailure::AllOld;
        match write {
            Write::Put { table, item, condition } => {
                let terms = Terms::of(*condition, *table);
                let sent = self
                    .client
                    .put_item()
                    .table_name(self.name(*table)?)
                    .set_item(Some(attributes(item.clone())))
                    .set_condition_expression(terms.expression)
                    .set_expression_attribute_names(terms.names)
                    .set_expression_attribute_values(terms.values)
                    .return_values_on_condition_check_failure(all_old)
                    .send()
                    .await;
                sent.map(|_| ()).map_err(|error| match error.as_service_error() {
                    Some(PutItemError::ConditionalCheckFailedException(refused)) => stood_in_the_way(refused),
                    Some(PutItemError::TransactionConflictException(_)) => Attempt::Collided,
                    _ => failure(&error).into(),
                })
            }
            Write::Delete { key, condition } => {
                let terms = Terms::of(*condition, key.table);
                let sent = self
                    .client
                    .delete_item()
                    .table_name(self.name(key.table)?)
                    .set_key(Some(key_attributes(key)))
                    .set_condition_expression(terms.expression)
                    .set_expression_attribute_names(terms.names)
                    .set_expression_attribute_values(terms.values)
                    .return_values_on_condition_check_failure(all_old)
                    .send()
                    .await;
                sent.map(|_| ()).map_err(|error| match error.as_service_error() {
                    Some(DeleteItemError::ConditionalCheckFailedException(refused)) => {
                        stood_in_the_way(refused)
                    }
                    Some(DeleteItemError::TransactionConflictException(_)) => Attempt::Collided,
                    _ => failure(&error).into(),
                })
            }
            // Never alone: what is counted is counted with what it counts.
            Write::Add { .. } | Write::Check { .. } => self.write_all(std::slice::from_ref(write)).await,
        }
    }

    async fn write_all(&self, writes: &[Write]) -> Result<(), Attempt> {
        let items = writes.iter().map(|write| self.write(write)).collect::<Result<Vec<_>, _>>()?;
        let sent = self.client.transact_write_items().set_transact_items(Some(items)).send().await;
        let Err(error) = sent else { return Ok(()) };
        let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = error.as_service_error()
        else {
            return Err(failure(&error).into());
        };
        let reasons = cancelled.cancellation_reasons();
        let because = |code: &str| reasons.iter().any(|reason| reason.code() == Some(code));
        if because("ConditionalCheckFailed") {
            let refused = reasons.iter().map(refused).collect();
            return Err(Attempt::Settled(TransactError::Conditions(refused)));
        }
        if because("TransactionConflict") || because("ThrottlingError") {
            return Err(Attempt::Collided);
        }
        Err(failure(&error).into())
    }
}

/// How an attempt to write failed.
enum Attempt {
    /// For good.
    Settled(TransactError),
    /// Somebody else is writing the same item at this very moment: their transaction settles it.
    Collided,
}

impl From<EngineError> for Attempt {
    fn from(error: EngineError) -> Self {
        Self::Settled(error.into())
    }
}

fn stood_in_the_way(refused: &ConditionalCheckFailedException) -> Attempt {
    let item = refused.item().cloned().map(Item::from);
    Attempt::Settled(TransactError::Conditions(vec![Some(Refused { item })]))
}

/// Between half and all of `wait`, so that those who collided do not meet again.
fn jittered(wait: Duration) -> Duration {
    let spread = u64::try_from(wait.as_millis() / 2).unwrap_or(u64::MAX).max(1);
    let extra = getrandom::u64().unwrap_or_default() % spread;
    wait / 2 + Duration::from_millis(extra)
}

fn refused(reason: &CancellationReason) -> Option<Refused> {
    match reason.code() {
        Some("ConditionalCheckFailed") => Some(Refused { item: reason.item().cloned().map(Item::from) }),
        _ => None,
    }
}

/// A condition in DynamoDB's words.
#[derive(Default)]
struct Terms {
    expression: Option<String>,
    names: Option<HashMap<String, String>>,
    values: Option<Attributes>,
}

impl Terms {
    fn of(condition: Condition, table: Table) -> Self {
        let partition = table.key_names().0;
        let number = |value: String| AttributeValue::N(value);
        let (expression, attribute, value) = match condition {
            Condition::Always => return Self::default(),
            Condition::Absent => ("attribute_not_exists(#a)", partition, None),
            Condition::Present => ("attribute_exists(#a)", partition, None),
            Condition::AbsentOrExpired { now } => {
                ("attribute_not_exists(#a) OR #a <= :v", "expires_at", Some(number(now.to_string())))
            }
            Condition::VersionIs(version) => ("#a = :v", "version", Some(number(version.to_string()))),
            Condition::Unanswered => ("attribute_not_exists(#a)", "answer", None),
        };
        Self {
            expression: Some(expression.to_owned()),
            names: Some(HashMap::from([("#a".to_owned(), attribute.to_owned())])),
            values: value.map(|value| HashMap::from([(":v".to_owned(), value)])),
        }
    }
}

/// An addition in DynamoDB's words.
struct Sum {
    update: String,
    condition: Option<String>,
    names: HashMap<String, String>,
    values: Attributes,
}

impl Sum {
    fn of(amounts: &[(String, i64)], at_most: &[(&'static str, u64)]) -> Self {
        let mut names = HashMap::new();
        let mut values = Attributes::new();
        let mut terms = Vec::new();
        for (place, (attribute, amount)) in amounts.iter().enumerate() {
            names.insert(format!("#a{place}"), attribute.clone());
            values.insert(format!(":a{place}"), AttributeValue::N(amount.to_string()));
            terms.push(format!("#a{place} :a{place}"));
        }
        let mut conditions = Vec::new();
        for (place, (attribute, most)) in at_most.iter().enumerate() {
            let added =
                amounts.iter().filter(|(name, _)| name == attribute).map(|(_, amount)| i128::from(*amount));
            // What may be there before, so that the sum is no more than it may be.
            let room = i128::from(*most).saturating_sub(added.sum());
            names.insert(format!("#m{place}"), (*attribute).to_owned());
            values.insert(format!(":m{place}"), AttributeValue::N(room.to_string()));
            // No number yet is 0; a comparison with one that is not there is false.
            conditions.push(if room >= 0 {
                format!("(attribute_not_exists(#m{place}) OR #m{place} <= :m{place})")
            } else {
                format!("#m{place} <= :m{place}")
            });
        }
        let condition = (!conditions.is_empty()).then(|| conditions.join(" AND "));
        Self { update: format!("ADD {}", terms.join(", ")), condition, names, values }
    }
}

fn attributes(item: Item) -> Attributes {
    item.into()
}

fn key_attributes(key: &Key) -> Attributes {
    let (partition, sort) = key.table.key_names();
    let mut attributes = HashMap::from([(partition.to_owned(), AttributeValue::S(key.partition.clone()))]);
    if let (Some(name), Some(value)) = (sort, &key.sort) {
        attributes.insert(name.to_owned(), AttributeValue::S(value.clone()));
    }
    attributes
}

fn failure<E>(error: &SdkError<E>) -> EngineError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let text = DisplayErrorContext(error).to_string();
    match error {
        SdkError::ServiceError(service) => match service.err().code() {
            Some(
                "ProvisionedThroughputExceededException"
                | "ThrottlingException"
                | "RequestLimitExceeded"
                | "InternalServerError"
                | "TransactionInProgressException",
            ) => EngineError::Unavailable(text),
            _ => EngineError::Rejected(text),
        },
        SdkError::ConstructionFailure(_) => EngineError::Rejected(text),
        _ => EngineError::Unavailable(text),
    }
}

#[async_trait]
impl Engine for DynamoDb {
    async fn get(&self, key: &Key) -> Result<Option<Item>, EngineError> {
        let found = self
            .client
            .get_item()
            .table_name(self.name(key.table)?)
            .set_key(Some(key_attributes(key)))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| failure(&error))?;
        Ok(found.item.map(Item::from))
    }

    async fn query(&self, query: &Query) -> Result<Found, EngineError> {
        let partition = query.index.map_or(query.table.key_names().0, |index| index.partition);
        let (mut condition, mut names) =
            ("#p = :p", HashMap::from([("#p".to_owned(), partition.to_owned())]));
        let text = |value: &String| AttributeValue::S(value.clone());
        let mut values = HashMap::from([(":p".to_owned(), text(&query.partition))]);
        if let Some(within) = &query.within {
            condition = "#p = :p AND #s BETWEEN :f AND :l";
            names.insert("#s".to_owned(), within.name.to_owned());
            values.extend([(":f".to_owned(), text(&within.first)), (":l".to_owned(), text(&within.last))]);
        }
        let found = self
            .client
            .query()
            .table_name(self.name(query.table)?)
            .set_index_name(query.index.map(|index| index.name.to_owned()))
            .key_condition_expression(condition)
            .set_expression_attribute_names(Some(names))
            .set_expression_attribute_values(Some(values))
            .scan_index_forward(!query.descending)
            // Indexes are eventually consistent; DynamoDB offers nothing else there.
            .consistent_read(query.index.is_none())
            .limit(i32::from(query.limit.max(1)))
            .set_exclusive_start_key(query.after.clone().map(attributes))
            .send()
            .await
            .map_err(|error| failure(&error))?;
        Ok(Found {
            items: found.items.unwrap_or_default().into_iter().map(Item::from).collect(),
            next: found.last_evaluated_key.map(Item::from),
        })
    }

    async fn transact(&self, writes: &[Write]) -> Result<(), TransactError> {
        let mut wait = FIRST_WAIT;
        for _ in 0..ATTEMPTS {
            let outcome = match writes {
                [] => Ok(()),
                [write] => self.write_one(write).await,
                _ => self.write_all(writes).await,
            };
            match outcome {
                Ok(()) => return Ok(()),
                Err(Attempt::Settled(error)) => return Err(error),
                Err(Attempt::Collided) => {}
            }
            tokio::time::sleep(jittered(wait)).await;
            wait = wait.saturating_mul(2);
        }
        Err(EngineError::Busy.into())
    }
}
