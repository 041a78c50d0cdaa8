//! What goes on record for the audit trail besides commands: what people get to see, and what they are refused.
//!
//! A refusal may come from anywhere behind [`crate::Caller`]: from another extractor, from the handler. So the
//! caller is noted in a slot that came with the request, and whoever writes the answer looks into it.

use std::sync::{Arc, OnceLock};

use jiff::Timestamp;
use portico_domain::{AccountId, audit::Actor, events::Event};
use portico_store::{Store, StoreError};

use crate::{Kind, Problem};

/// Seconds after which something that could not be put on record should be asked for again.
const RETRY_SECONDS: u16 = 1;

/// Puts on record what somebody is about to get. They may get it only once this returns: nothing leaves off the
/// record.
///
/// # Errors
/// 503 if it is not durable, whatever the cause.
pub async fn on_record(store: &Store, event: &Event) -> Result<(), Problem> {
    store.announce(event).await.map_err(|error| {
        tracing::error!(%error, "an access is not on record, and so it is refused");
        Problem::new(Kind::Unavailable)
            .because("The access cannot be put on record. Try again in a moment.")
            .retry_after(RETRY_SECONDS)
    })
}

/// Where the extractor leaves word of who is calling.
#[derive(Clone, Default)]
pub(crate) struct Slot(Arc<OnceLock<Identified>>);

/// Somebody of an account, or who has entered one.
pub(crate) struct Identified {
    pub(crate) store: Store,
    pub(crate) account: AccountId,
    pub(crate) actor: Actor,
    /// The record that the path names.
    pub(crate) sought: Option<String>,
}

impl Slot {
    /// The first word counts; a request has one caller.
    pub(crate) fn fill(&self, identified: Identified) {
        self.0.set(identified).ok();
    }

    /// Puts a refusal on record. If that fails, the answer is the same: nothing was given out.
    pub(crate) async fn record(&self, kind: Kind, received_at: Option<Timestamp>) {
        let (Some(Identified { store, account, actor, sought }), Some(at)) = (self.0.get(), received_at)
        else {
            return;
        };
        if !kind.is_audited() {
            return;
        }
        let event = Event::refused(*account, actor.clone(), kind.slug(), sought.clone(), at);
        match store.announce(&event).await {
            // It is there already: the request was delivered twice.
            Ok(()) | Err(StoreError::Conflict) => {}
            Err(error) => tracing::error!(%error, "a refusal is not in the audit trail"),
        }
    }
}
