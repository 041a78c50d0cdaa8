//! `/sobjects/...`: one record at a time.

use serde_json::{Map, Value, json};

use super::{Call, Context, Reply, Version, describe, only, parameter, replication};
use crate::{
    error::ApiError,
    id::RecordId,
    records::{self, Row, Upserted},
    schema::{Field, Object},
};

/// First version whose upsert answers have `created`, and whose updates by upsert have a body at all.
const UPSERT_ANSWERS_SINCE: u32 = 46;

pub(super) fn route(
    context: &Context<'_>,
    call: &Call,
    version: &Version,
    resource: &[&str],
) -> Result<Reply, ApiError> {
    let Some((name, rest)) = resource.split_first() else {
        return only(call, "GET", || Ok(Reply::ok(describe::everything(version))));
    };
    let object = Object::named(name).ok_or_else(ApiError::not_found)?;
    match rest {
        [] => match call.method.as_str() {
            "GET" => Ok(Reply::ok(describe::summary(object, version))),
            "POST" => create(context, call, version, object),
            _ => Err(ApiError::method_not_allowed(&call.method, "GET, POST")),
        },
        ["describe"] => only(call, "GET", || Ok(Reply::ok(describe::object(object, version)))),
        ["updated"] => only(call, "GET", || replication::updated(context, call, object)),
        ["deleted"] => only(call, "GET", || replication::deleted(context, call, object)),
        [id] => by_id(context, call, version, object, id),
        [field, key] if field.eq_ignore_ascii_case("Id") => by_id(context, call, version, object, key),
        [field, key] => by_external_id(context, call, version, object, field, key),
        _ => Err(ApiError::not_found()),
    }
}

/// The fields in a request body.
pub(super) fn fields(body: &Value) -> Result<&Map<String, Value>, ApiError> {
    body.as_object().ok_or_else(|| {
        ApiError::bad("JSON_PARSER_ERROR", "The HTTP entity body is required and must be a JSON object")
    })
}

fn create(
    context: &Context<'_>,
    call: &Call,
    version: &Version,
    object: &'static Object,
) -> Result<Reply, ApiError> {
    let id = records::create(&context.unit, object, fields(&call.body)?)?;
    Ok(created(object, version, &id, json!({"id": id.as_str(), "success": true, "errors": []})))
}

fn by_id(
    context: &Context<'_>,
    call: &Call,
    version: &Version,
    object: &'static Object,
    id: &str,
) -> Result<Reply, ApiError> {
    let id = RecordId::parse(id).ok().filter(|id| id.prefix() == object.prefix).ok_or_else(|| {
        ApiError::new(404, "NOT_FOUND", "Provided external ID field does not exist or is not accessible: Id")
    })?;
    match call.method.as_str() {
        "GET" => read(context, call, version, object, &id),
        "PATCH" => {
            records::update(&context.unit, object, &id, fields(&call.body)?)?;
            Ok(Reply::empty())
        }
        "DELETE" => {
            records::delete(&context.unit, object, &id)?;
            Ok(Reply::empty())
        }
        _ => Err(ApiError::method_not_allowed(&call.method, "HEAD, GET, PATCH, DELETE")),
    }
}

fn by_external_id(
    context: &Context<'_>,
    call: &Call,
    version: &Version,
    object: &'static Object,
    field: &str,
    key: &str,
) -> Result<Reply, ApiError> {
    let field = external_id_field(object, field)?;
    if call.method == http::Method::PATCH {
        return upsert(context, call, version, object, field, key);
    }
    let found = records::find(&context.unit, object, field, key)?;
    let id = match found.as_slice() {
        [] => return Err(ApiError::not_found()),
        [id] => id,
        several => return Ok(ambiguous(object, version, several)),
    };
    match call.method.as_str() {
        "GET" => read(context, call, version, object, id),
        "DELETE" => {
            records::delete(&context.unit, object, id)?;
            Ok(Reply::empty())
        }
        _ => Err(ApiError::method_not_allowed(&call.method, "HEAD, GET, PATCH, DELETE")),
    }
}

/// A field that may stand in the URL.
pub(super) fn external_id_field(object: &Object, name: &str) -> Result<&'static Field, ApiError> {
    object.field(name).filter(|field| field.lookup).ok_or_else(|| {
        let message = format!("Provided external ID field does not exist or is not accessible: {name}");
        ApiError::new(404, "NOT_FOUND", message)
    })
}

fn upsert(
    context: &Context<'_>,
    call: &Call,
    version: &Version,
    object: &'static Object,
    field: &'static Field,
    key: &str,
) -> Result<Reply, ApiError> {
    let update_only = parameter(call, "updateOnly").is_some_and(|value| value == "true");
    let shows_created = version.number >= UPSERT_ANSWERS_SINCE;
    match records::upsert(&context.unit, object, field, key, fields(&call.body)?, update_only)? {
        Upserted::Created(id) => {
            let mut body = json!({"id": id.as_str(), "success": true, "errors": []});
            if let (true, Some(body)) = (shows_created, body.as_object_mut()) {
                body.insert("created".to_owned(), Value::Bool(true));
            }
            Ok(created(object, version, &id, body))
        }
        Upserted::Updated(_) if context.empty_upsert_answers || !shows_created => Ok(Reply::empty()),
        Upserted::Updated(id) => {
            Ok(Reply::ok(json!({"id": id.as_str(), "success": true, "errors": [], "created": false})))
        }
        Upserted::Ambiguous(ids) => Ok(ambiguous(object, version, &ids)),
    }
}

fn read(
    context: &Context<'_>,
    call: &Call,
    version: &Version,
    object: &'static Object,
    id: &RecordId,
) -> Result<Reply, ApiError> {
    let row = records::live(&context.unit, object, id)?;
    let Some(wanted) = parameter(call, "fields") else {
        return Ok(Reply::ok(Value::Object(records::to_json(object, &version.text, &row))));
    };
    let mut shown = Row::new();
    for name in wanted.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        let field = object.field(name).ok_or_else(|| {
            let message = format!("No such column '{name}' on sobject of type {}", object.name);
            ApiError::bad("INVALID_FIELD", message)
        })?;
        if let Some(cell) = row.get(field.name) {
            shown.insert(field.name, cell.clone());
        }
    }
    let mut record = records::to_json(object, &version.text, &shown);
    record.insert("attributes".to_owned(), records::attributes(object, &version.text, id.as_str()));
    // Salesforce always adds the id.
    record.insert("Id".to_owned(), Value::String(id.to_string()));
    Ok(Reply::ok(Value::Object(record)))
}

fn created(object: &Object, version: &Version, id: &RecordId, body: Value) -> Reply {
    Reply { status: 201, body: Some(body), location: Some(url(object, version, id)) }
}

/// 300: the URLs of all records that fit.
fn ambiguous(object: &Object, version: &Version, ids: &[RecordId]) -> Reply {
    let urls = ids.iter().map(|id| url(object, version, id)).collect::<Vec<_>>();
    Reply { status: 300, body: Some(json!(urls)), location: None }
}

fn url(object: &Object, version: &Version, id: &RecordId) -> String {
    format!("/services/data/{}/sobjects/{}/{id}", version.text, object.name)
}
