//! Broken input without end, for everything that reads what Salesforce sends.
//!
//! A [`Campaign`] takes the committed corpus of a [`Surface`], breaks it byte by byte and part by part
//! ([`mutation`]), and holds every reading against four rules: no panic, no more time than [`TIME_MAX`], no more memory
//! than the surface may take, and what is accepted is what the surface says of it. Inputs that are read in a way that
//! was not seen before are kept and broken further. The same seed breaks the same inputs in the same order.
//!
//! Everything runs on stable and without a toolchain of its own: the parsers have few branches, and the structure of
//! the inputs is known, so guidance by coverage would find little more.

mod campaign;
pub mod mutation;
mod random;
mod surface;

pub use campaign::{Campaign, Failure, Figures, Finding, TIME_MAX};
pub use random::Random;
pub use surface::{SURFACES, Surface};

/// Counts what is allocated.
#[global_allocator]
pub static MEMORY: peak_alloc::PeakAlloc = peak_alloc::PeakAlloc;
