//! What leaves the server. A field that is not here is not shown to anybody.

use jiff::{Timestamp, civil::Date};
use portico_domain::{
    billing::{Invoice, Line},
    files::PresignedRequest,
};
use serde::Serialize;
use utoipa::ToSchema;

mod cases;
mod files;

pub use cases::{
    AuthorView, CaseSummaryView, CaseView, ContractReference, FileMentionView, HappeningView, StatusView,
    TimelineEntryView,
};
pub use files::{
    ArchiveFailureView, ArchiveStateView, ArchiveView, FileStateView, FileView, RejectionView, SpaceView,
    UsageView, VisibilityView,
};

/// An amount of money, as text so that nobody's floats round it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Money)]
pub struct MoneyView {
    /// In major units, with the currency's decimals.
    #[schema(pattern = r"^-?[0-9]+(\.[0-9]+)?$", example = "142.80")]
    pub amount: String,
    /// ISO 4217.
    #[schema(pattern = "^[A-Z]{3}$", example = "EUR")]
    pub currency: String,
}

impl From<portico_domain::Money> for MoneyView {
    fn from(money: portico_domain::Money) -> Self {
        Self { amount: money.to_decimal().to_string(), currency: money.currency().code().to_owned() }
    }
}

/// An invoice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Invoice)]
pub struct InvoiceView {
    /// The portal's id.
    #[schema(pattern = "^inv_[0-9a-f]{32}$", example = "inv_01993b8e5c6a7d2f8b1e4a9c0d3f6e72")]
    pub id: String,
    /// Its number.
    #[schema(example = "2026-000042")]
    pub number: String,
    /// The case that it bills.
    #[schema(pattern = "^case_[0-9a-f]{32}$")]
    pub case: String,
    /// That case's number.
    pub case_number: Option<String>,
    /// Sum of the lines.
    pub net: MoneyView,
    /// Tax in percent; absent if parts of it are taxed differently.
    #[schema(pattern = r"^[0-9]+(\.[0-9]+)?$", example = "19")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tax_percent: Option<String>,
    /// Tax.
    pub tax: MoneyView,
    /// What is owed.
    pub gross: MoneyView,
    /// Day of the issue.
    #[schema(value_type = String, format = Date)]
    pub issued_on: Date,
    /// Day on which it is due.
    #[schema(value_type = String, format = Date)]
    pub due_on: Date,
    /// Whether the PDF can be downloaded.
    pub pdf_available: bool,
    /// Positions; absent in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lines: Option<Vec<LineView>>,
}

/// A position of an invoice, with everything that it takes to check it by hand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = InvoiceLine)]
pub struct LineView {
    /// Day of the work.
    #[schema(value_type = String, format = Date)]
    pub worked_on: Date,
    /// Who did it.
    pub person: String,
    /// What was done.
    pub description: String,
    /// Minutes as logged.
    #[schema(minimum = 0, maximum = 1440)]
    pub minutes: i64,
    /// Hours as billed.
    #[schema(pattern = r"^[0-9]+(\.[0-9]+)?$", example = "1.25")]
    pub hours: String,
    /// Price of one hour, in major units.
    #[schema(pattern = r"^[0-9]+(\.[0-9]+)?$", example = "120")]
    pub rate: String,
    /// Hours times rate, rounded once.
    pub amount: MoneyView,
}

impl InvoiceView {
    /// Without positions, for lists.
    pub fn summary(invoice: &Invoice) -> Self {
        Self {
            id: invoice.id.to_string(),
            number: invoice.number.as_str().to_owned(),
            case: invoice.case.to_string(),
            case_number: invoice.case_number.clone(),
            net: invoice.net.into(),
            tax_percent: invoice.tax_percent.map(|percent| percent.to_string()),
            tax: invoice.tax.into(),
            gross: invoice.gross.into(),
            issued_on: invoice.issued_on,
            due_on: invoice.due_on,
            pdf_available: invoice.rendered.is_some(),
            lines: None,
        }
    }

    /// With positions.
    pub fn detail(invoice: &Invoice) -> Self {
        Self { lines: Some(invoice.lines.iter().map(LineView::from).collect()), ..Self::summary(invoice) }
    }
}

impl From<&Line> for LineView {
    fn from(line: &Line) -> Self {
        Self {
            worked_on: line.worked_on,
            person: line.person.clone(),
            description: line.description.clone(),
            minutes: line.minutes,
            hours: line.quantity.to_string(),
            rate: line.rate.to_string(),
            amount: line.amount.into(),
        }
    }
}

/// A request to send to the store, exactly as it stands here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct StoreRequest {
    /// HTTP method.
    #[schema(pattern = "^(GET|PUT)$", example = "PUT")]
    pub method: &'static str,
    /// Where to. Whoever holds it may use it until it lapses: do not pass it on.
    #[schema(format = "uri")]
    pub url: String,
    /// Headers to send as they are.
    pub headers: std::collections::BTreeMap<String, String>,
    /// When it lapses.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
}

impl From<PresignedRequest> for StoreRequest {
    fn from(signed: PresignedRequest) -> Self {
        let PresignedRequest { method, url, headers, expires_at } = signed;
        Self { method, url, headers: headers.into_iter().collect(), expires_at }
    }
}
