//! `portico parity` as it is called: without settings, without a network.

#![allow(clippy::unwrap_used, reason = "clippy allows it in test functions only")]

use std::{
    path::Path,
    process::{Command, Output},
};

fn parity(workbook: &str) -> Output {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../workbook-parity/workbooks");
    let mut command = Command::new(env!("CARGO_BIN_EXE_portico"));
    command.arg("parity").arg(folder.join(workbook)).env_clear().output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn exit_codes_say_what_came_of_it() {
    for (workbook, code, said) in [
        ("support-case.xlsx", 0, "\nThe workbook and Portico agree in every figure.\n"),
        ("retainer-month.xlsx", 0, "\nThe workbook and Portico agree in every figure.\n"),
        ("rounded-down.xlsx", 1, "\nFirst difference: Time!L7, amount of 5 Nov, Ines Okafor\n"),
        ("never-calculated.xlsx", 2, "Time!F4: a formula without a value, and 112 more"),
        ("make_workbooks.py", 2, "this is no workbook"),
        ("nothing.xlsx", 2, "No such file"),
    ] {
        let output = parity(workbook);
        let all = format!("{}{}", text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "{workbook}: {all}");
        assert!(all.contains(said), "{workbook}: {all}");
    }
}
