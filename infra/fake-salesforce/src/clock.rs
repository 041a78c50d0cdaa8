//! Where the time comes from: the wall, or a test.

use std::{fmt, sync::Arc};

use jiff::Timestamp;

/// A source of the current time. Cloning shares the source.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// The machine's clock.
    pub fn wall() -> Clock {
        #[expect(clippy::disallowed_methods, reason = "the one place where the wall clock enters this crate")]
        Clock(Arc::new(Timestamp::now))
    }

    /// Any other source, e.g. one that a test moves by hand.
    pub fn from_fn(source: impl Fn() -> Timestamp + Send + Sync + 'static) -> Clock {
        Clock(Arc::new(source))
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}
