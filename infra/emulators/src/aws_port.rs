//! One port for every service but DynamoDB, told apart as AWS tells them apart on its own hosts.

use std::time::Duration;

use awsim_cognito::well_known;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use http_body_util::{BodyExt as _, Limited};
use s3s::service::S3Service;
use tower::ServiceExt as _;
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

use crate::cognito::{self, Cognito};
use crate::json_protocol::{Refusal, TARGET};
use crate::mail::{self, Mailbox};
use crate::objects::Redating;
use crate::queues;
use crate::secrets::{self, Secrets};

/// Largest body of a JSON request: a batch of messages with every character escaped.
const JSON_BYTES: usize = 2 * 1024 * 1024;

/// How long a browser may remember the answer to a preflight.
const PREFLIGHT_AGE: Duration = Duration::from_secs(300);

/// The services behind the port.
#[derive(Clone)]
pub(crate) struct Services {
    pub(crate) queues: queues::wire::Api,
    pub(crate) secrets: Secrets,
    pub(crate) mailbox: Mailbox,
    pub(crate) cognito: Cognito,
    pub(crate) objects: S3Service,
    pub(crate) redating: Redating,
}

/// The services that browsers use themselves, as on AWS: whoever signs in there and uploads there.
#[derive(Clone)]
struct ForPages {
    objects: Router,
    cognito: Router,
}

/// The routes of the port. Only pages from `origins` may use S3 and Cognito from a browser, and no page may use the others.
pub(crate) fn routes(services: Services, origins: &[HeaderValue]) -> Router {
    let cors = CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins.iter().cloned()))
        .allow_methods([Method::GET, Method::HEAD, Method::PUT, Method::POST])
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers([header::ETAG, HeaderName::from_static("x-amz-checksum-sha256")])
        .max_age(PREFLIGHT_AGE);
    let for_pages = ForPages {
        // A preflight names no target, and so is answered here for both.
        objects: Router::new().fallback(object).with_state(services.clone()).layer(cors.clone()),
        cognito: Router::new().fallback(sign_in).with_state(services.cognito.clone()).layer(cors),
    };
    Router::new()
        .route("/{pool}/.well-known/jwks.json", get(well_known::jwks))
        .route("/{pool}/.well-known/openid-configuration", get(well_known::openid_configuration))
        .route(mail::SEND_PATH, post(send_email))
        .fallback(move |State(services): State<Services>, request: Request| {
            dispatch(services, for_pages, request)
        })
        .with_state(services)
}

async fn dispatch(services: Services, for_pages: ForPages, request: Request) -> Response {
    let target = target(&request);
    let page = match &target {
        None => Some(for_pages.objects),
        Some(target) if target.starts_with(cognito::TARGET_PREFIX) => Some(for_pages.cognito),
        Some(_) => None,
    };
    if let Some(router) = page {
        return match router.oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
    }
    let target = target.unwrap_or_default();
    let (parts, body) = request.into_parts();
    let body = match read(body).await {
        Ok(body) => body,
        Err(refusal) => return refusal.into_response("application/x-amz-json-1.0"),
    };
    if let Some(operation) = target.strip_prefix(queues::wire::TARGET_PREFIX) {
        services.queues.call(operation, &parts.headers, &body).await
    } else if let Some(operation) = target.strip_prefix(secrets::TARGET_PREFIX) {
        services.secrets.call(operation, &parts.headers, &body).await
    } else {
        Refusal::new("UnknownOperationException", format!("no emulator here for {target}"))
            .into_response("application/x-amz-json-1.0")
    }
}

/// The operation that a request names, with its service.
fn target(request: &Request) -> Option<String> {
    request.headers().get(TARGET).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

async fn sign_in(State(cognito): State<Cognito>, request: Request) -> Response {
    let target = target(&request).unwrap_or_default();
    let operation = target.strip_prefix(cognito::TARGET_PREFIX).unwrap_or_default();
    let (parts, body) = request.into_parts();
    match read(body).await {
        Ok(body) => cognito.call(operation, parts.method, parts.uri, parts.headers, body).await,
        Err(refusal) => refusal.into_response("application/x-amz-json-1.1"),
    }
}

async fn send_email(State(services): State<Services>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    match read(body).await {
        Ok(body) => services.mailbox.send_email(&parts.headers, &body).await,
        Err(refusal) => refusal.into_response("application/json"),
    }
}

async fn read(body: Body) -> Result<Bytes, Refusal> {
    match Limited::new(body, JSON_BYTES).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) => Err(Refusal {
            status: StatusCode::PAYLOAD_TOO_LARGE,
            ..Refusal::new("RequestEntityTooLargeException", error.to_string())
        }),
    }
}

async fn object(State(services): State<Services>, request: Request) -> Response {
    match services.objects.oneshot(services.redating.redate(request)).await {
        Ok(response) => response.map(Body::new),
        Err(error) => {
            tracing::error!(?error, "S3 emulator failed");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
