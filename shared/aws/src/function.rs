//! A function as every host sees it: JSON event in, JSON answer out.

use std::{future::Future, pin::Pin, sync::Arc};

use axum::Router;
use lambda_http::{Adapter, RequestExt, request::LambdaRequest};
use lambda_runtime::{Context, LambdaEvent};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;
use tower::{Service, ServiceExt};

/// A REST API's stage is part of its address, not of its routes; `lambda_http` puts it in front of the path.
fn without_stage(mut request: lambda_http::Request) -> lambda_http::Request {
    let path = request.raw_http_path().to_owned();
    let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
    if !path.is_empty()
        && let Ok(uri) = format!("{path}{query}").parse()
    {
        *request.uri_mut() = uri;
    }
    request
}

/// One deployed function. Lambda, the local cloud and the tests all call [`Function::invoke`], with the
/// event that AWS would send, so nothing runs in one place that does not run in the others.
#[derive(Clone)]
pub struct Function(Arc<dyn Handler>);

/// Why an invocation has no answer. AWS then retries it or answers 502, as the event source demands.
#[derive(Debug, thiserror::Error)]
pub enum FunctionError {
    /// The event is not of the shape that this function is for.
    #[error("the event is not one for this function: {0}")]
    Event(#[source] serde_json::Error),
    /// The answer could not be written as JSON.
    #[error("the answer cannot be written: {0}")]
    Answer(#[source] serde_json::Error),
    /// The handler gave up; the event source decides what follows.
    #[error("{0}")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
}

type Answer = Pin<Box<dyn Future<Output = Result<Box<RawValue>, FunctionError>> + Send>>;

trait Handler: Send + Sync {
    fn call(&self, event: LambdaEvent<Box<RawValue>>) -> Answer;
}

impl<F: Fn(LambdaEvent<Box<RawValue>>) -> Answer + Send + Sync> Handler for F {
    fn call(&self, event: LambdaEvent<Box<RawValue>>) -> Answer {
        self(event)
    }
}

impl Function {
    /// Routes behind API Gateway or a function URL.
    pub fn http(routes: Router) -> Self {
        Self(Arc::new(move |event: LambdaEvent<Box<RawValue>>| -> Answer {
            let payload =
                serde_json::from_str::<LambdaRequest>(event.payload.get()).map_err(FunctionError::Event);
            // The adapter itself cannot cross threads, what it starts can.
            let work = payload.map(|payload| {
                let routes = routes.clone().map_request(without_stage);
                Adapter::from(routes).call(LambdaEvent::new(payload, event.context))
            });
            Box::pin(async move {
                let answer = work?.await.map_err(|never| FunctionError::Failed(Box::new(never)))?;
                serde_json::value::to_raw_value(&answer).map_err(FunctionError::Answer)
            })
        }))
    }

    /// A handler of events of type `E`: a queue's batch, a stream's records, a rule's event.
    pub fn event<E, A, X, Fut>(handler: impl Fn(E, Context) -> Fut + Send + Sync + 'static) -> Self
    where
        E: DeserializeOwned + Send + 'static,
        A: Serialize,
        X: Into<Box<dyn std::error::Error + Send + Sync>>,
        Fut: Future<Output = Result<A, X>> + Send + 'static,
    {
        Self(Arc::new(move |event: LambdaEvent<Box<RawValue>>| -> Answer {
            let payload = serde_json::from_str(event.payload.get()).map_err(FunctionError::Event);
            let work = payload.map(|payload| handler(payload, event.context));
            Box::pin(async move {
                let answer = work?.await.map_err(|error| FunctionError::Failed(error.into()))?;
                serde_json::value::to_raw_value(&answer).map_err(FunctionError::Answer)
            })
        }))
    }

    /// Runs the function once.
    ///
    /// # Errors
    /// [`FunctionError`], which Lambda reports as a failed invocation.
    pub async fn invoke(&self, event: LambdaEvent<Box<RawValue>>) -> Result<Box<RawValue>, FunctionError> {
        self.0.call(event).await
    }
}
