//! Hourly rates: rate cards, tiers, and what is different outside of working hours.

use jiff::{Timestamp, civil::Date, civil::Time, civil::Weekday};
use serde::{Deserialize, Serialize};

use super::{
    figures::{Factor, Span, UnitPrice},
    period::Zone,
    work::{Particulars, TimeEntry, WorkingHours},
};

/// Most rates of a card.
pub const CARD_RATES_MAX: usize = 200;
/// Most tiers.
pub const TIERS_MAX: usize = 20;
/// Most windows outside of working hours.
pub const WINDOWS_MAX: usize = 21;
/// Seconds of a minute.
const MINUTE: i64 = 60;

/// Why rates are not rates that one can bill by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RatesError {
    /// A rate of a card that applies to nothing in particular.
    #[error("a rate of a card must name a person, a kind of work or a role")]
    NoCriteria,
    /// Two rates of a card for the same, from the same day on.
    #[error("two rates of the card are for the same and begin on the same day")]
    Ambiguous,
    /// Tiers out of order.
    #[error("each tier must begin after the one before")]
    Unordered,
    /// More parts than are taken.
    #[error("too many rates, tiers or windows")]
    TooMany,
    /// No part where there has to be one.
    #[error("a clause about rates has no part")]
    Empty,
    /// A window that ends before it begins.
    #[error("a window must end after it begins, on the same day")]
    Backwards,
}

/// What work a rate is for. Names are compared as they stand.
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Criteria {
    /// Work of this person only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// This kind of work only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub work_type: Option<String>,
    /// Work in this role only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
}

impl Criteria {
    /// Work in a role, whoever does it.
    pub fn role(role: &str) -> Self {
        Self { person: None, work_type: None, role: Some(role.to_owned()) }
    }

    fn is_empty(&self) -> bool {
        self.person.is_none() && self.work_type.is_none() && self.role.is_none()
    }

    fn meet(&self, entry: &TimeEntry) -> bool {
        let Particulars { role, work_type, .. } = &entry.particulars;
        let is = |wanted: &Option<String>, given: Option<&str>| {
            wanted.as_ref().is_none_or(|wanted| Some(wanted.as_str()) == given)
        };
        is(&self.person, Some(&entry.person))
            && is(&self.work_type, work_type.as_deref())
            && is(&self.role, role.as_deref())
    }

    /// The order in which one rate goes before another: see [`RateCard::rate_for`].
    fn precedence(&self) -> (bool, bool, bool) {
        (self.person.is_some(), self.work_type.is_some(), self.role.is_some())
    }
}

/// A rate of a card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CardRate {
    /// What it is for.
    pub criteria: Criteria,
    /// The price of an hour.
    pub price: UnitPrice,
    /// First day on which it holds; as long as the card does if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Date>,
}

/// A price for every hour, whoever works it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "CardParts", into = "CardParts")]
pub struct RateCard {
    standard: UnitPrice,
    rates: Vec<CardRate>,
}

#[derive(Serialize, Deserialize)]
struct CardParts {
    standard: UnitPrice,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    rates: Vec<CardRate>,
}

impl TryFrom<CardParts> for RateCard {
    type Error = RatesError;

    fn try_from(parts: CardParts) -> Result<Self, RatesError> {
        Self::new(parts.standard, parts.rates)
    }
}

impl From<RateCard> for CardParts {
    fn from(card: RateCard) -> Self {
        Self { standard: card.standard, rates: card.rates }
    }
}

/// Where a rate is from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RateSource {
    /// The card's rate for everything that no other rate is for.
    Standard,
    /// A rate of the card.
    Card {
        /// What it is for.
        criteria: Criteria,
        /// First day on which it holds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<Date>,
    },
    /// A tier, in which only its own hours are.
    Graduated {
        /// Minutes of the bill before it.
        above: u32,
    },
    /// A tier, whose rate all hours have.
    Volume {
        /// Minutes that the bill has to have more than.
        above: u32,
        /// Minutes that the bill has.
        of: u32,
    },
    /// What the retainer says of hours beyond it.
    Overage,
}

impl RateCard {
    /// A card; `standard` is the price of what no other rate is for.
    ///
    /// # Errors
    /// [`RatesError`] if a rate is for nothing in particular, or two for the same.
    pub fn new(standard: UnitPrice, rates: Vec<CardRate>) -> Result<Self, RatesError> {
        if rates.len() > CARD_RATES_MAX {
            return Err(RatesError::TooMany);
        }
        if rates.iter().any(|rate| rate.criteria.is_empty()) {
            return Err(RatesError::NoCriteria);
        }
        let mut known = std::collections::BTreeSet::new();
        if !rates.iter().all(|rate| known.insert((&rate.criteria, rate.from))) {
            return Err(RatesError::Ambiguous);
        }
        Ok(Self { standard, rates })
    }

    /// The rate of an entry that was worked on `day`. Of those that apply to it and hold on that day, a rate that names
    /// the person goes before one that does not, then one that names the kind of work, then one that names the role;
    /// of several for the same, the one that began last.
    pub fn rate_for(&self, entry: &TimeEntry, day: Date) -> (UnitPrice, RateSource) {
        self.rates
            .iter()
            .filter(|rate| rate.from.is_none_or(|from| from <= day) && rate.criteria.meet(entry))
            .max_by_key(|rate| (rate.criteria.precedence(), rate.from))
            .map_or((self.standard, RateSource::Standard), |rate| {
                (rate.price, RateSource::Card { criteria: rate.criteria.clone(), from: rate.from })
            })
    }
}

/// A tier above the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tier {
    /// The time that is not yet in it.
    pub above: Span,
    /// The price of an hour in it.
    pub price: UnitPrice,
}

/// Prices by the time on the bill.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "TierParts", into = "TierParts")]
pub struct Tiers {
    first: UnitPrice,
    further: Vec<Tier>,
}

#[derive(Serialize, Deserialize)]
struct TierParts {
    first: UnitPrice,
    further: Vec<Tier>,
}

impl TryFrom<TierParts> for Tiers {
    type Error = RatesError;

    fn try_from(parts: TierParts) -> Result<Self, RatesError> {
        Self::new(parts.first, parts.further)
    }
}

impl From<Tiers> for TierParts {
    fn from(tiers: Tiers) -> Self {
        Self { first: tiers.first, further: tiers.further }
    }
}

/// The tier that some minute of a bill is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TierReached {
    /// The price of an hour in it.
    pub price: UnitPrice,
    /// Minutes before it.
    pub above: u32,
    /// Minutes up to its end; none if it has none.
    pub up_to: Option<u32>,
}

impl Tiers {
    /// Tiers; `first` is the price of the first hour.
    ///
    /// # Errors
    /// [`RatesError`] if a tier does not begin after the one before.
    pub fn new(first: UnitPrice, further: Vec<Tier>) -> Result<Self, RatesError> {
        if further.len() >= TIERS_MAX {
            return Err(RatesError::TooMany);
        }
        if !further.is_sorted_by(|one, next| one.above < next.above) {
            return Err(RatesError::Unordered);
        }
        Ok(Self { first, further })
    }

    /// The tier of the minute that follows `minutes`.
    pub fn after(&self, minutes: u32) -> TierReached {
        let reached = self.further.partition_point(|tier| tier.above.minutes() <= minutes);
        let up_to = self.further.get(reached).map(|tier| tier.above.minutes());
        match reached.checked_sub(1).and_then(|last| self.further.get(last)) {
            Some(tier) => TierReached { price: tier.price, above: tier.above.minutes(), up_to },
            None => TierReached { price: self.first, above: 0, up_to },
        }
    }

    /// The tier that a bill of `minutes` ends in: the last minute's.
    pub fn reached_by(&self, minutes: u32) -> TierReached {
        self.after(minutes.saturating_sub(1))
    }
}

/// What an hour costs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rates {
    /// By person, kind of work and role.
    Card(RateCard),
    /// By the time on the bill; each tier's hours at its own rate.
    Graduated(Tiers),
    /// By the time on the bill; all hours at the rate of the tier that is reached.
    Volume(Tiers),
    /// Nothing: the work is paid for by the fees of milestones.
    FixedFees,
}

/// Time of some days of the week, within a day. What goes on beyond midnight is two windows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "WindowParts", into = "WindowParts")]
pub struct Window {
    /// Days of the week, Monday first.
    days: [bool; 7],
    /// First minute of the day.
    from: u16,
    /// First minute after it; 1,440 is midnight.
    until: u16,
}

#[derive(Serialize, Deserialize)]
struct WindowParts {
    /// From 1, Monday, to 7, Sunday.
    days: Vec<i8>,
    from: Time,
    /// Midnight if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<Time>,
}

impl TryFrom<WindowParts> for Window {
    type Error = RatesError;

    fn try_from(parts: WindowParts) -> Result<Self, RatesError> {
        let day = |number: &i8| Weekday::from_monday_one_offset(*number).map_err(|_| RatesError::Empty);
        let days: Vec<Weekday> = parts.days.iter().map(day).collect::<Result<_, _>>()?;
        Self::new(&days, parts.from, parts.until)
    }
}

impl From<Window> for WindowParts {
    fn from(window: Window) -> Self {
        let time = |minute: u16| {
            let part = |value: u16| i8::try_from(value).unwrap_or_default();
            Time::new(part(minute / 60), part(minute % 60), 0, 0).unwrap_or_default()
        };
        Self {
            days: (1..).zip(window.days).filter_map(|(number, is)| is.then_some(number)).collect(),
            from: time(window.from),
            until: (window.until < Window::DAY).then(|| time(window.until)),
        }
    }
}

impl Window {
    /// Minutes of a day.
    const DAY: u16 = 24 * 60;

    /// The time from `from` to `until`, or to midnight, on these days of the week. Seconds do not count.
    ///
    /// # Errors
    /// [`RatesError::Empty`] without a day; [`RatesError::Backwards`] if it ends before it begins.
    pub fn new(days: &[Weekday], from: Time, until: Option<Time>) -> Result<Self, RatesError> {
        let minute = |time: Time| {
            u16::try_from(i16::from(time.hour()) * 60 + i16::from(time.minute())).unwrap_or_default()
        };
        let mut on = [false; 7];
        for (number, on) in (0..).zip(&mut on) {
            *on = days.iter().any(|day| day.to_monday_zero_offset() == number);
        }
        if !on.contains(&true) {
            return Err(RatesError::Empty);
        }
        let (from, until) = (minute(from), until.map_or(Self::DAY, minute));
        if from < until { Ok(Self { days: on, from, until }) } else { Err(RatesError::Backwards) }
    }

    fn contains(&self, day: Weekday, minute: u16) -> bool {
        let place = usize::try_from(day.to_monday_zero_offset()).unwrap_or_default();
        self.days.get(place) == Some(&true) && self.from <= minute && minute < self.until
    }
}

/// The clause about work outside of working hours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "AfterHoursParts", into = "AfterHoursParts")]
pub struct AfterHours {
    factor: Factor,
    windows: Vec<Window>,
}

#[derive(Serialize, Deserialize)]
struct AfterHoursParts {
    factor: Factor,
    windows: Vec<Window>,
}

impl TryFrom<AfterHoursParts> for AfterHours {
    type Error = RatesError;

    fn try_from(parts: AfterHoursParts) -> Result<Self, RatesError> {
        Self::new(parts.factor, parts.windows)
    }
}

impl From<AfterHours> for AfterHoursParts {
    fn from(clause: AfterHours) -> Self {
        Self { factor: clause.factor, windows: clause.windows }
    }
}

/// Minutes of an entry that are of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// Minutes.
    pub minutes: u32,
    /// What the rate is multiplied by, if it is.
    pub factor: Option<Factor>,
}

impl AfterHours {
    /// Work within `windows`, in the contract's time zone, costs `factor` times the rate.
    ///
    /// # Errors
    /// [`RatesError`] if there are too many windows.
    pub fn new(factor: Factor, windows: Vec<Window>) -> Result<Self, RatesError> {
        if windows.len() > WINDOWS_MAX { Err(RatesError::TooMany) } else { Ok(Self { factor, windows }) }
    }

    /// An entry of `minutes`, cut where a window begins or ends. Without a start time the person's word counts for all
    /// of it.
    pub(super) fn stretches(&self, hours: Option<WorkingHours>, minutes: u32, zone: &Zone) -> Vec<Stretch> {
        match hours {
            None => vec![Stretch { minutes, factor: None }],
            Some(WorkingHours::After) => vec![Stretch { minutes, factor: Some(self.factor) }],
            Some(WorkingHours::From(began)) => self.by_the_clock(began, minutes, zone),
        }
    }

    /// Minute by minute, as the clock on the wall there shows it: an hour that the clock shows twice counts twice, and
    /// one that it skips does not count.
    fn by_the_clock(&self, began: Timestamp, minutes: u32, zone: &Zone) -> Vec<Stretch> {
        let mut stretches: Vec<Stretch> = Vec::new();
        let mut offset = zone.rules().to_offset(began);
        let mut change = zone.rules().following(began).next().map(|change| change.timestamp());
        for minute in 0..i64::from(minutes) {
            let seconds = began.as_second().saturating_add(minute * MINUTE);
            let Ok(moment) = Timestamp::from_second(seconds) else { break };
            if change.is_some_and(|change| change <= moment) {
                offset = zone.rules().to_offset(moment);
                change = zone.rules().following(moment).next().map(|change| change.timestamp());
            }
            let clock = offset.to_datetime(moment);
            let of_day = i16::from(clock.hour()) * 60 + i16::from(clock.minute());
            let of_day = u16::try_from(of_day).unwrap_or_default();
            let after = self.windows.iter().any(|window| window.contains(clock.weekday(), of_day));
            let factor = after.then_some(self.factor);
            match stretches.last_mut() {
                Some(last) if last.factor == factor => last.minutes += 1,
                _ => stretches.push(Stretch { minutes: 1, factor }),
            }
        }
        stretches
    }
}
