//! How the engine gets to a figure, and which other way of rounding gets to the workbook's.

use portico_domain::{
    Currency, Money,
    billing::{
        Bill, CapWorking, DiscountRule, DiscountWorking, Increment, IncrementStep, LeastTime, LineDerivation,
        LineKind, Origin, PaidBy, RateSource, Rounding, Step, TaxRounding, TaxWorking, Together, Treatment,
    },
};
use rust_decimal::{Decimal, RoundingStrategy};

use crate::{
    clauses::Contract,
    comparison::{Charged, Figure, OfInvoice, OfTime, Subject, exact_hours, lines, same},
    work::Work,
};

/// Decimals of the hours that an invoice shows.
const HOURS_DECIMALS: u32 = 2;
/// Decimals of an unrounded value in a text.
const TEXT_DECIMALS: u32 = 6;

/// What many spreadsheets do, and so asked before everything else.
const BY_LINE: &str = "the tax of each line, rounded for itself (Round tax: line)";

/// What people round by, besides half away from zero, which is what the engine does.
const ROUNDINGS: [(Option<RoundingStrategy>, &str); 5] = [
    (Some(RoundingStrategy::MidpointAwayFromZero), "rounded half away from zero"),
    (None, "not rounded"),
    (Some(RoundingStrategy::MidpointNearestEven), "rounded half to even"),
    (Some(RoundingStrategy::ToZero), "cut off (ROUNDDOWN)"),
    (Some(RoundingStrategy::AwayFromZero), "rounded up (ROUNDUP)"),
];

/// The steps of the engine; true for the one that gives the figure.
pub(crate) fn steps(subject: Subject, bill: &Bill) -> Vec<(bool, String)> {
    let currency = bill.derivation.currency;
    let of_lines = |origin, gives: &dyn Fn(&LineDerivation, &Step) -> bool| -> Vec<(bool, String)> {
        lines(bill, origin)
            .flat_map(|(_, line)| line.steps.iter().map(move |step| (line, step)))
            .map(|(line, step)| (gives(line, step), in_words(step, currency)))
            .collect()
    };
    let told = match subject {
        Subject::Time(entry, what) => of_lines(Origin::Entry(entry), &|line, step| gives(what, line, step)),
        Subject::Expense(record) => of_lines(Origin::Expense(record), &|_, _| true),
        Subject::Invoice(what) => of_invoice(what, bill).into_iter().map(|text| (true, text)).collect(),
    };
    if told.is_empty() {
        return vec![(true, "the bill has no line for it: not billable, or another month".to_owned())];
    }
    told
}

fn gives(what: OfTime, line: &LineDerivation, step: &Step) -> bool {
    let rounded = line.steps.iter().any(|step| matches!(step, Step::Increment { .. }));
    match (what, step) {
        (OfTime::BilledMinutes, Step::Worked { .. }) => !rounded,
        (OfTime::BilledMinutes, Step::Increment { .. }) => true,
        (OfTime::CoveredMinutes, Step::Part { .. } | Step::Paid { .. }) => true,
        (OfTime::Hours, Step::Hours { .. } | Step::Paid { .. }) => true,
        (OfTime::Rate | OfTime::Amount, Step::Price { .. } | Step::Paid { .. }) => true,
        _ => false,
    }
}

fn in_words(step: &Step, currency: Currency) -> String {
    match step {
        Step::Worked { minutes, .. } => format!("{minutes} minutes worked"),
        Step::Increment { increment, earlier, before, after, .. } => {
            let with = match earlier {
                0 => String::new(),
                earlier => format!(", together with the {earlier} minutes before them"),
            };
            format!("{before} minutes, {}{with}: {after} minutes", clause(increment))
        }
        Step::Part { before, after, .. } => format!("{after} of these {before} minutes"),
        Step::Hours { before, after } => {
            format!("{before} / 60 = {} hours, rounded to two decimals: {after}", shown(exact_hours(*before)))
        }
        Step::Paid { by: PaidBy::Retainer(month) } => {
            format!("paid by the retainer of {month}: nothing more")
        }
        Step::Paid { by: PaidBy::Block(_) } => "paid by a block of hours: nothing more".to_owned(),
        Step::Price { quantity, per, rate, source, before, after, .. } => {
            let per = if *per == 1 { String::new() } else { format!(" / {per}") };
            format!(
                "{quantity} x {}{per} = {}, {}: {after} {currency} ({})",
                rate.normalize(),
                shown(Some(*before)),
                half_away(currency),
                source_in_words(source)
            )
        }
        Step::Fee { after } => format!("agreed: {after} {currency}"),
        Step::MarkedUp { cost, markup, before, after } => {
            format!(
                "{cost} + {markup}% = {}, {}: {after} {currency}",
                shown(Some(*before)),
                half_away(currency)
            )
        }
        Step::TrueUp { minimum, reached, after } => {
            format!("{minimum} at least, less {reached}: {after} {currency} are missing")
        }
        Step::Discount { share, after, .. } => format!("less its share of a discount, {share}: {after}"),
        Step::Cap { before, after } => format!("cut where the cap is reached: {before} become {after}"),
    }
}

fn source_in_words(source: &RateSource) -> String {
    match source {
        RateSource::Standard => "the contract's hourly rate".to_owned(),
        RateSource::Card { criteria, from } => {
            let role = criteria.role.as_deref().unwrap_or_default();
            let from = from.map(|from| format!(" from {from} on")).unwrap_or_default();
            format!("the rate for {role}{from}")
        }
        RateSource::Graduated { .. } | RateSource::Volume { .. } => "the rate of a tier".to_owned(),
        RateSource::Overage => "the rate beyond the retainer".to_owned(),
    }
}

fn clause(increment: &Increment) -> String {
    let way = match increment.rounding {
        Rounding::Up => "rounded up",
        Rounding::Nearest => "rounded to the nearest",
    };
    let together = match increment.together {
        Together::Entry => "each entry",
        Together::Day => "each day",
        Together::Case => "each case",
        Together::Invoice => "the whole invoice",
    };
    let least = match u16::from(increment.least) {
        0 => String::new(),
        least => format!(", at least {least}"),
    };
    format!("{together} {way} to {} minutes{least}", increment.step.minutes())
}

fn half_away(currency: Currency) -> String {
    format!("rounded to {} decimals, half away from zero", currency.decimals())
}

/// A value that may have many decimals; cut values say so.
fn shown(value: Option<Decimal>) -> String {
    let Some(value) = value else { return "?".to_owned() };
    let short = value.round_dp(TEXT_DECIMALS).normalize();
    if same(short, value) { short.to_string() } else { format!("{short}...") }
}

fn of_invoice(what: OfInvoice, bill: &Bill) -> Vec<String> {
    let derivation = &bill.derivation;
    let currency = derivation.currency;
    let summed = |kind: LineKind| {
        let count = bill.lines.iter().filter(|line| line.kind == kind).count();
        vec![format!("the sum of {count} lines, each rounded for itself")]
    };
    match what {
        OfInvoice::BilledMinutes | OfInvoice::Hours => summed(LineKind::Work),
        OfInvoice::Work => summed(LineKind::Work),
        OfInvoice::Fees => summed(LineKind::Fee),
        OfInvoice::Expenses => summed(LineKind::Expense),
        OfInvoice::Discount => derivation.discounts.iter().map(|one| discount(one, currency)).collect(),
        OfInvoice::MinimumCharge => lines(bill, Origin::MinimumCharge)
            .flat_map(|(_, line)| &line.steps)
            .map(|step| in_words(step, currency))
            .collect(),
        OfInvoice::AboveCap => derivation.cap.iter().map(cap).collect(),
        OfInvoice::Base(percent) | OfInvoice::TaxAt(percent) => derivation
            .taxes
            .iter()
            .filter(|tax| tax.treatment.percent() == percent)
            .map(|working| tax(working, derivation.tax_rounding, currency))
            .collect(),
        OfInvoice::Tax => {
            derivation.taxes.iter().map(|working| tax(working, derivation.tax_rounding, currency)).collect()
        }
        OfInvoice::Net => vec![format!("the sum of {} lines, each rounded for itself", bill.lines.len())],
        OfInvoice::Gross => vec![format!("{} and {} tax", bill.net, bill.tax)],
    }
}

fn discount(working: &DiscountWorking, currency: Currency) -> String {
    let DiscountWorking { name, base, rule, before, after } = working;
    match rule {
        DiscountRule::Percent(percent) => format!(
            "{name}: {percent}% of {base} = {}, {}: {after}",
            shown(Some(*before)),
            half_away(currency)
        ),
        DiscountRule::Fixed(amount) => format!("{name}: {amount} of {base}: {after}"),
    }
}

fn cap(CapWorking { limit, used, before, after }: &CapWorking) -> String {
    format!("{limit} at most, {used} used before: of {before}, {after} are left")
}

fn tax(working: &TaxWorking, rounding: TaxRounding, currency: Currency) -> String {
    let TaxWorking { treatment, base, before, after } = working;
    let once = match rounding {
        TaxRounding::Total => "once for the document",
        TaxRounding::Line => "for each line",
    };
    let rate = match treatment {
        Treatment::Taxed(percent) => format!("{percent}%"),
        Treatment::ReverseCharge => "reverse charge, 0%".to_owned(),
        Treatment::Exempt => "exempt, 0%".to_owned(),
    };
    format!("{rate} of {base} = {}, {} {once}: {after}", shown(Some(*before)), half_away(currency))
}

/// The other way of rounding that gives what is in the workbook.
pub(crate) fn other_way(figure: &Figure, work: &Work, contract: &Contract, bill: &Bill) -> Option<String> {
    let wanted = figure.now.unwrap_or(figure.kept);
    let ways = match figure.subject {
        Subject::Time(entry, what) => {
            let worked = work.time.iter().find(|(known, _)| known.id == entry)?.0.minutes;
            let charged = Charged::of(bill, entry).ok()?;
            of_time(what, u32::try_from(worked).ok()?, charged, contract)?
        }
        Subject::Expense(record) => {
            let cost =
                work.expenses.iter().find(|(known, _)| known.salesforce_id == record)?.0.cost.to_decimal();
            let percent = contract.clauses.markup.get().checked_add(Decimal::ONE_HUNDRED)?;
            let marked = cost.checked_mul(percent)?.checked_div(Decimal::ONE_HUNDRED)?;
            let mut ways = rounded(marked, contract.currency.decimals(), "the cost with its mark-up");
            ways.push((cost, "the cost without a mark-up".to_owned()));
            ways
        }
        Subject::Invoice(what) => of_whole(what, contract, bill)?,
    };
    let other = |value: &Decimal| same(*value, wanted) && !same(*value, figure.ours);
    ways.into_iter().find(|(value, _)| other(value)).map(|(_, words)| words)
}

type Way = (Decimal, String);

/// A value rounded in each way that people know.
fn rounded(exact: Decimal, decimals: u32, what: &str) -> Vec<Way> {
    let by = |strategy: Option<RoundingStrategy>| {
        strategy.map_or(exact, |strategy| exact.round_dp_with_strategy(decimals, strategy))
    };
    ROUNDINGS.iter().map(|(strategy, words)| (by(*strategy), format!("{what}, {words}"))).collect()
}

fn of_time(what: OfTime, worked: u32, charged: Charged, contract: &Contract) -> Option<Vec<Way>> {
    let minutes = charged.billed.saturating_sub(charged.covered);
    let shown_hours = |minutes: u32| {
        let hours = exact_hours(minutes)?;
        Some(hours.round_dp_with_strategy(HOURS_DECIMALS, RoundingStrategy::MidpointAwayFromZero))
    };
    let mut ways = Vec::new();
    match what {
        OfTime::BilledMinutes => {
            for step in IncrementStep::ALL {
                for rounding in [Rounding::Up, Rounding::Nearest] {
                    let least = LeastTime::default();
                    let other = Increment { step, rounding, together: Together::Entry, least };
                    ways.push((other.billed(worked).into(), clause(&other)));
                }
            }
        }
        OfTime::CoveredMinutes | OfTime::Rate => {}
        OfTime::Hours => {
            ways.extend(rounded(exact_hours(minutes)?, HOURS_DECIMALS, "minutes / 60"));
            ways.extend(rounded(exact_hours(minutes)?, 1, "minutes / 60 to one decimal"));
            ways.extend(rounded(exact_hours(worked)?, HOURS_DECIMALS, "minutes as they were logged / 60"));
        }
        OfTime::Amount => {
            let times = [
                (shown_hours(minutes)?, "hours of two decimals x rate (Hours: shown)"),
                (exact_hours(minutes)?, "exact minutes x rate / 60 (Hours: exact)"),
                (shown_hours(worked)?, "hours as they were logged, of two decimals, x rate"),
                (exact_hours(worked)?, "exact minutes as they were logged x rate / 60"),
            ];
            for (hours, words) in times {
                let product = hours.checked_mul(charged.rate)?;
                ways.extend(rounded(product, contract.currency.decimals(), words));
            }
        }
    }
    Some(ways)
}

fn of_whole(what: OfInvoice, contract: &Contract, bill: &Bill) -> Option<Vec<Way>> {
    let decimals = contract.currency.decimals();
    let each = |percent: Decimal, of: &dyn Fn(&LineDerivation) -> bool| {
        let factor = percent.checked_div(Decimal::ONE_HUNDRED)?;
        bill.explained().filter(|(_, line)| of(line)).try_fold(Decimal::ZERO, |sum, (line, _)| {
            let exact = line.amount.to_decimal().checked_mul(factor)?;
            sum.checked_add(Money::rounded(exact, contract.currency).ok()?.to_decimal())
        })
    };
    let before = || {
        let taxes = bill.derivation.taxes.iter();
        taxes.map(|tax| tax.before).try_fold(Decimal::ZERO, |sum, tax| sum.checked_add(tax))
    };
    Some(match what {
        OfInvoice::Work => rounded(unrounded(bill)?, decimals, "the sum of lines that are not rounded"),
        OfInvoice::Net => {
            let (lines, sum) = (price_sum(bill)?, unrounded(bill)?);
            let exact = bill.net.to_decimal().checked_add(sum.checked_sub(lines)?)?;
            rounded(exact, decimals, "the sum of lines that are not rounded")
        }
        OfInvoice::Discount => {
            let exact = bill
                .derivation
                .discounts
                .iter()
                .try_fold(Decimal::ZERO, |sum, one| sum.checked_add(one.before))?;
            rounded(exact, decimals, "the discount")
        }
        OfInvoice::TaxAt(percent) => {
            let working = bill.derivation.taxes.iter().find(|tax| tax.treatment.percent() == percent)?;
            let alike = |line: &LineDerivation| line.treatment == working.treatment;
            let mut ways = vec![(each(percent, &alike)?, BY_LINE.to_owned())];
            ways.extend(rounded(working.before, decimals, "the tax, once for the document"));
            ways
        }
        OfInvoice::Tax => {
            let mut by_line = Decimal::ZERO;
            for tax in &bill.derivation.taxes {
                let alike = |line: &LineDerivation| line.treatment == tax.treatment;
                by_line = by_line.checked_add(each(tax.treatment.percent(), &alike)?)?;
            }
            let mut ways = vec![(by_line, BY_LINE.to_owned())];
            ways.extend(rounded(before()?, decimals, "the taxes of all rates together"));
            ways
        }
        OfInvoice::Gross => {
            let exact = bill.net.to_decimal().checked_add(before()?)?;
            rounded(exact, decimals, "net and taxes that are not rounded")
        }
        OfInvoice::BilledMinutes
        | OfInvoice::Hours
        | OfInvoice::MinimumCharge
        | OfInvoice::AboveCap
        | OfInvoice::Fees
        | OfInvoice::Expenses
        | OfInvoice::Base(_) => Vec::new(),
    })
}

/// The prices of the work, each rounded.
fn price_sum(bill: &Bill) -> Option<Decimal> {
    prices(bill).try_fold(Decimal::ZERO, |sum, (_, after)| sum.checked_add(after))
}

/// The prices of the work, none rounded.
fn unrounded(bill: &Bill) -> Option<Decimal> {
    prices(bill).try_fold(Decimal::ZERO, |sum, (before, _)| sum.checked_add(before))
}

fn prices(bill: &Bill) -> impl Iterator<Item = (Decimal, Decimal)> {
    bill.derivation.lines.iter().flat_map(|line| &line.steps).filter_map(|step| match step {
        Step::Price { before, after, .. } => Some((*before, *after)),
        _ => None,
    })
}
