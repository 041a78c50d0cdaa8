//! From work and a contract to an invoice whose every cent can be checked by hand.
//!
//! # The order of the steps
//!
//! This is the one place where it is written down; [`price()`] follows it, [`replay()`] checks it, and
//! `docs/decisions/0019` says why.
//!
//! 1. **Select.** Billable entries of the case or the month, by day and then by id. The day is the contract's.
//! 2. **Cut** entries where working hours end or begin, if their time of day is known.
//! 3. **Round time** to the contract's increment, over what the contract adds up first.
//! 4. **Use what is paid already**: the retainer's hours, then blocks, of each the soonest to expire first; in the
//!    middle of an entry if need be.
//! 5. **Price** the rest: hours as they are shown (or exact minutes) times the rate, rounded once for each line.
//! 6. **Add** fees and expenses with their mark-up.
//! 7. **Discounts**, one after the other, each rounded once and divided among its lines.
//! 8. **Minimum charge**, then **cap**: the work that comes after the cap is reached costs nothing.
//! 9. **Tax**, once for each rate on the document, or for each line if the contract says so.
//! 10. **Sum.**
//!
//! Rates, the multiplier outside of working hours and tiers are those of the contract's version that holds on the day
//! of the work. Everything else is that of the version that holds when the service is complete: on the day on which
//! the case is closed, or the last day of the month.

mod allocation;
mod assignment;
mod bill;
mod caps;
mod credit_note;
mod derivation;
mod discounts;
mod disputes;
mod drafts;
mod figures;
mod forecast;
mod increments;
mod invoice;
mod late_fees;
mod listing;
mod period;
mod price;
mod rates;
mod replay;
mod retainer;
mod standing;
mod statement;
mod taxes;
mod terms;
#[cfg(test)]
mod tests;
mod work;

pub use allocation::allocate;
pub use assignment::{Agreed, Agreements, Assigned, AssignmentError, Billed, Done, TurnError};
pub use bill::{Bill, Carry, Line, LineKind, Reduction, ReductionReason, TimeTotals, Unit};
pub use caps::{Cap, CapSpan, CapUse};
pub use credit_note::{
    CREDITS_MAX, Credit, CreditError, CreditNote, CreditWish, Credited, Crediting, Credits,
};
pub use derivation::{
    CapWorking, Derivation, DiscountRule, DiscountWorking, LineDerivation, Origin, Step, TaxWorking,
};
pub use discounts::{
    DISCOUNTS_MAX, Discount, DiscountOn, DiscountSize, VOLUME_STEPS_MAX, VolumeStep, VolumeSteps,
    VolumeStepsError,
};
pub use disputes::{
    ANSWERS_MAX, Answer, Claim, Closing, DISPUTE_TEXT_MAX, DISPUTES_MAX, Dispute, DisputeError, DisputeKind,
    DisputeState, DisputeText, Disputed, Outcome, Raising, Signed,
};
pub use drafts::{ContractBalance, Draft, Fingerprint};
pub use figures::{
    Factor, FigureError, Markup, NotPositive, Percent, PositiveMoney, Span, SpanError, UnitPrice,
};
pub use forecast::{FORECAST_DAYS_MIN, Forecast, forecast};
pub use increments::{Increment, LeastTime, LeastTimeError, Rounding, Step as IncrementStep, Together};
pub use invoice::{
    Invoice, InvoiceNumber, InvoiceState, Issuing, Positions, Rendered, Series, Settlement, StoredDocument,
    Subject, TooManyPositions,
};
pub use late_fees::{LateCharge, LateFee};
pub use listing::InvoiceFilter;
pub use period::{GRACE_DAYS_MAX, Grace, NotAGrace, NotAMonth, PARTS_MAX, Period, Scope, UnknownZone, Zone};
pub use price::{CHARGES_MAX, ENTRIES_MAX, Input, LINES_MAX, PricingError, price};
pub use rates::{
    AfterHours, CARD_RATES_MAX, CardRate, Criteria, RateCard, RateSource, Rates, RatesError, Stretch,
    TIERS_MAX, Tier, TierReached, Tiers, WINDOWS_MAX, Window,
};
pub use replay::{Mismatch, Replayed, replay};
pub use retainer::{
    BLOCKS_MAX, Block, BlockBalance, Grant, PaidBy, ROLL_OVER_PERIODS_MAX, Retainer, RetainerBalance,
    RetainerStatement, RollOver, RollOverError, RollOverMonths,
};
pub use standing::{BlockLeft, CapLeft, Standing};
pub use statement::{Ageing, Movement, POSTINGS_MAX, Posting, Statement, StatementError, StatementLine};
pub use taxes::{TaxRounding, TaxSum, Taxes, Treatment};
pub use terms::{Agreement, Clauses, HoursPolicy, Mode, Terms, TermsError, VERSIONS_MAX, Version};
pub use work::{Delivery, Expense, MINUTES_MAX, Particulars, TimeEntry, WorkingHours};
