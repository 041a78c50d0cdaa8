//! Holds template, routes, events, settings, documents and OpenAPI against each other.
