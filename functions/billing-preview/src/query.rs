//! What a preview is asked for, as it stands in the query.

use axum::extract::{FromRequestParts, Query};
use http::request::Parts;
use portico_domain::{CaseId, ContractId};
use portico_http::{FieldCode, Fields, Kind, Problem};
use serde::Deserialize;
use utoipa::IntoParams;

/// What is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PreviewQuery {
    /// Everything of the account.
    Account,
    /// One contract, with its months and cases.
    Contract(ContractId),
    /// One case, open or closed.
    Case(CaseId),
}

/// The query parameters behind [`PreviewQuery`].
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Parameters {
    /// Only this contract.
    #[param(pattern = "^ctr_[0-9a-f]{32}$", example = "ctr_01993b8e5c6a7d2f8b1e4a9c0d3f6e72")]
    contract: Option<String>,
    /// Only this case; not together with `contract`.
    #[param(pattern = "^case_[0-9a-f]{32}$", example = "case_01993b8e5c6a7d2f8b1e4a9c0d3f6e72")]
    case: Option<String>,
}

impl IntoParams for PreviewQuery {
    fn into_params(
        parameter_in_provider: impl Fn() -> Option<utoipa::openapi::path::ParameterIn>,
    ) -> Vec<utoipa::openapi::path::Parameter> {
        Parameters::into_params(parameter_in_provider)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for PreviewQuery {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let Query(Parameters { contract, case }) = Query::try_from_uri(&parts.uri)
            .map_err(|_| Problem::new(Kind::InvalidRequest).because("The query string cannot be read."))?;
        let mut fields = Fields::new();
        let both = contract.is_some() && case.is_some();
        let contract = fields.take("/contract", contract.map(|id| id.parse()).transpose());
        let case = fields.take("/case", case.map(|id| id.parse()).transpose());
        if both {
            fields.refuse("/case", FieldCode::UnknownField, "cannot stand beside a contract");
        }
        match (contract, case) {
            (Some(None), Some(None)) => Ok(Self::Account),
            (Some(Some(contract)), Some(None)) => Ok(Self::Contract(contract)),
            (Some(None), Some(Some(case))) => Ok(Self::Case(case)),
            _ => Err(fields.refusal()),
        }
    }
}
