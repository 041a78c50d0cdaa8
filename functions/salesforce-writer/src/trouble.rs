//! What stands in the way of a message, and what becomes of it then.
//!
//! | Trouble | What becomes of the message |
//! |---|---|
//! | row locked | again after 1 to 2 s, then up to 4, 8, 16 s ... 1 min |
//! | Salesforce unavailable, or not asked because it did not answer | again after 5 to 10 s, then up to 20, 40 s ... 15 min |
//! | the org's API limit reached, or what is left of it is for others | again after 15 min to 1 h |
//! | sign-in refused | again after 2 to 5 min; people must look |
//! | the portal's own tables or queues | again after 2 to 4 s, then up to 8, 16 s ... 5 min |
//! | something that nobody expected | again after 30 s to 1 min, then up to 2, 4 min ... 15 min; parked at the 10th receive |
//! | refused by Salesforce for good, or its answer unreadable | parked at once |
//! | a record that the event names is missing | parked at once |
//! | the message unreadable | parked at once |
//! | the case not in Salesforce, because it was parked | parked at once, behind its case |
//!
//! Between the least wait and the most, every wait is as likely as the others ("full jitter"): whoever failed together does
//! not come back together. In the longest outage a wait is 7.5 minutes on average, so 25 hours take about 200 receives of
//! the 1,000 that the queue allows; 1,000 take 5 days. Whatever happens, the writer itself parks a message that is 12 days
//! old, before the queue would drop it.

use std::time::Duration;

use portico_domain::Random;
use portico_salesforce::SalesforceError;
use portico_store::{StoreError, engine::EngineError};

use crate::handover::WriteError;

/// How often a message may meet with something unexpected, its other receives included: a bug of ours does not go away by
/// waiting, and nobody should wait behind it for days.
const UNEXPECTED_RECEIVES_MAX: u32 = 10;

/// What stands in the way. Closed: what is not here becomes one of these in [`Trouble::of`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// Somebody else writes the row.
    RowLocked,
    /// Salesforce does not answer, or is not asked because it did not.
    Unavailable,
    /// The org's API calls are used up, or what is left is for others.
    LimitReached,
    /// Salesforce does not let the portal in.
    SignIn,
    /// The portal's own tables or queues do not do what they should, or a race was lost again and again.
    Infrastructure,
    /// A request of ours that the database refuses, a record of ours that cannot be read: a bug.
    Unexpected,
    /// Salesforce will refuse the same call again.
    Refused,
    /// Salesforce's answer is none that is documented.
    UnreadableAnswer,
    /// The message is no event.
    UnreadableMessage,
    /// A record that the event names is not in the store.
    MissingRecord,
    /// The case is not in Salesforce: it was parked, and this follows it.
    BehindParkedCase,
}

/// What becomes of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// It is tried again after this time.
    Wait(Duration),
    /// It goes to the dead letters.
    Park,
}

/// How long to wait: after the first receive up to twice `least`, after each further one up to twice as long as before, at
/// most `most`.
struct Backoff {
    least: Duration,
    most: Duration,
    grows: bool,
}

impl Backoff {
    const fn growing(least: u64, most: u64) -> Self {
        Self { least: Duration::from_secs(least), most: Duration::from_secs(most), grows: true }
    }

    const fn flat(least: u64, most: u64) -> Self {
        Self { least: Duration::from_secs(least), most: Duration::from_secs(most), grows: false }
    }

    fn after(&self, receives: u32, random: &Random) -> Duration {
        random.between(self.least, self.longest(receives))
    }

    fn longest(&self, receives: u32) -> Duration {
        match self.grows {
            true => self.least.saturating_mul(2_u32.saturating_pow(receives)).min(self.most),
            false => self.most,
        }
    }
}

impl Trouble {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::RowLocked,
        Self::Unavailable,
        Self::LimitReached,
        Self::SignIn,
        Self::Infrastructure,
        Self::Unexpected,
        Self::Refused,
        Self::UnreadableAnswer,
        Self::UnreadableMessage,
        Self::MissingRecord,
        Self::BehindParkedCase,
    ];

    /// Which trouble an error is.
    pub fn of(error: &WriteError) -> Self {
        match error {
            WriteError::Salesforce(error) => match error {
                SalesforceError::RowLocked => Self::RowLocked,
                SalesforceError::Unavailable(_) | SalesforceError::Suspended => Self::Unavailable,
                SalesforceError::LimitReached | SalesforceError::HeldBack => Self::LimitReached,
                SalesforceError::SignIn(_) => Self::SignIn,
                SalesforceError::Refused { .. } => Self::Refused,
                SalesforceError::Unreadable(_) => Self::UnreadableAnswer,
            },
            WriteError::Store(StoreError::Conflict)
            | WriteError::Store(StoreError::Engine(EngineError::Busy | EngineError::Unavailable(_)))
            | WriteError::Queue(_) => Self::Infrastructure,
            WriteError::Store(_) => Self::Unexpected,
            WriteError::Missing(_) => Self::MissingRecord,
            WriteError::CaseNotThere(_) => Self::BehindParkedCase,
        }
    }

    /// Its name, in logs and on dead letters.
    pub fn name(self) -> &'static str {
        match self {
            Self::RowLocked => "row-locked",
            Self::Unavailable => "unavailable",
            Self::LimitReached => "limit-reached",
            Self::SignIn => "sign-in",
            Self::Infrastructure => "infrastructure",
            Self::Unexpected => "unexpected",
            Self::Refused => "refused",
            Self::UnreadableAnswer => "unreadable-answer",
            Self::UnreadableMessage => "unreadable-message",
            Self::MissingRecord => "missing-record",
            Self::BehindParkedCase => "behind-parked-case",
        }
    }

    /// What becomes of a message that met with this at its n-th receive.
    pub fn then(self, receives: u32, random: &Random) -> Then {
        match self.backoff() {
            Some(_) if self == Self::Unexpected && receives >= UNEXPECTED_RECEIVES_MAX => Then::Park,
            Some(backoff) => Then::Wait(backoff.after(receives, random)),
            None => Then::Park,
        }
    }

    /// How long to wait with this, where waiting is all that is left.
    pub(crate) fn wait(self, receives: u32, random: &Random) -> Duration {
        self.backoff().unwrap_or(Backoff::growing(2, 5 * 60)).after(receives, random)
    }

    fn backoff(self) -> Option<Backoff> {
        match self {
            Self::RowLocked => Some(Backoff::growing(1, 60)),
            Self::Unavailable => Some(Backoff::growing(5, 15 * 60)),
            Self::LimitReached => Some(Backoff::flat(15 * 60, 60 * 60)),
            Self::SignIn => Some(Backoff::flat(2 * 60, 5 * 60)),
            Self::Infrastructure => Some(Backoff::growing(2, 5 * 60)),
            Self::Unexpected => Some(Backoff::growing(30, 15 * 60)),
            Self::Refused
            | Self::UnreadableAnswer
            | Self::UnreadableMessage
            | Self::MissingRecord
            | Self::BehindParkedCase => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The shortest and the longest wait of a trouble at some receive, in seconds.
    fn bounds(trouble: Trouble, receives: u32) -> Option<(u64, u64)> {
        let backoff = trouble.backoff()?;
        let span = u64::try_from((backoff.longest(receives) - backoff.least).as_millis()).unwrap();
        let wait = |offset: u64| {
            let random = Random::new(move |buffer| buffer.copy_from_slice(&offset.to_be_bytes()));
            let Then::Wait(wait) = trouble.then(receives, &random) else { panic!("{trouble:?} is parked") };
            wait.as_secs()
        };
        Some((wait(0), wait(span)))
    }

    #[test]
    fn waits_fit_the_trouble() {
        for (trouble, expected) in [
            (Trouble::RowLocked, [(1, 2), (1, 4), (1, 32), (1, 60)]),
            (Trouble::Unavailable, [(5, 10), (5, 20), (5, 160), (5, 900)]),
            (Trouble::LimitReached, [(900, 3600); 4]),
            (Trouble::SignIn, [(120, 300); 4]),
            (Trouble::Infrastructure, [(2, 4), (2, 8), (2, 64), (2, 300)]),
            (Trouble::Unexpected, [(30, 60), (30, 120), (30, 900), (30, 900)]),
        ] {
            assert_eq!(
                [1, 2, 5, 9].map(|receives| bounds(trouble, receives).unwrap()),
                expected,
                "{trouble:?}"
            );
        }
        let waits = Trouble::ALL.iter().filter(|trouble| trouble.backoff().is_some());
        assert_eq!(waits.count(), 6, "one that is not in the table");
    }

    #[test]
    fn only_the_unexpected_is_bounded_by_receives_of_its_own() {
        let random = Random::new(|buffer| buffer.fill(1));
        for trouble in Trouble::ALL {
            let parked = trouble.then(1000, &random) == Then::Park;
            assert_eq!(parked, trouble.backoff().is_none() || trouble == Trouble::Unexpected, "{trouble:?}");
        }
        assert!(matches!(Trouble::Unexpected.then(9, &random), Then::Wait(_)));
        assert_eq!(Trouble::Unexpected.then(10, &random), Then::Park);
    }

    /// 1,000 receives outlast 25 hours for whatever may come of an outage, counted with the average wait.
    #[test]
    fn case_r08_the_queue_outlasts_a_day_and_an_hour() {
        for trouble in [Trouble::Unavailable, Trouble::LimitReached, Trouble::SignIn, Trouble::Infrastructure]
        {
            let (least, most) = bounds(trouble, 1000).unwrap();
            let hours = 1000 * (least + most) / 2 / 3600;
            assert!(hours > 25, "{trouble:?}: {hours} h");
        }
    }
}
