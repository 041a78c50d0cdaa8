//! What the template reads: the document's texts made printable, with the words of its language.

use crate::brand::LogoKind;
use crate::e_invoice::E_INVOICE_NAME;
use crate::printable::{BREAK, printable};
use crate::wording::Wording;
use crate::{Annex, Document, EInvoice, Kind, Line, Look, Party, fonts};
use serde::Serialize;

/// A row that is longer than this may break over two pages; shorter ones stay together. About a third of a page.
const MAX_KEPT_TOGETHER_CHARS: usize = 1_200;
/// Likewise, in lines that the text itself begins.
const MAX_KEPT_TOGETHER_LINES: usize = 20;

/// The JSON that `templates/invoice.typ` reads.
#[derive(Serialize)]
pub(crate) struct Sheet {
    title: String,
    author: String,
    heading: String,
    words: Wording,
    look: LookSheet,
    lang: &'static str,
    corrects: Option<String>,
    number: String,
    issued_on: String,
    due_on: Option<String>,
    service_period: Option<String>,
    case_reference: Option<String>,
    purchase_order: Option<String>,
    seller: PartySheet,
    buyer: PartySheet,
    currency: String,
    lines: Vec<LineSheet>,
    net: String,
    taxes: Vec<TaxSheet>,
    gross: String,
    prepaid: Option<String>,
    due_label: String,
    amount_due: String,
    payment: Vec<FactSheet>,
    notes: Vec<String>,
    imprint: Vec<String>,
    annex: Vec<WorkingSheet>,
    /// Name of the file to attach, if there is one.
    e_invoice: Option<&'static str>,
}

/// Colours, letters, logo.
#[derive(Serialize)]
pub(crate) struct LookSheet {
    accent: String,
    band: Option<String>,
    fonts: Vec<&'static str>,
    /// Name of the file.
    logo: Option<&'static str>,
}

#[derive(Serialize)]
struct WorkingSheet {
    position: String,
    title: String,
    basis: String,
    steps: Vec<StepSheet>,
}

#[derive(Serialize)]
struct StepSheet {
    what: String,
    before: String,
    after: String,
}

#[derive(Serialize)]
pub(crate) struct PartySheet {
    name: String,
    address: Vec<String>,
    tax_number: Option<String>,
    contact: Vec<String>,
}

#[derive(Serialize)]
struct LineSheet {
    position: String,
    description: String,
    details: Vec<String>,
    quantity: String,
    unit_price: String,
    amount: String,
    running: Option<String>,
    breakable: bool,
}

#[derive(Serialize)]
struct TaxSheet {
    label: String,
    base: String,
    amount: String,
}

#[derive(Serialize)]
pub(crate) struct FactSheet {
    pub(crate) label: String,
    pub(crate) value: String,
}

impl From<&Document> for Sheet {
    fn from(document: &Document) -> Self {
        let words = document.labels.over(document.language);
        let (heading, due_label, corrects) = match &document.kind {
            Kind::Invoice => (&words.invoice, &words.amount_due, None),
            Kind::CreditNote { corrects } => {
                (&words.credit_note, &words.amount_credited, Some(printable(corrects)))
            }
        };
        let (heading, due_label) = (heading.to_string(), due_label.to_string());
        let number = printable(&document.number);
        Self {
            title: format!("{heading} {}", number.replace(BREAK, "")),
            author: unbroken(&document.seller.name),
            heading,
            words,
            look: LookSheet::from(&document.look),
            lang: document.language.tag(),
            corrects,
            number,
            issued_on: printable(&document.issued_on),
            due_on: optional(&document.due_on),
            service_period: optional(&document.service_period),
            case_reference: optional(&document.case_reference),
            purchase_order: optional(&document.purchase_order),
            seller: party(&document.seller),
            buyer: party(&document.buyer),
            currency: printable(&document.currency),
            lines: document.lines.iter().enumerate().map(|(index, line)| row(index, line)).collect(),
            net: printable(&document.net),
            taxes: document
                .taxes
                .iter()
                .map(|tax| TaxSheet {
                    label: printable(&tax.label),
                    base: printable(&tax.base),
                    amount: printable(&tax.amount),
                })
                .collect(),
            gross: printable(&document.gross),
            prepaid: optional(&document.prepaid),
            due_label,
            amount_due: printable(&document.amount_due),
            payment: document
                .payment
                .iter()
                .map(|fact| FactSheet { label: printable(&fact.label), value: printable(&fact.value) })
                .collect(),
            notes: all(&document.notes),
            imprint: all(&document.imprint),
            annex: document.annex.as_ref().map(workings).unwrap_or_default(),
            e_invoice: document.e_invoice.as_ref().map(|_: &EInvoice| E_INVOICE_NAME),
        }
    }
}

impl From<&Look> for LookSheet {
    fn from(look: &Look) -> Self {
        Self {
            accent: look.accent.to_string(),
            band: look.band.map(|band| band.to_string()),
            fonts: fonts::families(look.typeface),
            logo: look.logo.as_ref().map(|logo| logo_name(logo.kind())),
        }
    }
}

/// Fixed names, never one of an invoice's own: see [`crate::press`].
pub(crate) fn logo_name(kind: LogoKind) -> &'static str {
    match kind {
        LogoKind::Svg => "logo.svg",
        LogoKind::Png => "logo.png",
    }
}

fn workings(annex: &Annex) -> Vec<WorkingSheet> {
    let workings = annex.workings.iter().map(|working| WorkingSheet {
        position: printable(&working.position),
        title: printable(&working.title),
        basis: printable(&working.basis),
        steps: working
            .steps
            .iter()
            .map(|step| StepSheet {
                what: printable(&step.what),
                before: printable(&step.before),
                after: printable(&step.after),
            })
            .collect(),
    });
    workings.collect()
}

/// For the file's metadata: printable, without places to break.
pub(crate) fn unbroken(text: &str) -> String {
    printable(text).replace(BREAK, "")
}

fn optional(text: &Option<String>) -> Option<String> {
    text.as_deref().map(printable)
}

pub(crate) fn all(texts: &[String]) -> Vec<String> {
    texts.iter().map(|text| printable(text)).collect()
}

pub(crate) fn party(party: &Party) -> PartySheet {
    PartySheet {
        name: printable(&party.name),
        address: all(&party.address),
        tax_number: optional(&party.tax_number),
        contact: all(&party.contact),
    }
}

fn row(index: usize, line: &Line) -> LineSheet {
    let description = printable(&line.description);
    let details = all(&line.details);
    let texts = || std::iter::once(&description).chain(&details);
    let chars = texts().map(|text| text.chars().count()).fold(0, usize::saturating_add);
    let lines = texts().map(|text| text.split('\n').count()).fold(0, usize::saturating_add);
    LineSheet {
        position: index.saturating_add(1).to_string(),
        breakable: chars > MAX_KEPT_TOGETHER_CHARS || lines > MAX_KEPT_TOGETHER_LINES,
        quantity: printable(&line.quantity),
        unit_price: printable(&line.unit_price),
        amount: printable(&line.amount),
        running: optional(&line.running),
        description,
        details,
    }
}
