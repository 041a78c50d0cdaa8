//! What requests cost, in the units that AWS bills for DynamoDB: as much in a big account as in a small one, and
//! within limits. The items are the store's own, copied within the emulator's file until there are enough.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::atomic::{AtomicI64, Ordering},
    time::Instant,
};

use fake_salesforce::demo::NORDHAVEN;
use jiff::SignedDuration;
use portico_domain::{
    AccountId, CaseId, Clock, SalesforceId,
    cases::Case,
    people::{Account, Audience, ClientRole, Membership, MembershipState, Position, Raiser},
};
use portico_emulators::{Copies, Renamed};
use portico_store::{PageSize, Tenant};
use rust_decimal::Decimal;

use crate::{
    commands::Request,
    meter::Metered,
    stack::now,
    world::{World, case, company, memberships, user},
};

/// Most read units of a page of 25 cases, all requests of the invocation together.
const LIST_READS_MAX: Decimal = Decimal::from_parts(3, 0, 0, false, 0);
/// Most write units of a submission: its commit and its stored answer.
const SUBMISSION_WRITES_MAX: Decimal = Decimal::from_parts(10, 0, 0, false, 0);
/// Most write units of taking over a new case's number from Salesforce.
const NUMBER_WRITES_MAX: Decimal = Decimal::from_parts(10, 0, 0, false, 0);
/// How much more than in the smallest account the same request may cost in the biggest: 10 %.
const GROWTH_MAX: Decimal = Decimal::from_parts(110, 0, 0, false, 2);

/// How many cases the account has, one after the other.
const ACCOUNT_CASES: [u64; 3] = [25, 10_000, 200_000];
/// How many cases of others are in the table, all the time.
const CASES_OF_OTHERS: u64 = 1_000_000;
/// How many of them are of one account.
const CASES_OF_ANOTHER: u64 = 1_000;
/// How many cases the member has, among those of the account.
const OWN_CASES: usize = 3;
/// The first of the account's cases that is copied, by age.
const FIRST_ORIGINAL: u64 = 3;
/// How many cases are copied at once.
const ORIGINALS: u64 = 5;

/// Ids of what is copied begin with these digits; a copy has its number there.
const ORIGINAL: u128 = 0xaaaa_aaaa_aaaa_7000_8000_0000_0000_0000;
const ORIGINAL_CASE: &str = "case_aaaaaaaaaaaa";
const ORIGINAL_ACCOUNT: &str = "acct_aaaaaaaaaaaa";

const BIG_MANAGER: &str = "66666666-6666-4666-8666-666666666666";
/// Has few cases among many.
const BIG_MEMBER: &str = "77777777-7777-4777-8777-777777777777";
/// Has raised nearly all of them.
const BIG_RAISER: &str = "88888888-8888-4888-8888-888888888888";

fn big_account() -> AccountId {
    AccountId::from_uuid(uuid::Uuid::from_u128(0x7000_8000_0000_0000_0000 + 0xa3))
}

/// The account whose cases are copied to a thousand others.
fn another_account() -> AccountId {
    AccountId::from_uuid(uuid::Uuid::from_u128(ORIGINAL))
}

fn original(place: u64) -> CaseId {
    CaseId::from_uuid(uuid::Uuid::from_u128(ORIGINAL + u128::from(place)))
}

/// Who raised a case, and the Contact that it names.
type Named = (&'static str, Option<SalesforceId>);

/// The manager as a Contact.
fn mara() -> Option<SalesforceId> {
    Some(NORDHAVEN.contacts[0].id.parse().unwrap())
}

/// The member as a Contact.
fn jonas() -> Option<SalesforceId> {
    Some(NORDHAVEN.contacts[1].id.parse().unwrap())
}

/// A case of the size that cases have: a paragraph of text, in Salesforce as well.
fn contact_of(person: &str) -> Option<SalesforceId> {
    match person {
        BIG_MEMBER => jonas(),
        BIG_RAISER => mara(),
        _ => None,
    }
}

/// No two cases are the same Case in Salesforce.
static MADE: AtomicI64 = AtomicI64::new(0);

fn typical(id: CaseId, account: AccountId, (by, contact): Named, place: u64) -> Case {
    let case = case(id, "Working", false);
    let minutes = i64::try_from(place).unwrap();
    Case {
        account,
        salesforce_id: Some(
            format!("500Fk00001{:05}", MADE.fetch_add(1, Ordering::Relaxed)).parse().unwrap(),
        ),
        audience: Audience { raised_by: Some(Raiser { user: user(by), contact: contact_of(by) }), contact },
        description: "Since the restart this morning the scanner reads nothing at all. ".repeat(4),
        last_activity_at: case.last_activity_at + SignedDuration::from_mins(minutes),
        ..case
    }
}

async fn save(world: &World, case: &Case) {
    world.store.save_case(case, &[], &[]).await.unwrap();
}

/// Two people, [`ORIGINALS`] cases of one and [`OWN_CASES`] of the other, and the rest up to the smallest size.
async fn furnish(world: &World) {
    let company = Account { id: big_account(), ..company() };
    world.store.provision_account(&company).await.unwrap();
    let [some_manager, some_member, ..] = memberships();
    for (who, contact, like, role) in [
        (BIG_MANAGER, None, some_manager, ClientRole::Manager),
        (BIG_MEMBER, jonas(), some_member.clone(), ClientRole::Member),
        (BIG_RAISER, mara(), some_member, ClientRole::Member),
    ] {
        let position = Position::Client { account: big_account(), role, contact };
        let state = MembershipState::Active;
        let who = Membership { user: user(who), position, state, ..like };
        world.store.provision_member(&who).await.unwrap();
    }
    // The member's own are the oldest, last in the account's list, and each is theirs for another reason.
    let own: [Named; OWN_CASES] = [(BIG_MEMBER, jonas()), (BIG_RAISER, jonas()), (BIG_MEMBER, None)];
    let others = std::iter::repeat((BIG_RAISER, mara()));
    for (place, named) in (0..ACCOUNT_CASES[0]).zip(own.into_iter().chain(others)) {
        let id = match place.checked_sub(FIRST_ORIGINAL) {
            Some(after) if after < ORIGINALS => original(place),
            _ => CaseId::from_uuid(uuid::Uuid::from_u128(0x7000_8000_0000_0000_1000 + u128::from(place))),
        };
        save(world, &typical(id, big_account(), named, place)).await;
    }
    // Nobody reads them, so they may be short.
    for place in 0..ORIGINALS {
        let other = typical(original(place), another_account(), (BIG_RAISER, mara()), place);
        save(world, &Case { description: String::new(), ..other }).await;
    }
}

/// Copies an account's originals until there are `cases` more. The copies' numbers begin with `first`.
async fn copy(world: &World, account: AccountId, first: u64, cases: u64, renamed: Vec<Renamed>) {
    let copies = Copies {
        table: "CasesTable".to_owned(),
        partition: account.to_string(),
        sort_prefix: ORIGINAL_CASE.to_owned(),
        numbers: first..first + cases / ORIGINALS,
        renamed,
    };
    assert_eq!(world.stack.emulators.copy_items(copies).await.unwrap(), cases);
}

fn renamed_case() -> Renamed {
    Renamed { text: ORIGINAL_CASE.to_owned(), shared_by: 1 }
}

/// A copy reads like what the store itself would have written.
async fn assert_copied(world: &World, number: u64) {
    let place = FIRST_ORIGINAL;
    let id = u128::from(number) << 80 | (ORIGINAL + u128::from(place)) & ((1 << 80) - 1);
    let id = CaseId::from_uuid(uuid::Uuid::from_u128(id));
    let expected = typical(id, big_account(), (BIG_RAISER, mara()), place);
    let tenant = Tenant::of_case(&expected);
    let found = world.store.case(&tenant, id).await.unwrap().unwrap();
    // Which Case it is in Salesforce is the original's.
    assert_eq!(found, Case { salesforce_id: found.salesforce_id, ..expected });
    assert_eq!(world.cases(&tenant, PageSize::MAX).await.len(), usize::from(PageSize::MAX));
}

/// Requests that only read: how each is called in the table, and how many cases a list has to show.
fn reads() -> [(&'static str, Option<usize>, Request); 4] {
    let page = || Request::sample("case-listing-page").with_query("limit", "25");
    let detail =
        Request::sample("case-listing-detail").with_path("caseId", &original(FIRST_ORIGINAL).to_string());
    [
        ("a page of 25, manager", Some(25), page().by(BIG_MANAGER)),
        ("a page of 25, member with few", Some(OWN_CASES), page().by(BIG_MEMBER)),
        ("a page of 25, member with nearly all", None, page().by(BIG_RAISER)),
        ("one case", None, detail.by(BIG_MANAGER)),
    ]
}

/// The units of all requests together.
pub fn total(bill: &[Metered]) -> Decimal {
    bill.iter().map(Metered::total).sum()
}

/// A line for each request: what it used where. In the order of the alphabet, because some go out together.
pub fn itemised(bill: &[Metered]) -> String {
    let line = |metered: &Metered| {
        let parts: Vec<String> =
            metered.units.iter().map(|(part, used)| format!("{part} {}", used.normalize())).collect();
        format!("    {}: {}\n", metered.name, parts.join(", "))
    };
    let mut lines: Vec<String> = bill.iter().map(line).collect();
    lines.sort_unstable();
    lines.concat()
}

/// Holds a table of costs against the one that was recorded: it fails when anything costs more, or less.
pub fn assert_table(name: &str, table: &str) {
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!(name, table);
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reading_costs_the_same_in_an_account_of_25_and_of_200_000_cases() {
    let world = World::start().await;
    furnish(&world).await;
    let started = Instant::now();
    let renamed_account =
        Renamed { text: ORIGINAL_ACCOUNT.to_owned(), shared_by: CASES_OF_ANOTHER / ORIGINALS };
    copy(&world, another_account(), 1, CASES_OF_OTHERS, vec![renamed_account, renamed_case()]).await;
    println!("{CASES_OF_OTHERS} cases of others after {:.1?}", started.elapsed());

    let listing = world.boot("case-listing").await;
    let (mut table, mut exceeded) = (String::new(), String::new());
    // A fresh process also reads how far the sweeps are, once in a few seconds, whoever asks for what.
    let (_, _, first) = reads().into_iter().next().unwrap();
    assert_eq!(first.send_to(&listing.function).await.status, 200);
    let mark: Vec<Metered> = listing
        .guard
        .bill()
        .into_iter()
        .filter(|metered| metered.units.contains_key("SyncRunsTable"))
        .collect();
    writeln!(table, "every 10 seconds in each process: {} read units", total(&mark).normalize()).unwrap();
    table += &itemised(&mark);
    let mut used: BTreeMap<&str, Vec<Decimal>> = BTreeMap::new();
    let (mut there, mut number) = (ACCOUNT_CASES[0], 1);
    for cases in ACCOUNT_CASES {
        copy(&world, big_account(), number, cases - there, vec![renamed_case()]).await;
        if cases > there {
            assert_copied(&world, number).await;
        }
        number += (cases - there) / ORIGINALS;
        there = cases;
        println!("{cases} cases of the account after {:.1?}", started.elapsed());
        for (name, shown, request) in reads() {
            let answer = request.send_to(&listing.function).await;
            assert_eq!(answer.status, 200, "{name}: {answer:?}");
            if let Some(shown) = shown {
                let items = answer.body["items"].as_array().unwrap().len();
                if items != shown {
                    writeln!(exceeded, "{cases} cases, {name}: {items} shown instead of {shown}").unwrap();
                }
            }
            let bill = listing.guard.bill();
            assert!(!bill.is_empty() && !bill.iter().any(Metered::is_write));
            writeln!(table, "{cases} cases, {name}: {} read units", total(&bill).normalize()).unwrap();
            table += &itemised(&bill);
            used.entry(name).or_default().push(total(&bill));
        }
    }
    println!("{table}");
    assert_table("consumed-reads", &table);
    for (name, used) in used {
        let (least, most) = (used.iter().min().unwrap(), used.iter().max().unwrap());
        if *most > least * GROWTH_MAX {
            writeln!(exceeded, "{name} grows with the account: {used:?}").unwrap();
        }
        if name.starts_with("a page") && *most > LIST_READS_MAX {
            writeln!(exceeded, "{name}: {most} read units, more than {LIST_READS_MAX}").unwrap();
        }
    }
    assert_eq!(exceeded, "");
}

#[tokio::test]
async fn a_submission_costs_what_was_planned() {
    // Time goes on between commit and number, so the case moves in the index.
    let readings = AtomicI64::new(0);
    let clock =
        Clock::new(move || now() + SignedDuration::from_millis(readings.fetch_add(1, Ordering::Relaxed)));
    let world = World::start_watched(clock).await;
    let submission = world.boot("case-submission").await;
    let answer = Request::sample("case-submission-new-case").send_to(&submission.function).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let writes: Vec<Metered> = submission.guard.bill().into_iter().filter(Metered::is_write).collect();
    // Only what makes and answers the command touches its idempotency record.
    let (own, number): (Vec<Metered>, Vec<Metered>) =
        writes.into_iter().partition(|metered| metered.units.contains_key("IdempotencyTable"));
    let mut table = String::new();
    for (name, bill) in [("commit and stored answer", &own), ("number from Salesforce", &number)] {
        writeln!(table, "{name}: {} write units", total(bill).normalize()).unwrap();
        table += &itemised(bill);
    }
    println!("{table}");
    assert_table("consumed-writes", &table);
    assert!(total(&own) <= SUBMISSION_WRITES_MAX, "{table}");
    assert!(!number.is_empty() && total(&number) <= NUMBER_WRITES_MAX, "{table}");
}
