//! Every command of the API in one table. What holds for all of them is proved by going through it: a new command
//! is one more row, and one that has none fails here.

use std::collections::BTreeSet;

use futures::future::BoxFuture;
use lambda_runtime::LambdaEvent;
use portico_aws::Function;
use portico_domain::{
    CaseId, FileId,
    cases::{Case, Happening, Status, TimelineEntry},
    events::Fact,
    files::{Archive, File},
};
use portico_salesforce::{Pace, Soql};
use portico_store::{
    PageSize,
    engine::{Query, Table},
};
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};

use crate::{
    billing_commands::{
        credit_invoice, credited_invoices, draft_invoice, drafted_invoices, issue_invoice, issued_invoices,
    },
    dispute_commands::{
        answer_dispute, answered_disputes, closed_disputes, raise_dispute, raised_disputes, resolve_dispute,
        withdraw_dispute,
    },
    outbox, samples,
    world::{CONTENT, MEMBER, World, account, available, case, company, lambda_event, new_case, open_case},
};

/// One way to change something. Everything that one request changes can be told from what other requests changed,
/// because `request` puts a marker into it and `effects` looks for it.
pub struct Command {
    /// Method and path, as the API's description has them.
    pub operation: &'static str,
    /// Whose it is.
    pub function: &'static str,
    /// The status of its answer, while Salesforce is well.
    pub status: u16,
    /// Makes a request that is unlike any other by a marker, and in the world whatever it needs.
    pub request: for<'a> fn(&'a World, &'a str) -> BoxFuture<'a, Request>,
    /// Counts what the marked request left behind, and holds its answer against it.
    pub effects: for<'a> fn(&'a World, &'a str, &'a Answer) -> BoxFuture<'a, Effects>,
    /// What `effects` counts after a request that was carried out once, the outbox emptied.
    pub expected: &'static [(&'static str, usize)],
    /// The facts in the outbox that tell of it, in alphabetical order.
    pub events: &'static [&'static str],
}

/// How many there are of what.
pub type Effects = Vec<(&'static str, usize)>;

pub const COMMANDS: &[Command] = &[
    Command {
        operation: "POST /cases",
        function: "case-submission",
        status: 201,
        request: submit_case,
        effects: submitted_cases,
        expected: &[("cases in the portal", 1), ("Cases in Salesforce", 1), ("lines on the timeline", 2)],
        events: &["case_changed", "case_submitted"],
    },
    Command {
        operation: "POST /cases/{caseId}/files",
        function: "presigned-uploads",
        status: 201,
        request: add_file,
        effects: added_files,
        expected: &[("files in the portal", 1)],
        events: &["file_declared"],
    },
    Command {
        operation: "POST /files",
        function: "presigned-uploads",
        status: 201,
        request: stage_file,
        effects: staged_files,
        expected: &[("files in the portal", 1), ("room taken for it", 37)],
        events: &["file_declared"],
    },
    Command {
        operation: "POST /cases/{caseId}/archives",
        function: "case-archives",
        status: 202,
        request: request_archive,
        effects: requested_archives,
        expected: &[("archives in the portal", 1), ("ready", 1)],
        events: &["archive_requested"],
    },
    Command {
        operation: "POST /cases/{caseId}/comments",
        function: "case-conversation",
        status: 201,
        request: add_comment,
        effects: added_comments,
        expected: &[("comments in the portal", 1), ("comments in Salesforce", 1)],
        events: &["comment_added"],
    },
    Command {
        operation: "POST /cases/{caseId}/close",
        function: "case-changes",
        status: 200,
        request: close_case,
        effects: changed_cases,
        expected: &[("lines on the timeline", 2), ("held", 0), ("Closed in Salesforce", 1)],
        events: &["case_amended", "case_changed", "case_closed"],
    },
    Command {
        operation: "POST /cases/{caseId}/reopen",
        function: "case-changes",
        status: 200,
        request: reopen_case,
        effects: changed_cases,
        expected: &[("lines on the timeline", 2), ("held", 0), ("Working in Salesforce", 1)],
        events: &["case_amended", "case_changed"],
    },
    Command {
        operation: "PATCH /cases/{caseId}",
        function: "case-changes",
        status: 200,
        request: edit_case,
        effects: changed_cases,
        expected: &[("lines on the timeline", 2), ("held", 0), ("New in Salesforce", 1)],
        events: &["case_amended", "case_changed"],
    },
    Command {
        operation: "POST /invoices",
        function: "invoice-drafting",
        status: 201,
        request: draft_invoice,
        effects: drafted_invoices,
        expected: &[("bills in hand", 1), ("invoices", 0)],
        events: &["invoice_drafted"],
    },
    Command {
        operation: "POST /invoices/{invoiceId}/issue",
        function: "invoice-drafting",
        status: 201,
        request: issue_invoice,
        effects: issued_invoices,
        expected: &[
            ("bills in hand", 0),
            ("invoices", 1),
            ("lines on the timeline", 1),
            ("Portal_Invoice__c in Salesforce", 1),
            ("documents", 2),
        ],
        events: &["case_changed", "invoice_issued", "invoice_rendered"],
    },
    Command {
        operation: "POST /invoices/{invoiceId}/credit",
        function: "invoice-drafting",
        status: 201,
        request: credit_invoice,
        effects: credited_invoices,
        expected: &[("credit notes", 1), ("credited in Salesforce", 1), ("documents", 2)],
        events: &["credit_note_issued", "credit_note_rendered"],
    },
    Command {
        operation: "POST /invoices/{invoiceId}/lines/{line}/disputes",
        function: "invoice-disputes",
        status: 201,
        request: raise_dispute,
        effects: raised_disputes,
        expected: &[
            ("disputes", 1),
            ("open disputes on the invoice", 1),
            ("lines on the timeline", 1),
            ("records in Salesforce", 1),
            ("of which something is held", 1),
        ],
        events: &["case_changed", "dispute_raised"],
    },
    Command {
        operation: "POST /invoices/{invoiceId}/disputes/{disputeId}/answers",
        function: "invoice-disputes",
        status: 201,
        request: answer_dispute,
        effects: answered_disputes,
        expected: &[
            ("disputes", 1),
            ("open disputes on the invoice", 1),
            ("lines on the timeline", 0),
            ("records in Salesforce", 0),
            ("of which something is held", 0),
            ("answers", 1),
        ],
        events: &["dispute_answered"],
    },
    Command {
        operation: "POST /invoices/{invoiceId}/disputes/{disputeId}/resolve",
        function: "invoice-disputes",
        status: 200,
        request: resolve_dispute,
        effects: closed_disputes,
        expected: &[
            ("disputes", 1),
            ("open disputes on the invoice", 0),
            ("lines on the timeline", 1),
            ("records in Salesforce", 1),
            ("of which something is held", 0),
            ("closed", 1),
        ],
        events: &["case_changed", "dispute_closed"],
    },
    Command {
        operation: "POST /invoices/{invoiceId}/disputes/{disputeId}/withdraw",
        function: "invoice-disputes",
        status: 200,
        request: withdraw_dispute,
        effects: closed_disputes,
        expected: &[
            ("disputes", 1),
            ("open disputes on the invoice", 0),
            ("lines on the timeline", 1),
            ("records in Salesforce", 1),
            ("of which something is held", 0),
            ("closed", 1),
        ],
        events: &["case_changed", "dispute_closed"],
    },
];

/// Operations that change something and are no commands, with the reason.
const EXEMPT: &[(&str, &str)] = &[
    (
        "POST /live/tickets",
        "a repeated request makes another ticket, and one that nobody uses lapses by itself within a minute",
    ),
    (
        "PUT /files/{fileId}/upload",
        "parts are joined once; whoever says again that they are there changes nothing",
    ),
    ("DELETE /files/{fileId}/upload", "what is given up is not there, however often one says so"),
    ("PUT /cases/{caseId}/follower", "setting it twice is setting it once"),
    ("DELETE /cases/{caseId}/follower", "setting it twice is setting it once"),
    ("PATCH /files/{fileId}", "saying the same of a file twice is saying it once: nothing is written then"),
    ("DELETE /files/{fileId}", "deleting twice is deleting once: who did it first and when stands"),
    ("POST /files/{fileId}/restore", "bringing back what is there changes nothing"),
    ("POST /files/{fileId}/erase", "erasing twice is erasing once: what is erased is not found any more"),
];

fn submit_case<'a>(_: &'a World, marker: &'a str) -> BoxFuture<'a, Request> {
    let mut request = Request::sample("case-submission-new-case").with_key(marker);
    request.set_body(|body| body["subject"] = json!(marker));
    Box::pin(async { request })
}

fn submitted_cases<'a>(world: &'a World, marker: &'a str, answer: &'a Answer) -> BoxFuture<'a, Effects> {
    Box::pin(async move {
        let most = PageSize::new(PageSize::MAX).unwrap();
        let mut cases = world.cases(&world.tenant(), PageSize::MAX).await;
        cases.retain(|case| case.subject == marker);
        let mut lines = 0;
        for case in &cases {
            let case = world.case(case.case).await;
            assert_eq!(answer.body["id"], json!(case.id), "the answer is of this case");
            let number = if answer.status == 201 { json!(case.number) } else { Value::Null };
            assert_eq!(answer.body["number"], number, "the answer has its number, or says that it follows");
            let timeline = world.store.timeline(&case, most, None).await.unwrap().unwrap();
            lines += timeline.items.len();
        }
        vec![
            ("cases in the portal", cases.len()),
            ("Cases in Salesforce", cases_in_salesforce(world, marker).await),
            ("lines on the timeline", lines),
        ]
    })
}

/// As the org itself counts them, deleted ones included.
async fn cases_in_salesforce(world: &World, subject: &str) -> usize {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Row {
        subject: Option<String>,
    }
    let salesforce = world.stack.cloud().salesforce(Pace::Submission).await.unwrap();
    let soql = Soql::by_ids("Case", &["Id", "Subject"], "AccountId", &[company().salesforce_id]);
    let rows: Vec<Row> = salesforce.query_all(&soql).await.unwrap();
    rows.iter().filter(|row| row.subject.as_deref() == Some(subject)).count()
}

fn add_file<'a>(_: &'a World, marker: &'a str) -> BoxFuture<'a, Request> {
    let mut request = Request::sample("presigned-uploads-add-file").with_key(marker);
    request.set_body(|body| body["name"] = json!(marker));
    Box::pin(async { request })
}

fn added_files<'a>(world: &'a World, marker: &'a str, answer: &'a Answer) -> BoxFuture<'a, Effects> {
    Box::pin(async move {
        let files = world.store.files(&world.tenant(), open_case()).await.unwrap();
        let files: Vec<_> = files.iter().filter(|file| file.declared.name.as_str() == marker).collect();
        for file in &files {
            assert_eq!(answer.body["id"], json!(file.id), "the answer is of this file");
            assert!(answer.body["upload"]["url"].is_string(), "the answer says how to upload it");
        }
        vec![("files in the portal", files.len())]
    })
}

fn stage_file<'a>(_: &'a World, marker: &'a str) -> BoxFuture<'a, Request> {
    let mut request = Request::sample("presigned-uploads-stage").with_key(marker);
    request.set_body(|body| body["name"] = json!(marker));
    Box::pin(async { request })
}

/// A staged file is on no list; what a request made is in its answer.
fn staged_files<'a>(world: &'a World, marker: &'a str, answer: &'a Answer) -> BoxFuture<'a, Effects> {
    Box::pin(async move {
        let id = answer.body["id"].as_str().unwrap().parse().unwrap();
        let file = world.store.file(&world.tenant(), id).await.unwrap();
        let file = file.filter(|file| file.declared.name.as_str() == marker && file.case.is_none());
        assert!(answer.body["upload"]["url"].is_string(), "the answer says how to upload it");
        let facts = outbox::facts(&world.stack.emulators).await;
        let declared =
            facts.iter().filter(|fact| matches!(fact, Fact::FileDeclared { case: None, .. })).count();
        let space = world.store.space(&world.tenant(), None).await.unwrap();
        // Several markers share an account: each takes as much as the next.
        let each = usize::try_from(space.bytes).unwrap() / declared.max(1);
        vec![("files in the portal", usize::from(file.is_some())), ("room taken for it", each)]
    })
}

/// The member's case of this name, with a file in it.
fn archived_case(marker: &str) -> (Case, File) {
    let id = |what: &str| {
        let name = format!("{what} to archive {marker}");
        uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, name.as_bytes())
    };
    let case = Case {
        id: CaseId::from_uuid(id("case")),
        subject: marker.to_owned(),
        ..case(new_case(), "New", false)
    };
    let file = File { case: Some(case.id), ..available(FileId::from_uuid(id("file"))) };
    (case, file)
}

fn request_archive<'a>(world: &'a World, marker: &'a str) -> BoxFuture<'a, Request> {
    Box::pin(async move {
        let (case, file) = archived_case(marker);
        if world.store.case(&world.tenant(), case.id).await.unwrap().is_none() {
            let bucket = world.stack.cloud().bucket("FILES_BUCKET").unwrap();
            bucket.put(&file.key().to_string(), "text/plain", CONTENT.into()).await.unwrap();
            world.store.save_file(&file).await.unwrap();
            world.store.save_case(&case, &[], &[]).await.unwrap();
        }
        Request::sample("case-archives-request").with_key(marker).with_path("caseId", &case.id.to_string())
    })
}

fn requested_archives<'a>(world: &'a World, marker: &'a str, answer: &'a Answer) -> BoxFuture<'a, Effects> {
    Box::pin(async move {
        let (case, _) = archived_case(marker);
        let query = Query {
            table: Table::Archives,
            index: None,
            partition: account().to_string(),
            within: None,
            descending: false,
            limit: 1000,
            after: None,
        };
        let found = world.stack.engine().query(&query).await.unwrap();
        let mut archives: Vec<Archive> =
            found.items.into_iter().map(|item| serde_dynamo::from_item(item).unwrap()).collect();
        archives.retain(|archive| archive.case == case.id);
        for archive in &archives {
            assert_eq!(answer.body["id"], json!(archive.id), "the answer is of this archive");
        }
        let ready = archives.iter().filter(|archive| archive.downloadable_until().is_some()).count();
        vec![("archives in the portal", archives.len()), ("ready", ready)]
    })
}

fn add_comment<'a>(_: &'a World, marker: &'a str) -> BoxFuture<'a, Request> {
    let mut request = Request::sample("case-conversation-add").with_key(marker);
    request.set_body(|body| *body = json!({ "body": marker }));
    Box::pin(async { request })
}

fn added_comments<'a>(world: &'a World, marker: &'a str, answer: &'a Answer) -> BoxFuture<'a, Effects> {
    Box::pin(async move {
        let case = world.case(open_case()).await;
        let mut comments = lines(world, &case).await;
        comments
            .retain(|line| matches!(&line.happening, Happening::Commented { body, .. } if body == marker));
        for comment in &comments {
            assert_eq!(answer.body["id"], json!(comment.id), "the answer is of this comment");
        }
        let salesforce = world.stack.cloud().salesforce(Pace::Submission).await.unwrap();
        let parent = case.salesforce_id.unwrap();
        let soql = Soql::by_ids("CaseComment", &["Id", "CommentBody"], "ParentId", &[parent]);
        let there: Vec<Value> = salesforce.query_all(&soql).await.unwrap();
        let said =
            |comment: &&Value| comment["CommentBody"].as_str().is_some_and(|text| text.ends_with(marker));
        vec![
            ("comments in the portal", comments.len()),
            ("comments in Salesforce", there.iter().filter(said).count()),
        ]
    })
}

fn close_case<'a>(world: &'a World, marker: &'a str) -> BoxFuture<'a, Request> {
    Box::pin(async move {
        let case = marked_case(world, marker, "close", "New", false).await;
        Request::sample("case-changes-close").with_key(marker).with_path("caseId", &case.id.to_string())
    })
}

fn reopen_case<'a>(world: &'a World, marker: &'a str) -> BoxFuture<'a, Request> {
    Box::pin(async move {
        let case = marked_case(world, marker, "reopen", "Closed", true).await;
        let request = Request::sample("case-changes-reopen").with_key(marker).by(MEMBER);
        request.with_path("caseId", &case.id.to_string())
    })
}

fn edit_case<'a>(world: &'a World, marker: &'a str) -> BoxFuture<'a, Request> {
    Box::pin(async move {
        let case = marked_case(world, marker, "edit", "New", false).await;
        let mut request = Request::sample("case-changes-edit").with_key(marker);
        request.set_body(|body| *body = json!({ "version": 1, "description": "In other words." }));
        request.with_path("caseId", &case.id.to_string())
    })
}

/// The member's case of this subject, here and in Salesforce, to be changed in this way; made if it is not there yet.
pub async fn marked_case(world: &World, marker: &str, to: &str, status: &str, closed: bool) -> Case {
    let name = format!("{to} {marker}");
    let id = CaseId::from_uuid(uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, name.as_bytes()));
    if let Some(case) = world.store.case(&world.tenant(), id).await.unwrap() {
        return case;
    }
    let raised = Case {
        id,
        subject: marker.to_owned(),
        status: Status { label: status.to_owned(), closed },
        ..case(new_case(), "New", false)
    };
    let salesforce = world.stack.cloud().salesforce(Pace::Submission).await.unwrap();
    let taken = salesforce.submit_case(&raised, &company()).await.unwrap();
    let case = Case { salesforce_id: Some(taken.id), number: Some(taken.number), ..raised };
    world.store.save_case(&case, &[], &[]).await.unwrap();
    case
}

fn changed_cases<'a>(world: &'a World, marker: &'a str, answer: &'a Answer) -> BoxFuture<'a, Effects> {
    Box::pin(async move {
        let id = answer.body["id"].as_str().unwrap().parse().unwrap();
        let case = world.case(id).await;
        assert_eq!(case.subject, marker, "the answer is of this case");
        let salesforce = world.stack.cloud().salesforce(Pace::Submission).await.unwrap();
        let there: Vec<Value> = salesforce
            .query_all(&Soql::by_ids(
                "Case",
                &["Status", "Description"],
                "Id",
                &[case.salesforce_id.unwrap()],
            ))
            .await
            .unwrap();
        assert_eq!(there[0]["Description"], case.description.as_str());
        let status = match there[0]["Status"].as_str().unwrap() {
            "Closed" => "Closed in Salesforce",
            "Working" => "Working in Salesforce",
            "New" => "New in Salesforce",
            other => panic!("{other}"),
        };
        vec![
            ("lines on the timeline", lines(world, &case).await.len()),
            ("held", usize::from(case.held.is_some())),
            (status, there.len()),
        ]
    })
}

async fn lines(world: &World, case: &Case) -> Vec<TimelineEntry> {
    let most = PageSize::new(PageSize::MAX).unwrap();
    world.store.timeline(case, most, None).await.unwrap().unwrap().items
}

/// An event of API Gateway, made from one in `events/`.
#[derive(Debug, Clone)]
pub struct Request(Value);

impl Request {
    pub fn sample(name: &str) -> Self {
        Self(serde_json::from_str(&samples::text(name)).unwrap())
    }

    /// With this `Idempotency-Key`, whose characters must be those of a key.
    pub fn with_key(mut self, key: &str) -> Self {
        let key: String = key.chars().map(|c| if c.is_ascii_graphic() { c } else { '-' }).collect();
        self.0["headers"]["idempotency-key"] = json!(key);
        self.0["multiValueHeaders"]["idempotency-key"] = json!([key]);
        self
    }

    /// From this user.
    pub fn by(mut self, user: &str) -> Self {
        let claims = &mut self.0["requestContext"]["authorizer"]["claims"];
        claims["sub"] = json!(user);
        claims["username"] = json!(user);
        self
    }

    /// The user that it is from.
    pub fn sender(&self) -> &str {
        self.0["requestContext"]["authorizer"]["claims"]["sub"].as_str().unwrap()
    }

    /// With this query parameter and no other.
    pub fn with_query(mut self, name: &str, value: &str) -> Self {
        self.0["queryStringParameters"] = json!({ name: value });
        self.0["multiValueQueryStringParameters"] = json!({ name: [value] });
        self
    }

    /// With this value of a parameter in the path.
    pub fn with_path(mut self, name: &str, value: &str) -> Self {
        let old = self.0["pathParameters"][name].as_str().unwrap().to_owned();
        self.0["pathParameters"][name] = json!(value);
        for path in ["/path", "/requestContext/path"] {
            let path = self.0.pointer_mut(path).unwrap();
            *path = json!(path.as_str().unwrap().replace(&old, value));
        }
        self
    }

    pub fn set_body(&mut self, change: impl FnOnce(&mut Value)) {
        let mut body: Value = serde_json::from_str(self.0["body"].as_str().unwrap()).unwrap();
        change(&mut body);
        self.0["body"] = json!(body.to_string());
    }

    /// The same, but for a blank behind the body: other bytes that mean the same.
    pub fn with_other_body(mut self) -> Self {
        let body = self.0["body"].as_str().unwrap().to_owned() + " ";
        self.0["body"] = json!(body);
        self
    }

    fn event(&self) -> LambdaEvent<Box<RawValue>> {
        lambda_event(&self.0.to_string())
    }

    pub async fn send_to(&self, function: &Function) -> Answer {
        let answer = function.invoke(self.event()).await.unwrap();
        Answer::of(&serde_json::from_str(answer.get()).unwrap())
    }
}

/// What a client sees.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub status: u16,
    /// Whether it says that it was given before.
    pub replayed: bool,
    /// Seconds.
    pub retry_after: Option<u64>,
    pub body: Value,
}

impl Answer {
    fn of(answer: &Value) -> Self {
        let header = |name: &str| {
            let many = answer["multiValueHeaders"][name][0].as_str();
            many.or_else(|| answer["headers"][name].as_str())
        };
        Self {
            status: answer["statusCode"].as_u64().unwrap().try_into().unwrap(),
            replayed: header("idempotency-replayed") == Some("true"),
            retry_after: header("retry-after").map(|seconds| seconds.parse().unwrap()),
            body: match answer["body"].as_str() {
                None | Some("") => Value::Null,
                Some(body) => serde_json::from_str(body).unwrap(),
            },
        }
    }

    /// Whether it says that the first request with this key is not answered yet, and when to come back.
    pub fn in_flight(&self) -> bool {
        let in_flight = self.status == 409;
        assert_eq!(in_flight, self.retry_after.is_some(), "{self:?}");
        in_flight
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.status)?;
        if let Some(seconds) = self.retry_after {
            write!(f, ", Retry-After {seconds}")?;
        }
        if self.replayed { f.write_str(", replayed") } else { Ok(()) }
    }
}

/// Whoever adds an operation that changes something adds it to the table, or says why not.
#[test]
fn every_operation_that_changes_something_is_a_command_or_exempt() {
    let document = serde_json::to_value(portico_conformance::openapi::document().unwrap()).unwrap();
    let mut changing = BTreeSet::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for method in ["post", "put", "patch", "delete"] {
            if operations.get(method).is_some() {
                changing.insert(format!("{} {path}", method.to_uppercase()));
            }
        }
    }
    let commands = COMMANDS.iter().map(|command| command.operation);
    let exempt = EXEMPT.iter().map(|(operation, _)| *operation);
    assert_eq!(changing, commands.chain(exempt).map(str::to_owned).collect());
}
