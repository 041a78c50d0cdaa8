//! Every service, driven by the official SDKs over real connections.
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "clippy allows them in test functions, not in what those call"
)]

mod cognito;
mod dynamodb;
mod links;
mod mail;
mod objects;
mod parts;
mod queues;
mod restart;
mod secrets;
mod start;
mod streams;
mod support;
mod versions;
