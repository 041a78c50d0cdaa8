//! Salesforce record ids: 15 case-sensitive characters, or 18 with a suffix that survives case folding.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A Salesforce record id, always kept in its 18-character form.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SalesforceId([u8; 18]);

/// The text is not a Salesforce record id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MalformedSalesforceId {
    /// Neither 15 nor 18 letters and digits.
    #[error("a Salesforce id has 15 or 18 letters and digits")]
    Shape,
    /// The last three characters do not belong to the first fifteen.
    #[error("the last three characters of this Salesforce id do not fit the others")]
    Suffix,
}

impl SalesforceId {
    /// The 18-character form.
    pub fn as_str(&self) -> &str {
        // Only ASCII letters and digits are ever stored.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The three characters that say which kind of record this is, such as `500` for a case.
    pub fn key_prefix(&self) -> &str {
        self.as_str().get(..3).unwrap_or_default()
    }
}

/// One character for each group of five: bit k is set where character k is an upper-case letter.
fn suffix(of: [u8; 15]) -> [u8; 3] {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";
    let mut out = [0; 3];
    for (group, slot) in of.chunks(5).zip(&mut out) {
        let bits =
            group.iter().rev().fold(0_usize, |bits, c| bits << 1 | usize::from(c.is_ascii_uppercase()));
        *slot = ALPHABET.get(bits).copied().unwrap_or(b'A');
    }
    out
}

impl FromStr for SalesforceId {
    type Err = MalformedSalesforceId;

    fn from_str(text: &str) -> Result<Self, MalformedSalesforceId> {
        if !text.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Err(MalformedSalesforceId::Shape);
        }
        let (id, given) = text.as_bytes().split_first_chunk::<15>().ok_or(MalformedSalesforceId::Shape)?;
        let suffix = suffix(*id);
        match given.len() {
            0 => {}
            3 if given == suffix => {}
            3 => return Err(MalformedSalesforceId::Suffix),
            _ => return Err(MalformedSalesforceId::Shape),
        }
        let mut whole = [0; 18];
        for (slot, byte) in whole.iter_mut().zip(id.iter().chain(&suffix)) {
            *slot = *byte;
        }
        Ok(Self(whole))
    }
}

impl TryFrom<String> for SalesforceId {
    type Error = MalformedSalesforceId;

    fn try_from(text: String) -> Result<Self, MalformedSalesforceId> {
        text.parse()
    }
}

impl From<SalesforceId> for String {
    fn from(id: SalesforceId) -> String {
        id.as_str().to_owned()
    }
}

impl fmt::Display for SalesforceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for SalesforceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pairs from Salesforce's documentation of the 18-character form.
    #[test]
    fn case_w16_the_suffix_is_the_documented_one() {
        for (short, long) in [
            ("00130000000Gb3O", "00130000000Gb3OAAS"),
            ("a0B3000000DpTPB", "a0B3000000DpTPBEA3"),
            ("001A0000006Vm9r", "001A0000006Vm9rIAC"),
        ] {
            let id: SalesforceId = short.parse().unwrap();
            assert_eq!(id.as_str(), long);
            assert_eq!(long.parse(), Ok(id));
        }
    }

    #[test]
    fn case_w16_wrong_suffixes_and_shapes_are_refused() {
        assert_eq!("00130000000Gb3OAAA".parse::<SalesforceId>(), Err(MalformedSalesforceId::Suffix));
        for text in
            ["", "500", "00130000000Gb3OA", "00130000000Gb3'", "00130000000Gb3OAASx", "00130000000Gb3é"]
        {
            assert_eq!(text.parse::<SalesforceId>(), Err(MalformedSalesforceId::Shape), "{text}");
        }
    }

    #[test]
    fn case_w16_ids_that_differ_only_in_case_stay_apart() {
        let lower: SalesforceId = "00130000000gb3o".parse().unwrap();
        let upper: SalesforceId = "00130000000GB3O".parse().unwrap();
        assert_ne!(lower, upper);
        assert_ne!(lower.as_str().to_ascii_lowercase(), upper.as_str().to_ascii_lowercase());
    }
}
