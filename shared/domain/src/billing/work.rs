//! What is billed: time that somebody worked, what was paid for the client, what was delivered.

use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};

use super::period::Zone;
use crate::{CaseId, EntryId, Money, SalesforceId};

/// Most minutes of one time entry: a day has no more.
pub const MINUTES_MAX: i64 = 24 * 60;

/// Time that somebody worked on a case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeEntry {
    /// The portal's id.
    pub id: EntryId,
    /// `Time_Entry__c` in Salesforce.
    pub salesforce_id: SalesforceId,
    /// The case that was worked on.
    pub case: CaseId,
    /// The day, as the person wrote it down.
    pub worked_on: Date,
    /// Minutes worked.
    pub minutes: i64,
    /// What was done.
    pub description: String,
    /// Who did it.
    pub person: String,
    /// What else is known of it; rates can depend on it.
    #[serde(default, skip_serializing_if = "Particulars::is_empty")]
    pub particulars: Particulars,
    /// Whether the client pays for it.
    pub billable: bool,
    /// Whether it was deleted in Salesforce.
    pub deleted: bool,
    /// `CreatedDate` of the record.
    pub created_at: Timestamp,
    /// `SystemModstamp` of the record that was read.
    pub modstamp: Timestamp,
    /// Counts the writes of this record, from 1.
    pub version: u64,
}

/// What an org may record of a time entry beyond day, person and minutes. Most do not.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Particulars {
    /// The role in which the person worked, in the consultancy's word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// The kind of work, in the consultancy's word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub work_type: Option<String>,
    /// When, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hours: Option<WorkingHours>,
}

impl Particulars {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What is known of the time of day of a time entry. A start time says more than the person's own word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkingHours {
    /// When the work began; it went on without a break.
    From(Timestamp),
    /// The person says that all of it was outside of working hours.
    After,
}

impl TimeEntry {
    /// Whether the client is shown it: what is not billed stays among staff.
    pub fn is_shown(&self) -> bool {
        self.billable && !self.deleted
    }

    /// The day that it counts for: the one in the contract's time zone if the moment is known, else the one that the
    /// person wrote down.
    pub fn day(&self, zone: &Zone) -> Date {
        match self.particulars.hours {
            Some(WorkingHours::From(began)) => zone.day_of(began),
            Some(WorkingHours::After) | None => self.worked_on,
        }
    }
}

/// Something that was paid for the client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expense {
    /// The record in Salesforce.
    pub salesforce_id: SalesforceId,
    /// The case that it was for, if it was for one.
    pub case: Option<CaseId>,
    /// The day, in the contract's time zone.
    pub incurred_on: Date,
    /// What it was for.
    pub description: String,
    /// Who paid it.
    pub person: String,
    /// What it cost, in the contract's currency, without the tax that the consultancy gets back.
    pub cost: Money,
}

/// A milestone that was delivered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// `Milestone__c` in Salesforce.
    pub salesforce_id: SalesforceId,
    /// The case that it was worked on in, if there is one.
    pub case: Option<CaseId>,
    /// The day, in the contract's time zone.
    pub delivered_on: Date,
    /// The milestone's name.
    pub name: String,
    /// Its fixed fee, in the contract's currency.
    pub fee: Money,
}
