//! Schemas that no attribute can say, because their limits are the domain's.

use portico_domain::{
    cases::{COMMENT_BYTES_MAX, DESCRIPTION_MAX, SUBJECT_MAX},
    files::FILE_NAME_MAX,
};
use utoipa::openapi::{Object, ObjectBuilder, Type};

/// What is cut off at both ends of a text (Unicode's white space), as the inside of a character class.
const WHITE_SPACE: &str = r"\u0009-\u000d \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000";
/// Control characters, as the inside of a character class.
const CONTROL: &str = r"\u0000-\u001f\u007f-\u009f";
/// What may stand inside a text of several lines: line feeds and tabs, and a carriage return only before a line feed.
const INSIDE: &str = r"([^\u0000-\u0008\u000b-\u001f\u007f-\u009f]|\u000d\u000a)*";

/// One line of 1 to `limit` characters: what [`portico_domain::text::Line`] takes.
pub fn line(limit: usize, description: &str, example: &str) -> Object {
    let end = format!("[^{WHITE_SPACE}{CONTROL}]");
    ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some(format!(
            "{description} One line of 1 to {limit} characters without control characters; white space at both ends is \
             cut off."
        )))
        .min_length(Some(1))
        .max_length(Some(limit))
        .pattern(Some(format!("^[{WHITE_SPACE}]*{end}([^{CONTROL}]*{end})?[{WHITE_SPACE}]*$")))
        .examples([example])
        .build()
}

/// A case's subject.
pub fn subject() -> Object {
    line(SUBJECT_MAX, "What it is about.", "Label printer in hall 3 is offline")
}

/// A case's description: what [`portico_domain::text::Paragraphs`] takes.
pub fn description() -> Object {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some(format!(
            "In full. Up to {DESCRIPTION_MAX} characters over any number of lines, without other control characters; \
             white space at both ends is cut off."
        )))
        .max_length(Some(DESCRIPTION_MAX))
        .pattern(Some(format!("^[{WHITE_SPACE}]*{INSIDE}[{WHITE_SPACE}]*$")))
        .examples(["Since the update on Friday it prints nothing.\nThe printers in halls 1 and 2 are fine."])
        .build()
}

/// 1 to `limit` characters over any number of lines.
pub fn paragraphs(limit: usize, description: &str, example: &str) -> Object {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some(format!(
            "{description} 1 to {limit} characters over any number of lines, without other control characters; white \
             space at both ends is cut off."
        )))
        .min_length(Some(1))
        .max_length(Some(limit))
        .pattern(Some(format!("^[{WHITE_SPACE}]*[^{WHITE_SPACE}{CONTROL}]{INSIDE}[{WHITE_SPACE}]*$")))
        .examples([example])
        .build()
}

/// What is said on a case: what [`portico_domain::cases::CommentText`] takes. Its limit counts bytes, which JSON Schema
/// cannot say; `maxLength` is that of a text in ASCII.
pub fn comment() -> Object {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some(format!(
            "Markdown: paragraphs, emphasis, code, quotes, lists, links; HTML is shown as text. Up to {COMMENT_BYTES_MAX} \
             bytes of UTF-8, because Salesforce holds 4,000 with the author's name. Not blank, and without control \
             characters other than line breaks and tabs; white space at both ends is cut off."
        )))
        .min_length(Some(1))
        .max_length(Some(COMMENT_BYTES_MAX))
        .pattern(Some(format!("^[{WHITE_SPACE}]*[^{WHITE_SPACE}{CONTROL}]{INSIDE}[{WHITE_SPACE}]*$")))
        .examples(["It works again since **10:00**, thank you."])
        .build()
}

/// A file's name: what [`portico_domain::files::FileName`] takes.
pub fn file_name() -> Object {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some(format!(
            "Name to show, kept as it is given and never used as a path: 1 to {FILE_NAME_MAX} characters, not blank. \
             Downloads get a safe form of it."
        )))
        .min_length(Some(1))
        .max_length(Some(FILE_NAME_MAX))
        .pattern(Some(format!("[^{WHITE_SPACE}]")))
        .examples(["printer.log"])
        .build()
}
