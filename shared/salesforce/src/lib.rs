//! A thin Salesforce client with retry safety, and the parser of outbound messages.
