//! Files whose time has come go, for good: uploads that never came, what was refused, what was deleted a month ago, what
//! is to be erased, and what the consultancy keeps no longer.
//!
//! Each record says when somebody has to look at it. A schedule calls this to look at those whose moment has passed, and
//! the rules of that moment decide ([`File::disposal`](portico_domain::files::File::disposal)). It may die anywhere and run
//! twice at once: what it did not get done is due as before, and the next run goes on with it.

mod disposal;
mod run;

use portico_aws::{BootError, Bucket, Cloud, Function, Metrics, ObjectError};
use portico_domain::{Clock, Random, files::FileRules};
use portico_store::{Store, StoreError, engine::Table};
use serde::de::IgnoredAny;

pub use run::{DAYS_BACK, LIMITS, Limits, Tally, run};

/// What this function works with.
#[derive(Clone)]
pub struct Deps {
    /// The portal's records.
    pub store: Store,
    /// Where the content of files lies.
    pub bucket: Bucket,
    /// How long files are kept.
    pub rules: FileRules,
    /// Measurements.
    pub metrics: Metrics,
    /// The time.
    pub clock: Clock,
    /// New ids.
    pub random: Random,
}

impl Deps {
    /// From the cloud around it.
    ///
    /// # Errors
    /// [`BootError`] if `template.yaml` does not give it what it needs.
    pub fn new(cloud: &Cloud) -> Result<Self, BootError> {
        let tables = [Table::Files, Table::Usage, Table::Cases, Table::CaseActivity, Table::Outbox];
        Ok(Self {
            store: cloud.store(&tables)?,
            bucket: cloud.bucket("FILES_BUCKET")?,
            rules: cloud.file_rules()?,
            metrics: cloud.metrics(),
            clock: cloud.clock(),
            random: cloud.random(),
        })
    }
}

/// The function, from the cloud that it runs in.
///
/// # Errors
/// [`BootError`] if `template.yaml` does not give it what it needs.
pub async fn function(cloud: &Cloud) -> Result<Function, BootError> {
    let deps = Deps::new(cloud)?;
    // The clock says what is due, not the event: it may come late, or twice.
    Ok(Function::event(move |_: IgnoredAny, _| {
        let deps = deps.clone();
        async move { Ok::<_, DisposalError>(run(&deps, LIMITS).await) }
    }))
}

/// Why a file could not be disposed of. The next run tries again.
#[derive(Debug, thiserror::Error)]
pub enum DisposalError {
    /// The records cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Its content cannot be removed.
    #[error(transparent)]
    Object(#[from] ObjectError),
}
