//! How an org is set up, and why it may not start.

use std::{net::SocketAddr, path::PathBuf};

use crate::{clock::Clock, outbound::OutboundConfig};

/// Everything an org needs to know before it starts.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The SQLite file; its directory must exist. `None` keeps everything in memory.
    pub data: Option<PathBuf>,
    /// The org's id, 18 characters.
    pub organization_id: String,
    /// Issuer of the assertions that are accepted.
    pub consumer_key: String,
    /// Subject of the assertions that are accepted: the integration user.
    pub username: String,
    /// PEM of the RSA public key that verifies assertions.
    pub public_key_pem: String,
    /// Audience of the assertions that are accepted; the org's own address when `None`.
    pub login_url: Option<String>,
    /// Where changes are announced; `None` announces nothing.
    pub outbound: Option<OutboundConfig>,
    /// Fill an empty store with two client companies and their cases.
    pub demo_data: bool,
    /// API calls a day (UTC) before `REQUEST_LIMIT_EXCEEDED`.
    pub daily_api_limit: u32,
    /// The clock; [`Clock::wall`] outside tests.
    pub clock: Clock,
}

impl Config {
    /// An org in memory on a free port of this machine, without demo data and outbound messages, that trusts
    /// this key. Change what differs:
    /// `Config { demo_data: true, ..Config::local(pem) }`.
    pub fn local(public_key_pem: impl Into<String>) -> Config {
        Config {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            data: None,
            organization_id: "00DFk0000000001MAA".to_owned(),
            consumer_key: "portico-local".to_owned(),
            username: "integration@portico.example".to_owned(),
            public_key_pem: public_key_pem.into(),
            login_url: None,
            outbound: None,
            demo_data: false,
            daily_api_limit: 100_000,
            clock: Clock::wall(),
        }
    }
}

/// Why an org did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The organization id is no 18-character id that starts with `00D`.
    #[error("the organization id must have 18 characters and start with 00D")]
    OrganizationId,
    /// The public key is no PEM of an RSA key.
    #[error("the public key cannot be read")]
    PublicKey(#[source] jsonwebtoken::errors::Error),
    /// The address cannot be listened on.
    #[error("cannot listen")]
    Listen(#[source] std::io::Error),
    /// The SQLite file cannot be used.
    #[error("cannot open the store")]
    Store(#[source] rusqlite::Error),
    /// The seed records cannot be written.
    #[error("cannot fill the store: {0}")]
    Seed(String),
    /// The client for outbound messages cannot be built.
    #[error("cannot build the HTTP client")]
    Client(#[source] reqwest::Error),
}
