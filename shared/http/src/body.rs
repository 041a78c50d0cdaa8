//! A command's body: read strictly, and every field that does not fit named at once.
//!
//! `serde_json` says what is wrong in a sentence, and stops at the first. Clients need a code and a pointer for each
//! field, so the body is read into [`Node`]s, which tell with [`Misfit`] instead.

use std::fmt::{self, Display};

use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
};
use http::header;
use serde::{
    Deserialize, Deserializer,
    de::{
        self, DeserializeOwned, DeserializeSeed, Expected, IntoDeserializer, MapAccess, SeqAccess,
        Unexpected, Visitor,
    },
    forward_to_deserialize_any,
};

use crate::{
    Kind, Problem,
    field::{FieldCode, FieldError},
};

/// Most bytes of a JSON body.
pub const BODY_BYTES_MAX: usize = 256 * 1024;
/// Most fields that one refusal of a body's form names: more than any body has, so that nobody makes us look at the
/// same body without end.
const MISFITS_MAX: usize = 32;

/// The body of an operation that may be repeated without a key, because setting something twice is setting it once.
#[derive(Debug)]
pub struct Setting<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Setting<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Problem> {
        Ok(Self(read(&receive(request).await?)?))
    }
}

/// The bytes of a JSON body.
///
/// # Errors
/// [`Problem`]: of another media type, or too many.
pub(crate) async fn receive(request: Request) -> Result<Bytes, Problem> {
    let media_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let json = media_type.is_some_and(|value| {
        value.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json")
    });
    if !json {
        return Err(Problem::new(Kind::UnsupportedMediaType).because("Send the body as application/json."));
    }
    axum::body::to_bytes(request.into_body(), BODY_BYTES_MAX).await.map_err(|_| {
        Problem::new(Kind::PayloadTooLarge).because(format!("A body has at most {BODY_BYTES_MAX} bytes."))
    })
}

/// Reads a JSON body strictly: every field that does not fit is named, and nothing of what was sent is repeated.
///
/// # Errors
/// [`Problem`]: not JSON, or not what the operation takes.
pub fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let mut body: Node = serde_json::from_slice(bytes).map_err(|error| {
        Problem::new(Kind::InvalidRequest).because("The body is not JSON.").at(
            "",
            FieldCode::Malformed,
            error,
        )
    })?;
    let mut misfits: Vec<FieldError> = Vec::new();
    for _ in 0..MISFITS_MAX {
        match T::deserialize(body.clone()) {
            Ok(read) if misfits.is_empty() => return Ok(read),
            Ok(_) => break,
            // What was taken away because it does not fit is missing now: already said.
            Err(misfit) if misfits.iter().any(|known| known.pointer == misfit.pointer()) => break,
            Err(misfit) => {
                misfits.push(FieldError::new(misfit.pointer(), misfit.code, &misfit.detail));
                // Without it, the next one shows.
                if !body.remove(&misfit.path) {
                    break;
                }
            }
        }
    }
    let refusal = Problem::new(Kind::InvalidRequest).because("The body is not what this operation takes.");
    Err(misfits.into_iter().fold(refusal, |refusal, misfit| refusal.with(misfit)))
}

/// JSON as it was sent.
#[derive(Debug, Clone, PartialEq)]
enum Node {
    Null,
    Bool(bool),
    Number(serde_json::Number),
    Text(String),
    List(Vec<Node>),
    /// Names and values, in order. A name that stands twice stands here twice.
    Object(Vec<(String, Node)>),
}

/// One value that does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Misfit {
    /// From the innermost to the outermost.
    path: Vec<String>,
    code: FieldCode,
    detail: String,
}

impl Misfit {
    fn new(code: FieldCode, detail: impl Into<String>) -> Self {
        Self { path: Vec::new(), code, detail: detail.into() }
    }

    fn within(mut self, segment: impl Into<String>) -> Self {
        self.path.push(segment.into());
        self
    }

    fn pointer(&self) -> String {
        let escaped = |segment: &String| format!("/{}", segment.replace('~', "~0").replace('/', "~1"));
        self.path.iter().rev().map(escaped).collect()
    }
}

impl Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl std::error::Error for Misfit {}

/// Details say what is expected and never repeat what was sent.
impl de::Error for Misfit {
    fn custom<T: Display>(message: T) -> Self {
        Self::new(FieldCode::Malformed, message.to_string())
    }

    fn invalid_type(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(FieldCode::WrongType, must_be(expected))
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(FieldCode::OutOfRange, must_be(expected))
    }

    fn invalid_length(_: usize, expected: &dyn Expected) -> Self {
        Self::new(FieldCode::OutOfRange, must_be(expected))
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Self::new(FieldCode::UnknownValue, format!("must be one of: {}", expected.join(", ")))
    }

    fn unknown_field(_: &str, expected: &'static [&'static str]) -> Self {
        Self::new(FieldCode::UnknownField, format!("this operation takes: {}", expected.join(", ")))
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new(FieldCode::Missing, "must be there").within(field)
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::new(FieldCode::Duplicate, "must be there only once").within(field)
    }
}

/// The number if it is whole and not negative. JSON Schema counts 7.0 as whole, and so do many clients that write it.
fn whole(number: &serde_json::Number) -> Option<u64> {
    number.as_u64().or_else(|| number.to_string().strip_suffix(".0")?.parse().ok())
}

/// Serde names numbers by Rust's types.
fn must_be(expected: &dyn Expected) -> String {
    let expected = expected.to_string();
    match expected.as_str() {
        "u8" | "u16" | "u32" | "u64" => {
            "must be a whole number that is not negative and not too large".to_owned()
        }
        "i8" | "i16" | "i32" | "i64" => "must be a whole number that is not too large".to_owned(),
        _ => format!("must be {expected}"),
    }
}

impl Node {
    /// Takes away what lies at a path (innermost first); every one of that name. Whether there was something.
    fn remove(&mut self, path: &[String]) -> bool {
        let Some((last, outer)) = path.split_first() else { return false };
        let mut node = self;
        for segment in outer.iter().rev() {
            let inner = match node {
                Self::Object(entries) => {
                    entries.iter_mut().find(|(name, _)| name == segment).map(|(_, inner)| inner)
                }
                Self::List(items) => segment.parse().ok().and_then(|at: usize| items.get_mut(at)),
                Self::Null | Self::Bool(_) | Self::Number(_) | Self::Text(_) => None,
            };
            match inner {
                Some(inner) => node = inner,
                None => return false,
            }
        }
        match node {
            Self::Object(entries) => {
                let before = entries.len();
                entries.retain(|(name, _)| name != last);
                entries.len() < before
            }
            // Taking an item away would move those behind it to other pointers.
            _ => false,
        }
    }

    fn unexpected(&self) -> Unexpected<'_> {
        match self {
            Self::Null => Unexpected::Unit,
            Self::Bool(value) => Unexpected::Bool(*value),
            Self::Number(_) => Unexpected::Other("number"),
            Self::Text(text) => Unexpected::Str(text),
            Self::List(_) => Unexpected::Seq,
            Self::Object(_) => Unexpected::Map,
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyJson;

        impl<'de> Visitor<'de> for AnyJson {
            type Value = Node;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON")
            }

            fn visit_unit<E>(self) -> Result<Node, E> {
                Ok(Node::Null)
            }

            fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
                Ok(Node::Bool(value))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
                Ok(Node::Number(value.into()))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
                Ok(Node::Number(value.into()))
            }

            fn visit_f64<E: de::Error>(self, value: f64) -> Result<Node, E> {
                serde_json::Number::from_f64(value).map(Node::Number).ok_or_else(|| E::custom("not a number"))
            }

            fn visit_str<E>(self, text: &str) -> Result<Node, E> {
                Ok(Node::Text(text.to_owned()))
            }

            fn visit_string<E>(self, text: String) -> Result<Node, E> {
                Ok(Node::Text(text))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
                let mut list = Vec::new();
                while let Some(item) = items.next_element()? {
                    list.push(item);
                }
                Ok(Node::List(list))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Node, A::Error> {
                let mut object = Vec::new();
                while let Some(entry) = entries.next_entry()? {
                    object.push(entry);
                }
                Ok(Node::Object(object))
            }
        }

        deserializer.deserialize_any(AnyJson)
    }
}

impl<'de> Deserializer<'de> for Node {
    type Error = Misfit;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self {
            Self::Null => visitor.visit_unit(),
            Self::Bool(value) => visitor.visit_bool(value),
            Self::Number(number) => match (whole(&number), number.as_i64(), number.as_f64()) {
                (Some(number), _, _) => visitor.visit_u64(number),
                (None, Some(number), _) => visitor.visit_i64(number),
                (None, None, Some(number)) => visitor.visit_f64(number),
                (None, None, None) => Err(de::Error::invalid_type(Unexpected::Other("number"), &visitor)),
            },
            Self::Text(text) => visitor.visit_string(text),
            Self::List(items) => visitor.visit_seq(Items(items.into_iter().enumerate())),
            Self::Object(entries) => visitor.visit_map(Entries { rest: entries.into_iter(), value: None }),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self {
            Self::Null => visitor.visit_none(),
            present => visitor.visit_some(present),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        match self {
            // Choices are words. Choices that carry more have a tag, and are read as objects.
            Self::Text(text) => visitor.visit_enum(text.into_deserializer()),
            other => Err(de::Error::invalid_type(other.unexpected(), &"a string")),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        match self {
            Self::Object(_) => self.deserialize_any(visitor),
            // Structs would also be read from lists, by position.
            other => Err(de::Error::invalid_type(other.unexpected(), &"an object")),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map identifier ignored_any
    }
}

struct Items(std::iter::Enumerate<std::vec::IntoIter<Node>>);

impl<'de> SeqAccess<'de> for Items {
    type Error = Misfit;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Misfit> {
        let Some((at, item)) = self.0.next() else { return Ok(None) };
        seed.deserialize(item).map(Some).map_err(|misfit| misfit.within(at.to_string()))
    }
}

struct Entries {
    rest: std::vec::IntoIter<(String, Node)>,
    /// The value whose name was read last.
    value: Option<(String, Node)>,
}

impl<'de> MapAccess<'de> for Entries {
    type Error = Misfit;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Misfit> {
        let Some((name, value)) = self.rest.next() else { return Ok(None) };
        let key = seed.deserialize(name.as_str().into_deserializer());
        let key = key.map_err(|misfit: Misfit| misfit.within(name.as_str()))?;
        self.value = Some((name, value));
        Ok(Some(key))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Misfit> {
        let (name, value) = self.value.take().ok_or_else(|| Misfit::new(FieldCode::Malformed, "no value"))?;
        seed.deserialize(value).map_err(|misfit| misfit.within(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Body {
        name: String,
        #[serde(default)]
        urgency: Urgency,
        size: Option<u16>,
        #[serde(default)]
        parts: Vec<Part>,
    }

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Urgency {
        #[default]
        Low,
        High,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Part {
        id: u64,
    }

    fn refused(json: &str) -> Vec<(String, FieldCode, String)> {
        let problem = read::<Body>(json.as_bytes()).unwrap_err();
        assert_eq!(problem.kind(), Kind::InvalidRequest);
        let errors = problem.body(String::new()).errors;
        errors.into_iter().map(|error| (error.pointer, error.code, error.detail)).collect()
    }

    fn codes(json: &str) -> Vec<(String, FieldCode)> {
        refused(json).into_iter().map(|(pointer, code, _)| (pointer, code)).collect()
    }

    #[test]
    fn a_body_that_fits_is_read() {
        let body: Body = read(br#"{"name":"a","urgency":"high","size":7,"parts":[{"id":1}]}"#).unwrap();
        let parts = vec![Part { id: 1 }];
        assert_eq!(body, Body { name: "a".to_owned(), urgency: Urgency::High, size: Some(7), parts });
        let body: Body = read(br#"{"name":"a","size":7.0}"#).unwrap();
        assert_eq!(body.size, Some(7));
        let body: Body = read(br#"{"name":"a","size":null}"#).unwrap();
        assert_eq!(body.size, None);
    }

    #[test]
    fn every_misfit_is_named_at_once() {
        let all =
            codes(r#"{"nme":"a","name":5,"urgency":"huge","size":70000,"a/b~c":1,"parts":[{"id":"x"}]}"#);
        assert_eq!(
            all,
            [
                ("/nme".to_owned(), FieldCode::UnknownField),
                ("/name".to_owned(), FieldCode::WrongType),
                ("/urgency".to_owned(), FieldCode::UnknownValue),
                ("/size".to_owned(), FieldCode::OutOfRange),
                ("/a~1b~0c".to_owned(), FieldCode::UnknownField),
                ("/parts/0/id".to_owned(), FieldCode::WrongType),
            ]
        );
        assert_eq!(codes("{}"), [("/name".to_owned(), FieldCode::Missing)]);
        assert_eq!(codes(r#"{"name":"a","name":"b"}"#), [("/name".to_owned(), FieldCode::Duplicate)]);
        assert_eq!(codes("[]"), [(String::new(), FieldCode::WrongType)]);
        assert_eq!(codes(r#"{"name":"a","size":-1}"#), [("/size".to_owned(), FieldCode::OutOfRange)]);
        assert_eq!(codes(r#"{"name":"a","size":1.5}"#), [("/size".to_owned(), FieldCode::WrongType)]);
    }

    #[test]
    fn what_is_no_json_is_refused_as_a_whole() {
        let deep = "[".repeat(10_000);
        for text in ["", "{", "nul", "{\"name\":\"a\"} {}", "{\"name\":\"a\",}", &deep] {
            assert_eq!(codes(text), [(String::new(), FieldCode::Malformed)], "{text:.20}");
        }
        let problem = read::<Body>(b"{\"name\":\"\xff\"}").unwrap_err();
        assert_eq!(problem.body(String::new()).errors.len(), 1);
    }

    #[test]
    fn what_was_sent_is_not_repeated() {
        let told = refused(r#"{"name":{"secret":1},"urgency":"secret","secret-field":"secret"}"#);
        assert!(told.iter().all(|(_, _, detail)| !detail.contains("secret")), "{told:?}");
    }
}
