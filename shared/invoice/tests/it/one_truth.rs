//! The page, the e-invoice and the record show the same cents.

use crate::extraction::text;
use crate::work::{Dice, issued};
use lopdf::{Dictionary, Object};
use portico_domain::{Money, billing::Treatment};
use portico_invoice::{Brand, Buyer, Country, Document, Language, Voucher, Withheld, compose, render};
use quick_xml::{Reader, events::Event};

fn brand() -> Brand {
    Brand::from_json(include_bytes!("../../brands/nordlicht.json")).unwrap()
}

/// The texts of all elements of this name, in their order.
fn elements(xml: &[u8], name: &str) -> Vec<String> {
    let mut reader = Reader::from_reader(xml);
    let (mut found, mut inside, mut buffer) = (Vec::new(), false, Vec::new());
    loop {
        match reader.read_event_into(&mut buffer).unwrap() {
            Event::Start(start) => inside = start.name().as_ref() == name,
            Event::Text(text) if inside => found.push(text.to_string()),
            Event::End(_) => inside = false,
            Event::Eof => return found,
            _ => {}
        }
        buffer.clear();
    }
}

/// Digits without what a language puts between and before them.
fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

fn minor(amount: Money) -> String {
    let decimals = usize::try_from(amount.currency().decimals()).unwrap();
    format!("{:0width$}", amount.minor(), width = decimals + 1)
}

#[test]
fn case_b01_page_e_invoice_and_record_show_the_same_cents() {
    let mut dice = Dice(11);
    let (mut notes, mut compared) = (0, 0);
    for count in 1..=60 {
        let issued = issued(&mut dice, count);
        let (invoice, positions) = (&issued.invoice, &issued.positions);
        let note = issued.note.as_ref().map(|note| Voucher::CreditNote { note, of: invoice, positions });
        for voucher in [Some(Voucher::Invoice { invoice, positions }), note].into_iter().flatten() {
            let record = match voucher {
                Voucher::Invoice { invoice, .. } => [invoice.net, invoice.tax, invoice.gross],
                // A credit note says the same the other way round.
                Voucher::CreditNote { note, .. } => {
                    notes += 1;
                    [note.net, note.tax, note.gross].map(|amount| amount.negated().unwrap())
                }
            };
            let document = compose(voucher, &brand(), &issued.buyer, issued.language).unwrap().document;
            // What is printed, in whatever language.
            assert_eq!(digits(&document.net), minor(record[0]));
            assert_eq!(
                [&document.gross, &document.amount_due].map(|text| digits(text)),
                [minor(record[2]), minor(record[2])]
            );
            let figures = voucher.figures().unwrap();
            for (line, printed) in figures.lines.iter().zip(&document.lines) {
                assert_eq!(digits(&printed.amount), minor(line.amount));
            }
            assert_eq!(document.lines.last().unwrap().running.as_ref(), Some(&document.net));
            let Some(e_invoice) = &document.e_invoice else { continue };
            compared += 1;
            let xml = e_invoice.bytes();
            let sums =
                ["ram:LineTotalAmount", "ram:TaxTotalAmount", "ram:GrandTotalAmount", "ram:DuePayableAmount"];
            let [lines, tax, gross, due] = sums.map(|name| elements(xml, name));
            let expected: Vec<_> =
                figures.lines.iter().map(|line| line.amount).chain([record[0]]).map(minor).collect();
            assert_eq!(lines.iter().map(|text| digits(text)).collect::<Vec<_>>(), expected);
            assert_eq!(
                [tax, gross, due].map(|all| digits(&all.concat())),
                [record[1], record[2], record[2]].map(minor)
            );
        }
    }
    assert!(notes >= 8 && compared >= 40, "{notes} credit notes, {compared} e-invoices");
}

#[test]
fn case_b01_what_is_composed_stands_in_the_file() {
    let mut dice = Dice(5);
    for count in 1..=3 {
        let issued = issued(&mut dice, count);
        let voucher = Voucher::Invoice { invoice: &issued.invoice, positions: &issued.positions };
        let document = compose(voucher, &brand(), &issued.buyer, issued.language).unwrap().document;
        let page = text(&render(&document).unwrap());
        let squeezed = |text: &str| crate::extraction::squeeze(text);
        for line in &document.lines {
            assert!(page.contains(&squeezed(&line.amount)), "{} is not in {page}", line.amount);
        }
        for amount in [&document.net, &document.gross] {
            assert!(page.contains(&squeezed(amount)), "{amount} is not in {page}");
        }
    }
}

fn with_e_invoice() -> Document {
    let mut dice = Dice(8);
    (1..)
        .map(|count| {
            let issued = issued(&mut dice, count);
            let voucher = Voucher::Invoice { invoice: &issued.invoice, positions: &issued.positions };
            compose(voucher, &brand(), &issued.buyer, issued.language).unwrap().document
        })
        .find(|document| document.e_invoice.is_some())
        .unwrap()
}

#[test]
fn the_e_invoice_is_in_the_file_and_the_file_says_so() {
    let document = with_e_invoice();
    let pdf = render(&document).unwrap();
    assert!(pdf == render(&document).unwrap(), "the same bytes again");
    let file = lopdf::Document::load_mem(&pdf).unwrap();
    let catalog = file.catalog().unwrap();
    let associated = file.dereference(catalog.get(b"AF").unwrap()).unwrap().1.as_array().unwrap();
    let [specification] = associated.as_slice() else { panic!("{associated:?}") };
    let specification = dictionary(&file, specification);
    assert_eq!(specification.get(b"AFRelationship").unwrap().as_name().unwrap(), b"Alternative");
    let embedded = dictionary(&file, specification.get(b"EF").unwrap()).get(b"F").unwrap();
    let stream = file.dereference(embedded).unwrap().1.as_stream().unwrap();
    let content = stream.decompressed_content().unwrap_or_else(|_| stream.content.clone());
    assert_eq!(content, document.e_invoice.as_ref().unwrap().bytes());
    let metadata = catalog.get(b"Metadata").and_then(Object::as_reference).unwrap();
    let metadata = file.get_object(metadata).unwrap().as_stream().unwrap();
    let xmp = String::from_utf8(metadata.content.clone()).unwrap();
    assert!(xmp.contains("<fx:ConformanceLevel>EN 16931</fx:ConformanceLevel>"), "{xmp}");
    assert_eq!(xmp.matches("<pdfaExtension:schemas>").count(), 1, "one list of schemas");
    assert_eq!(xmp.matches("<pdfaid:conformance>A</pdfaid:conformance>").count(), 1);
}

fn dictionary<'d>(file: &'d lopdf::Document, object: &'d Object) -> &'d Dictionary {
    file.dereference(object).unwrap().1.as_dict().unwrap()
}

#[test]
fn what_the_norm_asks_for_and_is_not_known_leaves_a_page_without_an_e_invoice() {
    let mut dice = Dice(21);
    let mut issued = issued(&mut dice, 1);
    while issued.invoice.currency.code() == "KWD"
        || issued.invoice.taxes[0].treatment != Treatment::ReverseCharge
    {
        issued = crate::work::issued(&mut dice, 1);
    }
    let voucher = Voucher::Invoice { invoice: &issued.invoice, positions: &issued.positions };
    let withheld =
        |brand: &Brand, buyer: &Buyer| compose(voucher, brand, buyer, Language::English).unwrap().withheld;
    assert_eq!(withheld(&brand(), &issued.buyer), None);
    let with = |change: fn(&mut Buyer)| {
        let mut buyer = issued.buyer.clone();
        change(&mut buyer);
        withheld(&brand(), &buyer)
    };
    assert_eq!(with(|buyer| buyer.country = None), Some(Withheld::BuyerCountry));
    assert_eq!(with(|buyer| buyer.vat_number = None), Some(Withheld::BuyerVatNumber));
    assert_eq!(with(|buyer| buyer.name.clear()), Some(Withheld::BuyerName));
    let mut poor = brand();
    poor.seller.vat_number = None;
    assert_eq!(withheld(&poor, &issued.buyer), Some(Withheld::SellerVatNumber));
    poor.seller.country = None;
    assert_eq!(withheld(&poor, &issued.buyer), Some(Withheld::SellerCountry));
    assert_eq!(Country::parse("Atlantis"), None);
    while issued.invoice.currency.code() != "KWD" {
        issued = crate::work::issued(&mut dice, 2);
    }
    let voucher = Voucher::Invoice { invoice: &issued.invoice, positions: &issued.positions };
    let composed = compose(voucher, &brand(), &issued.buyer, Language::English).unwrap();
    assert_eq!(composed.withheld, Some(Withheld::ThirdDecimal));
    assert!(composed.document.e_invoice.is_none());
}
