//! Event patterns: EventBridge rules and the filters of event source mappings.
//!
//! <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html>

use serde_json::{Map, Value as Json};

/// Deeper than any pattern a person writes; a bound on the recursion.
const MAX_DEPTH: usize = 32;

/// Why a pattern is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// Fields hold objects or lists.
    #[error("the pattern's `{0}` must be an object or a list")]
    Shape(String),
    /// A list that matches nothing.
    #[error("the pattern's `{0}` is an empty list")]
    Empty(String),
    /// An operator that is not known here.
    #[error("the pattern's `{place}` uses `{operator}`, which the local cloud does not know")]
    Operator {
        /// The field.
        place: String,
        /// What it says.
        operator: String,
    },
    /// Nested too deep.
    #[error("the pattern is nested deeper than {MAX_DEPTH} levels")]
    Depth,
}

/// A pattern that was understood.
#[derive(Clone, Debug)]
pub struct Pattern(Vec<(String, Rule)>);

#[derive(Clone, Debug)]
enum Rule {
    /// The field is an object that matches.
    Object(Pattern),
    /// The field, or one element of it, fits one of these.
    AnyOf(Vec<Test>),
}

#[derive(Clone, Debug)]
enum Test {
    Equals(Json),
    EqualsIgnoreCase(String),
    Prefix(String),
    Suffix(String),
    AnythingBut(Vec<Json>),
    Exists(bool),
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// [`PatternError`], with the way to what is not understood.
    pub fn parse(json: &Json) -> Result<Self, PatternError> {
        match json {
            Json::Object(object) => Self::object(object, "", 0),
            _ => Err(PatternError::Shape("root".to_owned())),
        }
    }

    fn object(object: &Map<String, Json>, place: &str, depth: usize) -> Result<Self, PatternError> {
        if depth > MAX_DEPTH {
            return Err(PatternError::Depth);
        }
        let field = |(name, value): (&String, &Json)| {
            let place = if place.is_empty() { name.clone() } else { format!("{place}.{name}") };
            let rule = match value {
                Json::Object(inner) => Rule::Object(Self::object(inner, &place, depth + 1)?),
                Json::Array(tests) if tests.is_empty() => return Err(PatternError::Empty(place)),
                Json::Array(tests) => {
                    Rule::AnyOf(tests.iter().map(|value| test(value, &place)).collect::<Result<_, _>>()?)
                }
                _ => return Err(PatternError::Shape(place)),
            };
            // `$or` and its like are operators, not fields.
            if name.starts_with('$') {
                return Err(PatternError::Operator { place, operator: name.clone() });
            }
            Ok((name.clone(), rule))
        };
        object.iter().map(field).collect::<Result<_, _>>().map(Self)
    }

    /// Whether every field of the pattern fits the event.
    #[must_use]
    pub fn matches(&self, event: &Json) -> bool {
        self.0.iter().all(|(name, rule)| {
            let value = event.get(name);
            match rule {
                Rule::Object(inner) => inner.matches(value.unwrap_or(&Json::Null)),
                Rule::AnyOf(tests) => tests.iter().any(|test| test.accepts(value)),
            }
        })
    }
}

fn test(value: &Json, place: &str) -> Result<Test, PatternError> {
    let Json::Object(operator) = value else {
        return match value {
            Json::Array(_) => Err(PatternError::Shape(place.to_owned())),
            literal => Ok(Test::Equals(literal.clone())),
        };
    };
    let unknown = || PatternError::Operator {
        place: place.to_owned(),
        operator: Json::Object(operator.clone()).to_string(),
    };
    let mut entries = operator.iter();
    let (Some((name, argument)), None) = (entries.next(), entries.next()) else { return Err(unknown()) };
    match (name.as_str(), argument) {
        ("prefix", Json::String(text)) => Ok(Test::Prefix(text.clone())),
        ("suffix", Json::String(text)) => Ok(Test::Suffix(text.clone())),
        ("equals-ignore-case", Json::String(text)) => Ok(Test::EqualsIgnoreCase(text.to_lowercase())),
        ("exists", Json::Bool(wanted)) => Ok(Test::Exists(*wanted)),
        ("anything-but", Json::Array(values)) if values.iter().all(|value| !value.is_object()) => {
            Ok(Test::AnythingBut(values.clone()))
        }
        ("anything-but", literal @ (Json::String(_) | Json::Number(_))) => {
            Ok(Test::AnythingBut(vec![literal.clone()]))
        }
        _ => Err(unknown()),
    }
}

impl Test {
    /// An absent field fits only `exists: false`; a list fits if one of its elements does.
    fn accepts(&self, value: Option<&Json>) -> bool {
        match (self, value) {
            (Self::Exists(wanted), value) => value.is_some() == *wanted,
            (_, None) => false,
            (_, Some(Json::Array(items))) => items.iter().any(|item| self.accepts_one(item)),
            (_, Some(value)) => self.accepts_one(value),
        }
    }

    fn accepts_one(&self, value: &Json) -> bool {
        match self {
            Self::Equals(expected) => expected == value,
            Self::EqualsIgnoreCase(expected) => {
                value.as_str().is_some_and(|text| text.to_lowercase() == *expected)
            }
            Self::Prefix(prefix) => value.as_str().is_some_and(|text| text.starts_with(prefix)),
            Self::Suffix(suffix) => value.as_str().is_some_and(|text| text.ends_with(suffix)),
            Self::AnythingBut(refused) => !refused.contains(value),
            Self::Exists(wanted) => *wanted,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn matches(pattern: Json, event: Json) -> bool {
        Pattern::parse(&pattern).unwrap().matches(&event)
    }

    #[test]
    fn every_field_must_fit_and_any_value_may() {
        let event = json!({ "source": "aws.s3", "detail": { "bucket": { "name": "files" }, "tags": ["a", "b"], "n": 3 } });
        for (pattern, expected) in [
            (json!({}), true),
            (json!({ "source": ["aws.s3"] }), true),
            (json!({ "source": ["aws.sqs", "aws.s3"] }), true),
            (json!({ "source": ["aws.sqs"] }), false),
            (json!({ "detail": { "bucket": { "name": ["files"] } } }), true),
            (json!({ "detail": { "bucket": { "name": ["other"] } } }), false),
            (json!({ "source": ["aws.s3"], "detail": { "n": [4] } }), false),
            (json!({ "detail": { "n": [3] } }), true),
            (json!({ "detail": { "n": ["3"] } }), false),
            (json!({ "detail": { "tags": ["b"] } }), true),
            (json!({ "detail": { "tags": ["c"] } }), false),
            (json!({ "absent": ["x"] }), false),
            (json!({ "absent": { "x": ["y"] } }), false),
            (json!({ "absent": [{ "exists": false }] }), true),
            (json!({ "source": [{ "exists": true }] }), true),
            (json!({ "source": [{ "prefix": "aws." }] }), true),
            (json!({ "source": [{ "suffix": ".sqs" }] }), false),
            (json!({ "source": [{ "anything-but": ["aws.sqs"] }] }), true),
            (json!({ "source": [{ "anything-but": "aws.s3" }] }), false),
            (json!({ "source": [{ "equals-ignore-case": "AWS.S3" }] }), true),
        ] {
            assert_eq!(matches(pattern.clone(), event.clone()), expected, "{pattern}");
        }
    }

    #[test]
    fn what_is_not_understood_is_refused_with_its_place() {
        for (pattern, place) in [
            (json!([]), "root"),
            (json!({ "a": "b" }), "`a`"),
            (json!({ "a": [] }), "`a`"),
            (json!({ "a": { "b": [{ "numeric": [">", 3] }] } }), "`a.b`"),
            (json!({ "a": [{ "prefix": "x", "suffix": "y" }] }), "`a`"),
            (json!({ "$or": [{ "a": [1] }] }), "$or"),
            (json!({ "a": [["b"]] }), "`a`"),
        ] {
            let error = Pattern::parse(&pattern).unwrap_err().to_string();
            assert!(error.contains(place), "{pattern}: {error}");
        }
    }
}
