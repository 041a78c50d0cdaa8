//! Where everything listens.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::TcpListener;

/// One door of the local cloud: what it is for, its usual port, and what moves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Door {
    /// The page with addresses and sign-ins.
    Web,
    /// The REST API and `/_local`.
    Api,
    /// The WebSocket API.
    Live,
    /// The function URL for Salesforce.
    Webhook,
    /// The fake Salesforce org.
    Salesforce,
    /// S3, SQS, Cognito, Secrets Manager and SES.
    Aws,
    /// DynamoDB.
    DynamoDb,
}

impl Door {
    /// Every door.
    pub const ALL: [Self; 7] =
        [Self::Web, Self::Api, Self::Live, Self::Webhook, Self::Salesforce, Self::Aws, Self::DynamoDb];

    /// What people call it.
    #[must_use]
    pub fn purpose(self) -> &'static str {
        match self {
            Self::Web => "the start page",
            Self::Api => "the REST API",
            Self::Live => "the WebSocket API",
            Self::Webhook => "the webhook's function URL",
            Self::Salesforce => "the fake Salesforce org",
            Self::Aws => "the emulated AWS services",
            Self::DynamoDb => "the emulated DynamoDB",
        }
    }

    /// The command-line flag that moves it.
    #[must_use]
    pub fn flag(self) -> &'static str {
        match self {
            Self::Web => "--web-port",
            Self::Api => "--api-port",
            Self::Live => "--live-port",
            Self::Webhook => "--webhook-port",
            Self::Salesforce => "--salesforce-port",
            Self::Aws => "--aws-port",
            Self::DynamoDb => "--dynamodb-port",
        }
    }

    /// The environment variable that moves it.
    #[must_use]
    pub fn variable(self) -> &'static str {
        match self {
            Self::Web => "PORTICO_WEB_PORT",
            Self::Api => "PORTICO_API_PORT",
            Self::Live => "PORTICO_LIVE_PORT",
            Self::Webhook => "PORTICO_WEBHOOK_PORT",
            Self::Salesforce => "PORTICO_SALESFORCE_PORT",
            Self::Aws => "PORTICO_AWS_PORT",
            Self::DynamoDb => "PORTICO_DYNAMODB_PORT",
        }
    }
}

/// The port of each door; 0 is any free one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    web: u16,
    api: u16,
    live: u16,
    webhook: u16,
    salesforce: u16,
    aws: u16,
    dynamodb: u16,
}

impl Default for Ports {
    fn default() -> Self {
        Self { web: 3000, api: 4000, live: 4001, webhook: 4002, salesforce: 4100, aws: 4566, dynamodb: 4567 }
    }
}

impl Ports {
    /// Any free port for each door.
    #[must_use]
    pub fn any() -> Self {
        Self { web: 0, api: 0, live: 0, webhook: 0, salesforce: 0, aws: 0, dynamodb: 0 }
    }

    /// The port of a door.
    #[must_use]
    pub fn of(&self, door: Door) -> u16 {
        match door {
            Door::Web => self.web,
            Door::Api => self.api,
            Door::Live => self.live,
            Door::Webhook => self.webhook,
            Door::Salesforce => self.salesforce,
            Door::Aws => self.aws,
            Door::DynamoDb => self.dynamodb,
        }
    }

    /// Moves a door.
    pub fn set(&mut self, door: Door, port: u16) {
        let place = match door {
            Door::Web => &mut self.web,
            Door::Api => &mut self.api,
            Door::Live => &mut self.live,
            Door::Webhook => &mut self.webhook,
            Door::Salesforce => &mut self.salesforce,
            Door::Aws => &mut self.aws,
            Door::DynamoDb => &mut self.dynamodb,
        };
        *place = port;
    }

    /// Where a door listens: only this machine can reach it.
    #[must_use]
    pub fn address(&self, door: Door) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.of(door)))
    }
}

/// A door that cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error(
    "port {} for {} cannot be used: {source}. Choose another with {} or {}",
    address.port(), door.purpose(), door.flag(), door.variable()
)]
pub struct PortError {
    /// Which door.
    pub door: Door,
    /// Where it should have been.
    pub address: SocketAddr,
    /// What the system said.
    pub source: std::io::Error,
}

/// Opens a door.
pub(crate) async fn open(ports: &Ports, door: Door) -> Result<(TcpListener, SocketAddr), PortError> {
    open_at(door, ports.address(door)).await
}

/// Opens a door at this address.
pub(crate) async fn open_at(door: Door, address: SocketAddr) -> Result<(TcpListener, SocketAddr), PortError> {
    let failed = |source| PortError { door, address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}
