//! The agent console: server-rendered pages that work without scripts.

mod pages;
mod view;

pub(crate) use pages::routes;
