//! Questions about a position of an invoice, and disputes.
//!
//! ```text
//!            answer of staff
//!   Asked ───────────────────▶ Answered
//!     │ ▲                          │ │
//!     │ └──────────────────────────┘ │
//!     │       reply of a client      │
//!     └──────────▶ Closed ◀──────────┘
//!          withdrawn, answered, upheld, rejected
//! ```
//!
//! A dispute claims its position with its share of the tax. What is held of the invoice follows from the claims: their
//! sum, and never more than is open. So a payment, a credit note and a dispute can come in any order.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::invoice::{Invoice, InvoiceNumber, Positions, Settlement};
use crate::{
    AccountId, DisputeId, InvoiceId, Money, UserId,
    cases::{Author, Side},
    money::MoneyError,
    text::{Paragraphs, TextError},
};

/// Most questions and disputes about one invoice, closed ones included.
pub const DISPUTES_MAX: u16 = 100;
/// Most answers and replies to one question or dispute; with the longest texts that is a third of what one record
/// holds.
pub const ANSWERS_MAX: usize = 20;
/// Most characters of what is said at once.
pub const DISPUTE_TEXT_MAX: usize = 1_500;

/// What is said about a position: 1 to [`DISPUTE_TEXT_MAX`] characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DisputeText(Paragraphs<DISPUTE_TEXT_MAX>);

impl DisputeText {
    /// The text.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl TryFrom<String> for DisputeText {
    type Error = TextError;

    fn try_from(text: String) -> Result<Self, TextError> {
        let text = Paragraphs::try_from(text)?;
        if text.as_str().is_empty() { Err(TextError::Empty) } else { Ok(Self(text)) }
    }
}

impl From<DisputeText> for String {
    fn from(text: DisputeText) -> String {
        text.0.into()
    }
}

/// What a client wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DisputeKind {
    /// To understand the position. Everything stays payable.
    Question,
    /// Not to pay the position. It is held until the dispute is over.
    Dispute,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The client took it back.
    Withdrawn,
    /// A question was answered.
    Answered,
    /// The client was right: of the position something was credited.
    Upheld,
    /// The position stands.
    Rejected,
}

impl Outcome {
    /// Whether what a client wanted can end so.
    fn ends(self, kind: DisputeKind) -> bool {
        match (self, kind) {
            (Self::Withdrawn, DisputeKind::Question | DisputeKind::Dispute)
            | (Self::Answered, DisputeKind::Question)
            | (Self::Upheld | Self::Rejected, DisputeKind::Dispute) => true,
            (Self::Answered, DisputeKind::Dispute)
            | (Self::Upheld | Self::Rejected, DisputeKind::Question) => false,
        }
    }
}

/// Who did something, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signed {
    /// The person.
    pub user: UserId,
    /// They, as others see them.
    pub author: Author,
    /// When.
    pub at: Timestamp,
}

/// What was said after the first word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The words.
    pub text: DisputeText,
    /// By whom.
    pub by: Signed,
}

/// The end of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closing {
    /// How.
    pub outcome: Outcome,
    /// Why; who takes something back need not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<DisputeText>,
    /// By whom.
    pub by: Signed,
}

/// Whose turn it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum DisputeState {
    /// The consultancy's.
    Asked,
    /// The client's.
    Answered,
    /// Nobody's.
    Closed(Closing),
}

/// A question about one position of an invoice, or a dispute about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dispute {
    /// The portal's id.
    pub id: DisputeId,
    /// Whose it is.
    pub account: AccountId,
    /// The invoice.
    pub invoice: InvoiceId,
    /// That invoice's number.
    pub number: InvoiceNumber,
    /// The position, from 1.
    pub line: u16,
    /// What the client wants.
    pub kind: DisputeKind,
    /// What was left of the position when it was raised, before tax.
    pub net: Money,
    /// The same with its share of the tax.
    pub gross: Money,
    /// The first word.
    pub text: DisputeText,
    /// By whom.
    pub raised: Signed,
    /// What was said since, the oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<Answer>,
    /// Whose turn it is.
    #[serde(flatten)]
    pub state: DisputeState,
    /// Counts the writes of this record, from 1.
    pub version: u64,
}

/// What a dispute keeps from being paid, as the invoice knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// Which dispute.
    pub dispute: DisputeId,
    /// The position with its share of the tax, as far as it was not credited.
    pub amount: Money,
}

/// What an invoice knows of the questions and disputes about it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Disputed {
    /// How many there were.
    pub raised: u16,
    /// How many are not closed.
    pub open: u16,
    /// Open disputes, by position.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub claims: BTreeMap<u16, Claim>,
}

impl Disputed {
    /// Whether there never was any.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// Why something is not asked, disputed, answered or closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DisputeError {
    /// The invoice has no such position.
    #[error("the invoice has no position {0}")]
    UnknownLine(u16),
    /// One dispute about a position at a time.
    #[error("position {0} is in dispute already")]
    AlreadyDisputed(u16),
    /// There is nothing that a dispute could be about.
    #[error("all of position {0} was credited")]
    Credited(u16),
    /// More than one invoice has.
    #[error("there are at most {DISPUTES_MAX} questions and disputes about one invoice")]
    TooMany,
    /// More than one record holds.
    #[error("there are at most {ANSWERS_MAX} answers to one question or dispute")]
    TooManyAnswers,
    /// It is over.
    #[error("this is closed; raise a new one")]
    Closed,
    /// A question is neither upheld nor rejected, and a dispute not merely answered.
    #[error("a question ends answered or withdrawn, a dispute upheld, rejected or withdrawn")]
    OtherOutcome,
    /// Nobody is right without getting anything.
    #[error("nothing of position {0} was credited since; credit it first")]
    NotCredited(u16),
    /// A sum that does not fit.
    #[error(transparent)]
    Money(#[from] MoneyError),
}

/// What a client raises.
#[derive(Debug, Clone)]
pub struct Raising {
    /// Its id.
    pub id: DisputeId,
    /// The position, from 1.
    pub line: u16,
    /// What they want.
    pub kind: DisputeKind,
    /// What they say.
    pub text: DisputeText,
    /// Who they are.
    pub by: Signed,
}

impl Settlement {
    /// The same with as much held as is claimed, and never more than is open.
    #[must_use]
    pub fn holding(self, claimed: Money) -> Self {
        let held = claimed.minor().min(self.open.minor()).max(0);
        Self { held: Money::from_minor(held, self.open.currency()), ..self }
    }
}

impl Invoice {
    /// Asks about a position, or disputes it: the invoice as it stands afterwards, and what was raised.
    ///
    /// # Errors
    /// [`DisputeError`].
    pub fn raise(&self, positions: &Positions, raising: Raising) -> Result<(Self, Dispute), DisputeError> {
        let Raising { id, line, kind, text, by } = raising;
        let (net, gross) = self.left_with_tax(positions, line)?.ok_or(DisputeError::UnknownLine(line))?;
        if self.disputed.raised >= DISPUTES_MAX {
            return Err(DisputeError::TooMany);
        }
        let mut disputed = self.disputed.clone();
        if kind == DisputeKind::Dispute {
            if net.minor() <= 0 && self.is_charged(positions, line) {
                return Err(DisputeError::Credited(line));
            }
            if disputed.claims.insert(line, Claim { dispute: id, amount: gross }).is_some() {
                return Err(DisputeError::AlreadyDisputed(line));
            }
        }
        disputed.raised += 1;
        disputed.open += 1;
        let dispute = Dispute {
            id,
            account: self.account,
            invoice: self.id,
            number: self.number.clone(),
            line,
            kind,
            net,
            gross,
            text,
            raised: by,
            answers: Vec::new(),
            state: DisputeState::Asked,
            version: 1,
        };
        let next = Self { disputed, version: self.version + 1, ..self.clone() };
        Ok((next.held_again()?, dispute))
    }

    /// Ends a question or a dispute about the invoice: the invoice as it stands afterwards, and what was closed.
    ///
    /// # Errors
    /// [`DisputeError`].
    pub fn close(
        &self,
        positions: &Positions,
        dispute: &Dispute,
        closing: Closing,
    ) -> Result<(Self, Dispute), DisputeError> {
        if matches!(dispute.state, DisputeState::Closed(_)) {
            return Err(DisputeError::Closed);
        }
        if !closing.outcome.ends(dispute.kind) {
            return Err(DisputeError::OtherOutcome);
        }
        if closing.outcome == Outcome::Upheld {
            let left = self.left_of(positions, dispute.line)?;
            let left = left.ok_or(DisputeError::UnknownLine(dispute.line))?;
            // A position that costs nothing has nothing to give back.
            if dispute.net.minor() > 0 && left.minor() >= dispute.net.minor() {
                return Err(DisputeError::NotCredited(dispute.line));
            }
        }
        let mut disputed = self.disputed.clone();
        disputed.open = disputed.open.saturating_sub(1);
        disputed.claims.retain(|_, claim| claim.dispute != dispute.id);
        let next = Self { disputed, version: self.version + 1, ..self.clone() };
        let closed =
            Dispute { state: DisputeState::Closed(closing), version: dispute.version + 1, ..dispute.clone() };
        Ok((next.held_again()?, closed))
    }

    /// The same with as much held as is claimed. To be asked for after whatever changes what is open.
    ///
    /// # Errors
    /// [`MoneyError`] if the claims do not fit.
    pub fn held_again(self) -> Result<Self, MoneyError> {
        let claimed = self.disputed.claims.values().map(|claim| claim.amount);
        let claimed = Money::sum(self.currency, claimed)?;
        Ok(Self { settlement: self.settlement.holding(claimed), ..self })
    }

    /// After a credit: of a position that is in dispute no more is claimed than is left of it. The dispute itself stays
    /// open, until somebody says how it ended.
    pub(super) fn claimed_again(mut self, positions: &Positions) -> Result<Self, MoneyError> {
        let mut claims = std::mem::take(&mut self.disputed.claims);
        for (line, claim) in &mut claims {
            if let Some((_, left)) = self.left_with_tax(positions, *line)? {
                claim.amount = Money::from_minor(claim.amount.minor().min(left.minor()), self.currency);
            }
        }
        self.disputed.claims = claims;
        self.held_again()
    }

    /// What is left of a position, before tax and with its share of the tax; `None` if there is no such position.
    fn left_with_tax(&self, positions: &Positions, line: u16) -> Result<Option<(Money, Money)>, MoneyError> {
        let Some(left) = self.left_of(positions, line)? else { return Ok(None) };
        let place = usize::from(line).saturating_sub(1);
        let taxes = positions.tax_by_line(&self.taxes)?;
        let (Some(position), Some(share)) = (positions.lines.get(place), taxes.get(place)) else {
            return Ok(None);
        };
        let tax = if left == position.amount {
            *share
        } else {
            // Something was credited, so the amount is not zero.
            let exact = share
                .to_decimal()
                .checked_mul(left.to_decimal())
                .and_then(|product| product.checked_div(position.amount.to_decimal()))
                .unwrap_or(Decimal::ZERO);
            Money::rounded(exact, self.currency)?
        };
        Ok(Some((left, left.plus(tax)?)))
    }

    /// Whether a position costs anything.
    fn is_charged(&self, positions: &Positions, line: u16) -> bool {
        let place = usize::from(line).checked_sub(1);
        place.and_then(|place| positions.lines.get(place)).is_some_and(|line| line.amount.minor() > 0)
    }
}

impl Dispute {
    /// Somebody says something more: then it is the other side's turn.
    ///
    /// # Errors
    /// [`DisputeError::Closed`] and [`DisputeError::TooManyAnswers`].
    pub fn answer(&self, answer: Answer) -> Result<Self, DisputeError> {
        if matches!(self.state, DisputeState::Closed(_)) {
            return Err(DisputeError::Closed);
        }
        if self.answers.len() >= ANSWERS_MAX {
            return Err(DisputeError::TooManyAnswers);
        }
        let state = match answer.by.author.side {
            Side::Staff => DisputeState::Answered,
            Side::Client => DisputeState::Asked,
        };
        let mut next = Self { state, version: self.version + 1, ..self.clone() };
        next.answers.push(answer);
        Ok(next)
    }
}
