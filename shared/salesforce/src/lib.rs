//! Salesforce, as far as the portal needs it.
//!
//! - [`client`]: signing in by JWT, upsert by external id, queries. About five calls, written by hand, because
//!   what may be sent twice and what may not is the product.
//! - [`records`]: which Salesforce field becomes what in the portal. The one place where that is said.
//! - [`portal`]: what the portal writes into Salesforce.
//! - [`replication`]: which records changed, were deleted, or belong to an account.
//! - [`outbound`]: outbound messages, parsed strictly and within limits.
//! - [`callout`]: what flows and Apex post, signed.
//! - [`change_events`]: Change Data Capture by way of Event Relay.

pub mod callout;
pub mod change_events;
pub mod client;
pub mod outbound;
pub mod portal;
pub mod records;
pub mod replication;
mod soql;

pub use client::{Credentials, Salesforce, SalesforceError, Upserted};
pub use soql::Soql;
