//! What late payment costs.

use jiff::civil::Date;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::figures::{Percent, PositiveMoney};
use crate::{Money, money::MoneyError};

/// Days of a year, for interest.
const YEAR: i64 = 365;

/// The clause about late payment. In the EU the rate is at least the reference rate and 8 points, and each late
/// payment costs 40 EUR once (2011/7/EU).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LateFee {
    /// Interest of a year, simple, for each day after the due day.
    pub yearly: Percent,
    /// What each late payment costs once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub once: Option<PositiveMoney>,
}

/// A late fee and how it comes about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LateCharge {
    /// What is not paid.
    pub open: Money,
    /// Days after the due day.
    pub days: u32,
    /// Interest before it is rounded.
    pub exact: Decimal,
    /// Interest.
    pub interest: Money,
    /// What it costs once.
    pub once: Money,
}

impl LateFee {
    /// What it costs that `open`, due on `due_on`, is not paid on `on`; `None` if it is not late or nothing is open.
    ///
    /// # Errors
    /// [`MoneyError`] if the amounts do not fit.
    pub fn charge(&self, open: Money, due_on: Date, on: Date) -> Result<Option<LateCharge>, MoneyError> {
        let days = u32::try_from((on - due_on).get_days()).unwrap_or_default();
        if days == 0 || open.minor() <= 0 {
            return Ok(None);
        }
        let product = |one: Decimal, other: Decimal| one.checked_mul(other).ok_or(MoneyError::OutOfRange);
        let yearly = product(open.to_decimal(), self.yearly.get())?;
        let exact = product(yearly, days.into())?
            .checked_div(Decimal::from(YEAR * 100))
            .ok_or(MoneyError::OutOfRange)?;
        let interest = Money::rounded(exact, open.currency())?;
        let once = self.once.map_or(Money::zero(open.currency()), PositiveMoney::get);
        Ok(Some(LateCharge { open, days, exact, interest, once }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn late_payment_costs_interest_by_the_day_and_a_sum_once() {
        let eur = "EUR".parse().unwrap();
        let fee = LateFee {
            yearly: "10.27".parse::<Decimal>().unwrap().try_into().unwrap(),
            once: Some(Money::from_minor(4000, eur).try_into().unwrap()),
        };
        let open = Money::from_minor(119_000, eur);
        let due_on: Date = "2026-11-30".parse().unwrap();
        let on = |day: &str| fee.charge(open, due_on, day.parse().unwrap()).unwrap();
        assert_eq!(on("2026-11-30"), None);
        assert_eq!(on("2026-11-01"), None);
        // 1190.00 x 10.27 % x 31 / 365 = 10.3797...
        let charge = on("2026-12-31").unwrap();
        assert_eq!((charge.days, charge.interest.minor(), charge.once.minor()), (31, 1038, 4000));
        assert_eq!(fee.charge(Money::zero(eur), due_on, "2027-01-31".parse().unwrap()), Ok(None));
    }
}
