//! The time that queues, secrets, mail and object events see.
//!
//! DynamoDB, Cognito and the signature checks of S3 come from other crates and keep the machine's time.

use jiff::Timestamp;
use portico_domain::Clock;

/// The machine's clock.
pub(crate) fn system() -> Clock {
    #[expect(clippy::disallowed_methods, reason = "the one place where the real time enters")]
    Clock::new(Timestamp::now)
}

/// The time now in milliseconds since 1970, as the database keeps it.
pub(crate) fn now_ms(clock: &Clock) -> i64 {
    clock.now().as_millisecond()
}
