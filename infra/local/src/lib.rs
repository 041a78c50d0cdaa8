//! The cloud on one machine: one process that reads `template.yaml` and gives every function what AWS would.
//!
//! [`host::LocalCloud::start`] is the whole of it; the modules are the services that are not emulated elsewhere:
//! Lambda, API Gateway (REST and WebSocket), function URLs, event source mappings, EventBridge, malware scans. Functions
//! run in this process and reach everything else over HTTP with the official SDKs.

pub mod arguments;
mod body;
mod console;
pub mod demo;
mod docs;
pub mod events;
pub mod function_url;
pub mod functions;
pub mod gateway;
pub mod host;
pub mod identity;
mod json_client;
pub mod lambda;
pub mod live;
pub mod malware;
mod open_file;
mod operator;
mod page;
pub mod ports;
mod provision;
pub mod stop;
pub mod template;

pub use host::{Addresses, LocalCloud, Options, SignIn, StartError};
