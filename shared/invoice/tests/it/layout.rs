//! Pages, repeated heads, what stays together.

use crate::extraction::pages;
use crate::samples::{invoice, texts};
use portico_invoice::render;

const HEAD: &str = "#DescriptionQuantityUnitpriceAmountEUR";

#[test]
fn a_short_invoice_is_one_page() {
    for count in [0, 1, 3, 6] {
        let pages = pages(&render(&invoice(count)).unwrap());
        assert_eq!(pages.len(), 1, "{count} lines");
        assert!(pages[0].contains("Page1of1"));
    }
}

#[test]
fn a_long_table_repeats_its_head_on_each_page() {
    let pages = pages(&render(&invoice(400)).unwrap());
    assert!(pages.len() > 10, "{} pages", pages.len());
    let last_with_lines = pages.iter().rposition(|page| page.contains(HEAD)).unwrap();
    for (index, page) in pages.iter().enumerate() {
        assert_eq!(page.matches(HEAD).count(), usize::from(index <= last_with_lines), "page {index}");
        assert!(page.contains(&format!("Page{}of{}", index + 1, pages.len())), "page {index}");
    }
    for position in [1, 37, 200, 399, 400] {
        let row = format!(
            "{position}{}",
            ["On-sitetraining", "Discovery", "Datamodel", "Migration", "Flow", "Sandbox"][position % 6]
        );
        assert!(pages.iter().any(|page| page.contains(&row)), "{row}");
    }
}

#[test]
fn totals_and_payment_share_a_page_wherever_the_table_ends() {
    // With six lines the totals fit below the table, with sixteen the table itself needs a second page.
    for count in [6, 8, 9, 10, 12, 16] {
        let pages = pages(&render(&invoice(count)).unwrap());
        let page = pages.iter().find(|page| page.contains("Net5,067.50")).expect("the totals");
        for part in ["VAT19%on5,067.50962.83", "Total6,030.33", "AmountdueEUR6,030.33", "COBADEFFXXX"] {
            assert!(page.contains(part), "{count} lines: {part} is on another page");
        }
    }
}

#[test]
fn long_addresses_and_descriptions_lose_nothing() {
    let mut document = invoice(3);
    document.buyer.name =
        "Königlich-Bayerische Gesellschaft für Verkehrs- und Infrastrukturplanung ".repeat(2);
    document.buyer.address =
        (1..=12).map(|line| format!("Address line {line} with a long second half")).collect();
    document.lines[1].description = "A long description of the work that was done. ".repeat(200);
    document.lines[1].details = texts(&["The last detail"]);
    let text = pages(&render(&document).unwrap()).concat();
    for line in 1..=12 {
        assert!(text.contains(&format!("Addressline{line}withalongsecondhalf")), "{line}");
    }
    // A word, not the sentence: the foot of a page may stand in the middle of one.
    assert_eq!(text.matches("description").count(), 200);
    assert!(text.contains("Thelastdetail"));
}

#[test]
fn sums_are_carried_from_page_to_page() {
    let mut document = invoice(40);
    for (place, line) in document.lines.iter_mut().enumerate() {
        line.running = Some(format!("{}.11", 1_000 + place));
    }
    let pages = pages(&render(&document).unwrap());
    let with_lines = pages.iter().rposition(|page| page.contains(HEAD)).unwrap();
    assert!(with_lines >= 2);
    let mut carried = Vec::new();
    for (index, page) in pages.iter().enumerate() {
        let sum = |name: &str| page.split(name).nth(1).map(|rest| rest.chars().take(7).collect::<String>());
        // Brought to each page but the first, carried from each but the last.
        assert_eq!(
            page.matches("Carriedforward").count(),
            usize::from((1..=with_lines).contains(&index)),
            "{index}"
        );
        assert_eq!(page.matches("Sub-total").count(), usize::from(index < with_lines), "{index}");
        if index > 0 && index <= with_lines {
            assert_eq!(sum("Carriedforward"), carried.pop().unwrap(), "{index}");
        }
        carried.push(sum("Sub-total"));
    }
}

#[test]
fn a_table_that_fits_carries_nothing() {
    let mut document = invoice(3);
    for line in &mut document.lines {
        line.running = Some("1.00".to_owned());
    }
    let pages = pages(&render(&document).unwrap());
    assert_eq!(pages.len(), 1);
    assert!(!pages[0].contains("Carriedforward") && !pages[0].contains("Sub-total"));
}
