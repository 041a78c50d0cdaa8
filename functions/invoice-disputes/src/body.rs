//! What clients and staff send.

use portico_domain::billing::{DISPUTE_TEXT_MAX, DisputeText};
use portico_http::{
    Fields, Problem, schemas,
    views::{DisputeKindView, OutcomeView},
};
use serde::Deserialize;
use utoipa::{ToSchema, openapi::Object};

/// What is asked, or disputed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DisputeBody)]
pub struct RaiseBody {
    /// A question leaves everything payable; a dispute holds the position.
    #[serde(rename = "type")]
    pub(crate) kind: DisputeKindView,
    /// What is to be explained, or what is wrong.
    #[schema(schema_with = text_schema)]
    pub(crate) text: String,
}

/// What is said to it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DisputeAnswerBody)]
pub struct AnswerBody {
    /// The words.
    #[schema(schema_with = text_schema)]
    pub(crate) text: String,
}

/// How it ends.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DisputeResolutionBody)]
pub struct ResolveBody {
    /// A question ends `answered` or `withdrawn`; a dispute `upheld`, `rejected` or `withdrawn`. Before it is `upheld`,
    /// something of the position has to be credited.
    pub(crate) outcome: OutcomeView,
    /// Why.
    #[schema(schema_with = text_schema)]
    pub(crate) reason: String,
}

/// That it is taken back.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DisputeWithdrawalBody)]
pub struct WithdrawBody {
    /// Why, if somebody wants to say.
    #[serde(default)]
    #[schema(schema_with = text_schema)]
    pub(crate) reason: Option<String>,
}

fn text_schema() -> Object {
    schemas::paragraphs(
        DISPUTE_TEXT_MAX,
        "Plain text.",
        "We were told that the call on Friday is not charged.",
    )
}

/// The text of a field, if it can be taken.
pub(crate) fn text(pointer: &str, text: String) -> Result<DisputeText, Problem> {
    let mut fields = Fields::new();
    fields.take(pointer, text.try_into()).ok_or_else(|| fields.refusal())
}
