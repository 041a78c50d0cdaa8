//! Stops calling an org that does not answer, and finds out by one call at a time whether it does again.
//!
//! ```text
//!            5 unavailable answers in a row          its time is over
//!   closed ─────────────────────────────────▶ open ───────────────────▶ half-open: one call
//!      ▲                                        ▲                          │           │
//!      └────────────────────────────────────────┼───────── answered ───────┘           │
//!                                               └───────────── unavailable, longer ────┘
//! ```
//!
//! Everything but silence and "later" is an answer: a refusal says that the org is there.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use portico_domain::{Clock, Random};

/// So many unavailable answers in a row stop the calls. Fewer would be an accident of the network.
const FAILURES_MAX: u32 = 5;
/// How long calls stop at first, at the most; each further time twice as long.
const OPEN_FIRST: Duration = Duration::from_secs(2);
/// How long calls stop at the most: an org that is back is found within a minute.
const OPEN_MAX: Duration = Duration::from_secs(60);

pub(crate) struct Breaker {
    clock: Clock,
    random: Random,
    state: Mutex<State>,
}

enum State {
    Closed { failures: u32 },
    Open { until: Timestamp, times: u32 },
    HalfOpen { times: u32 },
}

/// A call that may be made. One that is dropped without an outcome counts as unanswered: its caller did not want to wait
/// any longer.
pub(crate) struct Trial<'b> {
    breaker: &'b Breaker,
    is_probe: bool,
    answered: bool,
}

impl Breaker {
    pub(crate) fn new(clock: Clock, random: Random) -> Self {
        Self { clock, random, state: Mutex::new(State::Closed { failures: 0 }) }
    }

    /// Lets a call through; `None` while calls are stopped.
    pub(crate) fn enter(&self) -> Option<Trial<'_>> {
        let mut state = self.state();
        let is_probe = match *state {
            State::Closed { .. } => false,
            State::Open { until, times } if self.clock.now() >= until => {
                *state = State::HalfOpen { times };
                true
            }
            State::Open { .. } | State::HalfOpen { .. } => return None,
        };
        Some(Trial { breaker: self, is_probe, answered: false })
    }

    fn failed(&self, is_probe: bool) {
        let mut state = self.state();
        *state = match *state {
            State::Closed { failures } if failures.saturating_add(1) < FAILURES_MAX => {
                State::Closed { failures: failures.saturating_add(1) }
            }
            State::Closed { .. } => self.opened(0),
            State::HalfOpen { times } if is_probe => self.opened(times.saturating_add(1)),
            // A call from before the calls stopped tells nothing new.
            State::HalfOpen { .. } | State::Open { .. } => return,
        };
    }

    fn opened(&self, times: u32) -> State {
        let most = OPEN_FIRST.saturating_mul(2_u32.saturating_pow(times)).min(OPEN_MAX);
        let time = self.random.between(most.checked_div(2).unwrap_or(most), most);
        let now = self.clock.now();
        let until = now.saturating_add(SignedDuration::try_from(time).unwrap_or_default()).unwrap_or(now);
        State::Open { until, times }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Trial<'_> {
    /// The org is there, whatever it said.
    pub(crate) fn answered(mut self) {
        self.answered = true;
    }
}

impl Drop for Trial<'_> {
    fn drop(&mut self) {
        if self.answered {
            *self.breaker.state() = State::Closed { failures: 0 };
        } else {
            self.breaker.failed(self.is_probe);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    };

    use super::*;

    fn breaker() -> (Breaker, Arc<AtomicI64>) {
        let milliseconds = Arc::new(AtomicI64::new(1_800_000_000_000));
        let ticking = Arc::clone(&milliseconds);
        let clock = Clock::new(move || Timestamp::from_millisecond(ticking.load(Ordering::SeqCst)).unwrap());
        (Breaker::new(clock, Random::new(|buffer| buffer.fill(0))), milliseconds)
    }

    fn fail(breaker: &Breaker, times: u32) {
        for _ in 0..times {
            drop(breaker.enter().unwrap());
        }
    }

    #[test]
    fn case_r08_calls_stop_after_silence_in_a_row() {
        let (breaker, _) = breaker();
        fail(&breaker, FAILURES_MAX - 1);
        breaker.enter().unwrap().answered();
        fail(&breaker, FAILURES_MAX);
        assert!(breaker.enter().is_none());
    }

    #[test]
    fn case_r08_one_call_at_a_time_finds_out_and_the_pause_grows_to_a_minute() {
        let (breaker, milliseconds) = breaker();
        fail(&breaker, FAILURES_MAX);
        // The shortest pauses: half of the most.
        for pause in [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000] {
            milliseconds.fetch_add(pause - 1, Ordering::SeqCst);
            assert!(breaker.enter().is_none(), "before {pause}");
            milliseconds.fetch_add(1, Ordering::SeqCst);
            let probe = breaker.enter().unwrap();
            assert!(breaker.enter().is_none(), "a second probe at {pause}");
            drop(probe);
        }
        milliseconds.fetch_add(30_000, Ordering::SeqCst);
        breaker.enter().unwrap().answered();
        fail(&breaker, FAILURES_MAX - 1);
        assert!(breaker.enter().is_some());
    }

    #[test]
    fn a_call_from_before_does_not_lengthen_the_pause() {
        let (breaker, milliseconds) = breaker();
        let slow = breaker.enter().unwrap();
        fail(&breaker, FAILURES_MAX);
        drop(slow);
        milliseconds.fetch_add(1_000, Ordering::SeqCst);
        assert!(breaker.enter().is_some());
    }
}
