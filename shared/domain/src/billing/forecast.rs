//! What a month will come to if its work goes on as it has gone so far.
//!
//! # The rule
//!
//! - Working days are Monday to Friday by the contract's calendar, from the month's or the contract's first day to the
//!   month's or the contract's last. Holidays are not known here, and count.
//! - Today is a day that has passed: a forecast in the morning is a little low rather than too high.
//! - Who worked `m` minutes, in one role and kind of work, on `d` working days that have passed works `m * r / d` more on
//!   the `r` that are left, in whole minutes rounded down. Work that is dated after today is there already and does not
//!   count towards the rate.
//! - That work is priced as any other is: the retainer's hours and blocks, tiers, discounts, minimum charge, cap and tax
//!   are those of a bill. So a cap is never exceeded, and hours that are paid already cost nothing.
//! - Fees and expenses are those that there are.
//! - Before [`FORECAST_DAYS_MIN`] days have passed there is none: one long day would be a month of long days.

use std::collections::BTreeMap;

use jiff::{
    ToSpan,
    civil::{Date, Weekday},
};

use super::{
    bill::Bill,
    price::{Input, PricingError, price},
    work::{MINUTES_MAX, Particulars, TimeEntry, WorkingHours},
};

/// Working days that have to have passed before there is a forecast: a week.
pub const FORECAST_DAYS_MIN: u32 = 5;

/// What a month will come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forecast {
    /// Working days that have passed, today included.
    pub days_passed: u32,
    /// Working days in all.
    pub days: u32,
    /// The bill.
    pub bill: Bill,
}

/// Work of one sort: the same rate holds for all of it.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Sort<'a> {
    person: &'a str,
    role: Option<&'a str>,
    work_type: Option<&'a str>,
    after_hours: bool,
}

/// What the bill of `input`, for a month that runs from `first` to `last`, will come to; `None` if too little of it has
/// passed.
///
/// # Errors
/// [`PricingError`] if that could not be priced.
pub fn forecast(
    input: Input,
    (first, last): (Date, Date),
    today: Date,
) -> Result<Option<Forecast>, PricingError> {
    let (days_passed, days) = (working_days(first, today.min(last)), working_days(first, last));
    if days_passed < FORECAST_DAYS_MIN {
        return Ok(None);
    }
    let mut entries = input.entries.to_vec();
    let (passed, left) = (i64::from(days_passed), i64::from(days.saturating_sub(days_passed)));
    for (minutes, entry) in sorts(input.entries, today).into_values() {
        // A month of a year's minutes is far from overflowing; what is implausible was refused when it was priced.
        let mut more = minutes.saturating_mul(left) / passed;
        while more > 0 {
            let some = more.min(MINUTES_MAX);
            let after = entry.particulars.hours.filter(|hours| *hours == WorkingHours::After);
            let particulars = Particulars { hours: after, ..entry.particulars.clone() };
            entries.push(TimeEntry { worked_on: last, minutes: some, particulars, ..entry.clone() });
            more -= some;
        }
    }
    let bill = price(Input { entries: &entries, ..input })?;
    Ok(Some(Forecast { days_passed, days, bill }))
}

/// The minutes that were worked up to `today`, and one entry of each sort.
fn sorts(entries: &[TimeEntry], today: Date) -> BTreeMap<Sort<'_>, (i64, &TimeEntry)> {
    let mut sorts = BTreeMap::new();
    for entry in entries.iter().filter(|entry| entry.is_shown() && entry.worked_on <= today) {
        let Particulars { role, work_type, hours } = &entry.particulars;
        let sort = Sort {
            person: &entry.person,
            role: role.as_deref(),
            work_type: work_type.as_deref(),
            after_hours: *hours == Some(WorkingHours::After),
        };
        let (minutes, _) = sorts.entry(sort).or_insert((0_i64, entry));
        *minutes = minutes.saturating_add(entry.minutes);
    }
    sorts
}

/// Days from Monday to Friday, both ends included.
fn working_days(first: Date, last: Date) -> u32 {
    let days = std::iter::successors(Some(first), |day| day.checked_add(1.day()).ok())
        .take_while(|day| *day <= last)
        .filter(|day| !matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday));
    u32::try_from(days.count()).unwrap_or(u32::MAX)
}
