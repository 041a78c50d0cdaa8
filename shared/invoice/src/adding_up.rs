//! Whether the figures of a document add up: what a reader with paper and pencil would find, and the validators of
//! e-invoices do not.
//!
//! They let a tax pass that is up to 0.90 wrong as long as the totals follow, a quantity that is doubled while its
//! amount stays, and a missing due date. Here every sum is exact and every product is right to half of the smallest
//! unit. Fractions of whole numbers, so that nothing is shared with the arithmetic of the engine.

use crate::voucher::{Figures, TaxRule};
use portico_domain::{
    Money,
    billing::{Line, Mismatch, TaxSum, replay},
};
use rust_decimal::Decimal;

/// Most that tax which is left at the end is away from that of what is credited, in the smallest unit: each credit note
/// before may have rounded half of one.
const REMNANT_MAX: i128 = 10;

/// A figure that does not follow from the others. Rules are named as in EN 16931 and PEPPOL BIS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FigureError {
    /// No position at all (BR-16).
    #[error("the document has no position")]
    NoLines,
    /// An amount in another currency.
    #[error("an amount is not in the document's currency")]
    Currency,
    /// A quantity or a price below zero (BR-27).
    #[error("the quantity or the price of line {0} is below zero")]
    Negative(usize),
    /// Quantity times price, less what is taken off, is another amount (PEPPOL-EN16931-R120).
    #[error("line {0} is not its quantity times its price")]
    Line(usize),
    /// The lines do not add up to the net amount (BR-CO-10, BR-CO-13).
    #[error("the lines do not add up to the net amount")]
    Net,
    /// A line whose tax is not stated, or a rate that is stated twice (BR-CO-18).
    #[error("the tax of line {0} is not stated once")]
    Treatment(usize),
    /// What is taxed alike does not add up to the stated base (BR-S-08 and its likes).
    #[error("the lines do not add up to the base of tax {0}")]
    TaxBase(usize),
    /// The tax of a rate is not its base times the rate (BR-CO-17).
    #[error("tax {0} is not its base times its rate")]
    TaxAmount(usize),
    /// The taxes do not add up (BR-CO-14).
    #[error("the taxes do not add up")]
    Tax,
    /// Net and tax are not the total (BR-CO-15).
    #[error("net and tax are not the total")]
    Gross,
    /// What is to be paid is not the total (BR-CO-16).
    #[error("what is to be paid is not the total")]
    Due,
    /// A due date that is missing or before the day of issue (BR-CO-25).
    #[error("the due date is before the day of issue")]
    DueDate,
    /// The derivation leads to other amounts.
    #[error("the derivation does not hold: {0}")]
    Derivation(#[from] Mismatch),
    /// The derivation leads to other amounts than those of the lines.
    #[error("the derivation is not that of the lines")]
    OtherDerivation,
    /// A figure with more digits than a whole number of 128 bits holds.
    #[error("a figure is too large")]
    TooLarge,
}

/// Refuses figures that do not add up.
///
/// # Errors
/// [`FigureError`]: the first figure that does not follow from the others.
pub fn check(figures: &Figures) -> Result<(), FigureError> {
    if figures.lines.is_empty() {
        return Err(FigureError::NoLines);
    }
    let reductions = figures.lines.iter().flat_map(|line| &line.reductions).map(|less| less.amount);
    let taxes = figures.taxes.iter().flat_map(|sum| [sum.base, sum.tax]);
    let totals = [figures.net, figures.tax, figures.gross, figures.due];
    let mut amounts =
        figures.lines.iter().map(|line| line.amount).chain(reductions).chain(taxes).chain(totals);
    if !amounts.all(|amount| amount.currency() == figures.currency) {
        return Err(FigureError::Currency);
    }
    for (place, line) in figures.lines.iter().enumerate() {
        line_holds(place, line)?;
    }
    if sum(figures.lines.iter().map(|line| line.amount)) != minor(figures.net) {
        return Err(FigureError::Net);
    }
    taxes_hold(figures)?;
    if minor(figures.net).checked_add(minor(figures.tax)) != Some(minor(figures.gross)) {
        return Err(FigureError::Gross);
    }
    if figures.due != figures.gross {
        return Err(FigureError::Due);
    }
    if figures.due_on.is_some_and(|due_on| due_on < figures.issued_on) {
        return Err(FigureError::DueDate);
    }
    derivation_holds(figures)
}

fn line_holds(place: usize, line: &Line) -> Result<(), FigureError> {
    let below = |value: Decimal| value.is_sign_negative() && !value.is_zero();
    if below(line.quantity) || below(line.rate) {
        return Err(FigureError::Negative(place));
    }
    let (quantity, rate) = (Fraction::of(line.quantity)?, Fraction::of(line.rate)?);
    let price = quantity.times(rate)?.over(i128::from(line.unit.per()))?;
    let less = sum(line.reductions.iter().map(|reduction| reduction.amount));
    let before = minor(line.amount).checked_add(less).ok_or(FigureError::TooLarge)?;
    if price.rounded(line.amount.currency().decimals())? == before {
        Ok(())
    } else {
        Err(FigureError::Line(place))
    }
}

fn taxes_hold(figures: &Figures) -> Result<(), FigureError> {
    for (place, line) in figures.lines.iter().enumerate() {
        if figures.taxes.iter().filter(|sum| is_taxed_by(figures, line, sum)).count() != 1 {
            return Err(FigureError::Treatment(place));
        }
    }
    for (place, tax) in figures.taxes.iter().enumerate() {
        let alike =
            || figures.lines.iter().filter(|line| is_taxed_by(figures, line, tax)).map(|line| line.amount);
        if sum(alike()) != minor(tax.base) {
            return Err(FigureError::TaxBase(place));
        }
        let rate = Fraction::of(tax.treatment.percent())?.over(100)?;
        let of = |base: i128| rate.times(Fraction { over: base, under: 1 })?.rounded(0);
        let stated = match figures.tax_rule {
            TaxRule::OfSum => of(minor(tax.base))?,
            TaxRule::OfLines => alike().try_fold(0_i128, |sum, amount| {
                sum.checked_add(of(minor(amount))?).ok_or(FigureError::TooLarge)
            })?,
            TaxRule::Remnant => {
                let of_sum = of(minor(tax.base))?;
                let is_near = (minor(tax.tax) - of_sum).abs() <= REMNANT_MAX && minor(tax.tax) >= 0;
                if is_near { minor(tax.tax) } else { of_sum }
            }
        };
        if stated != minor(tax.tax) {
            return Err(FigureError::TaxAmount(place));
        }
    }
    if sum(figures.taxes.iter().map(|tax| tax.tax)) == minor(figures.tax) {
        Ok(())
    } else {
        Err(FigureError::Tax)
    }
}

/// Whether a line is taxed by this sum. Lines from before that was written down are taxed by the only one.
pub(crate) fn is_taxed_by(figures: &Figures, line: &Line, sum: &TaxSum) -> bool {
    match line.treatment {
        Some(treatment) => treatment == sum.treatment,
        None => figures.taxes.len() == 1,
    }
}

fn derivation_holds(figures: &Figures) -> Result<(), FigureError> {
    let Some(derivation) = figures.derivation else { return Ok(()) };
    let replayed = replay(derivation)?;
    let same = replayed.lines.iter().copied().eq(figures.lines.iter().map(|line| minor(line.amount)))
        && [replayed.net, replayed.tax, replayed.gross]
            == [figures.net, figures.tax, figures.gross].map(minor);
    if same { Ok(()) } else { Err(FigureError::OtherDerivation) }
}

fn minor(amount: Money) -> i128 {
    i128::from(amount.minor())
}

/// Cannot overflow: a document has fewer than 2^63 amounts of 64 bits.
fn sum(amounts: impl Iterator<Item = Money>) -> i128 {
    amounts.map(minor).sum()
}

/// A fraction with a positive denominator.
#[derive(Clone, Copy)]
struct Fraction {
    over: i128,
    under: i128,
}

impl Fraction {
    fn of(value: Decimal) -> Result<Self, FigureError> {
        let value = value.normalize();
        let under = 10_i128.checked_pow(value.scale()).ok_or(FigureError::TooLarge)?;
        Ok(Self { over: value.mantissa(), under })
    }

    fn times(self, other: Self) -> Result<Self, FigureError> {
        let product = |one: i128, other: i128| one.checked_mul(other).ok_or(FigureError::TooLarge);
        Ok(Self { over: product(self.over, other.over)?, under: product(self.under, other.under)? })
    }

    fn over(self, divisor: i128) -> Result<Self, FigureError> {
        self.times(Self { over: 1, under: divisor })
    }

    /// In units of `10^-decimals`, half away from zero.
    fn rounded(self, decimals: u32) -> Result<i128, FigureError> {
        let scale = 10_i128.checked_pow(decimals).ok_or(FigureError::TooLarge)?;
        let over = self.over.checked_mul(scale).ok_or(FigureError::TooLarge)?;
        let (whole, rest) = (over / self.under, (over % self.under).abs());
        Ok(if rest >= self.under - rest { whole + over.signum() } else { whole })
    }
}
