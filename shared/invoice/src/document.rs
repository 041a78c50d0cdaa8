//! What stands on the page.

use crate::{EInvoice, Labels, Language, Look};
use jiff::Timestamp;

/// Everything that stands on the page, already formatted: the template never calculates.
///
/// Amounts carry no currency sign (`"1,234.50"`): the document names its [`currency`](Self::currency) in the heads of
/// columns and at the totals. How long each text may be is written in [`LimitError`](crate::LimitError)'s constants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Invoice or credit note.
    pub kind: Kind,
    /// The number in its series, as printed: `"2026-0142"`. Must not be empty: it is the document's title.
    pub number: String,
    /// Date of issue, as printed: `"22 November 2026"`.
    pub issued_on: String,
    /// Date of payment, as printed. `None` on a credit note or when nothing is due.
    pub due_on: Option<String>,
    /// The period that was worked in, as printed: `"1 - 31 October 2026"`.
    pub service_period: Option<String>,
    /// Who issues the document.
    pub seller: Party,
    /// Who receives it; stands in the address window of a DL or C5/6 envelope (DIN 5008 form B).
    pub buyer: Party,
    /// The case that was delivered, as the client knows it.
    pub case_reference: Option<String>,
    /// The buyer's purchase order.
    pub purchase_order: Option<String>,
    /// ISO 4217 code of every amount.
    pub currency: String,
    /// What is charged, in the order of the page. At most [`MAX_LINES`](crate::MAX_LINES).
    pub lines: Vec<Line>,
    /// Sum of the lines before tax.
    pub net: String,
    /// One entry for each rate.
    pub taxes: Vec<TaxLine>,
    /// Sum with tax.
    pub gross: String,
    /// What was paid in advance, as printed, sign included; then `amount_due` differs from `gross`.
    pub prepaid: Option<String>,
    /// What is to be paid.
    pub amount_due: String,
    /// How to pay: `IBAN`, `Reference`.
    pub payment: Vec<Fact>,
    /// Paragraphs below the totals: terms, the reason for a reverse charge, thanks.
    pub notes: Vec<String>,
    /// The seller's legal lines at the foot of each page: register, directors, tax office.
    pub imprint: Vec<String>,
    /// When the document was issued: the creation date in the PDF's metadata. Never the time of rendering, so that
    /// rendering again gives the same bytes.
    pub issued_at: Timestamp,
    /// Language of the words that the template adds, and of the PDF for screen readers.
    pub language: Language,
    /// Colours, letters, logo.
    pub look: Look,
    /// Words that the brand has in the place of ours, in the document's language.
    pub labels: Labels,
    /// How each amount comes about, on pages of its own.
    pub annex: Option<Annex>,
    /// The e-invoice that says the same; it is attached to the PDF.
    pub e_invoice: Option<EInvoice>,
}

/// What a document is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Asks for money.
    Invoice,
    /// Takes back, in part or in full, an invoice that was issued.
    CreditNote {
        /// Number of the corrected invoice (required by Directive 2006/112/EC Art. 219).
        corrects: String,
    },
}

/// A company or person with a postal address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Party {
    /// Name under which it trades.
    pub name: String,
    /// Postal address below the name, one entry a line.
    pub address: Vec<String>,
    /// VAT or tax number, as printed, with its own label: `"VAT DE123456789"`.
    pub tax_number: Option<String>,
    /// Telephone, e-mail, web address: one entry a line. Printed for the seller only.
    pub contact: Vec<String>,
}

/// One row of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What was done.
    pub description: String,
    /// Smaller lines below the description: day of work, person, clause of the contract, rounding step.
    pub details: Vec<String>,
    /// With its unit: `"3.50 h"`.
    pub quantity: String,
    /// Price of one unit.
    pub unit_price: String,
    /// Net amount of the row.
    pub amount: String,
    /// Sum of the rows up to this one, for the foot of a page that ends here and the head of the next. If the rows of a
    /// document have none, sums are not carried forward.
    pub running: Option<String>,
}

/// Tax of one rate on the whole document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaxLine {
    /// `"VAT 19%"`.
    pub label: String,
    /// Net amount that the rate applies to.
    pub base: String,
    /// The tax.
    pub amount: String,
}

/// A label and its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// `"IBAN"`.
    pub label: String,
    /// `"DE89 3704 0044 0532 0130 00"`.
    pub value: String,
}

/// How each amount of a document comes about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Annex {
    /// One for each position, and one for the document as a whole. At most [`MAX_WORKINGS`](crate::MAX_WORKINGS).
    pub workings: Vec<Working>,
}

/// How one amount comes about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Working {
    /// Number of the position; empty for the document as a whole.
    pub position: String,
    /// What it is for.
    pub title: String,
    /// The entry, the clause, the tax.
    pub basis: String,
    /// From what was logged to the amount. At most [`MAX_STEPS`](crate::MAX_STEPS).
    pub steps: Vec<WorkingStep>,
}

/// One step, with the value that the one before left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkingStep {
    /// What is done.
    pub what: String,
    /// The value before, if there was one.
    pub before: String,
    /// The value after.
    pub after: String,
}
