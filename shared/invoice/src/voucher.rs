//! What a document is about, in figures: an invoice, or a credit note, which says the same the other way round.

use crate::{Country, VatNumber};
use jiff::{Timestamp, civil::Date};
use portico_domain::{
    Currency, Money,
    billing::{
        CreditNote, Credits, Derivation, Invoice, Line, LineDerivation, Origin, Positions, Reduction,
        TaxRounding, TaxSum,
    },
    money::MoneyError,
};

/// What a document is about.
#[derive(Debug, Clone, Copy)]
pub enum Voucher<'a> {
    /// Asks for money.
    Invoice {
        /// The invoice.
        invoice: &'a Invoice,
        /// Its positions.
        positions: &'a Positions,
    },
    /// Takes back all or a part of an invoice.
    CreditNote {
        /// The credit note.
        note: &'a CreditNote,
        /// The invoice that it corrects.
        of: &'a Invoice,
        /// The positions of that.
        positions: &'a Positions,
    },
}

impl<'a> Voucher<'a> {
    /// The invoice, or the one that is corrected.
    pub fn invoice(self) -> &'a Invoice {
        match self {
            Self::Invoice { invoice, .. } | Self::CreditNote { of: invoice, .. } => invoice,
        }
    }

    /// Its number in its series.
    pub fn number(self) -> &'a str {
        match self {
            Self::Invoice { invoice, .. } => invoice.number.as_str(),
            Self::CreditNote { note, .. } => note.number.as_str(),
        }
    }

    /// The day of issue in the contract's time zone.
    pub fn issued_on(self) -> Date {
        match self {
            Self::Invoice { invoice, .. } => invoice.issued_on,
            Self::CreditNote { note, .. } => note.issued_on,
        }
    }

    /// The moment of issue.
    pub fn issued_at(self) -> Timestamp {
        match self {
            Self::Invoice { invoice, .. } => invoice.issued_at,
            Self::CreditNote { note, .. } => note.issued_at,
        }
    }

    /// Its figures as they are printed. Those of a credit note are more than nothing: the document's kind says that
    /// they are given back.
    ///
    /// # Errors
    /// [`MoneyError`] if an amount has no negative.
    pub fn figures(self) -> Result<Figures<'a>, MoneyError> {
        match self {
            Self::Invoice { invoice, positions } => Ok(Figures {
                currency: invoice.currency,
                lines: positions.lines.clone(),
                net: invoice.net,
                taxes: invoice.taxes.clone(),
                tax: invoice.tax,
                gross: invoice.gross,
                due: invoice.gross,
                tax_rule: TaxRule::of(positions.derivation.tax_rounding),
                issued_on: invoice.issued_on,
                due_on: Some(invoice.due_on),
                derivation: Some(&positions.derivation),
                origins: positions.derivation.lines.iter().map(|line: &LineDerivation| line.origin).collect(),
            }),
            Self::CreditNote { note, of, positions } => Ok(Figures {
                currency: of.currency,
                lines: note.lines(positions)?.iter().map(the_other_way_round).collect::<Result<_, _>>()?,
                net: note.net.negated()?,
                taxes: note.taxes.iter().map(taken_back).collect::<Result<_, _>>()?,
                tax: note.tax.negated()?,
                gross: note.gross.negated()?,
                due: note.gross.negated()?,
                tax_rule: match note.credits {
                    Credits::Everything => TaxRule::of(positions.derivation.tax_rounding),
                    Credits::Lines(_) => TaxRule::Remnant,
                },
                issued_on: note.issued_on,
                due_on: None,
                derivation: None,
                origins: origins(note, positions),
            }),
        }
    }
}

/// What each position of a credit note is for.
fn origins(note: &CreditNote, positions: &Positions) -> Vec<Origin> {
    let lines = &positions.derivation.lines;
    match &note.credits {
        Credits::Everything => lines.iter().map(|line| line.origin).collect(),
        Credits::Lines(credits) => {
            let at = |line: u16| lines.get(usize::from(line).checked_sub(1)?);
            credits.iter().filter_map(|credit| at(credit.line)).map(|line| line.origin).collect()
        }
    }
}

/// How the tax of a rate follows from what is taxed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaxRule {
    /// It is that of the sum.
    OfSum,
    /// It is the sum of that of each line.
    OfLines,
    /// It is that of the sum, or what was left of the tax when the last of what is taxed alike was credited.
    Remnant,
}

impl TaxRule {
    fn of(rounding: TaxRounding) -> Self {
        match rounding {
            TaxRounding::Total => Self::OfSum,
            TaxRounding::Line => Self::OfLines,
        }
    }
}

/// The figures of a document.
#[derive(Debug, Clone)]
pub struct Figures<'a> {
    /// Of every amount.
    pub currency: Currency,
    /// Positions.
    pub lines: Vec<Line>,
    /// Sum of the positions.
    pub net: Money,
    /// The taxes, each rate once.
    pub taxes: Vec<TaxSum>,
    /// Sum of the taxes.
    pub tax: Money,
    /// Net and tax.
    pub gross: Money,
    /// What is to be paid, or given back.
    pub due: Money,
    /// How taxes follow from what is taxed.
    pub tax_rule: TaxRule,
    /// The day of issue.
    pub issued_on: Date,
    /// The day by which it is to be paid; a credit note has none.
    pub due_on: Option<Date>,
    /// How every cent comes about, if that is known.
    pub derivation: Option<&'a Derivation>,
    /// What each position is for, if that is known.
    pub origins: Vec<Origin>,
}

impl Figures<'_> {
    /// What the position at `place` is for, if that is known.
    pub fn origin(&self, place: usize) -> Option<Origin> {
        self.origins.get(place).copied()
    }

    /// The first and the last day of what is billed.
    pub fn period(&self) -> Option<(Date, Date)> {
        let days = || self.lines.iter().map(|line| line.worked_on);
        Some((days().min()?, days().max()?))
    }
}

fn the_other_way_round(line: &Line) -> Result<Line, MoneyError> {
    let back =
        |less: &Reduction| Ok(Reduction { amount: less.amount.negated()?, reason: less.reason.clone() });
    Ok(Line {
        quantity: -line.quantity,
        minutes: line.minutes.saturating_neg(),
        reductions: line.reductions.iter().map(back).collect::<Result<_, MoneyError>>()?,
        amount: line.amount.negated()?,
        ..line.clone()
    })
}

fn taken_back(sum: &TaxSum) -> Result<TaxSum, MoneyError> {
    Ok(TaxSum { base: sum.base.negated()?, tax: sum.tax.negated()?, ..*sum })
}

/// Who receives a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Buyer {
    /// Its name.
    pub name: String,
    /// Postal address, one entry a line.
    pub address: Vec<String>,
    /// Where it is; e-invoices need it.
    pub country: Option<Country>,
    /// VAT number; e-invoices need it where the buyer owes the tax.
    pub vat_number: Option<VatNumber>,
}

impl Buyer {
    /// Whom an invoice is billed to. The country is that of the address's last line.
    pub fn of(invoice: &Invoice, vat_number: Option<VatNumber>) -> Self {
        let (name, address) = match invoice.bill_to.split_first() {
            Some((name, address)) => (name.clone(), address.to_vec()),
            None => (String::new(), Vec::new()),
        };
        let country = address.last().and_then(|line| Country::parse(line));
        Self { name, address, country, vat_number }
    }
}
