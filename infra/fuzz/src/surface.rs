//! What reads input from outside, and what has to be true of what it accepts.

use jiff::Timestamp;
use portico_domain::SalesforceId;
use portico_http::read_body;
use portico_salesforce::{
    callout::{self, Callout, SigningKey},
    change_events::{self, ChangeEvent},
    outbound::{self, OutboundMessage},
    records::is_api_name,
};
use secrecy::SecretString;
use serde_json::json;

use crate::mutation::Structure;

/// Something that reads input from outside.
#[derive(Debug, Clone, Copy)]
pub struct Surface {
    /// What it is called.
    pub name: &'static str,
    /// Inputs as they may come.
    pub corpus: &'static [&'static [u8]],
    /// What an input is made of.
    pub structure: Structure,
    /// Most bytes of an input that is taken.
    pub bytes_max: usize,
    /// Most memory that one reading may take.
    pub memory_max: usize,
    /// Reads an input, and says in a few words what came of it: `accepted ...`, or why not.
    pub read: fn(&[u8]) -> String,
    /// Whether what is accepted is what it should be.
    pub holds: fn(&[u8]) -> Result<(), String>,
}

/// All of them.
pub const SURFACES: &[Surface] = &[
    Surface {
        name: "outbound",
        corpus: &[
            include_bytes!("../corpus/outbound/cases.xml"),
            include_bytes!("../corpus/outbound/deleted.xml"),
            include_bytes!("../corpus/outbound/mixed.xml"),
            include_bytes!("../corpus/outbound/entities.xml"),
        ],
        structure: Structure::Xml,
        bytes_max: outbound::BYTES_MAX,
        // The message is read in place; names of open elements are copied.
        memory_max: 2 * outbound::BYTES_MAX,
        read: read_outbound,
        holds: outbound_holds,
    },
    Surface {
        name: "callout",
        corpus: &[
            include_bytes!("../corpus/callout/case.txt"),
            include_bytes!("../corpus/callout/mixed.txt"),
        ],
        structure: Structure::Json,
        bytes_max: callout::BYTES_MAX,
        // A value of one character and its comma becomes a node, twice while a refusal is put together.
        memory_max: 128 * callout::BYTES_MAX,
        read: read_callout,
        holds: callout_holds,
    },
    Surface {
        name: "change-event",
        corpus: &[
            include_bytes!("../corpus/change-event/update.json"),
            include_bytes!("../corpus/change-event/overflow.json"),
        ],
        structure: Structure::Json,
        bytes_max: change_events::BYTES_MAX,
        // An id of no characters, with quotes and comma, becomes a reference of 24 bytes in a list that doubles.
        memory_max: 32 * change_events::BYTES_MAX,
        read: read_change_event,
        holds: change_event_holds,
    },
];

fn rule(holds: bool, says: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(says.to_owned()) }
}

fn read_outbound(input: &[u8]) -> String {
    match outbound::parse(input) {
        Ok(message) => {
            let known = message.notifications.iter().filter(|notification| notification.record.is_some());
            format!("accepted {} with {} records", message.notifications.len(), known.count())
        }
        Err(error) => format!("{error:?}"),
    }
}

fn outbound_holds(input: &[u8]) -> Result<(), String> {
    let Ok(message) = outbound::parse(input) else { return Ok(()) };
    rule(input.len() <= outbound::BYTES_MAX, "too large")?;
    let count = message.notifications.len();
    rule((1..=outbound::NOTIFICATIONS_MAX).contains(&count), "too many or no notifications")?;
    let text = std::str::from_utf8(input).map_err(|_| "no text")?;
    let extent = text.get(message.extent.clone()).ok_or("the extent is no part of the message")?;
    rule(extent.starts_with('<') && extent.ends_with('>'), "the extent is no elements")?;
    for notification in &message.notifications {
        rule(stands_in(&notification.id, extent), "an id that is not in the message")?;
        if let Some(record) = &notification.record {
            rule(stands_in(&record.id, extent), "a record that is not in the message")?;
            rule(is_api_name(&record.object), "an object that has no name")?;
            rule(extent.contains(&record.object), "an object that is not in the message")?;
        }
    }
    let again = outbound::parse(written(&message).as_bytes()).map_err(|error| format!("again: {error}"))?;
    let same = again.organization == message.organization
        && again.action == message.action
        && again.notifications == message.notifications;
    rule(same, "written and read again it says something else")
}

/// In either form. A comment or a section may stand in the middle of it.
fn stands_in(id: &SalesforceId, text: &str) -> bool {
    text.contains("<!") || id.as_str().get(..15).is_some_and(|short| text.contains(short))
}

/// A message that says the same, as Salesforce would write it.
fn written(message: &OutboundMessage) -> String {
    let notifications: String = message
        .notifications
        .iter()
        .map(|notification| {
            let object = notification.record.as_ref().map_or(String::new(), |record| {
                format!(
                    "<sObject xsi:type=\"sf:{}\" xmlns:sf=\"urn:sobject.enterprise.soap.sforce.com\"><sf:Id>{}</sf:Id></sObject>",
                    record.object, record.id
                )
            });
            format!("<Notification><Id>{}</Id>{object}</Notification>", notification.id)
        })
        .collect();
    format!(
        "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">\
         <s:Body><notifications xmlns=\"http://soap.sforce.com/2005/09/outbound\"><OrganizationId>{}</OrganizationId>\
         <ActionId>{}</ActionId>{notifications}</notifications></s:Body></s:Envelope>",
        message.organization, message.action
    )
}

/// Headers and body of a callout: time stamp, signature and body, a line each.
fn parts(input: &[u8]) -> (&str, &str, &[u8]) {
    let mut parts = input.splitn(3, |byte| *byte == b'\n');
    let mut header = || parts.next().and_then(|part| std::str::from_utf8(part).ok()).unwrap_or_default();
    let (timestamp, signature) = (header(), header());
    (timestamp, signature, parts.next().unwrap_or_default())
}

fn signing_key() -> Option<SigningKey> {
    SigningKey::try_from(SecretString::from("synthetic-signing-key-of-this-year")).ok()
}

/// When the callouts of the corpus were signed.
fn signed_at() -> Timestamp {
    Timestamp::from_second(1_795_339_800).unwrap_or(Timestamp::UNIX_EPOCH)
}

fn read_callout(input: &[u8]) -> String {
    let (timestamp, signature, body) = parts(input);
    let keys: Vec<SigningKey> = signing_key().into_iter().collect();
    let verified = callout::verify(&keys, timestamp, signature, body, signed_at());
    // Whoever has a key can send anything.
    match read_body::<Callout>(body) {
        Ok(callout) => {
            format!("accepted {} {verified:?}", callout.records.len().min(callout::RECORDS_MAX + 1))
        }
        Err(problem) => {
            let misfits = problem.body(String::new()).errors;
            let codes: Vec<String> =
                misfits.iter().take(3).map(|misfit| format!("{:?}", misfit.code)).collect();
            format!("{verified:?} {codes:?}")
        }
    }
}

fn callout_holds(input: &[u8]) -> Result<(), String> {
    let (timestamp, signature, body) = parts(input);
    let key = signing_key().ok_or("no key")?;
    let keys = [key.clone()];
    let signed = key.sign(timestamp, body);
    let verified = callout::verify(&keys, timestamp, signature, body, signed_at()).is_ok();
    rule(!verified || signature == signed, "another signature than ours")?;
    rule(callout::verify(&[], timestamp, &signed, body, signed_at()).is_err(), "a signature without a key")?;
    match read_body::<Callout>(body) {
        Ok(callout) => {
            let records: Vec<_> = callout
                .records
                .iter()
                .map(|record| json!({ "object": record.object, "id": record.id }))
                .collect();
            let written =
                json!({ "organization_id": callout.organization_id, "records": records }).to_string();
            let again = read_body::<Callout>(written.as_bytes()).ok();
            rule(again == Some(callout), "written and read again it says something else")
        }
        Err(problem) => {
            let body = problem.body(String::new());
            rule(!body.errors.is_empty() && body.errors.len() <= 64, "a refusal of nothing, or without end")
        }
    }
}

/// The event as text; what is none never comes from EventBridge.
fn event(input: &[u8]) -> Option<&str> {
    std::str::from_utf8(input).ok()
}

fn read_change_event(input: &[u8]) -> String {
    let Some(text) = event(input) else { return "no text".to_owned() };
    match change_events::parse(text) {
        Ok(ChangeEvent { ids, incomplete, .. }) => {
            format!("accepted {} {incomplete}", ids.len().checked_ilog2().map_or(0, |bits| bits + 1))
        }
        Err(error) => format!("{error:?}"),
    }
}

fn change_event_holds(input: &[u8]) -> Result<(), String> {
    let Some(text) = event(input) else { return Ok(()) };
    let Ok(change) = change_events::parse(text) else { return Ok(()) };
    rule(text.len() <= change_events::BYTES_MAX, "too large")?;
    rule(text.contains(change.header), "a header that is not in the event")?;
    rule(change.source.starts_with(change_events::PARTNER), "another partner")?;
    rule(is_api_name(&change.object), "an object that has no name")?;
    rule(!change.ids.is_empty() || change.incomplete, "no ids, and complete")?;
    rule(change.ids.iter().all(|id| id.as_str() != "000000000000000AAA"), "the id of no record")?;
    let mut ids: Vec<String> = change.ids.iter().map(ToString::to_string).collect();
    if change.incomplete {
        ids.push("500*".to_owned());
    }
    let header = json!({ "entityName": change.object, "recordIds": ids });
    let written =
        json!({ "source": change.source, "detail": { "payload": { "ChangeEventHeader": header } } })
            .to_string();
    let again = change_events::parse(&written).map_err(|error| format!("again: {error}"))?;
    let same = (again.object, again.ids, again.incomplete) == (change.object, change.ids, change.incomplete);
    rule(same, "written and read again it says something else")
}
