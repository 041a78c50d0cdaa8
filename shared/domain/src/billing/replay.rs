//! The cents of a bill from its derivation alone: a second calculation by other means.
//!
//! It shares no arithmetic with the engine: fractions of whole numbers instead of decimals, its own rounding, its own
//! division into shares. Where both agree, a cent is right twice; where they do not, the step is named.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use super::{
    derivation::{Derivation, DiscountRule, LineDerivation, Origin, Step},
    increments::{Increment, Rounding},
    taxes::{TaxRounding, Treatment},
};
use crate::Money;

/// The figures that a derivation leads to, in minor units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replayed {
    /// Each line's amount.
    pub lines: Vec<i128>,
    /// Sum of the lines.
    pub net: i128,
    /// Tax.
    pub tax: i128,
    /// Net and tax.
    pub gross: i128,
}

/// A derivation that does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// A step of a line does not lead from its value before to its value after.
    #[error("step {step} of line {line} does not hold")]
    Step {
        /// The line, from 0.
        line: usize,
        /// The step, from 0.
        step: usize,
    },
    /// A line has no amount in the end, or steps out of order.
    #[error("line {0} does not lead to an amount")]
    Incomplete(usize),
    /// The discount of this number does not hold.
    #[error("discount {0} does not hold")]
    Discount(usize),
    /// The cap does not hold.
    #[error("the cap does not hold")]
    Cap,
    /// A tax does not hold.
    #[error("the tax of number {0} does not hold")]
    Tax(usize),
    /// A figure with more digits than a whole number of 128 bits holds.
    #[error("a figure is too large")]
    TooLarge,
}

/// A fraction with a positive denominator.
#[derive(Clone, Copy)]
struct Fraction {
    over: i128,
    under: i128,
}

impl Fraction {
    fn of(value: Decimal) -> Result<Self, Mismatch> {
        // Without trailing zeroes, so that products stay small.
        let value = value.normalize();
        let under = 10_i128.checked_pow(value.scale()).ok_or(Mismatch::TooLarge)?;
        Ok(Self { over: value.mantissa(), under })
    }

    fn times(self, other: Self) -> Result<Self, Mismatch> {
        let over = self.over.checked_mul(other.over).ok_or(Mismatch::TooLarge)?;
        let under = self.under.checked_mul(other.under).ok_or(Mismatch::TooLarge)?;
        Ok(Self { over, under })
    }

    fn divided_by(self, divisor: i128) -> Result<Self, Mismatch> {
        Ok(Self { under: self.under.checked_mul(divisor).ok_or(Mismatch::TooLarge)?, ..self })
    }

    /// In units of `10^-decimals`, half away from zero.
    fn rounded(self, decimals: u32) -> Result<i128, Mismatch> {
        let scale = 10_i128.checked_pow(decimals).ok_or(Mismatch::TooLarge)?;
        let over = self.over.checked_mul(scale).ok_or(Mismatch::TooLarge)?;
        let (whole, rest) = (over / self.under, over % self.under);
        Ok(if rest.abs() >= self.under - rest.abs() { whole + over.signum() } else { whole })
    }

    /// Whether a value that was written down is this one, to the digits that it has.
    fn is_about(self, written: Decimal) -> Result<bool, Mismatch> {
        /// Decimals that are looked at; a step may have more.
        const LOOKED_AT: u32 = 9;
        Ok(self.rounded(LOOKED_AT)? == Self::of(written.round_dp(LOOKED_AT + 3))?.rounded(LOOKED_AT)?)
    }
}

/// Works out every figure of a derivation again.
///
/// # Errors
/// [`Mismatch`]: the first step whose value after does not follow from its value before.
pub fn replay(derivation: &Derivation) -> Result<Replayed, Mismatch> {
    let decimals = derivation.currency.decimals();
    let mut lines = Vec::with_capacity(derivation.lines.len());
    for (place, line) in derivation.lines.iter().enumerate() {
        lines.push(Walk::begin(place, line, decimals)?);
    }
    parts(derivation)?;
    sums(derivation)?;
    for discount in 0..derivation.discounts.len() {
        take_off(derivation, discount, &mut lines)?;
    }
    true_up(&mut lines)?;
    cut(derivation, &mut lines)?;
    let amounts: Vec<i128> = lines.iter().map(Walk::end).collect::<Result<_, _>>()?;
    let net = amounts.iter().sum();
    let tax = taxes(derivation, &amounts)?;
    Ok(Replayed { lines: amounts, net, tax, gross: net + tax })
}

/// A line on its way through its steps.
struct Walk<'a> {
    place: usize,
    line: &'a LineDerivation,
    decimals: u32,
    /// Steps that are done.
    done: usize,
    /// The amount, in minor units.
    amount: i128,
}

impl<'a> Walk<'a> {
    /// Up to the amount before anything is taken off it.
    fn begin(place: usize, line: &'a LineDerivation, decimals: u32) -> Result<Self, Mismatch> {
        let mut walk = Self { place, line, decimals, done: 0, amount: 0 };
        let mut time = Time { minutes: 0, hours: None };
        while let Some(step) = line.steps.get(walk.done) {
            match step {
                Step::Discount { .. } | Step::Cap { .. } | Step::TrueUp { .. } => break,
                Step::Paid { .. } => {}
                Step::Fee { after } => walk.amount = walk.minor(*after)?,
                Step::MarkedUp { cost, markup, before, after } => {
                    let percent = markup.get().checked_add(Decimal::ONE_HUNDRED).ok_or(Mismatch::TooLarge)?;
                    let exact = Fraction::of(*cost)?.times(Fraction::of(percent)?)?.divided_by(100)?;
                    walk.amount = exact.rounded(decimals)?;
                    walk.holds(exact.is_about(*before)? && walk.minor(*after)? == walk.amount)?;
                }
                Step::Price { quantity, per, base, factor, rate, before, after, .. } => {
                    let counted = match (per, time.hours) {
                        (1, Some(hours)) => hours == walk.in_units(*quantity, 2)?,
                        (60, None) => walk.in_units(*quantity, 0)? == i128::from(time.minutes),
                        _ => false,
                    };
                    walk.holds(counted)?;
                    let factor = factor.map_or(Decimal::ONE, |factor| factor.get());
                    let agreed = Fraction::of(base.get())?.times(Fraction::of(factor)?)?;
                    walk.holds(agreed.rounded(12)? == Fraction::of(*rate)?.rounded(12)?)?;
                    let exact = agreed.times(Fraction::of(*quantity)?)?.divided_by(i128::from(*per))?;
                    walk.amount = exact.rounded(decimals)?;
                    walk.holds(exact.is_about(*before)? && walk.minor(*after)? == walk.amount)?;
                }
                Step::Worked { .. } | Step::Increment { .. } | Step::Part { .. } | Step::Hours { .. } => {
                    let next = time.after(step).ok_or_else(|| walk.mismatch())?;
                    time = next;
                }
            }
            walk.done += 1;
        }
        Ok(walk)
    }

    fn mismatch(&self) -> Mismatch {
        Mismatch::Step { line: self.place, step: self.done }
    }

    fn holds(&self, it: bool) -> Result<(), Mismatch> {
        if it { Ok(()) } else { Err(self.mismatch()) }
    }

    /// A written value in units of `10^-decimals`, if it is a whole number of them.
    fn in_units(&self, value: Decimal, decimals: u32) -> Result<i128, Mismatch> {
        self.holds(value.normalize().scale() <= decimals)?;
        Fraction::of(value)?.rounded(decimals)
    }

    fn minor(&self, value: Decimal) -> Result<i128, Mismatch> {
        self.in_units(value, self.decimals)
    }

    /// Whether its next step is this discount's.
    fn has_discount(&self, number: usize) -> bool {
        matches!(self.line.steps.get(self.done), Some(Step::Discount { discount, .. }) if *discount == number)
    }

    fn end(&self) -> Result<i128, Mismatch> {
        if self.done == self.line.steps.len() {
            Ok(self.amount)
        } else {
            Err(Mismatch::Incomplete(self.place))
        }
    }
}

/// Time on its way from minutes to hours, the latter in hundredths.
#[derive(Clone, Copy)]
struct Time {
    minutes: u32,
    hours: Option<i128>,
}

impl Time {
    /// `None` if the step does not hold.
    fn after(self, step: &Step) -> Option<Self> {
        let minutes = |minutes| Some(Self { minutes, hours: None });
        match step {
            Step::Worked { minutes: worked, of } if worked <= of => minutes(*worked),
            Step::Increment { increment, earlier, before, after, .. } if *before == self.minutes => {
                let added = billed(increment, earlier.checked_add(*before)?) - billed(increment, *earlier);
                if added == i64::from(*after) { minutes(*after) } else { None }
            }
            Step::Part { skipped, before, after } if *before == self.minutes => {
                if skipped.checked_add(*after)? <= *before { minutes(*after) } else { None }
            }
            Step::Hours { before, after } if *before == self.minutes => {
                let exact = Fraction { over: i128::from(*before), under: 60 };
                let hours = exact.rounded(2).ok()?;
                let written = Fraction::of(*after).ok()?;
                let same = written.over.checked_mul(100)? == hours.checked_mul(written.under)?;
                if same { Some(Self { hours: Some(hours), ..self }) } else { None }
            }
            _ => None,
        }
    }
}

/// What a sum of minutes is billed as, counted in single steps of the clause.
fn billed(increment: &Increment, worked: u32) -> i64 {
    let (worked, step) = (i64::from(worked), i64::from(increment.step.minutes()));
    if worked == 0 {
        return 0;
    }
    let rest = worked % step;
    let begun = match increment.rounding {
        Rounding::Up => rest > 0,
        Rounding::Nearest => 2 * rest >= step && rest > 0,
    };
    let rounded = worked - rest + if begun { step } else { 0 };
    rounded.max(i64::from(u16::from(increment.least)))
}

/// The parts of a time follow each other from its beginning to its end, so that no minute is billed twice or left out.
fn parts(derivation: &Derivation) -> Result<(), Mismatch> {
    let mut open: Option<(Origin, u32, u32)> = None;
    for (place, line) in derivation.lines.iter().enumerate() {
        let part = line.steps.iter().find_map(|step| match step {
            Step::Part { skipped, before, after } => Some((*skipped, *before, *after)),
            _ => None,
        });
        open = match (open, part) {
            (None, None) => None,
            (None, Some((0, before, after))) => Some((line.origin, after, before)),
            (Some((origin, reached, all)), Some((skipped, before, after)))
                if origin == line.origin && reached == skipped && all == before =>
            {
                let reached = skipped.checked_add(after).ok_or(Mismatch::TooLarge)?;
                (reached < all).then_some((origin, reached, all))
            }
            _ => return Err(Mismatch::Incomplete(place)),
        };
    }
    if open.is_none() { Ok(()) } else { Err(Mismatch::Incomplete(derivation.lines.len())) }
}

/// What is rounded together comes one after the other, so that no step of the contract is begun twice.
fn sums(derivation: &Derivation) -> Result<(), Mismatch> {
    let mut reached: BTreeMap<usize, u32> = BTreeMap::new();
    for (place, line) in derivation.lines.iter().enumerate() {
        // A time that is on several lines is in its sum once.
        if line.steps.iter().any(|step| matches!(step, Step::Part { skipped: 1.., .. })) {
            continue;
        }
        for (step, value) in line.steps.iter().enumerate() {
            if let Step::Increment { sum, earlier, before, .. } = value {
                let reached = reached.entry(*sum).or_insert(0);
                if reached != earlier {
                    return Err(Mismatch::Step { line: place, step });
                }
                *reached = reached.checked_add(*before).ok_or(Mismatch::TooLarge)?;
            }
        }
    }
    Ok(())
}

/// Shares of `total` by the largest remainder, found by handing out one unit after the other.
fn shares(total: i128, weights: &[i128]) -> Vec<i128> {
    let sum: i128 = weights.iter().sum();
    if sum == 0 {
        return vec![0; weights.len()];
    }
    let mut shares: Vec<(i128, i128)> =
        weights.iter().map(|weight| (total * weight / sum, total * weight % sum)).collect();
    let mut left = total - shares.iter().map(|(share, _)| share).sum::<i128>();
    while left > 0 {
        let most = shares.iter().map(|(_, rest)| *rest).max().unwrap_or_default();
        let Some((share, rest)) = shares.iter_mut().find(|(_, rest)| *rest == most) else { break };
        *share += 1;
        *rest = -1;
        left -= 1;
    }
    shares.into_iter().map(|(share, _)| share).collect()
}

fn take_off(derivation: &Derivation, number: usize, lines: &mut [Walk]) -> Result<(), Mismatch> {
    let wrong = Mismatch::Discount(number);
    let working = derivation.discounts.get(number).ok_or(wrong)?;
    let decimals = derivation.currency.decimals();
    let mut reduced: Vec<&mut Walk> = lines.iter_mut().filter(|line| line.has_discount(number)).collect();
    let weights: Vec<i128> = reduced.iter().map(|line| line.amount).collect();
    let base: i128 = weights.iter().sum();
    let exact = match working.rule {
        DiscountRule::Percent(percent) => {
            let scale = 10_i128.checked_pow(decimals).ok_or(Mismatch::TooLarge)?;
            Fraction { over: base, under: scale }.times(Fraction::of(percent.get())?)?.divided_by(100)?
        }
        DiscountRule::Fixed(amount) => Fraction::of(amount)?,
    };
    let total = exact.rounded(decimals)?.min(base);
    if !exact.is_about(working.before)? || minor(working.base) != base || minor(working.after) != total {
        return Err(wrong);
    }
    for (line, taken) in reduced.iter_mut().zip(shares(total, &weights)) {
        let Some(Step::Discount { before, share, after, .. }) = line.line.steps.get(line.done) else {
            return Err(wrong);
        };
        line.holds(line.minor(*before)? == line.amount && line.minor(*share)? == taken)?;
        line.amount -= taken;
        line.holds(line.minor(*after)? == line.amount)?;
        line.done += 1;
    }
    Ok(())
}

/// Whether a line counts for the minimum charge and the cap.
fn is_work(line: &Walk) -> bool {
    matches!(line.line.origin, Origin::Entry(_) | Origin::MinimumCharge)
}

fn true_up(lines: &mut [Walk]) -> Result<(), Mismatch> {
    let work: i128 = lines.iter().filter(|line| is_work(line)).map(|line| line.amount).sum();
    for line in lines {
        if let Some(Step::TrueUp { minimum, reached, after }) = line.line.steps.get(line.done) {
            line.amount = line.minor(*minimum)? - work;
            let holds = line.minor(*reached)? == work && line.minor(*after)? == line.amount;
            line.holds(holds && line.amount > 0)?;
            line.done += 1;
        }
    }
    Ok(())
}

fn cut(derivation: &Derivation, lines: &mut [Walk]) -> Result<(), Mismatch> {
    let Some(cap) = derivation.cap else { return Ok(()) };
    let mut room = (minor(cap.limit) - minor(cap.used)).max(0);
    let (mut total, mut kept) = (0, 0);
    for line in lines.iter_mut().filter(|line| is_work(line)) {
        let part = line.amount.min(room);
        (total, kept, room) = (total + line.amount, kept + part, room - part);
        if let Some(Step::Cap { before, after }) = line.line.steps.get(line.done) {
            line.holds(line.minor(*before)? == line.amount && line.minor(*after)? == part)?;
            line.done += 1;
            line.amount = part;
        }
        line.holds(line.amount == part)?;
    }
    if minor(cap.before) == total && minor(cap.after) == kept { Ok(()) } else { Err(Mismatch::Cap) }
}

fn taxes(derivation: &Derivation, amounts: &[i128]) -> Result<i128, Mismatch> {
    let decimals = derivation.currency.decimals();
    let scale = 10_i128.checked_pow(decimals).ok_or(Mismatch::TooLarge)?;
    let exact = |base: i128, treatment: Treatment| {
        let percent = match treatment {
            Treatment::Taxed(percent) => percent.get(),
            Treatment::ReverseCharge | Treatment::Exempt => Decimal::ZERO,
        };
        Fraction { over: base, under: scale }.times(Fraction::of(percent)?)?.divided_by(100)
    };
    let (mut all, mut taxed) = (0, 0);
    for (number, working) in derivation.taxes.iter().enumerate() {
        let alike = derivation.lines.iter().zip(amounts);
        let bases: Vec<i128> = alike
            .filter(|(line, _)| line.treatment == working.treatment)
            .map(|(_, amount)| *amount)
            .collect();
        let base: i128 = bases.iter().sum();
        let tax = match derivation.tax_rounding {
            TaxRounding::Total => exact(base, working.treatment)?.rounded(decimals)?,
            TaxRounding::Line => {
                let each = |base: &i128| exact(*base, working.treatment)?.rounded(decimals);
                bases.iter().map(each).sum::<Result<i128, _>>()?
            }
        };
        let before = exact(base, working.treatment)?.is_about(working.before)?;
        if !before || minor(working.base) != base || minor(working.after) != tax {
            return Err(Mismatch::Tax(number));
        }
        (all, taxed) = (all + tax, taxed + bases.len());
    }
    // Every line is taxed somehow, and only once.
    if taxed == amounts.len() { Ok(all) } else { Err(Mismatch::Tax(derivation.taxes.len())) }
}

fn minor(amount: Money) -> i128 {
    i128::from(amount.minor())
}
