//! The Salesforce client against the org, over real connections: what happens when an answer is lost, late, refused or
//! none that was expected. What the client decides by itself is tested where it stands.

use std::{sync::Arc, time::Duration};

use fake_salesforce::{
    FakeSalesforce, RequestKind,
    demo::NORDHAVEN,
    faults::{Effect, Rule},
};
use futures::future::join_all;
use jiff::SignedDuration;
use portico_domain::{Clock, SalesforceId};
use portico_salesforce::{Pace, Salesforce, SalesforceError, Soql};
use serde_json::{Value, json};

use crate::{
    stack::{MovableClock, now, predictable},
    steps::{OrgTap, Steps},
    world::{credentials, org_config},
};

const FIELD: &str = "Portal_Request_Id__c";

struct Org {
    fake: FakeSalesforce,
    clock: MovableClock,
}

impl Org {
    async fn start() -> Self {
        // reqwest is built without a provider of its own.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let clock = MovableClock::new();
        let fake = FakeSalesforce::start(org_config(&clock.clock())).await.unwrap();
        Self { fake, clock }
    }

    fn client(&self, pace: Pace) -> Salesforce {
        self.client_at(pace, self.clock.clock())
    }

    fn client_at(&self, pace: Pace, clock: Clock) -> Salesforce {
        let config = org_config(&clock);
        Salesforce::new(self.fake.address(), credentials(&config), pace, clock, predictable()).unwrap()
    }

    fn fault(&self, times: u32, method: &str, path: &str, effect: Effect) {
        self.fake.add_faults(vec![Rule::times(times, method, path, effect)]).unwrap();
    }

    /// How often the org was asked for anything.
    fn asked(&self) -> u64 {
        [
            RequestKind::Token,
            RequestKind::Query,
            RequestKind::QueryMore,
            RequestKind::Update,
            RequestKind::ReadByExternalId,
            RequestKind::Upsert,
            RequestKind::Collection,
        ]
        .map(|kind| self.fake.requests(kind))
        .iter()
        .sum()
    }
}

fn fields(subject: &str) -> Value {
    json!({ "Subject": subject, "AccountId": NORDHAVEN.id, "Status": "New" })
}

/// The org's cases of the company with this subject, deleted ones included.
async fn cases(salesforce: &Salesforce, subject: &str) -> usize {
    let account: SalesforceId = NORDHAVEN.id.parse().unwrap();
    let soql = Soql::by_ids("Case", &["Id", "Subject"], "AccountId", &[account]);
    let all: Vec<Value> = salesforce.query_all(&soql).await.unwrap();
    all.iter().filter(|case| case["Subject"] == subject).count()
}

#[tokio::test]
async fn case_r01_an_upsert_whose_answer_is_lost_makes_one_case() {
    let org = Org::start().await;
    let salesforce = org.client(Pace::Submission);
    org.fault(1, "PATCH", "*", Effect::CommitThenHang { ms: 20 });
    let lost = salesforce.upsert("Case", FIELD, "r01", &fields("r01")).await;
    assert!(matches!(lost, Err(SalesforceError::Unavailable(_))), "{lost:?}");
    let again = salesforce.upsert("Case", FIELD, "r01", &fields("r01")).await.unwrap();
    assert!(!again.created);
    assert_eq!(cases(&salesforce, "r01").await, 1);
}

#[tokio::test]
async fn case_r02_upserts_at_the_same_moment_make_one_case() {
    let org = Org::start().await;
    let clients: Vec<Salesforce> = (0..8).map(|_| org.client(Pace::Writing)).collect();
    let fields = fields("r02");
    let upserts = clients.iter().map(|client| client.upsert("Case", FIELD, "r02", &fields));
    let done: Vec<_> = join_all(upserts).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(done.iter().filter(|upserted| upserted.created).count(), 1);
    assert!(done.iter().all(|upserted| upserted.id == done[0].id));
    assert_eq!(cases(&clients[0], "r02").await, 1);
}

/// Salesforce lets two inserts begin and refuses the second at its end: by then the record is there.
#[tokio::test]
async fn case_r02_whoever_comes_second_at_an_insert_updates() {
    let org = Org::start().await;
    let salesforce = org.client(Pace::Writing);
    salesforce.upsert("Case", FIELD, "r02", &fields("r02")).await.unwrap();
    let effect = |times| Effect::Error {
        status: 400,
        code: "DUPLICATE_VALUE".to_owned(),
        message: format!("duplicate value found, {times}"),
    };
    org.fault(1, "PATCH", "*", effect(1));
    assert!(!salesforce.upsert("Case", FIELD, "r02", &fields("r02")).await.unwrap().created);
    org.fault(2, "PATCH", "*", effect(2));
    let refused = salesforce.upsert("Case", FIELD, "r02", &fields("r02")).await;
    assert!(matches!(&refused, Err(SalesforceError::Refused { code, .. }) if code == "DUPLICATE_VALUE"));
}

#[tokio::test]
async fn case_r02_updates_answer_200_or_204_and_several_matches_300() {
    let org = Org::start().await;
    let salesforce = org.client(Pace::Writing);
    let created = salesforce.upsert("Case", FIELD, "r02", &fields("r02")).await.unwrap();
    assert!(created.created);
    let updated = salesforce.upsert("Case", FIELD, "r02", &fields("r02")).await.unwrap();
    assert_eq!((updated.created, updated.id), (false, created.id));
    org.fake.set_settings(fake_salesforce::Settings { empty_upsert_answers: true, ..org.fake.settings() });
    let empty = salesforce.upsert("Case", FIELD, "r02", &fields("r02")).await.unwrap();
    assert_eq!((empty.created, empty.id), (false, None));
    org.fault(1, "PATCH", "*", Effect::Error { status: 300, code: String::new(), message: String::new() });
    let several = salesforce.upsert("Case", FIELD, "r02", &fields("r02")).await;
    assert!(matches!(&several, Err(SalesforceError::Refused { code, .. }) if code == "MULTIPLE_CHOICES"));
}

/// An org with 30 more cases, in pages of ten.
async fn paged() -> (Org, Salesforce, Soql, usize) {
    let org = Org::start().await;
    let salesforce = org.client(Pace::Reading);
    for number in 0..30 {
        let fields = fields("paged");
        salesforce.upsert("Case", FIELD, &format!("page-{number}"), &fields).await.unwrap();
    }
    let account: SalesforceId = NORDHAVEN.id.parse().unwrap();
    let soql = Soql::by_ids("Case", &["Id", "Subject"], "AccountId", &[account]);
    let all = salesforce.query_all::<Value>(&soql).await.unwrap().len();
    org.fake.set_settings(fake_salesforce::Settings { query_batch_size: 10, ..org.fake.settings() });
    (org, salesforce, soql, all)
}

#[tokio::test]
async fn case_r03_a_session_that_ends_between_pages_costs_one_sign_in() {
    let (org, salesforce, soql, all) = paged().await;
    org.fault(1, "GET", "*/query/*", Effect::InvalidSession);
    assert_eq!(salesforce.query_all::<Value>(&soql).await.unwrap().len(), all);
    assert_eq!(org.fake.requests(RequestKind::Token), 2);
}

#[tokio::test]
async fn case_r03_a_second_401_stops() {
    let (org, salesforce, soql, _) = paged().await;
    org.fault(2, "GET", "*/query/*", Effect::InvalidSession);
    let asked = org.fake.requests(RequestKind::QueryMore);
    let stopped = salesforce.query_all::<Value>(&soql).await;
    assert!(matches!(stopped, Err(SalesforceError::SignIn(_))), "{stopped:?}");
    assert_eq!(org.fake.requests(RequestKind::QueryMore), asked + 2, "once more, and no third time");
    assert_eq!(org.fake.requests(RequestKind::Token), 2);
}

#[tokio::test]
async fn case_r04_the_limit_is_no_permission_and_a_lock_passes() {
    let org = Org::start().await;
    let salesforce = org.client(Pace::Submission);
    let upsert = async || salesforce.upsert("Case", FIELD, "r04", &fields("r04")).await;
    org.fault(1, "PATCH", "*", Effect::LockRow);
    let locked = upsert().await.unwrap_err();
    assert!(matches!(locked, SalesforceError::RowLocked) && locked.may_pass());
    org.fault(1, "PATCH", "*", Effect::Forbidden);
    let forbidden = upsert().await.unwrap_err();
    assert!(matches!(&forbidden, SalesforceError::Refused { .. }) && !forbidden.may_pass());
    org.fault(1, "PATCH", "*", Effect::RequestLimit);
    assert!(matches!(upsert().await, Err(SalesforceError::LimitReached)));
    // From now on the org is asked once in a while.
    let asked = org.asked();
    assert!(matches!(upsert().await, Err(SalesforceError::HeldBack)));
    assert_eq!(org.asked(), asked);
    org.clock.advance(SignedDuration::from_secs(76));
    assert!(upsert().await.unwrap().created);
    assert_eq!(cases(&salesforce, "r04").await, 1);
}

#[tokio::test]
async fn case_r04_what_is_left_of_the_limit_is_for_people() {
    let org = Org::start().await;
    let limit = 40;
    org.fake.set_settings(fake_salesforce::Settings { daily_api_limit: limit, ..org.fake.settings() });
    let account: SalesforceId = NORDHAVEN.id.parse().unwrap();
    let soql = Soql::by_ids("Case", &["Id"], "AccountId", &[account]);
    let mut made = Vec::new();
    for pace in [Pace::Sweeping, Pace::Reading, Pace::Writing, Pace::Submission] {
        let salesforce = org.client(pace);
        let before = org.fake.requests(RequestKind::Query);
        let stopped = loop {
            // Pauses close to the share are real; nothing here waits longer.
            let call = tokio::time::timeout(Duration::from_secs(10), salesforce.query_all::<Value>(&soql));
            if let Err(error) = call.await.unwrap() {
                break error;
            }
        };
        let held_back = matches!(stopped, SalesforceError::HeldBack);
        assert_eq!(held_back, pace != Pace::Submission, "{pace:?}: {stopped}");
        made.push(org.fake.requests(RequestKind::Query) - before);
    }
    // 75, 90, 95 and 100 percent of 40; the last is refused.
    assert_eq!(made, [30, 6, 2, 3]);
}

#[tokio::test]
async fn case_r05_records_that_belong_together_are_made_together_or_not_at_all() {
    let org = Org::start().await;
    let salesforce = org.client(Pace::Writing);
    let case: SalesforceId = NORDHAVEN.case_ids[0].parse().unwrap();
    let comment = |text: &str| json!({ "attributes": { "type": "CaseComment" }, "ParentId": case, "CommentBody": text, "IsPublished": true });
    let nowhere = json!({ "attributes": { "type": "CaseComment" }, "CommentBody": "on no case" });
    let broken = salesforce.create_together(&[comment("r05"), nowhere]).await;
    let Err(SalesforceError::Refused { code, .. }) = broken else { panic!("{broken:?}") };
    assert_eq!(code, "REQUIRED_FIELD_MISSING");
    let soql = Soql::by_ids("CaseComment", &["CommentBody"], "ParentId", &[case]);
    let comments: Vec<Value> = salesforce.query_all(&soql).await.unwrap();
    assert!(comments.iter().all(|comment| comment["CommentBody"] != "r05"), "{comments:?}");
}

fn file(id: &str, size: u64) -> Value {
    json!({
        "attributes": { "type": "Portal_File__c" },
        "Portal_File_Id__c": id,
        "Case__c": NORDHAVEN.case_ids[0],
        "Size__c": size,
    })
}

/// Ids, sizes, and whether they are in the recycle bin, in the order in which they were made.
async fn files(salesforce: &Salesforce) -> Vec<(String, String, bool)> {
    let case: SalesforceId = NORDHAVEN.case_ids[0].parse().unwrap();
    let fields = ["Portal_File_Id__c", "Size__c", "IsDeleted"];
    let soql = Soql::by_ids("Portal_File__c", &fields, "Case__c", &[case]);
    let all: Vec<Value> = salesforce.query_all(&soql).await.unwrap();
    let row = |file: &Value| {
        let id = file["Portal_File_Id__c"].as_str().unwrap().to_owned();
        (id, file["Size__c"].to_string(), file["IsDeleted"] == true)
    };
    let mut rows: Vec<_> = all.iter().map(row).collect();
    rows.sort();
    rows
}

const FILE_FIELD: &str = "Portal_File_Id__c";

#[tokio::test]
async fn case_r01_records_that_are_upserted_together_are_made_once_each_or_not_at_all() {
    let org = Org::start().await;
    let salesforce = org.client(Pace::Writing);
    let upsert =
        async |files: &[Value]| salesforce.upsert_together("Portal_File__c", FILE_FIELD, files).await;
    org.fault(1, "PATCH", "*", Effect::CommitThenHang { ms: 20 });
    let two = [file("file_1", 1), file("file_2", 2)];
    assert!(matches!(upsert(&two).await, Err(SalesforceError::Unavailable(_))));
    let first = upsert(&two).await.unwrap();
    let second = upsert(&[file("file_2", 3), file("file_1", 1)]).await.unwrap();
    assert_eq!(first, [second[1], second[0]], "in the order in which they were given");
    let broken = upsert(&[file("file_1", 9), json!({ "attributes": { "type": "Portal_File__c" } })]).await;
    assert!(matches!(&broken, Err(SalesforceError::Refused { .. })), "{broken:?}");
    let row = |id: &str, size: &str| (id.to_owned(), size.to_owned(), false);
    assert_eq!(files(&salesforce).await, [row("file_1", "1.0"), row("file_2", "3.0")]);
}

#[tokio::test]
async fn case_r01_a_delete_whose_answer_is_lost_is_done_and_repeated() {
    let org = Org::start().await;
    let salesforce = org.client(Pace::Writing);
    let made = [file("file_1", 1), file("file_2", 2)];
    salesforce.upsert_together("Portal_File__c", FILE_FIELD, &made).await.unwrap();
    let delete = async || salesforce.delete("Portal_File__c", FILE_FIELD, "file_1").await;
    org.fault(1, "DELETE", "*", Effect::CommitThenHang { ms: 20 });
    assert!(matches!(delete().await, Err(SalesforceError::Unavailable(_))));
    for _ in 0..2 {
        delete().await.unwrap();
    }
    let row = |id: &str, size: &str, gone| (id.to_owned(), size.to_owned(), gone);
    assert_eq!(files(&salesforce).await, [row("file_1", "1.0", true), row("file_2", "2.0", false)]);
    let refused = Effect::Error {
        status: 400,
        code: "INSUFFICIENT_ACCESS_OR_READONLY".to_owned(),
        message: "no right to delete".to_owned(),
    };
    org.fault(1, "DELETE", "*", refused);
    let error = salesforce.delete("Portal_File__c", FILE_FIELD, "file_2").await;
    assert!(matches!(&error, Err(SalesforceError::Refused { .. })), "{error:?}");
}

#[tokio::test]
async fn case_r05_pages_may_be_short_and_errors_may_be_html_or_nothing() {
    let (org, salesforce, soql, all) = paged().await;
    for size in [1, 7, 2_000] {
        org.fake.set_settings(fake_salesforce::Settings { query_batch_size: size, ..org.fake.settings() });
        assert_eq!(salesforce.query_all::<Value>(&soql).await.unwrap().len(), all, "pages of {size}");
    }
    for effect in [Effect::HtmlUnavailable, Effect::EmptyUnavailable, Effect::ServerError, Effect::Down] {
        org.fault(1, "GET", "*", effect.clone());
        let error = salesforce.query_all::<Value>(&soql).await.unwrap_err();
        assert!(matches!(error, SalesforceError::Unavailable(_)), "{effect:?}: {error}");
    }
}

#[tokio::test]
async fn case_r06_a_clock_that_is_wrong_is_a_sign_in_that_people_look_at() {
    let org = Org::start().await;
    let skewed = Clock::fixed(now() + SignedDuration::from_mins(10));
    let salesforce = org.client_at(Pace::Writing, skewed);
    let error = salesforce.upsert("Case", FIELD, "r06", &fields("r06")).await.unwrap_err();
    let SalesforceError::SignIn(reason) = &error else { panic!("{error}") };
    assert!(reason.starts_with("invalid_grant"), "{reason}");
}

#[tokio::test]
async fn case_r06_an_org_that_moves_is_followed_at_the_next_sign_in() {
    let org = Org::start().await;
    let salesforce = org.client(Pace::Writing);
    salesforce.upsert("Case", FIELD, "r06", &fields("r06")).await.unwrap();
    let (elsewhere, steps) = (OrgTap::bind().await, Arc::new(Steps::default()));
    let url = elsewhere.url().to_owned();
    elsewhere.serve(org.fake.address().as_str().trim_end_matches('/').to_owned(), Arc::clone(&steps));
    org.fake.set_settings(fake_salesforce::Settings { instance_url: Some(url), ..org.fake.settings() });
    org.fake.end_sessions();
    assert!(!salesforce.upsert("Case", FIELD, "r06", &fields("r06")).await.unwrap().created);
    assert_eq!(steps.names(), [format!("Salesforce: PATCH Case by {FIELD}")], "at the new address");
}

/// External ids are the only text of ours in an address; queries take Salesforce's ids alone.
#[tokio::test]
async fn case_r07_no_text_reaches_a_query_or_another_record() {
    let org = Org::start().await;
    let salesforce = org.client(Pace::Writing);
    salesforce.upsert("Case", FIELD, "r07", &fields("r07")).await.unwrap();
    for hostile in
        ["r07' OR Name != '", "r07/../r07", "../Id", "r07?fields=Id", "r07%2F", "%27", "r07#x", "."]
    {
        let found = salesforce.by_external_id::<Value>("Case", FIELD, hostile, &["Id"]).await;
        assert!(!matches!(found, Ok(Some(_))), "{hostile}: {found:?}");
    }
    for hostile in ["' OR Id != '", "500000000000001' --", "", "500000000000001AAAA", "500-00000000001AAA"] {
        assert!(hostile.parse::<SalesforceId>().is_err(), "{hostile}");
    }
}

#[tokio::test]
async fn case_r07_a_comment_of_too_many_bytes_is_not_even_sent() {
    let org = Org::start().await;
    let salesforce = org.client(Pace::Writing);
    let case: SalesforceId = NORDHAVEN.case_ids[0].parse().unwrap();
    let entry = |last: u8| format!("ent_01a202974dc07000800000000000{last:04x}").parse().unwrap();
    // Three bytes each: 3,999 bytes are taken, 4,002 are not, although they are 1,334 characters.
    assert!(salesforce.say(entry(1), &"€".repeat(1_333), case).await.unwrap().is_some());
    let asked = org.asked();
    let refused = salesforce.say(entry(2), &"€".repeat(1_334), case).await;
    assert!(matches!(&refused, Err(SalesforceError::Refused { code, .. }) if code == "STRING_TOO_LONG"));
    assert_eq!(org.asked(), asked);
}

#[tokio::test]
async fn case_r08_an_org_that_does_not_answer_is_left_alone_and_found_again() {
    let org = Org::start().await;
    let salesforce = org.client(Pace::Submission);
    salesforce.upsert("Case", FIELD, "r08", &fields("r08")).await.unwrap();
    org.fake.add_faults(vec![Rule::always(Effect::Down)]).unwrap();
    let upsert = async || salesforce.upsert("Case", FIELD, "r08", &fields("r08")).await;
    for _ in 0..5 {
        assert!(matches!(upsert().await, Err(SalesforceError::Unavailable(_))));
    }
    let asked = org.asked();
    for _ in 0..100 {
        assert!(matches!(upsert().await, Err(SalesforceError::Suspended)));
    }
    assert_eq!(org.asked(), asked, "not asked at all");
    // One call finds out that the org is still away, and the pause grows.
    org.clock.advance(SignedDuration::from_secs(2));
    assert!(matches!(upsert().await, Err(SalesforceError::Unavailable(_))));
    assert!(matches!(upsert().await, Err(SalesforceError::Suspended)));
    org.fake.clear_faults();
    org.clock.advance(SignedDuration::from_secs(4));
    assert!(!upsert().await.unwrap().created);
    assert_eq!(cases(&salesforce, "r08").await, 1);
}
