//! What is charged besides time: retainers, blocks, milestones, expenses.

use jiff::civil::Date;
use rust_decimal::Decimal;

use super::{CHARGES_MAX, Draft, Governing, PricingError};
use crate::{
    Money,
    billing::{
        bill::{Line, LineKind, Unit},
        derivation::{LineDerivation, Origin, Step},
        period::Scope,
        retainer::Block,
        taxes::Treatment,
        work::Expense,
    },
    money::MoneyError,
};

/// Step 6 of a bill: see [`crate::billing`].
pub(super) fn charge(governing: &Governing) -> Result<Vec<Draft>, PricingError> {
    let mut fees = fees(governing)?;
    fees.extend(expenses(governing)?);
    Ok(fees)
}

/// A single thing of an amount.
pub(super) fn single(
    kind: LineKind,
    day: Date,
    description: String,
    amount: Money,
    (origin, treatment, step): (Origin, Treatment, Step),
) -> Draft {
    Draft {
        line: Line {
            kind,
            entry: None,
            worked_on: day,
            person: String::new(),
            description,
            minutes: 0,
            quantity: Decimal::ONE,
            unit: Unit::Piece,
            rate: amount.to_decimal(),
            reductions: Vec::new(),
            amount,
            treatment: Some(treatment),
        },
        derivation: LineDerivation { origin, terms_from: None, treatment, steps: vec![step] },
    }
}

fn fees(governing: &Governing) -> Result<Vec<Draft>, PricingError> {
    let clauses = governing.terms().clauses();
    let input = governing.input;
    let mut fees = Vec::new();
    let mut fee = |day, description, amount: Money, origin| {
        let step = Step::Fee { after: amount.to_decimal() };
        let mut draft = single(LineKind::Fee, day, description, amount, (origin, clauses.taxes.fees, step));
        draft.derivation.terms_from = governing.version.from;
        fees.push(draft);
    };
    if let (Some(retainer), Scope::Period(period)) = (governing.terms().retainer(), input.scope)
        && retainer.fee.minor() > 0
    {
        fee(period.first(), format!("Retainer {period}"), retainer.fee, Origin::Retainer(period));
    }
    let known = |block: &Block| input.before.blocks.iter().any(|known| known.block == block.salesforce_id);
    let mut blocks: Vec<&Block> = clauses.blocks.iter().collect();
    blocks.sort_by_key(|block| (block.bought_on, block.salesforce_id));
    for block in blocks {
        if block.bought_on <= input.scope.completed_on() && !known(block) {
            let hours = Decimal::from(block.time.minutes())
                .checked_div(Decimal::from(60))
                .ok_or(MoneyError::OutOfRange)?
                .round_dp(2)
                .normalize();
            let words = format!("Prepaid hours: {hours}");
            fee(block.bought_on, words, block.price.get(), Origin::Block(block.salesforce_id));
        }
    }
    let mut deliveries: Vec<_> = input
        .deliveries
        .iter()
        .filter(|delivery| input.holds(delivery.delivered_on, delivery.case))
        .collect();
    deliveries.sort_by_key(|delivery| (delivery.delivered_on, delivery.salesforce_id));
    if deliveries.len() > CHARGES_MAX {
        return Err(PricingError::TooManyLines);
    }
    for delivery in deliveries {
        if delivery.fee.minor() < 0 {
            return Err(PricingError::NegativeCharge);
        }
        if delivery.fee.currency() != clauses.currency {
            return Err(MoneyError::MixedCurrencies.into());
        }
        let origin = Origin::Milestone(delivery.salesforce_id);
        fee(delivery.delivered_on, delivery.name.clone(), delivery.fee, origin);
    }
    Ok(fees)
}

fn expenses(governing: &Governing) -> Result<Vec<Draft>, PricingError> {
    let input = governing.input;
    let mut expenses: Vec<&Expense> =
        input.expenses.iter().filter(|expense| input.holds(expense.incurred_on, expense.case)).collect();
    expenses.sort_by_key(|expense| (expense.incurred_on, expense.salesforce_id));
    if expenses.len() > CHARGES_MAX {
        return Err(PricingError::TooManyLines);
    }
    expenses.into_iter().map(|expense| marked_up(governing, expense)).collect()
}

fn marked_up(governing: &Governing, expense: &Expense) -> Result<Draft, PricingError> {
    let clauses = governing.terms().clauses();
    if expense.cost.minor() < 0 {
        return Err(PricingError::NegativeCharge);
    }
    if expense.cost.currency() != clauses.currency {
        return Err(MoneyError::MixedCurrencies.into());
    }
    let percent = clauses.markup.get().checked_add(Decimal::ONE_HUNDRED).ok_or(MoneyError::OutOfRange)?;
    let exact = expense
        .cost
        .to_decimal()
        .checked_mul(percent)
        .and_then(|product| product.checked_div(Decimal::ONE_HUNDRED))
        .ok_or(MoneyError::OutOfRange)?;
    let amount = Money::rounded(exact, clauses.currency)?;
    let step = Step::MarkedUp {
        cost: expense.cost.to_decimal(),
        markup: clauses.markup,
        before: exact,
        after: amount.to_decimal(),
    };
    let origin = Origin::Expense(expense.salesforce_id);
    let mut draft = single(
        LineKind::Expense,
        expense.incurred_on,
        expense.description.clone(),
        amount,
        (origin, clauses.taxes.expenses, step),
    );
    draft.line.person = expense.person.clone();
    draft.derivation.terms_from = governing.version.from;
    Ok(draft)
}
