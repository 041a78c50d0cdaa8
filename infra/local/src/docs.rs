//! `/_local/docs/`: the API's description as a page, on which it can also be tried. Everything comes from this process:
//! it works without a network.

use std::sync::{Arc, LazyLock};

use axum::body::Body;
use axum::extract::Path;
use axum::response::{IntoResponse as _, Redirect, Response};
use http::StatusCode;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS,
};
use utoipa_swagger_ui::Config;

/// Where the page is; what it loads lies below it.
pub(crate) const PATH: &str = "/_local/docs/";
/// The description that it shows.
pub(crate) const DESCRIPTION: &str = "/_local/openapi.json";

/// The page sets styles from scripts and draws its icons from data; it loads and calls nothing but this machine.
const POLICY: &str =
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'";

/// What Swagger UI is told.
static CONFIG: LazyLock<Arc<Config<'static>>> = LazyLock::new(|| {
    let config = Config::from(DESCRIPTION).display_operation_id(true);
    // No button that sends the description to a service elsewhere.
    Arc::new(config.validator_url("none").try_it_out_enabled(true))
});

/// To the page itself: what it loads, it loads from beside it.
pub(crate) async fn to_page() -> Redirect {
    Redirect::permanent(PATH)
}

/// The page.
pub(crate) async fn page() -> Response {
    file("")
}

/// What the page loads.
pub(crate) async fn part(Path(name): Path<String>) -> Response {
    file(&name)
}

fn file(name: &str) -> Response {
    match utoipa_swagger_ui::serve(name, Arc::clone(&CONFIG)) {
        Ok(Some(file)) => {
            let mut response = Response::new(Body::from(file.bytes.into_owned()));
            let headers = response.headers_mut();
            if let Ok(content_type) = HeaderValue::from_str(&file.content_type) {
                headers.insert(CONTENT_TYPE, content_type);
            }
            headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
            headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
            response
        }
        Ok(None) => StatusCode::NOT_FOUND.into_response(),
        Err(error) => {
            tracing::error!(%error, name, "the page of the API's description");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
