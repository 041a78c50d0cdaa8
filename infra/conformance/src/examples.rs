//! Examples of the API's document: the requests in `events/` and the answers that the tests have committed for them.
//! Both are run and compared in `tests/it`, so an example cannot say what the API does not do.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

use serde_json::{Map, Value, json};

/// Why the examples cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ExampleError {
    /// A file.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file that is not what it should be.
    #[error("{}: {source}", path.display())]
    Json {
        /// Which.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
}

/// One request and its answer.
struct Example {
    /// `new-case` of `case-submission-new-case`.
    name: String,
    event: Value,
    answer: Value,
}

impl Example {
    fn status(&self) -> u64 {
        self.answer.pointer("/statusCode").and_then(Value::as_u64).unwrap_or_default()
    }

    fn is_refused(&self) -> bool {
        self.status() >= 400
    }
}

/// Puts every example of the routes of these binaries into the document.
///
/// # Errors
/// [`ExampleError`].
pub fn add(document: &mut Value, binaries: &[&str]) -> Result<(), ExampleError> {
    let mut told = BTreeSet::new();
    for example in read(binaries)? {
        let text = |pointer: &str| example.event.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let (path, method) = (text("/resource"), text("/httpMethod").to_lowercase());
        let operation = document.get_mut("paths").and_then(|paths| paths.get_mut(path)?.get_mut(&method));
        let Some(operation) = operation else { continue };
        if example.is_refused() {
            add_refusal(document, &example.answer, &mut told);
        } else {
            add_request(operation, &example);
            add_answer(operation, &example);
        }
    }
    for answer in refusals()? {
        add_refusal(document, &answer, &mut told);
    }
    Ok(())
}

/// Every HTTP event of these binaries with its answer, in the order of the files' names.
fn read(binaries: &[&str]) -> Result<Vec<Example>, ExampleError> {
    let mut examples = Vec::new();
    for path in files(crate::root().join("events"))? {
        let whole = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        let rest = binaries.iter().find_map(|binary| whole.strip_prefix(binary)?.strip_prefix('-'));
        let Some(name) = rest else { continue };
        let event = text(&path)?;
        let event = serde_json::from_str(&event).map_err(|source| ExampleError::Json { path, source })?;
        let path = snapshots().join(format!("{whole}.snap"));
        // A new event has none until its test has run.
        if path.exists() {
            let answer = snapshot(path)?.get_mut("answer").map(Value::take).unwrap_or_default();
            examples.push(Example { name: name.to_owned(), event, answer });
        }
    }
    Ok(examples)
}

/// Answers to requests that no client would send on purpose, in the order of the files' names.
fn refusals() -> Result<Vec<Value>, ExampleError> {
    let is_refusal = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.starts_with("refusal-") && name.ends_with(".snap")
    };
    files(snapshots())?.into_iter().filter(is_refusal).map(snapshot).collect()
}

fn snapshots() -> PathBuf {
    crate::root().join("infra/conformance/tests/it/snapshots")
}

fn files(directory: PathBuf) -> Result<Vec<PathBuf>, ExampleError> {
    let entries = fs::read_dir(&directory).and_then(|entries| {
        entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<PathBuf>, io::Error>>()
    });
    let mut paths = entries.map_err(|source| ExampleError::File { path: directory, source })?;
    paths.sort();
    Ok(paths)
}

fn text(path: &Path) -> Result<String, ExampleError> {
    fs::read_to_string(path).map_err(|source| ExampleError::File { path: path.to_owned(), source })
}

fn snapshot(path: PathBuf) -> Result<Value, ExampleError> {
    let text = text(&path)?;
    // What stands before the second line of dashes is insta's.
    let json = text.splitn(3, "---\n").nth(2).unwrap_or_default();
    serde_json::from_str(json).map_err(|source| ExampleError::Json { path, source })
}

/// Body and parameters of a request that was taken.
fn add_request(operation: &mut Value, example: &Example) {
    let body =
        example.event.get("body").and_then(Value::as_str).and_then(|body| serde_json::from_str(body).ok());
    let media = operation.pointer_mut("/requestBody/content/application~1json");
    if let (Some(body), Some(media)) = (body, media) {
        insert_example(media, &example.name, body);
    }
    let parameters = operation.get_mut("parameters").and_then(Value::as_array_mut);
    for parameter in parameters.into_iter().flatten() {
        let text = |name: &str| parameter.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (name, place) = (text("name"), text("in"));
        let sent = match place.as_str() {
            "path" => example.event.get("pathParameters").and_then(|all| all.get(&name)),
            "query" => example.event.get("queryStringParameters").and_then(|all| all.get(&name)),
            "header" => example.event.get("headers").and_then(Value::as_object).and_then(|all| {
                all.iter().find(|(header, _)| header.eq_ignore_ascii_case(&name)).map(|(_, value)| value)
            }),
            _ => None,
        };
        let Some(sent) = sent.and_then(Value::as_str) else { continue };
        let is_number = parameter.pointer("/schema/type") == Some(&json!("integer"));
        let value = if is_number {
            sent.parse::<i64>().map_or_else(|_| json!(sent), |n| json!(n))
        } else {
            json!(sent)
        };
        // The first example stands for the parameter.
        if let Some(parameter) = parameter.as_object_mut()
            && !parameter.contains_key("examples")
        {
            parameter.remove("example");
            parameter.insert("examples".to_owned(), json!({ &example.name: { "value": value } }));
        }
    }
}

/// Body and headers of an answer that is no refusal.
fn add_answer(operation: &mut Value, example: &Example) {
    let Some(response) =
        operation.get_mut("responses").and_then(|all| all.get_mut(example.status().to_string()))
    else {
        return;
    };
    let content = response.get_mut("content").and_then(Value::as_object_mut);
    if let Some((name, media)) = content.and_then(|content| content.iter_mut().next())
        && let Some(body) = example.answer.get("body")
    {
        // The snapshot has every body that could be read as JSON as such, also a single line of it.
        let is_text = name != "application/json" && !body.is_string();
        insert_example(media, &example.name, if is_text { body.to_string().into() } else { body.clone() });
    }
    for (name, header) in response.get_mut("headers").and_then(Value::as_object_mut).into_iter().flatten() {
        let sent = example.answer.pointer(&format!("/multiValueHeaders/{}/0", name.to_lowercase()));
        if let (Some(header), Some(sent)) = (header.as_object_mut(), sent) {
            header.entry("example").or_insert_with(|| sent.clone());
        }
    }
}

/// A refusal, in place of the one that was made up for its kind. The first of a kind stands for it.
fn add_refusal(document: &mut Value, answer: &Value, told: &mut BTreeSet<String>) {
    let Some(body) = answer.get("body") else { return };
    let kind =
        body.get("type").and_then(Value::as_str).and_then(|uri| uri.rsplit('/').next()).unwrap_or_default();
    if !told.insert(kind.to_owned()) {
        return;
    }
    let responses = document.pointer_mut("/components/responses").and_then(Value::as_object_mut);
    for response in responses.into_iter().flatten().map(|(_, response)| response) {
        let example = response
            .pointer_mut("/content/application~1problem+json/examples")
            .and_then(|examples| examples.get_mut(kind))
            .and_then(Value::as_object_mut);
        if let Some(example) = example {
            example.insert("value".to_owned(), body.clone());
        }
    }
}

fn insert_example(media: &mut Value, name: &str, value: Value) {
    if let Some(media) = media.as_object_mut() {
        media.remove("example");
        let examples = media.entry("examples").or_insert_with(|| Value::Object(Map::new()));
        if let Some(examples) = examples.as_object_mut() {
            examples.insert(name.to_owned(), json!({ "value": value }));
        }
    }
}
