//! Queries, built only from values that cannot carry a quote.

use std::fmt::{Display, Write};

use jiff::{Timestamp, tz::TimeZone};
use portico_domain::{SalesforceId, runs::Place};

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

    /// What changed from `from` on and before `until`, in order of `SystemModstamp` and then of id, after a place in
    /// that order. At most `limit`.
    ///
    /// By keyset and not by `OFFSET`: that ends at 2,000 records, and jumps when records before it come or go.
    pub fn changed(
        object: &'static str,
        fields: &[&'static str],
        (from, until): (Timestamp, Timestamp),
        after: Option<Place>,
        limit: usize,
    ) -> Self {
        let range = match after {
            None => format!("SystemModstamp >= {}", date_time(from)),
            Some(Place { modstamp, id }) => {
                let at = date_time(modstamp);
                format!("(SystemModstamp > {at} OR (SystemModstamp = {at} AND Id > '{id}'))")
            }
        };
        Self(format!(
            "SELECT {} FROM {object} WHERE {range} AND SystemModstamp < {} ORDER BY SystemModstamp, Id LIMIT {limit}",
            fields.join(","),
            date_time(until),
        ))
    }

    /// Records whose `field` is this one, in order of id, after one of them. At most `limit`.
    pub fn of_one(
        object: &'static str,
        fields: &[&'static str],
        field: &'static str,
        value: SalesforceId,
        after: Option<SalesforceId>,
        limit: usize,
    ) -> Self {
        Self::in_order(object, fields, &format!("{field} = '{value}'"), after, limit)
    }

    /// Records that are not deleted and whose `field` is not empty, in order of id, after one of them. At most `limit`.
    pub fn with(
        object: &'static str,
        fields: &[&'static str],
        field: &'static str,
        after: Option<SalesforceId>,
        limit: usize,
    ) -> Self {
        Self::in_order(object, fields, &format!("{field} != null AND IsDeleted = false"), after, limit)
    }

    fn in_order(
        object: &'static str,
        fields: &[&'static str],
        condition: &str,
        after: Option<SalesforceId>,
        limit: usize,
    ) -> Self {
        let after = after.map(|id| format!(" AND Id > '{id}'")).unwrap_or_default();
        let fields = fields.join(",");
        Self(format!("SELECT {fields} FROM {object} WHERE {condition}{after} ORDER BY Id LIMIT {limit}"))
    }

    /// The query's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// As SOQL writes date-times: whole seconds, UTC, without quotes. `SystemModstamp` has no finer resolution.
fn date_time(at: Timestamp) -> impl Display {
    at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
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

    #[test]
    fn pages_by_the_last_record_that_was_read() {
        let at = |second: i64| Timestamp::from_second(1_800_000_000 + second).unwrap();
        let window = (at(0), at(60));
        assert_eq!(
            Soql::changed("Case", &["Id"], window, None, 2_000).as_str(),
            "SELECT Id FROM Case WHERE SystemModstamp >= 2027-01-15T08:00:00Z AND SystemModstamp < 2027-01-15T08:01:00Z \
             ORDER BY SystemModstamp, Id LIMIT 2000"
        );
        let place = Place { modstamp: at(7), id: "500000000000001AAA".parse().unwrap() };
        assert_eq!(
            Soql::changed("Case", &["Id"], window, Some(place), 2_000).as_str(),
            "SELECT Id FROM Case WHERE (SystemModstamp > 2027-01-15T08:00:07Z OR (SystemModstamp = \
             2027-01-15T08:00:07Z AND Id > '500000000000001AAA')) AND SystemModstamp < 2027-01-15T08:01:00Z \
             ORDER BY SystemModstamp, Id LIMIT 2000"
        );
        let account = "001000000000001AAA".parse().unwrap();
        assert_eq!(
            Soql::of_one("Time_Entry__c", &["Id"], "Case__r.AccountId", account, Some(place.id), 10).as_str(),
            "SELECT Id FROM Time_Entry__c WHERE Case__r.AccountId = '001000000000001AAA' AND Id > \
             '500000000000001AAA' ORDER BY Id LIMIT 10"
        );
        assert_eq!(
            Soql::with("Account", &["Id"], "Portal_Account_Id__c", None, 10).as_str(),
            "SELECT Id FROM Account WHERE Portal_Account_Id__c != null AND IsDeleted = false ORDER BY Id LIMIT 10"
        );
    }
}
