//! The rules of records: what may be written, what is computed, what follows from a delete.
//!
//! Everything here runs inside one [`Unit`], which is one transaction.

use std::{cell::OnceCell, collections::BTreeMap};

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params_from_iter, types::Value as Cell};
use serde_json::{Map, Value};

use crate::{
    error::ApiError,
    id::RecordId,
    outbound,
    schema::{Field, Kind, OBJECTS, Object, OnDelete, SYSTEM, closes_case},
    store::next_number,
    value,
};

/// Most records that one delete may take along.
const CASCADE_MAX: usize = 10_000;

/// `IsDeleted` of what has left the recycle bin. The row stays for the log of deletions; it is on no list.
pub(crate) const PURGED: i64 = 2;

/// Who makes a change.
#[derive(Clone, Debug)]
pub(crate) struct Actor {
    pub user: RecordId,
    /// Whether this user's changes send outbound messages (the integration user's do not: the loop guard).
    pub notifies: bool,
}

/// One unit of work: a connection with an open transaction, the time and the user.
pub(crate) struct Unit<'c> {
    pub connection: &'c Connection,
    pub now: Timestamp,
    pub actor: Actor,
    number: OnceCell<i64>,
}

/// The cells of one record by field name.
pub(crate) type Row = BTreeMap<&'static str, Cell>;

impl<'c> Unit<'c> {
    pub(crate) fn new(connection: &'c Connection, now: Timestamp, actor: Actor) -> Unit<'c> {
        Unit { connection, now, actor, number: OnceCell::new() }
    }

    /// A number of this unit alone, so that a record changed twice in it is announced once.
    pub(crate) fn number(&self) -> Result<i64, rusqlite::Error> {
        if let Some(number) = self.number.get() {
            return Ok(*number);
        }
        let number = next_number(self.connection, "unit")?;
        Ok(*self.number.get_or_init(|| number))
    }

    fn second(&self) -> i64 {
        self.now.as_second()
    }
}

/// What an upsert did.
#[derive(Debug)]
pub(crate) enum Upserted {
    Created(RecordId),
    Updated(RecordId),
    /// The value fits several records; nothing was written.
    Ambiguous(Vec<RecordId>),
}

/// Creates a record from client input.
///
/// # Errors
/// The refusal that Salesforce gives.
pub(crate) fn create(
    unit: &Unit<'_>,
    object: &'static Object,
    input: &Map<String, Value>,
) -> Result<RecordId, ApiError> {
    if !object.writable {
        return Err(operation_refused(object, "create"));
    }
    create_with(unit, object, read_input(unit, object, input)?)
}

/// Creates a record from cells that are already read, e.g. with an external id from the URL.
fn create_with(unit: &Unit<'_>, object: &'static Object, mut row: Row) -> Result<RecordId, ApiError> {
    for field in object.fields {
        if field.kind == Kind::Boolean {
            let on = i64::from(field.default == Some("true"));
            row.entry(field.name).or_insert(Cell::Integer(on));
        } else if let Some(default) = field.default {
            row.entry(field.name).or_insert_with(|| Cell::Text(default.to_owned()));
        }
    }
    if let Some(owner) = object.field("OwnerId") {
        row.entry(owner.name).or_insert_with(|| Cell::Text(unit.actor.user.to_string()));
    }
    require(object, &row)?;
    check_references(unit, object, &row)?;
    check_unique(unit, object, None, &row)?;
    insert(unit, object, None, row)
}

/// Writes a new row as it stands, with the system fields and the computed ones. Seeds pass their own id.
pub(crate) fn insert(
    unit: &Unit<'_>,
    object: &'static Object,
    id: Option<RecordId>,
    mut row: Row,
) -> Result<RecordId, ApiError> {
    let id = match id {
        Some(id) => id,
        None => new_id(unit.connection, object.prefix)?,
    };
    for field in object.fields {
        if let Kind::AutoNumber(digits) = field.kind {
            let number = next_number(unit.connection, &format!("{}.{}", object.name, field.name))?;
            row.insert(field.name, Cell::Text(format!("{number:0digits$}")));
        }
    }
    let user = Cell::Text(unit.actor.user.to_string());
    let now = Cell::Integer(unit.second());
    row.insert("Id", Cell::Text(id.to_string()));
    row.insert("IsDeleted", Cell::Integer(0));
    row.insert("CreatedDate", now.clone());
    row.insert("CreatedById", user.clone());
    row.insert("LastModifiedDate", now.clone());
    row.insert("LastModifiedById", user);
    row.insert("SystemModstamp", now);
    compute(object, &mut row, unit.second());

    let columns: Vec<String> = row.keys().map(|name| format!("\"{name}\"")).collect();
    let marks = vec!["?"; row.len()].join(", ");
    let sql = format!("INSERT INTO \"{}\" ({}) VALUES ({marks})", object.name, columns.join(", "));
    unit.connection.prepare_cached(&sql)?.execute(params_from_iter(row.values()))?;
    outbound::queue::announce(unit, object, &id)?;
    Ok(id)
}

/// Changes the given fields of a record.
///
/// # Errors
/// The refusal that Salesforce gives; 404 when the record is missing or deleted.
pub(crate) fn update(
    unit: &Unit<'_>,
    object: &'static Object,
    id: &RecordId,
    input: &Map<String, Value>,
) -> Result<(), ApiError> {
    if !object.writable {
        return Err(operation_refused(object, "update"));
    }
    let mut row = live(unit, object, id)?;
    let changes = read_input(unit, object, input)?;
    check_references(unit, object, &changes)?;
    row.extend(changes);
    require(object, &row)?;
    check_unique(unit, object, Some(id), &row)?;
    row.insert("LastModifiedDate", Cell::Integer(unit.second()));
    row.insert("LastModifiedById", Cell::Text(unit.actor.user.to_string()));
    stamp(unit, &mut row);
    compute(object, &mut row, unit.second());
    write(unit, object, id, &row)?;
    outbound::queue::announce(unit, object, id)?;
    Ok(())
}

/// Creates or changes the record with this external id.
///
/// # Errors
/// The refusal that Salesforce gives.
pub(crate) fn upsert(
    unit: &Unit<'_>,
    object: &'static Object,
    field: &'static Field,
    key: &str,
    input: &Map<String, Value>,
    update_only: bool,
) -> Result<Upserted, ApiError> {
    if input.keys().any(|name| name.eq_ignore_ascii_case(field.name) || name.eq_ignore_ascii_case("Id")) {
        let message = format!("The {} field should not be specified in the sobject data.", field.name);
        return Err(ApiError::bad("INVALID_FIELD", message).about([field.name]));
    }
    let mut found = find(unit, object, field, key)?;
    match (found.pop(), found.is_empty()) {
        (Some(id), true) => {
            update(unit, object, &id, input)?;
            Ok(Upserted::Updated(id))
        }
        (Some(id), false) => {
            found.push(id);
            Ok(Upserted::Ambiguous(found))
        }
        (None, _) if update_only => Err(ApiError::not_found()),
        (None, _) if !object.writable => Err(operation_refused(object, "upsert")),
        (None, _) => {
            let mut row = read_input(unit, object, input)?;
            row.insert(field.name, value::from_json(field, &Value::String(key.to_owned()))?);
            create_with(unit, object, row).map(Upserted::Created)
        }
    }
}

/// Live records with this value in a look-up field.
pub(crate) fn find(
    unit: &Unit<'_>,
    object: &Object,
    field: &Field,
    key: &str,
) -> Result<Vec<RecordId>, ApiError> {
    let sql = format!(
        "SELECT Id FROM \"{}\" WHERE \"{}\" = ?1 AND IsDeleted = 0 ORDER BY Id LIMIT 100",
        object.name, field.name
    );
    let mut statement = unit.connection.prepare_cached(&sql)?;
    let ids = statement.query_map([key], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
    Ok(ids.iter().filter_map(|id| RecordId::parse(id).ok()).collect())
}

/// Puts a record, and what belongs to it, into the recycle bin.
///
/// # Errors
/// 404 when missing or already deleted; `DELETE_FAILED` when another record forbids it.
pub(crate) fn delete(unit: &Unit<'_>, object: &'static Object, id: &RecordId) -> Result<(), ApiError> {
    if !object.writable {
        return Err(operation_refused(object, "delete"));
    }
    live(unit, object, id)?;
    let mut doomed = vec![(object, id.clone())];
    let mut next = 0;
    while let Some((parent, parent_id)) = doomed.get(next).cloned() {
        next += 1;
        for (child, field, on_delete) in parent.referrers() {
            for child_id in children(unit, child, field, &parent_id)? {
                match on_delete {
                    OnDelete::Restrict if !doomed.iter().any(|(_, id)| *id == child_id) => {
                        let message = format!(
                            "Your attempt to delete {parent_id} could not be completed because it is associated with the following {}: {child_id}",
                            child.label
                        );
                        return Err(ApiError::bad("DELETE_FAILED", message));
                    }
                    OnDelete::Restrict => {}
                    OnDelete::Clear => set_reference(unit, child, field, &child_id, None)?,
                    OnDelete::Cascade if doomed.iter().any(|(_, id)| *id == child_id) => {}
                    OnDelete::Cascade if doomed.len() < CASCADE_MAX => doomed.push((child, child_id)),
                    OnDelete::Cascade => {
                        let message = format!("more than {CASCADE_MAX} records would be deleted");
                        return Err(ApiError::bad("DELETE_FAILED", message));
                    }
                }
            }
        }
    }
    for (object, doomed_id) in doomed {
        bury(unit, object, &doomed_id, id)?;
    }
    Ok(())
}

/// Takes a record, and what was deleted with it, out of the recycle bin.
///
/// # Errors
/// 404 when it is not there; `DUPLICATE_VALUE` when its unique value was taken meanwhile.
pub(crate) fn undelete(unit: &Unit<'_>, object: &'static Object, id: &RecordId) -> Result<(), ApiError> {
    let row = load(unit, object, id)?.ok_or_else(ApiError::not_found)?;
    if row.get("IsDeleted") != Some(&Cell::Integer(1)) {
        return Err(ApiError::bad("UNDELETE_FAILED", "entity is not in the recycle bin"));
    }
    check_unique(unit, object, Some(id), &row)?;
    for other in OBJECTS {
        let sql = format!(
            "UPDATE \"{}\" SET IsDeleted = 0, _deleted_with = NULL,
             SystemModstamp = max(SystemModstamp, ?2) WHERE _deleted_with = ?1",
            other.name
        );
        unit.connection.prepare_cached(&sql)?.execute((id.as_str(), unit.second()))?;
    }
    Ok(())
}

/// Empties the recycle bin of a record and of what was deleted with it: no query finds them any more, and only
/// `getDeleted` still tells of them.
///
/// # Errors
/// `PURGE_FAILED` when it is not there.
pub(crate) fn purge(unit: &Unit<'_>, object: &'static Object, id: &RecordId) -> Result<(), ApiError> {
    let row = load(unit, object, id)?.ok_or_else(ApiError::not_found)?;
    if row.get("IsDeleted") != Some(&Cell::Integer(1)) {
        return Err(ApiError::bad("PURGE_FAILED", "entity is not in the recycle bin"));
    }
    for other in OBJECTS {
        let sql =
            format!("UPDATE \"{}\" SET IsDeleted = {PURGED} WHERE _deleted_with = ?1 OR Id = ?1", other.name);
        unit.connection.prepare_cached(&sql)?.execute([id.as_str()])?;
    }
    Ok(())
}

/// Merges `loser` into `winner`: the loser is deleted and points at the winner, its children move.
///
/// # Errors
/// 404 when one is missing; `INVALID_TYPE_FOR_OPERATION` when the object cannot be merged.
pub(crate) fn merge(
    unit: &Unit<'_>,
    object: &'static Object,
    winner: &RecordId,
    loser: &RecordId,
) -> Result<(), ApiError> {
    if object.field("MasterRecordId").is_none() || winner == loser {
        return Err(operation_refused(object, "merge"));
    }
    let mut survivor = live(unit, object, winner)?;
    live(unit, object, loser)?;
    for (child, field, _) in object.referrers().filter(|(_, field, _)| field.name != "MasterRecordId") {
        for child_id in children(unit, child, field, loser)? {
            set_reference(unit, child, field, &child_id, Some(winner))?;
        }
    }
    bury(unit, object, loser, loser)?;
    let sql = format!("UPDATE \"{}\" SET MasterRecordId = ?2 WHERE Id = ?1", object.name);
    unit.connection.prepare_cached(&sql)?.execute((loser.as_str(), winner.as_str()))?;
    survivor.insert("LastModifiedDate", Cell::Integer(unit.second()));
    survivor.insert("LastModifiedById", Cell::Text(unit.actor.user.to_string()));
    stamp(unit, &mut survivor);
    write(unit, object, winner, &survivor)?;
    outbound::queue::announce(unit, object, winner)?;
    Ok(())
}

/// Moves `SystemModstamp` alone, as background work of the platform does.
///
/// # Errors
/// 404 when the record is missing or deleted.
pub(crate) fn touch(unit: &Unit<'_>, object: &'static Object, id: &RecordId) -> Result<(), ApiError> {
    let mut row = live(unit, object, id)?;
    stamp(unit, &mut row);
    write(unit, object, id, &row)?;
    outbound::queue::announce(unit, object, id)?;
    Ok(())
}

/// The record, whether deleted or not.
pub(crate) fn load(unit: &Unit<'_>, object: &'static Object, id: &RecordId) -> Result<Option<Row>, ApiError> {
    let columns: Vec<String> = object.all_fields().map(|field| format!("\"{}\"", field.name)).collect();
    let sql = format!("SELECT {} FROM \"{}\" WHERE Id = ?1", columns.join(", "), object.name);
    let mut statement = unit.connection.prepare_cached(&sql)?;
    let row = statement
        .query_row([id.as_str()], |row| {
            object
                .all_fields()
                .enumerate()
                .map(|(index, field)| Ok((field.name, row.get::<_, Cell>(index)?)))
                .collect::<Result<Row, _>>()
        })
        .optional()?;
    Ok(row)
}

/// The record, when it exists and is not deleted.
///
/// # Errors
/// 404 `NOT_FOUND` or `ENTITY_IS_DELETED`.
pub(crate) fn live(unit: &Unit<'_>, object: &'static Object, id: &RecordId) -> Result<Row, ApiError> {
    let row = load(unit, object, id)?.ok_or_else(ApiError::not_found)?;
    match row.get("IsDeleted") {
        Some(Cell::Integer(PURGED)) => Err(ApiError::not_found()),
        Some(Cell::Integer(0)) => Ok(row),
        _ => Err(ApiError::deleted()),
    }
}

/// A fresh id of the object with this key prefix.
pub(crate) fn new_id(connection: &Connection, prefix: &str) -> Result<RecordId, rusqlite::Error> {
    let number = next_number(connection, &format!("id.{prefix}"))?;
    Ok(RecordId::numbered(prefix, number.unsigned_abs()))
}

fn read_input(unit: &Unit<'_>, object: &'static Object, input: &Map<String, Value>) -> Result<Row, ApiError> {
    let mut row = Row::new();
    for (name, value) in input.iter().filter(|(name, _)| *name != "attributes") {
        if let Some(field) = object.field(name) {
            if field.read_only {
                let message = format!(
                    "Unable to create/update fields: {}. Please check the security settings of this field and verify that it is read/write for your profile or permission set.",
                    field.name
                );
                return Err(ApiError::bad("INVALID_FIELD_FOR_INSERT_UPDATE", message).about([field.name]));
            }
            row.insert(field.name, value::from_json(field, value)?);
        } else if let Some((field, target)) = object.relationship(name).filter(|(field, _)| !field.read_only)
        {
            row.insert(field.name, by_external_id(unit, target, value)?);
        } else {
            let message = format!("No such column '{name}' on sobject of type {}", object.name);
            return Err(ApiError::bad("INVALID_FIELD", message));
        }
    }
    Ok(row)
}

/// `"Account": {"Portal_Account_Id__c": "..."}`: a parent named by its external id.
fn by_external_id(unit: &Unit<'_>, target: &'static Object, value: &Value) -> Result<Cell, ApiError> {
    let keys: Vec<(&String, &Value)> = match value {
        Value::Null => return Ok(Cell::Null),
        Value::Object(map) => map.iter().filter(|(name, _)| *name != "attributes").collect(),
        _ => Vec::new(),
    };
    let ([(name, Value::String(key))], true) = (keys.as_slice(), value.is_object()) else {
        let message = format!("{} must be given by exactly one external id", target.name);
        return Err(ApiError::bad("INVALID_FIELD", message));
    };
    let Some(field) = target.field(name).filter(|field| field.lookup) else {
        let message = format!("{name} is not a valid external id field of {}", target.name);
        return Err(ApiError::bad("INVALID_FIELD", message));
    };
    match find(unit, target, field, key)?.as_slice() {
        [id] => Ok(Cell::Text(id.to_string())),
        [] => {
            let message = format!(
                "Foreign key external ID: {key} not found for field {} in entity {}",
                field.name, target.name
            );
            Err(ApiError::bad("INVALID_FIELD", message))
        }
        _ => {
            let message = format!("{}: more than one record found for {key}", field.name);
            Err(ApiError::bad("DUPLICATE_VALUE", message))
        }
    }
}

fn require(object: &Object, row: &Row) -> Result<(), ApiError> {
    let missing: Vec<&str> = object
        .fields
        .iter()
        .filter(|field| field.required && matches!(row.get(field.name), None | Some(Cell::Null)))
        .map(|field| field.name)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let message = format!("Required fields are missing: [{}]", missing.join(", "));
    Err(ApiError::bad("REQUIRED_FIELD_MISSING", message).about(missing))
}

fn check_references(unit: &Unit<'_>, object: &'static Object, row: &Row) -> Result<(), ApiError> {
    for (name, cell) in row {
        let Some(Field { kind: Kind::Reference { to, .. }, .. }) = object.field(name) else { continue };
        let (Cell::Text(id), Some(target)) = (cell, Object::named(to)) else { continue };
        let id = RecordId::parse(id)
            .map_err(|_| ApiError::bad("MALFORMED_ID", format!("{name}: malformed id")).about([*name]))?;
        if id.prefix() != target.prefix {
            let message = format!("{name}: id value of incorrect type: {id}");
            return Err(ApiError::bad("FIELD_INTEGRITY_EXCEPTION", message).about([*name]));
        }
        match load(unit, target, &id)? {
            None => {
                let error = ApiError::bad("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id");
                return Err(error.about(Vec::<String>::new()));
            }
            Some(parent) if parent.get("IsDeleted") != Some(&Cell::Integer(0)) => {
                return Err(ApiError::bad("ENTITY_IS_DELETED", "entity is deleted").about([*name]));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

fn check_unique(unit: &Unit<'_>, object: &Object, own: Option<&RecordId>, row: &Row) -> Result<(), ApiError> {
    for field in object.fields.iter().filter(|field| field.unique) {
        let Some(Cell::Text(key)) = row.get(field.name) else { continue };
        if let Some(other) = find(unit, object, field, key)?.into_iter().find(|id| Some(id) != own) {
            let message =
                format!("duplicate value found: {0} duplicates value on record with id: {other}", field.name);
            return Err(ApiError::bad("DUPLICATE_VALUE", message).about(Vec::<String>::new()));
        }
    }
    Ok(())
}

/// Fields that the org computes.
fn compute(object: &Object, row: &mut Row, now: i64) {
    match object.name {
        "Case" => {
            let closed = matches!(row.get("Status"), Some(Cell::Text(status)) if closes_case(status));
            let was_closed = row.get("IsClosed") == Some(&Cell::Integer(1));
            row.insert("IsClosed", Cell::Integer(i64::from(closed)));
            if !closed {
                row.insert("ClosedDate", Cell::Null);
            } else if !was_closed {
                row.insert("ClosedDate", Cell::Integer(now));
            }
        }
        "Contact" => {
            let parts: Vec<&str> = ["FirstName", "LastName"]
                .iter()
                .filter_map(|name| match row.get(name) {
                    Some(Cell::Text(text)) => Some(text.as_str()),
                    _ => None,
                })
                .collect();
            let name = parts.join(" ");
            row.insert("Name", Cell::Text(name));
        }
        _ => {}
    }
}

/// `SystemModstamp` never runs backwards, even when the clock does.
fn stamp(unit: &Unit<'_>, row: &mut Row) {
    let before = match row.get("SystemModstamp") {
        Some(Cell::Integer(second)) => *second,
        _ => 0,
    };
    row.insert("SystemModstamp", Cell::Integer(before.max(unit.second())));
}

fn write(unit: &Unit<'_>, object: &Object, id: &RecordId, row: &Row) -> Result<(), ApiError> {
    let changes: Vec<String> =
        row.keys().filter(|name| **name != "Id").map(|name| format!("\"{name}\" = ?")).collect();
    let sql = format!("UPDATE \"{}\" SET {} WHERE Id = ?", object.name, changes.join(", "));
    let key = Cell::Text(id.to_string());
    let cells = row.iter().filter(|(name, _)| **name != "Id").map(|(_, cell)| cell);
    unit.connection.prepare_cached(&sql)?.execute(params_from_iter(cells.chain([&key])))?;
    Ok(())
}

fn bury(unit: &Unit<'_>, object: &Object, id: &RecordId, root: &RecordId) -> Result<(), ApiError> {
    let sql = format!(
        "UPDATE \"{}\" SET IsDeleted = 1, _deleted_with = ?2, SystemModstamp = max(SystemModstamp, ?3)
         WHERE Id = ?1",
        object.name
    );
    unit.connection.prepare_cached(&sql)?.execute((id.as_str(), root.as_str(), unit.second()))?;
    Ok(())
}

fn children(
    unit: &Unit<'_>,
    child: &Object,
    field: &Field,
    parent: &RecordId,
) -> Result<Vec<RecordId>, ApiError> {
    let sql = format!(
        "SELECT Id FROM \"{}\" WHERE \"{}\" = ?1 AND IsDeleted = 0 LIMIT {}",
        child.name,
        field.name,
        CASCADE_MAX + 1
    );
    let mut statement = unit.connection.prepare_cached(&sql)?;
    let ids = statement
        .query_map([parent.as_str()], |row| row.get::<_, String>(0))?
        .collect::<Result<Vec<_>, _>>()?;
    Ok(ids.iter().filter_map(|id| RecordId::parse(id).ok()).collect())
}

/// Moves or empties a reference. Only `SystemModstamp` moves: nobody edited the child.
fn set_reference(
    unit: &Unit<'_>,
    child: &'static Object,
    field: &Field,
    id: &RecordId,
    target: Option<&RecordId>,
) -> Result<(), ApiError> {
    let sql = format!(
        "UPDATE \"{}\" SET \"{}\" = ?2, SystemModstamp = max(SystemModstamp, ?3) WHERE Id = ?1",
        child.name, field.name
    );
    let target = target.map(RecordId::as_str);
    unit.connection.prepare_cached(&sql)?.execute((id.as_str(), target, unit.second()))?;
    outbound::queue::announce(unit, child, id)?;
    Ok(())
}

fn operation_refused(object: &Object, operation: &str) -> ApiError {
    let message = format!("entity type {} does not support {operation}", object.name);
    ApiError::bad("INVALID_TYPE_FOR_OPERATION", message)
}

/// A record in REST form: its fields and `attributes`.
pub(crate) fn to_json(object: &Object, version: &str, row: &Row) -> Map<String, Value> {
    let mut shown = Map::new();
    if let Some(Cell::Text(id)) = row.get("Id") {
        shown.insert("attributes".to_owned(), attributes(object, version, id));
    }
    for field in object.all_fields() {
        if let Some(cell) = row.get(field.name) {
            shown.insert(field.name.to_owned(), value::to_json(field.kind, cell));
        }
    }
    shown
}

/// `{"type": "Case", "url": "/services/data/v66.0/sobjects/Case/500..."}`
pub(crate) fn attributes(object: &Object, version: &str, id: &str) -> Value {
    serde_json::json!({
        "type": object.name,
        "url": format!("/services/data/{version}/sobjects/{}/{id}", object.name),
    })
}

/// True for the fields that every object has.
pub(crate) fn is_system(field: &Field) -> bool {
    SYSTEM.iter().any(|system| system.name == field.name)
}
