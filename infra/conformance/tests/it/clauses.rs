//! Every clause that the engine knows can be written down in the org, and reads back as the same clause. The number of
//! cases is `PROPTEST_CASES`.

use jiff::civil::{Date, Time, Weekday};
use portico_domain::{
    AccountId, Money, SalesforceId,
    billing::{
        AfterHours, Block, Cap, CapSpan, CardRate, Clauses, Criteria, Discount, DiscountOn, DiscountSize,
        HoursPolicy, Increment, IncrementStep, LateFee, Mode, RateCard, Rates, Retainer, RollOver, Rounding,
        TaxRounding, Taxes, Terms, Tier, Tiers, Together, Treatment, VolumeStep, Window,
    },
    contracts::{BilledBy, Pricing, TaxKind},
};
use portico_salesforce::records::{Choice, ContractRecords, PaperRecords};
use proptest::{option, prelude::*, sample::select};
use rust_decimal::Decimal;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

const ZONE: &str = "Europe/Berlin";

fn id(prefix: &str, place: usize) -> SalesforceId {
    format!("{prefix}{place:012}").parse().unwrap()
}

fn money(cents: i64) -> Money {
    Money::from_minor(cents, "EUR".parse().unwrap())
}

fn hundredths<T: TryFrom<Decimal, Error: std::fmt::Debug>>(value: i64) -> T {
    Decimal::new(value, 2).try_into().unwrap()
}

fn span<T: TryFrom<u32, Error: std::fmt::Debug>>(minutes: u32) -> T {
    minutes.try_into().unwrap()
}

/// A number as Salesforce sends it: a double.
fn number(value: i64, decimals: u32) -> Value {
    serde_json::from_str(&Decimal::new(value, decimals).to_string()).unwrap()
}

fn cents(value: Option<i64>) -> Value {
    value.map_or(Value::Null, |value| number(value, 2))
}

/// Minutes as hours with two decimals, which three minutes are.
fn hours(minutes: u32) -> Value {
    number(i64::from(minutes) * 5 / 3, 2)
}

fn choice<C: Choice>(chosen: C) -> Value {
    json!(chosen.value())
}

fn read<T: DeserializeOwned>(record: Value) -> T {
    serde_json::from_value(record).unwrap()
}

/// Time that can be written as hours with two decimals.
fn minutes() -> impl Strategy<Value = u32> {
    (1..2_000_u32).prop_map(|threes| threes * 3)
}

fn amount() -> impl Strategy<Value = i64> {
    1..100_000_000_i64
}

fn percent() -> impl Strategy<Value = i64> {
    0..=10_000_i64
}

fn date() -> impl Strategy<Value = Date> {
    (2020..2030_i16, 1..=12_i8, 1..=28_i8).prop_map(|(year, month, day)| Date::new(year, month, day).unwrap())
}

/// What is filled in on the contract's record, and what it means.
type Written = (Value, Box<dyn FnOnce(&mut Clauses)>);

fn written(fields: Value, meaning: impl FnOnce(&mut Clauses) + 'static) -> Written {
    (fields, Box::new(meaning))
}

/// Fee, minutes, price beyond them; and most minutes that stay, for how many months.
type RawRetainer = (i64, u32, Option<i64>, Option<(u32, u8)>);

#[derive(Debug, Clone)]
struct Month {
    retainer: Option<RawRetainer>,
}

fn mode(month: Option<Month>) -> Written {
    let Some(Month { retainer }) = month else {
        return written(json!({ "Billed_By__c": choice(BilledBy::Case) }), |clauses| {
            clauses.mode = Mode::Case
        });
    };
    let mut fields = json!({ "Billed_By__c": choice(BilledBy::Month) });
    if let Some((fee, included, overage, roll_over)) = retainer {
        fields["Retainer_Fee__c"] = cents(Some(fee));
        fields["Retainer_Hours__c"] = hours(included);
        fields["Overage_Rate__c"] = cents(overage);
        if let Some((most, months)) = roll_over {
            fields["Roll_Over_Hours__c"] = hours(most);
            fields["Roll_Over_Months__c"] = json!(months);
        }
    }
    written(fields, move |clauses| {
        let retainer = retainer.map(|(fee, included, overage, roll_over)| Retainer {
            fee: money(fee),
            included: span(included),
            overage: overage.map(hundredths),
            roll_over: roll_over
                .map(|(most, months)| RollOver { most: span(most), months: months.try_into().unwrap() }),
        });
        clauses.mode = Mode::Period { retainer };
    })
}

fn month() -> impl Strategy<Value = Option<Month>> {
    let roll_over = option::of((minutes(), 1..=24_u8));
    let retainer = option::of((0..1_000_000_i64, minutes(), option::of(amount()), roll_over));
    option::of(retainer.prop_map(|retainer| Month { retainer }))
}

/// Criteria as letters, price, first day; and beyond how many minutes, where that is what counts.
type RawRate = (u8, i64, Option<Date>, u32);

/// The rates of a contract as records, and what they mean.
fn rates(pricing: Pricing, standard: i64, rates: &[RawRate]) -> (Vec<Value>, Rates) {
    let record = |place: usize, price: i64, others: Value| {
        let mut record = json!({
            "Id": id("a03", place), "Contract__c": id("a02", 1), "Role__c": null, "Work_Type__c": null, "Person__c": null,
            "Above_Hours__c": null, "Hourly_Rate__c": cents(Some(price)), "Valid_From__c": null, "IsDeleted": false,
        });
        let Value::Object(others) = others else { panic!("{others}") };
        record.as_object_mut().unwrap().extend(others);
        record
    };
    match pricing {
        Pricing::FixedFees => (Vec::new(), Rates::FixedFees),
        Pricing::Card => {
            let criteria = |place: usize, letters: u8| {
                let named = |bit: u8, name: &str| (letters & bit != 0).then(|| format!("{name} {place}"));
                Criteria { person: named(1, "Person"), work_type: named(2, "Type"), role: named(4, "Role") }
            };
            let of_card = |(place, (letters, price, from, _)): (usize, &RawRate)| CardRate {
                criteria: criteria(place, *letters),
                price: hundredths(*price),
                from: *from,
            };
            let records = rates.iter().enumerate().map(|(place, (letters, price, from, _))| {
                let Criteria { person, work_type, role } = criteria(place, *letters);
                let others = json!({
                    "Person__c": person, "Work_Type__c": work_type, "Role__c": role, "Valid_From__c": from,
                });
                record(place, *price, others)
            });
            let card = rates.iter().enumerate().map(of_card).collect();
            (records.collect(), Rates::Card(RateCard::new(hundredths(standard), card).unwrap()))
        }
        Pricing::Graduated | Pricing::Volume => {
            let mut above = 0;
            let mut records = Vec::new();
            let mut further = Vec::new();
            for (place, (_, price, _, more)) in rates.iter().enumerate() {
                above += more;
                records.push(record(place, *price, json!({ "Above_Hours__c": hours(above) })));
                further.push(Tier { above: span(above), price: hundredths(*price) });
            }
            // Nobody has to make them in their order.
            records.reverse();
            let tiers = Tiers::new(hundredths(standard), further).unwrap();
            let graduated = pricing == Pricing::Graduated;
            (records, if graduated { Rates::Graduated(tiers) } else { Rates::Volume(tiers) })
        }
    }
}

const DAYS: [(&str, Weekday); 7] = [
    ("Mon", Weekday::Monday),
    ("Tue", Weekday::Tuesday),
    ("Wed", Weekday::Wednesday),
    ("Thu", Weekday::Thursday),
    ("Fri", Weekday::Friday),
    ("Sat", Weekday::Saturday),
    ("Sun", Weekday::Sunday),
];

/// Days as bits, first minute, minutes.
type RawWindow = (u8, u16, u16);

fn after_hours(factor: i64, windows: &[RawWindow]) -> Written {
    let clock = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
    let time = |minute: u16| {
        Time::new(i8::try_from(minute / 60).unwrap(), i8::try_from(minute % 60).unwrap(), 0, 0).unwrap()
    };
    let mut texts = Vec::new();
    let mut clause = Vec::new();
    for (bits, from, long) in windows {
        let (names, days): (Vec<&str>, Vec<Weekday>) =
            (0..).zip(DAYS).filter(|(bit, _)| bits & (1 << bit) != 0).map(|(_, day)| day).unzip();
        let until = (from + long).min(24 * 60);
        texts.push(format!("{} {}-{}", names.join(","), clock(*from), clock(until)));
        clause.push(Window::new(&days, time(*from), (until < 24 * 60).then(|| time(until))).unwrap());
    }
    let factor_field = number(factor, 4);
    let fields = json!({ "After_Hours_Factor__c": factor_field, "After_Hours__c": texts.join("; ") });
    written(fields, move |clauses| {
        let factor = Decimal::new(factor, 4).try_into().unwrap();
        clauses.after_hours = Some(AfterHours::new(factor, clause).unwrap());
    })
}

/// What it is taken from, and how much: percent, amount, or steps.
#[derive(Debug, Clone)]
enum RawSize {
    Percent(i64),
    Fixed(i64),
    Steps(Vec<(i64, i64)>),
}

fn discounts(raw: &[(DiscountOn, RawSize)]) -> (Vec<Value>, Vec<Discount>) {
    let mut records = Vec::new();
    let mut clauses = Vec::new();
    for (place, (on, size)) in raw.iter().enumerate() {
        let name = format!("Discount {place}");
        let mut record = |percent: Option<i64>, amount: Option<i64>, from: Option<i64>| {
            records.push(json!({
                "Id": id("a09", records.len()), "Contract__c": id("a02", 1), "Name": name, "Order__c": place,
                "Applies_To__c": choice(*on), "Percent__c": cents(percent), "Amount__c": cents(amount),
                "From_Amount__c": cents(from), "IsDeleted": false,
            }));
        };
        let size = match size {
            RawSize::Percent(percent) => {
                record(Some(*percent), None, None);
                DiscountSize::Percent(hundredths(*percent))
            }
            RawSize::Fixed(amount) => {
                record(None, Some(*amount), None);
                DiscountSize::Fixed(money(*amount).try_into().unwrap())
            }
            RawSize::Steps(steps) => {
                let mut from = 0;
                let mut volume = Vec::new();
                for (more, percent) in steps {
                    from += more;
                    record(Some(*percent), None, Some(from));
                    volume.push(VolumeStep {
                        from: money(from).try_into().unwrap(),
                        percent: hundredths(*percent),
                    });
                }
                DiscountSize::Volume(volume.try_into().unwrap())
            }
        };
        clauses.push(Discount { name, on: *on, size });
    }
    (records, clauses)
}

fn discount() -> impl Strategy<Value = (DiscountOn, RawSize)> {
    let size = prop_oneof![
        percent().prop_map(RawSize::Percent),
        amount().prop_map(RawSize::Fixed),
        prop::collection::vec((amount(), percent()), 1..4).prop_map(RawSize::Steps),
    ];
    (select(DiscountOn::ALL), size)
}

fn blocks(raw: &[(Date, u32, i64, Option<i64>)]) -> (Vec<Value>, Vec<Block>) {
    let of = |(place, (bought_on, minutes, price, days)): (usize, &(Date, u32, i64, Option<i64>))| {
        let expires_on = days.map(|days| bought_on.saturating_add(jiff::Span::new().days(days)));
        let record = json!({
            "Id": id("a08", place), "Contract__c": id("a02", 1), "Bought_On__c": bought_on, "Hours__c": hours(*minutes),
            "Price__c": cents(Some(*price)), "Expires_On__c": expires_on, "IsDeleted": false,
        });
        let (time, price) = (span(*minutes), money(*price).try_into().unwrap());
        (record, Block { salesforce_id: id("a08", place), bought_on: *bought_on, time, price, expires_on })
    };
    raw.iter().enumerate().map(of).unzip()
}

/// How something is taxed, and the rate that is filled in.
type RawTax = (TaxKind, i64);

fn treatment((kind, percent): RawTax) -> Treatment {
    match kind {
        TaxKind::Taxed => Treatment::Taxed(hundredths(percent)),
        TaxKind::ReverseCharge => Treatment::ReverseCharge,
        TaxKind::Exempt => Treatment::Exempt,
    }
}

fn taxed() -> impl Strategy<Value = RawTax> {
    (select(TaxKind::ALL), percent())
}

fn taxes((work, fees, expenses): (RawTax, Option<RawTax>, Option<RawTax>), rounding: TaxRounding) -> Written {
    let kind = |tax: Option<RawTax>| tax.map_or(Value::Null, |(kind, _)| choice(kind));
    let rate = |tax: Option<RawTax>| cents(tax.map(|(_, percent)| percent));
    let fields = json!({
        "Tax_Treatment__c": choice(work.0), "Tax_Rate__c": cents(Some(work.1)),
        "Fees_Tax_Treatment__c": kind(fees), "Fees_Tax_Rate__c": rate(fees),
        "Expenses_Tax_Treatment__c": kind(expenses), "Expenses_Tax_Rate__c": rate(expenses),
        "Tax_Rounding__c": choice(rounding),
    });
    written(fields, move |clauses| {
        clauses.taxes = Taxes {
            work: treatment(work),
            fees: treatment(fees.unwrap_or(work)),
            expenses: treatment(expenses.unwrap_or(work)),
            rounding,
        };
    })
}

/// The record of a contract that says nothing.
fn blank() -> Value {
    let mut record = json!({
        "Id": id("a02", 1), "Name": "Rollout", "Account__c": id("001", 1), "Currency__c": "EUR",
        "Payment_Terms_Days__c": 14, "Valid_From__c": "2026-01-01", "Time_Zone__c": ZONE, "IsDeleted": false,
        "SystemModstamp": "2026-01-01T00:00:00.000+0000",
    });
    for field in <portico_salesforce::records::ContractRecord as portico_salesforce::records::Record>::FIELDS
    {
        record.as_object_mut().unwrap().entry(*field).or_insert(Value::Null);
    }
    record
}

/// Clauses of a contract that says nothing.
fn usual(rates: Rates, discounts: Vec<Discount>, blocks: Vec<Block>) -> Clauses {
    Clauses {
        currency: "EUR".parse().unwrap(),
        zone: ZONE.parse().unwrap(),
        mode: Mode::Case,
        rates,
        after_hours: None,
        increment: Increment::AS_LOGGED,
        hours: HoursPolicy::Shown,
        blocks,
        markup: Decimal::ZERO.try_into().unwrap(),
        discounts,
        minimum_charge: None,
        cap: None,
        taxes: Taxes::uniform(Treatment::Exempt),
        payment_terms_days: 14,
        purchase_order: None,
        late_fee: None,
    }
}

proptest! {
    #[test]
    fn every_clause_reads_back_from_the_record(
        (month, pricing, standard, raw_rates) in
            (month(), select(Pricing::ALL), amount(), prop::collection::vec(
                (1..8_u8, amount(), option::of(date()), minutes()), 0..4)),
        windows in option::of((10_000..=100_000_i64, prop::collection::vec(
            (1..128_u8, 0..1_440_u16, 1..1_440_u16), 0..4))),
        (step, rounding, together, least) in
            (select(<IncrementStep as Choice>::ALL), select(Rounding::ALL), select(Together::ALL), 0..=1_440_u16),
        (hours_policy, markup, minimum, cap) in
            (select(HoursPolicy::ALL), 0..=100_000_i64, option::of(amount()), option::of((amount(), select(CapSpan::ALL)))),
        raw_discounts in prop::collection::vec(discount(), 0..4),
        raw_blocks in prop::collection::vec((date(), minutes(), amount(), option::of(0..400_i64)), 0..3),
        (tax, tax_rounding) in
            ((taxed(), option::of(taxed()), option::of(taxed())), select(TaxRounding::ALL)),
        (days, order, late) in
            (0..1_000_u16, option::of("[A-Z0-9]{1,8}"), option::of((percent(), option::of(amount())))),
    ) {
        let (rate_records, rates) = rates(pricing, standard, &raw_rates);
        let (discount_records, discounts) = discounts(&raw_discounts);
        let (block_records, blocks) = blocks(&raw_blocks);
        let mut record = blank();
        let mut clauses = usual(rates, discounts, blocks);
        let hourly = (pricing != Pricing::FixedFees).then_some(standard);
        let mut all = vec![mode(month), taxes(tax, tax_rounding)];
        all.extend(windows.map(|(factor, windows)| after_hours(factor, &windows)));
        all.push(written(json!({
            "Pricing__c": choice(pricing), "Hourly_Rate__c": cents(hourly), "Increment__c": choice(step),
            "Rounding__c": choice(rounding), "Rounded_Together__c": choice(together), "Least_Minutes__c": least,
            "Hours_Billed__c": choice(hours_policy), "Markup_Percent__c": cents(Some(markup)),
            "Minimum_Charge__c": cents(minimum), "Cap_Amount__c": cents(cap.map(|cap| cap.0)),
            "Cap_Of__c": cap.map_or(Value::Null, |cap| choice(cap.1)), "Payment_Terms_Days__c": days,
            "Purchase_Order__c": order, "Late_Interest__c": cents(late.map(|late| late.0)),
            "Late_Fee__c": cents(late.and_then(|late| late.1)),
        }), move |clauses| {
            clauses.increment = Increment { step, rounding, together, least: least.try_into().unwrap() };
            clauses.hours = hours_policy;
            clauses.markup = hundredths(markup);
            clauses.minimum_charge = minimum.map(|amount| money(amount).try_into().unwrap());
            clauses.cap = cap.map(|(amount, span)| Cap { limit: money(amount).try_into().unwrap(), span });
            clauses.payment_terms_days = days;
            clauses.purchase_order = order;
            clauses.late_fee = late.map(|(yearly, once)| LateFee {
                yearly: hundredths(yearly),
                once: once.map(|amount| money(amount).try_into().unwrap()),
            });
        }));
        for (fields, meaning) in all {
            let Value::Object(fields) = fields else { panic!("{fields}") };
            record.as_object_mut().unwrap().extend(fields);
            meaning(&mut clauses);
        }
        let records = ContractRecords {
            first: PaperRecords {
                record: read(record),
                rates: rate_records.into_iter().map(read).collect(),
                discounts: discount_records.into_iter().map(read).collect(),
            },
            amendments: Vec::new(),
            milestones: Vec::new(),
            blocks: block_records.into_iter().map(read).collect(),
        };
        let contract = records.contract(AccountId::from_uuid(uuid::Uuid::nil()), 1).unwrap();
        // As it is stored.
        let contract: portico_domain::contracts::Contract =
            serde_json::from_value(serde_json::to_value(contract).unwrap()).unwrap();
        let agreement = contract.agreement().unwrap();
        let expected = Terms::try_from(clauses).unwrap();
        prop_assert_eq!(&agreement.on("2026-05-01".parse().unwrap()).unwrap().terms, &expected);
    }
}
