//! Functions behind queues, and behind the bucket.

use fake_salesforce::demo::BRIGHTWATER;
use portico_domain::{
    CaseId, ContractId, InvoiceId, Money, SalesforceId,
    billing::{Expense, Invoice, Period, Scope},
    cases::{Author, Case, ClosingReason, Happening, Side, TimelineEntry},
    contracts::{Contract, Outlay},
    events::Fact,
    files::{Declaration, File, FileState},
    people::{MembershipState, Position},
};
use portico_emulators::queues::MessageAttribute;
use portico_salesforce::{Pace, Soql};
use portico_store::{Linked, PageSize, Tenant};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{
    Sample,
    billing::{billed_by_the_month, counted_from_october},
    text,
};
use crate::{
    audit::verified,
    outbox,
    stack::now,
    world::{
        CONTENT, MEMBER, World, account, case, closed_case, contract, declared, file, lambda_event, new_case,
        open_case, other_account, pending_file, user,
    },
};

/// Every message of the batch is done.
async fn all_done(sample: &Sample) {
    assert_eq!(sample.run().await, json!({ "batchItemFailures": [] }));
}

async fn happened(world: &World, case: CaseId) -> Vec<Happening> {
    let page = PageSize::new(50).unwrap();
    let case = world.case(case).await;
    let timeline = world.store.timeline(&case, page, None).await.unwrap().unwrap();
    timeline.items.into_iter().map(|entry| entry.happening).collect()
}

pub async fn takes_records_over(sample: &Sample) {
    let world = &sample.world;
    all_done(sample).await;
    let account = world.store.account(&world.tenant()).await.unwrap().unwrap();
    assert_eq!(account.address[0], "Speicherstrasse 14");
    let case = world.case(open_case()).await;
    assert_eq!(case.subject, "Customs report shows last month's tariffs");
    assert_eq!(case.status.label, "Working");
    let contracts = world.store.contracts(&world.tenant()).await.unwrap();
    assert_eq!(
        contracts.iter().map(|known| (known.id, known.version)).collect::<Vec<_>>(),
        [(contract().id, 2)]
    );
    let entries = world.store.time_entries(&world.tenant(), open_case()).await.unwrap();
    assert_eq!(entries.iter().map(|entry| entry.minutes).sum::<i64>(), 90 + 210);
    let comments: Vec<String> = happened(world, open_case())
        .await
        .into_iter()
        .filter_map(|what| match what {
            Happening::Commented { body, author, .. } => {
                assert_eq!(author, Author { side: Side::Client, name: "Mara Lindqvist".to_owned() });
                Some(body)
            }
            _ => None,
        })
        .collect();
    // The other comment of the batch is what agents say among themselves.
    assert_eq!(comments.len(), 1);
    assert!(comments[0].starts_with("The file of last week"), "{comments:?}");
}

/// Hours that are not billed after all are no longer shown.
pub async fn takes_hours_off_the_timeline(sample: &Sample) {
    let world = &sample.world;
    let logged = |what: &Happening| matches!(what, Happening::HoursLogged { .. });
    let shown = text("salesforce-sync-records-changed");
    sample.guarded.function.invoke(lambda_event(&shown)).await.unwrap();
    assert_eq!(happened(world, open_case()).await.iter().filter(|what| logged(what)).count(), 2);
    let salesforce = world.stack.cloud().salesforce(Pace::Submission).await.unwrap();
    let entry = "a01Fk0000000001IAA".parse().unwrap();
    salesforce.update("Time_Entry__c", entry, &json!({ "Billable__c": false })).await.unwrap();
    all_done(sample).await;
    assert_eq!(happened(world, open_case()).await.iter().filter(|what| logged(what)).count(), 1);
}

pub async fn keeps_an_unreadable_message(sample: &Sample) {
    let answer = sample.run().await;
    assert_eq!(
        answer,
        json!({ "batchItemFailures": [{ "itemIdentifier": "00000000-0000-4000-8000-00000000a001" }] })
    );
}

async fn to_sync(sample: &Sample) -> Vec<Value> {
    let messages = sample.world.stack.emulators.queues().peek("SyncQueue", 10).await.unwrap();
    messages.iter().map(|message| serde_json::from_str(&message.body).unwrap()).collect()
}

pub async fn takes_a_change_event(sample: &Sample) {
    assert_eq!(sample.run().await, Value::Null);
    let record = |id: &str| json!({ "object": "Case", "id": id });
    let records = [record("500Fk0000000001IAA"), record("500Fk0000000002IAA")];
    assert_eq!(to_sync(sample).await, [json!({ "records": records })]);
}

/// More changed in one transaction than Salesforce tells of.
pub async fn asks_for_a_sweep(sample: &Sample) {
    assert_eq!(sample.run().await, Value::Null);
    assert!(to_sync(sample).await.is_empty());
    let asked = sample.world.stack.emulators.queues().peek("ReconcileQueue", 10).await.unwrap();
    assert_eq!(
        asked.iter().map(|message| message.body.as_str()).collect::<Vec<_>>(),
        [r#"{"kind":"sweep"}"#]
    );
}

pub async fn passes_over_another_object(sample: &Sample) {
    assert_eq!(sample.run().await, Value::Null);
    assert!(to_sync(sample).await.is_empty());
}

/// The portal keeps the case under one account, Salesforce says another: it leaves the one as it enters the other.
pub async fn case_w21_moves_a_case(sample: &Sample) {
    let world = &sample.world;
    let salesforce: SalesforceId = BRIGHTWATER.case_ids[0].parse().unwrap();
    let id = CaseId::of_salesforce(&salesforce);
    let before = Case { salesforce_id: Some(salesforce), ..case(id, "Working", false) };
    world.store.save_case(&before, &[], &[]).await.unwrap();
    all_done(sample).await;
    assert_eq!(world.store.case(&world.tenant(), id).await.unwrap(), None);
    let moved = world.store.case_of(salesforce).await.unwrap().unwrap();
    assert_eq!((moved.id, moved.account), (id, other_account()));
}

/// As a case does, a contract leaves the one account as it enters the other.
pub async fn case_w21_moves_a_contract(sample: &Sample) {
    let world = &sample.world;
    let salesforce_id: SalesforceId = BRIGHTWATER.contract_id.parse().unwrap();
    let id = ContractId::of_salesforce(&salesforce_id);
    let theirs = Contract { id, salesforce_id, ..contract() };
    world.store.save_contract(&theirs, &world.bill_changed()).await.unwrap();
    all_done(sample).await;
    assert_eq!(world.store.contract(&world.tenant(), id).await.unwrap(), None);
    let other = Tenant::of_case(&Case { account: other_account(), ..world.case(open_case()).await });
    assert_eq!(world.store.contract(&other, id).await.unwrap().unwrap().currency.code(), "USD");
}

/// As a contract does, an expense leaves the one account as it enters the other.
pub async fn case_w21_moves_an_expense(sample: &Sample) {
    let world = &sample.world;
    let paid = paid_for(world, BRIGHTWATER.id, "USD").await;
    world.store.save_expense(&outlay(paid.clone()), &world.bill_changed()).await.unwrap();
    all_done(sample).await;
    assert_eq!(world.store.expense(&world.tenant(), paid.salesforce_id).await.unwrap(), None);
    let other = Tenant::of_case(&Case { account: other_account(), ..world.case(open_case()).await });
    let moved = world.store.expense(&other, paid.salesforce_id).await.unwrap().unwrap();
    assert_eq!(moved.paid, paid);
}

/// An expense in Salesforce: the first record of its kind.
pub async fn paid_for(world: &World, account: &str, currency: &str) -> Expense {
    let salesforce = world.stack.cloud().salesforce(Pace::Submission).await.unwrap();
    let expense = json!({
        "attributes": { "type": "Portal_Expense__c" }, "Account__c": account, "Incurred_On__c": "2026-11-18",
        "Cost__c": 48, "Currency__c": currency, "Description__c": "Courier", "Person__c": "Sam Keller",
    });
    let made = salesforce.create_together(&[expense]).await.unwrap();
    Expense {
        salesforce_id: made[0],
        case: None,
        incurred_on: "2026-11-18".parse().unwrap(),
        description: "Courier".to_owned(),
        person: "Sam Keller".to_owned(),
        cost: Money::from_minor(4_800, currency.parse().unwrap()),
    }
}

/// An expense of the client company as the portal first read it.
pub fn outlay(paid: Expense) -> Outlay {
    let (contract, modstamp) = (None, "2026-11-18T17:00:00Z".parse().unwrap());
    Outlay { account: account(), contract, paid, billable: true, deleted: false, modstamp, version: 1 }
}

/// In Salesforce the contact belongs to another company than the portal believes.
pub async fn case_w21_suspends_who_left(sample: &Sample) {
    let world = &sample.world;
    let mut member = world.store.membership(&user(MEMBER)).await.unwrap().unwrap();
    let Position::Client { contact, .. } = &mut member.position else { panic!("{member:?}") };
    *contact = Some(BRIGHTWATER.contacts[0].id.parse().unwrap());
    world.store.provision_member(&member).await.unwrap();
    all_done(sample).await;
    let member = world.store.membership(&user(MEMBER)).await.unwrap().unwrap();
    assert_eq!(member.state, MembershipState::Suspended);
    assert!(world.store.identify(&user(MEMBER)).await.unwrap().is_none());
}

/// Salesforce does not have what the portal wrote there: the portal will write it again.
pub async fn loses_references(sample: &Sample) {
    let world = &sample.world;
    let invoice = world.issue_invoice().await;
    let known = world.store.file(&world.tenant(), file()).await.unwrap().unwrap();
    let reference = Some("a04Fk0000000099IAA".parse().unwrap());
    let referred = File { salesforce_id: reference, version: known.version + 1, ..known };
    world.store.refer_to_file(&referred).await.unwrap();
    let record = Some("a05Fk0000000099IAA".parse().unwrap());
    let recorded = Invoice { salesforce_id: record, version: invoice.version + 1, ..invoice.clone() };
    world.store.record_invoice(&recorded).await.unwrap();
    all_done(sample).await;
    let facts = outbox::facts(&world.stack.emulators).await;
    assert!(facts.contains(&Fact::FileReferenceLost { case: open_case(), file: file() }));
    assert!(facts.contains(&Fact::InvoiceRecordLost { case: Some(closed_case()), invoice: invoice.id }));
    let lost = world.store.file(&world.tenant(), file()).await.unwrap().unwrap();
    assert_eq!(lost.salesforce_id, None);
}

pub async fn hands_a_case_over(sample: &Sample) {
    let world = &sample.world;
    let salesforce = world.stack.cloud().salesforce(Pace::Submission).await.unwrap();
    assert_eq!(salesforce.find_case(&world.case(new_case()).await).await.unwrap(), None);
    all_done(sample).await;
    let case = world.case(new_case()).await;
    let there = salesforce.find_case(&case).await.unwrap().unwrap();
    assert_eq!(case.number, Some(there.number));
    assert_eq!(case.salesforce_id, Some(there.id));
}

/// What a client changed is written, and then read again: our own writes make no outbound message.
pub async fn hands_changes_over(sample: &Sample) {
    let world = &sample.world;
    let process = world.stack.cloud().case_process().unwrap();
    let open = world.case(open_case()).await;
    let (closed, _) =
        open.close(&user(MEMBER), "Jonas Weber", ClosingReason::Solved, &process, now()).unwrap();
    world.store.save_case(&closed, &[], &[]).await.unwrap();
    all_done(sample).await;
    let case = world.case(open_case()).await;
    let taken = case.held.unwrap().taken.unwrap();
    let there: Vec<Value> = world
        .stack
        .cloud()
        .salesforce(Pace::Submission)
        .await
        .unwrap()
        .query_all(&Soql::by_ids(
            "Case",
            &["Status", "Subject", "Portal_Solved_By_Client__c", "SystemModstamp"],
            "Id",
            &[case.salesforce_id.unwrap()],
        ))
        .await
        .unwrap();
    assert_eq!(there[0]["Status"], "Closed");
    assert_eq!(there[0]["Portal_Solved_By_Client__c"], true);
    // The words were not touched: the portal's are not the org's here.
    assert_ne!(there[0]["Subject"], case.subject.as_str());
    let modstamp = there[0]["SystemModstamp"].as_str().unwrap();
    assert!(modstamp.starts_with(&taken.to_string()[..19]), "{modstamp} {taken}");
    let queued = world.stack.emulators.queues().peek("SyncQueue", 10).await.unwrap();
    assert_eq!(queued.len(), 1);
    assert!(queued[0].body.contains(&case.salesforce_id.unwrap().to_string()));
}

/// The comment of the sample's event.
fn said() -> TimelineEntry {
    TimelineEntry {
        id: "ent_01a202974dc0700080000000000000e9".parse().unwrap(),
        at: now(),
        happening: Happening::Commented {
            // What would be a reference in Salesforce's composite resource is only text.
            body: "It is @{back}, 'thank' you; \"bye\"".to_owned(),
            author: Author { side: Side::Client, name: "Jonas Weber".to_owned() },
            files: Vec::new(),
        },
    }
}

pub async fn hands_a_comment_over(sample: &Sample) {
    let world = &sample.world;
    let case = world.case(open_case()).await;
    world.store.save_case(&case.touched(now()), &[said()], &[]).await.unwrap();
    all_done(sample).await;
    // A second time, as after an answer that was lost: nothing is said twice.
    let again = sample.guarded.function.invoke(lambda_event(&text("salesforce-writer-comment-added")));
    assert!(again.await.unwrap().get().contains("[]"));
    let comments: Vec<Value> = world
        .stack
        .cloud()
        .salesforce(Pace::Submission)
        .await
        .unwrap()
        .query_all(&Soql::by_ids(
            "CaseComment",
            &["Id", "CommentBody", "IsPublished"],
            "ParentId",
            &[case.salesforce_id.unwrap()],
        ))
        .await
        .unwrap();
    let text = said().for_salesforce().unwrap();
    let ours: Vec<&Value> =
        comments.iter().filter(|comment| comment["CommentBody"] == text.as_str()).collect();
    assert_eq!(ours.len(), 1, "{comments:?}");
    assert_eq!(ours[0]["IsPublished"], true);
    let link = world.store.link(ours[0]["Id"].as_str().unwrap().parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(link.record, Linked::Comment { case: open_case(), entry: said().id, at: said().at });
}

/// A comment of the portal comes back before the writer has written down which it is: it is known by its words.
pub async fn case_w15_knows_its_own_comment(sample: &Sample) {
    let world = &sample.world;
    let case = world.case(open_case()).await;
    world.store.save_case(&case.touched(now()), &[said()], &[]).await.unwrap();
    let text = said().for_salesforce().unwrap();
    let salesforce = world.stack.cloud().salesforce(Pace::Submission).await.unwrap();
    let comment = salesforce.say(said().id, &text, case.salesforce_id.unwrap()).await.unwrap().unwrap();
    assert!(super::text("salesforce-sync-own-comment").contains(&comment.to_string()), "{comment}");
    all_done(sample).await;
    assert_eq!(happened(world, open_case()).await, [said().happening, Happening::Submitted]);
}

/// What the org says of the files of the open case, the recycle bin included.
async fn references(world: &World) -> Vec<Value> {
    let fields = [
        "Id",
        "Name",
        "Portal_File_Id__c",
        "Storage_Key__c",
        "Size__c",
        "Sha256__c",
        "State__c",
        "Version__c",
        "Category__c",
        "Uploader__c",
        "Portal_Link__c",
        "IsDeleted",
    ];
    let case = world.case(open_case()).await.salesforce_id.unwrap();
    let salesforce = world.stack.cloud().salesforce(Pace::Submission).await.unwrap();
    salesforce.query_all(&Soql::by_ids("Portal_File__c", &fields, "Case__c", &[case])).await.unwrap()
}

pub async fn refers_to_a_file(sample: &Sample) {
    let world = &sample.world;
    let known = world.store.file(&world.tenant(), file()).await.unwrap().unwrap();
    let name = format!("logs/{}\u{202e}txt.exe", "n".repeat(100)).try_into().unwrap();
    let declared = Declaration { name, ..known.declared.clone() };
    let category = Some("Log".to_owned().try_into().unwrap());
    let named = File { declared, category, version: known.version + 1, ..known };
    world.store.save_file(&named).await.unwrap();
    all_done(sample).await;
    let file = world.store.file(&world.tenant(), file()).await.unwrap().unwrap();
    assert_eq!(file.salesforce_id.unwrap().key_prefix(), "a04");
    let [there]: [Value; 1] = references(world).await.try_into().unwrap();
    // Cut, and without what would turn it around.
    assert_eq!(there["Name"], format!("logs_{}", "n".repeat(75)));
    assert_eq!(there["Storage_Key__c"], file.key().to_string());
    assert_eq!(there["Size__c"].to_string(), format!("{}.0", CONTENT.len()));
    assert_eq!(there["Sha256__c"], file.declared.sha256.as_str());
    assert_eq!(
        (&there["State__c"], there["Version__c"].to_string()),
        (&json!("Available"), "1.0".to_owned())
    );
    assert_eq!((&there["Category__c"], &there["Uploader__c"]), (&json!("Log"), &json!(file.author.name)));
    // Where the web app is, and not the store.
    let link = format!("http://127.0.0.1:3000/files/{}?account={}", file.id, file.account);
    assert_eq!(there["Portal_Link__c"], link);
}

pub async fn shows_a_file_as_deleted(sample: &Sample) {
    let world = &sample.world;
    let known = world.store.file(&world.tenant(), file()).await.unwrap().unwrap();
    let by = Author { side: Side::Client, name: "Mara Lindqvist".to_owned() };
    world.store.save_file(&known.deleted(by, now()).unwrap()).await.unwrap();
    all_done(sample).await;
    let states: Vec<Value> = references(world).await.iter().map(|there| there["State__c"].clone()).collect();
    assert_eq!(states, ["Deleted"]);
}

/// The reference goes, and going twice is going once: there is nothing to wait for, and nobody has to look.
pub async fn forgets_an_erased_file(sample: &Sample) {
    let world = &sample.world;
    let known = world.store.file(&world.tenant(), file()).await.unwrap().unwrap();
    let parent = world.case(open_case()).await.salesforce_id.unwrap();
    let salesforce = world.stack.cloud().salesforce(Pace::Submission).await.unwrap();
    let portal = "http://127.0.0.1:3000".parse().unwrap();
    salesforce.refer_to_files(&[known], parent, &portal).await.unwrap();
    all_done(sample).await;
    let erased = lambda_event(&text("salesforce-writer-file-erased"));
    assert!(sample.guarded.function.invoke(erased).await.unwrap().get().contains("[]"));
    let there = references(world).await;
    assert_eq!(there.iter().map(|there| &there["IsDeleted"]).collect::<Vec<_>>(), [&json!(true)]);
    let letters = world.stack.emulators.queues().peek("WriterDeadLetters.fifo", 10).await.unwrap();
    assert!(letters.is_empty());
}

pub async fn records_an_invoice(sample: &Sample) {
    let world = &sample.world;
    let invoice = world.issue_invoice().await;
    all_done(sample).await;
    let invoice = world.store.invoice(&world.tenant(), invoice.id).await.unwrap().unwrap();
    assert_eq!(invoice.salesforce_id.unwrap().key_prefix(), "a05");
}

/// A case of a second ago is case-submission's; what came on it since waits behind it, and another case does not.
pub async fn leaves_a_new_case_alone(sample: &Sample) {
    let later = ["00000000-0000-4000-8000-00000000a001", "00000000-0000-4000-8000-00000000a002"];
    let later = later.map(|id| json!({ "itemIdentifier": id }));
    assert_eq!(sample.run().await, json!({ "batchItemFailures": later }));
    let world = &sample.world;
    assert_eq!(world.case(new_case()).await.number, None);
    let file = world.store.file(&world.tenant(), file()).await.unwrap().unwrap();
    assert!(file.salesforce_id.is_some());
}

/// A comment that is not there, one behind a case that Salesforce did not take, and something that is no event.
pub async fn parks_what_cannot_be_carried_over(sample: &Sample) {
    all_done(sample).await;
    let letters = sample.world.stack.emulators.queues().peek("WriterDeadLetters.fifo", 10).await.unwrap();
    let reason = |letter: &portico_emulators::Message| letter.attributes["reason"].clone();
    let reasons: Vec<MessageAttribute> = letters.iter().map(reason).collect();
    let expected = ["missing-record", "behind-parked-case", "unreadable-message"];
    assert_eq!(reasons, expected.map(MessageAttribute::string));
    let groups: Vec<Option<&str>> = letters.iter().map(|letter| letter.group.as_deref()).collect();
    let (open, new) = (open_case().to_string(), new_case().to_string());
    assert_eq!(groups, [Some(open.as_str()), Some(&new), Some(&open)]);
}

pub async fn invoices_a_closed_case(sample: &Sample) {
    let world = &sample.world;
    all_done(sample).await;
    let scope = Scope::Case { case: closed_case(), closed_on: contract().day_of(now()), part: 0 };
    let id = InvoiceId::of(account(), contract().id, scope);
    let invoice = world.store.invoice(&world.tenant(), id).await.unwrap().unwrap();
    assert_eq!(invoice.number.as_str(), "2026-000001");
    // 95 and 20 minutes at 120 an hour: 1.58 h and 0.33 h.
    assert_eq!(invoice.net.to_decimal().to_string(), "229.20");
    assert_eq!(invoice.gross.to_decimal().to_string(), "272.75");
    let number = invoice.number.as_str().to_owned();
    assert!(happened(world, closed_case()).await.contains(&Happening::Invoiced { invoice: id, number }));
    let facts = outbox::facts(&world.stack.emulators).await;
    assert!(facts.contains(&Fact::InvoiceIssued { case: Some(closed_case()), invoice: id }), "{facts:?}");
}

/// October is over, September was before the contract, and November is not over yet.
pub async fn invoices_a_month(sample: &Sample) {
    let world = &sample.world;
    let monthly = billed_by_the_month(world).await;
    counted_from_october(world, &monthly).await;
    all_done(sample).await;
    let october = Period::of("2026-10-01".parse().unwrap());
    let id = InvoiceId::of(account(), monthly.id, Scope::Period(october));
    let invoice = world.store.invoice(&world.tenant(), id).await.unwrap().unwrap();
    assert_eq!(invoice.number.as_str(), "2026-000001");
    // 95 minutes at 120 an hour: 1.58 h. The other entries are of November.
    assert_eq!((invoice.line_count, invoice.net.to_decimal().to_string().as_str()), (1, "189.60"));
    let balance = world.store.balance(&world.tenant(), monthly.id).await.unwrap();
    assert_eq!((balance.through, balance.version), (Some(october), 2));
    // Whoever closes the case now bills nothing twice.
    let (tenant, completion) = (world.tenant(), portico_billing::Completion::WhenClosed);
    let again = portico_billing::of_case(&world.store, &tenant, closed_case(), completion).await.unwrap();
    assert!(again.is_none());
    let facts = outbox::facts(&world.stack.emulators).await;
    assert!(facts.contains(&Fact::InvoiceIssued { case: None, invoice: id }), "{facts:?}");
}

pub async fn does_not_invoice_an_open_case(sample: &Sample) {
    let world = &sample.world;
    all_done(sample).await;
    let page = world.store.invoices(&world.tenant(), PageSize::DEFAULT, None).await.unwrap().unwrap();
    assert_eq!(page.items, []);
}

pub async fn renders_an_invoice(sample: &Sample) {
    let world = &sample.world;
    let invoice = world.issue_invoice().await;
    all_done(sample).await;
    let invoice = world.store.invoice(&world.tenant(), invoice.id).await.unwrap().unwrap();
    let rendered = invoice.rendered.unwrap();
    let bucket = world.stack.cloud().bucket("INVOICES_BUCKET").unwrap();
    let link = bucket.presign_download(
        &rendered.key,
        "inline",
        "application/pdf",
        world.stack.clock.now(),
        jiff::SignedDuration::from_mins(1),
    );
    let pdf = reqwest::get(link.await.unwrap().url).await.unwrap().bytes().await.unwrap();
    assert!(pdf.starts_with(b"%PDF-"));
    assert_eq!(rendered.size, u64::try_from(pdf.len()).unwrap());
    assert_eq!(rendered.sha256, hex::encode(Sha256::digest(&pdf)));
}

pub async fn confirms_an_upload(sample: &Sample) {
    let world = &sample.world;
    let pending = declared(pending_file());
    let bucket = world.stack.cloud().bucket("FILES_BUCKET").unwrap();
    bucket.put(&pending.key().to_string(), "text/plain", CONTENT.into()).await.unwrap();
    sample.run().await;
    let file = world.store.file(&world.tenant(), pending.id).await.unwrap().unwrap();
    assert!(matches!(file.state, FileState::Scanning { .. }), "{file:?}");
    let told = Fact::FileChecked { case: Some(open_case()), file: pending.id, uploader: user(MEMBER) };
    let facts = outbox::facts(&world.stack.emulators).await;
    assert!(facts.contains(&told), "{facts:?}");
    assert!(
        !facts.iter().any(|fact| matches!(fact, Fact::FileAdded { .. })),
        "nobody else is told yet: {facts:?}"
    );
    assert_eq!(Tenant::of_object(&pending.key()), world.tenant());
}

/// Four messages: two events of one account, one of another, and the first once more.
pub async fn seals_what_people_did(sample: &Sample) {
    let world = &sample.world;
    all_done(sample).await;
    let chain = verified(&world.store, &world.tenant()).await;
    let told: Vec<_> = chain.iter().map(|entry| (entry.action.as_str(), entry.outcome.as_str())).collect();
    assert_eq!(told, [("case_submitted", "done"), ("file_downloaded", "done")]);
    assert_eq!(chain[1].records, [open_case().to_string(), file().to_string()]);
    let foreign = Tenant::of_case(&Case { account: other_account(), ..case(open_case(), "New", false) });
    let theirs = verified(&world.store, &foreign).await;
    let told: Vec<_> = theirs.iter().map(|entry| (entry.action.as_str(), entry.outcome.as_str())).collect();
    assert_eq!(told, [("refused", "not-found")]);
    // What they asked for is in their own trail, not in that of whose it is.
    assert_eq!(theirs[0].records, [open_case().to_string()]);
}

pub async fn ignores_a_foreign_key(sample: &Sample) {
    let before = outbox::facts(&sample.world.stack.emulators).await;
    sample.run().await;
    assert_eq!(outbox::facts(&sample.world.stack.emulators).await, before);
}
