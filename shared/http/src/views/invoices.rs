//! Invoices, credit notes and drafts, and how every cent of them comes about.

use jiff::{Timestamp, civil::Date};
use portico_domain::{
    billing::{
        Bill, CreditNote, Draft, Invoice, InvoiceState, Line, LineDerivation, LineKind, Origin, PaidBy,
        Positions, RateSource, ReductionReason, Scope, Step, Subject, TaxSum, Treatment, Unit,
    },
    money::MoneyError,
};
use serde::Serialize;
use utoipa::ToSchema;

use super::MoneyView;

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
    /// What it is today.
    pub state: InvoiceStateView,
    /// The contract that it was priced by.
    #[schema(pattern = "^ctr_[0-9a-f]{32}$")]
    pub contract: String,
    /// What it bills.
    pub subject: SubjectView,
    /// Sum of the positions.
    pub net: MoneyView,
    /// The taxes, each rate once.
    pub taxes: Vec<TaxView>,
    /// Tax.
    pub tax: MoneyView,
    /// What is owed.
    pub gross: MoneyView,
    /// What was paid.
    pub paid: MoneyView,
    /// What was credited.
    pub credited: MoneyView,
    /// What is still open; below zero if more was paid than is owed.
    pub open: MoneyView,
    /// How much of that is in dispute, and need not be paid before the dispute is over.
    pub held: MoneyView,
    /// Day of the issue.
    #[schema(value_type = String, format = Date)]
    pub issued_on: Date,
    /// Day on which it is due.
    #[schema(value_type = String, format = Date)]
    pub due_on: Date,
    /// The client's purchase-order number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purchase_order: Option<String>,
    /// Whether the PDF can be downloaded.
    pub pdf_available: bool,
    /// Whether there is an e-invoice of it. The norm has no room for some; then the PDF stands alone.
    pub e_invoice_available: bool,
    /// What was taken back of it, the newest first, without positions; absent in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credit_notes: Option<Vec<CreditNoteView>>,
    /// Positions; absent in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lines: Option<Vec<LineView>>,
}

/// What an invoice is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = InvoiceState)]
pub enum InvoiceStateView {
    /// Nothing is paid, and it is not due yet.
    Open,
    /// Some of it is paid, and the rest is not due yet.
    PartlyPaid,
    /// Nothing is open.
    Paid,
    /// Something is open, and the day on which it was due has passed.
    Overdue,
    /// All of it was credited.
    Void,
}

impl From<InvoiceState> for InvoiceStateView {
    fn from(state: InvoiceState) -> Self {
        match state {
            InvoiceState::Open => Self::Open,
            InvoiceState::PartlyPaid => Self::PartlyPaid,
            InvoiceState::Paid => Self::Paid,
            InvoiceState::Overdue => Self::Overdue,
            InvoiceState::Void => Self::Void,
        }
    }
}

/// What an invoice bills.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
#[schema(as = InvoiceSubject)]
pub enum SubjectView {
    /// A case.
    Case {
        /// The case.
        #[schema(pattern = "^case_[0-9a-f]{32}$")]
        case: String,
        /// Its number.
        #[serde(skip_serializing_if = "Option::is_none")]
        number: Option<String>,
        /// Its subject.
        subject: String,
    },
    /// A month of a contract.
    Month {
        /// The month.
        #[schema(pattern = "^[0-9]{4}-[0-9]{2}$", example = "2026-11")]
        month: String,
        /// The contract's name.
        contract_name: String,
    },
}

impl From<&Subject> for SubjectView {
    fn from(subject: &Subject) -> Self {
        match subject {
            Subject::Case { case, number, subject } => {
                Self::Case { case: case.to_string(), number: number.clone(), subject: subject.clone() }
            }
            Subject::Period { period, contract } => {
                Self::Month { month: period.to_string(), contract_name: contract.clone() }
            }
        }
    }
}

/// A tax.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = InvoiceTax)]
pub struct TaxView {
    /// How it is taxed.
    pub treatment: TreatmentView,
    /// In percent.
    #[schema(pattern = r"^[0-9]+(\.[0-9]+)?$", example = "19")]
    pub percent: String,
    /// What is taxed.
    pub base: MoneyView,
    /// The tax.
    pub tax: MoneyView,
}

/// How something is taxed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = TaxTreatment)]
pub enum TreatmentView {
    /// At a rate.
    Taxed,
    /// The client owes the tax.
    ReverseCharge,
    /// Not at all.
    Exempt,
}

impl From<Treatment> for TreatmentView {
    fn from(treatment: Treatment) -> Self {
        match treatment {
            Treatment::Taxed(_) => Self::Taxed,
            Treatment::ReverseCharge => Self::ReverseCharge,
            Treatment::Exempt => Self::Exempt,
        }
    }
}

impl From<&TaxSum> for TaxView {
    fn from(sum: &TaxSum) -> Self {
        Self {
            treatment: sum.treatment.into(),
            percent: sum.treatment.percent().normalize().to_string(),
            base: sum.base.into(),
            tax: sum.tax.into(),
        }
    }
}

/// A position, with everything that it takes to check it by hand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = InvoiceLine)]
pub struct LineView {
    /// Its place, from 1.
    #[schema(minimum = 1, maximum = 5000)]
    pub line: usize,
    /// What sort of position it is.
    pub kind: LineKindView,
    /// Day of the work, or of what else it bills.
    #[schema(value_type = String, format = Date)]
    pub worked_on: Date,
    /// Who did it; empty if nobody did.
    pub person: String,
    /// What was done.
    pub description: String,
    /// Minutes as logged.
    #[schema(minimum = -1440, maximum = 1440)]
    pub minutes: i64,
    /// How much is billed.
    #[schema(pattern = r"^-?[0-9]+(\.[0-9]+)?$", example = "1.25")]
    pub quantity: String,
    /// What the quantity counts. The rate is for one hour, for sixty minutes, or for one piece.
    pub unit: UnitView,
    /// Price of an hour or of a piece, in major units.
    #[schema(pattern = r"^[0-9]+(\.[0-9]+)?$", example = "120")]
    pub rate: String,
    /// What is taken off quantity times rate.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reductions: Vec<ReductionView>,
    /// Quantity times rate, rounded once, without the reductions.
    pub amount: MoneyView,
    /// How it comes about, step by step.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<StepView>,
}

/// What sort of position it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = InvoiceLineKind)]
pub enum LineKindView {
    /// Time that was worked.
    Work,
    /// What the work is short of the minimum charge.
    MinimumCharge,
    /// A milestone, a month of a retainer, a block of hours.
    Fee,
    /// Something that was paid for the client.
    Expense,
}

/// What a quantity counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = InvoiceLineUnit)]
pub enum UnitView {
    /// Hours.
    Hour,
    /// Minutes.
    Minute,
    /// Things.
    Piece,
}

/// What a position costs less, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = InvoiceReduction)]
pub struct ReductionView {
    /// `cap`, or `discount`.
    #[schema(pattern = "^(cap|discount)$")]
    pub reason: &'static str,
    /// The discount's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// How much.
    pub amount: MoneyView,
}

/// One step of a position: from the value that the step before left to the next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = InvoiceStep)]
pub struct StepView {
    /// What is done.
    #[schema(example = "hours")]
    pub step: &'static str,
    /// The clause and what else it takes to follow it, in words.
    pub because: String,
    /// The value before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// The value after it.
    pub after: String,
}

impl InvoiceView {
    /// Without positions, for lists.
    pub fn summary(invoice: &Invoice, today: Date) -> Self {
        let settlement = invoice.settlement;
        Self {
            id: invoice.id.to_string(),
            number: invoice.number.to_string(),
            state: invoice.state(today).into(),
            contract: invoice.contract.to_string(),
            subject: (&invoice.subject).into(),
            net: invoice.net.into(),
            taxes: invoice.taxes.iter().map(TaxView::from).collect(),
            tax: invoice.tax.into(),
            gross: invoice.gross.into(),
            paid: settlement.paid.into(),
            credited: settlement.credited.into(),
            open: settlement.open.into(),
            held: settlement.held.into(),
            issued_on: invoice.issued_on,
            due_on: invoice.due_on,
            purchase_order: invoice.purchase_order.clone(),
            pdf_available: invoice.rendered.is_some(),
            e_invoice_available: invoice.rendered.iter().any(|rendered| rendered.e_invoice.is_some()),
            credit_notes: None,
            lines: None,
        }
    }

    /// With positions.
    pub fn detail(invoice: &Invoice, positions: &Positions, today: Date) -> Self {
        Self { lines: Some(explained(positions)), ..Self::summary(invoice, today) }
    }

    /// With what was taken back of it.
    #[must_use]
    pub fn corrected_by(self, notes: &[CreditNote]) -> Self {
        Self { credit_notes: Some(notes.iter().map(CreditNoteView::summary).collect()), ..self }
    }
}

/// Positions with how they come about.
fn explained(positions: &Positions) -> Vec<LineView> {
    let view = |(line, (position, derivation)): (usize, (&Line, &LineDerivation))| LineView {
        steps: derivation.steps.iter().map(|step| StepView::new(step, derivation, positions)).collect(),
        ..LineView::new(line, position)
    };
    (1..).zip(positions.explained()).map(view).collect()
}

/// The positions of a bill, exactly as those of the invoice that it becomes.
pub(super) fn lines_of(bill: &Bill) -> Vec<LineView> {
    explained(&Positions {
        lines: bill.lines.clone(),
        derivation: bill.derivation.clone(),
        retainer: bill.retainer,
    })
}

impl LineView {
    /// A position at its place, from 1.
    fn new(place: usize, line: &Line) -> Self {
        Self {
            line: place,
            kind: match line.kind {
                LineKind::Work => LineKindView::Work,
                LineKind::MinimumCharge => LineKindView::MinimumCharge,
                LineKind::Fee => LineKindView::Fee,
                LineKind::Expense => LineKindView::Expense,
            },
            worked_on: line.worked_on,
            person: line.person.clone(),
            description: line.description.clone(),
            minutes: line.minutes,
            quantity: line.quantity.to_string(),
            unit: match line.unit {
                Unit::Hour => UnitView::Hour,
                Unit::Minute => UnitView::Minute,
                Unit::Piece => UnitView::Piece,
            },
            rate: line.rate.to_string(),
            reductions: line
                .reductions
                .iter()
                .map(|reduction| {
                    let (reason, name) = match &reduction.reason {
                        ReductionReason::Cap => ("cap", None),
                        ReductionReason::Discount(name) => ("discount", Some(name.clone())),
                    };
                    ReductionView { reason, name, amount: reduction.amount.into() }
                })
                .collect(),
            amount: line.amount.into(),
            steps: Vec::new(),
        }
    }
}

impl StepView {
    fn new(step: &Step, line: &LineDerivation, positions: &Positions) -> Self {
        let minutes = |minutes: u32| format!("{minutes} min");
        match step {
            Step::Worked { minutes: worked, of } => Self {
                step: "worked",
                because: match line.origin {
                    Origin::Entry(entry) => format!("{worked} of the {of} minutes of time entry {entry}"),
                    _ => format!("{worked} of {of} minutes"),
                },
                before: None,
                after: minutes(*worked),
            },
            Step::Increment { increment, earlier, before, after, .. } => Self {
                step: "increment",
                because: format!(
                    "in steps of {} minutes, after {earlier} minutes that are rounded together with it",
                    increment.step.minutes()
                ),
                before: Some(minutes(*before)),
                after: minutes(*after),
            },
            Step::Part { skipped, before, after } => Self {
                step: "part",
                because: format!("the first {skipped} minutes are on other lines"),
                before: Some(minutes(*before)),
                after: minutes(*after),
            },
            Step::Hours { before, after } => Self {
                step: "hours",
                because: "minutes divided by 60, rounded to two decimals".to_owned(),
                before: Some(minutes(*before)),
                after: format!("{after} h"),
            },
            Step::Paid { by } => Self {
                step: "paid",
                because: match by {
                    PaidBy::Retainer(period) => format!("included in the retainer of {period}"),
                    PaidBy::Block(block) => format!("paid with the prepaid hours {block}"),
                },
                before: None,
                after: "0".to_owned(),
            },
            Step::Price { quantity, per, base, source, factor, rate, before, after } => Self {
                step: "price",
                because: {
                    let factor = factor.map(|factor| format!(", times {factor} outside of working hours"));
                    format!(
                        "{quantity} x {rate} / {per}; the rate is {base} ({}){}",
                        source_words(source),
                        factor.unwrap_or_default()
                    )
                },
                before: Some(before.normalize().to_string()),
                after: after.to_string(),
            },
            Step::Fee { after } => Self {
                step: "fee",
                because: "an agreed amount".to_owned(),
                before: None,
                after: after.to_string(),
            },
            Step::MarkedUp { cost, markup, before, after } => Self {
                step: "marked_up",
                because: format!("a cost of {cost} with {markup} % on top"),
                before: Some(before.normalize().to_string()),
                after: after.to_string(),
            },
            Step::TrueUp { minimum, reached, after } => Self {
                step: "minimum_charge",
                because: format!("the work costs {reached}, and at least {minimum} is charged"),
                before: None,
                after: after.to_string(),
            },
            Step::Discount { discount, before, share, after } => Self {
                step: "discount",
                because: {
                    let name = positions.derivation.discounts.get(*discount);
                    let name = name.map_or("discount", |discount| discount.name.as_str());
                    format!("{name}: {share} is its share, by the largest remainder")
                },
                before: Some(before.to_string()),
                after: after.to_string(),
            },
            Step::Cap { before, after } => Self {
                step: "cap",
                because: "the agreed maximum is reached".to_owned(),
                before: Some(before.to_string()),
                after: after.to_string(),
            },
        }
    }
}

fn source_words(source: &RateSource) -> String {
    match source {
        RateSource::Standard => "the rate for everything else".to_owned(),
        RateSource::Card { criteria, from } => {
            let of = [&criteria.person, &criteria.work_type, &criteria.role].into_iter().flatten();
            let of = of.map(String::as_str).collect::<Vec<_>>().join(", ");
            match from {
                Some(from) => format!("rate card: {of}, from {from}"),
                None => format!("rate card: {of}"),
            }
        }
        RateSource::Graduated { above } => format!("the tier above {above} minutes"),
        RateSource::Volume { above, of } => {
            format!("the rate for more than {above} minutes; the bill has {of}")
        }
        RateSource::Overage => "beyond the retainer".to_owned(),
    }
}

/// A credit note.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = CreditNote)]
pub struct CreditNoteView {
    /// The portal's id.
    #[schema(pattern = "^cn_[0-9a-f]{32}$")]
    pub id: String,
    /// Its number.
    #[schema(example = "C2026-000007")]
    pub number: String,
    /// The invoice that it corrects.
    #[schema(pattern = "^inv_[0-9a-f]{32}$")]
    pub invoice: String,
    /// That invoice's number.
    pub corrects: String,
    /// Why.
    pub reason: String,
    /// Sum of the positions, below zero.
    pub net: MoneyView,
    /// The taxes, each rate once.
    pub taxes: Vec<TaxView>,
    /// Tax, below zero.
    pub tax: MoneyView,
    /// What the client gets back, or need not pay; below zero.
    pub gross: MoneyView,
    /// Day of the issue.
    #[schema(value_type = String, format = Date)]
    pub issued_on: Date,
    /// Positions; absent in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lines: Option<Vec<LineView>>,
}

impl CreditNoteView {
    /// Without positions.
    pub fn summary(note: &CreditNote) -> Self {
        Self {
            id: note.id.to_string(),
            number: note.number.to_string(),
            invoice: note.invoice.to_string(),
            corrects: note.corrects.to_string(),
            reason: note.reason.clone(),
            net: note.net.into(),
            taxes: note.taxes.iter().map(TaxView::from).collect(),
            tax: note.tax.into(),
            gross: note.gross.into(),
            issued_on: note.issued_on,
            lines: None,
        }
    }

    /// With positions.
    ///
    /// # Errors
    /// [`MoneyError`] if an amount has no negative.
    pub fn detail(note: &CreditNote, positions: &Positions) -> Result<Self, MoneyError> {
        let lines = note.lines(positions)?;
        let lines = (1..).zip(&lines).map(|(place, line)| LineView::new(place, line)).collect();
        Ok(Self { lines: Some(lines), ..Self::summary(note) })
    }
}

/// A bill that staff have in hand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = InvoiceDraft)]
pub struct DraftView {
    /// The id of the invoice that it becomes.
    #[schema(pattern = "^inv_[0-9a-f]{32}$")]
    pub id: String,
    /// The contract that it is priced by.
    #[schema(pattern = "^ctr_[0-9a-f]{32}$")]
    pub contract: String,
    /// What it bills.
    pub subject: SubjectView,
    /// Names the bill as it is here. To be given back on issue, so that nothing else is issued than what was seen.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    pub fingerprint: String,
    /// Sum of the positions.
    pub net: MoneyView,
    /// The taxes, each rate once.
    pub taxes: Vec<TaxView>,
    /// Tax.
    pub tax: MoneyView,
    /// What it comes to.
    pub gross: MoneyView,
    /// Positions.
    pub lines: Vec<LineView>,
}

impl DraftView {
    /// A draft and the bill that it is of.
    pub fn new(draft: &Draft, subject: &Subject, bill: &Bill) -> Self {
        Self {
            id: draft.id.to_string(),
            contract: draft.contract.to_string(),
            subject: subject.into(),
            fingerprint: draft.fingerprint.as_str().to_owned(),
            net: bill.net.into(),
            taxes: bill.taxes.iter().map(TaxView::from).collect(),
            tax: bill.tax.into(),
            gross: bill.gross.into(),
            lines: lines_of(bill),
        }
    }
}

/// A bill that staff have in hand, as it was when somebody last looked at it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = InvoiceDraftSummary)]
pub struct DraftSummaryView {
    /// The id of the invoice that it becomes.
    #[schema(pattern = "^inv_[0-9a-f]{32}$")]
    pub id: String,
    /// The contract that it is priced by.
    #[schema(pattern = "^ctr_[0-9a-f]{32}$")]
    pub contract: String,
    /// The case, if it is for one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(pattern = "^case_[0-9a-f]{32}$")]
    pub case: Option<String>,
    /// The month, if it is for one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(pattern = "^[0-9]{4}-[0-9]{2}$", example = "2026-11")]
    pub month: Option<String>,
    /// What it came to.
    pub gross: MoneyView,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub drafted_at: Timestamp,
}

impl From<&Draft> for DraftSummaryView {
    fn from(draft: &Draft) -> Self {
        let (case, month) = match draft.scope {
            Scope::Case { case, .. } => (Some(case.to_string()), None),
            Scope::Period(period) => (None, Some(period.to_string())),
        };
        Self {
            id: draft.id.to_string(),
            contract: draft.contract.to_string(),
            case,
            month,
            gross: draft.gross.into(),
            drafted_at: draft.drafted_at,
        }
    }
}
