//! SOQL: a lexer, a recursive-descent parser and a translation to parameterised SQL.
//!
//! The grammar (keywords in any letter case):
//!
//! ```text
//! query     = "SELECT" ("COUNT()" | path {"," path}) "FROM" name ["WHERE" logic]
//!             ["ORDER BY" order {"," order}] ["LIMIT" int] ["OFFSET" int]
//! logic     = unary {"AND" unary} | unary {"OR" unary}        -- mixing needs parentheses, as in Salesforce
//! unary     = ["NOT"] ("(" logic ")" | condition)
//! condition = path ("=" | "!=" | "<>" | "<" | "<=" | ">" | ">=") literal
//!           | path "LIKE" string | path ["NOT"] "IN" "(" literal {"," literal} ")"
//! order     = path ["ASC" | "DESC"] ["NULLS" ("FIRST" | "LAST")]
//! path      = name {"." name}
//! literal   = string | number | "true" | "false" | "null" | date | datetime
//! ```
//!
//! Everything else (aggregates, subqueries, aliases, date literals such as `TODAY`) is `MALFORMED_QUERY`.

mod lexer;
mod parser;
mod plan;

pub(crate) use parser::parse;
pub(crate) use plan::Plan;

use crate::error::ApiError;

/// Longest query, as in Salesforce.
pub(crate) const QUERY_MAX: usize = 100_000;
/// Most literals in one query: SQLite takes 32,766 parameters.
const LITERALS_MAX: usize = 20_000;
/// Deepest nesting of parentheses and `NOT`.
const DEPTH_MAX: usize = 32;
/// Most selected fields.
const FIELDS_MAX: usize = 500;
/// Most parents that a path may climb, as in Salesforce.
const PARENTS_MAX: usize = 5;

/// A refused query: where and why. Shown with the text around the place and a caret, as Salesforce does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct QueryError {
    pub code: &'static str,
    /// Byte offset in the query.
    pub at: usize,
    pub message: String,
}

impl QueryError {
    fn malformed(at: usize, message: impl Into<String>) -> QueryError {
        QueryError { code: "MALFORMED_QUERY", at, message: message.into() }
    }

    /// The answer to the client.
    pub(crate) fn describe(&self, query: &str) -> ApiError {
        /// Characters shown on either side of the place.
        const CONTEXT: usize = 40;
        let before = query.get(..self.at).unwrap_or(query);
        let after = query.get(self.at..).unwrap_or_default();
        let row = before.matches('\n').count() + 1;
        let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
        let mut lead: Vec<char> = before.chars().rev().take(CONTEXT).collect();
        lead.reverse();
        let caret = " ".repeat(lead.len());
        let excerpt: String = lead
            .into_iter()
            .chain(after.chars().take(CONTEXT))
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        ApiError::bad(
            self.code,
            format!("\n{excerpt}\n{caret}^\nERROR at Row:{row}:Column:{column}\n{}", self.message),
        )
    }
}
