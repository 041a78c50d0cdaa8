//! What the engine has to show: the reported bugs of others, the cases of the register, and properties of every bill.

mod accounting;
mod assignment;
mod cases;
mod clauses;
mod credits;
mod disputes;
mod previews;
mod properties;
mod reported_bugs;
mod scenarios;

use jiff::{Timestamp, civil::Date};
use rust_decimal::Decimal;

use super::*;
use crate::{
    AccountId, CaseId, ContractId, EntryId, Money, SalesforceId,
    contracts::{Contract, Provisions},
};

pub(super) fn contract(rate: &str, tax: &str, currency: &str) -> Contract {
    Contract {
        id: ContractId::from_uuid(uuid::Uuid::nil()),
        account: AccountId::from_uuid(uuid::Uuid::nil()),
        salesforce_id: salesforce_id(0),
        name: "Support".to_owned(),
        currency: currency.parse().unwrap(),
        hourly_rate: Some(rate.parse().unwrap()),
        tax_percent: Some(tax.parse().unwrap()),
        payment_terms_days: 14,
        valid_from: day("2026-01-01"),
        valid_to: None,
        time_zone: "Europe/Berlin".to_owned(),
        purchase_order: None,
        rates: Vec::new(),
        provisions: Provisions::default(),
        milestones: Vec::new(),
        blocks: Vec::new(),
        amendments: Vec::new(),
        modstamp: Timestamp::UNIX_EPOCH,
        version: 1,
    }
}

/// What a contract of one paper says.
fn terms(contract: &Contract) -> Terms {
    contract.agreement().unwrap().on(day("2026-11-02")).unwrap().terms.clone()
}

/// Prices the billable entries of a case that was closed on a day.
fn price_case(
    contract: &Contract,
    case: CaseId,
    closed_on: Date,
    entries: &[TimeEntry],
) -> Result<Bill, PricingError> {
    let agreement = contract.agreement()?;
    price(Input {
        agreement: &agreement,
        scope: Scope::Case { case, closed_on, part: 0 },
        earliest: None,
        entries,
        expenses: &[],
        deliveries: &[],
        before: &Carry::default(),
    })
}

/// Time and materials in euros: what the other clauses are added to.
fn clauses(rate: &str, tax: &str) -> Clauses {
    terms(&contract(rate, tax, "EUR")).into()
}

fn salesforce_id(number: u32) -> SalesforceId {
    format!("a03{number:012}").parse().unwrap()
}

fn case(number: u128) -> CaseId {
    CaseId::from_uuid(uuid::Uuid::from_u128(number))
}

fn entry_id(number: u128) -> EntryId {
    EntryId::from_uuid(uuid::Uuid::from_u128(number))
}

fn day(text: &str) -> Date {
    text.parse().unwrap()
}

fn decimal<T: TryFrom<Decimal>>(text: &str) -> T {
    T::try_from(text.parse().unwrap()).ok().unwrap()
}

fn eur(amount: &str) -> Money {
    Money::rounded(amount.parse().unwrap(), "EUR".parse().unwrap()).unwrap()
}

fn entry(number: u128, minutes: i64) -> TimeEntry {
    TimeEntry {
        id: entry_id(number),
        salesforce_id: salesforce_id(1),
        case: case(0),
        worked_on: day("2026-11-02"),
        minutes,
        description: "Looked into it".to_owned(),
        person: "Ada".to_owned(),
        particulars: Particulars::default(),
        billable: true,
        deleted: false,
        created_at: Timestamp::UNIX_EPOCH,
        modstamp: Timestamp::UNIX_EPOCH,
        version: 1,
    }
}

fn on(date: &str, entry: TimeEntry) -> TimeEntry {
    TimeEntry { worked_on: day(date), ..entry }
}

/// Entries of these minutes, one after the other.
fn entries(minutes: &[i64]) -> Vec<TimeEntry> {
    (1..).zip(minutes).map(|(number, minutes)| entry(number, *minutes)).collect()
}

fn milestone(number: u32, fee: Money) -> Delivery {
    Delivery {
        salesforce_id: salesforce_id(number),
        case: Some(case(0)),
        delivered_on: day("2026-11-20"),
        name: "Migration".to_owned(),
        fee,
    }
}

fn expense(number: u32, cost: Money) -> Expense {
    Expense {
        salesforce_id: salesforce_id(number),
        case: Some(case(0)),
        incurred_on: day("2026-11-03"),
        description: "Train".to_owned(),
        person: "Ada".to_owned(),
        cost,
    }
}

const NOVEMBER: &str = "2026-11-01";

/// Everything besides time that a bill may have.
#[derive(Default)]
struct Besides {
    expenses: Vec<Expense>,
    deliveries: Vec<Delivery>,
    before: Carry,
}

fn try_bill(
    versions: Vec<(Option<Date>, Clauses)>,
    scope: Scope,
    entries: &[TimeEntry],
    besides: &Besides,
) -> Result<Bill, PricingError> {
    let version = |(from, clauses)| Version { from, terms: Terms::try_from(clauses).unwrap() };
    let versions: Vec<Version> = versions.into_iter().map(version).collect();
    let bill = price(Input {
        agreement: &versions.try_into().unwrap(),
        scope,
        earliest: None,
        entries,
        expenses: &besides.expenses,
        deliveries: &besides.deliveries,
        before: &besides.before,
    })?;
    // Whatever a test is about, its bill has to be right twice.
    assert_replays(&bill);
    Ok(bill)
}

fn closed() -> Scope {
    Scope::Case { case: case(0), closed_on: day("2026-11-30"), part: 0 }
}

fn november() -> Scope {
    Scope::Period(Period::of(day(NOVEMBER)))
}

/// The bill of the first case.
fn case_bill(clauses: Clauses, entries: &[TimeEntry]) -> Bill {
    try_bill(vec![(None, clauses)], closed(), entries, &Besides::default()).unwrap()
}

/// The bill of a month.
fn month_bill(clauses: Clauses, month: &str, entries: &[TimeEntry], before: &Carry) -> Bill {
    let scope = Scope::Period(Period::of(day(month)));
    let besides = Besides { before: before.clone(), ..Besides::default() };
    try_bill(vec![(None, clauses)], scope, entries, &besides).unwrap()
}

/// An independent calculation from the derivation alone, read back from its stored form, has the bill's figures.
fn assert_replays(bill: &Bill) {
    let stored = serde_json::to_string(&bill.derivation).unwrap();
    let derivation: Derivation = serde_json::from_str(&stored).unwrap();
    let replayed = replay(&derivation).unwrap();
    let lines: Vec<i128> = bill.lines.iter().map(|line| line.amount.minor().into()).collect();
    assert_eq!(replayed.lines, lines);
    let figures = [bill.net, bill.tax, bill.gross].map(|amount| i128::from(amount.minor()));
    assert_eq!([replayed.net, replayed.tax, replayed.gross], figures);
}

fn text(amount: Money) -> String {
    amount.to_decimal().to_string()
}

fn amounts(bill: &Bill) -> Vec<String> {
    bill.lines.iter().map(|line| text(line.amount)).collect()
}

/// Billed minutes of each line, as the derivation has them.
fn minutes(line: &LineDerivation) -> u32 {
    let last = line.steps.iter().rev().find_map(|step| match step {
        Step::Worked { minutes, .. } => Some(*minutes),
        Step::Increment { after, .. } | Step::Part { after, .. } => Some(*after),
        _ => None,
    });
    last.unwrap_or_default()
}

/// What pays for a line, if it is not the client.
fn paid_by(line: &LineDerivation) -> Option<PaidBy> {
    line.steps.iter().find_map(|step| match step {
        Step::Paid { by } => Some(*by),
        _ => None,
    })
}
