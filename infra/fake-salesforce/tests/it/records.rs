use fake_salesforce::{Config, RecordId, Settings, demo};
use http::Method;
use serde_json::{Value, json};

use crate::harness::{Hand, START, TestOrg, answer, config};

#[tokio::test]
async fn a_record_is_created_read_changed_and_deleted() {
    let hand = Hand::at(START);
    let org = TestOrg::start(Config { clock: hand.clock(), ..config() }).await;
    let created = org.post("/sobjects/Case/", json!({"Subject": "Printer", "Priority": "High"})).await;
    assert_eq!(created.status, 201);
    assert_eq!(created.body, json!({"id": created.id(), "success": true, "errors": []}));
    let id = created.id();
    assert_eq!(created.headers["location"], format!("/services/data/v66.0/sobjects/Case/{id}").as_str());
    assert_eq!((id.len(), &id[..3]), (18, "500"));
    assert_eq!(RecordId::parse(&id[..15]).unwrap().as_str(), id);

    let path = format!("/sobjects/Case/{id}");
    let read = org.get(&path).await;
    assert_eq!(
        read.body["attributes"],
        json!({"type": "Case", "url": format!("/services/data/v66.0{path}")})
    );
    for (field, value) in [
        ("CaseNumber", json!("00000001")),
        ("Status", json!("New")),
        ("IsClosed", json!(false)),
        ("ClosedDate", Value::Null),
        ("OwnerId", json!(demo::INTEGRATION_USER_ID)),
        ("CreatedDate", json!("2026-11-22T01:02:03.000+0000")),
        ("SystemModstamp", json!("2026-11-22T01:02:03.000+0000")),
        ("IsDeleted", json!(false)),
    ] {
        assert_eq!(read.body[field], value, "{field}");
    }

    hand.advance(5);
    let changed = org.patch(&path, json!({"Status": "Resolved", "Subject": ""})).await;
    assert_eq!((changed.status, changed.body), (204, json!("")));
    let read = org.get(&format!("{path}?fields=Status,IsClosed,ClosedDate,Subject,SystemModstamp")).await;
    assert_eq!(read.body["IsClosed"], json!(true));
    assert_eq!(read.body["Subject"], Value::Null);
    assert_eq!(read.body["ClosedDate"], json!("2026-11-22T01:02:08.000+0000"));
    assert_eq!(read.body["SystemModstamp"], json!("2026-11-22T01:02:08.000+0000"));
    assert_eq!(read.body["Id"], json!(id));
    assert_eq!(read.body.get("CaseNumber"), None);
    org.patch(&path, json!({"Status": "working"})).await;
    let read = org.get(&path).await;
    assert_eq!((&read.body["Status"], &read.body["ClosedDate"]), (&json!("Working"), &Value::Null));

    assert_eq!(org.delete(&path).await.status, 204);
    let gone = org.get(&path).await;
    assert_eq!((gone.status, gone.code()), (404, "ENTITY_IS_DELETED"));
    assert_eq!(org.delete(&path).await.status, 404);
}

#[tokio::test]
async fn a_record_is_deleted_by_its_external_id_once() {
    let org = TestOrg::demo().await;
    let fields = json!({"Case__c": demo::NORDHAVEN.case_ids[0], "Portal_File_Id__c": "file_1", "Name": "a"});
    let id = org.create("Portal_File__c", fields.clone()).await;
    let path = "/sobjects/Portal_File__c/Portal_File_Id__c/file_1";
    let deleted = org.delete(path).await;
    assert_eq!((deleted.status, deleted.body), (204, json!("")));
    let again = org.delete(path).await;
    assert_eq!((again.status, again.code()), (404, "NOT_FOUND"));
    assert_eq!(org.get(&format!("/sobjects/Portal_File__c/{id}")).await.code(), "ENTITY_IS_DELETED");
    // What is in the bin keeps nobody from using its external id.
    assert_ne!(org.create("Portal_File__c", fields).await, id);
    let none = org.delete("/sobjects/Portal_File__c/Name/a").await;
    assert_eq!((none.status, none.code()), (404, "NOT_FOUND"), "not an external id");
}

#[tokio::test]
async fn refusals_have_salesforces_codes() {
    let org = TestOrg::demo().await;
    let account = demo::NORDHAVEN.id;
    let case = demo::NORDHAVEN.case_ids[0];
    let long = "x".repeat(256);
    for (object, body, code) in [
        ("Case", json!({"Colour": "red"}), "INVALID_FIELD"),
        ("Case", json!({"Subject": long}), "STRING_TOO_LONG"),
        ("Case", json!({"Status": "Lost"}), "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"),
        ("Case", json!({"Status": null}), "REQUIRED_FIELD_MISSING"),
        ("Case", json!({"CaseNumber": "1"}), "INVALID_FIELD_FOR_INSERT_UPDATE"),
        ("Case", json!({"CreatedDate": "2026-01-01T00:00:00Z"}), "INVALID_FIELD_FOR_INSERT_UPDATE"),
        ("Case", json!({"AccountId": "nonsense"}), "MALFORMED_ID"),
        ("Case", json!({"AccountId": "001Fk0000000001AAA"}), "MALFORMED_ID"),
        ("Case", json!({"AccountId": case}), "FIELD_INTEGRITY_EXCEPTION"),
        ("Case", json!({"AccountId": "001Fk00000000zz"}), "INVALID_CROSS_REFERENCE_KEY"),
        ("Case", json!({"Account": {"Portal_Account_Id__c": "none"}}), "INVALID_FIELD"),
        ("Case", json!({"Account": {"Name": "Nordhaven Logistics"}}), "INVALID_FIELD"),
        ("Case", json!({"Subject": {"a": 1}}), "JSON_PARSER_ERROR"),
        ("Case", json!([]), "JSON_PARSER_ERROR"),
        ("Contact", json!({"FirstName": "Ada"}), "REQUIRED_FIELD_MISSING"),
        ("Contact", json!({"LastName": "L", "Email": "no address"}), "INVALID_EMAIL_ADDRESS"),
        ("CaseComment", json!({"CommentBody": "x"}), "REQUIRED_FIELD_MISSING"),
        ("CaseComment", json!({"ParentId": case, "CommentBody": "é".repeat(2_001)}), "STRING_TOO_LONG"),
        (
            "Time_Entry__c",
            json!({"Case__c": case, "Work_Date__c": "22.11.2026", "Minutes__c": 1}),
            "JSON_PARSER_ERROR",
        ),
        (
            "Time_Entry__c",
            json!({"Case__c": case, "Work_Date__c": "2026-11-22", "Minutes__c": 1e7}),
            "NUMBER_OUTSIDE_VALID_RANGE",
        ),
        (
            "Account",
            json!({"Name": "Copy", "Portal_Account_Id__c": demo::NORDHAVEN.portal_account_id}),
            "DUPLICATE_VALUE",
        ),
        ("User", json!({"Name": "Eve"}), "INVALID_TYPE_FOR_OPERATION"),
    ] {
        let refused = org.post(&format!("/sobjects/{object}"), body.clone()).await;
        assert_eq!((refused.status, refused.code()), (400, code), "{object} {body}: {refused:?}");
        assert!(refused.body[0]["message"].is_string());
    }
    for (method, path, status, code) in [
        (Method::GET, "/sobjects/Nothing", 404, "NOT_FOUND"),
        (Method::GET, "/sobjects/Case/500Fk00000000zz", 404, "NOT_FOUND"),
        (Method::GET, "/sobjects/Case/001Fk0000000001", 404, "NOT_FOUND"),
        (Method::GET, "/sobjects/Case/Subject/x", 404, "NOT_FOUND"),
        (Method::GET, "/sobjects/Case/Portal_Request_Id__c/none", 404, "NOT_FOUND"),
        (Method::GET, "/nothing", 404, "NOT_FOUND"),
        (Method::GET, "/services/data/v40.0/limits", 404, "NOT_FOUND"),
        (Method::GET, "/services/data/v68.0/limits", 404, "NOT_FOUND"),
        (Method::PUT, "/sobjects/Case", 405, "METHOD_NOT_ALLOWED"),
        (Method::DELETE, "/limits", 405, "METHOD_NOT_ALLOWED"),
    ] {
        let refused = org.call(method, path, None).await;
        assert_eq!((refused.status, refused.code()), (status, code), "{path}");
    }
    let read = org.get(&format!("/sobjects/Account/{account}?fields=Name,Colour")).await;
    assert_eq!((read.status, read.code()), (400, "INVALID_FIELD"));
    let plain = answer(org.request(Method::POST, "/sobjects/Case").body("Subject=x")).await;
    assert_eq!((plain.status, plain.code()), (415, "UNSUPPORTED_MEDIA_TYPE"));
    let broken = org
        .request(Method::POST, "/sobjects/Case")
        .header("content-type", "application/json")
        .body("{\"Subject\": ");
    assert_eq!(answer(broken).await.code(), "JSON_PARSER_ERROR");
}

#[tokio::test]
async fn case_w16_ids_have_two_forms_and_letter_case_counts() {
    let org = TestOrg::local().await;
    let account = org.create("Account", json!({"Name": "Short ids"})).await;
    let short = &account[..15];
    let case = org.create("Case", json!({"AccountId": short})).await;
    let read = org.get(&format!("/sobjects/Case/{}", &case[..15])).await;
    assert_eq!(read.body["AccountId"], json!(account), "the long form is stored");
    let wrong = format!("{short}AAA");
    assert_eq!(org.get(&format!("/sobjects/Account/{wrong}")).await.status, 404);
    let lower = short.to_ascii_lowercase();
    assert_eq!(org.get(&format!("/sobjects/Account/{lower}")).await.status, 404);
    let found = org.column(&format!("SELECT Id FROM Case WHERE AccountId = '{short}'"), "Id").await;
    assert_eq!(found, [json!(case)]);
}

#[tokio::test]
async fn case_r01_an_upsert_repeated_makes_one_record() {
    let org = TestOrg::demo().await;
    let path = "/sobjects/Case/Portal_Request_Id__c/019a0d3c-0000-7000-8000-00000000abcd";
    let body = json!({
        "Subject": "From the portal",
        "Account": {"Portal_Account_Id__c": demo::BRIGHTWATER.portal_account_id},
    });
    let first = org.patch(path, body.clone()).await;
    assert_eq!(first.status, 201);
    assert_eq!(first.body, json!({"id": first.id(), "success": true, "errors": [], "created": true}));
    let second = org.patch(path, body.clone()).await;
    assert_eq!(second.status, 200);
    assert_eq!(second.body, json!({"id": first.id(), "success": true, "errors": [], "created": false}));
    let read = org.get(path).await;
    assert_eq!(read.body["Id"], json!(first.id()));
    assert_eq!(read.body["AccountId"], json!(demo::BRIGHTWATER.id));
    assert_eq!(read.body["CaseNumber"], json!("00000007"));

    let old = org.call(Method::PATCH, &format!("/services/data/v45.0{path}"), Some(body.clone())).await;
    assert_eq!((old.status, old.body), (204, json!("")));
    org.org.set_settings(Settings { empty_upsert_answers: true, ..org.org.settings() });
    let third = org.patch(path, body.clone()).await;
    assert_eq!((third.status, third.body), (204, json!("")));

    let named = org.patch(path, json!({"Portal_Request_Id__c": "other"})).await;
    assert_eq!((named.status, named.code()), (400, "INVALID_FIELD"));
    let only = org.patch("/sobjects/Case/Portal_Request_Id__c/unknown?updateOnly=true", body).await;
    assert_eq!(only.status, 404);
    let count = org.query("SELECT COUNT() FROM Case").await;
    assert_eq!(count.body, json!({"totalSize": 7, "done": true, "records": []}));
}

#[tokio::test]
async fn case_r02_concurrent_upserts_create_once_and_several_matches_are_300() {
    let org = TestOrg::local().await;
    let path = "/sobjects/Case/Portal_Request_Id__c/same";
    let calls = (0..16).map(|_| org.patch(path, json!({"Subject": "Once"})));
    let answers = futures_join(calls).await;
    assert_eq!(answers.iter().filter(|(status, _)| *status == 201).count(), 1);
    assert!(answers.iter().all(|(_, id)| *id == answers[0].1));

    let mut twins = Vec::new();
    for name in ["Ada", "Bea"] {
        twins.push(org.create("Contact", json!({"LastName": name, "Email": "shared@client.example"})).await);
    }
    let path = "/sobjects/Contact/Email/shared@client.example";
    let several = org.patch(path, json!({"FirstName": "X"})).await;
    assert_eq!(several.status, 300);
    let urls: Vec<String> =
        twins.iter().map(|id| format!("/services/data/v66.0/sobjects/Contact/{id}")).collect();
    assert_eq!(several.body, json!(urls));
    assert_eq!(org.get(path).await.status, 300);
    assert_eq!(org.column("SELECT FirstName FROM Contact", "FirstName").await, [Value::Null, Value::Null]);
}

async fn futures_join(
    calls: impl Iterator<Item = impl Future<Output = crate::harness::Answer>>,
) -> Vec<(u16, String)> {
    let answers = futures::future::join_all(calls).await;
    answers.into_iter().map(|answer| (answer.status, answer.id())).collect()
}

#[tokio::test]
async fn deletes_cascade_are_restricted_and_can_be_undone() {
    let org = TestOrg::demo().await;
    let case = demo::NORDHAVEN.case_ids[0];
    let contact = demo::NORDHAVEN.contacts[0].id;
    let refused = org.delete(&format!("/sobjects/Contact/{contact}")).await;
    assert_eq!((refused.status, refused.code()), (400, "DELETE_FAILED"));

    assert_eq!(org.delete(&format!("/sobjects/Case/{case}")).await.status, 204);
    let comments = format!("SELECT Id FROM CaseComment WHERE ParentId = '{case}'");
    assert_eq!(org.column(&comments, "Id").await.len(), 0);
    let all = answer(org.request(Method::GET, "/queryAll").query(&[("q", &comments)])).await;
    assert_eq!(all.body["totalSize"], json!(4));

    let undeleted = org.post("/_fake/records/undelete", json!({"id": case})).await;
    assert_eq!(undeleted.status, 204, "{undeleted:?}");
    assert_eq!(org.column(&comments, "Id").await.len(), 4);
    assert_eq!(org.get(&format!("/sobjects/Case/{case}")).await.status, 200);

    // The account takes everything with it.
    assert_eq!(org.delete(&format!("/sobjects/Account/{}", demo::NORDHAVEN.id)).await.status, 204);
    for object in ["Case", "Contact", "Portal_Contract__c", "Portal_Rate__c", "Time_Entry__c"] {
        let left = org.query(&format!("SELECT COUNT() FROM {object}")).await;
        let everything = answer(
            org.request(Method::GET, "/queryAll").query(&[("q", format!("SELECT COUNT() FROM {object}"))]),
        )
        .await;
        assert!(left.body["totalSize"].as_u64() < everything.body["totalSize"].as_u64(), "{object}");
    }
}

#[tokio::test]
async fn case_w21_a_merge_deletes_the_loser_and_moves_its_children() {
    let hand = Hand::at(START);
    let org = TestOrg::start(Config { clock: hand.clock(), demo_data: true, ..config() }).await;
    hand.advance(60);
    let (winner, loser) = (demo::NORDHAVEN.id, demo::BRIGHTWATER.id);
    let merged = org.post("/_fake/records/merge", json!({"winner": winner, "loser": loser})).await;
    assert_eq!(merged.status, 204, "{merged:?}");
    let all = answer(
        org.request(Method::GET, "/queryAll")
            .query(&[("q", format!("SELECT IsDeleted, MasterRecordId FROM Account WHERE Id = '{loser}'"))]),
    )
    .await;
    assert_eq!(all.body["records"][0]["IsDeleted"], json!(true));
    assert_eq!(all.body["records"][0]["MasterRecordId"], json!(winner));
    let moved = org.query(&format!("SELECT Id FROM Case WHERE AccountId = '{winner}'")).await;
    assert_eq!(moved.body["totalSize"], json!(6));
    // W11: the children's SystemModstamp moved, their LastModifiedDate did not.
    let child = org.get(&format!("/sobjects/Case/{}", demo::BRIGHTWATER.case_ids[0])).await;
    assert_eq!(child.body["SystemModstamp"], json!("2026-11-22T01:03:03.000+0000"));
    assert_ne!(child.body["LastModifiedDate"], child.body["SystemModstamp"]);
}

#[tokio::test]
async fn case_w11_a_touch_moves_only_the_system_modstamp_which_never_runs_backwards() {
    let hand = Hand::at(START);
    let org = TestOrg::start(Config { clock: hand.clock(), ..config() }).await;
    let id = org.create("Account", json!({"Name": "A"})).await;
    hand.advance(10);
    assert_eq!(org.post("/_fake/records/touch", json!({"id": id})).await.status, 204);
    let read = org.get(&format!("/sobjects/Account/{id}")).await;
    assert_eq!(read.body["LastModifiedDate"], json!("2026-11-22T01:02:03.000+0000"));
    assert_eq!(read.body["SystemModstamp"], json!("2026-11-22T01:02:13.000+0000"));
    hand.advance(-100);
    org.patch(&format!("/sobjects/Account/{id}"), json!({"Name": "B"})).await;
    let read = org.get(&format!("/sobjects/Account/{id}")).await;
    assert_eq!(read.body["SystemModstamp"], json!("2026-11-22T01:02:13.000+0000"));
}

#[tokio::test]
async fn updated_and_deleted_ids_are_listed_by_the_minute() {
    let hand = Hand::at(START);
    let org = TestOrg::start(Config { clock: hand.clock(), ..config() }).await;
    let kept = org.create("Case", json!({"Subject": "kept"})).await;
    let gone = org.create("Case", json!({"Subject": "gone"})).await;
    hand.advance(120);
    org.delete(&format!("/sobjects/Case/{gone}")).await;
    let span =
        |start: &str, end: &str| format!("start=2026-11-22T{start}%2B00:00&end=2026-11-22T{end}%2B00:00");
    let updated = org.get(&format!("/sobjects/Case/updated?{}", span("01:02:59", "01:30:00"))).await;
    assert_eq!(
        updated.body,
        json!({"ids": [kept], "latestDateCovered": "2026-11-22T01:04:00.000+0000"}),
        "seconds are ignored and the future is not covered"
    );
    let later = org.get(&format!("/sobjects/Case/updated?{}", span("01:03:00", "01:04:00"))).await;
    assert_eq!(later.body["ids"], json!([]));
    let deleted = org.get(&format!("/sobjects/Case/deleted?{}", span("01:00:00", "01:30:00"))).await;
    assert_eq!(
        deleted.body["deletedRecords"],
        json!([{"id": gone, "deletedDate": "2026-11-22T01:04:03.000+0000"}])
    );
    let everything = "SELECT Id FROM Case WHERE IsDeleted = true";
    let all = async || answer(org.request(Method::GET, "/queryAll").query(&[("q", everything)])).await;
    assert_eq!(all().await.body["totalSize"], json!(1));
    assert_eq!(org.post("/_fake/records/purge", json!({"id": kept})).await.status, 400, "not in the bin");
    assert_eq!(org.post("/_fake/records/purge", json!({"id": gone})).await.status, 204);
    assert_eq!(all().await.body["totalSize"], json!(0), "it has left the recycle bin");
    let still = org.get(&format!("/sobjects/Case/deleted?{}", span("01:00:00", "01:30:00"))).await;
    assert_eq!(still.body["deletedRecords"], deleted.body["deletedRecords"], "and is still on the log");
    for (resource, start, end) in [
        ("updated", "2026-10-01T00:00:00Z", "2026-11-22T00:00:00Z"),
        ("deleted", "2026-11-01T00:00:00Z", "2026-11-22T00:00:00Z"),
        ("updated", "2026-11-22T01:00:10Z", "2026-11-22T01:00:50Z"),
        ("updated", "yesterday", "2026-11-22T01:00:50Z"),
    ] {
        let refused = org.get(&format!("/sobjects/Case/{resource}?start={start}&end={end}")).await;
        assert_eq!((refused.status, refused.code()), (400, "INVALID_REPLICATION_DATE"), "{start} {end}");
    }
}

#[tokio::test]
async fn describe_and_the_status_list_tell_what_the_org_has() {
    let org = TestOrg::local().await;
    let described = org.get("/sobjects/Case/describe").await;
    let fields = described.body["fields"].as_array().unwrap();
    let request_id = fields.iter().find(|field| field["name"] == "Portal_Request_Id__c").unwrap();
    assert_eq!((&request_id["externalId"], &request_id["unique"]), (&json!(true), &json!(true)));
    let account = fields.iter().find(|field| field["name"] == "AccountId").unwrap();
    assert_eq!(
        (&account["relationshipName"], &account["referenceTo"]),
        (&json!("Account"), &json!(["Account"]))
    );
    let closed = org
        .column("SELECT MasterLabel FROM CaseStatus WHERE IsClosed = true ORDER BY SortOrder", "MasterLabel")
        .await;
    assert_eq!(closed, [json!("Resolved"), json!("Closed")]);
    let names = org.get("/sobjects").await;
    assert!(
        names.body["sobjects"].as_array().unwrap().iter().any(|object| object["name"] == "Time_Entry__c")
    );
    let versions = org.get("/services/data").await;
    assert!(versions.body.as_array().unwrap().iter().any(|version| version["version"] == "66.0"));
}
