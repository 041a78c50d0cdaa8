//! The figures of a workbook next to those of the engine.

use portico_domain::{
    EntryId, Money, SalesforceId,
    billing::{Bill, Line, LineDerivation, LineKind, Origin, ReductionReason, Step, Treatment, Unit},
    money::MoneyError,
};
use rust_decimal::Decimal;

use crate::{
    Unusable,
    book::{self, Book, INVOICE},
    clauses::Contract,
    explanation,
    sheet::{Cell, Found, Place, Value},
    work::{TimeCells, Work},
};

/// Decimals that are compared. A rate has at most 6; what is behind 8 comes from a spreadsheet's counting in twos.
const COMPARED_DECIMALS: u32 = 8;
/// Minutes of an hour.
const HOUR: u32 = 60;

/// A figure, three times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figure {
    /// The cell that it stands in.
    pub place: Place,
    /// What it is: `amount of 3 Nov, Ada Byrne`.
    pub name: String,
    /// What the spreadsheet program left in the cell.
    pub kept: Decimal,
    /// What the cell's formula gives when it is calculated again; none if the number was typed.
    pub now: Option<Decimal>,
    /// What the engine says.
    pub ours: Decimal,
    pub(crate) subject: Subject,
}

impl Figure {
    /// Whether all three are the same.
    pub fn agrees(&self) -> bool {
        same(self.kept, self.ours) && self.now.is_none_or(|now| same(now, self.ours))
    }
}

/// What a figure is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    Time(EntryId, OfTime),
    Expense(SalesforceId),
    Invoice(OfInvoice),
}

/// A figure of a time entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OfTime {
    BilledMinutes,
    CoveredMinutes,
    Hours,
    Rate,
    Amount,
}

/// A figure of the invoice as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OfInvoice {
    BilledMinutes,
    Hours,
    Work,
    Discount,
    MinimumCharge,
    AboveCap,
    Fees,
    Expenses,
    Net,
    /// What is taxed at a rate, in percent.
    Base(Decimal),
    /// The tax at a rate, in percent.
    TaxAt(Decimal),
    Tax,
    Gross,
}

/// A formula that gives something else now than what was left in its cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stale {
    /// The cell.
    pub place: Place,
    /// Its formula.
    pub formula: String,
    /// What was left in it.
    pub kept: String,
    /// What it gives now.
    pub now: String,
}

/// The first figure that is not the same, and how it comes about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The figure.
    pub figure: Figure,
    /// The steps by which the engine gets there; true for the one that gives the figure.
    pub steps: Vec<(bool, String)>,
    /// The other way of rounding that gives what is in the workbook, if one is known.
    pub other_way: Option<String>,
}

/// What came of a comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// Every figure that was compared, in the order of the sheets; there is at least one.
    pub figures: Vec<Figure>,
    /// Formulas that give something else now than what was left in their cells.
    pub stale: Vec<Stale>,
    /// Whether macros are in the file. They were not run.
    pub macros: bool,
    /// The first difference between the workbook and the engine.
    pub first: Option<Difference>,
    /// How many decimals an amount has.
    pub(crate) decimals: u32,
}

impl Comparison {
    /// Whether every figure is the same three times, and no formula is stale.
    pub fn agrees(&self) -> bool {
        self.figures.iter().all(Figure::agrees) && self.stale.is_empty()
    }
}

pub(crate) fn same(one: Decimal, other: Decimal) -> bool {
    one.round_dp(COMPARED_DECIMALS) == other.round_dp(COMPARED_DECIMALS)
}

/// Compares a workbook with the engine's bill.
///
/// # Errors
/// [`Unusable`] if a cell that is compared holds no number, or the invoice has no net or gross amount.
pub(crate) fn of(
    book: &Book,
    contract: &Contract,
    work: &Work,
    bill: &Bill,
    macros: bool,
) -> Result<Comparison, Unusable> {
    let mut figures = Vec::new();
    for (entry, cells) in &work.time {
        let of = format!("{}, {}", entry.worked_on.strftime("%-d %b"), entry.person);
        let ours = Charged::of(bill, entry.id).map_err(refused)?;
        for (what, name, cell, ours) in ours.figures(cells) {
            figures.push(figure(cell, format!("{name} of {of}"), ours, Subject::Time(entry.id, what))?);
        }
    }
    for (expense, cell) in &work.expenses {
        let ours = lines(bill, Origin::Expense(expense.salesforce_id));
        let ours = ours.map(|(line, _)| line.price()).collect::<Result<Vec<_>, _>>().map_err(refused)?;
        let ours = Money::sum(contract.currency, ours).map_err(refused)?;
        let name = format!("amount of {}", expense.description);
        figures.push(figure(cell, name, ours.to_decimal(), Subject::Expense(expense.salesforce_id))?);
    }
    figures.extend(invoice(book, bill)?);
    let first = figures.iter().find(|figure| !figure.agrees()).map(|figure| Difference {
        steps: explanation::steps(figure.subject, bill),
        other_way: explanation::other_way(figure, work, contract, bill),
        figure: figure.clone(),
    });
    let decimals = contract.currency.decimals();
    Ok(Comparison { figures, stale: stale(book), macros, first, decimals })
}

/// Sums that do not fit are the engine's to refuse, and it did not.
fn refused(error: MoneyError) -> Unusable {
    Unusable::Refused(error.into())
}

fn figure(cell: &Found, name: String, ours: Decimal, subject: Subject) -> Result<Figure, Unusable> {
    let now = cell.number("a number")?;
    let Value::Number(kept) = cell.cell.kept else {
        let found = format!("{}, as the spreadsheet program left it", cell.cell.kept);
        return Err(Unusable::Cell { place: cell.place, expected: "a number".to_owned(), found });
    };
    let now = cell.cell.formula.as_ref().map(|_| now);
    // What is taken off is written with or without its sign.
    let sign = |value: Decimal| match subject {
        Subject::Invoice(OfInvoice::Discount | OfInvoice::AboveCap) => value.abs(),
        Subject::Time(..) | Subject::Expense(_) | Subject::Invoice(_) => value,
    };
    Ok(Figure { place: cell.place, name, kept: sign(kept), now: now.map(sign), ours, subject })
}

/// The lines of what a bill is for.
pub(crate) fn lines(bill: &Bill, origin: Origin) -> impl Iterator<Item = (&Line, &LineDerivation)> {
    bill.explained().filter(move |(_, derivation)| derivation.origin == origin)
}

/// What the engine makes of a time entry. One that is paid for by several things has several lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Charged {
    pub billed: u32,
    pub covered: u32,
    pub hours: Decimal,
    pub rate: Decimal,
    /// Before discounts and the cap.
    pub amount: Decimal,
}

impl Charged {
    pub fn of(bill: &Bill, entry: EntryId) -> Result<Self, MoneyError> {
        let mut charged = Self::default();
        for (line, derivation) in lines(bill, Origin::Entry(entry)) {
            let mut minutes = 0;
            for step in &derivation.steps {
                match step {
                    Step::Worked { minutes: after, .. } | Step::Increment { after, .. } => {
                        (charged.billed, minutes) = (*after, *after);
                    }
                    Step::Part { after, .. } => minutes = *after,
                    _ => {}
                }
            }
            if derivation.steps.iter().any(|step| matches!(step, Step::Paid { .. })) {
                charged.covered += minutes;
                continue;
            }
            let hours = match line.unit {
                Unit::Hour | Unit::Piece => line.quantity,
                Unit::Minute => exact_hours(minutes).ok_or(MoneyError::OutOfRange)?,
            };
            charged.hours = charged.hours.checked_add(hours).ok_or(MoneyError::OutOfRange)?;
            charged.rate = line.rate;
            let amount = line.price()?.to_decimal();
            charged.amount = charged.amount.checked_add(amount).ok_or(MoneyError::OutOfRange)?;
        }
        Ok(charged)
    }

    /// The figures of an entry that its row has a cell for.
    fn figures<'a>(
        &self,
        cells: &'a TimeCells,
    ) -> impl Iterator<Item = (OfTime, &'static str, &'a Found, Decimal)> + use<'a> {
        [
            (OfTime::BilledMinutes, "billed minutes", cells.billed_minutes.as_ref(), self.billed.into()),
            (OfTime::CoveredMinutes, "covered minutes", cells.covered_minutes.as_ref(), self.covered.into()),
            (OfTime::Hours, "hours", cells.hours.as_ref(), self.hours),
            (OfTime::Rate, "rate", cells.rate.as_ref(), self.rate),
            (OfTime::Amount, "amount", Some(&cells.amount), self.amount),
        ]
        .into_iter()
        .filter_map(|(what, name, cell, ours)| cell.map(|cell| (what, name, cell, ours)))
    }
}

/// Minutes as hours, not rounded.
pub(crate) fn exact_hours(minutes: u32) -> Option<Decimal> {
    Decimal::from(minutes).checked_div(Decimal::from(HOUR))
}

fn invoice(book: &Book, bill: &Bill) -> Result<Vec<Figure>, Unusable> {
    let sheet = book.required(INVOICE)?;
    let mut figures: Vec<Figure> = Vec::new();
    for (name, found) in sheet.pairs() {
        let Some(what) = OfInvoice::named(&name) else { continue };
        let subject = Subject::Invoice(what);
        if let Some(first) = figures.iter().find(|figure| figure.subject == subject) {
            let expected = format!("each figure once, and {name:?} is in {} already", first.place);
            return Err(found.wrong(expected));
        }
        figures.push(figure(&found, name, what.on(bill).map_err(refused)?, subject)?);
    }
    for (what, name) in [(OfInvoice::Net, "net"), (OfInvoice::Gross, "gross")] {
        if !figures.iter().any(|figure| figure.subject == Subject::Invoice(what)) {
            return Err(Unusable::Missing { sheet: INVOICE, name: name.to_owned() });
        }
    }
    Ok(figures)
}

impl OfInvoice {
    /// The figure of this name, in small letters: `tax 19 %`.
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "billed minutes" => Self::BilledMinutes,
            "hours" => Self::Hours,
            "work" => Self::Work,
            "discount" => Self::Discount,
            "to the minimum charge" => Self::MinimumCharge,
            "above the cap" => Self::AboveCap,
            "fees" => Self::Fees,
            "expenses" => Self::Expenses,
            "net" => Self::Net,
            "tax" => Self::Tax,
            "gross" => Self::Gross,
            _ => {
                let (kind, percent) = name.strip_suffix('%')?.split_once(' ')?;
                let percent: Decimal = percent.trim().parse().ok()?;
                match kind {
                    "base" => Self::Base(percent.normalize()),
                    "tax" => Self::TaxAt(percent.normalize()),
                    _ => return None,
                }
            }
        })
    }

    /// What the bill says of it.
    fn on(self, bill: &Bill) -> Result<Decimal, MoneyError> {
        let currency = bill.derivation.currency;
        let zero = || Money::zero(currency);
        let of_kind = |kind: LineKind| {
            let alike = bill.lines.iter().filter(|line| line.kind == kind);
            Money::sum(currency, alike.map(Line::price).collect::<Result<Vec<_>, _>>()?)
        };
        let at = |percent: Decimal| {
            bill.taxes
                .iter()
                .filter(move |tax| matches!(tax.treatment, Treatment::Taxed(rate) if rate.get() == percent))
        };
        let amount = match self {
            Self::BilledMinutes => return Ok(bill.time.billed.into()),
            Self::Hours => return hours(bill),
            Self::Work => of_kind(LineKind::Work)?,
            Self::Discount => {
                Money::sum(currency, bill.derivation.discounts.iter().map(|discount| discount.after))?
            }
            Self::MinimumCharge => of_kind(LineKind::MinimumCharge)?,
            Self::AboveCap => {
                let reductions = bill.lines.iter().flat_map(|line| &line.reductions);
                let cut = reductions.filter(|reduction| reduction.reason == ReductionReason::Cap);
                Money::sum(currency, cut.map(|reduction| reduction.amount))?
            }
            Self::Fees => of_kind(LineKind::Fee)?,
            Self::Expenses => of_kind(LineKind::Expense)?,
            Self::Net => bill.net,
            Self::Base(percent) => at(percent).map(|tax| tax.base).next().unwrap_or_else(zero),
            Self::TaxAt(percent) => at(percent).map(|tax| tax.tax).next().unwrap_or_else(zero),
            Self::Tax => bill.tax,
            Self::Gross => bill.gross,
        };
        Ok(amount.to_decimal())
    }
}

/// The hours that are charged.
fn hours(bill: &Bill) -> Result<Decimal, MoneyError> {
    let mut entries: Vec<EntryId> = bill.lines.iter().filter_map(|line| line.entry).collect();
    entries.sort_unstable();
    entries.dedup();
    entries.into_iter().try_fold(Decimal::ZERO, |sum, entry| {
        sum.checked_add(Charged::of(bill, entry)?.hours).ok_or(MoneyError::OutOfRange)
    })
}

fn stale(book: &Book) -> Vec<Stale> {
    let differs = |cell: &Cell| match (&cell.kept, &cell.now) {
        (Value::Number(kept), Value::Number(now)) => !same(*kept, *now),
        (kept, now) => kept != now,
    };
    book::formulas(book)
        .filter(|(_, cell, _)| differs(cell))
        .map(|(place, cell, formula)| Stale {
            place,
            formula: formula.to_owned(),
            kept: cell.kept.to_string(),
            now: cell.now.to_string(),
        })
        .collect()
}
