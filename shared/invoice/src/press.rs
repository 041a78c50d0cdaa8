//! From a document to the bytes of its PDF.

use crate::brand::{Logo, LogoKind};
use crate::e_invoice::E_INVOICE_NAME;
use crate::limits::{self, LimitError};
use crate::sheet::{Sheet, logo_name};
use crate::statement::StatementSheet;
use crate::{Document, StatementDocument, factur_x, fonts::FONTS};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::sync::LazyLock;
use typst::diag::{FileError, FileResult, SourceDiagnostic};
use typst::foundations::{Bytes, Datetime, Duration, Smart};
use typst::syntax::{FileId, Source, VirtualPath};
use typst::text::{Font, FontBook};
use typst::utils::LazyHash;
use typst::{Library, LibraryExt, World};
use typst_layout::PagedDocument;
use typst_pdf::{PdfOptions, PdfStandard, PdfStandards};

/// Why there is no PDF.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// The document is larger than this crate lays out, or lacks what every document has.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// The document could not be handed to the template.
    #[error("the document is not expressible as JSON")]
    Data(#[from] serde_json::Error),
    /// The date of issue has no place in a PDF: years 0 to 9999 have.
    #[error("the date of issue {0} is out of range")]
    IssueDate(Timestamp),
    /// The template does not compile with this document. A defect of this crate.
    #[error("layout: {0}")]
    Layout(String),
    /// The pages do not meet PDF/A-3a or PDF/UA-1. A defect of this crate.
    #[error("export: {0}")]
    Export(String),
    /// The PDF cannot be told of its e-invoice. A defect of this crate.
    #[error("metadata: {0}")]
    Metadata(String),
}

/// Lays out `document` and gives the bytes of its PDF: tagged, PDF/A-3a and PDF/UA-1, fonts embedded.
///
/// A pure function of its argument: no clock, file, network or environment variable is read, and the same document
/// gives the same bytes. It computes without pause (milliseconds for a dozen lines, seconds for thousands): in an
/// async program call it on a blocking thread.
///
/// # Errors
///
/// [`RenderError::Limit`] when the document is too large, [`RenderError::IssueDate`] when its date is out of range. The
/// others are defects of this crate; no text can cause them.
pub fn render(document: &Document) -> Result<Vec<u8>, RenderError> {
    let pages = typeset(document);
    let bytes =
        pages.and_then(|pages| export(&pages, &document.seller.name, &document.number, document.issued_at));
    forget_layouts();
    match &document.e_invoice {
        Some(_) => factur_x::declare(bytes?),
        None => bytes,
    }
}

/// Lays out a statement of account, as [`render`] does an invoice.
///
/// # Errors
///
/// As [`render`].
pub fn render_statement(document: &StatementDocument) -> Result<Vec<u8>, RenderError> {
    crate::statement::check(document)?;
    let sheet = serde_json::to_vec(&StatementSheet::from(document))?;
    let desk = Desk::new(&PRESS.statement, sheet, document.look.logo.as_ref(), None);
    let pages = compile(&desk);
    let name = format!("{}\n{}", document.period, document.account.name);
    let bytes = pages.and_then(|pages| export(&pages, &document.seller.name, &name, document.made_at));
    forget_layouts();
    bytes
}

/// Whether a logo can be drawn.
pub(crate) fn draw(logo: &Logo) -> Result<(), String> {
    let probe = match logo.kind() {
        LogoKind::Svg => &PRESS.svg,
        LogoKind::Png => &PRESS.png,
    };
    let desk = Desk::new(probe, Vec::new(), Some(logo), None);
    let drawn = typst::compile::<PagedDocument>(&desk).output.map(|_| ()).map_err(|errors| reasons(&errors));
    forget_layouts();
    drawn
}

/// The laid-out pages.
pub(crate) fn typeset(document: &Document) -> Result<PagedDocument, RenderError> {
    limits::check(document)?;
    let sheet = serde_json::to_vec(&Sheet::from(document))?;
    let e_invoice = document.e_invoice.as_ref().map(|e_invoice| e_invoice.bytes());
    compile(&Desk::new(&PRESS.invoice, sheet, document.look.logo.as_ref(), e_invoice))
}

fn compile(desk: &Desk) -> Result<PagedDocument, RenderError> {
    typst::compile::<PagedDocument>(desk).output.map_err(|errors| RenderError::Layout(reasons(&errors)))
}

fn export(
    pages: &PagedDocument,
    seller: &str,
    name: &str,
    issued_at: Timestamp,
) -> Result<Vec<u8>, RenderError> {
    let issued_at = pdf_date(issued_at).ok_or(RenderError::IssueDate(issued_at))?;
    let standards = PdfStandards::new(&[PdfStandard::A_3a, PdfStandard::Ua_1])
        .map_err(|error| RenderError::Export(error.message().to_string()))?;
    let options = PdfOptions {
        // Number and seller name a document for ever: numbers are unique in a seller's series.
        ident: Smart::Custom(format!("{seller}\n{name}")),
        creator: Smart::Custom(Some("Portico".to_owned())),
        timestamp: Some(typst_pdf::Timestamp::new_utc(issued_at)),
        standards,
        ..PdfOptions::default()
    };
    typst_pdf::pdf(pages, &options).map_err(|errors| RenderError::Export(reasons(&errors)))
}

/// Typst remembers every intermediate result of every document in the process; without this, memory grows.
fn forget_layouts() {
    typst::comemo::evict(0);
}

fn pdf_date(timestamp: Timestamp) -> Option<Datetime> {
    let date = timestamp.to_zoned(TimeZone::UTC);
    let year = (0..=9999).contains(&date.year()).then_some(date.year())?;
    Datetime::from_ymd_hms(
        i32::from(year),
        u8::try_from(date.month()).ok()?,
        u8::try_from(date.day()).ok()?,
        u8::try_from(date.hour()).ok()?,
        u8::try_from(date.minute()).ok()?,
        u8::try_from(date.second()).ok()?,
    )
}

fn reasons(errors: &[SourceDiagnostic]) -> String {
    let messages: Vec<_> = errors.iter().map(|error| error.message.as_str()).collect();
    messages.join("; ")
}

/// What all documents share, made once a process. File names are interned for the life of the process and there are
/// 65,535 of them: hence a few names for all documents, never one each.
static PRESS: LazyLock<Press> = LazyLock::new(|| Press {
    library: LazyHash::new(Library::default()),
    book: LazyHash::new(FontBook::from_fonts(FONTS.iter())),
    invoice: Source::detached(include_str!("../templates/invoice.typ")),
    statement: Source::detached(include_str!("../templates/statement.typ")),
    letter: Source::new(beside_main("letter.typ"), include_str!("../templates/letter.typ").to_owned()),
    svg: Source::detached("#image(\"logo.svg\")"),
    png: Source::detached("#image(\"logo.png\")"),
});

/// The id of a file in the same place as `main.typ`, which every template is called.
fn beside_main(name: &str) -> FileId {
    let main = Source::detached("").id();
    main.map(|path| VirtualPath::new(name).unwrap_or_else(|_| path.clone())).intern()
}

struct Press {
    library: LazyHash<Library>,
    book: LazyHash<FontBook>,
    invoice: Source,
    statement: Source,
    /// What both have in common.
    letter: Source,
    /// Templates that try a logo.
    svg: Source,
    png: Source,
}

/// All that a template can reach: itself, the letter that it is, its data, a logo and an e-invoice if there are any, the
/// embedded fonts. No other file, no package, no clock.
struct Desk<'a> {
    template: &'a Source,
    files: Vec<(FileId, Bytes)>,
}

impl<'a> Desk<'a> {
    fn new(template: &'a Source, data: Vec<u8>, logo: Option<&Logo>, e_invoice: Option<&[u8]>) -> Self {
        let mut files = vec![(beside_main("main.json"), Bytes::new(data))];
        files.extend(
            logo.map(|logo| (beside_main(logo_name(logo.kind())), Bytes::new(logo.bytes().to_vec()))),
        );
        files.extend(e_invoice.map(|xml| (beside_main(E_INVOICE_NAME), Bytes::new(xml.to_vec()))));
        Self { template, files }
    }
}

impl World for Desk<'_> {
    fn library(&self) -> &LazyHash<Library> {
        &PRESS.library
    }

    fn book(&self) -> &LazyHash<FontBook> {
        &PRESS.book
    }

    fn main(&self) -> FileId {
        self.template.id()
    }

    fn source(&self, id: FileId) -> FileResult<Source> {
        [self.template, &PRESS.letter]
            .into_iter()
            .find(|source| source.id() == id)
            .cloned()
            .ok_or(FileError::AccessDenied)
    }

    fn file(&self, id: FileId) -> FileResult<Bytes> {
        let known = self.files.iter().find(|(known, _)| *known == id);
        known.map(|(_, content)| content.clone()).ok_or(FileError::AccessDenied)
    }

    fn font(&self, index: usize) -> Option<Font> {
        FONTS.get(index).cloned()
    }

    fn today(&self, _offset: Option<Duration>) -> Option<Datetime> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::printable::BREAK;
    use crate::{Kind, Labels, Language, Look, Party};
    use typst::layout::{Frame, FrameItem};
    use typst::model::Document as _;

    fn compile(template: &str) -> Result<PagedDocument, String> {
        let template = Source::detached(template);
        let desk = Desk::new(&template, br#"{"text": "data"}"#.to_vec(), None, None);
        typst::compile(&desk).output.map_err(|errors| reasons(&errors))
    }

    #[test]
    fn a_template_reads_its_data() {
        compile("#assert(json(\"main.json\").text == \"data\")").unwrap();
    }

    #[test]
    fn a_template_reads_nothing_else() {
        for path in [
            "/etc/passwd",
            "../../etc/passwd",
            "etc/passwd",
            "Cargo.toml",
            "main.typ",
            "logo.svg",
            "factur-x.xml",
        ] {
            for call in ["#read(", "#image(", "#plugin("] {
                let error = compile(&format!("{call}\"{path}\")")).unwrap_err();
                assert!(
                    ["access denied", "would escape the project root"]
                        .iter()
                        .any(|reason| error.contains(reason)),
                    "{call}\"{path}\"): {error}"
                );
            }
        }
        for import in
            ["#import \"@preview/cetz:0.4.2\": canvas", "#include \"other.typ\"", "#import \"/x.typ\": y"]
        {
            let error = compile(import).unwrap_err();
            assert!(error.contains("access denied"), "{import}: {error}");
        }
    }

    /// The text of a frame as a reader would copy it.
    fn copied(frame: &Frame) -> String {
        let texts = frame.items().map(|(_, item)| match item {
            FrameItem::Group(group) => copied(&group.frame),
            FrameItem::Text(text) => text.text.to_string(),
            _ => String::new(),
        });
        texts.collect()
    }

    #[test]
    fn what_breaks_over_lines_is_copied_whole() {
        let long = "https://example.com/".repeat(20);
        let mut document = document();
        document.number = "2026-".repeat(8);
        document.notes = vec![long.clone()];
        let pages = typeset(&document).unwrap();
        let text = copied(&pages.pages()[0].frame);
        assert!(text.contains(&long), "{text}");
        assert!(text.contains(&document.number), "{text}");
        assert!(!text.contains(BREAK));
        assert_eq!(pages.info().title.as_deref(), Some(format!("Invoice {}", document.number).as_str()));
    }

    #[test]
    fn a_template_has_no_clock() {
        assert!(compile("#datetime.today()").is_err());
    }

    fn document() -> Document {
        let party = |name: &str| Party {
            name: name.to_owned(),
            address: vec!["Street 1".to_owned()],
            tax_number: None,
            contact: vec![],
        };
        Document {
            kind: Kind::Invoice,
            number: "1".to_owned(),
            issued_on: "today".to_owned(),
            due_on: None,
            service_period: None,
            seller: party("Seller"),
            buyer: party("Buyer"),
            case_reference: None,
            purchase_order: None,
            currency: "EUR".to_owned(),
            lines: vec![],
            net: "0.00".to_owned(),
            taxes: vec![],
            gross: "0.00".to_owned(),
            prepaid: None,
            amount_due: "0.00".to_owned(),
            payment: vec![],
            notes: vec!["Latin, שלום, مرحبا, สวัสดี, Բարեւ, გამარჯობა".to_owned()],
            imprint: vec![],
            issued_at: Timestamp::UNIX_EPOCH,
            language: Language::English,
            look: Look::default(),
            labels: Labels::default(),
            annex: None,
            e_invoice: None,
        }
    }

    #[test]
    fn the_template_compiles_without_warnings() {
        let document = document();
        let sheet = serde_json::to_vec(&Sheet::from(&document)).unwrap();
        let compiled = typst::compile::<PagedDocument>(&Desk::new(&PRESS.invoice, sheet, None, None));
        assert!(compiled.warnings.is_empty(), "{}", reasons(&compiled.warnings));
        assert_eq!(compiled.output.unwrap().pages().len(), 1);
    }
}
