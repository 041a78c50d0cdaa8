//! An invoice in the words and figures that stand on the page.

use jiff::civil::Date;
use portico_domain::{
    Money,
    billing::{Invoice, Line, Reduction, ReductionReason, Subject, TaxSum, Treatment, Unit},
};
use portico_invoice::{Document, Fact, Kind, Language, Party, TaxLine};
use rust_decimal::Decimal;

/// The document of an invoice. Every figure is the invoice's own, only written down.
pub(crate) fn of(invoice: &Invoice, lines: &[Line], seller: &Party) -> Document {
    let (name, address) = match invoice.bill_to.split_first() {
        Some((name, address)) => (name.clone(), address.to_vec()),
        None => (String::new(), Vec::new()),
    };
    Document {
        kind: Kind::Invoice,
        number: invoice.number.as_str().to_owned(),
        issued_on: date(invoice.issued_on),
        due_on: Some(date(invoice.due_on)),
        service_period: period(lines),
        seller: seller.clone(),
        buyer: Party { name, address, tax_number: None, contact: Vec::new() },
        case_reference: match &invoice.subject {
            Subject::Case { number: Some(number), subject, .. } => Some(format!("{number} · {subject}")),
            Subject::Case { number: None, subject, .. } => Some(subject.clone()),
            Subject::Period { .. } => None,
        },
        purchase_order: invoice.purchase_order.clone(),
        currency: invoice.currency.code().to_owned(),
        lines: lines.iter().map(line).collect(),
        net: money(invoice.net),
        taxes: invoice.taxes.iter().map(tax).collect(),
        gross: money(invoice.gross),
        prepaid: None,
        amount_due: money(invoice.gross),
        payment: vec![Fact { label: "Reference".to_owned(), value: invoice.number.as_str().to_owned() }],
        notes: notes(lines),
        imprint: Vec::new(),
        issued_at: invoice.issued_at,
        language: Language::English,
    }
}

fn tax(sum: &TaxSum) -> TaxLine {
    let label = match sum.treatment {
        Treatment::Taxed(percent) => format!("VAT {percent}%"),
        Treatment::ReverseCharge => "VAT: reverse charge".to_owned(),
        Treatment::Exempt => "VAT: exempt".to_owned(),
    };
    TaxLine { label, base: money(sum.base), amount: money(sum.tax) }
}

/// How the quantities on the page come about.
fn notes(lines: &[Line]) -> Vec<String> {
    let has = |unit| lines.iter().any(|line| line.unit == unit);
    let hours = "Each position bills the hours shown: minutes divided by 60, rounded to two decimals, times the hourly \
                 rate.";
    let minutes = "Positions in minutes bill each minute at a sixtieth of the hourly rate.";
    [(Unit::Hour, hours), (Unit::Minute, minutes)]
        .into_iter()
        .filter(|(unit, _)| has(*unit))
        .map(|(_, note)| note.to_owned())
        .collect()
}

fn quantity(line: &Line) -> String {
    match line.unit {
        Unit::Hour => format!("{:.2} h", line.quantity),
        Unit::Minute => format!("{} min", line.quantity.normalize()),
        Unit::Piece => line.quantity.normalize().to_string(),
    }
}

fn reduction(less: &Reduction) -> String {
    let reason = match &less.reason {
        ReductionReason::Discount(name) => name,
        ReductionReason::Cap => "Above the agreed maximum",
    };
    format!("{reason}: -{}", money(less.amount))
}

fn line(line: &Line) -> portico_invoice::Line {
    let minutes = if line.minutes == 0 { String::new() } else { format!("{} min", line.minutes) };
    let who = [date(line.worked_on), line.person.clone(), minutes];
    let who = who.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" · ");
    let details = std::iter::once(who).chain(line.reductions.iter().map(reduction)).collect();
    let description = if line.description.is_empty() { "Work on the case" } else { &line.description };
    portico_invoice::Line {
        description: description.to_owned(),
        details,
        quantity: quantity(line),
        unit_price: decimal(line.rate, line.amount.currency().decimals()),
        amount: money(line.amount),
    }
}

/// The days from the first to the last work, as one text.
fn period(lines: &[Line]) -> Option<String> {
    let first = lines.iter().map(|line| line.worked_on).min()?;
    let last = lines.iter().map(|line| line.worked_on).max()?;
    Some(if first == last { date(first) } else { format!("{} – {}", date(first), date(last)) })
}

fn date(day: Date) -> String {
    day.strftime("%-d %B %Y").to_string()
}

fn money(amount: Money) -> String {
    decimal(amount.to_decimal(), amount.currency().decimals())
}

/// `1,234.50`: at least `decimals` decimals, and no digit less than the value has.
fn decimal(value: Decimal, decimals: u32) -> String {
    let decimals = usize::try_from(value.normalize().scale().max(decimals)).unwrap_or_default();
    let digits = format!("{:.decimals$}", value.abs());
    let (whole, fraction) = digits.split_once('.').map_or((digits.as_str(), None), |(w, f)| (w, Some(f)));
    let mut grouped = String::new();
    for (position, digit) in whole.chars().enumerate() {
        if position > 0 && (whole.len() - position) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    let sign = if value.is_sign_negative() && !value.is_zero() { "-" } else { "" };
    match fraction {
        Some(fraction) => format!("{sign}{grouped}.{fraction}"),
        None => format!("{sign}{grouped}"),
    }
}

#[cfg(test)]
mod tests {
    use portico_domain::billing::LineKind;

    use super::*;

    #[test]
    fn figures_are_written_as_people_write_them() {
        let text = |value: &str, decimals| decimal(value.parse().unwrap(), decimals);
        assert_eq!(text("1234567.5", 2), "1,234,567.50");
        assert_eq!(text("-1000", 2), "-1,000.00");
        assert_eq!(text("999", 0), "999");
        assert_eq!(text("120", 2), "120.00");
        assert_eq!(text("87.125", 2), "87.125");
        assert_eq!(date("2026-11-02".parse().unwrap()), "2 November 2026");
    }

    fn eur(minor: i64) -> Money {
        Money::from_minor(minor, "EUR".parse().unwrap())
    }

    #[test]
    fn a_line_can_be_checked_by_hand_whatever_it_counts() {
        let hours = Line {
            kind: LineKind::Work,
            entry: None,
            worked_on: "2026-11-02".parse().unwrap(),
            person: "Ada".to_owned(),
            description: "#image(\"/etc/passwd\")".to_owned(),
            minutes: 90,
            quantity: Decimal::new(15, 1),
            unit: Unit::Hour,
            rate: Decimal::from(60),
            reductions: vec![
                Reduction { reason: ReductionReason::Discount("Loyal".to_owned()), amount: eur(900) },
                Reduction { reason: ReductionReason::Cap, amount: eur(2_100) },
            ],
            amount: eur(6_000),
            treatment: None,
        };
        let shown = line(&hours);
        assert_eq!((shown.quantity.as_str(), shown.unit_price.as_str()), ("1.50 h", "60.00"));
        let details = ["2 November 2026 · Ada · 90 min", "Loyal: -9.00", "Above the agreed maximum: -21.00"];
        assert_eq!(shown.details, details);
        assert_eq!(shown.description, hours.description);
        let minutes = Line { unit: Unit::Minute, quantity: Decimal::from(90), ..hours.clone() };
        assert_eq!(line(&minutes).quantity, "90 min");
        let fee = Line { unit: Unit::Piece, quantity: Decimal::ONE, minutes: 0, ..hours.clone() };
        assert_eq!(
            (line(&fee).quantity, line(&fee).details.remove(0)),
            ("1".into(), "2 November 2026 · Ada".into())
        );
        // Only what is on the page is explained.
        assert_eq!(notes(&[fee]), [""; 0]);
        assert_eq!(notes(std::slice::from_ref(&hours)).len(), 1);
        assert_eq!(notes(&[hours, minutes]).len(), 2);
    }

    #[test]
    fn a_tax_says_why_it_is_none() {
        let label = |treatment| tax(&TaxSum { treatment, base: eur(100), tax: eur(0) }).label;
        assert_eq!(label(Treatment::Taxed(Decimal::new(190, 1).try_into().unwrap())), "VAT 19%");
        assert_eq!(label(Treatment::ReverseCharge), "VAT: reverse charge");
        assert_eq!(label(Treatment::Exempt), "VAT: exempt");
    }
}
