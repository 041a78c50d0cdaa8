//! Questions about positions of invoices, and disputes.

use jiff::Timestamp;
use portico_domain::billing::{Answer, Closing, Dispute, DisputeKind, DisputeState, Outcome, Signed};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{AuthorView, MoneyView};

/// A question about a position of an invoice, or a dispute about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Dispute)]
pub struct DisputeView {
    /// The portal's id.
    #[schema(pattern = "^dsp_[0-9a-f]{32}$", example = "dsp_01993b8e5c6a7d2f8b1e4a9c0d3f6e72")]
    pub id: String,
    /// The invoice.
    #[schema(pattern = "^inv_[0-9a-f]{32}$")]
    pub invoice: String,
    /// That invoice's number.
    #[schema(example = "2026-000042")]
    pub invoice_number: String,
    /// The position, from 1.
    pub line: u16,
    /// What the client wants.
    #[serde(rename = "type")]
    pub kind: DisputeKindView,
    /// Whose turn it is, or how it ended.
    pub state: DisputeStateView,
    /// What was left of the position when it was raised, with its share of the tax. A dispute holds as much of what is
    /// open, a question holds nothing.
    pub amount: MoneyView,
    /// What the client said, as plain text.
    pub text: String,
    /// By whom.
    pub author: AuthorView,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub raised_at: Timestamp,
    /// What was said since, the oldest first.
    pub answers: Vec<AnswerView>,
    /// How it ended, once it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closing: Option<ClosingView>,
}

/// What a client wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = DisputeKind)]
pub enum DisputeKindView {
    /// To understand the position. Everything stays payable.
    Question,
    /// Not to pay the position. It is held until the dispute is over.
    Dispute,
}

impl From<DisputeKind> for DisputeKindView {
    fn from(kind: DisputeKind) -> Self {
        match kind {
            DisputeKind::Question => Self::Question,
            DisputeKind::Dispute => Self::Dispute,
        }
    }
}

impl From<DisputeKindView> for DisputeKind {
    fn from(kind: DisputeKindView) -> Self {
        match kind {
            DisputeKindView::Question => Self::Question,
            DisputeKindView::Dispute => Self::Dispute,
        }
    }
}

/// Whose turn it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = DisputeState)]
pub enum DisputeStateView {
    /// The consultancy's.
    Asked,
    /// The client's.
    Answered,
    /// Nobody's: it is over.
    Closed,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = DisputeOutcome)]
pub enum OutcomeView {
    /// The client took it back.
    Withdrawn,
    /// A question was answered.
    Answered,
    /// The client was right: of the position something was credited.
    Upheld,
    /// The position stands.
    Rejected,
}

impl From<Outcome> for OutcomeView {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Withdrawn => Self::Withdrawn,
            Outcome::Answered => Self::Answered,
            Outcome::Upheld => Self::Upheld,
            Outcome::Rejected => Self::Rejected,
        }
    }
}

impl From<OutcomeView> for Outcome {
    fn from(outcome: OutcomeView) -> Self {
        match outcome {
            OutcomeView::Withdrawn => Self::Withdrawn,
            OutcomeView::Answered => Self::Answered,
            OutcomeView::Upheld => Self::Upheld,
            OutcomeView::Rejected => Self::Rejected,
        }
    }
}

/// What was said after the first word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = DisputeAnswer)]
pub struct AnswerView {
    /// As plain text.
    pub text: String,
    /// By whom.
    pub author: AuthorView,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
}

/// How and why it ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = DisputeClosing)]
pub struct ClosingView {
    /// How.
    pub outcome: OutcomeView,
    /// Why, as plain text; who takes something back need not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// By whom.
    pub author: AuthorView,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
}

impl From<&Dispute> for DisputeView {
    fn from(dispute: &Dispute) -> Self {
        let Signed { author, at, .. } = &dispute.raised;
        let (state, closing) = match &dispute.state {
            DisputeState::Asked => (DisputeStateView::Asked, None),
            DisputeState::Answered => (DisputeStateView::Answered, None),
            DisputeState::Closed(closing) => (DisputeStateView::Closed, Some(closing.into())),
        };
        Self {
            id: dispute.id.to_string(),
            invoice: dispute.invoice.to_string(),
            invoice_number: dispute.number.to_string(),
            line: dispute.line,
            kind: dispute.kind.into(),
            state,
            amount: dispute.gross.into(),
            text: dispute.text.as_str().to_owned(),
            author: author.into(),
            raised_at: *at,
            answers: dispute.answers.iter().map(AnswerView::from).collect(),
            closing,
        }
    }
}

impl From<&Answer> for AnswerView {
    fn from(answer: &Answer) -> Self {
        let Signed { author, at, .. } = &answer.by;
        Self { text: answer.text.as_str().to_owned(), author: author.into(), at: *at }
    }
}

impl From<&Closing> for ClosingView {
    fn from(closing: &Closing) -> Self {
        let Signed { author, at, .. } = &closing.by;
        Self {
            outcome: closing.outcome.into(),
            reason: closing.reason.as_ref().map(|reason| reason.as_str().to_owned()),
            author: author.into(),
            at: *at,
        }
    }
}
