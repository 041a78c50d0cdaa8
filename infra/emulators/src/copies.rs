//! Many items at once: the rows of items that were written as usual, copied within DynamoDB's file under other names.
//!
//! A million items through DynamoDB's own door take most of an hour in a debug build; copied they take seconds. Tables
//! and indexes lie in tables of SQLite whose columns hold key values and the item as JSON, so a copy is the same text
//! with ids replaced: <https://docs.rs/dynoxide-rs/3.2.0>, `storage_backend/sql_builders.rs`. The replacement has as
//! many characters as what it replaces, so sizes stay what they are.

use std::path::Path;

use rusqlite::{Connection, Error, params};

/// How many rows are copied in one transaction: keeps the log beside the file small.
const ROWS_PER_TRANSACTION: u64 = 100_000;
/// How long to wait for the emulator to finish what it is writing.
const BUSY: std::time::Duration = std::time::Duration::from_secs(10);

/// Which items to copy, and how often.
#[derive(Clone, Debug)]
pub struct Copies {
    /// The table.
    pub table: String,
    /// The partition whose items are copied.
    pub partition: String,
    /// Only items whose sort key begins so.
    pub sort_prefix: String,
    /// The numbers of the copies. Each copy is one more of every item.
    pub numbers: std::ops::Range<u64>,
    /// What is different in each copy.
    pub renamed: Vec<Renamed>,
}

/// A text that stands for something else in each copy, wherever it occurs.
#[derive(Clone, Debug)]
pub struct Renamed {
    /// The text; at its end are twelve characters that are replaced.
    pub text: String,
    /// How many copies in a row share a replacement; they are named by hexadecimal numbers, from that of the first.
    pub shared_by: u64,
}

/// Why items were not copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// SQLite refused.
    #[error("the DynamoDB file: {0}")]
    File(#[from] Error),
    /// The process is shutting down.
    #[error("the emulators are shutting down")]
    Stopped,
}

/// How a text looks where the file keeps the value of a key.
fn key(text: &str) -> String {
    format!("S:{text}")
}

/// Copies items of a table and of its indexes. Returns how many items were made.
pub(crate) fn copy(file: &Path, copies: &Copies) -> Result<u64, CopyError> {
    let mut connection = Connection::open(file)?;
    connection.busy_timeout(BUSY)?;
    connection.execute_batch(
        "PRAGMA synchronous = OFF; PRAGMA cache_size = -64000; PRAGMA wal_autocheckpoint = 50000;",
    )?;
    let indexes: Vec<String> = connection
        .prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name GLOB ?1 || '::gsi::*'")?
        .query_map([&copies.table], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let made = copy_rows(&mut connection, &copies.table, ("pk", "sk"), copies)?;
    for index in indexes {
        copy_rows(&mut connection, &index, ("table_pk", "table_sk"), copies)?;
    }
    Ok(made)
}

fn copy_rows(
    connection: &mut Connection,
    table: &str,
    (partition, sort): (&str, &str),
    copies: &Copies,
) -> Result<u64, Error> {
    let quoted = format!("\"{}\"", table.replace('"', "\"\""));
    connection.execute_batch("DROP TABLE IF EXISTS temp.original")?;
    connection.execute(
        &format!(
            "CREATE TEMP TABLE original AS SELECT * FROM {quoted}
             WHERE {partition} = ?1 AND substr({sort}, 1, length(?2)) = ?2"
        ),
        params![key(&copies.partition), key(&copies.sort_prefix)],
    )?;
    let originals: u64 = connection.query_row("SELECT count(*) FROM original", [], |row| row.get(0))?;
    let columns: Vec<String> = connection
        .prepare("SELECT name FROM pragma_table_info(?1)")?
        .query_map([table], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let values: Vec<String> = columns.iter().map(|column| value(column, &copies.renamed)).collect();
    let insert = format!(
        "WITH RECURSIVE numbers(n{names}) AS (
           SELECT ?1{first} UNION ALL SELECT n + 1{next} FROM numbers WHERE n + 1 < ?2)
         INSERT INTO {quoted} ({columns}) SELECT {values} FROM numbers CROSS JOIN original",
        // The new names are made once for each copy.
        names = each(&copies.renamed, |place, _| format!("new{place}")),
        first = each(&copies.renamed, |_, renamed| renamed.in_copy("?1")),
        next = each(&copies.renamed, |_, renamed| renamed.in_copy("(n + 1)")),
        columns = columns.join(", "),
        values = values.join(", "),
    );
    let per_transaction = ROWS_PER_TRANSACTION.checked_div(originals).unwrap_or(0).max(1);
    let mut made: u64 = 0;
    let mut first = copies.numbers.start;
    while first < copies.numbers.end && originals > 0 {
        let end = first.saturating_add(per_transaction).min(copies.numbers.end);
        let transaction = connection.transaction()?;
        let rows = transaction.execute(&insert, params![first, end])?;
        transaction.commit()?;
        made = made.saturating_add(u64::try_from(rows).unwrap_or(u64::MAX));
        first = end;
    }
    Ok(made)
}

impl Renamed {
    /// The expression for what the text is called in the copy with this number.
    fn in_copy(&self, number: &str) -> String {
        let (text, stays) = (self.quoted(), self.text.len().saturating_sub(12));
        format!("substr({text}, 1, {stays}) || printf('%012x', {number} / {})", self.shared_by)
    }

    fn quoted(&self) -> String {
        format!("'{}'", self.text.replace('\'', "''"))
    }
}

/// A further column for each text that is replaced.
fn each(renamed: &[Renamed], column: impl Fn(usize, &Renamed) -> String) -> String {
    renamed.iter().enumerate().map(|(place, renamed)| format!(", {}", column(place, renamed))).collect()
}

/// The expression for a column of a copy. Numbers and nulls stay what they are.
fn value(column: &str, renamed: &[Renamed]) -> String {
    let replaced = renamed.iter().enumerate().fold(column.to_owned(), |inner, (place, renamed)| {
        format!("replace({inner}, {}, new{place})", renamed.quoted())
    });
    format!("CASE typeof({column}) WHEN 'text' THEN {replaced} ELSE {column} END")
}
