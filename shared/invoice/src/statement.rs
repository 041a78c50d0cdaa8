//! Statements of account on paper.

use crate::limits::{LimitError, Tally, at_most};
use crate::printable::printable;
use crate::sheet::{FactSheet, LookSheet, PartySheet, all, party};
use crate::wording::Wording;
use crate::{Brand, Labels, Language, Look, MAX_CELL_CHARS, MAX_IMPRINT_LINES, MAX_LABEL_CHARS, Party};
use jiff::Timestamp;
use portico_domain::billing::{Ageing, Movement, POSTINGS_MAX, Statement, StatementLine};
use serde::Serialize;

/// Everything that stands on a statement of account, already formatted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatementDocument {
    /// Who issues it.
    pub seller: Party,
    /// Whose account it is.
    pub account: Party,
    /// Its days, as printed.
    pub period: String,
    /// The day on which it was made, as printed.
    pub made_on: String,
    /// ISO 4217 code of every amount.
    pub currency: String,
    /// What was owed before the first day.
    pub opening: String,
    /// What happened. At most [`POSTINGS_MAX`].
    pub rows: Vec<StatementRow>,
    /// What is owed after the last day.
    pub closing: String,
    /// The closing balance by age: label and amount.
    pub ageing: Vec<(String, String)>,
    /// Legal lines at the foot of each page.
    pub imprint: Vec<String>,
    /// The moment that it was made: the creation date in the PDF's metadata.
    pub made_at: Timestamp,
    /// Language of its words.
    pub language: Language,
    /// Colours, letters, logo.
    pub look: Look,
    /// Words of the brand.
    pub labels: Labels,
}

/// One row of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatementRow {
    /// The day, as printed.
    pub on: String,
    /// What it is.
    pub what: String,
    /// A smaller line below.
    pub detail: String,
    /// What was charged, if it is that.
    pub charged: String,
    /// What was credited or paid, if it is that.
    pub credited: String,
    /// What was owed after it.
    pub balance: String,
}

/// Puts a statement into words. `account` is whose it is: name, address.
pub fn compose_statement(
    statement: &Statement,
    brand: &Brand,
    account: Party,
    language: Language,
    made_at: Timestamp,
    made_on: jiff::civil::Date,
) -> StatementDocument {
    let words = brand.wording(language);
    let Ageing { not_due, late_30, late_60, late_90, late_more, in_credit } = statement.ageing;
    let mut ageing: Vec<(String, String)> = [
        (&words.not_due, not_due),
        (&words.late_30, late_30),
        (&words.late_60, late_60),
        (&words.late_90, late_90),
        (&words.late_more, late_more),
    ]
    .map(|(label, amount)| (label.to_string(), language.money(amount)))
    .to_vec();
    if in_credit.minor() > 0 {
        ageing.push((words.in_credit.to_string(), language.money(in_credit)));
    }
    StatementDocument {
        seller: brand.party(&words),
        account,
        period: language.days(statement.first, statement.last),
        made_on: language.date(made_on),
        currency: statement.currency.code().to_owned(),
        opening: language.money(statement.opening),
        rows: statement.lines.iter().map(|line| row(line, &words, language)).collect(),
        closing: language.money(statement.closing),
        ageing,
        imprint: brand.imprint.clone(),
        made_at,
        language,
        look: brand.look.clone(),
        labels: brand.labels(language).clone(),
    }
}

fn row(
    StatementLine { posting, balance }: &StatementLine,
    words: &Wording,
    language: Language,
) -> StatementRow {
    let amount = language.money(posting.amount);
    let (what, detail, charged, credited) = match &posting.what {
        Movement::Invoice { number, due_on } => {
            let due = words.due_short.replace("{date}", &language.date(*due_on));
            (format!("{} {}", words.invoice, number.as_str()), due, amount, String::new())
        }
        Movement::CreditNote { number, corrects } => {
            let detail = format!("{} {}", words.corrects, corrects.as_str());
            (format!("{} {}", words.credit_note, number.as_str()), detail, String::new(), amount)
        }
        Movement::Payment { reference, .. } => {
            (words.payment_received.to_string(), reference.clone(), String::new(), amount)
        }
    };
    let balance = language.money(*balance);
    StatementRow { on: language.date(posting.on), what, detail, charged, credited, balance }
}

/// Checks every list and text; destructures without `..`, so that a new field does not compile until it has a bound.
pub(crate) fn check(document: &StatementDocument) -> Result<(), LimitError> {
    let StatementDocument {
        seller,
        account,
        period,
        made_on,
        currency,
        opening,
        rows,
        closing,
        ageing,
        imprint,
        made_at: _,
        language: _,
        look: _,
        labels: _,
    } = document;
    if seller.name.trim().is_empty() {
        return Err(LimitError::Empty { field: "seller.name" });
    }
    at_most("rows", rows.len(), POSTINGS_MAX)?;
    at_most("ageing", ageing.len(), 10)?;
    at_most("imprint", imprint.len(), MAX_IMPRINT_LINES)?;
    let mut tally = Tally::default();
    tally.add_party(&["seller.name", "seller.address", "seller.tax_number", "seller.contact"], seller)?;
    tally
        .add_party(&["account.name", "account.address", "account.tax_number", "account.contact"], account)?;
    tally.add("period", period, MAX_LABEL_CHARS)?;
    tally.add("made_on", made_on, MAX_LABEL_CHARS)?;
    for (field, amount) in [("currency", currency), ("opening", opening), ("closing", closing)] {
        tally.add(field, amount, MAX_CELL_CHARS)?;
    }
    for StatementRow { on, what, detail, charged, credited, balance } in rows {
        tally.add_all("rows", [on, what, detail], MAX_LABEL_CHARS)?;
        tally.add_all("rows", [charged, credited, balance], MAX_CELL_CHARS)?;
    }
    for (label, amount) in ageing {
        tally.add("ageing", label, MAX_LABEL_CHARS)?;
        tally.add("ageing", amount, MAX_CELL_CHARS)?;
    }
    tally.add_all("imprint", imprint, MAX_LABEL_CHARS)
}

/// The JSON that `templates/statement.typ` reads.
#[derive(Serialize)]
pub(crate) struct StatementSheet {
    title: String,
    author: String,
    words: Wording,
    look: LookSheet,
    lang: &'static str,
    seller: PartySheet,
    buyer: PartySheet,
    period: String,
    made_on: String,
    currency: String,
    opening: String,
    rows: Vec<RowSheet>,
    closing: String,
    ageing: Vec<FactSheet>,
    imprint: Vec<String>,
}

#[derive(Serialize)]
struct RowSheet {
    on: String,
    what: String,
    detail: String,
    charged: String,
    credited: String,
    balance: String,
}

impl From<&StatementDocument> for StatementSheet {
    fn from(document: &StatementDocument) -> Self {
        let words = document.labels.over(document.language);
        let row = |row: &StatementRow| RowSheet {
            on: printable(&row.on),
            what: printable(&row.what),
            detail: printable(&row.detail),
            charged: printable(&row.charged),
            credited: printable(&row.credited),
            balance: printable(&row.balance),
        };
        Self {
            title: format!("{} {}", words.statement, document.period),
            author: crate::sheet::unbroken(&document.seller.name),
            words,
            look: LookSheet::from(&document.look),
            lang: document.language.tag(),
            seller: party(&document.seller),
            buyer: party(&document.account),
            period: printable(&document.period),
            made_on: printable(&document.made_on),
            currency: printable(&document.currency),
            opening: printable(&document.opening),
            rows: document.rows.iter().map(row).collect(),
            closing: printable(&document.closing),
            ageing: document
                .ageing
                .iter()
                .map(|(label, amount)| FactSheet { label: printable(label), value: printable(amount) })
                .collect(),
            imprint: all(&document.imprint),
        }
    }
}
