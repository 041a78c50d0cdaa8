//! Text that people typed: trimmed, bounded, without control characters.

use serde::{Deserialize, Serialize};

/// Why a text is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// Nothing but white space.
    #[error("must not be empty")]
    Empty,
    /// More characters than the field holds.
    #[error("must have at most {limit} characters, has {length}")]
    TooLong {
        /// Most characters that the field holds.
        limit: usize,
        /// Characters that were given.
        length: usize,
    },
    /// A control character that no keyboard types on purpose.
    #[error("must not contain control characters")]
    ControlCharacter,
}

/// One line of 1 to `MAX` characters (Unicode scalar values), trimmed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Line<const MAX: usize>(String);

impl<const MAX: usize> Line<MAX> {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<const MAX: usize> TryFrom<String> for Line<MAX> {
    type Error = TextError;

    fn try_from(text: String) -> Result<Self, TextError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(TextError::Empty);
        }
        if text.chars().any(char::is_control) {
            return Err(TextError::ControlCharacter);
        }
        within(text, MAX).map(Self)
    }
}

impl<const MAX: usize> From<Line<MAX>> for String {
    fn from(line: Line<MAX>) -> String {
        line.0
    }
}

/// Up to `MAX` characters over any number of lines, trimmed; may be empty.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Paragraphs<const MAX: usize>(String);

impl<const MAX: usize> Paragraphs<MAX> {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<const MAX: usize> TryFrom<String> for Paragraphs<MAX> {
    type Error = TextError;

    fn try_from(text: String) -> Result<Self, TextError> {
        let text = text.replace("\r\n", "\n");
        let text = text.trim();
        if text.chars().any(|c| c.is_control() && c != '\n' && c != '\t') {
            return Err(TextError::ControlCharacter);
        }
        within(text, MAX).map(Self)
    }
}

impl<const MAX: usize> From<Paragraphs<MAX>> for String {
    fn from(text: Paragraphs<MAX>) -> String {
        text.0
    }
}

fn within(text: &str, limit: usize) -> Result<String, TextError> {
    let length = text.chars().count();
    if length > limit { Err(TextError::TooLong { limit, length }) } else { Ok(text.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_trimmed_bounded_and_free_of_control_characters() {
        assert_eq!(Line::<5>::try_from("  a b \n".to_owned()).unwrap().as_str(), "a b");
        assert_eq!(Line::<5>::try_from(" \t ".to_owned()), Err(TextError::Empty));
        assert_eq!(Line::<5>::try_from("a\nb".to_owned()), Err(TextError::ControlCharacter));
        assert_eq!(Line::<5>::try_from("äöüßéx".to_owned()), Err(TextError::TooLong { limit: 5, length: 6 }));
    }

    #[test]
    fn paragraphs_keep_their_line_breaks() {
        assert_eq!(Paragraphs::<9>::try_from("a\r\nb\tc".to_owned()).unwrap().as_str(), "a\nb\tc");
        assert_eq!(Paragraphs::<9>::try_from("a\u{0}".to_owned()), Err(TextError::ControlCharacter));
    }
}
