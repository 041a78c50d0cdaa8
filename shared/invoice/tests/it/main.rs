//! From a document to its PDF and back, read by another PDF library.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test stops where it fails"
)]

mod annex;
mod brands;
mod content;
mod extraction;
mod figures;
mod hostile;
mod layout;
mod limits;
mod one_truth;
mod samples;
mod statements;
mod work;
