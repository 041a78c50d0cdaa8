//! Queue: an issued invoice becomes a PDF in the store.
