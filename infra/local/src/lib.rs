//! The cloud on one machine, from template.yaml.
