//! The org as all its doors share it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use jsonwebtoken::DecodingKey;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use url::Url;

use crate::{
    clock::Clock, demo, faults::Faults, id::RecordId, outbound::OutboundFaults, records::Actor,
    requests::RequestLog, rest::Cursors, sessions::Sessions, store::Store,
};

/// Records per query page, as in Salesforce.
const BATCH: usize = 2_000;

/// The state behind every door.
pub(crate) struct Org {
    pub organization_id: String,
    pub consumer_key: String,
    pub username: String,
    pub key: DecodingKey,
    pub login_url: Option<String>,
    pub address: Url,
    pub clock: Clock,
    pub store: Store,
    pub sessions: Sessions,
    pub faults: Faults,
    pub requests: RequestLog,
    pub cursors: Cursors,
    /// Woken after every commit that may have queued a notification.
    pub outbound_wake: Notify,
    /// Outbound messages are configured at all.
    pub announces: bool,
    pub settings: Mutex<Settings>,
    pub outbound_faults: Mutex<OutboundFaults>,
    pub usage: Mutex<Usage>,
}

/// What may be changed while the org runs, with `POST /_fake/settings`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub struct Settings {
    /// Records per query page.
    pub query_batch_size: usize,
    /// Answer an upsert that updated with 204 and no body instead of 200 and `created: false`.
    pub empty_upsert_answers: bool,
    /// API calls a day (UTC).
    pub daily_api_limit: u32,
    /// The `instance_url` of token answers; the org's own address when null.
    pub instance_url: Option<String>,
    /// Seconds a session lasts after its last use.
    pub session_seconds: u32,
    /// Changes by the integration user send no outbound message.
    pub loop_guard: bool,
}

impl Settings {
    pub(crate) fn new(daily_api_limit: u32, loop_guard: bool) -> Settings {
        Settings {
            query_batch_size: BATCH,
            empty_upsert_answers: false,
            daily_api_limit,
            instance_url: None,
            session_seconds: 7_200,
            loop_guard,
        }
    }
}

/// API calls of one day.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    day: i64,
    calls: u32,
}

impl Org {
    /// A copy of the settings.
    pub(crate) fn settings(&self) -> Settings {
        lock(&self.settings).clone()
    }

    /// A copy of the outbound faults.
    pub(crate) fn outbound_faults(&self) -> OutboundFaults {
        *lock(&self.outbound_faults)
    }

    /// The user that the API is used as.
    pub(crate) fn integration_actor(&self) -> Actor {
        let guarded = lock(&self.settings).loop_guard;
        Actor { user: user(demo::INTEGRATION_USER_ID), notifies: self.announces && !guarded }
    }

    /// The user of the console, and of changes that the platform makes.
    pub(crate) fn agent_actor(&self) -> Actor {
        Actor { user: user(demo::AGENT_USER_ID), notifies: self.announces }
    }

    /// For work that changes no record.
    pub(crate) fn system_actor(&self) -> Actor {
        Actor { user: user(demo::INTEGRATION_USER_ID), notifies: false }
    }

    /// Counts an API call. Answers the calls of today and whether this one is still allowed.
    pub(crate) fn count_call(&self) -> (u32, bool) {
        const DAY: i64 = 86_400;
        let today = self.clock.now().as_second().div_euclid(DAY);
        let limit = lock(&self.settings).daily_api_limit;
        let mut usage = lock(&self.usage);
        if usage.day != today {
            *usage = Usage { day: today, calls: 0 };
        }
        let allowed = usage.calls < limit;
        usage.calls = usage.calls.saturating_add(u32::from(allowed));
        (usage.calls, allowed)
    }
}

/// A constant id of the seed. All of them are well-formed, which a test checks.
fn user(id: &str) -> RecordId {
    RecordId::parse(id).unwrap_or_else(|_| RecordId::numbered("005", 0))
}

/// A lock that does not care whether another thread panicked: all guarded values are plain data.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
