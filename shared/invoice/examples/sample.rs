//! Writes a sample invoice: `cargo run -p portico-invoice --example sample -- sample.pdf 12 nordlicht` (path, number of
//! positions, name of a file in `brands/`; Portico's own look without one).

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "an example stops where it fails"
)]

#[path = "../tests/it/samples.rs"]
mod samples;
#[path = "../tests/it/work.rs"]
#[expect(dead_code, reason = "some of it is for tests alone")]
mod work;

use portico_invoice::{Brand, Voucher, compose, render};
use std::error::Error;
use std::fs;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().unwrap_or_else(|| "sample.pdf".to_owned());
    let lines = arguments.next().map_or(Ok(12), |count| count.parse())?;
    let document = match arguments.next() {
        None => samples::invoice(lines),
        Some(name) => {
            let brands = Path::new(env!("CARGO_MANIFEST_DIR")).join("brands");
            let brand = Brand::from_json(&fs::read(brands.join(format!("{name}.json")))?)?;
            let issued = work::hours(lines, brand.language);
            let voucher = Voucher::Invoice { invoice: &issued.invoice, positions: &issued.positions };
            compose(voucher, &brand, &issued.buyer, brand.language)?.document
        }
    };
    fs::write(path, render(&document)?)?;
    Ok(())
}
