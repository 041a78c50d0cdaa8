//! Queries, built only from values that cannot carry a quote.

use std::fmt::{Display, Write};

use portico_domain::SalesforceId;

/// Most ids in one query: keeps the URL under Salesforce's limit of 16,384 characters.
pub const IDS_MAX: usize = 200;

/// A SOQL query. There is no way to put free text into one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Soql(String);

impl Soql {
    /// `SELECT fields FROM object WHERE field IN (ids)`; of `ids`, the first [`IDS_MAX`].
    pub fn by_ids(
        object: &'static str,
        fields: &[&'static str],
        field: &'static str,
        ids: &[SalesforceId],
    ) -> Self {
        let mut list = String::new();
        for (position, id) in ids.iter().take(IDS_MAX).enumerate() {
            let comma = if position == 0 { "" } else { "," };
            // Writing to a String cannot fail.
            let _ = write!(list, "{comma}'{id}'");
        }
        Self(format!("SELECT {} FROM {object} WHERE {field} IN ({list})", fields.join(",")))
    }

    /// The query's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Display for Soql {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_ids_in_full() {
        let ids = ["500000000000001AAA".parse().unwrap(), "500000000000002".parse().unwrap()];
        assert_eq!(
            Soql::by_ids("Case", &["Id", "Status"], "Id", &ids).as_str(),
            "SELECT Id,Status FROM Case WHERE Id IN ('500000000000001AAA','500000000000002AAA')"
        );
    }
}
