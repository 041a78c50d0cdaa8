//! The sheets Time and Expenses: what the bill is for, and the cells that say what it costs.

use jiff::Timestamp;
use portico_domain::{
    EntryId, SalesforceId,
    billing::{Bill, CHARGES_MAX, ENTRIES_MAX, Expense, Input, MINUTES_MAX, Particulars, TimeEntry, price},
};
use uuid::Uuid;

use crate::{
    Unusable,
    book::{Book, EXPENSES, TIME},
    clauses::{Contract, money},
    sheet::Found,
};

/// The cells of a time entry that are compared, where the sheet has them.
#[derive(Debug)]
pub(crate) struct TimeCells {
    pub billed_minutes: Option<Found>,
    pub covered_minutes: Option<Found>,
    pub hours: Option<Found>,
    pub rate: Option<Found>,
    pub amount: Found,
}

/// Everything that is billed, each with its cells, in the order of the sheets.
#[derive(Debug, Default)]
pub(crate) struct Work {
    pub time: Vec<(TimeEntry, TimeCells)>,
    pub expenses: Vec<(Expense, Found)>,
}

/// Reads what is billed.
///
/// # Errors
/// [`Unusable`] if a cell does not hold what belongs there, or there is nothing at all.
pub(crate) fn read(book: &Book, contract: &Contract) -> Result<Work, Unusable> {
    let work = Work { time: time(book, contract)?, expenses: expenses(book, contract)? };
    if work.time.is_empty() && work.expenses.is_empty() {
        return Err(Unusable::Nothing);
    }
    Ok(work)
}

impl Work {
    /// The engine's bill.
    ///
    /// # Errors
    /// [`Unusable::Refused`].
    pub fn price(&self, contract: &Contract) -> Result<Bill, Unusable> {
        let entries: Vec<TimeEntry> = self.time.iter().map(|(entry, _)| entry.clone()).collect();
        let expenses: Vec<Expense> = self.expenses.iter().map(|(expense, _)| expense.clone()).collect();
        let bill = price(Input {
            agreement: &contract.agreement,
            scope: contract.scope,
            earliest: None,
            entries: &entries,
            expenses: &expenses,
            deliveries: &[],
            before: &contract.before,
        })?;
        Ok(bill)
    }
}

fn time(book: &Book, contract: &Contract) -> Result<Vec<(TimeEntry, TimeCells)>, Unusable> {
    let table = book.required(TIME)?.table(&["Date", "Minutes", "Amount"])?;
    let rows = table.rows(&["Date", "Person"]);
    if rows.len() > ENTRIES_MAX {
        return Err(Unusable::TooManyRows { sheet: TIME, most: ENTRIES_MAX });
    }
    let mut time = Vec::with_capacity(rows.len());
    for row in rows {
        let words = |head| -> Result<Option<String>, Unusable> {
            let found = table.cell(row, head).filter(|found: &Found| !found.is_empty());
            found.map(|found| found.text("words")).transpose()
        };
        let minutes = table.required(row, "Minutes")?;
        let expected = format!("minutes, a whole number from 1 to {MINUTES_MAX}");
        let worked: i64 = minutes.whole(&expected)?;
        if !(1..=MINUTES_MAX).contains(&worked) {
            return Err(minutes.wrong(expected));
        }
        let billable = table.cell(row, "Billable").filter(|found| !found.is_empty());
        let entry = TimeEntry {
            // The engine bills a day's entries in the order of their ids: here, in that of the rows.
            id: EntryId::from_uuid(Uuid::from_u128(row.into())),
            salesforce_id: record("a03", row)?,
            case: contract.case,
            worked_on: table.required(row, "Date")?.day()?,
            minutes: worked,
            description: words("Description")?.unwrap_or_default(),
            person: words("Person")?.unwrap_or_default(),
            particulars: Particulars { role: words("Role")?, ..Particulars::default() },
            billable: billable.map_or(Ok(true), |found| found.one_of(&[("yes", true), ("no", false)]))?,
            deleted: false,
            created_at: Timestamp::UNIX_EPOCH,
            modstamp: Timestamp::UNIX_EPOCH,
            version: 1,
        };
        let cells = TimeCells {
            billed_minutes: table.cell(row, "Billed minutes"),
            covered_minutes: table.cell(row, "Covered minutes"),
            hours: table.cell(row, "Hours"),
            rate: table.cell(row, "Rate"),
            amount: table.required(row, "Amount")?,
        };
        time.push((entry, cells));
    }
    Ok(time)
}

fn expenses(book: &Book, contract: &Contract) -> Result<Vec<(Expense, Found)>, Unusable> {
    let Some(sheet) = book.sheet(EXPENSES) else { return Ok(Vec::new()) };
    let table = sheet.table(&["Date", "Description", "Cost", "Amount"])?;
    let rows = table.rows(&["Date", "Description"]);
    if rows.len() > CHARGES_MAX {
        return Err(Unusable::TooManyRows { sheet: EXPENSES, most: CHARGES_MAX });
    }
    let mut expenses = Vec::with_capacity(rows.len());
    for row in rows {
        let expense = Expense {
            salesforce_id: record("a04", row)?,
            case: Some(contract.case),
            incurred_on: table.required(row, "Date")?.day()?,
            description: table.required(row, "Description")?.text("words")?,
            person: String::new(),
            cost: money(&table.required(row, "Cost")?, contract.currency)?,
        };
        expenses.push((expense, table.required(row, "Amount")?));
    }
    Ok(expenses)
}

/// An id that sorts by the row.
fn record(prefix: &str, row: u32) -> Result<SalesforceId, Unusable> {
    let id = format!("{prefix}{row:012}").parse();
    id.map_err(|_| Unusable::TooMuch)
}
