//! What has to agree with what, checked on the real things: the template, the crates, the functions, the documents.
//!
//! One binary: everything that a check needs is linked once.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "clippy allows these in test functions only, and the harness has helpers"
)]

/// Counts what a process holds, for the tests that measure one.
#[global_allocator]
static MEMORY: peak_alloc::PeakAlloc = peak_alloc::PeakAlloc;

mod agent;
mod alarms;
mod archives;
mod audit;
mod billing_commands;
mod capture;
mod clauses;
mod commands;
mod consumed;
mod consumers;
mod convergence;
mod crashes;
mod dependencies;
mod dispute_commands;
mod documents;
mod double_click;
mod engine;
mod file_access;
mod files;
mod guard;
mod invoice_documents;
mod invoice_lists;
mod issuing;
mod late_hours;
mod logs;
mod malware;
mod meter;
mod mirror;
mod outage;
mod outbox;
mod permissions;
mod previews;
mod reconcile;
mod records;
mod refusals;
mod routes;
mod salesforce;
mod salesforce_metadata;
mod samples;
mod stack;
mod steps;
mod storm;
mod sync;
mod sync_contracts;
mod tables;
mod template;
mod variables;
mod webhooks;
mod world;
