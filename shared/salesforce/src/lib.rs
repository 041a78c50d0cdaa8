//! Salesforce, as far as the portal needs it.
//!
//! - [`client`]: upsert by external id, queries. About five calls, written by hand, because what may be sent twice and
//!   what may not is the product. Behind it: the session that a signed JWT opens, what is left of the org's API calls
//!   and who may use it ([`Pace`]), and the breaker that leaves an org alone that does not answer.
//! - [`records`]: which Salesforce field becomes what in the portal. The one place where that is said.
//! - [`portal`]: what the portal writes into Salesforce.
//! - [`replication`]: which records changed, were deleted, or belong to an account.
//! - [`outbound`]: outbound messages, parsed strictly and within limits.
//! - [`callout`]: what flows and Apex post, signed.
//! - [`change_events`]: Change Data Capture by way of Event Relay.

mod breaker;
pub mod callout;
pub mod change_events;
pub mod client;
mod error;
mod limits;
pub mod outbound;
pub mod portal;
pub mod records;
pub mod replication;
mod session;
mod soql;

pub use client::{Salesforce, TOGETHER_MAX, Upserted};
pub use error::SalesforceError;
pub use limits::{Calls, Pace, Usage};
pub use session::Credentials;
pub use soql::Soql;
