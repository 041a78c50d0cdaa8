//! The rules of the portal, and nothing else: no I/O, no async, no HTTP, no AWS.
//!
//! Time and randomness come in as values ([`Clock`], [`Random`]), so that every rule can be tested at any
//! moment and replayed to the same result.

pub mod accounting;
pub mod audit;
pub mod billing;
pub mod cases;
pub mod contracts;
pub mod events;
pub mod files;
pub mod ids;
pub mod money;
pub mod people;
pub mod runs;
pub mod salesforce_id;
pub mod text;
mod time;

pub use ids::{
    AccountId, ArchiveId, CaseId, ContractId, CreditNoteId, DisputeId, EntryId, EventId, FileId, InvoiceId,
    RunId, UserId,
};
pub use money::{Currency, Money};
pub use salesforce_id::SalesforceId;
pub use time::{Clock, Random};
