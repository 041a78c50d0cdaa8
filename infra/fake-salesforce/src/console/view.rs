//! What the pages show, read with the org's own queries.

use askama::Template;
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use rusqlite::Connection;
use rust_decimal::Decimal;
use serde::{Deserialize, de::DeserializeOwned};

use crate::{
    demo::AGENT_USER_ID,
    error::ApiError,
    id::RecordId,
    schema::CASE_STATUSES,
    soql::{self, Plan},
};

/// Cases shown in the list.
const CASES_MAX: usize = 200;
/// Comments, time entries, files and invoices shown of one case.
const ITEMS_MAX: usize = 500;
/// Accounts in the filter.
const ACCOUNTS_MAX: usize = 500;

/// Which cases the list shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Show {
    #[default]
    Open,
    Closed,
    All,
}

impl Show {
    fn name(self) -> &'static str {
        match self {
            Show::Open => "open",
            Show::Closed => "closed",
            Show::All => "all",
        }
    }
}

/// The list's filter, as it stands in every URL.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Filter {
    pub show: Show,
    pub account: Option<RecordId>,
}

impl Filter {
    /// `show=open&account=001...`
    pub(super) fn query(&self) -> String {
        let account = self.account.as_ref().map_or("", RecordId::as_str);
        format!("show={}&account={account}", self.show.name())
    }
}

/// The console's one page: the list, and perhaps a case.
#[derive(Template)]
#[template(path = "console.html")]
pub(super) struct Console {
    pub filter: Filter,
    pub tabs: [Tab; 3],
    pub accounts: Vec<AccountOption>,
    pub cases: Vec<CaseLine>,
    /// More cases fit than are shown.
    pub truncated: bool,
    pub detail: Option<Detail>,
    pub problem: Option<String>,
    pub draft: Draft,
    pub today: Date,
}

pub(super) struct Tab {
    pub show: Show,
    pub label: &'static str,
    pub selected: bool,
}

impl Tab {
    fn name(&self) -> &'static str {
        self.show.name()
    }
}

pub(super) struct AccountOption {
    pub id: String,
    pub name: String,
    pub selected: bool,
}

/// What the agent typed into a form that was refused.
#[derive(Clone, Debug, Default)]
pub(super) struct Draft {
    pub comment: String,
    pub minutes: String,
    pub role: String,
    pub work: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Named {
    pub name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CaseLine {
    pub id: String,
    pub case_number: String,
    pub subject: Option<String>,
    pub status: String,
    pub priority: Option<String>,
    pub last_modified_date: Timestamp,
    pub account: Option<Named>,
    #[serde(skip)]
    pub selected: bool,
}

pub(super) struct Detail {
    pub case: Case,
    pub statuses: Vec<(&'static str, bool)>,
    pub roles: Vec<String>,
    pub comments: Vec<Comment>,
    pub time: Vec<TimeEntry>,
    pub total: String,
    pub files: Vec<File>,
    pub invoices: Vec<Invoice>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Case {
    pub id: String,
    pub case_number: String,
    pub subject: Option<String>,
    pub description: Option<String>,
    pub status: String,
    pub priority: Option<String>,
    #[serde(rename = "Type")]
    pub kind: Option<String>,
    pub origin: Option<String>,
    pub is_closed: bool,
    pub created_date: Timestamp,
    pub account_id: Option<String>,
    pub account: Option<Named>,
    pub contact: Option<Contact>,
    pub owner_id: Option<String>,
    pub owner: Option<Named>,
}

impl Case {
    fn mine(&self) -> bool {
        self.owner_id.as_deref() == Some(AGENT_USER_ID)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Contact {
    pub name: String,
    pub email: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Comment {
    pub comment_body: Option<String>,
    pub is_published: bool,
    pub created_date: Timestamp,
    pub created_by: Option<Named>,
}

#[derive(Deserialize)]
pub(super) struct TimeEntry {
    #[serde(rename = "Work_Date__c")]
    pub day: Date,
    #[serde(rename = "Minutes__c")]
    pub minutes: Decimal,
    #[serde(rename = "Description__c")]
    pub description: Option<String>,
    #[serde(rename = "Person__c")]
    pub person: Option<String>,
    #[serde(rename = "Role__c")]
    pub role: Option<String>,
    #[serde(rename = "Billable__c")]
    pub billable: bool,
}

#[derive(Deserialize)]
pub(super) struct File {
    #[serde(rename = "Name")]
    pub name: Option<String>,
    #[serde(rename = "Size__c")]
    pub size: Option<Decimal>,
    #[serde(rename = "State__c")]
    pub state: Option<String>,
    #[serde(rename = "Uploader__c")]
    pub uploader: Option<String>,
    #[serde(rename = "Version__c")]
    pub version: Option<Decimal>,
    #[serde(rename = "Category__c")]
    pub category: Option<String>,
    #[serde(rename = "Portal_Link__c")]
    pub link: Option<String>,
}

impl File {
    /// Where it can be opened. Anybody with the right to write the field may have put anything there: only web addresses
    /// become links.
    fn address(&self) -> Option<&str> {
        let link = self.link.as_deref()?;
        let is_web = link.starts_with("https://") || link.starts_with("http://");
        (is_web && self.state.as_deref() != Some("Deleted")).then_some(link)
    }
}

#[derive(Deserialize)]
pub(super) struct Invoice {
    #[serde(rename = "Number__c")]
    pub number: Option<String>,
    #[serde(rename = "Currency__c")]
    pub currency: Option<String>,
    #[serde(rename = "Gross__c")]
    pub gross: Option<Decimal>,
    #[serde(rename = "Issued_On__c")]
    pub issued_on: Option<Date>,
    #[serde(rename = "State__c")]
    pub state: Option<String>,
}

#[derive(Deserialize)]
struct Role {
    #[serde(rename = "Role__c")]
    role: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Account {
    id: String,
    name: String,
}

/// Reads the page.
///
/// # Errors
/// 404 when the case is missing or deleted.
pub(super) fn read(
    connection: &Connection,
    now: Timestamp,
    filter: Filter,
    case: Option<&RecordId>,
    problem: Option<String>,
    draft: Draft,
) -> Result<Console, ApiError> {
    let mut conditions = Vec::new();
    match filter.show {
        Show::Open => conditions.push("IsClosed = false".to_owned()),
        Show::Closed => conditions.push("IsClosed = true".to_owned()),
        Show::All => {}
    }
    if let Some(account) = &filter.account {
        conditions.push(format!("AccountId = '{account}'"));
    }
    let conditions =
        if conditions.is_empty() { String::new() } else { format!("WHERE {}", conditions.join(" AND ")) };
    let mut cases: Vec<CaseLine> = query(
        connection,
        &format!(
            "SELECT Id, CaseNumber, Subject, Status, Priority, LastModifiedDate, Account.Name FROM Case {conditions}
             ORDER BY LastModifiedDate DESC, Id DESC LIMIT {}",
            CASES_MAX + 1
        ),
    )?;
    let truncated = cases.len() > CASES_MAX;
    cases.truncate(CASES_MAX);
    for line in &mut cases {
        line.selected = case.is_some_and(|case| case.as_str() == line.id);
    }
    let accounts: Vec<Account> =
        query(connection, &format!("SELECT Id, Name FROM Account ORDER BY Name LIMIT {ACCOUNTS_MAX}"))?;
    let accounts = accounts
        .into_iter()
        .map(|account| AccountOption {
            selected: filter.account.as_ref().is_some_and(|id| id.as_str() == account.id),
            id: account.id,
            name: account.name,
        })
        .collect();
    let tabs = [(Show::Open, "Open"), (Show::Closed, "Closed"), (Show::All, "All")]
        .map(|(show, label)| Tab { show, label, selected: show == filter.show });
    let detail = case.map(|case| read_case(connection, case)).transpose()?;
    let today = now.to_zoned(TimeZone::UTC).date();
    Ok(Console { filter, tabs, accounts, cases, truncated, detail, problem, draft, today })
}

fn read_case(connection: &Connection, id: &RecordId) -> Result<Detail, ApiError> {
    let found: Vec<Case> = query(
        connection,
        &format!(
            "SELECT Id, CaseNumber, Subject, Description, Status, Priority, Type, Origin, IsClosed, CreatedDate,
             AccountId, Account.Name, Contact.Name, Contact.Email, OwnerId, Owner.Name FROM Case WHERE Id = '{id}'"
        ),
    )?;
    let case = found.into_iter().next().ok_or_else(ApiError::not_found)?;
    let comments = query(
        connection,
        &format!(
            "SELECT CommentBody, IsPublished, CreatedDate, CreatedBy.Name FROM CaseComment
             WHERE ParentId = '{id}' ORDER BY CreatedDate, Id LIMIT {ITEMS_MAX}"
        ),
    )?;
    let time: Vec<TimeEntry> = query(
        connection,
        &format!(
            "SELECT Work_Date__c, Minutes__c, Description__c, Person__c, Role__c, Billable__c FROM Time_Entry__c
             WHERE Case__c = '{id}' ORDER BY Work_Date__c, CreatedDate, Id LIMIT {ITEMS_MAX}"
        ),
    )?;
    let files = query(
        connection,
        &format!(
            "SELECT Name, Size__c, State__c, Uploader__c, Version__c, Category__c, Portal_Link__c
             FROM Portal_File__c WHERE Case__c = '{id}' ORDER BY CreatedDate, Id LIMIT {ITEMS_MAX}"
        ),
    )?;
    let invoices = query(
        connection,
        &format!(
            "SELECT Number__c, Currency__c, Gross__c, Issued_On__c, State__c FROM Portal_Invoice__c
             WHERE Case__c = '{id}' ORDER BY Issued_On__c, Id LIMIT {ITEMS_MAX}"
        ),
    )?;
    let roles: Vec<Role> = match &case.account_id {
        Some(account) => query(
            connection,
            &format!(
                "SELECT Role__c FROM Portal_Rate__c WHERE Contract__r.Account__c = '{account}'
                 ORDER BY Role__c LIMIT {ITEMS_MAX}"
            ),
        )?,
        None => Vec::new(),
    };
    let mut roles: Vec<String> = roles.into_iter().map(|role| role.role).collect();
    roles.dedup();
    let statuses = CASE_STATUSES.iter().map(|(name, _)| (*name, *name == case.status)).collect();
    let total = duration(time.iter().map(|entry| entry.minutes).sum());
    Ok(Detail { case, statuses, roles, comments, time, total, files, invoices })
}

/// Ids are the only values put into these queries, and an id has letters and digits only.
fn query<T: DeserializeOwned>(connection: &Connection, text: &str) -> Result<Vec<T>, ApiError> {
    let plan =
        soql::parse(text).and_then(|query| Plan::new(&query, false)).map_err(|error| error.describe(text))?;
    let page = plan.run(connection, "v66.0", usize::MAX)?;
    page.records
        .into_iter()
        .map(|record| {
            serde_json::from_value(record).map_err(|error| {
                tracing::error!(%error, "a record does not fit its view");
                ApiError::new(500, "UNKNOWN_EXCEPTION", "a record cannot be shown")
            })
        })
        .collect()
}

/// `3 h 20 min`
fn duration(minutes: Decimal) -> String {
    let sixty = Decimal::from(60);
    let hours = minutes.checked_div(sixty).map_or(Decimal::ZERO, |hours| hours.trunc());
    let rest = minutes.checked_rem(sixty).unwrap_or_default().normalize();
    match (hours.is_zero(), rest.is_zero()) {
        (true, _) => format!("{rest} min"),
        (false, true) => format!("{hours} h"),
        (false, false) => format!("{hours} h {rest} min"),
    }
}

/// `22 Nov 2026, 01:02`
fn moment(at: &Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%-d %b %Y, %H:%M").to_string()
}

/// `22 Nov 2026`
fn day(date: &Date) -> String {
    date.strftime("%-d %b %Y").to_string()
}

/// `1.4 MB`
fn size(bytes: &Decimal) -> String {
    const UNITS: [&str; 4] = ["B", "kB", "MB", "GB"];
    let thousand = Decimal::from(1_000);
    let mut value = *bytes;
    let mut unit = "B";
    for name in UNITS {
        unit = name;
        if value < thousand {
            break;
        }
        if name != "GB" {
            value = value.checked_div(thousand).unwrap_or_default();
        }
    }
    format!("{} {unit}", value.round_dp(1).normalize())
}

/// The class of a status pill: `Waiting on Customer` -> `waiting-on-customer`.
fn class(status: &str) -> String {
    status.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_sizes_read_well() {
        assert_eq!(duration(Decimal::from(0)), "0 min");
        assert_eq!(duration(Decimal::from(200)), "3 h 20 min");
        assert_eq!(duration(Decimal::from(120)), "2 h");
        assert_eq!(size(&Decimal::from(999)), "999 B");
        assert_eq!(size(&Decimal::from(1_400_000)), "1.4 MB");
        assert_eq!(size(&Decimal::from(5_000_000_000_i64)), "5 GB");
        assert_eq!(size(&Decimal::from(7_500_000_000_000_i64)), "7500 GB");
    }
}
