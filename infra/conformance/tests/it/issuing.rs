//! Many invoices at once, each asked for more than once, by functions that die on the way: every case is billed once, and
//! no series has a gap or a number twice.
//!
//! `make issuing` issues ten thousand; the usual run sixty.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use futures::{StreamExt, stream};
use portico_domain::{
    CaseId, EntryId, InvoiceId,
    billing::{Invoice, InvoiceState, TimeEntry},
    cases::Case,
    events::Fact,
};
use portico_store::{Cursor, PageSize};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::{
    billing_commands::{invoicing_message, put_hours},
    commands::Request,
    convergence::told,
    storm::Dice,
    world::{Guarded, World, case, closed_case, time_entries},
};

/// Invoices without `ISSUES`.
const ISSUES: usize = 60;
/// Of so many cases, one is taken in hand and issued by staff, who click twice.
const STAFF: usize = 5;
/// Of so many invoices, one is credited as a whole, by two people at once.
const CREDITED: usize = 7;
/// Of a hundred invocations, those that die on the way.
const DEATHS_PERCENT: u64 = 10;
/// A bill is issued within this time, more or less; whoever dies does so within it.
const LIFE_MS: u64 = 60;
/// Processes of each function. On AWS, the queue starts fewer at once.
const PROCESSES: usize = 8;
/// Triggers that are worked on at once.
const AT_ONCE: usize = 8;
/// How often one trigger comes back. Whoever loses a race has seen somebody win.
const TRIES_MAX: usize = 500;

/// Somebody wants something.
#[derive(Debug, Clone)]
enum Trigger {
    /// The case was closed; the message comes twice.
    Closed(CaseId),
    /// Staff issue what they have in hand, and click twice.
    Issue(Request),
    /// Staff take all of an invoice back, two of them at once.
    Credit(Request),
}

struct Scene {
    world: World,
    dice: Dice,
    generation: Vec<Guarded>,
    drafting: Vec<Guarded>,
    invoked: AtomicUsize,
    deaths: AtomicUsize,
}

impl Scene {
    async fn start() -> Self {
        let world = World::start().await;
        let (mut generation, mut drafting) = (Vec::new(), Vec::new());
        for _ in 0..PROCESSES {
            generation.push(world.boot("invoice-generation").await);
            drafting.push(world.boot("invoice-drafting").await);
        }
        Self {
            world,
            dice: Dice::of(20_261_201),
            generation,
            drafting,
            invoked: AtomicUsize::new(0),
            deaths: AtomicUsize::new(0),
        }
    }

    fn one_of<'a>(&self, processes: &'a [Guarded]) -> &'a Guarded {
        self.invoked.fetch_add(1, Ordering::Relaxed);
        &processes[usize::try_from(self.dice.roll(PROCESSES as u64)).unwrap()]
    }

    /// A closed case with hours on it, and when it was closed nobody was told.
    async fn closed_case(&self, number: usize) -> CaseId {
        let id = CaseId::from_uuid(uuid::Uuid::from_u128((7 << 76) | (2 << 62) | (1 << 40) | number as u128));
        let salesforce_id = Some(format!("500Fz{number:010}").parse().unwrap());
        let subject = format!("Case {number}");
        let closed = Case { id, salesforce_id, subject, ..case(closed_case(), "Resolved", true) };
        self.world.store.save_case(&closed, &[], &[]).await.unwrap();
        let salesforce_id = format!("a01Fk{number:010}").parse().unwrap();
        let [worked, _] = time_entries();
        let minutes = 15 + i64::try_from(number % 90).unwrap();
        let hours = TimeEntry {
            id: EntryId::of_salesforce(&salesforce_id),
            salesforce_id,
            case: id,
            minutes,
            ..worked
        };
        put_hours(&self.world, &hours).await;
        id
    }

    /// Staff take a case in hand. Returns how it is issued.
    async fn take_in_hand(&self, case: CaseId, clicks: usize) -> Vec<Request> {
        let mut draft = Request::sample("invoice-drafting-draft").with_key(&format!("draft {case}"));
        draft.set_body(|body| *body = json!({ "case": case }));
        let drafted = draft.send_to(&self.one_of(&self.drafting).function).await;
        assert_eq!(drafted.status, 201, "{drafted:?}");
        let click = |click| {
            let mut issue =
                Request::sample("invoice-drafting-issue").with_key(&format!("issue {click} {case}"));
            issue.set_body(|body| *body = json!({ "fingerprint": drafted.body["fingerprint"] }));
            issue.with_path("invoiceId", drafted.body["id"].as_str().unwrap())
        };
        (0..clicks).map(click).collect()
    }

    /// Until there is nothing left to do.
    async fn pull(&self, trigger: &Trigger) {
        for _ in 0..TRIES_MAX {
            let done = match trigger {
                Trigger::Closed(case) => self.deliver(*case).await,
                Trigger::Issue(request) | Trigger::Credit(request) => {
                    let answer = request.send_to(&self.one_of(&self.drafting).function).await;
                    assert!([201, 409, 503].contains(&answer.status), "{answer:?}");
                    answer.status != 503
                }
            };
            if done {
                return;
            }
        }
        panic!("no progress: {trigger:?}");
    }

    /// One delivery of a message, which may be the last thing that its function sees.
    async fn deliver(&self, case: CaseId) -> bool {
        let message = invoicing_message(&self.world, Fact::CaseClosed { case });
        let work = self.one_of(&self.generation).function.invoke(message);
        let answer = if self.dice.percent(DEATHS_PERCENT) {
            let life = Duration::from_millis(self.dice.roll(LIFE_MS));
            let Ok(answer) = timeout(life, work).await else {
                self.deaths.fetch_add(1, Ordering::Relaxed);
                return false;
            };
            answer
        } else {
            work.await
        };
        let answer: Value = serde_json::from_str(answer.unwrap().get()).unwrap();
        answer["batchItemFailures"] == json!([])
    }

    async fn invoices(&self) -> Vec<Invoice> {
        let (mut all, mut cursor): (_, Option<Cursor>) = (Vec::new(), None);
        let most = PageSize::new(PageSize::MAX).unwrap();
        loop {
            let page = self.world.store.invoices(&self.world.tenant(), most, cursor).await.unwrap().unwrap();
            all.extend(page.items);
            cursor = page.next;
            if cursor.is_none() {
                return all;
            }
        }
    }

    async fn credit_notes(&self) -> Vec<String> {
        let (mut all, mut cursor): (_, Option<Cursor>) = (Vec::new(), None);
        let most = PageSize::new(PageSize::MAX).unwrap();
        loop {
            let page =
                self.world.store.credit_notes(&self.world.tenant(), most, cursor).await.unwrap().unwrap();
            all.extend(page.items.iter().map(|note| note.number.to_string()));
            cursor = page.next;
            if cursor.is_none() {
                return all;
            }
        }
    }
}

fn credit(invoice: InvoiceId, by: usize) -> Trigger {
    let mut request = Request::sample("invoice-drafting-credit").with_key(&format!("credit {by} {invoice}"));
    request.set_body(|body| *body = json!({ "reason": "Agreed by phone" }));
    Trigger::Credit(request.with_path("invoiceId", &invoice.to_string()))
}

fn numbers(prefix: &str, count: usize) -> BTreeSet<String> {
    (1..=count).map(|number| format!("{prefix}2026-{number:06}")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn case_b03_b04_b09_each_case_is_billed_once_and_no_series_has_a_gap() {
    let issues = told("ISSUES").map_or(ISSUES, |issues| issues.try_into().unwrap());
    let scene = Scene::start().await;
    let cases: Vec<CaseId> =
        stream::iter(0..issues).map(|number| scene.closed_case(number)).buffered(AT_ONCE).collect().await;
    let mut triggers = Vec::new();
    for (place, case) in cases.iter().enumerate() {
        triggers.extend([Trigger::Closed(*case), Trigger::Closed(*case)]);
        if place % STAFF == 0 {
            triggers.extend(scene.take_in_hand(*case, 2).await.into_iter().map(Trigger::Issue));
        }
    }
    scene.dice.shuffle(&mut triggers);
    let begun = Instant::now();
    stream::iter(&triggers).for_each_concurrent(AT_ONCE, |trigger| scene.pull(trigger)).await;
    let issued_in = begun.elapsed();

    let invoices = scene.invoices().await;
    assert_eq!(invoices.len(), issues, "one invoice for each case");
    let billed: BTreeSet<CaseId> = invoices.iter().map(|invoice| invoice.subject.case().unwrap()).collect();
    assert_eq!(billed, cases.iter().copied().collect());
    let numbered: BTreeSet<String> = invoices.iter().map(|invoice| invoice.number.to_string()).collect();
    assert_eq!(numbered, numbers("", issues), "no gap, no number twice");

    let taken_back: Vec<&Invoice> = invoices.iter().step_by(CREDITED).collect();
    let credits: Vec<Trigger> =
        taken_back.iter().flat_map(|invoice| [credit(invoice.id, 1), credit(invoice.id, 2)]).collect();
    stream::iter(&credits).for_each_concurrent(AT_ONCE, |trigger| scene.pull(trigger)).await;
    let notes = scene.credit_notes().await;
    assert_eq!(notes.len(), taken_back.len(), "nothing is taken back twice");
    assert_eq!(notes.into_iter().collect::<BTreeSet<_>>(), numbers("C", taken_back.len()));
    let today = "2026-11-22".parse().unwrap();
    let void =
        scene.invoices().await.iter().filter(|invoice| invoice.state(today) == InvoiceState::Void).count();
    assert_eq!(void, taken_back.len());

    for guarded in scene.generation.iter().chain(&scene.drafting) {
        assert_eq!(guarded.guard.denied(), []);
    }
    let deaths = scene.deaths.load(Ordering::Relaxed);
    println!(
        "{issues} invoices from {} triggers, {} invocations, {deaths} deaths, {AT_ONCE} at once: no gap, none twice; {:.1?}, {:.0} invoices/s; {} credited by two people at once: once each",
        triggers.len(),
        scene.invoked.load(Ordering::Relaxed),
        issued_in,
        issues as f64 / issued_in.as_secs_f64(),
        taken_back.len(),
    );
    assert!(deaths > 5, "nobody died: this proves less than it says");
}
