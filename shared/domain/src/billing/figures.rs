//! The figures that contracts are made of. A value of one of these types is within its bounds.

use std::fmt;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::Money;

/// Why a figure cannot stand in a contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{what} must be from {least} to {most} with at most {decimals} decimals")]
pub struct FigureError {
    /// What it was to be.
    pub what: &'static str,
    /// The least that is taken.
    pub least: i64,
    /// The most that is taken.
    pub most: i64,
    /// The most decimals that are taken.
    pub decimals: u32,
}

/// Bounds keep every product of a bill within the 28 digits of [`Decimal`], so that what is multiplied is exact.
macro_rules! figure {
    ($(#[$doc:meta])* $name:ident, $what:literal, $least:literal..=$most:literal, $decimals:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "Decimal", into = "Decimal")]
        pub struct $name(Decimal);

        impl $name {
            /// The figure.
            pub fn get(self) -> Decimal {
                self.0
            }
        }

        impl TryFrom<Decimal> for $name {
            type Error = FigureError;

            fn try_from(value: Decimal) -> Result<Self, FigureError> {
                let within = Decimal::from($least) <= value && value <= Decimal::from($most);
                if within && value.normalize().scale() <= $decimals {
                    return Ok(Self(value));
                }
                Err(FigureError { what: $what, least: $least, most: $most, decimals: $decimals })
            }
        }

        impl From<$name> for Decimal {
            fn from(figure: $name) -> Decimal {
                figure.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.normalize().fmt(f)
            }
        }
    };
}

figure!(
    /// A part of a hundred: `19` means 19 %.
    Percent, "a percentage", 0_i64..=100_i64, 6
);
figure!(
    /// What is put on top of a cost, in percent: `10` means that 100.00 are billed as 110.00.
    Markup, "a mark-up", 0_i64..=1_000_i64, 6
);
figure!(
    /// What a rate is multiplied by outside of working hours: `1.5`.
    Factor, "a multiplier", 1_i64..=10_i64, 4
);
figure!(
    /// The price of one hour, in major units of the contract's currency.
    UnitPrice, "an hourly rate", 0_i64..=1_000_000_000_i64, 6
);

/// More than nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Money", into = "Money")]
pub struct PositiveMoney(Money);

/// An amount that is nothing, or less.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the amount must be more than nothing")]
pub struct NotPositive;

impl PositiveMoney {
    /// The amount.
    pub fn get(self) -> Money {
        self.0
    }
}

impl TryFrom<Money> for PositiveMoney {
    type Error = NotPositive;

    fn try_from(amount: Money) -> Result<Self, NotPositive> {
        if amount.minor() > 0 { Ok(Self(amount)) } else { Err(NotPositive) }
    }
}

impl From<PositiveMoney> for Money {
    fn from(amount: PositiveMoney) -> Money {
        amount.0
    }
}

/// Time that a contract speaks of: more than nothing, whole minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Span(u32);

/// A time that no contract speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the time must be from 1 to {} minutes", Span::MINUTES_MAX)]
pub struct SpanError;

impl Span {
    /// Most minutes: 100,000 hours.
    pub const MINUTES_MAX: u32 = 6_000_000;

    /// Minutes.
    pub fn minutes(self) -> u32 {
        self.0
    }
}

impl TryFrom<u32> for Span {
    type Error = SpanError;

    fn try_from(minutes: u32) -> Result<Self, SpanError> {
        if (1..=Self::MINUTES_MAX).contains(&minutes) { Ok(Self(minutes)) } else { Err(SpanError) }
    }
}

impl From<Span> for u32 {
    fn from(span: Span) -> u32 {
        span.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_out_of_its_bounds_does_not_exist() {
        let percent = |text: &str| Percent::try_from(text.parse::<Decimal>().unwrap());
        assert!(percent("0").is_ok() && percent("100").is_ok() && percent("5.5000000").is_ok());
        assert!(percent("-0.1").is_err() && percent("100.1").is_err() && percent("5.5000001").is_err());
        assert!(serde_json::from_str::<Percent>("\"101\"").is_err());
        assert!(serde_json::from_str::<Span>("0").is_err());
        let nothing = Money::zero("EUR".parse().unwrap());
        assert_eq!(PositiveMoney::try_from(nothing), Err(NotPositive));
    }
}
