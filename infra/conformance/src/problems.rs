//! `docs/problems.md`: every kind of refusal that a client can meet.

use std::fmt::Write as _;

use portico_http::Kind;

/// The document.
pub fn document() -> String {
    let mut text = String::from(INTRODUCTION);
    for kind in Kind::ALL {
        let (slug, status) = (kind.slug(), kind.status().as_u16());
        let (title, meaning) = (kind.title(), kind.meaning());
        // Writing to a string cannot fail.
        let _ = write!(text, "\n## {slug}\n\n**{status} {title}.** {meaning}\n");
    }
    text
}

const INTRODUCTION: &str = "\
<!-- Generated from the code. Do not edit: cargo run -p portico-conformance --bin documents -->

# Problems

Every refusal of the API is `application/problem+json` ([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457)):

```json
{
  \"type\": \"https://portico.example/problems/invalid-request\",
  \"title\": \"Request refused\",
  \"status\": 400,
  \"detail\": \"Some fields were refused.\",
  \"request_id\": \"3f1c8a52-6c0e-4b52-9b0e-6a0f6f0e6d11\",
  \"errors\": [{ \"pointer\": \"/subject\", \"code\": \"empty\", \"detail\": \"must not be empty\" }]
}
```

`type` ends in one of the names below and does not change; `title` and `detail` are for people and may change. `errors`
is there only if fields were refused, and then names all of them: `code` is for programs and does not change, `detail`
is for people. Quote `request_id` when asking for help.
";
