//! What a client sends, and what of it is a case.

use portico_domain::{
    ContractId, FileId, SalesforceId, UserId,
    cases::{CaseType, Draft, FILES_WITH_CASE_MAX, Priority, RelatedContract},
    files::{File, FileState},
};
use portico_http::{ClientCaller, FieldCode, Fields, FileBody, FileWish, Problem, Unfit};
use portico_store::StoreError;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::Deps;

/// What a client asks for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CaseBody {
    /// In one line: 1 to 255 characters, no control characters.
    #[schema(schema_with = portico_http::schemas::subject)]
    subject: String,
    /// In full: up to 32,000 characters.
    #[serde(default)]
    #[schema(schema_with = portico_http::schemas::description)]
    description: String,
    /// What sort of request it is: one of the types in `GET /cases/choices`.
    #[serde(default, rename = "type")]
    #[schema(max_length = 40, example = "Problem")]
    kind: Option<String>,
    /// How urgent.
    #[serde(default)]
    #[schema(value_type = PriorityChoice)]
    priority: Priority,
    /// What it is about: one of the contracts in `GET /cases/choices`.
    #[serde(default)]
    #[schema(pattern = "^ctr_[0-9a-f]{32}$")]
    contract: Option<String>,
    /// Whom the agents turn to: the user id of a colleague in `GET /cases/choices`, who then sees the case as well.
    /// Who raises the case, if nobody is named.
    #[serde(default)]
    #[schema(max_length = 128)]
    contact: Option<String>,
    /// Files that belong to it, up to 10. More can be added to the case afterwards.
    #[serde(default)]
    #[schema(max_items = 10)]
    files: Vec<FileBody>,
    /// Files that were staged for it with `POST /files`, by id: together with `files` up to 10.
    #[serde(default)]
    #[schema(max_items = 10)]
    staged_files: Vec<String>,
}

/// How urgent a case is.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "describes the domain's Priority to OpenAPI")]
enum PriorityChoice {
    /// Can wait.
    Low,
    /// The usual; taken if nothing is said.
    Medium,
    /// Work stands still.
    High,
}

/// The priority as the API says it.
pub(crate) fn priority_name(priority: Priority) -> &'static str {
    match priority {
        Priority::Low => "low",
        Priority::Medium => "medium",
        Priority::High => "high",
    }
}

impl CaseBody {
    /// The draft and the files in it. What it names must be the caller's own; a foreign record and none at all are
    /// refused alike.
    pub(crate) async fn check(self, deps: &Deps, caller: &ClientCaller) -> Result<(Draft, Files), Problem> {
        let mut fields = Fields::new();
        let subject = fields.take("/subject", self.subject.try_into());
        let description = fields.take("/description", self.description.try_into());
        let kind = fields.take("/type", known_type(deps, self.kind));
        let contract = fields.take("/contract", own_contract(deps, caller, self.contract).await?);
        let contact = fields.take("/contact", own_colleague(deps, caller, self.contact).await?);
        let files = take_files(deps, caller, self.files, self.staged_files, &mut fields).await?;
        match (subject, description, kind, contract, contact, files) {
            (Some(subject), Some(description), Some(kind), Some(contract), Some(contact), Some(files)) => {
                let priority = self.priority;
                Ok((Draft { subject, description, kind, priority, contract, contact }, files))
            }
            _ => Err(fields.refusal()),
        }
    }
}

const TOO_MANY_FILES: Unfit =
    Unfit(FieldCode::TooMany, "must be at most 10 files; add more to the case afterwards");
const NO_SUCH_FILE: Unfit =
    Unfit(FieldCode::UnknownValue, "is not a file that you staged, or is not one any more");
const NO_SUCH_TYPE: Unfit = Unfit(FieldCode::UnknownValue, "is not one of the types in GET /cases/choices");
const NO_SUCH_CONTRACT: Unfit =
    Unfit(FieldCode::UnknownValue, "is not one of the contracts in GET /cases/choices");
const NO_SUCH_CONTACT: Unfit =
    Unfit(FieldCode::UnknownValue, "is not one of the contacts in GET /cases/choices");

/// The files that come with a case.
pub(crate) struct Files {
    /// Declared with it, to be uploaded.
    pub(crate) declared: Vec<FileWish>,
    /// Staged for it before.
    pub(crate) staged: Vec<File>,
}

/// Every file is looked at, so that all that is wrong is said at once.
async fn take_files(
    deps: &Deps,
    caller: &ClientCaller,
    files: Vec<FileBody>,
    ids: Vec<String>,
    fields: &mut Fields,
) -> Result<Option<Files>, Problem> {
    let count = files.len().saturating_add(ids.len());
    let few_enough = if count > FILES_WITH_CASE_MAX { Err(TOO_MANY_FILES) } else { Ok(()) };
    if fields.take("/files", few_enough).is_none() {
        return Ok(None);
    }
    let (mut declared, mut staged) = (Some(Vec::new()), Some(Vec::new()));
    for (place, file) in files.into_iter().enumerate() {
        let at = format!("/files/{place}");
        let wish = file.take(&at, &deps.rules, &deps.store, caller.tenant(), fields).await?;
        declared = declared.zip(wish).map(|(mut all, wish)| {
            all.push(wish);
            all
        });
    }
    for (place, id) in ids.iter().enumerate() {
        let file = staged_file(deps, caller, id).await?;
        // The same one twice would be one file that is counted as two.
        let named_before = ids.iter().take(place).any(|other| other == id);
        let file = file.filter(|_| !named_before).ok_or(NO_SUCH_FILE);
        staged = staged.zip(fields.take(&format!("/staged_files/{place}"), file)).map(|(mut all, file)| {
            all.push(file);
            all
        });
    }
    Ok(declared.zip(staged).map(|(declared, staged)| Files { declared, staged }))
}

/// A staged file is its uploader's alone. One that was refused is not taken.
async fn staged_file(deps: &Deps, caller: &ClientCaller, id: &str) -> Result<Option<File>, StoreError> {
    let Ok(id) = id.parse::<FileId>() else { return Ok(None) };
    let file = deps.store.file(caller.tenant(), id).await?;
    let rejected = |file: &File| matches!(file.state, FileState::Rejected { .. });
    Ok(file.filter(|file| file.is_of(caller.viewer()) && file.case.is_none() && !rejected(file)))
}

/// What is wrong with a field, if something is.
type Checked<T> = Result<Option<T>, Unfit>;

fn known_type(deps: &Deps, wanted: Option<String>) -> Checked<CaseType> {
    let Some(wanted) = wanted else { return Ok(None) };
    deps.process.types.iter().find(|known| known.as_str() == wanted).cloned().map(Some).ok_or(NO_SUCH_TYPE)
}

async fn own_contract(
    deps: &Deps,
    caller: &ClientCaller,
    wanted: Option<String>,
) -> Result<Checked<RelatedContract>, StoreError> {
    let Some(wanted) = wanted else { return Ok(Ok(None)) };
    let Ok(wanted) = wanted.parse::<ContractId>() else { return Ok(Err(NO_SUCH_CONTRACT)) };
    let now = deps.clock.now();
    let contracts = deps.store.contracts(caller.tenant()).await?;
    let found = contracts
        .into_iter()
        .find(|contract| contract.id == wanted && contract.holds_on(contract.day_of(now)))
        .map(|contract| RelatedContract {
            id: contract.id,
            salesforce_id: contract.salesforce_id,
            name: contract.name,
        });
    Ok(found.map(Some).ok_or(NO_SUCH_CONTRACT))
}

async fn own_colleague(
    deps: &Deps,
    caller: &ClientCaller,
    wanted: Option<String>,
) -> Result<Checked<SalesforceId>, StoreError> {
    let Some(wanted) = wanted else { return Ok(Ok(None)) };
    let Ok(wanted) = wanted.parse::<UserId>() else { return Ok(Err(NO_SUCH_CONTACT)) };
    let colleague = deps.store.colleague(caller.tenant(), &wanted).await?;
    let contact = colleague.and_then(|person| person.raiser().contact);
    Ok(contact.map(Some).ok_or(NO_SUCH_CONTACT))
}
