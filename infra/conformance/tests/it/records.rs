//! The store's use cases on DynamoDB: commands that happen once, tenants that stay apart, numbers without gaps.

use std::{collections::BTreeSet, sync::Arc};

use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};
use portico_billing::Prepared;
use portico_domain::{
    CaseId, ContractId, InvoiceId,
    billing::{self, ContractBalance, Input, Scope, Subject, TimeEntry},
    cases::{Case, CaseFilter, CaseSummary, Happening, Openness, TimelineEntry},
    contracts::Contract,
    events::{Event, Fact},
    people::{
        Account, Audience, ClientRole, Membership, MembershipState, Position, Raiser, StaffRole, Viewer,
    },
};
use portico_store::{
    Answer, ClientPerson, Cursor, CursorError, Declared, Delivery, IssueError, Page, PageSize, Person,
    Repeat, Store, StoreError, Tenant, Ticket,
};

use crate::{
    outbox,
    stack::{Stack, now},
    world::{
        AGENT, LEAVER, MANAGER, MEMBER, STRANGER, case, closed_case, company, contract, declared, file,
        file_rules, memberships, open_case, other_account, other_company, time_entries, user,
    },
};

/// A stack, its store, and people and accounts in it.
struct Scene {
    stack: Stack,
    store: Store,
}

impl Scene {
    async fn start() -> Self {
        let stack = Stack::start().await;
        let store = stack.store();
        for account in [company(), other_company()] {
            store.provision_account(&account).await.unwrap();
        }
        for membership in memberships() {
            store.provision_member(&membership).await.unwrap();
        }
        Self { stack, store }
    }

    async fn client(&self, id: &str) -> ClientPerson {
        match self.store.identify(&user(id)).await.unwrap() {
            Some(Person::Client(person)) => person,
            other => panic!("{id}: {other:?}"),
        }
    }

    /// A case of the member that is raised at `at`; every call makes another one.
    fn raised(&self, at: Timestamp) -> (Case, TimelineEntry, Event) {
        let id = CaseId::new(at, &self.stack.random);
        let case = Case { number: None, salesforce_id: None, ..case(id, "New", false) };
        let entry = TimelineEntry::new(Happening::Submitted, at, &self.stack.random);
        let event =
            Event::about(&case, Fact::CaseSubmitted { case: id, files: Vec::new() }, at, &self.stack.random);
        (case, entry, event)
    }

    /// Raises a new case with this ticket.
    async fn raise(&self, ticket: &Ticket) -> (CaseId, Declared) {
        let (case, _, event) = self.raised(now());
        (case.id, self.store.open_case(ticket, &case, &[], &[], &file_rules(), &event).await.unwrap())
    }

    async fn cases(&self, tenant: &Tenant) -> Vec<CaseSummary> {
        listed(&self.store, tenant, PageSize::new(PageSize::MAX).unwrap(), None).await.unwrap().items
    }
}

/// Somebody who sees every case.
fn agent() -> Viewer {
    Viewer::Staff { user: user(AGENT), role: StaffRole::Agent }
}

/// A page of every case of an account.
async fn listed(
    store: &Store,
    tenant: &Tenant,
    size: PageSize,
    cursor: Option<Cursor>,
) -> Result<Page<CaseSummary>, CursorError> {
    store.cases(tenant, &agent(), &CaseFilter::default(), size, cursor).await.unwrap()
}

/// The client company.
fn own() -> Tenant {
    Tenant::of_case(&case(open_case(), "New", false))
}

/// Another company.
fn foreign() -> Tenant {
    Tenant::of_case(&Case { account: other_account(), ..case(open_case(), "New", false) })
}

fn ticket(tenant: &Tenant, who: &str, key: &str, body: &[u8], at: Timestamp) -> Ticket {
    Ticket::new(tenant, &user(who), "POST /cases", key, body, at)
}

fn after(seconds: i64) -> Timestamp {
    now() + SignedDuration::from_secs(seconds)
}

fn answer(body: &str) -> Answer {
    Answer { status: 201, body: body.to_owned(), location: Some("/cases/1".to_owned()) }
}

#[tokio::test]
async fn case_i01_a_key_belongs_to_one_body_and_waits_for_its_answer() {
    let scene = Scene::start().await;
    let at = |seconds| ticket(&own(), MEMBER, "key", b"body", after(seconds));
    let (made, commit) = scene.raise(&at(0)).await;
    assert_eq!(commit, Declared::Done);
    assert_eq!(scene.store.earlier(&at(0)).await.unwrap(), Some(Repeat::InFlight));
    // Whoever does it is about to answer, as long as it may run.
    let timeout = scene.stack.template.globals()["Timeout"].as_i64().unwrap();
    for seconds in [1, timeout] {
        assert_eq!(scene.raise(&at(seconds)).await.1, Declared::Repeated(Repeat::InFlight), "{seconds}");
    }
    let other = |seconds| ticket(&own(), MEMBER, "key", b"other", after(seconds));
    assert_eq!(scene.raise(&other(1)).await.1, Declared::Repeated(Repeat::OtherBody));
    // It died before it could.
    let late = timeout + 2;
    assert_eq!(scene.raise(&at(late)).await.1, Declared::Repeated(Repeat::Unanswered(made.to_string())));
    assert_eq!(scene.raise(&other(late)).await.1, Declared::Repeated(Repeat::OtherBody));
    let given = scene.store.answer(&at(late), answer("first")).await.unwrap();
    assert_eq!(given, answer("first"));
    for seconds in [0, 1, 60, 3_600] {
        assert_eq!(scene.raise(&at(seconds)).await.1, Declared::Repeated(Repeat::Answered(answer("first"))));
    }
    assert_eq!(scene.raise(&other(3_600)).await.1, Declared::Repeated(Repeat::OtherBody));
    assert_eq!(scene.cases(&own()).await.iter().map(|case| case.case).collect::<Vec<_>>(), [made]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn case_i02_of_many_equal_requests_at_once_one_makes_a_case() {
    let scene = Arc::new(Scene::start().await);
    let attempts = (0..8).map(|_| {
        let scene = Arc::clone(&scene);
        tokio::spawn(async move { scene.raise(&ticket(&own(), MEMBER, "key", b"body", now())).await })
    });
    let outcomes: Vec<(CaseId, Declared)> =
        join_all(attempts).await.into_iter().map(Result::unwrap).collect();
    let done: Vec<CaseId> =
        outcomes.iter().filter(|(_, commit)| *commit == Declared::Done).map(|(id, _)| *id).collect();
    assert_eq!(done.len(), 1, "{outcomes:?}");
    let waiting = outcomes.iter().filter(|(_, commit)| *commit == Declared::Repeated(Repeat::InFlight));
    assert_eq!(waiting.count(), 7, "{outcomes:?}");
    assert_eq!(scene.cases(&own()).await.iter().map(|case| case.case).collect::<Vec<_>>(), done);
    assert_eq!(
        outbox::facts(&scene.stack.emulators).await,
        [Fact::CaseSubmitted { case: done[0], files: Vec::new() }]
    );
}

/// Two who come to answer the same command give the same answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn case_i02_the_answer_that_is_kept_first_is_everybodys() {
    let scene = Arc::new(Scene::start().await);
    let spent = ticket(&own(), MEMBER, "key", b"body", now());
    scene.raise(&spent).await;
    let attempts = (0..8).map(|number| {
        let (scene, spent) = (Arc::clone(&scene), spent.clone());
        tokio::spawn(async move { scene.store.answer(&spent, answer(&number.to_string())).await.unwrap() })
    });
    let given: BTreeSet<String> =
        join_all(attempts).await.into_iter().map(|answer| answer.unwrap().body).collect();
    assert_eq!(given.len(), 1, "{given:?}");
    let Some(Repeat::Answered(kept)) = scene.store.earlier(&spent).await.unwrap() else {
        panic!("no answer")
    };
    assert_eq!(Some(&kept.body), given.first());
}

/// A crash between commit and answer, or a refusal of the effect, leaves all of it or nothing.
#[tokio::test]
async fn case_i03_a_ticket_is_spent_with_its_effect_or_not_at_all() {
    let scene = Scene::start().await;
    let (case, _, event) = scene.raised(now());
    scene.store.save_case(&case, &[], &[]).await.unwrap();
    let spent = ticket(&own(), MEMBER, "key", b"body", now());
    // The case is there already, so the effect is refused.
    let outcome = scene.store.open_case(&spent, &case, &[], &[], &file_rules(), &event).await;
    assert!(matches!(outcome, Err(StoreError::Conflict)), "{outcome:?}");
    assert_eq!(scene.store.earlier(&spent).await.unwrap(), None);
    assert_eq!(outbox::facts(&scene.stack.emulators).await, []);
    assert_eq!(scene.raise(&spent).await.1, Declared::Done);
}

#[tokio::test]
async fn case_i04_the_same_key_of_another_tenant_user_or_operation_is_another_key() {
    let scene = Scene::start().await;
    let tickets = [
        ticket(&own(), MEMBER, "key", b"body", now()),
        ticket(&own(), MANAGER, "key", b"body", now()),
        ticket(&foreign(), MEMBER, "key", b"body", now()),
        Ticket::new(&own(), &user(MEMBER), "POST /files", "key", b"body", now()),
        // Would be the first one if the parts were only strung together.
        Ticket::new(&own(), &user(MEMBER), "POST /case", "skey", b"body", now()),
    ];
    for ticket in &tickets {
        assert_eq!(scene.raise(ticket).await.1, Declared::Done, "{ticket:?}");
        assert_eq!(scene.raise(ticket).await.1, Declared::Repeated(Repeat::InFlight), "{ticket:?}");
    }
}

#[tokio::test]
async fn case_i05_a_record_past_its_expiry_is_none_even_before_it_is_swept() {
    const REMEMBERED: i64 = 48 * 3_600;
    let scene = Scene::start().await;
    let at = |seconds| ticket(&own(), MEMBER, "key", b"body", after(seconds));
    let (first, _) = scene.raise(&at(0)).await;
    scene.store.answer(&at(0), answer("first")).await.unwrap();
    assert_eq!(
        scene.store.earlier(&at(REMEMBERED - 1)).await.unwrap(),
        Some(Repeat::Answered(answer("first")))
    );
    assert_eq!(
        scene.raise(&at(REMEMBERED - 1)).await.1,
        Declared::Repeated(Repeat::Answered(answer("first")))
    );
    assert_eq!(scene.store.earlier(&at(REMEMBERED)).await.unwrap(), None);
    let (second, commit) = scene.raise(&at(REMEMBERED)).await;
    assert_eq!(commit, Declared::Done);
    let cases: BTreeSet<CaseId> = scene.cases(&own()).await.iter().map(|case| case.case).collect();
    assert_eq!(cases, BTreeSet::from([first, second]));
}

#[tokio::test]
async fn case_w14_a_delivery_is_remembered_until_it_expires() {
    let scene = Scene::start().await;
    let delivery = Delivery::new("salesforce", b"message");
    assert!(!scene.store.taken_before(&delivery, now()).await.unwrap());
    scene.store.remember(&delivery, now()).await.unwrap();
    scene.store.remember(&delivery, after(1)).await.unwrap();
    assert!(scene.store.taken_before(&delivery, after(47 * 3_600)).await.unwrap());
    assert!(!scene.store.taken_before(&delivery, after(48 * 3_600)).await.unwrap());
    for other in [Delivery::new("salesforce", b"massage"), Delivery::new("stripe", b"message")] {
        assert!(!scene.store.taken_before(&other, now()).await.unwrap());
    }
}

#[tokio::test]
async fn case_t01_nothing_of_another_account_is_there() {
    let scene = Scene::start().await;
    let store = &scene.store;
    let entry = TimelineEntry::new(Happening::Submitted, now(), &scene.stack.random);
    store.save_case(&case(open_case(), "New", false), &[entry], &[]).await.unwrap();
    store.save_file(&declared(file())).await.unwrap();
    let agreed = Event::bill_changed(contract().account, None, now(), &scene.stack.random);
    store.save_contract(&contract(), &agreed).await.unwrap();
    store.save_case(&closed(), &[], &[]).await.unwrap();
    let invoiced = attempt(&scene, closed_case(), &contract()).await.unwrap();
    let page = PageSize::DEFAULT;
    for (tenant, there) in [(own(), true), (foreign(), false)] {
        assert_eq!(store.case(&tenant, open_case()).await.unwrap().is_some(), there);
        assert_eq!(store.file(&tenant, file()).await.unwrap().is_some(), there);
        assert_eq!(store.invoice(&tenant, invoiced).await.unwrap().is_some(), there);
        assert_eq!(store.files(&tenant, open_case()).await.unwrap().len(), usize::from(there));
        assert_eq!(store.contracts(&tenant).await.unwrap().len(), usize::from(there));
        assert_eq!(listed(store, &tenant, page, None).await.unwrap().items.len(), 2 * usize::from(there));
        assert_eq!(
            store.invoices(&tenant, page, None).await.unwrap().unwrap().items.len(),
            usize::from(there)
        );
        let members = store.members(&tenant).await.unwrap();
        let own_people = members.iter().all(|member| match &member.position {
            Position::Client { account, .. } => *account == tenant.account(),
            Position::Staff { .. } => false,
        });
        assert!(own_people && !members.is_empty());
    }
}

/// A cursor holds no partition: somebody else's leads into one's own records, or nowhere.
#[tokio::test]
async fn case_t12_a_cursor_of_another_account_stays_in_ones_own() {
    let scene = Scene::start().await;
    for place in 0..6 {
        let (mut case, entry, _) = scene.raised(after(place));
        case.last_activity_at = after(place);
        if place % 2 == 0 {
            case.account = other_account();
        }
        scene.store.save_case(&case, &[entry], &[]).await.unwrap();
    }
    let one = PageSize::new(1).unwrap();
    let theirs = listed(&scene.store, &foreign(), one, None).await.unwrap();
    let cursor: Cursor = theirs.next.unwrap().to_string().parse().unwrap();
    let most = PageSize::new(PageSize::MAX).unwrap();
    let page = listed(&scene.store, &own(), most, Some(cursor.clone())).await.unwrap();
    assert!(!page.items.is_empty());
    for found in &page.items {
        assert!(scene.store.case(&own(), found.case).await.unwrap().is_some(), "{found:?}");
    }
    // Of another list it is no cursor at all.
    assert!(scene.store.invoices(&own(), most, Some(cursor)).await.unwrap().is_err());
}

/// Page by page, everything comes once, the newest activity first.
#[tokio::test]
async fn cases_come_page_by_page_newest_activity_first() {
    let scene = Scene::start().await;
    for place in 0..7 {
        let (mut case, ..) = scene.raised(after(place));
        // The order of activity is not that of the ids.
        case.last_activity_at = after((place * 3) % 7);
        scene.store.save_case(&case, &[], &[]).await.unwrap();
    }
    let mut cursor = None;
    let mut seen = Vec::new();
    for _ in 0..4 {
        let three = PageSize::new(3).unwrap();
        let page = listed(&scene.store, &own(), three, cursor).await.unwrap();
        seen.extend(page.items.into_iter().map(|case| (case.last_activity_at, case.case)));
        cursor = page.next.map(|next| next.to_string().parse().unwrap());
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen.len(), 7);
    assert!(seen.is_sorted_by(|a, b| a.0 > b.0), "{seen:?}");
}

/// A member's list is put together from two indexes. Whoever raised a case and whoever is its contact: page by page it
/// is what they may see, each case once, and with a filter what of it they ask for.
#[tokio::test]
async fn a_members_list_is_what_they_may_see() {
    let scene = Scene::start().await;
    let contact = |id: &str| Some(id.parse().unwrap());
    let (mine, other) = (contact("003Fk0000000002IAA"), contact("003Fk0000000001IAA"));
    let raisers = [
        None,
        Some(Raiser { user: user(MEMBER), contact: mine }),
        Some(Raiser { user: user(MEMBER), contact: None }),
        Some(Raiser { user: user(MANAGER), contact: other }),
    ];
    let mut stored = Vec::new();
    for place in 0..60 {
        let (mut case, ..) = scene.raised(after(place));
        let at = usize::try_from(place).unwrap();
        case.last_activity_at = after((place * 7) % 60);
        case.status.closed = at % 3 == 0;
        case.audience =
            Audience { raised_by: raisers[at % 4].clone(), contact: [None, mine, other][(at / 4) % 3] };
        scene.store.save_case(&case, &[], &[]).await.unwrap();
        stored.push(case);
    }
    stored.sort_by_key(|case| std::cmp::Reverse(case.last_activity_at));
    let viewers = [
        Viewer::Client { user: user(MEMBER), role: ClientRole::Member, contact: mine },
        Viewer::Client { user: user(MEMBER), role: ClientRole::Billing, contact: None },
        Viewer::Client { user: user(MANAGER), role: ClientRole::Manager, contact: other },
        Viewer::Client { user: user(STRANGER), role: ClientRole::Member, contact: None },
    ];
    for (viewer, openness, size) in viewers.iter().flat_map(|viewer| {
        let sizes = [1, 7, 100].into_iter();
        sizes.flat_map(move |size| [(viewer, Openness::All, size), (viewer, Openness::Closed, size)])
    }) {
        let filter = CaseFilter { openness, ..CaseFilter::default() };
        let expected: Vec<CaseId> = stored
            .iter()
            .filter(|case| viewer.may_see(&case.audience))
            .filter(|case| filter.lets_through(&CaseSummary::from(*case)))
            .map(|case| case.id)
            .collect();
        let mut found = Vec::new();
        let mut cursor = None;
        for _ in 0..100 {
            let size = PageSize::new(size).unwrap();
            let page = scene.store.cases(&own(), viewer, &filter, size, cursor).await.unwrap().unwrap();
            assert!(page.items.len() <= usize::from(size.get()));
            found.extend(page.items.iter().map(|case| case.case));
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(found, expected, "{viewer:?} {filter:?} {size}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn case_t10_a_live_ticket_opens_once() {
    let scene = Arc::new(Scene::start().await);
    let person = scene.client(MEMBER).await;
    let (ticket, until) = scene.store.issue_live_ticket(&person, &scene.stack.random, now()).await.unwrap();
    assert_eq!(until, after(60));
    let attempts = (0..8).map(|_| {
        let (scene, ticket) = (Arc::clone(&scene), ticket.clone());
        tokio::spawn(async move { scene.store.redeem_live_ticket(&ticket, now()).await.unwrap() })
    });
    let opened: Vec<ClientPerson> = join_all(attempts).await.into_iter().filter_map(Result::unwrap).collect();
    assert_eq!(opened.len(), 1);
    assert_eq!(opened[0].viewer().user(), &user(MEMBER));
    let (late, _) = scene.store.issue_live_ticket(&person, &scene.stack.random, now()).await.unwrap();
    assert!(scene.store.redeem_live_ticket(&late, after(60)).await.unwrap().is_none());
}

async fn deactivate(scene: &Scene, id: &str) {
    let membership = scene.store.membership(&user(id)).await.unwrap().unwrap();
    let left = Membership { state: MembershipState::Deactivated, ..membership };
    scene.store.provision_member(&left).await.unwrap();
}

#[tokio::test]
async fn case_t09_who_left_is_nobody_opens_nothing_and_hears_nothing() {
    let scene = Scene::start().await;
    assert!(scene.store.identify(&user(LEAVER)).await.unwrap().is_none());
    let member = scene.client(MEMBER).await;
    let manager = scene.client(MANAGER).await;
    let (ticket, _) = scene.store.issue_live_ticket(&member, &scene.stack.random, now()).await.unwrap();
    scene.store.connect("of-member", &member, now()).await.unwrap();
    scene.store.connect("of-manager", &manager, now()).await.unwrap();
    let hearing = async || -> Vec<(String, bool)> {
        let listeners = scene.store.listeners(&own()).await.unwrap();
        listeners.into_iter().map(|listener| (listener.connection, listener.viewer.is_some())).collect()
    };
    assert_eq!(hearing().await, [("of-manager".to_owned(), true), ("of-member".to_owned(), true)]);
    deactivate(&scene, MEMBER).await;
    assert!(scene.store.identify(&user(MEMBER)).await.unwrap().is_none());
    assert!(scene.store.redeem_live_ticket(&ticket, now()).await.unwrap().is_none());
    assert_eq!(hearing().await, [("of-manager".to_owned(), true), ("of-member".to_owned(), false)]);
}

/// A person who changes employer does not take the connection along.
#[tokio::test]
async fn case_t09_who_moved_to_another_account_hears_nothing_of_the_old_one() {
    let scene = Scene::start().await;
    let manager = scene.client(MANAGER).await;
    scene.store.connect("of-manager", &manager, now()).await.unwrap();
    let membership = scene.store.membership(&user(MANAGER)).await.unwrap().unwrap();
    let stranger = scene.store.membership(&user(STRANGER)).await.unwrap().unwrap();
    let moved = Membership { position: stranger.position, ..membership };
    scene.store.provision_member(&moved).await.unwrap();
    let listeners = scene.store.listeners(&own()).await.unwrap();
    assert!(listeners.iter().all(|listener| listener.viewer.is_none()) && listeners.len() == 1);
    assert_eq!(scene.store.listeners(&foreign()).await.unwrap().len(), 0);
    let members = scene.store.members(&own()).await.unwrap();
    assert!(members.iter().all(|member| member.user != user(MANAGER)));
}

/// The closed case, as one contract bills it.
fn closed() -> Case {
    case(closed_case(), "Resolved", true)
}

/// The bill of a case, as one contract prices it.
fn prepared(case: Case, contract: &Contract, balance: ContractBalance) -> Prepared {
    let agreement = contract.agreement().unwrap();
    let scope = Scope::Case { case: case.id, closed_on: contract.day_of(now()), part: 0 };
    let entries: Vec<TimeEntry> =
        time_entries().into_iter().map(|entry| TimeEntry { case: case.id, ..entry }).collect();
    let input = Input {
        agreement: &agreement,
        scope,
        earliest: None,
        entries: &entries,
        expenses: &[],
        deliveries: &[],
        before: &balance.carry,
    };
    Prepared {
        account: Account { id: case.account, ..company() },
        contract: contract.clone(),
        clauses: agreement.on(scope.completed_on()).unwrap().terms.clauses().clone(),
        scope,
        subject: Subject::of_case(&case),
        case: Some(case),
        bill: billing::price(input).unwrap(),
        balance,
    }
}

/// One attempt to issue the invoice of a case, as the function does it.
async fn attempt(scene: &Scene, case: CaseId, contract: &Contract) -> Result<InvoiceId, IssueError> {
    let case = scene.store.case(&own(), case).await?.unwrap();
    let balance = scene.store.balance(&own(), contract.id).await?;
    let prepared = prepared(case, contract, balance);
    let issued = portico_billing::issue(&scene.store, prepared, None, now(), &scene.stack.random).await?;
    Ok(issued.invoice.id)
}

/// Until it is issued, or was by somebody else. How many attempts that takes has a bound: every lost race is
/// somebody's issued invoice.
async fn issue_at_last(scene: &Scene, case: CaseId, contract: &Contract) -> bool {
    for _ in 0..50 {
        match attempt(scene, case, contract).await {
            Ok(_) => return true,
            Err(IssueError::AlreadyIssued) => return false,
            Err(IssueError::Raced) => {}
            Err(error) => panic!("{error}"),
        }
    }
    panic!("no progress")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn case_b03_eight_issuers_at_once_leave_no_gap_and_no_number_twice() {
    let scene = Arc::new(Scene::start().await);
    let mut ids = Vec::new();
    for place in 0..8 {
        let (case, ..) = scene.raised(after(place));
        scene.store.save_case(&case, &[], &[]).await.unwrap();
        ids.push(case.id);
    }
    let issuers = ids.into_iter().map(|case| {
        let scene = Arc::clone(&scene);
        tokio::spawn(async move { issue_at_last(&scene, case, &contract()).await })
    });
    for issued in join_all(issuers).await {
        assert!(issued.unwrap());
    }
    let most = PageSize::new(PageSize::MAX).unwrap();
    let invoices = scene.store.invoices(&own(), most, None).await.unwrap().unwrap().items;
    let mut numbers: Vec<&str> = invoices.iter().map(|invoice| invoice.number.as_str()).collect();
    numbers.sort_unstable();
    let expected: Vec<String> = (1..=8).map(|count| format!("2026-{count:06}")).collect();
    assert_eq!(numbers, expected);
    assert_eq!(scene.store.next_in_series("invoices/2026".to_owned()).await.unwrap().count, 9);
    assert_eq!(scene.store.next_in_series("invoices/2027".to_owned()).await.unwrap().count, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn case_b09_two_triggers_for_one_case_issue_one_invoice() {
    let scene = Arc::new(Scene::start().await);
    scene.store.save_case(&closed(), &[], &[]).await.unwrap();
    let triggers = (0..4).map(|_| {
        let scene = Arc::clone(&scene);
        tokio::spawn(async move { issue_at_last(&scene, closed_case(), &contract()).await })
    });
    let issued: Vec<bool> = join_all(triggers).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(issued.iter().filter(|issued| **issued).count(), 1, "{issued:?}");
    // A number is taken only by what is issued.
    assert_eq!(scene.store.next_in_series("invoices/2026".to_owned()).await.unwrap().count, 2);
    let facts = outbox::facts(&scene.stack.emulators).await;
    let invoices = facts.iter().filter(|fact| matches!(fact, Fact::InvoiceIssued { .. })).count();
    assert_eq!(invoices, 1, "{facts:?}");
    // Under another contract it is another invoice.
    let other = Contract { id: ContractId::of_salesforce(&company().salesforce_id), ..contract() };
    assert!(issue_at_last(&scene, closed_case(), &other).await);
    assert_eq!(scene.store.next_in_series("invoices/2026".to_owned()).await.unwrap().count, 3);
}

async fn numbered(scene: &Scene, case: CaseId) -> usize {
    let page = PageSize::new(PageSize::MAX).unwrap();
    let case = scene.store.case(&own(), case).await.unwrap().unwrap();
    let timeline = scene.store.timeline(&case, page, None).await.unwrap().unwrap();
    timeline.items.iter().filter(|entry| matches!(entry.happening, Happening::Numbered { .. })).count()
}

/// Whoever hands the case over, the answer from Salesforce is written down once.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn case_r01_a_case_gets_its_number_once() {
    let scene = Arc::new(Scene::start().await);
    let (case, entry, _) = scene.raised(now());
    scene.store.save_case(&case, &[entry], &[]).await.unwrap();
    let salesforce_id = "500000000000001AAA".parse().unwrap();
    let attempts = (0..4).map(|_| {
        let (scene, case) = (Arc::clone(&scene), case.clone());
        tokio::spawn(async move {
            scene
                .store
                .number_case(&case, salesforce_id, "00001042", now(), &scene.stack.random)
                .await
                .unwrap()
        })
    });
    for outcome in join_all(attempts).await {
        assert_eq!(outcome.unwrap().number.as_deref(), Some("00001042"));
    }
    assert_eq!(numbered(&scene, case.id).await, 1);
    let again =
        scene.store.number_case(&case, salesforce_id, "00001042", now(), &scene.stack.random).await.unwrap();
    assert_eq!((again.version, numbered(&scene, case.id).await), (2, 1));
    assert_eq!(scene.store.case_of(salesforce_id).await.unwrap().unwrap().id, case.id);
}

/// Somebody wrote the case after it was read: the number still arrives, and their change stays.
#[tokio::test]
async fn a_number_is_written_on_what_stands_now() {
    let scene = Scene::start().await;
    let (stale, ..) = scene.raised(now());
    scene.store.save_case(&stale, &[], &[]).await.unwrap();
    let changed = Case { priority: "High".to_owned(), ..stale.touched(after(1)) };
    scene.store.save_case(&changed, &[], &[]).await.unwrap();
    let salesforce_id = "500000000000001AAA".parse().unwrap();
    let case =
        scene.store.number_case(&stale, salesforce_id, "7", after(2), &scene.stack.random).await.unwrap();
    assert_eq!((case.version, case.priority.as_str()), (3, "High"));
    assert_eq!(scene.store.case(&own(), stale.id).await.unwrap(), Some(case));
}

#[tokio::test]
async fn a_lost_race_is_an_error_and_never_a_lost_update() {
    let scene = Scene::start().await;
    let first = case(open_case(), "New", false);
    scene.store.save_case(&first, &[], &[]).await.unwrap();
    let (one, other) =
        (first.touched(after(1)), Case { priority: "Low".to_owned(), ..first.touched(after(2)) });
    scene.store.save_case(&one, &[], &[]).await.unwrap();
    let entry = TimelineEntry::new(Happening::Submitted, now(), &scene.stack.random);
    let event = Event::case_changed(&other, now(), &scene.stack.random);
    for outcome in [
        scene.store.save_case(&other, std::slice::from_ref(&entry), std::slice::from_ref(&event)).await,
        scene.store.save_case(&first, &[], &[]).await,
    ] {
        assert!(matches!(outcome, Err(StoreError::Conflict)), "{outcome:?}");
    }
    assert_eq!(scene.store.case(&own(), open_case()).await.unwrap(), Some(one.clone()));
    // Nothing of the lost write stands: no line, no event.
    assert_eq!(scene.store.line(&one, entry.at, entry.id).await.unwrap(), None);
    assert_eq!(outbox::facts(&scene.stack.emulators).await, []);
}

/// A case moves to another account in one step: there is no moment at which both, or neither, have it.
#[tokio::test]
async fn case_w21_a_case_moves_whole() {
    let scene = Scene::start().await;
    let from = case(open_case(), "Working", false);
    scene.store.save_case(&from, &[], &[]).await.unwrap();
    let to = Case { account: other_account(), version: 1, ..from.clone() };
    let event = Event::case_changed(&to, now(), &scene.stack.random);
    let stale = Case { version: 9, ..from.clone() };
    let lost = scene.store.move_case(&stale, &to, std::slice::from_ref(&event)).await;
    assert!(matches!(lost, Err(StoreError::Conflict)), "{lost:?}");
    assert_eq!(scene.store.case(&own(), from.id).await.unwrap(), Some(from.clone()));
    assert_eq!(scene.store.case(&foreign(), from.id).await.unwrap(), None);
    scene.store.move_case(&from, &to, &[event]).await.unwrap();
    assert_eq!(scene.store.case(&own(), from.id).await.unwrap(), None);
    assert_eq!(scene.store.case(&foreign(), from.id).await.unwrap(), Some(to.clone()));
    assert_eq!(scene.store.case_of(from.salesforce_id.unwrap()).await.unwrap(), Some(to));
}
