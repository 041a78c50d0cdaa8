//! Function URLs: one function behind an address of its own, without a gateway.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html>

mod answer;
mod event;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{ConnectInfo, State};
use axum::response::Response;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Request, StatusCode};
use portico_domain::{Clock, Random};
use serde_json::{Value as Json, json};

use crate::body;
use crate::identity;
use crate::lambda::{InvokeError, Lambda, MAX_PAYLOAD_BYTES};

/// A function and its address.
#[derive(Clone, Debug)]
pub struct FunctionUrl {
    lambda: Lambda,
    /// `host:port`
    domain: Arc<str>,
    clock: Clock,
    random: Random,
}

impl FunctionUrl {
    /// `lambda` behind `domain`.
    #[must_use]
    pub fn new(lambda: Lambda, domain: SocketAddr, clock: Clock, random: Random) -> Self {
        Self { lambda, domain: domain.to_string().into(), clock, random }
    }

    async fn answer(&self, peer: SocketAddr, request: Request<Body>) -> Response {
        let request_id = identity::request_id(&self.random);
        let start = self.clock.now();
        let method = request.method().clone();
        let mut response = match self.invoke(peer, request, &request_id).await {
            Ok(response) => response,
            Err(refused) => refused,
        };
        // The path may carry a secret: it is not logged.
        tracing::info!(
            function = self.lambda.name(), %method, status = response.status().as_u16(), request_id,
            milliseconds = self.clock.now().duration_since(start).as_millis(), "function url"
        );
        if let Ok(id) = HeaderValue::from_str(&request_id) {
            response.headers_mut().insert(HeaderName::from_static("x-amzn-requestid"), id);
        }
        response
    }

    async fn invoke(
        &self,
        peer: SocketAddr,
        request: Request<Body>,
        request_id: &str,
    ) -> Result<Response, Response> {
        let (parts, body) = request.into_parts();
        let body = body::read(body, MAX_PAYLOAD_BYTES).await.map_err(|_| too_large())?;
        let event = event::http_event(&event::Request {
            parts: &parts,
            body: &body,
            domain: &self.domain,
            peer,
            request_id,
            time: self.clock.now(),
            trace_id: identity::trace_id(&self.clock, &self.random),
        });
        match self.lambda.invoke(&event).await {
            Ok(payload) => answer::read(payload.get()).map_err(|error| {
                tracing::error!(function = self.lambda.name(), %error, "no answer for the function url");
                failed()
            }),
            Err(InvokeError::EventTooLarge) => Err(too_large()),
            Err(InvokeError::Throttled) => Err(refusal(
                StatusCode::TOO_MANY_REQUESTS,
                "TooManyRequestsException",
                &json!({ "Reason": "ReservedFunctionConcurrentInvocationLimitExceeded", "Type": "User", "message": "Rate Exceeded." }),
            )),
            Err(
                InvokeError::Event(_)
                | InvokeError::Failed(_)
                | InvokeError::Panicked(_)
                | InvokeError::TimedOut(_)
                | InvokeError::AnswerTooLarge,
            ) => Err(failed()),
        }
    }
}

/// Serves every path of a function URL.
pub async fn serve(
    State(url): State<FunctionUrl>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request<Body>,
) -> Response {
    url.answer(peer, request).await
}

fn too_large() -> Response {
    let message =
        format!("Request must be smaller than {MAX_PAYLOAD_BYTES} bytes for the InvokeFunction operation");
    refusal(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLargeException", &json!({ "message": message }))
}

fn failed() -> Response {
    refusal(
        StatusCode::BAD_GATEWAY,
        "InternalServerErrorException",
        &json!({ "Message": "Internal Server Error" }),
    )
}

fn refusal(status: StatusCode, kind: &'static str, body: &Json) -> Response {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
        .headers_mut()
        .insert(HeaderName::from_static("x-amzn-errortype"), HeaderValue::from_static(kind));
    response
}
