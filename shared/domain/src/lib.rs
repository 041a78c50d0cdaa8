//! The rules of the portal: cases, people, contracts, billing, files, money. Pure: no I/O, no clock, no HTTP, no AWS.
