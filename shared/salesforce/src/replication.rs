//! Which records changed, were deleted, or belong to an account: what a sweep, a backfill and a compare ask.
//!
//! A page is one query by keyset ([`Soql::changed`]), so that a run that died goes on after the last record that it
//! took, with no cursor in Salesforce that could have expired meanwhile.

use jiff::Timestamp;
use portico_domain::{SalesforceId, runs::Place};
use reqwest::Method;
use serde::Deserialize;
use serde_json::Value;

use crate::{
    Salesforce, SalesforceError, Soql,
    client::{moment, parse_moment, read},
    records::{Object, RecordRef},
};

/// Records on one page: what Salesforce answers at once at most.
pub const PAGE: usize = 2_000;
/// How far back `getDeleted` reaches.
/// <https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_getdeleted.htm>
pub const DELETED_REACH: jiff::SignedDuration = jiff::SignedDuration::from_hours(15 * 24);
/// How Salesforce refuses a span with more than 600,000 deletions.
const TOO_MANY_IDS: &str = "EXCEEDED_ID_LIMIT";
/// The field of an account that says that it is a client of the portal.
const PORTAL_ACCOUNT: &str = "Portal_Account_Id__c";

impl Object {
    /// Where a record names the account that it belongs to.
    pub fn owner(self) -> &'static str {
        match self {
            Self::Account => "Id",
            Self::Contact | Self::Case => "AccountId",
            Self::CaseComment => "Parent.AccountId",
            Self::TimeEntry | Self::File => "Case__r.AccountId",
            Self::Contract | Self::Expense | Self::Invoice => "Account__c",
            Self::Rate | Self::Milestone | Self::Block | Self::Discount => "Contract__r.Account__c",
        }
    }

    /// Where a record names the case that it is or hangs on, if the case's answers show what Salesforce says of it.
    pub fn case(self) -> Option<&'static str> {
        match self {
            Self::Case => Some("Id"),
            Self::CaseComment => Some("ParentId"),
            Self::TimeEntry => Some("Case__c"),
            Self::Account
            | Self::Contact
            | Self::Contract
            | Self::Rate
            | Self::Milestone
            | Self::Block
            | Self::Discount
            | Self::Expense
            | Self::File
            | Self::Invoice => None,
        }
    }

    fn listed_fields(self) -> Vec<&'static str> {
        let mut fields = vec!["Id", "SystemModstamp", "CreatedDate", "IsDeleted"];
        let named = [Some(self.owner()), self.case()].into_iter().flatten();
        fields.extend(named.filter(|field| *field != "Id"));
        if self == Self::CaseComment {
            fields.extend(["IsPublished", "CommentBody", "CreatedBy.Name"]);
        }
        fields
    }
}

/// A record as lists of changes show it: enough to tell whether the portal has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Which.
    pub record: RecordRef,
    /// `SystemModstamp`.
    pub modstamp: Timestamp,
    /// `CreatedDate`.
    pub created_at: Timestamp,
    /// Whether it is in the recycle bin.
    pub deleted: bool,
    /// The account that it belongs to.
    pub account: Option<SalesforceId>,
    /// The case that it is or hangs on.
    pub case: Option<SalesforceId>,
    /// What it says, if it is a comment that clients may see.
    pub comment: Option<Comment>,
}

/// What a published comment says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comment {
    /// `CommentBody`.
    pub text: String,
    /// `CreatedBy.Name`.
    pub author: String,
}

impl Listed {
    /// Its place in the order of changes.
    pub fn place(&self) -> Place {
        Place { modstamp: self.modstamp, id: self.record.id }
    }

    fn read(object: Object, row: &Value) -> Option<Self> {
        let at = |path: &str| path.split('.').try_fold(row, |value, name| value.get(name));
        let text = |path: &str| at(path).and_then(Value::as_str);
        let id = |path: &str| text(path).and_then(|id| id.parse::<SalesforceId>().ok());
        let published = at("IsPublished").and_then(Value::as_bool) == Some(true);
        let said = |path: &str| text(path).unwrap_or_default().to_owned();
        Some(Self {
            record: RecordRef { object, id: id("Id")? },
            modstamp: parse_moment(text("SystemModstamp")?)?,
            created_at: parse_moment(text("CreatedDate")?)?,
            deleted: at("IsDeleted")?.as_bool()?,
            account: id(object.owner()),
            case: object.case().and_then(id),
            comment: published.then(|| Comment { text: said("CommentBody"), author: said("CreatedBy.Name") }),
        })
    }
}

/// What was deleted in a span of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deletions {
    /// The records and when each was deleted, whether they are still in the recycle bin or not.
    pub records: Vec<(SalesforceId, Timestamp)>,
    /// Up to when the answer is complete: where the next question begins.
    pub covered_until: Timestamp,
}

impl Salesforce {
    /// A page of what changed, deleted records included: [`Soql::changed`]. The end is an empty page: one may be
    /// short because a record on it was just purged.
    ///
    /// # Errors
    /// [`SalesforceError`].
    pub async fn changed(
        &self,
        object: Object,
        window: (Timestamp, Timestamp),
        after: Option<Place>,
    ) -> Result<Vec<Listed>, SalesforceError> {
        self.listed(object, &Soql::changed(object.name(), &object.listed_fields(), window, after, PAGE)).await
    }

    /// A page of an account's records in order of id, deleted ones included; an empty one is the end.
    ///
    /// # Errors
    /// [`SalesforceError`].
    pub async fn belonging_to(
        &self,
        account: SalesforceId,
        object: Object,
        after: Option<SalesforceId>,
    ) -> Result<Vec<Listed>, SalesforceError> {
        let fields = object.listed_fields();
        self.listed(object, &Soql::of_one(object.name(), &fields, object.owner(), account, after, PAGE)).await
    }

    /// These records, deleted ones included; what Salesforce has purged is missing. At most 200.
    ///
    /// # Errors
    /// [`SalesforceError`].
    pub async fn these(&self, object: Object, ids: &[SalesforceId]) -> Result<Vec<Listed>, SalesforceError> {
        self.listed(object, &Soql::by_ids(object.name(), &object.listed_fields(), "Id", ids)).await
    }

    /// The first account after this one, in order of id, that says that it is a client of the portal.
    ///
    /// # Errors
    /// [`SalesforceError`].
    pub async fn next_client(
        &self,
        after: Option<SalesforceId>,
    ) -> Result<Option<SalesforceId>, SalesforceError> {
        #[derive(Deserialize)]
        struct Row {
            #[serde(rename = "Id")]
            id: SalesforceId,
        }
        let soql = Soql::with("Account", &["Id"], PORTAL_ACCOUNT, after, 1);
        let rows: Vec<Row> = self.query_all(&soql).await?;
        Ok(rows.into_iter().next().map(|row| row.id))
    }

    /// What was deleted from `start` on and before `end`, both cut to whole minutes by Salesforce. It reaches back
    /// [`DELETED_REACH`], and `start` has to be a minute before `end`. `None` if there are too many for one answer: ask
    /// for less time.
    ///
    /// # Errors
    /// [`SalesforceError`].
    pub async fn deleted(
        &self,
        object: Object,
        start: Timestamp,
        end: Timestamp,
    ) -> Result<Option<Deletions>, SalesforceError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Answer {
            deleted_records: Vec<Deleted>,
            #[serde(deserialize_with = "moment")]
            latest_date_covered: Timestamp,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Deleted {
            id: SalesforceId,
            #[serde(deserialize_with = "moment")]
            deleted_date: Timestamp,
        }
        let (start, end) = (start.to_string(), end.to_string());
        let query = [("start", start.as_str()), ("end", end.as_str())];
        let path = ["sobjects", object.name(), "deleted"];
        let answer = match self.call(Method::GET, &path, &query, None).await {
            Ok((_, answer)) => answer,
            Err(SalesforceError::Refused { code, .. }) if code == TOO_MANY_IDS => return Ok(None),
            Err(error) => return Err(error),
        };
        let Answer { deleted_records, latest_date_covered } = read(&answer)?;
        let records = deleted_records.into_iter().map(|deleted| (deleted.id, deleted.deleted_date)).collect();
        Ok(Some(Deletions { records, covered_until: latest_date_covered }))
    }

    async fn listed(&self, object: Object, soql: &Soql) -> Result<Vec<Listed>, SalesforceError> {
        let rows: Vec<Value> = self.query_all(soql).await?;
        let unreadable = || SalesforceError::Unreadable(format!("a row of {}", object.name()));
        rows.iter().map(|row| Listed::read(object, row).ok_or_else(unreadable)).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_object_says_whose_it_is() {
        for object in Object::ALL {
            let fields = object.listed_fields();
            assert!(fields.contains(&object.owner()), "{object:?}");
            assert!(fields.starts_with(&["Id", "SystemModstamp", "CreatedDate", "IsDeleted"]), "{fields:?}");
        }
    }

    #[test]
    fn a_comment_is_read_through_its_parent_and_only_if_published() {
        let row = |published: bool| {
            json!({
                "Id": "00a000000000001AAA", "SystemModstamp": "2026-11-22T01:02:03.000+0000",
                "CreatedDate": "2026-11-22T01:02:03.000+0000", "IsDeleted": false,
                "ParentId": "500000000000001AAA", "Parent": { "AccountId": "001000000000001AAA" },
                "IsPublished": published, "CommentBody": "Done", "CreatedBy": { "Name": "Sam" },
            })
        };
        let listed = Listed::read(Object::CaseComment, &row(true)).unwrap();
        assert_eq!(listed.account, Some("001000000000001AAA".parse().unwrap()));
        assert_eq!(listed.case, Some("500000000000001AAA".parse().unwrap()));
        assert_eq!(listed.comment, Some(Comment { text: "Done".to_owned(), author: "Sam".to_owned() }));
        assert_eq!(Listed::read(Object::CaseComment, &row(false)).unwrap().comment, None);
        assert_eq!(Listed::read(Object::Case, &json!({ "Id": "500000000000001AAA" })), None);
    }
}
