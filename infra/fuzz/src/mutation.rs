//! Ways to break an input: its bytes, the elements of an XML text, the values of a JSON text.

use std::ops::Range;

use serde_json::{Map, Value};

use crate::Random;

/// What an input is made of, apart from bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Structure {
    /// Elements, perhaps behind something else.
    Xml,
    /// Values, perhaps behind something else.
    Json,
}

/// Most changes of one input.
const CHANGES_MAX: usize = 6;
/// How often a part is repeated at most; enough to come to every limit of a parser.
const REPETITIONS_MAX: usize = 60_000;
/// One in how many repetitions may be as long.
const RARELY: usize = 200;
/// How often a part is repeated at most, most of the time: small inputs are read a thousand times as fast.
const REPETITIONS_USUAL: usize = 250;

/// Words that parsers treat in a way of their own.
const WORDS: &[&str] = &[
    "<!DOCTYPE a [<!ENTITY b \"c\">]>",
    "<!DOCTYPE a SYSTEM \"file:///etc/passwd\">",
    "&b;",
    "&amp;",
    "&#0;",
    "&#xFFFFFFFF;",
    "<![CDATA[",
    "]]>",
    "<!--",
    "-->",
    "<?xml version=\"1.0\" encoding=\"UTF-16\"?>",
    "<?php ?>",
    " xmlns=\"\"",
    " xmlns:sf=\"urn:sobject.enterprise.soap.sforce.com\"",
    " xsi:type=\"sf:Case\"",
    " xsi:nil=\"true\"",
    "<sObject/>",
    "<Id>04l000000000001AAA</Id>",
    "</Notification>",
    "/>",
    "\u{feff}",
    "\0",
    "\"",
    "\\u0000",
    "\\ud800",
    "null",
    "[]",
    "{}",
    "-0",
    "1e999",
    "500*",
    "000000000000000AAA",
    "500Fk0000000001IAA",
    "500Fk0000000001",
    "v1=",
    ".",
    "\n",
];

/// A broken copy of `input`, of at most `bytes_max` bytes.
pub fn broken(
    input: &[u8],
    other: &[u8],
    structure: Structure,
    random: &mut Random,
    bytes_max: usize,
) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..random.scale(CHANGES_MAX) {
        bytes = match random.below(3) {
            0 => by_bytes(bytes, other, random),
            _ => match structure {
                Structure::Xml => by_elements(bytes, random, bytes_max),
                Structure::Json => by_values(bytes, random, bytes_max),
            },
        };
        bytes.truncate(bytes_max);
    }
    bytes
}

fn repetitions(random: &mut Random) -> usize {
    let most = if random.once_in(RARELY) { REPETITIONS_MAX } else { REPETITIONS_USUAL };
    random.scale(most)
}

fn range(length: usize, random: &mut Random) -> Range<usize> {
    let start = random.below(length.saturating_add(1));
    let end = start.saturating_add(random.scale(length.max(1))).min(length);
    start..end.max(start)
}

fn part(bytes: &[u8], range: Range<usize>) -> &[u8] {
    bytes.get(range).unwrap_or_default()
}

fn by_bytes(mut bytes: Vec<u8>, other: &[u8], random: &mut Random) -> Vec<u8> {
    let here = range(bytes.len(), random);
    match random.below(8) {
        0 => {
            let place = random.below(bytes.len());
            if let Some(byte) = bytes.get_mut(place) {
                *byte ^= 1 << random.below(8);
            }
        }
        1 => {
            let place = random.below(bytes.len());
            if let Some(byte) = bytes.get_mut(place) {
                *byte =
                    random.pick(b"\0<>&;:/=\"'{}[],\\ \n\t\x7f\xff\xc0\xed0A").copied().unwrap_or_default();
            }
        }
        2 => drop(bytes.drain(here)),
        3 => {
            let copy = part(&bytes, here.clone()).to_vec();
            drop(bytes.splice(here.start..here.start, copy));
        }
        4 => bytes.truncate(here.start),
        5 => {
            let from = part(other, range(other.len(), random)).to_vec();
            drop(bytes.splice(here, from));
        }
        _ => {
            let word = random.pick(WORDS).copied().unwrap_or_default();
            drop(bytes.splice(here.start..here.start, word.bytes()));
        }
    }
    bytes
}

/// Where the tags and texts of an XML text are, as far as it can be told.
fn tokens(bytes: &[u8]) -> Vec<Range<usize>> {
    let mut tokens = Vec::new();
    let mut start = 0;
    for (place, byte) in bytes.iter().enumerate() {
        let end = match byte {
            b'<' => place,
            b'>' => place + 1,
            _ => continue,
        };
        if end > start {
            tokens.push(start..end);
            start = end;
        }
    }
    tokens.push(start..bytes.len());
    tokens
}

/// The element that begins with the tag at `first`, to its end.
fn element(bytes: &[u8], tokens: &[Range<usize>], first: usize) -> Range<usize> {
    let mut depth = 0_usize;
    let start = tokens.get(first).map_or(0, |token| token.start);
    for token in tokens.iter().skip(first) {
        let text = part(bytes, token.clone());
        if text.starts_with(b"</") {
            depth = depth.saturating_sub(1);
        } else if text.starts_with(b"<") && !text.ends_with(b"/>") {
            depth += 1;
        }
        if depth == 0 {
            return start..token.end;
        }
    }
    start..bytes.len()
}

fn by_elements(mut bytes: Vec<u8>, random: &mut Random, bytes_max: usize) -> Vec<u8> {
    let tokens = tokens(&bytes);
    let here = element(&bytes, &tokens, random.below(tokens.len()));
    let text = part(&bytes, here.clone()).to_vec();
    match random.below(9) {
        0 => drop(bytes.drain(here)),
        1 => {
            let room = bytes_max.saturating_sub(bytes.len()) / text.len().max(1);
            let copies = text.repeat(repetitions(random).min(room));
            drop(bytes.splice(here.start..here.start, copies));
        }
        2 => {
            let there = element(&bytes, &tokens, random.below(tokens.len()));
            drop(bytes.splice(there.start..there.start, text));
        }
        3 => {
            // Into itself, again and again.
            let depth = random.scale(200);
            let (open, close) = (b"<sf:a>".repeat(depth), b"</sf:a>".repeat(depth));
            drop(bytes.splice(here, [open, text, close].concat()));
        }
        4 => {
            let attributes = attributes(random, bytes_max.saturating_sub(bytes.len()));
            if let Some(token) = tokens.get(random.below(tokens.len())) {
                let at = token.end.saturating_sub(1);
                drop(bytes.splice(at..at, attributes));
            }
        }
        5 => {
            let word = random.pick(WORDS).copied().unwrap_or_default();
            drop(bytes.splice(here.start..here.start, word.bytes()));
        }
        6 => {
            // Other prefixes, with or without their declaration.
            let (from, to) = match random.below(4) {
                0 => ("sf:", "x:"),
                1 => ("xmlns:sf", "xmlns:x"),
                2 => ("soapenv", "S"),
                _ => ("xsi", "sf"),
            };
            bytes = String::from_utf8_lossy(&bytes).replace(from, to).into_bytes();
        }
        7 => {
            let (from, to) = match random.below(4) {
                0 => ("http://soap.sforce.com/2005/09/outbound", "http://soap.sforce.com/2005/09/inbound"),
                1 => ("urn:sobject.enterprise.soap.sforce.com", "urn:sobject.partner.soap.sforce.com"),
                2 => ("IAA", ""),
                _ => ("Id>", "ID>"),
            };
            bytes = String::from_utf8_lossy(&bytes).replacen(from, to, random.scale(4)).into_bytes();
        }
        _ => {
            let filler = b" \n".repeat(repetitions(random));
            drop(bytes.splice(here.start..here.start, filler));
        }
    }
    bytes
}

fn attributes(random: &mut Random, room: usize) -> Vec<u8> {
    let name = random.pick(&[" a", " xmlns:a", " xsi:type", " sf:a"]).copied().unwrap_or_default();
    let (count, distinct) = (repetitions(random), !random.once_in(4));
    let mut bytes = Vec::new();
    for place in 0..count {
        let number = if distinct { place.to_string() } else { String::new() };
        bytes.extend_from_slice(format!("{name}{number}=\"\"").as_bytes());
        if bytes.len() > room {
            break;
        }
    }
    bytes
}

fn by_values(bytes: Vec<u8>, random: &mut Random, bytes_max: usize) -> Vec<u8> {
    let start = bytes.iter().position(|byte| *byte == b'{').unwrap_or_default();
    let (head, json) = bytes.split_at_checked(start).unwrap_or((&bytes, &[]));
    let Ok(mut value) = serde_json::from_slice::<Value>(json) else {
        let other = bytes.clone();
        return by_bytes(bytes, &other, random);
    };
    let room = bytes_max.saturating_sub(bytes.len());
    let depth = random.below(8);
    change(&mut value, depth, random, room);
    let mut text = value.to_string();
    if random.once_in(6) {
        // What no value holds: a name that stands twice.
        let name =
            random.pick(&["records", "organization_id", "object", "id", "recordIds", "entityName", "detail"]);
        if let Some(name) = name {
            let twice = format!("\"{name}\":null,\"{name}\":");
            text = text.replacen(&format!("\"{name}\":"), &twice, 1);
        }
    }
    [head, text.as_bytes()].concat()
}

/// Changes a value that lies `depth` levels below this one.
fn change(value: &mut Value, depth: usize, random: &mut Random, room: usize) {
    let inner = match value {
        Value::Array(items) if depth > 0 && !items.is_empty() => {
            let place = random.below(items.len());
            items.get_mut(place)
        }
        Value::Object(entries) if depth > 0 && !entries.is_empty() => {
            let place = random.below(entries.len());
            entries.values_mut().nth(place)
        }
        _ => None,
    };
    if let Some(inner) = inner {
        return change(inner, depth - 1, random, room);
    }
    match random.below(8) {
        0 => *value = Value::Null,
        1 => *value = Value::from(random.draw()),
        2 => *value = Value::from(random.pick(WORDS).copied().unwrap_or_default()),
        3 => *value = Value::from("x".repeat(repetitions(random))),
        4 => {
            for _ in 0..random.scale(200) {
                *value = Value::Array(vec![value.take()]);
            }
        }
        5 => {
            let size = value.to_string().len().max(1);
            let copies = repetitions(random).min(room / size);
            let copy = value.clone();
            match value {
                Value::Array(items) => {
                    let again = items.clone();
                    for _ in 0..copies {
                        items.extend_from_slice(&again);
                    }
                }
                other => *other = Value::Array(vec![copy; copies]),
            }
        }
        6 => {
            if let Value::Object(entries) = value {
                let name = entries.keys().nth(random.below(entries.len())).cloned();
                name.and_then(|name| entries.remove(&name));
            }
        }
        _ => match value {
            Value::Object(entries) => {
                for place in 0..random.scale(2_000) {
                    entries.insert(format!("unknown{place}"), Value::Bool(true));
                }
            }
            other => *other = Value::Object(Map::from_iter([("a".to_owned(), other.take())])),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SURFACES;

    #[test]
    fn the_same_seed_breaks_the_same_inputs() {
        for surface in SURFACES {
            let inputs = |seed| {
                let mut random = Random::new(seed);
                let broken = |random: &mut Random| {
                    super::broken(surface.corpus[0], surface.corpus[1], surface.structure, random, 10_000)
                };
                (0..50).map(|_| broken(&mut random)).collect::<Vec<_>>()
            };
            assert_eq!(inputs(7), inputs(7));
            assert_ne!(inputs(7), inputs(8));
            assert!(inputs(7).iter().all(|input| input.len() <= 10_000));
        }
    }
}
