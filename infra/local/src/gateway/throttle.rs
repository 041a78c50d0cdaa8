//! Token buckets, one for each method, as API Gateway throttles.

use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

/// Tokens are counted in thousandths, so that a bucket fills smoothly without fractions.
const THOUSANDTHS: i128 = 1000;

/// How fast a bucket fills and how much it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Requests a second in the long run.
    pub rate: u32,
    /// Requests at once.
    pub burst: u32,
}

/// A bucket of tokens; each request takes one.
#[derive(Debug)]
pub struct Bucket {
    limit: Limit,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    thousandths: i128,
    filled_at_ms: i64,
}

impl Bucket {
    /// A full bucket.
    #[must_use]
    pub fn full(limit: Limit, now: Timestamp) -> Self {
        let thousandths = i128::from(limit.burst) * THOUSANDTHS;
        Self { limit, state: Mutex::new(State { thousandths, filled_at_ms: now.as_millisecond() }) }
    }

    /// Takes a token if there is one.
    pub fn take(&self, now: Timestamp) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = now.as_millisecond();
        // A clock that goes back fills nothing.
        let elapsed = i128::from(now.saturating_sub(state.filled_at_ms).max(0));
        // A rate in tokens a second is the same number in thousandths a millisecond.
        let filled = state.thousandths + elapsed * i128::from(self.limit.rate);
        state.thousandths = filled.min(i128::from(self.limit.burst) * THOUSANDTHS);
        state.filled_at_ms = now;
        if state.thousandths < THOUSANDTHS {
            return false;
        }
        state.thousandths -= THOUSANDTHS;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: i64) -> Timestamp {
        Timestamp::from_millisecond(1_000_000 + milliseconds).unwrap()
    }

    #[test]
    fn a_burst_passes_and_then_the_rate() {
        let bucket = Bucket::full(Limit { rate: 2, burst: 3 }, at(0));
        let taken = |milliseconds| bucket.take(at(milliseconds));
        assert_eq!([taken(0), taken(0), taken(0), taken(0)], [true, true, true, false]);
        assert_eq!([taken(499), taken(500), taken(501)], [false, true, false]);
        // Never more than the burst, however long it was quiet.
        assert_eq!([taken(60_000), taken(60_000), taken(60_000), taken(60_000)], [true, true, true, false]);
    }

    #[test]
    fn a_clock_that_goes_back_gives_nothing_away() {
        let bucket = Bucket::full(Limit { rate: 1, burst: 1 }, at(10_000));
        assert!(bucket.take(at(10_000)));
        assert!(!bucket.take(at(0)));
        assert!(!bucket.take(at(500)));
        assert!(bucket.take(at(1_000)));
    }
}
