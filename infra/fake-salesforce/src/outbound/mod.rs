//! Outbound messages: SOAP notifications of changes, at least once, in any order, for 24 hours.
//!
//! A change queues its notification in its own transaction ([`queue`]); the [`sender`] delivers messages of up
//! to 100 notifications ([`envelope`]) and believes only a strict acknowledgement ([`ack`]).

mod ack;
mod envelope;
pub(crate) mod queue;
pub(crate) mod sender;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use url::Url;

/// Where outbound messages go and how patiently.
#[derive(Clone, Debug)]
pub struct OutboundConfig {
    /// The receiver, with its path secret.
    pub endpoint: Url,
    /// Divides the retry schedule and the 24 hours after which a notification is dropped: 1 is real time,
    /// 3,000 makes 30 s into 10 ms. 0 counts as 1.
    pub retry_divisor: u32,
    /// How long the receiver may take. Salesforce gives 60 s.
    pub timeout: Duration,
    /// Messages on their way at once, at least 1.
    pub parallel: usize,
    /// Changes by the integration user send nothing, as when "Send Outbound Messages" is taken from its profile.
    pub loop_guard: bool,
}

impl OutboundConfig {
    /// The behaviour of a real org, towards this receiver.
    pub fn to(endpoint: Url) -> OutboundConfig {
        OutboundConfig {
            endpoint,
            retry_divisor: 1,
            timeout: Duration::from_secs(60),
            parallel: 4,
            loop_guard: true,
        }
    }
}

/// What can be made to go wrong on the way out. Absent fields of a JSON body leave the setting as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutboundFaults {
    /// Nothing is sent; the queue grows.
    #[serde(default)]
    pub paused: bool,
    /// Notifications are picked in random order.
    #[serde(default)]
    pub shuffle: bool,
    /// Milliseconds before the first delivery of each notification.
    #[serde(default)]
    pub delay_ms: u32,
    /// How many of 100 acknowledged messages are sent a second time.
    #[serde(default)]
    pub duplicate_percent: u8,
}
