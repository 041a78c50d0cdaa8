//! The cloud on one machine: one process that reads `template.yaml` and gives every function what AWS would.

pub mod events;
pub mod function_url;
pub mod gateway;
pub mod identity;
pub mod lambda;
pub mod live;
pub mod stop;
pub mod template;
