//! A syntax tree to parameterised SQL, and rows to JSON.
//!
//! Identifiers in the SQL come from the schema only; every literal is a parameter.

use std::collections::{BTreeSet, HashMap};

use rusqlite::{Connection, params_from_iter, types::Value as Cell};
use rust_decimal::Decimal;
use serde_json::{Map, Value};

use super::{
    PARENTS_MAX, QueryError,
    parser::{Compare, Literal, Logic, Order, Path, PlacedLiteral, Query, Select},
};
use crate::{
    error::ApiError,
    id::RecordId,
    records,
    schema::{Field, Kind, Object},
    value,
};

/// Largest `OFFSET`, as in Salesforce.
const OFFSET_MAX: u32 = 2_000;
/// Most records that one query may find; their ids are held while the client pages.
const RESULT_MAX: usize = 1_000_000;

/// A query that fits the schema, ready to run.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    object: &'static Object,
    parents: Vec<Parent>,
    columns: Vec<Column>,
    count: bool,
    /// Deleted records are found as well (`queryAll`).
    all: bool,
    /// `WHERE ... ORDER BY ... LIMIT ...`
    tail: String,
    parameters: Vec<Cell>,
}

/// A joined parent.
#[derive(Clone, Debug)]
struct Parent {
    /// The parent it hangs on; `None` for the queried object.
    below: Option<usize>,
    relationship: &'static str,
    reference: &'static Field,
    object: &'static Object,
    /// Selected from, so shown; otherwise only filtered or sorted by.
    shown: bool,
}

/// A selected field.
#[derive(Clone, Copy, Debug)]
struct Column {
    parent: Option<usize>,
    field: &'static Field,
}

/// The first records of a result, and the ids of all.
pub(crate) struct Page {
    pub records: Vec<Value>,
    pub ids: Vec<String>,
}

impl Plan {
    /// Looks every name up and translates the query. `all` includes deleted records.
    pub(crate) fn new(query: &Query, all: bool) -> Result<Plan, QueryError> {
        let Some(object) = Object::named(&query.from.text) else {
            return Err(QueryError {
                code: "INVALID_TYPE",
                at: query.from.at,
                message: format!(
                    "sObject type '{}' is not supported. If you are attempting to use a custom object, be sure to append the '__c' after the entity name. Please reference your WSDL or the describe call for the appropriate names.",
                    query.from.text
                ),
            });
        };
        let mut plan = Plan {
            object,
            parents: Vec::new(),
            columns: Vec::new(),
            count: false,
            all,
            tail: String::new(),
            parameters: Vec::new(),
        };
        match &query.select {
            Select::Count => plan.count = true,
            Select::Fields(paths) => plan.select(paths)?,
        }
        let mut tail = String::from(" WHERE ");
        let found = if all {
            format!("t.\"IsDeleted\" <> {}", records::PURGED)
        } else {
            "t.\"IsDeleted\" = 0".to_owned()
        };
        tail.push_str(&found);
        if let Some(filter) = &query.filter {
            let condition = plan.logic(filter, false)?;
            tail.push_str(" AND ");
            tail.push_str(&condition);
        }
        plan.order(&query.order, &mut tail)?;
        let limit = query.limit.map_or(-1, i64::from);
        tail.push_str(&format!(" LIMIT {limit}"));
        if let Some((offset, at)) = query.offset {
            if offset > OFFSET_MAX {
                let message = format!("Maximum SOQL offset allowed is {OFFSET_MAX}");
                return Err(QueryError { code: "NUMBER_OUTSIDE_VALID_RANGE", at, message });
            }
            tail.push_str(&format!(" OFFSET {offset}"));
        }
        plan.tail = tail;
        Ok(plan)
    }

    /// True for `SELECT COUNT()`.
    pub(crate) fn counts(&self) -> bool {
        self.count
    }

    /// The number of records found; only for `SELECT COUNT()`.
    pub(crate) fn count(&self, connection: &Connection) -> Result<u64, ApiError> {
        let sql = format!("SELECT count(*) FROM (SELECT 1 {}{})", self.from(), self.tail);
        let mut statement = connection.prepare_cached(&sql)?;
        let count: i64 = statement.query_row(params_from_iter(self.parameters.iter()), |row| row.get(0))?;
        Ok(count.unsigned_abs())
    }

    /// Runs the query: the first `batch` records, and the ids of all.
    pub(crate) fn run(&self, connection: &Connection, version: &str, batch: usize) -> Result<Page, ApiError> {
        let sql = format!("{} {}{}", self.head(), self.from(), self.tail);
        let mut statement = connection.prepare_cached(&sql)?;
        let mut rows = statement.query(params_from_iter(self.parameters.iter()))?;
        let mut page = Page { records: Vec::new(), ids: Vec::new() };
        while let Some(row) = rows.next()? {
            if page.ids.len() >= RESULT_MAX {
                return Err(ApiError::bad("OPERATION_TOO_LARGE", "too many records, use a filter"));
            }
            if page.records.len() < batch {
                page.records.push(self.record(row, version)?);
            }
            page.ids.push(row.get(0)?);
        }
        Ok(page)
    }

    /// The records of these ids in this order. One that was removed meanwhile is missing: pages may be short.
    pub(crate) fn fetch(
        &self,
        connection: &Connection,
        version: &str,
        ids: &[String],
    ) -> Result<Vec<Value>, ApiError> {
        let marks = vec!["?"; ids.len()].join(", ");
        let live = if self.all {
            format!(" AND t.\"IsDeleted\" <> {}", records::PURGED)
        } else {
            " AND t.\"IsDeleted\" = 0".to_owned()
        };
        let sql = format!("{} {} WHERE t.\"Id\" IN ({marks}){live}", self.head(), self.from());
        let mut statement = connection.prepare(&sql)?;
        let mut rows = statement.query(params_from_iter(ids))?;
        let mut found: HashMap<String, Value> = HashMap::new();
        while let Some(row) = rows.next()? {
            found.insert(row.get(0)?, self.record(row, version)?);
        }
        Ok(ids.iter().filter_map(|id| found.remove(id)).collect())
    }

    fn select(&mut self, paths: &[Path]) -> Result<(), QueryError> {
        let mut seen = BTreeSet::new();
        for path in paths {
            let (parent, field) = self.resolve(path, true)?;
            if !seen.insert((parent, field.name)) {
                return Err(invalid_field(path.at, format!("duplicate field selected: {}", path.text)));
            }
            self.columns.push(Column { parent, field });
        }
        Ok(())
    }

    /// Follows a path to its field and joins the parents on the way.
    fn resolve(&mut self, path: &Path, shown: bool) -> Result<(Option<usize>, &'static Field), QueryError> {
        let mut object = self.object;
        let mut parent = None;
        let mut names: Vec<&str> = path.text.split('.').collect();
        // `SELECT Case.Id FROM Case` names the object itself.
        if names.len() > 1
            && names.first().is_some_and(|name| name.eq_ignore_ascii_case(object.name))
            && object.relationship(object.name).is_none()
        {
            names.remove(0);
        }
        let Some((field, climb)) = names.split_last() else {
            return Err(QueryError::malformed(path.at, "empty field path"));
        };
        if climb.len() > PARENTS_MAX {
            return Err(QueryError::malformed(path.at, format!("more than {PARENTS_MAX} levels of parents")));
        }
        for name in climb {
            let Some((reference, target)) = object.relationship(name) else {
                return Err(invalid_field(
                    path.at,
                    format!(
                        "Didn't understand relationship '{name}' in field path. If you are attempting to use a custom relationship, be sure to append the '__r' after the custom relationship name. Please reference your WSDL or the describe call for the appropriate names."
                    ),
                ));
            };
            parent = Some(self.join(parent, reference, target, shown));
            object = target;
        }
        let field = object.field(field).ok_or_else(|| {
            invalid_field(
                path.at,
                format!(
                    "No such column '{field}' on entity '{}'. If you are attempting to use a custom field, be sure to append the '__c' after the custom field name. Please reference your WSDL or the describe call for the appropriate names.",
                    object.name
                ),
            )
        })?;
        Ok((parent, field))
    }

    fn join(
        &mut self,
        below: Option<usize>,
        reference: &'static Field,
        object: &'static Object,
        shown: bool,
    ) -> usize {
        let known = self
            .parents
            .iter()
            .position(|parent| parent.below == below && parent.reference.name == reference.name);
        if let Some(index) = known {
            if let Some(parent) = self.parents.get_mut(index) {
                parent.shown |= shown;
            }
            return index;
        }
        let relationship = match reference.kind {
            Kind::Reference { relationship, .. } => relationship,
            _ => reference.name,
        };
        self.parents.push(Parent { below, relationship, reference, object, shown });
        self.parents.len() - 1
    }

    /// A field to filter or sort by, as SQL.
    fn operand(&mut self, path: &Path) -> Result<(String, &'static Field), QueryError> {
        let (parent, field) = self.resolve(path, false)?;
        if !field.filterable() {
            let message = format!("field '{}' can not be filtered in a query call", path.text);
            return Err(invalid_field(path.at, message));
        }
        Ok((format!("{}.\"{}\"", alias(parent), field.name), field))
    }

    /// In SQL a comparison with null is null; in SOQL it is false. The difference shows only below a `NOT`, so
    /// only there (`strict`) the comparison is made two-valued, which costs the index.
    fn logic(&mut self, logic: &Logic, strict: bool) -> Result<String, QueryError> {
        match logic {
            Logic::And(terms) => self.join_terms(terms, " AND ", strict),
            Logic::Or(terms) => self.join_terms(terms, " OR ", strict),
            Logic::Not(inner) => Ok(format!("(NOT {})", self.logic(inner, true)?)),
            Logic::Compare(path, operator, literal) => self.compare(path, *operator, literal, strict),
            Logic::Like(path, literal) => self.like(path, literal, strict),
            Logic::In { path, negated, values } => self.contained(path, *negated, values, strict),
        }
    }

    fn join_terms(&mut self, terms: &[Logic], word: &str, strict: bool) -> Result<String, QueryError> {
        let terms = terms.iter().map(|term| self.logic(term, strict)).collect::<Result<Vec<_>, _>>()?;
        Ok(format!("({})", terms.join(word)))
    }

    fn compare(
        &mut self,
        path: &Path,
        operator: Compare,
        literal: &PlacedLiteral,
        strict: bool,
    ) -> Result<String, QueryError> {
        let (operand, field) = self.operand(path)?;
        let cell = cell(field, path, literal)?;
        let ranged = !matches!(operator, Compare::Equal | Compare::NotEqual);
        if ranged && matches!(field.kind, Kind::Boolean) {
            return Err(invalid_operator(path));
        }
        if cell == Cell::Null {
            return Ok(match operator {
                Compare::Equal => format!("{operand} IS NULL"),
                Compare::NotEqual => format!("{operand} IS NOT NULL"),
                _ => "0".to_owned(),
            });
        }
        self.parameters.push(cell);
        let symbol = match operator {
            Compare::Equal if strict => "IS",
            Compare::Equal => "=",
            // Null differs from every value in SOQL.
            Compare::NotEqual => "IS NOT",
            Compare::Less => "<",
            Compare::LessOrEqual => "<=",
            Compare::Greater => ">",
            Compare::GreaterOrEqual => ">=",
        };
        Ok(two_valued(format!("{operand} {symbol} ?"), strict && ranged))
    }

    fn like(&mut self, path: &Path, literal: &PlacedLiteral, strict: bool) -> Result<String, QueryError> {
        let (operand, field) = self.operand(path)?;
        let textual = matches!(
            field.kind,
            Kind::Text(_) | Kind::Email | Kind::Url | Kind::Picklist { .. } | Kind::AutoNumber(_)
        );
        let (Literal::Text(text), true) = (&literal.literal, textual) else {
            return Err(invalid_operator(path));
        };
        self.parameters.push(Cell::Text(text.pattern.clone()));
        Ok(two_valued(format!("{operand} LIKE ? ESCAPE '\\'"), strict))
    }

    fn contained(
        &mut self,
        path: &Path,
        negated: bool,
        values: &[PlacedLiteral],
        strict: bool,
    ) -> Result<String, QueryError> {
        let (operand, field) = self.operand(path)?;
        let mut with_null = false;
        let mut marks = Vec::with_capacity(values.len());
        for literal in values {
            match cell(field, path, literal)? {
                Cell::Null => with_null = true,
                cell => {
                    self.parameters.push(cell);
                    marks.push("?");
                }
            }
        }
        let marks = marks.join(", ");
        Ok(match (negated, with_null) {
            (false, false) => two_valued(format!("{operand} IN ({marks})"), strict),
            (false, true) => format!("({operand} IS NULL OR {operand} IN ({marks}))"),
            (true, false) => format!("({operand} IS NULL OR {operand} NOT IN ({marks}))"),
            (true, true) => format!("({operand} IS NOT NULL AND {operand} NOT IN ({marks}))"),
        })
    }

    fn order(&mut self, order: &[Order], tail: &mut String) -> Result<(), QueryError> {
        for (index, key) in order.iter().enumerate() {
            let (parent, field) = self.resolve(&key.path, false)?;
            if !field.filterable() {
                let message = format!("field '{}' can not be sorted in a query call", key.path.text);
                return Err(invalid_field(key.path.at, message));
            }
            tail.push_str(if index == 0 { " ORDER BY " } else { ", " });
            tail.push_str(&format!(
                "{}.\"{}\" {} NULLS {}",
                alias(parent),
                field.name,
                if key.descending { "DESC" } else { "ASC" },
                if key.nulls_last { "LAST" } else { "FIRST" },
            ));
        }
        Ok(())
    }

    /// `SELECT` with the record's id, the shown parents' ids and the columns, in this order.
    fn head(&self) -> String {
        let mut columns = vec!["t.\"Id\"".to_owned()];
        columns.extend((0..self.parents.len()).map(|index| format!("{}.\"Id\"", alias(Some(index)))));
        columns.extend(
            self.columns.iter().map(|column| format!("{}.\"{}\"", alias(column.parent), column.field.name)),
        );
        format!("SELECT {}", columns.join(", "))
    }

    fn from(&self) -> String {
        let mut from = format!("FROM \"{}\" t", self.object.name);
        for (index, parent) in self.parents.iter().enumerate() {
            from.push_str(&format!(
                " LEFT JOIN \"{}\" {} ON {1}.\"Id\" = {}.\"{}\"",
                parent.object.name,
                alias(Some(index)),
                alias(parent.below),
                parent.reference.name
            ));
        }
        from
    }

    fn record(&self, row: &rusqlite::Row<'_>, version: &str) -> Result<Value, rusqlite::Error> {
        let id: String = row.get(0)?;
        let mut record = Map::new();
        record.insert("attributes".to_owned(), records::attributes(self.object, version, &id));
        // From the leaves up, so that each parent is complete when it is put into the one below.
        let mut shown: Vec<Option<Map<String, Value>>> = Vec::with_capacity(self.parents.len());
        for (index, parent) in self.parents.iter().enumerate() {
            let id: Option<String> = row.get(index + 1)?;
            shown.push(id.map(|id| {
                let attributes = records::attributes(parent.object, version, &id);
                Map::from_iter([("attributes".to_owned(), attributes)])
            }));
        }
        for (index, column) in self.columns.iter().enumerate() {
            let cell: Cell = row.get(1 + self.parents.len() + index)?;
            let target = match column.parent {
                None => Some(&mut record),
                Some(parent) => shown.get_mut(parent).and_then(Option::as_mut),
            };
            if let Some(target) = target {
                target.insert(column.field.name.to_owned(), value::to_json(column.field.kind, &cell));
            }
        }
        for (index, parent) in self.parents.iter().enumerate().rev().filter(|(_, parent)| parent.shown) {
            let complete = shown.get_mut(index).and_then(Option::take).map_or(Value::Null, Value::Object);
            let target = match parent.below {
                None => Some(&mut record),
                Some(below) => shown.get_mut(below).and_then(Option::as_mut),
            };
            if let Some(target) = target {
                target.insert(parent.relationship.to_owned(), complete);
            }
        }
        Ok(Value::Object(record))
    }
}

fn alias(parent: Option<usize>) -> String {
    parent.map_or_else(|| "t".to_owned(), |index| format!("p{index}"))
}

fn two_valued(condition: String, strict: bool) -> String {
    if strict { format!("COALESCE({condition}, 0)") } else { condition }
}

/// A literal as the field's cell.
fn cell(field: &Field, path: &Path, literal: &PlacedLiteral) -> Result<Cell, QueryError> {
    let cell = match (field.kind, &literal.literal) {
        (_, Literal::Null) => Cell::Null,
        (Kind::Number { .. } | Kind::Integer, Literal::Number(number)) => Cell::Real(*number),
        (Kind::Boolean, Literal::Boolean(on)) => Cell::Integer(i64::from(*on)),
        (Kind::Date, Literal::Date(date)) => Cell::Text(date.to_string()),
        (Kind::DateTime, Literal::DateTime(time)) => {
            // The store keeps seconds; a fraction still has to order between two of them.
            let seconds = Decimal::new(time.as_millisecond(), 3);
            Cell::Real(seconds.to_string().parse().unwrap_or_default())
        }
        (Kind::Boolean | Kind::Date | Kind::DateTime | Kind::Number { .. } | Kind::Integer, _) => {
            return Err(mismatch(field, path, literal));
        }
        // The empty string is null to Salesforce.
        (_, Literal::Text(text)) if text.value.is_empty() => Cell::Null,
        (Kind::Id | Kind::Reference { .. }, Literal::Text(text)) => match RecordId::parse(&text.value) {
            Ok(id) => Cell::Text(id.to_string()),
            Err(_) => {
                return Err(QueryError {
                    code: "INVALID_QUERY_FILTER_OPERATOR",
                    at: literal.at,
                    message: format!("invalid ID field: {}", text.value),
                });
            }
        },
        (_, Literal::Text(text)) => Cell::Text(text.value.clone()),
        _ => return Err(mismatch(field, path, literal)),
    };
    Ok(cell)
}

fn mismatch(field: &Field, path: &Path, literal: &PlacedLiteral) -> QueryError {
    let quotes = if matches!(literal.literal, Literal::Text(_)) { "should not" } else { "should" };
    let message = format!(
        "value of filter criterion for field '{}' must be of type {} and {quotes} be enclosed in quotes",
        path.text,
        value::type_name(field.kind)
    );
    invalid_field(literal.at, message)
}

fn invalid_operator(path: &Path) -> QueryError {
    let message = format!("invalid operator on field '{}'", path.text);
    QueryError { code: "INVALID_QUERY_FILTER_OPERATOR", at: path.at, message }
}

fn invalid_field(at: usize, message: String) -> QueryError {
    QueryError { code: "INVALID_FIELD", at, message }
}
