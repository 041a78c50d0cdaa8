//! WebSocket `$connect` and `$disconnect`: who listens to which account.

use std::collections::HashMap;

use portico_aws::{BootError, Cloud, Function};
use portico_domain::Clock;
use portico_store::{LiveTicket, Store, StoreError, engine::Table};
use serde::{Deserialize, Serialize};

/// What this function works with.
#[derive(Clone)]
pub struct Deps {
    /// The portal's records.
    pub store: Store,
    /// The time.
    pub clock: Clock,
}

/// The function, from the cloud that it runs in.
///
/// # Errors
/// [`BootError`] if `template.yaml` does not give it what it needs.
pub async fn function(cloud: &Cloud) -> Result<Function, BootError> {
    let tables = [Table::LiveTickets, Table::Members, Table::Connections];
    let deps = Deps { store: cloud.store(&tables)?, clock: cloud.clock() };
    Ok(Function::event(move |event, _| handle(deps.clone(), event)))
}

/// What API Gateway says about a connection. Only what is read of it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionEvent {
    request_context: RequestContext,
    query_string_parameters: Option<HashMap<String, String>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RequestContext {
    connection_id: String,
    event_type: EventType,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum EventType {
    Connect,
    Disconnect,
}

/// What API Gateway does about it: anything but 200 refuses the handshake.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Verdict {
    #[serde(rename = "statusCode")]
    status: u16,
}

async fn handle(deps: Deps, event: ConnectionEvent) -> Result<Verdict, StoreError> {
    let connection = event.request_context.connection_id;
    match event.request_context.event_type {
        EventType::Connect => {
            let given = event.query_string_parameters.as_ref().and_then(|query| query.get("ticket"));
            let Some(ticket) = given.and_then(|text| LiveTicket::parse(text)) else {
                return Ok(Verdict { status: 401 });
            };
            let now = deps.clock.now();
            let Some(person) = deps.store.redeem_live_ticket(&ticket, now).await? else {
                return Ok(Verdict { status: 401 });
            };
            deps.store.connect(&connection, &person, now).await?;
            tracing::info!(connection, account = %person.tenant().account(), "listening");
        }
        EventType::Disconnect => deps.store.disconnect(&connection).await?,
    }
    Ok(Verdict { status: 200 })
}
