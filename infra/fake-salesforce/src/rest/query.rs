//! `/query`, `/queryAll` and their further pages.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use serde_json::json;

use super::{Call, Context, Reply, Version, parameter};
use crate::{
    error::ApiError,
    records::new_id,
    soql::{self, Plan},
};

/// Cursors kept; the oldest goes first. Salesforce keeps ten for a user.
const CURSORS_MAX: usize = 50;
/// Key prefix of query locators.
const LOCATOR_PREFIX: &str = "01g";

/// Results that a client is still paging through. They do not survive a restart, as they need not: a client
/// starts the query again on `INVALID_QUERY_LOCATOR`.
#[derive(Default)]
pub(crate) struct Cursors(Mutex<VecDeque<Arc<Cursor>>>);

struct Cursor {
    locator: String,
    plan: Plan,
    ids: Vec<String>,
    batch: usize,
}

impl Cursors {
    fn keep(&self, cursor: Arc<Cursor>) {
        let mut cursors = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if cursors.len() >= CURSORS_MAX {
            cursors.pop_front();
        }
        cursors.push_back(cursor);
    }

    fn find(&self, locator: &str) -> Option<Arc<Cursor>> {
        let cursors = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        cursors.iter().find(|cursor| cursor.locator == locator).cloned()
    }
}

/// The first page of a query.
pub(super) fn first(
    context: &Context<'_>,
    call: &Call,
    version: &Version,
    all: bool,
) -> Result<Reply, ApiError> {
    let text =
        parameter(call, "q").ok_or_else(|| ApiError::bad("MALFORMED_QUERY", "unexpected token: '<EOF>'"))?;
    let plan =
        soql::parse(&text).and_then(|query| Plan::new(&query, all)).map_err(|error| error.describe(&text))?;
    let connection = context.unit.connection;
    if plan.counts() {
        let total = plan.count(connection)?;
        return Ok(Reply::ok(json!({"totalSize": total, "done": true, "records": []})));
    }
    let page = plan.run(connection, &version.text, context.batch)?;
    let total = page.ids.len();
    if page.records.len() == total {
        return Ok(Reply::ok(json!({"totalSize": total, "done": true, "records": page.records})));
    }
    let locator = new_id(connection, LOCATOR_PREFIX)?.to_string();
    let next = next_url(version, &locator, page.records.len());
    let cursor = Cursor { locator, plan, ids: page.ids, batch: context.batch };
    context.cursors.keep(Arc::new(cursor));
    Ok(Reply::ok(json!({
        "totalSize": total, "done": false, "nextRecordsUrl": next, "records": page.records,
    })))
}

/// A further page: `/query/01g...-2000`.
pub(super) fn more(context: &Context<'_>, version: &Version, locator: &str) -> Result<Reply, ApiError> {
    let invalid = || ApiError::bad("INVALID_QUERY_LOCATOR", "invalid query locator");
    let (locator, offset) = locator.rsplit_once('-').ok_or_else(invalid)?;
    let offset: usize = offset.parse().map_err(|_| invalid())?;
    let cursor = context.cursors.find(locator).ok_or_else(invalid)?;
    let total = cursor.ids.len();
    let end = offset.saturating_add(cursor.batch).min(total);
    let ids = cursor.ids.get(offset..end).filter(|ids| !ids.is_empty()).ok_or_else(invalid)?;
    let records = cursor.plan.fetch(context.unit.connection, &version.text, ids)?;
    if end == total {
        return Ok(Reply::ok(json!({"totalSize": total, "done": true, "records": records})));
    }
    Ok(Reply::ok(json!({
        "totalSize": total,
        "done": false,
        "nextRecordsUrl": next_url(version, locator, end),
        "records": records,
    })))
}

fn next_url(version: &Version, locator: &str, offset: usize) -> String {
    format!("/services/data/{}/query/{locator}-{offset}", version.text)
}
