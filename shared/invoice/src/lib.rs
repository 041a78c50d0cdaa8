//! From a priced invoice to the document that a client keeps.
//!
//! [`render`] takes a [`Document`], whose every figure is already formatted, and gives the bytes of a tagged,
//! archivable PDF (PDF/A-3a and PDF/UA-1). Layout is done by [Typst](https://typst.app) with one embedded template
//! and the embedded fonts: no file, network, clock or environment variable is read, and the same document always
//! gives the same bytes.
//!
//! Text is data. Markup in it (`#read("/etc/passwd")`, `$x$`, `*bold*`) is printed as it stands.
//!
//! Scripts covered by the embedded fonts: Latin, Greek, Cyrillic, Arabic, Armenian, Georgian, Hebrew, Thai. What they
//! lack is printed as [`REPLACEMENT`], so that no text can make an export fail; [`uncovered`] tells beforehand.

mod document;
mod fonts;
mod limits;
mod press;
mod printable;
mod sheet;
mod wording;

pub use document::{Document, Fact, Kind, Line, Party, TaxLine};
pub use limits::{
    LimitError, MAX_ADDRESS_LINES, MAX_CELL_CHARS, MAX_DETAILS, MAX_DOCUMENT_CHARS, MAX_FACTS,
    MAX_IMPRINT_LINES, MAX_LABEL_CHARS, MAX_LINES, MAX_NOTES, MAX_TAX_LINES, MAX_TEXT_CHARS,
};
pub use press::{RenderError, render};
pub use printable::{REPLACEMENT, uncovered};
pub use wording::Language;
