//! What the template reads: the document's texts made printable, with the words of its language.

use crate::printable::{BREAK, printable};
use crate::wording::Wording;
use crate::{Document, Kind, Line, Party, fonts};
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
    heading: &'static str,
    words: &'static Wording,
    fonts: Vec<&'static str>,
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
    due_label: &'static str,
    amount_due: String,
    payment: Vec<FactSheet>,
    notes: Vec<String>,
    imprint: Vec<String>,
}

#[derive(Serialize)]
struct PartySheet {
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
    breakable: bool,
}

#[derive(Serialize)]
struct TaxSheet {
    label: String,
    base: String,
    amount: String,
}

#[derive(Serialize)]
struct FactSheet {
    label: String,
    value: String,
}

impl From<&Document> for Sheet {
    fn from(document: &Document) -> Self {
        let words = document.language.wording();
        let (heading, due_label, corrects) = match &document.kind {
            Kind::Invoice => (words.invoice, words.amount_due, None),
            Kind::CreditNote { corrects } => {
                (words.credit_note, words.amount_credited, Some(printable(corrects)))
            }
        };
        let number = printable(&document.number);
        Self {
            title: format!("{heading} {}", number.replace(BREAK, "")),
            author: printable(&document.seller.name).replace(BREAK, ""),
            heading,
            words,
            fonts: fonts::families(),
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
        }
    }
}

fn optional(text: &Option<String>) -> Option<String> {
    text.as_deref().map(printable)
}

fn all(texts: &[String]) -> Vec<String> {
    texts.iter().map(|text| printable(text)).collect()
}

fn party(party: &Party) -> PartySheet {
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
        description,
        details,
    }
}
