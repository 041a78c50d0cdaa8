//! The variables that an operator's command needs, in a file of the data directory: what the stack's outputs and one's own
//! credentials are on AWS.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use crate::template::Scope;

/// The file, in the data directory.
pub const FILE: &str = "operator.env";

/// What `portico` needs of the stack: variable and logical id.
const RESOURCES: [(&str, &str); 2] =
    [("RECONCILE_QUEUE_URL", "ReconcileQueue"), ("SYNC_RUNS_TABLE", "SyncRunsTable")];

/// What it needs of AWS. Credentials of the emulators are no secret: they open nothing but this machine's.
const AWS: [&str; 5] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_ENDPOINT_URL_DYNAMODB",
    "AWS_ENDPOINT_URL_SQS",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
];

/// Writes the file, in place of that of an earlier start.
///
/// # Errors
/// If the data directory cannot be written to.
pub(crate) fn write(data: &Path, scope: &Scope, aws: &BTreeMap<String, String>) -> std::io::Result<()> {
    let mut text = String::new();
    let resources = RESOURCES.into_iter().filter_map(|(name, id)| Some((name, scope.reference(id)?)));
    let aws = AWS.into_iter().filter_map(|name| Some((name, aws.get(name)?.as_str())));
    for (name, value) in resources.chain(aws) {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{name}={value}");
    }
    std::fs::write(data.join(FILE), text)
}
