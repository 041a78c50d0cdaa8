//! Outbox stream: hands each event to those who act on it, and tells open browsers.
