//! Writes a sample invoice: `cargo run -p portico-invoice --example sample -- sample.pdf 12` (path and number of lines).

#[path = "../tests/it/samples.rs"]
mod samples;

use std::error::Error;
use std::fs;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().unwrap_or_else(|| "sample.pdf".to_owned());
    let lines = arguments.next().map_or(Ok(12), |count| count.parse())?;
    fs::write(path, portico_invoice::render(&samples::invoice(lines))?)?;
    Ok(())
}
