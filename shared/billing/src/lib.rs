//! From the store to a bill, and from a bill to an invoice.
//!
//! There is one way to price what was done, and whoever needs a bill goes it: the preview that a client looks at, the
//! draft that staff look at, and the invoice. So if nothing changes in between, the invoice is what the preview said.

mod bills;
mod credits;
mod invoices;
mod previews;

pub use bills::{BillingError, Completion, Prepared, of_case, of_case_by_hand, of_month, of_month_due};
pub use credits::{CreditingError, credit};
pub use invoices::{Asked, Issued, issue, nothing_to_bill};
pub use previews::{
    Books, CONTRACTS_MAX, CasePreview, CaseStands, ContractPreview, MONTHS_OVER_MAX, MonthPreview, Unpriced,
};
