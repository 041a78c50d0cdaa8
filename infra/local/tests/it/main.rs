//! One binary for all tests of the local cloud.
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "clippy allows them in test functions, not in what those call"
)]

mod authorizer;
mod bridge;
mod clamd;
mod demo;
mod function_url;
mod gateway;
mod live;
mod malware;
mod open_file;
mod queues;
mod start;
mod streams;
mod support;
mod template;
