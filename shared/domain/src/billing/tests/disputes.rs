//! What is held while people disagree.

use proptest::prelude::*;

use super::{
    properties::{crediting, issued},
    scenarios::scenario,
    *,
};
use crate::{
    DisputeId, UserId,
    cases::{Author, Side},
};

fn signed(side: Side) -> Signed {
    Signed {
        user: "22222222-2222-4222-8222-222222222222".parse::<UserId>().unwrap(),
        author: Author { side, name: "Ines".to_owned() },
        at: "2026-12-01T12:00:00Z".parse().unwrap(),
    }
}

fn says(text: &str) -> DisputeText {
    text.to_owned().try_into().unwrap()
}

fn raising(id: u128, line: u16, kind: DisputeKind) -> Raising {
    let id = DisputeId::from_uuid(uuid::Uuid::from_u128(id));
    Raising { id, line, kind, text: says("Why?"), by: signed(Side::Client) }
}

fn disputing(id: u128, line: u16) -> Raising {
    raising(id, line, DisputeKind::Dispute)
}

fn closing(outcome: Outcome) -> Closing {
    Closing { outcome, reason: None, by: signed(Side::Staff) }
}

/// 60.00 and 90.00 with 19 % tax: 71.40 and 107.10.
fn two_lines() -> (Invoice, Positions) {
    issued(case_bill(clauses("60", "19"), &entries(&[60, 90])))
}

fn lines(credits: &[(u16, &str)]) -> CreditWish {
    CreditWish::Lines(
        credits.iter().map(|(line, amount)| Credit { line: *line, amount: eur(amount) }).collect(),
    )
}

fn held(invoice: &Invoice) -> (String, String) {
    (text(invoice.settlement.held), text(invoice.settlement.payable()))
}

#[test]
fn only_the_position_is_held_with_its_share_of_the_tax() {
    let (invoice, positions) = two_lines();
    let (after, dispute) = invoice.raise(&positions, disputing(1, 1)).unwrap();
    assert_eq!(held(&after), ("71.40".into(), "107.10".into()));
    assert_eq!((text(dispute.net), text(dispute.gross)), ("60.00".into(), "71.40".into()));
    assert_eq!((after.version, dispute.version, &dispute.state), (2, 1, &DisputeState::Asked));
    // What is in dispute is not overdue; the rest is.
    let late = invoice.due_on.tomorrow().unwrap();
    assert_eq!(after.state(late), InvoiceState::Overdue);
    let (both, _) = after.raise(&positions, disputing(2, 2)).unwrap();
    assert_eq!(held(&both), ("178.50".into(), "0.00".into()));
    assert_eq!(both.state(late), InvoiceState::Open);
}

#[test]
fn a_question_holds_nothing() {
    let (invoice, positions) = two_lines();
    let (after, question) = invoice.raise(&positions, raising(1, 1, DisputeKind::Question)).unwrap();
    assert_eq!(held(&after), ("0.00".into(), "178.50".into()));
    assert_eq!((after.disputed.raised, after.disputed.open), (1, 1));
    // Who is not content with the answer disputes the position; the question goes on.
    let (after, _) = after.raise(&positions, disputing(2, 1)).unwrap();
    assert_eq!(after.disputed.open, 2);
    let (after, _) = after.close(&positions, &question, closing(Outcome::Answered)).unwrap();
    assert_eq!(held(&after).0, "71.40");
}

#[test]
fn one_dispute_about_a_position_at_a_time() {
    let (invoice, positions) = two_lines();
    let (after, dispute) = invoice.raise(&positions, disputing(1, 1)).unwrap();
    assert_eq!(after.raise(&positions, disputing(2, 1)).unwrap_err(), DisputeError::AlreadyDisputed(1));
    assert_eq!(invoice.raise(&positions, disputing(2, 3)).unwrap_err(), DisputeError::UnknownLine(3));
    assert_eq!(invoice.raise(&positions, disputing(2, 0)).unwrap_err(), DisputeError::UnknownLine(0));
    let (after, _) = after.close(&positions, &dispute, closing(Outcome::Rejected)).unwrap();
    assert_eq!(held(&after), ("0.00".into(), "178.50".into()));
    after.raise(&positions, disputing(2, 1)).unwrap();
    // And not without end.
    let mut full = invoice;
    full.disputed.raised = DISPUTES_MAX;
    assert_eq!(full.raise(&positions, disputing(2, 1)).unwrap_err(), DisputeError::TooMany);
}

#[test]
fn nobody_is_right_without_a_credit() {
    let (invoice, positions) = two_lines();
    let (after, dispute) = invoice.raise(&positions, disputing(1, 1)).unwrap();
    let upheld = closing(Outcome::Upheld);
    let refused = after.close(&positions, &dispute, upheld.clone());
    assert_eq!(refused.unwrap_err(), DisputeError::NotCredited(1));
    // A credit of another position is not one of this.
    let (other, _) = after.credit(&positions, lines(&[(2, "90.00")]), crediting(1)).unwrap();
    assert_eq!(other.close(&positions, &dispute, upheld.clone()).unwrap_err(), DisputeError::NotCredited(1));
    let (credited, _) = after.credit(&positions, lines(&[(1, "20.00")]), crediting(1)).unwrap();
    // Less is held from then on, and the dispute stays open.
    assert_eq!(held(&credited), ("47.60".into(), "107.10".into()));
    let (closed, dispute) = credited.close(&positions, &dispute, upheld.clone()).unwrap();
    assert_eq!(held(&closed), ("0.00".into(), "154.70".into()));
    assert_eq!(dispute.state, DisputeState::Closed(upheld.clone()));
    assert_eq!(closed.close(&positions, &dispute, upheld).unwrap_err(), DisputeError::Closed);
}

#[test]
fn what_was_credited_cannot_be_disputed() {
    let (invoice, positions) = two_lines();
    let (void, _) = invoice.credit(&positions, CreditWish::Everything, crediting(1)).unwrap();
    assert_eq!(void.raise(&positions, disputing(1, 1)).unwrap_err(), DisputeError::Credited(1));
    // But it can be asked about.
    void.raise(&positions, raising(1, 1, DisputeKind::Question)).unwrap();
    // What was in dispute when all of it was credited holds nothing any more.
    let (after, dispute) = invoice.raise(&positions, disputing(1, 1)).unwrap();
    let (void, _) = after.credit(&positions, CreditWish::Everything, crediting(1)).unwrap();
    assert_eq!(held(&void), ("0.00".into(), "0.00".into()));
    let (closed, _) = void.close(&positions, &dispute, closing(Outcome::Upheld)).unwrap();
    assert_eq!((closed.disputed.open, closed.state(closed.due_on)), (0, InvoiceState::Void));
}

#[test]
fn how_it_ends_goes_by_what_it_was() {
    let (invoice, positions) = two_lines();
    let (after, question) = invoice.raise(&positions, raising(1, 1, DisputeKind::Question)).unwrap();
    for outcome in [Outcome::Upheld, Outcome::Rejected] {
        let refused = after.close(&positions, &question, closing(outcome));
        assert_eq!(refused.unwrap_err(), DisputeError::OtherOutcome, "{outcome:?}");
    }
    let (after, dispute) = invoice.raise(&positions, disputing(1, 1)).unwrap();
    let refused = after.close(&positions, &dispute, closing(Outcome::Answered));
    assert_eq!(refused.unwrap_err(), DisputeError::OtherOutcome);
    let (after, _) = after.close(&positions, &dispute, closing(Outcome::Withdrawn)).unwrap();
    assert_eq!(held(&after).0, "0.00");
}

#[test]
fn it_is_the_other_sides_turn_after_each_word() {
    let (invoice, positions) = two_lines();
    let (after, mut dispute) = invoice.raise(&positions, disputing(1, 1)).unwrap();
    let word = |side| Answer { text: says("So."), by: signed(side) };
    for (side, state) in [
        (Side::Staff, DisputeState::Answered),
        (Side::Client, DisputeState::Asked),
        (Side::Client, DisputeState::Asked),
    ] {
        dispute = dispute.answer(word(side)).unwrap();
        assert_eq!(dispute.state, state);
    }
    assert_eq!((dispute.answers.len(), dispute.version), (3, 4));
    let (_, closed) = after.close(&positions, &dispute, closing(Outcome::Rejected)).unwrap();
    assert_eq!(closed.answer(word(Side::Staff)).unwrap_err(), DisputeError::Closed);
    while dispute.answers.len() < ANSWERS_MAX {
        dispute = dispute.answer(word(Side::Staff)).unwrap();
    }
    assert_eq!(dispute.answer(word(Side::Staff)).unwrap_err(), DisputeError::TooManyAnswers);
}

#[test]
fn a_text_says_something() {
    assert_eq!(DisputeText::try_from(" \n ".to_owned()).unwrap_err(), crate::text::TextError::Empty);
    let longest = "ä".repeat(DISPUTE_TEXT_MAX);
    assert!(DisputeText::try_from(longest.clone()).is_ok());
    assert!(DisputeText::try_from(longest + "ä").is_err());
}

#[test]
fn a_dispute_reads_back_as_it_was_written_and_the_largest_fits_into_one_record() {
    let (invoice, positions) = two_lines();
    let (after, mut dispute) = invoice.raise(&positions, disputing(1, 1)).unwrap();
    let long = says(&"\u{1f511}".repeat(DISPUTE_TEXT_MAX));
    dispute.text = long.clone();
    while dispute.answers.len() < ANSWERS_MAX {
        dispute = dispute.answer(Answer { text: long.clone(), by: signed(Side::Staff) }).unwrap();
    }
    let closing = Closing { reason: Some(long), ..closing(Outcome::Rejected) };
    let (_, dispute) = after.close(&positions, &dispute, closing).unwrap();
    let written = serde_json::to_string(&dispute).unwrap();
    assert_eq!(serde_json::from_str::<Dispute>(&written).unwrap(), dispute);
    assert!(written.len() < 150_000, "{}", written.len());
}

/// What can become of an invoice.
#[derive(Debug, Clone, Copy)]
enum Step {
    Dispute(u8),
    Close(u8, bool),
    Credit(u8, u8),
    Pay(u8),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => any::<u8>().prop_map(Step::Dispute),
        1 => (any::<u8>(), any::<bool>()).prop_map(|(which, rejected)| Step::Close(which, rejected)),
        2 => (any::<u8>(), 1_u8..=100).prop_map(|(line, share)| Step::Credit(line, share)),
        1 => (1_u8..=100).prop_map(Step::Pay),
    ]
}

proptest! {
    /// In whatever order people dispute, credit and pay: what is held and what is payable is what is open; no more is held
    /// than is claimed; what is not in dispute stays payable; and in the end nothing is held.
    #[test]
    fn what_is_held_fits_to_what_is_open(scenario in scenario(), steps in prop::collection::vec(step(), 1..16)) {
        for bill in scenario.bills() {
            let (mut invoice, positions) = issued(bill);
            if positions.lines.is_empty() { continue; }
            let line_of = |seed: u8| u16::try_from(usize::from(seed) % positions.lines.len()).unwrap() + 1;
            let mut open: Vec<Dispute> = Vec::new();
            for (count, step) in (1_u64..).zip(&steps) {
                match *step {
                    Step::Dispute(seed) => match invoice.raise(&positions, disputing(count.into(), line_of(seed))) {
                        Ok((next, dispute)) => {
                            prop_assert!(dispute.gross.minor() >= dispute.net.minor());
                            invoice = next;
                            open.push(dispute);
                        }
                        Err(error) => {
                            let expected = matches!(error, DisputeError::AlreadyDisputed(_) | DisputeError::Credited(_));
                            prop_assert!(expected, "{}", error);
                        }
                    },
                    Step::Close(which, rejected) if !open.is_empty() => {
                        let dispute = open.swap_remove(usize::from(which) % open.len());
                        let outcome = if rejected { Outcome::Rejected } else { Outcome::Withdrawn };
                        invoice = invoice.close(&positions, &dispute, closing(outcome)).unwrap().0;
                    }
                    Step::Close(..) => {}
                    Step::Credit(seed, share) => {
                        let line = line_of(seed);
                        let left = positions.lines[usize::from(line) - 1].amount.minor()
                            - invoice.credited.lines.get(&line).map_or(0, |credited| credited.minor());
                        let amount = Money::from_minor((left * i64::from(share) + 99) / 100, invoice.currency);
                        if amount.minor() > 0 {
                            let wish = CreditWish::Lines(vec![Credit { line, amount }]);
                            invoice = invoice.credit(&positions, wish, crediting(count)).unwrap().0;
                        }
                    }
                    Step::Pay(share) => {
                        let part = Money::from_minor(invoice.gross.minor() * i64::from(share) / 100, invoice.currency);
                        let settlement = Settlement {
                            paid: invoice.settlement.paid.plus(part).unwrap(),
                            open: invoice.settlement.open.minus(part).unwrap(),
                            ..invoice.settlement
                        };
                        invoice = Invoice { settlement, ..invoice }.held_again().unwrap();
                    }
                }
                let Settlement { paid, credited, open: left, held } = invoice.settlement;
                let claimed: i64 = invoice.disputed.claims.values().map(|claim| claim.amount.minor()).sum();
                prop_assert_eq!(left.minor(), invoice.gross.minor() - credited.minor() - paid.minor());
                prop_assert!(held.minor() >= 0 && held.minor() <= claimed);
                prop_assert_eq!(held.minor() + invoice.settlement.payable().minor(), left.minor().max(0));
                prop_assert!(invoice.settlement.payable().minor() >= left.minor() - claimed);
                prop_assert_eq!(invoice.disputed.claims.len(), open.len());
                prop_assert_eq!(usize::from(invoice.disputed.open), open.len());
                prop_assert!(invoice.disputed.claims.values().all(|claim| claim.amount.minor() >= 0));
            }
            // All positions in dispute: everything is held, to the cent.
            let untouched = steps.iter().all(|step| matches!(step, Step::Dispute(_) | Step::Close(..)));
            if untouched {
                for line in 1..=invoice.line_count {
                    if let Ok((next, dispute)) = invoice.raise(&positions, disputing(1000 + u128::from(line), line)) {
                        invoice = next;
                        open.push(dispute);
                    }
                }
                prop_assert_eq!(invoice.settlement.held, invoice.gross);
            }
            for dispute in open {
                invoice = invoice.close(&positions, &dispute, closing(Outcome::Withdrawn)).unwrap().0;
            }
            prop_assert_eq!((invoice.settlement.held.minor(), invoice.disputed.open), (0, 0));
        }
    }
}
