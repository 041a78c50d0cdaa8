//! Writes invoices and credit notes of every kind for judges:
//! `cargo run -p portico-invoice --example corpus -- DIRECTORY SEED E_INVOICES PDFS`.
//!
//! `summary.json` says how many there are, how many have no e-invoice and why.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a tool for judges stops where it fails"
)]

#[path = "../tests/it/work.rs"]
#[expect(dead_code, reason = "some of it is for tests alone")]
mod work;

use portico_invoice::{Brand, Voucher, compose, render};
use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::Path;
use work::{Dice, issued};

/// For each e-invoice at most this many invoices are made: not every one has an e-invoice.
const TRIES_EACH: u64 = 20;
const BRANDS: [&str; 3] = ["nordlicht", "atelier-verde", "hollis-and-wren"];

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [directory, seed, e_invoices, pdfs] = arguments.as_slice() else {
        return Err("usage: corpus DIRECTORY SEED E_INVOICES PDFS".into());
    };
    let (directory, wanted, mut pdfs) =
        (Path::new(directory), e_invoices.parse::<u64>()?, pdfs.parse::<u64>()?);
    fs::create_dir_all(directory)?;
    let read = |name: &str| -> Result<Brand, Box<dyn Error>> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("brands").join(format!("{name}.json"));
        Ok(Brand::from_json(&fs::read(path)?)?)
    };
    let brands = BRANDS.iter().map(|name| read(name)).collect::<Result<Vec<_>, _>>()?;
    let mut dice = Dice(seed.parse()?);
    let (mut written, mut withheld) = (0_u64, BTreeMap::<String, u64>::new());
    for count in 1..=wanted.saturating_mul(TRIES_EACH) {
        if written == wanted {
            break;
        }
        let issued = issued(&mut dice, count);
        let brand = &brands[usize::try_from(count)? % brands.len()];
        let (invoice, positions) = (&issued.invoice, &issued.positions);
        let note = issued.note.as_ref().map(|note| Voucher::CreditNote { note, of: invoice, positions });
        let vouchers = [Some(Voucher::Invoice { invoice, positions }), note];
        for voucher in vouchers.into_iter().flatten() {
            let composed = compose(voucher, brand, &issued.buyer, issued.language)?;
            let Some(e_invoice) = &composed.document.e_invoice else {
                let reason = composed.withheld.map(|reason| reason.to_string()).unwrap_or_default();
                *withheld.entry(reason).or_insert(0) += 1;
                continue;
            };
            if written < wanted {
                written += 1;
                fs::write(directory.join(format!("{written:05}.xml")), e_invoice.bytes())?;
                if pdfs > 0 {
                    pdfs -= 1;
                    fs::write(directory.join(format!("{written:05}.pdf")), render(&composed.document)?)?;
                }
            }
        }
    }
    let summary = serde_json::json!({ "e_invoices": written, "withheld": withheld, "seed": seed });
    fs::write(directory.join("summary.json"), serde_json::to_vec_pretty(&summary)?)?;
    if written == wanted { Ok(()) } else { Err("too few invoices have an e-invoice".into()) }
}
