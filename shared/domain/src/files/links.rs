//! Links: requests that the store takes from whoever holds them, for a while.

use jiff::Timestamp;
use serde::Serialize;

use super::Part;

/// A request that whoever holds it may send once or often until it lapses, exactly as it stands here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PresignedRequest {
    /// HTTP method.
    pub method: &'static str,
    /// Where to.
    pub url: String,
    /// Headers that are signed and must be sent as they are, in order.
    pub headers: Vec<(String, String)>,
    /// From when on the store refuses it.
    pub expires_at: Timestamp,
}

/// How a file goes up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UploadLinks {
    /// In one piece.
    Whole(PresignedRequest),
    /// In parts, each with its own request; those that are not there yet.
    Parts(Vec<(Part, PresignedRequest)>),
}
