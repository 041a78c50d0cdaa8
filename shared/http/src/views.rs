//! What leaves the server. A field that is not here is not shown to anybody.

use jiff::{Timestamp, civil::Date};
use portico_domain::{
    billing::{Invoice, Line},
    cases::{Case, Happening, TimelineEntry},
    files::File,
};
use serde::Serialize;
use utoipa::ToSchema;

/// A case, as its clients see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Case)]
pub struct CaseView {
    /// The portal's id.
    #[schema(pattern = "^case_[0-9a-f]{32}$", example = "case_01993b8e5c6a7d2f8b1e4a9c0d3f6e72")]
    pub id: String,
    /// The number that people quote; absent until Salesforce has taken the case.
    #[schema(example = "00001042")]
    pub number: Option<String>,
    /// In one line.
    pub subject: String,
    /// In full.
    pub description: String,
    /// Where it stands.
    pub status: StatusView,
    /// How urgent, in the consultancy's word.
    #[schema(example = "High")]
    pub priority: String,
    /// When it was raised.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When something visible last happened.
    #[schema(value_type = String, format = DateTime)]
    pub last_activity_at: Timestamp,
    /// When it was closed.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub closed_at: Option<Timestamp>,
    /// When the portal last read the case in Salesforce.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub confirmed_at: Option<Timestamp>,
    /// Grows with every change; a push names it.
    pub version: u64,
}

/// Where a case stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Status)]
pub struct StatusView {
    /// The consultancy's word.
    #[schema(example = "Working")]
    pub label: String,
    /// Whether that word means closed.
    pub closed: bool,
}

impl From<&Case> for CaseView {
    fn from(case: &Case) -> Self {
        Self {
            id: case.id.to_string(),
            number: case.number.clone(),
            subject: case.subject.clone(),
            description: case.description.clone(),
            status: StatusView { label: case.status.label.clone(), closed: case.status.closed },
            priority: case.priority.clone(),
            created_at: case.created_at,
            last_activity_at: case.last_activity_at,
            closed_at: case.closed_at,
            confirmed_at: case.confirmed.map(|confirmed| confirmed.at),
            version: case.version,
        }
    }
}

/// One line of a case's timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = TimelineEntry)]
pub struct TimelineEntryView {
    /// Unique within the case.
    pub id: String,
    /// When it happened.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// What happened.
    #[serde(flatten)]
    pub happening: HappeningView,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Happening)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum HappeningView {
    /// The case was raised.
    Submitted,
    /// The case got its number.
    Numbered {
        /// The number.
        number: String,
    },
    /// The case moved on.
    StatusChanged {
        /// Word before.
        from: String,
        /// Word now.
        to: String,
        /// Whether that means closed.
        closed: bool,
    },
    /// Somebody said something.
    Commented {
        /// What, as plain text.
        body: String,
    },
    /// A file was added.
    FileAdded {
        /// Its id.
        file: String,
        /// Its name.
        name: String,
    },
    /// An invoice was issued.
    Invoiced {
        /// Its id.
        invoice: String,
        /// Its number.
        number: String,
    },
}

impl From<&TimelineEntry> for TimelineEntryView {
    fn from(entry: &TimelineEntry) -> Self {
        let happening = match entry.happening.clone() {
            Happening::Submitted => HappeningView::Submitted,
            Happening::Numbered { number } => HappeningView::Numbered { number },
            Happening::StatusChanged { from, to, closed } => {
                HappeningView::StatusChanged { from, to, closed }
            }
            Happening::Commented { body } => HappeningView::Commented { body },
            Happening::FileAdded { file, name } => HappeningView::FileAdded { file: file.to_string(), name },
            Happening::Invoiced { invoice, number } => {
                HappeningView::Invoiced { invoice: invoice.to_string(), number }
            }
        };
        Self { id: entry.id.to_string(), at: entry.at, happening }
    }
}

/// A file of a case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = File)]
pub struct FileView {
    /// The portal's id.
    #[schema(pattern = "^file_[0-9a-f]{32}$", example = "file_01993b8e5c6a7d2f8b1e4a9c0d3f6e72")]
    pub id: String,
    /// The case that it belongs to.
    #[schema(pattern = "^case_[0-9a-f]{32}$")]
    pub case: String,
    /// Name as the client gave it. Text: never a path.
    pub name: String,
    /// Bytes.
    #[schema(minimum = 1, maximum = 5368709120_u64)]
    pub size: u64,
    /// Media type as declared.
    pub content_type: String,
    /// SHA-256 of the content, hexadecimal.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    pub sha256: String,
    /// Whether it can be downloaded.
    pub available: bool,
    /// When it was declared.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

impl From<&File> for FileView {
    fn from(file: &File) -> Self {
        Self {
            id: file.id.to_string(),
            case: file.case.to_string(),
            name: file.declared.name.as_str().to_owned(),
            size: file.declared.size,
            content_type: file.declared.content_type.as_str().to_owned(),
            sha256: file.declared.sha256.as_str().to_owned(),
            available: file.is_available(),
            created_at: file.created_at,
        }
    }
}

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
    /// Tax in percent.
    #[schema(pattern = r"^[0-9]+(\.[0-9]+)?$", example = "19")]
    pub tax_percent: String,
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
            tax_percent: invoice.tax_percent.to_string(),
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
            hours: line.hours.to_string(),
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
