//! Months and time zones: which day a moment is on, and which bill a day is on.

use std::{fmt, str::FromStr};

use jiff::{SignedDuration, Timestamp, ToSpan, civil::Date, tz::TimeZone};
use serde::{Deserialize, Serialize};

use crate::CaseId;

/// The time zone whose calendar counts for a contract.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Zone {
    name: String,
    zone: TimeZone,
}

/// Not a time zone of the IANA database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a time zone of the IANA database")]
pub struct UnknownZone;

impl Zone {
    /// The calendar day of a moment there.
    pub fn day_of(&self, moment: Timestamp) -> Date {
        self.zone.to_datetime(moment).date()
    }

    /// The rules of its clock.
    pub fn rules(&self) -> &TimeZone {
        &self.zone
    }
}

impl FromStr for Zone {
    type Err = UnknownZone;

    fn from_str(name: &str) -> Result<Self, UnknownZone> {
        let zone = TimeZone::get(name).map_err(|_| UnknownZone)?;
        Ok(Self { name: name.to_owned(), zone })
    }
}

impl TryFrom<String> for Zone {
    type Error = UnknownZone;

    fn try_from(name: String) -> Result<Self, UnknownZone> {
        name.parse()
    }
}

impl From<Zone> for String {
    fn from(zone: Zone) -> String {
        zone.name
    }
}

/// A calendar month, in the contract's time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "Date", into = "Date")]
pub struct Period {
    first: Date,
}

/// A period begins on the first day of a month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a period begins on the first day of a month")]
pub struct NotAMonth;

impl Period {
    /// The month that a day is in.
    pub fn of(day: Date) -> Self {
        Self { first: day.first_of_month() }
    }

    /// Its first day.
    pub fn first(self) -> Date {
        self.first
    }

    /// Its last day.
    pub fn last(self) -> Date {
        self.first.last_of_month()
    }

    /// The month after it.
    pub fn next(self) -> Self {
        self.after(1)
    }

    /// The month before it.
    pub fn previous(self) -> Self {
        Self { first: self.first.saturating_sub(1.month()) }
    }

    /// The month that comes `months` later.
    pub fn after(self, months: u8) -> Self {
        Self { first: self.first.saturating_add(i32::from(months).months()) }
    }

    /// Whether a day is in it.
    pub fn contains(self, day: Date) -> bool {
        self.first <= day && day <= self.last()
    }

    /// Its first moment, and the first moment after it. A month with a change of the clock is an hour shorter or
    /// longer; in a zone that skips midnight it begins at the first time that there is.
    pub fn moments(self, zone: &Zone) -> Option<(Timestamp, Timestamp)> {
        let begin = |day: Date| Some(day.to_zoned(zone.rules().clone()).ok()?.timestamp());
        Some((begin(self.first)?, begin(self.next().first)?))
    }
}

impl TryFrom<Date> for Period {
    type Error = NotAMonth;

    fn try_from(first: Date) -> Result<Self, NotAMonth> {
        if first.day() == 1 { Ok(Self { first }) } else { Err(NotAMonth) }
    }
}

impl From<Period> for Date {
    fn from(period: Period) -> Date {
        period.first
    }
}

/// `2026-11`.
impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.first.year(), self.first.month())
    }
}

/// How many days after its end a month is billed, so that hours can be logged late.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grace(i64);

/// Most days that a month is waited for: it is billed before the next one is over.
pub const GRACE_DAYS_MAX: u8 = 27;

/// Not a number of days that a month is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a whole number of days from 0 to {GRACE_DAYS_MAX}")]
pub struct NotAGrace;

impl Grace {
    /// The moment until which months have to be over to be billed now.
    pub fn before(self, now: Timestamp) -> Timestamp {
        now.saturating_sub(SignedDuration::from_hours(self.0 * 24)).unwrap_or(Timestamp::MIN)
    }
}

impl FromStr for Grace {
    type Err = NotAGrace;

    fn from_str(days: &str) -> Result<Self, NotAGrace> {
        let days: u8 = days.trim().parse().map_err(|_| NotAGrace)?;
        if days <= GRACE_DAYS_MAX { Ok(Self(days.into())) } else { Err(NotAGrace) }
    }
}

/// What one bill is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// A case that was closed.
    Case {
        /// The case.
        case: CaseId,
        /// The day on which it was closed, in the contract's time zone.
        closed_on: Date,
        /// How many bills of the case there were before: what is logged after one is on the next.
        #[serde(default, skip_serializing_if = "is_first")]
        part: u16,
    },
    /// Everything of a month.
    Period(Period),
}

/// Most bills of one case under one contract: a case that is opened again so often is a contract of its own.
pub const PARTS_MAX: u16 = 50;

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_first(part: &u16) -> bool {
    *part == 0
}

impl Scope {
    /// The day whose terms govern the bill: the service is complete on it.
    pub fn completed_on(self) -> Date {
        match self {
            Self::Case { closed_on, .. } => closed_on,
            Self::Period(period) => period.last(),
        }
    }

    /// The month that it counts into.
    pub fn period(self) -> Period {
        Period::of(self.completed_on())
    }

    /// Whether it holds what was done on `day` in `case`.
    pub(super) fn holds(self, day: Date, case: Option<CaseId>) -> bool {
        match self {
            Self::Case { case: this, .. } => case == Some(this),
            Self::Period(period) => period.contains(day),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_b05_a_month_begins_and_ends_with_the_contracts_clock() {
        // In Berlin, March is an hour short and October an hour long; in UTC neither is.
        let hours = |month: &str, zone: &str| {
            let period = Period::of(month.parse().unwrap());
            let (begin, end) = period.moments(&zone.parse().unwrap()).unwrap();
            end.duration_since(begin).as_hours()
        };
        assert_eq!(hours("2026-03-15", "Europe/Berlin"), 31 * 24 - 1);
        assert_eq!(hours("2026-10-15", "Europe/Berlin"), 31 * 24 + 1);
        assert_eq!(hours("2026-10-15", "UTC"), 31 * 24);
        // Every moment is in one month: the last one of October is not the first of November.
        let zone: Zone = "Europe/Berlin".parse().unwrap();
        let october = Period::of("2026-10-01".parse().unwrap());
        let (begin, end) = october.moments(&zone).unwrap();
        assert_eq!(begin.to_string(), "2026-09-30T22:00:00Z");
        assert_eq!(end.to_string(), "2026-10-31T23:00:00Z");
        assert!(october.contains(zone.day_of(begin)) && !october.contains(zone.day_of(end)));
        assert!(october.next().contains(zone.day_of(end)));
    }

    #[test]
    fn case_b05_a_month_may_begin_without_a_midnight() {
        // Paraguay put its clocks forward at midnight on 1 October 2023: that day began at 01:00.
        let zone: Zone = "America/Asuncion".parse().unwrap();
        let october = Period::of("2023-10-31".parse().unwrap());
        assert_eq!(october.moments(&zone).unwrap().0.to_string(), "2023-10-01T04:00:00Z");
        assert_eq!(october.to_string(), "2023-10");
    }

    #[test]
    fn a_period_is_a_whole_month() {
        assert!(serde_json::from_str::<Period>("\"2026-11-02\"").is_err());
        assert_eq!(Period::of("2026-12-31".parse().unwrap()).next().first().to_string(), "2027-01-01");
        assert_eq!(Period::of("2028-02-01".parse().unwrap()).last().to_string(), "2028-02-29");
    }
}
