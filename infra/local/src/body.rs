//! Bodies of requests, up to a limit.

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;

/// How much of a body that is too large is read and thrown away: a client that is still writing would otherwise meet
/// a closed connection instead of the answer. Beyond this it does.
const MAX_DISCARDED_BYTES: usize = 64 * 1024 * 1024;

/// Why there is no body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyError {
    /// Larger than the limit.
    TooLarge,
    /// The connection broke.
    Broken,
}

/// The whole body, if it has at most `limit` bytes.
pub(crate) async fn read(mut body: Body, limit: usize) -> Result<Bytes, BodyError> {
    let mut kept = BytesMut::new();
    let mut discarded = 0_usize;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| BodyError::Broken)?.into_data() else { continue };
        if discarded == 0 && kept.len().saturating_add(data.len()) <= limit {
            kept.extend_from_slice(&data);
            continue;
        }
        kept.clear();
        discarded = discarded.saturating_add(data.len());
        if discarded > MAX_DISCARDED_BYTES {
            break;
        }
    }
    if discarded > 0 { Err(BodyError::TooLarge) } else { Ok(kept.freeze()) }
}
