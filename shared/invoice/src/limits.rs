//! How much one document may hold. Layout time and memory grow with it, so the bounds come before layout.

use crate::{Annex, Document, Kind, Party, Working, WorkingStep};

/// Rows of the table. The largest real invoices (a year of time entries) have a few thousand.
///
/// Layout takes about 50 MiB and 0.13 MiB a row: 3,000 rows fit into 512 MiB, this bound into 1.5 GiB. Time is linear too.
pub const MAX_LINES: usize = 10_000;
/// Smaller lines below one description.
pub const MAX_DETAILS: usize = 20;
/// Lines of one postal address or one contact block. The address window holds eight; more push the page down.
pub const MAX_ADDRESS_LINES: usize = 12;
/// Tax rates of one document.
pub const MAX_TAX_LINES: usize = 20;
/// Payment facts: they share one unbroken block with the totals.
pub const MAX_FACTS: usize = 12;
/// Paragraphs below the totals.
pub const MAX_NOTES: usize = 50;
/// Legal lines: they must fit into the bottom margin of each page.
pub const MAX_IMPRINT_LINES: usize = 3;
/// Positions of the annex, and one more for the document as a whole. What is longer is not printed: the document says
/// so, and the record has it.
pub const MAX_WORKINGS: usize = 1_001;
/// Steps of one position of the annex. The engine has about twelve kinds, and up to ten discounts.
pub const MAX_STEPS: usize = 40;
/// Characters of an amount, a quantity, a price: a column of the table.
pub const MAX_CELL_CHARS: usize = 40;
/// Characters of a name, a number, a date, an address line, a label.
pub const MAX_LABEL_CHARS: usize = 200;
/// Characters of a description, a detail or a paragraph: about three pages.
pub const MAX_TEXT_CHARS: usize = 10_000;
/// Characters of the whole document: [`MAX_LINES`] rows of 200, about 1,000 pages.
pub const MAX_DOCUMENT_CHARS: usize = 2_000_000;

/// A document that is larger than this crate lays out, or that lacks what every document has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LimitError {
    /// A text that every document needs.
    #[error("{field} is empty")]
    Empty {
        /// Path of the field: `number`.
        field: &'static str,
    },
    /// A text is too long.
    #[error("{field} has {chars} characters, at most {limit} are allowed")]
    TooLong {
        /// Path of the field: `lines.description`.
        field: &'static str,
        /// Its length in characters (Unicode scalar values).
        chars: usize,
        /// The bound.
        limit: usize,
    },
    /// A list is too long.
    #[error("{field} has {count} entries, at most {limit} are allowed")]
    TooMany {
        /// Path of the field: `lines`.
        field: &'static str,
        /// Its length.
        count: usize,
        /// The bound.
        limit: usize,
    },
    /// All texts together are too long.
    #[error("the document has {chars} characters, at most {limit} are allowed")]
    TooLarge {
        /// Characters of the whole document.
        chars: usize,
        /// The bound.
        limit: usize,
    },
}

/// Checks every list and text of `document`.
///
/// Destructures without `..`, so that a new field does not compile until it has a bound.
pub(crate) fn check(document: &Document) -> Result<(), LimitError> {
    let Document {
        kind,
        number,
        issued_on,
        due_on,
        service_period,
        seller,
        buyer,
        case_reference,
        purchase_order,
        currency,
        lines,
        net,
        taxes,
        gross,
        prepaid,
        amount_due,
        payment,
        notes,
        imprint,
        issued_at: _,
        language: _,
        look: _,
        labels: _,
        annex,
        e_invoice: _,
    } = document;

    if number.trim().is_empty() {
        return Err(LimitError::Empty { field: "number" });
    }
    if seller.name.trim().is_empty() {
        return Err(LimitError::Empty { field: "seller.name" });
    }
    at_most("lines", lines.len(), MAX_LINES)?;
    at_most("taxes", taxes.len(), MAX_TAX_LINES)?;
    at_most("payment", payment.len(), MAX_FACTS)?;
    at_most("notes", notes.len(), MAX_NOTES)?;
    at_most("imprint", imprint.len(), MAX_IMPRINT_LINES)?;

    let mut tally = Tally::default();
    if let Kind::CreditNote { corrects } = kind {
        tally.add("kind.corrects", corrects, MAX_LABEL_CHARS)?;
    }
    tally.add("number", number, MAX_LABEL_CHARS)?;
    tally.add("issued_on", issued_on, MAX_LABEL_CHARS)?;
    tally.add_all("due_on", due_on, MAX_LABEL_CHARS)?;
    tally.add_all("service_period", service_period, MAX_LABEL_CHARS)?;
    tally.add_all("case_reference", case_reference, MAX_LABEL_CHARS)?;
    tally.add_all("purchase_order", purchase_order, MAX_LABEL_CHARS)?;
    tally.add("currency", currency, MAX_CELL_CHARS)?;
    tally.add_party(&["seller.name", "seller.address", "seller.tax_number", "seller.contact"], seller)?;
    tally.add_party(&["buyer.name", "buyer.address", "buyer.tax_number", "buyer.contact"], buyer)?;
    for line in lines {
        at_most("lines.details", line.details.len(), MAX_DETAILS)?;
        tally.add("lines.description", &line.description, MAX_TEXT_CHARS)?;
        tally.add_all("lines.details", &line.details, MAX_TEXT_CHARS)?;
        tally.add("lines.quantity", &line.quantity, MAX_CELL_CHARS)?;
        tally.add("lines.unit_price", &line.unit_price, MAX_CELL_CHARS)?;
        tally.add("lines.amount", &line.amount, MAX_CELL_CHARS)?;
        tally.add_all("lines.running", &line.running, MAX_CELL_CHARS)?;
    }
    tally.add("net", net, MAX_CELL_CHARS)?;
    for tax in taxes {
        tally.add("taxes.label", &tax.label, MAX_LABEL_CHARS)?;
        tally.add("taxes.base", &tax.base, MAX_CELL_CHARS)?;
        tally.add("taxes.amount", &tax.amount, MAX_CELL_CHARS)?;
    }
    tally.add("gross", gross, MAX_CELL_CHARS)?;
    tally.add_all("prepaid", prepaid, MAX_CELL_CHARS)?;
    tally.add("amount_due", amount_due, MAX_CELL_CHARS)?;
    for fact in payment {
        tally.add("payment.label", &fact.label, MAX_LABEL_CHARS)?;
        tally.add("payment.value", &fact.value, MAX_LABEL_CHARS)?;
    }
    tally.add_all("notes", notes, MAX_TEXT_CHARS)?;
    tally.add_all("imprint", imprint, MAX_LABEL_CHARS)?;
    annex.as_ref().map_or(Ok(()), |annex| tally.add_annex(annex))
}

pub(crate) fn at_most(field: &'static str, count: usize, limit: usize) -> Result<(), LimitError> {
    if count > limit { Err(LimitError::TooMany { field, count, limit }) } else { Ok(()) }
}

/// Adds up the characters of a document.
#[derive(Default)]
pub(crate) struct Tally {
    chars: usize,
}

impl Tally {
    pub(crate) fn add(&mut self, field: &'static str, text: &str, limit: usize) -> Result<(), LimitError> {
        let chars = text.chars().count();
        if chars > limit {
            return Err(LimitError::TooLong { field, chars, limit });
        }
        self.chars = self.chars.saturating_add(chars);
        if self.chars > MAX_DOCUMENT_CHARS {
            return Err(LimitError::TooLarge { chars: self.chars, limit: MAX_DOCUMENT_CHARS });
        }
        Ok(())
    }

    pub(crate) fn add_all<'a>(
        &mut self,
        field: &'static str,
        texts: impl IntoIterator<Item = &'a String>,
        limit: usize,
    ) -> Result<(), LimitError> {
        texts.into_iter().try_for_each(|text| self.add(field, text, limit))
    }

    fn add_annex(&mut self, Annex { workings }: &Annex) -> Result<(), LimitError> {
        at_most("annex.workings", workings.len(), MAX_WORKINGS)?;
        for Working { position, title, basis, steps } in workings {
            at_most("annex.workings.steps", steps.len(), MAX_STEPS)?;
            self.add("annex.workings.position", position, MAX_CELL_CHARS)?;
            self.add("annex.workings.title", title, MAX_TEXT_CHARS)?;
            self.add("annex.workings.basis", basis, MAX_TEXT_CHARS)?;
            for WorkingStep { what, before, after } in steps {
                self.add("annex.workings.steps.what", what, MAX_TEXT_CHARS)?;
                self.add("annex.workings.steps.before", before, MAX_CELL_CHARS)?;
                self.add("annex.workings.steps.after", after, MAX_CELL_CHARS)?;
            }
        }
        Ok(())
    }

    pub(crate) fn add_party(
        &mut self,
        &[name_field, address_field, tax_number_field, contact_field]: &[&'static str; 4],
        Party { name, address, tax_number, contact }: &Party,
    ) -> Result<(), LimitError> {
        at_most(address_field, address.len(), MAX_ADDRESS_LINES)?;
        at_most(contact_field, contact.len(), MAX_ADDRESS_LINES)?;
        self.add(name_field, name, MAX_LABEL_CHARS)?;
        self.add_all(address_field, address, MAX_LABEL_CHARS)?;
        self.add_all(tax_number_field, tax_number, MAX_LABEL_CHARS)?;
        self.add_all(contact_field, contact, MAX_LABEL_CHARS)
    }
}
