//! API Gateway, REST: what the template routes goes to a function as an event; everything else is answered here.

mod answer;
pub mod authorizer;
mod event;
pub mod refusal;
pub mod routes;
mod throttle;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{ConnectInfo, State};
use axum::response::Response;
use http::header::{
    ACCEPT, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_MAX_AGE, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderName, HeaderValue,
};
use http::request::Parts;
use http::{HeaderMap, Method, Request};
use portico_domain::{Clock, Random};

use crate::body::{self, BodyError};
use crate::identity;
use crate::lambda::{InvokeError, Lambda};
use crate::template::{self, MethodSetting};
use authorizer::{CognitoAuthorizer, TokenError};
use refusal::{Context, Refusal, RefusalError, Refusals};
use routes::{RouteError, Routes};
use throttle::{Bucket, Limit};

/// Largest body that the gateway takes, 10 MB.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html>
pub const MAX_BODY_BYTES: usize = 10 * 1024 * 1024;

/// Request line and headers together, from the same page.
pub const MAX_HEADER_BYTES: usize = 10_240;

/// Longest wait for a function, from the same page.
pub const INTEGRATION_TIMEOUT: Duration = Duration::from_secs(29);

/// An account's throttle where the template sets none, from the same page.
const DEFAULT_LIMIT: Limit = Limit { rate: 10_000, burst: 5_000 };

/// Why a template's API cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// A path or a method.
    #[error("{api}: {source}")]
    Route {
        /// The API's logical id.
        api: String,
        /// What is wrong.
        source: RouteError,
    },
    /// A gateway response.
    #[error("{api}: {source}")]
    Refusal {
        /// The API's logical id.
        api: String,
        /// What is wrong.
        source: RefusalError,
    },
    /// An authorizer that the API does not have.
    #[error("{api}: there is no authorizer {name}")]
    Authorizer {
        /// The API's logical id.
        api: String,
        /// The missing one.
        name: String,
    },
    /// CORS values that are no headers.
    #[error("{api}: the Cors values are not headers")]
    Cors {
        /// The API's logical id.
        api: String,
    },
}

/// One method of the template's API and the function behind it.
#[derive(Debug)]
pub struct ApiMethod {
    /// With `{parameters}`.
    pub path: String,
    /// In upper case, or `ANY`.
    pub method: String,
    /// An authorizer's name, `NONE`, or absent for the API's default.
    pub authorizer: Option<String>,
    /// What serves it.
    pub lambda: Lambda,
}

/// A REST API that is being served.
#[derive(Debug)]
pub struct Gateway {
    api_id: String,
    stage: String,
    /// `host:port`; on AWS the gateway's own name, whatever the caller wrote into `Host`.
    domain: String,
    routes: Routes<Target>,
    refusals: Refusals,
    preflight: Option<Preflight>,
    binary_media_types: Vec<String>,
    clock: Clock,
    random: Random,
}

#[derive(Debug)]
struct Target {
    lambda: Lambda,
    authorizer: Option<Arc<CognitoAuthorizer>>,
    bucket: Bucket,
}

#[derive(Debug)]
struct Preflight {
    headers: HeaderMap,
    /// Set if the template wants a token even there.
    authorizer: Option<Arc<CognitoAuthorizer>>,
}

impl Gateway {
    /// The API `api_id` of the template with its methods; `authorizers` by the names in the template.
    ///
    /// # Errors
    /// [`GatewayError`].
    pub fn new(
        api_id: &str,
        api: &template::RestApi,
        methods: Vec<ApiMethod>,
        authorizers: &BTreeMap<String, Arc<CognitoAuthorizer>>,
        domain: SocketAddr,
        clock: Clock,
        random: Random,
    ) -> Result<Self, GatewayError> {
        let named = |name: &str| {
            authorizers
                .get(name)
                .cloned()
                .ok_or_else(|| GatewayError::Authorizer { api: api_id.to_owned(), name: name.to_owned() })
        };
        let default = api.auth.default_authorizer.as_deref().map(&named).transpose()?;
        let mut routes = Routes::default();
        for method in methods {
            let authorizer = match method.authorizer.as_deref() {
                None => default.clone(),
                Some("NONE") => None,
                Some(name) => Some(named(name)?),
            };
            let limit = limit(&api.method_settings, &method.path, &method.method);
            let bucket = Bucket::full(limit, clock.now());
            routes
                .add(&method.method, &method.path, Target { lambda: method.lambda, authorizer, bucket })
                .map_err(|source| GatewayError::Route { api: api_id.to_owned(), source })?;
        }
        let refusals = Refusals::new(&api.gateway_responses)
            .map_err(|source| GatewayError::Refusal { api: api_id.to_owned(), source })?;
        let preflight = match &api.cors {
            Some(cors) => Some(Preflight {
                headers: cors_headers(cors).ok_or_else(|| GatewayError::Cors { api: api_id.to_owned() })?,
                authorizer: default.filter(|_| api.auth.add_default_authorizer_to_cors_preflight),
            }),
            None => None,
        };
        let binary_media_types = api
            .binary_media_types
            .iter()
            .map(|media| media.replace("~1", "/").to_ascii_lowercase())
            .collect();
        Ok(Self {
            api_id: api_id.to_owned(),
            stage: api.stage_name.clone(),
            domain: domain.to_string(),
            routes,
            refusals,
            preflight,
            binary_media_types,
            clock,
            random,
        })
    }

    /// Method and path of every route, for people.
    pub fn methods(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        self.routes
            .iter()
            .map(|route| (route.method.as_str(), route.resource.as_str(), route.target.lambda.name()))
    }

    async fn answer(&self, peer: SocketAddr, request: Request<Body>) -> Response {
        let (parts, body) = request.into_parts();
        // With the stage, as under the `execute-api` host, or without, as under a domain of one's own.
        let raw = parts.uri.path();
        let path = match raw.strip_prefix('/').and_then(|rest| rest.strip_prefix(self.stage.as_str())) {
            Some("") => "/",
            Some(rest) if rest.starts_with('/') => rest,
            _ => raw,
        };
        let mut context = Context {
            request_id: identity::request_id(&self.random),
            api_id: self.api_id.clone(),
            stage: self.stage.clone(),
            method: parts.method.as_str().to_owned(),
            path: format!("/{}{path}", self.stage),
            resource_path: None,
            source_ip: peer.ip().to_string(),
            time: self.clock.now(),
        };
        let outcome = self.route(path, &parts, body, &mut context).await;
        let mut response = match outcome {
            Ok(response) => response,
            Err(refusal) => self.refusals.answer(refusal, &context),
        };
        tracing::info!(
            method = %parts.method, path, status = response.status().as_u16(), request_id = context.request_id,
            milliseconds = self.clock.now().duration_since(context.time).as_millis(), "api"
        );
        if let Ok(id) = HeaderValue::from_str(&context.request_id) {
            response.headers_mut().insert(HeaderName::from_static("x-amzn-requestid"), id);
        }
        response
    }

    async fn route(
        &self,
        path: &str,
        parts: &Parts,
        body: Body,
        context: &mut Context,
    ) -> Result<Response, Refusal> {
        let mut tokens = parts.headers.get_all(AUTHORIZATION).iter();
        // Which of two would count, AWS says nowhere: neither does.
        let token = match (tokens.next(), tokens.next()) {
            (Some(token), None) => token.to_str().ok(),
            _ => None,
        };
        let Some(found) = self.routes.find(&context.method, path) else {
            return match &self.preflight {
                Some(preflight) if parts.method == Method::OPTIONS && self.routes.has_resource(path) => {
                    authorized(preflight.authorizer.as_deref(), token)?;
                    let mut response = Response::new(Body::empty());
                    *response.headers_mut() = preflight.headers.clone();
                    Ok(response)
                }
                _ => Err(Refusal::NoSuchRoute),
            };
        };
        context.resource_path = Some(found.route.resource.clone());
        let target = &found.route.target;
        if !target.bucket.take(context.time) {
            return Err(Refusal::Throttled);
        }
        if header_bytes(parts) > MAX_HEADER_BYTES {
            return Err(Refusal::HeadersTooLarge);
        }
        let claims = authorized(target.authorizer.as_deref(), token)?;
        let body = body::read(body, MAX_BODY_BYTES).await.map_err(|error| match error {
            BodyError::TooLarge => Refusal::TooLarge,
            BodyError::Broken => Refusal::BadRequest,
        })?;

        let binary = self.is_binary(parts.headers.get(CONTENT_TYPE));
        let event = event::proxy_event(&event::Request {
            context,
            resource: &found.route.resource,
            path,
            query: parts.uri.query().unwrap_or_default(),
            headers: &self.forwarded(&parts.headers, context),
            parameters: &found.parameters,
            claims: claims.as_ref(),
            domain: &self.domain,
            body: &body,
            binary,
        });
        let invoked = tokio::time::timeout(INTEGRATION_TIMEOUT, target.lambda.invoke(&event)).await;
        let answer = match invoked {
            Ok(Ok(answer)) => answer,
            Err(_) | Ok(Err(InvokeError::TimedOut(_))) => return Err(Refusal::TimedOut),
            Ok(Err(InvokeError::EventTooLarge)) => return Err(Refusal::TooLarge),
            Ok(Err(InvokeError::Throttled)) => return Err(Refusal::Overloaded),
            Ok(Err(
                InvokeError::Event(_)
                | InvokeError::Failed(_)
                | InvokeError::Panicked(_)
                | InvokeError::AnswerTooLarge,
            )) => return Err(Refusal::BadAnswer),
        };
        let decodes = self.is_binary(parts.headers.get(ACCEPT));
        answer::read(answer.get(), decodes).map_err(|error| {
            tracing::error!(function = target.lambda.name(), %error, "no answer for the gateway");
            Refusal::BadAnswer
        })
    }

    /// The caller's headers and those that the gateway adds.
    fn forwarded(&self, headers: &HeaderMap, context: &Context) -> HeaderMap {
        let mut headers = headers.clone();
        let port = self.domain.rsplit(':').next().unwrap_or_default().to_owned();
        for (name, value) in [
            (HOST, self.domain.clone()),
            (HeaderName::from_static("x-forwarded-for"), context.source_ip.clone()),
            (HeaderName::from_static("x-forwarded-port"), port),
            (HeaderName::from_static("x-forwarded-proto"), "http".to_owned()),
            (HeaderName::from_static("x-amzn-trace-id"), identity::trace_id(&self.clock, &self.random)),
        ] {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
        headers
    }

    /// Whether the first media type of a header is one of the API's binary ones.
    fn is_binary(&self, header: Option<&HeaderValue>) -> bool {
        let text = header.and_then(|value| value.to_str().ok()).unwrap_or_default().to_ascii_lowercase();
        let media = text.split([',', ';']).next().unwrap_or_default().trim();
        let (kind, _) = media.split_once('/').unwrap_or((media, ""));
        self.binary_media_types
            .iter()
            .any(|known| known == "*/*" || known == media || known.strip_suffix("/*") == Some(kind))
    }
}

/// Serves every request that is not the local cloud's own.
pub async fn serve(
    State(gateway): State<Arc<Gateway>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request<Body>,
) -> Response {
    gateway.answer(peer, request).await
}

fn authorized(
    authorizer: Option<&CognitoAuthorizer>,
    token: Option<&str>,
) -> Result<Option<authorizer::Claims>, Refusal> {
    match authorizer.map(|authorizer| authorizer.authorize(token)) {
        None => Ok(None),
        Some(Ok(claims)) => Ok(Some(claims)),
        Some(Err(error)) => {
            tracing::debug!(%error, "token refused");
            Err(if error == TokenError::Expired { Refusal::ExpiredToken } else { Refusal::Unauthorized })
        }
    }
}

/// Method, target and headers as they were on the wire, without the separators.
fn header_bytes(parts: &Parts) -> usize {
    let line = parts.method.as_str().len() + parts.uri.path_and_query().map_or(0, |path| path.as_str().len());
    parts.headers.iter().fold(line, |sum, (name, value)| sum + name.as_str().len() + value.len())
}

/// The throttle of one method: the most specific of the template's settings.
fn limit(settings: &[MethodSetting], path: &str, method: &str) -> Limit {
    let wanted = path.replace('/', "~1");
    let fits = |setting: &&MethodSetting| {
        let resource = setting.resource_path.trim_start_matches('/');
        let same = resource == wanted.trim_start_matches("~1") || setting.resource_path == path;
        (same || setting.resource_path == "/*")
            && (setting.http_method == method || setting.http_method == "*")
    };
    let specific = |setting: &&MethodSetting| (setting.resource_path != "/*", setting.http_method != "*");
    let setting = settings.iter().filter(fits).max_by_key(specific);
    Limit {
        rate: setting.and_then(|setting| setting.throttling_rate_limit).unwrap_or(DEFAULT_LIMIT.rate),
        burst: setting.and_then(|setting| setting.throttling_burst_limit).unwrap_or(DEFAULT_LIMIT.burst),
    }
}

/// What SAM's `OPTIONS` method answers, always with status 200.
fn cors_headers(cors: &template::Cors) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    for (name, value) in [
        (ACCESS_CONTROL_ALLOW_ORIGIN, Some(&cors.allow_origin)),
        (ACCESS_CONTROL_ALLOW_METHODS, cors.allow_methods.as_ref()),
        (ACCESS_CONTROL_ALLOW_HEADERS, cors.allow_headers.as_ref()),
        (ACCESS_CONTROL_MAX_AGE, cors.max_age.as_ref()),
    ] {
        if let Some(value) = value {
            headers.insert(name, HeaderValue::from_str(value).ok()?);
        }
    }
    Some(headers)
}
