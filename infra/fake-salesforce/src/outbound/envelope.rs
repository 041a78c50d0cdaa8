//! The SOAP message.

use quick_xml::escape::escape;
use rusqlite::types::Value as Cell;

use crate::{records::Row, schema::Object, value};

pub(super) const SOAP: &str = "http://schemas.xmlsoap.org/soap/envelope/";
pub(super) const OUTBOUND: &str = "http://soap.sforce.com/2005/09/outbound";

/// One notification; without a row when the record was deleted meanwhile.
#[derive(Debug)]
pub(super) struct Notification {
    pub id: String,
    pub row: Option<Row>,
}

/// What every message of this org says about it.
#[derive(Clone, Debug)]
pub(super) struct Sender {
    pub organization_id: String,
    /// Where the org is reached, without a trailing slash.
    pub address: String,
}

/// Writes the message of one action.
pub(super) fn message(sender: &Sender, object: &'static Object, notifications: &[Notification]) -> String {
    let mut xml = String::with_capacity(1_024 + notifications.len() * 512);
    let organization = escape(&sender.organization_id);
    let address = escape(&sender.address);
    let action = object.action.map_or("", |action| action.id);
    xml.push_str(&format!(
        r#"<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="{SOAP}" xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body><notifications xmlns="{OUTBOUND}"><OrganizationId>{organization}</OrganizationId><ActionId>{action}</ActionId><SessionId/><EnterpriseUrl>{address}/services/Soap/c/66.0/{organization}</EnterpriseUrl><PartnerUrl>{address}/services/Soap/u/66.0/{organization}</PartnerUrl>"#
    ));
    for notification in notifications {
        xml.push_str("<Notification><Id>");
        xml.push_str(&escape(&notification.id));
        xml.push_str("</Id>");
        let head = format!(
            r#"<sObject xsi:type="sf:{}" xmlns:sf="urn:sobject.enterprise.soap.sforce.com""#,
            object.name
        );
        xml.push_str(&head);
        match &notification.row {
            Some(row) => {
                xml.push('>');
                write_fields(&mut xml, object, row);
                xml.push_str("</sObject>");
            }
            None => xml.push_str("/>"),
        }
        xml.push_str("</Notification>");
    }
    xml.push_str("</notifications></soapenv:Body></soapenv:Envelope>");
    xml
}

/// `Id`, then the action's fields; null ones are left out.
fn write_fields(xml: &mut String, object: &'static Object, row: &Row) {
    let names = object.action.map_or(&[][..], |action| action.fields);
    for name in ["Id"].iter().chain(names) {
        let Some(field) = object.field(name) else { continue };
        let cell = row.get(field.name).unwrap_or(&Cell::Null);
        if let Some(text) = value::to_xml_text(field.kind, cell) {
            let text: String = text.chars().filter(|c| allowed(*c)).collect();
            xml.push_str(&format!("<sf:{0}>{1}</sf:{0}>", field.name, escape(&text)));
        }
    }
}

/// Characters that XML 1.0 can carry at all.
fn allowed(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_fields_are_omitted_deleted_records_are_empty_and_text_is_escaped() {
        let account = Object::named("Account").unwrap();
        let row = Row::from([
            ("Id", Cell::Text("001Fk0000000001IAA".to_owned())),
            ("Name", Cell::Text("A<&>\u{1}B".to_owned())),
            ("Portal_Account_Id__c", Cell::Null),
            ("SystemModstamp", Cell::Integer(1_795_309_323)),
        ]);
        let sender = Sender {
            organization_id: "00DFk0000000001MAA".to_owned(),
            address: "http://127.0.0.1:1".to_owned(),
        };
        let notifications = [
            Notification { id: "04lFk0000000001IAA".to_owned(), row: Some(row) },
            Notification { id: "04lFk0000000002IAA".to_owned(), row: None },
        ];
        let xml = message(&sender, account, &notifications);
        assert!(xml.contains("<ActionId>04kFk0000000001IAA</ActionId><SessionId/>"), "{xml}");
        assert!(xml.contains(
            "<sf:Id>001Fk0000000001IAA</sf:Id><sf:Name>A&lt;&amp;&gt;B</sf:Name><sf:SystemModstamp>2026-11-22T01:02:03.000Z</sf:SystemModstamp></sObject>"
        ), "{xml}");
        assert!(xml.contains(
            r#"<Id>04lFk0000000002IAA</Id><sObject xsi:type="sf:Account" xmlns:sf="urn:sobject.enterprise.soap.sforce.com"/></Notification>"#
        ), "{xml}");
    }
}
