use std::time::{Duration, Instant};

use fake_salesforce::{Config, FakeSalesforce, Settings, demo};
use http::Method;
use proptest::{prelude::*, test_runner::TestRunner};
use serde_json::{Value, json};

use crate::harness::{Hand, START, TestOrg, answer, config};

/// Five accounts: alpha, Beta, gamma%, null city, O'Neil.
async fn accounts() -> TestOrg {
    let org = TestOrg::local().await;
    for (name, city) in [
        ("alpha", Some("Bonn")),
        ("Beta", Some("bonn")),
        ("gamma%", Some("Kiel")),
        ("delta", None),
        ("O'Neil \\ Söhne", Some("Ulm")),
    ] {
        org.create("Account", json!({"Name": name, "BillingCity": city})).await;
    }
    org
}

#[tokio::test]
async fn conditions_follow_soqls_rules() {
    let org = accounts().await;
    for (condition, names) in [
        ("Name = 'ALPHA'", vec!["alpha"]),
        ("BillingCity = 'Bonn'", vec!["alpha", "Beta"]),
        ("BillingCity != 'Bonn'", vec!["gamma%", "delta", "O'Neil \\ Söhne"]),
        ("BillingCity <> 'Bonn'", vec!["gamma%", "delta", "O'Neil \\ Söhne"]),
        ("BillingCity = null", vec!["delta"]),
        ("BillingCity = ''", vec!["delta"]),
        ("BillingCity != null AND Name > 'c'", vec!["gamma%", "O'Neil \\ Söhne"]),
        ("NOT BillingCity = 'Bonn'", vec!["gamma%", "delta", "O'Neil \\ Söhne"]),
        ("NOT (BillingCity LIKE 'b%' OR BillingCity = 'Ulm')", vec!["gamma%", "delta"]),
        ("NOT BillingCity IN ('Bonn', 'Kiel')", vec!["delta", "O'Neil \\ Söhne"]),
        ("BillingCity NOT IN ('Bonn', 'Kiel')", vec!["delta", "O'Neil \\ Söhne"]),
        ("BillingCity IN ('Kiel', null)", vec!["gamma%", "delta"]),
        ("BillingCity NOT IN ('Kiel', null)", vec!["alpha", "Beta", "O'Neil \\ Söhne"]),
        ("NOT BillingCity > 'C'", vec!["alpha", "Beta", "delta"]),
        ("Name LIKE '%a'", vec!["alpha", "Beta", "delta"]),
        ("Name LIKE '_eta'", vec!["Beta"]),
        ("Name LIKE '%\\%'", vec!["gamma%"]),
        ("Name = 'o\\'neil \\\\ S\\u00f6hne'", vec!["O'Neil \\ Söhne"]),
        ("(Name = 'alpha' OR Name = 'Beta') AND (NOT Name = 'alpha')", vec!["Beta"]),
        ("IsDeleted = false AND Name IN ('delta')", vec!["delta"]),
        (
            "CreatedDate >= 2026-11-22T01:02:03Z AND CreatedDate <= 2026-11-22T02:02:03+01:00 AND Name = 'alpha'",
            vec!["alpha"],
        ),
        ("CreatedDate > 2026-11-22T01:02:02.999Z AND Name = 'alpha'", vec!["alpha"]),
        ("CreatedDate > 2026-11-22T01:02:03.001Z", vec![]),
    ] {
        let found =
            org.column(&format!("SELECT Name FROM Account WHERE {condition} ORDER BY Id"), "Name").await;
        assert_eq!(found, names, "{condition}");
    }
}

#[tokio::test]
async fn case_r07_strings_cannot_leave_their_literal() {
    let org = accounts().await;
    for evil in ["' OR Name != '", "x'; DROP TABLE Account; --", "\\", "%' OR 'a' = 'a", "\u{0}", "𝕏' --"]
    {
        let escaped = evil.replace('\\', "\\\\").replace('\'', "\\'");
        let found = org.column(&format!("SELECT Id FROM Account WHERE Name = '{escaped}'"), "Id").await;
        assert!(found.is_empty(), "{evil}");
        let id = org.create("Account", json!({"Name": format!("n{evil}")})).await;
        let found = org.column(&format!("SELECT Id FROM Account WHERE Name = 'n{escaped}'"), "Id").await;
        assert_eq!(found, [json!(id)], "{evil}");
    }
}

#[tokio::test]
async fn parents_are_joined_shown_and_filtered() {
    let org = TestOrg::demo().await;
    let answer = org
        .query(
            "SELECT CaseNumber, Account.Name, Account.Portal_Account_Id__c, Contact.Email, Owner.Name FROM Case
             WHERE Account.Name = 'Brightwater Labs' ORDER BY CaseNumber LIMIT 1",
        )
        .await;
    let record = &answer.body["records"][0];
    assert_eq!(record["Account"]["Portal_Account_Id__c"], json!(demo::BRIGHTWATER.portal_account_id));
    assert_eq!(
        record["Account"]["attributes"],
        json!({
            "type": "Account",
            "url": format!("/services/data/v66.0/sobjects/Account/{}", demo::BRIGHTWATER.id),
        })
    );
    assert_eq!(record["Contact"]["Email"], json!(demo::BRIGHTWATER.contacts[0].email));
    assert_eq!(record["Owner"]["Name"], json!(demo::AGENT_NAME));
    assert_eq!(record.get("Id"), None);

    let entries = org
        .query("SELECT Minutes__c, Case__r.AccountId, Case__r.Account.Name FROM Time_Entry__c WHERE Minutes__c >= 150.5")
        .await;
    assert_eq!(entries.body["totalSize"], json!(2));
    assert_eq!(entries.body["records"][0]["Minutes__c"].to_string(), "210.0", "numbers are doubles");
    assert_eq!(entries.body["records"][0]["Case__r"]["AccountId"], json!(demo::NORDHAVEN.id));
    assert_eq!(entries.body["records"][0]["Case__r"]["Account"]["Name"], json!("Nordhaven Logistics"));

    let comments = org
        .column("SELECT Id FROM CaseComment WHERE Parent.Status = 'Working' AND IsPublished = true", "Id")
        .await;
    assert_eq!(comments.len(), 3);
    let orphan = org.create("Case", json!({"Subject": "no account"})).await;
    let found = org.query(&format!("SELECT Account.Name FROM Case WHERE Id = '{orphan}'")).await;
    assert_eq!(found.body["records"][0]["Account"], Value::Null);
}

#[tokio::test]
async fn order_limit_offset_and_count() {
    let org = accounts().await;
    for (tail, names) in [
        ("ORDER BY Name", vec!["alpha", "Beta", "delta", "gamma%", "O'Neil \\ Söhne"]),
        ("ORDER BY Name DESC LIMIT 2", vec!["O'Neil \\ Söhne", "gamma%"]),
        ("ORDER BY BillingCity, Name", vec!["delta", "alpha", "Beta", "gamma%", "O'Neil \\ Söhne"]),
        (
            "ORDER BY BillingCity DESC NULLS LAST, Name ASC",
            vec!["O'Neil \\ Söhne", "gamma%", "alpha", "Beta", "delta"],
        ),
        ("ORDER BY Name LIMIT 2 OFFSET 3", vec!["gamma%", "O'Neil \\ Söhne"]),
        ("LIMIT 0", vec![]),
    ] {
        assert_eq!(org.column(&format!("SELECT Name FROM Account {tail}"), "Name").await, names, "{tail}");
    }
    assert_eq!(org.query("SELECT COUNT() FROM Account LIMIT 3").await.body["totalSize"], json!(3));
    let trailing =
        answer(org.request(Method::GET, "/query/").query(&[("q", "SELECT Id FROM Account")])).await;
    assert_eq!(trailing.body["totalSize"], json!(5));
}

#[tokio::test]
async fn bad_queries_name_the_place() {
    let org = TestOrg::local().await;
    for (query, code, place) in [
        ("SELECT Id FROM Case WHERE", "MALFORMED_QUERY", "Row:1:Column:26"),
        (
            "SELECT Id FROM Case WHERE Status = 'New' AND IsClosed = true OR Id = null",
            "MALFORMED_QUERY",
            "Column:62",
        ),
        ("SELECT Id FROM\nCase WERE x = 1", "MALFORMED_QUERY", "Row:2:Column:6"),
        ("SELECT Colour FROM Case", "INVALID_FIELD", "Column:8"),
        ("SELECT Id, id FROM Case", "INVALID_FIELD", "Column:12"),
        ("SELECT Owner.Colour FROM Case", "INVALID_FIELD", "Column:8"),
        ("SELECT Landlord.Name FROM Case", "INVALID_FIELD", "Column:8"),
        ("SELECT Id FROM Cases", "INVALID_TYPE", "Column:16"),
        ("SELECT Id FROM Case WHERE Description LIKE 'a%'", "INVALID_FIELD", "Column:27"),
        ("SELECT Id FROM CaseComment ORDER BY CommentBody", "INVALID_FIELD", "Column:37"),
        ("SELECT Id FROM Case WHERE IsClosed = 'true'", "INVALID_FIELD", "Column:38"),
        ("SELECT Id FROM Case WHERE Subject = 5", "INVALID_FIELD", "Column:37"),
        ("SELECT Id FROM Case WHERE CreatedDate = 2026-11-22", "INVALID_FIELD", "Column:41"),
        ("SELECT Id FROM Case WHERE CreatedDate = '2026-11-22T00:00:00Z'", "INVALID_FIELD", "Column:41"),
        ("SELECT Id FROM Case WHERE Id = 'x'", "INVALID_QUERY_FILTER_OPERATOR", "Column:32"),
        ("SELECT Id FROM Case WHERE Id LIKE '500%'", "INVALID_QUERY_FILTER_OPERATOR", "Column:27"),
        ("SELECT Id FROM Case WHERE IsClosed > false", "INVALID_QUERY_FILTER_OPERATOR", "Column:27"),
        ("SELECT Id FROM Case OFFSET 2001", "NUMBER_OUTSIDE_VALID_RANGE", "Column:28"),
    ] {
        let refused = org.query(query).await;
        assert_eq!((refused.status, refused.code()), (400, code), "{query}: {refused:?}");
        let message = refused.body[0]["message"].as_str().unwrap();
        assert!(message.contains(place), "{query}: {message}");
    }
    let missing = org.get("/query").await;
    assert_eq!((missing.status, missing.code()), (400, "MALFORMED_QUERY"));
    let long = format!("/query?q={}", "x".repeat(17_000));
    assert_eq!(org.get(&long).await.status, 414);
}

#[tokio::test]
async fn large_results_come_in_pages() {
    let org = accounts().await;
    org.org.set_settings(Settings { query_batch_size: 2, ..org.org.settings() });
    let first = org.query("SELECT Name FROM Account ORDER BY Name").await;
    assert_eq!((&first.body["totalSize"], &first.body["done"]), (&json!(5), &json!(false)));
    assert_eq!(first.body["records"].as_array().unwrap().len(), 2);
    let next = first.body["nextRecordsUrl"].as_str().unwrap().to_owned();
    assert!(next.starts_with("/services/data/v66.0/query/01g") && next.ends_with("-2"), "{next}");

    // R05: a record deleted meanwhile makes its page short.
    let id = org.column("SELECT Id FROM Account WHERE Name = 'delta'", "Id").await[0].clone();
    org.delete(&format!("/sobjects/Account/{}", id.as_str().unwrap())).await;
    let second = org.get(&next).await;
    assert_eq!(second.body["records"].as_array().unwrap().len(), 1);
    assert_eq!(second.body["records"][0]["Name"], json!("gamma%"));
    assert_eq!(second.body["done"], json!(false));
    let third = org.get(second.body["nextRecordsUrl"].as_str().unwrap()).await;
    assert_eq!(third.body["done"], json!(true));
    assert_eq!(third.body["records"].as_array().unwrap().len(), 1);
    assert_eq!(third.body.get("nextRecordsUrl"), None);

    assert_eq!(org.get(&next).await.status, 200, "a page can be read again");
    for locator in ["01gFk0000000zzz-2", "nonsense", &next.replace("-2", "-99")[27..]] {
        let refused = org.get(&format!("/query/{locator}")).await;
        assert_eq!((refused.status, refused.code()), (400, "INVALID_QUERY_LOCATOR"), "{locator}");
    }
    org.org.set_settings(Settings { query_batch_size: 2_000, ..org.org.settings() });
    let sized = org.request(Method::GET, "/query").query(&[("q", "SELECT Id FROM Account")]);
    let sized = answer(sized.header("sforce-query-options", "batchSize=1")).await;
    assert_eq!(sized.body["done"], json!(true), "the smallest page has 200 records");
}

#[tokio::test]
async fn ten_thousand_cases_are_queried_quickly() {
    let hand = Hand::at(START);
    let org = TestOrg::start(Config { clock: hand.clock(), ..config() }).await;
    let mut ids = Vec::new();
    for batch in 0..50 {
        let records: Vec<Value> = (0..200)
            .map(|n| json!({"attributes": {"type": "Case"}, "Subject": format!("Case {batch}-{n}")}))
            .collect();
        let answer = org.post("/composite/sobjects", json!({"records": records})).await;
        let results = answer.body.as_array().unwrap();
        ids.extend(results.iter().step_by(50).map(|result| result["id"].as_str().unwrap().to_owned()));
        hand.advance(60);
    }
    assert_eq!(ids.len(), 200);
    let list = ids.iter().map(|id| format!("'{id}'")).collect::<Vec<_>>().join(",");
    // A debug build on a busy machine: generous, yet far below a scan per id.
    for (query, total) in [
        (format!("SELECT Id, Status FROM Case WHERE Id IN ({list})"), 200),
        (
            "SELECT Id FROM Case WHERE SystemModstamp >= 2026-11-22T01:40:00Z AND SystemModstamp < 2026-11-22T01:41:00Z ORDER BY SystemModstamp, Id".to_owned(),
            200,
        ),
    ] {
        let mut best = Duration::MAX;
        for _ in 0..3 {
            let start = Instant::now();
            let answer = org.query(&query).await;
            best = best.min(start.elapsed());
            assert_eq!(answer.body["totalSize"], json!(total), "{query}");
        }
        assert!(best < Duration::from_millis(250), "{best:?}");
    }
}

/// Random but well-formed conditions never fail inside the store.
#[test]
fn every_well_formed_condition_can_be_run() {
    let leaf = prop::sample::select(vec![
        "Name = 'a'",
        "Name != null",
        "BillingCity LIKE '%x_'",
        "BillingCity IN ('a', null)",
        "BillingCity NOT IN ('b')",
        "MasterRecord.Name > 'a'",
        "MasterRecordId = null",
        "CreatedDate < 2026-11-22T00:00:00Z",
        "IsDeleted = false",
        "CreatedBy.IsActive = true",
    ])
    .prop_map(str::to_owned);
    let condition = leaf.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|term| format!("NOT ({term})")),
            prop::collection::vec(inner.clone(), 2..4).prop_map(|terms| format!("({})", terms.join(" AND "))),
            prop::collection::vec(inner, 2..4).prop_map(|terms| format!("({})", terms.join(" OR "))),
        ]
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let org: TestOrg = runtime.block_on(accounts());
    let total = |soql: String| {
        let answer = runtime.block_on(org.query(&soql));
        assert_eq!(answer.status, 200, "{soql}: {answer:?}");
        answer.body["totalSize"].as_u64().unwrap()
    };
    TestRunner::new(ProptestConfig::with_cases(48))
        .run(&condition, |condition| {
            let with = total(format!("SELECT COUNT() FROM Account WHERE {condition}"));
            let without = total(format!("SELECT COUNT() FROM Account WHERE NOT ({condition})"));
            // Two-valued logic: each record fits a condition or its negation.
            prop_assert_eq!(with + without, 5, "{}", condition);
            Ok(())
        })
        .unwrap();
    let _: &FakeSalesforce = &org.org;
}
