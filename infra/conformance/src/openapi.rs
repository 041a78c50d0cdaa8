//! `docs/openapi.json`: the routes of every function behind the API, as one OpenAPI 3.1 document.

use portico_http::SharedComponents;
use utoipa::{
    Modify, OpenApi,
    openapi::{
        self,
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

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
pub fn apis() -> [Api; 8] {
    [
        Api { binary: "case-submission", openapi: case_submission::api().into_openapi() },
        Api { binary: "case-listing", openapi: case_listing::api().into_openapi() },
        Api { binary: "case-changes", openapi: case_changes::api().into_openapi() },
        Api { binary: "case-conversation", openapi: case_conversation::api().into_openapi() },
        Api { binary: "presigned-uploads", openapi: presigned_uploads::api().into_openapi() },
        Api { binary: "invoice-listing", openapi: invoice_listing::api().into_openapi() },
        Api { binary: "audit-trail", openapi: audit_trail::api().into_openapi() },
        Api { binary: "live-tickets", openapi: live_tickets::api().into_openapi() },
    ]
}

/// The whole API.
pub fn document() -> openapi::OpenApi {
    apis().into_iter().fold(Portal::openapi(), |whole, api| whole.merge_from(api.openapi))
}

/// What the document says besides the routes.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Portico API",
        description = "The client portal of a consultancy that works in Salesforce: cases, files, invoices.\n\n\
            A person reaches the records of their own account, and nothing tells a record of another account from \
            one that does not exist. Refusals are `application/problem+json` (RFC 9457); their kinds are listed in \
            [problems.md](problems.md). A POST that creates something needs an `Idempotency-Key` and may then be \
            repeated for 48 hours without doing anything twice. Lists are read a page at a time: hand `next_cursor` \
            over as `cursor` until it is absent.",
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
