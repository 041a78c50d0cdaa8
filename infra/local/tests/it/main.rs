//! One binary for all tests of the local cloud.

mod template;
