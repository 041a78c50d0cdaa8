//! The line itself: a case from the client's form to the paid-for hours.

use std::time::{Duration, Instant};

use fake_salesforce::demo::{BRIGHTWATER, NORDHAVEN};
use reqwest::StatusCode;
use serde_json::{Value as Json, json};

use crate::{
    agent::Agent,
    cloud::Cloud,
    files::downloadable,
    live::Live,
    org::Org,
    person::Person,
    report::{Broken, Report, expect, percentile},
};

/// Size of the file that is attached.
const FILE_BYTES: usize = 5 * 1024 * 1024;
/// Two entries: 1.50 h and 0.33 h at 120.00 EUR, and 19 % tax.
const MINUTES: [&str; 2] = ["90", "20"];
const NET: &str = "219.60";
const GROSS: &str = "261.32";
/// What only agents may read.
const INTERNAL: &str = "internal-remark-that-no-client-may-read";
/// How long nothing more may come before the rest of the news is taken as heard.
const QUIET: Duration = Duration::from_millis(400);
/// How long the writer may take to hand a case over after a crash.
const RECOVERY: Duration = Duration::from_secs(60);

/// What the journey made, for those who try to get at it.
pub(crate) struct Line {
    pub(crate) manager: Person,
    pub(crate) colleague: Person,
    pub(crate) stranger: Person,
    pub(crate) case: String,
    pub(crate) case_in_org: String,
    pub(crate) file: String,
    pub(crate) invoice: String,
}

pub(crate) async fn walk(report: &mut Report, cloud: &Cloud) -> Result<Line, Broken> {
    let [manager, colleague] = NORDHAVEN.contacts;
    let manager = report.step("sign in as a client (manager)", Person::sign_in(cloud, manager.email)).await?;
    let colleague = Person::sign_in(cloud, colleague.email).await?;
    let stranger = Person::sign_in(cloud, BRIGHTWATER.contacts[0].email).await?;
    let agent = Agent::at(cloud)?;
    let org = Org::sign_in(cloud).await?;
    let mut live =
        report.step("open the live connection; its ticket works once", Live::open(cloud, &manager)).await?;
    let mut strangers_live = Live::open(cloud, &stranger).await?;

    let subject = format!("Label printer in hall 3 is offline ({})", unique());
    let key = format!("journey-{}", unique());
    let body =
        json!({ "subject": subject, "description": "Since the update this morning.", "priority": "high" });
    let (case, number) = report
        .step("submit a case -> 201 with the case number", async {
            let answer = manager.post("/cases", &key, &body).await?.must_be(StatusCode::CREATED)?;
            Ok((answer.text("id")?, answer.text("number")?))
        })
        .await?;
    report
        .step("submit it again with the same key -> the same answer, one case", async {
            let again = manager.post("/cases", &key, &body).await?.must_be(StatusCode::CREATED)?;
            expect(again.text("id")? == case, "another case")
        })
        .await?;
    let content: Vec<u8> = b"portico\n".iter().copied().cycle().take(FILE_BYTES).collect();
    let file = report
        .step("upload a 5 MB file straight to the store", manager.upload(&case, "printer.log", &content))
        .await?;
    report
        .step("scanned, the file can be downloaded (push, then read)", async {
            live.news("file.changed", "file", &file).await?;
            let path = format!("/cases/{case}");
            manager.wait_for(&path, |detail| downloadable(detail, &file)).await
        })
        .await?;
    report
        .step("download it: the same bytes, as an attachment", async {
            let link = manager.get(&format!("/files/{file}")).await?.must_be(StatusCode::OK)?;
            let url = link.body.pointer("/download/url").and_then(Json::as_str).unwrap_or_default();
            let (bytes, disposition) = manager.fetch(url).await?;
            expect(bytes == content, "other bytes")?;
            expect(disposition.starts_with("attachment; filename=\"printer.log\""), disposition)
        })
        .await?;
    let case_in_org = report
        .step("the case is in the org, once, under that number", async {
            let found =
                org.query(&format!("SELECT Id, CaseNumber FROM Case WHERE Subject = '{subject}'")).await?;
            let [record] = found.as_slice() else {
                return Err(Broken::new(format!("{} cases", found.len())));
            };
            expect(text(record, "CaseNumber") == number, "another number")?;
            Ok(text(record, "Id"))
        })
        .await?;
    report
        .step("with the reference to its file", async {
            let soql = format!(
                "SELECT Name, Size__c, Sha256__c FROM Portal_File__c WHERE Portal_File_Id__c = '{file}'"
            );
            let reference = org.wait_for(&soql).await?;
            expect(text(&reference, "Name") == "printer.log", reference)
        })
        .await?;
    report
        .step("the agent takes the case, answers, remarks, logs time", async {
            agent.take(&case_in_org).await?;
            agent.comment(&case_in_org, "We are on it.", true).await?;
            agent.comment(&case_in_org, INTERNAL, false).await?;
            agent.log_time(&case_in_org, MINUTES[0], "Found the driver").await?;
            agent.log_time(&case_in_org, MINUTES[1], "Rolled it back").await?;
            agent.status(&case_in_org, "Working").await
        })
        .await?;
    report
        .step("the client sees status and public answer, not the remark", async {
            let path = format!("/cases/{case}");
            let shown = manager
                .wait_for(&path, |detail| {
                    let shown = detail.to_string();
                    (shown.contains("\"Working\"") && shown.contains("We are on it.")).then_some(shown)
                })
                .await?;
            expect(!shown.contains(INTERNAL), "an internal remark reached a client")
        })
        .await?;
    report
        .step("the agent closes the case; push, then read", async {
            live.drain(QUIET).await?;
            agent.close(&case_in_org).await?;
            live.news("case.changed", "case", &case).await?;
            manager
                .wait_for(&format!("/cases/{case}"), |detail| {
                    (detail.pointer("/status/closed") == Some(&Json::Bool(true))).then_some(())
                })
                .await
        })
        .await?;
    let invoice = report
        .step("the invoice is there: 1.50 h + 0.33 h at 120.00 = 219.60, with tax 261.32", async {
            let invoice = manager
                .wait_for("/invoices?limit=100", |page| {
                    let items = page.get("items").and_then(Json::as_array)?;
                    let ours = items.iter().find(|invoice| {
                        invoice.pointer("/subject/case").and_then(Json::as_str) == Some(&case)
                    })?;
                    Some(text(ours, "id"))
                })
                .await?;
            let detail = manager.get(&format!("/invoices/{invoice}")).await?.must_be(StatusCode::OK)?;
            let amount =
                |pointer: &str| detail.body.pointer(pointer).and_then(Json::as_str).map(str::to_owned);
            expect(amount("/net/amount").as_deref() == Some(NET), &detail.body)?;
            expect(amount("/gross/amount").as_deref() == Some(GROSS), &detail.body)?;
            Ok(invoice)
        })
        .await?;
    report
        .step("its PDF downloads", async {
            live.news("invoice.changed", "invoice", &invoice).await?;
            let path = format!("/invoices/{invoice}");
            manager
                .wait_for(&path, |detail| {
                    (detail.get("pdf_available") == Some(&Json::Bool(true))).then_some(())
                })
                .await?;
            let redirect = manager.get(&format!("{path}/pdf")).await?.must_be(StatusCode::SEE_OTHER)?;
            let (pdf, disposition) = manager.fetch(&redirect.location.unwrap_or_default()).await?;
            expect(pdf.starts_with(b"%PDF-") && pdf.len() > 5_000, "not a PDF")?;
            expect(disposition.contains("invoice-"), disposition)
        })
        .await?;
    report
        .step("and it is written back to the org", async {
            let soql = format!(
                "SELECT Number__c, Gross__c FROM Portal_Invoice__c WHERE Portal_Invoice_Id__c = '{invoice}'"
            );
            let record = org.wait_for(&soql).await?;
            expect(record.get("Gross__c").map(Json::to_string).as_deref() == Some(GROSS), record)
        })
        .await?;
    report
        .step("the other company's live connection heard nothing of it", async {
            let heard = strangers_live.drain(QUIET).await?;
            expect(heard.is_empty(), format!("{heard:?}"))
        })
        .await?;
    Ok(Line { manager, colleague, stranger, case, case_in_org, file, invoice })
}

/// How long it takes from the agent's click to the client's socket: the whole way from the org's outbound
/// message over the function URL, the queue, the re-read, the transaction and the stream.
pub(crate) async fn measure(
    report: &mut Report,
    cloud: &Cloud,
    line: &Line,
    changes: usize,
) -> Result<(), Broken> {
    let agent = Agent::at(cloud)?;
    let mut live = Live::open(cloud, &line.manager).await?;
    let mut times = report
        .step(&format!("{changes} changes in the org reach the client's socket"), async {
            let mut times = Vec::with_capacity(changes);
            for change in 0..changes {
                let status = if change % 2 == 0 { "Working" } else { "Waiting on Customer" };
                let started = Instant::now();
                agent.status(&line.case_in_org, status).await?;
                live.news("case.changed", "case", &line.case).await?;
                times.push(started.elapsed());
            }
            Ok(times)
        })
        .await?;
    times.sort_unstable();
    report.say(&format!(
        "    agent's click to client's socket: median {}, p99 {}, slowest {}",
        percentile(&times, 50),
        percentile(&times, 99),
        percentile(&times, 100),
    ));
    Ok(())
}

/// Kills the cloud in the middle of a submission, starts it again and tries again with the same key, as a
/// browser would: the case exists once, in the portal and in the org.
pub(crate) async fn survive_a_kill(
    report: &mut Report,
    cloud: &mut Cloud,
    round: usize,
    rounds: usize,
) -> Result<(), Broken> {
    let email = NORDHAVEN.contacts[0].email;
    let person = Person::sign_in(cloud, email).await?;
    let subject = format!("Killed in round {round} ({})", unique());
    let key = format!("kill-{round}-{}", unique());
    let body = json!({ "subject": subject });
    // Each round kills later: before, in and after the transaction and the call to the org.
    let moment = Duration::from_millis(u64::try_from(round * round).unwrap_or_default() * 4);
    let (first, killed) = tokio::join!(person.post("/cases", &key, &body), async {
        tokio::time::sleep(moment).await;
        cloud.kill().await
    });
    killed?;
    let answered = if first.is_ok() { "after its answer" } else { "before its answer" };
    let name = format!(
        "kill -9 {} ms into a submission, {answered} ({round}/{rounds}); start again",
        moment.as_millis()
    );
    report.step(&name, cloud.restart()).await?;
    report
        .step("the same request again: the case exists once, here and in the org", async {
            let person = Person::sign_in(cloud, email).await?;
            let id = retried(&person, &key, &body).await?;
            let org = Org::sign_in(cloud).await?;
            let soql = format!("SELECT Id, Portal_Request_Id__c FROM Case WHERE Subject = '{subject}'");
            org.wait_for(&soql).await?;
            person
                .wait_for(&format!("/cases/{id}"), |case| {
                    case.get("number").filter(|n| !n.is_null()).map(|_| ())
                })
                .await?;
            let in_org = org.query(&soql).await?;
            expect(in_org.len() == 1, format!("{} cases in the org", in_org.len()))?;
            let listed = person.get("/cases?limit=100").await?.must_be(StatusCode::OK)?;
            let items = listed.body.get("items").and_then(Json::as_array).cloned().unwrap_or_default();
            let same = items.iter().filter(|case| text(case, "subject") == subject).count();
            expect(same == 1, format!("{same} cases in the portal"))
        })
        .await
}

/// Repeats a submission as its answers ask for, until it is answered.
async fn retried(person: &Person, key: &str, body: &Json) -> Result<String, Broken> {
    let again = async {
        loop {
            let answer = person.post("/cases", key, body).await?;
            match answer.status {
                StatusCode::CREATED | StatusCode::ACCEPTED => return answer.text("id"),
                StatusCode::CONFLICT | StatusCode::SERVICE_UNAVAILABLE => {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
                status => return Err(Broken::new(format!("{status}: {}", answer.body))),
            }
        }
    };
    tokio::time::timeout(RECOVERY, again).await.map_err(|_| Broken::new("still in flight after a minute"))?
}

pub(crate) fn listed(detail: &Json, pointer: &str, id: &str) -> Option<()> {
    let items = detail.pointer(pointer).and_then(Json::as_array)?;
    items.iter().any(|item| item.get("id").and_then(Json::as_str) == Some(id)).then_some(())
}

pub(crate) fn text(record: &Json, field: &str) -> String {
    record.get(field).and_then(Json::as_str).unwrap_or_default().to_owned()
}

/// Tells this run's things from another's.
pub(crate) fn unique() -> String {
    #[expect(clippy::disallowed_methods, reason = "an independent client has its own clock")]
    let now = jiff::Timestamp::now();
    format!("{}-{}", std::process::id(), now.as_nanosecond())
}
