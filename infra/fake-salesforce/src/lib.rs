//! A Salesforce org that speaks the real protocols, with faults on demand and an agent console.
//!
//! [`FakeSalesforce::start`] opens one listener with four doors:
//!
//! - `/services/oauth2/token`: OAuth JWT bearer;
//! - `/services/data/vNN.0/...`: sObject REST, SOQL, composite, getUpdated and getDeleted;
//! - `/console`: where an agent works on cases in a browser;
//! - `/_fake/...`: faults, queue state, request counts, merges and other acts of the platform.
//!
//! Changes leave as outbound messages (SOAP), at least once and out of order, as a real org sends them.
//! The state is one SQLite file that survives a killed process.

mod clock;
mod config;
mod console;
mod control;
pub mod demo;
mod error;
pub mod faults;
mod http_api;
mod id;
mod oauth;
mod org;
mod outbound;
mod random;
mod records;
mod requests;
mod rest;
mod schema;
mod server;
mod sessions;
mod soql;
mod store;
mod value;

use std::sync::{Arc, Mutex};

use jsonwebtoken::DecodingKey;
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};
use url::Url;

pub use clock::Clock;
pub use config::{Config, StartError};
pub use id::{RecordId, RecordIdError};
pub use org::Settings;
pub use outbound::{OutboundConfig, OutboundFaults};
pub use requests::{LoggedRequest, RequestKind};

use crate::{
    faults::{Faults, Rule, RuleError},
    org::{Org, Usage, lock},
    outbound::sender::Deliveries,
    store::Store,
};

/// The outbound messages of this org: object name and `ActionId`. A receiver allows exactly these.
pub fn actions() -> impl Iterator<Item = (&'static str, &'static str)> {
    schema::OBJECTS.iter().filter_map(|object| object.action.map(|action| (object.name, action.id)))
}

/// A running org. Dropping it stops it at once; [`FakeSalesforce::shutdown`] lets requests end.
pub struct FakeSalesforce {
    org: Arc<Org>,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

impl FakeSalesforce {
    /// Opens the store, fills it when it is new, and starts listening and sending.
    ///
    /// # Errors
    /// [`StartError`] says which part of the configuration cannot be used.
    pub async fn start(config: Config) -> Result<FakeSalesforce, StartError> {
        let organization_id = RecordId::parse(&config.organization_id)
            .ok()
            .filter(|id| id.as_str() == config.organization_id && id.prefix() == "00D")
            .ok_or(StartError::OrganizationId)?;
        let key =
            DecodingKey::from_rsa_pem(config.public_key_pem.as_bytes()).map_err(StartError::PublicKey)?;
        let store = Store::open(config.data.as_deref()).map_err(StartError::Store)?;
        let listener = TcpListener::bind(config.listen).await.map_err(StartError::Listen)?;
        let address = listener.local_addr().map_err(StartError::Listen)?;
        let address = Url::parse(&format!("http://{address}"))
            .map_err(|error| StartError::Listen(std::io::Error::other(error)))?;

        let loop_guard = config.outbound.as_ref().is_none_or(|outbound| outbound.loop_guard);
        let org = Arc::new(Org {
            organization_id: organization_id.to_string(),
            consumer_key: config.consumer_key,
            username: config.username,
            key,
            login_url: config.login_url,
            address,
            clock: config.clock,
            store,
            sessions: Default::default(),
            faults: Faults::default(),
            requests: Default::default(),
            cursors: Default::default(),
            outbound_wake: tokio::sync::Notify::new(),
            announces: config.outbound.is_some(),
            settings: Mutex::new(Settings::new(config.daily_api_limit, loop_guard)),
            outbound_faults: Mutex::new(OutboundFaults::default()),
            usage: Mutex::new(Usage::default()),
        });
        demo::seed(&org, config.demo_data).map_err(|error| StartError::Seed(error.to_string()))?;

        let (stop, stopped) = watch::channel(false);
        let mut tasks =
            vec![tokio::spawn(server::serve(listener, server::router(Arc::clone(&org)), stopped.clone()))];
        if let Some(outbound) = &config.outbound {
            // reqwest is built without a TLS provider; a second call in one process changes nothing.
            let _ = rustls::crypto::ring::default_provider().install_default();
            let deliveries = Deliveries::new(Arc::clone(&org), outbound).map_err(StartError::Client)?;
            tasks.push(tokio::spawn(deliveries.run(stopped)));
        }
        Ok(FakeSalesforce { org, stop, tasks })
    }

    /// Where the org is reached, e.g. `http://127.0.0.1:4100/`.
    pub fn address(&self) -> Url {
        self.org.address.clone()
    }

    /// Adds fault rules; see [`faults`].
    ///
    /// # Errors
    /// [`RuleError`] when a rule is out of its bounds.
    pub fn add_faults(&self, rules: Vec<Rule>) -> Result<(), RuleError> {
        self.org.faults.add(rules)
    }

    /// Removes all fault rules.
    pub fn clear_faults(&self) {
        self.org.faults.clear();
    }

    /// Replaces the faults of outbound messages.
    pub fn set_outbound_faults(&self, faults: OutboundFaults) {
        *lock(&self.org.outbound_faults) = faults;
        self.org.outbound_wake.notify_one();
    }

    /// The settings in force.
    pub fn settings(&self) -> Settings {
        self.org.settings()
    }

    /// Replaces the settings.
    pub fn set_settings(&self, settings: Settings) {
        *lock(&self.org.settings) = settings;
    }

    /// Ends all sessions, so that the next call of each client is refused with 401.
    pub fn end_sessions(&self) {
        self.org.sessions.end_all();
    }

    /// How many requests of this kind were answered.
    pub fn requests(&self, kind: RequestKind) -> u64 {
        self.org.requests.count(kind)
    }

    /// Stops listening and sending, and waits for running requests (at most two seconds).
    pub async fn shutdown(mut self) {
        let _ = self.stop.send(true);
        for task in std::mem::take(&mut self.tasks) {
            if let Err(error) = task.await {
                tracing::error!(%error, "a task of the org failed");
            }
        }
    }
}

impl Drop for FakeSalesforce {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}
