//! Every record of every client, there against here. What differs is counted, kept as an example, and named to the sync.

use jiff::{SignedDuration, Timestamp};
use portico_aws::Metric;
use portico_domain::{
    CaseId, SalesforceId,
    runs::{Difference, Position, Run, RunState},
};
use portico_salesforce::records::Object;
use portico_store::{Link, Linked, Tenant};

use crate::{
    Deps, ReconcileError, send,
    standing::{Here, Known, Standing},
    sweep::named,
    work::Step,
};

/// What is compared: what clients see, and what they are billed by.
const COMPARED: [Object; 5] =
    [Object::Case, Object::CaseComment, Object::TimeEntry, Object::Contract, Object::Expense];
/// What is younger may still be on its way: longer than the sync's queue tries again.
const YOUNG: SignedDuration = SignedDuration::from_mins(15);
/// Most records in one question by id.
const IDS_AT_ONCE: usize = 200;

pub(crate) async fn step(deps: &Deps, run: &mut Run) -> Result<Step, ReconcileError> {
    match run.position.clone() {
        Some(Position::There { account, object, after }) => {
            there(deps, run, account, named(&object)?, after).await
        }
        Some(Position::Here { account, after }) => here(deps, run, account, after).await,
        Some(Position::NextAccount { after }) => next_account(deps, run, after).await,
        _ => next_account(deps, run, None).await,
    }
}

async fn next_account(
    deps: &Deps,
    run: &mut Run,
    after: Option<SalesforceId>,
) -> Result<Step, ReconcileError> {
    let Some(account) = deps.salesforce.next_client(after).await? else { return finish(deps, run).await };
    run.count(Object::Account.name()).seen += 1;
    run.position = Some(if client(deps, account).await?.is_some() {
        let [first, ..] = COMPARED;
        Position::There { account, object: first.name().to_owned(), after: None }
    } else {
        // Salesforce calls it a client, and here it was never provisioned.
        run.differs(Object::Account.name(), account, Difference::Missing);
        Position::NextAccount { after: Some(account) }
    });
    Ok(Step::default())
}

/// The client of the portal that an account in Salesforce is, if it is one.
pub(crate) async fn client(deps: &Deps, account: SalesforceId) -> Result<Option<Link>, ReconcileError> {
    let link = deps.store.link(account).await?;
    Ok(link.filter(|link| matches!(link.record, Linked::Account)))
}

/// A page of what is there.
async fn there(
    deps: &Deps,
    run: &mut Run,
    account: SalesforceId,
    object: Object,
    after: Option<SalesforceId>,
) -> Result<Step, ReconcileError> {
    let page = deps.salesforce.belonging_to(account, object, after).await?;
    let Some(last) = page.last().map(|listed| listed.record.id) else {
        let next = COMPARED.into_iter().skip_while(|known| *known != object).nth(1);
        run.position = Some(match next {
            Some(next) => Position::There { account, object: next.name().to_owned(), after: None },
            None => Position::Here { account, after: None },
        });
        return Ok(Step::default());
    };
    if after == Some(last) {
        return Err(ReconcileError::Stuck(last));
    }
    let known = Known::load(&deps.store, &page).await?;
    let mut different = Vec::new();
    for listed in &page {
        let Standing::Behind(difference) = known.standing(listed) else { continue };
        if is_young(run, listed.modstamp) {
            run.count(object.name()).young += 1;
        } else {
            run.differs(object.name(), listed.record.id, difference);
            different.push(listed.record.id);
        }
    }
    let sent = send::may_have_changed(deps, object, different).await?;
    let counts = run.count(object.name());
    counts.seen += u64::try_from(page.len()).unwrap_or(u64::MAX);
    counts.sent += sent;
    run.position = Some(Position::There { account, object: object.name().to_owned(), after: Some(last) });
    Ok(Step::default())
}

/// Some of what is here: what Salesforce has purged, or does not know as this client's, is on no list of what is there.
async fn here(
    deps: &Deps,
    run: &mut Run,
    account: SalesforceId,
    after: Option<CaseId>,
) -> Result<Step, ReconcileError> {
    let Some(link) = client(deps, account).await? else {
        run.position = Some(Position::NextAccount { after: Some(account) });
        return Ok(Step::default());
    };
    let Here { records, next } = Here::load(&deps.store, &Tenant::of_link(&link), after).await?;
    for (object, ids) in records {
        let ids: Vec<SalesforceId> = ids.into_iter().collect();
        let mut gone = Vec::new();
        for ids in ids.chunks(IDS_AT_ONCE) {
            let there = deps.salesforce.these(object, ids).await?;
            let known = Known::load(&deps.store, &there).await?;
            for id in ids {
                match there.iter().find(|listed| listed.record.id == *id) {
                    None => gone.push(*id),
                    // What still belongs to this account was on the list of what is there.
                    Some(listed) if listed.account == Some(account) => {}
                    Some(listed) if is_young(run, listed.modstamp) => run.count(object.name()).young += 1,
                    Some(listed) if matches!(known.standing(listed), Standing::Behind(Difference::Gone)) => {
                        gone.push(*id);
                    }
                    Some(_) => {}
                }
            }
        }
        for id in &gone {
            run.differs(object.name(), *id, Difference::Gone);
        }
        let sent = send::may_have_changed(deps, object, gone).await?;
        run.count(object.name()).sent += sent;
    }
    run.position = Some(match next {
        Some(after) => Position::Here { account, after: Some(after) },
        None => Position::NextAccount { after: Some(account) },
    });
    Ok(Step::default())
}

fn is_young(run: &Run, modstamp: Timestamp) -> bool {
    run.started_at.duration_since(modstamp) < YOUNG
}

async fn finish(deps: &Deps, run: &mut Run) -> Result<Step, ReconcileError> {
    let drift = run.total().drift();
    // Without a difference it is as good as a reading of every case.
    let watermark = deps.store.watermark().await?.filter(|_| drift == 0).map(|mut watermark| {
        watermark.compared = watermark.compared.max(Some(run.started_at));
        watermark.version += 1;
        watermark
    });
    run.end(RunState::Done, None, deps.clock.now());
    Ok(Step { watermark, measured: vec![(Metric::Drift, drift)], ..Step::default() })
}
