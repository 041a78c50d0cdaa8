//! Credit notes: how an issued invoice is corrected. It is never edited.

use std::collections::BTreeMap;

use jiff::{Timestamp, civil::Date};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::{
    bill::{Line, LineKind, Reduction, Unit},
    invoice::{Invoice, InvoiceNumber, Positions, Rendered, Series},
    taxes::{TaxRounding, TaxSum, Treatment},
};
use crate::{AccountId, CreditNoteId, InvoiceId, Money, money::MoneyError};

/// Most positions that one credit note takes back in part.
pub const CREDITS_MAX: usize = 200;

/// What is credited of one position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credit {
    /// The position on the invoice, from 1.
    pub line: u16,
    /// How much of its amount, before tax.
    pub amount: Money,
}

/// What a credit note takes back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Credits {
    /// All of an invoice of which nothing was credited before: each of its figures the other way round. Nothing is
    /// calculated again, so nothing can come out differently.
    Everything,
    /// Parts of some positions.
    Lines(Vec<Credit>),
}

/// What was credited of an invoice so far.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Credited {
    /// Whether one credit note took back all of it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub everything: bool,
    /// Before tax, by position.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub lines: BTreeMap<u16, Money>,
    /// By how it is taxed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub taxes: Vec<TaxSum>,
}

fn is_false(value: &bool) -> bool {
    !value
}

impl Credited {
    /// Whether nothing was credited.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// What was credited of one tax.
    fn of(&self, treatment: Treatment, nothing: Money) -> TaxSum {
        let found = self.taxes.iter().find(|sum| sum.treatment == treatment);
        found.copied().unwrap_or(TaxSum { treatment, base: nothing, tax: nothing })
    }
}

/// A credit note: less is owed for an invoice. All amounts are below zero.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreditNote {
    /// The portal's id.
    pub id: CreditNoteId,
    /// Whose it is.
    pub account: AccountId,
    /// Its number, from a series of its own.
    pub number: InvoiceNumber,
    /// The invoice that it corrects.
    pub invoice: InvoiceId,
    /// That invoice's number.
    pub corrects: InvoiceNumber,
    /// Why.
    pub reason: String,
    /// What it takes back.
    pub credits: Credits,
    /// Sum of the positions.
    pub net: Money,
    /// The taxes, each rate once.
    pub taxes: Vec<TaxSum>,
    /// Tax.
    pub tax: Money,
    /// What the client gets back, or need not pay.
    pub gross: Money,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// The day of the issue in the contract's time zone.
    pub issued_on: Date,
    /// The PDF, once it is rendered.
    pub rendered: Option<Rendered>,
    /// Counts the writes of this record, from 1.
    pub version: u64,
}

/// Why an invoice is not credited so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CreditError {
    /// No position at all, or nothing is left that could be credited.
    #[error("there is nothing to credit")]
    Nothing,
    /// More positions than one credit note takes back in part.
    #[error("a credit note takes back parts of at most {CREDITS_MAX} positions")]
    TooManyLines,
    /// The invoice has no such position.
    #[error("the invoice has no position {0}")]
    UnknownLine(u16),
    /// A position is named twice.
    #[error("position {0} is named twice")]
    LineTwice(u16),
    /// An amount of nothing or less, or in another currency than the invoice's.
    #[error("what is credited of position {0} must be above zero, and in the invoice's currency")]
    NotPositive(u16),
    /// More than is left of a position.
    #[error("of position {line} only {left} can be credited")]
    TooMuch {
        /// The position.
        line: u16,
        /// What is left of it before tax.
        left: Money,
    },
    /// A sum that does not fit.
    #[error(transparent)]
    Money(#[from] MoneyError),
}

/// What somebody of the consultancy wants credited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CreditWish {
    /// Whatever is left of the invoice.
    Everything,
    /// Parts of some positions.
    Lines(Vec<Credit>),
}

/// Where a credit note comes from, and when.
#[derive(Debug, Clone, Copy)]
pub struct Crediting<'a> {
    /// Its id.
    pub id: CreditNoteId,
    /// Why.
    pub reason: &'a str,
    /// The place of its number in the year's series, from 1.
    pub count: u64,
    /// The day in the contract's time zone.
    pub issued_on: Date,
    /// The present.
    pub now: Timestamp,
}

impl Invoice {
    /// Takes back all or parts of the invoice: the invoice as it stands afterwards, and the credit note.
    ///
    /// Tax is taken back as it was taken: by the rate on what is credited, and where that is the last of what is taxed
    /// alike, whatever is left of the tax. So however an invoice is credited bit by bit, in the end all of it is.
    /// Of a position that is in dispute less is held from then on; the dispute stays open.
    ///
    /// # Errors
    /// [`CreditError`].
    pub fn credit(
        &self,
        positions: &Positions,
        wish: CreditWish,
        crediting: Crediting,
    ) -> Result<(Self, CreditNote), CreditError> {
        let (credits, taxes) = match wish {
            CreditWish::Everything if self.credited.is_nothing() => (Credits::Everything, self.taxes.clone()),
            wish => {
                let lines = self.wished(positions, wish)?;
                let taxes = self.taxes_of(positions, &lines)?;
                (Credits::Lines(lines), taxes)
            }
        };
        let net = Money::sum(self.currency, taxes.iter().map(|sum| sum.base))?;
        let tax = Money::sum(self.currency, taxes.iter().map(|sum| sum.tax))?;
        let gross = net.plus(tax)?;
        let note = CreditNote {
            id: crediting.id,
            account: self.account,
            number: Series::CreditNotes.number(crediting.issued_on.year(), crediting.count),
            invoice: self.id,
            corrects: self.number.clone(),
            reason: crediting.reason.to_owned(),
            net: net.negated()?,
            taxes: taxes.iter().map(taken_back).collect::<Result<_, _>>()?,
            tax: tax.negated()?,
            gross: gross.negated()?,
            issued_at: crediting.now,
            issued_on: crediting.issued_on,
            rendered: None,
            version: 1,
            credits,
        };
        let credited = self.with_credits(&note.credits, &taxes)?;
        let settlement = self.settlement.credit(gross)?;
        let next = Self { credited, settlement, version: self.version + 1, ..self.clone() };
        Ok((next.claimed_again(positions)?, note))
    }

    /// What can still be credited of a position, before tax; `None` if there is no such position.
    pub(super) fn left_of(&self, positions: &Positions, line: u16) -> Result<Option<Money>, MoneyError> {
        let Some(position) = usize::from(line).checked_sub(1).and_then(|at| positions.lines.get(at)) else {
            return Ok(None);
        };
        if self.credited.everything {
            return Ok(Some(Money::zero(self.currency)));
        }
        match self.credited.lines.get(&line) {
            Some(credited) => position.amount.minus(*credited).map(Some),
            None => Ok(Some(position.amount)),
        }
    }

    /// The credits that are wished for, if they can be had.
    fn wished(&self, positions: &Positions, wish: CreditWish) -> Result<Vec<Credit>, CreditError> {
        let credits = match wish {
            CreditWish::Lines(credits) => credits,
            CreditWish::Everything => {
                let mut left = Vec::new();
                for line in 1..=self.line_count {
                    let amount = self.left_of(positions, line)?.ok_or(CreditError::UnknownLine(line))?;
                    if amount.minor() > 0 {
                        left.push(Credit { line, amount });
                    }
                }
                left
            }
        };
        if credits.is_empty() {
            return Err(CreditError::Nothing);
        }
        if credits.len() > CREDITS_MAX {
            return Err(CreditError::TooManyLines);
        }
        let mut named = std::collections::BTreeSet::new();
        for Credit { line, amount } in &credits {
            if !named.insert(*line) {
                return Err(CreditError::LineTwice(*line));
            }
            if amount.minor() <= 0 || amount.currency() != self.currency {
                return Err(CreditError::NotPositive(*line));
            }
            let left = self.left_of(positions, *line)?.ok_or(CreditError::UnknownLine(*line))?;
            if amount.minor() > left.minor() {
                return Err(CreditError::TooMuch { line: *line, left });
            }
        }
        Ok(credits)
    }

    /// The taxes on credits, in the order of the invoice's taxes.
    fn taxes_of(&self, positions: &Positions, credits: &[Credit]) -> Result<Vec<TaxSum>, MoneyError> {
        let nothing = Money::zero(self.currency);
        let mut taxes = Vec::new();
        for sum in &self.taxes {
            let is_taxed_so = |credit: &&Credit| {
                let at = usize::from(credit.line).saturating_sub(1);
                positions.derivation.lines.get(at).is_some_and(|line| line.treatment == sum.treatment)
            };
            let alike: Vec<Money> = credits.iter().filter(is_taxed_so).map(|credit| credit.amount).collect();
            if alike.is_empty() {
                continue;
            }
            let base = Money::sum(self.currency, alike.iter().copied())?;
            let before = self.credited.of(sum.treatment, nothing);
            let left = sum.tax.minus(before.tax)?;
            let tax = if before.base.plus(base)? == sum.base {
                left
            } else {
                let rounded = |amount| Money::rounded(sum.treatment.exact_tax(amount)?, self.currency);
                let tax = match positions.derivation.tax_rounding {
                    TaxRounding::Total => rounded(base)?,
                    TaxRounding::Line => {
                        let each = alike.iter().map(|amount| rounded(*amount));
                        Money::sum(self.currency, each.collect::<Result<Vec<_>, _>>()?)?
                    }
                };
                if tax.minor() > left.minor() { left } else { tax }
            };
            taxes.push(TaxSum { treatment: sum.treatment, base, tax });
        }
        Ok(taxes)
    }

    fn with_credits(&self, credits: &Credits, taxes: &[TaxSum]) -> Result<Credited, MoneyError> {
        let mut credited = self.credited.clone();
        let nothing = Money::zero(self.currency);
        match credits {
            Credits::Everything => credited.everything = true,
            Credits::Lines(credits) => {
                for Credit { line, amount } in credits {
                    let sum = credited.lines.entry(*line).or_insert(nothing);
                    *sum = sum.plus(*amount)?;
                }
            }
        }
        for sum in taxes {
            let before = credited.of(sum.treatment, nothing);
            let after = TaxSum { base: before.base.plus(sum.base)?, tax: before.tax.plus(sum.tax)?, ..*sum };
            credited.taxes.retain(|other| other.treatment != sum.treatment);
            credited.taxes.push(after);
        }
        Ok(credited)
    }
}

impl CreditNote {
    /// Its positions, as they stand on the page. A whole position is the invoice's the other way round; of a part
    /// there is one piece, whose price is the amount.
    ///
    /// # Errors
    /// [`MoneyError`] if an amount has no negative.
    pub fn lines(&self, positions: &Positions) -> Result<Vec<Line>, MoneyError> {
        match &self.credits {
            Credits::Everything => positions.lines.iter().map(negated).collect(),
            Credits::Lines(credits) => {
                let at = |credit: &Credit| positions.lines.get(usize::from(credit.line).checked_sub(1)?);
                credits
                    .iter()
                    .filter_map(|credit| Some((credit, at(credit)?)))
                    .map(|(credit, line)| part(credit, line))
                    .collect()
            }
        }
    }

    /// The key of its PDF in the bucket of documents.
    pub fn document_key(&self) -> String {
        format!("accounts/{}/credit-notes/{}.pdf", self.account, self.id)
    }

    /// The key of its e-invoice there.
    pub fn e_invoice_key(&self) -> String {
        format!("accounts/{}/credit-notes/{}.xml", self.account, self.id)
    }
}

/// The same rate for as much less.
fn negated(line: &Line) -> Result<Line, MoneyError> {
    let taken_back = |reduction: &Reduction| {
        let amount = reduction.amount.negated()?;
        Ok(Reduction { amount, reason: reduction.reason.clone() })
    };
    Ok(Line {
        quantity: -line.quantity,
        minutes: -line.minutes,
        reductions: line.reductions.iter().map(taken_back).collect::<Result<_, MoneyError>>()?,
        amount: line.amount.negated()?,
        ..line.clone()
    })
}

/// A part of a position, or all of it.
fn part(credit: &Credit, line: &Line) -> Result<Line, MoneyError> {
    if credit.amount == line.amount {
        return negated(line);
    }
    Ok(Line {
        kind: LineKind::Fee,
        minutes: 0,
        quantity: -Decimal::ONE,
        unit: Unit::Piece,
        rate: credit.amount.to_decimal(),
        reductions: Vec::new(),
        amount: credit.amount.negated()?,
        ..line.clone()
    })
}

fn taken_back(sum: &TaxSum) -> Result<TaxSum, MoneyError> {
    Ok(TaxSum { base: sum.base.negated()?, tax: sum.tax.negated()?, ..*sum })
}
