//! A plain HTTP client that knows nothing of the portal.

use std::time::Duration;

use crate::report::Broken;

/// How long one request may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A client that follows nothing, so that what is answered is what is seen.
pub(crate) fn client() -> Result<reqwest::Client, Broken> {
    // Everything here is plain HTTP on this machine; the client wants a TLS provider all the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = reqwest::Client::builder().timeout(TIMEOUT).no_proxy();
    Ok(builder.redirect(reqwest::redirect::Policy::none()).build()?)
}
