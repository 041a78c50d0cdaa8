//! A stack with an org and a client company in it, and functions that run with nothing but what `template.yaml`
//! gives them. The ids are those of the files in `events/`.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use fake_salesforce::{FakeSalesforce, demo::NORDHAVEN};
use lambda_runtime::{Context, LambdaEvent};
use portico_aws::{BootError, Cloud, Function, Settings};
use portico_billing::Completion;
use portico_domain::{
    AccountId, CaseId, Clock, ContractId, EntryId, EventId, FileId, SalesforceId, UserId,
    billing::{Invoice, Particulars, TimeEntry},
    cases::{Author, Case, CaseFilter, CaseSummary, Reading, Side, Status, TimelineEntry},
    contracts::{Contract, Provisions},
    events::Event,
    files::{Comparison, Declaration, File, FileRules, Space, Uploader, Verdict},
    people::{
        Account, Audience, ClientRole, InvoiceReaders, Membership, MembershipState, Position, Raiser,
        StaffRole, Viewer,
    },
};
use portico_store::{LineChange, PageSize, Store, Tenant};
use rust_decimal::Decimal;
use serde_json::{json, value::RawValue};
use sha2::{Digest, Sha256};

use crate::{
    guard::{Grant, Guard},
    stack::{ACCOUNT, REGION, Stack, now, predictable},
    steps::{OrgTap, Steps},
    template::Statement,
};

/// The manager of the client company, who is the contact of no case.
pub const MANAGER: &str = "11111111-1111-4111-8111-111111111111";
/// Somebody of the same company who sees only their own cases.
pub const MEMBER: &str = "22222222-2222-4222-8222-222222222222";
/// Somebody who has left that company.
pub const LEAVER: &str = "33333333-3333-4333-8333-333333333333";
/// The manager of another company.
pub const STRANGER: &str = "44444444-4444-4444-8444-444444444444";
/// An agent of the consultancy.
pub const AGENT: &str = "55555555-5555-4555-8555-555555555555";

/// An administrator of the consultancy.
pub const ADMIN: &str = "66666666-6666-4666-8666-666666666666";

/// The path secret of the webhook.
pub const PATH_SECRET: &str = "synthetic-path-secret";

/// What callouts are signed with.
pub const SIGNING_KEY: &str = "synthetic-signing-key-of-this-year";

/// The partner event bus of the org's Event Relay.
pub const EVENT_BUS: &str = "aws.partner/salesforce.com/00DFk0000000001MAA/0YLFk0000000001AAA";

pub const PRIVATE_KEY: &str = include_str!("../../../fake-salesforce/tests/it/keys/test-private.pem");
const PUBLIC_KEY: &str = include_str!("../../../fake-salesforce/tests/it/keys/test-public.pem");

/// The text of the one upload.
pub const CONTENT: &str = "2026-11-21 08:14:02 printer3 offline\n";

/// An id that is only its kind and its place: `case_00000000000070008000000000000001`.
pub fn bits(place: u128) -> uuid::Uuid {
    uuid::Uuid::from_u128(0x7000_8000_0000_0000_0000 + place)
}

pub fn account() -> AccountId {
    AccountId::from_uuid(bits(0xa1))
}

pub fn other_account() -> AccountId {
    AccountId::from_uuid(bits(0xa2))
}

/// The member's case, in Salesforce as well, open.
pub fn open_case() -> CaseId {
    CaseId::from_uuid(bits(0xc1))
}

/// The member's case that Salesforce does not have yet.
pub fn new_case() -> CaseId {
    CaseId::from_uuid(bits(0xc2))
}

/// Somebody else's case of the same company, closed, with hours.
pub fn closed_case() -> CaseId {
    CaseId::from_uuid(bits(0xc3))
}

/// A file of the open case that can be downloaded.
pub fn file() -> FileId {
    FileId::from_uuid(bits(0xf1))
}

/// A file of the open case whose content has not arrived yet.
pub fn pending_file() -> FileId {
    FileId::from_uuid(bits(0xf2))
}

/// A file that the member has staged for a case that is still being written.
pub fn staged_file() -> FileId {
    FileId::from_uuid(bits(0xf3))
}

/// A new version of [`file`].
pub fn newer_file() -> FileId {
    FileId::from_uuid(bits(0xf4))
}

pub fn user(text: &str) -> UserId {
    text.parse().unwrap()
}

fn salesforce_id(text: &str) -> SalesforceId {
    text.parse().unwrap()
}

pub struct World {
    pub stack: Stack,
    /// Stops when it is dropped.
    pub org: FakeSalesforce,
    pub store: Store,
    /// What the functions send, one process at a time.
    pub steps: Arc<Steps>,
}

/// A function between the cloud and its guard.
pub struct Guarded {
    pub function: Function,
    pub guard: Guard,
}

impl World {
    pub async fn start() -> Self {
        Self::start_at(Clock::fixed(now())).await
    }

    /// As [`World::start`], at this time.
    pub async fn start_at(clock: Clock) -> Self {
        Self::around_stack(Stack::start_at(clock).await).await
    }

    /// A world in this stack, at its time.
    pub async fn around_stack(stack: Stack) -> Self {
        let config = org_config(&stack.clock);
        let org = FakeSalesforce::start(config.clone()).await.unwrap();
        let address = org.address().as_str().trim_end_matches('/').to_owned();
        Self::around(stack, config, org, address, Arc::default()).await
    }

    /// As [`World::start`], at this time, and with the org behind the [`Steps`] that also count what goes to AWS.
    pub async fn start_watched(clock: Clock) -> Self {
        let stack = Stack::start_at(clock).await;
        let tap = OrgTap::bind().await;
        let url = tap.url().to_owned();
        let config = fake_salesforce::Config { login_url: Some(url.clone()), ..org_config(&stack.clock) };
        let org = FakeSalesforce::start(config.clone()).await.unwrap();
        org.set_settings(fake_salesforce::Settings { instance_url: Some(url.clone()), ..org.settings() });
        let steps = Arc::new(Steps::default());
        tap.serve(org.address().as_str().trim_end_matches('/').to_owned(), Arc::clone(&steps));
        Self::around(stack, config, org, url, steps).await
    }

    async fn around(
        mut stack: Stack,
        config: fake_salesforce::Config,
        org: FakeSalesforce,
        address: String,
        steps: Arc<Steps>,
    ) -> Self {
        stack.names.set("SalesforceLoginUrl", address);
        stack.names.set("SalesforceEventBus", EVENT_BUS);
        let salesforce = json!({
            "consumer_key": config.consumer_key,
            "username": config.username,
            "private_key": PRIVATE_KEY,
        });
        let webhook = json!({
            "path_secrets": [PATH_SECRET],
            "signing_keys": [SIGNING_KEY],
            "organization_id": config.organization_id,
            "action_ids": fake_salesforce::actions().map(|(_, id)| id).collect::<Vec<_>>(),
        });
        let secrets = stack.emulators.secrets();
        secrets.put("SalesforceSecret", &salesforce.to_string()).await.unwrap();
        secrets.put("WebhookSecret", &webhook.to_string()).await.unwrap();
        let world = Self { store: stack.store(), stack, org, steps };
        world.furnish().await;
        world
    }

    /// The variables that the template gives a function.
    pub fn variables(&self, binary: &str) -> BTreeMap<String, String> {
        let function = self.stack.template.function(binary);
        function
            .variables()
            .iter()
            .map(|(name, value)| (name.clone(), self.stack.names.text(value)))
            .collect()
    }

    /// What a function's policy allows.
    pub fn grants(&self, binary: &str) -> Vec<Grant> {
        let statements = self.stack.template.function(binary).statements();
        let grants = statements.iter().flat_map(|Statement { actions, resources }| {
            actions.iter().flat_map(|action| {
                let grant =
                    |resource| Grant { action: action.clone(), resource: self.stack.names.text(resource) };
                resources.iter().map(grant)
            })
        });
        grants.collect()
    }

    /// Starts a function as Lambda would.
    pub async fn boot(&self, binary: &str) -> Guarded {
        let guard = self.guard(self.grants(binary)).await;
        let function = self.boot_with(binary, self.variables(binary), &guard).await.unwrap();
        Guarded { function, guard }
    }

    pub async fn guard(&self, grants: Vec<Grant>) -> Guard {
        let emulators = &self.stack.emulators;
        Guard::start(
            grants,
            emulators.dynamodb_url(),
            emulators.aws_url(),
            format!("{REGION}:{ACCOUNT}"),
            Arc::clone(&self.steps),
        )
        .await
    }

    /// Starts a function with these variables of its own.
    pub async fn boot_with(
        &self,
        binary: &str,
        variables: BTreeMap<String, String>,
        guard: &Guard,
    ) -> Result<Function, BootError> {
        let mut settings = Stack::runtime_settings(guard.url(), guard.url());
        for (name, value) in variables {
            // The gateway has a host name of its own, which no endpoint variable moves.
            let gateway = format!("https://{}.execute-api.{REGION}.amazonaws.com", crate::stack::LIVE_API);
            settings.insert(name, value.replace(&gateway, guard.url()));
        }
        let cloud = Cloud::new(Settings::new(settings), self.stack.clock.clone(), self.stack.random.clone());
        match binary {
            "archive-assembly" => archive_assembly::function(&cloud).await,
            "billing-cycles" => billing_cycles::function(&cloud).await,
            "billing-preview" => billing_preview::function(&cloud).await,
            "case-archives" => case_archives::function(&cloud).await,
            "case-changes" => case_changes::function(&cloud).await,
            "case-conversation" => case_conversation::function(&cloud).await,
            "audit-recording" => audit_recording::function(&cloud).await,
            "audit-trail" => audit_trail::function(&cloud).await,
            "case-listing" => case_listing::function(&cloud).await,
            "case-submission" => case_submission::function(&cloud).await,
            "event-relay" => event_relay::function(&cloud).await,
            "file-changes" => file_changes::function(&cloud).await,
            "file-disposal" => file_disposal::function(&cloud).await,
            "invoice-disputes" => invoice_disputes::function(&cloud).await,
            "invoice-drafting" => invoice_drafting::function(&cloud).await,
            "invoice-generation" => invoice_generation::function(&cloud).await,
            "invoice-listing" => invoice_listing::function(&cloud).await,
            "invoice-rendering" => invoice_rendering::function(&cloud).await,
            "live-connections" => live_connections::function(&cloud).await,
            "live-tickets" => live_tickets::function(&cloud).await,
            "malware-verdicts" => malware_verdicts::function(&cloud).await,
            "presigned-downloads" => presigned_downloads::function(&cloud).await,
            "presigned-uploads" => presigned_uploads::function(&cloud).await,
            "salesforce-change-events" => salesforce_change_events::function(&cloud).await,
            "salesforce-reconcile" => salesforce_reconcile::function(&cloud).await,
            "salesforce-sync" => salesforce_sync::function(&cloud).await,
            "salesforce-writer" => salesforce_writer::function(&cloud).await,
            "upload-confirmation" => upload_confirmation::function(&cloud).await,
            "webhook-receiver" => webhook_receiver::function(&cloud).await,
            other => panic!("{other} is in template.yaml and not here"),
        }
    }

    /// The open case as it stands.
    pub async fn case(&self, id: CaseId) -> Case {
        self.store.case(&self.tenant(), id).await.unwrap().unwrap()
    }

    /// The client company, on behalf of a record of it.
    pub fn tenant(&self) -> Tenant {
        Tenant::of_case(&case(open_case(), "Working", false))
    }

    /// A page of the cases of an account, as the consultancy sees them.
    pub async fn cases(&self, tenant: &Tenant, size: u16) -> Vec<CaseSummary> {
        let agent = Viewer::Staff { user: user(AGENT), role: StaffRole::Agent };
        let (everything, size) = (CaseFilter::default(), PageSize::new(size).unwrap());
        self.store.cases(tenant, &agent, &everything, size, None).await.unwrap().unwrap().items
    }

    /// A file of the client company as it stands.
    pub async fn file(&self, id: FileId) -> File {
        self.store.file(&self.tenant(), id).await.unwrap().unwrap()
    }

    /// Lets a file be what was declared and clean, with all that this brings.
    pub async fn make_available(&self, declared: File) -> File {
        let id = declared.id;
        let scanning = declared.compared(Comparison::AsDeclared, now()).unwrap();
        self.store.save_file(&File { version: 1, ..scanning }).await.unwrap();
        let clean = |file: &File| file.judged(Verdict::Clean, now());
        self.store.move_file(&self.tenant(), id, clean, now(), &self.stack.random).await.unwrap().unwrap()
    }

    /// [`newer_file`] becomes the latest version of [`file`].
    pub async fn renew_file(&self) -> File {
        let replaced = self.file(file()).await;
        self.make_available(declared(newer_file()).in_place_of(&replaced)).await
    }

    async fn furnish(&self) {
        let store = &self.store;
        for account in [company(), other_company()] {
            store.provision_account(&account).await.unwrap();
        }
        for membership in memberships() {
            store.provision_member(&membership).await.unwrap();
        }
        let open = case(open_case(), "Working", false);
        store.save_case(&open, &[], &[]).await.unwrap();
        store.save_case(&case(new_case(), "New", false), &[], &[]).await.unwrap();
        store.save_case(&case(closed_case(), "Resolved", true), &[], &[]).await.unwrap();
        store.save_contract(&contract(), &self.bill_changed()).await.unwrap();
        let closed = case(closed_case(), "Resolved", true);
        let closed = closed.touched(closed.last_activity_at);
        let logged = |entry: TimeEntry| LineChange {
            salesforce_id: entry.salesforce_id,
            line: TimelineEntry::of_hours(&entry),
            shown: entry.is_shown(),
            hours: Some(entry),
            before: None,
        };
        let hours: Vec<LineChange> = time_entries().into_iter().map(logged).collect();
        let event = Event::case_changed(&closed, now(), &self.stack.random);
        store.save_lines(&closed, &hours, &[event]).await.unwrap();
        store.save_file(&available(file())).await.unwrap();
        store.save_file(&declared(pending_file())).await.unwrap();
    }

    /// What is told of a contract or an expense of the client company, as of its closed case, under an id that no function
    /// makes.
    pub fn bill_changed(&self) -> Event {
        static TOLD: AtomicU64 = AtomicU64::new(1);
        let name = format!("bill changed {}", TOLD.fetch_add(1, Ordering::Relaxed));
        let event = Event::bill_changed(account(), Some(closed_case()), now(), &predictable());
        Event { id: EventId::of_request(&name, now()), ..event }
    }

    /// Issues the invoice of the closed case.
    pub async fn issue_invoice(&self) -> Invoice {
        let completion = Completion::WhenClosed;
        let found = portico_billing::of_case(&self.store, &self.tenant(), closed_case(), completion).await;
        let prepared = found.unwrap().unwrap();
        let random = &self.stack.random;
        portico_billing::issue(&self.store, prepared, None, now(), random).await.unwrap().invoice
    }
}

/// How the portal signs in to an org with this configuration.
pub fn credentials(config: &fake_salesforce::Config) -> portico_salesforce::Credentials {
    let credentials = json!({
        "consumer_key": config.consumer_key,
        "username": config.username,
        "private_key": PRIVATE_KEY,
    });
    serde_json::from_value(credentials).unwrap()
}

/// An org with demo data, at this time.
pub fn org_config(clock: &Clock) -> fake_salesforce::Config {
    let clock = clock.clone();
    let clock = fake_salesforce::Clock::from_fn(move || clock.now());
    fake_salesforce::Config { demo_data: true, clock, ..fake_salesforce::Config::local(PUBLIC_KEY) }
}

/// `event` as Lambda hands it over.
pub fn lambda_event(event: &str) -> LambdaEvent<Box<RawValue>> {
    LambdaEvent::new(serde_json::from_str(event).unwrap(), Context::default())
}

pub fn company() -> Account {
    Account {
        id: account(),
        salesforce_id: salesforce_id(NORDHAVEN.id),
        name: NORDHAVEN.name.to_owned(),
        // Salesforce says number 14.
        address: vec!["Speicherstrasse 12".to_owned(), "20457 Hamburg".to_owned(), "Germany".to_owned()],
        invoice_readers: InvoiceReaders::default(),
        version: 1,
    }
}

pub fn other_company() -> Account {
    Account {
        id: other_account(),
        salesforce_id: salesforce_id(fake_salesforce::demo::BRIGHTWATER.id),
        name: fake_salesforce::demo::BRIGHTWATER.name.to_owned(),
        address: Vec::new(),
        invoice_readers: InvoiceReaders::default(),
        version: 1,
    }
}

pub fn memberships() -> [Membership; 6] {
    let client = |account, role, contact: Option<&str>| Position::Client {
        account,
        role,
        contact: contact.map(salesforce_id),
    };
    let member = |id, name: &str, position, state| Membership {
        user: user(id),
        name: name.to_owned(),
        email: format!("{}@client.example", name.to_lowercase().replace(' ', ".")),
        position,
        state,
        version: 1,
    };
    let [mara, jonas] = NORDHAVEN.contacts;
    [
        member(
            MANAGER,
            "Mara Lindqvist",
            client(account(), ClientRole::Manager, Some(mara.id)),
            MembershipState::Active,
        ),
        member(
            MEMBER,
            "Jonas Weber",
            client(account(), ClientRole::Member, Some(jonas.id)),
            MembershipState::Active,
        ),
        member(
            LEAVER,
            "Lea Former",
            client(account(), ClientRole::Manager, None),
            MembershipState::Deactivated,
        ),
        member(
            STRANGER,
            "Priya Shah",
            client(other_account(), ClientRole::Manager, None),
            MembershipState::Active,
        ),
        member(AGENT, "Sam Keller", Position::Staff { role: StaffRole::Agent }, MembershipState::Active),
        member(ADMIN, "Robin Vance", Position::Staff { role: StaffRole::Admin }, MembershipState::Active),
    ]
}

/// A case of the client company at its first version.
pub fn case(id: CaseId, status: &str, closed: bool) -> Case {
    let [in_salesforce, _, resolved] = NORDHAVEN.case_ids;
    let (salesforce, number) = if closed { (resolved, "00000903") } else { (in_salesforce, "00000901") };
    let at = "2026-11-16T08:00:00Z".parse().unwrap();
    let reading = Reading {
        salesforce_id: salesforce_id(salesforce),
        number: number.to_owned(),
        contact: None,
        subject: "Label printer in hall 3 is offline".to_owned(),
        description: "Since this morning nothing comes out.".to_owned(),
        status: Status { label: status.to_owned(), closed },
        kind: Some("Problem".to_owned()),
        priority: "Medium".to_owned(),
        contract: None,
        created_at: at,
        closed_at: closed.then(|| "2026-11-20T15:00:00Z".parse().unwrap()),
        modstamp: at,
    };
    let mut case = Case::discovered(id, account(), reading, at).case;
    if !closed {
        let [_, jonas] = NORDHAVEN.contacts;
        let contact = Some(salesforce_id(jonas.id));
        case.audience = Audience { raised_by: Some(Raiser { user: user(MEMBER), contact }), contact };
    }
    if id == new_case() {
        case.salesforce_id = None;
        case.number = None;
        case.confirmed = None;
    }
    case
}

pub fn contract() -> Contract {
    Contract {
        id: ContractId::of_salesforce(&salesforce_id(NORDHAVEN.contract_id)),
        account: account(),
        salesforce_id: salesforce_id(NORDHAVEN.contract_id),
        name: "Support 2026".to_owned(),
        currency: "EUR".parse().unwrap(),
        hourly_rate: Some(Decimal::from(120)),
        tax_percent: Some(Decimal::from(19)),
        payment_terms_days: 30,
        valid_from: "2026-01-01".parse().unwrap(),
        valid_to: None,
        time_zone: "Europe/Berlin".to_owned(),
        purchase_order: Some("PO-2026-118".to_owned()),
        rates: Vec::new(),
        provisions: Provisions::default(),
        milestones: Vec::new(),
        blocks: Vec::new(),
        amendments: Vec::new(),
        modstamp: "2026-01-01T00:00:00Z".parse().unwrap(),
        version: 1,
    }
}

pub fn time_entries() -> [TimeEntry; 2] {
    let entry = |place, minutes, description: &str| TimeEntry {
        id: EntryId::from_uuid(bits(place)),
        salesforce_id: salesforce_id(if minutes > 60 { "a01Fk0000000101IAA" } else { "a01Fk0000000102IAA" }),
        case: closed_case(),
        worked_on: "2026-11-18".parse().unwrap(),
        minutes,
        description: description.to_owned(),
        person: "Sam Keller".to_owned(),
        particulars: Particulars::default(),
        billable: true,
        deleted: false,
        created_at: "2026-11-18T17:00:00Z".parse().unwrap(),
        modstamp: "2026-11-18T17:00:00Z".parse().unwrap(),
        version: 1,
    };
    [entry(0xe1, 95, "Found and removed the duplicate print queue"), entry(0xe2, 20, "Checked with hall 3")]
}

/// Who uploads files here: the member.
pub fn uploader() -> Uploader {
    Uploader { user: user(MEMBER), author: Author { side: Side::Client, name: "Jonas Weber".to_owned() } }
}

/// Room for a handful of small files.
pub fn file_rules() -> FileRules {
    FileRules {
        file_bytes: 1 << 30,
        case: Space { files: 10, bytes: 1 << 30 },
        account_bytes: 2 << 30,
        categories: vec!["Log".to_owned().try_into().unwrap()],
        retention: None,
    }
}

/// A file whose content was compared and scanned.
pub fn available(id: FileId) -> File {
    let compared = declared(id).compared(Comparison::AsDeclared, now()).unwrap();
    let available = compared.judged(Verdict::Clean, now()).unwrap();
    File { version: 1, ..available }
}

pub fn declared(id: FileId) -> File {
    let declaration = Declaration {
        name: "printer.log".to_owned().try_into().unwrap(),
        size: u64::try_from(CONTENT.len()).unwrap(),
        content_type: "text/plain".to_owned().try_into().unwrap(),
        sha256: hex::encode(Sha256::digest(CONTENT)).try_into().unwrap(),
    };
    File::declare(id, account(), Some(open_case()), declaration, uploader(), now())
}
