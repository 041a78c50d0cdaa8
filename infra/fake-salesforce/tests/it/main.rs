//! The org over real HTTP, as its clients meet it. Keys under `keys/` exist for these tests only.

mod composite;
mod console;
mod faults;
mod harness;
mod oauth;
mod outbound;
mod persistence;
mod query;
mod records;
