//! Queue: carries the portal's own changes to Salesforce, each once.
