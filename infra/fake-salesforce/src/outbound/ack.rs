//! What counts as an acknowledgement: exactly the documented envelope, and nothing else.

use quick_xml::{
    NsReader,
    events::Event,
    name::{Namespace, ResolveResult},
};

use super::envelope::{OUTBOUND, SOAP};

/// Why an answer is no acknowledgement.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum AckError {
    #[error("the answer's status is {0}, not 200")]
    Status(u16),
    #[error("the answer is no XML")]
    NotXml,
    #[error("the answer has a document type")]
    DocumentType,
    #[error("the answer has no Ack in the outbound namespace")]
    Missing,
    #[error("the receiver answered Ack false")]
    Refused,
}

/// The path of the acknowledgement: namespace and local name.
const PATH: [(&str, &str); 4] =
    [(SOAP, "Envelope"), (SOAP, "Body"), (OUTBOUND, "notificationsResponse"), (OUTBOUND, "Ack")];

/// Checks an answer.
///
/// # Errors
/// The first thing that is wrong with it.
pub(super) fn check(status: u16, content_type: Option<&str>, body: &str) -> Result<(), AckError> {
    if status != 200 {
        return Err(AckError::Status(status));
    }
    if !content_type.is_some_and(|kind| kind.to_ascii_lowercase().contains("xml")) {
        return Err(AckError::NotXml);
    }
    let mut reader = NsReader::from_str(body);
    // How many open elements there are, and how many of them lie on the path.
    let (mut depth, mut on_path) = (0_usize, 0_usize);
    let mut ack = None;
    loop {
        let (resolved, event) = reader.read_resolved_event().map_err(|_| AckError::NotXml)?;
        match event {
            Event::Start(element) => {
                let fits = depth == on_path
                    && PATH.get(depth).is_some_and(|(namespace, name)| {
                        resolved == ResolveResult::Bound(Namespace(namespace))
                            && element.local_name().as_ref() == *name
                    });
                depth += 1;
                on_path += usize::from(fits);
            }
            Event::Text(text) if on_path == PATH.len() && depth == on_path => {
                let text = text.xml10_content();
                ack = Some(text.trim() == "true" || text.trim() == "1");
            }
            Event::End(_) => {
                on_path = on_path.saturating_sub(usize::from(depth == on_path));
                depth = depth.saturating_sub(1);
            }
            Event::DocType(_) => return Err(AckError::DocumentType),
            Event::Eof => break,
            _ => {}
        }
    }
    match ack {
        Some(true) => Ok(()),
        Some(false) => Err(AckError::Refused),
        None => Err(AckError::Missing),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><notificationsResponse xmlns="http://soap.sforce.com/2005/09/outbound"><Ack>true</Ack></notificationsResponse></s:Body></s:Envelope>"#;

    #[test]
    fn the_documented_answer_is_an_ack_under_any_prefix() {
        assert_eq!(check(200, Some("text/xml; charset=UTF-8"), GOOD), Ok(()));
        let prefixed = GOOD
            .replace("<notificationsResponse xmlns=", "<o:notificationsResponse xmlns:o=")
            .replace("<Ack>", "<o:Ack>")
            .replace("</Ack></", "</o:Ack></o:");
        assert_eq!(check(200, Some("application/xml"), &prefixed), Ok(()));
    }

    #[test]
    fn case_w01_everything_else_is_a_failure() {
        let xml = Some("text/xml");
        assert_eq!(check(202, xml, GOOD), Err(AckError::Status(202)));
        assert_eq!(check(200, Some("application/json"), GOOD), Err(AckError::NotXml));
        assert_eq!(check(200, None, GOOD), Err(AckError::NotXml));
        assert_eq!(check(200, xml, ""), Err(AckError::Missing));
        assert_eq!(check(200, xml, r#"{"Ack":true}"#), Err(AckError::Missing));
        assert_eq!(check(200, xml, &GOOD.replace("/2005/09/", "/2006/04/")), Err(AckError::Missing));
        assert_eq!(
            check(200, xml, &GOOD.replace("soap/envelope", "soap12/envelope")),
            Err(AckError::Missing)
        );
        assert_eq!(check(200, xml, &GOOD.replace("true", "false")), Err(AckError::Refused));
        assert_eq!(check(200, xml, &GOOD.replace("s:Body", "s:Header")), Err(AckError::Missing));
        assert_eq!(check(200, xml, "<a><b></a>"), Err(AckError::NotXml));
        let with_type = GOOD.replace("<s:Envelope", "<!DOCTYPE x><s:Envelope");
        assert_eq!(check(200, xml, &with_type), Err(AckError::DocumentType));
    }
}
