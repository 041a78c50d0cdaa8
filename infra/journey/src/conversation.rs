//! What clients do on a case besides waiting: choose, edit, talk, close, open again.

use fake_salesforce::demo::NORDHAVEN;
use reqwest::StatusCode;
use serde_json::{Value as Json, json};

use crate::{
    agent::Agent,
    cloud::Cloud,
    line::{Line, listed, text, unique},
    live::Live,
    org::Org,
    person::{Answer, Person},
    report::{Broken, Report, expect},
};

pub(crate) async fn hold(report: &mut Report, cloud: &Cloud, line: &Line) -> Result<(), Broken> {
    let (manager, colleague) = (&line.manager, &line.colleague);
    let agent = Agent::at(cloud)?;
    let org = Org::sign_in(cloud).await?;
    let mut live = Live::open(cloud, manager).await?;
    let subject = format!("Forecast leaves out Sundays ({})", unique());
    let case = report
        .step("raise a case with type, contract and a colleague as contact, as the form offers them", async {
            let choices = manager.get("/cases/choices").await?.must_be(StatusCode::OK)?;
            let pick = |pointer: &str| choices.body.pointer(pointer).cloned().unwrap_or_default();
            let contacts = pick("/contacts");
            let jonas = contacts.as_array().and_then(|all| {
                all.iter().find(|person| text(person, "name").ends_with(NORDHAVEN.contacts[1].last_name))
            });
            let contact = jonas.map(|person| text(person, "user")).unwrap_or_default();
            let body = json!({
                "subject": subject,
                "type": pick("/types/0"),
                "contract": pick("/contracts/0/id"),
                "contact": contact,
            });
            let key = unique();
            manager.post("/cases", &key, &body).await?.must_be(StatusCode::CREATED)?.text("id")
        })
        .await?;
    let path = format!("/cases/{case}");
    let in_org = report
        .step("the org has it with all of that; the colleague sees it", async {
            let fields = "Id, Type, Contact.Name, Portal_Contract__r.Name";
            let record = org
                .wait_for(&format!("SELECT {fields} FROM Case WHERE Portal_Request_Id__c = '{case}'"))
                .await?;
            expect(record.pointer("/Portal_Contract__r/Name").is_some_and(Json::is_string), &record)?;
            expect(text(&record, "Type") == "Question", &record)?;
            let seen = colleague.get("/cases?state=open&text=sundays").await?.must_be(StatusCode::OK)?;
            listed(&seen.body, "/items", &case).ok_or_else(|| Broken::new("not on the colleague's list"))?;
            Ok(text(&record, "Id"))
        })
        .await?;
    report
        .step("the manager puts it in other words while it is new; the org has them", async {
            let version = manager.get(&path).await?.body.get("version").cloned().unwrap_or_default();
            let words = json!({ "version": version, "description": "Every second Sunday is missing." });
            manager.patch(&path, &unique(), &words).await?.must_be(StatusCode::OK)?;
            in_step(manager, &path).await?;
            let soql = format!("SELECT Description FROM Case WHERE Id = '{in_org}'");
            let record = org.wait_for(&soql).await?;
            expect(text(&record, "Description") == "Every second Sunday is missing.", record)
        })
        .await?;
    report
        .step("the colleague says something; the manager is told, the org has it once", async {
            let said = format!("It is @{{worse}} than **that** 'today' ({})", unique());
            let (key, body) = (unique(), json!({ "body": said }));
            for _ in 0..2 {
                let comments = format!("{path}/comments");
                let answer = colleague.post(&comments, &key, &body).await?.must_be(StatusCode::CREATED)?;
                expect(answer.text("html")?.contains("<strong>that</strong>"), &answer.body)?;
            }
            live.news("case.changed", "case", &case).await?;
            let soql = format!("SELECT Id FROM Portal_Comment__c WHERE Case__c = '{in_org}'");
            org.wait_for(&soql).await?;
            let soql =
                format!("SELECT CommentBody, IsPublished FROM CaseComment WHERE ParentId = '{in_org}'");
            let comments = org.query(&soql).await?;
            expect(comments.len() == 1, format!("{comments:?}"))?;
            let body = comments.first().map(|comment| text(comment, "CommentBody")).unwrap_or_default();
            expect(body.ends_with(&said) && body.contains("via the portal:"), body)?;
            agent.comment(&in_org, "Thank you, found it.", true).await?;
            // Salesforce's times are whole seconds: of two comments of one second the answer may come first.
            let answered = |page: &Json| {
                let items = page.get("items").and_then(Json::as_array)?;
                let answer = items.iter().any(|item| text(item, "body") == "Thank you, found it.");
                (items.len() == 2 && answer).then_some(())
            };
            colleague.wait_for(&format!("{path}/comments"), answered).await
        })
        .await?;
    report
        .step("the colleague closes it as solved: closed at once, in the org soon after, told once", async {
            let close = format!("{path}/close");
            let solved = json!({ "reason": "solved" });
            let closed = colleague.post(&close, &unique(), &solved).await?.must_be(StatusCode::OK)?;
            expect(closed.body.pointer("/status/closed") == Some(&Json::Bool(true)), &closed.body)?;
            colleague.post(&close, &unique(), &solved).await?.must_be(StatusCode::CONFLICT)?;
            let record = org
                .wait_for(&format!(
                    "SELECT IsClosed FROM Case WHERE Id = '{in_org}' AND Portal_Solved_By_Client__c = true"
                ))
                .await?;
            expect(record.get("IsClosed") == Some(&Json::Bool(true)), record)?;
            in_step(manager, &path).await?;
            let detail = manager.get(&path).await?;
            expect(happened(&detail, "closed") == 1 && happened(&detail, "status_changed") == 0, detail.body)
        })
        .await?;
    report
        .step("the manager opens it again; an agent who works on it ends its editing", async {
            let reopened = manager.post(&format!("{path}/reopen"), &unique(), &json!({})).await?;
            let reopened = reopened.must_be(StatusCode::OK)?;
            expect(reopened.body.pointer("/status/closed") == Some(&Json::Bool(false)), &reopened.body)?;
            org.wait_for(&format!("SELECT Id FROM Case WHERE Id = '{in_org}' AND IsClosed = false")).await?;
            in_step(manager, &path).await?;
            let version = manager.get(&path).await?.body.get("version").cloned().unwrap_or_default();
            let late = json!({ "version": version, "subject": "Too late" });
            manager.patch(&path, &unique(), &late).await?.must_be(StatusCode::CONFLICT)?;
            Ok(())
        })
        .await
}

/// Waits until Salesforce has what was changed in the portal.
async fn in_step(person: &Person, path: &str) -> Result<(), Broken> {
    person.wait_for(path, |case| (case.get("in_step") == Some(&Json::Bool(true))).then_some(())).await
}

/// How many lines of this kind the timeline has.
fn happened(detail: &Answer, kind: &str) -> usize {
    let lines = detail.body.get("timeline").and_then(Json::as_array).cloned().unwrap_or_default();
    lines.iter().filter(|line| text(line, "kind") == kind).count()
}
