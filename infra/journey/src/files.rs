//! Files: staged, added, in parts with a break, refused, in versions, seen by an agent, deleted and brought back.

use std::time::Duration;

use fake_salesforce::demo::{BRIGHTWATER, NORDHAVEN};
use reqwest::StatusCode;
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

use crate::{
    agent::Agent,
    cloud::Cloud,
    http,
    line::{listed, text, unique},
    live::Live,
    org::Org,
    person::Person,
    report::{Broken, Report, expect},
};

/// How files above 64 MiB are cut.
const PART_BYTES: usize = 64 * 1024 * 1024;
/// Size of the file in parts: two full ones and a rest.
const LARGE_BYTES: usize = 150_000_000;
/// How many parts are there when the cloud is killed.
const PARTS_BEFORE_KILL: usize = 2;
/// How long a large file may take from the last part until it can be downloaded: it is read and scanned meanwhile.
const LARGE_PATIENCE: Duration = Duration::from_secs(120);
/// Who works on cases at the consultancy.
pub(crate) const AGENT_EMAIL: &str = "sam.keller@consultancy.example";
/// The EICAR test file in two halves, so that no scanner takes this program for it.
/// <https://www.eicar.org/download-anti-malware-testfile/>
const EICAR: [&str; 2] = [r"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-", "STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"];

/// What somebody has on their disk.
struct OnDisk {
    name: &'static str,
    content: Vec<u8>,
}

impl OnDisk {
    fn new(name: &'static str, content: impl Into<Vec<u8>>) -> Self {
        Self { name, content: content.into() }
    }

    /// A file in which no two mebibytes are the same.
    fn large() -> Self {
        let mut content = Vec::with_capacity(LARGE_BYTES);
        let mut mebibyte = vec![b'.'; 1024 * 1024];
        for number in 0..LARGE_BYTES.div_ceil(mebibyte.len()) {
            let head = format!("mebibyte {number}\n");
            mebibyte.splice(..head.len(), head.bytes());
            let rest = LARGE_BYTES.saturating_sub(content.len()).min(mebibyte.len());
            content.extend_from_slice(mebibyte.get(..rest).unwrap_or_default());
        }
        Self::new("trace.log", content)
    }

    fn part(&self, number: usize) -> &[u8] {
        self.content.chunks(PART_BYTES).nth(number.saturating_sub(1)).unwrap_or_default()
    }

    /// What is said of it before it goes up.
    fn declared(&self) -> Json {
        let mut declared = json!({
            "name": self.name,
            "size": self.content.len(),
            "content_type": "text/plain",
            "sha256": hex::encode(Sha256::digest(&self.content)),
        });
        if self.content.len() > PART_BYTES
            && let Some(fields) = declared.as_object_mut()
        {
            let parts = self.content.chunks(PART_BYTES).map(|part| hex::encode(Sha256::digest(part)));
            fields.insert("parts".to_owned(), parts.collect());
        }
        declared
    }

    /// Declares it and sends its content in one piece. Returns its id.
    async fn upload(&self, person: &Person, path: &str, more: &Json) -> Result<String, Broken> {
        let mut declared = self.declared();
        if let (Some(fields), Some(more)) = (declared.as_object_mut(), more.as_object()) {
            fields.extend(more.clone());
        }
        let answer = person.post(path, &unique(), &declared).await?.must_be(StatusCode::CREATED)?;
        let request = answer.body.get("upload").cloned().unwrap_or_default();
        person.send_to_store(&request, self.content.clone()).await?;
        answer.text("id")
    }
}

pub(crate) async fn carry(report: &mut Report, cloud: &mut Cloud) -> Result<(), Broken> {
    let manager = Person::sign_in(cloud, NORDHAVEN.contacts[0].email).await?;
    let agent = Person::sign_in(cloud, AGENT_EMAIL).await?;
    let stranger = Person::sign_in(cloud, BRIGHTWATER.contacts[0].email).await?;
    let mut live = Live::open(cloud, &manager).await?;

    let staged = OnDisk::new("screen shot.txt", "what the screen shows\n");
    let staged_id = report
        .step("stage a file for a case that is still being written; pushed until it is there", async {
            let id = staged.upload(&manager, "/files", &json!({})).await?;
            settled(&manager, &mut live, &id, "available").await?;
            Ok(id)
        })
        .await?;
    let case = report
        .step("submit the case with it; it is on the case at once", async {
            let subject = format!("Scanner loses its files ({})", unique());
            let body = json!({ "subject": subject, "staged_files": [staged_id] });
            let case = manager.post("/cases", &unique(), &body).await?.must_be(StatusCode::CREATED)?;
            let case = case.text("id")?;
            let detail = manager.get(&format!("/cases/{case}")).await?.must_be(StatusCode::OK)?;
            listed(&detail.body, "/files", &staged_id).ok_or_else(|| Broken::new(&detail.body))?;
            Ok(case)
        })
        .await?;
    let path = format!("/cases/{case}/files");
    let first = OnDisk::new("printer.conf", "speed = 9600\n");
    let first_id = report
        .step("add a file in one piece; pushed to who uploads and to who sees the case", async {
            live.drain(Duration::from_millis(200)).await?;
            let id = first.upload(&manager, &path, &json!({ "category": "Configuration" })).await?;
            live.hear(&[("file.changed", "file", &id), ("case.changed", "case", &case)]).await?;
            settled(&manager, &mut live, &id, "available").await?;
            Ok(id)
        })
        .await?;
    report
        .step("a file with malware in it is refused: rejected, a threat; nobody can download it", async {
            let infected = OnDisk::new("invoice.txt", EICAR.concat());
            let id = infected.upload(&manager, &path, &json!({})).await?;
            let refused = settled(&manager, &mut live, &id, "rejected").await?;
            expect(text(&refused, "rejection") == "threat", &refused)?;
            manager.get(&format!("/files/{id}")).await?.must_be(StatusCode::NOT_FOUND)?;
            Ok(())
        })
        .await?;

    let second = OnDisk::new("printer.conf", "speed = 115200\n");
    let second_id = report
        .step("a new version of a file; the one before stays, and can be downloaded", async {
            let id = second.upload(&manager, &path, &json!({ "replaces": first_id })).await?;
            let there = settled(&manager, &mut live, &id, "available").await?;
            expect(there.get("version") == Some(&json!(2)), &there)?;
            let versions = manager.get(&format!("/files/{first_id}/versions")).await?;
            let versions = versions.must_be(StatusCode::OK)?.body;
            let ids: Vec<String> = items(&versions).iter().map(|item| text(item, "id")).collect();
            expect(ids == [id.clone(), first_id.clone()], &versions)?;
            Ok(id)
        })
        .await?;
    report
        .step("all files of the case in one archive, each in its latest version", async {
            at_once(&manager, &mut live, &case, &[&staged, &second]).await
        })
        .await?;

    let large = OnDisk::large();
    let large_id = in_parts(report, cloud, &path, &case, &large).await?;
    // The cloud may have been killed meanwhile: then the org's sessions ended with it.
    let org = Org::sign_in(cloud).await?;

    report
        .step("download each: the same bytes, as an attachment under its name", async {
            for (id, file) in
                [(&staged_id, &staged), (&first_id, &first), (&second_id, &second), (&large_id, &large)]
            {
                same_bytes(&manager, &format!("/files/{id}"), file).await?;
            }
            Ok(())
        })
        .await?;
    let link = in_org(report, &org, &case, &[&staged_id, &first_id, &second_id, &large_id]).await?;
    let console = Agent::at(cloud)?;
    let from_agent = OnDisk::new("answer.txt", "set it to 115200\n");
    report
        .step("the agent's console shows them, and its links lead to a page that asks who is there", async {
            let record = org.wait_for(&in_portal(&case)).await?;
            let shown = console.page(&text(&record, "Id")).await?;
            expect(shown.contains("printer.conf") && shown.contains("Superseded"), "files without state")?;
            expect(shown.contains(&link), format!("no link {link}"))?;
            let page = http::client()?.get(&link).send().await?;
            expect(page.status() == StatusCode::OK, page.status())?;
            expect(page.text().await?.contains("<form"), "it does not ask who is there")
        })
        .await?;
    report
        .step("signed in, the agent downloads by it; the other company gets 404 as for nothing", async {
            let url = reqwest::Url::parse(&link)?;
            let query = url.query().unwrap_or_default().to_owned();
            let at = format!("{}?{query}", url.path());
            same_bytes(&agent, &at, &second).await?;
            stranger.get(&at).await?.must_be(StatusCode::NOT_FOUND)?;
            let id = from_agent.upload(&agent, &format!("{path}?{query}"), &json!({})).await?;
            manager.wait_for(&format!("/cases/{case}"), |detail| downloadable(detail, &id)).await?;
            same_bytes(&manager, &format!("/files/{id}"), &from_agent).await
        })
        .await?;
    report
        .step("delete it: the agent sees that, nobody downloads it; bring it back: as before", async {
            let file = format!("/files/{second_id}");
            manager.delete(&file).await?.must_be(StatusCode::OK)?;
            manager.get(&file).await?.must_be(StatusCode::NOT_FOUND)?;
            for id in [&first_id, &second_id] {
                org.wait_for(&state_is(id, "Deleted")).await?;
            }
            manager.post(&format!("{file}/restore"), &unique(), &json!({})).await?.must_be(StatusCode::OK)?;
            org.wait_for(&state_is(&first_id, "Superseded")).await?;
            org.wait_for(&state_is(&second_id, "Available")).await?;
            same_bytes(&manager, &file, &second).await
        })
        .await
}

/// Asks for all files of a case, waits until they are put together, and looks into the archive.
async fn at_once(person: &Person, live: &mut Live, case: &str, files: &[&OnDisk]) -> Result<(), Broken> {
    let asked = person.post(&format!("/cases/{case}/archives"), &unique(), &json!({})).await?;
    let id = asked.must_be(StatusCode::ACCEPTED)?.text("id")?;
    let path = format!("/archives/{id}");
    let mut archive = Json::Null;
    for _ in 0..PROGRESS_PUSHES_MAX {
        archive = person.get(&path).await?.must_be(StatusCode::OK)?.body;
        if matches!(text(&archive, "state").as_str(), "ready" | "failed") {
            break;
        }
        live.news_within(LARGE_PATIENCE, "archive.changed", "archive", &id).await?;
    }
    expect(text(&archive, "state") == "ready", &archive)?;
    let url = archive.pointer("/download/url").and_then(Json::as_str).unwrap_or_default();
    let (bytes, disposition) = person.fetch(url).await?;
    expect(disposition.starts_with("attachment; filename=\"case-"), disposition)?;
    let mut zip = zip::ZipArchive::new(std::io::Cursor::new(bytes))?;
    expect(zip.len() == files.len(), format!("{} files in the archive", zip.len()))?;
    for file in files {
        let mut content = Vec::with_capacity(file.content.len());
        // Reads to the end, and so holds the content against its check sum.
        std::io::copy(&mut zip.by_name(file.name)?, &mut content)?;
        expect(content == file.content, format!("other bytes in the archive: {}", file.name))?;
    }
    Ok(())
}

/// A large file in parts, with the cloud killed in the middle if it is ours.
async fn in_parts(
    report: &mut Report,
    cloud: &mut Cloud,
    path: &str,
    case: &str,
    large: &OnDisk,
) -> Result<String, Broken> {
    let email = NORDHAVEN.contacts[0].email;
    let manager = Person::sign_in(cloud, email).await?;
    let id = report
        .step("a file of 150 MB goes up in parts: two of three", async {
            let answer = manager.post(path, &unique(), &large.declared()).await?;
            let answer = answer.must_be(StatusCode::CREATED)?;
            let parts = missing(&answer.body);
            expect(parts.len() == 3, &answer.body)?;
            for (number, request) in parts.into_iter().take(PARTS_BEFORE_KILL) {
                manager.send_to_store(&request, large.part(number).to_vec()).await?;
            }
            answer.text("id")
        })
        .await?;
    if cloud.is_own() {
        cloud.kill().await?;
        report.step("kill -9 in the middle of it; start again", cloud.restart()).await?;
    }
    let manager = Person::sign_in(cloud, email).await?;
    let mut live = Live::open(cloud, &manager).await?;
    let upload = format!("/files/{id}/upload");
    report
        .step("the portal says which part is missing; it goes up, the parts are joined", async {
            let answer = manager.get(&upload).await?.must_be(StatusCode::OK)?;
            let parts = missing(&answer.body);
            let numbers: Vec<usize> = parts.iter().map(|(number, _)| *number).collect();
            expect(numbers == [3], format!("{numbers:?} are missing"))?;
            manager.put(&upload).await?.must_be(StatusCode::CONFLICT)?;
            for (number, request) in parts {
                manager.send_to_store(&request, large.part(number).to_vec()).await?;
            }
            manager.put(&upload).await?.must_be(StatusCode::OK)?;
            Ok(())
        })
        .await?;
    report
        .step("it is read, compared and scanned; pushed when it is there", async {
            live.hear_within(
                LARGE_PATIENCE,
                &[("file.changed", "file", &id), ("case.changed", "case", case)],
            )
            .await?;
            settled(&manager, &mut live, &id, "available").await
        })
        .await?;
    Ok(id)
}

/// What the agent sees in the org of these files: the first is a file by itself, the second the version before the
/// third. Returns where the link of the third leads.
async fn in_org(report: &mut Report, org: &Org, case: &str, files: &[&String; 4]) -> Result<String, Broken> {
    report
        .step("the org has a reference to each version: state, version, who, and a link to the portal", async {
            let [staged, first, second, large] = files;
            org.wait_for(&state_is(first, "Superseded")).await?;
            for id in [staged, second, large] {
                org.wait_for(&state_is(id, "Available")).await?;
            }
            let soql = format!(
                "SELECT Portal_File_Id__c, Name, Version__c, Category__c, Uploader__c, Storage_Key__c, \
                 Portal_Link__c, Case__r.Portal_Request_Id__c FROM Portal_File__c WHERE Portal_File_Id__c = '{second}'"
            );
            let record = org.wait_for(&soql).await?;
            let version = record.get("Version__c").map(Json::to_string);
            expect(version.as_deref() == Some("2.0") && text(&record, "Name") == "printer.conf", &record)?;
            expect(text(&record, "Category__c") == "Configuration", &record)?;
            expect(text(&record, "Uploader__c") == "Mara Lindqvist", &record)?;
            let belongs = record.pointer("/Case__r/Portal_Request_Id__c").and_then(Json::as_str);
            expect(belongs == Some(case), &record)?;
            let link = text(&record, "Portal_Link__c");
            expect(link.contains(second.as_str()) && !link.contains("X-Amz"), &link)?;
            // What was refused is nothing that agents hear of.
            let soql =
                format!("SELECT Id FROM Portal_File__c WHERE Case__r.Portal_Request_Id__c = '{case}'");
            let all = org.query(&soql).await?.len();
            expect(all == files.len(), format!("{all} references"))?;
            Ok(link)
        })
        .await
}

fn state_is(file: &str, state: &str) -> String {
    format!("SELECT Id FROM Portal_File__c WHERE Portal_File_Id__c = '{file}' AND State__c = '{state}'")
}

fn in_portal(case: &str) -> String {
    format!("SELECT Id FROM Case WHERE Portal_Request_Id__c = '{case}'")
}

fn items(page: &Json) -> Vec<Json> {
    page.get("items").and_then(Json::as_array).cloned().unwrap_or_default()
}

/// The parts that are missing, each with the request that sends it.
fn missing(upload: &Json) -> Vec<(usize, Json)> {
    let parts = upload.get("parts").and_then(Json::as_array).cloned().unwrap_or_default();
    let numbered = parts.into_iter().map(|part| {
        let number =
            part.get("number").and_then(Json::as_u64).and_then(|number| usize::try_from(number).ok());
        (number.unwrap_or_default(), part.get("upload").cloned().unwrap_or_default())
    });
    numbered.collect()
}

/// Whether the file can be downloaded, by what the case says of it.
pub(crate) fn downloadable(detail: &Json, id: &str) -> Option<()> {
    let files = detail.get("files").and_then(Json::as_array)?;
    let file = files.iter().find(|file| text(file, "id") == id)?;
    (file.get("available") == Some(&Json::Bool(true))).then_some(())
}

/// Listens until the file is in this state, and returns what is said of it then.
async fn settled(person: &Person, live: &mut Live, id: &str, state: &str) -> Result<Json, Broken> {
    let path = format!("/files/{id}/upload");
    // Each look is either the last one or one before a push that is still to come.
    for _ in 0..PUSHES_MAX {
        let file = person.get(&path).await?.must_be(StatusCode::OK)?.body;
        let now = text(&file, "state");
        if now == state {
            return Ok(file);
        }
        expect(!matches!(now.as_str(), "available" | "rejected"), &file)?;
        live.news_within(LARGE_PATIENCE, "file.changed", "file", id).await?;
    }
    Err(Broken::new(format!("{id} does not become {state}")))
}

/// Most pushes about one file: uploaded, scanning, available, and each once more.
const PUSHES_MAX: usize = 6;

/// Most pushes about one archive: one for every twentieth of it, and its beginning and end.
const PROGRESS_PUSHES_MAX: usize = 25;

/// Downloads it, and holds it against what was uploaded.
async fn same_bytes(person: &Person, path: &str, file: &OnDisk) -> Result<(), Broken> {
    let answer = person.get(path).await?.must_be(StatusCode::OK)?;
    let url = answer.body.pointer("/download/url").and_then(Json::as_str).unwrap_or_default();
    let (bytes, disposition) = person.fetch(url).await?;
    expect(bytes == file.content, format!("other bytes: {path}"))?;
    let expected = format!("attachment; filename=\"{}\"", file.name);
    expect(disposition.starts_with(&expected), disposition)
}
