//! `template.yaml` as data, read without the local cloud: what is checked here is the file itself.

use std::collections::BTreeMap;

use saphyr_parser::{Event, Parser, ScalarStyle, StrInput};
use serde_json::{Map, Value, json};

/// The template. Intrinsic functions stand in their long form: `{"Ref": "X"}`, `{"Fn::GetAtt": "X.Arn"}`.
pub struct Template {
    root: Value,
}

/// One `AWS::Serverless::Function`.
pub struct Function<'t> {
    pub id: &'t str,
    pub binary: &'t str,
    properties: &'t Value,
}

/// One statement of a function's policy.
#[derive(Debug)]
pub struct Statement {
    pub actions: Vec<String>,
    /// With intrinsic functions.
    pub resources: Vec<Value>,
}

impl Template {
    /// The repository's template.
    pub fn read() -> Self {
        let text = std::fs::read_to_string(portico_conformance::root().join("template.yaml")).unwrap();
        let mut parser = Parser::new_from_str(&text);
        assert_eq!(next(&mut parser), Event::StreamStart);
        assert!(matches!(next(&mut parser), Event::DocumentStart(_)));
        let first = next(&mut parser);
        Self { root: value(&mut parser, first) }
    }

    pub fn parameters(&self) -> &Map<String, Value> {
        self.root["Parameters"].as_object().unwrap()
    }

    /// Every resource of a type: logical id and properties.
    pub fn of_type<'t>(&'t self, name: &'t str) -> impl Iterator<Item = (&'t str, &'t Value)> {
        let resources = self.root["Resources"].as_object().unwrap().iter();
        resources
            .filter(move |(_, resource)| resource["Type"] == name)
            .map(|(id, resource)| (id.as_str(), &resource["Properties"]))
    }

    pub fn functions(&self) -> Vec<Function<'_>> {
        self.of_type("AWS::Serverless::Function")
            .map(|(id, properties)| {
                let binary = &self.root["Resources"][id]["Metadata"]["BuildProperties"]["Binary"];
                Function { id, binary: binary.as_str().unwrap(), properties }
            })
            .collect()
    }

    pub fn function(&self, binary: &str) -> Function<'_> {
        self.functions().into_iter().find(|function| function.binary == binary).unwrap()
    }

    /// The type of a resource.
    pub fn type_of(&self, id: &str) -> Option<&str> {
        self.root["Resources"].get(id)?["Type"].as_str()
    }

    /// `Globals.Function`
    pub fn globals(&self) -> &Value {
        &self.root["Globals"]["Function"]
    }
}

impl<'t> Function<'t> {
    /// `Environment.Variables`, with intrinsic functions.
    pub fn variables(&self) -> &'t Map<String, Value> {
        self.properties["Environment"]["Variables"].as_object().unwrap()
    }

    pub fn property(&self, name: &str) -> &'t Value {
        &self.properties[name]
    }

    /// The statements of its policies; each must allow.
    pub fn statements(&self) -> Vec<Statement> {
        let policies = self.properties["Policies"].as_array().unwrap();
        let statements = policies.iter().flat_map(|policy| policy["Statement"].as_array().unwrap());
        statements
            .map(|statement| {
                assert_eq!(statement["Effect"], "Allow", "{}", self.id);
                let actions = many(&statement["Action"]).into_iter();
                Statement {
                    actions: actions.map(|action| action.as_str().unwrap().to_owned()).collect(),
                    resources: many(&statement["Resource"]),
                }
            })
            .collect()
    }

    /// Properties of its events of a type.
    pub fn events<'e>(&self, kind: &'e str) -> impl Iterator<Item = &'t Value> + use<'t, 'e> {
        let events = self.properties["Events"].as_object().into_iter().flatten();
        events
            .map(|(_, event)| event)
            .filter(move |event| event["Type"] == kind)
            .map(|event| &event["Properties"])
    }
}

/// The resource that a value refers to: by `Ref`, by `GetAtt`, or at the start of a `Sub`.
pub fn target(value: &Value) -> Option<&str> {
    if let Some(name) = value["Ref"].as_str() {
        return Some(name);
    }
    if let Some(path) = value["Fn::GetAtt"].as_str() {
        return path.split('.').next();
    }
    let inside = value["Fn::Sub"].as_str()?.strip_prefix("${")?;
    inside.split(['.', '}']).next()
}

/// What names stand for.
#[derive(Default, Clone)]
pub struct Names(BTreeMap<String, String>);

impl Names {
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.insert(name.into(), value.into());
    }

    pub fn get(&self, name: &str) -> &str {
        self.0.get(name).unwrap_or_else(|| panic!("{name} stands for nothing"))
    }

    /// The text that a value comes to.
    pub fn text(&self, value: &Value) -> String {
        if let Some(text) = value.as_str() {
            return text.to_owned();
        }
        if let Some(name) = value["Ref"].as_str().or_else(|| value["Fn::GetAtt"].as_str()) {
            return self.get(name).to_owned();
        }
        let mut rest = value["Fn::Sub"].as_str().unwrap_or_else(|| panic!("no text: {value}"));
        let mut text = String::new();
        while let Some((before, after)) = rest.split_once("${") {
            let (name, remaining) = after.split_once('}').unwrap();
            text += before;
            text += self.get(name);
            rest = remaining;
        }
        text + rest
    }
}

/// The items of a list, or the one item that stands without one.
pub fn many(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_else(|| vec![value.clone()])
}

fn next<'i>(parser: &mut Parser<'i, StrInput<'i>>) -> Event<'i> {
    parser.next().unwrap().unwrap().0
}

fn value<'i>(parser: &mut Parser<'i, StrInput<'i>>, event: Event<'i>) -> Value {
    let (value, tag) = match event {
        Event::Scalar(text, style, _, tag) => {
            let plain = style == ScalarStyle::Plain && tag.is_none();
            let typed = if plain { serde_json::from_str(&text).ok() } else { None };
            (typed.unwrap_or_else(|| json!(text)), tag)
        }
        Event::SequenceStart(_, tag) => {
            let mut items = Vec::new();
            loop {
                match next(parser) {
                    Event::SequenceEnd => break (Value::Array(items), tag),
                    item => items.push(value(parser, item)),
                }
            }
        }
        Event::MappingStart(_, tag) => {
            let mut entries = Map::new();
            loop {
                match next(parser) {
                    Event::MappingEnd => break (Value::Object(entries), tag),
                    Event::Scalar(name, ..) => {
                        let first = next(parser);
                        let earlier = entries.insert(name.to_string(), value(parser, first));
                        assert_eq!(earlier, None, "{name} twice");
                    }
                    other => panic!("{other:?} is no key"),
                }
            }
        }
        other => panic!("{other:?} is not part of a template"),
    };
    match tag {
        Some(tag) if !tag.is_yaml_core_schema() => {
            let name = if tag.suffix == "Ref" { "Ref".to_owned() } else { format!("Fn::{}", tag.suffix) };
            json!({ name: value })
        }
        _ => value,
    }
}
