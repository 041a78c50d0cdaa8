//! Money: whole minor units of a currency. No floats, no unchecked arithmetic.

use std::{fmt, str::FromStr};

use rust_decimal::{Decimal, RoundingStrategy, prelude::ToPrimitive};
use serde::{Deserialize, Serialize};

/// An ISO 4217 currency that the portal can bill in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Currency {
    /// Position in [`CURRENCIES`].
    position: u8,
}

/// Codes and decimals by ISO 4217. Zero- and three-decimal currencies are exceptions that a rule of thumb
/// gets wrong, so they are listed, not assumed.
#[rustfmt::skip]
const CURRENCIES: [(&str, u32); 32] = [
    ("AUD", 2), ("BHD", 3), ("BRL", 2), ("CAD", 2), ("CHF", 2), ("CLP", 0), ("CNY", 2), ("CZK", 2),
    ("DKK", 2), ("EUR", 2), ("GBP", 2), ("HKD", 2), ("HUF", 2), ("INR", 2), ("ISK", 0), ("JOD", 3),
    ("JPY", 0), ("KRW", 0), ("KWD", 3), ("MXN", 2), ("NOK", 2), ("NZD", 2), ("OMR", 3), ("PLN", 2),
    ("RON", 2), ("SEK", 2), ("SGD", 2), ("TND", 3), ("TRY", 2), ("USD", 2), ("VND", 0), ("ZAR", 2),
];

#[expect(clippy::indexing_slicing, reason = "a position is only ever found in the table")]
impl Currency {
    /// The three-letter code.
    pub fn code(self) -> &'static str {
        CURRENCIES[usize::from(self.position)].0
    }

    /// How many decimals an amount has: 2 for EUR, 0 for JPY, 3 for KWD.
    pub fn decimals(self) -> u32 {
        CURRENCIES[usize::from(self.position)].1
    }
}

impl FromStr for Currency {
    type Err = MoneyError;

    fn from_str(code: &str) -> Result<Self, MoneyError> {
        (0..)
            .zip(CURRENCIES)
            .find(|(_, (known, _))| *known == code)
            .map(|(position, _)| Self { position })
            .ok_or(MoneyError::UnknownCurrency)
    }
}

impl TryFrom<String> for Currency {
    type Error = MoneyError;

    fn try_from(code: String) -> Result<Self, MoneyError> {
        code.parse()
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> String {
        currency.code().to_owned()
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// Why a calculation has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Not a currency that the portal bills in.
    #[error("unknown currency")]
    UnknownCurrency,
    /// Two currencies in one sum.
    #[error("amounts of different currencies cannot be added")]
    MixedCurrencies,
    /// Larger than what fits 64 bits of minor units.
    #[error("amount out of range")]
    OutOfRange,
    /// Less than the smallest coin is left over.
    #[error("the currency does not have as many decimals")]
    Decimals,
}

/// An amount: minor units (cents) of a currency. May be negative (a credit).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Money {
    minor: i64,
    currency: Currency,
}

impl Money {
    /// `minor` cents (or whatever the currency's smallest unit is).
    pub const fn from_minor(minor: i64, currency: Currency) -> Self {
        Self { minor, currency }
    }

    /// Nothing.
    pub const fn zero(currency: Currency) -> Self {
        Self { minor: 0, currency }
    }

    /// Rounds an exact amount to the currency's decimals, half away from zero (EN 16931, and what clients'
    /// finance departments check by hand). Symmetric in sign, so a credit note is the exact negative.
    pub fn rounded(exact: Decimal, currency: Currency) -> Result<Self, MoneyError> {
        let scale = Decimal::from(10_i64.pow(currency.decimals()));
        let minor = exact
            .checked_mul(scale)
            .ok_or(MoneyError::OutOfRange)?
            .round_dp_with_strategy(0, RoundingStrategy::MidpointAwayFromZero)
            .to_i64()
            .ok_or(MoneyError::OutOfRange)?;
        Ok(Self { minor, currency })
    }

    /// An amount that is one already, in major units: what somebody wrote down is never rounded.
    ///
    /// # Errors
    /// [`MoneyError::Decimals`] if the currency does not have as many; [`MoneyError::OutOfRange`].
    pub fn exact(amount: Decimal, currency: Currency) -> Result<Self, MoneyError> {
        let money = Self::rounded(amount, currency)?;
        if money.to_decimal() == amount { Ok(money) } else { Err(MoneyError::Decimals) }
    }

    /// Whole minor units.
    pub fn minor(self) -> i64 {
        self.minor
    }

    /// The currency.
    pub fn currency(self) -> Currency {
        self.currency
    }

    /// The amount in major units, exactly.
    pub fn to_decimal(self) -> Decimal {
        Decimal::new(self.minor, self.currency.decimals())
    }

    /// The sum, if both are of one currency and it fits.
    pub fn plus(self, other: Self) -> Result<Self, MoneyError> {
        if self.currency != other.currency {
            return Err(MoneyError::MixedCurrencies);
        }
        let minor = self.minor.checked_add(other.minor).ok_or(MoneyError::OutOfRange)?;
        Ok(Self { minor, ..self })
    }

    /// The difference, if both are of one currency and it fits.
    pub fn minus(self, other: Self) -> Result<Self, MoneyError> {
        self.plus(other.negated()?)
    }

    /// The same amount the other way round: what a credit note says.
    pub fn negated(self) -> Result<Self, MoneyError> {
        let minor = self.minor.checked_neg().ok_or(MoneyError::OutOfRange)?;
        Ok(Self { minor, ..self })
    }

    /// The sum of `amounts`, zero if there are none.
    pub fn sum(currency: Currency, amounts: impl IntoIterator<Item = Self>) -> Result<Self, MoneyError> {
        amounts.into_iter().try_fold(Self::zero(currency), Self::plus)
    }
}

/// `1234.50 EUR`: for logs and plain text; documents format by language.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.to_decimal(), self.currency)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn money(exact: &str, currency: &str) -> Money {
        Money::rounded(exact.parse().unwrap(), currency.parse().unwrap()).unwrap()
    }

    #[test]
    fn case_b07_rounds_half_away_from_zero_to_the_currencys_decimals() {
        assert_eq!(money("12.345", "EUR").minor(), 1235);
        assert_eq!(money("-12.345", "EUR").minor(), -1235);
        assert_eq!(money("1234.5", "JPY").minor(), 1235);
        assert_eq!(money("1.2345", "KWD").minor(), 1235);
    }

    #[test]
    fn currencies_do_not_mix() {
        assert_eq!(money("1", "EUR").plus(money("1", "USD")), Err(MoneyError::MixedCurrencies));
        assert_eq!("eur".parse::<Currency>(), Err(MoneyError::UnknownCurrency));
    }

    #[test]
    fn prints_as_people_write_it() {
        assert_eq!(money("1234.5", "EUR").to_string(), "1234.50 EUR");
        assert_eq!(money("1234.5", "JPY").to_string(), "1235 JPY");
    }

    proptest! {
        #[test]
        fn rounding_is_symmetric(units in -1_000_000_000_i64..1_000_000_000, scale in 0_u32..6) {
            let exact = Decimal::new(units, scale);
            let currency = "EUR".parse().unwrap();
            let up = Money::rounded(exact, currency).unwrap();
            let down = Money::rounded(-exact, currency).unwrap();
            prop_assert_eq!(up.minor(), -down.minor());
        }
    }
}
