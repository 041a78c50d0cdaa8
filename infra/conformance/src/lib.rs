//! Holds template, routes, events, settings, permissions and documents against each other.
//!
//! The checks are in `tests/it`. What is here makes the three documents that are generated from the code and committed:
//! `cargo run -p portico-conformance --bin documents` writes them, and a test fails when they are stale.

pub mod examples;
pub mod isolation;
pub mod openapi;
pub mod problems;

use std::path::{Path, PathBuf};

use crate::openapi::DocumentError;

/// How to bring the documents up to date.
pub const COMMAND: &str = "cargo run -p portico-conformance --bin documents";

/// A document that follows from the code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generated {
    /// Where it is committed, from the root of the repository.
    pub path: &'static str,
    /// What it must say.
    pub content: String,
}

/// Every generated document.
///
/// # Errors
/// [`DocumentError`] if the API's description cannot be made.
pub fn documents() -> Result<[Generated; 3], DocumentError> {
    let openapi = serde_json::to_string_pretty(&openapi::document()?)?;
    Ok([
        Generated { path: "docs/openapi.json", content: openapi + "\n" },
        Generated { path: "docs/problems.md", content: problems::document() },
        Generated { path: "docs/isolation.md", content: isolation::document() },
    ])
}

/// The root of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
