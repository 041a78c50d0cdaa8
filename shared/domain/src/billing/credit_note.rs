//! Credit notes: how an issued invoice is corrected. It is never edited.

use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};

use super::{
    bill::{Line, Reduction},
    invoice::{Invoice, InvoiceNumber},
    taxes::TaxSum,
};
use crate::{InvoiceId, Money, money::MoneyError};

/// Takes back all of an invoice: each of its figures the other way round.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreditNote {
    /// Its number, from a series of its own.
    pub number: InvoiceNumber,
    /// The invoice that it corrects.
    pub invoice: InvoiceId,
    /// That invoice's number.
    pub corrects: InvoiceNumber,
    /// Why.
    pub reason: String,
    /// Positions.
    pub lines: Vec<Line>,
    /// Sum of the positions.
    pub net: Money,
    /// The taxes, each rate once.
    pub taxes: Vec<TaxSum>,
    /// Tax.
    pub tax: Money,
    /// What the client gets back.
    pub gross: Money,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// The day of the issue in the contract's time zone.
    pub issued_on: Date,
}

impl CreditNote {
    /// Takes back all of `invoice`. Nothing is calculated again, so nothing can come out differently.
    ///
    /// # Errors
    /// [`MoneyError`] if an amount has no negative.
    pub fn full(
        invoice: &Invoice,
        number: InvoiceNumber,
        reason: String,
        issued_on: Date,
        now: Timestamp,
    ) -> Result<Self, MoneyError> {
        Ok(Self {
            number,
            invoice: invoice.id,
            corrects: invoice.number.clone(),
            reason,
            lines: invoice.lines.iter().map(negated).collect::<Result<_, _>>()?,
            net: invoice.net.negated()?,
            taxes: invoice.tax_sums().iter().map(taken_back).collect::<Result<_, _>>()?,
            tax: invoice.tax.negated()?,
            gross: invoice.gross.negated()?,
            issued_at: now,
            issued_on,
        })
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

fn taken_back(sum: &TaxSum) -> Result<TaxSum, MoneyError> {
    Ok(TaxSum { base: sum.base.negated()?, tax: sum.tax.negated()?, ..*sum })
}
