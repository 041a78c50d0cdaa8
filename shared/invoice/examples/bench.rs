//! One side of `make bench-pdf` (`infra/benchmarks/pdf`): the data of a sample invoice, and renderings of it.
//!
//! ```text
//! bench data LINES             the invoice as JSON, for the other renderers
//! bench once LINES FILE        one rendering into a file: the whole process is what is measured
//! bench warm LINES WARMUP COUNT  the milliseconds of processor time of COUNT renderings after WARMUP, a line each,
//!                              and the peak of memory after each tenth of them
//! ```

#![expect(clippy::print_stdout, reason = "what it prints is what it is for")]
#![expect(clippy::float_arithmetic, reason = "times, not money")]

#[path = "../tests/it/samples.rs"]
mod samples;

use std::{error::Error, fs, io};

use portico_invoice::{Document, render};
use serde_json::{Value, json};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["data", lines] => println!("{}", data(&samples::invoice(lines.parse()?))),
        ["once", lines, path] => fs::write(path, render(&samples::invoice(lines.parse()?))?)?,
        ["warm", lines, warmup, count] => warm(lines.parse()?, warmup.parse()?, count.parse()?)?,
        _ => return Err("bench data LINES | once LINES FILE | warm LINES WARMUP COUNT".into()),
    }
    Ok(())
}

/// What the other renderers print.
fn data(document: &Document) -> Value {
    let lines: Vec<Value> = document
        .lines
        .iter()
        .map(|line| json!([line.description, line.details, line.quantity, line.unit_price, line.amount]))
        .collect();
    let party = |party: &portico_invoice::Party| json!({ "name": party.name, "address": party.address, "tax_number": party.tax_number, "contact": party.contact });
    let taxes: Vec<Value> =
        document.taxes.iter().map(|tax| json!([tax.label, tax.base, tax.amount])).collect();
    let payment: Vec<Value> = document.payment.iter().map(|fact| json!([fact.label, fact.value])).collect();
    json!({
        "number": document.number,
        "issued_on": document.issued_on,
        "due_on": document.due_on,
        "service_period": document.service_period,
        "case_reference": document.case_reference,
        "purchase_order": document.purchase_order,
        "seller": party(&document.seller),
        "buyer": party(&document.buyer),
        "currency": document.currency,
        "lines": lines,
        "net": document.net,
        "taxes": taxes,
        "gross": document.gross,
        "amount_due": document.amount_due,
        "payment": payment,
        "notes": document.notes,
        "imprint": document.imprint,
    })
}

fn warm(lines: usize, warmup: usize, count: usize) -> Result<(), Box<dyn Error>> {
    let document = samples::invoice(lines);
    for _ in 0..warmup {
        render(&document)?;
    }
    for number in 1..=count {
        let before = processor_ms()?;
        render(&document)?;
        println!("{}", processor_ms()? - before);
        if number.is_multiple_of((count / 10).max(1)) {
            println!("peak {number} {}", peak_kib()?);
        }
    }
    Ok(())
}

/// Milliseconds that the threads of this process have had a processor (`proc(5)`: `schedstat`, in nanoseconds).
fn processor_ms() -> io::Result<f64> {
    let mut nanoseconds = 0.0;
    for thread in fs::read_dir("/proc/self/task")? {
        let text = fs::read_to_string(thread?.path().join("schedstat"))?;
        let first = text.split_whitespace().next().and_then(|number| number.parse::<f64>().ok());
        nanoseconds += first.ok_or(io::ErrorKind::InvalidData)?;
    }
    Ok(nanoseconds / 1e6)
}

/// Most memory that this process has had at once, in KiB (`proc(5)`: `VmHWM`).
fn peak_kib() -> io::Result<u64> {
    let text = fs::read_to_string("/proc/self/status")?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().next()).and_then(|number| number.parse().ok());
    number.ok_or_else(|| io::ErrorKind::InvalidData.into())
}
