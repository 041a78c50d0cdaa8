//! Invoices: bills that are issued.

use std::fmt;

use jiff::{Timestamp, ToSpan, civil::Date};
use serde::{Deserialize, Serialize};

use super::{
    bill::{Bill, Line, TimeTotals, tax_by_line},
    credit_note::Credited,
    derivation::{Derivation, LineDerivation},
    disputes::Disputed,
    period::{Period, Scope},
    retainer::RetainerStatement,
    taxes::TaxSum,
    terms::Clauses,
};
use crate::{
    AccountId, CaseId, ContractId, Currency, InvoiceId, Money, SalesforceId, cases::Case, money::MoneyError,
    people::Account,
};

/// A row of numbers without gaps. Each year has its own (Directive 2006/112/EC Art. 226(2): "based on one or more
/// series").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Series {
    /// Invoices: `2026-000042`.
    Invoices,
    /// Credit notes: `C2026-000042`.
    CreditNotes,
}

impl Series {
    /// What the series of a year is kept under.
    pub fn of_year(self, year: i16) -> String {
        match self {
            Self::Invoices => format!("invoices/{year}"),
            Self::CreditNotes => format!("credit-notes/{year}"),
        }
    }

    /// The `count`-th number (from 1) of a year.
    pub fn number(self, year: i16, count: u64) -> InvoiceNumber {
        match self {
            Self::Invoices => InvoiceNumber(format!("{year}-{count:06}")),
            Self::CreditNotes => InvoiceNumber(format!("C{year}-{count:06}")),
        }
    }
}

/// The number of an invoice or of a credit note: see [`Series`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct InvoiceNumber(String);

impl InvoiceNumber {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for InvoiceNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The rendered document of an invoice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rendered {
    /// Its key in the bucket of documents.
    pub key: String,
    /// Bytes.
    pub size: u64,
    /// SHA-256 of the bytes, hexadecimal.
    pub sha256: String,
    /// The e-invoice that is attached to it, as a file of its own; absent if the norm has no room for the invoice, and on
    /// documents from before there were any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub e_invoice: Option<StoredDocument>,
}

/// A document in the bucket of documents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredDocument {
    /// Its key.
    pub key: String,
    /// Bytes.
    pub size: u64,
    /// SHA-256 of the bytes, hexadecimal.
    pub sha256: String,
}

/// What an invoice bills, in the words of the day of its issue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// A case that was closed.
    Case {
        /// The case.
        case: CaseId,
        /// Its number in Salesforce.
        number: Option<String>,
        /// Its subject.
        subject: String,
    },
    /// Everything of a month under one contract.
    Period {
        /// The month.
        period: Period,
        /// The contract's name.
        contract: String,
    },
}

impl Subject {
    /// A case as it stands now.
    pub fn of_case(case: &Case) -> Self {
        Self::Case { case: case.id, number: case.number.clone(), subject: case.subject.clone() }
    }

    /// The case, if it is one.
    pub fn case(&self) -> Option<CaseId> {
        match self {
            Self::Case { case, .. } => Some(*case),
            Self::Period { .. } => None,
        }
    }
}

/// How far an invoice is settled. Each amount is kept, not calculated from others, so that reading one cannot fail;
/// `open` is what is owed, less `credited`, less `paid`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settlement {
    /// What was paid.
    pub paid: Money,
    /// What was credited, tax included.
    pub credited: Money,
    /// What is still open; below zero if more was paid than is owed.
    pub open: Money,
    /// How much of that is in dispute, and need not be paid before the dispute is over.
    pub held: Money,
}

impl Settlement {
    fn nothing_paid(owed: Money) -> Self {
        let zero = Money::zero(owed.currency());
        Self { paid: zero, credited: zero, open: owed, held: zero }
    }

    /// Credits some more.
    ///
    /// # Errors
    /// [`MoneyError`] if the amounts do not fit.
    pub(super) fn credit(self, amount: Money) -> Result<Self, MoneyError> {
        Ok(Self { credited: self.credited.plus(amount)?, open: self.open.minus(amount)?, ..self })
    }

    /// What can be paid now: the open amount without what is in dispute, never below zero.
    pub fn payable(&self) -> Money {
        let payable = self.open.minor().saturating_sub(self.held.minor()).max(0);
        Money::from_minor(payable, self.open.currency())
    }
}

/// What an invoice is, to somebody who looks at a list of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InvoiceState {
    /// Nothing is paid, and it is not due yet.
    Open,
    /// Some of it is paid, and the rest is not due yet.
    PartlyPaid,
    /// Nothing is open.
    Paid,
    /// Something is open that is not in dispute, and the day on which it was due has passed.
    Overdue,
    /// All of it was credited.
    Void,
}

/// An issued invoice. Nothing that it says ever changes; what changes is how far it is settled. Its positions are kept
/// apart ([`Positions`]), and are written once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invoice {
    /// The portal's id: one for each account, contract and case or month, whoever asks.
    pub id: InvoiceId,
    /// Whose invoice it is.
    pub account: AccountId,
    /// Its number.
    pub number: InvoiceNumber,
    /// The contract that it was priced by.
    pub contract: ContractId,
    /// What it bills.
    pub subject: Subject,
    /// Name and address of the client, as of the issue.
    pub bill_to: Vec<String>,
    /// The client's purchase-order number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purchase_order: Option<String>,
    /// Currency of every amount.
    pub currency: Currency,
    /// How many positions it has.
    pub line_count: u16,
    /// Sum of the positions.
    pub net: Money,
    /// The taxes, each rate once.
    pub taxes: Vec<TaxSum>,
    /// Tax.
    pub tax: Money,
    /// What the client owes.
    pub gross: Money,
    /// The time on it.
    pub time: TimeTotals,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// The day of the issue in the contract's time zone.
    pub issued_on: Date,
    /// The day on which it is due.
    pub due_on: Date,
    /// How far it is settled.
    pub settlement: Settlement,
    /// What was credited of which position.
    #[serde(default, skip_serializing_if = "Credited::is_nothing")]
    pub credited: Credited,
    /// The questions and disputes about it.
    #[serde(default, skip_serializing_if = "Disputed::is_nothing")]
    pub disputed: Disputed,
    /// The PDF, once it is rendered.
    pub rendered: Option<Rendered>,
    /// `Portal_Invoice__c` in Salesforce, once it is there.
    pub salesforce_id: Option<SalesforceId>,
    /// Counts the writes of this record, from 1.
    pub version: u64,
}

/// The positions of an invoice and how every cent of them comes about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Positions {
    /// Positions.
    pub lines: Vec<Line>,
    /// How every cent comes about.
    pub derivation: Derivation,
    /// What became of the retainer's hours, if there is a retainer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retainer: Option<RetainerStatement>,
}

impl Positions {
    /// Each line with how it comes about.
    pub fn explained(&self) -> impl Iterator<Item = (&Line, &LineDerivation)> {
        self.lines.iter().zip(&self.derivation.lines)
    }

    /// The tax of the document, divided among the lines so that it adds up.
    ///
    /// # Errors
    /// [`MoneyError`] if the amounts do not fit.
    pub fn tax_by_line(&self, taxes: &[TaxSum]) -> Result<Vec<Money>, MoneyError> {
        tax_by_line(&self.lines, taxes, self.derivation.tax_rounding, self.derivation.currency)
    }
}

/// More positions than an invoice counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an invoice has more positions than can be counted")]
pub struct TooManyPositions;

/// Who issues what to whom, and when.
#[derive(Debug, Clone, Copy)]
pub struct Issuing<'a> {
    /// The contract that the bill was priced by.
    pub contract: ContractId,
    /// Its clauses on the day on which the service was complete.
    pub clauses: &'a Clauses,
    /// The client.
    pub account: &'a Account,
    /// What the bill is for.
    pub scope: Scope,
    /// The place of its number in the year's series, from 1.
    pub count: u64,
    /// The present.
    pub now: Timestamp,
}

impl Invoice {
    /// Issues a bill: from here on it is a document.
    ///
    /// # Errors
    /// [`TooManyPositions`].
    pub fn issue(
        bill: Bill,
        subject: Subject,
        issuing: Issuing,
    ) -> Result<(Self, Positions), TooManyPositions> {
        let Issuing { contract, clauses, account, scope, count, now } = issuing;
        let issued_on = clauses.zone.day_of(now);
        let due_on = issued_on.saturating_add(i64::from(clauses.payment_terms_days).days());
        let mut bill_to = vec![account.name.clone()];
        bill_to.extend(account.address.iter().cloned());
        let invoice = Self {
            id: InvoiceId::of(account.id, contract, scope),
            account: account.id,
            number: Series::Invoices.number(issued_on.year(), count),
            contract,
            subject,
            bill_to,
            purchase_order: clauses.purchase_order.clone(),
            currency: clauses.currency,
            line_count: bill.lines.len().try_into().map_err(|_| TooManyPositions)?,
            net: bill.net,
            taxes: bill.taxes,
            tax: bill.tax,
            gross: bill.gross,
            time: bill.time,
            issued_at: now,
            issued_on,
            due_on,
            settlement: Settlement::nothing_paid(bill.gross),
            credited: Credited::default(),
            disputed: Disputed::default(),
            rendered: None,
            salesforce_id: None,
            version: 1,
        };
        Ok((invoice, Positions { lines: bill.lines, derivation: bill.derivation, retainer: bill.retainer }))
    }

    /// Whether all of it was credited.
    pub fn is_void(&self) -> bool {
        self.settlement.credited == self.gross && self.gross.minor() > 0
    }

    /// What it is on a day.
    pub fn state(&self, today: Date) -> InvoiceState {
        let Settlement { paid, open, .. } = self.settlement;
        if self.is_void() {
            InvoiceState::Void
        } else if open.minor() <= 0 {
            InvoiceState::Paid
        } else if self.due_on < today && self.settlement.payable().minor() > 0 {
            InvoiceState::Overdue
        } else if paid.minor() > 0 {
            InvoiceState::PartlyPaid
        } else {
            InvoiceState::Open
        }
    }

    /// The key of its PDF in the bucket of documents.
    pub fn document_key(&self) -> String {
        format!("accounts/{}/invoices/{}.pdf", self.account, self.id)
    }

    /// The key of its e-invoice there.
    pub fn e_invoice_key(&self) -> String {
        format!("accounts/{}/invoices/{}.xml", self.account, self.id)
    }
}
