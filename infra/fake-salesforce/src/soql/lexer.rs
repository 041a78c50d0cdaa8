//! Characters to tokens, each with its place.

use jiff::{Timestamp, civil};

use super::QueryError;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// A name, keyword or dotted path.
    Word(String),
    Text(Text),
    Number(f64),
    Date(civil::Date),
    DateTime(Timestamp),
    Comma,
    Open,
    Close,
    Compare(Compare),
    End,
}

/// A string literal: its value, and the same as a pattern in which only unescaped `%` and `_` are wild.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Text {
    pub value: String,
    /// For `LIKE ... ESCAPE '\'`.
    pub pattern: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compare {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// A token and the byte offset where it starts.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Placed {
    pub token: Token,
    pub at: usize,
}

/// Splits a query into tokens; the last one is [`Token::End`].
pub(super) fn tokens(query: &str) -> Result<Vec<Placed>, QueryError> {
    let mut tokens = Vec::new();
    let mut rest = query;
    loop {
        rest = rest.trim_start();
        let at = query.len() - rest.len();
        let Some(first) = rest.chars().next() else {
            tokens.push(Placed { token: Token::End, at });
            return Ok(tokens);
        };
        let (token, length) = match first {
            ',' => (Token::Comma, 1),
            '(' => (Token::Open, 1),
            ')' => (Token::Close, 1),
            '=' | '!' | '<' | '>' => comparison(rest, at)?,
            '\'' => string(rest, at)?,
            '0'..='9' | '-' | '+' => number_or_time(rest, at)?,
            c if c.is_ascii_alphabetic() || c == '_' => word(rest),
            _ => {
                return Err(QueryError::malformed(
                    at,
                    format!("unexpected character: '{}'", first.escape_debug()),
                ));
            }
        };
        tokens.push(Placed { token, at });
        rest = rest.get(length..).unwrap_or_default();
    }
}

fn comparison(rest: &str, at: usize) -> Result<(Token, usize), QueryError> {
    const OPERATORS: [(&str, Compare); 7] = [
        ("<=", Compare::LessOrEqual),
        (">=", Compare::GreaterOrEqual),
        ("<>", Compare::NotEqual),
        ("!=", Compare::NotEqual),
        ("=", Compare::Equal),
        ("<", Compare::Less),
        (">", Compare::Greater),
    ];
    OPERATORS
        .iter()
        .find(|(text, _)| rest.starts_with(text))
        .map(|(text, operator)| (Token::Compare(*operator), text.len()))
        .ok_or_else(|| QueryError::malformed(at, "unexpected token: '!'"))
}

fn word(rest: &str) -> (Token, usize) {
    let length =
        rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '.')).unwrap_or(rest.len());
    (Token::Word(rest.get(..length).unwrap_or_default().to_owned()), length)
}

fn string(rest: &str, at: usize) -> Result<(Token, usize), QueryError> {
    let mut text = Text::default();
    let mut chars = rest.char_indices().skip(1);
    while let Some((index, c)) = chars.next() {
        match c {
            '\'' => return Ok((Token::Text(text), index + 1)),
            '\\' => {
                let Some((_, escaped)) = chars.next() else { break };
                let value = match escaped {
                    'n' | 'N' => '\n',
                    'r' | 'R' => '\r',
                    't' | 'T' => '\t',
                    'b' | 'B' => '\u{8}',
                    'f' | 'F' => '\u{c}',
                    'u' | 'U' => unicode(&mut chars)
                        .ok_or_else(|| QueryError::malformed(at + index, "invalid unicode escape"))?,
                    '"' | '\'' | '\\' | '%' | '_' => escaped,
                    _ => {
                        let message = format!("invalid string escape: '\\{}'", escaped.escape_debug());
                        return Err(QueryError::malformed(at + index, message));
                    }
                };
                text.value.push(value);
                if matches!(value, '%' | '_' | '\\') {
                    text.pattern.push('\\');
                }
                text.pattern.push(value);
            }
            _ => {
                text.value.push(c);
                text.pattern.push(c);
            }
        }
    }
    Err(QueryError::malformed(at, "unterminated string literal"))
}

fn unicode(chars: &mut impl Iterator<Item = (usize, char)>) -> Option<char> {
    let digits: String = chars.take(4).map(|(_, c)| c).collect();
    if digits.chars().count() != 4 {
        return None;
    }
    u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32)
}

/// `-12.5`, `2026-11-22` or `2026-11-22T01:02:03+01:00`: whatever runs without a gap must be one of them.
fn number_or_time(rest: &str, at: usize) -> Result<(Token, usize), QueryError> {
    let length = rest
        .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '+' | '.' | ':' | '_')))
        .unwrap_or(rest.len());
    let text = rest.get(..length).unwrap_or_default();
    let plain = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'-' | b'+'));
    if let (true, Ok(number)) = (plain, text.parse::<f64>()) {
        return Ok((Token::Number(number), length));
    }
    if text.len() == 10
        && let Ok(date) = text.parse::<civil::Date>()
    {
        return Ok((Token::Date(date), length));
    }
    if text.contains(['T', 't'])
        && let Ok(time) = text.parse::<Timestamp>()
    {
        return Ok((Token::DateTime(time), length));
    }
    Err(QueryError::malformed(at, format!("unexpected token: '{text}'")))
}
