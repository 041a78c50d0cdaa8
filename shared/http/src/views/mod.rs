//! What leaves the server. A field that is not here is not shown to anybody.

use jiff::Timestamp;
use portico_domain::files::PresignedRequest;
use serde::Serialize;
use utoipa::ToSchema;

mod cases;
mod disputes;
mod files;
mod invoices;
mod previews;

pub use cases::{
    AuthorView, CaseSummaryView, CaseView, ContractReference, FileMentionView, HappeningView, StatusView,
    TimelineEntryView,
};
pub use disputes::{AnswerView, ClosingView, DisputeKindView, DisputeStateView, DisputeView, OutcomeView};
pub use files::{
    ArchiveFailureView, ArchiveStateView, ArchiveView, FileStateView, FileView, RejectionView, SpaceView,
    UsageView, VisibilityView,
};
pub use invoices::{
    CreditNoteView, DraftSummaryView, DraftView, InvoiceStateView, InvoiceView, LineKindView, LineView,
    ReductionView, StepView, SubjectView, TaxView, TreatmentView, UnitView,
};

pub use previews::{
    BillView, BlockLeftView, CapLeftView, CasePreviewView, ContractPreviewView, ForecastView, HoursView,
    MonthPreviewView, PreviewedBill, StandingView,
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
