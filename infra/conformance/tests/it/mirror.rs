//! What a client sees of cases: as the org's own records have it, and as the portal shows it. The two are worked out
//! from different ends and share no code of the product.

use std::collections::{BTreeMap, BTreeSet};

use fake_salesforce::demo::{BRIGHTWATER, NORDHAVEN};
use portico_domain::{
    AccountId, CaseId, SalesforceId,
    cases::{Case, CaseFilter, Happening},
    people::{StaffRole, Viewer},
};
use portico_store::{PageSize, Store, Tenant};
use serde_json::Value;

use crate::{
    agent::Agent,
    sync::of,
    world::{AGENT, account, other_account, user},
};

/// What a client sees of a case.
#[derive(Debug, PartialEq, Eq)]
pub struct View {
    account: AccountId,
    subject: String,
    status: String,
    closed: bool,
    /// Texts of comments, and minutes, in alphabetical order.
    lines: Vec<String>,
}

pub type Views = BTreeMap<SalesforceId, View>;

/// What the org says that clients see.
pub async fn expected(agent: &Agent, cases: &[SalesforceId]) -> Views {
    let accounts = BTreeMap::from([(NORDHAVEN.id, account()), (BRIGHTWATER.id, other_account())]);
    let list = cases.iter().map(|id| format!("'{id}'")).collect::<Vec<_>>().join(",");
    let mut views = Views::new();
    let soql = "SELECT Id, Subject, Status, IsClosed, AccountId FROM Case WHERE IsDeleted = false AND Id IN";
    for record in agent.query(&format!("{soql} ({list})")).await {
        if let Some(account) = record["AccountId"].as_str().and_then(|id| accounts.get(id)) {
            let view = View {
                account: *account,
                subject: record["Subject"].as_str().unwrap().to_owned(),
                status: record["Status"].as_str().unwrap().to_owned(),
                closed: record["IsClosed"].as_bool().unwrap(),
                lines: Vec::new(),
            };
            views.insert(record["Id"].as_str().unwrap().parse().unwrap(), view);
        }
    }
    let comments = "SELECT ParentId, CommentBody FROM CaseComment WHERE IsPublished = true AND ParentId IN";
    let hours = "SELECT Case__c, Minutes__c FROM Time_Entry__c WHERE Case__c IN";
    for (soql, parent, text) in [(comments, "ParentId", "CommentBody"), (hours, "Case__c", "Minutes__c")] {
        for record in agent.query(&format!("{soql} ({list}) AND IsDeleted = false")).await {
            let parent: SalesforceId = record[parent].as_str().unwrap().parse().unwrap();
            let line = match &record[text] {
                Value::String(body) => body.clone(),
                minutes => minutes.as_f64().unwrap().to_string(),
            };
            if let Some(view) = views.get_mut(&parent) {
                view.lines.push(line);
            }
        }
    }
    views.values_mut().for_each(|view| view.lines.sort());
    views
}

/// What the portal shows: on lists, in detail, on timelines.
pub async fn shown(store: &Store, cases: &[SalesforceId]) -> Views {
    let mut listed: BTreeSet<(AccountId, CaseId)> = BTreeSet::new();
    for tenant in [of(account()), of(other_account())] {
        listed.extend(list(store, &tenant).await.into_iter().map(|case| (tenant.account(), case)));
    }
    let mut views = Views::new();
    for salesforce_id in cases {
        let Some(case) = store.case_of(*salesforce_id).await.unwrap() else { continue };
        let on_lists: Vec<_> = listed.iter().filter(|(_, id)| *id == case.id).copied().collect();
        if case.withdrawn.is_some() {
            assert_eq!(on_lists, [], "withdrawn, and yet on a list");
            continue;
        }
        assert_eq!(on_lists, [(case.account, case.id)]);
        assert!(!case.incomplete, "{case:?}");
        let view = View {
            account: case.account,
            lines: lines(store, &case).await,
            subject: case.subject,
            status: case.status.label,
            closed: case.status.closed,
        };
        views.insert(*salesforce_id, view);
    }
    views
}

/// The cases on an account's list, each once.
async fn list(store: &Store, tenant: &Tenant) -> Vec<CaseId> {
    let agent = Viewer::Staff { user: user(AGENT), role: StaffRole::Agent };
    let (page, mut cursor, mut cases) = (PageSize::new(100).unwrap(), None, Vec::new());
    loop {
        let found = store.cases(tenant, &agent, &CaseFilter::default(), page, cursor).await.unwrap().unwrap();
        cases.extend(found.items.into_iter().map(|case| case.case));
        cursor = found.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(cases.iter().collect::<BTreeSet<_>>().len(), cases.len(), "a case is listed twice");
    cases
}

/// What happened on a case.
async fn happenings(store: &Store, case: &Case) -> Vec<Happening> {
    let (page, mut cursor, mut happenings) = (PageSize::new(100).unwrap(), None, Vec::new());
    loop {
        let found = store.timeline(case, page, cursor).await.unwrap().unwrap();
        happenings.extend(found.items.into_iter().map(|line| line.happening));
        cursor = found.next;
        if cursor.is_none() {
            return happenings;
        }
    }
}

/// What is said and logged on a case.
async fn lines(store: &Store, case: &Case) -> Vec<String> {
    let text = |happening| match happening {
        Happening::Commented { body, .. } => Some(body),
        Happening::HoursLogged { minutes, .. } => Some(minutes.to_string()),
        _ => None,
    };
    let mut lines: Vec<String> = happenings(store, case).await.into_iter().filter_map(text).collect();
    lines.sort();
    lines
}

/// The timeline tells every change of a case's status once: it was left as often as it was entered, but for the one
/// that it is in now; and but for the first, which it had when the portal first saw it.
pub async fn assert_told_once(store: &Store, case: &Case) {
    let (mut entered, mut left) = (Vec::new(), vec![case.status.label.clone()]);
    for happening in happenings(store, case).await {
        if let Happening::StatusChanged { from, to, .. } = happening {
            left.push(from);
            entered.push(to);
        }
    }
    for status in &entered {
        let place = left.iter().position(|left| left == status);
        left.swap_remove(
            place.unwrap_or_else(|| panic!("{}: {status} was entered twice: {entered:?}", case.id)),
        );
    }
    assert_eq!(left.len(), 1, "{}: {left:?} was left and never entered", case.id);
}
