//! Whatever happens to files, in whatever order, how often and wherever a process dies: nobody downloads what was not
//! compared and found clean, and the room that is written down is the room that is taken.
//!
//! Steps are drawn from a seed. `FILES_SEED` draws others, `FILES_RUNS` more of them; what fails is shrunk and printed
//! as steps.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use portico_domain::files::{File, FileState};
use proptest::{
    prelude::*,
    sample::Index,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use serde_json::{Value, json};

use super::{CLEAN, CONFIRMATION, DISPOSAL, STATUSES, Scene, VERDICTS, created, judged, scheduled, somebody};
use crate::{
    convergence::told,
    steps::{Blow, Fault, Side},
    world::open_case,
};

/// Runs without `FILES_RUNS`.
const RUNS: u32 = 24;
/// Most steps of a run.
const STEPS_MAX: usize = 24;
/// Most requests that one process sends before it dies.
const REQUESTS_MAX: usize = 50;
const RIGHT: &[u8] = b"2026-11-22 09:30:00 all is well\n";
/// As long, so that only its content tells.
const WRONG: &[u8] = b"2026-11-22 09:30:00 all is lost\n";

/// What happens next. `which` is one of the files that were declared so far.
#[derive(Debug, Clone)]
enum Step {
    /// Somebody declares a file, or a version of one that can be downloaded.
    Declare {
        replaces: Option<Index>,
    },
    /// Its content comes, as it was declared or behind the portal's back.
    Put {
        which: Index,
        wrong: bool,
    },
    /// The store tells of it.
    Confirm {
        which: Index,
        death: Option<(usize, bool)>,
    },
    /// The scanner tells of it.
    Judge {
        which: Index,
        status: usize,
        death: Option<(usize, bool)>,
    },
    /// Somebody deletes it, brings it back, or has it erased.
    Delete {
        which: Index,
    },
    Restore {
        which: Index,
    },
    Erase {
        which: Index,
    },
    /// Time passes.
    Advance {
        hours: u8,
    },
    /// Somebody looks what has to go.
    Look {
        death: Option<(usize, bool)>,
    },
}

fn death() -> impl Strategy<Value = Option<(usize, bool)>> {
    proptest::option::weighted(0.4, (0..REQUESTS_MAX, any::<bool>()))
}

/// Deaths of a function that sends few requests.
fn early_death() -> impl Strategy<Value = Option<(usize, bool)>> {
    proptest::option::weighted(0.4, (0..8_usize, any::<bool>()))
}

fn step() -> impl Strategy<Value = Step> {
    let which = any::<Index>;
    prop_oneof![
        3 => proptest::option::weighted(0.4, which()).prop_map(|replaces| Step::Declare { replaces }),
        5 => (which(), proptest::bool::weighted(0.25)).prop_map(|(which, wrong)| Step::Put { which, wrong }),
        5 => (which(), early_death()).prop_map(|(which, death)| Step::Confirm { which, death }),
        // Half of the verdicts are clean.
        5 => (which(), 0..STATUSES.len() * 2, early_death()).prop_map(|(which, status, death)| {
            Step::Judge { which, status: status.saturating_sub(STATUSES.len()), death }
        }),
        1 => which().prop_map(|which| Step::Delete { which }),
        1 => which().prop_map(|which| Step::Restore { which }),
        1 => which().prop_map(|which| Step::Erase { which }),
        2 => prop_oneof![Just(1_u8), Just(2), Just(25), Just(180)].prop_map(|hours| Step::Advance { hours }),
        3 => death().prop_map(|death| Step::Look { death }),
    ]
}

/// What is known of a file beside its record.
struct Known {
    file: File,
    /// Its content was there as it was declared, at some moment.
    came_right: bool,
    /// What the scanner said so far, whether or not it was taken.
    said: BTreeSet<usize>,
}

struct Play<'s> {
    scene: &'s Scene,
    files: Vec<Known>,
}

fn fault(death: Option<(usize, bool)>) -> Option<Fault> {
    let (at, after) = death?;
    let side = if after { Side::After } else { Side::Before };
    Some(Fault { at, side, blow: Blow::Death })
}

impl Play<'_> {
    /// Delivers an event; after a death it comes again, as AWS has it.
    async fn deliver(&self, binary: &str, event: &Value, death: Option<(usize, bool)>) {
        if self.scene.deliver(binary, event, fault(death)).await.is_none() {
            self.check("died").await;
            self.scene.deliver(binary, event, None).await.unwrap();
        }
    }

    async fn take(&mut self, step: &Step) {
        let scene = self.scene;
        let place = |which: &Index| (!self.files.is_empty()).then(|| which.index(self.files.len()));
        match step {
            Step::Declare { replaces } => {
                let replaced = replaces.as_ref().and_then(place).map(|place| self.files[place].file.id);
                let replaced = match replaced {
                    Some(id) if scene.can_be_downloaded(id).await => Some(id),
                    _ => None,
                };
                let (file, _) = scene
                    .declare(RIGHT, |body| {
                        if let Some(id) = replaced {
                            body["replaces"] = json!(id);
                        }
                    })
                    .await;
                self.files.push(Known { file, came_right: false, said: BTreeSet::new() });
            }
            Step::Put { which, wrong } => {
                let Some(place) = place(which) else { return };
                let known = &mut self.files[place];
                // A link takes only what was declared, and an object that is there is replaced by nobody.
                if scene.has_content(&known.file).await {
                    return;
                }
                known.came_right |= !wrong;
                scene.put_behind_the_back(&known.file, if *wrong { WRONG } else { RIGHT }).await;
            }
            Step::Confirm { which, death } => {
                let Some(place) = place(which) else { return };
                self.deliver(CONFIRMATION, &created(&self.files[place].file), *death).await;
            }
            Step::Judge { which, status, death } => {
                let Some(place) = place(which) else { return };
                self.files[place].said.insert(*status);
                self.deliver(VERDICTS, &judged(&self.files[place].file, STATUSES[*status]), *death).await;
            }
            Step::Delete { which } => {
                self.change(place(which), |file, now| file.deleted(somebody(), now)).await
            }
            Step::Restore { which } => self.change(place(which), |file, _| file.restored()).await,
            Step::Erase { which } => self.change(place(which), File::to_be_erased).await,
            Step::Advance { hours } => scene.advance(SignedDuration::from_hours(i64::from(*hours))),
            Step::Look { death } => self.deliver(DISPOSAL, &scheduled(), *death).await,
        }
    }

    /// Somebody changes a file that is available and not being erased, all its versions.
    async fn change(&self, place: Option<usize>, next: impl Fn(&File, jiff::Timestamp) -> Option<File>) {
        let (scene, now) = (self.scene, self.scene.now());
        let Some(id) = place.map(|place| self.files[place].file.id) else { return };
        let Some(versions) = scene.world.store.versions(&scene.world.tenant(), id).await.unwrap() else {
            return;
        };
        let open = |file: &&File| file.is_available() && file.erasure.is_none();
        let changed: Vec<File> =
            versions.all().iter().filter(open).filter_map(|version| next(version, now)).collect();
        if changed.len() == versions.all().len() {
            let case = scene.world.case(open_case()).await.touched(now);
            scene.world.store.change_file(&changed, &case, &[]).await.unwrap();
        }
    }

    async fn check(&self, when: &str) {
        let scene = self.scene;
        scene.assert_room(when).await;
        for known in &self.files {
            let id = known.file.id;
            let record = scene.file(id).await;
            if scene.can_be_downloaded(id).await {
                let clean = STATUSES.iter().position(|status| *status == CLEAN).unwrap();
                assert!(known.came_right, "{when}: {id} is open, and nobody uploaded what was declared");
                assert!(
                    known.said.contains(&clean),
                    "{when}: {id} is open, and no scanner said that it is clean"
                );
                assert!(
                    scene.has_content(&known.file).await,
                    "{when}: {id} is open, and there is nothing to open"
                );
                assert_eq!(scene.lines(&known.file).await, 1, "{when}: {id}");
            } else if record.is_none() {
                assert_eq!(scene.lines(&known.file).await, 0, "{when}: {id} is gone, and its line is not");
            }
        }
    }
}

async fn play(scene: &Scene, steps: &[Step]) {
    let mut play = Play { scene, files: Vec::new() };
    for step in steps {
        play.take(step).await;
        play.check(&format!("{step:?}")).await;
    }
    // Every event comes once more, and much later what has to go has gone.
    for place in 0..play.files.len() {
        let file = play.files[place].file.clone();
        play.deliver(CONFIRMATION, &created(&file), None).await;
    }
    for days in [0, 2, 8, 31] {
        scene.advance(SignedDuration::from_hours(24 * days));
        scene.look_until_rest().await;
        play.check(&format!("{days} days on")).await;
    }
    for known in &play.files {
        let record = scene.file(known.file.id).await;
        let kept = record.as_ref().is_some_and(|file| {
            matches!(
                file.state,
                FileState::Uploaded { .. } | FileState::Scanning { .. } | FileState::Available { .. }
            )
        });
        assert_eq!(record.is_some(), kept, "{record:?}: at rest, what is left is whole");
        assert_eq!(scene.has_content(&known.file).await, kept, "{record:?}");
    }
}

#[test]
fn case_f04_in_any_order_nothing_unscanned_is_open_and_the_room_is_exact() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let runs = told("FILES_RUNS").map_or(RUNS, |runs| runs.try_into().unwrap());
    let seed = told("FILES_SEED").unwrap_or(20_261_122);
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config =
        Config { cases: runs, max_shrink_iters: 200, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let outcome = runner.run(&prop::collection::vec(step(), 1..STEPS_MAX), |steps| {
        let run = std::panic::AssertUnwindSafe(|| {
            runtime.block_on(async { play(&Scene::start().await, &steps).await });
        });
        std::panic::catch_unwind(run).map_err(|panic| {
            let text = panic.downcast_ref::<String>().cloned().unwrap_or_default();
            TestCaseError::fail(text)
        })
    });
    if let Err(error) = outcome {
        panic!("seed {seed}: {error}");
    }
    println!("{runs} runs from seed {seed}: nothing unscanned was open");
}
