//! Change events of Change Data Capture, as Event Relay hands them to EventBridge.
//!
//! The event is EventBridge's envelope with Salesforce's message as `detail`; of its header only ids are taken.
//! <https://developer.salesforce.com/docs/atlas.en-us.change_data_capture.meta/change_data_capture/cdc_event_fields_header.htm>
//!
//! Not every change event has the ids of what changed. An overflow (more than 100,000 changes in one transaction)
//! has the empty id, and the conversion of a field's type has a wildcard for all records of the object.

use std::borrow::Cow;

use portico_domain::SalesforceId;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::records::is_api_name;

/// Most bytes of an event, EventBridge's own limit: what is larger did not come from there.
/// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevent-size.html>
pub const BYTES_MAX: usize = 1024 * 1024;
/// The partner's part of the source, before the org and the channel.
pub const PARTNER: &str = "aws.partner/salesforce.com/";

/// The id of no record, which an overflow has.
const EMPTY_ID: &str = "000000000000000AAA";

/// A change event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeEvent<'e> {
    /// `aws.partner/salesforce.com/<org>/<channel>`, which is also the name of the event bus.
    pub source: Cow<'e, str>,
    /// API name of the object.
    pub object: Cow<'e, str>,
    /// The records that changed, as far as the event says.
    pub ids: Vec<SalesforceId>,
    /// Whether other records changed, too, of which the event does not say which: only a sweep finds them.
    pub incomplete: bool,
    /// The header as it came. It names transaction, place in the transaction and time of commit, so it is the same
    /// whenever this event comes again, and never that of another event.
    pub header: &'e str,
}

/// Why an event is not a change event. Says what is wrong, never what was in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChangeEventError {
    /// Larger than [`BYTES_MAX`].
    #[error("more than {BYTES_MAX} bytes")]
    TooLarge,
    /// Not JSON, or without what every change event has.
    #[error("not a change event of Event Relay")]
    Unexpected,
}

#[derive(Deserialize)]
struct Envelope<'e> {
    #[serde(borrow)]
    source: Cow<'e, str>,
    #[serde(borrow)]
    detail: Detail<'e>,
}

#[derive(Deserialize)]
struct Detail<'e> {
    #[serde(borrow)]
    payload: Payload<'e>,
}

#[derive(Deserialize)]
struct Payload<'e> {
    #[serde(borrow, rename = "ChangeEventHeader")]
    header: &'e RawValue,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Header<'e> {
    #[serde(borrow)]
    entity_name: Cow<'e, str>,
    #[serde(borrow)]
    record_ids: Vec<Cow<'e, str>>,
}

/// Reads an event.
///
/// # Errors
/// [`ChangeEventError`].
pub fn parse(event: &str) -> Result<ChangeEvent<'_>, ChangeEventError> {
    if event.len() > BYTES_MAX {
        return Err(ChangeEventError::TooLarge);
    }
    let envelope: Envelope<'_> = serde_json::from_str(event).map_err(|_| ChangeEventError::Unexpected)?;
    let raw = envelope.detail.payload.header.get();
    let header: Header<'_> = serde_json::from_str(raw).map_err(|_| ChangeEventError::Unexpected)?;
    if !envelope.source.starts_with(PARTNER) || !is_api_name(&header.entity_name) {
        return Err(ChangeEventError::Unexpected);
    }
    let mut ids = Vec::with_capacity(header.record_ids.len());
    // An event without ids says that something changed, and not what.
    let mut incomplete = header.record_ids.is_empty();
    for text in &header.record_ids {
        match text.parse() {
            Ok(id) if text.as_ref() != EMPTY_ID => ids.push(id),
            // A wildcard (`001*`), the empty id, or a form that is not known here: better a sweep than a loss.
            Ok(_) | Err(_) => incomplete = true,
        }
    }
    Ok(ChangeEvent { source: envelope.source, object: header.entity_name, ids, incomplete, header: raw })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(entity: &str, ids: &str, change: &str) -> String {
        format!(
            r#"{{"version":"0","id":"5c42b99e-e005-43b3-c744-07990c50d2cc","detail-type":"{entity}ChangeEvent",
"source":"aws.partner/salesforce.com/00DFk0000000001MAA/0YLFk0000000001AAA","account":"000000000000","time":"2026-11-22T09:29:58Z",
"region":"eu-central-1","resources":[],"detail":{{"payload":{{"Status":"Working","ChangeEventHeader":{{"commitNumber":248197218874,
"commitUser":"005Fk0000000001AAA","sequenceNumber":1,"entityName":"{entity}","changeType":"{change}","changedFields":["Status"],
"changeOrigin":"","transactionKey":"000035af-b239-0581-9f14-461e4187de11","commitTimestamp":1795339798000,"recordIds":{ids}}}}},
"schemaId":"synthetic","id":"e83eb6ad-9ac5-4b2a-9d08-5a6d0e4c3c54"}}}}"#
        )
    }

    #[test]
    fn a_merged_event_names_every_record() {
        let text = event("Case", r#"["500Fk0000000001","500Fk0000000002IAA"]"#, "UPDATE");
        let read = parse(&text).unwrap();
        assert_eq!(read.source, "aws.partner/salesforce.com/00DFk0000000001MAA/0YLFk0000000001AAA");
        assert_eq!(read.object, "Case");
        assert_eq!(
            read.ids.iter().map(SalesforceId::as_str).collect::<Vec<_>>(),
            ["500Fk0000000001IAA", "500Fk0000000002IAA"]
        );
        assert!(!read.incomplete);
        assert!(read.header.contains("transactionKey") && !read.header.contains("schemaId"));
    }

    #[test]
    fn a_gap_has_ids_or_is_incomplete() {
        for (ids, change, known, incomplete) in [
            (r#"["500Fk0000000001IAA"]"#, "GAP_UPDATE", 1, false),
            (r#"["500Fk0000000001IAA"]"#, "GAP_DELETE", 1, false),
            (r#"["000000000000000AAA"]"#, "GAP_OVERFLOW", 0, true),
            (r#"["500*"]"#, "UPDATE", 0, true),
            (r#"["500Fk0000000001IAA","500*"]"#, "UPDATE", 1, true),
            (r#"["500Fk0000000001IAB"]"#, "UPDATE", 0, true),
            ("[]", "UPDATE", 0, true),
        ] {
            let text = event("Case", ids, change);
            let read = parse(&text).unwrap();
            assert_eq!((read.ids.len(), read.incomplete), (known, incomplete), "{ids} {change}");
        }
    }

    #[test]
    fn what_is_no_change_event_is_refused() {
        let good = event("Case", "[]", "UPDATE");
        let deep = "[".repeat(10_000);
        for bad in [
            "",
            "{}",
            &deep,
            &good.replace("aws.partner/salesforce.com/", "aws.partner/example.com/"),
            &good.replace("ChangeEventHeader", "Header"),
            &good.replace("\"Case\"", "\"Ca se\""),
            &good.replace("\"recordIds\":[]", "\"recordIds\":7"),
            &good[..good.len() - 1],
        ] {
            assert_eq!(parse(bad), Err(ChangeEventError::Unexpected), "{bad:.80}");
        }
        assert_eq!(parse(&" ".repeat(BYTES_MAX + 1)), Err(ChangeEventError::TooLarge));
    }
}
