//! From a priced invoice to the document that a client keeps.
