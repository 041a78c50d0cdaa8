//! From a priced invoice to the document that a client keeps.
//!
//! [`compose`] takes an invoice or a credit note ([`Voucher`]) and a [`Brand`], refuses figures that do not add up, and
//! gives a [`Document`], whose every figure is already formatted, and its e-invoice by EN 16931 ([`EInvoice`]).
//!
//! [`render`] takes a [`Document`] and gives the bytes of a tagged, archivable PDF (PDF/A-3a and PDF/UA-1) with the
//! e-invoice in it (Factur-X). Layout is done by [Typst](https://typst.app) with embedded templates and fonts: no file,
//! network, clock or environment variable is read, and the same document always gives the same bytes.
//!
//! [`compose_statement`] and [`render_statement`] do the same for statements of account.
//!
//! Text is data. Markup in it (`#read("/etc/passwd")`, `$x$`, `*bold*`) is printed as it stands.
//!
//! Scripts covered by the embedded fonts: Latin, Greek, Cyrillic, Arabic, Armenian, Georgian, Hebrew, Thai. What they
//! lack is printed as [`REPLACEMENT`], so that no text can make an export fail; [`uncovered`] tells beforehand.

mod adding_up;
mod annex;
mod brand;
mod compose;
mod document;
mod e_invoice;
mod factur_x;
mod fonts;
mod formats;
mod limits;
mod press;
mod printable;
mod sheet;
mod statement;
mod voucher;
mod wording;

pub use adding_up::{FigureError, check};
pub use brand::{
    BRAND_BYTES_MAX, BankAccount, Bic, Brand, BrandError, BrandName, BrandNameError, Colour, ColourError,
    Country, Iban, IdentifierError, LABELS_MAX, LOGO_BYTES_MAX, LOGO_ELEMENTS_MAX, LOGO_PIXELS_MAX, Labels,
    Logo, LogoError, Look, Seller, Typeface, VatNumber,
};
pub use compose::{ComposeError, Composed, compose};
pub use document::{Annex, Document, Fact, Kind, Line, Party, TaxLine, Working, WorkingStep};
pub use e_invoice::{E_INVOICE_NAME, EInvoice, EInvoiceError, Withheld, e_invoice};
pub use limits::{
    LimitError, MAX_ADDRESS_LINES, MAX_CELL_CHARS, MAX_DETAILS, MAX_DOCUMENT_CHARS, MAX_FACTS,
    MAX_IMPRINT_LINES, MAX_LABEL_CHARS, MAX_LINES, MAX_NOTES, MAX_STEPS, MAX_TAX_LINES, MAX_TEXT_CHARS,
    MAX_WORKINGS,
};
pub use press::{RenderError, render, render_statement};
pub use printable::{REPLACEMENT, uncovered};
pub use statement::{StatementDocument, StatementRow, compose_statement};
pub use voucher::{Buyer, Figures, TaxRule, Voucher};
pub use wording::{LabelError, Language, UnknownLanguage};
