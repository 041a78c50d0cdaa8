//! `docs/problems.md`: every kind of refusal that a client can meet.

use std::fmt::Write as _;

use portico_http::Kind;

/// A refusal that the gateway gives by itself, before any function runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GatewayProblem {
    /// The stable name.
    pub slug: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// In a few words, for people.
    pub title: &'static str,
    /// What it means and what a client can do about it.
    pub meaning: &'static str,
}

/// The kinds that only the gateway knows: no function can give them, so they are no [`Kind`].
pub const GATEWAY_ONLY: [GatewayProblem; 1] = [GatewayProblem {
    slug: "too-many-requests",
    status: 429,
    title: "Too many requests",
    meaning: "The API is being called faster than it allows. Wait a second, double the wait with every further refusal, \
              and repeat with the same `Idempotency-Key`.",
}];

/// The document.
pub fn document() -> String {
    let mut rows: Vec<(&str, u16, &str, &str)> = Kind::ALL
        .iter()
        .map(|kind| (kind.slug(), kind.status().as_u16(), kind.title(), kind.meaning()))
        .chain(GATEWAY_ONLY.iter().map(|kind| (kind.slug, kind.status, kind.title, kind.meaning)))
        .collect();
    rows.sort_unstable();
    let mut text = String::from(INTRODUCTION);
    for (slug, status, title, meaning) in rows {
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
  \"errors\": [{ \"pointer\": \"/subject\", \"detail\": \"must not be empty\" }]
}
```

`type` ends in one of the names below and does not change; `title` and `detail` are for people and may change. `errors`
is there only if fields were refused. Quote `request_id` when asking for help.
";
