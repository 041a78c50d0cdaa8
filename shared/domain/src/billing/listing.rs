//! Which invoices somebody asks for.

use jiff::civil::Date;

use super::invoice::{Invoice, InvoiceState};
use crate::CaseId;

/// What the invoices of a list have in common; whatever is absent does not matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct InvoiceFilter {
    /// What they are on a day.
    pub state: Option<(InvoiceState, Date)>,
    /// The case that they bill.
    pub case: Option<CaseId>,
    /// The first day of issue.
    pub from: Option<Date>,
    /// The last day of issue.
    pub to: Option<Date>,
}

impl InvoiceFilter {
    /// Whether it is about more than days, so that it takes the invoice itself to say.
    pub fn is_about_more_than_days(&self) -> bool {
        self.state.is_some() || self.case.is_some()
    }

    /// Whether an invoice is one of them.
    pub fn lets_through(&self, invoice: &Invoice) -> bool {
        self.state.is_none_or(|(state, today)| invoice.state(today) == state)
            && self.case.is_none_or(|case| invoice.subject.case() == Some(case))
            && self.from.is_none_or(|from| invoice.issued_on >= from)
            && self.to.is_none_or(|to| invoice.issued_on <= to)
    }
}
