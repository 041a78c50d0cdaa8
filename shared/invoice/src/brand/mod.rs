//! Brands: how a consultancy's documents look, what they say, and whose account they name.

mod identifiers;
mod logo;
mod look;

use crate::wording::{LabelError, Wording};
use crate::{Fact, Language, MAX_ADDRESS_LINES, MAX_FACTS, MAX_IMPRINT_LINES, MAX_NOTES, Party};
use portico_domain::text::Line;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;

pub use identifiers::{Bic, Country, Iban, IdentifierError, VatNumber};
pub(crate) use logo::LogoKind;
pub use logo::{LOGO_BYTES_MAX, LOGO_ELEMENTS_MAX, LOGO_PIXELS_MAX, Logo, LogoError};
pub use look::{Colour, ColourError, Look, Typeface};

/// Most bytes of a brand's JSON, its logo included.
pub const BRAND_BYTES_MAX: usize = 512 * 1024;
/// Most labels of one language.
pub const LABELS_MAX: usize = 100;
/// Characters of a label or a line of a brand.
const LABEL_CHARS_MAX: usize = 200;
/// Characters of a paragraph of a brand.
const NOTE_CHARS_MAX: usize = 1_000;
/// Characters of a brand's name.
const NAME_CHARS_MAX: usize = 63;

type Label = Line<LABEL_CHARS_MAX>;
type Note = Line<NOTE_CHARS_MAX>;

/// The name of a brand: small letters, digits and hyphens, as it stands in a key of the bucket.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BrandName(String);

/// Not a name of a brand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a brand is named by 1 to {NAME_CHARS_MAX} small letters, digits and hyphens, a letter or digit first"
)]
pub struct BrandNameError;

impl std::str::FromStr for BrandName {
    type Err = BrandNameError;

    fn from_str(text: &str) -> Result<Self, BrandNameError> {
        let sound = (1..=NAME_CHARS_MAX).contains(&text.len())
            && !text.starts_with('-')
            && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'));
        if sound { Ok(Self(text.to_owned())) } else { Err(BrandNameError) }
    }
}

impl fmt::Display for BrandName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a brand is not taken. The message says where and what, for whoever wrote it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BrandError {
    /// Too many bytes.
    #[error("the brand has {0} bytes, at most {BRAND_BYTES_MAX} are taken")]
    TooLarge(usize),
    /// Not the JSON of a brand.
    #[error("{at}: {reason}")]
    Json {
        /// Path of the field: `payment.iban`.
        at: String,
        /// What is wrong with it.
        reason: String,
    },
    /// More entries than are taken.
    #[error("{field} has {count} entries, at most {limit} are taken")]
    TooMany {
        /// Path of the field.
        field: &'static str,
        /// Its length.
        count: usize,
        /// The bound.
        limit: usize,
    },
    /// A colour that cannot be read.
    #[error("look: {0}")]
    Colour(#[from] ColourError),
    /// A label that no document has.
    #[error("labels: {0}")]
    Label(#[from] LabelError),
    /// A logo that is no picture.
    #[error("look.logo: {0}")]
    Logo(#[from] LogoError),
    /// A logo as both or as neither.
    #[error("look.logo: either svg or png")]
    OneLogo,
}

/// Who issues documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seller {
    /// Name under which it trades.
    pub name: String,
    /// Postal address below the name, without the country, one entry a line.
    pub address: Vec<String>,
    /// Where it is; e-invoices need it.
    pub country: Option<Country>,
    /// VAT number; e-invoices need it.
    pub vat_number: Option<VatNumber>,
    /// How its tax number is printed, if it is not a VAT number.
    pub tax_number: Option<String>,
    /// Telephone, e-mail, web address: one entry a line.
    pub contact: Vec<String>,
}

/// The account that clients pay to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BankAccount {
    /// Whose it is, if it is not the seller's name.
    pub holder: Option<String>,
    /// The account.
    pub iban: Iban,
    /// The bank.
    pub bic: Option<Bic>,
}

/// How a consultancy's documents look, what they say, and whose account they name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brand {
    /// Who issues.
    pub seller: Seller,
    /// Language of documents for accounts whose language is not known.
    pub language: Language,
    /// Colours, letters, logo.
    pub look: Look,
    /// The account that clients pay to.
    pub account: Option<BankAccount>,
    /// Further facts about payment, such as a routing number.
    pub payment: Vec<Fact>,
    /// Legal lines at the foot of each page.
    pub imprint: Vec<String>,
    /// Paragraphs at the end of invoices, by language.
    notes: BTreeMap<Language, Vec<String>>,
    /// Words that replace ours, by language.
    labels: BTreeMap<Language, Labels>,
}

/// Words that a brand has in the place of ours. They were tried: each has a name and placeholders that documents know.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Labels(Vec<(String, String)>);

impl Labels {
    /// The words of a language, with these in their place.
    pub(crate) fn over(&self, language: Language) -> Wording {
        let mut words = language.wording();
        for (name, word) in &self.0 {
            if words.replace(name, word.clone()).is_err() {
                break;
            }
        }
        words
    }
}

static NO_LABELS: Labels = Labels(Vec::new());

impl Brand {
    /// A brand that is nothing but who issues: Portico's own look and words.
    pub fn plain(seller: Seller) -> Self {
        Self {
            seller,
            language: Language::default(),
            look: Look::default(),
            account: None,
            payment: Vec::new(),
            imprint: Vec::new(),
            notes: BTreeMap::new(),
            labels: BTreeMap::new(),
        }
    }

    /// Reads a brand. Everything in it is bounded, and its logo can be drawn.
    ///
    /// # Errors
    /// [`BrandError`] says which field is wrong, and how.
    pub fn from_json(json: &[u8]) -> Result<Self, BrandError> {
        if json.len() > BRAND_BYTES_MAX {
            return Err(BrandError::TooLarge(json.len()));
        }
        let mut deserializer = serde_json::Deserializer::from_slice(json);
        let parts: Parts = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
            BrandError::Json { at: error.path().to_string(), reason: error.into_inner().to_string() }
        })?;
        deserializer
            .end()
            .map_err(|error| BrandError::Json { at: ".".to_owned(), reason: error.to_string() })?;
        parts.brand()
    }

    /// The words of a language, with the brand's own.
    pub(crate) fn wording(&self, language: Language) -> Wording {
        self.labels(language).over(language)
    }

    /// The brand's own words of a language.
    pub(crate) fn labels(&self, language: Language) -> &Labels {
        self.labels.get(&language).unwrap_or(&NO_LABELS)
    }

    /// Paragraphs at the end of invoices.
    pub(crate) fn notes(&self, language: Language) -> &[String] {
        self.notes.get(&language).map(Vec::as_slice).unwrap_or_default()
    }

    /// The seller as it stands on the page.
    pub(crate) fn party(&self, words: &Wording) -> Party {
        let seller = &self.seller;
        let vat =
            seller.vat_number.as_ref().map(|number| format!("{} {}", words.tax_number, number.as_str()));
        Party {
            name: seller.name.clone(),
            address: seller.address.clone(),
            tax_number: seller.tax_number.clone().or(vat),
            contact: seller.contact.clone(),
        }
    }
}

/// The JSON of a brand.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Parts {
    seller: SellerParts,
    #[serde(default)]
    language: Language,
    #[serde(default)]
    look: LookParts,
    account: Option<AccountParts>,
    #[serde(default)]
    payment: Vec<FactParts>,
    #[serde(default)]
    imprint: Vec<Label>,
    #[serde(default)]
    notes: BTreeMap<Language, Vec<Note>>,
    #[serde(default)]
    labels: BTreeMap<Language, BTreeMap<String, Label>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SellerParts {
    name: Label,
    address: Vec<Label>,
    country: Country,
    vat_number: Option<VatNumber>,
    tax_number: Option<Label>,
    #[serde(default)]
    contact: Vec<Label>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct LookParts {
    accent: Option<Colour>,
    band: Option<Colour>,
    #[serde(default)]
    font: Typeface,
    logo: Option<LogoParts>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LogoParts {
    svg: Option<String>,
    png: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AccountParts {
    holder: Option<Label>,
    iban: Iban,
    bic: Option<Bic>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FactParts {
    label: Label,
    value: Label,
}

impl Parts {
    fn brand(self) -> Result<Brand, BrandError> {
        at_most("seller.address", self.seller.address.len(), MAX_ADDRESS_LINES)?;
        at_most("seller.contact", self.seller.contact.len(), MAX_ADDRESS_LINES)?;
        at_most("imprint", self.imprint.len(), MAX_IMPRINT_LINES)?;
        // The account and the reference of the document are facts too.
        at_most("payment", self.payment.len(), MAX_FACTS.saturating_sub(4))?;
        let mut notes = BTreeMap::new();
        for (language, paragraphs) in self.notes {
            at_most("notes", paragraphs.len(), MAX_NOTES.saturating_sub(10))?;
            notes.insert(language, texts(paragraphs));
        }
        let mut labels = BTreeMap::new();
        for (language, words) in self.labels {
            at_most("labels", words.len(), LABELS_MAX)?;
            let words: Vec<(String, String)> =
                words.into_iter().map(|(name, word)| (name, word.into())).collect();
            let mut tried = language.wording();
            for (name, word) in &words {
                tried.replace(name, word.clone())?;
            }
            labels.insert(language, Labels(words));
        }
        let look = self.look.look()?;
        let fact = |fact: FactParts| Fact { label: fact.label.into(), value: fact.value.into() };
        Ok(Brand {
            seller: Seller {
                name: self.seller.name.into(),
                address: texts(self.seller.address),
                country: Some(self.seller.country),
                vat_number: self.seller.vat_number,
                tax_number: self.seller.tax_number.map(String::from),
                contact: texts(self.seller.contact),
            },
            language: self.language,
            look,
            account: self.account.map(|account| BankAccount {
                holder: account.holder.map(String::from),
                iban: account.iban,
                bic: account.bic,
            }),
            payment: self.payment.into_iter().map(fact).collect(),
            imprint: texts(self.imprint),
            notes,
            labels,
        })
    }
}

impl LookParts {
    fn look(self) -> Result<Look, BrandError> {
        let accent = self.accent.unwrap_or(Look::default().accent);
        accent.check_on(Colour::WHITE)?;
        if let Some(band) = self.band {
            accent.check_on(band)?;
        }
        let logo = match self.logo {
            None => None,
            Some(LogoParts { svg: Some(text), png: None }) => Some(Logo::svg(&text)?),
            Some(LogoParts { svg: None, png: Some(text) }) => Some(Logo::png_base64(&text)?),
            Some(LogoParts { .. }) => return Err(BrandError::OneLogo),
        };
        Ok(Look { accent, band: self.band, typeface: self.font, logo })
    }
}

fn at_most(field: &'static str, count: usize, limit: usize) -> Result<(), BrandError> {
    if count > limit { Err(BrandError::TooMany { field, count, limit }) } else { Ok(()) }
}

fn texts<const MAX: usize>(lines: Vec<Line<MAX>>) -> Vec<String> {
    lines.into_iter().map(String::from).collect()
}
