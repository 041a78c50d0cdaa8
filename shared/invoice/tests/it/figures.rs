//! What does not add up is refused. Validators of e-invoices let most of these pass.

use crate::work::{Dice, Issued, issued};
use portico_domain::{Money, billing::Unit};
use portico_invoice::{Brand, ComposeError, FigureError, Figures, Voucher, check, compose};
use rust_decimal::Decimal;

/// Invoices that are mutated, and the seed of the first.
const INVOICES: u64 = 40;

fn voucher(issued: &Issued) -> Voucher<'_> {
    Voucher::Invoice { invoice: &issued.invoice, positions: &issued.positions }
}

fn cent(amount: Money, more: i64) -> Money {
    Money::from_minor(amount.minor() + more, amount.currency())
}

/// What is done to figures that add up; whether there was anything to do it to.
type Mutation = (&'static str, fn(&mut Figures, i64) -> bool);

const MUTATIONS: [Mutation; 15] = [
    ("a line's amount", |f, by| edit(f.lines.last_mut(), |line| line.amount = cent(line.amount, by))),
    ("a line's amount, and everything that follows from it", |f, by| {
        f.net = cent(f.net, by);
        f.gross = cent(f.gross, by);
        f.due = f.gross;
        let Some(line) = f.lines.last_mut() else { return false };
        line.amount = cent(line.amount, by);
        let treatment = line.treatment;
        edit(f.taxes.iter_mut().find(|sum| Some(sum.treatment) == treatment), |sum| {
            sum.base = cent(sum.base, by)
        })
    }),
    ("a doubled quantity", |f, _| {
        edit(f.lines.iter_mut().find(|line| !line.rate.is_zero() && !line.quantity.is_zero()), |line| {
            line.quantity *= Decimal::TWO;
        })
    }),
    ("a price", |f, _| {
        edit(
            f.lines.iter_mut().find(|line| line.quantity >= Decimal::ONE && line.unit != Unit::Minute),
            |line| {
                line.rate += Decimal::ONE;
            },
        )
    }),
    ("a price below zero", |f, _| {
        edit(f.lines.iter_mut().find(|line| !line.rate.is_zero()), |line| line.rate = -line.rate)
    }),
    ("a reduction", |f, by| {
        let reductions = f.lines.iter_mut().flat_map(|line| &mut line.reductions);
        edit(reductions.last(), |less| less.amount = cent(less.amount, by))
    }),
    ("the net amount", |f, by| {
        f.net = cent(f.net, by);
        true
    }),
    ("a tax, with totals that follow", |f, by| {
        f.tax = cent(f.tax, by);
        f.gross = cent(f.gross, by);
        f.due = f.gross;
        edit(f.taxes.last_mut(), |sum| sum.tax = cent(sum.tax, by))
    }),
    ("the base of a tax", |f, by| edit(f.taxes.last_mut(), |sum| sum.base = cent(sum.base, by))),
    ("the sum of the taxes", |f, by| {
        f.tax = cent(f.tax, by);
        true
    }),
    ("the total", |f, by| {
        f.gross = cent(f.gross, by);
        true
    }),
    ("what is to be paid", |f, by| {
        f.due = cent(f.due, by);
        true
    }),
    ("a due date before the issue", |f, _| {
        f.due_on = f.issued_on.yesterday().ok();
        true
    }),
    ("a line of another currency", |f, _| {
        let other = if f.currency.code() == "EUR" { "USD" } else { "EUR" }.parse().unwrap();
        edit(f.lines.last_mut(), |line| line.amount = Money::from_minor(line.amount.minor(), other))
    }),
    ("a tax that no line has stated twice", |f, _| {
        let first = f.taxes[0];
        f.taxes.push(first);
        true
    }),
];

fn edit<T>(what: Option<T>, change: impl FnOnce(T)) -> bool {
    what.map(change).is_some()
}

#[test]
fn case_b01_figures_that_do_not_add_up_are_refused() {
    let mut dice = Dice(1);
    let mut tried = [0; MUTATIONS.len()];
    for count in 1..=INVOICES {
        let issued = issued(&mut dice, count);
        let sound = voucher(&issued).figures().unwrap();
        assert_eq!(check(&sound), Ok(()), "invoice {count}");
        for ((name, mutate), tried) in MUTATIONS.iter().zip(&mut tried) {
            for by in [1, -1] {
                let mut figures = sound.clone();
                if mutate(&mut figures, by) {
                    assert!(check(&figures).is_err(), "invoice {count}: {name} by {by}");
                    *tried += 1;
                }
            }
        }
    }
    assert!(tried.iter().all(|tried| *tried >= 20), "{tried:?}");
}

#[test]
fn nothing_is_made_of_what_does_not_add_up() {
    let mut issued = issued(&mut Dice(2), 1);
    issued.invoice.gross = cent(issued.invoice.gross, 1);
    let brand = Brand::from_json(include_bytes!("../../brands/nordlicht.json")).unwrap();
    let refused = compose(voucher(&issued), &brand, &issued.buyer, issued.language);
    assert!(matches!(refused, Err(ComposeError::Figures(FigureError::Gross))), "{refused:?}");
    issued.positions.lines.clear();
    let refused = compose(voucher(&issued), &brand, &issued.buyer, issued.language);
    assert!(matches!(refused, Err(ComposeError::Figures(FigureError::NoLines))), "{refused:?}");
}

#[test]
fn a_derivation_of_other_amounts_is_refused() {
    let mut issued = issued(&mut Dice(3), 1);
    issued.positions.derivation.lines.pop();
    let figures = voucher(&issued).figures().unwrap();
    assert!(matches!(check(&figures), Err(FigureError::Derivation(_) | FigureError::OtherDerivation)));
}
