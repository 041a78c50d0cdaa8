//! The cloud on one machine: one process that reads `template.yaml` and gives every function what AWS would.

pub mod template;
