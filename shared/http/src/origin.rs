//! Where a request comes from: its id and its route.

use axum::extract::MatchedPath;
use http::{Extensions, Method};
use jiff::Timestamp;
use lambda_http::request::RequestContext;
use portico_domain::{audit::Actor, people::Viewer};

/// What stands for a route that is none.
const NO_ROUTE: &str = "-";

/// The request that somebody acts by.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    request_id: String,
    route: String,
}

impl Origin {
    pub(crate) fn of(method: &Method, extensions: &Extensions) -> Self {
        Self { request_id: request_id(extensions), route: format!("{method} {}", pattern(extensions)) }
    }

    pub(crate) fn actor(&self, viewer: &Viewer) -> Actor {
        Actor::new(viewer, &self.request_id, &self.route)
    }
}

/// The gateway's id of the request; what a client quotes to support.
pub(crate) fn request_id(extensions: &Extensions) -> String {
    let id = match extensions.get::<RequestContext>() {
        Some(RequestContext::ApiGatewayV1(context)) => context.request_id.clone(),
        Some(RequestContext::ApiGatewayV2(context)) => context.request_id.clone(),
        _ => None,
    };
    id.unwrap_or_else(|| "unknown".to_owned())
}

/// When the gateway received the request, by its clock.
pub(crate) fn received_at(extensions: &Extensions) -> Option<Timestamp> {
    match extensions.get::<RequestContext>()? {
        RequestContext::ApiGatewayV1(context) => Timestamp::from_millisecond(context.request_time_epoch).ok(),
        _ => None,
    }
}

/// The pattern of the route, never the path: paths hold what clients type.
pub(crate) fn pattern(extensions: &Extensions) -> &str {
    extensions.get::<MatchedPath>().map_or(NO_ROUTE, MatchedPath::as_str)
}
