//! Every service, driven by the official SDKs over real connections.
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "clippy allows them in test functions, not in what those call"
)]

mod cognito;
mod dynamodb;
mod mail;
mod objects;
mod queues;
mod restart;
mod secrets;
mod start;
mod streams;
mod support;
