//! Lambda: a function with the bounds that AWS puts around it.

use std::sync::Arc;
use std::time::Duration;

use lambda_runtime::{Context, LambdaEvent};
use portico_domain::{Clock, Random};
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::sync::{Semaphore, TryAcquireError};

use crate::identity;

/// Largest event and largest answer of a synchronous invocation, 6 MB.
/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
pub const MAX_PAYLOAD_BYTES: usize = 6 * 1024 * 1024;

/// Invocations at once of all functions without a reservation: a new account's quota.
pub const ACCOUNT_CONCURRENCY: usize = 1000;

/// Why an invocation has no answer.
#[derive(Debug, thiserror::Error)]
pub enum InvokeError {
    /// The event could not be written as JSON.
    #[error("the event cannot be written: {0}")]
    Event(#[from] serde_json::Error),
    /// The event is larger than [`MAX_PAYLOAD_BYTES`].
    #[error("the event is larger than {MAX_PAYLOAD_BYTES} bytes")]
    EventTooLarge,
    /// As many invocations run as may.
    #[error("too many invocations at once")]
    Throttled,
    /// The function returned an error.
    #[error("{0}")]
    Failed(String),
    /// The function panicked.
    #[error("the function panicked: {0}")]
    Panicked(String),
    /// The function ran longer than the template allows.
    #[error("Task timed out after {:.2} seconds", .0.as_secs_f32())]
    TimedOut(Duration),
    /// The answer is larger than [`MAX_PAYLOAD_BYTES`].
    #[error("the answer is larger than {MAX_PAYLOAD_BYTES} bytes")]
    AnswerTooLarge,
}

/// How many invocations may run at once.
#[derive(Clone, Debug)]
pub struct Concurrency(Arc<Semaphore>);

impl Concurrency {
    /// Room for `limit` invocations at once.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self(Arc::new(Semaphore::new(limit.min(Semaphore::MAX_PERMITS))))
    }
}

/// One deployed function.
#[derive(Clone)]
pub struct Lambda {
    name: Arc<str>,
    function: portico_aws::Function,
    timeout: Duration,
    concurrency: Concurrency,
    clock: Clock,
    random: Random,
}

impl std::fmt::Debug for Lambda {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lambda")
            .field("name", &self.name)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

impl Lambda {
    /// `function` under the name of its logical id.
    #[must_use]
    pub fn new(
        name: &str,
        function: portico_aws::Function,
        timeout: Duration,
        concurrency: Concurrency,
        clock: Clock,
        random: Random,
    ) -> Self {
        Self { name: name.into(), function, timeout, concurrency, clock, random }
    }

    /// The logical id.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs the function once with `event`; what it leaves unfinished at the time-out is dropped, as Lambda freezes
    /// and ends the sandbox.
    ///
    /// # Errors
    /// [`InvokeError`]; errors of the function itself and its panics are logged here.
    pub async fn invoke(&self, event: &impl Serialize) -> Result<Box<RawValue>, InvokeError> {
        let payload = serde_json::value::to_raw_value(event)?;
        if payload.get().len() > MAX_PAYLOAD_BYTES {
            return Err(InvokeError::EventTooLarge);
        }
        let permit = match Arc::clone(&self.concurrency.0).try_acquire_owned() {
            Ok(permit) => permit,
            Err(TryAcquireError::NoPermits | TryAcquireError::Closed) => {
                tracing::warn!(function = %self.name, "throttled: too many invocations at once");
                return Err(InvokeError::Throttled);
            }
        };
        let request_id = identity::request_id(&self.random);
        let function = self.function.clone();
        let event = LambdaEvent::new(payload, self.context(&request_id));
        // In its own task: a panic stays there, and a caller that goes away does not stop the function.
        let running = tokio::spawn(tokio::time::timeout(self.timeout, async move {
            let _permit = permit;
            function.invoke(event).await
        }));
        let outcome = match running.await {
            Err(join) => Err(InvokeError::Panicked(panic_message(join))),
            Ok(Err(_)) => Err(InvokeError::TimedOut(self.timeout)),
            Ok(Ok(Err(error))) => Err(InvokeError::Failed(error.to_string())),
            Ok(Ok(Ok(answer))) if answer.get().len() > MAX_PAYLOAD_BYTES => Err(InvokeError::AnswerTooLarge),
            Ok(Ok(Ok(answer))) => Ok(answer),
        };
        if let Err(error) = &outcome {
            tracing::error!(function = %self.name, request_id, %error, "invocation failed");
        }
        outcome
    }

    fn context(&self, request_id: &str) -> Context {
        let milliseconds = u64::try_from(self.clock.now().as_millisecond()).unwrap_or_default();
        let timeout = u64::try_from(self.timeout.as_millis()).unwrap_or(u64::MAX);
        let mut context = Context::default();
        context.request_id = request_id.to_owned();
        context.deadline = milliseconds.saturating_add(timeout);
        context.invoked_function_arn = identity::function_arn(&self.name);
        context.xray_trace_id = Some(identity::trace_id(&self.clock, &self.random));
        context
    }
}

/// What a panicking function said; an aborted task said nothing.
fn panic_message(error: tokio::task::JoinError) -> String {
    match error.try_into_panic() {
        Ok(panic) => panic
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "no message".to_owned()),
        Err(_) => "the task was cancelled".to_owned(),
    }
}
