//! What people did becomes entries of their account's audit trail, each once, sealed into one chain an account.
//!
//! Messages come at least once, in any order, to several of these at a time. That is all the same: an event has
//! one mark, a chain has one head, and both are conditions of the transaction that adds the entry.

use std::collections::BTreeMap;

use portico_aws::{Batch, BatchAnswer, BootError, Cloud, Failure, Function, Message};
use portico_domain::{AccountId, audit::Entry, events::Event};
use portico_store::{SEALED_AT_ONCE_MAX, Store, StoreError, Tenant, engine::Table};

/// What this function works with.
#[derive(Clone)]
pub struct Deps {
    /// The portal's records.
    pub store: Store,
}

/// The function, from the cloud that it runs in.
///
/// # Errors
/// [`BootError`] if `template.yaml` does not give it what it needs.
pub async fn function(cloud: &Cloud) -> Result<Function, BootError> {
    let deps = Deps { store: cloud.store(&[Table::Audit, Table::AuditHeads, Table::Usage])? };
    Ok(Function::event(move |batch: Batch, _| {
        let deps = deps.clone();
        async move { Ok::<_, std::convert::Infallible>(record(&deps, batch).await) }
    }))
}

/// An entry, and the message that it came with.
struct Arrived {
    message: String,
    entry: Entry,
}

/// The chain of one account, and what is to be added to it.
struct Addition {
    tenant: Tenant,
    arrived: Vec<Arrived>,
}

/// Records a batch. What cannot be recorded now comes back; what cannot be read comes back until it is with the
/// dead letters, where people look at it.
pub async fn record(deps: &Deps, batch: Batch) -> BatchAnswer {
    let mut answer = BatchAnswer::default();
    let mut additions: BTreeMap<AccountId, Addition> = BTreeMap::new();
    for Message { id, body, .. } in batch.records {
        let event: Event = match serde_json::from_str(&body) {
            Ok(event) => event,
            Err(error) => {
                tracing::warn!(message = %id, %error, "a message that is no event");
                answer.failures.push(Failure { item: id });
                continue;
            }
        };
        let Some(entry) = Entry::of(&event) else {
            tracing::warn!(event = %event.id, "an event that nobody asked for has no place in an audit trail");
            continue;
        };
        let addition = additions
            .entry(event.account)
            .or_insert_with(|| Addition { tenant: Tenant::of_event(&event), arrived: Vec::new() });
        addition.arrived.push(Arrived { message: id, entry });
    }
    for Addition { tenant, arrived } in additions.into_values() {
        for some in arrived.chunks(SEALED_AT_ONCE_MAX) {
            if let Err(error) = seal(deps, &tenant, some).await {
                tracing::warn!(account = %tenant.account(), %error, "entries come back later");
                let failures = some.iter().map(|arrived| Failure { item: arrived.message.clone() });
                answer.failures.extend(failures);
            }
        }
    }
    answer
}

async fn seal(deps: &Deps, tenant: &Tenant, arrived: &[Arrived]) -> Result<(), StoreError> {
    let entries: Vec<Entry> = arrived.iter().map(|arrived| arrived.entry.clone()).collect();
    let sealed = deps.store.seal(tenant, &entries).await?;
    tracing::info!(account = %tenant.account(), sealed, repeated = entries.len() - sealed, "sealed");
    Ok(())
}
