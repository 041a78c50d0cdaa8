//! What changes in Salesforce, and what becomes of it in the portal. Every test says only *which* records may have
//! changed, as every way in does.

use std::fmt::Write as _;

use fake_salesforce::{
    RequestKind,
    demo::{BRIGHTWATER, NORDHAVEN},
};
use futures::{StreamExt, stream};
use portico_domain::{
    CaseId, SalesforceId,
    cases::{Case, CaseFilter, Happening},
    contracts::Contract,
    events::{Event, Fact},
    files::File,
    people::{Membership, MembershipState, StaffRole, Viewer},
};
use portico_salesforce::records::{MayHaveChanged, Object, RecordRef};
use portico_store::{PageSize, Tenant};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use crate::{
    agent::Agent,
    consumed::{assert_table, itemised, total},
    consumers::Consumers,
    meter::Metered,
    outbox,
    stack::now,
    world::{
        AGENT, Guarded, LEAVER, MANAGER, MEMBER, World, account, closed_case, company, file, lambda_event,
        open_case, other_account, other_company, user,
    },
};

/// Changes that are made at the same time.
const AT_ONCE: usize = 8;

/// A world, the sync in it, and somebody who works in the org.
struct Scene {
    world: World,
    sync: Guarded,
    agent: Agent,
}

fn id(text: &str) -> SalesforceId {
    text.parse().unwrap()
}

/// The tenant of an account.
pub fn of(account: portico_domain::AccountId) -> Tenant {
    Tenant::of_case(&Case { account, ..crate::world::case(open_case(), "Working", false) })
}

/// A queue's message that these records may have changed.
pub fn message(records: &[(Object, SalesforceId)]) -> Value {
    let records = records.iter().map(|(object, id)| RecordRef { object: *object, id: *id }).collect();
    let body = serde_json::to_string(&MayHaveChanged { records }).unwrap();
    json!({ "messageId": "m-1", "receiptHandle": "r-1", "body": body, "attributes": {} })
}

impl Scene {
    /// The open case is as Salesforce has it, with its comments and hours.
    async fn start() -> Self {
        let world = World::start().await;
        let sync = world.boot("salesforce-sync").await;
        let agent = Agent::sign_in(&world).await;
        let scene = Self { world, sync, agent };
        let case = scene.salesforce_case().await;
        let mut records = vec![(Object::Case, case)];
        for (object, field) in [(Object::CaseComment, "ParentId"), (Object::TimeEntry, "Case__c")] {
            for id in scene.ids(object, field, case).await {
                records.push((object, id));
            }
        }
        scene.changed(&records).await;
        scene
    }

    async fn ids(&self, object: Object, field: &str, parent: SalesforceId) -> Vec<SalesforceId> {
        let soql = format!("SELECT Id FROM {} WHERE {field} = '{parent}'", object.name());
        let found = self.agent.query(&soql).await;
        found.iter().map(|record| id(record["Id"].as_str().unwrap())).collect()
    }

    async fn changed(&self, records: &[(Object, SalesforceId)]) {
        assert_eq!(self.outcome(records).await, json!({ "batchItemFailures": [] }));
    }

    async fn outcome(&self, records: &[(Object, SalesforceId)]) -> Value {
        let event = json!({ "Records": [message(records)] });
        let answer = self.sync.function.invoke(lambda_event(&event.to_string())).await.unwrap();
        assert_eq!(self.sync.guard.denied(), []);
        serde_json::from_str(answer.get()).unwrap()
    }

    async fn salesforce_case(&self) -> SalesforceId {
        self.world.case(open_case()).await.salesforce_id.unwrap()
    }

    /// The cases that the consultancy sees on an account's list.
    async fn listed(&self, tenant: &Tenant) -> Vec<CaseId> {
        let agent = Viewer::Staff { user: user(AGENT), role: StaffRole::Agent };
        let page = PageSize::new(100).unwrap();
        let list = self.world.store.cases(tenant, &agent, &CaseFilter::default(), page, None).await;
        list.unwrap().unwrap().items.into_iter().map(|case| case.case).collect()
    }

    /// What stands on the timeline of a case, oldest first: who said what, and the minutes logged.
    async fn lines(&self, case: &Case) -> Vec<String> {
        let page = PageSize::new(100).unwrap();
        let lines = self.world.store.timeline(case, page, None).await.unwrap().unwrap().items;
        let text = |what: Happening| match what {
            Happening::Commented { body, author, .. } => {
                Some(format!("{}: {}", author.name, body.chars().take(24).collect::<String>()))
            }
            Happening::HoursLogged { minutes, .. } => Some(format!("{minutes} min")),
            _ => None,
        };
        lines.into_iter().rev().filter_map(|line| text(line.happening)).collect()
    }

    async fn member(&self, who: &str) -> Membership {
        self.world.store.membership(&user(who)).await.unwrap().unwrap()
    }

    async fn contract(&self, tenant: &Tenant, contract: SalesforceId) -> Option<Contract> {
        let known = self.world.store.contracts(tenant).await.unwrap();
        known.into_iter().find(|known| known.salesforce_id == contract)
    }

    async fn facts(&self) -> Vec<Fact> {
        outbox::facts(&self.world.stack.emulators).await
    }
}

const LINES: [&str; 6] = [
    "Mara Lindqvist: The file of last week is",
    "90 min",
    "Sam Keller: Thank you, that helps. T",
    "210 min",
    "45 min",
    "Sam Keller: The live table is in the",
];

#[tokio::test]
async fn case_w13_a_deleted_case_is_shown_to_nobody_until_it_comes_back() {
    let scene = Scene::start().await;
    let salesforce = scene.salesforce_case().await;
    let before = scene.world.case(open_case()).await;
    assert_eq!(scene.lines(&before).await, LINES);
    assert!(scene.listed(&of(account())).await.contains(&open_case()));

    scene.agent.delete("Case", salesforce).await;
    scene.changed(&[(Object::Case, salesforce)]).await;
    let gone = scene.world.case(open_case()).await;
    assert!(gone.withdrawn.is_some());
    assert!(!scene.listed(&of(account())).await.contains(&open_case()));
    let viewer = Viewer::Staff { user: user(AGENT), role: StaffRole::Agent };
    let (store, tenant, id) = (&scene.world.store, scene.world.tenant(), open_case().to_string());
    assert!(portico_http::visible_case(store, &tenant, &viewer, &id).await.is_err());

    // News of what was before its deletion, late, and twice: it stays gone.
    for _ in 0..2 {
        scene.changed(&[(Object::Case, salesforce)]).await;
        assert_eq!(scene.world.case(open_case()).await, gone);
    }
    // Its comments and hours went with it.
    let hanging = [
        scene.ids(Object::CaseComment, "ParentId", salesforce).await,
        scene.ids(Object::TimeEntry, "Case__c", salesforce).await,
    ];
    for (ids, object) in hanging.iter().zip([Object::CaseComment, Object::TimeEntry]) {
        scene.changed(&ids.iter().map(|id| (object, *id)).collect::<Vec<_>>()).await;
    }
    assert_eq!(scene.lines(&scene.world.case(open_case()).await).await, [""; 0]);

    // It comes back whole, although only the case is named.
    scene.agent.undelete(salesforce).await;
    scene.changed(&[(Object::Case, salesforce)]).await;
    let back = scene.world.case(open_case()).await;
    assert_eq!((back.withdrawn, back.incomplete), (None, false));
    assert_eq!(scene.lines(&back).await, LINES);
    assert!(scene.listed(&of(account())).await.contains(&open_case()));
}

#[tokio::test]
async fn case_w13_what_left_the_recycle_bin_is_gone_too() {
    let scene = Scene::start().await;
    let salesforce = scene.salesforce_case().await;
    let comments = scene.ids(Object::CaseComment, "ParentId", salesforce).await;
    let hours = scene.ids(Object::TimeEntry, "Case__c", salesforce).await;
    for (object, ids) in [(Object::CaseComment, &comments), (Object::TimeEntry, &hours)] {
        for record in ids {
            scene.agent.delete(object.name(), *record).await;
            scene.agent.purge(*record).await;
        }
        scene.changed(&ids.iter().map(|id| (object, *id)).collect::<Vec<_>>()).await;
    }
    let case = scene.world.case(open_case()).await;
    assert_eq!(scene.lines(&case).await, [""; 0]);
    let kept = scene.world.store.time_entries(&scene.world.tenant(), open_case()).await.unwrap();
    assert!(kept.len() == 3 && kept.iter().all(|entry| entry.deleted), "kept for those who audit");

    scene.agent.delete("Case", salesforce).await;
    scene.agent.purge(salesforce).await;
    scene.changed(&[(Object::Case, salesforce)]).await;
    assert!(scene.world.case(open_case()).await.withdrawn.is_some());
}

#[tokio::test]
async fn what_an_agent_says_is_shown_as_long_as_it_is_public_and_as_it_reads_now() {
    let scene = Scene::start().await;
    let salesforce = scene.salesforce_case().await;
    let fields = json!({ "ParentId": salesforce, "CommentBody": "Second try", "IsPublished": false });
    let comment = scene.agent.create("CaseComment", fields).await;
    let shown = async |expected: Option<&str>| {
        scene.changed(&[(Object::CaseComment, comment)]).await;
        let lines = scene.lines(&scene.world.case(open_case()).await).await;
        let expected = expected.map(|text| format!("Portal Integration: {text}"));
        let lines: Vec<String> = lines.into_iter().filter(|line| !LINES.contains(&line.as_str())).collect();
        assert_eq!(lines, Vec::from_iter(expected));
    };
    let change = async |fields: Value| scene.agent.update("CaseComment", comment, fields).await;
    shown(None).await;
    change(json!({ "IsPublished": true })).await;
    shown(Some("Second try")).await;
    change(json!({ "CommentBody": "Third try" })).await;
    shown(Some("Third try")).await;
    let version = scene.world.case(open_case()).await.version;
    shown(Some("Third try")).await;
    assert_eq!(scene.world.case(open_case()).await.version, version, "nothing new, nothing written");
    change(json!({ "IsPublished": false })).await;
    shown(None).await;
    change(json!({ "IsPublished": true })).await;
    shown(Some("Third try")).await;
    scene.agent.delete("CaseComment", comment).await;
    shown(None).await;
}

#[tokio::test]
async fn case_w12_what_salesforce_has_emptied_is_empty_here() {
    let scene = Scene::start().await;
    let salesforce = scene.salesforce_case().await;
    let before = scene.world.case(open_case()).await;
    assert!(!before.description.is_empty() && before.kind.is_some() && before.audience.contact.is_some());
    let emptied = json!({ "Description": null, "Type": null, "ContactId": null });
    scene.agent.update("Case", salesforce, emptied).await;
    scene.changed(&[(Object::Case, salesforce)]).await;
    let after = scene.world.case(open_case()).await;
    assert_eq!((after.description.as_str(), after.kind, after.audience.contact), ("", None, None));
    assert_eq!((after.subject, after.priority), (before.subject, before.priority));
}

#[tokio::test]
async fn case_w21_a_case_takes_its_conversation_and_hours_along_and_leaves_the_clients_own_papers() {
    let scene = Scene::start().await;
    let salesforce = scene.salesforce_case().await;
    let store = &scene.world.store;
    let before = scene.world.case(open_case()).await;
    scene.agent.update("Case", salesforce, json!({ "AccountId": BRIGHTWATER.id, "ContactId": null })).await;
    scene.changed(&[(Object::Case, salesforce)]).await;
    assert_eq!(store.case(&scene.world.tenant(), open_case()).await.unwrap(), None);
    assert!(!scene.listed(&of(account())).await.contains(&open_case()));
    let moved = store.case(&of(other_account()), open_case()).await.unwrap().unwrap();
    assert_eq!(scene.lines(&moved).await, LINES);
    assert!(!moved.incomplete && moved.audience.raised_by.is_none() && moved.followers.is_empty());
    let hours = store.time_entries(&of(other_account()), open_case()).await.unwrap();
    assert_eq!(hours.iter().map(|entry| entry.minutes).sum::<i64>(), 345);
    assert_eq!(store.files(&of(other_account()), open_case()).await.unwrap(), []);
    assert_eq!(store.file(&of(other_account()), file()).await.unwrap(), None);
    // Both accounts are told: in one it disappears, in the other it appears.
    let changed: Vec<Fact> = scene.facts().await;
    assert!(matches!(changed[changed.len() - 6..], [.., Fact::CaseChanged { .. }]), "{changed:?}");

    // What is changed there from now on arrives there.
    let comment = scene.ids(Object::CaseComment, "ParentId", salesforce).await[1];
    scene.agent.update("CaseComment", comment, json!({ "CommentBody": "Moved and changed" })).await;
    scene.changed(&[(Object::CaseComment, comment)]).await;
    let moved = store.case(&of(other_account()), open_case()).await.unwrap().unwrap();
    assert!(scene.lines(&moved).await.iter().any(|line| line.ends_with("Moved and changed")));

    // And back again: it was a mistake.
    scene.agent.update("Case", salesforce, json!({ "AccountId": NORDHAVEN.id })).await;
    scene.changed(&[(Object::Case, salesforce)]).await;
    assert_eq!(store.case(&of(other_account()), open_case()).await.unwrap(), None);
    let back = scene.world.case(open_case()).await;
    let lines = scene.lines(&back).await;
    assert_eq!(lines.len(), LINES.len());
    assert!(lines.iter().any(|line| line.ends_with("Moved and changed")));
    assert_eq!(back.id, before.id);
    assert_eq!(store.files(&of(account()), open_case()).await.unwrap().len(), 2);
}

#[tokio::test]
async fn case_w21_a_case_that_moves_to_no_client_leaves_the_portal() {
    let scene = Scene::start().await;
    let salesforce = scene.salesforce_case().await;
    let prospect = scene.agent.create("Account", json!({ "Name": "Prospect" })).await;
    scene.agent.update("Case", salesforce, json!({ "AccountId": prospect, "ContactId": null })).await;
    scene.changed(&[(Object::Case, salesforce)]).await;
    assert!(scene.world.case(open_case()).await.withdrawn.is_some());
    assert!(!scene.listed(&of(account())).await.contains(&open_case()));
    scene.agent.update("Case", salesforce, json!({ "AccountId": NORDHAVEN.id })).await;
    scene.changed(&[(Object::Case, salesforce)]).await;
    assert!(scene.listed(&of(account())).await.contains(&open_case()));
}

#[tokio::test]
async fn case_w21_comments_and_hours_move_from_case_to_case() {
    let scene = Scene::start().await;
    let salesforce = scene.salesforce_case().await;
    let foreign = id(BRIGHTWATER.case_ids[0]);
    let entry = scene.ids(Object::TimeEntry, "Case__c", salesforce).await[0];
    scene.agent.update("Time_Entry__c", entry, json!({ "Case__c": foreign })).await;
    // The other company's case is not even in the portal yet.
    scene.changed(&[(Object::TimeEntry, entry)]).await;
    let theirs = scene.world.store.case_of(foreign).await.unwrap().unwrap();
    assert_eq!(theirs.account, other_account());
    assert_eq!(scene.lines(&theirs).await, ["90 min"]);
    let ours = scene.lines(&scene.world.case(open_case()).await).await;
    assert!(ours.len() == LINES.len() - 1 && !ours.contains(&"90 min".to_owned()), "{ours:?}");
    scene.agent.update("Time_Entry__c", entry, json!({ "Case__c": salesforce })).await;
    scene.changed(&[(Object::TimeEntry, entry)]).await;
    assert_eq!(scene.lines(&scene.world.case(open_case()).await).await, LINES);
    let theirs = scene.world.store.case_of(foreign).await.unwrap().unwrap();
    assert_eq!(scene.lines(&theirs).await, [""; 0]);
}

#[tokio::test]
async fn case_w21_who_leaves_the_company_in_salesforce_leaves_it_here() {
    let scene = Scene::start().await;
    let [mara, jonas] = NORDHAVEN.contacts.map(|contact| id(contact.id));
    let state = async |who| scene.member(who).await.state;
    assert!(scene.world.store.identify(&user(MEMBER)).await.unwrap().is_some());
    // To another company, which does not let them in there either.
    scene.agent.update("Contact", jonas, json!({ "AccountId": BRIGHTWATER.id })).await;
    scene.changed(&[(Object::Contact, jonas)]).await;
    assert_eq!(
        (state(MEMBER).await, state(MANAGER).await),
        (MembershipState::Suspended, MembershipState::Active)
    );
    assert!(scene.world.store.identify(&user(MEMBER)).await.unwrap().is_none());
    scene.agent.update("Contact", jonas, json!({ "AccountId": NORDHAVEN.id })).await;
    scene.changed(&[(Object::Contact, jonas), (Object::Contact, mara)]).await;
    assert_eq!(
        (state(MEMBER).await, state(MANAGER).await),
        (MembershipState::Active, MembershipState::Active)
    );

    // Whom staff sent away stays away, whatever Salesforce says.
    let sent = Membership { state: MembershipState::Deactivated, ..scene.member(MEMBER).await };
    scene.world.store.provision_member(&sent).await.unwrap();
    scene.agent.update("Contact", jonas, json!({ "FirstName": "Jon" })).await;
    scene.changed(&[(Object::Contact, jonas)]).await;
    assert_eq!(
        (state(MEMBER).await, state(LEAVER).await),
        (MembershipState::Deactivated, MembershipState::Deactivated)
    );
}

#[tokio::test]
async fn a_contact_that_is_merged_into_another_is_that_one_from_then_on() {
    let scene = Scene::start().await;
    let jonas = id(NORDHAVEN.contacts[1].id);
    let twin = json!({ "LastName": "Weber", "FirstName": "Jonas", "AccountId": NORDHAVEN.id });
    let twin = scene.agent.create("Contact", twin).await;
    scene.agent.merge(twin, jonas).await;
    scene.changed(&[(Object::Contact, jonas)]).await;
    let member = scene.member(MEMBER).await;
    let Some(portico_store::Person::Client(person)) =
        scene.world.store.identify(&user(MEMBER)).await.unwrap()
    else {
        panic!("{member:?}")
    };
    assert_eq!(person.raiser().contact, Some(twin));
    // From now on it is the twin that counts.
    scene.agent.update("Contact", twin, json!({ "AccountId": BRIGHTWATER.id })).await;
    scene.changed(&[(Object::Contact, jonas), (Object::Contact, twin)]).await;
    assert_eq!(scene.member(MEMBER).await.state, MembershipState::Suspended);
}

/// Two companies become one while people of both are signed in.
#[tokio::test]
async fn case_w21_a_merged_account_is_closed_to_its_people_and_its_cases_go_to_the_other() {
    let scene = Scene::start().await;
    let [loser, winner] = [NORDHAVEN.id, BRIGHTWATER.id].map(id);
    let salesforce = scene.salesforce_case().await;
    scene.agent.merge(winner, loser).await;
    scene.changed(&[(Object::Account, loser), (Object::Account, winner)]).await;
    for who in [MANAGER, MEMBER] {
        assert_eq!(scene.member(who).await.state, MembershipState::Suspended, "{who}");
        assert!(scene.world.store.identify(&user(who)).await.unwrap().is_none());
    }
    scene.changed(&[(Object::Case, salesforce)]).await;
    assert_eq!(scene.world.store.case(&of(account()), open_case()).await.unwrap(), None);
    assert!(scene.listed(&of(other_account())).await.contains(&open_case()));
    // The name and address of the other are the other's.
    let theirs = scene.world.store.account(&of(other_account())).await.unwrap().unwrap();
    assert_eq!((theirs.name, theirs.salesforce_id), (other_company().name, winner));
}

#[tokio::test]
async fn a_deleted_account_lets_its_people_in_again_when_it_is_back() {
    let scene = Scene::start().await;
    let prospect = scene.agent.create("Account", json!({ "Name": "Merged by mistake" })).await;
    scene.agent.merge(prospect, company().salesforce_id).await;
    scene.changed(&[(Object::Account, company().salesforce_id)]).await;
    assert_eq!(scene.member(MANAGER).await.state, MembershipState::Suspended);
    // Undone in Salesforce: the account is taken out of the recycle bin, the people are put back.
    scene.agent.undelete(company().salesforce_id).await;
    for contact in NORDHAVEN.contacts {
        scene.agent.update("Contact", id(contact.id), json!({ "AccountId": NORDHAVEN.id })).await;
    }
    scene.changed(&[(Object::Account, company().salesforce_id)]).await;
    for who in [MANAGER, MEMBER] {
        assert_eq!(scene.member(who).await.state, MembershipState::Active, "{who}");
    }
    assert_eq!(scene.member(LEAVER).await.state, MembershipState::Deactivated);
}

#[tokio::test]
async fn a_contract_is_taken_over_with_its_rates_and_milestones() {
    let scene = Scene::start().await;
    let fields = json!({
        "Name": "Rollout 2027", "Account__c": NORDHAVEN.id, "Currency__c": "EUR", "Hourly_Rate__c": 130,
        "Tax_Rate__c": 19, "Payment_Terms_Days__c": 14, "Valid_From__c": "2027-01-01",
        "Time_Zone__c": "Europe/Berlin",
    });
    let contract = scene.agent.create("Portal_Contract__c", fields).await;
    let rate = json!({ "Contract__c": contract, "Role__c": "Architect", "Hourly_Rate__c": 165.5 });
    let rate = scene.agent.create("Portal_Rate__c", rate).await;
    let milestone = json!({
        "Contract__c": contract, "Name": "Go live", "Amount__c": 12_000, "Due_On__c": "2027-03-31",
    });
    let milestone = scene.agent.create("Milestone__c", milestone).await;
    // Only the parts are named, and nothing is known of their contract.
    scene.changed(&[(Object::Rate, rate), (Object::Milestone, milestone)]).await;
    let ours = of(account());
    let known = scene.contract(&ours, contract).await.unwrap();
    assert_eq!(
        (known.rates[0].role.as_str(), known.rates[0].hourly_rate),
        ("Architect", Decimal::new(1655, 1))
    );
    assert_eq!(
        (known.milestones[0].name.as_str(), known.milestones[0].amount),
        ("Go live", Decimal::from(12_000))
    );
    scene.changed(&[(Object::Contract, contract), (Object::Rate, rate)]).await;
    assert_eq!(scene.contract(&ours, contract).await.unwrap().version, known.version, "nothing new");

    // A rate that is deleted and purged leaves no trace in Salesforce; the link says where it was.
    scene.agent.delete("Portal_Rate__c", rate).await;
    scene.agent.purge(rate).await;
    scene.changed(&[(Object::Rate, rate)]).await;
    assert_eq!(scene.contract(&ours, contract).await.unwrap().rates, []);

    scene.agent.update("Portal_Contract__c", contract, json!({ "Account__c": BRIGHTWATER.id })).await;
    scene.changed(&[(Object::Contract, contract)]).await;
    assert_eq!(scene.contract(&ours, contract).await, None);
    let theirs = scene.contract(&of(other_account()), contract).await.unwrap();
    assert_eq!(theirs.milestones.len(), 1);

    scene.agent.delete("Portal_Contract__c", contract).await;
    scene.changed(&[(Object::Contract, contract)]).await;
    let ended = scene.contract(&of(other_account()), contract).await.unwrap();
    assert!(!ended.holds_on("2027-06-01".parse().unwrap()));
}

/// Somebody deletes or changes in Salesforce what the portal wrote there: the portal writes it again.
#[tokio::test]
async fn what_the_portal_wrote_is_put_right() {
    let scene = Scene::start().await;
    let world = &scene.world;
    let invoice = world.issue_invoice().await;
    let writer = world.boot("salesforce-writer").await;
    let hand_over = async |name: &str| {
        let event = std::fs::read_to_string(format!("../../events/{name}.json")).unwrap();
        writer.function.invoke(lambda_event(&event)).await.unwrap();
        assert_eq!(writer.guard.denied(), []);
    };
    hand_over("salesforce-writer-file-added").await;
    hand_over("salesforce-writer-invoice-issued").await;
    let reference = async || world.store.file(&world.tenant(), file()).await.unwrap().unwrap().salesforce_id;
    let record =
        async || world.store.invoice(&world.tenant(), invoice.id).await.unwrap().unwrap().salesforce_id;
    let (first_file, first_invoice) = (reference().await.unwrap(), record().await.unwrap());
    let records = [(Object::File, first_file), (Object::Invoice, first_invoice)];
    scene.changed(&records).await;
    assert_eq!(
        (reference().await, record().await),
        (Some(first_file), Some(first_invoice)),
        "as it should be"
    );

    scene.agent.update("Portal_File__c", first_file, json!({ "Sha256__c": "0".repeat(64) })).await;
    scene.agent.delete("Portal_Invoice__c", first_invoice).await;
    scene.changed(&records).await;
    assert_eq!((reference().await, record().await), (None, None));
    let facts = scene.facts().await;
    assert!(facts.contains(&Fact::FileReferenceLost { case: open_case(), file: file() }), "{facts:?}");
    assert!(
        facts.contains(&Fact::InvoiceRecordLost { case: Some(closed_case()), invoice: invoice.id }),
        "{facts:?}"
    );
    let mut consumers = Consumers::start(world).await;
    consumers.run(world).await;
    assert_eq!(reference().await, Some(first_file), "the same record, by its external id");
    assert!(record().await.is_some_and(|id| id != first_invoice), "a new one: the old one is in the bin");
    let there =
        scene.agent.query(&format!("SELECT Sha256__c FROM Portal_File__c WHERE Id = '{first_file}'")).await;
    assert_ne!(there[0]["Sha256__c"], "0".repeat(64).as_str());

    // What goes with its case is not put back.
    let case = scene.salesforce_case().await;
    scene.agent.delete("Case", case).await;
    scene.changed(&[(Object::File, first_file)]).await;
    assert_eq!(reference().await, Some(first_file));
    assert!(world.case(open_case()).await.withdrawn.is_some());
}

/// Whatever of a reference somebody changes in the org, and whatever the portal has changed in the meantime, the org says
/// in the end what holds.
#[tokio::test]
async fn case_f04_what_agents_are_told_of_a_file_is_put_right() {
    let scene = Scene::start().await;
    let world = &scene.world;
    let known = async || world.store.file(&world.tenant(), file()).await.unwrap().unwrap();
    let case = world.case(open_case()).await;
    let mut consumers = Consumers::start(world).await;
    let random = portico_aws::system_random();
    let told = async |fact: Fact| {
        let event = Event::about(&case, fact, now(), &random);
        world.store.lose_file_reference(&next(known().await), &event).await.unwrap();
    };
    told(Fact::FileAdded { case: case.id, file: file() }).await;
    consumers.run(world).await;
    let id = known().await.salesforce_id.unwrap();
    let says = async |field: &str| {
        let soql = format!("SELECT {field} FROM Portal_File__c WHERE Id = '{id}'");
        scene.agent.query(&soql).await[0][field].clone()
    };
    for (field, wrong) in [("State__c", json!("Infected")), ("Version__c", json!(7)), ("Size__c", json!(1))] {
        let right = says(field).await;
        scene.agent.update("Portal_File__c", id, json!({ field: wrong })).await;
        scene.changed(&[(Object::File, id)]).await;
        consumers.run(world).await;
        assert_eq!((says(field).await, known().await.salesforce_id), (right, Some(id)), "{field}");
    }

    // Deleted, and then a newer version.
    let by = known().await.author;
    world.store.save_file(&known().await.deleted(by, now()).unwrap()).await.unwrap();
    told(Fact::FileDeleted { case: case.id, file: file() }).await;
    consumers.run(world).await;
    assert_eq!(says("State__c").await, "Deleted");
    let newer = Some(crate::world::pending_file());
    let superseded = File { superseded_by: newer, ..known().await.restored().unwrap() };
    world.store.save_file(&superseded).await.unwrap();
    told(Fact::FileSuperseded { case: case.id, file: file() }).await;
    consumers.run(world).await;
    assert_eq!(says("State__c").await, "Superseded");
    let before = known().await.version;
    told(Fact::FileAdded { case: case.id, file: file() }).await;
    consumers.run(world).await;
    assert_eq!(known().await.version, before + 1, "nothing is written that is known");

    // To be erased: neither the sync nor a fact that comes late shows it again.
    world.store.save_file(&known().await.to_be_erased(now()).unwrap()).await.unwrap();
    let facts = scene.facts().await.len();
    scene.agent.delete("Portal_File__c", id).await;
    scene.changed(&[(Object::File, id)]).await;
    assert_eq!(scene.facts().await.len(), facts, "brought back");
    told(Fact::FileErased { case: case.id, file: file() }).await;
    told(Fact::FileRelabelled { case: case.id, file: file() }).await;
    consumers.run(world).await;
    let there = scene.agent.query("SELECT Id FROM Portal_File__c WHERE IsDeleted = false").await;
    assert!(there.is_empty(), "{there:?}");
    let letters = world.stack.emulators.queues().peek("WriterDeadLetters.fifo", 10).await.unwrap();
    assert!(letters.is_empty(), "a file that is gone holds up nothing");
}

/// A file's next version, with nothing new in it.
fn next(file: File) -> File {
    File { version: file.version + 1, ..file }
}

/// However many records change, Salesforce is asked a handful of times.
#[tokio::test]
async fn two_hundred_changed_records_cost_at_most_two_calls() {
    let scene = Scene::start().await;
    let agent = &scene.agent;
    let cases = stream::iter(0..200).map(async |number| {
        let fields = json!({ "Subject": format!("Case {number}"), "AccountId": NORDHAVEN.id });
        (Object::Case, agent.create("Case", fields).await)
    });
    let cases: Vec<(Object, SalesforceId)> = cases.buffer_unordered(AT_ONCE).collect().await;
    scene.changed(&cases).await;
    let calls = || scene.world.org.requests(RequestKind::Query);
    let calls_for = async |records: &[(Object, SalesforceId)]| {
        let before = calls();
        scene.changed(records).await;
        calls() - before
    };
    let change_all = async |fields: Value| {
        let changes = cases.iter().map(|(_, case)| agent.update("Case", *case, fields.clone()));
        stream::iter(changes).buffer_unordered(AT_ONCE).collect::<()>().await;
    };
    change_all(json!({ "Priority": "High" })).await;
    let changed = calls_for(&cases).await;
    change_all(json!({ "Status": "Closed" })).await;
    let closed = calls_for(&cases).await;
    let entries = stream::iter(&cases).map(async |(_, case)| {
        let fields = json!({ "Case__c": case, "Work_Date__c": "2026-11-20", "Minutes__c": 30 });
        (Object::TimeEntry, agent.create("Time_Entry__c", fields).await)
    });
    let entries: Vec<(Object, SalesforceId)> = entries.buffer_unordered(AT_ONCE).collect().await;
    let new_hours = calls_for(&entries).await;
    let known_hours = calls_for(&entries).await;
    println!(
        "calls to Salesforce for 200 records: changed cases {changed}, closed cases (with their hours) {closed}, new time entries {new_hours}, unchanged time entries {known_hours}"
    );
    assert_eq!((changed, closed, new_hours, known_hours), (1, 2, 2, 1));
    let closed = scene.facts().await.into_iter().filter(|fact| matches!(fact, Fact::CaseClosed { .. }));
    assert_eq!(closed.count(), 200);
}

/// What the sync pays for one record, in units of DynamoDB and calls to Salesforce. The table fails when it grows.
#[tokio::test]
async fn what_a_change_in_salesforce_costs_is_recorded() {
    let scene = Scene::start().await;
    let agent = &scene.agent;
    let case = scene.salesforce_case().await;
    let comment = json!({ "ParentId": case, "CommentBody": "A word", "IsPublished": true });
    let comment = agent.create("CaseComment", comment).await;
    let entry = json!({ "Case__c": case, "Work_Date__c": "2026-11-20", "Minutes__c": 30 });
    let entry = agent.create("Time_Entry__c", entry).await;
    let mut table = String::new();
    scene.sync.guard.bill();
    let mut pay = async |what: &str, object: Object, id: SalesforceId| {
        let before = scene.world.org.requests(RequestKind::Query);
        scene.changed(&[(object, id)]).await;
        let (bill, calls) = (scene.sync.guard.bill(), scene.world.org.requests(RequestKind::Query) - before);
        let (writes, reads): (Vec<Metered>, Vec<Metered>) = bill.into_iter().partition(Metered::is_write);
        let (read, written) = (total(&reads).normalize(), total(&writes).normalize());
        writeln!(table, "{what}: {read} read units, {written} write units, {calls} calls").unwrap();
        table += &itemised(&[reads, writes].concat());
    };
    pay("a case that did not change", Object::Case, case).await;
    agent.update("Case", case, json!({ "Status": "Escalated" })).await;
    pay("a case with another status", Object::Case, case).await;
    pay("a new comment", Object::CaseComment, comment).await;
    pay("the same comment again", Object::CaseComment, comment).await;
    pay("new hours", Object::TimeEntry, entry).await;
    pay("the same hours again", Object::TimeEntry, entry).await;
    agent.delete("Case", case).await;
    pay("a case that was deleted", Object::Case, case).await;
    println!("{table}");
    assert_table("consumed-sync", &table);
}
