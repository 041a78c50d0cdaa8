//! Bills in the staff's hands: drafted, issued as they were seen, and taken back.

use fake_salesforce::demo::NORDHAVEN;
use portico_domain::AccountId;
use reqwest::StatusCode;
use serde_json::{Value as Json, json};

use crate::{
    agent::Agent,
    cloud::Cloud,
    files::AGENT_EMAIL,
    line::{Line, text, unique},
    org::Org,
    person::Person,
    report::{Broken, Report, expect},
};

/// An hour at 120.00 EUR, with 19 % tax.
const MINUTES: &str = "60";
const WORK: &str = "Checked the scanners";
const GROSS: &str = "142.80";
/// What is taken back of it first, before tax.
const PART: &str = "20.00";
/// And what that comes to.
const PART_GROSS: &str = "-23.80";

pub(crate) async fn settle(report: &mut Report, cloud: &Cloud, line: &Line) -> Result<(), Broken> {
    let client = &line.manager;
    let staff = Person::sign_in(cloud, AGENT_EMAIL).await?;
    let (agent, org) = (Agent::at(cloud)?, Org::sign_in(cloud).await?);
    let account = NORDHAVEN
        .portal_account_id
        .parse()
        .map(AccountId::from_uuid)
        .map_err(|_| Broken::new("the demo's account has no portal id"))?;
    let command = async |path: &str, body: &Json| {
        staff.post(&format!("{path}?account={account}"), &format!("journey-{}", unique()), body).await
    };
    let subject = format!("Quarterly check of the scanners ({})", unique());
    let raised = client
        .post("/cases", &format!("journey-{}", unique()), &json!({ "subject": subject }))
        .await?
        .must_be(StatusCode::CREATED)?;
    let case = raised.text("id")?;
    let found = org.wait_for(&format!("SELECT Id FROM Case WHERE Subject = '{subject}'")).await?;
    let in_org = text(&found, "Id");

    let draft = async || command("/invoices", &json!({ "case": case })).await;
    report
        .step(
            "staff take a bill in hand before the case is closed: an hour at 120.00, with tax 142.80",
            async {
                agent.log_time(&in_org, MINUTES, WORK).await?;
                client
                    .wait_for(&format!("/cases/{case}/timeline"), |timeline| {
                        timeline.to_string().contains(WORK).then_some(())
                    })
                    .await?;
                let drafted = draft().await?.must_be(StatusCode::CREATED)?;
                expect(gross(&drafted.body) == GROSS, &drafted.body)
            },
        )
        .await?;
    let invoice = report
        .step("the case is closed: nobody else issues it; staff issue what they see", async {
            agent.close(&in_org).await?;
            client
                .wait_for(&format!("/cases/{case}"), |detail| {
                    (detail.pointer("/status/closed") == Some(&Json::Bool(true))).then_some(())
                })
                .await?;
            let seen = draft().await?.must_be(StatusCode::CREATED)?;
            let invoice = seen.text("id")?;
            client.get(&format!("/invoices/{invoice}")).await?.must_be(StatusCode::NOT_FOUND)?;
            let other = json!({ "fingerprint": "0".repeat(64) });
            command(&format!("/invoices/{invoice}/issue"), &other).await?.must_be(StatusCode::CONFLICT)?;
            let this = json!({ "fingerprint": seen.text("fingerprint")? });
            let issued = command(&format!("/invoices/{invoice}/issue"), &this).await?;
            let issued = issued.must_be(StatusCode::CREATED)?;
            expect(gross(&issued.body) == GROSS, &issued.body)?;
            let shown = client.get(&format!("/invoices/{invoice}")).await?.must_be(StatusCode::OK)?;
            expect(shown.text("number")? == issued.text("number")?, shown.body)?;
            Ok(invoice)
        })
        .await?;
    report
        .step("a part is credited, then the rest: the client owes nothing, and the org knows", async {
            let part =
                json!({ "reason": "Ten minutes were waiting", "lines": [{ "line": 1, "amount": PART }] });
            let note = command(&format!("/invoices/{invoice}/credit"), &part).await?;
            let note = note.must_be(StatusCode::CREATED)?;
            expect(gross(&note.body) == PART_GROSS, &note.body)?;
            let too_much =
                json!({ "reason": "All of it", "lines": [{ "line": 1, "amount": "120.00" }] });
            let refused = command(&format!("/invoices/{invoice}/credit"), &too_much).await?;
            refused.must_be(StatusCode::CONFLICT)?;
            let rest = json!({ "reason": "Goodwill" });
            command(&format!("/invoices/{invoice}/credit"), &rest).await?.must_be(StatusCode::CREATED)?;
            let shown = client.get(&format!("/invoices/{invoice}")).await?.must_be(StatusCode::OK)?;
            expect(shown.text("state")? == "void", &shown.body)?;
            expect(shown.body.pointer("/open/amount") == Some(&json!("0.00")), &shown.body)?;
            expect(gross(&shown.body) == GROSS, "the invoice itself was changed")?;
            let soql = format!(
                "SELECT State__c FROM Portal_Invoice__c WHERE Portal_Invoice_Id__c = '{invoice}' AND State__c = 'Void'"
            );
            org.wait_for(&soql).await.map(|_| ())
        })
        .await
}

fn gross(body: &Json) -> &str {
    body.pointer("/gross/amount").and_then(Json::as_str).unwrap_or_default()
}
