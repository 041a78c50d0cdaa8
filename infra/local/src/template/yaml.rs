//! YAML with CloudFormation's tags, as a tree that remembers lines.

use saphyr_parser::{Event, Parser, ScalarStyle, Span, StrInput};

use super::TemplateError;

/// Nested deeper than any template a person writes; a bound on the recursion below.
const MAX_DEPTH: usize = 64;

/// A value of the template and the line on which it starts (the first line is 1).
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) line: usize,
    pub(super) value: Value,
}

/// What a node holds. An intrinsic function has one form here, whether it was written `!Ref X` or `{Ref: X}`.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Integer(i64),
    Text(String),
    Sequence(Vec<Node>),
    Mapping(Vec<(String, Node)>),
    Intrinsic(Intrinsic),
}

/// The intrinsic functions that the local cloud evaluates.
#[derive(Clone, Debug)]
pub(super) enum Intrinsic {
    Ref(String),
    GetAtt { resource: String, attribute: String },
    Sub { text: String, variables: Vec<(String, Node)> },
    Join { separator: String, parts: Vec<Node> },
    Equals(Box<Node>, Box<Node>),
    Not(Box<Node>),
}

impl Node {
    /// The node under `key`, if this is a mapping that has it.
    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        match &self.value {
            Value::Mapping(entries) => entries.iter().find(|(name, _)| name == key).map(|(_, node)| node),
            _ => None,
        }
    }

    /// The entries, if this is a mapping.
    pub(super) fn entries(&self) -> Option<&[(String, Node)]> {
        match &self.value {
            Value::Mapping(entries) => Some(entries),
            _ => None,
        }
    }

    /// The text, if this is a plain string.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// Parses one document.
pub(super) fn parse(text: &str) -> Result<Node, TemplateError> {
    let mut reader = Reader { parser: Parser::new_from_str(text) };
    reader.expect(&Event::StreamStart)?;
    let (event, span) = reader.next()?;
    if !matches!(event, Event::DocumentStart(_)) {
        return Err(TemplateError::Yaml { line: span.start.line(), problem: "the file is empty".to_owned() });
    }
    let (event, span) = reader.next()?;
    let document = reader.node(event, span, "", 0)?;
    reader.expect(&Event::DocumentEnd)?;
    reader.expect(&Event::StreamEnd)?;
    Ok(document)
}

/// Builds nodes from the parser's events; every recursion is one level of the document.
struct Reader<'text> {
    parser: Parser<'text, StrInput<'text>>,
}

impl<'text> Reader<'text> {
    fn next(&mut self) -> Result<(Event<'text>, Span), TemplateError> {
        match self.parser.next() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => {
                Err(TemplateError::Yaml { line: error.marker().line(), problem: error.info().to_owned() })
            }
            None => Err(TemplateError::Yaml { line: 0, problem: "the file ends too early".to_owned() }),
        }
    }

    fn expect(&mut self, expected: &Event<'_>) -> Result<(), TemplateError> {
        let (event, span) = self.next()?;
        if event == *expected {
            return Ok(());
        }
        Err(TemplateError::Yaml {
            line: span.start.line(),
            problem: "exactly one document expected".to_owned(),
        })
    }

    fn node(
        &mut self,
        event: Event<'text>,
        span: Span,
        place: &str,
        depth: usize,
    ) -> Result<Node, TemplateError> {
        let line = span.start.line();
        let refuse = |problem: String| TemplateError::At { place: place.to_owned(), line, problem };
        if depth > MAX_DEPTH {
            return Err(refuse(format!("nested deeper than {MAX_DEPTH} levels")));
        }
        let (value, tag) = match event {
            Event::Scalar(text, style, _, tag) => {
                let plain = matches!(style, ScalarStyle::Plain) && tag.is_none();
                (if plain { scalar(&text) } else { Value::Text(text.into_owned()) }, tag)
            }
            Event::SequenceStart(_, tag) => (Value::Sequence(self.items(place, depth)?), tag),
            Event::MappingStart(_, tag) => (long_form(self.entries(place, depth)?).map_err(refuse)?, tag),
            Event::Alias(_) => {
                return Err(refuse("YAML aliases are not part of CloudFormation templates".to_owned()));
            }
            _ => return Err(refuse("a value expected".to_owned())),
        };
        let value = match tag {
            Some(tag) if !tag.is_yaml_core_schema() => {
                Value::Intrinsic(intrinsic(&tag.suffix, Node { line, value }).map_err(refuse)?)
            }
            _ => value,
        };
        Ok(Node { line, value })
    }

    fn items(&mut self, place: &str, depth: usize) -> Result<Vec<Node>, TemplateError> {
        let mut items = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::SequenceEnd {
                return Ok(items);
            }
            items.push(self.node(event, span, &format!("{place}[{}]", items.len()), depth + 1)?);
        }
    }

    fn entries(&mut self, place: &str, depth: usize) -> Result<Vec<(String, Node)>, TemplateError> {
        let mut entries: Vec<(String, Node)> = Vec::new();
        loop {
            let (event, span) = self.next()?;
            let line = span.start.line();
            let refuse = |problem: String| TemplateError::At { place: place.to_owned(), line, problem };
            let name = match event {
                Event::MappingEnd => return Ok(entries),
                Event::Scalar(name, ..) => name.into_owned(),
                _ => return Err(refuse("a key must be a string".to_owned())),
            };
            if entries.iter().any(|(earlier, _)| *earlier == name) {
                return Err(refuse(format!("the key `{name}` appears twice")));
            }
            let (event, span) = self.next()?;
            let value = self.node(event, span, &join(place, &name), depth + 1)?;
            entries.push((name, value));
        }
    }
}

/// `{Ref: X}` and `{Fn::Sub: ...}` are intrinsic functions; other mappings are themselves.
fn long_form(mut entries: Vec<(String, Node)>) -> Result<Value, String> {
    let name = match entries.as_slice() {
        [(name, _)] if name == "Ref" => "Ref".to_owned(),
        [(name, _)] if name.starts_with("Fn::") => name.trim_start_matches("Fn::").to_owned(),
        _ => return Ok(Value::Mapping(entries)),
    };
    match entries.pop() {
        Some((_, argument)) => Ok(Value::Intrinsic(intrinsic(&name, argument)?)),
        None => Ok(Value::Mapping(entries)),
    }
}

fn intrinsic(name: &str, argument: Node) -> Result<Intrinsic, String> {
    match (name, argument.value) {
        ("Ref", Value::Text(target)) => Ok(Intrinsic::Ref(target)),
        ("GetAtt", Value::Text(path)) => match path.split_once('.') {
            Some((resource, attribute)) => {
                Ok(Intrinsic::GetAtt { resource: resource.to_owned(), attribute: attribute.to_owned() })
            }
            None => Err(format!("!GetAtt needs Resource.Attribute, found `{path}`")),
        },
        ("GetAtt", Value::Sequence(parts)) => match parts.as_slice() {
            [resource, attribute] => match (resource.text(), attribute.text()) {
                (Some(resource), Some(attribute)) => {
                    Ok(Intrinsic::GetAtt { resource: resource.to_owned(), attribute: attribute.to_owned() })
                }
                _ => Err("Fn::GetAtt needs two strings".to_owned()),
            },
            _ => Err("Fn::GetAtt needs a resource and an attribute".to_owned()),
        },
        ("Sub", Value::Text(text)) => Ok(Intrinsic::Sub { text, variables: Vec::new() }),
        ("Sub", Value::Sequence(parts)) => match parts.as_slice() {
            [text, variables] => match (text.text(), variables.entries()) {
                (Some(text), Some(variables)) => {
                    Ok(Intrinsic::Sub { text: text.to_owned(), variables: variables.to_vec() })
                }
                _ => Err("Fn::Sub needs a string and a map".to_owned()),
            },
            _ => Err("Fn::Sub needs a string and a map".to_owned()),
        },
        ("Join", Value::Sequence(parts)) => match parts.as_slice() {
            [separator, Node { value: Value::Sequence(parts), .. }] => match separator.text() {
                Some(separator) => {
                    Ok(Intrinsic::Join { separator: separator.to_owned(), parts: parts.clone() })
                }
                None => Err("Fn::Join needs a separator and a list".to_owned()),
            },
            _ => Err("Fn::Join needs a separator and a list".to_owned()),
        },
        ("Equals", Value::Sequence(parts)) => match <[Node; 2]>::try_from(parts) {
            Ok([left, right]) => Ok(Intrinsic::Equals(Box::new(left), Box::new(right))),
            Err(_) => Err("Fn::Equals needs two values".to_owned()),
        },
        ("Not", Value::Sequence(parts)) => match <[Node; 1]>::try_from(parts) {
            Ok([condition]) => Ok(Intrinsic::Not(Box::new(condition))),
            Err(_) => Err("Fn::Not needs one condition".to_owned()),
        },
        ("Ref" | "GetAtt" | "Sub" | "Join" | "Equals" | "Not", _) => {
            Err(format!("this argument of !{name} is not understood"))
        }
        _ => Err(format!("the local cloud does not know the intrinsic function !{name}")),
    }
}

/// Plain scalars by the core schema of YAML 1.2, without floats: no setting that is used here is one.
fn scalar(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        _ => text.parse().map_or_else(|_| Value::Text(text.to_owned()), Value::Integer),
    }
}

/// `place.name`, or `name` at the root.
pub(super) fn join(place: &str, name: &str) -> String {
    if place.is_empty() { name.to_owned() } else { format!("{place}.{name}") }
}
