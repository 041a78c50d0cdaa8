//! The annex: from what was logged to each amount, and what happens where it would be too long.

use crate::extraction::{pages, squeeze};
use crate::work::{Dice, hours, issued};
use portico_domain::billing::Step;
use portico_invoice::{Brand, Language, MAX_WORKINGS, Voucher, compose, render};

fn brand() -> Brand {
    Brand::from_json(include_bytes!("../../brands/nordlicht.json")).unwrap()
}

#[test]
fn every_amount_is_led_to_step_by_step() {
    let mut dice = Dice(31);
    for count in 1..=40 {
        let issued = issued(&mut dice, count);
        let voucher = Voucher::Invoice { invoice: &issued.invoice, positions: &issued.positions };
        for language in Language::ALL {
            let document = compose(voucher, &brand(), &issued.buyer, language).unwrap().document;
            let annex = document.annex.unwrap();
            assert_eq!(annex.workings.len(), document.lines.len() + 1);
            for ((working, line), derivation) in
                annex.workings.iter().zip(&document.lines).zip(&issued.positions.derivation.lines)
            {
                assert_eq!(working.title, line.description);
                let last = working.steps.last().unwrap();
                assert_eq!(last.after, line.amount, "{working:?}");
                for step in &working.steps {
                    assert!(!step.what.contains(['{', '}']), "{language:?}: {step:?}");
                }
                // Each step that rounds stands there, with its value before.
                let rounds = |step: &&Step| {
                    matches!(step, Step::Hours { .. } | Step::Discount { .. } | Step::Cap { .. })
                };
                let rounded = derivation.steps.iter().filter(rounds).count();
                assert!(working.steps.iter().filter(|step| !step.before.is_empty()).count() >= rounded);
            }
        }
    }
}

#[test]
fn the_annex_is_on_pages_of_its_own() {
    let issued = issued(&mut Dice(32), 1);
    let voucher = Voucher::Invoice { invoice: &issued.invoice, positions: &issued.positions };
    let document = compose(voucher, &brand(), &issued.buyer, Language::English).unwrap().document;
    let pages = pages(&render(&document).unwrap());
    let first = pages.iter().position(|page| page.contains("Howeachamountcomesabout")).unwrap();
    assert!(first >= 1);
    for working in &document.annex.unwrap().workings {
        assert!(pages[first..].concat().contains(&squeeze(&working.title)), "{}", working.title);
    }
}

#[test]
fn an_annex_that_is_too_long_is_left_out_and_the_page_says_so() {
    let composed = |count: usize| {
        let issued = hours(count, Language::English);
        let voucher = Voucher::Invoice { invoice: &issued.invoice, positions: &issued.positions };
        let document = compose(voucher, &brand(), &issued.buyer, Language::English).unwrap().document;
        assert_eq!(document.lines.len(), count);
        assert!(document.e_invoice.is_some());
        document
    };
    let says_so = "fills more pages than are printed here";
    let longest = composed(MAX_WORKINGS - 1);
    assert_eq!(longest.annex.as_ref().map(|annex| annex.workings.len()), Some(MAX_WORKINGS));
    assert!(!longest.notes.iter().any(|note| note.contains(says_so)));
    let longer = composed(MAX_WORKINGS);
    assert_eq!(longer.annex, None);
    assert!(longer.notes.iter().any(|note| note.contains(says_so)));
}
