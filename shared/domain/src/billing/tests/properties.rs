//! What holds for every bill. The number of cases is `PROPTEST_CASES`.

use std::collections::BTreeMap;

use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};

use super::{
    scenarios::{Scenario, clauses_in, currency, months, scenario, time_entries},
    *,
};
use crate::{
    CreditNoteId,
    people::{Account, InvoiceReaders},
};

pub(super) fn account() -> Account {
    Account {
        id: AccountId::from_uuid(uuid::Uuid::nil()),
        salesforce_id: salesforce_id(5),
        name: "Nordhaven".to_owned(),
        address: vec![],
        invoice_readers: InvoiceReaders::default(),
        version: 1,
    }
}

/// A bill as an issued invoice.
pub(super) fn issued(bill: Bill) -> (Invoice, Positions) {
    let clauses = Clauses { currency: bill.net.currency(), ..clauses("60", "19") };
    let issuing = Issuing {
        contract: ContractId::from_uuid(uuid::Uuid::nil()),
        clauses: &clauses,
        account: &account(),
        scope: closed(),
        count: 1,
        now: "2026-11-30T12:00:00Z".parse().unwrap(),
    };
    let subject = Subject::Case { case: case(0), number: None, subject: "Slow".to_owned() };
    Invoice::issue(bill, subject, issuing).unwrap()
}

pub(super) fn crediting(count: u64) -> Crediting<'static> {
    Crediting {
        id: CreditNoteId::from_uuid(uuid::Uuid::from_u128(count.into())),
        reason: "Wrong",
        count,
        issued_on: day("2026-12-01"),
        now: "2026-12-01T12:00:00Z".parse().unwrap(),
    }
}

/// `over / under` to the nearest whole number, half away from zero, as it is done on paper.
fn nearest(over: i128, under: i128) -> i128 {
    let half = over.abs() * 2 + under;
    half / (2 * under) * over.signum()
}

/// A figure without its point, and where that was.
fn units(value: Decimal) -> (i128, i128) {
    (value.mantissa(), 10_i128.pow(value.scale()))
}

/// Everything that a reader of a bill can check with paper and pencil.
fn assert_adds_up(bill: &Bill) {
    let scale = 10_i128.pow(bill.derivation.currency.decimals());
    for line in &bill.lines {
        let ((quantity, of), (rate, parts)) = (units(line.quantity), units(line.rate));
        let per = i128::from(line.unit.per());
        let printed = nearest(quantity * rate * scale, of * parts * per);
        let taken: i64 = line.reductions.iter().map(|reduction| reduction.amount.minor()).sum();
        assert_eq!(printed, i128::from(line.amount.minor() + taken), "{line:?}");
        assert!(line.amount.minor() >= 0 && line.reductions.iter().all(|less| less.amount.minor() > 0));
        assert!(line.unit != Unit::Hour || line.quantity.scale() <= 2);
    }
    let sum = |amounts: &mut dyn Iterator<Item = Money>| amounts.map(Money::minor).sum::<i64>();
    assert_eq!(sum(&mut bill.lines.iter().map(|line| line.amount)), bill.net.minor());
    assert_eq!(sum(&mut bill.taxes.iter().map(|tax| tax.base)), bill.net.minor());
    assert_eq!(sum(&mut bill.taxes.iter().map(|tax| tax.tax)), bill.tax.minor());
    assert_eq!(bill.net.minor() + bill.tax.minor(), bill.gross.minor());
    for tax in &bill.taxes {
        let (percent, parts) = units(tax.treatment.percent());
        let rounded = |base: i64| nearest(i128::from(base) * percent, parts * 100);
        let alike = || bill.lines.iter().filter(|line| line.treatment == Some(tax.treatment));
        let stated = match bill.derivation.tax_rounding {
            TaxRounding::Total => rounded(alike().map(|line| line.amount.minor()).sum()),
            TaxRounding::Line => alike().map(|line| rounded(line.amount.minor())).sum(),
        };
        assert_eq!(stated, i128::from(tax.tax.minor()));
    }
    assert_eq!(sum(&mut bill.tax_by_line().unwrap().into_iter()), bill.tax.minor());
}

/// Each minute of each entry is on the bill, once: as it was logged, and as it is billed.
fn assert_every_minute_once(scenario: &Scenario, bills: &[Bill]) {
    let mut worked: BTreeMap<EntryId, i64> = BTreeMap::new();
    for bill in bills {
        let mut billed = 0;
        for (line, derivation) in bill.explained().filter(|(line, _)| line.kind == LineKind::Work) {
            *worked.entry(line.entry.unwrap()).or_insert(0) += line.minutes;
            billed += minutes(derivation);
        }
        assert_eq!(billed, bill.time.billed);
        let logged: i64 = bill.lines.iter().map(|line| line.minutes).sum();
        assert_eq!(logged, i64::from(bill.time.worked));
    }
    for entry in &scenario.entries {
        let version = scenario.agreement.on(entry.day(&scenario.clauses().zone)).unwrap();
        let paid_by_fees = version.terms.clauses().rates == Rates::FixedFees;
        // In summer time the last hours of a day are in the next month, and so may the last day of the year be.
        let within = months().iter().any(|month| month.holds(entry.day(&scenario.clauses().zone), None));
        let by_case = scenario.clauses().mode == Mode::Case;
        let expected = if paid_by_fees || !(within || by_case) { None } else { Some(entry.minutes) };
        assert_eq!(worked.get(&entry.id).copied(), expected);
    }
}

/// Nothing that is paid already is used twice, none of it disappears, and the next bill knows what is left.
fn assert_conserves(scenario: &Scenario, bills: &[Bill]) {
    let clauses = scenario.clauses();
    let mut left: BTreeMap<PaidBy, i64> = BTreeMap::new();
    let mut capped: BTreeMap<Option<Period>, i64> = BTreeMap::new();
    let mut kept = 0;
    let scopes = months();
    for (number, bill) in bills.iter().enumerate() {
        let period = match clauses.mode {
            Mode::Case => Period::of(day("2026-12-31")),
            Mode::Period { .. } => scopes[number].period(),
        };
        for block in &clauses.blocks {
            left.entry(PaidBy::Block(block.salesforce_id)).or_insert(block.time.minutes().into());
        }
        let retainer = match &clauses.mode {
            Mode::Period { retainer: Some(retainer) } => Some(retainer),
            _ => None,
        };
        if let Some(retainer) = retainer {
            left.insert(PaidBy::Retainer(period), retainer.included.minutes().into());
        }
        let mut used = 0;
        for (line, derivation) in bill.explained() {
            let Some(by) = paid_by(derivation) else { continue };
            let taken = i64::from(minutes(derivation));
            assert!(taken > 0 && line.amount.minor() == 0);
            // It was there, and for this day.
            *left.get_mut(&by).unwrap() -= taken;
            match by {
                PaidBy::Retainer(of) => {
                    used += taken;
                    let months =
                        retainer.unwrap().roll_over.map_or(0, |roll_over| u8::from(roll_over.months));
                    assert!(of <= period && period <= of.after(months));
                }
                PaidBy::Block(id) => {
                    let block = clauses.blocks.iter().find(|block| block.salesforce_id == id).unwrap();
                    assert!(block.bought_on <= line.worked_on);
                    assert!(block.expires_on.is_none_or(|last| line.worked_on <= last));
                }
            }
        }
        assert!(left.values().all(|left| *left >= 0), "more was used than there was");
        for balance in &bill.carry.blocks {
            assert_eq!(left[&PaidBy::Block(balance.block)], i64::from(balance.left));
        }
        if let (Some(retainer), Some(statement)) = (retainer, bill.retainer) {
            let RetainerStatement { brought, granted, used: stated, lapsed, kept: stays } = statement;
            assert_eq!(brought + granted, stated + lapsed + stays);
            assert_eq!((i64::from(brought), granted), (kept, retainer.included.minutes()));
            assert_eq!(used, i64::from(stated));
            let grants = &bill.carry.retainer.as_ref().unwrap().grants;
            kept = grants.iter().map(|grant| i64::from(grant.left)).sum();
            assert_eq!(kept, i64::from(stays));
            assert!(retainer.roll_over.map_or(0, |roll_over| roll_over.most.minutes()) >= stays);
            // What lapsed cannot be used any more; what stays is no more than was left.
            for (by, left) in &mut left {
                if let PaidBy::Retainer(of) = by {
                    let stays = grants.iter().find(|grant| grant.period == *of).map_or(0, |grant| grant.left);
                    assert!(i64::from(stays) <= *left);
                    *left = i64::from(stays);
                }
            }
        }
        if let Some(cap) = clauses.cap {
            let work = |line: &&Line| matches!(line.kind, LineKind::Work | LineKind::MinimumCharge);
            let billed: i64 = bill.lines.iter().filter(work).map(|line| line.amount.minor()).sum();
            let key = match cap.span {
                CapSpan::Lifetime => None,
                CapSpan::Period => Some(period),
            };
            let total = capped.entry(key).or_insert(0);
            *total += billed;
            assert!(*total <= cap.limit.get().minor());
            assert_eq!(bill.carry.cap.unwrap().used.minor(), *total);
            // Something is cut only when the cap is reached, and in the order of days: after a cut nothing is left.
            let is_cut = |line: &Line| line.reductions.iter().any(|less| less.reason == ReductionReason::Cap);
            let cut = bill.lines.iter().any(is_cut);
            assert!(!cut || *total == cap.limit.get().minor());
            let after = bill.lines.iter().filter(work).skip_while(|line| !is_cut(line)).skip(1);
            assert!(after.into_iter().all(|line| line.amount.minor() == 0));
        }
    }
}

/// What is rounded together is billed as much as was worked, and less than a step more (or the least time).
fn assert_increments(scenario: &Scenario, bill: &Bill) {
    let increment = scenario.clauses().increment;
    let by_id: BTreeMap<EntryId, &TimeEntry> =
        scenario.entries.iter().map(|entry| (entry.id, entry)).collect();
    let mut groups: BTreeMap<String, (i64, i64)> = BTreeMap::new();
    for (line, derivation) in bill.explained().filter(|(line, _)| line.kind == LineKind::Work) {
        let entry = by_id[&line.entry.unwrap()];
        let group = match increment.together {
            Together::Entry => entry.id.to_string(),
            Together::Day => line.worked_on.to_string(),
            Together::Case => entry.case.to_string(),
            Together::Invoice => String::new(),
        };
        let sums = groups.entry(group).or_insert((0, 0));
        sums.0 += line.minutes;
        sums.1 += i64::from(minutes(derivation));
    }
    let (step, least) = (i64::from(increment.step.minutes()), i64::from(u16::from(increment.least)));
    for (worked, billed) in groups.into_values() {
        match increment.rounding {
            Rounding::Up => assert!(billed >= worked && (billed < worked + step || billed == least)),
            Rounding::Nearest => assert!(2 * (billed - worked).abs() <= step || billed == least),
        }
        assert!(billed >= least && (billed % step == 0 || billed == least));
    }
}

proptest! {
    #[test]
    fn every_bill_adds_up_replays_and_conserves(scenario in scenario()) {
        let bills = scenario.bills();
        for bill in &bills {
            assert_adds_up(bill);
            let replayed = replay(&bill.derivation).unwrap();
            let lines: Vec<i128> = bill.lines.iter().map(|line| line.amount.minor().into()).collect();
            prop_assert_eq!(replayed.lines, lines);
            prop_assert_eq!(replayed.net, i128::from(bill.net.minor()));
            prop_assert_eq!(replayed.tax, i128::from(bill.tax.minor()));
            prop_assert_eq!(replayed.gross, i128::from(bill.gross.minor()));
            assert_increments(&scenario, bill);
        }
        assert_every_minute_once(&scenario, &bills);
        assert_conserves(&scenario, &bills);
    }

    #[test]
    fn the_order_of_what_was_done_does_not_matter(scenario in scenario(), turn in 0_usize..10) {
        let bills = scenario.bills();
        let mut other = scenario;
        other.entries.reverse();
        let turn = turn % other.entries.len().max(1);
        other.entries.rotate_left(turn);
        other.expenses.reverse();
        other.deliveries.reverse();
        prop_assert_eq!(other.bills(), bills);
    }

    #[test]
    fn a_stored_bill_reads_back_and_replays(scenario in scenario()) {
        for bill in scenario.bills() {
            let stored = serde_json::to_string(&bill).unwrap();
            let read: Bill = serde_json::from_str(&stored).unwrap();
            prop_assert_eq!(replay(&read.derivation), replay(&bill.derivation));
            prop_assert_eq!(read, bill);
        }
    }

    #[test]
    fn a_derivation_with_another_cent_does_not_replay(scenario in scenario(), place in any::<prop::sample::Index>()) {
        for bill in scenario.bills() {
            if bill.lines.is_empty() {
                continue;
            }
            let mut forged = bill.derivation.clone();
            let line = place.index(forged.lines.len());
            let cent = Decimal::new(1, bill.derivation.currency.decimals());
            let last = forged.lines[line].steps.last_mut().unwrap();
            let paid = matches!(last, Step::Paid { .. });
            match last {
                Step::Price { after, .. }
                | Step::Fee { after }
                | Step::MarkedUp { after, .. }
                | Step::TrueUp { after, .. }
                | Step::Discount { after, .. }
                | Step::Cap { after, .. } => *after += cent,
                _ => {}
            }
            let honest: Vec<i128> = bill.lines.iter().map(|line| line.amount.minor().into()).collect();
            let same = replay(&forged).is_ok_and(|replayed| replayed.lines == honest);
            prop_assert_eq!(same, paid, "{:?}", forged.lines[line]);
        }
    }

    #[test]
    fn cases_apart_and_together_differ_by_the_rounding_of_the_tax_only(
        currency in currency(), rates in clauses_in(currency_of_choice()), entries in time_entries(),
        percent in 0_i64..=30,
    ) {
        let Rates::Card(_) = rates.rates else { return Ok(()) };
        let card = Clauses {
            rates: rates.rates,
            after_hours: rates.after_hours,
            hours: rates.hours,
            increment: Increment { together: Together::Case, ..rates.increment },
            ..terms(&contract("0", &percent.to_string(), currency.code())).into()
        };
        // All of it in one month, so that both ways bill the same.
        let entries: Vec<TimeEntry> = entries
            .into_iter()
            .map(|entry| {
                let particulars = Particulars { hours: None, ..entry.particulars };
                TimeEntry { worked_on: day("2026-12-10"), particulars, ..entry }
            })
            .collect();
        let bundled = Clauses { mode: Mode::Period { retainer: None }, ..card.clone() };
        let together = month_bill(bundled, "2026-12-01", &entries, &Carry::default());
        let apart: Vec<Bill> = scenarios::cases()
            .map(|scope| try_bill(vec![(None, card.clone())], scope, &entries, &Besides::default()).unwrap())
            .into();
        let net: i64 = apart.iter().map(|bill| bill.net.minor()).sum();
        prop_assert_eq!(net, together.net.minor());
        // Each document rounds its tax by at most half a unit.
        let tax: i64 = apart.iter().map(|bill| bill.tax.minor()).sum();
        prop_assert!((tax - together.tax.minor()).abs() * 2 <= 3);
    }

    #[test]
    fn a_full_credit_note_is_the_exact_negative(scenario in scenario()) {
        for bill in scenario.bills() {
            let (invoice, positions) = issued(bill);
            let (credited, note) = invoice.credit(&positions, CreditWish::Everything, crediting(1)).unwrap();
            let nothing = |one: Money, other: Money| one.plus(other).unwrap().minor() == 0;
            prop_assert!(nothing(note.net, invoice.net) && nothing(note.tax, invoice.tax));
            prop_assert!(nothing(note.gross, invoice.gross));
            prop_assert_eq!(credited.settlement.open.minor(), 0);
            let lines = note.lines(&positions).unwrap();
            prop_assert_eq!(lines.len(), positions.lines.len());
            for (back, line) in lines.iter().zip(&positions.lines) {
                prop_assert!(nothing(back.amount, line.amount));
                prop_assert!(nothing(back.price().unwrap(), line.price().unwrap()));
                // It can be checked by hand as the invoice can: the same rate for as much less.
                let ((quantity, of), (rate, parts)) = (units(back.quantity), units(back.rate));
                let scale = 10_i128.pow(invoice.currency.decimals());
                let printed = nearest(quantity * rate * scale, of * parts * i128::from(back.unit.per()));
                prop_assert_eq!(printed, i128::from(back.price().unwrap().minor()));
            }
            for (back, sum) in note.taxes.iter().zip(invoice.taxes.iter()) {
                prop_assert!(nothing(back.base, sum.base) && nothing(back.tax, sum.tax));
                // Tax on less than nothing is rounded as tax on more is.
                if positions.lines.len() == 1 {
                    let exact = back.treatment.exact_tax(back.base).unwrap();
                    prop_assert_eq!(Money::rounded(exact, back.base.currency()).unwrap(), back.tax);
                }
            }
        }
    }
}

fn currency_of_choice() -> crate::Currency {
    "EUR".parse().unwrap()
}

/// What a property is about has to occur in what it is tried with.
#[test]
fn the_scenarios_reach_every_step() {
    let mut runner = TestRunner::deterministic();
    let mut reached: BTreeMap<&str, u32> = BTreeMap::new();
    for _ in 0..600 {
        let scenario = scenario().new_tree(&mut runner).unwrap().current();
        for bill in scenario.bills() {
            let mut saw = |what| *reached.entry(what).or_insert(0) += 1;
            for step in bill.derivation.lines.iter().flat_map(|line| &line.steps) {
                match step {
                    Step::Worked { minutes, of } if minutes < of => saw("cut at working hours"),
                    Step::Increment { before, after, .. } if before != after => saw("time rounded"),
                    Step::Part { skipped: 1.., .. } => saw("part of an entry"),
                    Step::Paid { by: PaidBy::Retainer(_) } => saw("retainer used"),
                    Step::Paid { by: PaidBy::Block(_) } => saw("block used"),
                    Step::Price { factor: Some(_), .. } => saw("outside of working hours"),
                    Step::Price { source: RateSource::Card { .. }, .. } => saw("rate of a card"),
                    Step::Price { source: RateSource::Graduated { above: 1.. }, .. } => saw("higher tier"),
                    Step::Price { source: RateSource::Volume { above: 1.., .. }, .. } => saw("volume"),
                    Step::Price { source: RateSource::Overage, .. } => saw("overage"),
                    Step::Price { per: 60, .. } => saw("exact minutes"),
                    Step::MarkedUp { .. } => saw("expense"),
                    Step::TrueUp { .. } => saw("minimum charge"),
                    Step::Discount { discount: 1.., .. } => saw("second discount"),
                    Step::Cap { after, .. } if !after.is_zero() => saw("cut in the middle of a line"),
                    Step::Cap { .. } => saw("beyond the cap"),
                    _ => {}
                }
            }
            if bill.retainer.is_some_and(|statement| statement.brought > 0) {
                saw("rolled over");
            }
            if bill.retainer.is_some_and(|statement| statement.lapsed > 0 && statement.kept > 0) {
                saw("lapsed in part");
            }
            if bill.taxes.len() > 1 {
                saw("two taxes");
            }
        }
    }
    assert_eq!(reached.len(), 19, "{reached:?}");
    assert!(reached.values().all(|times| *times >= 5), "{reached:?}");
}
