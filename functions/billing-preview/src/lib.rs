//! `GET /billing/preview`: what bills will be, before they are bills.
//!
//! Nothing is stored for it. It is priced from the records at each request, by the way that the invoice goes, so that it is
//! the invoice if nothing changes in between.

mod query;

use axum::{
    Json, Router,
    extract::{FromRef, State},
};
use jiff::Timestamp;
use portico_aws::{BootError, Cloud, Function};
use portico_billing::{
    BillingError, Books, CasePreview, CaseStands, ContractPreview, MonthPreview, Unpriced,
};
use portico_domain::{
    CaseId, Clock, ContractId,
    billing::AssignmentError,
    cases::{CaseFilter, Openness},
    contracts::Contract,
    people::Viewer,
};
use portico_http::{
    AccountChoice, Caller, Kind, ListRefusals, PageQuery, Problem, cursor_refused, finish,
    views::{BillView, CasePreviewView, ContractPreviewView, ContractReference, MonthPreviewView},
};
use portico_store::{PageSize, Store, engine::Table};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use query::PreviewQuery;

/// Most open cases that one answer looks at: each takes four reads.
const CASES_MAX: u16 = 25;

/// What this function works with.
#[derive(Clone)]
pub struct Deps {
    /// The portal's records.
    pub store: Store,
    /// The time.
    pub clock: Clock,
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
    // The outbox is for refusals, which go into the audit trail.
    let tables = [
        Table::Members,
        Table::Accounts,
        Table::Cases,
        Table::Contracts,
        Table::TimeEntries,
        Table::Expenses,
        Table::Invoices,
        Table::InvoicePositions,
        Table::Billing,
        Table::Outbox,
    ];
    Ok(Function::http(routes(Deps { store: cloud.store(&tables)?, clock: cloud.clock() })))
}

/// The routes.
pub fn routes(deps: Deps) -> Router {
    finish(api().with_state(deps).into())
}

/// The routes and their description.
pub fn api() -> OpenApiRouter<Deps> {
    OpenApiRouter::new().routes(routes!(preview))
}

/// What is not billed yet.
#[derive(Debug, Serialize, ToSchema)]
pub struct BillingPreview {
    /// The moment for which it was priced.
    #[schema(value_type = String, format = DateTime)]
    as_of: Timestamp,
    /// Contracts with their months; only in the first page, and not if one case was asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    contracts: Vec<ContractPreviewView>,
    /// Contracts that are in force and were left out, because there are more than 20: to be asked for with `contract`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    contracts_left_out: Vec<ContractReference>,
    /// Open cases that will have a bill of their own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cases: Vec<CasePreviewView>,
    /// Where the cases go on: hand it over as `cursor`; absent if these are all.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// See the next bills
///
/// What is not billed yet, priced as it stands: for each contract its month, or its open cases, with hours, amounts, every
/// position and how it comes about, and what is left of retainer, prepaid hours and maximum. If nothing changes, the
/// invoice says the same. Each case is priced as if it were the next one to be billed; cases that use the same prepaid hours
/// do not add up. What cannot be priced says why, and holds up nothing else.
///
/// A page looks at up to 25 open cases and leaves those out on which there is nothing, so it may be shorter than `limit`,
/// or empty: the end is where `next_cursor` is absent. With `case` there is that case alone, open or closed. Look again
/// after a push of type `billing.changed`.
///
/// **Who:** managers and billing contacts, and members if the account says so; people of the consultancy, who name the
/// `account`.
#[utoipa::path(
    get,
    path = "/billing/preview",
    operation_id = "previewBills",
    tag = "invoices",
    params(PreviewQuery, PageQuery, AccountChoice),
    responses((status = 200, description = "What is not billed yet", body = BillingPreview), ListRefusals),
)]
async fn preview(
    State(deps): State<Deps>,
    caller: Caller,
    query: PreviewQuery,
    page: PageQuery,
) -> Result<Json<BillingPreview>, Problem> {
    if !deps.store.may_see_invoices(caller.tenant(), caller.viewer()).await? {
        return Err(Problem::new(Kind::Forbidden).because(
            "Bills are for managers and billing contacts, and for members if the account says so.",
        ));
    }
    let now = deps.clock.now();
    let books = Books::of(&deps.store, caller.tenant(), now).await.map_err(failed)?;
    let look = Look { deps: &deps, caller: &caller, books, now };
    let preview = match query {
        PreviewQuery::Case(case) => look.at_case(case).await?,
        PreviewQuery::Contract(contract) => {
            let contract = look.books.contract(contract).ok_or_else(Problem::not_found)?;
            look.at_contracts((vec![contract], Vec::new()), Some(contract.id), page).await?
        }
        PreviewQuery::Account => look.at_contracts(look.books.current(), None, page).await?,
    };
    Ok(Json(preview))
}

/// One look at an account's bills.
struct Look<'a> {
    deps: &'a Deps,
    caller: &'a Caller,
    books: Books<'a>,
    now: Timestamp,
}

impl Look<'_> {
    async fn at_case(&self, case: CaseId) -> Result<BillingPreview, Problem> {
        let found = self.books.cases(&[case]).await.map_err(failed)?;
        let found = found.first().ok_or_else(Problem::not_found)?;
        Ok(BillingPreview {
            as_of: self.now,
            contracts: Vec::new(),
            contracts_left_out: Vec::new(),
            cases: vec![self.case_view(found)],
            next_cursor: None,
        })
    }

    /// Some contracts, and a page of the open cases: of all contracts, or of one.
    async fn at_contracts(
        &self,
        (contracts, left_out): (Vec<&Contract>, Vec<&Contract>),
        only: Option<ContractId>,
        page: PageQuery,
    ) -> Result<BillingPreview, Problem> {
        let is_first = page.cursor.is_none();
        let open = CaseFilter { openness: Openness::Open, ..CaseFilter::default() };
        let size = PageSize::new(page.size.get().min(CASES_MAX)).unwrap_or(PageSize::DEFAULT);
        let found = self.deps.store.cases_of_account(self.caller.tenant(), &open, size, page.cursor).await?;
        let found = found.map_err(cursor_refused)?;
        let ids: Vec<CaseId> = found.items.iter().map(|case| case.case).collect();
        let cases = self.books.cases(&ids).await.map_err(failed)?;
        let contracts =
            if is_first { self.books.contracts(&contracts).await.map_err(failed)? } else { Vec::new() };
        let reference = |contract: &&Contract| ContractReference {
            id: contract.id.to_string(),
            name: contract.name.clone(),
        };
        Ok(BillingPreview {
            as_of: self.now,
            contracts: contracts
                .iter()
                .filter(|contract| only.is_some() || !contract.is_empty())
                .map(|contract| self.contract_view(contract))
                .collect(),
            contracts_left_out: left_out.iter().filter(|_| is_first).map(reference).collect(),
            cases: cases
                .iter()
                .filter(|case| is_open_bill(case, only))
                .map(|case| self.case_view(case))
                .collect(),
            next_cursor: found.next.map(|cursor| cursor.to_string()),
        })
    }

    fn contract_view(&self, preview: &ContractPreview) -> ContractPreviewView {
        let ContractPreview { contract, standing, months } = preview;
        let month = |month: &MonthPreview| {
            let priced = match &month.priced {
                Ok((prepared, left)) => Ok(BillView::new(&prepared.bill, left)),
                Err(unpriced) => Err(self.words(unpriced)),
            };
            MonthPreviewView::new((month.period, month.over), priced, month.forecast.as_ref())
        };
        let standing = match standing {
            Ok(standing) => Ok(standing.as_ref()),
            Err(unpriced) => Err(self.words(unpriced)),
        };
        let today = contract.day_of(self.now);
        ContractPreviewView::new((contract, today), months.iter().map(month).collect(), standing)
    }

    fn case_view(&self, preview: &CasePreview) -> CasePreviewView {
        let CasePreview { case, stands, .. } = preview;
        match stands {
            CaseStands::Priced(prepared, left) => {
                let contract = Some(prepared.contract.id.to_string());
                CasePreviewView::new(case, contract, Ok(BillView::new(&prepared.bill, left)))
            }
            CaseStands::Unpriced(unpriced) => CasePreviewView::new(
                case,
                contract_of(unpriced).map(|contract| contract.to_string()),
                Err(self.words(unpriced)),
            ),
            CaseStands::Nothing => CasePreviewView::without_bill(case, "nothing"),
            CaseStands::ByMonth => CasePreviewView::without_bill(case, "by_month"),
            CaseStands::Invoiced(invoice) => CasePreviewView {
                invoice: Some(invoice.to_string()),
                ..CasePreviewView::without_bill(case, "invoiced")
            },
        }
    }

    /// Why something cannot be priced. Which field of which record is wrong is for those who can put it right.
    fn words(&self, unpriced: &Unpriced) -> String {
        match (unpriced, self.caller.viewer()) {
            (
                Unpriced::Assignment(AssignmentError::Terms { .. } | AssignmentError::UnknownContract(_)),
                Viewer::Client { .. },
            ) => "The contract cannot be billed by as it stands. The consultancy has to put it right."
                .to_owned(),
            (Unpriced::Pricing(_), Viewer::Client { .. }) => {
                "Something that was done cannot be priced as it stands. The consultancy has to put it right."
                    .to_owned()
            }
            (unpriced, Viewer::Client { .. } | Viewer::Staff { .. }) => sentence(&unpriced.to_string()),
        }
    }
}

/// Whether an open case, on which something was done, has a bill of its own to come, of this contract if it is asked for one.
fn is_open_bill(preview: &CasePreview, only: Option<ContractId>) -> bool {
    let contract = match &preview.stands {
        CaseStands::Priced(prepared, _) => Some(prepared.contract.id),
        CaseStands::Unpriced(unpriced) => contract_of(unpriced),
        CaseStands::Nothing | CaseStands::ByMonth | CaseStands::Invoiced(_) => return false,
    };
    preview.has_work && (only.is_none() || contract == only)
}

/// The contract that stands in the way.
fn contract_of(unpriced: &Unpriced) -> Option<ContractId> {
    match unpriced {
        Unpriced::Assignment(
            AssignmentError::Terms { contract, .. } | AssignmentError::UnknownContract(contract),
        ) => Some(*contract),
        Unpriced::Assignment(AssignmentError::NoContract(_))
        | Unpriced::Pricing(_)
        | Unpriced::TooMuch
        | Unpriced::After(_) => None,
    }
}

/// An error's words as a sentence.
fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().collect::<String>());
    format!("{}{}.", first.unwrap_or_default(), letters.as_str())
}

/// What keeps everybody from any bill.
fn failed(error: BillingError) -> Problem {
    match error {
        BillingError::Store(error) => error.into(),
        BillingError::NoAccount(_)
        | BillingError::NoCase(_)
        | BillingError::Assignment(_)
        | BillingError::TooManyParts(_)
        | BillingError::Turn(_)
        | BillingError::Pricing(_)
        | BillingError::Unwritable(_) => Problem::internal(&error),
    }
}
