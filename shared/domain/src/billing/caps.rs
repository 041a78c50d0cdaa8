//! The least and the most that work costs.

use serde::{Deserialize, Serialize};

use super::{figures::PositiveMoney, period::Period};
use crate::{Money, money::MoneyError};

/// What a cap is a cap of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CapSpan {
    /// All work under the contract.
    Lifetime,
    /// The work of each month.
    Period,
}

/// Work costs no more than this, after discounts and before tax.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cap {
    /// The most.
    pub limit: PositiveMoney,
    /// Of what.
    pub span: CapSpan,
}

/// How much of a cap is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CapUse {
    /// The amount.
    pub used: Money,
    /// The month in which it was used last.
    pub period: Period,
}

impl Cap {
    /// What is used up before a bill of `period`. What another month used is nothing to the cap of a month.
    pub(super) fn used(&self, before: Option<&CapUse>, period: Period) -> Money {
        let nothing = Money::zero(self.limit.get().currency());
        match (self.span, before) {
            (CapSpan::Lifetime, Some(before)) => before.used,
            (CapSpan::Period, Some(before)) if before.period == period => before.used,
            (CapSpan::Period, Some(_)) | (_, None) => nothing,
        }
    }

    /// What a bill may still cost if `used` is used up. A cap that was lowered below what is used leaves nothing.
    pub(super) fn room(&self, used: Money) -> Result<Money, MoneyError> {
        let room = self.limit.get().minus(used)?;
        Ok(if room.minor() < 0 { Money::zero(room.currency()) } else { room })
    }
}

/// Cuts `amounts` where their sum reaches `room`: in their order, in the middle of one if need be.
pub(super) fn trim(amounts: &[Money], room: Money) -> Result<Vec<Money>, MoneyError> {
    let mut left = room;
    let mut kept = Vec::with_capacity(amounts.len());
    for amount in amounts {
        let part = if amount.minor() <= left.minor() { *amount } else { left };
        left = left.minus(part)?;
        kept.push(part);
    }
    Ok(kept)
}
