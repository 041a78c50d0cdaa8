//! DynamoDB: what the store relies on.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, Put,
    ReturnValuesOnConditionCheckFailure, ScalarAttributeType, StreamSpecification, StreamViewType,
    TransactWriteItem,
};

use portico_emulators::{Copies, Renamed};

use crate::support::{Clients, start};

/// A table with a stream and the string keys `account` and `id`.
pub async fn create_table(client: &Client, name: &str) {
    let attribute = |name: &str| {
        AttributeDefinition::builder()
            .attribute_name(name)
            .attribute_type(ScalarAttributeType::S)
            .build()
            .unwrap()
    };
    let key =
        |name: &str, kind| KeySchemaElement::builder().attribute_name(name).key_type(kind).build().unwrap();
    client
        .create_table()
        .table_name(name)
        .attribute_definitions(attribute("account"))
        .attribute_definitions(attribute("id"))
        .key_schema(key("account", KeyType::Hash))
        .key_schema(key("id", KeyType::Range))
        .billing_mode(BillingMode::PayPerRequest)
        .stream_specification(
            StreamSpecification::builder()
                .stream_enabled(true)
                .stream_view_type(StreamViewType::NewAndOldImages)
                .build()
                .unwrap(),
        )
        .send()
        .await
        .unwrap();
}

fn put(id: &str, value: &str) -> Put {
    Put::builder()
        .table_name("cases")
        .item("account", AttributeValue::S("acct_1".into()))
        .item("id", AttributeValue::S(id.into()))
        .item("value", AttributeValue::S(value.into()))
        .condition_expression("attribute_not_exists(id)")
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
        .build()
        .unwrap()
}

fn transact(
    client: &Client,
    puts: &[Put],
) -> aws_sdk_dynamodb::operation::transact_write_items::builders::TransactWriteItemsFluentBuilder {
    puts.iter().fold(client.transact_write_items(), |call, put| {
        call.transact_items(TransactWriteItem::builder().put(put.clone()).build())
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_condition_shows_the_item_that_is_there() {
    let emulators = start().await;
    let client = Clients::of(&emulators).dynamodb;
    create_table(&client, "cases").await;
    transact(&client, &[put("case_1", "first"), put("case_2", "first")]).send().await.unwrap();

    let refused = transact(&client, &[put("case_3", "second"), put("case_1", "second")])
        .send()
        .await
        .unwrap_err()
        .into_service_error();
    let aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError::TransactionCanceledException(
        cancelled,
    ) = refused
    else {
        panic!("{refused:?}")
    };
    let reasons = cancelled.cancellation_reasons();
    assert_eq!(reasons[0].code(), Some("None"));
    assert_eq!(reasons[1].code(), Some("ConditionalCheckFailed"));
    assert_eq!(reasons[1].item().unwrap()["value"], AttributeValue::S("first".into()));

    let items = client.scan().table_name("cases").consistent_read(true).send().await.unwrap();
    assert_eq!(items.count(), 2, "nothing of the refused transaction stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_many_conditional_writers_wins() {
    let emulators = start().await;
    let client = Clients::of(&emulators).dynamodb;
    create_table(&client, "cases").await;
    let writers = (0..16).map(|writer| {
        let client = client.clone();
        tokio::spawn(
            async move { transact(&client, &[put("case_1", &writer.to_string())]).send().await.is_ok() },
        )
    });
    let mut winners = 0;
    for writer in writers.collect::<Vec<_>>() {
        winners += usize::from(writer.await.unwrap());
    }
    assert_eq!(winners, 1);
}

/// Copies are whole items under other ids, and what was there stays as it was.
#[tokio::test(flavor = "multi_thread")]
async fn items_are_copied_under_other_ids() {
    let emulators = start().await;
    let client = Clients::of(&emulators).dynamodb;
    create_table(&client, "cases").await;
    let original = |place: u8| format!("case_aaaaaaaaaaaa{place:04x}");
    transact(&client, &[put(&original(1), "one"), put(&original(2), "two"), put("case_0", "none")])
        .send()
        .await
        .unwrap();
    let copies = Copies {
        table: "cases".into(),
        partition: "acct_1".into(),
        sort_prefix: "case_aaaaaaaaaaaa".into(),
        numbers: 7..10,
        renamed: vec![Renamed { text: "case_aaaaaaaaaaaa".into(), shared_by: 1 }],
    };
    assert_eq!(emulators.copy_items(copies).await.unwrap(), 6);
    let found = client
        .query()
        .table_name("cases")
        .key_condition_expression("account = :account")
        .expression_attribute_values(":account", AttributeValue::S("acct_1".into()))
        .send()
        .await
        .unwrap();
    let text = |value: &AttributeValue| value.as_s().unwrap().clone();
    let mut expected = vec![("case_0".to_owned(), "none".to_owned())];
    for id in ["000000000007", "000000000008", "000000000009", "aaaaaaaaaaaa"] {
        expected.push((format!("case_{id}0001"), "one".to_owned()));
        expected.push((format!("case_{id}0002"), "two".to_owned()));
    }
    let found: Vec<_> = found.items().iter().map(|item| (text(&item["id"]), text(&item["value"]))).collect();
    assert_eq!(found, expected);
}
