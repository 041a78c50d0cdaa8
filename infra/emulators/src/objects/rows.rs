//! Values that are kept as JSON in a column.

use rusqlite::Row;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::ObjectError;

pub(super) fn from_json<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, Box::new(error))
    })
}

pub(super) fn to_json<T: Serialize>(value: &T) -> Result<String, ObjectError> {
    serde_json::to_string(value).map_err(|_| ObjectError::Invalid("a header is not text"))
}
