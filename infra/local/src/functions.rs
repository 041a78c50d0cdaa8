//! Which crate is behind which function of the template.

use std::collections::BTreeMap;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use portico_aws::{BootError, Cloud, Function};

type Booting = Pin<Box<dyn Future<Output = Result<Function, BootError>> + Send>>;
type Constructor = Arc<dyn Fn(Cloud) -> Booting + Send + Sync>;

/// Constructors by the name of the binary (`Metadata.BuildProperties.Binary`).
#[derive(Clone, Default)]
pub struct Functions(BTreeMap<String, Constructor>);

impl fmt::Debug for Functions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Functions {
    /// Adds a function; a later one of the same name replaces an earlier one.
    #[must_use]
    pub fn with<B, Fut>(mut self, binary: &str, constructor: B) -> Self
    where
        B: Fn(Cloud) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Function, BootError>> + Send + 'static,
    {
        self.0.insert(
            binary.to_owned(),
            Arc::new(move |cloud: Cloud| -> Booting { Box::pin(constructor(cloud)) }),
        );
        self
    }

    /// Whether there is a function of this name.
    #[must_use]
    pub fn has(&self, binary: &str) -> bool {
        self.0.contains_key(binary)
    }

    /// Starts a function as Lambda would; `None` if there is none of this name.
    pub async fn boot(&self, binary: &str, cloud: Cloud) -> Option<Result<Function, BootError>> {
        let constructor = self.0.get(binary)?;
        Some(constructor(cloud).await)
    }
}

/// The portal's functions, by the names in `template.yaml`.
#[must_use]
pub fn of_the_workspace() -> Functions {
    macro_rules! table {
        ($($binary:literal => $library:ident),+ $(,)?) => {
            Functions::default()
                $(.with($binary, |cloud: Cloud| async move { $library::function(&cloud).await }))+
        };
    }
    table! {
        "archive-assembly" => archive_assembly,
        "billing-cycles" => billing_cycles,
        "billing-preview" => billing_preview,
        "case-archives" => case_archives,
        "case-changes" => case_changes,
        "case-conversation" => case_conversation,
        "audit-recording" => audit_recording,
        "audit-trail" => audit_trail,
        "case-listing" => case_listing,
        "case-submission" => case_submission,
        "event-relay" => event_relay,
        "file-changes" => file_changes,
        "file-disposal" => file_disposal,
        "invoice-disputes" => invoice_disputes,
        "invoice-drafting" => invoice_drafting,
        "invoice-generation" => invoice_generation,
        "invoice-listing" => invoice_listing,
        "invoice-rendering" => invoice_rendering,
        "live-connections" => live_connections,
        "live-tickets" => live_tickets,
        "malware-verdicts" => malware_verdicts,
        "presigned-downloads" => presigned_downloads,
        "presigned-uploads" => presigned_uploads,
        "salesforce-change-events" => salesforce_change_events,
        "salesforce-reconcile" => salesforce_reconcile,
        "salesforce-sync" => salesforce_sync,
        "salesforce-writer" => salesforce_writer,
        "upload-confirmation" => upload_confirmation,
        "webhook-receiver" => webhook_receiver,
    }
}
