//! Time: from logged minutes to lines.

use std::collections::BTreeMap;

use jiff::civil::Date;
use rust_decimal::{Decimal, RoundingStrategy};

use super::{Draft, ENTRIES_MAX, Governing, PricingError};
use crate::{
    CaseId, EntryId, Money,
    billing::{
        bill::{Line, LineKind, TimeTotals, Unit},
        derivation::{LineDerivation, Origin, Step},
        figures::{Factor, UnitPrice},
        increments::{Increment, Together},
        rates::{RateSource, Rates, Stretch, Tiers},
        retainer::{Paid, PaidBy},
        terms::{HoursPolicy, Version},
        work::{MINUTES_MAX, TimeEntry},
    },
    money::MoneyError,
};

/// Decimals of the hours that an invoice shows.
pub(super) const HOURS_DECIMALS: u32 = 2;
/// Minutes of an hour.
const HOUR: u32 = 60;

/// The lines of the time that was worked.
pub(super) struct Charged {
    pub(super) lines: Vec<Draft>,
    pub(super) totals: TimeTotals,
    pub(super) paid: Paid,
}

/// A stretch of an entry that has one rate, as it is billed.
struct Piece<'a> {
    entry: &'a TimeEntry,
    day: Date,
    version: &'a Version,
    /// Minutes of the whole entry.
    of: u32,
    stretch: Stretch,
    /// Which sum it is rounded in, and the minutes that came earlier in it.
    sum: usize,
    earlier: u32,
    billed: u32,
}

/// Minutes of a piece that one thing pays for.
struct Part<By> {
    /// Its place among the pieces.
    piece: usize,
    /// Minutes of the piece that are before it.
    skipped: u32,
    minutes: u32,
    by: By,
}

#[derive(Clone)]
enum Payer {
    /// They are paid already.
    Paid(PaidBy),
    /// The client pays this for an hour.
    Client(UnitPrice, RateSource),
}

/// Steps 1 to 5 of a bill: see [`crate::billing`].
pub(super) fn charge(governing: &Governing) -> Result<Charged, PricingError> {
    let pieces = pieces(governing)?;
    let clauses = governing.terms().clauses();
    let before = governing.input.before;
    let retainer = governing.terms().retainer().map(|retainer| (retainer, governing.input.scope.period()));
    let mut paid = Paid::new(retainer, before.retainer.as_ref(), &clauses.blocks, &before.blocks);
    let parts = rated(governing, &pieces, cover(&pieces, &mut paid));
    let mut lines = Vec::with_capacity(parts.len());
    for part in &parts {
        // A part is of a piece, so there always is one.
        let Some(piece) = pieces.get(part.piece) else { continue };
        lines.push(line(piece, part, clauses.hours, governing)?);
    }
    Ok(Charged { totals: totals(&pieces, &parts)?, lines, paid })
}

/// The entries that the bill is for, by day and then by id, cut where the rate changes with the time of day and
/// rounded to the contract's increment.
fn pieces<'a>(governing: &Governing<'a>) -> Result<Vec<Piece<'a>>, PricingError> {
    let input = governing.input;
    let clauses = governing.terms().clauses();
    let mut entries: Vec<(Date, &TimeEntry)> = input
        .entries
        .iter()
        .filter(|entry| entry.is_shown() && entry.minutes != 0)
        .map(|entry| (entry.day(&clauses.zone), entry))
        .filter(|(day, entry)| input.holds(*day, Some(entry.case)))
        .collect();
    if entries.len() > ENTRIES_MAX {
        return Err(PricingError::TooManyEntries);
    }
    entries.sort_by_key(|(day, entry)| (*day, entry.id));
    let mut sums = BTreeMap::new();
    let mut pieces = Vec::with_capacity(entries.len());
    for (day, entry) in entries {
        if !(1..=MINUTES_MAX).contains(&entry.minutes) {
            return Err(PricingError::ImplausibleEntry(entry.id));
        }
        let minutes = u32::try_from(entry.minutes).map_err(|_| PricingError::ImplausibleEntry(entry.id))?;
        let version = input.agreement.on(day).ok_or(PricingError::NoTerms(day))?;
        if version.terms.clauses().rates == Rates::FixedFees {
            continue;
        }
        for stretch in stretches(version, entry, minutes) {
            let next = (sums.len(), 0);
            let (sum, earlier) = sums.entry(Sum::of(clauses.increment, entry, day)).or_insert(next);
            let billed = clauses.increment.added(*earlier, stretch.minutes);
            pieces.push(Piece {
                entry,
                day,
                version,
                of: minutes,
                stretch,
                sum: *sum,
                earlier: *earlier,
                billed,
            });
            *earlier += stretch.minutes;
        }
    }
    Ok(pieces)
}

/// What is rounded together.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Sum {
    Entry(EntryId),
    Day(Date),
    Case(CaseId),
    Invoice,
}

impl Sum {
    fn of(increment: Increment, entry: &TimeEntry, day: Date) -> Self {
        match increment.together {
            Together::Entry => Self::Entry(entry.id),
            Together::Day => Self::Day(day),
            Together::Case => Self::Case(entry.case),
            Together::Invoice => Self::Invoice,
        }
    }
}

fn stretches(version: &Version, entry: &TimeEntry, minutes: u32) -> Vec<Stretch> {
    let clauses = version.terms.clauses();
    match &clauses.after_hours {
        Some(after_hours) => after_hours.stretches(entry.particulars.hours, minutes, &clauses.zone),
        None => vec![Stretch { minutes, factor: None }],
    }
}

/// Who pays for which minutes of the pieces, in their order; what nothing pays for is the client's.
fn cover(pieces: &[Piece], paid: &mut Paid) -> Vec<Part<Option<PaidBy>>> {
    let mut parts = Vec::with_capacity(pieces.len());
    for (place, piece) in pieces.iter().enumerate() {
        let mut skipped = 0;
        for taken in paid.take(piece.day, piece.billed) {
            parts.push(Part { piece: place, skipped, minutes: taken.minutes, by: Some(taken.by) });
            skipped += taken.minutes;
        }
        // Time that rounds to nothing keeps its line, so that the client sees it.
        if skipped < piece.billed || piece.billed == 0 {
            parts.push(Part { piece: place, skipped, minutes: piece.billed - skipped, by: None });
        }
    }
    parts
}

/// The parts with their rates; in the middle of an entry, if a tier ends there.
fn rated(governing: &Governing, pieces: &[Piece], covered: Vec<Part<Option<PaidBy>>>) -> Vec<Part<Payer>> {
    let overage = governing.terms().retainer().and_then(|retainer| retainer.overage);
    // Tiers count the client's minutes, under each version of the contract for itself.
    let mut all: BTreeMap<Option<Date>, u32> = BTreeMap::new();
    for part in &covered {
        if let (Some(piece), None) = (pieces.get(part.piece), part.by) {
            *all.entry(piece.version.from).or_insert(0) += part.minutes;
        }
    }
    let mut counted: BTreeMap<Option<Date>, u32> = BTreeMap::new();
    let mut parts = Vec::with_capacity(covered.len());
    for Part { piece: place, skipped, minutes, by } in covered {
        let Some(piece) = pieces.get(place) else { continue };
        let mut push = |skipped, minutes, by| parts.push(Part { piece: place, skipped, minutes, by });
        if let Some(by) = by {
            push(skipped, minutes, Payer::Paid(by));
            continue;
        }
        let from = piece.version.from;
        match (&piece.version.terms.clauses().rates, overage) {
            (_, Some(price)) => push(skipped, minutes, Payer::Client(price, RateSource::Overage)),
            (Rates::Card(card), None) => {
                let (price, source) = card.rate_for(piece.entry, piece.day);
                push(skipped, minutes, Payer::Client(price, source));
            }
            (Rates::Graduated(tiers), None) => {
                let counted = counted.entry(from).or_insert(0);
                for (offset, minutes, by) in graduated(tiers, *counted, minutes) {
                    push(skipped + offset, minutes, by);
                }
                *counted += minutes;
            }
            (Rates::Volume(tiers), None) => {
                let of = all.get(&from).copied().unwrap_or_default();
                let reached = tiers.reached_by(of);
                let source = RateSource::Volume { above: reached.above, of };
                push(skipped, minutes, Payer::Client(reached.price, source));
            }
            // Its entries are no pieces.
            (Rates::FixedFees, None) => {}
        }
    }
    parts
}

/// `minutes` after `counted`, cut where a tier ends: offset, minutes and rate.
fn graduated(tiers: &Tiers, counted: u32, minutes: u32) -> Vec<(u32, u32, Payer)> {
    let mut parts = Vec::new();
    let mut offset = 0;
    loop {
        let tier = tiers.after(counted + offset);
        let left = minutes - offset;
        let part = tier.up_to.map_or(left, |end| left.min(end - (counted + offset)));
        let source = RateSource::Graduated { above: tier.above };
        parts.push((offset, part, Payer::Client(tier.price, source)));
        offset += part;
        // A tier is at least a minute long, so each turn takes some.
        if offset >= minutes {
            return parts;
        }
    }
}

/// Minutes as hours, half away from zero to two decimals.
fn shown_hours(minutes: u32) -> Result<Decimal, MoneyError> {
    let exact = Decimal::from(minutes).checked_div(Decimal::from(HOUR)).ok_or(MoneyError::OutOfRange)?;
    Ok(exact.round_dp_with_strategy(HOURS_DECIMALS, RoundingStrategy::MidpointAwayFromZero))
}

fn line(
    piece: &Piece,
    part: &Part<Payer>,
    policy: HoursPolicy,
    governing: &Governing,
) -> Result<Draft, PricingError> {
    let clauses = governing.terms().clauses();
    let mut steps = vec![Step::Worked { minutes: piece.stretch.minutes, of: piece.of }];
    if clauses.increment != Increment::AS_LOGGED {
        steps.push(Step::Increment {
            increment: clauses.increment,
            sum: piece.sum,
            earlier: piece.earlier,
            before: piece.stretch.minutes,
            after: piece.billed,
        });
    }
    if part.minutes != piece.billed {
        steps.push(Step::Part { skipped: part.skipped, before: piece.billed, after: part.minutes });
    }
    let (quantity, unit) = match policy {
        HoursPolicy::Shown => {
            let hours = shown_hours(part.minutes)?;
            steps.push(Step::Hours { before: part.minutes, after: hours });
            (hours, Unit::Hour)
        }
        HoursPolicy::Exact => (Decimal::from(part.minutes), Unit::Minute),
    };
    let (rate, amount) = match &part.by {
        Payer::Paid(by) => {
            steps.push(Step::Paid { by: *by });
            (Decimal::ZERO, Money::zero(clauses.currency))
        }
        Payer::Client(base, source) => {
            let factor = piece.stretch.factor;
            let rate = multiplied(*base, factor)?;
            let product = quantity.checked_mul(rate).ok_or(MoneyError::OutOfRange)?;
            let per = unit.per();
            let exact = product.checked_div(Decimal::from(per)).ok_or(MoneyError::OutOfRange)?;
            let amount = Money::rounded(exact, clauses.currency)?;
            steps.push(Step::Price {
                quantity,
                per,
                base: *base,
                source: source.clone(),
                factor,
                rate,
                before: exact,
                after: amount.to_decimal(),
            });
            (rate, amount)
        }
    };
    let treatment = clauses.taxes.work;
    let line = Line {
        kind: LineKind::Work,
        entry: Some(piece.entry.id),
        worked_on: piece.day,
        person: piece.entry.person.clone(),
        description: piece.entry.description.clone(),
        minutes: i64::from(logged(piece, part)),
        quantity,
        unit,
        rate,
        reductions: Vec::new(),
        amount,
        treatment: Some(treatment),
    };
    let origin = Origin::Entry(piece.entry.id);
    let terms_from = match &part.by {
        // What a retainer or a block says is not about single days.
        Payer::Paid(_) | Payer::Client(_, RateSource::Overage) => governing.version.from,
        Payer::Client(..) => piece.version.from,
    };
    let derivation = LineDerivation { origin, terms_from, treatment, steps };
    Ok(Draft { line, derivation })
}

fn multiplied(base: UnitPrice, factor: Option<Factor>) -> Result<Decimal, MoneyError> {
    match factor {
        None => Ok(base.get()),
        Some(factor) => {
            let rate = base.get().checked_mul(factor.get()).ok_or(MoneyError::OutOfRange)?;
            Ok(rate.normalize())
        }
    }
}

/// How many of the logged minutes a part stands for. What was rounded away or added is the last part's.
fn logged(piece: &Piece, part: &Part<Payer>) -> u32 {
    let worked = piece.stretch.minutes;
    let end = part.skipped + part.minutes;
    let until = if end >= piece.billed { worked } else { end.min(worked) };
    until - part.skipped.min(worked)
}

fn totals(pieces: &[Piece], parts: &[Part<Payer>]) -> Result<TimeTotals, MoneyError> {
    let billed = pieces.iter().map(|piece| piece.billed).sum();
    let mut hours_by_line = Decimal::ZERO;
    for part in parts {
        let hours = shown_hours(part.minutes)?;
        hours_by_line = hours_by_line.checked_add(hours).ok_or(MoneyError::OutOfRange)?;
    }
    Ok(TimeTotals {
        worked: pieces.iter().map(|piece| piece.stretch.minutes).sum(),
        billed,
        hours_by_line,
        hours_at_once: shown_hours(billed)?,
    })
}
