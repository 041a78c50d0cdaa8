//! From logged hours and a contract to an invoice whose every cent can be checked by hand.

use jiff::{Timestamp, ToSpan, civil::Date};
use rust_decimal::{Decimal, RoundingStrategy};
use serde::{Deserialize, Serialize};

use crate::{
    AccountId, CaseId, ContractId, Currency, EntryId, InvoiceId, Money, SalesforceId, cases::Case,
    contracts::Contract, money::MoneyError, people::Account,
};

/// Most minutes of one time entry: a day has no more.
pub const MINUTES_MAX: i64 = 24 * 60;
/// Most time entries on one invoice.
pub const ENTRIES_MAX: usize = 2_000;
/// Decimals of the hours that an invoice shows, and therefore bills.
const HOURS_DECIMALS: u32 = 2;

/// Time that somebody worked on a case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeEntry {
    /// The portal's id.
    pub id: EntryId,
    /// `Time_Entry__c` in Salesforce.
    pub salesforce_id: SalesforceId,
    /// The case that was worked on.
    pub case: CaseId,
    /// The day, as the person wrote it down.
    pub worked_on: Date,
    /// Minutes worked.
    pub minutes: i64,
    /// What was done.
    pub description: String,
    /// Who did it.
    pub person: String,
    /// Whether the client pays for it.
    pub billable: bool,
    /// Whether it was deleted in Salesforce.
    pub deleted: bool,
    /// `CreatedDate` of the record.
    pub created_at: Timestamp,
    /// `SystemModstamp` of the record that was read.
    pub modstamp: Timestamp,
    /// Counts the writes of this record, from 1.
    pub version: u64,
}

impl TimeEntry {
    /// Whether the client is shown it: what is not billed stays among staff.
    pub fn is_shown(&self) -> bool {
        self.billable && !self.deleted
    }
}

/// A position of an invoice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// The time entry that it bills.
    pub entry: EntryId,
    /// The day of the work.
    pub worked_on: Date,
    /// Who did it.
    pub person: String,
    /// What was done.
    pub description: String,
    /// Minutes worked, as logged.
    pub minutes: i64,
    /// Hours billed: `minutes / 60`, half away from zero to two decimals. This is the number on the page.
    pub hours: Decimal,
    /// Price of one hour, in major units.
    pub rate: Decimal,
    /// `hours x rate`, rounded once to the currency's decimals.
    pub amount: Money,
}

/// What is owed for a case, before it has a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bill {
    /// Positions, by day and then by id.
    pub lines: Vec<Line>,
    /// Sum of the positions.
    pub net: Money,
    /// Tax in percent.
    pub tax_percent: Decimal,
    /// Tax on the net amount, rounded once for the document.
    pub tax: Money,
    /// Net and tax.
    pub gross: Money,
}

/// Why a case has no invoice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PricingError {
    /// Nothing billable was logged.
    #[error("nothing billable was logged")]
    NothingToBill,
    /// A time entry that cannot be right.
    #[error("time entry {0} has a number of minutes that cannot be right")]
    ImplausibleEntry(EntryId),
    /// More entries than one invoice holds.
    #[error("more than {ENTRIES_MAX} time entries")]
    TooManyEntries,
    /// A sum that does not fit.
    #[error(transparent)]
    Money(#[from] MoneyError),
}

/// Prices the billable entries of a case under a contract.
///
/// The hours on the page are the hours that are billed: each entry's time is rounded to two decimals of an
/// hour first, then multiplied. So a reader who multiplies what is printed gets what is printed (the bug of
/// kimai#3282). Tax is taken once, on the net sum (EN 16931).
pub fn price(contract: &Contract, entries: &[TimeEntry]) -> Result<Bill, PricingError> {
    let mut billable: Vec<&TimeEntry> =
        entries.iter().filter(|entry| entry.billable && !entry.deleted && entry.minutes != 0).collect();
    if billable.is_empty() {
        return Err(PricingError::NothingToBill);
    }
    if billable.len() > ENTRIES_MAX {
        return Err(PricingError::TooManyEntries);
    }
    billable.sort_by_key(|entry| (entry.worked_on, entry.id));
    let lines: Vec<Line> =
        billable.into_iter().map(|entry| line(contract, entry)).collect::<Result<_, _>>()?;
    let net = Money::sum(contract.currency, lines.iter().map(|line| line.amount))?;
    let tax_factor = contract.tax_percent.checked_div(Decimal::ONE_HUNDRED).ok_or(MoneyError::OutOfRange)?;
    let exact_tax = net.to_decimal().checked_mul(tax_factor).ok_or(MoneyError::OutOfRange)?;
    let tax = Money::rounded(exact_tax, contract.currency)?;
    let gross = net.plus(tax)?;
    Ok(Bill { lines, net, tax_percent: contract.tax_percent, tax, gross })
}

fn line(contract: &Contract, entry: &TimeEntry) -> Result<Line, PricingError> {
    if !(1..=MINUTES_MAX).contains(&entry.minutes) {
        return Err(PricingError::ImplausibleEntry(entry.id));
    }
    let hours = Decimal::from(entry.minutes)
        .checked_div(Decimal::from(60))
        .ok_or(MoneyError::OutOfRange)?
        .round_dp_with_strategy(HOURS_DECIMALS, RoundingStrategy::MidpointAwayFromZero);
    let exact = hours.checked_mul(contract.hourly_rate).ok_or(MoneyError::OutOfRange)?;
    Ok(Line {
        entry: entry.id,
        worked_on: entry.worked_on,
        person: entry.person.clone(),
        description: entry.description.clone(),
        minutes: entry.minutes,
        hours,
        rate: contract.hourly_rate,
        amount: Money::rounded(exact, contract.currency)?,
    })
}

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
    /// Tax in percent.
    pub tax_percent: Decimal,
    /// Tax.
    pub tax: Money,
    /// What the client owes.
    pub gross: Money,
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
            tax_percent: bill.tax_percent,
            tax: bill.tax,
            gross: bill.gross,
            issued_at: now,
            issued_on,
            due_on,
            rendered: None,
            salesforce_id: None,
            version: 1,
        }
    }

    /// The key of its PDF in the bucket of documents.
    pub fn document_key(&self) -> String {
        format!("accounts/{}/invoices/{}.pdf", self.account, self.id)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn contract(rate: &str, tax: &str, currency: &str) -> Contract {
        Contract {
            id: ContractId::from_uuid(uuid::Uuid::nil()),
            account: AccountId::from_uuid(uuid::Uuid::nil()),
            salesforce_id: "a01000000000001AAA".parse().unwrap(),
            name: "Support".to_owned(),
            currency: currency.parse().unwrap(),
            hourly_rate: rate.parse().unwrap(),
            tax_percent: tax.parse().unwrap(),
            payment_terms_days: 14,
            valid_from: "2026-01-01".parse().unwrap(),
            valid_to: None,
            time_zone: "Europe/Berlin".to_owned(),
            purchase_order: None,
            rates: Vec::new(),
            milestones: Vec::new(),
            modstamp: Timestamp::UNIX_EPOCH,
            version: 1,
        }
    }

    fn entry(id: u128, minutes: i64) -> TimeEntry {
        TimeEntry {
            id: EntryId::from_uuid(uuid::Uuid::from_u128(id)),
            salesforce_id: "a03000000000001AAA".parse().unwrap(),
            case: CaseId::from_uuid(uuid::Uuid::nil()),
            worked_on: "2026-11-02".parse().unwrap(),
            minutes,
            description: "Looked into it".to_owned(),
            person: "Ada".to_owned(),
            billable: true,
            deleted: false,
            created_at: Timestamp::UNIX_EPOCH,
            modstamp: Timestamp::UNIX_EPOCH,
            version: 1,
        }
    }

    fn totals(rate: &str, tax: &str, minutes: &[i64]) -> (String, String, String) {
        let entries: Vec<_> = minutes.iter().zip(1..).map(|(minutes, id)| entry(id, *minutes)).collect();
        let bill = price(&contract(rate, tax, "EUR"), &entries).unwrap();
        (
            bill.net.to_decimal().to_string(),
            bill.tax.to_decimal().to_string(),
            bill.gross.to_decimal().to_string(),
        )
    }

    #[test]
    fn case_b02_the_hours_on_the_page_are_the_hours_that_are_billed() {
        // kimai#5700 and kimai1#480, under the policy "hours shown".
        assert_eq!(totals("60", "0", &[5]).0, "4.80");
        assert_eq!(totals("15", "0", &[208]).0, "52.05");
        // kimai#1424: two quarters of an hour cost a cent more than half an hour.
        assert_eq!(totals("27.50", "0", &[15, 15]).0, "13.76");
        assert_eq!(totals("27.50", "0", &[30]).0, "13.75");
    }

    #[test]
    fn tax_is_taken_once_on_the_sum() {
        // odoo#36675: 55.55 + 11.11 at 23 % is 15.33, not 12.78 + 2.56.
        let net = Money::from_minor(6666, "EUR".parse().unwrap());
        assert_eq!(net.to_decimal().to_string(), "66.66");
        assert_eq!(totals("66.66", "23", &[60]), ("66.66".into(), "15.33".into(), "81.99".into()));
    }

    #[test]
    fn case_b07_entries_that_cannot_be_right_are_named() {
        for minutes in [-30, MINUTES_MAX + 1] {
            let bad = entry(9, minutes);
            assert_eq!(
                price(&contract("60", "0", "EUR"), &[entry(1, 60), bad.clone()]),
                Err(PricingError::ImplausibleEntry(bad.id))
            );
        }
    }

    #[test]
    fn nothing_billable_is_no_invoice() {
        let deleted = TimeEntry { deleted: true, ..entry(1, 60) };
        let internal = TimeEntry { billable: false, ..entry(2, 60) };
        let result = price(&contract("60", "0", "EUR"), &[deleted, internal, entry(3, 0)]);
        assert_eq!(result, Err(PricingError::NothingToBill));
    }

    proptest! {
        #[test]
        fn what_is_printed_adds_up(
            minutes in prop::collection::vec(1..=MINUTES_MAX, 1..60),
            rate in 1_i64..1_000_000,
            tax in 0_i64..3_000,
            currency in prop::sample::select(vec!["EUR", "JPY", "KWD"]),
        ) {
            let contract = contract(
                &Decimal::new(rate, 2).to_string(), &Decimal::new(tax, 2).to_string(), currency,
            );
            let mut entries: Vec<_> = minutes.iter().zip(1..).map(|(m, id)| entry(id, *m)).collect();
            let bill = price(&contract, &entries).unwrap();
            let mut net = 0;
            for line in &bill.lines {
                let printed: Decimal = line.hours.to_string().parse().unwrap();
                prop_assert!(printed.scale() <= HOURS_DECIMALS);
                prop_assert_eq!(Money::rounded(printed * line.rate, contract.currency).unwrap(), line.amount);
                net += line.amount.minor();
            }
            prop_assert_eq!(net, bill.net.minor());
            prop_assert_eq!(bill.net.minor() + bill.tax.minor(), bill.gross.minor());
            entries.reverse();
            prop_assert_eq!(price(&contract, &entries).unwrap(), bill);
        }
    }
}
