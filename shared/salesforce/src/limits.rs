//! The org's API calls of the day: what is left of them, and who may still use them.
//!
//! All calls of an org count against one limit. The portal leaves what is left to whoever a person waits for: each
//! [`Pace`] has a share of the limit, slows down shortly below it, and holds back by itself above it.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use portico_domain::{Clock, Random};

/// How far below its share a pace begins to slow down, in percent of the limit.
const SLOW_FROM: u64 = 5;
/// Longest pause before a call close to the share: enough to halve the rate of a writer, and short next to a function's time.
const PAUSE_MAX: Duration = Duration::from_secs(2);
/// How often a pace that holds back looks whether the limit was reset. The limit is of the last 24 hours, so it frees up
/// slowly; a call in five minutes is 288 a day for each process, nothing next to a limit of 100,000.
const PROBE_EVERY: (Duration, Duration) = (Duration::from_secs(4 * 60), Duration::from_secs(6 * 60));
/// The same for what people wait for.
const SUBMISSION_PROBE_EVERY: (Duration, Duration) = (Duration::from_secs(45), Duration::from_secs(75));

/// Whose calls these are: how much of the limit they may use up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// A person waits for the answer. Never holds back by itself; only once Salesforce has refused.
    Submission,
    /// What clients did is carried over. Up to 95 percent.
    Writing,
    /// What changed is read. Up to 90 percent.
    Reading,
    /// Sweeps, comparisons and backfills, which can be done tomorrow. Up to 75 percent.
    Sweeping,
}

impl Pace {
    /// The share of the limit, in percent, at which calls of this pace hold back by themselves.
    fn share(self) -> Option<u64> {
        match self {
            Self::Submission => None,
            Self::Writing => Some(95),
            Self::Reading => Some(90),
            Self::Sweeping => Some(75),
        }
    }

    fn probe_every(self) -> (Duration, Duration) {
        match self {
            Self::Submission => SUBMISSION_PROBE_EVERY,
            Self::Writing | Self::Reading | Self::Sweeping => PROBE_EVERY,
        }
    }
}

/// Calls made of calls allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Calls {
    /// Made in the last 24 hours.
    pub used: u64,
    /// Allowed in 24 hours.
    pub limit: u64,
}

impl Calls {
    /// In percent, rounded down; 100 where nothing is allowed.
    fn percent(self) -> u64 {
        self.used.saturating_mul(100).checked_div(self.limit).unwrap_or(100)
    }
}

/// What Salesforce says of the limit in each answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Of the whole org.
    pub org: Calls,
    /// Of the portal's own app, where the org limits apps.
    pub app: Option<Calls>,
}

impl Usage {
    /// Reads `Sforce-Limit-Info`: `api-usage=10018/100000`, sometimes with
    /// `; per-app-api-usage=17/250(appName=x)` behind it. `None` if it says nothing of the kind.
    /// <https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/headers_api_usage.htm>
    pub fn parse(header: &str) -> Option<Self> {
        let mut usage = (None, None);
        for part in header.split([';', ',']) {
            let Some((name, value)) = part.split_once('=') else { continue };
            let calls = || {
                let (used, rest) = value.trim().split_once('/')?;
                let limit = rest.split('(').next().unwrap_or(rest);
                Some(Calls { used: used.trim().parse().ok()?, limit: limit.trim().parse().ok()? })
            };
            match name.trim() {
                "api-usage" => usage.0 = calls(),
                "per-app-api-usage" => usage.1 = calls(),
                _ => {}
            }
        }
        usage.0.map(|org| Self { org, app: usage.1 })
    }

    /// How much of the narrower limit is used, in percent.
    pub fn percent(&self) -> u64 {
        let app = self.app.map_or(0, Calls::percent);
        self.org.percent().max(app)
    }
}

/// What one client knows of the limit.
pub(crate) struct Limits {
    pace: Pace,
    clock: Clock,
    random: Random,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    usage: Option<Usage>,
    /// Salesforce refused the last call for its limit.
    refused: bool,
    /// While calls are held back: when the next may go through all the same.
    probe_at: Option<Timestamp>,
}

/// Whether a call may be made.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// After this pause, which is usually zero.
    After(Duration),
    /// Not now: what is left is for others.
    HeldBack,
}

impl Limits {
    pub(crate) fn new(pace: Pace, clock: Clock, random: Random) -> Self {
        Self { pace, clock, random, known: Mutex::default() }
    }

    pub(crate) fn admit(&self) -> Admission {
        let now = self.clock.now();
        let mut known = self.known();
        let used = known.usage.map_or(0, |usage| usage.percent());
        let share = self.pace.share();
        if known.refused || share.is_some_and(|share| used >= share) {
            if known.probe_at.is_some_and(|at| now < at) {
                return Admission::HeldBack;
            }
            let first = known.probe_at.is_none();
            let (least, most) = self.pace.probe_every();
            let wait = SignedDuration::try_from(self.random.between(least, most)).unwrap_or_default();
            known.probe_at = Some(now.saturating_add(wait).unwrap_or(now));
            return if first { Admission::HeldBack } else { Admission::After(Duration::ZERO) };
        }
        known.probe_at = None;
        // 1 at the first percent of the stretch, SLOW_FROM at its last.
        let depth = share.map_or(0, |share| (used + SLOW_FROM + 1).saturating_sub(share));
        if depth == 0 {
            return Admission::After(Duration::ZERO);
        }
        let most = PAUSE_MAX.saturating_mul(u32::try_from(depth).unwrap_or(u32::MAX));
        let most = most.checked_div(u32::try_from(SLOW_FROM).unwrap_or(1)).unwrap_or(PAUSE_MAX);
        Admission::After(self.random.between(Duration::ZERO, most))
    }

    /// What an answer said; `refused` if it was that the limit is reached.
    pub(crate) fn learn(&self, usage: Option<Usage>, refused: bool) {
        let mut known = self.known();
        known.usage = usage.or(known.usage);
        known.refused = refused;
    }

    pub(crate) fn usage(&self) -> Option<Usage> {
        self.known().usage
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    };

    use super::*;

    fn usage(used: u64) -> Option<Usage> {
        Some(Usage { org: Calls { used, limit: 100 }, app: None })
    }

    #[test]
    fn case_r04_the_header_is_read_with_and_without_the_app() {
        let org = Calls { used: 10_018, limit: 100_000 };
        assert_eq!(Usage::parse("api-usage=10018/100000"), Some(Usage { org, app: None }));
        let both = Usage::parse("api-usage=10018/100000; per-app-api-usage=240/250(appName=portal; really)")
            .unwrap();
        assert_eq!(both, Usage { org, app: Some(Calls { used: 240, limit: 250 }) });
        assert_eq!((both.percent(), Usage { org, app: None }.percent()), (96, 10));
        assert_eq!(Usage::parse("api-usage=5/0").unwrap().percent(), 100);
        for nonsense in ["", "api-usage", "api-usage=1", "api-usage=a/b", "per-app-api-usage=1/2"] {
            assert_eq!(Usage::parse(nonsense), None, "{nonsense:?}");
        }
    }

    #[test]
    fn case_r04_people_come_last_to_hold_back() {
        let now = Clock::fixed("2026-11-22T09:30:00Z".parse().unwrap());
        let longest = Random::new(|buffer| buffer.fill(0));
        let at = |pace, used| {
            let limits = Limits::new(pace, now.clone(), longest.clone());
            limits.learn(usage(used), false);
            limits.admit() == Admission::HeldBack
        };
        for (pace, last) in
            [(Pace::Sweeping, 74), (Pace::Reading, 89), (Pace::Writing, 94), (Pace::Submission, 130)]
        {
            assert!(!at(pace, last), "{pace:?} at {last}");
            assert_eq!(at(pace, last + 1), pace != Pace::Submission, "{pace:?} at {}", last + 1);
        }
    }

    #[test]
    fn case_r04_calls_slow_down_shortly_below_the_share() {
        let now = Clock::fixed("2026-11-22T09:30:00Z".parse().unwrap());
        // 2,000 is the last of the 2,001 milliseconds that a pause may have at the most.
        for (used, choices, longest) in [(89, 0, 0), (90, 401, 400), (92, 1201, 1200), (94, 2001, 2000)] {
            let last = Random::new(move |buffer| {
                buffer.copy_from_slice(&u64::to_be_bytes(if choices == 0 { 7 } else { choices - 1 }));
            });
            let limits = Limits::new(Pace::Writing, now.clone(), last);
            limits.learn(usage(used), false);
            assert_eq!(limits.admit(), Admission::After(Duration::from_millis(longest)), "at {used}");
        }
    }

    #[test]
    fn case_r04_one_call_in_a_while_learns_that_the_limit_was_reset() {
        let seconds = Arc::new(AtomicI64::new(1_800_000_000));
        let ticking = Arc::clone(&seconds);
        let clock = Clock::new(move || Timestamp::from_second(ticking.load(Ordering::SeqCst)).unwrap());
        let limits = Limits::new(Pace::Submission, clock, Random::new(|buffer| buffer.fill(0)));
        limits.learn(usage(100), true);
        assert_eq!(limits.admit(), Admission::HeldBack);
        seconds.fetch_add(44, Ordering::SeqCst);
        assert_eq!(limits.admit(), Admission::HeldBack);
        seconds.fetch_add(1, Ordering::SeqCst);
        assert_eq!(limits.admit(), Admission::After(Duration::ZERO), "the probe");
        assert_eq!(limits.admit(), Admission::HeldBack, "one probe");
        limits.learn(usage(99), false);
        assert_eq!(limits.admit(), Admission::After(Duration::ZERO));
    }
}
