//! `GET` and `POST /cases/{caseId}/comments`: what client and agents say to each other.
//!
//! A comment stands in the portal at once; the outbox carries it to Salesforce. What agents say among themselves is
//! not in the portal's tables and cannot come out of here.

use axum::{
    Json, Router,
    extract::{FromRef, Path, State},
};
use http::StatusCode;
use portico_aws::{BootError, Cloud, Function};
use portico_domain::{
    Clock, FileId, Random,
    cases::{Case, CaseProcess, CommentText, FILES_MENTIONED_MAX, FileMention, Happening, TimelineEntry},
    events::Fact,
    files::File,
};
use portico_http::{
    AccountChoice, Amended, Amendment, Caller, ClientCaller, FieldCode, Fields, IdempotencyKey, Made, Once,
    PageBody, PageQuery, Problem, RecordCommandRefusals, RecordRefusals, Unfit, cursor_refused, files_shown,
    finish, views::TimelineEntryView, visible_case,
};
use portico_store::{Store, engine::Table};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

/// What this function works with.
#[derive(Clone)]
pub struct Deps {
    /// The portal's records.
    pub store: Store,
    /// How the org works on cases.
    pub process: CaseProcess,
    /// The time.
    pub clock: Clock,
    /// New ids.
    pub random: Random,
}

impl FromRef<Deps> for Store {
    fn from_ref(deps: &Deps) -> Self {
        deps.store.clone()
    }
}

/// The function, from the cloud that it runs in.
///
/// # Errors
/// [`BootError`] if `template.yaml` does not give it what it needs.
pub async fn function(cloud: &Cloud) -> Result<Function, BootError> {
    let tables = [
        Table::Members,
        Table::Accounts,
        Table::Cases,
        Table::CaseActivity,
        Table::Files,
        Table::Idempotency,
        Table::Outbox,
    ];
    Ok(Function::http(routes(Deps {
        store: cloud.store(&tables)?,
        process: cloud.case_process()?,
        clock: cloud.clock(),
        random: cloud.random(),
    })))
}

/// The routes.
pub fn routes(deps: Deps) -> Router {
    finish(api().with_state(deps).into())
}

/// The routes and their description.
pub fn api() -> OpenApiRouter<Deps> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(add))
}

/// What a client says.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CommentBody {
    /// Markdown.
    #[schema(schema_with = portico_http::schemas::comment)]
    body: String,
    /// Ids of files of the case that it speaks of, up to 10.
    #[serde(default)]
    #[schema(max_items = 10)]
    files: Vec<String>,
}

/// Of another case, of another account, or not there at all.
const NO_SUCH_FILE: Unfit = Unfit(FieldCode::UnknownValue, "is not a file of this case");

/// Add a comment
///
/// It stands at once, and follows to Salesforce in the order in which it was said. A longer text is refused: split
/// it into several comments.
///
/// **Who:** members, managers and billing contacts of a client company who may see the case.
///
/// **Repeating:** safe with the same `Idempotency-Key` for 48 hours: done once, and the first answer again, with
/// `Idempotency-Replayed: true`.
#[utoipa::path(
    post,
    path = "/cases/{caseId}/comments",
    operation_id = "addComment",
    tag = "comments",
    request_body = CommentBody,
    params(("caseId" = String, Path, description = "The case", pattern = "^case_[0-9a-f]{32}$"), IdempotencyKey),
    responses((status = 201, description = "The comment", body = TimelineEntryView), RecordCommandRefusals),
)]
async fn add(
    State(deps): State<Deps>,
    caller: ClientCaller,
    Path(id): Path<String>,
    once: Once<CommentBody>,
) -> Result<Made, Problem> {
    let now = deps.clock.now();
    let operation = format!("POST /cases/{id}/comments");
    let (ticket, comment) = once.by(caller.tenant(), caller.viewer().user(), &operation, now);
    let amendment =
        Amendment { store: &deps.store, caller: &caller, ticket: &ticket, random: &deps.random, now };
    let added = match amendment.earlier(&id).await? {
        Some(earlier) => earlier,
        None => {
            let case = visible_case(&deps.store, caller.tenant(), caller.viewer(), &id).await?;
            let (body, files) = comment.check(&deps.store, &caller, &case).await?;
            let author = caller.author();
            let said = Happening::Commented { body: body.into(), author, files };
            let fact = |case: &Case, entry: &TimelineEntry| Fact::CommentAdded {
                case: case.id,
                version: case.version,
                entry: entry.id,
            };
            amendment.make(&id, |case| Ok((case.touched(now), said.clone())), fact).await?
        }
    };
    let (case, entry) = match added {
        Amended::Stands(case, entry) => (case, entry),
        Amended::Answered(made) => return Ok(made),
    };
    // What somebody just said is shown to them.
    let named = files_shown(&deps.store, caller.tenant(), caller.viewer(), [&entry]).await?;
    let shown =
        TimelineEntryView::new(&entry, &deps.process, &named, false).ok_or_else(Problem::not_found)?;
    let location = format!("/cases/{}/comments", case.id);
    Made::keep(&deps.store, &ticket, StatusCode::CREATED, &shown, location).await
}

impl CommentBody {
    async fn check(
        self,
        store: &Store,
        caller: &ClientCaller,
        case: &Case,
    ) -> Result<(CommentText, Vec<FileMention>), Problem> {
        let mut fields = Fields::new();
        let body = fields.take("/body", CommentText::try_from(self.body));
        let count = (self.files.len() <= FILES_MENTIONED_MAX).then_some(());
        let few_enough =
            fields.take("/files", count.ok_or(Unfit(FieldCode::TooMany, "must be at most 10 files")));
        let mut mentions = Vec::new();
        for (place, id) in self.files.iter().take(FILES_MENTIONED_MAX).enumerate() {
            let file = match id.parse::<FileId>() {
                Ok(id) => store.file(caller.tenant(), id).await?,
                Err(_) => None,
            };
            let own = file.filter(|file| file.case == Some(case.id) && file.is_shown_to(caller.viewer()));
            let pointer = format!("/files/{place}");
            mentions.extend(fields.take(&pointer, own.ok_or(NO_SUCH_FILE)).map(mention));
        }
        match (body, few_enough) {
            (Some(body), Some(())) if mentions.len() == self.files.len() => Ok((body, mentions)),
            _ => Err(fields.refusal()),
        }
    }
}

fn mention(file: File) -> FileMention {
    FileMention { file: file.id, name: file.declared.name.into() }
}

/// List comments
///
/// What was said in public, newest first. A page looks through `limit` lines of the timeline and holds the comments
/// among them, so it may be shorter, or empty: the end is where `next_cursor` is absent.
///
/// **Who:** everybody who may see the case; people of the consultancy name the `account`.
#[utoipa::path(
    get,
    path = "/cases/{caseId}/comments",
    operation_id = "listComments",
    tag = "comments",
    params(("caseId" = String, Path, description = "The case", pattern = "^case_[0-9a-f]{32}$"), PageQuery, AccountChoice),
    responses((status = 200, description = "A page of comments", body = PageBody<TimelineEntryView>), RecordRefusals),
)]
async fn list(
    State(deps): State<Deps>,
    caller: Caller,
    Path(id): Path<String>,
    page: PageQuery,
) -> Result<Json<PageBody<TimelineEntryView>>, Problem> {
    let case = visible_case(&deps.store, caller.tenant(), caller.viewer(), &id).await?;
    let found = deps.store.timeline(&case, page.size, page.cursor).await?.map_err(cursor_refused)?;
    let comments = found.items.iter().filter(|entry| matches!(entry.happening, Happening::Commented { .. }));
    let comments: Vec<_> = comments.collect();
    let named = files_shown(&deps.store, caller.tenant(), caller.viewer(), comments.iter().copied()).await?;
    // Comments name no invoices.
    let shown = |entry| TimelineEntryView::new(entry, &deps.process, &named, false);
    let items = comments.into_iter().filter_map(shown).collect();
    Ok(Json(PageBody { items, next_cursor: found.next.map(|cursor| cursor.to_string()) }))
}
