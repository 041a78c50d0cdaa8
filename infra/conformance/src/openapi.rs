//! `docs/openapi.json`: the routes of every function behind the API, as one OpenAPI 3.1 document.

use jiff::SignedDuration;
use portico_domain::{
    cases::{COMMENT_BYTES_MAX, DESCRIPTION_MAX, FILES_MENTIONED_MAX, SUBJECT_MAX},
    files::{DOWNLOAD_WINDOW, FILE_BYTES_MAX, FILE_NAME_MAX, MediaType, UPLOAD_WINDOW},
};
use portico_http::{BODY_BYTES_MAX, KEY_LENGTH_MAX, SharedComponents};
use portico_store::{Cursor, PageSize, REMEMBERED, TICKET_LIFE};
use serde_json::Value;
use utoipa::{
    Modify, OpenApi,
    openapi::{
        self,
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

use crate::examples::{self, ExampleError};

/// What the security scheme is called; every operation demands it.
const ACCESS_TOKEN: &str = "access_token";

/// The routes of one function, and whose they are.
pub struct Api {
    /// The crate, and `Metadata.BuildProperties.Binary` in `template.yaml`.
    pub binary: &'static str,
    /// Its routes, described.
    pub openapi: openapi::OpenApi,
}

/// Every function behind the API.
pub fn apis() -> [Api; 14] {
    [
        Api { binary: "case-submission", openapi: case_submission::api().into_openapi() },
        Api { binary: "case-listing", openapi: case_listing::api().into_openapi() },
        Api { binary: "case-changes", openapi: case_changes::api().into_openapi() },
        Api { binary: "case-conversation", openapi: case_conversation::api().into_openapi() },
        Api { binary: "file-changes", openapi: file_changes::api().into_openapi() },
        Api { binary: "presigned-downloads", openapi: presigned_downloads::api().into_openapi() },
        Api { binary: "presigned-uploads", openapi: presigned_uploads::api().into_openapi() },
        Api { binary: "case-archives", openapi: case_archives::api().into_openapi() },
        Api { binary: "invoice-disputes", openapi: invoice_disputes::api().into_openapi() },
        Api { binary: "invoice-drafting", openapi: invoice_drafting::api().into_openapi() },
        Api { binary: "invoice-listing", openapi: invoice_listing::api().into_openapi() },
        Api { binary: "billing-preview", openapi: billing_preview::api().into_openapi() },
        Api { binary: "audit-trail", openapi: audit_trail::api().into_openapi() },
        Api { binary: "live-tickets", openapi: live_tickets::api().into_openapi() },
    ]
}

/// The whole API, with its examples.
///
/// # Errors
/// [`DocumentError`].
pub fn document() -> Result<Value, DocumentError> {
    let apis = apis();
    let binaries = apis.each_ref().map(|api| api.binary);
    let mut whole = apis.into_iter().fold(Portal::openapi(), |whole, api| whole.merge_from(api.openapi));
    whole.info.description = Some(description());
    let mut document = serde_json::to_value(whole)?;
    examples::add(&mut document, &binaries)?;
    Ok(document)
}

/// Why there is no document.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// The description of the routes.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// An example.
    #[error(transparent)]
    Example(#[from] ExampleError),
}

/// What holds for every operation, with the limits as the code has them.
fn description() -> String {
    let minutes = |window: SignedDuration| window.as_mins();
    format!(
        "\
The client portal of a consultancy that works in Salesforce: cases, files, invoices.

## Who may do what

A person signs in at the Cognito user pool and sends the access token as `Authorization: Bearer …`. What they may do is \
read on every request, never taken from the token. Clients are **members** (their own cases), **managers** (everything of \
the account) or **billing contacts** (their own cases, and the account's invoices). The consultancy can let \
the members of an account see its invoices, too. People of the consultancy are \
**agents** or **admins**, and say with the query parameter `account` whose records they look at. Nothing tells a record of \
another account from one that does not exist: both are 404 with the same body.

## Refusals

Every refusal is `application/problem+json` (RFC 9457). `type` is stable, and [problems.md](problems.md) lists every kind. \
Where fields were refused, `errors` names all of them: a JSON pointer, a `code` for programs, a sentence for people. \
Unknown fields in a body are refused; unknown query parameters are ignored, so that a link may carry what others put \
there. A parameter that is sent twice is refused. The gateway may also answer 502 or 504 with the kind `internal`: it is safe to \
repeat the request then, as after any 5xx.

## Repeating

A POST that creates something demands an `Idempotency-Key`. With the same key and body it may be repeated for {REMEMBERED_HOURS} hours: \
nothing is done twice, and the first answer comes again with `Idempotency-Replayed: true`. The same key with another body \
is 422; while the first request is being worked on, 409 with `Retry-After`.

## Lists

Lists are read a page at a time: hand `next_cursor` over as `cursor` until it is absent. A cursor is opaque and belongs to \
its list.

## Limits

| What | Limit |
|---|---|
| JSON body | {BODY_BYTES_MAX} bytes (256 KiB) |
| `Idempotency-Key` | 1 to {KEY_LENGTH_MAX} visible ASCII characters, remembered for {REMEMBERED_HOURS} hours |
| Items a page | 1 to {}, {} if nothing is said |
| Cursor | {} characters |
| Subject of a case | {SUBJECT_MAX} characters |
| Description of a case | {DESCRIPTION_MAX} characters |
| Comment | {COMMENT_BYTES_MAX} bytes of UTF-8 |
| Files that a comment speaks of | {FILES_MENTIONED_MAX} |
| Name of a file | {FILE_NAME_MAX} characters |
| Media type of a file | {} characters |
| Content of a file | 1 to {FILE_BYTES_MAX} bytes (5 GiB) |
| Link for an upload | {} minutes |
| Link for a download | {} minutes |
| Ticket for the live connection | {} seconds, once |
| Requests | 200 a second and operation, 400 at once; then 429 with `Retry-After` |
| Request line and headers | 10,240 bytes |
| Time for an answer | 10 seconds |
",
        PageSize::MAX,
        PageSize::DEFAULT.get(),
        Cursor::MAX_LENGTH,
        MediaType::MAX_LENGTH,
        minutes(UPLOAD_WINDOW),
        minutes(DOWNLOAD_WINDOW),
        TICKET_LIFE.as_secs(),
    )
}

/// Hours for which a command's answer is kept.
const REMEMBERED_HOURS: i64 = REMEMBERED.as_hours();

/// What the document says besides the routes.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Portico API",
        license(name = "Apache-2.0 OR MIT", identifier = "Apache-2.0 OR MIT"),
    ),
    servers(
        (url = "http://127.0.0.1:4000/v1", description = "The local cloud, at its usual port"),
        (
            url = "https://{api}.execute-api.{region}.amazonaws.com/v1",
            description = "A deployed stack: its output `ApiUrl`",
            variables(
                ("api" = (default = "api-id", description = "Id of the REST API")),
                ("region" = (default = "eu-central-1", description = "AWS region of the stack")),
            ),
        ),
    ),
    tags(
        (name = "cases", description = "What clients ask for, and what becomes of it."),
        (name = "comments", description = "What client and agents say to each other on a case."),
        (name = "files", description = "Content goes straight between the browser and the store; the API hands out links."),
        (name = "invoices", description = "What was billed, position by position."),
        (name = "audit", description = "Who did what, when, from where: sealed into a chain that can be checked outside of the portal."),
        (name = "live", description = "Changes as they happen, over a WebSocket."),
    ),
    security(("access_token" = [])),
    modifiers(&AccessToken, &SharedComponents),
)]
struct Portal;

/// The one way to sign in.
struct AccessToken;

impl Modify for AccessToken {
    fn modify(&self, openapi: &mut openapi::OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("JWT")
            .description(Some(
                "An access token of the Cognito user pool, with the scope `aws.cognito.signin.user.admin`. An ID \
                 token is refused.",
            ))
            .build();
        openapi
            .components
            .get_or_insert_default()
            .add_security_scheme(ACCESS_TOKEN, SecurityScheme::Http(scheme));
    }
}
