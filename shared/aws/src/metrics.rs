//! What operators watch: every metric of the product, named in one place.
//!
//! A metric is one line of JSON in CloudWatch's embedded metric format
//! (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>):
//! written to standard output it becomes a metric without a call to any service.

use std::{fmt, io::Write, sync::Arc};

use portico_domain::Clock;
use serde_json::json;

/// Under which every metric stands in CloudWatch; alarms in `template.yaml` name it.
pub const NAMESPACE: &str = "Portico";

/// What is measured. The name is the variant's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Metric {
    /// From a change in Salesforce (`SystemModstamp`, whole seconds) to the portal's showing it.
    ChangeToVisible,
    /// A message of Salesforce that did not become durable, so that it has to be sent again.
    MessageNotTaken,
    /// A change event that does not say which records changed: a sweep has to find them.
    SweepNeeded,
    /// How much of the org's API limit is used, as Salesforce says with each answer.
    SalesforceApiUsage,
    /// Salesforce did not let the portal in.
    SalesforceSignInRefused,
    /// A change of a client's that cannot be carried over went to the dead letters.
    WritesParked,
    /// Changes that a sweep found and the portal should have had by then: whoever tells it had missed them.
    SweepFound,
    /// How far the end of a sweep is behind the moment up to which the portal has every change. Written by every
    /// sweep that comes to its end, so that its absence tells as much.
    SweepLag,
    /// Differences between Salesforce and the portal that a compare found.
    Drift,
    /// Dead letters that were sent back by hand.
    Redriven,
    /// Uploads that nobody will ever download: a scanner found something in them or could not look into them, or they are
    /// not what was declared.
    FilesRejected,
    /// An upload that was not scanned because of us: the scanner was not let in, or failed.
    ScanFailed,
    /// Uploads that nobody compared or scanned in time.
    FilesStuck,
    /// Files of which a look at what has to go could not dispose. Written by every look, so that its absence tells as much.
    DisposalFailed,
    /// Contracts of which a look at what has to be billed could not say whether a month is due. Written by every look, so
    /// that its absence tells as much.
    BillingLookFailed,
}

impl Metric {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::ChangeToVisible,
        Self::MessageNotTaken,
        Self::SweepNeeded,
        Self::SalesforceApiUsage,
        Self::SalesforceSignInRefused,
        Self::WritesParked,
        Self::SweepFound,
        Self::SweepLag,
        Self::Drift,
        Self::Redriven,
        Self::FilesRejected,
        Self::ScanFailed,
        Self::FilesStuck,
        Self::DisposalFailed,
        Self::BillingLookFailed,
    ];

    /// Its name in CloudWatch.
    pub fn name(self) -> &'static str {
        match self {
            Self::ChangeToVisible => "ChangeToVisible",
            Self::MessageNotTaken => "MessageNotTaken",
            Self::SweepNeeded => "SweepNeeded",
            Self::SalesforceApiUsage => "SalesforceApiUsage",
            Self::SalesforceSignInRefused => "SalesforceSignInRefused",
            Self::WritesParked => "WritesParked",
            Self::SweepFound => "SweepFound",
            Self::SweepLag => "SweepLag",
            Self::Drift => "Drift",
            Self::Redriven => "Redriven",
            Self::FilesRejected => "FilesRejected",
            Self::ScanFailed => "ScanFailed",
            Self::FilesStuck => "FilesStuck",
            Self::DisposalFailed => "DisposalFailed",
            Self::BillingLookFailed => "BillingLookFailed",
        }
    }

    /// Its unit in CloudWatch.
    pub fn unit(self) -> &'static str {
        match self {
            Self::ChangeToVisible => "Milliseconds",
            Self::SweepLag => "Seconds",
            Self::SalesforceApiUsage => "Percent",
            Self::MessageNotTaken
            | Self::SweepNeeded
            | Self::SalesforceSignInRefused
            | Self::WritesParked
            | Self::SweepFound
            | Self::Drift
            | Self::Redriven
            | Self::FilesRejected
            | Self::ScanFailed
            | Self::FilesStuck
            | Self::DisposalFailed
            | Self::BillingLookFailed => "Count",
        }
    }
}

type Sink = Arc<dyn Fn(&str) + Send + Sync>;

/// Where measurements go.
#[derive(Clone)]
pub struct Metrics {
    clock: Clock,
    service: Arc<str>,
    sink: Sink,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").field("service", &self.service).finish_non_exhaustive()
    }
}

impl Metrics {
    /// Measurements of `service` (a function), each line given to `sink`.
    pub fn new(service: &str, clock: Clock, sink: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self { clock, service: service.into(), sink: Arc::new(sink) }
    }

    /// Measurements to standard output, where Lambda's log agent picks them up.
    pub(crate) fn to_standard_output(service: &str, clock: Clock) -> Self {
        Self::new(service, clock, |line| {
            // A measurement that cannot be written is not worth a failed request.
            let _ = writeln!(std::io::stdout().lock(), "{line}");
        })
    }

    /// One measurement.
    pub fn record(&self, metric: Metric, value: u64) {
        let line = json!({
            "_aws": {
                "Timestamp": self.clock.now().as_millisecond(),
                "CloudWatchMetrics": [{
                    "Namespace": NAMESPACE,
                    "Dimensions": [["Function"]],
                    "Metrics": [{ "Name": metric.name(), "Unit": metric.unit() }],
                }],
            },
            "Function": &*self.service,
            metric.name(): value,
        });
        (self.sink)(&line.to_string());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn a_measurement_is_one_line_in_the_embedded_format() {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let kept = lines.clone();
        let clock = Clock::new(|| jiff::Timestamp::from_second(1_800_000_000).unwrap());
        let metrics =
            Metrics::new("salesforce-sync", clock, move |line| kept.lock().unwrap().push(line.to_owned()));
        metrics.record(Metric::ChangeToVisible, 840);
        let expected = json!({
            "_aws": {
                "Timestamp": 1_800_000_000_000_i64,
                "CloudWatchMetrics": [{
                    "Namespace": "Portico",
                    "Dimensions": [["Function"]],
                    "Metrics": [{ "Name": "ChangeToVisible", "Unit": "Milliseconds" }],
                }],
            },
            "Function": "salesforce-sync",
            "ChangeToVisible": 840,
        });
        let lines = lines.lock().unwrap();
        let read: Vec<serde_json::Value> =
            lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(read, [expected]);
    }
}
