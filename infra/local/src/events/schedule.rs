//! When a schedule fires: `rate(5 minutes)` and `cron(0 6 * * ? *)`, in UTC.
//!
//! <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html>

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::{Timestamp, tz::TimeZone};

/// Seconds in a minute: no schedule fires more often.
const MINUTE_SECONDS: i64 = 60;

/// Most minutes that are looked ahead for a cron expression: five years, so that every leap day is met.
const MAX_MINUTES_AHEAD: u32 = 5 * 366 * 24 * 60;

/// An expression that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the schedule `{0}` is not understood")]
pub struct ScheduleError(String);

/// When to fire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Schedule {
    /// Every so often, counted from the start of the process.
    Rate(Duration),
    /// At the minutes that fit.
    Cron(Box<Cron>),
}

/// The minutes at which a cron expression fires; a day fits if both its fields do, one of which is `?`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cron {
    minutes: BTreeSet<i16>,
    hours: BTreeSet<i16>,
    days: BTreeSet<i16>,
    months: BTreeSet<i16>,
    weekdays: BTreeSet<i16>,
    years: BTreeSet<i16>,
}

const MONTHS: [&str; 12] =
    ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

impl Schedule {
    /// Reads an expression; the special days `L`, `W` and `#` are not known.
    ///
    /// # Errors
    /// [`ScheduleError`].
    pub fn parse(expression: &str) -> Result<Self, ScheduleError> {
        let refuse = || ScheduleError(expression.to_owned());
        let inner = |name: &str| expression.strip_prefix(name)?.strip_prefix('(')?.strip_suffix(')');
        if let Some(rate) = inner("rate") {
            return rate_of(rate).map(Self::Rate).ok_or_else(refuse);
        }
        let cron = inner("cron").and_then(cron_of).ok_or_else(refuse)?;
        Ok(Self::Cron(Box::new(cron)))
    }

    /// The first moment after `now` at which it fires; `None` if that is years away.
    #[must_use]
    pub fn next_after(&self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Rate(period) => now.checked_add(*period).ok(),
            Self::Cron(cron) => cron.next_after(now),
        }
    }
}

impl Cron {
    fn next_after(&self, now: Timestamp) -> Option<Timestamp> {
        let minute = now.as_second().div_euclid(MINUTE_SECONDS);
        (1..=i64::from(MAX_MINUTES_AHEAD))
            .filter_map(|ahead| Timestamp::from_second((minute + ahead) * MINUTE_SECONDS).ok())
            .find(|at| self.fits(*at))
    }

    fn fits(&self, at: Timestamp) -> bool {
        let at = at.to_zoned(TimeZone::UTC);
        self.minutes.contains(&i16::from(at.minute()))
            && self.hours.contains(&i16::from(at.hour()))
            && self.days.contains(&i16::from(at.day()))
            && self.months.contains(&i16::from(at.month()))
            && self.weekdays.contains(&i16::from(at.weekday().to_sunday_one_offset()))
            && self.years.contains(&at.year())
    }
}

/// `5 minutes`, `1 hour`, `2 days`.
fn rate_of(text: &str) -> Option<Duration> {
    let (count, unit) = text.trim().split_once(' ')?;
    let count: u64 = count.parse().ok().filter(|count| *count > 0)?;
    let seconds = match (count, unit.trim()) {
        (1, "minute") => 60,
        (1, "hour") => 3_600,
        (1, "day") => 86_400,
        (2.., "minutes") => 60,
        (2.., "hours") => 3_600,
        (2.., "days") => 86_400,
        _ => return None,
    };
    count.checked_mul(seconds).map(Duration::from_secs)
}

/// Minutes, hours, day of month, month, day of week, year.
fn cron_of(text: &str) -> Option<Cron> {
    let fields: Vec<&str> = text.split_whitespace().collect();
    let [minutes, hours, days, months, weekdays, years] = fields.as_slice() else { return None };
    // Exactly one of the two day fields is a question mark.
    if (*days == "?") == (*weekdays == "?") {
        return None;
    }
    Some(Cron {
        minutes: field(minutes, 0, 59, &[], 0)?,
        hours: field(hours, 0, 23, &[], 0)?,
        days: field(days, 1, 31, &[], 0)?,
        months: field(months, 1, 12, &MONTHS, 1)?,
        weekdays: field(weekdays, 1, 7, &WEEKDAYS, 1)?,
        years: field(years, 1970, 2199, &[], 0)?,
    })
}

/// `*`, `?`, `5`, `1-5`, `MON-FRI`, `0/15`, `*/10` and lists of them.
fn field(text: &str, low: i16, high: i16, names: &[&str], first: i16) -> Option<BTreeSet<i16>> {
    let number = |text: &str| {
        let named = names.iter().position(|name| name.eq_ignore_ascii_case(text));
        let value = match named {
            Some(index) => i16::try_from(index).ok()?.checked_add(first)?,
            None => text.parse().ok()?,
        };
        (low..=high).contains(&value).then_some(value)
    };
    let mut values = BTreeSet::new();
    for part in text.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, Some(step.parse::<usize>().ok().filter(|step| *step > 0)?)),
            None => (part, None),
        };
        let (from, to) = match range.split_once('-') {
            _ if range == "*" || range == "?" => (low, high),
            Some((from, to)) => (number(from)?, number(to)?),
            None if step.is_some() => (number(range)?, high),
            None => (number(range)?, number(range)?),
        };
        if from > to {
            return None;
        }
        values.extend((from..=to).step_by(step.unwrap_or(1)));
    }
    Some(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(expression: &str, now: &str) -> String {
        let schedule = Schedule::parse(expression).unwrap();
        schedule.next_after(now.parse().unwrap()).unwrap().to_string()
    }

    #[test]
    fn the_next_moment() {
        for (expression, now, expected) in [
            ("rate(5 minutes)", "2026-11-22T10:00:30Z", "2026-11-22T10:05:30Z"),
            ("rate(1 day)", "2026-11-22T10:00:00Z", "2026-11-23T10:00:00Z"),
            ("cron(0 6 * * ? *)", "2026-11-22T10:00:00Z", "2026-11-23T06:00:00Z"),
            ("cron(0/15 * * * ? *)", "2026-11-22T10:15:00Z", "2026-11-22T10:30:00Z"),
            ("cron(30 8 ? * MON-FRI *)", "2026-11-22T10:00:00Z", "2026-11-23T08:30:00Z"),
            ("cron(0 0 1 1 ? *)", "2026-11-22T10:00:00Z", "2027-01-01T00:00:00Z"),
            ("cron(0 0 29 2 ? *)", "2026-11-22T10:00:00Z", "2028-02-29T00:00:00Z"),
            ("cron(0 12 ? * 1 *)", "2026-11-22T10:00:00Z", "2026-11-22T12:00:00Z"),
        ] {
            assert_eq!(next(expression, now), expected, "{expression}");
        }
    }

    #[test]
    fn other_expressions_are_refused() {
        for expression in [
            "",
            "rate()",
            "rate(0 minutes)",
            "rate(1 minutes)",
            "rate(2 minute)",
            "rate(5 weeks)",
            "rate(-1 hours)",
            "cron(0 6 * * *)",
            "cron(0 6 * * * *)",
            "cron(0 6 ? * ? *)",
            "cron(60 6 * * ? *)",
            "cron(0 6 L * ? *)",
            "cron(0 6 ? * 6#3 *)",
            "cron(5-1 6 * * ? *)",
            "cron(*/0 6 * * ? *)",
            "every day",
        ] {
            assert!(Schedule::parse(expression).is_err(), "{expression}");
        }
    }
}
