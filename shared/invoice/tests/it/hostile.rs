//! Text that clients and agents can enter.

use crate::extraction::{pages, squeeze, text};
use crate::samples::{invoice, texts};
use portico_invoice::{Document, MAX_TEXT_CHARS, render, uncovered};
use proptest::prelude::*;

/// Puts `hostile` wherever a user's text can reach.
fn everywhere(hostile: &str) -> Document {
    let mut document = invoice(2);
    let short: String = hostile.chars().take(200).collect();
    document.buyer.name = short.clone();
    document.buyer.address = vec![short.clone(); 3];
    document.seller.name = format!("S{short}").chars().take(200).collect();
    document.seller.contact = vec![short.clone()];
    document.case_reference = Some(short.clone());
    document.purchase_order = Some(short.clone());
    document.imprint = vec![short.clone()];
    document.number = format!("1{short}").chars().take(200).collect();
    document.payment[0].value = short;
    document.notes = vec![hostile.to_owned()];
    document.lines[0].description = hostile.to_owned();
    document.lines[1].details = vec![hostile.to_owned()];
    document
}

#[test]
fn markup_is_printed_as_it_stands() {
    for hostile in [
        "#read(\"/etc/passwd\")",
        "#include \"main.typ\"",
        "#panic(\"stop\")",
        "$x^2$ *bold* _emphasis_ `raw` = heading",
        "] } #set page(width: 1pt) [",
        "\\ \" ' ~ -- --- ... <label> @reference // comment /* comment */",
        "\\u{41} \u{5c}n {page} {pages}",
        "https://example.com/a-very-long-path/that/goes/on",
    ] {
        let pdf = text(&render(&everywhere(hostile)).unwrap());
        let count = pdf.matches(&squeeze(hostile)).count();
        assert!(count >= 13, "{hostile} is {count} times in {pdf}");
        assert!(!pdf.contains("root:x:0:0"));
    }
}

#[test]
fn all_covered_scripts_are_readable_again() {
    for phrase in ["Größe Łódź Đắk", "Αθήνα", "Київ", "გამარჯობა", "Բարեւ", "€ £ ₹ ½ → ≤"]
    {
        assert!(uncovered(phrase).is_empty());
        let pdf = text(&render(&everywhere(phrase)).unwrap());
        assert!(pdf.contains(&squeeze(phrase)), "{phrase} is not in {pdf}");
    }
}

#[test]
fn right_to_left_and_complex_scripts_are_set() {
    for phrase in [
        "שָׁלוֹם עולם 12,50 EUR (abc)",
        "مرحبا بالعالم ١٢٣ (abc) لا إله",
        "می‌خواهم ۱۲۳ پژوهش گچ",
        "سَلَّمَ ﷺ ﷽ الله",
        "สวัสดีชาวโลก น้ำ เป็น กำ",
    ] {
        assert!(uncovered(phrase).is_empty(), "{phrase}");
        render(&everywhere(phrase)).unwrap();
    }
}

#[test]
fn what_no_font_has_becomes_a_square() {
    let mut document = invoice(1);
    document.lines[0].description = "Emoji 👩‍💻, flag 🇩🇪, 請求書, private \u{E000} end".to_owned();
    let pdf = text(&render(&document).unwrap());
    assert!(pdf.contains("Emoji□,flag□,□□□,private□end"), "{pdf}");
}

#[test]
fn a_text_of_the_greatest_length_is_set() {
    for unit in ["m", "word ", "🦀", "ש", "س", "e\u{301}", "\n", "\u{301}", "\u{200D}"] {
        let long: String = unit.chars().cycle().take(MAX_TEXT_CHARS).collect();
        let mut document = invoice(2);
        document.notes = texts(&[&long, "The last paragraph"]);
        let pdf = render(&document).unwrap_or_else(|error| panic!("{unit:?}: {error}"));
        assert!(text(&pdf).contains("Thelastparagraph"), "{unit:?}");
    }
}

#[test]
fn a_row_of_the_greatest_length_breaks_over_pages() {
    let mut document = invoice(2);
    // A letter that no other text of the sample has.
    document.lines[0].description = "Ж".repeat(MAX_TEXT_CHARS);
    let pages = pages(&render(&document).unwrap());
    assert!(pages.len() > 5, "{} pages", pages.len());
    assert_eq!(pages.concat().matches('Ж').count(), MAX_TEXT_CHARS);
}

/// Characters that shapers, line breakers and PDF checkers treat specially, among ordinary ones.
fn awkward() -> impl Strategy<Value = String> {
    let ranges = prop_oneof![
        proptest::char::range('\0', '\u{FF}'),
        proptest::char::range('\u{300}', '\u{36F}'),
        proptest::char::range('\u{590}', '\u{6FF}'),
        proptest::char::range('\u{8A0}', '\u{8FF}'),
        proptest::char::range('\u{E00}', '\u{E7F}'),
        proptest::char::range('\u{10A0}', '\u{10FF}'),
        proptest::char::range('\u{1F00}', '\u{27BF}'),
        proptest::char::range('\u{FB00}', '\u{FFFF}'),
        proptest::char::any(),
    ];
    proptest::collection::vec(ranges, 0..60).prop_map(String::from_iter)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_the_export_fail(strings in proptest::collection::vec(awkward(), 40)) {
        let mut document = invoice(strings.len());
        for (line, string) in document.lines.iter_mut().zip(strings) {
            line.details = vec![string.clone()];
            line.description = string;
        }
        let rendered = render(&document);
        prop_assert!(rendered.is_ok(), "{}", rendered.unwrap_err());
    }
}
