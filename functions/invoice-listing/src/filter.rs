//! Which invoices a list is asked for, as it stands in the query.

use axum::extract::{FromRequestParts, Query};
use http::request::Parts;
use jiff::civil::Date;
use portico_domain::{
    CaseId,
    billing::{InvoiceFilter, InvoiceState},
};
use portico_http::{FieldCode, Fields, Kind, Problem, Unfit};
use serde::Deserialize;
use utoipa::IntoParams;

const NO_STATE: Unfit = Unfit(FieldCode::UnknownValue, "must be open, partly_paid, paid, overdue or void");
const NO_CASE: Unfit = Unfit(FieldCode::Malformed, "must be the id of a case");
const NO_DAY: Unfit = Unfit(FieldCode::Malformed, "must be a day, such as 2026-11-22");
/// Characters of a day.
const DAY_LENGTH: usize = "2026-11-22".len();

/// The query parameters, parsed.
#[derive(Debug, Clone)]
pub struct FilterQuery {
    state: Option<InvoiceState>,
    case: Option<CaseId>,
    from: Option<Date>,
    to: Option<Date>,
}

impl FilterQuery {
    /// What is asked for today.
    pub(crate) fn on(self, today: Date) -> InvoiceFilter {
        let Self { state, case, from, to } = self;
        InvoiceFilter { state: state.map(|state| (state, today)), case, from, to }
    }
}

/// The query parameters behind [`FilterQuery`].
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Parameters {
    /// What they are today.
    #[param(value_type = Option<String>, pattern = "^(open|partly_paid|paid|overdue|void)$", example = "open")]
    state: Option<String>,
    /// The case that they bill.
    #[param(pattern = "^case_[0-9a-f]{32}$")]
    case: Option<String>,
    /// The first day of issue.
    #[param(value_type = Option<String>, format = Date, example = "2026-01-01")]
    from: Option<String>,
    /// The last day of issue, not before the first.
    #[param(value_type = Option<String>, format = Date, example = "2026-12-31")]
    to: Option<String>,
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
        let state = fields.take("/state", asked.state.as_deref().map(state).transpose());
        let case = asked.case.map(|id| id.parse().map_err(|_| NO_CASE)).transpose();
        let case = fields.take("/case", case);
        let from = fields.take("/from", asked.from.as_deref().map(day).transpose());
        let to = fields.take("/to", asked.to.as_deref().map(day).transpose());
        match (state, case, from, to) {
            (Some(_), Some(_), Some(Some(from)), Some(Some(to))) if to < from => {
                fields.refuse("/to", FieldCode::OutOfRange, "must not be before the first day");
                Err(fields.refusal())
            }
            (Some(state), Some(case), Some(from), Some(to)) => Ok(Self { state, case, from, to }),
            _ => Err(fields.refusal()),
        }
    }
}

fn state(text: &str) -> Result<InvoiceState, Unfit> {
    match text {
        "open" => Ok(InvoiceState::Open),
        "partly_paid" => Ok(InvoiceState::PartlyPaid),
        "paid" => Ok(InvoiceState::Paid),
        "overdue" => Ok(InvoiceState::Overdue),
        "void" => Ok(InvoiceState::Void),
        _ => Err(NO_STATE),
    }
}

/// One that is written in no other way, and that sorts as it is written.
fn day(text: &str) -> Result<Date, Unfit> {
    let day: Date = text.parse().map_err(|_| NO_DAY)?;
    if text.len() == DAY_LENGTH && day.to_string() == text { Ok(day) } else { Err(NO_DAY) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_read_as_they_are_written() {
        assert_eq!(day("2026-11-22").unwrap().to_string(), "2026-11-22");
        for wrong in ["2026-11-31", "2026-11-2", "20261122", "2026-11-22T00:00", "-002026-11-22", ""] {
            assert_eq!(day(wrong), Err(NO_DAY), "{wrong}");
        }
    }
}
