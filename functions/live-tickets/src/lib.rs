//! POST /live/tickets: a one-time ticket that opens the live connection.
