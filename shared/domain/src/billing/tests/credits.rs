//! Taking back what was invoiced, bit by bit.

use proptest::prelude::*;

use super::{
    properties::{crediting, issued},
    scenarios::scenario,
    *,
};

fn credit(line: u16, amount: &str) -> Credit {
    Credit { line, amount: eur(amount) }
}

#[test]
fn a_part_is_one_piece_at_its_amount() {
    let (invoice, positions) = issued(case_bill(clauses("60", "19"), &entries(&[60, 90])));
    let wish = CreditWish::Lines(vec![credit(2, "30.00")]);
    let (credited, note) = invoice.credit(&positions, wish, crediting(1)).unwrap();
    assert_eq!(
        (text(note.net), text(note.tax), text(note.gross)),
        ("-30.00".into(), "-5.70".into(), "-35.70".into())
    );
    let lines = note.lines(&positions).unwrap();
    assert_eq!((lines[0].quantity.to_string(), lines[0].rate.to_string()), ("-1".into(), "30.00".into()));
    assert_eq!(text(credited.settlement.open), "142.80");
    assert_eq!(credited.state(invoice.due_on), InvoiceState::Open);
    // The whole position is the invoice's, the other way round.
    let wish = CreditWish::Lines(vec![credit(1, "60.00")]);
    let (_, note) = credited.credit(&positions, wish, crediting(2)).unwrap();
    assert_eq!(note.lines(&positions).unwrap()[0].rate.to_string(), "60");
}

#[test]
fn nobody_gets_back_more_than_was_invoiced() {
    let (invoice, positions) = issued(case_bill(clauses("60", "19"), &entries(&[60, 90])));
    let refused = |wishes: Vec<Credit>| {
        invoice.credit(&positions, CreditWish::Lines(wishes), crediting(1)).unwrap_err()
    };
    assert_eq!(refused(vec![]), CreditError::Nothing);
    assert_eq!(refused(vec![credit(3, "1")]), CreditError::UnknownLine(3));
    assert_eq!(refused(vec![credit(0, "1")]), CreditError::UnknownLine(0));
    assert_eq!(refused(vec![credit(1, "1"), credit(1, "1")]), CreditError::LineTwice(1));
    assert_eq!(refused(vec![credit(1, "0")]), CreditError::NotPositive(1));
    assert_eq!(refused(vec![credit(1, "-1")]), CreditError::NotPositive(1));
    let yen = Money::from_minor(1, "JPY".parse().unwrap());
    assert_eq!(refused(vec![Credit { line: 1, amount: yen }]), CreditError::NotPositive(1));
    let too_much = CreditError::TooMuch { line: 1, left: eur("60.00") };
    assert_eq!(refused(vec![credit(1, "60.01")]), too_much);
    let (credited, _) = invoice.credit(&positions, CreditWish::Everything, crediting(1)).unwrap();
    assert_eq!(credited.credit(&positions, CreditWish::Everything, crediting(2)), Err(CreditError::Nothing));
    let wish = CreditWish::Lines(vec![credit(1, "0.01")]);
    let nothing_left = CreditError::TooMuch { line: 1, left: eur("0.00") };
    assert_eq!(credited.credit(&positions, wish, crediting(2)), Err(nothing_left));
}

#[test]
fn states_follow_from_what_is_settled() {
    let (mut invoice, _) = issued(case_bill(clauses("60", "0"), &entries(&[60])));
    let after = invoice.due_on.tomorrow().unwrap();
    assert_eq!(invoice.state(invoice.due_on), InvoiceState::Open);
    assert_eq!(invoice.state(after), InvoiceState::Overdue);
    // What is in dispute is not overdue.
    invoice.settlement.held = eur("60.00");
    assert_eq!(
        (invoice.state(after), text(invoice.settlement.payable())),
        (InvoiceState::Open, "0.00".into())
    );
    invoice.settlement =
        Settlement { paid: eur("10"), open: eur("50"), held: eur("0"), ..invoice.settlement };
    assert_eq!(invoice.state(invoice.due_on), InvoiceState::PartlyPaid);
    invoice.settlement = Settlement { paid: eur("60"), open: eur("0"), ..invoice.settlement };
    assert_eq!(invoice.state(after), InvoiceState::Paid);
    // Nothing was owed from the start (invoiceninja#3195).
    let free = Clauses { discounts: vec![all_of_it()], ..clauses("60", "19") };
    let (invoice, _) = issued(case_bill(free, &entries(&[60])));
    assert_eq!((text(invoice.gross), invoice.state(after)), ("0.00".into(), InvoiceState::Paid));
}

fn all_of_it() -> Discount {
    Discount {
        name: "Friends".to_owned(),
        on: DiscountOn::Everything,
        size: DiscountSize::Percent(decimal("100")),
    }
}

proptest! {
    /// However an invoice is credited bit by bit: no step takes back more than is left, and in the end all is taken
    /// back, net, tax and gross, to the cent.
    #[test]
    fn bits_add_up_to_the_whole(scenario in scenario(), shares in prop::collection::vec(1_u8..=100, 1..12)) {
        for bill in scenario.bills() {
            let (mut invoice, positions) = issued(bill);
            let mut notes: Vec<CreditNote> = Vec::new();
            for (count, share) in (1..).zip(&shares) {
                if positions.lines.is_empty() { break; }
                let line = u16::try_from(usize::from(*share) % positions.lines.len()).unwrap() + 1;
                let left = positions.lines[usize::from(line) - 1].amount.minor()
                    - invoice.credited.lines.get(&line).map_or(0, |credited| credited.minor());
                let amount = Money::from_minor((left * i64::from(*share) + 99) / 100, invoice.currency);
                if amount.minor() <= 0 { continue; }
                let wish = CreditWish::Lines(vec![Credit { line, amount }]);
                let (next, note) = invoice.credit(&positions, wish, crediting(count)).unwrap();
                prop_assert!(note.tax.minor() <= 0 && next.settlement.open.minor() >= 0);
                notes.push(note);
                invoice = next;
            }
            match invoice.credit(&positions, CreditWish::Everything, crediting(100)) {
                Ok((next, note)) => { invoice = next; notes.push(note); }
                Err(error) => prop_assert_eq!(error, CreditError::Nothing),
            }
            prop_assert_eq!(invoice.settlement.open.minor(), 0);
            let sum = |figure: fn(&CreditNote) -> Money| notes.iter().map(|note| figure(note).minor()).sum::<i64>();
            prop_assert_eq!(sum(|note| note.net), -invoice.net.minor());
            prop_assert_eq!(sum(|note| note.tax), -invoice.tax.minor());
            prop_assert_eq!(sum(|note| note.gross), -invoice.gross.minor());
        }
    }
}
