//! Logs hold ids, never content: everything that is logged while the portal works is searched for what must not be
//! there. Down to the level of debugging, although what is deployed logs less (`template.yaml`): what a library says
//! there is one setting away.

use portico_salesforce::callout::{self, SigningKey};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::{
    capture::Capture,
    consumers::Consumers,
    samples::text,
    stack::now,
    world::{Guarded, PATH_SECRET, PRIVATE_KEY, SIGNING_KEY, World, lambda_event, memberships},
};

/// Words that only this test uses.
const SUBJECT: &str = "synthetic subject: turquoise turbines";
const DESCRIPTION: &str = "synthetic description: magenta manifolds";
const COMMENT: &str = "synthetic comment: vermilion valves";
const FIELD: &str = "synthetic field: ochre oscillators";
const SESSION: &str = "00DFk0000000001!synthetic.session.of.the.message";
const GUESS: &str = "synthetic-guess-of-a-path-secret";

/// Fewest lines of a run that did what it should.
const LINES_MIN: usize = 50;

/// What must not be in a log, with what it is.
#[derive(Default)]
struct Forbidden(Vec<(String, String)>);

impl Forbidden {
    fn add(&mut self, what: &str, text: impl Into<String>) {
        let text = text.into();
        assert!(text.len() >= 4, "{what} is too short to be looked for");
        self.0.push((what.to_owned(), text));
    }

    /// What is there, with the line.
    fn found_in(&self, log: &str) -> Vec<String> {
        let mut found = Vec::new();
        for line in log.lines() {
            for (what, text) in &self.0 {
                // As JSON writes it.
                let written = json!(text).to_string();
                if line.contains(written.trim_matches('"')) {
                    found.push(format!("{what}: {line}"));
                }
            }
        }
        found
    }
}

fn forbidden() -> Forbidden {
    let mut forbidden = Forbidden::default();
    forbidden.add("the path secret", PATH_SECRET);
    forbidden.add("a guess of it", GUESS);
    forbidden.add("the signing key", SIGNING_KEY);
    forbidden.add("a token of Salesforce", "00DFk0000000001!");
    forbidden.add("a token", "Bearer ");
    // `{"alg":` and `{"typ":`, as every such token begins with one of them.
    forbidden.add("a JSON web token", "eyJhbGci");
    forbidden.add("a JSON web token", "eyJ0eXAi");
    forbidden.add("the signature of a link", "X-Amz-Signature=");
    for line in PRIVATE_KEY.lines().filter(|line| line.len() > 40) {
        forbidden.add("the private key", line);
    }
    for (what, text) in [
        ("a subject", SUBJECT),
        ("a description", DESCRIPTION),
        ("a comment", COMMENT),
        ("a field of a message", FIELD),
        ("the session of a message", SESSION),
        ("a subject in Salesforce", "Customs report shows last month"),
        ("a comment in Salesforce", "The file of last week"),
        ("a subject in the portal", "Label printer in hall 3"),
    ] {
        forbidden.add(what, text);
    }
    for person in memberships() {
        forbidden.add("a name", person.name);
        forbidden.add("an address", person.email);
    }
    forbidden
}

async fn invoke(guarded: &Guarded, event: &Value) -> Value {
    let answer = guarded.function.invoke(lambda_event(&event.to_string())).await.unwrap();
    serde_json::from_str(answer.get()).unwrap()
}

fn sample(name: &str) -> Value {
    serde_json::from_str(&text(name)).unwrap()
}

/// A sample whose body is another one.
fn with_body(name: &str, body: &Value) -> Value {
    let mut event = sample(name);
    event["body"] = body.to_string().into();
    event
}

/// What clients and Salesforce do, refusals included. Notes what must not be in a log and is not known before.
async fn a_day_of_work(world: &World, forbidden: &mut Forbidden) {
    let mut consumers = Consumers::start(world).await;

    let submission = world.boot("case-submission").await;
    let written = json!({ "subject": SUBJECT, "description": DESCRIPTION });
    let submitted = invoke(&submission, &with_body("case-submission-new-case", &written)).await;
    assert_eq!(submitted["statusCode"], 201, "{submitted}");
    let refused = with_body(
        "case-submission-refused-fields",
        &json!({ "subject": "", "description": DESCRIPTION, "unknown": SUBJECT }),
    );
    assert_eq!(invoke(&submission, &refused).await["statusCode"], 400);

    let conversation = world.boot("case-conversation").await;
    let said = invoke(&conversation, &with_body("case-conversation-add", &json!({ "body": COMMENT }))).await;
    assert_eq!(said["statusCode"], 201, "{said}");

    for (binary, name) in [
        ("presigned-uploads", "presigned-uploads-add-file"),
        ("presigned-downloads", "presigned-downloads-file"),
    ] {
        let answer = invoke(&world.boot(binary).await, &sample(name)).await;
        let body = answer["body"].as_str().unwrap();
        let (_, signature) = body.split_once("X-Amz-Signature=").unwrap_or_else(|| panic!("{answer}"));
        let signature: String = signature.chars().take_while(char::is_ascii_hexdigit).collect();
        forbidden.add("the signature of this link", signature);
    }

    let tickets = world.boot("live-tickets").await;
    let issued = invoke(&tickets, &sample("live-tickets-issue")).await;
    let issued: Value = serde_json::from_str(issued["body"].as_str().unwrap()).unwrap();
    forbidden.add("a live ticket", issued["ticket"].as_str().unwrap());

    webhooks(world, forbidden).await;
    consumers.run(world).await;
}

async fn webhooks(world: &World, forbidden: &mut Forbidden) {
    let receiver = world.boot("webhook-receiver").await;
    let mut told = sample("webhook-receiver-cases-changed");
    let body = told["body"].as_str().unwrap();
    let body = body
        .replace("<SessionId xsi:nil=\"true\"/>", &format!("<SessionId>{SESSION}</SessionId>"))
        .replace("Working", FIELD);
    assert!(body.contains(SESSION) && body.contains(FIELD));
    told["body"] = body.clone().into();
    let answer = invoke(&receiver, &told).await;
    assert!(answer["body"].as_str().unwrap().contains("<Ack>true"), "{answer}");

    let mut guessed = told.clone();
    guessed["rawPath"] = format!("/salesforce/{GUESS}").into();
    guessed["requestContext"]["http"]["path"] = format!("/salesforce/{GUESS}").into();
    assert_eq!(invoke(&receiver, &guessed).await["statusCode"], 404);
    for broken in [body.replace("</sf:Status>", ""), body.replace("00DFk0000000001MAA", "00DFk0000000002MAA")]
    {
        let mut event = told.clone();
        event["body"] = broken.into();
        assert!(matches!(invoke(&receiver, &event).await["statusCode"].as_u64(), Some(400 | 403)));
    }

    for (name, status) in [("webhook-receiver-callout", 202), ("webhook-receiver-callout-forged", 401)] {
        let event = sample(name);
        assert_eq!(invoke(&receiver, &event).await["statusCode"], status, "{name}");
        forbidden
            .add("the signature of a callout", event["headers"][callout::SIGNATURE_HEADER].as_str().unwrap());
    }
    // Not what a callout is, but signed: the refusal names its fields.
    let key = SigningKey::try_from(SecretString::from(SIGNING_KEY)).unwrap();
    let timestamp = now().as_second().to_string();
    let mut event = with_body("webhook-receiver-callout", &json!({ "records": FIELD, "subject": SUBJECT }));
    let signature = key.sign(&timestamp, event["body"].as_str().unwrap().as_bytes());
    event["headers"][callout::SIGNATURE_HEADER] = signature.into();
    assert_eq!(invoke(&receiver, &event).await["statusCode"], 400);

    let events = world.boot("salesforce-change-events").await;
    let mut changed = sample("salesforce-change-events-records-changed");
    changed["detail"]["payload"]["Subject"] = FIELD.into();
    events.function.invoke(lambda_event(&changed.to_string())).await.unwrap();
    assert!(events.function.invoke(lambda_event(&json!({ "subject": FIELD }).to_string())).await.is_err());
}

#[tokio::test]
async fn case_w19_no_secret_and_no_content_is_in_any_log() {
    // The world is furnished by the tests, not by the portal.
    let world = World::start().await;
    let mut forbidden = forbidden();
    let capture = Capture::start();
    a_day_of_work(&world, &mut forbidden).await;
    let log = capture.text();
    let lines = log.lines().count();
    assert!(lines > LINES_MIN, "only {lines} lines were captured");
    for sign in
        ["\"answered\"", "\"taken\"", "/salesforce/{secret}", "a callout that is not signed as it should be"]
    {
        assert!(log.contains(sign), "nothing of the run is in the log: {sign}");
    }
    let found = forbidden.found_in(&log);
    assert!(found.is_empty(), "{} of {lines} lines:\n{}", found.len(), found.join("\n"));
    // Control: every single one would have been found.
    for (what, text) in &forbidden.0 {
        let planted = Capture::start();
        tracing::debug!(name: "planted", "{text}");
        let found = forbidden.found_in(&planted.text());
        assert!(found.iter().any(|line| line.starts_with(what.as_str())), "{what} would not be found");
    }
}
