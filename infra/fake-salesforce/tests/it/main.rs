//! The org over real HTTP.
