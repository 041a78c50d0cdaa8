//! Lists, a page at a time.

use axum::extract::{FromRequestParts, Query};
use http::request::Parts;
use portico_store::{Cursor, PageSize};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{FieldCode, FieldRefusal, Fields, Kind, Problem};

/// Which page of a list: `limit` (1 to 100, 25 if absent) and `cursor` (from `next_cursor`).
#[derive(Debug, Clone)]
pub struct PageQuery {
    /// Items a page.
    pub size: PageSize,
    /// Where to go on.
    pub cursor: Option<Cursor>,
}

/// The query parameters behind [`PageQuery`].
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Parameters {
    /// Items a page, 1 to 100.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 100, example = 25)]
    limit: Option<String>,
    /// Where to go on: `next_cursor` of the page before.
    #[param(max_length = 512)]
    cursor: Option<String>,
}

impl IntoParams for PageQuery {
    fn into_params(
        parameter_in_provider: impl Fn() -> Option<utoipa::openapi::path::ParameterIn>,
    ) -> Vec<utoipa::openapi::path::Parameter> {
        Parameters::into_params(parameter_in_provider)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for PageQuery {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let Query(Parameters { limit, cursor }) = Query::try_from_uri(&parts.uri).map_err(|_| {
            Problem::new(Kind::InvalidRequest)
                .because("A parameter stands twice, or the query string cannot be read.")
        })?;
        let mut fields = Fields::new();
        let size = match limit {
            None => Some(PageSize::DEFAULT),
            Some(text) => {
                let size = text.parse().ok().and_then(PageSize::new);
                if size.is_none() {
                    fields.refuse("/limit", FieldCode::OutOfRange, "must be a number from 1 to 100");
                }
                size
            }
        };
        let cursor = match cursor {
            None => Some(None),
            Some(text) => fields.take("/cursor", text.parse().map(Some)),
        };
        match (size, cursor) {
            (Some(size), Some(cursor)) => Ok(Self { size, cursor }),
            _ => Err(fields.refusal()),
        }
    }
}

/// The refusal of a cursor that belongs to another list.
pub fn cursor_refused(error: portico_store::CursorError) -> Problem {
    Problem::new(Kind::InvalidRequest).because("Some fields were refused.").at("/cursor", error.code(), error)
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct PageBody<T> {
    /// The items, in order.
    pub items: Vec<T>,
    /// Hand it over as `cursor` for the next page; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}
