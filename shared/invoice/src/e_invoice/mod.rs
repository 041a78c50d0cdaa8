//! E-invoices by EN 16931: Factur-X / ZUGFeRD, profile EN 16931, in the syntax of UN/CEFACT's Cross Industry Invoice.
//!
//! The same figures as on the page and in the record, from numbers and not from printed text.

mod xml;

use crate::adding_up;
use crate::brand::Seller;
use crate::voucher::{Buyer, Figures, TaxRule, Voucher};
use crate::wording::Wording;
use crate::{Brand, Country, FigureError, Language, VatNumber};
use portico_domain::{
    Money,
    billing::{TaxSum, Treatment},
    money::MoneyError,
};
use rust_decimal::Decimal;

/// How the file is called within a PDF: Factur-X 1.08, section 6.1.
pub const E_INVOICE_NAME: &str = "factur-x.xml";
/// Most decimals of an amount (BR-DEC-*).
const DECIMALS_MAX: u32 = 2;

/// An e-invoice: the XML.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EInvoice(pub(crate) Vec<u8>);

impl EInvoice {
    /// One that was written before, from where it was kept.
    pub fn kept(xml: Vec<u8>) -> Self {
        Self(xml)
    }

    /// The XML, in UTF-8.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Why there is no e-invoice. The document itself is sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Withheld {
    /// The seller's VAT number is not known (BR-S-02, BR-CO-26).
    #[error("the seller's VAT number is not known")]
    SellerVatNumber,
    /// The seller's country is not known (BR-9).
    #[error("the seller's country is not known")]
    SellerCountry,
    /// The buyer has no name (BR-7).
    #[error("the buyer's name is not known")]
    BuyerName,
    /// The buyer's address does not end with a country (BR-11).
    #[error("the buyer's country is not known")]
    BuyerCountry,
    /// The buyer owes the tax, and its VAT number is not known (BR-AE-02).
    #[error("the buyer's VAT number is not known, and the buyer owes the tax")]
    BuyerVatNumber,
    /// An amount has three decimals (BR-DEC-*).
    #[error("an amount has more than two decimals")]
    ThirdDecimal,
    /// Tax is more than half a cent from its base times its rate (BR-CO-17): it was rounded for each line, or it is what
    /// was left.
    #[error("a tax is not that of its sum")]
    TaxNotOfSum,
}

/// Why no document is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EInvoiceError {
    /// The figures do not add up. Nothing is made of them.
    #[error(transparent)]
    Figures(#[from] FigureError),
    /// Amounts that do not fit.
    #[error(transparent)]
    Money(#[from] MoneyError),
    /// It can only be withheld.
    #[error(transparent)]
    Withheld(#[from] Withheld),
    /// The XML cannot be written. A defect of this crate.
    #[error("the XML cannot be written")]
    Xml,
}

/// Everything that an e-invoice says.
pub(crate) struct Facts<'a> {
    voucher: Voucher<'a>,
    figures: &'a Figures<'a>,
    brand: &'a Brand,
    seller: &'a Seller,
    seller_country: Country,
    seller_vat_number: &'a VatNumber,
    buyer: &'a Buyer,
    buyer_country: Country,
    words: &'a Wording,
    language: Language,
    subject: Option<String>,
}

/// The e-invoice of a voucher.
///
/// # Errors
/// [`EInvoiceError::Figures`] if the figures do not add up; [`EInvoiceError::Withheld`] if they do, and the norm asks
/// for more than is known or less than was agreed.
pub fn e_invoice(
    voucher: Voucher,
    brand: &Brand,
    buyer: &Buyer,
    language: Language,
) -> Result<EInvoice, EInvoiceError> {
    let figures = voucher.figures()?;
    adding_up::check(&figures)?;
    of_checked(voucher, &figures, brand, buyer, language)
}

/// As [`e_invoice`], with figures that were found to add up.
pub(crate) fn of_checked(
    voucher: Voucher,
    figures: &Figures,
    brand: &Brand,
    buyer: &Buyer,
    language: Language,
) -> Result<EInvoice, EInvoiceError> {
    let seller = &brand.seller;
    let facts = Facts {
        voucher,
        figures,
        brand,
        seller,
        seller_country: seller.country.ok_or(Withheld::SellerCountry)?,
        seller_vat_number: seller.vat_number.as_ref().ok_or(Withheld::SellerVatNumber)?,
        buyer,
        buyer_country: buyer.country.ok_or(Withheld::BuyerCountry)?,
        words: &brand.wording(language),
        language,
        subject: crate::compose::subject(voucher.invoice()),
    };
    if buyer.name.trim().is_empty() {
        return Err(Withheld::BuyerName.into());
    }
    let owes = |tax: &TaxSum| tax.treatment == Treatment::ReverseCharge;
    if buyer.vat_number.is_none() && figures.taxes.iter().any(owes) {
        return Err(Withheld::BuyerVatNumber.into());
    }
    two_decimals(figures)?;
    tax_of_sums(figures)?;
    xml::write(&facts).map(EInvoice).map_err(|_| EInvoiceError::Xml)
}

fn two_decimals(figures: &Figures) -> Result<(), Withheld> {
    let fits = |amount: Money| amount.to_decimal().normalize().scale() <= DECIMALS_MAX;
    let lines = figures
        .lines
        .iter()
        .flat_map(|line| line.reductions.iter().map(|less| less.amount).chain([line.amount]));
    let taxes = figures.taxes.iter().flat_map(|sum| [sum.base, sum.tax]);
    let mut all = lines.chain(taxes).chain([figures.net, figures.tax, figures.gross, figures.due]);
    if all.all(fits) { Ok(()) } else { Err(Withheld::ThirdDecimal) }
}

/// Tax by the norm is that of the sum. Where it is another rule's, it may be the same all the same.
fn tax_of_sums(figures: &Figures) -> Result<(), EInvoiceError> {
    if figures.tax_rule == TaxRule::OfSum {
        return Ok(());
    }
    for sum in &figures.taxes {
        if Money::rounded(sum.treatment.exact_tax(sum.base)?, figures.currency)? != sum.tax {
            return Err(Withheld::TaxNotOfSum.into());
        }
    }
    Ok(())
}

/// Code of a VAT category (UNTDID 5305).
fn category(treatment: Treatment) -> &'static str {
    match treatment {
        Treatment::Taxed(percent) if percent.get() == Decimal::ZERO => "Z",
        Treatment::Taxed(_) => "S",
        Treatment::ReverseCharge => "AE",
        Treatment::Exempt => "E",
    }
}
