//! Discounts: what is taken off, and from what.

use serde::{Deserialize, Serialize};

use super::figures::{Percent, PositiveMoney};
use crate::Money;

/// Most discounts of a contract.
pub const DISCOUNTS_MAX: usize = 10;
/// Most steps of a volume discount.
pub const VOLUME_STEPS_MAX: usize = 20;

/// What a discount is taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DiscountOn {
    /// Hours.
    Work,
    /// Hours and fees.
    WorkAndFees,
    /// Everything, expenses included.
    Everything,
}

/// A discount.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Discount {
    /// What it is called on the invoice.
    pub name: String,
    /// What it is taken from.
    pub on: DiscountOn,
    /// How much it is.
    pub size: DiscountSize,
}

/// How much a discount is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DiscountSize {
    /// A part.
    Percent(Percent),
    /// An amount on each bill, but never more than the bill.
    Fixed(PositiveMoney),
    /// A part that depends on what it is taken from.
    Volume(VolumeSteps),
}

/// From this amount on, this part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeStep {
    /// The least amount that it is for.
    pub from: PositiveMoney,
    /// The part that is taken off.
    pub percent: Percent,
}

/// Steps of a volume discount, the smallest amount first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<VolumeStep>", into = "Vec<VolumeStep>")]
pub struct VolumeSteps(Vec<VolumeStep>);

/// Steps that are none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a volume discount has 1 to {VOLUME_STEPS_MAX} steps, each from a larger amount of the same currency on"
)]
pub struct VolumeStepsError;

impl TryFrom<Vec<VolumeStep>> for VolumeSteps {
    type Error = VolumeStepsError;

    fn try_from(steps: Vec<VolumeStep>) -> Result<Self, VolumeStepsError> {
        let rising = steps.is_sorted_by(|one, next| {
            let (one, next) = (one.from.get(), next.from.get());
            one.currency() == next.currency() && one.minor() < next.minor()
        });
        if steps.is_empty() || steps.len() > VOLUME_STEPS_MAX || !rising {
            return Err(VolumeStepsError);
        }
        Ok(Self(steps))
    }
}

impl From<VolumeSteps> for Vec<VolumeStep> {
    fn from(steps: VolumeSteps) -> Self {
        steps.0
    }
}

impl VolumeSteps {
    /// The part that is taken off `base`, if it reaches a step.
    pub fn percent_of(&self, base: Money) -> Option<Percent> {
        self.0.iter().rfind(|step| step.from.get().minor() <= base.minor()).map(|step| step.percent)
    }

    /// The steps.
    pub fn as_slice(&self) -> &[VolumeStep] {
        &self.0
    }
}
