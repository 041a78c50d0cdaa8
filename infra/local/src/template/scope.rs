//! Intrinsic functions, evaluated against what exists on this machine.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use super::TemplateError;
use super::yaml::{Intrinsic, Node, Value, join};

/// What `!Ref`, `!GetAtt` and `!Sub` may name, and what it stands for.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    references: BTreeMap<String, String>,
    attributes: BTreeMap<String, String>,
}

impl Scope {
    /// Makes `!Ref name` stand for `value`; parameters, pseudo parameters and resources share one name space.
    pub fn refer(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.references.insert(name.into(), value.into());
    }

    /// Makes `!GetAtt resource.attribute` stand for `value`.
    pub fn attribute(&mut self, resource: &str, attribute: &str, value: impl Into<String>) {
        self.attributes.insert(format!("{resource}.{attribute}"), value.into());
    }

    /// What `!Ref name` stands for.
    #[must_use]
    pub fn reference(&self, name: &str) -> Option<&str> {
        self.references.get(name).map(String::as_str)
    }

    /// `node` without intrinsic functions, as JSON; `place` names it in errors.
    pub(super) fn evaluate(&self, node: &Node, place: &str) -> Result<Json, TemplateError> {
        Ok(match &node.value {
            Value::Null => Json::Null,
            Value::Bool(value) => Json::Bool(*value),
            Value::Integer(value) => Json::from(*value),
            Value::Text(value) => Json::String(value.clone()),
            Value::Sequence(items) => Json::Array(
                items
                    .iter()
                    .enumerate()
                    .map(|(index, item)| self.evaluate(item, &format!("{place}[{index}]")))
                    .collect::<Result<_, _>>()?,
            ),
            Value::Mapping(entries) => {
                let mut object = Map::new();
                for (name, value) in entries {
                    object.insert(name.clone(), self.evaluate(value, &join(place, name))?);
                }
                Json::Object(object)
            }
            Value::Intrinsic(intrinsic) => Json::String(self.call(intrinsic, node.line, place)?),
        })
    }

    /// Whether a condition holds.
    pub(super) fn holds(&self, node: &Node, place: &str) -> Result<bool, TemplateError> {
        match &node.value {
            Value::Intrinsic(Intrinsic::Equals(left, right)) => {
                Ok(self.text(left, place)? == self.text(right, place)?)
            }
            Value::Intrinsic(Intrinsic::Not(condition)) => Ok(!self.holds(condition, place)?),
            _ => Err(TemplateError::At {
                place: place.to_owned(),
                line: node.line,
                problem: "a condition is made of !Equals and !Not".to_owned(),
            }),
        }
    }

    fn call(&self, intrinsic: &Intrinsic, line: usize, place: &str) -> Result<String, TemplateError> {
        let refuse = |problem: String| TemplateError::At { place: place.to_owned(), line, problem };
        match intrinsic {
            Intrinsic::Ref(name) => self.named(name).ok_or_else(|| {
                refuse(format!("!Ref {name}: there is no such resource or parameter in the local cloud"))
            }),
            Intrinsic::GetAtt { resource, attribute } => {
                let name = format!("{resource}.{attribute}");
                self.attributes.get(&name).cloned().ok_or_else(|| {
                    refuse(format!("!GetAtt {name}: the local cloud does not know this attribute"))
                })
            }
            Intrinsic::Sub { text, variables } => {
                let mut own = BTreeMap::new();
                for (name, value) in variables {
                    own.insert(name.as_str(), self.text(value, &join(place, name))?);
                }
                self.substitute(text, &own).map_err(refuse)
            }
            Intrinsic::Join { separator, parts } => {
                let parts = parts
                    .iter()
                    .enumerate()
                    .map(|(index, part)| self.text(part, &format!("{place}[{index}]")))
                    .collect::<Result<Vec<_>, _>>()?;
                Ok(parts.join(separator))
            }
            Intrinsic::Equals(..) | Intrinsic::Not(_) => {
                Err(refuse("a condition stands under Conditions".to_owned()))
            }
        }
    }

    fn text(&self, node: &Node, place: &str) -> Result<String, TemplateError> {
        match self.evaluate(node, place)? {
            Json::String(text) => Ok(text),
            Json::Number(number) => Ok(number.to_string()),
            Json::Bool(value) => Ok(value.to_string()),
            _ => Err(TemplateError::At {
                place: place.to_owned(),
                line: node.line,
                problem: "a string expected".to_owned(),
            }),
        }
    }

    /// `!Ref` also reaches pseudo parameters; `Resource.Attribute` is the short form inside `!Sub`.
    fn named(&self, name: &str) -> Option<String> {
        self.references.get(name).or_else(|| self.attributes.get(name)).cloned()
    }

    /// Replaces each `${Name}`; `${!Name}` is the escape for a literal `${Name}`.
    fn substitute(&self, text: &str, own: &BTreeMap<&str, String>) -> Result<String, String> {
        let mut result = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            result.push_str(before);
            let Some((name, remaining)) = after.split_once('}') else {
                return Err(format!("!Sub: `${{` without `}}` in `{text}`"));
            };
            if let Some(literal) = name.strip_prefix('!') {
                result.push_str("${");
                result.push_str(literal);
                result.push('}');
            } else {
                let value = own
                    .get(name)
                    .cloned()
                    .or_else(|| self.named(name))
                    .ok_or_else(|| format!("!Sub: nothing is named `{name}` in the local cloud"))?;
                result.push_str(&value);
            }
            rest = remaining;
        }
        result.push_str(rest);
        Ok(result)
    }
}
