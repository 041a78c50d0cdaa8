//! Two companies with people of every role, and records of every kind, each with words that give away whose it is.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use fake_salesforce::demo::{AGENT_NAME, BRIGHTWATER, NORDHAVEN};
use portico_billing::Prepared;
use portico_conformance::isolation::Role;
use portico_domain::{
    AccountId, CaseId, EntryId, FileId, UserId,
    billing::{self, Agreements, Billed, Done, Input, Particulars, Subject, TimeEntry},
    cases::{Case, TimelineEntry},
    events::{Event, Fact},
    files::{File, FileState, Verdict},
    people::{ClientRole, Membership, MembershipState, Position},
};
use portico_emulators::Pool;
use portico_local::{LocalCloud, Options, demo::PASSWORD, identity};
use portico_store::{
    IssueError, LineChange, PageSize, Person as Identified, Store, StoreError, Tenant, engine::Table,
};
use serde_json::{Value, json};

use crate::client::{Answer, Request, answer, body, declaration, http, send};

/// Nothing here takes longer unless it is broken.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often somebody comes again who was told to, and after what time.
const COMES_AGAIN_MAX: usize = 5;
const COMES_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// How often a lost race is run again.
const RACES_MAX: usize = 20;
/// How often to look.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How long nothing may move before the cloud counts as at rest.
const REST: Duration = Duration::from_millis(400);
/// What only agents may read, on every case.
const INTERNAL: &str = "quokkaproof-internal-remark";

/// Somebody who calls.
#[derive(Debug, Clone)]
pub struct Person {
    pub name: &'static str,
    pub role: Role,
    /// The account that they belong to; staff belong to none.
    pub account: Option<AccountId>,
    pub user: UserId,
    pub token: String,
    /// An id token.
    pub id_token: String,
}

/// What belongs to one person, with words that stand nowhere else.
#[derive(Debug, Clone)]
pub struct Belongings {
    pub account: AccountId,
    pub case: CaseId,
    pub file: String,
    pub invoice: String,
    /// About the first position of the invoice.
    pub dispute: String,
    /// In the case, its comments and its files.
    pub case_words: String,
    /// In the positions of the invoice.
    pub invoice_words: String,
}

pub struct Scene {
    pub cloud: LocalCloud,
    pub options: Options,
    pub http: reqwest::Client,
    pub store: Store,
    pub people: BTreeMap<&'static str, Person>,
    /// By the name of their owner.
    pub belongings: BTreeMap<&'static str, Belongings>,
    /// By the name of who asked for them.
    pub archives: BTreeMap<&'static str, String>,
    /// Whether Nordhaven lets its members see its money at the moment.
    pub members_see_invoices: AtomicBool,
    /// A person who has left, by a token that is still good.
    pub leaver: String,
    /// A user without membership, by a good token.
    pub unknown: String,
}

/// A made-up user who left Nordhaven.
const LEAVER: &str = "99999999-9999-4999-8999-999999999991";
/// A made-up user whom nobody let in.
const UNKNOWN: &str = "99999999-9999-4999-8999-999999999992";

/// Those who own something.
pub const OWNERS: [&str; 4] = ["jonas", "mara", "ines", "priya"];

/// Who sees the invoices of an owner's account.
fn manager_of(owner: &str) -> &'static str {
    if owner == "priya" { "priya" } else { "mara" }
}

impl Scene {
    pub async fn start() -> Self {
        let http = http();
        let template = portico_conformance::root().join("template.yaml");
        let functions = portico_local::functions::of_the_workspace();
        let options = Options { demo: true, ..Options::ephemeral(template, functions) };
        let cloud = LocalCloud::start(options.clone()).await.unwrap();
        let store = cloud.cloud(&options).store(&TABLES).unwrap();
        let [mara, jonas] = NORDHAVEN.contacts;
        let [priya, daniel] = BRIGHTWATER.contacts;
        let (nordhaven, brightwater) =
            (account(NORDHAVEN.portal_account_id), account(BRIGHTWATER.portal_account_id));
        let mut people = BTreeMap::new();
        for (name, email, role, account) in [
            ("mara", mara.email, Role::Manager, Some(nordhaven)),
            ("jonas", jonas.email, Role::Member, Some(nordhaven)),
            ("ines", "ines.albrecht@nordhaven.example", Role::Billing, Some(nordhaven)),
            ("priya", priya.email, Role::Manager, Some(brightwater)),
            ("daniel", daniel.email, Role::Member, Some(brightwater)),
            ("sam", "sam.keller@consultancy.example", Role::Agent, None),
            ("robin", "robin.vance@consultancy.example", Role::Admin, None),
        ] {
            let (token, id_token) = sign_in(&cloud, &http, email).await;
            let user = subject(&token).parse().unwrap();
            people.insert(name, Person { name, role, account, user, token, id_token });
        }
        let membership = Membership {
            user: LEAVER.parse().unwrap(),
            name: "Lea Former".to_owned(),
            email: "lea.former@nordhaven.example".to_owned(),
            position: Position::Client { account: nordhaven, role: ClientRole::Manager, contact: None },
            state: MembershipState::Deactivated,
            version: 1,
        };
        store.provision_member(&membership).await.unwrap();
        let pool = &cloud.pools()["UserPool"];
        let token = |user: &str| signed(&cloud, &claims(pool, user));
        let (leaver, unknown) = (token(LEAVER), token(UNKNOWN));
        let (belongings, archives) = (BTreeMap::new(), BTreeMap::new());
        let members_see_invoices = AtomicBool::new(false);
        let mut scene = Self {
            cloud,
            options,
            http,
            store,
            people,
            belongings,
            archives,
            members_see_invoices,
            leaver,
            unknown,
        };
        scene.furnish().await;
        scene.at_rest().await;
        scene
    }

    pub fn api(&self) -> &str {
        &self.cloud.addresses().api
    }

    pub fn person(&self, name: &str) -> &Person {
        &self.people[name]
    }

    /// The people of Nordhaven and of the consultancy: one of each role.
    pub fn caller(&self, role: Role) -> &Person {
        self.person(match role {
            Role::Member => "jonas",
            Role::Manager => "mara",
            Role::Billing => "ines",
            Role::Agent => "sam",
            Role::Admin => "robin",
        })
    }

    pub async fn stop(self) {
        self.cloud.shutdown().await;
    }

    /// Asks as somebody, and looks through the answer for what they may not see.
    pub async fn ask(&self, person: &Person, operation: &str, path: &str, body: Option<Value>) -> Answer {
        let (method, _) = operation.split_once(' ').unwrap();
        let token = Some(person.token.clone());
        let request = Request { method: method.parse().unwrap(), path: path.to_owned(), token, body };
        let mut answer = send(&self.http, self.api(), &request).await;
        // Others write the same records at the same time; who is told to come again does so.
        for _ in 0..COMES_AGAIN_MAX {
            if answer.status != 503 {
                break;
            }
            tokio::time::sleep(COMES_AGAIN_AFTER).await;
            answer = send(&self.http, self.api(), &request).await;
        }
        self.assert_discreet(Some(person), &request, &answer);
        answer
    }

    /// Asks with whatever token, and looks through the answer for what anybody could miss.
    pub async fn ask_with(
        &self,
        token: Option<String>,
        operation: &str,
        path: &str,
        body: Option<Value>,
    ) -> Answer {
        let (method, _) = operation.split_once(' ').unwrap();
        let request = Request { method: method.parse().unwrap(), path: path.to_owned(), token, body };
        let answer = send(&self.http, self.api(), &request).await;
        self.assert_discreet(None, &request, &answer);
        answer
    }

    pub async fn get(&self, person: &Person, path: &str) -> Answer {
        self.ask(person, "GET ", path, None).await
    }

    /// Case T08: nobody reads the words of a record that they may not see, wherever it may turn up.
    pub fn assert_discreet(&self, person: Option<&Person>, request: &Request, answer: &Answer) {
        let everything = format!("{:?} {}", answer.headers, answer.text);
        assert!(!everything.contains(INTERNAL), "an internal remark: {request:?} {everything}");
        // Staff see what is in the account that they name.
        let entered = person.and_then(|person| match person.account {
            Some(account) => Some(account),
            None => {
                let (_, account) = request.path.split_once("account=")?;
                account.split('&').next()?.parse().ok()
            }
        });
        for (owner, theirs) in &self.belongings {
            let same_account = entered == Some(theirs.account);
            let role = person.map(|person| person.role);
            let own = person.is_some_and(|person| person.name == *owner);
            let sees_cases =
                same_account && (own || !matches!(role, Some(Role::Member | Role::Billing) | None));
            let members_do = self.members_see_invoices.load(Ordering::SeqCst);
            let sees_invoices = same_account
                && match role {
                    Some(Role::Member) => members_do,
                    Some(Role::Manager | Role::Billing | Role::Agent | Role::Admin) => true,
                    None => false,
                };
            // An invoice names the case that it bills, and so does what is not an invoice yet.
            let of_money = ["/invoices", "/billing"].iter().any(|path| request.path.starts_with(path));
            let of_invoices = sees_invoices && of_money;
            for (words, may_see) in
                [(&theirs.case_words, sees_cases || of_invoices), (&theirs.invoice_words, of_invoices)]
            {
                assert!(may_see || !everything.contains(words), "{owner}'s: {request:?} {everything}");
            }
        }
    }

    /// A new case of somebody.
    pub async fn raise(&self, owner: &str, words: &str) -> CaseId {
        let person = self.person(owner);
        let answer = self.ask(person, "POST /cases", "/cases", body("POST /cases", words)).await;
        assert!(matches!(answer.status, 201 | 202), "{}", answer.text);
        answer.json()["id"].as_str().unwrap().parse().unwrap()
    }

    /// A file that can be downloaded, in a case that its uploader may see.
    pub async fn upload(&self, uploader: &str, account: AccountId, case: CaseId, words: &str) -> String {
        self.upload_as(uploader, account, case, words, declaration(&format!("{words}.txt"), words)).await
    }

    /// The same, as it is declared.
    pub async fn upload_as(
        &self,
        uploader: &str,
        account: AccountId,
        case: CaseId,
        words: &str,
        declared: Value,
    ) -> String {
        let person = self.person(uploader);
        let path = format!("/cases/{case}/files?account={account}");
        let answer = self.ask(person, "POST ", &path, Some(declared)).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        let answer = answer.json();
        let mut upload = self.http.put(answer["upload"]["url"].as_str().unwrap()).body(words.to_owned());
        for (name, value) in answer["upload"]["headers"].as_object().unwrap() {
            // The client library counts the length itself.
            if !name.eq_ignore_ascii_case("content-length") {
                upload = upload.header(name, value.as_str().unwrap());
            }
        }
        assert_eq!(upload.send().await.unwrap().status(), 200);
        let id = answer["id"].as_str().unwrap();
        self.find_clean(account, id.parse().unwrap()).await;
        id.to_owned()
    }

    /// Says of a file that was compared what a scanner says that finds nothing, unless one has said so already.
    async fn find_clean(&self, account: AccountId, id: FileId) {
        let tenant = self.tenant(account).await;
        self.until("the look at what was uploaded", async || {
            let file = self.store.file(&tenant, id).await.unwrap().unwrap();
            matches!(file.state, FileState::Scanning { .. } | FileState::Available { .. })
        })
        .await;
        let cloud = self.cloud.cloud(&self.options);
        let (now, random) = (cloud.clock().now(), cloud.random());
        let clean = |file: &File| file.judged(Verdict::Clean, now);
        let judged = self.store.move_file(&tenant, id, clean, now, &random).await.unwrap();
        assert!(judged.unwrap().is_available());
    }

    pub async fn case(&self, account: AccountId, id: CaseId) -> Case {
        let tenant = self.tenant(account).await;
        self.store.case(&tenant, id).await.unwrap().unwrap()
    }

    /// The account, on behalf of somebody of it.
    pub async fn tenant(&self, account: AccountId) -> Tenant {
        let person = self.people.values().find(|person| person.account == Some(account)).unwrap();
        match self.store.identify(&person.user).await.unwrap() {
            Some(Identified::Client(person)) => *person.tenant(),
            other => panic!("{other:?}"),
        }
    }

    async fn furnish(&mut self) {
        for owner in OWNERS {
            let account = self.person(owner).account.unwrap();
            let case_words = format!("case-words-of-{owner}-zephyrine");
            let invoice_words = format!("invoice-words-of-{owner}-zephyrine");
            let case = self.raise(owner, &case_words).await;
            let file = self.upload(owner, account, case, &case_words).await;
            let comment = body("POST /cases/{caseId}/comments", &case_words);
            let path = format!("/cases/{case}/comments");
            let answer = self.ask(self.person(owner), "POST ", &path, comment).await;
            assert_eq!(answer.status, 201, "{}", answer.text);
            let invoice = self.bill(account, case, &invoice_words).await.to_string();
            let dispute = self.dispute(manager_of(owner), &invoice, &invoice_words).await;
            let theirs = Belongings { account, case, file, invoice, dispute, case_words, invoice_words };
            self.belongings.insert(owner, theirs);
        }
        for (owner, theirs) in &self.belongings {
            self.remark(theirs).await;
            // Of what follows is seen that the remark has come by as well.
            let person = self.person(manager_of(owner));
            let timeline = format!("/cases/{}/timeline", theirs.case);
            self.until(&format!("the answer on {owner}'s case"), async || {
                self.get(person, &timeline).await.text.contains("answer-of-an-agent")
            })
            .await;
            self.until(&format!("{owner}'s file"), async || {
                let case = self.get(person, &format!("/cases/{}", theirs.case)).await;
                !case.json()["files"].as_array().unwrap().is_empty()
            })
            .await;
            self.until(&format!("the reference to {owner}'s file"), async || {
                let tenant = self.tenant(theirs.account).await;
                let files = self.store.files(&tenant, theirs.case).await.unwrap();
                files.iter().all(|file| file.salesforce_id.is_some())
            })
            .await;
            self.until(&format!("{owner}'s PDF"), async || {
                let invoice = self.get(person, &format!("/invoices/{}", theirs.invoice)).await;
                invoice.json()["pdf_available"] == true
            })
            .await;
        }
        self.ask_for_archives().await;
    }

    /// An archive of each owner's case for its owner, and two of one case for the consultancy.
    async fn ask_for_archives(&mut self) {
        let askers =
            OWNERS.map(|owner| (owner, owner)).into_iter().chain([("sam", "jonas"), ("robin", "jonas")]);
        for (asker, owner) in askers {
            let theirs = &self.belongings[owner];
            let person = self.person(asker);
            let query =
                if person.account.is_none() { format!("?account={}", theirs.account) } else { String::new() };
            let path = format!("/cases/{}/archives{query}", theirs.case);
            let answer = self.ask(person, "POST ", &path, Some(json!({}))).await;
            assert_eq!(answer.status, 202, "{}", answer.text);
            let id = answer.json()["id"].as_str().unwrap().to_owned();
            let path = format!("/archives/{id}{query}");
            self.until(&format!("{asker}'s archive"), async || {
                self.get(person, &path).await.json()["state"] == "ready"
            })
            .await;
            self.archives.insert(asker, id);
        }
    }

    /// An internal remark at the org's console, and then a public answer.
    async fn remark(&self, theirs: &Belongings) {
        let salesforce_id = self.case(theirs.account, theirs.case).await.salesforce_id.unwrap();
        let org = self.cloud.addresses().salesforce.clone().unwrap();
        let url = format!("{org}/console/cases/{salesforce_id}/comments");
        for form in [vec![("body", INTERNAL)], vec![("body", "answer-of-an-agent"), ("public", "on")]] {
            let answer = self.http.post(&url).form(&form).send().await.unwrap();
            assert_eq!(answer.status(), 303);
        }
    }

    /// Hours that are not on any bill.
    fn hours(&self, case: CaseId, words: &str) -> TimeEntry {
        let cloud = self.cloud.cloud(&self.options);
        let (now, random) = (cloud.clock().now(), cloud.random());
        let digits = case.to_string();
        TimeEntry {
            id: EntryId::new(now, &random),
            salesforce_id: format!("a01Fk{}", &digits[digits.len() - 10..]).parse().unwrap(),
            case,
            worked_on: "2026-11-18".parse().unwrap(),
            minutes: 90,
            description: words.to_owned(),
            person: AGENT_NAME.to_owned(),
            particulars: Particulars::default(),
            billable: true,
            deleted: false,
            created_at: now,
            modstamp: now,
            version: 1,
        }
    }

    /// Logs hours on a case, as the sync does.
    pub async fn log(&self, account: AccountId, case: CaseId, words: &str) {
        let cloud = self.cloud.cloud(&self.options);
        let hours = self.hours(case, words);
        let line = LineChange {
            salesforce_id: hours.salesforce_id,
            line: TimelineEntry::of_hours(&hours),
            shown: true,
            hours: Some(hours),
            before: None,
        };
        for _ in 0..RACES_MAX {
            let now = cloud.clock().now();
            let case = self.case(account, case).await.touched(now);
            let events = [
                Event::case_changed(&case, now, &cloud.random()),
                Event::bill_changed(case.account, Some(case.id), now, &cloud.random()),
            ];
            match self.store.save_lines(&case, std::slice::from_ref(&line), &events).await {
                Err(StoreError::Conflict) => {}
                done => return done.unwrap(),
            }
        }
        panic!("somebody else was faster every time")
    }

    /// Issues an invoice, as the portal does when a case is closed.
    pub async fn bill(&self, account: AccountId, case: CaseId, words: &str) -> portico_domain::InvoiceId {
        let (cloud, tenant) = (self.cloud.cloud(&self.options), self.tenant(account).await);
        let (now, random) = (cloud.clock().now(), cloud.random());
        let contract = self.store.contracts(&tenant).await.unwrap().remove(0);
        let worked = self.hours(case, words);
        let contracts = [contract];
        let agreements = Agreements::of(&contracts);
        // The portal still works on the case: whoever is slower looks again, as the portal does.
        for _ in 0..RACES_MAX {
            let case = self.case(account, case).await;
            let done = Done { entries: vec![worked.clone()], expenses: Vec::new() };
            let assigned = agreements.of_case(&case, now, done, &Billed::default()).unwrap().unwrap();
            let balance = self.store.balance(&tenant, assigned.contract.id).await.unwrap();
            let bill = billing::price(Input {
                agreement: assigned.agreement,
                scope: assigned.scope,
                earliest: None,
                entries: &assigned.entries,
                expenses: &[],
                deliveries: &[],
                before: &balance.carry,
            });
            let version = assigned.agreement.on(assigned.scope.completed_on()).unwrap();
            let prepared = Prepared {
                account: self.store.account(&tenant).await.unwrap().unwrap(),
                contract: assigned.contract.clone(),
                clauses: version.terms.clauses().clone(),
                scope: assigned.scope,
                subject: Subject::of_case(&case),
                case: Some(case),
                bill: bill.unwrap(),
                balance,
            };
            match portico_billing::issue(&self.store, prepared, None, now, &random).await {
                Ok(issued) => return issued.invoice.id,
                Err(IssueError::Raced) => {}
                Err(error) => panic!("{error}"),
            }
        }
        panic!("somebody else was faster every time")
    }

    /// A new dispute about the first position of an invoice.
    pub async fn dispute(&self, by: &str, invoice: &str, words: &str) -> String {
        let operation = "POST /invoices/{invoiceId}/lines/{line}/disputes";
        let path = format!("/invoices/{invoice}/lines/1/disputes");
        let answer = self.ask(self.person(by), operation, &path, body(operation, words)).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.json()["id"].as_str().unwrap().to_owned()
    }

    /// The dispute about an invoice of the scene.
    pub fn dispute_about(&self, invoice: &str) -> Option<&str> {
        let theirs = self.belongings.values().find(|theirs| theirs.invoice == invoice);
        theirs.map(|theirs| theirs.dispute.as_str())
    }

    /// Everything that could be changed on what somebody owns.
    pub async fn state(&self, owner: &str) -> Value {
        let theirs = &self.belongings[owner];
        let tenant = self.tenant(theirs.account).await;
        let case = self.case(theirs.account, theirs.case).await;
        let most = PageSize::new(PageSize::MAX).unwrap();
        let timeline = self.store.timeline(&case, most, None).await.unwrap().unwrap();
        let files = self.store.files(&tenant, theirs.case).await.unwrap();
        let invoice = self.store.invoice(&tenant, theirs.invoice.parse().unwrap()).await.unwrap().unwrap();
        let disputes = self.store.disputes(&invoice, most, None).await.unwrap().unwrap();
        json!({
            "case": case,
            "timeline": timeline.items,
            "files": files,
            "invoice": invoice,
            "disputes": disputes.items,
        })
    }

    /// What stands in the outbox, but for refusals, which are no more than a line of the audit trail.
    pub async fn announced(&self) -> BTreeSet<String> {
        let table = identity::name("OutboxTable");
        let records = self.cloud.emulators().streams().read(&table, None).await.unwrap();
        let images = records.into_iter().map(|record| record.event["dynamodb"]["NewImage"].clone());
        let events = images.filter(|image| !image.is_null()).map(|image| {
            let item: serde_dynamo::Item = serde_json::from_value(image).unwrap();
            portico_store::outbox::event_of(item).unwrap()
        });
        events
            .filter(|event| !matches!(event.fact, Fact::Accessed(_)))
            .map(|event| format!("{} {:?}", event.id, event.fact))
            .collect()
    }

    /// Waits until nothing moves any more.
    pub async fn at_rest(&self) {
        let look = async || {
            let mut states = Vec::new();
            for owner in OWNERS {
                states.push(self.state(owner).await);
            }
            (states, self.announced().await)
        };
        let mut before = look().await;
        self.until("rest", async || {
            tokio::time::sleep(REST).await;
            let now = look().await;
            std::mem::replace(&mut before, now) == before
        })
        .await;
    }

    /// Waits until `condition` holds.
    pub async fn until(&self, what: &str, mut condition: impl AsyncFnMut() -> bool) {
        let wait = async {
            while !condition().await {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        assert!(tokio::time::timeout(PATIENCE, wait).await.is_ok(), "waited in vain for {what}");
    }
}

const TABLES: [Table; 18] = [
    Table::Accounts,
    Table::Members,
    Table::Contracts,
    Table::Cases,
    Table::CaseActivity,
    Table::TimeEntries,
    Table::Files,
    Table::Invoices,
    Table::InvoicePositions,
    Table::CreditNotes,
    Table::Disputes,
    Table::Billing,
    Table::Counters,
    Table::Idempotency,
    Table::Outbox,
    Table::Connections,
    Table::LiveTickets,
    Table::SalesforceLinks,
];

pub fn account(uuid: &str) -> AccountId {
    AccountId::from_uuid(uuid.parse().unwrap())
}

/// The claims of a token that the pool itself would give, at this moment.
pub fn claims(pool: &Pool, user: &str) -> Value {
    let now = portico_aws::system_clock().now().as_second();
    json!({
        "sub": user, "iss": pool.issuer, "client_id": pool.client_id, "token_use": "access",
        "scope": "aws.cognito.signin.user.admin", "auth_time": now - 10, "iat": now - 10, "exp": now + 900,
        "username": user,
    })
}

/// Signed with the pool's own key.
pub fn signed(cloud: &LocalCloud, claims: &Value) -> String {
    let keys: Value = cloud.emulators().cognito().jwks();
    let mut header = awsim_jsonwebtoken::Header::new(awsim_jsonwebtoken::Algorithm::RS256);
    header.kid = Some(keys["keys"][0]["kid"].as_str().unwrap().to_owned());
    awsim_jsonwebtoken::encode(&header, claims, awsim_cognito::keys::encoding_key()).unwrap()
}

/// The `sub` of a token.
fn subject(token: &str) -> String {
    use base64::Engine as _;
    let payload = token.split('.').nth(1).unwrap();
    let payload = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload).unwrap();
    let claims: Value = serde_json::from_slice(&payload).unwrap();
    claims["sub"].as_str().unwrap().to_owned()
}

/// Access token and id token of a demo person.
async fn sign_in(cloud: &LocalCloud, http: &reqwest::Client, email: &str) -> (String, String) {
    let attempt = json!({ "AuthFlow": "USER_PASSWORD_AUTH", "ClientId": cloud.pools()["UserPool"].client_id,
        "AuthParameters": { "USERNAME": email, "PASSWORD": PASSWORD } });
    let request = http
        .post(&cloud.addresses().aws)
        .header("content-type", "application/x-amz-json-1.1")
        .header("x-amz-target", "AWSCognitoIdentityProviderService.InitiateAuth")
        .body(attempt.to_string());
    let answer = answer(request).await.json();
    let token = |name: &str| answer["AuthenticationResult"][name].as_str().unwrap().to_owned();
    (token("AccessToken"), token("IdToken"))
}
