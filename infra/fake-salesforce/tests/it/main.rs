//! The org over real HTTP, as its clients meet it. Keys under `keys/` exist for these tests only.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "clippy allows these in test functions only, and the harness has helpers"
)]

mod composite;
mod console;
mod faults;
mod harness;
mod oauth;
mod outbound;
mod persistence;
mod query;
mod records;
