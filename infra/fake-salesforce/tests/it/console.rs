use fake_salesforce::demo;
use http::header;
use serde_json::json;

use crate::harness::TestOrg;

async fn page(org: &TestOrg, path: &str) -> (u16, String) {
    let response = org.http.get(format!("{}{path}", org.base)).send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

async fn submit(org: &TestOrg, path: &str, form: &[(&str, &str)]) -> (u16, String, String) {
    let response = org.http.post(format!("{}{path}", org.base)).form(form).send().await.unwrap();
    let location = response
        .headers()
        .get(header::LOCATION)
        .map_or(String::new(), |value| value.to_str().unwrap().to_owned());
    (response.status().as_u16(), location, response.text().await.unwrap())
}

#[tokio::test]
async fn the_list_is_filtered_by_state_and_account() {
    let org = TestOrg::demo().await;
    let (status, html) = page(&org, "/console").await;
    assert_eq!(status, 200);
    assert!(html.contains("Freezer alarm mails") && html.contains("Customs report"));
    assert!(!html.contains("can results be exported"), "closed cases are not open");
    let (_, html) = page(&org, "/console?show=closed").await;
    assert!(html.contains("can results be exported") && html.contains("Label printer"));
    let (_, html) = page(&org, &format!("/console?show=all&account={}", demo::NORDHAVEN.id)).await;
    assert!(html.contains("Label printer") && html.contains("Customs report"));
    assert!(!html.contains("Freezer alarm"));
    assert_eq!(page(&org, "/console/cases/500Fk00000000zz").await.0, 404);
    assert_eq!(page(&org, "/console/cases/nonsense").await.0, 404);
    assert_eq!(page(&org, "/console/style.css").await.0, 200);
}

#[tokio::test]
async fn a_case_shows_everything_that_belongs_to_it() {
    let org = TestOrg::demo().await;
    let case = demo::NORDHAVEN.case_ids[0];
    org.create(
        "Portal_File__c",
        json!({
            "Case__c": case, "Name": "tariffs.xlsx", "Size__c": 1_400_000, "State__c": "Superseded", "Version__c": 2,
            "Category__c": "Contract", "Uploader__c": "Jonas Weber",
            "Portal_Link__c": "http://127.0.0.1:3000/files/file_2?account=acct_1",
        }),
    )
    .await;
    for (state, link) in [("Deleted", "https://portal.example/deleted"), ("Available", "javascript:alert(1)")]
    {
        let fields = json!({"Case__c": case, "Name": state, "State__c": state, "Portal_Link__c": link});
        org.create("Portal_File__c", fields).await;
    }
    org.create("Portal_Invoice__c", json!({"Case__c": case, "Number__c": "2026-0007", "Gross__c": 821.1, "Currency__c": "EUR", "Issued_On__c": "2026-11-20"})).await;
    let (status, html) = page(&org, &format!("/console/cases/{case}")).await;
    assert_eq!(status, 200);
    for needle in [
        "Mara Lindqvist",
        "mara.lindqvist@nordhaven.example",
        "Nordhaven Logistics",
        "Cache was introduced for the May outage",
        ">Internal<",
        ">Public<",
        "5 h 45 min",
        "Senior Consultant",
        "href=\"http://127.0.0.1:3000/files/file_2?account=acct_1\"",
        ">tariffs.xlsx</a>",
        ">Superseded<",
        "Version 2 · 1.4 MB · Contract · Jonas Weber",
        "2026-0007",
        "821.1",
        "20 Nov 2026",
    ] {
        assert!(html.contains(needle), "{needle}");
    }
    for no_link in ["portal.example/deleted", "javascript:"] {
        assert!(!html.contains(no_link), "{no_link}");
    }
}

#[tokio::test]
async fn the_agent_takes_a_case_comments_logs_time_and_closes_it() {
    let org = TestOrg::demo().await;
    let case = demo::NORDHAVEN.case_ids[1];
    let base = format!("/console/cases/{case}");
    let here = format!("{base}?show=open&account=");
    let (status, location, _) = submit(&org, &format!("{base}/take?show=open"), &[]).await;
    assert_eq!((status, location.as_str()), (303, here.as_str()));
    let record = org.get(&format!("/sobjects/Case/{case}")).await;
    assert_eq!(record.body["OwnerId"], json!(demo::AGENT_USER_ID));
    assert_eq!(record.body["Status"], json!("Working"));
    assert_eq!(record.body["LastModifiedById"], json!(demo::AGENT_USER_ID));

    assert_eq!(submit(&org, &format!("{base}/status"), &[("status", "Escalated")]).await.0, 303);
    assert_eq!(submit(&org, &format!("{base}/comments"), &[("body", "Note\r\nfor us")]).await.0, 303);
    let public = [("body", "For the client"), ("public", "1")];
    assert_eq!(submit(&org, &format!("{base}/comments"), &public).await.0, 303);
    let comments = org
        .query(&format!("SELECT CommentBody, IsPublished, CreatedById FROM CaseComment WHERE ParentId = '{case}' ORDER BY Id"))
        .await;
    assert_eq!(comments.body["records"][0]["CommentBody"], json!("Note\nfor us"));
    assert_eq!(comments.body["records"][0]["IsPublished"], json!(false), "internal unless checked");
    assert_eq!(comments.body["records"][1]["IsPublished"], json!(true));

    let time = [
        ("date", "2026-11-21"),
        ("minutes", "75"),
        ("role", "Consultant"),
        ("description", "Roles"),
        ("billable", "1"),
    ];
    assert_eq!(submit(&org, &format!("{base}/time"), &time).await.0, 303);
    let entry = org.query(&format!("SELECT Minutes__c, Work_Date__c, Role__c, Person__c, Billable__c FROM Time_Entry__c WHERE Case__c = '{case}'")).await;
    let entry = &entry.body["records"][0];
    assert_eq!(entry["Minutes__c"].to_string(), "75.0");
    assert_eq!((&entry["Work_Date__c"], &entry["Billable__c"]), (&json!("2026-11-21"), &json!(true)));

    assert_eq!(submit(&org, &format!("{base}/close"), &[]).await.0, 303);
    let record = org.get(&format!("/sobjects/Case/{case}")).await;
    assert_eq!((&record.body["Status"], &record.body["IsClosed"]), (&json!("Closed"), &json!(true)));
}

#[tokio::test]
async fn a_refused_form_says_why_and_keeps_what_was_typed() {
    let org = TestOrg::demo().await;
    let base = format!("/console/cases/{}", demo::NORDHAVEN.case_ids[0]);
    let long = format!("{}<b>", "é".repeat(2_000));
    let (status, _, html) = submit(&org, &format!("{base}/comments"), &[("body", &long)]).await;
    assert_eq!(status, 422);
    assert!(html.contains("role=\"alert\"") && html.contains("max length=4000"));
    assert!(html.contains("é&#60;b&#62;</textarea>"));
    for minutes in ["0", "1441", "-5", "1.5", "many", ""] {
        let form = [("date", "2026-11-21"), ("minutes", minutes), ("role", "R"), ("description", "D")];
        assert_eq!(submit(&org, &format!("{base}/time"), &form).await.0, 422, "{minutes}");
    }
    let form = [("date", "tomorrow"), ("minutes", "5"), ("role", "R"), ("description", "D")];
    assert_eq!(submit(&org, &format!("{base}/time"), &form).await.0, 422);
    assert_eq!(submit(&org, &format!("{base}/status"), &[("status", "Lost")]).await.0, 422);
    assert_eq!(submit(&org, &format!("{base}/comments"), &[("body", "  ")]).await.0, 422);
    assert_eq!(submit(&org, "/console/cases/500Fk00000000zz/close", &[]).await.0, 404);
}

#[tokio::test]
async fn case_f07_markup_in_any_field_is_shown_as_text() {
    let org = TestOrg::local().await;
    let evil = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>";
    let account = org.create("Account", json!({"Name": evil})).await;
    let contact = org.create("Contact", json!({"LastName": &evil[..40], "AccountId": account})).await;
    let case = org
        .create(
            "Case",
            json!({
                "Subject": evil, "Description": evil, "Type": evil, "Priority": evil, "Origin": evil,
                "AccountId": account, "ContactId": contact,
            }),
        )
        .await;
    org.create("CaseComment", json!({"ParentId": case, "CommentBody": evil})).await;
    org.create("Time_Entry__c", json!({"Case__c": case, "Work_Date__c": "2026-11-22", "Minutes__c": 1, "Description__c": evil, "Role__c": evil, "Person__c": evil})).await;
    org.create(
        "Portal_File__c",
        json!({
            "Case__c": case, "Name": evil, "State__c": "<i>", "Uploader__c": evil, "Category__c": &evil[..40],
            "Portal_Link__c": format!("https://x/{evil}"),
        }),
    )
    .await;
    org.create(
        "Portal_Invoice__c",
        json!({"Case__c": case, "Number__c": evil, "State__c": "<i>", "Currency__c": "<i>"}),
    )
    .await;
    let (status, html) = page(&org, &format!("/console/cases/{case}?show=all&account={account}")).await;
    assert_eq!(status, 200);
    for markup in ["<script", "<img", "<i>", "\"'>"] {
        assert!(!html.contains(markup), "{markup}");
    }
    assert!(html.contains("&#60;script&#62;"));
    let (_, html) = page(&org, "/console?account=%22%3E%3Cscript%3E").await;
    assert!(!html.contains("<script"));
}

#[tokio::test]
async fn a_foreign_sites_form_is_refused_and_pages_are_locked_down() {
    let org = TestOrg::demo().await;
    let url = format!("{}/console/cases/{}/close", org.base, demo::NORDHAVEN.case_ids[0]);
    let response = org.http.post(&url).header("sec-fetch-site", "cross-site").send().await.unwrap();
    assert_eq!(response.status().as_u16(), 403);
    let response = org.http.get(format!("{}/console", org.base)).send().await.unwrap();
    let policy = response.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'"));
}
