//! Statements of account: what was open, what was charged, credited and paid, and what is open now, by age.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::invoice::InvoiceNumber;
use crate::{Currency, Money, money::MoneyError};

/// Most postings of one statement.
pub const POSTINGS_MAX: usize = 10_000;

/// Something that changes what a client owes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Posting {
    /// The day, in the contract's time zone.
    pub on: Date,
    /// What it is.
    pub what: Movement,
    /// How much; never below zero.
    pub amount: Money,
}

/// What changes what a client owes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Movement {
    /// An invoice: more is owed.
    Invoice {
        /// Its number.
        number: InvoiceNumber,
        /// The day by which it is to be paid.
        due_on: Date,
    },
    /// A credit note: less is owed.
    CreditNote {
        /// Its number.
        number: InvoiceNumber,
        /// The number of the invoice that it corrects.
        corrects: InvoiceNumber,
    },
    /// A payment: less is owed.
    Payment {
        /// What the client wrote with it.
        reference: String,
        /// The number of the invoice that it is for, if that is known.
        settles: Option<InvoiceNumber>,
    },
}

/// A posting and what was owed after it; below zero if the client is in credit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatementLine {
    /// The posting.
    pub posting: Posting,
    /// What was owed after it.
    pub balance: Money,
}

/// What is open, by how late it is. All of it together, less what the client is in credit, is the closing balance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ageing {
    /// Not yet due.
    pub not_due: Money,
    /// 1 to 30 days late.
    pub late_30: Money,
    /// 31 to 60 days late.
    pub late_60: Money,
    /// 61 to 90 days late.
    pub late_90: Money,
    /// More than 90 days late.
    pub late_more: Money,
    /// What was paid or credited beyond every invoice.
    pub in_credit: Money,
}

/// What became of a client's account from one day to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// First day.
    pub first: Date,
    /// Last day; what is open is open at its end.
    pub last: Date,
    /// Of every amount.
    pub currency: Currency,
    /// What was owed before the first day.
    pub opening: Money,
    /// Postings of the days, in their order; of one day invoices come first, then credit notes, then payments.
    pub lines: Vec<StatementLine>,
    /// What is owed after the last day.
    pub closing: Money,
    /// The closing balance by age.
    pub ageing: Ageing,
}

/// Why there is no statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StatementError {
    /// The last day is before the first.
    #[error("the last day is before the first")]
    Backwards,
    /// More postings than one statement holds.
    #[error("more than {POSTINGS_MAX} postings")]
    TooMany,
    /// An amount below zero.
    #[error("a posting is below zero")]
    Negative,
    /// Two invoices with one number.
    #[error("two invoices have one number")]
    Twice,
    /// Amounts that do not fit, or of several currencies.
    #[error(transparent)]
    Money(#[from] MoneyError),
}

impl Posting {
    /// What it adds to what is owed.
    fn owed(&self) -> Result<Money, MoneyError> {
        match self.what {
            Movement::Invoice { .. } => Ok(self.amount),
            Movement::CreditNote { .. } | Movement::Payment { .. } => self.amount.negated(),
        }
    }

    fn rank(&self) -> (Date, u8) {
        let kind = match self.what {
            Movement::Invoice { .. } => 0,
            Movement::CreditNote { .. } => 1,
            Movement::Payment { .. } => 2,
        };
        (self.on, kind)
    }
}

impl Statement {
    /// The statement from `first` to `last`, from every posting that there ever was; later ones are left out.
    ///
    /// A credit note or payment is taken off the invoice that it names. What names none, or is more than was open, is
    /// taken off the others, the one that was due first before the others.
    ///
    /// # Errors
    /// [`StatementError`] if a posting cannot be right.
    pub fn of(
        currency: Currency,
        first: Date,
        last: Date,
        postings: &[Posting],
    ) -> Result<Self, StatementError> {
        if last < first {
            return Err(StatementError::Backwards);
        }
        if postings.len() > POSTINGS_MAX {
            return Err(StatementError::TooMany);
        }
        if postings.iter().any(|posting| posting.amount.minor() < 0) {
            return Err(StatementError::Negative);
        }
        let mut postings: Vec<&Posting> = postings.iter().filter(|posting| posting.on <= last).collect();
        postings.sort_by_key(|posting| posting.rank());
        let mut balance = Money::zero(currency);
        let mut opening = balance;
        let mut lines = Vec::new();
        for posting in &postings {
            balance = balance.plus(posting.owed()?)?;
            if posting.on < first {
                opening = balance;
            } else {
                lines.push(StatementLine { posting: (*posting).clone(), balance });
            }
        }
        let ageing = ageing(currency, last, &postings)?;
        Ok(Self { first, last, currency, opening, lines, closing: balance, ageing })
    }
}

fn ageing(currency: Currency, on: Date, postings: &[&Posting]) -> Result<Ageing, StatementError> {
    let mut open: BTreeMap<&str, (Date, Money)> = BTreeMap::new();
    for posting in postings {
        if let Movement::Invoice { number, due_on } = &posting.what
            && open.insert(number.as_str(), (*due_on, posting.amount)).is_some()
        {
            return Err(StatementError::Twice);
        }
    }
    let mut left = Money::zero(currency);
    for posting in postings {
        let names = match &posting.what {
            Movement::Invoice { .. } => continue,
            Movement::CreditNote { corrects, .. } => Some(corrects),
            Movement::Payment { settles, .. } => settles.as_ref(),
        };
        let rest = match names.and_then(|number| open.get_mut(number.as_str())) {
            Some((_, owed)) => take_off(owed, posting.amount)?,
            None => posting.amount,
        };
        left = left.plus(rest)?;
    }
    let mut by_due: Vec<(&str, (Date, Money))> = open.into_iter().collect();
    by_due.sort_by_key(|(number, (due_on, _))| (*due_on, *number));
    let nothing = Money::zero(currency);
    let mut ageing = Ageing {
        not_due: nothing,
        late_30: nothing,
        late_60: nothing,
        late_90: nothing,
        late_more: nothing,
        in_credit: nothing,
    };
    for (_, (due_on, mut owed)) in by_due {
        left = take_off(&mut owed, left)?;
        let bucket = match (on - due_on).get_days() {
            ..=0 => &mut ageing.not_due,
            1..=30 => &mut ageing.late_30,
            31..=60 => &mut ageing.late_60,
            61..=90 => &mut ageing.late_90,
            _ => &mut ageing.late_more,
        };
        *bucket = bucket.plus(owed)?;
    }
    ageing.in_credit = left;
    Ok(ageing)
}

/// Takes `amount` off `owed`, but not more than is owed; what is left of it.
fn take_off(owed: &mut Money, amount: Money) -> Result<Money, MoneyError> {
    let part = if amount.minor() <= owed.minor() { amount } else { *owed };
    *owed = owed.minus(part)?;
    amount.minus(part)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::invoice::Series, *};

    fn eur(minor: i64) -> Money {
        Money::from_minor(minor, "EUR".parse().unwrap())
    }

    fn day(text: &str) -> Date {
        text.parse().unwrap()
    }

    fn number(count: u64) -> InvoiceNumber {
        Series::Invoices.number(2026, count)
    }

    fn invoice(on: &str, count: u64, due_on: &str, minor: i64) -> Posting {
        let what = Movement::Invoice { number: number(count), due_on: day(due_on) };
        Posting { on: day(on), what, amount: eur(minor) }
    }

    fn payment(on: &str, settles: Option<u64>, minor: i64) -> Posting {
        let what = Movement::Payment { reference: "Transfer".to_owned(), settles: settles.map(number) };
        Posting { on: day(on), what, amount: eur(minor) }
    }

    fn credit(on: &str, corrects: u64, minor: i64) -> Posting {
        let what = Movement::CreditNote { number: number(100 + corrects), corrects: number(corrects) };
        Posting { on: day(on), what, amount: eur(minor) }
    }

    fn november(postings: &[Posting]) -> Result<Statement, StatementError> {
        Statement::of("EUR".parse().unwrap(), day("2026-11-01"), day("2026-11-30"), postings)
    }

    #[test]
    fn a_month_from_its_opening_to_its_closing_balance() {
        let statement = november(&[
            payment("2026-11-20", Some(2), 5_000),
            invoice("2026-08-10", 1, "2026-08-24", 10_000),
            invoice("2026-10-20", 2, "2026-11-03", 5_000),
            invoice("2026-11-10", 3, "2026-11-24", 7_000),
            invoice("2026-11-28", 4, "2026-12-12", 2_000),
            credit("2026-11-28", 3, 3_000),
            payment("2026-12-01", None, 99_999),
        ])
        .unwrap();
        assert_eq!(statement.opening, eur(15_000));
        let balances: Vec<i64> = statement.lines.iter().map(|line| line.balance.minor()).collect();
        assert_eq!(balances, [22_000, 17_000, 19_000, 16_000]);
        assert_eq!(statement.closing, eur(16_000));
        let Ageing { not_due, late_30, late_60, late_90, late_more, in_credit } = statement.ageing;
        let all = [not_due, late_30, late_60, late_90, late_more, in_credit].map(Money::minor);
        assert_eq!(all, [2_000, 4_000, 0, 0, 10_000, 0]);
    }

    #[test]
    fn what_names_no_invoice_pays_what_was_due_first() {
        let statement = november(&[
            invoice("2026-09-01", 1, "2026-09-20", 1_000),
            invoice("2026-09-02", 2, "2026-09-10", 1_000),
            payment("2026-11-02", None, 1_500),
            payment("2026-11-03", Some(9), 700),
        ])
        .unwrap();
        assert_eq!(statement.closing, eur(-200));
        assert_eq!(statement.ageing.late_90, eur(0));
        assert_eq!(statement.ageing.in_credit, eur(200));
    }

    #[test]
    fn the_last_day_on_time_is_the_due_day() {
        let late = |due_on: &str| november(&[invoice("2026-01-01", 1, due_on, 1)]).unwrap().ageing;
        assert_eq!(late("2026-11-30").not_due, eur(1));
        assert_eq!(late("2026-11-29").late_30, eur(1));
        assert_eq!(late("2026-10-31").late_30, eur(1));
        assert_eq!(late("2026-10-30").late_60, eur(1));
        assert_eq!(late("2026-08-31").late_more, eur(1));
    }

    #[test]
    fn what_cannot_be_right_is_refused() {
        assert_eq!(november(&[invoice("2026-11-01", 1, "2026-11-15", -1)]), Err(StatementError::Negative));
        let twice = invoice("2026-11-01", 1, "2026-11-15", 1);
        assert_eq!(november(&[twice.clone(), twice.clone()]), Err(StatementError::Twice));
        let dollars = Posting { amount: Money::from_minor(1, "USD".parse().unwrap()), ..twice.clone() };
        assert!(matches!(november(&[dollars]), Err(StatementError::Money(_))));
        let many = vec![payment("2026-11-01", None, 1); POSTINGS_MAX + 1];
        assert_eq!(november(&many), Err(StatementError::TooMany));
        let backwards = Statement::of("EUR".parse().unwrap(), day("2026-11-02"), day("2026-11-01"), &[]);
        assert_eq!(backwards, Err(StatementError::Backwards));
    }

    proptest! {
        #[test]
        fn what_is_open_by_age_is_the_closing_balance(
            postings in prop::collection::vec((0_i32..400, 0_u8..3, 0_u64..12, 0_i64..100_000), 0..40),
        ) {
            let mut known = std::collections::BTreeSet::new();
            let mut all = Vec::new();
            for (days, kind, count, minor) in postings {
                let on = day("2026-01-01").saturating_add(jiff::Span::new().days(days));
                let what = match kind {
                    0 if known.insert(count) => {
                        Movement::Invoice { number: number(count), due_on: on.saturating_add(jiff::Span::new().days(14)) }
                    }
                    1 => Movement::CreditNote { number: number(50), corrects: number(count) },
                    _ => Movement::Payment { reference: String::new(), settles: (count > 3).then(|| number(count)) },
                };
                all.push(Posting { on, what, amount: eur(minor) });
            }
            let statement = november(&all).unwrap();
            let Ageing { not_due, late_30, late_60, late_90, late_more, in_credit } = statement.ageing;
            let parts = [not_due, late_30, late_60, late_90, late_more].map(Money::minor);
            prop_assert!(parts.iter().all(|part| *part >= 0) && in_credit.minor() >= 0);
            prop_assert_eq!(parts.iter().sum::<i64>() - in_credit.minor(), statement.closing.minor());
            let moved: i64 = statement.lines.iter().map(|line| line.posting.owed().unwrap().minor()).sum();
            prop_assert_eq!(statement.opening.minor() + moved, statement.closing.minor());
            all.reverse();
            prop_assert_eq!(november(&all).unwrap().ageing, statement.ageing);
        }
    }
}
