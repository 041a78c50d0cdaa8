//! One binary for all tests of the local cloud.

mod authorizer;
mod bridge;
mod function_url;
mod gateway;
mod live;
mod queues;
mod start;
mod streams;
mod support;
mod template;
