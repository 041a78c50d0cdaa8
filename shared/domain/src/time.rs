//! Time and randomness as things that are passed in.

use std::{fmt, sync::Arc, time::Duration};

use jiff::Timestamp;
use uuid::Uuid;

/// Tells the time. The real one is made once, at boot; tests make their own.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// A clock that reads `now`.
    pub fn new(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// A clock that stands still.
    pub fn fixed(now: Timestamp) -> Self {
        Self::new(move || now)
    }

    /// The current moment, UTC.
    pub fn now(&self) -> Timestamp {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// A source of unpredictable bytes; new ids and one-time tickets come from it.
#[derive(Clone)]
pub struct Random(Arc<Fill>);

type Fill = dyn Fn(&mut [u8]) + Send + Sync;

impl Random {
    /// A source that fills a buffer by `fill`.
    pub fn new(fill: impl Fn(&mut [u8]) + Send + Sync + 'static) -> Self {
        Self(Arc::new(fill))
    }

    /// 32 unpredictable bytes.
    pub fn secret(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        (self.0)(&mut bytes);
        bytes
    }

    /// A time from `least` to `most`, each millisecond as likely as the others: whoever failed together does not try again
    /// together.
    pub fn between(&self, least: Duration, most: Duration) -> Duration {
        let mut bytes = [0; 8];
        (self.0)(&mut bytes);
        let choices = most.saturating_sub(least).as_millis().saturating_add(1);
        let offset = u128::from(u64::from_be_bytes(bytes)).checked_rem(choices).unwrap_or_default();
        least.saturating_add(Duration::from_millis(u64::try_from(offset).unwrap_or(u64::MAX)))
    }

    /// A UUIDv7: sorts by `now`, cannot be guessed.
    pub(crate) fn uuid(&self, now: Timestamp) -> Uuid {
        let mut bytes = [0; 10];
        (self.0)(&mut bytes);
        let milliseconds = u64::try_from(now.as_millisecond()).unwrap_or_default();
        uuid::Builder::from_unix_timestamp_millis(milliseconds, &bytes).into_uuid()
    }
}

impl fmt::Debug for Random {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Random")
    }
}
