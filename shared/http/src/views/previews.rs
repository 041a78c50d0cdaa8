//! Bills before they are bills.

use jiff::civil::Date;
use portico_domain::{
    billing::{Bill, BlockLeft, CapLeft, CapSpan, Forecast, Period, Standing},
    cases::Case,
    contracts::{BilledBy, Contract},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{LineView, MoneyView, TaxView, invoices::lines_of};

/// What will be billed for a case or a month if nothing more happens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = PreviewedBill)]
pub struct BillView {
    /// The time on it.
    pub time: HoursView,
    /// Sum of the positions.
    pub net: MoneyView,
    /// The taxes, each rate once.
    pub taxes: Vec<TaxView>,
    /// Tax.
    pub tax: MoneyView,
    /// What it comes to.
    pub gross: MoneyView,
    /// Positions, exactly as they will stand on the invoice.
    pub lines: Vec<LineView>,
    /// What is left of the contract after it.
    pub left: StandingView,
}

impl BillView {
    /// A bill, and what is left of its contract after it.
    pub fn new(bill: &Bill, left: &Standing) -> Self {
        Self {
            time: HoursView::from(bill),
            net: bill.net.into(),
            taxes: bill.taxes.iter().map(TaxView::from).collect(),
            tax: bill.tax.into(),
            gross: bill.gross.into(),
            lines: lines_of(bill),
            left: left.into(),
        }
    }
}

/// The time on a bill.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = PreviewedTime)]
pub struct HoursView {
    /// Minutes as they were logged.
    #[schema(minimum = 0)]
    pub worked_minutes: u32,
    /// Minutes as they are billed, rounded as the contract says. Those that are paid already are among them.
    #[schema(minimum = 0)]
    pub billed_minutes: u32,
    /// The hours of the positions, each rounded to two decimals.
    #[schema(pattern = r"^[0-9]+(\.[0-9]+)?$", example = "6.25")]
    pub hours: String,
}

impl From<&Bill> for HoursView {
    fn from(bill: &Bill) -> Self {
        Self {
            worked_minutes: bill.time.worked,
            billed_minutes: bill.time.billed,
            hours: bill.time.hours_by_line.to_string(),
        }
    }
}

/// What is left of a contract.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ContractLeft)]
pub struct StandingView {
    /// Minutes of the retainer that the month can still use; absent if there is no retainer.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0)]
    pub retainer_minutes: Option<u32>,
    /// Prepaid hours that can be used now, the soonest to expire first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub blocks: Vec<BlockLeftView>,
    /// What work may still cost; absent if there is no maximum.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cap: Option<CapLeftView>,
}

impl From<&Standing> for StandingView {
    fn from(standing: &Standing) -> Self {
        Self {
            retainer_minutes: standing.retainer_left,
            blocks: standing.blocks.iter().map(BlockLeftView::from).collect(),
            cap: standing.cap.as_ref().map(CapLeftView::from),
        }
    }
}

/// What is left of prepaid hours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = PrepaidHoursLeft)]
pub struct BlockLeftView {
    /// The record in Salesforce, as positions name it.
    #[schema(pattern = "^[0-9A-Za-z]{18}$", example = "a0AFk0000000001IAA")]
    pub block: String,
    /// Minutes that were bought.
    #[schema(minimum = 0)]
    pub bought_minutes: u32,
    /// Minutes that are left.
    #[schema(minimum = 0)]
    pub left_minutes: u32,
    /// Last day on which they can be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Date)]
    pub expires_on: Option<Date>,
}

impl From<&BlockLeft> for BlockLeftView {
    fn from(left: &BlockLeft) -> Self {
        Self {
            block: left.block.to_string(),
            bought_minutes: left.bought,
            left_minutes: left.left,
            expires_on: left.expires_on,
        }
    }
}

/// What is left of the most that work costs, before tax.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = CapLeft)]
pub struct CapLeftView {
    /// `contract` if it is the most for all work under the contract, `month` if for each month.
    #[schema(pattern = "^(contract|month)$")]
    pub of: &'static str,
    /// The most.
    pub limit: MoneyView,
    /// What is used up.
    pub used: MoneyView,
    /// What is left.
    pub left: MoneyView,
}

impl From<&CapLeft> for CapLeftView {
    fn from(cap: &CapLeft) -> Self {
        let of = match cap.span {
            CapSpan::Lifetime => "contract",
            CapSpan::Period => "month",
        };
        Self { of, limit: cap.limit.into(), used: cap.used.into(), left: cap.left.into() }
    }
}

/// What a month will come to if work goes on as on its working days so far (Monday to Friday, holidays included, today
/// counted as passed). The minutes of each person, role and kind of work are carried on to the end of the month or of the
/// contract and priced like any other: retainer, prepaid hours, tiers, discounts, minimum, maximum and tax are those of the
/// bill. Fees and expenses are those that there are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = BillForecast)]
pub struct ForecastView {
    /// Working days that have passed.
    #[schema(minimum = 5)]
    pub days_passed: u32,
    /// Working days in all.
    #[schema(minimum = 5)]
    pub days: u32,
    /// The time on the bill then.
    pub time: HoursView,
    /// Without tax.
    pub net: MoneyView,
    /// Tax.
    pub tax: MoneyView,
    /// With tax.
    pub gross: MoneyView,
}

impl From<&Forecast> for ForecastView {
    fn from(forecast: &Forecast) -> Self {
        let bill = &forecast.bill;
        Self {
            days_passed: forecast.days_passed,
            days: forecast.days,
            time: HoursView::from(bill),
            net: bill.net.into(),
            tax: bill.tax.into(),
            gross: bill.gross.into(),
        }
    }
}

/// A bill, or why there is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = PreviewedBillOrReason)]
pub struct PreviewedBill {
    /// The bill; absent if it cannot be priced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bill: Option<BillView>,
    /// Why it cannot be priced, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "No contract holds on 2026-11-22.")]
    pub not_priced: Option<String>,
}

impl From<Result<BillView, String>> for PreviewedBill {
    fn from(priced: Result<BillView, String>) -> Self {
        match priced {
            Ok(bill) => Self { bill: Some(bill), not_priced: None },
            Err(reason) => Self { bill: None, not_priced: Some(reason) },
        }
    }
}

/// A month of a contract that is not billed yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = MonthPreview)]
pub struct MonthPreviewView {
    /// The month.
    #[schema(pattern = "^[0-9]{4}-[0-9]{2}$", example = "2026-11")]
    pub month: String,
    /// Whether it is over, and only not billed yet.
    pub over: bool,
    /// The bill, or why there is none.
    #[serde(flatten)]
    pub priced: PreviewedBill,
    /// What it will come to; absent if it is over, or if fewer than 5 working days have passed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forecast: Option<ForecastView>,
}

impl MonthPreviewView {
    /// A month as it stands.
    pub fn new(
        (month, over): (Period, bool),
        priced: Result<BillView, String>,
        forecast: Option<&Forecast>,
    ) -> Self {
        let forecast = forecast.map(ForecastView::from);
        Self { month: month.to_string(), over, priced: priced.into(), forecast }
    }
}

/// What a contract comes to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ContractPreview)]
pub struct ContractPreviewView {
    /// The contract.
    #[schema(pattern = "^ctr_[0-9a-f]{32}$")]
    pub contract: String,
    /// Its name.
    pub name: String,
    /// What its bills are for today: `case`, or `month`.
    #[schema(pattern = "^(case|month)$")]
    pub billed_by: &'static str,
    /// Its months that are not billed yet, the earliest first. Each begins with what the one before leaves.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub months: Vec<MonthPreviewView>,
    /// What is left of it after the bills so far; absent if a month that runs says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left: Option<StandingView>,
    /// Why nothing can be priced by it, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_priced: Option<String>,
}

impl ContractPreviewView {
    /// A contract as it stands on a day.
    pub fn new(
        (contract, today): (&Contract, Date),
        months: Vec<MonthPreviewView>,
        standing: Result<Option<&Standing>, String>,
    ) -> Self {
        let billed_by = match contract.billed_by(today) {
            BilledBy::Case => "case",
            BilledBy::Month => "month",
        };
        let (left, not_priced) = match standing {
            Ok(standing) => (standing.map(StandingView::from), None),
            Err(reason) => (None, Some(reason)),
        };
        let (contract, name) = (contract.id.to_string(), contract.name.clone());
        Self { contract, name, billed_by, months, left, not_priced }
    }
}

/// What a case comes to, as if it were the next one to be billed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = CasePreview)]
pub struct CasePreviewView {
    /// The case.
    #[schema(pattern = "^case_[0-9a-f]{32}$")]
    pub case: String,
    /// Its number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    /// Its subject.
    pub subject: String,
    /// `by_case`: what is on it will be billed with it. `by_month`: it is on the bills of months. `invoiced`: it was
    /// billed already, and what was logged since is on no bill. `nothing`: there is nothing on it.
    #[schema(pattern = "^(by_case|by_month|invoiced|nothing)$")]
    pub billed: &'static str,
    /// The contract that it is priced by.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(pattern = "^ctr_[0-9a-f]{32}$")]
    pub contract: Option<String>,
    /// The invoice that there is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(pattern = "^inv_[0-9a-f]{32}$")]
    pub invoice: Option<String>,
    /// The bill, or why there is none.
    #[serde(flatten)]
    pub priced: PreviewedBill,
}

impl CasePreviewView {
    /// A case without a bill of its own.
    pub fn without_bill(case: &Case, billed: &'static str) -> Self {
        Self {
            case: case.id.to_string(),
            number: case.number.clone(),
            subject: case.subject.clone(),
            billed,
            contract: None,
            invoice: None,
            priced: PreviewedBill { bill: None, not_priced: None },
        }
    }

    /// A case that will have a bill of its own, or why that cannot be priced.
    pub fn new(case: &Case, contract: Option<String>, priced: Result<BillView, String>) -> Self {
        Self { contract, priced: priced.into(), ..Self::without_bill(case, "by_case") }
    }
}
