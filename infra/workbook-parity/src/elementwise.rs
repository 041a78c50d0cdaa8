//! `SUMPRODUCT(ROUND(hours*rates,2))`: a function of single numbers, taken of each element.
//!
//! Every spreadsheet program does that within `SUMPRODUCT`. IronCalc 0.9 does so for operators only, and for `MAP` with a
//! `LAMBDA`, so the one is written as the other before it is calculated. Both mean the same.

/// Functions of a number and how it is rounded.
const FUNCTIONS: [&str; 8] = ["ROUND", "ROUNDUP", "ROUNDDOWN", "CEILING", "FLOOR", "MROUND", "MOD", "TRUNC"];
/// Within this one, they are taken of each element.
const WITHIN: &str = "SUMPRODUCT";
/// Deepest nesting, which is Excel's own limit.
const DEPTH_MAX: u8 = 64;
/// Longest formula, in bytes: Excel's has 8,192 characters.
const FORMULA_BYTES_MAX: usize = 4 * 8_192;

/// The formula as IronCalc understands it; none if it does already.
pub(crate) fn spelled_out(formula: &str) -> Option<String> {
    if formula.len() > FORMULA_BYTES_MAX || !formula.contains(WITHIN) {
        return None;
    }
    rewritten(formula, false, 0).filter(|other| other != formula)
}

/// `within` says whether it stands in a `SUMPRODUCT`. None where brackets do not match.
fn rewritten(text: &str, within: bool, depth: u8) -> Option<String> {
    if depth > DEPTH_MAX {
        return None;
    }
    let mut written = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' | '\'' => quoted(rest, first)?,
            _ if first.is_ascii_alphabetic() => word(rest),
            _ => first.len_utf8(),
        };
        let (taken, left) = rest.split_at_checked(length)?;
        rest = left;
        written.push_str(taken);
        if let (true, Some(inner)) = (first.is_ascii_alphabetic(), left.strip_prefix('(')) {
            let (inner, after) = inner.split_at_checked(closing(inner)?)?;
            written.truncate(written.len() - taken.len());
            written.push_str(&call(taken, inner, within, depth)?);
            rest = after.strip_prefix(')')?;
        }
    }
    Some(written)
}

fn call(function: &str, inner: &str, within: bool, depth: u8) -> Option<String> {
    let within = within || function == WITHIN;
    let arguments: Vec<String> =
        arguments(inner)?.into_iter().map(|one| rewritten(one, within, depth + 1)).collect::<Option<_>>()?;
    match arguments.as_slice() {
        [of, how] if within && FUNCTIONS.contains(&function) && of.contains(':') => {
            Some(format!("MAP({of},LAMBDA(element,{function}(element,{how})))"))
        }
        _ => Some(format!("{function}({})", arguments.join(","))),
    }
}

/// Bytes of a word at the beginning.
fn word(text: &str) -> usize {
    let within = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
    text.find(|c| !within(c)).unwrap_or(text.len())
}

/// Bytes of what is quoted at the beginning, quotes included.
fn quoted(text: &str, quote: char) -> Option<usize> {
    // A quote within is written twice, and that reads as two texts next to each other.
    text.char_indices().skip(1).find(|(_, c)| *c == quote).map(|(at, _)| at + quote.len_utf8())
}

/// Where the bracket is closed that was opened before `text`.
fn closing(text: &str) -> Option<usize> {
    outermost(text)?.into_iter().find(|(_, c)| *c == ')').map(|(at, _)| at)
}

/// The arguments between the brackets of a call.
fn arguments(text: &str) -> Option<Vec<&str>> {
    let mut arguments = Vec::new();
    let mut from = 0;
    for (at, _) in outermost(text)?.into_iter().filter(|(_, c)| *c == ',') {
        arguments.push(text.get(from..at)?);
        from = at + 1;
    }
    arguments.push(text.get(from..)?);
    Some(arguments)
}

/// Commas and closing brackets that stand in no bracket or quotes that `text` opens; nothing after such a bracket.
fn outermost(text: &str) -> Option<Vec<(usize, char)>> {
    let mut found = Vec::new();
    let (mut open, mut quote) = (0_usize, None);
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(end), _) if c == end => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '(' | '{') => open += 1,
            (None, ')' | '}') if open > 0 => open -= 1,
            (None, ')') => {
                found.push((at, c));
                return Some(found);
            }
            (None, ',') if open == 0 => found.push((at, c)),
            (None, _) => {}
        }
    }
    quote.is_none().then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_within_a_sumproduct_are_taken_of_each_element() {
        for (formula, expected) in [
            (
                "=SUMPRODUCT(ROUND(A1:A3*B1:B3,2))",
                "=SUMPRODUCT(MAP(A1:A3*B1:B3,LAMBDA(element,ROUND(element,2))))",
            ),
            (
                "=ROUND(SUMPRODUCT(CEILING('a (b), c'!A1:A3,15)/60,B1:B3),2)",
                "=ROUND(SUMPRODUCT(MAP('a (b), c'!A1:A3,LAMBDA(element,CEILING(element,15)))/60,B1:B3),2)",
            ),
            (
                "=SUMPRODUCT(ROUND(MROUND(A1:A3,6)/60,2)*B1:B3)",
                "=SUMPRODUCT(MAP(MAP(A1:A3,LAMBDA(element,MROUND(element,6)))/60,LAMBDA(element,ROUND(element,2)))*B1:B3)",
            ),
        ] {
            assert_eq!(spelled_out(formula).as_deref(), Some(expected));
        }
    }

    #[test]
    fn other_formulas_stay_as_they_are() {
        for formula in [
            "=SUMPRODUCT(A1:A3,B1:B3)",
            "=ROUND(A1*B1,2)",
            "=ROUND(SUM(A1:A3),2)+SUMPRODUCT(A1:A3)",
            "=SUMPRODUCT(ROUND(A1,2),B1:B3)",
            "=IF(A1=\"SUMPRODUCT(ROUND(A1:A3,2))\",1,0)",
            "=SUMPRODUCT(ROUND(A1:A3,2)",
            "=\"SUMPRODUCT",
        ] {
            assert_eq!(spelled_out(formula), None, "{formula}");
        }
    }
}
