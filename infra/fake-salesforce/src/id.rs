//! Record ids: 15 case-sensitive characters, or 18 with a suffix that survives case folding.

use std::fmt;

/// The first three characters say which object a record belongs to.
const PREFIX: usize = 3;
/// Length of the case-sensitive form.
const SHORT: usize = 15;
/// Length of the form with the suffix; this is what the store keeps and every answer shows.
const LONG: usize = 18;
/// Each suffix character covers this many characters.
const GROUP: usize = 5;
/// The suffix alphabet: bit k of the index is set when character k of the group is an upper-case letter.
const SUFFIX: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";
/// The digits that record numbers are counted in.
const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// What stands for the instance in every id made here.
const INSTANCE: &str = "Fk0";
/// Digits left for the record number: 15 - prefix - instance.
const NUMBER_DIGITS: usize = 9;

/// A record id in its 18-character form.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecordId(String);

/// The text is not a record id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordIdError {
    /// Neither 15 nor 18 characters.
    #[error("a record id has 15 or 18 characters")]
    Length,
    /// A character outside `A-Z`, `a-z`, `0-9`.
    #[error("a record id has letters and digits only")]
    Alphabet,
    /// The last three characters do not belong to the first fifteen.
    #[error("the suffix of the record id is wrong")]
    Suffix,
}

impl RecordId {
    /// Reads a 15- or 18-character id.
    ///
    /// # Errors
    /// [`RecordIdError`] when the length, a character or the suffix is wrong.
    pub fn parse(text: &str) -> Result<RecordId, RecordIdError> {
        if text.len() != SHORT && text.len() != LONG {
            return Err(RecordIdError::Length);
        }
        if !text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(RecordIdError::Alphabet);
        }
        let short: String = text.chars().take(SHORT).collect();
        let long = with_suffix(&short);
        if text.len() == LONG && text != long {
            return Err(RecordIdError::Suffix);
        }
        Ok(RecordId(long))
    }

    /// The id of record `number` of the object with this key prefix.
    pub(crate) fn numbered(prefix: &str, number: u64) -> RecordId {
        let mut digits = [b'0'; NUMBER_DIGITS];
        let mut rest = number;
        for digit in digits.iter_mut().rev() {
            let index = usize::try_from(rest % 62).unwrap_or_default();
            *digit = BASE62.get(index).copied().unwrap_or(b'0');
            rest /= 62;
        }
        let number: String = digits.iter().map(|byte| char::from(*byte)).collect();
        RecordId(with_suffix(&format!("{prefix}{INSTANCE}{number}")))
    }

    /// The 18-character form.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The key prefix, e.g. `500` for a case.
    pub fn prefix(&self) -> &str {
        self.0.get(..PREFIX).unwrap_or_default()
    }
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn with_suffix(short: &str) -> String {
    let mut long = String::with_capacity(LONG);
    long.push_str(short);
    for group in short.as_bytes().chunks(GROUP) {
        let bits = group
            .iter()
            .enumerate()
            .fold(0_usize, |bits, (k, byte)| bits | (usize::from(byte.is_ascii_uppercase()) << k));
        long.push(SUFFIX.get(bits).map_or('A', |byte| char::from(*byte)));
    }
    long
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ids printed in Salesforce's own REST, outbound-message and composite documentation.
    const DOCUMENTED: [&str; 7] = [
        "00190000001pPvHAAU",
        "00190000001pPvOAAU",
        "001D000000IqhSLIAZ",
        "001D000000IRFmaIAH",
        "001D000000K0fXOIAZ",
        "001D000000INjVeIAL",
        "04l0800002nrC5BAAU",
    ];

    #[test]
    fn the_suffix_agrees_with_documented_ids() {
        for long in DOCUMENTED {
            assert_eq!(RecordId::parse(&long[..15]).unwrap().as_str(), long);
            assert_eq!(RecordId::parse(long).unwrap().as_str(), long);
        }
    }

    #[test]
    fn case_w16_wrong_suffix_length_and_alphabet_are_refused() {
        assert_eq!(RecordId::parse("001D000000IqhSLIAA"), Err(RecordIdError::Suffix));
        assert_eq!(RecordId::parse("001D000000IqhSlIAZ"), Err(RecordIdError::Suffix));
        assert_eq!(RecordId::parse("001D000000IqhSLI"), Err(RecordIdError::Length));
        assert_eq!(RecordId::parse("001D000000Iqh-L"), Err(RecordIdError::Alphabet));
        assert_ne!(RecordId::parse("001D000000IqhSL"), RecordId::parse("001D000000IqhSl"));
    }

    #[test]
    fn numbers_become_distinct_ids_of_the_object() {
        let one = RecordId::numbered("500", 1);
        let last = RecordId::numbered("500", 62_u64.pow(9) - 1);
        assert_eq!(one.as_str().len(), 18);
        assert_eq!(one.prefix(), "500");
        assert_ne!(one, last);
        assert_eq!(RecordId::parse(last.as_str()).unwrap(), last);
    }
}
