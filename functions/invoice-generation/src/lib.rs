//! Queue: a closed case becomes one numbered invoice.
