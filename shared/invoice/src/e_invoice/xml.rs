//! The XML of a Cross Industry Invoice (D16B), element by element in the order of its schema.

use super::{Facts, category};
use crate::adding_up::is_taxed_by;
use crate::compose;
use crate::voucher::Voucher;
use jiff::civil::Date;
use portico_domain::{
    Money,
    billing::{Line, Reduction, TaxSum, Treatment, Unit},
};
use quick_xml::{
    Writer,
    events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event},
};
use rust_decimal::Decimal;
use std::io;

/// The profile EN 16931 of Factur-X (BT-24).
const GUIDELINE: &str = "urn:cen.eu:en16931:2017";
/// UNTDID 1001 (BT-3).
const INVOICE: &str = "380";
const CREDIT_NOTE: &str = "381";
/// UNTDID 4461 (BT-81): a SEPA credit transfer for euros, any credit transfer otherwise.
const SEPA_TRANSFER: &str = "58";
const TRANSFER: &str = "30";
/// VATEX code (BT-121) of a reverse charge.
const REVERSE_CHARGE: &str = "VATEX-EU-AE";
const NAMESPACES: [(&str, &str); 4] = [
    ("xmlns:rsm", "urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100"),
    ("xmlns:ram", "urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100"),
    ("xmlns:udt", "urn:un:unece:uncefact:data:standard:UnqualifiedDataType:100"),
    ("xmlns:qdt", "urn:un:unece:uncefact:data:standard:QualifiedDataType:100"),
];

/// Lines of a postal address that the norm has room for, without the city.
const ADDRESS_LINES: [&str; 3] = ["ram:LineOne", "ram:LineTwo", "ram:LineThree"];

pub(super) fn write(facts: &Facts) -> io::Result<Vec<u8>> {
    let mut xml = Xml { writer: Writer::new(Vec::new()) };
    xml.writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let mut root = BytesStart::new("rsm:CrossIndustryInvoice");
    root.extend_attributes(NAMESPACES);
    let end = root.to_end().into_owned();
    xml.writer.write_event(Event::Start(root))?;
    xml.within("rsm:ExchangedDocumentContext", |xml| {
        xml.within("ram:GuidelineSpecifiedDocumentContextParameter", |xml| xml.text("ram:ID", GUIDELINE))
    })?;
    xml.within("rsm:ExchangedDocument", |xml| document(xml, facts))?;
    xml.within("rsm:SupplyChainTradeTransaction", |xml| {
        for (place, line) in facts.figures.lines.iter().enumerate() {
            xml.within("ram:IncludedSupplyChainTradeLineItem", |xml| position(xml, facts, place, line))?;
        }
        xml.within("ram:ApplicableHeaderTradeAgreement", |xml| agreement(xml, facts))?;
        xml.within("ram:ApplicableHeaderTradeDelivery", |xml| delivery(xml, facts))?;
        xml.within("ram:ApplicableHeaderTradeSettlement", |xml| settlement(xml, facts))
    })?;
    xml.writer.write_event(Event::End(end))?;
    Ok(xml.writer.into_inner())
}

fn document(xml: &mut Xml, facts: &Facts) -> io::Result<()> {
    xml.text("ram:ID", facts.voucher.number())?;
    let code = match facts.voucher {
        Voucher::Invoice { .. } => INVOICE,
        Voucher::CreditNote { .. } => CREDIT_NOTE,
    };
    xml.text("ram:TypeCode", code)?;
    xml.date("ram:IssueDateTime", facts.voucher.issued_on())?;
    let mut notes: Vec<String> =
        facts.subject.iter().map(|subject| format!("{}: {subject}", facts.words.case_reference)).collect();
    if let Voucher::CreditNote { note, .. } = facts.voucher
        && !note.reason.trim().is_empty()
    {
        notes.push(format!("{}: {}", facts.words.reason, note.reason));
    }
    for note in &notes {
        xml.within("ram:IncludedNote", |xml| xml.text("ram:Content", note))?;
    }
    Ok(())
}

fn position(xml: &mut Xml, facts: &Facts, place: usize, line: &Line) -> io::Result<()> {
    let decimals = facts.figures.currency.decimals();
    let origin = facts.figures.origin(place);
    let unit = match line.unit {
        Unit::Hour => "HUR",
        Unit::Minute => "MIN",
        Unit::Piece => "C62",
    };
    xml.within("ram:AssociatedDocumentLineDocument", |xml| {
        xml.text("ram:LineID", &place.saturating_add(1).to_string())
    })?;
    xml.within("ram:SpecifiedTradeProduct", |xml| {
        xml.text("ram:Name", &compose::description(line, origin, facts.words, facts.language))?;
        xml.text("ram:Description", &compose::who_and_when(line, facts.language))
    })?;
    xml.within("ram:SpecifiedLineTradeAgreement", |xml| {
        xml.within("ram:NetPriceProductTradePrice", |xml| {
            xml.text("ram:ChargeAmount", &at_least(line.rate, decimals.min(2)))?;
            xml.measure("ram:BasisQuantity", &line.unit.per().to_string(), unit)
        })
    })?;
    xml.within("ram:SpecifiedLineTradeDelivery", |xml| {
        xml.measure("ram:BilledQuantity", &line.quantity.normalize().to_string(), unit)
    })?;
    xml.within("ram:SpecifiedLineTradeSettlement", |xml| {
        let tax = facts.figures.taxes.iter().find(|sum| is_taxed_by(facts.figures, line, sum));
        if let Some(tax) = tax {
            xml.within("ram:ApplicableTradeTax", |xml| {
                xml.text("ram:TypeCode", "VAT")?;
                xml.text("ram:CategoryCode", category(tax.treatment))?;
                xml.text("ram:RateApplicablePercent", &tax.treatment.percent().normalize().to_string())
            })?;
        }
        xml.period(line.worked_on, line.worked_on)?;
        for less in &line.reductions {
            xml.within("ram:SpecifiedTradeAllowanceCharge", |xml| allowance(xml, facts, less))?;
        }
        xml.within("ram:SpecifiedTradeSettlementLineMonetarySummation", |xml| {
            xml.amount("ram:LineTotalAmount", line.amount)
        })
    })
}

fn allowance(xml: &mut Xml, facts: &Facts, less: &Reduction) -> io::Result<()> {
    xml.within("ram:ChargeIndicator", |xml| xml.text("udt:Indicator", "false"))?;
    xml.amount("ram:ActualAmount", less.amount)?;
    xml.text("ram:Reason", &compose::reason(less, facts.words))
}

fn agreement(xml: &mut Xml, facts: &Facts) -> io::Result<()> {
    xml.within("ram:SellerTradeParty", |xml| {
        xml.text("ram:Name", &facts.seller.name)?;
        xml.within("ram:PostalTradeAddress", |xml| {
            address(xml, &facts.seller.address, facts.seller_country.code())
        })?;
        registration(xml, facts.seller_vat_number.as_str())
    })?;
    xml.within("ram:BuyerTradeParty", |xml| {
        xml.text("ram:Name", &facts.buyer.name)?;
        xml.within("ram:PostalTradeAddress", |xml| {
            address(xml, &facts.buyer.address, facts.buyer_country.code())
        })?;
        facts.buyer.vat_number.as_ref().map_or(Ok(()), |number| registration(xml, number.as_str()))
    })?;
    let purchase_order = facts.voucher.invoice().purchase_order.as_deref();
    if let Some(number) = purchase_order.filter(|number| !number.trim().is_empty()) {
        xml.within("ram:BuyerOrderReferencedDocument", |xml| xml.text("ram:IssuerAssignedID", number))?;
    }
    Ok(())
}

fn registration(xml: &mut Xml, number: &str) -> io::Result<()> {
    xml.within("ram:SpecifiedTaxRegistration", |xml| xml.text_with("ram:ID", ("schemeID", "VA"), number))
}

/// Postal code, lines, city. The country's name is left out where its code says the same; what has no room follows in
/// the last line.
fn address(xml: &mut Xml, lines: &[String], country: &str) -> io::Result<()> {
    let is_country =
        |line: &&String| crate::Country::parse(line).is_some_and(|found| found.code() == country);
    let lines = match lines.split_last() {
        Some((last, rest)) if is_country(&last) => rest,
        _ => lines,
    };
    let Some((city, lines)) = lines.split_last() else { return xml.text("ram:CountryID", country) };
    let (postal_code, city) = postal_code(city);
    if let Some(code) = postal_code {
        xml.text("ram:PostcodeCode", code)?;
    }
    for (place, name) in ADDRESS_LINES.into_iter().enumerate() {
        let last = place.saturating_add(1) == ADDRESS_LINES.len();
        let text = if last {
            lines.get(place..).unwrap_or_default().join(", ")
        } else {
            lines.get(place).cloned().unwrap_or_default()
        };
        if !text.trim().is_empty() {
            xml.text(name, &text)?;
        }
    }
    xml.text("ram:CityName", city)?;
    xml.text("ram:CountryID", country)
}

/// `20457 Hamburg` in its parts. What cannot be told apart for sure (`1016 EA Amsterdam`) stays together.
fn postal_code(line: &str) -> (Option<&str>, &str) {
    let looks_like_a_code = |word: &str| {
        word.len() <= 10
            && word.bytes().any(|byte| byte.is_ascii_digit())
            && word.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase() || byte == b'-')
    };
    match line.split_once(' ') {
        Some((code, city)) if looks_like_a_code(code) => {
            let next = city.split(' ').next().unwrap_or_default();
            let goes_on = next.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
            if goes_on { (None, line) } else { (Some(code), city) }
        }
        _ => (None, line),
    }
}

/// The day on which the last of it was delivered.
fn delivery(xml: &mut Xml, facts: &Facts) -> io::Result<()> {
    let last = facts.figures.period().map_or(facts.voucher.issued_on(), |(_, last)| last);
    xml.within("ram:ActualDeliverySupplyChainEvent", |xml| xml.date("ram:OccurrenceDateTime", last))
}

fn settlement(xml: &mut Xml, facts: &Facts) -> io::Result<()> {
    let figures = facts.figures;
    xml.text("ram:PaymentReference", facts.voucher.number())?;
    xml.text("ram:InvoiceCurrencyCode", figures.currency.code())?;
    if let (Voucher::Invoice { .. }, Some(account)) = (facts.voucher, &facts.brand.account) {
        xml.within("ram:SpecifiedTradeSettlementPaymentMeans", |xml| {
            xml.text(
                "ram:TypeCode",
                if figures.currency.code() == "EUR" { SEPA_TRANSFER } else { TRANSFER },
            )?;
            xml.within("ram:PayeePartyCreditorFinancialAccount", |xml| {
                xml.text("ram:IBANID", account.iban.as_str())?;
                xml.text("ram:AccountName", account.holder.as_deref().unwrap_or(&facts.seller.name))
            })?;
            account.bic.as_ref().map_or(Ok(()), |bic| {
                xml.within("ram:PayeeSpecifiedCreditorFinancialInstitution", |xml| {
                    xml.text("ram:BICID", bic.as_str())
                })
            })
        })?;
    }
    for sum in &figures.taxes {
        xml.within("ram:ApplicableTradeTax", |xml| tax(xml, facts, sum))?;
    }
    if let Some((first, last)) = figures.period() {
        xml.period(first, last)?;
    }
    xml.within("ram:SpecifiedTradePaymentTerms", |xml| {
        xml.text("ram:Description", &compose::terms(figures, facts.words, facts.language))?;
        figures.due_on.map_or(Ok(()), |due_on| xml.date("ram:DueDateDateTime", due_on))
    })?;
    xml.within("ram:SpecifiedTradeSettlementHeaderMonetarySummation", |xml| {
        xml.amount("ram:LineTotalAmount", figures.net)?;
        xml.amount("ram:TaxBasisTotalAmount", figures.net)?;
        xml.text_with("ram:TaxTotalAmount", ("currencyID", figures.currency.code()), &amount(figures.tax))?;
        xml.amount("ram:GrandTotalAmount", figures.gross)?;
        xml.amount("ram:DuePayableAmount", figures.due)
    })?;
    if let Voucher::CreditNote { of, .. } = facts.voucher {
        xml.within("ram:InvoiceReferencedDocument", |xml| {
            xml.text("ram:IssuerAssignedID", of.number.as_str())?;
            xml.within("ram:FormattedIssueDateTime", |xml| {
                xml.text_with("qdt:DateTimeString", ("format", "102"), &compact(of.issued_on))
            })
        })?;
    }
    Ok(())
}

fn tax(xml: &mut Xml, facts: &Facts, sum: &TaxSum) -> io::Result<()> {
    xml.amount("ram:CalculatedAmount", sum.tax)?;
    xml.text("ram:TypeCode", "VAT")?;
    let (reason, code) = match sum.treatment {
        Treatment::Taxed(_) => (None, None),
        Treatment::ReverseCharge => (Some(&facts.words.reverse_charge_note), Some(REVERSE_CHARGE)),
        Treatment::Exempt => (Some(&facts.words.exempt_note), None),
    };
    if let Some(reason) = reason {
        xml.text("ram:ExemptionReason", reason)?;
    }
    xml.amount("ram:BasisAmount", sum.base)?;
    xml.text("ram:CategoryCode", category(sum.treatment))?;
    if let Some(code) = code {
        xml.text("ram:ExemptionReasonCode", code)?;
    }
    xml.text("ram:RateApplicablePercent", &sum.treatment.percent().normalize().to_string())
}

/// Two decimals at most: a third is nothing, or there is no e-invoice.
fn amount(amount: Money) -> String {
    at_least(amount.to_decimal(), amount.currency().decimals().min(2))
}

fn at_least(value: Decimal, decimals: u32) -> String {
    let value = value.normalize();
    let decimals = usize::try_from(value.scale().max(decimals)).unwrap_or_default();
    format!("{value:.decimals$}")
}

/// `20261122`: format 102 of UNTDID 2379.
fn compact(day: Date) -> String {
    format!("{:04}{:02}{:02}", day.year(), day.month(), day.day())
}

/// Characters that XML 1.0 has no place for.
fn is_text(c: &char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..='\u{10FFFF}')
}

struct Xml {
    writer: Writer<Vec<u8>>,
}

impl Xml {
    fn within(&mut self, name: &str, inner: impl FnOnce(&mut Self) -> io::Result<()>) -> io::Result<()> {
        self.writer.write_event(Event::Start(BytesStart::new(name)))?;
        inner(self)?;
        self.writer.write_event(Event::End(BytesEnd::new(name)))
    }

    fn text(&mut self, name: &str, text: &str) -> io::Result<()> {
        self.leaf(BytesStart::new(name), text)
    }

    fn text_with(&mut self, name: &str, attribute: (&str, &str), text: &str) -> io::Result<()> {
        let mut start = BytesStart::new(name);
        start.push_attribute(attribute);
        self.leaf(start, text)
    }

    fn leaf(&mut self, start: BytesStart, text: &str) -> io::Result<()> {
        let end = start.to_end().into_owned();
        self.writer.write_event(Event::Start(start))?;
        let text: String = text.trim().chars().filter(is_text).collect();
        self.writer.write_event(Event::Text(BytesText::new(&text)))?;
        self.writer.write_event(Event::End(end))
    }

    fn measure(&mut self, name: &str, quantity: &str, unit: &str) -> io::Result<()> {
        self.text_with(name, ("unitCode", unit), quantity)
    }

    fn amount(&mut self, name: &str, money: Money) -> io::Result<()> {
        self.text(name, &amount(money))
    }

    fn date(&mut self, name: &str, day: Date) -> io::Result<()> {
        self.within(name, |xml| xml.text_with("udt:DateTimeString", ("format", "102"), &compact(day)))
    }

    fn period(&mut self, first: Date, last: Date) -> io::Result<()> {
        self.within("ram:BillingSpecifiedPeriod", |xml| {
            xml.date("ram:StartDateTime", first)?;
            xml.date("ram:EndDateTime", last)
        })
    }
}
