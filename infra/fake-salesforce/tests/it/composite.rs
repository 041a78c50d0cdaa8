use fake_salesforce::{Config, RequestKind, demo};
use serde_json::{Value, json};

use crate::harness::{TestOrg, config};

fn node(method: &str, url: &str, reference: &str, body: Value) -> Value {
    json!({
        "method": method,
        "url": format!("/services/data/v66.0/{url}"),
        "referenceId": reference,
        "body": body,
    })
}

#[tokio::test]
async fn subrequests_refer_to_earlier_answers() {
    let org = TestOrg::local().await;
    let answer = org
        .post(
            "/composite",
            json!({"allOrNone": true, "compositeRequest": [
                node("POST", "sobjects/Account", "company", json!({"Name": "Referenced"})),
                node("POST", "sobjects/Case", "ticket", json!({"AccountId": "@{company.id}", "Subject": "for @{company.id}"})),
                node("GET", "sobjects/Case/@{ticket.id}?fields=AccountId,Subject", "read", Value::Null),
                node("GET", "query?q=SELECT+Id+FROM+Case+WHERE+Id='@{ticket.id}'", "found", Value::Null),
                node("PATCH", "sobjects/Case/@{found.records[0].Id}", "change", json!({"Status": "Working"})),
            ]}),
        )
        .await;
    assert_eq!(answer.status, 200);
    let responses = answer.body["compositeResponse"].as_array().unwrap();
    let statuses: Vec<u64> =
        responses.iter().map(|response| response["httpStatusCode"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [201, 201, 200, 200, 204], "{}", answer.body);
    let company = &responses[0]["body"]["id"];
    assert_eq!(responses[2]["body"]["AccountId"], *company);
    assert_eq!(responses[2]["body"]["Subject"], json!(format!("for {}", company.as_str().unwrap())));
    assert_eq!(responses[4]["body"], Value::Null);
    assert!(responses[0]["httpHeaders"]["Location"].as_str().unwrap().contains("/sobjects/Account/001"));
    assert_eq!(org.org.requests(RequestKind::Composite), 1);
}

#[tokio::test]
async fn all_or_none_undoes_everything_and_without_it_only_the_failure_is_lost() {
    let org = TestOrg::local().await;
    let requests = json!([
        node("POST", "sobjects/Account", "good", json!({"Name": "Kept?"})),
        node("POST", "sobjects/Contact", "bad", json!({"FirstName": "No last name"})),
        node("POST", "sobjects/Case", "dependent", json!({"ContactId": "@{bad.id}"})),
        node("POST", "sobjects/Case", "later", json!({"Subject": "later"})),
    ]);
    let undone = org.post("/composite", json!({"allOrNone": true, "compositeRequest": requests})).await;
    let codes: Vec<&Value> = undone.body["compositeResponse"]
        .as_array()
        .unwrap()
        .iter()
        .map(|response| {
            assert_eq!(response["httpStatusCode"], json!(400));
            &response["body"][0]["errorCode"]
        })
        .collect();
    assert_eq!(
        codes,
        ["PROCESSING_HALTED", "REQUIRED_FIELD_MISSING", "PROCESSING_HALTED", "PROCESSING_HALTED"]
    );
    assert_eq!(org.query("SELECT COUNT() FROM Account").await.body["totalSize"], json!(0));

    let partial = org.post("/composite", json!({"compositeRequest": requests})).await;
    let statuses: Vec<&Value> = partial.body["compositeResponse"]
        .as_array()
        .unwrap()
        .iter()
        .map(|response| &response["httpStatusCode"])
        .collect();
    assert_eq!(statuses, [&json!(201), &json!(400), &json!(400), &json!(201)]);
    assert_eq!(org.query("SELECT COUNT() FROM Account").await.body["totalSize"], json!(1));
}

#[tokio::test]
async fn case_r05_a_graph_is_atomic_and_alone() {
    let org = TestOrg::demo().await;
    let graph = |id: &str, minutes: Value| {
        json!({"graphId": id, "compositeRequest": [
            node("PATCH", &format!("sobjects/Case/Portal_Request_Id__c/{id}"), "ticket", json!({
                "Subject": id, "Account": {"Portal_Account_Id__c": demo::NORDHAVEN.portal_account_id},
            })),
            node("POST", "sobjects/CaseComment", "comment", json!({
                "Parent": {"Portal_Request_Id__c": id}, "CommentBody": "first", "IsPublished": true,
            })),
            node("POST", "sobjects/Time_Entry__c", "time", json!({
                "Case__c": "@{ticket.id}", "Work_Date__c": "2026-11-22", "Minutes__c": minutes,
            })),
        ]})
    };
    let body =
        json!({"graphs": [graph("good", json!(30)), graph("bad", json!("many")), graph("fine", json!(5))]});
    let answer = org.post("/composite/graph", body.clone()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let successful: Vec<&Value> =
        answer.body["graphs"].as_array().unwrap().iter().map(|graph| &graph["isSuccessful"]).collect();
    assert_eq!(successful, [&json!(true), &json!(false), &json!(true)]);
    let bad = &answer.body["graphs"][1]["graphResponse"]["compositeResponse"];
    assert_eq!(bad[0]["body"][0]["errorCode"], json!("PROCESSING_HALTED"));
    assert_eq!(bad[2]["body"][0]["errorCode"], json!("JSON_PARSER_ERROR"));
    let found = org
        .column("SELECT Subject FROM Case WHERE Portal_Request_Id__c != null ORDER BY Subject", "Subject")
        .await;
    assert_eq!(found, ["fine", "good"]);

    // Repeated, the upserts find their records: still one case each.
    let again = org.post("/composite/graph", body).await;
    let ticket = &again.body["graphs"][0]["graphResponse"]["compositeResponse"][0];
    assert_eq!((&ticket["httpStatusCode"], &ticket["body"]["created"]), (&json!(200), &json!(false)));
    assert_eq!(org.org.requests(RequestKind::Graph), 2);
}

#[tokio::test]
async fn composite_requests_are_bounded() {
    let org = TestOrg::local().await;
    let many = |count: usize| -> Vec<Value> {
        (0..count).map(|n| node("POST", "sobjects/Account", &format!("a{n}"), json!({"Name": "x"}))).collect()
    };
    let twice = [node("GET", "limits", "same", Value::Null), node("GET", "limits", "same", Value::Null)];
    for (path, body, code) in [
        ("/composite", json!({"compositeRequest": many(26)}), "LIMIT_EXCEEDED"),
        ("/composite", json!({"compositeRequest": []}), "LIMIT_EXCEEDED"),
        ("/composite", json!({}), "JSON_PARSER_ERROR"),
        ("/composite", json!({"compositeRequest": twice}), "INVALID_INPUT"),
        (
            "/composite/graph",
            json!({"graphs": [{"graphId": "g", "compositeRequest": many(501)}]}),
            "LIMIT_EXCEEDED",
        ),
        ("/composite/graph", json!({"graphs": []}), "INVALID_INPUT"),
        (
            "/composite/graph",
            json!({"graphs": [{"graphId": "g", "compositeRequest": [node("GET", "query?q=x", "q", Value::Null)]}]}),
            "INVALID_INPUT",
        ),
    ] {
        let refused = org.post(path, body).await;
        assert_eq!((refused.status, refused.code()), (400, code), "{path}");
    }
    let nested = org
        .post("/composite", json!({"compositeRequest": [node("POST", "composite", "inner", json!({}))]}))
        .await;
    assert_eq!(nested.body["compositeResponse"][0]["httpStatusCode"], json!(404));
    let full = org
        .post("/composite/graph", json!({"graphs": [{"graphId": "g", "compositeRequest": many(500)}]}))
        .await;
    assert_eq!(full.body["graphs"][0]["isSuccessful"], json!(true));
}

#[tokio::test]
async fn collections_answer_for_each_record() {
    let org = TestOrg::local().await;
    let records = json!([
        {"attributes": {"type": "Account"}, "Name": "One", "Portal_Account_Id__c": "u1"},
        {"attributes": {"type": "Account"}},
    ]);
    let created = org.post("/composite/sobjects", json!({"records": records})).await;
    assert_eq!(created.body[0]["success"], json!(true));
    assert_eq!(created.body[1]["errors"][0]["statusCode"], json!("REQUIRED_FIELD_MISSING"));
    let id = created.body[0]["id"].as_str().unwrap().to_owned();
    let updated = org
        .patch(
            "/composite/sobjects",
            json!({"records": [{"attributes": {"type": "Account"}, "id": id, "Name": "Two"}]}),
        )
        .await;
    assert_eq!(updated.body[0], json!({"id": id, "success": true, "errors": []}));
    let upserted = org
        .patch(
            "/composite/sobjects/Account/Portal_Account_Id__c",
            json!({"records": [
                {"attributes": {"type": "Account"}, "Portal_Account_Id__c": "u1", "Name": "Three"},
                {"attributes": {"type": "Account"}, "Portal_Account_Id__c": "u2", "Name": "New"},
            ]}),
        )
        .await;
    assert_eq!((&upserted.body[0]["created"], &upserted.body[1]["created"]), (&json!(false), &json!(true)));
    let undone = org
        .post(
            "/composite/sobjects",
            json!({"allOrNone": true, "records": [
                {"attributes": {"type": "Account"}, "Name": "Undone"}, {"attributes": {"type": "Account"}},
            ]}),
        )
        .await;
    assert_eq!(undone.body[0]["errors"][0]["statusCode"], json!("ALL_OR_NONE_OPERATION_ROLLED_BACK"));
    assert_eq!(org.query("SELECT COUNT() FROM Account").await.body["totalSize"], json!(2));
    let deleted = org.delete(&format!("/composite/sobjects?ids={id},001Fk00000000zz")).await;
    assert_eq!((&deleted.body[0]["success"], &deleted.body[1]["success"]), (&json!(true), &json!(false)));
}

#[tokio::test]
async fn a_composite_request_is_one_api_call() {
    let org = TestOrg::start(Config { daily_api_limit: 2, ..config() }).await;
    let requests: Vec<Value> =
        (0..10).map(|n| node("GET", "limits", &format!("n{n}"), Value::Null)).collect();
    let answer = org.post("/composite", json!({"compositeRequest": requests})).await;
    assert_eq!(answer.headers["sforce-limit-info"], "api-usage=1/2");
}
