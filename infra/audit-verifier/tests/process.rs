//! `verify-audit` as its users run it: a process with files, standard input and an exit code.

#![allow(clippy::unwrap_used, reason = "clippy allows it in test functions only")]

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use portico_domain::{
    AccountId,
    audit::{Head, Sealed},
};
use tempfile::TempDir;
use uuid::Uuid;

/// A chain of this many entries, as an export writes it.
fn chain(entries: u64) -> (Vec<String>, Head) {
    let account = AccountId::from_uuid(Uuid::from_u128(1));
    let mut head = Head::START;
    let lines = (1..=entries).map(|number| {
        let sealed: Sealed = head.seal(account, format!("{{\"action\":\"case_submitted\",\"n\":{number}}}"));
        head = sealed.head();
        sealed.line().unwrap()
    });
    (lines.collect(), head)
}

fn write(directory: &TempDir, name: &str, lines: &[String]) -> PathBuf {
    let path = directory.path().join(name);
    std::fs::write(&path, lines.iter().map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    path
}

fn verify(arguments: &[&str], files: &[&Path]) -> (Option<i32>, String) {
    read(Command::new(env!("CARGO_BIN_EXE_verify-audit")).args(arguments).args(files).output().unwrap())
}

fn read(output: Output) -> (Option<i32>, String) {
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn a_whole_chain_holds_and_names_its_head() {
    let directory = TempDir::new().unwrap();
    let (lines, head) = chain(5);
    // In two files, as two answers of the export come.
    let first = write(&directory, "1.ndjson", &lines[..3]);
    let second = write(&directory, "2.ndjson", &lines[3..]);
    let (code, said) = verify(&["--head", &head.to_string()], &[&first, &second]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("The chain holds: 5 entries, 1 to 5."), "{said}");
    assert!(said.contains(&format!("It ends at {head}")), "{said}");
    assert!(said.contains("It goes through the head that was noted (5)"), "{said}");
}

#[test]
fn standard_input_is_read_if_no_file_is_named() {
    let (lines, _) = chain(2);
    let mut child = Command::new(env!("CARGO_BIN_EXE_verify-audit"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // Without a line feed at the end, as an editor may leave it.
    child.stdin.take().unwrap().write_all(lines.join("\n").as_bytes()).unwrap();
    let (code, said) = read(child.wait_with_output().unwrap());
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("cannot be seen from here"), "{said}");
}

#[test]
fn what_was_changed_removed_or_cut_off_is_named() {
    let directory = TempDir::new().unwrap();
    let (lines, head) = chain(4);
    let mut changed = lines.clone();
    changed[2] = changed[2].replace("submitted", "deletedxx");
    let mut removed = lines.clone();
    removed.remove(1);
    for (name, tampered, sequence) in [
        ("changed", &changed[..], 3),
        ("removed", &removed[..], 2),
        ("beginning cut off", &lines[1..], 1),
        ("end cut off", &lines[..3], 4),
    ] {
        let file = write(&directory, "tampered.ndjson", tampered);
        let (code, said) = verify(&["--head", &head.to_string()], &[&file]);
        assert_eq!(code, Some(1), "{name}: {said}");
        assert!(said.starts_with(&format!("BROKEN at sequence {sequence}:")), "{name}: {said}");
    }
    // Files in the wrong order are a chain that does not hold either.
    let first = write(&directory, "1.ndjson", &lines[..2]);
    let second = write(&directory, "2.ndjson", &lines[2..]);
    assert_eq!(verify(&[], &[&second, &first]).0, Some(1));
}

#[test]
fn a_rewritten_chain_holds_by_itself_but_not_through_the_noted_head() {
    let directory = TempDir::new().unwrap();
    let (_, noted) = chain(3);
    let account = AccountId::from_uuid(Uuid::from_u128(1));
    let mut head = Head::START;
    let rewritten: Vec<String> = (1..=3)
        .map(|number| {
            let sealed = head.seal(account, format!("{{\"n\":{number}}}"));
            head = sealed.head();
            sealed.line().unwrap()
        })
        .collect();
    let file = write(&directory, "rewritten.ndjson", &rewritten);
    assert_eq!(verify(&[], &[&file]).0, Some(0));
    let (code, said) = verify(&["--head", &noted.to_string()], &[&file]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.starts_with("BROKEN at sequence 3:"), "{said}");
}

#[test]
fn a_part_says_what_it_takes_on_trust() {
    let directory = TempDir::new().unwrap();
    let (lines, _) = chain(4);
    let file = write(&directory, "part.ndjson", &lines[2..]);
    let (code, said) = verify(&["--from", "3"], &[&file]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("Entries 1 to 2 were not looked at"), "{said}");
}

#[test]
fn what_cannot_be_checked_is_neither() {
    let directory = TempDir::new().unwrap();
    let empty = write(&directory, "empty.ndjson", &[]);
    let missing = directory.path().join("missing.ndjson");
    for (arguments, files) in [
        (&[][..], vec![empty.as_path()]),
        (&[][..], vec![missing.as_path()]),
        (&["--head", "5"][..], vec![empty.as_path()]),
        (&["--from", "0"][..], vec![empty.as_path()]),
        (&["--unknown"][..], vec![empty.as_path()]),
    ] {
        let (code, said) = verify(arguments, &files);
        assert_eq!(code, Some(2), "{arguments:?}: {said}");
    }
    let start = Head::START.to_string();
    assert_eq!(verify(&["--head", &start], &[&empty]).0, Some(0));
    assert_eq!(verify(&["--help"], &[]).0, Some(0));
}

#[test]
fn a_line_without_end_does_not_fill_the_memory() {
    let directory = TempDir::new().unwrap();
    let file = write(&directory, "endless.ndjson", &["x".repeat(1024 * 1024)]);
    let (code, said) = verify(&[], &[&file]);
    assert_eq!(code, Some(1), "{said}");
}
