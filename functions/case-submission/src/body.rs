//! What a client sends, and what of it is a case.

use portico_domain::{
    ContractId, SalesforceId, UserId,
    cases::{CaseType, Draft, FILES_WITH_CASE_MAX, Priority, RelatedContract},
    files::Declaration,
};
use portico_http::{ClientCaller, FieldCode, Fields, FileBody, Problem, Unfit};
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
    pub(crate) async fn check(
        self,
        deps: &Deps,
        caller: &ClientCaller,
    ) -> Result<(Draft, Vec<Declaration>), Problem> {
        let mut fields = Fields::new();
        let subject = fields.take("/subject", self.subject.try_into());
        let description = fields.take("/description", self.description.try_into());
        let kind = fields.take("/type", known_type(deps, self.kind));
        let contract = fields.take("/contract", own_contract(deps, caller, self.contract).await?);
        let contact = fields.take("/contact", own_colleague(deps, caller, self.contact).await?);
        let count = if self.files.len() > FILES_WITH_CASE_MAX { Err(TOO_MANY_FILES) } else { Ok(()) };
        let few_enough = fields.take("/files", count);
        let places = self.files.into_iter().take(FILES_WITH_CASE_MAX).enumerate();
        let files: Option<Vec<Declaration>> =
            // Every file is looked at, so that all that is wrong is said at once.
            places.map(|(place, file)| file.take(&format!("/files/{place}"), &mut fields)).collect::<Vec<_>>()
                .into_iter()
                .collect();
        match (subject, description, kind, contract, contact, few_enough, files) {
            (
                Some(subject),
                Some(description),
                Some(kind),
                Some(contract),
                Some(contact),
                Some(()),
                Some(files),
            ) => {
                let priority = self.priority;
                Ok((Draft { subject, description, kind, priority, contract, contact }, files))
            }
            _ => Err(fields.refusal()),
        }
    }
}

const TOO_MANY_FILES: Unfit =
    Unfit(FieldCode::TooMany, "must be at most 10 files; add more to the case afterwards");
const NO_SUCH_TYPE: Unfit = Unfit(FieldCode::UnknownValue, "is not one of the types in GET /cases/choices");
const NO_SUCH_CONTRACT: Unfit =
    Unfit(FieldCode::UnknownValue, "is not one of the contracts in GET /cases/choices");
const NO_SUCH_CONTACT: Unfit =
    Unfit(FieldCode::UnknownValue, "is not one of the contacts in GET /cases/choices");

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
