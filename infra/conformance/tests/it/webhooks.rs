//! What Salesforce sends, and everything that can be wrong with it, on the real functions and over real connections.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use futures::future::join_all;
use jiff::SignedDuration;
use portico_salesforce::{
    callout::{self, SigningKey},
    outbound,
};
use rust_decimal::Decimal;
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::{
    consumers::Consumers,
    samples::text,
    stack::MovableClock,
    steps::{Blow, Fault, Side},
    world::{Guarded, PATH_SECRET, SIGNING_KEY, World, lambda_event},
};

const ORGANIZATION: &str = "00DFk0000000001MAA";
/// The definition for cases.
const ACTION: &str = "04kFk0000000003IAA";
/// Longer than a message is remembered.
const FORGOTTEN: SignedDuration = SignedDuration::from_hours(48);
/// Most messages that a test looks for in a queue.
const MESSAGES_MAX: usize = 200;

struct Scene {
    world: World,
    clock: MovableClock,
}

/// What came back.
struct Answer {
    status: u64,
    body: String,
}

impl Answer {
    fn acknowledges(&self) -> bool {
        self.status == 200 && self.body == outbound::ACK
    }

    /// "Again, please."
    fn declines(&self) -> bool {
        self.status == 200 && self.body == outbound::NACK
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

impl Scene {
    async fn start() -> Self {
        let clock = MovableClock::new();
        Self { world: World::start_watched(clock.clock()).await, clock }
    }

    async fn receiver(&self) -> Guarded {
        self.world.boot("webhook-receiver").await
    }

    /// The receiver, without the right to do this.
    async fn receiver_without(&self, action: &str) -> Guarded {
        let mut grants = self.world.grants("webhook-receiver");
        let before = grants.len();
        grants.retain(|grant| grant.action != action);
        assert!(grants.len() < before, "{action} is no right of the receiver");
        let guard = self.world.guard(grants).await;
        let variables = self.world.variables("webhook-receiver");
        let function = self.world.boot_with("webhook-receiver", variables, &guard).await.unwrap();
        Guarded { function, guard }
    }

    /// A process of its own that gets this event, and may die on the way.
    async fn delivery(&self, event: &Value, fault: Option<Fault>) -> Option<Answer> {
        let process = async {
            let receiver = self.receiver().await;
            post(&receiver, event).await
        };
        self.world.steps.live(fault, process).await
    }

    /// What is in the sync's queue, message by message.
    async fn queued(&self) -> Vec<Vec<(String, String)>> {
        let messages = self.world.stack.emulators.queues().peek("SyncQueue", MESSAGES_MAX).await.unwrap();
        let records = messages.iter().map(|message| {
            let body: Value = serde_json::from_str(&message.body).unwrap();
            let pair = |record: &Value| {
                (record["object"].as_str().unwrap().to_owned(), record["id"].as_str().unwrap().to_owned())
            };
            body["records"].as_array().unwrap().iter().map(pair).collect()
        });
        records.collect()
    }

    async fn empty_the_queue(&self) {
        self.world.stack.emulators.queues().purge("SyncQueue").await.unwrap();
    }
}

async fn post(receiver: &Guarded, event: &Value) -> Answer {
    let answer = receiver.function.invoke(lambda_event(&event.to_string())).await.unwrap();
    let answer: Value = serde_json::from_str(answer.get()).unwrap();
    Answer {
        status: answer["statusCode"].as_u64().unwrap(),
        body: answer["body"].as_str().unwrap_or_default().to_owned(),
    }
}

/// The event of a request to the function URL.
fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Value {
    let mut event: Value = serde_json::from_str(&text("webhook-receiver-cases-changed")).unwrap();
    event["rawPath"] = path.into();
    event["requestContext"]["http"]["path"] = path.into();
    event["requestContext"]["http"]["method"] = method.into();
    event["headers"].as_object_mut().unwrap().remove("content-type");
    event["headers"]["content-length"] = body.len().to_string().into();
    for (name, value) in headers {
        event["headers"][name] = (*value).into();
    }
    // Lambda does not look whether it is text: it goes by the content type. Both forms have to work.
    match std::str::from_utf8(body) {
        Ok(text) => event["body"] = text.into(),
        Err(_) => {
            event["body"] = BASE64_STANDARD.encode(body).into();
            event["isBase64Encoded"] = true.into();
        }
    }
    event
}

fn outbound_message(body: &str) -> Value {
    let path = format!("/salesforce/{PATH_SECRET}");
    request("POST", &path, &[("content-type", "text/xml; charset=UTF-8")], body.as_bytes())
}

fn message_of(organization: &str, action: &str, notifications: &str) -> String {
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body><notifications xmlns="http://soap.sforce.com/2005/09/outbound"><OrganizationId>{organization}</OrganizationId><ActionId>{action}</ActionId><SessionId/><EnterpriseUrl>https://synthetic.example/c</EnterpriseUrl><PartnerUrl>https://synthetic.example/u</PartnerUrl>{notifications}</notifications></soapenv:Body></soapenv:Envelope>"#
    )
}

fn message(notifications: &str) -> String {
    message_of(ORGANIZATION, ACTION, notifications)
}

/// Salesforce's id of the `place`-th record with this prefix.
fn id(prefix: &str, place: usize) -> String {
    let short = format!("{prefix}Fk{place:010}");
    short.parse::<portico_domain::SalesforceId>().unwrap().to_string()
}

fn notification(notification: usize, object: &str, record: &str, fields: &str) -> String {
    format!(
        r#"<Notification><Id>{}</Id><sObject xsi:type="sf:{object}" xmlns:sf="urn:sobject.enterprise.soap.sforce.com"><sf:Id>{record}</sf:Id>{fields}</sObject></Notification>"#,
        id("04l", notification)
    )
}

fn case_changed(place: usize) -> String {
    notification(place, "Case", &id("500", place), "<sf:Status>Working</sf:Status>")
}

fn case(place: usize) -> (String, String) {
    ("Case".to_owned(), id("500", place))
}

/// Whichever request is the last one of the process: an answer means that the records are in the queue.
#[tokio::test]
async fn case_w02_a_crash_anywhere_before_the_ack_loses_nothing() {
    let scene = Scene::start().await;
    let undisturbed = outbound_message(&message(&case_changed(0)));
    assert!(scene.delivery(&undisturbed, None).await.unwrap().acknowledges());
    let steps = scene.world.steps.names();
    assert_eq!(
        steps,
        [
            "GetSecretValue WebhookSecret",
            "GetItem IdempotencyTable",
            "SendMessage SyncQueue",
            "PutItem IdempotencyTable"
        ]
    );
    for at in 0..steps.len() {
        for side in [Side::Before, Side::After] {
            let place = 1 + 2 * at + usize::from(side == Side::After);
            let event = outbound_message(&message(&case_changed(place)));
            let fault = Some(Fault { at, side, blow: Blow::Death });
            assert!(scene.delivery(&event, fault).await.is_none(), "{at} {side:?}: it lived");
            scene.clock.advance(SignedDuration::from_secs(30));
            assert!(scene.delivery(&event, None).await.unwrap().acknowledges(), "{at} {side:?}");
            let queued: Vec<_> = scene.queued().await.into_iter().flatten().collect();
            let copies = queued.iter().filter(|record| **record == case(place)).count();
            // Sent again from the queue on, and known behind the write that remembers it.
            let behind_the_queue = (at, side) >= (2, Side::After) && (at, side) < (3, Side::After);
            assert_eq!(copies, 1 + usize::from(behind_the_queue), "{at} {side:?}");
        }
    }
}

#[tokio::test]
async fn case_w03_one_notification_that_cannot_be_read_keeps_the_message_back() {
    let scene = Scene::start().await;
    let receiver = scene.receiver().await;
    let all: String = (0..100).map(case_changed).collect();
    let broken = all.replace(&id("500", 57), "500Fk0000000057XXX");
    let answer = post(&receiver, &outbound_message(&message(&broken))).await;
    assert_eq!(answer.status, 400, "{}", answer.body);
    assert!(scene.queued().await.is_empty(), "some of it is in the queue");
    assert!(post(&receiver, &outbound_message(&message(&all))).await.acknowledges());
    assert_eq!(scene.queued().await, [(0..100).map(case).collect::<Vec<_>>()]);
}

/// Whatever fails behind the function, Salesforce hears "again", and the next attempt puts it right.
#[tokio::test]
async fn case_w03_what_is_not_durable_is_not_acknowledged() {
    let scene = Scene::start().await;
    let healthy = scene.receiver().await;
    for (place, (action, queued)) in
        [("dynamodb:GetItem", 0), ("sqs:SendMessage", 0), ("dynamodb:PutItem", 1)].into_iter().enumerate()
    {
        let event = outbound_message(&message(&case_changed(place)));
        let failing = scene.receiver_without(action).await;
        assert!(post(&failing, &event).await.declines(), "{action}");
        assert_eq!(failing.guard.denied().len(), 1, "{action}: it did not fail");
        assert_eq!(scene.queued().await.len(), queued, "{action}");
        assert!(post(&healthy, &event).await.acknowledges(), "{action}");
        assert!(scene.queued().await.contains(&vec![case(place)]), "{action}");
        scene.empty_the_queue().await;
    }
}

/// Sixty-four at once, then once more: no Salesforce call, no write unit, half a read unit or one.
#[tokio::test]
async fn case_w04_a_retry_storm_of_one_message_ends_at_one_read_each() {
    let scene = Scene::start().await;
    let receiver = scene.receiver().await;
    let event = outbound_message(&message(&(0..100).map(case_changed).collect::<String>()));
    let answers = join_all((0..64).map(|_| post(&receiver, &event))).await;
    // On a slow machine a time-out may be among them; Salesforce would come again, as it does below.
    assert!(answers.iter().all(|answer| answer.acknowledges() || answer.declines()));
    assert!(answers.iter().any(Answer::acknowledges));
    let queued = scene.queued().await;
    let whole: Vec<_> = (0..100).map(case).collect();
    assert!(!queued.is_empty() && queued.iter().all(|message| *message == whole));
    let before = queued.len();
    receiver.guard.bill();
    let again = scene.world.steps.live(None, post(&receiver, &event)).await.unwrap();
    assert!(again.acknowledges());
    assert_eq!(scene.world.steps.names(), ["GetItem IdempotencyTable"]);
    let bill = receiver.guard.bill();
    assert!(bill.iter().all(|request| !request.is_write()), "{bill:?}");
    let units: Decimal = bill.iter().map(super::meter::Metered::total).sum();
    assert!(units <= Decimal::ONE, "{bill:?}");
    assert_eq!(scene.queued().await.len(), before);
}

#[tokio::test]
async fn case_w05_bodies_methods_and_types_that_are_not_taken() {
    let scene = Scene::start().await;
    let receiver = scene.receiver().await;
    let path = format!("/salesforce/{PATH_SECRET}");
    let soap = message(&case_changed(1));
    let xml = ("content-type", "text/xml");
    let padded =
        soap.replace("<SessionId/>", &format!("<SessionId>{}</SessionId>", " ".repeat(outbound::BYTES_MAX)));
    for (event, status) in [
        (request("POST", &path, &[xml], padded.as_bytes()), 413),
        (request("GET", &path, &[xml], soap.as_bytes()), 405),
        (request("PUT", &path, &[xml], soap.as_bytes()), 405),
        (request("POST", &path, &[("content-type", "application/soap+xml")], soap.as_bytes()), 415),
        (request("POST", &path, &[("content-type", "application/json")], soap.as_bytes()), 415),
        (request("POST", &path, &[], soap.as_bytes()), 415),
        (request("POST", &path, &[xml], b""), 400),
        (request("POST", &path, &[xml], b"\xff\xfe"), 400),
        (request("POST", "/salesforce/", &[xml], soap.as_bytes()), 403),
        (request("POST", "/salesforce/synthetic-path-secreT", &[xml], soap.as_bytes()), 404),
        (request("POST", "/", &[xml], soap.as_bytes()), 403),
    ] {
        let answer = post(&receiver, &event).await;
        assert_eq!(answer.status, status, "{} {}", event["rawPath"], answer.body);
        assert_eq!(answer.json()["status"], status);
    }
    assert!(scene.queued().await.is_empty());
    // The same in base64, as a function URL hands over what it does not take for text.
    let mut encoded = request("POST", &path, &[xml], soap.as_bytes());
    encoded["body"] = BASE64_STANDARD.encode(&soap).into();
    encoded["isBase64Encoded"] = true.into();
    assert!(post(&receiver, &encoded).await.acknowledges());
    assert_eq!(scene.queued().await, [vec![case(1)]]);
}

#[tokio::test]
async fn case_w06_the_same_notification_id_again_is_looked_at_again_unless_all_is_the_same() {
    let scene = Scene::start().await;
    let receiver = scene.receiver().await;
    let say = async |fields: &str, session: &str| {
        let told = message(&notification(1, "Case", &id("500", 1), fields));
        let told = told.replace("<SessionId/>", &format!("<SessionId>{session}</SessionId>"));
        assert!(post(&receiver, &outbound_message(&told)).await.acknowledges());
        scene.queued().await.len()
    };
    let newer = "<sf:SystemModstamp>2026-11-22T09:30:01.000Z</sf:SystemModstamp>";
    assert_eq!(say("", "").await, 1);
    assert_eq!(say("", "").await, 1, "an exact repetition");
    assert_eq!(say("", "00DFk0000000001!fresh").await, 1, "another attempt has another session");
    assert_eq!(say(newer, "").await, 2, "the same id with another state was dropped");
    // Twice in one message: once for a record, and for each of two records.
    scene.empty_the_queue().await;
    let twice = |other: usize| {
        let second = notification(1, "Case", &id("500", other), "<sf:Status>New</sf:Status>");
        outbound_message(&message(&format!("{}{second}", case_changed(1))))
    };
    assert!(post(&receiver, &twice(1)).await.acknowledges());
    assert!(post(&receiver, &twice(2)).await.acknowledges());
    assert_eq!(scene.queued().await, [vec![case(1)], vec![case(1), case(2)]]);
}

#[tokio::test]
async fn case_w13_a_message_about_deleted_records_only_is_acknowledged() {
    let scene = Scene::start().await;
    let receiver = scene.receiver().await;
    let empty = |object: &str| format!("<Notification><Id>{}</Id>{object}</Notification>", id("04l", 9));
    let typed = r#"<sObject xsi:type="sf:Case" xmlns:sf="urn:sobject.enterprise.soap.sforce.com"/>"#;
    for nothing in [empty(typed), empty("<sObject/>"), empty(r#"<sObject xsi:nil="true"/>"#), empty("")] {
        assert!(post(&receiver, &outbound_message(&message(&nothing))).await.acknowledges(), "{nothing}");
        assert!(scene.queued().await.is_empty());
    }
    // It does not keep back what is beside it.
    let mixed = message(&format!("{}{}", empty(typed), case_changed(1)));
    assert!(post(&receiver, &outbound_message(&mixed)).await.acknowledges());
    assert_eq!(scene.queued().await, [vec![case(1)]]);
}

/// The expiry is part of the condition: what the table's sweep has not removed yet is forgotten all the same.
#[tokio::test]
async fn case_w14_a_replay_after_the_record_expired_is_looked_at_again() {
    let scene = Scene::start().await;
    let receiver = scene.receiver().await;
    let event = outbound_message(&message(&case_changed(1)));
    for (advance, queued) in [
        (SignedDuration::ZERO, 1),
        (FORGOTTEN - SignedDuration::from_secs(1), 1),
        (SignedDuration::from_secs(1), 2),
        // Remembered anew.
        (SignedDuration::from_secs(1), 2),
    ] {
        scene.clock.advance(advance);
        assert!(post(&receiver, &event).await.acknowledges());
        assert_eq!(scene.queued().await.len(), queued, "{advance}");
    }
}

#[tokio::test]
async fn case_w16_ids_in_both_forms_are_one_and_in_another_case_are_two() {
    let scene = Scene::start().await;
    let receiver = scene.receiver().await;
    let records = ["500Fk0000000aBc", "500Fk0000000aBcIAO", "500Fk0000000abc"];
    let long: Vec<String> = records
        .iter()
        .map(|text| text[..15].parse::<portico_domain::SalesforceId>().unwrap().to_string())
        .collect();
    let all: String = [records[0], &long[0], records[2]]
        .iter()
        .enumerate()
        .map(|(place, record)| notification(place, "Case", record, ""))
        .collect();
    assert!(post(&receiver, &outbound_message(&message(&all))).await.acknowledges());
    let expected: BTreeSet<String> = [long[0].clone(), long[2].clone()].into();
    let queued = scene.queued().await;
    assert_eq!(queued.len(), 1);
    assert_eq!(queued[0].iter().map(|(_, id)| id.clone()).collect::<BTreeSet<_>>(), expected);
    assert_eq!(queued[0].len(), 2);
    let wrong = format!("{}ZZZ", &long[0][..15]);
    let answer = post(&receiver, &outbound_message(&message(&notification(9, "Case", &wrong, "")))).await;
    assert_eq!(answer.status, 400);
}

#[tokio::test]
async fn case_w17_foreign_messages_are_refused_and_unknown_objects_passed_over() {
    let scene = Scene::start().await;
    let receiver = scene.receiver().await;
    for (organization, action) in [
        (id("00D", 2), ACTION.to_owned()),
        (ORGANIZATION.to_owned(), id("04k", 999)),
        (id("00D", 2), id("04k", 999)),
    ] {
        let foreign = message_of(&organization, &action, &case_changed(1));
        let answer = post(&receiver, &outbound_message(&foreign)).await;
        assert_eq!(answer.status, 403, "{organization} {action}");
        assert!(!answer.body.contains(&organization) && !answer.body.contains("Ack"), "{}", answer.body);
    }
    assert!(scene.queued().await.is_empty());
    // Neither form of the organisation's id matters.
    let mixed = message_of(
        &ORGANIZATION[..15],
        ACTION,
        &[
            notification(1, "Case", &id("500", 1), "<sf:Brand_New__c>1</sf:Brand_New__c>"),
            notification(2, "Opportunity", &id("006", 2), "<sf:StageName>Won</sf:StageName>"),
            notification(3, "Account", &id("001", 3), ""),
            notification(4, "Portal_Contract__c", &id("a02", 4), ""),
            notification(5, "case", &id("500", 5), ""),
        ]
        .concat(),
    );
    assert!(post(&receiver, &outbound_message(&mixed)).await.acknowledges());
    let objects = |records: &[(String, String)]| {
        records.iter().map(|(object, _)| object.clone()).collect::<BTreeSet<_>>()
    };
    let queued = scene.queued().await;
    assert_eq!(queued.len(), 1, "one message for several objects");
    assert_eq!(queued[0].len(), 3);
    assert_eq!(
        objects(&queued[0]),
        BTreeSet::from(["Account", "Case", "Portal_Contract__c"].map(str::to_owned))
    );
}

/// Refused before anything is asked of anybody.
#[tokio::test]
async fn case_w18_attacks_on_the_parser_end_at_the_door() {
    let scene = Scene::start().await;
    let receiver = scene.receiver().await;
    let good = message(&case_changed(1));
    let laughs = "<!DOCTYPE a [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;\">]>";
    for (name, attack, status) in [
        ("document type", good.replacen("?>", &format!("?>{laughs}"), 1).replace("Working", "&b;"), 400),
        ("external entity", good.replacen("?>", "?><!DOCTYPE a SYSTEM \"file:///etc/passwd\">", 1), 400),
        ("undeclared entity", good.replace("Working", "&b;"), 400),
        (
            "instruction",
            good.replacen("?>", "?><?xml-stylesheet href=\"https://synthetic.example\"?>", 1),
            400,
        ),
        ("nesting", good.replace("Working", &"<sf:a>".repeat(10_000)), 413),
        ("flood", good.replace("Working", &"<sf:a/>".repeat(100_000)), 413),
        ("too many", message(&(0..101).map(case_changed).collect::<String>()), 413),
        ("twice", good.replace("<sf:Status>", "<sf:Id>500Fk0000000009IAA</sf:Id><sf:Status>"), 400),
        ("other name space", good.replace("2005/09/outbound", "2004/09/outbound"), 400),
        ("cut off", good[..good.len() - 30].to_owned(), 400),
    ] {
        assert_ne!(attack, good, "{name}");
        let answer = scene.world.steps.live(None, post(&receiver, &outbound_message(&attack))).await.unwrap();
        assert_eq!(answer.status, status, "{name}: {}", answer.body);
        assert_eq!(scene.world.steps.names(), Vec::<String>::new(), "{name}");
        for word in ["passwd", "Working", "stylesheet", "500Fk"] {
            assert!(!answer.body.contains(word), "{name}: the answer repeats {word}");
        }
    }
    let swapped = good.replace("soapenv", "S").replace("sf:", "z:").replace("xmlns:sf", "xmlns:z");
    assert!(post(&receiver, &outbound_message(&swapped)).await.acknowledges(), "prefixes mean nothing");
    assert_eq!(scene.queued().await, [vec![case(1)]]);
}

/// The message says where Salesforce is; nobody goes there, neither the receiver nor the sync that follows it.
#[tokio::test]
async fn case_w20_the_urls_in_a_message_are_never_called() {
    let scene = Scene::start().await;
    let trap = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = trap.local_addr().unwrap();
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    tokio::spawn(async move {
        while let Ok((connection, _)) = trap.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            drop(connection);
        }
    });
    let known = notification(1, "Case", fake_salesforce::demo::NORDHAVEN.case_ids[0], "");
    let told = message(&known)
        .replace("https://synthetic.example", &format!("http://{address}/salesforce"))
        .replace("<SessionId/>", "<SessionId>00DFk0000000001!stolen</SessionId>");
    assert_eq!(told.matches(&address.to_string()).count(), 2);
    let receiver = scene.receiver().await;
    assert!(post(&receiver, &outbound_message(&told)).await.acknowledges());
    Consumers::start(&scene.world).await.run(&scene.world).await;
    assert!(scene.queued().await.is_empty(), "the sync did not take it");
    assert_eq!(calls.load(Ordering::SeqCst), 0);
    // Control: the trap counts.
    drop(tokio::net::TcpStream::connect(address).await.unwrap());
    while calls.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
}

// ---- Callouts ----------------------------------------------------------------------------------------------------

fn key(text: &str) -> SigningKey {
    SecretString::from(text).try_into().unwrap()
}

fn callout_body(records: &[(&str, String)]) -> String {
    let records: Vec<Value> =
        records.iter().map(|(object, id)| json!({ "object": object, "id": id })).collect();
    json!({ "organization_id": ORGANIZATION, "records": records }).to_string()
}

/// A callout as a flow makes it, signed `age` seconds ago.
fn callout(scene: &Scene, key: &SigningKey, age: i64, body: &str) -> Value {
    let timestamp = (scene.clock.clock().now().as_second() - age).to_string();
    let signature = key.sign(&timestamp, body.as_bytes());
    request(
        "POST",
        "/changes",
        &[
            ("content-type", "application/json; charset=UTF-8"),
            (callout::TIMESTAMP_HEADER, &timestamp),
            (callout::SIGNATURE_HEADER, &signature),
        ],
        body.as_bytes(),
    )
}

#[tokio::test]
async fn a_signed_callout_takes_the_way_of_an_outbound_message() {
    let scene = Scene::start().await;
    let receiver = scene.receiver().await;
    let body = callout_body(&[
        ("Case", id("500", 1)),
        ("Account", id("001", 2)),
        ("Case", id("500", 1)),
        ("Lead", id("00Q", 3)),
    ]);
    let event = callout(&scene, &key(SIGNING_KEY), 0, &body);
    let answer = post(&receiver, &event).await;
    assert_eq!(
        (answer.status, answer.json()),
        (202, json!({ "records": 2, "ignored": 1, "repeated": false }))
    );
    let expected = vec![("Account".to_owned(), id("001", 2)), case(1)];
    assert_eq!(scene.queued().await, std::slice::from_ref(&expected));
    // Sent again, within the tolerance: one read.
    receiver.guard.bill();
    let again = scene.world.steps.live(None, post(&receiver, &event)).await.unwrap();
    assert_eq!((again.status, again.json()["repeated"].clone()), (202, json!(true)));
    assert_eq!(scene.world.steps.names(), ["GetItem IdempotencyTable"]);
    // In the same words a second later: the record changed once more.
    scene.clock.advance(SignedDuration::from_secs(1));
    let later = post(&receiver, &callout(&scene, &key(SIGNING_KEY), 0, &body)).await;
    assert_eq!(later.json()["repeated"], false);
    assert_eq!(scene.queued().await, [expected.clone(), expected]);
    // In base64.
    let mut encoded = callout(&scene, &key(SIGNING_KEY), 1, &callout_body(&[("Case", id("500", 9))]));
    encoded["body"] = BASE64_STANDARD.encode(encoded["body"].as_str().unwrap()).into();
    encoded["isBase64Encoded"] = true.into();
    assert_eq!(post(&receiver, &encoded).await.status, 202);
}

#[tokio::test]
async fn a_callout_that_is_not_signed_as_it_should_be_is_refused() {
    let scene = Scene::start().await;
    let receiver = scene.receiver().await;
    let body = callout_body(&[("Case", id("500", 1))]);
    let signed = |age| callout(&scene, &key(SIGNING_KEY), age, &body);
    let without = |name: &str| {
        let mut event = signed(0);
        event["headers"].as_object_mut().unwrap().remove(name);
        event
    };
    let mut changed = signed(0);
    changed["body"] = body.replace(&id("500", 1), &id("500", 2)).into();
    for (name, event) in [
        ("another key", callout(&scene, &key("synthetic-signing-key-of-somebody-else"), 0, &body)),
        ("a changed body", changed),
        ("too old", signed(301)),
        ("of the future", signed(-301)),
        ("no time stamp", without(callout::TIMESTAMP_HEADER)),
        ("no signature", without(callout::SIGNATURE_HEADER)),
    ] {
        let answer = scene.world.steps.live(None, post(&receiver, &event)).await.unwrap();
        assert_eq!(answer.status, 401, "{name}: {}", answer.body);
        assert!(answer.json()["type"].as_str().unwrap().ends_with("/signature-refused"), "{name}");
        assert_eq!(scene.world.steps.names(), Vec::<String>::new(), "{name}");
    }
    assert_eq!(post(&receiver, &signed(300)).await.status, 202);
    assert_eq!(scene.queued().await.len(), 1);
}

#[tokio::test]
async fn a_callout_says_what_is_wrong_with_it() {
    let scene = Scene::start().await;
    let receiver = scene.receiver().await;
    let send = async |body: &str| post(&receiver, &callout(&scene, &key(SIGNING_KEY), 0, body)).await;
    let many: Vec<_> = (0..201).map(|place| ("Case", id("500", place))).collect();
    for (body, status, pointer) in [
        ("", 400, ""),
        ("[]", 400, ""),
        ("{}", 400, "/organization_id"),
        (&callout_body(&[]), 400, "/records"),
        (&callout_body(&many), 400, "/records"),
        (&callout_body(&[("Ca se", id("500", 1))]), 400, "/records/0/object"),
        (&callout_body(&[("Case", "500Fk0000000001XXX".to_owned())]), 400, "/records/0/id"),
        (&callout_body(&[("Case", id("500", 1))]).replace("\"records\"", "\"record\""), 400, "/record"),
    ] {
        let answer = send(body).await;
        assert_eq!(answer.status, status, "{body:.80}: {}", answer.body);
        assert_eq!(answer.json()["errors"][0]["pointer"], pointer, "{body:.80}: {}", answer.body);
    }
    let foreign = callout_body(&[("Case", id("500", 1))]).replace(ORGANIZATION, &id("00D", 2));
    assert_eq!(send(&foreign).await.status, 403);
    let large = format!("{}{}", callout_body(&[("Case", id("500", 1))]), " ".repeat(callout::BYTES_MAX));
    assert_eq!(send(&large).await.status, 413);
    let mut typed = callout(&scene, &key(SIGNING_KEY), 0, &callout_body(&[("Case", id("500", 1))]));
    typed["headers"]["content-type"] = "text/plain".into();
    assert_eq!(post(&receiver, &typed).await.status, 415);
    assert!(scene.queued().await.is_empty());
    assert_eq!(send(&callout_body(&many[..200])).await.status, 202);
    assert_eq!(scene.queued().await.iter().map(Vec::len).collect::<Vec<_>>(), [200]);
}

#[tokio::test]
async fn a_callout_that_is_not_durable_is_to_be_sent_again() {
    let scene = Scene::start().await;
    let body = callout_body(&[("Case", id("500", 1))]);
    let event = callout(&scene, &key(SIGNING_KEY), 0, &body);
    for action in ["dynamodb:GetItem", "sqs:SendMessage", "dynamodb:PutItem"] {
        let answer = post(&scene.receiver_without(action).await, &event).await;
        assert_eq!(answer.status, 503, "{action}: {}", answer.body);
    }
    assert_eq!(post(&scene.receiver().await, &event).await.status, 202);
}

/// New keys and secrets are taken within a minute, by processes that run already, and old ones as long as they stand
/// in the secret.
#[tokio::test]
async fn secrets_and_keys_rotate_without_a_restart() {
    const NEXT_KEY: &str = "synthetic-signing-key-of-next-year";
    const NEXT_PATH: &str = "synthetic-path-secret-of-next-year";
    let scene = Scene::start().await;
    let receiver = scene.receiver().await;
    let secrets = scene.world.stack.emulators.secrets();
    let now: Value = serde_json::from_str(&secrets.get("WebhookSecret").await.unwrap()).unwrap();
    let mut place = 0;
    let mut send = async |name: &str| {
        place += 1;
        post(&receiver, &callout(&scene, &key(name), 0, &callout_body(&[("Case", id("500", place))])))
            .await
            .status
    };
    let knock = async |path: &str| {
        let body = message(&case_changed(1));
        let event =
            request("POST", &format!("/salesforce/{path}"), &[("content-type", "text/xml")], body.as_bytes());
        post(&receiver, &event).await.status
    };
    let put = async |paths: &[&str], keys: &[&str]| {
        let mut next = now.clone();
        next["path_secrets"] = json!(paths);
        next["signing_keys"] = json!(keys);
        secrets.put("WebhookSecret", &next.to_string()).await.unwrap();
    };
    assert_eq!((send(NEXT_KEY).await, knock(NEXT_PATH).await), (401, 404));
    put(&[NEXT_PATH, PATH_SECRET], &[NEXT_KEY, SIGNING_KEY]).await;
    assert_eq!(send(NEXT_KEY).await, 401, "looked a moment ago");
    scene.clock.advance(SignedDuration::from_secs(60));
    for name in [NEXT_KEY, SIGNING_KEY] {
        assert_eq!(send(name).await, 202, "{name}");
    }
    for path in [NEXT_PATH, PATH_SECRET] {
        assert_eq!(knock(path).await, 200, "{path}");
    }
    // What was dropped is refused at once by new processes, and after a while by those that run.
    put(&[NEXT_PATH], &[NEXT_KEY]).await;
    let fresh = scene.receiver().await;
    let old = callout(&scene, &key(SIGNING_KEY), 0, &callout_body(&[("Case", id("500", 1))]));
    assert_eq!(post(&fresh, &old).await.status, 401);
    assert_eq!(post(&fresh, &outbound_message(&message(&case_changed(2)))).await.status, 404);
    scene.clock.advance(SignedDuration::from_mins(5));
    assert_eq!((send(SIGNING_KEY).await, knock(PATH_SECRET).await), (401, 404));
    assert_eq!((send(NEXT_KEY).await, knock(NEXT_PATH).await), (202, 200));
    // What could be guessed is no secret: the function does not start with it.
    for (paths, keys) in [(&[""][..], &[][..]), (&[NEXT_PATH], &[""]), (&[NEXT_PATH], &["short"])] {
        put(paths, keys).await;
        let guard = scene.world.guard(scene.world.grants("webhook-receiver")).await;
        let variables = scene.world.variables("webhook-receiver");
        assert!(
            scene.world.boot_with("webhook-receiver", variables, &guard).await.is_err(),
            "{paths:?} {keys:?}"
        );
    }
}

// ---- Change events -----------------------------------------------------------------------------------------------

/// Whether it is done; if not, EventBridge brings it again and then keeps it among the dead letters.
async fn relay(function: &Guarded, event: &Value) -> bool {
    function.function.invoke(lambda_event(&event.to_string())).await.is_ok()
}

fn change_event(name: &str) -> Value {
    serde_json::from_str(&text(&format!("salesforce-change-events-{name}"))).unwrap()
}

#[tokio::test]
async fn a_change_event_that_comes_again_ends_at_one_read() {
    let scene = Scene::start().await;
    let function = scene.world.boot("salesforce-change-events").await;
    let event = change_event("records-changed");
    assert!(relay(&function, &event).await);
    assert_eq!(scene.queued().await, [vec![case(1), case(2)]]);
    // The relay starts again from three days ago: the envelope is new, the change is not.
    let mut again = event.clone();
    again["id"] = "00000000-0000-4000-8000-000000000099".into();
    again["time"] = "2026-11-22T09:31:00Z".into();
    assert!(scene.world.steps.live(None, relay(&function, &again)).await.unwrap());
    assert_eq!(scene.world.steps.names(), ["GetItem IdempotencyTable"]);
    // The next change of the same records.
    let header = "/detail/payload/ChangeEventHeader";
    again.pointer_mut(header).unwrap()["commitTimestamp"] = 1_795_339_799_000_i64.into();
    assert!(relay(&function, &again).await);
    assert_eq!(scene.queued().await.len(), 2);
    // More records than one message holds.
    let ids: Vec<String> = (0..450).map(|place| id("500", place)).collect();
    again.pointer_mut(header).unwrap()["recordIds"] = json!(ids);
    scene.empty_the_queue().await;
    assert!(relay(&function, &again).await);
    assert_eq!(scene.queued().await.iter().map(Vec::len).collect::<Vec<_>>(), [200, 200, 50]);
}

#[tokio::test]
async fn a_change_event_is_done_only_when_it_is_durable() {
    let scene = Scene::start().await;
    let healthy = scene.world.boot("salesforce-change-events").await;
    let event = change_event("records-changed");
    for action in ["dynamodb:GetItem", "sqs:SendMessage", "dynamodb:PutItem"] {
        let mut grants = scene.world.grants("salesforce-change-events");
        grants.retain(|grant| grant.action != action);
        let guard = scene.world.guard(grants).await;
        let variables = scene.world.variables("salesforce-change-events");
        let function = scene.world.boot_with("salesforce-change-events", variables, &guard).await.unwrap();
        assert!(!relay(&Guarded { function, guard }, &event).await, "{action}");
    }
    assert!(relay(&healthy, &event).await);
    assert!(scene.queued().await.contains(&vec![case(1), case(2)]));
    // From elsewhere, or no change event: kept for people to look at.
    let mut foreign = change_event("records-changed");
    foreign["source"] = "aws.partner/salesforce.com/00DFk0000000002MAA/0YLFk0000000001AAA".into();
    assert!(!relay(&healthy, &foreign).await);
    assert!(!relay(&healthy, &json!({ "source": crate::world::EVENT_BUS, "detail": {} })).await);
}
