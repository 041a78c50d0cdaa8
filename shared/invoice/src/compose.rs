//! From an issued invoice or a credit note to the words and figures that stand on its page. Every figure is the
//! record's own, only written down.

use crate::adding_up;
use crate::annex;
use crate::e_invoice::{self, EInvoice, EInvoiceError, Withheld};
use crate::voucher::{Buyer, Figures, Voucher};
use crate::wording::Wording;
use crate::{Brand, Document, Fact, FigureError, Kind, Language, Party, TaxLine};
use portico_domain::{
    Money,
    billing::{
        Invoice, Line, LineKind, Origin, Reduction, ReductionReason, Subject, TaxSum, Treatment, Unit,
    },
    money::MoneyError,
};

/// What the engine calls hours that were bought at once, before their number.
const PREPAID_HOURS: &str = "Prepaid hours";

/// A document, and the e-invoice that says the same.
#[derive(Debug, Clone)]
pub struct Composed {
    /// For [`render`](crate::render). Its e-invoice is that of this composition, if there is one.
    pub document: Document,
    /// Why there is no e-invoice, if there is none.
    pub withheld: Option<Withheld>,
}

/// Why nothing is made of a voucher.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ComposeError {
    /// Its figures do not add up.
    #[error(transparent)]
    Figures(#[from] FigureError),
    /// Its amounts do not fit.
    #[error(transparent)]
    Money(#[from] MoneyError),
    /// Its e-invoice cannot be written. A defect of this crate.
    #[error("the e-invoice cannot be written")]
    EInvoice,
}

/// Puts a voucher into words: its page, the annex with the derivation of every amount, and its e-invoice.
///
/// # Errors
/// [`ComposeError::Figures`] if its figures do not add up: such a document is not made at all.
pub fn compose(
    voucher: Voucher,
    brand: &Brand,
    buyer: &Buyer,
    language: Language,
) -> Result<Composed, ComposeError> {
    let figures = voucher.figures()?;
    adding_up::check(&figures)?;
    let words = brand.wording(language);
    let (e_invoice, withheld) = match e_invoice::of_checked(voucher, &figures, brand, buyer, language) {
        Ok(e_invoice) => (Some(e_invoice), None),
        Err(EInvoiceError::Withheld(reason)) => (None, Some(reason)),
        Err(EInvoiceError::Figures(error)) => return Err(error.into()),
        Err(EInvoiceError::Money(error)) => return Err(error.into()),
        Err(EInvoiceError::Xml) => return Err(ComposeError::EInvoice),
    };
    let page = Page { voucher, figures: &figures, brand, buyer, words: &words, language };
    Ok(Composed { document: page.document(e_invoice)?, withheld })
}

struct Page<'a> {
    voucher: Voucher<'a>,
    figures: &'a Figures<'a>,
    brand: &'a Brand,
    buyer: &'a Buyer,
    words: &'a Wording,
    language: Language,
}

impl Page<'_> {
    fn document(&self, e_invoice: Option<EInvoice>) -> Result<Document, MoneyError> {
        let Self { voucher, figures, brand, words, language, .. } = *self;
        let annex = figures.derivation.map(|derivation| annex::of(derivation, figures, words, language));
        Ok(Document {
            kind: match voucher {
                Voucher::Invoice { .. } => Kind::Invoice,
                Voucher::CreditNote { of, .. } => {
                    Kind::CreditNote { corrects: of.number.as_str().to_owned() }
                }
            },
            number: voucher.number().to_owned(),
            issued_on: language.date(figures.issued_on),
            due_on: figures.due_on.map(|day| language.date(day)),
            service_period: figures.period().map(|(first, last)| language.days(first, last)),
            seller: brand.party(words),
            buyer: Party {
                name: self.buyer.name.clone(),
                address: self.buyer.address.clone(),
                tax_number: self.buyer.vat_number.as_ref().map(|number| number.as_str().to_owned()),
                contact: Vec::new(),
            },
            case_reference: subject(voucher.invoice()),
            purchase_order: voucher.invoice().purchase_order.clone(),
            currency: figures.currency.code().to_owned(),
            lines: self.lines()?,
            net: language.money(figures.net),
            taxes: figures.taxes.iter().map(|sum| self.tax(sum)).collect(),
            gross: language.money(figures.gross),
            prepaid: None,
            amount_due: language.money(figures.due),
            payment: self.payment(),
            notes: self.notes(matches!(annex, Some(None))),
            imprint: brand.imprint.clone(),
            issued_at: voucher.issued_at(),
            language,
            look: brand.look.clone(),
            labels: brand.labels(language).clone(),
            annex: annex.flatten(),
            e_invoice,
        })
    }

    fn lines(&self) -> Result<Vec<crate::Line>, MoneyError> {
        let mut sum = Money::zero(self.figures.currency);
        let mut lines = Vec::with_capacity(self.figures.lines.len());
        for (place, line) in self.figures.lines.iter().enumerate() {
            sum = sum.plus(line.amount)?;
            lines.push(self.line(line, self.figures.origin(place), sum));
        }
        Ok(lines)
    }

    fn line(&self, line: &Line, origin: Option<Origin>, sum: Money) -> crate::Line {
        let Self { words, language, figures, .. } = *self;
        let less = |less: &Reduction| format!("{}: −{}", reason(less, words), language.money(less.amount));
        let mut details = vec![who_and_when(line, language)];
        details.extend(line.reductions.iter().map(less));
        crate::Line {
            description: description(line, origin, words, language),
            details,
            quantity: match line.unit {
                Unit::Hour => format!("{}\u{A0}h", language.decimal(line.quantity, 2)),
                Unit::Minute => format!("{}\u{A0}min", language.decimal(line.quantity, 0)),
                Unit::Piece => language.decimal(line.quantity, 0),
            },
            unit_price: language.decimal(line.rate, figures.currency.decimals()),
            amount: language.money(line.amount),
            running: Some(language.money(sum)),
        }
    }

    fn tax(&self, sum: &TaxSum) -> TaxLine {
        let language = self.language;
        TaxLine {
            label: tax_label(sum.treatment, self.words, language),
            base: language.money(sum.base),
            amount: language.money(sum.tax),
        }
    }

    fn payment(&self) -> Vec<Fact> {
        let Voucher::Invoice { .. } = self.voucher else { return Vec::new() };
        let fact = |label: &str, value: String| Fact { label: label.to_owned(), value };
        let mut facts = Vec::new();
        if let Some(account) = &self.brand.account {
            facts
                .extend(account.holder.as_ref().map(|holder| fact(&self.words.account_name, holder.clone())));
            facts.push(fact("IBAN", account.iban.to_string()));
            facts.extend(account.bic.as_ref().map(|bic| fact("BIC", bic.as_str().to_owned())));
        }
        facts.extend(self.brand.payment.iter().cloned());
        facts.push(fact(&self.words.payment_reference, self.voucher.number().to_owned()));
        facts
    }

    /// Terms, why tax is none, how the quantities on the page come about, and the brand's own words.
    fn notes(&self, annex_omitted: bool) -> Vec<String> {
        let Self { voucher, figures, words, language, .. } = *self;
        let mut notes = Vec::new();
        if let Voucher::CreditNote { note, .. } = voucher
            && !note.reason.trim().is_empty()
        {
            notes.push(format!("{}: {}", words.reason, note.reason));
        }
        notes.push(terms(figures, words, language));
        let taxed = |treatment| figures.taxes.iter().any(|sum| sum.treatment == treatment);
        let has = |unit| figures.lines.iter().any(|line| line.unit == unit);
        let said = [
            (taxed(Treatment::ReverseCharge), &words.reverse_charge_note),
            (taxed(Treatment::Exempt), &words.exempt_note),
            (has(Unit::Hour), &words.hours_note),
            (has(Unit::Minute), &words.minutes_note),
            (annex_omitted, &words.annex_omitted),
        ];
        notes.extend(said.into_iter().filter(|(is, _)| *is).map(|(_, note)| note.to_string()));
        notes.extend(self.brand.notes(language).iter().cloned());
        notes
    }
}

/// The case that was delivered, as the client knows it. A month is said by the period already.
pub(crate) fn subject(invoice: &Invoice) -> Option<String> {
    match &invoice.subject {
        Subject::Case { number: Some(number), subject, .. } => Some(format!("{number} · {subject}")),
        Subject::Case { number: None, subject, .. } => Some(subject.clone()),
        Subject::Period { .. } => None,
    }
}

/// When and how it is paid, or given back.
pub(crate) fn terms(figures: &Figures, words: &Wording, language: Language) -> String {
    match figures.due_on {
        Some(day) => words.terms.replace("{date}", &language.date(day)),
        None => words.credit_terms.to_string(),
    }
}

/// What a position is for. What the engine names itself is said in the document's language.
pub(crate) fn description(
    line: &Line,
    origin: Option<Origin>,
    words: &Wording,
    language: Language,
) -> String {
    match (origin, line.kind) {
        (Some(Origin::Retainer(period)), _) => {
            words.retainer_fee.replace("{month}", &language.month_of(period.first()))
        }
        (Some(Origin::Block(_)), _) => match line.description.strip_prefix(PREPAID_HOURS) {
            Some(hours) => format!("{}{hours}", words.prepaid_hours),
            None => line.description.clone(),
        },
        (_, LineKind::MinimumCharge) => words.minimum_charge.to_string(),
        (_, LineKind::Work | LineKind::Fee | LineKind::Expense) if line.description.trim().is_empty() => {
            words.work.to_string()
        }
        (_, LineKind::Work | LineKind::Fee | LineKind::Expense) => line.description.clone(),
    }
}

/// `2 November 2026 · Ada · 90 min`.
pub(crate) fn who_and_when(line: &Line, language: Language) -> String {
    let minutes = if line.minutes == 0 { String::new() } else { format!("{} min", line.minutes) };
    let parts = [language.date(line.worked_on), line.person.clone(), minutes];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" · ")
}

/// Why a position costs less.
pub(crate) fn reason(less: &Reduction, words: &Wording) -> String {
    match &less.reason {
        ReductionReason::Discount(name) => name.clone(),
        ReductionReason::Cap => words.above_maximum.to_string(),
    }
}

/// `VAT 19%`.
pub(crate) fn tax_label(treatment: Treatment, words: &Wording, language: Language) -> String {
    match treatment {
        Treatment::Taxed(percent) => format!("{} {}", words.vat, language.percent(percent.get())),
        Treatment::ReverseCharge => words.reverse_charge.to_string(),
        Treatment::Exempt => words.exempt.to_string(),
    }
}
