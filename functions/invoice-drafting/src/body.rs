//! What staff send.

use jiff::civil::Date;
use portico_domain::{
    CaseId, ContractId, Currency, Money,
    billing::{CREDITS_MAX, Credit, CreditWish, Period},
    text::Line,
};
use portico_http::{FieldCode, Fields, Problem, Unfit, views::DraftSummaryView};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

const NO_CASE: Unfit = Unfit(FieldCode::Malformed, "must be the id of a case");
const NO_CONTRACT: Unfit = Unfit(FieldCode::Malformed, "must be the id of a contract");
const NO_MONTH: Unfit = Unfit(FieldCode::Malformed, "must be a month, such as 2026-11");
const NO_AMOUNT: Unfit =
    Unfit(FieldCode::Malformed, "must be an amount above zero with no more decimals than the currency has");
const TOO_MANY_LINES: Unfit =
    Unfit(FieldCode::TooMany, "must be at most 200 lines; leave them out for everything");

/// What is to be billed: a case, or a month of a contract.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged, expecting = "say either a case, or a contract and a month")]
#[schema(as = InvoiceDraftBody)]
pub enum DraftBody {
    /// A case.
    Case(CaseDraftBody),
    /// A month of a contract.
    Month(MonthDraftBody),
}

/// A case that is to be billed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CaseDraftBody {
    /// The case. If it is still open, it is priced as though it were closed now.
    #[schema(pattern = "^case_[0-9a-f]{32}$")]
    case: String,
}

/// A month that is to be billed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MonthDraftBody {
    /// The contract.
    #[schema(pattern = "^ctr_[0-9a-f]{32}$")]
    contract: String,
    /// Its month. Months are billed one after the other.
    #[schema(pattern = "^[0-9]{4}-(0[1-9]|1[0-2])$", example = "2026-11")]
    month: String,
}

/// What is to be billed, checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    Case(CaseId),
    Month(ContractId, Period),
}

impl DraftBody {
    pub(crate) fn check(self) -> Result<Wanted, Problem> {
        let mut fields = Fields::new();
        let wanted = match self {
            Self::Case(CaseDraftBody { case }) => {
                fields.take("/case", case.parse().map_err(|_| NO_CASE)).map(Wanted::Case)
            }
            Self::Month(MonthDraftBody { contract, month }) => {
                let contract = fields.take("/contract", contract.parse().map_err(|_| NO_CONTRACT));
                let month = fields.take("/month", read_month(&month).ok_or(NO_MONTH));
                contract.zip(month).map(|(contract, month)| Wanted::Month(contract, month))
            }
        };
        wanted.ok_or_else(|| fields.refusal())
    }
}

fn read_month(text: &str) -> Option<Period> {
    // "2026-1" and "2026-11-02" are no months.
    if text.len() != "2026-11".len() {
        return None;
    }
    let first: Date = format!("{text}-01").parse().ok()?;
    Some(Period::of(first))
}

/// Bills that are in hand.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = InvoiceDrafts)]
pub struct DraftsBody {
    /// They.
    pub(crate) items: Vec<DraftSummaryView>,
}

/// Which bill is issued.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IssueBody {
    /// The draft's fingerprint, as it was seen.
    #[schema(min_length = 64, max_length = 64, pattern = "^[0-9a-f]{64}$")]
    pub(crate) fingerprint: String,
}

/// What is credited.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreditBody {
    /// Why; stands on the credit note. One line of 1 to 500 characters.
    #[schema(schema_with = reason_schema)]
    reason: String,
    /// Of which positions; whatever is left of the invoice, if nothing is said.
    #[serde(default)]
    #[schema(max_items = 200)]
    lines: Vec<CreditLineBody>,
}

/// What is credited of a position.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreditLineBody {
    /// The position, from 1.
    #[schema(minimum = 1, maximum = 5000)]
    line: u16,
    /// How much of its amount, before tax, in major units.
    #[schema(max_length = 24, pattern = r"^[0-9]+(\.[0-9]+)?$", example = "12.50")]
    amount: String,
}

fn reason_schema() -> utoipa::openapi::Object {
    portico_http::schemas::line(REASON_MAX, "Why; stands on the credit note.", "Two hours were logged twice")
}

/// Most characters of a reason.
const REASON_MAX: usize = 500;

impl CreditBody {
    /// What is wished for, in the invoice's currency.
    pub(crate) fn check(self, currency: Currency) -> Result<(CreditWish, Line<REASON_MAX>), Problem> {
        let mut fields = Fields::new();
        let reason = fields.take("/reason", self.reason.try_into());
        let few_enough = if self.lines.len() > CREDITS_MAX { Err(TOO_MANY_LINES) } else { Ok(()) };
        fields.take("/lines", few_enough);
        let mut credits = Vec::with_capacity(self.lines.len().min(CREDITS_MAX));
        for (place, wanted) in self.lines.iter().enumerate().take(CREDITS_MAX) {
            let amount = read_amount(&wanted.amount, currency).ok_or(NO_AMOUNT);
            if let Some(amount) = fields.take(&format!("/lines/{place}/amount"), amount) {
                credits.push(Credit { line: wanted.line, amount });
            }
        }
        match reason {
            Some(reason) if fields.is_empty() => {
                let wish =
                    if credits.is_empty() { CreditWish::Everything } else { CreditWish::Lines(credits) };
                Ok((wish, reason))
            }
            _ => Err(fields.refusal()),
        }
    }
}

/// An amount, if it is one of the currency, written in digits and not rounded.
fn read_amount(text: &str, currency: Currency) -> Option<Money> {
    if !text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return None;
    }
    let money = Money::exact(text.parse().ok()?, currency).ok()?;
    (money.minor() > 0).then_some(money)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_are_read_as_they_are_written() {
        assert_eq!(read_month("2026-11").unwrap().to_string(), "2026-11");
        for wrong in ["2026-13", "2026-1", "2026-11-02", "26-11-01", "", "2026-00"] {
            assert_eq!(read_month(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn amounts_are_not_rounded() {
        let read = |text: &str, currency: &str| read_amount(text, currency.parse().unwrap());
        assert_eq!(read("12.5", "EUR").unwrap().minor(), 1250);
        assert_eq!(read("12.500", "EUR").unwrap().minor(), 1250);
        assert_eq!(read("1235", "JPY").unwrap().minor(), 1235);
        for wrong in ["12.505", "0", "-1", "", "1e3", "12,50"] {
            assert_eq!(read(wrong, "EUR"), None, "{wrong}");
        }
        assert_eq!(read("0.5", "JPY"), None);
    }
}
