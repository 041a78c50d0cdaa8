//! A field's value between JSON, SQLite and XML.
//!
//! In SQLite: text for strings, ids and days, seconds since 1970 for points in time, a real for numbers,
//! 0 or 1 for booleans.

use jiff::{Timestamp, civil, tz::TimeZone};
use rusqlite::types::Value as Cell;
use rust_decimal::Decimal;
use serde_json::{Number, Value};

use crate::{
    error::ApiError,
    id::RecordId,
    schema::{Field, Kind, URL_MAX},
};

/// Longest part of a refused value that an error message repeats.
const SHOWN: usize = 255;

/// Reads what a client sent for a field.
///
/// # Errors
/// The refusal that Salesforce gives: wrong JSON type, too long, not in the list, malformed id.
pub(crate) fn from_json(field: &Field, value: &Value) -> Result<Cell, ApiError> {
    let cell = match (field.kind, value) {
        (Kind::Boolean, Value::Null) => {
            return Err(ApiError::bad(
                "INVALID_TYPE_ON_FIELD_IN_RECORD",
                format!("{}: value not of required type: null", field.name),
            )
            .about([field.name]));
        }
        (_, Value::Null) => Cell::Null,
        // An empty string is null to Salesforce.
        (_, Value::String(text)) if text.is_empty() => Cell::Null,
        (Kind::Boolean, Value::Bool(on)) => Cell::Integer(i64::from(*on)),
        (Kind::Boolean, Value::String(text)) if text.eq_ignore_ascii_case("true") => Cell::Integer(1),
        (Kind::Boolean, Value::String(text)) if text.eq_ignore_ascii_case("false") => Cell::Integer(0),
        (Kind::Number { digits, scale }, Value::Number(number)) => {
            decimal(field, &number.to_string(), digits, scale)?
        }
        (Kind::Number { digits, scale }, Value::String(text)) => decimal(field, text, digits, scale)?,
        (Kind::Date, Value::String(text)) => {
            let day: civil::Date = text.parse().map_err(|_| not_deserializable(field, "date", value))?;
            Cell::Text(day.to_string())
        }
        (Kind::DateTime, Value::String(text)) => {
            let at: Timestamp = text.parse().map_err(|_| not_deserializable(field, "datetime", value))?;
            Cell::Integer(at.as_second())
        }
        (Kind::Id | Kind::Reference { .. }, Value::String(text)) => reference(field, text)?,
        (Kind::Text(max), Value::String(text)) => line(field, text, max)?,
        (Kind::Email, Value::String(text)) => email(field, text)?,
        (Kind::Url, Value::String(text)) => line(field, text, URL_MAX)?,
        (Kind::Area(max), Value::String(text)) => bounded(field, text, text.chars().count(), max)?,
        (Kind::AreaBytes(max), Value::String(text)) => bounded(field, text, text.len(), max)?,
        (Kind::Picklist { values, restricted }, Value::String(text)) => {
            picklist(field, text, values, restricted)?
        }
        // Text fields take numbers and booleans as written.
        (Kind::Text(max), Value::Number(number)) => line(field, &number.to_string(), max)?,
        (Kind::Text(max), Value::Bool(on)) => line(field, &on.to_string(), max)?,
        _ => return Err(not_deserializable(field, type_name(field.kind), value)),
    };
    Ok(cell)
}

/// Shows a cell as the REST API does.
pub(crate) fn to_json(kind: Kind, cell: &Cell) -> Value {
    match (kind, cell) {
        (_, Cell::Null | Cell::Blob(_)) => Value::Null,
        (Kind::Boolean, Cell::Integer(on)) => Value::Bool(*on != 0),
        (Kind::DateTime, Cell::Integer(second)) => Value::String(rest_time(*second)),
        (_, Cell::Integer(number)) => Value::Number(Number::from(*number)),
        (_, Cell::Real(number)) => Number::from_f64(*number).map_or(Value::Null, Value::Number),
        (_, Cell::Text(text)) => Value::String(text.clone()),
    }
}

/// Shows a cell as an outbound message does; `None` for null, because null fields are left out there.
pub(crate) fn to_xml_text(kind: Kind, cell: &Cell) -> Option<String> {
    match (kind, to_json(kind, cell)) {
        (_, Value::Null) => None,
        (Kind::DateTime, _) => match cell {
            Cell::Integer(second) => Some(soap_time(*second)),
            _ => None,
        },
        (_, Value::String(text)) => Some(text),
        (_, other) => Some(other.to_string()),
    }
}

/// `2026-11-22T01:02:03.000+0000`: the form of every date and time in REST answers.
pub(crate) fn rest_time(second: i64) -> String {
    strftime(second, "%Y-%m-%dT%H:%M:%S.000+0000")
}

/// `2026-11-22T01:02:03.000Z`: the form in SOAP.
pub(crate) fn soap_time(second: i64) -> String {
    strftime(second, "%Y-%m-%dT%H:%M:%S.000Z")
}

fn strftime(second: i64, format: &str) -> String {
    let at = Timestamp::from_second(second).unwrap_or(Timestamp::UNIX_EPOCH);
    at.to_zoned(TimeZone::UTC).strftime(format).to_string()
}

/// How describe and error messages call a type.
pub(crate) fn type_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Id => "id",
        Kind::Reference { .. } => "reference",
        Kind::Text(_) | Kind::AutoNumber(_) => "string",
        Kind::Area(_) | Kind::AreaBytes(_) => "textarea",
        Kind::Email => "email",
        Kind::Url => "url",
        Kind::Picklist { .. } => "picklist",
        Kind::Number { .. } => "double",
        Kind::Integer => "int",
        Kind::Boolean => "boolean",
        Kind::Date => "date",
        Kind::DateTime => "datetime",
    }
}

/// Rounds to the field's scale, as Salesforce does on write, and checks the digits before the point.
fn decimal(field: &Field, text: &str, digits: u32, scale: u32) -> Result<Cell, ApiError> {
    let refused = || not_deserializable(field, "double", &Value::String(text.to_owned()));
    let exact: Decimal = text.parse().or_else(|_| Decimal::from_scientific(text)).map_err(|_| refused())?;
    let rounded = exact.round_dp_with_strategy(scale, rust_decimal::RoundingStrategy::MidpointAwayFromZero);
    let integer_digits = rounded.trunc().abs().to_string().len();
    if integer_digits > usize::try_from(digits).unwrap_or(usize::MAX) {
        let message = format!("{}: value outside of valid range on numeric field: {text}", field.name);
        return Err(ApiError::bad("NUMBER_OUTSIDE_VALID_RANGE", message).about([field.name]));
    }
    rounded.to_string().parse().map(Cell::Real).map_err(|_| refused())
}

fn reference(field: &Field, text: &str) -> Result<Cell, ApiError> {
    match RecordId::parse(text) {
        Ok(id) => Ok(Cell::Text(id.as_str().to_owned())),
        Err(_) => {
            let message = format!("{}: id value of incorrect type: {}", field.name, shown(text));
            Err(ApiError::bad("MALFORMED_ID", message).about([field.name]))
        }
    }
}

/// A single line: line breaks become spaces.
fn line(field: &Field, text: &str, max: usize) -> Result<Cell, ApiError> {
    let text = text.replace(['\r', '\n'], " ");
    bounded(field, &text, text.chars().count(), max)
}

/// Longest address that a standard e-mail field holds.
const EMAIL_MAX: usize = 80;

fn email(field: &Field, text: &str) -> Result<Cell, ApiError> {
    let plausible = text
        .split_once('@')
        .is_some_and(|(local, host)| !local.is_empty() && host.contains('.') && !host.contains('@'));
    if !plausible || text.chars().any(char::is_whitespace) {
        let message = format!("{}: invalid email address: {}", field.name, shown(text));
        return Err(ApiError::bad("INVALID_EMAIL_ADDRESS", message).about([field.name]));
    }
    bounded(field, text, text.chars().count(), EMAIL_MAX)
}

fn picklist(field: &Field, text: &str, values: &[&str], restricted: bool) -> Result<Cell, ApiError> {
    if let Some(value) = values.iter().find(|value| value.eq_ignore_ascii_case(text)) {
        return Ok(Cell::Text((*value).to_owned()));
    }
    if restricted {
        let message = format!("{}: bad value for restricted picklist field: {}", field.name, shown(text));
        return Err(ApiError::bad("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", message).about([field.name]));
    }
    bounded(field, text, text.chars().count(), 255)
}

fn bounded(field: &Field, text: &str, length: usize, max: usize) -> Result<Cell, ApiError> {
    if length > max {
        let message = format!("{}: data value too large: {} (max length={max})", field.name, shown(text));
        return Err(ApiError::bad("STRING_TOO_LONG", message).about([field.name]));
    }
    Ok(Cell::Text(text.to_owned()))
}

fn not_deserializable(field: &Field, wanted: &str, value: &Value) -> ApiError {
    let token = match value {
        Value::Null => "VALUE_NULL",
        Value::Bool(true) => "VALUE_TRUE",
        Value::Bool(false) => "VALUE_FALSE",
        Value::Number(_) => "VALUE_NUMBER",
        Value::String(_) => "VALUE_STRING",
        Value::Array(_) => "START_ARRAY",
        Value::Object(_) => "START_OBJECT",
    };
    let text = match value {
        Value::String(text) => shown(text),
        other => shown(&other.to_string()),
    };
    let message = format!(
        "{}: Cannot deserialize instance of {wanted} from {token} value {text} or request may be missing a required field",
        field.name
    );
    ApiError::bad("JSON_PARSER_ERROR", message)
}

fn shown(text: &str) -> String {
    text.chars().take(SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::schema::Object;

    fn field(object: &str, name: &str) -> &'static Field {
        Object::named(object).unwrap().field(name).unwrap()
    }

    #[test]
    fn numbers_are_rounded_to_the_scale_and_shown_as_doubles() {
        let rate = field("Portal_Rate__c", "Hourly_Rate__c");
        let cell = from_json(rate, &json!(120.005)).unwrap();
        assert_eq!(to_json(rate.kind, &cell), json!(120.01));
        let minutes = field("Time_Entry__c", "Minutes__c");
        let cell = from_json(minutes, &json!(90)).unwrap();
        assert_eq!(to_json(minutes.kind, &cell).to_string(), "90.0");
        assert_eq!(from_json(minutes, &json!(1_000_000)).unwrap_err().code, "NUMBER_OUTSIDE_VALID_RANGE");
        assert_eq!(from_json(minutes, &json!("many")).unwrap_err().code, "JSON_PARSER_ERROR");
    }

    #[test]
    fn times_of_every_offset_form_are_read_and_shown_in_utc() {
        let created = field("Case", "CreatedDate");
        for text in ["2026-11-22T01:02:03.000+0000", "2026-11-22T01:02:03Z", "2026-11-22T02:02:03+01:00"] {
            let cell = from_json(created, &json!(text)).unwrap();
            assert_eq!(to_json(created.kind, &cell), json!("2026-11-22T01:02:03.000+0000"));
            assert_eq!(to_xml_text(created.kind, &cell).unwrap(), "2026-11-22T01:02:03.000Z");
        }
    }

    #[test]
    fn case_r07_a_comment_is_measured_in_bytes() {
        let body = field("CaseComment", "CommentBody");
        assert!(from_json(body, &json!("é".repeat(2_000))).is_ok());
        let refused = from_json(body, &json!("é".repeat(2_001))).unwrap_err();
        assert_eq!((refused.status, refused.code), (400, "STRING_TOO_LONG"));
        let subject = field("Case", "Subject");
        assert!(from_json(subject, &json!("é".repeat(255))).is_ok());
        assert_eq!(from_json(subject, &json!("é".repeat(256))).unwrap_err().code, "STRING_TOO_LONG");
    }
}
