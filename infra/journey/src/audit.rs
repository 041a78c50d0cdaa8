//! What is on record of all this.

use std::{collections::BTreeSet, time::Duration};

use fake_salesforce::demo::NORDHAVEN;
use portico_domain::{
    EventId,
    audit::{Entry, Head, Sealed, Verifier},
};
use reqwest::StatusCode;
use serde_json::Value as Json;

use crate::{
    cloud::Cloud,
    line::Line,
    person::Person,
    report::{Broken, Report, expect},
};

/// How long something may take from the answer to the trail.
const PATIENCE: Duration = Duration::from_secs(30);
/// The same after a crash: what a consumer had in hand comes back after the queue's visibility time-out, a minute.
const PATIENCE_AFTER_KILLS: Duration = Duration::from_secs(90);
/// How often the trail is looked through. Each look goes on record itself.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Most pages that are looked through.
const PAGES_MAX: usize = 50;

pub(crate) async fn check(report: &mut Report, line: &Line) -> Result<(), Broken> {
    report
        .step("the manager sees on record who submitted, uploaded and downloaded", async {
            for (action, record) in [
                ("case_submitted", &line.case),
                ("file_declared", &line.file),
                ("file_downloaded", &line.file),
                ("invoice_downloaded", &line.invoice),
            ] {
                on_record(&line.manager, action, "done", record).await?;
            }
            Ok(())
        })
        .await?;
    report
        .step("the other company's attempts are in its own trail; members see none", async {
            let theirs = on_record(&line.stranger, "refused", "not-found", &line.case).await?;
            let stranger = theirs.get("user").and_then(Json::as_str).unwrap_or_default();
            let (_, entries) = exported(&line.manager).await?;
            let found = entries.iter().find(|entry| entry.user.as_str() == stranger);
            expect(found.is_none(), format!("{found:?}"))?;
            line.colleague.get("/audit").await?.must_be(StatusCode::FORBIDDEN)?;
            Ok(())
        })
        .await?;
    report
        .step("the exported trail is one chain through the noted head; a changed byte shows", async {
            let page = line.manager.get("/audit?limit=1").await?.must_be(StatusCode::OK)?;
            let noted: Head = serde_json::from_value(page.body.get("head").cloned().unwrap_or_default())?;
            let (lines, _) = exported(&line.manager).await?;
            let mut verifier = Verifier::starting_at(1).through(noted);
            for line in &lines {
                verifier.line(line)?;
            }
            verifier.finish()?;
            let first = lines.first().cloned().unwrap_or_default();
            let changed = first.replacen("done", "dome", 1);
            expect(changed != first, &first)?;
            expect(Verifier::starting_at(1).line(&changed).is_err(), "a changed entry was not noticed")
        })
        .await
}

/// Whatever was killed in the middle of what: still one chain, and no event in it twice.
pub(crate) async fn after_kills(report: &mut Report, cloud: &Cloud) -> Result<(), Broken> {
    report
        .step("after all this the trail is still one chain, with every event in it once", async {
            let manager = Person::sign_in(cloud, NORDHAVEN.contacts[0].email).await?;
            let cases = manager.get("/cases?limit=100").await?.must_be(StatusCode::OK)?;
            for case in cases.body.get("items").and_then(Json::as_array).into_iter().flatten() {
                let text = |field| case.get(field).and_then(Json::as_str).unwrap_or_default();
                if text("subject").starts_with("Killed in round") {
                    on_record_within(PATIENCE_AFTER_KILLS, &manager, "case_submitted", "done", text("id"))
                        .await?;
                }
            }
            let (lines, entries) = exported(&manager).await?;
            let mut verifier = Verifier::starting_at(1);
            for line in &lines {
                verifier.line(line)?;
            }
            let events: BTreeSet<EventId> = entries.iter().map(|entry| entry.event).collect();
            expect(events.len() == entries.len(), "an event is in the trail twice")
        })
        .await
}

/// The whole trail: its lines, and what they say.
async fn exported(person: &Person) -> Result<(Vec<String>, Vec<Entry>), Broken> {
    let text = person.parts("/audit/export").await?.concat();
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let entries = lines.iter().map(|line| serde_json::from_str::<Sealed>(line)?.read());
    let entries = entries.collect::<Result<_, _>>()?;
    Ok((lines, entries))
}

/// The newest entry that says that this was done to that record, as soon as there is one.
async fn on_record(person: &Person, action: &str, outcome: &str, record: &str) -> Result<Json, Broken> {
    on_record_within(PATIENCE, person, action, outcome, record).await
}

async fn on_record_within(
    patience: Duration,
    person: &Person,
    action: &str,
    outcome: &str,
    record: &str,
) -> Result<Json, Broken> {
    let look = async {
        loop {
            if let Some(entry) = find(person, action, outcome, record).await? {
                return Ok(entry);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    match tokio::time::timeout(patience, look).await {
        Ok(found) => found,
        Err(_) => Err(Broken::new(format!("{action} of {record} is not on record"))),
    }
}

async fn find(person: &Person, action: &str, outcome: &str, record: &str) -> Result<Option<Json>, Broken> {
    let is = |entry: &Json, field: &str, value: &str| entry.get(field).and_then(Json::as_str) == Some(value);
    let mut path = "/audit?limit=100".to_owned();
    for _ in 0..PAGES_MAX {
        let page = person.get(&path).await?.must_be(StatusCode::OK)?.body;
        let items = page.get("items").and_then(Json::as_array);
        let found = items.into_iter().flatten().find(|entry| {
            let records = entry.get("records").and_then(Json::as_array);
            is(entry, "action", action)
                && is(entry, "outcome", outcome)
                && records.is_some_and(|records| records.iter().any(|id| id.as_str() == Some(record)))
        });
        if found.is_some() {
            return Ok(found.cloned());
        }
        let Some(next) = page.get("next_cursor").and_then(Json::as_str) else { break };
        path = format!("/audit?limit=100&cursor={next}");
    }
    Ok(None)
}
