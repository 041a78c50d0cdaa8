//! Invoices: bills that are issued.

use jiff::{Timestamp, ToSpan, civil::Date};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::{
    bill::{Bill, Line},
    derivation::Derivation,
    figures::Percent,
    taxes::{TaxSum, Treatment},
};
use crate::{
    AccountId, CaseId, ContractId, Currency, InvoiceId, Money, SalesforceId, cases::Case,
    contracts::Contract, people::Account,
};

/// A number in a series without gaps, such as `2026-000042`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct InvoiceNumber(String);

impl InvoiceNumber {
    /// The `count`-th number (from 1) of a year's series.
    pub fn new(year: i16, count: u64) -> Self {
        Self(format!("{year}-{count:06}"))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
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
}

/// An issued invoice. Nothing that the client owes ever changes in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invoice {
    /// The portal's id: one for each account, contract and case, whoever asks.
    pub id: InvoiceId,
    /// Whose invoice it is.
    pub account: AccountId,
    /// Its number.
    pub number: InvoiceNumber,
    /// The contract that it was priced by.
    pub contract: ContractId,
    /// The case that it bills.
    pub case: CaseId,
    /// The case's number in Salesforce.
    pub case_number: Option<String>,
    /// The case's subject.
    pub case_subject: String,
    /// Name and address of the client, as of the issue.
    pub bill_to: Vec<String>,
    /// The client's purchase-order number.
    pub purchase_order: Option<String>,
    /// Currency of every amount.
    pub currency: Currency,
    /// Positions.
    pub lines: Vec<Line>,
    /// Sum of the positions.
    pub net: Money,
    /// Tax in percent, if one rate holds for all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tax_percent: Option<Decimal>,
    /// The taxes, each rate once; none on invoices from before they were written down: see [`Invoice::tax_sums`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub taxes: Vec<TaxSum>,
    /// Tax.
    pub tax: Money,
    /// What the client owes.
    pub gross: Money,
    /// How every cent comes about; absent on invoices from before it was written down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub derivation: Option<Derivation>,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// The day of the issue in the contract's time zone.
    pub issued_on: Date,
    /// The day on which it is due.
    pub due_on: Date,
    /// The PDF, once it is rendered.
    pub rendered: Option<Rendered>,
    /// `Portal_Invoice__c` in Salesforce, once it is there.
    pub salesforce_id: Option<SalesforceId>,
    /// Counts the writes of this record, from 1.
    pub version: u64,
}

impl Invoice {
    /// Issues a bill: from here on it is a document.
    pub fn issue(
        bill: Bill,
        count: u64,
        contract: &Contract,
        case: &Case,
        account: &Account,
        now: Timestamp,
    ) -> Self {
        let issued_on = contract.day_of(now);
        let due_on = issued_on.saturating_add(i64::from(contract.payment_terms_days).days());
        let mut bill_to = vec![account.name.clone()];
        bill_to.extend(account.address.iter().cloned());
        Self {
            id: InvoiceId::of_case(account.id, contract.id, case.id),
            account: account.id,
            number: InvoiceNumber::new(issued_on.year(), count),
            contract: contract.id,
            case: case.id,
            case_number: case.number.clone(),
            case_subject: case.subject.clone(),
            bill_to,
            purchase_order: contract.purchase_order.clone(),
            currency: contract.currency,
            lines: bill.lines,
            net: bill.net,
            tax_percent: one_rate(&bill.taxes),
            taxes: bill.taxes,
            tax: bill.tax,
            gross: bill.gross,
            derivation: Some(bill.derivation),
            issued_at: now,
            issued_on,
            due_on,
            rendered: None,
            salesforce_id: None,
            version: 1,
        }
    }

    /// The taxes, each rate once.
    pub fn tax_sums(&self) -> Vec<TaxSum> {
        match self.tax_percent.map(Percent::try_from) {
            Some(Ok(percent)) if self.taxes.is_empty() => {
                vec![TaxSum { treatment: Treatment::Taxed(percent), base: self.net, tax: self.tax }]
            }
            _ => self.taxes.clone(),
        }
    }

    /// The key of its PDF in the bucket of documents.
    pub fn document_key(&self) -> String {
        format!("accounts/{}/invoices/{}.pdf", self.account, self.id)
    }
}

fn one_rate(taxes: &[TaxSum]) -> Option<Decimal> {
    match taxes {
        [tax] => Some(tax.treatment.percent()),
        _ => None,
    }
}
