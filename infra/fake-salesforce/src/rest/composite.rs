//! Several calls in one: `/composite`, `/composite/graph` and `/composite/sobjects`.

use std::collections::{BTreeMap, BTreeSet};

use http::Method;
use rusqlite::Connection;
use serde_json::{Map, Value, json};

use super::{Call, Context, Depth, Reply, only, parameter, sobjects};
use crate::{
    error::ApiError,
    id::RecordId,
    records::{self, Upserted},
    schema::{Field, Object},
};

/// Most subrequests of `/composite`.
const SUBREQUESTS_MAX: usize = 25;
/// Most nodes of one request of `/composite/graph`, and most graphs.
const NODES_MAX: usize = 500;
const GRAPHS_MAX: usize = 75;
/// Most records of `/composite/sobjects`.
const COLLECTION_MAX: usize = 200;
/// Deepest body in which references are looked for.
const BODY_DEPTH_MAX: usize = 16;

pub(super) fn route(context: &Context<'_>, call: &Call, resource: &[&str]) -> Result<Reply, ApiError> {
    match resource {
        [] => only(call, "POST", || composite(context, call)),
        ["graph"] => only(call, "POST", || graphs(context, call)),
        ["sobjects", rest @ ..] => collection(context, call, rest),
        _ => Err(ApiError::not_found()),
    }
}

/// One subrequest as the client wrote it.
struct Node {
    reference: String,
    method: Method,
    url: String,
    body: Value,
}

fn composite(context: &Context<'_>, call: &Call) -> Result<Reply, ApiError> {
    let nodes = nodes(call.body.get("compositeRequest"), SUBREQUESTS_MAX)?;
    let all_or_none = call.body.get("allOrNone").and_then(Value::as_bool).unwrap_or(false);
    let (answers, _) = run(context, &nodes, all_or_none)?;
    Ok(Reply::ok(json!({"compositeResponse": answers})))
}

fn graphs(context: &Context<'_>, call: &Call) -> Result<Reply, ApiError> {
    let graphs = call
        .body
        .get("graphs")
        .and_then(Value::as_array)
        .filter(|graphs| !graphs.is_empty() && graphs.len() <= GRAPHS_MAX)
        .ok_or_else(|| {
            ApiError::bad("INVALID_INPUT", format!("graphs: between 1 and {GRAPHS_MAX} required"))
        })?;
    let mut parsed = Vec::new();
    let mut names = BTreeSet::new();
    let mut total = 0;
    for graph in graphs {
        let id = graph
            .get("graphId")
            .and_then(Value::as_str)
            .filter(|id| names.insert(id.to_string()))
            .ok_or_else(|| ApiError::bad("INVALID_INPUT", "graphId: required and unique"))?;
        let nodes = nodes(graph.get("compositeRequest"), NODES_MAX)?;
        if nodes.iter().any(|node| !sobjects_url(&node.url)) {
            return Err(ApiError::bad("INVALID_INPUT", "only sobjects URLs are supported in a graph"));
        }
        total += nodes.len();
        parsed.push((id, nodes));
    }
    if total > NODES_MAX {
        return Err(ApiError::bad("LIMIT_EXCEEDED", format!("more than {NODES_MAX} nodes in the request")));
    }
    let mut answers = Vec::with_capacity(parsed.len());
    for (id, nodes) in parsed {
        let (responses, successful) = run(context, &nodes, true)?;
        answers.push(json!({
            "graphId": id,
            "graphResponse": {"compositeResponse": responses},
            "isSuccessful": successful,
        }));
    }
    Ok(Reply::ok(json!({"graphs": answers})))
}

fn sobjects_url(url: &str) -> bool {
    let mut segments = url.split(['/', '?']).filter(|segment| !segment.is_empty());
    segments.nth(3) == Some("sobjects")
}

fn nodes(value: Option<&Value>, max: usize) -> Result<Vec<Node>, ApiError> {
    let list = value
        .and_then(Value::as_array)
        .ok_or_else(|| ApiError::bad("JSON_PARSER_ERROR", "compositeRequest: a list is required"))?;
    if list.is_empty() || list.len() > max {
        let message = format!("Limit exceeded: between 1 and {max} subrequests are allowed");
        return Err(ApiError::bad("LIMIT_EXCEEDED", message));
    }
    let mut names = BTreeSet::new();
    list.iter()
        .map(|node| {
            let text = |name: &str| node.get(name).and_then(Value::as_str).unwrap_or_default();
            let reference = text("referenceId");
            let well_formed = !reference.is_empty()
                && reference.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
                && names.insert(reference.to_owned());
            if !well_formed {
                let message = format!("referenceId: required, unique, letters, digits and _: '{reference}'");
                return Err(ApiError::bad("INVALID_INPUT", message));
            }
            let method = match text("method") {
                "GET" => Method::GET,
                "POST" => Method::POST,
                "PATCH" => Method::PATCH,
                "DELETE" => Method::DELETE,
                other => {
                    return Err(ApiError::bad(
                        "INVALID_INPUT",
                        format!("method: '{other}' is not supported"),
                    ));
                }
            };
            Ok(Node {
                reference: reference.to_owned(),
                method,
                url: text("url").to_owned(),
                body: node.get("body").cloned().unwrap_or(Value::Null),
            })
        })
        .collect()
}

/// Runs subrequests in order, each in its own savepoint. With `all_or_none` the first failure undoes all of
/// them. Answers the response list and whether everything succeeded.
fn run(context: &Context<'_>, nodes: &[Node], all_or_none: bool) -> Result<(Vec<Value>, bool), ApiError> {
    let connection = context.unit.connection;
    let outer = Savepoint::new(connection, "composite")?;
    let mut results: BTreeMap<&str, Value> = BTreeMap::new();
    let mut replies: Vec<Reply> = Vec::with_capacity(nodes.len());
    for node in nodes {
        let inner = Savepoint::new(connection, "subrequest")?;
        let reply = subrequest(context, node, &results).unwrap_or_else(Reply::from);
        inner.end(reply.succeeded())?;
        if let (true, Some(body)) = (reply.succeeded(), &reply.body) {
            results.insert(node.reference.as_str(), body.clone());
        }
        let failed = !reply.succeeded();
        replies.push(reply);
        if failed && all_or_none {
            break;
        }
    }
    let successful = replies.iter().all(Reply::succeeded);
    let undone = all_or_none && !successful;
    outer.end(!undone)?;
    let halted = Reply::from(ApiError::bad(
        "PROCESSING_HALTED",
        "The transaction was rolled back since another operation in the same transaction failed.",
    ));
    let answers = nodes
        .iter()
        .enumerate()
        .map(|(index, node)| {
            let reply = match replies.get(index) {
                Some(reply) if !undone || !reply.succeeded() => reply,
                _ => &halted,
            };
            let headers = match &reply.location {
                Some(location) => json!({"Location": location}),
                None => json!({}),
            };
            json!({
                "body": reply.body,
                "httpHeaders": headers,
                "httpStatusCode": reply.status,
                "referenceId": node.reference,
            })
        })
        .collect();
    Ok((answers, successful))
}

fn subrequest(
    context: &Context<'_>,
    node: &Node,
    results: &BTreeMap<&str, Value>,
) -> Result<Reply, ApiError> {
    let url = replace_in_text(&node.url, results)?;
    let (path, query) = url.split_once('?').unwrap_or((url.as_str(), ""));
    let call = Call {
        method: node.method.clone(),
        path: path.to_owned(),
        query: query.to_owned(),
        body: replace_in_body(&node.body, results, BODY_DEPTH_MAX)?,
    };
    super::route(context, &call, Depth::Subrequest)
}

fn replace_in_body(body: &Value, results: &BTreeMap<&str, Value>, depth: usize) -> Result<Value, ApiError> {
    if depth == 0 {
        return Err(ApiError::bad("JSON_PARSER_ERROR", "the body is nested too deeply"));
    }
    match body {
        Value::String(text) => match whole_reference(text) {
            Some(reference) => look_up(reference, results).cloned(),
            None => replace_in_text(text, results).map(Value::String),
        },
        Value::Array(items) => items
            .iter()
            .map(|item| replace_in_body(item, results, depth - 1))
            .collect::<Result<Vec<_>, _>>()
            .map(Value::Array),
        Value::Object(map) => map
            .iter()
            .map(|(name, value)| Ok((name.clone(), replace_in_body(value, results, depth - 1)?)))
            .collect::<Result<Map<_, _>, ApiError>>()
            .map(Value::Object),
        other => Ok(other.clone()),
    }
}

/// `@{ref.id}` and nothing else: keeps the type of the value.
fn whole_reference(text: &str) -> Option<&str> {
    text.strip_prefix("@{")?.strip_suffix('}').filter(|inner| !inner.contains(['{', '}']))
}

fn replace_in_text(text: &str, results: &BTreeMap<&str, Value>) -> Result<String, ApiError> {
    let mut replaced = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, tail)) = rest.split_once("@{") {
        let Some((reference, after)) = tail.split_once('}') else { break };
        replaced.push_str(before);
        match look_up(reference, results)? {
            Value::String(value) => replaced.push_str(value),
            other => replaced.push_str(&other.to_string()),
        }
        rest = after;
    }
    replaced.push_str(rest);
    Ok(replaced)
}

/// `ref.id`, `ref.records[0].Id`
fn look_up<'r>(reference: &str, results: &'r BTreeMap<&str, Value>) -> Result<&'r Value, ApiError> {
    let invalid = || {
        let message = format!("Invalid reference specified. No value for {reference} found");
        ApiError::bad("PROCESSING_HALTED", message)
    };
    let mut steps = reference.split(['.', '[']);
    let mut value = steps.next().and_then(|name| results.get(name)).ok_or_else(invalid)?;
    for step in steps {
        value = match step.strip_suffix(']') {
            Some(index) => index.parse::<usize>().ok().and_then(|index| value.get(index)),
            None => value.get(step),
        }
        .ok_or_else(invalid)?;
    }
    Ok(value)
}

/// A savepoint that is undone unless ended well.
struct Savepoint<'c> {
    connection: &'c Connection,
    name: &'static str,
}

impl<'c> Savepoint<'c> {
    fn new(connection: &'c Connection, name: &'static str) -> Result<Savepoint<'c>, ApiError> {
        connection.execute_batch(&format!("SAVEPOINT {name}"))?;
        Ok(Savepoint { connection, name })
    }

    fn end(self, keep: bool) -> Result<(), ApiError> {
        let Savepoint { connection, name } = self;
        if !keep {
            connection.execute_batch(&format!("ROLLBACK TO {name}"))?;
        }
        connection.execute_batch(&format!("RELEASE {name}"))?;
        Ok(())
    }
}

/// `/composite/sobjects`: up to 200 records, each with its own result.
fn collection(context: &Context<'_>, call: &Call, resource: &[&str]) -> Result<Reply, ApiError> {
    let work: Vec<Work<'_>> = match (call.method.as_str(), resource) {
        ("POST", []) => items(call)?.into_iter().map(Work::Create).collect(),
        ("PATCH", []) => items(call)?.into_iter().map(Work::Update).collect(),
        ("PATCH", [object, field]) => {
            let object = Object::named(object).ok_or_else(ApiError::not_found)?;
            let field = sobjects::external_id_field(object, field)?;
            items(call)?.into_iter().map(|item| Work::Upsert(object, field, item)).collect()
        }
        ("DELETE", []) => {
            let ids = parameter(call, "ids").unwrap_or_default();
            let ids: Vec<String> = ids.split(',').map(str::to_owned).collect();
            check_size(ids.len())?;
            ids.into_iter().map(Work::Delete).collect()
        }
        _ => return Err(ApiError::method_not_allowed(&call.method, "POST, PATCH, DELETE")),
    };
    let all_or_none = match call.method.as_str() {
        "DELETE" => parameter(call, "allOrNone").is_some_and(|value| value == "true"),
        _ => call.body.get("allOrNone").and_then(Value::as_bool).unwrap_or(false),
    };
    let connection = context.unit.connection;
    let outer = Savepoint::new(connection, "collection")?;
    let mut results = Vec::with_capacity(work.len());
    let mut failed = false;
    for work in &work {
        let inner = Savepoint::new(connection, "record")?;
        let result = work.run(context);
        inner.end(result.is_ok())?;
        failed |= result.is_err();
        results.push(result);
    }
    let undone = failed && all_or_none;
    outer.end(!undone)?;
    let results = results.into_iter().map(|result| match result {
        Ok(_) if undone => {
            let error = ApiError::bad(
                "ALL_OR_NONE_OPERATION_ROLLED_BACK",
                "Record rolled back because not all records were valid and the request was using AllOrNone header",
            );
            json!({"success": false, "errors": [error.result_entry()]})
        }
        Ok(answer) => answer,
        Err(error) => json!({"success": false, "errors": [error.result_entry()]}),
    });
    Ok(Reply::ok(results.collect()))
}

enum Work<'r> {
    Create(&'r Map<String, Value>),
    Update(&'r Map<String, Value>),
    Upsert(&'static Object, &'static Field, &'r Map<String, Value>),
    Delete(String),
}

impl Work<'_> {
    fn run(&self, context: &Context<'_>) -> Result<Value, ApiError> {
        let unit = &context.unit;
        match self {
            Work::Create(item) => {
                let id = records::create(unit, typed(item)?, item)?;
                Ok(json!({"id": id.as_str(), "success": true, "errors": []}))
            }
            Work::Update(item) => {
                let mut input = (*item).clone();
                let id = take(&mut input, "Id").unwrap_or_default();
                let (object, id) = identified(&id)?;
                records::update(unit, object, &id, &input)?;
                Ok(json!({"id": id.as_str(), "success": true, "errors": []}))
            }
            Work::Upsert(object, field, item) => {
                let mut input = (*item).clone();
                let key = take(&mut input, field.name).ok_or_else(|| {
                    ApiError::bad("MISSING_ARGUMENT", format!("{} not specified", field.name))
                })?;
                let (id, created) = match records::upsert(unit, object, field, &key, &input, false)? {
                    Upserted::Created(id) => (id, true),
                    Upserted::Updated(id) => (id, false),
                    Upserted::Ambiguous(ids) => {
                        let message = format!("{}: {key} fits {} records", field.name, ids.len());
                        return Err(ApiError::bad("DUPLICATE_EXTERNAL_ID", message));
                    }
                };
                Ok(json!({"id": id.as_str(), "success": true, "errors": [], "created": created}))
            }
            Work::Delete(id) => {
                let (object, id) = identified(id)?;
                records::delete(unit, object, &id)?;
                Ok(json!({"id": id.as_str(), "success": true, "errors": []}))
            }
        }
    }
}

fn items(call: &Call) -> Result<Vec<&Map<String, Value>>, ApiError> {
    let records = call
        .body
        .get("records")
        .and_then(Value::as_array)
        .ok_or_else(|| ApiError::bad("JSON_PARSER_ERROR", "records: a list is required"))?;
    check_size(records.len())?;
    records.iter().map(sobjects::fields).collect()
}

fn check_size(records: usize) -> Result<(), ApiError> {
    if (1..=COLLECTION_MAX).contains(&records) {
        return Ok(());
    }
    let message = format!("between 1 and {COLLECTION_MAX} records are allowed");
    Err(ApiError::bad("EXCEEDED_ID_LIMIT", message))
}

fn typed(item: &Map<String, Value>) -> Result<&'static Object, ApiError> {
    item.get("attributes")
        .and_then(|attributes| attributes.get("type"))
        .and_then(Value::as_str)
        .and_then(Object::named)
        .ok_or_else(|| ApiError::bad("INVALID_TYPE", "attributes.type: a known object is required"))
}

fn identified(id: &str) -> Result<(&'static Object, RecordId), ApiError> {
    let malformed = || ApiError::bad("MALFORMED_ID", format!("bad id {id}"));
    let id = RecordId::parse(id).map_err(|_| malformed())?;
    let object = Object::with_prefix(id.prefix()).ok_or_else(malformed)?;
    Ok((object, id))
}

/// Removes a text field, in any letter case.
fn take(input: &mut Map<String, Value>, name: &str) -> Option<String> {
    let key = input.keys().find(|key| key.eq_ignore_ascii_case(name)).cloned()?;
    match input.remove(&key)? {
        Value::String(text) => Some(text),
        _ => None,
    }
}
