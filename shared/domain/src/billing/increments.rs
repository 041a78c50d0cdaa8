//! Time increments: how much time is billed for the time that was worked.

use serde::{Deserialize, Serialize};

/// What billed time is a multiple of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// A minute: time as it was logged.
    Minute,
    /// Six minutes: a tenth of an hour.
    Tenth,
    /// A quarter of an hour.
    Quarter,
    /// Half an hour.
    Half,
}

impl Step {
    /// All of them, the finest first.
    pub const ALL: [Self; 4] = [Self::Minute, Self::Tenth, Self::Quarter, Self::Half];

    /// Minutes.
    pub const fn minutes(self) -> u32 {
        match self {
            Self::Minute => 1,
            Self::Tenth => 6,
            Self::Quarter => 15,
            Self::Half => 30,
        }
    }
}

/// Which multiple of the step it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rounding {
    /// Every step that was begun.
    Up,
    /// The nearest; half a step counts.
    Nearest,
}

/// What is added up before it is rounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Together {
    /// Nothing: each entry is rounded.
    Entry,
    /// What was worked on one day, in whatever case.
    Day,
    /// What was worked on one case.
    Case,
    /// Everything on the invoice.
    Invoice,
}

/// The least that is billed for what is rounded together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct LeastTime(u16);

/// A minimum that is longer than a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the least time that is billed is at most {} minutes", LeastTime::MINUTES_MAX)]
pub struct LeastTimeError;

impl LeastTime {
    /// Most minutes: a day.
    pub const MINUTES_MAX: u16 = 24 * 60;
}

impl TryFrom<u16> for LeastTime {
    type Error = LeastTimeError;

    fn try_from(minutes: u16) -> Result<Self, LeastTimeError> {
        if minutes <= Self::MINUTES_MAX { Ok(Self(minutes)) } else { Err(LeastTimeError) }
    }
}

impl From<LeastTime> for u16 {
    fn from(least: LeastTime) -> u16 {
        least.0
    }
}

/// The clause about time increments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Increment {
    /// What billed time is a multiple of.
    pub step: Step,
    /// Which multiple.
    pub rounding: Rounding,
    /// What is added up first.
    pub together: Together,
    /// The least that is billed if anything was worked.
    pub least: LeastTime,
}

impl Increment {
    /// Minutes as they were logged.
    pub const AS_LOGGED: Self =
        Self { step: Step::Minute, rounding: Rounding::Up, together: Together::Entry, least: LeastTime(0) };

    /// Minutes that are billed for `worked` minutes. Never falls as `worked` grows, and nothing is nothing.
    pub fn billed(&self, worked: u32) -> u32 {
        if worked == 0 {
            return 0;
        }
        let step = self.step.minutes();
        let steps = match self.rounding {
            Rounding::Up => worked.div_ceil(step),
            Rounding::Nearest => (worked + step / 2) / step,
        };
        (steps * step).max(u32::from(self.least.0))
    }

    /// What `worked` minutes add to a sum in which `earlier` minutes are already: the entry that begins a step is
    /// billed for it, and the parts of a sum add up to what the sum is billed as.
    pub fn added(&self, earlier: u32, worked: u32) -> u32 {
        self.billed(earlier + worked) - self.billed(earlier)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn increment(step: Step, rounding: Rounding) -> Increment {
        Increment { step, rounding, ..Increment::AS_LOGGED }
    }

    #[test]
    fn steps_as_other_timekeepers_know_them() {
        // Clio: 7 minutes in steps of 6 are 12.
        assert_eq!(increment(Step::Tenth, Rounding::Up).billed(7), 12);
        let quarter = increment(Step::Quarter, Rounding::Nearest);
        assert_eq!([7, 8, 22, 23].map(|worked| quarter.billed(worked)), [0, 15, 15, 30]);
        // Half a step counts.
        assert_eq!(increment(Step::Half, Rounding::Nearest).billed(15), 30);
        assert_eq!(increment(Step::Tenth, Rounding::Nearest).billed(3), 6);
        let least = Increment { least: LeastTime(30), ..increment(Step::Quarter, Rounding::Up) };
        assert_eq!([0, 1, 30, 31].map(|worked| least.billed(worked)), [0, 30, 30, 45]);
        assert!(LeastTime::try_from(1_441).is_err());
    }

    proptest! {
        #[test]
        fn billed_time_is_worked_time_and_less_than_a_step(worked in 0_u32..100_000, step in 0..4_usize) {
            let step = Step::ALL[step];
            let up = increment(step, Rounding::Up).billed(worked);
            prop_assert!(up >= worked && up - worked < step.minutes() && up.is_multiple_of(step.minutes()));
            let nearest = increment(step, Rounding::Nearest).billed(worked);
            prop_assert!(nearest.abs_diff(worked) * 2 <= step.minutes() && nearest.is_multiple_of(step.minutes()));
        }
    }
}
