//! Outbound messages: SOAP 1.1, parsed by namespace, strictly, and within written limits.
//!
//! Only ids are taken out of them. What a record says is read from Salesforce afterwards, so a forged or
//! reordered message can cause a read and nothing else.

use std::ops::Range;

use portico_domain::SalesforceId;
use quick_xml::{
    NsReader,
    events::{BytesDecl, BytesStart, Event},
    name::{Namespace, QName, ResolveResult},
};

use crate::records::is_api_name;

/// Most bytes of a message: 100 notifications of some kilobytes each stay far below.
pub const BYTES_MAX: usize = 2 * 1024 * 1024;
/// Most notifications of a message (Salesforce's own limit).
pub const NOTIFICATIONS_MAX: usize = 100;
/// Deepest nesting; a message needs six levels.
const DEPTH_MAX: usize = 12;
/// Most elements; 100 notifications of 200 fields stay below.
const ELEMENTS_MAX: usize = 25_000;
/// Longest text of an element that is read; ids have 18 characters.
const TEXT_MAX: usize = 64;
/// Longest start tag. A message's longest declares three name spaces. Names are looked for among the attributes and
/// the name spaces in scope one by one, so a tag of megabytes would take minutes.
const TAG_MAX: usize = 4 * 1024;

const SOAP: &str = "http://schemas.xmlsoap.org/soap/envelope/";
const OUTBOUND: &str = "http://soap.sforce.com/2005/09/outbound";
const SOBJECT: &str = "urn:sobject.enterprise.soap.sforce.com";
const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";

macro_rules! acknowledgement {
    ($ack:literal) => {
        concat!(
            r#"<?xml version="1.0" encoding="UTF-8"?>"#,
            r#"<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body>"#,
            r#"<notificationsResponse xmlns="http://soap.sforce.com/2005/09/outbound"><Ack>"#,
            $ack,
            r#"</Ack></notificationsResponse></soapenv:Body></soapenv:Envelope>"#
        )
    };
}
/// The answer that Salesforce takes for "all of it arrived".
pub const ACK: &str = acknowledgement!("true");
/// The answer that makes Salesforce send the message again.
pub const NACK: &str = acknowledgement!("false");

/// A message of 1 to 100 notifications.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboundMessage {
    /// The org that sent it, by its own word.
    pub organization: SalesforceId,
    /// The outbound message definition that it is from, by its own word.
    pub action: SalesforceId,
    /// What may have changed.
    pub notifications: Vec<Notification>,
    /// Where in the body the notifications stand, from the first to the last: their ids, and everything that the
    /// message says about the records. When Salesforce sends them again, this part is the same; what stands before
    /// it need not be, as each attempt may have a session id of its own.
    pub extent: Range<usize>,
}

/// One record that may have changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// Salesforce's id of the notification; comes again when it is sent again.
    pub id: SalesforceId,
    /// The record; absent if it was deleted before the message was sent.
    pub record: Option<ChangedRecord>,
}

/// Which record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedRecord {
    /// API name of its object.
    pub object: String,
    /// Its id.
    pub id: SalesforceId,
}

/// Why a body is not an outbound message. Says what is wrong, never what was in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OutboundError {
    /// Larger than [`BYTES_MAX`].
    #[error("more than {BYTES_MAX} bytes")]
    TooLarge,
    /// Deeper, longer or more than a message ever is.
    #[error("more elements, levels, notifications or text than a message has")]
    Excessive,
    /// A document type, a processing instruction or an entity of its own.
    #[error("declarations and entities are not taken")]
    Forbidden,
    /// Not well-formed XML in UTF-8.
    #[error("not well-formed")]
    Malformed,
    /// Well-formed, but not an outbound message.
    #[error("not an outbound message")]
    Unexpected,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Element {
    Envelope,
    Header,
    Body,
    Notifications,
    OrganizationId,
    ActionId,
    Notification,
    NotificationId,
    SObject,
    RecordId,
    /// Known to be there, not read: the session id, the URLs, the record's other fields.
    Unread,
}

/// Parses a message.
///
/// # Errors
/// [`OutboundError`].
pub fn parse(body: &[u8]) -> Result<OutboundMessage, OutboundError> {
    if body.len() > BYTES_MAX {
        return Err(OutboundError::TooLarge);
    }
    let text = std::str::from_utf8(body).map_err(|_| OutboundError::Malformed)?;
    let mut reader = NsReader::from_str(text);
    reader.config_mut().check_end_names = true;
    let mut parser = Parser::default();
    loop {
        parser.begins_at = position(&reader);
        let (namespace, event) = reader.read_resolved_event().map_err(|_| OutboundError::Malformed)?;
        match event {
            Event::Start(start) => {
                let element = parser.element(&namespace, start.local_name().as_ref())?;
                let object = attributes(&reader, element, &start)?;
                parser.open(element, object)?;
            }
            Event::Empty(start) => {
                let element = parser.element(&namespace, start.local_name().as_ref())?;
                let object = attributes(&reader, element, &start)?;
                parser.open(element, object)?;
                parser.close(position(&reader))?;
            }
            Event::End(_) => parser.close(position(&reader))?,
            Event::Text(text) => parser.text(&text)?,
            Event::CData(text) => parser.text(&text)?,
            // The five predefined entities and character references are harmless, and no id has one.
            Event::GeneralRef(name) => {
                let harmless = name.is_char_ref() || matches!(&*name, "amp" | "lt" | "gt" | "quot" | "apos");
                if !harmless {
                    return Err(OutboundError::Forbidden);
                }
                parser.text("&")?;
            }
            Event::Decl(declaration) => parser.declaration(&declaration)?,
            Event::Comment(_) => {}
            Event::DocType(_) | Event::PI(_) => return Err(OutboundError::Forbidden),
            Event::Eof => return parser.finish(),
        }
    }
}

/// How far the reader is, in bytes of the body.
fn position(reader: &NsReader<&[u8]>) -> usize {
    // A body has less than `BYTES_MAX` bytes.
    usize::try_from(reader.buffer_position()).unwrap_or(BYTES_MAX)
}

/// Checks an element's attributes, and finds the object's API name in `xsi:type="sf:Case"`, where `sf` is
/// Salesforce's name space.
fn attributes(
    reader: &NsReader<&[u8]>,
    element: Element,
    start: &BytesStart<'_>,
) -> Result<Option<String>, OutboundError> {
    if start.len() > TAG_MAX {
        return Err(OutboundError::Excessive);
    }
    let mut object = None;
    for attribute in start.attributes() {
        // Also two of one name.
        let attribute = attribute.map_err(|_| OutboundError::Malformed)?;
        let (namespace, name) = reader.resolver().resolve_attribute(attribute.key);
        let is_type = namespace == ResolveResult::Bound(Namespace(XSI)) && name.as_ref() == "type";
        if element != Element::SObject || !is_type {
            continue;
        }
        let (prefix, name) = attribute.value.split_once(':').ok_or(OutboundError::Unexpected)?;
        let qualified = format!("{prefix}:{name}");
        let (namespace, _) = reader.resolver().resolve_attribute(QName(&qualified));
        if namespace != ResolveResult::Bound(Namespace(SOBJECT)) || !is_api_name(name) {
            return Err(OutboundError::Unexpected);
        }
        // Two prefixes of one name space make two attributes of one name.
        if object.replace(name.to_owned()).is_some() {
            return Err(OutboundError::Malformed);
        }
    }
    Ok(object)
}

#[derive(Default)]
struct Parser {
    path: Vec<Element>,
    elements: usize,
    text: String,
    seen_root: bool,
    seen_header: bool,
    seen_body: bool,
    seen_message: bool,
    seen_declaration: bool,
    /// Where the event that is being read begins.
    begins_at: usize,
    extent: Option<Range<usize>>,
    organization: Option<SalesforceId>,
    action: Option<SalesforceId>,
    notifications: Vec<Notification>,
    notification: Option<SalesforceId>,
    object: Option<String>,
    record: Option<SalesforceId>,
    has_object: bool,
}

impl Parser {
    /// What an element is, by where it stands and by its name space, never by its prefix.
    fn element(&self, namespace: &ResolveResult<'_>, name: &str) -> Result<Element, OutboundError> {
        let is = |uri: &str, local: &str| *namespace == ResolveResult::Bound(Namespace(uri)) && name == local;
        let element = match self.path.last() {
            None if !self.seen_root && is(SOAP, "Envelope") => Element::Envelope,
            Some(Element::Envelope) if is(SOAP, "Body") => Element::Body,
            Some(Element::Envelope) if is(SOAP, "Header") => Element::Header,
            Some(Element::Body) if is(OUTBOUND, "notifications") => Element::Notifications,
            Some(Element::Notifications) if is(OUTBOUND, "OrganizationId") => Element::OrganizationId,
            Some(Element::Notifications) if is(OUTBOUND, "ActionId") => Element::ActionId,
            Some(Element::Notifications) if is(OUTBOUND, "Notification") => Element::Notification,
            Some(Element::Notification) if is(OUTBOUND, "Id") => Element::NotificationId,
            Some(Element::Notification) if is(OUTBOUND, "sObject") => Element::SObject,
            Some(Element::SObject) if is(SOBJECT, "Id") => Element::RecordId,
            Some(Element::Notifications | Element::SObject | Element::Header | Element::Unread) => {
                Element::Unread
            }
            _ => return Err(OutboundError::Unexpected),
        };
        Ok(element)
    }

    fn open(&mut self, element: Element, object: Option<String>) -> Result<(), OutboundError> {
        self.elements += 1;
        if self.elements > ELEMENTS_MAX || self.path.len() >= DEPTH_MAX {
            return Err(OutboundError::Excessive);
        }
        let earlier = match element {
            Element::Header => std::mem::replace(&mut self.seen_header, true),
            Element::Body => std::mem::replace(&mut self.seen_body, true),
            Element::Notifications => std::mem::replace(&mut self.seen_message, true),
            Element::Notification => {
                self.extent.get_or_insert(self.begins_at..self.begins_at);
                false
            }
            _ => false,
        };
        if earlier {
            return Err(OutboundError::Unexpected);
        }
        if element == Element::SObject {
            // Two records in one notification, or one without a type, would have to be guessed at.
            if self.has_object {
                return Err(OutboundError::Unexpected);
            }
            self.has_object = true;
            self.object = object;
        }
        self.seen_root = true;
        self.path.push(element);
        self.text.clear();
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), OutboundError> {
        match self.path.last() {
            Some(
                Element::OrganizationId | Element::ActionId | Element::NotificationId | Element::RecordId,
            ) => {
                if self.text.len().saturating_add(text.len()) > TEXT_MAX {
                    return Err(OutboundError::Excessive);
                }
                self.text.push_str(text);
                Ok(())
            }
            Some(Element::Unread | Element::Header) => Ok(()),
            _ if text.trim().is_empty() => Ok(()),
            _ => Err(OutboundError::Unexpected),
        }
    }

    /// `<?xml ...?>` stands at the start or nowhere, and other encodings than UTF-8 would change what the bytes say.
    fn declaration(&mut self, declaration: &BytesDecl<'_>) -> Result<(), OutboundError> {
        if self.seen_root || std::mem::replace(&mut self.seen_declaration, true) {
            return Err(OutboundError::Malformed);
        }
        match declaration.encoding() {
            None => Ok(()),
            Some(Ok(encoding)) if encoding.eq_ignore_ascii_case("utf-8") => Ok(()),
            Some(_) => Err(OutboundError::Malformed),
        }
    }

    /// The element ends at `end`.
    fn close(&mut self, end: usize) -> Result<(), OutboundError> {
        let element = self.path.pop().ok_or(OutboundError::Malformed)?;
        match element {
            Element::OrganizationId => once(&mut self.organization, &self.text)?,
            Element::ActionId => once(&mut self.action, &self.text)?,
            Element::NotificationId => once(&mut self.notification, &self.text)?,
            Element::RecordId => once(&mut self.record, &self.text)?,
            Element::Notification => {
                let id = self.notification.take().ok_or(OutboundError::Unexpected)?;
                let record = match (self.object.take(), self.record.take()) {
                    (Some(object), Some(id)) => Some(ChangedRecord { object, id }),
                    (_, None) => None,
                    (None, Some(_)) => return Err(OutboundError::Unexpected),
                };
                self.has_object = false;
                if self.notifications.len() >= NOTIFICATIONS_MAX {
                    return Err(OutboundError::Excessive);
                }
                self.notifications.push(Notification { id, record });
                if let Some(extent) = &mut self.extent {
                    extent.end = end;
                }
            }
            _ => {}
        }
        self.text.clear();
        Ok(())
    }

    fn finish(self) -> Result<OutboundMessage, OutboundError> {
        if !self.path.is_empty() {
            return Err(OutboundError::Malformed);
        }
        match (self.organization, self.action, self.extent) {
            (Some(organization), Some(action), Some(extent)) => {
                Ok(OutboundMessage { organization, action, notifications: self.notifications, extent })
            }
            _ => Err(OutboundError::Unexpected),
        }
    }
}

fn once(slot: &mut Option<SalesforceId>, text: &str) -> Result<(), OutboundError> {
    let id = text.trim().parse().map_err(|_| OutboundError::Unexpected)?;
    if slot.replace(id).is_some() { Err(OutboundError::Unexpected) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(notifications: &str) -> String {
        format!(
            r#"<?xml version="1.0" encoding="UTF-8"?>
<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body>
<notifications xmlns="http://soap.sforce.com/2005/09/outbound">
 <OrganizationId>00D000000000001EAA</OrganizationId><ActionId>04k000000000001AAA</ActionId><SessionId/>
 <EnterpriseUrl>https://example.com/a</EnterpriseUrl><PartnerUrl>https://example.com/b</PartnerUrl>
 {notifications}
</notifications></soapenv:Body></soapenv:Envelope>"#
        )
    }

    const CASE: &str = r#"<Notification><Id>04l000000000001AAA</Id>
  <sObject xsi:type="sf:Case" xmlns:sf="urn:sobject.enterprise.soap.sforce.com">
   <sf:Id>500000000000001AAA</sf:Id><sf:Status>R&amp;D</sf:Status></sObject></Notification>"#;

    #[test]
    fn reads_who_what_and_which() {
        let read = parse(message(CASE).as_bytes()).unwrap();
        assert_eq!(read.organization.as_str(), "00D000000000001EAA");
        assert_eq!(read.action.as_str(), "04k000000000001AAA");
        let record = read.notifications[0].record.as_ref().unwrap();
        assert_eq!((record.object.as_str(), record.id.as_str()), ("Case", "500000000000001AAA"));
    }

    #[test]
    fn the_extent_is_what_a_second_attempt_has_in_common() {
        let two = format!("{CASE}{}", CASE.replace("001AAA", "002AAA"));
        let (first, second) =
            (message(&two), message(&two).replace("<SessionId/>", "<SessionId>00D!a</SessionId>"));
        let extent = |body: &str| body[parse(body.as_bytes()).unwrap().extent].to_owned();
        assert_eq!(extent(&first), two);
        assert_eq!(extent(&first), extent(&second));
        assert_ne!(extent(&first), extent(&message(CASE)));
    }

    #[test]
    fn case_w13_a_deleted_record_comes_without_data() {
        for nothing in [
            "<Notification><Id>04l000000000001AAA</Id></Notification>",
            r#"<Notification><Id>04l000000000001AAA</Id><sObject xsi:type="sf:Case" xmlns:sf="urn:sobject.enterprise.soap.sforce.com"/></Notification>"#,
            r#"<Notification><Id>04l000000000001AAA</Id><sObject xsi:nil="true"/></Notification>"#,
            r#"<Notification><Id>04l000000000001AAA</Id><sObject xsi:type="sf:Case" xmlns:sf="urn:sobject.enterprise.soap.sforce.com"><sf:Status>New</sf:Status></sObject></Notification>"#,
            "<Notification><Id>04l000000000001AAA</Id><sObject/></Notification>",
        ] {
            assert_eq!(parse(message(nothing).as_bytes()).unwrap().notifications[0].record, None);
        }
    }

    #[test]
    fn case_w18_prefixes_may_change_and_name_spaces_may_not() {
        let swapped =
            message(CASE).replace("soapenv", "S").replace("sf:", "z:").replace("xmlns:sf", "xmlns:z");
        assert!(parse(swapped.as_bytes()).is_ok());
        let foreign = message(CASE).replace("2005/09/outbound", "2005/09/inbound");
        assert_eq!(parse(foreign.as_bytes()), Err(OutboundError::Unexpected));
        let foreign = message(CASE).replace("urn:sobject.enterprise", "urn:other");
        assert_eq!(parse(foreign.as_bytes()), Err(OutboundError::Unexpected));
    }

    #[test]
    fn case_w17_many_types_and_unknown_fields_are_read() {
        let other = CASE
            .replace("sf:Case", "sf:Opportunity")
            .replace("500000000000001AAA", "006000000000001AAA")
            .replace("sf:Status", "sf:Brand_New__c");
        let read = parse(message(&format!("{CASE}{other}")).as_bytes()).unwrap();
        let objects: Vec<&str> = read
            .notifications
            .iter()
            .map(|notification| notification.record.as_ref().unwrap().object.as_str())
            .collect();
        assert_eq!(objects, ["Case", "Opportunity"]);
        let no_name = message(&CASE.replace("sf:Case", "sf:Ca-se"));
        assert_eq!(parse(no_name.as_bytes()), Err(OutboundError::Unexpected));
    }

    #[test]
    fn case_w18_what_stands_twice_is_refused() {
        let body = message(CASE);
        for (once, twice, expected) in [
            ("<sf:Id>", "<sf:Id>500000000000002AAA</sf:Id><sf:Id>", OutboundError::Unexpected),
            ("<Id>", "<Id>04l000000000002AAA</Id><Id>", OutboundError::Unexpected),
            (
                "<SessionId/>",
                "<OrganizationId>00D000000000001EAA</OrganizationId>",
                OutboundError::Unexpected,
            ),
            ("<sObject ", "<sObject/><sObject ", OutboundError::Unexpected),
            ("<soapenv:Body>", "<soapenv:Body/><soapenv:Body>", OutboundError::Unexpected),
            (
                "</notifications>",
                "</notifications><notifications xmlns=\"http://soap.sforce.com/2005/09/outbound\"/>",
                OutboundError::Unexpected,
            ),
            ("xsi:type=", "xsi:type=\"sf:Account\" xsi:type=", OutboundError::Malformed),
            (
                "xsi:type=",
                "xmlns:y=\"http://www.w3.org/2001/XMLSchema-instance\" y:type=\"sf:Account\" xsi:type=",
                OutboundError::Malformed,
            ),
            ("<soapenv:Body>", "<?xml version=\"1.0\"?><soapenv:Body>", OutboundError::Malformed),
        ] {
            assert_eq!(parse(body.replacen(once, twice, 1).as_bytes()), Err(expected), "{twice}");
        }
    }

    /// A tag that names ten thousand attributes or name spaces, each of which would be compared with all others.
    #[test]
    fn case_w18_a_tag_of_megabytes_is_refused_at_once() {
        use std::fmt::Write as _;
        for form in [" a@=''", " xmlns:a@=''"] {
            let mut tag = String::from("<sObject");
            for place in 0..100_000 {
                let _ = write!(tag, "{}", form.replace('@', &place.to_string()));
            }
            let body = message(&CASE.replacen("<sObject", &tag, 1));
            assert!(body.len() < BYTES_MAX);
            let started = std::time::Instant::now();
            assert!(matches!(
                parse(body.as_bytes()),
                Err(OutboundError::Excessive | OutboundError::Malformed)
            ));
            assert!(started.elapsed() < std::time::Duration::from_secs(2), "{:?}", started.elapsed());
        }
    }

    #[test]
    fn case_w18_attacks_are_refused() {
        let encoded = message(CASE).replace("UTF-8", "UTF-16");
        assert_eq!(parse(encoded.as_bytes()), Err(OutboundError::Malformed));
        let declared = message(CASE).replace("?>", "?><!DOCTYPE a [<!ENTITY b \"c\">]>");
        assert_eq!(parse(declared.as_bytes()), Err(OutboundError::Forbidden));
        let entity = message(CASE).replace("R&amp;D", "&b;");
        assert_eq!(parse(entity.as_bytes()), Err(OutboundError::Forbidden));
        let deep = message(&CASE.replace("R&amp;D", &"<sf:a>".repeat(50)));
        assert_eq!(parse(deep.as_bytes()), Err(OutboundError::Excessive));
        let flood = message(&CASE.replace("R&amp;D", &"<sf:a/>".repeat(ELEMENTS_MAX)));
        assert_eq!(parse(flood.as_bytes()), Err(OutboundError::Excessive));
        let many = message(&CASE.repeat(NOTIFICATIONS_MAX + 1));
        assert_eq!(parse(many.as_bytes()), Err(OutboundError::Excessive));
        assert_eq!(parse(&vec![b' '; BYTES_MAX + 1]), Err(OutboundError::TooLarge));
        assert_eq!(parse(b"\xff\xfe"), Err(OutboundError::Malformed));
        assert_eq!(parse(message("").as_bytes()), Err(OutboundError::Unexpected));
        assert_eq!(parse(b""), Err(OutboundError::Unexpected));
        let twice = message(CASE).replace("<SessionId/>", "<ActionId>04k000000000002AAA</ActionId>");
        assert_eq!(parse(twice.as_bytes()), Err(OutboundError::Unexpected));
        let cut = message(CASE);
        assert!(parse(&cut.as_bytes()[..cut.len() - 20]).is_err());
    }

    #[test]
    fn case_w16_both_forms_of_ids_and_no_wrong_suffix() {
        let short = message(&CASE.replace("500000000000001AAA", "500000000000001"));
        let read = parse(short.as_bytes()).unwrap();
        assert_eq!(read.notifications[0].record.as_ref().unwrap().id.as_str(), "500000000000001AAA");
        let wrong = message(&CASE.replace("500000000000001AAA", "500000000000001AAB"));
        assert_eq!(parse(wrong.as_bytes()), Err(OutboundError::Unexpected));
    }
}
