//! To the sync, as the webhook does it: these records may have changed.

use std::time::Duration;

use portico_domain::SalesforceId;
use portico_salesforce::records::{MayHaveChanged, Object, RecordRef};

use crate::{Deps, ReconcileError};

/// Most records in one message: what the sync reads with one query.
const RECORDS_MAX: usize = 200;
/// How long what hangs on a case waits for the case itself, which may be new and go out at the same moment.
const HEAD_START: Duration = Duration::from_secs(10);

/// Names records to the sync. They are durable when this returns.
pub(crate) async fn may_have_changed(
    deps: &Deps,
    object: Object,
    ids: impl IntoIterator<Item = SalesforceId>,
) -> Result<u64, ReconcileError> {
    let hangs_on_a_case = object.case().is_some() && object != Object::Case;
    let delay = if hangs_on_a_case { HEAD_START } else { Duration::ZERO };
    let records: Vec<RecordRef> = ids.into_iter().map(|id| RecordRef { object, id }).collect();
    for records in records.chunks(RECORDS_MAX) {
        deps.sync.send_later(&MayHaveChanged { records: records.to_vec() }, delay).await?;
    }
    Ok(u64::try_from(records.len()).unwrap_or(u64::MAX))
}
