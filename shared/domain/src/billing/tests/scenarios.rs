//! Contracts and work of every kind, at random.

use jiff::{Timestamp, civil::Weekday};
use proptest::prelude::*;

use super::*;
use crate::Currency;

/// A contract, and what was done under it in October, November and December 2026.
#[derive(Debug, Clone)]
pub(super) struct Scenario {
    pub(super) agreement: Agreement,
    pub(super) entries: Vec<TimeEntry>,
    pub(super) expenses: Vec<Expense>,
    pub(super) deliveries: Vec<Delivery>,
}

impl Scenario {
    pub(super) fn clauses(&self) -> &Clauses {
        self.agreement.on(day("2026-12-31")).unwrap().terms.clauses()
    }

    pub(super) fn bill(&self, scope: Scope, before: &Carry) -> Bill {
        price(Input {
            agreement: &self.agreement,
            scope,
            earliest: None,
            entries: &self.entries,
            expenses: &self.expenses,
            deliveries: &self.deliveries,
            before,
        })
        .unwrap()
    }

    /// All bills, one after the other: of both cases or of the three months.
    pub(super) fn bills(&self) -> Vec<Bill> {
        let scopes = match self.clauses().mode {
            Mode::Case => cases().to_vec(),
            Mode::Period { .. } => months().to_vec(),
        };
        let mut before = Carry::default();
        let mut bills = Vec::new();
        for scope in scopes {
            let bill = self.bill(scope, &before);
            before = bill.carry.clone();
            bills.push(bill);
        }
        bills
    }
}

pub(super) fn cases() -> [Scope; 2] {
    [0, 1].map(|number| Scope::Case { case: case(number), closed_on: day("2026-12-31"), part: 0 })
}

pub(super) fn months() -> [Scope; 3] {
    ["2026-10-01", "2026-11-01", "2026-12-01"].map(|month| Scope::Period(Period::of(day(month))))
}

fn price_of_an_hour() -> impl Strategy<Value = UnitPrice> {
    prop_oneof![
        4 => (0_i64..40_000).prop_map(|cents| UnitPrice::try_from(Decimal::new(cents, 2)).unwrap()),
        1 => (0_i64..1_000_000_000).prop_map(|parts| UnitPrice::try_from(Decimal::new(parts, 6)).unwrap()),
    ]
}

fn percent() -> impl Strategy<Value = Percent> {
    prop_oneof![
        3 => (0_i64..=100).prop_map(|whole| Percent::try_from(Decimal::from(whole)).unwrap()),
        1 => (0_i64..=100_000).prop_map(|parts| Percent::try_from(Decimal::new(parts, 3)).unwrap()),
    ]
}

fn card() -> impl Strategy<Value = RateCard> {
    let name = |names: &'static [&'static str]| {
        prop::option::of(prop::sample::select(names)).prop_map(|name| name.map(str::to_owned))
    };
    let criteria = (name(&["Ada", "Bob"]), name(&["Build", "Review"]), name(&["Architect", "Tester"]));
    let from = prop::option::of(0_i32..92).prop_map(|days| days.map(later));
    let rate = (criteria, price_of_an_hour(), from).prop_map(|((person, work_type, role), price, from)| {
        CardRate { criteria: Criteria { person, work_type, role }, price, from }
    });
    (price_of_an_hour(), prop::collection::vec(rate, 0..4)).prop_map(|(standard, rates)| {
        // The few cards that are ambiguous are left without their rates.
        RateCard::new(standard, rates).unwrap_or_else(|_| RateCard::new(standard, vec![]).unwrap())
    })
}

fn tiers() -> impl Strategy<Value = Tiers> {
    let tier = (1_u32..800, price_of_an_hour());
    (price_of_an_hour(), prop::collection::vec(tier, 1..4)).prop_map(|(first, steps)| {
        let mut above = 0;
        let further = steps.into_iter().map(|(minutes, price)| {
            above += minutes;
            Tier { above: above.try_into().unwrap(), price }
        });
        Tiers::new(first, further.collect()).unwrap()
    })
}

fn rates() -> impl Strategy<Value = Rates> {
    prop_oneof![
        5 => card().prop_map(Rates::Card),
        2 => tiers().prop_map(Rates::Graduated),
        2 => tiers().prop_map(Rates::Volume),
        1 => Just(Rates::FixedFees),
    ]
}

pub(super) fn increment() -> impl Strategy<Value = Increment> {
    let together = [Together::Entry, Together::Day, Together::Case, Together::Invoice];
    (
        prop::sample::select(&IncrementStep::ALL[..]),
        prop::sample::select(&[Rounding::Up, Rounding::Nearest][..]),
        prop::sample::select(together.to_vec()),
        prop_oneof![3 => Just(0_u16), 1 => 1_u16..120],
    )
        .prop_map(|(step, rounding, together, least)| Increment {
            step,
            rounding,
            together,
            least: least.try_into().unwrap(),
        })
}

fn money(currency: Currency, most: i64) -> impl Strategy<Value = PositiveMoney> {
    (1..=most).prop_map(move |minor| Money::from_minor(minor, currency).try_into().unwrap())
}

fn after_hours() -> impl Strategy<Value = AfterHours> {
    (10_000_i64..=30_000, 0_i8..24, 0_i8..7).prop_map(|(factor, hour, weekday)| {
        let from = jiff::civil::time(hour, 0, 0, 0);
        let weekday = Weekday::from_monday_zero_offset(weekday).unwrap();
        let windows = vec![
            Window::new(&[weekday], from, None).unwrap(),
            Window::new(&[Weekday::Sunday], jiff::civil::time(0, 0, 0, 0), None).unwrap(),
        ];
        AfterHours::new(Factor::try_from(Decimal::new(factor, 4)).unwrap(), windows).unwrap()
    })
}

fn discounts(currency: Currency) -> impl Strategy<Value = Vec<Discount>> {
    let step = (money(currency, 50_000), percent());
    let volume = prop::collection::vec(step, 1..3).prop_map(|mut steps| {
        steps.sort_by_key(|(from, _)| from.get().minor());
        steps.dedup_by_key(|(from, _)| from.get().minor());
        let steps: Vec<_> = steps.into_iter().map(|(from, percent)| VolumeStep { from, percent }).collect();
        DiscountSize::Volume(steps.try_into().unwrap())
    });
    let size = prop_oneof![
        percent().prop_map(DiscountSize::Percent),
        money(currency, 100_000).prop_map(DiscountSize::Fixed),
        volume,
    ];
    let on = [DiscountOn::Work, DiscountOn::WorkAndFees, DiscountOn::Everything];
    let discount = (prop::sample::select(on.to_vec()), size).prop_map(|(on, size)| Discount {
        name: "Discount".to_owned(),
        on,
        size,
    });
    prop::collection::vec(discount, 0..3)
}

fn taxes() -> impl Strategy<Value = Taxes> {
    let treatment = || {
        prop_oneof![
            6 => percent().prop_map(Treatment::Taxed),
            1 => Just(Treatment::ReverseCharge),
            1 => Just(Treatment::Exempt),
        ]
    };
    let rounding = prop::sample::select(&[TaxRounding::Total, TaxRounding::Total, TaxRounding::Line][..]);
    (treatment(), treatment(), any::<bool>(), rounding).prop_map(|(work, other, alike, rounding)| Taxes {
        work,
        fees: if alike { work } else { other },
        expenses: other,
        rounding,
    })
}

fn mode(currency: Currency) -> impl Strategy<Value = Mode> {
    let roll_over = (1_u32..2_000, 1_u8..4).prop_map(|(most, months)| RollOver {
        most: most.try_into().unwrap(),
        months: months.try_into().unwrap(),
    });
    let retainer =
        (0_i64..100_000, 1_u32..1_500, prop::option::of(price_of_an_hour()), prop::option::of(roll_over))
            .prop_map(move |(fee, included, overage, roll_over)| Retainer {
                fee: Money::from_minor(fee, currency),
                included: included.try_into().unwrap(),
                overage,
                roll_over,
            });
    prop_oneof![
        2 => Just(Mode::Case),
        1 => Just(Mode::Period { retainer: None }),
        2 => retainer.prop_map(|retainer| Mode::Period { retainer: Some(retainer) }),
    ]
}

fn blocks(currency: Currency) -> impl Strategy<Value = Vec<Block>> {
    let block = (0_i32..92, 1_u32..1_000, money(currency, 100_000), prop::option::of(0_i32..60));
    prop_oneof![
        2 => Just(vec![]),
        1 => prop::collection::vec(block, 1..3).prop_map(|blocks| {
            let block = |(number, (bought, time, price, expires)): (u32, (i32, u32, PositiveMoney, Option<i32>))| Block {
                salesforce_id: salesforce_id(number),
                bought_on: later(bought),
                time: time.try_into().unwrap(),
                price,
                expires_on: expires.map(|days| later(bought + days)),
            };
            (100..).zip(blocks).map(block).collect()
        }),
    ]
}

pub(super) fn clauses_in(currency: Currency) -> impl Strategy<Value = Clauses> {
    let span = prop::sample::select(&[CapSpan::Lifetime, CapSpan::Period][..]);
    let cap = (money(currency, 200_000), span).prop_map(|(limit, span)| Cap { limit, span });
    let hours = prop::sample::select(&[HoursPolicy::Shown, HoursPolicy::Shown, HoursPolicy::Exact][..]);
    let time = (rates(), prop::option::of(after_hours()), increment(), hours);
    let amounts = (
        prop::option::weighted(0.25, money(currency, 50_000)),
        prop::option::weighted(0.35, cap),
        (0_i64..3_000).prop_map(|parts| Markup::try_from(Decimal::new(parts, 2)).unwrap()),
    );
    (time, mode(currency), blocks(currency), discounts(currency), amounts, taxes()).prop_map(
        move |((rates, after_hours, increment, hours), mode, blocks, discounts, amounts, taxes)| Clauses {
            mode,
            rates,
            after_hours,
            increment,
            hours,
            blocks,
            discounts,
            minimum_charge: amounts.0,
            cap: amounts.1,
            markup: amounts.2,
            taxes,
            ..terms(&contract("0", "0", currency.code())).into()
        },
    )
}

/// Days after the first of October.
fn later(days: i32) -> Date {
    day("2026-10-01").saturating_add(jiff::Span::new().days(days))
}

/// Person, kind of work, role.
type Known = (&'static str, &'static str, &'static str);
/// What is known of the time of day: nothing, the person's word, or the second of the day.
type Clock = Option<Option<i64>>;

pub(super) fn time_entries() -> impl Strategy<Value = Vec<TimeEntry>> {
    let name = |names: &'static [&'static str]| prop::sample::select(names);
    let known = (name(&["Ada", "Bob", "Eve"]), name(&["", "Build", "Review"]), name(&["", "Architect"]));
    let minutes = prop_oneof![8 => 1_i64..300, 1 => 300..=MINUTES_MAX];
    let clock =
        prop_oneof![5 => Just(None), 1 => Just(Some(None)), 2 => (0_i64..86_400).prop_map(|s| Some(Some(s)))];
    let one = (0_i32..92, minutes, 0_u128..2, known, clock);
    prop::collection::vec(one, 0..10).prop_map(|all| {
        let one = |(number, (days, minutes, of, known, clock)): (u128, (i32, i64, u128, Known, Clock))| {
            let (person, work_type, role) = known;
            let worked_on: Date = later(days);
            let midnight: i64 = worked_on.to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp().as_second();
            let hours = match clock {
                None => None,
                Some(None) => Some(WorkingHours::After),
                Some(Some(seconds)) => {
                    Some(WorkingHours::From(Timestamp::from_second(midnight + seconds).unwrap()))
                }
            };
            let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
            TimeEntry {
                case: case(of),
                worked_on,
                person: person.to_owned(),
                particulars: Particulars { role: some(role), work_type: some(work_type), hours },
                ..entry(number, minutes)
            }
        };
        (1..).zip(all).map(one).collect()
    })
}

fn besides(currency: Currency) -> impl Strategy<Value = (Vec<Expense>, Vec<Delivery>)> {
    let one = || (0_i32..92, 0_u128..2, 0_i64..100_000);
    (prop::collection::vec(one(), 0..3), prop::collection::vec(one(), 0..2)).prop_map(
        move |(expenses, deliveries)| {
            let expense = |(number, (days, of, cost)): (u32, (i32, u128, i64))| Expense {
                case: Some(case(of)),
                incurred_on: later(days),
                ..expense(number, Money::from_minor(cost, currency))
            };
            let delivery = |(number, (days, of, fee)): (u32, (i32, u128, i64))| Delivery {
                case: Some(case(of)),
                delivered_on: later(days),
                ..milestone(number, Money::from_minor(fee, currency))
            };
            ((200..).zip(expenses).map(expense).collect(), (300..).zip(deliveries).map(delivery).collect())
        },
    )
}

pub(super) fn currency() -> impl Strategy<Value = Currency> {
    prop::sample::select(&["EUR", "EUR", "JPY", "KWD"][..]).prop_map(|code| code.parse().unwrap())
}

pub(super) fn scenario() -> impl Strategy<Value = Scenario> {
    currency().prop_flat_map(|currency| {
        let second = prop::option::weighted(0.3, (0_i32..92, rates()));
        (clauses_in(currency), second, time_entries(), besides(currency)).prop_map(
            |(clauses, second, entries, (expenses, deliveries))| {
                let version = |from, clauses| Version { from, terms: Terms::try_from(clauses).unwrap() };
                let mut versions = vec![version(None, clauses.clone())];
                if let Some((days, rates)) = second {
                    versions.push(version(Some(later(days)), Clauses { rates, ..clauses }));
                }
                let agreement = Agreement::try_from(versions).unwrap();
                Scenario { agreement, entries, expenses, deliveries }
            },
        )
    })
}
