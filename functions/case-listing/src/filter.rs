//! Which cases a list is asked for, as it stands in the query.

use axum::extract::{FromRequestParts, Query};
use http::request::Parts;
use portico_domain::{
    UserId,
    cases::{CaseField, CaseFilter, CaseProcess, Openness},
    text::TextError,
};
use portico_http::{FieldCode, Fields, Kind, Problem, Unfit};
use serde::Deserialize;
use utoipa::IntoParams;

/// Longest value of a filter.
const VALUE_MAX: usize = 100;

/// The query parameters, parsed.
#[derive(Debug, Clone)]
pub struct FilterQuery(pub CaseFilter);

/// The query parameters behind [`FilterQuery`].
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Parameters {
    /// `open`, `closed` or `all`.
    #[param(value_type = Option<String>, pattern = "^(open|closed|all)$", example = "open")]
    state: Option<String>,
    /// The consultancy's word for where it stands, in any letter case.
    #[param(min_length = 1, max_length = 100, pattern = r"\S", example = "Working")]
    status: Option<String>,
    /// The consultancy's word for how urgent it is, in any letter case.
    #[param(min_length = 1, max_length = 100, pattern = r"\S", example = "High")]
    priority: Option<String>,
    /// Who raised it in the portal: a user id.
    #[param(
        min_length = 1,
        max_length = 128,
        pattern = "^[A-Za-z0-9_-]{1,128}$",
        example = "22222222-2222-4222-8222-222222222222"
    )]
    raised_by: Option<String>,
    /// The contract that it is about.
    #[param(pattern = "^ctr_[0-9a-f]{32}$", example = "ctr_01993b8e5c6a7d2f8b1e4a9c0d3f6e72")]
    contract: Option<String>,
    /// What stands in subject or number, in any letter case.
    #[param(min_length = 1, max_length = 100, pattern = r"\S", example = "printer")]
    text: Option<String>,
}

impl IntoParams for FilterQuery {
    fn into_params(
        parameter_in_provider: impl Fn() -> Option<utoipa::openapi::path::ParameterIn>,
    ) -> Vec<utoipa::openapi::path::Parameter> {
        Parameters::into_params(parameter_in_provider)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for FilterQuery {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let Query(asked) = Query::<Parameters>::try_from_uri(&parts.uri)
            .map_err(|_| Problem::new(Kind::InvalidRequest).because("The query string cannot be read."))?;
        let mut fields = Fields::new();
        let openness = fields.take("/state", openness(asked.state.as_deref()));
        let status = fields.take("/status", word(asked.status));
        let priority = fields.take("/priority", word(asked.priority));
        let text = fields.take("/text", word(asked.text));
        let raiser = fields.take(
            "/raised_by",
            asked
                .raised_by
                .map(UserId::try_from)
                .transpose()
                .map_err(|_| Unfit(FieldCode::Malformed, "must be a user id")),
        );
        let contract = fields.take("/contract", asked.contract.map(|id| id.parse()).transpose());
        match (openness, status, priority, raiser, contract, text) {
            (Some(openness), Some(status), Some(priority), Some(raiser), Some(contract), Some(text)) => {
                Ok(Self(CaseFilter { openness, status, priority, raiser, contract, text }))
            }
            _ => Err(fields.refusal()),
        }
    }
}

impl FilterQuery {
    /// The filter, if it asks only for what clients are shown: what is kept from them could otherwise be found out by
    /// asking for it.
    pub(crate) fn of_what_is_shown(self, process: &CaseProcess) -> Result<CaseFilter, Problem> {
        let mut fields = Fields::new();
        for (pointer, asked, field) in [
            ("/priority", self.0.priority.is_some(), CaseField::Priority),
            ("/contract", self.0.contract.is_some(), CaseField::Contract),
        ] {
            if asked && !process.shows(field) {
                fields.refuse(pointer, FieldCode::UnknownField, "is not shown in this portal");
            }
        }
        if fields.is_empty() { Ok(self.0) } else { Err(fields.refusal()) }
    }
}

fn openness(text: Option<&str>) -> Result<Openness, Unfit> {
    match text {
        None | Some("all") => Ok(Openness::All),
        Some("open") => Ok(Openness::Open),
        Some("closed") => Ok(Openness::Closed),
        Some(_) => Err(Unfit(FieldCode::UnknownValue, "must be open, closed or all")),
    }
}

fn word(text: Option<String>) -> Result<Option<String>, TextError> {
    match text {
        Some(text) if text.trim().is_empty() => Err(TextError::Empty),
        Some(text) if text.chars().count() > VALUE_MAX => {
            Err(TextError::TooLong { limit: VALUE_MAX, length: text.chars().count() })
        }
        text => Ok(text.map(|text| text.trim().to_owned())),
    }
}
