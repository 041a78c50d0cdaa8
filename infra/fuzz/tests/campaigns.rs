//! A few seconds of every campaign, and proof that a campaign finds what it looks for.
//!
//! One test: memory is counted for the whole process.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    reason = "clippy allows these in test functions only, and the controls have helpers"
)]

use std::time::Duration;

use portico_fuzz::{Campaign, Failure, MEMORY, SURFACES, Surface, TIME_MAX};

/// Long enough for some hundreds of inputs on a busy machine.
const TIME: Duration = Duration::from_secs(3);

#[test]
fn case_w18_broken_input_breaks_nothing() {
    for surface in SURFACES {
        let mut campaign = Campaign::new(surface, 20_261_122);
        assert_eq!(campaign.figures().findings, [], "{}: the corpus itself", surface.name);
        assert!(campaign.figures().accepted > 0, "{}: the corpus is refused", surface.name);
        campaign.run_for(TIME);
        let figures = campaign.figures();
        assert_eq!(figures.findings, [], "{}", surface.name);
        assert!(figures.executions > 50, "{}: {figures:?}", surface.name);
        assert!(figures.outcomes >= 4, "{}: {figures:?}", surface.name);
    }
    finds_what_it_looks_for();
}

/// Controls: a surface with each of the four faults.
fn finds_what_it_looks_for() {
    let outbound = SURFACES[0];
    let sound = Surface { read: |_| "accepted".to_owned(), holds: |_| Ok(()), ..outbound };
    let found = |surface: Surface| {
        let mut campaign = Campaign::new(&surface, 1);
        for _ in 0..5 {
            campaign.step();
        }
        campaign.figures().findings.first().map(|finding| finding.failure.clone())
    };
    assert_eq!(found(sound), None);
    std::panic::set_hook(Box::new(|_| {}));
    assert_eq!(found(Surface { read: |_| panic!("as the test asked"), ..sound }), Some(Failure::Panic));
    assert_eq!(found(Surface { holds: |_| panic!("as the test asked"), ..sound }), Some(Failure::Panic));
    let _ = std::panic::take_hook();
    let greedy = Surface { read: |_| format!("{}", vec![1_u8; 64 * 1024 * 1024].len()), ..sound };
    assert!(matches!(found(greedy), Some(Failure::Memory(bytes)) if bytes >= 64 * 1024 * 1024));
    let slow = Surface {
        corpus: &[b"one"],
        read: |input| {
            if input == b"one" {
                std::thread::sleep(TIME_MAX + Duration::from_millis(50));
            }
            String::new()
        },
        ..sound
    };
    assert!(matches!(Campaign::new(&slow, 1).figures().findings[0].failure, Failure::Time(_)));
    let wrong = Surface { holds: |_| Err("as the test asked".to_owned()), ..sound };
    assert_eq!(found(wrong), Some(Failure::Rule("as the test asked".to_owned())));
    assert!(MEMORY.current_usage() > 0, "nothing is counted");
}
