//! From a document to its PDF and back, read by another PDF library.

mod content;
mod extraction;
mod hostile;
mod layout;
mod limits;
mod samples;
