//! What invokes functions without a caller who waits: queues, streams, rules and schedules.

pub mod asynchronous;
pub mod bridge;
pub mod pattern;
pub mod queue;
pub mod schedule;
pub mod stream;

use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;

/// How long things wait between attempts. The defaults are those of AWS; tests are in more of a hurry.
#[derive(Clone, Copy, Debug)]
pub struct Delays {
    /// Before the second and the third attempt of an asynchronous invocation.
    /// <https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html>
    pub asynchronous: [Duration; 2],
    /// Before the first retry of a stream's batch; each further one waits twice as long.
    pub stream_first: Duration,
    /// The longest wait between retries of a stream's batch.
    pub stream_longest: Duration,
    /// Before an object is tried for the second time that could not be scanned; each further try waits twice as long.
    /// GuardDuty's own waits are not documented.
    pub scan_first: Duration,
    /// The longest wait between tries to scan an object.
    pub scan_longest: Duration,
}

impl Delays {
    /// The wait after this many attempts to scan an object.
    pub(crate) fn before_scan(&self, attempts: u32) -> Duration {
        let doubled = 2_u32.saturating_pow(attempts.saturating_sub(1));
        self.scan_first.saturating_mul(doubled).min(self.scan_longest)
    }
}

impl Default for Delays {
    fn default() -> Self {
        Self {
            asynchronous: [Duration::from_secs(60), Duration::from_secs(120)],
            stream_first: Duration::from_millis(100),
            stream_longest: Duration::from_secs(30),
            scan_first: Duration::from_secs(1),
            scan_longest: Duration::from_secs(16),
        }
    }
}

/// How long one look into a queue waits. A new message ends the wait at once, so this bounds only how long a shutdown
/// takes: a look that was cut off could leave messages hidden that nobody has.
pub(crate) const LOOK: Duration = Duration::from_millis(500);

/// Pause after an emulator's own failure, so that a full disk does not make a busy loop.
pub(crate) const TROUBLE_PAUSE: Duration = Duration::from_secs(1);

/// What a function with `ReportBatchItemFailures` answers.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct BatchAnswer {
    #[serde(default)]
    batch_item_failures: Option<Vec<BatchItemFailure>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct BatchItemFailure {
    item_identifier: String,
}

/// The items of a batch that failed, or `None` if the answer makes the whole batch a failure: it is malformed, or it
/// names something that was not in the batch.
fn failed_items(answer: &RawValue, known: impl Fn(&str) -> bool) -> Option<Vec<String>> {
    // `null` and `{}` say that all is well.
    let answer: Option<BatchAnswer> = serde_json::from_str(answer.get()).ok()?;
    let failures = answer.unwrap_or_default().batch_item_failures.unwrap_or_default();
    failures.into_iter().map(|failure| Some(failure.item_identifier).filter(|id| known(id))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_to_a_batch() {
        let items = |json: &str| {
            let raw = serde_json::value::RawValue::from_string(json.to_owned()).unwrap();
            failed_items(&raw, |id| id == "a" || id == "b")
        };
        for well in ["null", "{}", r#"{"batchItemFailures":null}"#, r#"{"batchItemFailures":[]}"#] {
            assert_eq!(items(well), Some(vec![]), "{well}");
        }
        assert_eq!(items(r#"{"batchItemFailures":[{"itemIdentifier":"b"}]}"#), Some(vec!["b".to_owned()]));
        for ill in [
            r#"{"batchItemFailures":[{"itemIdentifier":"c"}]}"#,
            r#"{"batchItemFailures":[{"itemIdentifier":""}]}"#,
            r#"{"batchItemFailures":[{"itemIdentifier":null}]}"#,
            r#"{"batchItemFailures":[{"wrong":"b"}]}"#,
            "\"text\"",
        ] {
            assert_eq!(items(ill), None, "{ill}");
        }
    }
}
