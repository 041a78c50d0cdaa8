//! What is wrong with one field of a request: for programs a code, for people a sentence.

use std::fmt::Display;

use portico_domain::{
    cases::CommentError,
    files::{FileError, NameError},
    ids::MalformedId,
    text::TextError,
};
use portico_store::CursorError;
use serde::Serialize;
use utoipa::ToSchema;

/// What is wrong with a field, for programs. The list may grow; what a code means does not change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FieldCode {
    /// Holds a control character.
    ControlCharacter,
    /// Stands twice in its object.
    Duplicate,
    /// Is empty, or nothing but white space.
    Empty,
    /// Has not the form that the field takes.
    Malformed,
    /// Is not there, and must be.
    Missing,
    /// A number that is too small or too large.
    OutOfRange,
    /// Has more characters than the field holds.
    TooLong,
    /// A list with more items than the field holds.
    TooMany,
    /// The operation takes no field of this name.
    UnknownField,
    /// None of the values that the field takes.
    UnknownValue,
    /// Another JSON type than the field's.
    WrongType,
}

/// One field that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// JSON pointer (RFC 6901) into the body, or `/name` of a query parameter. Empty for the whole body.
    #[schema(example = "/subject")]
    pub pointer: String,
    /// What is wrong, for programs.
    pub code: FieldCode,
    /// What is wrong, for people.
    #[schema(example = "must not be empty")]
    pub detail: String,
}

impl FieldError {
    /// A field, and what is wrong with it.
    pub fn new(pointer: impl Into<String>, code: FieldCode, detail: impl Display) -> Self {
        Self { pointer: pointer.into(), code, detail: detail.to_string() }
    }
}

/// An error of the domain that tells of one field. No wildcard arms: a new refusal must choose its code.
pub trait FieldRefusal: Display {
    /// What is wrong, for programs.
    fn code(&self) -> FieldCode;
}

/// What a route itself finds wrong with a field, where no rule of the domain says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unfit(pub FieldCode, pub &'static str);

impl Display for Unfit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.1)
    }
}

impl FieldRefusal for Unfit {
    fn code(&self) -> FieldCode {
        self.0
    }
}

impl FieldRefusal for TextError {
    fn code(&self) -> FieldCode {
        match self {
            Self::Empty => FieldCode::Empty,
            Self::TooLong { .. } => FieldCode::TooLong,
            Self::ControlCharacter => FieldCode::ControlCharacter,
        }
    }
}

impl FieldRefusal for CommentError {
    fn code(&self) -> FieldCode {
        match self {
            Self::Empty => FieldCode::Empty,
            Self::TooLong(_) => FieldCode::TooLong,
            Self::ControlCharacter => FieldCode::ControlCharacter,
        }
    }
}

impl FieldRefusal for NameError {
    fn code(&self) -> FieldCode {
        match self {
            Self::Empty => FieldCode::Empty,
            Self::TooLong(_) => FieldCode::TooLong,
        }
    }
}

impl FieldRefusal for FileError {
    fn code(&self) -> FieldCode {
        match self {
            Self::Name(error) => error.code(),
            Self::Empty | Self::TooLarge | Self::OverLimit { .. } => FieldCode::OutOfRange,
            Self::MediaType | Self::Sha256 | Self::Parts { .. } => FieldCode::Malformed,
        }
    }
}

impl FieldRefusal for MalformedId {
    fn code(&self) -> FieldCode {
        FieldCode::Malformed
    }
}

impl FieldRefusal for CursorError {
    fn code(&self) -> FieldCode {
        FieldCode::Malformed
    }
}
