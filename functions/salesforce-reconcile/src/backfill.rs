//! Everything that Salesforce has of one account: a new client's history, or a repair.
//!
//! Nothing of it is billed: a case that is closed when the portal first hears of it makes no invoice.

use portico_domain::{
    SalesforceId,
    runs::{AccountName, Errand, Position, Run, RunState},
};
use portico_salesforce::records::Object;

use crate::{
    Deps, ReconcileError, compare, send,
    sweep::{named, next},
    work::Step,
};

pub(crate) async fn step(deps: &Deps, run: &mut Run) -> Result<Step, ReconcileError> {
    if let Some(Position::Backfill { account, object, after }) = run.position.clone() {
        return page(deps, run, account, named(&object)?, after).await;
    }
    let Errand::Backfill { account } = &run.errand else { return Ok(Step::default()) };
    match client(deps, *account).await? {
        Some(account) => match Object::ALL.into_iter().next() {
            Some(first) => page(deps, run, account, first, None).await,
            None => Ok(Step::default()),
        },
        None => {
            let note = format!("{account} is no client of the portal; an account is provisioned first");
            run.end(RunState::Failed, Some(note), deps.clock.now());
            Ok(Step::default())
        }
    }
}

/// The account in Salesforce, if it is a client's.
async fn client(deps: &Deps, name: AccountName) -> Result<Option<SalesforceId>, ReconcileError> {
    Ok(match name {
        AccountName::Portal(account) => deps.store.salesforce_account(account).await?,
        AccountName::Salesforce(id) => compare::client(deps, id).await?.map(|link| link.salesforce_id),
    })
}

async fn page(
    deps: &Deps,
    run: &mut Run,
    account: SalesforceId,
    object: Object,
    after: Option<SalesforceId>,
) -> Result<Step, ReconcileError> {
    let page = deps.salesforce.belonging_to(account, object, after).await?;
    let last = page.last().map(|listed| listed.record.id);
    if last.is_some() && last == after {
        return Err(last.map_or_else(|| ReconcileError::Object(String::new()), ReconcileError::Stuck));
    }
    let live = page.iter().filter(|listed| !listed.deleted).map(|listed| listed.record.id);
    let sent = send::may_have_changed(deps, object, live).await?;
    let counts = run.count(object.name());
    counts.seen += u64::try_from(page.len()).unwrap_or(u64::MAX);
    counts.sent += sent;
    let next = if last.is_some() { Some((object, last)) } else { next(object).map(|next| (next, None)) };
    run.position =
        next.map(|(object, after)| Position::Backfill { account, object: object.name().to_owned(), after });
    if run.position.is_none() {
        run.end(RunState::Done, None, deps.clock.now());
    }
    Ok(Step::default())
}
