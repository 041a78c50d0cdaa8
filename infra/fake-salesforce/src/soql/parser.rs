//! Tokens to a syntax tree. Names are not looked up here; see [`super::plan`].

use jiff::{Timestamp, civil};

pub(super) use super::lexer::{Compare, Text};
use super::{
    DEPTH_MAX, FIELDS_MAX, LITERALS_MAX, QUERY_MAX, QueryError,
    lexer::{Placed, Token, tokens},
};

/// A parsed query.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Query {
    pub(super) select: Select,
    pub(super) from: Path,
    pub(super) filter: Option<Logic>,
    pub(super) order: Vec<Order>,
    pub(super) limit: Option<u32>,
    pub(super) offset: Option<(u32, usize)>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Select {
    Count,
    Fields(Vec<Path>),
}

/// A dotted name and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Path {
    pub text: String,
    pub at: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Logic {
    And(Vec<Logic>),
    Or(Vec<Logic>),
    Not(Box<Logic>),
    Compare(Path, Compare, PlacedLiteral),
    Like(Path, PlacedLiteral),
    In { path: Path, negated: bool, values: Vec<PlacedLiteral> },
}

/// A literal and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct PlacedLiteral {
    pub literal: Literal,
    pub at: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Literal {
    Text(Text),
    Number(f64),
    Boolean(bool),
    Null,
    Date(civil::Date),
    DateTime(Timestamp),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Order {
    pub path: Path,
    pub descending: bool,
    pub nulls_last: bool,
}

/// Parses a query.
///
/// # Errors
/// `MALFORMED_QUERY` with the place of the first token that does not fit.
pub(crate) fn parse(query: &str) -> Result<Query, QueryError> {
    if query.len() > QUERY_MAX {
        return Err(QueryError::malformed(0, "SOQL statements cannot be longer than 100000 characters."));
    }
    Parser { tokens: tokens(query)?, next: 0, literals: 0 }.query()
}

struct Parser {
    tokens: Vec<Placed>,
    next: usize,
    literals: usize,
}

impl Parser {
    fn query(mut self) -> Result<Query, QueryError> {
        self.expect("SELECT")?;
        let select = self.select()?;
        self.expect("FROM")?;
        let from = self.path()?;
        let filter = if self.keyword("WHERE") { Some(self.logic(0)?) } else { None };
        let mut order = Vec::new();
        if self.keyword("ORDER") {
            self.expect("BY")?;
            order.push(self.order()?);
            while self.take(&Token::Comma) {
                order.push(self.order()?);
            }
        }
        let limit = if self.keyword("LIMIT") { Some(self.count()?.0) } else { None };
        let offset = if self.keyword("OFFSET") { Some(self.count()?) } else { None };
        match self.peek() {
            Token::End => Ok(Query { select, from, filter, order, limit, offset }),
            _ => Err(self.unexpected()),
        }
    }

    fn select(&mut self) -> Result<Select, QueryError> {
        let first = self.path()?;
        if self.take(&Token::Open) {
            let count = first.text.eq_ignore_ascii_case("COUNT");
            if !count {
                return Err(QueryError::malformed(first.at, format!("unexpected token: '{}'", first.text)));
            }
            self.close()?;
            return Ok(Select::Count);
        }
        let mut fields = vec![first];
        while self.take(&Token::Comma) {
            fields.push(self.path()?);
            if fields.len() > FIELDS_MAX {
                return Err(QueryError::malformed(self.at(), format!("more than {FIELDS_MAX} fields")));
            }
        }
        Ok(Select::Fields(fields))
    }

    /// `AND` and `OR` do not mix without parentheses: Salesforce refuses that as well.
    fn logic(&mut self, depth: usize) -> Result<Logic, QueryError> {
        if depth > DEPTH_MAX {
            return Err(QueryError::malformed(self.at(), format!("nested deeper than {DEPTH_MAX}")));
        }
        let first = self.unary(depth)?;
        let (word, join): (&str, fn(Vec<Logic>) -> Logic) = match self.peek() {
            Token::Word(word) if word.eq_ignore_ascii_case("AND") => ("AND", Logic::And),
            Token::Word(word) if word.eq_ignore_ascii_case("OR") => ("OR", Logic::Or),
            _ => return Ok(first),
        };
        let mut terms = vec![first];
        while self.keyword(word) {
            terms.push(self.unary(depth)?);
        }
        Ok(join(terms))
    }

    fn unary(&mut self, depth: usize) -> Result<Logic, QueryError> {
        if self.keyword("NOT") {
            if depth >= DEPTH_MAX {
                return Err(QueryError::malformed(self.at(), format!("nested deeper than {DEPTH_MAX}")));
            }
            return Ok(Logic::Not(Box::new(self.unary(depth + 1)?)));
        }
        if self.take(&Token::Open) {
            let inner = self.logic(depth + 1)?;
            self.close()?;
            return Ok(inner);
        }
        self.condition()
    }

    fn condition(&mut self) -> Result<Logic, QueryError> {
        let path = self.path()?;
        if let Token::Compare(operator) = *self.peek() {
            self.next += 1;
            return Ok(Logic::Compare(path, operator, self.literal()?));
        }
        if self.keyword("LIKE") {
            return Ok(Logic::Like(path, self.literal()?));
        }
        let negated = self.keyword("NOT");
        self.expect("IN")?;
        if !self.take(&Token::Open) {
            return Err(self.unexpected());
        }
        let mut values = vec![self.literal()?];
        while self.take(&Token::Comma) {
            values.push(self.literal()?);
        }
        self.close()?;
        Ok(Logic::In { path, negated, values })
    }

    fn order(&mut self) -> Result<Order, QueryError> {
        let path = self.path()?;
        let descending = self.keyword("DESC");
        if !descending {
            self.keyword("ASC");
        }
        let mut nulls_last = false;
        if self.keyword("NULLS") {
            nulls_last = self.keyword("LAST");
            if !nulls_last {
                self.expect("FIRST")?;
            }
        }
        Ok(Order { path, descending, nulls_last })
    }

    fn literal(&mut self) -> Result<PlacedLiteral, QueryError> {
        let at = self.at();
        let literal = match self.peek() {
            Token::Text(text) => Literal::Text(text.clone()),
            Token::Number(number) => Literal::Number(*number),
            Token::Date(date) => Literal::Date(*date),
            Token::DateTime(time) => Literal::DateTime(*time),
            Token::Word(word) if word.eq_ignore_ascii_case("true") => Literal::Boolean(true),
            Token::Word(word) if word.eq_ignore_ascii_case("false") => Literal::Boolean(false),
            Token::Word(word) if word.eq_ignore_ascii_case("null") => Literal::Null,
            _ => return Err(self.unexpected()),
        };
        self.next += 1;
        self.literals += 1;
        if self.literals > LITERALS_MAX {
            return Err(QueryError::malformed(at, format!("more than {LITERALS_MAX} literals")));
        }
        Ok(PlacedLiteral { literal, at })
    }

    fn count(&mut self) -> Result<(u32, usize), QueryError> {
        let at = self.at();
        let Token::Number(number) = *self.peek() else { return Err(self.unexpected()) };
        let Ok(count) = number.to_string().parse::<u32>() else { return Err(self.unexpected()) };
        self.next += 1;
        Ok((count, at))
    }

    /// A name that is no keyword.
    fn path(&mut self) -> Result<Path, QueryError> {
        const RESERVED: [&str; 14] = [
            "SELECT", "FROM", "WHERE", "AND", "OR", "NOT", "IN", "LIKE", "ORDER", "LIMIT", "OFFSET", "NULL",
            "TRUE", "FALSE",
        ];
        let at = self.at();
        match self.peek() {
            Token::Word(text) if !RESERVED.iter().any(|word| word.eq_ignore_ascii_case(text)) => {
                let path = Path { text: text.clone(), at };
                self.next += 1;
                Ok(path)
            }
            _ => Err(self.unexpected()),
        }
    }

    fn close(&mut self) -> Result<(), QueryError> {
        if self.take(&Token::Close) { Ok(()) } else { Err(self.unexpected()) }
    }

    fn expect(&mut self, word: &str) -> Result<(), QueryError> {
        if self.keyword(word) { Ok(()) } else { Err(self.unexpected()) }
    }

    fn keyword(&mut self, word: &str) -> bool {
        let here = matches!(self.peek(), Token::Word(text) if text.eq_ignore_ascii_case(word));
        self.next += usize::from(here);
        here
    }

    fn take(&mut self, token: &Token) -> bool {
        let here = self.peek() == token;
        self.next += usize::from(here);
        here
    }

    fn peek(&self) -> &Token {
        self.tokens.get(self.next).map_or(&Token::End, |placed| &placed.token)
    }

    fn at(&self) -> usize {
        self.tokens.get(self.next).or(self.tokens.last()).map_or(0, |placed| placed.at)
    }

    fn unexpected(&self) -> QueryError {
        let message = match self.peek() {
            Token::End => "unexpected token: '<EOF>'".to_owned(),
            Token::Word(word) => format!("unexpected token: '{word}'"),
            Token::Text(text) => format!("unexpected token: '{}'", text.value.escape_debug()),
            Token::Number(number) => format!("unexpected token: '{number}'"),
            Token::Date(date) => format!("unexpected token: '{date}'"),
            Token::DateTime(time) => format!("unexpected token: '{time}'"),
            Token::Comma => "unexpected token: ','".to_owned(),
            Token::Open => "unexpected token: '('".to_owned(),
            Token::Close => "unexpected token: ')'".to_owned(),
            Token::Compare(_) => "unexpected comparison".to_owned(),
        };
        QueryError::malformed(self.at(), message)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn accepts_the_whole_grammar() {
        for query in [
            "SELECT Id FROM Case",
            "select id, Account.Name from case where Status = 'New' limit 5 offset 2",
            "SELECT COUNT() FROM Case WHERE IsClosed = false",
            "SELECT Id FROM Case WHERE (Status = 'New' OR Status = 'Working') AND NOT Subject LIKE 'a\\_b%'",
            "SELECT Id FROM Case WHERE Id IN ('a', 'b') AND AccountId NOT IN (null)",
            "SELECT Id FROM Case WHERE SystemModstamp >= 2026-11-22T01:02:03Z ORDER BY SystemModstamp, Id DESC NULLS LAST",
            "SELECT Id FROM Time_Entry__c WHERE Work_Date__c < 2026-11-22 AND Minutes__c > -1.5",
            "SELECT Id FROM Case WHERE Subject = 'it\\'s \\u00e9'",
        ] {
            parse(query).unwrap_or_else(|error| panic!("{query}: {error:?}"));
        }
    }

    #[test]
    fn refuses_everything_else_with_the_place() {
        for (query, at) in [
            ("", 0),
            ("SELECT", 6),
            ("SELECT Id", 9),
            ("SELECT Id FROM", 14),
            ("SELECT Id, FROM Case", 11),
            ("SELECT * FROM Case", 7),
            ("SELECT MAX(Id) FROM Case", 7),
            ("SELECT Id FROM Case c", 20),
            ("SELECT Id FROM Case WHERE", 25),
            ("SELECT Id FROM Case WHERE a = 'x", 30),
            ("SELECT Id FROM Case WHERE a = b", 30),
            ("SELECT Id FROM Case WHERE a = 1 AND b = 2 OR c = 3", 42),
            ("SELECT Id FROM Case WHERE a IN ()", 32),
            ("SELECT Id FROM Case WHERE a ! 1", 28),
            ("SELECT Id FROM Case WHERE a = TODAY", 30),
            ("SELECT Id FROM Case WHERE a = 'x\\q'", 32),
            ("SELECT Id FROM Case LIMIT -1", 26),
            ("SELECT Id FROM Case LIMIT 1.5", 26),
            ("SELECT Id FROM Case GROUP BY Id", 20),
            ("SELECT Id FROM Case; DELETE", 19),
            ("SELECT Id, (SELECT Id FROM CaseComments) FROM Case", 11),
            ("SELECT Id FROM Case FOR UPDATE", 20),
            ("SELECT Id FROM Case WHERE a = 2026-13-01", 30),
        ] {
            let error = parse(query).expect_err(query);
            assert_eq!((error.code, error.at), ("MALFORMED_QUERY", at), "{query}: {}", error.message);
        }
    }

    #[test]
    fn nesting_length_and_literals_are_bounded() {
        let deep = format!("SELECT Id FROM Case WHERE {}a = 1{}", "(".repeat(5_000), ")".repeat(5_000));
        assert!(parse(&deep).is_err());
        let not = format!("SELECT Id FROM Case WHERE {} a = 1", "NOT ".repeat(5_000));
        assert!(parse(&not).is_err());
        let wide = format!("SELECT Id FROM Case WHERE a IN ({}1)", "1,".repeat(LITERALS_MAX));
        assert!(parse(&wide).is_err());
        let long = format!("SELECT Id FROM Case WHERE a = '{}'", "x".repeat(QUERY_MAX));
        assert!(parse(&long).is_err());
    }

    #[test]
    fn the_error_shows_row_column_and_a_caret() {
        let query = "SELECT Id\nFROM Case WHRE a = 1";
        let error = parse(query).unwrap_err().describe(query);
        assert!(error.message.contains("ERROR at Row:2:Column:11"), "{}", error.message);
        assert!(error.message.contains("\n                    ^\n"), "{}", error.message);
    }

    proptest! {
        #[test]
        fn never_panics(query in "\\PC{0,200}") {
            if let Err(error) = parse(&query) {
                error.describe(&query);
            }
        }

        #[test]
        fn never_panics_on_near_queries(words in prop::collection::vec(
            prop::sample::select(vec![
                "SELECT", "Id", "FROM", "Case", "WHERE", "(", ")", "NOT", "IN", "AND", "OR", "=", "'a'", "'\\", "1",
                "2026-11-22", "2026-11-22T00:00:00Z", ",", "LIKE", "ORDER", "BY", "LIMIT", "COUNT()", "null", "é", "\\",
            ]),
            0..40,
        )) {
            let query = words.join(" ");
            if let Err(error) = parse(&query) {
                error.describe(&query);
            }
        }
    }
}
