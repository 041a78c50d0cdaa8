//! When cases were last known to be what Salesforce says, beyond their own readings.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use portico_domain::{Clock, runs::Watermark};
use portico_http::views::CaseSummaryView;
use portico_store::Store;

/// How long the sweeps' watermark is kept in the function. It moves every quarter of an hour: a few seconds make no
/// difference to anybody, and lists cost no more than without it.
const KEPT: SignedDuration = SignedDuration::from_secs(10);

/// The sweeps' watermark, read now and then.
#[derive(Clone)]
pub struct Freshness {
    store: Store,
    clock: Clock,
    kept: Arc<Mutex<Option<Kept>>>,
}

#[derive(Clone, Copy)]
struct Kept {
    watermark: Option<Watermark>,
    read_at: Timestamp,
}

impl Freshness {
    /// Nothing is read yet.
    pub fn new(store: Store, clock: Clock) -> Self {
        Self { store, clock, kept: Arc::default() }
    }

    /// The watermark as it was at most [`KEPT`] ago; none if there was no sweep yet, or if it cannot be read: then
    /// cases are as old as their own readings, which is never too much said.
    pub async fn watermark(&self) -> Option<Watermark> {
        let now = self.clock.now();
        let kept = *self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = kept.filter(|kept| now.duration_since(kept.read_at) < KEPT) {
            return kept.watermark;
        }
        match self.store.watermark().await {
            Ok(watermark) => {
                let kept = Kept { watermark, read_at: now };
                *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(kept);
                watermark
            }
            Err(error) => {
                tracing::warn!(%error, "the sweeps' watermark cannot be read");
                None
            }
        }
    }
}

/// What a case says of when it was last confirmed. One whose changes are still on their way to Salesforce is not what
/// Salesforce says, whatever a sweep found.
pub fn confirm(case: &mut CaseSummaryView, watermark: Option<&Watermark>) {
    if let Some((read, watermark)) = case.confirmed_at.zip(watermark).filter(|_| case.in_step) {
        case.confirmed_at = Some(watermark.confirms(read));
    }
}
