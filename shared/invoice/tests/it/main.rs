//! From a document to its PDF and back, read by another PDF library.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test stops where it fails"
)]

mod content;
mod extraction;
mod hostile;
mod layout;
mod limits;
mod samples;
