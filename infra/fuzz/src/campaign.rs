//! One surface, under broken input.

use std::{
    collections::BTreeSet,
    panic::{AssertUnwindSafe, catch_unwind},
    time::{Duration, Instant},
};

use crate::{MEMORY, Random, Surface, mutation};

/// Longest time of one reading. It is for builds without optimisation on a busy machine; what takes longer there
/// takes a good part of a function's 10 seconds everywhere.
pub const TIME_MAX: Duration = Duration::from_secs(2);
/// How often a reading that took too long is repeated: the machine may have been busy with something else.
const SECOND_LOOKS: usize = 2;
/// Most inputs that are kept because they are read in a way of their own.
const POOL_MAX: usize = 256;
/// Most bytes of an input that is kept: what is broken again and again has to be small to be fast.
const POOL_BYTES_MAX: usize = 8 * 1024;
/// Most findings that are kept; after so many, something is thoroughly wrong.
const FINDINGS_MAX: usize = 20;

/// What went wrong with an input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// It panicked.
    Panic,
    /// It took longer than [`TIME_MAX`].
    Time(Duration),
    /// It took more memory than the surface may take.
    Memory(usize),
    /// It was accepted, and is not what the surface says of what it accepts.
    Rule(String),
}

/// An input that something went wrong with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What.
    pub failure: Failure,
    /// The input.
    pub input: Vec<u8>,
}

/// What a campaign did.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    /// Inputs read.
    pub executions: u64,
    /// Inputs accepted.
    pub accepted: u64,
    /// Different outcomes met.
    pub outcomes: usize,
    /// Bytes of the largest input.
    pub largest: usize,
    /// Most memory of one reading, in bytes.
    pub memory: usize,
    /// Longest reading.
    pub slowest: Duration,
    /// What went wrong.
    pub findings: Vec<Finding>,
}

/// Breaks the inputs of a surface.
pub struct Campaign<'s> {
    surface: &'s Surface,
    random: Random,
    pool: Vec<Vec<u8>>,
    outcomes: BTreeSet<String>,
    figures: Figures,
}

impl<'s> Campaign<'s> {
    /// Reads the corpus as it is; [`Campaign::run_for`] goes on from there.
    pub fn new(surface: &'s Surface, seed: u64) -> Self {
        let mut campaign = Self {
            surface,
            random: Random::new(seed),
            pool: Vec::new(),
            outcomes: BTreeSet::new(),
            figures: Figures::default(),
        };
        for input in surface.corpus {
            campaign.pool.push(input.to_vec());
            campaign.execute(input);
        }
        campaign
    }

    /// Breaks and reads inputs until the time is over.
    pub fn run_for(&mut self, time: Duration) {
        let end = Instant::now() + time;
        while Instant::now() < end && self.figures.findings.len() < FINDINGS_MAX {
            self.step();
        }
    }

    /// Breaks one input and reads it.
    pub fn step(&mut self) {
        let pick = |random: &mut Random, pool: &[Vec<u8>]| random.pick(pool).cloned().unwrap_or_default();
        let (input, other) = (pick(&mut self.random, &self.pool), pick(&mut self.random, &self.pool));
        // A little more than is taken, so that the limit itself is met.
        let bytes_max = self.surface.bytes_max + 1;
        let broken = mutation::broken(&input, &other, self.surface.structure, &mut self.random, bytes_max);
        self.execute(&broken);
    }

    /// What the campaign did.
    pub fn figures(&self) -> &Figures {
        &self.figures
    }

    fn execute(&mut self, input: &[u8]) {
        self.figures.executions += 1;
        self.figures.largest = self.figures.largest.max(input.len());
        match self.judged(input) {
            Ok(outcome) => {
                if outcome.starts_with("accepted") {
                    self.figures.accepted += 1;
                }
                let keeps = self.pool.len() < POOL_MAX && input.len() <= POOL_BYTES_MAX;
                if self.outcomes.insert(outcome) && keeps {
                    self.pool.push(input.to_vec());
                }
                self.figures.outcomes = self.outcomes.len();
            }
            Err(failure) => self.figures.findings.push(Finding { failure, input: input.to_vec() }),
        }
    }

    /// Reads an input and holds the reading against the rules.
    fn judged(&mut self, input: &[u8]) -> Result<String, Failure> {
        let mut time = Duration::MAX;
        let mut outcome = String::new();
        for _ in 0..=SECOND_LOOKS {
            let before = MEMORY.current_usage();
            MEMORY.reset_peak_usage();
            let started = Instant::now();
            let read = catch_unwind(AssertUnwindSafe(|| (self.surface.read)(input)));
            time = time.min(started.elapsed());
            let memory = MEMORY.peak_usage().saturating_sub(before);
            self.figures.memory = self.figures.memory.max(memory);
            outcome = read.map_err(|_| Failure::Panic)?;
            if memory > self.surface.memory_max {
                return Err(Failure::Memory(memory));
            }
            if time <= TIME_MAX {
                break;
            }
        }
        self.figures.slowest = self.figures.slowest.max(time);
        if time > TIME_MAX {
            return Err(Failure::Time(time));
        }
        let held = catch_unwind(AssertUnwindSafe(|| (self.surface.holds)(input)));
        held.map_err(|_| Failure::Panic)?.map_err(Failure::Rule)?;
        Ok(outcome)
    }
}
