//! What is taken off, the least and the most, taxes and sums.

use rust_decimal::Decimal;

use super::{Draft, Governing, PricingError, fees};
use crate::{
    Money,
    billing::{
        allocation::allocate,
        bill::{Bill, Carry, LineKind, Reduction, ReductionReason, TimeTotals},
        caps::{CapUse, trim},
        derivation::{CapWorking, Derivation, DiscountRule, DiscountWorking, Origin, Step, TaxWorking},
        discounts::{Discount, DiscountOn, DiscountSize},
        retainer::Paid,
        taxes::{TaxRounding, TaxSum, Treatment},
    },
    money::MoneyError,
};

/// Steps 7 to 10 of a bill: see [`crate::billing`].
pub(super) fn add_up(
    governing: &Governing,
    mut work: Vec<Draft>,
    charges: Vec<Draft>,
    time: TimeTotals,
    paid: Paid,
) -> Result<Bill, PricingError> {
    let clauses = governing.terms().clauses();
    let currency = clauses.currency;
    let count = work.len();
    work.extend(charges);
    let mut drafts = work;
    let mut discounts = Vec::new();
    for discount in &clauses.discounts {
        if let Some(working) = take_off(discount, discounts.len(), &mut drafts, currency)? {
            discounts.push(working);
        }
    }
    let mut charges = drafts.split_off(count);
    if let Some(missing) = true_up(governing, &drafts)? {
        drafts.push(missing);
    }
    let cap = cut(governing, &mut drafts)?;
    drafts.append(&mut charges);
    let rounding = clauses.taxes.rounding;
    let taxes = taxes(&drafts, rounding, currency)?;
    let (lines, derivations): (Vec<_>, Vec<_>) =
        drafts.into_iter().map(|draft| (draft.line, draft.derivation)).unzip();
    let net = Money::sum(currency, lines.iter().map(|line| line.amount))?;
    let tax = Money::sum(currency, taxes.iter().map(|tax| tax.after))?;
    let period = governing.input.scope.period();
    let closed = governing.terms().retainer().map(|retainer| paid.close(retainer, period));
    let (balance, statement) = closed.unzip();
    Ok(Bill {
        net,
        tax,
        gross: net.plus(tax)?,
        taxes: taxes
            .iter()
            .map(|tax| TaxSum { treatment: tax.treatment, base: tax.base, tax: tax.after })
            .collect(),
        time,
        retainer: statement,
        carry: Carry {
            retainer: balance.or_else(|| governing.input.before.retainer.clone()),
            blocks: paid.blocks(governing.input.scope.completed_on()),
            cap: match cap {
                Some(cap) => Some(CapUse { used: cap.used.plus(cap.after)?, period }),
                None => governing.input.before.cap,
            },
        },
        derivation: Derivation {
            currency,
            lines: derivations,
            discounts,
            cap,
            tax_rounding: rounding,
            taxes,
        },
        lines,
    })
}

/// Whether a discount is taken from lines of this kind.
fn is_on(on: DiscountOn, kind: LineKind) -> bool {
    match (on, kind) {
        (_, LineKind::Work | LineKind::MinimumCharge) => true,
        (DiscountOn::WorkAndFees | DiscountOn::Everything, LineKind::Fee) => true,
        (DiscountOn::Everything, LineKind::Expense) => true,
        (DiscountOn::Work, LineKind::Fee) => false,
        (DiscountOn::Work | DiscountOn::WorkAndFees, LineKind::Expense) => false,
    }
}

/// Takes a discount off, each line's share by the largest remainder. `None` if there is nothing to take off.
fn take_off(
    discount: &Discount,
    number: usize,
    drafts: &mut [Draft],
    currency: crate::Currency,
) -> Result<Option<DiscountWorking>, MoneyError> {
    let mut reduced: Vec<&mut Draft> = drafts
        .iter_mut()
        .filter(|draft| is_on(discount.on, draft.line.kind) && draft.line.amount.minor() > 0)
        .collect();
    let base = Money::sum(currency, reduced.iter().map(|draft| draft.line.amount))?;
    let rule = match &discount.size {
        DiscountSize::Percent(percent) => DiscountRule::Percent(*percent),
        DiscountSize::Fixed(amount) => DiscountRule::Fixed(amount.get().to_decimal()),
        DiscountSize::Volume(steps) => match steps.percent_of(base) {
            Some(percent) => DiscountRule::Percent(percent),
            None => return Ok(None),
        },
    };
    let before = match rule {
        DiscountRule::Percent(percent) => Treatment::Taxed(percent).exact_tax(base)?,
        DiscountRule::Fixed(amount) => amount,
    };
    let mut total = Money::rounded(before, currency)?;
    if total.minor() > base.minor() {
        total = base;
    }
    if total.minor() == 0 {
        return Ok(None);
    }
    let weights: Vec<u64> = reduced.iter().map(|draft| draft.line.amount.minor().unsigned_abs()).collect();
    for (draft, share) in reduced.iter_mut().zip(allocate(total.minor(), &weights)) {
        let share = Money::from_minor(share, currency);
        let step = |before: Money, after: Money| Step::Discount {
            discount: number,
            before: before.to_decimal(),
            share: share.to_decimal(),
            after: after.to_decimal(),
        };
        reduce(draft, share, ReductionReason::Discount(discount.name.clone()), step)?;
    }
    Ok(Some(DiscountWorking { name: discount.name.clone(), base, rule, before, after: total }))
}

/// Takes `less` off a line.
fn reduce(
    draft: &mut Draft,
    less: Money,
    reason: ReductionReason,
    step: impl FnOnce(Money, Money) -> Step,
) -> Result<(), MoneyError> {
    let before = draft.line.amount;
    let after = before.minus(less)?;
    draft.derivation.steps.push(step(before, after));
    if less.minor() != 0 {
        draft.line.reductions.push(Reduction { reason, amount: less });
    }
    draft.line.amount = after;
    Ok(())
}

/// What the charged work is short of the minimum charge. Work that is paid already, or none, has no minimum.
fn true_up(governing: &Governing, work: &[Draft]) -> Result<Option<Draft>, MoneyError> {
    let clauses = governing.terms().clauses();
    let Some(minimum) = clauses.minimum_charge else { return Ok(None) };
    let reached = Money::sum(clauses.currency, work.iter().map(|draft| draft.line.amount))?;
    let missing = minimum.get().minus(reached)?;
    let charged = work.iter().any(|draft| !is_paid(draft));
    if missing.minor() <= 0 || !charged {
        return Ok(None);
    }
    let step = Step::TrueUp {
        minimum: minimum.get().to_decimal(),
        reached: reached.to_decimal(),
        after: missing.to_decimal(),
    };
    let day = governing.input.scope.completed_on();
    let by = (Origin::MinimumCharge, clauses.taxes.work, step);
    let mut draft = fees::single(LineKind::MinimumCharge, day, "Minimum charge".to_owned(), missing, by);
    draft.derivation.terms_from = governing.version.from;
    Ok(Some(draft))
}

fn is_paid(draft: &Draft) -> bool {
    draft.derivation.steps.iter().any(|step| matches!(step, Step::Paid { .. }))
}

/// Cuts the work where the cap is reached, in the order of its days, in the middle of a line if need be.
fn cut(governing: &Governing, work: &mut [Draft]) -> Result<Option<CapWorking>, MoneyError> {
    let Some(cap) = governing.terms().clauses().cap else { return Ok(None) };
    let used = cap.used(governing.input.before.cap.as_ref(), governing.input.scope.period());
    let amounts: Vec<Money> = work.iter().map(|draft| draft.line.amount).collect();
    let kept = trim(&amounts, cap.room(used)?)?;
    let currency = cap.limit.get().currency();
    for (draft, part) in work.iter_mut().zip(&kept) {
        let less = draft.line.amount.minus(*part)?;
        if less.minor() != 0 {
            let step = |before: Money, after: Money| Step::Cap {
                before: before.to_decimal(),
                after: after.to_decimal(),
            };
            reduce(draft, less, ReductionReason::Cap, step)?;
        }
    }
    let (before, after) = (Money::sum(currency, amounts)?, Money::sum(currency, kept)?);
    Ok(Some(CapWorking { limit: cap.limit.get(), used, before, after }))
}

/// The tax on what is taxed alike, in the order of the lines.
fn taxes(
    drafts: &[Draft],
    rounding: TaxRounding,
    currency: crate::Currency,
) -> Result<Vec<TaxWorking>, MoneyError> {
    let mut kinds: Vec<Treatment> = Vec::new();
    for draft in drafts {
        if !kinds.contains(&draft.derivation.treatment) {
            kinds.push(draft.derivation.treatment);
        }
    }
    let mut taxes = Vec::with_capacity(kinds.len());
    for treatment in kinds {
        let amounts = || {
            drafts
                .iter()
                .filter(|draft| draft.derivation.treatment == treatment)
                .map(|draft| draft.line.amount)
        };
        let base = Money::sum(currency, amounts())?;
        let before: Decimal = treatment.exact_tax(base)?;
        let after = match rounding {
            TaxRounding::Total => Money::rounded(before, currency)?,
            TaxRounding::Line => {
                let each = |amount| Money::rounded(treatment.exact_tax(amount)?, currency);
                Money::sum(currency, amounts().map(each).collect::<Result<Vec<_>, _>>()?)?
            }
        };
        taxes.push(TaxWorking { treatment, base, before, after });
    }
    Ok(taxes)
}
