//! Queue: re-reads records that may have changed and brings the portal up to date.
