//! Function URL: Salesforce says that records may have changed.
